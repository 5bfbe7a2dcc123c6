//! `db types`: types of what the stack's API serves. The server's own program makes them.

use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use local_stack::Database;

use crate::cli::DbTypesArgs;
use crate::local;

pub(super) fn run(args: &DbTypesArgs) -> Result<ExitCode> {
    let (stack, folder) = super::open(&args.app)?;
    let config = stack.config()?;
    let connection = stack.connection(Database::Custom)?;
    let mut schemas = Vec::new();
    local::run(async {
        // Where it does not run, this tells so.
        stack.connect(Database::Custom).await?;
        schemas = stack.exposed_schemas(&folder).await?;
        Ok(())
    })?;
    let program = local::build_api(config.release)?;
    let mut command = Command::new(&program);
    command.args(["--types", args.lang.name()]).args(args.pydantic.then_some("--pydantic"));
    // What is set for other servers of this shell is no setting of the stack's.
    let of_servers = |name: &str| name.starts_with("PGRST_") || name.starts_with("PGAPP_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_servers)) {
        command.env_remove(name);
    }
    command
        .env("PGRST_DB_URI", connection.url())
        .env("PGRST_DB_SCHEMAS", schemas.join(","))
        .env("PGRST_DB_CONFIG", "false")
        .env("PGRST_LOG_LEVEL", "crit")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("start {}", program.display()))?;
    if !output.status.success() {
        bail!("the types could not be made; `cargo xtask logs customdb` may tell more");
    }
    match &args.out {
        Some(path) => std::fs::write(path, &output.stdout)
            .with_context(|| format!("write {}; does its folder exist?", path.display()))?,
        // A reader that closed its end early, such as `head`, got what it wanted.
        None => _ = std::io::stdout().write_all(&output.stdout),
    }
    Ok(ExitCode::SUCCESS)
}
