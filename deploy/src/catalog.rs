//! What stacks there are: a `stacks.toml` of somebody's own, or the one that is embedded, as plain values.
//!
//! The engine and the commands know no stack by name; everything about them comes from here.

mod file;
mod resolve;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use infra_cfn::{Stack, catalog::STACKS_FILE};

use crate::inputs::Options;
use file::File;

/// Name of the file that is read where none is named.
pub const FILE_NAME: &str = "stacks.toml";

/// Why there is no catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The command line does not fit to the file.
    #[error("{0}")]
    Usage(String),
    /// The file says something that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Not such a file; the words name line and key.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A file that it names cannot be read.
    #[error("read {path}")]
    Read {
        /// Which one.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Where stacks belong and what they are called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The environment, where the file has some.
    pub environment: Option<String>,
    /// Prefix of the stack names.
    pub prefix: String,
    /// Whether that is the prefix that the file gives.
    pub is_usual_prefix: bool,
    /// The account that everything belongs to.
    pub account: Option<String>,
    /// The region that everything belongs to.
    pub region: Option<String>,
    /// Profile of the AWS configuration.
    pub profile: Option<String>,
    /// Bucket for large templates.
    pub bucket: Option<String>,
}

impl Place {
    /// A text with `{environment}`, `{prefix}` and `{stack}` filled in; other braces stay.
    fn fill(&self, text: &str, stack: &str) -> String {
        text.replace("{environment}", self.environment.as_deref().unwrap_or_default())
            .replace("{prefix}", &self.prefix)
            .replace("{stack}", stack)
    }

    /// Folder inside that of the parameter files: environments and other prefixes share no password.
    pub fn folder(&self) -> Option<&str> {
        match &self.environment {
            Some(name) => Some(name),
            None => (!self.is_usual_prefix).then_some(self.prefix.as_str()),
        }
    }
}

/// A stack, with everything that is said about it.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Short name, on the command line.
    pub name: String,
    /// Name in CloudFormation.
    pub stack_name: String,
    /// Text of the template.
    pub text: String,
    /// Path of the template, for messages.
    pub template_path: String,
    /// The parameter file that it names; the usual one without it.
    pub parameters_file: Option<PathBuf>,
    /// Values of parameters.
    pub parameters: BTreeMap<String, String>,
    /// Values for every stack that has such a parameter.
    pub shared: BTreeMap<String, String>,
    /// What is asked of CloudFormation beside template and values.
    pub options: Options,
    /// Stacks that come first although nothing is imported from them.
    pub needs: Vec<String>,
    /// Why `terminate --all` leaves it out.
    pub stays: Option<String>,
    /// Output that names a bucket for large templates.
    pub bucket_output: Option<String>,
    /// A parameter file to begin with.
    pub sample: Option<&'static str>,
}

/// Every stack, and where they belong.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The file, where it is somebody's own.
    pub path: Option<PathBuf>,
    /// Where the stacks belong.
    pub place: Place,
    /// The stacks, in the order of the file.
    pub stacks: Vec<Definition>,
}

impl Catalog {
    /// The catalog of a file.
    ///
    /// # Errors
    /// See [`CatalogError`].
    pub fn of_file(
        path: &Path,
        environment: Option<&str>,
        prefix: Option<&str>,
    ) -> Result<Self, CatalogError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| CatalogError::Read { path: path.display().to_string(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let read = |name: &str| std::fs::read_to_string(folder.join(name));
        let mut catalog = Self::parse(&text, environment, prefix, folder, &read)?;
        catalog.path = Some(path.to_owned());
        Ok(catalog)
    }

    /// The embedded catalog: the stacks of this project.
    ///
    /// # Errors
    /// [`CatalogError::Usage`] for an environment, of which it has none.
    pub fn built_in(environment: Option<&str>, prefix: Option<&str>) -> Result<Self, CatalogError> {
        let stack_of = |path: &str| {
            let stem = Path::new(path).file_stem().and_then(|it| it.to_str()).unwrap_or_default();
            stem.parse::<Stack>().map_err(io::Error::other)
        };
        let read = |path: &str| stack_of(path).map(|it| it.template_text().to_owned());
        let mut catalog = Self::parse(STACKS_FILE, environment, prefix, Path::new("infra-cfn"), &read)?;
        for it in &mut catalog.stacks {
            it.sample = stack_of(&it.template_path).ok().map(Stack::sample_text);
            // Its value is part of the names; the flag is the way to another one.
            it.options.sets_prefix = false;
        }
        Ok(catalog)
    }

    /// Whether it is somebody's own.
    pub fn is_own(&self) -> bool {
        self.path.is_some()
    }

    fn parse(
        text: &str,
        environment: Option<&str>,
        prefix: Option<&str>,
        folder: &Path,
        read: &dyn Fn(&str) -> io::Result<String>,
    ) -> Result<Self, CatalogError> {
        let file: File = toml::from_str(text)?;
        let environment = resolve::environment(&file, environment)?;
        let named = environment.as_ref().map(|(name, it)| (name.as_str(), *it));
        let place = resolve::place(&file, named, prefix);
        let resolved = resolve::stacks(&file, named.map(|(_, it)| it), &place)?;
        let read = |name: &str| {
            read(name).map_err(|source| CatalogError::Read {
                path: folder.join(name).display().to_string(),
                source,
            })
        };
        let mut stacks = Vec::new();
        for it in resolved {
            stacks.push(Definition {
                text: read(&it.template)?,
                template_path: folder.join(&it.template).display().to_string(),
                parameters_file: it.parameters_file.map(|it| folder.join(it)),
                parameters: it.parameters,
                shared: it.shared,
                options: Options {
                    role_arn: it.role,
                    tags: it.tags,
                    notifications: it.notifications,
                    protect: it.protect,
                    policy: it.stack_policy.as_deref().map(read).transpose()?,
                    sets_prefix: true,
                },
                name: it.name,
                stack_name: it.stack_name,
                needs: it.needs,
                stays: it.stays,
                bucket_output: it.bucket_output,
                sample: None,
            });
        }
        Ok(Self { path: None, place, stacks })
    }
}
