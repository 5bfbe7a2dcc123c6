//! GitHub's workflows: their form, what they let strangers do, and the scripts in them.
//!
//! actionlint would say some of it better, but comes from no Python package that installs without a download of its
//! own; so it runs where it is installed, and the rest everywhere.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use super::{Outcome, files};
use crate::{output, python, workspace};

const SCRIPTS: &str = include_str!("workflow_scripts.py");

/// Runs every check; the first that finds something ends the step.
pub(super) fn run(sh: &Shell) -> Result<Outcome> {
    let workflows = files(sh, &workspace::root().join(".github").join("workflows"), "yml")?;
    let workflows = &workflows;
    let schema = python::tool(sh, "check-jsonschema")?;
    cmd!(sh, "{schema} --quiet --builtin-schema vendor.github-workflows {workflows...}")
        .quiet()
        .run()
        .context("check the form of the workflows")?;

    // Unpinned actions, wide tokens, text of strangers in scripts.
    let zizmor = python::tool(sh, "zizmor")?;
    cmd!(sh, "{zizmor} --offline --no-progress --quiet --min-severity low {workflows...}")
        .quiet()
        .run()
        .context("look for what strangers could do (zizmor)")?;

    let n_scripts = shellcheck(sh, workflows)?;
    output::note(&format!("{} workflows and {n_scripts} scripts in them, no findings", workflows.len()));

    let Some(actionlint) = workspace::find_program(&["actionlint"]) else {
        return Ok(Outcome::DoneWithout(
            "without actionlint: go install github.com/rhysd/actionlint/cmd/actionlint@latest".to_owned(),
        ));
    };
    cmd!(sh, "{actionlint} -color").quiet().run().context("check the workflows with actionlint")?;
    Ok(Outcome::Done)
}

fn shellcheck(sh: &Shell, workflows: &[std::path::PathBuf]) -> Result<usize> {
    let folder = workspace::target_dir().join("workflow-scripts");
    sh.remove_path(&folder)?;
    sh.create_dir(&folder)?;
    // Whichever of the tools it is that lies beside the interpreter.
    let python = python::tool(sh, "python")?;
    cmd!(sh, "{python} -c {SCRIPTS} {folder} {workflows...}")
        .quiet()
        .run()
        .context("take the scripts out of the workflows")?;
    let scripts = files(sh, &folder, "sh")?;
    let n_scripts = scripts.len();
    let shellcheck = python::tool(sh, "shellcheck")?;
    cmd!(sh, "{shellcheck} {scripts...}").quiet().run().context("shellcheck of the workflows' scripts")?;
    Ok(n_scripts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows a key on its line.
    fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
        let lines = text.lines().filter_map(|it| it.trim().strip_prefix(key));
        lines.map(str::trim).filter(|it| it.starts_with("cargo xtask")).collect()
    }

    #[test]
    fn artifact_of_the_pipeline_is_that_of_the_environment() {
        let path = workspace::root().join(".github/workflows/gitops.yml");
        let gitops = std::fs::read_to_string(path).expect("a file");
        let (plan, apply) =
            gitops.split_once("\n  plan:\n").expect("a job").1.split_once("\n  apply:\n").expect("jobs");
        for job in [plan, apply] {
            let artifact = job.split_once("- name: Lambda artifact").expect("a step").1;
            let artifact = artifact.split("- uses:").next().expect("its text");
            assert!(artifact.contains("cargo xtask lambda build --env \"$TF_ENVIRONMENT\""), "{artifact}");
            assert!(artifact.contains("bundle=infra-tf/rds-ca-bundle.pem"), "{artifact}");
            assert!(!artifact.contains("--arch"), "the environment states the processor: {artifact}");
        }
    }

    #[test]
    fn commits_are_checked_as_pull_requests_are() {
        let read = |path: &str| std::fs::read_to_string(workspace::root().join(path)).expect("a file");
        let gitops = read(".github/workflows/gitops.yml");
        let check =
            gitops.split_once("\n  check:\n").expect("a job").1.split_once("\n  plan:\n").expect("jobs").0;
        let on_pull_requests = values(check, "run:");
        let on_commits = read(".pre-commit-config.yaml");
        let on_commits = values(&on_commits, "entry:");
        assert_eq!(on_pull_requests.len(), 5, "{on_pull_requests:?}");
        for command in on_pull_requests {
            assert!(on_commits.contains(&command), "{command} is no hook: {on_commits:?}");
        }
    }
}
