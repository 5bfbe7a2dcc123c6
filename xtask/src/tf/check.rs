//! What needs no account: validation and tests of every configuration.
//!
//! They run on a copy below `target/`, because `init` writes a lock file with the hashes of whatever providers it met.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::life::{self, Life};
use super::roles;
use super::stories;
use super::terraform::{Ended, Terraform};
use crate::{output, tidy, workspace};

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Folders below infra-tf; all of them when left out
    #[arg(value_name = "FOLDER")]
    pub(crate) folders: Vec<PathBuf>,
    /// Arguments for terraform
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<OsString>,
}

/// What came of checks.
pub(crate) enum Verdict {
    /// All well.
    Passed,
    /// These folders failed; Terraform has said why.
    Failed(Vec<String>),
    /// Ended by Ctrl-C.
    Interrupted,
}

impl Verdict {
    fn told(self) -> Ended {
        match self {
            Self::Passed => Ended::Well,
            Self::Interrupted => Ended::Interrupted,
            Self::Failed(folders) => {
                output::note(&format!("failed: {}", folders.join(", ")));
                Ended::Badly
            }
        }
    }
}

/// Validates configurations; says which failed.
pub(super) fn validate(infra: &Path, args: &CheckArgs) -> Result<Ended> {
    let verdict = each(infra, args, &[], |terraform, _| {
        terraform.run(std::iter::once("validate".into()).chain(args.args.clone()))
    })?;
    Ok(verdict.told())
}

/// Runs the tests of configurations that have some.
pub(super) fn test(infra: &Path, args: &CheckArgs) -> Result<Ended> {
    let verdict = each(infra, args, &[], |terraform, folder| {
        if !has_tests(folder) {
            return Ok(Ended::Well);
        }
        terraform.run(std::iter::once("test".into()).chain(args.args.clone()))
    })?;
    Ok(verdict.told())
}

/// Both, for the gate, with further variables for Terraform.
pub(crate) fn validate_and_test(infra: &Path, env: &[(OsString, OsString)]) -> Result<Verdict> {
    let all = CheckArgs { folders: Vec::new(), args: Vec::new() };
    each(infra, &all, env, validate_and_test_one)
}

/// Both, and the whole life of each configuration, with providers that pretend.
pub(crate) fn validate_test_and_live(
    infra: &Path,
    env: &[(OsString, OsString)],
) -> Result<(Verdict, Vec<Life>)> {
    let copy = copy(infra)?;
    let terraform = prepare(&copy, env)?;
    let folders = folders(&copy)?;
    let (name, text) = life::LOCAL_STATE;
    for folder in &folders {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    }
    let verdict = visit(&terraform, &copy, &folders, &["init", "-input=false"], validate_and_test_one)?;
    if !matches!(verdict, Verdict::Passed) {
        return Ok((verdict, Vec::new()));
    }
    output::note("── apply, a second plan, destroy; with providers that pretend");
    let (lives, mut failed) = life::all(&terraform, &copy, &folders)?;
    if failed.is_empty() {
        output::note("── the CI roles at work, and the stories of the guides; with providers that pretend");
        let (proved, told) = std::thread::scope(|scope| {
            let told = scope.spawn(|| stories::tell(&terraform, &copy));
            let proved = roles::prove(&terraform, &copy);
            (proved, told.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        failed = [proved?, told?].concat();
    }
    Ok((if failed.is_empty() { Verdict::Passed } else { Verdict::Failed(failed) }, lives))
}

fn validate_and_test_one(terraform: &Terraform, folder: &Path) -> Result<Ended> {
    let valid = terraform.run(["validate"])?;
    if valid != Ended::Well || !has_tests(folder) {
        return Ok(valid);
    }
    terraform.run(["test"])
}

fn has_tests(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder.join("tests")).into_iter().flatten().flatten();
    entries.map(|it| it.file_name()).any(|it| it.to_string_lossy().ends_with(".tftest.hcl"))
}

fn each(
    infra: &Path,
    args: &CheckArgs,
    env: &[(OsString, OsString)],
    run: impl Fn(&Terraform, &Path) -> Result<Ended>,
) -> Result<Verdict> {
    let copy = copy(infra)?;
    let folders = if args.folders.is_empty() {
        folders(&copy)?
    } else {
        args.folders.iter().map(|it| copy.join(it)).collect()
    };
    visit(&prepare(&copy, env)?, &copy, &folders, &["init", "-backend=false", "-input=false"], run)
}

/// Terraform on a copy, with a cache of providers.
fn prepare(copy: &Path, env: &[(OsString, OsString)]) -> Result<Terraform> {
    let plugins = workspace::target_dir().join("terraform").join("plugins");
    std::fs::create_dir_all(&plugins).with_context(|| format!("make {}", plugins.display()))?;
    let terraform =
        Terraform::find(copy)?.with_env("TF_PLUGIN_CACHE_DIR", plugins).with_env("TF_IN_AUTOMATION", "1");
    Ok(env.iter().fold(terraform, |it, (name, value)| it.with_env(name, value)))
}

/// Initialises folders one after the other, since the cache of providers is not safe for two at a time, and runs
/// something in each.
fn visit(
    terraform: &Terraform,
    copy: &Path,
    folders: &[PathBuf],
    init: &[&str],
    run: impl Fn(&Terraform, &Path) -> Result<Ended>,
) -> Result<Verdict> {
    let mut failed = Vec::new();
    for folder in folders {
        let shown = folder.strip_prefix(copy).unwrap_or(folder).display().to_string();
        let shown = if shown.is_empty() { "(root)".to_owned() } else { shown };
        if !folder.is_dir() {
            bail!("there is no folder infra-tf/{shown}");
        }
        output::note(&format!("── {shown}"));
        let terraform = terraform.within(folder);
        let ended = match terraform.run(init)? {
            Ended::Well => run(&terraform, folder)?,
            other => other,
        };
        match ended {
            Ended::Well => {}
            Ended::Badly => failed.push(shown),
            Ended::Interrupted => return Ok(Verdict::Interrupted),
        }
    }
    Ok(if failed.is_empty() { Verdict::Passed } else { Verdict::Failed(failed) })
}

/// Every folder with its own configuration.
pub(super) fn folders(infra: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![infra.to_owned(), infra.join("bootstrap")];
    for parent in ["modules", "examples"] {
        let parent = infra.join(parent);
        let Ok(entries) = std::fs::read_dir(&parent) else { continue };
        for entry in entries {
            found.push(entry.with_context(|| format!("read {}", parent.display()))?.path());
        }
    }
    found.retain(|it| it.join("main.tf").is_file());
    found.sort();
    Ok(found)
}

/// A copy of `infra-tf` and of the sources that its artifact is checked against.
fn copy(infra: &Path) -> Result<PathBuf> {
    let root = infra.parent().context("infra-tf has a parent")?;
    let base = workspace::target_dir().join("terraform").join("check");
    if base.exists() {
        std::fs::remove_dir_all(&base).with_context(|| format!("remove {}", base.display()))?;
    }
    for file in tidy::project_files(root)? {
        let Ok(relative) = file.strip_prefix(root) else { continue };
        let is_needed = relative.starts_with("infra-tf")
            || relative.starts_with("api/src")
            || relative.starts_with("pg-wire-client/src")
            || relative == Path::new("api/Cargo.toml")
            || relative == Path::new("pg-wire-client/Cargo.toml")
            || relative == Path::new("Cargo.lock")
            || relative == Path::new("Cargo.toml");
        if !is_needed || relative.ends_with(".terraform.lock.hcl") {
            continue;
        }
        let target = base.join(relative);
        let parent = target.parent().unwrap_or(&base);
        std::fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
        std::fs::copy(&file, &target).with_context(|| format!("copy {}", file.display()))?;
    }
    Ok(base.join("infra-tf"))
}
