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
