//! One connection, the statements prepared on it, and the transaction of a request.
//!
//! A request is one write that ends in one `Sync`. Where nothing speaks against it, its statements
//! share the implicit transaction that a `Sync` ends: it commits when all went well and rolls back
//! when one failed, with neither `BEGIN` nor `COMMIT`. An explicit transaction is opened only
//!
//! - for an isolation level other than the connection's default,
//! - when it is to be rolled back in any case, or
//! - when the rows decide whether it is kept ([`End::Ask`]), which costs a second round trip.
//!
//! Read-only mode needs no `BEGIN` either: it is a setting that can be switched on at any time and not
//! off again. It is among the settings that every script begins with, before anything of the caller's.
//!
//! [`exchange`] says what is sent, [`response`] reads what comes back, [`learn`] asks for the types of a
//! query's columns the first time it comes, [`reset`] clears away what functions left behind.

mod exchange;
mod learn;
mod reset;
mod response;
mod span;

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::connector::Connector;
use super::shapes::{Encodable, Shape, Shapes};
use super::statements::{self, StatementCache};
use crate::error::{DbError, NoRoom};
use crate::execute::script_error::ScriptError;
use crate::schema_cache::residue::Residue;
use crate::script::rows::Rows;
use crate::script::{End, Script, Step};
use crate::spool::room::Room;
use crate::sql::types::{ParamType, RowsQuery, SqlText};
use exchange::{Exchange, encode};
use pg_wire_client::liveness::Liveness;
use pg_wire_client::login::within;
use pg_wire_client::wire::{Outgoing, State, Wire};
use response::Expected;
pub(super) use response::{Progress, ResponseReader};

/// How often what is prepared may turn out to be out of date before a request uses nothing of it.
const MOST_STALE: u32 = 2;

/// How long to wait for a server to stop what nobody waits for any more.
const ABANDON_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings that `BEGIN` would override and an implicit transaction takes as they are.
const DEFAULTS_SQL: &str = "SELECT pg_catalog.concat_ws(',', pg_catalog.current_setting('default_transaction_isolation'), pg_catalog.current_setting('default_transaction_read_only'), pg_catalog.current_setting('default_transaction_deferrable'))";

/// With these defaults an implicit transaction is like an explicit one.
const PLAIN_DEFAULTS: &str = "read committed,off,off";

/// A connection to the database.
pub(super) struct Session {
    wire: Wire,
    /// `None` when statements must not outlive a transaction, for the sake of a pooler.
    ///
    /// A query whose rows are encoded is found by its own text, whatever form of it was prepared.
    statements: Option<StatementCache<Prepared>>,
    shapes: Arc<Shapes>,
    /// For large bodies.
    room: Arc<Room>,
    /// Statements that the server may forget; told with the next request.
    forgotten: Vec<Prepared>,
    n_prepared: u64,
    /// Begins the names of statements, so that no function has one of the same name by chance.
    prefix: u32,
    /// Nothing that was prepared is used: it turned out to be out of date again and again.
    afresh: bool,
    implicit_allowed: bool,
    /// The settings may not be what they were when the connection was opened. Always so where statements are not
    /// kept, for that is where a pooler is, and the session may be another each time.
    soiled: bool,
    /// To be reset once the open transaction has ended.
    reset_due: Option<Residue>,
    /// Could not be cleaned.
    condemned: bool,
}

/// A statement that the server has parsed.
#[derive(Clone)]
struct Prepared {
    name: Arc<str>,
    types: Arc<[ParamType]>,
    /// For a query whose rows are encoded.
    encodable: Option<Arc<Encodable>>,
    /// Where the query was wrapped: the query as it is, which is described with each run and never runs itself.
    /// Postgres refuses to describe it once it has other columns than it had.
    watch: Option<Arc<str>>,
}

impl Prepared {
    /// A statement that is only to be closed.
    fn unused(name: Arc<str>) -> Self {
        Self { name, types: Arc::new([]), encodable: None, watch: None }
    }
}

impl Prepared {
    /// What it takes in Postgres, prepared for this text, about.
    fn weight(&self, text: &str) -> usize {
        let wrapped = self.encodable.as_ref().and_then(|it| it.wrapped.as_ref()).map(SqlText::as_str);
        statements::weight(text) + wrapped.map_or(0, statements::weight)
    }
}

/// How the rows of a query become a body.
enum Form {
    /// They are encoded here.
    Encoded(Arc<Encodable>),
    /// Postgres aggregates them.
    Aggregated,
}

impl Session {
    /// Opens a connection.
    pub(super) async fn connect(
        connector: &Connector,
        shapes: &Arc<Shapes>,
        room: &Arc<Room>,
    ) -> Result<Self, DbError> {
        let mut wire: Wire = connector.open().await?;
        let defaults = within(connector.connect_timeout(), wire.simple(DEFAULTS_SQL)).await;
        let defaults = defaults.unwrap_or_else(|| Err(pg_wire_client::Error::silent(false))).map_err(
            |error| match error.into() {
                DbError::Connection { message, .. } => {
                    DbError::Connection { was_established: false, message }
                }
                other => other,
            },
        )?;
        Ok(Self {
            wire,
            statements: match connector.statement_budget.load(Ordering::Relaxed) {
                0 => None,
                budget => Some(StatementCache::new(budget, Arc::clone(&connector.statements))),
            },
            afresh: false,
            shapes: Arc::clone(shapes),
            room: Arc::clone(room),
            forgotten: Vec::new(),
            n_prepared: 0,
            prefix: rand::random(),
            soiled: connector.statement_budget.load(Ordering::Relaxed) == 0,
            reset_due: None,
            condemned: false,
            implicit_allowed: defaults.as_deref() == Some(PLAIN_DEFAULTS.as_bytes()),
        })
    }

    /// The server has not closed the connection, as far as can be told without asking.
    pub(super) fn is_alive(&mut self) -> bool {
        self.wire.is_alive()
    }

    /// How long it waits for the server.
    pub(super) fn liveness(&self) -> &Arc<Liveness> {
        self.wire.liveness()
    }

    /// The server answers a question about nothing.
    pub(super) async fn ping(&mut self) -> Result<(), DbError> {
        Ok(self.wire.simple("SELECT 1").await.map(drop)?)
    }

    /// Ready for another request.
    pub(super) fn is_idle(&self) -> bool {
        self.wire.state() == State::Idle && !self.condemned && self.reset_due.is_none()
    }

    /// The last request that was answered left no transaction open.
    pub(super) fn is_between_transactions(&self) -> bool {
        self.wire.is_between_transactions() && !self.condemned
    }

    /// Reads may be sent here one after the other without waiting for answers: each is a transaction of its
    /// own without `BEGIN`, and its statements are kept prepared.
    pub(super) fn can_be_shared(&self) -> bool {
        self.implicit_allowed && self.statements.is_some()
    }

    /// Closes the connection. What still runs on it is cancelled, and the returned future ends when
    /// the server has let go of it, so that a bound on connections holds on the server too.
    pub(super) async fn close(mut self) {
        if self.wire.state() == State::Busy {
            let stopped = async {
                self.wire.cancel_key().cancel().await.ok()?;
                while self.wire.state() == State::Busy {
                    self.wire.receive().await.ok()?;
                }
                Some(())
            };
            // Closing the connection makes the server roll back whatever is still open.
            let _ = tokio::time::timeout(ABANDON_TIMEOUT, stopped).await;
        }
    }

    /// Runs a script; with [`End::Ask`] the transaction stays open until
    /// [`Self::finish`].
    pub(super) async fn run(&mut self, script: &Script<'_>) -> Result<Vec<Rows>, DbError> {
        let rows = script.steps.iter().find_map(|it| it.rows);
        let mut n_stale = 0;
        loop {
            self.afresh = n_stale >= MOST_STALE;
            let form = match rows {
                Some(query) => self.form(query, script).await?,
                None => Form::Aggregated,
            };
            let aggregated = match (&form, rows) {
                (Form::Aggregated, Some(query)) => Some(query.aggregated()),
                _ => None,
            };
            let exchange = Exchange::new(
                script,
                self.implicit_allowed,
                aggregated.as_ref().map(SqlText::as_str),
                self.soiled,
            );
            // After an explicit transaction that failed there is a rollback to be sent first.
            let reset = script.residue.filter(|it| exchange.implicit && it.ask_for_reset(script.begin));
            let begun = Instant::now();
            let outcome = self.exchange(&exchange, &form, reset).await.map_err(|error| match error {
                DbError::NoRoom(_) if exchange.span.writes && script.end == End::Commit => {
                    NoRoom::Written.into()
                }
                other => other,
            });
            let answered_in = begun.elapsed();
            let afresh = std::mem::take(&mut self.afresh);
            match outcome? {
                Ok(results) => {
                    if let Form::Encoded(encodable) = &form {
                        encodable.latency.took(answered_in);
                    }
                    if reset.is_none() && script.residue.is_some_and(|it| it.ask_for_reset(script.begin)) {
                        self.reset_due = script.residue;
                    }
                    if script.end != End::Ask {
                        self.reset_if_due().await?;
                    }
                    return Ok(results);
                }
                Err(error) if error.is_stale_statement() && !afresh => {
                    // The server dropped or invalidated what it had parsed, and kept nothing of the request.
                    n_stale += 1;
                    match error.unbound().and_then(|it| exchange.steps.iter().nth_back(it.checked_sub(1)?)) {
                        Some(step) => self.forget_statement(step.text),
                        None => self.forget_statements(rows),
                    }
                    self.leave_failed_transaction().await?;
                    self.reset_after_error(script, reset).await?;
                }
                Err(error) => {
                    // The first error tells what happened. A connection that cannot even roll back is not
                    // idle, and therefore closed.
                    if self.leave_failed_transaction().await.is_ok() {
                        let _ = self.reset_after_error(script, reset).await;
                    }
                    return Err(error.into());
                }
            }
        }
    }

    /// Ends an open transaction.
    pub(super) async fn finish(&mut self, commit: bool) -> Result<(), DbError> {
        let ended = self.wire.simple(if commit { "COMMIT" } else { "ROLLBACK" }).await.map(drop);
        self.reset_if_due().await?;
        Ok(ended?)
    }

    /// Leaves a transaction that failed; does nothing after an implicit one.
    async fn leave_failed_transaction(&mut self) -> Result<(), DbError> {
        match self.wire.state() {
            State::InTransaction | State::FailedTransaction => self.finish(false).await,
            State::Idle | State::Busy | State::Broken => Ok(()),
        }
    }

    /// Forgets what is prepared here, and what is known of a query's columns anywhere.
    pub(super) fn forget_statements(&mut self, query: Option<&RowsQuery>) {
        if let Some(query) = query {
            self.shapes.forget(query.statement.text());
        }
        if let Some(statements) = &mut self.statements {
            self.forgotten.extend(statements.drain());
        }
    }

    /// Forgets one prepared statement.
    fn forget_statement(&mut self, text: &str) {
        self.forgotten.extend(self.statements.as_mut().and_then(|it| it.remove(text)));
    }

    /// One write, and everything that comes back; with what clears up after it, if that is wanted.
    async fn exchange(
        &mut self,
        exchange: &Exchange<'_>,
        form: &Form,
        reset: Option<Residue>,
    ) -> Result<Result<Vec<Rows>, ScriptError>, DbError> {
        let mut response = self.enqueue(exchange, form)?;
        let after = match reset {
            Some(residue) => Some(self.enqueue(&Exchange::reset(residue), &Form::Aggregated)?),
            None => None,
        };
        self.wire.send().await?;
        if let Err(lost) = self.read_response(&mut response).await {
            // A server that ends the session says why before it does.
            return response.failed().map_or(Err(lost), |error| Ok(Err(error)));
        }
        if response.leaves_residue() && after.is_none() {
            self.reset_due = Some(Residue::default());
        }
        let outcome = response.finish().await;
        if let Some(mut after) = after {
            self.read_response(&mut after).await?;
            let was_reset = after.finish().await?;
            self.finish_reset(was_reset).await?;
        }
        outcome
    }

    /// Takes what comes back of the request that was enqueued first.
    async fn read_response(&mut self, response: &mut ResponseReader) -> Result<(), DbError> {
        loop {
            match self.take(response)? {
                Progress::Under => poll_fn(|cx| self.wire.poll_receive(cx)).await?,
                Progress::Full => match response.spool().await {
                    Ok(()) => {}
                    // The server goes on to the end of the request by itself, and keeps what was written: only the
                    // end tells what became of that.
                    Err(reason) if response.writes() => response.give_up_body(reason),
                    Err(reason) => return Err(reason.into()),
                },
                Progress::Done => break,
            }
        }
        self.settle(response);
        Ok(())
    }

    /// Puts a request together, to be sent with what is there already.
    fn enqueue(&mut self, exchange: &Exchange<'_>, form: &Form) -> Result<ResponseReader, DbError> {
        let mut expected = std::collections::VecDeque::with_capacity(exchange.steps.len());
        self.close_forgotten()?;
        let begun_at = self.wire.outgoing.len();
        for step in &exchange.steps {
            match self.encode(step, form) {
                Ok(it) => expected.push_back(it),
                Err(error) => {
                    // Nothing of it is sent.
                    self.wire.outgoing.truncate(begun_at);
                    return Err(error);
                }
            }
        }
        self.wire.end_request();
        Ok(ResponseReader::new(expected, exchange.span, Arc::clone(&self.room)))
    }

    /// Puts a read among those on their way: its settings, its rows, the settings of the response.
    pub(super) fn enqueue_read(
        &mut self,
        script: &Script<'_>,
        encodable: &Arc<Encodable>,
    ) -> Result<ResponseReader, DbError> {
        let exchange = Exchange::new(script, true, None, self.soiled);
        self.enqueue(&exchange, &Form::Encoded(Arc::clone(encodable)))
    }

    /// Whether the server has told of settings that no request may begin with.
    pub(super) fn take_change(&mut self) -> bool {
        self.wire.take_change()
    }

    /// Sends what was enqueued, as far as the socket takes it now.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), DbError>> {
        self.wire.poll_send(cx).map_err(Into::into)
    }

    /// Takes what was received for the request that was enqueued first.
    pub(super) fn take(&mut self, response: &mut ResponseReader) -> Result<Progress, DbError> {
        loop {
            if let Some((encoder, form, body)) = response.encoding() {
                self.wire.take_rows::<DbError>(|row| {
                    body.push(encoder, form, row)?;
                    Ok(if body.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                })?;
                if body.is_full() {
                    return Ok(Progress::Full);
                }
            }
            let Some(message) = self.wire.next_received()? else { return Ok(Progress::Under) };
            let progress = response.take(message)?;
            if progress != Progress::Under {
                return Ok(progress);
            }
        }
    }

    /// Nothing is left of what was received, except what a server tells everybody.
    pub(super) fn skip_notices(&mut self) -> Result<(), DbError> {
        while self.wire.next_received()?.is_some() {}
        Ok(())
    }

    /// Receives more.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), DbError>> {
        self.wire.poll_receive(cx).map_err(Into::into)
    }

    /// Remembers what was prepared by a request that was answered.
    pub(super) fn settle(&mut self, response: &mut ResponseReader) {
        // What began with a reset and failed has undone the reset.
        if !response.has_failed() {
            self.soiled = response.soils() || self.statements.is_none();
        }
        let Some(statements) = &mut self.statements else { return };
        for (text, prepared) in response.prepared() {
            let weight = prepared.weight(&text);
            self.forgotten.extend(statements.insert(&text, prepared, weight));
        }
        self.forgotten.extend(response.half_parsed());
    }

    /// Puts in front of the next request what the server may forget.
    fn close_forgotten(&mut self) -> Result<(), DbError> {
        exchange::close(self.forgotten.drain(..), &mut self.wire.outgoing)
    }

    fn next_name(&mut self) -> Arc<str> {
        self.n_prepared += 1;
        format!("s{:x}_{}", self.prefix, self.n_prepared).into()
    }

    /// Puts one statement into the request.
    fn encode(&mut self, step: &Step<'_>, form: &Form) -> Result<Expected, DbError> {
        let encodable = match (step.rows, form) {
            (Some(_), Form::Encoded(encodable)) => Some(encodable),
            _ => None,
        };
        let types = || step.params.iter().map(|it| it.ty);
        let known = self.statements.as_ref().filter(|_| !self.afresh).and_then(|it| it.get(step.text));
        let fits = |it: &&Prepared| {
            it.types.iter().copied().eq(types()) && it.encodable.is_some() == encodable.is_some()
        };
        if let Some(known) = known.filter(fits).cloned() {
            return encode::known(step, known, &mut self.wire.outgoing);
        }
        let types = types().collect();
        // Statements without a name are parsed for this run alone.
        let may_keep = |it: &StatementCache<Prepared>| it.takes(statements::weight(step.text));
        let keeps = encodable.is_some() || (!self.afresh && self.statements.as_ref().is_some_and(may_keep));
        let name = if keeps { self.next_name() } else { "".into() };
        let is_wrapped = encodable.is_some_and(|it| it.wrapped.is_some());
        let watch = is_wrapped.then(|| self.next_name());
        let prepared = Prepared { name, types, encodable: encodable.cloned(), watch };
        encode::new(step, prepared, keeps, &mut self.wire.outgoing)
    }

    /// How the rows of a query become a body; asks the server, the first time it comes.
    async fn form(&mut self, query: &RowsQuery, script: &Script<'_>) -> Result<Form, DbError> {
        let text = query.statement.text();
        let Some(statements) = &self.statements else { return Ok(Form::Aggregated) };
        if self.afresh || !statements.takes(statements::weight(text)) {
            return Ok(Form::Aggregated);
        }
        let types = query.statement.params.iter().map(|it| it.ty);
        if let Some(known) = statements.get(text)
            && let Some(encodable) = &known.encodable
            && known.types.iter().copied().eq(types)
        {
            return Ok(Form::Encoded(Arc::clone(encodable)));
        }
        match self.shapes.of(text) {
            // Along with the request: should the columns have changed, it is run again.
            Some(Shape::Encodable(encodable)) if script.begin.read_only => Ok(Form::Encoded(encodable)),
            Some(Shape::Encodable(encodable)) => self.prepare(encodable, query, script).await,
            Some(Shape::Aggregated) => Ok(Form::Aggregated),
            None => self.learn(query, script).await,
        }
    }
}

fn unexpected(what: &str) -> DbError {
    DbError::UnexpectedResult(what.into())
}
