//! An application's part in a database of a deployment: its migrations, through whatever connection leads there.

use std::fmt::Write as _;

use app_folder::{AppFolder, MigrateEvent, Migration, Options, Order, Script, migrate, seed};
use bootstrap_sql::Target;

use super::bootstrap::{BootstrapError, Server, connect, exists};

/// What a folder has for one database.
#[derive(Debug)]
pub struct Part {
    target: Target,
    migrations: Vec<Migration>,
    seed: Option<Script>,
}

impl Part {
    /// Reads the migrations, and the seed where it is wanted.
    ///
    /// # Errors
    /// What is wrong with the folder.
    pub fn read(folder: &AppFolder, target: Target, with_seed: bool) -> Result<Self, app_folder::Error> {
        let seed = if with_seed { folder.seed(target)? } else { None };
        Ok(Self { target, migrations: folder.migrations(target)?, seed })
    }

    /// Whether there is nothing to apply, ever.
    pub fn is_empty(&self) -> bool {
        self.migrations.is_empty() && self.seed.is_none()
    }
}

/// Applies what is due; answers with the files. A statement waits a short time for a lock, and the file is tried again, so
/// that a deployment in use goes on meanwhile.
///
/// # Errors
/// When the connection fails, and what the ledger or the server refuses; what was applied by then stays.
pub async fn apply(
    server: &impl Server,
    part: &Part,
    say: &mut (dyn FnMut(String) + Send),
) -> Result<Vec<String>, BootstrapError> {
    if part.is_empty() {
        return Ok(Vec::new());
    }
    let mut client = connect(server, server.dbname()).await?;
    let mut on_event = |event| match event {
        MigrateEvent::WaitingForLock => {
            say("another run is at work on this database; waiting for it".to_owned());
        }
        MigrateEvent::Retry { file, reason } => say(format!("note: {file} is tried again: {reason}")),
        MigrateEvent::Applied { file, took } => say(format!("applied {file} in {} ms", took.as_millis())),
    };
    let applied =
        migrate::apply(&mut client, part.target, &part.migrations, &Options::default(), &mut on_event)
            .await?;
    if let Some(script) = &part.seed
        && seed::apply(&mut client, Some(script), &mut on_event).await?
    {
        say(format!("applied {}", script.file));
    }
    Ok(applied)
}

/// The SQL that [`apply`] would run.
///
/// # Errors
/// What `apply` would refuse before it begins.
pub async fn plan(server: &impl Server, part: &Part) -> Result<String, BootstrapError> {
    // A database that would be made has had nothing.
    let dbname = if exists(server).await? { server.dbname() } else { "postgres" };
    let client = connect(server, dbname).await?;
    let due = migrate::plan(&client, &part.migrations, Order::Strict).await?;
    let mut text = String::new();
    for migration in &due {
        let _ = writeln!(text, "-- {}\n{}\n", migration.script.file, migration.script.sql.trim_end());
    }
    if due.is_empty() {
        let _ = writeln!(text, "-- {} migrations: in place", part.target);
    }
    Ok(text.trim_end().to_owned())
}
