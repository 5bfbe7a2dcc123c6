//! Which backend a stack runs on, with which programs, and where its data is.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Stack;
use crate::account::Account;
use crate::config::{Backend, BackendKind, Cost, Difference, StackConfig, StackName};
use crate::database::Database;
use crate::docker::{Docker, Engine};
use crate::download::cache_dir;
use crate::driver::Driver;
use crate::error::Error;
use crate::event::Progress;
use crate::native::{Native, Tools};
use crate::pgbin::ServerBinaries;
use crate::ports;
use crate::service::ServiceName;
use crate::state::State;

/// Data and logs of stacks whose project the servers' user cannot enter.
pub(super) const SERVERS_ROOT: &str = "/var/lib/postgres-as-app";

impl Stack {
    /// The backend that `up` would use: callers build the REST server's program only for the native one.
    pub async fn choose_backend(&self, config: &StackConfig) -> Result<BackendKind, Error> {
        match self.reconcile(self.home.load()?, config).await? {
            Some(state) => Ok(state.backend),
            None => self.first_choice(config).await,
        }
    }

    pub(super) async fn engine(&self) -> Result<Engine, Error> {
        self.engine.get_or_try_init(Engine::find).await.cloned()
    }

    async fn first_choice(&self, config: &StackConfig) -> Result<BackendKind, Error> {
        Ok(match config.backend {
            Backend::Docker => BackendKind::Docker,
            Backend::Auto if ServerBinaries::find(&self.search, None)?.is_some() => BackendKind::Native,
            Backend::Auto if self.engine().await.is_ok() => BackendKind::Docker,
            // With neither, the native one downloads a server or tells what to install.
            Backend::Native | Backend::Auto => BackendKind::Native,
        })
    }

    /// A stack that exists stays as it is unless the difference is harmless: nothing runs and no data is at stake.
    /// One of which nothing is left but its record is forgotten.
    pub(super) async fn reconcile(
        &self,
        recorded: Option<State>,
        asked: &StackConfig,
    ) -> Result<Option<State>, Error> {
        ports::refuse_equal(asked)?;
        let Some(state) = recorded else { return Ok(None) };
        let differences = state.config.differences(state.backend, asked);
        if differences.is_empty() {
            return Ok(Some(state));
        }
        let driver = self.driver_to_look(&state).await?;
        let mut is_up = false;
        for service in ServiceName::ALL {
            is_up |= driver.observe(service).await?.is_some();
        }
        if !is_up && !driver.has_data().await? {
            return Ok(None);
        }
        let is_in_the_way = |it: &Difference| match it.cost {
            Cost::Nothing => false,
            Cost::Restart => is_up,
            Cost::NewData => true,
        };
        if differences.iter().any(is_in_the_way) {
            return Err(Error::Differs { name: self.name.clone(), is_up, differences });
        }
        Ok(Some(state))
    }

    pub(super) async fn next_state(
        &self,
        recorded: Option<State>,
        config: &StackConfig,
        progress: &Progress,
    ) -> Result<State, Error> {
        if let Some(mut state) = recorded {
            state.config = config.clone();
            return Ok(state);
        }
        let kind = self.first_choice(config).await?;
        let servers_dir = match kind {
            BackendKind::Native => self.servers_dir(progress)?,
            BackendKind::Docker => self.home.dir().to_owned(),
        };
        Ok(State::new(config.clone(), kind, servers_dir, project_name(&self.root, &self.name)))
    }

    /// `.stack/<name>`, unless the user that databases run as cannot get there: projects below /root are closed.
    fn servers_dir(&self, progress: &Progress) -> Result<PathBuf, Error> {
        let account = Account::for_servers().ok_or(Error::NoAccount)?;
        let home = self.home.dir();
        if account.can_reach(&home.join("data")) {
            return Ok(home.to_owned());
        }
        let dir = Path::new(SERVERS_ROOT).join(project_name(&self.root, &self.name));
        progress.note(format!(
            "The databases do not run as root, and their user cannot enter \"{}\": data and logs are in \"{}\".",
            self.root.display(),
            dir.display()
        ));
        Ok(dir)
    }

    pub(super) async fn driver_to_start(
        &self,
        state: &mut State,
        progress: &Progress,
    ) -> Result<Box<dyn Driver>, Error> {
        match state.backend {
            BackendKind::Docker => {
                if state.config.data_dir.is_some() {
                    let text = "--data-dir is for the native backend: containers keep their data in volumes";
                    return Err(Error::Refused(text.to_owned()));
                }
                Ok(Box::new(Docker::new(&self.root, &self.home, state, self.engine().await?)))
            }
            BackendKind::Native => {
                let account = Account::for_servers().ok_or(Error::NoAccount)?;
                let data = Native::data_dir(&state.config, &state.servers_dir, Database::Origin);
                let wanted = data.major().and_then(|it| it.parse().ok());
                let binaries = match ServerBinaries::find(&self.search, wanted)? {
                    Some(binaries) => binaries,
                    None => self.download(state.config.backend, &account, progress).await?,
                };
                state.pg_bin_dir = Some(binaries.dir.clone());
                Ok(Box::new(Native::new(state, Some(Tools { binaries, account }))))
            }
        }
    }

    /// The last resort: programs from the network, kept in `.stack/.cache`.
    async fn download(
        &self,
        asked: Backend,
        account: &Account,
        progress: &Progress,
    ) -> Result<ServerBinaries, Error> {
        let cache = cache_dir(&self.root, account);
        let download = match self.archive.server(&cache, account, progress).await {
            Ok(binaries) => return Ok(binaries),
            Err(reason) => reason,
        };
        Err(match asked {
            Backend::Auto => {
                let docker = self.engine().await.err().map_or_else(String::new, |it| it.to_string());
                Error::NoBackend { docker, download }
            }
            _ => Error::NoServer { download },
        })
    }

    pub(super) async fn driver_to_look(&self, state: &State) -> Result<Box<dyn Driver>, Error> {
        Ok(match state.backend {
            BackendKind::Native => Box::new(Native::new(state, None)),
            BackendKind::Docker => Box::new(Docker::new(&self.root, &self.home, state, self.engine().await?)),
        })
    }
}

/// Name of the compose project: readable, and different for two clones of the repository on one machine.
fn project_name(root: &Path, name: &StackName) -> String {
    use std::os::unix::ffi::OsStrExt;
    // A digest that stays the same with every toolchain: the standard library's hash promises that for one run only.
    let digest = Sha256::digest(root.as_os_str().as_bytes());
    let clone: String = digest.iter().take(4).map(|it| format!("{it:02x}")).collect();
    format!("pgapp-{name}-{clone}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_name_stays_the_same_and_tells_clones_apart() {
        let name: StackName = "main".parse().expect("a name");
        // The digest of the path, written out: a name that changed would lose sight of a running project.
        assert_eq!(project_name(Path::new("/home/ada/app"), &name), "pgapp-main-9cc220a3");
        assert_ne!(
            project_name(Path::new("/home/ada/other"), &name),
            project_name(Path::new("/home/ada/app"), &name)
        );
    }
}
