//! The kinds of database that this crate sets up. Where such a database runs (a laptop, RDS, ECS) is the caller's
//! business: the same steps serve every place.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A kind of database; each has its own folder below `sql/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The system of record, reached by the custom database through `postgres_fdw`.
    Origin,
    /// The database that the REST server serves.
    Custom,
    /// The database of the serverless deployment, reached with IAM tokens.
    Aurora,
}

impl Target {
    /// Every target, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Origin, Self::Custom, Self::Aurora];

    /// The name of the folder below `sql/`, which is also the name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Custom => "custom",
            Self::Aurora => "aurora",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| format!("unknown target \"{text}\", expected one of origin, custom, aurora"))
    }
}
