//! Images, built by the engine and pushed to a registry of this machine; each where there is one.

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{text, xtask};

/// Whether an engine answers and has an image that builds start from.
fn has_image(name: &str) -> bool {
    let asked = Command::new("docker").args(["image", "inspect", name]).output();
    let is_there = asked.is_ok_and(|it| it.status.success());
    if !is_there {
        eprintln!("skipped: no Docker engine with the image {name}");
    }
    is_there
}

/// A registry in memory's stead: a folder that goes with the test.
struct Registry {
    process: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Registry {
    /// Starts Debian's `docker-registry`, where it is installed.
    fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = dir.path().join("config.yml");
        let data = dir.path().display();
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {data}\nhttp:\n  addr: 127.0.0.1:{port}\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(process) = command.spawn() else {
            eprintln!("skipped: docker-registry is not installed");
            return None;
        };
        let registry = Self { process, port, _dir: dir };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the registry does not answer");
            std::thread::yield_now();
        }
        Some(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs to success and returns the JSON.
#[track_caller]
fn publish(args: &[&str]) -> Value {
    let output = xtask(&[&["publish"], args, &["--json"]].concat()).output().unwrap();
    let (out, err) = text(&output);
    assert!(output.status.success(), "{args:?}\n{err}");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}\n{err}"))
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    let (out, err) = text(&output);
    assert!(output.status.success(), "docker {args:?}\n{err}");
    out.trim().to_owned()
}

/// A base with what the Dockerfile asks of one and nothing else: to push a whole Postgres takes most of a minute, and shows
/// nothing more about pushing.
struct SmallBase(String);

impl SmallBase {
    const DOCKERFILE: &str = r#"
FROM postgres:15-bookworm AS whole
USER root
WORKDIR /small
RUN set -e; \
    library="usr/lib/postgresql/$PG_MAJOR/lib"; extension="usr/share/postgresql/$PG_MAJOR/extension"; \
    mkdir -p bin etc tmp "$library" "$extension"; \
    touch "$library/pg_cron.so" "$extension/pg_cron.control"; \
    cp -L --parents /bin/sh /bin/mkdir /bin/cp /bin/chmod .; \
    ldd bin/* | tr -s ' \t' '\n' | grep '^/' | grep -v ':$' | sort -u | xargs cp -L --parents -t .; \
    printf '#!/bin/sh\n' > bin/apt-get; chmod 0755 bin/apt-get; \
    cp /etc/passwd /etc/group etc/
FROM scratch
COPY --from=whole /small/ /
ENV PG_MAJOR=15 PATH=/bin
"#;

    fn build() -> Self {
        let name = format!("pgapp-test-base:{}", std::process::id());
        let mut command = Command::new("docker");
        command.args(["build", "--quiet", "--tag", &name, "-"]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), Self::DOCKERFILE.as_bytes()).unwrap();
        let (_, err) = text(&child.wait_with_output().unwrap());
        assert!(docker(&["image", "ls", "--quiet", &name]).len() > 8, "{err}");
        Self(name)
    }
}

impl Drop for SmallBase {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["image", "rm", "--force", &self.0]).output();
    }
}

#[test]
fn an_image_is_built_looked_at_pushed_and_joined() {
    if !has_image("postgres:15-bookworm") {
        return;
    }
    let tried = publish(&["customdb", "--dry-run"]);
    assert_eq!((tried["pushed"].as_bool(), tried["digest"].as_str()), (Some(false), None));
    let id = tried["id"].as_str().unwrap();
    let labels = docker(&["image", "inspect", "--format", "{{json .Config.Labels}}", id]);
    let labels: Value = serde_json::from_str(&labels).unwrap();
    assert_eq!(labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(labels["org.opencontainers.image.revision"].as_str().map(|it| it.len() >= 40), Some(true));

    // An application's packages are in it, and it stays fit to be published.
    let app = tempfile::tempdir().unwrap();
    std::fs::create_dir(app.path().join("custom")).unwrap();
    std::fs::write(app.path().join("custom/packages.txt"), "postgresql-18-pgaudit\n").unwrap();
    let folder = app.path().to_str().unwrap();
    let own = publish(&["customdb", "--app", folder, "--dry-run"]);
    let files =
        "cat /usr/local/share/pgapp/preload; ls /usr/share/postgresql/$PG_MAJOR/extension/pgaudit.control";
    let own = own["id"].as_str().unwrap();
    let shown = docker(&["run", "--rm", "--entrypoint", "sh", own, "-c", files]);
    assert!(shown.starts_with("pgaudit/usr/share/postgresql/"), "{shown}");

    let Some(registry) = Registry::start() else { return };
    let host = format!("127.0.0.1:{}/app", registry.port);
    let base = SmallBase::build();
    let argument = format!("POSTGRES_IMAGE={}", base.0);
    let local = ["--allow-unpinned", "--allow-dirty", "--base", &argument];
    let pushed = publish(&[&["customdb", "--registry", &host, "--tag", "1.0-amd64"], &local[..]].concat());
    let pinned = pushed["pinned"].as_str().unwrap();
    assert!(pinned.starts_with(&format!("{host}/customdb@sha256:")), "{pinned}");
    // What the registry has under that digest is what was built.
    docker(&["image", "rm", pushed["reference"].as_str().unwrap()]);
    docker(&["pull", "--quiet", pinned]);
    assert_eq!(docker(&["image", "inspect", "--format", "{{.Id}}", pinned]), pushed["id"].as_str().unwrap());
    docker(&["image", "rm", pinned]);

    let joined = publish(&["customdb", "--registry", &host, "--tag", "1.0", "--join", "1.0-amd64"]);
    let joined = joined["digest"].as_str().unwrap();
    let url = format!("/v2/app/customdb/manifests/{joined}");
    let list = http_get(registry.port, &url);
    assert!(list.contains("manifest.list") && list.contains(pushed["digest"].as_str().unwrap()), "{list}");
}

/// The body of an answer; the registry speaks plain HTTP here.
fn http_get(port: u16, path: &str) -> String {
    use std::io::Write as _;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let kinds = "application/vnd.docker.distribution.manifest.list.v2+json";
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: {kinds}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn what_cannot_be_pushed_is_refused_before_anything_is_built() {
    for (args, part) in [
        (&["api"][..], "--registry"),
        (&["api", "--registry", "owner"], "expected a registry"),
        (&["api", "--join", "1"], "--join needs --registry"),
        (&["api", "--app", "examples/shop", "--dry-run"], "--app is for customdb"),
        (&["customdb", "--app", "../docs", "--dry-run"], "holds no application"),
    ] {
        if Command::new("docker").arg("version").output().is_ok_and(|it| it.status.success()) {
            let output = xtask(&[&["publish"], args].concat()).output().unwrap();
            let (_, err) = text(&output);
            assert!(!output.status.success() && err.contains(part), "{args:?}: {err}");
        }
    }
    let output = xtask(&["publish", "nothing"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "a usage error");
}

/// A program that writes down its arguments and its input, and answers for an engine.
fn recorder(dir: &Path, name: &str, answer: &str) {
    let path = dir.join(name);
    let log = dir.join("calls").display().to_string();
    let script = format!(
        "#!/bin/sh\nline=\"{name} $*\"\ncase \" $* \" in *--password-stdin*) line=\"$line < $(cat)\";; esac\n\
         echo \"$line\" >> '{log}'\necho '{answer}'\n"
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_token_of_ecr_goes_by_stdin() {
    let dir = tempfile::tempdir().unwrap();
    recorder(dir.path(), "docker", "sha256:0000000000000000000000000000000000000000000000000000000000000000");
    recorder(dir.path(), "aws", "the-token");
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap_or_default());
    let registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let args =
        ["publish", "api", "--registry", registry, "--tag", "1", "--join", "1-amd64", "--join", "1-arm64"];
    let output = xtask(&args).env("PATH", path).output().unwrap();
    let (out, err) = text(&output);
    assert!(output.status.success(), "{err}");
    assert!(out.starts_with(&format!("{registry}/api@sha256:000")), "{out}");
    let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
    assert!(calls.contains("aws ecr get-login-password --region eu-west-1"), "{calls}");
    let with_token: Vec<&str> = calls.lines().filter(|it| it.contains("the-token")).collect();
    assert_eq!(with_token.len(), 1, "{calls}");
    let (arguments, input) = with_token[0].split_once(" < ").unwrap();
    assert!(arguments.contains("login --username AWS --password-stdin") && !arguments.contains("the-token"));
    assert_eq!(input, "the-token");
    let create = format!("manifest create {registry}/api:1 {registry}/api:1-amd64 {registry}/api:1-arm64");
    assert!(calls.contains(&create), "{calls}");
    assert!(!out.contains("the-token") && !err.contains("the-token"));
}
