//! A client library from PyPI, unchanged, against the built server.

use anyhow::Result;
use e2e::api_server::ApiServer;
use e2e::python;
use jsonwebtoken::{EncodingKey, Header, encode};
use local_stack::testing::TestCluster;

const SECRET: &str = "a secret of at least thirty-two bytes";

const SCHEMA: &str = "
    CREATE ROLE film_anon NOLOGIN;
    CREATE ROLE film_editor NOLOGIN;
    CREATE ROLE film_authenticator LOGIN NOINHERIT PASSWORD 'film';
    GRANT film_anon, film_editor TO film_authenticator;
    CREATE TABLE films (id int PRIMARY KEY, title text NOT NULL, year int NOT NULL);
    CREATE TABLE roles (film_id int REFERENCES films ON DELETE CASCADE, actor text, PRIMARY KEY (film_id, actor));
    CREATE FUNCTION films_since(since int) RETURNS TABLE (title text) STABLE LANGUAGE sql
        AS 'SELECT title FROM films WHERE year >= since ORDER BY year';
    GRANT SELECT ON films TO film_anon;
    GRANT ALL ON films, roles TO film_editor;
";

#[tokio::test]
async fn python_client_reads_writes_and_is_refused() -> Result<()> {
    // A separate cluster: the schema makes roles, which belong to the cluster.
    let cluster = TestCluster::start().await?;
    let db = cluster.create_db(None).await?;
    db.connect().await?.batch_execute(SCHEMA).await?;
    let server = cluster.server();
    let uri = format!("postgres://film_authenticator:film@{}:{}/{}", server.host(), server.port(), db.name());
    let api = ApiServer::start(&[
        ("DB_URI", &uri),
        ("DB_SCHEMAS", "public"),
        ("DB_ANON_ROLE", "film_anon"),
        ("JWT_SECRET", SECRET),
    ])
    .await?;
    let claims = serde_json::json!({"role": "film_editor"});
    let token = encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes()))?;

    let report = python::run("client.py", &[api.base_url(), &token]).await?;
    assert_eq!(report.lines().filter(|line| line.starts_with("ok ")).count(), 15, "{report}");
    Ok(())
}
