//! What the server keeps between requests changes no answer: not while the schema changes under it, and not for
//! others while a client tries to fill it.

mod bounds;
mod reloads;
mod twins;

use std::sync::Arc;

use api::config::AppConfig;
use api::config::database::DatabaseSettings;
use api::config::load::Environment;
use api::server;
use api::state::{AppState, reload};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};

/// A server without a port.
pub(super) struct App(Arc<AppState>);

/// What of an answer must be the same whoever gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl App {
    pub(super) async fn start(conf: AppConfig) -> Self {
        let app = Self(AppState::new(conf, Environment::default()).unwrap());
        app.reload().await;
        app
    }

    /// A server whose settings are read again by each reload.
    pub(super) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Environment = variables.collect();
        let conf = AppConfig::load(None, &environment, DatabaseSettings::default(), None).unwrap();
        let app = Self(AppState::new(conf, environment).unwrap());
        app.reload().await;
        app
    }

    /// Reads the catalog.
    pub(super) async fn reload(&self) {
        assert!(reload::load_schema(&self.0).await);
    }

    /// `METHOD /target`, then a header per line, then an empty line and a body.
    pub(super) async fn ask(&self, text: &str) -> Answer {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(target);
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let (head, body) = server::api(Arc::clone(&self.0), request, "test".into()).await.into_parts();
        let text = |it: &http::HeaderValue| String::from_utf8_lossy(it.as_bytes()).into_owned();
        let mut headers: Vec<_> =
            head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        headers.sort();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status.as_u16(), headers, body: String::from_utf8_lossy(&body).into_owned() }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A thorough run was asked for.
pub(super) fn thorough() -> bool {
    std::env::var_os("PGAPP_TEST_THOROUGH").is_some()
}
