//! The hybrid deployment, from the outputs of its stacks.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use deployment_outputs::Stacks;
use infra_cfn::Stack;

use super::{Bucket, Closed, Detour, Subject, Target, clean_url};

/// Outputs by stack and name.
pub type Outputs = BTreeMap<Stack, BTreeMap<String, String>>;

/// Reads the outputs of the stacks that exist.
///
/// # Errors
/// When CloudFormation cannot be asked.
pub async fn outputs(stacks: &Stacks, prefix: &str) -> anyhow::Result<Outputs> {
    let mut found = Outputs::new();
    for stack in Stack::ALL {
        let name = stack.stack_name(prefix);
        if let Some(info) = stacks.find(&name).await.with_context(|| format!("look at stack {name}"))? {
            found.insert(stack, info.outputs);
        }
    }
    Ok(found)
}

/// What these outputs describe. With an emulator's endpoint, buckets are addressed there; with a detour, the load balancer.
///
/// # Errors
/// When the compute stack is not there and no address was given.
pub fn subject(
    outputs: &Outputs,
    url: Option<&str>,
    emulator: Option<&str>,
    detour: Option<Detour>,
) -> anyhow::Result<Subject> {
    let get = |stack: Stack, key: &str| outputs.get(&stack).and_then(|it| it.get(key)).map(String::as_str);
    let Some(url) = url.or(get(Stack::Compute, "ApiUrl")) else {
        bail!(
            "the compute stack is not deployed; `cargo xtask deploy --all` does that, --url names another API"
        );
    };
    let mut subject = Subject {
        target: Target::Hybrid,
        url: clean_url(url),
        detour,
        patience: Duration::from_secs(60),
        not_aws: emulator.map(|it| format!("{it} is an emulator")),
        ..Subject::default()
    };
    // The API's own host first: whatever listens beside it is meant for nobody.
    let endpoint = subject.endpoint().map_err(anyhow::Error::msg)?;
    let host = subject.detour.as_ref().map_or(endpoint.host, |it| it.host.clone());
    let at = |what: &str, host: &str, port| Closed { what: what.to_owned(), host: host.to_owned(), port };
    if !subject.is_local() {
        subject.closed_ports.push(at("custom database, by the load balancer", &host, 5432));
        subject.closed_ports.push(at("SSH, by the load balancer", &host, 22));
        subject.admin_ports.push(at("admin server, by the load balancer", &host, 3001));
    }
    for (what, stack, output) in [
        ("origin database", Stack::Rds, "PsqlConnection"),
        ("custom database", Stack::Compute, "CustomDBConnection"),
    ] {
        if let Some((host, port)) = get(stack, output).and_then(server_of) {
            subject.closed_ports.push(at(what, &host, port));
        }
    }
    if let Some(name) = get(Stack::S3, "TemplateBucketName") {
        let url = match emulator {
            Some(endpoint) => format!("{}/{name}", clean_url(endpoint)),
            None => clean_url(get(Stack::S3, "TemplateBucketUrl").unwrap_or_default()),
        };
        let private_keys = ["compute.json", "rds.json", "params/rds.json"].map(str::to_owned).to_vec();
        subject.buckets.push(Bucket { url, private_keys, public_key: Some("vpc.yaml".to_owned()) });
    }
    Ok(subject)
}

/// Host and port of a connection string.
fn server_of(url: &str) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(url).ok()?;
    Some((url.host_str()?.to_owned(), url.port().unwrap_or(5432)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployed() -> Outputs {
        let of = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Outputs::from([
            (
                Stack::Compute,
                of(&[
                    ("ApiUrl", "https://api.example.com"),
                    ("CustomDBConnection", "postgresql://app@customdb.pg.internal:5432/app"),
                ]),
            ),
            (
                Stack::Rds,
                of(&[(
                    "PsqlConnection",
                    "postgresql://a@db.abc.us-east-1.rds.amazonaws.com:5433/d?sslmode=verify-full",
                )]),
            ),
            (
                Stack::S3,
                of(&[
                    ("TemplateBucketName", "b"),
                    ("TemplateBucketUrl", "https://b.s3.us-east-1.amazonaws.com/"),
                ]),
            ),
        ])
    }

    #[test]
    fn outputs_say_what_must_be_closed() {
        let subject = subject(&deployed(), None, None, None).unwrap();
        assert_eq!(subject.url, "https://api.example.com");
        let closed: Vec<_> =
            subject.closed_ports.iter().map(|it| format!("{}:{}", it.host, it.port)).collect();
        assert_eq!(
            closed,
            [
                "api.example.com:5432",
                "api.example.com:22",
                "db.abc.us-east-1.rds.amazonaws.com:5433",
                "customdb.pg.internal:5432"
            ]
        );
        assert_eq!(subject.admin_ports.len(), 1);
        assert_eq!(subject.buckets[0].url, "https://b.s3.us-east-1.amazonaws.com");
    }

    #[test]
    fn a_detour_is_where_the_load_balancer_is_tried() {
        let at = |host: &str, address: &str| Detour {
            host: host.to_owned(),
            addresses: vec![address.parse().unwrap()],
        };
        let balancer = at("lb.us-east-1.elb.amazonaws.com", "192.0.2.1:0");
        let subject = subject(&deployed(), None, None, Some(balancer)).unwrap();
        assert_eq!(subject.url, "https://api.example.com");
        assert_eq!(subject.admin_ports[0].host, "lb.us-east-1.elb.amazonaws.com");
        // Whatever else runs on this machine is not the deployment's.
        let here = super::subject(&deployed(), None, None, Some(at("localhost", "127.0.0.1:8443"))).unwrap();
        assert!(here.admin_ports.is_empty() && here.closed_ports.len() == 2);
    }

    #[test]
    fn an_emulator_has_its_buckets_by_path() {
        let subject =
            subject(&deployed(), Some("http://127.0.0.1:1/"), Some("http://127.0.0.1:4566/"), None).unwrap();
        assert_eq!(subject.buckets[0].url, "http://127.0.0.1:4566/b");
        assert!(subject.not_aws.is_some());
    }

    #[test]
    fn without_a_stack_an_address_is_needed() {
        assert!(subject(&Outputs::new(), None, None, None).is_err());
        assert!(subject(&Outputs::new(), Some("http://127.0.0.1:3000"), None, None).is_ok());
    }
}
