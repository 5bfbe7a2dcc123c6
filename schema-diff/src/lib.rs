//! The SQL by which one Postgres schema becomes another.
#![doc = include_str!("../README.md")]

pub mod acl;
pub mod change;
pub mod compare;
pub mod error;
pub mod id;
pub mod migration;
pub mod model;
pub mod quote;
pub mod read;
pub mod statement;

mod graph;
mod plan;
mod render;

pub use error::Error;
pub use migration::{Migration, migrations};
pub use model::Catalog;
pub use plan::{Difference, difference};
pub use read::{Scope, read};
pub use statement::{Note, Stage, Statement};
