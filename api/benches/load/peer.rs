//! What a careful engineer writes by hand for the same endpoints: axum, tokio-postgres, one prepared statement each.
//!
//! It does less than the real server: no roles, no claims, no settings, one fixed shape per route. Rows become structs,
//! structs become JSON by serde. It is the mark to be measured against, not an alternative.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_postgres::NoTls;

/// Environment: connection string.
pub(crate) const URI: &str = "BENCH_PEER_URI";
/// Environment: address to listen on.
pub(crate) const ADDRESS: &str = "BENCH_PEER_ADDRESS";
/// Environment: connections.
pub(crate) const POOL: &str = "BENCH_PEER_POOL";

/// How the peer was asked to run.
pub(crate) struct Settings {
    uri: String,
    address: SocketAddr,
    pool: usize,
}

impl Settings {
    /// From the environment; `None` in the process that measures.
    pub(crate) fn from_env() -> Option<Self> {
        Some(Self {
            uri: std::env::var(URI).ok()?,
            address: std::env::var(ADDRESS).ok()?.parse().ok()?,
            pool: std::env::var(POOL).ok()?.parse().ok()?,
        })
    }
}

/// Serves until killed.
pub(crate) fn serve(settings: &Settings) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let manager = Manager::from_config(
            settings.uri.parse().context("read the connection string")?,
            NoTls,
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager).max_size(settings.pool).build()?;
        let app = Router::new()
            .route("/", get(|| async { "ready" }))
            .route("/customers", get(customers))
            .route("/orders", get(orders))
            .route("/stock", get(stock))
            .route("/rpc/total_of", get(total_of))
            .route("/events", post(insert_event))
            .with_state(Arc::new(pool));
        let listener = tokio::net::TcpListener::bind(settings.address).await?;
        axum::serve(listener, app).await.context("serve")
    })
}

type Shared = State<Arc<Pool>>;
type Answer<T> = Result<Json<T>, Failure>;

/// Any failure is a 500: the peer is only asked what it can answer.
struct Failure;

impl<E: std::error::Error> From<E> for Failure {
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

async fn customers(State(pool): Shared, Query(query): Query<ById>) -> Answer<Vec<Customer>> {
    let client = pool.get().await?;
    let customers = if query.select.contains("orders(") {
        let statement = client
            .prepare_cached(
                "SELECT c.id, c.name, (SELECT coalesce(json_agg(json_build_object('id', o.id, 'amount', o.amount)), '[]')
                 FROM orders o WHERE o.customer_id = c.id)::text AS orders FROM customers c WHERE c.id = $1",
            )
            .await?;
        let rows = client.query(&statement, &[&query.number()]).await?;
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
        let statement = client
            .prepare_cached("SELECT id, name, city, to_json(created) #>> '{}' FROM customers WHERE id = $1")
            .await?;
        let rows = client.query(&statement, &[&query.number()]).await?;
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

async fn orders(State(pool): Shared, Query(query): Query<ById>) -> Answer<Vec<Order>> {
    let client = pool.get().await?;
    // numeric has no exact Rust type without another crate: it travels as text and is written as it came.
    let statement = client
        .prepare_cached(
            "SELECT id, customer_id, amount::text, paid, note FROM orders WHERE id > $1 ORDER BY id LIMIT 100",
        )
        .await?;
    let rows = client.query(&statement, &[&query.number()]).await?;
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

async fn stock(State(pool): Shared, Query(query): Query<ById>) -> Answer<Vec<Stock>> {
    let client = pool.get().await?;
    let statement = client.prepare_cached("SELECT id, item, quantity FROM stock WHERE id = $1").await?;
    let rows = client.query(&statement, &[&query.number()]).await?;
    Ok(Json(
        rows.iter().map(|row| Stock { id: row.get(0), item: row.get(1), quantity: row.get(2) }).collect(),
    ))
}

#[derive(Deserialize)]
struct TotalOf {
    customer: i32,
}

async fn total_of(State(pool): Shared, Query(query): Query<TotalOf>) -> Answer<Box<RawValue>> {
    let client = pool.get().await?;
    let statement = client.prepare_cached("SELECT total_of($1)::text").await?;
    let row = client.query_one(&statement, &[&query.customer]).await?;
    Ok(Json(RawValue::from_string(row.get(0))?))
}

#[derive(Deserialize)]
struct Event {
    kind: String,
    body: Box<RawValue>,
}

async fn insert_event(State(pool): Shared, Json(event): Json<Event>) -> Result<StatusCode, Failure> {
    let client = pool.get().await?;
    let statement =
        client.prepare_cached("INSERT INTO events (kind, body) VALUES ($1, $2::text::jsonb)").await?;
    client.execute(&statement, &[&event.kind, &event.body.get()]).await?;
    Ok(StatusCode::CREATED)
}
