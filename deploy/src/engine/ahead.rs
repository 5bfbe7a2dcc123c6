//! What is looked at before anything is made: who one is and where, and what the account would refuse late.

use futures_util::future::join_all;

use super::{Engine, Outcome};
use crate::{
    cloud::{Caller, Cloud},
    event::Event,
    failure::Failure,
    preflight::{self, Wishes},
    status::{OnDeploy, StackStatus},
};

impl<C: Cloud> Engine<'_, C> {
    /// Tells who works and where, and refuses what is not where the configuration belongs.
    pub(super) async fn who(&self) -> Result<Caller, Failure> {
        let caller = self
            .patiently("", || self.cloud.caller())
            .await
            .map_err(|err| Failure::of_call("ask AWS who one is", &err))?;
        self.tell(Event::Caller(caller.clone()));
        let pin = &self.settings.pin;
        let differs = |wished: &Option<String>, is: &str| wished.as_ref().is_some_and(|it| it != is);
        if differs(&pin.account, &caller.account) || differs(&pin.region, &caller.region) {
            let place = |account: &str, region: &str| format!("account {account} in {region}");
            let any = "any";
            let wished = place(pin.account.as_deref().unwrap_or(any), pin.region.as_deref().unwrap_or(any));
            return Err(Failure::plain(
                format!(
                    "this belongs to {wished}, and you are in {}",
                    place(&caller.account, &caller.region)
                ),
                format!(
                    "Choose the right credentials and region (--profile, --region), or change {}.",
                    pin.said_by
                ),
            ));
        }
        Ok(caller)
    }

    /// Asks the account about everything that would be made; tells what would fail and returns the end of the run then.
    pub(super) async fn look_ahead(&self, caller: &Caller) -> Option<Outcome> {
        if !self.settings.looks_ahead {
            return None;
        }
        let specs: Vec<_> = self.graph.waves().concat().into_iter().map(|it| self.spec(it)).collect();
        // Who cannot be looked at now fails at its turn, with the reason.
        let infos = join_all(specs.iter().map(|it| self.look(it))).await;
        let mut wishes = Wishes::default();
        for (spec, info) in specs.into_iter().zip(infos) {
            let Ok(info) = info else { continue };
            let is_new =
                |it: &StackStatus| matches!(it.on_deploy(), OnDeploy::Create | OnDeploy::DeleteThenCreate);
            let existing = info.filter(|it| !is_new(&it.status));
            wishes.add(spec, existing.as_ref(), caller, &self.settings.prefix);
        }
        let findings = preflight::look(self.cloud, &wishes).await;
        for text in findings.notes {
            self.tell(Event::Noted { text });
        }
        let names = self.graph.waves().concat();
        let mut n_failed = 0;
        for name in &names {
            let mut of_stack = findings.problems.iter().filter(|it| it.stack == *name).peekable();
            n_failed += usize::from(of_stack.peek().is_some());
            for it in of_stack {
                let failure = Failure::plain(&it.message, &it.hint);
                self.tell(Event::Failed { stack: (*name).to_owned(), failure });
            }
        }
        if n_failed == 0 {
            return None;
        }
        let text = "nothing was changed; --no-preflight deploys without a look at the account".to_owned();
        self.tell(Event::Noted { text });
        Some(Outcome { n_failed, n_skipped: names.len() - n_failed, ..Outcome::default() })
    }
}
