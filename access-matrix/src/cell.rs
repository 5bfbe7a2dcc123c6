//! One cell of the matrix, and how it is written.

use std::fmt;

use serde::{Serialize, Serializer};

/// Which rows are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Every row.
    All,
    /// Those that these policies let through.
    By(Vec<String>),
}

/// What one role may do to one relation by one verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Nothing,
    /// Something.
    Some {
        /// The columns, where it is not all of them.
        columns: Option<Vec<String>>,
        /// The rows.
        reach: Reach,
    },
}

/// A name as SQL writes it: in quotes only where it needs them.
fn name(text: &str) -> String {
    let is_plain = text.starts_with(|it: char| it.is_ascii_lowercase() || it == '_')
        && text.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_');
    if is_plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

fn names(texts: &[String]) -> String {
    texts.iter().map(|it| name(it)).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("–"),
            Self::Some { columns: None, reach: Reach::All } => f.write_str("all"),
            Self::Some { columns: None, reach: Reach::By(policies) } => {
                write!(f, "by policy {}", names(policies))
            }
            Self::Some { columns: Some(columns), reach } => {
                write!(f, "columns ({})", names(columns))?;
                match reach {
                    Reach::All => Ok(()),
                    Reach::By(policies) => write!(f, " by policy {}", names(policies)),
                }
            }
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_written_as_documented() {
        let list = |texts: &[&str]| texts.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let cell =
            |columns: Option<&[&str]>, reach| Cell::Some { columns: columns.map(list), reach }.to_string();
        assert_eq!(Cell::Nothing.to_string(), "–");
        assert_eq!(cell(None, Reach::All), "all");
        assert_eq!(cell(None, Reach::By(list(&["own", "staff, too"]))), "by policy own, \"staff, too\"");
        assert_eq!(cell(Some(&["a", "B"]), Reach::All), "columns (a, \"B\")");
        assert_eq!(cell(Some(&["a", "b"]), Reach::By(list(&["own"]))), "columns (a, b) by policy own");
    }
}
