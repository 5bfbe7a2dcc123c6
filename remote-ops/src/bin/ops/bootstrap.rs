//! `bootstrap`: the SQL bootstrap of a database, wherever it is.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use app_folder::AppFolder;
use aws_config::SdkConfig;
use aws_session::{
    program::{self, INTERRUPTED},
    sdk_config,
};
use bootstrap_sql::{
    Ident,
    fdw::{FdwConfig, SslMode},
};
use clap::{Args, ValueEnum};
use deployment_outputs::{Stacks, terraform};
use local_stack::{Stack, StackName, database};
use remote_ops::{
    access::{self, Access, Closable, Options},
    application::{self, Part},
    authorities,
    bootstrap::{Done, FdwLogin, Job, Server, apply, plan},
    outputs,
    place::{Database, Role},
    secret,
};
use tokio_postgres::Client;

use crate::psql::quiet;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Both databases of the local stack
    Local,
    /// Origin database of the hybrid deployment
    Rds,
    /// Custom database of the hybrid deployment, with the way to its origin
    Compute,
    /// Database of the serverless deployment
    Aurora,
}

#[derive(Args)]
pub(crate) struct BootstrapArgs {
    /// What to set up
    #[arg(long, value_enum)]
    target: Target,
    /// Print the SQL that would run, with secrets masked, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Name of the local stack
    #[arg(long, default_value = "default", value_name = "NAME")]
    name: String,
    /// Apply the migrations of this application, too: those of `origin` (target rds), `custom` (compute) or `aurora`
    #[arg(long, value_name = "DIR")]
    app: Option<PathBuf>,
    /// Write the application's seed into a database that never had one
    #[arg(long, requires = "app")]
    seed: bool,
    /// Give the origin the tutorial's table (target rds)
    #[arg(long)]
    sample_table: bool,
    /// File on the custom database's machine with the authorities that vouch for the origin, instead of those of RDS that
    /// the bootstrap puts beside the data (target compute)
    #[arg(long, value_name = "FILE")]
    fdw_ssl_root_cert: Option<String>,
    /// Instance to go through, instead of the deployment's
    #[arg(long, value_name = "INSTANCE")]
    instance: Option<String>,
    #[command(flatten)]
    place: crate::Place,
    /// File with the authorities of RDS; $PGSSLROOTCERT, else a copy in the cache folder, when left out
    #[arg(long, value_name = "FILE")]
    ssl_root_cert: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: BootstrapArgs) -> anyhow::Result<u8> {
    if args.target == Target::Local {
        anyhow::ensure!(
            args.app.is_none(),
            "a local stack has its application by `cargo xtask up --app DIR`, and its migrations by `cargo xtask db migrate`"
        );
        return tokio::select! {
            done = local(&args) => done.map(|()| 0),
            () = program::interrupted() => Ok(interrupted()),
        };
    }
    let part = application(&args)?;
    let config = sdk_config().await?;
    let options = args.place.options(Role::Master, args.instance.as_ref(), 0, args.ssl_root_cert.as_ref());
    let database = match args.target {
        Target::Rds => Database::Rds,
        Target::Compute => Database::Compute,
        _ => Database::Aurora,
    };
    let job = job(&config, &args, &options).await?;
    let place = access::locate(&config, database, &options).await?;
    let opening = Access::open(&config, place, &options, quiet());
    let Some(access) = access::unless_interrupted(opening, program::interrupted()).await? else {
        return Ok(interrupted());
    };
    let result = tokio::select! {
        done = work(&args, &access, &job, part.as_ref()) => done.map(|()| 0),
        // The connection is dropped, and with it the step that is not finished.
        () = program::interrupted() => Ok(interrupted()),
    };
    let closed = access.close().await;
    let code = result?;
    closed?;
    Ok(code)
}

fn interrupted() -> u8 {
    program::note(
        "interrupted; a step that was not finished left nothing, and the same command goes on from there",
    );
    INTERRUPTED
}

/// What the deployment says about the job.
async fn job(config: &SdkConfig, args: &BootstrapArgs, options: &Options) -> anyhow::Result<Job> {
    Ok(match args.target {
        Target::Compute => {
            let stacks = Stacks::new(config);
            let origin = access::locate(config, Database::Rds, options).await?;
            let login =
                secret::credentials(config, &outputs::fdw_secret(&stacks, &options.prefix).await?).await?;
            let mut fdw =
                FdwConfig::new(origin.host, origin.port, origin.dbname, login.username, login.password);
            fdw.sslmode = SslMode::VerifyFull;
            fdw.sslrootcert.clone_from(&args.fdw_ssl_root_cert);
            let authorities = match &args.fdw_ssl_root_cert {
                Some(_) => None,
                None => Some(authorities::read(options.ssl_root_cert.as_deref()).await?),
            };
            let id = outputs::authenticator_secret(&stacks, &options.prefix).await?;
            Job::Custom {
                authenticator_password: Some(secret::password(config, &id).await?),
                is_open: false,
                origin: Box::new(fdw),
                authorities,
            }
        }
        Target::Aurora => {
            let outputs = terraform::texts(&terraform::outputs(&options.terraform).await?);
            let user = outputs.get("database_iam_token_username").context(
                "the Terraform deployment has no output \"database_iam_token_username\"; apply it first",
            )?;
            Job::Aurora { iam_user: Ident::try_from(user.as_str()).context("name of the IAM user")? }
        }
        Target::Rds | Target::Local => {
            let id = outputs::fdw_secret(&Stacks::new(config), &options.prefix).await?;
            let login = secret::credentials(config, &id).await?;
            let user =
                Ident::try_from(login.username.as_str()).context("name of the custom database's login")?;
            let fdw = FdwLogin { user, password: login.password };
            Job::Origin { sample_table: args.sample_table, fdw: Some(Box::new(fdw)) }
        }
    })
}

/// The application's part in the database, read before anything is reached.
fn application(args: &BootstrapArgs) -> anyhow::Result<Option<Part>> {
    let Some(dir) = &args.app else { return Ok(None) };
    let target = match args.target {
        Target::Rds => bootstrap_sql::Target::Origin,
        Target::Compute => bootstrap_sql::Target::Custom,
        Target::Aurora | Target::Local => bootstrap_sql::Target::Aurora,
    };
    let folder = AppFolder::open(dir).map_err(app_folder::Error::from)?;
    let part = Part::read(&folder, target, args.seed)?;
    if part.is_empty() {
        program::note(&format!("note: \"{}\" has no {target} migrations", dir.display()));
    }
    Ok(Some(part))
}

async fn work(
    args: &BootstrapArgs,
    server: &impl Server,
    job: &Job,
    part: Option<&Part>,
) -> anyhow::Result<()> {
    if args.dry_run {
        let mut text = plan(server, job).await?;
        if let Some(part) = part {
            text.push_str("\n\n");
            text.push_str(&application::plan(server, part).await?);
        }
        return program::data(&text);
    }
    let mut done = apply(server, job, &mut |line| program::note(&line)).await?;
    if let Some(part) = part {
        done.migrations = application::apply(server, part, &mut |line| program::note(&line)).await?;
    }
    report(args, &done)
}

fn report(args: &BootstrapArgs, done: &Done) -> anyhow::Result<()> {
    if args.json {
        return program::data(&serde_json::to_string_pretty(done)?);
    }
    let n_steps = done.steps.steps.len();
    let changed = if done.steps.changed() || done.created || !done.migrations.is_empty() {
        "set up"
    } else {
        "everything was in place"
    };
    let imported = done
        .imported
        .as_ref()
        .map(|it| format!(", {} foreign tables", it.added.len() + it.unchanged + it.changed.len()));
    program::note(&format!("{changed}: {n_steps} steps{}", imported.unwrap_or_default()));
    Ok(())
}

/// A database of the local stack.
struct Local(database::Connection);

/// The local database does not answer.
#[derive(Debug, thiserror::Error)]
#[error("connect to the {0:?} database of the local stack; is it up?")]
struct NotUp(database::Database, #[source] tokio_postgres::Error);

impl Server for Local {
    type Error = NotUp;

    fn dbname(&self) -> &str {
        self.0.database.dbname()
    }

    async fn connect(&self, dbname: &str) -> Result<Client, NotUp> {
        self.0.connect_to(dbname).await.map_err(|err| NotUp(self.0.database, err))
    }
}

async fn local(args: &BootstrapArgs) -> anyhow::Result<()> {
    let root = std::env::current_dir().context("find the workspace")?;
    let root = root.ancestors().find(|it| it.join(".stack").is_dir()).unwrap_or(&root).to_owned();
    let sink = Arc::new(|event| {
        if let local_stack::Event::Step { service, text } = event {
            program::note(&format!("{service}: {text}"));
        } else if let local_stack::Event::Note { text } = event {
            program::note(&text);
        }
    });
    let stack = Stack::new(&root, args.name.parse::<StackName>()?, sink);
    if !args.dry_run {
        let report = stack.bootstrap().await?;
        if args.json {
            program::data(&serde_json::to_string_pretty(&report)?)?;
        }
        return Ok(());
    }
    let is_bare = stack.config()?.bare;
    let origin = stack.connection(database::Database::Origin)?;
    let sample = Job::Origin { sample_table: !is_bare, fdw: None };
    program::data(&plan(&Local(origin.clone()), &sample).await?)?;
    let of = origin.database;
    let fdw = FdwConfig::new("127.0.0.1", origin.port, of.dbname(), of.user(), of.password().into());
    let custom =
        Job::Custom { authenticator_password: None, is_open: true, origin: Box::new(fdw), authorities: None };
    program::data(&plan(&Local(stack.connection(database::Database::Custom)?), &custom).await?)
}
