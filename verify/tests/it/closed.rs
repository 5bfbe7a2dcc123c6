//! What must not be reachable: ports and buckets, open and closed.

use tokio::net::TcpListener;
use verify::{
    Context, Outcome, Subject, Target,
    http::Http,
    run::checks,
    subject::{Bucket, Closed},
};

use super::server::{Call, Reply, Server};
use super::subject;

/// Checks that a test of this module breaks.
pub(crate) const BROKEN: [&str; 7] = [
    "databases-closed",
    "admin-closed",
    "bucket-listing",
    "bucket-private",
    "bucket-template",
    "bucket-write",
    "bucket-encrypted",
];

/// Runs one check by its name.
pub(crate) async fn one(subject: &Subject, name: &str) -> Outcome {
    let http = Http::new(subject).unwrap();
    let context = Context::new(subject, http);
    let check = checks(subject.target).into_iter().find(|it| it.name == name).unwrap();
    (check.how)(&context).await.into()
}

#[track_caller]
pub(crate) fn assert_says(outcome: &Outcome, part: &str) {
    match outcome {
        Outcome::Failed(found) => assert!(found.contains(part), "{found}"),
        other => panic!("expected a failure with \"{part}\", got {other:?}"),
    }
}

#[tokio::test]
async fn open_ports_are_found() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let open = listener.local_addr().unwrap().port();
    let port = |port| vec![Closed { what: "database".to_owned(), host: "127.0.0.1".to_owned(), port }];
    let closed = local_stack::ports::free().unwrap();
    for (name, is_admin) in [("databases-closed", false), ("admin-closed", true)] {
        let with = |ports: Vec<Closed>| {
            let mut it = subject(Target::Hybrid, "http://127.0.0.1:1".to_owned());
            if is_admin {
                it.admin_ports = ports;
            } else {
                it.closed_ports = ports;
            }
            it
        };
        let answer = one(&with(port(open)), name).await;
        assert_says(&answer, &format!("database answers at 127.0.0.1:{open}"));
        assert_eq!(one(&with(port(closed)), name).await, Outcome::Passed);
        let unknown =
            Closed { what: "database".to_owned(), host: "no-such-host.invalid".to_owned(), port: 5432 };
        assert_eq!(one(&with(vec![unknown]), name).await, Outcome::Passed);
        assert!(matches!(one(&with(Vec::new()), name).await, Outcome::Skipped(_)));
    }
}

/// A bucket as S3 guards it, or with everything open.
fn bucket(is_open: bool) -> impl Fn(&Call) -> Reply + Send + Sync {
    move |call| {
        let status = match (call.method.as_str(), call.path.as_str(), is_open) {
            // The template is the one thing that the open bucket does not have.
            ("GET", "/vpc.yaml", true) => 500,
            ("GET", "/vpc.yaml", false) | (_, _, true) => 200,
            (_, _, false) => 403,
        };
        Reply::new(status, "application/xml", "")
    }
}

fn with_bucket(url: String) -> Subject {
    let bucket =
        Bucket { url, private_keys: vec!["rds.json".to_owned()], public_key: Some("vpc.yaml".to_owned()) };
    Subject { buckets: vec![bucket], ..subject(Target::Hybrid, "http://127.0.0.1:1".to_owned()) }
}

#[tokio::test]
async fn open_buckets_are_found() {
    let (open, guarded) = (Server::start(bucket(true), None).await, Server::start(bucket(false), None).await);
    for name in ["bucket-listing", "bucket-private", "bucket-template", "bucket-write"] {
        assert_says(&one(&with_bucket(open.url()), name).await, "expected");
        assert_eq!(one(&with_bucket(guarded.url()), name).await, Outcome::Passed, "{name}");
    }
    // A server that answers without TLS what is asked for by TLS only.
    let in_the_clear = |server: &Server| with_bucket(server.url().replace("http:", "https:"));
    let everyone = Server::start(|_| Reply::new(200, "text/yaml", ""), None).await;
    assert_says(&one(&in_the_clear(&everyone), "bucket-encrypted").await, "expected 403");
    let nobody = Server::start(|_| Reply::new(403, "application/xml", ""), None).await;
    assert_eq!(one(&in_the_clear(&nobody), "bucket-encrypted").await, Outcome::Passed);
}

#[tokio::test]
async fn an_emulators_buckets_are_left_alone() {
    let open = Server::start(bucket(true), None).await;
    let mut subject = with_bucket(open.url());
    subject.not_aws = Some("this is an emulator".to_owned());
    for name in ["bucket-listing", "bucket-private", "bucket-template", "bucket-write", "bucket-encrypted"] {
        assert!(
            matches!(one(&subject, name).await, Outcome::Skipped(why) if why.contains("emulator")),
            "{name}"
        );
    }
}
