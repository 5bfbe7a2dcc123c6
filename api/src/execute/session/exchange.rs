//! Statements → the bytes of one request.

use super::span::Span;
use super::{Outgoing, Prepared};
use crate::error::DbError;
use crate::schema_cache::residue::Residue;
use crate::schema_cache::routine::IsolationLevel;
use crate::script::{Begin, End, Script, Step};
use crate::sql::ending::{self, Ending};
use pg_wire_client::wire::unencodable;
use postgres_protocol::message::frontend;

/// The statements of a script with those that frame it.
pub(super) struct Exchange<'a> {
    pub(super) steps: Vec<Step<'a>>,
    pub(super) span: Span,
    /// It is a transaction of its own without `BEGIN`.
    pub(super) implicit: bool,
}

/// What runs in place of a query.
#[derive(Clone, Copy)]
pub(super) enum Replacement<'a> {
    /// Its one row has the body.
    Aggregate(&'a str),
    /// Its rows are encoded in place of the query's.
    Rows(&'a str),
}

impl<'a> Exchange<'a> {
    /// `replacement` is what runs in place of a query whose rows cannot be encoded as they are; `soiled` tells that the
    /// session's settings may not be what they should be.
    pub(super) fn new(
        script: &Script<'a>,
        implicit_allowed: bool,
        replacement: Option<Replacement<'a>>,
        soiled: bool,
    ) -> Self {
        let Script { begin, end, residue, .. } = script;
        let implicit =
            implicit_allowed && *end == End::Commit && begin.isolation == IsolationLevel::ReadCommitted;
        let mut steps = Vec::with_capacity(script.steps.len() + 8);
        if !implicit {
            steps.push(Step::fixed(begin_sql(*begin)));
        }
        if soiled && residue.is_some() {
            front(&mut steps, implicit, implicit_allowed);
        }
        let first = steps.len();
        let upserts = script.steps.iter().any(|it| it.rows.is_some_and(|rows| rows.upserts));
        let (mut ending_at, mut told_at) = (None, None);
        for (at, step) in script.steps.iter().enumerate() {
            match (step.rows, replacement) {
                (None, _) => steps.push(*step),
                (Some(_), Some(Replacement::Aggregate(text))) => {
                    steps.push(Step { text, rows: None, ..*step });
                }
                (Some(_), replacement) => {
                    let text = match replacement {
                        Some(Replacement::Rows(text)) => text,
                        Some(Replacement::Aggregate(_)) | None => step.text,
                    };
                    // The row that follows the rows tells what else the query is to tell: one answer of both.
                    steps.push(Step { text, formats: &[], ..*step });
                    let is_last = at + 1 == script.steps.len();
                    told_at = Some(first + at);
                    ending_at = told_at.filter(|_| is_last);
                    let read_only = begin.read_only && is_last;
                    let commands = residue.is_some_and(|it| it.commands);
                    steps.push(Step::fixed(Ending { read_only, upserts, commands }.text()));
                }
            }
        }
        let writes = !begin.read_only;
        let mut span =
            Span { first, len: script.steps.len(), ending: ending_at, told: told_at, soils: false, writes };
        if let Some(residue) = residue {
            if ending_at.is_none() {
                span.ending = Some(first + script.steps.len());
                let commands = residue.commands;
                let ending = Ending { read_only: begin.read_only, upserts: false, commands };
                steps.push(Step::fixed(ending.text()));
            }
            span.soils = !begin.read_only;
            if begin.read_only {
                if residue.commands {
                    steps.extend(ending::UNDO_COMMANDS.map(Step::fixed));
                }
                steps.push(Step::fixed(ending::RESET_ALL));
            } else if !residue.cached_sequences {
                steps.push(Step::fixed(ending::FORGET_SEQUENCES));
            }
        }
        match end {
            End::Commit if !implicit => steps.push(Step::fixed("COMMIT")),
            End::Rollback => steps.push(Step::fixed("ROLLBACK")),
            End::Commit | End::Ask => {}
        }
        Self { steps, span, implicit }
    }

    /// Clears away whatever was left in the session.
    pub(super) fn reset(residue: Residue) -> Self {
        let mut steps: Vec<Step<'static>> = ending::RESET.map(Step::fixed).into();
        let first = steps.len() - 1;
        if !residue.cached_sequences {
            steps.push(Step::fixed(ending::FORGET_SEQUENCES));
        }
        Self { steps, span: Span { first, len: 1, ..Span::default() }, implicit: true }
    }
}

/// What a transaction begins with on a session whose settings may not be what they should be.
///
/// With `plain_defaults`, a new session's transactions are not deferrable.
pub(super) fn front(steps: &mut Vec<Step<'_>>, implicit: bool, plain_defaults: bool) {
    if implicit {
        steps.push(Step::fixed(ending::RESET_LEVEL));
    }
    if plain_defaults {
        steps.push(Step::fixed(ending::RESET_DEFERRABLE));
    }
    steps.extend(ending::RESET_SETTINGS.map(Step::fixed));
}

impl Residue {
    /// Whether a transaction with these modes is followed by a reset in any case.
    pub(super) fn ask_for_reset(self, begin: Begin) -> bool {
        !begin.read_only && (self.commands || self.at_commit)
    }
}

/// `BEGIN` with its modes.
pub(super) fn begin_sql(begin: Begin) -> &'static str {
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

    use super::super::response::Expected;
    use super::super::{Outgoing, Prepared};
    use crate::error::DbError;
    use crate::script::Step;
    use crate::sql::types::ParamType;
    use pg_wire_client::wire::unencodable;

    /// Values from this length on are sent from where they are.
    const LARGE: usize = 64 * 1024;

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
                    parse(name, types, wrapped.as_str(), out)?;
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

    /// A statement that is parsed for this run alone, and whose columns are asked for with it.
    pub(in super::super) fn described(
        step: &Step<'_>,
        prepared: Prepared,
        out: &mut Outgoing,
    ) -> Result<Expected, DbError> {
        parse(&prepared.name, &prepared.types, step.text, out)?;
        bind(&prepared, step, out)?;
        frontend::describe(b'P', "", out).map_err(|it| unencodable(&it))?;
        frontend::execute("", 0, out).map_err(|it| unencodable(&it))?;
        Ok(Expected::new(prepared, step, false))
    }

    /// `Parse` alone.
    pub(in super::super) fn parse(
        name: &str,
        types: &[ParamType],
        text: &str,
        out: &mut Outgoing,
    ) -> Result<(), DbError> {
        let types = types.iter().copied().map(type_oid);
        frontend::parse(name, text, types, out).map_err(|it| unencodable(&it).into())
    }

    /// `Describe` of a statement.
    pub(in super::super) fn describe(name: &str, out: &mut Outgoing) -> Result<(), DbError> {
        frontend::describe(b'S', name, out).map_err(|it| unencodable(&it).into())
    }

    /// Binds to the unnamed portal. Values travel as text, except that raw bytes already are `bytea`'s
    /// binary form.
    fn bind(prepared: &Prepared, step: &Step<'_>, out: &mut Outgoing) -> Result<(), DbError> {
        let binary = step.params.iter().any(|it| it.ty == ParamType::Bytea);
        let begun_at = out.len();
        let mut large = Vec::new();
        let encoded = frontend::bind(
            "",
            &prepared.name,
            step.params.iter().filter(|_| binary).map(|it| i16::from(it.ty == ParamType::Bytea)),
            step.params,
            |param, out| match &param.value {
                None => Ok(IsNull::Yes),
                Some(value) if value.len() >= LARGE => {
                    large.push((out.len(), value.clone()));
                    Ok(IsNull::No)
                }
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
        })?;
        for (at, value) in large {
            let length = i32::try_from(value.len()).map_err(|_| too_long())?;
            // The message's length follows its type, the value's precedes it; both were written without the value.
            for place in [begun_at + 1, at - 4] {
                let field = &mut out[place..place + 4];
                let written = field.first_chunk().copied().map_or(0, i32::from_be_bytes);
                let whole = written.checked_add(length).ok_or_else(too_long)?;
                field.copy_from_slice(&whole.to_be_bytes());
            }
            out.put_value(at, value);
        }
        Ok(())
    }

    fn too_long() -> DbError {
        unencodable(&"it is longer than two gigabytes").into()
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
