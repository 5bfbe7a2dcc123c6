//! Content codings of answers and of requests.

use async_compression::tokio::bufread::{
    BrotliDecoder, BrotliEncoder, GzipDecoder, GzipEncoder, ZstdDecoder, ZstdEncoder,
};
use tokio::io::AsyncReadExt as _;

use super::super::http::{Request, Response};
use super::super::process::Server;
use super::{answer, ask, serve};

const TABLES: &str = "
    create table goods (id int primary key, name text);
    insert into goods select i, 'goods number ' || i from generate_series(1, 20000) i;
    create table intake (id int primary key, label text);
";

const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

async fn encoded(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    match coding {
        "gzip" => GzipEncoder::new(body).read_to_end(&mut bytes).await,
        "br" => BrotliEncoder::new(body).read_to_end(&mut bytes).await,
        _ => ZstdEncoder::new(body).read_to_end(&mut bytes).await,
    }
    .unwrap();
    bytes
}

async fn decoded(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    match coding {
        "gzip" => GzipDecoder::new(body).read_to_end(&mut bytes).await,
        "br" => BrotliDecoder::new(body).read_to_end(&mut bytes).await,
        _ => ZstdDecoder::new(body).read_to_end(&mut bytes).await,
    }
    .unwrap();
    bytes
}

async fn post(server: &Server, coding: &str, body: &[u8]) -> Response {
    let request = Request::new("POST", "/intake").header("Content-Type", "application/json");
    server.send(request.header("Content-Encoding", coding).body(body)).await
}

#[tokio::test]
async fn answers_are_sent_in_the_coding_that_is_asked_for() {
    let (server, _db) = serve(TABLES, &[("PGAPP_ETAG", "true")]).await;
    // Encoded at once, and while it is sent.
    for target in ["/goods?id=lte.100", "/goods"] {
        let plain = ask(&server, &format!("GET {target}")).await;
        assert_eq!((plain.status, plain.header("content-encoding")), (200, None));
        for coding in CODINGS {
            let coded = ask(&server, &format!("GET {target}\nAccept-Encoding: {coding}")).await;
            assert_eq!((coded.status, coded.header("content-encoding")), (200, Some(coding)), "{target}");
            assert_eq!(decoded(coding, &coded.whole()).await, plain.bytes, "{coding} {target}");
            assert!(coded.whole().len() * 4 < plain.bytes.len(), "{coding} {target}");
            assert_eq!(coded.header("content-range"), plain.header("content-range"));
            let tag = plain.header("etag").unwrap().trim_matches('"');
            assert_eq!(coded.header("etag"), Some(&*format!("\"{tag}-{coding}\"")));
            for response in [&plain, &coded] {
                assert_eq!(response.every("vary"), "Accept, Prefer, Range, Accept-Encoding");
            }
            let head = ask(&server, &format!("HEAD {target}\nAccept-Encoding: {coding}")).await;
            assert_eq!((head.status, &*head.body, head.header("etag")), (200, "", coded.header("etag")));
        }
    }
    let small = ask(&server, "GET /goods?id=eq.1\nAccept-Encoding: gzip").await;
    assert_eq!((small.header("content-encoding"), &*small.every("vary")), (None, "Accept, Prefer, Range"));
}

#[tokio::test]
async fn compression_can_be_switched_off() {
    let (server, _db) = serve(TABLES, &[("PGAPP_COMPRESSION", "false")]).await;
    let plain = ask(&server, "GET /goods?id=lte.100\nAccept-Encoding: gzip, br, zstd").await;
    assert_eq!((plain.status, plain.header("content-encoding")), (200, None));
}

#[tokio::test]
async fn bodies_of_requests_may_be_in_a_coding() {
    let (server, _db) = serve(TABLES, &[]).await;
    for coding in CODINGS {
        let rows: Vec<_> =
            (1..=500).map(|id| serde_json::json!({"id": id, "label": "x".repeat(50)})).collect();
        let body = encoded(coding, serde_json::to_string(&rows).unwrap().as_bytes()).await;
        for broken in [&body[..body.len() * 2 / 3], &[&body[..20], &[0x5a; 40], &body[60..]].concat()] {
            let refused = post(&server, coding, broken).await;
            assert_eq!((refused.status, refused.code().as_str()), (400, "PGRST102"), "{coding}");
        }
        assert_eq!(answer(&server, "GET /intake").await, "200 []");
        assert_eq!(post(&server, coding, &body).await.status, 201, "{coding}");
        assert_eq!(answer(&server, "DELETE /intake?id=gt.0").await, "204 ");
    }
    for coding in ["rot13", "gzip, br"] {
        let refused = post(&server, coding, b"[{\"id\":1}]").await;
        assert_eq!((refused.status, refused.code().as_str()), (415, "PGAPP103"));
        assert_eq!(refused.header("accept-encoding"), Some("gzip, br, zstd"));
    }
}

/// A small body that decodes to a large one takes no more memory than the limit allows, and nobody else's time.
#[tokio::test]
async fn a_body_is_decoded_no_further_than_it_may_be() {
    const MIB: usize = 1024 * 1024;
    let (server, _db) = serve(TABLES, &[("PGAPP_MAX_BODY", &(8 * MIB).to_string())]).await;
    assert_eq!(post(&server, "gzip", &encoded("gzip", b"{\"id\":1}").await).await.status, 201);
    let body = vec![b' '; 256 * MIB];
    for coding in CODINGS {
        let body = encoded(coding, &body).await;
        let before = server.peak_memory();
        let refused = post(&server, coding, &body).await;
        assert_eq!((refused.status, refused.code().as_str()), (413, "PGAPP100"), "{coding}");
        let grown = server.peak_memory() - before;
        assert!(grown < 48 * MIB, "{coding}: {} MiB", grown / MIB);
        assert_eq!(answer(&server, "GET /intake?select=id").await, "200 [{\"id\":1}]");
    }
}
