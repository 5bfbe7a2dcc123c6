//! The command line: flags to values, values to the engine, exit codes back.

mod inspect;
mod params;
mod work;

pub(crate) use work::INTERRUPTED;

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use infra_cfn::{
    Stack, Template,
    catalog::{DEFAULT_PREFIX, PREFIX_LENGTH},
    graph::Graph,
    params::ParameterFile,
    template::INLINE_LIMIT,
    write,
};

use deploy::{
    Settings, Spec,
    cloud::{CloudError, OnFailure},
    failure::Failure,
};

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
    Create(Work),
    /// Make or change stacks, after showing what changes
    #[command(after_help = "Example: cargo xtask deploy --all --yes")]
    Deploy(Work),
    /// Follow what CloudFormation is doing until it ends
    #[command(after_help = "Example: cargo xtask wait --stack rds")]
    Wait {
        #[command(flatten)]
        look: Look,
        #[command(flatten)]
        pace: Pace,
    },
    /// Delete stacks in reverse order; --all leaves out iam
    #[command(after_help = "Example: cargo xtask terminate --all")]
    Terminate(Work),
    /// Delete stacks and make them anew; --all leaves out iam
    #[command(after_help = "Example: cargo xtask recreate --stack compute")]
    Recreate(Work),
    /// Show what a deployment would change, and what was changed behind CloudFormation's back
    #[command(after_help = "Example: cargo xtask diff --all")]
    Diff {
        #[command(flatten)]
        work: Work,
        /// Do not compare with the real resources
        #[arg(long)]
        no_drift: bool,
    },
    /// List the events of the last operation, with the time that each resource took
    #[command(after_help = "Example: cargo xtask events --stack compute")]
    Events(Look),
    /// Print the outputs
    #[command(after_help = "Example: cargo xtask outputs --stack compute --json")]
    Outputs(Look),
    /// List the stacks of this installation
    #[command(after_help = "Example: cargo xtask stacks")]
    Stacks(Look),
    /// Print a template
    #[command(after_help = "Example: cargo xtask template --stack vpc")]
    Template {
        #[command(flatten)]
        look: Look,
        /// The template that the stack was made from, not the one here
        #[arg(long)]
        deployed: bool,
    },
    /// Work on parameter files
    #[command(subcommand)]
    Params(ParamsCommand),
    /// Check templates and parameter files without AWS
    #[command(after_help = "Example: cargo xtask lint --all")]
    Lint(Look),
}

#[derive(Subcommand)]
pub(crate) enum ParamsCommand {
    /// Make parameter files from the samples, with generated passwords; what exists stays
    #[command(after_help = "Example: cargo xtask params init --all")]
    Init {
        #[command(flatten)]
        look: Look,
        /// Do not ask AWS whether the stacks exist, whose passwords stay as they are
        #[arg(long)]
        assume_new: bool,
    },
}

/// Flags of every command.
#[derive(Args, Clone)]
pub(crate) struct Look {
    /// Stack to work on; may be repeated
    #[arg(long = "stack", value_name = "NAME")]
    stacks: Vec<Stack>,
    /// Every stack
    #[arg(long, conflicts_with = "stacks")]
    all: bool,
    /// Prefix of the stack names
    #[arg(long, default_value = DEFAULT_PREFIX, value_parser = prefix)]
    prefix: String,
    /// Print JSON for programs
    #[arg(long)]
    json: bool,
    /// Folder of the parameter files
    #[arg(long, value_name = "DIR")]
    params_dir: Option<PathBuf>,
}

/// Flags of commands that follow what CloudFormation does.
#[derive(Args, Clone)]
pub(crate) struct Pace {
    /// Seconds between two looks at a stack
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = poll)]
    poll: Duration,
}

/// Flags of commands that change something.
#[derive(Args, Clone)]
pub(crate) struct Work {
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    pace: Pace,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Value of a parameter, over the parameter file; STACK.NAME=VALUE for one stack only; may be repeated
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// Tag of the stacks and everything in them; may be repeated
    #[arg(long = "tags", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Role that CloudFormation acts with
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// What happens to a stack that fails
    #[arg(long, value_enum, default_value_t)]
    on_failure: OnFailureFlag,
    /// Prepare the change sets and leave them for somebody else to execute
    #[arg(long)]
    no_execute: bool,
    /// Turn termination protection on or off
    #[arg(long, value_enum)]
    termination_protection: Option<Switch>,
    /// Bucket for templates over 51,200 bytes; the s3 stack's bucket is used when it exists
    #[arg(long, value_name = "BUCKET")]
    template_bucket: Option<String>,
    /// Take the current image of the host, which replaces the host
    #[arg(long)]
    new_host_image: bool,
    /// Resource that the continuation of a stuck rollback leaves as it is; may be repeated
    #[arg(long, value_name = "LOGICAL_ID")]
    rollback_skip: Vec<String>,
    /// Resource that stays behind when a stack is deleted whose deletion failed before; may be repeated
    #[arg(long, value_name = "LOGICAL_ID")]
    retain: Vec<String>,
}

#[derive(ValueEnum, Clone, Copy, Default)]
enum OnFailureFlag {
    /// Go back to what was
    #[default]
    Rollback,
    /// Leave everything to be looked at
    Keep,
    /// Delete a new stack
    Delete,
}

#[derive(ValueEnum, Clone, Copy)]
enum Switch {
    On,
    Off,
}

fn prefix(text: &str) -> Result<String, String> {
    let is_good = text.starts_with(|it: char| it.is_ascii_lowercase())
        && text.len() <= PREFIX_LENGTH
        && text.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-');
    if is_good {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "must start with a lower case letter and hold at most {PREFIX_LENGTH} lower case letters, digits and hyphens"
        ))
    }
}

fn poll(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|it| (0.1..=60.0).contains(it));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "must be a number of seconds from 0.1 to 60".into())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) =
        text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("must have the form NAME=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// What the flags select: every stack's template, and the graph of those that are wanted.
struct Selection {
    specs: Vec<Spec>,
    graph: Graph,
}

impl Look {
    /// The stacks that are wanted, in the order of the catalog.
    fn wanted(&self) -> anyhow::Result<Vec<Stack>> {
        if self.all {
            return Ok(Stack::ALL.to_vec());
        }
        if self.stacks.is_empty() {
            bail!("name a stack with --stack NAME, or all of them with --all");
        }
        Ok(Stack::ALL.into_iter().filter(|it| self.stacks.contains(it)).collect())
    }

    /// The stacks that a removal takes: "all" leaves out the one that holds who is removing.
    fn wanted_for_removal(&self) -> anyhow::Result<Vec<Stack>> {
        let mut wanted = self.wanted()?;
        if self.all {
            wanted.retain(|it| *it != Stack::Iam);
            let stays = format!(
                "{} stays: it is who you are. Remove it last, with other credentials: delete the access keys and the MFA device of its user, then terminate --stack iam",
                Stack::Iam.stack_name(&self.prefix)
            );
            writeln!(anstream::stderr(), "{stays}").context("write to stderr")?;
        }
        Ok(wanted)
    }

    /// The same for commands that only look: nothing named means everything.
    fn wanted_or_all(&self) -> Vec<Stack> {
        self.wanted().unwrap_or_else(|_| Stack::ALL.to_vec())
    }

    fn params_dir(&self) -> PathBuf {
        self.params_dir.clone().unwrap_or_else(|| {
            let here = PathBuf::from("infra-cfn/params");
            // Started from somewhere else in the workspace.
            if here.is_dir() {
                here
            } else {
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra-cfn/params")
            }
        })
    }

    fn select(&self, stacks: &[Stack], flags: &[(String, String)]) -> anyhow::Result<Selection> {
        let specs: Vec<Spec> =
            Stack::ALL.into_iter().map(|it| self.spec(it, flags)).collect::<Result<_, _>>()?;
        let templates: Vec<(&str, &Template)> =
            specs.iter().map(|it| (it.name.as_str(), &it.template)).collect();
        let mut whole = Graph::build(&self.prefix, &templates).context("order the stacks")?;
        // A template that does not fit into a request goes through the bucket of the s3 stack.
        for spec in specs.iter().filter(|it| it.text.len() > INLINE_LIMIT) {
            whole = whole.with_wait(&spec.name, Stack::S3.name()).context("order the stacks")?;
        }
        let names: Vec<&str> = stacks.iter().map(|it| it.name()).collect();
        let graph = whole.restrict(&names);
        self.refuse_unknown(flags, stacks, &specs)?;
        Ok(Selection { specs, graph })
    }

    fn spec(&self, stack: Stack, flags: &[(String, String)]) -> anyhow::Result<Spec> {
        let template = Template::parse(stack.template_text())
            .with_context(|| format!("read {}", stack.template_path()))?;
        let path = self.params_dir().join(format!("{stack}.json"));
        let mut given = match std::fs::read_to_string(&path) {
            Ok(text) => ParameterFile::parse(&text).with_context(|| format!("read {}", path.display()))?,
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => ParameterFile::default(),
            Err(err) => return Err(err).with_context(|| format!("read {}", path.display())),
        };
        let mut overridden = Vec::new();
        for (name, value) in flags {
            let name = match name.split_once('.') {
                Some((of, name)) if of == stack.name() => name,
                None if template.parameters.contains_key(name) => name,
                _ => continue,
            };
            if given.get(name).is_some_and(|it| it != value) {
                overridden.push(name.to_owned());
            }
            given.set(name, value);
        }
        Ok(Spec {
            name: stack.name().to_owned(),
            stack_name: stack.stack_name(&self.prefix),
            text: write::compact(stack.template_text())
                .with_context(|| format!("read {}", stack.template_path()))?,
            template,
            template_path: stack.template_path(),
            params_path: path.display().to_string(),
            given,
            overridden,
        })
    }

    /// A flag that no wanted stack takes is a mistake, not a wish for nothing.
    fn refuse_unknown(
        &self,
        flags: &[(String, String)],
        stacks: &[Stack],
        specs: &[Spec],
    ) -> anyhow::Result<()> {
        for (of, _) in flags.iter().filter_map(|(name, _)| name.split_once('.')) {
            if !stacks.iter().any(|it| it.name() == of) {
                bail!("a parameter is given for \"{of}\", which is not among the stacks of this command");
            }
        }
        for (name, _) in flags.iter().filter(|(name, _)| !name.contains('.')) {
            let takes = |it: &&Spec| it.template.parameters.contains_key(name);
            if !specs
                .iter()
                .filter(|it| stacks.iter().any(|stack| stack.name() == it.name))
                .any(|it| takes(&it))
            {
                bail!(
                    "no stack of {} has a parameter \"{name}\"",
                    stacks.iter().map(|it| it.name()).collect::<Vec<_>>().join(", ")
                );
            }
        }
        Ok(())
    }
}

impl Work {
    fn settings(&self) -> Settings {
        let mut settings = Settings::new(&self.look.prefix);
        settings.poll = self.pace.poll;
        settings.execute = !self.no_execute;
        settings.on_failure = match self.on_failure {
            OnFailureFlag::Rollback => OnFailure::Rollback,
            OnFailureFlag::Keep => OnFailure::Keep,
            OnFailureFlag::Delete => OnFailure::Delete,
        };
        settings.role_arn.clone_from(&self.role_arn);
        settings.tags = self.tags.iter().cloned().collect::<BTreeMap<_, _>>();
        settings.protect = self.termination_protection.map(|it| matches!(it, Switch::On));
        settings.bucket.clone_from(&self.template_bucket);
        settings.new_host_image = self.new_host_image;
        settings.rollback_skip.clone_from(&self.rollback_skip);
        settings.retain.clone_from(&self.retain);
        settings
    }
}

/// Runs a command and returns its exit code.
pub(crate) async fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Create(work) => work::deploy(&work, true).await,
        Command::Deploy(work) => work::deploy(&work, false).await,
        Command::Wait { look, pace } => work::wait(&look, &pace).await,
        Command::Terminate(work) => work::terminate(&work).await,
        Command::Recreate(work) => work::recreate(&work).await,
        Command::Diff { work, no_drift } => work::diff(&work, !no_drift).await,
        Command::Events(look) => inspect::events(&look).await,
        Command::Outputs(look) => inspect::outputs(&look).await,
        Command::Stacks(look) => inspect::stacks(&look).await,
        Command::Template { look, deployed } => inspect::template(&look, deployed).await,
        Command::Params(ParamsCommand::Init { look, assume_new }) => params::init(&look, assume_new).await,
        Command::Lint(look) => params::lint(&look),
    }
}

/// Tells what went wrong before anything could be done.
pub(crate) fn complain(err: &anyhow::Error) {
    let mut stderr = anstream::stderr();
    let _ = match err.downcast_ref::<CloudError>() {
        Some(cause) => {
            let failure = Failure::of_call("ask AWS", cause);
            writeln!(stderr, "error: {}\n  hint: {}", failure.message, failure.hint)
        }
        None => writeln!(stderr, "error: {err:#}"),
    };
}

/// Tells what Ctrl-C means here.
pub(crate) fn interrupted() {
    let text = "interrupted; CloudFormation goes on by itself, and the same command follows it and goes on from there";
    let _ = writeln!(anstream::stderr(), "\n{text}");
}

/// Prints data.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(anstream::stdout(), "{text}") {
        // A reader that has seen enough, such as `head`.
        Err(err) if err.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("write to stdout"),
    }
}
