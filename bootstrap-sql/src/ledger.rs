//! The ledger `pgapp.schema_step`: which steps a database has had. Written only inside a step's own transaction.

use tokio_postgres::{Client, GenericClient, Transaction};

use crate::bundle::{Bundle, Step};
use crate::error::{During, Error};
use crate::target::Target;

/// One row of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) name: String,
    pub(crate) checksum: String,
    /// SHA-256 of the rendered text: tells whether the variables were others.
    pub(crate) inputs: String,
    /// Whether the step said that it could not do everything.
    pub(crate) has_notes: bool,
    pub(crate) applied_at: String,
}

/// What a run has to do with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Never,
    FirstTime,
    Again,
}

/// Creates the ledger where there is none. Nothing is written when it exists, so that a run with nothing to do needs
/// no rights beyond reading.
pub(crate) async fn ensure(client: &mut Client) -> Result<(), Error> {
    if exists(client).await? {
        return Ok(());
    }
    let action = "create the ledger \"pgapp.schema_step\"";
    let tx = client.transaction().await.during(action)?;
    tx.batch_execute(CREATE).await.during(action)?;
    tx.commit().await.during(action)
}

const CREATE: &str = "
    SET LOCAL client_min_messages = warning;
    CREATE SCHEMA IF NOT EXISTS pgapp;
    CREATE TABLE pgapp.schema_step (
        target text NOT NULL,
        name text NOT NULL,
        checksum text NOT NULL,
        inputs text NOT NULL,
        notes text[] NOT NULL DEFAULT '{}',
        applied_at timestamptz NOT NULL DEFAULT now(),
        applied_by name NOT NULL DEFAULT current_user,
        PRIMARY KEY (target, name));
    COMMENT ON SCHEMA pgapp IS 'Bookkeeping of postgres-as-app; not part of the application';
    COMMENT ON TABLE pgapp.schema_step IS 'Bootstrap steps that this database has had'";

async fn exists(client: &impl GenericClient) -> Result<bool, Error> {
    let row = client
        .query_one("SELECT pg_catalog.to_regclass('pgapp.schema_step') IS NOT NULL", &[])
        .await
        .during("look for the ledger \"pgapp.schema_step\"")?;
    Ok(row.get(0))
}

/// The rows of a target; none where there is no ledger yet.
pub(crate) async fn read(client: &impl GenericClient, target: Target) -> Result<Vec<Applied>, Error> {
    if !exists(client).await? {
        return Ok(Vec::new());
    }
    let rows = client
        .query(
            "SELECT name, checksum, inputs, notes <> '{}', applied_at::text
             FROM pgapp.schema_step WHERE target = $1 ORDER BY name",
            &[&target.as_str()],
        )
        .await
        .during("read the ledger \"pgapp.schema_step\"")?;
    Ok(rows
        .iter()
        .map(|row| Applied {
            name: row.get(0),
            checksum: row.get(1),
            inputs: row.get(2),
            has_notes: row.get(3),
            applied_at: row.get(4),
        })
        .collect())
}

/// Compares a bundle with the ledger: refuses changed files and steps out of order.
pub(crate) fn check(bundle: &Bundle, applied: &[Applied]) -> Result<(), Error> {
    let target = bundle.target();
    let find = |name: &str| applied.iter().find(|it| it.name == name);
    for step in bundle.steps() {
        if let Some(row) = find(&step.name)
            && row.checksum != step.checksum()
        {
            return Err(Error::Drift { target, step: step.name.clone(), applied_at: row.applied_at.clone() });
        }
    }
    let mut missing: Option<&Step> = None;
    for step in bundle.steps() {
        match (find(&step.name), missing) {
            (None, None) => missing = Some(step),
            (Some(_), Some(gap)) => {
                return Err(Error::OutOfOrder { target, step: gap.name.clone(), later: step.name.clone() });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Steps in the ledger that the bundle does not have.
pub(crate) fn unknown_steps(bundle: &Bundle, applied: &[Applied]) -> Vec<String> {
    applied
        .iter()
        .filter(|row| !bundle.steps().iter().any(|step| step.name == row.name))
        .map(|row| row.name.clone())
        .collect()
}

/// What is to be done with a step whose rendered text has the digest `inputs`.
pub(crate) fn due(step: &Step, inputs: &str, applied: &[Applied]) -> Due {
    match applied.iter().find(|it| it.name == step.name) {
        None => Due::FirstTime,
        Some(row) if row.inputs != inputs || row.has_notes => Due::Again,
        Some(_) => Due::Never,
    }
}

/// Records a step in its own transaction.
pub(crate) async fn record(
    tx: &Transaction<'_>,
    target: Target,
    step: &Step,
    inputs: &str,
    notes: &[String],
) -> Result<(), tokio_postgres::Error> {
    tx.execute(
        "INSERT INTO pgapp.schema_step (target, name, checksum, inputs, notes) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (target, name) DO UPDATE
         SET inputs = excluded.inputs, notes = excluded.notes, applied_at = now(), applied_by = current_user",
        &[&target.as_str(), &step.name, &step.checksum(), &inputs, &notes],
    )
    .await
    .map(|_| ())
}
