//! Raw values and how they become typed ones.
//!
//! Values that do not fit a numeric or boolean setting count as absent, as in PostgREST; values of a
//! closed set of words are checked in [`super::keys`].

/// A value as it was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `"…"` in a file; everything from the environment and the database.
    String(String),
    /// A number in a file.
    Number(f64),
    /// `true`, `false`, `on`, `off` in a file.
    Bool(bool),
    /// `[…]` in a file.
    List(Vec<Value>),
}

impl Value {
    /// The text of a value. What is not a string is shown the way PostgREST shows it.
    pub fn text(&self) -> String {
        match self {
            Self::String(text) => text.clone(),
            other => other.show(),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::String(text) => format!("String {text:?}"),
            Self::Number(number) => format!("Number {}", show_number(*number)),
            Self::Bool(true) => "Bool True".into(),
            Self::Bool(false) => "Bool False".into(),
            Self::List(items) => {
                format!("List [{}]", items.iter().map(Self::show).collect::<Vec<_>>().join(","))
            }
        }
    }

    /// A whole number.
    pub fn integer(&self) -> Option<i64> {
        match self {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
            Self::String(text) => parse_integer(text),
            _ => None,
        }
    }

    /// A truth value: any spelling of `true`/`false`, or a number, which is true above zero.
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Self::Bool(it) => Some(*it),
            Self::String(text) => {
                let word: String = text.chars().filter(|it| it.is_alphabetic()).collect();
                match word.to_lowercase().as_str() {
                    "true" => Some(true),
                    "false" => Some(false),
                    _ => parse_integer(text).map(|it| it > 0),
                }
            }
            _ => None,
        }
    }
}

fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    // A leading plus is not part of a number in any of the sources.
    if text.starts_with('+') { None } else { text.parse().ok() }
}

fn show_number(number: f64) -> String {
    if number != 0.0 && !(0.1..1e7).contains(&number.abs()) {
        let text = format!("{number:e}");
        match text.split_once('e') {
            Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
            _ => text,
        }
    } else {
        format!("{number:?}")
    }
}

/// The values found for a setting, under its name and its aliases, in the order they count.
pub struct Found(pub Vec<Value>);

impl Found {
    /// Text that is not empty.
    pub fn text(&self) -> Option<String> {
        self.0.iter().map(Value::text).find(|it| !it.is_empty())
    }

    /// Text that may be empty.
    pub fn text_or_empty(&self) -> Option<String> {
        self.0.first().map(Value::text)
    }

    /// A whole number.
    pub fn integer(&self) -> Option<i64> {
        self.0.iter().find_map(Value::integer)
    }

    /// A truth value.
    pub fn boolean(&self) -> Option<bool> {
        self.0.iter().find_map(Value::boolean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boolean_accepts_words_quotes_and_numbers() {
        let of = |text: &str| Value::String(text.into()).boolean();
        for yes in ["true", "True", "TRUE", "\"true\"", "1", " 7 "] {
            assert_eq!(of(yes), Some(true), "{yes}");
        }
        for no in ["false", "FALSE", "0", "-1"] {
            assert_eq!(of(no), Some(false), "{no}");
        }
        for neither in ["", "on", "yes", "1.5"] {
            assert_eq!(of(neither), None, "{neither}");
        }
        assert_eq!(Value::Number(13.0).boolean(), None);
    }

    #[test]
    fn integer_rejects_fractions_and_words() {
        assert_eq!(Value::Number(1e3).integer(), Some(1000));
        assert_eq!(Value::Number(1.5).integer(), None);
        assert_eq!(Value::String("-1".into()).integer(), Some(-1));
        assert_eq!(Value::String("".into()).integer(), None);
        assert_eq!(Value::Bool(true).integer(), None);
    }

    #[test]
    fn text_of_other_types_shows_the_type() {
        assert_eq!(Value::Bool(false).text(), "Bool False");
        assert_eq!(Value::Number(5.0).text(), "Number 5.0");
        assert_eq!(Value::Number(1e10).text(), "Number 1.0e10");
        assert_eq!(
            Value::List(vec![Value::String("a".into()), Value::Number(0.5)]).text(),
            "List [String \"a\",Number 0.5]"
        );
    }
}
