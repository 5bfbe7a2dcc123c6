//! Domain representations: casts that reformat a column's value for the wire.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// A cast found in the catalog between a domain and `json` or `text`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRepresentation {
    /// Type cast from, as `format_type` prints it.
    #[serde(rename = "drSourceType")]
    pub source_type: String,
    /// Type cast to, as `format_type` prints it.
    #[serde(rename = "drTargetType")]
    pub target_type: String,
    /// Function that performs the cast (already schema-qualified and quoted by the catalog).
    #[serde(rename = "drFunction")]
    pub function: String,
}

/// By (source type, target type).
pub type RepresentationsMap = HashMap<(String, String), DataRepresentation>;
