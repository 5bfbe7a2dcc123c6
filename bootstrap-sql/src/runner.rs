//! Brings a database up to its steps: lock, compare with the ledger, then one transaction per step. The only module
//! besides `fdw` that sends statements which change something.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, Transaction};

use crate::bundle::{self, Bundle, Step};
use crate::error::{During, Error, ServerError};
use crate::event::{Outcome, Report, StepEvent, StepReport};
use crate::ledger::{self, Applied, Due};
use crate::quote::literal;
use crate::secret::{MASK, Secret};
use crate::target::Target;
use crate::vars::Vars;
use crate::{confidential, lock, template};

/// Roles are shared by all databases of a cluster and advisory locks are not: two databases that are set up at once
/// can meet in a catalog row, where the loser gets an error and simply has to try again.
const MAX_ATTEMPTS: u32 = 5;

/// Every name in a step is qualified, a step that meets a lock fails instead of hanging, and the mark tells whether
/// the step left its transaction.
const STEP_SETTINGS: &str = "
    SET LOCAL search_path = pg_catalog, pg_temp;
    SET LOCAL standard_conforming_strings = on;
    SET LOCAL lock_timeout = '30s';
    SELECT pg_catalog.set_config('pgapp.step', 'open', true), pg_catalog.set_config('pgapp.notes', '', true)";

/// Applies the built-in steps of `target`.
///
/// Idempotent. A step that was applied is applied again only if its variables have changed or if it left a note.
/// Safe beside another run on the same database: one of them waits. When the future is dropped half-way, close the
/// client: the lock and an open transaction belong to its session.
pub async fn apply(
    client: &mut Client,
    target: Target,
    vars: &Vars,
    on_event: &mut (dyn FnMut(StepEvent) + Send),
) -> Result<Report, Error> {
    let bundle = embedded(target)?;
    apply_bundle(client, &bundle, vars, on_event).await
}

/// Applies the steps of a given bundle, as [`apply`] does.
pub async fn apply_bundle(
    client: &mut Client,
    bundle: &Bundle,
    vars: &Vars,
    on_event: &mut (dyn FnMut(StepEvent) + Send),
) -> Result<Report, Error> {
    let rendered = render_all(bundle, vars)?;
    lock::acquire(client, || on_event(StepEvent::WaitingForLock)).await?;
    let result = apply_locked(client, bundle, &rendered, vars, on_event).await;
    let released = lock::release(client).await;
    // A failed run is the better story than the failed release that a broken connection adds to it.
    let report = result?;
    released?;
    Ok(report)
}

async fn apply_locked(
    client: &mut Client,
    bundle: &Bundle,
    rendered: &[Rendered],
    vars: &Vars,
    on_event: &mut (dyn FnMut(StepEvent) + Send),
) -> Result<Report, Error> {
    let target = bundle.target();
    ledger::ensure(client).await?;
    let applied = ledger::read(client, target).await?;
    ledger::check(bundle, &applied)?;

    let unknown_steps = ledger::unknown_steps(bundle, &applied);
    for step in &unknown_steps {
        on_event(StepEvent::UnknownStep { step: step.clone() });
    }

    let mut steps = Vec::with_capacity(bundle.steps().len());
    for (step, text) in bundle.steps().iter().zip(rendered) {
        let report = apply_step(client, target, step, text, &applied, on_event).await?;
        on_event(StepEvent::Finished(report.clone()));
        steps.push(report);
    }
    if let Some((sql, verifier)) = password_statement(target, vars) {
        set_password(client, target, &sql, &verifier).await?;
    }
    Ok(Report { target, steps, unknown_steps })
}

async fn apply_step(
    client: &mut Client,
    target: Target,
    step: &Step,
    text: &Rendered,
    applied: &[Applied],
    on_event: &mut (dyn FnMut(StepEvent) + Send),
) -> Result<StepReport, Error> {
    let outcome = match ledger::due(step, &text.inputs, applied) {
        Due::Never => {
            return Ok(StepReport {
                step: step.name.clone(),
                outcome: Outcome::Unchanged,
                notes: Vec::new(),
                took: Duration::ZERO,
            });
        }
        Due::FirstTime => Outcome::Applied,
        Due::Again => Outcome::Reapplied,
    };
    on_event(StepEvent::Started { step: step.name.clone() });
    let start = Instant::now();
    let mut attempt = 1;
    let notes = loop {
        match try_step(client, target, step, text).await {
            Err(Error::Step { source, .. }) if attempt < MAX_ATTEMPTS && is_transient(&source) => {
                tokio::time::sleep(Duration::from_millis(50) * attempt).await;
                attempt += 1;
            }
            it => break it?,
        }
    };
    Ok(StepReport { step: step.name.clone(), outcome, notes, took: start.elapsed() })
}

/// Serialisation failure, deadlock, a catalog row that another session was first to insert, and the nameless error of
/// two sessions that update one.
fn is_transient(error: &ServerError) -> bool {
    ["40001", "40P01", "23505"].iter().any(|it| error.is(it))
        || (error.is("XX000") && error.message.contains("concurrently updated"))
}

/// One step in one transaction: text, verification, ledger row. Dropping the transaction rolls all of it back.
async fn try_step(
    client: &mut Client,
    target: Target,
    step: &Step,
    text: &Rendered,
) -> Result<Vec<String>, Error> {
    let failed = |source| Error::Step { target, step: step.name.clone(), source };
    let plain = |it: tokio_postgres::Error| failed(ServerError::new(&it));

    let tx = client.transaction().await.map_err(plain)?;
    tx.batch_execute(STEP_SETTINGS).await.map_err(plain)?;
    tx.batch_execute(&text.sql).await.map_err(|it| failed(ServerError::in_text(&it, &text.sql)))?;

    let row = tx
        .query_one(
            "SELECT coalesce(pg_catalog.current_setting('pgapp.step', true), ''),
                    coalesce(pg_catalog.current_setting('pgapp.notes', true), '')",
            &[],
        )
        .await
        .map_err(plain)?;
    if row.get::<_, &str>(0) != "open" {
        return Err(Error::Refused(format!(
            "step \"{target}/{}\" ends its transaction; remove COMMIT or ROLLBACK from it",
            step.name
        )));
    }
    let notes: Vec<String> =
        row.get::<_, &str>(1).lines().filter(|it| !it.is_empty()).map(str::to_owned).collect();

    // Recorded before it is verified, so that a check can ask whether the step left a note.
    ledger::record(&tx, target, step, &text.inputs, &notes).await.map_err(plain)?;
    let failed_checks = failed_checks(&tx, &text.verify).await.map_err(failed)?;
    if !failed_checks.is_empty() {
        return Err(Error::Verification { target, step: step.name.clone(), failed: failed_checks });
    }
    tx.commit().await.map_err(plain)?;
    Ok(notes)
}

/// Runs a verification query and names the checks that do not hold. A query without a row checks nothing, which
/// counts as a failure.
async fn failed_checks(tx: &Transaction<'_>, verify: &str) -> Result<Vec<String>, ServerError> {
    let rows = tx.query(verify, &[]).await.map_err(|it| ServerError::in_text(&it, verify))?;
    if rows.is_empty() {
        return Ok(vec!["the verification query gave no row".to_owned()]);
    }
    let mut failed = Vec::new();
    for row in &rows {
        let check: String = row.try_get(0).map_err(|it| ServerError::new(&it))?;
        let holds: Option<bool> = row.try_get(1).map_err(|it| ServerError::new(&it))?;
        if holds != Some(true) {
            failed.push(check);
        }
    }
    Ok(failed)
}

/// What [`verify`] found about one applied step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Name of the step.
    pub step: String,
    /// The checks that do not hold any more; empty when all is well.
    pub failed: Vec<String>,
}

/// Runs the verification queries of the steps that the ledger holds, changing nothing.
pub async fn verify(client: &mut Client, target: Target, vars: &Vars) -> Result<Vec<Verified>, Error> {
    let bundle = embedded(target)?;
    let rendered = render_all(&bundle, vars)?;
    let applied = ledger::read(client, target).await?;
    ledger::check(&bundle, &applied)?;
    let tx = client.build_transaction().read_only(true).start().await.during("begin the verification")?;
    tx.batch_execute(STEP_SETTINGS).await.during("begin the verification")?;
    let mut out = Vec::new();
    for (step, text) in bundle.steps().iter().zip(&rendered) {
        if applied.iter().any(|it| it.name == step.name) {
            let failed = failed_checks(&tx, &text.verify).await.map_err(|source| Error::Step {
                target,
                step: step.name.clone(),
                source,
            })?;
            out.push(Verified { step: step.name.clone(), failed });
        }
    }
    Ok(out)
}

/// A step as a run would send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    /// Name of the step, or of what is done after the steps.
    pub name: String,
    /// What a run would do with it.
    pub outcome: Outcome,
    /// The text, with secrets masked.
    pub sql: String,
}

/// What [`apply`] would do with this database, without doing it. Refuses what `apply` would refuse.
pub async fn plan(client: &Client, target: Target, vars: &Vars) -> Result<Vec<PlannedStep>, Error> {
    let bundle = embedded(target)?;
    let rendered = render_all(&bundle, vars)?;
    let applied = ledger::read(client, target).await?;
    ledger::check(&bundle, &applied)?;
    let mut out: Vec<PlannedStep> = bundle
        .steps()
        .iter()
        .zip(rendered)
        .map(|(step, text)| PlannedStep {
            name: step.name.clone(),
            outcome: match ledger::due(step, &text.inputs, &applied) {
                Due::Never => Outcome::Unchanged,
                Due::FirstTime => Outcome::Applied,
                Due::Again => Outcome::Reapplied,
            },
            sql: text.sql,
        })
        .collect();
    if let Some((sql, verifier)) = password_statement(target, vars) {
        out.push(PlannedStep {
            name: "password".to_owned(),
            outcome: if applied.is_empty() { Outcome::Applied } else { Outcome::Reapplied },
            sql: format!("{};\n", verifier.mask_in(&sql)),
        });
    }
    debug_assert!(out.iter().all(|it| !it.sql.contains(MASK) || it.name == "password"));
    Ok(out)
}

/// The texts of a step with its variables in place.
struct Rendered {
    sql: String,
    verify: String,
    /// SHA-256 of `sql`.
    inputs: String,
}

fn embedded(target: Target) -> Result<Bundle, Error> {
    Bundle::embedded(target).map_err(|source| Error::Bundle { target, source })
}

/// Renders everything before anything is touched: a missing variable must not stop a run half-way.
fn render_all(bundle: &Bundle, vars: &Vars) -> Result<Vec<Rendered>, Error> {
    if bundle.target() == Target::Custom && vars.authenticator == vars.web_anon {
        return Err(Error::Refused(format!(
            "the role \"{}\" cannot be both the login of the REST server and the role of anonymous requests",
            vars.web_anon
        )));
    }
    bundle
        .steps()
        .iter()
        .map(|step| {
            let render = |sql: &str| {
                template::render(sql, vars).map_err(|source| Error::Render {
                    target: bundle.target(),
                    step: step.name.clone(),
                    source,
                })
            };
            let sql = render(&step.sql)?;
            Ok(Rendered { inputs: bundle::sha256(&sql), verify: render(&step.verify)?, sql })
        })
        .collect()
}

/// The statement that sets the password of the target's login, with the verifier it holds.
fn password_statement(target: Target, vars: &Vars) -> Option<(String, Secret)> {
    let (login, password) = match target {
        Target::Origin if vars.with_fdw_user => (&vars.fdw_user, vars.fdw_password.as_ref()?),
        Target::Origin => return None,
        Target::Custom => (&vars.authenticator, vars.authenticator_password.as_ref()?),
        Target::Aurora => (vars.iam_user.as_ref()?, vars.iam_user_password.as_ref()?),
    };
    let verifier = password.scram_verifier();
    let sql = format!("ALTER ROLE {} PASSWORD {}", login.quoted(), literal(verifier.expose()));
    Some((sql, verifier))
}

async fn set_password(
    client: &mut Client,
    target: Target,
    sql: &str,
    verifier: &Secret,
) -> Result<(), Error> {
    let action = match target {
        Target::Origin => "set the password of the custom database's login",
        Target::Custom => "set the password of the REST server's login",
        Target::Aurora => "set the password of the functions' login",
    };
    let mut attempt = 1;
    loop {
        let tx = client.transaction().await.during(action)?;
        match confidential::execute(&tx, sql, verifier, action).await {
            Ok(()) => return tx.commit().await.during(action),
            Err(Error::Server { source, .. }) if attempt < MAX_ATTEMPTS && is_transient(&source) => {
                tx.rollback().await.during(action)?;
                tokio::time::sleep(Duration::from_millis(50) * attempt).await;
                attempt += 1;
            }
            Err(it) => return Err(it),
        }
    }
}
