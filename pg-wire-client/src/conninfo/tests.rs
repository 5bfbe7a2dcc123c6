//! Connection strings and their surroundings, as libpq reads them.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

#[derive(Default)]
struct World {
    vars: HashMap<&'static str, &'static str>,
    files: HashMap<&'static str, &'static str>,
    open_files: Vec<&'static str>,
}

impl Surroundings for World {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).map(ToString::to_string)
    }
    fn user(&self) -> Option<String> {
        Some("osuser".into())
    }
    fn home(&self) -> Option<PathBuf> {
        Some("/home/osuser".into())
    }
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.files.get(path.to_str().unwrap());
        text.map(ToString::to_string).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn accessible_to_others(&self, path: &Path) -> bool {
        self.open_files.contains(&path.to_str().unwrap())
    }
}

fn resolve_in(text: &str, world: &World) -> Result<ConnInfo, ConnInfoError> {
    ConnInfo::resolve(text, "fallback", world)
}

fn resolve(text: &str) -> ConnInfo {
    resolve_in(text, &World::default()).unwrap()
}

/// `user:password@host(addr):port,…/dbname`, as understood.
fn summary(info: &ConnInfo) -> String {
    let hosts: Vec<String> = info
        .hosts
        .iter()
        .map(|it| {
            let name = it.name.as_deref().unwrap_or("-");
            let addr = it.addr.map(|it| format!("({it})")).unwrap_or_default();
            format!("{name}{addr}:{}", it.port)
        })
        .collect();
    let password = info.password.as_ref().map(|it| format!(":{}", it.expose())).unwrap_or_default();
    format!("{}{password}@{}/{}", info.user, hosts.join(","), info.dbname)
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(summary(&resolve(text)), expected, "{text}");
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    let error = resolve_in(text, &World::default()).expect_err(text);
    assert_eq!(error.to_string(), expected, "{text}");
}

#[test]
fn uri_forms_as_libpq_reads_them() {
    // Most of these are cases of libpq's own uri-regress test.
    check("postgresql://uri-user:secret@host:12345/db", "uri-user:secret@host:12345/db");
    check("postgresql://uri-user@host:12345/db", "uri-user@host:12345/db");
    check("postgresql://uri-user@host/db", "uri-user@host:5432/db");
    check("postgresql://host:12345/db", "osuser@host:12345/db");
    check("postgresql://host/db", "osuser@host:5432/db");
    check("postgresql://uri-user@host:12345/", "uri-user@host:12345/uri-user");
    check("postgresql://uri-user@", "uri-user@-:5432/uri-user");
    check("postgresql://host:12345", "osuser@host:12345/osuser");
    check("postgresql://", "osuser@-:5432/osuser");
    check("postgresql:///db", "osuser@-:5432/db");
    check("postgresql:// / / ?", "osuser@ :5432/ / ");
    check("postgresql://?hostaddr=127.0.0.1", "osuser@-(127.0.0.1):5432/osuser");
    check("postgresql://example.com?hostaddr=63.1.2.4", "osuser@example.com(63.1.2.4):5432/osuser");
    check("postgresql://%68ost/", "osuser@host:5432/osuser");
    check("postgresql://host/db?user=uri-user", "uri-user@host:5432/db");
    check("postgresql://host/db?u%73er=someotheruser&port=12345", "someotheruser@host:12345/db");
    check("postgresql://[::1]:12345/db", "osuser@::1:12345/db");
    check("postgresql://[2001:db8::1234]/", "osuser@2001:db8::1234:5432/osuser");
    check("postgresql://[200z:db8::1234]/", "osuser@200z:db8::1234:5432/osuser");
    check("postgres://host:/", "osuser@host:5432/osuser");
    check("postgres:///?host=/path/to/socket/dir", "osuser@/path/to/socket/dir:5432/osuser");
    check("postgres://otheruser@?host=/no/such/dir", "otheruser@/no/such/dir:5432/otheruser");
    check("postgres://otheruser@/?host=/no/dir&port=5433", "otheruser@/no/dir:5433/otheruser");
    check("postgresql://%2Fvar%2Flib%2Fpostgresql/dbname", "osuser@/var/lib/postgresql:5432/dbname");
    check("postgres://host1:1,host2:2,host3/db?port=", "osuser@host1:5432,host2:5432,host3:5432/db");
    check("postgres://u:p%40ss%3A@h1,h2:6/d", "u:p@ss:@h1:5432,h2:6/d");
    check("postgres://admin2:?pass?special?@localhost:5432/x", "admin2:?pass?special?@localhost:5432/x");
    check("postgresql://u:p:w@h/d", "u:p:w@h:5432/d");
}

#[test]
fn uri_malformed_is_error() {
    check_error(
        "postgresql://[::1",
        "end of string reached when looking for matching \"]\" in IPv6 host address in URI: \"postgresql://[::1\"",
    );
    check_error("postgresql://[]", "IPv6 host address may not be empty in URI: \"postgresql://[]\"");
    check_error(
        "postgresql://u:secret@[::1]z",
        "unexpected character \"z\" at position 28 in URI (expected \":\" or \"/\"): \"postgresql://u:***@[::1]z\"",
    );
    check_error("postgresql://host?zzz=1", "invalid URI query parameter: \"zzz\"");
    check_error(
        "postgresql://host?user=a=b",
        "extra key/value separator \"=\" in URI query parameter: \"user\"",
    );
    check_error(
        "postgresql://host?user",
        "missing key/value separator \"=\" in URI query parameter: \"user\"",
    );
    check_error("postgresql://%", "invalid percent-encoded token in URI");
    check_error("postgresql://%1z", "invalid percent-encoded token in URI");
    check_error("postgresql://%00", "forbidden value %00 in percent-encoded value");
    check_error("postgresql://h:99999/", "invalid port number: \"99999\"");
    check_error("postgresql://h:x/", "invalid integer value \"x\" for connection option \"port\"");
}

#[test]
fn key_value_forms_as_libpq_reads_them() {
    check("host=h port=1 user=u dbname=d password=p", "u:p@h:1/d");
    check("  host = h   user='a b' ", "a b@h:5432/a b");
    check(r"user=a\ b password='it\'s' host=''", "a b:it's@-:5432/a b");
    check("host=a,b port=1,2 user=u", "u@a:1,b:2/u");
    check("host=a,,b port=7 user=u", "u@a:7,-:7,b:7/u");
    check("host=a hostaddr=10.0.0.1 user=u", "u@a(10.0.0.1):5432/u");
    check("user=first user=second", "second@-:5432/second");
    check("", "osuser@-:5432/osuser");
}

#[test]
fn key_value_malformed_is_error() {
    check_error("foo", "missing \"=\" after \"foo\" in connection info string");
    check_error("host=a b", "missing \"=\" after \"b\" in connection info string");
    check_error("password=my secret", "missing \"=\" after \"***\" in connection info string");
    check_error("user='a", "unterminated quoted string in connection info string");
    check_error("nope=1", "invalid connection option \"nope\"");
    check_error("sslmode=maybe", "invalid sslmode value: \"maybe\"");
    check_error("channel_binding=x", "invalid channel_binding value: \"x\"");
    check_error("target_session_attrs=x", "invalid target_session_attrs value: \"x\"");
    check_error("load_balance_hosts=x", "invalid load_balance_hosts value: \"x\"");
    check_error("connect_timeout=x", "invalid integer value \"x\" for connection option \"connect_timeout\"");
    check_error("host=a,b port=1,2,3", "could not match 3 port numbers to 2 hosts");
    check_error("host=a,b hostaddr=10.0.0.1", "could not match 2 host names to 1 hostaddr values");
    check_error("hostaddr=nonsense", "could not parse network address \"nonsense\"");
    check_error(
        "gssencmode=require",
        "connection option \"gssencmode\" with value \"require\" is not supported by this server",
    );
}

#[test]
fn environment_fills_what_the_string_leaves_out() {
    let world = World {
        vars: HashMap::from([
            ("PGHOST", "envhost"),
            ("PGPORT", "7"),
            ("PGUSER", "envuser"),
            ("PGDATABASE", "envdb"),
            ("PGPASSWORD", "envpw"),
            ("PGSSLMODE", "verify-ca"),
            ("PGAPPNAME", "envapp"),
            ("PGTZ", "UTC"),
            ("PGDATESTYLE", "default"),
            ("PGTARGETSESSIONATTRS", "standby"),
            ("PGCONNECT_TIMEOUT", "3"),
        ]),
        ..World::default()
    };
    let info = resolve_in("", &world).unwrap();
    assert_eq!(summary(&info), "envuser:envpw@envhost:7/envdb");
    assert_eq!(info.ssl.mode, SslMode::VerifyCa);
    assert_eq!(info.application_name.as_deref(), Some("envapp"));
    assert_eq!(info.startup_settings, [("timezone", "UTC".to_owned())]);
    assert_eq!(info.target_session_attrs, TargetSessionAttrs::Standby);
    assert_eq!(info.connect_timeout, Some(Duration::from_secs(3)));
    let info = resolve_in("postgresql://u:p@h:1/d?sslmode=disable&application_name=a", &world).unwrap();
    assert_eq!(summary(&info), "u:p@h:1/d");
    assert_eq!(info.ssl.mode, SslMode::Disable);
    assert_eq!(info.application_name.as_deref(), Some("a"));
}

#[test]
fn application_name_falls_back_in_order() {
    assert_eq!(resolve("").application_name.as_deref(), Some("fallback"));
    assert_eq!(resolve("fallback_application_name=f").application_name.as_deref(), Some("f"));
    let both = resolve("fallback_application_name=f application_name=a");
    assert_eq!(both.application_name.as_deref(), Some("a"));
}

#[test]
fn sslrootcert_system_demands_verify_full() {
    let info = resolve("sslrootcert=system");
    assert_eq!((info.ssl.mode, info.ssl.root_cert), (SslMode::VerifyFull, Some(RootCert::System)));
    check_error(
        "sslrootcert=system sslmode=require",
        "weak sslmode \"require\" may not be used with sslrootcert=system (use \"verify-full\")",
    );
    check_error(
        "sslnegotiation=direct",
        "weak sslmode \"prefer\" may not be used with sslnegotiation=direct (use \"require\", \"verify-ca\", or \"verify-full\")",
    );
    let info = resolve("");
    assert_eq!(info.ssl.mode, SslMode::Prefer);
    assert_eq!(info.ssl.root_cert, Some(RootCert::File("/home/osuser/.postgresql/root.crt".into())));
    assert_eq!(info.ssl.cert, Some(("/home/osuser/.postgresql/postgresql.crt".into(), false)));
    assert_eq!(resolve("sslcertmode=disable").ssl.cert, None);
    assert_eq!(resolve("postgres://h?ssl=true").ssl.mode, SslMode::Require);
    assert!(resolve("ssl_min_protocol_version=TLSv1.3").ssl.min_tls13);
    assert!(resolve("ssl_max_protocol_version=TLSv1.2").ssl.max_tls12);
    check_error("ssl_max_protocol_version=TLSv1.1", "invalid ssl_max_protocol_version value: \"TLSv1.1\"");
}

#[test]
fn keepalives_read_as_written() {
    assert_eq!(resolve("keepalives=0").keepalive, None);
    let info = resolve("keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=1500");
    let expected = Keepalive {
        idle: Some(Duration::from_secs(5)),
        interval: Some(Duration::from_secs(2)),
        count: Some(3),
    };
    assert_eq!(info.keepalive, Some(expected));
    assert_eq!(info.tcp_user_timeout, Some(Duration::from_millis(1500)));
    assert_eq!(resolve("").keepalive, Some(Keepalive { idle: None, interval: None, count: None }));
}

const PASSFILE: &str = "# comment\n\
    h:5432:db:u:first\n\
    h:*:*:u:sec\\:ond\\\\\n\
    localhost:5432:*:*:socket\n\
    10.0.0.1:*:*:*:by-address\n\
    \\*:*:*:*:not-a-wildcard\n";

#[test]
fn passfile_first_matching_line_counts() {
    let world = World { files: HashMap::from([("/home/osuser/.pgpass", PASSFILE)]), ..World::default() };
    let of = |text: &str| {
        let info = resolve_in(text, &world).unwrap();
        info.hosts.iter().map(|it| it.password.as_ref().map(|it| it.expose().to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(of("postgres://u@h/db"), [Some("first".into())]);
    assert_eq!(of("postgres://u@h/other"), [Some("sec:ond\\".into())]);
    assert_eq!(of("postgres://u@h,x,h:1/db"), [Some("first".into()), None, Some("sec:ond\\".into())]);
    assert_eq!(of("user=z"), [Some("socket".into())]);
    assert_eq!(of("user=z hostaddr=10.0.0.1"), [Some("by-address".into())]);
    assert_eq!(of("user=z host=x"), [None]);
    assert_eq!(of("postgres://u:given@h/db"), [None]);
}

#[test]
fn passfile_open_to_others_is_ignored_and_said() {
    let world = World {
        files: HashMap::from([("/pass", "*:*:*:*:pw\n")]),
        vars: HashMap::from([("PGPASSFILE", "/pass")]),
        open_files: vec!["/pass"],
    };
    let info = resolve_in("host=h", &world).unwrap();
    assert_eq!(info.hosts[0].password, None);
    assert!(info.passfile_note.unwrap().contains("has group or world access"));
    let closed = World { open_files: vec![], ..world };
    let info = resolve_in("host=h", &closed).unwrap();
    assert_eq!(info.hosts[0].password, Some(Secret::new("pw")));
    assert_eq!(info.passfile_note.as_deref(), Some("password retrieved from file \"/pass\""));
}

const SERVICES: &str = "# all\n[one]\nhost=service-host\nuser=service-user\nport=9\n\n[two]\nhost=2\n";

#[test]
fn service_stands_between_string_and_environment() {
    let world = World {
        files: HashMap::from([("/home/osuser/.pg_service.conf", SERVICES)]),
        vars: HashMap::from([("PGHOST", "envhost"), ("PGPORT", "8"), ("PGDATABASE", "envdb")]),
        ..World::default()
    };
    let info = resolve_in("service=one user=u", &world).unwrap();
    assert_eq!(summary(&info), "u@service-host:9/envdb");
    let info = resolve_in("postgres:///?service=two", &world).unwrap();
    assert_eq!(summary(&info), "osuser@2:8/envdb");
    let error = resolve_in("service=three", &world).unwrap_err();
    assert_eq!(error.to_string(), "definition of service \"three\" not found");
}

#[test]
fn service_file_problems_are_named() {
    let mut world = World {
        vars: HashMap::from([("PGSERVICE", "s"), ("PGSERVICEFILE", "/services")]),
        ..World::default()
    };
    let error = resolve_in("", &world).unwrap_err();
    assert_eq!(error.to_string(), "service file \"/services\" not found");
    world.files.insert("/services", "[s]\nhost=h\nnonsense\n");
    let error = resolve_in("", &world).unwrap_err();
    assert_eq!(error.to_string(), "syntax error in service file \"/services\", line 3");
    world.files.insert("/services", "[s]\nservice=t\n");
    let error = resolve_in("", &world).unwrap_err();
    assert!(error.to_string().starts_with("nested \"service\" specifications not supported"));
    world.files.insert("/services", "[other]\nhost=x\n");
    world.files.insert("/etc-pg/pg_service.conf", "[s]\nhost=system\n");
    world.vars.insert("PGSYSCONFDIR", "/etc-pg");
    assert_eq!(summary(&resolve_in("", &world).unwrap()), "osuser@system:5432/osuser");
}

#[test]
fn debug_never_shows_a_password() {
    let info = resolve("postgres://u:topsecret@h/db");
    assert!(!format!("{info:?}").contains("topsecret"));
}
