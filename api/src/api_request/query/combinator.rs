//! Building blocks of the grammar, on top of winnow's streams.
//!
//! Winnow's own choice and repetition forget what a *successful* parser could also have accepted; the error
//! texts need it. So these blocks keep it in the stream's state as [`Trace::pending`]:
//!
//! - `Err(Backtrack)`: failed without consuming; the input is where it was, the failure includes `pending`.
//! - `Err(Cut)`: failed after consuming; alternatives are not tried unless [`attempt`] allows it.
//! - `Ok`: `pending` holds what else would have been accepted at the place reached.
//!
//! A request that parses never builds any of this: texts are collected by a second run over input that is
//! already known to be wrong.

use winnow::Parser;
use winnow::error::{ErrMode, ParserError};
use winnow::stream::{LocatingSlice, Location as _, Stateful, Stream as _};
use winnow::token::take_while;

use super::expected::{Expected, Failure, Message};
use crate::error::ApiRequestError;

/// Levels of parentheses a parameter may nest: far beyond any real request, and a bound on recursion.
const MAX_DEPTH: usize = 64;

/// State that travels with the input.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    recording: bool,
    pending: Failure,
    depth: usize,
}

/// Text being parsed.
pub(super) type Input<'a> = Stateful<LocatingSlice<&'a str>, Trace>;
/// Outcome of a parser.
pub(super) type PResult<T> = Result<T, ErrMode<Failure>>;

impl<'a> ParserError<Input<'a>> for Failure {
    type Inner = Self;

    fn from_input(input: &Input<'a>) -> Self {
        Self::new(input.current_token_start(), Vec::new())
    }

    fn into_inner(self) -> Result<Self::Inner, Self> {
        Ok(self)
    }
}

/// Runs `grammar` over `text`. The error names `what` and quotes `shown`, the text as the caller wrote it.
///
/// Text left over is not an error: where the whole must be read, the grammar says so with [`eof`].
pub(super) fn parse<'a, T>(
    what: &str,
    shown: &str,
    text: &'a str,
    mut grammar: impl FnMut(&mut Input<'a>) -> PResult<T>,
) -> Result<T, ApiRequestError> {
    let mut run = |recording| {
        let state = Trace { recording, ..Trace::default() };
        grammar(&mut Stateful { input: LocatingSlice::new(text), state })
    };
    run(false).or_else(|_| run(true)).map_err(|error| match error {
        ErrMode::Backtrack(failure) | ErrMode::Cut(failure) => {
            failure.into_error(&format!("failed to parse {what} ({shown})"), text)
        }
        ErrMode::Incomplete(_) => Failure::default().into_error(what, text),
    })
}

fn offset(input: &Input<'_>) -> usize {
    input.current_token_start()
}

fn peek(input: &Input<'_>) -> Option<char> {
    input.input.as_ref().chars().next()
}

/// Consumes the next `len` bytes, which a look at the input has shown to be there.
fn advance(input: &mut Input<'_>, len: usize) {
    input.next_slice(len);
    input.state.pending.clear();
}

/// A failure here, together with what is pending.
fn failure(input: &mut Input<'_>, at: usize, messages: &[Message]) -> Failure {
    let pending = std::mem::take(&mut input.state.pending);
    if input.state.recording { pending.merge(Failure::new(at, messages.to_vec())) } else { pending }
}

fn refuse<T>(input: &mut Input<'_>, messages: &[Message]) -> PResult<T> {
    let at = offset(input);
    Err(ErrMode::Backtrack(failure(input, at, messages)))
}

/// Fails without adding a message.
pub(super) fn reject<T>(input: &mut Input<'_>) -> PResult<T> {
    Err(ErrMode::Backtrack(std::mem::take(&mut input.state.pending)))
}

/// Notes what would have been accepted here, without failing.
fn note(input: &mut Input<'_>, messages: &[Message]) {
    let at = offset(input);
    input.state.pending = failure(input, at, messages);
}

/// One given character.
pub(super) fn char(c: char) -> impl Fn(&mut Input<'_>) -> PResult<char> {
    move |input| match peek(input) {
        Some(found) if found == c => {
            advance(input, c.len_utf8());
            Ok(c)
        }
        found => refuse(input, &[Message::Unconsumed(found), Message::Expected(Expected::Char(c))]),
    }
}

/// Any character.
pub(super) fn any_char(input: &mut Input<'_>) -> PResult<char> {
    match peek(input) {
        Some(c) => {
            advance(input, c.len_utf8());
            Ok(c)
        }
        None => refuse(input, &[Message::Unconsumed(None)]),
    }
}

/// Fixed text. Stopping in the middle of it counts as having consumed.
pub(super) fn string(text: &'static str) -> impl Fn(&mut Input<'_>) -> PResult<&'static str> {
    move |input| match matching_prefix(input, text, |wanted, found| wanted == found) {
        Ok(len) => {
            advance(input, len);
            Ok(text)
        }
        // The text is one token: the place of the failure is its beginning.
        Err((len, found)) => string_failure(input, len, 0, found, text),
    }
}

/// Fixed ASCII text in any case.
pub(super) fn string_ignoring_case(text: &'static str) -> impl Fn(&mut Input<'_>) -> PResult<&'static str> {
    move |input| match matching_prefix(input, text, |wanted, found| wanted.eq_ignore_ascii_case(&found)) {
        Ok(len) => {
            advance(input, len);
            Ok(text)
        }
        // Read character by character: the place of the failure is the one that differs.
        Err((len, found)) => string_failure(input, len, len, found, text),
    }
}

/// Length of `text` in the input, or (length of the part that is there, what follows it).
fn matching_prefix(
    input: &Input<'_>,
    text: &str,
    same: impl Fn(char, char) -> bool,
) -> Result<usize, (usize, Option<char>)> {
    let mut rest = input.input.as_ref().chars();
    let mut len = 0;
    for wanted in text.chars() {
        match rest.next() {
            Some(found) if same(wanted, found) => len += found.len_utf8(),
            found => return Err((len, found)),
        }
    }
    Ok(len)
}

fn string_failure(
    input: &mut Input<'_>,
    consumed: usize,
    distance: usize,
    found: Option<char>,
    text: &'static str,
) -> PResult<&'static str> {
    let messages = [Message::Unconsumed(found), Message::Expected(Expected::Text(text))];
    if consumed == 0 {
        return refuse(input, &messages);
    }
    input.state.pending.clear();
    let at = offset(input) + distance;
    Err(ErrMode::Cut(failure(input, at, &messages)))
}

/// Longest run of characters that satisfy `accept`, maybe empty. `labels` name them in errors.
pub(super) fn run0<'a>(
    accept: impl Fn(char) -> bool,
    labels: &'static [Expected],
) -> impl FnMut(&mut Input<'a>) -> PResult<&'a str> {
    move |input| {
        let run: &str = take_while::<_, _, ErrMode<Failure>>(0.., &accept).parse_next(input)?;
        if !run.is_empty() {
            input.state.pending.clear();
        }
        let messages = stopped_at(input, labels);
        note(input, &messages);
        Ok(run)
    }
}

/// As [`run0`], at least one.
pub(super) fn run1<'a>(
    accept: impl Fn(char) -> bool,
    labels: &'static [Expected],
) -> impl FnMut(&mut Input<'a>) -> PResult<&'a str> {
    let mut run = run0(accept, labels);
    move |input| {
        let text = run(input)?;
        if text.is_empty() {
            return reject(input);
        }
        Ok(text)
    }
}

fn stopped_at(input: &Input<'_>, labels: &[Expected]) -> Vec<Message> {
    if !input.state.recording {
        return Vec::new();
    }
    std::iter::once(Message::Unconsumed(peek(input)))
        .chain(labels.iter().copied().map(Message::Expected))
        .collect()
}

/// Everything that is left.
pub(super) fn rest<'a>(input: &mut Input<'a>) -> PResult<&'a str> {
    run0(|_| true, &[])(input)
}

/// The end of the text.
pub(super) fn eof(input: &mut Input<'_>) -> PResult<()> {
    let expected = Message::Expected(Expected::Label("end of input"));
    match peek(input) {
        Some(c) => refuse(input, &[expected, Message::Refused(c)]),
        None => {
            note(input, &[expected, Message::Unconsumed(None)]);
            Ok(())
        }
    }
}

/// Succeeds, consuming nothing, where the next character does not satisfy `accept`.
pub(super) fn not_followed_by(
    accept: impl Fn(char) -> bool,
    expected: &'static [Expected],
) -> impl Fn(&mut Input<'_>) -> PResult<()> {
    move |input| match peek(input) {
        Some(c) if accept(c) => {
            let at = offset(input) + c.len_utf8();
            Err(ErrMode::Backtrack(failure(input, at, &[Message::Refused(c)])))
        }
        _ => {
            let messages = stopped_at(input, expected);
            note(input, &messages);
            Ok(())
        }
    }
}

/// Steps in sequence: a failure after the first one that consumed is final.
pub(super) fn seq<'a, T>(
    mut steps: impl FnMut(&mut Input<'a>) -> PResult<T>,
) -> impl FnMut(&mut Input<'a>) -> PResult<T> {
    move |input| {
        let start = offset(input);
        match steps(input) {
            Err(ErrMode::Backtrack(failure)) if offset(input) != start => Err(ErrMode::Cut(failure)),
            outcome => outcome,
        }
    }
}

/// Runs `parser` apart from what is pending, so that its own failure can be treated on its own.
fn apart<'a, T>(
    input: &mut Input<'a>,
    mut parser: impl FnMut(&mut Input<'a>) -> PResult<T>,
    backtrack: bool,
    relabel: impl Fn(Failure, bool) -> Failure,
) -> PResult<T> {
    let before = std::mem::take(&mut input.state.pending);
    let start = input.checkpoint();
    let at = offset(input);
    match parser(input) {
        Ok(value) => {
            if offset(input) == at {
                let own = std::mem::take(&mut input.state.pending);
                input.state.pending = before.merge(relabel(own, false));
            }
            Ok(value)
        }
        Err(ErrMode::Backtrack(own)) => Err(ErrMode::Backtrack(before.merge(relabel(own, true)))),
        Err(ErrMode::Cut(own)) if backtrack => {
            input.reset(&start);
            Err(ErrMode::Backtrack(before.merge(own)))
        }
        Err(error) => Err(error),
    }
}

/// Turns a failure after consuming into one before.
pub(super) fn attempt<'a, T>(
    mut parser: impl FnMut(&mut Input<'a>) -> PResult<T>,
) -> impl FnMut(&mut Input<'a>) -> PResult<T> {
    move |input| apart(input, &mut parser, true, |failure, _| failure)
}

/// Names what `parser` accepts.
pub(super) fn label<'a, T>(
    mut parser: impl FnMut(&mut Input<'a>) -> PResult<T>,
    name: &'static str,
) -> impl FnMut(&mut Input<'a>) -> PResult<T> {
    move |input| {
        let recording = input.state.recording;
        apart(
            input,
            &mut parser,
            false,
            |failure, failed| {
                if recording { failure.labelled(name, failed) } else { failure }
            },
        )
    }
}

/// Succeeds where `parser` does, consuming nothing.
pub(super) fn look_ahead<'a, T>(
    mut parser: impl FnMut(&mut Input<'a>) -> PResult<T>,
) -> impl FnMut(&mut Input<'a>) -> PResult<()> {
    move |input| {
        let before = std::mem::take(&mut input.state.pending);
        let start = input.checkpoint();
        match parser(input) {
            Ok(_) => {
                input.reset(&start);
                input.state.pending = before;
                Ok(())
            }
            Err(ErrMode::Backtrack(own)) => Err(ErrMode::Backtrack(before.merge(own))),
            Err(error) => Err(error),
        }
    }
}

/// `parser`, or nothing where it fails without consuming.
pub(super) fn optional<'a, T>(
    mut parser: impl FnMut(&mut Input<'a>) -> PResult<T>,
) -> impl FnMut(&mut Input<'a>) -> PResult<Option<T>> {
    move |input| match parser(input) {
        Ok(value) => Ok(Some(value)),
        Err(ErrMode::Backtrack(failure)) => {
            input.state.pending = failure;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// `parser` as often as it succeeds. It must consume when it does.
pub(super) fn many<'a, T>(
    mut parser: impl FnMut(&mut Input<'a>) -> PResult<T>,
) -> impl FnMut(&mut Input<'a>) -> PResult<Vec<T>> {
    move |input| {
        let mut values = Vec::new();
        loop {
            let start = offset(input);
            match parser(input) {
                Ok(value) => {
                    values.push(value);
                    input.state.pending.clear();
                    if offset(input) == start {
                        return Ok(values);
                    }
                }
                Err(ErrMode::Backtrack(failure)) => {
                    input.state.pending = failure;
                    return Ok(values);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// One or more, with `separator` between.
pub(super) fn sep_by1<'a, T, S>(
    mut parser: impl FnMut(&mut Input<'a>) -> PResult<T>,
    mut separator: impl FnMut(&mut Input<'a>) -> PResult<S>,
) -> impl FnMut(&mut Input<'a>) -> PResult<Vec<T>> {
    move |input| {
        let first = parser(input)?;
        let mut values = many(seq(|input| {
            separator(input)?;
            parser(input)
        }))(input)?;
        values.insert(0, first);
        Ok(values)
    }
}

/// `parser` inside the two delimiters, one level of nesting deeper.
pub(super) fn nested<'a, T>(
    mut parser: impl FnMut(&mut Input<'a>) -> PResult<T>,
) -> impl FnMut(&mut Input<'a>) -> PResult<T> {
    move |input| {
        if input.state.depth == MAX_DEPTH {
            let at = offset(input);
            let note = [Message::Note("nested deeper than 64 levels")];
            return Err(ErrMode::Cut(failure(input, at, &note)));
        }
        input.state.depth += 1;
        let outcome = parser(input);
        input.state.depth -= 1;
        outcome
    }
}

/// Tries parsers in order; the first that succeeds or consumes decides.
macro_rules! first_of {
    ($input:expr; $parser:expr $(,)?) => {
        ($parser)($input)
    };
    ($input:expr; $parser:expr, $($rest:expr),+ $(,)?) => {
        match ($parser)($input) {
            Err(winnow::error::ErrMode::Backtrack(failure)) => {
                crate::api_request::query::combinator::resume($input, failure);
                first_of!($input; $($rest),+)
            }
            outcome => outcome,
        }
    };
}
pub(super) use first_of;

/// Goes on after a failure that did not consume.
pub(super) fn resume(input: &mut Input<'_>, failure: Failure) {
    input.state.pending = failure;
}
