//! Media types of requests and responses.

use serde::Serialize;

/// Output format of an EXPLAIN plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum PlanFormat {
    /// `application/vnd.pgrst.plan+json`.
    Json,
    /// `application/vnd.pgrst.plan+text`.
    Text,
}

/// Option of an EXPLAIN plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum PlanOption {
    /// `ANALYZE`.
    Analyze,
    /// `VERBOSE`.
    Verbose,
    /// `SETTINGS`.
    Settings,
    /// `BUFFERS`.
    Buffers,
    /// `WAL`.
    Wal,
}

/// A media type this server knows, or [`MediaType::Other`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum MediaType {
    /// `application/json`.
    ApplicationJson,
    /// `application/geo+json`.
    GeoJson,
    /// `text/csv`.
    TextCsv,
    /// `text/plain`.
    TextPlain,
    /// `text/xml`.
    TextXml,
    /// `application/openapi+json`.
    OpenApi,
    /// `application/x-www-form-urlencoded`.
    UrlEncoded,
    /// `application/octet-stream`.
    OctetStream,
    /// `*/*`.
    Any,
    /// Anything else, verbatim.
    Other(String),
    /// `application/vnd.pgrst.array+json;nulls=stripped`.
    VndArrayJsonStrip,
    /// `application/vnd.pgrst.object+json`; the flag is `nulls=stripped`.
    VndSingularJson(bool),
    /// `application/vnd.pgrst.plan`.
    VndPlan(Box<MediaType>, PlanFormat, Vec<PlanOption>),
}
