//! The end of stacks.

use deploy::{cloud::StackOutput, user::Answer};

use crate::{
    fake::{Fake, Step},
    support::setup,
};

#[tokio::test(start_paused = true)]
async fn stacks_go_in_reverse_order_after_one_question_that_names_what_stays() {
    let (setup, fake) = (setup(), Fake::default());
    setup.deploy(&fake).await;
    setup.user.asked.lock().unwrap().clear();
    let (outcome, text) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    assert_eq!(
        setup.asked(),
        ["Delete app-rds, app-vpc, app-s3? These stay: Database as a snapshot, Bucket."]
    );
    let deletes: Vec<_> = fake.calls().into_iter().filter(|it| it.starts_with("delete_stack")).collect();
    let at = |name: &str| deletes.iter().position(|it| it.ends_with(name)).unwrap();
    assert!(at("app-rds") < at("app-vpc"), "{deletes:?}");
    insta::assert_snapshot!("terminate_all", text);

    let (outcome, text) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "nothing to do is done: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_no_deletes_nothing() {
    let setup = setup().answering(Answer::No);
    let fake = Fake::default().with_stack("app-vpc", "CREATE_COMPLETE");
    let (outcome, _) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 3);
    assert_eq!(fake.calls(), Vec::<String>::new());
}

fn exporting(fake: Fake) -> Fake {
    fake.edit_stack("app-vpc", |it| {
        it.outputs = vec![StackOutput {
            key: "VpcId".into(),
            value: "vpc-1".into(),
            description: None,
            export: Some("app-vpc-vpc".into()),
        }];
    })
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_others_import_from_is_refused_before_anything_goes() {
    let setup = setup();
    let fake = exporting(Fake::default().with_stack("app-vpc", "CREATE_COMPLETE"))
        .with_stack("app-s3", "CREATE_COMPLETE")
        .with_importers("app-vpc-vpc", &["app-rds", "somebody-else"]);
    let (outcome, text) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert_eq!(fake.calls(), Vec::<String>::new());
    assert!(
        text.contains("app-vpc cannot go: somebody-else import from it (\"app-vpc-vpc\" among others)"),
        "{text}"
    );

    // app-rds goes along here, and does not when only vpc is named.
    let (_, text) = setup.only(&["vpc"]).terminate(&fake).await;
    assert!(text.contains("app-vpc cannot go: app-rds, somebody-else import from it"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_cloudformation_cancels_is_recognised() {
    let setup = setup().only(&["vpc"]);
    let reason = "Delete canceled. Cannot delete export app-vpc-vpc as it is in use by late-comer";
    let fake = Fake::default().with_stack("app-vpc", "UPDATE_COMPLETE").after(
        "app-vpc",
        "delete",
        &[Step::Event("UPDATE_COMPLETE", reason)],
    );
    let (outcome, text) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(
        text.contains("CloudFormation cancelled it, because late-comer import its export \"app-vpc-vpc\""),
        "{text}"
    );
    assert!(text.contains("Terminate late-comer first"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_never_starts_ends_by_the_clock() {
    let setup = setup().only(&["vpc"]);
    let fake = Fake::default().with_stack("app-vpc", "UPDATE_COMPLETE").after("app-vpc", "delete", &[]);
    let (outcome, text) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("delete app-vpc ended in UPDATE_COMPLETE"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_deletion_names_the_cause_and_is_healed_by_the_next() {
    let setup = setup().only(&["s3"]);
    let steps = [
        Step::Stack("DELETE_IN_PROGRESS", None),
        Step::Resource(
            "Bucket",
            "AWS::S3::Bucket",
            "DELETE_FAILED",
            Some("The bucket you tried to delete is not empty"),
        ),
        Step::Stack("DELETE_FAILED", Some("The following resource(s) failed to delete: [Bucket].")),
    ];
    let fake = Fake::default().with_stack("app-s3", "CREATE_COMPLETE").after("app-s3", "delete", &steps);
    let (outcome, text) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    insta::assert_snapshot!("failed_deletion", text);
    let (outcome, _) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(fake.status("app-s3"), None);
}

#[tokio::test(start_paused = true)]
async fn a_protected_stack_stays_unless_the_user_says_otherwise() {
    let mut setup = setup().only(&["vpc"]);
    let fake = Fake::default()
        .with_stack("app-vpc", "CREATE_COMPLETE")
        .edit_stack("app-vpc", |it| it.termination_protection = true);
    let (outcome, text) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(
        text.contains("app-vpc is protected against termination")
            && text.contains("--termination-protection off"),
        "{text}"
    );
    assert_eq!(fake.calls(), Vec::<String>::new());

    setup.settings.protect = Some(false);
    let (outcome, _) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(fake.calls(), ["protect app-vpc false", "delete_stack app-vpc"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_can_be_left_behind() {
    let mut setup = setup().only(&["s3"]);
    setup.settings.retain = vec!["Bucket".into()];
    let fake = Fake::default().with_stack("app-s3", "CREATE_COMPLETE").after(
        "app-s3",
        "delete",
        &[
            Step::Stack("DELETE_IN_PROGRESS", None),
            Step::Resource("Bucket", "AWS::S3::Bucket", "DELETE_FAILED", Some("not empty")),
            Step::Stack("DELETE_FAILED", None),
        ],
    );
    let (_, text) = setup.terminate(&fake).await;
    assert!(text.contains("Or leave it behind with --retain Bucket."), "{text}");
    let (outcome, _) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(
        fake.calls(),
        ["delete_stack app-s3", "delete_stack app-s3 keeping Bucket"],
        "CloudFormation takes the list only after a failure"
    );
}

#[tokio::test(start_paused = true)]
async fn what_aws_would_refuse_in_the_middle_is_refused_before_anything_is_gone() {
    let setup = setup();
    let guarded = |status: &str| {
        Fake::default().with_stack("app-vpc", "CREATE_COMPLETE").with_stack("app-rds", status).edit_stack(
            "app-rds",
            |it| {
                it.parameters.insert("DeletionProtection".into(), "true".into());
            },
        )
    };
    let fake = guarded("UPDATE_COMPLETE");
    let (outcome, text) = setup.terminate(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("deploy --stack rds --parameter DeletionProtection=false"), "{text}");
    assert_eq!(fake.calls(), Vec::<String>::new());
    // A stack that was never made holds nothing.
    let (outcome, text) = setup.terminate(&guarded("ROLLBACK_COMPLETE")).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
}
