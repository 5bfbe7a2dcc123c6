//! `db diff`: the SQL by which a database built from the migrations becomes the running one.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use app_folder::{AppFolder, MigrationState, ledger, skeleton};
use bootstrap_sql::Target;
use local_stack::database::Database;
use local_stack::{Seed, Stack};
use schema_diff::{Catalog, Difference, Migration, Note, Scope};

use crate::cli::DbDiffArgs;
use crate::{local, output};

pub(super) fn run(args: &DbDiffArgs) -> Result<ExitCode> {
    let (stack, folder) = super::open(&args.app)?;
    let target = super::target(args.target);
    let database = match target {
        Target::Origin => Database::Origin,
        Target::Custom => Database::Custom,
        Target::Aurora => bail!(
            "a local stack has no aurora database to compare with; develop its schema in the custom database, and \
             keep the migrations in both folders"
        ),
    };
    local::run(async {
        is_up_to_date(&stack, &folder, target).await?;
        let found = difference(&stack, &folder, target, database).await?;
        tell(&found);
        let migrations = schema_diff::migrations(&found);
        match &args.write {
            None => output::data(&text(&migrations)),
            Some(_) if migrations.is_empty() => output::note("The databases are equal; nothing was written."),
            Some(name) => write(&stack, &folder, (target, database), name, &migrations).await?,
        }
        Ok(())
    })
}

/// What the running database has to have had: otherwise the difference would take back what is only not applied yet.
async fn is_up_to_date(stack: &Stack, folder: &AppFolder, target: Target) -> Result<()> {
    let all = stack.migration_status(folder).await?;
    let of_target = all.iter().filter(|it| it.target == target).flat_map(|it| &it.migrations);
    let odd: Vec<String> = of_target
        .filter(|it| it.state != MigrationState::Applied)
        .map(|it| format!("{} ({})", it.file, it.state.as_str()))
        .collect();
    if odd.is_empty() {
        return Ok(());
    }
    bail!(
        "the running {target} database does not have the folder's migrations: {}; see `cargo xtask db status`, then run \
         `cargo xtask db migrate`",
        odd.join(", ")
    )
}

async fn difference(
    stack: &Stack,
    folder: &AppFolder,
    target: Target,
    database: Database,
) -> Result<Difference> {
    let scratch = stack.scratch(folder, target, Seed::No).await?;
    let found: Result<Difference> = async {
        let scope = Scope::default();
        let (mut built, mut running) = (scratch.connect().await?, stack.connect(database).await?);
        let (from, to): (Catalog, Catalog) =
            tokio::try_join!(schema_diff::read(&mut built, &scope), schema_diff::read(&mut running, &scope))?;
        Ok(schema_diff::difference(&from, &to))
    }
    .await;
    // Whatever came of it, the database goes; the first failure is the one to tell.
    let removed = scratch.remove().await;
    let found = found?;
    removed?;
    Ok(found)
}

/// What a reader has to know before the text.
fn tell(found: &Difference) {
    for it in &found.not_compared {
        output::note(&format!("not compared: {it}"));
    }
    let notes = found.statements.iter().flat_map(|it| &it.notes);
    let lost = notes.filter(|it| matches!(it, Note::Destructive(_))).count();
    if lost > 0 {
        output::note(&format!("{lost} of the statements lose data; look for `-- destructive:`."));
    }
}

fn text(migrations: &[Migration]) -> String {
    let texts: Vec<&str> = migrations.iter().map(|it| it.sql.as_str()).collect();
    texts.join("\n-- To be committed before what follows.\n\n")
}

async fn write(
    stack: &Stack,
    folder: &AppFolder,
    place: (Target, Database),
    name: &str,
    migrations: &[Migration],
) -> Result<()> {
    let (target, database) = place;
    let mut written = Vec::new();
    for it in migrations {
        let words = format!("{name}{}", it.stage.suffix());
        let path = skeleton::write_migration(folder, target, &words, &it.sql, jiff::Timestamp::now())?;
        output::data(&path.display().to_string());
        written.push(path);
    }
    record(stack, folder, target, database, &written).await.with_context(|| {
        format!("the files are written, but not recorded as applied in the running {target} database")
    })
}

/// The running database is what the migrations lead to, so it has had them.
async fn record(
    stack: &Stack,
    folder: &AppFolder,
    target: Target,
    database: Database,
    written: &[std::path::PathBuf],
) -> Result<()> {
    let mut client = stack.connect(database).await?;
    ledger::ensure(&mut client).await?;
    let tx = client.transaction().await?;
    for migration in folder.migrations(target)? {
        let is_new =
            |path: &std::path::PathBuf| path.file_name() == Path::new(migration.name.as_str()).file_name();
        if written.iter().any(is_new) {
            ledger::record(&tx, &migration).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}
