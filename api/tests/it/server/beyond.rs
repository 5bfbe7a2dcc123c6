//! What is given beyond PostgREST: answers where it has errors, and what a setting of our own asks for.

mod bodies;
mod calls;
mod codings;
mod errors;
mod locations;
mod openapi;
mod query_method;
mod tags;
mod unread;
mod upserts;

use local_stack::testing::TestDb;

use super::http::{Request, Response};
use super::process::Server;
use super::{authenticator, database};

/// A server over the test application and what `sql` adds to its schema `api`, with our own settings.
async fn serve(sql: &str, own: &[(&str, &str)]) -> (Server, TestDb) {
    let db = database().await;
    let client = db.connect().await.unwrap();
    client.batch_execute(&format!("set search_path to api, extra, public; {sql}")).await.unwrap();
    client
        .batch_execute(
            "grant all on all tables in schema api to web_anon;
             grant usage on all sequences in schema api to web_anon;
             grant execute on all functions in schema api to web_anon;",
        )
        .await
        .unwrap();
    let mut builder = Server::over(&authenticator(db.config())).set("DB_CHANNEL_ENABLED", false);
    for (name, value) in own {
        builder = builder.variable(name, value);
    }
    (builder.start().await, db)
}

/// `METHOD target`, header lines, and after an empty line the body.
async fn ask(server: &Server, text: &str) -> Response {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::new(method, target);
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    server.send(request.body(body.as_bytes())).await
}

/// Status and body of an answer.
async fn answer(server: &Server, text: &str) -> String {
    let response = ask(server, text).await;
    format!("{} {}", response.status, response.body)
}
