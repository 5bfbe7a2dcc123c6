//! What holds for the statements of every request, whatever it asks for.

use api::config::AppConfig;
use api::plan::action_plan;
use api::schema_cache::load::load;
use api::sql::types::{MainQuery, ParamType, Statement};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio_postgres::types::Type;

use crate::fixture::{cache, conf, main_query_of, request};
use crate::support::{config, fixture_db};

/// Placeholders of a statement in order, leaving out what stands in quotes. Panics on an open quote.
fn placeholders(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    let mut previous = ' ';
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let escapes = c == '\'' && previous == 'E';
                loop {
                    match chars.next().expect("a quote is closed") {
                        '\\' if escapes => drop(chars.next()),
                        // A doubled quote stands for itself: the second one opens what follows.
                        end if end == c => break,
                        _ => {}
                    }
                }
            }
            '$' => {
                let mut number = String::new();
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    number.push(digit);
                }
                if !number.is_empty() {
                    found.push(number.parse().unwrap());
                }
            }
            _ => {}
        }
        previous = c;
    }
    found
}

/// All statements that may run, the rows of a body and the same aggregated alike.
fn statements(query: &MainQuery) -> Vec<Statement> {
    query.statements().cloned().chain(query.aggregated()).collect()
}

fn name() -> impl Strategy<Value = String> {
    let known: &[&str] = &[
        "id",
        "name",
        "client_id",
        "clients",
        "projects",
        "tasks",
        "users",
        "people",
        "parent",
        "messages",
        "computed_client",
        "data",
        "datab",
        "tags",
        "words",
        "color",
        "nope",
        "a b",
    ];
    prop_oneof![
        8 => select(known).prop_map(str::to_owned),
        1 => "[^\\p{C}\"\\\\]{1,8}",
    ]
    .prop_map(|name| {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if plain && !name.is_empty() { name } else { format!("\"{name}\"") }
    })
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("1".to_owned()),
        Just("{1,2}".to_owned()),
        Just("$1".to_owned()),
        Just("'; drop table clients; --".to_owned()),
        "[^&#\\p{C}]{0,10}",
    ]
}

fn filter(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let operators: &[&str] = &[
        "eq",
        "not.eq",
        "neq",
        "gt(any)",
        "like",
        "ilike(all)",
        "in",
        "is",
        "isdistinct",
        "fts",
        "wfts(english)",
        "cs",
        "cd",
        "ov",
        "sl",
        "sr",
        "nxr",
        "nxl",
        "adj",
        "not.in",
    ];
    (select(operators), value).prop_map(|(operator, value)| match operator {
        "in" | "not.in" => format!("{operator}.({value})"),
        "is" => "is.null".to_owned(),
        _ => format!("{operator}.{value}"),
    })
}

fn field() -> impl Strategy<Value = String> {
    let path = select(&["", "", "->a", "->>b", "->0->>c", "->-1"][..]);
    (name(), path).prop_map(|(name, path)| format!("{name}{path}"))
}

fn select_items() -> impl Strategy<Value = String> {
    let leaf = (
        select(&["", "", "alias:", "x y:"][..]),
        field(),
        select(&["", "", "::text", ".sum()", ".max()::text", "::int.count()"][..]),
    )
        .prop_map(|(alias, field, rest)| format!("{alias}{field}{rest}"));
    let leaf = prop_oneof![4 => leaf, 1 => Just("*".to_owned()), 1 => Just("count()".to_owned())];
    let items = prop::collection::vec(leaf, 0..4).prop_map(|items| items.join(","));
    items.prop_recursive(3, 12, 3, |inner| {
        let embed = (
            select(&["", "...", "alias:"][..]),
            name(),
            select(&["", "!inner", "!left", "!client_id", "!messages_sender_fkey"][..]),
            inner.clone(),
        )
            .prop_map(|(before, name, hint, inner)| format!("{before}{name}{hint}({inner})"));
        (inner, prop::collection::vec(embed, 1..3)).prop_map(|(items, embeds)| {
            let mut all = embeds;
            all.insert(0, items);
            all.retain(|item| !item.is_empty());
            all.join(",")
        })
    })
}

fn query_string(with: fn() -> BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let parameter = prop_oneof![
        3 => (field(), filter(with())).prop_map(|(field, filter)| format!("{field}={filter}")),
        1 => (name(), field(), filter(with())).prop_map(|(embed, field, filter)| format!("{embed}.{field}={filter}")),
        1 => (field(), filter(with())).prop_map(|(field, filter)| format!("or=({field}.{filter},id.eq.1)")),
        1 => (field(), select(&["", ".desc", ".asc.nullslast"][..])).prop_map(|(field, rest)| format!("order={field}{rest}")),
        1 => (name(), field()).prop_map(|(embed, field)| format!("order={embed}({field})")),
        1 => (0..20_u8).prop_map(|limit| format!("limit={limit}")),
        1 => (name(), 0..20_u8).prop_map(|(embed, limit)| format!("{embed}.limit={limit}&{embed}.offset=2")),
        2 => select_items().prop_map(|items| format!("select={items}")),
    ];
    prop::collection::vec(parameter, 0..5).prop_map(|parameters| parameters.join("&"))
}

fn any_request(with: fn() -> BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let target = select(
        &[
            "GET /clients",
            "GET /projects",
            "GET /users",
            "GET /people",
            "GET /documents",
            "HEAD /tasks",
            "POST /projects",
            "PATCH /clients",
            "DELETE /documents",
            "PUT /clients",
            "GET /rpc/getproject",
            "POST /rpc/one_project",
        ][..],
    );
    let headers = select(
        &[
            "",
            "\nPrefer: count=exact",
            "\nPrefer: count=planned",
            "\nPrefer: return=representation",
            "\nPrefer: return=headers-only, missing=default",
            "\nPrefer: resolution=merge-duplicates",
            "\nAccept: text/csv",
            "\nAccept: application/vnd.pgrst.plan+json",
        ][..],
    );
    let body = select(&["{}", "{\"id\":1}", "[{\"id\":1,\"name\":\"a\"}]", "[]"][..]);
    (target, query_string(with), headers, body).prop_map(|(target, query, headers, body)| {
        let query = if target.contains("getproject") { format!("id=1&{query}") } else { query };
        let body = if target.starts_with('P') { body } else { "" };
        format!("{target}?{query}{headers}\n\n{body}")
    })
}

fn any_value() -> BoxedStrategy<String> {
    value().boxed()
}

fn planned(text: &str) -> Option<MainQuery> {
    let conf = conf();
    let request = request(&conf, text).ok()?;
    let plan = action_plan(&conf, &request, &cache()).ok()?;
    Some(main_query_of(&plan, &conf, &request))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    /// Each bind has its placeholder, quotes are closed, and no value gets into the text.
    #[test]
    fn binds_match_placeholders(text in any_request(any_value)) {
        if let Some(query) = planned(&text) {
            for statement in statements(&query) {
                let expected: Vec<usize> = (1..=statement.params.len()).collect();
                prop_assert_eq!(placeholders(statement.text()), expected, "{}", statement.text());
                prop_assert!(!statement.text().contains("drop table"), "{}", statement.text());
            }
        }
    }

    /// The text depends on the shape of a request only: other values, same statement.
    #[test]
    fn values_do_not_change_the_text(text in any_request(|| Just("VALUE".to_owned()).boxed()), other in "[a-z]{1,5}") {
        if let (Some(one), Some(two)) = (planned(&text), planned(&text.replace("VALUE", &other))) {
            for (one, two) in statements(&one).into_iter().zip(statements(&two)) {
                prop_assert_eq!(one.text(), two.text());
            }
        }
    }
}

/// The generator reaches statements, not only refusals.
#[test]
fn most_requests_are_planned() {
    let mut runner = TestRunner::deterministic();
    let mut planned_requests = 0;
    for _ in 0..200 {
        let text = any_request(any_value).new_tree(&mut runner).unwrap().current();
        planned_requests += usize::from(planned(&text).is_some());
    }
    assert!(planned_requests > 30, "{planned_requests} of 200");
}

/// Names of the test application for those of the fixture cache.
const IN_CINEMA: [(&str, &str); 16] = [
    ("messages_sender_fkey", "from_hall"),
    ("messages", "transfers"),
    ("clients", "directors"),
    ("one_project", "search"),
    ("getproject?id=1&", "search?word=a&"),
    ("projects", "films"),
    ("tasks", "actors"),
    ("users", "castings"),
    ("people", "halls"),
    ("parent", "overflow_hall_id"),
    ("computed_client", "first_film"),
    ("client_id", "director_id"),
    ("datab", "details"),
    ("words", "plot"),
    ("documents", "films"),
    ("color", "poster_color"),
];

/// Postgres refuses what the caller got wrong: names, operators, types. It never finds a statement malformed.
#[tokio::test]
async fn statements_are_well_formed() {
    let db = fixture_db().await;
    let client = db.connect().await.unwrap();
    let conf = AppConfig { db_aggregates_enabled: true, db_plan_enabled: true, ..config(db.url()) };
    let cache = load(&client, &conf).await.unwrap();
    client.batch_execute("SET search_path = api, extra").await.unwrap();
    let callers_fault = [
        "42703", // undefined column
        "42883", // undefined function or operator
        "42804", // datatype mismatch
        "42809", // wrong object type
        "42725", // ambiguous function or operator
        "42704", // undefined object
        "42846", // cannot cast
        "0A000", // a set where one value must be
    ];
    let mut runner = TestRunner::deterministic();
    let mut accepted = 0;
    for _ in 0..1000 {
        let mut text = any_request(any_value).new_tree(&mut runner).unwrap().current();
        for (ours, theirs) in IN_CINEMA {
            text = text.replace(ours, theirs);
        }
        let Ok(request) = request(&conf, &text) else { continue };
        let Ok(plan) = action_plan(&conf, &request, &cache) else { continue };
        let main = main_query_of(&plan, &conf, &request).aggregated().unwrap();
        let types = main.params.iter().map(|param| match param.ty {
            ParamType::Unknown => Type::UNKNOWN,
            ParamType::Text => Type::TEXT,
            ParamType::Json => Type::JSON,
            ParamType::Bytea => Type::BYTEA,
        });
        match client.prepare_typed(main.text(), &types.collect::<Vec<_>>()).await {
            Ok(_) => accepted += 1,
            Err(error) => {
                let code = error.code().unwrap().code();
                assert!(callers_fault.contains(&code), "{text}\n{}\n{error:?}", main.text());
            }
        }
    }
    assert!(accepted > 100, "{accepted}");
}
