//! `pgapp-api --animals`: the app on a port of this machine.

use std::process::Stdio;
use std::time::Duration;

use local_stack::testing::TestCluster;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::door::{Call, Door, Reply};
use super::{contract, database};

/// The server, ended when dropped.
struct Local {
    address: String,
    child: Child,
}

fn command(variables: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgapp-api"));
    command.args(["--animals", "--animals-port", "0"]).env_clear();
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Local {
    async fn start(variables: &[(&'static str, String)]) -> Self {
        let mut child = command(variables).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.unwrap();
        let line: Value = serde_json::from_str(&line.unwrap().unwrap()).unwrap();
        assert_eq!(
            (line["level"].as_str(), line["fields"]["message"].as_str()),
            (Some("INFO"), Some("listening"))
        );
        let address = line["fields"]["address"].as_str().unwrap().to_owned();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { address, child }
    }
}

impl Door for Local {
    async fn knock(&self, call: Call) -> Reply {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let query = call.query_string();
        let target = if query.is_empty() { call.path } else { format!("{}?{query}", call.path) };
        let body = call.body.unwrap_or_default();
        let (method, n) = (call.method, body.len());
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {n}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        Reply { status, headers, body: body.to_owned() }
    }
}

#[tokio::test]
async fn server_holds_the_contract_and_ends_at_a_signal() {
    let cluster = TestCluster::shared().await.unwrap();
    let db = database::with_table(cluster).await;
    let mut server = Local::start(&database::variables(cluster, &db, cluster.server().port())).await;
    contract::hold(&server).await;

    let too_large = server.knock(Call::new("POST", "/animals").body(vec![b' '; 7 * 1024 * 1024])).await;
    assert_eq!((too_large.status, too_large.message()), (413, "The request is too large.".to_owned()));

    let pid = nix::unistd::Pid::from_raw(server.child.id().unwrap().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(30), server.child.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn missing_settings_end_the_server_with_their_name() {
    let output = command(&[("DB_HOST", "localhost".to_owned())]).output().await.unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "pgapp-api: DB_NAME is not set\n");
}
