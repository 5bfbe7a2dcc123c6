//! Settings that PostgREST does not have. Their names begin with `pgapp-`.

use super::super::value::Found;
use super::super::{GeneratedColumns, Unread};
use super::{Key, Kind, Shown, bare, boolean, key, text, unsigned};

/// In the order of the reference page.
pub(super) const KEYS: &[Key] = &[
    key(
        "pgapp-base-path",
        Kind::String,
        "Path below which everything at the root is served, too: `/rest/v1/todos` is `/todos`, as the client libraries of Supabase ask for it. Relations and functions at the root stay where they are: of a path with a single segment, `/db`, `/db/` is the root, and `/db` a relation. Empty for none.",
        |c, v| {
            if let Some(path) = v.text_or_empty() {
                c.pgapp_base_path = base_path(&path)?;
            }
            Ok(())
        },
        |c| text(&c.pgapp_base_path),
    ),
    key(
        "pgapp-compression",
        Kind::Boolean,
        "Answers of 1 KiB and more are sent in the coding that the client prefers of `zstd`, `br` and `gzip` (`Accept-Encoding`), if their type is a text's. Bodies of requests may be in one of these in any case (`Content-Encoding`).",
        |c, v| boolean(&mut c.pgapp_compression, v),
        |c| bare(c.pgapp_compression),
    ),
    key(
        "pgapp-csv-strict",
        Kind::Boolean,
        "Reads CSV bodies as RFC 4180 has them: a line `\"\"` is a row of one empty text, a quoted `\"NULL\"` is that word, and a row with more or fewer fields than the header is refused. PostgREST skips the first, reads the second as null, and cuts the third.",
        |c, v| boolean(&mut c.pgapp_csv_strict, v),
        |c| bare(c.pgapp_csv_strict),
    )
    .in_database(),
    key(
        "pgapp-db-connect-timeout",
        Kind::Int,
        "Seconds that reaching one address of the database may take, TLS and login included; 0 for no limit. `connect_timeout` in `db-uri` goes before it.",
        |c, v| unsigned("pgapp-db-connect-timeout", &mut c.pgapp_db_connect_timeout, v),
        |c| bare(c.pgapp_db_connect_timeout),
    )
    .fixed(),
    key(
        "pgapp-db-hang-timeout",
        Kind::Int,
        "Seconds after which a database that has become silent is found out; 0 never looks. After a third of them without a byte for a request under way, a new connection has the rest of them to answer; where it does not, requests under way fail with `PGRST001` and new ones with `PGRST000` until the database answers again. A statement that takes long is not concerned, as long as the database answers on another connection. Where `db-uri` does not say otherwise, TCP asks after a third of this time whether the host of an idle connection is still there, and gives it up after as much again (`keepalives_*`); one in use that takes nothing is given up after four times as long (`tcp_user_timeout`).",
        |c, v| unsigned("pgapp-db-hang-timeout", &mut c.pgapp_db_hang_timeout, v),
        |c| bare(c.pgapp_db_hang_timeout),
    )
    .fixed(),
    key(
        "pgapp-db-response-timeout",
        Kind::Int,
        "Seconds that the database may take for a request, from when it is sent to when nothing is missing of the answer; 0 for no limit. Then the statement is cancelled and the request fails with `PGAPP010`. Meant for what a `statement_timeout` cannot end: a single session that hangs.",
        |c, v| unsigned("pgapp-db-response-timeout", &mut c.pgapp_db_response_timeout, v),
        |c| bare(c.pgapp_db_response_timeout),
    )
    .fixed(),
    key(
        "pgapp-etag",
        Kind::Boolean,
        "Answers to `GET` and `HEAD` on relations and on functions that are not `VOLATILE` have an `ETag`, and are 304 without a body where `If-None-Match` names it. Each answer is hashed; a `HEAD` is run as the `GET` that it stands for.",
        |c, v| boolean(&mut c.pgapp_etag, v),
        |c| bare(c.pgapp_etag),
    ),
    key(
        "pgapp-generated-columns",
        Kind::String,
        "What becomes of values for columns that are `GENERATED ALWAYS`. `refuse`: the database refuses them (428C9), as in PostgREST. `skip`: they are left out, so that a row can be sent back as it was read; an upsert by an identity column uses its value to find the row, and inserts it where there is none.",
        |c, v| {
            c.pgapp_generated_columns = match v.text().as_deref() {
                None | Some("refuse") => GeneratedColumns::Refuse,
                Some("skip") => GeneratedColumns::Skip,
                Some(other) => {
                    return Err(format!("Invalid pgapp-generated-columns: '{other}' is neither refuse nor skip"));
                }
            };
            Ok(())
        },
        |c| {
            text(match c.pgapp_generated_columns {
                GeneratedColumns::Refuse => "refuse",
                GeneratedColumns::Skip => "skip",
            })
        },
    )
    .in_database(),
    key(
        "pgapp-limited-writes",
        Kind::String,
        "What becomes of a write (`POST`, `PATCH`, `PUT`, `DELETE` on a table or view) that asks for some of its rows only, by `limit`, `offset`, `order` or `Range`. `ignore`: as in PostgREST, which leaves them unread, so that every row that the filters match is written. `refuse`: error PGAPP120, and nothing is written.",
        |c, v| unread("pgapp-limited-writes", &mut c.pgapp_limited_writes, v),
        |c| shown_unread(c.pgapp_limited_writes),
    )
    .in_database(),
    key(
        "pgapp-max-bodies",
        Kind::Int,
        "Most bytes of request bodies over 64 KiB that are held at once, all requests together; 0 for no limit. Where nothing is left a body is read no further for up to 10 s, and then refused with `PGAPP102`.",
        |c, v| unsigned("pgapp-max-bodies", &mut c.pgapp_max_bodies, v),
        |c| bare(c.pgapp_max_bodies),
    )
    .fixed(),
    key(
        "pgapp-max-body",
        Kind::Int,
        "Most bytes of a request body, which has to be held; 0 for no limit. A larger one is refused with 413.",
        |c, v| unsigned("pgapp-max-body", &mut c.pgapp_max_body, v),
        |c| bare(c.pgapp_max_body),
    ),
    key(
        "pgapp-max-cookies",
        Kind::Int,
        "Most cookies of a request. One with more is refused with 431.",
        |c, v| unsigned("pgapp-max-cookies", &mut c.pgapp_max_cookies, v),
        |c| bare(c.pgapp_max_cookies),
    ),
    key(
        "pgapp-max-header-bytes",
        Kind::Int,
        "Most bytes of a request's headers, names and values together. A request with more is refused with 431.",
        |c, v| unsigned("pgapp-max-header-bytes", &mut c.pgapp_max_header_bytes, v),
        |c| bare(c.pgapp_max_header_bytes),
    ),
    key(
        "pgapp-max-headers",
        Kind::Int,
        "Most header lines of a request. One with more is refused with 431.",
        |c, v| unsigned("pgapp-max-headers", &mut c.pgapp_max_headers, v),
        |c| bare(c.pgapp_max_headers),
    ),
    key(
        "pgapp-null-defaults",
        Kind::Boolean,
        "In an insert with `Prefer: missing=default`, a null for a column that is `NOT NULL` and has a default counts as missing, so that the default is taken. Otherwise the database refuses it (23502), as in PostgREST.",
        |c, v| boolean(&mut c.pgapp_null_defaults, v),
        |c| bare(c.pgapp_null_defaults),
    )
    .in_database(),
    key(
        "pgapp-openapi-precise",
        Kind::Boolean,
        "The root document lists the labels of arrays of enums, and tells a default only where it is a value: not of `gen_random_uuid()`, which PostgREST shows as a text.",
        |c, v| boolean(&mut c.pgapp_openapi_precise, v),
        |c| bare(c.pgapp_openapi_precise),
    )
    .in_database(),
    key(
        "pgapp-plan-cache-bytes",
        Kind::Int,
        "Memory for kept plans (half of it) and for what is known of the columns of their results (the other half), in bytes, about; 0 plans each request anew.",
        |c, v| unsigned("pgapp-plan-cache-bytes", &mut c.pgapp_plan_cache_bytes, v),
        |c| bare(c.pgapp_plan_cache_bytes),
    ),
    key(
        "pgapp-schema-wait",
        Kind::Int,
        "Most seconds that a request which names something unknown waits for the schema cache to show what was committed before the request came; 0 never waits. It waits for a reload that is on its way and for nothing else: where none is, that is known after a round trip to the database, which all such requests share.",
        |c, v| unsigned("pgapp-schema-wait", &mut c.pgapp_schema_wait, v),
        |c| bare(c.pgapp_schema_wait),
    ),
    key(
        "pgapp-server-body-timeout",
        Kind::Int,
        "Seconds in which at least 2 KiB, or the rest, of a request's body have to come; 0 for no limit. A request whose body does not is refused with `PGAPP110` (408).",
        |c, v| unsigned("pgapp-server-body-timeout", &mut c.pgapp_server_body_timeout, v),
        |c| bare(c.pgapp_server_body_timeout),
    )
    .fixed(),
    key(
        "pgapp-server-header-timeout",
        Kind::Int,
        "Seconds from accepting a connection to the end of its first header, and from the first byte of a later header to its end; 0 for no limit. Then the connection is closed.",
        |c, v| unsigned("pgapp-server-header-timeout", &mut c.pgapp_server_header_timeout, v),
        |c| bare(c.pgapp_server_header_timeout),
    )
    .fixed(),
    key(
        "pgapp-server-idle-timeout",
        Kind::Int,
        "Seconds that a connection is kept without a request; 0 for no limit.",
        |c, v| unsigned("pgapp-server-idle-timeout", &mut c.pgapp_server_idle_timeout, v),
        |c| bare(c.pgapp_server_idle_timeout),
    )
    .fixed(),
    key(
        "pgapp-server-max-connections",
        Kind::Int,
        "Most connections of clients at once; those beyond wait in the system's queue, and the connection that has been without a request for longest is closed for them. 0 takes half of the descriptors that the system allows (`ulimit -n`) beside those for the database, up to 4096. The admin server's connections are not counted.",
        |c, v| unsigned("pgapp-server-max-connections", &mut c.pgapp_server_max_connections, v),
        |c| bare(c.pgapp_server_max_connections),
    )
    .fixed(),
    key(
        "pgapp-server-max-streams",
        Kind::Int,
        "Most requests at once on one connection of HTTP/2, those included that the client has reset and that still run.",
        |c, v| unsigned("pgapp-server-max-streams", &mut c.pgapp_server_max_streams, v),
        |c| bare(c.pgapp_server_max_streams),
    )
    .fixed(),
    key(
        "pgapp-server-shutdown-timeout",
        Kind::Int,
        "Seconds from `SIGTERM` to the end of the process, whatever is still under way; 0 for no limit. An answer that its client does not take is given up after 5 seconds then.",
        |c, v| unsigned("pgapp-server-shutdown-timeout", &mut c.pgapp_server_shutdown_timeout, v),
        |c| bare(c.pgapp_server_shutdown_timeout),
    )
    .fixed(),
    key(
        "pgapp-server-write-timeout",
        Kind::Int,
        "Seconds in which a client has to take some of an answer (over TCP, 1 KiB for each of them); 0 for no limit. Then the connection is closed, or the stream of HTTP/2 given up, and what the answer held is free.",
        |c, v| unsigned("pgapp-server-write-timeout", &mut c.pgapp_server_write_timeout, v),
        |c| bare(c.pgapp_server_write_timeout),
    )
    .fixed(),
    key(
        "pgapp-statement-cache-bytes",
        Kind::Int,
        "Memory for the statements that are kept prepared in one session of Postgres, in bytes, by an estimate; 0 keeps none.",
        |c, v| unsigned("pgapp-statement-cache-bytes", &mut c.pgapp_statement_cache_bytes, v),
        |c| bare(c.pgapp_statement_cache_bytes),
    ),
    key(
        "pgapp-temp-memory-max",
        Kind::Int,
        "Most bytes of large answers that are kept in memory where the folder for temporary files has no room or cannot be used, all requests together.",
        |c, v| unsigned("pgapp-temp-memory-max", &mut c.pgapp_temp_memory_max, v),
        |c| bare(c.pgapp_temp_memory_max),
    )
    .fixed(),
    key(
        "pgapp-temp-space-max",
        Kind::Int,
        "Most bytes of temporary files, all requests together. An answer beyond 4 MiB waits in one until it is sent; the folder is that of `TMPDIR`.",
        |c, v| unsigned("pgapp-temp-space-max", &mut c.pgapp_temp_space_max, v),
        |c| bare(c.pgapp_temp_space_max),
    )
    .fixed(),
    key(
        "pgapp-temp-space-timeout",
        Kind::Int,
        "Seconds that a large answer waits for other ones to be sent where there is no room for it, before it fails with `PGAPP001`.",
        |c, v| unsigned("pgapp-temp-space-timeout", &mut c.pgapp_temp_space_timeout, v),
        |c| bare(c.pgapp_temp_space_timeout),
    )
    .fixed(),
    key(
        "pgapp-unread-parameters",
        Kind::String,
        "What becomes of the parts of a query string that have no effect: text behind the end of an expression (the cast in `data->>age::int=gt.5`), parameters that mean nothing to the method, and parameters without a value. `ignore`: as in PostgREST, which leaves them unread. `refuse`: error PGRST100 or PGAPP121.",
        |c, v| unread("pgapp-unread-parameters", &mut c.pgapp_unread_parameters, v),
        |c| shown_unread(c.pgapp_unread_parameters),
    )
    .in_database(),
];

/// A path that can stand before others and takes nothing away from them; without the slash at its end.
fn base_path(path: &str) -> Result<String, String> {
    let path = path.trim_end_matches('/');
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-._~".contains(it);
    let mut segments = path.split('/').skip(1).peekable();
    let is_path = path.starts_with('/') && segments.peek() != Some(&"rpc");
    if path.is_empty() || (is_path && segments.all(|it| !it.is_empty() && it.chars().all(is_plain))) {
        return Ok(path.to_owned());
    }
    Err(format!(
        "Invalid pgapp-base-path: '{path}' is not a path such as /rest/v1 (letters, digits and -._~, not beginning with /rpc)"
    ))
}

fn unread(name: &str, field: &mut Unread, found: &Found) -> Result<(), String> {
    *field = match found.text().as_deref() {
        None | Some("ignore") => Unread::Ignore,
        Some("refuse") => Unread::Refuse,
        Some(other) => return Err(format!("Invalid {name}: '{other}' is neither ignore nor refuse")),
    };
    Ok(())
}

fn shown_unread(value: Unread) -> Shown {
    text(match value {
        Unread::Ignore => "ignore",
        Unread::Refuse => "refuse",
    })
}
