//! Errors → HTTP: status, headers and the body's four fields.

use bytes::Bytes;
use http::StatusCode;
use http::header::{ACCEPT_ENCODING, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::Value;

use super::rendered::Rendered;
use super::{
    ApiRequestError, DbError, Error, JwtDecodeError, JwtError, NoRoom, RaiseError, RangeError, Verbosity,
    raise, schema_cache, sqlstate,
};
use crate::framing;

/// Status of an error.
pub fn status(error: &Error) -> StatusCode {
    render(error).status
}

/// Body of an error.
pub fn error_body(error: &Error, verbosity: Verbosity) -> Bytes {
    render(error).body(verbosity)
}

/// Status of an error of the database.
pub fn database_status(error: &DbError) -> StatusCode {
    database(error).status
}

/// Body of an error of the database, for the log.
pub fn database_error_body(error: &DbError, verbosity: Verbosity) -> Bytes {
    database(error).body(verbosity)
}

/// An error as clients are told of it.
///
/// Why no connection could be made names host, port, user and database, and is for the log alone.
pub(crate) fn for_clients(error: &Error) -> Rendered {
    let rendered = render(error);
    match error {
        Error::Db(DbError::Connection { was_established: false, .. }) => {
            rendered.details("The reason is in the log of the server.")
        }
        _ => rendered,
    }
}

fn render(error: &Error) -> Rendered {
    match error {
        Error::ApiRequest(error) => api_request(error),
        Error::SchemaCache(error) => schema_cache::render(error),
        Error::Jwt(error) => jwt(error),
        Error::NoSchemaCache => {
            Rendered::new("PGRST002", "Could not query the database for the schema cache. Retrying.")
        }
        Error::Db(error) => database(error),
    }
}

fn api_request(error: &ApiRequestError) -> Rendered {
    use ApiRequestError as E;
    match error {
        E::QueryParam(message, details) => Rendered::new("PGRST100", message).details(details.as_str()),
        E::LimitedWrite { parameter, method } => {
            Rendered::new("PGAPP120", format!("'{parameter}' does not limit a {method}"))
                .details("Every row that the filters match would have been written")
                .hint(format!("Choose the rows by filters, and leave '{parameter}' out."))
        }
        E::UnreadParameter { parameter, why } => {
            Rendered::new("PGAPP121", format!("'{parameter}' has no effect in this request"))
                .details(why.as_str())
        }
        E::InvalidRpcMethod(method) => {
            Rendered::new("PGRST101", format!("Cannot use the {method} method on RPC"))
        }
        E::BodyTooLarge(limit) => Rendered::new("PGAPP100", "The request body is too large")
            .details(format!("A body may have at most {limit} bytes."))
            .hint("Send fewer rows at a time, or have the setting pgapp-max-body raised."),
        E::UnsupportedCoding(names) => {
            Rendered::new("PGAPP103", format!("The request body's coding is not supported: {names}"))
                .hint("Send the body in one of gzip, br and zstd, or without Content-Encoding.")
                .header(&ACCEPT_ENCODING, "gzip, br, zstd")
        }
        E::UnsupportedQueryType(given) => {
            Rendered::new("PGAPP104", format!("The body of a QUERY is a query string, not '{given}'"))
                .hint("Send it with Content-Type: application/x-www-form-urlencoded.")
        }
        E::CsvTooLarge(limit) => Rendered::new("PGAPP100", "The request body is too large")
            .details(format!("With the names of its columns in each row it is longer than {limit} bytes."))
            .hint("Send fewer rows at a time."),
        E::NoRoomForBody => Rendered::new("PGAPP102", "There is no room for the request body at the moment")
            .details("The bodies of other requests are still being read or written.")
            .hint("Send it again later, or fewer rows at a time.")
            .header(&RETRY_AFTER, "1"),
        E::HeadTooLarge { what, setting, limit } => {
            Rendered::new("PGAPP101", "The request's headers are too large")
                .details(format!("A request may have at most {limit} {what}."))
                .hint(format!("Send fewer or shorter headers, or have the setting {setting} raised."))
        }
        E::InvalidBody(message) => Rendered::new("PGRST102", message),
        E::BodyStalled => Rendered::new("PGAPP110", "The request body did not arrive in time"),
        E::InvalidRange(reason) => {
            Rendered::new("PGRST103", "Requested range not satisfiable").details(range_details(reason))
        }
        E::InvalidFilters => Rendered::new(
            "PGRST105",
            "Filters must include all and only primary key columns with 'eq' operators",
        ),
        E::UnacceptableSchema(schema, exposed) => {
            Rendered::new("PGRST106", format!("Invalid schema: {schema}"))
                .hint(format!("Only the following schemas are exposed: {}", exposed.join(", ")))
        }
        E::MediaType(types) => Rendered::new(
            "PGRST107",
            format!("None of these media types are available: {}", types.join(", ")),
        ),
        E::NotEmbedded(name, alias) => {
            let rendered =
                Rendered::new("PGRST108", format!("'{name}' is not an embedded resource in this request"));
            match alias {
                None => rendered
                    .hint(format!("Verify that '{name}' is included in the 'select' query parameter.")),
                Some((name, alias)) => rendered
                    .details("Target names are not allowed in filters if they have an alias")
                    .hint(format!("Change '{name}' to '{alias}' in filters, orders or limits.")),
            }
        }
        E::GucHeaders => Rendered::new(
            "PGRST111",
            "response.headers guc must be a JSON array composed of objects with a single key and a string value",
        ),
        E::GucStatus => Rendered::new("PGRST112", "response.status guc must be a valid status code"),
        E::PutLimitNotAllowed => {
            Rendered::new("PGRST114", "limit/offset querystring parameters are not allowed for PUT")
        }
        E::PutMatchingPk => {
            Rendered::new("PGRST115", "Payload values do not match URL in primary key column(s)")
        }
        E::Singularity(rows) => Rendered::new("PGRST116", "Cannot coerce the result to a single JSON object")
            .details(format!("The result contains {rows} rows")),
        E::UnsupportedMethod(method) => {
            Rendered::new("PGRST117", format!("Unsupported HTTP method: {method}"))
        }
        E::RelatedOrderNotToOne(origin, target) => {
            Rendered::new("PGRST118", format!("A related order on '{target}' is not possible")).details(
                format!("'{origin}' and '{target}' do not form a many-to-one or one-to-one relationship"),
            )
        }
        E::UnacceptableFilter(target) => {
            Rendered::new("PGRST120", format!("Bad operator on the '{target}' embedded resource"))
                .details("Only is null or not is null filters are allowed on embedded resources")
        }
        E::PgrstParse(reason) => {
            let (details, hint) = raise_details(reason);
            Rendered::new("PGRST121", "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error")
                .details(details)
                .hint(hint)
        }
        E::InvalidPreferences(preferences) => {
            Rendered::new("PGRST122", "Invalid preferences given with handling=strict")
                .details(format!("Invalid preferences: {}", preferences.join(", ")))
        }
        E::AggregatesNotAllowed => Rendered::new("PGRST123", "Use of aggregate functions is not allowed"),
        E::MaxAffectedViolation(rows) => {
            Rendered::new("PGRST124", "Query result exceeds max-affected preference constraint")
                .details(format!("The query affects {rows} rows"))
        }
        E::InvalidResourcePath => Rendered::new("PGRST125", "Invalid path specified in request URL"),
        E::OpenApiDisabled => Rendered::new("PGRST126", "Root endpoint metadata is disabled"),
        E::NotImplemented(what) => {
            Rendered::new("PGRST127", "Feature not implemented").details(what.as_str())
        }
        E::MaxAffectedRpcViolation => Rendered::new(
            "PGRST128",
            "Function must return SETOF or TABLE when max-affected preference is used with handling=strict",
        ),
    }
}

fn range_details(reason: &RangeError) -> String {
    match reason {
        RangeError::NegativeLimit => "Limit should be greater than or equal to zero.".to_owned(),
        RangeError::LowerGtUpper => {
            "The lower boundary must be lower than or equal to the upper boundary in the Range header."
                .to_owned()
        }
        RangeError::OutOfBounds(offset, total) => {
            format!("An offset of {offset} was requested, but there are only {total} rows.")
        }
    }
}

fn raise_details(reason: &RaiseError) -> (String, &'static str) {
    const OF_DETAIL: &str = "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";
    match reason {
        RaiseError::Message(text) => (
            format!("Invalid JSON value for MESSAGE: '{text}'"),
            "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.",
        ),
        RaiseError::Detail(text) => (format!("Invalid JSON value for DETAIL: '{text}'"), OF_DETAIL),
        RaiseError::NoDetail => ("DETAIL is missing in the RAISE statement".to_owned(), OF_DETAIL),
    }
}

fn jwt(error: &JwtError) -> Rendered {
    match error {
        JwtError::SecretMissing => Rendered::new("PGRST300", "Server lacks JWT secret"),
        JwtError::Decode(reason) => {
            let rendered = match reason {
                JwtDecodeError::EmptyAuthHeader => {
                    Rendered::new("PGRST301", "Empty JWT is sent in Authorization header")
                }
                JwtDecodeError::UnexpectedParts(parts) => {
                    Rendered::new("PGRST301", format!("Expected 3 parts in JWT; got {parts}"))
                }
                JwtDecodeError::Key(details) => {
                    Rendered::new("PGRST301", "No suitable key or wrong key type").details(details.as_str())
                }
                JwtDecodeError::BadAlgorithm(details) => {
                    Rendered::new("PGRST301", "Wrong or unsupported encoding algorithm")
                        .details(details.as_str())
                }
                JwtDecodeError::BadCrypto => Rendered::new("PGRST301", "JWT cryptographic operation failed"),
                JwtDecodeError::UnsupportedTokenType => Rendered::new("PGRST301", "Unsupported token type"),
            };
            invalid_token(rendered)
        }
        JwtError::TokenRequired => {
            Rendered::new("PGRST302", "Anonymous access is disabled").header(&WWW_AUTHENTICATE, "Bearer")
        }
        // The claims' messages begin with names and acronyms, so they are the same on the wire.
        JwtError::Claims(reason) => invalid_token(Rendered::new("PGRST303", claims_message(*reason))),
    }
}

fn claims_message(reason: super::JwtClaimsError) -> &'static str {
    use super::JwtClaimsError as E;
    match reason {
        E::Expired => "JWT expired",
        E::NotYetValid => "JWT not yet valid",
        E::IssuedAtFuture => "JWT issued at future",
        E::NotInAudience => "JWT not in audience",
        E::ParsingFailed => "Parsing claims failed",
        E::ExpNotNumber => "The JWT 'exp' claim must be a number",
        E::NbfNotNumber => "The JWT 'nbf' claim must be a number",
        E::IatNotNumber => "The JWT 'iat' claim must be a number",
        E::AudNotStringOrArray => "The JWT 'aud' claim must be a string or an array of strings",
    }
}

fn invalid_token(rendered: Rendered) -> Rendered {
    let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{}\"", rendered.message);
    rendered.header(&WWW_AUTHENTICATE, challenge)
}

fn database(error: &DbError) -> Rendered {
    match error {
        DbError::AcquisitionTimeout => {
            Rendered::new("PGRST003", "Timed out acquiring connection from connection pool.")
        }
        // What others log for this; nobody sees it.
        DbError::Abandoned => Rendered {
            status: StatusCode::from_u16(499).unwrap_or(StatusCode::REQUEST_TIMEOUT),
            ..Rendered::new("PGAPP499", "The client has left.")
        },
        DbError::ResponseTimeout => {
            Rendered::new("PGAPP010", "The database did not answer in time. The statement was cancelled.")
        }
        DbError::Connection { was_established: false, message } => {
            Rendered::new("PGRST000", "Database connection error.").details(message.as_str())
        }
        DbError::Connection { was_established: true, message } => {
            Rendered::new("PGRST001", "Database client error. Retrying the connection.")
                .details(message.as_str())
        }
        DbError::UnexpectedResult(message) => Rendered::new("PGRSTX00", message),
        DbError::NoRoom(reason) => no_room(*reason),
        DbError::Server { code, message, detail, .. } if code == "PGRST" => {
            match raise::parse(message, detail.as_deref()) {
                Ok((message, detail)) => raised(message, detail),
                Err(error) => api_request(&error),
            }
        }
        DbError::Server { code, message, detail, hint, authenticated, .. } => {
            let status = sqlstate::status(code, message, *authenticated);
            let rendered = Rendered {
                status,
                // `RAISE SQLSTATE 'PTnnn'` chooses status and reason phrase.
                reason: code.starts_with("PT").then(|| message.clone()),
                code: code.clone(),
                message: message.clone(),
                details: detail.as_deref().map(Value::from),
                hint: hint.clone(),
                headers: Vec::new(),
            };
            if status == StatusCode::UNAUTHORIZED {
                rendered.header(&WWW_AUTHENTICATE, "Bearer")
            } else {
                rendered
            }
        }
    }
}

fn no_room(reason: NoRoom) -> Rendered {
    const FEWER: &str = "Ask for fewer rows or columns (limit, Range, select), or have the settings pgapp-temp-space-max and pgapp-temp-memory-max raised and make room in the folder for temporary files.";
    match reason {
        NoRoom::Busy => Rendered::new("PGAPP001", "There is no room for a large answer at the moment")
            .details("Other large answers are still being sent.")
            .hint("Ask again later, or ask for fewer rows or columns (limit, Range, select).")
            .header(&RETRY_AFTER, "1"),
        NoRoom::TooLarge => {
            Rendered::new("PGAPP002", "The answer is larger than the room there is for it").hint(FEWER)
        }
        NoRoom::Written => {
            Rendered::new("PGAPP003", "The write was made, but there is no room for what it gives back")
                .details("Do not send it again.")
                .hint("Use Prefer: return=minimal, or write fewer rows at a time.")
        }
    }
}

fn raised(message: raise::Message, detail: raise::Detail) -> Rendered {
    Rendered {
        status: framing::final_status(detail.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        reason: detail.status_text,
        code: message.code,
        message: message.message,
        details: message.details.map(Value::from),
        hint: message.hint,
        headers: detail.headers.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

    use super::*;
    use crate::error::JwtClaimsError;
    use crate::response::error_response;

    /// Status, headers and body on three lines.
    fn show(error: impl Into<Error>) -> String {
        let response = error_response(&error.into(), Verbosity::Verbose);
        let headers: Vec<_> = response
            .headers
            .iter()
            .filter(|(name, _)| *name != CONTENT_TYPE && *name != CONTENT_LENGTH)
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        assert_eq!(response.headers[CONTENT_LENGTH], response.body.len().to_string());
        let reason = response.reason.map(|reason| format!(" {reason}")).unwrap_or_default();
        let body = String::from_utf8_lossy(&response.body).into_owned();
        format!("{}{reason}\n{}\n{body}", response.status.as_u16(), headers.join(" | "))
    }

    fn server(code: &str, message: &str, detail: Option<&str>) -> DbError {
        DbError::Server {
            code: code.to_owned(),
            message: message.to_owned(),
            detail: detail.map(str::to_owned),
            hint: None,
            authenticated: false,
            cause: crate::error::Cause::Statement,
        }
    }

    #[test]
    fn request_errors() {
        insta::assert_snapshot!(show(ApiRequestError::InvalidRange(RangeError::OutOfBounds("1".into(), "0".into()))), @r#"
        416
        proxy-status: PostgREST; error=PGRST103
        {"code":"PGRST103","details":"An offset of 1 was requested, but there are only 0 rows.","hint":null,"message":"Requested range not satisfiable"}
        "#);
        insta::assert_snapshot!(show(ApiRequestError::UnacceptableSchema("x".into(), vec!["a".into(), "b".into()])), @r#"
        406
        proxy-status: PostgREST; error=PGRST106
        {"code":"PGRST106","details":null,"hint":"Only the following schemas are exposed: a, b","message":"Invalid schema: x"}
        "#);
        insta::assert_snapshot!(show(ApiRequestError::NotEmbedded("x".into(), None)), @r#"
        400
        proxy-status: PostgREST; error=PGRST108
        {"code":"PGRST108","details":null,"hint":"Verify that 'x' is included in the 'select' query parameter.","message":"'x' is not an embedded resource in this request"}
        "#);
        insta::assert_snapshot!(show(ApiRequestError::NotEmbedded("x".into(), Some(("x".into(), "y".into())))), @r#"
        400
        proxy-status: PostgREST; error=PGRST108
        {"code":"PGRST108","details":"Target names are not allowed in filters if they have an alias","hint":"Change 'x' to 'y' in filters, orders or limits.","message":"'x' is not an embedded resource in this request"}
        "#);
        for (error, expected) in [
            (ApiRequestError::UnacceptableFilter("x".into()), "400 PGRST120"),
            (ApiRequestError::InvalidPreferences(vec!["a=b".into()]), "400 PGRST122"),
            (ApiRequestError::OpenApiDisabled, "404 PGRST126"),
        ] {
            let (status, code) = expected.split_once(' ').unwrap();
            let shown = show(error);
            assert!(shown.starts_with(status) && shown.contains(&format!("error={code}")), "{shown}");
        }
        insta::assert_snapshot!(show(ApiRequestError::InvalidResourcePath), @r#"
        404
        proxy-status: PostgREST; error=PGRST125
        {"code":"PGRST125","details":null,"hint":null,"message":"Invalid path specified in request URL"}
        "#);
    }

    #[test]
    fn token_errors_challenge_the_client() {
        insta::assert_snapshot!(show(JwtError::Decode(JwtDecodeError::UnexpectedParts(2))), @r#"
        401
        proxy-status: PostgREST; error=PGRST301 | www-authenticate: Bearer error="invalid_token", error_description="Expected 3 parts in JWT; got 2"
        {"code":"PGRST301","details":null,"hint":null,"message":"Expected 3 parts in JWT; got 2"}
        "#);
        insta::assert_snapshot!(show(JwtError::Claims(JwtClaimsError::Expired)), @r#"
        401
        proxy-status: PostgREST; error=PGRST303 | www-authenticate: Bearer error="invalid_token", error_description="JWT expired"
        {"code":"PGRST303","details":null,"hint":null,"message":"JWT expired"}
        "#);
        insta::assert_snapshot!(show(JwtError::TokenRequired), @r#"
        401
        proxy-status: PostgREST; error=PGRST302 | www-authenticate: Bearer
        {"code":"PGRST302","details":null,"hint":null,"message":"Anonymous access is disabled"}
        "#);
        insta::assert_snapshot!(show(JwtError::SecretMissing), @r#"
        500
        proxy-status: PostgREST; error=PGRST300
        {"code":"PGRST300","details":null,"hint":null,"message":"Server lacks JWT secret"}
        "#);
    }

    #[test]
    fn database_errors() {
        insta::assert_snapshot!(show(server("42501", "permission denied for table x", None)), @r#"
        401
        proxy-status: PostgREST; error=42501 | www-authenticate: Bearer
        {"code":"42501","details":null,"hint":null,"message":"permission denied for table x"}
        "#);
        insta::assert_snapshot!(show(server("PT402", "Payment Required", Some("Quota exceeded"))), @r#"
        402 Payment Required
        proxy-status: PostgREST; error=PT402
        {"code":"PT402","details":"Quota exceeded","hint":null,"message":"Payment Required"}
        "#);
        insta::assert_snapshot!(show(DbError::AcquisitionTimeout), @r#"
        504
        proxy-status: PostgREST; error=PGRST003
        {"code":"PGRST003","details":null,"hint":null,"message":"Timed out acquiring connection from connection pool."}
        "#);
        insta::assert_snapshot!(show(DbError::Connection { was_established: false, message: "refused".into() }), @r#"
        503
        proxy-status: PostgREST; error=PGRST000
        {"code":"PGRST000","details":"The reason is in the log of the server.","hint":null,"message":"Database connection error."}
        "#);
        let refused = DbError::Connection { was_established: false, message: "refused".into() };
        let logged = database_error_body(&refused, Verbosity::Verbose);
        assert!(String::from_utf8_lossy(&logged).contains(r#""details":"refused""#));
        insta::assert_snapshot!(show(DbError::Connection { was_established: true, message: "gone".into() }), @r#"
        503
        proxy-status: PostgREST; error=PGRST001
        {"code":"PGRST001","details":"gone","hint":null,"message":"Database client error. Retrying the connection."}
        "#);
    }

    #[test]
    fn the_database_may_raise_a_whole_response() {
        let message = r#"{"code":"123","message":"ABC","details":"DEF","hint":"XYZ"}"#;
        let detail = r#"{"status":332,"status_text":"My Custom Status","headers":{"X-Header":"str"}}"#;
        insta::assert_snapshot!(show(server("PGRST", message, Some(detail))), @r#"
        332 My Custom Status
        proxy-status: PostgREST; error=123 | x-header: str
        {"code":"123","details":"DEF","hint":"XYZ","message":"ABC"}
        "#);
        insta::assert_snapshot!(show(server("PGRST", message, None)), @r#"
        500
        proxy-status: PostgREST; error=PGRST121
        {"code":"PGRST121","details":"DETAIL is missing in the RAISE statement","hint":"DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.","message":"Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error"}
        "#);
        insta::assert_snapshot!(show(server("PGRST", "INVALID", Some(detail))), @r#"
        500
        proxy-status: PostgREST; error=PGRST121
        {"code":"PGRST121","details":"Invalid JSON value for MESSAGE: 'INVALID'","hint":"MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.","message":"Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error"}
        "#);
        insta::assert_snapshot!(show(server("PGRST", message, Some("INVALID"))), @r#"
        500
        proxy-status: PostgREST; error=PGRST121
        {"code":"PGRST121","details":"Invalid JSON value for DETAIL: 'INVALID'","hint":"DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.","message":"Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error"}
        "#);
        // What HTTP cannot carry does not get into the answer.
        let injected = r#"{"code":"1\n2","message":"m"}"#;
        let headers = r#"{"status":9999,"headers":{"X-A":"b\r\nX-C: d","Content-Length":"0","transfer-encoding":"chunked","bad name":"x"}}"#;
        insta::assert_snapshot!(show(server("PGRST", injected, Some(headers))), @r#"
        500

        {"code":"1\n2","details":null,"hint":null,"message":"m"}
        "#);
    }

    #[test]
    fn minimal_bodies_have_two_fields() {
        let body = error_body(&Error::NoSchemaCache, Verbosity::Minimal);
        assert_eq!(
            body,
            r#"{"code":"PGRST002","message":"Could not query the database for the schema cache. Retrying."}"#
        );
    }
}
