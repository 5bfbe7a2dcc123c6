//! Catalog and schema cache → model.

mod functions;
mod relations;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::catalog::{Catalog, Column, Kind, Relation, RelationKind};
use super::model::{Composite, Enum, Field, Model, Schema, Ty};
use super::nullability::{Oid, Prover};
use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::QualifiedIdentifier;

/// The model of these schemas.
pub(super) fn build(catalog: &Catalog, cache: &SchemaCache, schemas: &[String]) -> Model {
    let builder = Builder::new(catalog, cache, schemas);
    let mut found: BTreeMap<String, Schema> = BTreeMap::new();
    for name in schemas {
        let mut schema = Schema { name: name.clone(), exposed: true, ..Schema::default() };
        builder.relations(&mut schema);
        schema.functions = builder.functions(name);
        found.insert(name.clone(), schema);
    }
    builder.types(&mut found);
    let exposed: Vec<Schema> = schemas.iter().filter_map(|it| found.remove(it)).collect();
    Model { schemas: exposed.into_iter().chain(found.into_values()).collect() }
}

struct Builder<'c> {
    catalog: &'c Catalog,
    cache: &'c SchemaCache,
    schemas: &'c [String],
    prover: Prover<'c>,
    by_name: HashMap<(&'c str, &'c str), &'c Relation>,
    by_oid: HashMap<Oid, &'c Relation>,
    /// Enums and row types that something is made of, and that were not described yet.
    used: RefCell<BTreeSet<Oid>>,
}

impl<'c> Builder<'c> {
    fn new(catalog: &'c Catalog, cache: &'c SchemaCache, schemas: &'c [String]) -> Self {
        let relations = &catalog.relations;
        let exposed = |schema: &str| schemas.iter().any(|it| it == schema);
        let own = catalog.types.values().filter(|it| match it.kind {
            Kind::Enum(_) => exposed(&it.schema),
            Kind::Composite(of) => {
                exposed(&it.schema)
                    && relations.iter().any(|it| it.oid == of && it.kind == RelationKind::CompositeType)
            }
            _ => false,
        });
        Self {
            catalog,
            cache,
            schemas,
            prover: Prover::new(&catalog.nulls),
            by_name: relations.iter().map(|it| ((&*it.schema, &*it.name), it)).collect(),
            by_oid: relations.iter().map(|it| (it.oid, it)).collect(),
            used: RefCell::new(own.map(|it| it.oid).collect()),
        }
    }

    fn is_exposed(&self, schema: &str) -> bool {
        self.schemas.iter().any(|it| it == schema)
    }

    fn columns(&self, relation: Oid) -> &'c [Column] {
        self.catalog.columns.get(&relation).map_or(&[], Vec::as_slice)
    }

    /// What values of a type are in JSON.
    fn ty(&self, oid: Oid) -> Ty {
        let Some(ty) = self.catalog.types.get(&oid) else { return Ty::Json };
        let name = || QualifiedIdentifier::new(&*ty.schema, &*ty.name);
        match (&ty.kind, ty.element) {
            (Kind::Domain { base, .. }, _) => self.ty(*base),
            _ if ty.has_json_cast => Ty::Json,
            (_, Some(element)) => Ty::Array(Box::new(self.ty(element))),
            (Kind::Enum(_), _) => {
                self.used.borrow_mut().insert(oid);
                Ty::Enum(name())
            }
            (Kind::Composite(relation), _) if self.by_oid.contains_key(relation) => {
                self.used.borrow_mut().insert(oid);
                Ty::Composite(name())
            }
            (Kind::Composite(_) | Kind::Pseudo, _) => Ty::Json,
            (Kind::Base, _) => base(&ty.schema, &ty.name),
        }
    }

    /// The same of a column, whose array may have been declared with several dimensions.
    fn column_ty(&self, column: &Column, dimensions: i32) -> Ty {
        let ty = self.ty(column.ty);
        match ty {
            Ty::Array(_) => (1..dimensions).fold(ty, |ty, _| Ty::Array(Box::new(ty))),
            _ => ty,
        }
    }

    /// A domain, somewhere on the way to its base type, refuses null; and has a default.
    fn domain(&self, oid: Oid) -> (bool, bool) {
        match self.catalog.types.get(&oid).map(|it| &it.kind) {
            Some(Kind::Domain { base, not_null, has_default }) => {
                let (below_not_null, below_default) = self.domain(*base);
                (*not_null || below_not_null, *has_default || below_default)
            }
            _ => (false, false),
        }
    }

    /// Describes the types of the exposed schemas, and those that something is made of.
    fn types(&self, schemas: &mut BTreeMap<String, Schema>) {
        let mut described = BTreeSet::new();
        loop {
            let next = self.used.borrow_mut().pop_first();
            let Some(oid) = next else { break };
            let Some(ty) = self.catalog.types.get(&oid).filter(|_| described.insert(oid)) else { continue };
            let schema = schemas
                .entry(ty.schema.clone())
                .or_insert_with(|| Schema { name: ty.schema.clone(), ..Schema::default() });
            let (name, description) = (ty.name.clone(), ty.description.clone());
            match &ty.kind {
                Kind::Enum(labels) => {
                    schema.enums.push(Enum { name, description, labels: labels.clone() });
                }
                Kind::Composite(relation) => schema.composites.push(Composite {
                    name,
                    description,
                    of_relation: self
                        .by_oid
                        .get(relation)
                        .is_some_and(|it| it.kind != RelationKind::CompositeType),
                    fields: self.fields(*relation),
                }),
                _ => {}
            }
        }
        for schema in schemas.values_mut() {
            schema.enums.sort_by(|a, b| a.name.cmp(&b.name));
            schema.composites.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }

    fn fields(&self, relation: Oid) -> Vec<Field> {
        let field = |it: &Column| Field { name: it.name.clone(), ty: self.column_ty(it, it.dimensions) };
        self.columns(relation).iter().map(field).collect()
    }
}

/// What Postgres writes for the types that JSON has something for; of all others it writes their text.
fn base(schema: &str, name: &str) -> Ty {
    if schema != "pg_catalog" {
        return Ty::Text;
    }
    match name {
        "bool" => Ty::Bool,
        "int2" => Ty::Integer(16),
        "int4" => Ty::Integer(32),
        "int8" => Ty::Integer(64),
        "float4" | "float8" => Ty::Float,
        "numeric" => Ty::Numeric,
        "json" | "jsonb" => Ty::Json,
        "uuid" => Ty::Uuid,
        _ => Ty::Text,
    }
}
