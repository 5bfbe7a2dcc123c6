//! Queries behind the root document, run as the caller's role.

use crate::schema_cache::inspection::{ACCESSIBLE_TABLES, ROUTINES, SCHEMA_COMMENT};

use super::builder::SqlBuilder;
use super::types::OpenApiQueries;

/// What the role may use of `schema`.
pub(super) fn queries(schema: &str) -> OpenApiQueries {
    OpenApiQueries {
        tables: SqlBuilder::whole(ACCESSIBLE_TABLES, &[schema]),
        functions: SqlBuilder::whole(ROUTINES, &[schema]),
        schema_comment: SqlBuilder::whole(SCHEMA_COMMENT, &[schema]),
    }
}
