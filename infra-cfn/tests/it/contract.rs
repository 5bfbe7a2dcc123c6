//! Every rule can fail: a template that breaks it, and the same template put right.

use std::collections::BTreeSet;

use infra_cfn::contract::{self, GRAPH, RULES, UNREADABLE};

struct Case {
    code: &'static str,
    stack: &'static str,
    /// With `@` where `bad` or `good` goes.
    template: &'static str,
    bad: &'static str,
    good: &'static str,
    /// Line and message that `bad` gives.
    finding: (usize, &'static str),
}

fn messages(case: &Case, filling: &str) -> Vec<(usize, String)> {
    let text = case.template.replace('@', filling);
    let findings = contract::check(&[(case.stack, &text)]);
    findings.into_iter().filter(|it| it.code == case.code).map(|it| (it.line, it.message)).collect()
}

const RESOURCE: &str = "Resources: { A: { Type: T } }\n@\n";

const CASES: &[Case] = &[
    Case {
        code: UNREADABLE,
        stack: "x",
        template: "Resources:\n  A: { Type: T, Properties: { P: @ } }",
        bad: "!Ref Nowhere",
        good: "!Ref A",
        finding: (2, "unknown name \"Nowhere\""),
    },
    Case {
        code: GRAPH,
        stack: "x",
        template: "Resources:\n  A: { Type: T, Properties: { P: @ } }",
        bad: "!ImportValue gone",
        good: "here",
        finding: (2, "x.yaml line 2: imports \"gone\", which no template exports"),
    },
    Case {
        code: "CFN101",
        stack: "x",
        template: RESOURCE,
        bad: "Parameters:\n  P: { Type: String, AllowedValues: [a] }",
        good: "Parameters:\n  P: { Type: String, AllowedValues: [a], Description: d }",
        finding: (3, "parameter \"P\" has no Description"),
    },
    Case {
        code: "CFN101",
        stack: "x",
        template: RESOURCE,
        bad: "Parameters:\n  P: { Type: Number, MinValue: 1, Description: d }",
        good: "Parameters:\n  P: { Type: Number, MinValue: 1, MaxValue: 2, Description: d }",
        finding: (3, "parameter \"P\" takes anything; constrain it by values, a pattern or a range"),
    },
    Case {
        code: "CFN101",
        stack: "x",
        template: RESOURCE,
        bad: "Parameters:\n  P: { Type: String, AllowedPattern: a, Description: d }",
        good: "Parameters:\n  P: { Type: String, AllowedPattern: a, ConstraintDescription: be a, Description: d }",
        finding: (3, "parameter \"P\" has an AllowedPattern but no ConstraintDescription"),
    },
    Case {
        code: "CFN101",
        stack: "x",
        template: RESOURCE,
        bad: "Parameters:\n  P: { Type: String, AllowedValues: [a], Default: b, Description: d }",
        good: "Parameters:\n  P: { Type: String, AllowedValues: [a], Default: a, Description: d }",
        finding: (3, "the default of parameter \"P\" must be one of a"),
    },
    Case {
        code: "CFN102",
        stack: "x",
        template: "Resources: { A: { Type: T } }\nParameters:\n  P: { Type: String }\n@",
        bad: "",
        good: "Metadata: { 'AWS::CloudFormation::Interface': { ParameterGroups: [{ Label: { default: l }, Parameters: [P] }] } }",
        finding: (3, "parameter \"P\" is in 0 groups of AWS::CloudFormation::Interface"),
    },
    Case {
        code: "CFN102",
        stack: "x",
        template: "Resources: { A: { Type: T } }\n@",
        bad: "Metadata: { 'AWS::CloudFormation::Interface': { ParameterGroups: [{ Label: { default: l }, Parameters: [Q] }] } }",
        good: "",
        finding: (1, "AWS::CloudFormation::Interface names \"Q\", which is no parameter"),
    },
    Case {
        code: "CFN103",
        stack: "x",
        template: "Description: d\nResources: { A: { Type: T } }\nOutputs:\n  O: { Value: 1@ }",
        bad: "",
        good: ", Description: d",
        finding: (4, "output \"O\" has no Description"),
    },
    Case {
        code: "CFN103",
        stack: "x",
        template: "@Resources: { A: { Type: T } }",
        bad: "",
        good: "Description: d\n",
        finding: (1, "the template has no Description"),
    },
    Case {
        code: "CFN105",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::EC2::VPC, Properties: { Tags: [{ Key: Name, Value: n }@] } }",
        bad: "",
        good: ", { Key: Application, Value: a }",
        finding: (2, "resource \"A\" has no tag \"Application\""),
    },
    Case {
        code: "CFN201",
        stack: "iam",
        template: "Resources: { A: { Type: T } }\nParameters: { IAMNamespace: { Type: String }@ }",
        bad: "",
        good: ", IAMPassword: { Type: String }",
        finding: (1, "parameter \"IAMPassword\" is gone; parameter files of earlier stacks set it"),
    },
    Case {
        code: "CFN202",
        stack: "compute",
        template: "Resources: { A: { Type: T } }\n@",
        bad: "",
        good: "Outputs: { O: { Value: 1, Export: { Name: !Sub '${AWS::StackName}-customdb-psql-conn' } } }",
        finding: (1, "export \"${AWS::StackName}-customdb-psql-conn\" is gone; stacks of users import it"),
    },
    Case {
        code: "CFN203",
        stack: "x",
        template: "Resources: { A: { Type: T } }\nOutputs:\n  O: { Value: 1, Export: { Name: @ } }",
        bad: "fixed",
        good: "!Sub '${AWS::StackName}-o'",
        finding: (3, "the export of output \"O\" does not start with \"${AWS::StackName}-\""),
    },
    Case {
        code: "CFN301",
        stack: "x",
        template: "Resources: { A: { Type: T } }\nParameters:\n  ApiToken: { Type: String, NoEcho: @ }",
        bad: "false",
        good: "true",
        finding: (3, "parameter \"ApiToken\" sounds like a secret and is not NoEcho"),
    },
    Case {
        code: "CFN301",
        stack: "x",
        template: "Resources: { A: { Type: T } }\nParameters:\n  P: { Type: String, NoEcho: true, Default: @ }",
        bad: "hunter2",
        good: "''",
        finding: (3, "the secret parameter \"P\" has a default that everyone can read"),
    },
    Case {
        code: "CFN302",
        stack: "x",
        template: "Parameters: { P: { Type: String, NoEcho: true } }\nResources:\n  A:\n    Type: @\n    Properties:\n      X: !Sub '{\"password\":\"${P}\"}'",
        bad: "AWS::ECS::TaskDefinition",
        good: "AWS::SecretsManager::Secret",
        finding: (6, "resource \"A\" uses the secret parameter \"P\"; put it into a secret and resolve that"),
    },
    Case {
        code: "CFN303",
        stack: "x",
        template: "Parameters: { P: { Type: String, NoEcho: true }, Q: { Type: String } }\nResources: { A: { Type: T } }\nOutputs:\n  O: { Value: @ }",
        bad: "!Ref P",
        good: "!Ref Q",
        finding: (4, "output \"O\" shows the secret parameter \"P\""),
    },
    Case {
        code: "CFN303",
        stack: "x",
        template: "Resources: { A: { Type: T } }\nOutputs:\n  O: { Value: @ }",
        bad: "!Sub '{{resolve:secretsmanager:${A}:SecretString:password}}'",
        good: "!Ref A",
        finding: (3, "output \"O\" resolves a secret"),
    },
    Case {
        code: "CFN304",
        stack: "x",
        template: "Resources:\n  A: { Type: T, Properties: { Containers: [{ Environment: [{ Name: @ }] }] } }",
        bad: "PGPASSWORD, Value: x",
        good: "PGUSER, Value: x",
        finding: (2, "resource \"A\" has the secret \"PGPASSWORD\" in plain text; use Secrets"),
    },
    Case {
        code: "CFN304",
        stack: "x",
        template: "Resources:\n  A: { Type: T, Properties: { Containers: [{ Environment: [{ Name: URI, Value: '@' }] }] } }",
        bad: "postgresql://me:hunter2@host/db",
        good: "postgresql://host:5432/db?user=me",
        finding: (2, "resource \"A\" has the secret \"URI\" in plain text; use Secrets"),
    },
    Case {
        code: "CFN401",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::Logs::LogGroup, DeletionPolicy: Delete@ }",
        bad: "",
        good: ", UpdateReplacePolicy: Retain",
        finding: (2, "resource \"A\" holds state and states no UpdateReplacePolicy"),
    },
    Case {
        code: "CFN402",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::RDS::DBInstance, DeletionPolicy: @ }",
        bad: "Delete",
        good: "Snapshot",
        finding: (2, "resource \"A\" loses data by DeletionPolicy: Delete; use Retain or Snapshot"),
    },
    Case {
        code: "CFN402",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::RDS::DBInstance, DeletionPolicy: Delete@ }",
        bad: "",
        good: ", Properties: { SourceDBInstanceIdentifier: source }",
        finding: (2, "resource \"A\" loses data by DeletionPolicy: Delete; use Retain or Snapshot"),
    },
    Case {
        code: "CFN403",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::EC2::Volume, Properties: { Encrypted: @ } }",
        bad: "false",
        good: "true",
        finding: (2, "resource \"A\" is not encrypted"),
    },
    Case {
        code: "CFN403",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::EC2::LaunchTemplate, Properties: { LaunchTemplateData: { BlockDeviceMappings: [{ Ebs: { Encrypted: @ } }] } } }",
        bad: "false",
        good: "true",
        finding: (2, "resource \"A\" is not encrypted"),
    },
    Case {
        code: "CFN501",
        stack: "x",
        template: "Resources:\n  G: { Type: AWS::EC2::SecurityGroup, Properties: { SecurityGroupIngress: [{ FromPort: 5432, ToPort: 5432, @ }] } }",
        bad: "CidrIp: 0.0.0.0/0",
        good: "CidrIp: 10.0.0.0/16",
        finding: (2, "resource \"G\" opens port 5432 to everyone"),
    },
    Case {
        code: "CFN501",
        stack: "x",
        template: "Resources:\n  I: { Type: AWS::EC2::SecurityGroupIngress, Properties: { GroupId: G, FromPort: 443, ToPort: 443, CidrIpv6: '::/0' } }\n  B: { Type: @, Properties: { SecurityGroups: [G] } }",
        bad: "AWS::EC2::Instance",
        good: "AWS::ElasticLoadBalancingV2::LoadBalancer",
        finding: (2, "resource \"I\" opens port 443 to everyone"),
    },
    Case {
        code: "CFN502",
        stack: "x",
        template: "Parameters: { P: { Type: String, Default: '@' } }\nResources:\n  A: { Type: AWS::RDS::DBInstance, Properties: { PubliclyAccessible: !Ref P } }",
        bad: "true",
        good: "false",
        finding: (3, "resource \"A\" is publicly accessible by default"),
    },
    Case {
        code: "CFN502",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::S3::Bucket, Properties: { PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: @, IgnorePublicAcls: true, RestrictPublicBuckets: true } } }",
        bad: "false",
        good: "true",
        finding: (2, "resource \"A\" does not block public access by default"),
    },
    Case {
        code: "CFN502",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::S3::BucketPolicy, Properties: { PolicyDocument: { Statement: [{ Effect: Allow, Principal: { AWS: '@' } }] } } }",
        bad: "*",
        good: "arn:aws:iam::123456789012:root",
        finding: (2, "resource \"A\" lets everyone in by default"),
    },
    Case {
        code: "CFN502",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::EC2::Subnet, Properties: { MapPublicIpOnLaunch: @ } }",
        bad: "true",
        good: "false",
        finding: (2, "resource \"A\" gives out public addresses by default"),
    },
    Case {
        code: "CFN502",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::EC2::LaunchTemplate, Properties: { LaunchTemplateData: { NetworkInterfaces: [{ AssociatePublicIpAddress: @ }] } } }",
        bad: "true",
        good: "false",
        finding: (2, "resource \"A\" gives the host a public address by default"),
    },
    Case {
        code: "CFN503",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::EC2::LaunchTemplate, Properties: { LaunchTemplateData: { MetadataOptions: { HttpTokens: @, HttpPutResponseHopLimit: 1 } } } }",
        bad: "optional",
        good: "required",
        finding: (2, "resource \"A\" needs HttpTokens: required and HttpPutResponseHopLimit: 1"),
    },
    Case {
        code: "CFN504",
        stack: "x",
        template: "Parameters: { Prefix: { Type: String } }\nResources:\n  A: { Type: AWS::EC2::Volume, Properties: { AvailabilityZone: !ImportValue { 'Fn::Sub': '${Prefix}-vpc-zone-@' } } }",
        bad: "b",
        good: "a",
        finding: (3, "AvailabilityZone of resource \"A\" must be imported as ${Prefix}-vpc-zone-a"),
    },
    Case {
        code: "CFN504",
        stack: "x",
        template: "Parameters: { Prefix: { Type: String } }\nConditions: { C: !Equals [a, a] }\nResources:\n  A: { Type: AWS::AutoScaling::AutoScalingGroup, Properties: { VPCZoneIdentifier: [!If [C, !ImportValue { 'Fn::Sub': '${Prefix}-vpc-subnet-a' }, !ImportValue { 'Fn::Sub': '${Prefix}-vpc-private-subnet-@' }]] } }",
        bad: "b",
        good: "a",
        finding: (
            4,
            "VPCZoneIdentifier of resource \"A\" must be imported as ${Prefix}-vpc-subnet-a or ${Prefix}-vpc-private-subnet-a",
        ),
    },
    Case {
        code: "CFN601",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::IAM::Role, Properties: { Policies: [{ PolicyName: p, PolicyDocument: { Statement: [{ Effect: Allow, Action: '@', Resource: r }] } }] } }",
        bad: "ec2:Describe*",
        good: "ec2:DescribeVolumes",
        finding: (2, "policy \"p\" of resource \"A\" allows \"ec2:Describe*\"; name the actions"),
    },
    Case {
        code: "CFN602",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::IAM::ManagedPolicy, Properties: { PolicyDocument: { Statement: [{ Effect: Allow, Action: [@], Resource: '*' }] } } }",
        bad: "ec2:AttachVolume",
        good: "ec2:DescribeVolumes",
        finding: (2, "policy \"policy\" of resource \"A\" allows \"ec2:AttachVolume\" on every resource"),
    },
    Case {
        code: "CFN603",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::IAM::Role, Properties: { AssumeRolePolicyDocument: { Statement: [{ Effect: Allow, Action: sts:AssumeRole, Principal: { AWS: r }@ }] } } }",
        bad: "",
        good: ", Condition: { Bool: { aws:MultiFactorAuthPresent: 'true' } }",
        finding: (2, "role \"A\" can be assumed without MFA"),
    },
];

#[test]
fn a_rule_finds_what_breaks_it_and_nothing_else() {
    for case in CASES {
        let (line, message) = case.finding;
        // Imports of a template that stands alone have no export; only the case about that looks at it.
        let found = messages(case, case.bad);
        assert!(found.contains(&(line, message.to_owned())), "{}: {found:?}", case.code);
        let found = messages(case, case.good);
        assert!(!found.iter().any(|(_, it)| it == message), "{}: {found:?}", case.code);
    }
}

#[test]
fn a_template_that_is_too_long_is_found() {
    let filler = "#".repeat(51_200);
    let found =
        contract::check(&[("x", &format!("Description: d\nResources: {{ A: {{ Type: T }} }}\n{filler}"))]);
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "infra-cfn/templates/x.yaml:1: CFN104 the template has 51245 bytes, CloudFormation takes 51200 without S3"
        ]
    );
}

#[test]
fn every_rule_has_a_case_and_a_code_of_its_own() {
    let tested: BTreeSet<&str> = CASES.iter().map(|it| it.code).chain(["CFN104"]).collect();
    let codes: BTreeSet<&str> = RULES.iter().map(|it| it.code).chain([UNREADABLE, GRAPH]).collect();
    assert_eq!(tested, codes);
    assert_eq!(codes.len(), RULES.len() + 2);
}
