//! One connection and the statements prepared on it.

use std::error::Error as _;

use bytes::Bytes;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Row};

use super::connect::Connector;
use super::rows::Rows;
use super::script::{Begin, End, Script};
use super::statements::StatementCache;
use crate::error::DbError;
use crate::schema_cache::routine::IsolationLevel;
use crate::sql::types::{Param, ParamType, Statement};

/// Statements kept prepared per connection.
const STATEMENT_CACHE_CAPACITY: usize = 256;

/// A connection to the database.
pub(super) struct Session {
    client: Client,
    statements: Option<StatementCache<tokio_postgres::Statement>>,
    idle: bool,
}

impl Session {
    /// Opens a connection.
    pub(super) async fn connect(connector: &Connector) -> Result<Self, DbError> {
        let statements = connector.prepared_statements.then(|| StatementCache::new(STATEMENT_CACHE_CAPACITY));
        Ok(Self { client: connector.connect_cold().await?.0, statements, idle: true })
    }

    /// The server has not closed the connection, as far as can be told without asking.
    pub(super) fn is_alive(&mut self) -> bool {
        !self.client.is_closed()
    }

    /// No transaction is open.
    pub(super) fn is_idle(&self) -> bool {
        self.idle
    }

    /// Stops what is running and closes the connection.
    pub(super) fn abandon(self) {
        drop(self);
    }

    /// Runs a script; with [`End::Ask`] the transaction stays open until [`Self::finish`].
    pub(super) async fn run(&mut self, script: &Script<'_>) -> Result<Vec<Rows>, DbError> {
        self.idle = false;
        match (self.run_steps(script).await, script.end) {
            (Err(error), _) => {
                // The first error tells what happened; a connection that cannot even roll back stays
                // marked as busy, which closes it.
                let _ = self.finish(false).await;
                Err(error)
            }
            (Ok(rows), End::Ask) => Ok(rows),
            (Ok(rows), End::Commit) => self.finish(true).await.map(|()| rows),
            (Ok(rows), End::Rollback) => self.finish(false).await.map(|()| rows),
        }
    }

    /// Ends an open transaction.
    pub(super) async fn finish(&mut self, commit: bool) -> Result<(), DbError> {
        let sql = if commit { "COMMIT" } else { "ROLLBACK" };
        self.client.batch_execute(sql).await.map_err(|it| failed(&it))?;
        self.idle = true;
        Ok(())
    }

    async fn run_steps(&mut self, script: &Script<'_>) -> Result<Vec<Rows>, DbError> {
        self.client.batch_execute(begin_sql(script.begin)).await.map_err(|it| failed(&it))?;
        let mut results = Vec::with_capacity(script.steps.len());
        for step in &script.steps {
            results.push(self.query(step).await?);
        }
        Ok(results)
    }

    async fn query(&mut self, statement: &Statement) -> Result<Rows, DbError> {
        let types: Vec<Type> = statement.params.iter().map(|it| param_type(it.ty)).collect();
        let values: Vec<Value<'_>> = statement.params.iter().map(Value).collect();
        let rows = match &mut self.statements {
            None => {
                let typed: Vec<_> =
                    values.iter().zip(types).map(|(value, ty)| (value as &(dyn ToSql + Sync), ty)).collect();
                self.client.query_typed(&statement.text, &typed).await.map_err(|it| failed(&it))?
            }
            Some(cache) => {
                let prepared = match cache.get(&statement.text) {
                    Some(prepared) => prepared.clone(),
                    None => {
                        let prepared = self
                            .client
                            .prepare_typed(&statement.text, &types)
                            .await
                            .map_err(|it| failed(&it))?;
                        cache.insert(&statement.text, prepared.clone());
                        prepared
                    }
                };
                let values: Vec<_> = values.iter().map(|it| it as &(dyn ToSql + Sync)).collect();
                self.client.query(&prepared, &values).await.map_err(|it| failed(&it))?
            }
        };
        text_rows(&rows)
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

fn param_type(ty: ParamType) -> Type {
    match ty {
        ParamType::Unknown => Type::UNKNOWN,
        ParamType::Text => Type::TEXT,
        ParamType::Json => Type::JSON,
        ParamType::Bytea => Type::BYTEA,
    }
}

/// A bind in text format.
#[derive(Debug)]
struct Value<'a>(&'a Param);

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let Some(value) = &self.0.value else { return Ok(IsNull::Yes) };
        out.extend_from_slice(value);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> tokio_postgres::types::Format {
        // Raw bytes are already bytea's binary form.
        if self.0.ty == ParamType::Bytea {
            tokio_postgres::types::Format::Binary
        } else {
            tokio_postgres::types::Format::Text
        }
    }

    to_sql_checked!();
}

/// A result column as it came.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Brings the driver's binary values into text format.
fn text_rows(rows: &[Row]) -> Result<Rows, DbError> {
    let mut out = Rows::default();
    for row in rows {
        let values = row
            .columns()
            .iter()
            .enumerate()
            .map(|(i, column)| text_value(row, i, column.type_()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| DbError::UnexpectedResult(describe(&error)))?;
        out.rows.push(values);
    }
    Ok(out)
}

fn text_value(row: &Row, i: usize, ty: &Type) -> Result<Option<Bytes>, tokio_postgres::Error> {
    Ok(match *ty {
        Type::INT8 => row.try_get::<_, Option<i64>>(i)?.map(|it| it.to_string().into()),
        Type::INT4 => row.try_get::<_, Option<i32>>(i)?.map(|it| it.to_string().into()),
        Type::TEXT_ARRAY => row.try_get::<_, Option<Vec<String>>>(i)?.map(|items| {
            let quoted: Vec<String> = items
                .iter()
                .map(|it| format!("\"{}\"", it.replace('\\', "\\\\").replace('"', "\\\"")))
                .collect();
            format!("{{{}}}", quoted.join(",")).into()
        }),
        _ => row.try_get::<_, Option<Raw<'_>>>(i)?.map(|it| Bytes::copy_from_slice(it.0)),
    })
}

fn failed(error: &tokio_postgres::Error) -> DbError {
    match error.as_db_error() {
        Some(it) => DbError::Server {
            code: it.code().code().into(),
            message: it.message().into(),
            detail: it.detail().map(Into::into),
            hint: it.hint().map(Into::into),
            authenticated: false,
        },
        None => DbError::Connection { was_established: true, message: describe(error) },
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        failed(&error)
    }
}

/// An error with its causes.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => format!("{}:  {}", db.severity(), db.message()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}
