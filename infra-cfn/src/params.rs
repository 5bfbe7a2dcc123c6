//! Parameter files in the form of the AWS command line, `[{"ParameterKey": …, "ParameterValue": …}]`: reading, checking
//! against a template, and making one from a sample with generated passwords.
//!
//! Pure: reading and writing the file is the caller's. Values may be secrets, so neither `Debug` nor an error shows one.

use std::fmt;

use indexmap::IndexMap;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::{
    Template,
    password::{self, NoPasswordFits},
    template::ParameterViolation,
};

/// What a sample writes where `init` puts a password. No parameter accepts it as a value.
pub const GENERATED: &str = "<generated>";

/// Parameter that the deploy engine sets from `--prefix`; a file must not set it.
pub const PREFIX: &str = "Prefix";

/// Values by parameter, in the order of the file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ParameterFile(IndexMap<String, String>);

impl fmt::Debug for ParameterFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Line {
    parameter_key: String,
    parameter_value: String,
}

/// Why a parameter file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ParamsError {
    /// Not the JSON that the AWS command line takes.
    #[error("not a list of {{\"ParameterKey\", \"ParameterValue\"}} objects")]
    ParseFile(#[source] serde_json::Error),
    /// One parameter has two values.
    #[error("parameter \"{0}\" is set twice")]
    DuplicateKey(String),
    /// A password cannot be made.
    #[error(transparent)]
    GeneratePassword(#[from] NoPasswordFits),
}

/// A value that a template does not take, or lacks.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParamsProblem {
    /// The template has no such parameter.
    #[error("parameter \"{name}\" does not exist{}", .similar.as_ref().map(|it| format!("; did you mean \"{it}\"?")).unwrap_or_default())]
    Unknown {
        /// The name in the file.
        name: String,
        /// A parameter with nearly that name.
        similar: Option<String>,
    },
    /// The template needs a value.
    #[error("parameter \"{0}\" has no value and no default")]
    Missing(String),
    /// The sample's marker was never replaced.
    #[error(
        "parameter \"{0}\" still holds the sample's \"{GENERATED}\"; run \"params init\" or write a value"
    )]
    NotGenerated(String),
    /// The value breaks a constraint.
    #[error("parameter \"{name}\" {violation}")]
    Invalid {
        /// Parameter.
        name: String,
        /// Constraint.
        violation: ParameterViolation,
    },
}

/// A new parameter file, and which passwords in it are new.
#[derive(Debug)]
pub struct Init {
    /// The file.
    pub file: ParameterFile,
    /// Names of the parameters that got a generated password.
    pub generated: Vec<String>,
}

impl ParameterFile {
    /// Parses a file.
    ///
    /// # Errors
    /// See [`ParamsError`].
    pub fn parse(text: &str) -> Result<Self, ParamsError> {
        let lines: Vec<Line> = serde_json::from_str(text).map_err(ParamsError::ParseFile)?;
        let mut values = IndexMap::new();
        for line in lines {
            if values.insert(line.parameter_key.clone(), line.parameter_value).is_some() {
                return Err(ParamsError::DuplicateKey(line.parameter_key));
            }
        }
        Ok(Self(values))
    }

    /// The file as text, one parameter a line.
    pub fn to_text(&self) -> String {
        let line = |(key, value): (&String, &String)| {
            let line = Line { parameter_key: key.clone(), parameter_value: value.clone() };
            format!("  {}", serde_json::to_string(&line).expect("two strings always serialize"))
        };
        if self.0.is_empty() {
            return "[]\n".to_owned();
        }
        format!("[\n{}\n]\n", self.0.iter().map(line).collect::<Vec<_>>().join(",\n"))
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets a parameter, as a flag on the command line does.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Leaves a parameter out, so that a stack keeps the value that it has.
    pub fn remove(&mut self, name: &str) {
        self.0.shift_remove(name);
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Everything in the file that a template does not take, and what it needs besides.
    pub fn problems(&self, template: &Template) -> Vec<ParamsProblem> {
        let given = self.iter().filter_map(|(name, value)| {
            let Some(parameter) = template.parameters.get(name) else {
                return Some(ParamsProblem::Unknown {
                    name: name.to_owned(),
                    similar: similar(name, template),
                });
            };
            if value == GENERATED {
                return Some(ParamsProblem::NotGenerated(name.to_owned()));
            }
            let violation = parameter.check(value).err()?;
            Some(ParamsProblem::Invalid { name: name.to_owned(), violation })
        });
        let missing = template
            .parameters
            .iter()
            .filter(|(name, it)| it.is_required() && self.get(name).is_none())
            .map(|(name, _)| ParamsProblem::Missing(name.clone()));
        given.chain(missing).collect()
    }
}

/// Makes a parameter file from a sample. Values of an existing file stay, its additions too; `<generated>` becomes a password.
///
/// # Errors
/// [`ParamsError::GeneratePassword`] when the template takes none.
pub fn init<R: CryptoRng + ?Sized>(
    template: &Template,
    sample: &ParameterFile,
    existing: Option<&ParameterFile>,
    random: &mut R,
) -> Result<Init, ParamsError> {
    let mut file = sample.clone();
    for (name, value) in existing.into_iter().flat_map(ParameterFile::iter) {
        file.set(name, value);
    }
    let mut generated = Vec::new();
    for (name, value) in &mut file.0 {
        if value == GENERATED
            && let Some(parameter) = template.parameters.get(name)
        {
            *value = password::generate(name, parameter, random)?;
            generated.push(name.clone());
        }
    }
    Ok(Init { file, generated })
}

/// A parameter whose name differs by case or by at most two characters.
fn similar(name: &str, template: &Template) -> Option<String> {
    let name = name.to_lowercase();
    let scored = template.parameters.keys().map(|it| (distance(&name, &it.to_lowercase()), it));
    scored.min().filter(|(score, _)| *score <= 2).map(|(_, it)| it.clone())
}

/// Levenshtein distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn template() -> Template {
        Template::parse(
            "Parameters:
  Name: { Type: String, MinLength: 3 }
  Password: { Type: String, NoEcho: true, MinLength: 12, AllowedPattern: '[a-zA-Z0-9]+' }
  Size: { Type: Number, Default: 20, MinValue: 20 }
Resources: { A: { Type: T } }",
        )
        .unwrap()
    }

    fn file(values: &[(&str, &str)]) -> ParameterFile {
        ParameterFile(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn problems(values: &[(&str, &str)]) -> Vec<String> {
        file(values).problems(&template()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_survives_writing_and_reading() {
        let it = file(&[("Name", "a \"b\""), ("Size", "30")]);
        assert_eq!(
            it.to_text(),
            "[\n  {\"ParameterKey\":\"Name\",\"ParameterValue\":\"a \\\"b\\\"\"},\n  {\"ParameterKey\":\"Size\",\"ParameterValue\":\"30\"}\n]\n"
        );
        assert_eq!(ParameterFile::parse(&it.to_text()).unwrap(), it);
        assert_eq!(ParameterFile::parse(&file(&[]).to_text()).unwrap(), file(&[]));
    }

    #[test]
    fn a_malformed_file_is_refused() {
        assert!(matches!(ParameterFile::parse("{}"), Err(ParamsError::ParseFile(_))));
        assert!(matches!(ParameterFile::parse(r#"[{"ParameterKey":"a"}]"#), Err(ParamsError::ParseFile(_))));
        let twice =
            r#"[{"ParameterKey":"a","ParameterValue":"1"},{"ParameterKey":"a","ParameterValue":"2"}]"#;
        assert_eq!(ParameterFile::parse(twice).unwrap_err().to_string(), "parameter \"a\" is set twice");
    }

    #[test]
    fn problems_name_the_parameter_and_the_way_out() {
        assert_eq!(problems(&[("Name", "abc"), ("Password", "abcdefghijkl")]), Vec::<String>::new());
        assert_eq!(
            problems(&[("name", "abc"), ("Size", "1"), ("Password", GENERATED)]),
            [
                "parameter \"name\" does not exist; did you mean \"Name\"?",
                "parameter \"Size\" must be at least 20",
                "parameter \"Password\" still holds the sample's \"<generated>\"; run \"params init\" or write a value",
                "parameter \"Name\" has no value and no default",
            ]
        );
    }

    #[test]
    fn a_secret_shows_neither_in_debug_nor_in_a_problem() {
        let it = file(&[("Name", "abc"), ("Password", "hunter2")]);
        let shown = format!("{it:?} {:?} {}", it.problems(&template()), it.problems(&template())[0]);
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn init_generates_what_the_sample_marks_and_keeps_what_exists() {
        let mut random = StdRng::seed_from_u64(7);
        let sample = file(&[("Name", "abc"), ("Password", GENERATED)]);
        let first = init(&template(), &sample, None, &mut random).unwrap();
        assert_eq!(first.generated, ["Password"]);
        assert_eq!(first.file.problems(&template()), []);

        let mut existing = first.file.clone();
        existing.set("Name", "changed");
        existing.set("Size", "40");
        let second = init(&template(), &sample, Some(&existing), &mut random).unwrap();
        assert_eq!(second.generated, Vec::<String>::new());
        assert_eq!(second.file, existing);
    }
}
