//! TypeScript: the `Database` type that postgrest-js takes.

use super::model::{
    Arguments, Column, Composite, Field, Function, Item, Model, Relation, Returns, Schema, Ty, Write,
};
use super::text::{Text, quoted};
use crate::schema_cache::identifiers::QualifiedIdentifier;

/// A type without properties.
const EMPTY: &str = "{ [_ in never]: never }";

/// The module.
pub(super) fn emit(model: &Model) -> String {
    let emitter = Emitter { model };
    let mut text = Text::default();
    text.line("// Written by `pgapp-api --types typescript`; make it anew rather than change it.");
    text.line("");
    text.line(
        "export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];",
    );
    text.line("");
    text.block("export type Database = {", "};", |text| {
        for schema in model.schemas.iter().filter(|it| it.exposed) {
            text.block(format!("{}: {{", key(&schema.name)), "};", |text| emitter.schema(schema, text));
        }
    });
    text.line("");
    text.line("type Schemas = keyof Database;");
    for (name, member) in [("Row", "Row"), ("Insert", "Insert"), ("Update", "Update")] {
        text.line("");
        text.line(format!("/** `{name}<\"schema\", \"relation\">`: short for the type in `Database`. */"));
        text.line(format!(
            "export type {name}<S extends Schemas, R extends keyof (Database[S][\"Tables\"] & Database[S][\"Views\"])> ="
        ));
        text.line(format!(
            "  (Database[S][\"Tables\"] & Database[S][\"Views\"])[R] extends {{ {member}: infer T }} ? T : never;"
        ));
    }
    text.finish()
}

struct Emitter<'m> {
    model: &'m Model,
}

impl Emitter<'_> {
    fn schema(&self, schema: &Schema, text: &mut Text) {
        let relations = |text: &mut Text, title, relations: &[Relation], is_view| {
            section(text, title, relations.is_empty(), |text| {
                for relation in relations {
                    doc(text, relation.description.as_deref());
                    text.block(format!("{}: {{", key(&relation.name)), "};", |text| {
                        self.relation(relation, is_view, text);
                    });
                }
            });
        };
        relations(text, "Tables", &schema.tables, false);
        relations(text, "Views", &schema.views, true);
        section(text, "Functions", schema.functions.is_empty(), |text| {
            for overloads in schema.functions.chunk_by(|a, b| a.name == b.name) {
                self.function(overloads, text);
            }
        });
        section(text, "Enums", schema.enums.is_empty(), |text| {
            for it in &schema.enums {
                doc(text, it.description.as_deref());
                text.line(format!("{}: {};", key(&it.name), labels(&it.labels)));
            }
        });
        let own: Vec<&Composite> = schema.composites.iter().filter(|it| !it.of_relation).collect();
        section(text, "CompositeTypes", own.is_empty(), |text| {
            for it in own {
                doc(text, it.description.as_deref());
                text.block(format!("{}: {{", key(&it.name)), "};", |text| {
                    it.fields.iter().for_each(|it| text.line(format!("{};", self.field(it))));
                });
            }
        });
    }

    fn relation(&self, relation: &Relation, is_view: bool, text: &mut Text) {
        text.block("Row: {", "};", |text| {
            for column in &relation.columns {
                doc(text, column.description.as_deref());
                text.line(format!("{}: {};", key(&column.name), self.or_null(&column.ty, column.nullable)));
            }
        });
        // A view that cannot be written has no more than rows.
        if !is_view || relation.insertable || relation.updatable {
            self.written(relation, "Insert", |it| it.insert, text);
            self.written(relation, "Update", |it| it.update, text);
        }
        if relation.relationships.is_empty() {
            return text.line("Relationships: [];");
        }
        text.block("Relationships: [", "];", |text| {
            for it in &relation.relationships {
                text.block("{", "},", |text| {
                    text.line(format!("foreignKeyName: {};", quoted(&it.constraint)));
                    text.line(format!("columns: {};", list(&it.columns)));
                    text.line(format!("isOneToOne: {};", it.one_to_one));
                    text.line(format!("referencedRelation: {};", quoted(&it.referenced)));
                    text.line(format!("referencedColumns: {};", list(&it.referenced_columns)));
                });
            }
        });
    }

    fn written(&self, relation: &Relation, title: &str, of: impl Fn(&Column) -> Write, text: &mut Text) {
        if relation.columns.is_empty() {
            return text.line(format!("{title}: {EMPTY};"));
        }
        text.block(format!("{title}: {{"), "};", |text| {
            for column in &relation.columns {
                let (key, ty) = (key(&column.name), self.or_null(&column.written, column.null_written));
                text.line(match of(column) {
                    Write::Never => format!("{key}?: never;"),
                    Write::Optional => format!("{key}?: {ty};"),
                    Write::Required => format!("{key}: {ty};"),
                });
            }
        });
    }

    /// Overloads are a union.
    fn function(&self, overloads: &[Function], text: &mut Text) {
        let Some(first) = overloads.first() else { return };
        doc(text, first.description.as_deref());
        let key = key(&first.name);
        if let [only] = overloads {
            return text.block(format!("{key}: {{"), "};", |text| self.signature(only, text));
        }
        text.line(format!("{key}:"));
        for (position, it) in overloads.iter().enumerate() {
            let end = if position + 1 == overloads.len() { "};" } else { "}" };
            text.block("| {", end, |text| self.signature(it, text));
        }
    }

    fn signature(&self, function: &Function, text: &mut Text) {
        let arguments = match &function.arguments {
            Arguments::Named(none) if none.is_empty() => "Record<PropertyKey, never>".to_owned(),
            Arguments::Named(named) => {
                let argument = |it: &super::model::Argument| {
                    format!("{}{}: {}", key(&it.name), if it.required { "" } else { "?" }, self.ty(&it.ty))
                };
                object(named.iter().map(argument))
            }
            Arguments::Body(ty) => format!("{{ \"\": {} }}", self.ty(ty)),
            Arguments::Row(relation) => format!("{{ \"\": {} }}", self.row(relation)),
        };
        text.line(format!("Args: {arguments};"));
        text.line(format!("Returns: {};", self.returns(&function.returns)));
        if let Some(embeds) = &function.embeds {
            text.block("SetofOptions: {", "};", |text| {
                text.line(format!("from: {};", quoted(embeds.from.as_deref().unwrap_or("*"))));
                text.line(format!("to: {};", quoted(&embeds.to)));
                text.line(format!("isOneToOne: {};", embeds.one));
                text.line(format!("isSetofReturn: {};", function.returns.set));
            });
        }
    }

    fn returns(&self, returns: &Returns) -> String {
        let (item, may_be_null) = match &returns.item {
            Item::Void => return "undefined".to_owned(),
            Item::Value(ty) => (self.ty(ty), returns.set && !ty.has_null()),
            Item::Row(relation) => (self.row(relation), false),
            Item::Fields(fields) => (self.fields(fields), false),
        };
        match (returns.set, may_be_null) {
            (false, _) => item,
            (true, false) => array(&item),
            (true, true) => array(&format!("{item} | null")),
        }
    }

    fn row(&self, relation: &QualifiedIdentifier) -> String {
        let schema = self.model.schemas.iter().find(|it| it.name == relation.schema);
        let is_view = schema.is_some_and(|it| it.views.iter().any(|it| it.name == relation.name));
        let section = if is_view { "Views" } else { "Tables" };
        format!("{}[\"Row\"]", member(relation, section))
    }

    fn or_null(&self, ty: &Ty, nullable: bool) -> String {
        let written = self.ty(ty);
        if nullable && !ty.has_null() { format!("{written} | null") } else { written }
    }

    fn field(&self, field: &Field) -> String {
        format!("{}: {}", key(&field.name), self.or_null(&field.ty, true))
    }

    fn fields(&self, fields: &[Field]) -> String {
        object(fields.iter().map(|it| self.field(it)))
    }

    fn ty(&self, ty: &Ty) -> String {
        match ty {
            Ty::Bool => "boolean".to_owned(),
            Ty::Integer(_) | Ty::Float | Ty::Numeric => "number".to_owned(),
            Ty::Text | Ty::Uuid => "string".to_owned(),
            Ty::Json => "Json".to_owned(),
            Ty::Array(element) => array(&self.or_null(element, true)),
            // What is not part of the exposed schemas is written where it is used.
            Ty::Enum(name) => match self.schema_of(name) {
                Some(schema) if schema.exposed => member(name, "Enums"),
                schema => schema
                    .and_then(|it| it.enums.iter().find(|it| it.name == name.name))
                    .map_or_else(|| "string".to_owned(), |it| labels(&it.labels)),
            },
            Ty::Composite(name) => {
                let schema = self.schema_of(name);
                let found = schema.and_then(|it| it.composites.iter().find(|it| it.name == name.name));
                match found {
                    Some(it) if !it.of_relation && schema.is_some_and(|it| it.exposed) => {
                        member(name, "CompositeTypes")
                    }
                    Some(it) => self.fields(&it.fields),
                    None => "Json".to_owned(),
                }
            }
        }
    }

    fn schema_of(&self, name: &QualifiedIdentifier) -> Option<&Schema> {
        self.model.schemas.iter().find(|it| it.name == name.schema)
    }
}

fn section(text: &mut Text, title: &str, is_empty: bool, inner: impl FnOnce(&mut Text)) {
    match is_empty {
        true => text.line(format!("{title}: {EMPTY};")),
        false => text.block(format!("{title}: {{"), "};", inner),
    }
}

fn doc(text: &mut Text, description: Option<&str>) {
    let Some(description) = description else { return };
    let safe = description.replace("*/", "* /");
    let mut lines = safe.lines().map(str::trim_end).peekable();
    match (lines.next(), lines.peek()) {
        (Some(only), None) => text.line(format!("/** {only} */")),
        (Some(first), Some(_)) => {
            text.line("/**");
            std::iter::once(first).chain(lines).for_each(|it| text.line(format!(" * {it}").trim_end()));
            text.line(" */");
        }
        (None, _) => {}
    }
}

fn member(name: &QualifiedIdentifier, section: &str) -> String {
    format!("Database[{}][\"{section}\"][{}]", quoted(&name.schema), quoted(&name.name))
}

fn object(members: impl Iterator<Item = String>) -> String {
    let members: Vec<String> = members.collect();
    if members.is_empty() { EMPTY.to_owned() } else { format!("{{ {} }}", members.join("; ")) }
}

fn array(element: &str) -> String {
    let is_union = element.contains(" | ");
    if is_union { format!("({element})[]") } else { format!("{element}[]") }
}

fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|it| quoted(it)).collect();
    format!("[{}]", names.join(", "))
}

fn labels(labels: &[String]) -> String {
    let labels: Vec<String> = labels.iter().map(|it| quoted(it)).collect();
    if labels.is_empty() { "never".to_owned() } else { labels.join(" | ") }
}

/// A property's name, in quotes where it needs them.
fn key(name: &str) -> String {
    let is_letter = |it: char| it.is_ascii_alphabetic() || it == '_' || it == '$';
    let is_plain = name.chars().enumerate().all(|(at, it)| is_letter(it) || at > 0 && it.is_ascii_digit());
    if is_plain && !name.is_empty() { name.to_owned() } else { quoted(name) }
}
