//! The tunnel against a Systems Manager and an agent of the tests' own: what the network and the agent can do to it, and a
//! real database through it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_fakes::{FakeAws, Faults};
use local_stack::testing::TestCluster;
use ssm_tunnel::{Event, Events, Route, Service, Tunnel, TunnelError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(120);

async fn config(fake: &FakeAws) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("session".into()), None, "test");
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(fake.url())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .load()
        .await
}

async fn service(fake: &FakeAws) -> Service {
    Service::new(&config(fake).await).unwrap()
}

fn route() -> Route {
    Route { target: "i-0123456789abcdef0".into(), host: "db.internal".into(), port: 5432 }
}

/// Events, kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    fn events(&self) -> Events {
        let log = self.clone();
        Arc::new(move |event| log.0.lock().unwrap().push(event))
    }

    fn has(&self, is_wanted: impl Fn(&Event) -> bool) -> bool {
        self.0.lock().unwrap().iter().any(is_wanted)
    }
}

struct Setup {
    fake: FakeAws,
    log: Log,
    tunnel: Tunnel,
}

impl Setup {
    async fn new(destination: SocketAddr, faults: Faults) -> Self {
        let fake = FakeAws::start(destination, faults).await;
        let log = Log::default();
        let tunnel = Tunnel::open(service(&fake).await, route(), 0, log.events()).await.unwrap();
        Self { fake, log, tunnel }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.tunnel.local()).await.unwrap()
    }
}

/// Why no tunnel can be opened.
async fn refused(faults: Faults) -> TunnelError {
    let fake = FakeAws::start(echo().await, faults).await;
    let opened = Tunnel::open(service(&fake).await, route(), 0, Log::default().events()).await;
    // A session that was started is ended.
    let calls = fake.calls();
    if calls.contains(&"StartSession".to_owned()) && fake.seen().n_sockets.load(Ordering::Relaxed) > 0 {
        assert_eq!(calls.last().unwrap(), "TerminateSession");
    }
    opened.unwrap_err()
}

/// A server that sends back what it gets.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = socket.into_split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    address
}

/// A port that nobody listens on.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Bytes that look different everywhere.
fn noise(seed: u32, n_bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..n_bytes)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

/// Sends bytes through a connection and gets them back.
async fn round_trip(socket: &mut TcpStream, bytes: &[u8]) {
    let (mut reader, mut writer) = socket.split();
    let mut back = vec![0; bytes.len()];
    let both = async {
        let (written, read) = tokio::join!(writer.write_all(bytes), reader.read_exact(&mut back));
        written.unwrap();
        read.unwrap();
    };
    timeout(PATIENCE, both).await.expect("the bytes come back");
    assert!(back == bytes, "the bytes come back as they were");
}

#[track_caller]
fn check_seen(what: &str, count: u64) {
    assert!(count > 0, "{what} did not happen, so the test shows nothing");
}

/// A megabyte there and back while something goes wrong.
async fn check(faults: Faults) -> Setup {
    let setup = Setup::new(echo().await, faults).await;
    let mut socket = setup.connect().await;
    round_trip(&mut socket, &noise(1, 1_000_000)).await;
    setup
}

#[tokio::test]
async fn bytes_travel_both_ways_and_the_session_is_ended() {
    let setup = check(Faults::default()).await;
    assert!(setup.log.has(|it| *it == Event::Ready { agent_version: "3.3.3572.0".into() }));
    assert_eq!(setup.tunnel.traffic().sent(), 1_000_000);
    assert_eq!(setup.tunnel.traffic().received(), 1_000_000);
    {
        let calls = setup.fake.seen().calls.lock().unwrap();
        let (action, input) = &calls[0];
        assert_eq!(action, "StartSession");
        assert_eq!(input["Target"], "i-0123456789abcdef0");
        assert_eq!(input["DocumentName"], "AWS-StartPortForwardingSessionToRemoteHost");
        assert_eq!(input["Parameters"]["host"][0], "db.internal");
        assert_eq!(input["Parameters"]["portNumber"][0], "5432");
    }
    assert_eq!(*setup.fake.seen().signed.lock().unwrap(), [true]);
    setup.tunnel.close().await.unwrap();
    assert_eq!(setup.fake.calls(), ["StartSession", "TerminateSession"]);
}

#[tokio::test]
async fn many_connections_share_a_session() {
    let setup = Setup::new(echo().await, Faults::default()).await;
    let tasks: Vec<_> = (0..8)
        .map(|seed| {
            let local = setup.tunnel.local();
            tokio::spawn(async move {
                let mut socket = TcpStream::connect(local).await.unwrap();
                for round in 0..4 {
                    round_trip(&mut socket, &noise(seed * 10 + round, 100_000)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(setup.fake.seen().n_streams.load(Ordering::Relaxed), 8);
    assert_eq!(setup.fake.calls(), ["StartSession"]);
}

#[tokio::test]
async fn frames_of_the_agent_may_arrive_out_of_order() {
    check(Faults { swap_output: 3, ..Faults::default() }).await;
}

#[tokio::test]
async fn frames_of_the_agent_may_arrive_twice() {
    check(Faults { repeat_output: 2, ..Faults::default() }).await;
}

#[tokio::test]
async fn a_frame_with_a_wrong_digest_is_not_believed() {
    let setup = check(Faults { damage_output: 50, ..Faults::default() }).await;
    check_seen("a retransmission of the agent", setup.fake.seen().n_retransmitted.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_lost_frame_is_sent_again() {
    let setup = check(Faults { lose_input: 40, ..Faults::default() }).await;
    setup.tunnel.close().await.unwrap();
}

#[tokio::test]
async fn a_lost_acknowledgement_makes_a_duplicate_that_does_no_harm() {
    let setup = check(Faults { lose_acknowledgement: 40, ..Faults::default() }).await;
    // The last ones are sent again after the bytes have arrived.
    let seen = &setup.fake.seen().n_repeated;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while seen.load(Ordering::Relaxed) == 0 {
        assert!(tokio::time::Instant::now() < deadline, "no frame was sent again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    check_seen("a retransmission", setup.tunnel.traffic().retransmitted());
}

#[tokio::test]
async fn everything_at_once() {
    check(Faults {
        swap_output: 7,
        repeat_output: 5,
        damage_output: 110,
        lose_input: 90,
        lose_acknowledgement: 60,
        cut_after: 400,
        resume_failures: 1,
        ..Faults::default()
    })
    .await;
}

#[tokio::test]
async fn a_cut_is_resumed_and_open_connections_go_on() {
    let faults = Faults { cut_after: 300, resume_failures: 2, ..Faults::default() };
    let setup = Setup::new(echo().await, faults).await;
    let (mut first, mut second) = (setup.connect().await, setup.connect().await);
    round_trip(&mut second, b"before the cut").await;
    round_trip(&mut first, &noise(3, 1_000_000)).await;
    // Again, while nothing is under way.
    setup.fake.cut();
    round_trip(&mut second, &noise(4, 100_000)).await;
    round_trip(&mut first, b"after the cut").await;
    assert!(setup.log.has(|it| matches!(it, Event::Cut { .. })));
    assert!(setup.log.has(|it| matches!(it, Event::Resumed { .. })));
    let calls = setup.fake.calls();
    assert_eq!(calls.iter().filter(|it| *it == "StartSession").count(), 1, "{calls:?}");
    assert!(calls.iter().filter(|it| *it == "ResumeSession").count() >= 4, "{calls:?}");
    assert_eq!(setup.fake.seen().n_sockets.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_session_that_is_gone_ends_the_tunnel() {
    let faults = Faults { session_is_gone: true, ..Faults::default() };
    let mut setup = Setup::new(echo().await, faults).await;
    let mut socket = setup.connect().await;
    round_trip(&mut socket, b"hello").await;
    setup.fake.cut();
    let err = timeout(PATIENCE, setup.tunnel.ended()).await.unwrap();
    assert!(matches!(err, TunnelError::Gone), "{err}");
    // The client is told.
    assert_eq!(socket.read(&mut [0; 8]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn an_administrator_may_end_the_session() {
    let mut setup = Setup::new(echo().await, Faults::default()).await;
    setup.fake.end_sessions("Session terminated by an administrator");
    let err = timeout(PATIENCE, setup.tunnel.ended()).await.unwrap();
    assert_eq!(
        err.to_string(),
        "Session Manager has ended the session: Session terminated by an administrator"
    );
}

#[tokio::test]
async fn a_port_that_refuses_is_reported_and_the_tunnel_stays() {
    let setup = Setup::new(nobody().await, Faults::default()).await;
    for n_refused in 1..=2 {
        let mut socket = setup.connect().await;
        socket.write_all(b"hello").await.unwrap();
        let end = timeout(PATIENCE, socket.read(&mut [0; 8])).await.expect("the connection is closed");
        assert_eq!(end.unwrap_or(0), 0);
        assert_eq!(setup.tunnel.traffic().refused(), n_refused);
    }
    assert!(setup.log.has(|it| *it == Event::Refused));
}

/// More than the session keeps for readers: the agent has to wait, and nothing is dropped meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_takes_its_time_loses_nothing() {
    const N_BYTES: usize = 40_000_000;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let destination = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(&noise(9, N_BYTES)).await.unwrap();
    });
    let setup = Setup::new(destination, Faults::default()).await;
    let mut socket = setup.connect().await;
    let received = || setup.tunnel.traffic().received();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let before = received();
        tokio::time::sleep(Duration::from_millis(300)).await;
        if before >= 16_000_000 && before == received() {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{} bytes came, and more are coming", received());
    }
    assert!(received() < N_BYTES as u64, "the network did not have to wait");
    let mut back = vec![0; N_BYTES];
    timeout(PATIENCE, socket.read_exact(&mut back)).await.expect("the rest comes").unwrap();
    assert!(back == noise(9, N_BYTES), "the bytes come as they were sent");
}

#[tokio::test]
async fn what_stands_in_the_way_is_said() {
    let offline = refused(Faults { offline: true, ..Faults::default() }).await.to_string();
    assert!(
        offline.starts_with("instance i-0123456789abcdef0 is not connected to Session Manager"),
        "{offline}"
    );
    let denied = refused(Faults { denied: true, ..Faults::default() }).await.to_string();
    assert!(
        denied.starts_with("start a session: not allowed; the profile needs ssm:StartSession"),
        "{denied}"
    );
    let old = refused(Faults { agent_version: Some("3.0.1390.0"), ..Faults::default() }).await.to_string();
    assert!(old.contains("update it to 3.1.1374.0 or newer"), "{old}");
    let encrypted = refused(Faults { encrypted: true, ..Faults::default() }).await.to_string();
    assert!(encrypted.contains("encrypt sessions with a KMS key"), "{encrypted}");
}

#[tokio::test]
async fn a_taken_port_is_said_before_a_session_is_started() {
    let fake = FakeAws::start(echo().await, Faults::default()).await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let err = Tunnel::open(service(&fake).await, route(), port, Log::default().events()).await.unwrap_err();
    assert!(matches!(err, TunnelError::Bind { .. }), "{err}");
    assert_eq!(fake.calls(), [""; 0]);
}

#[tokio::test]
async fn the_instance_is_the_one_of_the_group_that_is_online() {
    let fake = FakeAws::start(echo().await, Faults::default()).await;
    let service = service(&fake).await;
    fake.add_instance("other", "i-1", true);
    let none = service.online_instance("hosts").await.unwrap_err().to_string();
    assert!(none.starts_with("no instance of the Auto Scaling group \"hosts\" is registered"), "{none}");
    fake.add_instance("hosts", "i-2", false);
    let lost = service.online_instance("hosts").await.unwrap_err().to_string();
    assert!(lost.contains("i-2 lost contact"), "{lost}");
    fake.add_instance("hosts", "i-3", true);
    assert_eq!(service.online_instance("hosts").await.unwrap(), "i-3");
}

/// 100 MB of rows, cut in the middle, through the real client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psql_reads_a_hundred_megabytes_through_a_tunnel_that_is_cut() {
    let cluster = TestCluster::shared().await.unwrap();
    let database = cluster.create_db(None).await.unwrap();
    let (host, port) = cluster.server().peer_address();
    let destination = tokio::net::lookup_host((host, port)).await.unwrap().next().unwrap();
    let setup = Setup::new(destination, Faults::default()).await;
    let psql = |sql: &str| {
        let mut command = Command::new("psql");
        command
            .args(["-XAt", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", setup.tunnel.local().port().to_string())
            .env("PGUSER", cluster.server().superuser())
            .env("PGPASSWORD", cluster.server().password())
            .env("PGDATABASE", database.name())
            .kill_on_drop(true);
        command
    };
    let reading = async {
        let out = psql("select repeat(md5(n::text), 31) from generate_series(1, 100000) as n")
            .output()
            .await
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout.len()
    };
    let cutting = async {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while setup.tunnel.traffic().received() < 30_000_000 {
            assert!(tokio::time::Instant::now() < deadline, "the rows do not come");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        setup.fake.cut();
    };
    let (n_bytes, ()) = timeout(PATIENCE * 2, async { tokio::join!(reading, cutting) }).await.unwrap();
    assert_eq!(n_bytes, 100_000 * (32 * 31 + 1));
    assert!(setup.log.has(|it| matches!(it, Event::Resumed { .. })));
    // And the tunnel is good for another one.
    let out = psql("select 'still here'").output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "still here");
}
