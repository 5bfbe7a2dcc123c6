//! The local stack's databases: a table to try, and who is let in.

use std::{error::Error, time::Duration};

use bootstrap_sql::Ident;
use tokio_postgres::{Client, Config, NoTls, error::SqlState};

use super::{
    check::{Check, Context, Stop, Verdict, fail},
    subject::{LocalDatabase, Subject},
};

/// The checks.
pub const CHECKS: &[Check] = &[Check {
    name: "database-password",
    what: "databases refuse logins without the password",
    how: |it| Box::pin(password(it)),
}];

fn config(database: &LocalDatabase) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(database.port).user(database.user).dbname(database.dbname);
    config.connect_timeout(Duration::from_secs(5)).application_name("verify");
    config
}

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    // The client's calls report a broken connection.
    tokio::spawn(async { drop(connection.await) });
    Ok(client)
}

async fn run(database: &LocalDatabase, statement: &str) -> Result<(), String> {
    let fail = |err: tokio_postgres::Error| match err.as_db_error() {
        Some(told) => format!("{}: {}", database.service, told.message()),
        None => format!("{}: {err}", database.service),
    };
    let client = connect(config(database).password(database.password)).await.map_err(fail)?;
    client.batch_execute(statement).await.map_err(fail)
}

/// Makes a table that `role` may write to. The name is made of lower case letters, digits and underscores.
///
/// # Errors
/// Why it could not be made.
pub async fn make_table(database: &LocalDatabase, name: &str, role: &str) -> Result<(), String> {
    let role = Ident::try_from(role).map_err(|err| err.to_string())?.quoted();
    let statements = format!(
        "CREATE TABLE public.{name} (id text PRIMARY KEY, note text NOT NULL);
         GRANT SELECT, INSERT, UPDATE, DELETE ON public.{name} TO {role}"
    );
    run(database, &statements).await
}

/// Removes such a table.
///
/// # Errors
/// Why it is still there.
pub async fn drop_table(subject: &Subject, name: &str) -> Result<(), String> {
    match subject.databases.iter().find(|it| it.is_served) {
        Some(database) => run(database, &format!("DROP TABLE IF EXISTS public.{name}")).await,
        None => Ok(()),
    }
}

async fn password(it: &Context<'_>) -> Verdict {
    for database in &it.subject.databases {
        let with_wrong = config(database).password("not the password").clone();
        for (what, config) in [("a wrong password", with_wrong), ("no password", config(database))] {
            match connect(&config).await {
                Ok(_) => return fail(format!("{} lets {} in with {what}", database.service, database.user)),
                Err(err) if is_refusal(&err) => {}
                Err(err) => return Err(Stop::Failed(format!("{} cannot be asked: {err}", database.service))),
            }
        }
    }
    Ok(())
}

/// Whether the server said no, rather than nothing. Without a password it is the driver that gives up when asked for one.
fn is_refusal(err: &tokio_postgres::Error) -> bool {
    match err.code() {
        Some(code) => {
            [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(code)
        }
        None => err.source().is_some_and(|it| it.to_string().contains("password missing")),
    }
}
