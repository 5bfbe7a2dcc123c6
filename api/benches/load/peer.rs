//! What a careful engineer writes by hand for the same endpoints: axum, tokio-postgres, one prepared statement each.
//!
//! One fixed shape per route; rows become structs, structs become JSON by serde. It is the mark to be measured against,
//! not an alternative. It comes in two kinds:
//!
//! - [`Kind::Roles`] does the real server's job: every request runs under its own role and claims, set for its
//!   transaction only. `BEGIN`, settings, query and `COMMIT` are pipelined, so that they cost one round trip.
//! - [`Kind::Plain`] does less: connections that have the one role since they were opened, no claims, no transaction.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, RecyclingMethod};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row};

/// Environment: connection string.
pub(crate) const URI: &str = "BENCH_PEER_URI";
/// Environment: address to listen on.
pub(crate) const ADDRESS: &str = "BENCH_PEER_ADDRESS";
/// Environment: connections.
pub(crate) const POOL: &str = "BENCH_PEER_POOL";
/// Environment: present for [`Kind::Plain`].
pub(crate) const PLAIN: &str = "BENCH_PEER_PLAIN";

/// What a request of the peer does besides its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Takes on role and claims, in a transaction.
    Roles,
    /// Nothing.
    Plain,
}

/// How the peer was asked to run.
pub(crate) struct Settings {
    uri: String,
    address: SocketAddr,
    pool: usize,
    kind: Kind,
}

impl Settings {
    /// From the environment; `None` in the process that measures.
    pub(crate) fn from_env() -> Option<Self> {
        Some(Self {
            uri: std::env::var(URI).ok()?,
            address: std::env::var(ADDRESS).ok()?.parse().ok()?,
            pool: std::env::var(POOL).ok()?.parse().ok()?,
            kind: if std::env::var_os(PLAIN).is_some() { Kind::Plain } else { Kind::Roles },
        })
    }
}

/// Serves until killed.
pub(crate) fn serve(settings: &Settings) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut config: tokio_postgres::Config =
            settings.uri.parse().context("read the connection string")?;
        if settings.kind == Kind::Plain {
            config.options("-c role=bench_anon");
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, NoTls, recycling);
        let pool = Pool::builder(manager).max_size(settings.pool).build()?;
        let app = Router::new()
            .route("/", get(|| async { "ready" }))
            .route("/customers", get(customers))
            .route("/orders", get(orders))
            .route("/stock", get(stock))
            .route("/rpc/total_of", get(total_of))
            .route("/events", post(insert_event))
            .with_state(Arc::new(Database { pool, kind: settings.kind }));
        let listener = tokio::net::TcpListener::bind(settings.address).await?.tap_io(|stream| {
            // As the real server does; without it nothing is lost but latency.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, app).await.context("serve")
    })
}

type Shared = State<Arc<Database>>;

struct Database {
    pool: Pool,
    kind: Kind,
}

/// Whether a request may write.
#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

impl Database {
    /// Runs a query as the caller it is for.
    async fn query(
        &self,
        access: Access,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Box<dyn std::error::Error + Send + Sync>> {
        let client: Client = self.pool.get().await?;
        let statement = client.prepare_cached(sql).await?;
        if self.kind == Kind::Plain {
            return Ok(client.query(&statement, params).await?);
        }
        let settings = client
            .prepare_cached("SELECT set_config('role', $1, true), set_config('request.jwt.claims', $2, true)")
            .await?;
        let begin = match access {
            Access::Read => "BEGIN READ ONLY",
            Access::Write => "BEGIN",
        };
        // No token is no claim but the role, as the real server has it.
        let as_caller: [&(dyn ToSql + Sync); 2] = [&"bench_anon", &"{\"role\":\"bench_anon\"}"];
        // All four are sent at once, in this order.
        let (begun, set, rows, ended) = tokio::join!(
            biased;
            client.batch_execute(begin),
            client.query(&settings, &as_caller),
            client.query(&statement, params),
            client.batch_execute("COMMIT"),
        );
        begun?;
        set?;
        let rows = rows?;
        ended?;
        Ok(rows)
    }
}
type Answer<T> = Result<Json<T>, Failure>;

/// Any failure is a 500: the peer is only asked what it can answer.
struct Failure;

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    fn from(_: E) -> Self {
        Self
    }
}

impl axum::response::IntoResponse for Failure {
    fn into_response(self) -> axum::response::Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

#[derive(Deserialize)]
struct ById {
    id: String,
    select: String,
}

impl ById {
    fn number(&self) -> i32 {
        self.id.rsplit('.').next().and_then(|it| it.parse().ok()).unwrap_or_default()
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Customer {
    Plain { id: i32, name: String, city: Option<String>, created: String },
    WithOrders { id: i32, name: String, orders: Box<RawValue> },
}

async fn customers(State(database): Shared, Query(query): Query<ById>) -> Answer<Vec<Customer>> {
    let customers = if query.select.contains("orders(") {
        let rows = database.query(Access::Read, "SELECT c.id, c.name, (SELECT coalesce(json_agg(json_build_object('id', o.id, 'amount', o.amount)), '[]')
                 FROM orders o WHERE o.customer_id = c.id)::text AS orders FROM customers c WHERE c.id = $1", &[&query.number()]).await?;
        rows.iter()
            .map(|row| {
                Ok(Customer::WithOrders {
                    id: row.get(0),
                    name: row.get(1),
                    orders: RawValue::from_string(row.get(2))?,
                })
            })
            .collect::<Result<_, serde_json::Error>>()?
    } else {
        let rows = database
            .query(
                Access::Read,
                "SELECT id, name, city, to_json(created) #>> '{}' FROM customers WHERE id = $1",
                &[&query.number()],
            )
            .await?;
        rows.iter()
            .map(|row| Customer::Plain {
                id: row.get(0),
                name: row.get(1),
                city: row.get(2),
                created: row.get(3),
            })
            .collect()
    };
    Ok(Json(customers))
}

#[derive(Serialize)]
struct Order {
    id: i32,
    customer_id: i32,
    amount: Box<RawValue>,
    paid: bool,
    note: Option<String>,
}

async fn orders(State(database): Shared, Query(query): Query<ById>) -> Answer<Vec<Order>> {
    // numeric has no exact Rust type without another crate: it travels as text and is written as it came.
    let rows = database.query(Access::Read, "SELECT id, customer_id, amount::text, paid, note FROM orders WHERE id > $1 ORDER BY id LIMIT 100", &[&query.number()]).await?;
    let orders = rows
        .iter()
        .map(|row| {
            Ok(Order {
                id: row.get(0),
                customer_id: row.get(1),
                amount: RawValue::from_string(row.get(2))?,
                paid: row.get(3),
                note: row.get(4),
            })
        })
        .collect::<Result<_, serde_json::Error>>()?;
    Ok(Json(orders))
}

#[derive(Serialize)]
struct Stock {
    id: i32,
    item: String,
    quantity: i32,
}

async fn stock(State(database): Shared, Query(query): Query<ById>) -> Answer<Vec<Stock>> {
    let rows = database
        .query(Access::Read, "SELECT id, item, quantity FROM stock WHERE id = $1", &[&query.number()])
        .await?;
    Ok(Json(
        rows.iter().map(|row| Stock { id: row.get(0), item: row.get(1), quantity: row.get(2) }).collect(),
    ))
}

#[derive(Deserialize)]
struct TotalOf {
    customer: i32,
}

async fn total_of(State(database): Shared, Query(query): Query<TotalOf>) -> Answer<Box<RawValue>> {
    let rows = database.query(Access::Read, "SELECT total_of($1)::text", &[&query.customer]).await?;
    let total = rows.first().map_or_else(|| "null".to_owned(), |row| row.get(0));
    Ok(Json(RawValue::from_string(total)?))
}

#[derive(Deserialize)]
struct Event {
    kind: String,
    body: Box<RawValue>,
}

async fn insert_event(State(database): Shared, Json(event): Json<Event>) -> Result<StatusCode, Failure> {
    let sql = "INSERT INTO events (kind, body) VALUES ($1, $2::text::jsonb)";
    database.query(Access::Write, sql, &[&event.kind, &event.body.get()]).await?;
    Ok(StatusCode::CREATED)
}
