//! Puts the sources together: file, then environment, then database, the later ones winning.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::database::DatabaseSettings;
use super::file;
use super::keys::{self, Key};
use super::misspelt;
use super::value::{Found, Value};
use super::{AppConfig, ConfigError};
use crate::jwt::keys::KeySet;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// The process environment, as far as it concerns the configuration.
#[derive(Debug, Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The variables of this process. Bytes that are not UTF-8 are replaced.
    pub fn of_process() -> Self {
        let lossy = |it: std::ffi::OsString| it.to_string_lossy().into_owned();
        Self(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect())
    }

    /// The same with a setting, in place of the one there may be.
    #[must_use]
    pub fn with(mut self, setting: &str, value: &str) -> Self {
        self.0.insert(Key::env_name(setting), value.to_owned());
        self
    }

    /// The same with a setting, unless there is one.
    #[must_use]
    pub fn with_default(mut self, setting: &str, value: &str) -> Self {
        self.0.entry(Key::env_name(setting)).or_insert_with(|| value.to_owned());
        self
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl AppConfig {
    /// Reads the configuration anew.
    ///
    /// `previous` is the configuration that a reload replaces: the connection string stays what it
    /// was, and a secret that came through a pipe, which can be read only once, is kept.
    pub fn load(
        path: Option<&Path>,
        env: &Environment,
        database: DatabaseSettings,
        previous: Option<&AppConfig>,
    ) -> Result<Self, ConfigError> {
        let file = match path {
            Some(path) => file::load(path, &|name| env.get(name)).map_err(ConfigError::Invalid)?,
            None => BTreeMap::new(),
        };
        let mut conf = AppConfig { file_path: path.map(Into::into), ..AppConfig::default() };
        for key in keys::all() {
            let mut names: Vec<&str> = std::iter::once(key.name).chain(key.aliases.iter().copied()).collect();
            if key.alias_first {
                names.rotate_left(1);
            }
            let found = find(&names, &file, env, &database.settings);
            (key.read)(&mut conf, &found).map_err(ConfigError::Invalid)?;
        }
        let internal = |name| find(&[name], &file, env, &HashMap::new()).integer();
        conf.internal_schema_cache_query_sleep_before =
            internal("internal-schema-cache-query-sleep-before-queries");
        conf.internal_schema_cache_query_sleep = internal("internal-schema-cache-query-sleep");
        // Port 0 stands for any free one, so two of them are not the same.
        if conf.server_port != 0 && conf.admin_server_port == Some(i64::from(conf.server_port)) {
            return Err(ConfigError::Invalid("admin-server-port cannot be the same as server-port".into()));
        }
        conf.unknown_settings = misspelt::find(file.keys(), env.0.keys());
        conf.app_settings = app_settings(&file, env);
        conf.role_settings = database.role_settings;
        conf.role_isolation = database.role_isolation;
        (conf.db_uri, conf.db_uri_file) = match previous {
            Some(previous) => (previous.db_uri.clone(), previous.db_uri_file.clone()),
            None => uri_from_file(conf.db_uri)?,
        };
        read_secret(&mut conf, previous)?;
        conf.jwt_keys = match &conf.jwt_secret {
            Some(secret) => Some(KeySet::parse(secret).map_err(ConfigError::Secret)?),
            None => None,
        };
        Ok(conf)
    }
}

fn find(
    names: &[&str],
    file: &file::Settings,
    env: &Environment,
    database: &HashMap<String, String>,
) -> Found {
    let lookup = |name: &&str| {
        let override_ = database.get(&Key::db_name(name)).cloned().or_else(|| env.get(&Key::env_name(name)));
        override_.map(Value::String).or_else(|| file.get(*name).cloned())
    };
    Found(names.iter().filter_map(lookup).collect())
}

fn app_settings(file: &file::Settings, env: &Environment) -> Vec<(String, String)> {
    let mut settings: BTreeMap<String, String> = file
        .iter()
        .filter(|(name, _)| name.starts_with("app.settings."))
        .map(|(name, value)| (name.clone(), value.text()))
        .collect();
    for (name, value) in &env.0 {
        if let Some(own) = name.strip_prefix("PGRST_APP_SETTINGS_") {
            settings.insert(format!("app.settings.{own}"), value.clone());
        }
    }
    settings.into_iter().collect()
}

/// The connection string, and the file that it was read from.
fn uri_from_file(uri: String) -> Result<(String, Option<PathBuf>), ConfigError> {
    match uri.strip_prefix('@') {
        None => Ok((uri, None)),
        Some(path) => {
            let bytes = read_referenced("db-uri", path)?;
            // What comes through a pipe comes once.
            let file = std::fs::metadata(path).is_ok_and(|it| it.is_file()).then(|| PathBuf::from(path));
            Ok((String::from_utf8_lossy(&bytes).trim().to_owned(), file))
        }
    }
}

fn read_secret(conf: &mut AppConfig, previous: Option<&AppConfig>) -> Result<(), ConfigError> {
    let Some(mut secret) = conf.jwt_secret.take() else { return Ok(()) };
    if let Some(path) = secret.strip_prefix(b"@") {
        let path = String::from_utf8_lossy(path).into_owned();
        let piped = std::fs::metadata(&path).is_ok_and(|it| {
            let kind = it.file_type();
            kind.is_fifo() || kind.is_socket() || kind.is_char_device()
        });
        if let (true, Some(previous)) = (piped, previous) {
            conf.jwt_secret.clone_from(&previous.jwt_secret);
            return Ok(());
        }
        secret = read_referenced("jwt-secret", &path)?;
        if secret.last() == Some(&b'\n') {
            secret.pop();
        }
    }
    if conf.jwt_secret_is_base64 {
        secret = decode_base64(&secret)?;
    }
    conf.jwt_secret = Some(secret);
    Ok(())
}

fn read_referenced(setting: &'static str, path: &str) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError::ReadReferenced {
        setting,
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Base64, also in the alphabet of URLs, and with `.` for `=`.
fn decode_base64(secret: &[u8]) -> Result<Vec<u8>, ConfigError> {
    let standard: Vec<u8> = secret
        .trim_ascii()
        .iter()
        .map(|it| match it {
            b'_' => b'/',
            b'-' => b'+',
            b'.' => b'=',
            other => *other,
        })
        .collect();
    BASE64.decode(standard).map_err(|error| {
        ConfigError::Secret(format!(
            "jwt-secret is not valid Base64, which jwt-secret-is-base64 asks for: {error}"
        ))
    })
}
