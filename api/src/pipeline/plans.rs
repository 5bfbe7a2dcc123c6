//! Plans of requests that come again with other values.
//!
//! Parsing, planning and writing the statement depend on the shape of a request. A shape that comes for
//! the second time is planned with marks in place of its values and of its body; where every mark turns up
//! as a bind, whole and nowhere else, the plan is kept and later requests of the shape only fill in theirs.
//! Whatever does not fit takes the long way, which alone decides what a request means and which error it
//! gets.
//!
//! Of a body, the shape has what planning looks at: its keys, and whether it is an object or an array.
//!
//! Invariant: an entry belongs to the configuration and schema cache it was planned with; others empty
//! the cache.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Uri};

use crate::api_request::payload::shape::BodyShape;
use crate::api_request::query::shape::Shape;
use crate::api_request::{ApiRequest, preferences};
use crate::auth::AuthResult;
use crate::config::AppConfig;
use crate::plan::{self, ActionPlan};
use crate::schema_cache::SchemaCache;
use crate::sql;
use crate::sql::types::{MainQuery, Statement};

/// Shapes kept. Beyond that all are forgotten.
const CAPACITY: usize = 1024;
/// Longer requests are planned each time.
const MAX_KEY: usize = 2048;
/// Begins what stands for a value.
const MARK: &str = "pgapp-value-of-a-filter-";
/// Stand for a body; what comes first tells an object from an array.
const BODY_MARKS: [&str; 2] = ["{pgapp-value-of-a-filter-body", "[pgapp-value-of-a-filter-body"];

/// Plans by the shape of their requests.
#[derive(Default)]
pub struct PlanCache(Mutex<Plans>);

#[derive(Default)]
struct Plans {
    /// What the entries were planned with.
    basis: Option<(Arc<AppConfig>, Arc<SchemaCache>)>,
    entries: HashMap<Box<[u8]>, Entry>,
}

#[derive(Clone)]
enum Entry {
    /// It came once.
    Seen,
    /// It has to be planned each time.
    Unfit,
    Planned(Arc<Planned>),
}

/// A planned shape.
pub struct Planned {
    /// The plan, with marks for values.
    pub plan: ActionPlan,
    request: ApiRequest,
    query: MainQuery,
    n_values: usize,
}

/// A request that needed no planning.
pub struct Replay {
    /// As far as it matters after planning.
    pub request: ApiRequest,
    /// Its plan.
    pub planned: Arc<Planned>,
    /// Its statements, except the settings.
    pub query: MainQuery,
}

impl PlanCache {
    /// The plan of a request, if its shape came before.
    pub fn replay(
        &self,
        conf: &Arc<AppConfig>,
        cache: &Arc<SchemaCache>,
        head: &Parts,
        body: &Bytes,
    ) -> Option<Replay> {
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        if head.method == Method::OPTIONS || (reads && !body.is_empty()) {
            return None;
        }
        let body_shape = match head.method {
            Method::POST | Method::PATCH | Method::PUT => Some(BodyShape::of(head, body)?),
            _ => None,
        };
        let shape = Shape::of(query, reads && head.uri.path().contains("/rpc/"))?;
        let key = key(head, &shape, body_shape.as_ref())?;
        let planned = match self.touch(conf, cache, &key)? {
            Entry::Planned(planned) => planned,
            Entry::Unfit => return None,
            Entry::Seen => {
                let planned = prepare(conf, cache, head, &shape, body).map(Arc::new);
                let entry = planned.clone().map_or(Entry::Unfit, Entry::Planned);
                self.lock().entries.insert(key.into(), entry);
                planned?
            }
        };
        let mut query = planned.query.clone();
        for statement in statements(&mut query) {
            for param in &mut statement.params {
                match param.value.as_deref().and_then(mark) {
                    Some(Mark::Value(at)) => {
                        param.value = Some(Bytes::copy_from_slice(shape.values[at].as_bytes()));
                    }
                    Some(Mark::Body) => param.value = Some(body.clone()),
                    None => {}
                }
            }
        }
        debug_assert_eq!(planned.n_values, shape.values.len());
        Some(Replay { request: planned.request.again(head), planned, query })
    }

    /// What is known of a shape. The first time that is nothing, which is remembered.
    fn touch(&self, conf: &Arc<AppConfig>, cache: &Arc<SchemaCache>, key: &[u8]) -> Option<Entry> {
        let mut plans = self.lock();
        let same_basis =
            plans.basis.as_ref().is_some_and(|(a, b)| Arc::ptr_eq(a, conf) && Arc::ptr_eq(b, cache));
        if !same_basis {
            plans.entries.clear();
            plans.basis = Some((Arc::clone(conf), Arc::clone(cache)));
        }
        if let Some(entry) = plans.entries.get(key) {
            return Some(entry.clone());
        }
        if plans.entries.len() >= CAPACITY {
            plans.entries.clear();
        }
        plans.entries.insert(key.into(), Entry::Seen);
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Plans> {
        // Entries are whole whatever panicked beside them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything of a request that parsing and planning look at, except values.
fn key(head: &Parts, shape: &Shape<'_>, body: Option<&BodyShape>) -> Option<Vec<u8>> {
    let path = head.uri.path().as_bytes();
    let mut key = Vec::with_capacity(256);
    key.extend_from_slice(head.method.as_str().as_bytes());
    key.push(b' ');
    key.extend_from_slice(path);
    key.push(b'?');
    shape.push_key(&mut key);
    for name in ["accept", "accept-profile", "content-profile", "content-type", "prefer", "range"] {
        for value in head.headers.get_all(name) {
            // No header's value holds a line end.
            key.push(b'\n');
            key.extend_from_slice(name.as_bytes());
            key.push(b':');
            key.extend_from_slice(value.as_bytes());
        }
    }
    if let Some(body) = body {
        body.push_key(&mut key);
    }
    (key.len() <= MAX_KEY && memchr::memmem::find(&key, MARK.as_bytes()).is_none()).then_some(key)
}

/// Plans a shape with marks for its values; `None` where a mark does not come out as it went in.
fn prepare(
    conf: &AppConfig,
    cache: &SchemaCache,
    head: &Parts,
    shape: &Shape<'_>,
    body: &Bytes,
) -> Option<Planned> {
    let query = shape.with_values(|index| format!("{MARK}{index}-").into());
    let mut target = head.uri.path().as_bytes().to_vec();
    if head.uri.query().is_some() {
        target.push(b'?');
        target.extend_from_slice(&query);
    }
    let mut marked = head.clone();
    marked.uri = Uri::try_from(target).ok()?;
    let preferences = preferences::from_headers(conf, &marked.headers);
    let mut request = ApiRequest::from_http(conf, preferences, &marked, body.clone()).ok()?;
    if let Some(payload) = &mut request.payload {
        let is_array = sql::is_array(body);
        payload.replace_text(Bytes::from_static(BODY_MARKS[usize::from(is_array)].as_bytes()));
    }
    let plan = plan::action_plan(conf, &request, cache).ok()?;
    if !matches!(plan, ActionPlan::Crud(_)) {
        return None;
    }
    // The settings are left out, so it does not matter whose they are.
    let nobody = AuthResult { role: String::new(), claims: serde_json::Map::new() };
    let mut query = sql::main_query(&plan, conf, &request, &nobody);
    query.tx_vars = Statement::default();
    let mut found = vec![false; shape.values.len()];
    for statement in statements(&mut query) {
        if statement.text.contains(MARK) {
            return None;
        }
        for value in statement.params.iter().filter_map(|it| it.value.as_deref()) {
            match mark(value) {
                Some(Mark::Value(index)) => *found.get_mut(index)? = true,
                None if memchr::memmem::find(value, MARK.as_bytes()).is_some() => return None,
                // A plan that does not look at the body has no bind for it.
                Some(Mark::Body) | None => {}
            }
        }
    }
    let n_values = found.len();
    found.into_iter().all(|it| it).then_some(Planned { plan, request, query, n_values })
}

fn statements(query: &mut MainQuery) -> impl Iterator<Item = &mut Statement> {
    let rows = query.rows.as_mut().map(|it| &mut it.statement);
    query.main.as_mut().into_iter().chain(rows).chain(&mut query.explain).chain(&mut query.pre_request)
}

/// What a bind stands for.
enum Mark {
    Value(usize),
    Body,
}

fn mark(value: &[u8]) -> Option<Mark> {
    if BODY_MARKS.iter().any(|it| it.as_bytes() == value) {
        return Some(Mark::Body);
    }
    let digits = value.strip_prefix(MARK.as_bytes())?.strip_suffix(b"-")?;
    std::str::from_utf8(digits).ok()?.parse().ok().map(Mark::Value)
}
