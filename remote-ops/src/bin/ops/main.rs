//! `ops`: the commands of the day after the deployment. `cargo xtask tunnel`, `psql rds|compute|aurora`, `bootstrap` and
//! `login` forward to it.

mod bootstrap;
mod login;
mod psql;
mod tunnel;

use std::{path::PathBuf, process::ExitCode};

use aws_session::program;
use clap::{Args, Parser, Subcommand};
use deployment_outputs::Environment;
use infra_cfn::catalog::DEFAULT_PREFIX;
use remote_ops::{access::Options, bootstrap::BootstrapError, place::Role};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Reaches, sets up and enters what was deployed",
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Forward a local port to a private database, through Session Manager
    #[command(after_help = "Example: cargo xtask tunnel --to rds --local-port 15432")]
    Tunnel(tunnel::TunnelArgs),
    /// Open psql on a database of a deployment, through a tunnel where it is private
    #[command(
        after_help = "Example: cargo xtask psql rds -- -c 'select version()'\n         eval \"$(cargo xtask psql rds --print-env --local-port 15432)\""
    )]
    Psql(psql::PsqlArgs),
    /// Set up a database: roles, tables, grants, the way to the origin
    #[command(
        after_help = "Example: cargo xtask bootstrap --target aurora --dry-run\n         cargo xtask bootstrap --target compute --app ../shop"
    )]
    Bootstrap(bootstrap::BootstrapArgs),
    /// Start a session of the administrator role with an MFA code
    #[command(
        after_help = "Example: cargo xtask login --profile admin\n         eval \"$(cargo xtask login --export)\""
    )]
    Login(login::LoginArgs),
}

/// Which installation, and how to get into it.
#[derive(Args, Clone)]
struct Place {
    /// Prefix of the stack names (hybrid deployment)
    #[arg(long, default_value = DEFAULT_PREFIX)]
    prefix: String,
    /// Folder whose Terraform state has the outputs (serverless deployment) [default: infra-tf]
    #[arg(long, value_name = "DIR")]
    tf_dir: Option<PathBuf>,
    /// Environment of the Terraform configuration (serverless deployment)
    #[arg(long, value_name = "NAME", default_value = "dev")]
    env: String,
}

impl Place {
    fn options(
        &self,
        role: Role,
        instance: Option<&String>,
        local_port: u16,
        ssl_root_cert: Option<&PathBuf>,
    ) -> Options {
        let folder = self.tf_dir.clone().unwrap_or_else(|| {
            let here = PathBuf::from("infra-tf");
            // Started from somewhere else in the workspace.
            if here.is_dir() { here } else { PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../infra-tf") }
        });
        Options {
            prefix: self.prefix.clone(),
            terraform: Environment { folder, name: self.env.clone() },
            role,
            instance: instance.cloned(),
            local_port,
            ssl_root_cert: ssl_root_cert
                .cloned()
                .or_else(|| std::env::var_os("PGSSLROOTCERT").filter(|it| !it.is_empty()).map(PathBuf::from)),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Tunnel(args) => tunnel::run(args).await,
        Command::Psql(args) => psql::run(args).await,
        Command::Bootstrap(args) => bootstrap::run(args).await,
        Command::Login(args) => login::run(args).await,
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(err) => {
            program::complain(&err);
            // What to do about a local stack or an application; the other errors say it themselves.
            if let Some(hint) = err.chain().find_map(hint) {
                program::note(&format!("hint: {hint}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn hint(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<local_stack::Error>() {
        return error.hint();
    }
    if let Some(BootstrapError::App(error)) = error.downcast_ref() {
        return error.hint();
    }
    error.downcast_ref::<app_folder::Error>()?.hint()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn commands_are_consistent_and_show_an_example() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("cargo xtask {}", command.get_name())), "{}", command.get_name());
            let args = ["cargo xtask", command.get_name(), "--help"];
            let shown = Cli::try_parse_from(args).err().map(|it| it.to_string()).unwrap_or_default();
            assert!(shown.contains(&format!("Usage: cargo xtask {}", command.get_name())), "{shown}");
        }
    }
}
