//! Names of types, where names of the database are none.

use std::collections::{HashMap, HashSet};

use super::model::{Arguments, Schema};

/// `order_items` → `OrderItems`: split at each character that is no ASCII letter or digit. Never empty, and never begun
/// by a digit where it stands alone.
pub(super) fn upper_camel(name: &str) -> String {
    let words = name.split(|it: char| !it.is_ascii_alphanumeric());
    let mut camel = String::new();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|it| it.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// Makes a name one that a program may use.
pub(super) fn begun_by_letter(name: String) -> String {
    match name.chars().next() {
        None => "_Unnamed".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("_{name}"),
        Some(_) => name,
    }
}

/// Names that were given out. One that is taken gets a number.
#[derive(Debug, Default)]
pub(super) struct Taken(HashSet<String>);

impl Taken {
    pub(super) fn new(reserved: &[&str]) -> Self {
        Self(reserved.iter().map(|&it| it.to_owned()).collect())
    }

    /// The name itself, or the next one that is free.
    pub(super) fn pick(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 2;
        while !self.0.insert(name.clone()) {
            name = format!("{wanted}{number}");
            number += 1;
        }
        name
    }
}

/// Names of the types of a schema. What belongs together has one stem; a stem is taken once.
#[derive(Debug, Default)]
pub(super) struct TypeNames {
    pub(super) rows: HashMap<String, String>,
    pub(super) inserts: HashMap<String, String>,
    pub(super) updates: HashMap<String, String>,
    pub(super) enums: HashMap<String, String>,
    pub(super) composites: HashMap<String, String>,
    /// Arguments and results of each function, in order.
    pub(super) functions: Vec<(String, String)>,
}

impl TypeNames {
    /// Names rows before types before what is derived of them, so that a table keeps its name whatever else there is.
    pub(super) fn new(schema: &Schema, prefix: &str, taken: &mut Taken) -> Self {
        let mut names = Self::default();
        let mut pick = |name: &str, suffix: &str| {
            taken.pick(&begun_by_letter(format!("{prefix}{}{suffix}", upper_camel(name))))
        };
        for it in schema.relations() {
            names.rows.insert(it.name.clone(), pick(&it.name, ""));
        }
        for it in &schema.enums {
            names.enums.insert(it.name.clone(), pick(&it.name, ""));
        }
        for it in &schema.composites {
            names
                .composites
                .insert(it.name.clone(), pick(&it.name, if it.of_relation { "Value" } else { "" }));
        }
        for it in schema.relations().filter(|it| it.insertable) {
            names.inserts.insert(it.name.clone(), pick(&it.name, "Insert"));
        }
        for it in schema.relations().filter(|it| it.updatable) {
            names.updates.insert(it.name.clone(), pick(&it.name, "Update"));
        }
        for it in &schema.functions {
            names.functions.push(match it.arguments {
                // No program calls it.
                Arguments::Row(_) => (String::new(), String::new()),
                _ => (pick(&it.name, "Args"), pick(&it.name, "Returns")),
            });
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_where_they_hold_no_letter() {
        for (name, expected) in [
            ("order_items", "OrderItems"),
            ("in transit", "InTransit"),
            ("don't know", "DonTKnow"),
            ("camelCase", "CamelCase"),
            ("1x", "_1x"),
            ("ünï", "N"),
            ("__", "_Unnamed"),
        ] {
            assert_eq!(begun_by_letter(upper_camel(name)), expected);
        }
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        let mut taken = Taken::new(&["Option"]);
        let picked = ["A", "A", "Option", "A"].map(|it| taken.pick(it));
        assert_eq!(picked, ["A", "A2", "Option2", "A3"]);
    }
}
