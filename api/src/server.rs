//! The HTTP edge: sockets, connections, and the headers every answer carries.
//!
//! What an answer says is decided in [`crate::pipeline`]; this room only carries bytes.

pub mod bind;
mod body;
mod target;
mod unbroken;

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::FutureExt;
use http::header::{CONTENT_LENGTH, HeaderValue, REFERER, RETRY_AFTER, SERVER, USER_AGENT};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};

use crate::observability::Observation;
use crate::observability::observation::Access;
use crate::pipeline;
use crate::response::PgrstResponse;
use crate::state::AppState;
use bind::{Listener, Stream};
pub use body::Body;
use target::EscapedTargets;
use unbroken::Unbroken;

/// A connection that sends no request for this long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after a failed accept, which is nearly always a lack of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Accepts connections until `stop` resolves, then closes the listening socket and returns when
/// every request under way has been answered.
pub async fn serve<H, F>(
    state: &Arc<AppState>,
    listener: Listener,
    handler: H,
    stop: impl Future<Output = ()>,
) where
    H: Fn(Request<Incoming>, Arc<str>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let builder = Arc::new(protocol());
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let watcher = connections.watcher();
                let builder = Arc::clone(&builder);
                let handler = handler.clone();
                let state = Arc::clone(state);
                tokio::spawn(async move {
                    let served = match stream {
                        Stream::Tcp(stream) => {
                            // Answers are written whole: waiting for more to send only adds latency.
                            let _ = stream.set_nodelay(true);
                            let io = TokioIo::new(EscapedTargets::new(stream));
                            connection(&builder, io, handler, peer, watcher).await
                        }
                        Stream::Unix(stream) => {
                            let io = TokioIo::new(EscapedTargets::new(stream));
                            connection(&builder, io, handler, peer, watcher).await
                        }
                    };
                    if let Err(error) = served {
                        state.observer().observe(&Observation::HttpServer(&error.to_string()));
                    }
                });
            }
            Err(error) => {
                state.observer().observe(&Observation::HttpServer(&error.to_string()));
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// How HTTP is spoken.
fn protocol() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        // A client that sent its request and closed its sending half still wants the answer.
        .half_close(true)
        // Names are matched in any case, but scripts that search for `Content-Range:` are not rare.
        .title_case_headers(true);
    builder.http2().timer(TokioTimer::new());
    builder
}

async fn connection<I, H, F>(
    builder: &auto::Builder<TokioExecutor>,
    io: I,
    handler: H,
    peer: Arc<str>,
    watcher: Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    H: Fn(Request<Incoming>, Arc<str>) -> F + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(move |request| {
        // A client that goes away must not cut a transaction in half.
        let answer = Unbroken::new(handler(request, Arc::clone(&peer)));
        async move {
            let response = AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
                let mut response = Response::new(Body::default());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            });
            Ok::<_, Infallible>(response)
        }
    });
    watcher.watch(builder.serve_connection(io, service).into_owned()).await
}

/// Answers one API request: the pipeline's answer plus what every answer carries.
pub async fn api<B>(state: Arc<AppState>, request: Request<B>, peer: Arc<str>) -> Response<Body>
where
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    if let Some(mut response) = pipeline::preflight(&state.config(), &parts) {
        pipeline::finish(&state.config(), &parts, &mut response);
        return with_server_header(into_http(response));
    }
    let outcome = AssertUnwindSafe(pipeline::answer(&state, &parts, body)).catch_unwind().await;
    let (mut response, role) = match outcome {
        Ok(outcome) => (outcome.response, outcome.role),
        Err(_) => (pipeline::internal_error(), None),
    };

    let length = response.headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    state.observer().observe(&Observation::Response(Access {
        role: role.as_deref(),
        peer: &peer,
        method: &parts.method,
        target: parts.uri.path_and_query().map_or("/", |it| it.as_str()),
        version: parts.version,
        status: response.status,
        length,
        referer: parts.headers.get(REFERER).map_or(b"", HeaderValue::as_bytes),
        user_agent: parts.headers.get(USER_AGENT).map_or(b"", HeaderValue::as_bytes),
    }));

    // An answer that says itself when to ask again has another reason than the database.
    if response.status == StatusCode::SERVICE_UNAVAILABLE && !response.headers.contains_key(RETRY_AFTER) {
        state.database_seems_down();
        response.headers.insert(RETRY_AFTER, HeaderValue::from(state.retry_after()));
    }
    let conf = state.config();
    pipeline::finish(&conf, &parts, &mut response);

    with_server_header(into_http(response))
}

fn into_http(response: PgrstResponse) -> Response<Body> {
    let body = match response.spooled {
        Some(spooled) => Body::spooled(spooled),
        None => Body::new(response.body),
    };
    let mut reply = Response::new(body);
    *reply.status_mut() = response.status;
    *reply.headers_mut() = response.headers;
    // Only HTTP/1 has reason phrases; one that it cannot carry is left out.
    if let Some(reason) = response.reason.and_then(|it| ReasonPhrase::try_from(it.into_bytes()).ok()) {
        reply.extensions_mut().insert(reason);
    }
    reply
}

/// Names the server, unless the answer does so itself.
pub fn with_server_header(mut response: Response<Body>) -> Response<Body> {
    static NAME: LazyLock<HeaderValue> = LazyLock::new(|| {
        let name = format!("postgrest/{}", crate::version::pretty());
        HeaderValue::from_str(&name).expect("versions are ASCII")
    });
    if !response.headers().contains_key(SERVER) {
        response.headers_mut().insert(SERVER, NAME.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// What a client that sends `request` gets from a server that answers with what it saw: target, then body.
    async fn exchange(request: &[u8]) -> String {
        let (client, server) = tokio::io::duplex(1024);
        talk(request, client, EscapedTargets::new(server)).await
    }

    async fn talk<S>(request: &[u8], mut client: tokio::io::DuplexStream, server: S) -> String
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let handler = |request: Request<Incoming>, _: Arc<str>| async move {
            let target = request.uri().to_string();
            let mut seen = target.into_bytes();
            match http_body_util::BodyExt::collect(request.into_body()).await {
                Ok(body) => seen.extend_from_slice(&body.to_bytes()),
                Err(error) => seen.extend_from_slice(error.to_string().as_bytes()),
            }
            Response::new(Body::from(seen))
        };
        let connections = GracefulShutdown::new();
        let watcher = connections.watcher();
        let io = TokioIo::new(server);
        let served = tokio::spawn(async move {
            let _ = connection(&protocol(), io, handler, "".into(), watcher).await;
        });
        // A server that has understood enough to refuse does not listen to the end.
        let _ = client.write_all(request).await;
        let _ = client.shutdown().await;
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        served.await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        answer.split_inclusive('\n').filter(|line| !line.starts_with("Date: ")).collect()
    }

    proptest::proptest! {
        /// Where hyper sees a body or a header, the escaping sees one as well: a message that changed its
        /// length on the way in would be a way to smuggle another one behind it.
        #[test]
        fn only_targets_are_touched(
            requests in "((GET|POST) /[a-c]{0,3} HTTP/1\\.[01]\r?\n((Content-Length: [+ ]?[0-9]|Transfer-Encoding: (x|gzip, ?)?chunked ?|Transfer-Encoding: identity|X: \"<>| Content-Length: 3|Content-Length : 2)\r?\n){0,3} ?\r?\n([+ ]?[0-3](;a=\">\")?\r?\n)?[>\"\r\n 0]{0,9}){1,3}"
        ) {
            // What follows a message as a request line may be escaped; nothing else may.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (escaped, plain) = runtime.block_on(async {
                let (client, server) = tokio::io::duplex(1024);
                let plain = talk(requests.as_bytes(), client, server).await;
                (exchange(requests.as_bytes()).await, plain)
            });
            proptest::prop_assert_eq!(escaped, plain);
        }
    }

    #[tokio::test]
    async fn unescaped_targets_are_understood() {
        let answer = exchange(b"GET /a?select=b->>c HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nContent-Length: 19\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n/a?select=b-%3E%3Ec"), "{answer}");
    }

    #[tokio::test]
    async fn what_is_not_http_is_told_so() {
        for garbage in [
            &b"GARBAGE\r\n\r\n"[..],
            b"GET /a b HTTP/1.1\r\n\r\n",
            b"GET /\xe9 HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        ] {
            let answer = exchange(garbage).await;
            assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{garbage:?}: {answer}");
        }
    }
}
