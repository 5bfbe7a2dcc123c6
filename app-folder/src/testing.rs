//! Runs an application's tests: each file in a transaction that is rolled back, on a session of its own.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::error::{During, Error};
use crate::folder::TestFile;
use crate::run;
use crate::tap::Tap;

const INSTALL: &str = include_str!("../sql/pgapp_test.sql");

/// How a file went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOutcome {
    /// File name.
    pub name: String,
    /// What is wrong, a line each; empty when all is well.
    pub problems: Vec<String>,
    /// Time spent.
    pub took: Duration,
}

impl TestOutcome {
    /// Whether all is well.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Puts `pgapp_test.as` into the database that the tests run on.
///
/// # Errors
/// What the server refuses.
pub async fn install(client: &Client) -> Result<(), Error> {
    client.batch_execute(INSTALL).await.during("install the schema \"pgapp_test\"")
}

/// Runs one file on a fresh session, whose search path within a request is `request_path`. What it does is rolled back.
///
/// # Errors
/// When the session cannot be used; what the file does wrong is an outcome.
pub async fn run(mut client: Client, request_path: &str, test: &TestFile) -> Result<TestOutcome, Error> {
    let started = Instant::now();
    let action = || format!("run \"{}\"", test.script.file);
    run::reset_session(&client).await.during(action())?;
    let sql = "SELECT pg_catalog.set_config('pgapp_test.search_path', $1, false)";
    client.execute(sql, &[&request_path]).await.during(action())?;
    let problems = match run::in_transaction(&test.script) {
        Err(error) => vec![with_cause(&error)],
        Ok(statements) => {
            let tx = client.transaction().await.during(action())?;
            let mut tap = Tap::default();
            let mut problems = Vec::new();
            for statement in &statements {
                match run::statement(&tx, &test.script.file, statement).await {
                    Ok(rows) => texts(&rows).for_each(|it| tap.take(it)),
                    Err(failure) => {
                        problems.push(failure.to_string());
                        problems.extend(failure.details().into_iter().chain(failure.hint()));
                        break;
                    }
                }
            }
            if problems.is_empty() {
                // What a commit would check, as a request's would.
                let at_end = tx.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await;
                problems.extend(at_end.err().map(|it| format!("at the end: {it}")));
            }
            problems.extend(tap.problems(problems.is_empty()));
            tx.rollback().await.during(action())?;
            problems
        }
    };
    Ok(TestOutcome { name: test.name.clone(), problems, took: started.elapsed() })
}

/// An error with what it was caused by.
fn with_cause(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(it) = next {
        text = format!("{text}: {it}");
        next = it.source();
    }
    text
}

/// The rows of one column: how pgTAP speaks.
fn texts(messages: &[SimpleQueryMessage]) -> impl Iterator<Item = &str> {
    messages.iter().filter_map(|it| match it {
        SimpleQueryMessage::Row(row) if row.len() == 1 => row.get(0),
        _ => None,
    })
}
