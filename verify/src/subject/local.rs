//! The local stack, from its own status.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use local_stack::{Database, Stack, StackName};

use super::{Closed, LocalDatabase, Subject, Target, clean_url};

/// Reads the status of a stack of the project at `root`; everything has to run.
///
/// # Errors
/// When the stack is not there, or a service of it does not run.
pub async fn find(root: &Path, name: &str, url: Option<&str>) -> anyhow::Result<Subject> {
    let name: StackName = name.parse().context("read --name")?;
    let stack = Stack::new(root, name.clone(), Arc::new(|_| {}));
    let status = stack.status().await.context("find the local stack (`cargo xtask up` starts it)")?;
    let down: Vec<String> = status
        .services
        .iter()
        .filter(|it| it.state != local_stack::ServiceState::Running)
        .map(|it| it.name.to_string())
        .collect();
    if !down.is_empty() && url.is_none() {
        bail!("stack \"{name}\" is not up ({}); `cargo xtask up` starts it", down.join(", "));
    }
    let config = stack.config()?;
    let mut databases = Vec::new();
    for database in Database::ALL {
        databases.push(LocalDatabase {
            service: database.service().as_str(),
            port: stack.connection(database)?.port,
            user: database.user(),
            password: database.password(),
            dbname: database.dbname(),
            is_served: database == Database::Custom,
        });
    }
    let elsewhere = other_addresses();
    let at_each = |what: &str, port: u16| -> Vec<Closed> {
        elsewhere.iter().map(|it| Closed { what: what.to_owned(), host: it.to_string(), port }).collect()
    };
    Ok(Subject {
        target: Target::Local,
        url: url.map_or_else(|| format!("http://127.0.0.1:{}", config.api_port), clean_url),
        patience: Duration::from_secs(15),
        jwt_secret: Some(stack.jwt_secret()?),
        superuser: Some(Database::Custom.user().to_owned()),
        closed_ports: databases.iter().flat_map(|it| at_each(it.service, it.port)).collect(),
        admin_ports: config.admin_port.map(|port| at_each("admin server", port)).unwrap_or_default(),
        databases,
        ..Subject::default()
    })
}

/// Addresses by which other machines know this one: what a local service must not listen on.
pub fn other_addresses() -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = nix::ifaddrs::getifaddrs()
        .into_iter()
        .flatten()
        .filter_map(|it| {
            let address = it.address?;
            let v4 = address.as_sockaddr_in().map(|it| SocketAddr::from(std::net::SocketAddrV4::from(*it)));
            // Link-local ones of IPv6 need a zone and are left out.
            v4.map(|it| it.ip())
        })
        .filter(|it| !it.is_loopback() && !it.is_unspecified())
        .collect();
    found.sort();
    found.dedup();
    found
}
