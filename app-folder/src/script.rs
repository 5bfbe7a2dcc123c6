//! SQL text → its statements, each with the line it begins at. Pure.
//!
//! Statements are sent one by one, so that a failure can be told with its place. The rules of where one ends are psql's:
//! a semicolon outside of quotes, comments and parentheses, and outside of a body written with `BEGIN ATOMIC`.

/// One statement of a script, without the semicolon and without what comes before its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement<'a> {
    /// Its text.
    pub text: &'a str,
    /// Line of its first word in the script; 1 is the first.
    pub line: usize,
    /// The lines that follow a `COPY … FROM STDIN`, up to `\.`, as psql and `pg_dump` write them.
    pub data: Option<&'a str>,
}

impl<'a> Statement<'a> {
    /// The first words in lower case, at most `n`; comments between them count as blanks.
    pub fn words(&self, n: usize) -> Vec<String> {
        let mut scan = Scanner::new(self.text);
        let mut words = Vec::new();
        while words.len() < n {
            match scan.next() {
                Some(Token::Word(word)) => words.push(word.to_ascii_lowercase()),
                Some(Token::Other | Token::Quoted) => words.push(String::new()),
                Some(_) => {}
                None => break,
            }
        }
        words
    }

    /// Whether it begins or ends a transaction, which the runner does; savepoints are the script's own.
    pub fn is_transaction_control(&self) -> bool {
        let words = self.words(3);
        let word = |i: usize| words.get(i).map_or("", String::as_str);
        match word(0) {
            "begin" | "commit" | "end" | "abort" => true,
            "start" | "prepare" => word(1) == "transaction",
            "rollback" => word(1) != "to" && !(["work", "transaction"].contains(&word(1)) && word(2) == "to"),
            _ => false,
        }
    }

    /// The statement's beginning on one line, for messages.
    pub fn excerpt(&self) -> String {
        const MAX_CHARS: usize = 120;
        let flat = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if flat.chars().count() <= MAX_CHARS {
            return flat;
        }
        let head: String = flat.chars().take(MAX_CHARS).collect();
        format!("{head}…")
    }
}

/// What a script cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// A command of psql.
    #[error("line {line}: {command} is a command of psql, which no server knows; write SQL instead")]
    Psql {
        /// Its line.
        line: usize,
        /// Its first word.
        command: String,
    },
    /// A quote, comment or parenthesis that is not closed.
    #[error("line {line}: {what} begins here and does not end")]
    Open {
        /// Where it begins.
        line: usize,
        /// What.
        what: &'static str,
    },
    /// Data of a `COPY` without its end.
    #[error("line {line}: the rows of this COPY end with a line \\. and there is none")]
    OpenData {
        /// Line of the statement.
        line: usize,
    },
}

/// The statements of a script; empty ones are left out.
///
/// # Errors
/// Commands of psql, and what is not closed.
pub fn statements(sql: &str) -> Result<Vec<Statement<'_>>, ScriptError> {
    let mut out = Vec::new();
    let mut scan = Scanner::new(sql);
    let mut lines = Lines { sql, at: 0, line: 1 };
    let mut state = Body::default();
    let mut start: Option<usize> = None;
    loop {
        let from = scan.at;
        let Some(token) = scan.next() else { break };
        match token {
            Token::Blank => continue,
            Token::Open(what) => return Err(ScriptError::Open { line: lines.of(from), what }),
            Token::Other if start.is_none() && sql[from..].starts_with('\\') => {
                let command = sql[from..].split_whitespace().next().unwrap_or_default().to_owned();
                return Err(ScriptError::Psql { line: lines.of(from), command });
            }
            Token::Semicolon if state.is_outside() => {
                if let Some(start) = start.take() {
                    let mut statement =
                        Statement { text: &sql[start..from], line: lines.of(start), data: None };
                    if state.is_copy_from_stdin() {
                        let (data, end) =
                            copy_data(sql, scan.at).ok_or(ScriptError::OpenData { line: statement.line })?;
                        statement.data = Some(data);
                        scan.at = end;
                    }
                    out.push(statement);
                }
                state = Body::default();
                continue;
            }
            _ => {}
        }
        start.get_or_insert(from);
        state.take(&token);
    }
    if let Some(start) = start {
        let text = sql[start..].trim_end();
        out.push(Statement { text, line: lines.of(start), data: None });
    }
    Ok(out)
}

/// The rows after a `COPY`, and where the script goes on.
fn copy_data(sql: &str, after: usize) -> Option<(&str, usize)> {
    let start = after + sql[after..].find('\n')? + 1;
    let mut at = start;
    for line in sql[start..].split_inclusive('\n') {
        if line.trim_end_matches(['\r', '\n']) == "\\." {
            return Some((&sql[start..at], at + line.len()));
        }
        at += line.len();
    }
    None
}

/// Counts lines; asked with ascending positions, so that the text is read once.
struct Lines<'a> {
    sql: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn of(&mut self, position: usize) -> usize {
        if position < self.at {
            (self.at, self.line) = (0, 1);
        }
        self.line += self.sql.as_bytes()[self.at..position].iter().filter(|it| **it == b'\n').count();
        self.at = position;
        self.line
    }
}

/// What is known of the statement at hand.
#[derive(Default)]
struct Body {
    n_parens: usize,
    /// `CREATE [OR REPLACE] FUNCTION|PROCEDURE`: only there is `BEGIN` the begin of a body.
    is_routine: bool,
    /// Depth of `BEGIN ATOMIC … END` and of `CASE … END` within.
    n_bodies: usize,
    /// The first words, and for `COPY` the last ones.
    words: Vec<String>,
    last: [String; 2],
}

impl Body {
    fn is_outside(&self) -> bool {
        self.n_parens == 0 && self.n_bodies == 0
    }

    fn is_copy_from_stdin(&self) -> bool {
        self.words.first().is_some_and(|it| it == "copy") && self.words.iter().any(|it| it == "from stdin")
    }

    fn take(&mut self, token: &Token<'_>) {
        match token {
            Token::OpenParen => self.n_parens += 1,
            Token::CloseParen => self.n_parens = self.n_parens.saturating_sub(1),
            Token::Word(word) => self.word(&word.to_ascii_lowercase()),
            _ => {}
        }
    }

    fn word(&mut self, word: &str) {
        if self.words.len() < 4 {
            self.words.push(word.to_owned());
            let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
            self.is_routine = matches!(
                words[..],
                ["create", "function" | "procedure", ..]
                    | ["create", "or", "replace", "function" | "procedure", ..]
            );
        }
        if self.is_routine && self.n_parens == 0 {
            match word {
                "atomic" if self.last[1] == "begin" => self.n_bodies += 1,
                "case" if self.n_bodies > 0 => self.n_bodies += 1,
                "end" => self.n_bodies = self.n_bodies.saturating_sub(1),
                _ => {}
            }
        }
        if word == "stdin" && self.last[1] == "from" {
            self.words.push("from stdin".to_owned());
        }
        self.last.rotate_left(1);
        word.clone_into(&mut self.last[1]);
    }
}

/// A piece of text, as far as the end of a statement depends on it.
enum Token<'a> {
    /// White space or a comment.
    Blank,
    Word(&'a str),
    Quoted,
    Semicolon,
    OpenParen,
    CloseParen,
    Other,
    /// Not closed until the end of the text.
    Open(&'static str),
}

struct Scanner<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(sql: &'a str) -> Self {
        Self { sql, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.sql[self.at..]
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        let (len, token) = match first {
            _ if rest.starts_with("--") => (rest.find('\n').unwrap_or(rest.len()), Token::Blank),
            _ if rest.starts_with("/*") => match comment_len(rest) {
                Some(len) => (len, Token::Blank),
                None => (rest.len(), Token::Open("a comment /*")),
            },
            '\'' => quoted(quote_len(rest, b'\'', false), rest, "a text in single quotes"),
            '"' => quoted(quote_len(rest, b'"', false), rest, "a name in double quotes"),
            'e' | 'E' if rest[1..].starts_with('\'') => {
                let len = quote_len(&rest[1..], b'\'', true).map(|it| it + 1);
                quoted(len, rest, "a text in single quotes")
            }
            '$' => match dollar_len(rest) {
                Dollar::Quoted(len) => (len, Token::Quoted),
                Dollar::Open => (rest.len(), Token::Open("a text in dollar quotes")),
                Dollar::Other => (1, Token::Other),
            },
            ';' => (1, Token::Semicolon),
            '(' => (1, Token::OpenParen),
            ')' => (1, Token::CloseParen),
            it if it.is_whitespace() || it == '\u{feff}' => (it.len_utf8(), Token::Blank),
            it if is_word_start(it) => {
                // A dollar within a name does not begin a quote.
                let len = rest
                    .find(|it: char| !(is_word_start(it) || it.is_ascii_digit() || it == '$'))
                    .unwrap_or(rest.len());
                (len, Token::Word(&rest[..len]))
            }
            it => (it.len_utf8(), Token::Other),
        };
        self.at += len;
        Some(token)
    }
}

fn quoted<'a>(len: Option<usize>, rest: &str, what: &'static str) -> (usize, Token<'a>) {
    match len {
        Some(len) => (len, Token::Quoted),
        None => (rest.len(), Token::Open(what)),
    }
}

fn is_word_start(it: char) -> bool {
    it.is_ascii_alphabetic() || it == '_' || !it.is_ascii()
}

/// Length of a quoted text with its quotes; a doubled quote stays inside.
fn quote_len(text: &str, quote: u8, has_escapes: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if has_escapes => at += 2,
            it if it == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            it if it == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// Comments nest.
fn comment_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (at, depth) = (at + 2, depth + 1),
            b"*/" => {
                (at, depth) = (at + 2, depth - 1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    None
}

enum Dollar {
    Quoted(usize),
    Open,
    /// A parameter, or a stray sign.
    Other,
}

fn dollar_len(text: &str) -> Dollar {
    let Some(end) = text[1..].find('$') else { return Dollar::Other };
    let tag = &text[1..=end];
    let is_tag = tag.chars().all(|it| is_word_start(it) || it.is_ascii_digit())
        && !tag.starts_with(|it: char| it.is_ascii_digit());
    if !is_tag {
        return Dollar::Other;
    }
    let delimiter = &text[..end + 2];
    match text[delimiter.len()..].find(delimiter) {
        Some(at) => Dollar::Quoted(delimiter.len() + at + delimiter.len()),
        None => Dollar::Open,
    }
}

#[cfg(test)]
mod tests;
