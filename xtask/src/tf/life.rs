//! The whole life of each configuration: applied, planned again, destroyed.
//!
//! Only ever with providers that pretend: what is applied here exists nowhere. It shows what a plan cannot: keys that
//! are unknown until something exists, an order that does not work out, a second plan that wants to change again.
//! The providers are asked to refuse what the real ones and AWS refuse, and to note what AWS takes and then does not work.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::terraform::{Ended, Terraform};
use crate::output;

/// Each folder keeps its state beside it, whatever its backend is.
pub(super) const LOCAL_STATE: (&str, &str) = ("life_override.tf", "terraform {\n  backend \"local\" {}\n}\n");

/// What lets a configuration be destroyed that guards itself against that.
const TEARDOWN: (&str, &str) = ("teardown_override.tf.example", "teardown_override.tf");

/// One life that went well.
#[derive(Debug)]
pub(crate) struct Life {
    /// Folder and variables: `modules/waf everything`.
    pub(crate) name: String,
    /// What was made and looked up, from every module, as `terraform show -json` prints it.
    pub(crate) resources: Vec<Value>,
    time: Duration,
}

impl Life {
    /// How many resources were made.
    fn n_made(&self) -> usize {
        self.resources.iter().filter(|it| it["mode"] == "managed").count()
    }

    #[cfg(test)]
    pub(crate) fn of(name: &str, resources: Vec<Value>) -> Self {
        Self { name: name.to_owned(), resources, time: Duration::ZERO }
    }
}

/// Lives of initialised folders, one for each `tests/*.tfvars`; two folders at a time on two processors.
///
/// The second list says what failed.
pub(super) fn all(
    terraform: &Terraform,
    base: &Path,
    folders: &[PathBuf],
) -> Result<(Vec<Life>, Vec<String>)> {
    let terraform = without_credentials(terraform);
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::new(), Vec::new()));
    let work = || -> Result<()> {
        while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            for variables in variable_files(folder)? {
                let life = live(&terraform.within(folder), base, folder, &variables);
                let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                match life {
                    Ok(life) => {
                        output::note(&line(&life));
                        done.0.push(life);
                    }
                    Err(error) => {
                        output::failure(&error);
                        done.1.push(error.to_string().lines().next().unwrap_or_default().to_owned());
                    }
                }
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let n_threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(4);
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|it| match it.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    Ok(done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// The stand-in asks for no credentials. Should a provider ever be the real one, these get it nowhere.
pub(super) fn without_credentials(terraform: &Terraform) -> Terraform {
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        .iter()
        .fold(terraform.clone(), |it, name| it.with_env(name, "none"))
        .with_env("AWS_EC2_METADATA_DISABLED", "true")
}

fn line(life: &Life) -> String {
    format!(
        "   {:<32} {:>3} resources applied, nothing to change, destroyed  {:>5.1} s",
        life.name,
        life.n_made(),
        life.time.as_secs_f64()
    )
}

/// The sets of variables that a folder is tried with.
fn variable_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let tests = folder.join("tests");
    let entries = std::fs::read_dir(&tests).with_context(|| format!("read {}", tests.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("read {}", tests.display()))?.path();
        if path.extension().is_some_and(|it| it == "tfvars") {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("{} has no .tfvars to apply the configuration with", tests.display());
    }
    files.sort();
    Ok(files)
}

fn live(terraform: &Terraform, base: &Path, folder: &Path, variables: &Path) -> Result<Life> {
    let begun = Instant::now();
    let stem = variables.file_stem().unwrap_or_default().to_string_lossy();
    let at = folder;
    let folder = folder.strip_prefix(base).unwrap_or(folder).display().to_string();
    let name = format!("{} {stem}", if folder.is_empty() { "(root)" } else { &folder });
    let mut file = OsString::from("-var-file=");
    file.push(variables);
    let account = Account::new(base, &name)?;
    let terraform = &account.enter(terraform, is_whole(&folder));
    let run = |args: &[&str]| -> Result<(Ended, String)> {
        // What stands last of the variables counts.
        let (command, args) = args.split_first().context("name a command")?;
        let common = [OsString::from(command), "-input=false".into(), file.clone()];
        terraform.keep(common.into_iter().chain(args.iter().map(OsString::from)))
    };
    let step = |what: &str, args: &[&str]| -> Result<()> {
        match run(args)? {
            (Ended::Well, _) => Ok(()),
            (Ended::Badly, text) => bail!("{name}: {what}\n{text}"),
            (Ended::Interrupted, _) => bail!("{name}: interrupted"),
        }
    };
    step("cannot be applied", &["apply", "-auto-approve"])?;
    let state: Value =
        serde_json::from_str(&terraform.read(["show", "-json"])?).context("read what was applied")?;
    step("a second plan changes something again", &["plan", "-detailed-exitcode"])?;
    // A protected database is destroyed as the guide has it: by an apply without the protection first.
    let unprotected = protection(at)?.map(|it| format!("-var={it}=false"));
    let mut destroy = vec!["destroy", "-auto-approve", "-refresh=false"];
    if let Some(unprotected) = &unprotected {
        step("cannot be left unprotected", &["apply", "-auto-approve", unprotected])?;
        destroy.push(unprotected);
    }
    let (guard, teardown) = (at.join(TEARDOWN.0), at.join(TEARDOWN.1));
    if guard.is_file() {
        if run(&destroy)?.0 == Ended::Well {
            bail!("{name}: was destroyed without a question, though it guards itself");
        }
        std::fs::copy(&guard, &teardown).with_context(|| format!("copy {}", guard.display()))?;
    }
    step("cannot be destroyed", &destroy)?;
    if teardown.is_file() {
        std::fs::remove_file(&teardown).with_context(|| format!("remove {}", teardown.display()))?;
    }
    let broken = account.findings()?;
    if !broken.is_empty() {
        bail!("{name}: AWS takes this, and then it does not work\n{}", broken.join("\n"));
    }
    let mut resources = Vec::new();
    collect(&state["values"]["root_module"], &mut resources);
    Ok(Life { name, resources, time: begun.elapsed() })
}

/// The variable that protects a folder's database, where there is one.
fn protection(folder: &Path) -> Result<Option<&'static str>> {
    let file = folder.join("variables.tf");
    if !file.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let names = ["database_deletion_protection", "deletion_protection"];
    Ok(names.into_iter().find(|it| text.contains(&format!("variable \"{it}\" {{"))))
}

/// A module on its own names things that somebody else makes; a whole configuration makes all it names.
fn is_whole(folder: &str) -> bool {
    !folder.starts_with("modules")
}

/// A pretend account, in which configurations find what others have made.
#[derive(Clone)]
pub(super) struct Account(PathBuf);

impl Account {
    /// An empty one.
    pub(super) fn new(base: &Path, name: &str) -> Result<Self> {
        let plain = |it: char| if it.is_ascii_alphanumeric() { it } else { '-' };
        let folder = base.with_file_name("accounts").join(name.chars().map(plain).collect::<String>());
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// Terraform in the account; the real provider knows none of the variables.
    pub(super) fn enter(&self, terraform: &Terraform, has_memory: bool) -> Terraform {
        let terraform = terraform
            .clone()
            .with_env("TERRAFORM_OFFLINE_STRICT", "1")
            .with_env("TERRAFORM_OFFLINE_FINDINGS", self.0.join("findings.jsonl"));
        if has_memory { terraform.with_env("TERRAFORM_OFFLINE_ACCOUNT", &self.0) } else { terraform }
    }

    /// What was noted as not working, a line each.
    pub(super) fn findings(&self) -> Result<Vec<String>> {
        let errors = self.lines("findings.jsonl")?.into_iter().filter(|it| it["level"] == "error");
        Ok(errors
            .map(|it| format!("{}: {}: {}", text(&it["rule"]), text(&it["what"]), text(&it["detail"])))
            .collect())
    }

    /// A file of the account that has JSON in each line; none where it was never written.
    pub(super) fn lines(&self, name: &str) -> Result<Vec<Value>> {
        let file = self.0.join(name);
        if !file.is_file() {
            return Ok(Vec::new());
        }
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        text.lines()
            .map(|it| serde_json::from_str(it).with_context(|| format!("read {}", file.display())))
            .collect()
    }

    /// Forgets what was noted so far.
    pub(super) fn forget(&self) -> Result<()> {
        ["calls.jsonl", "findings.jsonl"].iter().try_for_each(|it| super::remove(&self.0.join(it)))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What a module and those in it made and looked up.
pub(super) fn collect(module: &Value, resources: &mut Vec<Value>) {
    let list = |name: &str| module[name].as_array().into_iter().flatten();
    resources.extend(list("resources").cloned());
    list("child_modules").for_each(|it| collect(it, resources));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn resources_come_from_every_module_and_only_those_made_are_counted() {
        let read = json!({"mode": "data", "type": "aws_region"});
        let made = json!({"mode": "managed", "type": "aws_vpc"});
        let module = json!({"resources": [made.clone()],
            "child_modules": [{"resources": [read, made.clone()], "child_modules": [{"resources": [made]}]}]});
        let mut resources = Vec::new();
        collect(&module, &mut resources);
        assert_eq!(resources.len(), 4);
        assert_eq!(Life::of("x", resources).n_made(), 3);
    }

    #[test]
    fn folder_without_variables_is_a_mistake() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("tests")).expect("a folder");
        let error = variable_files(dir.path()).expect_err("nothing to apply with");
        assert!(error.to_string().contains("no .tfvars"), "{error}");
        std::fs::write(dir.path().join("tests").join("defaults.tfvars"), "").expect("a file");
        std::fs::write(dir.path().join("tests").join("root.tftest.hcl"), "").expect("a file");
        assert_eq!(variable_files(dir.path()).expect("one").len(), 1);
    }
}
