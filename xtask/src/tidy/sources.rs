//! Rules on single files: module docs, size, stray marks.

use super::SourceFile;

/// No source file may be longer; long before that it wants a second room.
const MAX_LINES: usize = 800;
/// No file in the repository may be larger.
const MAX_BYTES: u64 = 1024 * 1024;
/// Files that are tables by nature, and why.
const TABLES: &[(&str, &str)] = &[];

pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<String> {
    let mut findings = Vec::new();
    let path = &file.path;
    if file.n_bytes > MAX_BYTES {
        findings.push(format!("{path}: {} bytes; keep files below 1 MB", file.n_bytes));
    }
    let Some(text) = &file.text else { return findings };
    for (index, line) in text.lines().enumerate() {
        if line.ends_with([' ', '\t']) && !path.ends_with(".md") && !path.ends_with(".snap") {
            findings.push(format!("{path}:{}: trailing white space", index + 1));
        }
    }
    if !path.ends_with(".rs") {
        return findings;
    }
    if !text.starts_with("//!") && !text.starts_with("#![") {
        findings.push(format!("{path}: start the module with `//!`: what it owns and where it sits"));
    }
    let n_lines = text.lines().count();
    if n_lines > MAX_LINES && !TABLES.iter().any(|(table, _)| table == path) {
        findings.push(format!("{path}: {n_lines} lines; split it by purpose (limit {MAX_LINES})"));
    }
    // Written apart so that this file does not find itself.
    let ignored = concat!("#[", "ignore");
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with(ignored) {
            findings.push(format!("{path}:{}: a test is switched off; mend it or delete it", index + 1));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn module_without_docs_is_found() {
        assert_eq!(check(&[file("a/src/x.rs", "fn main() {}\n")]).len(), 1);
        assert_eq!(check(&[file("a/src/x.rs", "//! Owns x.\n")]), Vec::<String>::new());
    }

    #[test]
    fn long_file_is_found() {
        let text = format!("//! Long.\n{}", "// line\n".repeat(MAX_LINES));
        assert_eq!(check(&[file("a/src/x.rs", &text)]).len(), 1);
    }

    #[test]
    fn trailing_space_and_switched_off_test_are_found() {
        let text = format!("//! X. \n{}]\n", concat!("#[", "ignore"));
        assert_eq!(check(&[file("a/src/x.rs", &text)]).len(), 2);
    }
}
