//! What is destroyed only when it is meant: data by name, protection by flag, and nothing at all without anybody to ask.

use deploy::{
    Pin,
    cloud::{Change, ChangeAction, Replacement},
};

use crate::{
    fake::{Fake, Step},
    support::{Kind, setup},
};

fn change(id: &str, kind: &str, action: ChangeAction, replacement: Replacement, policy: &str) -> Change {
    Change {
        action,
        logical_id: id.into(),
        physical_id: None,
        kind: kind.into(),
        replacement,
        policy: Some(policy.into()),
        properties: Vec::new(),
    }
}

const DATABASE: &str = "AWS::RDS::DBInstance";

/// Changes, and whether they need leave.
fn cases() -> Vec<(Change, bool)> {
    use ChangeAction::{Modify, Remove};
    use Replacement::{Conditional, No, Yes};
    vec![
        (change("Database", DATABASE, Modify, Yes, "ReplaceAndDelete"), true),
        (change("Database", DATABASE, Modify, Conditional, "ReplaceAndDelete"), true),
        (change("Database", DATABASE, Modify, Yes, "ReplaceAndSnapshot"), true),
        (change("Database", DATABASE, Remove, No, "Snapshot"), true),
        (change("Table", "AWS::DynamoDB::Table", Remove, No, "Delete"), true),
        (change("Database", DATABASE, Modify, Yes, "ReplaceAndRetain"), false),
        (change("Database", DATABASE, Modify, No, "Delete"), false),
        (change("Secret", "AWS::SecretsManager::Secret", Remove, No, "Delete"), false),
        (change("Topic", "AWS::SNS::Topic", Modify, Yes, "ReplaceAndDelete"), false),
    ]
}

fn fake(change: Change) -> Fake {
    Fake::default().with_stack("app-rds", "CREATE_COMPLETE").with_changes("app-rds", vec![change])
}

#[tokio::test(start_paused = true)]
async fn a_yes_for_everything_is_no_leave_to_lose_data() {
    for (change, needs_leave) in cases() {
        let id = change.logical_id.clone();
        let mut setup = setup().only(&["rds"]).by(Kind::Yes);
        let fake = fake(change.clone());
        let (outcome, text) = setup.deploy(&fake).await;
        let was_executed = fake.calls().contains(&"execute app-rds".to_owned());
        assert_eq!(was_executed, !needs_leave, "{change:?}\n{text}");
        if !needs_leave {
            continue;
        }
        assert_eq!(outcome.exit_code(), 1, "{text}");
        assert!(text.contains(&format!("--allow-data-loss rds.{id}")), "{text}");
        assert_eq!(fake.calls().last().unwrap(), "delete_change_set app-rds", "nothing is left");
        for leave in [id.clone(), format!("rds.{id}")] {
            setup.settings.allow_data_loss = vec![leave];
            let fake = self::fake(change.clone());
            let (outcome, text) = setup.deploy(&fake).await;
            assert_eq!(outcome.exit_code(), 0, "{text}");
        }
        setup.settings.allow_data_loss = vec![format!("vpc.{id}"), "Other".into()];
        let fake = self::fake(change);
        assert_eq!(setup.deploy(&fake).await.0.exit_code(), 1, "leave for something else is none");
    }
}

#[tokio::test(start_paused = true)]
async fn at_a_terminal_the_name_is_typed() {
    let change = || change("Database", DATABASE, ChangeAction::Remove, Replacement::No, "Delete");
    let mut setup = setup().only(&["rds"]);
    let refused = fake(change());
    assert_eq!(setup.deploy(&refused).await.0.exit_code(), 3);
    assert_eq!(
        setup.asked(),
        ["Update app-rds: Database (AWS::RDS::DBInstance) is deleted, and its data is gone [Database]"]
    );
    assert_eq!(refused.calls().last().unwrap(), "delete_change_set app-rds");
    setup.user.types_names = true;
    assert_eq!(setup.deploy(&fake(change())).await.0.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_anybody_to_ask_nothing_at_all_is_changed() {
    for status in ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"] {
        let setup = setup().only(&["vpc"]).by(Kind::Nobody);
        let fake = Fake::default().with_stack("app-vpc", status);
        let (outcome, text) = setup.deploy(&fake).await;
        assert_ne!(outcome.exit_code(), 0, "{text}");
        assert_eq!(fake.calls(), Vec::<String>::new(), "{status}");
    }
    let setup = setup().by(Kind::Nobody);
    let fake = Fake::default().with_stack("app-vpc", "CREATE_COMPLETE");
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 3);
    assert!(text.contains("rds makes 1 resource"), "the plan is shown: {text}");
    assert_eq!(fake.calls(), ["create_change_set app-vpc", "delete_change_set app-vpc"]);
    assert_eq!(setup.terminate(&fake).await.0.exit_code(), 3);
    assert_eq!(fake.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_and_where_come_first_and_a_pin_refuses_others() {
    let mut setup = setup().only(&["vpc"]);
    let (_, text) = setup.deploy(&Fake::default()).await;
    let first = text.lines().next().unwrap();
    assert!(
        first.ends_with("account 123456789012 in us-east-1 as arn:aws:iam::123456789012:user/me"),
        "{first}"
    );
    let pin = |account: &str, region: &str| Pin {
        account: Some(account.into()),
        region: Some(region.into()),
        said_by: "pin.json".into(),
    };
    for (account, region) in [("210987654321", "us-east-1"), ("123456789012", "eu-west-1")] {
        setup.settings.pin = pin(account, region);
        let fake = Fake::default().with_stack("app-vpc", "CREATE_COMPLETE");
        for (outcome, text) in [
            setup.deploy(&fake).await,
            setup.terminate(&fake).await,
            setup.run(&fake, async |engine| engine.diff(false).await).await,
        ] {
            assert_eq!(outcome.exit_code(), 1);
            assert!(
                text.contains(&format!(
                    "this belongs to account {account} in {region}, and you are in account"
                )) && text.contains("pin.json"),
                "{text}"
            );
        }
        assert_eq!(fake.calls(), Vec::<String>::new());
    }
    setup.settings.pin = pin("123456789012", "us-east-1");
    assert_eq!(setup.deploy(&Fake::default()).await.0.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn protection_that_comes_while_one_is_asked_is_respected() {
    for flag in [None, Some(false)] {
        let mut setup = setup().only(&["vpc"]);
        setup.settings.protect = flag;
        // It works on something else when the question is asked, and is protected by its end.
        let steps =
            [Step::Stack("UPDATE_IN_PROGRESS", None), Step::Protect, Step::Stack("UPDATE_COMPLETE", None)];
        let fake =
            Fake::default().with_stack("app-vpc", "UPDATE_IN_PROGRESS").with_pending("app-vpc", &steps);
        let (outcome, text) = setup.terminate(&fake).await;
        assert_eq!(outcome.exit_code(), 1, "{text}");
        assert!(text.contains("protected against termination"), "{text}");
        assert_eq!(fake.calls(), Vec::<String>::new(), "{flag:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_no_leaves_what_somebody_else_has_prepared() {
    let setup = setup().only(&["vpc"]).answering(deploy::user::Answer::No);
    let fake =
        Fake::default().with_stack("app-vpc", "REVIEW_IN_PROGRESS").with_foreign_set("app-vpc", "theirs");
    setup.deploy(&fake).await;
    assert_eq!(fake.calls(), ["create_change_set app-vpc", "delete_change_set app-vpc"]);
    // In a stack that is new to both.
    let fake = Fake::default().with_foreign_set("app-vpc", "theirs");
    setup.deploy(&fake).await;
    assert_eq!(fake.calls(), ["create_change_set app-vpc", "delete_change_set app-vpc"]);
}

#[tokio::test(start_paused = true)]
async fn tags_of_a_flag_come_beside_those_that_are_there() {
    let mut setup = setup().only(&["vpc"]);
    let fake = Fake::default()
        .with_stack("app-vpc", "CREATE_COMPLETE")
        .edit_stack("app-vpc", |it| drop(it.tags.insert("Team".into(), "data".into())));
    setup.deploy(&fake).await;
    assert!(fake.request("app-vpc").tags.is_empty(), "saying nothing leaves them");
    setup.settings.tags.insert("cost".into(), "1".into());
    setup.spec_mut("vpc").text.push_str("# changed\n");
    setup.deploy(&fake).await;
    let tags = fake.request("app-vpc").tags;
    assert_eq!(
        tags.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
        ["Team=data", "cost=1"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_changes_is_in_the_plan() {
    let text = "Parameters: { Size: { Type: String, Default: small }, Password: { Type: String, NoEcho: true } }\nResources: { A: { Type: T } }\n";
    let mut setup = crate::support::with_stacks(&[("rds", text)]);
    setup.spec_mut("rds").given.set("Size", "large");
    let fake = Fake::default();
    setup.deploy(&fake).await;
    setup.spec_mut("rds").given.set("Size", "small");
    let (_, text) = setup.deploy(&fake).await;
    assert!(text.contains("= Size: large → small"), "{text}");
    assert!(!text.contains("= Password"), "{text}");
}
