//! As much of ECS as the story needs: what a task definition says a container gets, secrets included, and nothing else.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use super::front::plain_client;

/// A container as its task definition describes it.
pub(super) struct Container {
    definition: Value,
    /// Its environment, with the values of its secrets.
    pub(super) variables: BTreeMap<String, String>,
}

/// A field, whichever way the emulator spells it.
fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    match &value[name] {
        Value::Null => {
            let (first, rest) = name.split_at(1);
            &value[format!("{}{rest}", first.to_uppercase())]
        }
        found => found,
    }
}

/// Calls a service of the emulator; it checks no signature, but routes by what a signature names.
async fn call(endpoint: &str, service: &str, target: &str, input: &Value) -> Value {
    let credential = format!("Credential=test/20260101/us-east-1/{service}/aws4_request");
    let sent = plain_client()
        .post(endpoint)
        .header("x-amz-target", target)
        .header("authorization", format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"))
        .header("content-type", "application/x-amz-json-1.1")
        .body(input.to_string())
        .send()
        .await
        .expect("the emulator answers");
    serde_json::from_str(&sent.text().await.expect("a body")).expect("JSON")
}

/// The text of a secret.
pub(super) async fn secret(endpoint: &str, id: &str) -> Value {
    let input = json!({ "SecretId": id });
    let answer = call(endpoint, "secretsmanager", "secretsmanager.GetSecretValue", &input).await;
    let text = answer["SecretString"].as_str().unwrap_or_else(|| panic!("no secret {id}: {answer}"));
    serde_json::from_str(text).expect("a secret of JSON")
}

impl Container {
    /// Reads a container of a task family.
    pub(super) async fn find(endpoint: &str, family: &str, name: &str) -> Self {
        let target = "AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition";
        let answer = call(endpoint, "ecs", target, &json!({ "taskDefinition": family })).await;
        let all = answer["taskDefinition"]["containerDefinitions"].as_array();
        let all = all.unwrap_or_else(|| panic!("no task definition {family}: {answer}"));
        let definition = all.iter().find(|it| field(it, "name") == name).expect("the container").clone();
        let mut variables = BTreeMap::new();
        let text = |it: &Value, name: &str| field(it, name).as_str().expect("text").to_owned();
        for it in field(&definition, "environment").as_array().into_iter().flatten() {
            variables.insert(text(it, "name"), text(it, "value"));
        }
        for it in field(&definition, "secrets").as_array().into_iter().flatten() {
            // ID:KEY:: is a field of the newest version.
            let from = text(it, "valueFrom");
            let (id, key) = from.trim_end_matches(':').rsplit_once(':').expect("a field of a secret");
            let value = secret(endpoint, id).await[key].as_str().expect("the field").to_owned();
            variables.insert(text(it, "name"), value);
        }
        Self { definition, variables }
    }

    /// Runs its command to the end, as a container that is not essential does.
    pub(super) async fn run(&self, more: &[(&str, &str)]) {
        let words = |name: &str| -> Vec<String> {
            let list = field(&self.definition, name).as_array().into_iter().flatten();
            list.map(|it| it.as_str().expect("text").to_owned()).collect()
        };
        let line = [words("entryPoint"), words("command")].concat();
        let output = Command::new(&line[0])
            .args(&line[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(&self.variables)
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .output()
            .await
            .expect("the command starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
