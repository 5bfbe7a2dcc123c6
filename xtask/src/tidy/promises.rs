//! Every promise of the documents names the tests that prove it, and these exist.
//!
//! Promises are rows of the tables below a heading `Promises`: what is promised, and in the last column tests in
//! backticks, `folder::file::name`, the folders as far as they are needed to tell the file.

use super::SourceFile;

/// Documents that make promises.
const DOCUMENTS: [&str; 2] = ["docs/security.md", "docs/operations.md"];

pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for path in DOCUMENTS {
        let Some(text) = files.iter().find(|it| it.path == path).and_then(|it| it.text.as_deref()) else {
            continue;
        };
        let rows: Vec<(usize, &str)> = rows(text).collect();
        if rows.is_empty() {
            findings.push(format!("{path}: no table of promises; add one below a heading `Promises`"));
        }
        for (line, row) in rows {
            let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
            let tests: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
            if tests.is_empty() {
                findings.push(format!("{path}:{line}: a promise without a test; name one that proves it"));
            }
            for test in tests.into_iter().filter(|it| !exists(files, it)) {
                findings.push(format!("{path}:{line}: there is no test `{test}`; name one that proves this"));
            }
        }
    }
    findings
}

/// Rows of the tables below `Promises`, without their heads, with the numbers of their lines.
fn rows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().skip_while(|(_, line)| heading(line) != Some("Promises"));
    let section = lines.skip(1).take_while(|(_, line)| heading(line).is_none());
    let mut is_body = false;
    section.filter_map(move |(index, line)| {
        let is_row = line.starts_with('|');
        let is_rule = is_row && line.chars().all(|c| matches!(c, '|' | '-' | ' ' | ':'));
        let was_body = is_body;
        is_body = is_row && (is_body || is_rule);
        (was_body && is_row).then_some((index + 1, line))
    })
}

fn heading(line: &str) -> Option<&str> {
    line.starts_with('#').then(|| line.trim_start_matches('#').trim())
}

/// Whether a file of this path has a test of this name.
fn exists(files: &[SourceFile], test: &str) -> bool {
    let Some((module, name)) = test.rsplit_once("::") else { return false };
    let suffix = format!("/{}.rs", module.trim_end_matches("::tests").replace("::", "/"));
    files
        .iter()
        .filter(|it| it.path.ends_with(&suffix))
        .filter_map(|it| it.text.as_deref())
        .any(|text| has_test(text, name))
}

/// Whether a function of this name has an attribute that makes it a test.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let declared =
            line.trim_start_matches("async ").strip_prefix("fn ").and_then(|it| it.strip_prefix(name));
        declared.is_some_and(|rest| rest.starts_with('('))
            && lines[..at]
                .iter()
                .rev()
                .take_while(|it| it.starts_with("#[") || it.starts_with("//"))
                .any(|it| it.starts_with("#[test]") || it.starts_with("#[tokio::test"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    const TABLE: &str = "# Security\n\n## Promises\n\nText.\n\n| promise | proved by |\n|---|---|\n";

    fn found(rows: &str) -> Vec<String> {
        let tests =
            "#[tokio::test(flavor = \"multi_thread\")]\n/// Why.\nasync fn it_holds() {}\nfn helper() {}\n";
        let files = [
            file("docs/security.md", &format!("{TABLE}{rows}\n## More\n\n| a | b |\n|---|---|\n| c | d |\n")),
            file("api/tests/it/execute/sessions.rs", tests),
            file("api/src/observability/log.rs", "mod tests {\n    #[test]\n    fn one_line() {}\n}\n"),
        ];
        check(&files)
    }

    #[test]
    fn promises_with_their_tests_are_fine() {
        let rows = "| a | `execute::sessions::it_holds`, `observability::log::tests::one_line` |\n| b | `sessions::it_holds` |\n";
        assert_eq!(found(rows), [""; 0]);
    }

    #[test]
    fn promises_without_an_existing_test_are_found() {
        let rows = "| a | nothing |\n| b | `execute::sessions::it_held` |\n| c | `sessions::helper` |\n| d | `elsewhere::it_holds` |\n";
        let found = found(rows);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].starts_with("docs/security.md:9: a promise without a test"), "{found:?}");
        assert!(found[1].contains("`execute::sessions::it_held`"), "{found:?}");
    }

    #[test]
    fn a_document_without_promises_is_found() {
        let found = check(&[file("docs/operations.md", "# Operations\n")]);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
