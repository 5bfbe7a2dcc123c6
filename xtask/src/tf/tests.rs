//! The commands against a stand-in for the program, which notes what it is asked and plans what the test says.

use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;

/// Notes its arguments; makes the plan file, and shows the plan that lies beside it.
const PROGRAM: &str = r#"#!/bin/sh
echo "$*" >> "$NOTES/asked"
echo "$TF_DATA_DIR" >> "$NOTES/data"
case $1 in
  plan) for arg in "$@"; do case $arg in -out=*) : > "${arg#-out=}" ;; esac; done ;;
  show) cat "$NOTES/plan.json" ;;
  output) cat "$NOTES/outputs.json" ;;
esac
exit "$(cat "$NOTES/$1.code" 2>/dev/null || echo 0)"
"#;

struct Fixture {
    dir: TempDir,
    root: Root,
}

impl Fixture {
    fn new(resources: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("infra-tf");
        std::fs::create_dir_all(folder.join(".terraform").join("dev")).expect("a folder");
        std::fs::write(folder.join(".terraform/dev/terraform.tfstate"), "").expect("what init leaves");
        let program = dir.path().join("terraform");
        std::fs::write(&program, PROGRAM).expect("a program");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("its mode");
        let plan = format!(r#"{{"format_version":"1.2","resource_changes":[{resources}]}}"#);
        std::fs::write(dir.path().join("plan.json"), plan).expect("a plan");
        let terraform = Terraform::at(program, &folder).with_env("NOTES", dir.path());
        let environment = "dev".parse().expect("a name");
        let root =
            Root { terraform, folder, environment, ask: |_| Ok(None), preflight: |_| Ok(()), login: || None };
        Self { dir, root }
    }

    fn asked(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path().join("asked")).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }

    fn fail(&self, command: &str) {
        std::fs::write(self.dir.path().join(format!("{command}.code")), "1").expect("a file");
    }

    fn which(&self) -> InEnvironment {
        InEnvironment { env: self.root.environment.clone(), args: vec!["-lock-timeout=5m".into()] }
    }

    fn plan(&self, allow_data_loss: bool) -> Result<ExitCode> {
        self.root.plan(&PlanArgs {
            which: self.which(),
            allow_data_loss,
            no_preflight: false,
            json: false,
            report: None,
        })
    }
}

/// Exit codes cannot be compared.
#[track_caller]
fn ends_with(code: ExitCode, expected: u8) {
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(expected)));
}

const HARMLESS: &str =
    r#"{"address":"aws_iam_role.this","type":"aws_iam_role","change":{"actions":["create"]}}"#;
const LOSSY: &str =
    r#"{"address":"aws_rds_cluster.this","type":"aws_rds_cluster","change":{"actions":["delete"]}}"#;

#[test]
fn plan_names_the_environment_and_is_kept_for_apply() {
    let it = Fixture::new(HARMLESS);
    std::fs::create_dir(it.root.folder.join("environments")).expect("a folder");
    std::fs::write(it.root.folder.join("environments/dev.tfvars"), "").expect("a file");
    ends_with(it.plan(false).expect("a plan"), 0);
    let file = it.root.plan_file();
    let plan = format!(
        "plan -input=false -out={} -var=environment=dev -var-file=environments/dev.tfvars -lock-timeout=5m",
        file.display()
    );
    assert_eq!(it.asked()[0], plan);

    let apply = ApplyArgs { which: it.which(), yes: true, allow_data_loss: false };
    ends_with(it.root.apply(&apply).expect("it applies"), 0);
    assert_eq!(
        *it.asked().last().expect("a call"),
        format!("apply -input=false -lock-timeout=5m {}", file.display())
    );
    let error = it.root.apply(&apply).expect_err("a plan is applied once");
    assert_eq!(error.to_string(), "there is no plan for dev; make one with `cargo xtask tf plan --env dev`");
}

#[test]
fn plan_that_loses_data_is_refused_and_not_kept() {
    let it = Fixture::new(LOSSY);
    let error = it.plan(false).expect_err("data is lost");
    assert!(
        error.to_string().starts_with("this would destroy what holds data: aws_rds_cluster.this"),
        "{error}"
    );
    assert!(!it.root.plan_file().exists());

    ends_with(it.plan(true).expect("told"), 0);
    let mut apply = ApplyArgs { which: it.which(), yes: true, allow_data_loss: false };
    assert!(it.root.apply(&apply).is_err(), "apply looks again");
    apply.allow_data_loss = true;
    ends_with(it.root.apply(&apply).expect("told"), 0);
}

#[test]
fn plan_that_the_account_would_refuse_is_not_kept() {
    let mut it = Fixture::new(HARMLESS);
    it.root.preflight = |plan| bail!("refused: {}", plan.contains("aws_iam_role.this"));
    let error = it.plan(false).expect_err("the account would refuse it");
    assert_eq!(error.to_string(), "refused: true");
    assert!(!it.root.plan_file().exists());
    let args =
        PlanArgs { which: it.which(), allow_data_loss: false, no_preflight: true, json: false, report: None };
    ends_with(it.root.plan(&args).expect("the output is not read"), 0);
}

#[test]
fn failed_plan_leaves_none_behind_and_its_exit_code() {
    let it = Fixture::new(HARMLESS);
    ends_with(it.plan(false).expect("a plan"), 0);
    it.fail("plan");
    ends_with(it.plan(false).expect("terraform said why"), 1);
    assert!(it.asked().iter().filter(|it| it.starts_with("show")).count() == 1);
}

#[test]
fn apply_and_destroy_without_a_yes_change_nothing() {
    let it = Fixture::new(HARMLESS);
    ends_with(it.plan(false).expect("a plan"), 0);
    let apply = ApplyArgs { which: it.which(), yes: false, allow_data_loss: false };
    ends_with(it.root.apply(&apply).expect("refused"), REFUSED);
    assert!(it.root.plan_file().exists(), "the plan is kept");
    for confirm in [None, Some("production".to_owned())] {
        let destroy = DestroyArgs { which: it.which(), confirm };
        ends_with(it.root.destroy(&destroy).expect("refused"), REFUSED);
    }
    assert!(!it.asked().iter().any(|it| it.starts_with("apply")), "{:?}", it.asked());
    let destroy = DestroyArgs { which: it.which(), confirm: Some("dev".to_owned()) };
    ends_with(it.root.destroy(&destroy).expect("destroyed"), 0);
    assert!(it.asked().iter().any(|it| it.starts_with("plan -input=false -destroy")));
}

#[test]
fn a_lock_is_taken_off_only_when_it_is_meant() {
    let it = Fixture::new(HARMLESS);
    let mut args = unlock::ForceUnlockArgs { which: it.which(), yes: false, id: "6f3c1a52".to_owned() };
    ends_with(it.root.force_unlock(&args).expect("refused"), REFUSED);
    assert_eq!(it.asked(), Vec::<String>::new());
    args.yes = true;
    ends_with(it.root.force_unlock(&args).expect("it runs"), 0);
    assert_eq!(it.asked(), ["force-unlock -force -lock-timeout=5m 6f3c1a52"]);
    args.id = "-force".to_owned();
    let error = it.root.force_unlock(&args).expect_err("no id");
    assert!(error.to_string().contains("Error acquiring the state lock"), "{error}");
}

#[test]
fn failures_for_want_of_credentials_are_told_as_such() {
    thread_local!(static ASKED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });
    let mut it = Fixture::new(HARMLESS);
    it.root.login = || {
        ASKED.set(ASKED.get() + 1);
        Some("sign in".to_owned())
    };
    ends_with(it.plan(false).expect("a plan"), 0);
    assert_eq!(ASKED.get(), 0, "all went well");
    it.fail("plan");
    ends_with(it.plan(false).expect("terraform said why"), 1);
    assert_eq!(ASKED.get(), 1);
}

#[test]
fn init_takes_the_backend_from_its_file() {
    let it = Fixture::new("");
    let args = |bucket: Option<&str>| InitArgs {
        which: InEnvironment { env: it.root.environment.clone(), args: vec!["-upgrade".into()] },
        bucket: bucket.map(ToOwned::to_owned),
        bucket_region: bucket.map(|_| "eu-west-1".to_owned()),
        bucket_key: None,
    };
    let error = it.root.init(&args(None)).expect_err("no file");
    assert!(error.to_string().contains("cargo xtask tf backend"), "{error}");
    std::fs::write(it.root.folder.join("backend.hcl"), "").expect("a file");
    assert_eq!(it.root.init(&args(None)).expect("it runs"), Ended::Well);
    // What is said is taken, whatever the file says.
    assert_eq!(it.root.init(&args(Some("b"))).expect("it runs"), Ended::Well);
    let key = "-backend-config=key=infra-tf/dev/terraform.tfstate -upgrade";
    assert_eq!(
        it.asked(),
        [
            format!("init -input=false -backend-config=backend.hcl {key}"),
            format!("init -input=false -backend-config=bucket=b -backend-config=region=eu-west-1 {key}"),
        ]
    );
}

fn backend(it: &Fixture, yes: bool) -> Result<ExitCode> {
    let outputs =
        r#"{"state_bucket_name":{"value":"b"},"region":{"value":"r"},"state_kms_key_arn":{"value":"k"}}"#;
    std::fs::write(it.dir.path().join("outputs.json"), outputs).expect("a file");
    let args = BackendArgs { yes, args: vec!["-var=project=p".into()] };
    backend::run(&it.root.terraform, &args, &it.root.folder, |_| Ok(None), || None)
}

#[test]
fn backend_asks_before_it_makes_anything_and_writes_the_file() {
    let it = Fixture::new(HARMLESS);
    ends_with(backend(&it, false).expect("it runs"), REFUSED);
    assert!(!it.asked().iter().any(|it| it.starts_with("apply")), "{:?}", it.asked());
    assert!(!it.root.folder.join("backend.hcl").exists());
    ends_with(backend(&it, true).expect("it runs"), 0);
    let file = it.root.folder.join(".terraform/backend.tfplan");
    let plan =
        format!("plan -input=false -out={} -var=region=r -var=bucket_name=b -var=project=p", file.display());
    assert!(it.asked().contains(&plan), "the region of before stays: {:?}", it.asked());
    assert!(it.asked().contains(&format!("apply -input=false {}", file.display())), "{:?}", it.asked());
    assert!(!file.exists(), "a plan is applied once");
    assert!(it.root.folder.join("backend.hcl").is_file());
}

#[test]
fn backend_does_not_replace_the_bucket_that_holds_the_states() {
    let it = Fixture::new(
        r#"{"address":"aws_s3_bucket.state","type":"aws_s3_bucket","change":{"actions":["delete","create"]}}"#,
    );
    let error = backend(&it, true).expect_err("data is lost");
    assert!(error.to_string().contains("aws_s3_bucket.state"), "{error}");
    assert!(!it.asked().iter().any(|it| it.starts_with("apply")), "{:?}", it.asked());
}
