//! Plans that are used again say what a new plan would say, whatever the values.

use std::sync::Arc;

use api::api_request::{ApiRequest, preferences};
use api::config::AppConfig;
use api::error::Error;
use api::plan::{ActionPlan, action_plan};
use api::plan_cache::{PlanCache, Replay};
use api::response::{PgrstResponse, action_response};
use api::schema_cache::SchemaCache;
use api::script::result::{DbResult, ResultSet};
use api::sql::types::{MainQuery, Statement};
use api::state::basis::Basis;
use bytes::Bytes;
use http::request::Parts;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::Config;

use crate::fixture::{cache, conf, main_query_of};

/// Requests with `{}` where values go, which the cache must be able to answer.
const FIT: &[&str] = &[
    "GET /clients?id=eq.{}",
    "HEAD /clients?id=neq.{}",
    "GET /clients?id=gt.{}&id=lte.{}&select=id,n:name&order=name.desc&limit=3",
    "GET /clients?id=gte.{}&name=lt.{}&name=not.like.a*&or=(id.eq.1,name.eq.b)",
    "GET /projects?select=id,clients(name)&clients.name=eq.{}&id=eq.{}",
    "GET /projects?select=id,clients!inner(*)&clients.id=eq.{}",
    "GET /documents?data->>a=eq.{}&select=data->b",
    "GET /documents?color=eq.{}",
    "GET /rpc/getproject?id=1&name=eq.{}&select=name",
];

fn head(text: &str, headers: &[(&str, &str)]) -> Parts {
    let (method, uri) = text.split_once(' ').unwrap();
    let uri = uri.replace('>', "%3E");
    let mut builder = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

/// Fills in values, encoded.
fn filled(template: &str, values: &[String]) -> String {
    let mut text = String::new();
    for (at, part) in template.split("{}").enumerate() {
        if at > 0 {
            text.extend(utf8_percent_encode(&values[at - 1], NON_ALPHANUMERIC));
        }
        text.push_str(part);
    }
    text
}

struct Rooms {
    conf: Arc<AppConfig>,
    cache: Arc<SchemaCache>,
    plans: PlanCache,
}

impl Rooms {
    fn new() -> Self {
        let (conf, cache) = (Arc::new(conf()), Arc::new(cache()));
        Self { plans: PlanCache::new(Arc::clone(&conf), Arc::clone(&cache)), conf, cache }
    }

    fn replay(&self, head: &Parts) -> Option<Replay> {
        self.replay_with(head, "")
    }

    fn replay_with(&self, head: &Parts, body: &str) -> Option<Replay> {
        self.plans.replay(head, &Bytes::copy_from_slice(body.as_bytes()))
    }

    fn planned(&self, head: &Parts, body: &str) -> Result<(ApiRequest, ActionPlan, MainQuery), Error> {
        let preferences = preferences::from_headers(&self.conf, &head.headers);
        let body = Bytes::copy_from_slice(body.as_bytes());
        let request = ApiRequest::from_http(&self.conf, preferences, head, body)?;
        let plan = action_plan(&self.conf, &request, &self.cache)?;
        let query = main_query_of(&plan, &self.conf, &request);
        Ok((request, plan, query))
    }

    /// What is answered where the database says so.
    fn response(
        &self,
        plan: &ActionPlan,
        request: &ApiRequest,
        rows: ResultSet,
    ) -> Result<PgrstResponse, String> {
        action_response(plan, DbResult::Crud(rows), request, &self.conf, &self.cache)
            .map_err(|error| format!("{error:?}"))
    }

    #[track_caller]
    fn check(&self, head: &Parts, replay: &Replay) {
        self.check_with(head, "", replay);
    }

    #[track_caller]
    fn check_with(&self, head: &Parts, body: &str, replay: &Replay) {
        let (request, plan, query) = self.planned(head, body).unwrap();
        let own = |query: &MainQuery| -> Vec<Statement> { query.statements().skip(1).cloned().collect() };
        assert_eq!(own(&replay.query), own(&query), "{}", head.uri);
        assert_eq!(replay.query.aggregated(), query.aggregated());
        let again = &replay.request;
        assert_eq!(again.query.canonical, request.query.canonical);
        assert_eq!(again.query.on_conflict, request.query.on_conflict);
        assert_eq!(format!("{:?}", again.action), format!("{:?}", request.action));
        assert_eq!(again.top_level_range, request.top_level_range);
        assert_eq!(format!("{:?}", again.preferences), format!("{:?}", request.preferences));
        assert_eq!((&again.headers, &again.cookies), (&request.headers, &request.cookies));
        assert_eq!((&again.path, &again.method), (&request.path, &request.method));
        assert_eq!(
            (&again.schema, again.negotiated_by_profile),
            (&request.schema, request.negotiated_by_profile)
        );
        for (n_rows, total, inserted) in [(0, None, None), (1, Some(1), Some(1)), (3, Some(9), Some(0))] {
            let rows = ResultSet {
                table_total: total,
                query_total: n_rows,
                location: vec![("id".to_owned(), format!("eq.{n_rows}"))],
                body: Bytes::from_static(b"[]"),
                inserted,
                ..ResultSet::default()
            };
            let kept = self.response(&replay.planned.plan, again, rows.clone());
            assert_eq!(kept, self.response(&plan, &request, rows), "{} {}", head.method, head.uri);
        }
    }
}

#[test]
fn shapes_are_planned_once_they_come_again() {
    for template in FIT {
        let rooms = Rooms::new();
        let values = |prefix: &str| vec![format!("{prefix}1"), format!("{prefix} two")];
        assert!(rooms.replay(&head(&filled(template, &values("a")), &[])).is_none(), "{template}");
        for prefix in ["b", "c"] {
            let head = head(&filled(template, &values(prefix)), &[("cookie", "a=b"), ("x-mark", prefix)]);
            let replay = rooms.replay(&head).unwrap_or_else(|| panic!("{template} is not replayed"));
            rooms.check(&head, &replay);
        }
    }
}

#[test]
fn arguments_of_functions_are_values() {
    let rooms = Rooms::new();
    for (round, query) in ["a=1&b=2", "a=3&b=4", "a=5&b=6"].into_iter().enumerate() {
        let head = head(&format!("GET /rpc/add_them?{query}"), &[]);
        let replay = rooms.replay(&head);
        assert_eq!(replay.is_some(), round > 0);
        if let Some(replay) = replay {
            rooms.check(&head, &replay);
        }
    }
}

#[test]
fn headers_that_matter_are_part_of_a_shape() {
    let rooms = Rooms::new();
    for headers in [
        vec![],
        vec![("accept", "application/vnd.pgrst.object+json")],
        vec![("prefer", "count=exact")],
        vec![("prefer", "count=planned"), ("prefer", "max-affected=3, handling=strict")],
        vec![("range", "0-4")],
    ] {
        for round in 0..3 {
            let head = head("GET /clients?id=eq.1", &headers);
            let replay = rooms.replay(&head);
            assert_eq!(replay.is_some(), round > 0, "{headers:?}");
            if let Some(replay) = replay {
                rooms.check(&head, &replay);
            }
        }
    }
}

#[test]
fn what_cannot_be_replayed_is_planned_each_time() {
    let rooms = Rooms::new();
    for text in [
        "POST /clients",
        "GET /nothing?id=eq.1",
        "GET /clients?unknown=xx.1",
        "GET /clients?id=eq.pgapp-value-of-a-filter-0-&name=like.pgapp-value-of-a-filter-0-",
        "GET /",
    ] {
        for _ in 0..3 {
            assert!(rooms.replay(&head(text, &[])).is_none(), "{text}");
        }
    }
}

/// Writes and calls with `{}` where values of filters go, and two bodies of one shape.
const WRITES: &[(&str, &str, &str)] = &[
    ("POST /clients", r#"{"id":1,"name":"a"}"#, r#" {"name":"pgapp","id":null}"#),
    ("POST /clients", r#"[{"id":1},{"id":2}]"#, r#"[{"id":3}]"#),
    ("POST /clients?columns=id,name", r#"[{"id":1}]"#, "[{"),
    ("POST /clients?on_conflict=id", r#"{"id":1}"#, r#"{"id":2}"#),
    ("PATCH /clients?id=eq.{}&name=neq.{}", r#"{"name":"x"}"#, r#"{"name":{"y":[1]}}"#),
    ("PUT /clients?id=eq.{}", r#"{"id":1,"name":"x"}"#, r#"{"id":2,"name":"y"}"#),
    ("PUT /clients?id=eq.{}&columns=id", r#"{"id":1,"name":"x"}"#, r#"{"id":2,"name":"y"}"#),
    ("DELETE /clients?id=eq.{}&name=lt.{}", "", ""),
    ("POST /rpc/add_them", r#"{"a":1,"b":2}"#, r#"{"b":"3","a":4}"#),
    ("POST /rpc/getproject?name=eq.{}", r#"{"id":1}"#, r#"{"id":2}"#),
];

#[test]
fn writes_are_planned_once_they_come_again() {
    for (template, first, second) in WRITES {
        for headers in [
            &[][..],
            &[("prefer", "return=representation, missing=default"), ("content-type", "application/json")],
            &[("prefer", "return=headers-only, resolution=merge-duplicates")],
            &[("prefer", "tx=rollback, count=exact")],
        ] {
            let rooms = Rooms::new();
            let values = |prefix: &str| vec![format!("{prefix}1"), format!("{prefix} two")];
            let seen = head(&filled(template, &values("a")), headers);
            assert!(rooms.replay_with(&seen, first).is_none(), "{template}");
            for (prefix, body) in [("b", second), ("c", first)] {
                let head = head(&filled(template, &values(prefix)), headers);
                let replay = rooms.replay_with(&head, body);
                let replay = replay.unwrap_or_else(|| panic!("{template} is not replayed"));
                rooms.check_with(&head, body, &replay);
            }
        }
    }
}

#[test]
fn bodies_of_another_shape_are_planned_anew() {
    let rooms = Rooms::new();
    let head = head("POST /clients", &[]);
    for body in [r#"{"id":1}"#, r#"[{"id":1}]"#, r#"{"id":1,"name":"x"}"#, "{}", "[]", "", "{", "[1]"] {
        assert!(rooms.replay_with(&head, body).is_none(), "{body}");
    }
    for body in [r#"{"id":2}"#, r#"[{"id":2}]"#, r#"{"id":2,"name":"y"}"#, "{}"] {
        let replay = rooms.replay_with(&head, body).unwrap_or_else(|| panic!("{body} is not replayed"));
        rooms.check_with(&head, body, &replay);
    }
    for body in ["[]", "", "{", "[1]"] {
        assert!(rooms.replay_with(&head, body).is_none(), "{body}");
    }
}

/// A `PUT` replaces the whole row, so that `columns=` does not tell what is written: the body does.
#[test]
fn what_is_put_is_told_by_the_body() {
    for target in ["PUT /clients?id=eq.1&columns=name", "PUT /clients?col%75mns=name&id=eq.1"] {
        let rooms = Rooms::new();
        let head = head(target, &[]);
        for body in [r#"{"id":1,"name":"a"}"#, r#"{"id":1,"name":"a"}"#, r#"{"id":1}"#, r#"{"id":1}"#] {
            if let Some(replay) = rooms.replay_with(&head, body) {
                rooms.check_with(&head, body, &replay);
            }
        }
        assert!((0..3).all(|_| rooms.replay_with(&head, r#"{"id":1,"none":2}"#).is_none()));
    }
}

#[test]
fn what_stands_for_a_body_is_a_body_like_others() {
    let rooms = Rooms::new();
    let head = head("POST /clients?columns=id", &[]);
    let mark = "{pgapp-value-of-a-filter-body";
    for (round, body) in [mark, r#"{"id":1}"#, mark].into_iter().enumerate() {
        let replay = rooms.replay_with(&head, body);
        assert_eq!(replay.is_some(), round > 0);
        if let Some(replay) = replay {
            rooms.check_with(&head, body, &replay);
        }
    }
}

/// A reload begins anew, and a request that began before it cannot put its plan under the new configuration.
#[test]
fn plans_belong_to_one_configuration_and_schema_cache() {
    let head = head("GET /clients?id=eq.1", &[]);
    let old = Basis::new(conf()).with_schema(&Arc::new(cache()));
    let new = old.with_conf(&Arc::new(AppConfig { db_max_rows: Some(2), ..conf() }));
    let replay = |basis: &Basis| basis.plans.as_ref().unwrap().replay(&head, &Bytes::new());
    assert!(replay(&old).is_none() && replay(&new).is_none());
    let limit = |replay: Replay| replay.query.rows.unwrap().statement.text().contains("LIMIT 2");
    assert!(!limit(replay(&old).unwrap()) && limit(replay(&new).unwrap()) && !limit(replay(&old).unwrap()));
    let reloaded = new.with_schema(&Arc::new(cache()));
    assert!(replay(&reloaded).is_none());
}

#[test]
fn without_a_cache_nothing_is_replayed() {
    let conf = Arc::new(AppConfig { pgapp_plan_cache_bytes: 0, ..conf() });
    let plans = PlanCache::new(conf, Arc::new(cache()));
    let head = head("GET /clients?id=eq.1", &[]);
    assert!((0..5).all(|_| plans.replay(&head, &Bytes::new()).is_none()));
}

proptest! {
    #[test]
    fn any_value_is_filled_in_as_it_would_be_planned(
        template in select(FIT),
        first in "(\\PC|[ \\n\"'*%().,:+&]){0,12}",
        second in "(\\PC|[ \\n\"'*%().,:+&]){0,12}",
    ) {
        let rooms = Rooms::new();
        let seen = head(&filled(template, &["x".to_owned(), "y".to_owned()]), &[]);
        prop_assert!(rooms.replay(&seen).is_none());
        let head = head(&filled(template, &[first, second]), &[]);
        if let Some(replay) = rooms.replay(&head) {
            rooms.check(&head, &replay);
        }
    }
}

/// Parameters, preferences, headers and bodies that may be combined at will; `{}` stands for a value.
const TARGETS: &[&str] = &[
    "/clients",
    "/projects",
    "/tasks",
    "/documents",
    "/rpc/getproject",
    "/rpc/add_them",
    "/rpc/one_project",
    "/",
];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"];
const PARAMETERS: &[&str] = &[
    "id=eq.{}",
    "id=eq.{}",
    "id=gt.{}",
    "name=neq.{}",
    "name=not.eq.{}",
    "name=like.{}*",
    "id=in.(1,{})",
    "a={}",
    "b={}",
    "data->>a=eq.{}",
    "color=eq.{}",
    "clients.id=eq.{}",
    "or=(id.eq.1,name.eq.{})",
    "select=id",
    "select=*",
    "select=id,name,clients(id)",
    "select=id,...clients(name)",
    "select=data->b,color",
    "select=count()",
    "order=id",
    "order=name.desc.nullslast",
    "limit=3",
    "limit=5",
    "offset=1",
    "columns=id",
    "columns=id,name",
    "col%75mns=name",
    "columns",
    "on_conflict=id",
    "on_conflict=name",
    "clients.limit=2",
];
const HEADERS: &[(&str, &str)] = &[
    ("prefer", "return=representation"),
    ("prefer", "return=minimal"),
    ("prefer", "return=headers-only"),
    ("prefer", "resolution=merge-duplicates"),
    ("prefer", "resolution=ignore-duplicates"),
    ("prefer", "missing=default"),
    ("prefer", "missing=null"),
    ("prefer", "count=exact"),
    ("prefer", "count=planned"),
    ("prefer", "count=estimated"),
    ("prefer", "tx=rollback"),
    ("prefer", "timezone=Europe/Paris"),
    ("prefer", "handling=strict, max-affected=2"),
    ("accept", "application/vnd.pgrst.object+json"),
    ("accept", "application/vnd.pgrst.array+json;nulls=stripped"),
    ("accept", "application/vnd.pgrst.plan+json"),
    ("accept", "text/csv"),
    ("accept", "text/html"),
    ("accept-profile", "test"),
    ("accept-profile", "none"),
    ("content-profile", "test"),
    ("content-type", "application/json"),
    ("content-type", "application/json; charset=utf-8"),
    ("content-type", "text/csv"),
    ("content-type", "application/x-www-form-urlencoded"),
    ("content-type", "text/plain"),
    ("range", "0-1"),
    ("range", "3-2"),
    ("x-other", "1"),
    ("cookie", "a=1"),
];
const BODIES: &[&str] = &[
    r#"{"id":1}"#,
    r#" {"id":2}"#,
    r#"{"id":1,"name":"x"}"#,
    r#"{"name":{"y":[1]},"id":null}"#,
    r#"{"name":"x"}"#,
    r#"{"none":1}"#,
    r#"{"a":1,"b":2}"#,
    r#"{"b":2,"a":null}"#,
    r#"[{"id":1},{"id":2}]"#,
    r#"[{"id":3}]"#,
    r#"[{"id":1,"name":"x"}]"#,
    r#"[{"id":1},{"name":2}]"#,
    "[]",
    "{}",
    "[{}]",
    "",
    "{",
    "7",
    "id,name\n1,x",
    "id=1&name=x",
];

/// One of the many configurations that planning looks at.
fn a_conf(flags: [bool; 5]) -> AppConfig {
    AppConfig {
        db_tx_allow_override: flags[0],
        db_plan_enabled: flags[1],
        url_use_legacy_target_names: flags[2],
        log_query: flags[3],
        db_max_rows: flags[4].then_some(4),
        ..conf()
    }
}

/// Requests over few outlines, so that each comes several times with other values and bodies.
fn requests() -> impl Strategy<Value = Vec<(Parts, &'static str)>> {
    let outline = (
        select(METHODS),
        select(TARGETS),
        subsequence(PARAMETERS, 0..=4),
        prop_oneof![1 => Just(Vec::new()), 2 => subsequence(HEADERS, 0..=3)],
    );
    let outlines = prop::collection::vec(outline, 1..=2);
    let value = prop_oneof![4 => "[a-z0-9]{1,3}", 1 => "(\\PC|[ \n\"'*%().,:+&]){0,8}"];
    let uses = prop::collection::vec(
        (any::<prop::sample::Index>(), prop::collection::vec(value, 5), select(BODIES)),
        6..=12,
    );
    (outlines, uses).prop_map(|(outlines, uses)| {
        let used = uses.into_iter().map(|(which, values, body)| {
            let (method, target, parameters, headers) = which.get(&outlines);
            let template = format!("{method} {target}?{}", parameters.join("&"));
            (head(&filled(&template, &values), headers), body)
        });
        used.collect()
    })
}

/// Cases of a property: the more, the longer the environment allows.
fn cases(few: u32, many: u32) -> Config {
    let thorough = std::env::var_os("PGAPP_TEST_THOROUGH").is_some();
    Config { cases: if thorough { many } else { few }, ..Config::default() }
}

proptest! {
    #![proptest_config(cases(400, 5_000))]

    /// Every method, parameter and preference: a kept plan says what a new one would say, or there is none.
    #[test]
    fn kept_plans_are_those_that_would_be_made_anew(flags in any::<[bool; 5]>(), requests in requests()) {
        let (conf, cache) = (Arc::new(a_conf(flags)), Arc::new(cache()));
        let rooms = Rooms { plans: PlanCache::new(Arc::clone(&conf), Arc::clone(&cache)), conf, cache };
        for (head, body) in &requests {
            if let Some(replay) = rooms.replay_with(head, body) {
                let planned = rooms.planned(head, body);
                prop_assert!(planned.is_ok(), "{} {} {body}: {:?}", head.method, head.uri, planned.err());
                rooms.check_with(head, body, &replay);
            }
        }
    }
}

/// The property above is about something: most requests that are planned at all come from a kept plan in the end.
#[test]
fn most_requests_are_replayed() {
    let rooms = Rooms::new();
    let (mut planned, mut replayed) = (0, 0);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..300 {
        for (head, body) in requests().new_tree(&mut runner).unwrap().current() {
            planned += usize::from(rooms.planned(&head, body).is_ok());
            replayed += usize::from(rooms.replay_with(&head, body).is_some());
        }
    }
    assert!(planned > 500 && replayed * 4 > planned, "{replayed} of {planned}");
}
