//! What comes back of one request. Pure, except that a large body goes to a file.

use std::collections::VecDeque;
use std::sync::Arc;

use postgres_protocol::message::backend::Message;

use pg_wire_client::ServerError;

use super::Prepared;
use super::span::Span;
use crate::error::{DbError, NoRoom};
use crate::execute::body::{BodyWriter, Spooling};
use crate::execute::json::{self, Encoder};
use crate::execute::script_error::ScriptError;
use crate::execute::stream::Sink;
use crate::script::Step;
use crate::script::rows::Rows;

use crate::spool::room::Room;
use crate::sql::ending;
use crate::sql::types::{Form, Layout};

/// A statement whose answer is awaited.
pub(super) struct Expected {
    prepared: Prepared,
    /// What becomes of its rows, where they are encoded.
    form: Option<Form>,
    /// What encodes them, where that follows from what the server says of its columns.
    described: Option<Encoder>,
    /// It is parsed for this run, or to be kept.
    is_new: bool,
    /// Its text, where it is to be kept and the cache does not know it.
    unknown: Option<Box<str>>,
    /// What the server has parsed of it.
    n_parsed: usize,
    /// It has taken its values.
    is_bound: bool,
}

impl Expected {
    /// A statement that the server knows.
    pub(super) fn known(prepared: Prepared, step: &Step<'_>) -> Self {
        let form = step.rows.map(|it| it.form);
        let (unknown, described) = (None, None);
        Self { form, described, prepared, is_new: false, unknown, n_parsed: 0, is_bound: false }
    }

    /// A statement that it is told of.
    pub(super) fn new(prepared: Prepared, step: &Step<'_>, keeps: bool) -> Self {
        let unknown = keeps.then(|| step.text.into());
        Self {
            form: step.rows.map(|it| it.form),
            described: None,
            prepared,
            is_new: true,
            unknown,
            n_parsed: 0,
            is_bound: false,
        }
    }

    /// The server has parsed all of it.
    fn is_parsed(&self) -> bool {
        self.n_parsed == 1 + usize::from(self.prepared.watch.is_some())
    }

    fn encoder(&self) -> Option<(&Encoder, Form)> {
        match &self.prepared.encodable {
            Some(encodable) => Some((&encodable.encoder, self.form?)),
            None => Some((self.described.as_ref()?, self.form?)),
        }
    }

    /// Takes what the server says of columns that nothing is known of.
    fn described(&mut self, columns: &[json::Column]) {
        let Some(form) = &mut self.form else { return };
        if form.layout == Layout::Csv {
            self.described = Some(Encoder::of_texts(columns));
        } else {
            form.scalar = true;
            self.described = Encoder::new(columns, false);
        }
    }
}

/// How far a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::execute) enum Progress {
    /// As far as anything was received.
    Under,
    /// Not in full, and more of its body is in memory than should be.
    Full,
    /// In full.
    Done,
}

/// What came back of one request.
pub(in crate::execute) struct ResponseReader {
    expected: VecDeque<Expected>,
    results: Vec<Rows>,
    current: Rows,
    body: BodyWriter,
    /// Where among the results the body belongs, and in which form: the row that follows tells the rest of
    /// what the query is to tell.
    body_at: Option<(usize, Form)>,
    failure: Option<ScriptError>,
    prepared: Vec<(Box<str>, Prepared)>,
    span: Span,
    /// Of these, the server knows a part and is to forget it.
    half_parsed: Vec<Prepared>,
}

impl ResponseReader {
    /// Nothing yet of these statements; a large body takes of this room.
    pub(super) fn new(expected: VecDeque<Expected>, span: Span, room: Arc<Room>) -> Self {
        Self {
            span,
            results: Vec::with_capacity(expected.len()),
            expected,
            current: Rows::default(),
            body: BodyWriter::new(room),
            body_at: None,
            failure: None,
            prepared: Vec::new(),
            half_parsed: Vec::new(),
        }
    }

    /// The same for rows that go to the client as they come.
    pub(super) fn streaming(mut self, sink: Sink, room: Arc<Room>) -> Self {
        self.body = BodyWriter::streaming(room, sink);
        self
    }

    /// Whether rows go to the client as they come.
    pub(super) fn streams(&self) -> bool {
        self.body.streams()
    }

    /// Has the client take what there is of them.
    pub(super) async fn flush(&mut self) -> Result<(), DbError> {
        self.body.flush().await
    }

    /// Where the rows that come next go, if they are encoded.
    pub(super) fn encoding(&mut self) -> Option<(&Encoder, Form, &mut BodyWriter)> {
        let Self { expected, body, failure: None, .. } = self else { return None };
        let (encoder, form) = expected.front()?.encoder()?;
        Some((encoder, form, body))
    }

    /// The statement that is answered is one whose rows are encoded.
    fn is_encoding(&self) -> bool {
        self.expected.front().is_some_and(|it| it.form.is_some())
    }

    /// Takes the next message of the connection, which is no row that is encoded.
    pub(in crate::execute) fn take(&mut self, message: Message) -> Result<Progress, DbError> {
        match message {
            // What is answered to a failed request is of no use.
            Message::DataRow(_) if self.failure.is_some() => {}
            Message::DataRow(row) => self.current.rows.push(row),
            Message::ParseComplete => {
                if let Some(step) = self.expected.front_mut() {
                    step.n_parsed += 1;
                }
            }
            Message::BindComplete => {
                if let Some(step) = self.expected.front_mut() {
                    step.is_bound = true;
                }
            }
            Message::RowDescription(description) => {
                let described = json::columns(&description)?;
                // Of what is known, the server makes sure itself.
                if let Some(step) = self.expected.front_mut().filter(|it| it.prepared.encodable.is_none()) {
                    step.described(&described);
                }
                let new = self.expected.front().filter(|it| it.is_new);
                let expected = new.and_then(|it| it.prepared.encodable.as_ref());
                if expected.is_some_and(|it| *it.columns != *described) {
                    self.failure
                        .get_or_insert_with(|| ScriptError::new(ServerError::stale_statement(), false));
                }
            }
            Message::CommandComplete(_) | Message::EmptyQueryResponse => {
                let Some(step) = self.expected.pop_front() else {
                    return Err(DbError::UnexpectedResult("more results than statements".into()));
                };
                match step.encoder() {
                    Some((_, form)) => self.body_at = Some((self.results.len(), form)),
                    None => self.results.push(std::mem::take(&mut self.current)),
                }
                self.learn(step);
            }
            Message::ErrorResponse(body) => {
                // Either of them refuses settings of the response that cannot be followed.
                let at = Some(self.results.len());
                let at_ending = [self.span.ending, self.span.told].contains(&at) && !self.is_encoding();
                let is_unbound = |it: &&Expected| !it.is_new && !it.is_bound && !it.prepared.types.is_empty();
                let unbound = self.expected.front().filter(is_unbound).map(|_| self.expected.len());
                self.failure.get_or_insert_with(|| {
                    ScriptError::new(ServerError::from(&body), at_ending).before_values(unbound)
                });
            }
            Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                return Err(DbError::UnexpectedResult("a statement wants to copy data".into()));
            }
            Message::ReadyForQuery(_) => {
                if self.failure.is_some() {
                    // The rest was skipped; this one may have been parsed before it failed.
                    if let Some(step) = self.expected.pop_front() {
                        self.learn(step);
                    }
                }
                return Ok(Progress::Done);
            }
            _ => {}
        }
        Ok(Progress::Under)
    }

    /// Makes room in memory if that is possible without waiting.
    pub(in crate::execute) async fn try_spool(&mut self) -> Spooling {
        self.body.try_spool().await
    }

    /// Makes room in memory, and waits for it.
    pub(in crate::execute) async fn spool(&mut self) -> Result<(), NoRoom> {
        self.body.spool().await
    }

    /// Drops the body. What is answered is taken to its end, and then an error.
    pub(super) fn give_up_body(&mut self, reason: NoRoom) {
        self.body.give_up(reason);
    }

    /// The error that came, if one did.
    pub(in crate::execute) fn failed(&mut self) -> Option<ScriptError> {
        self.failure.take()
    }

    /// Whether its statements may change something.
    pub(super) fn writes(&self) -> bool {
        self.span.writes
    }

    /// Whether it failed.
    pub(in crate::execute) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// The session's settings may not be what they should be.
    pub(super) fn soils(&self) -> bool {
        self.span.soils
    }

    /// There is something in the session that does not go away by itself.
    pub(in crate::execute) fn leaves_residue(&self) -> bool {
        let ending = self.span.ending.and_then(|it| self.results.get(it));
        ending.is_some_and(|it| it.value(0, ending::IS_LEFT).ok().flatten().as_deref() == Some(b"t"))
    }

    /// Takes note of what the server has parsed.
    fn learn(&mut self, step: Expected) {
        let (is_parsed, n_parsed) = (step.is_parsed(), step.n_parsed);
        match step.unknown {
            Some(text) if is_parsed => self.prepared.push((text, step.prepared)),
            Some(_) if n_parsed > 0 => self.half_parsed.push(step.prepared),
            _ => {}
        }
    }

    /// Statements that the server has parsed in part.
    pub(super) fn half_parsed(&mut self) -> impl Iterator<Item = Prepared> + '_ {
        self.half_parsed.drain(..)
    }

    /// What the server has parsed for this request and keeps.
    pub(super) fn prepared(&mut self) -> impl Iterator<Item = (Box<str>, Prepared)> + '_ {
        self.prepared.drain(..)
    }

    /// What was answered to the script, once that is [`Progress::Done`].
    pub(in crate::execute) async fn finish(mut self) -> Result<Result<Vec<Rows>, ScriptError>, DbError> {
        if let Some(error) = self.failure {
            return Ok(Err(error));
        }
        if !self.expected.is_empty() {
            return Err(DbError::UnexpectedResult("fewer results than statements".into()));
        }
        if let Some((at, form)) = self.body_at {
            let encoded = self.body.end(form).await?;
            let result = self.results.get_mut(at);
            result.ok_or_else(|| super::unexpected("a body without its settings"))?.encoded = Some(encoded);
        }
        self.results.truncate(self.span.first + self.span.len);
        self.results.drain(..self.span.first.min(self.results.len()));
        Ok(Ok(self.results))
    }
}
