//! Publications and what is in them.

use crate::model::{Object, Publication, PublicationTable};
use crate::quote::{ident, idents};
use crate::statement::Statement;

fn parameters(it: &Publication) -> Vec<String> {
    let verbs: Vec<&str> =
        [(it.insert, "insert"), (it.update, "update"), (it.delete, "delete"), (it.truncate, "truncate")]
            .into_iter()
            .filter_map(|(on, verb)| on.then_some(verb))
            .collect();
    let mut out = vec![
        format!("publish = '{}'", verbs.join(", ")),
        format!("publish_via_partition_root = {}", it.via_root),
    ];
    if let Some(generated) = &it.generated {
        out.push(format!("publish_generated_columns = {generated}"));
    }
    out
}

pub(super) fn create(b: &Object, it: &Publication) -> Vec<Statement> {
    let all = if it.all_tables { " for all tables" } else { "" };
    vec![Statement::new(format!(
        "create publication {}{all} with ({})",
        ident(&b.id.name),
        parameters(it).join(", ")
    ))]
}

pub(super) fn alter(b: &Object, x: &Publication, y: &Publication) -> Vec<Statement> {
    if x == y {
        return Vec::new();
    }
    let mut list = parameters(y);
    if x.generated.is_some() && y.generated.is_none() {
        list.push("publish_generated_columns = none".to_owned());
    }
    vec![Statement::new(format!("alter publication {} set ({})", ident(&b.id.name), list.join(", ")))]
}

pub(super) fn add_table(b: &Object, it: &PublicationTable) -> Vec<Statement> {
    let mut sql = format!("alter publication {} add table only {}", ident(&b.id.sub), b.id.qualified());
    if !it.columns.is_empty() {
        sql.push_str(&format!(" ({})", idents(&it.columns)));
    }
    if let Some(condition) = &it.r#where {
        sql.push_str(&format!(" where ({condition})"));
    }
    vec![Statement::new(sql)]
}

pub(super) fn add_schema(b: &Object) -> Vec<Statement> {
    let (publication, schema) = (ident(&b.id.sub), ident(&b.id.schema));
    vec![Statement::new(format!("alter publication {publication} add tables in schema {schema}"))]
}
