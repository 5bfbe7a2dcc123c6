//! The project's own programs, which tests start: as `cargo xtask test` built them, else built when they are asked for.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A program of another crate. One that lies beside the test is taken as it is.
pub fn beside(package: &str, bin: &str) -> PathBuf {
    let path = profile_dir().join(bin);
    if path.is_file() { path } else { built(package, bin) }
}

/// The REST server: as the test run names it, else built now.
pub fn api() -> PathBuf {
    std::env::var_os("PGAPP_API_BIN").map_or_else(|| built("api", "pgapp-api"), PathBuf::from)
}

fn built(package: &str, bin: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml");
    let args = ["build", "--quiet", "--package", package, "--bin", bin, "--manifest-path"];
    assert!(Command::new(cargo).args(args).arg(manifest).status().unwrap().success(), "build {bin}");
    profile_dir().join(bin)
}

/// Where cargo puts programs, seen from a running test.
fn profile_dir() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}
