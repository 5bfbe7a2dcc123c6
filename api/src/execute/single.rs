//! One connection that runs one statement at a time and leaves nothing behind on the server.
//!
//! For databases behind a pooler that lends its connections to many clients, such as RDS Proxy. A pooler *pins*: it
//! stops lending a connection as soon as a client changes what the next one would notice. So here is
//!
//! - no `SET` and no `set_config`: everything a statement depends on is in its text and its binds,
//! - no named statement: the unnamed one lives until the next request and belongs to nobody,
//! - no explicit transaction: a statement is its own, so the connection is free with its answer,
//! - no temporary table, no cursor, no advisory lock, no `LISTEN`.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::connector::Connector;
use super::session::Session;
use crate::error::DbError;
use crate::schema_cache::routine::IsolationLevel;
use crate::script::{Begin, End, Script, Step};
use crate::sql::types::{Param, ParamType};

/// A pool of one.
pub struct Single {
    connector: Connector,
    /// Kept between statements; whoever runs one holds the lock.
    session: Mutex<Option<Session>>,
}

impl Single {
    /// Connects at the first statement. Named statements are never used, whatever the connector says.
    pub fn new(mut connector: Connector) -> Self {
        *connector.statement_budget.get_mut() = 0;
        Self { connector, session: Mutex::new(None) }
    }

    /// Runs a statement, whose binds the server gives their types, and returns its rows of `N` columns.
    ///
    /// The connection is opened when there is none, or when the server has closed the one there was. A caller that
    /// stops waiting closes it.
    pub async fn run<const N: usize>(
        &self,
        text: &'static str,
        binds: &[&str],
    ) -> Result<Vec<[Option<String>; N]>, DbError> {
        let mut place = self.session.lock().await;
        // Taken out, so that a call that is given up does not leave a connection in an unknown state.
        let kept = place.take().and_then(|mut it| (it.is_idle() && it.is_alive()).then_some(it));
        let mut session = match kept {
            Some(session) => session,
            // Its rows are read here; none is made a body.
            None => Session::connect(&self.connector, &Arc::default(), &Arc::default()).await?,
        };
        let params: Vec<Param> = binds
            .iter()
            .map(|it| Param { value: Some(it.as_bytes().to_vec().into()), ty: ParamType::Unknown })
            .collect();
        let script = Script {
            begin: Begin { isolation: IsolationLevel::ReadCommitted, read_only: false },
            steps: vec![Step { text, params: &params, formats: &[], rows: None }],
            end: End::Commit,
            residue: None,
            shareable: None,
        };
        let outcome = session.run(&script).await;
        if session.is_idle() {
            *place = Some(session);
        }
        let rows = outcome?.into_iter().next().unwrap_or_default();
        (0..rows.len())
            .map(|row| {
                let mut columns = [const { None }; N];
                for (index, column) in columns.iter_mut().enumerate() {
                    *column = rows.text(row, index)?;
                }
                Ok(columns)
            })
            .collect()
    }

    /// Closes the connection: the server behind it is not the one to talk to any more.
    pub async fn reset(&self) {
        *self.session.lock().await = None;
    }
}
