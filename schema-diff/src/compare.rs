//! Whether one object can become another one, and how. Pure.

use crate::model::{Body, Catalog, Column, Constraint, Object, Relation, Routine, Type};

/// How an object becomes what it is in the other database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the same.
    Same,
    /// By altering it.
    InPlace,
    /// By dropping and making it; what depends on it goes with it and comes back.
    Anew,
    /// By making another one, moving what uses the old one over, and dropping the old one.
    Replaced,
}

use Verdict::{Anew, InPlace, Replaced, Same};

/// Compares the bodies of two objects of one identity.
pub fn bodies(from: &Catalog, to: &Catalog, a: &Object, b: &Object) -> Verdict {
    if a.body == b.body && !matches!(a.body, Body::Relation(_)) {
        return Same;
    }
    match (&a.body, &b.body) {
        (Body::Relation(x), Body::Relation(y)) => relations(from, to, a, b, (x, y)),
        (Body::Column(x), Body::Column(y)) => columns(x, y),
        (Body::Constraint(x), Body::Constraint(y)) => constraints(x, y),
        (Body::Index(x), Body::Index(y)) => anew_if(x.definition != y.definition),
        (Body::Routine(x), Body::Routine(y)) => routines(x, y),
        (Body::Type(x), Body::Type(y)) => types(from, a, (x, y)),
        (Body::DomainConstraint(x), Body::DomainConstraint(y)) => {
            anew_if(plain_check(&x.definition) != plain_check(&y.definition) || x.valid && !y.valid)
        }
        (Body::Sequence(x), Body::Sequence(y)) => anew_if(x.identity != y.identity),
        (Body::Trigger(x), Body::Trigger(y)) => anew_if(x.definition != y.definition),
        (Body::Rule(x), Body::Rule(y)) => anew_if(x.definition != y.definition),
        (Body::Statistics(x), Body::Statistics(y)) => {
            match (&x.kinds, &x.parts, &x.table) == (&y.kinds, &y.parts, &y.table) {
                true if x.target == y.target => Same,
                same => anew_if(!same),
            }
        }
        (Body::Policy(x), Body::Policy(y)) => anew_if(
            x.command != y.command
                || x.permissive != y.permissive
                || x.using.is_some() && y.using.is_none()
                || x.check.is_some() && y.check.is_none(),
        ),
        (Body::EventTrigger(x), Body::EventTrigger(y)) => {
            anew_if(x.event != y.event || x.tags != y.tags || x.function != y.function)
        }
        (Body::Publication(x), Body::Publication(y)) => anew_if(x.all_tables != y.all_tables),
        (Body::Server(x), Body::Server(y)) => anew_if(x.wrapper != y.wrapper || x.r#type != y.r#type),
        (Body::Attach(x), Body::Attach(y)) => {
            if x.bound == y.bound {
                Same
            } else {
                Anew
            }
        }
        (Body::Extension(_), _) | (Body::Wrapper(_), _) | (Body::Mapping(_), _) | (Body::Default(_), _) => {
            InPlace
        }
        _ => Anew,
    }
}

fn anew_if(condition: bool) -> Verdict {
    if condition { Anew } else { InPlace }
}

fn relations(from: &Catalog, to: &Catalog, a: &Object, b: &Object, both: (&Relation, &Relation)) -> Verdict {
    let (x, y) = both;
    if x.imported && y.imported {
        return Same;
    }
    if x.kind != y.kind || x.partition_key != y.partition_key || x.server != y.server {
        return Anew;
    }
    match x.kind {
        'm' if x.definition != y.definition => Anew,
        'v' => {
            let (old, new) = (view_columns(from, a), view_columns(to, b));
            match (old == new, new.starts_with(&old)) {
                (true, _) if x == y => Same,
                (_, true) => InPlace,
                _ => Anew,
            }
        }
        _ if x == y => Same,
        _ => InPlace,
    }
}

/// The columns of a view in their order; `create or replace view` keeps them and may add to them.
fn view_columns<'a>(catalog: &'a Catalog, view: &Object) -> Vec<(&'a str, &'a str, Option<&'a str>)> {
    let mut columns: Vec<(&str, &Column)> = catalog.columns(&view.id).collect();
    columns.sort_by_key(|(_, it)| it.position);
    columns.into_iter().map(|(name, it)| (name, it.r#type.as_str(), it.collation.as_deref())).collect()
}

fn columns(x: &Column, y: &Column) -> Verdict {
    if x.relkind == 'v' {
        return Same;
    }
    let generation_changes = match (&x.generated, &y.generated) {
        (None, None) => false,
        // A stored value can become a plain one.
        (Some('s'), None) => x.r#type != y.r#type || x.collation != y.collation,
        (Some(_), Some(_)) => {
            x.generated != y.generated
                || x.expression != y.expression
                || x.r#type != y.r#type
                || x.collation != y.collation
        }
        _ => true,
    };
    if generation_changes {
        return Anew;
    }
    let like_x = Column { position: x.position, inherited: x.inherited, ..y.clone() };
    if *x == like_x { Same } else { InPlace }
}

/// Whether a column's values have to be converted.
pub fn type_changes(x: &Column, y: &Column) -> bool {
    x.r#type != y.r#type || x.collation != y.collation
}

fn constraints(x: &Constraint, y: &Constraint) -> Verdict {
    let deferral_changes = (x.deferrable, x.deferred) != (y.deferrable, y.deferred);
    if x.kind != y.kind
        || core(x) != core(y)
        || x.valid && !y.valid
        || x.enforced != y.enforced
        || deferral_changes && x.kind != 'f'
    {
        return Anew;
    }
    let like_x =
        Constraint { inherited: x.inherited, columns: x.columns.clone(), relkind: x.relkind, ..y.clone() };
    if *x == like_x { Same } else { InPlace }
}

/// A constraint's definition without what can be altered.
pub fn core(it: &Constraint) -> &str {
    let text = plain_check(&it.definition);
    let text = text.strip_suffix(" NOT ENFORCED").unwrap_or(text);
    let text = text.strip_suffix(" INITIALLY DEFERRED").unwrap_or(text);
    text.strip_suffix(" DEFERRABLE").unwrap_or(text)
}

/// A definition without the word that it is not validated.
pub fn plain_check(definition: &str) -> &str {
    definition.strip_suffix(" NOT VALID").unwrap_or(definition)
}

fn routines(x: &Routine, y: &Routine) -> Verdict {
    let replaceable = x.kind == y.kind
        && x.kind != 'a'
        && x.identity_arguments == y.identity_arguments
        && x.result == y.result
        && x.n_defaults <= y.n_defaults;
    if replaceable { InPlace } else { Anew }
}

fn types(from: &Catalog, a: &Object, both: (&Type, &Type)) -> Verdict {
    let (x, y) = both;
    if x.kind != y.kind || x.base != y.base || x.collation != y.collation || x.range != y.range {
        return Replaced;
    }
    match x.kind {
        'e' if !is_subsequence(&x.labels, &y.labels) => Replaced,
        'c' if in_columns(from, a) && attribute_types_change(x, y) => Replaced,
        _ => InPlace,
    }
}

fn is_subsequence(short: &[String], long: &[String]) -> bool {
    let mut rest = long.iter();
    short.iter().all(|it| rest.any(|other| other == it))
}

/// Whether a table has a column of the type, so that Postgres does not alter its attributes.
pub fn in_columns(catalog: &Catalog, object: &Object) -> bool {
    catalog.objects.values().any(|it| matches!(it.body, Body::Column(_)) && it.needs.contains(&object.id))
}

fn attribute_types_change(x: &Type, y: &Type) -> bool {
    x.attributes.iter().any(|old| {
        y.attributes
            .iter()
            .any(|new| new.name == old.name && (&new.r#type, &new.collation) != (&old.r#type, &old.collation))
    })
}
