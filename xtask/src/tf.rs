//! `cargo xtask tf …`: the serverless deployment, through the real Terraform.
//!
//! Terraform's progress and errors are its own and go to standard error as they come; what is added is the order of
//! things: one file says where the state is, an environment's state and variables cannot be mixed up with another's,
//! a plan is read before it is applied, and what would lose data is refused unless told.

mod backend;
pub(crate) mod check;
pub(crate) mod docs;
mod environment;
mod grants;
#[cfg(test)]
mod guide;
pub(crate) mod life;
mod login;
mod preflight;
mod report;
mod roles;
mod stage;
mod stories;
mod summary;
mod terraform;
mod unlock;

use std::ffi::OsString;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::{output, workspace};
use environment::Environment;
use summary::Summary;
use terraform::{Ended, Terraform};

/// Refused at a prompt.
const REFUSED: u8 = 3;
/// Ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

#[derive(Debug, Args)]
pub(crate) struct TfArgs {
    #[command(subcommand)]
    command: TfCommand,
}

#[derive(Debug, Subcommand)]
enum TfCommand {
    /// Make the state bucket and infra-tf/backend.hcl, which says where it is
    #[command(after_help = "Example:\n  cargo xtask tf backend -- -var region=eu-west-1")]
    Backend(BackendArgs),
    /// Initialise an environment: providers, modules, and its state in the bucket
    #[command(
        after_help = "Example:\n  cargo xtask tf init --env production\n  cargo xtask tf init --bucket my-state --bucket-region eu-west-1 --bucket-key arn:aws:kms:…"
    )]
    Init(InitArgs),
    /// Plan, show what is created, changed, replaced and destroyed, and keep the plan for `apply`
    #[command(
        after_help = "Example:\n  cargo xtask tf plan --env production\n  cargo xtask tf plan -- -var lambda_architecture=x86_64"
    )]
    Plan(PlanArgs),
    /// Apply the plan that `plan` kept
    #[command(after_help = "Example:\n  cargo xtask tf apply --env production")]
    Apply(ApplyArgs),
    /// Destroy an environment, after you type its name
    #[command(
        after_help = "Example:\n  cargo xtask tf destroy --env dev\n  cargo xtask tf destroy --env dev --confirm dev"
    )]
    Destroy(DestroyArgs),
    /// Remove a lock that a run left on an environment's state
    #[command(
        after_help = "Example:\n  cargo xtask tf force-unlock --env dev 6f3c1a52-5c0b-6b8e-2d5c-0f6d1e9a7b41"
    )]
    ForceUnlock(unlock::ForceUnlockArgs),
    /// Validate the root, every module and every example
    #[command(after_help = "Example:\n  cargo xtask tf validate\n  cargo xtask tf validate modules/waf")]
    Validate(check::CheckArgs),
    /// Format every file
    #[command(after_help = "Example:\n  cargo xtask tf fmt\n  cargo xtask tf fmt --check")]
    Fmt(FmtArgs),
    /// Run the tests of the root and of every module
    #[command(after_help = "Example:\n  cargo xtask tf test\n  cargo xtask tf test modules/lambda")]
    Test(check::CheckArgs),
    /// Print an environment's outputs
    #[command(
        after_help = "Example:\n  cargo xtask tf output\n  cargo xtask tf output --json | jq -r .api_gateway_invoke_url.value"
    )]
    Output(OutputArgs),
    /// Update the tables in the READMEs from variables and outputs
    #[command(after_help = "Example:\n  cargo xtask tf docs\n  cargo xtask tf docs --check")]
    Docs(DocsArgs),
}

/// Which environment.
#[derive(Debug, Args)]
struct InEnvironment {
    /// Environment; infra-tf/environments/NAME.tfvars has its variables, where there is such a file
    #[arg(long, default_value = "dev", value_name = "NAME")]
    env: Environment,
    /// Arguments for terraform
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

#[derive(Debug, Args)]
struct BackendArgs {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Arguments for terraform apply
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

#[derive(Debug, Args)]
struct InitArgs {
    #[command(flatten)]
    which: InEnvironment,
    /// Bucket of the state, in place of what infra-tf/backend.hcl says; for a pipeline, which has no such file
    #[arg(long, value_name = "NAME", requires = "bucket_region")]
    bucket: Option<String>,
    /// Region of that bucket
    #[arg(long, value_name = "REGION", requires = "bucket")]
    bucket_region: Option<String>,
    /// ARN of the KMS key that the state is encrypted with
    #[arg(long, value_name = "ARN", requires = "bucket")]
    bucket_key: Option<String>,
}

#[derive(Debug, Args)]
struct PlanArgs {
    #[command(flatten)]
    which: InEnvironment,
    /// Keep the plan even if it destroys or replaces something that holds data
    #[arg(long)]
    allow_data_loss: bool,
    /// Do not ask the account whether it would refuse the plan (concurrency, zones, what there is once in an account)
    #[arg(long)]
    no_preflight: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// Write the summary and the whole plan to a file, as Markdown that a comment on a pull request has room for
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ApplyArgs {
    #[command(flatten)]
    which: InEnvironment,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Apply even if it destroys or replaces something that holds data
    #[arg(long)]
    allow_data_loss: bool,
}

#[derive(Debug, Args)]
struct DestroyArgs {
    #[command(flatten)]
    which: InEnvironment,
    /// The environment's name, in place of typing it
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

#[derive(Debug, Args)]
struct FmtArgs {
    /// Only list what is not formatted, and fail if there is any
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Args)]
struct DocsArgs {
    /// Only list outdated READMEs, and fail if there are any
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Args)]
struct OutputArgs {
    #[command(flatten)]
    which: InEnvironment,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the text of one output as it is, without quotes
    #[arg(long, conflicts_with = "json", requires = "name")]
    raw: bool,
    /// One output; all when left out
    name: Option<String>,
}

pub(crate) fn run(args: &TfArgs) -> Result<ExitCode> {
    let folder = workspace::root().join("infra-tf");
    let ended = match &args.command {
        TfCommand::Docs(args) => {
            if args.check {
                docs::check(&folder)?;
            } else {
                docs::write(&folder)?;
            }
            Ended::Well
        }
        TfCommand::Backend(args) => {
            let terraform = Terraform::find(&folder.join("bootstrap"))?;
            return backend::run(&terraform, args, &folder, ask, login::advice);
        }
        TfCommand::Fmt(args) => {
            let check: &[&str] = if args.check { &["-check", "-diff"] } else { &[] };
            Terraform::find(&folder)?.run(["fmt", "-recursive"].iter().chain(check))?
        }
        TfCommand::Validate(args) => check::validate(&folder, args)?,
        TfCommand::Test(args) => check::test(&folder, args)?,
        TfCommand::Init(args) => {
            let root = Root::find(&folder, &args.which.env)?;
            root.init(args)?
        }
        TfCommand::Plan(args) => return Root::find(&folder, &args.which.env)?.plan(args),
        TfCommand::Apply(args) => return Root::find(&folder, &args.which.env)?.apply(args),
        TfCommand::Destroy(args) => return Root::find(&folder, &args.which.env)?.destroy(args),
        TfCommand::ForceUnlock(args) => return Root::find(&folder, &args.which.env)?.force_unlock(args),
        TfCommand::Output(args) => Root::find(&folder, &args.which.env)?.output(args)?,
    };
    Ok(ended.code())
}

/// The root module in one environment.
struct Root {
    terraform: Terraform,
    folder: PathBuf,
    environment: Environment,
    /// Asks the user; `None` when there is nobody to ask.
    ask: fn(&str) -> Result<Option<String>>,
    /// Looks at a plan before anything is made.
    preflight: fn(&str) -> Result<()>,
    /// Says what is wrong with the credentials, where they are why Terraform failed.
    login: fn() -> Option<String>,
}

impl Root {
    fn find(folder: &Path, environment: &Environment) -> Result<Self> {
        // A data folder per environment: a plan can never meet the state of another one.
        let data = folder.join(".terraform").join(environment.as_str());
        std::fs::create_dir_all(&data).with_context(|| format!("make {}", data.display()))?;
        // "In automation" only leaves out hints about Terraform's own commands, which know nothing of environments.
        let terraform =
            Terraform::find(folder)?.with_env("TF_DATA_DIR", &data).with_env("TF_IN_AUTOMATION", "1");
        Ok(Self {
            terraform,
            folder: folder.to_owned(),
            environment: environment.clone(),
            ask,
            preflight: preflight::look,
            login: login::advice,
        })
    }

    /// How Terraform ended; where it failed, what to do about the credentials, if they are why.
    fn told(&self, ended: Ended) -> Ended {
        if let (Ended::Badly, Some(advice)) = (ended, (self.login)()) {
            output::note(&advice);
        }
        ended
    }

    /// What belongs to the environment on this machine.
    fn data(&self) -> PathBuf {
        self.folder.join(".terraform").join(self.environment.as_str())
    }

    /// The plan that `plan` leaves for `apply`.
    fn plan_file(&self) -> PathBuf {
        self.data().join("plan.tfplan")
    }

    /// Terraform's own advice would be `terraform init`, which knows nothing of environments.
    fn must_be_initialised(&self) -> Result<()> {
        if self.data().join("terraform.tfstate").is_file() {
            return Ok(());
        }
        let env = self.environment.as_str();
        bail!("{env} is not initialised here\n`cargo xtask tf init --env {env}` connects to its state")
    }

    fn init(&self, args: &InitArgs) -> Result<Ended> {
        let further = &args.which.args;
        let backend = self.folder.join("backend.hcl");
        let is_told_otherwise = further.iter().any(|it| it.to_string_lossy().starts_with("-backend"));
        let mut all: Vec<OsString> = vec!["init".into(), "-input=false".into()];
        let key = format!("-backend-config=key={}", self.environment.state_key());
        if args.bucket.is_some() {
            let told =
                [("bucket", &args.bucket), ("region", &args.bucket_region), ("kms_key_id", &args.bucket_key)];
            // A variable that a pipeline does not have is an empty text there.
            let told = told.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
            let told = told.filter(|(_, value)| !value.is_empty());
            all.extend(told.map(|(name, value)| format!("-backend-config={name}={value}").into()));
            all.push(key.into());
        } else if !is_told_otherwise {
            if !backend.is_file() {
                bail!(
                    "{} is not there, so the place of the state is unknown\n`cargo xtask tf backend` makes the bucket and \
                     the file; for a bucket that exists already, write bucket, region and kms_key_id into the file",
                    backend.display()
                );
            }
            all.push("-backend-config=backend.hcl".into());
            all.push(key.into());
        }
        all.extend(further.iter().cloned());
        Ok(self.told(self.terraform.run(&all)?))
    }

    /// Arguments that say which environment is meant, for whatever makes a plan.
    fn variables(&self) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec![format!("-var=environment={}", self.environment.as_str()).into()];
        let file = self.environment.variables_file();
        if self.folder.join(&file).is_file() {
            all.push(format!("-var-file={file}").into());
        }
        all
    }

    /// Makes a plan; its summary, and the whole of it as JSON.
    fn make_plan(&self, options: &[&str], args: &[OsString]) -> Result<Result<(Summary, String), Ended>> {
        self.must_be_initialised()?;
        let file = self.plan_file();
        let mut all: Vec<OsString> = vec!["plan".into(), "-input=false".into()];
        all.extend(options.iter().map(OsString::from));
        let mut out = OsString::from("-out=");
        out.push(&file);
        all.push(out);
        all.extend(self.variables());
        all.extend(args.iter().cloned());
        // A plan of before must not be applied in place of one that failed.
        remove(&file)?;
        match self.terraform.run(&all)? {
            Ended::Well => {
                let plan = self.plan_as_json()?;
                Ok(Ok((Summary::read(&plan)?, plan)))
            }
            other => Ok(Err(self.told(other))),
        }
    }

    fn read_plan(&self) -> Result<Summary> {
        Summary::read(&self.plan_as_json()?)
    }

    fn plan_as_json(&self) -> Result<String> {
        self.terraform.read([OsString::from("show"), "-json".into(), self.plan_file().into()])
    }

    fn plan(&self, args: &PlanArgs) -> Result<ExitCode> {
        let (summary, plan) = match self.make_plan(&[], &args.which.args)? {
            Ok(made) => made,
            Err(ended) => return Ok(ended.code()),
        };
        if args.json {
            output::data(&serde_json::to_string_pretty(&summary.to_json(self.environment.as_str()))?);
        } else {
            output::data(&summary.to_text());
        }
        if let Some(file) = &args.report {
            let shown =
                self.terraform.read([OsString::from("show"), "-no-color".into(), self.plan_file().into()])?;
            let text = report::markdown(self.environment.as_str(), &summary, &shown);
            std::fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
        }
        let looked = summary.refuse_data_loss(args.allow_data_loss);
        let looked = looked.and_then(|()| if args.no_preflight { Ok(()) } else { (self.preflight)(&plan) });
        if let Err(error) = looked {
            remove(&self.plan_file())?;
            return Err(error);
        }
        let env = self.environment.as_str();
        output::note(&if summary.is_empty() {
            "Nothing to apply.".to_owned()
        } else {
            format!("Apply it with: cargo xtask tf apply --env {env}")
        });
        Ok(ExitCode::SUCCESS)
    }

    fn apply(&self, args: &ApplyArgs) -> Result<ExitCode> {
        let env = self.environment.as_str();
        if !self.plan_file().is_file() {
            bail!("there is no plan for {env}; make one with `cargo xtask tf plan --env {env}`");
        }
        let summary = self.read_plan()?;
        output::note(&summary.to_text());
        summary.refuse_data_loss(args.allow_data_loss)?;
        if !args.yes && (self.ask)(&format!("Apply this to {env}? Type yes: "))?.as_deref() != Some("yes") {
            output::note("nothing was applied; the plan is kept");
            return Ok(ExitCode::from(REFUSED));
        }
        self.apply_plan(&args.which.args).map(Ended::code)
    }

    fn apply_plan(&self, args: &[OsString]) -> Result<Ended> {
        let mut all: Vec<OsString> = vec!["apply".into(), "-input=false".into()];
        all.extend(args.iter().cloned());
        all.push(self.plan_file().into());
        let ended = self.told(self.terraform.run(&all)?);
        // Applied in full, in part or not at all: it does not fit the state any more, or the next try needs a new look.
        remove(&self.plan_file())?;
        Ok(ended)
    }

    fn destroy(&self, args: &DestroyArgs) -> Result<ExitCode> {
        let env = self.environment.as_str();
        if args.confirm.as_deref().is_some_and(|it| it != env) {
            output::note(&format!("the environment is {env}, and that is what --confirm has to say"));
            output::note("nothing was destroyed");
            return Ok(ExitCode::from(REFUSED));
        }
        let (summary, _) = match self.make_plan(&["-destroy"], &args.which.args)? {
            Ok(made) => made,
            Err(ended) => return Ok(ended.code()),
        };
        output::note(&summary.to_text());
        let typed = match &args.confirm {
            Some(name) => Some(name.clone()),
            None => {
                (self.ask)(&format!("This destroys {env} and the data in it. Type the environment's name: "))?
            }
        };
        if typed.as_deref() != Some(env) {
            remove(&self.plan_file())?;
            output::note("nothing was destroyed");
            return Ok(ExitCode::from(REFUSED));
        }
        self.apply_plan(&[]).map(Ended::code)
    }

    fn output(&self, args: &OutputArgs) -> Result<Ended> {
        self.must_be_initialised()?;
        let mut all: Vec<OsString> = vec!["output".into()];
        all.extend(args.json.then(|| "-json".into()));
        all.extend(args.raw.then(|| "-raw".into()));
        all.extend(args.which.args.iter().cloned());
        all.extend(args.name.iter().map(OsString::from));
        Ok(self.told(self.terraform.run_for_data(&all)?))
    }
}

/// Asks on the terminal; `None` when there is nobody to ask.
fn ask(question: &str) -> Result<Option<String>> {
    if !std::io::stdin().is_terminal() {
        output::note("there is no terminal to ask on");
        return Ok(None);
    }
    output::note(question);
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("read the answer")?;
    Ok(Some(line.trim().to_owned()))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
