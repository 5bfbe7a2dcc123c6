//! How long a client may take for what, and how many connections there may be.

use std::time::Duration;

use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::config::AppConfig;

/// Where nobody says otherwise, and descriptors allow it.
const MAX_CONNECTIONS: u64 = 4096;
/// Connections of the admin server, whatever the API's are.
const ADMIN_CONNECTIONS: usize = 32;
/// Descriptors for everything that is neither a client's connection nor a connection of the pool: listening sockets,
/// the admin server's connections, what reloads and cancels, files.
const RESERVE: u64 = 32 + ADMIN_CONNECTIONS as u64;

/// How slow a client may be while it receives, in bytes a second.
pub(super) const RECEIVING_RATE: u64 = 1024;
/// How much of a body has to come within the time that may pass without progress.
pub(super) const BODY_PROGRESS: u64 = 2048;

/// Bytes of a request's target, at most.
const MAX_TARGET: usize = 64 * 1024;
/// What HTTP/1 takes where nothing is said, in bytes of a head and in headers.
const HTTP1_HEAD: usize = 400 * 1024;
const HTTP1_HEADERS: usize = 100;
/// What HTTP/2 adds to the length of each header (RFC 9113, section 6.5.2).
const HTTP2_PER_HEADER: usize = 32;

/// The limits of one listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From accepting a connection to the end of its first header, and from the first byte of another header to its end.
    pub header: Duration,
    /// Without progress of a request's body.
    pub body: Duration,
    /// Without a request.
    pub idle: Duration,
    /// Without progress of an answer.
    pub write: Duration,
    /// From being asked to stop to stopping, whatever is under way.
    pub shutdown: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Bytes of a request's headers, as `pgapp-max-header-bytes` has it.
    pub header_bytes: usize,
    /// Headers of a request, as `pgapp-max-headers` has it.
    pub headers: usize,
    /// Requests at once on a connection of HTTP/2, those included that their client has given up.
    pub streams: usize,
}

impl Limits {
    /// Of the API.
    pub fn api(conf: &AppConfig) -> Self {
        let seconds = |n: u64| if n == 0 { Duration::MAX } else { Duration::from_secs(n) };
        Self {
            header: seconds(conf.pgapp_server_header_timeout),
            body: seconds(conf.pgapp_server_body_timeout),
            idle: seconds(conf.pgapp_server_idle_timeout),
            write: seconds(conf.pgapp_server_write_timeout),
            shutdown: seconds(conf.pgapp_server_shutdown_timeout),
            connections: connections(conf.pgapp_server_max_connections, conf.db_pool, descriptors()),
            streams: conf.pgapp_server_max_streams.max(1),
            header_bytes: conf.pgapp_max_header_bytes,
            headers: conf.pgapp_max_headers,
        }
    }

    /// Lets heads through that are as large as they may be, and some that are larger: what
    /// [`crate::api_request::limits`] refuses, with words, has to come as far as that.
    pub(super) fn apply_to_heads(&self, builder: &mut auto::Builder<TokioExecutor>) {
        let head = self.header_bytes.saturating_mul(2).saturating_add(MAX_TARGET);
        let list = head.saturating_add(self.headers.saturating_mul(HTTP2_PER_HEADER));
        builder.http2().max_header_list_size(u32::try_from(list).unwrap_or(u32::MAX));
        if head > HTTP1_HEAD {
            builder.http1().max_buf_size(head);
        }
        if self.headers > HTTP1_HEADERS {
            // Slower than what needs no extra memory.
            builder.http1().max_headers(self.headers);
        }
    }

    /// Of the admin server: the same, except that its connections are its own.
    pub fn admin(conf: &AppConfig) -> Self {
        Self { connections: ADMIN_CONNECTIONS, ..Self::api(conf) }
    }
}

/// Connections that the API may have: as many as were asked for, or half of what descriptors there are beside those for
/// the database, since each answer may need a file as well.
fn connections(asked: usize, pool: usize, descriptors: u64) -> usize {
    let left = descriptors.saturating_sub(RESERVE).saturating_sub(pool as u64).max(1);
    let most = match asked {
        0 => (left / 2).min(MAX_CONNECTIONS),
        // More than there can be would be no limit at all.
        asked => left.min(asked as u64),
    };
    usize::try_from(most.max(1)).unwrap_or(usize::MAX)
}

/// How many files and sockets this process may have open.
fn descriptors() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft)
}

/// Asks for as many descriptors as this process may ask for: the soft limit is there for programs that cannot deal
/// with large numbers.
pub fn raise_descriptors() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // What cannot be had is no reason not to serve.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        assert_eq!(connections(0, 10, 1024), 475);
        assert_eq!(connections(0, 10, 1_048_576), 4096);
        assert_eq!(connections(20_000, 10, 1_048_576), 20_000);
        assert_eq!(connections(20_000, 10, 1024), 950);
        assert_eq!(connections(3, 10, 1024), 3);
        assert_eq!((connections(0, 10, 20), connections(5, 100, 20)), (1, 1));
    }

    #[test]
    fn zero_is_no_limit() {
        let conf = AppConfig { pgapp_server_idle_timeout: 0, ..AppConfig::default() };
        assert_eq!(
            (Limits::api(&conf).idle, Limits::api(&conf).body),
            (Duration::MAX, Duration::from_secs(30))
        );
        assert_eq!(Limits::admin(&conf).connections, ADMIN_CONNECTIONS);
    }
}
