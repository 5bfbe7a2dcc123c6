//! The state bucket, and the one file that says where it is.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;

use super::summary::Summary;
use super::terraform::{Ended, Terraform};
use super::{BackendArgs, REFUSED, remove};
use crate::output;

/// Makes the bucket, or brings it up to date, and writes the file.
///
/// The configuration in `bootstrap/` has its own local state: a bucket cannot hold the state it is made from.
/// Where there is one already, its region stays unless another is named, and nothing that holds a state is replaced.
pub(super) fn run(
    terraform: &Terraform,
    args: &BackendArgs,
    folder: &Path,
    ask: fn(&str) -> Result<Option<String>>,
    login: fn() -> Option<String>,
) -> Result<ExitCode> {
    let init = terraform.run(["init", "-input=false"])?;
    if init != Ended::Well {
        return Ok(init.code());
    }
    let plan_file = folder.join(".terraform").join("backend.tfplan");
    std::fs::create_dir_all(folder.join(".terraform")).context("make the folder of the plan")?;
    let mut all: Vec<OsString> = vec!["plan".into(), "-input=false".into()];
    let mut out = OsString::from("-out=");
    out.push(&plan_file);
    all.push(out);
    let known = terraform.read(["output", "-json"])?;
    all.extend(earlier(&known, &args.args)?.into_iter().map(OsString::from));
    all.extend(args.args.iter().cloned());
    let planned = terraform.run(&all)?;
    if planned != Ended::Well {
        if let (Ended::Badly, Some(advice)) = (planned, login()) {
            output::note(&advice);
        }
        return Ok(planned.code());
    }
    let ended = apply(terraform, args, folder, &plan_file, ask);
    remove(&plan_file)?;
    ended
}

fn apply(
    terraform: &Terraform,
    args: &BackendArgs,
    folder: &Path,
    plan_file: &Path,
    ask: fn(&str) -> Result<Option<String>>,
) -> Result<ExitCode> {
    let show = [OsString::from("show"), "-json".into(), plan_file.into()];
    let summary = Summary::read(&terraform.read(show)?)?;
    output::note(&summary.to_text());
    summary.refuse_data_loss(false)?;
    if !args.yes && !summary.is_empty() && ask("Make this? Type yes: ")?.as_deref() != Some("yes") {
        output::note("nothing was made; say --yes to make it without a question");
        return Ok(ExitCode::from(REFUSED));
    }
    let applied = terraform.run([OsString::from("apply"), "-input=false".into(), plan_file.into()])?;
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

/// What the bucket that is there was made with, as arguments, where those given say nothing of it: the defaults may be
/// others, and would replace it.
fn earlier(outputs: &str, args: &[OsString]) -> Result<Vec<String>> {
    let outputs: Value = serde_json::from_str(outputs).context("read the outputs of infra-tf/bootstrap")?;
    let args: Vec<_> = args.iter().map(|it| it.to_string_lossy()).collect();
    // A file of variables may say any of it.
    if args.iter().any(|it| it.trim_start_matches('-').starts_with("var-file")) {
        return Ok(Vec::new());
    }
    let output = |name: &str| outputs[name]["value"].as_str();
    let known = [
        ("region", output("region")),
        ("bucket_name", output("state_bucket_name")),
        ("database_key_enabled", output("database_kms_key_arn").map(|_| "true")),
    ];
    let is_named = |name: &str| args.iter().any(|it| it.contains(&format!("{name}=")));
    let kept = known.iter().filter(|(name, _)| !is_named(name));
    Ok(kept.filter_map(|(name, value)| value.map(|it| format!("-var={name}={it}"))).collect())
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
    fn the_region_of_before_stays() {
        let outputs = r#"{"region":{"value":"eu-west-1"},"state_bucket_name":{"value":"b"},
            "database_kms_key_arn":{"value":null}}"#;
        let earlier = |outputs: &str, args: &[&str]| {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            earlier(outputs, &args).expect("outputs")
        };
        assert_eq!(earlier(outputs, &["-lock=false"]), ["-var=region=eu-west-1", "-var=bucket_name=b"]);
        assert_eq!(earlier(outputs, &["-var=region=us-east-1"]), ["-var=bucket_name=b"]);
        assert_eq!(earlier(outputs, &["-var", "bucket_name=x"]), ["-var=region=eu-west-1"]);
        assert_eq!(earlier(outputs, &["-var-file=x.tfvars"]), Vec::<String>::new());
        assert_eq!(earlier("{}", &[]), Vec::<String>::new(), "nothing was made yet");
        let with_key = r#"{"database_kms_key_arn":{"value":"arn"}}"#;
        assert_eq!(earlier(with_key, &[]), ["-var=database_key_enabled=true"]);
    }

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
