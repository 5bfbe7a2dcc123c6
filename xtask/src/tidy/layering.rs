//! Which room may know what. The pure rooms of `api` stay pure; SDKs stay in their crate.

use super::SourceFile;

/// A folder (or file) and the names its code must not mention.
struct Rule {
    within: &'static [&'static str],
    except: &'static [&'static str],
    forbidden: &'static [&'static str],
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        within: &["api/src/api_request", "api/src/plan", "api/src/script", "api/src/sql"],
        except: &[],
        forbidden: &[
            "tokio::",
            "hyper::",
            "tokio_postgres::",
            "std::env",
            "std::time",
            "std::fs",
            "SystemTime",
            "Instant::now",
        ],
        reason: "this room is pure: no connection, clock, file or environment",
    },
    Rule {
        within: &["api/src/"],
        except: &["api/src/bin/", "api/src/main.rs"],
        forbidden: &["aws_sdk_"],
        reason: "service SDKs live in the crates that deploy and operate",
    },
    Rule {
        within: &["pg-wire-client/src"],
        except: &[],
        forbidden: &["AppConfig", "SchemaCache", "ActionPlan", "aws_sdk_", "aws_config::"],
        reason: "the client knows neither configuration nor plans, and no service of AWS",
    },
    Rule {
        within: &["xtask/src", "local-stack/src", "bootstrap-sql/src", "infra-cfn/src"],
        except: &["xtask/src/tidy/layering.rs"],
        forbidden: &["aws_sdk_", "aws_config::"],
        reason: "only the crates that deploy, operate and verify talk to AWS",
    },
    Rule {
        within: &[
            "schema-lint/src/catalog",
            "schema-lint/src/events",
            "schema-lint/src/finding",
            "schema-lint/src/leaks",
            "schema-lint/src/locks",
            "schema-lint/src/observed",
            "schema-lint/src/rules",
            "schema-lint/src/script",
        ],
        except: &[],
        forbidden: &["tokio", "std::fs::", "std::env::"],
        reason: "what judges migrations is pure: `replay` and `snapshot` look at the database",
    },
];

pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let Some(text) = &file.text else { continue };
        let rules = RULES.iter().filter(|rule| {
            rule.within.iter().any(|place| file.path.starts_with(place))
                && !rule.except.iter().any(|place| file.path.starts_with(place))
        });
        for rule in rules {
            for (index, line) in
                text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
            {
                if let Some(name) = rule.forbidden.iter().find(|name| line.contains(*name)) {
                    findings.push(format!("{}:{}: mentions `{name}`; {}", file.path, index + 1, rule.reason));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn connection_in_a_pure_room_is_found() {
        let found = check(&[file("api/src/plan/read.rs", "//! Plan.\nuse tokio_postgres::Client;\n")]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn connection_in_execute_and_words_in_comments_are_fine() {
        let files = [
            file("api/src/execute/tx.rs", "//! Tx.\nuse tokio_postgres::Client;\n"),
            file("api/src/plan/read.rs", "//! Plan.\n// unlike tokio::spawn\n"),
        ];
        assert_eq!(check(&files), Vec::<String>::new());
    }
}
