//! Reads the schema cache from the catalog.
//!
//! The only part of this room that sees a connection. Statements live in `sql/`; their rows are decoded
//! by [`catalog`] and joined in memory by object id, which keeps the statements free of joins that grow
//! faster than the catalog does.

mod catalog;
mod media_handlers;
pub(crate) mod node_tree;
mod relationships;
mod routines;
mod tables;
mod timing;
mod view_keys;

use futures_util::join;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::SchemaCache;
use crate::error::DbError;
use catalog::{ComputedRow, ConstraintRow, MediaHandlerRow, ViewRow};
pub use timing::QueryTimings;
use timing::{Clock, Part};

pub(super) use routines::decode as decode_routines;

// An empty search path makes the server print qualified names. Compiling these statements would cost more
// than running them.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''; SET LOCAL jit = off";

/// What of the configuration decides what is read.
pub trait Exposed: Sync {
    /// `db-schemas`.
    fn schemas(&self) -> &[String];
    /// `db-extra-search-path`.
    fn extra_search_path(&self) -> &[String];
    /// `db-hoisted-tx-settings`.
    fn hoisted_settings(&self) -> &[String];
}

/// Reads what the exposed schemas offer.
///
/// All statements travel in one exchange, `BEGIN` and `COMMIT` included, and see one snapshot of the
/// catalog. Dropping the returned future leaves no transaction open: by its first suspension inside
/// the transaction everything was sent.
///
/// # Errors
///
/// When the connection fails, when an exposed schema or one of the extra search path does not exist, or when the role may not read
/// something it must. The first failure is reported, not the ones that follow from it.
pub async fn load(client: &Client, exposed: &impl Exposed) -> Result<SchemaCache, DbError> {
    load_timed(client, exposed).await.map(|(cache, _)| cache)
}

/// The same, and how long each part took.
///
/// # Errors
///
/// As [`load`].
pub async fn load_timed(
    client: &Client,
    exposed: &impl Exposed,
) -> Result<(SchemaCache, QueryTimings), DbError> {
    let clock = Clock::start();
    let schemas = exposed.schemas();
    let quoted: Vec<String> = schemas.iter().map(|it| quote_ident(it)).collect();
    let search_path: Vec<String> = exposed.extra_search_path().iter().map(|it| quote_ident(it)).collect();
    let of_schemas = || vec![(&schemas as &(dyn ToSql + Sync), Type::TEXT_ARRAY)];

    let has_origin_keys = has_origin_keys(client).await?;
    let origin_keys = async {
        match has_origin_keys {
            true => {
                let rows = rows(client, include_str!("sql/origin_keys.sql"), Vec::new());
                clock.timed(Part::Relationships, rows).await
            }
            false => Ok(Vec::new()),
        }
    };
    let read = |part, sql, params| clock.timed(part, rows(client, sql, params));
    // `join!` polls in this order, and a statement is queued when it is first polled.
    let (
        begun,
        relations,
        columns,
        enums,
        partial_keys,
        constraints,
        origin_keys,
        views,
        routines,
        computed,
        casts,
        media,
        residue,
        row_types,
        end,
    ) = join!(
        clock.begun(command(client, BEGIN)),
        read(Part::Tables, include_str!("sql/relations.sql"), vec![(&quoted, Type::TEXT_ARRAY)]),
        read(Part::Tables, include_str!("sql/columns.sql"), of_schemas()),
        read(Part::Tables, include_str!("sql/enums.sql"), Vec::new()),
        read(Part::Tables, include_str!("sql/partial_keys.sql"), of_schemas()),
        read(Part::Relationships, include_str!("sql/constraints.sql"), Vec::new()),
        origin_keys,
        read(
            Part::KeyDependencies,
            include_str!("sql/views.sql"),
            vec![(&schemas, Type::TEXT_ARRAY), (&search_path, Type::TEXT_ARRAY)]
        ),
        read(
            Part::Functions,
            concat!(include_str!("sql/routines.sql"), include_str!("sql/routines_of_schemas.sql")),
            of_schemas()
        ),
        read(Part::ComputedRelationships, include_str!("sql/computed_relationships.sql"), of_schemas()),
        read(Part::Representations, include_str!("sql/representations.sql"), Vec::new()),
        read(Part::MediaHandlers, include_str!("sql/media_handlers.sql"), of_schemas()),
        read(Part::Functions, include_str!("sql/session_residue.sql"), Vec::new()),
        read(Part::Functions, include_str!("sql/row_types.sql"), Vec::new()),
        command(client, "COMMIT"),
    );
    begun?;
    let (relations, columns, enums, partial_keys) = (relations?, columns?, enums?, partial_keys?);
    let (constraints, origin_keys, views) = (constraints?, origin_keys?, views?);
    let (routines, computed, casts, media, residue) = (routines?, computed?, casts?, media?, residue?);
    let row_types = catalog::decode_all(&row_types?, catalog::row_type)?;
    end?;

    let mut constraints = catalog::decode_all(&constraints, ConstraintRow::decode)?;
    constraints.extend(catalog::decode_all(&origin_keys, ConstraintRow::decode)?);
    let views = catalog::decode_all(&views, ViewRow::decode)?;
    let computed = catalog::decode_all(&computed, ComputedRow::decode)?;
    let casts = catalog::decode_all(&casts, catalog::representation)?;
    let media = catalog::decode_all(&media, MediaHandlerRow::decode)?;

    let mut tables = tables::assemble(&relations, &columns, &enums, &constraints)?;
    tables::add_partial_keys(&mut tables, &partial_keys)?;
    let view_keys = view_keys::find(&views, &constraints, &tables);
    view_keys::add_to(&mut tables, &view_keys, &constraints);
    let tables = tables.by_name;
    let cache = SchemaCache {
        relationships: relationships::derive(&constraints, &view_keys, &tables, computed, schemas),
        tables,
        routines: routines::decode(
            routines.iter().map(|row| catalog::column(row, 0)),
            exposed.hoisted_settings(),
        )?,
        representations: casts
            .into_iter()
            .map(|it| ((it.source_type.clone(), it.target_type.clone()), it))
            .collect(),
        media_handlers: media_handlers::resolve(media),
        residue: residue.first().map(catalog::residue).transpose()?.unwrap_or_default(),
        row_types: row_types.into_iter().collect(),
    };
    Ok((cache, clock.timings()))
}

async fn rows(
    client: &Client,
    sql: &str,
    params: Vec<(&(dyn ToSql + Sync), Type)>,
) -> Result<Vec<Row>, DbError> {
    client.query_typed(sql, &params).await.map_err(|it| DbError::from_driver(&it))
}

async fn command(client: &Client, sql: &str) -> Result<(), DbError> {
    client.batch_execute(sql).await.map_err(|it| DbError::from_driver(&it))
}

/// Whether the keys of foreign tables were recorded by the bootstrap. Asked before the transaction,
/// because naming a table that is not there would fail the whole exchange.
async fn has_origin_keys(client: &Client) -> Result<bool, DbError> {
    let probe = rows(client, include_str!("sql/probe.sql"), Vec::new()).await?;
    probe.first().map_or(Ok(false), |row| catalog::column(row, 0))
}

/// Quotes an identifier, so that `regnamespace` reads it letter for letter.
fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
