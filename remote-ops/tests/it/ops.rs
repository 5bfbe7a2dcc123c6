//! The built `ops` program against an AWS of the tests' own and a real Postgres with TLS: what a user types, what comes back.

use std::{
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use local_stack::{
    account::Account,
    testing::{NativeServer, TestServer},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};
use tokio_postgres::{Client, NoTls};

use aws_fakes::{FakeAws, Faults};

const MASTER: &str = "someuser";
const PASSWORD: &str = "hidden-password";
const PATIENCE: Duration = Duration::from_secs(120);

/// A server with TLS, the AWS around it, and a home folder.
pub(crate) struct World {
    server: NativeServer,
    pub(crate) aws: FakeAws,
    dir: TempDir,
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params, KeyPair::generate().unwrap())
}

/// Gives a file to the account that servers run as.
fn hand_over(path: &Path, mode: u32) {
    use std::os::unix::fs::{PermissionsExt, chown};
    if let Some(Account::Other { uid, gid, .. }) = Account::for_servers() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

impl World {
    async fn new() -> Self {
        Self::for_host("localhost").await
    }

    /// With a certificate for another name.
    pub(crate) async fn for_host(host: &str) -> Self {
        Self::start(host, Faults::default()).await
    }

    async fn start(host: &str, faults: Faults) -> Self {
        let dir = tempfile::Builder::new().prefix("pgapp-ops-").tempdir().unwrap();
        let (params, key) = authority("the authority");
        let issuer = Issuer::from_params(&params, &key);
        let mut server_params = CertificateParams::new(Vec::new()).unwrap();
        server_params.subject_alt_names = vec![SanType::DnsName(host.try_into().unwrap())];
        let server_key = KeyPair::generate().unwrap();
        let certificate = server_params.signed_by(&server_key, &issuer).unwrap().pem();
        let write = |name: &str, text: &str, mode| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            hand_over(&path, mode);
            path.to_str().unwrap().to_owned()
        };
        let certificate = write("server.crt", &certificate, 0o644);
        let private = write("server.key", &server_key.serialize_pem(), 0o600);
        write("root.crt", &params.self_signed(&key).unwrap().pem(), 0o644);
        let (other, other_key) = authority("someone else");
        write("wrong.crt", &other.self_signed(&other_key).unwrap().pem(), 0o644);
        hand_over(dir.path(), 0o755);
        let server = NativeServer::builder()
            .setting("ssl", "on")
            .setting("ssl_cert_file", &certificate)
            .setting("ssl_key_file", &private)
            .start()
            .await
            .unwrap();
        let aws = FakeAws::start(([127, 0, 0, 1], server.port()).into(), faults).await;
        std::fs::create_dir_all(dir.path().join("home")).unwrap();
        Self { server, aws, dir }
    }

    /// Makes databases, the stacks around them, and their secrets.
    async fn hybrid(&self) {
        let client = self.connect("postgres").await;
        // A password that is found nowhere else, so that a test can look for it.
        let role = format!("CREATE ROLE {MASTER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'");
        client.batch_execute(&role).await.unwrap();
        client.batch_execute("CREATE DATABASE somedb").await.unwrap();
        client.batch_execute("CREATE DATABASE mydb").await.unwrap();
        let port = self.server.port();
        let url = |dbname: &str, rest: &str| format!("postgresql://{MASTER}@localhost:{port}/{dbname}{rest}");
        self.stack(
            "rds",
            &[
                ("PsqlConnection", &url("somedb", "?sslmode=verify-full")),
                ("DatabaseSecret", "arn:rds"),
                ("FdwSecret", "arn:fdw"),
            ],
        );
        self.stack(
            "persist",
            &[("CustomDBSecret", "arn:custom"), ("AuthenticatorSecret", "arn:authenticator")],
        );
        self.stack("compute", &[("CustomDBConnection", &url("mydb", "")), ("HostGroup", "hosts")]);
        self.aws.add_instance("hosts", "i-0123456789abcdef0", true);
        let login = format!(r#"{{"username":"{MASTER}","password":"{PASSWORD}"}}"#);
        self.aws.add_secret("arn:rds", &login);
        self.aws.add_secret("arn:custom", &login);
        self.aws.add_secret("arn:fdw", r#"{"username":"customdb_fdw","password":"fdw-password"}"#);
        self.aws.add_secret("arn:authenticator", r#"{"password":"authenticator-password"}"#);
    }

    fn stack(&self, name: &str, outputs: &[(&str, &str)]) {
        let outputs = outputs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.aws.account().stacks.insert(format!("postgresasapp-{name}"), outputs);
    }

    /// A `terraform` that knows outputs of a serverless deployment.
    fn serverless(&self) {
        let (user, port) = (self.server.superuser(), self.server.port().to_string());
        let outputs = serde_json::json!({
            "database_endpoint": { "value": "localhost" },
            "database_port": { "value": port.parse::<u16>().unwrap() },
            "database_name": { "value": "animals" },
            "database_proxy_endpoint": { "value": null },
            "database_iam_token_username": { "value": "app" },
            "database_credentials_secret_arn": { "value": "arn:master" },
            "ec2_instance_id": { "value": "i-0123456789abcdef0" },
        });
        let bin = self.dir.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let program = bin.join("terraform");
        std::fs::write(&program, format!("#!/bin/sh\ncat <<'EOF'\n{outputs}\nEOF\n")).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let login = format!(r#"{{"username":"{user}","password":"{}"}}"#, self.server.password());
        self.aws.add_secret("arn:master", &login);
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ops"));
        command
            .args(args)
            .env_clear()
            .env("PATH", format!("{}:{path}", self.dir.path().join("bin").display()))
            .env("HOME", self.home())
            .env("AWS_ENDPOINT_URL", self.aws.url())
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("PGSSLROOTCERT", self.path("root.crt"))
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, args: &[&str]) -> Ran {
        self.run_command(self.command(args)).await
    }

    pub(crate) async fn run_command(&self, mut command: Command) -> Ran {
        Ran(timeout(PATIENCE, command.output()).await.expect("the program ends").unwrap())
    }

    pub(crate) async fn connect(&self, dbname: &str) -> Client {
        self.connect_as(dbname, self.server.superuser(), self.server.password()).await
    }

    /// A configuration with the administrator's login.
    pub(crate) fn log_in(&self, mut config: tokio_postgres::Config) -> tokio_postgres::Config {
        config.user(self.server.superuser()).password(self.server.password());
        config
    }

    async fn connect_as(&self, dbname: &str, user: &str, password: &str) -> Client {
        let mut config = tokio_postgres::Config::new();
        config.host(self.server.host()).port(self.server.port()).dbname(dbname);
        config.user(user).password(password);
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub(crate) fn n_calls(&self, name: &str) -> usize {
        self.aws.calls().iter().filter(|it| *it == name).count()
    }
}

pub(crate) struct Ran(pub(crate) Output);

impl Ran {
    fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).trim().to_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).trim().to_owned()
    }

    #[track_caller]
    pub(crate) fn is(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "out: {}\nerr: {}", self.out(), self.err());
        self
    }
}

/// Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let pid = nix::unistd::Pid::from_raw(child.id().unwrap().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
}

#[tokio::test]
async fn psql_goes_through_the_tunnel_and_checks_the_certificate() {
    let world = World::new().await;
    world.hybrid().await;
    let query = "select ssl, current_database(), inet_client_addr() is not null from pg_stat_ssl where pid = pg_backend_pid()";
    let ran = world.run(&["psql", "rds", "--", "-XAtc", query]).await.is(0);
    assert_eq!(ran.out(), "t|somedb|t");
    // The one session was opened through the instance of the group and ended.
    assert_eq!((world.n_calls("StartSession"), world.n_calls("TerminateSession")), (1, 1));
    // A certificate of somebody else is not believed, though the tunnel is the same.
    let mut command = world.command(&["psql", "rds", "--", "-XAtc", "select 1"]);
    command.env("PGSSLROOTCERT", world.path("wrong.crt"));
    let ran = world.run_command(command).await.is(1);
    assert!(ran.err().contains("certificate verify failed"), "{}", ran.err());
    assert_eq!(world.n_calls("TerminateSession"), 2);
    // psql's own failure is this program's failure.
    world.run(&["psql", "compute", "--", "-XAtc", "select 1 / 0"]).await.is(1);
}

#[tokio::test]
async fn the_environment_is_printed_for_other_clients_on_demand_only() {
    let world = World::new().await;
    world.hybrid().await;
    let ran = world.run(&["psql", "rds", "--print-env"]).await.is(1);
    assert!(ran.err().contains("cargo xtask tunnel --to rds --local-port 15432"), "{}", ran.err());
    let ran = world.run(&["psql", "rds", "--print-env", "--local-port", "15432"]).await.is(0);
    let expected = format!(
        "export PGHOST='localhost'\nexport PGHOSTADDR='127.0.0.1'\nexport PGPORT='15432'\nexport PGDATABASE='somedb'\n\
         export PGUSER='{MASTER}'\nexport PGPASSWORD='{PASSWORD}'\nexport PGSSLMODE='verify-full'\nexport PGSSLROOTCERT='{}'",
        world.path("root.crt")
    );
    assert_eq!(ran.out(), expected);
    assert_eq!(world.n_calls("StartSession"), 0);
    // A token is for the database's own address, whatever port leads there.
    world.serverless();
    let ran = world.run(&["psql", "aurora", "--print-env", "--local-port", "15432"]).await.is(0);
    let token =
        format!("export PGPASSWORD='localhost:{}/?Action=connect&DBUser=app&X-Amz-", world.server.port());
    assert!(ran.out().contains(&token), "{}", ran.out());
}

#[tokio::test]
async fn a_tunnel_stays_until_it_is_interrupted() {
    let world = World::new().await;
    let args = ["tunnel", "--to", "rds", "--target", "i-0123456789abcdef0", "--host", "db.internal:5432"];
    let mut child = world.command(&args).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("the local address");
    let port: u16 = address.strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).dbname("postgres");
    config.user(world.server.superuser()).password(world.server.password());
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(client.query_one("SELECT 42", &[]).await.unwrap().get::<_, i32>(0), 42);
    interrupt(&child);
    let ran = Ran(timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap()).is(130);
    let err = ran.err();
    assert!(err.contains("leads to db.internal:5432 through i-0123456789abcdef0"), "{err}");
    assert!(err.contains("connection 1 opened"), "{err}");
    assert_eq!(world.n_calls("TerminateSession"), 1);
}

#[tokio::test]
async fn what_is_missing_is_said_with_its_remedy() {
    let world = World::new().await;
    let ran = world.run(&["tunnel", "--to", "rds"]).await.is(1);
    assert!(
        ran.err().contains("stack postgresasapp-compute does not exist")
            || ran.err().contains("stack postgresasapp-rds does not exist"),
        "{}",
        ran.err()
    );
    assert!(ran.err().contains("cargo xtask deploy --stack rds"), "{}", ran.err());
    world.run(&["tunnel"]).await.is(2);
    world.run(&["tunnel", "--to", "moon"]).await.is(2);
}

#[tokio::test]
async fn a_way_that_is_closed_is_explained() {
    let with = |faults| async move {
        let world = World::start("localhost", faults).await;
        world.hybrid().await;
        world
    };
    let select = ["psql", "rds", "--", "-XAtc", "select 1"];
    for (faults, expected) in [
        (Faults { offline: true, ..Faults::default() }, "is not connected to Session Manager"),
        (Faults { denied: true, ..Faults::default() }, "not allowed; the profile needs ssm:StartSession"),
        (Faults { encrypted: true, ..Faults::default() }, "encrypt sessions with a KMS key"),
        (Faults { agent_version: Some("3.0.1.0"), ..Faults::default() }, "cannot forward to another host"),
    ] {
        let world = with(faults).await;
        let ran = world.run(&select).await.is(1);
        assert!(ran.err().contains(expected), "{}", ran.err());
        let ran = world.run(&["tunnel", "--to", "compute"]).await.is(1);
        assert!(ran.err().contains(expected), "{}", ran.err());
        assert_eq!(world.n_calls("StartSession"), 2);
    }
    // Nobody listens at the far end: the tunnel is fine, and says what is not.
    let world = with(Faults::default()).await;
    world.aws.add_host("elsewhere", 1, ([127, 0, 0, 1], 1).into());
    let refused = format!("the instance cannot connect to localhost:{}", world.server.port());
    assert!(world.run(&select).await.is(1).err().contains(&refused));
    let ran = world.run(&["bootstrap", "--target", "rds"]).await.is(1);
    assert!(
        ran.err().contains("the database is stopped, or a security group is in the way"),
        "{}",
        ran.err()
    );
    assert_eq!(world.n_calls("StartSession"), world.n_calls("TerminateSession"));
    // No instance of the group is there.
    world.stack("compute", &[("CustomDBConnection", "postgresql://a@b:1/c"), ("HostGroup", "nobody")]);
    let ran = world.run(&select).await.is(1);
    assert!(ran.err().contains("no instance"), "{}", ran.err());
}

#[tokio::test]
async fn the_hybrid_databases_are_set_up_and_joined() {
    let world = World::new().await;
    world.hybrid().await;
    let dry = world.run(&["bootstrap", "--target", "compute", "--dry-run"]).await.is(0);
    assert!(dry.out().contains("-- custom/0002_roles\n"), "{}", dry.out());
    assert!(dry.out().contains("CREATE USER MAPPING FOR PUBLIC SERVER \"origin\""), "{}", dry.out());
    assert!(dry.out().contains("sslmode 'verify-full', sslrootcert '"), "{}", dry.out());
    for secret in [PASSWORD, "authenticator-password", "fdw-password"] {
        assert!(!dry.out().contains(secret), "a secret is in the plan");
    }
    let custom = world.connect("mydb").await;
    let ledger = "SELECT to_regclass('pgapp.schema_step') IS NOT NULL";
    assert!(!custom.query_one(ledger, &[]).await.unwrap().get::<_, bool>(0), "a dry run changes nothing");

    // The custom database comes with its own login, which the origin gets first.
    let early = world.run(&["bootstrap", "--target", "compute"]).await.is(1);
    assert!(early.err().contains("`cargo xtask bootstrap --target rds` makes this login"), "{}", early.err());
    let origin = world.run(&["bootstrap", "--target", "rds", "--sample-table"]).await.is(0);
    assert!(origin.err().contains("applied 0001"), "{}", origin.err());
    let joined = world.run(&["bootstrap", "--target", "compute"]).await.is(0);
    assert!(joined.err().contains("imported todos"), "{}", joined.err());
    let row = custom.query_one("SELECT col1, col2 FROM todos", &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("cat", "dog"));
    // It is verify-full by the authorities that were put beside the data, and the login handles rows only.
    let options = "SELECT array_to_string(srvoptions, ' ') FROM pg_foreign_server WHERE srvname = 'origin'";
    let options: String = custom.query_one(options, &[]).await.unwrap().get(0);
    assert!(options.contains("sslmode=verify-full sslrootcert=/"), "{options}");
    let user = "SELECT array_to_string(umoptions, ' ') FROM pg_user_mappings WHERE srvname = 'origin'";
    let user: String = custom.query_one(user, &[]).await.unwrap().get(0);
    assert!(user.contains("user=customdb_fdw") && !user.contains(PASSWORD), "a mapping of the master user");
    let narrow = world.connect_as("somedb", "customdb_fdw", "fdw-password").await;
    assert!(narrow.batch_execute("DROP TABLE todos").await.is_err());
    // A server with somebody else's certificate is not the origin.
    let wrong = world.path("wrong.crt");
    world.run(&["bootstrap", "--target", "compute", "--fdw-ssl-root-cert", &wrong]).await.is(1);
    world.run(&["bootstrap", "--target", "compute"]).await.is(0);
    // The login of the REST server has the password of the secret; nothing is open to anonymous requests.
    let verifier = "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'authenticator'";
    assert!(custom.query_one(verifier, &[]).await.unwrap().get::<_, bool>(0));
    let open = "SELECT has_table_privilege('web_anon', 'todos', 'SELECT')";
    assert!(!custom.query_one(open, &[]).await.unwrap().get::<_, bool>(0));

    let again = world.run(&["bootstrap", "--target", "compute", "--json"]).await.is(0);
    let report: serde_json::Value = serde_json::from_str(&again.out()).unwrap();
    assert_eq!(report["imported"]["unchanged"], 1);
    assert_eq!(report["wired"]["server_changed"], false);
    assert_eq!(world.n_calls("StartSession"), world.n_calls("TerminateSession"));
}

#[tokio::test]
async fn aurora_is_set_up_from_nothing_and_again() {
    let world = World::new().await;
    world.serverless();
    let dry = world.run(&["bootstrap", "--target", "aurora", "--dry-run"]).await.is(0);
    assert!(dry.out().starts_with("CREATE DATABASE \"animals\";"), "{}", dry.out());
    let first = world.run(&["bootstrap", "--target", "aurora"]).await.is(0);
    assert!(first.err().contains("created the database \"animals\""), "{}", first.err());
    assert!(
        first.err().contains("note: 0002_iam_user: the role \"rds_iam\" does not exist"),
        "{}",
        first.err()
    );
    let animals = world.connect("animals").await;
    let may = "SELECT has_table_privilege('app', 'animals', 'SELECT, INSERT, UPDATE, DELETE') AND NOT has_table_privilege('app', 'animals', 'TRUNCATE')";
    assert!(animals.query_one(may, &[]).await.unwrap().get::<_, bool>(0));
    // The service has the role now: what had to be left undone is done.
    animals.batch_execute("CREATE ROLE rds_iam").await.unwrap();
    let second = world.run(&["bootstrap", "--target", "aurora"]).await.is(0);
    assert!(second.err().contains("reapplied 0002_iam_user"), "{}", second.err());
    let member = "SELECT pg_has_role('app', 'rds_iam', 'MEMBER')";
    assert!(animals.query_one(member, &[]).await.unwrap().get::<_, bool>(0));
    let third = world.run(&["bootstrap", "--target", "aurora"]).await.is(0);
    assert!(third.err().contains("everything was in place"), "{}", third.err());
    // A step that is not the one that was applied is refused by name.
    animals
        .batch_execute("UPDATE pgapp.schema_step SET checksum = 'x' WHERE name = '0001_animals'")
        .await
        .unwrap();
    let drifted = world.run(&["bootstrap", "--target", "aurora"]).await.is(1);
    assert!(
        drifted.err().contains("step \"aurora/0001_animals\" was changed after it had been applied"),
        "{}",
        drifted.err()
    );
}

#[tokio::test]
async fn an_interrupted_bootstrap_is_continued_by_the_next() {
    let world = World::new().await;
    world.serverless();
    let admin = world.connect("postgres").await;
    admin.batch_execute("CREATE DATABASE animals").await.unwrap();
    // Somebody else's run holds the lock, so this one waits.
    let other = world.connect("animals").await;
    other.execute("SELECT pg_advisory_lock(x'0070676170700001'::bigint)", &[]).await.unwrap();
    let mut child = world.command(&["bootstrap", "--target", "aurora"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    loop {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("the program waits");
        if line.contains("another run is at work") {
            break;
        }
    }
    interrupt(&child);
    let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(130));
    assert_eq!((world.n_calls("StartSession"), world.n_calls("TerminateSession")), (1, 1));
    drop(other);
    world.run(&["bootstrap", "--target", "aurora"]).await.is(0);
}
