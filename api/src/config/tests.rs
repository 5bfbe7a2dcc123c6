//! Settings from every source: values, precedence, refusals, dumps.

use std::collections::HashMap;
use std::path::PathBuf;

use super::database::DatabaseSettings;
use super::load::Environment;
use super::*;

const SECRET: &str = "reallyreallyreallyreallyverysafe";

fn env(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_env(variables: &[(&str, &str)]) -> Result<AppConfig, ConfigError> {
    AppConfig::load(None, &env(variables), DatabaseSettings::default(), None)
}

fn error(variables: &[(&str, &str)]) -> String {
    from_env(variables).err().expect("the configuration is invalid").to_string()
}

/// A file in a folder that lives as long as the test.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.conf");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn database(settings: &[(&str, &str)]) -> DatabaseSettings {
    let settings: HashMap<_, _> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    DatabaseSettings { settings, ..DatabaseSettings::default() }
}

#[test]
fn nothing_set_is_the_default() {
    assert_eq!(dump::dump(&from_env(&[]).unwrap()), dump::dump(&AppConfig::default()));
    insta::assert_snapshot!(dump::dump(&AppConfig::default()));
}

/// What PostgREST would not dump stays away until it is set.
#[test]
fn own_settings_are_dumped_where_they_are_set() {
    assert!(!dump::dump(&AppConfig::default()).contains("pgapp-"));
    let conf = from_env(&[("PGAPP_MAX_BODY", "7"), ("PGAPP_MAX_COOKIES", "500")]).unwrap();
    let lines: Vec<_> =
        dump::dump(&conf).lines().filter(|it| it.contains("pgapp-")).map(str::to_owned).collect();
    assert_eq!(lines, ["pgapp-max-body = 7"]);
    // The prefix of PostgREST's settings is not one of ours.
    assert_eq!(from_env(&[("PGRST_PGAPP_MAX_BODY", "7")]).unwrap().pgapp_max_body, 64 * 1024 * 1024);
    assert_eq!(
        error(&[("PGAPP_MAX_BODY", "-1")]),
        "Error in config Invalid pgapp-max-body: -1 must be at least 0"
    );
}

/// Every setting away from its default, as a file; the dump is the same text, sorted.
const NO_DEFAULTS: &str = r#"admin-server-host = "127.0.0.1"
admin-server-port = 3001
admin-server-unix-socket = "/tmp/admin.sock"
admin-server-unix-socket-mode = "600"
app.settings.test = "test"
app.settings.test2 = "a \"quoted\" \\ value"
client-error-verbosity = "minimal"
db-aggregates-enabled = true
db-anon-role = "root"
db-channel = "postgrest"
db-channel-enabled = false
db-config = false
db-extra-search-path = "public,test"
db-hoisted-tx-settings = "work_mem"
db-max-rows = 1000
db-plan-enabled = true
db-pool = 1
db-pool-acquisition-timeout = 30
db-pool-automatic-recovery = false
db-pool-max-idletime = 60
db-pool-max-lifetime = 3600
db-pre-config = "postgrest.pre_config"
db-pre-request = "please_run_fast"
db-prepared-statements = false
db-root-spec = "openapi_v3"
db-schemas = "multi,tenant,setup"
db-tx-end = "rollback-allow-override"
db-uri = "tmp_db"
jwt-aud = "https://postgrest.org"
jwt-cache-max-entries = 86400
jwt-role-claim-key = "$$.user[0]['real-role']"
jwt-secret = "c2VjdXJpdHl0aHJvdWdob2JzY3VyaXR5aW5iYXNlNjQ="
jwt-secret-is-base64 = true
log-level = "info"
log-query = true
openapi-mode = "ignore-privileges"
openapi-security-active = true
openapi-server-proxy-uri = "https://postgrest.org"
pgapp-base-path = "/db/v2"
pgapp-compression = false
pgapp-csv-strict = true
pgapp-db-connect-timeout = 3
pgapp-db-hang-timeout = 4
pgapp-db-response-timeout = 5
pgapp-etag = true
pgapp-generated-columns = "skip"
pgapp-limited-writes = "refuse"
pgapp-max-bodies = 2000002
pgapp-max-body = 1000001
pgapp-max-cookies = 11
pgapp-max-header-bytes = 9000
pgapp-max-headers = 30
pgapp-null-defaults = true
pgapp-openapi-precise = true
pgapp-plan-cache-bytes = 1000000
pgapp-schema-wait = 9
pgapp-server-body-timeout = 6
pgapp-server-header-timeout = 7
pgapp-server-idle-timeout = 8
pgapp-server-max-connections = 9
pgapp-server-max-streams = 11
pgapp-server-shutdown-timeout = 12
pgapp-server-write-timeout = 13
pgapp-statement-cache-bytes = 2000000
pgapp-stream-max = 14
pgapp-stream-stall-timeout = 15
pgapp-temp-memory-max = 5000000
pgapp-temp-space-max = 6000000
pgapp-temp-space-timeout = 3
pgapp-unread-parameters = "refuse"
server-cors-allowed-origins = "http://example.com"
server-host = "0.0.0.0"
server-port = 80
server-reuseport = true
server-timing-enabled = true
server-trace-header = "X-Request-Id"
server-unix-socket = "/tmp/pgrst_io_test.sock"
server-unix-socket-mode = "777"
url-use-legacy-target-names = false
"#;

#[test]
fn every_setting_survives_dump_and_reading() {
    let (_dir, path) = file(NO_DEFAULTS);
    let conf =
        AppConfig::load(Some(&path), &Environment::default(), DatabaseSettings::default(), None).unwrap();
    assert_eq!(dump::dump(&conf), NO_DEFAULTS);
    // A setting that this test forgets would have its default here.
    let defaults = dump::dump(&AppConfig::default());
    for line in defaults.lines() {
        assert!(!NO_DEFAULTS.contains(&format!("{line}\n")), "{line}");
    }
    for key in keys::all() {
        assert!(dump::dump(&conf).contains(&format!("{} = ", key.name)), "{}", key.name);
    }
}

#[test]
fn every_setting_is_read_from_the_environment() {
    let (_dir, path) = file(NO_DEFAULTS);
    let parsed = file::load(&path, &|_| None).unwrap();
    let text = |value: &value::Value| match value {
        value::Value::Number(number) => number.to_string(),
        value::Value::Bool(it) => it.to_string(),
        other => other.text(),
    };
    let variables: Environment = parsed
        .iter()
        .map(|(name, value)| match name.strip_prefix("app.settings.") {
            Some(own) => (format!("PGRST_APP_SETTINGS_{own}"), text(value)),
            None => (keys::Key::env_name(name), text(value)),
        })
        .collect();
    let conf = AppConfig::load(None, &variables, DatabaseSettings::default(), None).unwrap();
    assert_eq!(dump::dump(&conf), NO_DEFAULTS);
}

#[test]
fn database_overrides_environment_overrides_file() {
    let (_dir, path) =
        file("db-anon-role = \"file\"\ndb-schemas = \"file\"\njwt-aud = \"file\"\nserver-host = \"file\"");
    let variables = env(&[("PGRST_DB_SCHEMAS", "env"), ("PGRST_JWT_AUD", "env")]);
    // `server-host` cannot be set in the database, and is not asked for there.
    let conf = AppConfig::load(Some(&path), &variables, database(&[("jwt_aud", "db")]), None).unwrap();
    assert_eq!(conf.db_anon_role.as_deref(), Some("file"));
    assert_eq!(conf.db_schemas, ["env"]);
    assert_eq!(conf.jwt_aud.as_deref(), Some("db"));
    assert_eq!(conf.server_host, "file");
}

#[test]
fn aliases_give_way_to_names() {
    let (_dir, path) = file(concat!(
        "db-schema = \"provided_through_alias\"\nmax-rows = 1000\npre-request = \"check_alias\"\nroot-spec = \"open_alias\"\n",
        "role-claim-key = \"$$.aliased\"\nsecret-is-base64 = true\nserver-host = \"h\"\ndb-pool-timeout = 7\ndb-pool-max-idletime = 8\n"
    ));
    let load =
        |variables| AppConfig::load(Some(&path), &env(variables), DatabaseSettings::default(), None).unwrap();
    let conf = load(&[]);
    assert_eq!(conf.db_schemas, ["provided_through_alias"]);
    assert_eq!(conf.db_max_rows, Some(1000));
    assert_eq!(conf.db_pre_request.unwrap().name, "check_alias");
    assert_eq!(conf.db_root_spec.unwrap().name, "open_alias");
    assert_eq!(conf.jwt_role_claim_key.text(), "$.aliased");
    assert!(conf.jwt_secret_is_base64);
    assert_eq!(conf.admin_server_host, "h");
    // The one alias that counts before its name.
    assert_eq!(conf.db_pool_max_idletime, 7);
    assert_eq!(load(&[("PGRST_DB_SCHEMAS", "named")]).db_schemas, ["named"]);
}

#[test]
fn values_that_do_not_fit_count_as_not_set() {
    let (_dir, path) = file(
        "app.settings.test = false\ndb-channel-enabled = 13\ndb-max-rows = true\nserver-port = 1.5\nunknown = 1",
    );
    let conf =
        AppConfig::load(Some(&path), &Environment::default(), DatabaseSettings::default(), None).unwrap();
    assert_eq!(conf.app_settings, [("app.settings.test".to_owned(), "Bool False".to_owned())]);
    assert!(conf.db_channel_enabled);
    assert_eq!(conf.db_max_rows, None);
    assert_eq!(conf.server_port, 3000);
}

#[test]
fn empty_values_count_as_not_set_but_for_the_search_path() {
    let conf = from_env(&[
        ("PGRST_LOG_LEVEL", ""),
        ("PGRST_DB_TX_END", ""),
        ("PGRST_DB_ANON_ROLE", ""),
        ("PGRST_ADMIN_SERVER_PORT", ""),
        ("PGRST_SERVER_CORS_ALLOWED_ORIGINS", ""),
        ("PGRST_DB_EXTRA_SEARCH_PATH", ""),
    ])
    .unwrap();
    let expected = dump::dump(&AppConfig::default())
        .replace("db-extra-search-path = \"public\"", "db-extra-search-path = \"\"");
    assert_eq!(dump::dump(&conf), expected);
}

#[test]
fn values_that_are_not_allowed_are_refused() {
    for (name, value, message) in [
        ("ADMIN_SERVER_PORT", "3000", "admin-server-port cannot be the same as server-port"),
        ("CLIENT_ERROR_VERBOSITY", "invalid", "Invalid client-error-verbosity. Check your configuration."),
        ("DB_POOL", "-1", "Invalid db-pool: -1 must be at least 0"),
        ("DB_SCHEMAS", "pg_catalog", "db-schemas does not allow schema: 'pg_catalog'"),
        (
            "DB_SCHEMAS",
            "public, information_schema",
            "db-schemas does not allow schema: 'information_schema'",
        ),
        ("DB_TX_END", "random", "Invalid transaction termination. Check your configuration."),
        ("JWT_AUD", "foo://%%$$^^.com", "jwt-aud should be a string or a valid URI"),
        ("LOG_LEVEL", "never", "Invalid logging level. Check your configuration."),
        ("OPENAPI_MODE", "follow-", "Invalid openapi-mode. Check your configuration."),
        (
            "OPENAPI_SERVER_PROXY_URI",
            "htp:/@@localhorst.invalid",
            "Malformed proxy uri, a correct example: https://example.com:8443/basePath",
        ),
        ("SERVER_PORT", "65536", "Invalid server-port: 65536 is not between 0 and 65535"),
        ("SERVER_TRACE_HEADER", "a b", "Invalid server-trace-header: 'a b' is not a header name"),
        ("SERVER_UNIX_SOCKET_MODE", "800", "Invalid server-unix-socket-mode: not an octal"),
        (
            "SERVER_UNIX_SOCKET_MODE",
            "577",
            "Invalid server-unix-socket-mode: needs to be between 600 and 777",
        ),
        (
            "ADMIN_SERVER_UNIX_SOCKET_MODE",
            "7777",
            "Invalid admin-server-unix-socket-mode: needs to be between 600 and 777",
        ),
    ] {
        let name = format!("PGRST_{name}");
        assert_eq!(error(&[(&name, value)]), format!("Error in config {message}"), "{name}={value}");
    }
    for key in ["role.other", ".role##", ".my_role;;domain", ".#$$%&$%/", "1234", ".role[?(@ =)]"] {
        let message = error(&[("PGRST_JWT_ROLE_CLAIM_KEY", key)]);
        let expected = format!("Error in config failed to parse role-claim-key value ({key}): expected ");
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn own_settings_have_names_of_their_own_and_show_in_the_dump_where_they_are_set() {
    assert!(!dump::dump(&from_env(&[]).unwrap()).contains("pgapp-"));
    let refuse = [("PGAPP_LIMITED_WRITES", "refuse"), ("PGRST_PGAPP_UNREAD_PARAMETERS", "refuse")];
    let conf = from_env(&refuse).unwrap();
    assert_eq!(conf.pgapp_limited_writes, Unread::Refuse);
    assert_eq!(conf.pgapp_unread_parameters, Unread::Ignore, "PGRST_ is PostgREST's");
    assert!(dump::dump(&conf).contains("pgapp-limited-writes = \"refuse\"\n"));
    assert_eq!(keys::Key::db_setting("pgapp-limited-writes"), "pgapp.limited_writes");
    assert_eq!(keys::Key::db_setting("db-schemas"), "pgrst.db_schemas");
    let settings = database(&[("pgapp_limited_writes", "refuse")]);
    let conf = AppConfig::load(None, &env(&[]), settings, None).unwrap();
    assert_eq!(conf.pgapp_limited_writes, Unread::Refuse);
    assert_eq!(
        error(&[("PGAPP_LIMITED_WRITES", "never")]),
        "Error in config Invalid pgapp-limited-writes: 'never' is neither ignore nor refuse"
    );
}

#[test]
fn names_that_are_no_settings_are_noted() {
    let (_dir, path) = file("db-shcemas = \"api\"\ndb-pool = 3\n");
    let variables = env(&[("PGRST_DB_ANON_ROL", "x"), ("PGRST_DB_URI", "postgresql://"), ("HOME", "/")]);
    let conf = AppConfig::load(Some(&path), &variables, DatabaseSettings::default(), None).unwrap();
    let found: Vec<_> =
        conf.unknown_settings.iter().map(|it| (it.name.as_str(), it.place, it.meant.as_deref())).collect();
    assert_eq!(
        found,
        [
            ("db-shcemas", "configuration file", Some("db-schemas")),
            ("PGRST_DB_ANON_ROL", "environment", Some("PGRST_DB_ANON_ROLE")),
        ]
    );
}

#[test]
fn secrets_come_as_text_base64_or_file() {
    let secret = |variables: &[(&str, &str)]| from_env(variables).unwrap().jwt_secret.unwrap();
    assert_eq!(secret(&[("PGRST_JWT_SECRET", SECRET)]), SECRET.as_bytes());
    let base64 = [("PGRST_JWT_SECRET_IS_BASE64", "true"), ("PGRST_JWT_SECRET", " _-8B_w.. ")];
    // Too short to be used, but decoded before that is found out.
    assert_eq!(error(&base64), "The JWT secret must be at least 32 characters long.");
    let url_alphabet = [
        ("PGRST_JWT_SECRET_IS_BASE64", "true"),
        ("PGRST_JWT_SECRET", "__79_P3__v38__79_P3__v38__79_P3__v38__79_P3__v38_w.."),
    ];
    assert_eq!(secret(&url_alphabet).len(), 37);
    assert!(
        error(&[("PGRST_JWT_SECRET_IS_BASE64", "true"), ("PGRST_JWT_SECRET", "no base-64!")])
            .starts_with("jwt-secret is not valid Base64")
    );
    let (_dir, path) = file(&format!("{SECRET}\n\n"));
    let at = format!("@{}", path.display());
    // One line end belongs to the file, a second one to the secret.
    assert_eq!(secret(&[("PGRST_JWT_SECRET", &at)]), format!("{SECRET}\n").as_bytes());
    let missing = error(&[("PGRST_JWT_SECRET", "@/does/not/exist")]);
    assert!(
        missing.starts_with("cannot read the file '/does/not/exist' that jwt-secret points to"),
        "{missing}"
    );
}

#[test]
fn connection_string_comes_from_a_file_once() {
    let (_dir, path) = file("  postgres://somewhere/\n");
    let at = format!("@{}", path.display());
    let variables = env(&[("PGRST_DB_URI", &at)]);
    let conf = AppConfig::load(None, &variables, DatabaseSettings::default(), None).unwrap();
    assert_eq!(conf.db_uri, "postgres://somewhere/");
    std::fs::write(&path, "postgres://elsewhere/").unwrap();
    let again = AppConfig::load(None, &variables, DatabaseSettings::default(), Some(&conf)).unwrap();
    assert_eq!(again.db_uri, "postgres://somewhere/");
}

#[test]
fn redacted_dump_has_no_secret() {
    let conf = from_env(&[
        ("PGRST_JWT_SECRET", SECRET),
        ("PGRST_DB_URI", "postgres://user:hunter2@host/db"),
        ("PGRST_APP_SETTINGS_KEY", "hunter3"),
    ])
    .unwrap();
    let text = dump::dump_redacted(&conf);
    for secret in [SECRET, "hunter2", "hunter3"] {
        assert!(!text.contains(secret), "{text}");
        assert!(dump::dump(&conf).contains(secret));
    }
    assert!(text.contains("jwt-secret = \"********\"\n"));
}

#[test]
fn example_is_a_file_with_the_defaults() {
    let (_dir, path) = file(&dump::example());
    let conf =
        AppConfig::load(Some(&path), &Environment::default(), DatabaseSettings::default(), None).unwrap();
    assert_eq!(dump::dump(&conf), dump::dump(&AppConfig::default()));
}

#[test]
fn configuration_reference_is_current() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, dump::reference()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page == dump::reference(),
        "docs/configuration.md differs from the table of settings; write it anew with `cargo xtask codegen`"
    );
}
