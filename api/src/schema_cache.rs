//! The schema cache: an immutable snapshot of what the exposed schemas offer.
//!
//! It is read from the catalog by [`load`], swapped whole behind an atomic pointer, and only ever
//! read by the request path. Types here are data; nothing in this room but `load` sees a connection.

mod dump;
pub mod identifiers;
pub mod inspection;
pub mod load;
pub mod relationship;
pub mod representation;
pub mod residue;
pub mod routine;
pub mod table;

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use identifiers::{QualifiedIdentifier, Schema};
use relationship::Relationship;
use representation::RepresentationsMap;
use residue::Residue;
use routine::{MediaHandlerMap, RoutineMap};
use table::Table;

/// Relationships by source table and by the schema of the table they lead to; a computed
/// relationship stands under the schema of its function, which is the name a request uses.
///
/// Invariant: each list is sorted, so that candidates are reported in the same order every time.
pub type RelationshipsMap = HashMap<(QualifiedIdentifier, Schema), Vec<Relationship>>;

/// Everything the planner and the OpenAPI document need to know of the database.
///
/// Serialised, it is what `--dump-schema` and the admin server show, under PostgREST's names; read back, it is the same
/// again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SchemaCache {
    /// Tables, views, materialized views, foreign and partitioned tables of the exposed schemas.
    #[serde(
        rename = "dbTables",
        serialize_with = "dump::sorted_pairs",
        deserialize_with = "dump::from_pairs"
    )]
    pub tables: IndexMap<QualifiedIdentifier, Table>,
    /// Foreign-key, view-derived, many-to-many and computed relationships.
    #[serde(
        rename = "dbRelationships",
        serialize_with = "dump::sorted_pairs",
        deserialize_with = "dump::from_pairs"
    )]
    pub relationships: RelationshipsMap,
    /// Callable functions; overloads share one entry, fewest parameters first.
    #[serde(
        rename = "dbRoutines",
        serialize_with = "dump::sorted_pairs",
        deserialize_with = "dump::from_pairs"
    )]
    pub routines: RoutineMap,
    /// Casts between domain types and `json`/`text` that reformat values on the way in and out.
    #[serde(
        rename = "dbRepresentations",
        serialize_with = "dump::sorted_pairs",
        deserialize_with = "dump::from_pairs"
    )]
    pub representations: RepresentationsMap,
    /// Custom and overridden media type handlers.
    #[serde(
        rename = "dbMediaHandlers",
        serialize_with = "dump::sorted_pairs",
        deserialize_with = "dump::from_pairs"
    )]
    pub media_handlers: MediaHandlerMap,
    /// What has to be cleared away after requests. No part of what is shown; unknown when it is read back.
    #[serde(skip)]
    pub residue: Residue,
    /// Row types that functions return, by the number that the catalog knows them by. A statement that calls such
    /// a function names it, so that Postgres notices when the type changes ([`crate::sql`]).
    #[serde(skip)]
    pub row_types: HashMap<QualifiedIdentifier, u32>,
}

impl SchemaCache {
    /// The counts that are logged when a cache was loaded.
    pub fn summary(&self) -> String {
        format!(
            "{} Relations, {} Relationships, {} RPCs, {} Domain Representations, {} Media Type Handlers",
            self.tables.len(),
            self.relationships.len(),
            self.routines.len(),
            self.representations.len(),
            self.media_handlers.len(),
        )
    }

    /// The cache as PostgREST shows it: JSON with the keys of every object in order.
    ///
    /// # Errors
    ///
    /// When a part has no JSON form, which plain data always has.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let mut json = serde_json::to_value(self)?;
        json.sort_all_objects();
        serde_json::to_string(&json)
    }

    /// Relationships that start at `table` and are reached through `schema`; sorted, empty when there are none.
    pub fn relationships_from(&self, table: &QualifiedIdentifier, schema: &str) -> &[Relationship] {
        // A borrowed pair cannot be looked up in a map of owned pairs, so the key is built.
        self.relationships.get(&(table.clone(), schema.to_owned())).map_or(&[], Vec::as_slice)
    }
}
