//! Phrases that read as translated, and what to write instead; `docs/style.md` is the page for writers.
//!
//! Most hold everywhere, in code as well; [`TEXTS`] only where a user reads: documents and strings.

use super::SourceFile;

/// Places that the rule has not reached, and its own lists.
const EXCEPT: &[&str] = &[
    "CHANGELOG.md",
    "docs/style.md",
    "xtask/src/tidy/phrases.rs",
    // Generated from the crates below.
    "docs/lint.md",
    "docs/cloudformation-parameters.md",
    // Not yet read through.
    "api/src/execute",
    "api/src/pipeline",
    "api/src/response",
    "api/src/script",
    "app-folder/",
    "deploy/",
    "docs/application.md",
    "docs/auth.md",
    "docs/cloudformation.md",
    "docs/operations.md",
    "infra-cfn/",
    "infra-tf/",
    "local-stack/docker/",
    "schema-diff/",
    "schema-lint/",
    "xtask/src/ci/promises.rs",
];

/// A phrase and its replacement. A phrase that ends in a full stop is one that nothing but punctuation follows.
const PHRASES: &[(&str, &str)] = &[
    ("of its own.", "its own …, or a separate …"),
    ("of their own.", "their own …, or separate …"),
    ("of our own.", "our own …"),
    ("of your own.", "your own …"),
    ("of one's own.", "a separate …"),
    ("who waits", "the waiting task, the waiting request"),
    ("is away", "is unavailable, is unreachable"),
    ("away for", "unavailable for"),
    ("needs leave", "needs permission"),
    ("leave for that", "permission"),
    ("to be had", "available, offered"),
    ("for ever", "forever"),
    ("that is none", "that is malformed, that is not valid"),
    ("and is none", "and is not a …"),
    ("is none of the", "is not one of the"),
    ("met halfway", "gets a suggestion"),
    ("dearer", "more expensive"),
];

/// What is refused in documents and strings only.
const TEXTS: &[(&str, &str)] = &[("nobody", "no user, no client, no …")];

/// The system's user of that name.
const USER: &[&str] = &["\"nobody\"", "`nobody`", "'nobody'", "nobody@", "\"nobody here\""];

pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let held = files.iter().filter(|file| {
        [".md", ".rs", ".toml", ".yml", ".conf"].iter().any(|it| file.path.ends_with(it))
            && !EXCEPT.iter().any(|place| file.path.starts_with(place))
    });
    let mut findings = Vec::new();
    for file in held {
        for (index, line) in file.text.iter().flat_map(|it| it.lines().enumerate()) {
            let line = line.to_lowercase();
            let everywhere = PHRASES.iter().filter(|(phrase, _)| has(&line, phrase));
            let texts = TEXTS.iter().filter(|(phrase, _)| is_in_text(&file.path, &line, phrase));
            for (phrase, instead) in everywhere.chain(texts) {
                let phrase = phrase.trim_end_matches('.');
                findings.push(format!(
                    "{}:{}: `{phrase}` reads as translated; write: {instead}",
                    file.path,
                    index + 1
                ));
            }
        }
    }
    findings
}

/// Whether whole words of the line are this phrase.
fn has(line: &str, phrase: &str) -> bool {
    let words = phrase.trim_end_matches('.');
    line.match_indices(words).any(|(at, _)| {
        let rest = &line[at + words.len()..];
        let is_word = |it: Option<char>| it.is_some_and(char::is_alphanumeric);
        let is_whole = !is_word(line[..at].chars().next_back()) && !is_word(rest.chars().next());
        is_whole && (words == phrase || ends_here(rest))
    })
}

/// Whether no noun follows, which would belong to the phrase: "of its own service" is plain English.
fn ends_here(rest: &str) -> bool {
    const LINKS: [&str; 14] =
        ["and", "as", "at", "before", "by", "for", "in", "is", "on", "or", "that", "to", "when", "with"];
    let next = rest.strip_prefix(' ').and_then(|it| it.split(' ').next());
    next.is_none_or(|it| LINKS.contains(&it))
}

/// Whether a user may read it: in a document, or behind the opening quote of a string.
fn is_in_text(path: &str, line: &str, phrase: &str) -> bool {
    let line = USER.iter().fold(line.to_owned(), |line, user| line.replace(user, ""));
    // What only the authors of tests read is left alone.
    let is_read = |at: usize| {
        path.ends_with(".md") || (!path.contains("/tests/") && line[..at].matches('"').count() % 2 == 1)
    };
    // Names of tests and roles hold the word, too: `nobody_may_write`.
    let is_name = |at: usize| line[..at].ends_with('_') || line[at + phrase.len()..].starts_with('_');
    line.match_indices(phrase).any(|(at, _)| is_read(at) && !is_name(at))
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn n_found(path: &str, text: &str) -> usize {
        check(&[file(path, text)]).len()
    }

    #[test]
    fn phrases_are_found_where_no_noun_follows() {
        assert_eq!(n_found("docs/x.md", "a task of its own\nwith a port of their own, and more\n"), 2);
        assert_eq!(n_found("docs/x.md", "the secrets of its own service\nits own service\n"), 0);
        assert_eq!(n_found("xtask/src/x.rs", "// a token that is none\n// kept for everyone\n"), 1);
    }

    #[test]
    fn some_are_refused_only_where_users_read() {
        assert_eq!(n_found("xtask/src/x.rs", "// nobody looks\nlet x = \"nobody looks\";\n"), 1);
        assert_eq!(n_found("xtask/src/x.rs", "let user = \"nobody\";\n"), 0);
        assert_eq!(n_found("README.md", "Nobody looks; runs as `nobody`\n"), 1);
    }

    #[test]
    fn finding_says_what_to_write() {
        let found = check(&[file("README.md", "It is away.\n")]);
        assert_eq!(
            found,
            ["README.md:1: `is away` reads as translated; write: is unavailable, is unreachable"]
        );
    }
}
