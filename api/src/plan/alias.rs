//! Aliases that stay distinct within the length of a Postgres identifier.

/// Postgres cuts longer names off, which would make different aliases equal.
pub(super) const MAX_BYTES: usize = 63;

/// `base` followed by `suffix`, with `base` cut as far as needed. The suffix is what must stay distinct.
pub(super) fn shortened(base: &str, suffix: &str) -> String {
    let room = MAX_BYTES.saturating_sub(suffix.len());
    let end = base.floor_char_boundary(room);
    format!("{}{suffix}", &base[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_kept() {
        assert_eq!(shortened("clients", "_1"), "clients_1");
    }

    #[test]
    fn long_names_keep_their_suffix() {
        let long = "é".repeat(40);
        let alias = shortened(&long, "_12");
        assert!(alias.len() <= MAX_BYTES && alias.ends_with("é_12"), "{alias}");
        assert_ne!(shortened(&long, "_1"), shortened(&long, "_2"));
    }
}
