//! Counting the rows of a whole relation.

use crate::api_request::types::JoinType;
use crate::plan::types::ReadPlanTree;

use super::builder::SqlBuilder;
use super::{filter, read};

/// Appends a query that gives a row for each row of the top level, whatever its window.
///
/// Embeds only matter where they filter: inner joins and tests for rows become `EXISTS`, so that
/// neither their columns nor functions in them cost anything.
pub(super) fn query(sql: &mut SqlBuilder, tree: &ReadPlanTree) {
    let node = &tree.node;
    let from = read::source(node);
    // PostgREST writes two spaces, and its log of queries is read by patterns.
    sql.sql("SELECT 1 ");
    read::from_clause(sql, node);
    let mut separator = " WHERE ";
    let mut next = |sql: &mut SqlBuilder| {
        sql.sql(separator);
        separator = " AND ";
    };
    for condition in &node.conditions {
        next(sql);
        filter::condition_with(sql, from, condition, &|sql, negated, agg_alias| {
            let Some(embed) = tree.children.iter().find(|child| child.node.agg_alias == agg_alias) else {
                // Tests for rows are planned from the embeds beside them.
                sql.sql("true");
                return;
            };
            exists(sql, negated, embed);
        });
    }
    for join in &node.join_conditions {
        next(sql);
        filter::join_condition(sql, join);
    }
    for embed in tree.children.iter().filter(|child| child.node.join_type == Some(JoinType::Inner)) {
        next(sql);
        exists(sql, true, embed);
    }
}

fn exists(sql: &mut SqlBuilder, has_rows: bool, embed: &ReadPlanTree) {
    sql.sql(if has_rows { "EXISTS (" } else { "NOT EXISTS (" });
    query(sql, embed);
    sql.sql(")");
}
