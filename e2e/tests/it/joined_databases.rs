//! Two servers joined by `postgres_fdw`, on every backend this machine can run.

use anyhow::{Context, Result};
use bootstrap_sql::fdw::{self, FdwConfig, ImportReport, SslMode};
use bootstrap_sql::{Secret, Target, Vars};
use e2e::backends::{Backend, available};
use local_stack::cluster::StopMode;
use local_stack::testing::{TestCluster, TestDb};

/// Runs a case on each backend and names the one that failed.
async fn on_every_backend<F: AsyncFn(Backend) -> Result<()>>(case: F) -> Result<()> {
    for backend in available() {
        case(backend).await.with_context(|| format!("on the {backend:?} backend"))?;
    }
    Ok(())
}

#[tokio::test]
async fn server_keeps_rows_over_a_kill_and_a_stop() -> Result<()> {
    on_every_backend(async |backend| {
        let cluster = backend.cluster().await?;
        let db = cluster.create_db(None).await?;
        db.connect().await?.batch_execute("CREATE TABLE t AS SELECT 1 AS x").await?;
        cluster.server().kill().await?;
        assert!(db.connect().await.is_err(), "a killed server does not answer");
        cluster.server().start().await?;
        cluster.server().stop(StopMode::Fast).await?;
        cluster.server().start().await?;
        let row = db.connect().await?.query_one("SELECT x FROM t", &[]).await?;
        assert_eq!(row.get::<_, i32>(0), 1);
        Ok(())
    })
    .await
}

/// An origin and a custom database on separate servers, set up and joined as the local stack does it.
struct Joined {
    origin: TestCluster,
    origin_db: TestDb,
    /// Held so that the server lives as long as the test.
    _custom: TestCluster,
    custom_db: TestDb,
    fdw: FdwConfig,
}

impl Joined {
    async fn new(backend: Backend) -> Result<Self> {
        let (origin, custom) = (backend.cluster().await?, backend.cluster().await?);
        let (origin_db, custom_db) = (origin.create_db(None).await?, custom.create_db(None).await?);
        let vars = Vars { web_anon_may_use_public: true, ..Vars::default() };
        apply(&origin_db, Target::Origin, &vars).await?;
        apply(&custom_db, Target::Custom, &vars).await?;
        let server = origin.server();
        let (host, port) = server.peer_address();
        let mut fdw =
            FdwConfig::new(host, port, origin_db.name(), server.superuser(), Secret::new(server.password()));
        fdw.sslmode = SslMode::Disable;
        let mut client = custom_db.connect().await?;
        fdw::wire(&mut client, &fdw).await.context("wire the databases")?;
        fdw::import(&mut client, &fdw).await.context("import the origin's tables")?;
        Ok(Self { origin, origin_db, _custom: custom, custom_db, fdw })
    }

    async fn at_origin(&self, sql: &str) -> Result<()> {
        Ok(self.origin_db.connect().await?.batch_execute(sql).await?)
    }

    async fn import(&self) -> Result<ImportReport> {
        Ok(fdw::import(&mut self.custom_db.connect().await?, &self.fdw).await?)
    }

    async fn text(&self, sql: &str) -> Result<String> {
        Ok(self.custom_db.connect().await?.query_one(sql, &[]).await?.get(0))
    }
}

async fn apply(db: &TestDb, target: Target, vars: &Vars) -> Result<bootstrap_sql::Report> {
    let mut client = db.connect().await?;
    Ok(bootstrap_sql::apply(&mut client, target, vars, &mut |_| {}).await?)
}

#[tokio::test]
async fn origin_tables_are_served_and_follow_their_changes() -> Result<()> {
    on_every_backend(async |backend| {
        let joined = Joined::new(backend).await?;
        assert_eq!(joined.text("SELECT col1 || ' ' || col2 FROM todos").await?, "cat dog");

        joined
            .at_origin(
                "CREATE TABLE cities (id int PRIMARY KEY, name text); INSERT INTO cities VALUES (1, 'Lima')",
            )
            .await?;
        assert_eq!(joined.import().await?.added, ["cities"]);
        assert_eq!(joined.text("SELECT name FROM cities WHERE id = 1").await?, "Lima");

        joined.at_origin("ALTER TABLE cities ADD country text DEFAULT 'PE'; DROP TABLE todos").await?;
        let report = joined.import().await?;
        assert_eq!((report.dropped, report.changed.len()), (vec!["todos".to_owned()], 1));
        assert_eq!(joined.text("SELECT country FROM cities WHERE id = 1").await?, "PE");

        let again = joined.import().await?;
        assert_eq!(
            (again.added.len(), again.changed.len(), again.dropped.len(), again.unchanged),
            (0, 0, 0, 1)
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn second_run_changes_nothing_and_keeps_the_row() -> Result<()> {
    on_every_backend(async |backend| {
        let joined = Joined::new(backend).await?;
        joined.at_origin("DELETE FROM todos").await?;
        apply(&joined.origin_db, Target::Origin, &Vars::default()).await?;
        assert_eq!(
            joined.text("SELECT count(*)::text FROM todos").await?,
            "0",
            "the sample row is inserted once"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn origin_that_is_down_is_an_error_and_comes_back() -> Result<()> {
    on_every_backend(async |backend| {
        let joined = Joined::new(backend).await?;
        joined.origin.server().stop(StopMode::Immediate).await?;
        let error = joined.text("SELECT col1 FROM todos").await.expect_err("the origin is down");
        assert!(format!("{error:?}").contains("could not connect to server \"origin\""), "{error:?}");
        assert_eq!(joined.text("SELECT 'alive'").await?, "alive", "the custom database goes on");
        joined.origin.server().start().await?;
        assert_eq!(joined.text("SELECT col1 FROM todos").await?, "cat");
        Ok(())
    })
    .await
}
