//! The types of the origin's columns: enums, domains and composite types that are missing here are made, and enums that
//! an import made get the labels that the origin has added since. Types of extensions are not made, but named in the report.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Transaction;

use super::catalog::SCHEMA;
use super::config::FdwConfig;
use super::report::ImportReport;
use crate::error::{During, Error};
use crate::quote::{ident, literal, qualified};

/// Row identifiers from here on belong to objects that users made; below, both servers mean the same type.
const FIRST_USER_OID: u32 = 16384;

/// What `pg_depend` calls the catalog `pg_type`.
const PG_TYPE_OID: u32 = 1247;

/// Schema and name.
type TypeName = (String, String);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// With its labels in their order.
    Enum(Vec<String>),
    /// Over this type, which may be a user's as well.
    Domain {
        base: u32,
        typmod: i32,
    },
    /// An array over this type.
    Array(u32),
    /// With its attributes in their order.
    Composite(Vec<Attribute>),
    Other,
}

/// An attribute of a composite type.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    name: String,
    kind: u32,
    typmod: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct RemoteType {
    name: TypeName,
    kind: Kind,
    extension: Option<String>,
}

/// The types of users at the origin, and which tables use which.
pub(super) struct RemoteTypes {
    types: BTreeMap<u32, RemoteType>,
    used: BTreeMap<String, BTreeSet<u32>>,
}

impl RemoteTypes {
    /// Reads them.
    pub(super) async fn read(tx: &Transaction<'_>, config: &FdwConfig) -> Result<Self, Error> {
        let action = "read the types of the origin's columns";
        let mut labels: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        let sql =
            format!("SELECT enumtypid, enumlabel FROM {SCHEMA}.pg_enum ORDER BY enumtypid, enumsortorder");
        for row in tx.query(&sql, &[]).await.during(action)? {
            labels.entry(row.get(0)).or_default().push(row.get(1));
        }
        let mut attributes = attributes(tx).await?;
        let sql = format!(
            "SELECT t.oid, n.nspname, t.typname, t.typtype, t.typelem, t.typbasetype, t.typtypmod, e.extname, t.typrelid
             FROM {SCHEMA}.pg_type AS t
             JOIN {SCHEMA}.pg_namespace AS n ON n.oid = t.typnamespace
             LEFT JOIN {SCHEMA}.pg_depend AS d
                 ON d.classid = {PG_TYPE_OID} AND d.objid = t.oid AND d.deptype = 'e'
             LEFT JOIN {SCHEMA}.pg_extension AS e ON e.oid = d.refobjid
             WHERE t.oid >= {FIRST_USER_OID}"
        );
        let types = tx.query(&sql, &[]).await.during(action)?;
        let types = types
            .iter()
            .map(|row| {
                let oid: u32 = row.get(0);
                let element: u32 = row.get(4);
                let kind = match row.get::<_, i8>(3).cast_unsigned() {
                    b'e' => Kind::Enum(labels.remove(&oid).unwrap_or_default()),
                    b'd' => Kind::Domain { base: row.get(5), typmod: row.get(6) },
                    b'b' if element != 0 => Kind::Array(element),
                    b'c' => attributes.remove(&row.get(8)).map_or(Kind::Other, Kind::Composite),
                    _ => Kind::Other,
                };
                (oid, RemoteType { name: (row.get(1), row.get(2)), kind, extension: row.get(7) })
            })
            .collect();
        let sql = format!(
            "SELECT c.relname, a.atttypid
             FROM {SCHEMA}.pg_attribute AS a
             JOIN {SCHEMA}.pg_class AS c ON c.oid = a.attrelid
             JOIN {SCHEMA}.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
               AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= {FIRST_USER_OID}"
        );
        let mut used: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for row in tx.query(&sql, &[&config.remote_schema.as_str()]).await.during(action)? {
            used.entry(row.get(0)).or_default().insert(row.get(1));
        }
        Ok(Self { types, used })
    }

    /// The user types behind `oid`, those first that others build on.
    fn resolve(&self, oid: u32, out: &mut Vec<u32>) {
        let Some(it) = self.types.get(&oid).filter(|_| !out.contains(&oid)) else { return };
        match &it.kind {
            Kind::Array(element) => return self.resolve(*element, out),
            Kind::Domain { base, .. } => self.resolve(*base, out),
            // A type cannot be its own attribute, so this ends.
            Kind::Composite(attributes) => attributes.iter().for_each(|it| self.resolve(it.kind, out)),
            Kind::Enum(_) | Kind::Other => {}
        }
        out.push(oid);
    }

    /// What a table needs from extensions that are missing here, in words.
    pub(super) fn missing_extension(&self, table: &str, present: &BTreeSet<TypeName>) -> Option<String> {
        let mut needed = Vec::new();
        for oid in self.used.get(table)? {
            self.resolve(*oid, &mut needed);
        }
        let it = needed
            .iter()
            .filter_map(|oid| self.types.get(oid))
            .find(|it| it.extension.is_some() && !present.contains(&it.name))?;
        let extension = it.extension.as_deref()?;
        Some(format!(
            "create the extension \"{extension}\" in schema \"{}\" here and import again",
            it.name.0
        ))
    }
}

/// Names of all types here.
pub(super) async fn local(tx: &Transaction<'_>) -> Result<BTreeSet<TypeName>, Error> {
    let rows = tx
        .query(
            "SELECT n.nspname::text, t.typname::text FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace",
            &[],
        )
        .await
        .during("read the types of the custom database")?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Makes what is missing and follows what an import made. A type that cannot be made is not an error: the tables that
/// need it will say so.
pub(super) async fn follow(
    tx: &mut Transaction<'_>,
    config: &FdwConfig,
    remote: &RemoteTypes,
    tables: &BTreeSet<String>,
    report: &mut ImportReport,
) -> Result<(), Error> {
    let mut needed = Vec::new();
    for oid in remote.used.iter().filter(|(table, _)| tables.contains(*table)).flat_map(|(_, oids)| oids) {
        remote.resolve(*oid, &mut needed);
    }
    let needed: Vec<&RemoteType> = needed.iter().filter_map(|oid| remote.types.get(oid)).collect();
    let present = local(tx).await?;
    let made = made(tx, config).await?;
    for it in &needed {
        if it.extension.is_some() {
            continue;
        }
        if !present.contains(&it.name) {
            make(tx, config, remote, it, report).await?;
        } else if let Kind::Enum(labels) = &it.kind {
            add_labels(tx, &it.name, labels, made.contains(&it.name), report).await?;
        }
    }
    Ok(())
}

/// Drops the types that an import made and no imported table needs any more.
pub(super) async fn forget_unused(
    tx: &mut Transaction<'_>,
    config: &FdwConfig,
    remote: &RemoteTypes,
    tables: &BTreeSet<String>,
    report: &mut ImportReport,
) -> Result<(), Error> {
    let mut needed = Vec::new();
    for oid in remote.used.iter().filter(|(table, _)| tables.contains(*table)).flat_map(|(_, oids)| oids) {
        remote.resolve(*oid, &mut needed);
    }
    let needed: BTreeSet<&TypeName> =
        needed.iter().filter_map(|oid| remote.types.get(oid)).map(|it| &it.name).collect();
    let mut unused: Vec<TypeName> =
        made(tx, config).await?.into_iter().filter(|it| !needed.contains(it)).collect();
    for name in &unused {
        tx.execute(
            "DELETE FROM pgapp.origin_type WHERE (server, type_schema, type_name) = ($1, $2, $3)",
            &[&config.server.as_str(), &name.0, &name.1],
        )
        .await
        .during("remove a type from \"pgapp.origin_type\"")?;
    }
    // One may build on another, so as long as one can go, the rest is tried again. What then remains is in use by
    // somebody else and belongs to them from now on.
    loop {
        let n_before = unused.len();
        let mut remaining = Vec::new();
        for name in unused {
            let name_sql = qualified(&name.0, &name.1);
            let sql = format!("DROP TYPE {name_sql} RESTRICT");
            match super::attempt(tx, &sql, &format!("drop the type {name_sql}")).await? {
                Ok(()) => report.types.push(format!("type {name_sql} dropped")),
                Err(_) => remaining.push(name),
            }
        }
        if remaining.len() == n_before || remaining.is_empty() {
            return Ok(());
        }
        unused = remaining;
    }
}

/// Types that an import through this server made.
async fn made(tx: &Transaction<'_>, config: &FdwConfig) -> Result<BTreeSet<TypeName>, Error> {
    let rows = tx
        .query(
            "SELECT type_schema, type_name FROM pgapp.origin_type WHERE server = $1",
            &[&config.server.as_str()],
        )
        .await
        .during("read the record of types in \"pgapp.origin_type\"")?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

async fn make(
    tx: &mut Transaction<'_>,
    config: &FdwConfig,
    remote: &RemoteTypes,
    it: &RemoteType,
    report: &mut ImportReport,
) -> Result<(), Error> {
    let name_sql = qualified(&it.name.0, &it.name.1);
    let action = format!("make the type {name_sql}");
    let (word, sql) = match &it.kind {
        Kind::Enum(labels) => {
            let labels: Vec<String> = labels.iter().map(|it| literal(it)).collect();
            ("enum", format!("CREATE TYPE {name_sql} AS ENUM ({})", labels.join(", ")))
        }
        // Without its checks: the origin keeps watch over what gets in.
        Kind::Domain { base, typmod } => match base_type(tx, remote, *base, *typmod).await? {
            Some(base) => ("domain", format!("CREATE DOMAIN {name_sql} AS {base}")),
            None => return Ok(()),
        },
        Kind::Composite(attributes) => {
            let mut columns = Vec::new();
            for it in attributes {
                let Some(kind) = base_type(tx, remote, it.kind, it.typmod).await? else { return Ok(()) };
                columns.push(format!("{} {kind}", ident(&it.name)));
            }
            ("composite type", format!("CREATE TYPE {name_sql} AS ({})", columns.join(", ")))
        }
        Kind::Array(_) | Kind::Other => return Ok(()),
    };
    if super::attempt(tx, &sql, &action).await?.is_ok() {
        tx.execute(
            "INSERT INTO pgapp.origin_type (server, type_schema, type_name) VALUES ($1, $2, $3)
             ON CONFLICT (type_schema, type_name) DO UPDATE SET server = excluded.server",
            &[&config.server.as_str(), &it.name.0, &it.name.1],
        )
        .await
        .during(action)?;
        report.types.push(format!("{word} {name_sql} made"));
    }
    Ok(())
}

/// The attributes of the composite types at the origin, by the row of `pg_class` that each type has.
async fn attributes(tx: &Transaction<'_>) -> Result<BTreeMap<u32, Vec<Attribute>>, Error> {
    let sql = format!(
        "SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod
         FROM {SCHEMA}.pg_attribute AS a JOIN {SCHEMA}.pg_class AS c ON c.oid = a.attrelid
         WHERE c.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY a.attrelid, a.attnum"
    );
    let mut found: BTreeMap<u32, Vec<Attribute>> = BTreeMap::new();
    for row in tx.query(&sql, &[]).await.during("read the composite types of the origin")? {
        let attribute = Attribute { name: row.get(1), kind: row.get(2), typmod: row.get(3) };
        found.entry(row.get(0)).or_default().push(attribute);
    }
    Ok(found)
}

/// A type that others are made of, as SQL.
async fn base_type(
    tx: &Transaction<'_>,
    remote: &RemoteTypes,
    oid: u32,
    typmod: i32,
) -> Result<Option<String>, Error> {
    if oid < FIRST_USER_OID {
        let row = tx
            .query_one("SELECT format_type($1, $2)", &[&oid, &typmod])
            .await
            .during("read the base type of a type")?;
        return Ok(row.get(0));
    }
    let Some(it) = remote.types.get(&oid) else { return Ok(None) };
    if let Kind::Array(element) = it.kind {
        return Ok(remote.types.get(&element).map(|it| format!("{}[]", qualified(&it.name.0, &it.name.1))));
    }
    Ok(Some(qualified(&it.name.0, &it.name.1)))
}

/// Gives a local enum the labels that it lacks, in their places, or says which they are when the enum is not ours.
async fn add_labels(
    tx: &Transaction<'_>,
    name: &TypeName,
    labels: &[String],
    is_ours: bool,
    report: &mut ImportReport,
) -> Result<(), Error> {
    let name_sql = qualified(&name.0, &name.1);
    let action = format!("add labels to the enum {name_sql}");
    let rows = tx
        .query(
            "SELECT e.enumlabel::text
             FROM pg_enum AS e JOIN pg_type AS t ON t.oid = e.enumtypid JOIN pg_namespace AS n ON n.oid = t.typnamespace
             WHERE n.nspname = $1 AND t.typname = $2",
            &[&name.0, &name.1],
        )
        .await
        .during(&action)?;
    let present: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let mut previous: Option<&String> = None;
    for label in labels {
        if !present.contains(&label.as_str()) {
            if !is_ours {
                report.skip(
                    &name.1,
                    format!(
                        "the enum {name_sql}, which was not made by an import, lacks the label {} of the origin; rows \
                         with it cannot be read",
                        literal(label)
                    ),
                    format!("ALTER TYPE {name_sql} ADD VALUE {}", literal(label)),
                );
                continue;
            }
            let place = match (previous, present.first()) {
                (Some(it), _) => format!("AFTER {}", literal(it)),
                (None, Some(it)) => format!("BEFORE {}", literal(it)),
                (None, None) => String::new(),
            };
            tx.batch_execute(&format!("ALTER TYPE {name_sql} ADD VALUE {} {place}", literal(label)))
                .await
                .during(&action)?;
            report.types.push(format!("enum {name_sql} has the label {} now", literal(label)));
        }
        previous = Some(label);
    }
    Ok(())
}
