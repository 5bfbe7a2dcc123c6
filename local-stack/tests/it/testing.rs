//! The test harness itself.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use local_stack::cluster::StopMode;
use local_stack::testing::{ChaosProxy, Link, NativeServer, TestCluster};

#[tokio::test]
async fn databases_of_one_template_do_not_see_each_other() {
    let cluster = TestCluster::shared().await.unwrap();
    let fill = async |client: tokio_postgres::Client| {
        client.batch_execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1)").await.unwrap();
    };
    let template = cluster.template("one_table", fill).await.unwrap();
    let again = cluster.template("one_table", async |_| panic!("a template is made once")).await.unwrap();
    let (a, b) =
        (cluster.create_db(Some(&template)).await.unwrap(), cluster.create_db(Some(&again)).await.unwrap());
    a.connect().await.unwrap().batch_execute("DELETE FROM t").await.unwrap();
    let n: i64 = b.connect().await.unwrap().query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(n, 1);
}

#[tokio::test]
async fn tcp_demands_the_password() {
    let cluster = TestCluster::shared().await.unwrap();
    let mut config = cluster.config("postgres");
    config.password("wrong");
    let error = config.connect(tokio_postgres::NoTls).await.map(drop).unwrap_err();
    assert_eq!(error.code(), Some(&tokio_postgres::error::SqlState::INVALID_PASSWORD));
}

#[tokio::test]
async fn a_killed_server_starts_again_with_its_data() {
    let cluster = TestCluster::start().await.unwrap();
    let client = cluster.connect("postgres").await.unwrap();
    client.batch_execute("CREATE TABLE kept (x int)").await.unwrap();
    cluster.server().kill().await.unwrap();
    assert!(client.batch_execute("SELECT 1").await.is_err());
    cluster.server().start().await.unwrap();
    cluster.connect("postgres").await.unwrap().batch_execute("SELECT * FROM kept").await.unwrap();
    cluster.server().stop(StopMode::Fast).await.unwrap();
    assert!(cluster.connect("postgres").await.is_err());
}

#[tokio::test]
async fn a_dropped_server_leaves_neither_process_nor_folder() {
    let server = NativeServer::builder().setting("work_mem", "5MB").start().await.unwrap();
    let dir = server.socket_dir().unwrap().to_owned();
    let pid = std::fs::read_to_string(dir.join("data/postmaster.pid")).unwrap();
    let pid: u32 = pid.lines().next().unwrap().parse().unwrap();
    drop(server);
    assert!(!dir.exists());
    assert!(local_stack::process::ProcessIdentity::of(pid).is_none());
}

/// Run as a child of the next test: says where its server is, then waits to be killed.
#[tokio::test]
async fn child_that_holds_a_server() {
    let Some(report) = std::env::var_os("PGAPP_TEST_REPORT_TO").map(PathBuf::from) else { return };
    let server = NativeServer::builder().start().await.unwrap();
    std::fs::write(&report, server.socket_dir().unwrap().to_str().unwrap()).unwrap();
    std::fs::rename(&report, report.with_extension("ready")).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_test_process_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("dir");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "testing::child_that_holds_a_server"])
        .env("PGAPP_TEST_REPORT_TO", &report)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = report.with_extension("ready");
    until("the child reports its server", || ready.exists()).await;
    let dir = PathBuf::from(std::fs::read_to_string(&ready).unwrap());
    assert!(dir.join("data/postmaster.pid").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    until("the janitor has removed the server", || !dir.exists()).await;
}

#[tokio::test]
async fn chaos_proxy_stands_between_client_and_server() {
    let cluster = TestCluster::shared().await.unwrap();
    let target =
        (cluster.server().host().parse::<std::net::IpAddr>().unwrap(), cluster.server().port()).into();
    let proxy = ChaosProxy::start(target).await.unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(proxy.address().port()).dbname("postgres");
    config.user(cluster.server().superuser()).password(cluster.server().password());
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SELECT 1").await.unwrap();
    proxy.cut();
    assert!(client.batch_execute("SELECT 1").await.is_err());
    proxy.set(Link::Refused).await;
    assert!(config.connect(tokio_postgres::NoTls).await.is_err());
    proxy.set(Link::Up).await;
    drop(config.connect(tokio_postgres::NoTls).await.unwrap());
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
