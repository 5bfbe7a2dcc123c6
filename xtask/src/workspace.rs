//! Where the project is on disk, and how its commands are started.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use xshell::Shell;

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map(Path::to_path_buf).unwrap_or(manifest)
}

/// The folder cargo builds into.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A shell in the workspace's root.
pub(crate) fn shell() -> Result<Shell> {
    let sh = Shell::new().context("start a shell")?;
    sh.change_dir(root());
    for name in package_variables() {
        sh.set_var(name, "");
    }
    Ok(sh)
}

/// Takes from a command what `cargo run` told about this package.
pub(crate) fn forget_package(command: &mut Command) {
    for name in package_variables() {
        command.env_remove(name);
    }
}

/// `cargo run` sets variables for this package; a nested cargo must not take them for its own.
fn package_variables() -> impl Iterator<Item = String> {
    std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| {
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_BIN_NAME"
    })
}

/// The cargo that started us.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// The first of these programs that is on `PATH`.
pub(crate) fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// Becomes the program, so that signals and the terminal are its own.
#[cfg(unix)]
pub(crate) fn hand_over(mut program: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(program.exec().into())
}

#[cfg(not(unix))]
pub(crate) fn hand_over(mut program: Command) -> Result<ExitCode> {
    let code = program.status()?.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
