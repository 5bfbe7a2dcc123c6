//! The rules as data: one table, from which findings take their texts and `docs/lint.md` is made.

/// What a rule protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Rows from those that must not see or change them.
    Leak,
    /// A running system from a migration that stops it.
    Lock,
}

/// A kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table below documents each of them, and the reference page shows it")]
pub enum Rule {
    RlsOff,
    ViewBypassesRls,
    DefinerSearchPath,
    PolicyAlwaysTrue,
    ForeignKeyWithoutIndex,
    GrantToPublic,
    IndexNotConcurrent,
    DropIndexNotConcurrent,
    ReindexNotConcurrent,
    RefreshNotConcurrent,
    ColumnTypeRewrite,
    ColumnVolatileDefault,
    ColumnGeneratedStored,
    ColumnSequence,
    ColumnRequired,
    SetNotNull,
    CheckValidated,
    ForeignKeyValidated,
    UniqueBuildsIndex,
    ExclusionConstraint,
    ValidateInSameTransaction,
    DomainConstraint,
    PersistenceRewrite,
    StorageRewrite,
    VacuumFull,
    AttachPartitionScan,
    DetachPartition,
    TableRewrite,
    TableScan,
    ExplicitLock,
    EveryRow,
}

/// One row of the table.
#[derive(Debug)]
pub struct RuleInfo {
    /// Which.
    pub rule: Rule,
    /// Its code, as `-- pgapp: allow CODE reason` takes it. Stable.
    pub code: &'static str,
    /// What it protects.
    pub group: Group,
    /// What is found, as a noun phrase.
    pub what: &'static str,
    /// Why it is a fault, as a clause that can follow "because".
    pub why: &'static str,
    /// The lock that the statement takes, for [`Group::Lock`].
    pub lock: Option<&'static str>,
    /// What to write instead. `{…}` stands for what a finding knows: `object`, `table`, `name`, `columns`.
    pub fix: &'static str,
}

impl Rule {
    /// Its row of the table.
    pub fn info(self) -> &'static RuleInfo {
        // `every_rule_has_a_row_at_its_place` holds the order.
        &RULES[self as usize]
    }

    /// Its code.
    pub fn code(self) -> &'static str {
        self.info().code
    }
}

/// A text of the table with what is known put in; the rest becomes a word in capitals.
pub(crate) fn fill(template: &str, known: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((key, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        match known.iter().find(|(it, _)| *it == key) {
            Some((_, value)) => out.push_str(value),
            None => out.push_str(&key.to_uppercase()),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

const fn leak(
    rule: Rule,
    code: &'static str,
    what: &'static str,
    why: &'static str,
    fix: &'static str,
) -> RuleInfo {
    RuleInfo { rule, code, group: Group::Leak, what, why, lock: None, fix }
}

const fn lock(
    rule: Rule,
    code: &'static str,
    what: &'static str,
    lock: &'static str,
    why: &'static str,
    fix: &'static str,
) -> RuleInfo {
    RuleInfo { rule, code, group: Group::Lock, what, why, lock: Some(lock), fix }
}

/// Every rule, in the order of [`Rule`].
pub const RULES: &[RuleInfo] = &[
    leak(
        Rule::RlsOff,
        "rls-off",
        "a table of an exposed schema without row level security",
        "whoever holds a privilege on it reaches every row, and policies on it have no effect",
        "`alter table {table} enable row level security`, and a policy for each role that may see rows; or move the \
         table to a schema that is not exposed",
    ),
    leak(
        Rule::ViewBypassesRls,
        "view-bypasses-rls",
        "a view without `security_invoker`, or a materialized view, over a table with row level security",
        "it reads with the privileges of its owner, whom the policies do not bind, and shows every row to whoever may \
         read it",
        "`alter view {object} set (security_invoker = true)`; a materialized view belongs in a schema that is not \
         exposed",
    ),
    leak(
        Rule::DefinerSearchPath,
        "definer-without-search-path",
        "a `SECURITY DEFINER` routine without a `search_path`",
        "its caller chooses where unqualified names are looked up, and so what runs with the owner's privileges",
        "add `set search_path = ''` (or `pg_catalog, pg_temp`) to it and qualify the names in its body: \
         `alter routine {object} set search_path = ''`",
    ),
    leak(
        Rule::PolicyAlwaysTrue,
        "policy-always-true",
        "a policy whose condition always holds",
        "it lets its roles reach, or write, every row, as if there were no row level security",
        "name the rows: `alter policy {name} on {table} using (…)`, with a `with check (…)` for what may be written; \
         allow it by a comment where every row is meant",
    ),
    leak(
        Rule::ForeignKeyWithoutIndex,
        "foreign-key-without-index",
        "a foreign key without an index that begins with its columns",
        "each delete and key update of the referenced table reads the whole referencing table, and embedding in that \
         direction does, too",
        "`create index concurrently on {table} ({columns})`",
    ),
    leak(
        Rule::GrantToPublic,
        "grant-to-public",
        "a grant to PUBLIC",
        "it reaches every role of the server, also those that are made later and the one of anonymous requests",
        "grant to the roles that need it by name, and `revoke … from public`",
    ),
    lock(
        Rule::IndexNotConcurrent,
        "index-not-concurrent",
        "an index of an existing table that is not built concurrently",
        "SHARE",
        "writes to the table wait until the index is built",
        "`create index concurrently …`, in a file that begins with `-- pgapp: no-transaction`; for a partitioned \
         table: `create index … on only`, one concurrently for each partition, `alter index … attach partition`",
    ),
    lock(
        Rule::DropIndexNotConcurrent,
        "drop-index-not-concurrent",
        "an index of an existing table that is not dropped concurrently",
        "ACCESS EXCLUSIVE",
        "it waits for every query on the table, and all that come after wait behind it",
        "`drop index concurrently {object}`, in a file that begins with `-- pgapp: no-transaction`",
    ),
    lock(
        Rule::ReindexNotConcurrent,
        "reindex-not-concurrent",
        "a `REINDEX` that is not concurrent",
        "SHARE on the table, ACCESS EXCLUSIVE on each index",
        "writes to the table, and reads that would use the index, wait until it is built",
        "`reindex … concurrently`, in a file that begins with `-- pgapp: no-transaction`",
    ),
    lock(
        Rule::RefreshNotConcurrent,
        "refresh-not-concurrent",
        "a materialized view that is not refreshed concurrently",
        "ACCESS EXCLUSIVE",
        "reads of it wait until its query is done",
        "`refresh materialized view concurrently {object}`, which needs a unique index on it",
    ),
    lock(
        Rule::ColumnTypeRewrite,
        "column-type-rewrite",
        "a column type that rewrites the table or an index of it",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until each row, and each index, is written anew",
        "add a column of the new type, keep it up by a trigger, fill it in batches, then rename; wider `varchar`, \
         `numeric` and `text` need no rewrite",
    ),
    lock(
        Rule::ColumnVolatileDefault,
        "column-volatile-default",
        "a new column whose default is computed for each row",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until each row is written anew",
        "add the column without default, `alter column … set default`, and fill the old rows in batches",
    ),
    lock(
        Rule::ColumnGeneratedStored,
        "column-generated-stored",
        "a new stored generated column",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until each row is written anew",
        "add a plain column, keep it up by a trigger, and fill the old rows in batches; or compute it in a view",
    ),
    lock(
        Rule::ColumnSequence,
        "column-sequence",
        "a new serial or identity column",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until each row is written anew with its number",
        "add a plain column, `set default nextval(…)` of a sequence of its own, and number the old rows in batches",
    ),
    lock(
        Rule::ColumnRequired,
        "column-required",
        "a new column that is NOT NULL without a default",
        "ACCESS EXCLUSIVE",
        "it fails as soon as the table has a row, after reading it under the lock",
        "give it a default; or add it nullable, fill it, and set NOT NULL by way of a check constraint",
    ),
    lock(
        Rule::SetNotNull,
        "set-not-null",
        "NOT NULL on a column that no valid check proves to be filled",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until the whole table is read",
        "`alter table {table} add constraint … check ({name} is not null) not valid`; in a later migration \
         `validate constraint …`; then `set not null` reads nothing, and the check can be dropped",
    ),
    lock(
        Rule::CheckValidated,
        "check-validated-at-once",
        "a check constraint that is validated at once",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until the whole table is read",
        "add it `not valid`, and `alter table {table} validate constraint …` in a later migration",
    ),
    lock(
        Rule::ForeignKeyValidated,
        "foreign-key-validated-at-once",
        "a foreign key of an existing table that is validated at once",
        "SHARE ROW EXCLUSIVE on both tables",
        "writes to both tables wait until the whole referencing table is compared",
        "add it `not valid`, and `alter table {table} validate constraint …` in a later migration",
    ),
    lock(
        Rule::UniqueBuildsIndex,
        "unique-builds-index",
        "a unique or primary key that builds its index under the lock",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until the index is built",
        "`create unique index concurrently …` first, in a file that begins with `-- pgapp: no-transaction`; then \
         `alter table {table} add constraint … unique using index …`",
    ),
    lock(
        Rule::ExclusionConstraint,
        "exclusion-constraint",
        "an exclusion constraint on an existing table",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until its index is built, which no statement does concurrently",
        "add it to a new table and move the rows in batches, or when the service is stopped",
    ),
    lock(
        Rule::ValidateInSameTransaction,
        "validate-in-same-transaction",
        "a constraint that is added `not valid` and validated in one transaction",
        "ACCESS EXCLUSIVE (SHARE ROW EXCLUSIVE for a foreign key)",
        "the lock of the first statement is held while the second one reads the table",
        "put `validate constraint` into a migration of its own",
    ),
    lock(
        Rule::DomainConstraint,
        "domain-constraint",
        "a constraint of a domain in use that is validated at once",
        "SHARE on each table with a column of it",
        "writes to those tables wait until all of them are read",
        "add it `not valid`, and `alter domain {object} validate constraint …` in a later migration",
    ),
    lock(
        Rule::PersistenceRewrite,
        "persistence-rewrite",
        "a table made logged or unlogged",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until each row is written anew; an unlogged table is emptied by a crash and missing on \
         replicas",
        "make a new table and move the rows in batches",
    ),
    lock(
        Rule::StorageRewrite,
        "storage-rewrite",
        "another tablespace or access method of an existing table",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until the whole table is copied",
        "make a new table there and move the rows in batches",
    ),
    lock(
        Rule::VacuumFull,
        "vacuum-full",
        "`VACUUM FULL`, `CLUSTER` or `REPACK`",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until the whole table is copied",
        "plain `vacuum`, which frees space for new rows; the extension pg_repack gives it back without the lock",
    ),
    lock(
        Rule::AttachPartitionScan,
        "attach-partition-scan",
        "a partition that is attached without a check that proves its rows",
        "ACCESS EXCLUSIVE on the partition, SHARE UPDATE EXCLUSIVE on the parent",
        "reads and writes of the partition wait until it is read and its indexes are built",
        "add a check with the partition's bounds `not valid` and validate it, and build the parent's indexes on it \
         concurrently, in earlier migrations",
    ),
    lock(
        Rule::DetachPartition,
        "detach-partition-not-concurrent",
        "a partition that is not detached concurrently",
        "ACCESS EXCLUSIVE on the parent",
        "it waits for every query on the partitioned table, and all that come after wait behind it",
        "`alter table {table} detach partition {name} concurrently`, in a file that begins with \
         `-- pgapp: no-transaction`",
    ),
    lock(
        Rule::TableRewrite,
        "table-rewrite",
        "a statement that rewrites an existing table",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until each row is written anew",
        "make the change by a new column or table that is filled in batches",
    ),
    lock(
        Rule::TableScan,
        "table-scan",
        "a statement that checks each row of an existing table",
        "ACCESS EXCLUSIVE",
        "reads and writes wait until the whole table is read",
        "add the constraint `not valid`, and validate it in a later migration",
    ),
    lock(
        Rule::ExplicitLock,
        "explicit-lock",
        "a `LOCK TABLE` that blocks writes",
        "the one it names",
        "others wait until the migration's end",
        "leave it out, or lock the rows that matter: `select … for update`",
    ),
    lock(
        Rule::EveryRow,
        "every-row",
        "an UPDATE or DELETE of every row of an existing table",
        "ROW EXCLUSIVE, and a lock on every row",
        "writes to its rows wait until the migration's end, and the table is written a second time",
        "change the rows in batches, each in a transaction of its own; `truncate` empties a table at once",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_rule_has_a_row_at_its_place() {
        for (at, row) in RULES.iter().enumerate() {
            assert_eq!(row.rule as usize, at, "{}", row.code);
        }
        assert_eq!(Rule::EveryRow as usize, RULES.len() - 1, "a rule without a row");
    }

    #[test]
    fn codes_are_distinct_words_and_locks_are_told() {
        let codes: HashSet<&str> = RULES.iter().map(|it| it.code).collect();
        assert_eq!(codes.len(), RULES.len());
        for row in RULES {
            assert!(row.code.chars().all(|it| it.is_ascii_lowercase() || it == '-'), "{}", row.code);
            assert_eq!(row.lock.is_some(), row.group == Group::Lock, "{}", row.code);
            assert!(!row.what.is_empty() && !row.why.is_empty() && !row.fix.is_empty(), "{}", row.code);
        }
    }

    #[test]
    fn fill_puts_in_what_is_known_and_names_the_rest() {
        assert_eq!(fill("on {table} ({columns})", &[("table", "a.b")]), "on a.b (COLUMNS)");
        assert_eq!(fill("a { b", &[]), "a { b");
    }
}
