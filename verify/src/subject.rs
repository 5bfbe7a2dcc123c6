//! What is to be tried: addresses, and who may reach them.

pub mod hybrid;
pub mod local;
pub mod serverless;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use clap::ValueEnum;

/// Kind of deployment.
#[derive(ValueEnum, Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The local stack
    #[default]
    Local,
    /// The CloudFormation stacks
    Hybrid,
    /// The Terraform configuration
    Serverless,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Hybrid => "hybrid",
            Self::Serverless => "serverless",
        })
    }
}

/// A port that nobody may reach from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// What listens there.
    pub what: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A bucket that strangers may not look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its address, without a slash at the end.
    pub url: String,
    /// An object that must not be readable, beside the list.
    pub private_keys: Vec<String>,
    /// An object that everyone may read, when it was uploaded.
    pub public_key: Option<String>,
}

/// A database of the local stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDatabase {
    /// Service.
    pub service: &'static str,
    /// Port on 127.0.0.1.
    pub port: u16,
    /// Superuser.
    pub user: &'static str,
    /// Its password.
    pub password: &'static str,
    /// Database.
    pub dbname: &'static str,
    /// Whether the REST server serves it: there a table to write to is made.
    pub is_served: bool,
}

/// Everything that the checks need to know.
#[derive(Default, Clone)]
pub struct Subject {
    /// Kind of deployment.
    pub target: Target,
    /// Address of the API, without a slash at the end.
    pub url: String,
    /// Where the API is reached, when that is not where its name leads.
    pub detour: Option<Detour>,
    /// How long a database may take to wake up, and a cache to forget.
    pub patience: Duration,
    /// Table that rows may be written to and removed from; the local stack gets a separate one.
    pub table: Option<String>,
    /// Token of a role that may write there.
    pub token: Option<String>,
    /// Key that signs tokens (HS256), where it may be known.
    pub jwt_secret: Option<String>,
    /// Role that a token must never give, because it may do everything.
    pub superuser: Option<String>,
    /// Ports that nobody may reach from here.
    pub closed_ports: Vec<Closed>,
    /// Ports of the administration: metrics, configuration.
    pub admin_ports: Vec<Closed>,
    /// Buckets.
    pub buckets: Vec<Bucket>,
    /// Databases of the local stack.
    pub databases: Vec<LocalDatabase>,
    /// Why whatever only AWS itself enforces cannot be tried, such as on an emulator.
    pub not_aws: Option<String>,
    /// Certificate authorities besides the system's, PEM.
    pub authorities: Option<Vec<u8>>,
}

impl Subject {
    /// The API's address with a path.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Host and port of the API, and whether it speaks TLS.
    ///
    /// # Errors
    /// When the address is none.
    pub fn endpoint(&self) -> Result<Endpoint, String> {
        let url =
            reqwest::Url::parse(&self.url).map_err(|err| format!("\"{}\" is no URL: {err}", self.url))?;
        let is_tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(format!("\"{}\" has the scheme {other}, not http or https", self.url)),
        };
        let host = url.host_str().ok_or_else(|| format!("\"{}\" has no host", self.url))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Endpoint { host, port, is_tls })
    }

    /// Whether the API is on this machine.
    pub fn is_local(&self) -> bool {
        if let Some(detour) = &self.detour {
            return detour.addresses.iter().all(|it| it.ip().is_loopback());
        }
        self.endpoint().is_ok_and(|it| {
            it.host == "localhost" || it.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        })
    }
}

/// Where the API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub is_tls: bool,
}

/// Another way to an API than its name: the load balancer before the record of the name is there, a server that is to take
/// over. What the API is called, by TLS and in requests, stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detour {
    /// Host name or address.
    pub host: String,
    /// What the host's name resolves to, at least one; the port 0 stands for the one that the API's address has.
    pub addresses: Vec<SocketAddr>,
}

impl Detour {
    /// Resolves `HOST` or `HOST:PORT`.
    ///
    /// # Errors
    /// When it has another form, or no address.
    pub async fn resolve(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" has not the form HOST or HOST:PORT");
        let (host, port) = match text.rsplit_once(':') {
            // A colon within an address of IPv6 begins no port.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (text, 0),
        };
        let host = host.trim_matches(['[', ']']);
        if host.is_empty() {
            return Err(wrong());
        }
        let found = tokio::net::lookup_host((host, port)).await;
        let addresses: Vec<_> = found.map_err(|err| format!("{host} has no address: {err}"))?.collect();
        if addresses.is_empty() {
            return Err(format!("{host} has no address"));
        }
        Ok(Self { host: host.to_owned(), addresses })
    }
}

/// An address as given by people: without a slash at the end.
pub fn clean_url(url: &str) -> String {
    url.trim().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<(&str, u16, bool)>) {
        let subject = Subject { url: clean_url(url), ..Subject::default() };
        let found = subject.endpoint().ok();
        assert_eq!(found.as_ref().map(|it| (it.host.as_str(), it.port, it.is_tls)), expected, "{url}");
    }

    #[test]
    fn addresses_have_host_port_and_protocol() {
        check("https://api.example.com/v1/", Some(("api.example.com", 443, true)));
        check("http://127.0.0.1:3000", Some(("127.0.0.1", 3000, false)));
        check("http://[::1]:3000/", Some(("::1", 3000, false)));
        check("ftp://example.com", None);
        check("api.example.com", None);
    }

    #[tokio::test]
    async fn detours_are_hosts_with_or_without_a_port() {
        let resolved = |text: &'static str| async move {
            let detour = Detour::resolve(text).await?;
            Ok::<_, String>((detour.host, detour.addresses[0].to_string()))
        };
        assert_eq!(resolved("127.0.0.1:8443").await.unwrap(), ("127.0.0.1".into(), "127.0.0.1:8443".into()));
        assert_eq!(resolved("127.0.0.1").await.unwrap(), ("127.0.0.1".into(), "127.0.0.1:0".into()));
        assert_eq!(resolved("::1").await.unwrap(), ("::1".into(), "[::1]:0".into()));
        assert_eq!(resolved("[::1]:443").await.unwrap(), ("::1".into(), "[::1]:443".into()));
        for wrong in ["", ":443", "localhost:https", "name.invalid"] {
            assert!(resolved(wrong).await.is_err(), "{wrong}");
        }
        let elsewhere = Detour { host: "x".into(), addresses: vec!["192.0.2.1:443".parse().unwrap()] };
        let subject =
            Subject { url: "https://localhost".to_owned(), detour: Some(elsewhere), ..Subject::default() };
        assert!(!subject.is_local());
    }

    #[test]
    fn this_machine_is_known_by_its_addresses() {
        let is_local = |url: &str| Subject { url: url.to_owned(), ..Subject::default() }.is_local();
        assert!(
            is_local("http://localhost:1") && is_local("http://127.0.0.9:1") && is_local("http://[::1]:1")
        );
        assert!(!is_local("https://example.com") && !is_local("http://10.0.0.1"));
    }
}
