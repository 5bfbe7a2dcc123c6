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
//! off again. It is set before anything of the request runs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::connect::Connector;
use super::rows::Rows;
use super::script::{Begin, End, Script, Step};
use super::statements::StatementCache;
use super::wire::{ServerError, State, Wire, unencodable};
use crate::error::DbError;
use crate::schema_cache::routine::IsolationLevel;
use crate::sql::types::ParamType;

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
    statements: Option<StatementCache<Prepared>>,
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
}

impl Session {
    /// Opens a connection.
    pub(super) async fn connect(connector: &Connector) -> Result<Self, DbError> {
        let mut wire: Wire = connector.open().await?;
        let defaults = wire.simple(DEFAULTS_SQL).await.map_err(|error| match error {
            DbError::Connection { message, .. } => DbError::Connection { was_established: false, message },
            other => other,
        })?;
        Ok(Self {
            wire,
            statements: connector.prepared_statements.then(|| StatementCache::new(STATEMENT_CACHE_CAPACITY)),
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
        let flight = Flight::new(script, self.implicit_allowed);
        let mut outcome = self.fly(&flight).await?;
        if outcome.as_ref().is_err_and(ServerError::is_stale_statement) {
            // The server dropped or invalidated what it had parsed, and kept nothing of the request.
            self.forget_statements();
            self.leave_failed_transaction().await?;
            outcome = self.fly(&flight).await?;
        }
        let mut results = match outcome {
            Ok(results) => results,
            Err(error) => {
                // The first error tells what happened. A connection that cannot even roll back is not
                // idle, and therefore closed.
                let _ = self.leave_failed_transaction().await;
                return Err(error.into());
            }
        };
        results.truncate(flight.first + script.steps.len());
        results.drain(..flight.first);
        Ok(results)
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
        for prepared in self.forgotten.drain(..) {
            frontend::close(b'S', &prepared.name, &mut self.wire.outgoing).map_err(|it| unencodable(&it))?;
        }
        for step in &flight.steps {
            let encoded = self.encode(step).inspect_err(|_| self.wire.outgoing.clear())?;
            expected.push_back(encoded);
        }
        frontend::sync(&mut self.wire.outgoing);
        self.wire.send().await?;
        self.receive_all(flight, expected).await
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
                Prepared { name, types: types().collect() }
            }
        };
        bind(&prepared, step, out)?;
        frontend::execute("", 0, out).map_err(|it| unencodable(&it))?;
        Ok(Expected { prepared, unknown: parse, parsed: !parse })
    }

    async fn receive_all(
        &mut self,
        flight: &Flight<'_>,
        mut expected: VecDeque<Expected>,
    ) -> Result<Result<Vec<Rows>, ServerError>, DbError> {
        let mut results = Vec::with_capacity(expected.len());
        let mut current = Rows::default();
        let mut failure = None;
        loop {
            let message = match self.wire.receive().await {
                Ok(message) => message,
                // A server that ends the session says why before it does.
                Err(lost) => return failure.map_or(Err(lost), |error| Ok(Err(error))),
            };
            match message {
                Message::DataRow(row) => current.rows.push(row),
                Message::ParseComplete => {
                    if let Some(step) = expected.front_mut() {
                        step.parsed = true;
                    }
                }
                Message::CommandComplete(_) | Message::EmptyQueryResponse => {
                    let Some(step) = expected.pop_front() else {
                        return Err(DbError::UnexpectedResult("more results than statements".into()));
                    };
                    self.remember(flight.steps[results.len()].text, step);
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
                    self.remember(flight.steps[results.len()].text, step);
                }
                Ok(Err(error))
            }
            None if expected.is_empty() => Ok(Ok(results)),
            None => Err(DbError::UnexpectedResult("fewer results than statements".into())),
        }
    }

    fn remember(&mut self, text: &str, step: Expected) {
        if step.unknown
            && step.parsed
            && let Some(statements) = &mut self.statements
        {
            self.forgotten.extend(statements.insert(text, step.prepared));
        }
    }
}

/// A statement whose answer is awaited.
struct Expected {
    prepared: Prepared,
    /// The cache does not know it.
    unknown: bool,
    /// The server does.
    parsed: bool,
}

/// The statements of a script with those that frame it.
struct Flight<'a> {
    steps: Vec<Step<'a>>,
    /// Index of the script's first statement.
    first: usize,
}

impl<'a> Flight<'a> {
    fn new(script: &Script<'a>, implicit_allowed: bool) -> Self {
        let Script { begin, end, .. } = script;
        let implicit =
            implicit_allowed && *end == End::Commit && begin.isolation == IsolationLevel::ReadCommitted;
        let mut steps = Vec::with_capacity(script.steps.len() + 2);
        if !implicit {
            steps.push(Step::fixed(begin_sql(*begin)));
        } else if begin.read_only {
            steps.push(Step::fixed("SELECT set_config('transaction_read_only', 'on', true)"));
        }
        let first = steps.len();
        steps.extend(&script.steps);
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
