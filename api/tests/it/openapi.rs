//! The root document of the test application.

use std::sync::Arc;

use api::auth::AuthResult;
use api::config::{AppConfig, OpenApiMode};
use api::execute::Pool;
use api::openapi::document;
use api::pipeline::database;
use api::plan::action_plan;
use api::schema_cache::SchemaCache;
use api::schema_cache::identifiers::QualifiedIdentifier;
use api::schema_cache::load::load;
use api::script::result::{DbResult, Inspection};
use api::sql::main_query;
use serde_json::Value;

use crate::fixture::request;
use crate::support::{config, fixture_db};

/// A cache and all that schema `api` has.
async fn everything() -> (AppConfig, SchemaCache, Inspection) {
    let db = fixture_db().await;
    let conf = config(db.url());
    let cache = load(&db.connect().await.unwrap(), &conf).await.unwrap();
    let mut inspection = Inspection {
        tables: cache.tables.clone(),
        routines: cache.routines.clone(),
        schema_comment: Some("Cinema\n\nFilms\nand people".into()),
    };
    inspection.tables.retain(|qi, _| qi.schema == "api");
    (conf, cache, inspection)
}

fn described(conf: &AppConfig, cache: &SchemaCache, inspection: &Inspection) -> Value {
    serde_json::from_slice(&document(conf, cache, inspection)).unwrap()
}

/// The value at a path of keys; keys may contain slashes.
#[track_caller]
fn at<'a>(document: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(document, |value, key| value.get(key).unwrap_or_else(|| panic!("no {key:?} in {value}")))
}

/// One test for all, since they share a database, which takes longer to make than to describe.
#[tokio::test]
async fn the_test_application_is_described_as_recorded() {
    let (conf, cache, inspection) = everything().await;
    let document = described(&conf, &cache, &inspection);
    document_describes_relations(&document);
    document_describes_functions(&document);
    references_of_the_document_lead_somewhere(&document);
    document_states_where_it_is_served(conf, &cache, inspection);
}

fn document_describes_relations(document: &Value) {
    let names = ["films", "oddities", "newest_films", "specs", "déjà vu"];
    insta::assert_json_snapshot!("definitions", names.map(|it| at(document, &["definitions", it])));
    insta::assert_json_snapshot!("relation_path", at(document, &["paths", "/directors"]));
    // Nothing can be written to it.
    let methods: Vec<&String> =
        at(document, &["paths", "/film_totals"]).as_object().unwrap().keys().collect();
    assert_eq!(methods, ["get"]);
    let parameters = at(document, &["parameters"]).as_object().unwrap();
    let own: Vec<&String> =
        parameters.keys().filter(|it| it.contains("directors.") || it.ends_with(".directors")).collect();
    assert_eq!(
        own,
        ["body.directors", "rowFilter.directors.id", "rowFilter.directors.name", "rowFilter.directors.born"]
    );
    let common: serde_json::Map<String, Value> = parameters
        .iter()
        .filter(|(key, _)| !key.contains('.'))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    insta::assert_json_snapshot!("common_parameters", common);
    insta::assert_json_snapshot!(
        "relation_parameters",
        own.iter().map(|key| &parameters[*key]).collect::<Vec<_>>()
    );
}

fn document_describes_functions(document: &Value) {
    let paths = ["/rpc/add", "/rpc/join_words", "/rpc/touch", "/rpc/search", "/rpc/next"];
    insta::assert_json_snapshot!("function_paths", paths.map(|it| at(document, &["paths", it])));
}

fn references_of_the_document_lead_somewhere(document: &Value) {
    let mut found = 0;
    let mut pending = vec![document];
    while let Some(value) = pending.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    let (room, key) = target.strip_prefix("#/").unwrap().split_once('/').unwrap();
                    at(document, &[room, key]);
                    found += 1;
                }
                pending.extend(members.values());
            }
            Value::Array(items) => pending.extend(items),
            _ => {}
        }
    }
    assert!(found > 100, "{found} references");
}

fn document_states_where_it_is_served(mut conf: AppConfig, cache: &SchemaCache, mut inspection: Inspection) {
    inspection.tables.clear();
    inspection.routines.clear();
    insta::assert_json_snapshot!("bare_document", described(&conf, cache, &inspection), {".info.version" => "[version]"});

    conf.openapi_server_proxy_uri = Some("https://example.com/cinema".into());
    conf.openapi_security_active = true;
    inspection.schema_comment = None;
    let document = described(&conf, cache, &inspection);
    assert_eq!(at(&document, &["host"]), "example.com:443");
    assert_eq!(at(&document, &["basePath"]), "/cinema");
    assert_eq!(*at(&document, &["schemes"]), serde_json::json!(["https"]));
    assert_eq!(*at(&document, &["security"]), serde_json::json!([{"JWT": []}]));
    assert_eq!(at(&document, &["securityDefinitions", "JWT", "in"]), "header");
    assert_eq!(at(&document, &["info", "title"]), "PostgREST API");
    assert_eq!(at(&document, &["info", "description"]), "This is a dynamic API generated by PostgREST");
}

/// What the database answers to `GET /` for a role.
async fn inspected(pool: &Pool, conf: &AppConfig, cache: &SchemaCache, role: &str) -> Inspection {
    let request = request(conf, "GET /").unwrap();
    let plan = action_plan(conf, &request, cache).unwrap();
    let auth = AuthResult { role: role.to_owned(), claims: serde_json::Map::new() };
    let query = main_query(&plan, conf, &request, &auth);
    match database::run(pool, &Arc::new(query), &plan, &request, &auth, conf, cache).await.unwrap() {
        DbResult::Inspect(Some(inspection)) => *inspection,
        other => panic!("unexpected result: {other:?}"),
    }
}

#[tokio::test]
async fn a_role_sees_what_it_may_use_unless_privileges_are_ignored() {
    let db = fixture_db().await;
    let client = db.connect().await.unwrap();
    client
        .batch_execute(
            "REVOKE ALL ON api.halls FROM web_anon;
             REVOKE ALL ON api.transfers FROM web_anon;
             GRANT UPDATE (to_hall_id) ON api.transfers TO web_anon;",
        )
        .await
        .unwrap();
    let mut conf = config(db.url());
    let cache = load(&client, &conf).await.unwrap();
    // Created behind the cache's back.
    client.batch_execute("CREATE TABLE api.later (id integer)").await.unwrap();
    let pool = Pool::new(&conf).unwrap();
    let qi = |name: &str| QualifiedIdentifier::new("api", name);

    let anonymous = inspected(&pool, &conf, &cache, "web_anon").await;
    assert!(anonymous.schema_comment.as_deref().unwrap().starts_with("Cinema\n"));
    assert!(anonymous.tables.keys().all(|it| it.schema == "api"));
    for (name, seen) in [("films", true), ("halls", false), ("transfers", true), ("later", false)] {
        assert_eq!(anonymous.tables.contains_key(&qi(name)), seen, "{name}");
    }
    assert_eq!(anonymous.routines.get(&qi("search")).map(Vec::len), Some(3));
    assert!(!anonymous.routines.contains_key(&qi("secret")));

    let user = inspected(&pool, &conf, &cache, "app_user").await;
    assert!(user.tables.contains_key(&qi("halls")));
    assert!(user.routines.contains_key(&qi("secret")));

    conf.openapi_mode = OpenApiMode::IgnorePrivileges;
    let everything = inspected(&pool, &conf, &cache, "web_anon").await;
    assert!(everything.tables.contains_key(&qi("halls")));
    assert!(everything.routines.contains_key(&qi("secret")));
    assert!(everything.tables.keys().chain(everything.routines.keys()).all(|it| it.schema == "api"));
}
