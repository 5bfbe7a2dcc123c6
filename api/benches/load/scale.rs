//! How start-up and memory grow: with tables, with idle connections, with the size of a result.

use anyhow::{Context, Result};
use serde_json::json;

use crate::client::Connection;
use crate::database::Database;
use crate::measure::{peak_kib, resident_kib};
use crate::report::Figures;
use crate::servers::Server;

const N_IDLE: usize = 1_000;

/// Runs all of them.
pub(crate) async fn run(database: &Database, figures: &mut Figures) -> Result<()> {
    for n_tables in [10, 100, 1_000, 10_000] {
        tables(database, figures, n_tables).await?;
    }
    idle_connections(database, figures).await?;
    large_result(database, figures).await
}

async fn tables(database: &Database, figures: &mut Figures, n_tables: u32) -> Result<()> {
    let db = database.cluster.create_db(None).await?;
    let client = db.connect().await?;
    client.batch_execute("CREATE SCHEMA wide; GRANT USAGE ON SCHEMA wide TO bench_anon").await?;
    for first in (0..n_tables).step_by(500) {
        // In parts: one transaction over thousands of tables would run out of locks.
        let statements: String = (first..n_tables.min(first + 500))
            .map(|i| {
                let parent = i / 2;
                let reference = if i == 0 { String::new() } else { format!(" REFERENCES wide.t{parent}") };
                format!("CREATE TABLE wide.t{i} (id int PRIMARY KEY, parent int{reference}, a text, b timestamptz, c numeric);")
            })
            .collect();
        client.batch_execute(&statements).await.context("create tables")?;
    }
    client.batch_execute("GRANT SELECT ON ALL TABLES IN SCHEMA wide TO bench_anon; ANALYZE").await?;
    let server = database.cluster.server();
    let uri =
        format!("postgres://bench_authenticator:bench@{}:{}/{}", server.host(), server.port(), db.name());
    let mut api = Server::ours_with(&uri, "wide", "bench_anon", "/t0?limit=1").await?;
    figures.scale(
        format!("{n_tables} tables"),
        json!({"ready_ms": api.ready_after.as_secs_f64() * 1000.0, "resident_kib": resident_kib(api.pid())?}),
    );
    api.stop().await;
    Ok(())
}

async fn idle_connections(database: &Database, figures: &mut Figures) -> Result<()> {
    let mut api = Server::ours(database).await?;
    let before = resident_kib(api.pid())?;
    let mut connections = Vec::new();
    for _ in 0..N_IDLE {
        let mut connection = Connection::open(api.address).await?;
        connection.exchange(b"GET /customers?id=eq.1 HTTP/1.1\r\nHost: bench\r\n\r\n").await?;
        connections.push(connection);
    }
    let after = resident_kib(api.pid())?;
    figures.scale(
        format!("{N_IDLE} idle connections"),
        json!({"resident_kib": after, "grown_kib": after.saturating_sub(before)}),
    );
    api.stop().await;
    Ok(())
}

async fn large_result(database: &Database, figures: &mut Figures) -> Result<()> {
    let client = database.db.connect().await?;
    client
        .batch_execute(
            "CREATE VIEW million AS SELECT i AS id, 'row number ' || i AS label FROM generate_series(1, 1000000) i;
             GRANT SELECT ON million TO bench_anon",
        )
        .await?;
    let mut api = Server::ours(database).await?;
    let mut connection = Connection::open(api.address).await?;
    let answer = connection.exchange(b"GET /million HTTP/1.1\r\nHost: bench\r\n\r\n").await?;
    figures.scale(
        "1 000 000 rows".to_owned(),
        json!({"body_kib": answer.body.len() / 1024, "peak_kib": peak_kib(api.pid())?, "status": answer.status}),
    );
    api.stop().await;
    Ok(())
}
