//! Whatever a function does to its session, the next request on the connection finds it as if it was new.
//!
//! Functions that dirty a session in every way there is are called in every way there is; after each the session is
//! looked over as another role, in a read and in a write, and has to look like one that was opened just now.

use std::sync::Arc;

use api::auth::AuthResult;
use api::config::AppConfig;
use api::error::Error;
use api::execute::{Pool, Sharing};
use api::pipeline::database;
use api::plan::action_plan;
use api::schema_cache::SchemaCache;
use api::schema_cache::identifiers::QualifiedIdentifier;
use api::schema_cache::load::load;
use api::schema_cache::residue::Residue;
use api::script::result::{DbResult, ResultSet};
use api::sql::main_query;
use local_stack::testing::{TestCluster, TestDb};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use std::time::Duration;

use crate::fixture::request;
use crate::support;

/// What functions do without commands: settings, locks, temporary relations, sequences.
const PLAIN: &[(&str, &str)] = &[
    ("tenant", "perform set_config('app.tenant', 'theirs', false)"),
    ("claims", r#"perform set_config('request.jwt.claims', '{"role":"theirs"}', false)"#),
    ("headers", r#"perform set_config('response.headers', '[{"X-Theirs":"1"}]', false)"#),
    ("status", "perform set_config('response.status', '418', false)"),
    ("inserted", "perform set_config('pgrst.inserted', '7', false)"),
    ("zone", "set timezone = 'Asia/Tokyo'"),
    ("style", "set datestyle = 'SQL, DMY'"),
    ("encoding", "set client_encoding = 'LATIN1'"),
    ("security", "set row_security = off"),
    ("read_only", "set default_transaction_read_only = on"),
    ("characteristics", "set session characteristics as transaction isolation level serializable, deferrable"),
    ("level", "set default_transaction_isolation = 'repeatable read'"),
    ("path", "set search_path = theirs"),
    ("role", "set role session_two"),
    ("hidden_role", "set role session_two; set local role session_one"),
    ("timeout", "set statement_timeout = '1h'; set lock_timeout = '1h'"),
    ("printing", "set bytea_output = 'escape'; set extra_float_digits = 0; set intervalstyle = 'iso_8601'"),
    ("planner", "set enable_seqscan = off; set plan_cache_mode = force_generic_plan"),
    ("messages", "set client_min_messages = 'debug1'; set application_name = 'theirs'"),
    ("lock", "perform pg_advisory_lock(7), pg_advisory_lock(7)"),
    ("shared_lock", "perform pg_advisory_lock_shared(3, 4)"),
    (
        "temporary",
        "if current_setting('transaction_read_only') = 'off' then
           create temp table if not exists item (id int, name text); insert into pg_temp.item values (1, 'theirs');
         end if",
    ),
    (
        "sequence",
        "if current_setting('transaction_read_only') = 'off' then perform nextval('numbers'); end if",
    ),
];

/// What they do by commands.
const COMMANDS: &[(&str, &str)] = &[
    ("prepare", "execute 'prepare theirs as select ''their secret'''"),
    ("listen", "listen theirs"),
    (
        "cursor",
        "execute 'declare theirs cursor with hold for select ''their secret'' from generate_series(1, 3)'",
    ),
    (
        "late_cursor",
        "execute 'declare theirs cursor with hold for select set_config(''app.tenant'', ''theirs'', false)'",
    ),
    ("forget", "execute 'deallocate all'; execute 'prepare theirs as select 1'"),
    ("authorization", "set session authorization default; set role session_two"),
];

const BASE: &str = "
    create role session_login login password 'pw' noinherit;
    create role session_one;
    create role session_two;
    create role session_three;
    grant session_one, session_two, session_three to session_login;
    grant usage, create on schema public to public;
    create schema theirs;
    create sequence numbers;
    grant usage on sequence numbers to public;
    create table item (id int primary key, name text);
    insert into item values (1, 'ours');
    grant select on item to public;

    create function last_number() returns bigint language plpgsql as
      $$ begin return lastval(); exception when others then return null; end $$;

    -- Everything that can be seen of a session, except what every request sets by itself.
    create function state() returns jsonb language sql volatile as $$
      select jsonb_build_object(
        'settings', (select jsonb_object_agg(name, setting) from pg_settings
                     where name not in ('transaction_read_only', 'search_path')),
        'defaults', (select jsonb_object_agg(name, reset_val) from pg_settings),
        'path', current_setting('search_path'), 'role', current_setting('role'), 'user', current_user,
        'session', session_user,
        'own', (select jsonb_object_agg(name, nullif(current_setting(name, true), ''))
                from unnest(array['app.tenant', 'response.headers', 'response.status', 'pgrst.inserted']) name),
        'claims', current_setting('request.jwt.claims', true),
        'locks', (select jsonb_agg(jsonb_build_array(classid, objid, mode)) from pg_locks
                  where pid = pg_backend_pid() and locktype = 'advisory'),
        'prepared', (select jsonb_agg(name) from pg_prepared_statements where from_sql),
        'cursors', (select jsonb_agg(name) from pg_cursors where name <> ''),
        'channels', (select jsonb_agg(it) from pg_listening_channels() it),
        'temporary', (select jsonb_agg(relname) from pg_class
                      where relnamespace = pg_my_temp_schema() and relkind in ('r', 'v')),
        'number', last_number(),
        'item', (select name from item))
    $$;
    create function pid() returns int language sql volatile as 'select pg_backend_pid()';
";

/// A function for each way to dirty a session, and what calls it.
fn schema(ways: &[(&str, &str)]) -> String {
    let mut sql = BASE.to_owned();
    for (name, body) in ways {
        sql.push_str(&format!(
            "create function do_{name}() returns text language plpgsql volatile as $$ begin {body}; return 'x'; end $$;
             create function fail_{name}() returns text language plpgsql volatile as
               $$ begin {body}; raise exception 'no'; end $$;
             create view view_{name} as select do_{name}() as did;
             create function on_{name}() returns trigger language plpgsql volatile as
               $$ begin {body}; return coalesce(new, old); end $$;
             create table table_{name} (id int);
             insert into table_{name} select generate_series(1, 50);
             create trigger on_change before insert or update or delete on table_{name}
               for each row execute function on_{name}();
             create table late_{name} (id int);
             grant all on view_{name}, table_{name}, late_{name} to public;\n",
        ));
    }
    sql
}

/// Deferred triggers: what runs at the commit.
fn late_triggers(ways: &[(&str, &str)]) -> String {
    let trigger = |(name, _): &(&str, &str)| {
        format!(
            "create constraint trigger on_commit after insert on late_{name} deferrable initially deferred
               for each row execute function on_{name}();\n"
        )
    };
    ways.iter().map(trigger).collect()
}

/// Requests that run a function; `NAME` is its name.
const REQUESTS: &[&str] = &[
    "GET /rpc/do_NAME",
    "POST /rpc/do_NAME\n\n{}",
    "POST /rpc/fail_NAME\n\n{}",
    "GET /rpc/fail_NAME",
    "GET /view_NAME",
    "GET /view_NAME\nAccept: text/csv",
    "HEAD /view_NAME\nPrefer: count=exact",
    "POST /table_NAME\nContent-Type: application/json\n\n{\"id\":1}",
    "POST /table_NAME\nPrefer: return=representation\n\n[{\"id\":1},{\"id\":2}]",
    "POST /table_NAME\nPrefer: tx=rollback\n\n{\"id\":1}",
    "POST /table_NAME\nPrefer: return=representation\nAccept: application/vnd.pgrst.object+json\n\n[{\"id\":1},{\"id\":2}]",
    "POST /late_NAME\n\n{\"id\":1}",
    "PATCH /table_NAME?id=eq.2\n\n{\"id\":2}",
    "PATCH /table_NAME?id=eq.3\nAccept: application/vnd.pgrst.object+json\nPrefer: return=representation\n\n{\"id\":3}",
    "DELETE /table_NAME?id=eq.4",
    "PRE",
];

struct App {
    conf: AppConfig,
    cache: SchemaCache,
    pool: Pool,
    db: TestDb,
    _cluster: TestCluster,
}

impl App {
    async fn start(sql: &str, set: impl FnOnce(&mut AppConfig)) -> Self {
        let cluster = TestCluster::start().await.unwrap();
        let db = cluster.create_db(None).await.unwrap();
        let client = db.connect().await.unwrap();
        client.batch_execute(sql).await.unwrap();
        let mut conf = AppConfig {
            db_anon_role: None,
            db_schemas: vec!["public".into()],
            db_extra_search_path: Vec::new(),
            db_pool: 1,
            db_tx_allow_override: true,
            ..support::config(&db.url().replace("postgres:postgres@", "session_login:pw@"))
        };
        set(&mut conf);
        let cache = load(&client, &conf).await.unwrap();
        let pool = Pool::new(&conf).unwrap();
        Self { conf, cache, pool, db, _cluster: cluster }
    }

    async fn send(&self, pool: &Pool, conf: &AppConfig, role: &str, text: &str) -> Result<ResultSet, Error> {
        let request = request(conf, text)?;
        let plan = action_plan(conf, &request, &self.cache)?;
        let auth = AuthResult { role: role.to_owned(), claims: serde_json::Map::new() };
        let query = Arc::new(main_query(&plan, conf, &request, &auth));
        match database::run(pool, &query, &plan, &request, &auth, conf, &self.cache).await? {
            DbResult::Crud(set) => Ok(set),
            other => panic!("{text} is answered otherwise: {other:?}"),
        }
    }

    /// Runs a function in one of the ways of [`REQUESTS`].
    async fn dirty(&self, request: &str, name: &str) {
        let _ = match request {
            "PRE" => {
                let pre = Some(QualifiedIdentifier::new("public", format!("do_{name}")));
                let conf = AppConfig { db_pre_request: pre, ..self.conf.clone() };
                self.send(&self.pool, &conf, "session_one", "GET /item").await
            }
            _ => self.send(&self.pool, &self.conf, "session_one", &request.replace("NAME", name)).await,
        };
    }

    /// The session as a read finds it, and as a write does.
    async fn state(&self, pool: &Pool) -> Vec<serde_json::Value> {
        let mut states = Vec::new();
        for text in ["GET /rpc/state", "POST /rpc/state\n\n{}", "GET /rpc/state\nPrefer: count=exact"] {
            let set = self.send(pool, &self.conf, "session_three", text).await.unwrap();
            assert_eq!((set.guc_headers, set.guc_status), (None, None));
            states.push(serde_json::from_slice(&set.body).unwrap());
        }
        states
    }

    async fn fresh(&self) -> Vec<serde_json::Value> {
        self.state(&Pool::new(&self.conf).unwrap()).await
    }

    #[track_caller]
    fn assert_fresh(states: &[serde_json::Value], fresh: &[serde_json::Value], after: &str) {
        for (state, fresh) in states.iter().zip(fresh) {
            for (part, value) in state.as_object().unwrap() {
                assert_eq!(*value, fresh[part], "{part} after {after}");
            }
        }
    }

    async fn pid(&self) -> String {
        let set = self.send(&self.pool, &self.conf, "session_three", "GET /rpc/pid").await.unwrap();
        String::from_utf8(set.body.to_vec()).unwrap()
    }

    /// Every function in every way, then some at random.
    async fn check(&self, ways: &[(&str, &str)]) {
        let fresh = self.fresh().await;
        let pid = self.pid().await;
        for request in REQUESTS {
            for (name, _) in ways {
                self.dirty(request, name).await;
                let after = request.replace("NAME", name);
                Self::assert_fresh(&self.state(&self.pool).await, &fresh, &after);
            }
        }
        let n_cases = if std::env::var_os("PGAPP_TEST_THOROUGH").is_some() { 5000 } else { 60 };
        let seed = rand::rng().random();
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..n_cases {
            let mut after = format!("seed {seed}:");
            for _ in 0..rng.random_range(1..5) {
                let (request, (name, _)) =
                    (REQUESTS.choose(&mut rng).unwrap(), ways.choose(&mut rng).unwrap());
                self.dirty(request, name).await;
                after.push_str(&format!(" {}", request.replace("NAME", name)));
            }
            Self::assert_fresh(&self.state(&self.pool).await, &fresh, &after);
        }
        if self.conf.db_prepared_statements {
            // It was cleaned, not thrown away.
            assert_eq!(self.pid().await, pid);
        }
    }
}

#[tokio::test]
async fn nothing_that_functions_did_reaches_the_next_request() {
    let app = App::start(&schema(PLAIN), |_| ()).await;
    let nothing = Residue { commands: false, at_commit: false, cached_sequences: false };
    assert_eq!(app.cache.residue, nothing);
    app.check(PLAIN).await;
}

#[tokio::test]
async fn nothing_that_commands_or_deferred_triggers_did_reaches_the_next_request() {
    let ways = [PLAIN, COMMANDS].concat();
    let app = App::start(&format!("{}{}", schema(&ways), late_triggers(&ways)), |_| ()).await;
    let all = Residue { commands: true, at_commit: true, cached_sequences: false };
    assert_eq!(app.cache.residue, all);
    app.check(&ways).await;
}

#[tokio::test]
async fn nothing_reaches_the_next_request_where_statements_are_not_prepared() {
    let app = App::start(&schema(PLAIN), |conf| conf.db_prepared_statements = false).await;
    app.check(PLAIN).await;
}

/// Reads that share a connection are clean, too, whatever is before them on it.
#[tokio::test]
async fn nothing_reaches_reads_that_share_the_connection() {
    let ways = [PLAIN, COMMANDS].concat();
    let app = App::start(&schema(&ways), |_| ()).await;
    let sharing = Sharing {
        quick: Duration::MAX,
        worth: Duration::MAX,
        budget: Duration::MAX,
        hesitation: Duration::MAX,
        patience: Duration::from_secs(20),
        turn: Duration::from_millis(10),
    };
    let pool = Pool::sharing(&app.conf, sharing).unwrap();
    let seen = "GET /seen";
    let client = app.db.connect().await.unwrap();
    client
        .batch_execute(
            "create view seen as select (state() - 'defaults')::text as it; grant select on seen to public",
        )
        .await
        .unwrap();
    let app = Arc::new(App { cache: load(&client, &app.conf).await.unwrap(), ..app });
    let state = async |role: &str| app.send(&pool, &app.conf, role, seen).await.unwrap().body;
    let fresh = state("session_three").await;
    for _ in 0..12 {
        state("session_three").await;
        for (name, _) in &ways {
            let _ = app.send(&pool, &app.conf, "session_one", &format!("GET /view_{name}")).await;
        }
    }
    for (name, _) in &ways {
        let mut asked = tokio::task::JoinSet::new();
        for n in 0..12 {
            let (app, pool, name) = (Arc::clone(&app), pool.clone(), (*name).to_owned());
            asked.spawn(async move {
                if n % 2 == 0 {
                    let _ = app.send(&pool, &app.conf, "session_one", &format!("GET /view_{name}")).await;
                    None
                } else {
                    Some(app.send(&pool, &app.conf, "session_three", seen).await.unwrap().body)
                }
            });
        }
        for answer in asked.join_all().await.into_iter().flatten() {
            assert_eq!(answer, fresh, "beside {name}");
        }
    }
    assert!(pool.metrics().shared_reads > 0, "nothing was shared");
}

/// An error code says nothing of where it comes from: functions may raise any.
#[tokio::test]
async fn codes_that_functions_raise_are_not_taken_for_the_servers_own() {
    let sql = format!(
        "{BASE}
         create sequence calls;
         grant all on sequence calls to public;
         create function raises(code text) returns text language plpgsql as
           $$ begin perform nextval('calls'); raise exception using errcode = code, message = 'mine'; end $$;
         create function loses() returns text language plpgsql as
           $$ begin perform nextval('calls'); execute 'execute nobody'; return 'x'; end $$;
         create function doubles() returns text language plpgsql as
           $$ begin perform nextval('calls'); execute 'prepare one as select 1';
              execute 'prepare one as select 1'; return 'x'; end $$;"
    );
    let app = App::start(&sql, |_| ()).await;
    let client = app.db.connect().await.unwrap();
    let mut n_calls = 0;
    let pid = app.pid().await;
    let calls = [
        "26000", "42P05", "0A000", "40001", "57P01", "57P03", "08006", "08P01", "42P01", "22P02", "25006",
        "XX000",
    ]
    .map(|code| (code, format!("POST /rpc/raises\n\n{{\"code\":\"{code}\"}}")));
    let own =
        [("26000", "POST /rpc/loses\n\n{}".to_owned()), ("42P05", "POST /rpc/doubles\n\n{}".to_owned())];
    for (code, text) in calls.into_iter().chain(own) {
        let error = app.send(&app.pool, &app.conf, "session_one", &text).await.unwrap_err();
        let Error::Db(api::error::DbError::Server { code: answered, cause, .. }) = error else {
            panic!("{text}: {error:?}")
        };
        assert_eq!((&*answered, cause), (code, api::error::Cause::Statement), "{text}");
        n_calls += 1;
        let counted: i64 = client.query_one("select last_value from calls", &[]).await.unwrap().get(0);
        assert_eq!(counted, n_calls, "{text} ran more than once");
    }
    assert_eq!(app.pid().await, pid);
}

/// What the database wants of the answer and cannot be given fails the transaction, not the answer alone.
#[tokio::test]
async fn settings_of_the_response_that_are_refused_leave_nothing_behind() {
    let sql = format!(
        "{BASE}
         create table done (id int);
         grant all on done to public;
         create function answer(headers text, status text) returns void language plpgsql as $$ begin
           insert into done values (1);
           perform set_config('response.headers', headers, true), set_config('response.status', status, true);
         end $$;
         create function checks(headers text) returns setof done language sql as $$
           insert into done select 2 where set_config('response.headers', headers, true) is not null returning * $$;"
    );
    let app = App::start(&sql, |_| ()).await;
    let client = app.db.connect().await.unwrap();
    let count = async || -> i64 { client.query_one("select count(*) from done", &[]).await.unwrap().get(0) };
    let good = [
        "[]",
        " [ ] ",
        r#"[{"X-A":"b"}]"#,
        r#"[{"x-a": "b"}, {"Set-Cookie":"a=1; Path=/"},{"set-cookie":"b=\"2\""}]"#,
        r#"[{"X-Odd_!#$%&'*+.^`|~0":"é ✓ \\ \/ \t \u00e9 \u0041 \ud83d\ude00"}]"#,
        r#"[{"Content-Lengthy":"1"},{"X-Connection":"a"}]"#,
    ];
    let bad = [
        r#"{"X-A":"b"}"#,
        r#"[{"X-A":1}]"#,
        r#"[{"X-A":"b","X-B":"c"}]"#,
        "[{}]",
        "x",
        r#"[{"X-A":"b\nc"}]"#,
        r#"[{"X-A":"b\u000dc"}]"#,
        r#"[{"X A":"b"}]"#,
        r#"[{"":"b"}]"#,
        r#"[{"X-A":"b"},]"#,
        r#"[{"Content-Length":"0"}]"#,
        r#"[{"TRANSFER-encoding":"chunked"}]"#,
        r#"[{"Connection":"close"}]"#,
        r#"[{"X-A":"\ud800"}]"#,
        r#"[{"X-A":"b"}"#,
    ];
    let statuses =
        [("200", true), ("418 Teapot", true), ("0299", true), ("99", false), ("101", false), ("x", false)];
    let headers = good.map(|it| (it, true)).into_iter().chain(bad.map(|it| (it, false)));
    let cases = headers
        .map(|(it, ok)| (serde_json::json!({"headers": it, "status": ""}), ok))
        .chain(statuses.map(|(it, ok)| (serde_json::json!({"headers": "", "status": it}), ok)));
    let mut n_done = 0;
    for (args, is_good) in cases {
        for (function, accept) in
            [("answer", "application/json"), ("answer", "*/*"), ("checks", "application/json")]
        {
            let mut args = args.clone();
            if function == "checks" {
                if args["status"] != "" {
                    continue;
                }
                args.as_object_mut().unwrap().remove("status");
            }
            let text = format!("POST /rpc/{function}\nAccept: {accept}\n\n{args}");
            let answer = app.send(&app.pool, &app.conf, "session_one", &text).await;
            match answer {
                Ok(set) => {
                    assert!(is_good, "{text} was answered");
                    // What Postgres lets through, we can read.
                    api::response::check_settings(set.guc_status.as_deref(), set.guc_headers.as_deref())
                        .unwrap_or_else(|error| panic!("{text}: {error}"));
                    n_done += 1;
                }
                Err(Error::ApiRequest(_)) => assert!(!is_good, "{text} was refused"),
                Err(other) => panic!("{text}: {other:?}"),
            }
            assert_eq!(count().await, n_done, "{text}");
        }
    }
}

/// Where a script goes on behind the rows, they are refused there, and the refusal says the same.
#[tokio::test]
async fn settings_of_the_response_are_refused_alike_under_a_rollback() {
    let sql = format!(
        "{BASE}
         create function answer() returns json language plpgsql as $$ begin
           perform set_config('response.status', 'bad', true); return null;
         end $$;"
    );
    for roll_back in [false, true] {
        let app = App::start(&sql, |conf| conf.db_tx_rollback_all = roll_back).await;
        for accept in ["application/json", "*/*", "text/csv"] {
            let text = format!("POST /rpc/answer\nAccept: {accept}\n\n{{}}");
            for _ in 0..2 {
                let answer = app.send(&app.pool, &app.conf, "session_one", &text).await;
                assert!(matches!(answer, Err(Error::ApiRequest(_))), "{roll_back} {text}: {answer:?}");
            }
        }
    }
}
