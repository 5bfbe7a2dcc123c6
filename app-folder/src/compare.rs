//! A folder's migrations against the ledger of a database: what is applied, what is due, what must be refused. Pure.

use serde::Serialize;

use crate::error::Error;
use crate::folder::Migration;
use crate::ledger::Applied;

/// How a migration stands to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MigrationState {
    /// The database has had it, as it is in the file.
    Applied,
    /// The database has not had it.
    Pending,
    /// The database has had it, and the file is another one now.
    Changed,
    /// The database has had it, and the folder has no such file.
    Missing,
}

impl MigrationState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Changed => "changed",
            Self::Missing => "missing",
        }
    }
}

/// One line of `db status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MigrationStatus {
    /// File name.
    pub file: String,
    /// How it stands.
    pub state: MigrationState,
    /// When it was applied, in RFC 3339.
    pub applied_at: Option<String>,
}

/// Whether a migration may come after a younger one was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// No: the order of files is the order of what the database has had.
    #[default]
    Strict,
    /// Yes, as the user asked for it.
    OutOfOrder,
}

/// Every migration of the folder and of the ledger, in order.
pub fn status(migrations: &[Migration], applied: &[Applied]) -> Vec<MigrationStatus> {
    let find = |name: &str| applied.iter().find(|it| it.name == name);
    let of_file = migrations.iter().map(|it| {
        let row = find(it.name.as_str());
        let state = match row {
            None => MigrationState::Pending,
            Some(row) if row.checksum == it.checksum() => MigrationState::Applied,
            Some(_) => MigrationState::Changed,
        };
        let file = it.name.as_str().to_owned();
        MigrationStatus { file, state, applied_at: row.map(|it| it.applied_at.clone()) }
    });
    let is_gone = |row: &&Applied| !migrations.iter().any(|it| it.name.as_str() == row.name);
    let gone = applied.iter().filter(is_gone).map(|row| MigrationStatus {
        file: row.name.clone(),
        state: MigrationState::Missing,
        applied_at: Some(row.applied_at.clone()),
    });
    let mut all: Vec<MigrationStatus> = of_file.chain(gone).collect();
    all.sort_by(|a, b| a.file.cmp(&b.file));
    all
}

/// The migrations that are due, in order. One without any statement is not: it was made, and is being written.
///
/// # Errors
/// A file that was changed after it had been applied, one that is older than the newest applied one, and a ledger of
/// another application.
pub fn due<'a>(
    migrations: &'a [Migration],
    applied: &[Applied],
    order: Order,
) -> Result<Vec<&'a Migration>, Error> {
    let find = |it: &Migration| applied.iter().find(|row| row.name == it.name.as_str());
    if let (Some(first), Some(row)) = (migrations.first(), applied.first())
        && migrations.iter().all(|it| find(it).is_none())
        && applied.iter().all(|row| row.name != first.name.as_str())
    {
        return Err(Error::OtherApplication {
            target: first.target,
            n_applied: applied.len(),
            example: row.name.clone(),
        });
    }
    for migration in migrations {
        if let Some(row) = find(migration)
            && row.checksum != migration.checksum()
        {
            let (file, applied_at) = (migration.script.file.clone(), row.applied_at.clone());
            return Err(Error::Changed { file, applied_at });
        }
    }
    let due: Vec<&Migration> = migrations.iter().filter(|it| find(it).is_none() && !it.is_empty()).collect();
    let newest = applied.iter().map(|it| it.name.as_str()).max();
    if let (Order::Strict, Some(newest), Some(first)) = (order, newest, due.first())
        && first.name.as_str() < newest
    {
        return Err(Error::OutOfOrder { file: first.script.file.clone(), newest: newest.to_owned() });
    }
    Ok(due)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Script;
    use bootstrap_sql::Target;

    fn migration(name: &str, sql: &str) -> Migration {
        let script = Script { file: format!("custom/migrations/{name}"), sql: sql.to_owned() };
        Migration { target: Target::Custom, name: name.parse().unwrap(), script }
    }

    fn row(it: &Migration) -> Applied {
        Applied {
            name: it.name.as_str().to_owned(),
            checksum: it.checksum(),
            applied_at: "2026-01-01T00:00:00Z".into(),
        }
    }

    const A: &str = "20260101000000_a.sql";
    const B: &str = "20260102000000_b.sql";
    const C: &str = "20260103000000_c.sql";

    #[test]
    fn status_knows_four_states() {
        let [a, b, c] = [A, B, C].map(|it| migration(it, it));
        let applied = [row(&a), row(&migration(B, "earlier")), row(&c)];
        let found = status(&[a, b, migration("20260104000000_d.sql", "")], &applied);
        let states: Vec<&str> = found.iter().map(|it| it.state.as_str()).collect();
        assert_eq!(states, ["applied", "changed", "missing", "pending"]);
        assert_eq!(found[3].applied_at, None);
    }

    #[test]
    fn what_is_due_comes_in_order() {
        let all = [A, B, C].map(|it| migration(it, it));
        let names = |applied: &[Applied]| -> Vec<String> {
            due(&all, applied, Order::Strict).unwrap().iter().map(|it| it.name.to_string()).collect()
        };
        assert_eq!(names(&[]), [A, B, C]);
        let unwritten = [migration(A, "-- soon\n")];
        assert_eq!(due(&unwritten, &[], Order::Strict).unwrap(), Vec::<&Migration>::new());
        assert_eq!(names(&[row(&all[0])]), [B, C]);
        assert_eq!(names(&[row(&all[0]), row(&all[1]), row(&all[2])]), Vec::<String>::new());
    }

    #[test]
    fn a_changed_file_and_an_older_one_are_refused_by_name() {
        let all = [A, B, C].map(|it| migration(it, it));
        let changed = due(&all, &[row(&migration(A, "other"))], Order::OutOfOrder).unwrap_err();
        assert!(changed.to_string().contains(A), "{changed}");
        let applied = [row(&all[0]), row(&all[2])];
        let late = due(&all, &applied, Order::Strict).unwrap_err();
        assert!(late.to_string().contains(B) && late.hint().unwrap().contains("--out-of-order"), "{late}");
        assert_eq!(due(&all, &applied, Order::OutOfOrder).unwrap(), [&all[1]]);
    }

    #[test]
    fn a_ledger_of_another_application_is_refused_and_one_with_lost_files_is_not() {
        let strange = [row(&migration("20260101000000_strange.sql", ""))];
        let all = [A, B].map(|it| migration(it, it));
        let error = due(&all, &strange, Order::OutOfOrder).unwrap_err();
        assert!(error.to_string().contains("20260101000000_strange.sql"), "{error}");
        let lost = [row(&all[0]), strange[0].clone()];
        assert_eq!(due(&all, &lost, Order::OutOfOrder).unwrap(), [&all[1]]);
        assert_eq!(due(&[], &strange, Order::Strict).unwrap(), Vec::<&Migration>::new());
    }
}
