//! Asks Postgres, as each role, in a transaction that is rolled back. The only user of a connection besides the catalog.

use serde_json::Value;
use tokio_postgres::{Client, Transaction};

use crate::catalog::{Catalog, Privileges, Relation, Role};
use crate::cell::{Cell, Reach};
use crate::error::{During, Error};
use crate::matrix::{Matrix, Row};
use crate::plan;
use crate::reach::{self, Allowed};
use crate::verb::Verb;

pub(crate) async fn matrix(
    client: &mut Client,
    catalog: &Catalog,
    schemas: &[String],
) -> Result<Matrix, Error> {
    let path = schemas.iter().map(String::as_str).chain(["public"]).map(ident).collect::<Vec<_>>().join(", ");
    let mut rows = Vec::new();
    for role in catalog.asked_roles.iter().filter_map(|it| catalog.roles.get(it)) {
        let action = || format!("ask as \"{}\"", role.name);
        let mut tx = client.transaction().await.during(action())?;
        // As a request has them: policies read the claims, and a malformed text would be a different error.
        let claims = serde_json::json!({"role": role.name}).to_string();
        let settings =
            "SELECT set_config('request.jwt.claims', $1, true), set_config('search_path', $2, true)";
        tx.execute(settings, &[&claims, &path]).await.during(action())?;
        tx.batch_execute(&format!("SET LOCAL ROLE {}", ident(&role.name))).await.during(action())?;
        for relation in catalog.asked_relations.iter().filter_map(|it| catalog.relations.get(it)) {
            rows.push(row(&mut tx, catalog, role, relation).await?);
        }
        tx.rollback().await.during(action())?;
    }
    Ok(Matrix { rows })
}

async fn row(
    tx: &mut Transaction<'_>,
    catalog: &Catalog,
    role: &Role,
    relation: &Relation,
) -> Result<Row, Error> {
    let none = Privileges::default();
    let privileges = catalog.privileges.get(&(role.oid, relation.oid)).unwrap_or(&none);
    let mut cells = Vec::with_capacity(4);
    for verb in Verb::ALL {
        let columns = match verb {
            Verb::Select => &privileges.select,
            Verb::Insert => &privileges.insert,
            Verb::Update => &privileges.update,
            Verb::Delete if privileges.delete => &relation.columns,
            Verb::Delete => &none.select,
        };
        cells.push(cell(tx, catalog, role, relation, verb, columns).await?);
    }
    let mut cells = cells.into_iter();
    let mut next = || cells.next().unwrap_or(Cell::Nothing);
    Ok(Row {
        role: role.name.clone(),
        relation: relation.full_name(),
        select: next(),
        insert: next(),
        update: next(),
        delete: next(),
    })
}

async fn cell(
    tx: &mut Transaction<'_>,
    catalog: &Catalog,
    role: &Role,
    relation: &Relation,
    verb: Verb,
    privileged: &[String],
) -> Result<Cell, Error> {
    if privileged.is_empty() {
        return Ok(Cell::Nothing);
    }
    let (columns, plan) = match explain(tx, relation, verb, privileged).await? {
        Some(plan) => (privileged.to_vec(), plan),
        // Below a view one column may be out of reach and another not.
        None if verb == Verb::Delete || privileged.len() == 1 => return Ok(Cell::Nothing),
        None => {
            let mut columns = Vec::new();
            let mut first = None;
            for column in privileged {
                if let Some(plan) = explain(tx, relation, verb, std::slice::from_ref(column)).await? {
                    columns.push(column.clone());
                    first.get_or_insert(plan);
                }
            }
            match first {
                Some(plan) => (columns, plan),
                None => return Ok(Cell::Nothing),
            }
        }
    };
    if verb != Verb::Insert && plan::is_empty(&plan) {
        return Ok(Cell::Nothing);
    }
    let reach = match allowed(catalog, role, relation, verb, &plan) {
        Allowed::Nothing => return Ok(Cell::Nothing),
        Allowed::Reach(reach) => reach,
    };
    let is_every = columns.len() == relation.columns.len();
    Ok(Cell::Some { columns: (!is_every).then_some(columns), reach })
}

fn allowed(catalog: &Catalog, role: &Role, relation: &Relation, verb: Verb, plan: &Value) -> Allowed {
    if verb == Verb::Select {
        return Allowed::Reach(reach::when_read(catalog, relation, role.oid));
    }
    let Some((schema, name)) = plan::written(plan) else { return Allowed::Reach(Reach::All) };
    let base = catalog.relations.values().find(|it| it.schema == schema && it.name == name);
    match base {
        Some(base) => reach::when_written(catalog, relation, base, role.oid, verb),
        None => Allowed::Reach(Reach::All),
    }
}

/// The plan of a verb on some columns; `None` where Postgres refuses it.
async fn explain(
    tx: &mut Transaction<'_>,
    relation: &Relation,
    verb: Verb,
    columns: &[String],
) -> Result<Option<Value>, Error> {
    let action = || format!("ask for {} of \"{}\"", verb.as_str(), relation.full_name());
    let sql = format!("EXPLAIN (VERBOSE, FORMAT JSON) {}", statement(relation, verb, columns));
    let savepoint = tx.transaction().await.during(action())?;
    let answer = savepoint.query_one(&sql, &[]).await;
    match answer {
        Ok(row) => {
            let plans: Value = row.try_get(0).during(action())?;
            savepoint.rollback().await.during(action())?;
            Ok(Some(plans.get(0).and_then(|it| it.get("Plan")).cloned().unwrap_or(Value::Null)))
        }
        Err(error) if error.as_db_error().is_some() => {
            savepoint.rollback().await.during(action())?;
            Ok(None)
        }
        Err(error) => Err(error).during(action()),
    }
}

fn statement(relation: &Relation, verb: Verb, columns: &[String]) -> String {
    let name = format!("{}.{}", ident(&relation.schema), ident(&relation.name));
    let list =
        |each: &dyn Fn(&str) -> String| columns.iter().map(|it| each(it)).collect::<Vec<_>>().join(", ");
    match verb {
        Verb::Select => format!("SELECT {} FROM {name}", list(&ident)),
        Verb::Insert => {
            format!("INSERT INTO {name} ({}) VALUES ({})", list(&ident), list(&|_| "DEFAULT".to_owned()))
        }
        Verb::Update => format!("UPDATE {name} SET {}", list(&|it| format!("{} = DEFAULT", ident(it)))),
        Verb::Delete => format!("DELETE FROM {name}"),
    }
}

fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
