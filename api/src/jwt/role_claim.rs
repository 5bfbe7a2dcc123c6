//! `jwt-role-claim-key`: where a token names its role.

use serde_json::{Map, Value};

use super::json_path::JsonPath;
use super::legacy_path::LegacyPath;

/// A path into the claims.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleClaim(Path);

#[derive(Debug, Clone, PartialEq)]
enum Path {
    Json(JsonPath),
    Legacy(LegacyPath),
}

impl RoleClaim {
    /// Reads a path, in JSONPath or in the syntax that came before it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match JsonPath::parse(text) {
            Ok(path) => Ok(Self(Path::Json(path))),
            Err(reason) => match LegacyPath::parse(text) {
                Some(path) => Ok(Self(Path::Legacy(path))),
                None => Err(format!("failed to parse role-claim-key value ({text}): {reason}")),
            },
        }
    }

    /// The first value the path leads to.
    pub fn evaluate(&self, claims: &Map<String, Value>) -> Option<Value> {
        match &self.0 {
            Path::Json(path) => path.first(claims),
            Path::Legacy(path) => path.evaluate(claims),
        }
    }

    /// The path, written out in its own syntax.
    pub fn text(&self) -> String {
        match &self.0 {
            Path::Json(path) => path.to_string(),
            Path::Legacy(path) => path.dump(),
        }
    }

    /// The path as a configuration file would write it, before quoting.
    pub fn dump(&self) -> String {
        self.text().replace('$', "$$")
    }

    /// Written in the old syntax.
    pub fn is_deprecated(&self) -> bool {
        matches!(self.0, Path::Legacy(_))
    }
}

impl Default for RoleClaim {
    /// `$.role`.
    fn default() -> Self {
        Self(Path::Json(JsonPath::key("role")))
    }
}
