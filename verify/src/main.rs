//! `verify`: tries a deployment. `cargo xtask verify` forwards to it.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use aws_session::{program, sdk_config};
use clap::{Args, Parser, Subcommand};
use deployment_outputs::{Environment, Stacks, terraform};
use infra_cfn::{Stack, catalog::DEFAULT_PREFIX};
use serde_json::json;
use verify::{
    Subject, Target,
    http::{Http, Signer},
    subject::{Detour, hybrid, local, serverless},
    token,
};

/// Environment variable with a token of a role that may write to `--table`.
const TOKEN_VARIABLE: &str = "PGAPP_VERIFY_TOKEN";

/// How long a signed token is good: longer than any run.
const TOKEN_SECONDS: u64 = 900;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Tries a deployment")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Calls a deployment as its users do, and checks that forbidden actions are refused
    Verify(Verify),
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask verify --target local\n  cargo xtask verify --target hybrid --table todos --role editor\n  \
                  cargo xtask verify --target serverless --json\n\n\
                  PGAPP_VERIFY_TOKEN holds a token to use instead of signing one for --role.\n\
                  Exit codes: 0 all is as it should be, 1 something is not, 2 usage, 130 interrupted."
)]
struct Verify {
    /// Kind of deployment
    #[arg(long, value_enum)]
    target: Target,
    /// Connect there, though the API's name leads elsewhere or nowhere yet: to the load balancer before the record of the
    /// name is there. The certificate is checked for the API's name
    #[arg(long, value_name = "HOST[:PORT]")]
    connect_to: Option<String>,
    /// Address of the API, instead of the one that the deployment names
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Name of the local stack
    #[arg(long, value_name = "NAME", default_value = "default")]
    name: String,
    /// Prefix of the CloudFormation stacks
    #[arg(long, value_name = "PREFIX", default_value = DEFAULT_PREFIX)]
    prefix: String,
    /// Environment of the Terraform configuration
    #[arg(long, value_name = "NAME", default_value = "dev")]
    env: String,
    /// Folder of the Terraform configuration [default: infra-tf]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Table that a row may be written to and removed from (hybrid)
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Role to sign a token for, with the deployment's own key
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Sign requests with your AWS credentials, for `api_authorization = "AWS_IAM"`
    #[arg(long)]
    sign: bool,
    /// Trust the authorities in this file (PEM), too
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Seconds that a paused database or a cache may take [default: by target]
    #[arg(long, value_name = "SECONDS")]
    patience: Option<u64>,
    /// Do nothing where the configuration says `verify_after_deployment = false`
    #[arg(long)]
    if_wanted: bool,
    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Verify(args) = Cli::parse().command;
    match run(&args).await {
        Ok(code) => code,
        Err(err) => {
            program::complain(&err);
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Verify) -> anyhow::Result<ExitCode> {
    let Some(mut subject) = find(cli).await? else {
        program::note("verify_after_deployment is off: nothing was tried");
        return Ok(ExitCode::SUCCESS);
    };
    // A malformed address would be tried until the patience ends.
    subject.endpoint().map_err(anyhow::Error::msg)?;
    if let Some(detour) = &subject.detour {
        let names_port = reqwest::Url::parse(&subject.url).is_ok_and(|it| it.port().is_some());
        anyhow::ensure!(
            !names_port || detour.addresses.iter().all(|it| it.port() == 0),
            "{} names a port already; --connect-to takes a host only then",
            subject.url
        );
    }
    subject.table.clone_from(&cli.table);
    subject.authorities = cli
        .ca_file
        .as_ref()
        .map(|path| std::fs::read(path).with_context(|| format!("read {}", path.display())))
        .transpose()?;
    if let Some(seconds) = cli.patience {
        subject.patience = Duration::from_secs(seconds);
    }
    let given = std::env::var(TOKEN_VARIABLE).ok().filter(|it| !it.is_empty());
    subject.token = match (given, &cli.role, &subject.jwt_secret) {
        (Some(token), ..) => Some(token),
        (None, Some(role), Some(secret)) => {
            let claims = json!({"role": role, "exp": token::now() + TOKEN_SECONDS});
            Some(token::sign(secret, &claims).map_err(anyhow::Error::msg)?)
        }
        (None, Some(_), None) => {
            anyhow::bail!("--role needs a deployment with a key that signs tokens: local or hybrid")
        }
        (None, None, _) => None,
    };
    let signer: Option<Arc<dyn Signer>> = match cli.sign {
        true => Some(Arc::new(verify::aws::ApiGatewaySigner::new(&sdk_config().await?).await?)),
        false => None,
    };
    let http = Http::new(&subject).map_err(anyhow::Error::msg)?;

    let interrupted = async {
        program::interrupted().await;
        program::note("interrupted: removing what was made");
    };
    let report = verify::run(&subject, http.signed_by(signer), interrupted, |entry| {
        if !cli.json {
            let _ = program::data(&entry.line());
        }
    })
    .await;
    let text = if cli.json { serde_json::to_string_pretty(&report.json())? } else { report.summary() };
    program::data(&text)?;
    Ok(match report {
        it if it.interrupted => ExitCode::from(program::INTERRUPTED),
        it if it.is_good() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Finds what is to be tried; nothing where it is not wanted.
async fn find(cli: &Verify) -> anyhow::Result<Option<Subject>> {
    let url = cli.url.as_deref();
    let detour = match &cli.connect_to {
        Some(text) => {
            Some(Detour::resolve(text).await.map_err(anyhow::Error::msg).context("read --connect-to")?)
        }
        None => None,
    };
    let emulator = std::env::var("AWS_ENDPOINT_URL").ok().filter(|it| !it.is_empty());
    // Found from the crate's own place: the command may be started anywhere in the workspace.
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().with_context(|| format!("find {}", root.display()))?;
    match cli.target {
        Target::Local => {
            let subject = local::find(&root, &cli.name, url).await?;
            Ok(Some(Subject { detour, ..subject }))
        }
        Target::Hybrid => {
            let outputs = match url {
                // An address alone is enough for what can be tried from outside.
                Some(_) if emulator.is_none() && std::env::var_os("AWS_REGION").is_none() => {
                    hybrid::Outputs::new()
                }
                _ => hybrid::outputs(&Stacks::new(&sdk_config().await?), &cli.prefix).await?,
            };
            let mut subject = hybrid::subject(&outputs, url, emulator.as_deref(), detour)?;
            let arn = outputs.get(&Stack::Persist).and_then(|it| it.get("JwtSecret"));
            if let (Some(_), Some(arn)) = (&cli.role, arn) {
                subject.jwt_secret = Some(verify::aws::jwt_secret(&sdk_config().await?, arn).await?);
                subject.superuser =
                    outputs.get(&Stack::Persist).and_then(|it| it.get("CustomDBUsername")).cloned();
            }
            Ok(Some(subject))
        }
        Target::Serverless => {
            let directory = cli.dir.clone().unwrap_or_else(|| root.join("infra-tf"));
            let outputs = match url {
                Some(_) => serde_json::Value::Null,
                None => terraform::outputs(&Environment { folder: directory, name: cli.env.clone() }).await?,
            };
            if cli.if_wanted && !serverless::is_wanted(&outputs) {
                return Ok(None);
            }
            // An address alone needs no account.
            let region = sdk_config().await.ok().and_then(|it| it.region().map(ToString::to_string));
            let subject =
                serverless::subject(&outputs, &cli.env, url, region.as_deref(), emulator.as_deref())?;
            Ok(Some(Subject { detour, ..subject }))
        }
    }
}
