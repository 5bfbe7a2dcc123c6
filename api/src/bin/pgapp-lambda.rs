//! The Lambda function: the animals app, or the whole REST server.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use api::animals::answer::Answer;
use api::animals::settings::Settings;
use api::animals::{App, log};
use api::config::load::Environment;
use api::lambda::event::{self, Door, HttpEvent};
use api::lambda::rest::{Rest, SNAPSHOT};
use api::lambda::{Reply, payload};
use http::StatusCode;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Kept back from an invocation's time, to send the answer in.
const RESERVE: Duration = Duration::from_millis(500);

/// Variables without which the runtime's client would panic.
const RUNTIME: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// What answers.
enum Served {
    Animals(Box<App>),
    Rest(Rest),
}

fn main() -> ExitCode {
    log::json();
    if let Some(missing) = RUNTIME.iter().find(|it| std::env::var_os(it).is_none()) {
        tracing::error!(
            "{missing} is not set: this program runs in Lambda; elsewhere, use pgapp-api --animals"
        );
        return ExitCode::FAILURE;
    }
    // One invocation at a time, so one thread.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let served = match start().await {
            Ok(served) => served,
            Err(error) => {
                tracing::error!("the function is not configured: {error}");
                return ExitCode::FAILURE;
            }
        };
        let served = &served;
        let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| async move {
            Ok::<Value, Error>(invoke(served, &event).await)
        });
        match lambda_runtime::run(handler).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("the runtime interface failed: {error}");
                ExitCode::FAILURE
            }
        }
    })
}

/// What `PGAPP_LAMBDA_APP` asks for.
async fn start() -> Result<Served, String> {
    let set = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    match set("PGAPP_LAMBDA_APP").as_deref() {
        None | Some("animals") => Settings::of_process()
            .map(|it| Served::Animals(Box::new(App::new(&it))))
            .map_err(|it| it.to_string()),
        Some("rest") => {
            let snapshot = match set("PGAPP_SCHEMA_SNAPSHOT") {
                Some(path) => PathBuf::from(path),
                None => std::env::current_exe().unwrap_or_default().with_file_name(SNAPSHOT),
            };
            let base_path = set("PGAPP_LAMBDA_BASE_PATH").unwrap_or_default();
            let rest = Rest::start(Environment::of_process(), &base_path, &snapshot).await;
            rest.map(Served::Rest).map_err(|it| it.to_string())
        }
        Some(other) => Err(format!("PGAPP_LAMBDA_APP is \"{other}\", expected animals or rest")),
    }
}

async fn invoke(served: &Served, event: &LambdaEvent<Box<RawValue>>) -> Value {
    let context = &event.context;
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    let deadline = Instant::now() + left.saturating_sub(RESERVE);
    let trace_id = context.xray_trace_id.as_deref();
    let read = serde_json::from_str(event.payload.get()).unwrap_or_default();
    let Some(request) = event::read(&read) else {
        tracing::warn!("the event is not an HTTP request");
        let answer = Answer::message(StatusCode::BAD_REQUEST, "The event is not an HTTP request.");
        return event::render(&answer.into(), Door::Gateway, trace_id);
    };
    let reply = served.answer(&request, deadline).await;
    tracing::info!(method = %request.method, status = reply.status.as_u16(), "answered");
    payload(&reply, request.door, trace_id)
}

impl Served {
    async fn answer(&self, event: &HttpEvent, deadline: Instant) -> Reply {
        match self {
            Self::Animals(app) => {
                let HttpEvent { method, path, query, body, .. } = event;
                app.answer(method, path, query, body, deadline).await.into()
            }
            Self::Rest(rest) => rest.answer(event, deadline).await,
        }
    }
}
