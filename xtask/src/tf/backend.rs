//! The state bucket, and the one file that says where it is.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;

use super::terraform::{Ended, Terraform};
use super::{BackendArgs, REFUSED};
use crate::output;

/// Makes the bucket, or brings it up to date, and writes the file.
///
/// The configuration in `bootstrap/` has a local state of its own: a bucket cannot hold the state it is made from.
pub(super) fn run(
    terraform: &Terraform,
    args: &BackendArgs,
    folder: &Path,
    can_ask: bool,
) -> Result<ExitCode> {
    if !args.yes && !can_ask {
        output::note("there is no terminal to ask on; say --yes to make the bucket without a question");
        return Ok(ExitCode::from(REFUSED));
    }
    let init = terraform.run(["init", "-input=false"])?;
    if init != Ended::Well {
        return Ok(init.code());
    }
    // Terraform shows the plan and asks by itself.
    let mut all: Vec<OsString> = vec!["apply".into()];
    all.extend(args.yes.then(|| "-auto-approve".into()));
    all.extend(args.args.iter().cloned());
    let applied = terraform.run(&all)?;
    if applied != Ended::Well {
        return Ok(applied.code());
    }
    let outputs = terraform.read(["output", "-json"])?;
    let file = folder.join("backend.hcl");
    std::fs::write(&file, configuration(&outputs)?).with_context(|| format!("write {}", file.display()))?;
    output::data(&file.display().to_string());
    output::note("The bucket's own state is infra-tf/bootstrap/terraform.tfstate: keep a copy of it.");
    output::note("Next: cargo xtask tf init --env NAME");
    Ok(ExitCode::SUCCESS)
}

/// The file, from the outputs of `bootstrap/`.
fn configuration(outputs: &str) -> Result<String> {
    let outputs: Value = serde_json::from_str(outputs).context("read the outputs of infra-tf/bootstrap")?;
    // A JSON string is an HCL string, too, except for `${` and `%{`, which no name of AWS has.
    let value = |name: &str| {
        let value = outputs.get(name).and_then(|it| it.get("value")).filter(|it| it.is_string());
        value.map(ToString::to_string).with_context(|| format!("infra-tf/bootstrap has no output {name}"))
    };
    Ok(format!(
        "# Where Terraform's state is; made by `cargo xtask tf backend`.\n\
         bucket     = {}\nregion     = {}\nkms_key_id = {}\n",
        value("state_bucket_name")?,
        value("region")?,
        value("state_kms_key_arn")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_has_what_the_outputs_say() {
        let outputs = r#"{"state_bucket_name":{"value":"b"},"region":{"value":"eu-west-1"},
            "state_kms_key_arn":{"value":"arn:aws:kms:x"},"state_bucket_arn":{"value":"y"}}"#;
        let text = configuration(outputs).expect("a file");
        let expected = "bucket     = \"b\"\nregion     = \"eu-west-1\"\nkms_key_id = \"arn:aws:kms:x\"\n";
        assert!(text.ends_with(expected), "{text}");
        let error = configuration("{}").expect_err("no outputs");
        assert_eq!(error.to_string(), "infra-tf/bootstrap has no output state_bucket_name");
    }
}
