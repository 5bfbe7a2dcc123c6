//! Relationships and functions of which several fit, described for the error that says so.

use crate::error::Candidate;
use crate::schema_cache::relationship::{Cardinality, ColumnPairs, Relationship};
use crate::schema_cache::routine::Routine;

/// Name and parameters of a function.
pub(super) fn signature(routine: &Routine) -> String {
    let params: Vec<String> =
        routine.params.iter().map(|param| format!("{} => {}", param.name, param.data_type)).collect();
    format!("{}.{}({})", routine.schema, routine.name, params.join(", "))
}

/// `(a, b)`: the columns of one side of the pairs.
fn columns<'a>(pairs: &'a ColumnPairs, side: impl Fn(&'a (String, String)) -> &'a str) -> String {
    format!("({})", pairs.iter().map(side).collect::<Vec<_>>().join(", "))
}

/// The foreign keys among relationships. Computed relationships are never ambiguous.
pub(super) fn describe<'a>(relationships: impl Iterator<Item = &'a Relationship>) -> Vec<Candidate> {
    relationships.filter_map(candidate).collect()
}

fn candidate(relationship: &Relationship) -> Option<Candidate> {
    let Relationship::ForeignKey { table, foreign_table, cardinality, .. } = relationship else {
        return None;
    };
    let direct = |constraint: &str, pairs: &ColumnPairs| {
        format!(
            "{constraint} using {}{} and {}{}",
            table.name,
            columns(pairs, |pair| &pair.0),
            foreign_table.name,
            columns(pairs, |pair| &pair.1)
        )
    };
    let (kind, path) = match cardinality {
        Cardinality::ManyToMany(junction) => (
            "many-to-many",
            format!(
                "{} using {}{} and {}{}",
                junction.table.name,
                junction.constraint1,
                columns(&junction.cols_source, |pair| &pair.1),
                junction.constraint2,
                columns(&junction.cols_target, |pair| &pair.1)
            ),
        ),
        Cardinality::ManyToOne { constraint, columns } => ("many-to-one", direct(constraint, columns)),
        Cardinality::OneToOne { constraint, columns, .. } => ("one-to-one", direct(constraint, columns)),
        Cardinality::OneToMany { constraint, columns } => ("one-to-many", direct(constraint, columns)),
    };
    let hint = match cardinality {
        Cardinality::ManyToMany(junction) => &junction.table.name,
        Cardinality::ManyToOne { constraint, .. }
        | Cardinality::OneToOne { constraint, .. }
        | Cardinality::OneToMany { constraint, .. } => constraint,
    };
    Some(Candidate {
        cardinality: kind,
        embedding: format!("{} with {}", table.name, foreign_table.name),
        relationship: path,
        choice: format!("{}!{hint}", foreign_table.name),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error::http::error_body;
    use crate::error::{SchemaCacheError, Verbosity};
    use crate::schema_cache::identifiers::QualifiedIdentifier;
    use crate::schema_cache::relationship::Junction;

    #[test]
    fn ambiguous_relationships_list_their_candidates() {
        let qi = |name: &str| QualifiedIdentifier::new("test", name);
        let pair = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
        let relationship = |cardinality| Relationship::ForeignKey {
            table: qi("a"),
            foreign_table: qi("b"),
            is_self: false,
            cardinality,
            table_is_view: false,
            foreign_table_is_view: false,
        };
        let error: crate::error::Error = SchemaCacheError::AmbiguousRelBetween(
            "a".into(),
            "b".into(),
            describe(
                [
                    relationship(Cardinality::ManyToOne {
                        constraint: "fk".into(),
                        columns: pair("b_id", "id"),
                    }),
                    relationship(Cardinality::ManyToMany(Junction {
                        table: qi("ab"),
                        constraint1: "c1".into(),
                        constraint2: "c2".into(),
                        cols_source: pair("id", "a_id"),
                        cols_target: pair("id", "b_id"),
                    })),
                ]
                .iter(),
            ),
        )
        .into();
        let body: Value = serde_json::from_slice(&error_body(&error, Verbosity::Verbose)).unwrap();
        assert_eq!(
            body["details"],
            json!([
                {"cardinality": "many-to-one", "embedding": "a with b", "relationship": "fk using a(b_id) and b(id)"},
                {"cardinality": "many-to-many", "embedding": "a with b", "relationship": "ab using c1(a_id) and c2(b_id)"},
            ])
        );
        assert_eq!(
            body["hint"],
            "Try changing 'b' to one of the following: 'b!fk', 'b!ab'. Find the desired relationship in the 'details' key."
        );
    }
}
