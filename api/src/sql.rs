//! Plan → statements. Pure.
//!
//! Invariant: SQL text enters through one door. [`types::SqlBuilder`] takes static text, quoted
//! identifiers and literals, and binds; there is no way to append an arbitrary string.

pub mod types;
