//! A transaction that is put together step by step, by what came of the steps before.

use super::exchange::{self, Exchange};
use super::span::Span;
use super::{Form, Session};
use crate::error::DbError;
use crate::schema_cache::residue::Residue;
use crate::script::rows::Rows;
use crate::script::{Begin, Step};

impl Session {
    /// Begins a transaction that goes on in [`Self::run_by_hand`] until [`Self::finish`]. Nothing of it is prepared: a
    /// statement that turned out to be out of date could not be run again.
    pub(in crate::execute) async fn begin_by_hand(
        &mut self,
        begin: Begin,
        head: &[Step<'_>],
        residue: Option<Residue>,
    ) -> Result<(), DbError> {
        let mut steps = vec![Step::fixed(exchange::begin_sql(begin))];
        if self.soiled {
            exchange::front(&mut steps, false, self.implicit_allowed);
        }
        steps.extend_from_slice(head);
        self.reset_due = residue.or(self.reset_due).or(Some(Residue::default()));
        let begun = self.run_by_hand(steps).await.map(drop);
        if begun.is_err() {
            let _ = self.leave_failed_transaction().await;
        }
        begun
    }

    /// Runs statements in the open transaction.
    pub(in crate::execute) async fn run_by_hand(
        &mut self,
        steps: Vec<Step<'_>>,
    ) -> Result<Vec<Rows>, DbError> {
        let span = Span { len: steps.len(), soils: true, writes: true, ..Span::default() };
        let exchange = Exchange { steps, span, implicit: false };
        self.afresh = true;
        let outcome = self.exchange(&exchange, &Form::Aggregated, None).await;
        self.afresh = false;
        Ok(outcome??)
    }
}
