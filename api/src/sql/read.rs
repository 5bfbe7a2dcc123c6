//! A read plan as a query: rows without aggregation into a body.

use crate::api_request::types::{JoinType, Range};
use crate::plan::types::{
    OrderBy, ReadPlan, ReadPlanTree, RelSelect, ResolvedField, SelectField, Spread, SpreadField,
};
use crate::schema_cache::relationship::{Cardinality, Relationship};

use super::builder::{Qualifier, SqlBuilder};
use super::{call, filter, select};

/// Appends the query of a level and, as lateral joins, of the levels below.
pub(super) fn query(sql: &mut SqlBuilder, tree: &ReadPlanTree) {
    let node = &tree.node;
    let from = source(node);
    sql.sql("SELECT ");
    columns(sql, from, tree);
    from_clause(sql, node);
    for (rel_select, child) in node.rel_select.iter().zip(&tree.children) {
        join(sql, rel_select, child);
    }
    if let Some(row_type) = node.row_type {
        sql.sql(" WHERE ");
        call::depends_on(sql, row_type);
        if !node.conditions.is_empty() {
            sql.sql(" AND ");
            filter::all_of(sql, from, &node.conditions);
        }
    } else if !(node.conditions.is_empty() && node.join_conditions.is_empty()) {
        sql.sql(" WHERE ");
        filter::all_of(sql, from, &node.conditions);
        if !(node.conditions.is_empty() || node.join_conditions.is_empty()) {
            sql.sql(" AND ");
        }
        sql.separated(" AND ", &node.join_conditions, filter::join_condition);
    }
    select::group_by(sql, from, node);
    filter::order_by(sql, from, &node.order);
    limit_offset(sql, node.range);
}

/// What the columns of a level are qualified with.
pub(super) fn source(node: &ReadPlan) -> Qualifier<'_> {
    match (&node.from_alias, &node.rel_to_parent) {
        (Some(alias), _) => Qualifier::name(alias),
        (None, Some(Relationship::Computed { function, .. })) => Qualifier::name(&function.name),
        (None, _) => Qualifier::from(&node.from),
    }
}

fn columns(sql: &mut SqlBuilder, from: Qualifier<'_>, tree: &ReadPlanTree) {
    let node = &tree.node;
    let mut separator = "";
    let mut next = |sql: &mut SqlBuilder| {
        sql.sql(separator);
        separator = ", ";
    };
    if node.select.is_empty() && tree.children.is_empty() {
        // Rows are still counted and tested for; whether their columns show is decided outside.
        next(sql);
        select::select_field(sql, from, &SelectField::plain(ResolvedField::unknown("*", Vec::new())));
    }
    for field in &node.select {
        next(sql);
        select::select_field(sql, from, field);
    }
    if let Some(Spread::ToMany { order_fields, .. }) = &node.spread {
        for (embed, field) in order_fields {
            next(sql);
            select::select_field(sql, embed.as_deref().map_or(from, Qualifier::name), field);
        }
    }
    for rel_select in node.rel_select.iter().filter(|it| select::shows(it)) {
        next(sql);
        select::rel_select(sql, rel_select);
    }
}

/// Appends ` FROM …`: the relation or computed relationship, and the junction of a many-to-many one.
pub(super) fn from_clause(sql: &mut SqlBuilder, node: &ReadPlan) {
    sql.sql(" FROM ");
    match &node.rel_to_parent {
        Some(Relationship::Computed { function, table, table_alias, .. }) => {
            // The argument is cast, because rows of a CTE fit any overload.
            sql.qualified(function).sql("(").ident(&table_alias.name).sql("::").qualified(table).sql(")");
        }
        _ => {
            sql.qualified(&node.from);
        }
    }
    if let Some(alias) = &node.from_alias {
        sql.sql(" AS ").ident(alias);
    }
    if let Some(Relationship::ForeignKey { cardinality: Cardinality::ManyToMany(junction), .. }) =
        &node.rel_to_parent
    {
        sql.sql(", ").qualified(&junction.table);
    }
}

fn join(sql: &mut SqlBuilder, rel_select: &RelSelect, child: &ReadPlanTree) {
    let alias = rel_select.agg_alias();
    let inner = child.node.join_type == Some(JoinType::Inner);
    sql.sql(if inner { " INNER JOIN LATERAL (" } else { " LEFT JOIN LATERAL (" });
    let arrays: Option<(&[SpreadField], &[OrderBy])> = match (rel_select, &child.node.spread) {
        (RelSelect::Json { to_one: false, .. }, _) => Some((&[], &[])),
        (RelSelect::Spread { fields, .. }, Some(Spread::ToMany { order, .. })) => Some((fields, order)),
        _ => None,
    };
    if let Some((fields, order)) = arrays {
        sql.sql("SELECT pg_catalog.json_agg(").ident(alias).sql(")::pg_catalog.jsonb AS ").ident(alias);
        for field in fields {
            sql.sql(", ");
            select::spread_array(sql, alias, order, field);
        }
        sql.sql(" FROM (");
        query(sql, child);
        sql.sql(") AS ").ident(alias);
    } else {
        query(sql, child);
    }
    sql.sql(") AS ").ident(alias);
    if inner && arrays.is_some() {
        // An aggregate always gives a row: whether it had any rows shows in its value.
        sql.sql(" ON ").ident(alias).sql(" IS NOT NULL");
    } else {
        sql.sql(" ON TRUE");
    }
}

/// Page sizes that are written out.
///
/// Clients use few of them, and they decide how Postgres had best read: of a limit that it does not know
/// it expects a tenth of the rows, finds the plan for that too dear, and makes a new plan each time.
const PAGE_SIZES: std::ops::RangeInclusive<i64> = 0..=1000;

fn limit_offset(sql: &mut SqlBuilder, range: Range) {
    if range == Range::ALL {
        return;
    }
    match range.limit {
        Some(limit) if PAGE_SIZES.contains(&limit) => sql.sql(" LIMIT ").int(limit),
        Some(limit) => sql.sql(" LIMIT ").bind_int(limit),
        None => sql.sql(" LIMIT ALL"),
    };
    if range.offset != 0 {
        sql.sql(" OFFSET ").bind_int(range.offset);
    }
}
