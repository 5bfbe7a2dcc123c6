//! The admin endpoints: liveness, readiness, configuration, schema cache, metrics.

use super::http::Request;
use super::process::{SECRET, Server, eventually};
use super::{authenticator, database};

#[tokio::test]
async fn answers_on_its_own_port() {
    let db = database().await;
    let server = Server::over(&authenticator(db.config()))
        .set("ADMIN_SERVER_PORT", 0)
        .set("SERVER_HOST", "127.0.0.1")
        .set("JWT_SECRET", SECRET)
        .start()
        .await;
    let admin = server.admin().await;
    let get = async |path: &str| Request::get(path).send(&admin).await.unwrap();
    eventually("ready", async || get("/ready").await.status == 200).await;
    let live = get("/live").await;
    assert_eq!((live.status, live.body.as_str()), (200, ""));
    assert_eq!(get("/nowhere").await.status, 404);
    assert!(get("/schema_cache").await.json()["dbTables"].to_string().contains("\"films\""));

    let config = get("/config").await;
    assert_eq!(config.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(config.body.contains("db-schemas = \"api,api_v2\"\n"), "{}", config.body);
    assert!(!config.body.contains(SECRET) && !config.body.contains("authenticator:"), "{}", config.body);

    for _ in 0..5 {
        assert_eq!(server.get("/films?limit=1").await.status, 200);
    }
    let metrics = get("/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; charset=utf-8"));
    for sample in [
        "pgrst_schema_cache_loads_total{status=\"SUCCESS\"} 1.0",
        "pgrst_db_pool_max 10.0",
        "pgrst_db_pool_available 1.0",
    ] {
        assert!(metrics.body.lines().any(|it| it == sample), "{sample} in\n{}", metrics.body);
    }
    for cache in ["plans", "columns", "statements"] {
        for family in ["hits_total", "misses_total", "bytes"] {
            let begin = format!("pgapp_cache_{family}{{cache=\"{cache}\"}} ");
            let sample = metrics.body.lines().find_map(|it| it.strip_prefix(&begin));
            assert!(sample.is_some_and(|it| it != "0.0"), "{begin} in\n{}", metrics.body);
        }
    }
}

#[tokio::test]
async fn knows_that_the_api_is_out_of_reach() {
    let db = database().await;
    let dir = tempfile::tempdir().unwrap();
    let (api, admin) = (dir.path().join("api.sock"), dir.path().join("admin.sock"));
    let server = Server::over(&authenticator(db.config()))
        .set("SERVER_UNIX_SOCKET", api.as_path())
        .set("ADMIN_SERVER_UNIX_SOCKET", admin.as_path())
        .set("DB_CHANNEL_ENABLED", false)
        .start()
        .await;
    let admin = server.admin().await;
    let status = async |path: &str| Request::get(path).send(&admin).await.unwrap().status;
    assert_eq!((status("/live").await, status("/ready").await), (200, 200));
    std::fs::remove_file(&api).unwrap();
    assert_eq!((status("/live").await, status("/ready").await), (500, 500));
}
