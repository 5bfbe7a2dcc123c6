//! Functions.

use super::Builder;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::types::catalog::{self, Kind, Routine};
use crate::types::model::{Argument, Arguments, Embeds, Field, Function, Item, Returns};
use crate::types::nullability::Oid;

/// Types of a single argument without a name that the whole body is given as.
const BODIES: &[&str] = &["json", "jsonb", "text", "xml", "bytea"];

impl Builder<'_> {
    pub(super) fn functions(&self, schema: &str) -> Vec<Function> {
        let routines = self.catalog.routines.iter().filter(|it| it.schema == schema);
        routines.filter_map(|it| self.function(it)).collect()
    }

    fn function(&self, routine: &Routine) -> Option<Function> {
        let inputs: Vec<&catalog::Argument> = routine.arguments.iter().filter(|it| it.is_input).collect();
        let row_of = |argument: &catalog::Argument| self.exposed_relation(argument.ty);
        let arguments = match inputs.as_slice() {
            inputs if inputs.iter().all(|it| !it.name.is_empty()) => {
                let argument = |(position, it): (usize, &&catalog::Argument)| Argument {
                    name: it.name.clone(),
                    ty: self.ty(it.ty),
                    required: position < routine.required,
                };
                Arguments::Named(inputs.iter().enumerate().map(argument).collect())
            }
            [one] if self.takes_body(one.ty) => Arguments::Body(self.ty(one.ty)),
            [row] => Arguments::Row(row_of(row)?),
            _ => return None,
        };
        let returns = self.returns(routine);
        let embeds = match &returns.item {
            Item::Row(to) if to.schema == routine.schema => Some(Embeds {
                from: match inputs.as_slice() {
                    [one] => row_of(one).filter(|it| it.schema == routine.schema).map(|it| it.name),
                    _ => None,
                },
                to: to.name.clone(),
                one: !routine.returns_set || routine.one_row,
            }),
            _ => None,
        };
        Some(Function {
            name: routine.name.clone(),
            description: routine.description.clone(),
            arguments,
            returns,
            reads_only: !routine.may_write,
            embeds,
        })
    }

    fn returns(&self, routine: &Routine) -> Returns {
        let outputs: Vec<&catalog::Argument> = routine.arguments.iter().filter(|it| it.is_output).collect();
        let item = if !outputs.is_empty() {
            let field = |(position, it): (usize, &&catalog::Argument)| Field {
                // Postgres numbers results without a name.
                name: if it.name.is_empty() { format!("column{}", position + 1) } else { it.name.clone() },
                ty: self.ty(it.ty),
            };
            Item::Fields(outputs.iter().enumerate().map(field).collect())
        } else if self.is_void(routine.returns) {
            Item::Void
        } else {
            match self.exposed_relation(routine.returns) {
                Some(relation) => Item::Row(relation),
                None => Item::Value(self.ty(routine.returns)),
            }
        };
        Returns { set: routine.returns_set, item }
    }

    /// The exposed relation whose rows are of this type.
    fn exposed_relation(&self, ty: Oid) -> Option<QualifiedIdentifier> {
        let Kind::Composite(relation) = self.catalog.types.get(&ty)?.kind else { return None };
        let relation = self.by_oid.get(&relation).filter(|it| self.is_exposed(&it.schema))?;
        let qi = QualifiedIdentifier::new(&*relation.schema, &*relation.name);
        self.cache.tables.contains_key(&qi).then_some(qi)
    }

    fn is_pg_catalog(&self, ty: Oid, names: &[&str]) -> bool {
        let ty = self.catalog.types.get(&ty);
        ty.is_some_and(|it| it.schema == "pg_catalog" && names.contains(&&*it.name))
    }

    fn takes_body(&self, ty: Oid) -> bool {
        self.is_pg_catalog(ty, BODIES)
    }

    fn is_void(&self, ty: Oid) -> bool {
        self.is_pg_catalog(ty, &["void"])
    }
}
