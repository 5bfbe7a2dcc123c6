//! `ETag`, `If-None-Match` and `If-Match`.

use super::{answer, ask, serve};

const TABLES: &str = "
    create table goods (id int primary key, name text, stock int);
    insert into goods select i, 'goods number ' || i, 1 from generate_series(1, 100) i;
    create function total() returns bigint stable language sql as 'select sum(stock) from api.goods';
    create function busy_total() returns bigint volatile language sql as 'select sum(stock) from api.goods';
";

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let (server, db) = serve(TABLES, &[("PGAPP_ETAG", "true")]).await;
    let client = db.connect().await.unwrap();
    for (at, target) in
        ["/goods?order=id", "/goods?id=eq.7&select=stock", "/rpc/total"].into_iter().enumerate()
    {
        let first = ask(&server, &format!("GET {target}")).await;
        let tag = first.header("etag").expect("reads have a tag").to_owned();
        for value in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
            for method in ["GET", "HEAD"] {
                let again = ask(&server, &format!("{method} {target}\nIf-None-Match: {value}")).await;
                assert_eq!((again.status, &*again.body), (304, ""), "{method} {target} {value}");
                assert_eq!(again.header("etag"), Some(&*tag));
                assert_eq!((again.header("content-type"), again.header("content-length")), (None, None));
            }
        }
        let head = ask(&server, &format!("HEAD {target}")).await;
        assert_eq!((head.status, head.header("etag"), &*head.body), (200, Some(&*tag), ""));
        assert_eq!(head.header("content-length"), None);
        let other = ask(&server, &format!("GET {target}\nIf-None-Match: \"other\"")).await;
        assert_eq!((other.status, &other.body), (200, &first.body));
        client.batch_execute(&format!("update api.goods set stock = stock + {}", at + 1)).await.unwrap();
        let changed = ask(&server, &format!("GET {target}\nIf-None-Match: {tag}")).await;
        assert_eq!(changed.status, 200, "{target}");
        assert_ne!(changed.header("etag"), Some(&*tag));
    }
    let csv = ask(&server, "GET /goods?order=id\nAccept: text/csv").await;
    assert_ne!(csv.header("etag"), ask(&server, "GET /goods?order=id").await.header("etag"));
    for untagged in ["GET /rpc/busy_total", "POST /rpc/total\n\n{}", "GET /nowhere"] {
        assert_eq!(ask(&server, untagged).await.header("etag"), None, "{untagged}");
    }
}

#[tokio::test]
async fn answers_have_no_tag_unless_it_is_asked_for() {
    let (server, _db) = serve(TABLES, &[]).await;
    let plain = ask(&server, "GET /goods?id=eq.1\nIf-None-Match: *").await;
    assert_eq!((plain.status, plain.header("etag")), (200, None));
    assert_eq!(answer(&server, "HEAD /goods?id=eq.1").await, "200 ");
}

#[tokio::test]
async fn a_write_is_made_only_of_what_the_client_has_seen() {
    let (server, db) = serve(TABLES, &[("PGAPP_ETAG", "true")]).await;
    let client = db.connect().await.unwrap();
    let stock = async || -> i32 {
        client.query_one("select stock from api.goods where id = 7", &[]).await.unwrap().get(0)
    };
    let seen = ask(&server, "GET /goods?id=eq.7").await.header("etag").unwrap().to_owned();
    let patch = |tag: &str, stock: i32| {
        format!(
            "PATCH /goods?id=eq.7\nIf-Match: {tag}\nContent-Type: application/json\n\n{{\"stock\":{stock}}}"
        )
    };
    assert_eq!(ask(&server, &patch(&seen, 5)).await.status, 204);
    assert_eq!(stock().await, 5);
    for stale in [patch(&seen, 6), format!("DELETE /goods?id=eq.7\nIf-Match: {seen}")] {
        let refused = ask(&server, &stale).await;
        assert_eq!((refused.status, refused.code().as_str()), (412, "PGAPP105"), "{stale}");
        assert_eq!(stock().await, 5);
    }
    let now = ask(&server, "GET /goods?id=eq.7").await.header("etag").unwrap().to_owned();
    assert_eq!(ask(&server, &patch(&format!("\"other\", {now}"), 8)).await.status, 204);
    assert_eq!(stock().await, 8);
}
