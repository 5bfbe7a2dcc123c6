//! The whole stack, REST server included.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use local_stack::process::ProcessIdentity;
use local_stack::{Anonymous, ApiLauncher, Database, LogLevel, ServiceName, ServiceState, Volumes};

use crate::support::{TestStack, api_program, pid, until};

#[tokio::test]
async fn a_foreign_table_is_served_and_an_import_is_noticed_at_once() {
    let it = TestStack::whole();
    assert!(it.up().await.unwrap().is_up());
    let (status, body) = it.get("/todos?select=col1,col2").await;
    assert_eq!((status, body.contains(r#"{"col1":"cat","col2":"dog"}"#)), (200, true), "{body}");

    let create = "CREATE TABLE cities (id int PRIMARY KEY, name text); INSERT INTO cities VALUES (1, 'Lima')";
    it.connect(Database::Origin).await.batch_execute(create).await.unwrap();
    it.stack.fdw_import().await.unwrap();
    let (status, body) = it.get("/cities?id=eq.1").await;
    assert_eq!((status, body.contains("Lima")), (200, true), "{body}");

    it.connect(Database::Origin).await.batch_execute("DROP TABLE cities").await.unwrap();
    it.stack.fdw_import().await.unwrap();
    assert_eq!(it.get("/cities").await.0, 404);
}

#[tokio::test]
async fn schemas_rights_and_log_level_change_while_the_stack_runs() {
    let mut it = TestStack::whole();
    let before = it.up().await.unwrap();
    assert_eq!(before.anonymous, Anonymous::Write);
    it.get("/todos?col1=eq.cat").await;
    let logged = it.log(ServiceName::Api).await;
    assert!(logged.contains("\"GET /todos?col1=eq.cat HTTP/1.1\" 200"), "{logged}");

    it.config.schemas = vec!["api".to_owned(), "public".to_owned()];
    it.config.anonymous = Anonymous::None;
    it.config.log_level = LogLevel::Error;
    let after = it.up().await.unwrap();
    assert_eq!(after.anonymous, Anonymous::None);
    assert_ne!(pid(&before, ServiceName::Api), pid(&after, ServiceName::Api));
    for service in ServiceName::DATABASES {
        assert_eq!(pid(&before, service), pid(&after, service));
    }
    let client = it.connect(Database::Custom).await;
    let view = "CREATE VIEW api.pets AS SELECT col1 FROM public.todos; GRANT USAGE ON SCHEMA api TO web_anon;
                GRANT SELECT ON api.pets TO web_anon";
    client.batch_execute(view).await.unwrap();
    assert_eq!(it.get("/pets").await, (200, r#"[{"col1":"cat"}]"#.to_owned()));
    let (status, _) = it.get("/todos").await;
    assert_eq!(status, 404, "the first schema is meant");
    let logged_now = it.log(ServiceName::Api).await;
    assert!(!logged_now.contains("GET /pets"), "{logged_now}");

    // What is imported shows to nobody who asks without a token, and is not waited for.
    let begun = std::time::Instant::now();
    let create = "CREATE TABLE cities (id int PRIMARY KEY)";
    it.connect(Database::Origin).await.batch_execute(create).await.unwrap();
    assert_eq!(it.stack.fdw_import().await.unwrap().added, ["cities"]);
    assert!(begun.elapsed() < std::time::Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_killed_rest_server_is_repaired_alone() {
    let it = TestStack::whole();
    let before = it.up().await.unwrap();
    let api = ProcessIdentity::of(pid(&before, ServiceName::Api)).unwrap();
    let killed = std::process::Command::new("kill").args(["-KILL", &api.pid.to_string()]).status().unwrap();
    assert!(killed.success());
    until("the server is gone", || async { !api.is_alive() }).await;
    assert_eq!(it.state_of(ServiceName::Api).await, ServiceState::Failed);

    let after = it.up().await.unwrap();
    assert_ne!(pid(&before, ServiceName::Api), pid(&after, ServiceName::Api));
    for service in ServiceName::DATABASES {
        assert_eq!(pid(&before, service), pid(&after, service));
    }
    assert_eq!(it.get("/todos").await.0, 200);
}

#[tokio::test]
async fn the_rest_server_outlives_a_crash_of_its_database() {
    let it = TestStack::whole();
    let before = it.up().await.unwrap();
    let custom = ProcessIdentity::of(pid(&before, ServiceName::CustomDb)).unwrap();
    let killed =
        std::process::Command::new("kill").args(["-KILL", &custom.pid.to_string()]).status().unwrap();
    assert!(killed.success());
    until("the server is gone", || async { !custom.is_alive() }).await;
    it.up().await.unwrap();
    until("rows are served again", || async { it.get("/todos").await.0 == 200 }).await;
}

#[tokio::test]
async fn a_rebuilt_program_takes_the_place_of_the_running_one() {
    let mut it = TestStack::whole();
    let program = it.root().join("pgapp-api");
    std::fs::copy(api_program(), &program).unwrap();
    it.api = ApiLauncher::Program(program.clone());
    let first = it.up().await.unwrap();
    assert_eq!(pid(&first, ServiceName::Api), pid(&it.up().await.unwrap(), ServiceName::Api));

    // As cargo does: a new file under the old name.
    std::fs::copy(&program, it.root().join("built")).unwrap();
    std::fs::rename(it.root().join("built"), &program).unwrap();
    let second = it.up().await.unwrap();
    assert_ne!(pid(&first, ServiceName::Api), pid(&second, ServiceName::Api));
    assert_eq!(it.get("/todos").await.0, 200);
}

#[tokio::test]
async fn a_rest_server_that_ends_at_once_says_why_and_leaves_nothing_running() {
    let mut it = TestStack::whole();
    let program = it.root().join("broken");
    std::fs::write(&program, "#!/bin/sh\necho 'no such setting: colour'\nexit 1\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let working = std::mem::replace(&mut it.api, ApiLauncher::Program(program));
    let text = it.up().await.unwrap_err().to_string();
    assert!(text.starts_with("api is not healthy: it ended"), "{text}");
    assert!(text.contains("no such setting: colour"), "{text}");
    for service in it.config.services() {
        assert_eq!(it.state_of(service).await, ServiceState::Stopped);
    }
    it.api = working;
    it.up().await.unwrap();
}

#[tokio::test]
async fn a_taken_api_port_is_refused_before_anything_starts() {
    let it = TestStack::whole();
    let taken = TcpListener::bind(("127.0.0.1", it.config.api_port)).unwrap();
    let text = it.up().await.unwrap_err().to_string();
    assert!(text.starts_with(&format!("port {} (--api-port of api) is taken", it.config.api_port)), "{text}");
    assert!(local_stack::ports::is_free(it.config.origin_port));
    drop(taken);
}

#[tokio::test]
async fn the_admin_server_answers_where_asked_for() {
    let mut it = TestStack::whole();
    let port = local_stack::ports::free().unwrap();
    it.config.admin_port = Some(port);
    it.up().await.unwrap();
    it.config.api_port = port;
    assert_eq!(it.get("/ready").await.0, 200);
}

#[tokio::test]
async fn no_secret_shows_in_the_process_list_and_root_serves_no_requests() {
    let it = TestStack::whole();
    let status = it.up().await.unwrap();
    let secret = it.stack.jwt_secret().unwrap();
    let list = std::process::Command::new("ps").args(["-e", "-o", "args"]).output().unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("pgapp-api"));
    for hidden in [secret.as_str(), "authenticator:"] {
        assert!(!list.contains(hidden));
    }
    let process = format!("/proc/{}", pid(&status, ServiceName::Api));
    if Path::new(&process).exists() {
        // A program in a closed folder is the exception, and this one is where the build put it.
        let is_reachable = local_stack::account::Account::for_servers().unwrap().can_execute(&api_program());
        assert!(std::fs::metadata(&process).unwrap().uid() != 0 || !is_reachable);
    }
}

#[tokio::test]
async fn services_outlive_the_process_that_started_them() {
    let it = TestStack::whole();
    let status = it.up().await.unwrap();
    for service in it.config.services() {
        let output = std::process::Command::new("ps")
            .args(["-o", "pgid=", "-p", &pid(&status, service).to_string()])
            .output();
        let group = String::from_utf8_lossy(&output.unwrap().stdout).trim().to_owned();
        assert_eq!(group, pid(&status, service).to_string(), "{service} shares our process group");
    }
    it.down(Volumes::Keep).await;
}
