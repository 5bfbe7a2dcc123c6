//! Media types of requests and responses.

use serde::Serialize;

/// Output format of an EXPLAIN plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum PlanFormat {
    /// `application/vnd.pgrst.plan+json`.
    #[serde(rename = "PlanJSON")]
    Json,
    /// `application/vnd.pgrst.plan+text`.
    #[serde(rename = "PlanText")]
    Text,
}

/// Option of an EXPLAIN plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum PlanOption {
    /// `ANALYZE`.
    #[serde(rename = "PlanAnalyze")]
    Analyze,
    /// `VERBOSE`.
    #[serde(rename = "PlanVerbose")]
    Verbose,
    /// `SETTINGS`.
    #[serde(rename = "PlanSettings")]
    Settings,
    /// `BUFFERS`.
    #[serde(rename = "PlanBuffers")]
    Buffers,
    /// `WAL`.
    #[serde(rename = "PlanWAL")]
    Wal,
}

/// A media type this server knows, or [`MediaType::Other`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(tag = "tag", content = "contents")]
pub enum MediaType {
    /// `application/json`.
    #[serde(rename = "MTApplicationJSON")]
    ApplicationJson,
    /// `application/geo+json`.
    #[serde(rename = "MTGeoJSON")]
    GeoJson,
    /// `text/csv`.
    #[serde(rename = "MTTextCSV")]
    TextCsv,
    /// `text/plain`.
    #[serde(rename = "MTTextPlain")]
    TextPlain,
    /// `text/xml`.
    #[serde(rename = "MTTextXML")]
    TextXml,
    /// `application/openapi+json`.
    #[serde(rename = "MTOpenAPI")]
    OpenApi,
    /// `application/x-www-form-urlencoded`.
    #[serde(rename = "MTUrlEncoded")]
    UrlEncoded,
    /// `application/octet-stream`.
    #[serde(rename = "MTOctetStream")]
    OctetStream,
    /// `*/*`.
    #[serde(rename = "MTAny")]
    Any,
    /// Anything else, verbatim.
    #[serde(rename = "MTOther")]
    Other(String),
    /// `application/vnd.pgrst.array+json;nulls=stripped`.
    #[serde(rename = "MTVndArrayJSONStrip")]
    VndArrayJsonStrip,
    /// `application/vnd.pgrst.object+json`; the flag is `nulls=stripped`.
    #[serde(rename = "MTVndSingularJSON")]
    VndSingularJson(bool),
    /// `application/vnd.pgrst.plan`.
    #[serde(rename = "MTVndPlan")]
    VndPlan(Box<MediaType>, PlanFormat, Vec<PlanOption>),
}
