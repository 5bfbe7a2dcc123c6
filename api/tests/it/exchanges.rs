//! Requests answered by the rooms of the library, joined as the server joins them, on the test
//! application's database.
//!
//! A file of `exchanges/` holds the requests of a feature, separated by `###` lines; its snapshot shows
//! each with its answer. Every request is rolled back, so none depends on another.

use std::sync::Arc;

use api::auth::AuthResult;
use api::config::{AppConfig, Verbosity};
use api::error::Error;
use api::execute::Pool;
use api::pipeline::database;
use api::plan::action_plan;
use api::response::error_response;
use api::response::{PgrstResponse, action_response};
use api::schema_cache::SchemaCache;
use api::schema_cache::load::load;
use api::sql::main_query;
use local_stack::testing::TestDb;

use crate::fixture::request;
use crate::support::{config, fixture_db};

/// Headers whose values depend on the request.
const SHOWN: [&str; 5] =
    ["content-type", "content-range", "location", "content-location", "preference-applied"];

struct App {
    conf: AppConfig,
    cache: SchemaCache,
    pool: Pool,
    _db: TestDb,
}

impl App {
    async fn start() -> Self {
        let db = fixture_db().await;
        let conf = AppConfig {
            db_aggregates_enabled: true,
            db_plan_enabled: true,
            db_tx_rollback_all: true,
            ..config(db.url())
        };
        let cache = load(&db.connect().await.unwrap(), &conf).await.unwrap();
        Self { cache, pool: Pool::new(&conf).unwrap(), conf, _db: db }
    }

    async fn answer(&self, text: &str) -> Result<PgrstResponse, Error> {
        let request = request(&self.conf, text)?;
        let plan = action_plan(&self.conf, &request, &self.cache)?;
        let auth = AuthResult { role: "web_anon".to_owned(), claims: serde_json::Map::new() };
        let query = main_query(&plan, &self.conf, &request, &auth);
        let result =
            database::run(&self.pool, &Arc::new(query), &plan, &request, &auth, &self.conf, &self.cache)
                .await?;
        action_response(&plan, result, &request, &self.conf, &self.cache)
    }

    async fn exchange(&self, text: &str) -> String {
        let response = match self.answer(text).await {
            Ok(response) => response,
            Err(error) => error_response(&error, Verbosity::Verbose),
        };
        let mut out = format!("{text}\n→ {}\n", response.status.as_u16());
        for name in SHOWN {
            for value in response.headers.get_all(name) {
                out.push_str(&format!("  {name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
            }
        }
        let body = String::from_utf8_lossy(&response.body);
        for line in body.lines() {
            out.push_str(&format!("  {line}\n"));
        }
        out
    }
}

macro_rules! features {
    ($($feature:literal),+ $(,)?) => {
        [$(($feature, include_str!(concat!("exchanges/", $feature, ".http")))),+]
    };
}

/// One test for all features: they share a database, which takes longer to make than they take to run.
#[tokio::test]
async fn every_feature_answers_as_recorded() {
    let app = App::start().await;
    for (feature, file) in features![
        "columns",
        "filters",
        "windows",
        "embeds",
        "spreads",
        "aggregates",
        "inserts",
        "updates",
        "upserts",
        "functions",
        "media",
    ] {
        let mut exchanges = Vec::new();
        for text in file.split("###\n") {
            let first = app.exchange(text.trim()).await;
            // What is prepared by then changes nothing.
            assert_eq!(app.exchange(text.trim()).await, first);
            exchanges.push(first);
        }
        insta::assert_snapshot!(feature, exchanges.join("\n"));
    }
}
