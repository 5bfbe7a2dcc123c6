//! The CloudFormation templates: the project's own promises, cfn-lint, checkov, and what is inside of them —
//! IAM policies through parliament, start scripts of hosts through shellcheck.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use xshell::{Shell, cmd};

use super::{Outcome, files};
use crate::{output, python, workspace};

/// What the promises know of AWS, within the workspace.
pub(crate) const FACTS: &str = "infra-cfn/checks/schemas.json";

/// The same, made anew from what cfn-lint brings.
pub(crate) fn facts(sh: &Shell) -> Result<String> {
    let cargo = workspace::cargo();
    let needs = cmd!(sh, "{cargo} run --quiet --package infra-cfn -- needs").quiet().read()?;
    let python = python::checking_interpreter(sh)?;
    let script = workspace::root().join("infra-cfn/checks/schemas.py");
    let mut text =
        cmd!(sh, "{python} {script}").quiet().stdin(needs).read().context("read cfn-lint's schemas")?;
    text.push('\n');
    Ok(text)
}

/// Runs every check; the first that finds something ends the step.
pub(super) fn run(sh: &Shell) -> Result<Outcome> {
    let cargo = workspace::cargo();
    let taken_out = workspace::target_dir().join("cfn-extract");
    cmd!(sh, "{cargo} run --quiet --package infra-cfn -- check")
        .quiet()
        .run()
        .context("keep the promises")?;
    cmd!(sh, "{cargo} run --quiet --package infra-cfn -- extract {taken_out}").quiet().run()?;

    if facts(sh)? != sh.read_file(workspace::root().join(FACTS))? {
        bail!("{FACTS} is out of date: write it anew with `cargo xtask codegen`");
    }
    output::note("facts about AWS: as cfn-lint has them");

    let folder = workspace::root().join("infra-cfn").join("templates");
    let templates = files(sh, &folder, "yaml")?;
    let sent = files(sh, &taken_out.join("templates"), "yaml")?;
    let cfn_lint = python::tool(sh, "cfn-lint")?;
    // A warning fails it as an error does.
    let n_templates = templates.len();
    cmd!(sh, "{cfn_lint} {templates...}").quiet().run().context("cfn-lint")?;
    // What tells cfn-lint of warnings that are meant is not sent.
    cmd!(sh, "{cfn_lint} --ignore-checks W -- {sent...}")
        .quiet()
        .run()
        .context("cfn-lint of what is sent")?;
    output::note(&format!("cfn-lint: {n_templates} templates, as written and as sent, no findings"));
    output::note(&checkov(sh, &folder)?);

    let policies = taken_out.join("policies");
    let n_policies = files(sh, &policies, "json")?.len();
    let parliament = python::tool(sh, "parliament")?;
    let found = cmd!(sh, "{parliament} --directory {policies} --include_policy_extension json")
        .quiet()
        .ignore_status()
        .read()
        .context("start parliament")?;
    if !found.trim().is_empty() {
        bail!("parliament\n{found}");
    }
    output::note(&format!("parliament: {n_policies} policies, no findings"));

    let scripts = files(sh, &taken_out.join("user-data"), "sh")?;
    let n_scripts = scripts.len();
    let shellcheck = python::tool(sh, "shellcheck")?;
    cmd!(sh, "{shellcheck} {scripts...}").quiet().run().context("shellcheck of user data")?;
    output::note(&format!("shellcheck: {n_scripts} start scripts, no findings"));
    Ok(Outcome::Done)
}

/// Runs checkov and returns its counts as a line. Takes about 20 seconds, most of it loading checkov itself.
fn checkov(sh: &Shell, folder: &PathBuf) -> Result<String> {
    let checkov = python::tool(sh, "checkov")?;
    let text = cmd!(
        sh,
        "{checkov} --directory {folder} --framework cloudformation --skip-download --compact --output json"
    )
    .quiet()
    .ignore_status()
    .ignore_stderr()
    .read()
    .context("start checkov")?;
    let report: Value = serde_json::from_str(&text).context("read checkov's report")?;
    let (line, findings) = verdict(&report)?;
    if !findings.is_empty() {
        bail!("{line}\n{}", findings.join("\n"));
    }
    Ok(line)
}

/// Counts as a line, and what failed.
fn verdict(report: &Value) -> Result<(String, Vec<String>)> {
    let count = |name: &str| report["summary"][name].as_u64().with_context(|| format!("no count of {name}"));
    let line = format!(
        "checkov: {} passed, {} failed, {} skipped",
        count("passed")?,
        count("failed")?,
        count("skipped")?
    );
    let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    let empty = Vec::new();
    let list = |name: &str| report["results"][name].as_array().unwrap_or(&empty).clone();
    let mut findings: Vec<String> = list("failed_checks")
        .iter()
        .map(|it| {
            format!(
                "{}:{} {} {} {}",
                text(it, "file_path"),
                it["file_line_range"][0],
                text(it, "check_id"),
                text(it, "resource"),
                text(it, "check_name")
            )
        })
        .collect();
    let without_reason = |it: &&Value| text(&it["check_result"], "suppress_comment").trim().is_empty();
    findings.extend(list("skipped_checks").iter().filter(without_reason).map(|it| {
        format!(
            "{} {} {} is skipped without a reason",
            text(it, "file_path"),
            text(it, "check_id"),
            text(it, "resource")
        )
    }));
    if count("parsing_errors")? > 0 || count("passed")? == 0 {
        findings.push("checkov could not read every template".to_owned());
    }
    Ok((line, findings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(failed: &Value, skipped: &Value, passed: u64) -> Value {
        json!({
            "results": { "failed_checks": failed, "skipped_checks": skipped },
            "summary": { "passed": passed, "failed": failed.as_array().map_or(0, Vec::len),
                "skipped": skipped.as_array().map_or(0, Vec::len), "parsing_errors": 0 },
        })
    }

    #[test]
    fn a_skip_with_a_reason_is_fine() {
        let skip = json!([{ "check_id": "C", "check_result": { "suppress_comment": "because" } }]);
        let (line, findings) = verdict(&report(&json!([]), &skip, 3)).expect("a report");
        assert_eq!(line, "checkov: 3 passed, 0 failed, 1 skipped");
        assert_eq!(findings, Vec::<String>::new());
    }

    #[test]
    fn failures_and_bare_skips_and_nothing_at_all_are_findings() {
        let failed = json!([{
            "file_path": "/a.yaml", "file_line_range": [7, 9], "check_id": "CKV_1", "resource": "T.A", "check_name": "be good",
        }]);
        let skip =
            json!([{ "file_path": "/b.yaml", "check_id": "CKV_2", "resource": "T.B", "check_result": {} }]);
        let (_, findings) = verdict(&report(&failed, &skip, 0)).expect("a report");
        assert_eq!(
            findings,
            [
                "/a.yaml:7 CKV_1 T.A be good",
                "/b.yaml CKV_2 T.B is skipped without a reason",
                "checkov could not read every template",
            ]
        );
        assert!(verdict(&json!([])).is_err());
    }
}
