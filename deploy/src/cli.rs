//! The command line: flags to values, values to the engine, exit codes back.

mod flags;
mod inspect;
mod lint;
mod nested;
mod order;
mod params;
mod select;
mod work;

use std::{io::Write, path::PathBuf};

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use deploy::{Wanted, cloud::CloudError, failure::Failure};
use flags::{Consent, Format, Home, Leave, Making, OnFailureFlag, Pace, Switch, Target, Values};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Deploys the CloudFormation stacks")]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make stacks that do not exist yet
    #[command(after_help = "Example: cargo xtask create --stack vpc")]
    Create(Create),
    /// Make or change stacks, after showing what changes
    #[command(after_help = "Example: cargo xtask deploy --all --yes")]
    Deploy(Deploy),
    /// Execute change sets that deploy --no-execute has prepared: exactly those
    #[command(
        after_help = "Example: cargo xtask deploy --all --no-execute --json > plan.json; cargo xtask apply --plan plan.json"
    )]
    Apply(Apply),
    /// Follow what CloudFormation is doing until it ends
    #[command(after_help = "Example: cargo xtask wait --stack rds")]
    Wait {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        format: Format,
        #[command(flatten)]
        pace: Pace,
    },
    /// Delete stacks in reverse order; --all leaves out iam, or what the file says stays
    #[command(after_help = "Example: cargo xtask terminate --all")]
    Terminate(Terminate),
    /// Delete stacks and make them anew; --all leaves out iam
    #[command(after_help = "Example: cargo xtask recreate --stack compute")]
    Recreate(Recreate),
    /// Show what a deployment would change, and what was changed behind CloudFormation's back
    #[command(after_help = "Example: cargo xtask diff --all --exit-code")]
    Diff(Diff),
    /// List the events of the last operation, with the time that each resource took
    #[command(after_help = "Example: cargo xtask events --stack compute")]
    Events {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        format: Format,
    },
    /// Print the outputs
    #[command(after_help = "Example: cargo xtask outputs --stack compute --json")]
    Outputs {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        format: Format,
        /// Print them as lines of a .env file, STACK_OUTPUT='VALUE'
        #[arg(long, conflicts_with = "json")]
        env: bool,
    },
    /// Take existing resources over into a stack; the template describes them as they are
    #[command(
        after_help = "Example: cargo xtask import --file stacks.toml --stack data --resource Bucket.BucketName=my-bucket"
    )]
    Import(Import),
    /// List the stacks of this installation, nested ones below theirs
    #[command(after_help = "Example: cargo xtask stacks")]
    Stacks {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        format: Format,
    },
    /// Print a template
    #[command(after_help = "Example: cargo xtask template --stack vpc")]
    Template {
        #[command(flatten)]
        target: Target,
        /// The template that the stack was made from, not the one here
        #[arg(long)]
        deployed: bool,
    },
    /// Work on parameter files
    #[command(subcommand)]
    Params(ParamsCommand),
    /// Check templates and parameter files; without AWS, unless --aws is given
    #[command(after_help = "Example: cargo xtask lint --all --aws")]
    Lint {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        format: Format,
        /// Ask the account, too: names that are taken, images, quotas, types of instances
        #[arg(long)]
        aws: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum ParamsCommand {
    /// Make parameter files from the samples, with generated passwords; what exists stays
    #[command(after_help = "Example: cargo xtask params init --all")]
    Init {
        #[command(flatten)]
        target: Target,
        /// Do not ask AWS whether the stacks exist, whose passwords stay as they are
        #[arg(long)]
        assume_new: bool,
    },
    /// Write down that the parameter files belong to the account and region of now; other ones are refused from then on
    #[command(after_help = "Example: cargo xtask params pin --profile production")]
    Pin(Home),
}

#[derive(clap::Args)]
pub(crate) struct Create {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    values: Values,
    #[command(flatten)]
    making: Making,
    #[command(flatten)]
    planning: Planning,
}

/// Plan and apply apart.
#[derive(clap::Args)]
pub(crate) struct Planning {
    /// Prepare the change sets, print the plan on stdout, and leave them for apply
    #[arg(long)]
    no_execute: bool,
    /// Print the plan as Markdown, for a pull request
    #[arg(long, requires = "no_execute", conflicts_with = "json")]
    markdown: bool,
}

#[derive(clap::Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    create: Create,
    #[command(flatten)]
    leave: Leave,
    /// Resource that the continuation of a stuck rollback leaves as it is; may be repeated
    #[arg(long, value_name = "LOGICAL_ID")]
    rollback_skip: Vec<String>,
}

#[derive(clap::Args)]
pub(crate) struct Import {
    #[command(flatten)]
    create: Create,
    /// Resource of the template and what finds it in the account; may be repeated
    #[arg(long = "resource", value_name = "LOGICAL_ID.KEY=VALUE", required = true, value_parser = wanted)]
    resources: Vec<Wanted>,
}

#[derive(clap::Args)]
pub(crate) struct Apply {
    /// Change sets, by their ARNs
    #[arg(value_name = "CHANGE_SET", required_unless_present = "plan")]
    change_sets: Vec<String>,
    /// What deploy --no-execute --json has printed; - reads it from stdin
    #[arg(long, value_name = "FILE", conflicts_with = "change_sets")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    home: Home,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    leave: Leave,
    /// What happens to a changed stack that fails; for a new one its change set says it
    #[arg(long, value_enum, default_value_t)]
    on_failure: OnFailureFlag,
}

#[derive(clap::Args)]
pub(crate) struct Terminate {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    pace: Pace,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Role that CloudFormation acts with
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// Turn termination protection off
    #[arg(long, value_name = "off", value_parser = off)]
    termination_protection: Option<Off>,
    /// Resource that stays behind when a stack is deleted whose deletion failed before; may be repeated
    #[arg(long, value_name = "LOGICAL_ID")]
    retain: Vec<String>,
}

#[derive(clap::Args)]
pub(crate) struct Recreate {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    values: Values,
    #[command(flatten)]
    making: Making,
    /// Resource that stays behind when a stack is deleted whose deletion failed before; may be repeated
    #[arg(long, value_name = "LOGICAL_ID")]
    retain: Vec<String>,
}

#[derive(clap::Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    values: Values,
    /// Do not compare with the real resources
    #[arg(long)]
    no_drift: bool,
    /// Print Markdown, for a pull request
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Exit with 4 when anything differs
    #[arg(long)]
    exit_code: bool,
}

/// The only thing that termination protection can be turned to where stacks are deleted.
#[derive(Clone, Copy)]
pub(crate) struct Off;

fn off(text: &str) -> Result<Off, String> {
    match clap::ValueEnum::from_str(text, false) {
        Ok(Switch::Off) => Ok(Off),
        _ => Err("only \"off\" makes sense here: what is protected cannot go".to_owned()),
    }
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let (place, value) = text.split_once('=').ok_or("must have the form LOGICAL_ID.KEY=VALUE")?;
    let (logical_id, key) = place.split_once('.').ok_or("must have the form LOGICAL_ID.KEY=VALUE")?;
    Ok(Wanted { logical_id: logical_id.to_owned(), key: key.to_owned(), value: value.to_owned() })
}

/// A command line that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(String);

impl UsageError {
    fn of(text: impl Into<String>) -> anyhow::Error {
        Self(text.into()).into()
    }
}

/// How these commands are called in this project; the words of help and hints.
const FORWARDED_AS: &str = "cargo xtask";

/// How this program was called: through `cargo xtask`, which says so, or by its own name where it was installed.
pub(crate) fn called_as() -> &'static str {
    if std::env::var_os("PGAPP_FORWARDED").is_some() { FORWARDED_AS } else { "deploy" }
}

/// A sentence with the commands as they are called here.
fn renamed(text: &str) -> String {
    text.replace(&format!("{FORWARDED_AS} "), &format!("{} ", called_as()))
}

/// The command line, with examples that can be typed as they are.
pub(crate) fn parse() -> Cli {
    let mut command = Cli::command().name(called_as()).bin_name(called_as());
    let names: Vec<String> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, with_examples);
    }
    let matches = command.get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|err| err.exit())
}

fn with_examples(mut command: clap::Command) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, with_examples);
    }
    match command.get_after_help().map(|it| renamed(&it.to_string())) {
        Some(help) => command.after_help(help),
        None => command,
    }
}

/// Runs a command and returns its exit code.
pub(crate) async fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Create(it) => work::create(&it).await,
        Command::Deploy(it) => work::deploy(&it).await,
        Command::Apply(it) => work::apply(&it).await,
        Command::Wait { target, format, pace } => work::wait(&target, &format, &pace).await,
        Command::Terminate(it) => work::terminate(&it).await,
        Command::Recreate(it) => work::recreate(&it).await,
        Command::Diff(it) => work::diff(&it).await,
        Command::Events { target, format } => inspect::events(&target, format).await,
        Command::Outputs { target, format, env } => inspect::outputs(&target, format, env).await,
        Command::Import(it) => work::import(&it).await,
        Command::Stacks { target, format } => inspect::stacks(&target, format).await,
        Command::Template { target, deployed } => inspect::template(&target, deployed).await,
        Command::Params(ParamsCommand::Init { target, assume_new }) => {
            params::init(&target, assume_new).await
        }
        Command::Params(ParamsCommand::Pin(home)) => params::pin(&home).await,
        Command::Lint { target, format, aws } => params::lint(&target, format, aws).await,
    }
}

/// Whether a command tells by itself what an interruption means for it.
pub(crate) fn minds_interruption(command: &Command) -> bool {
    matches!(
        command,
        Command::Create(_)
            | Command::Deploy(_)
            | Command::Apply(_)
            | Command::Import(_)
            | Command::Wait { .. }
            | Command::Terminate(_)
            | Command::Recreate(_)
            | Command::Diff(_)
    )
}

/// Tells what went wrong before anything could be done, and returns the exit code.
pub(crate) fn complain(err: &anyhow::Error) -> u8 {
    let mut stderr = anstream::stderr();
    let _ = match err.downcast_ref::<CloudError>() {
        Some(cause) => {
            let failure = Failure::of_call("ask AWS", cause);
            writeln!(stderr, "error: {}\n  hint: {}", failure.message, renamed(&failure.hint))
        }
        None => writeln!(stderr, "error: {}", renamed(&format!("{err:#}"))),
    };
    if err.is::<UsageError>() { 2 } else { 1 }
}

/// Prints data.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(anstream::stdout(), "{text}") {
        // A reader that has seen enough, such as `head`.
        Err(err) if err.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("write to stdout"),
    }
}
