//! The glibc that a binary asks for, read off the names of the symbol versions it holds.

use anyhow::{Result, bail};

/// What every such name starts with.
const PREFIX: &[u8] = b"GLIBC_";

/// Refuses a binary that a system with glibc `limit` could not start.
pub(super) fn check(binary: &[u8], limit: (u32, u32)) -> Result<()> {
    match newest(binary) {
        None => bail!("the binary names no glibc at all, so it is not what Lambda can run"),
        Some(found) if found > limit => bail!(
            "the binary needs glibc {}.{}, but Lambda's provided.al2023 has {}.{}",
            found.0,
            found.1,
            limit.0,
            limit.1
        ),
        Some(_) => Ok(()),
    }
}

/// The newest version named. Other names with the same beginning, such as `GLIBC_PRIVATE`, are none.
fn newest(binary: &[u8]) -> Option<(u32, u32)> {
    binary
        .windows(PREFIX.len())
        .enumerate()
        .filter(|(_, window)| *window == PREFIX)
        .filter_map(|(at, _)| {
            let rest = binary.get(at + PREFIX.len()..)?;
            let end = rest.iter().position(|it| *it == 0)?;
            let mut numbers = std::str::from_utf8(rest.get(..end)?).ok()?.split('.');
            Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_version_counts() {
        let binary = b"\x7fELF\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0";
        assert_eq!(newest(binary), Some((2, 34)));
        assert!(check(binary, (2, 34)).is_ok());
        let error = check(binary, (2, 33)).expect_err("too new");
        assert_eq!(error.to_string(), "the binary needs glibc 2.34, but Lambda's provided.al2023 has 2.33");
        assert!(check(b"nothing", (2, 34)).is_err());
    }
}
