//! What functions leave behind in a session, and how it goes.
//!
//! The next request on a connection is somebody else's, and must not notice what functions did to the session:
//! to its settings, role and advisory locks, by preparing, listening or opening cursors, by temporary relations.
//! Nothing tells which statements call functions that do so (a view, a policy or a default may), so every
//! script clears up after itself, in the same write ([`crate::sql::ending`] has the statements):
//!
//! - The statement that ends a script releases advisory locks, and tells whether there is anything that needs more.
//! - A read then resets the settings. Nothing runs between that and its end: it cannot have deferred triggers,
//!   and cursors are closed before where functions can open any.
//! - A write must not do so, since the settings say how it is committed. The *next* script on the connection begins
//!   with that instead ([`Session::soiled`]), so nothing that runs at the commit is missed.
//! - Where the schema has functions that can run commands ([`Residue`]), a write is followed by a *reset*: a
//!   transaction that clears away everything, in the same write again. Elsewhere this is what follows an error,
//!   which keeps a script from its end.
//!
//! A connection that cannot be cleaned is closed.

use super::exchange::Exchange;
use super::response::ResponseReader;
use super::{Form, Session};
use crate::error::DbError;
use crate::execute::script_error::ScriptError;
use crate::schema_cache::residue::Residue;
use crate::script::Script;
use crate::script::rows::Rows;
use crate::sql::ending;
use pg_wire_client::wire::State;

impl Session {
    /// Clears away what an error kept a script from clearing away itself, unless that was `done`.
    pub(super) async fn reset_after_error(
        &mut self,
        script: &Script<'_>,
        done: Option<Residue>,
    ) -> Result<(), DbError> {
        if done.is_none() {
            self.reset_due = script.residue;
        }
        self.reset_if_due().await
    }

    /// Clears away everything, if the last script has left something; not before its transaction has ended.
    pub(super) async fn reset_if_due(&mut self) -> Result<(), DbError> {
        if self.wire.take_change() {
            self.reset_due = self.reset_due.or(Some(Residue::default()));
        }
        let Some(residue) = self.reset_due else { return Ok(()) };
        if self.wire.state() != State::Idle {
            return Ok(());
        }
        let reset = Exchange::reset(residue);
        let mut response = self.enqueue(&reset, &Form::Aggregated)?;
        self.wire.send().await?;
        self.read_response(&mut response).await?;
        let was_reset = response.finish().await?;
        self.finish_reset(was_reset).await?;
        self.reset_due = None;
        Ok(())
    }

    /// What the reset left over; its transaction has ended.
    pub(super) async fn finish_reset(
        &mut self,
        was_reset: Result<Vec<Rows>, ScriptError>,
    ) -> Result<(), DbError> {
        // The server tells that its settings are back.
        self.wire.take_change();
        self.condemned |= match was_reset {
            Ok(answers) => self.drop_leftovers(&answers).await?,
            Err(error) if error.is_stale_statement() => {
                // A function has dropped every statement there was, also those of the reset.
                self.forget_statements(None);
                let mut response = self.enqueue(&Exchange::reset(Residue::default()), &Form::Aggregated)?;
                self.wire.send().await?;
                self.read_response(&mut response).await?;
                match response.finish().await? {
                    Ok(answers) => self.drop_leftovers(&answers).await?,
                    Err(_) => true,
                }
            }
            Err(_) => true,
        };
        self.wire.take_change();
        self.soiled = self.statements.is_none();
        Ok(())
    }

    /// Drops what takes a command of its own. Whether that failed.
    async fn drop_leftovers(&mut self, answers: &[Rows]) -> Result<bool, DbError> {
        let Some(answer) = answers.first() else { return Ok(true) };
        let has_temporary = answer.value(0, 0)?.as_deref() != Some(b"f");
        let deallocate = answer.text(0, 1)?;
        let commands = [has_temporary.then(|| ending::DROP_TEMPORARY.to_owned()), deallocate];
        for command in commands.into_iter().flatten() {
            if self.wire.simple(&command).await.is_err() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts a reset behind what is on its way, for what an error kept from clearing up after itself.
    pub(in crate::execute) fn enqueue_reset(&mut self, residue: Residue) -> Result<ResponseReader, DbError> {
        self.enqueue(&Exchange::reset(residue), &Form::Aggregated)
    }

    /// Takes what came back of a reset. What takes more than that is not worth it: the connection is closed.
    pub(in crate::execute) async fn settle_reset(&mut self, mut response: ResponseReader) {
        self.settle(&mut response);
        let is_clean = match response.finish().await {
            Ok(Ok(answers)) => answers.first().is_some_and(|it| {
                let value = |at| it.value(0, at).ok();
                value(0).flatten().as_deref() == Some(b"f") && value(1) == Some(None)
            }),
            Ok(Err(_)) | Err(_) => false,
        };
        self.condemned |= !is_clean;
    }
}
