//! `db policies`: who may do what, asked of the running database.

use std::process::ExitCode;

use access_matrix::{changes, render};
use anyhow::{Context, Result, bail};
use clap::Args;
use local_stack::Database;

use super::AppArgs;
use crate::{local, output};

/// The login of the REST server.
const LOGIN: &str = "authenticator";

#[derive(Debug, Args)]
pub(super) struct PoliciesArgs {
    /// Compare with tests/policies.txt, and fail where it differs
    #[arg(long)]
    check: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "check")]
    json: bool,
    #[command(flatten)]
    app: AppArgs,
}

pub(super) fn run(args: &PoliciesArgs) -> Result<ExitCode> {
    let (stack, folder) = args.app.open()?;
    let file = folder.policies_file();
    let committed = match std::fs::read_to_string(&file) {
        _ if !args.check => String::new(),
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
            "there is no \"{0}\" to compare with; make it by `cargo xtask db policies > {0}`, read it, and commit it",
            file.display()
        ),
        Err(error) => return Err(error).with_context(|| format!("read \"{}\"", file.display())),
    };
    local::run_to_code(async {
        let schemas = stack.exposed_schemas(&folder).await?;
        let mut client = stack.connect(Database::Custom).await?;
        let matrix = access_matrix::read(&mut client, LOGIN, &schemas).await?;
        let text = render(&matrix);
        if args.json {
            output::data(&serde_json::to_string_pretty(&matrix)?);
        } else if !args.check {
            output::data(&text);
        } else {
            let changed = changes(&committed, &text);
            if !changed.is_empty() {
                changed.iter().for_each(|it| output::data(&it.to_string()));
                output::note(&format!(
                    "{} not as in \"{}\". Where it is meant so: `cargo xtask db policies > {1}`.",
                    changed.len(),
                    file.display()
                ));
                return Ok(ExitCode::FAILURE);
            }
            output::note("As committed.");
        }
        Ok(ExitCode::SUCCESS)
    })
}
