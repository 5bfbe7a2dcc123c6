//! `keyword = 'value' …`.

use super::ConnInfoError;
use super::keywords::Options;

/// Reads keyword/value text.
pub(super) fn parse(text: &str, options: &mut Options) -> Result<(), ConnInfoError> {
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        if chars.peek().is_none() {
            return Ok(());
        }
        let mut keyword = String::new();
        while let Some(c) = chars.next_if(|it| *it != '=' && !it.is_ascii_whitespace()) {
            keyword.push(c);
        }
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        if chars.next() != Some('=') {
            // What follows an unquoted password with a space in it is part of the password.
            let keyword = if options.get("password").is_some() { "***" } else { &*keyword };
            return Err(ConnInfoError::Syntax(format!(
                "missing \"=\" after \"{keyword}\" in connection info string"
            )));
        }
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        let mut value = String::new();
        if chars.next_if_eq(&'\'').is_some() {
            loop {
                match chars.next() {
                    Some('\'') => break,
                    Some('\\') => value.extend(chars.next()),
                    Some(c) => value.push(c),
                    None => {
                        return Err(ConnInfoError::Syntax(
                            "unterminated quoted string in connection info string".into(),
                        ));
                    }
                }
            }
        } else {
            while let Some(c) = chars.next_if(|it| !it.is_ascii_whitespace()) {
                match c {
                    '\\' => value.extend(chars.next()),
                    c => value.push(c),
                }
            }
        }
        if !options.set(&keyword, value) {
            return Err(ConnInfoError::UnknownOption(keyword));
        }
    }
}
