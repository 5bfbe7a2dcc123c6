//! Brings what the tests need and this machine lacks, where a package manager can.

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use super::Outcome;
use crate::{doctor, output, python, workspace};

/// Debian packages that belong to a server of this major version. The first is required; the others
/// only add cases: pg_cron is preloaded where installed, PostGIS backs the GeoJSON tests.
fn debian_packages(major: u32) -> [String; 3] {
    [
        format!("postgresql-{major}"),
        format!("postgresql-{major}-cron"),
        format!("postgresql-{major}-postgis-3"),
    ]
}

/// Installs server binaries on Debian-like machines when run by root on CI; elsewhere says what to install.
pub(super) fn run(sh: &Shell) -> Result<Outcome> {
    let on_ci = std::env::var_os("CI").is_some();
    let can_install = on_ci && doctor::is_root(sh) && workspace::find_program(&["apt-get"]).is_some();
    match doctor::postgres_major() {
        Some(major) if can_install => install_missing(sh, &debian_packages(major)),
        Some(_) => {}
        None if can_install => {
            cmd!(sh, "apt-get update -qq").quiet().run().context("refresh the package lists")?;
            let _quiet = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
            cmd!(sh, "apt-get install -y -qq --no-install-recommends postgresql postgresql-contrib")
                .quiet()
                .ignore_stdout()
                .run()
                .context("install a Postgres server")?;
            if let Some(major) = doctor::postgres_major() {
                install_missing(sh, &debian_packages(major));
            }
        }
        None => bail!("no Postgres server binaries were found\n{}", doctor::INSTALL_POSTGRES),
    }
    python::prepare(sh)?;
    Ok(Outcome::Done)
}

/// Optional packages: their absence takes cases away, which is said, but stops nothing.
fn install_missing(sh: &Shell, packages: &[String]) {
    let missing: Vec<&String> = packages
        .iter()
        .filter(|name| cmd!(sh, "dpkg -s {name}").quiet().ignore_stdout().ignore_stderr().run().is_err())
        .collect();
    if missing.is_empty() {
        return;
    }
    let _quiet = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
    let installed = cmd!(sh, "apt-get update -qq").quiet().run().and_then(|()| {
        cmd!(sh, "apt-get install -y -qq --no-install-recommends {missing...}").quiet().ignore_stdout().run()
    });
    if let Err(error) = installed {
        output::note(&format!("optional packages could not be installed: {error}"));
    }
}
