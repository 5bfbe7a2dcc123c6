//! Tests of the library as its users see it, against a real Postgres where one is needed: one module per feature.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod animals;
mod caches;
mod encoding;
mod exchanges;
mod execute;
mod fixture;
mod inserts;
mod openapi;
mod overloads;
mod plan;
mod plans;
mod requests;
mod responses;
mod scaling;
mod schema_cache;
mod server;
mod sql;
mod sql_explained;
mod sql_properties;
mod support;
mod types;
