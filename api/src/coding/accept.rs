//! `Accept-Encoding` → the coding of the response.

use http::header::{ACCEPT_ENCODING, HeaderMap};

use super::Coding;

/// The coding that a client prefers among those there are; `None` for none. Without the header no coding is used:
/// clients that can decode say so.
pub(crate) fn accepted(headers: &HeaderMap) -> Option<Coding> {
    let (mut weights, mut identity, mut others) = ([None; Coding::ALL.len()], None, None);
    for value in headers.get_all(ACCEPT_ENCODING) {
        for (name, weight) in value.to_str().unwrap_or_default().split(',').filter_map(element) {
            match Coding::of_name(name) {
                Some(coding) => {
                    for (known, place) in Coding::ALL.into_iter().zip(&mut weights) {
                        if known == coding {
                            *place = Some(weight);
                        }
                    }
                }
                None if name.eq_ignore_ascii_case("identity") => identity = Some(weight),
                None if name == "*" => others = Some(weight),
                None => {}
            }
        }
    }
    let weighted = Coding::ALL.into_iter().zip(weights.map(|it| it.or(others).unwrap_or(0)));
    // Of several with one weight the first counts.
    let (best, weight) = weighted.rev().max_by_key(|(_, weight)| *weight)?;
    (weight > 0 && weight >= identity.unwrap_or(0)).then_some(best)
}

/// A name and its weight in thousandths. A weight that is malformed counts as 0: no one can have meant to prefer it.
fn element(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|it| !it.is_empty())?;
    let weight = parts.find_map(|it| it.strip_prefix("q=").or_else(|| it.strip_prefix("Q=")));
    Some((name, weight.map_or(1000, thousandths)))
}

fn thousandths(text: &str) -> u16 {
    match text.parse::<f32>() {
        // Within bounds after the check.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1000.0).round() as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(value: &'static str) -> Option<Coding> {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]);
        accepted(&headers)
    }

    #[test]
    fn the_preferred_coding_is_chosen() {
        assert_eq!(accepted(&HeaderMap::new()), None);
        for none in
            ["", "identity", "deflate", "gzip;q=0", "*;q=0", "gzip;q=0.5, identity", "gzip;q=x", "br;q=2"]
        {
            assert_eq!(of(none), None, "{none}");
        }
        for (value, coding) in [
            ("gzip", Coding::Gzip),
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("gzip, deflate, br", Coding::Brotli),
            ("gzip;q=1.0, br;q=0.9, zstd;q=0.8", Coding::Gzip),
            ("*", Coding::Zstd),
            ("zstd;q=0, *;q=0.5", Coding::Brotli),
            ("x-gzip ; Q=0.3", Coding::Gzip),
            ("identity;q=0.2, gzip;q=0.2", Coding::Gzip),
        ] {
            assert_eq!(of(value), Some(coding), "{value}");
        }
    }
}
