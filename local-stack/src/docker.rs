//! The Docker backend: one compose project per stack, from the compose file and Dockerfiles in `local-stack/docker/`.

mod engine;

use std::path::{Path, PathBuf};

use app_folder::AppFolder;
use async_trait::async_trait;

pub use engine::Engine;

use crate::conf::Conf;
use crate::config::StackConfig;
use crate::database::Database;
use crate::driver::{ApiLaunch, Driver, Handle};
use crate::error::Error;
use crate::event::{Event, Progress};
use crate::image;
use crate::native::{OF_APPLICATION, api_environment};
use crate::service::{ServiceName, ServiceState};
use crate::state::{ApiProcess, StackHome, State};

/// Base images: build argument and pinned default, as in the compose file and the Dockerfiles.
const BASE_IMAGES: [(&str, &str, &[ServiceName]); 2] = [
    ("POSTGRES_IMAGE", "postgres:15-bookworm", &[ServiceName::OriginDb, ServiceName::CustomDb]),
    ("RUST_IMAGE", "rust:1.95-bookworm", &[ServiceName::Api]),
];

/// The port that Postgres listens on within the project's network.
const POSTGRES_PORT: u16 = 5432;

/// Label of the REST server's container: which settings of the application it was started with.
const CONF_LABEL: &str = "pgapp.conf";

/// Containers of one compose project.
pub(crate) struct Docker {
    engine: Engine,
    compose_file: PathBuf,
    /// What only some stacks have: a published port of the admin server, an application's settings and packages.
    override_file: PathBuf,
    root: PathBuf,
    home: PathBuf,
    logs_dir: PathBuf,
    config: StackConfig,
    project: String,
}

impl Docker {
    pub(crate) fn new(root: &Path, home: &StackHome, state: &State, engine: Engine) -> Self {
        Self {
            engine,
            compose_file: root.join("local-stack/docker/compose.yaml"),
            override_file: home.dir().join("compose.override.yaml"),
            root: root.to_owned(),
            home: home.dir().to_owned(),
            logs_dir: home.dir().join("logs"),
            config: state.config.clone(),
            project: state.project.clone(),
        }
    }

    /// A compose command of this project, with every variable that the compose file reads.
    fn compose(&self, args: &[&str]) -> tokio::process::Command {
        let mut command = self.engine.compose();
        command.args(["-p", &self.project, "-f"]).arg(&self.compose_file);
        if self.override_file.is_file() {
            command.arg("-f").arg(&self.override_file);
        }
        command.args(args);
        for (service, variable) in [
            (ServiceName::OriginDb, "PGAPP_ORIGIN_PORT"),
            (ServiceName::CustomDb, "PGAPP_CUSTOM_PORT"),
            (ServiceName::Api, "PGAPP_API_PORT"),
            (ServiceName::Animals, "PGAPP_ANIMALS_PORT"),
        ] {
            command.env(variable, self.config.port(service).to_string());
        }
        let (profile, tag) =
            if self.config.release { ("release", "local-release") } else { ("dev", "local") };
        command.env("CARGO_PROFILE", profile).env("PGAPP_IMAGE_TAG", tag);
        // What `up` starts is always named; what `down` removes has to be known to compose.
        command.env("COMPOSE_PROFILES", ServiceName::Animals.as_str());
        command
    }

    fn write_override(&self, conf: Option<&Conf>) -> Result<(), Error> {
        let file = conf.map(|it| it.place(&self.home)).transpose()?;
        let path = &self.override_file;
        let image = self.own_image()?;
        let image = image.as_ref().map(|(name, context)| (name.as_str(), context.as_path()));
        let written = match override_text(self.config.admin_port, conf.zip(file.as_deref()), image) {
            Some(text) => std::fs::write(path, text),
            None if path.exists() => std::fs::remove_file(path),
            None => Ok(()),
        };
        written.map_err(|source| Error::File { doing: "write", path: path.clone(), source })
    }

    /// Name and build context of the custom database's image, where the application needs a separate one.
    fn own_image(&self) -> Result<Option<(String, PathBuf)>, Error> {
        let Some(path) = &self.config.app else { return Ok(None) };
        let folder = AppFolder::open(path)?;
        if folder.packages()?.is_empty() {
            return Ok(None);
        }
        let context = self.home.join("customdb");
        image::stage(&self.root, &folder, &context)?;
        Ok(Some((self.image_name(), context)))
    }

    fn image_name(&self) -> String {
        format!("postgres-as-app/customdb:{}", self.project)
    }

    async fn container(&self, service: ServiceName, all: bool) -> Result<Option<String>, Error> {
        self.engine.container(&self.project, service, all).await
    }

    /// Containers go with `down`; their logs are kept.
    async fn save_logs(&self) -> Result<(), Error> {
        let fail = |path: &Path, source| Error::File { doing: "write", path: path.to_owned(), source };
        std::fs::create_dir_all(&self.logs_dir).map_err(|it| fail(&self.logs_dir, it))?;
        for service in ServiceName::ALL {
            let Some(container) = self.container(service, true).await? else { continue };
            let log = self.engine.logs(&container, None).await?;
            let path = self.logs_dir.join(format!("{service}.log"));
            std::fs::write(&path, log).map_err(|it| fail(&path, it))?;
        }
        Ok(())
    }
}

#[async_trait]
impl Driver for Docker {
    fn describe(&self) -> String {
        format!("Docker {}, compose project {}", self.engine.version(), self.project)
    }

    async fn observe(&self, service: ServiceName) -> Result<Option<Handle>, Error> {
        Ok(self.container(service, false).await?.map(Handle::Container))
    }

    async fn has_data(&self) -> Result<bool, Error> {
        self.engine.has_volume(&self.project).await
    }

    async fn check(&self) -> Result<(), Error> {
        if self.compose_file.is_file() {
            return Ok(());
        }
        Err(Error::Refused(format!("\"{}\" is missing from this checkout", self.compose_file.display())))
    }

    async fn prepare(&self, services: &[ServiceName], progress: &Progress) -> Result<(), Error> {
        self.write_override(Conf::of(&self.config)?.as_ref())?;
        let output = |line: &str| progress.emit(Event::Output { line: line.to_owned() });
        for (argument, default, used_by) in BASE_IMAGES {
            if used_by.iter().any(|it| services.contains(it)) {
                let image = std::env::var(argument).ok().filter(|it| !it.is_empty());
                self.engine.ensure_image(image.as_deref().unwrap_or(default), &output).await?;
            }
        }
        for service in [ServiceName::CustomDb, ServiceName::Api] {
            if !services.contains(&service) {
                continue;
            }
            if progress.state(service) == ServiceState::Stopped {
                progress.to(service, ServiceState::Preparing)?;
            }
            let command = self.compose(&["build", service.as_str()]);
            self.engine.run(command, &format!("build the image of {service}"), &output).await?;
        }
        Ok(())
    }

    async fn is_outdated(&self, service: ServiceName, _launch: &ApiLaunch<'_>) -> Result<bool, Error> {
        let Some(container) = self.container(service, false).await? else { return Ok(false) };
        if service == ServiceName::Api {
            let conf = Conf::of(&self.config)?;
            let wanted = conf.map_or_else(String::new, |it| it.digest());
            if self.engine.label(&container, CONF_LABEL).await? != wanted {
                return Ok(true);
            }
        }
        self.engine.is_outdated(&container).await
    }

    async fn start_databases(&self, services: &[ServiceName], progress: &Progress) -> Result<(), Error> {
        if services.is_empty() {
            return Ok(());
        }
        for service in services {
            progress.to(*service, ServiceState::Starting)?;
        }
        // Both at once: the order that the compose file states is for those who use it by hand.
        let mut args = vec!["up", "-d", "--no-deps", "--no-build"];
        args.extend(services.iter().map(|it| it.as_str()));
        self.engine.run(self.compose(&args), "start the databases", &|_| {}).await
    }

    async fn start_program(
        &self,
        service: ServiceName,
        launch: &ApiLaunch<'_>,
        progress: &Progress,
    ) -> Result<Option<ApiProcess>, Error> {
        progress.to(service, ServiceState::Starting)?;
        let mut command = self.compose(&["up", "-d", "--no-deps", "--no-build", service.as_str()]);
        if service == ServiceName::Animals {
            command.env("PGAPP_ANIMALS_PASSWORD", &launch.secrets.animals_password);
        } else {
            let conf = Conf::of(&self.config)?;
            let host = ServiceName::CustomDb.as_str();
            command.envs(api_environment(&self.config, launch, host, POSTGRES_PORT, conf.as_ref()));
        }
        self.engine.run(command, &format!("start {service}"), &|_| {}).await?;
        Ok(None)
    }

    async fn stop(&self, service: ServiceName) -> Result<(), Error> {
        match self.container(service, false).await? {
            Some(container) => self.engine.stop(&container).await,
            None => Ok(()),
        }
    }

    async fn clear(&self) -> Result<(), Error> {
        self.save_logs().await?;
        let command = self.compose(&["down", "--remove-orphans"]);
        self.engine.run(command, "remove the containers", &|_| {}).await
    }

    async fn remove_data(&self) -> Result<(), Error> {
        let command = self.compose(&["down", "--volumes", "--remove-orphans"]);
        self.engine.run(command, "remove the volumes", &|_| {}).await?;
        self.engine.forget_image(&self.image_name()).await;
        Ok(())
    }

    fn origin_address(&self) -> (String, u16) {
        (Database::Origin.service().as_str().to_owned(), POSTGRES_PORT)
    }

    async fn log_tail(&self, service: ServiceName) -> String {
        let Ok(Some(container)) = self.container(service, true).await else { return String::new() };
        let log = self.engine.logs(&container, Some(12)).await.unwrap_or_default();
        String::from_utf8_lossy(&log).trim_end().to_owned()
    }
}

/// A compose file for what only some stacks have; `None` where there is nothing of it. JSON is YAML, and quotes paths.
/// `image` is the name and the build context of the custom database's own one.
fn override_text(
    admin_port: Option<u16>,
    conf: Option<(&Conf, &Path)>,
    image: Option<(&str, &Path)>,
) -> Option<String> {
    // A dollar would begin a variable of compose.
    let path_text = |path: &Path| path.display().to_string().replace('$', "$$");
    let mut api = serde_json::Map::new();
    if let Some(port) = admin_port {
        api.insert("ports".to_owned(), serde_json::json!([format!("127.0.0.1:{port}:3001")]));
    }
    if let Some((conf, path)) = conf {
        let source = path_text(path);
        let target = "/pgapp.conf";
        api.insert("command".to_owned(), serde_json::json!([target]));
        let volume =
            serde_json::json!({"type": "bind", "source": source, "target": target, "read_only": true});
        api.insert("volumes".to_owned(), serde_json::json!([volume]));
        api.insert("labels".to_owned(), serde_json::json!({CONF_LABEL: conf.digest()}));
        // The compose file has defaults for these; an empty one counts as not set.
        let unset: serde_json::Map<_, _> = OF_APPLICATION
            .into_iter()
            .filter(|(key, _)| conf.sets(key))
            .map(|(_, variable)| (variable.to_owned(), "".into()))
            .collect();
        api.insert("environment".to_owned(), unset.into());
    }
    let mut services = serde_json::Map::new();
    if !api.is_empty() {
        services.insert("api".to_owned(), api.into());
    }
    if let Some((name, context)) = image {
        let custom = serde_json::json!({"image": name, "build": {"context": path_text(context)}});
        services.insert("customdb".to_owned(), custom);
    }
    if services.is_empty() {
        return None;
    }
    Some(format!("{}\n", serde_json::json!({"services": services})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_stack_has_is_written() {
        assert_eq!(override_text(None, None, None), None);
        assert_eq!(
            override_text(Some(4001), None, None).unwrap(),
            "{\"services\":{\"api\":{\"ports\":[\"127.0.0.1:4001:3001\"]}}}\n"
        );
        let app = tempfile::tempdir().unwrap();
        std::fs::write(app.path().join("pgapp.conf"), "db-schemas = \"api\"\n").unwrap();
        let config = StackConfig { app: Some(app.path().to_owned()), ..StackConfig::default() };
        let conf = Conf::of(&config).unwrap().unwrap();
        let text = override_text(None, Some((&conf, Path::new("/a $b/pgapp.conf"))), None).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let api = &value["services"]["api"];
        assert_eq!(api["volumes"][0]["source"], "/a $$b/pgapp.conf");
        assert_eq!(api["environment"], serde_json::json!({"PGRST_DB_SCHEMAS": ""}));
        assert_eq!(api["labels"][CONF_LABEL], conf.digest());
        let text = override_text(None, None, Some(("customdb:x", Path::new("/c")))).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let customdb = serde_json::json!({"build": {"context": "/c"}, "image": "customdb:x"});
        assert_eq!(value, serde_json::json!({"services": {"customdb": customdb}}));
    }
}
