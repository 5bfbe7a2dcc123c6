//! The Terraform of the serverless deployment: format, tables, validation, tests, policies.

use std::ffi::OsString;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use super::Outcome;
use crate::tf::{check, docs};
use crate::{python, workspace};

/// Where Terraform gets providers from.
const REGISTRY: &str = "registry.terraform.io:443";

/// Formats, tables, and the tests with the real program.
pub(super) fn run(sh: &Shell) -> Result<Outcome> {
    let infra = workspace::root().join("infra-tf");
    let outdated = docs::outdated(&infra)?;
    if !outdated.is_empty() {
        let names: Vec<_> = outdated.iter().map(|it| it.display().to_string()).collect();
        bail!("tables fell behind; `cargo xtask tf docs` writes them anew: {}", names.join(", "));
    }
    let Some(terraform) = workspace::find_program(&["terraform"]) else {
        return Ok(Outcome::Skipped("terraform is not installed (the tables were checked)".to_owned()));
    };
    cmd!(sh, "{terraform} fmt -check -recursive -diff {infra}").quiet().run().context("check the format")?;
    let Some(providers) = providers(sh)? else {
        return Ok(Outcome::Skipped(format!("{REGISTRY} is out of reach (format and tables were checked)")));
    };
    match check::validate_and_test(&infra, &providers)? {
        check::Verdict::Passed => Ok(Outcome::Done),
        check::Verdict::Failed(folders) => bail!("failed: {}", folders.join(", ")),
        check::Verdict::Interrupted => bail!("interrupted"),
    }
}

/// Variables by which Terraform finds providers: the user's own, a stand-in beside the project, or the registry's,
/// which takes none. `None` when there are no providers to be had.
fn providers(sh: &Shell) -> Result<Option<Vec<(OsString, OsString)>>> {
    const CONFIG: &str = "TF_CLI_CONFIG_FILE";
    // Terraform ignores a variable that names no file, and so is it here.
    if std::env::var_os(CONFIG).is_some_and(|it| Path::new(&it).is_file()) {
        return Ok(Some(Vec::new()));
    }
    let stand_in: PathBuf =
        workspace::root().join("..").join("shared").join("terraform-offline").join("install.sh");
    if stand_in.is_file() {
        let line = cmd!(sh, "{stand_in}").quiet().read().context("set up providers that need no registry")?;
        let file = line.split_once(&format!("export {CONFIG}=")).map(|(_, it)| it.trim().trim_matches('"'));
        let file = file.with_context(|| format!("{} names no configuration", stand_in.display()))?;
        return Ok(Some(vec![(CONFIG.into(), file.into())]));
    }
    let reachable = REGISTRY.to_socket_addrs().is_ok_and(|mut addresses| {
        addresses.any(|it| TcpStream::connect_timeout(&it, Duration::from_secs(5)).is_ok())
    });
    Ok(reachable.then(Vec::new))
}

/// Policies on what would be deployed.
pub(super) fn policies(sh: &Shell) -> Result<Outcome> {
    let checkov = python::tool(sh, "checkov")?;
    let infra = workspace::root().join("infra-tf");
    cmd!(sh, "{checkov} --directory {infra} --framework terraform --skip-download --compact --quiet")
        .quiet()
        .run()
        .context("check policies with checkov")?;
    Ok(Outcome::Done)
}

/// Workflows, where the tool for them is installed: it is no Python package that installs without its download.
pub(super) fn workflows(sh: &Shell) -> Result<Outcome> {
    let Some(actionlint) = workspace::find_program(&["actionlint"]) else {
        return Ok(Outcome::Skipped(
            "actionlint is not installed (go install github.com/rhysd/actionlint/cmd/actionlint@latest)"
                .to_owned(),
        ));
    };
    cmd!(sh, "{actionlint} -color").quiet().run().context("check the workflows")?;
    Ok(Outcome::Done)
}
