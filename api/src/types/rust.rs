//! Rust: structs and enums that `serde` and `serde_json` read and write.

mod idents;

use std::collections::HashMap;

use super::model::{
    Argument, Arguments, Column, Enum, Field, Function, Item, Model, Relation, Returns, Schema, Ty, Write,
};
use super::names::{Taken, TypeNames, begun_by_letter, upper_camel};
use super::text::{Text, quoted};
use crate::schema_cache::identifiers::QualifiedIdentifier;

/// Names that the text itself uses, and that no type may have therefore.
const RESERVED: &[&str] = &["Option", "Vec", "String", "Self", "Some", "None", "Ok", "Err"];
/// What every module allows: names are the database's, and no program uses all of them.
const ALLOW: &str = "#[allow(dead_code, non_snake_case, non_camel_case_types, clippy::all)]";
const DERIVE: &str = "#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]";
const DERIVE_DEFAULT: &str =
    "#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]";
const DERIVE_ENUM: &str = "#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, \
                           serde::Deserialize)]";

/// The module: one module per schema in it, and one for what JSON has no exact form for.
pub(super) fn emit(model: &Model) -> String {
    let mut taken = Taken::default();
    let modules: HashMap<&str, String> =
        model.schemas.iter().map(|it| (&*it.name, taken.pick(&idents::module(&it.name)))).collect();
    let values = taken.pick("values");
    let names: HashMap<&str, TypeNames> = model
        .schemas
        .iter()
        .map(|it| (&*it.name, TypeNames::new(it, "", &mut Taken::new(RESERVED))))
        .collect();
    let mut text = Text::indented_by(4);
    text.line("// Written by `pgapp-api --types rust`; make it anew rather than change it.");
    text.line("// Needs serde with the feature \"derive\", and serde_json.");
    for schema in &model.schemas {
        let (Some(module), Some(own)) = (modules.get(&*schema.name), names.get(&*schema.name)) else {
            continue;
        };
        let emitter = Emitter { schema, own, names: &names, modules: &modules, values: &values };
        text.line("");
        text.line(ALLOW);
        text.block(format!("pub mod {module} {{"), "}", |text| emitter.schema(text));
    }
    text.line("");
    text.line(ALLOW);
    text.lines(&include_str!("rust/values.rs.txt").replace("VALUES", &values));
    text.finish()
}

/// Writes the module of one schema.
struct Emitter<'m> {
    schema: &'m Schema,
    own: &'m TypeNames,
    names: &'m HashMap<&'m str, TypeNames>,
    modules: &'m HashMap<&'m str, String>,
    /// Name of the module for values.
    values: &'m str,
}

/// A field of a struct, before it has an identifier.
struct Member<'m> {
    name: &'m str,
    description: Option<&'m str>,
    ty: &'m Ty,
    presence: Presence,
}

/// When a field is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// Always, and never null.
    Always,
    /// It may be null, which is written.
    Nullable,
    /// It may be left out.
    Optional,
    /// It may be left out, and it may be null.
    OptionalNullable,
}

impl Emitter<'_> {
    fn schema(&self, text: &mut Text) {
        let mut first = true;
        let mut apart = |text: &mut Text| {
            if !std::mem::take(&mut first) {
                text.line("");
            }
        };
        for it in &self.schema.enums {
            apart(text);
            self.labels(it, text);
        }
        for it in &self.schema.composites {
            apart(text);
            let name = self.own.composites.get(&it.name).map_or("", String::as_str);
            self.structure(name, it.description.as_deref(), &self.fields(&it.fields), text);
        }
        for it in self.schema.relations() {
            apart(text);
            self.relation(it, text);
        }
        for (it, (arguments, returns)) in self.schema.functions.iter().zip(&self.own.functions) {
            if !arguments.is_empty() {
                apart(text);
                self.function(it, arguments, returns, text);
            }
        }
    }

    fn labels(&self, it: &Enum, text: &mut Text) {
        doc(it.description.as_deref(), text);
        let name = self.own.enums.get(&it.name).map_or("", String::as_str);
        // Derived code of an enum without variants is not all in use.
        text.line(DERIVE_ENUM);
        text.block(format!("pub enum {name} {{"), "}", |text| {
            let mut taken = Taken::new(&["Self"]);
            for label in &it.labels {
                let variant = taken.pick(&begun_by_letter(upper_camel(label)));
                text.line(format!("#[serde(rename = {})]", literal(label)));
                text.line(format!("{variant},"));
            }
        });
    }

    fn relation(&self, relation: &Relation, text: &mut Text) {
        let row = |it: &'_ Column| if it.nullable { Presence::Nullable } else { Presence::Always };
        let columns = relation.columns.iter().map(|it| member(it, &it.ty, row(it)));
        let name = |of: &HashMap<String, String>| of.get(&relation.name).cloned().unwrap_or_default();
        self.structure(
            &name(&self.own.rows),
            relation.description.as_deref(),
            &columns.collect::<Vec<_>>(),
            text,
        );
        if relation.insertable {
            let columns = relation.columns.iter().filter(|it| it.insert != Write::Never).map(|it| {
                let presence = match (it.insert, it.null_written && !it.null_by_default) {
                    (Write::Required, _) => Presence::Always,
                    (_, true) => Presence::OptionalNullable,
                    (_, false) => Presence::Optional,
                };
                member(it, &it.written, presence)
            });
            text.line("");
            let about = format!("A row to insert into `{}`.", relation.name);
            self.structure(&name(&self.own.inserts), Some(&about), &columns.collect::<Vec<_>>(), text);
        }
        if relation.updatable {
            let columns = relation.columns.iter().filter(|it| it.update != Write::Never).map(|it| {
                let presence = if it.null_written { Presence::OptionalNullable } else { Presence::Optional };
                member(it, &it.written, presence)
            });
            text.line("");
            let about =
                format!("What to change in rows of `{}`; `None` leaves a column as it is.", relation.name);
            self.structure(&name(&self.own.updates), Some(&about), &columns.collect::<Vec<_>>(), text);
        }
    }

    fn function(&self, function: &Function, arguments: &str, returns: &str, text: &mut Text) {
        let about =
            function.description.clone().unwrap_or_else(|| format!("Arguments of `{}`.", function.name));
        match &function.arguments {
            Arguments::Named(named) => {
                let argument =
                    |it: &'_ Argument| if it.required { Presence::Always } else { Presence::Optional };
                let members = named.iter().map(|it| Member {
                    name: &it.name,
                    description: None,
                    ty: &it.ty,
                    presence: argument(it),
                });
                self.structure(arguments, Some(&about), &members.collect::<Vec<_>>(), text);
            }
            Arguments::Body(ty) => {
                doc(Some(&about), text);
                text.line(format!("pub type {arguments} = {};", self.ty(ty)));
            }
            Arguments::Row(_) => return,
        }
        text.line("");
        self.returns(&function.returns, returns, text);
    }

    fn returns(&self, returns: &Returns, name: &str, text: &mut Text) {
        let item = match &returns.item {
            Item::Void => "()".to_owned(),
            // Nothing keeps nulls out of a set.
            Item::Value(ty) if returns.set => format!("Option<{}>", self.ty(ty)),
            Item::Value(ty) => self.ty(ty),
            Item::Row(relation) => self.path(relation, |it| &it.rows),
            Item::Fields(fields) => {
                let row = if returns.set { format!("{name}Row") } else { name.to_owned() };
                self.structure(&row, None, &self.fields(fields), text);
                if !returns.set {
                    return;
                }
                text.line("");
                row
            }
        };
        let item = if returns.set { format!("Vec<{item}>") } else { item };
        text.line(format!("pub type {name} = {item};"));
    }

    fn fields<'f>(&self, fields: &'f [Field]) -> Vec<Member<'f>> {
        let field = |it: &'f Field| Member {
            name: &it.name,
            description: None,
            ty: &it.ty,
            presence: Presence::Nullable,
        };
        fields.iter().map(field).collect()
    }

    fn structure(&self, name: &str, about: Option<&str>, members: &[Member<'_>], text: &mut Text) {
        doc(about, text);
        let may_be_empty = members.iter().all(|it| it.presence != Presence::Always);
        text.line(if may_be_empty { DERIVE_DEFAULT } else { DERIVE });
        text.block(format!("pub struct {name} {{"), "}", |text| {
            let mut taken = Taken::default();
            for member in members {
                self.member(member, &mut taken, text);
            }
        });
    }

    fn member(&self, member: &Member<'_>, taken: &mut Taken, text: &mut Text) {
        let ident = idents::field(member.name, taken);
        let mut attributes = Vec::new();
        if ident.trim_start_matches("r#") != member.name {
            attributes.push(format!("rename = {}", literal(member.name)));
        }
        let (is_float, values) = (holds_float(member.ty), self.values);
        let ty = self.ty(member.ty);
        let ty = match member.presence {
            Presence::Always => {
                attributes.extend(is_float.then(|| format!("with = \"super::{values}::float\"")));
                ty
            }
            Presence::Nullable => {
                attributes.extend(is_float.then(|| format!("default, with = \"super::{values}::float\"")));
                format!("Option<{ty}>")
            }
            Presence::Optional => {
                attributes.push("default, skip_serializing_if = \"Option::is_none\"".to_owned());
                attributes.extend(is_float.then(|| format!("with = \"super::{values}::float\"")));
                format!("Option<{ty}>")
            }
            Presence::OptionalNullable => {
                attributes.push("default, skip_serializing_if = \"Option::is_none\"".to_owned());
                attributes.push(match is_float {
                    true => format!(
                        "serialize_with = \"super::{values}::float::serialize\", deserialize_with = \"super::{values}::float::present\""
                    ),
                    false => format!("deserialize_with = \"super::{values}::present\""),
                });
                format!("Option<Option<{ty}>>")
            }
        };
        doc(member.description, text);
        if !attributes.is_empty() {
            text.line(format!("#[serde({})]", attributes.join(", ")));
        }
        text.line(format!("pub {ident}: {ty},"));
    }

    fn ty(&self, ty: &Ty) -> String {
        match ty {
            Ty::Bool => "bool".to_owned(),
            Ty::Integer(bits) => format!("i{bits}"),
            Ty::Float => "f64".to_owned(),
            Ty::Numeric => format!("super::{}::Numeric", self.values),
            Ty::Text | Ty::Uuid => "String".to_owned(),
            Ty::Json => "serde_json::Value".to_owned(),
            Ty::Enum(name) => self.path(name, |it| &it.enums),
            Ty::Composite(name) => self.path(name, |it| &it.composites),
            Ty::Array(element) => format!("Vec<Option<{}>>", self.ty(element)),
        }
    }

    /// A type's name, with its module where that is another one.
    fn path(
        &self,
        name: &QualifiedIdentifier,
        of: impl Fn(&TypeNames) -> &HashMap<String, String>,
    ) -> String {
        let found = self.names.get(&*name.schema).and_then(|it| of(it).get(&name.name));
        match (found, self.modules.get(&*name.schema)) {
            (Some(found), _) if name.schema == self.schema.name => found.clone(),
            (Some(found), Some(module)) => format!("super::{module}::{found}"),
            _ => "serde_json::Value".to_owned(),
        }
    }
}

fn member<'c>(column: &'c Column, ty: &'c Ty, presence: Presence) -> Member<'c> {
    Member { name: &column.name, description: column.description.as_deref(), ty, presence }
}

fn holds_float(ty: &Ty) -> bool {
    match ty {
        Ty::Float => true,
        Ty::Array(element) => holds_float(element),
        _ => false,
    }
}

fn doc(description: Option<&str>, text: &mut Text) {
    for line in description.unwrap_or_default().lines() {
        // Neither an indented line nor a fence is to become a test of the documentation.
        let line = line.trim().replace("```", "'''");
        text.line(format!("/// {line}").trim_end());
    }
}

/// A string literal.
fn literal(text: &str) -> String {
    let is_plain = text.chars().all(|it| !it.is_control());
    if is_plain { quoted(text) } else { format!("{text:?}") }
}
