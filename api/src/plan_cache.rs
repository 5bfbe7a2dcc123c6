//! Plans of requests that come again with other values.
//!
//! Parsing, planning and writing the statement depend on the outline of a request. An outline that comes for
//! the second time is planned with marks in place of its values and of its body; where every mark turns up
//! as a bind, whole and nowhere else, the plan is kept without the marks: such a bind is a [`Slot`] from then on, and
//! later requests of the outline fill in theirs.
//! Whatever does not fit takes the long way, which alone decides what a request means and which error it
//! gets.
//!
//! Two things keep a plan from answering a request that it was not made for:
//!
//! - Planning gets a request's [`Outline`] and the key is made of the same outline, so that the key cannot lack
//!   what planning reads.
//! - A cache of plans belongs to one configuration and one schema cache, and plans with nothing else. A reload
//!   begins a new one; requests that began before keep the old one, which goes when the last of them does.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::request::Parts;

use crate::api_request::ApiRequest;
use crate::api_request::outline::Outline;
use crate::api_request::query::shape::Shape;
use crate::config::AppConfig;
use crate::kept::{CacheFigures, Kept, Usage};
use crate::plan::{self, ActionPlan};
use crate::schema_cache::SchemaCache;
use crate::sql;
use crate::sql::types::{MainQuery, Statement};

/// Longer requests are planned each time.
const MAX_KEY: usize = 2048;
/// Begins what stands for a value.
const MARK: &str = "pgapp-value-of-a-filter-";
/// Stand for a body; what comes first tells an object from an array.
const BODY_MARKS: [&str; 2] = ["{pgapp-value-of-a-filter-body", "[pgapp-value-of-a-filter-body"];

/// A configuration, a schema cache, and the plans that were made with both.
pub struct PlanCache {
    conf: Arc<AppConfig>,
    cache: Arc<SchemaCache>,
    plans: Mutex<Plans>,
}

struct Plans {
    seen: Seen,
    entries: Kept<[u8], Entry>,
}

#[derive(Clone)]
enum Entry {
    /// It has to be planned each time.
    Unfit,
    Planned(Arc<Planned>),
}

/// A planned outline.
pub struct Planned {
    /// The plan.
    pub plan: ActionPlan,
    request: ApiRequest,
    /// The statements, without values in their slots.
    query: MainQuery,
    slots: Vec<Slot>,
    n_values: usize,
}

/// A bind of a kept statement that each request fills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    /// Position of the statement among those of [`statements`].
    statement: usize,
    /// Position of the bind.
    param: usize,
    from: Filling,
}

/// Where the value of a slot comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filling {
    /// The n-th value of the request's outline.
    Value(usize),
    /// The request's body.
    Body,
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
    /// No plans yet.
    pub fn new(conf: Arc<AppConfig>, cache: Arc<SchemaCache>) -> Self {
        Self::counted(conf, cache, Arc::default())
    }

    /// No plans of another configuration and schema cache; what is counted goes on.
    pub fn renewed(&self, conf: Arc<AppConfig>, cache: Arc<SchemaCache>) -> Self {
        let usage = Arc::clone(self.lock().entries.usage());
        Self::counted(conf, cache, usage)
    }

    fn counted(conf: Arc<AppConfig>, cache: Arc<SchemaCache>, usage: Arc<Usage>) -> Self {
        let entries = Kept::of_bytes(conf.pgapp_plan_cache_bytes / 2, usage);
        Self { conf, cache, plans: Mutex::new(Plans { seen: Seen::default(), entries }) }
    }

    /// How often plans were of use, since the first configuration and schema cache.
    pub fn figures(&self) -> CacheFigures {
        self.lock().entries.usage().figures("plans")
    }

    /// The configuration.
    pub fn conf(&self) -> &Arc<AppConfig> {
        &self.conf
    }

    /// The schema cache.
    pub fn cache(&self) -> &Arc<SchemaCache> {
        &self.cache
    }

    /// The plan of a request, if its outline came before.
    pub fn replay(&self, head: &Parts, body: &Bytes) -> Option<Replay> {
        self.replay_outline(head, &Outline::of(head, body.clone()))
    }

    /// The same of a request that was outlined.
    pub(crate) fn replay_outline(&self, head: &Parts, outline: &Outline<'_>) -> Option<Replay> {
        let shape = outline.shape()?;
        let key = key(outline, &shape)?;
        let planned = match self.touch(&key)? {
            Touched::Known(Entry::Planned(planned)) => planned,
            Touched::Known(Entry::Unfit) => return None,
            Touched::Again => {
                let planned = prepare(&self.conf, &self.cache, outline, &shape).map(Arc::new);
                let entry = planned.clone().map_or(Entry::Unfit, Entry::Planned);
                let weight = key.len() + planned.as_ref().map_or(0, |it| it.weight(key.len()));
                self.lock().entries.insert(key.into(), entry, weight);
                planned?
            }
        };
        let mut query = planned.query.clone();
        // Slots are in the order of the statements.
        let mut slots = planned.slots.iter().peekable();
        for (at, statement) in statements(&mut query).enumerate() {
            while let Some(slot) = slots.next_if(|it| it.statement == at) {
                statement.params[slot.param].value = Some(match slot.from {
                    Filling::Value(index) => Bytes::copy_from_slice(shape.values[index].as_bytes()),
                    Filling::Body => outline.body_text(),
                });
            }
        }
        debug_assert_eq!(planned.n_values, shape.values.len());
        Some(Replay { request: planned.request.again(head), planned, query })
    }

    /// What is known of an outline. The first time that is nothing, which is remembered.
    fn touch(&self, key: &[u8]) -> Option<Touched> {
        let mut plans = self.lock();
        if let Some(entry) = plans.entries.get(key) {
            return Some(Touched::Known(entry.clone()));
        }
        // What is not going to be kept is not worth the double work.
        (plans.entries.takes(key.len()) && plans.seen.before(key)).then_some(Touched::Again)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Plans> {
        // Entries are whole whatever panicked beside them.
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Touched {
    /// It came once before, lately.
    Again,
    Known(Entry),
}

/// Outlines that came lately, by their hash: what comes once leaves no more than that behind.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    /// Sets of hashes, the latest first; none before the first request.
    sets: Vec<[u64; 8]>,
}

impl Seen {
    const N_SETS: usize = 1024;

    /// Whether it came before; remembers that it came.
    fn before(&mut self, key: &[u8]) -> bool {
        // Zero stands for a free place.
        let hash = self.hasher.hash_one(key).max(1);
        if self.sets.is_empty() {
            self.sets.resize(Self::N_SETS, [0; 8]);
        }
        let at = usize::try_from(hash % Self::N_SETS as u64).unwrap_or_default();
        let set = &mut self.sets[at];
        if set.contains(&hash) {
            return true;
        }
        set.rotate_right(1);
        set[0] = hash;
        false
    }
}

impl Planned {
    /// What it takes in memory, about: a plan grows with what was asked for and with the statement that it
    /// comes to.
    fn weight(&self, n_key: usize) -> usize {
        let statements =
            self.query.statements().map(|it| it.text().len() + 64 * it.params.len()).sum::<usize>();
        size_of::<Self>() + size_of::<ActionPlan>() + 24 * n_key + 6 * statements
    }
}

/// Everything of a request that parsing and planning look at, except values.
fn key(outline: &Outline<'_>, shape: &Shape<'_>) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(256);
    outline.push_key(shape, &mut key);
    (key.len() <= MAX_KEY && memchr::memmem::find(&key, MARK.as_bytes()).is_none()).then_some(key)
}

/// Plans an outline with marks for its values; `None` where a mark does not come out as it went in.
fn prepare(
    conf: &AppConfig,
    cache: &SchemaCache,
    outline: &Outline<'_>,
    shape: &Shape<'_>,
) -> Option<Planned> {
    let body = BODY_MARKS[usize::from(outline.body_is_array())];
    let value = |index| format!("{MARK}{index}-").into();
    let marked = outline.with_values(shape, value, Bytes::from_static(body.as_bytes()));
    let request = ApiRequest::from_outline(conf, marked.preferences(conf), &marked).ok()?;
    let plan = plan::action_plan(conf, &request, cache).ok()?;
    if !matches!(plan, ActionPlan::Crud(_)) {
        return None;
    }
    let mut query = sql::queries(&plan, conf, &request);
    let (mut found, mut slots) = (vec![false; shape.values.len()], Vec::new());
    for (at, statement) in statements(&mut query).enumerate() {
        if statement.text().contains(MARK) {
            return None;
        }
        for (param, bind) in statement.params.iter_mut().enumerate() {
            let Some(value) = bind.value.as_deref() else { continue };
            let Some(from) = marked_by(value) else {
                // A part of a mark cannot be filled in.
                match memchr::memmem::find(value, MARK.as_bytes()) {
                    Some(_) => return None,
                    None => continue,
                }
            };
            // A plan that does not look at the body has no bind for it.
            if let Filling::Value(index) = from {
                *found.get_mut(index)? = true;
            }
            bind.value = None;
            slots.push(Slot { statement: at, param, from });
        }
    }
    let n_values = found.len();
    found.into_iter().all(|it| it).then_some(Planned { plan, request, query, slots, n_values })
}

fn statements(query: &mut MainQuery) -> impl Iterator<Item = &mut Statement> {
    let rows = query.rows.as_mut().map(|it| &mut it.statement);
    query.main.as_mut().into_iter().chain(rows).chain(&mut query.explain).chain(&mut query.pre_request)
}

/// What a bind stands for, while an outline is planned with marks for its values.
fn marked_by(value: &[u8]) -> Option<Filling> {
    if BODY_MARKS.iter().any(|it| it.as_bytes() == value) {
        return Some(Filling::Body);
    }
    let digits = value.strip_prefix(MARK.as_bytes())?.strip_suffix(b"-")?;
    std::str::from_utf8(digits).ok()?.parse().ok().map(Filling::Value)
}
