//! Configuration kept in the database, and its precedence.

use super::process::command;
use super::{authenticator, database, database_of_its_own, execute};

/// What `--dump-config` says, with these settings and the database.
fn dumped(variables: &[(&str, &str)]) -> String {
    let output = command(variables, &["--dump-config"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn settings_of_the_role_count_by_their_closeness() {
    let (cluster, uri) = database_of_its_own().await;
    let client = cluster.connect("postgres").await.unwrap();
    execute(
        &client,
            "create function public.pre_config() returns void language sql as $$
               select set_config('pgrst.jwt_aud', 'function', true), set_config('pgrst.db_max_rows', '1', true),
                      set_config('pgrst.db_anon_role', 'function', true);
             $$;
             alter role authenticator set pgrst.db_max_rows = '2';
             alter role authenticator set pgrst.db_anon_role = 'role';
             alter role authenticator in database postgres set pgrst.db_anon_role = 'role_in_database';
             alter role authenticator in database postgres set pgrst.db_tx_end = 'rollback';
             alter role authenticator set pgrst.server_port = '1';
             alter database postgres set pgrst.openapi_mode = 'disabled';",
    )
    .await;
    let variables = [
        ("PGRST_DB_URI", uri.as_str()),
        ("PGRST_DB_PRE_CONFIG", "public.pre_config"),
        ("PGRST_DB_ANON_ROLE", "environment"),
    ];
    let dump = dumped(&variables);
    for line in [
        "db-anon-role = \"role_in_database\"",
        "db-max-rows = 2",
        "jwt-aud = \"function\"",
        "db-tx-end = \"rollback\"",
        // Not among the settings that can be made in the database.
        "server-port = 3000",
    ] {
        assert!(dump.contains(&format!("{line}\n")), "{line} in\n{dump}");
    }
    let mut without = variables.to_vec();
    without.push(("PGRST_DB_CONFIG", "false"));
    assert!(dumped(&without).contains("db-anon-role = \"environment\"\n"));
    // A setting of the database alone does not count, unless the function's session sees it.
    let without_function = [("PGRST_DB_URI", uri.as_str())];
    assert!(dumped(&without_function).contains("openapi-mode = \"follow-privileges\"\n"));
    assert!(dump.contains("openapi-mode = \"disabled\"\n"), "{dump}");
}

#[tokio::test]
async fn a_failing_function_is_told_and_the_rest_goes_on() {
    let db = database().await;
    let uri = authenticator(db.config());
    let variables = [("PGRST_DB_URI", uri.as_str()), ("PGRST_DB_PRE_CONFIG", "select")];
    let output = command(&variables, &["--dump-config"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let log = String::from_utf8(output.stderr).unwrap();
    let expected = r#"Failed to query database settings for the config parameters.{"code":"42883","details":null,"hint":"No function matches the given name and argument types. You might need to add explicit type casts.","message":"function select() does not exist"}"#;
    assert!(log.contains(expected), "{log}");
}

#[tokio::test]
async fn an_invalid_setting_stops_the_start() {
    let (cluster, uri) = database_of_its_own().await;
    let client = cluster.connect("postgres").await.unwrap();
    execute(&client, "alter role authenticator set pgrst.openapi_mode = 'wrong'").await;
    let output = command(&[("PGRST_DB_URI", uri.as_str())], &["--dump-config"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Invalid openapi-mode"), "{output:?}");
}
