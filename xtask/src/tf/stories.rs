//! What happens to a deployment after its first day, as the guides have it, in one pretend account: a second environment
//! beside it, the next version of the functions, a major upgrade, a restore, its own end and return.
//!
//! Variables and arguments are read from the guides, so that what is typed there is what is tried here. What the AWS
//! command line does in them has no part in this: the account is Terraform's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::stage::Stage;
use super::terraform::{Ended, Terraform};
use crate::{output, workspace};

const OPERATIONS: &str = "docs/operations.md";
const GUIDE: &str = "docs/deploy-serverless.md";
const APPLY: &[&str] = &["apply", "-auto-approve"];
const DESTROY: &[&str] = &["destroy", "-auto-approve"];
/// Fails where there is anything to do.
const NOTHING_TO_DO: &[&str] = &["plan", "-detailed-exitcode"];

/// Tells the stories on an initialised copy; returns what went wrong.
pub(super) fn tell(terraform: &Terraform, base: &Path) -> Result<Vec<String>> {
    let begun = Instant::now();
    let stage = Stage::new(terraform, base, "first")?;
    let variables = Variables::new(base)?;
    if let Err(error) = told(&stage, base, variables) {
        return Ok(vec![format!("{error:#}")]);
    }
    let found = stage.findings()?;
    if found.is_empty() {
        output::note(&format!(
            "   stories: a second environment, new functions, upgrade, restore, end and return  {:>5.1} s",
            begun.elapsed().as_secs_f64()
        ));
    }
    Ok(found)
}

fn told(first: &Stage, base: &Path, mut variables: Variables) -> Result<()> {
    let operations = read(OPERATIONS)?;
    // The key that outlives a deployment, as the guide has it for a production database.
    let backend = first.beside(&base.join("bootstrap"), "stories");
    done(
        &backend,
        "the state bucket, and a key for the database",
        APPLY,
        &["var=database_key_enabled=true"],
    )?;
    variables.always(&format!("database_kms_key_arn={}", backend.output("database_kms_key_arn")?));
    let usual = variables.all();
    done(first, "a first environment", APPLY, &usual)?;
    second(first, base, &variables)?;
    new_functions(first, base, &variables)?;
    for name in outputs(&[operations.clone(), read(GUIDE)?]) {
        if first.output(&name)?.is_empty() {
            bail!("the guides print the output {name}, which is empty");
        }
    }

    let newer = variables.file("upgrade", &block(&operations, "database_allow_major_version_upgrade")?)?;
    let unmeant = variables.with(&["var=database_engine_version=18"]);
    if first.run(APPLY, &unmeant)?.0 == Ended::Well {
        bail!("a major upgrade that was not permitted was applied");
    }
    done(first, "a refused upgrade is taken back", APPLY, &usual)?;
    done(first, "a major upgrade", APPLY, &variables.with(&[&newer]))?;
    let upgraded = variables.with(&["var=database_engine_version=18"]);
    done(first, "it needs no admission afterwards", APPLY, &upgraded)?;
    done(first, "and nothing else", NOTHING_TO_DO, &upgraded)?;

    variables.always("database_engine_version=18");
    let usual = variables.all();
    let last = last_snapshot(first)?;
    let target = typed(&operations, "cargo xtask tf destroy --env ENV -- ")?;
    done(first, "the cluster is taken away", &[DESTROY, &[&target]].concat(), &usual)?;
    let text = block(&operations, "database_snapshot_identifier")?.replace("SNAPSHOT", &last);
    let restored = variables.with(&[&variables.file("restore", &text)?]);
    done(first, "and comes back from its last snapshot", APPLY, &restored)?;
    done(first, "which is looked at once", NOTHING_TO_DO, &usual)?;

    let last = last_snapshot(first)?;
    done(first, "all of it goes, with another last snapshot", DESTROY, &usual)?;
    let text = block(&operations, "database_snapshot_identifier")?.replace("SNAPSHOT", &last);
    let restored = variables.with(&[&variables.file("return", &text)?]);
    done(first, "and comes back under its name, with its data", APPLY, &restored)?;
    done(first, "and goes again, with yet another snapshot", DESTROY, &usual)
}

/// A second environment in the account, with what the guide has it say; it takes nothing over and nothing along.
fn second(first: &Stage, base: &Path, variables: &Variables) -> Result<()> {
    let usual = variables.all();
    let once = variables.file("second", &block(&read(GUIDE)?, "github_create_oidc_provider")?)?;
    let all = variables.with(&["var=environment=dev-2", &once]);
    let second = first.beside(base, "second");
    done(&second, "a second environment", APPLY, &all)?;
    done(&second, "it has nothing to do again", NOTHING_TO_DO, &all)?;
    done(first, "nor has the first", NOTHING_TO_DO, &usual)?;
    done(&second, "the second goes", DESTROY, &all)?;
    done(first, "and takes nothing of the first along", NOTHING_TO_DO, &usual)
}

/// Another artifact changes the functions and where their aliases point, and nothing else.
fn new_functions(first: &Stage, base: &Path, variables: &Variables) -> Result<()> {
    let fixtures = base.join("tests").join("fixtures");
    let mut artifact = std::fs::read(fixtures.join("artifact.zip")).context("read the artifact")?;
    artifact.push(0);
    std::fs::write(fixtures.join("next.zip"), artifact).context("write another artifact")?;
    let before = first.resources()?;
    let next = variables.with(&["var=lambda_artifact_path=tests/fixtures/next.zip"]);
    done(first, "the next version of the functions", APPLY, &next)?;
    let types = changed(&before, &first.resources()?);
    let expected = BTreeSet::from(["aws_lambda_alias".to_owned(), "aws_lambda_function".to_owned()]);
    if types != expected {
        bail!("another artifact changed {types:?}");
    }
    done(first, "and the version of before again", APPLY, &variables.all())
}

fn done<T: AsRef<str>>(stage: &Stage, shows: &str, command: &[&str], variables: &[T]) -> Result<()> {
    match stage.run(command, variables)? {
        (Ended::Well, _) => Ok(()),
        (_, text) => bail!("{shows}: {}\n{text}", command.join(" ")),
    }
}

/// The types of the resources that differ, made and removed ones included.
fn changed(before: &[Value], after: &[Value]) -> BTreeSet<String> {
    let is_made = |it: &&Value| it["mode"] == "managed";
    let differs = |it: &&Value, others: &[Value]| {
        let other = others.iter().find(|other| other["address"] == it["address"]);
        other.is_none_or(|other| other["values"] != it["values"])
    };
    let new = after.iter().filter(is_made).filter(|it| differs(it, before));
    let old = before.iter().filter(is_made).filter(|it| differs(it, after));
    new.chain(old).filter_map(|it| it["type"].as_str()).map(ToOwned::to_owned).collect()
}

/// The name of the snapshot that the cluster leaves when it goes.
fn last_snapshot(stage: &Stage) -> Result<String> {
    let resources = stage.resources()?;
    let cluster =
        resources.iter().find(|it| it["type"] == "aws_rds_cluster").context("there is no cluster")?;
    let name = cluster["values"]["final_snapshot_identifier"].as_str();
    name.map(ToOwned::to_owned).context("the cluster leaves no snapshot")
}

/// Variables for Terraform: a file that all begin with, and what is said further.
struct Variables {
    folder: PathBuf,
    always: Vec<String>,
}

impl Variables {
    fn new(base: &Path) -> Result<Self> {
        let folder = base.with_file_name("stories");
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self { folder, always: vec!["var-file=tests/ci.tfvars".to_owned()] })
    }

    fn always(&mut self, variable: &str) {
        self.always.push(format!("var={variable}"));
    }

    fn all(&self) -> Vec<String> {
        self.always.clone()
    }

    fn with(&self, further: &[&str]) -> Vec<String> {
        let further = further.iter().map(|it| (*it).to_owned());
        self.always.iter().cloned().chain(further).collect()
    }

    /// A file of variables, as an argument.
    fn file(&self, name: &str, text: &str) -> Result<String> {
        let file = self.folder.join(format!("{name}.tfvars"));
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        Ok(format!("var-file={}", file.display()))
    }
}

fn read(name: &str) -> Result<String> {
    std::fs::read_to_string(workspace::root().join(name)).with_context(|| format!("read {name}"))
}

/// The block of variables in a guide that has a word.
fn block(guide: &str, word: &str) -> Result<String> {
    let blocks = guide.split("```hcl\n").skip(1).filter_map(|it| it.split("```").next());
    let mut found = blocks.filter(|it| it.contains(word));
    found.next().map(ToOwned::to_owned).with_context(|| format!("no guide has variables with {word}"))
}

/// What a guide has typed behind a command.
fn typed(guide: &str, command: &str) -> Result<String> {
    let mut lines = guide.lines().filter_map(|it| it.strip_prefix(command));
    lines.next().map(ToOwned::to_owned).with_context(|| format!("no guide has {command}"))
}

/// The outputs that guides print.
fn outputs(guides: &[String]) -> BTreeSet<String> {
    let is_name = |it: char| it.is_ascii_lowercase() || it == '_' || it.is_ascii_digit();
    let mut names = BTreeSet::new();
    for guide in guides {
        let lines = guide.lines().filter(|it| it.contains("cargo xtask tf output"));
        for rest in lines.flat_map(|it| it.split("--raw ").skip(1)) {
            names.insert(rest.split(|it| !is_name(it)).next().unwrap_or_default().to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn guides_say_what_is_tried() {
        let (operations, guide) = (read(OPERATIONS).expect("a guide"), read(GUIDE).expect("a guide"));
        let upgrade = block(&operations, "database_allow_major_version_upgrade").expect("variables");
        assert!(upgrade.contains("database_engine_version "), "{upgrade}");
        assert!(
            block(&operations, "database_snapshot_identifier").expect("variables").contains("\"SNAPSHOT\"")
        );
        assert!(block(&guide, "github_create_oidc_provider").expect("variables").contains("logging"));
        let target = typed(&operations, "cargo xtask tf destroy --env ENV -- ").expect("a command");
        assert!(target.starts_with("-target=module.database."), "{target}");
        let names = outputs(&[operations, guide]);
        let expected = ["api_gateway_invoke_url", "database_credentials_secret_arn"];
        assert!(expected.iter().all(|it| names.contains(*it)), "{names:?}");
        assert!(block("", "x").is_err() && typed("", "x").is_err());
    }

    #[test]
    fn what_differs_is_told_by_type() {
        let it = |address: &str, kind: &str, value: i32| json!({"mode": "managed", "address": address, "type": kind, "values": {"x": value}});
        let before = [it("a", "t", 1), it("b", "u", 1), it("c", "v", 1)];
        let after = [it("a", "t", 2), it("b", "u", 1), it("d", "w", 1)];
        assert_eq!(changed(&before, &after), BTreeSet::from(["t", "v", "w"].map(ToOwned::to_owned)));
    }
}
