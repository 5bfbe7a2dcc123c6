//! The types of a query's columns, asked for the first time it comes.
//!
//! This has a transaction of its own before the request's, so that it can do the request no harm, and
//! takes on the request's role and search path, so that names mean the same. A query that cannot be
//! prepared is left to the request, which fails in its own way.

use std::collections::VecDeque;
use std::sync::Arc;

use postgres_protocol::message::backend::Message;

use super::exchange::front;
use super::response::{Progress, ResponseReader};
use super::span::Span;
use super::{Form, Prepared, Session, encode, unexpected};
use crate::error::DbError;
use crate::execute::json;
use crate::execute::shapes::{Encodable, Shape};
use crate::script::{Script, Step};
use crate::sql::types::RowsQuery;

impl Session {
    /// Prepares a query in the form whose rows can be encoded, if there is one, and tells all connections.
    pub(super) async fn learn(&mut self, query: &RowsQuery, script: &Script<'_>) -> Result<Form, DbError> {
        let text = query.statement.text();
        let plain = self.unnamed(query);
        let Some(columns) = self.describe(&plain, text, script).await? else {
            return Ok(Form::Aggregated);
        };
        let Some(encodable) = Encodable::of(query, columns).map(Arc::new) else {
            self.forgotten.push(plain);
            self.shapes.learn(text, Shape::Aggregated);
            return Ok(Form::Aggregated);
        };
        if !self.keep(plain, &encodable, query, script).await? {
            return Ok(Form::Aggregated);
        }
        self.shapes.learn(text, Shape::Encodable(Arc::clone(&encodable)));
        Ok(Form::Encoded(encodable))
    }

    /// Prepares what another connection has asked about, before a request that must not be run twice.
    pub(super) async fn prepare(
        &mut self,
        encodable: Arc<Encodable>,
        query: &RowsQuery,
        script: &Script<'_>,
    ) -> Result<Form, DbError> {
        let text = query.statement.text();
        let plain = self.unnamed(query);
        match self.describe(&plain, text, script).await? {
            None => Ok(Form::Aggregated),
            Some(columns) if *columns == *encodable.columns => {
                match self.keep(plain, &encodable, query, script).await? {
                    true => Ok(Form::Encoded(encodable)),
                    false => Ok(Form::Aggregated),
                }
            }
            Some(_) => {
                self.forgotten.push(plain);
                self.shapes.forget(text);
                self.learn(query, script).await
            }
        }
    }

    /// Keeps a query that was prepared as it is, in the form whose rows can be encoded. Not if that cannot be
    /// prepared, or takes too much.
    async fn keep(
        &mut self,
        plain: Prepared,
        encodable: &Arc<Encodable>,
        query: &RowsQuery,
        script: &Script<'_>,
    ) -> Result<bool, DbError> {
        let text = query.statement.text();
        let prepared = match &encodable.wrapped {
            None => Prepared { encodable: Some(Arc::clone(encodable)), ..plain },
            Some(wrapped) => {
                let it = self.unnamed(query);
                if self.describe(&it, wrapped.as_str(), script).await?.is_none() {
                    self.forgotten.push(plain);
                    return Ok(false);
                }
                Prepared { encodable: Some(Arc::clone(encodable)), watch: Some(plain.name), ..it }
            }
        };
        let weight = prepared.weight(text);
        match &mut self.statements {
            Some(statements) if statements.takes(weight) => {
                self.forgotten.extend(statements.insert(text, prepared, weight));
                Ok(true)
            }
            _ => {
                self.forgotten.push(prepared);
                self.shapes.learn(text, Shape::Aggregated);
                Ok(false)
            }
        }
    }

    /// A statement with the query's binds and the next name.
    fn unnamed(&mut self, query: &RowsQuery) -> Prepared {
        let types = query.statement.params.iter().map(|it| it.ty).collect();
        Prepared { name: self.next_name(), types, encodable: None, watch: None }
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
        // The text of a query may mean something else under other settings.
        let mut steps: Vec<Step<'_>> = Vec::new();
        if self.soiled && script.residue.is_some() {
            front(&mut steps, true, self.implicit_allowed);
        }
        steps.push(*settings);
        let expected = steps
            .iter()
            .map(|step| self.encode(step, &Form::Aggregated))
            .collect::<Result<VecDeque<_>, _>>()
            .and_then(|expected| {
                let out = &mut self.wire.outgoing;
                encode::parse(&prepared.name, &prepared.types, text, out)?;
                encode::describe(&prepared.name, out)?;
                Ok(expected)
            })
            .inspect_err(|_| self.wire.outgoing.truncate(begun_at))?;
        self.wire.end_request();
        self.wire.send().await?;
        let mut response = ResponseReader::new(expected, Span::default(), Arc::clone(&self.room));
        let (mut columns, mut failed) = (None, false);
        loop {
            let message = self.wire.receive().await?;
            match &message {
                Message::RowDescription(description) => columns = Some(json::columns(description)?),
                // A statement that returns nothing makes no body.
                Message::ErrorResponse(_) | Message::NoData => failed = true,
                _ => {}
            }
            if response.take(message)? == Progress::Done {
                break;
            }
        }
        self.settle(&mut response);
        if failed {
            // Closing what is not there does no harm.
            self.forgotten.push(Prepared::unused(Arc::clone(&prepared.name)));
            return Ok(None);
        }
        Ok(columns)
    }
}
