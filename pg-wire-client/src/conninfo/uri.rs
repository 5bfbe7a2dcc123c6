//! `postgresql://user:password@host:port,host:port/dbname?keyword=value`.

use super::ConnInfoError;
use super::keywords::Options;

/// What follows the scheme, when the text is a URI.
pub(super) fn strip_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://"))
}

/// Reads a URI; `rest` is what follows the scheme in `whole`.
pub(super) fn parse(whole: &str, rest: &str, options: &mut Options) -> Result<(), ConnInfoError> {
    let mut rest = rest;
    // Credentials end at the first `@`, unless a path starts before it.
    if let Some(end) = rest.find(['@', '/']).filter(|it| rest[*it..].starts_with('@')) {
        let (user, password) = match rest[..end].split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (&rest[..end], None),
        };
        store(options, "user", user)?;
        store(options, "password", password.unwrap_or(""))?;
        rest = &rest[end + 1..];
    }

    let (mut hosts, mut ports) = (String::new(), String::new());
    loop {
        if let Some(bracketed) = rest.strip_prefix('[') {
            let end = bracketed.find(']').ok_or_else(|| {
                syntax(format!(
                    "end of string reached when looking for matching \"]\" in IPv6 host address in URI: \"{}\"",
                    masked(whole)
                ))
            })?;
            if end == 0 {
                return Err(syntax(format!(
                    "IPv6 host address may not be empty in URI: \"{}\"",
                    masked(whole)
                )));
            }
            hosts.push_str(&bracketed[..end]);
            rest = &bracketed[end + 1..];
            if let Some(c) = rest.chars().next().filter(|it| !":/?,".contains(*it)) {
                return Err(syntax(format!(
                    "unexpected character \"{c}\" at position {} in URI (expected \":\" or \"/\"): \"{}\"",
                    whole.len() - rest.len() + 1,
                    masked(whole)
                )));
            }
        } else {
            let end = rest.find([':', '/', '?', ',']).unwrap_or(rest.len());
            hosts.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        if let Some(after) = rest.strip_prefix(':') {
            let end = after.find(['/', '?', ',']).unwrap_or(after.len());
            ports.push_str(&after[..end]);
            rest = &after[end..];
        }
        let Some(after) = rest.strip_prefix(',') else { break };
        hosts.push(',');
        ports.push(',');
        rest = after;
    }
    store(options, "host", &hosts)?;
    store(options, "port", &ports)?;

    if let Some(path) = rest.strip_prefix('/') {
        let end = path.find('?').unwrap_or(path.len());
        store(options, "dbname", &path[..end])?;
        rest = &path[end..];
    }
    match rest.strip_prefix('?') {
        Some(query) => parse_query(query, options),
        None => Ok(()),
    }
}

fn parse_query(query: &str, options: &mut Options) -> Result<(), ConnInfoError> {
    for pair in query.split('&').filter(|it| !it.is_empty()) {
        let Some((keyword, value)) = pair.split_once('=') else {
            return Err(syntax(format!(
                "missing key/value separator \"=\" in URI query parameter: \"{pair}\""
            )));
        };
        if value.contains('=') {
            return Err(syntax(format!(
                "extra key/value separator \"=\" in URI query parameter: \"{keyword}\""
            )));
        }
        let (keyword, value) = (decode(keyword)?, decode(value)?);
        // What JDBC calls `ssl=true`.
        let known = match (&*keyword, &*value) {
            ("ssl", "true") => options.set("sslmode", "require".into()),
            _ => options.set(&keyword, value),
        };
        if !known {
            return Err(syntax(format!("invalid URI query parameter: \"{keyword}\"")));
        }
    }
    Ok(())
}

fn store(options: &mut Options, keyword: &str, value: &str) -> Result<(), ConnInfoError> {
    if !value.is_empty() {
        options.set(keyword, decode(value)?);
    }
    Ok(())
}

fn decode(text: &str) -> Result<String, ConnInfoError> {
    // The offending token is named, not the text: it may be a password.
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let hex = |it: u8| (it as char).to_digit(16);
        let byte = match tail {
            [high, low, ..] => hex(*high).zip(hex(*low)).and_then(|(h, l)| u8::try_from(h * 16 + l).ok()),
            _ => None,
        };
        match byte {
            None => return Err(syntax("invalid percent-encoded token in URI".into())),
            Some(0) => {
                return Err(syntax("forbidden value %00 in percent-encoded value".into()));
            }
            Some(byte) => bytes.push(byte),
        }
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| syntax("a percent-encoded value in URI is not UTF-8".into()))
}

/// The URI without its password, for messages.
fn masked(whole: &str) -> String {
    match (whole.find("://"), whole.find('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => match whole[scheme + 3..at].find(':') {
            Some(colon) => {
                format!("{}:***{}", &whole[..scheme + 3 + colon], &whole[at..])
            }
            None => whole.into(),
        },
        _ => whole.into(),
    }
}

fn syntax(message: String) -> ConnInfoError {
    ConnInfoError::Syntax(message)
}
