//! What an account has and allows, for the look ahead.

use aws_session::error::{code_of, sorted};
use serde_json::json;

use super::{
    Aws,
    registry::{self, Reference},
    signed::{Service, texts},
};
use crate::cloud::{Account, CloudError, CloudResult, InstanceType, Quota, Usage};

const EC2: Service = Service { host: "ec2", signing: "ec2" };
const EC2_VERSION: &str = "2016-11-15";
const LOGS: Service = Service { host: "logs", signing: "logs" };
const QUOTAS: Service = Service { host: "servicequotas", signing: "servicequotas" };
const CLOUD_CONTROL: Service = Service { host: "cloudcontrolapi", signing: "cloudcontrolapi" };
const ECR: Service = Service { host: "api.ecr", signing: "ecr" };

/// Whether a search found something; that it did not is an answer, too.
fn found<T>(answer: CloudResult<T>) -> CloudResult<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(CloudError::NotFound(_)) => Ok(false),
        Err(err) => Err(err),
    }
}

/// The same for an SDK whose codes are sorted here, since they are not CloudFormation's.
macro_rules! is_there {
    ($call:expr, $code:literal) => {
        match $call.send().await {
            Ok(_) => Ok(true),
            Err(err) if code_of(&err) == Some($code) => Ok(false),
            Err(err) => Err(sorted(err)),
        }
    };
}

impl Account for Aws {
    async fn is_taken(&self, kind: &str, name: &str) -> CloudResult<bool> {
        match kind {
            "AWS::IAM::User" => is_there!(self.identities.get_user().user_name(name), "NoSuchEntity"),
            "AWS::IAM::Role" => is_there!(self.identities.get_role().role_name(name), "NoSuchEntity"),
            "AWS::IAM::Group" => is_there!(self.identities.get_group().group_name(name), "NoSuchEntity"),
            "AWS::IAM::InstanceProfile" => {
                let call = self.identities.get_instance_profile().instance_profile_name(name);
                is_there!(call, "NoSuchEntity")
            }
            "AWS::S3::Bucket" => match self.s3.head_bucket().bucket(name).send().await {
                Ok(_) => Ok(true),
                // Buckets of other accounts are not shown; their names are taken all the same.
                Err(err) => match err.raw_response().map(|it| it.status().as_u16()) {
                    Some(404) => Ok(false),
                    Some(301 | 403) => Ok(true),
                    _ => Err(sorted(err)),
                },
            },
            "AWS::SSM::Parameter" => {
                is_there!(self.systems_manager.get_parameter().name(name), "ParameterNotFound")
            }
            "AWS::Logs::LogGroup" => {
                let body = json!({ "logGroupNamePrefix": name });
                let answer = self.signed.json(LOGS, "Logs_20140328.DescribeLogGroups", &body).await?;
                let groups = answer["logGroups"].as_array().into_iter().flatten();
                Ok(groups.filter_map(|it| it["logGroupName"].as_str()).any(|it| it == name))
            }
            _ => {
                let body = json!({ "TypeName": kind, "Identifier": name });
                found(self.signed.json(CLOUD_CONTROL, "CloudApiService.GetResource", &body).await)
            }
        }
    }

    async fn instance_type(&self, name: &str) -> CloudResult<Option<InstanceType>> {
        let described =
            self.signed.query(EC2, EC2_VERSION, "DescribeInstanceTypes", &[("InstanceType.1", name)]).await;
        let described = match described {
            Err(CloudError::Refused(reason)) if reason.contains("do not exist") => return Ok(None),
            Err(CloudError::NotFound(_)) => return Ok(None),
            other => other?,
        };
        if texts(&described, "instanceType").is_empty() {
            return Ok(None);
        }
        let filter = [
            ("LocationType", "availability-zone"),
            ("Filter.1.Name", "instance-type"),
            ("Filter.1.Value.1", name),
        ];
        let offered = self.signed.query(EC2, EC2_VERSION, "DescribeInstanceTypeOfferings", &filter).await;
        let zones = match offered {
            Ok(xml) => texts(&xml, "location"),
            // The type is known; where it is not must stay open.
            Err(CloudError::Denied(_) | CloudError::Refused(_)) => Vec::new(),
            Err(err) => return Err(err),
        };
        let count = texts(&described, "defaultVCpus").first().and_then(|it| it.parse().ok());
        let architectures = items_of(&described, "supportedArchitectures");
        Ok(Some(InstanceType { architectures, zones, n_vcpus: count.unwrap_or(0) }))
    }

    async fn usage(&self, quota: Quota) -> CloudResult<Usage> {
        let (service, code) = quota.code();
        let body = json!({ "ServiceCode": service, "QuotaCode": code });
        let answer = self.signed.json(QUOTAS, "ServiceQuotasV20190624.GetServiceQuota", &body).await?;
        let limit = answer["Quota"]["Value"]
            .as_f64()
            .ok_or_else(|| CloudError::Refused(format!("the quota {code} has no value")))?;
        let (action, tag) = match quota {
            Quota::Vpcs => ("DescribeVpcs", "vpcId"),
            Quota::Addresses => ("DescribeAddresses", "publicIp"),
            // What runs is no matter of a look ahead: an account's first host does not fit or does.
            Quota::Vcpus => return Ok(Usage { used: 0.0, limit }),
        };
        let xml = self.signed.query(EC2, EC2_VERSION, action, &[]).await?;
        let mut ids = texts(&xml, tag);
        ids.sort_unstable();
        ids.dedup();
        Ok(Usage { used: ids.len() as f64, limit })
    }

    async fn architectures(&self, image: &str) -> CloudResult<Vec<String>> {
        let reference = Reference::parse(image);
        let Some(account) = ecr_account(&reference.host) else {
            return registry::architectures(&reference).await;
        };
        let id = match reference.tag.contains(':') {
            true => json!([{ "imageDigest": reference.tag }]),
            false => json!([{ "imageTag": reference.tag }]),
        };
        let body = json!({
            "registryId": account, "repositoryName": reference.repository, "imageIds": id,
            "acceptedMediaTypes": registry::MANIFESTS,
        });
        let target = "AmazonEC2ContainerRegistry_V20150921.BatchGetImage";
        let answer = self.signed.json(ECR, target, &body).await?;
        let Some(manifest) = answer["images"][0]["imageManifest"].as_str() else {
            let Reference { host, repository, tag } = reference;
            return Err(CloudError::NotFound(format!("{host}/{repository} has no \"{tag}\"")));
        };
        Ok(registry::listed(&serde_json::from_str(manifest).unwrap_or_default()))
    }

    async fn has_service_role(&self, role: &str) -> CloudResult<bool> {
        is_there!(self.identities.get_role().role_name(role), "NoSuchEntity")
    }
}

/// The account of a private ECR registry in this account's partition.
fn ecr_account(host: &str) -> Option<&str> {
    let (account, rest) = host.split_once(".dkr.ecr")?;
    let is_account = account.len() == 12 && account.bytes().all(|it| it.is_ascii_digit());
    (is_account && rest.contains(".amazonaws.com")).then_some(account)
}

/// Texts of the items of a list.
fn items_of(xml: &str, list: &str) -> Vec<String> {
    let Ok(document) = roxmltree::Document::parse(xml) else { return Vec::new() };
    let list = document.descendants().find(|it| it.tag_name().name() == list);
    let items = list.into_iter().flat_map(|it| it.children()).filter(roxmltree::Node::is_element);
    items.filter_map(|it| it.text()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_of_ecr_are_known() {
        assert_eq!(ecr_account("123456789012.dkr.ecr.eu-west-1.amazonaws.com"), Some("123456789012"));
        assert_eq!(ecr_account("public.ecr.aws"), None);
        assert_eq!(ecr_account("me.dkr.ecr.example.com"), None);
    }

    #[test]
    fn items_are_those_of_the_list() {
        let xml = "<r><types><item>a</item><item>b</item></types><other><item>c</item></other></r>";
        assert_eq!(items_of(xml, "types"), ["a", "b"]);
        assert_eq!(items_of(xml, "none"), Vec::<String>::new());
    }
}
