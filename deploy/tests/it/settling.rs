//! What is not visible at once is waited for, what takes too long is said, and a run that is cut cleans up.

use std::time::Duration;

use deploy::{
    cloud::CloudError,
    engine::Abandoned,
    user::{Answer, User},
};
use futures_util::future::{BoxFuture, FutureExt, pending, ready};
use infra_cfn::template::Parameter;
use tokio::time::Instant;

use crate::{
    fake::{Fake, Step},
    support::{Paper, setup},
};

#[tokio::test(start_paused = true)]
async fn a_change_set_that_is_not_visible_yet_is_waited_for() {
    let setup = setup().only(&["vpc"]);
    let missing = || CloudError::NotFound("ChangeSet [x] does not exist".into());
    let fake = Fake::default().failing("change_set", missing()).failing("change_set", missing());
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    // One that never comes is a failure after a while.
    let mut fake = Fake::default();
    for _ in 0..40 {
        fake = fake.failing("change_set", missing());
    }
    let start = Instant::now();
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1, "{text}");
    assert!(start.elapsed() < Duration::from_mins(2), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_request_for_a_change_set_is_no_failure() {
    let setup = setup().only(&["vpc"]);
    let fake = Fake::default().losing_the_answer_to("create_change_set");
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_said_and_then_left() {
    let mut setup = setup().only(&["vpc"]);
    setup.settings.deadline = Duration::from_mins(45);
    let fake = Fake::default().after(
        "app-vpc",
        "create",
        &[
            Step::Stack("CREATE_IN_PROGRESS", None),
            Step::Resource("Vpc", "AWS::EC2::VPC", "CREATE_IN_PROGRESS", None),
        ],
    );
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert_eq!(
        text.matches("nothing has happened for 10 minutes; at work: app-vpc, Vpc").count(),
        4,
        "{text}"
    );
    assert!(text.contains("app-vpc is still in CREATE_IN_PROGRESS after 45 minutes"), "{text}");
    assert!(text.contains("wait --stack vpc"), "{text}");
}

/// Somebody who never answers.
struct Absent(std::sync::Mutex<Vec<String>>);

impl User for Absent {
    fn confirm<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Answer> {
        self.0.lock().unwrap().push(question.to_owned());
        pending().boxed()
    }

    fn confirm_by_name<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Answer> {
        pending().boxed()
    }

    fn value<'a>(&'a self, _: &'a str, _: &'a Parameter) -> BoxFuture<'a, Option<String>> {
        ready(None).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_at_a_question_removes_what_nobody_answered_for() {
    let setup = setup();
    let fake = Fake::default();
    let user = Absent(std::sync::Mutex::default());
    let paper = Paper::default();
    let plain = deploy::render::Plain::to(Box::new(paper.clone()), Box::new(paper.clone()));
    let engine = deploy::Engine::new(&fake, &plain, &user, &setup.settings, &setup.specs, &setup.graph);
    let cut = tokio::time::timeout(Duration::from_secs(60), engine.deploy()).await;
    assert!(cut.is_err());
    assert_eq!(user.0.lock().unwrap().len(), 1);
    let abandoned = engine.abandon().await;
    assert_eq!(abandoned, Abandoned { n_removed: 2, left: Vec::new(), running: Vec::new() });
    assert_eq!(fake.status("app-vpc"), None);
    assert_eq!(fake.status("app-s3"), None);
}

#[tokio::test(start_paused = true)]
async fn what_runs_when_a_run_is_cut_is_named() {
    let setup = setup().only(&["vpc"]);
    let fake = Fake::default().after("app-vpc", "create", &[Step::Stack("CREATE_IN_PROGRESS", None)]);
    let paper = Paper::default();
    let plain = deploy::render::Plain::to(Box::new(paper.clone()), Box::new(paper.clone()));
    let engine = deploy::Engine::new(&fake, &plain, &setup.user, &setup.settings, &setup.specs, &setup.graph);
    let cut = tokio::time::timeout(Duration::from_secs(60), engine.deploy()).await;
    assert!(cut.is_err());
    let abandoned = engine.abandon().await;
    assert_eq!((abandoned.running, abandoned.n_removed), (vec!["app-vpc".to_owned()], 0));
}
