//! What the flags select: a catalog of stacks, those of them that are wanted, their templates with values, their order.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use deploy::{
    Pin, Settings, Spec,
    catalog::{Catalog, CatalogError, Definition, FILE_NAME},
    cloud::aws::{Aws, Choice},
};
use infra_cfn::{Template, graph::Graph, params::ParameterFile, template::INLINE_LIMIT, write};

use super::{UsageError, flags::Home, flags::Target, order};

/// Every stack's template, and the graph of those that are wanted.
pub(super) struct Selection {
    pub(super) specs: Vec<Spec>,
    pub(super) graph: Graph,
}

/// A catalog that was opened, with what the flags say over it.
pub(super) struct House<'f> {
    home: &'f Home,
    pub(super) catalog: Catalog,
}

impl Home {
    /// Opens the catalog that is meant.
    pub(super) fn open(&self) -> anyhow::Result<House<'_>> {
        let (environment, prefix) = (self.environment.as_deref(), self.prefix.as_deref());
        let here = Path::new(FILE_NAME);
        let path = match &self.file {
            Some(path) => Some(path.as_path()),
            None => (!self.built_in && here.is_file()).then_some(here),
        };
        let opened = match path {
            Some(path) => Catalog::of_file(path, environment, prefix),
            None => Catalog::built_in(environment, prefix),
        };
        let name = path.map_or_else(|| "the built-in stacks".to_owned(), |it| it.display().to_string());
        let catalog = opened.map_err(|err| match err {
            CatalogError::Usage(text) => UsageError::of(format!("{name}: {text}")),
            other => anyhow::Error::new(other).context(name),
        })?;
        Ok(House { home: self, catalog })
    }
}

impl House<'_> {
    /// The stacks that are wanted, in the order of the catalog.
    pub(super) fn wanted(&self, target: &Target) -> anyhow::Result<Vec<&Definition>> {
        if target.all {
            return Ok(self.catalog.stacks.iter().collect());
        }
        if target.stacks.is_empty() {
            return Err(UsageError::of("name a stack with --stack NAME, or all of them with --all"));
        }
        let names: Vec<&str> = self.catalog.stacks.iter().map(|it| it.name.as_str()).collect();
        match target.stacks.iter().find(|it| !names.contains(&it.as_str())) {
            Some(name) => {
                Err(UsageError::of(format!("unknown stack \"{name}\", expected one of {}", names.join(", "))))
            }
            None => Ok(self.catalog.stacks.iter().filter(|it| target.stacks.contains(&it.name)).collect()),
        }
    }

    /// The stacks that a removal takes: "all" leaves out what the catalog says stays.
    pub(super) fn wanted_for_removal(&self, target: &Target) -> anyhow::Result<Vec<&Definition>> {
        let mut wanted = self.wanted(target)?;
        if target.all {
            for it in &wanted {
                if let Some(why) = &it.stays {
                    writeln!(anstream::stderr(), "{} stays: {why}", it.stack_name)
                        .context("write to stderr")?;
                }
            }
            wanted.retain(|it| it.stays.is_none());
        }
        Ok(wanted)
    }

    /// The same for commands that only look: nothing named means everything.
    pub(super) fn wanted_or_all(&self, target: &Target) -> anyhow::Result<Vec<&Definition>> {
        if target.stacks.is_empty() { Ok(self.catalog.stacks.iter().collect()) } else { self.wanted(target) }
    }

    /// Profile and region: flags, then what the file says.
    pub(super) async fn connect(&self) -> anyhow::Result<Aws> {
        let place = &self.catalog.place;
        let over = |flag: &Option<String>, said: &Option<String>| flag.clone().or_else(|| said.clone());
        Ok(Aws::connect_as(&Choice {
            profile: over(&self.home.profile, &place.profile),
            region: over(&self.home.region, &place.region),
        })
        .await?)
    }

    /// Settings with what the catalog says; flags come over them.
    pub(super) fn settings(&self) -> Settings {
        let mut settings = Settings::new(&self.catalog.place.prefix);
        settings.bucket.clone_from(&self.catalog.place.bucket);
        settings.bucket_stack = self.bucket_stack().map(|(it, output)| (it.stack_name.clone(), output));
        settings
    }

    fn bucket_stack(&self) -> Option<(&Definition, String)> {
        self.catalog.stacks.iter().find_map(|it| Some((it, it.bucket_output.clone()?)))
    }

    /// The folder of the parameter files. One that is named has to be there.
    pub(super) fn params_dir(&self) -> anyhow::Result<PathBuf> {
        let dir = self.params_dir_to_be();
        match &self.home.params_dir {
            Some(named) if !named.is_dir() => Err(UsageError::of(format!(
                "--params-dir {}: there is no such folder; params init makes one",
                named.display()
            ))),
            // An installation with another prefix may share the values of the usual one, an environment never does.
            None if !dir.is_dir() && self.catalog.place.environment.is_none() => Ok(self.base()),
            Some(_) | None => Ok(dir),
        }
    }

    /// The folder, where it is made when it is not there.
    pub(super) fn params_dir_to_be(&self) -> PathBuf {
        match (&self.home.params_dir, self.catalog.place.folder()) {
            (Some(dir), _) => dir.clone(),
            (None, Some(folder)) => self.base().join(folder),
            (None, None) => self.base(),
        }
    }

    fn base(&self) -> PathBuf {
        match &self.catalog.path {
            Some(path) => path.parent().unwrap_or(Path::new("")).join("params"),
            None => default_dir(),
        }
    }

    /// The parameter file of a stack.
    pub(super) fn params_path(&self, it: &Definition, dir: &Path) -> PathBuf {
        it.parameters_file.clone().unwrap_or_else(|| dir.join(format!("{}.json", it.name)))
    }

    /// Where everything belongs: as the catalog says, else as a file beside the parameter files says.
    pub(super) fn pin(&self) -> anyhow::Result<Pin> {
        let place = &self.catalog.place;
        if let Some(path) = &self.catalog.path
            && (place.account.is_some() || place.region.is_some())
        {
            let (account, region) = (place.account.clone(), place.region.clone());
            return Ok(Pin { account, region, said_by: path.display().to_string() });
        }
        let path = self.params_dir()?.join(PIN_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Pin::default()),
            Err(err) => return Err(err).with_context(|| format!("read {}", path.display())),
        };
        let file: PinFile = serde_json::from_str(&text)
            .with_context(|| format!("read {}: expected {{\"account\", \"region\"}}", path.display()))?;
        Ok(Pin { account: file.account, region: file.region, said_by: path.display().to_string() })
    }

    /// The templates with the values of those stacks that are wanted: what is in the files of others is no matter here.
    pub(super) fn select(
        &self,
        wanted: &[&Definition],
        flags: &[(String, String)],
    ) -> anyhow::Result<Selection> {
        let dir = self.params_dir()?;
        let is_wanted = |name: &str| wanted.iter().any(|it| it.name == name);
        let one = |it: &Definition| {
            let path = self.params_path(it, &dir);
            let given = if is_wanted(&it.name) { read_values(&path)? } else { ParameterFile::default() };
            self.spec(it, &path, given, flags)
        };
        let specs: Vec<Spec> = self.catalog.stacks.iter().map(one).collect::<Result<_, _>>()?;
        let names: Vec<&str> = wanted.iter().map(|it| it.name.as_str()).collect();
        order::refuse_unknown(flags, &names, &specs)?;
        order::refuse_untaken(&self.catalog, &specs)?;
        // CloudFormation would say so late, and not where.
        if let Some(problem) = specs.iter().filter(|it| is_wanted(&it.name)).find_map(order::unknown_name) {
            return Err(anyhow::anyhow!(problem));
        }
        let mut graph = order::graph(&self.catalog, &specs).context("order the stacks")?;
        // A template that does not fit into a request goes through the bucket of the stack that has one.
        if let Some((bucket, _)) = self.bucket_stack().filter(|_| self.catalog.place.bucket.is_none()) {
            for spec in specs.iter().filter(|it| it.text.len() > INLINE_LIMIT && it.name != bucket.name) {
                graph = graph.with_wait(&spec.name, &bucket.name).context("order the stacks")?;
            }
        }
        Ok(Selection { specs, graph: graph.restrict(&names) })
    }

    /// A template with its values: of the catalog, then of the parameter file, then of the flags.
    pub(super) fn spec(
        &self,
        it: &Definition,
        path: &Path,
        mut given: ParameterFile,
        flags: &[(String, String)],
    ) -> anyhow::Result<Spec> {
        let read = || format!("read {}", it.template_path);
        let template = Template::parse(&it.text).with_context(read)?;
        if let Some(name) = it.parameters.keys().find(|name| given.get(name).is_some()) {
            return Err(anyhow::anyhow!(
                "{name} of {} has a value in {} and in the file of the stacks: keep one of them",
                it.name,
                path.display()
            ));
        }
        let shared = it.shared.iter().filter(|(name, _)| template.parameters.contains_key(*name));
        for (name, value) in it.parameters.iter().chain(shared) {
            if given.get(name).is_none() {
                given.set(name, value);
            }
        }
        let mut overridden = Vec::new();
        for (name, value) in flags {
            let name = match name.split_once('.') {
                Some((of, name)) if of == it.name => name,
                None if template.parameters.contains_key(name) => name,
                _ => continue,
            };
            if given.get(name).is_some_and(|it| it != value) {
                overridden.push(name.to_owned());
            }
            given.set(name, value);
        }
        // Somebody's own template is sent as it is as long as it fits.
        let is_sent_whole = self.catalog.is_own() && it.text.len() <= INLINE_LIMIT;
        Ok(Spec {
            name: it.name.clone(),
            stack_name: it.stack_name.clone(),
            text: if is_sent_whole {
                it.text.clone()
            } else {
                write::compact(&it.text).with_context(read)?
            },
            template,
            template_path: it.template_path.clone(),
            params_path: path.display().to_string(),
            given,
            overridden,
            options: it.options.clone(),
        })
    }
}

/// File beside the parameter files that says which account and region they belong to.
pub(super) const PIN_FILE: &str = "pin.json";

/// What is in that file.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PinFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<String>,
}

/// The folder of the built-in stacks: of the project that one is in, else of the project that this was built from, else a
/// folder of one's own.
fn default_dir() -> PathBuf {
    let here = PathBuf::from("infra-cfn/params");
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra-cfn/params");
    match (here.is_dir(), built_from.is_dir()) {
        (true, _) => here,
        (false, true) => built_from,
        (false, false) => PathBuf::from("params"),
    }
}

/// The values of a parameter file; none where there is no file.
pub(super) fn read_values(path: &Path) -> anyhow::Result<ParameterFile> {
    match std::fs::read_to_string(path) {
        Ok(text) => ParameterFile::parse(&text).with_context(|| format!("read {}", path.display())),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(ParameterFile::default()),
        Err(err) => Err(err).with_context(|| format!("read {}", path.display())),
    }
}
