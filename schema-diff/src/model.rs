//! A database's schema as values: no oids, no connection. Two databases with equal catalogs have equal values.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::acl::{DefaultAcls, Grant};
use crate::id::{Id, Kind};

/// All objects of a database that an application can have made.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The objects.
    pub objects: BTreeMap<Id, Object>,
    /// Rights that new objects get.
    pub default_acls: DefaultAcls,
    /// The role that has read the catalog, and will own what a migration makes.
    pub user: String,
    /// Explicit and automatic casts that the server knows: source and target type, and whether it is implicit.
    pub casts: BTreeMap<(String, String), CastContext>,
    /// Objects of kinds that are not compared.
    pub unsupported: Vec<String>,
}

/// When Postgres applies a cast by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CastContext {
    /// Everywhere: loses nothing.
    Implicit,
    /// When a value is stored in a column.
    Assignment,
    /// Only when asked for.
    Explicit,
}

/// One object.
#[derive(Debug, Clone)]
pub struct Object {
    /// What it is called.
    pub id: Id,
    /// Its owner, where the kind has one.
    pub owner: Option<String>,
    /// Rights, or none when they are the defaults.
    pub acl: Option<Vec<Grant>>,
    /// Its comment.
    pub comment: Option<String>,
    /// What it consists of.
    pub body: Body,
    /// What has to exist for it to exist.
    pub needs: BTreeSet<Id>,
    /// Those among `needs` that take it with them when they are dropped.
    pub falls_with: BTreeSet<Id>,
}

/// What an object consists of, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Body {
    Schema,
    Extension(Extension),
    Wrapper(Wrapper),
    Server(Server),
    Mapping(Mapping),
    Collation(Collation),
    Type(Type),
    DomainConstraint(DomainConstraint),
    Sequence(Sequence),
    SequenceOwner(SequenceOwner),
    Relation(Box<Relation>),
    Column(Box<Column>),
    Default(DefaultValue),
    Attach(Attach),
    Routine(Box<Routine>),
    Constraint(Box<Constraint>),
    Index(Index),
    IndexAttach(IndexAttach),
    Statistics(Statistics),
    Rule(Rule),
    Trigger(Trigger),
    Policy(Policy),
    EventTrigger(EventTrigger),
    Publication(Publication),
    PublicationTable(PublicationTable),
    PublicationSchema,
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[allow(missing_docs)]
        pub struct $name { $(pub $field: $type,)* })*
    };
}

bodies! {
    /// An extension. Its comment is its control file's unless changed.
    Extension { schema: String, version: String, usual_comment: Option<String>, }
    /// A foreign data wrapper.
    Wrapper { handler: Option<String>, validator: Option<String>, options: Vec<String>, }
    /// A foreign server.
    Server { wrapper: String, r#type: Option<String>, version: Option<String>, options: Vec<String>, }
    /// A user mapping; its options hold passwords.
    Mapping { options: Vec<String>, }
    /// A collation.
    Collation { provider: String, deterministic: bool, collate: Option<String>, ctype: Option<String>, locale: Option<String>, rules: Option<String>, }
    /// An attribute of a composite type.
    Attribute { name: String, r#type: String, collation: Option<String>, comment: Option<String>, }
    /// The parts of a range type.
    Range { subtype: String, collation: Option<String>, opclass: Option<String>, subtype_diff: Option<String>, canonical: Option<String>, multirange: (String, String), }
    /// An enum (`e`), composite (`c`), domain (`d`) or range (`r`).
    Type { kind: char, labels: Vec<String>, attributes: Vec<Attribute>, base: Option<String>, default: Option<String>, not_null: bool, collation: Option<String>, range: Option<Range>, }
    /// A check of a domain.
    DomainConstraint { definition: String, valid: bool, }
    /// Parameters of a sequence.
    SequenceOptions { r#type: String, start: i64, increment: i64, min: i64, max: i64, cache: i64, cycle: bool, }
    /// A sequence; `identity` when a column made it.
    Sequence { unlogged: bool, options: SequenceOptions, identity: bool, }
    /// The column that a sequence goes with.
    SequenceOwner { schema: String, table: String, column: String, }
    /// A table (`r`), partitioned table (`p`), view (`v`), materialized view (`m`) or foreign table (`f`).
    Relation { kind: char, unlogged: bool, options: Vec<String>, toast_options: Vec<String>, access_method: Option<String>, row_security: bool, force_row_security: bool,
        replica_identity: char, clustered: bool, partition_key: Option<String>, populated: bool, definition: Option<String>, of_type: Option<String>, server: Option<String>,
        imported: bool, server_options: Vec<String>, }
    /// How a column numbers its rows.
    Identity { always: bool, schema: String, name: String, sequence: SequenceOptions, }
    /// A column of any relation.
    Column { relkind: char, position: i32, r#type: String, base_type: String, typmod: i32, not_null: bool, generated: Option<char>, expression: Option<String>, identity: Option<Identity>,
        collation: Option<String>, storage: Option<char>, usual_storage: char, compression: Option<char>, statistics: Option<i32>, options: Vec<String>, server_options: Vec<String>, inherited: bool, }
    /// A column's default.
    DefaultValue { expression: String, relkind: char, }
    /// A partition's or heir's parent.
    Attach { parent_schema: String, parent: String, position: i32, bound: Option<String>, foreign: bool, }
    /// Parts of an aggregate, as `CREATE AGGREGATE` names them.
    Aggregate { kind: char, sfunc: Option<String>, stype: String, sspace: i32, finalfunc: Option<String>, finalfunc_extra: bool, finalfunc_modify: char, combinefunc: Option<String>,
        serialfunc: Option<String>, deserialfunc: Option<String>, initcond: Option<String>, msfunc: Option<String>, minvfunc: Option<String>, mstype: Option<String>, msspace: i32,
        mfinalfunc: Option<String>, mfinalfunc_extra: bool, mfinalfunc_modify: char, minitcond: Option<String>, sortop: Option<String>, parallel: char, }
    /// A function (`f`), procedure (`p`), window function (`w`) or aggregate (`a`).
    Routine { kind: char, definition: Option<String>, arguments: String, identity_arguments: String, n_defaults: i32, result: String, aggregate: Option<Box<Aggregate>>, }
    /// What can be said of an index besides its definition.
    IndexExtras { clustered: bool, replica_identity: bool, statistics: BTreeMap<String, i32>, }
    /// A check (`c`), key (`p`, `u`), foreign key (`f`) or exclusion (`x`).
    Constraint { kind: char, definition: String, relkind: char, deferrable: bool, deferred: bool, valid: bool, enforced: bool, inherited: bool, columns: Vec<String>,
        references: Option<(String, String)>, index: Option<IndexExtras>, }
    /// An index that no constraint has made.
    Index { table: String, relkind: char, definition: String, extras: IndexExtras, }
    /// The index of the whole that a partition's index is a part of.
    IndexAttach { parent_schema: String, parent: String, table: String, }
    /// Extended statistics. The definition has the columns in the order of the table.
    Statistics { definition: String, kinds: Vec<char>, parts: Vec<String>, target: Option<i32>, table_schema: String, table: String, }
    /// A rewrite rule.
    Rule { definition: String, enabled: char, relkind: char, }
    /// A trigger.
    Trigger { definition: String, enabled: char, relkind: char, }
    /// A policy; an empty role is PUBLIC.
    Policy { command: char, permissive: bool, roles: Vec<String>, using: Option<String>, check: Option<String>, }
    /// An event trigger.
    EventTrigger { event: String, tags: Vec<String>, function: String, enabled: char, }
    /// A publication.
    Publication { all_tables: bool, insert: bool, update: bool, delete: bool, truncate: bool, via_root: bool, generated: Option<String>, }
    /// A table in a publication.
    PublicationTable { r#where: Option<String>, columns: Vec<String>, }
}

impl Catalog {
    /// The relation of an identity, if it is one.
    pub fn relation(&self, id: &Id) -> Option<&Relation> {
        match &self.objects.get(id)?.body {
            Body::Relation(it) => Some(it),
            _ => None,
        }
    }

    /// The column of an identity, if it is one.
    pub fn column(&self, id: &Id) -> Option<&Column> {
        match &self.objects.get(id)?.body {
            Body::Column(it) => Some(it),
            _ => None,
        }
    }
}

impl Relation {
    /// Whether it holds rows that nothing else can bring back.
    pub fn has_rows(&self) -> bool {
        matches!(self.kind, 'r' | 'p')
    }

    /// Whether its columns are defined one by one rather than by a query.
    pub fn is_table(&self) -> bool {
        matches!(self.kind, 'r' | 'p' | 'f')
    }
}

impl Catalog {
    /// The columns of a relation with their names, in no particular order.
    pub fn columns<'a>(&'a self, relation: &Id) -> impl Iterator<Item = (&'a str, &'a Column)> {
        self.on(Kind::Column, relation).filter_map(|it| match &it.body {
            Body::Column(column) => Some((it.id.sub.as_str(), &**column)),
            _ => None,
        })
    }

    /// Objects of a kind that carry the name of a relation.
    pub fn on<'a>(&'a self, kind: Kind, relation: &Id) -> impl Iterator<Item = &'a Object> {
        let first = Id::new(kind, &relation.schema, &relation.name, "");
        let (schema, name) = (relation.schema.clone(), relation.name.clone());
        self.objects
            .range(first..)
            .map(|(_, it)| it)
            .take_while(move |it| it.id.kind == kind && it.id.schema == schema && it.id.name == name)
    }
}
