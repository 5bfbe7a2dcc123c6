//! Where text goes: data to stdout, everything else to stderr. Colour follows the stream and `NO_COLOR`.

use std::io::Write;

use owo_colors::OwoColorize;

/// Prints data to stdout. A reader that went away is not an error.
pub(crate) fn data(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}

/// Prints a message for people to stderr.
pub(crate) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints a failure: what failed, then each cause on its own line.
pub(crate) fn failure(error: &anyhow::Error) {
    let mut err = anstream::stderr();
    let _ = writeln!(err, "{} {error}", "error:".red().bold());
    let mut previous = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Some libraries repeat their cause in their own text; say everything once.
        if !previous.contains(&text) {
            let _ = writeln!(err, "  {} {text}", "because:".dimmed());
        }
        previous = text;
    }
    if let Some(hint) = error.downcast_ref::<local_stack::Error>().and_then(local_stack::Error::hint) {
        for (index, line) in hint.lines().enumerate() {
            let _ = writeln!(err, "  {:<8} {line}", if index == 0 { "hint:" } else { "" });
        }
    }
}
