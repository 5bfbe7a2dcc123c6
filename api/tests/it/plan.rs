//! What the planner refuses, and how it says so.

use api::error::{ApiRequestError, Error, SchemaCacheError};
use api::plan::{ActionPlan, CrudKind, TxMode};

use crate::fixture::{conf, plan, plan_with};

fn schema_error(text: &str) -> SchemaCacheError {
    match plan(text) {
        Err(Error::SchemaCache(error)) => error,
        other => panic!("{text}: {other:?}"),
    }
}

fn request_error(text: &str) -> ApiRequestError {
    match plan(text) {
        Err(Error::ApiRequest(error)) => error,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn missing_table_suggests_a_similar_one() {
    for (name, expected) in [("project", Some("projects")), ("Clients", Some("clients")), ("zzz", None)] {
        let error = schema_error(&format!("GET /{name}"));
        let SchemaCacheError::TableNotFound { suggestion, .. } = error else { panic!("{error:?}") };
        assert_eq!(suggestion.as_deref(), expected, "{name}");
    }
}

#[test]
fn missing_relationship_suggests_origin_or_target() {
    for (request, expected) in [
        ("GET /projects?select=client(*)", Some(("clients", "client"))),
        ("GET /projects?select=zzz(*)", None),
        ("GET /projects?select=clients!nope(*)", None),
        ("GET /documents?select=tasks(*)", Some(("clients", "documents"))),
    ] {
        let error = schema_error(request);
        let SchemaCacheError::NoRelBetween { suggestion, .. } = error else { panic!("{error:?}") };
        let suggestion = suggestion.as_ref().map(|(name, instead_of)| (&**name, &**instead_of));
        assert_eq!(suggestion, expected, "{request}");
    }
}

#[test]
fn ambiguous_relationship_names_the_candidates() {
    let error = schema_error("GET /people?select=messages(*)");
    let SchemaCacheError::AmbiguousRelBetween(origin, target, candidates) = error else {
        panic!("{error:?}")
    };
    assert_eq!((&*origin, &*target, candidates.len()), ("people", "messages", 2));
    assert!(candidates.iter().all(|it| it.choice.starts_with("messages!")));
}

#[test]
fn missing_function_suggests_name_or_signature() {
    for (request, expected) in [
        ("GET /rpc/add_then?a=1&b=2", Some("add_them")),
        ("GET /rpc/add_them?a=1&c=2", Some("add_them(a, b)")),
        ("GET /rpc/zzz", None),
        ("POST /rpc/add_them\nContent-Type: text/plain\n\nx", None),
    ] {
        let error = schema_error(request);
        let SchemaCacheError::NoRpc { suggestion, .. } = error else { panic!("{error:?}") };
        assert_eq!(suggestion.as_deref(), expected, "{request}");
    }
}

#[test]
fn overloads_are_told_apart_by_arguments() {
    let error = schema_error("GET /rpc/overloaded?a=1");
    let SchemaCacheError::AmbiguousRpc(candidates) = error else { panic!("{error:?}") };
    assert_eq!(candidates.len(), 2);
    let Ok(ActionPlan::Crud(plan)) = plan("GET /rpc/overloaded?a=1&b=x") else { panic!() };
    let CrudKind::Call { routine, .. } = &plan.kind else { panic!() };
    assert_eq!(routine.params.len(), 2);
}

#[test]
fn volatility_decides_the_transaction_mode() {
    for (request, expected) in [
        ("POST /rpc/names", TxMode::Write),
        ("GET /rpc/names", TxMode::Read),
        ("POST /rpc/add_them\n\n{\"a\":1,\"b\":2}", TxMode::Read),
        ("GET /clients", TxMode::Read),
        ("DELETE /clients", TxMode::Write),
    ] {
        let Ok(ActionPlan::Crud(plan)) = plan(request) else { panic!("{request}") };
        assert_eq!(plan.tx_mode, expected, "{request}");
    }
}

#[test]
fn unknown_columns_of_a_write_are_refused() {
    let error = schema_error("POST /clients\n\n{\"nope\":1}");
    assert_eq!(error, SchemaCacheError::ColumnNotFound("nope".to_owned(), "clients".to_owned()));
}

#[test]
fn put_needs_exactly_the_primary_key() {
    for request in [
        "PUT /clients\n\n{\"id\":1}",
        "PUT /clients?id=gt.1\n\n{\"id\":1}",
        "PUT /clients?id=not.eq.1\n\n{\"id\":1}",
        "PUT /clients?id=eq.1&name=eq.a\n\n{\"id\":1}",
        "PUT /clients?id=eq.1&or=(name.eq.a,name.eq.b)\n\n{\"id\":1}",
        "PUT /no_key?a=eq.1\n\n{\"a\":1}",
    ] {
        assert_eq!(request_error(request), ApiRequestError::InvalidFilters, "{request}");
    }
}

#[test]
fn names_of_embeds_in_filters() {
    let not_embedded = |name: &str, legacy: Option<(&str, &str)>| {
        let legacy = legacy.map(|(name, alias)| (name.to_owned(), alias.to_owned()));
        ApiRequestError::NotEmbedded(name.to_owned(), legacy)
    };
    assert_eq!(request_error("GET /projects?clients.name=eq.a"), not_embedded("clients", None));
    assert_eq!(request_error("GET /projects?order=clients(name)"), not_embedded("clients", None));

    let aliased = "GET /projects?select=id,c:clients(name)&clients.name=eq.a";
    let mut conf = conf();
    conf.url_use_legacy_target_names = true;
    let plan = plan_with(&conf, aliased).unwrap();
    assert_eq!(plan.legacy_target_names(), [("clients", "c")]);
    let plan = plan_with(&conf, "GET /projects?select=id,c:clients(name)&c.name=eq.a").unwrap();
    assert!(plan.legacy_target_names().is_empty());
    conf.url_use_legacy_target_names = false;
    match plan_with(&conf, aliased) {
        Err(Error::ApiRequest(error)) => assert_eq!(error, not_embedded("clients", Some(("clients", "c")))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn related_orders_need_one_row() {
    assert_eq!(
        request_error("GET /clients?select=projects(id)&order=projects(id)"),
        ApiRequestError::RelatedOrderNotToOne("clients".to_owned(), "projects".to_owned())
    );
}

#[test]
fn aggregates_are_refused_where_disabled_or_impossible() {
    let mut conf = conf();
    conf.db_aggregates_enabled = false;
    for request in ["GET /clients?select=count()", "GET /clients?select=id,projects(id.sum())"] {
        match plan_with(&conf, request) {
            Err(Error::ApiRequest(error)) => {
                assert_eq!(error, ApiRequestError::AggregatesNotAllowed, "{request}");
            }
            other => panic!("{request}: {other:?}"),
        }
    }
    let error = request_error("GET /clients?select=id,...projects(id.sum())");
    assert!(matches!(error, ApiRequestError::NotImplemented(_)), "{error:?}");
}

#[test]
fn media_types_nobody_offers_are_refused() {
    assert_eq!(
        request_error("GET /clients\nAccept: image/png, text/unknown"),
        ApiRequestError::MediaType(vec!["image/png".to_owned(), "text/unknown".to_owned()])
    );
    let error = request_error("GET /clients?select=id\nAccept: text/html");
    assert!(matches!(error, ApiRequestError::MediaType(_)), "handlers of a relation take its whole row");
    let mut conf = conf();
    conf.db_plan_enabled = false;
    let refused = plan_with(&conf, "GET /clients\nAccept: application/vnd.pgrst.plan+json");
    assert!(matches!(refused, Err(Error::ApiRequest(ApiRequestError::MediaType(_)))));
}

#[test]
fn strict_handling_refuses_unknown_preferences() {
    let refused = request_error("GET /clients\nPrefer: handling=strict, anything");
    assert_eq!(refused, ApiRequestError::InvalidPreferences(vec!["anything".to_owned()]));
    assert!(plan("GET /clients\nPrefer: handling=lenient, anything").is_ok());
    let refused =
        request_error("POST /rpc/add_them\nPrefer: handling=strict, max-affected=1\n\n{\"a\":1,\"b\":2}");
    assert_eq!(refused, ApiRequestError::MaxAffectedRpcViolation);
}
