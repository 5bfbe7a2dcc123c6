//! The Terraform deployment: the real program on the project's own configuration, with a provider that stands in for AWS
//! and a state in the emulator's S3. The cluster is a server of this machine; Lambda and API Gateway are played by the
//! test, from what the state says.

use std::path::Path;
use std::sync::Arc;

use local_stack::testing::{NativeServer, TestServer as _};
use serde_json::json;

use super::authority::Authority;
use super::checkout::{checkout, make_bucket, providers, state};
use super::front::Front;
use super::gateway::Gateway;
use super::terminal::Terminal;
use super::{run, superuser};
use aws_fakes::Emulator;
use aws_fakes::{FakeAws, Faults};

const PASSWORD: &str = "master-password-of-the-story";

/// What nobody has to do here, and what only AWS itself guards.
const LEFT_OUT: [&str; 5] =
    ["signature", "bucket-listing", "bucket-private", "bucket-write", "bucket-encrypted"];

/// What Aurora does by itself: a role whose members log in with tokens, over TLS only. Which tokens are good is IAM's affair;
/// here every one is.
async fn as_aurora(server: &NativeServer, master: &str) {
    let admin = superuser(server, "postgres").await;
    let role = format!("ALTER ROLE {master} PASSWORD '{PASSWORD}'");
    run(&admin, &["CREATE ROLE rds_iam".to_owned(), role]).await;
    let hba: String = admin.query_one("SHOW hba_file", &[]).await.expect("a row").get(0);
    let rest = std::fs::read_to_string(&hba).expect("the file");
    std::fs::write(
        &hba,
        format!(
            "hostssl all +rds_iam 127.0.0.1/32 trust\nhostnossl all +rds_iam 127.0.0.1/32 reject\n{rest}"
        ),
    )
    .expect("a file");
    run(&admin, &["SELECT pg_reload_conf()".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_serverless_deployment_comes_works_and_goes() {
    let Some(providers) = tokio::task::spawn_blocking(providers).await.expect("the set-up ends") else {
        return;
    };
    let started = tokio::task::spawn_blocking(|| Emulator::start_with(0.0, &[])).await;
    let Some(emulator) = started.expect("the emulator starts") else { return };
    let aws = FakeAws::start(([127, 0, 0, 1], 0).into(), Faults::default()).await;
    let authority = Authority::new();
    let root = authority.file();
    let root = root.to_str().expect("a path of text");
    let (checkout, folder) = checkout();
    let dir = folder.to_str().expect("a path of text");
    // The stand-in keeps itself in the user's cache folder.
    let cache = Path::new(&providers).ancestors().nth(2).and_then(Path::to_str).expect("a path of text");
    let mut terminal = Terminal::new(&[
        ("AWS_ENDPOINT_URL", emulator.url()),
        ("AWS_ENDPOINT_URL_SSM", &aws.url()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &aws.url()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("CARGO_MANIFEST_DIR", checkout.path().join("xtask").to_str().expect("a path of text")),
        ("CHECKPOINT_DISABLE", "1"),
        ("PGSSLROOTCERT", root),
        ("TF_CLI_CONFIG_FILE", &providers),
        ("XDG_CACHE_HOME", cache),
    ]);
    terminal.hide(PASSWORD);

    // Deploy: state bucket, plan, apply. Without what only watches and guards, which is made of many resources.
    terminal.done("xtask", &["tf", "backend", "--yes"]).await;
    let bucket = make_bucket(emulator.url(), &folder).await;
    let variables = format!(
        "lambda_artifact_path = \"tests/fixtures/artifact.zip\"\ndatabase_deletion_protection = false\n\
         database_skip_final_snapshot = true\nstate_bucket_name = \"{bucket}\"\nwaf_enabled = false\n\
         alarms_enabled = false\ndashboard_enabled = false\nbackup_enabled = false\nlog_queries_enabled = false\n"
    );
    std::fs::write(folder.join("environments/dev.tfvars"), variables).expect("a file");
    terminal.done("xtask", &["tf", "init"]).await;
    // The emulator's account has no service-linked roles to look at.
    let plan = terminal.done("xtask", &["tf", "plan", "--json", "--no-preflight"]).await.json();
    assert!(plan["changes"]["create"].as_array().is_some_and(|it| it.len() > 60), "{plan:#}");
    terminal.done("xtask", &["tf", "apply", "--yes"]).await;
    let outputs = terminal.done("xtask", &["tf", "output", "--json"]).await.json();
    let output =
        |name: &str| outputs[name]["value"].as_str().unwrap_or_else(|| panic!("no {name}: {outputs:#}"));

    // What AWS would have made of it: the cluster and the proxy, the secret that RDS manages, the network's names.
    let (cluster, proxy) = (output("database_endpoint"), output("database_proxy_endpoint"));
    let server = authority.database(&[cluster, proxy, "localhost"]).await;
    as_aurora(&server, output("database_master_username")).await;
    let login = json!({ "username": output("database_master_username"), "password": PASSWORD }).to_string();
    aws.add_secret(output("database_credentials_secret_arn"), &login);
    for name in [cluster, proxy] {
        aws.add_host(name, 5432, ([127, 0, 0, 1], server.port()).into());
    }

    // Bootstrap, twice; then as the functions will come, with a token.
    let here = ["--tf-dir", dir];
    let bootstrap = [&["bootstrap", "--target", "aurora"][..], &here].concat();
    let dry = terminal.done("ops", &[&bootstrap[..], &["--dry-run"]].concat()).await;
    assert!(dry.out().starts_with("CREATE DATABASE \"animals\";"), "{}", dry.out());
    terminal.done("ops", &bootstrap).await.says(&["created the database \"animals\"", "set up: 3 steps"]);
    terminal.done("ops", &bootstrap).await.says(&["everything was in place: 3 steps"]);
    let shop = super::shop();
    let with_shop = [&bootstrap[..], &["--app", &shop]].concat();
    let pending = terminal.done("ops", &[&with_shop[..], &["--dry-run"]].concat()).await;
    assert!(pending.out().contains("-- aurora/migrations/20260105090000_orders.sql"), "{}", pending.out());
    terminal.done("ops", &with_shop).await.says(&["applied aurora/migrations/20260105090000_orders.sql"]);
    terminal.done("ops", &with_shop).await.says(&["everything was in place: 3 steps"]);
    let who = "select current_user, (select ssl from pg_stat_ssl where pid = pg_backend_pid()), count(*) from animals";
    let asked = terminal.done("ops", &[&["psql", "aurora"][..], &here, &["--", "-XAtc", who]].concat()).await;
    assert_eq!(asked.out(), "lambda_iam|t|0");
    let (tunnel, address) =
        terminal.started("ops", &[&["tunnel", "--to", "aurora"][..], &here].concat()).await;
    let through: std::net::SocketAddr = address.parse().expect("the local address");
    assert_eq!(super::count_roles(&server, through, PASSWORD).await, 2);
    tunnel.interrupted().await.says(&[&format!("leads to {cluster}:5432 through i-"), "closed: "]);

    // The API as it was deployed, tried as its users do.
    let state = state(&folder, &providers, emulator.url());
    let network = [
        ("DB_HOST", "localhost".to_owned()),
        ("DB_PORT", server.port().to_string()),
        ("DB_SSLROOTCERT", root.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ];
    let gateway = Arc::new(Gateway::start(&state, &network).await);
    let url = output("api_gateway_invoke_url");
    let name = url.trim_start_matches("https://").split('/').next().expect("a name");
    let behind = Arc::clone(&gateway);
    let front = Front::start(&authority.identity(&[name]), move |call| {
        let gateway = Arc::clone(&behind);
        async move { gateway.answer(call).await }
    })
    .await;
    let at = front.address();
    let verify = ["verify", "--target", "serverless", "--dir", dir, "--connect-to", &at, "--ca-file", root];
    let tried = terminal.done("verify", &[&verify[..], &["--json"]].concat()).await;
    assert_eq!(tried.left_out(), LEFT_OUT.map(str::to_owned));
    assert_eq!(tried.json()["url"], url);
    let left = terminal
        .done(
            "ops",
            &[
                &["psql", "aurora", "--as", "master"][..],
                &here,
                &["--", "-XAtc", "select count(*) from animals"],
            ]
            .concat(),
        )
        .await;
    assert_eq!(left.out(), "0", "verify keeps no animal");

    // A grant that was lost is noticed; the next bootstrap of a changed user would give it again.
    let master = ["psql", "aurora", "--as", "master"];
    let revoke = ["--", "-Xqc", "revoke insert on animals from lambda_iam"];
    terminal.done("ops", &[&master[..], &here, &revoke].concat()).await;
    let broken = terminal.ends(1, "verify", &[&verify[..], &["--patience", "1"]].concat()).await;
    assert!(broken.out().contains("FAILED") && broken.out().contains("create"), "{}", broken.out());

    // And everything goes, after the environment's name was given.
    terminal.done("xtask", &["tf", "destroy", "--confirm", "dev"]).await;
    let gone =
        terminal.ends(1, "ops", &[&["psql", "aurora"][..], &here, &["--", "-c", "select 1"]].concat()).await;
    gone.says(&["nothing was applied with this state"]);
    terminal.ends(1, "verify", &verify).await.says(&["nothing was applied yet"]);
}
