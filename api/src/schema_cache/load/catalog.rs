//! Rows of the catalog as values. Decoding only; joining them is for the modules beside this one.

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::error::DbError;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::representation::DataRepresentation;
use crate::schema_cache::residue::Residue;

/// Object id of the catalog.
pub(super) type Oid = u32;
/// Number of a column within its relation.
pub(super) type ColumnNumber = i16;

/// Kind of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Primary,
    Unique,
    Foreign,
}

/// One end of a key.
#[derive(Debug, Clone)]
pub(super) struct KeySide {
    pub(super) relation: Oid,
    pub(super) table: QualifiedIdentifier,
    /// Number and name of each column, in key order.
    pub(super) columns: Vec<(ColumnNumber, String)>,
}

/// A row of `constraints.sql` or `origin_keys.sql`.
#[derive(Debug, Clone)]
pub(super) struct ConstraintRow {
    pub(super) name: String,
    pub(super) kind: KeyKind,
    pub(super) side: KeySide,
    /// What a foreign key points at.
    pub(super) references: Option<KeySide>,
    /// Came from the parent of a partition.
    pub(super) inherited: bool,
}

impl ConstraintRow {
    pub(super) fn decode(row: &Row) -> Result<Self, DbError> {
        let kind = match column::<i8>(row, 1)?.to_ne_bytes() {
            [b'p'] => KeyKind::Primary,
            [b'u'] => KeyKind::Unique,
            [b'f'] => KeyKind::Foreign,
            [other] => return Err(unexpected(&format!("a constraint of kind {:?}", char::from(other)))),
        };
        let references = match kind {
            KeyKind::Foreign => Some(side(row, 7)?),
            KeyKind::Primary | KeyKind::Unique => None,
        };
        Ok(Self { name: column(row, 0)?, kind, side: side(row, 2)?, references, inherited: column(row, 12)? })
    }
}

fn side(row: &Row, first: usize) -> Result<KeySide, DbError> {
    let numbers: Vec<ColumnNumber> = column(row, first + 3)?;
    let names: Vec<String> = column(row, first + 4)?;
    Ok(KeySide {
        relation: column(row, first)?,
        table: identifier(row, first + 1)?,
        columns: numbers.into_iter().zip(names).collect(),
    })
}

/// A row of `views.sql`.
#[derive(Debug)]
pub(super) struct ViewRow {
    pub(super) oid: Oid,
    pub(super) exposed: bool,
    /// The rewrite rule's node tree.
    pub(super) definition: String,
}

impl ViewRow {
    pub(super) fn decode(row: &Row) -> Result<Self, DbError> {
        Ok(Self { oid: column(row, 0)?, exposed: column(row, 1)?, definition: column(row, 2)? })
    }
}

/// A row of `computed_relationships.sql`.
#[derive(Debug)]
pub(super) struct ComputedRow {
    pub(super) function: QualifiedIdentifier,
    pub(super) table: QualifiedIdentifier,
    pub(super) foreign_table: QualifiedIdentifier,
    pub(super) to_one: bool,
}

impl ComputedRow {
    pub(super) fn decode(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            function: identifier(row, 0)?,
            table: identifier(row, 2)?,
            foreign_table: identifier(row, 4)?,
            to_one: column(row, 6)?,
        })
    }
}

/// A row of `row_types.sql`.
pub(super) fn row_type(row: &Row) -> Result<(QualifiedIdentifier, Oid), DbError> {
    Ok((identifier(row, 0)?, column(row, 2)?))
}

/// A row of `media_handlers.sql`.
#[derive(Debug)]
pub(super) struct MediaHandlerRow {
    pub(super) handler: QualifiedIdentifier,
    pub(super) target: QualifiedIdentifier,
    pub(super) media_type: String,
    pub(super) resolved: String,
}

impl MediaHandlerRow {
    pub(super) fn decode(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            handler: identifier(row, 0)?,
            target: identifier(row, 2)?,
            media_type: column(row, 4)?,
            resolved: column(row, 5)?,
        })
    }
}

/// A row of `representations.sql`.
pub(super) fn representation(row: &Row) -> Result<DataRepresentation, DbError> {
    Ok(DataRepresentation {
        source_type: column(row, 0)?,
        target_type: column(row, 1)?,
        function: column(row, 2)?,
    })
}

/// The row of `session_residue.sql`.
pub(super) fn residue(row: &Row) -> Result<Residue, DbError> {
    Ok(Residue { commands: column(row, 0)?, at_commit: column(row, 1)?, cached_sequences: column(row, 2)? })
}

/// Decodes every row, or says what is wrong with the first that cannot be.
pub(super) fn decode_all<T>(
    rows: &[Row],
    decode: impl FnMut(&Row) -> Result<T, DbError>,
) -> Result<Vec<T>, DbError> {
    rows.iter().map(decode).collect()
}

/// A value of a row.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, DbError> {
    row.try_get(index).map_err(|it| unexpected(&it.to_string()))
}

/// A schema and the name beside it.
pub(super) fn identifier(row: &Row, index: usize) -> Result<QualifiedIdentifier, DbError> {
    Ok(QualifiedIdentifier { schema: column(row, index)?, name: column(row, index + 1)? })
}

fn unexpected(what: &str) -> DbError {
    DbError::UnexpectedResult(format!("the catalog returned {what}"))
}
