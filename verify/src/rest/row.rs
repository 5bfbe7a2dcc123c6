//! A row to write, made up from what the server says about a table.

use serde_json::{Map, Value, json};

use crate::check::{Stop, skip};

/// A row's two versions.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Row {
    /// Table.
    pub(super) table: String,
    /// Column of the primary key.
    pub(super) key: String,
    /// A column beside the key, whose values differ between the versions.
    pub(super) changeable: Option<String>,
    /// As first stored.
    pub(super) first: Value,
    /// As stored next.
    pub(super) second: Value,
}

impl Row {
    /// Makes up values for the key, for what is required, and for one column more.
    pub(super) fn of(table: &str, definition: &Value) -> Result<Self, Stop> {
        let nothing = Map::new();
        let columns = definition["properties"].as_object().unwrap_or(&nothing);
        let required: Vec<&str> =
            definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let is_marked = |column: &Value, mark: &str| {
            column["description"].as_str().is_some_and(|text| text.contains(mark))
        };
        let keys: Vec<&String> =
            columns.iter().filter(|(_, it)| is_marked(it, "<pk/>")).map(|(name, _)| name).collect();
        let [key] = keys.as_slice() else {
            return skip(format!("table \"{table}\" has no primary key of one column"));
        };
        let is_free = |name: &&String| *name != *key && !is_marked(&columns[name.as_str()], "<fk");
        let changeable = columns.keys().find(|it| is_free(it) && sample(&columns[it.as_str()], 0).is_some());
        let (mut first, mut second) = (Map::new(), Map::new());
        let id = rand::random_range(1..30_000_u16);
        for name in columns.keys() {
            let column = &columns[name];
            if name == *key {
                let Some(value) = sample(column, id) else {
                    let kind = &column["format"];
                    return skip(format!(
                        "there is no sample of {kind} for the key \"{name}\" of table \"{table}\""
                    ));
                };
                first.insert(name.clone(), value.clone());
                second.insert(name.clone(), value);
            } else if Some(name) == changeable || required.contains(&name.as_str()) {
                let (Some(one), Some(two), true) = (sample(column, 1), sample(column, 2), is_free(&name))
                else {
                    let kind = &column["format"];
                    return skip(format!(
                        "there is no sample of {kind} for column \"{name}\" of table \"{table}\""
                    ));
                };
                first.insert(name.clone(), one);
                second.insert(name.clone(), two);
            }
        }
        Ok(Self {
            table: table.to_owned(),
            key: (*key).clone(),
            changeable: changeable.cloned(),
            first: first.into(),
            second: second.into(),
        })
    }

    /// Where the row is found.
    pub(super) fn path(&self) -> String {
        let value = match &self.first[&self.key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("/{}?{}=eq.{value}", self.table, self.key)
    }

    pub(super) fn to_text(&self) -> String {
        json!(self).to_string()
    }

    pub(super) fn from_text(text: &str) -> Result<Self, Stop> {
        serde_json::from_str(text)
            .map_err(|err| Stop::Failed(format!("the made-up row is unreadable: {err}")))
    }
}

/// A value of a column's type; different numbers give different values as far as the type has them.
fn sample(column: &Value, number: u16) -> Option<Value> {
    let text = |text: String| match column["maxLength"].as_u64() {
        Some(max) => text.chars().rev().take(usize::try_from(max).unwrap_or(usize::MAX)).collect::<String>(),
        None => text,
    };
    Some(match column["format"].as_str()? {
        "text" | "character varying" | "character" => json!(text(format!("verify-{number}"))),
        "uuid" => json!(format!("00000000-0000-4000-8000-{:012x}", u64::from(number) << 16)),
        // OpenAPI has names for these, and Postgres's own where a server does without.
        "int32" | "int64" | "smallint" | "integer" | "bigint" => json!(number),
        "numeric" | "double precision" | "real" => json!(f64::from(number) + 0.5),
        "boolean" => json!(number.is_multiple_of(2)),
        "date" => json!(format!("2001-01-{:02}", number % 28 + 1)),
        "json" | "jsonb" => json!({ "verify": number }),
        _ => return None,
    })
}

/// Whether a stored row has all of these values; columns that were left out have their defaults.
pub(super) fn holds(stored: &Value, expected: &Value) -> bool {
    expected.as_object().is_some_and(|it| it.iter().all(|(name, value)| stored.get(name) == Some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Value {
        json!({
            "required": ["id", "name"],
            "properties": {
                "id": {"format": "int32", "description": "Note:\nThis is a Primary Key.<pk/>"},
                "owner": {"format": "int64", "description": "<fk table='people' column='id'/>"},
                "name": {"format": "character varying", "maxLength": 3},
                "born": {"format": "date"},
            }
        })
    }

    #[test]
    fn key_and_required_columns_get_values() {
        let row = Row::of("cats", &definition()).unwrap();
        assert_eq!((row.key.as_str(), row.changeable.as_deref()), ("id", Some("name")));
        assert_eq!(row.first.as_object().unwrap().len(), 2);
        assert_eq!(row.first["id"], row.second["id"]);
        assert_ne!(row.first["name"], row.second["name"]);
        assert_eq!(row.path(), format!("/cats?id=eq.{}", row.first["id"]));
        assert_eq!(Row::from_text(&row.to_text()).unwrap(), row);
    }

    #[test]
    fn tables_that_cannot_be_written_without_knowledge_are_left_alone() {
        let mut odd = definition();
        odd["required"] = json!(["id", "owner"]);
        assert!(matches!(Row::of("cats", &odd), Err(Stop::Skipped(reason)) if reason.contains("owner")));
        odd["properties"]["id"] = json!({"format": "integer"});
        assert!(
            matches!(Row::of("cats", &odd), Err(Stop::Skipped(reason)) if reason.contains("primary key"))
        );
        assert!(matches!(Row::of("cats", &Value::Null), Err(Stop::Skipped(_))));
    }

    #[test]
    fn rows_are_compared_by_the_columns_that_were_sent() {
        assert!(holds(&json!({"a": 1, "b": 2}), &json!({"a": 1})));
        assert!(!holds(&json!({"a": 2}), &json!({"a": 1})));
        assert!(!holds(&json!({}), &json!({"a": 1})));
    }
}
