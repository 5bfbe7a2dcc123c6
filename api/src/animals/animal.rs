//! An animal as asked for, checked field by field.

use serde_json::value::RawValue;

use super::decimal::{Measure, MeasureError};

/// An animal to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Animal {
    /// Primary key; trimmed, never empty.
    pub name: String,
    /// Weight.
    pub weight: Measure,
    /// Height.
    pub height: Measure,
}

/// Fields of a body, as they were written. A field that is left out or null is absent.
#[derive(Debug, serde::Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    weight: Option<&'a RawValue>,
    #[serde(borrow, default)]
    height: Option<&'a RawValue>,
}

/// What is wrong with a body. The text is the answer's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Nothing was sent.
    #[error("Request body is required")]
    Missing,
    /// Not JSON.
    #[error("Body must be valid JSON")]
    NotJson,
    /// JSON, but not an object.
    #[error("Body must be a JSON object")]
    NotObject,
    /// Fields left out, or null.
    #[error("Missing required fields: {}", .0.join(", "))]
    MissingFields(Vec<&'static str>),
    /// A measure is something else than a number.
    #[error("Weight and height must be numeric")]
    NotNumeric,
    /// The name is something else than text, or blank.
    #[error("Name must be a non-empty string")]
    BadName,
    /// A measure the table cannot hold.
    #[error("{0} must be between 0.01 and 9999.99")]
    OutOfRange(&'static str),
}

impl Animal {
    /// Reads the body of a `POST`.
    pub fn from_body(body: &[u8]) -> Result<Self, BodyError> {
        let fields = read_fields(body)?;
        let named = [("name", fields.name), ("weight", fields.weight), ("height", fields.height)];
        let [Some(name), Some(weight), Some(height)] = named.map(|(_, value)| value) else {
            let missing =
                named.iter().filter(|(_, value)| value.is_none()).map(|(field, _)| *field).collect();
            return Err(BodyError::MissingFields(missing));
        };
        let weight = read_measure("Weight", weight)?;
        let height = read_measure("Height", height)?;
        Ok(Self { name: read_name(name)?, weight, height })
    }
}

/// Reads the name of the animal to delete from a body; `None` when the body is blank or does not say.
pub fn name_from_body(body: &[u8]) -> Result<Option<String>, BodyError> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    read_fields(body)?.name.map(read_name).transpose()
}

fn read_fields(body: &[u8]) -> Result<Fields<'_>, BodyError> {
    if body.trim_ascii().is_empty() {
        return Err(BodyError::Missing);
    }
    let value: &RawValue = serde_json::from_slice(body).map_err(|_| BodyError::NotJson)?;
    if !value.get().starts_with('{') {
        return Err(BodyError::NotObject);
    }
    // A field given twice is refused: which one counts would be a guess.
    serde_json::from_str(value.get()).map_err(|_| BodyError::NotJson)
}

fn read_measure(field: &'static str, value: &RawValue) -> Result<Measure, BodyError> {
    let text = value.get();
    // A number in quotes counts as a number, as it always did here.
    let unquoted: Option<String> = text.starts_with('"').then(|| serde_json::from_str(text).ok()).flatten();
    Measure::parse(unquoted.as_deref().unwrap_or(text)).map_err(|error| match error {
        MeasureError::NotNumeric => BodyError::NotNumeric,
        MeasureError::OutOfRange => BodyError::OutOfRange(field),
    })
}

fn read_name(value: &RawValue) -> Result<String, BodyError> {
    let name: String = serde_json::from_str(value.get()).map_err(|_| BodyError::BadName)?;
    clean_name(&name).ok_or(BodyError::BadName)
}

/// A name without surrounding white space; `None` when nothing is left, or when Postgres could not hold it.
pub fn clean_name(name: &str) -> Option<String> {
    let name = name.trim();
    (!name.is_empty() && !name.contains('\0')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, message: &str) {
        assert_eq!(
            Animal::from_body(body.as_bytes()).map_err(|it| it.to_string()),
            Err(message.to_owned()),
            "{body}"
        );
    }

    #[test]
    fn well_formed_body_is_read_exactly() {
        let animal =
            Animal::from_body(br#"{"height": "1.5", "name": "  Zebra ", "weight": 300.255, "extra": []}"#)
                .unwrap();
        assert_eq!(animal.name, "Zebra");
        assert_eq!(
            (animal.weight.to_string(), animal.height.to_string()),
            ("300.26".to_owned(), "1.50".to_owned())
        );
    }

    #[test]
    fn every_fault_has_its_message() {
        check("", "Request body is required");
        check("  \n", "Request body is required");
        check("{", "Body must be valid JSON");
        check(r#"{"name": "a", "weight": NaN, "height": 1}"#, "Body must be valid JSON");
        check("[1]", "Body must be a JSON object");
        check("null", "Body must be a JSON object");
        check(r#"{"name": "a"}"#, "Missing required fields: weight, height");
        check(r#"{"weight": null, "height": 1}"#, "Missing required fields: name, weight");
        check(r#"{"name": "a", "weight": "heavy", "height": 1}"#, "Weight and height must be numeric");
        check(r#"{"name": "a", "weight": 1, "height": true}"#, "Weight and height must be numeric");
        check(r#"{"name": "a", "weight": [1], "height": 1}"#, "Weight and height must be numeric");
        check(r#"{"name": 5, "weight": 1, "height": 1}"#, "Name must be a non-empty string");
        check(r#"{"name": " ", "weight": 1, "height": 1}"#, "Name must be a non-empty string");
        check(r#"{"name": "a\u0000b", "weight": 1, "height": 1}"#, "Name must be a non-empty string");
        check(r#"{"name": "a", "weight": "NaN", "height": 1}"#, "Weight must be between 0.01 and 9999.99");
        check(r#"{"name": "a", "weight": 1, "height": 1e400}"#, "Height must be between 0.01 and 9999.99");
        check(r#"{"name": "a", "weight": -1, "height": 1}"#, "Weight must be between 0.01 and 9999.99");
        check(r#"{"name": "a", "name": "b", "weight": 1, "height": 1}"#, "Body must be valid JSON");
    }

    #[test]
    fn bytes_that_are_not_text_are_not_json() {
        assert_eq!(Animal::from_body(&[b'{', 0xff, b'}']), Err(BodyError::NotJson));
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            let _ = Animal::from_body(&body);
            let _ = name_from_body(&body);
        }
    }
}
