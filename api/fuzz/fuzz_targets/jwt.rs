//! Tokens: any bytes are refused, and any claims are judged, without a crash. A token that nobody signed is
//! never accepted.
#![no_main]

use api::jwt::keys::KeySet;
use api::jwt::role_claim::RoleClaim;
use api::jwt::{claims, token};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let keys = KeySet::parse(b"a secret of thirty-two bytes....").expect("a secret of this length is a key");
    assert!(token::decode(&keys, input).is_err());

    if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(input) {
        let _ = claims::validate(&object, Some("audience"), 1_700_000_000);
    }
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(path) = RoleClaim::parse(text)
    {
        let _ = path.evaluate(&serde_json::Map::new());
    }
});
