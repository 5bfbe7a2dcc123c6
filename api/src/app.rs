//! The life of the server process: start, serve, stop.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::admin;
use crate::config::AppConfig;
use crate::observability::Observation;
use crate::server::{self, Limits, bind};
use crate::state::{AppState, CacheStatus, listener, reload};

/// Runs the server until a signal or a fatal error ends it.
pub async fn run(state: Arc<AppState>) -> io::Result<ExitCode> {
    let conf = state.config();
    state.observer().observe(&Observation::AppStart);
    if conf.jwt_role_claim_key.is_deprecated() {
        let path = conf.jwt_role_claim_key.text();
        state.observer().observe(&Observation::DeprecatedRoleClaimKey(&path));
    }
    for setting in &conf.unknown_settings {
        state.observer().observe(&Observation::UnknownSetting(setting));
    }
    server::raise_descriptors();
    let stop = stop_on_signals(&state)?;
    reload_on_signals(&state)?;

    let main = Arc::new(MainSocket::default());
    if let Some(listener) = admin_listener(&conf)? {
        let address = listener.address()?;
        state.observer().observe(&Observation::AdminListening(&address));
        let is_live: admin::Liveness = {
            let main = Arc::clone(&main);
            Arc::new(move || main.is_live())
        };
        let shared = Arc::clone(&state);
        let handler = move |request, _| admin::answer(Arc::clone(&shared), request, Arc::clone(&is_live));
        let (state, stop, limits) = (Arc::clone(&state), stop.clone(), Limits::admin(&conf));
        tokio::spawn(async move { server::serve(&state, listener, limits, handler, stopped(stop)).await });
    }
    listener::restart(&state);
    tokio::spawn(reload::reload_schema_forever(Arc::clone(&state)));
    tokio::spawn(reload::reload_config_forever(Arc::clone(&state)));
    state.want_schema_reload();

    tokio::select! {
        // Without a schema cache every request would be refused, so nobody is let in before the first
        // load ended, well or not. On a shared port another server may be there to answer meanwhile.
        () = cache_ready(&state, conf.server_reuseport) => {}
        () = stopped(stop.clone()) => return Ok(ExitCode::SUCCESS),
        () = state.until_doomed() => return Ok(ExitCode::FAILURE),
    }

    let listener = main_listener(&conf)?;
    // Before the log says so: who reads it may ask `/live` at once.
    main.listens(listener.path().map(Into::into));
    state.observer().observe(&Observation::AppListening(&listener.address()?));
    let handler = {
        let state = Arc::clone(&state);
        move |request, peer| server::api(Arc::clone(&state), request, peer)
    };
    let code = tokio::select! {
        () = server::serve(&state, listener, Limits::api(&conf), handler, stopped(stop)) => ExitCode::SUCCESS,
        () = state.until_doomed() => ExitCode::FAILURE,
    };
    state.close();
    Ok(code)
}

async fn cache_ready(state: &AppState, must_be_loaded: bool) {
    let mut status = state.cache_status();
    // The sender lives as long as `state`.
    let _ = status
        .wait_for(|it| match it {
            CacheStatus::Initial => false,
            CacheStatus::Pending => !must_be_loaded,
            CacheStatus::Loaded => true,
        })
        .await;
}

/// Becomes true on SIGTERM or SIGINT. A second signal ends the process at once.
fn stop_on_signals(state: &Arc<AppState>) -> io::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let state = Arc::clone(state);
    tokio::spawn(async move {
        let mut stopping = false;
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            state.observer().observe(&Observation::Termination(name));
            if stopping {
                #[expect(clippy::disallowed_methods, reason = "the second signal asks for exactly this")]
                std::process::exit(1);
            }
            stopping = true;
            sender.send_replace(true);
        }
    });
    Ok(receiver)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|it| *it).await.is_err() {
        // The sender only goes with the runtime.
        std::future::pending::<()>().await;
    }
}

/// SIGUSR1 rebuilds the schema cache, SIGUSR2 reads the configuration again.
fn reload_on_signals(state: &Arc<AppState>) -> io::Result<()> {
    on_signal(signal(SignalKind::user_defined1())?, state, AppState::want_schema_reload);
    on_signal(signal(SignalKind::user_defined2())?, state, AppState::want_config_reload);
    Ok(())
}

fn on_signal(mut signal: Signal, state: &Arc<AppState>, action: fn(&AppState)) {
    let state = Arc::clone(state);
    tokio::spawn(async move {
        while signal.recv().await.is_some() {
            action(&state);
        }
    });
}

fn main_listener(conf: &AppConfig) -> io::Result<bind::Listener> {
    match &conf.server_unix_socket {
        Some(path) => bind::unix(path, conf.server_unix_socket_mode),
        None => bind::tcp(&conf.server_host, conf.server_port, conf.server_reuseport),
    }
}

fn admin_listener(conf: &AppConfig) -> io::Result<Option<bind::Listener>> {
    match (&conf.admin_server_unix_socket, conf.admin_server_port) {
        (Some(path), _) => bind::unix(path, conf.admin_server_unix_socket_mode).map(Some),
        (None, Some(port)) => {
            let port = u16::try_from(port).map_err(|_| {
                io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("Invalid admin-server-port: {port} is not between 0 and 65535"),
                )
            })?;
            bind::tcp(&conf.admin_server_host, port, false).map(Some)
        }
        (None, None) => Ok(None),
    }
}

/// What the admin server has to know of the API server.
#[derive(Default)]
struct MainSocket {
    /// Set once it listens; the path of a Unix socket.
    path: OnceLock<Option<PathBuf>>,
}

impl MainSocket {
    fn listens(&self, path: Option<PathBuf>) {
        // Called once.
        let _ = self.path.set(path);
    }

    /// Listens, and its socket has not been deleted by somebody.
    fn is_live(&self) -> bool {
        match self.path.get() {
            None => false,
            Some(None) => true,
            Some(Some(path)) => path.exists(),
        }
    }
}
