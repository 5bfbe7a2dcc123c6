//! The types of a query's columns, asked for the first time it comes.
//!
//! This has a transaction of its own before the request's, so that it can do the request no harm, and
//! takes on the request's role and search path, so that names mean the same. A query that cannot be
//! prepared is left to the request, which fails in its own way.

use std::sync::Arc;

use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::landing::{Landing, Progress};
use super::{Form, Prepared, Session, encode, unexpected};
use crate::error::DbError;
use crate::execute::json;
use crate::execute::script::Script;
use crate::execute::shapes::{self, Encodable, Shape};
use crate::execute::wire::unencodable;
use crate::sql::types::RowsQuery;

impl Session {
    /// Prepares a query in the form whose rows can be encoded, if there is one, and tells all connections.
    pub(super) async fn learn(&mut self, query: &RowsQuery, script: &Script<'_>) -> Result<Form, DbError> {
        let text = &*query.statement.text;
        let plain = self.unnamed(query);
        let Some(columns) = self.describe(&plain, text, script).await? else {
            return Ok(Form::Aggregated);
        };
        let Some(sketch) = shapes::sketch(query, &columns) else {
            self.forgotten.push(plain);
            self.shapes.learn(text, Shape::Aggregated);
            return Ok(Form::Aggregated);
        };
        let (mut prepared, columns) = if *sketch.text == *text {
            (plain, columns)
        } else {
            self.forgotten.push(plain);
            let wrapped = self.unnamed(query);
            match self.describe(&wrapped, &sketch.text, script).await? {
                Some(columns) => (wrapped, columns),
                None => return Ok(Form::Aggregated),
            }
        };
        let Some(encodable) = Encodable::new(sketch, columns).map(Arc::new) else {
            // Types changed since they were asked for.
            self.forgotten.push(prepared);
            return Ok(Form::Aggregated);
        };
        self.shapes.learn(text, Shape::Encodable(Arc::clone(&encodable)));
        prepared.encodable = Some(Arc::clone(&encodable));
        if let Some(statements) = &mut self.statements {
            self.forgotten.extend(statements.insert(text, prepared));
        }
        Ok(Form::Encoded(encodable))
    }

    /// Prepares what another connection has asked about, before a request that must not be run twice.
    pub(super) async fn prepare(
        &mut self,
        encodable: Arc<Encodable>,
        query: &RowsQuery,
        script: &Script<'_>,
    ) -> Result<Form, DbError> {
        let text = &*query.statement.text;
        let mut prepared = self.unnamed(query);
        match self.describe(&prepared, &encodable.text, script).await? {
            None => Ok(Form::Aggregated),
            Some(columns) if *columns == *encodable.columns => {
                prepared.encodable = Some(Arc::clone(&encodable));
                if let Some(statements) = &mut self.statements {
                    self.forgotten.extend(statements.insert(text, prepared));
                }
                Ok(Form::Encoded(encodable))
            }
            Some(_) => {
                self.forgotten.push(prepared);
                self.shapes.forget(text);
                self.learn(query, script).await
            }
        }
    }

    /// A statement with the query's binds and the next name.
    fn unnamed(&mut self, query: &RowsQuery) -> Prepared {
        let types = query.statement.params.iter().map(|it| it.ty).collect();
        Prepared { name: self.next_name(), types, encodable: None }
    }

    /// Prepares a statement as the request's role; its columns, or nothing where that fails.
    async fn describe(
        &mut self,
        prepared: &Prepared,
        text: &str,
        script: &Script<'_>,
    ) -> Result<Option<Vec<json::Column>>, DbError> {
        self.close_forgotten()?;
        let settings = script.steps.first().ok_or_else(|| unexpected("a script without settings"))?;
        let begun_at = self.wire.outgoing.len();
        let expected = self
            .encode(settings, &Form::Aggregated)
            .and_then(|expected| {
                let out = &mut self.wire.outgoing;
                encode::parse(prepared, text, out)?;
                frontend::describe(b'S', &prepared.name, out).map_err(|it| unencodable(&it))?;
                Ok(expected)
            })
            .inspect_err(|_| self.wire.outgoing.truncate(begun_at))?;
        self.wire.end_request();
        self.wire.send().await?;
        let mut landing = Landing::new([expected].into(), Arc::clone(&self.room));
        let (mut columns, mut failed) = (None, false);
        loop {
            let message = self.wire.receive().await?;
            match &message {
                Message::RowDescription(description) => columns = Some(json::columns(description)?),
                // A statement that returns nothing makes no body.
                Message::ErrorResponse(_) | Message::NoData => failed = true,
                _ => {}
            }
            if landing.take(message)? == Progress::Done {
                break;
            }
        }
        self.settle(&mut landing);
        if failed {
            // Closing what is not there does no harm.
            self.forgotten.push(Prepared::unused(Arc::clone(&prepared.name)));
            return Ok(None);
        }
        Ok(columns)
    }
}
