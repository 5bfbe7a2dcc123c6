//! What is measured: one request and the SQL that answers it with the least effort.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::client::Connection;
use crate::servers::Server;

/// One kind of request. `{}` in path, body and script is replaced by a number that changes with each request.
#[derive(Debug)]
pub(crate) struct Workload {
    /// Name in reports.
    pub(crate) name: &'static str,
    /// Method of the request.
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) path: &'static str,
    /// Body, for writes.
    pub(crate) body: Option<&'static str>,
    /// Text that a right answer holds.
    pub(crate) expect: &'static str,
    /// Status of a right answer.
    pub(crate) status: u16,
    /// The same for `pgbench`.
    pub(crate) script: &'static str,
}

/// Ids run from 1 to this.
pub(crate) const N_IDS: u32 = 10_000;

/// All workloads.
pub(crate) const ALL: &[Workload] = &[
    Workload {
        name: "point",
        method: "GET",
        path: "/customers?id=eq.{}&select=id,name,city,created",
        body: None,
        expect: "\"name\":\"customer ",
        status: 200,
        script: "\\set id random(1, 10000)\nSELECT id, name, city, created FROM customers WHERE id = :id;\n",
    },
    Workload {
        name: "list",
        method: "GET",
        path: "/orders?id=gt.{}&order=id&limit=100&select=id,customer_id,amount,paid,note",
        body: None,
        expect: "\"amount\":",
        status: 200,
        script: "\\set id random(1, 10000)\nSELECT id, customer_id, amount, paid, note FROM orders WHERE id > :id ORDER BY id LIMIT 100;\n",
    },
    Workload {
        name: "embed",
        method: "GET",
        path: "/customers?id=eq.{}&select=id,name,orders(id,amount)",
        body: None,
        expect: "\"orders\":",
        status: 200,
        script: "\\set id random(1, 10000)\nSELECT c.id, c.name, (SELECT coalesce(json_agg(json_build_object('id', o.id, 'amount', o.amount)), '[]') FROM orders o WHERE o.customer_id = c.id) AS orders FROM customers c WHERE c.id = :id;\n",
    },
    Workload {
        name: "function",
        method: "GET",
        path: "/rpc/total_of?customer={}",
        body: None,
        expect: ".",
        status: 200,
        script: "\\set id random(1, 10000)\nSELECT total_of(:id);\n",
    },
    Workload {
        name: "insert",
        method: "POST",
        path: "/events",
        body: Some("{\"kind\":\"click {}\",\"body\":{\"x\":1}}"),
        expect: "",
        status: 201,
        script: "\\set id random(1, 10000)\nINSERT INTO events (kind, body) VALUES ('click ' || :id, '{\"x\":1}');\n",
    },
    Workload {
        name: "foreign",
        method: "GET",
        path: "/stock?id=eq.{}&select=id,item,quantity",
        body: None,
        expect: "\"item\":\"item ",
        status: 200,
        script: "\\set id random(1, 10000)\nSELECT id, item, quantity FROM stock WHERE id = :id;\n",
    },
];

impl Workload {
    /// The request's bytes for one id.
    pub(crate) fn request(&self, id: u32) -> Vec<u8> {
        let path = self.path.replace("{}", &id.to_string());
        let mut text =
            format!("{} {path} HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\n", self.method);
        if let Some(body) = self.body {
            let body = body.replace("{}", &id.to_string());
            text.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        } else {
            text.push_str("\r\n");
        }
        text.into_bytes()
    }
}

/// A contestant that answers wrongly, or less than the others, would win: answers are compared first.
pub(crate) async fn check(workload: &Workload, servers: &[Server]) -> Result<()> {
    let mut first = None;
    for server in servers {
        let mut connection = Connection::open(server.address).await?;
        let answer = connection.exchange(&workload.request(7)).await?;
        let body = String::from_utf8_lossy(&answer.body);
        if answer.status != workload.status || !body.contains(workload.expect) {
            bail!("{} answers {} to {}: {body}", server.name, answer.status, workload.name);
        }
        let value: Option<Value> = serde_json::from_slice(&answer.body).ok();
        match &first {
            None => first = Some(value),
            Some(first) if *first == value => {}
            Some(_) => bail!("{} answers differently to {}: {body}", server.name, workload.name),
        }
    }
    Ok(())
}
