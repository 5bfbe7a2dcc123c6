//! Everything that can go wrong with a request, one variant per stage.
//!
//! Stages do not know HTTP: status, code, message, details and hint are decided in [`http`]. `response` makes an
//! answer of them.

pub mod codes;
pub mod http;
mod raise;
mod rendered;
mod schema_cache;
pub mod sqlstate;

/// A request that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request was refused before or while planning (PGRST1xx).
    #[error(transparent)]
    ApiRequest(#[from] ApiRequestError),
    /// The schema cache has no answer (PGRST2xx).
    #[error(transparent)]
    SchemaCache(#[from] SchemaCacheError),
    /// The token was refused (PGRST3xx).
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// The schema cache is not loaded yet (PGRST002).
    #[error("the schema cache is not loaded")]
    NoSchemaCache,
    /// The database, its connection or the pool failed (PGRST00x or a SQLSTATE).
    #[error(transparent)]
    Db(#[from] DbError),
}

/// `client-error-verbosity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Code and message only.
    Minimal,
    /// With details and hint.
    Verbose,
}

/// PGRST1xx: what is wrong with the request itself.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ApiRequestError {
    /// Aggregates are switched off.
    #[error("use of aggregate functions is not allowed")]
    AggregatesNotAllowed,
    /// No acceptable media type; what was asked for.
    #[error("none of these media types are available")]
    MediaType(Vec<String>),
    /// The body is longer than `pgapp-max-body`; that limit.
    #[error("the request body is longer than {0} bytes")]
    BodyTooLarge(u64),
    /// The body is in a coding that is not supported, or in several; their names.
    #[error("the request body is in an unsupported coding: {0}")]
    UnsupportedCoding(String),
    /// What a write would change is not what the client has seen (PGAPP105).
    #[error("precondition failed")]
    PreconditionFailed,
    /// The body of a `QUERY` is no query string; its type.
    #[error("the body of a QUERY must be a query string, not '{0}'")]
    UnsupportedQueryType(String),
    /// Other bodies have all the memory that there is for them.
    #[error("there is no room for the request body")]
    NoRoomForBody,
    /// A CSV body would be longer than this as JSON, by the names of its columns.
    #[error("the request body is longer than {0} bytes as JSON")]
    CsvTooLarge(usize),
    /// The head has more of something than is allowed.
    #[error("the request has more than {limit} {what}")]
    HeadTooLarge {
        /// Of what.
        what: &'static str,
        /// Setting that says so.
        setting: &'static str,
        /// Its value.
        limit: usize,
    },
    /// The body could not be read; the parser's message.
    #[error("invalid body: {0}")]
    InvalidBody(String),
    /// The body did not go on for too long.
    #[error("the request body did not arrive in time")]
    BodyStalled,
    /// `PUT` filters are not exactly the primary key.
    #[error("filters must include all and only primary key columns with 'eq' operators")]
    InvalidFilters,
    /// `handling=strict` and these were not understood.
    #[error("invalid preferences given with handling=strict")]
    InvalidPreferences(Vec<String>),
    /// Impossible window of rows.
    #[error("requested range not satisfiable")]
    InvalidRange(RangeError),
    /// Method not usable on functions.
    #[error("cannot use the {0} method on RPC")]
    InvalidRpcMethod(String),
    /// A filter, order or limit names something that is not embedded: (name, (embed name, its alias) when the alias should have been used).
    #[error("'{0}' is not an embedded resource in this request")]
    NotEmbedded(String, Option<(String, String)>),
    /// Something would have limited a write, and `pgapp-limited-writes` is `refuse`.
    #[error("'{parameter}' does not limit a {method}")]
    LimitedWrite {
        /// Name of the parameter or header.
        parameter: String,
        /// Method.
        method: &'static str,
    },
    /// Part of the query string has no effect, and `pgapp-unread-parameters` is `refuse`.
    #[error("'{parameter}' has no effect in this request: {why}")]
    UnreadParameter {
        /// Name of the parameter.
        parameter: String,
        /// The reason.
        why: String,
    },
    /// Not implemented; what.
    #[error("not implemented: {0}")]
    NotImplemented(String),
    /// `limit`/`offset` on `PUT`.
    #[error("limit/offset querystring parameters are not allowed for PUT")]
    PutLimitNotAllowed,
    /// The query string could not be parsed: (message, details).
    #[error("{0}")]
    QueryParam(String, String),
    /// Ordering by a to-many embed: (origin, target).
    #[error("a related order on '{1}' is not possible")]
    RelatedOrderNotToOne(String, String),
    /// A filter other than `is.null` / `not.is.null` on an embed.
    #[error("bad operator on the '{0}' embedded resource")]
    UnacceptableFilter(String),
    /// Profile header names a schema that is not exposed: (asked, exposed).
    #[error("invalid schema: {0}")]
    UnacceptableSchema(String, Vec<String>),
    /// HTTP method not supported.
    #[error("unsupported HTTP method: {0}")]
    UnsupportedMethod(String),
    /// `response.headers` is not what it must be.
    #[error(
        "response.headers guc must be a JSON array composed of objects with a single key and a string value"
    )]
    GucHeaders,
    /// `response.status` is not a status.
    #[error("response.status guc must be a valid status code")]
    GucStatus,
    /// `PUT` body does not match the filters.
    #[error("payload values do not match URL in primary key column(s)")]
    PutMatchingPk,
    /// A single object was asked for; this many rows came.
    #[error("cannot coerce the result to a single JSON object")]
    Singularity(i64),
    /// `RAISE SQLSTATE 'PGRST'` with unreadable parts.
    #[error("could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error")]
    PgrstParse(RaiseError),
    /// `max-affected` exceeded; rows affected.
    #[error("query result exceeds max-affected preference constraint")]
    MaxAffectedViolation(i64),
    /// More path segments than there can be.
    #[error("invalid path specified in request URL")]
    InvalidResourcePath,
    /// The root with `openapi-mode = disabled`.
    #[error("root endpoint metadata is disabled")]
    OpenApiDisabled,
    /// `max-affected` on a function that returns a single row.
    #[error("function must return SETOF or TABLE when max-affected preference is used with handling=strict")]
    MaxAffectedRpcViolation,
}

/// Why a window of rows is impossible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeError {
    /// `limit` below zero.
    NegativeLimit,
    /// Lower bound above the upper one.
    LowerGtUpper,
    /// Offset beyond the rows there are: (offset, total).
    OutOfBounds(String, String),
}

/// Unreadable part of `RAISE SQLSTATE 'PGRST'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RaiseError {
    /// `MESSAGE`, as given.
    Message(String),
    /// `DETAIL`, as given.
    Detail(String),
    /// `DETAIL` is missing.
    NoDetail,
}

/// PGRST2xx: what the schema cache does not have.
///
/// Suggestions and candidates are described where the error is made (the planner holds the cache), so that
/// rendering stays free of it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SchemaCacheError {
    /// More than one relationship fits: (origin, target, candidates).
    #[error("could not embed because more than one relationship was found for '{0}' and '{1}'")]
    AmbiguousRelBetween(String, String, Vec<Candidate>),
    /// More than one function fits; their signatures.
    #[error("could not choose the best candidate function")]
    AmbiguousRpc(Vec<String>),
    /// No relationship.
    #[error("could not find a relationship between '{origin}' and '{target}' in the schema cache")]
    NoRelBetween {
        /// Source relation.
        origin: String,
        /// Target as written.
        target: String,
        /// `!hint`, if any.
        hint: Option<String>,
        /// Schema searched.
        schema: String,
        /// (A similar name, the one of `origin` and `target` it could stand for), if one is close.
        suggestion: Option<(String, String)>,
    },
    /// No function; fields as needed for message, details and hint.
    #[error("could not find the function {schema}.{name} in the schema cache")]
    NoRpc {
        /// Schema searched.
        schema: String,
        /// Name as written.
        name: String,
        /// Argument names given, sorted.
        args: Vec<String>,
        /// Request body's type.
        content_type: crate::media_type::MediaType,
        /// `POST`.
        is_post: bool,
        /// A similar function `name`, or `name(arg, arg)` with sorted arguments, if one is close.
        suggestion: Option<String>,
    },
    /// No column: (column, relation).
    #[error("could not find the '{0}' column of '{1}' in the schema cache")]
    ColumnNotFound(String, String),
    /// No relation.
    #[error("could not find the table '{schema}.{name}' in the schema cache")]
    TableNotFound {
        /// Schema searched.
        schema: String,
        /// Name as written.
        name: String,
        /// A similar name, if one is close.
        suggestion: Option<String>,
    },
}

/// One of several relationships that fit, as the client is told of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Candidate {
    /// `many-to-one` and its like.
    pub cardinality: &'static str,
    /// The two relations.
    pub embedding: String,
    /// Constraints and columns.
    pub relationship: String,
    /// How to ask for this one: `target!hint`.
    #[serde(skip)]
    pub choice: String,
}

/// PGRST3xx: what is wrong with the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Not decodable.
    #[error("{0}")]
    Decode(JwtDecodeError),
    /// No `jwt-secret` configured.
    #[error("server lacks JWT secret")]
    SecretMissing,
    /// No token and no anonymous role.
    #[error("anonymous access is disabled")]
    TokenRequired,
    /// Claims refused.
    #[error("{0}")]
    Claims(JwtClaimsError),
}

/// Why a token could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtDecodeError {
    /// `Bearer` with nothing behind it.
    #[error("empty JWT is sent in Authorization header")]
    EmptyAuthHeader,
    /// Not three parts; how many.
    #[error("expected 3 parts in JWT; got {0}")]
    UnexpectedParts(usize),
    /// No key fits.
    #[error("no suitable key or wrong key type")]
    Key(String),
    /// Algorithm refused.
    #[error("wrong or unsupported encoding algorithm")]
    BadAlgorithm(String),
    /// Signature wrong.
    #[error("JWT cryptographic operation failed")]
    BadCrypto,
    /// Not a signed token.
    #[error("unsupported token type")]
    UnsupportedTokenType,
}

/// Why claims were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtClaimsError {
    /// `exp` passed.
    #[error("JWT expired")]
    Expired,
    /// `nbf` ahead.
    #[error("JWT not yet valid")]
    NotYetValid,
    /// `iat` ahead.
    #[error("JWT issued at future")]
    IssuedAtFuture,
    /// `aud` does not match.
    #[error("JWT not in audience")]
    NotInAudience,
    /// Claims are not a JSON object.
    #[error("parsing claims failed")]
    ParsingFailed,
    /// `exp` has the wrong type.
    #[error("the JWT 'exp' claim must be a number")]
    ExpNotNumber,
    /// `nbf` has the wrong type.
    #[error("the JWT 'nbf' claim must be a number")]
    NbfNotNumber,
    /// `iat` has the wrong type.
    #[error("the JWT 'iat' claim must be a number")]
    IatNotNumber,
    /// `aud` has the wrong type.
    #[error("the JWT 'aud' claim must be a string or an array of strings")]
    AudNotStringOrArray,
}

/// What it is that failed in a database; its code does not tell, since functions may raise any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cause {
    /// The statement, or a function that it calls.
    #[default]
    Statement,
    /// A statement of ours could not be prepared under its name, which is taken: there is a pooler in between.
    ForeignStatement,
    /// A pooler in between lends its connections for a statement at a time.
    StatementPooler,
    /// The settings of the response, `response.headers` and `response.status`, are not what they must be.
    Response,
}

impl Cause {
    /// The cause, by an error's code, message, function of the server's source, and whether it was raised within
    /// a function that a statement called.
    pub(crate) fn of(code: &str, message: &str, routine: Option<&str>, in_function: bool) -> Self {
        match (code, routine.filter(|it| !it.is_empty())) {
            ("42P05", Some("StorePreparedStatement")) if !in_function => Self::ForeignStatement,
            // What PgBouncer says. Unlike Postgres, it names no function of its source.
            ("08P01", None) if message == "transaction blocks not allowed in statement pooling mode" => {
                Self::StatementPooler
            }
            _ => Self::Statement,
        }
    }
}

/// What the database side reported.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection came free in time (PGRST003).
    #[error("timed out acquiring connection from connection pool")]
    AcquisitionTimeout,
    /// Nobody waits for the answer any more: the client has left.
    #[error("the client has left")]
    Abandoned,
    /// The database took longer for a request than it may (PGAPP010).
    #[error("the database did not answer in time")]
    ResponseTimeout,
    /// A connection could not be made (PGRST000), or was lost (PGRST001); what the driver said.
    #[error("{message}")]
    Connection {
        /// Established before (PGRST001) or not (PGRST000).
        was_established: bool,
        /// For the log and `details`.
        message: String,
    },
    /// The server answered with an error.
    #[error("{message}")]
    Server {
        /// SQLSTATE.
        code: String,
        /// Primary message.
        message: String,
        /// Detail.
        detail: Option<String>,
        /// Hint.
        hint: Option<String>,
        /// The caller had a role other than the anonymous one (decides 401 against 403).
        authenticated: bool,
        /// What failed.
        cause: Cause,
    },
    /// The answer was not in the expected shape (a fault of ours).
    #[error("unexpected result from the database: {0}")]
    UnexpectedResult(String),
    /// There is no room for a large answer (PGAPP001 to PGAPP003).
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
}

/// Why a large answer cannot be kept until it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// Others hold what there is, and did not give it back in time (PGAPP001).
    #[error("there is no room for a large answer while others are being sent")]
    Busy,
    /// It is larger than all the room there is (PGAPP002).
    #[error("the answer is larger than the room there is for large answers")]
    TooLarge,
    /// The same of what a write gives back; the write itself was made (PGAPP003).
    #[error("the write was made, but there is no room for what it gives back")]
    Written,
}

impl DbError {
    /// The same, of a line of the request's body.
    pub(crate) fn at_line(self, line: u64) -> Self {
        match self {
            Self::Server { code, message, detail, hint, authenticated, cause } => {
                let detail = Some(match detail {
                    Some(detail) => format!("{detail} (line {line} of the body)"),
                    None => format!("Line {line} of the body"),
                });
                Self::Server { code, message, detail, hint, authenticated, cause }
            }
            other => other,
        }
    }

    /// Both are errors of the server, with one code.
    pub(crate) fn has_code_of(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Server { code: a, .. }, Self::Server { code: b, .. }) if a == b)
    }

    /// The database does not answer.
    pub(crate) fn silent(was_established: bool) -> Self {
        pg_wire_client::Error::silent(was_established).into()
    }

    /// What the driver reported on a connection that had been made.
    pub fn from_driver(error: &tokio_postgres::Error) -> Self {
        use std::error::Error as _;

        match (error.as_db_error(), error.source()) {
            (Some(it), _) => Self::Server {
                cause: Cause::of(it.code().code(), it.message(), it.routine(), it.where_().is_some()),
                code: it.code().code().into(),
                message: it.message().into(),
                detail: it.detail().map(Into::into),
                hint: it.hint().map(Into::into),
                authenticated: false,
            },
            (None, Some(source)) => {
                Self::Connection { was_established: true, message: format!("{error}: {source}") }
            }
            (None, None) => Self::Connection { was_established: true, message: error.to_string() },
        }
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::from_driver(&error)
    }
}

impl From<pg_wire_client::Error> for DbError {
    fn from(error: pg_wire_client::Error) -> Self {
        use pg_wire_client::Error as E;
        match error {
            E::Connection { was_established, message } => Self::Connection { was_established, message },
            E::ResponseTimeout => Self::ResponseTimeout,
            E::Server(error) => Self::from(*error),
            E::Unencodable(_) => Self::Server {
                code: "22021".into(),
                message: error.to_string(),
                detail: None,
                hint: None,
                authenticated: false,
                cause: Cause::Statement,
            },
        }
    }
}

impl From<pg_wire_client::ServerError> for DbError {
    fn from(error: pg_wire_client::ServerError) -> Self {
        // Whatever the server's last message was about, the client's request is not what failed.
        if error.is_fatal {
            return Self::Connection {
                was_established: true,
                message: "no connection to the server\n".into(),
            };
        }
        let cause = Cause::of(&error.code, &error.message, Some(&error.routine), error.has_context);
        let pg_wire_client::ServerError { code, message, detail, hint, .. } = error;
        Self::Server { code, message, detail, hint, authenticated: false, cause }
    }
}
