//! `psql rds|compute|aurora`: the client with the way, the login and the checks in its environment.

use std::{ffi::OsString, path::PathBuf, process::Stdio, sync::Arc};

use anyhow::{Context, bail};
use aws_session::{
    program::{self, INTERRUPTED},
    sdk_config,
};
use clap::Args;
use local_stack::pgbin::{SearchPath, ServerBinaries};
use remote_ops::{
    access::{self, Access, Closable},
    place::{Database, Role, Way},
};
use ssm_tunnel::{Event, Events};
use tokio::process::Command;

#[derive(Args)]
pub(crate) struct PsqlArgs {
    /// Which database
    #[arg(value_enum)]
    database: Database,
    /// Who to be in the serverless deployment's database
    #[arg(long = "as", value_enum, default_value_t)]
    role: Role,
    /// Print the environment for another client instead; it contains the password or token
    #[arg(long)]
    print_env: bool,
    /// Local port of the tunnel; with --print-env, the port of one that is open already
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    local_port: u16,
    /// Instance to go through, instead of the deployment's
    #[arg(long, value_name = "INSTANCE")]
    target: Option<String>,
    #[command(flatten)]
    place: crate::Place,
    /// File with the authorities of RDS; $PGSSLROOTCERT, else a copy in the cache folder, when left out
    #[arg(long, value_name = "FILE")]
    ssl_root_cert: Option<PathBuf>,
    /// Arguments for psql
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

pub(crate) async fn run(args: PsqlArgs) -> anyhow::Result<u8> {
    let config = sdk_config().await?;
    let options =
        args.place.options(args.role, args.target.as_ref(), args.local_port, args.ssl_root_cert.as_ref());
    let place = access::locate(&config, args.database, &options).await?;
    if args.print_env {
        if place.way != Way::Direct && args.local_port == 0 {
            bail!(
                "{} is private: keep `cargo xtask tunnel --to {} --local-port 15432` open in another terminal and add \
                 --local-port 15432 here",
                args.database,
                args.database
            );
        }
        let access = Access::over_port(&config, place, &options).await?;
        let environment = access.environment();
        program::data(&program::exports(environment.iter().map(|(name, value)| (*name, value.as_str()))))?;
        return Ok(0);
    }
    let program = find()?;
    let opening = Access::open(&config, place, &options, quiet());
    let Some(access) = access::unless_interrupted(opening, program::interrupted()).await? else {
        return Ok(INTERRUPTED);
    };
    let result = enter(&program, &args.args, &access).await;
    if access.n_refused() > 0 {
        let place = access.place();
        program::note(&format!(
            "the instance cannot connect to {}:{}: the database is stopped, or a security group is in the way",
            place.host, place.port
        ));
    }
    access.close().await?;
    result
}

async fn enter(program: &PathBuf, args: &[OsString], access: &Access) -> anyhow::Result<u8> {
    let mut command = Command::new(program);
    // What the user's shell says about another database must not mix with this one.
    for name in ["PGHOSTADDR", "PGSERVICE", "PGPASSFILE", "PGSSLROOTCERT", "PGREQUIRESSL", "DATABASE_URL"] {
        command.env_remove(name);
    }
    command.args(args).envs(access.environment()).stdin(Stdio::inherit());
    let mut child = command.spawn().context("start psql")?;
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status.context("wait for psql")?;
                // psql has said what was wrong; only its verdict is passed on.
                return Ok(match status.code() {
                    Some(0) => 0,
                    Some(_) => 1,
                    None => INTERRUPTED,
                });
            }
            // The terminal sends it to psql too, which cancels its query and stays.
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}

/// Tells only what a user of psql has to know.
pub(crate) fn quiet() -> Events {
    Arc::new(|event| match event {
        Event::Cut { reason } => {
            program::note(&format!("the tunnel was cut ({reason}); it is being resumed"));
        }
        Event::Resumed { after } => {
            program::note(&format!("the tunnel goes on after {:.1} s", after.as_secs_f64()));
        }
        Event::Ready { .. } | Event::Opened { .. } | Event::Finished { .. } | Event::Refused => {}
    })
}

fn find() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|it| it.join("psql"))
        .find(|it| it.is_file())
        .or_else(|| {
            let found = ServerBinaries::find(&SearchPath::from_env(), None).ok().flatten()?;
            Some(found.program("psql")).filter(|it| it.is_file())
        })
        .context("find psql (Debian/Ubuntu: apt-get install postgresql-client; Fedora: dnf install postgresql; macOS: brew install libpq)")
}
