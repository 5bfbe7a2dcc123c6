//! Our own error codes: one table for the status of each, and for the reference page.

use http::StatusCode;

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// The code, as in `code` of an error body.
    pub code: &'static str,
    /// HTTP status.
    pub status: StatusCode,
    /// What happened, and what to do about it.
    pub meaning: &'static str,
}

const fn code(code: &'static str, status: StatusCode, meaning: &'static str) -> Code {
    Code { code, status, meaning }
}

/// Every code, by group: 0 connection, 1 request, 2 schema cache, 3 token, X internal. `PGAPP` begins those that
/// PostgREST does not have.
pub const CODES: &[Code] = &[
    code(
        "PGAPP001",
        StatusCode::SERVICE_UNAVAILABLE,
        "No room for a large answer became free within `pgapp-temp-space-timeout`. `Retry-After` says when to ask again.",
    ),
    code(
        "PGAPP002",
        StatusCode::INSUFFICIENT_STORAGE,
        "The answer is larger than `pgapp-temp-space-max` and `pgapp-temp-memory-max`, or the folder for temporary files, have room for.",
    ),
    code(
        "PGAPP003",
        StatusCode::INSUFFICIENT_STORAGE,
        "The rows that a write returns are larger than that. The write itself was applied; do not send it again.",
    ),
    code(
        "PGAPP010",
        StatusCode::GATEWAY_TIMEOUT,
        "The database took longer than `pgapp-db-response-timeout`. The statement was cancelled; what it wrote is undone unless it was committed at that moment.",
    ),
    code("PGAPP100", StatusCode::PAYLOAD_TOO_LARGE, "The request body is larger than `pgapp-max-body`."),
    code(
        "PGAPP101",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The request has more headers, bytes of headers or cookies than `pgapp-max-headers`, `pgapp-max-header-bytes` or `pgapp-max-cookies` allow.",
    ),
    code(
        "PGAPP102",
        StatusCode::SERVICE_UNAVAILABLE,
        "The bodies of other requests take up all the memory that `pgapp-max-bodies` allows. `Retry-After` says when to send it again.",
    ),
    code(
        "PGAPP103",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The request's body is in a coding other than `gzip`, `br` and `zstd`, or in more than one.",
    ),
    code(
        "PGAPP104",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The body of a `QUERY` is not `application/x-www-form-urlencoded`.",
    ),
    code(
        "PGAPP110",
        StatusCode::REQUEST_TIMEOUT,
        "The client sent too little of the request's body for too long (`pgapp-server-body-timeout`). Nothing was done.",
    ),
    code(
        "PGAPP120",
        StatusCode::BAD_REQUEST,
        "A write asked for some of its rows only, by `limit`, `offset`, `order` or `Range`, which no write reads (`pgapp-limited-writes`).",
    ),
    code(
        "PGAPP121",
        StatusCode::BAD_REQUEST,
        "A part of the query string has no effect (`pgapp-unread-parameters`); `details` says why.",
    ),
    code(
        "PGRST000",
        StatusCode::SERVICE_UNAVAILABLE,
        "A connection to the database could not be made, so nothing was done. The log says why; check `db-uri` and that the database accepts connections.",
    ),
    code(
        "PGRST001",
        StatusCode::SERVICE_UNAVAILABLE,
        "The connection to the database was lost while it was in use. A read may be sent again; a write may have been applied, so look before sending it again.",
    ),
    code(
        "PGRST002",
        StatusCode::SERVICE_UNAVAILABLE,
        "The schema cache has not been loaded yet. The server keeps trying; `Retry-After` says when to ask again.",
    ),
    code(
        "PGRST003",
        StatusCode::GATEWAY_TIMEOUT,
        "No connection of the pool became free within `db-pool-acquisition-timeout`.",
    ),
    code("PGRST100", StatusCode::BAD_REQUEST, "A query string parameter could not be parsed."),
    code(
        "PGRST101",
        StatusCode::METHOD_NOT_ALLOWED,
        "Functions are called with `GET`, `HEAD` or `POST` only.",
    ),
    code("PGRST102", StatusCode::BAD_REQUEST, "The request body could not be read."),
    code(
        "PGRST103",
        StatusCode::RANGE_NOT_SATISFIABLE,
        "The window of rows asked for by `limit`, `offset` or `Range` is impossible or lies beyond the last row.",
    ),
    code(
        "PGRST105",
        StatusCode::METHOD_NOT_ALLOWED,
        "`PUT` needs an `eq` filter on every primary key column, and no other filter.",
    ),
    code(
        "PGRST106",
        StatusCode::NOT_ACCEPTABLE,
        "`Accept-Profile` or `Content-Profile` names a schema that is not in `db-schemas`.",
    ),
    code(
        "PGRST107",
        StatusCode::NOT_ACCEPTABLE,
        "None of the media types in `Accept` can be produced for this resource.",
    ),
    code(
        "PGRST108",
        StatusCode::BAD_REQUEST,
        "A filter, order or limit refers to a resource that `select` does not embed.",
    ),
    code(
        "PGRST111",
        StatusCode::INTERNAL_SERVER_ERROR,
        "The setting `response.headers` made by the database is not an array of one-key objects.",
    ),
    code(
        "PGRST112",
        StatusCode::INTERNAL_SERVER_ERROR,
        "The setting `response.status` made by the database is not a status code.",
    ),
    code("PGRST114", StatusCode::BAD_REQUEST, "`limit` and `offset` mean nothing in a `PUT`."),
    code(
        "PGRST115",
        StatusCode::BAD_REQUEST,
        "The primary key in the body of a `PUT` differs from the one in its filters.",
    ),
    code(
        "PGRST116",
        StatusCode::NOT_ACCEPTABLE,
        "A single object was asked for, but the result has no row or several.",
    ),
    code("PGRST117", StatusCode::METHOD_NOT_ALLOWED, "The HTTP method is not supported."),
    code(
        "PGRST118",
        StatusCode::BAD_REQUEST,
        "Rows can be ordered by the columns of an embedded resource only where there is at most one per row.",
    ),
    code(
        "PGRST120",
        StatusCode::BAD_REQUEST,
        "An embedded resource can be filtered as a whole with `is.null` and `not.is.null` only.",
    ),
    code(
        "PGRST121",
        StatusCode::INTERNAL_SERVER_ERROR,
        "`RAISE SQLSTATE 'PGRST'` carried a `MESSAGE` or `DETAIL` that is not the JSON expected.",
    ),
    code(
        "PGRST122",
        StatusCode::BAD_REQUEST,
        "`Prefer: handling=strict` was sent together with preferences that are not known.",
    ),
    code(
        "PGRST123",
        StatusCode::BAD_REQUEST,
        "Aggregate functions are switched off (`db-aggregates-enabled`).",
    ),
    code(
        "PGRST124",
        StatusCode::BAD_REQUEST,
        "More rows would be affected than `Prefer: max-affected` allows.",
    ),
    code("PGRST125", StatusCode::NOT_FOUND, "The path has more segments than any resource."),
    code("PGRST126", StatusCode::NOT_FOUND, "The root document is switched off (`openapi-mode`)."),
    code(
        "PGRST127",
        StatusCode::BAD_REQUEST,
        "The combination asked for is not implemented; `details` says which.",
    ),
    code(
        "PGRST128",
        StatusCode::BAD_REQUEST,
        "`Prefer: max-affected` needs a function that returns a set when handling is strict.",
    ),
    code(
        "PGRST200",
        StatusCode::BAD_REQUEST,
        "No relationship was found between the resources to be embedded.",
    ),
    code(
        "PGRST201",
        StatusCode::MULTIPLE_CHOICES,
        "Several relationships match; `details` lists them and `hint` says how to choose.",
    ),
    code("PGRST202", StatusCode::NOT_FOUND, "No function has this name and these parameters."),
    code("PGRST203", StatusCode::MULTIPLE_CHOICES, "Several overloaded functions match the parameters."),
    code("PGRST204", StatusCode::BAD_REQUEST, "A column named in the request does not exist."),
    code("PGRST205", StatusCode::NOT_FOUND, "No table or view has this name."),
    code("PGRST300", StatusCode::INTERNAL_SERVER_ERROR, "A token was sent but `jwt-secret` is not set."),
    code("PGRST301", StatusCode::UNAUTHORIZED, "The token could not be decoded or its signature is wrong."),
    code("PGRST302", StatusCode::UNAUTHORIZED, "There is no token, and no anonymous role (`db-anon-role`)."),
    code("PGRST303", StatusCode::UNAUTHORIZED, "The token's claims do not allow its use."),
    code(
        "PGRSTX00",
        StatusCode::INTERNAL_SERVER_ERROR,
        "The database gave an unexpected answer: a fault of the server.",
    ),
];

/// Status of a code of the table.
pub(super) fn status_of(code: &str) -> StatusCode {
    CODES.iter().find(|row| row.code == code).map_or(StatusCode::INTERNAL_SERVER_ERROR, |row| row.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// Text of `docs/errors.md`.
    fn page() -> String {
        let mut page = String::from(
            "# Error codes\n\n\
             Every error is a JSON object with `code`, `message`, `details` and `hint` (with\n\
             `client-error-verbosity = minimal`: `code` and `message`). The code is also in the\n\
             `Proxy-Status` header.\n\n\
             This page is generated from `api/src/error/codes.rs` and `api/src/error/sqlstate.rs` by\n\
             `cargo xtask codegen`; a test fails when it is out of date.\n\n\
             ## Codes of the server\n\n| code | status | meaning |\n|---|---|---|\n",
        );
        for Code { code, status, meaning } in CODES {
            let _ = writeln!(page, "| `{code}` | {} | {meaning} |", status.as_u16());
        }
        page.push_str(
            "\n## Errors of the database\n\n\
             The code is the SQLSTATE, and `message`, `details` and `hint` are the database's own. A more\n\
             specific row comes before the class it belongs to; anything else is 400.\n\n\
             | SQLSTATE | status | when |\n|---|---|---|\n",
        );
        for (state, status, when) in crate::error::sqlstate::rows() {
            let _ = writeln!(page, "| `{state}` | {status} | {when} |");
        }
        page
    }

    #[test]
    fn the_reference_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(stored == page(), "docs/errors.md is out of date: write it anew with `cargo xtask codegen`");
    }

    #[test]
    fn codes_are_sorted_and_stand_once() {
        assert!(CODES.is_sorted_by(|a, b| a.code < b.code));
    }
}
