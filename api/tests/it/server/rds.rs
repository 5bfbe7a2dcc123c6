//! What RDS does before Postgres: TLS always, and a password that has to be a token. Behind it is a real server.
//!
//! A token is right when signing anew, with the keys that it names and at its own time, gives the same one, and when
//! that time is now.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use local_stack::testing::{NativeServer, TestServer as _};
use pg_wire_client::{IamTokens, ProcessCredentials, TokenSource as _};
use rcgen::SanType;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::execute::tls::Authority;

pub(super) const REGION: &str = "eu-west-1";

const SSL_REQUEST: u32 = 80_877_103;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Secret and session token by the id of the key.
type Keys = HashMap<String, (String, Option<String>)>;

/// A database that logs in by tokens.
pub(super) struct Rds {
    pub(super) server: NativeServer,
    port: u16,
    dir: tempfile::TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    socket: PathBuf,
    acceptor: TlsAcceptor,
    keys: Mutex<Keys>,
    /// Ids of the keys of those who got in, and what was wrong with those who did not.
    logins: Mutex<Vec<Result<String, String>>>,
}

impl Rds {
    pub(super) async fn start() -> Self {
        let server = NativeServer::builder().start().await.unwrap();
        let socket = server.socket_dir().unwrap().join(format!(".s.PGSQL.{}", server.port()));
        let authority = Authority::new("the authority of RDS");
        let names = vec![SanType::DnsName("localhost".try_into().unwrap())];
        let (certificate, key) = authority.issue("ignored.example", names);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("root.crt"), authority.certificate()).unwrap();
        let acceptor = acceptor(&certificate, &key);
        let shared = Shared { socket, acceptor, keys: Mutex::default(), logins: Mutex::default() };
        let shared = Arc::new(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&accepting);
                // A client that goes away is no failure of the test's.
                tokio::spawn(async move { shared.serve(stream, port).await.ok() });
            }
        });
        Self { server, port, dir, shared }
    }

    /// Tokens signed with these are accepted from now on.
    pub(super) fn trust(&self, id: &str, secret: &str, session: Option<&str>) {
        let entry = (secret.to_owned(), session.map(ToOwned::to_owned));
        self.shared.keys.lock().unwrap().insert(id.to_owned(), entry);
    }

    /// Tokens signed with these are refused from now on.
    pub(super) fn distrust(&self, id: &str) {
        self.shared.keys.lock().unwrap().remove(id).unwrap();
    }

    /// The connection string of a login, without a password.
    pub(super) fn uri(&self, user: &str, rest: &str) -> String {
        let root = self.dir.path().join("root.crt");
        format!(
            "postgres://{user}@localhost:{}/postgres?sslrootcert={}&sslmode={rest}",
            self.port,
            root.display()
        )
    }

    pub(super) fn logins(&self) -> Vec<Result<String, String>> {
        self.shared.logins.lock().unwrap().clone()
    }

    /// Connects as the superuser, past the front.
    pub(super) async fn admin(&self) -> tokio_postgres::Client {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.server.socket_dir().unwrap()).port(self.server.port());
        let (client, connection) =
            config.user("postgres").dbname("postgres").connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

fn acceptor(certificate: &str, key: &str) -> TlsAcceptor {
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

impl Shared {
    async fn serve(&self, mut stream: TcpStream, port: u16) -> std::io::Result<()> {
        let first = startup(&mut stream).await?;
        if code(&first) != SSL_REQUEST {
            return stream.write_all(&refusal("no encryption")).await;
        }
        stream.write_all(b"S").await?;
        let mut stream = self.acceptor.accept(stream).await?;
        let startup = startup(&mut stream).await?;
        let mut postgres = UnixStream::connect(&self.socket).await?;
        if code(&startup) != CANCEL_REQUEST {
            let user = parameter(&startup, "user").unwrap_or_default();
            // AuthenticationCleartextPassword.
            stream.write_all(b"R\0\0\0\x08\0\0\0\x03").await?;
            let mut head = [0; 5];
            stream.read_exact(&mut head).await?;
            let mut password = vec![0; u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4];
            stream.read_exact(&mut password).await?;
            let token = String::from_utf8_lossy(password.strip_suffix(b"\0").unwrap()).into_owned();
            let judged = self.judge(&token, port, &user).await;
            self.logins.lock().unwrap().push(judged.clone());
            if judged.is_err() {
                return stream
                    .write_all(&refusal(&format!("PAM authentication failed for user \"{user}\"")))
                    .await;
            }
        }
        // Postgres trusts its socket and goes on as if it had looked itself.
        postgres.write_all(&startup).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut postgres).await.map(drop)
    }

    /// The id of the key that signed a right token, or what is wrong with it.
    async fn judge(&self, token: &str, port: u16, user: &str) -> Result<String, String> {
        let value = |name: &str| -> Result<String, String> {
            let field = token.split('&').find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
            let field = field.ok_or_else(|| format!("no {name} in {} characters", token.len()))?;
            Ok(percent_encoding::percent_decode_str(field).decode_utf8_lossy().into_owned())
        };
        let credential = value("X-Amz-Credential")?;
        let id = credential.split('/').next().unwrap_or_default().to_owned();
        let date = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ%z", format!("{}+0000", value("X-Amz-Date")?));
        let date = date.and_then(|it| it.to_timestamp()).map_err(|it| it.to_string())?;
        let age = SystemTime::now().duration_since(date.into()).unwrap_or_default();
        if age > Duration::from_secs(15 * 60) {
            return Err(format!("{id} signed it {} s ago", age.as_secs()));
        }
        let keys = self.keys.lock().unwrap().get(&id).cloned().ok_or_else(|| format!("{id} is unknown"))?;
        let variables = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some(id.clone()),
            "AWS_SECRET_ACCESS_KEY" => Some(keys.0.clone()),
            "AWS_SESSION_TOKEN" => keys.1.clone(),
            _ => None,
        };
        let tokens = IamTokens::new(REGION, ProcessCredentials::read(variables).unwrap());
        let right = tokens.with_clock(move || date.into()).token("localhost", port, user).await.unwrap();
        if right.expose() == token { Ok(id) } else { Err(format!("{id} did not sign it for {user}")) }
    }
}

/// A message without a type: its length, then the rest.
async fn startup(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    stream.read_exact(&mut message).await?;
    let length = u32::from_be_bytes([message[0], message[1], message[2], message[3]]);
    message.resize(length.clamp(8, 10_000) as usize, 0);
    stream.read_exact(&mut message[4..]).await?;
    Ok(message)
}

fn code(startup: &[u8]) -> u32 {
    u32::from_be_bytes([startup[4], startup[5], startup[6], startup[7]])
}

fn parameter(startup: &[u8], name: &str) -> Option<String> {
    let mut fields = startup[8..].split(|it| *it == 0);
    fields.find(|it| *it == name.as_bytes())?;
    fields.next().map(|it| String::from_utf8_lossy(it).into_owned())
}

fn refusal(message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C28000\0M{message}\0\0");
    let mut bytes = vec![b'E'];
    bytes.extend_from_slice(&u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
    bytes.extend_from_slice(fields.as_bytes());
    bytes
}
