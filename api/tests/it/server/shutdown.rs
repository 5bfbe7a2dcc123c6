//! Graceful stop: running requests are finished.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::http::Request;
use super::process::{Server, eventually};
use super::{authenticator, database};

#[tokio::test]
async fn requests_under_way_are_finished() {
    let db = database().await;
    let mut server = Server::over(&authenticator(db.config())).start().await;
    let api = server.api().clone();
    let slow = tokio::spawn({
        let api = api.clone();
        async move { Request::get("/rpc/sleep?seconds=2").send(&api).await.unwrap().status }
    });
    let client = db.connect().await.unwrap();
    eventually("the slow request runs", async || {
        let rows = client.query("select from pg_stat_activity where wait_event = 'PgSleep'", &[]);
        !rows.await.unwrap().is_empty()
    })
    .await;
    server.signal(Signal::SIGTERM);
    server.wait_for_line("Received termination unix signal SIGTERM").await;
    eventually("new connections are refused", async || Request::get("/films").send(&api).await.is_err())
        .await;
    assert_eq!(slow.await.unwrap(), 204);
    assert!(server.wait_for_exit().await.success());
    let left = "select from pg_stat_activity where usename = 'authenticator'";
    eventually("its connections are closed", async || client.query(left, &[]).await.unwrap().is_empty())
        .await;
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let db = database().await;
    let mut server = Server::over(&authenticator(db.config())).start().await;
    let super::http::Address::Tcp(address) = server.api() else { panic!("listens on TCP") };
    let idle = tokio::net::TcpStream::connect(address).await.unwrap();
    assert_eq!(server.get("/films?limit=1").await.status, 200);
    server.signal(Signal::SIGINT);
    assert!(server.wait_for_exit().await.success());
    drop(idle);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let db = database().await;
    let server = Arc::new(Server::over(&authenticator(db.config())).start().await);
    let slow = tokio::spawn({
        let server = Arc::clone(&server);
        async move { Request::get("/rpc/sleep?seconds=20").send(server.api()).await.is_err() }
    });
    let client = db.connect().await.unwrap();
    eventually("the slow request runs", async || {
        let rows = client.query("select from pg_stat_activity where wait_event = 'PgSleep'", &[]);
        !rows.await.unwrap().is_empty()
    })
    .await;
    server.signal(Signal::SIGTERM);
    server.wait_for_line("Received termination unix signal SIGTERM").await;
    server.signal(Signal::SIGTERM);
    let cut = tokio::time::timeout(Duration::from_secs(10), slow).await;
    assert!(cut.unwrap().unwrap());
}
