//! Compares a foreign table with a fresh import of the same table, and says how to alter the one into the other. The
//! comparison is pure; types, nullability and generated expressions are compared, local names and defaults are not.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;

use crate::error::{During, Error};
use crate::quote::{ident, literal};

/// A column of a foreign table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// Local name; may differ from the origin's after a local `RENAME COLUMN`.
    pub(super) name: String,
    /// Name at the origin.
    pub(super) remote_name: String,
    /// Type as SQL, with modifiers.
    pub(super) type_sql: String,
    /// Collation as SQL, where it is not the type's own.
    pub(super) collation_sql: Option<String>,
    pub(super) not_null: bool,
    /// Expression of a generated column.
    pub(super) generated: Option<String>,
}

/// One statement's worth of change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// In words, for the report.
    pub(super) what: String,
    /// What follows `ALTER FOREIGN TABLE name`.
    pub(super) action_sql: String,
}

/// The columns of all foreign tables in a schema, by table, in their order.
pub(super) async fn read(tx: &Transaction<'_>, schema: &str) -> Result<BTreeMap<String, Vec<Column>>, Error> {
    let rows = tx
        .query(
            "SELECT c.relname::text, a.attname::text,
                    coalesce((SELECT o.option_value FROM pg_options_to_table(a.attfdwoptions) AS o
                              WHERE o.option_name = 'column_name'), a.attname::text),
                    format_type(a.atttypid, a.atttypmod),
                    CASE WHEN a.attcollation <> t.typcollation
                         THEN (SELECT format('%I.%I', cn.nspname, co.collname)
                               FROM pg_collation AS co JOIN pg_namespace AS cn ON cn.oid = co.collnamespace
                               WHERE co.oid = a.attcollation) END,
                    a.attnotnull,
                    CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END
             FROM pg_class AS c
             JOIN pg_namespace AS n ON n.oid = c.relnamespace
             JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             JOIN pg_type AS t ON t.oid = a.atttypid
             LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE n.nspname = $1 AND c.relkind = 'f'
             ORDER BY c.relname, a.attnum",
            &[&schema],
        )
        .await
        .during(format!("read the columns of the foreign tables in schema \"{schema}\""))?;
    let mut out: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in &rows {
        out.entry(row.get(0)).or_default().push(Column {
            name: row.get(1),
            remote_name: row.get(2),
            type_sql: row.get(3),
            collation_sql: row.get(4),
            not_null: row.get(5),
            generated: row.get(6),
        });
    }
    Ok(out)
}

/// The changes that make `local` like `fresh`. Removals come first, so that a name is free before it is used again.
pub(super) fn changes(local: &[Column], fresh: &[Column]) -> Vec<Change> {
    let mut out = Vec::new();
    for old in local {
        match fresh.iter().find(|it| it.remote_name == old.remote_name) {
            // Whether and how a column is generated cannot be altered in place.
            Some(new) if old.generated == new.generated => {}
            _ => out.push(Change {
                what: format!("column \"{}\" removed", old.name),
                action_sql: format!("DROP COLUMN {}", ident(&old.name)),
            }),
        }
    }
    for new in fresh {
        match local.iter().find(|it| it.remote_name == new.remote_name) {
            Some(old) if old.generated == new.generated => alter(old, new, &mut out),
            _ => out.push(Change {
                what: format!("column \"{}\" added", new.name),
                action_sql: format!("ADD COLUMN {}", definition(new)),
            }),
        }
    }
    out
}

fn alter(old: &Column, new: &Column, out: &mut Vec<Change>) {
    let name = ident(&old.name);
    if (&old.type_sql, &old.collation_sql) != (&new.type_sql, &new.collation_sql) {
        out.push(Change {
            what: format!(
                "column \"{}\" has type {} instead of {}",
                old.name,
                type_and_collation(new),
                type_and_collation(old)
            ),
            action_sql: format!("ALTER COLUMN {name} TYPE {}", type_and_collation(new)),
        });
    }
    if old.not_null != new.not_null {
        let (verb, word) = if new.not_null { ("SET", "not nullable") } else { ("DROP", "nullable") };
        out.push(Change {
            what: format!("column \"{}\" is {word} now", old.name),
            action_sql: format!("ALTER COLUMN {name} {verb} NOT NULL"),
        });
    }
}

fn type_and_collation(column: &Column) -> String {
    match &column.collation_sql {
        Some(collation) => format!("{} COLLATE {collation}", column.type_sql),
        None => column.type_sql.clone(),
    }
}

/// The column as in `CREATE FOREIGN TABLE`.
pub(super) fn definition(column: &Column) -> String {
    let mut out = format!(
        "{} {} OPTIONS (column_name {})",
        ident(&column.name),
        column.type_sql,
        literal(&column.remote_name)
    );
    if let Some(collation) = &column.collation_sql {
        out.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(expression) = &column.generated {
        out.push_str(&format!(" GENERATED ALWAYS AS ({expression}) STORED"));
    }
    if column.not_null {
        out.push_str(" NOT NULL");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, type_sql: &str) -> Column {
        Column {
            name: name.into(),
            remote_name: name.into(),
            type_sql: type_sql.into(),
            collation_sql: None,
            not_null: false,
            generated: None,
        }
    }

    #[track_caller]
    fn check(local: &[Column], fresh: &[Column], expected: &[&str]) {
        let actions: Vec<String> = changes(local, fresh).into_iter().map(|it| it.action_sql).collect();
        assert_eq!(actions, expected);
    }

    #[test]
    fn equal_tables_need_nothing() {
        check(&[column("a", "integer")], &[column("a", "integer")], &[]);
    }

    #[test]
    fn local_name_is_kept() {
        let local = Column { name: "mine".into(), ..column("a", "integer") };
        check(std::slice::from_ref(&local), &[column("a", "integer")], &[]);
        check(&[local], &[column("a", "bigint")], &[r#"ALTER COLUMN "mine" TYPE bigint"#]);
    }

    #[test]
    fn removed_before_added() {
        check(
            &[column("a", "integer"), column("b", "text")],
            &[column("a", "integer"), column("it's", "text")],
            &[r#"DROP COLUMN "b""#, r#"ADD COLUMN "it's" text OPTIONS (column_name 'it''s')"#],
        );
    }

    #[test]
    fn nullability_and_collation_are_altered_in_place() {
        let fresh =
            Column { not_null: true, collation_sql: Some("pg_catalog.\"C\"".into()), ..column("a", "text") };
        check(
            &[column("a", "text")],
            &[fresh],
            &[r#"ALTER COLUMN "a" TYPE text COLLATE pg_catalog."C""#, r#"ALTER COLUMN "a" SET NOT NULL"#],
        );
    }

    #[test]
    fn column_that_becomes_generated_is_replaced() {
        let fresh = Column { generated: Some("(b * 2)".into()), ..column("a", "integer") };
        check(
            &[column("a", "integer")],
            &[fresh],
            &[
                r#"DROP COLUMN "a""#,
                r#"ADD COLUMN "a" integer OPTIONS (column_name 'a') GENERATED ALWAYS AS ((b * 2)) STORED"#,
            ],
        );
    }
}
