//! `db reset`: the local databases anew.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::DbResetArgs;
use crate::{local, output};

/// Exit code of a command that was refused at its prompt.
const REFUSED: u8 = 3;

pub(super) fn run(args: &DbResetArgs) -> Result<ExitCode> {
    let (stack, folder) = super::open(&args.app)?;
    let name = &args.app.stack.name;
    if !args.yes && !is_agreed(name)? {
        return Ok(ExitCode::from(REFUSED));
    }
    let config = stack.config()?;
    local::run(async {
        let api = local::api_launcher(&stack, &config).await?;
        stack.reset(&folder, &api).await?;
        output::note("The databases were made anew from migrations and seed.");
        Ok(())
    })
}

fn is_agreed(name: &str) -> Result<bool> {
    let question = format!("All rows of stack \"{name}\" will be lost.");
    if !std::io::stdin().is_terminal() {
        output::note(&format!(
            "{question} Nothing was done, because there is no terminal to ask on: pass --yes."
        ));
        return Ok(false);
    }
    output::note(&format!("{question} Go on? [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    let is_yes = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    if !is_yes {
        output::note("Nothing was done.");
    }
    Ok(is_yes)
}
