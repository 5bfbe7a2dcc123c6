//! Reads the outputs of a deployment: of its stacks, or of Terraform's state.

use std::{io::ErrorKind, path::Path};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::process::Command;

use super::place::{self, Database, Outputs, Place, Role};
use crate::cloud::Cloud;

/// The place of a database of the hybrid deployment.
///
/// # Errors
/// When a stack is missing, or one of its outputs.
pub async fn hybrid(cloud: &impl Cloud, prefix: &str, database: Database) -> anyhow::Result<Place> {
    let compute = stack(cloud, prefix, "compute").await;
    Ok(match database {
        Database::Compute => place::compute(&stack(cloud, prefix, "persist").await?.0, &compute?.0)?,
        _ => {
            let (rds, is_public) = stack(cloud, prefix, "rds").await?;
            // A public database needs no host.
            let compute = if is_public { Outputs::new() } else { compute?.0 };
            place::rds(&rds, is_public, &compute)?
        }
    })
}

/// The secret with the password of the role that the REST server logs in as.
///
/// # Errors
/// When the stack or the output is missing.
pub async fn authenticator_secret(cloud: &impl Cloud, prefix: &str) -> anyhow::Result<String> {
    let (persist, _) = stack(cloud, prefix, "persist").await?;
    persist.get("AuthenticatorSecret").cloned().context("stack persist has no output \"AuthenticatorSecret\"")
}

/// Outputs of a stack, and whether it was made for a public database.
async fn stack(cloud: &impl Cloud, prefix: &str, name: &str) -> anyhow::Result<(Outputs, bool)> {
    let stack_name = format!("{prefix}-{name}");
    let Some(stack) = cloud.stack(&stack_name).await.with_context(|| format!("read stack {stack_name}"))?
    else {
        bail!(
            "stack {stack_name} does not exist; make it with `cargo xtask deploy --stack {name}`, or name another \
             installation with --prefix"
        );
    };
    let is_public = stack.parameters.get("PubliclyAccessible").is_some_and(|it| it == "true");
    Ok((stack.outputs.into_iter().map(|it| (it.key, it.value)).collect(), is_public))
}

/// The place of a database of the serverless deployment.
///
/// # Errors
/// When Terraform cannot be asked, or an output is missing.
pub async fn serverless(folder: &Path, database: Database, role: Role) -> anyhow::Result<Place> {
    Ok(place::serverless(&terraform(folder).await?, database, role)?)
}

/// The outputs that `terraform output` knows in a folder.
///
/// # Errors
/// When Terraform is missing, or fails.
pub async fn terraform(folder: &Path) -> anyhow::Result<Outputs> {
    let mut command = Command::new("terraform");
    command.arg(format!("-chdir={}", folder.display())).args(["output", "-json", "-no-color"]);
    let out = match command.kill_on_drop(true).output().await {
        Err(err) if err.kind() == ErrorKind::NotFound => {
            bail!("`terraform` was not found; install it, or name the way with --target and --host")
        }
        other => other.context("run terraform output")?,
    };
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        bail!("`terraform output` failed in {}: {}", folder.display(), said.trim());
    }
    parse(&out.stdout)
}

/// What is not text is written as JSON; what is null counts as missing.
fn parse(json: &[u8]) -> anyhow::Result<Outputs> {
    let outputs: Value = serde_json::from_slice(json).context("read what terraform output prints")?;
    let entries = outputs.as_object().into_iter().flatten();
    Ok(entries
        .filter_map(|(name, output)| match &output["value"] {
            Value::Null => None,
            Value::String(text) => Some((name.clone(), text.clone())),
            other => Some((name.clone(), other.to_string())),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_of_every_type_are_read() {
        let json =
            br#"{"a":{"sensitive":false,"type":"string","value":"x"},"b":{"value":5432},"c":{"value":null}}"#;
        let outputs = parse(json).unwrap();
        assert_eq!(
            outputs.into_iter().collect::<Vec<_>>(),
            [("a".into(), "x".into()), ("b".into(), "5432".into())]
        );
        assert!(parse(b"{}").unwrap().is_empty());
        assert!(parse(b"warning").is_err());
    }

    /// The real program on a state without a provider, where it is installed.
    #[tokio::test]
    async fn outputs_of_a_real_state_are_read_and_missing_ones_explained() {
        let dir = tempfile::tempdir().unwrap();
        let text = "output \"database_endpoint\" {\n  value = \"db.example.com\"\n}\n\
                    output \"database_port\" {\n  value = 5432\n}\noutput \"database_proxy_endpoint\" {\n  value = null\n}\n";
        std::fs::write(dir.path().join("main.tf"), text).unwrap();
        let mut apply = Command::new("terraform");
        apply
            .args(["apply", "-auto-approve", "-input=false"])
            .current_dir(dir.path())
            .env("CHECKPOINT_DISABLE", "1");
        match apply.output().await {
            Err(err) if err.kind() == ErrorKind::NotFound => return,
            out => assert!(out.unwrap().status.success()),
        }
        let outputs = terraform(dir.path()).await.unwrap();
        assert_eq!(
            (outputs["database_endpoint"].as_str(), outputs["database_port"].as_str()),
            ("db.example.com", "5432")
        );
        assert!(!outputs.contains_key("database_proxy_endpoint"));
        let err = serverless(dir.path(), Database::Proxy, Role::Iam).await.unwrap_err().to_string();
        assert_eq!(err, "the deployment has no proxy; set database_proxy_enabled = true and apply");
        let nothing = tempfile::tempdir().unwrap();
        let err = serverless(nothing.path(), Database::Aurora, Role::Iam).await.unwrap_err().to_string();
        assert!(err.contains("nothing was applied with this state"), "{err}");
        let nowhere = terraform(Path::new("/nowhere")).await.unwrap_err().to_string();
        assert!(nowhere.starts_with("`terraform output` failed in /nowhere"), "{nowhere}");
    }
}
