//! Rows in text format → JSON, byte for byte as `json_agg` writes it. Pure.
//!
//! What a value looks like follows from its type's OID, as in Postgres' own `to_json`: numbers and
//! booleans are bare, JSON is taken as it is, most of the rest is the value's text in quotes. Types whose
//! JSON is not made of their text, or that are not known here, are left to `to_json`; see [`Printing`].

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::RowDescriptionBody;
use postgres_types::{Kind, Type};

use super::csv;
use crate::error::DbError;
use crate::sql::types::{Form, Layout};

/// How a type's value becomes JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Printing {
    /// `t` and `f`.
    Boolean,
    /// The text, in quotes where it is no number: `NaN`, `Infinity`.
    Number,
    /// The text as it is.
    Json,
    /// The text in quotes.
    Text,
    /// By `to_json`, which prints another text than the type's own.
    ByPostgres,
    /// By `to_json`; and `json_agg` puts such values on lines of their own.
    Nested,
    /// By `to_json`; whether `json_agg` puts such values on lines of their own is not known here.
    Unknown,
    /// By nothing but the aggregate.
    Never,
}

/// How values of a type become JSON.
pub(super) fn printing(type_oid: u32) -> Printing {
    let Some(ty) = Type::from_oid(type_oid) else { return Printing::Unknown };
    match ty {
        Type::BOOL => Printing::Boolean,
        Type::INT2 | Type::INT4 | Type::INT8 | Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => {
            Printing::Number
        }
        Type::JSON | Type::JSONB => Printing::Json,
        // JSON has them in ISO 8601 whatever `DateStyle` says, with a `T` and the time zone in full.
        Type::DATE | Type::TIMESTAMP | Type::TIMESTAMPTZ => Printing::ByPostgres,
        // Arrays by another name: their elements become JSON one by one.
        Type::INT2_VECTOR | Type::OID_VECTOR => Printing::Nested,
        _ => match ty.kind() {
            Kind::Simple | Kind::Range(_) | Kind::Multirange(_) => Printing::Text,
            Kind::Array(_) => Printing::Nested,
            _ if ty == Type::RECORD => Printing::Nested,
            // Pseudo types; some take no function's argument.
            _ => Printing::Never,
        },
    }
}

/// A result column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) type_oid: u32,
}

/// Reads what the server says of a result's columns.
pub(super) fn columns(description: &RowDescriptionBody) -> Result<Vec<Column>, DbError> {
    description
        .fields()
        .map(|field| Ok(Column { name: field.name().to_owned(), type_oid: field.type_oid() }))
        .collect()
        .map_err(|_| unexpected("a row description is malformed"))
}

/// Encodes rows of known columns.
#[derive(Debug)]
pub(super) struct Encoder {
    fields: Vec<Field>,
    /// Bytes that a row has besides its values, about.
    n_lead: usize,
    /// A lone value is put on a line of its own.
    nested: bool,
}

#[derive(Debug)]
struct Field {
    /// What precedes the value: `{"name":` for the first, `,"name":` for the others.
    lead: Box<[u8]>,
    printing: Printing,
}

impl Encoder {
    /// An encoder, if every column can be encoded here. `nested` tells that a lone value was an array or
    /// a row before it became JSON.
    pub(super) fn new(columns: &[Column], nested: bool) -> Option<Self> {
        let mut fields = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let printing = printing(column.type_oid);
            let encodable =
                matches!(printing, Printing::Boolean | Printing::Number | Printing::Json | Printing::Text);
            if !encodable {
                return None;
            }
            let mut lead = BytesMut::new();
            lead.extend_from_slice(if index == 0 { b"{" } else { b"," });
            quoted(&mut lead, column.name.as_bytes());
            lead.extend_from_slice(b":");
            fields.push(Field { lead: lead.to_vec().into(), printing });
        }
        let n_lead = fields.iter().map(|it| it.lead.len()).sum::<usize>() + 4;
        Some(Self { fields, n_lead, nested })
    }

    /// An encoder for rows of whatever columns, as CSV. Their names are a part of it.
    pub(super) fn of_texts(columns: &[Column]) -> Self {
        let names =
            columns.iter().map(|it| Field { lead: it.name.as_bytes().into(), printing: Printing::Text });
        Self { fields: names.collect(), n_lead: columns.len(), nested: false }
    }

    /// Appends a row, in the form of a `DataRow`, to an answer that holds `n_before` rows already.
    pub(super) fn row(
        &self,
        out: &mut BytesMut,
        form: Form,
        n_before: usize,
        row: &[u8],
    ) -> Result<(), DbError> {
        if form.layout == Layout::Csv {
            return self.text_row(out, n_before, row);
        }
        if form.single && n_before > 0 {
            return Ok(());
        }
        let is_line = form.layout == Layout::Lines;
        // Nearly always enough: names and punctuation, and values without anything to escape.
        out.reserve(self.n_lead + row.len());
        let mut values = Values::of(row)?;
        if !form.single && !is_line {
            out.extend_from_slice(if n_before == 0 { b"[" } else { b", " });
            // `json_agg` puts rows and arrays on lines of their own, but not a null in their place.
            let own_line = match form.scalar {
                false => true,
                true => self.nested && matches!(Values::of(row)?.next()?, Some(Some(_))),
            };
            if n_before > 0 && own_line {
                out.extend_from_slice(b"\n ");
            }
        }
        for field in &self.fields {
            let value = values.next()?.ok_or_else(|| unexpected("a column is missing"))?;
            if !form.scalar {
                out.extend_from_slice(&field.lead);
            }
            match value {
                // JSON may have line ends between its tokens; within strings they are written as `\n`.
                Some(text) if is_line && field.printing == Printing::Json => in_one_line(out, text),
                Some(text) => print(out, field.printing, text),
                None => out.extend_from_slice(b"null"),
            }
            if form.scalar {
                break;
            }
        }
        if !form.scalar {
            out.extend_from_slice(if self.fields.is_empty() { b"{}" } else { b"}" });
        }
        if is_line {
            out.extend_from_slice(b"\n");
        }
        Ok(())
    }

    /// The same as CSV: the text form of a row, as Postgres writes it.
    fn text_row(&self, out: &mut BytesMut, n_before: usize, row: &[u8]) -> Result<(), DbError> {
        out.reserve(self.n_lead + row.len());
        if n_before == 0 {
            csv::header(out, self.fields.iter().map(|it| &*it.lead));
        }
        out.extend_from_slice(b"\n");
        let mut values = Values::of(row)?;
        let mut is_first = true;
        while let Some(value) = values.next()? {
            if !std::mem::take(&mut is_first) {
                out.extend_from_slice(b",");
            }
            if let Some(text) = value {
                csv::field(out, text);
            }
        }
        Ok(())
    }
}

/// The values of a `DataRow`.
struct Values<'a> {
    n_left: u16,
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    fn of(row: &'a [u8]) -> Result<Self, DbError> {
        let (count, rest) = row.split_first_chunk().ok_or_else(malformed)?;
        Ok(Self { n_left: u16::from_be_bytes(*count), rest })
    }

    /// The next value or null; nothing after the last.
    fn next(&mut self) -> Result<Option<Option<&'a [u8]>>, DbError> {
        if self.n_left == 0 {
            return Ok(None);
        }
        let (length, rest) = self.rest.split_first_chunk().ok_or_else(malformed)?;
        self.n_left -= 1;
        self.rest = rest;
        // A negative length is a null.
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else { return Ok(Some(None)) };
        let (value, rest) = self.rest.split_at_checked(length).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(Some(Some(value)))
    }
}

fn malformed() -> DbError {
    unexpected("a row is malformed")
}

/// Ends an answer of `n_rows` rows.
pub(super) fn end(out: &mut BytesMut, form: Form, n_rows: usize) {
    match form.layout {
        Layout::Json => {}
        Layout::Lines => return,
        Layout::Csv => {
            if n_rows == 0 {
                out.extend_from_slice(b"\n");
            }
            return;
        }
    }
    match (form.single, n_rows) {
        (true, 0) => out.extend_from_slice(b"null"),
        (true, _) => {}
        (false, 0) => out.extend_from_slice(b"[]"),
        (false, _) => out.extend_from_slice(b"]"),
    }
}

/// Appends JSON without line ends.
fn in_one_line(out: &mut BytesMut, text: &[u8]) {
    let begun_at = out.len();
    out.extend_from_slice(text);
    for byte in &mut out[begun_at..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

fn print(out: &mut BytesMut, printing: Printing, text: &[u8]) {
    match printing {
        Printing::Boolean => out.extend_from_slice(if text == b"t" { b"true" } else { b"false" }),
        Printing::Number => match text {
            [b'0'..=b'9', ..] | [b'-', b'0'..=b'9', ..] => out.extend_from_slice(text),
            _ => quoted(out, text),
        },
        Printing::Json => out.extend_from_slice(text),
        _ => quoted(out, text),
    }
}

/// Appends a string as Postgres' `escape_json` does.
fn quoted(out: &mut BytesMut, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.extend_from_slice(b"\"");
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte < b' ' || matches!(byte, b'"' | b'\\')) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain);
        match from[0] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\x08' => out.extend_from_slice(b"\\b"),
            b'\x0c' => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(control >> 4)], HEX[usize::from(control & 15)]]);
            }
        }
        rest = &from[1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\"");
}

fn unexpected(what: &str) -> DbError {
    DbError::UnexpectedResult(what.into())
}
