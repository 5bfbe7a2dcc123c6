//! Reads a database's catalog; the only part of the crate that uses a connection.

pub(crate) use depend::index_ids;

mod depend;
mod row;

use std::collections::HashMap;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Transaction};

use crate::acl::Grant;
use crate::error::Error;
use crate::id::{Id, Kind};
use crate::model::{CastContext, Catalog};

/// What of a database is not the application's.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Foreign servers whose foreign tables an import makes and keeps up to date: of those tables only rights,
    /// triggers and the like are compared.
    pub imported_servers: Vec<String>,
}

impl Default for Scope {
    fn default() -> Self {
        Self { imported_servers: vec!["origin".to_owned()] }
    }
}

/// A row of a catalog: class, oid, column (0 for the object itself).
pub(crate) type Address = (u32, u32, i32);

/// One query for each kind of object; all answer with the same columns.
const QUERIES: &[(Kind, &str)] = &[
    (Kind::Schema, include_str!("read/schema.sql")),
    (Kind::Extension, include_str!("read/extension.sql")),
    (Kind::Wrapper, include_str!("read/wrapper.sql")),
    (Kind::Server, include_str!("read/server.sql")),
    (Kind::Mapping, include_str!("read/mapping.sql")),
    (Kind::Collation, include_str!("read/collation.sql")),
    (Kind::Type, include_str!("read/type.sql")),
    (Kind::DomainConstraint, include_str!("read/domain_constraint.sql")),
    (Kind::Sequence, include_str!("read/sequence.sql")),
    (Kind::SequenceOwner, include_str!("read/sequence_owner.sql")),
    (Kind::Relation, include_str!("read/relation.sql")),
    (Kind::Column, include_str!("read/column.sql")),
    (Kind::Default, include_str!("read/default.sql")),
    (Kind::Attach, include_str!("read/attach.sql")),
    (Kind::Routine, include_str!("read/routine.sql")),
    (Kind::Constraint, include_str!("read/constraint.sql")),
    (Kind::Index, include_str!("read/index.sql")),
    (Kind::IndexAttach, include_str!("read/index_attach.sql")),
    (Kind::Statistics, include_str!("read/statistics.sql")),
    (Kind::Rule, include_str!("read/rule.sql")),
    (Kind::Trigger, include_str!("read/trigger.sql")),
    (Kind::Policy, include_str!("read/policy.sql")),
    (Kind::EventTrigger, include_str!("read/event_trigger.sql")),
    (Kind::Publication, include_str!("read/publication.sql")),
    (Kind::PublicationTable, include_str!("read/publication_table.sql")),
    (Kind::PublicationSchema, include_str!("read/publication_schema.sql")),
];

/// Reads the schema of the database that `client` is connected to, as of one moment.
pub async fn read(client: &mut Client, scope: &Scope) -> Result<Catalog, Error> {
    let doing = "open a transaction";
    let tx = client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(|it| Error::read(doing, it))?;
    // Nothing on the path: every name in a definition is written with its schema.
    tx.batch_execute("set local search_path = ''").await.map_err(|it| Error::read(doing, it))?;
    let mut catalog = Catalog { user: text(&tx, "select current_user::text").await?, ..Catalog::default() };
    let reader = Reader { has_imported_types: has_imported_types(&tx).await?, scope };
    let mut addresses: HashMap<Address, Id> = HashMap::new();
    for (kind, query) in QUERIES {
        let doing = format!("read the catalog ({kind:?})");
        let sql = reader.fill(query);
        let params: &[&(dyn ToSql + Sync)] =
            if sql.contains("$1") { &[&reader.scope.imported_servers] } else { &[] };
        for row in tx.query(&sql, params).await.map_err(|it| Error::read(&doing, it))? {
            let (address, object) = row::object(*kind, &row)?;
            addresses.insert(address, object.id.clone());
            catalog.objects.insert(object.id.clone(), object);
        }
    }
    depend::link(&tx, &mut catalog, addresses).await?;
    rights(&tx, &reader, &mut catalog).await?;
    casts(&tx, &mut catalog).await?;
    unsupported(&tx, &reader, &mut catalog).await?;
    tx.commit().await.map_err(|it| Error::read("end the transaction", it))?;
    Ok(catalog)
}

struct Reader<'a> {
    has_imported_types: bool,
    scope: &'a Scope,
}

impl Reader<'_> {
    /// A query with its placeholders filled in.
    fn fill(&self, query: &str) -> String {
        let types = if self.has_imported_types {
            "not exists (select from pgapp.origin_type ot where ot.type_schema = n.nspname and ot.type_name = t.typname)"
        } else {
            "true"
        };
        let query = query
            .replace("{not_imported_type}", types)
            .replace("{imported}", "coalesce(s.srvname = any ($1), false)");
        with_argument(
            &with_argument(&query, "user", |it| {
                format!("({it}.nspname !~ '^(pg_|pgapp$|pgapp_)' and {it}.nspname <> 'information_schema')")
            }),
            "acl",
            |it| {
                format!(
                    "(select json_agg(json_build_array(coalesce(xr.rolname, ''), xa.privilege_type, xa.is_grantable, \
                     coalesce(xg.rolname, '')))::text from aclexplode({it}) xa left join pg_roles xr on xr.oid = xa.grantee \
                     left join pg_roles xg on xg.oid = xa.grantor)"
                )
            },
        )
    }
}

/// Replaces `{name argument}`.
fn with_argument(text: &str, name: &str, by: impl Fn(&str) -> String) -> String {
    let start = format!("{{{name} ");
    let mut parts = text.split(start.as_str());
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (argument, rest) = part.split_once('}').unwrap_or((part, ""));
        out.push_str(&by(argument));
        out.push_str(rest);
    }
    out
}

async fn text(tx: &Transaction<'_>, sql: &str) -> Result<String, Error> {
    Ok(tx.query_one(sql, &[]).await.map_err(|it| Error::read("read the catalog", it))?.get(0))
}

async fn has_imported_types(tx: &Transaction<'_>) -> Result<bool, Error> {
    let sql = "select to_regclass('pgapp.origin_type') is not null";
    Ok(tx.query_one(sql, &[]).await.map_err(|it| Error::read("look for imported types", it))?.get(0))
}

/// Rights of objects to come: those built in, and those that were changed.
async fn rights(tx: &Transaction<'_>, reader: &Reader<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    let doing = "read the default privileges";
    let built_in = "select k, a.grantee <> 0, a.privilege_type::text from unnest(array['r', 's', 'f', 'T', 'n', 'F', 'S']) k,
        aclexplode(acldefault(k::\"char\", (select oid from pg_roles where rolname = current_user))) a";
    for row in tx.query(built_in, &[]).await.map_err(|it| Error::read(doing, it))? {
        let letter: String = row.get(0);
        let rights = catalog.default_acls.built_in.entry(letter.chars().next().unwrap_or('r')).or_default();
        rights.push((row.get(1), row.get(2)));
    }
    let changed = reader.fill(include_str!("read/default_acl.sql"));
    for row in tx.query(&changed, &[]).await.map_err(|it| Error::read(doing, it))? {
        let kind: String = row.get(2);
        let rights: Vec<Grant> = row::grants(row.get(3))?.unwrap_or_default();
        let key = (row.get(0), row.get(1), kind.chars().next().unwrap_or('r'));
        catalog.default_acls.changed.insert(key, rights);
    }
    Ok(())
}

async fn casts(tx: &Transaction<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    let sql =
        "select format_type(castsource, null), format_type(casttarget, null), castcontext::text from pg_cast";
    for row in tx.query(sql, &[]).await.map_err(|it| Error::read("read the casts", it))? {
        let context: String = row.get(2);
        let context = match context.as_str() {
            "i" => CastContext::Implicit,
            "a" => CastContext::Assignment,
            _ => CastContext::Explicit,
        };
        catalog.casts.insert((row.get(0), row.get(1)), context);
    }
    Ok(())
}

async fn unsupported(tx: &Transaction<'_>, reader: &Reader<'_>, catalog: &mut Catalog) -> Result<(), Error> {
    let sql = reader.fill(include_str!("read/unsupported.sql"));
    let rows = tx.query(&sql, &[]).await.map_err(|it| Error::read("read the catalog", it))?;
    catalog.unsupported = rows.iter().map(|row| row.get(0)).collect();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_wherever_they_stand() {
        assert_eq!(with_argument("a {x b} c {x d}", "x", |it| format!("<{it}>")), "a <b> c <d>");
        assert_eq!(with_argument("none", "x", |_| String::new()), "none");
    }
}
