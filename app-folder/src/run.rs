//! Sends the statements of a script one after the other, so that a failure has a place.

use bootstrap_sql::ServerError;
use futures_util::SinkExt as _;
use tokio_postgres::error::ErrorPosition;
use tokio_postgres::{GenericClient, SimpleQueryMessage};

use crate::error::{Error, Failure};
use crate::folder::Script;
use crate::script::{self, Statement};

/// What is set before a script runs. A client that vanishes must not leave its statement running at the server, and
/// what scripts rely on is the standard reading of quotes.
const SETTINGS: &str = "
    SELECT pg_catalog.set_config(name, wanted, false)
    FROM (VALUES ('client_connection_check_interval', '1s'), ('standard_conforming_strings', 'on'),
                 ('client_min_messages', 'warning')) AS it(name, wanted)
    WHERE name IN (SELECT name FROM pg_catalog.pg_settings)";

/// Puts a session into the state that each script begins in, whatever the one before it has set. The advisory lock
/// stays.
pub(crate) async fn reset_session(client: &impl GenericClient) -> Result<(), tokio_postgres::Error> {
    client
        .batch_execute(
            "RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE; CLOSE ALL; UNLISTEN *; DISCARD TEMP",
        )
        .await?;
    client.batch_execute(SETTINGS).await
}

/// The statements of a script that runs in a transaction of ours.
pub(crate) fn in_transaction(script: &Script) -> Result<Vec<Statement<'_>>, Error> {
    let statements = outside(script)?;
    match statements.iter().find(|it| it.is_transaction_control()) {
        None => Ok(statements),
        Some(it) => Err(Error::TransactionControl {
            file: script.file.clone(),
            line: it.line,
            statement: it.excerpt(),
        }),
    }
}

/// The statements of a script that runs without a transaction.
pub(crate) fn outside(script: &Script) -> Result<Vec<Statement<'_>>, Error> {
    script::statements(&script.sql).map_err(|source| Error::Script { file: script.file.clone(), source })
}

/// Runs one statement; answers with the rows it gave, as text.
pub(crate) async fn statement(
    client: &impl GenericClient,
    file: &str,
    statement: &Statement<'_>,
) -> Result<Vec<SimpleQueryMessage>, Box<Failure>> {
    let sent = match statement.data {
        None => client.simple_query(statement.text).await,
        Some(data) => copy(client, statement.text, data).await.map(|()| Vec::new()),
    };
    sent.map_err(|error| Box::new(failure(&error, file, statement)))
}

async fn copy(client: &impl GenericClient, sql: &str, data: &str) -> Result<(), tokio_postgres::Error> {
    let sink = client.client().copy_in(sql).await?;
    let mut sink = std::pin::pin!(sink);
    sink.send(bytes::Bytes::copy_from_slice(data.as_bytes())).await?;
    sink.finish().await.map(drop)
}

pub(crate) fn failure(error: &tokio_postgres::Error, file: &str, statement: &Statement<'_>) -> Failure {
    let db = error.as_db_error();
    let line_within = match db.and_then(tokio_postgres::error::DbError::position) {
        Some(ErrorPosition::Original(at)) => {
            let before = (*at as usize).saturating_sub(1);
            statement.text.chars().take(before).filter(|it| *it == '\n').count()
        }
        _ => 0,
    };
    Failure {
        file: file.to_owned(),
        line: statement.line + line_within,
        statement: statement.excerpt(),
        context: db.and_then(|it| it.where_()).and_then(|it| it.lines().next()).map(str::to_owned),
        server: ServerError::from(error),
        major: None,
    }
}
