//! What Terraform says of an environment.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::PathBuf,
    process::Stdio,
};

use serde_json::Value;
use tokio::process::Command;

/// An environment of a Terraform configuration, as `cargo xtask tf` keeps them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Folder of the configuration.
    pub folder: PathBuf,
    /// Name.
    pub name: String,
}

/// Why Terraform gives no outputs.
#[derive(Debug, thiserror::Error)]
pub enum TerraformError {
    /// Terraform is not installed.
    #[error(
        "`terraform` was not found, which knows where the deployment is; install it \
         (https://developer.hashicorp.com/terraform/install), or tell a tunnel its way with --target and --host"
    )]
    NotInstalled,
    /// Terraform could not be started.
    #[error("run terraform output")]
    Run(#[source] io::Error),
    /// Terraform knows no outputs.
    #[error(
        "`terraform output` failed in {folder}; `cargo xtask tf init --env {environment}` connects to the state: {said}"
    )]
    Failed {
        /// Folder of the configuration.
        folder: PathBuf,
        /// Environment.
        environment: String,
        /// Terraform's own words.
        said: String,
    },
    /// Terraform printed something else than JSON.
    #[error("read what terraform output prints")]
    Output(#[source] serde_json::Error),
}

/// What `terraform output -json` prints in an environment: an object of outputs by name.
///
/// # Errors
/// When Terraform is missing, or fails.
pub async fn outputs(environment: &Environment) -> Result<Value, TerraformError> {
    let Environment { folder, name } = environment;
    let mut command = Command::new("terraform");
    // Where `cargo xtask tf init` leaves what it knows; who calls terraform without it has one environment only.
    let data = folder.join(".terraform").join(name);
    if data.join("terraform.tfstate").is_file() && std::env::var_os("TF_DATA_DIR").is_none() {
        command.env("TF_DATA_DIR", std::path::absolute(&data).map_err(TerraformError::Run)?);
    }
    command.arg(format!("-chdir={}", folder.display())).args(["output", "-json", "-no-color"]);
    let out = match command.stdin(Stdio::null()).kill_on_drop(true).output().await {
        Err(err) if err.kind() == ErrorKind::NotFound => return Err(TerraformError::NotInstalled),
        other => other.map_err(TerraformError::Run)?,
    };
    if !out.status.success() {
        return Err(TerraformError::Failed {
            folder: folder.clone(),
            environment: name.clone(),
            said: String::from_utf8_lossy(&out.stderr).trim().to_owned(),
        });
    }
    serde_json::from_slice(&out.stdout).map_err(TerraformError::Output)
}

/// Outputs as text: what is none is written as JSON; what is null counts as missing.
pub fn texts(outputs: &Value) -> BTreeMap<String, String> {
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
        let read = texts(&outputs(&of(dir.path())).await.unwrap());
        assert_eq!(
            (read["database_endpoint"].as_str(), read["database_port"].as_str()),
            ("db.example.com", "5432")
        );
        assert!(!read.contains_key("database_proxy_endpoint"));
        let nothing = tempfile::tempdir().unwrap();
        let err = outputs(&of(nothing.path())).await.map(|it| texts(&it));
        assert!(err.is_ok_and(|it| it.is_empty()));
        let nowhere = outputs(&of("/nowhere".as_ref())).await.unwrap_err().to_string();
        assert!(
            nowhere.starts_with("`terraform output` failed in /nowhere; `cargo xtask tf init"),
            "{nowhere}"
        );
    }
}
