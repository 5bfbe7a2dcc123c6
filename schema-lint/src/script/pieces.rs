//! Where statements begin and end: at a semicolon outside of parentheses and of a body written with `BEGIN ATOMIC`.
//! Strings, dollar quotes and comments are tokens of the lexer.

use std::ops::Range;

use squawk_lexer::{TokenKind, tokenize};

/// The ranges of all statements, from the first word to the last; empty ones are left out.
pub(super) fn split(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut piece: Option<Range<usize>> = None;
    let mut body = Body::default();
    for token in tokenize(text) {
        let here = at..at + token.len as usize;
        at = here.end;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => continue,
            TokenKind::Semi if body.is_outside() => {
                out.extend(piece.take());
                body = Body::default();
                continue;
            }
            TokenKind::OpenParen => body.n_parens += 1,
            TokenKind::CloseParen => body.n_parens = body.n_parens.saturating_sub(1),
            TokenKind::Ident => body.word(&text[here.clone()]),
            _ => {}
        }
        piece = Some(piece.map_or(here.start, |it| it.start)..here.end);
    }
    out.extend(piece);
    out
}

/// What is known of the statement at hand.
#[derive(Default)]
struct Body {
    n_parens: usize,
    /// How many `BEGIN ATOMIC … END`, and `CASE … END` within, are open.
    n_open: usize,
    n_words: usize,
    /// `CREATE [OR REPLACE] FUNCTION|PROCEDURE`; elsewhere `BEGIN` is an ordinary word.
    is_routine: bool,
    last: String,
}

impl Body {
    fn is_outside(&self) -> bool {
        self.n_parens == 0 && self.n_open == 0
    }

    fn word(&mut self, word: &str) {
        let word = word.to_ascii_lowercase();
        match (self.n_words, word.as_str()) {
            (0, "create") => self.is_routine = true,
            (1 | 3, "function" | "procedure") | (1, "or") | (2, "replace") => {}
            (0..=1, _) => self.is_routine = false,
            _ => {}
        }
        if self.is_routine && self.n_parens == 0 {
            match word.as_str() {
                "atomic" if self.last == "begin" => self.n_open += 1,
                "case" if self.n_open > 0 => self.n_open += 1,
                "end" => self.n_open = self.n_open.saturating_sub(1),
                _ => {}
            }
        }
        self.n_words += 1;
        self.last = word;
    }
}
