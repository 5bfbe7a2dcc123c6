//! A REST server over a Postgres schema: a drop-in replacement of PostgREST.
//!
//! A request flows one way, and each step has one room:
//!
//! ```text
//! auth → api_request → plan → sql → script → execute → response
//!        (HTTP→value)  (value+cache) (plan→text+binds) (script→rows)
//! ```
//!
//! `api_request`, `plan`, `sql` and `script` are pure: no clock, no connection, no environment.
//! [`pipeline`] calls them in this order; [`server`] is the HTTP edge around it.

pub mod admin;
pub mod animals;
pub mod api_request;
pub mod app;
pub mod auth;
mod bodies;
pub mod cli;
pub mod client;
pub mod config;
pub mod error;
pub mod execute;
mod framing;
pub mod jwt;
mod kept;
pub mod lambda;
pub mod media_type;
pub mod observability;
pub mod openapi;
pub mod pipeline;
pub mod plan;
pub mod plan_cache;
pub mod response;
pub mod schema_cache;
pub mod script;
pub mod server;
pub mod snapshot;
pub mod spool;
pub mod sql;
pub mod state;
pub mod types;
pub mod version;
