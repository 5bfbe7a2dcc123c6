//! Looking without changing.

use deploy::cloud::{Drift, PropertyChange, Replacement};

use crate::{fake::Fake, support::setup};

#[tokio::test(start_paused = true)]
async fn a_diff_shows_new_stacks_and_changes_and_leaves_no_trace() {
    let setup = setup();
    let fake = Fake::default().with_stack("app-vpc", "CREATE_COMPLETE");
    let (outcome, text) = setup.run(&fake, async |engine| engine.diff(false).await).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    insta::assert_snapshot!("diff", text);
    assert_eq!(fake.calls(), ["create_change_set app-vpc", "delete_change_set app-vpc"]);
    assert_eq!(setup.asked(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_diff_of_a_stack_that_is_at_work_says_so() {
    let setup = setup().only(&["vpc"]);
    let fake = Fake::default().with_stack("app-vpc", "UPDATE_IN_PROGRESS");
    let (outcome, text) = setup.run(&fake, async |engine| engine.diff(false).await).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("app-vpc is in UPDATE_IN_PROGRESS. The stack is being changed."), "{text}");
}

#[tokio::test(start_paused = true)]
async fn drift_is_shown_property_by_property() {
    let setup = setup();
    let drift = Drift {
        logical_id: "Vpc".into(),
        kind: "AWS::EC2::VPC".into(),
        is_deleted: false,
        properties: vec![PropertyChange {
            path: "EnableDnsSupport".into(),
            before: Some("true".into()),
            after: Some("false".into()),
            replaces: Replacement::No,
        }],
    };
    let gone = Drift {
        logical_id: "Other".into(),
        kind: "AWS::EC2::Subnet".into(),
        is_deleted: true,
        properties: Vec::new(),
    };
    let fake = Fake::default()
        .with_stack("app-vpc", "CREATE_COMPLETE")
        .with_stack("app-s3", "UPDATE_COMPLETE")
        .with_drift("app-vpc", drift)
        .with_drift("app-vpc", gone);
    let (outcome, text) = setup.run(&fake, async |engine| engine.diff(true).await).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    insta::assert_snapshot!("drift", text);
}
