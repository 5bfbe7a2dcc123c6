//! The steps that are built into this crate: `sql/<target>/NNNN_name.sql` and their verification twins.

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use crate::target::Target;

static SQL: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/sql");

/// One change of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// File name without extension, `NNNN_name`; the order of steps is the order of names.
    pub name: String,
    /// What to run, with placeholders.
    pub sql: String,
    /// One query answering rows `(check text, ok boolean)`, with placeholders.
    pub verify: String,
}

impl Step {
    /// SHA-256 of the file as written, in hexadecimal. The twin is not part of it: a check may be sharpened later.
    pub fn checksum(&self) -> String {
        sha256(&self.sql)
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The ordered steps of one target.
///
/// Invariant: names are unique and ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    target: Target,
    steps: Vec<Step>,
}

/// Why a set of files is not a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The file name is not `NNNN_name.sql`.
    #[error("step \"{0}\" is not named NNNN_name")]
    Name(String),
    /// Two steps of one number have no order that a reader could see.
    #[error("steps \"{0}\" and \"{1}\" have the same number")]
    Number(String, String),
    /// A step has no twin, or a twin has no step.
    #[error("\"{0}\" has no counterpart in the step folder or its verify folder")]
    Twin(String),
    /// A file is not UTF-8.
    #[error("\"{0}\" is not UTF-8")]
    Encoding(String),
}

impl Bundle {
    /// The steps built into this crate.
    pub fn embedded(target: Target) -> Result<Self, BundleError> {
        let steps = read_files(&SQL, target.as_str())?;
        let mut twins = read_files(&SQL, &format!("{target}/verify"))?;
        let steps = steps
            .into_iter()
            .map(|(name, sql)| match twins.remove(&name) {
                Some(verify) => Ok(Step { name, sql, verify }),
                None => Err(BundleError::Twin(format!("{target}/{name}"))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        match twins.pop_first() {
            Some((orphan, _)) => Err(BundleError::Twin(format!("{target}/verify/{orphan}"))),
            None => Self::new(target, steps),
        }
    }

    /// A bundle of given steps.
    pub fn new(target: Target, mut steps: Vec<Step>) -> Result<Self, BundleError> {
        steps.sort_by(|a, b| a.name.cmp(&b.name));
        for step in &steps {
            if number(&step.name).is_none() {
                return Err(BundleError::Name(step.name.clone()));
            }
        }
        for pair in steps.windows(2) {
            if number(&pair[0].name) == number(&pair[1].name) {
                return Err(BundleError::Number(pair[0].name.clone(), pair[1].name.clone()));
            }
        }
        Ok(Self { target, steps })
    }

    /// Whom the steps are for.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The steps in their order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// The four digits that open a step's name.
fn number(name: &str) -> Option<&str> {
    let (digits, rest) = name.split_once('_')?;
    let valid = digits.len() == 4
        && digits.bytes().all(|it| it.is_ascii_digit())
        && !rest.is_empty()
        && rest.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_');
    valid.then_some(digits)
}

fn read_files(root: &Dir<'_>, folder: &str) -> Result<BTreeMap<String, String>, BundleError> {
    let Some(dir) = root.get_dir(folder) else { return Ok(BTreeMap::new()) };
    dir.files()
        .filter(|file| file.path().extension().is_some_and(|it| it == "sql"))
        .map(|file| {
            let name = file.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text =
                file.contents_utf8().ok_or_else(|| BundleError::Encoding(format!("{folder}/{name}")))?;
            // A checkout with CRLF line ends must not look like a changed step.
            Ok((name, text.replace("\r\n", "\n")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{self, Piece};
    use crate::vars::Vars;

    fn step(name: &str) -> Step {
        Step { name: name.into(), sql: String::new(), verify: String::new() }
    }

    #[test]
    fn every_target_has_steps_that_render() {
        let vars = Vars { iam_user: Some("app".try_into().unwrap()), ..Vars::default() };
        for target in Target::ALL {
            let bundle = Bundle::embedded(target).unwrap();
            assert!(!bundle.steps().is_empty(), "{target}");
            for step in bundle.steps() {
                template::render(&step.sql, &vars)
                    .unwrap_or_else(|it| panic!("{target}/{}: {it}", step.name));
                template::render(&step.verify, &vars)
                    .unwrap_or_else(|it| panic!("{target}/verify/{}: {it}", step.name));
            }
        }
    }

    /// A placeholder in a body is not replaced, so it would reach the server as it is written.
    #[test]
    fn no_step_hides_a_placeholder_in_a_quoted_body() {
        for target in Target::ALL {
            for step in Bundle::embedded(target).unwrap().steps() {
                for sql in [&step.sql, &step.verify] {
                    for piece in template::pieces(sql).unwrap() {
                        let Piece::Text(text) = piece else { continue };
                        for name in Vars::NAMES {
                            let hidden = [format!(":'{name}'"), format!(":\"{name}\"")];
                            assert!(
                                !hidden.iter().any(|it| text.contains(it)),
                                "{target}/{}: {name}",
                                step.name
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_step_opens_with_its_story() {
        for target in Target::ALL {
            for step in Bundle::embedded(target).unwrap().steps() {
                let n_comment_lines = step.sql.lines().take_while(|it| it.starts_with("--")).count();
                assert!(n_comment_lines >= 2, "{target}/{}", step.name);
            }
        }
    }

    #[test]
    fn names_and_numbers_are_checked() {
        assert_eq!(Bundle::new(Target::Origin, vec![step("1_x")]), Err(BundleError::Name("1_x".into())));
        assert_eq!(
            Bundle::new(Target::Origin, vec![step("0001_b"), step("0001_a")]),
            Err(BundleError::Number("0001_a".into(), "0001_b".into()))
        );
    }
}
