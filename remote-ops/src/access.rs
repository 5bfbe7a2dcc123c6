//! A way into a database, opened: through a tunnel where it is private, with its password or a token at hand.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    pin::pin,
    time::Duration,
};

use aws_config::SdkConfig;
use aws_session::tls::{self, Roots};
use bootstrap_sql::Secret;
use deployment_outputs::{Environment, Stacks};
use ssm_tunnel::{Events, Route, Service, Tunnel};
use tokio_postgres::{Client, NoTls, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    authorities,
    error::{RemoteError, RemoteResult},
    outputs,
    place::{Check, Database, Login, Place, Role, Way},
    secret, token,
};

/// Which installation, and what to do differently from what its outputs say.
#[derive(Debug, Clone)]
pub struct Options {
    /// Prefix of the stack names.
    pub prefix: String,
    /// Environment of the Terraform configuration.
    pub terraform: Environment,
    /// Who to be in the serverless deployment's database.
    pub role: Role,
    /// Instance to go through.
    pub instance: Option<String>,
    /// Local port of the tunnel; 0 takes a free one.
    pub local_port: u16,
    /// File with the authorities of RDS.
    pub ssl_root_cert: Option<PathBuf>,
}

/// Where a database is, by the outputs of its deployment.
///
/// # Errors
/// When it is not deployed, or an output is missing.
pub async fn locate(config: &SdkConfig, database: Database, options: &Options) -> RemoteResult<Place> {
    let mut place = match database {
        Database::Rds | Database::Compute => {
            outputs::hybrid(&Stacks::new(config), &options.prefix, database).await?
        }
        Database::Aurora | Database::Proxy => {
            outputs::serverless(&options.terraform, database, options.role).await?
        }
    };
    if let Some(instance) = &options.instance {
        place.way = Way::Instance(instance.clone());
    }
    Ok(place)
}

/// Opens the tunnel of a place; none where it is public.
///
/// # Errors
/// See [`ssm_tunnel::TunnelError`].
pub async fn tunnel(
    config: &SdkConfig,
    place: &Place,
    local_port: u16,
    events: Events,
) -> RemoteResult<Option<(Route, Tunnel)>> {
    let service = Service::new(config)?;
    let target = match &place.way {
        Way::Direct => return Ok(None),
        Way::Instance(id) => id.clone(),
        Way::Group(group) => service.online_instance(group).await?,
    };
    let route = Route { target, host: place.host.clone(), port: place.port };
    let tunnel = Tunnel::open(service, route.clone(), local_port, events).await?;
    Ok(Some((route, tunnel)))
}

/// Waits until something is open, unless `interrupted` comes first. A session may exist by then: what gets open all the same
/// is closed again.
///
/// # Errors
/// When it cannot be opened, or not be closed.
pub async fn unless_interrupted<T: Closable>(
    opening: impl Future<Output = RemoteResult<T>>,
    interrupted: impl Future<Output = ()>,
) -> RemoteResult<Option<T>> {
    let mut opening = pin!(opening);
    tokio::select! {
        opened = &mut opening => opened.map(Some),
        () = interrupted => {
            // Why it would not have opened interests nobody any more.
            if let Ok(opened) = opening.await {
                opened.close().await?;
            }
            Ok(None)
        }
    }
}

/// What has an end that the service must be told of.
pub trait Closable {
    /// Ends it.
    fn close(self) -> impl Future<Output = RemoteResult<()>> + Send;
}

impl Closable for Option<(Route, Tunnel)> {
    async fn close(self) -> RemoteResult<()> {
        match self {
            Some((_, tunnel)) => Ok(tunnel.close().await?),
            None => Ok(()),
        }
    }
}

impl Closable for Access {
    async fn close(self) -> RemoteResult<()> {
        match self.tunnel {
            Some(tunnel) => Ok(tunnel.close().await?),
            None => Ok(()),
        }
    }
}

/// An open way into a database.
#[derive(Debug)]
pub struct Access {
    place: Place,
    /// Where to connect to, when it is not the place itself.
    through: Option<(IpAddr, u16)>,
    user: String,
    password: Secret,
    authorities: Option<PathBuf>,
    tunnel: Option<Tunnel>,
}

impl Access {
    /// Gets what to log in with and opens the tunnel that the database needs.
    ///
    /// # Errors
    /// When one of these fails; nothing stays open then.
    pub async fn open(
        config: &SdkConfig,
        place: Place,
        options: &Options,
        events: Events,
    ) -> RemoteResult<Self> {
        // What may fail without a tunnel comes before it.
        let mut access = Self::without_tunnel(config, place, options).await?;
        if let Some((_, tunnel)) = tunnel(config, &access.place, options.local_port, events).await? {
            access.through = Some((tunnel.local().ip(), tunnel.local().port()));
            access.tunnel = Some(tunnel);
        }
        Ok(access)
    }

    /// The same for a tunnel that somebody else keeps open on a local port; 0 where none is needed.
    ///
    /// # Errors
    /// When there is nothing to log in with.
    pub async fn over_port(config: &SdkConfig, place: Place, options: &Options) -> RemoteResult<Self> {
        let mut access = Self::without_tunnel(config, place, options).await?;
        if options.local_port != 0 {
            access.through = Some((Ipv4Addr::LOCALHOST.into(), options.local_port));
        }
        Ok(access)
    }

    async fn without_tunnel(config: &SdkConfig, place: Place, options: &Options) -> RemoteResult<Self> {
        let authorities = match place.check {
            Check::Rds => Some(authorities::bundle(options.ssl_root_cert.as_deref()).await?),
            Check::System | Check::Nothing => options.ssl_root_cert.clone(),
        };
        let (user, password) = match &place.login {
            Login::Secret(id) => {
                let found = secret::credentials(config, id).await?;
                (found.username, found.password)
            }
            // The address in a token is the database's own, whatever way leads there.
            Login::Token(user) => {
                (user.clone(), token::sign_in(config, &place.host, place.port, user).await?)
            }
        };
        Ok(Self { place, through: None, user, password, authorities, tunnel: None })
    }

    /// Where the database is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// User that logs in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The tunnel, where there is one.
    pub fn tunnel(&mut self) -> Option<&mut Tunnel> {
        self.tunnel.as_mut()
    }

    /// Connections that the database's host did not take.
    pub fn n_refused(&self) -> u64 {
        self.tunnel.as_ref().map_or(0, |it| it.traffic().refused())
    }

    /// What libpq, and everything built on it, reads from its environment. Holds the password.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut out = vec![("PGHOST", self.place.host.clone())];
        // The name stays the one that the certificate is for; only the address is another.
        if let Some((address, _)) = self.through {
            out.push(("PGHOSTADDR", address.to_string()));
        }
        out.push(("PGPORT", self.through.map_or(self.place.port, |(_, port)| port).to_string()));
        out.push(("PGDATABASE", self.place.dbname.clone()));
        out.push(("PGUSER", self.user.clone()));
        out.push(("PGPASSWORD", self.password.expose().to_owned()));
        let mode = if self.place.check == Check::Nothing { "prefer" } else { "verify-full" };
        out.push(("PGSSLMODE", mode.to_owned()));
        match &self.authorities {
            Some(file) => out.push(("PGSSLROOTCERT", file.display().to_string())),
            None if self.place.check == Check::System => out.push(("PGSSLROOTCERT", "system".into())),
            None => {}
        }
        out
    }

    /// Connects to a database of this server.
    ///
    /// # Errors
    /// When it cannot be reached, is not who it should be, or does not let this user in.
    pub async fn connect(&self, dbname: &str) -> RemoteResult<Client> {
        let mut config = tokio_postgres::Config::new();
        config.host(&self.place.host).dbname(dbname).user(&self.user).password(self.password.expose());
        config.application_name("pgapp-bootstrap").connect_timeout(Duration::from_secs(30));
        config.port(self.through.map_or(self.place.port, |(_, port)| port));
        if let Some((address, _)) = self.through {
            config.hostaddr(address);
        }
        let connected = if self.place.check == Check::Nothing {
            config.ssl_mode(SslMode::Disable);
            config.connect(NoTls).await.map(|(client, connection)| {
                // The client's calls report a broken connection.
                tokio::spawn(async { drop(connection.await) });
                client
            })
        } else {
            config.ssl_mode(SslMode::Require);
            let roots = self.authorities.clone().map_or(Roots::System, Roots::File);
            let tls = tls::client_config(&roots).map_err(RemoteError::Tls)?;
            config.connect(MakeRustlsConnect::new(tls)).await.map(|(client, connection)| {
                tokio::spawn(async { drop(connection.await) });
                client
            })
        };
        let (host, user) = (self.place.host.clone(), self.user.clone());
        connected.map_err(|source| match self.n_refused() {
            0 => RemoteError::Connect { host, user, source },
            _ => RemoteError::Refused { host, port: self.place.port, user, source },
        })
    }
}
