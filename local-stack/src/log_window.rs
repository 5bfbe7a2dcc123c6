//! Which lines of a log are wanted: the last ones, or those since a moment.
//!
//! Postgres begins each entry with `2026-11-28 21:03:04.567 UTC`, the server with `28/Nov/2026:21:03:04 +0000` (in
//! brackets in an access line). A line without a time belongs to the entry before it.

use std::collections::VecDeque;

use jiff::fmt::strtime;
use jiff::{SignedDuration, Timestamp};

/// Which lines are wanted; by default all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogWindow {
    /// Only this many, the last ones, of each service.
    pub tail: Option<usize>,
    /// Only entries from this moment on.
    pub since: Option<Timestamp>,
}

/// The text is neither an age nor a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither a duration (30s, 5m, 2h, 1d) nor a time (2026-11-28T12:00:00Z)")]
pub struct InvalidSince(String);

/// The moment that a duration before `now`, or an RFC 3339 time, names.
pub fn parse_since(text: &str, now: Timestamp) -> Result<Timestamp, InvalidSince> {
    let invalid = || InvalidSince(text.to_owned());
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let unit = text.chars().last().ok_or_else(invalid)?;
    let seconds: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(invalid()),
    };
    let count: u32 = text[..text.len() - 1].parse().map_err(|_| invalid())?;
    now.checked_sub(SignedDuration::from_secs(i64::from(count) * seconds)).map_err(|_| invalid())
}

/// The moment at which a log line says that it was written.
fn time_of(line: &str) -> Option<Timestamp> {
    postgres_time(line).or_else(|| server_time(line))
}

fn postgres_time(line: &str) -> Option<Timestamp> {
    let mut words = line.split(' ');
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    // The stack's databases log in UTC; another zone would need its rules to be read.
    if date.len() != 10 || !matches!(zone, "UTC" | "GMT") {
        return None;
    }
    format!("{date}T{time}Z").parse().ok()
}

fn server_time(line: &str) -> Option<Timestamp> {
    // An access line has the client's address and the role before it.
    let starts = [Some(0), line.find('[').map(|it| it + 1)];
    starts.into_iter().flatten().find_map(|start| {
        let text = line.get(start..start + "28/Nov/2026:21:03:04 +0000".len())?;
        strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).ok()?.to_timestamp().ok()
    })
}

/// Takes the lines that a log holds now and keeps those that are wanted.
pub(crate) struct Selection {
    window: LogWindow,
    is_recent: bool,
    kept: VecDeque<String>,
}

impl Selection {
    pub(crate) fn new(window: LogWindow) -> Self {
        Self { window, is_recent: window.since.is_none(), kept: VecDeque::new() }
    }

    /// Takes the next line; gives back one that can be handed on at once.
    pub(crate) fn offer(&mut self, line: String) -> Option<String> {
        // Entries of one log are in the order of their times.
        if !self.is_recent
            && let (Some(since), Some(time)) = (self.window.since, time_of(&line))
        {
            self.is_recent = time >= since;
        }
        if !self.is_recent {
            return None;
        }
        let Some(tail) = self.window.tail else { return Some(line) };
        self.kept.push_back(line);
        if self.kept.len() > tail {
            self.kept.pop_front();
        }
        None
    }

    /// The kept lines, oldest first.
    pub(crate) fn take(&mut self) -> VecDeque<String> {
        std::mem::take(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn ages_and_times_name_a_moment() {
        let now = at("2026-11-28T12:00:00Z");
        for (text, expected) in [
            ("30s", "2026-11-28T11:59:30Z"),
            ("5m", "2026-11-28T11:55:00Z"),
            ("2h", "2026-11-28T10:00:00Z"),
            ("1d", "2026-11-27T12:00:00Z"),
            ("2026-11-28T01:02:03+01:00", "2026-11-28T00:02:03Z"),
        ] {
            assert_eq!(parse_since(text, now), Ok(at(expected)), "{text}");
        }
        for bad in ["", "5", "m", "-5m", "5w", "yesterday", "99999999999d", "5µ"] {
            assert!(parse_since(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn both_kinds_of_lines_tell_their_time() {
        for (line, expected) in [
            ("2026-11-28 21:03:04.567 UTC [12] LOG:  ready", "2026-11-28T21:03:04.567Z"),
            ("28/Nov/2026:21:03:04 +0000: Starting", "2026-11-28T21:03:04Z"),
            (
                r#"127.0.0.1 - web_anon [28/Nov/2026:22:03:04 +0100] "GET / HTTP/1.1" 200"#,
                "2026-11-28T21:03:04Z",
            ),
        ] {
            assert_eq!(time_of(line), Some(at(expected)), "{line}");
        }
        for line in ["", "  detail", "\tSELECT 1", "2026-11-28", "é [ü"] {
            assert_eq!(time_of(line), None, "{line}");
        }
    }

    #[test]
    fn lines_without_a_time_belong_to_the_entry_before_them() {
        let window = LogWindow { tail: Some(2), since: Some(at("2026-11-28T21:03:00Z")) };
        let mut selection = Selection::new(window);
        let lines = [
            "2026-11-28 21:02:59.000 UTC [1] ERROR:  old",
            "  old detail",
            "2026-11-28 21:03:00.000 UTC [1] ERROR:  first",
            "  first detail",
            "2026-11-28 21:03:01.000 UTC [1] ERROR:  second",
        ];
        for line in lines {
            assert_eq!(selection.offer(line.to_owned()), None);
        }
        assert_eq!(Vec::from(selection.take()), lines[3..]);
    }
}
