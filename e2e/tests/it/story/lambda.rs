//! As much of Lambda as the story needs: a function's process behind a Runtime API.

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use e2e::programs;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

/// What API Gateway allows an integration.
const TIMEOUT: Duration = Duration::from_secs(29);

/// A function's process; it ends with the value.
pub(super) struct Function {
    invocations: mpsc::UnboundedSender<(String, oneshot::Sender<Value>)>,
    _process: Child,
}

struct Runtime {
    next: AsyncMutex<mpsc::UnboundedReceiver<(String, oneshot::Sender<Value>)>>,
    running: Mutex<HashMap<String, oneshot::Sender<Value>>>,
}

impl Function {
    /// Starts one with its variables.
    pub(super) async fn start(variables: &BTreeMap<String, String>) -> Self {
        let (invocations, next) = mpsc::unbounded_channel();
        let runtime = Arc::new(Runtime { next: AsyncMutex::new(next), running: Mutex::default() });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_invocation))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .with_state(runtime);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let process = Command::new(programs::path("pgapp-lambda").expect("the program"))
            .env_clear()
            .envs(variables)
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "story")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the function starts");
        Self { invocations, _process: process }
    }

    /// Its answer to an event, if there is one in time.
    pub(super) async fn invoke(&self, event: &Value) -> Option<Value> {
        let (done, answered) = oneshot::channel();
        self.invocations.send((event.to_string(), done)).ok()?;
        tokio::time::timeout(TIMEOUT, answered).await.ok()?.ok()
    }
}

async fn next_invocation(State(runtime): State<Arc<Runtime>>) -> Response {
    let Some((event, done)) = runtime.next.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let mut running = runtime.running.lock().unwrap_or_else(PoisonError::into_inner);
    let id = format!("invocation-{:016x}", rand::random::<u64>());
    running.insert(id.clone(), done);
    let deadline = SystemTime::now() + TIMEOUT;
    let millis = deadline.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_millis());
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:story".to_owned();
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", millis.to_string()),
        ("lambda-runtime-invoked-function-arn", arn),
    ];
    (headers, event).into_response()
}

async fn response(State(runtime): State<Arc<Runtime>>, Path(id): Path<String>, body: String) -> StatusCode {
    let mut running = runtime.running.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(done) = running.remove(&id) else { return StatusCode::BAD_REQUEST };
    let _ = done.send(serde_json::from_str(&body).unwrap_or_default());
    StatusCode::ACCEPTED
}
