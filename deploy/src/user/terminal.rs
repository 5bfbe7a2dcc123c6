//! Asks on the terminal. Values of hidden parameters are not shown while they are typed.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use infra_cfn::template::Parameter;
use tokio::sync::Notify;

use inquire::{Confirm, InquireError, Password, PasswordDisplayMode, Text, validator::Validation};

use super::{Answer, User};
use crate::render::Live;

/// Somebody at a terminal.
#[derive(Default)]
pub struct Terminal {
    /// The display that has to make room for a question.
    live: Option<Arc<Live>>,
    interrupted: Arc<Notify>,
}

impl Terminal {
    /// A terminal on which a live display draws too, if any.
    pub fn new(live: Option<Arc<Live>>) -> Self {
        Self { live, interrupted: Arc::default() }
    }

    /// Ends when a question was answered by Ctrl-C, which is no signal while a question is open.
    pub async fn interrupted(&self) {
        self.interrupted.notified().await;
    }

    /// Asks off the async threads, with the terminal to itself. No answer is a no.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> Result<T, InquireError> + Send + 'static,
    ) -> BoxFuture<'_, Option<T>> {
        let (live, interrupted) = (self.live.clone(), Arc::clone(&self.interrupted));
        let asked = tokio::task::spawn_blocking(move || match live {
            Some(live) => live.suspend(question),
            None => question(),
        });
        async move {
            match asked.await {
                Ok(Ok(answer)) => Some(answer),
                Ok(Err(InquireError::OperationInterrupted)) => {
                    interrupted.notify_one();
                    // The caller goes away instead of taking this for a no.
                    std::future::pending().await
                }
                _ => None,
            }
        }
        .boxed()
    }
}

impl User for Terminal {
    fn confirm<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Answer> {
        let question = question.to_owned();
        let asked = self.ask(move || Confirm::new(&question).with_default(false).prompt());
        async move { if asked.await == Some(true) { Answer::Yes } else { Answer::No } }.boxed()
    }

    fn confirm_by_name<'a>(&'a self, question: &'a str, name: &'a str) -> BoxFuture<'a, Answer> {
        let (question, name) = (question.to_owned(), name.to_owned());
        let wished = name.clone();
        let asked = self.ask(move || {
            let help = format!("type {name} to go on, anything else to leave it");
            Text::new(&question).with_help_message(&help).prompt()
        });
        async move {
            let is_same = asked.await.is_some_and(|it| it.trim() == wished);
            if is_same { Answer::Yes } else { Answer::No }
        }
        .boxed()
    }

    fn value<'a>(&'a self, name: &'a str, parameter: &'a Parameter) -> BoxFuture<'a, Option<String>> {
        let (name, parameter) = (name.to_owned(), parameter.clone());
        self.ask(move || {
            let help = parameter.description.clone().unwrap_or_default();
            let checked = parameter.clone();
            let check = move |value: &str| {
                Ok(match checked.check(value) {
                    Ok(()) => Validation::Valid,
                    Err(violation) => Validation::Invalid(violation.to_string().into()),
                })
            };
            if parameter.no_echo {
                let prompt = Password::new(&name)
                    .with_help_message(&help)
                    .with_display_mode(PasswordDisplayMode::Hidden);
                prompt.with_validator(check).prompt()
            } else {
                Text::new(&name).with_help_message(&help).with_validator(check).prompt()
            }
        })
    }
}
