//! Things that go wrong, and the next `up` that puts them right.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use local_stack::process::ProcessIdentity;
use local_stack::{ApiLauncher, Database, Event, ServiceName, ServiceState, Stack, Volumes};

use crate::support::{TestStack, pid, until};

fn kill(pid: u32) {
    let killed = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
}

#[tokio::test]
async fn a_taken_port_is_refused_by_name_and_nothing_is_started() {
    let it = TestStack::databases();
    let taken = TcpListener::bind(("127.0.0.1", it.config.custom_port)).unwrap();
    let error = it.up().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("port {} (--custom-port of customdb) is taken by ", it.config.custom_port))
    );
    assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
    assert!(!it.stack.home().dir().join("state.json").exists());
    assert!(local_stack::ports::is_free(it.config.origin_port));
    drop(taken);
    it.up().await.unwrap();
}

#[tokio::test]
async fn a_port_of_another_stack_names_the_stack() {
    let a = TestStack::databases();
    a.up().await.unwrap();
    let mut b = a.beside("other");
    b.config.origin_port = a.config.origin_port;
    let text = b.up().await.unwrap_err().to_string();
    assert!(text.contains("postgres (pid ") && text.ends_with("of stack \"default\""), "{text}");
}

#[tokio::test]
async fn a_killed_database_is_reported_and_repaired() {
    let it = TestStack::databases();
    let before = it.up().await.unwrap();
    let origin = it.connect(Database::Origin).await;
    origin.batch_execute("INSERT INTO todos VALUES ('committed', 'row')").await.unwrap();
    kill(pid(&before, ServiceName::OriginDb));
    until("the killed server is gone", || async {
        it.state_of(ServiceName::OriginDb).await == ServiceState::Failed
    })
    .await;
    assert_eq!(it.state_of(ServiceName::CustomDb).await, ServiceState::Running);

    let after = it.up().await.unwrap();
    assert_ne!(pid(&before, ServiceName::OriginDb), pid(&after, ServiceName::OriginDb));
    assert_eq!(pid(&before, ServiceName::CustomDb), pid(&after, ServiceName::CustomDb));
    assert_eq!(it.todos().await, ["cat/dog", "committed/row"]);
}

#[tokio::test]
async fn custom_answers_quickly_while_the_origin_is_down() {
    let it = TestStack::databases();
    let status = it.up().await.unwrap();
    let custom = it.connect(Database::Custom).await;
    custom.batch_execute("SELECT * FROM todos").await.unwrap();
    kill(pid(&status, ServiceName::OriginDb));
    until("the killed server is gone", || async {
        it.state_of(ServiceName::OriginDb).await == ServiceState::Failed
    })
    .await;

    let asked = Instant::now();
    let error = custom.batch_execute("SELECT * FROM todos").await.unwrap_err();
    let code = error.code().unwrap().code();
    assert!(code.starts_with("08"), "a connection error, not {code}: {error}");
    assert!(asked.elapsed() < Duration::from_secs(10));
    // Its own tables are not affected.
    custom.batch_execute("SELECT 1").await.unwrap();
    it.up().await.unwrap();
    custom.batch_execute("SELECT * FROM todos").await.unwrap();
}

/// Stops an `up` at the first event that fits, as Ctrl-C would, and runs it again.
async fn interrupt(point: &str, fits: fn(&Event) -> bool) {
    let it = TestStack::databases();
    let (sender, mut reached) = tokio::sync::mpsc::unbounded_channel();
    let on_event = Arc::new(move |event: Event| {
        if fits(&event) {
            // The receiver goes with the first message.
            let _ = sender.send(());
        }
    });
    let stack = Stack::new(it.root(), it.config.name.clone(), on_event);
    tokio::select! {
        biased;
        _ = reached.recv() => {}
        up = stack.up(&it.config, &ApiLauncher::None) => panic!("{point} was never reached: {up:?}"),
    }
    it.up().await.unwrap_or_else(|error| panic!("after an interruption at {point}: {error:?}"));
    assert_eq!(it.todos().await, ["cat/dog"], "after an interruption at {point}");
}

#[tokio::test]
async fn an_up_interrupted_while_initialising_is_finished_by_the_next() {
    let fits = |event: &Event| matches!(event, Event::Step { text, .. } if text.starts_with("made"));
    interrupt("the first cluster made", fits).await;
}

#[tokio::test]
async fn an_up_interrupted_while_starting_is_finished_by_the_next() {
    let fits = |event: &Event| matches!(event, Event::Service { state: ServiceState::Starting, .. });
    interrupt("the first server starting", fits).await;
}

#[tokio::test]
async fn an_up_interrupted_while_configuring_is_finished_by_the_next() {
    let fits = |event: &Event| matches!(event, Event::Step { text, .. } if text.starts_with("applied"));
    interrupt("the first step applied", fits).await;
}

#[tokio::test]
async fn half_initialised_data_is_made_anew() {
    let it = TestStack::databases();
    let data = it.data(Database::Origin);
    let draft = data.with_file_name("origindb.initializing-0badcafe");
    std::fs::create_dir_all(draft.join("base")).unwrap();
    std::fs::write(draft.join("PG_VERSION"), "15\n").unwrap();
    it.up().await.unwrap();
    assert!(!draft.exists());
    assert_eq!(it.todos().await, ["cat/dog"]);
}

#[tokio::test]
async fn a_stale_pid_file_does_no_harm_to_the_process_it_names() {
    let it = TestStack::databases();
    it.up().await.unwrap();
    it.down(Volumes::Keep).await;
    // The number was reused: by this very process.
    let me = ProcessIdentity::current().unwrap();
    let text = format!("{}\n{}\n1\n{}\n", me.pid, it.data(Database::Origin).display(), it.config.origin_port);
    std::fs::write(it.data(Database::Origin).join("postmaster.pid"), text).unwrap();
    assert_eq!(it.state_of(ServiceName::OriginDb).await, ServiceState::Stopped);
    it.down(Volumes::Keep).await;
    it.up().await.unwrap();
    assert_eq!(it.todos().await, ["cat/dog"]);
}

#[tokio::test]
async fn data_of_another_major_is_refused_untouched() {
    let it = TestStack::databases();
    it.up().await.unwrap();
    it.down(Volumes::Keep).await;
    let version = it.data(Database::Custom).join("PG_VERSION");
    let own = std::fs::read_to_string(&version).unwrap();
    std::fs::write(&version, "12\n").unwrap();
    let error = it.up().await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("was made by Postgres 12, but the server found is Postgres"), "{source}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("PG_BIN_DIR") && hint.contains("pg_dumpall"), "{hint}");
    std::fs::write(&version, own).unwrap();
    it.up().await.unwrap();
    assert_eq!(it.todos().await, ["cat/dog"]);
}
