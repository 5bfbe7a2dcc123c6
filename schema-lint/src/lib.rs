//! Finds what stops a running system, and what leaks, in migrations; the README has the ideas.
//!
//! ```text
//! files ──script──▶ statements and what they do                        pure
//!          │
//!          ▼ replay: run them in a database made for it                 the only user of a connection
//! what the server did ──locks──▶ findings about locks and rewrites      pure
//! catalog ──leaks──▶ leaks ──finding──▶ each at the statement that made it   pure
//! ```
#![doc = include_str!("../README.md")]

pub mod catalog;
pub mod error;
pub mod events;
pub mod finding;
pub mod leaks;
pub mod locks;
pub mod render;
pub mod replay;
pub mod rules;
pub mod script;

#[cfg(test)]
mod reference;
mod snapshot;

pub use error::Error;
pub use finding::Finding;
pub use script::{MigrationFile, Script};

/// Runs the migrations `files` in the empty database of `config`, whose user has to be a superuser, and tells what is
/// the matter with them. `exposed` are the schemas that the API serves.
///
/// # Errors
/// A migration that does not apply, named with its line.
pub async fn lint(
    config: &tokio_postgres::Config,
    files: Vec<MigrationFile>,
    exposed: &[String],
) -> Result<Vec<Finding>, Error> {
    let scripts: Vec<Script> = files.into_iter().map(Script::parse).collect();
    let replay = replay::run(config, &scripts, exposed).await?;
    Ok(finding::findings(&scripts, &replay))
}
