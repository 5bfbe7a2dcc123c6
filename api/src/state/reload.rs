//! Replaces configuration and schema cache, off the request path.
//!
//! One task each waits for wishes, so that a flood of notifications is one reload after another and
//! never two at once. Requests go on with the snapshots they have.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use super::{AppState, CacheStatus, listener};
use crate::config::AppConfig;
use crate::config::database::{self, DatabaseSettings, MINIMUM_PG_VERSION};
use crate::error::DbError;
use crate::execute::connect_cold;
use crate::observability::Observation;
use crate::schema_cache;

/// Pause between two loads of the schema cache.
const COOLDOWN: Duration = Duration::from_millis(100);
/// Longest pause between two attempts, in seconds.
const MAX_DELAY: u64 = 32;

/// Rebuilds the schema cache whenever that is wanted.
pub async fn reload_schema_forever(state: Arc<AppState>) {
    loop {
        state.schema_wanted.notified().await;
        load_schema_until_done(&state).await;
        tokio::time::sleep(COOLDOWN).await;
    }
}

/// Reads the configuration again whenever that is wanted.
pub async fn reload_config_forever(state: Arc<AppState>) {
    loop {
        state.config_wanted.notified().await;
        let reload = async {
            reload_config(&state, None).await;
            Ok(())
        };
        if let Err(error) = state.pool.unless_silent(reload).await {
            state.observer.observe(&Observation::ConfigReadError(&error));
        }
    }
}

async fn load_schema_until_done(state: &Arc<AppState>) {
    let mut delay = 1;
    let mut wishes = state.freshness.wishes();
    while !load_schema_unless_silent(state).await {
        if !state.config().db_pool_automatic_recovery {
            return;
        }
        state.next_attempt.store(delay, Relaxed);
        state.observer.observe(&Observation::ConnectionRetry(delay));
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(delay)) => {}
            () = state.hurry.notified() => {}
        }
        delay = (delay * 2).min(MAX_DELAY);
        wishes = state.freshness.wishes();
    }
    state.next_attempt.store(0, Relaxed);
    state.freshness.grant(wishes);
}

/// One attempt, which is given up when the database falls silent meanwhile.
async fn load_schema_unless_silent(state: &Arc<AppState>) -> bool {
    match state.pool.unless_silent(async { Ok(load_schema(state).await) }).await {
        Ok(is_done) => is_done,
        Err(error) => {
            state.observer.observe(&Observation::PgVersionError(&error));
            false
        }
    }
}

/// One attempt: connect, read the in-database configuration, read the catalog. What went wrong is in the log.
pub async fn load_schema(state: &Arc<AppState>) -> bool {
    let client = match connect(state).await {
        Ok(client) => client,
        Err(error) => {
            state.observer.observe(&Observation::PgVersionError(&error));
            state.note_database_error(&error);
            reread_secret(state);
            if !state.config().db_pool_automatic_recovery {
                state.observer.observe(&Observation::NoRecovery);
                state.doom();
            }
            return false;
        }
    };
    let Some(client) = client else { return false };
    if state.config().db_config {
        reload_config(state, Some(&client)).await;
    }
    let conf = state.config();
    let started = Instant::now();
    let loaded = match pause(&client, conf.internal_schema_cache_query_sleep_before).await {
        Ok(()) => schema_cache::load::load_timed(&client, &*conf).await,
        Err(error) => Err(error),
    };
    let loaded = match (loaded, pause(&client, conf.internal_schema_cache_query_sleep).await) {
        (Ok(cache), Ok(())) => Ok(cache),
        (Ok(_), Err(error)) | (Err(error), _) => Err(error),
    };
    let query_time = started.elapsed();
    // Whoever asks whether we are ready is told "not yet" until the new cache is in place. Before the first one that
    // is so already, and "pending" would let requests in.
    if loaded.is_err() || *state.cache_status.borrow() != CacheStatus::Initial {
        state.cache_status.send_replace(CacheStatus::Pending);
    }
    match loaded {
        Err(error) => {
            state.observer.observe(&Observation::SchemaCacheError {
                schemas: &conf.db_schemas,
                extra_search_path: &conf.db_extra_search_path,
                error: &error,
            });
            state.note_database_error(&error);
            false
        }
        Ok((cache, timings)) => {
            let started = Instant::now();
            let summary = cache.summary();
            state.put_schema(&Arc::new(cache));
            if crate::snapshot::inputs(&conf) != crate::snapshot::inputs(&state.config()) {
                // The configuration changed while it was read: what was read is not what is wanted now.
                state.schema_wanted.notify_one();
            }
            // Sessions keep plans and types of the catalog as it was.
            state.pool.flush();
            state.observer.observe(&Observation::PoolFlushed);
            state.observer.observe(&Observation::SchemaCacheQueried(query_time));
            state.observer.observe(&Observation::SchemaCacheTimings(&timings));
            state.observer.observe(&Observation::SchemaCacheLoaded {
                took: started.elapsed(),
                query_time,
                summary: &summary,
            });
            state.cache_status.send_replace(CacheStatus::Loaded);
            true
        }
    }
}

/// A connection to a server that is new enough; `None` when it is not, which ends the process.
async fn connect(state: &Arc<AppState>) -> Result<Option<Client>, DbError> {
    let conf = state.config();
    let (client, _) = connect_cold(&conf).await?;
    let version = database::pg_version(&client).await?;
    if version.number < MINIMUM_PG_VERSION.0 {
        state.observer.observe(&Observation::UnsupportedPgVersion {
            found: &version.name,
            minimum: MINIMUM_PG_VERSION.1,
        });
        state.doom();
        return Ok(None);
    }
    state.observer.observe(&Observation::DbConnected(&version.full_name));
    state.observer.observe(&Observation::PoolInit(conf.db_pool));
    state.pg_version.store(Some(Arc::new(version)));
    Ok(Some(client))
}

async fn pause(client: &Client, millis: Option<i64>) -> Result<(), DbError> {
    match millis {
        None => Ok(()),
        Some(millis) => Ok(client.batch_execute(&format!("select pg_sleep({millis} / 1000.0)")).await?),
    }
}

/// Reads file, environment and database again, and puts the result in place if it is valid.
async fn reload_config(state: &Arc<AppState>, client: Option<&Client>) {
    let old = state.config();
    let database = if old.db_config { read_database(state, &old, client).await } else { Arc::default() };
    let new = AppConfig::load(
        old.file_path.as_deref(),
        &state.environment,
        DatabaseSettings::clone(&database),
        Some(&old),
    );
    match new {
        Err(error) => state.observer.observe(&Observation::ConfigInvalid(&error.to_string())),
        Ok(new) => {
            warn_of_deprecated_path(state, &old, &new);
            warn_of_unknown_settings(state, &old, &new);
            put_config(state, &old, new);
            state.observer.observe(&Observation::ConfigReloaded);
        }
    }
}

/// Reads the secret again where it stands in a file: whoever rotates the database's password may rotate this as well.
fn reread_secret(state: &Arc<AppState>) {
    let old = state.config();
    let database = DatabaseSettings::clone(&state.database_settings.load());
    let new = AppConfig::load(old.file_path.as_deref(), &state.environment, database, Some(&old));
    if let Ok(new) = new
        && new.jwt_secret != old.jwt_secret
    {
        let conf = AppConfig { jwt_secret: new.jwt_secret, jwt_keys: new.jwt_keys, ..AppConfig::clone(&old) };
        put_config(state, &old, conf);
        state.observer.observe(&Observation::ConfigReloaded);
    }
}

/// Says that a path is written in the old syntax, once for each such path.
fn warn_of_deprecated_path(state: &AppState, old: &AppConfig, new: &AppConfig) {
    let path = &new.jwt_role_claim_key;
    if path.is_deprecated() && *path != old.jwt_role_claim_key {
        state.observer.observe(&Observation::DeprecatedRoleClaimKey(&path.text()));
    }
}

/// Says which names of the configuration are no settings, once for each.
fn warn_of_unknown_settings(state: &AppState, old: &AppConfig, new: &AppConfig) {
    for setting in new.unknown_settings.iter().filter(|it| !old.unknown_settings.contains(it)) {
        state.observer.observe(&Observation::UnknownSetting(setting));
    }
}

fn put_config(state: &Arc<AppState>, old: &AppConfig, new: AppConfig) {
    let listener_changed =
        new.db_channel_enabled != old.db_channel_enabled || new.db_channel != old.db_channel;
    state.observer.set_log_level(new.log_level);
    // First, so that no request of the new configuration meets sessions of the old one.
    state.pool.reconfigure(&new);
    state.put_config(&Arc::new(new));
    if listener_changed {
        listener::restart(state);
    }
}

/// What the database says about the configuration; what it said last where it cannot be asked.
async fn read_database(
    state: &Arc<AppState>,
    conf: &AppConfig,
    client: Option<&Client>,
) -> Arc<DatabaseSettings> {
    let own;
    let client = match client {
        Some(client) => client,
        None => match connect_cold(conf).await {
            Ok((client, _)) => {
                own = client;
                &own
            }
            Err(error) => {
                state.observer.observe(&Observation::ConfigReadError(&error));
                return state.database_settings.load_full();
            }
        },
    };
    let last = state.database_settings.load_full();
    let settings = match database::settings(client, conf.db_pre_config.as_ref()).await {
        Ok(settings) => settings,
        Err(error) => {
            state.observer.observe(&Observation::ConfigReadError(&error));
            last.settings.clone()
        }
    };
    let (role_settings, role_isolation) = match database::role_settings(client, state.pg_version()).await {
        Ok(found) => found,
        Err(error) => {
            state.observer.observe(&Observation::RoleSettingsError(&error));
            (last.role_settings.clone(), last.role_isolation.clone())
        }
    };
    let read = Arc::new(DatabaseSettings { settings, role_settings, role_isolation });
    state.database_settings.store(Arc::clone(&read));
    read
}

/// Reads the in-database configuration for a command that ends after it; errors are fatal there.
pub async fn config_for_command(state: &Arc<AppState>) -> Result<Arc<AppConfig>, crate::config::ConfigError> {
    let old = state.config();
    if !old.db_config {
        return Ok(old);
    }
    let database = read_database(state, &old, None).await;
    let new = AppConfig::load(
        old.file_path.as_deref(),
        &state.environment,
        DatabaseSettings::clone(&database),
        Some(&old),
    )?;
    put_config(state, &old, new);
    Ok(state.config())
}
