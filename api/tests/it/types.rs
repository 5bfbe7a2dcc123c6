//! Types of schemas: what is printed, whether it compiles, and whether real answers fit it.

mod compiled;
mod emitted;
mod nullability;

use api::config::AppConfig;
use api::types::{Flavour, Language, generate};
use local_stack::testing::{TestCluster, TestDb};

/// A database of the shared cluster, with these statements run.
async fn database(sql: &str) -> TestDb {
    let cluster = TestCluster::shared().await.unwrap();
    let db = cluster.create_db(None).await.unwrap();
    db.connect().await.unwrap().batch_execute(sql).await.unwrap();
    db
}

/// The types of these schemas of the database.
async fn types(db: &TestDb, schemas: &[&str], language: Language, flavour: Flavour) -> String {
    let conf = AppConfig {
        db_schemas: schemas.iter().map(|&it| it.to_owned()).collect(),
        db_extra_search_path: Vec::new(),
        db_uri: db.url().into(),
        ..AppConfig::default()
    };
    generate(&db.connect().await.unwrap(), &conf, language, flavour).await.unwrap()
}

/// Names what was left out, and why.
#[expect(clippy::print_stderr, reason = "a test's only way to say what it left out")]
fn left_out(what: &str, why: &str) {
    eprintln!("left out: {what}: {why}");
}
