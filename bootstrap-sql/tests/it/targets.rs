//! The promises of each target.

use std::time::Duration;

use bootstrap_sql::{Outcome, Secret, Target, Vars, apply, database};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use crate::cluster::{Cluster, text, texts};

pub(crate) fn local_vars() -> Vars {
    Vars {
        authenticator_password: Some(Secret::from("authpassword")),
        web_anon_may_use_public: true,
        ..Vars::default()
    }
}

pub(crate) async fn apply_quietly(client: &mut Client, target: Target, vars: &Vars) -> bootstrap_sql::Report {
    apply(client, target, vars, &mut |_| {}).await.unwrap_or_else(|it| panic!("{}", chain(&it)))
}

/// An error with its causes, as a program would print it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut source = error.source();
    while let Some(it) = source {
        out = format!("{out}: {it}");
        source = it.source();
    }
    out
}

/// Runs a statement that must fail, and gives its SQLSTATE.
pub(crate) async fn refused(client: &Client, sql: &str) -> String {
    match client.batch_execute(sql).await {
        Ok(()) => panic!("{sql} succeeded"),
        Err(it) => it.code().unwrap_or_else(|| panic!("{sql}: {it}")).code().to_owned(),
    }
}

/// A session of the REST server that has switched to the role of anonymous requests.
pub(crate) async fn anonymous(cluster: &Cluster) -> Client {
    let api = cluster.try_connect("mydb", "authenticator", "authpassword").await.unwrap();
    api.batch_execute("SET ROLE web_anon").await.unwrap();
    api
}

#[tokio::test]
async fn origin_has_the_sample_row_once() {
    let cluster = Cluster::start().await;
    let mut origin = cluster.origin().await;
    apply_quietly(&mut origin, Target::Origin, &local_vars()).await;
    assert_eq!(texts(&origin, "SELECT col1 || '/' || col2 FROM todos").await, ["cat/dog"]);

    origin.batch_execute("DELETE FROM todos").await.unwrap();
    let report = apply_quietly(&mut origin, Target::Origin, &local_vars()).await;
    assert!(report.steps.iter().all(|it| it.outcome == Outcome::Unchanged));
    assert_eq!(text(&origin, "SELECT count(*) FROM todos").await, "0");
}

#[tokio::test]
async fn origin_keeps_a_table_of_its_own_and_can_do_without_the_sample() {
    let cluster = Cluster::start().await;
    let mut origin = cluster.origin().await;
    let without = Vars { sample_table: false, ..local_vars() };
    apply_quietly(&mut origin, Target::Origin, &without).await;
    assert_eq!(text(&origin, "SELECT to_regclass('public.todos')").await, "NULL");

    origin.batch_execute("CREATE TABLE todos (id int)").await.unwrap();
    apply_quietly(&mut origin, Target::Origin, &local_vars()).await;
    assert_eq!(text(&origin, "SELECT count(*) FROM todos").await, "0");
}

#[tokio::test]
async fn custom_login_is_powerless_until_it_switches() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    custom.batch_execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1)").await.unwrap();

    assert!(cluster.try_connect("mydb", "authenticator", "wrong").await.is_err());
    assert!(cluster.try_connect("mydb", "web_anon", "authpassword").await.is_err());
    let api = cluster.try_connect("mydb", "authenticator", "authpassword").await.unwrap();
    assert_eq!(refused(&api, "SELECT * FROM public.t").await, "42501");
    assert_eq!(refused(&api, "SELECT * FROM pgapp.schema_step").await, "42501");
    assert_eq!(refused(&api, "CREATE ROLE x").await, "42501");
    assert_eq!(text(&api, "SELECT count(*) FROM pgapp.origin_key").await, "0");
    api.batch_execute("SET ROLE web_anon; SELECT * FROM public.t").await.unwrap();
    assert_eq!(refused(&api, "SET ROLE myuser").await, "42501");
}

#[tokio::test]
async fn anonymous_requests_may_use_what_the_owner_creates_before_and_after() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    custom
        .batch_execute(
            "CREATE TABLE before (id serial, x text);
             CREATE VIEW before_view AS SELECT * FROM before;
             CREATE FUNCTION before_function() RETURNS int LANGUAGE sql AS 'SELECT 1';
             REVOKE EXECUTE ON FUNCTION before_function FROM PUBLIC;
             CREATE ROLE stranger; GRANT CREATE ON SCHEMA public TO stranger;
             SET ROLE stranger; CREATE TABLE of_a_stranger (x int); RESET ROLE;",
        )
        .await
        .unwrap();
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    custom
        .batch_execute(
            "CREATE TABLE after (id serial, x text);
             CREATE FUNCTION after_function() RETURNS int LANGUAGE sql AS 'SELECT 1';
             REVOKE EXECUTE ON FUNCTION after_function FROM PUBLIC",
        )
        .await
        .unwrap();
    let api = anonymous(&cluster).await;
    for table in ["before", "after"] {
        api.batch_execute(&format!(
            "INSERT INTO {table} (x) VALUES ('a'); UPDATE {table} SET x = 'b'; SELECT * FROM {table}; DELETE FROM {table}"
        ))
        .await
        .unwrap();
    }
    api.batch_execute("SELECT * FROM before_view; SELECT before_function(); SELECT after_function()")
        .await
        .unwrap();
    assert_eq!(refused(&api, "SELECT * FROM of_a_stranger").await, "42501");
    assert_eq!(refused(&api, "CREATE TABLE mine (x int)").await, "42501");
    assert_eq!(refused(&api, "TRUNCATE after").await, "42501");
}

#[tokio::test]
async fn anonymous_requests_get_nothing_unless_that_is_wanted() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    custom.batch_execute("CREATE TABLE t (x int); CREATE TABLE by_hand (x int)").await.unwrap();
    let closed = Vars { web_anon_may_use_public: false, ..local_vars() };
    apply_quietly(&mut custom, Target::Custom, &closed).await;
    custom.batch_execute("CREATE TABLE u (x int); GRANT SELECT ON by_hand TO web_anon").await.unwrap();
    let api = anonymous(&cluster).await;
    for table in ["t", "u"] {
        assert_eq!(refused(&api, &format!("SELECT * FROM {table}")).await, "42501", "{table}");
    }
    // A run that has nothing to take back takes nothing back.
    custom.batch_execute("DELETE FROM pgapp.schema_step WHERE name = '0003_public_access'").await.unwrap();
    custom.batch_execute("DELETE FROM pgapp.schema_step WHERE name > '0003'").await.unwrap();
    apply_quietly(&mut custom, Target::Custom, &closed).await;
    api.batch_execute("SELECT * FROM by_hand").await.unwrap();

    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    api.batch_execute("SELECT * FROM t; SELECT * FROM u").await.unwrap();
    apply_quietly(&mut custom, Target::Custom, &closed).await;
    assert_eq!(refused(&api, "SELECT * FROM t").await, "42501");
    custom.batch_execute("CREATE TABLE v (x int)").await.unwrap();
    assert_eq!(refused(&api, "SELECT * FROM v").await, "42501");
}

#[tokio::test]
async fn anonymous_requests_may_be_let_read_only() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    custom.batch_execute("CREATE TABLE before (x int)").await.unwrap();
    let reading = Vars { web_anon_may_write: false, ..local_vars() };
    apply_quietly(&mut custom, Target::Custom, &reading).await;
    custom.batch_execute("CREATE TABLE after (x int)").await.unwrap();
    let api = anonymous(&cluster).await;
    api.batch_execute("SELECT * FROM before; SELECT * FROM after").await.unwrap();
    for table in ["before", "after"] {
        for write in [format!("INSERT INTO {table} VALUES (1)"), format!("DELETE FROM {table}")] {
            assert_eq!(refused(&api, &write).await, "42501", "{write}");
        }
    }
    // There and back, whatever was on before.
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    api.batch_execute("INSERT INTO before VALUES (1); INSERT INTO after VALUES (1)").await.unwrap();
    let closed = Vars { web_anon_may_use_public: false, ..reading.clone() };
    apply_quietly(&mut custom, Target::Custom, &closed).await;
    assert_eq!(refused(&api, "SELECT * FROM before").await, "42501");
    apply_quietly(&mut custom, Target::Custom, &reading).await;
    api.batch_execute("SELECT * FROM before").await.unwrap();
    assert_eq!(refused(&api, "INSERT INTO before VALUES (1)").await, "42501");
}

#[tokio::test]
async fn existing_roles_are_brought_to_the_promise() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    custom
        .batch_execute(
            "CREATE ROLE authenticator SUPERUSER CREATEROLE NOLOGIN INHERIT; CREATE ROLE web_anon LOGIN BYPASSRLS",
        )
        .await
        .unwrap();
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    assert_eq!(
        texts(
            &custom,
            "SELECT concat_ws(' ', rolname, rolcanlogin, rolinherit, rolsuper, rolcreaterole, rolbypassrls)
             FROM pg_roles WHERE rolname IN ('authenticator', 'web_anon') ORDER BY 1"
        )
        .await,
        ["authenticator t f f f f", "web_anon f t f f f"]
    );
}

#[tokio::test]
async fn role_that_runs_the_steps_cannot_be_the_login() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    let vars = Vars { authenticator: "myuser".try_into().unwrap(), ..local_vars() };
    let error = apply(&mut custom, Target::Custom, &vars, &mut |_| {}).await.unwrap_err();
    assert!(chain(&error).contains("the role \"myuser\" runs this step"), "{}", chain(&error));
    assert_eq!(text(&custom, "SELECT rolsuper FROM pg_roles WHERE rolname = 'myuser'").await, "t");

    let vars =
        Vars { authenticator: "x".try_into().unwrap(), web_anon: "x".try_into().unwrap(), ..local_vars() };
    assert!(apply(&mut custom, Target::Custom, &vars, &mut |_| {}).await.is_err());
}

#[tokio::test]
async fn names_that_need_quotes_are_safe() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    let vars = Vars {
        authenticator: r#"log"in '; DROP ROLE myuser; --"#.try_into().unwrap(),
        web_anon: r"an\on$$".try_into().unwrap(),
        reload_channel: "it's a channel".try_into().unwrap(),
        ..local_vars()
    };
    apply_quietly(&mut custom, Target::Custom, &vars).await;
    custom.batch_execute("CREATE TABLE t (x int)").await.unwrap();
    let api = cluster.try_connect("mydb", vars.authenticator.as_str(), "authpassword").await.unwrap();
    api.batch_execute(&format!("SET ROLE {}; SELECT * FROM t", vars.web_anon.quoted())).await.unwrap();
}

#[tokio::test]
async fn password_follows_the_variables_and_shows_up_nowhere() {
    let cluster = Cluster::start_with(&[
        "log_statement=all",
        "shared_preload_libraries=pg_stat_statements",
        "pg_stat_statements.track=all",
    ])
    .await;
    let mut custom = cluster.custom().await;
    custom.batch_execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    let vars = Vars { authenticator_password: Some(Secret::from("second password")), ..local_vars() };
    let report = apply_quietly(&mut custom, Target::Custom, &vars).await;
    assert!(!format!("{report:?} {vars:?}").contains("second password"));
    assert!(cluster.try_connect("mydb", "authenticator", "authpassword").await.is_err());
    let _api = cluster.try_connect("mydb", "authenticator", "second password").await.unwrap();
    let kept = Vars { authenticator_password: None, ..local_vars() };
    apply_quietly(&mut custom, Target::Custom, &kept).await;
    let _api = cluster.try_connect("mydb", "authenticator", "second password").await.unwrap();

    let verifier = text(&custom, "SELECT rolpassword FROM pg_authid WHERE rolname = 'authenticator'").await;
    let seen =
        texts(&custom, "SELECT query FROM pg_stat_statements UNION ALL SELECT query FROM pg_stat_activity")
            .await;
    let seen = seen.join("\n");
    let log = cluster.log();
    assert!(
        log.contains("pgapp.statement") && seen.contains("ALTER DEFAULT PRIVILEGES"),
        "both places record statements"
    );
    for place in [&log, &seen] {
        assert!(!place.contains("second password"));
        assert!(!place.contains(&verifier));
        assert!(!place.contains("SCRAM-SHA-256$"));
    }
}

#[tokio::test]
async fn failing_password_change_does_not_reveal_it() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    // A superuser that may set everything up, and is then stopped at the password.
    custom
        .batch_execute(
            "CREATE ROLE helper LOGIN PASSWORD 'helper';
             GRANT USAGE ON SCHEMA pgapp TO helper; GRANT ALL ON ALL TABLES IN SCHEMA pgapp TO helper;
             UPDATE pgapp.schema_step SET notes = '{}'",
        )
        .await
        .unwrap();
    let mut helper = cluster.try_connect("mydb", "helper", "helper").await.unwrap();
    let error = apply(&mut helper, Target::Custom, &local_vars(), &mut |_| {}).await.unwrap_err();
    let message = format!("{} {error:?}", chain(&error));
    assert!(message.contains("set the password") && message.contains("42501"), "{message}");
    for place in [message, cluster.log()] {
        assert!(!place.contains("SCRAM") && !place.contains("authpassword"), "{place}");
    }
}

#[tokio::test]
async fn pg_cron_is_installed_where_it_is_preloaded() {
    let cluster = Cluster::start_with(&["shared_preload_libraries=pg_cron", "cron.database_name=mydb"]).await;
    let mut custom = cluster.custom().await;
    let report = apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    assert_eq!(report.notes().count(), 0, "{report:?}");
    assert_eq!(text(&custom, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_cron'").await, "1");
}

#[tokio::test]
async fn without_pg_cron_a_note_says_so() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    let report = apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    let notes: Vec<_> = report.notes().collect();
    assert!(
        matches!(notes[..], [("0001_extensions", note)] if note.starts_with("pg_cron is left out")),
        "{notes:?}"
    );
}

#[tokio::test]
async fn no_function_of_an_extension_lands_in_public() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    let sql = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace";
    assert_eq!(text(&custom, sql).await, "0");
}

/// Listens on a channel; gives the payloads.
async fn listen(cluster: &Cluster, channel: &str) -> (Client, mpsc::UnboundedReceiver<String>) {
    let (client, mut connection) = Config::new()
        .host("127.0.0.1")
        .port(cluster.port)
        .dbname("mydb")
        .user("myuser")
        .password("mypassword")
        .connect(NoTls)
        .await
        .unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages = stream::poll_fn(move |cx| connection.poll_message(cx));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(it) = message {
                let _ = sender.send(it.payload().to_owned());
            }
        }
    });
    client.batch_execute(&format!("LISTEN \"{channel}\"")).await.unwrap();
    (client, receiver)
}

#[tokio::test]
async fn ddl_notifies_and_the_rest_does_not() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    custom
        .batch_execute("CREATE ROLE maker LOGIN PASSWORD 'maker'; GRANT CREATE ON SCHEMA public TO maker")
        .await
        .unwrap();
    let maker = cluster.try_connect("mydb", "maker", "maker").await.unwrap();
    let (_listener, mut received) = listen(&cluster, "pgrst").await;

    // After each statement a mark of the test's own is sent: whatever came before it belongs to the statement.
    let noisy = [
        "CREATE TABLE t (id serial PRIMARY KEY, x text DEFAULT 'a')",
        "ALTER TABLE t ADD COLUMN y int",
        "COMMENT ON TABLE t IS 'x'",
        "CREATE VIEW v AS SELECT * FROM t",
        "CREATE MATERIALIZED VIEW m AS SELECT * FROM t",
        "GRANT SELECT ON t TO web_anon",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION f()",
        "DROP VIEW v",
    ];
    let quiet = [
        "INSERT INTO t (x) VALUES ('a')",
        "REFRESH MATERIALIZED VIEW m",
        "CREATE TEMP TABLE tt (id serial PRIMARY KEY, x text DEFAULT 'a')",
        "ALTER TABLE tt ADD COLUMN y int DEFAULT 1",
        "CREATE INDEX ON tt (x)",
        "DROP TABLE tt",
        "BEGIN; CREATE TABLE undone (x int); ROLLBACK",
    ];
    for (statements, expected) in [(&noisy[..], true), (&quiet[..], false)] {
        for statement in statements {
            maker.batch_execute(statement).await.unwrap();
            maker.batch_execute("NOTIFY pgrst, 'mark'").await.unwrap();
            let mut payloads = Vec::new();
            loop {
                let it =
                    tokio::time::timeout(Duration::from_secs(10), received.recv()).await.unwrap().unwrap();
                if it == "mark" {
                    break;
                }
                payloads.push(it);
            }
            let expected: &[&str] = if expected { &["reload schema"] } else { &[] };
            assert_eq!(payloads, expected, "{statement}");
        }
    }
}

#[tokio::test]
async fn reload_channel_can_change() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    let vars = Vars { reload_channel: "my 'channel'".try_into().unwrap(), ..local_vars() };
    apply_quietly(&mut custom, Target::Custom, &vars).await;
    let (_listener, mut received) = listen(&cluster, "my 'channel'").await;
    custom.batch_execute("CREATE TABLE t (x int)").await.unwrap();
    let payload = tokio::time::timeout(Duration::from_secs(10), received.recv()).await.unwrap().unwrap();
    assert_eq!(payload, "reload schema");
}

#[tokio::test]
async fn where_event_triggers_are_reserved_a_note_says_so() {
    let cluster = Cluster::start().await;
    let custom = cluster.custom().await;
    custom
        .batch_execute(
            "CREATE ROLE admin LOGIN CREATEROLE PASSWORD 'admin'; GRANT CREATE ON DATABASE mydb TO admin;
             GRANT CREATE ON SCHEMA public TO admin",
        )
        .await
        .unwrap();
    let mut admin = cluster.try_connect("mydb", "admin", "admin").await.unwrap();
    let vars = Vars { postgres_fdw: false, web_anon_may_use_public: false, ..local_vars() };
    let report = apply_quietly(&mut admin, Target::Custom, &vars).await;
    let note = report.notes().find(|(step, _)| *step == "0005_reload_on_ddl").unwrap().1.to_owned();
    assert!(note.contains("permission denied") && note.contains("NOTIFY pgrst"), "{note}");
    admin.batch_execute("CREATE TABLE still_possible (x int)").await.unwrap();

    // With the rights, the same step does the rest.
    custom.batch_execute("ALTER ROLE admin SUPERUSER").await.unwrap();
    let report = apply_quietly(&mut admin, Target::Custom, &vars).await;
    assert!(!report.notes().any(|(step, _)| step == "0005_reload_on_ddl"), "{report:?}");
}

#[tokio::test]
async fn databases_of_one_cluster_can_be_set_up_at_once() {
    let cluster = Cluster::start().await;
    let admin = cluster.custom().await;
    let mut runs = tokio::task::JoinSet::new();
    for number in 0..6 {
        let name = format!("db{number}");
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let mut client = cluster.try_connect(&name, "myuser", "mypassword").await.unwrap();
        runs.spawn(async move { apply(&mut client, Target::Custom, &local_vars(), &mut |_| {}).await });
    }
    while let Some(result) = runs.join_next().await {
        result.unwrap().unwrap_or_else(|it| panic!("{}", chain(&it)));
    }
}

#[tokio::test]
async fn aurora_user_logs_in_by_iam_and_reads_and_writes_rows() {
    let cluster = Cluster::start().await;
    let mut master = cluster.custom().await;
    master
        .batch_execute("CREATE ROLE rds_iam; CREATE ROLE \"of-app\" LOGIN PASSWORD 'stands in for a token'")
        .await
        .unwrap();
    let vars = Vars { iam_user: Some("of-app".try_into().unwrap()), ..Vars::default() };
    let report = apply_quietly(&mut master, Target::Aurora, &vars).await;
    assert_eq!(report.notes().count(), 0);
    assert_eq!(text(&master, "SELECT pg_has_role('of-app', 'rds_iam', 'MEMBER')").await, "t");
    master.batch_execute("CREATE TABLE later (id serial, x text)").await.unwrap();

    let app = cluster.try_connect("mydb", "of-app", "stands in for a token").await.unwrap();
    app.batch_execute(
        "INSERT INTO animals VALUES ('cat', 4.5, 25); UPDATE animals SET weight = 5; SELECT * FROM animals;
         DELETE FROM animals; INSERT INTO later (x) VALUES ('a')",
    )
    .await
    .unwrap();
    assert_eq!(refused(&app, "INSERT INTO animals VALUES ('cat', 0, 25)").await, "23514");
    assert_eq!(refused(&app, "INSERT INTO animals VALUES ('cat', 1, 123456)").await, "22003");
    assert_eq!(refused(&app, "TRUNCATE animals").await, "42501");
    assert_eq!(refused(&app, "DROP TABLE animals").await, "42501");
    assert_eq!(refused(&app, "CREATE TABLE mine (x int)").await, "42501");
    assert!(!apply_quietly(&mut master, Target::Aurora, &vars).await.changed());
}

#[tokio::test]
async fn aurora_without_rds_iam_says_so_until_it_is_there() {
    let cluster = Cluster::start().await;
    let mut master = cluster.custom().await;
    let vars = Vars { iam_user: Some("app".try_into().unwrap()), ..Vars::default() };
    let report = apply_quietly(&mut master, Target::Aurora, &vars).await;
    let notes: Vec<_> = report.notes().collect();
    assert!(
        matches!(notes[..], [("0002_iam_user", note)] if note.contains("\"rds_iam\" does not exist")),
        "{notes:?}"
    );
    master.batch_execute("CREATE ROLE rds_iam").await.unwrap();
    let report = apply_quietly(&mut master, Target::Aurora, &vars).await;
    assert_eq!(report.notes().count(), 0);
    assert_eq!(text(&master, "SELECT pg_has_role('app', 'rds_iam', 'MEMBER')").await, "t");
}

#[tokio::test]
async fn aurora_user_gets_a_password_where_there_are_no_tokens() {
    let cluster = Cluster::start().await;
    let mut master = cluster.custom().await;
    let vars = |password: &str| Vars {
        iam_user: Some("app".try_into().unwrap()),
        iam_user_password: Some(Secret::from(password)),
        ..Vars::default()
    };
    apply_quietly(&mut master, Target::Aurora, &vars("old-word")).await;
    let app = cluster.try_connect("mydb", "app", "old-word").await.unwrap();
    app.batch_execute("INSERT INTO animals VALUES ('cat', 4.5, 25)").await.unwrap();
    assert_eq!(refused(&app, "TRUNCATE animals").await, "42501");

    // A new one counts from the next run on, and only the right one lets in.
    apply_quietly(&mut master, Target::Aurora, &vars("new-word")).await;
    cluster.try_connect("mydb", "app", "new-word").await.unwrap();
    assert!(cluster.try_connect("mydb", "app", "old-word").await.is_err());
    let planned = bootstrap_sql::plan(&master, Target::Aurora, &vars("new-word")).await.unwrap();
    assert!(planned.iter().all(|it| !it.sql.contains("new-word")));
    assert!(planned.last().unwrap().sql.starts_with("ALTER ROLE \"app\" PASSWORD '"), "{planned:?}");
}

#[tokio::test]
async fn database_is_made_once() {
    let cluster = Cluster::start().await;
    let client = cluster.custom().await;
    let name = "of \"Aurora\"".try_into().unwrap();
    assert!(database::create_if_missing(&client, &name).await.unwrap());
    assert!(!database::create_if_missing(&client, &name).await.unwrap());
    cluster.try_connect(name.as_str(), "myuser", "mypassword").await.unwrap();
    let poor = cluster.origin().await;
    let error = database::create_if_missing(&poor, &"x".try_into().unwrap()).await.unwrap_err();
    assert!(chain(&error).contains("create the database \"x\": permission denied"), "{}", chain(&error));
}

#[tokio::test]
async fn login_for_the_wrapper_handles_rows_and_nothing_else() {
    let cluster = Cluster::start().await;
    // As a managed service has it: the owner is no superuser and may make roles.
    let admin = cluster.origin_as_superuser().await;
    admin
        .batch_execute(
            "ALTER ROLE someuser CREATEROLE; CREATE ROLE stranger; GRANT CREATE ON SCHEMA public TO stranger;
             SET ROLE stranger; CREATE TABLE public.of_a_stranger (x int); RESET ROLE",
        )
        .await
        .unwrap();
    let mut origin = cluster.origin().await;
    // First without the login, as on a laptop.
    apply_quietly(&mut origin, Target::Origin, &Vars::default()).await;
    let exists = "SELECT count(*) FROM pg_roles WHERE rolname = 'customdb_fdw'";
    assert_eq!(text(&origin, exists).await, "0");
    origin.batch_execute("CREATE TABLE before (id serial PRIMARY KEY, x text)").await.unwrap();

    let vars =
        Vars { with_fdw_user: true, fdw_password: Some(Secret::from("fdwpassword")), ..Vars::default() };
    let report = apply_quietly(&mut origin, Target::Origin, &vars).await;
    let notes: Vec<_> = report.notes().map(|(_, note)| note.to_owned()).collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].ends_with("until their owners grant it to \"customdb_fdw\": public.of_a_stranger"),
        "{notes:?}"
    );
    origin.batch_execute("CREATE TABLE after (id serial PRIMARY KEY, x text)").await.unwrap();

    let login = cluster.try_connect("somedb", "customdb_fdw", "fdwpassword").await.unwrap();
    for table in ["before", "after"] {
        login
            .batch_execute(&format!(
                "INSERT INTO {table} (x) VALUES ('a'); UPDATE {table} SET x = 'b'; SELECT * FROM {table}; DELETE FROM {table}"
            ))
            .await
            .unwrap();
        for statement in [
            format!("TRUNCATE {table}"),
            format!("DROP TABLE {table}"),
            format!("ALTER TABLE {table} ADD y int"),
        ] {
            assert_eq!(refused(&login, &statement).await, "42501", "{statement}");
        }
    }
    assert_eq!(refused(&login, "SELECT * FROM of_a_stranger").await, "42501");
    assert_eq!(refused(&login, "CREATE ROLE x").await, "42501");
    assert_eq!(refused(&login, "SELECT * FROM pgapp.schema_step").await, "42501");

    // The stranger's table is theirs to give; the next run sees it, and takes the rotated password.
    admin.batch_execute("DROP TABLE of_a_stranger").await.unwrap();
    let rotated = Vars { fdw_password: Some(Secret::from("rotated")), ..vars };
    let report = apply_quietly(&mut origin, Target::Origin, &rotated).await;
    assert_eq!((report.steps[1].outcome, report.notes().count()), (Outcome::Reapplied, 0));
    assert!(cluster.try_connect("somedb", "customdb_fdw", "fdwpassword").await.is_err());
    cluster.try_connect("somedb", "customdb_fdw", "rotated").await.unwrap();
    let planned = bootstrap_sql::plan(&origin, Target::Origin, &rotated).await.unwrap();
    let planned = planned.iter().map(|it| it.sql.as_str()).collect::<String>();
    assert!(
        planned.contains("ALTER ROLE \"customdb_fdw\" PASSWORD '********'") && !planned.contains("rotated")
    );
}

#[tokio::test]
async fn joined_by_the_narrow_login_rows_and_defaults_work() {
    let cluster = Cluster::start().await;
    cluster.origin_as_superuser().await.batch_execute("ALTER ROLE someuser CREATEROLE").await.unwrap();
    let (mut origin, mut custom) = (cluster.origin().await, cluster.custom().await);
    let vars = Vars { with_fdw_user: true, fdw_password: Some(Secret::from("fdwpassword")), ..local_vars() };
    apply_quietly(&mut origin, Target::Origin, &vars).await;
    origin
        .batch_execute("CREATE TABLE pets (id serial PRIMARY KEY, name text, born date DEFAULT '2020-01-01')")
        .await
        .unwrap();
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    let mut config = cluster.fdw_config();
    (config.user, config.password) = ("customdb_fdw".into(), Secret::from("fdwpassword"));
    bootstrap_sql::fdw::wire(&mut custom, &config).await.unwrap();
    let report = bootstrap_sql::fdw::import(&mut custom, &config).await.unwrap();
    assert_eq!(
        (report.added.as_slice(), report.skipped.len()),
        (&["pets".to_owned(), "todos".to_owned()][..], 0),
        "{report:?}"
    );
    let api = anonymous(&cluster).await;
    // The sequence belongs to the origin's owner; its next value comes over the same login.
    api.batch_execute("INSERT INTO public.pets (name) VALUES ('Rex')").await.unwrap();
    assert_eq!(
        text(&api, "SELECT concat_ws('/', id, name, born) FROM public.pets").await,
        "1/Rex/2020-01-01"
    );
}
