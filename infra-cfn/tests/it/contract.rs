//! Every rule can fail: a template that breaks it, and the same template put right.

use std::collections::BTreeSet;

use infra_cfn::contract::{self, GRAPH, OF_ALL, RULES, UNREADABLE};

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
    Case {
        code: "CFN305",
        stack: "x",
        template: "Parameters: { P: { Type: String, NoEcho: true } }\nResources:\n  D: { Type: AWS::RDS::DBInstance, Properties: { MasterUserPassword: @ } }",
        bad: "!Sub '{{resolve:secretsmanager:${AWS::StackName}:SecretString:password}}'",
        good: "!Ref P",
        finding: (
            3,
            "MasterUserPassword of resource \"D\" (AWS::RDS::DBInstance) is a reference that reads the same after the secret has changed, so the password would stay; take the parameter",
        ),
    },
    Case {
        code: "CFN404",
        stack: "x",
        template: "Parameters: { S: { Type: String, Default: '', Description: '@' } }\nConditions: { C: !Not [!Equals [!Ref S, '']] }\nResources:\n  V: { Type: AWS::EC2::Volume, Properties: { SnapshotId: !If [C, !Ref S, !Ref 'AWS::NoValue'] } }",
        bad: "Changing it replaces the volume.",
        good: "It cannot be changed.",
        finding: (
            4,
            "parameter \"S\" sets SnapshotId of resource \"V\", which AWS refuses to change; its Description must say \"cannot be changed\"",
        ),
    },
    Case {
        code: "CFN404",
        stack: "x",
        template: "Parameters: { N: { Type: String, Description: '@' } }\nResources:\n  D: { Type: AWS::RDS::DBInstance, Properties: { DBName: !Sub '${N}' } }",
        bad: "A name.",
        good: "Changing it replaces the instance.",
        finding: (
            3,
            "parameter \"N\" sets DBName of resource \"D\", whose change replaces it; its Description must say \"replaces\"",
        ),
    },
    Case {
        code: "CFN604",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::IAM::ManagedPolicy, Properties: { PolicyDocument: { Statement: [{ Effect: Deny, NotAction: [@], Resource: '*', Condition: { BoolIfExists: { aws:MultiFactorAuthPresent: 'false' } } }] } } }",
        bad: "iam:EnableMFADevice",
        good: "iam:GetUser",
        finding: (2, "policy \"policy\" of resource \"A\" leaves \"iam:EnableMFADevice\" open without MFA"),
    },
    Case {
        code: "CFN701",
        stack: "persist",
        template: "Resources:\n  V: { Type: AWS::Backup::BackupVault, Properties: { BackupVaultName: !Sub '${AWS::StackName}-@' } }",
        bad: "a-name-that-is-long",
        good: "0a1b2c3d4e5f",
        finding: (
            2,
            "BackupVaultName of resource \"V\" does not match ^[a-zA-Z0-9\\-\\_]{2,50}$ when names are at their longest: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa-persist-a-name-that-is-long\"",
        ),
    },
    Case {
        code: "CFN703",
        stack: "x",
        template: "Resources:\n  A: { Type: AWS::IAM::Role, Properties: { Policies: [{ PolicyName: p, PolicyDocument: { Statement: [{ Effect: Allow, Action: '@', Resource: r }] } }] } }",
        bad: "ec2:AttachDisk",
        good: "ec2:AttachVolume",
        finding: (
            2,
            "policy \"p\" of resource \"A\" names \"ec2:AttachDisk\", which AWS does not list; after a new action run `cargo xtask codegen`",
        ),
    },
    Case {
        code: "CFN705",
        stack: "x",
        template: "Parameters: { M: { Type: String, AllowedValues: ['17', '18'], Default: '17' } }\nMappings: { M: { '17': { V: '1' }, '18': { V: @ } } }\nResources:\n  G: { Type: AWS::RDS::DBParameterGroup, Properties: { Family: !Sub 'postgres${M}', Parameters: { log_connections: !FindInMap [M, !Ref M, V] } } }",
        bad: "'1'",
        good: "'receipt,authorization'",
        finding: (
            4,
            "setting \"log_connections\" of resource \"G\" is \"1\", and postgres18 takes words among receipt, authentication, authorization, setup_durations, all",
        ),
    },
    Case {
        code: "CFN705",
        stack: "x",
        template: "Resources:\n  G: { Type: AWS::RDS::DBParameterGroup, Properties: { Family: postgres17, Parameters: { @ } } }",
        bad: "log_everything: '1'",
        good: "log_lock_waits: '1'",
        finding: (2, "setting \"log_everything\" of resource \"G\" is not known here; say what it takes"),
    },
];

/// Rules that have a test of their own below.
const ELSEWHERE: [&str; 4] = ["CFN003", "CFN104", "CFN702", "CFN704"];

#[test]
fn what_a_parameter_would_change_is_not_imported_in_silence() {
    let exporting = |description: &str, value: &str| {
        format!(
            "Parameters: {{ S: {{ Type: String, Default: '', Description: '{description}' }} }}\nResources:\n  V: {{ Type: AWS::EC2::Volume, Properties: {{ SnapshotId: !Ref S }} }}\n  W: {{ Type: AWS::SNS::Topic }}\nOutputs:\n  Id: {{ Value: {value}, Export: {{ Name: !Sub '${{AWS::StackName}}-id' }} }}"
        )
    };
    let importing = "Resources: { A: { Type: T, Properties: { X: !ImportValue postgresasapp-p-id } } }";
    let found = |description: &str, value: &str| -> Vec<(usize, String)> {
        let text = exporting(description, value);
        let findings = contract::check(&[("p", &text), ("c", importing)]);
        findings.into_iter().filter(|it| it.code == "CFN003").map(|it| (it.line, it.message)).collect()
    };
    let message = "parameter \"S\" changes the output \"Id\", which c imports, so AWS refuses the change; say \"cannot be changed\" in its Description, or do not export it";
    for value in ["!Ref V", "!GetAtt V.VolumeId", "!Sub 'x-${V}'", "!Ref S"] {
        assert_eq!(found("A snapshot.", value), [(6, message.to_owned())], "{value}");
    }
    assert_eq!(found("It cannot be changed.", "!Ref V"), []);
    assert_eq!(found("A snapshot.", "!Ref W"), []);
}

#[test]
fn a_policy_and_a_start_script_have_a_size() {
    let policy = |kind: &str, n_chars: usize| {
        let properties = match kind {
            "AWS::IAM::ManagedPolicy" => "PolicyDocument: @",
            _ => "Policies: [{ PolicyName: p, PolicyDocument: @ }]",
        };
        let actions = vec!["sts:AssumeRole"; n_chars / 17].join(", ");
        let document = format!("{{ Statement: [{{ Effect: Allow, Action: [{actions}], Resource: r }}] }}");
        let text = format!(
            "Resources:\n  A: {{ Type: {kind}, Properties: {{ {} }} }}",
            properties.replace('@', &document)
        );
        let findings = contract::check(&[("x", &text)]);
        findings.into_iter().filter(|it| it.code == "CFN702").map(|it| it.message).collect::<Vec<_>>()
    };
    for (kind, most) in
        [("AWS::IAM::ManagedPolicy", 6_144), ("AWS::IAM::Role", 10_240), ("AWS::IAM::User", 2_048)]
    {
        assert_eq!(policy(kind, most - 200), Vec::<String>::new(), "{kind}");
        let found = policy(kind, most + 100);
        assert!(
            found.len() == 1 && found[0].ends_with(&format!("characters, IAM takes {most}")),
            "{found:?}"
        );
    }
    let script = |n_bytes: usize| {
        let text = format!(
            "Resources:\n  H: {{ Type: AWS::EC2::LaunchTemplate, Properties: {{ LaunchTemplateData: {{ UserData: '{}' }} }} }}",
            "x".repeat(n_bytes)
        );
        let findings = contract::check(&[("x", &text)]);
        findings.into_iter().filter(|it| it.code == "CFN704").map(|it| it.message).collect::<Vec<_>>()
    };
    assert_eq!(script(16_384), Vec::<String>::new());
    assert_eq!(script(16_385), ["the user data of resource \"H\" has 16385 bytes, EC2 takes 16384"]);
}

/// What the templates said once, and what says no to it now.
#[test]
fn the_faults_of_earlier_templates_are_found() {
    let faults: [(&str, &str, &str, &str, &str); 9] = [
        (
            "rds",
            "log_connections: !FindInMap [Majors, !Ref PostgresMajorVersion, LogConnections]",
            "log_connections: \"1\"",
            "CFN705",
            "log_connections",
        ),
        (
            "rds",
            "!If [RdsManagesPassword, !Ref \"AWS::NoValue\", !Ref DatabasePassword]",
            "!Sub \"{{resolve:secretsmanager:${MasterSecret}:SecretString:password}}\"",
            "CFN305",
            "MasterUserPassword",
        ),
        (
            "rds",
            " Changing it replaces the instance by an empty one and leaves a snapshot of the old.",
            "",
            "CFN404",
            "DBName",
        ),
        (
            "persist",
            "    Value: !Ref VolumeParameter\n",
            "    Value: !If [MakesVolume, !Ref Volume, !Ref ExistingVolumeId]\n",
            "CFN003",
            "ExistingVolumeId",
        ),
        (
            "persist",
            "It cannot be changed\n      afterwards: to go back",
            "Changing it replaces the volume: to go back",
            "CFN404",
            "SnapshotId",
        ),
        (
            "persist",
            "${AWS::StackName}-${Unique}",
            "${AWS::StackName}-of-${Unique}",
            "CFN701",
            "BackupVaultName",
        ),
        (
            "iam",
            "              - iam:ChangePassword\n              - iam:GetAccountPasswordPolicy\n              - iam:GetMFADevice\n",
            "              - iam:CreateVirtualMFADevice\n",
            "CFN604",
            "iam:CreateVirtualMFADevice",
        ),
        ("vpc", " It cannot be changed while another stack uses the network.", "", "CFN003", "VpcCidr"),
        ("compute", "ec2:AttachVolume", "ec2:AttachTheVolume", "CFN703", "ec2:AttachTheVolume"),
    ];
    for (stack, now, then, code, what) in faults {
        // What others import is seen with the others only.
        let is_alone = code != "CFN003";
        let texts: Vec<(&str, String)> = infra_cfn::Stack::ALL
            .into_iter()
            .filter(|it| !is_alone || it.name() == stack)
            .map(|it| {
                let text = it.template_text();
                assert!(it.name() != stack || text.contains(now), "{stack}: {now}");
                (it.name(), if it.name() == stack { text.replace(now, then) } else { text.to_owned() })
            })
            .collect();
        let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let found = contract::check(&texts);
        assert!(
            found.iter().any(|it| it.code == code && it.stack == stack && it.message.contains(what)),
            "{code}: {found:#?}"
        );
    }
}

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
fn a_template_that_is_too_long_is_found_and_comments_do_not_count() {
    let long = |description: usize, comment: usize| {
        let (words, comment) = ("d".repeat(description), "#".repeat(comment));
        let text = format!("Description: {words}\nResources: {{ A: {{ Type: T }} }}\n{comment}");
        contract::check(&[("x", &text)]).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        long(46_080, 0),
        [
            "infra-cfn/templates/x.yaml:1: CFN104 the template is sent in 46120 bytes; at most 46080 leave room below the 51200 that CloudFormation takes without S3"
        ]
    );
    assert_eq!(long(46_000, 51_200), Vec::<String>::new());
}

#[test]
fn every_rule_has_a_case_and_a_code_of_its_own() {
    let tested: BTreeSet<&str> = CASES.iter().map(|it| it.code).chain(ELSEWHERE).collect();
    let of_all = OF_ALL.iter().map(|(code, _)| *code);
    let codes: BTreeSet<&str> = RULES.iter().map(|it| it.code).chain(of_all).collect();
    assert_eq!(tested, codes);
    assert_eq!(codes.len(), RULES.len() + OF_ALL.len());
}
