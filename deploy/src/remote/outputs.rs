//! Reads the outputs of a deployment: of its stacks, or of Terraform's state.

use std::{io::ErrorKind, path::PathBuf, process::Stdio};

use serde_json::Value;
use tokio::process::Command;

use super::{
    error::{RemoteError, RemoteResult},
    place::{self, Database, Outputs, Place, Role},
};
use crate::cloud::Cloud;

/// The place of a database of the hybrid deployment.
///
/// # Errors
/// When a stack is missing, or one of its outputs.
pub async fn hybrid(cloud: &impl Cloud, prefix: &str, database: Database) -> RemoteResult<Place> {
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
pub async fn authenticator_secret(cloud: &impl Cloud, prefix: &str) -> RemoteResult<String> {
    let (persist, _) = stack(cloud, prefix, "persist").await?;
    output(&persist, "persist", "AuthenticatorSecret")
}

/// The secret with the login of the custom database at the origin.
///
/// # Errors
/// When the stack or the output is missing.
pub async fn fdw_secret(cloud: &impl Cloud, prefix: &str) -> RemoteResult<String> {
    let (rds, _) = stack(cloud, prefix, "rds").await?;
    output(&rds, "rds", "FdwSecret")
}

fn output(outputs: &Outputs, short: &'static str, output: &'static str) -> RemoteResult<String> {
    outputs.get(output).cloned().ok_or(RemoteError::NoOutput { short, output })
}

/// Outputs of a stack, and whether it was made for a public database.
async fn stack(cloud: &impl Cloud, prefix: &str, name: &'static str) -> RemoteResult<(Outputs, bool)> {
    let stack_name = format!("{prefix}-{name}");
    let found = cloud.stack(&stack_name).await;
    let found = found.map_err(|source| RemoteError::ReadStack { stack: stack_name.clone(), source })?;
    let stack = found.ok_or(RemoteError::NoStack { stack: stack_name, short: name })?;
    let is_public = stack.parameters.get("PubliclyAccessible").is_some_and(|it| it == "true");
    Ok((stack.outputs.into_iter().map(|it| (it.key, it.value)).collect(), is_public))
}

/// An environment of a Terraform configuration, as `cargo xtask tf` keeps them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Folder of the configuration.
    pub folder: PathBuf,
    /// Name.
    pub name: String,
}

/// The place of a database of the serverless deployment.
///
/// # Errors
/// When Terraform cannot be asked, or an output is missing.
pub async fn serverless(environment: &Environment, database: Database, role: Role) -> RemoteResult<Place> {
    Ok(place::serverless(&texts(&terraform(environment).await?), database, role)?)
}

/// What `terraform output -json` prints in an environment: an object of outputs by name.
///
/// # Errors
/// When Terraform is missing, or fails.
pub async fn terraform(environment: &Environment) -> RemoteResult<Value> {
    let Environment { folder, name } = environment;
    let mut command = Command::new("terraform");
    // Where `cargo xtask tf init` leaves what it knows; who calls terraform without it has one environment only.
    let data = folder.join(".terraform").join(name);
    if data.join("terraform.tfstate").is_file() && std::env::var_os("TF_DATA_DIR").is_none() {
        command.env("TF_DATA_DIR", std::path::absolute(&data).map_err(RemoteError::RunTerraform)?);
    }
    command.arg(format!("-chdir={}", folder.display())).args(["output", "-json", "-no-color"]);
    let out = match command.stdin(Stdio::null()).kill_on_drop(true).output().await {
        Err(err) if err.kind() == ErrorKind::NotFound => return Err(RemoteError::NoTerraform),
        other => other.map_err(RemoteError::RunTerraform)?,
    };
    if !out.status.success() {
        return Err(RemoteError::Terraform {
            folder: folder.clone(),
            environment: name.clone(),
            said: String::from_utf8_lossy(&out.stderr).trim().to_owned(),
        });
    }
    serde_json::from_slice(&out.stdout).map_err(RemoteError::TerraformOutput)
}

/// Outputs as text: what is none is written as JSON; what is null counts as missing.
pub fn texts(outputs: &Value) -> Outputs {
    let entries = outputs.as_object().into_iter().flatten();
    entries
        .filter_map(|(name, output)| match &output["value"] {
            Value::Null => None,
            Value::String(text) => Some((name.clone(), text.clone())),
            other => Some((name.clone(), other.to_string())),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outputs_of_every_type_are_read() {
        let outputs = json!({"a":{"sensitive":false,"type":"string","value":"x"},"b":{"value":5432},"c":{"value":null}});
        assert_eq!(
            texts(&outputs).into_iter().collect::<Vec<_>>(),
            [("a".into(), "x".into()), ("b".into(), "5432".into())]
        );
        assert!(texts(&json!({})).is_empty());
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
        let of = |folder: &std::path::Path| Environment { folder: folder.to_owned(), name: "dev".into() };
        let outputs = texts(&terraform(&of(dir.path())).await.unwrap());
        assert_eq!(
            (outputs["database_endpoint"].as_str(), outputs["database_port"].as_str()),
            ("db.example.com", "5432")
        );
        assert!(!outputs.contains_key("database_proxy_endpoint"));
        let err = serverless(&of(dir.path()), Database::Proxy, Role::Iam).await.unwrap_err().to_string();
        assert_eq!(err, "the deployment has no proxy; set database_proxy_enabled = true and apply");
        let nothing = tempfile::tempdir().unwrap();
        let err = serverless(&of(nothing.path()), Database::Aurora, Role::Iam).await.unwrap_err().to_string();
        assert!(err.contains("nothing was applied with this state"), "{err}");
        let nowhere = terraform(&of("/nowhere".as_ref())).await.unwrap_err().to_string();
        assert!(
            nowhere.starts_with("`terraform output` failed in /nowhere; `cargo xtask tf init"),
            "{nowhere}"
        );
    }
}
