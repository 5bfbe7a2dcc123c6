//! Words that the server's sources once used for what has a term of the trade.

use super::SourceFile;

/// Where the rule holds.
const WITHIN: [&str; 4] = ["api/src/", "api/tests/", "pg-wire-client/", "docs/"];

/// A word, in any form that begins with it, and the term.
const RETIRED: &[(&str, &str)] = &[
    ("lane", "shared connection"),
    ("rider", "pending read"),
    ("departure", "client disconnect"),
    ("leavings", "session residue"),
    ("scrub", "session reset"),
    ("pulse", "liveness"),
    ("landing", "response reader"),
];

pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let held = files.iter().filter(|file| WITHIN.iter().any(|place| file.path.starts_with(place)));
    let mut findings = Vec::new();
    for file in held {
        for (index, line) in file.text.iter().flat_map(|it| it.lines().enumerate()) {
            let words = || line.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
            for (word, term) in RETIRED {
                if words().any(|it| it.strip_prefix(word).is_some_and(is_an_ending)) {
                    findings.push(format!("{}:{}: `{word}` is retired; say {term}", file.path, index + 1));
                }
            }
        }
    }
    findings
}

/// What may stand behind a word and leave it the same word.
fn is_an_ending(rest: &str) -> bool {
    matches!(rest, "" | "s" | "bed" | "bing")
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn retired_words_are_found_in_names_and_comments() {
        let text = "//! Lanes.\nfn next_rider() {}\nlet planes = 1;\n// a scrubbed session\n";
        let found = check(&[file("api/src/x.rs", text), file("xtask/src/x.rs", text)]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[1].starts_with("api/src/x.rs:2: `rider` is retired; say pending read"), "{found:?}");
    }
}
