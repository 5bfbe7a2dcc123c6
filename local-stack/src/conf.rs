//! The application's settings of the REST server, `pgapp.conf`. The server reads it as it is; what belongs to the stack
//! (addresses, the database, the key of tokens) comes by the environment, which goes before the file.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::config::StackConfig;
use crate::error::Error;

/// Name of the file in the application's folder, and of its copy.
const FILE: &str = "pgapp.conf";

/// An application's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conf {
    text: String,
}

impl Conf {
    /// Those of a stack's application; `None` where it brings none.
    pub(crate) fn of(config: &StackConfig) -> Result<Option<Self>, Error> {
        let Some(path) = config.app.as_ref().map(|it| it.join(FILE)).filter(|it| it.is_file()) else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|source| Error::File { doing: "read", path, source })?;
        Ok(Some(Self { text }))
    }

    /// Whether the file has a setting, whatever its value.
    pub(crate) fn sets(&self, key: &str) -> bool {
        self.text.lines().filter_map(|it| it.split_once('=')).any(|(name, _)| name.trim() == key)
    }

    /// The value of a setting that is a text on one line; the last one counts.
    pub(crate) fn text_of(&self, key: &str) -> Option<String> {
        let mut values = self.text.lines().filter_map(|it| it.split_once('='));
        let value = values.rfind(|(name, _)| name.trim() == key)?.1.trim();
        match value.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().map(ToOwned::to_owned),
            None => value.split('#').next().map(|it| it.trim().to_owned()),
        }
    }

    /// Changes with the text.
    pub(crate) fn digest(&self) -> String {
        Sha256::digest(self.text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Puts a copy where the server may read it, which runs as another user or in a container.
    pub(crate) fn place(&self, dir: &Path) -> Result<PathBuf, Error> {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.join(FILE);
        let write = || {
            std::fs::create_dir_all(dir)?;
            std::fs::write(&path, &self.text)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))
        };
        write().map_err(|source| Error::File { doing: "write", path: path.clone(), source })?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_known_by_name() {
        let conf = Conf { text: "# db-uri = \"\"\n db-schemas= \"api\"\ndb-max-rows = 3\n".to_owned() };
        assert!(conf.sets("db-schemas") && conf.sets("db-max-rows"));
        assert!(!conf.sets("db-uri") && !conf.sets("db"));
        assert_eq!(conf.text_of("db-schemas").as_deref(), Some("api"));
        assert_eq!(conf.text_of("db-max-rows").as_deref(), Some("3"));
        assert_eq!(conf.text_of("db-uri"), None);
        assert_ne!(conf.digest(), Conf { text: String::new() }.digest());
    }

    #[test]
    fn the_copy_is_readable_by_others() {
        use std::os::unix::fs::PermissionsExt;
        let (app, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(app.path().join(FILE), "db-max-rows = 3\n").unwrap();
        let config = StackConfig { app: Some(app.path().to_owned()), ..StackConfig::default() };
        let copy = Conf::of(&config).unwrap().unwrap().place(dir.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "db-max-rows = 3\n");
        assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(Conf::of(&StackConfig::default()).unwrap(), None);
    }
}
