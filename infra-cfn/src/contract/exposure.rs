//! The promise that nothing is reachable from outside unless somebody asks for it, and that host and volume meet.

use serde_json::Value;

use super::{Report, Rule, Subject};
use crate::yaml::{Data, Node};

pub(super) const NO_OPEN_PORT: Rule = Rule {
    code: "CFN501",
    title: "no port is open to everyone by default, but 80 and 443 of the load balancer",
    check: no_open_port,
};

fn no_open_port(subject: &Subject<'_>, report: &mut Report<'_>) {
    let balanced: Vec<&str> = subject
        .resources
        .values()
        .filter(|it| it.kind == "AWS::ElasticLoadBalancingV2::LoadBalancer")
        .filter_map(|it| it.properties["SecurityGroups"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, resource) in &subject.resources {
        let (group, rules) = match resource.kind.as_str() {
            "AWS::EC2::SecurityGroup" => (
                name.as_str(),
                resource.properties["SecurityGroupIngress"].as_array().cloned().unwrap_or_default(),
            ),
            "AWS::EC2::SecurityGroupIngress" => (
                resource.properties["GroupId"].as_str().unwrap_or_default(),
                vec![resource.properties.clone()],
            ),
            _ => continue,
        };
        for rule in rules.iter().filter(|it| is_everyone(it)) {
            let port = (rule["FromPort"].as_u64(), rule["ToPort"].as_u64());
            let is_web =
                balanced.contains(&group) && matches!(port, (Some(80), Some(80)) | (Some(443), Some(443)));
            if !is_web {
                report.add(
                    resource.place.line,
                    format!("resource \"{name}\" opens port {} to everyone", rule["FromPort"]),
                );
            }
        }
    }
}

fn is_everyone(rule: &Value) -> bool {
    rule["CidrIp"].as_str().is_some_and(|it| it.ends_with("/0"))
        || rule["CidrIpv6"].as_str().is_some_and(|it| it.ends_with("/0"))
}

pub(super) const NOTHING_PUBLIC: Rule = Rule {
    code: "CFN502",
    title: "no bucket, database, subnet or host is public by default",
    check: nothing_public,
};

fn nothing_public(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, resource) in &subject.resources {
        let properties = &resource.properties;
        let problem = match resource.kind.as_str() {
            "AWS::S3::Bucket" => {
                let block = &properties["PublicAccessBlockConfiguration"];
                let all =
                    ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
                (!all.iter().all(|it| is_true(&block[*it]))).then_some("does not block public access")
            }
            "AWS::S3::BucketPolicy" => {
                allows_everyone(&properties["PolicyDocument"]).then_some("lets everyone in")
            }
            "AWS::RDS::DBInstance" => {
                (!is_false(&properties["PubliclyAccessible"])).then_some("is publicly accessible")
            }
            "AWS::EC2::Subnet" => {
                is_true(&properties["MapPublicIpOnLaunch"]).then_some("gives out public addresses")
            }
            "AWS::EC2::LaunchTemplate" => {
                let interfaces = properties["LaunchTemplateData"]["NetworkInterfaces"].as_array();
                let public =
                    interfaces.into_iter().flatten().any(|it| !is_false(&it["AssociatePublicIpAddress"]));
                public.then_some("gives the host a public address")
            }
            _ => None,
        };
        if let Some(problem) = problem {
            report.add(resource.place.line, format!("resource \"{name}\" {problem} by default"));
        }
    }
}

fn is_true(value: &Value) -> bool {
    *value == Value::Bool(true) || value == "true"
}

fn is_false(value: &Value) -> bool {
    *value == Value::Bool(false) || value == "false"
}

fn allows_everyone(document: &Value) -> bool {
    let statements = document["Statement"].as_array();
    statements.into_iter().flatten().any(|it| {
        it["Effect"] == "Allow"
            && (it["Principal"] == "*" || it["Principal"]["AWS"] == "*")
            && it.get("Condition").is_none()
    })
}

pub(super) const METADATA_SERVICE_V2: Rule = Rule {
    code: "CFN503",
    title: "hosts answer only version 2 of the metadata service, and not to containers",
    check: metadata_service_v2,
};

fn metadata_service_v2(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, resource) in subject.resources.iter().filter(|(_, it)| it.kind == "AWS::EC2::LaunchTemplate") {
        let options = &resource.properties["LaunchTemplateData"]["MetadataOptions"];
        if options["HttpTokens"] != "required" || options["HttpPutResponseHopLimit"] != 1 {
            report.add(
                resource.place.line,
                format!("resource \"{name}\" needs HttpTokens: required and HttpPutResponseHopLimit: 1"),
            );
        }
    }
}

pub(super) const HOST_BESIDE_VOLUME: Rule = Rule {
    code: "CFN504",
    title: "volume and host are in zone A by construction",
    check: host_beside_volume,
};

/// The exports of the network that stand for zone A.
const ZONE: &str = "${Prefix}-vpc-zone-a";
const SUBNETS: [&str; 2] = ["${Prefix}-vpc-subnet-a", "${Prefix}-vpc-private-subnet-a"];

fn host_beside_volume(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, resource) in &subject.template.resources {
        let (property, allowed): (_, &[&str]) = match resource.kind.as_str() {
            "AWS::EC2::Volume" => ("AvailabilityZone", &[ZONE]),
            "AWS::AutoScaling::AutoScalingGroup" => ("VPCZoneIdentifier", &SUBNETS),
            _ => continue,
        };
        let imports = resource.properties.get(property).map(imported_names).unwrap_or_default();
        if imports.is_empty() || !imports.iter().all(|it| allowed.contains(&it.as_str())) {
            report.add(
                resource.place.line,
                format!("{property} of resource \"{name}\" must be imported as {}", allowed.join(" or ")),
            );
        }
    }
}

/// The texts of the imports below a node, whichever branch of a condition they are in.
fn imported_names(node: &Node) -> Vec<String> {
    let mut names = Vec::new();
    node.walk(&mut |node| {
        if let Data::Call(crate::intrinsic::Function::ImportValue, argument) = &node.data
            && let Data::Call(_, text) = &argument.data
        {
            names.extend(text.as_str().map(str::to_owned));
        }
    });
    names
}
