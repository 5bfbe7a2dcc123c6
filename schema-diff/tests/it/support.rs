//! Databases to compare, and a comparison by `pg_dump`, which knows nothing of this crate.

use std::process::Command;
use std::sync::OnceLock;

use local_stack::pgbin::{SearchPath, ServerBinaries};
use local_stack::testing::{TestCluster, TestDb};
use schema_diff::{Catalog, Difference, Scope, Stage, difference, migrations, read};
use tokio_postgres::Client;

/// Roles that the cases' objects belong to and are shared with.
pub(crate) const ROLES: &str = "do $$ declare r text; begin
    perform pg_advisory_xact_lock(17);
    foreach r in array array['diff_r1', 'diff_r2', 'Diff R3'] loop
        if not exists (select from pg_roles where rolname = r) then execute format('create role %I', r); end if;
    end loop; end $$";

/// A database made by some SQL.
pub(crate) struct Made {
    pub(crate) db: TestDb,
    pub(crate) client: Client,
}

pub(crate) async fn made(sql: &str) -> Made {
    let cluster = TestCluster::shared().await.unwrap();
    let db = cluster.create_db(None).await.unwrap();
    let client = db.connect().await.unwrap();
    let mut made = Made { db, client };
    made.run(ROLES).await;
    made.run(sql).await;
    made
}

impl Made {
    pub(crate) async fn run(&mut self, sql: &str) {
        if let Err(error) = self.client.batch_execute(sql).await {
            panic!("{error:?}\n{sql}");
        }
    }

    pub(crate) async fn catalog(&mut self) -> Catalog {
        read(&mut self.client, &Scope::default()).await.unwrap()
    }

    /// The only column of the only row, as text.
    pub(crate) async fn one(&mut self, sql: &str) -> String {
        self.client.query_one(sql, &[]).await.unwrap_or_else(|it| panic!("{it:?}\n{sql}")).get(0)
    }

    /// Applies a difference as migrations are applied: each in a transaction, or statement by statement.
    pub(crate) async fn apply(&mut self, difference: &Difference) {
        for migration in migrations(difference) {
            if migration.stage == Stage::Concurrent {
                for statement in difference.statements.iter().filter(|it| it.stage == Stage::Concurrent) {
                    self.run(&statement.sql).await;
                }
            } else {
                self.run(&format!("begin; {} commit;", migration.sql)).await;
            }
        }
    }

    /// The schema as `pg_dump` writes it, without what has no meaning: the order of entries and of columns.
    pub(crate) fn dump(&self) -> Vec<String> {
        let out = Command::new(server().program("pg_dump"))
            .args(["--schema-only", "--dbname", self.db.url()])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).unwrap();
        let mut entries: Vec<String> = text.split("\n-- Name: ").skip(1).flat_map(entry).collect();
        entries.sort();
        entries
    }
}

fn entry(text: &str) -> Vec<String> {
    let (_, body) = text.split_once('\n').unwrap();
    let lines =
        body.lines().filter(|it| !it.trim().is_empty() && !it.starts_with("--") && !it.starts_with('\\'));
    let lines: Vec<&str> = lines.filter(|it| !it.starts_with("SET default_")).collect();
    if lines.first().is_some_and(|it| {
        it.starts_with("GRANT") || it.starts_with("REVOKE") || it.starts_with("SET SESSION")
    }) {
        return lines.iter().map(|it| (*it).to_owned()).collect();
    }
    let unordered = ["CREATE TABLE", "CREATE FOREIGN TABLE", "CREATE UNLOGGED TABLE"];
    if lines.first().is_some_and(|it| unordered.iter().any(|start| it.starts_with(start))) {
        let mut lines: Vec<String> =
            lines.iter().map(|it| sorted_options(it.trim_end_matches(','))).collect();
        lines.sort_unstable();
        return vec![lines.join("\n")];
    }
    if let Some((start, rest)) = lines.first().and_then(|it| it.split_once(" ON "))
        && start.starts_with("CREATE STATISTICS")
        && let Some((columns, table)) = rest.split_once(" FROM ")
    {
        let mut columns: Vec<&str> = columns.split(", ").collect();
        columns.sort_unstable();
        return vec![format!("{start} ON {} FROM {table}", columns.join(", "))];
    }
    vec![lines.join("\n")]
}

/// Storage parameters have no order.
fn sorted_options(line: &str) -> String {
    let Some(list) = line.strip_prefix("WITH (").and_then(|it| it.strip_suffix(");")) else {
        return line.to_owned();
    };
    let mut options: Vec<&str> = list.split(", ").collect();
    options.sort_unstable();
    format!("WITH ({});", options.join(", "))
}

fn server() -> &'static ServerBinaries {
    static SERVER: OnceLock<ServerBinaries> = OnceLock::new();
    SERVER.get_or_init(|| ServerBinaries::find(&SearchPath::from_env(), None).unwrap().unwrap())
}

/// The major version of the server that the tests use.
pub(crate) fn major() -> u32 {
    server().major
}

/// What one list has and the other has not, for a message.
pub(crate) fn unlike(got: &[String], want: &[String]) -> String {
    let only = |a: &[String], b: &[String]| -> String {
        a.iter().filter(|it| !b.contains(it)).cloned().collect::<Vec<_>>().join("\n")
    };
    format!("--- only in the result:\n{}\n--- missing in the result:\n{}", only(got, want), only(want, got))
}

/// All statements, for a message.
pub(crate) fn script(difference: &Difference) -> String {
    migrations(difference).iter().map(|it| format!("## {:?}\n{}", it.stage, it.sql)).collect()
}

/// Makes a database by `a` and another one by `a` and `b`, and has the difference lead from one to the other.
/// `rows` are put in before; their table's text has to be the same afterwards.
pub(crate) async fn leads(a: &str, b: &str) -> Difference {
    let mut want = made(a).await;
    want.run(b).await;
    let mut start = made(a).await;
    becomes(&mut start, &mut want).await
}

/// Applies the difference from one database to the other, and looks whether it holds.
pub(crate) async fn becomes(start: &mut Made, want: &mut Made) -> Difference {
    let target = want.catalog().await;
    let found = difference(&start.catalog().await, &target);
    start.apply(&found).await;
    let (got, wanted) = (start.dump(), want.dump());
    assert!(got == wanted, "{}\n--- by\n{}", unlike(&got, &wanted), script(&found));
    let second = difference(&start.catalog().await, &target);
    assert!(second.is_empty(), "a second difference:\n{}\n--- after\n{}", script(&second), script(&found));
    found
}
