//! Files below `~/.aws`: readable by their owner only, replaced whole.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The home folder.
pub fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|it| !it.is_empty()).map(PathBuf::from)
}

/// Writes a file that nobody else may read, in a folder that nobody else may enter if it has to be made.
///
/// # Errors
/// When the file or its folder cannot be written.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let what = || format!("write {}", path.display());
    make_private_folder(folder).with_context(what)?;
    let part = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&part).with_context(what)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(what)?;
    fs::rename(&part, path).with_context(what)
}

fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Adds a section to a configuration file of AWS; `false` when it is there already, which leaves the file alone.
///
/// # Errors
/// When the file cannot be read or written.
pub fn add_section(path: &Path, section: &str, pairs: &[(&str, &str)]) -> anyhow::Result<bool> {
    let mut text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(err) => return Err(err).with_context(|| format!("read {}", path.display())),
    };
    if has_section(&text, section) {
        return Ok(false);
    }
    if !text.is_empty() {
        text = format!("{}\n\n", text.trim_end());
    }
    text.push_str(&format!("[{section}]\n"));
    for (name, value) in pairs {
        text.push_str(&format!("{name} = {value}\n"));
    }
    write_private(path, &text)?;
    Ok(true)
}

/// Whether a configuration file of AWS has a section.
pub fn has_section(text: &str, section: &str) -> bool {
    let name = |line: &str| {
        let inner = line.trim().strip_prefix('[')?.split(']').next()?;
        Some(inner.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    text.lines().any(|it| name(it).as_deref() == Some(section))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_added_once_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".aws/config");
        assert!(add_section(&path, "profile me", &[("region", "eu-west-1")]).unwrap());
        assert!(add_section(&path, "profile admin", &[("source_profile", "me")]).unwrap());
        assert!(!add_section(&path, "profile me", &[("region", "us-east-1")]).unwrap());
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "[profile me]\nregion = eu-west-1\n\n[profile admin]\nsource_profile = me\n"
        );
        assert!(has_section("[ profile   me ] # mine", "profile me"));
        assert!(!has_section("[profile metoo]", "profile me"));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_what_is_written() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/credentials");
        write_private(&path, "secret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
}
