//! A view of the origin's catalog: foreign tables onto a few tables of the remote `pg_catalog`, made in a schema that
//! the import's transaction makes and drops again. Every user may read these catalogs.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;

use super::config::FdwConfig;
use crate::error::{During, Error, ServerError};

/// Where the foreign tables onto the remote catalog live; never committed.
pub(super) const SCHEMA: &str = "pgapp_import_catalog";

/// Columns are listed by hand: only types whose values mean the same on both sides, whatever the versions.
const TABLES: [(&str, &str, &str); 10] = [
    ("pg_catalog", "pg_namespace", "oid oid, nspname text"),
    (
        "pg_catalog",
        "pg_class",
        "oid oid, relname text, relnamespace oid, relkind \"char\", relispartition boolean",
    ),
    (
        "pg_catalog",
        "pg_attribute",
        "attrelid oid, attname text, atttypid oid, atttypmod int4, attnum int2, attisdropped boolean",
    ),
    ("pg_catalog", "pg_depend", "classid oid, objid oid, refobjid oid, deptype \"char\""),
    (
        "pg_catalog",
        "pg_constraint",
        "conname text, contype \"char\", conrelid oid, confrelid oid, conkey int2[], confkey int2[]",
    ),
    (
        "pg_catalog",
        "pg_type",
        "oid oid, typname text, typnamespace oid, typtype \"char\", typrelid oid, typelem oid, typbasetype oid, \
         typtypmod int4",
    ),
    ("pg_catalog", "pg_enum", "enumtypid oid, enumlabel text, enumsortorder float4"),
    ("pg_catalog", "pg_extension", "oid oid, extname text, extversion text"),
    ("pg_catalog", "pg_description", "objoid oid, classoid oid, objsubid int4, description text"),
    (
        "information_schema",
        "columns",
        "table_schema text, table_name text, column_name text, column_default text, is_identity text, \
         identity_generation text",
    ),
];

/// What a relation of the catalog `pg_class` has as its own row identifier in `pg_depend.classid`.
pub(super) const PG_CLASS_OID: u32 = 1259;

/// Makes the view.
pub(super) async fn open(tx: &Transaction<'_>, config: &FdwConfig) -> Result<(), Error> {
    let mut sql = format!("CREATE SCHEMA {SCHEMA};");
    for (schema, name, columns) in TABLES {
        sql.push_str(&format!(
            "CREATE FOREIGN TABLE {SCHEMA}.{name} ({columns}) SERVER {} \
             OPTIONS (schema_name '{schema}', table_name '{name}');",
            config.server.quoted()
        ));
    }
    tx.batch_execute(&sql).await.during("look into the origin's catalog")
}

/// Names of the tables, views and the like in the origin's schema, without partitions (their parent serves them) and
/// without what belongs to an extension.
pub(super) async fn tables(tx: &Transaction<'_>, config: &FdwConfig) -> Result<Vec<String>, Error> {
    let action = format!(
        "read the tables of schema \"{}\" at the origin {}:{}",
        config.remote_schema, config.host, config.port
    );
    let masked = |it: tokio_postgres::Error| Error::Server {
        action: action.clone(),
        source: ServerError::new(&it).masked(&config.password),
    };
    let schema = tx
        .query_opt(
            &format!("SELECT oid FROM {SCHEMA}.pg_namespace WHERE nspname = $1"),
            &[&config.remote_schema.as_str()],
        )
        .await
        .map_err(masked)?;
    let Some(schema) = schema else {
        return Err(Error::Refused(format!(
            "the schema \"{}\" does not exist at the origin {}:{}",
            config.remote_schema, config.host, config.port
        )));
    };
    let schema: u32 = schema.get(0);
    let rows = tx
        .query(
            &format!(
                "SELECT c.relname FROM {SCHEMA}.pg_class AS c
                 WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
                   AND NOT EXISTS (SELECT FROM {SCHEMA}.pg_depend AS d
                                   WHERE d.classid = {PG_CLASS_OID} AND d.objid = c.oid AND d.deptype = 'e')
                 ORDER BY c.relname"
            ),
            &[&schema],
        )
        .await
        .map_err(masked)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A key of a table at the origin, by the origin's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteKey {
    pub(super) name: String,
    /// `p`, `u` or `f`.
    pub(super) kind: i8,
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    /// Referenced table and columns of a foreign key.
    pub(super) target: Option<(String, Vec<String>)>,
}

/// The keys of the origin's schema. Foreign keys that leave the schema are not among them.
pub(super) async fn keys(tx: &Transaction<'_>, config: &FdwConfig) -> Result<Vec<RemoteKey>, Error> {
    let action = "read the keys of the origin's tables";
    let columns = tx
        .query(
            &format!(
                "SELECT a.attrelid, a.attnum, a.attname
                 FROM {SCHEMA}.pg_attribute AS a
                 JOIN {SCHEMA}.pg_class AS c ON c.oid = a.attrelid
                 JOIN {SCHEMA}.pg_namespace AS n ON n.oid = c.relnamespace
                 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped"
            ),
            &[&config.remote_schema.as_str()],
        )
        .await
        .during(action)?;
    let columns: BTreeMap<(u32, i16), String> =
        columns.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
    let rows = tx
        .query(
            &format!(
                "SELECT k.conname, k.contype, k.conrelid, c.relname, k.conkey, k.confrelid, r.relname, k.confkey
                 FROM {SCHEMA}.pg_constraint AS k
                 JOIN {SCHEMA}.pg_class AS c ON c.oid = k.conrelid
                 JOIN {SCHEMA}.pg_namespace AS n ON n.oid = c.relnamespace
                 LEFT JOIN {SCHEMA}.pg_class AS r ON r.oid = k.confrelid AND r.relnamespace = n.oid
                 WHERE n.nspname = $1 AND k.contype IN ('p', 'u', 'f')
                 ORDER BY c.relname, k.conname"
            ),
            &[&config.remote_schema.as_str()],
        )
        .await
        .during(action)?;
    let names = |table: u32, numbers: Vec<i16>| -> Option<Vec<String>> {
        numbers.into_iter().map(|number| columns.get(&(table, number)).cloned()).collect()
    };
    Ok(rows
        .iter()
        .filter_map(|row| {
            let kind: i8 = row.get(1);
            let target = match (row.get::<_, Option<String>>(6), row.get::<_, Option<Vec<i16>>>(7)) {
                (Some(table), Some(numbers)) => Some((table, names(row.get(5), numbers)?)),
                _ if kind == b'f'.cast_signed() => return None,
                _ => None,
            };
            Some(RemoteKey {
                name: row.get(0),
                kind,
                table: row.get(3),
                columns: names(row.get(2), row.get(4))?,
                target,
            })
        })
        .collect())
}

/// How the origin fills a column that an insert leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filling {
    /// By this expression.
    Expression(String),
    /// From the sequence of an identity column that also takes values.
    Sequence,
    /// From the sequence of an identity column that takes no value.
    Always,
}

/// A column of the origin that has a default of some kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteDefault {
    pub(super) table: String,
    pub(super) column: String,
    pub(super) filling: Filling,
}

/// The defaults in the origin's schema, of the columns that the mapped user may use.
pub(super) async fn defaults(tx: &Transaction<'_>, config: &FdwConfig) -> Result<Vec<RemoteDefault>, Error> {
    let rows = tx
        .query(
            &format!(
                "SELECT table_name, column_name, column_default, is_identity, identity_generation
                 FROM {SCHEMA}.columns WHERE table_schema = $1"
            ),
            &[&config.remote_schema.as_str()],
        )
        .await
        .during("read the defaults of the origin's columns")?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let filling = match (row.get::<_, Option<&str>>(3), row.get::<_, Option<&str>>(4)) {
                (Some("YES"), Some("ALWAYS")) => Filling::Always,
                (Some("YES"), _) => Filling::Sequence,
                _ => Filling::Expression(row.get::<_, Option<String>>(2)?),
            };
            Some(RemoteDefault { table: row.get(0), column: row.get(1), filling })
        })
        .collect())
}

/// Options of a catalog row, `name=value` each.
pub(super) fn options(texts: &[String]) -> BTreeMap<String, String> {
    texts
        .iter()
        .filter_map(|it| it.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
