//! The syntax of `jwt-role-claim-key` before JSONPath: `.a."b-c"[0][?(@ == "d")]`. Deprecated.

use serde_json::{Map, Value};

/// A path; a filter can only be its last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LegacyPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    Filter(Comparison, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equals,
    NotEquals,
    StartsWith,
    EndsWith,
    Contains,
}

/// Longer operators first: `==^` starts like `==`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("==^", Comparison::EndsWith),
    ("==", Comparison::Equals),
    ("!=", Comparison::NotEquals),
    ("^==", Comparison::StartsWith),
    ("*==", Comparison::Contains),
];

impl LegacyPath {
    /// Reads a path; `None` when it is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let (key, after) = quoted(after).or_else(|| {
                    let end = after.find(|it: char| !(it.is_alphanumeric() || "_$@".contains(it)));
                    let (key, after) = after.split_at(end.unwrap_or(after.len()));
                    (!key.is_empty()).then_some((key, after))
                })?;
                steps.push(Step::Key(key.to_owned()));
                rest = after;
            } else if let Some(condition) = rest.strip_prefix("[?(@") {
                let condition = condition.trim_start();
                let (operator, comparison) =
                    COMPARISONS.into_iter().find(|(operator, _)| condition.starts_with(operator))?;
                let (operand, after) = quoted(condition[operator.len()..].trim_start())?;
                if after != ")]" {
                    return None;
                }
                steps.push(Step::Filter(comparison, operand.to_owned()));
                rest = "";
            } else {
                let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
                if index.is_empty() || !index.bytes().all(|it| it.is_ascii_digit()) {
                    return None;
                }
                steps.push(Step::Index(index.parse().ok()?));
                rest = after;
            }
        }
        (!steps.is_empty()).then_some(Self(steps))
    }

    /// The value at the path.
    pub(super) fn evaluate(&self, claims: &Map<String, Value>) -> Option<Value> {
        let mut steps = self.0.iter();
        let mut current = match steps.next()? {
            Step::Key(key) => claims.get(key)?,
            _ => return None,
        };
        for step in steps {
            current = match (step, current) {
                (Step::Key(key), Value::Object(object)) => object.get(key)?,
                (Step::Index(index), Value::Array(items)) => items.get(*index)?,
                (Step::Filter(comparison, operand), Value::Array(items)) => {
                    items.iter().find(|it| it.as_str().is_some_and(|it| comparison.holds(it, operand)))?
                }
                _ => return None,
            };
        }
        Some(current.clone())
    }

    /// The path, written out.
    pub(super) fn dump(&self) -> String {
        self.0
            .iter()
            .map(|step| match step {
                Step::Key(key) => format!(".\"{key}\""),
                Step::Index(index) => format!("[{index}]"),
                Step::Filter(comparison, operand) => {
                    let operator = COMPARISONS.iter().find(|(_, it)| it == comparison).map_or("", |it| it.0);
                    format!("[?(@ {operator} \"{operand}\")]")
                }
            })
            .collect()
    }
}

impl Comparison {
    fn holds(self, text: &str, operand: &str) -> bool {
        match self {
            Self::Equals => text == operand,
            Self::NotEquals => text != operand,
            Self::StartsWith => text.starts_with(operand),
            Self::EndsWith => text.ends_with(operand),
            Self::Contains => text.contains(operand),
        }
    }
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_always_found() {
        let claims = serde_json::json!({
            "postgrest": {"a_role": "author"},
            "customObject": {"manyRoles": ["other", "author"]},
            "https://www.example.com/roles": [{"value": "author"}],
            "roles": ["other", "postgrest_test_author"],
            "objects": [{"a": 1}],
        });
        let Value::Object(claims) = claims else { unreachable!() };
        for (path, expected) in [
            (".postgrest.a_role", Some("author")),
            (".customObject.manyRoles[1]", Some("author")),
            (".\"https://www.example.com/roles\"[0].value", Some("author")),
            (".roles[3]", None),
            (".missing", None),
            (".roles[?(@ == \"postgrest_test_author\")]", Some("postgrest_test_author")),
            (".roles[?(@ != \"other\")]", Some("postgrest_test_author")),
            (".roles[?(@ ^== \"postgrest_te\")]", Some("postgrest_test_author")),
            (".roles[?(@ ==^ \"st_test_author\")]", Some("postgrest_test_author")),
            (".roles[?(@*==\"_test_\")]", Some("postgrest_test_author")),
            (".objects[?(@ == \"string\")]", None),
        ] {
            let found = LegacyPath::parse(path).unwrap().evaluate(&claims);
            assert_eq!(found.as_ref().and_then(Value::as_str), expected, "{path}");
        }
    }

    #[test]
    fn dump_reads_as_the_same_path() {
        for (written, dumped) in [
            (".user[0].\"real-role\"", ".\"user\"[0].\"real-role\""),
            (".roles[?(@ ==^ \"role1\")]", ".\"roles\"[?(@ ==^ \"role1\")]"),
        ] {
            let path = LegacyPath::parse(written).unwrap();
            assert_eq!(path.dump(), dumped);
            assert_eq!(LegacyPath::parse(dumped), Some(path));
        }
    }

    #[test]
    fn refuses_what_is_no_path() {
        for bad in [
            "",
            "role.other",
            ".role##",
            ".my_role;;domain",
            ".#$$%&$%/",
            "1234",
            ".role[?(@ =)]",
            ".role[]",
            ".role[a]",
            ".role[?(@ == \"a\")].b",
            ".",
            ".\"open",
            ".a[99999999999999999999]",
        ] {
            assert_eq!(LegacyPath::parse(bad), None, "{bad}");
        }
    }
}
