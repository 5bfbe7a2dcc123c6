//! The animals app as a further service: added, moved and taken out beside what runs.

use std::net::TcpListener;

use local_stack::process::ProcessIdentity;
use local_stack::{
    ApiLauncher, Database, Error, LogWindow, ServiceName, ServiceState, Status, Volumes, animals, ports,
};

use crate::support::{TestStack, ZEBRA, http, live_with_animals, pid, until};

/// A stack with the app, and the app's port.
fn with_animals() -> (TestStack, u16) {
    let mut it = TestStack::whole();
    let port = ports::free().unwrap();
    it.config.animals_port = Some(port);
    (it, port)
}

fn others(status: &Status) -> Vec<u32> {
    [ServiceName::OriginDb, ServiceName::CustomDb, ServiceName::Api].map(|it| pid(status, it)).to_vec()
}

#[tokio::test]
async fn the_app_keeps_its_contract_and_its_rows_over_down_and_up() {
    let (it, port) = with_animals();
    let status = it.up().await.unwrap();
    assert!(status.is_up());
    let app = status.services.iter().find(|it| it.name == ServiceName::Animals).unwrap();
    assert_eq!(app.url, format!("http://127.0.0.1:{port}/animals"));
    live_with_animals(port).await;
    assert_eq!(it.get("/todos").await.0, 200);
    assert_eq!(it.get("/animals").await.0, 404, "the REST server serves another database");

    it.down(Volumes::Keep).await;
    assert_eq!(it.state_of(ServiceName::Animals).await, ServiceState::Stopped);
    assert!(ports::is_free(port));
    let before = it.up().await.unwrap();
    assert_eq!(http(port, "GET", "/animals", "").await, (200, ZEBRA.to_owned()));
    let again = it.up().await.unwrap();
    assert_eq!(pid(&before, ServiceName::Animals), pid(&again, ServiceName::Animals));
}

#[tokio::test]
async fn a_stack_without_it_knows_nothing_of_it() {
    let it = TestStack::whole();
    let status = it.up().await.unwrap();
    let names: Vec<&str> = status.services.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["origindb", "customdb", "api"]);
    let origin = it.connect(Database::Origin).await;
    let made = "SELECT (SELECT count(*) FROM pg_database WHERE datname = $1)
                     + (SELECT count(*) FROM pg_roles WHERE rolname = $2)";
    let row = origin.query_one(made, &[&animals::DATABASE, &animals::USER]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
    let error =
        it.stack.logs(&[ServiceName::Animals], LogWindow::default(), false, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::NoAnimals { .. }));
    assert_eq!(error.hint().unwrap(), "Add it with `cargo xtask up --name default --animals`.");
}

#[tokio::test]
async fn the_app_comes_moves_and_goes_while_the_rest_runs() {
    let mut it = TestStack::whole();
    let before = others(&it.up().await.unwrap());
    let (first, second) = (ports::free().unwrap(), ports::free().unwrap());
    for port in [first, second] {
        it.config.animals_port = Some(port);
        let status = it.up().await.unwrap();
        assert_eq!(others(&status), before);
        assert_eq!(http(port, "GET", "/animals", "").await.0, 200);
    }
    assert!(ports::is_free(first), "the app left its former port");
    live_with_animals(second).await;

    it.config.animals_port = None;
    let status = it.up().await.unwrap();
    assert_eq!((others(&status), status.services.len()), (before, 3));
    assert!(ports::is_free(second));
    it.config.animals_port = Some(first);
    it.up().await.unwrap();
    assert_eq!(http(first, "GET", "/animals", "").await, (200, ZEBRA.to_owned()), "its rows stay");
}

#[tokio::test]
async fn a_taken_port_is_refused_and_the_app_stays_where_it_is() {
    let (mut it, port) = with_animals();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let expected = format!("port {port} (--animals-port of animals) is taken by ");
    let text = it.up().await.unwrap_err().to_string();
    assert!(text.starts_with(&expected), "{text}");
    assert!(ports::is_free(it.config.origin_port), "nothing was started");
    drop(taken);

    it.up().await.unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    it.config.animals_port = Some(taken.local_addr().unwrap().port());
    assert!(matches!(it.up().await.unwrap_err(), Error::PortTaken { flag: "--animals-port", .. }));
    assert_eq!(http(port, "GET", "/animals", "").await.0, 200);
    it.config.animals_port = Some(it.config.api_port);
    assert!(matches!(it.up().await.unwrap_err(), Error::PortTwice { second: "--animals-port", .. }));
}

#[tokio::test]
async fn a_killed_app_is_reported_and_repaired_alone() {
    let (it, port) = with_animals();
    let before = it.up().await.unwrap();
    let app = ProcessIdentity::of(pid(&before, ServiceName::Animals)).unwrap();
    let killed = std::process::Command::new("kill").args(["-KILL", &app.pid.to_string()]).status().unwrap();
    assert!(killed.success());
    until("the app is gone", || async { !app.is_alive() }).await;
    assert_eq!(it.state_of(ServiceName::Animals).await, ServiceState::Failed);
    assert_eq!(others(&it.up().await.unwrap()), others(&before));
    assert_eq!(http(port, "GET", "/animals", "").await.0, 200);

    let mut lines = Vec::new();
    it.stack
        .logs(&[ServiceName::Animals], LogWindow::default(), false, &mut |line| lines.push(line))
        .await
        .unwrap();
    assert!(lines.iter().any(|it| it.service == ServiceName::Animals && it.text.contains("answered")));
}

#[tokio::test]
async fn the_app_logs_in_as_a_user_with_few_rights_and_shows_no_password() {
    let (it, port) = with_animals();
    it.up().await.unwrap();
    live_with_animals(port).await;
    let master = it.stack.connection(Database::Origin).unwrap();
    let master = master.connect_to(animals::DATABASE).await.unwrap();
    let sessions = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'pgapp-animals'";
    let users: Vec<String> = master.query(sessions, &[]).await.unwrap().iter().map(|it| it.get(0)).collect();
    assert_eq!(users, [animals::USER]);
    let rights = "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication
                         OR has_table_privilege(rolname, 'animals', 'TRUNCATE')
                         OR has_schema_privilege(rolname, 'public', 'CREATE')
                  FROM pg_roles WHERE rolname = $1";
    assert!(!master.query_one(rights, &[&animals::USER]).await.unwrap().get::<_, bool>(0));

    let secrets = std::fs::read(it.stack.home().dir().join("secrets.json")).unwrap();
    let secrets: serde_json::Value = serde_json::from_slice(&secrets).unwrap();
    let password = secrets["animals_password"].as_str().unwrap();
    let list = std::process::Command::new("ps").args(["-e", "-o", "args"]).output().unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains(&format!("--animals-port {port}")) && !list.contains(password));

    // Nobody else gets in by another password.
    let mut config = it.stack.connection(Database::Origin).unwrap().config(animals::DATABASE);
    config.user(animals::USER).password(password);
    drop(config.connect(tokio_postgres::NoTls).await.unwrap());
    config.password("guess");
    assert!(config.connect(tokio_postgres::NoTls).await.is_err());
}

#[tokio::test]
async fn databases_only_means_without_the_app_too() {
    let (mut it, port) = with_animals();
    it.api = ApiLauncher::None;
    it.up().await.unwrap();
    assert_eq!(it.state_of(ServiceName::Animals).await, ServiceState::Stopped);
    assert!(ports::is_free(port));
}
