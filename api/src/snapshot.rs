//! The schema cache and all else that a start asks the database for, as a file: a start that has it asks nothing.
//!
//! Pure but for reading the file. A snapshot counts only for the program version and the settings that it was made
//! with; whether the database has changed since cannot be told from here, so whoever uses one has to read the catalog
//! again where a request meets something that is not as it says.

use std::borrow::Cow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::AppConfig;
use crate::config::database::{DatabaseSettings, PgVersion};
use crate::schema_cache::SchemaCache;
use crate::version;

/// Version of the file's layout.
const FORMAT: u32 = 1;

/// In-database settings that are secret; they go into no file.
const SECRETS: [&str; 1] = ["jwt_secret"];

/// Why a file is no snapshot for this program.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It cannot be read.
    #[error("cannot read the schema snapshot \"{path}\": {source}")]
    Read {
        /// The file.
        path: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// It does not hold what it should.
    #[error("the schema snapshot \"{path}\" is damaged: {source}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// It was made by another version.
    #[error("the schema snapshot was made by {found}, and this is {}", made_by())]
    OtherProgram {
        /// Who made it.
        found: String,
    },
    /// It was made with other settings.
    #[error("the schema snapshot was made with {setting} = \"{found}\", and here it is \"{here}\"")]
    OtherSettings {
        /// The setting.
        setting: &'static str,
        /// As it was.
        found: String,
        /// As it is.
        here: String,
    },
}

/// What was read from a database at some moment.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot<'a> {
    /// Who made it: format and version.
    made_by: String,
    /// The settings that the cache depends on.
    settings: Vec<(Cow<'a, str>, String)>,
    /// Version of the server.
    pub pg_version: Cow<'a, PgVersion>,
    /// What the database says about the configuration.
    pub database: Cow<'a, DatabaseSettings>,
    /// What the exposed schemas offer.
    pub cache: Cow<'a, SchemaCache>,
}

/// Enough of a file to tell whether the rest can be understood.
#[derive(Deserialize)]
struct Maker {
    made_by: String,
}

impl<'a> Snapshot<'a> {
    /// A snapshot of what was read with `conf`, and the names of the in-database settings that are left out because
    /// they are secret.
    pub fn new(
        conf: &AppConfig,
        pg_version: &'a PgVersion,
        database: &DatabaseSettings,
        cache: &'a SchemaCache,
    ) -> (Self, Vec<String>) {
        let (secret, settings) = database
            .settings
            .clone()
            .into_iter()
            .partition(|(name, _): &(String, String)| SECRETS.contains(&name.as_str()));
        let secret: std::collections::HashMap<String, String> = secret;
        let mut left_out: Vec<String> = secret.into_keys().collect();
        left_out.sort_unstable();
        let database = DatabaseSettings { settings, ..database.clone() };
        let snapshot = Self {
            made_by: made_by(),
            settings: inputs(conf).map(|(name, value)| (name.into(), value)).into(),
            pg_version: Cow::Borrowed(pg_version),
            database: Cow::Owned(database),
            cache: Cow::Borrowed(cache),
        };
        (snapshot, left_out)
    }
}

impl Snapshot<'static> {
    /// Reads a file; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, SnapshotError> {
        let shown = || path.display().to_string();
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SnapshotError::Read { path: shown(), source }),
        };
        let damaged = |source| SnapshotError::Damaged { path: shown(), source };
        let maker: Maker = serde_json::from_slice(&text).map_err(damaged)?;
        if maker.made_by != made_by() {
            return Err(SnapshotError::OtherProgram { found: maker.made_by });
        }
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }

    /// Refuses a snapshot that was made with other settings than `conf`.
    pub fn check(&self, conf: &AppConfig) -> Result<(), SnapshotError> {
        for (setting, here) in inputs(conf) {
            let found =
                self.settings.iter().find(|(name, _)| name == setting).map(|(_, value)| value.as_str());
            if found != Some(&here) {
                let found = found.unwrap_or_default().to_owned();
                return Err(SnapshotError::OtherSettings { setting, found, here });
            }
        }
        Ok(())
    }
}

fn made_by() -> String {
    format!("{} with format {FORMAT}", version::full())
}

/// What [`crate::schema_cache::load`] reads of the configuration.
pub(crate) fn inputs(conf: &AppConfig) -> [(&'static str, String); 3] {
    [
        ("db-schemas", conf.db_schemas.join(",")),
        ("db-extra-search-path", conf.db_extra_search_path.join(",")),
        ("db-hoisted-tx-settings", conf.db_hoisted_tx_settings.join(",")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> PgVersion {
        PgVersion { number: 150_000, name: "15.0".to_owned(), full_name: "PostgreSQL 15.0".to_owned() }
    }

    fn written(conf: &AppConfig, settings: &[(&str, &str)]) -> (tempfile::NamedTempFile, Vec<String>) {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let database = DatabaseSettings { settings: settings.collect(), ..DatabaseSettings::default() };
        let (cache, version) = (SchemaCache::default(), version());
        let (snapshot, left_out) = Snapshot::new(conf, &version, &database, &cache);
        let file = tempfile::NamedTempFile::new().unwrap();
        serde_json::to_writer(&file, &snapshot).unwrap();
        (file, left_out)
    }

    #[test]
    fn secrets_of_the_database_stay_there() {
        let settings = [("db_max_rows", "5"), ("jwt_secret", "hush")];
        let (file, left_out) = written(&AppConfig::default(), &settings);
        assert_eq!(left_out, ["jwt_secret"]);
        assert!(!std::fs::read_to_string(file.path()).unwrap().contains("hush"));
        let read = Snapshot::read(file.path()).unwrap().unwrap();
        assert_eq!(read.database.settings.get("db_max_rows").map(String::as_str), Some("5"));
        assert_eq!(read.pg_version.number, 150_000);
    }

    #[test]
    fn a_snapshot_counts_for_its_settings_only() {
        let conf = AppConfig::default();
        let (file, _) = written(&conf, &[]);
        let read = Snapshot::read(file.path()).unwrap().unwrap();
        read.check(&conf).unwrap();
        let other = AppConfig { db_schemas: vec!["api".into(), "public".into()], ..conf };
        assert_eq!(
            read.check(&other).unwrap_err().to_string(),
            "the schema snapshot was made with db-schemas = \"public\", and here it is \"api,public\""
        );
    }

    #[test]
    fn other_files_are_refused_with_the_reason_and_none_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Snapshot::read(&dir.path().join("none")).unwrap().is_none());
        let refused = |text: &str| {
            let path = dir.path().join("file");
            std::fs::write(&path, text).unwrap();
            Snapshot::read(&path).unwrap_err().to_string()
        };
        assert!(refused("{").contains("is damaged"));
        assert!(refused(&format!("{{\"made_by\": {:?}}}", made_by())).contains("is damaged: missing field"));
        let other = refused(r#"{"made_by": "PostgREST 15.0 with format 0", "cache": 7}"#);
        assert!(
            other.starts_with("the schema snapshot was made by PostgREST 15.0 with format 0, and this is ")
        );
    }
}
