//! The one door for SQL text.

use bytes::Bytes;

use crate::plan::verbatim::{CastType, CatalogSql};
use crate::schema_cache::identifiers::QualifiedIdentifier;

use super::statement::{Param, ParamType, SqlText, Statement, push_ident, until_nul};

/// Builds a [`Statement`]: text that is static, quoted, or printed by the catalog, and binds for the rest.
///
/// Invariant: placeholders are `$1 … $n` in the order of the binds, each used once.
#[derive(Debug, Default)]
pub(crate) struct SqlBuilder {
    text: SqlText,
    params: Vec<Param>,
}

impl SqlBuilder {
    /// A statement written elsewhere, with its placeholders `$1 … $n`, and a value for each, whose type
    /// the server infers.
    pub(crate) fn whole(text: &'static str, values: &[&str]) -> Statement {
        let param = |value: &&str| Param {
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            ty: ParamType::Unknown,
        };
        Statement::fixed(text, values.iter().map(param).collect())
    }

    /// Appends text of ours.
    pub(crate) fn sql(&mut self, text: &'static str) -> &mut Self {
        self.text.push(text);
        self
    }

    /// Appends a quoted identifier.
    pub(crate) fn ident(&mut self, name: &str) -> &mut Self {
        self.text.ident(name);
        self
    }

    /// Appends a relation or function, with its schema when it has one.
    pub(crate) fn qualified(&mut self, qi: &QualifiedIdentifier) -> &mut Self {
        self.qualifier(Qualifier::from(qi))
    }

    /// Appends what columns are qualified with.
    pub(crate) fn qualifier(&mut self, qualifier: Qualifier<'_>) -> &mut Self {
        if !qualifier.schema.is_empty() {
            self.ident(qualifier.schema).sql(".");
        }
        self.ident(qualifier.name)
    }

    /// Appends a column; `*` is all columns.
    pub(crate) fn column(&mut self, qualifier: Qualifier<'_>, name: &str) -> &mut Self {
        self.qualifier(qualifier).sql(".");
        if name == "*" { self.sql("*") } else { self.ident(name) }
    }

    /// Appends a quoted string literal, for names of the catalog where no bind is possible.
    pub(crate) fn literal(&mut self, value: &str) -> &mut Self {
        self.text.literal(value);
        self
    }

    /// Appends text that the catalog printed.
    pub(crate) fn catalog(&mut self, text: &CatalogSql) -> &mut Self {
        self.text.catalog(text);
        self
    }

    /// Appends the target of a cast.
    pub(crate) fn cast_type(&mut self, cast: &CastType) -> &mut Self {
        self.text.cast_type(cast);
        self
    }

    /// Appends a placeholder for a value of a declared type.
    pub(crate) fn bind(&mut self, value: Option<Bytes>, ty: ParamType) -> &mut Self {
        self.params.push(Param { value, ty });
        self.text.placeholder(self.params.len());
        self
    }

    /// Appends a placeholder for a value whose type the server infers.
    pub(crate) fn bind_unknown(&mut self, value: &str) -> &mut Self {
        self.bind(Some(Bytes::copy_from_slice(value.as_bytes())), ParamType::Unknown)
    }

    /// Appends a placeholder for an integer whose type the server infers.
    pub(crate) fn bind_int(&mut self, value: i64) -> &mut Self {
        self.bind_unknown(itoa::Buffer::new().format(value))
    }

    /// Appends an integer that is part of a statement's shape.
    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        self.text.int(value);
        self
    }

    /// Appends items with a separator between them.
    pub(crate) fn separated<T>(
        &mut self,
        separator: &'static str,
        items: impl IntoIterator<Item = T>,
        mut append: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.sql(separator);
            }
            append(self, item);
        }
        self
    }

    /// Appends a part of a statement that a builder made.
    pub(super) fn built(&mut self, text: &SqlText) -> &mut Self {
        self.text.append(text);
        self
    }

    /// The text so far, as a part of a statement; what is appended next begins another.
    pub(super) fn take_part(&mut self) -> SqlText {
        std::mem::take(&mut self.text)
    }

    /// The text alone, of a form of a statement that has its binds already.
    pub(super) fn into_text(self) -> SqlText {
        self.text
    }

    /// The statement.
    pub(crate) fn finish(self) -> Statement {
        Statement::new(self.text, self.params)
    }
}

/// What a column is qualified with: an alias, or a relation with its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Qualifier<'a> {
    schema: &'a str,
    name: &'a str,
}

impl<'a> Qualifier<'a> {
    /// An alias, or a relation found through the search path.
    pub(crate) fn name(name: &'a str) -> Self {
        Self { schema: "", name }
    }

    /// The alias or the relation's own name, without schema.
    pub(crate) fn unqualified(self) -> &'a str {
        self.name
    }
}

impl<'a> From<&'a QualifiedIdentifier> for Qualifier<'a> {
    fn from(qi: &'a QualifiedIdentifier) -> Self {
        Self { schema: &qi.schema, name: &qi.name }
    }
}

/// Quotes identifiers as a list, as `search_path` takes them.
pub(super) fn ident_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut list = String::new();
    for (index, name) in names.into_iter().enumerate() {
        if index > 0 {
            list.push_str(", ");
        }
        push_ident(&mut list, name);
    }
    list
}

/// An array in its text form, so that the server may infer the type of the elements.
pub(super) fn array_text<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::from("{");
    for (index, value) in values.into_iter().enumerate() {
        text.push_str(if index > 0 { ",\"" } else { "\"" });
        for c in until_nul(value).chars() {
            if matches!(c, '"' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    text.push('}');
    text
}
