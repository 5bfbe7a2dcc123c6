//! The page at the root for browsers: a view of the root document and of what the resources answer.
//!
//! It is static and holds no data: its script reads everything with the visitor's own token. The policy sent with it
//! lets nothing run but that script and nothing be reached but this server.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use super::PgrstResponse;

const PAGE: &str = include_str!("explorer.html");

/// Allows the page's own script by its digest, so that markup that found its way in could run nothing.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let script =
        PAGE.split("<script>").nth(1).and_then(|rest| rest.split("</script>").next()).unwrap_or_default();
    let digest = STANDARD.encode(Sha256::digest(script));
    format!(
        "default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The page, or its headers alone.
pub(super) fn page(headers_only: bool) -> PgrstResponse {
    let body = Bytes::from_static(PAGE.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    super::headers::insert(&mut headers, header::CONTENT_SECURITY_POLICY, POLICY.clone());
    if headers_only {
        return PgrstResponse::new(StatusCode::OK, headers, Bytes::new());
    }
    super::headers::content_length(&mut headers, &body);
    PgrstResponse::new(StatusCode::OK, headers, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_names_the_digest_of_the_only_script() {
        assert_eq!(PAGE.matches("<script").count(), 1);
        let response = page(false);
        let policy = response.headers.get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        let script = &PAGE[PAGE.find("<script>").unwrap() + 8..PAGE.find("</script>").unwrap()];
        assert!(policy.contains(&STANDARD.encode(Sha256::digest(script))), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!PAGE.contains("innerHTML"), "text from the database must stay text");
        assert!(page(true).body.is_empty());
    }
    #[test]
    fn the_script_shows_what_a_description_says() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut node = std::process::Command::new("node");
        node.arg(root.join("tests/explorer/check.mjs")).arg(root.join("src/response/explorer.html"));
        match node.output() {
            Ok(ran) => assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr)),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => {}
            Err(err) => panic!("start node: {err}"),
        }
    }
}
