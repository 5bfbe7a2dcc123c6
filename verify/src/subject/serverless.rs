//! The serverless deployment, from the outputs of its Terraform configuration.

use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

use super::{Bucket, Closed, Subject, Target, clean_url};

/// Whether the configuration wants its pipeline to try the API.
pub fn is_wanted(outputs: &Value) -> bool {
    outputs["verify_after_deployment"]["value"].as_bool().unwrap_or(true)
}

/// What these outputs describe.
///
/// # Errors
/// When nothing was applied and no address was given.
pub fn subject(
    outputs: &Value,
    environment: &str,
    url: Option<&str>,
    region: Option<&str>,
    emulator: Option<&str>,
) -> anyhow::Result<Subject> {
    let get = |key: &str| outputs[key]["value"].as_str().filter(|it| !it.is_empty());
    let Some(url) = url.or(get("api_gateway_invoke_url")) else {
        bail!("nothing was applied yet; `cargo xtask tf apply` does that, --url names another API");
    };
    let port =
        outputs["database_port"]["value"].as_u64().and_then(|it| u16::try_from(it).ok()).unwrap_or(5432);
    let mut hosts: Vec<(&str, &str)> = Vec::new();
    for (key, what) in [
        ("database_endpoint", "database, writer"),
        ("database_reader_endpoint", "database, readers"),
        ("database_proxy_endpoint", "database proxy"),
    ] {
        hosts.extend(get(key).map(|host| (host, what)));
    }
    let closed = |(host, what): (&str, &str)| Closed { what: what.to_owned(), host: host.to_owned(), port };
    let buckets = get("state_bucket_name").map(|name| {
        let url = match (emulator, region) {
            (Some(endpoint), _) => format!("{}/{name}", clean_url(endpoint)),
            (None, Some(region)) => format!("https://{name}.s3.{region}.amazonaws.com"),
            (None, None) => format!("https://{name}.s3.amazonaws.com"),
        };
        // An environment that was applied before the output existed has its state at the usual place.
        let usual = format!("infra-tf/{environment}/terraform.tfstate");
        let private_keys = vec![get("state_key").map_or(usual, ToOwned::to_owned)];
        Bucket { url, private_keys, public_key: None }
    });
    Ok(Subject {
        target: Target::Serverless,
        url: clean_url(url),
        patience: Duration::from_secs(90),
        closed_ports: hosts.into_iter().map(closed).collect(),
        buckets: buckets.into_iter().collect(),
        not_aws: emulator.map(|it| format!("{it} is an emulator")),
        ..Subject::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn outputs_say_what_must_be_closed() {
        let outputs = json!({
            "api_gateway_invoke_url": {"value": "https://x.execute-api.us-east-1.amazonaws.com/v1"},
            "database_endpoint": {"value": "w.rds.amazonaws.com"},
            "database_proxy_endpoint": {"value": null},
            "database_port": {"value": 5432},
            "state_bucket_name": {"value": "state"},
            "verify_after_deployment": {"value": false},
        });
        let subject = subject(&outputs, "dev", None, Some("us-east-1"), None).unwrap();
        assert_eq!(subject.url, "https://x.execute-api.us-east-1.amazonaws.com/v1");
        assert_eq!(subject.closed_ports.len(), 1);
        assert_eq!(subject.buckets[0].url, "https://state.s3.us-east-1.amazonaws.com");
        assert!(!is_wanted(&outputs));
    }

    #[test]
    fn without_outputs_an_address_is_needed() {
        assert!(subject(&json!({}), "dev", None, None, None).is_err());
        let given = subject(&json!({}), "dev", Some("https://example.com/v1/"), None, None).unwrap();
        assert_eq!(given.url, "https://example.com/v1");
        assert!(is_wanted(&json!({})));
    }
}
