//! Runs commands on the table.
//!
//! Owns the statements, and the patience: a connection that was dropped, a cluster that is resuming or failing over, is
//! tried again until the deadline, because a caller cannot do better. Statements are single and keep no state in the
//! session, so that RDS Proxy never pins a connection; see [`crate::execute::Single`].

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::{Instant, sleep, timeout_at};

use super::answer::{Outcome, Stored};
use super::request::Command;
use crate::error::DbError;
use crate::execute::{Connector, Single};

const LIST: &str = "SELECT name, weight, height FROM public.animals ORDER BY name";
const SAVE: &str = "INSERT INTO public.animals AS animal (name, weight, height) VALUES ($1, $2, $3) \
     ON CONFLICT (name) DO UPDATE SET weight = excluded.weight, height = excluded.height \
     RETURNING animal.name, animal.weight, animal.height";
const DELETE: &str = "DELETE FROM public.animals WHERE name = $1 RETURNING name";

/// Pauses between attempts, the last one repeated. A resuming Aurora needs up to some 15 s.
const PAUSES_MS: [u64; 5] = [20, 100, 250, 500, 1000];

/// The table.
pub struct Store {
    database: Single,
}

/// What to do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The same again may go well.
    Retry,
    /// The same again on another connection: this one leads to a server that cannot do it.
    RetryElsewhere,
    /// It is what was asked for that cannot be done.
    TooLong,
    /// It will fail the same way again.
    GiveUp,
}

impl Store {
    /// Connects at the first command.
    pub fn new(connector: Connector) -> Self {
        Self { database: Single::new(connector) }
    }

    /// Runs a command, and again where that can help, until `deadline`.
    pub async fn run(&self, command: &Command, deadline: Instant) -> Outcome {
        // An attempt whose connection broke may have been carried out all the same.
        let mut may_be_done = false;
        for attempt in 0_usize.. {
            let error = match timeout_at(deadline, self.attempt(command)).await {
                Ok(Ok(Outcome::NoSuchAnimal(_))) if may_be_done => return Outcome::Deleted,
                Ok(Ok(outcome)) => return outcome,
                Ok(Err(error)) => error,
                Err(_) => {
                    tracing::error!(attempt, "the database did not answer in time");
                    return Outcome::Unavailable;
                }
            };
            let code = code(&error);
            match verdict(&error) {
                Verdict::Retry => {}
                Verdict::RetryElsewhere => self.database.reset().await,
                Verdict::TooLong => return Outcome::NameTooLong,
                Verdict::GiveUp => {
                    tracing::error!(attempt, code, error = %message(&error), "{}", advice(code));
                    return Outcome::Failed;
                }
            }
            may_be_done |= matches!(error, DbError::Connection { was_established: true, .. });
            let pause = PAUSES_MS.get(attempt).or(PAUSES_MS.last()).copied().unwrap_or_default();
            let next = Instant::now() + Duration::from_millis(pause);
            if next >= deadline {
                tracing::error!(attempt, code, error = %message(&error), "the database is unavailable");
                return Outcome::Unavailable;
            }
            tracing::warn!(attempt, code, error = %message(&error), "the database is unavailable, trying again");
            sleep(Duration::from_millis(pause)).await;
        }
        Outcome::Unavailable
    }

    async fn attempt(&self, command: &Command) -> Result<Outcome, DbError> {
        match command {
            Command::List => {
                let rows = self.database.run(LIST, &[]).await?;
                Ok(Outcome::Listed(rows.into_iter().map(stored).collect::<Result<_, _>>()?))
            }
            Command::Save(animal) => {
                let (weight, height) = (animal.weight.to_string(), animal.height.to_string());
                let rows = self.database.run(SAVE, &[&animal.name, &weight, &height]).await?;
                let row =
                    rows.into_iter().next().ok_or_else(|| unexpected("a saved row did not come back"))?;
                Ok(Outcome::Saved(stored(row)?))
            }
            Command::Delete(name) => {
                let rows = self.database.run::<1>(DELETE, &[name]).await?;
                Ok(if rows.is_empty() { Outcome::NoSuchAnimal(name.clone()) } else { Outcome::Deleted })
            }
        }
    }
}

fn stored([name, weight, height]: [Option<String>; 3]) -> Result<Stored, DbError> {
    let (Some(name), Some(weight), Some(height)) = (name, weight, height) else {
        return Err(unexpected("a column is null"));
    };
    Ok(Stored { name, weight: number(&weight)?, height: number(&height)? })
}

/// Digits as they are. Something else, such as the NaN that the column could hold, is shown as text.
fn number(text: &str) -> Result<Box<RawValue>, DbError> {
    RawValue::from_string(text.to_owned())
        .or_else(|_| serde_json::value::to_raw_value(text))
        .map_err(|_| unexpected("a number is not readable"))
}

fn unexpected(what: &str) -> DbError {
    DbError::UnexpectedResult(what.into())
}

fn code(error: &DbError) -> &str {
    match error {
        DbError::Server { code, .. } => code,
        _ => "",
    }
}

/// For the log; a server's detail and hint are left out, as they quote rows.
fn message(error: &DbError) -> String {
    match error {
        DbError::Server { message, .. } | DbError::Connection { message, .. } => {
            message.trim_end().to_owned()
        }
        other => other.to_string(),
    }
}

fn verdict(error: &DbError) -> Verdict {
    match error {
        DbError::Connection { .. } | DbError::AcquisitionTimeout => Verdict::Retry,
        DbError::Server { code, .. } => match &**code {
            // The former writer, which a failover has made a reader; a server that comes or goes.
            "25006" | "57P01" | "57P02" | "57P03" | "57P05" => Verdict::RetryElsewhere,
            // Connection lost; out of connections or memory.
            code if code.starts_with("08") || code.starts_with("53") => Verdict::RetryElsewhere,
            // Serialization and deadlock.
            "40001" | "40P01" => Verdict::Retry,
            // The name is the only value without a bound; an index holds some 2,700 bytes of it.
            "54000" => Verdict::TooLong,
            _ => Verdict::GiveUp,
        },
        _ => Verdict::GiveUp,
    }
}

/// What the reader of the log can do.
fn advice(code: &str) -> &'static str {
    match code {
        "42P01" | "3F000" => "the table is not there; cargo xtask bootstrap --target aurora makes it",
        "42501" => "the user may not use the table; cargo xtask bootstrap --target aurora grants that",
        _ => "the statement failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: &str) -> DbError {
        DbError::Server {
            code: code.into(),
            message: "m".into(),
            detail: Some("row (Zebra)".into()),
            hint: None,
            authenticated: false,
            cause: crate::error::Cause::Statement,
        }
    }

    #[test]
    fn what_passes_is_tried_again_and_what_stays_is_not() {
        let lost = DbError::Connection { was_established: true, message: "gone\n".into() };
        assert_eq!(verdict(&lost), Verdict::Retry);
        for code in ["25006", "57P01", "57P03", "08006", "53300"] {
            assert_eq!(verdict(&server(code)), Verdict::RetryElsewhere, "{code}");
        }
        assert_eq!(verdict(&server("40001")), Verdict::Retry);
        assert_eq!(verdict(&server("54000")), Verdict::TooLong);
        for code in ["42P01", "42501", "23514", "XX000"] {
            assert_eq!(verdict(&server(code)), Verdict::GiveUp, "{code}");
        }
    }

    #[test]
    fn log_texts_quote_no_rows() {
        assert_eq!(message(&server("23514")), "m");
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(number("300.20").unwrap().get(), "300.20");
        assert_eq!(number("NaN").unwrap().get(), "\"NaN\"");
    }
}
