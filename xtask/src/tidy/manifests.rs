//! Rules on member manifests: shared versions, shared lints.

use super::SourceFile;

pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml") && !file.path.contains("/fuzz/"))
        .flat_map(check_manifest)
        .collect()
}

fn check_manifest(file: &SourceFile) -> Vec<String> {
    let mut findings = Vec::new();
    let Some(text) = &file.text else { return findings };
    if !text.contains("[lints]\nworkspace = true") {
        findings
            .push(format!("{}: take the lints from the workspace (`[lints] workspace = true`)", file.path));
    }
    let mut is_dependencies = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            is_dependencies = line.contains("dependencies]");
        } else if is_dependencies
            && line.contains('=')
            && !line.starts_with('#')
            && !line.contains("workspace = true")
        {
            findings.push(format!("{}:{}: state the version in the root manifest", file.path, index + 1));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn own_version_and_missing_lints_are_found() {
        let text = "[package]\nname = \"x\"\n\n[dependencies]\nserde = \"1\"\ntokio.workspace = true\n";
        assert_eq!(check(&[file("x/Cargo.toml", text)]).len(), 2);
        let text = "[dependencies]\nserde.workspace = true\n\n[lints]\nworkspace = true\n";
        assert_eq!(check(&[file("x/Cargo.toml", text)]), Vec::<String>::new());
    }
}
