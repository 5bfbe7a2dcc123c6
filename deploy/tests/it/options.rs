//! What a file of stacks says about one, beside template and values: how it reaches CloudFormation.

use std::collections::BTreeMap;

use deploy::{Wanted, cloud::ChangeAction};

use crate::{
    fake::{Fake, Step},
    support::{setup, with_stacks},
};

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_file_says_reaches_cloudformation_and_flags_are_over_it() {
    let mut setup = setup().only(&["vpc"]);
    setup.settings.tags = tags(&[("cost", "2")]);
    let options = &mut setup.spec_mut("vpc").options;
    options.tags = Some(tags(&[("cost", "1"), ("team", "shop")]));
    options.notifications = Some(vec!["arn:topic".to_owned()]);
    options.role_arn = Some("arn:role".to_owned());
    options.protect = Some(true);
    options.policy = Some("{ \"Statement\": [] }".to_owned());
    let fake = Fake::default();
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.n_done, 1, "{text}");
    let request = fake.request("app-vpc");
    assert_eq!(request.tags, tags(&[("cost", "2"), ("team", "shop")]));
    assert_eq!(request.notifications, Some(vec!["arn:topic".to_owned()]));
    assert_eq!(request.role_arn.as_deref(), Some("arn:role"));
    let set = ["set_stack_policy app-vpc", "protect app-vpc true"];
    assert!(fake.calls().ends_with(&set.map(str::to_owned)), "after the change: {:?}", fake.calls());

    setup.settings.role_arn = Some("arn:other".to_owned());
    setup.settings.protect = Some(false);
    setup.deploy(&fake).await;
    assert_eq!(fake.request("app-vpc").role_arn.as_deref(), Some("arn:other"));
    let policies = fake.calls().iter().filter(|it| it.starts_with("set_stack_policy")).count();
    assert_eq!(policies, 1, "it is as it should be");
    assert_eq!(fake.calls().last().map(String::as_str), Some("protect app-vpc false"));
}

#[tokio::test(start_paused = true)]
async fn an_import_is_one_change_set_that_does_nothing_else() {
    let text = "Resources:\n  Logs: { Type: AWS::S3::Bucket, DeletionPolicy: Retain }\n  Bare: { Type: T }\n";
    let mut setup = with_stacks(&[("data", text)]);
    let wanted = |id: &str| Wanted {
        logical_id: id.to_owned(),
        key: "BucketName".to_owned(),
        value: "logs".to_owned(),
    };
    setup.settings.looks_ahead = false;

    for (id, words) in
        [("Lgos", "has no resource \"Lgos\""), ("Bare", "Bare at data.yaml:3 has no DeletionPolicy")]
    {
        setup.settings.imports = vec![wanted(id)];
        let (outcome, text) = setup.deploy(&Fake::default()).await;
        assert_eq!(outcome.n_failed, 1, "{text}");
        assert!(text.contains(words), "{text}");
    }

    setup.settings.imports = vec![wanted("Logs")];
    let change = deploy::cloud::Change {
        action: ChangeAction::Import,
        logical_id: "Logs".into(),
        physical_id: Some("logs".into()),
        kind: "AWS::S3::Bucket".into(),
        replacement: deploy::cloud::Replacement::No,
        policy: None,
        properties: Vec::new(),
    };
    let steps = [Step::Stack("IMPORT_IN_PROGRESS", None), Step::Stack("IMPORT_COMPLETE", None)];
    let fake = Fake::default().with_changes("app-data", vec![change]).after("app-data", "create", &steps);
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.n_done, 1, "{text}");
    assert_eq!(setup.asked().last().map(String::as_str), Some("Import into app-data?"));
    let imports = fake.request("app-data").imports;
    assert_eq!((imports.len(), imports[0].kind.as_str()), (1, "AWS::S3::Bucket"));
    assert_eq!(imports[0].identifier, tags(&[("BucketName", "logs")]));
    assert!(text.contains("IMPORT_COMPLETE"), "{text}");
}
