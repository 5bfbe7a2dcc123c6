//! Waits for `NOTIFY` on the configured channel and asks for reloads.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::AppState;
use crate::config::AppConfig;
use crate::config::database;
use crate::error::DbError;
use crate::execute::Notification;
use crate::observability::Observation;

/// Longest pause between two attempts, in seconds.
const MAX_DELAY: u64 = 32;

/// How often the server is asked whether it is still there: a connection that only listens would never know.
const PING: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts the listener where it is enabled, in place of one that may be running.
pub fn restart(state: &Arc<AppState>) {
    let task = state.config().db_channel_enabled.then(|| tokio::spawn(listen_forever(Arc::clone(state))));
    state.replace_listener(task.map(|it| it.abort_handle()));
}

async fn listen_forever(state: Arc<AppState>) {
    let mut delay = 1;
    let mut repair = false;
    loop {
        let conf = state.config();
        let error = match listen(&state, &conf, &mut delay, repair).await {
            Ok(()) => "no connection to the server".to_owned(),
            Err(DbError::Connection { message, .. } | DbError::Server { message, .. }) => message,
            Err(other) => other.to_string(),
        };
        state.listener_on.store(false, Relaxed);
        state.freshness.give_up();
        let channel = conf.db_channel.as_str();
        state.observer.observe(&Observation::ListenFail { channel, error: &error });
        // The notification queue may point at transactions whose status is gone.
        repair = error.contains("could not access status of transaction");
        if repair {
            state.observer.observe(&Observation::ListenQueueRepair);
        }
        if !conf.db_pool_automatic_recovery {
            state.doom();
            return;
        }
        state.observer.observe(&Observation::ListenRetry(delay));
        tokio::time::sleep(Duration::from_secs(delay)).await;
        delay = (delay * 2).min(MAX_DELAY);
    }
}

/// Listens until the connection is gone.
async fn listen(
    state: &Arc<AppState>,
    conf: &AppConfig,
    delay: &mut u64,
    repair: bool,
) -> Result<(), DbError> {
    let (client, mut notifications, address) = crate::execute::connect_listener(conf).await?;
    let version = in_time(database::pg_version(&client)).await?;
    if repair {
        in_time(async { Ok(client.batch_execute("select pg_notification_queue_usage()").await?) }).await?;
    }
    let channel = conf.db_channel.as_str();
    let listen = format!("LISTEN \"{}\"", channel.replace('"', "\"\""));
    in_time(async { Ok(client.batch_execute(&listen).await?) }).await?;
    state.listener_on.store(true, Relaxed);
    if *delay > 1 {
        // Notifications may have been missed while there was no connection.
        state.want_schema_reload();
        *delay = 1;
    }
    state.observer.observe(&Observation::ListenStart {
        address: &address,
        version: &version.full_name,
        channel,
    });
    let mut pause = Instant::now();
    loop {
        tokio::select! {
            biased;
            notification = notifications.recv() => match notification {
                Some(notification) => obey(state, channel, &notification),
                None => return Ok(()),
            },
            ticket = state.freshness.wanted(pause) => {
                in_time(async { Ok(client.batch_execute("").await?) }).await?;
                // What was told before the answer is there before it is.
                while let Ok(notification) = notifications.try_recv() {
                    obey(state, channel, &notification);
                }
                pause = state.freshness.serve(ticket);
            }
            () = tokio::time::sleep(PING) => {
                // Listening twice is listening once.
                in_time(async { Ok(client.batch_execute(&listen).await?) }).await?;
            }
        }
    }
}

/// Does what a notification asks for.
fn obey(state: &AppState, channel: &str, notification: &Notification) {
    match notification.payload.as_str() {
        "" | "reload schema" => {
            state.observer.observe(&Observation::ListenReloadSchema(channel));
            state.want_schema_reload();
        }
        "reload config" => {
            state.observer.observe(&Observation::ListenReloadConfig(channel));
            state.want_config_reload();
        }
        _ => {}
    }
}

/// What the server answers, if it does so in time.
async fn in_time<T>(work: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    tokio::time::timeout(PING_TIMEOUT, work).await.unwrap_or_else(|_| {
        Err(DbError::Connection { was_established: true, message: "the database does not answer\n".into() })
    })
}
