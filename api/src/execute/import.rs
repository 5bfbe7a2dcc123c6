//! A write whose rows come in batches: one transaction, open until the last of them.

use super::pool::{Lease, Pool};
use super::unless_left;
use crate::client::Disconnect;
use crate::error::DbError;
use crate::script::rows::Rows;
use crate::script::{End, Script, Step};
use crate::sql::types::Statement;

/// Each batch is undone by itself where it fails, so that the row can be found that is to blame.
const MARK: [&str; 2] = ["SAVEPOINT pgapp_batch", "RELEASE SAVEPOINT pgapp_batch"];
const UNDO: &str = "ROLLBACK TO SAVEPOINT pgapp_batch";

/// A transaction under way. Dropped before its end, it is undone.
pub struct Import {
    lease: Lease,
    has_mark: bool,
}

impl Import {
    /// Begins the transaction of a script, up to its main statement.
    pub(crate) async fn begin(
        pool: &Pool,
        disconnect: &Disconnect,
        script: &Script<'_>,
        main: usize,
    ) -> Result<Self, DbError> {
        let mut lease = unless_left(disconnect, pool.acquire()).await?;
        let head = script.steps.get(..main).unwrap_or_default();
        let begun = lease.session().begin_by_hand(script.begin, head, script.residue).await;
        lease.went_well(begun.is_ok());
        begun?;
        Ok(Self { lease, has_mark: false })
    }

    /// Runs a batch. One that fails leaves nothing, and the transaction goes on.
    pub(crate) async fn run(&mut self, statement: &Statement) -> Result<Rows, DbError> {
        let mut steps = Vec::with_capacity(3);
        if self.has_mark {
            steps.push(Step::fixed(MARK[1]));
        }
        steps.push(Step::fixed(MARK[0]));
        steps.push(Step::from(statement));
        self.has_mark = true;
        match self.lease.session().run_by_hand(steps).await {
            Ok(mut results) => {
                results.pop().ok_or_else(|| DbError::UnexpectedResult("a batch without an answer".into()))
            }
            Err(error) => {
                if matches!(error, DbError::Server { .. }) {
                    self.lease.session().run_by_hand(vec![Step::fixed(UNDO)]).await?;
                }
                Err(error)
            }
        }
    }

    /// Ends the transaction as its script says.
    pub(crate) async fn end(mut self, end: End) -> Result<(), DbError> {
        if end == End::Rollback {
            // A rollback would swallow the errors of deferred constraints.
            let checked = vec![Step::fixed("SET CONSTRAINTS ALL IMMEDIATE")];
            if let Err(error) = self.lease.session().run_by_hand(checked).await {
                self.undo().await;
                return Err(error);
            }
        }
        let ended = self.lease.session().finish(end != End::Rollback).await;
        self.lease.went_well(ended.is_ok());
        ended
    }

    /// Undoes all of it.
    pub(crate) async fn undo(mut self) {
        let undone = self.lease.session().finish(false).await;
        self.lease.went_well(undone.is_ok());
    }
}
