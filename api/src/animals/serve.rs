//! The animals app on a port of this machine: the same answers as behind API Gateway.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::App;
use super::answer::Answer;

/// What Lambda takes at most.
const BODY_LIMIT: usize = 6 * 1024 * 1024;

/// Time to answer in; API Gateway's is 29 s.
const PATIENCE: Duration = Duration::from_secs(28);

/// A connection that sends no request for this long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until a signal, then answers what is under way.
pub fn run(app: &Arc<App>, host: &str, port: u16) -> io::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind((host, port)).await?;
        tracing::info!(address = %listener.local_addr()?, "listening");
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // HTTP/1 alone, as behind API Gateway: telling the versions apart would have no deadline.
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
        let connections = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Nearly always a lack of file descriptors, which others give back.
                    tracing::error!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let app = Arc::clone(app);
            let service = service_fn(move |request| {
                let app = Arc::clone(&app);
                async move { Ok::<_, std::convert::Infallible>(answer(&app, request).await) }
            });
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            let watched = connections.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = watched.await {
                    tracing::debug!(%error, "a connection broke");
                }
            });
        }
        drop(listener);
        connections.shutdown().await;
        Ok(())
    })
}

async fn answer(app: &App, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let deadline = Instant::now() + PATIENCE;
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let body = tokio::time::timeout_at(deadline, Limited::new(body, BODY_LIMIT).collect());
    let body = body.await.unwrap_or_else(|late| Err(late.into()));
    let answer = match body {
        Ok(body) => app.answer(&parts.method, parts.uri.path(), query, &body.to_bytes(), deadline).await,
        Err(error) if error.is::<LengthLimitError>() => {
            Answer::message(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.")
        }
        Err(_) => Answer::message(StatusCode::BAD_REQUEST, "The request body could not be read."),
    };
    tracing::info!(method = %parts.method, path = parts.uri.path(), status = answer.status.as_u16(), "answered");
    let mut response = Response::new(Full::from(answer.body.clone()));
    *response.status_mut() = answer.status;
    for (name, value) in answer.headers() {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
