//! Runs migrations in a database that is made for it, statement by statement, and watches what the server does.
//!
//! Leaks are looked for after each migration. When one came up, the migration is rolled back and run again with a look
//! after each statement, so that a leak is told at the statement that made it, be that a `CREATE`, a `DROP INDEX` or a
//! `DO` block.

use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt;
use futures_util::stream::poll_fn;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use crate::error::{Error, Failure};
use crate::events::Event;
use crate::leaks::{self, Leak};
use crate::locks::{Relation, Seen};
use crate::script::{Kind, Script, Statement};
use crate::snapshot::Reader;

/// The level of messages at which the server tells what [`Event`] holds.
const LISTEN_CLOSELY: &str = "SET client_min_messages = debug1";

/// Each migration begins in the same state, whatever the one before it has set.
const FRESH_SESSION: &str =
    "RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE; CLOSE ALL; UNLISTEN *; DISCARD TEMP";

/// The leaks at one moment.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Index of the migration and of the statement after which it was; `None` before the first.
    pub after: Option<(usize, usize)>,
    /// What leaked.
    pub leaks: Vec<Leak>,
}

/// What was seen of all migrations.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// For each migration, for each statement.
    pub seen: Vec<Vec<Seen>>,
    /// In the order of time.
    pub moments: Vec<Moment>,
    /// Names (`schema.name`) of the routines that PUBLIC may run in the end.
    pub public_routines: HashSet<String>,
}

/// Runs `scripts` in order in the database of `config`, whose user has to be a superuser.
///
/// # Errors
/// The connection, and a migration that does not apply; what of the database is left then is for its maker to drop.
pub async fn run(config: &Config, scripts: &[Script], exposed: &[String]) -> Result<Replay, Error> {
    let (client, messages) = connect(config).await?;
    let reader = Reader::new(&client, exposed).await.map_err(Error::Look)?;
    let mut session = Session { client, messages, reader };
    let mut replay = Replay::default();
    replay.moments.push(Moment { after: None, leaks: session.look_apart().await?.0 });
    for (at, script) in scripts.iter().enumerate() {
        if let Some(it) = script.statements.iter().find(|it| it.is_transaction_control) {
            return Err(Error::TransactionControl { path: script.path.clone(), line: it.line });
        }
        session.command(FRESH_SESSION).await?;
        if script.is_transactional {
            session.transactional(at, script, &mut replay).await?;
        } else {
            session.statement_by_statement(at, script, &mut replay).await?;
        }
    }
    replay.public_routines = session.look_apart().await?.1;
    Ok(replay)
}

async fn connect(config: &Config) -> Result<(Client, UnboundedReceiver<String>), Error> {
    let (client, mut connection) = config.connect(NoTls).await.map_err(Error::Connect)?;
    let (sender, receiver) = unbounded_channel();
    // Messages reach the channel before the answer that follows them reaches the client.
    tokio::spawn(async move {
        let mut messages = poll_fn(move |cx| connection.poll_message(cx));
        while let Ok(Some(message)) = messages.try_next().await {
            if let AsyncMessage::Notice(it) = message {
                // The receiver is gone when the run has ended.
                drop(sender.send(it.message().to_owned()));
            }
        }
    });
    Ok((client, receiver))
}

struct Session {
    client: Client,
    messages: UnboundedReceiver<String>,
    reader: Reader,
}

/// What was there before a migration.
struct Before {
    oids: HashSet<u32>,
    tables: HashSet<String>,
}

impl Session {
    async fn transactional(&mut self, at: usize, script: &Script, replay: &mut Replay) -> Result<(), Error> {
        let before = self.before().await?;
        self.command("BEGIN").await?;
        let mut seen = Vec::with_capacity(script.statements.len());
        for statement in &script.statements {
            seen.push(self.watch(script, statement, &before).await?);
        }
        replay.seen.push(seen);
        let (leaks, _) = self.look().await?;
        let known: HashSet<_> =
            replay.moments.last().into_iter().flat_map(|it| &it.leaks).map(|it| (it.rule, it.key)).collect();
        let is_new = |it: &Leak| !known.contains(&(it.rule, it.key));
        let last = script.statements.len().saturating_sub(1);
        if leaks.iter().any(is_new) {
            self.command("ROLLBACK; BEGIN").await?;
            for (index, statement) in script.statements.iter().enumerate() {
                self.execute(script, statement).await?;
                if statement.is_ddl {
                    let (leaks, _) = self.look().await?;
                    replay.moments.push(Moment { after: Some((at, index)), leaks });
                }
            }
        } else {
            replay.moments.push(Moment { after: Some((at, last)), leaks });
        }
        let committed = self.client.batch_execute("COMMIT").await;
        committed.map_err(|it| Error::Migration {
            path: script.path.clone(),
            source: Failure::new(&it, script.statements.get(last).map_or(1, |it| it.line), ""),
        })
    }

    async fn statement_by_statement(
        &mut self,
        at: usize,
        script: &Script,
        replay: &mut Replay,
    ) -> Result<(), Error> {
        let before = self.before().await?;
        let mut seen = Vec::with_capacity(script.statements.len());
        for (index, statement) in script.statements.iter().enumerate() {
            seen.push(self.watch(script, statement, &before).await?);
            if statement.is_ddl {
                let (leaks, _) = self.look_apart().await?;
                replay.moments.push(Moment { after: Some((at, index)), leaks });
            }
        }
        replay.seen.push(seen);
        Ok(())
    }

    async fn before(&self) -> Result<Before, Error> {
        let rows = self
            .client
            .query(
                "SELECT c.oid, c.relname::pg_catalog.text, c.relkind IN ('r', 'p', 'm') FROM pg_catalog.pg_class c
                 WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'i', 'I')",
                &[],
            )
            .await
            .map_err(Error::Look)?;
        let mut before = Before { oids: HashSet::new(), tables: HashSet::new() };
        for row in rows {
            before.oids.insert(row.try_get(0).map_err(Error::Look)?);
            if row.try_get(2).map_err(Error::Look)? {
                before.tables.insert(row.try_get(1).map_err(Error::Look)?);
            }
        }
        Ok(before)
    }

    /// Runs a statement and tells what the server did.
    async fn watch(
        &mut self,
        script: &Script,
        statement: &Statement,
        before: &Before,
    ) -> Result<Seen, Error> {
        let relations = self.named(statement, before).await?;
        while self.messages.try_recv().is_ok() {}
        self.execute(script, statement).await?;
        let mut events = Vec::new();
        while let Ok(message) = self.messages.try_recv() {
            events.extend(Event::parse(&message));
        }
        events.retain(|it| match it {
            Event::Rewrite { table } | Event::Verify { table } | Event::Build { table } => {
                before.tables.contains(table)
            }
            Event::ValidateForeignKey => true,
        });
        Ok(Seen { relations, events })
    }

    /// What a statement names, as it is before it. Sets the level of messages again, which a migration may have changed.
    async fn named(
        &self,
        statement: &Statement,
        before: &Before,
    ) -> Result<HashMap<String, Relation>, Error> {
        if statement.actions.is_empty() && !statement.is_opaque {
            return Ok(HashMap::new());
        }
        // What is written with Unicode escapes is not taken by `to_regclass`.
        let names: Vec<&str> = statement
            .actions
            .iter()
            .filter(|it| it.kind != Kind::GrantToPublic)
            .filter_map(|it| it.target.as_deref())
            .filter(|it| !it.contains('&') && !it.contains("--") && !it.contains("/*"))
            .collect();
        let rows = self.client.query(NAMED, &[&names]).await.map_err(Error::Look)?;
        self.command(LISTEN_CLOSELY).await?;
        let mut out = HashMap::new();
        for row in rows {
            let users: Vec<u32> = row.try_get("users").map_err(Error::Look)?;
            let oid: u32 = row.try_get("oid").map_err(Error::Look)?;
            let kind: String = row.try_get("kind").map_err(Error::Look)?;
            let relation = Relation {
                oid,
                name: row.try_get("name").map_err(Error::Look)?,
                kind: kind.chars().next().unwrap_or('?'),
                is_old: before.oids.contains(&oid),
                table: row.try_get("index_table").map_err(Error::Look)?,
                is_of_constraint: row.try_get("is_of_constraint").map_err(Error::Look)?,
                is_populated: row.try_get("is_populated").map_err(Error::Look)?,
                has_default_partition: row.try_get("has_default_partition").map_err(Error::Look)?,
                is_used: users.iter().any(|it| before.oids.contains(it)),
            };
            out.insert(row.try_get("written").map_err(Error::Look)?, relation);
        }
        Ok(out)
    }

    async fn execute(&self, script: &Script, statement: &Statement) -> Result<(), Error> {
        let sql = script.sql(statement);
        self.client.batch_execute(sql).await.map_err(|it| Error::Migration {
            path: script.path.clone(),
            source: Failure::new(&it, statement.line, sql),
        })
    }

    async fn command(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await.map_err(Error::Look)
    }

    /// The leaks, within the transaction that is open, and the routines that PUBLIC may run.
    async fn look(&mut self) -> Result<(Vec<Leak>, HashSet<String>), Error> {
        let catalog = self.reader.read(&self.client).await.map_err(Error::Look)?;
        let public =
            catalog.routines.iter().filter(|it| it.is_public).map(|it| it.name.to_string()).collect();
        Ok((leaks::check(&catalog), public))
    }

    /// The same in a transaction of its own.
    async fn look_apart(&mut self) -> Result<(Vec<Leak>, HashSet<String>), Error> {
        self.command("BEGIN").await?;
        let seen = self.look().await?;
        self.command("COMMIT").await?;
        Ok(seen)
    }
}

const NAMED: &str = "
    SELECT w.written, c.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name,
           c.relkind::pg_catalog.text AS kind,
           pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname) AS index_table,
           EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))
             AS is_of_constraint,
           c.relispopulated AS is_populated,
           coalesce(p.partdefid, 0) <> 0 AS has_default_partition,
           '{}'::pg_catalog.oid[] AS users
    FROM pg_catalog.unnest($1::pg_catalog.text[]) w (written)
    JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(w.written)
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
    LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
    LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
    UNION ALL
    SELECT w.written, t.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname), 'd', NULL,
           false, false, false,
           ARRAY(SELECT a.attrelid FROM pg_catalog.pg_attribute a WHERE a.atttypid = t.oid AND NOT a.attisdropped)
    FROM pg_catalog.unnest($1::pg_catalog.text[]) w (written)
    JOIN pg_catalog.pg_type t ON t.oid = pg_catalog.to_regtype(w.written) AND t.typtype = 'd'
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace";
