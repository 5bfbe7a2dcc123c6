//! A small schema, as its schema cache, and requests against it.

use std::collections::HashMap;

use api::api_request::ApiRequest;
use api::api_request::preferences;
use api::auth::AuthResult;
use api::config::AppConfig;
use api::error::Error;
use api::media_type::MediaType;
use api::plan::{ActionPlan, action_plan};
use api::schema_cache::SchemaCache;
use api::schema_cache::identifiers::{QualifiedIdentifier, RelIdentifier};
use api::schema_cache::relationship::{Cardinality, Junction, Relationship};
use api::schema_cache::representation::DataRepresentation;
use api::schema_cache::routine::{MediaHandler, PgType, RetType, Routine, RoutineParam, Volatility};
use api::schema_cache::table::{Column, Generated, Table};
use api::sql::main_query;
use api::sql::types::MainQuery;
use bytes::Bytes;

use crate::support;

const UNSAFE: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'{')
    .add(b'|')
    .add(b'}');

pub(crate) fn qi(name: &str) -> QualifiedIdentifier {
    QualifiedIdentifier::new("test", name)
}

/// `name type[=default]`; the first columns are the primary key.
fn table(name: &str, pk: &[&str], columns: &[&str]) -> (QualifiedIdentifier, Table) {
    let columns = columns.iter().map(|spec| {
        let (name, ty) = spec.split_once(' ').unwrap();
        let (ty, default) = match ty.split_once('=') {
            Some((ty, default)) => (ty, Some(default.to_owned())),
            None => (ty, None),
        };
        let column = Column {
            name: name.to_owned(),
            description: None,
            nullable: !pk.contains(&name),
            data_type: if ty == "color" { "integer".to_owned() } else { ty.to_owned() },
            nominal_type: if ty == "color" { "test.color".to_owned() } else { ty.to_owned() },
            max_len: None,
            default,
            enum_values: Vec::new(),
            element_enum: Vec::new(),
            generated: Generated::Never,
        };
        (name.to_owned(), column)
    });
    let table = Table {
        schema: "test".to_owned(),
        name: name.to_owned(),
        description: None,
        is_view: false,
        is_foreign: false,
        insertable: true,
        updatable: true,
        deletable: true,
        pk_cols: pk.iter().map(|&name| name.to_owned()).collect(),
        partial_keys: Vec::new(),
        columns: columns.collect(),
    };
    (qi(name), table)
}

fn relationship(from: &str, to: &str, cardinality: Cardinality) -> Relationship {
    Relationship::ForeignKey {
        table: qi(from),
        foreign_table: qi(to),
        is_self: from == to,
        cardinality,
        table_is_view: false,
        foreign_table_is_view: false,
    }
}

/// `table.column` references `other.id`: both directions.
fn foreign_key(constraint: &str, table: &str, column: &str, other: &str) -> [Relationship; 2] {
    let pair = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
    [
        relationship(
            table,
            other,
            Cardinality::ManyToOne { constraint: constraint.to_owned(), columns: pair(column, "id") },
        ),
        relationship(
            other,
            table,
            Cardinality::OneToMany { constraint: constraint.to_owned(), columns: pair("id", column) },
        ),
    ]
}

fn many_to_many(from: &str, to: &str, through: &str, columns: [&str; 2]) -> Relationship {
    let junction = Junction {
        table: qi(through),
        constraint1: format!("{through}_{}_fkey", columns[0]),
        constraint2: format!("{through}_{}_fkey", columns[1]),
        cols_source: vec![("id".to_owned(), columns[0].to_owned())],
        cols_target: vec![("id".to_owned(), columns[1].to_owned())],
    };
    relationship(from, to, Cardinality::ManyToMany(junction))
}

fn routine(name: &str, params: &[&str], return_type: RetType, volatility: Volatility) -> Routine {
    let params: Vec<RoutineParam> = params
        .iter()
        .map(|spec| {
            let (spec, required) = match spec.strip_suffix('?') {
                Some(spec) => (spec, false),
                None => (*spec, true),
            };
            let (spec, variadic) = match spec.strip_prefix("...") {
                Some(spec) => (spec, true),
                None => (spec, false),
            };
            let (name, ty) = spec.split_once(' ').unwrap();
            RoutineParam {
                name: name.to_owned(),
                data_type: ty.to_owned(),
                type_max_length: ty.to_owned(),
                required,
                variadic,
            }
        })
        .collect();
    Routine {
        schema: "test".to_owned(),
        name: name.to_owned(),
        description: None,
        has_variadic: params.iter().any(|param| param.variadic),
        params,
        return_type,
        volatility,
        isolation: None,
        settings: Vec::new(),
    }
}

fn scalar(name: &str) -> RetType {
    RetType::Single(PgType::Scalar(QualifiedIdentifier::new("pg_catalog", name)))
}

/// A name of the greatest length.
pub(crate) const LONG: &str = "a_name_of_sixty_three_bytes_is_the_longest_that_postgres_keepsx";

/// Clients have projects, projects have tasks, users work on tasks, people descend from people, and
/// documents hold every kind of column.
pub(crate) fn cache() -> SchemaCache {
    let wide: Vec<String> = (0..60).map(|index| format!("c{index} integer={index}")).collect();
    let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
    let tables = [
        table("clients", &["id"], &["id integer=nextval('c')", "name text"]),
        table("projects", &["id"], &["id integer", "name text", "client_id integer"]),
        table("tasks", &["id"], &["id integer", "name text", "project_id integer"]),
        table("users", &["id"], &["id integer", "name text"]),
        table("users_tasks", &["user_id", "task_id"], &["user_id integer", "task_id integer"]),
        table("people", &["id"], &["id integer", "name text", "parent integer"]),
        table("messages", &["id"], &["id integer", "sender integer", "recipient integer"]),
        table(
            "documents",
            &["id"],
            &["id integer", "data json", "datab jsonb", "tags text[]", "words tsvector", "color color"],
        ),
        table("no_key", &[], &["a integer", "b text"]),
        table("wide", &["c0"], &wide),
        table(LONG, &["id"], &["id integer", "parent integer"]),
        table("we\"ird", &["a b"], &["a b integer", "q\"uote text"]),
    ];
    let mut relationships: Vec<Relationship> = [
        foreign_key("projects_client_id_fkey", "projects", "client_id", "clients"),
        foreign_key("tasks_project_id_fkey", "tasks", "project_id", "projects"),
        foreign_key("long_parent_fkey", LONG, "parent", LONG),
        foreign_key("people_parent_fkey", "people", "parent", "people"),
        foreign_key("messages_sender_fkey", "messages", "sender", "people"),
        foreign_key("messages_recipient_fkey", "messages", "recipient", "people"),
    ]
    .into_iter()
    .flatten()
    .collect();
    relationships.extend([
        many_to_many("users", "tasks", "users_tasks", ["user_id", "task_id"]),
        many_to_many("tasks", "users", "users_tasks", ["task_id", "user_id"]),
        Relationship::Computed {
            function: qi("computed_client"),
            table: qi("projects"),
            foreign_table: qi("clients"),
            table_alias: QualifiedIdentifier::new("", "projects"),
            to_one: true,
            is_self: false,
        },
    ]);
    let mut by_table: HashMap<_, Vec<_>> = HashMap::new();
    for relationship in relationships {
        by_table.entry((relationship.table().clone(), "test".to_owned())).or_default().push(relationship);
    }
    let projects = || PgType::Composite(qi("projects"), false);
    let routines = [
        routine("add_them", &["a integer", "b integer"], scalar("int4"), Volatility::Immutable),
        routine("getproject", &["id integer"], RetType::SetOf(projects()), Volatility::Stable),
        routine("one_project", &["id integer?"], RetType::Single(projects()), Volatility::Volatile),
        routine("names", &[], RetType::SetOf(PgType::Scalar(qi("text"))), Volatility::Volatile),
        routine("sum_all", &["...nums integer[]"], scalar("int4"), Volatility::Immutable),
        routine("unnamed_json", &[" json"], scalar("json"), Volatility::Volatile),
        routine("unnamed_bytes", &[" bytea"], scalar("bytea"), Volatility::Volatile),
        routine("overloaded", &["a integer"], scalar("int4"), Volatility::Immutable),
        routine("overloaded", &["a integer", "b text?"], scalar("text"), Volatility::Immutable),
    ];
    let mut routines_by_name: indexmap::IndexMap<_, Vec<_>> = indexmap::IndexMap::new();
    for routine in routines {
        routines_by_name.entry(qi(&routine.name)).or_default().push(routine);
    }
    let representation = |source: &str, target: &str, function: &str| {
        let representation = DataRepresentation {
            source_type: source.to_owned(),
            target_type: target.to_owned(),
            function: function.to_owned(),
        };
        ((source.to_owned(), target.to_owned()), representation)
    };
    let handler = |media: MediaType, handler: MediaHandler| {
        ((RelIdentifier::AnyElement, media.clone()), (handler, media))
    };
    let json = (MediaHandler::BuiltinOvAggJson, MediaType::ApplicationJson);
    let mut media_handlers = HashMap::from([
        handler(MediaType::ApplicationJson, MediaHandler::BuiltinOvAggJson),
        handler(MediaType::TextCsv, MediaHandler::BuiltinOvAggCsv),
        handler(MediaType::GeoJson, MediaHandler::BuiltinOvAggGeoJson),
    ]);
    media_handlers.insert((RelIdentifier::AnyElement, MediaType::Any), json);
    let custom = MediaHandler::CustomFunc(qi("clients_as_html"), RelIdentifier::Relation(qi("clients")));
    let html = MediaType::Other("text/html".to_owned());
    media_handlers.insert((RelIdentifier::Relation(qi("clients")), html.clone()), (custom, html));
    SchemaCache {
        residue: Default::default(),
        tables: tables.into_iter().collect(),
        relationships: by_table,
        routines: routines_by_name,
        representations: HashMap::from([
            representation("test.color", "json", "test.color_to_json"),
            representation("json", "test.color", "test.color_from_json"),
            representation("text", "test.color", "test.color_from_text"),
        ]),
        media_handlers,
        row_types: HashMap::new(),
    }
}

pub(crate) fn conf() -> AppConfig {
    AppConfig {
        db_schemas: vec!["test".to_owned()],
        db_extra_search_path: vec!["public".to_owned()],
        db_aggregates_enabled: true,
        db_plan_enabled: true,
        ..support::config("")
    }
}

/// `METHOD /path?query`, then a header per line, then an empty line and a body.
pub(crate) fn request(conf: &AppConfig, text: &str) -> Result<ApiRequest, Error> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
    // As a client would send what the cases show readable.
    let uri = percent_encoding::utf8_percent_encode(uri, UNSAFE).to_string();
    let mut builder = http::Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        builder = builder.header(name, value);
    }
    let (head, ()) = builder.body(()).unwrap().into_parts();
    let preferences = preferences::from_headers(conf, &head.headers);
    Ok(ApiRequest::from_http(conf, preferences, &head, Bytes::copy_from_slice(body.as_bytes()))?)
}

pub(crate) fn plan_with(conf: &AppConfig, text: &str) -> Result<ActionPlan, Error> {
    action_plan(conf, &request(conf, text)?, &cache())
}

pub(crate) fn plan(text: &str) -> Result<ActionPlan, Error> {
    plan_with(&conf(), text)
}

pub(crate) fn query_with(conf: &AppConfig, text: &str) -> MainQuery {
    let request = request(conf, text).unwrap();
    let plan = action_plan(conf, &request, &cache()).unwrap();
    main_query_of(&plan, conf, &request)
}

pub(crate) fn main_query_of(plan: &ActionPlan, conf: &AppConfig, request: &ApiRequest) -> MainQuery {
    let auth = AuthResult { role: "anon".to_owned(), claims: serde_json::Map::new() };
    main_query(plan, conf, request, &auth)
}

pub(crate) fn query(text: &str) -> MainQuery {
    query_with(&conf(), text)
}
