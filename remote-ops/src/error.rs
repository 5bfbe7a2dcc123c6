//! What can go wrong on the way to a database of a deployment. Each says what to do about it, where something can be done.

use std::{io, path::PathBuf};

use aws_session::CloudError;
use deployment_outputs::TerraformError;
use ssm_tunnel::TunnelError;

use crate::place::{BUNDLE_URL, PlaceError};

/// Why a database was not reached, or not let in to.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The outputs do not lead to it.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The tunnel was not opened, or ended.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// AWS refused, before anything was asked of a stack or a secret.
    #[error(transparent)]
    Cloud(#[from] CloudError),

    /// CloudFormation could not be asked about a stack.
    #[error("read stack {stack}")]
    ReadStack {
        /// Its whole name.
        stack: String,
        /// Why.
        source: CloudError,
    },
    /// A stack is not deployed.
    #[error(
        "stack {stack} does not exist; make it with `cargo xtask deploy --stack {short}`, or name another installation with \
         --prefix"
    )]
    NoStack {
        /// Its whole name.
        stack: String,
        /// Its name within the installation.
        short: &'static str,
    },
    /// A stack has not got an output.
    #[error(
        "stack {short} has no output \"{output}\"; it was made from an older template: cargo xtask deploy --stack {short}"
    )]
    NoOutput {
        /// The stack's name within the installation.
        short: &'static str,
        /// The output.
        output: &'static str,
    },

    /// Terraform could not be asked.
    #[error(transparent)]
    Terraform(#[from] TerraformError),

    /// A secret could not be read.
    #[error("read the secret {id}")]
    ReadSecret {
        /// Name or ARN.
        id: String,
        /// Why.
        source: CloudError,
    },
    /// The caller may not read a secret.
    #[error("read the secret {id}: not allowed; the profile needs secretsmanager:GetSecretValue: {reason}")]
    SecretDenied {
        /// Name or ARN.
        id: String,
        /// AWS's words.
        reason: String,
    },
    /// A secret has another form than RDS and this project's stacks give it.
    #[error("the secret {id} {complaint}")]
    SecretForm {
        /// Name or ARN.
        id: String,
        /// What is wrong, without what is in it.
        complaint: &'static str,
    },
    /// There is nothing to sign a token with.
    #[error("no AWS credentials to sign a database token with")]
    NoCredentials,
    /// A token could not be signed.
    #[error("sign a database token: {0}")]
    Token(String),

    /// The named file is not there.
    #[error("{} (the authorities of RDS) is not there", .0.display())]
    NoAuthorities(PathBuf),
    /// There is no folder to keep a copy in.
    #[error("find a folder for the authorities of RDS: HOME is not set; name the file with --ssl-root-cert")]
    NoCacheFolder,
    /// There is no program to fetch them with.
    #[error("`curl` was not found; fetch {BUNDLE_URL} yourself and name the file with --ssl-root-cert")]
    NoCurl,
    /// They could not be fetched.
    #[error(
        "the authorities of RDS cannot be fetched ({said}); fetch {BUNDLE_URL} yourself and name the file with \
         --ssl-root-cert"
    )]
    Fetch {
        /// curl's own words.
        said: String,
    },
    /// A file operation failed.
    #[error("{doing} {}", path.display())]
    File {
        /// Verb phrase.
        doing: &'static str,
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no PEM.
    #[error(
        "the file with the authorities of RDS holds no certificate (PEM); name another with --ssl-root-cert"
    )]
    NoCertificate,
    /// Only a superuser is told where the data is.
    #[error("find the custom database's data folder; log in as its superuser")]
    DataFolder(#[source] tokio_postgres::Error),
    /// The custom database's server could not write them.
    #[error("keep the authorities of the origin in {path} on the custom database's machine")]
    Keep {
        /// Where to.
        path: String,
        /// Why.
        source: tokio_postgres::Error,
    },

    /// TLS could not be set up on this side.
    #[error("{0}")]
    Tls(String),
    /// The database could not be reached, is not who it should be, or does not let this user in.
    #[error("connect to {host} as \"{user}\"")]
    Connect {
        /// Host.
        host: String,
        /// User.
        user: String,
        /// Why.
        source: tokio_postgres::Error,
    },
    /// The instance at the end of the tunnel could not reach the database.
    #[error(
        "connect to {host} as \"{user}\": the instance cannot reach {host}:{port}; the database is stopped, or a security \
         group is in the way"
    )]
    Refused {
        /// Host.
        host: String,
        /// Port.
        port: u16,
        /// User.
        user: String,
        /// What the driver saw of it.
        source: tokio_postgres::Error,
    },
}

/// What the way to a database gives.
pub type RemoteResult<T> = Result<T, RemoteError>;
