//! The data that every contestant works on, in a separate cluster.

use anyhow::{Context, Result};
use local_stack::testing::{TestCluster, TestDb};

/// Tables, roles and a foreign table over a second database of the same server.
const SCHEMA: &str = "
    CREATE ROLE bench_anon NOLOGIN;
    CREATE ROLE bench_authenticator LOGIN NOINHERIT PASSWORD 'bench';
    GRANT bench_anon TO bench_authenticator;
    CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, city text, created timestamptz NOT NULL DEFAULT now());
    CREATE TABLE orders (
        id int PRIMARY KEY,
        customer_id int NOT NULL REFERENCES customers,
        amount numeric(10,2) NOT NULL,
        paid boolean NOT NULL,
        note text
    );
    CREATE INDEX ON orders (customer_id);
    CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, body jsonb);
    INSERT INTO customers SELECT i, 'customer ' || i, CASE WHEN i % 3 = 0 THEN 'Lima' ELSE 'Oslo' END, now()
        FROM generate_series(1, 10000) i;
    INSERT INTO orders SELECT i, 1 + i % 10000, (i % 1000) + 0.25, i % 2 = 0, CASE WHEN i % 5 = 0 THEN 'note \"' || i || '\"' END
        FROM generate_series(1, 100000) i;
    CREATE FUNCTION total_of(customer int) RETURNS numeric STABLE LANGUAGE sql
        AS 'SELECT sum(amount) FROM orders WHERE customer_id = customer';
    GRANT SELECT ON customers, orders TO bench_anon;
    GRANT SELECT, INSERT ON events TO bench_anon;
    ANALYZE;
";

const ORIGIN: &str = "
    CREATE TABLE stock (id int PRIMARY KEY, item text NOT NULL, quantity int NOT NULL);
    INSERT INTO stock SELECT i, 'item ' || i, i % 100 FROM generate_series(1, 10000) i;
    ANALYZE;
";

/// The prepared cluster.
pub(crate) struct Database {
    /// Ends with this value.
    pub(crate) cluster: TestCluster,
    /// What is served.
    pub(crate) db: TestDb,
}

impl Database {
    /// Makes the cluster and fills it.
    pub(crate) async fn prepare() -> Result<Self> {
        let cluster = TestCluster::start().await.context("start Postgres")?;
        let origin = cluster.create_db(None).await?;
        origin.connect().await?.batch_execute(ORIGIN).await.context("fill the origin")?;
        let db = cluster.create_db(None).await?;
        let client = db.connect().await?;
        client.batch_execute(SCHEMA).await.context("fill the database")?;
        let server = cluster.server();
        let wiring = format!(
            "CREATE EXTENSION postgres_fdw;
             CREATE SERVER origin FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{}', port '{}', dbname '{}');
             CREATE USER MAPPING FOR PUBLIC SERVER origin OPTIONS (user '{}', password '{}');
             IMPORT FOREIGN SCHEMA public FROM SERVER origin INTO public;
             GRANT SELECT ON stock TO bench_anon;",
            server.host(),
            server.port(),
            origin.name(),
            server.superuser(),
            server.password(),
        );
        client.batch_execute(&wiring).await.context("wire the foreign table")?;
        Ok(Self { cluster, db })
    }

    /// Connection string of the role that serves.
    pub(crate) fn uri(&self) -> String {
        let server = self.cluster.server();
        format!("postgres://bench_authenticator:bench@{}:{}/{}", server.host(), server.port(), self.db.name())
    }

    /// Process id of the postmaster.
    pub(crate) async fn postmaster(&self) -> Result<i32> {
        let client = self.db.connect().await?;
        let text: String = client
            .query_one("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)", &[])
            .await
            .context("ask for the postmaster")?
            .get(0);
        text.trim().parse().context("read the postmaster's pid")
    }
}
