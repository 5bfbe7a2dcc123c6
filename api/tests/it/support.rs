//! What the modules share: the test application's database and a configuration for it.

use api::config::{AppConfig, LogLevel, OpenApiMode, Verbosity};
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

/// The defaults, for the test application's schemas.
pub(crate) fn config(db_uri: &str) -> AppConfig {
    AppConfig {
        app_settings: Vec::new(),
        client_error_verbosity: Verbosity::Verbose,
        db_aggregates_enabled: false,
        db_anon_role: Some("web_anon".into()),
        db_channel: "pgrst".into(),
        db_channel_enabled: true,
        db_extra_search_path: vec!["extra".into()],
        db_hoisted_tx_settings: [
            "statement_timeout",
            "plan_filter.statement_cost_limit",
            "default_transaction_isolation",
        ]
        .map(Into::into)
        .to_vec(),
        db_max_rows: None,
        db_plan_enabled: false,
        db_pool: 10,
        db_pool_acquisition_timeout: 10,
        db_pool_max_lifetime: 1800,
        db_pool_max_idletime: 30,
        db_pool_automatic_recovery: true,
        db_pre_request: None,
        db_prepared_statements: true,
        db_root_spec: None,
        db_schemas: vec!["api".into(), "api_v2".into()],
        db_config: true,
        db_pre_config: None,
        db_tx_allow_override: false,
        db_tx_rollback_all: false,
        db_uri: db_uri.into(),
        file_path: None,
        jwt_aud: None,
        jwt_role_claim_key: ".role".into(),
        jwt_secret: None,
        jwt_secret_is_base64: false,
        jwt_cache_max_entries: 1000,
        log_level: LogLevel::Error,
        log_query: false,
        openapi_mode: OpenApiMode::FollowPrivileges,
        openapi_security_active: false,
        openapi_server_proxy_uri: None,
        server_cors_allowed_origins: Vec::new(),
        server_host: "!4".into(),
        server_port: 3000,
        server_reuseport: false,
        server_trace_header: None,
        server_timing_enabled: false,
        server_unix_socket: None,
        server_unix_socket_mode: 0o660,
        url_use_legacy_target_names: true,
        admin_server_host: "!4".into(),
        admin_server_port: None,
        admin_server_unix_socket: None,
        admin_server_unix_socket_mode: 0o660,
        role_settings: std::collections::HashMap::new(),
        role_isolation: std::collections::HashMap::new(),
    }
}
