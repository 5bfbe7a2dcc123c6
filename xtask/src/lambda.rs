//! `cargo xtask lambda build`: the artifact that Terraform deploys.
//!
//! The binary is linked against the glibc of `provided.al2023` by zig, whatever glibc this machine has. The zip holds
//! what was built and nothing of when or where: the same sources give the same bytes.

mod archive;
mod glibc;
mod sources;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use xshell::{Shell, cmd};

use crate::{output, python, workspace};

/// glibc of `provided.al2023`.
const GLIBC: (u32, u32) = (2, 34);

/// What the zip may weigh: a cold start loads all of it.
const MAX_ZIP_BYTES: u64 = 6 * 1024 * 1024;

/// Where the app looks for the authorities of Aurora clusters, beside itself; `api::animals::settings::CA_BUNDLE`.
const CA_BUNDLE: &str = "rds-ca-bundle.pem";

/// Where the REST server looks for what it need not ask the database, beside itself; `api::lambda::rest::SNAPSHOT`.
const SNAPSHOT: &str = "schema-snapshot.json";

/// Where the project keeps them: what lies there is packed into every artifact, and counts among its sources.
const KEPT_BUNDLE: &str = "infra-tf/rds-ca-bundle.pem";

/// Where AWS publishes them.
const CA_BUNDLE_URL: &str = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem";

#[derive(Debug, Args)]
pub(crate) struct LambdaArgs {
    #[command(subcommand)]
    command: LambdaCommand,
}

#[derive(Debug, Subcommand)]
enum LambdaCommand {
    /// Build the zip that Terraform deploys, into target/lambda/
    #[command(
        after_help = "Example:\n  cargo xtask lambda build\n  cargo xtask lambda build --arch arm64 --ca-bundle global-bundle.pem\n  pgapp-api --dump-snapshot > snapshot.json && cargo xtask lambda build --snapshot snapshot.json"
    )]
    Build(BuildArgs),
}

#[derive(Debug, Args)]
struct BuildArgs {
    /// Processor of the function, as in the Terraform variable lambda_architecture [default: this machine's]
    #[arg(long, value_enum)]
    arch: Option<Arch>,
    /// Take the processor from infra-tf/environments/NAME.tfvars, or else the variable's default
    #[arg(long, value_name = "NAME", conflicts_with = "arch")]
    env: Option<String>,
    /// Certificates to trust beside the public authorities, kept as infra-tf/rds-ca-bundle.pem and packed into this and
    /// every later zip. RDS Proxy does without; a cluster reached directly needs RDS's bundle, which AWS publishes at
    /// truststore.pki.rds.amazonaws.com
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
    /// What `pgapp-api --dump-snapshot` printed, packed into the zip: a function with PGAPP_LAMBDA_APP=rest starts
    /// without asking the database what is in it
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Arch {
    #[value(name = "arm64")]
    Arm64,
    #[value(name = "x86_64")]
    X86_64,
}

impl Arch {
    /// As an environment's variables say, in the form that `terraform fmt` gives them.
    fn of_environment(root: &Path, env: &str) -> Result<Self> {
        let file = root.join("infra-tf").join("environments").join(format!("{env}.tfvars"));
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
        };
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        let stated = lines.rfind(|(name, _)| name.trim() == "lambda_architecture");
        match stated.map(|(_, value)| value.split('"').nth(1)) {
            None | Some(Some("arm64")) => Ok(Self::Arm64),
            Some(Some("x86_64")) => Ok(Self::X86_64),
            Some(_) => {
                bail!("{} has a lambda_architecture other than \"arm64\" and \"x86_64\"", file.display())
            }
        }
    }

    fn of_this_machine() -> Self {
        if std::env::consts::ARCH == "aarch64" { Self::Arm64 } else { Self::X86_64 }
    }

    /// As AWS calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    /// As Rust calls it.
    fn target(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }
}

pub(crate) fn run(args: &LambdaArgs) -> Result<ExitCode> {
    let LambdaCommand::Build(args) = &args.command;
    build(args)?;
    Ok(ExitCode::SUCCESS)
}

fn build(args: &BuildArgs) -> Result<()> {
    let sh = workspace::shell()?;
    let root = workspace::root();
    let arch = match &args.env {
        Some(env) => Arch::of_environment(&root, env)?,
        None => args.arch.unwrap_or_else(Arch::of_this_machine),
    };
    require_target(&sh, arch)?;
    let ca_bundle = keep_bundle(&root, args.ca_bundle.as_deref())?;
    let snapshot = args.snapshot.as_deref().map(read_snapshot).transpose()?;
    // Taken before the build: what is edited meanwhile makes the artifact stale, as it should.
    let digest = sources::digest(&root)?;
    let binary = compile(&sh, arch)?;
    let bytes = std::fs::read(&binary).with_context(|| format!("read {}", binary.display()))?;
    glibc::check(&bytes, GLIBC)?;

    let mut entries = vec![archive::Entry { name: "bootstrap", bytes: &bytes, is_program: true }];
    for (name, bytes) in [(CA_BUNDLE, &ca_bundle), (SNAPSHOT, &snapshot)] {
        entries.extend(bytes.as_deref().map(|bytes| archive::Entry { name, bytes, is_program: false }));
    }
    let zip = archive::zip(&entries)?;
    let size = zip.len() as u64;
    if size > MAX_ZIP_BYTES {
        bail!("the zip has {size} bytes, more than the {MAX_ZIP_BYTES} that a fast cold start allows");
    }
    let folder = workspace::target_dir().join("lambda");
    let path = folder.join(format!("pgapp-lambda-{}.zip", arch.name()));
    write(&path, &zip)?;
    write(&sources_file(&path), format!("{digest}\n").as_bytes())?;
    report(args, arch, &path, &zip, &digest, ca_bundle.is_some())
}

fn report(
    args: &BuildArgs,
    arch: Arch,
    path: &Path,
    zip: &[u8],
    digest: &str,
    has_bundle: bool,
) -> Result<()> {
    let sha256 = sources::sha256(zip);
    if args.json {
        let report = serde_json::json!({
            "path": path, "architecture": arch.name(), "bytes": zip.len(), "sha256": sha256,
            "sources": digest, "ca_bundle": has_bundle, "snapshot": args.snapshot.is_some(),
        });
        output::data(&serde_json::to_string_pretty(&report)?);
    } else {
        let mib = zip.len() as f64 / f64::from(1 << 20);
        output::data(&format!("{}  {mib:.2} MiB  sha256 {sha256}", path.display()));
    }
    if !has_bundle {
        output::note(&format!(
            "It trusts the public authorities, which is what RDS Proxy needs. With database_proxy_enabled = false, get \
             {CA_BUNDLE_URL} and build with --ca-bundle."
        ));
    }
    Ok(())
}

/// Beside the artifact: what Terraform compares with the sources that are checked out.
fn sources_file(zip: &Path) -> PathBuf {
    let mut name = zip.as_os_str().to_owned();
    name.push(".sources");
    name.into()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("name a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    std::fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
}

/// The bundle that is kept; one that is given takes its place, so that a plan knows it as one of the sources.
fn keep_bundle(root: &Path, given: Option<&Path>) -> Result<Option<Vec<u8>>> {
    let kept = root.join(KEPT_BUNDLE);
    match given {
        Some(path) => {
            let bytes = read_bundle(path)?;
            write(&kept, &bytes)?;
            Ok(Some(bytes))
        }
        None if kept.is_file() => read_bundle(&kept).map(Some),
        None => Ok(None),
    }
}

fn read_bundle(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let n_certificates = String::from_utf8_lossy(&bytes).matches("-----BEGIN CERTIFICATE-----").count();
    if n_certificates == 0 {
        bail!(
            "{} holds no certificate in PEM form; AWS publishes the bundle at {CA_BUNDLE_URL}",
            path.display()
        );
    }
    output::note(&format!("packing {n_certificates} certificates from {}", path.display()));
    Ok(bytes)
}

/// Refuses what the program of this workspace would refuse when it starts.
fn read_snapshot(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let hint = "make one with `pgapp-api --dump-snapshot` of this workspace";
    let json: serde_json::Value =
        serde_json::from_slice(&bytes).with_context(|| format!("read {} as JSON; {hint}", path.display()))?;
    let made_by = json.get("made_by").and_then(serde_json::Value::as_str).unwrap_or("something else");
    let own = concat!("(pgapp-api ", env!("CARGO_PKG_VERSION"), ")");
    if !made_by.contains(own) {
        bail!("{} was made by {made_by}, and this workspace is {own}; {hint}", path.display());
    }
    Ok(bytes)
}

/// Refuses an architecture whose standard library is not installed, before minutes are spent.
fn require_target(sh: &Shell, arch: Arch) -> Result<()> {
    let target = arch.target();
    let sysroot = cmd!(sh, "rustc --print sysroot").quiet().read().context("ask rustc for its folder")?;
    if Path::new(&sysroot).join("lib").join("rustlib").join(target).join("lib").is_dir() {
        return Ok(());
    }
    let other = if arch == Arch::Arm64 { Arch::X86_64 } else { Arch::Arm64 };
    bail!(
        "the Rust target {target} is not installed\nadd it with `rustup target add {target}`, or build with --arch {} \
         and deploy with lambda_architecture = \"{}\"",
        other.name(),
        other.name()
    )
}

/// Builds the binary in a separate target folder and returns its path.
fn compile(sh: &Shell, arch: Arch) -> Result<PathBuf> {
    let tools = python::lambda_programs(sh)?;
    let zigbuild = tools.join("cargo-zigbuild");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(tools).chain(std::env::split_paths(&path)))?;
    let _path = sh.push_env("PATH", path);
    let _cargo = sh.push_env("CARGO", workspace::cargo());
    // Paths of this machine would be in panic messages, and make two machines' artifacts differ.
    let root = workspace::root();
    let home = cargo_home()?;
    let flags = format!(
        "--remap-path-prefix={}=/src\x1f--remap-path-prefix={}=/cargo",
        root.display(),
        home.display()
    );
    let _flags = sh.push_env("CARGO_ENCODED_RUSTFLAGS", flags);
    let c_flags =
        format!("-ffile-prefix-map={}=/src -ffile-prefix-map={}=/cargo", root.display(), home.display());
    let _c_flags = sh.push_env("CFLAGS", c_flags);
    let folder = workspace::target_dir().join("lambda").join("build");
    let target = format!("{}.{}.{}", arch.target(), GLIBC.0, GLIBC.1);
    cmd!(
        sh,
        "{zigbuild} zigbuild --locked --profile lambda --package api --bin pgapp-lambda --target {target} --target-dir {folder}"
    )
    .quiet()
    .run()
    .context("build pgapp-lambda")?;
    Ok(folder.join(arch.target()).join("lambda").join("pgapp-lambda"))
}

fn cargo_home() -> Result<PathBuf> {
    match std::env::var_os("CARGO_HOME") {
        Some(home) => Ok(home.into()),
        None => {
            let home = std::env::var_os("HOME").context("find cargo's folder: HOME is not set")?;
            Ok(PathBuf::from(home).join(".cargo"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_stand_beside_the_zip() {
        assert_eq!(sources_file(Path::new("a/b.zip")), PathBuf::from("a/b.zip.sources"));
    }

    #[test]
    fn the_app_looks_for_the_bundle_where_it_is_packed() {
        let settings = workspace::root().join("api").join("src").join("animals").join("settings.rs");
        let text = std::fs::read_to_string(settings).expect("the app's settings");
        assert!(text.contains(&format!("const CA_BUNDLE: &str = \"{CA_BUNDLE}\"")));
    }

    #[test]
    fn the_server_looks_for_the_snapshot_where_it_is_packed() {
        let rest = workspace::root().join("api").join("src").join("lambda").join("rest.rs");
        let text = std::fs::read_to_string(rest).expect("the server behind Lambda");
        assert!(text.contains(&format!("pub const SNAPSHOT: &str = \"{SNAPSHOT}\"")));
    }

    #[test]
    fn a_snapshot_of_another_version_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.json");
        let refused = |text: &str| {
            std::fs::write(&path, text).expect("a file");
            format!("{:#}", read_snapshot(&path).expect_err("no snapshot"))
        };
        assert!(refused("{").contains("as JSON; make one with `pgapp-api --dump-snapshot`"));
        assert!(refused("{}").contains("was made by something else"));
        let other = refused(r#"{"made_by": "PostgREST 16.4 (pgapp-api 0.0.9) with format 1"}"#);
        assert!(
            other.contains("(pgapp-api 0.0.9) with format 1, and this workspace is (pgapp-api"),
            "{other}"
        );
        let own = format!(
            r#"{{"made_by": "PostgREST 16.4 (pgapp-api {}) with format 1"}}"#,
            env!("CARGO_PKG_VERSION")
        );
        std::fs::write(&path, &own).expect("a file");
        assert_eq!(read_snapshot(&path).expect("a snapshot"), own.as_bytes());
    }

    #[test]
    fn processor_is_that_of_the_environment() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("infra-tf/environments");
        std::fs::create_dir_all(&folder).expect("a folder");
        let of = |text: &str| {
            std::fs::write(folder.join("dev.tfvars"), text).expect("a file");
            Arch::of_environment(dir.path(), "dev")
        };
        assert_eq!(of("lambda_architecture = \"x86_64\" # Intel\n").expect("one"), Arch::X86_64);
        assert_eq!(of("lambda_architecture    = \"arm64\"\n").expect("one"), Arch::Arm64);
        assert_eq!(of("lambda_memory_mb = 256\n").expect("the default"), Arch::Arm64);
        assert_eq!(Arch::of_environment(dir.path(), "other").expect("the default"), Arch::Arm64);
        assert!(of("lambda_architecture = \"riscv64\"\n").is_err());
        let default =
            std::fs::read_to_string(workspace::root().join("infra-tf/variables.tf")).expect("a file");
        let block = default.split_once("variable \"lambda_architecture\"").expect("the variable").1;
        assert!(block.split("\n}\n").next().expect("a block").contains("default     = \"arm64\""));
    }

    #[test]
    fn bundle_is_kept_for_later_builds_and_counts_among_the_sources() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(keep_bundle(dir.path(), None).expect("none"), None);
        let given = dir.path().join("given.pem");
        std::fs::write(&given, "-----BEGIN CERTIFICATE-----").expect("a file");
        let first = keep_bundle(dir.path(), Some(&given)).expect("a bundle");
        assert_eq!(keep_bundle(dir.path(), None).expect("the same"), first);
        let terraform = std::fs::read_to_string(workspace::root().join("infra-tf/main.tf")).expect("a file");
        assert!(terraform.contains(&format!("\"{KEPT_BUNDLE}\"")), "a plan looks at it, too");
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.pem");
        std::fs::write(&path, "no certificate").expect("a file");
        let error = read_bundle(&path).expect_err("no certificate");
        assert!(error.to_string().contains("holds no certificate"), "{error}");
    }
}
