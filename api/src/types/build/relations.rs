//! Tables and views.

use super::Builder;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::relationship::{Cardinality, Relationship as Found};
use crate::schema_cache::table::Table;
use crate::types::catalog::{self, RelationKind};
use crate::types::model::{Column, Relation, Relationship, Schema, Write};
use crate::types::nullability::{ColumnNumber, Oid};

/// What may be written into a column.
struct Written {
    insert: Write,
    update: Write,
    nullable: bool,
    null_by_default: bool,
}

impl Written {
    const NEVER: Self =
        Self { insert: Write::Never, update: Write::Never, nullable: false, null_by_default: false };
    /// A trigger decides.
    const FREE: Self =
        Self { insert: Write::Optional, update: Write::Optional, nullable: true, null_by_default: true };
}

impl Builder<'_> {
    pub(super) fn relations(&self, schema: &mut Schema) {
        let mut tables: Vec<&Table> =
            self.cache.tables.values().filter(|it| it.schema == schema.name).collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        for table in tables {
            // What was made between the two readings of the catalog comes with the next run.
            let Some(relation) = self.by_name.get(&(&*table.schema, &*table.name)) else { continue };
            let described = Relation {
                name: table.name.clone(),
                description: table.description.clone(),
                columns: self.described_columns(table, relation),
                insertable: table.insertable,
                updatable: table.updatable,
                deletable: table.deletable,
                relationships: self.relationships(&table.qi()),
            };
            match table.is_view {
                true => schema.views.push(described),
                false => schema.tables.push(described),
            }
        }
    }

    fn described_columns(&self, table: &Table, relation: &catalog::Relation) -> Vec<Column> {
        let columns = self.columns(relation.oid).iter().filter_map(|column| {
            let known = table.columns.get(&column.name)?;
            let origin = self.origin(relation.oid, column.number);
            let ty = self.column_ty(column, origin.map_or(column.dimensions, |(_, it)| it.dimensions));
            let reformatted = |pair| match self.cache.representations.contains_key(&pair) {
                true => crate::types::model::Ty::Json,
                false => ty.clone(),
            };
            let written = self.written(relation, column);
            Some(Column {
                name: column.name.clone(),
                description: known.description.clone(),
                sql_type: known.nominal_type.clone(),
                ty: reformatted((known.nominal_type.clone(), "json".to_owned())),
                nullable: self.is_nullable(relation, column),
                written: reformatted(("json".to_owned(), known.nominal_type.clone())),
                null_written: written.nullable,
                null_by_default: written.null_by_default,
                insert: if table.insertable { written.insert } else { Write::Never },
                update: if table.updatable { written.update } else { Write::Never },
            })
        });
        columns.collect()
    }

    /// Whether rows may have a null there.
    ///
    /// What a domain or a foreign table declares is taken at its word, as Postgres does, in the rows of the table
    /// itself; a view proves nothing by it.
    fn is_nullable(&self, relation: &catalog::Relation, column: &catalog::Column) -> bool {
        match relation.kind {
            RelationKind::View | RelationKind::Materialized => {
                !self.prover.is_never_null(relation.oid, column.number)
            }
            RelationKind::Foreign => !column.not_null && !self.domain(column.ty).0,
            RelationKind::Table | RelationKind::CompositeType => {
                let held = self.catalog.nulls.not_null.contains(&(relation.oid, column.number));
                !held && !self.domain(column.ty).0
            }
        }
    }

    fn written(&self, relation: &catalog::Relation, column: &catalog::Column) -> Written {
        match relation.kind {
            RelationKind::View if !relation.takes_rows => Written::FREE,
            RelationKind::View if !column.is_updatable => Written::NEVER,
            RelationKind::View => match self.origin(relation.oid, column.number) {
                Some((below, origin)) => {
                    let written = self.written(below, origin);
                    match (written.insert, column.has_default) {
                        // A view's own default comes before the table's.
                        (Write::Required, true) => Written { insert: Write::Optional, ..written },
                        (_, true) => Written { null_by_default: false, ..written },
                        (_, false) => written,
                    }
                }
                None => Written::FREE,
            },
            RelationKind::Materialized | RelationKind::CompositeType => Written::NEVER,
            RelationKind::Table | RelationKind::Foreign if column.is_generated => Written::NEVER,
            RelationKind::Table | RelationKind::Foreign => {
                let (domain_not_null, domain_default) = self.domain(column.ty);
                let nullable = !column.not_null && !domain_not_null;
                let has_default = column.has_default || domain_default;
                Written {
                    insert: if has_default || nullable { Write::Optional } else { Write::Required },
                    update: Write::Optional,
                    nullable,
                    null_by_default: nullable && !has_default,
                }
            }
        }
    }

    /// The column of a table, or of another view, that a column of a view shows.
    fn origin(&self, view: Oid, column: ColumnNumber) -> Option<(&catalog::Relation, &catalog::Column)> {
        let (relation, column) = self.prover.origin(view, column)?;
        let column = self.columns(relation).iter().find(|it| it.number == column)?;
        Some((self.by_oid.get(&relation)?, column))
    }

    fn relationships(&self, table: &QualifiedIdentifier) -> Vec<Relationship> {
        let found = self.cache.relationships_from(table, &table.schema).iter().filter_map(|it| {
            let Found::ForeignKey { foreign_table, cardinality, .. } = it else { return None };
            let (constraint, columns, one_to_one) = match cardinality {
                Cardinality::ManyToOne { constraint, columns } => (constraint, columns, false),
                Cardinality::OneToOne { constraint, columns, is_parent: false } => {
                    (constraint, columns, true)
                }
                _ => return None,
            };
            Some(Relationship {
                constraint: constraint.clone(),
                referenced: foreign_table.name.clone(),
                columns: columns.iter().map(|(it, _)| it.clone()).collect(),
                referenced_columns: columns.iter().map(|(_, it)| it.clone()).collect(),
                one_to_one,
            })
        });
        let mut found: Vec<Relationship> = found.collect();
        found.sort();
        found.dedup();
        found
    }
}
