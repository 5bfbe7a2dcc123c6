//! Puts an application into running databases: migrations, then the seed where the database is new.

use app_folder::compare::MigrationStatus;
use app_folder::{AppFolder, MigrateEvent, Migration, Options, Order, Script, migrate, seed};
use bootstrap_sql::Target;

use crate::bootstrap::Bootstrap;
use crate::database::Database;
use crate::error::Error;

/// An application's part in one of the two databases.
struct Part {
    migrations: Vec<Migration>,
    seed: Option<Script>,
}

/// A folder that was read, and the databases it is for.
pub(crate) struct Application<'a> {
    bootstrap: &'a Bootstrap<'a>,
    origin: Part,
    custom: Part,
}

pub(crate) const fn target(database: Database) -> Target {
    match database {
        Database::Origin => Target::Origin,
        Database::Custom => Target::Custom,
    }
}

impl<'a> Application<'a> {
    /// Reads the folder whole.
    pub(crate) fn read(folder: &AppFolder, bootstrap: &'a Bootstrap<'a>) -> Result<Self, Error> {
        let part = |database| {
            let target = target(database);
            Ok::<_, Error>(Part { migrations: folder.migrations(target)?, seed: folder.seed(target)? })
        };
        Ok(Self { bootstrap, origin: part(Database::Origin)?, custom: part(Database::Custom)? })
    }

    fn part(&self, database: Database) -> &Part {
        match database {
            Database::Origin => &self.origin,
            Database::Custom => &self.custom,
        }
    }

    /// The files that are due in a database.
    pub(crate) async fn plan(&self, database: Database, order: Order) -> Result<Vec<String>, Error> {
        let client = self.bootstrap.connect(database).await?;
        let due = migrate::plan(&client, &self.part(database).migrations, order).await?;
        Ok(due.iter().map(|it| it.script.file.clone()).collect())
    }

    /// Refuses what is wrong with either part, before anything is applied to the first.
    pub(crate) async fn check(&self, order: Order) -> Result<(), Error> {
        for database in Database::ALL {
            self.plan(database, order).await?;
        }
        Ok(())
    }

    pub(crate) async fn is_due(&self, database: Database) -> Result<bool, Error> {
        Ok(!self.plan(database, Order::OutOfOrder).await?.is_empty())
    }

    /// Applies what is due; answers with the files.
    pub(crate) async fn migrate(&self, database: Database, order: Order) -> Result<Vec<String>, Error> {
        let part = self.part(database);
        if part.migrations.is_empty() {
            return Ok(Vec::new());
        }
        let mut client = self.bootstrap.connect(database).await?;
        let options = Options { order, ..Options::default() };
        let mut on_event = |event| self.tell(database, event);
        let applied =
            migrate::apply(&mut client, target(database), &part.migrations, &options, &mut on_event).await?;
        Ok(applied)
    }

    /// Writes the rows that a new database begins with, once.
    pub(crate) async fn seed(&self, database: Database) -> Result<(), Error> {
        let seed = self.part(database).seed.as_ref();
        let mut client = self.bootstrap.connect(database).await?;
        let mut on_event = |event| self.tell(database, event);
        if let (true, Some(seed)) = (seed::apply(&mut client, seed, &mut on_event).await?, seed) {
            self.bootstrap.progress.step(database.service(), format!("applied {}", seed.file));
        }
        Ok(())
    }

    /// How the files stand to a database.
    pub(crate) async fn status(&self, database: Database) -> Result<Vec<MigrationStatus>, Error> {
        let client = self.bootstrap.connect(database).await?;
        Ok(migrate::status(&client, &self.part(database).migrations).await?)
    }

    fn tell(&self, database: Database, event: MigrateEvent) {
        let (progress, service) = (self.bootstrap.progress, database.service());
        match event {
            MigrateEvent::WaitingForLock => {
                progress.note(format!("another run works on {service}; waiting for it"));
            }
            MigrateEvent::Retry { file, reason } => {
                progress.note(format!("{file} is tried again: {reason}"));
            }
            MigrateEvent::Applied { file, took } => {
                progress.step(service, format!("applied {file} in {} ms", took.as_millis()));
            }
        }
    }
}
