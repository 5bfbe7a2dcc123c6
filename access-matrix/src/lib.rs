//! Who may do what: role × relation × verb, asked of Postgres itself. The README has the method.
#![doc = include_str!("../README.md")]

pub mod cell;
pub mod matrix;

mod catalog;
mod error;
mod plan;
mod probe;
mod reach;
mod verb;

pub use cell::{Cell, Reach};
pub use error::Error;
pub use matrix::{Change, Matrix, Row, changes, render};
pub use verb::Verb;

use tokio_postgres::Client;

/// The matrix of the roles that `login` may become and the relations of `schemas`.
///
/// # Errors
/// When the connection's user may not take on a role, or the server fails.
pub async fn read(client: &mut Client, login: &str, schemas: &[String]) -> Result<Matrix, Error> {
    let catalog = catalog::read(client, login, schemas).await?;
    probe::matrix(client, &catalog, schemas).await
}
