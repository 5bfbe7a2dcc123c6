//! The rows that a new database begins with: once, in one transaction.

use tokio_postgres::Client;

use crate::error::{During, Error};
use crate::folder::Script;
use crate::migrate::{MigrateEvent, locked};
use crate::{ledger, run};

/// Runs the seed unless the database had its chance; `None` only says that the chance is over. Answers whether rows were
/// written.
///
/// # Errors
/// The first statement that fails; nothing of the seed is left then, and the next run tries it again.
pub async fn apply(
    client: &mut Client,
    seed: Option<&Script>,
    on_event: &mut (dyn FnMut(MigrateEvent) + Send),
) -> Result<bool, Error> {
    locked(client, on_event, async |client, _| {
        if ledger::is_seeded(&*client).await? {
            return Ok(false);
        }
        let action = "apply the seed";
        let tx = client.transaction().await.during(action)?;
        ledger::record_seed(&tx).await?;
        if let Some(script) = seed {
            let statements = run::in_transaction(script)?;
            for statement in &statements {
                run::statement(&tx, &script.file, statement).await.map_err(Error::Failed)?;
            }
        }
        tx.commit().await.during(action)?;
        run::reset_session(&*client).await.during(action)?;
        Ok(seed.is_some())
    })
    .await
}
