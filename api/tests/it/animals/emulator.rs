//! Lambda's Runtime API, as far as a function meets it, with the function's process behind it.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};

/// What comes of an invocation: the function's answer, or what it reported as an error.
type Outcome = Result<Value, String>;

struct Invocation {
    id: String,
    payload: String,
    deadline: SystemTime,
    done: oneshot::Sender<Outcome>,
}

struct Shared {
    next: AsyncMutex<mpsc::UnboundedReceiver<Invocation>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
    first_call: watch::Sender<Option<Instant>>,
}

/// A function with its runtime.
pub(crate) struct Function {
    invocations: mpsc::UnboundedSender<Invocation>,
    first_call: watch::Receiver<Option<Instant>>,
    started: Instant,
    lines: Arc<Mutex<Vec<String>>>,
    n_invocations: std::sync::atomic::AtomicU32,
    child: AsyncMutex<Child>,
}

/// The trace that every invocation is part of.
pub(crate) const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";

impl Function {
    /// Starts `pgapp-lambda` with these variables and the ones of the runtime.
    pub(crate) async fn start(variables: &[(&'static str, String)]) -> Self {
        let (invocations, next) = mpsc::unbounded_channel();
        let (first_call_sender, first_call) = watch::channel(None);
        let shared = Arc::new(Shared {
            next: AsyncMutex::new(next),
            waiting: Mutex::default(),
            first_call: first_call_sender,
        });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_invocation))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            // What Lambda takes.
            .layer(axum::extract::DefaultBodyLimit::max(6 * 1024 * 1024 + 100))
            .with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });

        let started = Instant::now();
        // The artifact of `cargo xtask lambda build`, unpacked, goes through the same tests when it is named.
        let program = std::env::var("PGAPP_LAMBDA_BIN");
        let program = program.unwrap_or_else(|_| env!("CARGO_BIN_EXE_pgapp-lambda").to_owned());
        let mut child = Command::new(program)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "animals")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .kill_on_drop(true)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let collected = Arc::clone(&lines);
        tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                collected.lock().unwrap().push(line);
            }
        });
        let n_invocations = 0.into();
        Self { invocations, first_call, started, lines, n_invocations, child: AsyncMutex::new(child) }
    }

    /// Invokes the function with an event, which has `time` to be answered.
    pub(crate) async fn invoke(&self, payload: String, time: Duration) -> Outcome {
        let id = self.n_invocations.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (done, outcome) = oneshot::channel();
        let deadline = SystemTime::now() + time;
        let id = format!("invocation-{id}");
        assert!(self.invocations.send(Invocation { id, payload, deadline, done }).is_ok());
        let answered = tokio::time::timeout(time + Duration::from_secs(30), outcome).await;
        answered.unwrap_or_else(|_| panic!("no answer; the log: {:?}", self.log())).unwrap()
    }

    /// From the start of the process to its first call of the runtime.
    pub(crate) async fn init_time(&mut self) -> Duration {
        let first_call = self.first_call.wait_for(Option::is_some).await.unwrap();
        first_call.unwrap() - self.started
    }

    /// The log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    }

    /// The first line about `message`, once it is there.
    pub(crate) async fn logged(&self, message: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(line) = self.log().into_iter().find(|it| it["fields"]["message"] == message) {
                return line;
            }
            assert!(Instant::now() < deadline, "no {message:?} in {:?}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether the process has not ended.
    pub(crate) async fn is_running(&self) -> bool {
        self.child.lock().await.try_wait().unwrap().is_none()
    }
}

async fn next_invocation(State(shared): State<Arc<Shared>>) -> Response {
    shared.first_call.send_if_modified(|it| it.is_none() && it.replace(Instant::now()).is_none());
    let Some(invocation) = shared.next.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let Invocation { id, payload, deadline, done } = invocation;
    shared.waiting.lock().unwrap().insert(id.clone(), done);
    let mut headers = HeaderMap::new();
    let millis = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", millis.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:123456789012:function:animals".to_owned(),
        ),
        ("lambda-runtime-trace-id", TRACE.to_owned()),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    (headers, payload).into_response()
}

async fn response(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    finish(&shared, &id, Ok(serde_json::from_slice(&body).unwrap()))
}

async fn error(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    finish(&shared, &id, Err(String::from_utf8_lossy(&body).into_owned()))
}

fn finish(shared: &Shared, id: &str, outcome: Outcome) -> StatusCode {
    match shared.waiting.lock().unwrap().remove(id) {
        Some(done) => {
            // Whoever asked may have stopped waiting.
            let _ = done.send(outcome);
            StatusCode::ACCEPTED
        }
        None => StatusCode::BAD_REQUEST,
    }
}
