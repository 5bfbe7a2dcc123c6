//! The promises of each target.

use bootstrap_sql::{Outcome, Secret, Target, Vars, apply};
use tokio_postgres::Client;

use crate::cluster::{Cluster, text, texts};

pub(crate) fn local_vars() -> Vars {
    Vars {
        authenticator_password: Some(Secret::from("authpassword")),
        web_anon_may_use_public: true,
        ..Vars::default()
    }
}

pub(crate) async fn apply_quietly(client: &mut Client, target: Target, vars: &Vars) -> bootstrap_sql::Report {
    apply(client, target, vars, &mut |_| {}).await.unwrap_or_else(|it| panic!("{}", chain(&it)))
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut source = error.source();
    while let Some(it) = source {
        out = format!("{out}: {it}");
        source = it.source();
    }
    out
}

#[tokio::test]
async fn origin_has_the_sample_row_once() {
    let cluster = Cluster::start().await;
    let mut origin = cluster.origin().await;
    apply_quietly(&mut origin, Target::Origin, &local_vars()).await;
    assert_eq!(texts(&origin, "SELECT col1 || '/' || col2 FROM todos").await, ["cat/dog"]);

    origin.batch_execute("DELETE FROM todos").await.unwrap();
    let report = apply_quietly(&mut origin, Target::Origin, &local_vars()).await;
    assert!(report.steps.iter().all(|it| it.outcome == Outcome::Unchanged));
    assert_eq!(text(&origin, "SELECT count(*) FROM todos").await, "0");
}
