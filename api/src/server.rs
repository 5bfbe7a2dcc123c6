//! The HTTP edge: sockets, connections, and the headers every answer carries.
//!
//! What an answer says is decided in [`crate::pipeline`]; this room only carries bytes.

pub mod bind;
mod body;
mod connections;
mod limits;
mod line;
mod receiving;
mod sending;
mod target;
mod unbroken;

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, REFERER, RETRY_AFTER, SERVER, USER_AGENT};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::mpsc;

use crate::client::Disconnect;
use crate::observability::Observation;
use crate::observability::observation::Access;
use crate::pipeline;
use crate::response::PgrstResponse;
use crate::state::AppState;
use bind::{Listener, Stream};
pub use body::Body;
use connections::{Activity, Connections, Order, Slot};
pub use limits::{Limits, raise_descriptors};
use line::{Line, Socket};
pub use receiving::Receiving;
use sending::Sending;
use unbroken::Unbroken;

/// Pause after a failed accept, which is nearly always a lack of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// A failed accept is told this often at most.
const ACCEPT_QUIET: Duration = Duration::from_secs(10);
/// A client of HTTP/2 is asked this often whether it is there, and has as long to say so.
const PING: Duration = Duration::from_secs(20);

/// The body of a request, as handlers get it.
pub type RequestBody = Receiving<Incoming>;

/// Accepts connections until `stop` resolves, then closes the listening socket and returns when every request under
/// way has been answered and every handler has ended, or when the limit for that is over.
pub async fn serve<H, F>(
    state: &Arc<AppState>,
    listener: Listener,
    limits: Limits,
    handler: H,
    stop: impl Future<Output = ()>,
) where
    H: Fn(Request<RequestBody>, Arc<str>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let builder = Arc::new(protocol(&limits));
    let connections = Connections::new(limits);
    let (work, mut all_done) = mpsc::channel(1);
    // What the system has not sent yet when a connection is closed is bounded as well.
    let _ = listener.give_up_sending_after(limits.write);
    let mut told: Option<Instant> = None;
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Who comes next waits in the kernel's queue.
                tokio::select! {
                    () = connections.room() => {}
                    () = &mut stop => break,
                }
                let server = Server { limits, handler: handler.clone(), peer, work: work.clone() };
                let (slot, builder, state) = (connections.enter(), Arc::clone(&builder), Arc::clone(state));
                tokio::spawn(async move {
                    let served = match stream {
                        Stream::Tcp(stream) => {
                            // Answers are written whole: waiting for more to send only adds latency.
                            let _ = stream.set_nodelay(true);
                            connection(&builder, stream, server, slot).await
                        }
                        Stream::Unix(stream) => connection(&builder, stream, server, slot).await,
                    };
                    if let Err(error) = served {
                        state.observer().observe(&Observation::HttpServer(&error.to_string()));
                    }
                });
            }
            Err(error) => {
                if told.is_none_or(|it| it.elapsed() > ACCEPT_QUIET) {
                    told = Some(Instant::now());
                    state.observer().observe(&Observation::HttpServer(&error.to_string()));
                }
                connections.make_room();
                tokio::select! {
                    () = tokio::time::sleep(ACCEPT_RETRY) => {}
                    () = &mut stop => break,
                }
            }
        }
    }
    drop((listener, work));
    let now = tokio::time::Instant::now();
    let deadline = now.checked_add(limits.shutdown).unwrap_or(now + Duration::from_secs(86_400));
    connections.stop(deadline).await;
    // Writes whose clients have left.
    let _ = tokio::time::timeout_at(deadline, all_done.recv()).await;
}

/// How HTTP is spoken. Deadlines are kept by [`connections`], which sees both protocols.
fn protocol(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    limits.apply_to_heads(&mut builder);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // Names are matched in any case, but scripts that search for `Content-Range:` are not rare.
        .title_case_headers(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(u32::try_from(limits.streams).unwrap_or(u32::MAX));
    builder
}

/// What answers the requests of a connection.
struct Server<H> {
    limits: Limits,
    handler: H,
    peer: Arc<str>,
    /// Kept by whatever has to end before the process does.
    work: mpsc::Sender<()>,
}

async fn connection<S, H, F>(
    builder: &auto::Builder<TokioExecutor>,
    socket: S,
    server: Server<H>,
    slot: Slot,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: Socket,
    H: Fn(Request<RequestBody>, Arc<str>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let io = TokioIo::new(Line::new(socket, Arc::clone(&slot.activity)));
    let activity = Arc::clone(&slot.activity);
    let service = service_fn(move |request| answer(&server, &activity, request));
    let mut served = pin!(builder.serve_connection(io, service));
    loop {
        tokio::select! {
            biased;
            outcome = served.as_mut() => return outcome,
            order = slot.activity.ordered() => match order {
                Order::Finish => served.as_mut().graceful_shutdown(),
                Order::Cut => return Ok(()),
            },
        }
    }
}

/// Has a request answered, to its end: a client that goes away must not cut a transaction in half.
fn answer<H, F>(
    server: &Server<H>,
    activity: &Arc<Activity>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Sending>, Infallible>> + use<H, F>
where
    H: Fn(Request<RequestBody>, Arc<str>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let is_http2 = request.version() == Version::HTTP_2;
    let running = activity.begin(is_http2);
    let (handler, peer, work) = (server.handler.clone(), Arc::clone(&server.peer), server.work.clone());
    let limit = server.limits.body;
    async move {
        let activity = Arc::clone(running.activity());
        let waiting = Waiting { disconnect: Disconnect::default(), activity, is_over: false };
        let response = if is_unclear_for_whom(&request) {
            let mut response = Response::new(Body::default());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            if !is_http2 {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        } else {
            // A client that gives up requests has not the right to more of them at once.
            let place = match is_http2 {
                true => Arc::clone(&waiting.activity.streams).acquire_owned().await.ok(),
                false => None,
            };
            let mut request = request.map(|body| Receiving::new(body, limit));
            request.extensions_mut().insert(waiting.disconnect.clone());
            let answer = Unbroken::new(async move {
                let answer = handler(request, peer).await;
                drop((place, work));
                answer
            });
            AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
                let mut response = Response::new(Body::default());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            })
        };
        waiting.end();
        Ok(response.map(|body| Sending::new(body, running, is_http2)))
    }
}

/// HTTP/1.1 demands one `Host`, so that whoever stands between client and server agrees with them on whom a request is
/// for.
fn is_unclear_for_whom<B>(request: &Request<B>) -> bool {
    let n_hosts = request.headers().get_all(HOST).iter().count();
    n_hosts > 1 || (n_hosts == 0 && request.version() == Version::HTTP_11)
}

/// A client that waits for an answer; one that drops this before has left.
struct Waiting {
    disconnect: Disconnect,
    activity: Arc<Activity>,
    is_over: bool,
}

impl Waiting {
    fn end(mut self) {
        self.activity.answered();
        self.is_over = true;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_over {
            self.disconnect.note();
            self.activity.given_up();
        }
    }
}

/// Answers one API request: the pipeline's answer plus what every answer carries.
pub async fn api<B>(state: Arc<AppState>, request: Request<B>, peer: Arc<str>) -> Response<Body>
where
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    // One snapshot for the whole request: a reload in between must not mix two configurations.
    let basis = state.basis();
    let conf = &*basis.conf;
    if let Some(mut response) = pipeline::preflight(conf, &parts) {
        pipeline::finish(conf, &parts, &mut response);
        return with_server_header(into_http(response));
    }
    let outcome = AssertUnwindSafe(pipeline::answer(&state, &basis, &parts, body)).catch_unwind().await;
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
    pipeline::finish(conf, &parts, &mut response);

    with_server_header(into_http(response))
}

fn into_http(response: PgrstResponse) -> Response<Body> {
    let body = match (response.spooled, response.stream) {
        (_, Some(stream)) => Body::streamed(stream),
        (Some(spooled), None) => Body::spooled(spooled),
        (None, None) => Body::new(response.body),
    };
    let body = match response.coding {
        Some(coding) => body.coded(coding),
        None => body,
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

    impl Socket for tokio::io::DuplexStream {
        fn failure(&self) -> Option<std::io::Error> {
            None
        }
    }

    /// What a client that sends `request` gets from a server that answers with what it saw: target, then body.
    async fn exchange(request: &[u8]) -> String {
        let (client, server) = tokio::io::duplex(1024);
        talk(request, client, |slot| Line::new(server, Arc::clone(&slot.activity))).await
    }

    /// The same without anything between the socket and hyper.
    async fn exchange_plainly(request: &[u8]) -> String {
        let (client, server) = tokio::io::duplex(1024);
        talk(request, client, |_| server).await
    }

    async fn talk<S>(
        request: &[u8],
        mut client: tokio::io::DuplexStream,
        line: impl FnOnce(&Slot) -> S,
    ) -> String
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let handler = |request: Request<RequestBody>, _: Arc<str>| async move {
            let target = request.uri().to_string();
            let mut seen = target.into_bytes();
            match http_body_util::BodyExt::collect(request.into_body()).await {
                Ok(body) => seen.extend_from_slice(&body.to_bytes()),
                Err(error) => seen.extend_from_slice(error.to_string().as_bytes()),
            }
            Response::new(Body::from(seen))
        };
        let limits = Limits::api(&crate::config::AppConfig::default());
        let slot = Connections::new(limits).enter();
        let io = TokioIo::new(line(&slot));
        let server = Server { limits, handler, peer: "".into(), work: mpsc::channel(1).0 };
        let served = tokio::spawn(async move {
            let builder = protocol(&limits);
            let activity = Arc::clone(&slot.activity);
            let service = service_fn(move |request| answer(&server, &activity, request));
            let mut plain = builder;
            // A line hides the end of what a client sends until the client has its answer; so does this.
            plain.http1().half_close(true);
            let _ = plain.serve_connection(io, service).await;
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

    /// The text with `\r` before each `\n`.
    fn ends_of_lines(text: &str) -> String {
        text.replace("\r\n", "\n").replace('\n', "\r\n")
    }

    proptest::proptest! {
        /// Where hyper sees a body or a header, the escaping sees one as well: a message that changed its
        /// length on the way in would be a way to smuggle another one behind it.
        #[test]
        fn only_targets_are_touched(
            requests in "((GET|POST) /[a-c]{0,3} HTTP/1\\.[01]\r\nHost: x\r\n((Content-Length: [+ ]?[0-9]|Transfer-Encoding: (x|gzip, ?)?chunked ?|Transfer-Encoding: identity|X: \"<>| Content-Length: 3|Content-Length : 2)\r\n){0,3} ?\r\n([+ ]?[0-3](;a=\">\")?\r?\n)?[>\"\r\n 0]{0,9}){1,3}"
        ) {
            // What follows a message as a request line may be escaped; nothing else may. Hyper takes a bare line feed
            // for the end of a line, which is refused here.
            let requests = ends_of_lines(&requests);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (escaped, plain) = runtime.block_on(async {
                let plain = exchange_plainly(requests.as_bytes()).await;
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
            // Where one ends and for whom it is, everybody has to see in the same way.
            b"GET / HTTP/1.1\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\n",
            b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        ] {
            let answer = exchange(garbage).await;
            assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{garbage:?}: {answer}");
        }
        // An older client may leave out for whom it asks, and may not say it twice.
        let answer = exchange(b"GET / HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.0 400 "), "{answer}");
        assert!(exchange(b"GET /a HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200 "));
    }
}
