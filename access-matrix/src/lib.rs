//! Who may do what: role × relation × verb, asked of Postgres itself. The README has the method.
#![doc = include_str!("../README.md")]

pub mod cell;
pub mod matrix;

mod catalog;
mod error;
mod plan;
mod probe;
mod reach;

pub use cell::{Cell, Reach};
pub use error::Error;
pub use matrix::{Change, Matrix, Row, changes, render};

use tokio_postgres::Client;

/// What is done with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Read.
    Select,
    /// Add.
    Insert,
    /// Change.
    Update,
    /// Remove.
    Delete,
}

impl Verb {
    /// All, in the order of the matrix.
    pub const ALL: [Self; 4] = [Self::Select, Self::Insert, Self::Update, Self::Delete];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// How `pg_policy.polcmd` writes it.
    const fn letter(self) -> char {
        match self {
            Self::Select => 'r',
            Self::Insert => 'a',
            Self::Update => 'w',
            Self::Delete => 'd',
        }
    }
}

/// The matrix of the roles that `login` may become and the relations of `schemas`.
///
/// # Errors
/// When the connection's user may not take on a role, or the server fails.
pub async fn read(client: &mut Client, login: &str, schemas: &[String]) -> Result<Matrix, Error> {
    let catalog = catalog::read(client, login, schemas).await?;
    probe::matrix(client, &catalog, schemas).await
}
