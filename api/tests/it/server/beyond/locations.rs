//! `Location` is a URL and leads to the row that was inserted.

use super::{ask, serve};

const TABLES: &str = r#"
    create domain plain_number as int;
    create type mood as enum ('so so', 'a,b', 'it''s');
    create table texts (key text primary key);
    create table "größe & co/x?#%" (key text primary key);
    create table arrays (key text[] primary key);
    create table moods (key mood primary key);
    create table stamps (key timestamptz primary key);
    create table bytes (key bytea primary key);
    create table flags (key boolean primary key);
    create table domains (key plain_number primary key);
    create table reserved ("select" int, "order" text, "a.b" int, "x=y" text, "say ""hi""" text, "and" int,
        primary key ("select", "order", "a.b", "x=y", "say ""hi""", "and"));
"#;

/// Inserts a row and follows the way back.
async fn round_trip(server: &super::Server, path: &str, row: &str) -> String {
    let request =
        format!("POST {path}\nContent-Type: application/json\nPrefer: return=headers-only\n\n{row}");
    let response = ask(server, &request).await;
    assert_eq!(response.status, 201, "{row}: {}", response.body);
    let location = response.header("location").unwrap_or_else(|| panic!("{row} has no location")).to_owned();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
    assert!(location.bytes().all(allowed), "{location} is no URL");
    let found = ask(server, &format!("GET {location}")).await;
    assert_eq!(found.status, 200, "{location}: {}", found.body);
    assert_eq!(
        found.json(),
        serde_json::json!([serde_json::from_str::<serde_json::Value>(row).unwrap()]),
        "{location}"
    );
    location
}

#[tokio::test]
async fn every_key_is_found_where_its_location_says() {
    let (server, _db) = serve(TABLES, &[]).await;
    for text in [
        "",
        " ",
        "a b",
        "a+b",
        "a&b=c",
        "größe",
        "💡",
        "a,b",
        "(1)",
        "\\\"quoted\\\"",
        "back\\\\slash",
        "a/b",
        "50%",
        "%41",
        "eq.1",
        "null",
        "*",
        "a#b",
        "a;b",
        "line\\nend",
        "{1}",
    ] {
        round_trip(&server, "/texts", &format!(r#"{{"key":"{text}"}}"#)).await;
    }
    for (path, key) in [
        ("/arrays", r#"["a","b c","d,\"e\"",null]"#),
        ("/arrays", "[]"),
        ("/moods", r#""so so""#),
        ("/moods", r#""it's""#),
        ("/stamps", r#""2024-01-01T00:00:00+00:00""#),
        ("/bytes", r#""\\x00ff""#),
        ("/flags", "true"),
        ("/domains", "-7"),
    ] {
        round_trip(&server, path, &format!(r#"{{"key":{key}}}"#)).await;
    }
}

#[tokio::test]
async fn names_are_encoded_and_quoted_where_they_must_be_and_only_there() {
    let (server, _db) = serve(TABLES, &[]).await;
    let location = round_trip(&server, "/texts", r#"{"key":"plain"}"#).await;
    assert_eq!(location, "/texts?key=eq.plain");
    let row = r#"{"select":1,"order":"a.desc","a.b":2,"x=y":"eq.z","say \"hi\"":"and how","and":3}"#;
    let location = round_trip(&server, "/reserved", row).await;
    assert!(location.contains("%22select%22=eq.1"), "{location}");
    let path = "/gr%C3%B6%C3%9Fe%20&%20co%2Fx%3F%23%25";
    let location = round_trip(&server, path, r#"{"key":"x"}"#).await;
    assert_eq!(location, format!("{path}?key=eq.x"));
}
