//! Rules on `Cargo.lock`: one TLS stack, one HTTP stack, no retired crates, wherever a dependency would bring them from.

use super::SourceFile;

/// Crates that may not come in, and what to use.
const BANNED: &[(&str, &str)] = &[
    ("native-tls", "TLS is rustls with aws-lc-rs"),
    ("openssl-sys", "TLS is rustls with aws-lc-rs"),
    ("serde_yaml", "retired; templates are read with saphyr-parser"),
    ("serde_yml", "retired; templates are read with saphyr-parser"),
];

/// Crates of which a second copy means a second stack: larger binaries, and types that do not meet.
const SINGLE: &[&str] = &["http", "hyper", "rustls", "tokio", "tokio-postgres"];

pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let lock = files.iter().find(|file| file.path == "Cargo.lock").and_then(|file| file.text.as_deref());
    let Some(lock) = lock else { return Vec::new() };
    let names: Vec<&str> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"").and_then(|rest| rest.strip_suffix('"')))
        .collect();
    let count = |name: &str| names.iter().filter(|it| **it == name).count();
    let banned = BANNED.iter().filter(|(name, _)| count(name) > 0).map(|(name, why)| {
        format!("Cargo.lock: `{name}` is in the tree ({why}); `cargo tree -i {name}` says why")
    });
    let twice = SINGLE
        .iter()
        .filter(|name| count(name) > 1)
        .map(|name| format!("Cargo.lock: two versions of `{name}`; `cargo tree -d` says who wants which"));
    banned.chain(twice).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn lock(names: &[&str]) -> SourceFile {
        let text: String = names
            .iter()
            .map(|name| format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n\n"))
            .collect();
        file("Cargo.lock", &text)
    }

    #[test]
    fn a_banned_crate_and_a_second_stack_are_found() {
        assert_eq!(check(&[lock(&["hyper", "serde"])]), Vec::<String>::new());
        assert_eq!(check(&[lock(&["hyper", "openssl-sys"])]).len(), 1);
        assert_eq!(check(&[lock(&["hyper", "hyper"])]).len(), 1);
    }
}
