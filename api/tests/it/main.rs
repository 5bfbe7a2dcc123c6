//! Tests of the library against a real Postgres: one module per feature.

mod schema_cache;
mod support;
