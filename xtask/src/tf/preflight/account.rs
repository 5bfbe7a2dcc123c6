//! What the account is asked for the sake of a plan, and what its answers mean.

use std::collections::BTreeSet;

use super::{Answer, Found, UNRESERVED, Wishes, said, short};

impl Wishes {
    /// Asks what the plan gives a reason to ask.
    pub(super) fn ask(&self, ask: impl Fn(&[&str]) -> Answer) -> Found {
        let mut found = Found::default();
        if !self.is_anything() {
            return found;
        }
        match ask(&["sts", "get-caller-identity"]) {
            Answer::Said(said) => found.notes.push(format!(
                "in account {} ({}) as {}",
                said["Account"].as_str().unwrap_or_default(),
                self.region,
                said["Arn"].as_str().unwrap_or_default()
            )),
            Answer::Refused(why) => {
                found.notes.push(format!("the account was not asked: {}", short(&why)));
                return found;
            }
        }
        let (taken, unseen) = self.names.taken(&ask);
        found.problems.extend(taken);
        found.notes.extend(unseen);
        let checks = [
            ("plan of the account", self.account_plan(&ask)),
            ("concurrency of Lambda", self.concurrency(&ask)),
            ("GitHub's OIDC provider", self.provider(&ask)),
            ("logging role of API Gateway", self.logging_role(&ask)),
            ("service-linked role of RDS", self.service_role(&ask)),
            ("instance types by zone", self.instances(&ask)),
        ];
        for (what, checked) in checks {
            match checked {
                Ok(problem) => found.problems.extend(problem),
                Err(why) => found.notes.push(format!("{what}: could not be looked at: {}", short(&why))),
            }
        }
        found
    }

    /// Accounts on the free plan get Aurora by its express configuration only, which Terraform's provider does not know.
    fn account_plan(&self, ask: &impl Fn(&[&str]) -> Answer) -> Result<Option<String>, String> {
        if !self.makes_cluster {
            return Ok(None);
        }
        let said = match ask(&["freetier", "get-account-plan-state"]) {
            Answer::Said(said) => said,
            // An account from before there were plans, or one of an organisation, has none.
            Answer::Refused(why) if why.contains("ResourceNotFound") => return Ok(None),
            Answer::Refused(why) => return Err(why),
        };
        Ok((said["accountPlanType"] == "FREE").then(|| {
            "the account is on AWS's free plan, which refuses such a cluster of Aurora: change to the paid plan, which keeps \
             the credits (aws freetier upgrade-account-plan --account-plan-type PAID --region us-east-1)"
                .to_owned()
        }))
    }

    fn concurrency(&self, ask: &impl Fn(&[&str]) -> Answer) -> Result<Option<String>, String> {
        if self.reserved <= 0 && self.provisioned <= 0 {
            return Ok(None);
        }
        let said = said(ask(&["lambda", "get-account-settings"]))?;
        let limit = &said["AccountLimit"];
        let n = |name: &str| limit[name].as_i64().ok_or_else(|| format!("no {name}"));
        let (all, free) = (n("ConcurrentExecutions")?, n("UnreservedConcurrentExecutions")?);
        let room = free - UNRESERVED.min(all);
        // What is provisioned beside a reservation comes out of the same.
        let wanted = self.reserved.max(self.provisioned);
        Ok((wanted > room).then(|| {
            format!(
                "lambda_reserved_concurrency and lambda_provisioned_concurrency want {wanted} of the account's {all}, of \
                 which {} can be had: ask for a higher quota (aws service-quotas request-service-quota-increase \
                 --service-code lambda --quota-code L-B99A9384 --desired-value 1000), or leave them out",
                room.max(0)
            )
        }))
    }

    fn provider(&self, ask: &impl Fn(&[&str]) -> Answer) -> Result<Option<String>, String> {
        if !self.makes_provider {
            return Ok(None);
        }
        let said = said(ask(&["iam", "list-open-id-connect-providers"]))?;
        let mut all = said["OpenIDConnectProviderList"].as_array().into_iter().flatten();
        let is_there = all.any(|it| {
            it["Arn"].as_str().is_some_and(|it| it.ends_with("/token.actions.githubusercontent.com"))
        });
        Ok(is_there.then(|| {
            "the account has GitHub's OIDC provider, and there is one for all: github_create_oidc_provider = false".to_owned()
        }))
    }

    fn logging_role(&self, ask: &impl Fn(&[&str]) -> Answer) -> Result<Option<String>, String> {
        if !self.makes_logging_role {
            return Ok(None);
        }
        let said = said(ask(&["apigateway", "get-account"]))?;
        let role = said["cloudwatchRoleArn"].as_str().filter(|it| !it.is_empty());
        Ok(role.map(|role| {
            format!(
                "API Gateway writes its logs by {role} in this account and region, and another environment would lose that: \
                 api_manage_account_logging = false"
            )
        }))
    }

    fn service_role(&self, ask: &impl Fn(&[&str]) -> Answer) -> Result<Option<String>, String> {
        if !self.makes_database {
            return Ok(None);
        }
        match ask(&["iam", "get-role", "--role-name", "AWSServiceRoleForRDS"]) {
            Answer::Said(_) => Ok(None),
            Answer::Refused(why) if why.contains("NoSuchEntity") => Ok(Some(
                "RDS has no service-linked role in this account, and the first database can fail for it: \
                 aws iam create-service-linked-role --aws-service-name rds.amazonaws.com"
                    .to_owned(),
            )),
            Answer::Refused(why) => Err(why),
        }
    }

    fn instances(&self, ask: &impl Fn(&[&str]) -> Answer) -> Result<Option<String>, String> {
        for kind in self.instance_types.iter().filter(|_| !self.zones.is_empty()) {
            let filter = format!("Name=instance-type,Values={kind}");
            let args = ["ec2", "describe-instance-type-offerings", "--location-type", "availability-zone"];
            let said = said(ask(&[&args[..], &["--filters", &filter]].concat()))?;
            let offered = said["InstanceTypeOfferings"].as_array().into_iter().flatten();
            let offered: BTreeSet<&str> = offered.filter_map(|it| it["Location"].as_str()).collect();
            let lacking: Vec<&str> =
                self.zones.iter().map(String::as_str).filter(|it| !offered.contains(it)).collect();
            if !lacking.is_empty() {
                return Ok(Some(format!(
                    "{kind} is not offered in {}: name the zone's id in exclude_zone_ids (aws ec2 \
                     describe-availability-zones shows it)",
                    lacking.join(", ")
                )));
            }
        }
        Ok(None)
    }
}
