//! Statements → the bytes of one request.

use super::super::script::{Begin, End, Script, Step};
use super::{Outgoing, Prepared};
use crate::error::DbError;
use crate::execute::wire::unencodable;
use crate::schema_cache::routine::IsolationLevel;
use postgres_protocol::message::frontend;

/// The statements of a script with those that frame it.
pub(super) struct Flight<'a> {
    pub(super) steps: Vec<Step<'a>>,
    /// Index of the script's first statement.
    pub(super) first: usize,
}

impl<'a> Flight<'a> {
    /// `aggregated` is what runs in place of a query whose rows cannot be encoded.
    pub(super) fn new(script: &Script<'a>, implicit_allowed: bool, aggregated: Option<&'a str>) -> Self {
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

/// Tells the server of statements that it may forget.
pub(super) fn close(forgotten: impl Iterator<Item = Prepared>, out: &mut Outgoing) -> Result<(), DbError> {
    for prepared in forgotten {
        for name in std::iter::once(&prepared.name).chain(&prepared.watch) {
            frontend::close(b'S', name, out).map_err(|it| unencodable(&it))?;
        }
    }
    Ok(())
}

/// Single statements.
pub(super) mod encode {
    use bytes::BufMut;
    use postgres_protocol::IsNull;
    use postgres_protocol::message::frontend;

    use super::super::landing::Expected;
    use super::super::{Outgoing, Prepared};
    use crate::error::DbError;
    use crate::execute::script::Step;
    use crate::execute::wire::unencodable;
    use crate::sql::types::ParamType;

    /// A statement that the server has parsed.
    pub(in super::super) fn known(
        step: &Step<'_>,
        prepared: Prepared,
        out: &mut Outgoing,
    ) -> Result<Expected, DbError> {
        if let Some(watch) = &prepared.watch {
            // First, so that nothing runs unless the columns are what they were.
            describe(watch, out)?;
        }
        bind(&prepared, step, out)?;
        frontend::execute("", 0, out).map_err(|it| unencodable(&it))?;
        Ok(Expected::known(prepared, step))
    }

    /// A statement that it parses now.
    pub(in super::super) fn new(
        step: &Step<'_>,
        prepared: Prepared,
        keeps: bool,
        out: &mut Outgoing,
    ) -> Result<Expected, DbError> {
        let (name, types) = (&*prepared.name, &*prepared.types);
        match &prepared.encodable {
            None => parse(name, types, step.text, out)?,
            // Its columns may not be what they were when they were asked for.
            Some(encodable) => match (&prepared.watch, &encodable.wrapped) {
                (Some(watch), Some(wrapped)) => {
                    parse(watch, types, step.text, out)?;
                    describe(watch, out)?;
                    parse(name, types, wrapped, out)?;
                }
                _ => {
                    parse(name, types, step.text, out)?;
                    describe(name, out)?;
                }
            },
        }
        bind(&prepared, step, out)?;
        frontend::execute("", 0, out).map_err(|it| unencodable(&it))?;
        Ok(Expected::new(prepared, step, keeps))
    }

    /// `Parse` alone.
    pub(in super::super) fn parse(
        name: &str,
        types: &[ParamType],
        text: &str,
        out: &mut Outgoing,
    ) -> Result<(), DbError> {
        let types = types.iter().copied().map(type_oid);
        frontend::parse(name, text, types, out).map_err(|it| unencodable(&it))
    }

    /// `Describe` of a statement.
    pub(in super::super) fn describe(name: &str, out: &mut Outgoing) -> Result<(), DbError> {
        frontend::describe(b'S', name, out).map_err(|it| unencodable(&it))
    }

    /// Binds to the unnamed portal. Values travel as text, except that raw bytes already are `bytea`'s
    /// binary form.
    fn bind(prepared: &Prepared, step: &Step<'_>, out: &mut Outgoing) -> Result<(), DbError> {
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
}
