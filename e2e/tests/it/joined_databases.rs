//! Two servers joined by `postgres_fdw`, on every backend this machine can run.

use anyhow::{Context, Result};
use e2e::backends::{Backend, available};
use local_stack::cluster::StopMode;

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
        assert!(db.connect().await.is_err(), "a killed server answers nobody");
        cluster.server().start().await?;
        cluster.server().stop(StopMode::Fast).await?;
        cluster.server().start().await?;
        let row = db.connect().await?.query_one("SELECT x FROM t", &[]).await?;
        assert_eq!(row.get::<_, i32>(0), 1);
        Ok(())
    })
    .await
}
