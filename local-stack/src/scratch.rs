//! A database beside the stack's own, made from an application's files and dropped afterwards: what tests, the difference
//! and the lint compare with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use app_folder::{AppFolder, Options, migrate};
use bootstrap_sql::{Ident, Target, Vars};
use tokio_postgres::Client;

use crate::app::Application;
use crate::bootstrap::{Bootstrap, Names};
use crate::config::StackConfig;
use crate::database::{Connection, Database};
use crate::error::Error;
use crate::event::{Event, EventSink, Progress};
use crate::probe::describe;
use crate::process::ProcessIdentity;
use crate::stack::{Stack, connection};

/// Whether the rows that a new database begins with are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// They are.
    Yes,
    /// Only the schema is made.
    No,
}

/// Names of scratch databases begin so, then the maker's pid and a number.
const PREFIX: &str = "pgapp_scratch_";

/// A scratch database, with the origin that belongs to it where there is one. Call [`Scratch::remove`] at the end; what a
/// killed process leaves is removed by the next one.
#[derive(Debug)]
pub struct Scratch {
    config: StackConfig,
    /// Newest first: the order of removal.
    made: Vec<(Database, String)>,
    connection: Connection,
    dbname: String,
}

impl Scratch {
    /// Its URL, for the server's superuser.
    pub fn url(&self) -> String {
        self.connection.url_of(&self.dbname)
    }

    /// Its name.
    pub fn dbname(&self) -> &str {
        &self.dbname
    }

    /// Connects as the server's superuser.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn connect(&self) -> Result<Client, Error> {
        self.connection.connect_to(&self.dbname).await.map_err(failed(self.connection.database, "connect"))
    }

    /// Drops it, whoever is still connected.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn remove(self) -> Result<(), Error> {
        for (database, name) in &self.made {
            drop_database(&self.config, *database, name).await?;
        }
        Ok(())
    }
}

/// What goes into a scratch database.
struct Filling {
    names: Names,
    seed: Seed,
    /// An origin is made for it.
    with_origin: bool,
    /// Its own migrations are applied.
    migrates: bool,
}

/// Only what is new is worth telling; the steps of a scratch database are not.
struct Silent;

impl EventSink for Silent {
    fn emit(&self, _: Event) {}
}

impl Stack {
    /// Makes a database from the application's files on the stack's server, which has to run.
    ///
    /// `Custom` has the foreign tables of an origin that is made from the files, too; without an `origin` folder it is
    /// joined to the stack's own origin and has none. Its server and user mapping therefore differ from the stack's in
    /// the name of the database, and `pg_cron` is missing, as it lives in one database of a server only.
    ///
    /// # Errors
    /// When the stack does not run, and what the files fail with; what was made is dropped then.
    pub async fn scratch(&self, folder: &AppFolder, target: Target, seed: Seed) -> Result<Scratch, Error> {
        self.make_scratch(folder, target, seed, true).await
    }

    /// The same without the target's migrations: a database that they can be run in, one by one.
    ///
    /// # Errors
    /// As [`Self::scratch`].
    pub async fn scratch_to_migrate(&self, folder: &AppFolder, target: Target) -> Result<Scratch, Error> {
        self.make_scratch(folder, target, Seed::No, false).await
    }

    async fn make_scratch(
        &self,
        folder: &AppFolder,
        target: Target,
        seed: Seed,
        migrates: bool,
    ) -> Result<Scratch, Error> {
        let progress = Progress::new(Arc::new(Silent));
        let config = self.config()?;
        self.require_running(&config).await?;
        sweep(&config).await?;
        let with_origin = target == Target::Custom && folder.has(Target::Origin);
        let (database, dbname) = match target {
            Target::Custom => (Database::Custom, fresh_name()),
            Target::Origin | Target::Aurora => (Database::Origin, fresh_name()),
        };
        let mut scratch = Scratch {
            connection: connection(&config, database),
            made: vec![(database, dbname.clone())],
            config: StackConfig { app: Some(folder.path().to_owned()), ..config },
            dbname: dbname.clone(),
        };
        let mut names = Names::default();
        match database {
            Database::Origin => names.origin = dbname,
            Database::Custom => names.custom = dbname,
        }
        if with_origin {
            names.origin = fresh_name();
            scratch.made.push((Database::Origin, names.origin.clone()));
        }
        let made = match target {
            Target::Aurora => self.fill_aurora(&scratch, folder, migrates).await,
            Target::Origin | Target::Custom => {
                let filling = Filling { names, seed, with_origin, migrates };
                self.fill(&scratch, folder, filling, &progress).await
            }
        };
        match made {
            Ok(()) => Ok(scratch),
            Err(error) => {
                // The first failure is the one to tell.
                let _ = scratch.remove().await;
                Err(error)
            }
        }
    }

    async fn require_running(&self, config: &StackConfig) -> Result<(), Error> {
        for database in Database::ALL {
            if connection(config, database).connect_to("postgres").await.is_err() {
                return Err(Error::NotRunning { name: config.name.clone(), service: database.service() });
            }
        }
        Ok(())
    }

    async fn fill(
        &self,
        scratch: &Scratch,
        folder: &AppFolder,
        filling: Filling,
        progress: &Progress,
    ) -> Result<(), Error> {
        let Filling { names, seed, with_origin, migrates } = filling;
        let secrets = self.home.secrets()?;
        let bootstrap = Bootstrap {
            config: &scratch.config,
            secrets: &secrets,
            origin_address: self.origin_address().await?,
            names,
            progress,
        };
        let app = Application::read(folder, &bootstrap)?;
        let is_custom = scratch.connection.database == Database::Custom;
        let has_origin = with_origin || !is_custom;
        if has_origin {
            bootstrap.apply(Database::Origin).await?;
            if is_custom || migrates {
                app.migrate(Database::Origin, Default::default()).await?;
            }
            if seed == Seed::Yes {
                app.seed(Database::Origin).await?;
            }
        }
        if is_custom {
            bootstrap.apply(Database::Custom).await?;
            if !scratch.config.bare {
                bootstrap.wire().await?;
                if has_origin {
                    bootstrap.import().await?;
                }
            }
            if migrates {
                app.migrate(Database::Custom, Default::default()).await?;
            }
            if seed == Seed::Yes {
                app.seed(Database::Custom).await?;
            }
        }
        Ok(())
    }

    /// As in the serverless deployment, on the origin's server.
    async fn fill_aurora(&self, scratch: &Scratch, folder: &AppFolder, migrates: bool) -> Result<(), Error> {
        let service = Database::Origin.service();
        create_database(&scratch.config, Database::Origin, &scratch.dbname).await?;
        let mut client = scratch.connect().await?;
        let vars = Vars { iam_user: Some(Ident::constant(crate::animals::USER)), ..Vars::default() };
        let steps = bootstrap_sql::apply(&mut client, Target::Aurora, &vars, &mut |_| {}).await;
        steps.map_err(|source| Error::Bootstrap { service, source: Box::new(source) })?;
        if !migrates {
            return Ok(());
        }
        let migrations = folder.migrations(Target::Aurora)?;
        migrate::apply(&mut client, Target::Aurora, &migrations, &Options::default(), &mut |_| {}).await?;
        Ok(())
    }
}

fn fresh_name() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    format!("{PREFIX}{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Drops what processes that are gone have left.
async fn sweep(config: &StackConfig) -> Result<(), Error> {
    for database in Database::ALL {
        let fail = failed(database, "look for databases that were left");
        let admin = connection(config, database).connect_to("postgres").await.map_err(&fail)?;
        let sql = "SELECT datname::text FROM pg_database WHERE starts_with(datname, $1)";
        for row in admin.query(sql, &[&PREFIX]).await.map_err(&fail)? {
            let name: String = row.get(0);
            let pid = name[PREFIX.len()..].split('_').next().and_then(|it| it.parse().ok());
            let is_alive = pid.and_then(ProcessIdentity::of).is_some_and(|it| it.is_alive());
            if !is_alive {
                drop_database(config, database, &name).await?;
            }
        }
    }
    Ok(())
}

async fn create_database(config: &StackConfig, database: Database, name: &str) -> Result<(), Error> {
    let fail = failed(database, "make a scratch database");
    let admin = connection(config, database).connect_to("postgres").await.map_err(&fail)?;
    admin.batch_execute(&format!("CREATE DATABASE \"{name}\"")).await.map_err(&fail)
}

async fn drop_database(config: &StackConfig, database: Database, name: &str) -> Result<(), Error> {
    let fail = failed(database, "drop a scratch database");
    let admin = connection(config, database).connect_to("postgres").await.map_err(&fail)?;
    admin.batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await.map_err(&fail)
}

fn failed(database: Database, doing: &str) -> impl Fn(tokio_postgres::Error) -> Error {
    let (service, doing) = (database.service(), doing.to_owned());
    move |error| Error::Database { service, doing: doing.clone(), reason: describe(&error) }
}
