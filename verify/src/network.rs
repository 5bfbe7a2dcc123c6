//! Ports that nobody may reach from where the checks run.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{net::TcpStream, time::timeout};

use super::{
    check::{Check, Context, Verdict, fail, skip},
    subject::Closed,
};

/// A port that drops packets never answers; one that is open does so within this time from anywhere.
const WAIT: Duration = Duration::from_secs(4);

/// The checks.
pub const CHECKS: &[Check] = &[Check {
    name: "databases-closed",
    what: "databases cannot be reached from outside",
    how: |it| Box::pin(closed(&it.subject.closed_ports, "no address from outside is known")),
}];

/// Where a server has a separate admin address.
pub const ON_HOST: &[Check] = &[Check {
    name: "admin-closed",
    what: "the admin server cannot be reached from outside",
    how: |it| Box::pin(admin(it)),
}];

async fn admin(it: &Context<'_>) -> Verdict {
    closed(&it.subject.admin_ports, "no address from outside is known").await
}

/// Fails when one of the ports takes a connection; says which.
async fn closed(ports: &[Closed], without: &str) -> Verdict {
    if ports.is_empty() {
        return skip(without);
    }
    let opened = join_all(ports.iter().map(is_open)).await;
    let open: Vec<String> = ports
        .iter()
        .zip(opened)
        .filter(|(_, is_open)| *is_open)
        .map(|(it, _)| format!("{} answers at {}:{}", it.what, it.host, it.port))
        .collect();
    if open.is_empty() { Ok(()) } else { fail(open.join("\n")) }
}

/// A name that does not resolve here is as closed as can be.
async fn is_open(port: &Closed) -> bool {
    let connected = timeout(WAIT, TcpStream::connect((port.host.as_str(), port.port))).await;
    matches!(connected, Ok(Ok(_)))
}
