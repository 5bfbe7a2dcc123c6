//! What is planted along the search path neither runs nor changes an answer.
//!
//! The schemas of a request are searched for what statements name without a schema, and who may create something in
//! one of them could put a function, an operator or a type of the same name there, for arguments that fit better.
//! Everything that statements name gets such a double here, and the search path names `pg_catalog` last, so that a
//! double comes before the original wherever a schema is left out.
//!
//! What a request names itself (the operators of its filters, casts, `sum`, `avg`, `max` and `min`, and what joins
//! relations) is looked for along the search path, for types of extensions have their own. These have no doubles for
//! the types that are filtered here.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::auth::AuthResult;
use api::config::AppConfig;
use api::execute::Pool;
use api::pipeline::database;
use api::plan::action_plan;
use api::response::action_response;
use api::schema_cache::SchemaCache;
use api::schema_cache::load::load;
use api::script::result::DbResult;
use api::sql::ending::{self, Ending};
use api::sql::main_query;
use local_stack::testing::{TestCluster, TestDb};

use crate::fixture::request;
use crate::support::config;

const SCHEMA: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'glad');
    CREATE TYPE pair AS (a int, b text);
    CREATE TABLE item (
      id int PRIMARY KEY, name text, doc jsonb, old json, day date, moods mood[], duo pair,
      words tsvector, at timestamptz, parent int REFERENCES item, code varchar(9) DEFAULT 'none'
    );
    INSERT INTO item (id, name, doc, old, day, moods, duo, words, at, parent, code)
      SELECT i, 'item ' || i, jsonb_build_object('a', jsonb_build_array(i, 'x')), json_build_object('b', i),
        '2026-01-01', ARRAY['sad', 'glad']::mood[], ROW(i, 'b')::pair, to_tsvector('english', 'fat cats ' || i),
        '2026-01-01 00:00Z', nullif(i - 1, 0), 'c' || i
      FROM generate_series(1, 5) i;
    CREATE TABLE tag (name text PRIMARY KEY);
    INSERT INTO tag VALUES ('a'), ('b');
    CREATE TABLE item_tag (item int REFERENCES item, tag text REFERENCES tag, PRIMARY KEY (item, tag));
    INSERT INTO item_tag VALUES (1, 'a'), (2, 'b');
    -- Parsed here and now: what they name is theirs to say.
    CREATE FUNCTION scalar(a int, b text DEFAULT 'b') RETURNS text STABLE RETURN $1 || $2;
    CREATE FUNCTION rows(n int) RETURNS SETOF item STABLE
      BEGIN ATOMIC SELECT * FROM item WHERE id <= n; END;
    CREATE FUNCTION pairs() RETURNS SETOF pair STABLE BEGIN ATOMIC SELECT (duo).* FROM item; END;
    CREATE FUNCTION many(VARIADIC v text[]) RETURNS int STABLE RETURN cardinality(v);
    CREATE FUNCTION raw(jsonb) RETURNS jsonb STABLE RETURN $1;
    CREATE FUNCTION parent_of(item) RETURNS SETOF item ROWS 1 STABLE
      BEGIN ATOMIC SELECT * FROM item WHERE id = $1.parent; END;
    CREATE SCHEMA extra;
";

/// Every kind of statement there is.
const REQUESTS: &[&str] = &[
    "GET /item?order=id",
    "GET /item?order=id&select=id,name,moods,day",
    "GET /item?id=eq.1\nAccept: application/vnd.pgrst.object+json",
    "GET /item?id=in.(1,2)&select=id,doc->a->>0,old->>b",
    "GET /item?id=gt.1&order=id&limit=2&offset=1\nPrefer: count=exact",
    "GET /item?id=gt.1\nPrefer: count=planned",
    "GET /item?id=gt.1\nPrefer: count=estimated",
    "GET /item?order=id\nAccept: text/csv",
    "GET /item?order=id\nAccept: application/vnd.pgrst.array+json;nulls=stripped",
    "GET /item?id=eq.3\nAccept: application/vnd.pgrst.object+json;nulls=stripped",
    "GET /item?select=count(),id.sum()",
    "GET /item?select=id.count(),parent&order=parent",
    "GET /item?words=fts(english).cat&select=id&order=id",
    "GET /item?name=plfts.item&select=id&order=id",
    "GET /item?name=phfts.item&name=wfts.item&select=id&order=id",
    "GET /item?select=id,item_tag(tag,item)&order=id",
    "GET /item?select=id,tag(*)&order=id&tag.name=not.is.null",
    "GET /item?select=id,...tag(tag:name)&order=id",
    "GET /item?select=id,parent_of(id,doc)&order=id",
    "GET /item_tag?select=item!inner(id,name),...tag(t:name)&order=item",
    "GET /rpc/scalar?a=1",
    "GET /rpc/rows?n=3&select=id,moods&order=id",
    "GET /rpc/rows?n=3&select=id&limit=1\nPrefer: count=exact",
    "GET /rpc/pairs",
    "GET /rpc/many?v=1&v=2",
    "POST /rpc/scalar\n\n{\"a\":1,\"b\":\"x\"}",
    "POST /rpc/scalar\nContent-Type: application/x-www-form-urlencoded\n\na=1&b=x",
    "POST /rpc/raw\n\n{\"a\":[1]}",
    "POST /item\nPrefer: return=representation\n\n{\"id\":10,\"doc\":{\"a\":1},\"moods\":[\"sad\"],\"day\":\"2026-02-02\"}",
    "POST /item?columns=id,code\nPrefer: return=representation, missing=default\n\n[{\"id\":11},{\"id\":12,\"code\":\"x\"}]",
    "POST /item?columns=id,code\nPrefer: return=representation, missing=default\n\n{\"id\":13}",
    "POST /item\nPrefer: return=headers-only\n\n{\"id\":14}",
    "POST /item\nPrefer: return=representation, resolution=merge-duplicates\n\n[{\"id\":14,\"name\":\"m\"},{\"id\":15,\"name\":\"n\"}]",
    "POST /item\nPrefer: resolution=ignore-duplicates\n\n[{\"id\":14,\"name\":\"i\"}]",
    "POST /item\nContent-Type: text/csv\nPrefer: return=representation\n\nid,name,code\n16,c,d\n",
    "PUT /item?id=eq.17\nPrefer: return=representation\n\n{\"id\":17,\"name\":\"p\",\"doc\":null,\"old\":null,\"day\":null,\"moods\":null,\"duo\":null,\"words\":null,\"at\":null,\"parent\":null,\"code\":null}",
    "PATCH /item?id=eq.17\nPrefer: return=representation\n\n{\"name\":\"q\",\"doc\":[1]}",
    "PATCH /item?id=eq.17\nPrefer: return=representation, missing=default\n\n{\"code\":\"r\"}",
    "PATCH /item?id=eq.17\n\n{}",
    "DELETE /item?id=gt.9\nPrefer: return=representation\n\n",
    "GET /",
];

struct App {
    conf: AppConfig,
    cache: SchemaCache,
    client: tokio_postgres::Client,
    _db: TestDb,
}

impl App {
    async fn start() -> Self {
        let db = TestCluster::shared().await.unwrap().create_db(None).await.unwrap();
        let client = db.connect().await.unwrap();
        client.batch_execute(SCHEMA).await.unwrap();
        let conf = AppConfig {
            db_anon_role: None,
            db_aggregates_enabled: true,
            db_schemas: vec!["public".into()],
            db_extra_search_path: vec!["extra".into(), "pg_catalog".into()],
            ..config(db.url())
        };
        let cache = load(&client, &conf).await.unwrap();
        Self { conf, cache, client, _db: db }
    }

    /// Head and body of every answer, and the texts that were run.
    async fn answers(&self, prepared: bool) -> (Vec<String>, Vec<String>) {
        let conf = AppConfig { db_prepared_statements: prepared, ..self.conf.clone() };
        let pool = Pool::new(&conf).unwrap();
        let (mut answers, mut texts) = (Vec::new(), Vec::new());
        for text in REQUESTS {
            let request = request(&conf, text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let plan =
                action_plan(&conf, &request, &self.cache).unwrap_or_else(|error| panic!("{text}: {error}"));
            let auth = AuthResult { role: "postgres".to_owned(), claims: serde_json::Map::new() };
            let query = Arc::new(main_query(&plan, &conf, &request, &auth));
            texts.extend(query.statements().map(|it| it.text().to_owned()));
            texts.extend(query.aggregated().map(|it| it.text().to_owned()));
            let result = database::run(&pool, &query, &plan, &request, &auth, &conf, &self.cache).await;
            let result: DbResult = result.unwrap_or_else(|error| panic!("{text}: {error}"));
            let answer = action_response(&plan, result, &request, &conf, &self.cache).unwrap();
            answers.push(format!(
                "{text}\n{} {:?}\n{}",
                answer.status,
                answer.headers,
                String::from_utf8_lossy(&answer.body)
            ));
        }
        for bits in 0..8 {
            let ending = Ending { read_only: bits & 1 > 0, upserts: bits & 2 > 0, commands: bits & 4 > 0 };
            texts.push(ending.text().to_owned());
        }
        texts.extend(ending::RESET.map(str::to_owned));
        (answers, texts)
    }

    /// Plants doubles of everything that these statements could name.
    async fn plant(&self, texts: &[String]) -> i64 {
        let all = texts.join("\n");
        let mut functions = BTreeSet::new();
        for (at, _) in all.match_indices('(') {
            let name = all[..at].rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap();
            functions.insert(name.to_lowercase());
        }
        let operators: BTreeSet<String> =
            all.split(|c: char| !"+-*/<>=~!@#%^&|`?".contains(c)).map(str::to_owned).collect();
        // Requests name these by themselves.
        for name in ["sum", "avg", "max", "min"] {
            functions.remove(name);
        }
        let (functions, operators): (Vec<_>, Vec<_>) =
            (functions.into_iter().collect(), operators.into_iter().collect());
        self.client
            .execute("SELECT set_config('plant.functions', $1::text[]::text, false)", &[&functions])
            .await
            .unwrap();
        self.client
            .execute("SELECT set_config('plant.operators', $1::text[]::text, false)", &[&operators])
            .await
            .unwrap();
        self.client.batch_execute(PLANT).await.unwrap();
        let planted =
            "SELECT (SELECT count(DISTINCT proname) FROM pg_proc WHERE pronamespace = 'extra'::regnamespace)";
        self.client.query_one(planted, &[]).await.unwrap().get(0)
    }
}

/// Doubles with the signatures of the originals, and with those of our types where the originals take any.
const PLANT: &str = r#"
DO $do$
DECLARE
  it record; ours text; signature text; n int := 0;
BEGIN
  FOR it IN
    SELECT p.oid, p.proname, p.pronargs, p.proretset, p.prorettype,
      array(SELECT format_type(a, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY u (a, o) ORDER BY o) AS args
    FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace
      AND p.proname = ANY (current_setting('plant.functions')::text[])
  LOOP
    FOREACH ours IN ARRAY ARRAY['public.item', 'text', 'integer', 'bigint', 'json', 'jsonb', 'text[]', 'date', 'public.mood[]', 'public.pair', 'public.tag', 'public.item_tag'] LOOP
      SELECT string_agg(CASE WHEN a IN ('"any"', 'anyelement', 'anyarray', 'record', 'anycompatible', 'anynonarray')
                             THEN ours ELSE a END, ', ' ORDER BY o)
        INTO signature FROM unnest(it.args) WITH ORDINALITY u (a, o);
      BEGIN
        EXECUTE format('CREATE FUNCTION extra.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', it.proname, coalesce(signature, ''),
          CASE WHEN it.proretset THEN 'SETOF ' ELSE '' END
            || CASE WHEN it.prorettype IN ('anyelement'::regtype, 'anyarray'::regtype, 'record'::regtype, 'internal'::regtype) THEN 'text'
                    ELSE format_type(it.prorettype, NULL) END,
          format('BEGIN RAISE EXCEPTION %L; END', 'planted ' || it.proname));
      EXCEPTION WHEN others THEN NULL;
      END;
    END LOOP;
  END LOOP;
  FOR it IN
    SELECT o.oprname, format_type(o.oprleft, NULL) AS l, format_type(o.oprright, NULL) AS r, format_type(o.oprresult, NULL) AS res
    FROM pg_operator o
    WHERE o.oprnamespace = 'pg_catalog'::regnamespace
      AND o.oprname = ANY (current_setting('plant.operators')::text[])
      AND o.oprleft <> 0
      -- What filters and joins compare: they are meant to be found along the path.
      AND NOT (o.oprleft IN ('int4'::regtype, 'text'::regtype) AND o.oprright = o.oprleft AND o.oprname IN ('=', '<>', '<', '>', '<=', '>='))
      AND o.oprname <> '@@'
      AND NOT (o.oprleft = 'jsonb'::regtype AND o.oprname IN ('->', '->>'))
      AND NOT (o.oprleft = 'json'::regtype AND o.oprright = 'text'::regtype AND o.oprname IN ('->', '->>'))
  LOOP
    n := n + 1;
    BEGIN
      EXECUTE format('CREATE FUNCTION extra.op_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', n, it.l, it.r, it.res,
        format('BEGIN RAISE EXCEPTION %L; END', 'planted ' || it.oprname));
      EXECUTE format('CREATE OPERATOR extra.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = extra.op_%s)', it.oprname, it.l, it.r, n);
    EXCEPTION WHEN others THEN NULL;
    END;
  END LOOP;
  -- Types, which are no longer what they say.
  CREATE DOMAIN extra.text AS pg_catalog.int4;
  CREATE DOMAIN extra.json AS pg_catalog.int4;
  CREATE DOMAIN extra.jsonb AS pg_catalog.int4;
  CREATE DOMAIN extra.int4 AS pg_catalog.date;
  CREATE DOMAIN extra.date AS pg_catalog.int4;
  CREATE DOMAIN extra.oid AS pg_catalog.date;
  CREATE DOMAIN extra.regnamespace AS pg_catalog.date;
  CREATE DOMAIN extra.tsvector AS pg_catalog.date;
END
$do$
"#;

#[tokio::test]
async fn nothing_planted_along_the_search_path_is_used() {
    let app = App::start().await;
    let (encoded, texts) = app.answers(true).await;
    let (aggregated, _) = app.answers(false).await;
    let n_planted = app.plant(&texts).await;
    assert!(n_planted > 200, "only {n_planted} functions were planted");
    let planted = app.answers(true).await.0;
    for (before, after) in encoded.iter().zip(&planted) {
        assert_eq!(before, after);
    }
    let planted = app.answers(false).await.0;
    for (before, after) in aggregated.iter().zip(&planted) {
        assert_eq!(before, after);
    }
}
