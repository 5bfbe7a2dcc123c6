//! Plan → statements. Pure.
//!
//! Invariant: SQL text enters through one door. [`types::SqlBuilder`] takes static text, quoted
//! identifiers and literals, and binds; there is no way to append an arbitrary string.
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
//! | `response_inserted` | `int8`, nullable | rows inserted by an upsert |
//!
//! and that of a mutation has `location text[]` (`column=eq.value` or `column=is.null` each, empty
//! when there is none) between `page_total` and `body`. No row at all stands for zero rows and an
//! empty body. When the negotiated media type is an EXPLAIN plan, rows have one column, and the
//! body is these rows, each ended by a newline.
//!
//! [`types::MainQuery::explain`] answers one row with one `json` column; `[0].Plan."Plan Rows"` is
//! the planned count. [`types::MainQuery::tx_vars`] and [`types::MainQuery::pre_request`] are run
//! for their effect.

pub mod types;
