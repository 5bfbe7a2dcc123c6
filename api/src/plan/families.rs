//! Postgres types by what their values look like, as far as names of the catalog tell it.

/// What values of a type look like in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An array.
    Array,
    /// Any JSON at all.
    Json,
    /// A date, a time, an address …: a string, but not any string.
    Strict,
    /// A string.
    Text,
    /// `hstore`, which is shown as an object.
    Hstore,
    /// A type that its name says nothing about: an enum, a row type, a type of an extension.
    Other,
}

/// The family of a type, as `format_type` prints it without its modifier.
pub(super) fn family_of(data_type: &str) -> Family {
    match data_type {
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => Family::Number,
        "boolean" => Family::Boolean,
        "json" | "jsonb" => Family::Json,
        "date"
        | "time without time zone"
        | "time with time zone"
        | "timestamp without time zone"
        | "timestamp with time zone"
        | "interval"
        | "uuid"
        | "inet"
        | "cidr"
        | "macaddr"
        | "macaddr8" => Family::Strict,
        "text" | "character varying" | "character" | "name" | "citext" => Family::Text,
        other if other.ends_with("[]") => Family::Array,
        // The extension may live in any schema.
        other if other == "hstore" || other.ends_with(".hstore") => Family::Hstore,
        _ => Family::Other,
    }
}

impl Family {
    /// An empty text is no value of such a type, and neither is one in braces.
    pub(super) fn is_never_empty_text(self) -> bool {
        matches!(self, Self::Number | Self::Boolean | Self::Strict)
    }
}
