//! Types of what the schemas offer, for the programs that use them.
//!
//! ```text
//! catalog + schema cache ──▶ model ──▶ TypeScript, Rust, Python, OpenAPI
//!  (load)       (build, nullability)     (one emitter per language)
//! ```
//!
//! Everything but [`load`] is pure, and the same schema gives the same text every time.

mod build;
mod catalog;
mod load;
mod model;
mod names;
mod nullability;
mod openapi;
mod python;
mod rust;
mod text;
mod typescript;

use tokio_postgres::Client;

use crate::config::AppConfig;
use crate::error::DbError;
use crate::schema_cache;

/// A language that types are printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// The `Database` type that postgrest-js takes.
    Typescript,
    /// Structs and enums; needs `serde` and `serde_json`.
    Rust,
    /// `TypedDict` and `Literal`; Python 3.11, standard library only.
    Python,
    /// An OpenAPI 3.1 document.
    Openapi,
}

/// How a language's types are made, where there are several ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavour {
    /// Without any library beside the standard one.
    #[default]
    Plain,
    /// Python: models of pydantic 2.
    Pydantic,
}

/// Reads what the exposed schemas offer, and prints its types.
///
/// # Errors
///
/// When the connection fails, when an exposed schema does not exist, or when the role may not read the catalog.
pub async fn generate(
    client: &Client,
    conf: &AppConfig,
    language: Language,
    flavour: Flavour,
) -> Result<String, DbError> {
    let cache = schema_cache::load::load(client, conf).await?;
    let catalog = load::load(client, &conf.db_schemas).await?;
    let model = build::build(&catalog, &cache, &conf.db_schemas);
    Ok(match language {
        Language::Typescript => typescript::emit(&model),
        Language::Rust => rust::emit(&model),
        Language::Python => python::emit(&model, flavour == Flavour::Pydantic),
        Language::Openapi => openapi::emit(&model),
    })
}
