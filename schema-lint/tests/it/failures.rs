//! Migrations that cannot be run.

use schema_lint::Error;

use crate::try_lint;

#[tokio::test]
async fn a_migration_that_does_not_apply_is_named_with_its_line() {
    let error = try_lint(&["select 1", "select 1;\n\ncreate table t (\n id nonsense);"]).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("\"1.sql\"") && text.contains("line 4"), "{text}");
    assert!(text.contains("type \"nonsense\" does not exist"), "{text}");
}

#[tokio::test]
async fn one_that_fails_at_its_end_is_named() {
    let deferred = "create table t (id int primary key, p int references t deferrable initially deferred);
        insert into t values (1, 2);";
    let error = try_lint(&[deferred]).await.unwrap_err();
    assert!(matches!(error, Error::Migration { .. }), "{error}");
    assert!(error.to_string().contains("0.sql"), "{error}");
}

#[tokio::test]
async fn one_that_ends_its_transaction_is_refused() {
    let error = try_lint(&["select 1;\ncommit;"]).await.unwrap_err();
    assert!(matches!(error, Error::TransactionControl { line: 2, .. }), "{error}");
}

#[tokio::test]
async fn what_cannot_run_in_a_transaction_says_so() {
    let error =
        try_lint(&["create table t (id int);", "create index concurrently on t (id)"]).await.unwrap_err();
    assert!(error.to_string().contains("transaction"), "{error}");
}
