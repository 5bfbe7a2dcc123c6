//! The CloudFormation deployment. CloudFormation, the secrets and the task definitions are the emulator's; RDS and the
//! custom database are two servers; ECS is played by the test, from the task definitions as they were deployed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use e2e::api_server::ApiServer;
use local_stack::testing::{NativeServer, TestServer as _};
use serde_json::Value;

use super::authority::Authority;
use super::ecs::{Container, secret};
use super::front::Front;
use super::terminal::Terminal;
use super::{Loopback, count_roles, login, run, superuser};
use aws_fakes::Emulator;
use aws_fakes::{FakeAws, Faults};

const RDS: &str = "origin.story.us-east-1.rds.amazonaws.com";
const CUSTOMDB: &str = "customdb.postgresasapp.internal";
const DOMAIN: &str = "api.story.example";

/// What cannot be tried here: an upsert into a foreign table, ports of a load balancer that is on this machine, and what
/// only AWS itself guards.
const LEFT_OUT: [&str; 7] = [
    "replace",
    "admin-closed",
    "bucket-listing",
    "bucket-private",
    "bucket-template",
    "bucket-write",
    "bucket-encrypted",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hybrid_deployment_comes_works_and_goes() {
    let authority = Authority::new();
    let (origin, custom) = (authority.database(&[RDS]).await, authority.database(&[CUSTOMDB]).await);
    let database = format!("{RDS}:{}", origin.port());
    let start = move || {
        let mut variables = vec![("EMULATOR_DATABASE", database.as_str())];
        let strict = Emulator::strict();
        match strict.as_ref().and_then(|it| it.to_str()) {
            Some(path) => variables.push(("EMULATOR_STRICT", path)),
            None => eprintln!("no strict rules beside the project: the emulator takes what AWS may refuse"),
        }
        Emulator::start_with(0.0, &variables)
    };
    let Some(emulator) = tokio::task::spawn_blocking(start).await.expect("the emulator starts") else {
        return;
    };
    let aws = FakeAws::start(([127, 0, 0, 1], 0).into(), Faults::default()).await;
    let root = authority.file();
    let params = emulator.params_dir();
    let mut terminal = Terminal::new(&[
        ("AWS_ENDPOINT_URL", emulator.url()),
        ("AWS_ENDPOINT_URL_SSM", &aws.url()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("PGSSLROOTCERT", root.to_str().expect("a path of text")),
    ]);
    emulator.secrets().iter().for_each(|it| terminal.hide(it));
    let params = params.to_str().expect("a path of text");

    // Deploy, with a certificate for the API's name.
    let certificate =
        "CertificateArn=arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555";
    let domain = format!("APIDomainName={DOMAIN}");
    let deploy = ["deploy", "--all", "--yes", "--params-dir", params, "--poll", "0.1"];
    let https = ["--parameter", certificate, "--parameter", &domain];
    terminal.done("deploy", &[&deploy[..], &https[..]].concat()).await;
    let outputs = terminal.done("deploy", &["outputs", "--json", "--params-dir", params]).await.json();
    let output = |stack: &str, name: &str| -> String {
        outputs[stack][name]
            .as_str()
            .unwrap_or_else(|| panic!("{stack} has no {name}: {outputs:#}"))
            .to_owned()
    };
    assert_eq!(output("compute", "ApiUrl"), format!("https://{DOMAIN}"));

    // What AWS would have made of it: a database with its master user, the containers, an instance of the group.
    let master = secret(emulator.url(), &output("rds", "DatabaseSecret")).await;
    let user = text(&master, "username");
    let admin = superuser(&origin, "postgres").await;
    let role =
        format!("CREATE ROLE {user} LOGIN CREATEDB CREATEROLE PASSWORD '{}'", text(&master, "password"));
    run(&admin, &[role, format!("CREATE DATABASE somedb OWNER {user}")]).await;
    let postgres =
        Container::find(emulator.url(), "postgresasapp-compute-customdb", "customdb").await.variables;
    let dbname = &postgres["POSTGRES_DB"];
    // The volume is of an earlier installation, whose password nobody knows any more.
    let role = format!("CREATE ROLE {} SUPERUSER LOGIN PASSWORD 'forgotten'", postgres["POSTGRES_USER"]);
    let admin = superuser(&custom, "postgres").await;
    run(&admin, &[role, format!("CREATE DATABASE {dbname} OWNER {}", postgres["POSTGRES_USER"])]).await;
    let roles = Container::find(emulator.url(), "postgresasapp-compute-customdb", "roles").await;
    let port = custom.port().to_string();
    let image = Loopback::trusted(&admin, &custom, &postgres["POSTGRES_USER"]).await;
    roles.run(&[("PGPORT", &port)]).await;
    image.restore(&admin, &custom, &postgres["POSTGRES_USER"]).await;
    let own = login(&custom, &postgres["POSTGRES_USER"], &postgres["POSTGRES_PASSWORD"]).await;
    assert!(own.is_ok(), "the password of the secret is that of the superuser now: {:?}", own.err());
    for id in [output("rds", "FdwSecret"), output("persist", "AuthenticatorSecret")] {
        terminal.hide(&text(&secret(emulator.url(), &id).await, "password"));
    }
    terminal.hide(&text(&secret(emulator.url(), &output("persist", "JwtSecret")).await, "secret"));
    // The network: names for the tunnel, and for the custom database, whose options by hand stay.
    aws.add_instance(&output("compute", "HostGroup"), "i-0123456789abcdef0", true);
    aws.add_host(RDS, origin.port(), ([127, 0, 0, 1], origin.port()).into());
    aws.add_host(CUSTOMDB, 5432, ([127, 0, 0, 1], custom.port()).into());
    let by_hand = "CREATE EXTENSION postgres_fdw; CREATE SERVER origin FOREIGN DATA WRAPPER postgres_fdw OPTIONS (hostaddr '127.0.0.1')";
    run(&superuser(&custom, dbname).await, &[by_hand.to_owned()]).await;

    // Bootstrap, each twice.
    let dry = terminal.done("ops", &["bootstrap", "--target", "rds", "--dry-run"]).await;
    assert!(dry.out().contains("ALTER ROLE \"customdb_fdw\" PASSWORD '********'"), "{}", dry.out());
    for words in [["set up: 2 steps"], ["everything was in place: 2 steps"]] {
        terminal.done("ops", &["bootstrap", "--target", "rds"]).await.says(&words);
    }
    // An application's part in the origin, shown and then applied once.
    let shop = super::shop();
    let with_shop = ["bootstrap", "--target", "rds", "--app", &shop];
    let pending = terminal.done("ops", &[&with_shop[..], &["--dry-run"]].concat()).await;
    assert!(pending.out().contains("-- origin/migrations/20260105090000_orders.sql"), "{}", pending.out());
    terminal.done("ops", &with_shop).await.says(&["applied origin/migrations/20260105090000_orders.sql"]);
    terminal.done("ops", &with_shop).await.says(&["everything was in place: 2 steps"]);
    let cities = "create table cities(id int primary key, name text not null)";
    let rows = "insert into cities values (1,'Lima'),(2,'Oslo')";
    terminal.done("ops", &["psql", "rds", "--", "-Xqc", cities, "-c", rows]).await;
    let with_shop = ["bootstrap", "--target", "compute", "--app", &shop];
    let first = terminal.done("ops", &with_shop).await;
    first.says(&[
        "set up: ",
        &format!("joined to {RDS}:"),
        "put the authorities that vouch",
        "imported cities",
        "applied custom/migrations/20260105110000_orders.sql",
        "applied custom/migrations/20260105140000_login.sql",
    ]);
    // Where a server lacks an extension, its step is tried at each run; what joins the databases is not.
    let again = terminal.done("ops", &[&with_shop[..], &["--json"]].concat()).await.json();
    assert_eq!(
        (&again["wired"]["server_changed"], &again["imported"]["unchanged"], &again["migrations"]),
        (&false.into(), &4.into(), &Value::Null)
    );
    // The application's view reads the origin's table through the private network.
    let made = "insert into customers (tenant, name) values ('north', 'Ann')";
    terminal.done("ops", &["psql", "rds", "--", "-Xqc", made]).await;
    let claims = "set request.jwt.claims = '{\"tenant\": \"north\"}'";
    let served = ["--", "-XAtq", "-c", claims, "-c", "select name from api.customers"];
    let read = terminal.done("ops", &[&["psql", "compute"][..], &served].concat()).await;
    assert_eq!(read.out(), "Ann");
    let (tunnel, address) = terminal.started("ops", &["tunnel", "--to", "compute"]).await;
    let through: SocketAddr = address.parse().expect("the local address");
    assert_eq!(count_roles(&custom, through, custom.password()).await, 2);
    tunnel.interrupted().await.says(&[&format!("leads to {CUSTOMDB}:5432 through i-"), "closed: "]);
    let both = "grant select, insert, update, delete on cities to editor";
    let grants = ["-c", "create role editor nologin", "-c", "grant editor to authenticator", "-c", both];
    let reads = ["-c", "select count(*) from cities"];
    terminal
        .done(
            "ops",
            &[&["psql", "compute", "--", "-Xq", "-v", "ON_ERROR_STOP=1"], &grants[..], &reads[..]].concat(),
        )
        .await;
    assert_eq!(
        aws.calls().iter().filter(|it| *it == "StartSession").count(),
        aws.calls().iter().filter(|it| *it == "TerminateSession").count()
    );

    // The API as ECS would start it, behind the load balancer, tried as its users do.
    let api = start_api(emulator.url(), &custom).await;
    let balancer = Front::balancer(&authority.identity(&[DOMAIN]), api.base_url().to_owned()).await;
    let verify = |more: &'static [&'static str]| {
        let at = balancer.address();
        let file = root.to_str().expect("a path of text").to_owned();
        let mut args: Vec<String> = ["verify", "--target", "hybrid", "--connect-to", &at, "--ca-file", &file]
            .map(str::to_owned)
            .to_vec();
        args.extend(more.iter().map(|it| (*it).to_owned()));
        args
    };
    let foreign =
        terminal.done("verify", &words(&verify(&["--table", "cities", "--role", "editor", "--json"]))).await;
    assert_eq!(foreign.left_out(), LEFT_OUT.map(str::to_owned));
    assert_eq!(foreign.json()["url"], format!("https://{DOMAIN}"));
    // The rows came over the narrow login, and over TLS.
    let over = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'customdb_fdw'";
    let row = superuser(&origin, "somedb").await.query_one(over, &[]).await.expect("an answer");
    assert_eq!(row.get::<_, Option<bool>>(0), Some(true));
    // A table of the custom database itself takes the upsert, too.
    let table = "create table notes(id uuid primary key, note text)";
    let grant = "grant select, insert, update, delete on notes to editor";
    terminal.done("ops", &["psql", "compute", "--", "-Xqc", table, "-c", grant]).await;
    let own =
        terminal.done("verify", &words(&verify(&["--table", "notes", "--role", "editor", "--json"]))).await;
    assert_eq!(own.left_out(), LEFT_OUT[1..].to_vec());
    // What it did is undone, also at the origin.
    let count =
        terminal.done("ops", &["psql", "rds", "--", "-XAtc", "select count(*), min(name) from cities"]).await;
    assert_eq!(count.out(), "2|Lima");

    // It notices that the API is gone, and that a deployment is gone.
    drop(api);
    let broken = terminal.ends(1, "verify", &words(&verify(&["--patience", "1"]))).await;
    assert!(broken.out().contains("FAILED"), "{}", broken.out());
    let all = ["terminate", "--all", "--yes", "--params-dir", params, "--poll", "0.1"];
    terminal
        .ends(1, "deploy", &all)
        .await
        .says(&["postgresasapp-rds protects what it holds", "--parameter DeletionProtection=false"]);
    let unprotected = ["--stack", "rds", "--parameter", "DeletionProtection=false"];
    let deploy = ["deploy", "--yes", "--params-dir", params, "--poll", "0.1"];
    terminal.done("deploy", &[&deploy[..], &unprotected[..]].concat()).await;
    terminal.done("deploy", &all).await.says(&["postgresasapp-iam stays"]);
    let gone = terminal.ends(1, "ops", &["psql", "rds", "--", "-c", "select 1"]).await;
    gone.says(&["does not exist; make it with `cargo xtask deploy"]);
    terminal.ends(1, "verify", &words(&verify(&[]))).await.says(&["the compute stack is not deployed"]);
}

fn text(secret: &Value, name: &str) -> String {
    secret[name].as_str().unwrap_or_else(|| panic!("the secret has no {name}")).to_owned()
}

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// The server with the environment of its task definition; only where the network leads is the test's.
async fn start_api(endpoint: &str, custom: &NativeServer) -> ApiServer {
    let container = Container::find(endpoint, "postgresasapp-compute-api", "api").await;
    let mut variables: BTreeMap<String, String> = container.variables;
    let uri = variables["PGRST_DB_URI"]
        .replace(&format!("{CUSTOMDB}:5432"), &format!("127.0.0.1:{}", custom.port()));
    assert!(uri.contains("127.0.0.1"), "{uri}");
    let admin = local_stack::ports::free().expect("a free port").to_string();
    variables.insert("PGRST_DB_URI".into(), uri);
    variables.insert("PGRST_SERVER_HOST".into(), "127.0.0.1".into());
    variables.insert("PGRST_SERVER_PORT".into(), "0".into());
    variables.insert("PGRST_ADMIN_SERVER_PORT".into(), admin);
    ApiServer::start_with(variables).await.expect("the API starts")
}
