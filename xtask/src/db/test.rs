//! `db test`: the application's tests, on a database made for them.

use std::process::ExitCode;

use anyhow::{Result, bail};
use app_folder::{AppFolder, TestFile, TestOutcome, testing};
use bootstrap_sql::Target;
use clap::Args;
use local_stack::{Scratch, Seed, Stack};

use super::AppArgs;
use crate::{local, output};

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Only files whose name holds this
    filter: Option<String>,
    #[command(flatten)]
    app: AppArgs,
}

pub(super) fn run(args: &TestArgs) -> Result<ExitCode> {
    let (stack, folder) = args.app.open()?;
    let tests = folder.tests().map_err(local_stack::Error::from)?;
    if tests.is_empty() {
        output::note("There are no tests: write one as tests/NAME.sql.");
        return Ok(ExitCode::SUCCESS);
    }
    let filter = args.filter.as_deref().unwrap_or_default();
    let chosen: Vec<&TestFile> = tests.iter().filter(|it| it.name.contains(filter)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = tests.iter().map(|it| it.name.as_str()).collect();
        bail!("no test's name holds \"{filter}\"; there are {}", names.join(", "));
    }
    local::run_to_code(async {
        let n_failed = on_scratch(&stack, &folder, &chosen).await?;
        let n = chosen.len();
        if n_failed > 0 {
            output::note(&format!("{n_failed} of {n} failed."));
            return Ok(ExitCode::FAILURE);
        }
        output::note(&format!("{n} passed."));
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs the files and says how each went; answers how many failed.
async fn on_scratch(stack: &Stack, folder: &AppFolder, tests: &[&TestFile]) -> Result<usize> {
    let scratch = stack.scratch(folder, Target::Custom, Seed::Yes).await?;
    let ran = run_all(&scratch, &stack.request_path(folder).await?, tests).await;
    let removed = scratch.remove().await;
    // A failed run is the better story than the failed removal that comes of it.
    let n_failed = ran?;
    removed?;
    Ok(n_failed)
}

async fn run_all(scratch: &Scratch, request_path: &str, tests: &[&TestFile]) -> Result<usize> {
    let failed = local_stack::Error::from;
    testing::install(&scratch.connect().await?).await.map_err(failed)?;
    let mut n_failed = 0;
    for test in tests {
        let outcome = testing::run(scratch.connect().await?, request_path, test).await.map_err(failed)?;
        output::data(&line(&outcome));
        n_failed += usize::from(!outcome.is_good());
    }
    Ok(n_failed)
}

fn line(outcome: &TestOutcome) -> String {
    let word = if outcome.is_good() { "ok    " } else { "FAILED" };
    let mut text = format!("{word}  {}  {} ms", outcome.name, outcome.took.as_millis());
    for problem in outcome.problems.iter().flat_map(|it| it.lines()) {
        text.push_str("\n        ");
        text.push_str(problem);
    }
    text
}
