//! The REST server as a function: the same pipeline, without a port.
//!
//! A process that is frozen between invocations can neither listen for changes nor do anything in the background. So
//! the schema comes from a snapshot beside the program, which costs a start nothing; and where a request names what
//! the snapshot does not know, or the database does not know what it names, the catalog is read within that request,
//! which is then answered anew.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::json;
use tokio::time::Instant;

use super::Reply;
use super::event::HttpEvent;
use crate::config::database::DatabaseSettings;
use crate::config::load::Environment;
use crate::config::{AppConfig, ConfigError};
use crate::error::DbError;
use crate::observability::Observation;
use crate::server::{self, Body};
use crate::snapshot::{Snapshot, SnapshotError};
use crate::state::{AppState, reload};

/// Where the snapshot is, beside the program, unless `PGAPP_SCHEMA_SNAPSHOT` names another file.
pub const SNAPSHOT: &str = "schema-snapshot.json";

/// Requests for what is not there are answered from the last reading for this long, so that they cannot make each
/// other slow.
const PAUSE: Duration = Duration::from_secs(60);

/// A start of ten seconds is one that Lambda gives up; what was not read by then is read for the first request.
const START_PATIENCE: Duration = Duration::from_secs(8);

/// Bodies beyond it do not fit into Lambda's answer in any case.
const BODY_LIMIT: usize = 6 * 1024 * 1024;

/// Errors that name something that the catalog, or what we know of it, does not have.
const UNKNOWN: [&str; 7] = ["PGRST200", "PGRST202", "PGRST204", "PGRST205", "42P01", "42703", "42883"];

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// What may not stand in a target as it is. A percent sign is somebody's encoding already.
const TARGET: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
const PATH: &AsciiSet = &TARGET.add(b'?');

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The way to the database.
    #[error("{0}")]
    Database(DbError),
}

/// The server.
pub struct Rest {
    state: Arc<AppState>,
    /// What stands before every path, without slashes at its ends.
    base_path: String,
    read_at: Mutex<Option<Instant>>,
}

impl Rest {
    /// Reads settings and snapshot; without one that counts, the catalog. A database that cannot be reached is no error: it is
    /// asked again when somebody needs it.
    pub async fn start(
        environment: Environment,
        base_path: &str,
        snapshot: &Path,
    ) -> Result<Self, RestError> {
        // One request at a time needs one connection. Behind a pooler, a named statement binds the connection to it.
        let environment = environment
            .with_default("db-pool", "1")
            .with_default("db-prepared-statements", "false")
            .with("db-channel-enabled", "false")
            // The body of an event is text; API Gateway compresses by itself.
            .with("pgapp-compression", "false");
        let conf = AppConfig::load(None, &environment, DatabaseSettings::default(), None)?;
        let (conf, snapshot) = match usable(snapshot, &conf, &environment) {
            Ok(Some((conf, snapshot))) => (conf, Some(snapshot)),
            Ok(None) => {
                tracing::info!("there is no schema snapshot at {}: the catalog is read", snapshot.display());
                (conf, None)
            }
            Err(error) => {
                tracing::warn!("{error}: the catalog is read; make a new one by pgapp-api --dump-snapshot");
                (conf, None)
            }
        };
        let base_path = base_path.trim_matches('/').to_owned();
        let state = AppState::new(conf, environment).map_err(RestError::Database)?;
        state.observer().observe(&Observation::AppStart);
        let it = Self { state, base_path, read_at: Mutex::default() };
        match snapshot {
            Some(snapshot) => it.state.install(snapshot),
            None => {
                if tokio::time::timeout(START_PATIENCE, it.read_catalog()).await.is_err() {
                    tracing::warn!("the catalog was not read within {} s", START_PATIENCE.as_secs());
                }
            }
        }
        Ok(it)
    }

    /// Answers a request before `deadline`.
    pub async fn answer(&self, event: &HttpEvent, deadline: Instant) -> Reply {
        let Some(target) = self.target(event) else {
            return refusal(StatusCode::BAD_REQUEST, "The path is not one that a request can have.", "");
        };
        let work = async {
            if self.state.schema_cache().is_none() {
                self.read_catalog().await;
            }
            let response = self.ask(event, target.clone()).await;
            if is_unknown(response.headers()) && self.may_read_catalog() {
                // Refused as a whole, so that nothing is done twice.
                self.read_catalog().await;
                return whole(self.ask(event, target).await).await;
            }
            whole(response).await
        };
        tokio::time::timeout_at(deadline, work).await.unwrap_or_else(|_| {
            let hint = "The function's timeout is the limit; look before you repeat a write.";
            refusal(StatusCode::GATEWAY_TIMEOUT, "The request took too long.", hint)
        })
    }

    async fn ask(&self, event: &HttpEvent, target: Uri) -> Response<Body> {
        let mut request = Request::new(Full::new(event.body.clone()));
        *request.method_mut() = event.method.clone();
        *request.uri_mut() = target;
        *request.headers_mut() = event.headers.clone();
        server::api(Arc::clone(&self.state), request, event.peer.as_str().into()).await
    }

    async fn read_catalog(&self) {
        // Whatever went wrong is in the log, and shows in the answers.
        if reload::load_schema(&self.state).await {
            *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    fn may_read_catalog(&self) -> bool {
        let read_at = self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        read_at.is_none_or(|it| it.elapsed() >= PAUSE)
    }

    /// The request's target as a standalone server would have seen it.
    fn target(&self, event: &HttpEvent) -> Option<Uri> {
        let path = without(&event.path, event.stage.as_deref().unwrap_or_default());
        let path = without(path, &self.base_path);
        let mut target = String::from(if path.starts_with('/') { "" } else { "/" });
        target.extend(utf8_percent_encode(&with_signs_encoded(path), PATH));
        if !event.query.is_empty() {
            target.push('?');
            target.extend(utf8_percent_encode(&event.query, TARGET));
        }
        target.parse().ok()
    }
}

/// A snapshot that counts here, with the configuration that its settings make.
fn usable(
    path: &Path,
    conf: &AppConfig,
    environment: &Environment,
) -> Result<Option<(AppConfig, Snapshot<'static>)>, SnapshotError> {
    let Some(snapshot) = Snapshot::read(path)? else { return Ok(None) };
    let mut conf = conf.clone();
    if conf.db_config {
        // Settings that were valid when the snapshot was made are valid now, or the environment's have changed.
        let database = snapshot.database.clone().into_owned();
        match AppConfig::load(None, environment, database, None) {
            Ok(loaded) => conf = loaded,
            Err(error) => tracing::warn!("the snapshot's settings are not valid any more: {error}"),
        }
    }
    snapshot.check(&conf)?;
    Ok(Some((conf, snapshot)))
}

/// The path behind a first segment, or behind several.
fn without<'a>(path: &'a str, prefix: &str) -> &'a str {
    let behind = || path.strip_prefix('/')?.strip_prefix(prefix);
    match behind() {
        Some(rest) if !prefix.is_empty() && (rest.is_empty() || rest.starts_with('/')) => rest,
        _ => path,
    }
}

/// Percent signs that encode nothing, encoded: some doors hand over paths that are decoded.
fn with_signs_encoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_code = part.as_bytes().get(..2).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit));
        text.push_str(if is_code { "%" } else { "%25" });
        text.push_str(part);
    }
    text
}

fn is_unknown(headers: &HeaderMap) -> bool {
    let status = headers.get(PROXY_STATUS).and_then(|it| it.to_str().ok());
    let code = status.and_then(|it| it.split("error=").nth(1));
    code.is_some_and(|it| UNKNOWN.contains(&it))
}

async fn whole(response: Response<Body>) -> Reply {
    let (parts, body) = response.into_parts();
    if hyper::body::Body::size_hint(&body).lower() > BODY_LIMIT as u64 {
        return too_large();
    }
    // How long a stream gets, nobody knows before.
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => Reply { status: parts.status, headers: parts.headers, body: body.to_bytes() },
        Err(error) if error.is::<LengthLimitError>() => too_large(),
        Err(error) => {
            tracing::error!("an answer could not be read back: {error}");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "The answer could not be read.", "")
        }
    }
}

/// The answer in place of one that Lambda does not carry.
pub(super) fn too_large() -> Reply {
    let message = "The answer is larger than a function can give.";
    refusal(StatusCode::PAYLOAD_TOO_LARGE, message, "Ask for fewer rows or columns: limit, Range, select.")
}

/// An answer of the function's own, in the shape of the server's errors.
fn refusal(status: StatusCode, message: &str, hint: &str) -> Reply {
    let hint = Some(hint).filter(|it| !it.is_empty());
    let body = json!({"code": null, "details": null, "hint": hint, "message": message}).to_string();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, json), (CONTENT_LENGTH, body.len().into())]);
    Reply { status, headers, body: Bytes::from(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_taken_off_whole() {
        let check = |path: &str, prefix: &str, expected: &str| assert_eq!(without(path, prefix), expected);
        check("/v1/todos", "v1", "/todos");
        check("/v1", "v1", "");
        check("/v1", "", "/v1");
        check("/v10/todos", "v1", "/v10/todos");
        check("/todos/v1", "v1", "/todos/v1");
        check("/shop/api/todos", "shop/api", "/todos");
        check("", "v1", "");
    }

    #[test]
    fn stray_percent_signs_are_encoded_and_codes_are_kept() {
        assert_eq!(with_signs_encoded("/a%20b/100%/50%x1/%"), "/a%20b/100%25/50%25x1/%25");
        assert_eq!(with_signs_encoded("/plain"), "/plain");
        assert_eq!(with_signs_encoded("/%\u{e4}\u{f6}"), "/%25\u{e4}\u{f6}");
    }

    #[test]
    fn only_errors_about_the_catalog_ask_for_it() {
        let check = |value: &'static str, expected: bool| {
            let headers = HeaderMap::from_iter([(PROXY_STATUS, HeaderValue::from_static(value))]);
            assert_eq!(is_unknown(&headers), expected, "{value}");
        };
        check("PostgREST; error=PGRST205", true);
        check("PostgREST; error=42P01", true);
        check("PostgREST; error=42501", false);
        check("PostgREST; error=PGRST301", false);
        assert!(!is_unknown(&HeaderMap::new()));
    }
}
