//! AWS credentials of this process: its variables, else what the container's agent hands out, else the instance.
//!
//! Which of them is decided once, in the order of AWS's own tools, by variables alone. What an agent hands out is kept
//! until shortly before it expires; where it cannot be renewed in time, it serves to its end. Nothing here is asked for
//! a request of a client, only for a new connection to the database.

mod container;
mod instance;
mod metadata;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use tokio::sync::Mutex;

use crate::credentials::Clock;
use container::Container;
use instance::Instance;
use metadata::MetadataError;

/// Agents have new credentials ready five minutes before the old ones expire.
const EARLY: Duration = Duration::from_secs(5 * 60);

/// Why the variables name no source of credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is \"{value}\", {reason}")]
pub struct InvalidSource {
    /// Variable.
    pub name: &'static str,
    /// As given.
    pub value: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Credentials that are handed out, and may be asked for again.
enum Source {
    /// Keys in variables. Lambda sets them and keeps them valid for as long as a process lives.
    Variables(Credentials),
    /// ECS, and EKS with pod identities.
    Container(Container),
    /// EC2.
    Instance(Instance),
    /// The instance may not be asked.
    None,
}

/// The credentials of this process.
#[derive(Clone)]
pub struct ProcessCredentials(Arc<Inner>);

struct Inner {
    source: Source,
    now: Clock,
    /// Held while the agent is asked: whoever comes meanwhile wants the same answer.
    kept: Mutex<Option<Credentials>>,
}

impl fmt::Debug for ProcessCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessCredentials").finish_non_exhaustive()
    }
}

impl ProcessCredentials {
    /// Reads variables through `var`. Asks nobody yet.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidSource> {
        Self::read_with_clock(var, Arc::new(SystemTime::now))
    }

    fn read_with_clock(var: impl Fn(&str) -> Option<String>, now: Clock) -> Result<Self, InvalidSource> {
        let set = |name: &str| var(name).filter(|it| !it.is_empty());
        let source = if let Some((id, secret)) = set("AWS_ACCESS_KEY_ID").zip(set("AWS_SECRET_ACCESS_KEY")) {
            Source::Variables(Credentials::new(id, secret, set("AWS_SESSION_TOKEN"), None, "environment"))
        } else if let Some(container) = Container::read(&set)? {
            Source::Container(container)
        } else if set("AWS_EC2_METADATA_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true")) {
            Source::None
        } else {
            Source::Instance(Instance::read(&set)?)
        };
        Ok(Self(Arc::new(Inner { source, now, kept: Mutex::default() })))
    }

    async fn provide(&self) -> Result<Credentials, CredentialsError> {
        let Inner { source, now, kept } = &*self.0;
        if let Source::Variables(credentials) = source {
            return Ok(credentials.clone());
        }
        let mut kept = kept.lock().await;
        let left =
            |it: &Credentials| it.expiry().and_then(|at| at.duration_since(now()).ok()).unwrap_or_default();
        if let Some(credentials) = kept.as_ref().filter(|it| left(it) > EARLY) {
            return Ok(credentials.clone());
        }
        let asked = match source {
            Source::Container(container) => container.ask().await,
            Source::Instance(instance) => instance.ask().await,
            Source::Variables(_) | Source::None => Err(MetadataError::Disabled),
        };
        match (asked, kept.as_ref().filter(|it| !left(it).is_zero())) {
            (Ok(credentials), _) => {
                *kept = Some(credentials.clone());
                Ok(credentials)
            }
            (Err(error), Some(credentials)) => {
                tracing::warn!("credentials that expire soon could not be renewed: {error}");
                Ok(credentials.clone())
            }
            (Err(error), None) => Err(CredentialsError::not_loaded(error)),
        }
    }
}

impl ProvideCredentials for ProcessCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }
}

#[cfg(test)]
mod tests;
