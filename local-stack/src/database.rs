//! Where the two databases are and who may enter: the local development credentials.

use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};

use crate::service::ServiceName;

/// One of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// The system of record.
    Origin,
    /// The one that is served.
    Custom,
}

impl Database {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Origin, Self::Custom];

    /// Its service.
    pub const fn service(self) -> ServiceName {
        match self {
            Self::Origin => ServiceName::OriginDb,
            Self::Custom => ServiceName::CustomDb,
        }
    }

    /// The superuser of the local cluster. Fixed, public, and good for nothing beyond 127.0.0.1.
    pub const fn user(self) -> &'static str {
        match self {
            Self::Origin => "someuser",
            Self::Custom => "myuser",
        }
    }

    /// That user's password.
    pub const fn password(self) -> &'static str {
        match self {
            Self::Origin => "somepassword",
            Self::Custom => "mypassword",
        }
    }

    /// The database's name.
    pub const fn dbname(self) -> &'static str {
        match self {
            Self::Origin => "somedb",
            Self::Custom => "mydb",
        }
    }
}

impl TryFrom<ServiceName> for Database {
    type Error = ServiceName;

    fn try_from(service: ServiceName) -> Result<Self, Self::Error> {
        match service {
            ServiceName::OriginDb => Ok(Self::Origin),
            ServiceName::CustomDb => Ok(Self::Custom),
            ServiceName::Api | ServiceName::Animals => Err(service),
        }
    }
}

/// How to reach a database from this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Which.
    pub database: Database,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Connection {
    /// As a URL, with the local development password.
    pub fn url(&self) -> String {
        self.url_of(self.database.dbname())
    }

    /// The same for any database of that server.
    pub fn url_of(&self, dbname: &str) -> String {
        let it = self.database;
        format!("postgres://{}:{}@127.0.0.1:{}/{dbname}", it.user(), it.password(), self.port)
    }

    /// As a driver's configuration, for a database of that server.
    pub fn config(&self, dbname: &str) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).dbname(dbname);
        config.user(self.database.user()).password(self.database.password());
        config.application_name("local-stack").connect_timeout(Duration::from_secs(5));
        config
    }

    /// Connects as the cluster's superuser to the stack's database.
    pub async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        self.connect_to(self.database.dbname()).await
    }

    /// Connects as the cluster's superuser to any database of that server.
    pub async fn connect_to(&self, dbname: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config(dbname).connect(NoTls).await?;
        // The client's calls report a broken connection.
        tokio::spawn(async { drop(connection.await) });
        Ok(client)
    }
}
