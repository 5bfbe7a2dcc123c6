//! Health: asks a service a question of its own protocol. An open port proves nothing.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;

use crate::database::Connection;

/// Pause between two questions.
const INTERVAL: Duration = Duration::from_millis(20);

/// Longest wait for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks a Postgres for a row.
pub(crate) async fn postgres(connection: &Connection, dbname: &str) -> Result<(), String> {
    let ask = async {
        let client = connection.connect_to(dbname).await.map_err(|it| describe(&it))?;
        client.simple_query("SELECT 1").await.map_err(|it| describe(&it)).map(drop)
    };
    tokio::time::timeout(ANSWER_TIMEOUT, ask).await.map_err(|_| "no answer".to_owned())?
}

/// Asks an HTTP server for a path. Any answer but a server error will do: a client error is an answer, too.
pub(crate) async fn http(port: u16, path: &str) -> Result<(), String> {
    let (status, _) = get(port, path).await?;
    if status.is_server_error() { Err(format!("GET {path} answers {status}")) } else { Ok(()) }
}

/// The body that an HTTP server answers with; anything but success is an error.
pub(crate) async fn http_body(port: u16, path: &str) -> Result<bytes::Bytes, String> {
    let (status, body) = get(port, path).await?;
    if status.is_success() { Ok(body) } else { Err(format!("GET {path} answers {status}")) }
}

/// Status and body that an HTTP server answers with.
pub(crate) async fn get(port: u16, path: &str) -> Result<(hyper::StatusCode, bytes::Bytes), String> {
    let ask = async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = hyper::Request::get(path)
            .header(hyper::header::HOST, format!("127.0.0.1:{port}"))
            .body(Empty::<bytes::Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        connection.abort();
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((status, body))
    };
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, ask).await.map_err(|_| "no answer".to_owned())?;
    answer.map_err(|it| it.to_string())
}

/// Asks until the answer is good; gives up at the deadline or when `is_alive` says that nobody is left to answer, with
/// the last bad answer.
pub(crate) async fn until_healthy<A, F>(
    timeout: Duration,
    mut is_alive: impl FnMut() -> A,
    mut ask: impl FnMut() -> F,
) -> Result<(), String>
where
    A: Future<Output = bool>,
    F: Future<Output = Result<(), String>>,
{
    let deadline = Instant::now() + timeout;
    loop {
        let Err(last) = ask().await else { return Ok(()) };
        if !is_alive().await {
            return Err(format!("it ended ({last})"));
        }
        if Instant::now() >= deadline {
            return Err(format!("not healthy after {} s: {last}", timeout.as_secs()));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The driver's message and the causes that it leaves out.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{} ({})", db.message(), db.code().code());
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn server(answer: &'static str) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        port
    }

    #[tokio::test]
    async fn http_probe_takes_answers_and_refuses_server_errors() {
        let unhappy = server("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(http(unhappy, "/ready").await.unwrap_err(), "GET /ready answers 503 Service Unavailable");
        http(server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await, "/").await.unwrap();
        http(server("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await, "/").await.unwrap();
        let mute = server("").await;
        assert!(http(mute, "/").await.is_err(), "an open port alone is not health");
    }

    #[tokio::test]
    async fn a_dead_service_is_not_waited_for() {
        let started = Instant::now();
        let ask = || async { Err("refused".to_owned()) };
        let error = until_healthy(Duration::from_secs(60), || async { false }, ask).await.unwrap_err();
        assert_eq!(error, "it ended (refused)");
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
