//! What a database holds, as far as the rules about leaks look at it. Plain data.

/// A database's schema at one moment.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Schemas that the API serves.
    pub exposed: Vec<String>,
    /// Tables and partitioned tables.
    pub tables: Vec<Table>,
    /// Views and materialized views.
    pub views: Vec<View>,
    /// Functions and procedures.
    pub routines: Vec<Routine>,
    /// Policies.
    pub policies: Vec<Policy>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Valid indexes.
    pub indexes: Vec<Index>,
    /// What PUBLIC was granted.
    pub public_grants: Vec<PublicGrant>,
}

/// A qualified name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Schema.
    pub schema: String,
    /// The rest.
    pub name: String,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", quoted(&self.schema), quoted(&self.name))
    }
}

/// An identifier, quoted where it has to be.
pub fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
        && !name.starts_with(|it: char| it.is_ascii_digit())
        && !name.is_empty();
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Object id.
    pub oid: u32,
    /// Its name.
    pub name: Name,
    /// Whether row level security is on.
    pub has_rls: bool,
    /// Whether it has policies.
    pub has_policies: bool,
    /// Whether it is a partition.
    pub is_partition: bool,
    /// Whether a role other than its owner holds a privilege on it.
    pub is_granted: bool,
    /// Columns that are NOT NULL.
    pub not_null: Vec<String>,
}

/// A view.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Object id.
    pub oid: u32,
    /// Its name.
    pub name: Name,
    /// Whether it is materialized.
    pub is_materialized: bool,
    /// Whether it reads with its caller's privileges.
    pub is_invoker: bool,
    /// Whether a role other than its owner holds a privilege on it.
    pub is_granted: bool,
    /// Object ids of the relations in its query.
    pub reads: Vec<u32>,
}

/// A function or procedure.
#[derive(Debug, Clone, Default)]
pub struct Routine {
    /// Object id.
    pub oid: u32,
    /// Its name.
    pub name: Name,
    /// Its arguments' types, as Postgres writes them.
    pub arguments: String,
    /// Whether it runs with its owner's privileges.
    pub is_definer: bool,
    /// Whether it sets `search_path`.
    pub has_search_path: bool,
    /// Whether PUBLIC may run it.
    pub is_public: bool,
}

/// A policy.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Object id.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// Object id of its table.
    pub table: u32,
    /// Its `USING`.
    pub using: Option<Condition>,
    /// Its `WITH CHECK`.
    pub check: Option<Condition>,
}

/// A condition on rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// As Postgres writes it.
    pub text: String,
    /// What the planner leaves of it as a filter of the table; `None` when nothing is left, so that it always holds.
    pub left: Option<String>,
}

/// A foreign key.
#[derive(Debug, Clone, Default)]
pub struct ForeignKey {
    /// Object id.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// Object id of its table.
    pub table: u32,
    /// The table's name.
    pub table_name: Name,
    /// Numbers of its columns.
    pub columns: Vec<i16>,
    /// Their names.
    pub column_names: Vec<String>,
    /// The referenced table's name.
    pub references: Name,
}

/// A valid index.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// Object id of its table.
    pub table: u32,
    /// Numbers of its key columns; 0 is an expression.
    pub columns: Vec<i16>,
    /// Whether it is unique.
    pub is_unique: bool,
    /// Access method.
    pub method: String,
    /// Condition of a partial one.
    pub predicate: Option<String>,
}

/// Something granted to PUBLIC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicGrant {
    /// Object id, and the column's number where it is one.
    pub oid: u32,
    /// Column number, else 0.
    pub column: i16,
    /// What kind of thing, as `GRANT` calls it.
    pub kind: String,
    /// Schema of the thing; of default privileges the schema they hold for, or "" for all.
    pub schema: String,
    /// The thing as it is written.
    pub object: String,
    /// What was granted, apart from what default privileges give.
    pub privileges: Vec<String>,
}
