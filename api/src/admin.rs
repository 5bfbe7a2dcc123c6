//! The admin server: health checks and metrics, on its own address.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};

use crate::config::dump;
use crate::server::{Body, with_server_header};
use crate::state::{AppState, CacheStatus};

/// Whether the API server accepts connections.
pub type Liveness = Arc<dyn Fn() -> bool + Send + Sync>;

/// Answers a request.
pub async fn answer<B>(state: Arc<AppState>, request: Request<B>, is_live: Liveness) -> Response<Body> {
    match request.uri().path().trim_matches('/') {
        "live" => reply(
            if is_live() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR },
            None,
            String::new(),
        ),
        "ready" => {
            let loaded = *state.cache_status().borrow() == CacheStatus::Loaded;
            let status = if !loaded || !state.is_ready().await {
                StatusCode::SERVICE_UNAVAILABLE
            } else if is_live() {
                StatusCode::OK
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            };
            reply(status, None, String::new())
        }
        "config" => {
            reply(StatusCode::OK, Some("text/plain; charset=utf-8"), dump::dump_redacted(&state.config()))
        }
        "schema_cache" => {
            // Serialising plain data cannot fail; an empty body is what there is before the first load.
            let json = state.schema_cache().and_then(|it| it.to_json().ok());
            reply(StatusCode::OK, None, json.unwrap_or_default())
        }
        "metrics" => reply(
            StatusCode::OK,
            Some("text/plain; charset=utf-8"),
            state.observer().render_metrics(state.pool().metrics(), &state.caches()),
        ),
        _ => reply(StatusCode::NOT_FOUND, None, String::new()),
    }
}

fn reply(status: StatusCode, content_type: Option<&'static str>, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    with_server_header(response)
}
