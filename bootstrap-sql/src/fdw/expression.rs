//! Recognises default expressions of the origin that mean the same in the custom database: constants, casts, the
//! clock, random UUIDs. Everything that is not recognised is evaluated by the origin.
//!
//! The text comes from another server and is put into DDL, so this is a list of what is let through, not of what is
//! kept out: no semicolon, no comment, no unbalanced parenthesis and no unknown function can pass.

/// Functions of `pg_catalog` whose result does not depend on which database they are called in.
const FUNCTIONS: [&str; 7] = [
    "now",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "timezone",
    "gen_random_uuid",
    "make_interval",
];

/// Words that stand alone. `CURRENT_USER` is not among them: the origin would see another user.
const WORDS: [&str; 12] = [
    "true",
    "false",
    "null",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "localtime",
    "array",
    "at",
    "time",
    "zone",
];

/// Words that continue the name of a type, as in `timestamp with time zone`.
const TYPE_WORDS: [&str; 6] = ["with", "without", "time", "zone", "varying", "precision"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// A quoted identifier; only ever the name of a type.
    QuotedIdent,
    Constant,
    Cast,
    Symbol(char),
}

/// Whether `expression`, as `pg_get_expr` writes it, may be evaluated locally.
pub(super) fn means_the_same_here(expression: &str) -> bool {
    tokens(expression).is_some_and(|tokens| is_allowed(&tokens))
}

fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, len) = match first {
            '\'' => (Token::Constant, quoted_len(rest, '\'')?),
            '"' => (Token::QuotedIdent, quoted_len(rest, '"')?),
            ':' if rest.starts_with("::") => (Token::Cast, 2),
            '0'..='9' => (Token::Constant, run_len(rest, |it| it.is_ascii_digit() || it == '.')),
            'a'..='z' | 'A'..='Z' | '_' => {
                let len = run_len(rest, |it| it.is_ascii_alphanumeric() || it == '_');
                // E'…', B'…' and the like: escapes would need a second reading of the constant.
                if rest[len..].starts_with('\'') {
                    return None;
                }
                (Token::Word(&rest[..len]), len)
            }
            // A sign before a number; two of them would open a comment.
            '-' if !rest.starts_with("--") => (Token::Symbol('-'), 1),
            '(' | ')' | '[' | ']' | ',' | '.' => (Token::Symbol(first), 1),
            _ => return None,
        };
        out.push(token);
        rest = rest[len..].trim_start();
    }
    Some(out)
}

fn run_len(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|it| !belongs(it)).unwrap_or(rest.len())
}

/// Length of a quoted token. A backslash is refused: its meaning depends on a setting.
fn quoted_len(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, it)) = chars.next() {
        if it == '\\' {
            return None;
        }
        if it == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

fn is_allowed(tokens: &[Token<'_>]) -> bool {
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            Token::Cast => match type_len(&tokens[at..]) {
                Some(len) => at += len,
                None => return false,
            },
            Token::Word(word) => {
                let word = word.to_ascii_lowercase();
                let is_call = tokens.get(at) == Some(&Token::Symbol('('));
                let list: &[&str] = if is_call { &FUNCTIONS } else { &WORDS };
                if !list.contains(&word.as_str()) {
                    return false;
                }
            }
            Token::Symbol(it @ ('(' | '[')) => open.push(*it),
            Token::Symbol(')') if open.pop() != Some('(') => return false,
            Token::Symbol(']') if open.pop() != Some('[') => return false,
            // A comma outside of parentheses would end the expression.
            Token::Symbol(',') if open.is_empty() => return false,
            Token::Symbol('.') | Token::QuotedIdent => return false,
            Token::Symbol(_) | Token::Constant => {}
        }
    }
    open.is_empty() && !tokens.is_empty()
}

/// Number of tokens of a type name after `::`.
fn type_len(tokens: &[Token<'_>]) -> Option<usize> {
    let is_name = |at: usize| matches!(tokens.get(at), Some(Token::Word(_) | Token::QuotedIdent));
    if !is_name(0) {
        return None;
    }
    let mut at = 1;
    if tokens.get(at) == Some(&Token::Symbol('.')) && is_name(at + 1) {
        at += 2;
    }
    loop {
        match tokens.get(at) {
            Some(Token::Word(word)) if TYPE_WORDS.contains(&word.to_ascii_lowercase().as_str()) => at += 1,
            // Modifiers and array brackets hold numbers and commas only.
            Some(Token::Symbol('(' | '[')) => {
                let close = tokens[at..].iter().position(|it| matches!(it, Token::Symbol(')' | ']')))?;
                let inside = &tokens[at + 1..at + close];
                if !inside.iter().all(|it| matches!(it, Token::Constant | Token::Symbol(','))) {
                    return None;
                }
                at += close + 1;
            }
            _ => return Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_casts_and_the_clock_mean_the_same_here() {
        for expression in [
            "0",
            "'-1'::integer",
            "(-1.5)",
            "'it''s'::text",
            "'draft'::character varying(10)",
            "'ok'::public.mood",
            "'ok'::public.\"Mood\"[]",
            "'{}'::jsonb",
            "true",
            "NULL::timestamp(3) without time zone",
            "now()",
            "CURRENT_TIMESTAMP",
            "timezone('utc'::text, now())",
            "(now() AT TIME ZONE 'utc'::text)",
            "gen_random_uuid()",
            "ARRAY['a'::text, 'b'::text]",
        ] {
            assert!(means_the_same_here(expression), "{expression}");
        }
    }

    #[test]
    fn the_rest_is_left_to_the_origin() {
        for expression in [
            "",
            "nextval('public.t_id_seq'::regclass)",
            "public.gen_code()",
            "gen_code()",
            "CURRENT_USER",
            "\"current_user\"()",
            "pg_catalog.now()",
            "'a'::text || 'b'::text",
            "(SELECT 1)",
        ] {
            assert!(!means_the_same_here(expression), "{expression}");
        }
    }

    #[test]
    fn nothing_can_escape_the_expression() {
        for expression in [
            "0; DROP TABLE t",
            "0), ALTER COLUMN x DROP DEFAULT, ALTER COLUMN y SET DEFAULT (1",
            "0, DROP COLUMN x",
            "0)",
            "(0",
            "[0)",
            "0 -- x",
            "0 /* x */",
            r"'a\'; DROP TABLE t; --'",
            r"E'a\'; DROP TABLE t; --'",
            "$$a$$",
            "'unterminated",
            "1::int4(now())",
            "1::text, DROP COLUMN x",
        ] {
            assert!(!means_the_same_here(expression), "{expression}");
        }
    }

    proptest::proptest! {
        /// Outside of quotes, what passes has balanced parentheses, no comma at the top and none of the characters
        /// that could begin something else.
        #[test]
        fn what_passes_is_one_expression(expression in r#"(['"(),;:.a-z0-9é\\\[\]-]|now\(\)|::text|null|''){0,12}"#) {
            if means_the_same_here(&expression) {
                let mut quote = None;
                let mut depth = 0_i32;
                for it in expression.chars() {
                    match (quote, it) {
                        (Some(open), it) if it == open => quote = None,
                        (Some(_), _) => {}
                        (None, '\'' | '"') => quote = Some(it),
                        (None, '(' | '[') => depth += 1,
                        (None, ')' | ']') => depth -= 1,
                        (None, ',') => proptest::prop_assert!(depth > 0),
                        (None, it) => proptest::prop_assert!(!";\\é".contains(it)),
                    }
                    proptest::prop_assert!(depth >= 0);
                }
                proptest::prop_assert!(depth == 0 && quote.is_none());
            }
        }
    }
}
