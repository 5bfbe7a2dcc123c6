//! For random A and B: applying the difference to A gives B, by `pg_dump`; the second difference is empty; the values
//! of what both have are kept.

use crate::random::{Schema, schema};
use crate::support::{Made, becomes, made};

/// Cases of a run; each takes about half a second.
fn n_cases() -> u64 {
    if std::env::var_os("PGAPP_TEST_THOROUGH").is_some() { 400 } else { 16 }
}

/// Values of a table's columns that a change of the schema has to leave: of the same type in both databases, and not
/// computed. One text for each.
async fn kept(start: &mut Made, want: &mut Made) -> Vec<String> {
    const COLUMNS: &str = "select coalesce(string_agg(format('%s %I %s', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod)), e'\\n'), '')
        from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 's'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''";
    let (mine, theirs) = (start.one(COLUMNS).await, want.one(COLUMNS).await);
    let theirs: Vec<&str> = theirs.lines().collect();
    let both = mine.lines().filter(|it| theirs.contains(it));
    both.map(|it| {
        let mut parts = it.split(' ');
        let (table, column) = (parts.next().unwrap(), parts.next().unwrap());
        format!("select coalesce(string_agg({column}::text, ',' order by id), '') from {table}")
    })
    .collect()
}

async fn holds(seed: u64) {
    let (a, b): (Schema, Schema) = (schema(2 * seed), schema(2 * seed + 1));
    let mut start = made(&a.sql).await;
    let mut want = made(&b.sql).await;
    start.run(&a.rows).await;
    let queries = kept(&mut start, &mut want).await;
    let mut before = Vec::new();
    for query in &queries {
        before.push(start.one(query).await);
    }
    becomes(&mut start, &mut want).await;
    for (query, before) in queries.iter().zip(&before) {
        assert_eq!(start.one(query).await, *before, "seed {seed}: {query}");
    }
    // The new schema takes rows.
    let n_rows = "select (select count(*) from s.parts_a)::text";
    if b.rows.contains("parts_a") && a.rows.contains("parts_a") {
        assert_eq!(start.one(n_rows).await, "2", "seed {seed}");
    }
}

#[tokio::test]
async fn the_difference_of_random_schemas_leads_from_one_to_the_other() {
    let only = std::env::var("PGAPP_TEST_SEED").ok().and_then(|it| it.parse::<u64>().ok());
    let first = only.unwrap_or(0);
    let n = if only.is_some() { 1 } else { n_cases() };
    for seed in first..first + n {
        // The seed of a failure stands above its message.
        println!("seed {seed}");
        holds(seed).await;
    }
}
