//! What the flags select: templates with their values, and the order of the stacks that are wanted.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use infra_cfn::{
    Stack, Template, catalog::DEFAULT_PREFIX, graph::Graph, params::ParameterFile, template::INLINE_LIMIT,
    write,
};

use deploy::{Pin, Spec};

use super::{UsageError, flags::Home, flags::Target};

/// Every stack's template, and the graph of those that are wanted.
pub(super) struct Selection {
    pub(super) specs: Vec<Spec>,
    pub(super) graph: Graph,
}

impl Target {
    /// The stacks that are wanted, in the order of the catalog.
    pub(super) fn wanted(&self) -> anyhow::Result<Vec<Stack>> {
        if self.all {
            return Ok(Stack::ALL.to_vec());
        }
        if self.stacks.is_empty() {
            return Err(UsageError::of("name a stack with --stack NAME, or all of them with --all"));
        }
        Ok(Stack::ALL.into_iter().filter(|it| self.stacks.contains(it)).collect())
    }

    /// The stacks that a removal takes: "all" leaves out the one that holds who is removing.
    pub(super) fn wanted_for_removal(&self) -> anyhow::Result<Vec<Stack>> {
        let mut wanted = self.wanted()?;
        if self.all {
            wanted.retain(|it| *it != Stack::Iam);
            let stays = format!(
                "{} stays: it is who you are. Remove it last, with other credentials: delete the access keys and the MFA device of its user, then terminate --stack iam",
                Stack::Iam.stack_name(&self.home.prefix)
            );
            writeln!(anstream::stderr(), "{stays}").context("write to stderr")?;
        }
        Ok(wanted)
    }

    /// The same for commands that only look: nothing named means everything.
    pub(super) fn wanted_or_all(&self) -> Vec<Stack> {
        self.wanted().unwrap_or_else(|_| Stack::ALL.to_vec())
    }
}

impl Home {
    /// The folder of the parameter files. One that is named has to be there.
    pub(super) fn params_dir(&self) -> anyhow::Result<PathBuf> {
        match &self.params_dir {
            Some(dir) if !dir.is_dir() => Err(UsageError::of(format!(
                "--params-dir {}: there is no such folder; params init makes one",
                dir.display()
            ))),
            Some(dir) => Ok(dir.clone()),
            None => {
                let own = own_dir(&default_dir(), &self.prefix);
                Ok(if own.is_dir() { own } else { default_dir() })
            }
        }
    }

    /// The folder, where it is made when it is not there.
    pub(super) fn params_dir_to_be(&self) -> PathBuf {
        self.params_dir.clone().unwrap_or_else(|| own_dir(&default_dir(), &self.prefix))
    }

    /// Where the parameter files belong, when a file beside them says so.
    pub(super) fn pin(&self) -> anyhow::Result<Pin> {
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
    pub(super) fn select(&self, stacks: &[Stack], flags: &[(String, String)]) -> anyhow::Result<Selection> {
        let dir = self.params_dir()?;
        let specs: Vec<Spec> = Stack::ALL
            .into_iter()
            .map(|it| {
                let path = dir.join(format!("{it}.json"));
                let given = if stacks.contains(&it) { read_values(&path)? } else { ParameterFile::default() };
                self.spec(it, &path, given, flags)
            })
            .collect::<Result<_, _>>()?;
        refuse_unknown(flags, stacks, &specs)?;
        let graph = self.graph(&specs)?.restrict(&stacks.iter().map(|it| it.name()).collect::<Vec<_>>());
        Ok(Selection { specs, graph })
    }

    fn graph(&self, specs: &[Spec]) -> anyhow::Result<Graph> {
        let templates: Vec<(&str, &Template)> =
            specs.iter().map(|it| (it.name.as_str(), &it.template)).collect();
        let mut whole = Graph::build(&self.prefix, &templates).context("order the stacks")?;
        // A template that does not fit into a request goes through the bucket of the s3 stack.
        for spec in specs.iter().filter(|it| it.text.len() > INLINE_LIMIT) {
            whole = whole.with_wait(&spec.name, Stack::S3.name()).context("order the stacks")?;
        }
        Ok(whole)
    }

    pub(super) fn spec(
        &self,
        stack: Stack,
        path: &Path,
        mut given: ParameterFile,
        flags: &[(String, String)],
    ) -> anyhow::Result<Spec> {
        let template = Template::parse(stack.template_text())
            .with_context(|| format!("read {}", stack.template_path()))?;
        let mut overridden = Vec::new();
        for (name, value) in flags {
            let name = match name.split_once('.') {
                Some((of, name)) if of == stack.name() => name,
                None if template.parameters.contains_key(name) => name,
                _ => continue,
            };
            if given.get(name).is_some_and(|it| it != value) {
                overridden.push(name.to_owned());
            }
            given.set(name, value);
        }
        Ok(Spec {
            name: stack.name().to_owned(),
            stack_name: stack.stack_name(&self.prefix),
            text: write::compact(stack.template_text())
                .with_context(|| format!("read {}", stack.template_path()))?,
            template,
            template_path: stack.template_path(),
            params_path: path.display().to_string(),
            given,
            overridden,
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

fn default_dir() -> PathBuf {
    let here = PathBuf::from("infra-cfn/params");
    // Started from somewhere else in the workspace.
    if here.is_dir() { here } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra-cfn/params") }
}

/// An installation with another prefix has a folder of its own, and so passwords of its own.
fn own_dir(base: &Path, prefix: &str) -> PathBuf {
    if prefix == DEFAULT_PREFIX { base.to_owned() } else { base.join(prefix) }
}

/// The values of a parameter file; none where there is no file.
pub(super) fn read_values(path: &Path) -> anyhow::Result<ParameterFile> {
    match std::fs::read_to_string(path) {
        Ok(text) => ParameterFile::parse(&text).with_context(|| format!("read {}", path.display())),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(ParameterFile::default()),
        Err(err) => Err(err).with_context(|| format!("read {}", path.display())),
    }
}

/// A flag that no wanted stack takes is a mistake, not a wish for nothing.
fn refuse_unknown(flags: &[(String, String)], stacks: &[Stack], specs: &[Spec]) -> anyhow::Result<()> {
    let wanted = || specs.iter().filter(|spec| stacks.iter().any(|it| it.name() == spec.name));
    for (name, _) in flags {
        let (of, parameter) = match name.split_once('.') {
            Some((of, parameter)) => (Some(of), parameter),
            None => (None, name.as_str()),
        };
        if let Some(of) = of
            && !stacks.iter().any(|it| it.name() == of)
        {
            return Err(UsageError::of(format!(
                "a parameter is given for \"{of}\", which is not among the stacks of this command"
            )));
        }
        let mut takers = wanted().filter(|it| of.is_none_or(|of| it.name == of));
        if !takers.any(|it| it.template.parameters.contains_key(parameter)) {
            let names: Vec<&str> = stacks.iter().map(|it| it.name()).collect();
            let of =
                of.map_or_else(|| format!("no stack of {}", names.join(", ")), |of| format!("not even {of}"));
            return Err(UsageError::of(format!("{of} has a parameter \"{parameter}\"")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_prefix_has_a_folder_of_its_own() {
        let base = Path::new("params");
        assert_eq!(own_dir(base, DEFAULT_PREFIX), base);
        assert_eq!(own_dir(base, "second"), base.join("second"));
    }
}
