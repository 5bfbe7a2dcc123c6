//! The command line: dumps, example, readiness, version, usage errors.

use std::process::Output;

use super::process::{Server, command};
use super::{authenticator, database, server_over};

fn run(variables: &[(&str, &str)], args: &[&str]) -> Output {
    command(variables, args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn informs_without_a_database() {
    for (args, expected) in [
        (["--version"], "PostgREST 16.4 (pgapp-api "),
        (["-v"], "PostgREST 16.4 (pgapp-api "),
        (["--example"], "db-schemas = \"public\""),
        (["-e"], "db-schemas = \"public\""),
        (["--help"], "Usage: pgapp-api [OPTIONS] [FILENAME]"),
        (["-h"], "--dump-config"),
        (["--dump-config"], "db-uri = \"postgresql://\"\n"),
    ] {
        let output = run(&[("PGRST_DB_CONFIG", "false")], &args);
        assert!(output.status.success(), "{args:?} {output:?}");
        assert!(text(&output.stdout).contains(expected), "{args:?} {output:?}");
    }
}

#[test]
fn completions_work_in_the_shells_that_are_installed() {
    let dir = tempfile::tempdir().unwrap();
    let bash = r#"source "$script"; COMP_WORDS=(pgapp-api --dump-s); COMP_CWORD=1
        _pgapp__api pgapp-api --dump-s pgapp-api; printf '%s\n' "${COMPREPLY[@]}""#;
    let fish = r#"source $script; complete -C "pgapp-api --dump-s" | cut -f 1"#;
    // What zsh shows needs a terminal; that it reads the script is what is tried.
    let zsh = r#"compdef() { print -r -- --dump-schema; print -r -- --dump-snapshot }; source $script"#;
    for (shell, options, program) in
        [("bash", "--norc", bash), ("fish", "--no-config", fish), ("zsh", "-f", zsh)]
    {
        let script = dir.path().join(shell);
        let printed = run(&[], &["--completions", shell]);
        assert!(printed.status.success(), "{printed:?}");
        std::fs::write(&script, printed.stdout).unwrap();
        let mut command = std::process::Command::new(shell);
        command.args([options, "-c", program]).env("script", &script).env("HOME", dir.path());
        match command.output() {
            Ok(output) => {
                assert_eq!(text(&output.stdout), "--dump-schema\n--dump-snapshot\n", "{shell} {output:?}");
            }
            Err(error) if shell != "bash" && error.kind() == std::io::ErrorKind::NotFound => {
                eprintln!("skipped: {shell} is not installed");
            }
            Err(error) => panic!("{shell}: {error}"),
        }
    }
}

#[test]
fn wrong_usage_fails_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.conf");
    std::fs::write(&broken, "db-uri: no\n").unwrap();
    let broken = broken.display().to_string();
    for (args, expected) in [
        (vec!["--no-such-option"], "unexpected argument '--no-such-option'"),
        (vec!["--dump-config", "--dump-schema"], "cannot be used with"),
        (vec!["--types", "cobol"], "possible values: typescript, rust, python, openapi"),
        (vec!["--types", "rust", "--dump-schema"], "cannot be used with"),
        (vec!["--pydantic"], "--types <LANG>"),
        (vec!["a.conf", "b.conf"], "unexpected argument 'b.conf'"),
        (vec!["does_not_exist.conf"], "Error in config does_not_exist.conf: No such file or directory"),
        (vec!["--dump-config", &broken], "broken.conf:1:7: expected '=' and a value after 'db-uri'"),
    ] {
        let output = run(&[], &args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(text(&output.stderr).contains(expected), "{args:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn shows_a_configuration_that_leads_nowhere() {
    for in_database in ["false", "true"] {
        let output = run(&[("PGRST_DB_CONFIG", in_database), ("PGRST_DB_URI", "tmp_db")], &["--dump-config"]);
        assert!(output.status.success(), "{output:?}");
        assert!(text(&output.stdout).contains("db-uri = \"tmp_db\"\n"), "{output:?}");
        let complaint = text(&output.stderr).contains("missing \"=\" after \"tmp_db\"");
        assert_eq!(complaint, in_database == "true", "{output:?}");
    }
}

#[test]
fn a_secret_can_come_through_a_pipe() {
    use std::io::Write as _;
    use std::process::Stdio;
    let variables = [("PGRST_DB_CONFIG", "false"), ("PGRST_JWT_SECRET", "@/dev/stdin")];
    let mut child =
        command(&variables, &["--dump-config"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"reallyreallyreallyreallyverysafe\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        text(&output.stdout).contains("jwt-secret = \"reallyreallyreallyreallyverysafe\"\n"),
        "{output:?}"
    );
}

#[tokio::test]
async fn dumps_the_schema_cache() {
    let db = database().await;
    let uri = authenticator(db.config());
    let variables = [
        ("PGRST_DB_URI", uri.as_str()),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_EXTRA_SEARCH_PATH", "extra"),
    ];
    let output = run(&variables, &["--dump-schema"]);
    assert!(output.status.success(), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["dbTables"].to_string().contains("\"films\""));

    let output = run(&[("PGRST_DB_URI", uri.as_str()), ("PGRST_DB_SCHEMAS", "nowhere")], &["--dump-schema"]);
    assert_eq!(output.status.code(), Some(1));
    let expected =
        "Failed to load the schema cache using db-schemas=nowhere and db-extra-search-path=public.";
    assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
}

#[tokio::test]
async fn prints_types_of_the_schemas() {
    let db = database().await;
    let uri = authenticator(db.config());
    let of = |schemas| [("PGRST_DB_URI", uri.as_str()), ("PGRST_DB_SCHEMAS", schemas)];
    for (language, expected) in [
        ("typescript", "export type Database = {\n  api: {"),
        ("rust", "pub struct Films {"),
        ("python", "class ApiFilms(TypedDict):"),
        ("openapi", "\"openapi\": \"3.1.0\""),
    ] {
        let output = run(&of("api"), &["--types", language]);
        assert!(output.status.success(), "{output:?}");
        assert!(text(&output.stdout).contains(expected), "{language}");
    }
    let output = run(&of("api"), &["--types", "python", "--pydantic"]);
    assert!(text(&output.stdout).contains("class ApiFilms(BaseModel):"), "{output:?}");

    let output = run(&of("api"), &["--types", "rust", "--pydantic"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--pydantic goes with --types python"), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let output = run(&of("nowhere"), &["--types", "rust"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot read the schema: "), "{output:?}");
}

#[tokio::test]
async fn asks_a_running_server_whether_it_is_ready() {
    let db = database().await;
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock").display().to_string();
    let server =
        Server::over(&authenticator(db.config())).set("ADMIN_SERVER_UNIX_SOCKET", &socket).start().await;
    server.admin().await;
    server.wait_for_line("listening for database notifications").await;
    let output = run(&[("PGRST_ADMIN_SERVER_UNIX_SOCKET", &socket)], &["--ready"]);
    assert_eq!(text(&output.stdout), format!("OK: unix:{socket}:/ready\n"), "{output:?}");

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    for (host, port, expected) in [
        ("127.0.0.1", "", "ERROR: Admin server is not running. Please check admin-server-port config.\n".to_owned()),
        (
            "*4",
            "1",
            "ERROR: The `--ready` flag cannot be used when server-host is configured as \"*4\". Please update your server-host config to \"localhost\".\n".to_owned(),
        ),
        ("127.0.0.1", &free, format!("ERROR: connection refused to http://127.0.0.1:{free}/ready\n")),
        ("::1", &free, format!("ERROR: connection refused to http://[::1]:{free}/ready\n")),
        ("127.0.0.1", "-1", "ERROR: invalid url - http://127.0.0.1:-1/ready\n".to_owned()),
    ] {
        let output = run(&[("PGRST_SERVER_HOST", host), ("PGRST_ADMIN_SERVER_PORT", port)], &["--ready"]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stderr), expected);
    }
}

#[tokio::test]
async fn the_version_is_the_same_everywhere() {
    let db = database().await;
    let server = server_over(&db).await;
    let version = text(&run(&[], &["--version"]).stdout);
    let version = version.trim_end();
    assert!(server.lines()[0].ends_with(&format!(": Starting {version}...")), "{:?}", server.lines());
    let answer = server.get("/rpc/setting?name=application_name").await;
    assert_eq!(answer.json(), version);
    assert_eq!(answer.header("server").unwrap().replace("postgrest/", "PostgREST "), version);
}
