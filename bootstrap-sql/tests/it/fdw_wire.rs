//! Server and mappings, and what a session of the REST server can do through them.

use std::time::{Duration, Instant};

use bootstrap_sql::fdw::{self, MappedRoles, SslMode};
use bootstrap_sql::{Ident, Secret, Target};
use tokio_postgres::Client;

use crate::cluster::{Cluster, ORIGIN_PASSWORD, text, texts};
use crate::targets::{anonymous, apply_quietly, chain, local_vars, refused};

/// Both databases set up and joined, nothing imported.
pub(crate) async fn wired(cluster: &Cluster) -> (Client, Client) {
    let mut origin = cluster.origin().await;
    let mut custom = cluster.custom().await;
    apply_quietly(&mut origin, Target::Origin, &local_vars()).await;
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    fdw::wire(&mut custom, &cluster.fdw_config()).await.unwrap();
    (origin, custom)
}

#[tokio::test]
async fn anonymous_requests_read_and_write_the_origin() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    let report = fdw::import(&mut custom, &cluster.fdw_config()).await.unwrap();
    assert_eq!(report.added, ["todos"], "{report:?}");

    let api = anonymous(&cluster).await;
    assert_eq!(text(&api, "SELECT col1 || '/' || col2 FROM public.todos").await, "cat/dog");
    api.batch_execute(
        "INSERT INTO public.todos VALUES ('a', 'b'); DELETE FROM public.todos WHERE col1 = 'cat'",
    )
    .await
    .unwrap();
    assert_eq!(text(&origin, "SELECT col1 || '/' || col2 FROM todos").await, "a/b");
}

#[tokio::test]
async fn role_of_a_token_reaches_the_origin_as_far_as_it_was_granted() {
    let cluster = Cluster::start().await;
    let (_origin, mut custom) = wired(&cluster).await;
    fdw::import(&mut custom, &cluster.fdw_config()).await.unwrap();
    custom.batch_execute("CREATE ROLE member; GRANT member TO authenticator").await.unwrap();
    let api = cluster.try_connect("mydb", "authenticator", "authpassword").await.unwrap();
    api.batch_execute("SET ROLE member").await.unwrap();
    assert_eq!(refused(&api, "SELECT * FROM public.todos").await, "42501");
    custom.batch_execute("GRANT SELECT ON todos TO member").await.unwrap();
    assert_eq!(text(&api, "SELECT count(*) FROM public.todos").await, "1");
}

#[tokio::test]
async fn filters_are_pushed_down() {
    let cluster = Cluster::start().await;
    let (_origin, mut custom) = wired(&cluster).await;
    fdw::import(&mut custom, &cluster.fdw_config()).await.unwrap();
    let plan =
        texts(&custom, "EXPLAIN (VERBOSE) SELECT * FROM todos WHERE col1 = 'cat' ORDER BY col2 LIMIT 1")
            .await;
    let remote = plan.iter().find(|it| it.contains("Remote SQL")).unwrap();
    assert!(remote.contains("WHERE ((col1 = 'cat'))") && remote.contains("LIMIT 1"), "{remote}");
}

#[tokio::test]
async fn wiring_again_changes_nothing_and_keeps_what_was_tuned_by_hand() {
    let cluster = Cluster::start().await;
    let (_origin, mut custom) = wired(&cluster).await;
    custom
        .batch_execute("ALTER SERVER origin OPTIONS (SET fetch_size '7', ADD async_capable 'true')")
        .await
        .unwrap();
    custom
        .batch_execute("ALTER USER MAPPING FOR PUBLIC SERVER origin OPTIONS (ADD password_required 'true')")
        .await
        .unwrap();
    let report = fdw::wire(&mut custom, &cluster.fdw_config()).await.unwrap();
    assert_eq!(report, fdw::WireReport::default());

    let mut config = cluster.fdw_config();
    config.host = "localhost".into();
    config.sslmode = SslMode::Disable;
    config.sslrootcert = Some(r"/tmp/it's\a.pem".into());
    config.password = Secret::from(r"it's\another");
    let report = fdw::wire(&mut custom, &config).await.unwrap();
    assert!(report.server_changed && report.mappings_changed == ["public"], "{report:?}");
    let server = texts(&custom, "SELECT unnest(srvoptions) FROM pg_foreign_server ORDER BY 1").await;
    for option in [
        "host=localhost",
        "fetch_size=7",
        "async_capable=true",
        "sslmode=disable",
        r"sslrootcert=/tmp/it's\a.pem",
    ] {
        assert!(server.iter().any(|it| it == option), "{option} in {server:?}");
    }
    let mapping = texts(&custom, "SELECT unnest(umoptions) FROM pg_user_mappings ORDER BY 1").await;
    assert_eq!(mapping, [r"password=it's\another", "password_required=true", "user=someuser"]);

    fdw::wire(&mut custom, &cluster.fdw_config()).await.unwrap();
    let server = texts(&custom, "SELECT unnest(srvoptions) FROM pg_foreign_server").await;
    assert!(!server.iter().any(|it| it.starts_with("sslrootcert")), "{server:?}");
    fdw::import(&mut custom, &cluster.fdw_config()).await.unwrap();
}

#[tokio::test]
async fn only_mapped_roles_reach_the_origin() {
    let cluster = Cluster::start().await;
    let (_origin, mut custom) = wired(&cluster).await;
    custom.batch_execute("CREATE ROLE \"Weird role\"; GRANT \"Weird role\" TO authenticator").await.unwrap();
    let mut config = cluster.fdw_config();
    config.mapped = MappedRoles::Only(vec![Ident::new("Weird role").unwrap()]);
    let report = fdw::wire(&mut custom, &config).await.unwrap();
    assert_eq!(report.mappings_changed, ["current_user", "Weird role", "public"]);
    assert_eq!(fdw::wire(&mut custom, &config).await.unwrap(), fdw::WireReport::default());
    fdw::import(&mut custom, &config).await.unwrap();
    custom.batch_execute("GRANT SELECT ON todos TO \"Weird role\"").await.unwrap();

    let api = anonymous(&cluster).await;
    assert_eq!(refused(&api, "SELECT * FROM public.todos").await, "42704", "no mapping for web_anon");
    api.batch_execute("RESET ROLE; SET ROLE \"Weird role\"; SELECT * FROM public.todos").await.unwrap();
}

#[tokio::test]
async fn password_shows_up_nowhere() {
    let cluster = Cluster::start_with(&[
        "log_statement=all",
        "shared_preload_libraries=pg_stat_statements",
        "pg_stat_statements.track=all",
    ])
    .await;
    let mut custom = cluster.custom().await;
    custom.batch_execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
    let (_origin, _custom) = wired(&cluster).await;
    let mut config = cluster.fdw_config();
    config.mapped = MappedRoles::Only(vec![Ident::new("nobody here").unwrap()]);
    let error = fdw::wire(&mut custom, &config).await.unwrap_err();
    let message = format!("{} {error:?} {config:?}", chain(&error));
    assert!(message.contains("\"nobody here\" does not exist"), "{message}");

    let seen =
        texts(&custom, "SELECT query FROM pg_stat_statements UNION ALL SELECT query FROM pg_stat_activity")
            .await;
    let seen = seen.join("\n");
    assert!(
        cluster.log().contains("CREATE SERVER") && seen.contains("CREATE SERVER"),
        "both places record statements"
    );
    // The template's own preparation of the user is not in this cluster's log.
    for place in [message, cluster.log(), seen] {
        assert!(!place.contains(ORIGIN_PASSWORD), "{place}");
    }
    let api = anonymous(&cluster).await;
    assert_eq!(
        text(&api, "SELECT coalesce(max(umoptions::text), 'hidden') FROM pg_user_mappings").await,
        "hidden"
    );
    assert_eq!(refused(&api, "SELECT * FROM pg_user_mapping").await, "42501");
}

#[tokio::test]
async fn origin_that_refuses_or_is_gone_is_named() {
    let cluster = Cluster::start().await;
    let (_origin, mut custom) = wired(&cluster).await;
    let mut config = cluster.fdw_config();
    config.password = Secret::from("not the password");
    fdw::wire(&mut custom, &config).await.unwrap();
    let error = fdw::import(&mut custom, &config).await.unwrap_err();
    let message = format!("{} {error:?}", chain(&error));
    assert!(message.contains("password authentication failed"), "{message}");
    assert!(
        message.contains(&format!("127.0.0.1:{}", cluster.port)) && !message.contains("not the password"),
        "{message}"
    );

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    config.port = free;
    fdw::wire(&mut custom, &config).await.unwrap();
    let start = Instant::now();
    let error = fdw::import(&mut custom, &config).await.unwrap_err();
    assert!(chain(&error).contains(&format!("127.0.0.1:{free}")), "{}", chain(&error));
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(text(&custom, "SELECT to_regnamespace('pgapp_import_catalog')").await, "NULL");
}

#[tokio::test]
async fn missing_preparation_is_named() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    let config = cluster.fdw_config();
    for error in [
        fdw::wire(&mut custom, &config).await.unwrap_err(),
        fdw::import(&mut custom, &config).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("apply the target \"custom\" first"), "{error}");
    }
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    let error = fdw::import(&mut custom, &config).await.unwrap_err();
    assert!(error.to_string().contains("foreign server \"origin\" does not exist"), "{error}");

    fdw::wire(&mut custom, &config).await.unwrap();
    let mut elsewhere = config.clone();
    elsewhere.remote_schema = Ident::new("nowhere").unwrap();
    let error = fdw::import(&mut custom, &elsewhere).await.unwrap_err();
    assert!(error.to_string().contains("schema \"nowhere\" does not exist at the origin"), "{error}");
    elsewhere = config.clone();
    elsewhere.local_schema = Ident::new("nowhere").unwrap();
    let error = fdw::import(&mut custom, &elsewhere).await.unwrap_err();
    assert!(
        error.to_string().contains("schema \"nowhere\" for the foreign tables does not exist"),
        "{error}"
    );

    custom
        .batch_execute("CREATE FOREIGN DATA WRAPPER other; CREATE SERVER taken FOREIGN DATA WRAPPER other")
        .await
        .unwrap();
    let mut taken = config.clone();
    taken.server = Ident::new("taken").unwrap();
    let error = fdw::wire(&mut custom, &taken).await.unwrap_err();
    assert!(error.to_string().contains("wrapper \"other\""), "{error}");
}

#[tokio::test]
async fn without_the_extension_wiring_installs_it() {
    let cluster = Cluster::start().await;
    let mut custom = cluster.custom().await;
    let bare = bootstrap_sql::Vars { postgres_fdw: false, ..local_vars() };
    apply_quietly(&mut custom, Target::Custom, &bare).await;
    assert_eq!(text(&custom, "SELECT count(*) FROM pg_foreign_data_wrapper").await, "0");
    fdw::wire(&mut custom, &cluster.fdw_config()).await.unwrap();
    assert_eq!(
        text(&custom, "SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'postgres_fdw'")
            .await,
        "pgapp"
    );
}
