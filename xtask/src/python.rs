//! Python tools in a virtual environment of the project's own, made once per list of tools.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::{output, workspace};

/// The tools, pinned; one list so that one environment serves every step.
const REQUIREMENTS: &str = include_str!("../python-tools.txt");

/// Path of the environment's interpreter, made when it is not there yet.
pub(crate) fn interpreter(sh: &Shell) -> Result<PathBuf> {
    Ok(environment(sh)?.join("bin").join("python"))
}

/// Path of one of the environment's programs.
pub(crate) fn tool(sh: &Shell, name: &str) -> Result<PathBuf> {
    let path = environment(sh)?.join("bin").join(name);
    if !path.is_file() {
        bail!("'{name}' is not among the tools of xtask/python-tools.txt");
    }
    Ok(path)
}

fn environment(sh: &Shell) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    REQUIREMENTS.hash(&mut hasher);
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(|| workspace::target_dir().join("tools"));
    let folder = cache.join("postgres-as-app").join(format!("python-{:016x}", hasher.finish()));
    // The marker is written last: an environment whose making was interrupted is made again.
    let marker = folder.join("complete");
    if marker.is_file() {
        return Ok(folder);
    }
    let python = workspace::find_program(&["python3"]).context(
        "find python3 (Debian/Ubuntu: apt-get install python3 python3-venv; Fedora: dnf install python3)",
    )?;
    output::note("making the Python environment (once) ...");
    if folder.exists() {
        sh.remove_path(&folder)?;
    }
    sh.create_dir(&folder)?;
    cmd!(sh, "{python} -m venv {folder}")
        .quiet()
        .run()
        .context("make a virtual environment (Debian/Ubuntu: apt-get install python3-venv)")?;
    let list = workspace::root().join("xtask").join("python-tools.txt");
    let pip = folder.join("bin").join("pip");
    cmd!(sh, "{pip} install --quiet --disable-pip-version-check --requirement {list}")
        .quiet()
        .run()
        .context("install the Python tools")?;
    sh.write_file(&marker, "")?;
    Ok(folder)
}
