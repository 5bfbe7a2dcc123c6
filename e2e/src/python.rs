//! Runs a script of `e2e/python/` with the interpreter that has the client libraries.

use std::path::Path;

use anyhow::{Context, Result, bail};

/// Runs a script and returns what it printed; a non-zero exit is an error with its whole output.
pub async fn run(script: &str, args: &[&str]) -> Result<String> {
    let interpreter = std::env::var_os("PGAPP_PYTHON").context(
        "PGAPP_PYTHON is not set; run the tests by `cargo xtask test`, which prepares the Python client",
    )?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let output = tokio::process::Command::new(interpreter)
        .arg(path)
        .args(args)
        .output()
        .await
        .context("start Python")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{script} failed:\n{text}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}
