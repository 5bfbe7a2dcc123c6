//! Deployments that go well.

use deploy::{
    Outcome,
    cloud::{Change, ChangeAction, CloudError, OnFailure, PropertyChange, Replacement},
    render::Json,
    user::Answer,
};

use crate::{
    fake::Fake,
    support::{Paper, setup, with_stacks},
};

#[tokio::test(start_paused = true)]
async fn from_nothing_stacks_deploy_in_order_and_side_by_side() {
    let (setup, fake) = (setup(), Fake::default());
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome, Outcome { n_done: 3, ..Outcome::default() });
    insta::assert_snapshot!("from_nothing", text);
    assert_eq!(
        setup.asked(),
        ["Create app-vpc?", "Create app-s3?", "Create app-rds?"],
        "one question per stack, in the order in which stacks get ready"
    );
    let calls = fake.calls();
    let at = |call: &str| calls.iter().position(|it| it == call).unwrap();
    assert!(at("execute app-s3") < at("create_change_set app-rds"), "s3 does not wait for vpc: {calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_run_changes_nothing_and_shows_the_outputs() {
    let (setup, fake) = (setup(), Fake::default());
    setup.deploy(&fake).await;
    let n_before = fake.calls().iter().filter(|it| it.starts_with("execute")).count();
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(fake.calls().iter().filter(|it| it.starts_with("execute")).count(), n_before);
    insta::assert_snapshot!("no_change", text);
}

fn replacement() -> Change {
    let property = |path: &str, before: &str, after: &str, replaces| PropertyChange {
        path: path.into(),
        before: Some(before.into()),
        after: Some(after.into()),
        replaces,
    };
    Change {
        action: ChangeAction::Modify,
        logical_id: "Database".into(),
        physical_id: Some("db-1".into()),
        kind: "AWS::RDS::DBInstance".into(),
        replacement: Replacement::Yes,
        policy: Some("ReplaceAndDelete".into()),
        properties: vec![
            property("Properties.DBName", "old", "new", Replacement::Yes),
            property("Properties.MasterUserPassword", "a", "b", Replacement::No),
            property("Properties.Note", "x", "contains hunter2hunter2", Replacement::No),
        ],
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_shows_what_is_replaced_and_what_is_lost_and_no_secret() {
    let mut setup = setup().only(&["rds"]);
    setup.user.types_names = true;
    let fake =
        Fake::default().with_stack("app-rds", "CREATE_COMPLETE").with_changes("app-rds", vec![replacement()]);
    setup.spec_mut("rds").text.push_str("# changed\n");
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(
        setup.asked(),
        ["Update app-rds: Database (AWS::RDS::DBInstance) is replaced, and its data is gone [Database]"]
    );
    assert!(!text.contains("hunter2"), "{text}");
    insta::assert_snapshot!("update_with_replacement", text);
}

#[tokio::test(start_paused = true)]
async fn a_no_leaves_nothing_behind() {
    let (setup, fake) = (setup().only(&["vpc"]).answering(Answer::No), Fake::default());
    let (outcome, _) = setup.deploy(&fake).await;
    assert_eq!((outcome.n_declined, outcome.exit_code()), (1, 3));
    assert_eq!(fake.calls(), ["create_change_set app-vpc", "delete_stack app-vpc"]);
    assert_eq!(fake.status("app-vpc"), None);

    let fake = Fake::default().with_stack("app-vpc", "CREATE_COMPLETE");
    setup.deploy(&fake).await;
    assert_eq!(fake.calls(), ["create_change_set app-vpc", "delete_change_set app-vpc"]);
}

#[tokio::test(start_paused = true)]
async fn a_prepared_change_set_is_left_for_somebody_else() {
    let mut setup = setup().only(&["vpc"]);
    setup.settings.execute = false;
    let fake = Fake::default();
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(fake.calls(), ["create_change_set app-vpc"]);
    assert!(text.contains("vpc prepared, not executed: change-set-of-app-vpc"), "{text}");
    assert_eq!(text.matches("#/stacks/changesets/changes?stackId=").count(), 1, "{text}");
    assert_eq!(setup.asked(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn create_refuses_a_stack_that_exists() {
    let mut setup = setup().only(&["vpc"]);
    setup.settings.must_be_new = true;
    let fake = Fake::default().with_stack("app-vpc", "UPDATE_COMPLETE");
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("app-vpc exists already") && text.contains("Use deploy to change it"), "{text}");
    assert_eq!(fake.calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn values_come_from_the_file_then_the_stack_then_the_prompt() {
    let mut setup = setup().only(&["rds"]);
    setup.spec_mut("rds").given = infra_cfn::params::ParameterFile::default();

    // Nobody to ask.
    let (outcome, text) = setup.deploy(&Fake::default()).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(
        text.contains("rds needs values for Password") && text.contains("params init --stack rds"),
        "{text}"
    );

    // Somebody answers.
    setup.user.value = Some("typed-by-hand");
    let fake = Fake::default();
    setup.deploy(&fake).await;
    assert_eq!(fake.values("app-rds")["Password"], "typed-by-hand");
    assert_eq!(fake.values("app-rds")["Prefix"], "app");

    // The stack has one: nobody is asked again.
    setup.user.asked.lock().unwrap().clear();
    setup.spec_mut("rds").text.push_str("# changed\n");
    setup.deploy(&fake).await;
    assert_eq!(setup.asked(), ["Update app-rds?"]);
    assert_eq!(fake.values("app-rds")["Password"], "typed-by-hand");

    // A value that does not fit.
    setup.spec_mut("rds").given.set("Password", "short");
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("parameter \"Password\" must have at least 8 characters"), "{text}");
    assert!(!text.contains("short\""), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_large_template_goes_through_a_bucket() {
    let filler = "# filler\n".repeat(6_000);
    let text = format!("Resources:\n  Vpc: {{ Type: AWS::EC2::VPC }}\n{filler}");
    let mut setup = with_stacks(&[("vpc", &text)]);
    let (outcome, read) = setup.deploy(&Fake::default()).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(
        read.contains("CloudFormation takes 51200 in a request") && read.contains("--template-bucket"),
        "{read}"
    );

    setup.settings.bucket = Some("templates".into());
    let fake = Fake::default();
    let (outcome, _) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(fake.calls()[0], "upload templates vpc.yaml");
}

#[tokio::test(start_paused = true)]
async fn termination_protection_is_set_where_it_differs() {
    let mut setup = setup().only(&["vpc"]);
    setup.settings.protect = Some(true);
    let fake = Fake::default();
    setup.deploy(&fake).await;
    setup.deploy(&fake).await;
    let protect: Vec<_> = fake.calls().into_iter().filter(|it| it.starts_with("protect")).collect();
    assert_eq!(protect, ["protect app-vpc true"]);
}

#[tokio::test(start_paused = true)]
async fn json_is_one_object_per_event() {
    let (setup, fake) = (setup().only(&["vpc"]), Fake::default());
    let paper = Paper::default();
    let json = Json::to(Box::new(paper.clone())).with_clock(|| std::time::SystemTime::UNIX_EPOCH);
    let engine = deploy::Engine::new(&fake, &json, &setup.user, &setup.settings, &setup.specs, &setup.graph);
    engine.deploy().await;
    insta::assert_snapshot!("json_lines", paper.text());
    for line in paper.text().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_flags_say_reaches_cloudformation() {
    let text = "Resources:\n  Role: { Type: AWS::IAM::Role, Properties: { RoleName: x } }\n";
    let mut setup = with_stacks(&[("iam", text)]);
    setup.settings.role_arn = Some("arn:aws:iam::123456789012:role/deployer".into());
    setup.settings.tags.insert("Team".into(), "data".into());
    setup.settings.on_failure = OnFailure::Keep;
    let fake = Fake::default();
    setup.deploy(&fake).await;
    let request = fake.request("app-iam");
    assert_eq!(request.role_arn, setup.settings.role_arn);
    assert_eq!(request.tags, setup.settings.tags);
    assert_eq!(request.capabilities, ["CAPABILITY_NAMED_IAM"]);
    assert_eq!(request.on_failure, OnFailure::Keep, "a new stack's choice is in its change set");
    assert_eq!(fake.on_failure("app-iam"), OnFailure::Rollback, "and must not be said again");

    setup.spec_mut("iam").text.push_str("# changed\n");
    setup.deploy(&fake).await;
    assert_eq!(
        fake.on_failure("app-iam"),
        OnFailure::Keep,
        "a changed stack's choice goes with the execution"
    );

    setup.terminate(&fake).await;
    let last = fake.calls().pop();
    assert_eq!(last.as_deref(), Some("delete_stack app-iam as arn:aws:iam::123456789012:role/deployer"));
}

#[tokio::test(start_paused = true)]
async fn a_large_template_finds_the_bucket_that_is_made_in_the_same_run() {
    let filler = "# filler\n".repeat(6_000);
    let large = format!("Resources:\n  Vpc: {{ Type: AWS::EC2::VPC }}\n{filler}");
    let bucket = "Resources:\n  Bucket: { Type: AWS::S3::Bucket }\nOutputs:\n  TemplateBucketName: { Value: !Ref Bucket }\n";
    let mut setup = with_stacks(&[("vpc", &large), ("s3", bucket)]);
    setup.graph = setup.graph.with_wait("vpc", "s3").unwrap();
    let fake = Fake::default();
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    assert!(
        fake.calls().contains(&"upload value-of-TemplateBucketName vpc.yaml".to_owned()),
        "{:?}",
        fake.calls()
    );
}

#[tokio::test(start_paused = true)]
async fn the_image_of_a_host_is_written_down_and_taken_anew_on_request() {
    let text = "Parameters:\n  Image: { Type: String, Default: 'resolve:ssm:/aws/service/image' }\nResources:\n  A: { Type: T }\n";
    let mut setup = with_stacks(&[("compute", text)]);
    let fake = Fake::default();
    let lookups =
        |fake: &Fake| fake.calls().iter().filter(|it| *it == "public_parameter /aws/service/image").count();
    setup.deploy(&fake).await;
    assert_eq!(fake.values("app-compute")["Image"], "ami-0123456789abcdef0");
    assert_eq!(lookups(&fake), 1);
    setup.spec_mut("compute").text.push_str("# changed\n");
    setup.deploy(&fake).await;
    assert_eq!(lookups(&fake), 1, "a change of something else brings no other image");
    setup.settings.new_host_image = true;
    setup.spec_mut("compute").text.push_str("# changed again\n");
    setup.deploy(&fake).await;
    assert_eq!(lookups(&fake), 2);

    let fake = Fake::default().failing("public_parameter", CloudError::Denied("no ssm:GetParameter".into()));
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("--parameter Image=ami-…"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_flag_against_the_file_is_told() {
    let mut setup = setup().only(&["vpc"]);
    setup.spec_mut("vpc").overridden = vec!["ImageTag".into()];
    let (_, text) = setup.deploy(&Fake::default()).await;
    assert!(text.contains("ImageTag is given by a flag, and vpc.json has another value"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_aws_can_neither_change_nor_replace_is_refused_before_it_starts() {
    let text = "Resources:\n  Volume: { Type: AWS::EC2::Volume }\n";
    let setup = with_stacks(&[("persist", text)]);
    let change = Change {
        action: ChangeAction::Modify,
        logical_id: "Volume".into(),
        physical_id: None,
        kind: "AWS::EC2::Volume".into(),
        replacement: Replacement::No,
        policy: None,
        properties: vec![PropertyChange {
            path: "Properties.SnapshotId".into(),
            before: None,
            after: Some("snap-1".into()),
            replaces: Replacement::No,
        }],
    };
    let fake = Fake::default()
        .with_stack("app-persist", "CREATE_COMPLETE")
        .with_changes("app-persist", vec![change]);
    let (outcome, read) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(read.contains("SnapshotId of Volume") && read.contains("ExistingVolumeId"), "{read}");
    assert_eq!(fake.calls(), ["create_change_set app-persist", "delete_change_set app-persist"]);
}

#[tokio::test(start_paused = true)]
async fn a_template_is_uploaded_under_the_name_of_its_content() {
    let large = |what: &str| {
        format!("Resources:\n  Vpc: {{ Type: AWS::EC2::VPC }}\n{}", format!("# {what}\n").repeat(9_000))
    };
    let keys = async |text: &str| {
        let mut setup = with_stacks(&[("vpc", text)]);
        setup.settings.bucket = Some("templates".into());
        let fake = Fake::default();
        setup.deploy(&fake).await;
        setup.deploy(&fake).await;
        fake.uploads()
    };
    let (one, other) = (keys(&large("one")).await, keys(&large("other")).await);
    assert!(one[0] == one[1] && other[0] == other[1], "the same text is not stored twice: {one:?}");
    assert!(one[0] != other[0] && one[0].ends_with("/vpc.yaml"), "{one:?}");
}
