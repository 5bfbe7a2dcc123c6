//! `docs/lint.md`: made from the table of rules.

use std::fmt::Write as _;

use crate::rules::{Group, RULES, RuleInfo, fill};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lint.md");

const HEAD: &str = "# What `cargo xtask db lint` finds

Made from the table in `schema-lint/src/rules.rs` by `cargo xtask codegen`.

`cargo xtask db lint` makes a database, runs the application's migrations in it, and tells what stops a running system and what leaks.
Nothing is left of the database, and the running ones are not touched.
It ends with 1 when it finds something.

```text
cargo xtask db lint
cargo xtask db lint --app ../shop --json
```

`--json` prints `[{\"code\",\"file\",\"line\",\"object\",\"reason\",\"fix\"}]`.

A comment on the line above a statement allows one kind of finding on it, and says why:

```sql
-- pgapp: allow index-not-concurrent the table has a hundred rows
create index on api.country (code);
```

Several such lines may stand above each other; one without a reason allows nothing.

";

const LEAKS: &str = "## Leaks

They are looked for in the schema that all migrations together make, and told at the statement that brought them up: what a later migration mends is no finding.
Exposed are the schemas in `db-schemas` of `pgapp.conf`.
A database where no table has row level security or a policy is taken to do without: there, a table is a finding only when a role other than its owner holds a privilege on it.

";

const LOCKS: &str = "## Locks and rewrites

A table counts as large when it was there before the migration began: nothing tells how many rows it has where the migration will run.
What Postgres does is not guessed from the text: each statement is run, and the server's own messages say whether it rewrote a table, read it to check its rows, or built an index.
So a type that widens without a rewrite, a `set not null` that a valid check proves, or a default that is a constant are no findings, in each major version by its own rules; and what a `DO` block does is seen as well.
One scan is no finding: when a column gets another type without a rewrite, Postgres checks the column's check constraints anew.

";

fn page() -> String {
    let mut out = String::from(HEAD);
    for (group, intro) in [(Group::Leak, LEAKS), (Group::Lock, LOCKS)] {
        out.push_str(intro);
        for row in RULES.iter().filter(|it| it.group == group) {
            section(&mut out, row);
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn section(out: &mut String, row: &RuleInfo) {
    let _ = writeln!(out, "### `{}`\n", row.code);
    let _ = writeln!(out, "Finds {}.\n", row.what);
    if let Some(lock) = row.lock {
        let _ = writeln!(out, "- Lock: {lock}");
    }
    let _ = writeln!(out, "- Why: {}", row.why);
    let _ = writeln!(out, "- Instead: {}\n", fill(row.fix, &[]));
}

#[test]
fn the_reference_page_is_up_to_date() {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, page()).unwrap();
    }
    let stored = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(stored == page(), "docs/lint.md is out of date: write it anew with `cargo xtask codegen`");
}
