//! An application's folder in a stack: applied, refused, reset, tested on a copy.

use std::path::{Path, PathBuf};

use app_folder::{AppFolder, MigrationState, Order, testing};
use bootstrap_sql::Target;
use local_stack::{Database, Error, Seed};

use crate::support::TestStack;

/// A folder in the stack's project with these files.
fn write(it: &TestStack, files: &[(&str, &str)]) -> PathBuf {
    let dir = it.root().join("app");
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

/// A stack of databases with this application.
async fn up(files: &[(&str, &str)]) -> (TestStack, AppFolder) {
    let mut it = TestStack::databases();
    let dir = write(&it, files);
    it.config.app = Some(dir.clone());
    it.up().await.unwrap();
    (it, AppFolder::open(&dir).unwrap())
}

async fn text(it: &TestStack, database: Database, sql: &str) -> String {
    let row = it.connect(database).await.query_one(&format!("SELECT ({sql})::text"), &[]).await.unwrap();
    row.get::<_, Option<String>>(0).unwrap_or_default()
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples").join(name)
}

const FIRST: (&str, &str) = (
    "custom/migrations/20260101000000_items.sql",
    "create table items (id int primary key);\ninsert into items values (1);",
);

#[tokio::test]
async fn origin_then_foreign_tables_then_custom_and_the_seed_once() {
    let (it, folder) = up(&[
        ("origin/migrations/20260101000000_orders.sql", "create table orders (id int primary key);"),
        ("origin/seed.sql", "insert into orders values (7);"),
        ("custom/migrations/20260101000000_big.sql", "create view big as select id from orders;"),
        ("custom/seed.sql", "create table seeded as select 1 as n;"),
    ])
    .await;
    assert_eq!(text(&it, Database::Custom, "select id from big").await, "7");
    assert_eq!(text(&it, Database::Custom, "select count(*) from seeded").await, "1");
    assert_eq!(text(&it, Database::Origin, "select to_regclass('todos')").await, "", "no sample beside it");
    // A second `up` applies no seed, and a column of the origin is there before the view that wants it.
    it.connect(Database::Origin).await.batch_execute("delete from orders").await.unwrap();
    write(
        &it,
        &[
            ("origin/migrations/20260102000000_note.sql", "alter table orders add note text default 'n';"),
            ("custom/migrations/20260102000000_note.sql", "create view notes as select note from orders;"),
        ],
    );
    let applied = it.stack.migrate(&folder, Order::Strict).await.unwrap();
    assert_eq!(applied.iter().map(|it| it.target).collect::<Vec<_>>(), [Target::Origin, Target::Custom]);
    it.up().await.unwrap();
    assert_eq!(text(&it, Database::Origin, "select count(*) from orders").await, "0");
    assert_eq!(text(&it, Database::Custom, "select count(*) from notes").await, "0");
}

#[tokio::test]
async fn a_failing_file_leaves_nothing_and_names_its_place() {
    let (it, folder) = up(&[FIRST]).await;
    let bad = "create table half (id int);\n-- then\n\nselect\n  1 / 0;\n";
    write(&it, &[("custom/migrations/20260102000000_half.sql", bad)]);
    let error = it.stack.migrate(&folder, Order::Strict).await.unwrap_err();
    assert!(error.to_string().contains("20260102000000_half.sql:4: division by zero"), "{error}");
    assert_eq!(text(&it, Database::Custom, "select to_regclass('half')").await, "");
    for (sql, says) in [
        ("create index concurrently on items (id);", "-- pgapp: no-transaction"),
        ("select 1;\ncommit;", "no-transaction"),
        ("select 'open;", "20260102000000_half.sql"),
        ("\\i other.sql", "20260102000000_half.sql"),
        ("create extension nothing_like_it;", "apt-get install"),
    ] {
        write(&it, &[("custom/migrations/20260102000000_half.sql", sql)]);
        let error = it.stack.migrate(&folder, Order::Strict).await.unwrap_err();
        let told = format!("{error} {:?}", error.hint());
        assert!(told.contains(says), "{sql}: {told}");
    }
    let marked =
        "-- pgapp: no-transaction\ncreate index concurrently if not exists i on items (id);\nselect 1 / 0;";
    write(&it, &[("custom/migrations/20260102000000_half.sql", marked)]);
    let error = it.stack.migrate(&folder, Order::Strict).await.unwrap_err();
    assert!(error.to_string().contains("the statement before it stay"), "{error}");
    let status = it.stack.migration_status(&folder).await.unwrap();
    let states: Vec<MigrationState> = status[0].migrations.iter().map(|it| it.state).collect();
    assert_eq!(states, [MigrationState::Applied, MigrationState::Pending]);
}

#[tokio::test]
async fn what_is_to_be_preloaded_is_and_what_is_missing_is_named() {
    let (it, folder) =
        up(&[FIRST, ("custom/packages.txt", "preload auto_explain\npreload no_such_library\n")]).await;
    let preloaded = "current_setting('shared_preload_libraries')";
    let first = text(&it, Database::Custom, preloaded).await;
    assert!(first.starts_with("auto_explain") && !first.contains("no_such_library"), "{first}");
    let origin = text(&it, Database::Origin, preloaded).await;
    assert!(!origin.contains("auto_explain"), "{origin}");

    // A changed list starts the custom database again, and nothing else; rows stay.
    write(&it, &[("custom/packages.txt", "preload pg_stat_statements\n")]);
    it.up().await.unwrap();
    let second = text(&it, Database::Custom, preloaded).await;
    assert!(second.starts_with("pg_stat_statements"), "{second}");
    assert_eq!(text(&it, Database::Custom, "select count(*) from items").await, "1");

    write(&it, &[("custom/migrations/20260102000000_v.sql", "create extension no_such_thing;")]);
    let error = it.stack.migrate(&folder, Order::Strict).await.unwrap_err();
    let major =
        text(&it, Database::Custom, "select current_setting('server_version_num')::int / 10000").await;
    let wanted = format!("sudo apt-get install postgresql-{major}-no-such-thing");
    assert!(error.hint().unwrap().contains(&wanted), "{:?}", error.hint());
    for (text, says) in
        [("two words here", "custom/packages.txt:1"), ("build nothing", "custom/nothing/build.sh")]
    {
        write(&it, &[("custom/packages.txt", text)]);
        assert!(it.up().await.unwrap_err().to_string().contains(says), "{text}");
    }
}

#[tokio::test]
async fn a_lock_is_waited_for_without_keeping_readers_out() {
    let (it, folder) = up(&[FIRST]).await;
    write(&it, &[("custom/migrations/20260102000000_n.sql", "alter table items add n int default 3;")]);
    let mut holder = it.connect(Database::Custom).await;
    let tx = holder.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE items IN ACCESS SHARE MODE").await.unwrap();
    let reader = it.connect(Database::Custom).await;
    let migrating = it.stack.migrate(&folder, Order::Strict);
    let reading = async {
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'items'::regclass";
        while reader.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
        // Behind the waiting one, and through as soon as that one's time is over.
        reader.query("SELECT FROM items", &[]).await.unwrap();
        tx.rollback().await.unwrap();
    };
    let (applied, ()) = tokio::join!(migrating, reading);
    assert_eq!(applied.unwrap().len(), 1);
    assert_eq!(text(&it, Database::Custom, "select n from items").await, "3");
}

#[tokio::test]
async fn another_application_is_refused_and_a_reset_that_fails_changes_nothing() {
    let (mut it, folder) = up(&[FIRST, ("custom/seed.sql", "insert into items values (2);")]).await;
    let other = it.root().join("other");
    std::fs::create_dir_all(other.join("custom/migrations")).unwrap();
    std::fs::write(other.join("custom/migrations/20260101000001_x.sql"), "create table x ();").unwrap();
    let mine = it.config.app.replace(other.clone());
    let error = it.up().await.unwrap_err();
    assert!(
        matches!(&error, Error::Differs { .. }) && error.hint().unwrap().contains("--volumes"),
        "{error}"
    );
    let error = it.stack.migrate(&AppFolder::open(&other).unwrap(), Order::Strict).await.unwrap_err();
    assert!(error.to_string().contains("migrated by another application"), "{error}");
    it.config.app = mine;

    it.connect(Database::Custom).await.batch_execute("insert into items values (9)").await.unwrap();
    write(&it, &[("custom/seed.sql", "insert into items values (2);\ninsert into items values (1);")]);
    let error = it.stack.reset(&folder, &it.api).await.unwrap_err();
    assert!(error.to_string().contains("custom/seed.sql:2:"), "{error}");
    assert_eq!(text(&it, Database::Custom, "select count(*) from items").await, "3", "as before");
    write(&it, &[("custom/seed.sql", "insert into items values (2);")]);
    it.stack.reset(&folder, &it.api).await.unwrap();
    assert_eq!(text(&it, Database::Custom, "select array_agg(id order by id) from items").await, "{1,2}");
    let left = "select count(*) from pg_database where datname like '%reset%'";
    assert_eq!(text(&it, Database::Custom, left).await, "0");
}

#[tokio::test]
async fn the_examples_and_a_new_application_pass_their_tests_on_a_copy() {
    let (it, _) = up(&[FIRST]).await;
    let new = it.root().join("new");
    app_folder::skeleton::create(&new, jiff::Timestamp::now()).unwrap();
    for path in [example("shop"), new] {
        let folder = AppFolder::open(&path).unwrap();
        let scratch = it.stack.scratch(&folder, Target::Custom, Seed::Yes).await.unwrap();
        testing::install(&scratch.connect().await.unwrap()).await.unwrap();
        let request_path = it.stack.request_path(&folder).await.unwrap();
        let tests = folder.tests().unwrap();
        assert!(!tests.is_empty());
        for test in &tests {
            let client = scratch.connect().await.unwrap();
            let outcome = testing::run(client, &request_path, test).await.unwrap();
            assert_eq!(outcome.problems, Vec::<String>::new(), "{}", outcome.name);
        }
        let url = scratch.url();
        scratch.remove().await.unwrap();
        assert!(tokio_postgres::connect(&url, tokio_postgres::NoTls).await.is_err(), "it is gone");
    }
    assert_eq!(
        text(&it, Database::Custom, "select to_regnamespace('api')").await,
        "",
        "the stack's own is untouched"
    );
}
