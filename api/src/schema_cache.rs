//! The schema cache: an immutable snapshot of what the exposed schemas offer.
//!
//! It is read from the catalog by [`load`], swapped whole behind an atomic pointer, and only ever
//! read by the request path. Types here are data; nothing in this room but `load` sees a connection.

pub mod identifiers;
pub mod load;
pub mod relationship;
pub mod representation;
pub mod routine;
pub mod table;

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;
use serde::Serialize;

use identifiers::{QualifiedIdentifier, Schema};
use relationship::Relationship;
use representation::RepresentationsMap;
use routine::{MediaHandlerMap, Routine};
use table::Table;

/// Relationships by source table and by the schema of the table they lead to.
pub type RelationshipsMap = HashMap<(QualifiedIdentifier, Schema), Vec<Relationship>>;

/// Everything the planner and the OpenAPI document need to know of the database.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SchemaCache {
    /// Tables, views, materialized views, foreign and partitioned tables of the exposed schemas.
    #[serde(serialize_with = "load::ser::map_as_pairs")]
    pub tables: IndexMap<QualifiedIdentifier, Table>,
    /// Foreign-key, view-derived, many-to-many and computed relationships.
    #[serde(serialize_with = "load::ser::map_as_pairs")]
    pub relationships: RelationshipsMap,
    /// Callable functions; overloads share one entry.
    #[serde(serialize_with = "load::ser::map_as_pairs")]
    pub routines: IndexMap<QualifiedIdentifier, Vec<Routine>>,
    /// Casts between domain types and `json`/`text` that reformat values on the way in and out.
    #[serde(serialize_with = "load::ser::map_as_pairs")]
    pub representations: RepresentationsMap,
    /// Custom and overridden media type handlers.
    #[serde(serialize_with = "load::ser::map_as_pairs")]
    pub media_handlers: MediaHandlerMap,
    /// Names accepted by `Prefer: timezone=`.
    pub timezones: BTreeSet<String>,
}
