//! What the library tells its caller while it works. Nothing in this crate prints: a renderer decides how it looks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::BackendKind;
use crate::service::{IllegalTransition, ServiceName, ServiceState};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The backend was chosen.
    Backend {
        /// Which.
        kind: BackendKind,
        /// What it consists of, for example the server's version and folder.
        detail: String,
    },
    /// Another command works on the same stack; this one waits for it.
    Waiting,
    /// A service changed its state.
    Service {
        /// Which.
        service: ServiceName,
        /// Its new state.
        state: ServiceState,
    },
    /// A piece of work within a service's present state was done.
    Step {
        /// The service.
        service: ServiceName,
        /// What was done, past tense.
        text: String,
    },
    /// Something was not as it should be and has been put right, or is worth knowing.
    Note {
        /// A full sentence.
        text: String,
    },
    /// A line that a long-running program printed, such as an image build.
    Output {
        /// The line, without its end.
        line: String,
    },
}

/// Receives events; any `Fn(Event)` will do.
pub trait EventSink: Send + Sync {
    /// Called in the order of events, from whatever task they happen in; must not block for long.
    fn emit(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync> EventSink for F {
    fn emit(&self, event: Event) {
        self(event);
    }
}

/// The states of one run's services: checks each change against the table and reports it.
#[derive(Clone)]
pub(crate) struct Progress {
    sink: Arc<dyn EventSink>,
    states: Arc<Mutex<HashMap<ServiceName, ServiceState>>>,
}

impl Progress {
    pub(crate) fn new(sink: Arc<dyn EventSink>) -> Self {
        Self { sink, states: Arc::default() }
    }

    pub(crate) fn emit(&self, event: Event) {
        self.sink.emit(event);
    }

    pub(crate) fn note(&self, text: impl Into<String>) {
        self.emit(Event::Note { text: text.into() });
    }

    pub(crate) fn step(&self, service: ServiceName, text: impl Into<String>) {
        self.emit(Event::Step { service, text: text.into() });
    }

    pub(crate) fn state(&self, service: ServiceName) -> ServiceState {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(&service).copied().unwrap_or(ServiceState::Stopped)
    }

    /// Says how a service was found, before anything is done to it.
    pub(crate) fn found(&self, service: ServiceName, state: ServiceState) {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).insert(service, state);
        if state != ServiceState::Stopped {
            self.emit(Event::Service { service, state });
        }
    }

    /// Moves a service on; staying where it is is no event.
    pub(crate) fn to(&self, service: ServiceName, next: ServiceState) -> Result<(), IllegalTransition> {
        let from = self.state(service);
        if from == next {
            return Ok(());
        }
        if !from.may_become(next) {
            return Err(IllegalTransition { service, from, to: next });
        }
        self.states.lock().unwrap_or_else(PoisonError::into_inner).insert(service, next);
        self.emit(Event::Service { service, state: next });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_reports_changes_and_refuses_leaps() {
        let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
        let sink = Arc::clone(&seen);
        let progress = Progress::new(Arc::new(move |event| sink.lock().unwrap().push(event)));
        progress.to(ServiceName::Api, ServiceState::Starting).unwrap();
        progress.to(ServiceName::Api, ServiceState::Starting).unwrap();
        let error = progress.to(ServiceName::Api, ServiceState::Stopped).unwrap_err();
        assert_eq!(error.to_string(), "service \"api\" cannot go from Starting to Stopped");
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}
