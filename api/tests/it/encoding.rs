//! Rows encoded by us against the same rows aggregated by Postgres: the bytes must not differ.
//!
//! Every request is sent twice: once where rows are encoded, once where statements are not prepared and rows therefore
//! aggregated. A column `aggregated` tells which it was, so that no test passes by never encoding.

use std::sync::Arc;

use api::auth::AuthResult;
use api::config::AppConfig;
use api::execute::Pool;
use api::pipeline::database;
use api::plan::action_plan;
use api::response::action_response;
use api::schema_cache::SchemaCache;
use api::schema_cache::load::load;
use api::sql::main_query;
use local_stack::testing::{TestCluster, TestDb};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::fixture::request;
use crate::support::{config, whole};

/// True while the statement that runs aggregates.
const AGGREGATED: &str = "current_query() LIKE '%json_agg(\\_postgrest\\_t%'";

/// Settings that change how values are printed, besides the defaults.
const SETTINGS: [&str; 2] = [
    "SET TIME ZONE 'UTC'",
    "ALTER DATABASE current SET datestyle = 'SQL, DMY';
     ALTER DATABASE current SET intervalstyle = 'sql_standard';
     ALTER DATABASE current SET bytea_output = 'escape';
     ALTER DATABASE current SET timezone = 'Asia/Kolkata';
     ALTER DATABASE current SET extra_float_digits = 0",
];

struct App {
    conf: AppConfig,
    cache: SchemaCache,
    pool: Pool,
    aggregating: Pool,
    client: tokio_postgres::Client,
    db: TestDb,
}

impl App {
    async fn start(sql: &str) -> Self {
        let db = TestCluster::shared().await.unwrap().create_db(None).await.unwrap();
        let setup = db.connect().await.unwrap();
        setup
            .batch_execute(&sql.replace("DATABASE current", &format!("DATABASE \"{}\"", db.name())))
            .await
            .unwrap();
        let conf = AppConfig {
            db_anon_role: None,
            db_schemas: vec!["public".into()],
            db_extra_search_path: Vec::new(),
            ..config(db.url())
        };
        // Settings of the database hold from the next connection on.
        let client = db.connect().await.unwrap();
        let cache = load(&client, &conf).await.unwrap();
        let unprepared = AppConfig { db_prepared_statements: false, ..conf.clone() };
        let (pool, aggregating) = (Pool::new(&conf).unwrap(), Pool::new(&unprepared).unwrap());
        Self { pool, aggregating, cache, conf, client, db }
    }

    /// The body as Postgres makes it.
    async fn aggregated(&self, text: &str) -> String {
        self.answer(&self.aggregating, text).await
    }

    async fn body(&self, text: &str) -> String {
        self.answer(&self.pool, text).await
    }

    async fn answer(&self, pool: &Pool, text: &str) -> String {
        let request = request(&self.conf, text).unwrap();
        let plan = action_plan(&self.conf, &request, &self.cache).unwrap();
        let auth = AuthResult { role: "postgres".to_owned(), claims: serde_json::Map::new() };
        let query = main_query(&plan, &self.conf, &request, &auth);
        let result =
            database::run(pool, &Arc::new(query), &plan, &request, &auth, &self.conf, &self.cache).await;
        let response = action_response(&plan, result.unwrap(), &request, &self.conf, &self.cache).unwrap();
        match &response.spooled {
            Some(spooled) => String::from_utf8(whole(spooled).await).unwrap(),
            None => String::from_utf8(response.body.to_vec()).unwrap(),
        }
    }

    /// The same body both ways.
    #[track_caller]
    fn check<'a>(&'a self, text: &'a str) -> impl Future<Output = String> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let theirs = self.aggregated(text).await;
            assert!(theirs.contains("\"aggregated\":true"), "{at}: {text}: {theirs}");
            for _ in 0..2 {
                let ours = self.body(text).await;
                assert!(ours.contains("\"aggregated\":false"), "{at}: {text} is not encoded: {ours}");
                assert_same(&ours.replace("\"aggregated\":false", "\"aggregated\":true"), &theirs, text);
            }
            theirs
        }
    }
}

/// Shows the first difference rather than two megabytes.
#[track_caller]
fn assert_same(ours: &str, theirs: &str, what: &str) {
    if ours != theirs {
        let at = ours.bytes().zip(theirs.bytes()).take_while(|(a, b)| a == b).count();
        let part = |text: &str| {
            String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(60)..text.len().min(at + 60)])
                .into_owned()
        };
        panic!("{what}: byte {at}\n ours: {}\ntheirs: {}", part(ours), part(theirs));
    }
}

/// Values for the types that cannot do with the text of another type.
const SAMPLES: &[(&str, &[&str])] = &[
    ("bool", &["t", "f"]),
    ("int2", &["-32768", "7"]),
    ("int4", &["-2147483648", "7"]),
    ("int8", &["-9223372036854775808", "7"]),
    ("float4", &["NaN", "-Infinity", "1e-20", "-0", "3.4e38", "0.1"]),
    ("float8", &["NaN", "Infinity", "1e-300", "-0", "1.7e308", "0.1", "123456789012345680"]),
    ("numeric", &["NaN", "Infinity", "-0.10", "1e100", "12345678901234567890.123", "0"]),
    ("money", &["-1234.5"]),
    ("date", &["infinity", "-infinity", "0044-03-15 BC", "2024-02-29", "294276-12-31"]),
    ("timestamp", &["infinity", "0044-03-15 12:00 BC", "2024-02-29 23:59:59.123456", "12024-01-01"]),
    (
        "timestamptz",
        &["-infinity", "0044-03-15 12:00 BC", "2024-02-29 23:59:59.1+05:30", "1800-01-01 00:00+00"],
    ),
    ("time", &["24:00:00", "01:02:03.4"]),
    ("timetz", &["01:02:03.4+05:30", "01:02:03-08"]),
    ("interval", &["1 year -2 mons 3 days -04:05:06.7", "0", "-1 day +00:00:01"]),
    ("json", &["{\"a\" : [1, 2.50, \"\\u00e9\\n\"],\n \"a\":null}", "\"x\"", "null"]),
    ("jsonb", &["{\"b\": [1, 2.50, \"é\\n\"], \"a\": null}", "\"x\"", "null"]),
    ("jsonpath", &["$.a[*] ? (@ > 1)"]),
    ("xml", &["<a b=\"c\">d</a>"]),
    ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("inet", &["10.0.0.1/8", "::1"]),
    ("cidr", &["10.0.0.0/8"]),
    ("macaddr", &["08:00:2b:01:02:03"]),
    ("macaddr8", &["08:00:2b:01:02:03:04:05"]),
    ("bit", &["1"]),
    ("varbit", &["10110", ""]),
    ("bytea", &["\\x00ff5c22", "\\x"]),
    ("point", &["(1,-2.5)"]),
    ("line", &["{1,2,3}"]),
    ("lseg", &["[(1,2),(3,4)]"]),
    ("box", &["(3,4),(1,2)"]),
    ("path", &["((1,2),(3,4))", "[(1,2)]"]),
    ("polygon", &["((1,2),(3,4),(5,6))"]),
    ("circle", &["<(1,2),3>"]),
    ("tsvector", &["'a':1A 'b''c':2"]),
    ("tsquery", &["'a' & !'b'"]),
    ("txid_snapshot", &["10:20:10,14"]),
    ("pg_snapshot", &["10:20:10,14"]),
    ("pg_lsn", &["16/B374D848"]),
    ("tid", &["(1,2)"]),
    ("int2vector", &["1 2", ""]),
    ("oidvector", &["1 2"]),
    ("gtsvector", &[]),
    ("refcursor", &["a \"b\""]),
    ("regproc", &["pg_catalog.now"]),
    ("regprocedure", &["pg_catalog.lower(text)"]),
    ("regoper", &["||/"]),
    ("regoperator", &["+(integer,integer)"]),
    ("regclass", &["pg_catalog.pg_class", "\"Odd name\""]),
    ("regtype", &["integer[]"]),
    ("regrole", &["postgres"]),
    ("regnamespace", &["pg_catalog"]),
    ("regconfig", &["english"]),
    ("regdictionary", &["simple"]),
    ("regcollation", &["\"C\""]),
    ("aclitem", &["postgres=r/postgres"]),
    ("mood", &["happy", "so \"so\""]),
    ("odd_text", &["a\tb"]),
    ("odd_numbers", &["{1,NULL}"]),
    ("pair", &["(1,\"a \"\"b\"\"\")", "(,)"]),
    ("int4range", &["[1,5)", "empty", "(,3]"]),
    ("int4multirange", &["{[1,5),[7,9)}", "{}"]),
];

/// Other text: what goes into every type that takes any.
const TEXTS: [&str; 4] = [
    "plain",
    "quote \" slash / back \\",
    "tab\tline\nreturn\rbell\u{7}\u{8}\u{c}del\u{7f}",
    "ünïcödé 🦀 \u{2028}",
];

#[tokio::test]
async fn every_type_is_encoded_as_postgres_does() {
    for settings in SETTINGS {
        let app = App::start(&format!(
            "{settings};
             CREATE TYPE mood AS ENUM ('happy', 'so \"so\"');
             CREATE DOMAIN odd_text AS text;
             CREATE DOMAIN odd_numbers AS int[];
             CREATE TYPE pair AS (a int, \"b \"\"c\" text);
             CREATE TABLE \"Odd name\" (id int);"
        ))
        .await;
        // Types of tables are like `pair`; pseudo types are no types of columns.
        let types = app
            .client
            .query(
                "SELECT t.typname::text, format_type(t.oid, NULL), t.typtype::text, t.typelem <> 0 AND t.typcategory = 'A', t.typinput::text
                 FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
                 WHERE t.typtype <> 'p' AND t.typname <> '_cstring' AND coalesce(c.relkind, 'c') = 'c'
                   AND NOT EXISTS (SELECT FROM pg_type e JOIN pg_class r ON r.oid = e.typrelid WHERE e.oid = t.typelem AND r.relkind <> 'c')
                   AND t.typnamespace IN ('pg_catalog'::regnamespace, 'public'::regnamespace)
                 ORDER BY t.oid",
                &[],
            )
            .await
            .unwrap();
        assert!(types.len() > 150, "{} types", types.len());
        let mut columns = Vec::new();
        let mut untried = Vec::new();
        for row in &types {
            let (name, printed, array): (&str, &str, bool) = (row.get(0), row.get(1), row.get(3));
            let listed = SAMPLES.iter().find(|(it, _)| *it == name).map(|(_, samples)| *samples);
            let mut accepted = 0;
            let quote = |text: &str| format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
            // Ranges without bounds are ranges of anything.
            let any = || TEXTS.iter().chain(&["7", "[,)", "{[,)}", "{}"]);
            let of =
                |name: &str| SAMPLES.iter().find(|(it, _)| *it == name).map(|(_, samples)| samples.iter());
            let mut candidates: Vec<String> = match listed {
                Some(samples) => samples.iter().map(|it| quote(it)).collect(),
                None if array => {
                    let element = name.strip_prefix('_').unwrap_or(name);
                    let samples = of(element).map_or_else(|| any().collect::<Vec<_>>(), Iterator::collect);
                    samples.iter().map(|it| format!("ARRAY[{}, NULL]", quote(it))).collect()
                }
                None => any().map(|it| quote(it)).collect(),
            };
            candidates.push("NULL".into());
            for candidate in candidates {
                let expression = format!("({candidate})::{printed}");
                // Not every text is a value of every type; a type without any is told below.
                if app.client.batch_execute(&format!("SELECT {expression}")).await.is_ok() {
                    accepted += usize::from(candidate != "NULL");
                    columns.push(format!("{expression} AS \"{} {candidate}\"", name.replace('"', "")));
                } else {
                    assert!(listed.is_none(), "{expression} is not valid");
                }
            }
            if accepted == 0 {
                untried.push(name.to_owned());
            }
        }
        // These take no input at all, except NULL.
        let known = [
            "gtsvector",
            "_gtsvector",
            "pg_node_tree",
            "pg_ndistinct",
            "pg_dependencies",
            "pg_mcv_list",
            "pg_brin_bloom_summary",
            "pg_brin_minmax_multi_summary",
        ];
        untried.retain(|it| !known.contains(&&**it));
        assert!(untried.is_empty(), "no value was tried of {untried:?}");
        for (index, part) in columns.chunks(100).enumerate() {
            let names: Vec<String> = part
                .iter()
                .enumerate()
                .map(|(at, it)| {
                    // Names are cut at 63 bytes and would not be unique.
                    let (expression, _) = it.rsplit_once(" AS ").unwrap();
                    format!("{expression} AS \"c{at} \"\"\\\"")
                })
                .collect();
            let view = format!(
                "CREATE TABLE values{index} AS SELECT {} FROM generate_series(1, 2);
                 CREATE VIEW part{index} AS SELECT *, {AGGREGATED} AS aggregated FROM values{index}",
                names.join(", ")
            );
            app.client.batch_execute(&view).await.unwrap_or_else(|error| panic!("{error:?}: {view}"));
        }
        let app = app.reload().await;
        for index in 0..columns.len().div_ceil(100) {
            app.check(&format!("GET /part{index}")).await;
        }
    }
}

impl App {
    /// With the schema as it is now.
    async fn reload(mut self) -> Self {
        self.cache = load(&self.client, &self.conf).await.unwrap();
        self.pool.flush();
        let _ = &self.db;
        self
    }
}

/// Values that proptest thinks of, as they are sent.
fn values<S: Strategy<Value = String>>(
    runner: &mut TestRunner,
    strategy: S,
    n: usize,
) -> Vec<Option<String>> {
    let strategy = proptest::option::weighted(0.9, strategy);
    (0..n).map(|_| strategy.new_tree(runner).unwrap().current()).collect()
}

#[tokio::test]
async fn random_values_are_encoded_as_postgres_does() {
    const N: usize = 400;
    for settings in SETTINGS {
        let app = App::start(&format!(
            "{settings};
             CREATE TABLE base (id int PRIMARY KEY, t text, f8 float8, f4 float4, n numeric, i8 int8, b bool,
                 ts timestamp, tz timestamptz, d date, iv interval, by bytea, js json, jb jsonb, texts text[], r tstzrange);
             CREATE VIEW random AS SELECT *, {AGGREGATED} AS aggregated FROM base;"
        ))
        .await;
        let mut runner = TestRunner::deterministic();
        let text = || {
            "\\PC{0,12}|[\\x01-\\x7f]{0,12}|(\\PC|[\"\\\\\\n\\t\\x08\\x1f]){0,30}"
                .prop_map(|it: String| it.replace('\0', ""))
        };
        let moment = || {
            (-200_000_000_000_i64..250_000_000_000, 0..1_000_000_i64)
                .prop_map(|(seconds, micros)| format!("{seconds} {micros}"))
        };
        let json =
            || text().prop_map(|it| serde_json::json!({it.clone(): [it, 1.5, null_or(3)]}).to_string());
        let columns = [
            values(&mut runner, text(), N),
            values(&mut runner, any::<f64>().prop_map(|it| it.to_string()), N),
            values(&mut runner, any::<f32>().prop_map(|it| it.to_string()), N),
            values(&mut runner, "-?[0-9]{1,30}(\\.[0-9]{0,20})?", N),
            values(&mut runner, any::<i64>().prop_map(|it| it.to_string()), N),
            values(&mut runner, any::<bool>().prop_map(|it| it.to_string()), N),
            values(&mut runner, moment(), N),
            values(
                &mut runner,
                proptest::collection::vec(any::<u8>(), 0..20)
                    .prop_map(|it| it.iter().map(|b| format!("{b:02x}")).collect()),
                N,
            ),
            values(&mut runner, json(), N),
        ];
        let insert = app.client.prepare(
            "INSERT INTO base SELECT $1::int, $2::text, $3::text::float8, $4::text::float4, $5::text::numeric, $6::text::int8, $7::text::bool,
                 m.ts, m.ts AT TIME ZONE 'UTC', m.ts::date, m.ts - timestamp '2000-01-01', decode($9::text, 'hex'), $10::text::json, $10::text::jsonb,
                 ARRAY[$2, NULL, $10], tstzrange(m.ts AT TIME ZONE 'UTC', NULL)
             FROM (SELECT timestamp '1970-01-01' + split_part($8::text, ' ', 1)::float8 * interval '1 s' + split_part($8::text, ' ', 2)::float8 * interval '1 us' AS ts) m",
        ).await.unwrap();
        for row in 0..N {
            let id = i32::try_from(row).unwrap();
            let mut params: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&id];
            params.extend(columns.iter().map(|it| &it[row] as &(dyn tokio_postgres::types::ToSql + Sync)));
            app.client.execute(&insert, &params).await.unwrap();
        }
        let body = app.check("GET /random?order=id").await;
        assert_eq!(body.matches(", \n {\"id\":").count(), N - 1);
        app.check("GET /random?id=eq.5\nAccept: application/vnd.pgrst.object+json").await;
        app.check("GET /random?order=id&limit=1&select=renamed:t,cast:n::text,js->x,aggregated").await;
    }
}

fn null_or(number: i32) -> Option<i32> {
    (number > 5).then_some(number)
}

#[tokio::test]
async fn results_of_functions_and_writes_are_encoded_as_postgres_does() {
    let app = App::start(&format!(
        "CREATE TABLE item (id int PRIMARY KEY, at timestamptz, aggregated bool);
         CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN NEW.aggregated := {AGGREGATED}; RETURN NEW; END $$;
         CREATE TRIGGER mark BEFORE INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION mark();
         CREATE FUNCTION texts() RETURNS SETOF text LANGUAGE sql STABLE
             AS $$ VALUES ('a \"b\"'), (NULL), (CASE WHEN {AGGREGATED} THEN '\"aggregated\":true' ELSE '\"aggregated\":false' END) $$;
         CREATE FUNCTION arrays() RETURNS SETOF text[] LANGUAGE sql STABLE
             AS $$ VALUES (ARRAY['a', NULL]), (NULL), (ARRAY[({AGGREGATED})::text]) $$;
         CREATE FUNCTION moments() RETURNS SETOF timestamptz LANGUAGE sql STABLE
             AS $$ VALUES (timestamptz '2024-02-29 12:00+00'), (CASE WHEN {AGGREGATED} THEN timestamptz '2000-01-01 00:00+00' END) $$;
         CREATE FUNCTION number() RETURNS numeric LANGUAGE sql STABLE
             AS $$ SELECT CASE WHEN {AGGREGATED} THEN 1 ELSE 2 END::numeric $$;
         CREATE FUNCTION no_number() RETURNS int LANGUAGE sql STABLE AS $$ SELECT NULL::int $$;
         CREATE FUNCTION one() RETURNS item LANGUAGE sql STABLE
             AS $$ SELECT 1, timestamptz '2024-02-29 12:00+00', {AGGREGATED} $$;"
    ))
    .await;
    let both = async |text: &str| [app.aggregated(text).await, app.body(text).await];

    let [theirs, ours] = both("GET /rpc/texts").await;
    assert_eq!(theirs, "[\"a \\\"b\\\"\", null, \"\\\"aggregated\\\":true\"]");
    assert_eq!(ours, theirs.replace("true", "false"));
    let [theirs, ours] = both("GET /rpc/arrays").await;
    assert_eq!(theirs, "[[\"a\",null], null, \n [\"true\"]]");
    assert_eq!(ours, theirs.replace("true", "false"));
    let [theirs, ours] = both("GET /rpc/moments").await;
    assert!(theirs.starts_with("[\"2024-02-29T12:00:00"), "{theirs}");
    let (start, _) = theirs.split_once(", ").unwrap();
    assert_eq!(ours, format!("{start}, null]"));
    assert_eq!(both("GET /rpc/number").await, ["1", "2"]);
    assert_eq!(both("GET /rpc/no_number").await, ["null"; 2]);
    app.check("GET /rpc/one").await;

    let insert = "POST /item?on_conflict=id\nPrefer: return=representation, resolution=merge-duplicates\n\n[{\"id\":1,\"at\":\"2024-02-29 12:00:00+00\"}]";
    app.check(insert).await;
    let updated =
        both("PATCH /item?id=eq.1&select=id,at\nPrefer: return=representation\n\n{\"at\":null}").await;
    assert_eq!(updated, ["[{\"id\":1,\"at\":null}]"; 2]);
    assert_eq!(both("DELETE /item?id=eq.9\nPrefer: return=representation").await, ["[]"; 2]);
    assert_eq!(both("GET /item?select=id&id=eq.9").await, ["[]"; 2]);
}

#[tokio::test]
async fn queries_that_cannot_be_encoded_stay_aggregated() {
    let app = App::start(&format!(
        "CREATE TABLE item (id int PRIMARY KEY, at timestamptz, aggregated bool DEFAULT false);
         INSERT INTO item VALUES (1, '2024-02-29 12:00+00');
         CREATE VIEW seen AS SELECT id, at, {AGGREGATED} AS aggregated FROM item;"
    ))
    .await;
    for text in [
        // Columns of one name cannot be told apart once they are wrapped.
        "GET /seen?select=id,at,at,aggregated",
        "GET /seen?limit=1\nPrefer: count=exact",
        "GET /seen\nAccept: application/vnd.pgrst.array+json;nulls=stripped",
    ] {
        for _ in 0..2 {
            let body = app.body(text).await;
            assert!(body.contains("\"aggregated\":true"), "{text}: {body}");
        }
    }
    // They can where nothing has to be wrapped.
    assert!(app.check("GET /seen?select=id,id,aggregated").await.contains("\"id\":1,\"id\":1"));
}

#[tokio::test]
async fn types_that_change_are_noticed() {
    let app = App::start(&format!(
        "CREATE TABLE item (id int PRIMARY KEY, value int);
         INSERT INTO item VALUES (1, 7);
         CREATE VIEW seen AS SELECT id, {AGGREGATED} AS aggregated FROM item;"
    ))
    .await;
    for _ in 0..3 {
        assert_eq!(app.body("GET /item").await, "[{\"id\":1,\"value\":7}]");
    }
    // Nobody tells the server: neither the cache nor the connection is renewed.
    app.client
        .batch_execute("ALTER TABLE item ALTER value TYPE text[] USING ARRAY[value::text], ADD at date DEFAULT '2024-02-29'")
        .await
        .unwrap();
    for _ in 0..4 {
        assert_eq!(app.body("GET /item").await, "[{\"id\":1,\"value\":[\"7\"],\"at\":\"2024-02-29\"}]");
    }
}

#[tokio::test]
async fn large_answers_leave_memory() {
    let app = App::start(&format!(
        "CREATE VIEW large AS SELECT i AS id, repeat(chr(1 + i % 300), 100) AS text, {AGGREGATED} AS aggregated
         FROM generate_series(1, 60000) i"
    ))
    .await;
    let theirs = app.aggregated("GET /large").await;
    assert!(theirs.len() > 5 * 1024 * 1024);
    let request = request(&app.conf, "GET /large").unwrap();
    let plan = action_plan(&app.conf, &request, &app.cache).unwrap();
    let auth = AuthResult { role: "postgres".to_owned(), claims: serde_json::Map::new() };
    let query = main_query(&plan, &app.conf, &request, &auth);
    let result =
        database::run(&app.pool, &Arc::new(query), &plan, &request, &auth, &app.conf, &app.cache).await;
    let response = action_response(&plan, result.unwrap(), &request, &app.conf, &app.cache).unwrap();
    assert!(response.body.is_empty());
    let spooled = response.spooled.unwrap();
    assert_eq!(response.headers["content-length"], spooled.len().to_string());
    assert_eq!(response.headers["content-range"], "0-59999/*");
    let ours = String::from_utf8(whole(&spooled).await)
        .unwrap()
        .replace("\"aggregated\":false", "\"aggregated\":true");
    assert_same(&ours, &theirs, "GET /large");
}
