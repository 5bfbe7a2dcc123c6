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

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::body::BodyWriter;
use super::connect::Connector;
use super::json::{self, Encoder};
use super::rows::Rows;
use super::script::{Begin, End, Script, Step};
use super::shapes::{self, Shape, Shapes};
use super::statements::StatementCache;
use super::wire::{ServerError, State, Wire, unencodable};
use crate::error::DbError;
use crate::schema_cache::routine::IsolationLevel;
use crate::sql::types::{Form, ParamType, RowsQuery};

/// Statements kept prepared per connection.
const STATEMENT_CACHE_CAPACITY: usize = 256;

/// How long to wait for a server to stop what nobody waits for any more.
const ABANDON_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings that `BEGIN` would override and an implicit transaction takes as they are.
const DEFAULTS_SQL: &str = "SELECT current_setting('default_transaction_isolation') || ',' || current_setting('default_transaction_read_only') || ',' || current_setting('default_transaction_deferrable')";

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
    /// Statements that the server may forget; told with the next request.
    forgotten: Vec<Prepared>,
    n_prepared: u64,
    implicit_allowed: bool,
}

/// A statement that the server has parsed.
#[derive(Clone)]
struct Prepared {
    name: Arc<str>,
    types: Arc<[ParamType]>,
    /// For a query whose rows are encoded.
    encoder: Option<Arc<Encoder>>,
}

impl Prepared {
    /// A statement that is only to be closed.
    fn unused(name: Arc<str>) -> Self {
        Self { name, types: Arc::new([]), encoder: None }
    }
}

impl Session {
    /// Opens a connection.
    pub(super) async fn connect(connector: &Connector, shapes: &Arc<Shapes>) -> Result<Self, DbError> {
        let mut wire: Wire = connector.open().await?;
        let defaults = wire.simple(DEFAULTS_SQL).await.map_err(|error| match error {
            DbError::Connection { message, .. } => DbError::Connection { was_established: false, message },
            other => other,
        })?;
        Ok(Self {
            wire,
            statements: connector.prepared_statements.then(|| StatementCache::new(STATEMENT_CACHE_CAPACITY)),
            shapes: Arc::clone(shapes),
            forgotten: Vec::new(),
            n_prepared: 0,
            implicit_allowed: defaults.as_deref() == Some(PLAIN_DEFAULTS.as_bytes()),
        })
    }

    /// The server has not closed the connection, as far as can be told without asking.
    pub(super) fn is_alive(&mut self) -> bool {
        self.wire.is_alive()
    }

    /// Ready for another request.
    pub(super) fn is_idle(&self) -> bool {
        self.wire.state() == State::Idle
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

    /// Runs a script; with [`End::Ask`] the transaction stays open until [`Self::finish`].
    pub(super) async fn run(&mut self, script: &Script<'_>) -> Result<Vec<Rows>, DbError> {
        let rows = script.steps.iter().find_map(|it| it.rows);
        let mut retried = false;
        loop {
            let encodes = match rows {
                Some(query) => self.encodes(query) || self.learn(query, script).await?,
                None => false,
            };
            let aggregated = rows.filter(|_| !encodes).map(RowsQuery::aggregated);
            let flight = Flight::new(script, self.implicit_allowed, aggregated.as_deref());
            match self.fly(&flight).await? {
                Ok(mut results) => {
                    results.truncate(flight.first + script.steps.len());
                    results.drain(..flight.first);
                    return Ok(results);
                }
                Err(error) if error.is_stale_statement() && !retried => {
                    // The server dropped or invalidated what it had parsed, and kept nothing of the request.
                    retried = true;
                    self.forget_statements();
                    self.leave_failed_transaction().await?;
                }
                Err(error) => {
                    // The first error tells what happened. A connection that cannot even roll back is not
                    // idle, and therefore closed.
                    let _ = self.leave_failed_transaction().await;
                    return Err(error.into());
                }
            }
        }
    }

    /// The query is prepared here, in the form whose rows can be encoded.
    fn encodes(&mut self, query: &RowsQuery) -> bool {
        let params = || query.statement.params.iter().map(|it| it.ty);
        let known = self.statements.as_mut().and_then(|it| it.get(&query.statement.text));
        known.is_some_and(|it| it.encoder.is_some() && it.types.iter().copied().eq(params()))
    }

    /// Ends an open transaction.
    pub(super) async fn finish(&mut self, commit: bool) -> Result<(), DbError> {
        self.wire.simple(if commit { "COMMIT" } else { "ROLLBACK" }).await.map(drop)
    }

    /// Leaves a transaction that failed; does nothing after an implicit one.
    async fn leave_failed_transaction(&mut self) -> Result<(), DbError> {
        match self.wire.state() {
            State::InTransaction | State::FailedTransaction => self.finish(false).await,
            State::Idle | State::Busy | State::Broken => Ok(()),
        }
    }

    fn forget_statements(&mut self) {
        if let Some(statements) = &mut self.statements {
            self.forgotten.extend(statements.drain());
        }
    }

    /// One write, and everything that comes back.
    async fn fly(&mut self, flight: &Flight<'_>) -> Result<Result<Vec<Rows>, ServerError>, DbError> {
        let mut expected = VecDeque::with_capacity(flight.steps.len());
        self.close_forgotten()?;
        for step in &flight.steps {
            let encoded = self.encode(step).inspect_err(|_| self.wire.outgoing.clear())?;
            expected.push_back(encoded);
        }
        frontend::sync(&mut self.wire.outgoing);
        self.wire.send().await?;
        self.receive_all(flight, expected).await
    }

    /// Prepares a query in the form whose rows can be encoded, if there is one.
    ///
    /// This has a transaction of its own before the request's, so that it can do the request no harm, and
    /// takes on the request's role and search path, so that names mean the same. A query that cannot be
    /// prepared is left to the request, which fails in its own way.
    async fn learn(&mut self, query: &RowsQuery, script: &Script<'_>) -> Result<bool, DbError> {
        if self.statements.is_none() {
            return Ok(false);
        }
        let text = &*query.statement.text;
        let (shape, plain) = match self.shapes.of(text) {
            Some(known) => (known, None),
            None => {
                let name = self.next_name();
                let Some(columns) = self.describe(&name, text, query, script).await? else {
                    return Ok(false);
                };
                let shape = shapes::shape(query, &columns);
                self.shapes.learn(text, shape.clone());
                (shape, Some((name, columns)))
            }
        };
        let Shape::Encodable(encodable) = shape else {
            self.forgotten.extend(plain.map(|(name, _)| Prepared::unused(name)));
            return Ok(false);
        };
        let (name, columns) = match plain {
            Some(prepared) if *encodable.text == *text => prepared,
            plain => {
                self.forgotten.extend(plain.map(|(name, _)| Prepared::unused(name)));
                let name = self.next_name();
                match self.describe(&name, &encodable.text, query, script).await? {
                    Some(columns) => (name, columns),
                    None => return Ok(false),
                }
            }
        };
        let encoder = Encoder::new(&columns, encodable.nested).map(Arc::new);
        let prepared =
            Prepared { types: query.statement.params.iter().map(|it| it.ty).collect(), encoder, name };
        match &mut self.statements {
            Some(statements) if prepared.encoder.is_some() => {
                self.forgotten.extend(statements.insert(text, prepared));
                Ok(true)
            }
            _ => {
                // Types changed since they were asked for.
                self.shapes.forget(text);
                self.forgotten.push(prepared);
                Ok(false)
            }
        }
    }

    /// Prepares a statement as the request's role; its columns, or nothing where that fails.
    async fn describe(
        &mut self,
        name: &str,
        text: &str,
        query: &RowsQuery,
        script: &Script<'_>,
    ) -> Result<Option<Vec<json::Column>>, DbError> {
        self.close_forgotten()?;
        let settings = script.steps.first().ok_or_else(|| unexpected("a script without settings"))?;
        let mut expected = self.encode(settings).inspect_err(|_| self.wire.outgoing.clear())?;
        let out = &mut self.wire.outgoing;
        let types = query.statement.params.iter().map(|it| type_oid(it.ty));
        frontend::parse(name, text, types, out).map_err(|it| unencodable(&it))?;
        frontend::describe(b'S', name, out).map_err(|it| unencodable(&it))?;
        frontend::sync(out);
        self.wire.send().await?;
        let (mut columns, mut failed) = (None, false);
        loop {
            match self.wire.receive().await? {
                // The first one may be the settings'.
                Message::ParseComplete => expected.parsed = true,
                Message::RowDescription(description) => columns = Some(json::columns(&description)?),
                // A statement that returns nothing makes no body.
                Message::ErrorResponse(_) | Message::NoData => failed = true,
                Message::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        self.remember(settings, expected);
        if failed {
            // Closing what is not there does no harm.
            self.forgotten.push(Prepared::unused(name.into()));
            return Ok(None);
        }
        Ok(columns)
    }

    /// Puts in front of the next request what the server may forget.
    fn close_forgotten(&mut self) -> Result<(), DbError> {
        for prepared in self.forgotten.drain(..) {
            frontend::close(b'S', &prepared.name, &mut self.wire.outgoing).map_err(|it| unencodable(&it))?;
        }
        Ok(())
    }

    fn next_name(&mut self) -> Arc<str> {
        self.n_prepared += 1;
        format!("s{}", self.n_prepared).into()
    }

    /// Puts one statement into the request.
    fn encode(&mut self, step: &Step<'_>) -> Result<Expected, DbError> {
        let types = || step.params.iter().map(|it| it.ty);
        let known = self.statements.as_mut().and_then(|it| it.get(step.text));
        let known = known.filter(|it| it.types.iter().copied().eq(types())).cloned();
        let out = &mut self.wire.outgoing;
        let parse = known.is_none();
        let prepared = match known {
            Some(prepared) => prepared,
            None => {
                let name: Arc<str> = match &self.statements {
                    None => "".into(),
                    Some(_) => {
                        self.n_prepared += 1;
                        format!("s{}", self.n_prepared).into()
                    }
                };
                frontend::parse(&name, step.text, types().map(type_oid), out)
                    .map_err(|it| unencodable(&it))?;
                Prepared { name, types: types().collect(), encoder: None }
            }
        };
        bind(&prepared, step, out)?;
        frontend::execute("", 0, out).map_err(|it| unencodable(&it))?;
        Ok(Expected { form: step.rows.map(|it| it.form), prepared, unknown: parse, parsed: !parse })
    }

    async fn receive_all(
        &mut self,
        flight: &Flight<'_>,
        mut expected: VecDeque<Expected>,
    ) -> Result<Result<Vec<Rows>, ServerError>, DbError> {
        let mut results = Vec::with_capacity(expected.len());
        let mut current = Rows::default();
        let mut body = BodyWriter::default();
        let mut failure = None;
        loop {
            let message = match self.wire.receive().await {
                Ok(message) => message,
                // A server that ends the session says why before it does.
                Err(lost) => return failure.map_or(Err(lost), |error| Ok(Err(error))),
            };
            match message {
                Message::DataRow(row) => match expected.front().and_then(Expected::encoder) {
                    Some((encoder, form)) => {
                        body.push(encoder, form, &row)?;
                        if body.is_full() {
                            body.spill().await?;
                        }
                    }
                    None => current.rows.push(row),
                },
                Message::ParseComplete => {
                    if let Some(step) = expected.front_mut() {
                        step.parsed = true;
                    }
                }
                Message::CommandComplete(_) | Message::EmptyQueryResponse => {
                    let Some(step) = expected.pop_front() else {
                        return Err(DbError::UnexpectedResult("more results than statements".into()));
                    };
                    if let Some((_, form)) = step.encoder() {
                        // The row that follows tells the rest of what this one is to tell.
                        current.encoded = Some(std::mem::take(&mut body).end(form).await?);
                        continue;
                    }
                    self.remember(&flight.steps[flight.steps.len() - expected.len() - 1], step);
                    results.push(std::mem::take(&mut current));
                }
                Message::ErrorResponse(body) => {
                    failure.get_or_insert_with(|| ServerError::from(&body));
                }
                Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                    return Err(DbError::UnexpectedResult("a statement wants to copy data".into()));
                }
                Message::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        match failure {
            Some(error) => {
                // The rest was skipped; this one may have been parsed before it failed.
                if let Some(step) = expected.pop_front() {
                    self.remember(&flight.steps[flight.steps.len() - expected.len() - 1], step);
                }
                Ok(Err(error))
            }
            None if expected.is_empty() => Ok(Ok(results)),
            None => Err(DbError::UnexpectedResult("fewer results than statements".into())),
        }
    }

    fn remember(&mut self, step: &Step<'_>, expected: Expected) {
        if expected.unknown
            && expected.parsed
            && let Some(statements) = &mut self.statements
        {
            self.forgotten.extend(statements.insert(step.text, expected.prepared));
        }
    }
}

/// A statement whose answer is awaited.
struct Expected {
    prepared: Prepared,
    /// What becomes of its rows, where they are encoded.
    form: Option<Form>,
    /// The cache does not know it.
    unknown: bool,
    /// The server does.
    parsed: bool,
}

impl Expected {
    fn encoder(&self) -> Option<(&Encoder, Form)> {
        self.prepared.encoder.as_deref().zip(self.form)
    }
}

/// The statements of a script with those that frame it.
struct Flight<'a> {
    steps: Vec<Step<'a>>,
    /// Index of the script's first statement.
    first: usize,
}

impl<'a> Flight<'a> {
    /// `aggregated` is what runs in place of a query whose rows cannot be encoded.
    fn new(script: &Script<'a>, implicit_allowed: bool, aggregated: Option<&'a str>) -> Self {
        let Script { begin, end, .. } = script;
        let implicit =
            implicit_allowed && *end == End::Commit && begin.isolation == IsolationLevel::ReadCommitted;
        let mut steps = Vec::with_capacity(script.steps.len() + 2);
        if !implicit {
            steps.push(Step::fixed(begin_sql(*begin)));
        }
        let first = steps.len();
        for step in &script.steps {
            match (step.rows, aggregated) {
                (None, _) => steps.push(*step),
                (Some(_), Some(text)) => steps.push(Step { text, rows: None, ..*step }),
                (Some(query), None) => {
                    steps.push(Step { formats: &[], ..*step });
                    steps.push(Step::fixed(query.settings()));
                }
            }
        }
        match end {
            End::Commit if !implicit => steps.push(Step::fixed("COMMIT")),
            End::Rollback => steps.push(Step::fixed("ROLLBACK")),
            End::Commit | End::Ask => {}
        }
        Self { steps, first }
    }
}

/// `BEGIN` with its modes.
fn begin_sql(begin: Begin) -> &'static str {
    use IsolationLevel::{ReadCommitted, RepeatableRead, Serializable};
    match (begin.isolation, begin.read_only) {
        (ReadCommitted, true) => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        (ReadCommitted, false) => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        (RepeatableRead, true) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        (RepeatableRead, false) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
        (Serializable, true) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
        (Serializable, false) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
    }
}

/// Binds to the unnamed portal. Values travel as text, except that raw bytes already are `bytea`'s
/// binary form.
fn bind(prepared: &Prepared, step: &Step<'_>, out: &mut BytesMut) -> Result<(), DbError> {
    let binary = step.params.iter().any(|it| it.ty == ParamType::Bytea);
    let encoded = frontend::bind(
        "",
        &prepared.name,
        step.params.iter().filter(|_| binary).map(|it| i16::from(it.ty == ParamType::Bytea)),
        step.params,
        |param, out| match &param.value {
            None => Ok(IsNull::Yes),
            Some(value) => {
                out.put_slice(value);
                Ok(IsNull::No)
            }
        },
        step.formats.iter().copied(),
        out,
    );
    encoded.map_err(|error| match error {
        frontend::BindError::Conversion(it) => unencodable(&it),
        frontend::BindError::Serialization(it) => unencodable(&it),
    })
}

fn type_oid(ty: ParamType) -> u32 {
    match ty {
        ParamType::Unknown => 0,
        ParamType::Text => 25,
        ParamType::Json => 114,
        ParamType::Bytea => 17,
    }
}

fn unexpected(what: &str) -> DbError {
    DbError::UnexpectedResult(what.into())
}
