//! Everything a user can name appears in a test: settings, error codes, flags, template parameters, Terraform
//! variables, routes.
//!
//! Appearing proves little, but what no test even names is surely not tested. Names come from the generated pages and
//! from the sources themselves, so that a new one is held at once.

mod exceptions;
mod names;

use std::collections::BTreeSet;

use super::SourceFile;
use exceptions::EXCEPTIONS;
use names::{Name, names};

pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let tests = tests(files);
    let words: BTreeSet<&str> = tests.iter().flat_map(|text| words(text)).collect();
    let mut findings = Vec::new();
    let mut excused = BTreeSet::new();
    for Name { kind, name, place } in names(files) {
        let is_named = kind.spellings(&name).iter().any(|it| words.contains(it.as_str()));
        if EXCEPTIONS.iter().any(|(it, _)| *it == name) {
            excused.insert(name.clone());
            if is_named {
                findings.push(format!("{place}: `{name}` is in a test now; remove its exception"));
            }
        } else if !is_named {
            findings.push(format!(
                "{place}: {} `{name}` appears in no test; write one, or add a reason to xtask/src/tidy/covered/exceptions.rs",
                kind.noun()
            ));
        }
    }
    // Of the whole project only: tests of this rule have a file or two.
    if files.iter().any(|it| it.path == "xtask/src/tidy/covered/exceptions.rs") {
        let stale = EXCEPTIONS.iter().filter(|(name, _)| !excused.contains(*name));
        findings.extend(stale.map(|(name, _)| {
            format!("xtask/src/tidy/covered/exceptions.rs: `{name}` does not exist any more; remove it")
        }));
    }
    findings
}

/// Text of the tests: files in folders `tests`, modules named `tests`, and what follows `#[cfg(test)]`.
fn tests(files: &[SourceFile]) -> Vec<&str> {
    const ENDINGS: [&str; 7] = [".rs", ".hcl", ".tfvars", ".sql", ".conf", ".py", ".snap"];
    let text_of = |file: &'_ SourceFile| -> Option<usize> {
        let path = &file.path;
        // This rule's own list would otherwise prove itself.
        if path.starts_with("xtask/src/tidy/") || path.contains("/fuzz/") {
            return None;
        }
        if ENDINGS.iter().any(|it| path.ends_with(it))
            && (path.contains("/tests/") || path.ends_with("/tests.rs"))
        {
            return Some(0);
        }
        if path.ends_with(".rs") { file.text.as_ref()?.find("#[cfg(test)]") } else { None }
    };
    files.iter().filter_map(|file| Some(&file.text.as_ref()?[text_of(file)?..])).collect()
}

/// Runs of what names are made of.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')))
        .map(|it| it.trim_end_matches(['.', '/']).trim_start_matches('.'))
        .filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn names_that_no_test_has_are_found() {
        let page = "### db-uri\n\n### db-pool\n";
        let test = "fn a() { start(&[(\"PGRST_DB_URI\", uri)]); }";
        let found = check(&[file("docs/configuration.md", page), file("api/tests/it/a.rs", test)]);
        let about: Vec<&String> = found.iter().filter(|it| it.contains("setting")).collect();
        assert_eq!(about.len(), 1, "{found:?}");
        assert!(about[0].contains("`db-pool` appears in no test"), "{about:?}");
    }

    #[test]
    fn unit_tests_count_and_the_code_before_them_does_not() {
        let files =
            [file("x/src/a.rs", "const A: &str = \"PGRST001\";\n#[cfg(test)]\nmod tests { /* PGRST002 */ }")];
        let texts = tests(&files);
        let words: Vec<&str> = texts.iter().flat_map(|it| words(it)).collect();
        assert!(words.contains(&"PGRST002") && !words.contains(&"PGRST001"), "{words:?}");
    }

    #[test]
    fn exceptions_have_reasons() {
        for (name, why) in EXCEPTIONS {
            assert!(why.split_whitespace().count() > 3, "{name}: {why}");
        }
    }
}
