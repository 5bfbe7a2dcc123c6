//! Reads the outputs of a deployment: of its stacks, or of Terraform's state.

use deployment_outputs::{
    Environment, Stacks,
    terraform::{self, texts},
};

use super::{
    error::{RemoteError, RemoteResult},
    place::{self, Database, Outputs, Place, Role},
};

/// The place of a database of the hybrid deployment.
///
/// # Errors
/// When a stack is missing, or one of its outputs.
pub async fn hybrid(stacks: &Stacks, prefix: &str, database: Database) -> RemoteResult<Place> {
    let compute = stack(stacks, prefix, "compute").await;
    Ok(match database {
        Database::Compute => place::compute(&stack(stacks, prefix, "persist").await?.0, &compute?.0)?,
        _ => {
            let (rds, is_public) = stack(stacks, prefix, "rds").await?;
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
pub async fn authenticator_secret(stacks: &Stacks, prefix: &str) -> RemoteResult<String> {
    let (persist, _) = stack(stacks, prefix, "persist").await?;
    output(&persist, "persist", "AuthenticatorSecret")
}

/// The secret with the login of the custom database at the origin.
///
/// # Errors
/// When the stack or the output is missing.
pub async fn fdw_secret(stacks: &Stacks, prefix: &str) -> RemoteResult<String> {
    let (rds, _) = stack(stacks, prefix, "rds").await?;
    output(&rds, "rds", "FdwSecret")
}

fn output(outputs: &Outputs, short: &'static str, output: &'static str) -> RemoteResult<String> {
    outputs.get(output).cloned().ok_or(RemoteError::NoOutput { short, output })
}

/// Outputs of a stack, and whether it was made for a public database.
async fn stack(stacks: &Stacks, prefix: &str, name: &'static str) -> RemoteResult<(Outputs, bool)> {
    let stack_name = format!("{prefix}-{name}");
    let found = stacks.find(&stack_name).await;
    let found = found.map_err(|source| RemoteError::ReadStack { stack: stack_name.clone(), source })?;
    let stack = found.ok_or(RemoteError::NoStack { stack: stack_name, short: name })?;
    let is_public = stack.parameters.get("PubliclyAccessible").is_some_and(|it| it == "true");
    Ok((stack.outputs, is_public))
}

/// The place of a database of the serverless deployment.
///
/// # Errors
/// When Terraform cannot be asked, or an output is missing.
pub async fn serverless(environment: &Environment, database: Database, role: Role) -> RemoteResult<Place> {
    Ok(place::serverless(&texts(&terraform::outputs(environment).await?), database, role)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The real program on a state without a provider, where it is installed.
    #[tokio::test]
    async fn what_a_real_state_lacks_is_explained() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("main.tf"),
            "output \"database_endpoint\" {\n  value = \"db.example.com\"\n}\n\
             output \"database_port\" {\n  value = 5432\n}\n\
             output \"database_proxy_endpoint\" {\n  value = null\n}\n",
        )
        .unwrap();
        let mut apply = tokio::process::Command::new("terraform");
        apply
            .args(["apply", "-auto-approve", "-input=false"])
            .current_dir(dir.path())
            .env("CHECKPOINT_DISABLE", "1");
        match apply.output().await {
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => return,
            out => assert!(out.unwrap().status.success()),
        }
        let of = |folder: &std::path::Path| Environment { folder: folder.to_owned(), name: "dev".into() };
        let err = serverless(&of(dir.path()), Database::Proxy, Role::Iam).await.unwrap_err().to_string();
        assert_eq!(err, "the deployment has no proxy; set database_proxy_enabled = true and apply");
        let nothing = tempfile::tempdir().unwrap();
        let err = serverless(&of(nothing.path()), Database::Aurora, Role::Iam).await.unwrap_err().to_string();
        assert!(err.contains("nothing was applied with this state"), "{err}");
    }
}
