//! The local stack's commands: thin edges over the `local-stack` library.

mod render;

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use local_stack::animals;
use local_stack::database::Database;
use local_stack::pgbin::{SearchPath, ServerBinaries};
use local_stack::{
    ApiLauncher, Backend, BackendKind, ServiceName, ServiceState, Stack, StackConfig, StackName, Status,
    Volumes,
};
use xshell::cmd;

use crate::cli::{
    BackendArg, DatabaseArg, DownArgs, FdwArgs, FdwCommand, LogsArgs, OpenArg, OpenArgs, PsqlArgs,
    ServiceArg, StackName as NameArg, StatusArgs, UpArgs,
};
use crate::{output, workspace};

/// Exit code of a command that the user interrupted.
const INTERRUPTED: u8 = 130;

/// Builds the server when this machine is to run it, then brings the stack up.
pub(crate) fn up(args: UpArgs) -> Result<ExitCode> {
    let name = name(&args.stack)?;
    let stack = stack(&name, render::renderer(args.json));
    let config = StackConfig {
        animals_port: animals_port(&args, recorded_animals_port(&stack)?),
        name,
        backend: match args.backend {
            BackendArg::Auto => Backend::Auto,
            BackendArg::Native => Backend::Native,
            BackendArg::Docker => Backend::Docker,
        },
        api_port: args.api_port,
        admin_port: args.admin_port,
        origin_port: args.origin_port,
        custom_port: args.custom_port,
        data_dir: args.data_dir.map(std::path::absolute).transpose().context("resolve --data-dir")?,
        bare: args.bare,
        release: args.release,
    };
    run(async {
        let backend = stack.choose_backend(&config).await?;
        let program = match backend {
            BackendKind::Native => build_api(config.release)?,
            // The image is built from source, in a container; no program of this machine is used.
            BackendKind::Docker => PathBuf::new(),
        };
        let api = ApiLauncher::Program(program);
        let status = stack.up(&config, &api).await?;
        if !args.json {
            output::note(&up_message(&status, &config));
        }
        Ok(())
    })
}

/// Whoever added the app wants it until they say otherwise: it is an addition, not a way in which the stack is made.
fn animals_port(args: &UpArgs, recorded: Option<u16>) -> Option<u16> {
    if args.no_animals {
        return None;
    }
    let added = args.animals.then(|| args.animals_port.or(recorded).unwrap_or(animals::DEFAULT_PORT));
    added.or(recorded)
}

fn recorded_animals_port(stack: &Stack) -> Result<Option<u16>> {
    match stack.config() {
        Ok(config) => Ok(config.animals_port),
        Err(local_stack::Error::NoSuchStack { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn up_message(status: &Status, config: &StackConfig) -> String {
    let mut text = String::from("\nThe stack is up.\n");
    for service in &status.services {
        let _ = writeln!(text, "  {:<9} {}", service.name.as_str(), service.url);
    }
    let base = format!("http://localhost:{}", config.api_port);
    if config.bare {
        let _ = write!(text, "Try: curl {base}/");
    } else {
        let _ = write!(text, "Try: curl {base}/todos");
    }
    if let Some(port) = config.animals_port {
        let _ = write!(text, "\n     curl http://localhost:{port}/animals");
    }
    text
}

fn build_api(is_release: bool) -> Result<PathBuf> {
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

/// Prints what runs.
pub(crate) fn status(args: &StatusArgs) -> Result<ExitCode> {
    let stack = stack(&name(&args.stack)?, render::renderer(false));
    run(async {
        let status = stack.status().await?;
        if args.json {
            output::data(&serde_json::to_string_pretty(&status)?);
            return Ok(());
        }
        let mut text = format!("stack {} ({})\n", status.name, status.backend);
        for service in &status.services {
            let state = match service.state {
                ServiceState::Running => "running",
                ServiceState::Failed => "failed",
                _ => "stopped",
            };
            let place = match (&service.pid, &service.container) {
                (Some(pid), _) => format!("pid {pid}"),
                (_, Some(container)) => container.clone(),
                _ => String::new(),
            };
            let _ = writeln!(text, "{:<9} {state:<8} {:<48} {place}", service.name.as_str(), service.url);
            if let Some(reason) = &service.reason {
                let _ = writeln!(text, "{:<9} {reason}", "");
            }
        }
        output::data(&text);
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
    run(async {
        let mut print = |line: local_stack::LogLine| {
            if is_one {
                output::data(&line.text);
            } else {
                output::data(&format!("{:<9} {}", line.service.as_str(), line.text));
            }
        };
        Ok(stack.logs(&services, args.follow, &mut print).await?)
    })
}

/// Replaces this process by psql, with the connection in its environment.
pub(crate) fn psql(args: &PsqlArgs) -> Result<ExitCode> {
    let stack = stack(&name(&args.stack)?, render::renderer(false));
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
    let status = Command::new(program)
        .args(&args.args)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", connection.port.to_string())
        .env("PGUSER", database.user())
        .env("PGPASSWORD", database.password())
        .env("PGDATABASE", database.dbname())
        .status()
        .context("start psql")?;
    // psql has said what was wrong; only its verdict is passed on.
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Brings the foreign tables in step with the origin and says what changed.
pub(crate) fn fdw(args: FdwArgs) -> Result<ExitCode> {
    let FdwCommand::Import(args) = args.command;
    let stack = stack(&name(&args.stack)?, render::renderer(false));
    run(async {
        let report = stack.fdw_import().await?;
        if args.json {
            output::data(&serde_json::to_string_pretty(&report)?);
            return Ok(());
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
        }
        let _ = write!(text, "{} unchanged, {} keys recorded", report.unchanged, report.keys);
        output::data(&text);
        Ok(())
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

fn stack(name: &StackName, sink: Arc<dyn local_stack::EventSink>) -> Stack {
    Stack::new(&workspace::root(), name.clone(), sink)
}

/// Runs a command's work to its end, or until Ctrl-C: what was done by then stays and the next run goes on from there.
fn run(work: impl Future<Output = Result<()>>) -> Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(async {
        tokio::select! {
            done = work => done.map(|()| ExitCode::SUCCESS),
            _ = tokio::signal::ctrl_c() => {
                output::note("interrupted; the same command continues from here, `cargo xtask down` stops what runs");
                Ok(ExitCode::from(INTERRUPTED))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command as Asked};
    use clap::Parser;

    fn port(options: &[&str], recorded: Option<u16>) -> Option<u16> {
        let words = ["cargo xtask", "up"].iter().chain(options);
        match Cli::try_parse_from(words).unwrap().command {
            Some(Asked::Up(args)) => animals_port(&args, recorded),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_animals_app_stays_as_it_was_unless_told() {
        assert_eq!(port(&[], None), None);
        assert_eq!(port(&[], Some(3200)), Some(3200));
        assert_eq!(port(&["--animals"], None), Some(3100));
        assert_eq!(port(&["--animals"], Some(3200)), Some(3200));
        assert_eq!(port(&["--animals", "--animals-port", "3300"], Some(3200)), Some(3300));
        assert_eq!(port(&["--no-animals"], Some(3200)), None);
    }

    #[test]
    fn a_port_for_an_app_that_is_not_wanted_is_refused() {
        for options in [["--animals-port", "3300"].as_slice(), &["--no-animals", "--animals"]] {
            let words = ["cargo xtask", "up"].iter().chain(options);
            assert!(Cli::try_parse_from(words).is_err(), "{options:?}");
        }
    }
}
