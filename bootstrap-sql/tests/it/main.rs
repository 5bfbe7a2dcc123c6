//! The bootstrap against a real Postgres: one cluster per test, since roles belong to the cluster.
#![allow(clippy::unwrap_used, reason = "helpers outside of #[test] functions are tests all the same")]

mod cluster;

mod fdw_defaults;
mod fdw_reconcile;
mod fdw_types;
mod fdw_wire;
mod runner;
mod targets;
