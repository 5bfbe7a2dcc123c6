//! Deployments that go wrong, and what the next run makes of them.

use deploy::cloud::CloudError;

use crate::{
    fake::{Fake, Step},
    support::setup,
};

const VPC: &str = "AWS::EC2::VPC";

fn failed_create() -> Vec<Step> {
    vec![
        Step::Stack("CREATE_IN_PROGRESS", Some("User Initiated")),
        Step::Resource("Vpc", VPC, "CREATE_IN_PROGRESS", None),
        Step::Resource("Other", "AWS::EC2::Subnet", "CREATE_FAILED", Some("Resource creation cancelled")),
        Step::Resource(
            "Vpc",
            VPC,
            "CREATE_FAILED",
            Some("The maximum number of VPCs has been reached. (Service: Ec2)"),
        ),
        Step::Stack(
            "ROLLBACK_IN_PROGRESS",
            Some("The following resource(s) failed to create: [Vpc, Other]."),
        ),
        Step::Resource("Vpc", VPC, "DELETE_COMPLETE", None),
        Step::Stack("ROLLBACK_COMPLETE", None),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_failed_creation_names_the_cause_and_the_next_run_starts_anew() {
    let setup = setup();
    let fake = Fake::default().after("app-vpc", "create", &failed_create());
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!((outcome.n_failed, outcome.n_skipped, outcome.n_done), (1, 1, 1));
    insta::assert_snapshot!("failed_creation", text);

    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    insta::assert_snapshot!("after_failed_creation", text);
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_goes_back_and_says_why() {
    let mut setup = setup().only(&["vpc"]);
    let steps = [
        Step::Stack("UPDATE_IN_PROGRESS", None),
        Step::Resource(
            "Vpc",
            VPC,
            "UPDATE_FAILED",
            Some("Resource handler returned message: Invalid request"),
        ),
        Step::Stack(
            "UPDATE_ROLLBACK_IN_PROGRESS",
            Some("The following resource(s) failed to update: [Vpc]."),
        ),
        Step::Stack("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None),
        Step::Stack("UPDATE_ROLLBACK_COMPLETE", None),
    ];
    let fake = Fake::default().with_stack("app-vpc", "CREATE_COMPLETE").after("app-vpc", "update", &steps);
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    insta::assert_snapshot!("failed_update", text);

    setup.spec_mut("vpc").text.push_str("# fixed\n");
    let (outcome, _) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_change_set_is_cleared_away() {
    let setup = setup().only(&["vpc"]);
    let fake =
        Fake::default().refusing("app-vpc", "Export with name app-vpc-vpc is already exported by stack old");
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("CloudFormation refuses the changes of app-vpc: Export with name"), "{text}");
    assert_eq!(fake.status("app-vpc"), None, "the empty stack is gone");
}

#[tokio::test(start_paused = true)]
async fn throttling_and_a_lost_network_are_waited_out() {
    let setup = setup().only(&["vpc"]);
    let mut fake = Fake::default();
    for call in ["stack", "create_change_set", "execute", "events", "events"] {
        fake = fake.failing(call, CloudError::Throttled("Rate exceeded".into()));
    }
    fake = fake.failing("events", CloudError::Unreachable("dispatch failure: io error".into()));
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    assert_eq!(text.matches("trying again in").count(), 6, "{text}");
    assert_eq!(fake.calls().iter().filter(|it| *it == "execute app-vpc").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_network_that_stays_away_ends_the_run_and_the_next_one_goes_on() {
    let setup = setup().only(&["vpc"]);
    let mut fake = Fake::default();
    for _ in 0..30 {
        fake = fake.failing("events", CloudError::Unreachable("connection refused".into()));
    }
    // The first look for the last event is before the start; let that one pass by failing later calls only.
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("AWS could not be reached: connection refused"), "{text}");
    assert!(text.contains("then run the same command"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_in_the_middle_are_explained_and_the_next_run_follows() {
    let setup = setup().only(&["vpc"]);
    let fake = Fake::default().with_stack("app-vpc", "CREATE_IN_PROGRESS").with_pending(
        "app-vpc",
        &[
            Step::Stack("CREATE_IN_PROGRESS", None),
            Step::Resource("Vpc", VPC, "CREATE_COMPLETE", None),
            Step::Stack("CREATE_COMPLETE", None),
        ],
    );
    let fake = fake.failing(
        "events",
        CloudError::Credentials("The security token included in the request is expired".into()),
    );
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("AWS does not accept the credentials") && text.contains("aws sso login"), "{text}");

    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    assert!(text.contains("The stack is being made. Waiting for it to end."), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_client_is_continued_by_the_next_run() {
    let setup = setup().only(&["vpc"]);
    let fake = Fake::default();
    // The first client disappears while CloudFormation works.
    let cut = tokio::time::timeout(std::time::Duration::from_secs(3), setup.deploy(&fake)).await;
    assert!(cut.is_err(), "the first run was meant to be cut");
    let status = fake.status("app-vpc").unwrap();
    assert!(status.is_working(), "{status}");

    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    assert_eq!(
        fake.calls().iter().filter(|it| *it == "execute app-vpc").count(),
        1,
        "nothing was started twice"
    );
    assert!(text.contains("nothing to change"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_denied_call_says_what_permission_is_missing() {
    let setup = setup().only(&["vpc"]);
    let denied =
        CloudError::Denied("User x is not authorized to perform: cloudformation:CreateChangeSet".into());
    let (outcome, text) = setup.deploy(&Fake::default().failing("create_change_set", denied)).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("cloudformation:CreateChangeSet") && text.contains("--role-arn"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_does_not_make_a_started_operation_a_failure() {
    let setup = setup().only(&["vpc"]);
    let fake = Fake::default().losing_the_answer_to("execute");
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    assert!(text.contains("the connection was closed; trying again"), "{text}");
    assert_eq!(fake.status("app-vpc").unwrap().name(), "CREATE_COMPLETE");

    // A refusal of something that was not started stays one.
    let refused = CloudError::Refused("ChangeSet is not ready".into());
    let (outcome, text) = setup.deploy(&Fake::default().failing("execute", refused)).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("start the changes of app-vpc: AWS refuses: ChangeSet is not ready"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_stuck_rollback_is_continued_without_what_cannot_be_mended() {
    let mut setup = setup().only(&["vpc"]);
    let steps = [
        Step::Stack("UPDATE_ROLLBACK_IN_PROGRESS", None),
        Step::Resource("Vpc", VPC, "UPDATE_FAILED", Some("The vpc does not exist")),
        Step::Stack("UPDATE_ROLLBACK_FAILED", Some("The following resource(s) failed to update: [Vpc].")),
    ];
    let fake =
        Fake::default().with_stack("app-vpc", "UPDATE_ROLLBACK_FAILED").after("app-vpc", "rollback", &steps);
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("--rollback-skip Vpc leaves that resource as it is"), "{text}");

    setup.settings.rollback_skip = vec!["Vpc".into()];
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    assert!(fake.calls().contains(&"continue_rollback app-vpc without Vpc".to_owned()), "{:?}", fake.calls());
}

#[tokio::test(start_paused = true)]
async fn a_missing_export_says_what_to_deploy() {
    let setup = setup().only(&["rds"]);
    let fake = Fake::default().refusing("app-rds", "No export named app-vpc-vpc found.");
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(text.contains("No export named app-vpc-vpc found.") && text.contains("with --all"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_aws_repeats_is_told_to_nobody() {
    let mut setup = setup().only(&["rds"]);
    setup.spec_mut("rds").given = infra_cfn::params::ParameterFile::default();
    setup.user.value = Some("typed-by-hand");
    let steps = [
        Step::Stack("CREATE_IN_PROGRESS", None),
        Step::Resource(
            "Database",
            "AWS::RDS::DBInstance",
            "CREATE_FAILED",
            Some("Value 'typed-by-hand' at 'masterUserPassword' failed to satisfy constraint"),
        ),
        Step::Stack("ROLLBACK_COMPLETE", None),
    ];
    let fake = Fake::default().after("app-rds", "create", &steps);
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(
        text.contains("Value '****' at 'masterUserPassword'") && !text.contains("typed-by-hand"),
        "{text}"
    );
}
