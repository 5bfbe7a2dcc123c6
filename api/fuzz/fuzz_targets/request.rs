//! A whole request: the first three lines are target, content type and preferences, the rest is the body.
#![no_main]

use api::api_request::{ApiRequest, preferences};
use api::config::AppConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(4, |&byte| byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let request = http::Request::builder()
        .method("POST")
        .uri(line())
        .header("content-type", line())
        .header("prefer", line())
        .body(bytes::Bytes::copy_from_slice(line()));
    let Ok(request) = request else { return };
    let (head, body) = request.into_parts();
    let conf = AppConfig { db_schemas: vec!["public".to_owned()], ..AppConfig::default() };
    let preferences = preferences::from_headers(&conf, &head.headers);
    let _ = ApiRequest::from_http(&conf, preferences, &head, body);
});
