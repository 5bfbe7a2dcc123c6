//! What a check is, and what checks share while they run.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Mutex, sync::PoisonError};

use super::{
    http::{Answer, Http, Request},
    subject::Subject,
};

/// Something to be tried.
pub struct Check {
    /// Name, as in the report; unique among the checks of a target.
    pub name: &'static str,
    /// What it shows when it passes.
    pub what: &'static str,
    /// How.
    pub how: How,
}

/// A check's way to find out.
pub type How = for<'a> fn(&'a Context<'a>) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// What a check finds out: nothing to say when all is well.
pub type Verdict = Result<(), Stop>;

/// Why a check did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// What was found instead of what was expected.
    Failed(String),
    /// Why it does not apply here.
    Skipped(String),
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// It is not as it should be; what was found.
    Failed(String),
    /// It was not tried; why.
    Skipped(String),
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Ok(()) => Self::Passed,
            Err(Stop::Failed(reason)) => Self::Failed(reason),
            Err(Stop::Skipped(reason)) => Self::Skipped(reason),
        }
    }
}

/// Ends a check that found something else than expected.
pub fn fail<T>(found: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(found.into()))
}

/// Ends a check that does not apply.
pub fn skip<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Skipped(reason.into()))
}

/// Fails unless something holds.
pub fn ensure(holds: bool, found: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { fail(found()) }
}

/// A request that takes back what a check did.
#[derive(Debug, Clone)]
pub enum Undo {
    /// A request; an answer that the thing is not there is as good.
    Request(Request),
    /// The same without any credentials, for what only a stranger's success leaves behind; a refusal is as good.
    Stranger(Request),
    /// A table of the local stack's custom database.
    Table(String),
}

/// What checks share.
pub struct Context<'a> {
    /// What is tried.
    pub subject: &'a Subject,
    /// The client.
    pub http: Http,
    undo: Mutex<Vec<Undo>>,
    notes: Mutex<BTreeMap<&'static str, String>>,
    refusals: Mutex<Vec<String>>,
}

impl<'a> Context<'a> {
    /// For one run.
    pub fn new(subject: &'a Subject, http: Http) -> Self {
        Self { subject, http, undo: Mutex::default(), notes: Mutex::default(), refusals: Mutex::default() }
    }

    /// Sends a request, and keeps the text of a refusal for the check that reads all of them.
    ///
    /// # Errors
    /// A failed check when nothing answers.
    pub async fn send(&self, request: Request) -> Result<Answer, Stop> {
        let answer = self.http.send(&request).await.map_err(Stop::Failed)?;
        if answer.status >= 400 {
            lock(&self.refusals).push(answer.text());
        }
        Ok(answer)
    }

    /// Bodies of all refusals so far.
    pub fn refusals(&self) -> Vec<String> {
        lock(&self.refusals).clone()
    }

    /// Remembers how to take back what is about to be done. Before doing it: a request whose answer is lost was done, too.
    pub fn on_exit(&self, undo: Undo) {
        lock(&self.undo).push(undo);
    }

    /// What is to be taken back, last first; it is handed out once.
    pub fn take_undo(&self) -> Vec<Undo> {
        let mut all = std::mem::take(&mut *lock(&self.undo));
        all.reverse();
        all
    }

    /// Leaves something for a later check.
    pub fn note(&self, key: &'static str, value: impl Into<String>) {
        lock(&self.notes).insert(key, value.into());
    }

    /// What an earlier check left; without it, this one cannot be tried.
    ///
    /// # Errors
    /// A skipped check.
    pub fn noted(&self, key: &'static str) -> Result<String, Stop> {
        match lock(&self.notes).get(key) {
            Some(value) => Ok(value.clone()),
            None => skip(format!("needs \"{key}\" to pass first")),
        }
    }
}

fn lock<T>(it: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
