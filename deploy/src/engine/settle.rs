//! What is left when a run is cut: change sets that nobody answered for are removed, and what CloudFormation goes on with is
//! named.

use super::Engine;
use super::plan::{Open, Plan};
use crate::cloud::Cloud;

/// What a cut run leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Abandoned {
    /// How many change sets were removed.
    pub n_removed: usize,
    /// Change sets that could not be removed.
    pub left: Vec<String>,
    /// Names of the stacks with which CloudFormation goes on.
    pub running: Vec<String>,
}

impl<C: Cloud> Engine<'_, C> {
    /// Cleans up after a run that was cut. The calls are not repeated: somebody waits.
    pub async fn abandon(&self) -> Abandoned {
        let open = std::mem::take(&mut *self.open_sets());
        let mut abandoned =
            Abandoned { running: self.running_stacks().iter().cloned().collect(), ..Abandoned::default() };
        for (id, it) in open {
            match self.remove(&id, &it).await {
                Ok(()) => abandoned.n_removed += 1,
                Err(_) => abandoned.left.push(id),
            }
        }
        abandoned
    }

    /// Removes a change set, and the empty stack that was made for it unless somebody else has prepared something there.
    pub(super) async fn remove(&self, id: &str, open: &Open) -> crate::cloud::CloudResult<()> {
        let others = |it: Vec<crate::cloud::ListedChangeSet>| it.into_iter().any(|it| it.id != id);
        let goes = open.made_stack && !others(self.cloud.change_sets(&open.stack_id).await?);
        if !goes {
            return self.cloud.delete_change_set(id).await;
        }
        let stack = self.cloud.stack(&open.stack_id).await?;
        match stack.filter(|it| it.status == crate::status::StackStatus::ReviewInProgress) {
            Some(_) => self.cloud.delete_stack(&open.stack_id, &super::unique(), None, &[]).await,
            None => Ok(()),
        }
    }

    pub(super) fn opened(&self, plan: &Plan) {
        self.open_sets().insert(plan.set.id.clone(), plan.open());
    }

    pub(super) fn closed(&self, id: &str) {
        self.open_sets().remove(id);
    }

    pub(super) fn open_sets(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeMap<String, Open>> {
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn running_stacks(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeSet<String>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
