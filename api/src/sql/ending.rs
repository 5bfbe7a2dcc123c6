//! The statement that ends a request's script, and those that clear away what functions left in the session.
//!
//! Functions can change more than their transaction: settings of the session, its role, advisory locks,
//! prepared statements, cursors, channels that are listened to, temporary tables, what is known of sequences.
//! Nothing of that may reach the next request on the connection, which is somebody else's. `execute::session`
//! has the rule of what is run when; here is what is run.

/// Columns of the statement that ends a script, for what reads them.
pub const HEADERS: usize = 0;
/// `response.status`.
pub const STATUS: usize = 1;
/// Rows that an upsert inserted.
pub const INSERTED: usize = 2;
/// Whether there is something in the session that does not go away by itself.
pub const IS_LEFT: usize = 3;

/// What the database wants of the response: `response.headers` and `response.status`. Unset ones read as empty
/// once they were set in a session.
macro_rules! wanted {
    () => {
        "SELECT pg_catalog.current_setting('response.headers', true), \
         pg_catalog.current_setting('response.status', true)"
    };
}

/// Of a read: a role that a function switched to for good would be the one that the next request begins as.
macro_rules! of_read {
    ($is_left:literal) => {
        concat!(
            wanted!(),
            ", NULL, ",
            $is_left,
            ", pg_catalog.pg_advisory_unlock_all(), pg_catalog.set_config('role', 'none', false)"
        )
    };
}

macro_rules! header {
    () => {
        concat!(
            r#""(?!(connection|content-length|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade"#,
            r#"|http2-settings)")[-!#$%&''*+.^_`|~0-9a-z]+"\s*:\s*"([^"\\\u0001-\u001f\u007f]|\\["\\/t]"#,
            r#"|\\u(00[2-6][0-9a-f]|007[0-9a-e]|0009|00[89a-f][0-9a-f]|0[1-9a-f][0-9a-f]{2}"#,
            r#"|[1-9abcef][0-9a-f]{3}|d[0-7][0-9a-f]{2}|d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}))*""#
        )
    };
}

/// `response.headers` that the answer can be given: an array of objects of one text, by a name that is a header's
/// and not one of those that belong to the connection ([`crate::framing`]). What is not, fails the transaction
/// before it is committed; whatever this lets through, [`crate::response`] can read.
macro_rules! headers {
    () => {
        concat!(r"(?i)^\s*\[\s*(\{\s*", header!(), r"\s*\}\s*(,\s*\{\s*", header!(), r"\s*\}\s*)*)?\]\s*$")
    };
}

/// What a failed check of the response's settings says instead of a number.
const BAD_STATUS: &str = "PGRST112";

/// Whether it was the status that was refused, rather than the headers.
pub fn refuses_status(message: &str) -> bool {
    message.contains(BAD_STATUS)
}

/// Of a write: the role stays, since deferred triggers run as it. Settings of the response that cannot be followed
/// are an error here already, before the commit.
macro_rules! of_write {
    ($inserted:literal, $is_left:literal) => {
        concat!(
            wanted!(),
            ", ",
            $inserted,
            ", ",
            $is_left,
            ", pg_catalog.pg_advisory_unlock_all(), \
             CASE WHEN pg_catalog.current_setting('response.headers', true) OPERATOR(pg_catalog.<>) '' \
             AND pg_catalog.current_setting('response.headers', true) OPERATOR(pg_catalog.!~) '",
            headers!(),
            "' THEN pg_catalog.concat('PGRST111')::pg_catalog.int4 \
             WHEN pg_catalog.current_setting('response.status', true) OPERATOR(pg_catalog.<>) '' \
             AND pg_catalog.current_setting('response.status', true) \
             OPERATOR(pg_catalog.!~) '^0*[2-9][0-9][0-9]($|[^0-9])' \
             THEN pg_catalog.concat('PGRST112')::pg_catalog.int4 END"
        )
    };
}

/// Which statement ends a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The transaction cannot write.
    pub read_only: bool,
    /// The number of inserted rows is wanted.
    pub upserts: bool,
    /// Prepared statements are looked for.
    pub commands: bool,
}

impl Ending {
    /// Its text.
    pub fn text(self) -> &'static str {
        match (self.read_only, self.upserts, self.commands) {
            (true, _, false) => of_read!("false"),
            (true, _, true) => {
                of_read!("EXISTS (SELECT FROM pg_catalog.pg_prepared_statement() WHERE from_sql)")
            }
            (false, false, false) => {
                of_write!("NULL", "pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0")
            }
            (false, true, false) => {
                of_write!(
                    "pg_catalog.current_setting('pgrst.inserted', true)",
                    "pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0"
                )
            }
            // All of it is cleared away afterwards in any case.
            (false, false, true) => of_write!("NULL", "false"),
            (false, true, true) => {
                of_write!("pg_catalog.current_setting('pgrst.inserted', true)", "false")
            }
        }
    }
}

/// After the ending of a read: settings of the session are what they were when it began.
pub const RESET_ALL: &str = "RESET ALL";

/// After the ending of a read whose functions may have run commands. What a cursor gives beyond its transaction
/// is computed when that is committed, so cursors go first.
pub const UNDO_COMMANDS: [&str; 3] = ["CLOSE ALL", "UNLISTEN *", "RESET SESSION AUTHORIZATION"];

/// Forgets what sequences gave to this session.
pub const FORGET_SEQUENCES: &str = "DISCARD SEQUENCES";

/// Before the settings of a request, on a session whose last one may have changed its settings. A transaction
/// takes its isolation level from the settings as it begins, so that is set again. (That it is to be read only,
/// the server tells by itself. `SET TRANSACTION` would warn that there is no `BEGIN`.)
pub const RESET_LEVEL: &str = "SET transaction_isolation = 'read committed'";

/// The same for what is said of snapshots.
pub const RESET_DEFERRABLE: &str = "SET transaction_deferrable = off";

/// The same, whatever modes the transaction has.
pub const RESET_SETTINGS: [&str; 2] = [RESET_ALL, "RESET ROLE"];

/// Clears away everything, as a separate transaction. The first answers (whether there are temporary
/// relations, commands that drop what was prepared); [`FORGET_SEQUENCES`] may follow.
pub const RESET: [&str; 6] = [
    "RESET SESSION AUTHORIZATION",
    "RESET ROLE",
    RESET_ALL,
    "CLOSE ALL",
    "UNLISTEN *",
    "SELECT pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0, \
     (SELECT pg_catalog.string_agg(\
     pg_catalog.concat('DEALLOCATE ', pg_catalog.quote_ident(name)), ';') \
     FROM pg_catalog.pg_prepared_statement() WHERE from_sql), \
     pg_catalog.pg_advisory_unlock_all()",
];

/// Drops temporary relations.
pub const DROP_TEMPORARY: &str = "DISCARD TEMP";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_its_columns_and_unlocks() {
        for bits in 0..8 {
            let ending = Ending { read_only: bits & 1 > 0, upserts: bits & 2 > 0, commands: bits & 4 > 0 };
            let text = ending.text();
            assert!(text.contains("pg_advisory_unlock_all()"), "{ending:?}");
            assert_eq!(text.contains("'role'"), ending.read_only, "{ending:?}");
            assert_eq!(text.contains("pgrst.inserted"), ending.upserts && !ending.read_only, "{ending:?}");
        }
    }
}
