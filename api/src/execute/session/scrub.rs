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
//! - Where the schema has functions that can run commands ([`Leavings`]), a write is followed by a *scrub*: a
//!   transaction that clears away everything, in the same write again. Elsewhere this is what follows an error,
//!   which keeps a script from its end.
//!
//! A connection that cannot be cleaned is closed.

use super::flight::Flight;
use super::landing::Landing;
use super::{Form, Session};
use crate::error::DbError;
use crate::execute::rows::Rows;
use crate::execute::script::Script;
use crate::execute::wire::{ServerError, State};
use crate::schema_cache::leavings::Leavings;
use crate::sql::ending;

impl Session {
    /// Clears away what an error kept a script from clearing away itself, unless that was `done`.
    pub(super) async fn scrub_after_error(
        &mut self,
        script: &Script<'_>,
        done: Option<Leavings>,
    ) -> Result<(), DbError> {
        if done.is_none() {
            self.scrub_due = script.leavings;
        }
        self.scrub_if_due().await
    }

    /// Clears away everything, if the last script has left something; not before its transaction has ended.
    pub(super) async fn scrub_if_due(&mut self) -> Result<(), DbError> {
        if self.wire.take_change() {
            self.scrub_due = self.scrub_due.or(Some(Leavings::default()));
        }
        let Some(leavings) = self.scrub_due else { return Ok(()) };
        if self.wire.state() != State::Idle {
            return Ok(());
        }
        let scrub = Flight::scrub(leavings);
        let mut landing = self.launch(&scrub, &Form::Aggregated)?;
        self.wire.send().await?;
        self.land(&mut landing).await?;
        let scrubbed = landing.finish().await?;
        self.scrubbed(scrubbed).await?;
        self.scrub_due = None;
        Ok(())
    }

    /// What the scrub left over; its transaction has ended.
    pub(super) async fn scrubbed(&mut self, scrubbed: Result<Vec<Rows>, ServerError>) -> Result<(), DbError> {
        // The server tells that its settings are back.
        self.wire.take_change();
        self.condemned |= match scrubbed {
            Ok(answers) => self.drop_leftovers(&answers).await?,
            Err(error) if error.is_stale_statement() => {
                // A function has dropped every statement there was, also those of the scrub.
                self.forget_statements(None);
                let mut landing = self.launch(&Flight::scrub(Leavings::default()), &Form::Aggregated)?;
                self.wire.send().await?;
                self.land(&mut landing).await?;
                match landing.finish().await? {
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

    /// Puts a scrub behind what is on its way, for what an error kept from clearing up after itself.
    pub(in crate::execute) fn launch_scrub(&mut self, leavings: Leavings) -> Result<Landing, DbError> {
        self.launch(&Flight::scrub(leavings), &Form::Aggregated)
    }

    /// Takes what came back of a scrub. What takes more than that is not worth it: the connection is closed.
    pub(in crate::execute) async fn settle_scrub(&mut self, mut landing: Landing) {
        self.settle(&mut landing);
        let is_clean = match landing.finish().await {
            Ok(Ok(answers)) => answers.first().is_some_and(|it| {
                let value = |at| it.value(0, at).ok();
                value(0).flatten().as_deref() == Some(b"f") && value(1) == Some(None)
            }),
            Ok(Err(_)) | Err(_) => false,
        };
        self.condemned |= !is_clean;
    }
}
