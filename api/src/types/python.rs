//! Python: `TypedDict` and `Literal`, or models of pydantic.

mod pydantic;

use std::collections::{HashMap, HashSet};

use super::model::{Arguments, Column, Composite, Function, Item, Model, Relation, Returns, Ty, Write};
use super::names::{Taken, TypeNames, begun_by_letter, upper_camel};
use super::text::{Text, quoted};
use crate::schema_cache::identifiers::QualifiedIdentifier;

/// Names that the text itself uses.
const RESERVED: &[&str] = &[
    "Any",
    "BaseModel",
    "ConfigDict",
    "Field",
    "Json",
    "Literal",
    "Never",
    "None",
    "NotRequired",
    "True",
    "False",
    "TypeAlias",
    "TypedDict",
];
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];
/// A key of one of these names would stand for something else in the keys after it.
const USED_IN_TYPES: &[&str] = &["bool", "dict", "float", "int", "list", "str"];

/// The module.
pub(super) fn emit(model: &Model, with_pydantic: bool) -> String {
    let mut taken = Taken::new(RESERVED);
    let names = model.schemas.iter().map(|it| {
        let prefix = begun_by_letter(upper_camel(&it.name));
        (&*it.name, TypeNames::new(it, &prefix, &mut taken))
    });
    let emitter = Emitter { model, names: names.collect(), with_pydantic };
    let mut text = Text::indented_by(4);
    let flag = if with_pydantic { " --pydantic" } else { "" };
    text.line(format!("# Written by `pgapp-api --types python{flag}`; make it anew rather than change it."));
    text.line(match with_pydantic {
        true => "from typing import Any, Literal, Never, TypeAlias\n\nfrom pydantic import BaseModel, ConfigDict, Field",
        false => "from typing import Any, Literal, Never, NotRequired, TypeAlias, TypedDict",
    });
    text.line("");
    text.line("Json: TypeAlias = dict[str, Any] | list[Any] | str | int | float | bool | None");
    emitter.enums(&mut text);
    emitter.composites(&mut text);
    emitter.relations(&mut text);
    emitter.functions(&mut text);
    text.finish()
}

struct Emitter<'m> {
    model: &'m Model,
    names: HashMap<&'m str, TypeNames>,
    with_pydantic: bool,
}

/// A key of a dictionary, or a field of a model.
struct Member<'m> {
    name: &'m str,
    ty: String,
    is_required: bool,
}

impl<'m> Emitter<'m> {
    fn enums(&self, text: &mut Text) {
        for schema in &self.model.schemas {
            for it in &schema.enums {
                let labels: Vec<String> = it.labels.iter().map(|it| quoted(it)).collect();
                let labels = match labels.is_empty() {
                    true => "Never".to_owned(),
                    false => format!("Literal[{}]", labels.join(", ")),
                };
                let name = QualifiedIdentifier::new(&*schema.name, &*it.name);
                text.line("");
                text.line(format!("{}: TypeAlias = {labels}", self.name(&name, |it| &it.enums)));
            }
        }
    }

    /// Those that others are made of come first.
    fn composites(&self, text: &mut Text) {
        let all = self.model.schemas.iter().flat_map(|schema| {
            schema.composites.iter().map(|it| (QualifiedIdentifier::new(&*schema.name, &*it.name), it))
        });
        let all: Vec<(QualifiedIdentifier, &Composite)> = all.collect();
        let mut written: HashSet<&QualifiedIdentifier> = HashSet::new();
        while written.len() < all.len() {
            let before = written.len();
            for (name, it) in &all {
                let is_ready =
                    |of: &QualifiedIdentifier| written.contains(of) || all.iter().all(|it| it.0 != *of);
                let ready = it.fields.iter().all(|it| composite_in(&it.ty).is_none_or(is_ready));
                if ready && !written.contains(name) {
                    written.insert(name);
                    let field = |it: &'m super::model::Field| Member {
                        name: &it.name,
                        ty: self.or_none(&it.ty, true),
                        is_required: true,
                    };
                    let fields: Vec<_> = it.fields.iter().map(field).collect();
                    self.dictionary(&self.name(name, |it| &it.composites), &fields, text);
                }
            }
            // Postgres makes no type a part of itself; were there one, it would not be written.
            if written.len() == before {
                return;
            }
        }
    }

    fn relations(&self, text: &mut Text) {
        for schema in &self.model.schemas {
            for it in schema.relations() {
                let name = QualifiedIdentifier::new(&*schema.name, &*it.name);
                self.relation(&name, it, text);
            }
        }
    }

    fn relation(&self, name: &QualifiedIdentifier, relation: &'m Relation, text: &mut Text) {
        let row = relation.columns.iter().map(|it| Member {
            name: &it.name,
            ty: self.or_none(&it.ty, it.nullable),
            is_required: true,
        });
        self.dictionary(&self.name(name, |it| &it.rows), &row.collect::<Vec<_>>(), text);
        let written = |of: fn(&Column) -> Write| {
            let columns = relation.columns.iter().filter(move |it| of(it) != Write::Never);
            let member = move |it: &'m Column| Member {
                name: &it.name,
                ty: self.or_none(&it.written, it.null_written),
                is_required: of(it) == Write::Required,
            };
            columns.map(member).collect::<Vec<_>>()
        };
        if relation.insertable {
            self.dictionary(&self.name(name, |it| &it.inserts), &written(|it| it.insert), text);
        }
        if relation.updatable {
            self.dictionary(&self.name(name, |it| &it.updates), &written(|it| it.update), text);
        }
    }

    fn functions(&self, text: &mut Text) {
        for schema in &self.model.schemas {
            let Some(names) = self.names.get(&*schema.name) else { continue };
            for (it, (arguments, returns)) in schema.functions.iter().zip(&names.functions) {
                self.function(it, arguments, returns, text);
            }
        }
    }

    fn function(&self, function: &'m Function, arguments: &str, returns: &str, text: &mut Text) {
        match &function.arguments {
            Arguments::Row(_) => return,
            Arguments::Body(ty) => {
                text.line("");
                text.line(format!("{arguments}: TypeAlias = {}", self.ty(ty)));
            }
            Arguments::Named(named) => {
                let argument = |it: &'m super::model::Argument| Member {
                    name: &it.name,
                    ty: self.ty(&it.ty),
                    is_required: it.required,
                };
                self.dictionary(arguments, &named.iter().map(argument).collect::<Vec<_>>(), text);
            }
        }
        self.returns(&function.returns, returns, text);
    }

    fn returns(&self, returns: &'m Returns, name: &str, text: &mut Text) {
        let item = match &returns.item {
            Item::Void => "None".to_owned(),
            Item::Value(ty) => self.or_none(ty, returns.set),
            Item::Row(relation) => self.name(relation, |it| &it.rows),
            Item::Fields(fields) => {
                let field = |it: &'m super::model::Field| Member {
                    name: &it.name,
                    ty: self.or_none(&it.ty, true),
                    is_required: true,
                };
                let row = if returns.set { format!("{name}Row") } else { name.to_owned() };
                self.dictionary(&row, &fields.iter().map(field).collect::<Vec<_>>(), text);
                if !returns.set {
                    return;
                }
                row
            }
        };
        text.line("");
        text.line(match returns.set {
            true => format!("{name}: TypeAlias = list[{item}]"),
            false => format!("{name}: TypeAlias = {item}"),
        });
    }

    fn dictionary(&self, name: &str, members: &[Member<'_>], text: &mut Text) {
        text.line("");
        text.line("");
        if self.with_pydantic {
            return pydantic::model(name, members, text);
        }
        let ty = |it: &Member<'_>| match it.is_required {
            true => it.ty.clone(),
            false => format!("NotRequired[{}]", it.ty),
        };
        if members.iter().all(|it| is_plain(it.name)) {
            return text.nested(format!("class {name}(TypedDict):"), |text| match members.is_empty() {
                true => text.line("pass"),
                false => members.iter().for_each(|it| text.line(format!("{}: {}", it.name, ty(it)))),
            });
        }
        text.block(format!("{name} = TypedDict({}, {{", quoted(name)), "})", |text| {
            members.iter().for_each(|it| text.line(format!("{}: {},", quoted(it.name), ty(it))));
        });
    }

    fn or_none(&self, ty: &Ty, nullable: bool) -> String {
        let written = self.ty(ty);
        if nullable && !ty.has_null() { format!("{written} | None") } else { written }
    }

    fn ty(&self, ty: &Ty) -> String {
        match ty {
            Ty::Bool => "bool".to_owned(),
            Ty::Integer(_) => "int".to_owned(),
            Ty::Float | Ty::Numeric => "float".to_owned(),
            Ty::Text | Ty::Uuid => "str".to_owned(),
            Ty::Json => "Json".to_owned(),
            Ty::Enum(name) => self.name(name, |it| &it.enums),
            Ty::Composite(name) => self.name(name, |it| &it.composites),
            Ty::Array(element) => format!("list[{}]", self.or_none(element, true)),
        }
    }

    fn name(
        &self,
        name: &QualifiedIdentifier,
        of: impl Fn(&TypeNames) -> &HashMap<String, String>,
    ) -> String {
        let found = self.names.get(&*name.schema).and_then(|it| of(it).get(&name.name));
        found.map_or_else(|| "Json".to_owned(), Clone::clone)
    }
}

fn composite_in(ty: &Ty) -> Option<&QualifiedIdentifier> {
    match ty {
        Ty::Composite(name) => Some(name),
        Ty::Array(element) => composite_in(element),
        _ => None,
    }
}

/// Whether a key can be written as a name in a class.
fn is_plain(name: &str) -> bool {
    let is_name = name
        .chars()
        .enumerate()
        .all(|(at, it)| it.is_ascii_alphabetic() || it == '_' || at > 0 && it.is_ascii_digit());
    // Two leading underscores are changed by Python; types begin with a capital letter.
    let is_used = USED_IN_TYPES.contains(&name) || name.starts_with(|it: char| it.is_ascii_uppercase());
    is_name && !name.is_empty() && !name.starts_with("__") && !is_used && !KEYWORDS.contains(&name)
}
