//! The columns of a main statement beside its body.

use super::builder::SqlBuilder;

/// Where the total comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Total {
    /// Nobody asked.
    Unknown,
    /// The page is everything there is.
    Page,
    /// A separate query.
    Counted,
}

/// Appends ` SELECT` with the number of rows there are and the number of rows answered.
pub(super) fn totals(sql: &mut SqlBuilder, total: Total, counts_as_one: bool) {
    let page = if counts_as_one { "1::bigint" } else { "pg_catalog.count(_postgrest_t)" };
    sql.sql(" SELECT ");
    sql.sql(match total {
        Total::Unknown => "null::bigint",
        Total::Page => page,
        Total::Counted => "(SELECT pg_catalog.count(*) FROM pgrst_source_count)",
    });
    sql.sql(" AS total_result_set, ").sql(page).sql(" AS page_total, ");
}

/// Settings by which the database shapes the response. Unset ones may read as empty: once set in a session, they do.
pub(super) fn response_settings(sql: &mut SqlBuilder) {
    sql.sql(
        "pg_catalog.current_setting('response.headers', true) AS response_headers, \
         pg_catalog.current_setting('response.status', true) AS response_status, ",
    );
}

/// The number of rows that an upsert inserted.
pub(super) fn inserted(sql: &mut SqlBuilder, upserts: bool) {
    sql.sql(if upserts {
        "pg_catalog.current_setting('pgrst.inserted', true)"
    } else {
        "'0'::pg_catalog.text"
    });
    sql.sql(" AS response_inserted");
}
