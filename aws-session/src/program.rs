//! The manners of our programs: data to stdout, everything else to stderr; exit codes; what Ctrl-C means.

use std::io::Write;

use anyhow::Context;

/// Exit code of what the user interrupted.
pub const INTERRUPTED: u8 = 130;

/// Prints a message.
pub fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints data.
///
/// # Errors
/// When stdout cannot be written to, but for a reader that has seen enough.
pub fn data(text: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        // A reader that has seen enough, such as `head`.
        Err(err) if err.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("write to stdout"),
    }
}

/// Prints an error with its causes.
pub fn complain(err: &anyhow::Error) {
    note(&format!("error: {err:#}"));
}

/// Returns at Ctrl-C and when another process asks this one to end. It goes on when its terminal closes under `nohup`.
pub async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// The same, and when the terminal closes: for a program that has something to say before it ends.
pub async fn interrupted_or_hung_up() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut hang_up) = signal(SignalKind::hangup()) {
            tokio::select! {
                () = interrupted() => {}
                _ = hang_up.recv() => {}
            }
            return;
        }
    }
    interrupted().await;
}

/// `NAME='value'` lines for a shell.
pub fn exports<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let lines =
        pairs.into_iter().map(|(name, value)| format!("export {name}='{}'", value.replace('\'', r"'\''")));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exported_values_are_quoted_for_a_shell() {
        assert_eq!(exports([("A", "x"), ("B", "it's $HOME")]), "export A='x'\nexport B='it'\\''s $HOME'");
    }
}
