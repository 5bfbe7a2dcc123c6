//! The project's Terraform as a user has it, with providers that need no registry and a state that needs no AWS.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::front::plain_client;

/// The configuration file of providers that need no registry, which stand beside the project.
pub(super) fn providers() -> Option<String> {
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/terraform-offline/install.sh");
    let installed =
        Command::new("terraform").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let why = match (install.is_file(), installed.is_ok_and(|it| it.success())) {
        (false, _) => "../shared/terraform-offline is not there",
        (_, false) => "terraform is not installed",
        (true, true) => {
            let output = Command::new(&install).output().expect("the stand-in's set-up starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let line = String::from_utf8(output.stdout).expect("text");
            let file = line.split_once("TF_CLI_CONFIG_FILE=").expect("a configuration").1;
            return Some(file.trim().trim_matches('"').to_owned());
        }
    };
    say(&format!("skipped: {why}"));
    None
}

#[expect(clippy::print_stderr, reason = "a test's only way to say what it left out")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// What a user's own deployments leave in the folder; the story does not use it.
fn is_users_own(name: &str) -> bool {
    name.starts_with('.') || name == "backend.hcl" || name == "environments" || name.contains(".tfstate")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, name) = (entry.path(), entry.file_name());
        if is_users_own(&name.to_string_lossy()) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).expect("a file");
        }
    }
}

/// The project as a user has it, as far as Terraform needs it.
pub(super) fn checkout() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("infra-tf");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra-tf"), &folder);
    std::fs::create_dir_all(folder.join("environments")).expect("a folder");
    (dir, folder)
}

/// A bucket and its place in the file that `tf backend` wrote: what an S3 that is not AWS's asks for.
pub(super) async fn make_bucket(endpoint: &str, folder: &Path) -> String {
    let file = folder.join("backend.hcl");
    let text = std::fs::read_to_string(&file).expect("the file of the backend");
    let line = text.lines().find(|it| it.starts_with("bucket")).expect("a bucket");
    let bucket = line.split('"').nth(1).expect("a name").to_owned();
    let made = plain_client()
        .put(format!("{endpoint}/{bucket}"))
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
        )
        .send()
        .await;
    assert!(made.expect("the emulator answers").status().is_success());
    std::fs::write(&file, format!("{text}use_path_style = true\n")).expect("a file");
    bucket
}

/// What Terraform knows of what it made.
pub(super) fn state(folder: &Path, providers: &str, endpoint: &str) -> Value {
    let output = Command::new("terraform")
        .args(["show", "-json"])
        .current_dir(folder)
        .env("TF_DATA_DIR", folder.join(".terraform/dev"))
        .env("TF_CLI_CONFIG_FILE", providers)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .expect("terraform starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
