//! A schema of a thousand tables.

use std::time::{Duration, Instant};

use schema_diff::difference;

use crate::support::made;

fn tables(n: usize) -> String {
    let mut sql = "create schema big;".to_owned();
    for i in 0..n {
        sql.push_str(&format!(
            "create table big.t{i} (id bigint generated always as identity primary key, a text not null default 'x',
                b numeric(8,2) check (b > 0), c timestamptz default now(), ref bigint{});
             create index on big.t{i} (c);
             comment on table big.t{i} is 'table {i}';
             alter table big.t{i} enable row level security;
             create policy own on big.t{i} using (a = current_user);",
            if i == 0 { String::new() } else { format!(" references big.t{}", i - 1) },
        ));
    }
    sql
}

#[tokio::test]
async fn a_thousand_tables_are_compared_at_once() {
    let mut a = made(&tables(1000)).await;
    let mut b = made(&tables(1000)).await;
    b.run("alter table big.t5 add column more text; alter table big.t900 alter b type numeric(10,2); create view big.v as select * from big.t7").await;
    let begin = Instant::now();
    let (from, to) = (a.catalog().await, b.catalog().await);
    let read = begin.elapsed();
    let found = difference(&from, &to);
    println!("1,000 tables: read in {read:.2?}, compared in {:.2?}", begin.elapsed() - read);
    assert!(begin.elapsed() < Duration::from_secs(30), "grows faster than the schema");
    let sql: Vec<&str> = found.statements.iter().map(|it| it.sql.as_str()).collect();
    assert!(sql.contains(&"alter table big.t5 add column more text"), "{sql:?}");
    assert_eq!(sql.len(), 3, "{sql:?}");
    // All of it, from nothing and back.
    let empty = made("").await.catalog().await;
    let begin = Instant::now();
    let n = difference(&empty, &to).statements.len() + difference(&to, &empty).statements.len();
    println!("made and dropped: {n} statements in {:.2?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(30), "grows faster than the schema");
}
