//! What the server does while a statement runs, as it says at the message level `DEBUG1`.
//!
//! Whether a change of a type rewrites a table, whether a check proves that a column is filled, whether a default is
//! volatile: Postgres decides that, differently from one major version to the next. Its own messages tell, also for
//! an empty table and for what a `DO` block does. They are not translated.

/// One thing that the server did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Wrote each row of a table anew.
    Rewrite {
        /// Name without schema.
        table: String,
    },
    /// Read each row of a table to check it.
    Verify {
        /// Name without schema.
        table: String,
    },
    /// Built an index.
    Build {
        /// Name without schema.
        table: String,
    },
    /// Compared each row of a table with the table it refers to.
    ValidateForeignKey,
}

impl Event {
    /// Reads a message; `None` where it tells something else.
    pub fn parse(message: &str) -> Option<Self> {
        let quoted = |prefix: &str| {
            let name = message.strip_prefix(prefix)?.strip_prefix('"')?.strip_suffix('"')?;
            Some(name.to_owned())
        };
        if let Some(table) = quoted("rewriting table ") {
            return Some(Self::Rewrite { table });
        }
        if let Some(table) = quoted("verifying table ") {
            return Some(Self::Verify { table });
        }
        if message.starts_with("validating foreign key constraint ") {
            return Some(Self::ValidateForeignKey);
        }
        let (_, table) = message.strip_prefix("building index \"")?.split_once("\" on table \"")?;
        let (table, _) = table.rsplit_once('"')?;
        Some(Self::Build { table: table.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_others_are_passed_over() {
        let table = || "a \"b".to_owned();
        for (message, expected) in [
            ("rewriting table \"a \"b\"", Some(Event::Rewrite { table: table() })),
            ("verifying table \"a \"b\"", Some(Event::Verify { table: table() })),
            ("building index \"i\" on table \"a \"b\" serially", Some(Event::Build { table: table() })),
            (
                "building index \"i\" on table \"a \"b\" with request for 2 parallel workers",
                Some(Event::Build { table: table() }),
            ),
            ("validating foreign key constraint \"k\"", Some(Event::ValidateForeignKey)),
            ("index \"i\" can safely use deduplication", None),
            ("rewriting table", None),
            ("", None),
        ] {
            assert_eq!(Event::parse(message), expected, "{message}");
        }
    }
}
