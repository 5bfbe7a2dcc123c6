//! Tests of the library against a real Postgres: one module per feature.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod schema_cache;
mod support;
