//! A database that hangs, is half there, or wants another password: honest answers in time, and no hands to recover.

use std::time::{Duration, Instant};

use local_stack::testing::{ChaosProxy, Link, TestCluster};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_postgres::Client;

use super::http::{Address, Request, Response};
use super::process::{Builder, DEADLINE, Server, eventually};
use super::{authenticator, database, database_of_its_own, execute};

const ASLEEP: &str = "select pid from pg_stat_activity where wait_event = 'PgSleep'";

fn patient(builder: Builder, hang: &str) -> Builder {
    builder
        .set("ADMIN_SERVER_PORT", 0)
        .set("ADMIN_SERVER_HOST", "127.0.0.1")
        .variable("PGAPP_DB_HANG_TIMEOUT", hang)
        .variable("PGAPP_DB_CONNECT_TIMEOUT", "2")
}

async fn ready(admin: &Address) -> u16 {
    Request::get("/ready").send(admin).await.unwrap().status
}

/// Asks, and has the answer within this time.
async fn get_within(api: &Address, target: &str, limit: Duration) -> Response {
    let started = Instant::now();
    let answer = Request::get(target).send(api).await.unwrap();
    assert!(started.elapsed() < limit, "{target} took {:?}: {}", started.elapsed(), answer.body);
    answer
}

/// Processes that stand still until this is dropped.
struct Stopped(Vec<Pid>);

impl Stopped {
    fn new(pids: Vec<i32>) -> Self {
        let pids: Vec<_> = pids.into_iter().map(Pid::from_raw).collect();
        for pid in &pids {
            kill(*pid, Signal::SIGSTOP).unwrap();
        }
        Self(pids)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

/// The server's processes, the first of all first.
async fn processes(client: &Client) -> Vec<i32> {
    let folder: String = client.query_one("show data_directory", &[]).await.unwrap().get(0);
    let file = std::fs::read_to_string(format!("{folder}/postmaster.pid")).unwrap();
    let postmaster: i32 = file.lines().next().unwrap().parse().unwrap();
    let mut found = vec![postmaster];
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(status) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name, in parentheses, may hold anything.
        let Some((pid, rest)) = status.split_once(" (") else { continue };
        let parent = rest.rsplit(") ").next().and_then(|it| it.split(' ').nth(1)?.parse::<i32>().ok());
        if parent == Some(postmaster) {
            found.push(pid.parse().unwrap());
        }
    }
    found
}

async fn client_of(cluster: &TestCluster) -> Client {
    cluster.connect("postgres").await.unwrap()
}

#[tokio::test]
async fn a_database_that_hangs_is_told_in_time_and_recovers() {
    let (cluster, uri) = database_of_its_own().await;
    let server = patient(Server::over(&uri), "3").start().await;
    let admin = server.admin().await;
    eventually("ready", async || ready(&admin).await == 200).await;
    let client = client_of(&cluster).await;
    let ask = |target: &'static str| {
        let api = server.api().clone();
        tokio::spawn(async move { get_within(&api, target, Duration::from_secs(20)).await })
    };
    // Several connections that are not in use.
    for warm in [0; 6].map(|_| ask("/rpc/sleep?seconds=0.5")) {
        assert_eq!(warm.await.unwrap().status, 204);
    }
    let running = ask("/rpc/sleep?seconds=25");
    eventually("the request runs", async || !client.query(ASLEEP, &[]).await.unwrap().is_empty()).await;
    let stopped = Stopped::new(processes(&client).await);
    let began = Instant::now();
    // Those who come meanwhile ask, and are no sign of life.
    let mut later = Vec::new();
    while !running.is_finished() {
        later.push(ask("/films?limit=1"));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    for later in later {
        assert_eq!(later.await.unwrap().status, 503);
    }
    let answer = running.await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (503, "PGRST001"), "{}", answer.body);
    assert!(began.elapsed() < Duration::from_secs(14), "{:?}", began.elapsed());
    assert!(answer.header("retry-after").is_some());
    // From now on nobody is let wait.
    let answer = get_within(server.api(), "/films?limit=1", Duration::from_secs(2)).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "PGRST000"));
    assert_eq!(ready(&admin).await, 503);
    assert_eq!(Request::get("/live").send(&admin).await.unwrap().status, 200);
    server.wait_for_line("The database does not answer.").await;
    drop(stopped);
    eventually("ready again", async || ready(&admin).await == 200).await;
    eventually("answered again", async || server.get("/films?limit=1").await.status == 200).await;
    server.wait_for_line("The database answers again.").await;
    // Changes are heard of as before.
    execute(&client, "create table api.fresh (id int); grant select on api.fresh to web_anon; notify pgrst")
        .await;
    eventually("the schema is reloaded", async || server.get("/fresh").await.status == 200).await;
}

#[tokio::test]
async fn connections_that_are_there_serve_while_no_new_one_is_made() {
    let (cluster, uri) = database_of_its_own().await;
    let server = patient(Server::over(&uri), "3").start().await;
    let admin = server.admin().await;
    eventually("ready", async || ready(&admin).await == 200).await;
    let client = client_of(&cluster).await;
    let ask = |target: &'static str, limit: u64| {
        let api = server.api().clone();
        tokio::spawn(async move { get_within(&api, target, Duration::from_secs(limit)).await.status })
    };
    for warm in [0; 2].map(|_| ask("/rpc/sleep?seconds=0.5", 10)) {
        assert_eq!(warm.await.unwrap(), 204);
    }
    // Only the process that lets others in.
    let stopped = Stopped::new(processes(&client).await[..1].to_vec());
    let busy = [0; 2].map(|_| ask("/rpc/sleep?seconds=6", 10));
    eventually("both run", async || client.query(ASLEEP, &[]).await.unwrap().len() == 2).await;
    assert_eq!(ask("/films?limit=1", 8).await.unwrap(), 503);
    for busy in busy {
        // It took longer than the database was silent for everybody.
        assert!([204, 503].contains(&busy.await.unwrap()));
    }
    drop(stopped);
    eventually("ready again", async || ready(&admin).await == 200).await;
    // Without anybody at work, nobody is in anybody's way.
    for warm in [0; 2].map(|_| ask("/rpc/sleep?seconds=0.5", 10)) {
        assert_eq!(warm.await.unwrap(), 204);
    }
    let stopped = Stopped::new(processes(&client).await[..1].to_vec());
    for _ in 0..20 {
        assert_eq!(ask("/films?limit=1", 2).await.unwrap(), 200);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(ready(&admin).await, 200);
    drop(stopped);
}

#[tokio::test]
async fn ready_asks_the_database() {
    let (cluster, uri) = database_of_its_own().await;
    for channel in [true, false] {
        let server = patient(Server::over(&uri), "0").set("DB_CHANNEL_ENABLED", channel).start().await;
        let admin = server.admin().await;
        eventually("ready", async || ready(&admin).await == 200).await;
        let stopped = Stopped::new(processes(&client_of(&cluster).await).await);
        let asked = Instant::now();
        assert_eq!(ready(&admin).await, 503);
        assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
        drop(stopped);
        eventually("ready again", async || ready(&admin).await == 200).await;
    }
}

#[tokio::test]
async fn one_session_that_hangs_harms_its_request_alone() {
    let (cluster, uri) = database_of_its_own().await;
    let server = patient(Server::over(&uri), "3").variable("PGAPP_DB_RESPONSE_TIMEOUT", "4").start().await;
    let client = client_of(&cluster).await;
    let hung = {
        let api = server.api().clone();
        tokio::spawn(async move { get_within(&api, "/rpc/sleep?seconds=25", Duration::from_secs(12)).await })
    };
    eventually("the request runs", async || !client.query(ASLEEP, &[]).await.unwrap().is_empty()).await;
    let pid = client.query_one(ASLEEP, &[]).await.unwrap().get(0);
    let stopped = Stopped::new(vec![pid]);
    while !hung.is_finished() {
        assert_eq!(get_within(server.api(), "/films?limit=1", Duration::from_secs(2)).await.status, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let answer = hung.await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (504, "PGAPP010"), "{}", answer.body);
    drop(stopped);
    eventually("it is cancelled", async || client.query(ASLEEP, &[]).await.unwrap().is_empty()).await;
}

#[tokio::test]
async fn a_long_statement_is_no_silence() {
    let db = database().await;
    let server = patient(Server::over(&authenticator(db.config())), "1").start().await;
    assert_eq!(server.get("/rpc/sleep?seconds=4").await.status, 204);
    assert!(!server.lines().iter().any(|it| it.contains("does not answer")), "{:?}", server.lines());
}

/// A database behind a link that may stall.
async fn behind_a_link(uri: &str) -> (ChaosProxy, String) {
    let (login, rest) = uri.split_once('@').unwrap();
    let (address, name) = rest.split_once('/').unwrap();
    let target = tokio::net::lookup_host(address).await.unwrap().next().unwrap();
    let link = ChaosProxy::start(target).await.unwrap();
    let uri = format!("{login}@{}/{name}", link.address());
    (link, uri)
}

#[tokio::test]
async fn a_link_that_takes_everything_and_gives_nothing_is_told_in_time() {
    let db = database().await;
    let (link, uri) = behind_a_link(&authenticator(db.config())).await;
    link.set(Link::Stalled).await;
    let mut server = patient(Server::over(&uri), "3").spawn();
    // At the start,
    server.wait_for_line("Failed to query the PostgreSQL version. {\"code\":\"PGRST000\"").await;
    link.set(Link::Up).await;
    server.wait_until_serving().await;
    let admin = server.admin().await;
    eventually("ready", async || ready(&admin).await == 200).await;
    assert_eq!(server.get("/films?limit=1").await.status, 200);
    // while a connection is made or used,
    link.set(Link::Stalled).await;
    let api = server.api().clone();
    let asked: Vec<_> = (0..3)
        .map(|_| {
            let api = api.clone();
            tokio::spawn(
                async move { get_within(&api, "/films?limit=1", Duration::from_secs(12)).await.status },
            )
        })
        .collect();
    for asked in asked {
        assert_eq!(asked.await.unwrap(), 503);
    }
    assert_eq!(ready(&admin).await, 503);
    link.set(Link::Up).await;
    eventually("ready again", async || ready(&admin).await == 200).await;
    // and while the schema cache is read.
    server.clear_lines();
    link.set(Link::Stalled).await;
    server.signal(Signal::SIGUSR1);
    server.wait_for_line("Attempting to reconnect to the database").await;
    link.set(Link::Up).await;
    server.wait_for_line("Schema cache loaded in").await;
    assert_eq!(server.get("/films?limit=1").await.status, 200);
}

#[tokio::test]
async fn a_changed_password_is_read_again() {
    let (cluster, uri) = database_of_its_own().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("uri");
    std::fs::write(&file, &uri).unwrap();
    let mut server = patient(Server::over(&format!("@{}", file.display())), "3").start().await;
    let admin = server.admin().await;
    eventually("ready", async || ready(&admin).await == 200).await;
    let client = client_of(&cluster).await;
    execute(
        &client,
        "alter role authenticator password 'a-new-one';
         select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator'",
    )
    .await;
    eventually("refused", async || server.get("/films?limit=1").await.status == 503).await;
    server.wait_for_line("password authentication failed").await;
    let started = Instant::now();
    eventually("told without names", async || {
        let answer = server.get("/films?limit=1").await;
        assert_eq!(answer.status, 503);
        let names = ["authenticator", "postgres", "127.0.0.1", "port"];
        assert!(!names.iter().any(|it| answer.body.contains(it)), "{}", answer.body);
        answer.code() == "PGRST000"
    })
    .await;
    assert!(started.elapsed() < DEADLINE);
    assert_eq!(ready(&admin).await, 503);
    assert!(server.is_running());
    std::fs::write(&file, uri.replace(":authenticator@", ":a-new-one@")).unwrap();
    eventually("answered again", async || server.get("/films?limit=1").await.status == 200).await;
    eventually("ready again", async || ready(&admin).await == 200).await;
    assert!(!server.lines().iter().any(|it| it.contains("a-new-one")));
}

#[tokio::test]
async fn a_name_that_is_not_found_at_first_is_looked_for_again() {
    let (_cluster, uri) = database_of_its_own().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("uri");
    let (login, rest) = uri.split_once('@').unwrap();
    let (_, port) = rest.split_once(':').unwrap();
    std::fs::write(&file, format!("{login}@no-such-host.invalid:{port}")).unwrap();
    let mut server = patient(Server::over(&format!("@{}", file.display())), "3").spawn();
    server.wait_for_line("could not translate host name").await;
    std::fs::write(&file, &uri).unwrap();
    server.wait_until_serving().await;
    assert_eq!(server.get("/films?limit=1").await.status, 200);
}
