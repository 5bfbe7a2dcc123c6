//! The query string: any bytes are parsed or refused, never a crash, and a refusal says where.
#![no_main]

use api::api_request::query;
use api::config::Unread;
use api::error::ApiRequestError;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let parse = |text: &[u8], is_call| query::parse(text, is_call, Unread::Ignore);
    for is_call in [false, true] {
        match parse(text, is_call) {
            // What was parsed has a canonical form. Values of a name that came twice are joined by commas, which read
            // again are part of a value and escaped; from then on the form is stable.
            Ok(params) => {
                if let Ok(once) = parse(params.canonical.as_bytes(), is_call)
                    && let Ok(twice) = parse(once.canonical.as_bytes(), is_call)
                {
                    assert_eq!(twice.canonical, once.canonical);
                }
            }
            Err(ApiRequestError::QueryParam(message, details)) => {
                assert!(!message.is_empty() && !details.is_empty());
            }
            Err(other) => panic!("a query string cannot fail with {other:?}"),
        }
    }
});
