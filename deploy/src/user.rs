//! The person at the other end: confirms, and gives values that are missing.
//!
//! Three kinds: a terminal that asks, `--yes` that agrees, and nobody, for pipelines without `--yes`.

mod terminal;

pub use terminal::Terminal;

use futures_util::future::{BoxFuture, FutureExt, ready};
use infra_cfn::template::Parameter;

/// What a person says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Yes,
    /// Stop before anything changes.
    No,
}

/// Answers questions. The engine asks one at a time.
pub trait User: Sync {
    /// Asks whether to go on.
    fn confirm<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Answer>;

    /// Asks for the value of a parameter; nothing when there is nobody to ask. The value fits the parameter.
    fn value<'a>(&'a self, name: &'a str, parameter: &'a Parameter) -> BoxFuture<'a, Option<String>>;

    /// Asks for a name to be typed, which is harder to do without reading than a yes.
    fn confirm_by_name<'a>(&'a self, question: &'a str, name: &'a str) -> BoxFuture<'a, Answer>;

    /// Whether somebody reads before answering.
    fn is_there(&self) -> bool {
        true
    }

    /// Whether a yes can come from here. Where it cannot, nothing is begun that needs one.
    fn can_agree(&self) -> bool {
        true
    }
}

/// Agrees to everything and knows no values: `--yes`.
#[derive(Debug, Clone, Copy)]
pub struct Agrees;

impl User for Agrees {
    fn confirm<'a>(&'a self, _question: &'a str) -> BoxFuture<'a, Answer> {
        ready(Answer::Yes).boxed()
    }

    fn value<'a>(&'a self, _name: &'a str, _parameter: &'a Parameter) -> BoxFuture<'a, Option<String>> {
        ready(None).boxed()
    }

    /// Nobody has read what is lost: a yes beforehand is none to that.
    fn confirm_by_name<'a>(&'a self, _question: &'a str, _name: &'a str) -> BoxFuture<'a, Answer> {
        ready(Answer::No).boxed()
    }

    fn is_there(&self) -> bool {
        false
    }
}

/// Agrees to nothing: there is no terminal and no `--yes`.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl User for Nobody {
    fn confirm<'a>(&'a self, _question: &'a str) -> BoxFuture<'a, Answer> {
        ready(Answer::No).boxed()
    }

    fn value<'a>(&'a self, _name: &'a str, _parameter: &'a Parameter) -> BoxFuture<'a, Option<String>> {
        ready(None).boxed()
    }

    fn is_there(&self) -> bool {
        false
    }

    fn confirm_by_name<'a>(&'a self, _question: &'a str, _name: &'a str) -> BoxFuture<'a, Answer> {
        ready(Answer::No).boxed()
    }

    fn can_agree(&self) -> bool {
        false
    }
}
