//! The matrix of a real database, compared with what happens when the verbs are tried.

#![allow(clippy::unwrap_used, reason = "a test ends where its surroundings fail")]

use access_matrix::Verb::{self, Delete, Insert, Select, Update};
use access_matrix::read;
use local_stack::testing::TestCluster;
use tokio_postgres::Client;

const SCHEMA: &str = r#"
    CREATE ROLE authenticator LOGIN NOINHERIT;
    CREATE ROLE anon; CREATE ROLE member; CREATE ROLE staff; CREATE ROLE boss BYPASSRLS; CREATE ROLE stranger;
    GRANT member TO staff; GRANT anon, member, staff, boss TO authenticator;
    CREATE SCHEMA api; CREATE SCHEMA hidden;
    GRANT USAGE ON SCHEMA api TO anon, member, staff, boss, stranger;
    CREATE TABLE api.own (id int PRIMARY KEY, owner text, v text);
    ALTER TABLE api.own ENABLE ROW LEVEL SECURITY;
    GRANT SELECT, INSERT, UPDATE, DELETE ON api.own TO member, boss;
    GRANT SELECT ON api.own TO anon;
    CREATE POLICY own_rows ON api.own TO member USING (owner = 'ann');
    CREATE POLICY "staff, too" ON api.own FOR SELECT TO staff USING (owner = 'bob');
    CREATE TABLE api.parts (id int PRIMARY KEY, a text, b text);
    GRANT SELECT (id, a), UPDATE (b) ON api.parts TO member;
    CREATE TABLE api.strict (id int PRIMARY KEY);
    ALTER TABLE api.strict ENABLE ROW LEVEL SECURITY;
    GRANT SELECT, DELETE ON api.strict TO member;
    CREATE POLICY only_own ON api.strict AS RESTRICTIVE TO member USING (id > 0);
    CREATE POLICY reads ON api.strict FOR SELECT TO member USING (id < 9);
    CREATE VIEW api.leaks AS SELECT * FROM api.own;
    CREATE VIEW api.tight WITH (security_invoker) AS SELECT * FROM api.own;
    CREATE VIEW api.sums AS SELECT owner, count(*) AS n FROM api.own GROUP BY owner;
    GRANT SELECT, INSERT, DELETE ON api.leaks, api.tight, api.sums TO member, anon;
    CREATE TABLE api.open (id int PRIMARY KEY);
    ALTER TABLE api.open ENABLE ROW LEVEL SECURITY;
    GRANT SELECT ON api.open TO anon;
    CREATE POLICY everybody ON api.open FOR SELECT USING (true);
    CREATE TABLE hidden.far (id int); GRANT SELECT ON hidden.far TO anon;
"#;

async fn database(cluster: &TestCluster) -> Client {
    let db = cluster.create_db(None).await.unwrap();
    let client = db.connect().await.unwrap();
    client.batch_execute(SCHEMA).await.unwrap();
    client
}

#[tokio::test]
async fn each_cell_is_what_trying_shows() {
    // Roles are the server's, so this test has its own server.
    let cluster = TestCluster::start().await.unwrap();
    let mut client = database(&cluster).await;
    let matrix = read(&mut client, "authenticator", &["api".to_owned()]).await.unwrap();
    let cell = |role: &str, relation: &str, verb: Verb| {
        let row = matrix.rows.iter().find(|it| it.role == role && it.relation == relation).unwrap();
        match verb {
            Select => row.select.to_string(),
            Insert => row.insert.to_string(),
            Update => row.update.to_string(),
            Delete => row.delete.to_string(),
        }
    };
    for (role, relation, verb, expected) in [
        ("member", "api.own", Select, "by policy own_rows"),
        ("member", "api.own", Insert, "by policy own_rows"),
        ("staff", "api.own", Select, "by policy own_rows, \"staff, too\""),
        ("staff", "api.own", Delete, "by policy own_rows"),
        ("anon", "api.own", Select, "–"),
        ("boss", "api.own", Update, "all"),
        ("member", "api.parts", Select, "columns (id, a)"),
        ("member", "api.parts", Update, "columns (b)"),
        ("member", "api.parts", Insert, "–"),
        ("member", "api.strict", Select, "by policy only_own, reads"),
        ("member", "api.strict", Delete, "–"),
        ("anon", "api.leaks", Select, "all"),
        ("anon", "api.leaks", Insert, "all"),
        ("member", "api.tight", Select, "by policy own_rows"),
        ("anon", "api.tight", Select, "–"),
        ("anon", "api.tight", Insert, "–"),
        ("anon", "api.sums", Select, "all"),
        ("anon", "api.sums", Delete, "–"),
        ("anon", "api.open", Select, "all"),
    ] {
        assert_eq!(cell(role, relation, verb), expected, "{role} {relation} {}", verb.as_str());
    }
    assert!(matrix.rows.iter().all(|it| it.role != "stranger" && it.role != "authenticator"));
    assert!(matrix.rows.iter().all(|it| it.relation.starts_with("api.")));
    let rows: i64 = client.query_one("SELECT count(*) FROM api.own", &[]).await.unwrap().get(0);
    assert_eq!(rows, 0, "nothing was written");
}
