//! The command line.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use clap_complete::Shell;

use crate::animals::settings::Settings;
use crate::config::load::Environment;
use crate::config::{AppConfig, dump};
use crate::observability::Observation;
use crate::server::bind::is_special_host;
use crate::snapshot::Snapshot;
use crate::state::AppState;
use crate::types::Language;
use crate::{animals, app, schema_cache, state, types, version};

/// How long `--ready` waits for an answer.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a Postgres schema as a REST API, in place of PostgREST.
#[derive(Debug, Parser)]
#[command(name = "pgapp-api", disable_version_flag = true)]
#[command(
    after_help = "Examples:\n  pgapp-api postgrest.conf\n  PGRST_DB_URI=postgres://authenticator@localhost/app PGRST_DB_ANON_ROLE=web_anon pgapp-api"
)]
struct Cli {
    /// Path to configuration file
    #[arg(value_name = "FILENAME")]
    config: Option<PathBuf>,
    #[command(flatten)]
    command: Commands,
    /// With --types python: pydantic models, which validate their input
    #[arg(long, requires = "types")]
    pydantic: bool,
    /// Address that the animals app listens on
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1", requires = "animals")]
    animals_host: String,
    /// Port that the animals app listens on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 3100, requires = "animals")]
    animals_port: u16,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Commands {
    /// Show the version information
    #[arg(short = 'v', long)]
    version: bool,
    /// Show an example configuration file
    #[arg(short = 'e', long)]
    example: bool,
    /// Dump loaded configuration and exit
    #[arg(long)]
    dump_config: bool,
    /// Dump loaded schema as JSON and exit (for debugging, output structure is unstable)
    #[arg(long)]
    dump_schema: bool,
    /// Dump what a start reads from the database, for a start that reads nothing (see docs/terraform.md)
    #[arg(long)]
    dump_snapshot: bool,
    /// Print types of what the schemas offer, for programs that use them: typescript, rust, python or openapi
    #[arg(long, value_name = "LANG")]
    types: Option<Language>,
    /// Checks the health of a running server by asking the admin server's /ready
    #[arg(long)]
    ready: bool,
    /// Print a script with which a shell completes the options
    #[arg(long, value_name = "SHELL")]
    completions: Option<Shell>,
    /// Serve the animals app instead, over the table of the database that the DB_… variables describe
    #[arg(long)]
    animals: bool,
}

/// Runs the process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output and is no failure; wrong usage is one.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    if cli.command.version {
        return print(&format!("{}\n", version::full()));
    }
    if let Some(shell) = cli.command.completions {
        return completions(shell);
    }
    if cli.command.example {
        return print(&dump::example());
    }
    if cli.command.animals {
        return animals(&cli.animals_host, cli.animals_port);
    }
    let environment = Environment::of_process();
    let conf = match AppConfig::load(cli.config.as_deref(), &environment, Default::default(), None) {
        Ok(conf) => conf,
        Err(error) => return fail(&error.to_string()),
    };
    if cli.command.ready {
        return ready(&conf);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start the runtime: {error}")),
    };
    runtime.block_on(async {
        let as_read = cli.command.dump_config.then(|| conf.clone());
        let state = match (AppState::new(conf, environment), as_read) {
            (Ok(state), _) => state,
            // What the database would add cannot be had, but what was read can be shown all the same.
            (Err(error), Some(conf)) => {
                if conf.db_config {
                    let _ = writeln!(std::io::stderr(), "pgapp-api: {error}");
                }
                return print(&dump::dump(&conf));
            }
            (Err(error), None) => return fail(&error.to_string()),
        };
        if cli.command.dump_config {
            dump_config(&state).await
        } else if cli.command.dump_schema {
            dump_schema(&state).await
        } else if cli.command.dump_snapshot {
            dump_snapshot(&state).await
        } else if let Some(language) = cli.command.types {
            types_of(&state, language, cli.pydantic).await
        } else {
            match app::run(state).await {
                Ok(code) => code,
                Err(error) => fail(&error.to_string()),
            }
        }
    })
}

fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pgapp-api", &mut script);
    print(&String::from_utf8_lossy(&script))
}

fn animals(host: &str, port: u16) -> ExitCode {
    let settings = match Settings::of_process() {
        Ok(settings) => settings,
        Err(error) => return fail(&error.to_string()),
    };
    animals::log::json();
    match animals::serve::run(&Arc::new(animals::App::new(&settings)), host, port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("cannot serve the animals app on {host}:{port}: {error}")),
    }
}

async fn dump_config(state: &Arc<AppState>) -> ExitCode {
    match state::reload::config_for_command(state).await {
        Ok(conf) => print(&dump::dump(&conf)),
        Err(error) => fail(&error.to_string()),
    }
}

async fn dump_schema(state: &Arc<AppState>) -> ExitCode {
    let conf = match state::reload::config_for_command(state).await {
        Ok(conf) => conf,
        Err(error) => return fail(&error.to_string()),
    };
    let loaded = match crate::execute::connect_cold(&conf).await {
        Ok((client, _)) => schema_cache::load::load(&client, &*conf).await,
        Err(error) => Err(error),
    };
    let error = match loaded {
        Ok(cache) => match cache.to_json() {
            Ok(json) => return print(&format!("{json}\n")),
            Err(error) => return fail(&format!("cannot write the schema cache as JSON: {error}")),
        },
        Err(error) => error,
    };
    state.observer().observe(&Observation::SchemaCacheError {
        schemas: &conf.db_schemas,
        extra_search_path: &conf.db_extra_search_path,
        error: &error,
    });
    ExitCode::FAILURE
}

async fn types_of(state: &Arc<AppState>, language: Language, pydantic: bool) -> ExitCode {
    let flavour = match (language, pydantic) {
        (Language::Python, true) => types::Flavour::Pydantic,
        (_, true) => return fail("--pydantic goes with --types python; leave it out, or ask for python"),
        (_, false) => types::Flavour::Plain,
    };
    let conf = match state::reload::config_for_command(state).await {
        Ok(conf) => conf,
        Err(error) => return fail(&error.to_string()),
    };
    let client = match crate::execute::connect_cold(&conf).await {
        Ok((client, _)) => client,
        Err(error) => return fail(&format!("cannot read the schema: {error}")),
    };
    match types::generate(&client, &conf, language, flavour).await {
        Ok(text) => print(&text),
        Err(error) => fail(&format!("cannot read the schema: {error}")),
    }
}

async fn dump_snapshot(state: &Arc<AppState>) -> ExitCode {
    if !state::reload::load_schema(state).await {
        // The log has told why.
        return ExitCode::FAILURE;
    }
    let Some((version, database, cache)) = state.snapshot() else {
        return fail("the database gave no snapshot");
    };
    let (snapshot, left_out) = Snapshot::new(&state.config(), &version, &database, &cache);
    for name in left_out {
        let variable = name.to_uppercase();
        let note = format!(
            "pgapp-api: \"pgrst.{name}\" is secret and not part of the snapshot; set PGRST_{variable} for the function"
        );
        let _ = writeln!(std::io::stderr(), "{note}");
    }
    match serde_json::to_string(&snapshot) {
        Ok(json) => print(&format!("{json}\n")),
        Err(error) => fail(&format!("cannot write the snapshot as JSON: {error}")),
    }
}

/// Asks a running server whether it is ready.
fn ready(conf: &AppConfig) -> ExitCode {
    let answer = match (&conf.admin_server_unix_socket, conf.admin_server_port) {
        (Some(path), _) => ready_on_socket(path),
        (None, Some(port)) => ready_on_port(&conf.admin_server_host, port),
        (None, None) => Err("Admin server is not running. Please check admin-server-port config.".to_owned()),
    };
    match answer {
        Ok(url) => print(&format!("OK: {url}\n")),
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "ERROR: {message}");
            ExitCode::FAILURE
        }
    }
}

fn ready_on_port(host: &str, port: i64) -> Result<String, String> {
    if is_special_host(host) {
        return Err(format!(
            "The `--ready` flag cannot be used when server-host is configured as \"{host}\". Please update your server-host config to \"localhost\"."
        ));
    }
    let shown_host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let url = format!("http://{shown_host}:{port}/ready");
    let port = u16::try_from(port).map_err(|_| format!("invalid url - {url}"))?;
    let refused = || format!("connection refused to {url}");
    let stream = (host, port)
        .to_socket_addrs()
        .ok()
        .and_then(|mut it| it.find_map(|it| TcpStream::connect_timeout(&it, READY_TIMEOUT).ok()))
        .ok_or_else(refused)?;
    stream.set_read_timeout(Some(READY_TIMEOUT)).map_err(|_| refused())?;
    match is_ok(stream, &shown_host) {
        Some(true) => Ok(url),
        Some(false) => Err(url),
        None => Err(refused()),
    }
}

fn ready_on_socket(path: &Path) -> Result<String, String> {
    let url = format!("unix:{}:/ready", path.display());
    let refused = || format!("connection refused to {url}");
    let stream = UnixStream::connect(path).map_err(|_| refused())?;
    stream.set_read_timeout(Some(READY_TIMEOUT)).map_err(|_| refused())?;
    match is_ok(stream, "localhost") {
        Some(true) => Ok(url),
        Some(false) => Err(url),
        None => Err(refused()),
    }
}

/// Whether `/ready` answers with a status of 2xx; `None` when it does not answer.
fn is_ok(mut stream: impl std::io::Read + std::io::Write, host: &str) -> Option<bool> {
    write!(stream, "GET /ready HTTP/1.0\r\nHost: {host}\r\n\r\n").ok()?;
    let mut answer = String::new();
    std::io::Read::take(stream, 64 * 1024).read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?;
    Some(status.len() == 3 && status.starts_with('2'))
}

fn print(text: &str) -> ExitCode {
    // A reader that closed its end early, such as `head`, got what it wanted.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn fail(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "pgapp-api: {message}");
    ExitCode::FAILURE
}
