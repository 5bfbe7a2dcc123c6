//! What an account would refuse late is found before anything is made.

use deploy::{cloud::CloudError, preflight::Quota};

use crate::{
    fake::Fake,
    support::{Setup, with_stacks},
};

const NAMES: &str = "\
Parameters:
  Space: { Type: String, Default: team }
Resources:
  User: { Type: AWS::IAM::User, Properties: { UserName: !Sub '${Space}-admin' } }
  Logs: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: !Sub '/${AWS::StackName}/api' } }
  Free: { Type: AWS::S3::Bucket, Properties: { BucketName: !Sub '${AWS::AccountId}-${AWS::Region}' } }
  Nameless: { Type: AWS::IAM::Role }
";

const HOST: &str = "\
Parameters:
  Type: { Type: String, Default: t4g.small }
  Tag: { Type: String, Default: '1' }
Resources:
  Template: { Type: AWS::EC2::LaunchTemplate, Properties: { LaunchTemplateData: { InstanceType: !Ref Type } } }
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions: [{ Image: !Sub 'registry.example.com/api:${Tag}' }]
";

const NETWORK: &str = "\
Parameters:
  Zone: { Type: String, Default: '' }
Conditions: { HasZone: !Not [!Equals [!Ref Zone, '']] }
Resources:
  Vpc: { Type: AWS::EC2::VPC }
  Subnet: { Type: AWS::EC2::Subnet, Properties: { AvailabilityZone: !If [HasZone, !Ref Zone, !Select [0, !GetAZs '']] } }
  Address: { Type: AWS::EC2::EIP }
";

/// What is told when nothing may be made.
async fn refused(setup: &Setup, fake: &Fake) -> String {
    let (outcome, text) = setup.deploy(fake).await;
    assert_eq!(outcome.exit_code(), 1, "{text}");
    assert_eq!(fake.calls(), Vec::<String>::new(), "nothing was made");
    text
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_told_with_its_place_and_parameter() {
    let setup = with_stacks(&[("iam", NAMES), ("vpc", NETWORK)]);
    let fake = Fake::default().taking("AWS::IAM::User team-admin").taking("AWS::Logs::LogGroup /app-iam/api");
    let text = refused(&setup, &fake).await;
    assert!(
        text.contains("IAM User \"team-admin\" exists already; User at iam.yaml:4 would make it"),
        "{text}"
    );
    assert!(text.contains("hint: Give another Space"), "{text}");
    assert!(text.contains("Logs LogGroup \"/app-iam/api\" exists already"), "{text}");
    assert!(text.contains("1 failed, 1 not touched"), "vpc is not begun: {text}");

    // Names of a stack that exists are its own.
    let fake = Fake::default().taking("AWS::IAM::User team-admin").with_stack("app-iam", "CREATE_COMPLETE");
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    // Account and region are those of the caller.
    let fake = Fake::default().taking("AWS::S3::Bucket 123456789012-us-east-1");
    assert!(refused(&setup, &fake).await.contains("Free at iam.yaml:6"));
}

#[tokio::test(start_paused = true)]
async fn an_image_has_to_exist_for_the_architecture_of_the_host() {
    let mut setup = with_stacks(&[("compute", HOST)]);
    let image =
        |architectures: &[&str]| Fake::default().with_image("registry.example.com/api:1", architectures);
    let text = refused(&setup, &Fake::default()).await;
    assert!(
        text.contains("the image registry.example.com/api:1 does not exist; Task at compute.yaml:"),
        "{text}"
    );
    let text = refused(&setup, &image(&["amd64"])).await;
    assert!(text.contains("is for amd64, and what runs it (t4g.small) is arm64"), "{text}");
    for fine in [&["arm64"][..], &["amd64", "arm64"], &[]] {
        let (outcome, text) = setup.deploy(&image(fine)).await;
        assert_eq!(outcome.exit_code(), 0, "{fine:?} {text}");
    }
    setup.spec_mut("compute").given.set("Type", "t3.small");
    assert!(refused(&setup, &image(&["arm64"])).await.contains("(t3.small) is amd64"));
    assert_eq!(setup.deploy(&image(&["amd64"])).await.0.exit_code(), 0);

    // An image that is deployed already is looked at with the values that the stack has.
    let fake =
        image(&["arm64"]).with_stack("app-compute", "CREATE_COMPLETE").edit_stack("app-compute", |it| {
            drop(it.parameters.insert("Tag".into(), "2".into()));
        });
    setup.spec_mut("compute").given = infra_cfn::params::ParameterFile::default();
    assert!(refused(&setup, &fake).await.contains("registry.example.com/api:2 does not exist"));
}

#[tokio::test(start_paused = true)]
async fn quotas_types_and_zones_are_asked_for() {
    let mut setup = with_stacks(&[("vpc", NETWORK), ("compute", HOST)]);
    let fake = || Fake::default().with_image("registry.example.com/api:1", &["arm64", "amd64"]);
    let text = refused(&setup, &fake().with_quota(Quota::Vpcs, 5.0, 5.0)).await;
    assert!(text.contains("1 more VPCs are needed; the region has 5 of 5"), "{text}");
    assert!(text.contains("L-F678F1CE"), "{text}");
    let text = refused(&setup, &fake().with_quota(Quota::Addresses, 5.0, 5.0)).await;
    assert!(text.contains("Elastic IP addresses"), "{text}");
    let text = refused(&setup, &fake().with_quota(Quota::Vcpus, 0.0, 1.0)).await;
    assert!(text.contains("t4g.small has 2 vCPUs, and the account may run 1"), "{text}");
    setup.spec_mut("vpc").given.set("Zone", "us-east-1e");
    let text = refused(&setup, &fake()).await;
    assert!(
        text.contains("t4g.small is not offered in us-east-1e; it is in us-east-1a, us-east-1b"),
        "{text}"
    );
    setup.spec_mut("vpc").given.set("Zone", "us-east-1b");
    assert_eq!(setup.deploy(&fake()).await.0.exit_code(), 0);
    setup.spec_mut("compute").given.set("Type", "z9.huge");
    let text = refused(&setup, &fake()).await;
    assert!(text.contains("the instance type z9.huge does not exist in this region"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_value_of_another_region_is_refused_without_asking() {
    let text = "Parameters: { Certificate: { Type: String, Default: '' } }\nResources: { A: { Type: T } }\n";
    let mut setup = with_stacks(&[("compute", text)]);
    setup.spec_mut("compute").given.set("Certificate", "arn:aws:acm:eu-west-1:123456789012:certificate/1");
    let text = refused(&setup, &Fake::default()).await;
    assert!(text.contains("Certificate is of another region than us-east-1"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_reference_that_leads_nowhere_is_not_deployed() {
    let text = "Resources:\n  A: { Type: T }\n  B: { Type: T, Properties: { Of: !Ref Gone } }\n";
    let text = refused(&with_stacks(&[("vpc", text)]), &Fake::default()).await;
    assert!(text.contains("vpc.yaml:3: unknown name \"Gone\""), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_is_said_and_stops_nothing() {
    let mut setup = with_stacks(&[("iam", NAMES)]);
    let denied = CloudError::Denied("no iam:GetUser".into());
    let fake = Fake::default().failing("is_taken", denied);
    let (outcome, text) = setup.deploy(&fake).await;
    assert_eq!(outcome.exit_code(), 0, "{text}");
    assert!(
        text.contains("not asked before the start: IAM User \"team-admin\" (AWS does not allow this"),
        "{text}"
    );
    // On request nothing is asked.
    setup.settings.looks_ahead = false;
    let fake = Fake::default().taking("AWS::IAM::User team-admin");
    assert_eq!(setup.deploy(&fake).await.0.exit_code(), 0);
}
