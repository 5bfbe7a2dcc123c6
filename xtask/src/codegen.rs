//! `cargo xtask codegen`: writes the pages that mirror a table in the code, or checks that they still do.
//!
//! The table's own crate makes the text, in the test that keeps page and table in step; here is only the list.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::ci::cloudformation::{self, FACTS};
use crate::cli::CodegenArgs;
use crate::{output, workspace};

/// A generated file and the test that holds it against its source.
struct Page {
    path: &'static str,
    package: &'static str,
    test: &'static str,
}

/// Every generated file.
const PAGES: &[Page] = &[
    Page {
        path: "docs/configuration.md",
        package: "api",
        test: "config::tests::configuration_reference_is_current",
    },
    Page {
        path: "docs/errors.md",
        package: "api",
        test: "error::codes::tests::the_reference_page_is_up_to_date",
    },
    Page {
        path: "docs/cloudformation.md",
        package: "deploy",
        test: "status::tests::the_table_in_the_reference_is_current",
    },
    Page {
        path: "docs/cloudformation-parameters.md",
        package: "infra-cfn",
        test: "reference::the_reference_page_is_up_to_date",
    },
    Page {
        path: "docs/lint.md",
        package: "schema-lint",
        test: "reference::the_reference_page_is_up_to_date",
    },
];

/// Writes every page anew; with `--check` only says which are out of date.
pub(crate) fn run(args: &CodegenArgs) -> Result<ExitCode> {
    let sh = workspace::shell()?;
    let cargo = workspace::cargo();
    let _write = (!args.check).then(|| sh.push_env("UPDATE_DOCS", "1"));
    let mut stale = Vec::new();
    match facts(&sh, args.check) {
        Ok((verdict, is_stale)) => {
            output::data(&format!("{FACTS:<24} {verdict}"));
            stale.extend(is_stale.then_some(FACTS));
        }
        Err(error) => output::note(&format!("{FACTS} is left as it is: {error:#}")),
    }
    for Page { path, package, test } in PAGES {
        let before = sh.read_file(path).unwrap_or_default();
        let ran = cmd!(sh, "{cargo} test --quiet --package {package} --lib -- --exact {test}")
            .quiet()
            .ignore_stderr()
            .read();
        // A test that was renamed would be no test, and no test never fails.
        if ran.as_ref().is_ok_and(|told| !told.contains("1 passed")) {
            bail!(
                "{package} has no test `{test}` that keeps {path} in step; mend the list in xtask/src/codegen.rs"
            );
        }
        let verdict = match (args.check, ran) {
            (true, Err(_)) => {
                stale.push(*path);
                "out of date"
            }
            (false, Err(error)) => return Err(error).with_context(|| format!("write {path}")),
            (true, Ok(_)) => "current",
            (false, Ok(_)) if sh.read_file(path).context("read what was written")? == before => "current",
            (false, Ok(_)) => "written",
        };
        output::data(&format!("{path:<24} {verdict}"));
    }
    if !stale.is_empty() {
        bail!("out of date: {}; write anew with `cargo xtask codegen`", stale.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes down what cfn-lint knows of what the templates use. First, since tests of the pages read it.
fn facts(sh: &Shell, only_check: bool) -> Result<(&'static str, bool)> {
    let text = cloudformation::facts(sh)?;
    let path = workspace::root().join(FACTS);
    if sh.read_file(&path).unwrap_or_default() == text {
        return Ok(("current", false));
    }
    if only_check {
        return Ok(("out of date", true));
    }
    sh.write_file(&path, text)?;
    Ok(("written", false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_says_how_it_is_written() {
        for Page { path, .. } in PAGES {
            let text = std::fs::read_to_string(workspace::root().join(path)).expect("a generated page");
            assert!(text.contains("cargo xtask codegen"), "{path} does not name its generator");
        }
    }
}
