//! An application as a folder, and databases brought up to it; the README has the rules.
//!
//! ```text
//! folder ─▶ Migration, Script ─▶ script: statements with their lines     pure
//!              │ compare with the ledger: applied, pending, changed …     pure
//!              ▼
//!           migrate, seed: one transaction each                           the only users of a connection
//! ```
#![doc = include_str!("../README.md")]

pub mod compare;
pub mod error;
pub mod folder;
pub mod ledger;
pub mod migrate;
pub mod name;
pub mod packages;
pub mod script;
pub mod seed;
pub mod skeleton;
pub mod testing;

mod run;
mod tap;

pub use compare::{MigrationState, MigrationStatus, Order};
pub use error::{Error, Failure, FolderError};
pub use folder::{AppFolder, Migration, Script, TestFile};
pub use migrate::{MigrateEvent, Options};
pub use name::MigrationName;
pub use packages::Packages;
pub use testing::TestOutcome;
