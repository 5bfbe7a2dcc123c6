//! Names that there are once: whether a plan asks for one that is taken.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Answer, said, short};

/// A type whose name is unique in an account and region, or in the account.
struct Kind {
    resource: &'static str,
    /// The attribute with the name.
    attribute: &'static str,
    /// How the AWS command line lists what is there.
    list: &'static [&'static str],
    /// Where the list and each name are in its answer.
    place: (&'static str, &'static str),
}

const KINDS: &[Kind] = &[
    Kind {
        resource: "aws_rds_cluster",
        attribute: "cluster_identifier",
        list: &["rds", "describe-db-clusters"],
        place: ("DBClusters", "DBClusterIdentifier"),
    },
    Kind {
        resource: "aws_rds_cluster_instance",
        attribute: "identifier",
        list: &["rds", "describe-db-instances"],
        place: ("DBInstances", "DBInstanceIdentifier"),
    },
    Kind {
        resource: "aws_db_proxy",
        attribute: "name",
        list: &["rds", "describe-db-proxies"],
        place: ("DBProxies", "DBProxyName"),
    },
    Kind {
        resource: "aws_db_subnet_group",
        attribute: "name",
        list: &["rds", "describe-db-subnet-groups"],
        place: ("DBSubnetGroups", "DBSubnetGroupName"),
    },
    Kind {
        resource: "aws_lambda_function",
        attribute: "function_name",
        list: &["lambda", "list-functions"],
        place: ("Functions", "FunctionName"),
    },
    Kind {
        resource: "aws_iam_role",
        attribute: "name",
        list: &["iam", "list-roles"],
        place: ("Roles", "RoleName"),
    },
    Kind {
        resource: "aws_iam_policy",
        attribute: "name",
        list: &["iam", "list-policies", "--scope", "Local"],
        place: ("Policies", "PolicyName"),
    },
    Kind {
        resource: "aws_cloudwatch_log_group",
        attribute: "name",
        list: &["logs", "describe-log-groups"],
        place: ("logGroups", "logGroupName"),
    },
    Kind {
        resource: "aws_kms_alias",
        attribute: "name",
        list: &["kms", "list-aliases"],
        place: ("Aliases", "AliasName"),
    },
    Kind {
        resource: "aws_backup_vault",
        attribute: "name",
        list: &["backup", "list-backup-vaults"],
        place: ("BackupVaultList", "BackupVaultName"),
    },
];

/// Names of new things, by type, with the address that wants each.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<&'static str, BTreeMap<String, String>>);

impl Names {
    /// Those of a plan; a name that is known only when it is applied cannot be looked for.
    pub(super) fn of(plan: &Value) -> Self {
        let mut names = Self::default();
        for (it, kind) in changes(plan) {
            let is_new = it["change"]["actions"].as_array().is_some_and(|it| it[..] == ["create"]);
            let name = it["change"]["after"][kind.attribute].as_str();
            if let (true, Some(name)) = (is_new, name) {
                names.0.entry(kind.resource).or_default().insert(name.to_owned(), text(&it["address"]));
            }
        }
        names
    }

    /// Whether there is anything to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the account has already, a line each; and what it may not be asked.
    pub(super) fn taken(&self, ask: impl Fn(&[&str]) -> Answer) -> (Vec<String>, Vec<String>) {
        let (mut problems, mut notes) = (Vec::new(), Vec::new());
        for kind in KINDS {
            let Some(wanted) = self.0.get(kind.resource) else { continue };
            let listed = match said(ask(kind.list)) {
                Ok(listed) => listed,
                Err(why) => {
                    notes.push(format!(
                        "names taken: {} could not be listed: {}",
                        kind.resource,
                        short(&why)
                    ));
                    continue;
                }
            };
            let there = listed[kind.place.0].as_array().into_iter().flatten();
            for name in there.filter_map(|it| it[kind.place.1].as_str()) {
                if let Some(address) = wanted.get(name) {
                    problems.push(format!(
                        "{address}: the account has '{name}', which this state does not know: remove it, choose another \
                         project or environment, or take it over (TF_DATA_DIR=.terraform/ENV terraform -chdir=infra-tf import)"
                    ));
                }
            }
        }
        (problems, notes)
    }
}

/// What would be made anew while the one of before, with the same name, is there: AWS refuses that half-way.
pub(super) fn met_by_themselves(plan: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (it, kind) in changes(plan) {
        let change = &it["change"];
        let is_made_first = change["actions"].as_array().is_some_and(|it| it[..] == ["create", "delete"]);
        let (before, after) = (&change["before"][kind.attribute], &change["after"][kind.attribute]);
        if is_made_first && before.is_string() && before == after {
            let address = text(&it["address"]);
            found.push(format!(
                "{address} would be made anew beside the one of the same name, which AWS refuses: undo the change of {}, \
                 or destroy it first (cargo xtask tf destroy --env ENV -- -target='{address}') and plan again",
                forced_by(change)
            ));
        }
    }
    found
}

fn changes(plan: &Value) -> impl Iterator<Item = (&Value, &'static Kind)> {
    let all = plan["resource_changes"].as_array().into_iter().flatten();
    all.filter_map(|it| Some((it, KINDS.iter().find(|kind| it["type"] == kind.resource)?)))
}

/// The attributes that cannot change in place.
fn forced_by(change: &Value) -> String {
    let paths = change["replace_paths"].as_array().into_iter().flatten();
    let names: Vec<&str> = paths.filter_map(|it| it[0].as_str()).collect();
    if names.is_empty() { "what replaces it".to_owned() } else { names.join(", ") }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(kind: &str, actions: &[&str], before: Value, after: Value) -> Value {
        let change = json!({"actions": actions, "before": before, "after": after, "replace_paths": [["database_name"]]});
        json!({"resource_changes": [{"type": kind, "address": "module.x.this", "change": change}]})
    }

    fn account(args: &[&str]) -> Answer {
        match args {
            ["rds", "describe-db-clusters"] => {
                Answer::Said(json!({"DBClusters": [{"DBClusterIdentifier": "x-dev"}]}))
            }
            ["iam", ..] => Answer::Refused("AccessDenied\nmore".to_owned()),
            _ => Answer::Said(json!({})),
        }
    }

    #[test]
    fn names_that_the_account_has_are_told_before_anything_is_made() {
        let cluster = |actions: &[&str], name: &str| {
            Names::of(&plan("aws_rds_cluster", actions, Value::Null, json!({"cluster_identifier": name})))
                .taken(account)
        };
        let (problems, notes) = cluster(&["create"], "x-dev");
        assert!(problems[0].starts_with("module.x.this: the account has 'x-dev'"), "{problems:?}");
        assert_eq!(notes, Vec::<String>::new());
        assert_eq!(cluster(&["create"], "x-dev-2").0, Vec::<String>::new());
        assert_eq!(cluster(&["update"], "x-dev").0, Vec::<String>::new(), "it is this state's own");
        let role = plan("aws_iam_role", &["create"], Value::Null, json!({"name": "x"}));
        let (problems, notes) = Names::of(&role).taken(account);
        assert!(problems.is_empty() && notes[0].ends_with("could not be listed: AccessDenied"), "{notes:?}");
        let unknown = plan("aws_db_proxy", &["create"], Value::Null, json!({}));
        assert!(Names::of(&unknown).is_empty());
    }

    #[test]
    fn nothing_is_made_anew_beside_its_own_name() {
        let named = |name: &str| json!({"cluster_identifier": name, "name": name});
        let anew = |kind: &str, actions: &[&str], after: &str| {
            met_by_themselves(&plan(kind, actions, named("a"), named(after)))
        };
        let found = anew("aws_rds_cluster", &["create", "delete"], "a");
        assert!(found.len() == 1 && found[0].contains("undo the change of database_name"), "{found:?}");
        assert_eq!(anew("aws_rds_cluster", &["delete", "create"], "a"), Vec::<String>::new());
        assert_eq!(anew("aws_db_proxy", &["create", "delete"], "b"), Vec::<String>::new());
        assert_eq!(anew("aws_vpc", &["create", "delete"], "a"), Vec::<String>::new());
    }
}
