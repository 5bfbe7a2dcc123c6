//! TLS with each `sslmode`: the right authority, a wrong one, a wrong name, no TLS at all.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use api::error::DbError;
use api::execute::{Connector, Pool, connect_cold};
use local_stack::account::Account;
use local_stack::testing::{NativeServer, TestServer};
use pg_wire_client::conninfo::Secret;
use pg_wire_client::{CredentialSource, TokenFuture, TokenSource};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use tempfile::TempDir;

use super::fixture::Request;
use crate::support;

/// A server with TLS, and the certificates around it.
pub(crate) struct Tls {
    pub(crate) server: NativeServer,
    dir: TempDir,
}

pub(crate) struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { params, key: KeyPair::generate().unwrap() }
    }

    pub(crate) fn certificate(&self) -> String {
        self.params.self_signed(&self.key).unwrap().pem()
    }

    /// Certificate and key for a subject.
    pub(crate) fn issue(&self, common_name: &str, names: Vec<SanType>) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// Gives a file to the account that servers run as.
fn hand_over(path: &Path, mode: u32) {
    use std::os::unix::fs::{PermissionsExt, chown};
    if let Some(Account::Other { uid, gid, .. }) = Account::for_servers() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

impl Tls {
    /// A server whose certificate is for `localhost` in its names.
    pub(crate) async fn start() -> Self {
        let name = SanType::DnsName("localhost".try_into().unwrap());
        Self::start_with("ignored.example", vec![name]).await
    }

    async fn start_with(common_name: &str, names: Vec<SanType>) -> Self {
        let authority = Authority::new("the authority");
        let (cert, key) = authority.issue(common_name, names);
        Self::start_from(&authority, cert, key).await
    }

    async fn start_from(authority: &Authority, cert: String, key: String) -> Self {
        let dir = tempfile::Builder::new().prefix("pgapp-tls-").tempdir().unwrap();
        let write = |name: &str, text: &str, mode| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            hand_over(&path, mode);
            path.to_str().unwrap().to_owned()
        };
        let cert = write("server.crt", &cert, 0o644);
        let key = write("server.key", &key, 0o600);
        let root = write("root.crt", &authority.certificate(), 0o644);
        write("wrong.crt", &Authority::new("someone else").certificate(), 0o644);
        let (client_cert, client_key) = authority.issue("with_cert", Vec::new());
        write("client.crt", &client_cert, 0o644);
        // The client reads its key as the user of the test.
        let path = dir.path().join("client.key");
        std::fs::write(&path, client_key).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let hba = write(
            "pg_hba.conf",
            "local all all trust\n\
             hostssl all with_cert 127.0.0.1/32 cert\n\
             hostssl all tls_only 127.0.0.1/32 trust\n\
             hostnossl all plain_only 127.0.0.1/32 trust\n\
             hostssl all with_password 127.0.0.1/32 password\n\
             host all postgres 127.0.0.1/32 scram-sha-256\n",
            0o644,
        );
        hand_over(dir.path(), 0o755);
        let server = NativeServer::builder()
            .setting("ssl", "on")
            .setting("ssl_cert_file", &cert)
            .setting("ssl_key_file", &key)
            .setting("ssl_ca_file", &root)
            .setting("hba_file", &hba)
            .start()
            .await
            .unwrap();
        let tls = Self { server, dir };
        let socket = tls.server.socket_dir().unwrap().display();
        let uri = format!("host={socket} port={} user=postgres dbname=postgres", tls.server.port());
        let (client, _) = connect_cold(&support::config(&uri)).await.unwrap();
        client
            .batch_execute(
                "CREATE ROLE with_cert LOGIN; CREATE ROLE tls_only LOGIN; CREATE ROLE plain_only LOGIN;
                 CREATE ROLE with_password LOGIN PASSWORD 'localhost:token'",
            )
            .await
            .unwrap();
        tls
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn uri(&self, user: &str, rest: &str) -> String {
        let dir = self.dir.path().display();
        let rest = rest.replace("$", &format!("{dir}/"));
        // Whatever the machine has in the user's home must not decide.
        let root =
            if rest.contains("sslrootcert") { String::new() } else { format!(" sslrootcert={dir}/absent") };
        let host = if rest.contains("host=") { "" } else { "host=localhost hostaddr=127.0.0.1" };
        let port = self.server.port();
        format!("{host} port={port} user={user} password=postgres dbname=postgres {rest}{root}")
    }

    /// How a session came to be: `ssl` or `plain` and its cipher's protocol, or the failure.
    async fn attempt(&self, user: &str, rest: &str) -> Result<String, String> {
        let conf = support::config(&self.uri(user, rest));
        let pool = Pool::new(&conf).map_err(message)?;
        let cold = connect_cold(&conf).await;
        let expression = "(SELECT CASE WHEN ssl THEN version ELSE 'plain' END FROM pg_stat_ssl WHERE pid = pg_backend_pid())";
        match (Request::read(expression).role("none", "").result(&pool, &conf).await, cold) {
            (Ok(set), Ok(_)) => Ok(String::from_utf8(set.body.to_vec()).unwrap()),
            (hot @ Err(_), Err(cold)) => {
                let hot = message(super::fixture::db_error(hot));
                assert_eq!(hot, message(cold), "both ways fail alike");
                Err(hot)
            }
            (hot, cold) => panic!("{rest}: request path {hot:?}, cold path {:?}", cold.map(drop)),
        }
    }
}

fn message(error: DbError) -> String {
    match error {
        DbError::Connection { was_established: false, message } => message,
        other => panic!("unexpected {other:?}"),
    }
}

const ENCRYPTED: &str = "TLSv1.3";

#[tokio::test]
async fn sslmode_verifies_what_it_says() {
    let tls = Tls::start().await;
    let right = "sslrootcert=$root.crt";
    let wrong = "sslrootcert=$wrong.crt";
    let unverified = "certificate verify failed";
    let misnamed = "server certificate for \"localhost\" does not match host name \"127.0.0.1\"";
    let missing = "does not exist";
    let by_address = "host=127.0.0.1 sslrootcert=$root.crt";
    // (mode, files and host, what comes of it)
    let cases = [
        ("disable", "", Ok("plain")),
        ("disable", wrong, Ok("plain")),
        ("allow", "", Ok("plain")),
        ("prefer", "", Ok(ENCRYPTED)),
        ("prefer", right, Ok(ENCRYPTED)),
        // What cannot be verified is not used; "prefer" then goes on without.
        ("prefer", wrong, Ok("plain")),
        ("require", "", Ok(ENCRYPTED)),
        ("require", right, Ok(ENCRYPTED)),
        // A root certificate that is there is verified against.
        ("require", wrong, Err(unverified)),
        ("require", by_address, Ok(ENCRYPTED)),
        ("verify-ca", right, Ok(ENCRYPTED)),
        ("verify-ca", by_address, Ok(ENCRYPTED)),
        ("verify-ca", wrong, Err(unverified)),
        ("verify-ca", "", Err(missing)),
        ("verify-full", right, Ok(ENCRYPTED)),
        ("verify-full", by_address, Err(misnamed)),
        ("verify-full", wrong, Err(unverified)),
        ("verify-full", "", Err(missing)),
        ("verify-full", "sslrootcert=system", Err(unverified)),
    ];
    for (mode, rest, expected) in cases {
        let outcome = tls.attempt("postgres", &format!("sslmode={mode} {rest}")).await;
        match (&outcome, expected) {
            (Ok(actual), Ok(expected)) => assert_eq!(actual, expected, "{mode} {rest}"),
            (Err(actual), Err(expected)) => {
                assert!(actual.contains(expected), "{mode} {rest}: {actual}");
            }
            _ => panic!("{mode} {rest}: {outcome:?}, expected {expected:?}"),
        }
    }
}

#[tokio::test]
async fn server_decides_between_plain_and_encrypted() {
    let tls = Tls::start().await;
    for (user, mode, expected) in [
        ("tls_only", "allow", Some(ENCRYPTED)),
        ("tls_only", "prefer", Some(ENCRYPTED)),
        ("tls_only", "disable", None),
        ("plain_only", "prefer", Some("plain")),
        ("plain_only", "allow", Some("plain")),
        ("plain_only", "require", None),
    ] {
        let outcome = tls.attempt(user, &format!("sslmode={mode}")).await;
        assert_eq!(outcome.as_deref().ok(), expected, "{user} {mode}: {outcome:?}");
        if let Err(message) = outcome {
            assert!(message.contains("no pg_hba.conf entry"), "{message}");
        }
    }
    let error = tls.attempt("nobody_knows", "sslmode=prefer").await.unwrap_err();
    assert_eq!(
        error.matches("connection to server at \"localhost\" (127.0.0.1), port ").count(),
        2,
        "{error}"
    );
    let version = tls.attempt("tls_only", "sslmode=require ssl_max_protocol_version=TLSv1.2").await;
    assert_eq!(version.as_deref(), Ok("TLSv1.2"));
}

#[tokio::test]
async fn channel_is_bound_where_it_can_be() {
    let tls = Tls::start().await;
    for rest in [
        "sslmode=require channel_binding=require",
        "sslmode=require channel_binding=prefer",
        "sslmode=require channel_binding=disable",
    ] {
        assert_eq!(tls.attempt("postgres", rest).await.as_deref(), Ok(ENCRYPTED), "{rest}");
    }
    let conf = support::config(&tls.uri("tls_only", "sslmode=require channel_binding=require"));
    let pool = Pool::new(&conf).unwrap();
    let error = message(super::fixture::db_error(Request::read("'x'").run(&pool, &conf).await));
    assert!(error.contains("server authenticated client without channel binding"), "{error}");
}

#[tokio::test]
async fn client_certificate_proves_the_role() {
    let tls = Tls::start().await;
    let files = "sslmode=verify-full sslrootcert=$root.crt sslcert=$client.crt sslkey=$client.key";
    assert_eq!(tls.attempt("with_cert", files).await.as_deref(), Ok(ENCRYPTED));
    let error = tls.attempt("with_cert", "sslmode=require sslcertmode=disable").await.unwrap_err();
    assert!(error.contains("connection requires a valid client certificate"), "{error}");
    let error = tls.attempt("with_cert", "sslmode=require sslcert=$client.crt sslkey=$absent").await;
    assert!(error.unwrap_err().contains("certificate present, but not private key file"));
    let key = tls.path("client.key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let error = tls.attempt("with_cert", files).await.unwrap_err();
    assert!(error.contains("has group or world access"), "{error}");
}

#[tokio::test]
async fn name_is_looked_up_where_libpq_does() {
    let address = SanType::IpAddress(IpAddr::from([127, 0, 0, 1]));
    let tls = Tls::start_with("localhost", vec![address]).await;
    let full = "sslmode=verify-full sslrootcert=$root.crt";
    assert_eq!(tls.attempt("tls_only", &format!("host=127.0.0.1 {full}")).await.as_deref(), Ok(ENCRYPTED));
    // No DNS name among the alternatives: the common name counts.
    assert_eq!(tls.attempt("tls_only", full).await.as_deref(), Ok(ENCRYPTED));
    let other = tls.attempt("tls_only", &format!("host=db.example hostaddr=127.0.0.1 {full}")).await;
    assert!(other.unwrap_err().contains("does not match host name \"db.example\""));
}

#[tokio::test]
async fn self_signed_certificate_may_be_its_own_root() {
    let authority = Authority::new("localhost");
    let tls = Tls::start_from(&authority, authority.certificate(), authority.key.serialize_pem()).await;
    for mode in ["verify-ca", "verify-full"] {
        let rest = format!("sslmode={mode} sslrootcert=$server.crt");
        assert_eq!(tls.attempt("tls_only", &rest).await.as_deref(), Ok(ENCRYPTED), "{mode}");
    }
    assert!(tls.attempt("tls_only", "sslmode=verify-ca sslrootcert=$wrong.crt").await.is_err());
}

/// A token that names its host, to see that the right one was asked for.
struct Token;

impl TokenSource for Token {
    fn token<'a>(&'a self, host: &'a str, _: u16, _: &'a str) -> TokenFuture<'a> {
        Box::pin(async move { Ok(Secret::new(format!("{host}:token"))) })
    }
}

#[tokio::test]
async fn token_logs_in_over_tls_only() {
    let tls = Tls::start().await;
    for (mode, expected) in [("prefer", true), ("require", true), ("disable", false)] {
        let conf = support::config(&tls.uri("with_password", &format!("sslmode={mode}")));
        let connector = || {
            Connector::with_credentials(&conf, CredentialSource::Token(std::sync::Arc::new(Token))).unwrap()
        };
        assert_eq!(connector().connect_cold().await.is_ok(), expected, "{mode}");
        let pool = Pool::with_connector(&conf, connector(), None);
        let outcome = Request::read("'in'").role("none", "").result(&pool, &conf).await;
        assert_eq!(outcome.is_ok(), expected, "{mode}: {outcome:?}");
    }
}

#[tokio::test]
async fn cancelling_takes_the_encrypted_way() {
    use super::fixture::eventually;
    let tls = Tls::start().await;
    let conf = support::config(&tls.uri("postgres", "sslmode=verify-full sslrootcert=$root.crt"));
    let pool = Pool::new(&conf).unwrap();
    let slow = Request::call("pg_sleep(600)::text", "1::int8");
    let patience = std::time::Duration::from_millis(500);
    assert!(tokio::time::timeout(patience, slow.run(&pool, &conf)).await.is_err());
    let (client, _) = connect_cold(&conf).await.unwrap();
    eventually("nothing sleeps any more", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
}
