//! Bodies: CSV of spreadsheets, objects for `hstore`; and comparing what is of type `json`.

use super::{answer, ask, serve};

const TABLES: &str = "
    create extension if not exists hstore schema extra;
    create domain whole as int;
    create table goods (id int primary key, price numeric(8,2), name text, since date, tags text[], whole whole, sold boolean default true);
    create table notes (text text);
    create table short (id int primary key, words varchar(3)[]);
    create table bags (id int primary key, attrs extra.hstore, other extra.hstore default 'a=>1');
    create table docs (id int primary key, data json, plain jsonb);
    insert into docs values
        (1, '{\"a\": {\"x\": 1}, \"n\": 10}', '{\"a\": 1}'), (2, '{\"a\": [2], \"n\": 9}', '{\"a\": 2}'), (3, '{\"a\": null}', null);
    create table parts (id int primary key, doc_id int references docs, data int);
    insert into parts values (1, 1, 2), (2, 1, 1);
    create function bag(attrs extra.hstore) returns text language sql as $$select attrs->'k'$$;
";

#[tokio::test]
async fn csv_may_begin_with_a_mark_have_other_delimiters_and_empty_fields() {
    let (server, _db) = serve(TABLES, &[]).await;
    let row = r#"200 [{"id":1,"price":2.50,"name":"","since":null,"tags":null,"whole":null,"sold":null}]"#;
    for (content_type, csv) in [
        ("text/csv", "\u{feff}id,price,name,since,tags,whole,sold\n1,2.5,,,,,"),
        ("text/csv; delimiter=\";\"", "\u{feff}id;price;name;since;tags;whole;sold\r\n1;2.5;;;;;\r\n"),
        ("text/csv;delimiter=semicolon", "id;price;name;since;tags;whole;sold\n1;2.5;;;;;"),
        (
            "text/csv; charset=utf-8; delimiter=auto",
            "id\tprice\tname\tsince\ttags\twhole\tsold\n1\t2.5\t\t\t\t\t",
        ),
        ("text/csv; delimiter=pipe", "id|price|name|since|tags|whole|sold\n1|2.5|||||"),
    ] {
        let posted = ask(&server, &format!("POST /goods\nContent-Type: {content_type}\n\n{csv}")).await;
        assert_eq!(posted.status, 201, "{content_type}: {}", posted.body);
        assert_eq!(answer(&server, "GET /goods").await, row, "{content_type}");
        let patched = ask(&server, "PATCH /goods?id=eq.1\nContent-Type: text/csv\n\nprice\n\"\"\n").await;
        assert_eq!(patched.status, 204, "{}", patched.body);
        assert_eq!(ask(&server, "DELETE /goods?id=eq.1").await.status, 204);
    }
    let wrong = ask(&server, "POST /goods\nContent-Type: text/csv; delimiter=\";;\"\n\nid\n1").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "PGRST102"));
    // Nothing is cut that was refused.
    let long = ask(&server, "POST /short\nContent-Type: text/csv\n\nid,words\n1,{abcd}").await;
    assert_eq!((long.status, long.code().as_str()), (400, "22001"));
    // A value that is no number is still told of in the same words.
    let wrong = ask(&server, "POST /goods\nContent-Type: text/csv\n\nid\nx").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "22P02"));
    assert_eq!(wrong.json()["message"], "invalid input syntax for type integer: \"x\"");
}

#[tokio::test]
async fn csv_is_strict_where_that_is_asked_for() {
    let quoted = "POST /notes\nContent-Type: text/csv\n\ntext\n\"\"\n\"NULL\"\nNULL\n";
    let (server, _db) = serve(TABLES, &[("PGAPP_CSV_STRICT", "true")]).await;
    assert_eq!(ask(&server, quoted).await.status, 201);
    assert_eq!(
        ask(&server, "GET /notes").await.json(),
        serde_json::json!([{"text": ""}, {"text": "NULL"}, {"text": null}])
    );
    let ragged = ask(&server, "POST /goods\nContent-Type: text/csv\n\nid,name\n1,a,b").await;
    assert_eq!((ragged.status, ragged.code().as_str()), (400, "PGRST102"));
    let (server, _db) = serve(TABLES, &[]).await;
    assert_eq!(ask(&server, quoted).await.status, 201);
    assert_eq!(ask(&server, "GET /notes").await.json(), serde_json::json!([{"text": null}, {"text": null}]));
}

#[tokio::test]
async fn json_may_begin_with_a_mark() {
    let (server, _db) = serve(TABLES, &[]).await;
    let headers = "Content-Type: application/json\nPrefer: return=representation";
    // The later ones by a plan that was kept.
    for _ in 0..4 {
        for (query, body) in
            [("", r#"{"text":"a"}"#), ("?columns=text", r#"{"text":"a","x":1}"#), ("", r#"[{"text":"a"}]"#)]
        {
            let request = format!("POST /notes{query}\n{headers}\n\n\u{feff}{body}");
            assert_eq!(answer(&server, &request).await, r#"201 [{"text":"a"}]"#, "{query} {body}");
        }
    }
    let argument = "POST /rpc/bag\nContent-Type: application/json\n\n\u{feff}{\"attrs\":{\"k\":\"v\"}}";
    assert_eq!(answer(&server, argument).await, "200 \"v\"");
}

#[tokio::test]
async fn an_object_fits_where_an_object_is_shown() {
    let (server, _db) = serve(TABLES, &[]).await;
    let attrs = r#"{"k":"v","quo\"te":"back\\slash","empty":"","none":null,"n":1.5}"#;
    let shown = r#"{"k":"v","quo\"te":"back\\slash","empty":"","none":null,"n":"1.5"}"#;
    let shown: serde_json::Value = serde_json::from_str(shown).unwrap();
    let json = "Content-Type: application/json\nPrefer: return=representation";
    for request in [
        format!("POST /bags?select=attrs\n{json}\n\n{{\"id\":1,\"attrs\":{attrs}}}"),
        format!("POST /bags?select=attrs\n{json}\n\n[{{\"id\":2,\"attrs\":{attrs}}}]"),
        format!("PATCH /bags?id=eq.1&select=attrs\n{json}\n\n{{\"attrs\":{attrs}}}"),
        format!("PUT /bags?id=eq.1&select=attrs\n{json}\n\n{{\"id\":1,\"attrs\":{attrs}}}"),
        format!(
            "POST /bags?select=attrs&columns=id,attrs,other\n{json}, missing=default\n\n[{{\"id\":3,\"attrs\":{attrs}}}]"
        ),
    ] {
        let response = ask(&server, &request).await;
        assert!(matches!(response.status, 200 | 201), "{request}: {}", response.body);
        assert_eq!(response.json()[0]["attrs"], shown, "{request}");
    }
    assert_eq!(answer(&server, "GET /bags?id=eq.3&select=other").await, r#"200 [{"other":{"a": "1"}}]"#);
    // Its text is read as before, and so is null.
    for (value, expected) in [
        (r#""k=>w""#, r#"[{"attrs":{"k": "w"}}]"#),
        ("null", r#"[{"attrs":null}]"#),
        ("{}", r#"[{"attrs":{}}]"#),
    ] {
        let request = format!("PATCH /bags?id=eq.1&select=attrs\n{json}\n\n{{\"attrs\":{value}}}");
        assert_eq!(ask(&server, &request).await.body, expected, "{value}");
    }
    for argument in [r#"{"k":"v"}"#, r#""k=>v""#] {
        let request = format!("POST /rpc/bag\nContent-Type: application/json\n\n{{\"attrs\":{argument}}}");
        assert_eq!(answer(&server, &request).await, "200 \"v\"", "{argument}");
    }
}

#[tokio::test]
async fn what_is_of_type_json_is_compared_and_ordered_as_jsonb() {
    let (server, _db) = serve(TABLES, &[]).await;
    for _ in 0..3 {
        for (query, ids) in [
            ("data->a=eq.{\"x\":1}", "[1]"),
            ("data->a->x=eq.1", "[1]"),
            ("data->a=in.(\"[2]\")", "[2]"),
            ("data->a=neq.[2]&data->a=not.is.null", "[1,3]"),
            ("data->a=cs.[2]", "[2]"),
            ("data->n=gt.9", "[1]"),
            ("data->a=isdistinct.[2]", "[1,3]"),
            ("or=(data->n.eq.9,data->n.eq.10)", "[1,2]"),
            ("data=eq.{\"a\":null}", "[3]"),
            ("data->n=eq(any).{9,10}", "[1,2]"),
            ("data->>n=eq.9", "[2]"),
        ] {
            let query = query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
            let found = ask(&server, &format!("GET /docs?select=id&order=id&{query}")).await;
            assert_eq!(found.status, 200, "{query}: {}", found.body);
            let found: Vec<_> = found.json().as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
            assert_eq!(serde_json::to_string(&found).unwrap(), ids, "{query}");
        }
        // A column of another type by the same name is its own.
        let embedded = ask(&server, "GET /docs?select=parts(data)&id=eq.1&parts.order=data").await;
        assert_eq!(embedded.json(), serde_json::json!([{"parts": [{"data": 1}, {"data": 2}]}]));
        let ordered = ask(&server, "GET /docs?select=id&order=data->n.desc.nullslast,id").await;
        let expected = serde_json::json!([{"id": 1}, {"id": 2}, {"id": 3}]);
        assert_eq!(ordered.json(), expected, "numbers, not texts");
    }
}
