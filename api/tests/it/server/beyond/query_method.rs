//! `QUERY`, which reads as `GET` does.

use super::{answer, ask, serve};

const TABLES: &str = "
    create table goods (id int primary key, name text);
    insert into goods select i, 'goods ' || i from generate_series(1, 30000) i;
    create function below(most int) returns setof goods stable language sql as 'select * from api.goods where id < most';
";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

#[tokio::test]
async fn a_query_answers_as_a_get() {
    let (server, _db) = serve(TABLES, &[]).await;
    for (target, query) in [
        ("/goods", "select=id&order=id.desc&limit=7"),
        ("/goods", "name=eq.goods%205"),
        ("/rpc/below", "most=4&select=id"),
        ("/goods", "nope=eq.1"),
        ("/nowhere", ""),
        ("/", ""),
    ] {
        let get = ask(&server, &format!("GET {target}?{query}\nPrefer: count=exact")).await;
        let asked = ask(&server, &format!("QUERY {target}\nPrefer: count=exact\n{FORM}\n\n{query}")).await;
        assert_eq!((asked.status, &asked.body), (get.status, &get.body), "{target} {query}");
        for name in ["content-type", "content-range", "content-length", "vary"] {
            assert_eq!(asked.header(name), get.header(name), "{name} of {target} {query}");
        }
    }
    let both = answer(&server, &format!("QUERY /goods?select=id\n{FORM}\n\nid=eq.3")).await;
    assert_eq!(both, "200 [{\"id\":3}]");
}

#[tokio::test]
async fn a_query_may_be_longer_than_a_url() {
    let (server, _db) = serve(TABLES, &[]).await;
    let ids: Vec<_> = (1..30_000).map(|it| it.to_string()).collect();
    let query = format!("select=id&id=in.({})&order=id.desc&limit=2", ids.join(","));
    assert!(query.len() > 128 * 1024);
    let asked = answer(&server, &format!("QUERY /goods\n{FORM}\n\n{query}")).await;
    assert_eq!(asked, "200 [{\"id\":29999}, \n {\"id\":29998}]");
}

#[tokio::test]
async fn another_type_or_a_bad_token_is_refused() {
    let (server, _db) = serve(TABLES, &[]).await;
    for content_type in ["Content-Type: application/json", "X-None: 1"] {
        let refused = ask(&server, &format!("QUERY /goods\n{content_type}\n\nid=eq.1")).await;
        assert_eq!((refused.status, refused.code().as_str()), (415, "PGAPP104"));
    }
    let token = "Authorization: Bearer x";
    let get = ask(&server, &format!("GET /goods\n{token}")).await;
    let refused = ask(&server, &format!("QUERY /goods\n{token}\n{FORM}\n\nid=eq.1")).await;
    assert_eq!((refused.status, refused.body), (get.status, get.body));
    assert!(get.status >= 400);
    let preflight = "OPTIONS /goods\nOrigin: http://a.example\nAccess-Control-Request-Method: QUERY";
    let allowed = ask(&server, preflight).await;
    assert!(allowed.header("access-control-allow-methods").unwrap().ends_with(", QUERY"));
}
