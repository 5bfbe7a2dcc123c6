//! Calls of functions that PostgREST cannot tell apart, or whose rows it cannot name.

use super::{answer, ask, serve};

const FUNCTIONS: &str = "
    create extension if not exists hstore schema extra;
    create function kind(a int) returns text language sql as $$select 'int'$$;
    create function kind(a text) returns text language sql as $$select 'text'$$;
    create function kind(a boolean) returns text language sql as $$select 'boolean'$$;
    create function kind(a int[]) returns text language sql as $$select 'array'$$;
    create function amount(a int) returns text language sql as $$select 'int'$$;
    create function amount(a numeric) returns text language sql as $$select 'numeric'$$;
    create function total(variadic v int[]) returns bigint stable language sql as 'select sum(n) from unnest(v) n';
    create function words(variadic v text[]) returns int stable language sql as 'select cardinality(v)';
    create function rows_of() returns setof record stable language sql as $$values (1, 'one'::text), (2, 'two')$$;
    create function plain_rows() returns setof record stable language plpgsql as $$begin return query values (1, 'one'::text); end$$;
    create function row_of() returns record stable language sql as $$select 1, 'one'::text$$;
    create function outputs(out a int, out b text) returns setof record stable language sql as $$values (1, 'one'::text), (2, 'two')$$;
";

#[tokio::test]
async fn overloads_are_told_apart_by_the_kinds_of_json_values() {
    let (server, _db) = serve(FUNCTIONS, &[]).await;
    let call = async |name: &str, body: &str| {
        answer(&server, &format!("POST /rpc/{name}\nContent-Type: application/json\n\n{body}")).await
    };
    // In turns, so that a plan that was kept for one of them would show.
    for _ in 0..4 {
        assert_eq!(call("kind", r#"{"a":1}"#).await, "200 \"int\"");
        assert_eq!(call("kind", r#"{"a":"1"}"#).await, "200 \"text\"");
        assert_eq!(call("kind", r#"{"a":true}"#).await, "200 \"boolean\"");
        assert_eq!(call("kind", r#"{"a":[1]}"#).await, "200 \"array\"");
        assert_eq!(call("kind?columns=a", r#"{"a":1,"b":2}"#).await, "200 \"int\"");
        assert_eq!(call("amount", r#"{"a":1.5}"#).await, "200 \"numeric\"");
        for (name, body) in [
            ("kind", r#"{"a":null}"#),
            ("kind", r#"{"a":{}}"#),
            ("amount", r#"{"a":1}"#),
            ("kind", r#"[{"a":1}]"#),
        ] {
            assert!(call(name, body).await.starts_with("300 {\"code\":\"PGRST203\""), "{name} {body}");
        }
    }
    assert_eq!(server.get("/rpc/kind?a=1").await.code(), "PGRST203", "a query string holds texts");
}

#[tokio::test]
async fn a_variadic_parameter_takes_a_whole_array() {
    let (server, _db) = serve(FUNCTIONS, &[]).await;
    for _ in 0..3 {
        assert_eq!(answer(&server, "GET /rpc/total?v=%7B3,4%7D").await, "200 7");
        assert_eq!(answer(&server, "GET /rpc/total?v={3,4}").await, "200 7");
        assert_eq!(answer(&server, "GET /rpc/total?v=3&v=4").await, "200 7");
        assert_eq!(answer(&server, "GET /rpc/total?v=3").await, "200 3");
        // As a text, braces are what they are.
        assert_eq!(answer(&server, "GET /rpc/words?v={a,b}").await, "200 1");
    }
}

#[tokio::test]
async fn casts_in_select_define_the_columns_of_a_record() {
    let (server, _db) = serve(FUNCTIONS, &[]).await;
    let rows = serde_json::json!([{"n": 1, "name": "one"}, {"n": 2, "name": "two"}]);
    for _ in 0..3 {
        assert_eq!(ask(&server, "GET /rpc/rows_of?select=n::int,name::text&order=n").await.json(), rows);
        assert_eq!(
            answer(&server, "GET /rpc/rows_of?select=n::int,name::text&n=eq.2").await,
            r#"200 [{"n":2,"name":"two"}]"#
        );
        assert_eq!(
            answer(&server, "GET /rpc/rows_of?select=n::int,label:name::text&limit=1&order=n.desc").await,
            r#"200 [{"n":2,"label":"two"}]"#
        );
        assert_eq!(ask(&server, "GET /rpc/row_of?select=n::int,name::text").await.json(), rows[0]);
        assert_eq!(
            ask(&server, "POST /rpc/rows_of?select=n::int,name::text\nContent-Type: application/json\n\n{}")
                .await
                .json(),
            rows
        );
        // Output parameters name their columns themselves.
        assert_eq!(answer(&server, "GET /rpc/outputs?select=b&a=eq.2").await, r#"200 [{"b":"two"}]"#);
        assert_eq!(
            answer(&server, "GET /rpc/outputs?select=a::text&order=a.desc&limit=1").await,
            r#"200 [{"a":"2"}]"#
        );
    }
    // Whether the types are those that the function returns is for the database to say.
    let other = "GET /rpc/plain_rows?select=n::text,name::text";
    assert_eq!(ask(&server, other).await.code(), "42804");
    assert_eq!(ask(&server, "GET /rpc/rows_of?select=n").await.code(), "42703");
}
