//! The whole matrix: as text, and compared with a committed one. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::cell::Cell;
use crate::verb::Verb;

/// What one role may do to one relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The role.
    pub role: String,
    /// The relation, `schema.name`.
    pub relation: String,
    /// Read.
    pub select: Cell,
    /// Add.
    pub insert: Cell,
    /// Change.
    pub update: Cell,
    /// Remove.
    pub delete: Cell,
}

impl Row {
    fn cell(&self, verb: Verb) -> &Cell {
        match verb {
            Verb::Select => &self.select,
            Verb::Insert => &self.insert,
            Verb::Update => &self.update,
            Verb::Delete => &self.delete,
        }
    }
}

/// All roles and relations, by role and then by relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Matrix {
    /// The rows.
    pub rows: Vec<Row>,
}

/// Between two columns of the text; a cell itself never holds two blanks.
const GAP: &str = "  ";

/// The matrix as a table: one line for each role and relation.
pub fn render(matrix: &Matrix) -> String {
    let head = ["role", "relation", "select", "insert", "update", "delete"].map(str::to_owned);
    let lines = std::iter::once(head).chain(matrix.rows.iter().map(|row| {
        let [select, insert, update, delete] = Verb::ALL.map(|verb| row.cell(verb).to_string());
        [row.role.clone(), row.relation.clone(), select, insert, update, delete]
    }));
    let lines: Vec<[String; 6]> = lines.map(|line| line.map(|it| single_blanks(&it))).collect();
    let width = |i: usize| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(padded.join(GAP).trim_end());
        text.push('\n');
    }
    text
}

fn single_blanks(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A cell that is not as committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The role.
    pub role: String,
    /// The relation.
    pub relation: String,
    /// The verb; none where the whole line is new or gone.
    pub verb: &'static str,
    /// As committed.
    pub was: String,
    /// As it is.
    pub is: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}: {} → {}", self.role, self.verb, self.relation, self.was, self.is)
    }
}

type Cells = BTreeMap<(String, String), [String; 4]>;

/// How `is` differs from `was`, both as [`render`] writes them. A line that only one of them has counts as one of `–` in
/// the other.
pub fn changes(was: &str, is: &str) -> Vec<Change> {
    let (was, is) = (cells(was), cells(is));
    let nothing = || ["–"; 4].map(str::to_owned);
    let mut found = Vec::new();
    let keys: std::collections::BTreeSet<_> = was.keys().chain(is.keys()).collect();
    for key in keys {
        let (before, now) =
            (was.get(key).cloned().unwrap_or_else(nothing), is.get(key).cloned().unwrap_or_else(nothing));
        for ((verb, was), is) in Verb::ALL.into_iter().zip(before).zip(now) {
            if was != is {
                let (role, relation) = key.clone();
                found.push(Change { role, relation, verb: verb.as_str(), was, is });
            }
        }
    }
    found
}

/// The cells of a text, whatever blanks lie between them. What is no line of the matrix is passed over, as comments are.
fn cells(text: &str) -> Cells {
    let mut cells = Cells::new();
    for line in text.lines().skip(1) {
        let parts: Vec<&str> = line.split(GAP).map(str::trim).filter(|it| !it.is_empty()).collect();
        if let [role, relation, select, insert, update, delete] = parts[..] {
            let values = [select, insert, update, delete].map(str::to_owned);
            cells.insert((role.to_owned(), relation.to_owned()), values);
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Reach;

    fn row(role: &str, relation: &str, select: Cell) -> Row {
        Row {
            role: role.to_owned(),
            relation: relation.to_owned(),
            select,
            insert: Cell::Nothing,
            update: Cell::Nothing,
            delete: Cell::Nothing,
        }
    }

    fn all() -> Cell {
        Cell::Some { columns: None, reach: Reach::All }
    }

    #[test]
    fn text_is_read_back_and_differences_are_named() {
        let by = Cell::Some {
            columns: Some(vec!["a".into(), "b".into()]),
            reach: Reach::By(vec!["own, all".into()]),
        };
        let was = render(&Matrix {
            rows: vec![row("anon", "api.a", by.clone()), row("anon", "api.b", Cell::Nothing)],
        });
        assert!(was.starts_with("role  relation  select"), "{was}");
        assert_eq!(changes(&was, &was), []);
        let longer = vec![
            row("a_longer_name", "api.c", Cell::Nothing),
            row("anon", "api.a", by),
            row("anon", "api.b", all()),
            row("anon", "api.new", all()),
        ];
        let found: Vec<String> =
            changes(&was, &render(&Matrix { rows: longer })).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["anon select api.b: – → all", "anon select api.new: – → all"]);
    }
}
