//! What the outputs of a deployment say about a database. Pure.

use std::{collections::BTreeMap, fmt, str::FromStr};

use tokio_postgres::config::Host;

/// A database, or the way into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Database {
    /// Origin database of the hybrid deployment
    Rds,
    /// Custom database of the hybrid deployment, on the ECS host
    Compute,
    /// Cluster of the serverless deployment
    Aurora,
    /// Proxy of the serverless deployment
    Proxy,
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rds => "rds",
            Self::Compute => "compute",
            Self::Aurora => "aurora",
            Self::Proxy => "proxy",
        })
    }
}

/// Where AWS publishes the authorities of RDS.
pub const BUNDLE_URL: &str = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem";

/// Outputs by their names.
pub type Outputs = BTreeMap<String, String>;

/// How one gets from this machine to a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It has a public address.
    Direct,
    /// Through an instance.
    Instance(String),
    /// Through whichever instance of an Auto Scaling group is online.
    Group(String),
}

/// What one logs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A secret of Secrets Manager with the fields `username` and `password`.
    Secret(String),
    /// A token of IAM for this user.
    Token(String),
}

/// How the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// By the authorities of RDS, and the host name.
    Rds,
    /// By the authorities that this machine knows, and the host name: the proxy has a public certificate.
    System,
    /// Not at all: the server offers TLS or not, and the network to it is private.
    Nothing,
}

/// A database as the outputs describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Host name, as it is in the certificate.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Name of the database.
    pub dbname: String,
    /// How to get there.
    pub way: Way,
    /// What to log in with.
    pub login: Login,
    /// How the server is checked.
    pub check: Check,
}

/// Why the outputs do not lead to the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// An output is missing.
    #[error("{of} has no output \"{name}\"; {remedy}")]
    Missing {
        /// Whose output.
        of: String,
        /// Output.
        name: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// An output is not what it should be.
    #[error("the output \"{name}\" of {of} is not a connection string of Postgres")]
    Connection {
        /// Whose output.
        of: String,
        /// Output.
        name: &'static str,
    },
    /// The deployment was made without it.
    #[error("the deployment has no {what}; set {variable} = true and apply")]
    SwitchedOff {
        /// What is missing.
        what: &'static str,
        /// Variable that brings it.
        variable: &'static str,
    },
}

const DEPLOY_AGAIN: &str = "it was made from an older template: cargo xtask deploy";

fn output<'a>(outputs: &'a Outputs, of: &str, name: &'static str) -> Result<&'a str, PlaceError> {
    let missing = || PlaceError::Missing { of: of.to_owned(), name, remedy: DEPLOY_AGAIN };
    outputs.get(name).map(String::as_str).filter(|it| !it.is_empty()).ok_or_else(missing)
}

/// Host, port and database of a connection string.
fn endpoint(text: &str, of: &str, name: &'static str) -> Result<(String, u16, String), PlaceError> {
    let wrong = || PlaceError::Connection { of: of.to_owned(), name };
    // The driver knows fewer values of sslmode than libpq; what follows the database is not asked for.
    let base = text.split('?').next().unwrap_or_default();
    let config = tokio_postgres::Config::from_str(base).map_err(|_| wrong())?;
    let (Some(Host::Tcp(host)), Some(dbname)) = (config.get_hosts().first(), config.get_dbname()) else {
        return Err(wrong());
    };
    Ok((host.clone(), config.get_ports().first().copied().unwrap_or(5432), dbname.to_owned()))
}

/// The origin database of the hybrid deployment.
///
/// # Errors
/// When an output is missing.
pub fn rds(rds: &Outputs, is_public: bool, compute: &Outputs) -> Result<Place, PlaceError> {
    let name = "PsqlConnection";
    let (host, port, dbname) = endpoint(output(rds, "stack rds", name)?, "stack rds", name)?;
    Ok(Place {
        host,
        port,
        dbname,
        way: if is_public { Way::Direct } else { group(compute)? },
        login: Login::Secret(output(rds, "stack rds", "DatabaseSecret")?.to_owned()),
        check: Check::Rds,
    })
}

/// The custom database of the hybrid deployment.
///
/// # Errors
/// When an output is missing.
pub fn compute(persist: &Outputs, compute: &Outputs) -> Result<Place, PlaceError> {
    let name = "CustomDBConnection";
    let text = output(compute, "stack compute", name)?;
    let (host, port, dbname) = endpoint(text, "stack compute", name)?;
    Ok(Place {
        host,
        port,
        dbname,
        way: group(compute)?,
        login: Login::Secret(output(persist, "stack persist", "CustomDBSecret")?.to_owned()),
        check: if text.contains("sslmode=verify-full") { Check::System } else { Check::Nothing },
    })
}

fn group(compute: &Outputs) -> Result<Way, PlaceError> {
    Ok(Way::Group(output(compute, "stack compute", "HostGroup")?.to_owned()))
}

/// Who one is in the serverless deployment's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Role {
    /// The user of the functions, with a token of IAM
    #[default]
    Iam,
    /// The master user, with its secret
    Master,
}

/// The cluster or the proxy of the serverless deployment.
///
/// # Errors
/// When an output is missing, or the deployment was made without what is asked for.
pub fn serverless(outputs: &Outputs, database: Database, role: Role) -> Result<Place, PlaceError> {
    let of = "the Terraform deployment";
    let missing = |name| PlaceError::Missing {
        of: of.to_owned(),
        name,
        remedy: "nothing was applied with this state: cargo xtask tf init, then cargo xtask tf apply",
    };
    let get = |name: &'static str| {
        outputs.get(name).map(String::as_str).filter(|it| !it.is_empty()).ok_or_else(|| missing(name))
    };
    let (host, port, check) = if database == Database::Proxy {
        get("database_endpoint")?;
        let off = PlaceError::SwitchedOff { what: "proxy", variable: "database_proxy_enabled" };
        (get("database_proxy_endpoint").map_err(|_| off)?, 5432, Check::System)
    } else {
        let port = get("database_port")?.parse().map_err(|_| missing("database_port"))?;
        (get("database_endpoint")?, port, Check::Rds)
    };
    let off = PlaceError::SwitchedOff { what: "bastion", variable: "bastion_enabled" };
    Ok(Place {
        host: host.to_owned(),
        port,
        dbname: get("database_name")?.to_owned(),
        way: Way::Instance(get("ec2_instance_id").map_err(|_| off)?.to_owned()),
        login: match role {
            Role::Iam => Login::Token(get("database_iam_token_username")?.to_owned()),
            Role::Master => Login::Secret(get("database_credentials_secret_arn")?.to_owned()),
        },
        check,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(pairs: &[(&str, &str)]) -> Outputs {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn rds_outputs() -> Outputs {
        let url = "postgresql://someuser@db.abc.eu-west-1.rds.amazonaws.com:5433/somedb?sslmode=verify-full";
        outputs(&[("PsqlConnection", url), ("DatabaseSecret", "arn:rds")])
    }

    #[test]
    fn private_rds_is_reached_through_the_group() {
        let place = rds(&rds_outputs(), false, &outputs(&[("HostGroup", "hosts")])).unwrap();
        assert_eq!(
            place,
            Place {
                host: "db.abc.eu-west-1.rds.amazonaws.com".into(),
                port: 5433,
                dbname: "somedb".into(),
                way: Way::Group("hosts".into()),
                login: Login::Secret("arn:rds".into()),
                check: Check::Rds,
            }
        );
        let public = rds(&rds_outputs(), true, &Outputs::new()).unwrap();
        assert_eq!(public.way, Way::Direct);
    }

    #[test]
    fn the_custom_database_has_the_secret_of_persist() {
        let url = "postgresql://myuser@customdb.app.internal:5432/mydb";
        let place = compute(
            &outputs(&[("CustomDBSecret", "arn:custom")]),
            &outputs(&[("CustomDBConnection", url), ("HostGroup", "hosts")]),
        )
        .unwrap();
        assert_eq!((place.host.as_str(), place.check), ("customdb.app.internal", Check::Nothing));
        assert_eq!(place.login, Login::Secret("arn:custom".into()));
    }

    #[test]
    fn serverless_places_follow_the_outputs() {
        let mut all = outputs(&[
            ("database_endpoint", "c.rds.amazonaws.com"),
            ("database_port", "5432"),
            ("database_name", "animals"),
            ("database_proxy_endpoint", "p.rds.amazonaws.com"),
            ("database_iam_token_username", "app"),
            ("database_credentials_secret_arn", "arn:master"),
            ("ec2_instance_id", "i-1"),
        ]);
        let aurora = serverless(&all, Database::Aurora, Role::Master).unwrap();
        assert_eq!((aurora.host.as_str(), aurora.check), ("c.rds.amazonaws.com", Check::Rds));
        assert_eq!(aurora.login, Login::Secret("arn:master".into()));
        let proxy = serverless(&all, Database::Proxy, Role::Iam).unwrap();
        assert_eq!((proxy.host.as_str(), proxy.check), ("p.rds.amazonaws.com", Check::System));
        assert_eq!((proxy.login, proxy.way), (Login::Token("app".into()), Way::Instance("i-1".into())));
        all.remove("database_proxy_endpoint");
        all.remove("ec2_instance_id");
        let error = |database| serverless(&all, database, Role::Iam).unwrap_err().to_string();
        assert_eq!(
            error(Database::Proxy),
            "the deployment has no proxy; set database_proxy_enabled = true and apply"
        );
        assert_eq!(
            error(Database::Aurora),
            "the deployment has no bastion; set bastion_enabled = true and apply"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = rds(&Outputs::new(), false, &Outputs::new()).unwrap_err().to_string();
        assert_eq!(
            error,
            "stack rds has no output \"PsqlConnection\"; it was made from an older template: cargo xtask deploy"
        );
        let odd = outputs(&[("PsqlConnection", "jdbc:x"), ("DatabaseSecret", "arn")]);
        assert!(matches!(rds(&odd, true, &Outputs::new()), Err(PlaceError::Connection { .. })));
        let empty = serverless(&Outputs::new(), Database::Proxy, Role::Iam).unwrap_err().to_string();
        assert!(empty.starts_with("the Terraform deployment has no output \"database_endpoint\""), "{empty}");
    }
}
