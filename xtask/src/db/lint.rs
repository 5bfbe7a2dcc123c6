//! `db lint`: migrations that lock or rewrite large tables, and schemas that leak.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Result;
use app_folder::AppFolder;
use bootstrap_sql::Target;
use local_stack::Stack;
use schema_lint::{Finding, MigrationFile, render};

use crate::cli::DbLintArgs;
use crate::{local, output};

const TARGETS: [Target; 3] = [Target::Origin, Target::Custom, Target::Aurora];

pub(super) fn run(args: &DbLintArgs) -> Result<ExitCode> {
    let (stack, folder) = super::open(&args.app)?;
    local::run_to_code(async {
        let (mut findings, mut files) = (Vec::new(), Vec::new());
        for target in TARGETS.into_iter().filter(|it| folder.has(*it)) {
            let of_target = migrations(&folder, target)?;
            findings.extend(lint(&stack, &folder, target, of_target.clone()).await?);
            files.extend(of_target);
        }
        if args.json {
            output::data(&serde_json::to_string_pretty(&findings)?);
        } else {
            let text_of = |path: &str| files.iter().find(|it| it.path == path).map(|it| it.text.clone());
            let is_coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            output::data(render::text(&findings, text_of, is_coloured).trim_end());
        }
        if findings.is_empty() {
            output::note("Nothing found.");
            return Ok(ExitCode::SUCCESS);
        }
        output::note(&format!(
            "{} found. What is meant so: `-- pgapp: allow CODE reason` on the line above the statement.",
            findings.len()
        ));
        Ok(ExitCode::FAILURE)
    })
}

fn migrations(folder: &AppFolder, target: Target) -> Result<Vec<MigrationFile>> {
    let migrations = folder.migrations(target).map_err(local_stack::Error::from)?;
    let file = |it: app_folder::Migration| MigrationFile { path: it.script.file, text: it.script.sql };
    Ok(migrations.into_iter().map(file).collect())
}

/// Runs the migrations in a database made for them, on the stack's server.
async fn lint(
    stack: &Stack,
    folder: &AppFolder,
    target: Target,
    files: Vec<MigrationFile>,
) -> Result<Vec<Finding>> {
    // Tables of the origin are reached through the custom database, which decides who may see them.
    let exposed = match target {
        Target::Origin => Vec::new(),
        Target::Custom | Target::Aurora => stack.exposed_schemas(folder).await?,
    };
    let scratch = stack.scratch_to_migrate(folder, target).await?;
    let config = scratch.url().parse()?;
    let linted = schema_lint::lint(&config, files, &exposed).await;
    let removed = scratch.remove().await;
    // A migration that fails is the better story than the failed removal that comes of it.
    let findings = linted?;
    removed?;
    Ok(findings)
}
