//! Errors that say more.

use super::{ask, serve};

const TABLES: &str = "
    create table events (id int primary key, at timestamptz);
    create view only_read as select distinct id from events;
    create function volatile_one(at timestamptz default now()) returns int language sql as 'insert into api.events values (1) returning id';
    create function stable_one(at timestamptz default now()) returns timestamptz stable language sql as 'select at';
";

#[tokio::test]
async fn a_plus_that_became_a_space_is_hinted_at() {
    let (server, _db) = serve(TABLES, &[]).await;
    for request in [
        "GET /events?at=gt.2024-01-01T00:00:00+02:00",
        "GET /events?at=in.(2024-01-01T00:00:00+02:00)",
        "GET /events?or=(at.gt.2024-01-01T00:00:00+02:00,id.eq.1)",
        "DELETE /events?at=lt.2024-01-01T00:00:00+02:00",
        "GET /rpc/stable_one?at=2024-01-01T00:00:00+02:00",
        "POST /rpc/stable_one\nContent-Type: application/x-www-form-urlencoded\n\nat=2024-01-01T00:00:00+02:00",
    ] {
        // The second and third time by a plan that was kept.
        for _ in 0..3 {
            let response = ask(&server, request).await;
            assert_eq!((response.status, response.code().as_str()), (400, "22007"), "{request}");
            assert_eq!(
                response.json()["hint"],
                "A '+' in a query string or form stands for a space. If a plus was meant, write it as '%2B'.",
                "{request}"
            );
        }
    }
    assert_eq!(ask(&server, "GET /events?at=gt.2024-01-01T00:00:00%2B02:00").await.status, 200);
    assert!(ask(&server, "GET /events?at=gt.a%20b").await.json()["hint"].is_null());
    assert!(ask(&server, "GET /events?at=gt.ab").await.json()["hint"].is_null());
}

#[tokio::test]
async fn a_method_that_is_not_allowed_comes_with_those_that_are() {
    let (server, _db) = serve(TABLES, &[]).await;
    for (request, code, allow) in [
        (
            "PUT /events?at=is.null\nContent-Type: application/json\n\n{\"id\":1}",
            "PGRST105",
            "OPTIONS,GET,HEAD,POST,PATCH,DELETE",
        ),
        ("TRACE /events", "PGRST117", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("TRACE /only_read", "PGRST117", "OPTIONS,GET,HEAD"),
        ("FROB /nowhere", "PGRST117", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("POST /", "PGRST117", "OPTIONS,GET,HEAD"),
        ("PATCH /rpc/stable_one", "PGRST101", "OPTIONS,GET,HEAD,POST"),
        ("DELETE /rpc/volatile_one", "PGRST101", "OPTIONS,POST"),
        ("GET /rpc/volatile_one", "25006", "OPTIONS,POST"),
    ] {
        let response = ask(&server, request).await;
        assert_eq!((response.status, response.code().as_str()), (405, code), "{request}");
        assert_eq!(response.header("allow"), Some(allow), "{request}");
    }
    assert_eq!(ask(&server, "GET /nowhere").await.header("allow"), None);
}
