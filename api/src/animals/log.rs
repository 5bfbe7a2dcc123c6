//! Log lines of the animals app: JSON on standard output, as Lambda's log groups and their queries read them.
//!
//! `timestamp` and `level` are where Lambda looks for them. What belongs to one invocation is in `span`: `requestId`,
//! and `xrayTraceId` where the request is traced.

use tracing::level_filters::LevelFilter;

/// Sends log lines to standard output from now on, in the level of `AWS_LAMBDA_LOG_LEVEL`, else `INFO`.
pub fn json() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level_filter(level.as_deref()))
        .finish();
    // Whoever embeds this may have one already; theirs stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Lambda's names of levels.
fn level_filter(name: Option<&str>) -> LevelFilter {
    match name {
        Some("TRACE") => LevelFilter::TRACE,
        Some("DEBUG") => LevelFilter::DEBUG,
        Some("WARN") => LevelFilter::WARN,
        Some("ERROR" | "FATAL") => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_lambda() {
        assert_eq!(level_filter(Some("DEBUG")), LevelFilter::DEBUG);
        assert_eq!(level_filter(Some("FATAL")), LevelFilter::ERROR);
        assert_eq!(level_filter(Some("nonsense")), LevelFilter::INFO);
        assert_eq!(level_filter(None), LevelFilter::INFO);
    }
}
