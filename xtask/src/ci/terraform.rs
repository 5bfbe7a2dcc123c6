//! The Terraform of the serverless deployment: format, tables, validation, tests, a whole life, policies.

use std::ffi::OsString;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use super::{Outcome, policies, promises};
use crate::tf::{check, docs};
use crate::{output, python, workspace};

const REGISTRY: &str = "registry.terraform.io:443";
/// Sets up providers that need neither registry nor account.
const STAND_IN: &str = "../shared/terraform-offline/install.sh";

/// Formats, tables, tests with the real program, and a whole life where providers are there that pretend.
pub(super) fn run(sh: &Shell) -> Result<Outcome> {
    let infra = workspace::root().join("infra-tf");
    docs::check(&infra)?;
    let Some(terraform) = workspace::find_program(&["terraform"]) else {
        return Ok(Outcome::Skipped("terraform is not installed (the tables were checked)".to_owned()));
    };
    cmd!(sh, "{terraform} fmt -check -recursive -diff {infra}").quiet().run().context("check the format")?;
    match Providers::find(sh)? {
        Providers::None => {
            Ok(Outcome::Skipped(format!("{REGISTRY} is out of reach (format and tables were checked)")))
        }
        Providers::Real => {
            pass(check::validate_and_test(&infra, &[])?)?;
            // Real providers would make real things.
            Ok(Outcome::DoneWithout(format!("without apply and destroy: {STAND_IN} is not there")))
        }
        Providers::StandIn(env) => {
            let (verdict, lives) = check::validate_test_and_live(&infra, &env)?;
            pass(verdict)?;
            let broken = lives.iter().flat_map(|it| [promises::broken(it), policies::too_large(it)].concat());
            let broken: Vec<String> = broken.collect();
            if !broken.is_empty() {
                bail!("promises are broken\n{}", broken.join("\n"));
            }
            output::note(&policies::check(sh, &lives)?);
            Ok(Outcome::Done)
        }
    }
}

fn pass(verdict: check::Verdict) -> Result<()> {
    match verdict {
        check::Verdict::Passed => Ok(()),
        check::Verdict::Failed(what) => bail!("failed: {}", what.join(", ")),
        check::Verdict::Interrupted => bail!("interrupted"),
    }
}

/// Where Terraform gets providers from.
enum Providers {
    /// Ones that pretend, beside the project, and the variables by which Terraform finds them.
    StandIn(Vec<(OsString, OsString)>),
    /// The user's own source, or the registry.
    Real,
    /// Nowhere.
    None,
}

impl Providers {
    fn find(sh: &Shell) -> Result<Self> {
        const CONFIG: &str = "TF_CLI_CONFIG_FILE";
        let stand_in = workspace::root().join(STAND_IN);
        if stand_in.is_file() {
            let line =
                cmd!(sh, "{stand_in}").quiet().read().context("set up providers that need no registry")?;
            let file =
                line.split_once(&format!("export {CONFIG}=")).map(|(_, it)| it.trim().trim_matches('"'));
            let file = file.with_context(|| format!("{STAND_IN} names no configuration"))?;
            return Ok(Self::StandIn(vec![(CONFIG.into(), file.into())]));
        }
        // Terraform ignores a variable that names no file, and so is it here.
        if std::env::var_os(CONFIG).is_some_and(|it| Path::new(&it).is_file()) {
            return Ok(Self::Real);
        }
        let reachable = REGISTRY.to_socket_addrs().is_ok_and(|mut addresses| {
            addresses.any(|it| TcpStream::connect_timeout(&it, Duration::from_secs(5)).is_ok())
        });
        Ok(if reachable { Self::Real } else { Self::None })
    }
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
