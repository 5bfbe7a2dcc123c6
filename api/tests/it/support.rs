//! What the modules share: the test application's database and a configuration for it.

use api::config::AppConfig;
use api::spool::Spooled;
use local_stack::testing::{TestCluster, TestDb};

/// A copy of the test application's database (`fixtures/*.sql`), for one test alone.
pub(crate) async fn fixture_db() -> TestDb {
    let cluster = TestCluster::shared().await.unwrap();
    let fill = async |client: tokio_postgres::Client| {
        for script in [
            include_str!("fixtures/roles.sql"),
            include_str!("fixtures/schema.sql"),
            include_str!("fixtures/data.sql"),
        ] {
            client.batch_execute(script).await.unwrap();
        }
    };
    let template = cluster.template("cinema", fill).await.unwrap();
    cluster.create_db(Some(&template)).await.unwrap()
}

/// A large body, read to its end.
pub(crate) async fn whole(body: &Spooled) -> Vec<u8> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < body.len() {
        bytes.extend_from_slice(&body.read(bytes.len() as u64).await.unwrap());
    }
    bytes
}

/// The defaults, for the test application's schemas.
pub(crate) fn config(db_uri: &str) -> AppConfig {
    AppConfig {
        db_anon_role: Some("web_anon".into()),
        db_extra_search_path: vec!["extra".into()],
        db_schemas: vec!["api".into(), "api_v2".into()],
        db_uri: db_uri.into(),
        ..AppConfig::default()
    }
}
