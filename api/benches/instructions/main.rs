//! `cargo xtask bench instructions`: what parsing, planning and writing a statement cost, in instructions.
//!
//! Unlike time, instructions do not depend on who else uses the machine, so that small changes show. Each case is one
//! request over the schema of the tests, planned for the first time or from a kept plan, and counted by valgrind.

#![allow(
    unused_qualifications,
    missing_docs,
    clippy::disallowed_methods,
    reason = "the macros of the benchmarks write such code"
)]

#[path = "../../tests/it/fixture.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests, which use all of it")]
mod fixture;
#[path = "../../tests/it/support.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests, which use all of it")]
mod support;

use std::hint::black_box;
use std::sync::Arc;

use api::api_request::{ApiRequest, preferences};
use api::config::AppConfig;
use api::plan::action_plan;
use api::plan_cache::{PlanCache, Replay};
use api::schema_cache::SchemaCache;
use api::sql::types::MainQuery;
use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group, main};
use http::request::Parts;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A request and what it is planned with.
struct Case {
    conf: Arc<AppConfig>,
    cache: Arc<SchemaCache>,
    plans: PlanCache,
    head: Parts,
    body: Bytes,
}

impl Case {
    /// Nothing of it was planned yet.
    #[allow(clippy::expect_used, reason = "the requests below are well formed")]
    fn new(request: &str, body: &'static str) -> Self {
        let (method, target) = request.split_once(' ').expect("a method and a target");
        let request =
            http::Request::builder().method(method).uri(target).header("accept", "application/json");
        let (head, ()) = request.body(()).expect("a request").into_parts();
        let (conf, cache) = (Arc::new(fixture::conf()), Arc::new(fixture::cache()));
        Self {
            plans: PlanCache::new(Arc::clone(&conf), Arc::clone(&cache)),
            conf,
            cache,
            head,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    /// Its plan is kept.
    fn kept(request: &str, body: &'static str) -> Self {
        let case = Self::new(request, body);
        // The shape is noted, then planned.
        for _ in 0..2 {
            black_box(case.replay());
        }
        case
    }

    fn replay(&self) -> Option<Replay> {
        self.plans.replay(&self.head, &self.body)
    }
}

const POINT: &str = "GET /clients?id=eq.1&select=id,name";
const LIST: &str = "GET /projects?id=gt.1&order=id&limit=100&select=id,name,client_id";
const EMBED: &str = "GET /projects?id=eq.1&select=id,name,clients(id,name)";
const FUNCTION: &str = "GET /rpc/add_them?a=1&b=2";
const INSERT: &str = "POST /clients";
const ROW: &str = r#"{"id":1,"name":"a"}"#;

// Parse, plan and sql of a request that is like no other.
#[library_benchmark(setup = Case::new)]
#[bench::point(POINT, "")]
#[bench::list(LIST, "")]
#[bench::embed(EMBED, "")]
#[bench::function(FUNCTION, "")]
#[bench::insert(INSERT, ROW)]
fn anew(case: Case) -> (Case, Option<MainQuery>) {
    let preferences = preferences::from_headers(&case.conf, &case.head.headers);
    let request = ApiRequest::from_http(&case.conf, preferences, &case.head, case.body.clone()).ok();
    let query = request.and_then(|request| {
        let plan = action_plan(&case.conf, &request, &case.cache).ok()?;
        Some(fixture::main_query_of(&plan, &case.conf, &request))
    });
    black_box((case, query))
}

// The same where the shape came before.
#[library_benchmark(setup = Case::kept)]
#[bench::point(POINT, "")]
#[bench::list(LIST, "")]
#[bench::embed(EMBED, "")]
#[bench::function(FUNCTION, "")]
#[bench::insert(INSERT, ROW)]
fn again(case: Case) -> (Case, Option<Replay>) {
    let replay = case.replay();
    black_box((case, replay))
}

library_benchmark_group!(name = requests; benchmarks = anew, again);

main!(library_benchmark_groups = requests);
