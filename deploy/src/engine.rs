//! The engine: brings stacks from the state in which CloudFormation has them to the state that is wished.
//!
//! Holds no state between calls. Every step starts from what CloudFormation says, so a run can be cut at any point and the
//! next one goes on.

mod ahead;
mod apply;
mod causes;
mod deploy;
mod execute;
mod follow;
mod inspect;
mod plan;
mod request;
mod settle;
mod terminate;

pub use apply::Prepared;
pub use settle::Abandoned;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    time::Duration,
};

use infra_cfn::graph::Graph;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use crate::{
    cloud::{Cloud, CloudResult, Mode, OnFailure, StackInfo},
    event::{Event, Sink},
    failure::Failure,
    schedule::Ending,
    user::{Answer, User},
};

pub use crate::inputs::Spec;

/// How to work, mostly from flags.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Prefix of the stack names.
    pub prefix: String,
    /// Whether a stack that exists already is a failure.
    pub must_be_new: bool,
    /// Whether change sets are executed or only prepared.
    pub execute: bool,
    /// What happens to a stack that fails.
    pub on_failure: OnFailure,
    /// Role that CloudFormation acts with.
    pub role_arn: Option<String>,
    /// Tags of every stack.
    pub tags: BTreeMap<String, String>,
    /// Termination protection to set; nothing leaves it as it is.
    pub protect: Option<bool>,
    /// Bucket for templates that do not fit into a request.
    pub bucket: Option<String>,
    /// Stack whose output names such a bucket where none is given: its name in CloudFormation and the output.
    pub bucket_stack: Option<(String, String)>,
    /// Existing resources that the stack takes over instead of any other change.
    pub imports: Vec<Wanted>,
    /// Whether an image of a host that was written down is looked up again.
    pub new_host_image: bool,
    /// Resources that the continuation of a stuck rollback leaves as they are.
    pub rollback_skip: Vec<String>,
    /// Resources that stay behind when a stack is deleted whose deletion failed before.
    pub retain: Vec<String>,
    /// Resources that may be replaced or deleted although they hold data, as `LOGICAL_ID` or `STACK.LOGICAL_ID`.
    pub allow_data_loss: Vec<String>,
    /// Where and as whom one has to be.
    pub pin: Pin,
    /// Ways to work that give something up.
    pub mode: Mode,
    /// Whether the account is asked before anything is made.
    pub looks_ahead: bool,
    /// Time between two looks at CloudFormation.
    pub poll: Duration,
    /// How long calls that may work in a moment are tried again.
    pub patience: Duration,
    /// How long what was just made may not be visible yet.
    pub settling: Duration,
    /// How long CloudFormation may compare for a change set.
    pub planning: Duration,
    /// How long an operation is followed.
    pub deadline: Duration,
}

/// An existing resource that a stack is to take over: its logical id and what finds it, such as `BucketName=logs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Logical id in the template.
    pub logical_id: String,
    /// Property that finds it.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Where a configuration belongs; what is not said is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pin {
    /// Account.
    pub account: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Where it is said, for messages.
    pub said_by: String,
}

impl Settings {
    /// The settings without any flag.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            must_be_new: false,
            execute: true,
            on_failure: OnFailure::default(),
            role_arn: None,
            tags: BTreeMap::new(),
            protect: None,
            bucket: None,
            bucket_stack: None,
            imports: Vec::new(),
            new_host_image: false,
            rollback_skip: Vec::new(),
            retain: Vec::new(),
            allow_data_loss: Vec::new(),
            pin: Pin::default(),
            mode: Mode::default(),
            looks_ahead: true,
            poll: Duration::from_secs(2),
            patience: Duration::from_mins(5),
            settling: Duration::from_secs(30),
            planning: Duration::from_mins(15),
            deadline: Duration::from_hours(6),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Stacks that are where they should be.
    pub n_done: usize,
    /// Stacks that are not.
    pub n_failed: usize,
    /// Stacks that were not touched because of others.
    pub n_skipped: usize,
    /// Stacks that the user did not want to touch.
    pub n_declined: usize,
    /// Stacks that differ from what is wished, or from reality: only a comparison counts them.
    pub n_different: usize,
}

impl Outcome {
    /// The exit code: 0 done, 1 failed, 3 refused at a prompt.
    pub fn exit_code(self) -> u8 {
        if self.n_failed > 0 {
            1
        } else if self.n_declined > 0 {
            3
        } else {
            0
        }
    }
}

/// Why a stack is not where it should be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// It failed.
    Failed(Box<Failure>),
    /// The user said no.
    Declined,
    /// What it needs was only prepared.
    Prepared,
}

impl Trouble {
    /// What a stack did on which others wait.
    fn why(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Declined => "was declined",
            Self::Prepared => "is only prepared",
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

/// Works on stacks.
pub struct Engine<'a, C> {
    cloud: &'a C,
    sink: &'a dyn Sink,
    user: &'a dyn User,
    settings: &'a Settings,
    specs: &'a [Spec],
    graph: &'a Graph,
    /// One question at a time, however many stacks run.
    asking: Mutex<()>,
    /// What must not be told to anybody.
    secrets: std::sync::Mutex<Vec<String>>,
    /// Change sets that nobody has answered for yet.
    open: std::sync::Mutex<BTreeMap<String, plan::Open>>,
    /// Names of the stacks on which CloudFormation works for us.
    running: std::sync::Mutex<BTreeSet<String>>,
}

/// A shorter value is no secret, and hiding it would hide every other word.
const SHORTEST_SECRET: usize = 4;

/// The hidden values of stacks, as far as they are given; what is told goes through [`crate::event::hide`] with them.
pub fn secrets_of(specs: &[Spec]) -> Vec<String> {
    let secret = |spec: &Spec| -> Vec<String> {
        spec.template.secret_parameters().filter_map(|it| spec.given.get(it)).map(str::to_owned).collect()
    };
    let mut secrets: Vec<String> = specs.iter().flat_map(secret).collect();
    secrets.retain(|it| it.len() >= SHORTEST_SECRET);
    secrets
}

impl<'a, C: Cloud> Engine<'a, C> {
    /// An engine for the stacks of a graph; every stack of it has a spec.
    pub fn new(
        cloud: &'a C,
        sink: &'a dyn Sink,
        user: &'a dyn User,
        settings: &'a Settings,
        specs: &'a [Spec],
        graph: &'a Graph,
    ) -> Self {
        Self {
            cloud,
            sink,
            user,
            settings,
            specs,
            graph,
            asking: Mutex::new(()),
            secrets: std::sync::Mutex::new(secrets_of(specs)),
            open: std::sync::Mutex::default(),
            running: std::sync::Mutex::default(),
        }
    }

    /// Keeps a value that was typed out of everything that is told.
    fn keep_secret(&self, value: &str) {
        if value.len() >= SHORTEST_SECRET {
            self.known_secrets().push(value.to_owned());
        }
    }

    fn known_secrets(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.secrets.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn spec(&self, name: &str) -> &'a Spec {
        self.specs
            .iter()
            .find(|it| it.name == name)
            .expect("the caller gives a spec for every stack of the graph")
    }

    fn tell(&self, mut event: Event) {
        event.mask(&self.known_secrets());
        self.sink.take(event);
    }

    fn explain(&self, spec: &Spec, text: impl Into<String>) {
        self.tell(Event::Explained { stack: spec.name.clone(), text: text.into() });
    }

    fn skipped(&self, stack: &str, because_of: &str, how: Option<&Trouble>) {
        let why = how.map_or("was not touched", Trouble::why);
        self.tell(Event::Skipped { stack: stack.to_owned(), because_of: because_of.to_owned(), why });
    }

    async fn confirm(&self, question: &str) -> Answer {
        let _turn = self.asking.lock().await;
        self.user.confirm(question).await
    }

    /// Tries a call again while it may work in a moment.
    async fn patiently<T, F: Future<Output = CloudResult<T>>>(
        &self,
        stack: &str,
        call: impl Fn() -> F,
    ) -> CloudResult<T> {
        let start = Instant::now();
        let mut pause = Duration::from_secs(1);
        loop {
            match call().await {
                Err(err) if err.is_transient() && start.elapsed() + pause <= self.settings.patience => {
                    self.tell(Event::Retrying { stack: stack.to_owned(), error: err.to_string(), pause });
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(30));
                }
                result => return result,
            }
        }
    }

    /// The stack as it is now.
    async fn look(&self, spec: &Spec) -> Result<Option<StackInfo>, Failure> {
        let name = &spec.stack_name;
        self.patiently(&spec.name, || self.cloud.stack(name))
            .await
            .map_err(|err| Failure::of_call(&format!("look at {name}"), &err))
    }

    fn found(&self, spec: &Spec, info: Option<&StackInfo>) {
        self.tell(Event::Found {
            stack: spec.name.clone(),
            stack_name: spec.stack_name.clone(),
            status: info.map(|it| it.status),
        });
    }

    /// Counts and tells how a run ended.
    fn end<T>(&self, ended: &BTreeMap<String, Ending<T, Trouble>>, start: Instant) -> Outcome {
        let mut outcome = Outcome::default();
        for ending in ended.values() {
            *match ending {
                Ending::Done(_) | Ending::Failed(Trouble::Prepared) => &mut outcome.n_done,
                Ending::Failed(Trouble::Failed(_)) => &mut outcome.n_failed,
                Ending::Failed(Trouble::Declined) => &mut outcome.n_declined,
                Ending::Skipped { .. } => &mut outcome.n_skipped,
            } += 1;
        }
        self.finish(outcome, start)
    }

    /// Tells how a run ended: every run does, also one that was refused before it began.
    fn finish(&self, outcome: Outcome, start: Instant) -> Outcome {
        self.tell(Event::Ended {
            n_done: outcome.n_done,
            n_failed: outcome.n_failed,
            n_skipped: outcome.n_skipped + outcome.n_declined,
            took: start.elapsed(),
        });
        outcome
    }

    /// The end of a run that never began, for the same reason for every stack.
    fn refused(&self, failure: &Failure, start: Instant) -> Outcome {
        let names = self.graph.waves().concat();
        for name in &names {
            self.tell(Event::Failed { stack: (*name).to_owned(), failure: failure.clone() });
        }
        self.finish(Outcome { n_failed: names.len(), ..Outcome::default() }, start)
    }

    /// Tells a failure where it ends, once.
    fn report<T>(&self, spec: &Spec, result: Result<T, Trouble>) -> Result<T, Trouble> {
        if let Err(Trouble::Failed(failure)) = &result {
            self.tell(Event::Failed { stack: spec.name.clone(), failure: (**failure).clone() });
        }
        result
    }
}

/// A name or token that no other run has.
fn unique() -> String {
    format!("pgapp-{:016x}", rand::random::<u64>())
}
