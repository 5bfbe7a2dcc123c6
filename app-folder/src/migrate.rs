//! Brings a database up to its migrations: lock, compare with the ledger, then one transaction each.

use std::time::{Duration, Instant};

use bootstrap_sql::{Target, lock};
use tokio_postgres::Client;

use crate::compare::{self, MigrationStatus, Order};
use crate::error::{During, Error, Failure};
use crate::folder::Migration;
use crate::{ledger, run};

/// How migrations are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether one may come after a younger one.
    pub order: Order,
    /// How long one statement waits for a lock. While it waits, whoever comes after it waits, too: short, and tried
    /// again, lets them through in between.
    pub lock_timeout: Duration,
    /// How long a migration that meets locks is tried.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { order: Order::Strict, lock_timeout: Duration::from_secs(2), patience: Duration::from_secs(60) }
    }
}

/// Something that happened during a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrateEvent {
    /// Another run works on this database; this one waits for it.
    WaitingForLock,
    /// A migration met a lock and is tried again.
    Retry {
        /// The file.
        file: String,
        /// What the server said.
        reason: String,
    },
    /// A migration was applied.
    Applied {
        /// The file.
        file: String,
        /// Time spent.
        took: Duration,
    },
}

/// How the migrations of a folder stand to a database; changes nothing.
///
/// # Errors
/// What the server refuses.
pub async fn status(client: &Client, migrations: &[Migration]) -> Result<Vec<MigrationStatus>, Error> {
    Ok(compare::status(migrations, &ledger::read(client).await?))
}

/// The files that [`apply`] would apply, in order; changes nothing.
///
/// # Errors
/// What `apply` would refuse before it begins.
pub async fn plan<'a>(
    client: &Client,
    migrations: &'a [Migration],
    order: Order,
) -> Result<Vec<&'a Migration>, Error> {
    let due = compare::due(migrations, &ledger::read(client).await?, order)?;
    for migration in &due {
        check(migration)?;
    }
    Ok(due)
}

/// Applies what is due and answers with the files.
///
/// Idempotent, and safe beside another run: one of them waits. When the future is dropped, close the client: the lock and
/// the open transaction belong to its session, and the server notices within a second.
///
/// # Errors
/// What is refused before anything begins, and the first file that fails; those before it stay.
pub async fn apply(
    client: &mut Client,
    target: Target,
    migrations: &[Migration],
    options: &Options,
    on_event: &mut (dyn FnMut(MigrateEvent) + Send),
) -> Result<Vec<String>, Error> {
    locked(client, on_event, async |client, on_event| {
        let due = compare::due(migrations, &ledger::read(&*client).await?, options.order)?;
        for migration in &due {
            check(migration)?;
        }
        let mut applied = Vec::with_capacity(due.len());
        for migration in due {
            let started = Instant::now();
            if let Err(error) = patiently(client, migration, options, on_event).await {
                return Err(with_version(&*client, error).await);
            }
            let file = migration.script.file.clone();
            on_event(MigrateEvent::Applied { file: file.clone(), took: started.elapsed() });
            applied.push(file);
        }
        if !applied.is_empty() {
            run::reset_session(&*client).await.during(format!("clean up in {}", ledger::describe(target)))?;
        }
        Ok(applied)
    })
    .await
}

/// Records files as applied without running them, for what a database has by other ways.
///
/// # Errors
/// What the server refuses.
pub async fn record(client: &mut Client, migrations: &[Migration]) -> Result<(), Error> {
    locked(client, &mut |_| {}, async |client, _| {
        let action = "record migrations";
        let tx = client.transaction().await.during(action)?;
        for migration in migrations {
            ledger::record(&tx, migration).await?;
        }
        tx.commit().await.during(action)
    })
    .await
}

/// Does something under the lock of the bootstrap, with the ledger in place.
pub(crate) async fn locked<T>(
    client: &mut Client,
    on_event: &mut (dyn FnMut(MigrateEvent) + Send),
    work: impl AsyncFnOnce(&mut Client, &mut (dyn FnMut(MigrateEvent) + Send)) -> Result<T, Error>,
) -> Result<T, Error> {
    run::reset_session(&*client).await.during("prepare the session")?;
    lock::acquire(client, || on_event(MigrateEvent::WaitingForLock)).await?;
    let result = match ledger::ensure(client).await {
        Ok(()) => work(client, on_event).await,
        Err(error) => Err(error),
    };
    let released = lock::release(client).await;
    // A failed run is the better story than the failed release that a broken connection adds to it.
    let value = result?;
    released?;
    Ok(value)
}

/// Refuses what can be known to fail before anything is applied.
fn check(migration: &Migration) -> Result<(), Error> {
    if migration.is_transactional() {
        run::in_transaction(&migration.script).map(drop)
    } else {
        run::outside(&migration.script).map(drop)
    }
}

async fn patiently(
    client: &mut Client,
    migration: &Migration,
    options: &Options,
    on_event: &mut (dyn FnMut(MigrateEvent) + Send),
) -> Result<(), Error> {
    if !migration.is_transactional() {
        return without_transaction(client, migration).await;
    }
    let deadline = Instant::now() + options.patience;
    let mut pause = Duration::from_millis(100);
    loop {
        match in_transaction(client, migration, options).await {
            Err(Error::Failed(failure)) if is_passing(&failure) && Instant::now() < deadline => {
                let (file, reason) = (migration.script.file.clone(), failure.server.message);
                on_event(MigrateEvent::Retry { file, reason });
                // Whoever waited behind us gets through meanwhile.
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            other => return other,
        }
    }
}

/// Asks for what the hint of a missing extension needs to name its package.
async fn with_version(client: &Client, mut error: Error) -> Error {
    if let Error::Failed(failure) | Error::FailedHalfway { failure, .. } = &mut error
        && failure.missing_extension().is_some()
    {
        let sql = "SELECT pg_catalog.current_setting('server_version_num')::int / 10000";
        let row = client.query_one(sql, &[]).await.ok();
        failure.major = row.and_then(|it| u32::try_from(it.get::<_, i32>(0)).ok());
    }
    error
}

/// A lock that was not had in time, a deadlock, and a row of the catalog that another session was first to write.
fn is_passing(failure: &Failure) -> bool {
    let code = failure.server.code.as_deref().unwrap_or_default();
    ["55P03", "40P01", "40001"].contains(&code)
        || (code == "XX000" && failure.server.message.contains("concurrently updated"))
}

/// A migration and its ledger row in one transaction. Dropping the transaction rolls both back.
async fn in_transaction(client: &mut Client, migration: &Migration, options: &Options) -> Result<(), Error> {
    let statements = run::in_transaction(&migration.script)?;
    let file = &migration.script.file;
    let action = || format!("apply \"{file}\"");
    run::reset_session(&*client).await.during(action())?;
    let tx = client.transaction().await.during(action())?;
    let timeout = options.lock_timeout.as_millis();
    tx.batch_execute(&format!("SET LOCAL lock_timeout = {timeout}")).await.during(action())?;
    for statement in &statements {
        run::statement(&tx, file, statement).await.map_err(Error::Failed)?;
    }
    // Whatever role the file has taken on, the ledger is ours.
    tx.batch_execute("RESET SESSION AUTHORIZATION; RESET ROLE").await.during(action())?;
    ledger::record(&tx, migration).await?;
    // Constraints that are checked at the end fail here: told with the file, at its last statement.
    match tx.commit().await {
        Ok(()) => Ok(()),
        Err(error) => Err(match statements.last() {
            Some(last) => Error::Failed(Box::new(run::failure(&error, file, last))),
            None => Error::Server { action: action(), source: (&error).into() },
        }),
    }
}

/// The statements one by one, then the ledger row: a failure leaves what was before it, and the next run starts the file
/// again.
async fn without_transaction(client: &mut Client, migration: &Migration) -> Result<(), Error> {
    let statements = run::outside(&migration.script)?;
    let file = &migration.script.file;
    run::reset_session(&*client).await.during(format!("apply \"{file}\""))?;
    for (n_before, statement) in statements.iter().enumerate() {
        if let Err(failure) = run::statement(&*client, file, statement).await {
            // A transaction that the file has begun itself must not swallow the next one's.
            let _ = client.batch_execute("ROLLBACK").await;
            return Err(match n_before {
                0 => Error::Failed(failure),
                1 => Error::FailedHalfway { failure, n_before: "the statement".to_owned() },
                n => Error::FailedHalfway { failure, n_before: format!("{n} statements") },
            });
        }
    }
    run::reset_session(&*client).await.during(format!("apply \"{file}\""))?;
    ledger::record(&*client, migration).await
}
