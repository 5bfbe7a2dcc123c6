//! Why something failed: from the stack itself, from stacks inside it, from checks told elsewhere, each reason of a rollback,
//! told last where a log is read from its end, and for programs.

use deploy::{cloud::Issue, render::Json};
use serde_json::Value;

use crate::{
    fake::{Fake, Step},
    support::{Paper, Setup, setup, with_stacks},
};

const VPC: &str = "AWS::EC2::VPC";

fn issue(id: &str, path: &str) -> Issue {
    Issue {
        logical_id: id.into(),
        kind: VPC.into(),
        check: "NAME_CONFLICT_VALIDATION".into(),
        path: Some(path.into()),
        reason: "Resource of type 'AWS::EC2::VPC' with identifier 'x' already exists.".into(),
    }
}

const POINTER: &str =
    "Validation failed with 1 error(s). Call DescribeEvents to retrieve the full list of issues.";

#[tokio::test(start_paused = true)]
async fn a_check_before_the_deployment_is_told_with_its_place() {
    // Of a change set.
    let setup = setup().only(&["vpc"]);
    let fake =
        Fake::default().refusing("app-vpc", POINTER).with_issue("app-vpc", issue("Vpc", "/Resources/Vpc"));
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("cause: Vpc (AWS::EC2::VPC) at vpc.yaml:2"), "{text}");
    assert!(text.contains("NAME_CONFLICT_VALIDATION Resource of type"), "{text}");
    assert!(text.contains("hint: Delete the resource that has the name"), "{text}");

    // Of an operation.
    let steps = [
        Step::Stack("CREATE_IN_PROGRESS", Some("User Initiated")),
        Step::Stack("CREATE_FAILED", Some(POINTER)),
        Step::Stack(
            "ROLLBACK_IN_PROGRESS",
            Some("Validation failure detected. See the operation's FAILED event for details."),
        ),
        Step::Stack("ROLLBACK_COMPLETE", None),
    ];
    let fake = Fake::default()
        .after("app-vpc", "create", &steps)
        .with_issue("app-vpc", issue("Vpc", "/Resources/Vpc/Properties/CidrBlock"));
    let (_, text) = setup.deploy(&fake).await;
    assert!(text.contains("cause: Vpc (AWS::EC2::VPC) at vpc.yaml:2"), "{text}");
    assert!(text.contains("NAME_CONFLICT_VALIDATION CidrBlock Resource of type"), "{text}");
    assert!(!text.contains("cause: app-vpc"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn without_leave_to_ask_the_words_of_the_event_stay() {
    let setup = setup().only(&["vpc"]);
    let steps = [
        Step::Stack("CREATE_IN_PROGRESS", None),
        Step::Stack("CREATE_FAILED", Some(POINTER)),
        Step::Stack("ROLLBACK_COMPLETE", None),
    ];
    let denied = deploy::cloud::CloudError::Denied("no cloudformation:DescribeEvents".into());
    let fake = Fake::default().after("app-vpc", "create", &steps).failing("issues", denied);
    let (_, text) = setup.deploy(&fake).await;
    assert!(text.contains("cause: app-vpc") && text.contains(POINTER), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_reason_of_the_stack_itself_is_the_cause_and_the_rollback_is_followed() {
    for reason in [
        "Cannot update export app-vpc-vpc as it is in use by app-rds",
        "Cannot delete export app-vpc-vpc as it is in use by app-rds",
    ] {
        let setup = setup().only(&["vpc"]);
        let steps = [
            Step::Stack("UPDATE_IN_PROGRESS", Some("User Initiated")),
            Step::Stack("UPDATE_ROLLBACK_IN_PROGRESS", Some(reason)),
            Step::Stack("UPDATE_ROLLBACK_COMPLETE", None),
        ];
        let fake =
            Fake::default().with_stack("app-vpc", "CREATE_COMPLETE").after("app-vpc", "update", &steps);
        let (outcome, text) = setup.deploy(&fake).await;
        assert_eq!(outcome.exit_code(), 1);
        assert!(text.contains("update app-vpc ended in UPDATE_ROLLBACK_COMPLETE"), "{text}");
        assert!(text.contains("cause: app-vpc") && text.contains(reason), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_cause_inside_a_nested_stack_is_found() {
    let text = "Resources:\n  Vpc: { Type: AWS::EC2::VPC }\n  Inner: { Type: AWS::CloudFormation::Stack }\n";
    let setup = with_stacks(&[("vpc", text)]);
    let steps = [
        Step::Stack("CREATE_IN_PROGRESS", None),
        Step::Nested("Inner", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        Step::Nested("Inner", "CREATE_FAILED", "Embedded stack was not successfully created"),
        Step::Stack("ROLLBACK_IN_PROGRESS", Some("The following resource(s) failed to create: [Inner].")),
        Step::Stack("ROLLBACK_COMPLETE", None),
    ];
    let fake = Fake::default().after("app-vpc", "create", &steps).with_nested_event(
        "Inner",
        "Bucket",
        "AWS::S3::Bucket",
        "CREATE_FAILED",
        "the name is taken",
    );
    let (_, text) = setup.deploy(&fake).await;
    assert!(text.contains("cause: Inner/Bucket (AWS::S3::Bucket) at vpc.yaml:3"), "{text}");
    assert!(text.contains("CREATE_FAILED the name is taken"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn every_reason_of_a_stuck_rollback_is_told_with_the_flags() {
    let setup = setup().only(&["vpc"]);
    let steps = [
        Step::Stack("UPDATE_IN_PROGRESS", None),
        Step::Resource("New", "T", "CREATE_FAILED", Some("no such image")),
        Step::Stack(
            "UPDATE_ROLLBACK_IN_PROGRESS",
            Some("The following resource(s) failed to create: [New]."),
        ),
        Step::Resource("Vpc", VPC, "UPDATE_FAILED", Some("the vpc does not exist")),
        Step::Resource("Other", VPC, "UPDATE_FAILED", Some("Resource update cancelled")),
        Step::Resource("Third", VPC, "UPDATE_FAILED", Some("access denied")),
        Step::Stack(
            "UPDATE_ROLLBACK_FAILED",
            Some("The following resource(s) failed to update: [Vpc, Third]."),
        ),
    ];
    let fake = Fake::default().with_stack("app-vpc", "CREATE_COMPLETE").after("app-vpc", "update", &steps);
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    let at = |word: &str| text.find(word).unwrap_or_else(|| panic!("\"{word}\" is missing in {text}"));
    assert!(at("cause: New") < at("and: Vpc") && at("and: Vpc") < at("and: Third"), "{text}");
    assert!(text.contains("1 other resource failed because of it"), "{text}");
    assert!(text.contains("--rollback-skip Vpc --rollback-skip Third leaves each of them"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_continued_rollback_acts_with_the_role() {
    let mut setup = setup().only(&["vpc"]);
    setup.settings.role_arn = Some("arn:role".into());
    let fake = Fake::default().with_stack("app-vpc", "UPDATE_ROLLBACK_FAILED");
    setup.deploy(&fake).await;
    assert!(fake.calls().contains(&"continue_rollback app-vpc as arn:role".to_owned()), "{:?}", fake.calls());
}

fn failing(setup: &Setup) -> Fake {
    assert!(setup.specs.iter().any(|it| it.name == "s3"));
    Fake::default().after(
        "app-vpc",
        "create",
        &[
            Step::Stack("CREATE_IN_PROGRESS", None),
            Step::Resource("Vpc", VPC, "CREATE_FAILED", Some("too many")),
            Step::Stack("ROLLBACK_COMPLETE", None),
        ],
    )
}

#[tokio::test(start_paused = true)]
async fn a_log_ends_with_the_cause() {
    let setup = setup();
    let (_, text) = setup.deploy(&failing(&setup)).await;
    let end = text.find("1 done, 1 failed").unwrap();
    assert!(text[..end].contains("cause: Vpc"), "it is told when it happens: {text}");
    let last: Vec<&str> = text[end..].lines().skip(1).collect();
    assert!(last[0].contains("vpc ✗ create app-vpc") && last[1].contains("cause: Vpc"), "{last:?}");
    // What stands right above the end is not told twice.
    let setup = setup.only(&["vpc"]);
    let (_, text) = setup.deploy(&failing(&setup)).await;
    assert_eq!(text.matches("cause: Vpc").count(), 1, "{text}");
}

async fn json(setup: &Setup, fake: &Fake, act: impl AsyncFnOnce(&deploy::Engine<'_, Fake>)) -> Vec<Value> {
    let paper = Paper::default();
    let json = Json::to(Box::new(paper.clone()));
    let engine = deploy::Engine::new(fake, &json, &setup.user, &setup.settings, &setup.specs, &setup.graph);
    act(&engine).await;
    paper.text().lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn programs_get_times_physical_ids_and_one_end() {
    let setup = setup();
    let events = json(&setup, &failing(&setup), async |it| _ = it.deploy().await).await;
    assert!(events.iter().all(|it| it["time"].as_str().unwrap().ends_with('Z')), "{events:?}");
    let resource = events.iter().find(|it| it["event"] == "resource" && it["logical_id"] == "Vpc").unwrap();
    assert_eq!(resource["physical_id"], "physical-Vpc");
    assert_eq!(resource["time"], "1970-01-01T00:00:01.000Z");
    let ends = |events: &[Value]| events.iter().filter(|it| it["event"] == "ended").count();
    assert_eq!(ends(&events), 1);

    // A run that is refused before it begins has an end, too, and so has a comparison: one.
    let protected = Fake::default()
        .with_stack("app-vpc", "CREATE_COMPLETE")
        .edit_stack("app-vpc", |it| it.termination_protection = true);
    let refused = json(&setup, &protected, async |it| _ = it.terminate().await).await;
    assert_eq!((ends(&refused), &refused.last().unwrap()["event"]), (1, &Value::from("ended")));
    let compared = json(&setup, &protected, async |it| _ = it.diff(true).await).await;
    assert_eq!(ends(&compared), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_started_says_why() {
    let setup = setup().answering(deploy::user::Answer::No);
    let (_, text) = setup.deploy(&Fake::default()).await;
    assert!(text.contains("rds - not started: vpc was declined"), "{text}");
}
