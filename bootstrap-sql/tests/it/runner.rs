//! The runner's promises, whatever the steps.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bootstrap_sql::{Bundle, Error, Outcome, Report, Secret, Step, StepEvent, Target, Vars, apply_bundle};
use tokio_postgres::Client;

use crate::cluster::{Cluster, text, texts};
use crate::targets::{apply_quietly, chain, local_vars};

fn step(name: &str, sql: &str, verify: &str) -> Step {
    Step { name: name.into(), sql: sql.into(), verify: verify.into() }
}

const HOLDS: &str = "SELECT 'holds', true";

fn bundle(steps: &[(&str, &str)]) -> Bundle {
    let steps = steps.iter().map(|(name, sql)| step(name, sql, HOLDS)).collect();
    Bundle::new(Target::Origin, steps).unwrap()
}

async fn run(client: &mut Client, bundle: &Bundle) -> Result<Report, Error> {
    apply_bundle(client, bundle, &Vars::default(), &mut |_| {}).await
}

fn outcomes(report: &Report) -> Vec<Outcome> {
    report.steps.iter().map(|it| it.outcome).collect()
}

#[tokio::test]
async fn second_run_does_nothing() {
    let cluster = Cluster::start().await;
    let mut client = cluster.origin().await;
    let bundle = bundle(&[("0001_a", "CREATE TABLE public.a()"), ("0002_b", "CREATE TABLE public.b()")]);
    let report = run(&mut client, &bundle).await.unwrap();
    assert_eq!(outcomes(&report), [Outcome::Applied, Outcome::Applied]);
    assert!(report.changed());
    let ledger = "SELECT name || ' ' || xmin FROM pgapp.schema_step ORDER BY name";
    let before = texts(&client, ledger).await;

    let report = run(&mut client, &bundle).await.unwrap();
    assert_eq!(outcomes(&report), [Outcome::Unchanged, Outcome::Unchanged]);
    assert!(!report.changed());
    assert_eq!(texts(&client, ledger).await, before);
}

#[tokio::test]
async fn changed_file_is_refused_by_name_before_anything_runs() {
    let cluster = Cluster::start().await;
    let mut client = cluster.origin().await;
    run(&mut client, &bundle(&[("0001_a", "CREATE TABLE public.a()")])).await.unwrap();

    let changed =
        bundle(&[("0001_a", "CREATE TABLE public.a(x int)"), ("0002_b", "CREATE TABLE public.b()")]);
    let error = run(&mut client, &changed).await.unwrap_err();
    assert!(matches!(&error, Error::Drift { step, .. } if step == "0001_a"), "{error}");
    assert!(error.to_string().contains("origin/0001_a"), "{error}");
    assert_eq!(text(&client, "SELECT to_regclass('public.b')").await, "NULL");
}

#[tokio::test]
async fn failing_step_leaves_nothing_and_the_next_run_resumes() {
    let cluster = Cluster::start().await;
    let mut client = cluster.origin().await;
    let broken = bundle(&[
        ("0001_a", "CREATE TABLE public.a()"),
        ("0002_b", "CREATE TABLE public.b();\nINSERT INTO public.nowhere VALUES (1)"),
        ("0003_c", "CREATE TABLE public.c()"),
    ]);
    let error = run(&mut client, &broken).await.unwrap_err();
    assert!(matches!(&error, Error::Step { step, .. } if step == "0002_b"), "{error}");
    let message = chain(&error);
    assert!(message.contains("line 2") && message.contains("public.nowhere"), "{message}");
    assert_eq!(texts(&client, "SELECT name FROM pgapp.schema_step").await, ["0001_a"]);
    assert_eq!(text(&client, "SELECT to_regclass('public.b')").await, "NULL");

    let fixed = bundle(&[
        ("0001_a", "CREATE TABLE public.a()"),
        ("0002_b", "CREATE TABLE public.b()"),
        ("0003_c", "CREATE TABLE public.c()"),
    ]);
    let report = run(&mut client, &fixed).await.unwrap();
    assert_eq!(outcomes(&report), [Outcome::Unchanged, Outcome::Applied, Outcome::Applied]);
}

#[tokio::test]
async fn run_that_dies_in_a_step_leaves_nothing_and_no_lock() {
    let cluster = Cluster::start().await;
    let (mut doomed, watcher) = (cluster.origin().await, cluster.origin().await);
    let slow = bundle(&[
        ("0001_a", "CREATE TABLE public.a()"),
        ("0002_b", "CREATE TABLE public.b(); SELECT pg_sleep(600)"),
    ]);
    let pid = text(&doomed, "SELECT pg_backend_pid()").await;
    let run_slowly = tokio::spawn(async move { run(&mut doomed, &slow).await });
    wait_for(&watcher, &format!("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = {pid}"))
        .await;
    text(&watcher, &format!("SELECT pg_terminate_backend({pid})")).await;
    let error = run_slowly.await.unwrap().unwrap_err();
    assert!(matches!(&error, Error::Step { step, .. } if step == "0002_b"), "{error}");

    let mut client = cluster.origin().await;
    let quick = bundle(&[("0001_a", "CREATE TABLE public.a()"), ("0002_b", "CREATE TABLE public.b()")]);
    let report = run(&mut client, &quick).await.unwrap();
    assert_eq!(outcomes(&report), [Outcome::Unchanged, Outcome::Applied]);
}

async fn wait_for(client: &Client, condition: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while texts(client, condition).await != ["t"] {
        assert!(Instant::now() < deadline, "{condition}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn two_runs_at_once_take_turns() {
    let cluster = Cluster::start().await;
    let (mut first, mut second) = (cluster.origin().await, cluster.origin().await);
    let holder = cluster.origin().await;
    // The first run stops in its step until the holder lets go of a lock of the test's own.
    text(&holder, "SELECT pg_advisory_lock(42)").await;
    let bundle = bundle(&[("0001_a", "SELECT pg_advisory_xact_lock(42); CREATE TABLE public.a()")]);
    let first_bundle = bundle.clone();
    let first_run = tokio::spawn(async move { run(&mut first, &first_bundle).await });
    let waiting_for = |key: u32| {
        format!(
            "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = {key}"
        )
    };
    wait_for(&holder, &waiting_for(42)).await;

    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let second_run = tokio::spawn(async move {
        apply_bundle(&mut second, &bundle, &Vars::default(), &mut |it| seen.lock().unwrap().push(it)).await
    });
    wait_for(&holder, "SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").await;
    assert_eq!(*events.lock().unwrap(), [StepEvent::WaitingForLock]);

    text(&holder, "SELECT pg_advisory_unlock(42)").await;
    assert_eq!(outcomes(&first_run.await.unwrap().unwrap()), [Outcome::Applied]);
    assert_eq!(outcomes(&second_run.await.unwrap().unwrap()), [Outcome::Unchanged]);
}

#[tokio::test]
async fn verification_that_does_not_hold_rolls_the_step_back() {
    let cluster = Cluster::start().await;
    let mut client = cluster.origin().await;
    let verify = "SELECT 'a is there', to_regclass('public.a') IS NOT NULL
                  UNION ALL SELECT 'b is there', to_regclass('public.b') IS NOT NULL
                  UNION ALL SELECT 'c is known', NULL";
    let bundle = |verify| {
        Bundle::new(Target::Origin, vec![step("0001_a", "CREATE TABLE public.a()", verify)]).unwrap()
    };
    let error = run(&mut client, &bundle(verify)).await.unwrap_err();
    let Error::Verification { failed, .. } = &error else { panic!("{error}") };
    assert_eq!(*failed, ["b is there", "c is known"]);
    assert_eq!(text(&client, "SELECT to_regclass('public.a')").await, "NULL");
    assert_eq!(text(&client, "SELECT count(*) FROM pgapp.schema_step").await, "0");

    let error = run(&mut client, &bundle("SELECT 'x', true WHERE false")).await.unwrap_err();
    assert!(matches!(error, Error::Verification { .. }), "{error}");
    run(&mut client, &bundle(HOLDS)).await.unwrap();
}

#[tokio::test]
async fn unknown_step_is_reported_and_a_gap_is_refused() {
    let cluster = Cluster::start().await;
    let mut client = cluster.origin().await;
    let (a, b, c) = (("0001_a", "SELECT 1"), ("0002_b", "SELECT 2"), ("0003_c", "SELECT 3"));
    run(&mut client, &bundle(&[a, c])).await.unwrap();

    let mut events = Vec::new();
    let report = apply_bundle(&mut client, &bundle(&[a]), &Vars::default(), &mut |it| events.push(it)).await;
    assert_eq!(report.unwrap().unknown_steps, ["0003_c"]);
    assert!(events.contains(&StepEvent::UnknownStep { step: "0003_c".into() }));

    let error = run(&mut client, &bundle(&[a, b, c])).await.unwrap_err();
    let Error::OutOfOrder { step, later, .. } = &error else { panic!("{error}") };
    assert_eq!((step.as_str(), later.as_str()), ("0002_b", "0003_c"));
}

#[tokio::test]
async fn step_is_applied_again_when_its_variables_change_or_it_left_a_note() {
    let cluster = Cluster::start().await;
    let mut client = cluster.origin().await;
    let bundle = bundle(&[
        ("0001_a", "SELECT :'reload_channel'"),
        ("0002_b", "SELECT :'web_anon'"),
        (
            "0003_c",
            "CREATE TABLE IF NOT EXISTS public.ready();
             DO $$ BEGIN IF to_regclass('public.help') IS NULL
                 THEN PERFORM set_config('pgapp.notes', 'needs help', true); END IF; END $$",
        ),
    ]);
    let report = run(&mut client, &bundle).await.unwrap();
    assert_eq!(report.notes().collect::<Vec<_>>(), [("0003_c", "needs help")]);

    let vars = Vars { reload_channel: "other".try_into().unwrap(), ..Vars::default() };
    let report = apply_bundle(&mut client, &bundle, &vars, &mut |_| {}).await.unwrap();
    assert_eq!(outcomes(&report), [Outcome::Reapplied, Outcome::Unchanged, Outcome::Reapplied]);

    client.batch_execute("CREATE TABLE public.help()").await.unwrap();
    let report = apply_bundle(&mut client, &bundle, &vars, &mut |_| {}).await.unwrap();
    assert_eq!(outcomes(&report), [Outcome::Unchanged, Outcome::Unchanged, Outcome::Reapplied]);
    assert_eq!(report.notes().count(), 0);
    let report = apply_bundle(&mut client, &bundle, &vars, &mut |_| {}).await.unwrap();
    assert!(!report.changed());
}

#[tokio::test]
async fn step_that_leaves_its_transaction_is_refused() {
    let cluster = Cluster::start().await;
    let mut client = cluster.origin().await;
    let error = run(&mut client, &bundle(&[("0001_a", "SELECT 1; COMMIT; SELECT 2")])).await.unwrap_err();
    assert!(error.to_string().contains("origin/0001_a") && error.to_string().contains("COMMIT"), "{error}");
    assert_eq!(text(&client, "SELECT count(*) FROM pgapp.schema_step").await, "0");
}

#[tokio::test]
async fn missing_variable_is_named_before_anything_is_touched() {
    let cluster = Cluster::start().await;
    let mut client = cluster.origin().await;
    let error =
        bootstrap_sql::apply(&mut client, Target::Aurora, &Vars::default(), &mut |_| {}).await.unwrap_err();
    assert!(chain(&error).contains("\"iam_user\" has no value"), "{}", chain(&error));
    assert_eq!(text(&client, "SELECT to_regnamespace('pgapp')").await, "NULL");
}

#[tokio::test]
async fn run_as_a_user_without_rights_says_what_failed() {
    let cluster = Cluster::start().await;
    let custom = cluster.custom().await;
    custom.batch_execute("CREATE ROLE poor LOGIN PASSWORD 'poor'").await.unwrap();
    let mut poor = cluster.try_connect("mydb", "poor", "poor").await.unwrap();
    let error = run(&mut poor, &bundle(&[("0001_a", "SELECT 1")])).await.unwrap_err();
    let message = chain(&error);
    assert!(message.contains("pgapp.schema_step") && message.contains("permission denied"), "{message}");
    // The failure did not leave the session in a broken transaction.
    assert_eq!(text(&poor, "SELECT 1").await, "1");
}

#[tokio::test]
async fn plan_shows_what_is_due_and_hides_the_password() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    let vars = Vars { authenticator_password: Some(Secret::from("hunter2")), ..local_vars() };
    let plan = bootstrap_sql::plan(&custom, Target::Custom, &vars).await.unwrap();
    assert!(plan.iter().all(|it| it.outcome == Outcome::Applied));
    let whole: String = plan.iter().map(|it| it.sql.as_str()).collect();
    assert!(whole.contains("ALTER ROLE \"authenticator\" PASSWORD '********'"), "{whole}");
    assert!(!whole.contains("hunter2") && !whole.contains("SCRAM-SHA-256"), "{whole}");
    assert_eq!(text(&custom, "SELECT to_regnamespace('pgapp')").await, "NULL");

    apply_quietly(&mut custom, Target::Custom, &vars).await;
    let plan = bootstrap_sql::plan(&custom, Target::Custom, &vars).await.unwrap();
    let due: Vec<&str> =
        plan.iter().filter(|it| it.outcome != Outcome::Unchanged).map(|it| it.name.as_str()).collect();
    assert_eq!(due, ["0001_extensions", "password"], "pg_cron is not preloaded here");
    let verified = bootstrap_sql::verify(&mut custom, Target::Custom, &vars).await.unwrap();
    assert!(verified.len() >= 5 && verified.iter().all(|it| it.failed.is_empty()), "{verified:?}");
}
