//! A plan, told shortly: what is created, changed, replaced and destroyed, and whether data goes with it. Pure.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Resource types that hold what cannot be made again from the code.
const STATEFUL: &[&str] = &[
    "aws_backup_vault",
    "aws_cloudwatch_log_group",
    "aws_db_cluster_snapshot",
    "aws_db_instance",
    "aws_db_snapshot",
    "aws_dynamodb_table",
    "aws_ebs_volume",
    "aws_efs_file_system",
    "aws_kms_key",
    "aws_rds_cluster",
    "aws_rds_global_cluster",
    "aws_s3_bucket",
    "aws_secretsmanager_secret",
];

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Create,
    Update,
    Replace,
    Destroy,
    /// Left alone, but no longer known to Terraform.
    Forget,
}

impl Action {
    const ALL: [Self; 5] = [Self::Create, Self::Update, Self::Replace, Self::Destroy, Self::Forget];

    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Destroy => "destroy",
            Self::Forget => "forget",
        }
    }

    /// From the words of a plan; `None` when nothing happens.
    fn read(words: &[&str]) -> Option<Self> {
        match words {
            ["create"] => Some(Self::Create),
            ["update"] => Some(Self::Update),
            ["delete"] => Some(Self::Destroy),
            ["delete", "create"] | ["create", "delete"] => Some(Self::Replace),
            ["forget"] => Some(Self::Forget),
            _ => None,
        }
    }
}

/// One resource that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    action: Action,
    address: String,
    /// Attributes that cannot be changed in place.
    forced_by: Vec<String>,
    stateful: bool,
}

impl Change {
    fn loses_data(&self) -> bool {
        self.stateful && matches!(self.action, Action::Replace | Action::Destroy)
    }
}

/// The changes of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summary {
    changes: Vec<Change>,
    /// Names of outputs that change.
    outputs: Vec<String>,
}

impl Summary {
    /// Reads what `terraform show -json` prints of a plan.
    pub(super) fn read(text: &str) -> Result<Self> {
        let plan: Value = serde_json::from_str(text).context("read the plan")?;
        if plan.get("format_version").is_none() {
            bail!("what terraform printed is not a plan");
        }
        let resources = plan.get("resource_changes").and_then(Value::as_array);
        let mut changes: Vec<Change> = resources.into_iter().flatten().filter_map(change).collect();
        changes.sort_by(|a, b| (a.action, &a.address).cmp(&(b.action, &b.address)));
        let outputs = plan.get("output_changes").and_then(Value::as_object).into_iter().flatten();
        let changed = outputs.filter(|(_, change)| Action::read(&words(change)).is_some());
        let outputs = changed.map(|(name, _)| name.clone()).collect();
        Ok(Self { changes, outputs })
    }

    /// Nothing would happen.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.outputs.is_empty()
    }

    /// For people.
    pub(super) fn to_text(&self) -> String {
        if self.is_empty() {
            return "No changes.\n".to_owned();
        }
        let mut text = String::new();
        for action in Action::ALL {
            let of_action: Vec<&Change> = self.changes.iter().filter(|it| it.action == action).collect();
            let _ = writeln!(text, "{:<8} {:>3}", action.name(), of_action.len());
            for change in of_action {
                let _ = write!(text, "  {}", change.address);
                if !change.forced_by.is_empty() {
                    let _ = write!(text, "  (forced by {})", change.forced_by.join(", "));
                }
                text.push_str(if change.loses_data() { "  HOLDS DATA\n" } else { "\n" });
            }
        }
        if !self.outputs.is_empty() {
            let _ = writeln!(text, "outputs  {:>3}  {}", self.outputs.len(), self.outputs.join(", "));
        }
        text
    }

    /// For programs.
    pub(super) fn to_json(&self, environment: &str) -> Value {
        let mut changes = serde_json::Map::new();
        for action in Action::ALL {
            let of_action = self.changes.iter().filter(|it| it.action == action);
            let listed: Vec<Value> = of_action
                .map(|it| {
                    json!({"address": it.address, "forced_by": it.forced_by, "loses_data": it.loses_data()})
                })
                .collect();
            changes.insert(action.name().to_owned(), listed.into());
        }
        json!({"environment": environment, "changes": changes, "outputs": self.outputs})
    }

    /// What holds data and would be destroyed or replaced, by address.
    pub(super) fn lost(&self) -> Vec<&str> {
        self.changes.iter().filter(|it| it.loses_data()).map(|it| it.address.as_str()).collect()
    }

    /// Refuses a plan that destroys what holds data, unless the user said so.
    pub(super) fn refuse_data_loss(&self, is_allowed: bool) -> Result<()> {
        let lost = self.lost();
        if lost.is_empty() || is_allowed {
            return Ok(());
        }
        bail!(
            "this would destroy what holds data: {}\nif that is what you want, say --allow-data-loss; if not, look at \
             what forces it, or keep it with prevent_destroy or a moved block",
            lost.join(", ")
        )
    }
}

fn words(change: &Value) -> Vec<&str> {
    let actions = change.get("actions").and_then(Value::as_array);
    actions.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn change(resource: &Value) -> Option<Change> {
    let change = resource.get("change")?;
    let action = Action::read(&words(change))?;
    let paths = change.get("replace_paths").and_then(Value::as_array);
    let forced_by =
        paths.into_iter().flatten().filter_map(Value::as_array).map(|path| attribute(path)).collect();
    Some(Change {
        action,
        address: resource.get("address")?.as_str()?.to_owned(),
        forced_by,
        stateful: STATEFUL.contains(&resource.get("type")?.as_str()?),
    })
}

/// `["vpc", 0, "id"]` → `vpc[0].id`.
fn attribute(path: &[Value]) -> String {
    path.iter().fold(String::new(), |mut text, step| {
        match step.as_str() {
            Some(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            None => {
                let _ = write!(text, "[{step}]");
            }
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(resources: &Value) -> Summary {
        let plan = json!({"format_version": "1.2", "resource_changes": resources,
            "output_changes": {"same": {"actions": ["no-op"]}, "url": {"actions": ["update"]}}});
        Summary::read(&plan.to_string()).expect("a plan")
    }

    fn resource(kind: &str, actions: &Value, replace_paths: &Value) -> Value {
        json!({"address": format!("module.m.{kind}.this"), "type": kind,
            "change": {"actions": actions, "replace_paths": replace_paths}})
    }

    #[test]
    fn text_tells_counts_reasons_and_data() {
        let forces = json!([["engine"], ["x", 0, "y"]]);
        let summary = plan(&json!([
            resource("aws_rds_cluster", &json!(["delete", "create"]), &forces),
            resource("aws_lambda_function", &json!(["update"]), &Value::Null),
            resource("aws_iam_role", &json!(["create"]), &Value::Null),
            resource("aws_vpc", &json!(["no-op"]), &Value::Null),
            resource("aws_ami", &json!(["read"]), &Value::Null),
        ]));
        let expected = "\
create     1
  module.m.aws_iam_role.this
update     1
  module.m.aws_lambda_function.this
replace    1
  module.m.aws_rds_cluster.this  (forced by engine, x[0].y)  HOLDS DATA
destroy    0
forget     0
outputs    1  url
";
        assert_eq!(summary.to_text(), expected);
        assert_eq!(summary.to_json("dev")["changes"]["replace"][0]["loses_data"], true);
    }

    #[test]
    fn destroyed_data_is_refused_unless_told() {
        let lossy = plan(&json!([resource("aws_s3_bucket", &json!(["delete"]), &Value::Null)]));
        let error = lossy.refuse_data_loss(false).expect_err("data is lost");
        assert!(error.to_string().contains("module.m.aws_s3_bucket.this"), "{error}");
        assert!(lossy.refuse_data_loss(true).is_ok());
        for (kind, actions) in [
            ("aws_s3_bucket", json!(["update"])),
            ("aws_s3_bucket", json!(["forget"])),
            ("aws_lambda_function", json!(["delete"])),
        ] {
            let harmless = plan(&json!([resource(kind, &actions, &Value::Null)]));
            assert!(harmless.refuse_data_loss(false).is_ok(), "{kind} {actions}");
        }
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        assert!(Summary::read("{}").is_err());
        assert!(Summary::read("x").is_err());
        let nothing = Summary::read(r#"{"format_version":"1.2"}"#).expect("an empty plan");
        assert_eq!((nothing.is_empty(), &*nothing.to_text()), (true, "No changes.\n"));
    }
}
