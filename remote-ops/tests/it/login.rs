//! `ops login` against an STS and an IAM of the tests' own: right and wrong codes, the kept session, and what the AWS CLI
//! makes of it.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio, time::Duration};

use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use aws_fakes::{FakeAws, Faults};

const PATIENCE: Duration = Duration::from_secs(120);
const CONFIG: &str = "[profile me]\nregion = eu-west-1\n\n[profile admin]\nrole_arn = arn:aws:iam::123456789012:role/team/admin\n\
                      source_profile = me\nmfa_serial = arn:aws:iam::123456789012:mfa/me\nregion = eu-west-1\n";
const CREDENTIALS: &str = "[me]\naws_access_key_id = AKIAME\naws_secret_access_key = the-key\n";

/// An account with STS and IAM, and a home folder.
pub(crate) struct World {
    aws: FakeAws,
    home: TempDir,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl World {
    async fn new() -> Self {
        let aws = FakeAws::start(([127, 0, 0, 1], 9).into(), Faults::default()).await;
        let home = tempfile::tempdir().unwrap();
        Self { aws, home }
    }

    /// With the profiles of somebody who has a device.
    pub(crate) async fn with_profiles() -> Self {
        let world = Self::new().await;
        world.write(".aws/config", CONFIG);
        world.write(".aws/credentials", CREDENTIALS);
        world.aws.account().is_enabled = true;
        world.aws.account().mfa_code = "123456".into();
        world
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.path().join(name)).unwrap_or_default()
    }

    /// The program in this home.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_ops"), args)
    }

    fn program(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", self.home.path())
            .env("AWS_ENDPOINT_URL", self.aws.url())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, program: &str, args: &[&str], input: &str, env: &[(&str, &str)]) -> Ran {
        let mut command = self.program(program, args);
        command.envs(env.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Where the version manager keeps its programs.
        for name in ["PYENV_ROOT", "PYENV_VERSION"] {
            command.envs(std::env::var(name).ok().map(|it| (name, it)));
        }
        let mut child = command.spawn().unwrap();
        // A program that does not read has its reasons.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
        let out = timeout(PATIENCE, child.wait_with_output()).await.expect("the program ends").unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Ran { code: out.status.code().unwrap_or(-1), out: text(&out.stdout), err: text(&out.stderr) }
    }

    async fn login(&self, args: &[&str], input: &str) -> Ran {
        let args: Vec<&str> = std::iter::once("login").chain(args.iter().copied()).collect();
        self.run(env!("CARGO_BIN_EXE_ops"), &args, input, &[]).await
    }

    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        let folder = std::fs::read_dir(self.home.path().join(".aws/cli/cache"));
        folder.into_iter().flatten().map(|it| it.unwrap().path()).collect()
    }
}

#[tokio::test]
async fn a_wrong_code_is_refused_and_nothing_is_kept() {
    let world = World::with_profiles().await;
    let ran = world.login(&["--code", "654321"], "").await;
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.starts_with("error: the code was refused: it is mistyped"), "{}", ran.err);
    for code in ["12345", "abcdef"] {
        let ran = world.login(&["--code", code], "").await;
        assert_eq!((ran.code, ran.err.as_str()), (1, "error: a code has six digits"));
    }
    // No code at all is a refusal.
    assert_eq!(world.login(&[], "").await.code, 3);
    assert!(world.kept().is_empty());
}

#[tokio::test]
async fn a_right_code_starts_a_session_that_is_kept_and_not_printed() {
    let world = World::with_profiles().await;
    let ran = world.login(&[], "123456\n").await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("until 2099-01-02 03:04:05 UTC"), "{}", ran.err);
    assert!(ran.err.contains("AWS_PROFILE=admin"), "{}", ran.err);
    for secret in ["session-key", "session-token", "the-key"] {
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "a secret is printed");
    }
    let kept = world.kept();
    assert_eq!(kept.len(), 1);
    assert_eq!(std::fs::metadata(&kept[0]).unwrap().permissions().mode() & 0o777, 0o600);
    // The code is used up; the session is not asked for again until that is wanted.
    let ran = world.login(&["--export"], "").await;
    assert_eq!(
        ran.out,
        "export AWS_ACCESS_KEY_ID='ASIASESSION'\nexport AWS_SECRET_ACCESS_KEY='session-key'\n\
         export AWS_SESSION_TOKEN='session-token'\nexport AWS_REGION='eu-west-1'\nexport AWS_DEFAULT_REGION='eu-west-1'"
    );
    assert_eq!(world.login(&["--force", "--code", "123456"], "").await.code, 1);
}

#[tokio::test]
async fn the_kept_session_serves_this_program_and_the_aws_cli() {
    let world = World::with_profiles().await;
    let ops = env!("CARGO_BIN_EXE_ops");
    let args = ["psql", "rds", "--print-env"];
    let profile = [("AWS_PROFILE", "admin")];
    let before = world.run(ops, &args, "", &profile).await;
    assert!(before.err.contains("asks for an MFA code: cargo xtask login --profile admin"), "{}", before.err);
    assert_eq!(world.login(&["--profile", "admin", "--code", "123456"], "").await.code, 0);
    let after = world.run(ops, &args, "", &profile).await;
    assert!(after.err.contains("stack postgresasapp-"), "{}", after.err);
    assert_eq!(world.aws.last_key(), "ASIASESSION");

    // Where the AWS CLI is installed, it takes the session too and asks nothing.
    let cli = world.run("sh", &["-c", "command -v aws >/dev/null || { echo missing; exit 0; }; aws sts get-caller-identity --query Arn --output text"], "", &profile).await;
    if cli.out == "missing" {
        return;
    }
    assert_eq!(
        (cli.code, cli.out.as_str()),
        (0, "arn:aws:sts::123456789012:assumed-role/admin/me"),
        "{}",
        cli.err
    );
    assert_eq!(world.kept().len(), 1, "the CLI looks where the session is");
}

#[tokio::test]
async fn profiles_that_do_not_fit_are_named() {
    let world = World::with_profiles().await;
    let ran = world.login(&["--profile", "nobody"], "").await;
    assert!(ran.err.contains("no profile \"nobody\"; it has admin, me"), "{}", ran.err);
    let ran = world.login(&["--profile", "me"], "").await;
    assert!(ran.err.contains("needs role_arn, source_profile and mfa_serial"), "{}", ran.err);
    world.write(".aws/config", "");
    let ran = world.login(&[], "").await;
    assert!(ran.err.contains("cargo xtask login --setup-mfa"), "{}", ran.err);
}

#[tokio::test]
async fn key_device_and_profiles_are_set_up_without_the_console() {
    let world = World::new().await;
    let outputs =
        [("UserName", "team-admin"), ("AdminRoleArn", "arn:aws:iam::123456789012:role/team/team-admin")];
    let outputs = outputs.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    world.aws.account().stacks.insert("postgresasapp-iam".into(), outputs);
    let deployer =
        [("AWS_ACCESS_KEY_ID", "AKIDEPLOYER"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_REGION", "eu-west-1")];
    let ops = env!("CARGO_BIN_EXE_ops");
    let wrong = world.run(ops, &["login", "--setup-mfa"], "111111\n333333\n", &deployer).await;
    assert_eq!(wrong.code, 1, "{}", wrong.err);
    assert!(wrong.err.contains("the codes were refused"), "{}", wrong.err);
    assert!(world.aws.account().devices.is_empty(), "a device that was not enabled is removed");

    let ran = world.run(ops, &["login", "--setup-mfa"], "111111\n222222\n", &deployer).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out, "otpauth://totp/AWS:team-admin@123456789012?secret=JBSWY3DPEHPK3PXP&issuer=AWS");
    assert_eq!(world.aws.account().n_keys, 1, "the key of the first run is used");
    assert!(!ran.err.contains("new/key"));
    assert_eq!(
        world.read(".aws/credentials"),
        "[postgresasapp-user]\naws_access_key_id = AKIANEW\naws_secret_access_key = new/key\n"
    );
    assert!(world.read(".aws/config").contains(
        "[profile postgresasapp]\nrole_arn = arn:aws:iam::123456789012:role/team/team-admin\n\
         source_profile = postgresasapp-user\nmfa_serial = arn:aws:iam::123456789012:mfa/team-admin\nregion = eu-west-1\n"
    ));
    world.aws.account().mfa_code = "777777".into();
    let session = world.login(&["--code", "777777"], "").await;
    assert_eq!(session.code, 0, "{}", session.err);
}
