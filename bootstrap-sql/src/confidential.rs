//! Statements that must carry a secret in their text (`ALTER ROLE … PASSWORD`, `CREATE USER MAPPING …`), sent so that
//! the text does not show up on the server's side.
//!
//! The statement travels as a bind parameter into a transaction-local setting and is executed from there, so that
//! `pg_stat_activity`, `pg_stat_statements` and `log_statement` see a constant `DO` block. An error is raised anew with
//! its message only: the original's context would repeat the statement in the server log.

use tokio_postgres::Transaction;

use crate::error::{During, Error, ServerError};
use crate::secret::Secret;

/// Settings that could still record parameters or nested statements. Changing them may need rights that the session
/// does not have; then they stay, and the default of each is harmless.
const HUSH: &str = "
DO $hush$
DECLARE
    setting record;
BEGIN
    FOR setting IN
        SELECT * FROM (VALUES ('log_parameter_max_length', '0'),
                              ('log_parameter_max_length_on_error', '0'),
                              ('pg_stat_statements.track_utility', 'off')) AS t(name, value)
    LOOP
        BEGIN
            PERFORM pg_catalog.set_config(setting.name, setting.value, true);
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    END LOOP;
END
$hush$";

const EXECUTE: &str = "
DO $execute$
DECLARE
    hint text;
BEGIN
    EXECUTE pg_catalog.current_setting('pgapp.statement');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM, HINT = hint;
END
$execute$";

/// Runs `sql`, which contains `secret`, in the transaction.
pub(crate) async fn execute(
    tx: &Transaction<'_>,
    sql: &str,
    secret: &Secret,
    action: &str,
) -> Result<(), Error> {
    tx.batch_execute(HUSH).await.during(action)?;
    let masked = |it: tokio_postgres::Error| Error::Server {
        action: action.to_owned(),
        source: ServerError::new(&it).masked(secret),
    };
    tx.query("SELECT pg_catalog.set_config('pgapp.statement', $1, true)", &[&sql]).await.map_err(masked)?;
    tx.batch_execute(EXECUTE).await.map_err(masked)?;
    tx.batch_execute("SELECT pg_catalog.set_config('pgapp.statement', '', true)").await.during(action)
}
