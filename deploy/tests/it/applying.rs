//! A plan and its execution apart: exactly what was prepared, or an explanation and another plan.

use deploy::{
    Outcome, Prepared,
    cloud::{Change, ChangeAction, CloudError, Drift, Replacement},
    event::Event,
    render::{Markdown, Plain},
};

use crate::{
    fake::Fake,
    support::{Kind, Paper, Setup, setup},
};

fn prepared(stack: &str) -> Prepared {
    Prepared { id: format!("change-set-of-app-{stack}"), stack: Some(stack.to_owned()) }
}

async fn apply(setup: &Setup, fake: &Fake, stacks: &[&str]) -> (Outcome, String) {
    let sets: Vec<Prepared> = stacks.iter().map(|it| prepared(it)).collect();
    setup.run(fake, async |engine| engine.apply(&sets).await).await
}

async fn plan(setup: &mut Setup, fake: &Fake) -> (Outcome, String) {
    setup.settings.execute = false;
    let planned = setup.deploy(fake).await;
    setup.settings.execute = true;
    planned
}

#[tokio::test(start_paused = true)]
async fn what_was_prepared_is_executed_and_nothing_else() {
    let mut setup = setup();
    let fake = Fake::default();
    let (outcome, text) = plan(&mut setup, &fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    assert!(text.contains("rds - not started: vpc is only prepared"), "its import is not there yet: {text}");

    // The files change after the plan: what was agreed to counts.
    setup.spec_mut("vpc").text.push_str("# changed\n");
    let (outcome, text) = apply(&setup, &fake, &["vpc", "s3"]).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    let calls = fake.calls();
    assert_eq!(calls.iter().filter(|it| it.starts_with("create_change_set")).count(), 2, "{calls:?}");
    assert!(calls.contains(&"execute app-vpc".to_owned()) && calls.contains(&"execute app-s3".to_owned()));
    assert!(text.contains("vpc ✓ CREATE_COMPLETE"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_stale_plan_is_explained_and_made_anew_and_not_executed() {
    let mut setup = setup().only(&["vpc"]);
    let fake = Fake::default().with_stack("app-vpc", "CREATE_COMPLETE");
    plan(&mut setup, &fake).await;
    // Somebody deploys meanwhile: the change set is gone.
    setup.deploy(&fake).await;
    setup.spec_mut("vpc").text.push_str("# changed\n");
    let n_before = fake.calls().len();
    let (outcome, text) = apply(&setup, &fake, &["vpc"]).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("the plan of app-vpc is stale") && text.contains("Nothing was executed"), "{text}");
    assert!(text.contains("cargo xtask apply change-set-of-app-vpc"), "{text}");
    assert_eq!(fake.calls()[n_before..], ["create_change_set app-vpc"]);
    assert_eq!(apply(&setup, &fake, &["vpc"]).await.0.exit_code(), 0, "the new one can be applied");

    let (outcome, text) = apply(&setup, &fake, &["vpc"]).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("what it would do is done"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_change_set_and_one_of_another_installation_are_refused() {
    let setup = setup();
    let unknown = [Prepared { id: "arn:aws:cloudformation:r:a:changeSet/gone/1".into(), stack: None }];
    let (outcome, text) = setup.run(&Fake::default(), async |engine| engine.apply(&unknown).await).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("does not exist") && text.contains("deploy --no-execute"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_no_leaves_the_plan_and_losses_need_leave_here_too() {
    let mut setup = setup().only(&["rds"]);
    let removal = Change {
        action: ChangeAction::Remove,
        logical_id: "Database".into(),
        physical_id: None,
        kind: "AWS::RDS::DBInstance".into(),
        replacement: Replacement::No,
        policy: Some("Delete".into()),
        properties: Vec::new(),
    };
    let fake =
        Fake::default().with_stack("app-rds", "CREATE_COMPLETE").with_changes("app-rds", vec![removal]);
    plan(&mut setup, &fake).await;
    let mut setup = setup.by(Kind::Yes);
    let (outcome, text) = apply(&setup, &fake, &["rds"]).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("--allow-data-loss rds.Database"), "{text}");
    assert_eq!(fake.calls(), ["create_change_set app-rds"], "the plan is still there");
    setup.settings.allow_data_loss = vec!["Database".into()];
    assert_eq!(apply(&setup, &fake, &["rds"]).await.0.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn somebody_who_is_faster_makes_a_deployment_plan_again() {
    let setup = setup().only(&["vpc"]);
    let gone = CloudError::NotFound("ChangeSet [x] does not exist".into());
    let fake = Fake::default().with_stack("app-vpc", "CREATE_COMPLETE").failing("execute", gone);
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    assert!(text.contains("Somebody changed app-vpc meanwhile"), "{text}");
    assert_eq!(setup.asked(), ["Update app-vpc?", "Update app-vpc?"], "the new plan is asked about");
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_a_document_for_a_pull_request() {
    let mut setup = setup();
    setup.settings.execute = false;
    let (paper, messages) = (Paper::default(), Paper::default());
    let plain = Plain::to(Box::new(std::io::sink()), Box::new(messages.clone()));
    let markdown = Markdown::to(Box::new(paper.clone()), plain);
    let fake = Fake::default().with_stack("app-s3", "CREATE_COMPLETE");
    let engine =
        deploy::Engine::new(&fake, &markdown, &setup.user, &setup.settings, &setup.specs, &setup.graph);
    engine.deploy().await;
    insta::assert_snapshot!("plan_markdown", paper.text());
    assert!(messages.text().contains("vpc prepared, not executed"), "{}", messages.text());
}

#[tokio::test(start_paused = true)]
async fn a_comparison_counts_what_differs_and_says_what_it_left_out() {
    let setup = setup();
    let drift = |id: &str| Drift {
        logical_id: id.into(),
        kind: "AWS::EC2::VPC".into(),
        is_deleted: true,
        properties: Vec::new(),
    };
    let mut fake = Fake::default();
    for stack in ["app-vpc", "app-s3", "app-rds"] {
        fake = fake.with_stack(stack, "CREATE_COMPLETE");
    }
    // Everything as it is wished.
    setup.deploy(&fake).await;
    let diff = async |fake: &Fake| setup.run(fake, async |engine| engine.diff(true).await).await;
    let (outcome, text) = diff(&fake).await;
    assert_eq!((outcome.n_different, outcome.exit_code()), (0, 0), "{text}");
    assert_eq!(text.matches("is as CloudFormation made it\n").count(), 3, "{text}");
    let order: Vec<_> =
        ["vpc", "s3", "rds"].iter().map(|it| text.find(&format!(" {it} app-")).unwrap()).collect();
    assert!(order.is_sorted(), "the order is that of a deployment: {text}");

    let fake =
        fake.with_unchecked("app-vpc", &["Association", "Waiter"]).with_drift("app-s3", drift("Bucket"));
    let (outcome, text) = diff(&fake).await;
    assert_eq!(outcome.n_different, 1, "{text}");
    assert!(text.contains("as far as CloudFormation compares"), "{text}");
    assert!(text.contains("not compared: Association, Waiter"), "{text}");
}

#[test]
fn a_plan_names_its_stack_for_programs() {
    let event = Event::Prepared {
        stack: "vpc".into(),
        stack_name: "app-vpc".into(),
        change_set: "arn".into(),
        console: String::new(),
    };
    let text = serde_json::to_string(&event).unwrap();
    assert!(
        text.contains(r#""event":"prepared","stack":"vpc","stack_name":"app-vpc","change_set":"arn""#),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn modes_that_give_something_up_reach_cloudformation() {
    let mut setup = setup().only(&["vpc"]);
    let fake = Fake::default();
    setup.deploy(&fake).await;
    assert_eq!(fake.request("app-vpc").mode, deploy::cloud::Mode::default());
    setup.settings.mode = deploy::cloud::Mode { reverts_drift: true, is_express: true };
    setup.spec_mut("vpc").text.push_str("# changed\n");
    setup.deploy(&fake).await;
    assert_eq!(fake.request("app-vpc").mode, setup.settings.mode);
}
