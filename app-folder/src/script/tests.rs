//! Where statements begin and end.

use super::*;
use proptest::prelude::*;

fn texts(sql: &str) -> Vec<(usize, &str)> {
    statements(sql).unwrap().into_iter().map(|it| (it.line, it.text)).collect()
}

#[test]
fn a_semicolon_ends_a_statement_and_lines_are_counted() {
    assert_eq!(texts("select 1;\n\n -- one; two\nselect\n 2;;\n"), [(1, "select 1"), (4, "select\n 2")]);
    assert_eq!(texts("-- nothing;\n"), []);
    assert_eq!(texts("select 1"), [(1, "select 1")]);
}

#[test]
fn quotes_comments_and_parentheses_keep_their_semicolons() {
    for sql in [
        "select 'a;''b;'",
        r"select E'a\';b'",
        r"select 'a\'",
        r#"select ";""#,
        "select $$;$$",
        "select $a$ ; $$ ; $a$",
        "select a$b$c",
        "/* a; /* b; */ c; */ select 1",
        "create rule r as on insert to t do also (delete from a; delete from b)",
        "select $1, '$a$'",
    ] {
        let with_more = format!("{sql};\nselect 2");
        let found = statements(&with_more).unwrap();
        assert_eq!(found.len(), 2, "{sql}");
        assert!(sql.ends_with(found[0].text), "{sql}");
    }
}

#[test]
fn a_body_with_begin_atomic_is_one_statement() {
    let sql = "create procedure p() begin atomic select case when true then 1 end; select 2; end;\n\
               create or replace function f() returns int begin atomic; select 1; end; select 3";
    assert_eq!(texts(sql).len(), 3);
    // Elsewhere these words are ordinary.
    assert_eq!(texts("begin; select 1; end; select atomic from begin").len(), 4);
}

#[test]
fn what_is_not_closed_is_named_with_its_line() {
    for (sql, line) in [("select 1;\nselect 'a", 2), ("\n\nselect $x$ a", 3), ("/* a", 1), ("select \"a", 1)]
    {
        match statements(sql) {
            Err(ScriptError::Open { line: found, .. }) => assert_eq!(found, line, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[test]
fn commands_of_psql_are_refused_and_rows_of_copy_are_taken() {
    let error = statements("select 1;\n\\i other.sql\n").unwrap_err();
    assert_eq!(error, ScriptError::Psql { line: 2, command: "\\i".to_owned() });
    let sql = "copy t (a) from stdin;\n1;\n\\N\n\\.\nselect 2;";
    let found = statements(sql).unwrap();
    assert_eq!((found[0].text, found[0].data), ("copy t (a) from stdin", Some("1;\n\\N\n")));
    assert_eq!((found[1].text, found[1].line), ("select 2", 5));
    assert_eq!(statements("copy t from stdin;\n1\n"), Err(ScriptError::OpenData { line: 1 }));
    assert_eq!(texts("copy t from '/a'; select 1").len(), 2);
}

#[test]
fn transaction_control_is_told_from_savepoints() {
    let control = |sql: &str| statements(sql).unwrap()[0].is_transaction_control();
    for sql in [
        "BEGIN",
        "start transaction",
        "commit",
        "/* x */ end",
        "rollback",
        "abort",
        "prepare transaction 'a'",
    ] {
        assert!(control(sql), "{sql}");
    }
    for sql in
        ["savepoint a", "rollback to a", "rollback work to savepoint a", "prepare a as select 1", "select 1"]
    {
        assert!(!control(sql), "{sql}");
    }
}

proptest! {
    #[test]
    fn any_text_is_cut_without_loss(sql in "[a-z;'\"$()/*\\-\\\\ \n]{0,60}") {
        if let Ok(found) = statements(&sql) {
            let mut at = 0;
            for statement in found {
                let start = sql[at..].find(statement.text).expect("a piece of the text, in order");
                at += start + statement.text.len();
                prop_assert!(statement.line <= 1 + sql.matches('\n').count());
            }
        }
    }
}
