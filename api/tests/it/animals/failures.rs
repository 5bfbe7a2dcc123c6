//! Databases that go away, between invocations and during one.

use std::time::{Duration, Instant};

use local_stack::testing::{ChaosProxy, Link, NativeServer, TestCluster, TestServer as _};

use super::database;
use super::door::{Call, Reply};
use super::emulator::Function;
use super::lambda::{reply, rest};

const TIME: Duration = Duration::from_secs(20);

async fn ask(function: &Function, call: Call, time: Duration) -> Reply {
    reply(&function.invoke(rest(&call).to_string(), time).await.unwrap())
}

fn list() -> Call {
    Call::new("GET", "/animals")
}

fn is_unavailable(reply: &Reply) {
    assert_eq!((reply.status, &*reply.message()), (503, "The database is not available. Try again shortly."));
    assert_eq!(reply.header("retry-after"), Some("5"));
}

/// The function's sessions in the database of `admin`.
async fn sessions(admin: &tokio_postgres::Client) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'pgapp-animals'";
    admin.query(sql, &[]).await.unwrap().iter().map(|it| it.get(0)).collect()
}

#[tokio::test]
async fn function_survives_a_database_that_is_killed_between_invocations() {
    let cluster = TestCluster::start().await.unwrap();
    let db = database::with_table(&cluster).await;
    let function = Function::start(&database::variables(&cluster, &db, cluster.server().port())).await;
    let zebra = Call::new("POST", "/animals").body(r#"{"name":"Zebra","weight":1,"height":2}"#);
    assert_eq!(ask(&function, zebra, TIME).await.status, 201);

    cluster.server().kill().await.unwrap();
    cluster.server().start().await.unwrap();
    let gone = ask(&function, Call::new("DELETE", "/animals/Okapi"), TIME).await;
    assert_eq!((gone.status, &*gone.message()), (404, "Animal 'Okapi' not found."));

    cluster.server().kill().await.unwrap();
    let asked = Instant::now();
    is_unavailable(&ask(&function, list(), Duration::from_secs(2)).await);
    assert!(asked.elapsed() < Duration::from_secs(2), "answered after the deadline: {:?}", asked.elapsed());
    let line = function.logged("the database is unavailable, trying again").await;
    assert_eq!(line["level"], "WARN");

    // Comes back while somebody waits, as a resuming Aurora does.
    let (answer, started) = tokio::join!(ask(&function, list(), TIME), cluster.server().start());
    started.unwrap();
    let listed = r#"{"items":[{"name":"Zebra","weight":1.00,"height":2.00}]}"#;
    assert_eq!((answer.status, &*answer.body), (200, listed));
    assert!(function.is_running().await);
}

#[tokio::test]
async fn connection_is_reused_and_a_terminated_one_replaced() {
    let cluster = TestCluster::shared().await.unwrap();
    let db = database::with_table(cluster).await;
    let function = Function::start(&database::variables(cluster, &db, cluster.server().port())).await;
    let admin = db.connect().await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&function, list(), TIME).await.status, 200);
    }
    let first = sessions(&admin).await;
    assert_eq!(first.len(), 1);
    admin.execute("SELECT pg_terminate_backend($1, 5000)", &[&first[0]]).await.unwrap();
    assert_eq!(ask(&function, list(), TIME).await.status, 200);
    let second = sessions(&admin).await;
    assert_eq!(second.len(), 1);
    assert_ne!(first, second);
}

/// What would pin a connection of RDS Proxy, read off everything that the function sent.
#[tokio::test]
async fn nothing_is_sent_that_pins_a_connection() {
    let server = NativeServer::builder()
        .setting("log_statement", "all")
        .setting("log_line_prefix", "%a| ")
        .start()
        .await
        .unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host(server.host()).port(server.port()).dbname("postgres");
    config.user(server.superuser()).password(server.password());
    let (admin, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    admin.batch_execute(database::TABLE).await.unwrap();
    let password = server.password().to_owned();
    let function =
        Function::start(&database::login(server.port(), "postgres", server.superuser(), password)).await;
    let zebra = Call::new("POST", "/animals").body(r#"{"name":"Zebra","weight":1,"height":2}"#);
    assert_eq!(ask(&function, zebra, TIME).await.status, 201);
    assert_eq!(ask(&function, list(), TIME).await.status, 200);
    assert_eq!(ask(&function, Call::new("DELETE", "/animals/Zebra"), TIME).await.status, 204);
    let log = server.log();
    let sent: Vec<&str> = log.lines().filter_map(|it| it.strip_prefix("pgapp-animals| LOG:  ")).collect();
    let begins = [
        "statement: SELECT pg_catalog.concat_ws(',', pg_catalog.current_setting",
        "execute <unnamed>: INSERT",
        "execute <unnamed>: SELECT",
        "execute <unnamed>: DELETE",
    ];
    assert_eq!(sent.len(), begins.len(), "{sent:#?}");
    for (line, begin) in sent.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
}

#[tokio::test]
async fn failover_to_a_reader_moves_to_another_connection() {
    let cluster = TestCluster::shared().await.unwrap();
    let db = database::with_table(cluster).await;
    let admin = db.connect().await.unwrap();
    // What the former writer says from the moment on at which it is a reader.
    let demote = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'cannot execute INSERT in a read-only transaction' USING ERRCODE = '25006';
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON animals EXECUTE FUNCTION refuse()";
    admin.batch_execute(demote).await.unwrap();
    let function = Function::start(&database::variables(cluster, &db, cluster.server().port())).await;
    assert_eq!(ask(&function, list(), TIME).await.status, 200);
    let first = sessions(&admin).await;
    let zebra = || Call::new("POST", "/animals").body(r#"{"name":"Zebra","weight":1,"height":2}"#);
    is_unavailable(&ask(&function, zebra(), Duration::from_secs(2)).await);
    let line = function.logged("the database is unavailable, trying again").await;
    assert_eq!(line["fields"]["code"], "25006");

    let (saved, promoted) =
        tokio::join!(ask(&function, zebra(), TIME), admin.batch_execute("DROP TRIGGER refuse ON animals"));
    promoted.unwrap();
    assert_eq!(saved.status, 201);
    let last = sessions(&admin).await;
    assert_eq!((first.len(), last.len()), (1, 1));
    assert_ne!(first, last);
}

#[tokio::test]
async fn silent_network_is_a_503_in_time() {
    let cluster = TestCluster::shared().await.unwrap();
    let db = database::with_table(cluster).await;
    let target = format!("127.0.0.1:{}", cluster.server().port()).parse().unwrap();
    let proxy = ChaosProxy::start(target).await.unwrap();
    let function = Function::start(&database::variables(cluster, &db, proxy.address().port())).await;
    assert_eq!(ask(&function, list(), TIME).await.status, 200);
    proxy.set(Link::Stalled).await;
    let asked = Instant::now();
    is_unavailable(&ask(&function, list(), Duration::from_secs(2)).await);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    proxy.set(Link::Up).await;
    assert_eq!(ask(&function, list(), TIME).await.status, 200);
}

#[tokio::test]
async fn missing_table_is_an_error_of_ours_and_named_in_the_log_only() {
    let cluster = TestCluster::shared().await.unwrap();
    let db = cluster.create_db(None).await.unwrap();
    let function = Function::start(&database::variables(cluster, &db, cluster.server().port())).await;
    let failed = ask(&function, list(), TIME).await;
    assert_eq!((failed.status, &*failed.message()), (500, "Internal server error."));
    let line =
        function.logged("the table is not there; cargo xtask bootstrap --target aurora makes it").await;
    assert_eq!((line["level"].as_str(), line["fields"]["code"].as_str()), (Some("ERROR"), Some("42P01")));
    assert_eq!(line["span"]["requestId"], "invocation-0");
}
