//! A database with the table of the animals app.

use local_stack::testing::{TestCluster, TestDb};

/// The step of the bootstrap that makes the table.
pub(super) const TABLE: &str = include_str!("../../../../bootstrap-sql/sql/aurora/0001_animals.sql");

/// Makes the table in an empty database of `cluster`.
pub(super) async fn with_table(cluster: &TestCluster) -> TestDb {
    let fill = async |client: tokio_postgres::Client| client.batch_execute(TABLE).await.unwrap();
    let template = cluster.template("animals", fill).await.unwrap();
    cluster.create_db(Some(&template)).await.unwrap()
}

/// The variables that lead to it, at `port` of this machine.
pub(super) fn variables(cluster: &TestCluster, db: &TestDb, port: u16) -> Vec<(&'static str, String)> {
    let server = cluster.server();
    login(port, db.name(), server.superuser(), server.password().to_owned())
}

/// The variables of a login with a password, unencrypted.
pub(super) fn login(port: u16, dbname: &str, user: &str, password: String) -> Vec<(&'static str, String)> {
    vec![
        ("DB_HOST", "127.0.0.1".to_owned()),
        ("DB_PORT", port.to_string()),
        ("DB_NAME", dbname.to_owned()),
        ("DB_USERNAME", user.to_owned()),
        ("DB_AUTH", "password".to_owned()),
        ("DB_PASSWORD", password),
        ("DB_SSLMODE", "disable".to_owned()),
    ]
}
