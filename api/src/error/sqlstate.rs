//! SQLSTATE → HTTP status.

use http::StatusCode;

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
enum Pattern {
    /// The whole code.
    Exact(&'static str),
    /// The code's class, its first two characters.
    Class(&'static str),
}

struct Rule {
    pattern: Pattern,
    status: StatusCode,
    when: &'static str,
}

const fn exact(code: &'static str, status: StatusCode, when: &'static str) -> Rule {
    Rule { pattern: Pattern::Exact(code), status, when }
}

const fn class(code: &'static str, status: StatusCode, when: &'static str) -> Rule {
    Rule { pattern: Pattern::Class(code), status, when }
}

/// The first rule that fits decides; codes stand before their class.
const RULES: &[Rule] = &[
    class("08", StatusCode::SERVICE_UNAVAILABLE, "connection exception"),
    class("09", StatusCode::INTERNAL_SERVER_ERROR, "triggered action exception"),
    class("0L", StatusCode::FORBIDDEN, "invalid grantor"),
    class("0P", StatusCode::FORBIDDEN, "invalid role specification"),
    exact("21000", StatusCode::INTERNAL_SERVER_ERROR, "cardinality violation; 400 for a missing `WHERE`"),
    exact("22023", StatusCode::BAD_REQUEST, "invalid parameter value; 401 for a role that does not exist"),
    exact("23503", StatusCode::CONFLICT, "foreign key violation"),
    exact("23505", StatusCode::CONFLICT, "unique violation"),
    exact("25006", StatusCode::METHOD_NOT_ALLOWED, "write in a read-only transaction"),
    class("25", StatusCode::INTERNAL_SERVER_ERROR, "invalid transaction state"),
    class("28", StatusCode::FORBIDDEN, "invalid authorization specification"),
    class("2D", StatusCode::INTERNAL_SERVER_ERROR, "invalid transaction termination"),
    class("38", StatusCode::INTERNAL_SERVER_ERROR, "external routine exception"),
    class("39", StatusCode::INTERNAL_SERVER_ERROR, "external routine invocation exception"),
    class("3B", StatusCode::INTERNAL_SERVER_ERROR, "savepoint exception"),
    class("40", StatusCode::INTERNAL_SERVER_ERROR, "transaction rollback"),
    exact("42501", StatusCode::FORBIDDEN, "insufficient privilege; 401 for the anonymous role"),
    exact("42883", StatusCode::NOT_FOUND, "undefined function; 406 for `xmlagg`"),
    exact("42P01", StatusCode::NOT_FOUND, "undefined table"),
    exact("42P17", StatusCode::INTERNAL_SERVER_ERROR, "infinite recursion"),
    exact("53400", StatusCode::INTERNAL_SERVER_ERROR, "configuration limit exceeded"),
    class("53", StatusCode::SERVICE_UNAVAILABLE, "insufficient resources"),
    class("54", StatusCode::INTERNAL_SERVER_ERROR, "program limit exceeded"),
    class("55", StatusCode::INTERNAL_SERVER_ERROR, "object not in prerequisite state"),
    exact("57P01", StatusCode::SERVICE_UNAVAILABLE, "connection terminated by the administrator"),
    class("57", StatusCode::INTERNAL_SERVER_ERROR, "operator intervention"),
    class("58", StatusCode::INTERNAL_SERVER_ERROR, "system error"),
    class("F0", StatusCode::INTERNAL_SERVER_ERROR, "configuration file error"),
    class("HV", StatusCode::INTERNAL_SERVER_ERROR, "foreign data wrapper error"),
    exact("P0001", StatusCode::BAD_REQUEST, "`RAISE EXCEPTION` without a code"),
    class("P0", StatusCode::INTERNAL_SERVER_ERROR, "PL/pgSQL error"),
    class("XX", StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
];

/// Status of a server error. `authenticated`: the caller had a role other than the anonymous one.
///
/// `PTnnn` gives status `nnn`; `PGRST` is decided elsewhere (`super::raise`).
pub(super) fn status(code: &str, message: &str, authenticated: bool) -> StatusCode {
    match code {
        "21000" if message.ends_with("requires a WHERE clause") => return StatusCode::BAD_REQUEST,
        "22023" if message.starts_with("role") && message.ends_with("does not exist") => {
            return StatusCode::UNAUTHORIZED;
        }
        "42501" if !authenticated => return StatusCode::UNAUTHORIZED,
        "42883" if message.starts_with("function xmlagg(") => return StatusCode::NOT_ACCEPTABLE,
        _ => {}
    }
    if let Some(digits) = code.strip_prefix("PT") {
        let status = digits.parse().ok().and_then(crate::framing::final_status);
        return status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    RULES
        .iter()
        .find(|rule| match rule.pattern {
            Pattern::Exact(exact) => exact == code,
            Pattern::Class(class) => code.starts_with(class),
        })
        .map_or(StatusCode::BAD_REQUEST, |rule| rule.status)
}

/// The table for the reference page: (SQLSTATE, status, when).
pub fn rows() -> impl Iterator<Item = (String, String, &'static str)> {
    let rules = RULES.iter().map(|rule| {
        let state = match rule.pattern {
            Pattern::Exact(code) => code.to_owned(),
            Pattern::Class(class) => format!("{class}*"),
        };
        (state, rule.status.as_u16().to_string(), rule.when)
    });
    let own = [
        ("PTnnn", "nnn", "`RAISE SQLSTATE 'PTnnn'`: the status is in the code"),
        (
            "PGRST",
            "as said",
            "`RAISE SQLSTATE 'PGRST'`: status, headers and body are in `MESSAGE` and `DETAIL`",
        ),
    ];
    rules.chain(own.map(|(state, status, when)| (state.to_owned(), status.to_owned(), when)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_before_their_class() {
        for (code, expected) in [
            ("25006", 405),
            ("25001", 500),
            ("53400", 500),
            ("53300", 503),
            ("57P01", 503),
            ("57014", 500),
            ("P0001", 400),
            ("P0002", 500),
            ("23505", 409),
            ("23502", 400),
            ("08006", 503),
            ("42703", 400),
            ("PT402", 402),
            ("PT099", 500),
            ("PTabc", 500),
        ] {
            assert_eq!(status(code, "", true).as_u16(), expected, "{code}");
        }
    }

    #[test]
    fn some_depend_on_the_message_or_the_caller() {
        assert_eq!(status("42501", "", true), StatusCode::FORBIDDEN);
        assert_eq!(status("42501", "", false), StatusCode::UNAUTHORIZED);
        assert_eq!(status("21000", "UPDATE requires a WHERE clause", true), StatusCode::BAD_REQUEST);
        assert_eq!(status("22023", "role \"x\" does not exist", true), StatusCode::UNAUTHORIZED);
        assert_eq!(status("42883", "function xmlagg(text) does not exist", true), StatusCode::NOT_ACCEPTABLE);
    }
}
