//! An insert in the form that has the values of its one row as binds.

use super::main_statement::{self, Answer};
use super::mutate::{self, Source};
use super::rows::RowsQuery;
use super::statement::{Param, Statement};
use super::values::Columns;
use crate::api_request::ApiRequest;
use crate::config::AppConfig;
use crate::media_type::MediaType;
use crate::plan::{CrudKind, CrudPlan};

/// An insert in the form that has the values of its one row as binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByValues {
    columns: Columns,
    main: Option<Statement>,
    rows: Option<RowsQuery>,
}

impl ByValues {
    /// The form of a plan, if there is one.
    pub(super) fn of(plan: &CrudPlan, conf: &AppConfig, req: &ApiRequest) -> Option<Self> {
        let CrudKind::Mutate { plan: write, .. } = &plan.kind else { return None };
        let columns = mutate::columns_of_values(write)?;
        if matches!(plan.media, MediaType::VndPlan(..)) {
            return None;
        }
        let (main, rows) = match main_statement::answer(plan, conf, req, Source::Values) {
            Answer::Rows(rows) => (None, Some(rows)),
            Answer::Aggregated(main) => (Some(main), None),
        };
        Some(Self { columns, main, rows })
    }

    /// The binds of a body; `None` where it is left to Postgres.
    pub(super) fn binds(&self, body: &[u8]) -> Option<Vec<Param>> {
        self.columns.binds(body)
    }

    /// The form of a main statement.
    pub(super) fn main(&self) -> Option<&Statement> {
        self.main.as_ref()
    }

    /// The form of a query whose rows are the body.
    pub(super) fn rows(&self) -> Option<&RowsQuery> {
        self.rows.as_ref()
    }
}
