//! Plan → statements. Pure.
//!
//! Invariant: SQL text is a type, [`types::SqlText`]. It grows by static text, quoted identifiers and literals,
//! numbers, text that the catalog printed, and binds; there is no way to append an arbitrary string. Invariant: the text of a statement depends on the shape of a request, never on
//! its values, so that statements can be prepared once. Usual page sizes are part of the shape.
//!
//! # What the main statement answers
//!
//! [`types::MainQuery::main`] of a read or a call answers at most one row of
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `total_result_set` | `int8`, nullable | rows of the whole relation, when counted |
//! | `page_total` | `int8` | rows of this answer |
//! | `body` | depends on the handler, nullable | the body; its bytes in binary format go out as they are |
//! | `response_headers` | `text`, nullable | `response.headers` |
//! | `response_status` | `text`, nullable | `response.status` |
//! | `response_inserted` | `int8`, nullable | rows that an upsert inserted, null when it tried none; 0 where nothing is upserted |
//!
//! and that of a mutation has `location text[]` (`column=eq.value` or `column=is.null` each, empty
//! when there is none) between `page_total` and `body`. No row at all stands for zero rows and an
//! empty body. When the negotiated media type is an EXPLAIN plan, rows have one column, and the
//! body is these rows, each ended by a newline.
//!
//! Where the body is JSON, [`types::MainQuery::rows`] takes the place of the main statement: its rows
//! are the body, encoded outside of the database, and what else the main statement would have told is
//! asked for by the statement that ends it ([`ending`]). [`types::RowsQuery::aggregated`] is the main statement for
//! when the rows cannot be encoded, or statements are logged.
//!
//! An insert of one object has its values as binds where [`values`] can tell that this means the same; that is
//! another form of `main` or `rows`, with the same answer. Unset settings may read as empty in any form.
//!
//! [`types::MainQuery::explain`] answers one row with one `json` column; `[0].Plan."Plan Rows"` is
//! the planned count. [`types::MainQuery::tx_vars`] and [`types::MainQuery::pre_request`] are run
//! for their effect.

mod answer;
mod body;
mod builder;
mod by_values;
mod call;
mod count;
pub mod ending;
mod filter;
mod json_body;
mod main_statement;
mod mutate;
mod openapi;
mod read;
mod rows;
mod select;
mod statement;
mod tx_vars;
pub mod types;
mod values;

use std::sync::Arc;

use crate::api_request::ApiRequest;
use crate::auth::AuthResult;
use crate::config::AppConfig;
use crate::plan::ActionPlan;
use main_statement::Answer;
use mutate::Source;
use types::{ByValues, MainQuery, Statement};

/// The settings of a planned request's transaction; [`main_query`] has them already.
pub fn settings(plan: &ActionPlan, conf: &AppConfig, req: &ApiRequest, auth: &AuthResult) -> Statement {
    tx_vars::statement(plan, conf, req, auth)
}

/// What a planned request runs. Empty for plans that need no database.
pub fn main_query(plan: &ActionPlan, conf: &AppConfig, req: &ApiRequest, auth: &AuthResult) -> MainQuery {
    let query = queries(plan, conf, req);
    if query.main.is_none() && query.rows.is_none() && query.openapi.is_none() {
        return query;
    }
    MainQuery { tx_vars: settings(plan, conf, req, auth), ..query }
}

/// The same without the settings, which depend on who asks.
pub(crate) fn queries(plan: &ActionPlan, conf: &AppConfig, req: &ApiRequest) -> MainQuery {
    let (answer, explain, openapi) = match plan {
        ActionPlan::Crud(plan) => {
            let answer = main_statement::answer(plan, conf, req, Source::Body);
            (Some(answer), main_statement::count_explain(plan, req), None)
        }
        ActionPlan::Inspect(plan) => (None, None, Some(openapi::queries(&plan.schema))),
        ActionPlan::Explorer(_)
        | ActionPlan::RelationInfo(_)
        | ActionPlan::RoutineInfo(_)
        | ActionPlan::SchemaInfo => return MainQuery::default(),
    };
    let (main, rows) = match answer {
        Some(Answer::Aggregated(main)) => (Some(main), None),
        // Whoever reads statements in the log expects PostgREST's, and a log must not show what was not run.
        Some(Answer::Rows(rows)) if conf.log_query && rows.form.layout != types::Layout::Lines => {
            (Some(rows.as_aggregated()), None)
        }
        Some(Answer::Rows(rows)) => (None, Some(rows)),
        None => (None, None),
    };
    let by_values = match plan {
        ActionPlan::Crud(plan) if !conf.log_query => ByValues::of(plan, conf, req).map(Arc::new),
        _ => None,
    };
    MainQuery {
        by_values,
        tx_vars: Statement::default(),
        pre_request: conf.db_pre_request.as_ref().map(tx_vars::pre_request),
        main,
        rows,
        explain,
        openapi,
    }
}
