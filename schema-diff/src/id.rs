//! What an object is called: the same in two databases, whatever their oids.

use std::fmt;

use crate::quote::ident;

/// Kinds of objects, in the order in which they are made where no dependency says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A namespace.
    Schema,
    /// An extension; what belongs to it is never looked at.
    Extension,
    /// A foreign data wrapper that no extension brought.
    Wrapper,
    /// A foreign server.
    Server,
    /// A user mapping: server, then role (empty: PUBLIC).
    Mapping,
    /// A collation.
    Collation,
    /// An enum, composite, domain or range.
    Type,
    /// A check of a domain.
    DomainConstraint,
    /// A sequence, those of identity columns too.
    Sequence,
    /// A table of any kind, a view, a materialized view: they share their names.
    Relation,
    /// A column of a relation.
    Column,
    /// The column that a sequence goes with.
    SequenceOwner,
    /// A function, procedure or aggregate, by the types of its arguments.
    Routine,
    /// A column's default.
    Default,
    /// A constraint of a table.
    Constraint,
    /// A table as a partition or heir of another one.
    Attach,
    /// An index that no constraint has made.
    Index,
    /// An index of a partition as a part of the whole table's index.
    IndexAttach,
    /// Extended statistics.
    Statistics,
    /// A rewrite rule other than that of a view.
    Rule,
    /// A trigger.
    Trigger,
    /// A row security policy.
    Policy,
    /// A publication.
    Publication,
    /// A table in a publication.
    PublicationTable,
    /// A schema in a publication.
    PublicationSchema,
    /// An event trigger.
    EventTrigger,
}

/// Identity of an object. Parts that a kind does not have are empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// What it is.
    pub kind: Kind,
    /// Its schema, or that of the table it is on.
    pub schema: String,
    /// Its name, or that of the table it is on.
    pub name: String,
    /// Its name within the table; argument types of a routine.
    pub sub: String,
}

impl Id {
    /// An identity from its parts.
    pub fn new(kind: Kind, schema: &str, name: &str, sub: &str) -> Self {
        Self { kind, schema: schema.to_owned(), name: name.to_owned(), sub: sub.to_owned() }
    }

    /// The relation that something on a table belongs to, itself for a relation.
    pub fn relation(&self) -> Self {
        Self::new(Kind::Relation, &self.schema, &self.name, "")
    }

    /// `schema.name`, or the name alone where there is no schema; quoted where needed.
    pub fn qualified(&self) -> String {
        qualified(&self.schema, &self.name)
    }
}

/// `schema.name` as SQL.
pub fn qualified(schema: &str, name: &str) -> String {
    if schema.is_empty() { ident(name) } else { format!("{}.{}", ident(schema), ident(name)) }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let qualified = self.qualified();
        match self.kind {
            Kind::Routine => write!(f, "{qualified}({})", self.sub),
            _ if self.sub.is_empty() => f.write_str(&qualified),
            _ => write!(f, "{qualified}.{}", self.sub),
        }
    }
}
