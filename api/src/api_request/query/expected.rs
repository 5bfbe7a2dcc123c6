//! What a grammar expected where it failed, and how that is told to the caller.
//!
//! Clients match on these texts, so the rules are those of the Parsec library that PostgREST's grammar is
//! written with: a failure keeps the farthest place only, failures at one place are united, and a label
//! stands for everything its parser would have accepted.

use std::fmt::Write as _;

use crate::error::ApiRequestError;

/// Something the grammar would have accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Named by the grammar; shown bare.
    Label(&'static str),
    /// Fixed text; shown quoted.
    Text(&'static str),
    /// One character; shown quoted.
    Char(char),
}

/// One fact about a failure. The order of the variants is the order of rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// A character (or the end, `None`) that no parser took.
    Unconsumed(Option<char>),
    /// A character that a parser refused on purpose; hides [`Message::Unconsumed`].
    Refused(char),
    /// What would have been accepted.
    Expected(Expected),
    /// A whole sentence.
    Note(&'static str),
}

/// A failure, or (on success) what else could have been accepted at the place reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failure {
    offset: usize,
    messages: Vec<Message>,
}

impl Failure {
    pub(super) fn new(offset: usize, messages: Vec<Message>) -> Self {
        Self { offset, messages }
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
    }

    /// Unites two failures: one that says something beats one that does not, then the farther one wins,
    /// then both are told.
    pub(super) fn merge(mut self, mut other: Self) -> Self {
        match (self.messages.is_empty(), other.messages.is_empty()) {
            (_, true) => self,
            (true, false) => other,
            (false, false) if self.offset > other.offset => self,
            (false, false) if self.offset < other.offset => other,
            (false, false) => {
                self.messages.append(&mut other.messages);
                self
            }
        }
    }

    /// Replaces everything expected with one label. Says nothing where nothing was said.
    pub(super) fn labelled(mut self, label: &'static str, even_if_silent: bool) -> Self {
        if !self.messages.is_empty() || even_if_silent {
            self.messages.retain(|message| !matches!(message, Message::Expected(_)));
            self.messages.insert(0, Message::Expected(Expected::Label(label)));
        }
        self
    }

    /// The error for the caller. `what` names the parsed thing, `text` is what was parsed.
    pub(super) fn into_error(self, what: &str, text: &str) -> ApiRequestError {
        let (line, column) = position(text, self.offset);
        ApiRequestError::QueryParam(format!("\"{what}\" (line {line}, column {column})"), self.details())
    }

    fn details(&self) -> String {
        if self.messages.is_empty() {
            return "unknown parse error".to_owned();
        }
        // A limit of ours was met: what the grammar would have liked instead says nothing.
        if let Some(note) = self.messages.iter().find_map(|message| match message {
            Message::Note(note) => Some(*note),
            _ => None,
        }) {
            return note.to_owned();
        }
        let mut parts = Vec::new();
        let refused = self.collect(|message| match message {
            Message::Refused(c) => Some(quote_char(*c)),
            _ => None,
        });
        if !refused.is_empty() {
            parts.push(format!("unexpected {}", enumerate(&refused)));
        } else if let Some(found) = self.messages.iter().find_map(|message| match message {
            Message::Unconsumed(found) => Some(*found),
            _ => None,
        }) {
            let found =
                found.map_or_else(|| "end of input".to_owned(), |c| quote(c.encode_utf8(&mut [0; 4])));
            parts.push(format!("unexpected {found}"));
        }
        let expected = self.collect(|message| match message {
            Message::Expected(Expected::Label(label)) => Some((*label).to_owned()),
            Message::Expected(Expected::Text(text)) => Some(quote(text)),
            Message::Expected(Expected::Char(c)) => Some(quote(c.encode_utf8(&mut [0; 4]))),
            _ => None,
        });
        if !expected.is_empty() {
            parts.push(format!("expecting {}", enumerate(&expected)));
        }
        parts.join(" ")
    }

    /// Renders the messages that `pick` chooses, each text once.
    fn collect(&self, pick: impl Fn(&Message) -> Option<String>) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for text in self.messages.iter().filter_map(pick) {
            if !text.is_empty() && !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }
}

/// `a, b or c`.
fn enumerate(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [only] => only.clone(),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}

/// Line and column of a byte offset, both from 1; a tab moves to the next multiple of eight.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let (mut line, mut column) = (1, 1);
    for (at, c) in text.char_indices() {
        if at >= offset {
            break;
        }
        match c {
            '\n' => (line, column) = (line + 1, 1),
            '\t' => column += 8 - (column - 1) % 8,
            _ => column += 1,
        }
    }
    (line, column)
}

/// `"text"` with Haskell's escapes.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if c == '"' {
            out.push_str("\\\"");
        } else {
            escape_into(c, &mut out);
        }
    }
    out.push('"');
    out
}

/// `'c'` with Haskell's escapes.
fn quote_char(c: char) -> String {
    let mut out = String::from("'");
    if c == '\'' {
        out.push_str("\\'");
    } else {
        escape_into(c, &mut out);
    }
    out.push('\'');
    out
}

fn escape_into(c: char, out: &mut String) {
    /// Names of the control characters from NUL, as Haskell writes them.
    const CONTROL: [&str; 32] = [
        "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "a", "b", "t", "n", "v", "f", "r", "SO", "SI",
        "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS",
        "US",
    ];
    match c {
        '\\' => out.push_str("\\\\"),
        '\u{7f}' => out.push_str("\\DEL"),
        c if c < ' ' => {
            out.push('\\');
            out.push_str(CONTROL[c as usize]);
        }
        c if c.is_ascii() => out.push(c),
        c => {
            let _ = write!(out, "\\{}", c as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: usize, messages: &[Message]) -> Failure {
        Failure::new(offset, messages.to_vec())
    }

    #[test]
    fn farther_failure_wins_and_equal_ones_unite() {
        let near = at(1, &[Message::Expected(Expected::Label("digit"))]);
        let far = at(2, &[Message::Expected(Expected::Label("letter"))]);
        assert_eq!(near.clone().merge(far.clone()), far);
        assert_eq!(far.clone().merge(near.clone()), far);
        assert_eq!(near.clone().merge(at(9, &[])), near);
        assert_eq!(
            far.clone().merge(at(2, &[Message::Expected(Expected::Char('-'))])).details(),
            r#"expecting letter or "-""#
        );
    }

    #[test]
    fn a_refusal_hides_what_was_merely_not_taken() {
        let failure = at(0, &[Message::Unconsumed(Some('x')), Message::Refused('y')]);
        assert_eq!(failure.details(), "unexpected 'y'");
        assert_eq!(at(0, &[Message::Unconsumed(None)]).details(), "unexpected end of input");
        assert_eq!(at(0, &[]).details(), "unknown parse error");
    }

    #[test]
    fn texts_are_quoted_like_haskell_does() {
        assert_eq!(quote("a\"b'\\\n\u{1}é"), r#""a\"b'\\\n\SOH\233""#);
        assert_eq!(quote_char('\''), r"'\''");
        assert_eq!(quote_char('"'), "'\"'");
    }

    #[test]
    fn positions_count_characters_lines_and_tabs() {
        assert_eq!(position("añb", 3), (1, 3));
        assert_eq!(position("a\n\tb", 3), (2, 9));
        assert_eq!(position("", 0), (1, 1));
    }
}
