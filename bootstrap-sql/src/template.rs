//! Placeholders in step files, written as psql writes them: `:"name"` becomes a quoted identifier, `:'name'` a quoted
//! literal. Pure text work.
//!
//! Like psql, nothing is replaced inside string constants, dollar-quoted bodies, quoted identifiers and comments. A
//! body that needs a variable reads it from a transaction-local setting (see `sql/README.md`), so a value is never
//! pasted into nested quoting.

use crate::quote;
use crate::vars::{LookupError, Value, Vars};

/// Why a step file cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The file names a variable that does not exist.
    #[error("line {line}: unknown variable \"{name}\"")]
    UnknownVariable {
        /// 1-based line in the file.
        line: usize,
        /// Name as written.
        name: String,
    },
    /// The caller did not give a value that the file needs.
    #[error("line {line}: variable \"{name}\" has no value")]
    UnsetVariable {
        /// 1-based line in the file.
        line: usize,
        /// Name as written.
        name: String,
    },
    /// `:"name"` with something that is not a name.
    #[error("line {line}: variable \"{name}\" is not an identifier, write :'{name}'")]
    NotAnIdentifier {
        /// 1-based line in the file.
        line: usize,
        /// Name as written.
        name: String,
    },
    /// A quote, comment or dollar quote that never ends.
    #[error("line {line}: unterminated {what}")]
    Unterminated {
        /// 1-based line in the file.
        line: usize,
        /// What was opened.
        what: &'static str,
    },
}

/// One piece of SQL text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Copied as it is: everything that is not a placeholder.
    Text(&'a str),
    /// `:"name"`.
    IdentPlaceholder(&'a str),
    /// `:'name'`.
    LiteralPlaceholder(&'a str),
}

/// Renders a step file.
pub(crate) fn render(sql: &str, vars: &Vars) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(sql.len());
    let mut line = 1;
    for piece in pieces(sql)? {
        let value = |name: &str| {
            vars.lookup(name).map_err(|it| match it {
                LookupError::Unknown => TemplateError::UnknownVariable { line, name: name.to_owned() },
                LookupError::Unset => TemplateError::UnsetVariable { line, name: name.to_owned() },
            })
        };
        match piece {
            Piece::Text(text) => {
                out.push_str(text);
                line += text.matches('\n').count();
            }
            Piece::IdentPlaceholder(name) => match value(name)? {
                Value::Ident(it) => out.push_str(&it.quoted()),
                Value::Flag(_) => {
                    return Err(TemplateError::NotAnIdentifier { line, name: name.to_owned() });
                }
            },
            Piece::LiteralPlaceholder(name) => match value(name)? {
                Value::Ident(it) => out.push_str(&quote::literal(it.as_str())),
                Value::Flag(it) => out.push_str(if it { "'true'" } else { "'false'" }),
            },
        }
    }
    Ok(out)
}

/// Cuts SQL text into placeholders and the rest.
pub(crate) fn pieces(sql: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let bytes = sql.as_bytes();
    let mut out = Vec::new();
    let mut text_start = 0;
    let mut pos = 0;
    while pos < bytes.len() {
        let rest = &sql[pos..];
        if rest.starts_with("::") {
            pos += 2;
            continue;
        }
        if let Some((piece, len)) = placeholder(rest) {
            out.push(Piece::Text(&sql[text_start..pos]));
            out.push(piece);
            pos += len;
            text_start = pos;
            continue;
        }
        pos += opaque_len(sql, pos)?;
    }
    out.push(Piece::Text(&sql[text_start..]));
    Ok(out)
}

fn placeholder(rest: &str) -> Option<(Piece<'_>, usize)> {
    let mut chars = rest.bytes();
    if chars.next() != Some(b':') {
        return None;
    }
    let quote = chars.next().filter(|it| matches!(it, b'"' | b'\''))?;
    let name_len = rest[2..].bytes().take_while(|it| it.is_ascii_alphanumeric() || *it == b'_').count();
    if name_len == 0 || rest.as_bytes().get(2 + name_len) != Some(&quote) {
        return None;
    }
    let name = &rest[2..2 + name_len];
    let piece = if quote == b'"' { Piece::IdentPlaceholder(name) } else { Piece::LiteralPlaceholder(name) };
    Some((piece, name_len + 3))
}

/// Length of what starts at `pos` and holds no placeholder: a comment, a quoted thing, a word, or one character.
fn opaque_len(sql: &str, pos: usize) -> Result<usize, TemplateError> {
    let rest = &sql[pos..];
    let unterminated =
        |what| TemplateError::Unterminated { line: 1 + sql[..pos].matches('\n').count(), what };
    let first = rest.chars().next().map_or(0, char::len_utf8);
    Ok(match rest.as_bytes()[0] {
        b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
        b'/' if rest.starts_with("/*") => block_comment_len(rest).ok_or_else(|| unterminated("comment"))?,
        b'\'' => quoted_len(rest, '\'', false).ok_or_else(|| unterminated("string constant"))?,
        b'"' => quoted_len(rest, '"', false).ok_or_else(|| unterminated("quoted identifier"))?,
        b'e' | b'E' if rest[1..].starts_with('\'') => {
            1 + quoted_len(&rest[1..], '\'', true).ok_or_else(|| unterminated("string constant"))?
        }
        b'$' => match dollar_tag(rest) {
            Some(tag) => {
                let body = &rest[tag.len()..];
                let end = body.find(tag).ok_or_else(|| unterminated("dollar-quoted string"))?;
                end + 2 * tag.len()
            }
            None => 1,
        },
        // A whole word at once, so that the `e` ending a word is not taken for the start of E'…'.
        it if it.is_ascii_alphanumeric() || it == b'_' || !it.is_ascii() => rest
            .char_indices()
            .find(|(_, c)| !(c.is_alphanumeric() || matches!(c, '_' | '$')))
            .map_or(rest.len(), |(at, _)| at)
            .max(first),
        _ => first,
    })
}

fn quoted_len(rest: &str, quote: char, backslash_escapes: bool) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if backslash_escapes && c == '\\' {
            chars.next();
        } else if c == quote {
            if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
            } else {
                return Some(at + c.len_utf8());
            }
        }
    }
    None
}

fn block_comment_len(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut pos = 0;
    while pos < rest.len() {
        let here = &rest.as_bytes()[pos..];
        if here.starts_with(b"/*") {
            depth += 1;
            pos += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            pos += 2;
            if depth == 0 {
                return Some(pos);
            }
        } else {
            pos += 1;
        }
    }
    None
}

fn dollar_tag(rest: &str) -> Option<&str> {
    let end = rest[1..].find('$')? + 1;
    let name = &rest[1..end];
    let valid = name.chars().all(|it| it.is_alphanumeric() || it == '_')
        && !name.starts_with(|it: char| it.is_ascii_digit());
    valid.then(|| &rest[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quote::Ident;

    #[track_caller]
    fn check(sql: &str, expected: &str) {
        let vars = Vars { web_anon: Ident::new(r#"an"on's"#).unwrap(), ..Vars::default() };
        assert_eq!(render(sql, &vars).unwrap(), expected);
    }

    #[test]
    fn placeholders_are_quoted_by_their_form() {
        check(r#"GRANT x TO :"web_anon";"#, r#"GRANT x TO "an""on's";"#);
        check(":'web_anon'", r#"'an"on''s'"#);
        check(":'sample_table'::boolean", "'true'::boolean");
    }

    #[test]
    fn nothing_is_replaced_inside_quotes_bodies_and_comments() {
        for sql in [
            "SELECT ':''web_anon'''",
            r#"SELECT 1 AS ":'web_anon'""#,
            "-- :'web_anon'\nSELECT 1",
            "/* a /* :'web_anon' */ :'web_anon' */ SELECT 1",
            "DO $$ BEGIN PERFORM :'web_anon'; END $$",
            "DO $do$ :'web_anon' $$ :'web_anon' $do$",
            r"SELECT E'\':''web_anon'''",
            "SELECT 'a'::text, x[1:2], 'é' AS ü$1",
        ] {
            check(sql, sql);
        }
    }

    #[test]
    fn word_ending_in_e_before_a_string_is_not_an_escape_string() {
        check(r"SELECT date'2026-01-01\', :'web_anon'", r#"SELECT date'2026-01-01\', 'an"on''s'"#);
    }

    #[test]
    fn errors_name_the_line_and_the_variable() {
        let vars = Vars::default();
        assert_eq!(
            render("SELECT 1;\nSELECT :'nope'", &vars),
            Err(TemplateError::UnknownVariable { line: 2, name: "nope".into() })
        );
        assert_eq!(
            render(":'iam_user'", &vars),
            Err(TemplateError::UnsetVariable { line: 1, name: "iam_user".into() })
        );
        assert_eq!(
            render(":\"sample_table\"", &vars),
            Err(TemplateError::NotAnIdentifier { line: 1, name: "sample_table".into() })
        );
        assert_eq!(
            render("SELECT 1;\n$a$ x", &vars),
            Err(TemplateError::Unterminated { line: 2, what: "dollar-quoted string" })
        );
    }

    proptest::proptest! {
        #[test]
        fn cutting_never_panics_and_loses_nothing(sql in r#"([:'"$a-eE_\\/*;é\n -]|:'web_anon'|\$a\$){0,40}"#) {
            if let Ok(pieces) = pieces(&sql) {
                let whole: String = pieces
                    .iter()
                    .map(|it| match it {
                        Piece::Text(text) => (*text).to_owned(),
                        Piece::IdentPlaceholder(name) => format!(":\"{name}\""),
                        Piece::LiteralPlaceholder(name) => format!(":'{name}'"),
                    })
                    .collect();
                proptest::prop_assert_eq!(whole, sql);
            }
        }
    }
}
