//! The animals app as a Lambda function.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use api::animals::answer::Answer;
use api::animals::event::{self, Door};
use api::animals::settings::Settings;
use api::animals::{App, log};
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

fn main() -> ExitCode {
    log::json();
    if let Some(missing) = RUNTIME.iter().find(|it| std::env::var_os(it).is_none()) {
        tracing::error!(
            "{missing} is not set: this program runs in Lambda; elsewhere, use pgapp-api --animals"
        );
        return ExitCode::FAILURE;
    }
    let app = match Settings::of_process() {
        Ok(settings) => App::new(&settings),
        Err(error) => {
            tracing::error!("the function is not configured: {error}");
            return ExitCode::FAILURE;
        }
    };
    // One invocation at a time, so one thread.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let app = &app;
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<Value, Error>(invoke(app, &event).await)
    });
    match runtime.block_on(lambda_runtime::run(handler)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the runtime interface failed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn invoke(app: &App, event: &LambdaEvent<Box<RawValue>>) -> Value {
    let context = &event.context;
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    let deadline = Instant::now() + left.saturating_sub(RESERVE);
    let trace_id = context.xray_trace_id.as_deref();
    let payload = serde_json::from_str(event.payload.get()).unwrap_or_default();
    let Some(request) = event::read(&payload) else {
        tracing::warn!("the event is not an HTTP request");
        let answer = Answer::message(StatusCode::BAD_REQUEST, "The event is not an HTTP request.");
        return event::render(&answer, Door::Gateway, trace_id);
    };
    let answer = app.answer(&request.method, &request.path, &request.query, &request.body, deadline).await;
    tracing::info!(method = %request.method, status = answer.status.as_u16(), "answered");
    event::render(&answer, request.door, trace_id)
}
