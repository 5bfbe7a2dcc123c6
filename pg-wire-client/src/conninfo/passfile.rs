//! The password file: `host:port:database:user:password` by line.

use std::path::PathBuf;

use super::keywords::Options;
use super::{Host, Secret, Surroundings};

/// Gives each host its password; returns what to say when login fails nevertheless.
pub(super) fn apply(
    hosts: &mut [Host],
    dbname: &str,
    user: &str,
    options: &Options,
    around: &dyn Surroundings,
) -> Option<String> {
    let path = match options.get("passfile") {
        Some(path) => PathBuf::from(path),
        None => around.home()?.join(".pgpass"),
    };
    let text = around.read(&path).ok()?;
    if around.accessible_to_others(&path) {
        return Some(format!(
            "password file \"{}\" has group or world access; permissions should be u=rw (0600) or less",
            path.display()
        ));
    }
    let mut used = false;
    for host in hosts {
        let port = host.port.to_string();
        // The default socket is known as `localhost` here.
        let name = host.name.as_deref().unwrap_or("localhost");
        let addr = host.addr.map(|it| it.to_string());
        let name = if host.name.is_none() { addr.as_deref().unwrap_or(name) } else { name };
        host.password = lookup(&text, &[name, &port, dbname, user]).map(Secret::new);
        used |= host.password.is_some();
    }
    used.then(|| format!("password retrieved from file \"{}\"", path.display()))
}

/// The password of the first line whose fields match.
fn lookup(text: &str, wanted: &[&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line;
        for field in wanted {
            let (value, tail) = take_field(rest)?;
            // Only an unescaped asterisk is a wildcard.
            if value != *field && !rest.starts_with("*:") {
                return None;
            }
            rest = tail;
        }
        Some(unescape(rest))
    })
}

/// The field before the next colon, unescaped, and what follows the colon.
fn take_field(text: &str) -> Option<(String, &str)> {
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return Some((unescape(&text[..i]), &text[i + 1..])),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut chars = text.chars();
    let mut out = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}
