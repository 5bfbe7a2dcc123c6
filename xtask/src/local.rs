//! The local stack's commands: thin edges over the `local-stack` library.

mod render;
mod settings;
mod watch;

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use app_folder::AppFolder;
use local_stack::database::Database;
use local_stack::pgbin::{SearchPath, ServerBinaries};
use local_stack::state::StackHome;
use local_stack::{
    ApiLauncher, BackendKind, LogWindow, ServiceName, ServiceState, Stack, StackConfig, StackName, Status,
    Volumes,
};
use xshell::cmd;

use crate::cli::{
    DatabaseArg, DownArgs, FdwArgs, FdwCommand, LogsArgs, OpenArg, OpenArgs, PsqlArgs, ServiceArg,
    StackName as NameArg, StacksArgs, StatusArgs, UpArgs,
};
use crate::{output, workspace};

/// Exit code of a command that the user interrupted.
const INTERRUPTED: u8 = 130;

/// Builds the server when this machine is to run it, then brings the stack up.
pub(crate) fn up(args: &UpArgs) -> Result<ExitCode> {
    let name = name(&args.stack)?;
    let stack = stack(&name, render::renderer(args.json));
    let mut config = settings::choose(args, recorded(&stack)?, name)?;
    config.app = app(args.app.as_deref(), &config)?;
    settings::warn_of_variables();
    run(async {
        let api = api_launcher(&stack, &config).await?;
        let status = stack.up(&config, &api).await?;
        if !args.json {
            output::note(&up_message(&status, &config));
        }
        if args.watch {
            watch::run(&stack, &config, &api).await?;
        }
        Ok(())
    })
}

/// The program of the REST server, built when this machine is to run it.
pub(crate) async fn api_launcher(stack: &Stack, config: &StackConfig) -> Result<ApiLauncher> {
    let program = match stack.choose_backend(config).await? {
        BackendKind::Native => build_api(config.release)?,
        // The image is built from source, in a container; no program of this machine is used.
        BackendKind::Docker => PathBuf::new(),
    };
    Ok(ApiLauncher::Program(program))
}

/// The sample, for those who name no application.
const SAMPLE: &str = "examples/todos";

/// The folder of the application: as asked, else as before, else the sample. A bare stack has none unless it is asked for.
fn app(asked: Option<&Path>, config: &StackConfig) -> Result<Option<PathBuf>> {
    if let Some(path) = asked {
        let folder = AppFolder::open(path).map_err(local_stack::Error::from)?;
        return Ok(Some(folder.path().to_owned()));
    }
    let before = config.app.clone();
    Ok(before.or_else(|| (!config.bare).then(|| workspace::root().join(SAMPLE))))
}

fn recorded(stack: &Stack) -> Result<Option<StackConfig>> {
    match stack.config() {
        Ok(config) => Ok(Some(config)),
        Err(local_stack::Error::NoSuchStack { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn up_message(status: &Status, config: &StackConfig) -> String {
    let mut text = String::from("\nThe stack is up.\n");
    for service in &status.services {
        let _ = writeln!(text, "  {:<9} {}", service.name.as_str(), service.url);
    }
    let _ = writeln!(
        text,
        "Requests without a token may {}; `up --anon write|read|none` changes that.",
        status.anonymous.in_words()
    );
    let base = format!("http://localhost:{}", config.api_port);
    let is_sample = config.app.as_ref().is_some_and(|it| *it == workspace::root().join(SAMPLE));
    let _ = write!(text, "Try: curl {base}/{}", if is_sample { "todos" } else { "" });
    if let Some(port) = config.animals_port {
        let _ = write!(text, "\n     curl http://localhost:{port}/animals");
    }
    text
}

/// Builds the server's program, and says where it is.
pub(crate) fn build_api(is_release: bool) -> Result<PathBuf> {
    let sh = workspace::shell()?;
    let cargo = workspace::cargo();
    let profile: &[&str] = if is_release { &["--release"] } else { &[] };
    cmd!(sh, "{cargo} build --package api --bin pgapp-api {profile...}")
        .quiet()
        .run()
        .context("build pgapp-api")?;
    Ok(workspace::target_dir().join(if is_release { "release" } else { "debug" }).join("pgapp-api"))
}

/// Stops the stack.
pub(crate) fn down(args: &DownArgs) -> Result<ExitCode> {
    let stack = stack(&name(&args.stack)?, render::renderer(args.json));
    let volumes = if args.volumes { Volumes::Remove } else { Volumes::Keep };
    run(async { Ok(stack.down(volumes).await?) })
}

/// Prints what runs; fails when something has failed.
pub(crate) fn status(args: &StatusArgs) -> Result<ExitCode> {
    let stack = stack(&name(&args.stack)?, render::renderer(false));
    run_to_code(async {
        let status = stack.status().await?;
        output::data(&if args.json { serde_json::to_string_pretty(&status)? } else { status_text(&status) });
        let has_failed = status.services.iter().any(|it| it.state == ServiceState::Failed);
        Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    })
}

fn status_text(status: &Status) -> String {
    let mut text = format!(
        "stack {} ({}); requests without a token may {}\n",
        status.name,
        status.backend,
        status.anonymous.in_words()
    );
    for service in &status.services {
        let place = match (&service.pid, &service.container) {
            (Some(pid), _) => format!("pid {pid}"),
            (_, Some(container)) => container.clone(),
            _ => String::new(),
        };
        let (name, state) = (service.name.as_str(), state_word(service.state));
        let _ = writeln!(text, "{name:<9} {state:<8} {:<48} {place}", service.url);
        if let Some(reason) = &service.reason {
            let _ = writeln!(text, "{:<9} {reason}", "");
        }
    }
    if let Some(app) = &status.app {
        let _ = writeln!(text, "{:<9} {}", "app", app.display());
    }
    for (what, list) in [("roles", &status.roles), ("claims", &status.claims)] {
        if !list.is_empty() {
            let _ = writeln!(text, "{what:<9} {}", list.join(", "));
        }
    }
    text
}

fn state_word(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Running => "running",
        ServiceState::Failed => "failed",
        _ => "stopped",
    }
}

/// Prints every stack of this checkout with its state and address, one a line.
pub(crate) fn stacks(args: &StacksArgs) -> Result<ExitCode> {
    run(async {
        let mut found = Vec::new();
        for name in StackHome::all(&workspace::root()) {
            found.push(stack(&name, render::renderer(false)).status().await?);
        }
        if args.json {
            output::data(&serde_json::to_string_pretty(&found)?);
            return Ok(());
        }
        if found.is_empty() {
            output::note("There is no stack here; `cargo xtask up` makes one.");
        }
        for status in &found {
            let is_any = |state| status.services.iter().any(|it| it.state == state);
            let state = match () {
                () if is_any(ServiceState::Failed) => "failed",
                () if is_any(ServiceState::Running) => "running",
                () => "stopped",
            };
            let api = status.services.iter().find(|it| it.name == ServiceName::Api);
            let url = api.map_or("", |it| it.url.as_str());
            output::data(&format!("{:<16} {state:<8} {:<7} {url}", status.name.as_str(), status.backend));
        }
        Ok(())
    })
}

/// Prints or follows logs; with several services each line names its own.
pub(crate) fn logs(args: &LogsArgs) -> Result<ExitCode> {
    let stack = stack(&name(&args.stack)?, render::renderer(false));
    let services: Vec<ServiceName> = match args.service {
        Some(ServiceArg::Origindb) => vec![ServiceName::OriginDb],
        Some(ServiceArg::Customdb) => vec![ServiceName::CustomDb],
        Some(ServiceArg::Api) => vec![ServiceName::Api],
        Some(ServiceArg::Animals) => vec![ServiceName::Animals],
        None => stack.config()?.services(),
    };
    let is_one = services.len() == 1;
    let since = args.since.as_deref().map(|it| local_stack::parse_since(it, jiff::Timestamp::now()));
    let window = LogWindow { tail: args.tail, since: since.transpose().context("read --since")? };
    run_until_ctrl_c(async {
        let mut print = |line: local_stack::LogLine| {
            if is_one {
                output::data(&line.text);
            } else {
                output::data(&format!("{:<9} {}", line.service.as_str(), line.text));
            }
        };
        Ok(stack.logs(&services, window, args.follow, &mut print).await?)
    })
}

/// Replaces this process by psql, with the connection in its environment.
pub(crate) fn psql(args: &PsqlArgs) -> Result<ExitCode> {
    let name = name(&args.stack)?;
    let stack = stack(&name, render::renderer(false));
    let database = match args.database {
        DatabaseArg::Origin => Database::Origin,
        DatabaseArg::Custom => Database::Custom,
    };
    let connection = stack.connection(database)?;
    let program = workspace::find_program(&["psql"])
        .or_else(|| {
            let found = ServerBinaries::find(&SearchPath::from_env(), None).ok().flatten()?;
            Some(found.program("psql")).filter(|path| path.is_file())
        })
        .context("find psql (Debian/Ubuntu: apt-get install postgresql-client; Fedora: dnf install postgresql; macOS: brew install libpq)")?;
    if std::net::TcpStream::connect(("127.0.0.1", connection.port)).is_err() {
        return Err(local_stack::Error::NotRunning { name, service: database.service() }.into());
    }
    let mut psql = Command::new(program);
    psql.args(&args.args)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", connection.port.to_string())
        .env("PGUSER", database.user())
        .env("PGPASSWORD", database.password())
        .env("PGDATABASE", database.dbname());
    // Ctrl-C is psql's to handle: it cancels the query and keeps the session.
    workspace::hand_over(psql).context("start psql")
}

/// Brings the foreign tables in step with the origin and says what changed.
pub(crate) fn fdw(args: FdwArgs) -> Result<ExitCode> {
    let FdwCommand::Import(args) = args.command;
    let stack = stack(&name(&args.stack)?, render::renderer(false));
    run_to_code(async {
        let report = stack.fdw_import().await?;
        let is_all = report.skipped.is_empty() || args.allow_skipped;
        let code = if is_all { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        if args.json {
            output::data(&serde_json::to_string_pretty(&report)?);
            return Ok(code);
        }
        let mut text = String::new();
        for table in &report.added {
            let _ = writeln!(text, "added    {table}");
        }
        for change in &report.changed {
            let _ = writeln!(text, "changed  {}: {}", change.table, change.changes.join("; "));
        }
        for table in &report.dropped {
            let _ = writeln!(text, "dropped  {table}");
        }
        for name in &report.types {
            let _ = writeln!(text, "type     {name}");
        }
        for skipped in &report.skipped {
            let _ = writeln!(text, "skipped  {}: {}", skipped.table, skipped.reason);
            let _ = writeln!(text, "         next: {}", skipped.next);
        }
        let keys = if report.keys == 1 { "key" } else { "keys" };
        let _ = write!(text, "{} unchanged, {} {keys} recorded", report.unchanged, report.keys);
        output::data(&text);
        if !is_all {
            output::note("Not everything was imported; --allow-skipped takes that for success.");
        }
        Ok(code)
    })
}

/// Opens the API's address in the browser; prints it where there is none.
pub(crate) fn open(args: &OpenArgs) -> Result<ExitCode> {
    let stack = stack(&name(&args.stack)?, render::renderer(false));
    let config = stack.config()?;
    let url = match (args.what, config.animals_port) {
        (OpenArg::Api, _) => format!("http://localhost:{}/", config.api_port),
        (OpenArg::Animals, Some(port)) => format!("http://localhost:{port}/animals"),
        (OpenArg::Animals, None) => return Err(local_stack::Error::NoAnimals { name: config.name }.into()),
    };
    output::data(&url);
    if !std::io::stdout().is_terminal() {
        return Ok(ExitCode::SUCCESS);
    }
    let Some(program) = workspace::find_program(&["xdg-open", "open", "wslview"]) else {
        bail!("no program to open a browser with was found (xdg-open, open, wslview); the address is above");
    };
    let status = Command::new(program).arg(&url).status().context("open the browser")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn name(args: &NameArg) -> Result<StackName> {
    Ok(args.name.parse::<StackName>()?)
}

/// The stack of that name, with its progress on stderr.
pub(crate) fn open_stack(args: &NameArg) -> Result<Stack> {
    Ok(stack(&name(args)?, render::renderer(false)))
}

fn stack(name: &StackName, sink: Arc<dyn local_stack::EventSink>) -> Stack {
    Stack::new(&workspace::root(), name.clone(), sink)
}

/// Runs a command's work to its end, or until Ctrl-C: what was done by then stays and the next run goes on from there.
pub(crate) fn run(work: impl Future<Output = Result<()>>) -> Result<ExitCode> {
    run_to_code(async { work.await.map(|()| ExitCode::SUCCESS) })
}

pub(crate) fn run_to_code(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    runtime()?.block_on(async {
        tokio::select! {
            done = work => done,
            _ = tokio::signal::ctrl_c() => {
                render::end();
                output::note("interrupted; run the same command to continue, or `cargo xtask down` to stop everything");
                Ok(ExitCode::from(INTERRUPTED))
            }
        }
    })
}

/// Runs what only reads: Ctrl-C ends it, and there is nothing to continue.
fn run_until_ctrl_c(work: impl Future<Output = Result<()>>) -> Result<ExitCode> {
    runtime()?.block_on(async {
        tokio::select! {
            done = work => done.map(|()| ExitCode::SUCCESS),
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(INTERRUPTED)),
        }
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")
}
