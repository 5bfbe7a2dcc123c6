//! One parameter and the values it takes.

use fancy_regex::Regex;
use serde_json::Value;

use super::{TemplateError, names, text_of};
use crate::yaml::{Data, Entry, Node, Place};

/// A parameter of a template.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameter {
    /// Where its name stands.
    pub place: Option<Place>,
    /// Type, such as `String` or `AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>`.
    pub kind: String,
    /// What it is for.
    pub description: Option<String>,
    /// Value when none is given.
    pub default: Option<String>,
    /// CloudFormation shows asterisks instead of the value.
    pub no_echo: bool,
    /// The only values, when there are any.
    pub allowed_values: Vec<String>,
    /// Regular expression (Java) for the whole value.
    pub allowed_pattern: Option<String>,
    /// What a value that does not fit is told.
    pub constraint_description: Option<String>,
    /// Fewest characters.
    pub min_length: Option<usize>,
    /// Most characters.
    pub max_length: Option<usize>,
    /// Smallest number.
    pub min_value: Option<f64>,
    /// Largest number.
    pub max_value: Option<f64>,
}

/// Why a value does not fit a parameter. Holds no value, since the value may be a secret.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParameterViolation {
    /// Not one of the allowed values.
    #[error("must be one of {}", .0.join(", "))]
    NotAllowed(Vec<String>),
    /// The pattern does not match; carries the template's own words or the pattern.
    #[error("{0}")]
    PatternMismatch(String),
    /// Fewer characters than required.
    #[error("must have at least {0} characters")]
    TooShort(usize),
    /// More characters than allowed.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// Not a number.
    #[error("must be a number")]
    NotANumber,
    /// Below the smallest number.
    #[error("must be at least {0}")]
    TooSmall(f64),
    /// Above the largest number.
    #[error("must be at most {0}")]
    TooLarge(f64),
}

impl Parameter {
    /// Whether the stack cannot be made without a value for it.
    pub fn is_required(&self) -> bool {
        self.default.is_none()
    }

    /// Checks a value as CloudFormation would.
    ///
    /// # Errors
    /// The first constraint that the value breaks.
    pub fn check(&self, value: &str) -> Result<(), ParameterViolation> {
        let values: Vec<&str> = match self.kind.as_str() {
            "CommaDelimitedList" | "List<Number>" => value.split(',').map(str::trim).collect(),
            _ => vec![value],
        };
        values.iter().try_for_each(|it| self.check_one(it))
    }

    fn check_one(&self, value: &str) -> Result<(), ParameterViolation> {
        use ParameterViolation::{
            NotANumber, NotAllowed, PatternMismatch, TooLarge, TooLong, TooShort, TooSmall,
        };
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|it| it == value) {
            return Err(NotAllowed(self.allowed_values.clone()));
        }
        if self.kind == "Number" || self.kind == "List<Number>" {
            let number: f64 = value.parse().map_err(|_| NotANumber)?;
            if let Some(least) = self.min_value.filter(|it| number < *it) {
                return Err(TooSmall(least));
            }
            if let Some(most) = self.max_value.filter(|it| number > *it) {
                return Err(TooLarge(most));
            }
        }
        let n_chars = value.chars().count();
        if let Some(least) = self.min_length.filter(|it| n_chars < *it) {
            return Err(TooShort(least));
        }
        if let Some(most) = self.max_length.filter(|it| n_chars > *it) {
            return Err(TooLong(most));
        }
        if let Some(pattern) = &self.allowed_pattern
            && !whole(pattern).is_ok_and(|it| it.is_match(value).unwrap_or(false))
        {
            let words = self.constraint_description.clone();
            return Err(PatternMismatch(words.unwrap_or_else(|| format!("must match {pattern}"))));
        }
        Ok(())
    }
}

/// CloudFormation matches a pattern against the whole value, as if it were anchored.
#[expect(clippy::result_large_err, reason = "made once per malformed pattern")]
fn whole(pattern: &str) -> Result<Regex, fancy_regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

pub(super) fn read(name: &str, entry: &Entry) -> Result<Parameter, TemplateError> {
    let node = &entry.node;
    let fail =
        |place: Place, reason: String| TemplateError::at(place, format!("parameter \"{name}\""), reason);
    let kind = text_of(node, "Type").ok_or_else(|| fail(entry.place, "has no type".into()))?;
    let number = |key: &str| match node.get(key) {
        None => Ok(None),
        Some(it) => scalar_text(it)
            .and_then(|text| text.parse::<f64>().ok())
            .map(Some)
            .ok_or_else(|| fail(it.place, format!("has a {key} that is not a number"))),
    };
    let allowed_pattern = text_of(node, "AllowedPattern");
    if let Some(pattern) = &allowed_pattern {
        whole(pattern).map_err(|err| {
            fail(entry.place, format!("has an AllowedPattern that is not a pattern: {err}"))
        })?;
    }
    let length = |it: Option<f64>| it.map(|it| it as usize);
    Ok(Parameter {
        place: Some(entry.place),
        kind,
        description: text_of(node, "Description"),
        default: node.get("Default").and_then(scalar_text),
        no_echo: node.get("NoEcho").and_then(scalar_text).is_some_and(|it| it == "true"),
        allowed_values: match node.get("AllowedValues").map(|it| &it.data) {
            Some(Data::List(elements)) => elements.iter().filter_map(scalar_text).collect(),
            _ => names(node.get("AllowedValues")),
        },
        allowed_pattern,
        constraint_description: text_of(node, "ConstraintDescription"),
        min_length: length(number("MinLength")?),
        max_length: length(number("MaxLength")?),
        min_value: number("MinValue")?,
        max_value: number("MaxValue")?,
    })
}

/// The text that CloudFormation makes of a scalar.
fn scalar_text(node: &Node) -> Option<String> {
    match &node.data {
        Data::Scalar(Value::String(text)) => Some(text.clone()),
        Data::Scalar(Value::Null) => None,
        Data::Scalar(other) => Some(other.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Template;

    fn parameter(text: &str) -> Parameter {
        let template =
            Template::parse(&format!("Parameters: {{ P: {text} }}\nResources: {{ A: {{ Type: T }} }}"))
                .unwrap();
        template.parameters["P"].clone()
    }

    #[track_caller]
    fn check(text: &str, value: &str, expected: Result<(), &str>) {
        assert_eq!(
            parameter(text).check(value).map_err(|it| it.to_string()),
            expected.map_err(str::to_owned),
            "{value:?}"
        );
    }

    #[test]
    fn values_are_checked_as_cloudformation_does() {
        check("{ Type: String, AllowedValues: [a, b] }", "a", Ok(()));
        check("{ Type: String, AllowedValues: [a, b] }", "c", Err("must be one of a, b"));
        check("{ Type: Number, AllowedValues: [1, 7] }", "7", Ok(()));
        check("{ Type: Number, MinValue: 1, MaxValue: 9 }", "0", Err("must be at least 1"));
        check("{ Type: Number, MinValue: 1, MaxValue: 9 }", "10", Err("must be at most 9"));
        check("{ Type: Number }", "ten", Err("must be a number"));
        check("{ Type: String, MinLength: 2, MaxLength: 3 }", "é", Err("must have at least 2 characters"));
        check("{ Type: String, MinLength: 2, MaxLength: 3 }", "four", Err("must have at most 3 characters"));
        check("{ Type: String, AllowedPattern: '[a-z]+' }", "ab1", Err("must match [a-z]+"));
        check(
            "{ Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: be lower }",
            "A",
            Err("be lower"),
        );
        check("{ Type: String, AllowedPattern: '^$|^(?=.*[0-9])[a-z0-9]+$' }", "ab1", Ok(()));
        check("{ Type: CommaDelimitedList, AllowedValues: [a, b] }", "a, b", Ok(()));
        check("{ Type: CommaDelimitedList, AllowedValues: [a, b] }", "a, c", Err("must be one of a, b"));
    }

    #[test]
    fn a_parameter_keeps_what_the_template_says() {
        let it = parameter("{ Type: Number, Default: 20, NoEcho: true, Description: size }");
        assert_eq!((it.default.as_deref(), it.no_echo, it.is_required()), (Some("20"), true, false));
        assert!(parameter("{ Type: String }").is_required());
    }

    #[test]
    fn malformed_parameters_are_refused() {
        let parse = |text: &str| {
            Template::parse(&format!("Parameters:\n  P: {text}\nResources: {{ A: {{ Type: T }} }}"))
        };
        assert_eq!(parse("{}").unwrap_err().to_string(), "line 2: parameter \"P\" has no type");
        assert_eq!(
            parse("{ Type: Number, MinValue: x }").unwrap_err().to_string(),
            "line 2: parameter \"P\" has a MinValue that is not a number"
        );
        let message = parse("{ Type: String, AllowedPattern: '(' }").unwrap_err().to_string();
        assert!(
            message.starts_with("line 2: parameter \"P\" has an AllowedPattern that is not a pattern"),
            "{message}"
        );
    }
}
