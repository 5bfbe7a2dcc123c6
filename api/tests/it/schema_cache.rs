//! The schema cache of the test application.

use std::fmt::Write as _;

use api::error::DbError;
use api::schema_cache::SchemaCache;
use api::schema_cache::identifiers::QualifiedIdentifier;
use api::schema_cache::load::load;
use api::schema_cache::relationship::{Cardinality, Relationship};
use api::schema_cache::routine::{IsolationLevel, PgType, RetType, Routine};
use local_stack::testing::TestDb;

use crate::support::{config, fixture_db};

async fn load_from(db: &TestDb) -> SchemaCache {
    load(&db.connect().await.unwrap(), &config(db.url())).await.unwrap()
}

fn qi(name: &str) -> QualifiedIdentifier {
    QualifiedIdentifier::new("api", name)
}

fn overloads<'a>(cache: &'a SchemaCache, name: &str) -> &'a [Routine] {
    cache.routines.get(&qi(name)).map_or(&[], Vec::as_slice)
}

/// One test for all that is read from one database, which takes longer to make than to read.
#[tokio::test]
async fn the_test_application_is_read_as_recorded() {
    let cache = load_from(&fixture_db().await).await;
    tables_have_columns_keys_and_writability(&cache);
    relationships_follow_foreign_keys(&cache);
    relationships_lead_through_junctions_partitions_views_and_functions(&cache);
    relationships_of_views_come_from_the_tables_below(&cache);
    routines_have_parameters_results_and_settings(&cache);
    representations_and_media_handlers_are_found(&cache);
    the_dump_has_the_known_keys(&cache);
    the_dump_is_read_back_whole(&cache);
}

fn the_dump_is_read_back_whole(cache: &SchemaCache) {
    let written = serde_json::to_string(cache).unwrap();
    let again: SchemaCache = serde_json::from_str(&written).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), written);
    assert_eq!(again.tables, cache.tables);
    assert_eq!(again.relationships, cache.relationships);
    assert_eq!(again.routines, cache.routines);
    assert_eq!(again.representations, cache.representations);
    assert_eq!(again.media_handlers, cache.media_handlers);
}

fn tables_have_columns_keys_and_writability(cache: &SchemaCache) {
    let mut text = String::new();
    for (qi, table) in &cache.tables {
        let mark = |on, mark| if on { mark } else { "-" };
        writeln!(
            text,
            "{}.{} {}{}{}{} key{:?} {}",
            qi.schema,
            qi.name,
            mark(table.is_view, "v"),
            mark(table.insertable, "i"),
            mark(table.updatable, "u"),
            mark(table.deletable, "d"),
            table.pk_cols,
            table.description.as_deref().unwrap_or_default().escape_debug(),
        )
        .unwrap();
        for (name, column) in &table.columns {
            assert_eq!(*name, column.name);
            write!(text, "  {name}: {} ({})", column.data_type, column.nominal_type).unwrap();
            if !column.nullable {
                text.push_str(" not null");
            }
            if let Some(it) = column.max_len {
                write!(text, " max {it}").unwrap();
            }
            if let Some(it) = &column.default {
                write!(text, " default {it}").unwrap();
            }
            if !column.enum_values.is_empty() {
                write!(text, " enum {:?}", column.enum_values).unwrap();
            }
            if let Some(it) = &column.description {
                write!(text, " -- {it}").unwrap();
            }
            text.push('\n');
        }
    }
    insta::assert_snapshot!(text);
}

/// One line: `source -kind-> target [constraint] columns`; views in brackets.
fn line(relationship: &Relationship) -> String {
    let name = |it: &QualifiedIdentifier, is_view: bool| match is_view {
        true => format!("[{}.{}]", it.schema, it.name),
        false => format!("{}.{}", it.schema, it.name),
    };
    match relationship {
        Relationship::ForeignKey {
            table,
            foreign_table,
            is_self,
            cardinality,
            table_is_view,
            foreign_table_is_view,
        } => {
            let (kind, rest) = match cardinality {
                Cardinality::OneToMany { constraint, columns } => {
                    ("o2m", format!("{constraint} {columns:?}"))
                }
                Cardinality::ManyToOne { constraint, columns } => {
                    ("m2o", format!("{constraint} {columns:?}"))
                }
                Cardinality::OneToOne { constraint, columns, is_parent } => {
                    (if *is_parent { "o2o parent" } else { "o2o" }, format!("{constraint} {columns:?}"))
                }
                Cardinality::ManyToMany(it) => (
                    "m2m",
                    format!(
                        "{} {} {:?} {} {:?}",
                        it.table.name, it.constraint1, it.cols_source, it.constraint2, it.cols_target
                    ),
                ),
            };
            format!(
                "{} -{kind}-> {}{} {rest}",
                name(table, *table_is_view),
                name(foreign_table, *foreign_table_is_view),
                if *is_self { " (self)" } else { "" },
            )
        }
        Relationship::Computed { function, table, foreign_table, to_one, is_self, .. } => format!(
            "{} -{}-> {}{} by {}",
            name(table, false),
            if *to_one { "computed one" } else { "computed many" },
            name(foreign_table, false),
            if *is_self { " (self)" } else { "" },
            name(function, false),
        ),
    }
}

/// The relationships from several relations, a paragraph each.
fn paragraphs(cache: &SchemaCache, tables: &[&str]) -> String {
    tables.iter().map(|it| lines_from(cache, it)).collect::<Vec<_>>().join("\n\n")
}

/// The relationships from a relation of schema `api`, on one line each.
fn lines_from(cache: &SchemaCache, table: &str) -> String {
    let mut schemas: Vec<&(QualifiedIdentifier, String)> =
        cache.relationships.keys().filter(|(it, _)| *it == qi(table)).collect();
    schemas.sort();
    let lists = schemas.into_iter().map(|key| cache.relationships_from(&key.0, &key.1));
    lists.flatten().map(line).collect::<Vec<_>>().join("\n")
}

fn relationships_follow_foreign_keys(cache: &SchemaCache) {
    insta::assert_snapshot!(paragraphs(cache, &["halls", "transfers", "reservations", "specs"]));
}

fn relationships_lead_through_junctions_partitions_views_and_functions(cache: &SchemaCache) {
    insta::assert_snapshot!(paragraphs(cache, &["actors", "directors", "films"]));
}

fn relationships_of_views_come_from_the_tables_below(cache: &SchemaCache) {
    // The tables of the last two are not exposed, and one of the views below stands in the extra search path.
    insta::assert_snapshot!(paragraphs(cache, &["newest_films", "film_totals", "productions", "studios"]));
}

#[tokio::test]
async fn a_view_below_is_followed_only_within_exposed_schemas_and_search_path() {
    let db = fixture_db().await;
    let mut conf = config(db.url());
    conf.db_extra_search_path = vec!["public".into()];
    let cache = load(&db.connect().await.unwrap(), &conf).await.unwrap();
    assert_eq!(cache.relationships_from(&qi("productions"), "api"), []);
    assert_eq!(cache.tables.get(&qi("productions")).unwrap().pk_cols, Vec::<String>::new());
}

#[tokio::test]
async fn a_schema_of_the_search_path_that_is_missing_is_an_error() {
    let db = fixture_db().await;
    let mut conf = config(db.url());
    conf.db_extra_search_path = vec!["public".into(), "no such schema".into()];
    let error = load(&db.connect().await.unwrap(), &conf).await.unwrap_err();
    assert!(error.to_string().contains("schema \"no such schema\" does not exist"), "{error}");
}

fn routines_have_parameters_results_and_settings(cache: &SchemaCache) {
    let mut text = String::new();
    for routine in cache.routines.values().flatten() {
        let params: Vec<String> = routine
            .params
            .iter()
            .map(|it| {
                let mark = match (it.variadic, it.required) {
                    (true, _) => " variadic",
                    (_, false) => " optional",
                    _ => "",
                };
                let any_length = match it.type_max_length == it.data_type {
                    true => String::new(),
                    false => format!(" as {}", it.type_max_length),
                };
                format!("{:?} {}{any_length}{mark}", it.name, it.data_type)
            })
            .collect();
        let (set, returned) = match &routine.return_type {
            RetType::Single(it) => ("", it),
            RetType::SetOf(it) => ("set of ", it),
        };
        let returned = match returned {
            PgType::Scalar(it) => format!("{set}scalar {}.{}", it.schema, it.name),
            PgType::Composite(it, domain) => {
                format!("{set}{} {}.{}", if *domain { "domain over row" } else { "row" }, it.schema, it.name)
            }
        };
        writeln!(text, "{}({}) -> {returned}, {:?}", routine.name, params.join(", "), routine.volatility)
            .unwrap();
    }
    insta::assert_snapshot!(text);

    let [careful] = overloads(cache, "careful") else { panic!("`careful` has one overload") };
    assert_eq!(careful.isolation, Some(IsolationLevel::RepeatableRead));
    let hoisted = [("default_transaction_isolation", "repeatable read"), ("statement_timeout", "7s")];
    assert_eq!(careful.settings, hoisted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(overloads(cache, "add")[0].description.as_deref().unwrap().starts_with("Adds two numbers"));
    assert!(overloads(cache, "join_words")[0].has_variadic);
    for absent in ["not_addressable", "a_procedure", "an_aggregate", "a_trigger", "full_name", "no_such"] {
        assert_eq!(overloads(cache, absent), [], "{absent}");
    }
}

fn representations_and_media_handlers_are_found(cache: &SchemaCache) {
    let dump = serde_json::to_value(cache).unwrap();
    insta::assert_json_snapshot!(dump["dbRepresentations"]);
    insta::assert_json_snapshot!(dump["dbMediaHandlers"]);
}

fn the_dump_has_the_known_keys(cache: &SchemaCache) {
    let dump = serde_json::to_value(cache).unwrap();
    let keys: Vec<&String> = dump.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["dbTables", "dbRelationships", "dbRoutines", "dbRepresentations", "dbMediaHandlers"]);
    let entry = |map: &str, name: &str| {
        let pairs = dump[map].as_array().unwrap().iter();
        pairs.clone().find(|it| it[0]["qiName"] == name || it[0][0]["qiName"] == name).unwrap().clone()
    };
    insta::assert_json_snapshot!(entry("dbTables", "specs"));
    insta::assert_json_snapshot!(entry("dbRelationships", "specs")[1][0]);
    insta::assert_json_snapshot!(entry("dbRelationships", "actors")[1][1]);
    insta::assert_json_snapshot!(entry("dbRelationships", "directors")[1][4]);
    insta::assert_json_snapshot!(entry("dbRoutines", "careful"));
}

#[tokio::test]
async fn foreign_tables_have_the_keys_recorded_for_them() {
    let db = fixture_db().await;
    let client = db.connect().await.unwrap();
    client
        .batch_execute(
            r#"
            CREATE EXTENSION postgres_fdw;
            CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw;
            CREATE FOREIGN TABLE api.shops (id integer, name text) SERVER away;
            CREATE FOREIGN TABLE api.sales (shop_id integer, film_id integer, n integer) SERVER away;
            CREATE FOREIGN TABLE api.profiles (shop_id integer, motto text) SERVER away OPTIONS (updatable 'false');
            CREATE VIEW api.shop_names AS SELECT id, name FROM api.shops;
            -- Without a handler nobody can say whether its tables are updatable.
            CREATE FOREIGN DATA WRAPPER nobody;
            CREATE SERVER nowhere FOREIGN DATA WRAPPER nobody;
            CREATE FOREIGN TABLE api.lost (id integer) SERVER nowhere;
            "#,
        )
        .await
        .unwrap();
    let before = load_from(&db).await;
    assert_eq!(lines_from(&before, "shops"), "");
    let table = |name: &str| before.tables.get(&qi(name)).unwrap();
    assert!(table("shops").insertable && !table("profiles").updatable && !table("lost").deletable);

    client
        .batch_execute(
            r#"
            CREATE SCHEMA pgapp;
            CREATE TABLE pgapp.origin_key (
              table_schema text, table_name text, constraint_name text, kind "char", columns text[],
              ref_schema text, ref_table text, ref_columns text[]
            );
            INSERT INTO pgapp.origin_key VALUES
              ('api', 'shops', 'shops_pkey', 'p', '{id}', NULL, NULL, NULL),
              ('api', 'sales', 'sales_pkey', 'p', '{shop_id,film_id}', NULL, NULL, NULL),
              ('api', 'sales', 'sales_shop_fkey', 'f', '{shop_id}', 'api', 'shops', '{id}'),
              ('api', 'sales', 'sales_film_fkey', 'f', '{film_id}', 'api', 'films', '{id}'),
              ('api', 'profiles', 'profiles_shop_key', 'u', '{shop_id}', NULL, NULL, NULL),
              ('api', 'profiles', 'profiles_shop_fkey', 'f', '{shop_id}', 'api', 'shops', '{id}'),
              -- Not imported: a column, a table, the referenced table.
              ('api', 'shops', 'gone_column', 'u', '{id,gone}', NULL, NULL, NULL),
              ('api', 'gone', 'gone_table', 'p', '{id}', NULL, NULL, NULL),
              ('api', 'shops', 'gone_reference', 'f', '{id}', 'api', 'gone', '{id}');
            "#,
        )
        .await
        .unwrap();
    let after = load_from(&db).await;
    assert_eq!(after.tables.get(&qi("sales")).unwrap().pk_cols, ["film_id", "shop_id"]);
    assert_eq!(after.tables.get(&qi("shop_names")).unwrap().pk_cols, ["id"]);
    insta::assert_snapshot!(paragraphs(&after, &["shops", "sales"]));

    client.batch_execute("REVOKE ALL ON SCHEMA pgapp FROM PUBLIC").await.unwrap();
    let mut conf = db.config().clone();
    conf.user("authenticator").password("authenticator");
    let (reader, connection) = conf.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let unread = load(&reader, &config(db.url())).await.unwrap();
    assert_eq!(lines_from(&unread, "shops"), "");
}

#[tokio::test]
async fn a_schema_that_does_not_exist_is_an_error() {
    let db = fixture_db().await;
    let client = db.connect().await.unwrap();
    let mut conf = config(db.url());
    conf.db_schemas.push(r#"no "such""#.into());
    let error = load(&client, &conf).await.unwrap_err();
    let DbError::Server { code, message, .. } = error else { panic!("unexpected error: {error}") };
    assert_eq!((code.as_str(), message.as_str()), ("3F000", r#"schema "no "such"" does not exist"#));
    // The connection is as good as before.
    load(&client, &config(db.url())).await.unwrap();
}

#[tokio::test]
async fn a_load_given_up_leaves_no_transaction() {
    let db = fixture_db().await;
    let client = db.connect().await.unwrap();
    let conf = config(db.url());
    for polls in 1..20 {
        let mut load = std::pin::pin!(load(&client, &conf));
        let mut left = polls;
        std::future::poll_fn(|cx| {
            left -= 1;
            match load.as_mut().poll(cx) {
                std::task::Poll::Pending if left > 0 => std::task::Poll::Pending,
                _ => std::task::Poll::Ready(()),
            }
        })
        .await;
    }
    // Refused inside a transaction.
    client.batch_execute("VACUUM private.salaries").await.unwrap();
}

#[tokio::test]
async fn a_thousand_tables_are_read_completely() {
    let db = fixture_db().await;
    let client = db.connect().await.unwrap();
    let tables: String = (1..=1000)
        .map(|n| {
            format!(
                "CREATE TABLE wide.t{n} (id integer PRIMARY KEY, before integer REFERENCES wide.t{});
                 CREATE VIEW wide.v{n} AS SELECT id, before FROM wide.t{n};",
                if n == 1 { 1 } else { n - 1 }
            )
        })
        .collect();
    client.batch_execute(&format!("CREATE SCHEMA wide; {tables}")).await.unwrap();
    let mut conf = config(db.url());
    conf.db_schemas = vec!["wide".into()];
    let cache = load(&client, &conf).await.unwrap();
    assert_eq!(cache.tables.len(), 2000);
    let wide = |name: &str| QualifiedIdentifier::new("wide", name);
    for n in [2, 500, 999] {
        for source in [format!("t{n}"), format!("v{n}")] {
            // To and from the neighbours, each a table and a view.
            assert_eq!(cache.relationships_from(&wide(&source), "wide").len(), 4, "{source}");
            assert_eq!(cache.tables.get(&wide(&source)).unwrap().pk_cols, ["id"]);
        }
    }
}

/// What only shows by what is not there: keys of system catalogs, and relationships that lead out of sight.
#[tokio::test]
async fn views_over_catalogs_have_keys_and_hidden_relationships_leave_no_suggestions() {
    let db = local_stack::testing::TestCluster::shared().await.unwrap().create_db(None).await.unwrap();
    let client = db.connect().await.unwrap();
    client
        .batch_execute(
            "create schema api; create schema api_v2; create schema extra; create schema private;
             create view api.relations as select oid, relname, relnamespace from pg_class;
             create view api.attributes as select attrelid, attnum, attname from pg_attribute;
             create table api.actors (id int primary key);
             create table api.films (id int primary key);
             create table api.filmz (id int primary key, film int references api.films);
             create table private.roles (
               actor int references api.actors, film int references api.films, primary key (actor, film));",
        )
        .await
        .unwrap();
    let cache = load_from(&db).await;
    assert_eq!(cache.tables[&qi("relations")].pk_cols, ["oid"]);
    assert_eq!(cache.tables[&qi("attributes")].pk_cols, ["attrelid", "attnum"]);

    let conf = config(db.url());
    let refused = |text: &str| {
        let request = crate::fixture::request(&conf, text).unwrap();
        match api::plan::action_plan(&conf, &request, &cache) {
            Err(api::error::Error::SchemaCache(api::error::SchemaCacheError::NoRelBetween {
                suggestion,
                ..
            })) => suggestion,
            other => panic!("{text}: {:?}", other.map(drop)),
        }
    };
    // Related, but only through a junction that nobody may see.
    assert_eq!(refused("GET /actors?select=films(*)"), None);
    assert_eq!(refused("GET /actors?select=filmz(*)"), None);
    // Where something may be embedded, its name is suggested.
    assert_eq!(refused("GET /films?select=filmx(*)"), Some(("filmz".into(), "filmx".into())));
}

#[tokio::test]
async fn the_shown_cache_has_its_keys_in_order() {
    let db = fixture_db().await;
    let cache = load_from(&db).await;
    let shown = cache.to_json().unwrap();
    let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let mut pending = vec![&value];
    let mut n_objects = 0;
    while let Some(it) = pending.pop() {
        match it {
            serde_json::Value::Object(members) => {
                // Objects keep the order in which they were read.
                assert!(members.keys().is_sorted(), "{:?}", members.keys().collect::<Vec<_>>());
                n_objects += 1;
                pending.extend(members.values());
            }
            serde_json::Value::Array(items) => pending.extend(items),
            _ => {}
        }
    }
    assert!(n_objects > 100);
    assert!(shown.starts_with(r#"{"dbMediaHandlers":"#), "{}", &shown[..80]);
}

#[tokio::test]
async fn functions_are_known_by_what_they_could_leave_behind() {
    use api::schema_cache::residue::Residue;
    let db = local_stack::testing::TestCluster::shared().await.unwrap().create_db(None).await.unwrap();
    let client = db.connect().await.unwrap();
    client
        .batch_execute(
            "create schema api; create schema api_v2; create schema extra; create schema elsewhere;
             create table elsewhere.t (id int primary key, n int unique deferrable, t int references elsewhere.t deferrable);
             create function api.f() returns text language plpgsql as
               $$ begin perform set_config('a.b', 'executed, prepared', false); set x.y = 'listener'; return ''; end $$",
        )
        .await
        .unwrap();
    let nothing = Residue { commands: false, at_commit: false, cached_sequences: false };
    assert_eq!(load_from(&db).await.residue, nothing);
    for (statement, undo, expected) in [
        (
            "create function elsewhere.g() returns void language plpgsql as $$ begin EXECUTE $1; end $$",
            "drop function elsewhere.g()",
            Residue { commands: true, ..nothing },
        ),
        (
            "create function elsewhere.g() returns void language sql as 'LISTEN x'",
            "drop function elsewhere.g()",
            Residue { commands: true, ..nothing },
        ),
        (
            "create sequence elsewhere.s cache 20",
            "drop sequence elsewhere.s",
            Residue { cached_sequences: true, ..nothing },
        ),
        (
            "create function elsewhere.h() returns trigger language plpgsql as 'begin return new; end';
             create constraint trigger late after insert on elsewhere.t deferrable
               for each row execute function elsewhere.h()",
            "drop trigger late on elsewhere.t",
            Residue { at_commit: true, ..nothing },
        ),
    ] {
        client.batch_execute(statement).await.unwrap();
        assert_eq!(load_from(&db).await.residue, expected, "{statement}");
        client.batch_execute(undo).await.unwrap();
    }
}
