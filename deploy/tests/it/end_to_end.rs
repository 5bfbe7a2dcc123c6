//! The built program against an AWS: the six stacks as they are, from nothing to nothing, and through everything that fails.

use std::process::Command;

use serde_json::Value;

use aws_fakes::{Emulator, Run};

const ALL: [&str; 6] = ["s3", "iam", "vpc", "rds", "persist", "compute"];

fn events(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// The text must hold each of the words, in this order.
#[track_caller]
pub(crate) fn says(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let at = rest.find(word).unwrap_or_else(|| panic!("\"{word}\" is missing in:\n{text}"));
        rest = &rest[at + word.len()..];
    }
}

#[track_caller]
fn holds_no_secret(emulator: &Emulator, run: &Run) {
    let secrets = emulator.secrets();
    assert_eq!(secrets.len(), 3, "the passwords of iam, rds and persist");
    for secret in secrets {
        assert!(!run.stdout.contains(&secret) && !run.stderr.contains(&secret), "a secret was printed");
    }
}

/// Writes a value into a parameter file, as somebody does with an editor.
pub(crate) fn set_parameter(emulator: &Emulator, stack: &str, name: &str, value: &str) {
    let mut values = parameter_file(emulator, stack);
    values.retain(|(it, _)| it != name);
    values.push((name.to_owned(), value.to_owned()));
    let list: Vec<Value> = values
        .iter()
        .map(|(name, value)| serde_json::json!({ "ParameterKey": name, "ParameterValue": value }))
        .collect();
    let path = emulator.params_dir().join(format!("{stack}.json"));
    std::fs::write(path, Value::from(list).to_string()).unwrap();
}

fn unguard(emulator: &Emulator) {
    emulator.done(&["deploy", "--stack", "rds", "--yes", "--parameter", "DeletionProtection=false"]);
}

#[test]
fn six_stacks_come_from_nothing_stay_as_they_are_and_go() {
    let Some(emulator) = Emulator::start(0.01) else { return };

    let made = emulator.done(&["deploy", "--all", "--yes", "--json"]);
    holds_no_secret(&emulator, &made);
    let finished: Vec<Value> = events(&made).into_iter().filter(|it| it["event"] == "finished").collect();
    for stack in ALL {
        let event = finished.iter().find(|it| it["stack"] == stack).unwrap_or_else(|| panic!("{stack}"));
        assert_eq!(event["status"], "CREATE_COMPLETE", "{stack}");
        assert_ne!(event["outputs"].as_array().unwrap().len(), 0, "{stack}");
    }
    let position = |kind: &str, stack: &str| {
        events(&made).iter().position(|it| it["event"] == kind && it["stack"] == stack).unwrap()
    };
    assert!(position("finished", "vpc") < position("started", "rds"), "rds imports from vpc");
    assert!(position("finished", "rds") < position("started", "compute"), "compute imports from rds");
    assert!(position("finished", "persist") < position("started", "compute"), "compute imports from persist");

    let again = emulator.done(&["deploy", "--all", "--yes"]);
    holds_no_secret(&emulator, &again);
    assert_eq!(again.stderr.matches("nothing to change").count(), 6, "{}", again.stderr);
    assert!(!again.stderr.contains("started"), "{}", again.stderr);
    says(&again.stdout, &["rds.PsqlConnection = postgresql://someuser@", "compute.ApiUrl = http"]);
    assert!(
        emulator.stacks().iter().all(|(_, status)| status == "CREATE_COMPLETE"),
        "{:?}",
        emulator.stacks()
    );

    let diff = emulator.done(&["diff", "--all"]);
    assert_eq!(diff.stdout.matches("nothing to change").count(), 6, "{}", diff.stdout);
    assert_eq!(diff.stdout.matches("is as CloudFormation made it").count(), 6, "{}", diff.stdout);

    let outputs = emulator.done(&["outputs", "--json"]);
    holds_no_secret(&emulator, &outputs);
    let outputs: Value = serde_json::from_str(&outputs.stdout).unwrap();
    assert!(outputs["vpc"]["VpcId"].as_str().unwrap().starts_with("vpc-"), "{outputs}");

    let chart = emulator.done(&["events", "--stack", "rds"]);
    holds_no_secret(&emulator, &chart);
    says(&chart.stdout, &["postgresasapp-rds", "CREATE_COMPLETE", "MasterSecret", "Database", "█"]);

    let template = emulator.done(&["template", "--stack", "vpc", "--deployed"]);
    let as_sent = infra_cfn::write::compact(infra_cfn::Stack::Vpc.template_text()).unwrap();
    assert_eq!(template.stdout.trim_end(), as_sent.trim_end(), "what is sent has no comments");

    let guarded = emulator.failed(&["terminate", "--all", "--yes"]);
    says(
        &guarded.stderr,
        &["postgresasapp-rds protects what it holds", "--parameter DeletionProtection=false"],
    );
    assert_eq!(emulator.stacks().len(), 6, "nothing is gone yet");
    unguard(&emulator);
    let gone = emulator.done(&["terminate", "--all", "--yes"]);
    says(
        &gone.stderr,
        &["postgresasapp-iam stays", "compute ∅ DELETE_COMPLETE", "vpc ∅ DELETE_COMPLETE", "5 done"],
    );
    assert_eq!(emulator.stacks(), [("postgresasapp-iam".to_owned(), "CREATE_COMPLETE".to_owned())]);
    emulator.done(&["terminate", "--stack", "iam", "--yes"]);
    assert_eq!(emulator.stacks(), []);
}

#[test]
fn an_update_that_replaces_says_so_and_imports_keep_a_stack() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    emulator.done(&["deploy", "--stack", "vpc", "--stack", "rds", "--yes"]);

    let wish = ["--stack", "rds", "--parameter", "PostgresDBName=another"];
    let shown = emulator.done(&[&["diff", "--no-drift"], &wish[..]].concat());
    says(&shown.stdout, &["± Database (AWS::RDS::DBInstance)", "DBName", "! Database"]);

    let refused = emulator.failed(&[&["deploy", "--yes"], &wish[..]].concat());
    says(&refused.stderr, &["postgresasapp-rds was not changed", "--allow-data-loss rds.Database"]);
    let leave = ["deploy", "--yes", "--allow-data-loss", "rds.Database"];
    let changed = emulator.done(&[&leave[..], &wish[..]].concat());
    holds_no_secret(&emulator, &changed);
    says(&changed.stderr, &["± Database (AWS::RDS::DBInstance)", "rds ✓ UPDATE_COMPLETE"]);
    says(&changed.stdout, &["rds.PsqlConnection = ", "/another?sslmode=verify-full"]);
    // The flag holds for one run; what is to stay stands in the file.
    set_parameter(&emulator, "rds", "PostgresDBName", "another");

    let refused = emulator.failed(&["terminate", "--stack", "vpc", "--yes"]);
    says(
        &refused.stderr,
        &["postgresasapp-vpc cannot go: postgresasapp-rds import from it", "hint:", "--all"],
    );
    unguard(&emulator);
    emulator.done(&["terminate", "--stack", "vpc", "--stack", "rds", "--yes"]);
    assert_eq!(emulator.stacks(), []);
}

#[test]
fn a_creation_that_fails_is_rolled_back_and_made_by_the_next_run() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    emulator.break_down("AWS::EC2::Subnet", "create", "The maximum number of subnets has been reached.");
    let failed = emulator.failed(&["deploy", "--stack", "vpc", "--stack", "rds", "--stack", "s3", "--yes"]);
    says(
        &failed.stderr,
        &[
            "vpc ✗ create postgresasapp-vpc ended in ROLLBACK_COMPLETE",
            "cause: PrivateSubnetA (AWS::EC2::Subnet) at infra-cfn/templates/vpc.yaml:",
            "The maximum number of subnets has been reached.",
            "hint: Raise the quota",
            "rds - not started: vpc failed",
            "1 done, 1 failed, 1 not touched",
        ],
    );
    let ended: Vec<_> = emulator.stacks().into_iter().map(|(_, status)| status).collect();
    assert_eq!(ended, ["CREATE_COMPLETE", "ROLLBACK_COMPLETE"], "s3 does not suffer from vpc");

    emulator.heal();
    let healed = emulator.done(&["deploy", "--stack", "vpc", "--stack", "rds", "--stack", "s3", "--yes"]);
    says(&healed.stderr, &["the empty stack can only be deleted. It is deleted and made anew.", "3 done"]);
    assert!(
        emulator.stacks().iter().all(|(_, status)| status == "CREATE_COMPLETE"),
        "{:?}",
        emulator.stacks()
    );
}

#[test]
fn an_update_that_fails_goes_back_and_is_made_by_the_next_run() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    let wish = ["deploy", "--stack", "s3", "--yes", "--parameter", "NoncurrentVersionDays=30"];
    emulator.done(&["deploy", "--stack", "s3", "--yes"]);
    emulator.break_down("AWS::S3::Bucket", "update", "A conflicting operation is in progress.");
    let failed = emulator.failed(&wish);
    says(
        &failed.stderr,
        &[
            "s3 ✗ update postgresasapp-s3 ended in UPDATE_ROLLBACK_COMPLETE",
            "cause: TemplateBucket (AWS::S3::Bucket) at infra-cfn/templates/s3.yaml:",
            "A conflicting operation is in progress.",
        ],
    );
    emulator.heal();
    emulator.done(&wish);
    assert_eq!(emulator.stacks(), [("postgresasapp-s3".to_owned(), "UPDATE_COMPLETE".to_owned())]);
}

#[test]
fn a_failed_creation_can_be_kept_and_is_continued() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    emulator.break_down("AWS::S3::BucketPolicy", "create", "Access Denied");
    let failed = emulator.failed(&["deploy", "--stack", "s3", "--yes", "--on-failure", "keep"]);
    says(&failed.stderr, &["ended in CREATE_FAILED", "cause: TemplateBucketPolicy", "hint: Give the caller"]);
    emulator.heal();
    emulator.done(&["deploy", "--stack", "s3", "--yes"]);
    let stacks = emulator.stacks();
    assert!(stacks.iter().all(|(_, status)| status.ends_with("_COMPLETE")), "{stacks:?}");
}

#[test]
fn a_deletion_that_fails_is_finished_by_the_next_run() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    emulator.done(&["deploy", "--stack", "vpc", "--yes"]);
    emulator.break_down("AWS::EC2::VPC", "delete", "The vpc has dependencies and cannot be deleted.");
    let failed = emulator.failed(&["terminate", "--stack", "vpc", "--yes"]);
    says(
        &failed.stderr,
        &[
            "vpc ✗ delete postgresasapp-vpc ended in DELETE_FAILED",
            "cause: Vpc (AWS::EC2::VPC) at infra-cfn/templates/vpc.yaml:",
            "hint: Something outside of the stack still uses it",
        ],
    );
    emulator.heal();
    emulator.done(&["terminate", "--stack", "vpc", "--yes"]);
    assert_eq!(emulator.stacks(), []);
}

#[test]
fn an_interrupted_client_is_continued_by_the_next_run() {
    // 26 resources: there is time to interrupt.
    let Some(emulator) = Emulator::start(0.1) else { return };
    let client = emulator.command(&["deploy", "--stack", "vpc", "--yes"]).spawn().unwrap();
    emulator.wait_for("postgresasapp-vpc", "CREATE_IN_PROGRESS");
    let sent = Command::new("kill").args(["-INT", &client.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let interrupted = Run::of(&client.wait_with_output().unwrap());
    assert_eq!(interrupted.code, Some(130), "{}", interrupted.stderr);
    says(&interrupted.stderr, &["interrupted; CloudFormation goes on by itself"]);

    let next = emulator.done(&["deploy", "--stack", "vpc", "--yes"]);
    says(&next.stderr, &["The stack is being made. Waiting for it to end.", "nothing to change", "1 done"]);
    assert_eq!(emulator.stacks(), [("postgresasapp-vpc".to_owned(), "CREATE_COMPLETE".to_owned())]);
}

#[test]
fn without_a_yes_nothing_is_made_and_a_prepared_change_set_waits() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    let asked = emulator.run(&["deploy", "--stack", "s3"]);
    assert_eq!(asked.code, Some(3), "{}", asked.stderr);
    says(&asked.stderr, &["+ TemplateBucket", "repeat the command with --yes"]);
    assert_eq!(emulator.stacks(), [], "the change set and its empty stack are gone");

    let prepared = emulator.done(&["deploy", "--stack", "s3", "--no-execute"]);
    says(&prepared.stdout, &["+ TemplateBucket", "s3 prepared, not executed: arn:aws:cloudformation:"]);
    assert_eq!(emulator.stacks(), [("postgresasapp-s3".to_owned(), "REVIEW_IN_PROGRESS".to_owned())]);
    emulator.done(&["deploy", "--stack", "s3", "--yes"]);
    assert_eq!(emulator.stacks(), [("postgresasapp-s3".to_owned(), "CREATE_COMPLETE".to_owned())]);

    let refused = emulator.failed(&["create", "--stack", "s3", "--yes"]);
    says(&refused.stderr, &["postgresasapp-s3 exists already", "hint: Use deploy to change it"]);
    let recreated = emulator.done(&["recreate", "--stack", "s3", "--yes"]);
    says(&recreated.stderr, &["s3 ∅ DELETE_COMPLETE", "s3 ✓ CREATE_COMPLETE"]);
}

#[test]
fn a_plan_is_applied_exactly_and_a_stale_one_is_explained() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    let plan = |args: &[&str]| {
        let base = ["deploy", "--stack", "s3", "--no-execute", "--json"];
        let run = emulator.done(&[&base[..], args].concat());
        let path = emulator.params_dir().join("plan.jsonl");
        std::fs::write(&path, run.stdout).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let first = plan(&[]);
    let refused = emulator.run(&["apply", "--plan", &first]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    let applied = emulator.done(&["apply", "--plan", &first, "--yes"]);
    says(&applied.stderr, &["account 123456789012", "us-east-1", "s3 ✓ CREATE_COMPLETE"]);

    let stale = plan(&["--parameter", "NoncurrentVersionDays=30"]);
    emulator.done(&["deploy", "--stack", "s3", "--yes", "--parameter", "NoncurrentVersionDays=31"]);
    let explained = emulator.failed(&["apply", "--plan", &stale, "--yes"]);
    says(&explained.stderr, &["the plan of postgresasapp-s3 is stale", "Nothing was executed"]);

    let differs = ["diff", "--stack", "s3", "--no-drift", "--exit-code"];
    assert_eq!(emulator.run(&differs).code, Some(0));
    let changed = [&differs[..], &["--parameter", "NoncurrentVersionDays=32"]].concat();
    assert_eq!(emulator.run(&changed).code, Some(4));
    let markdown =
        emulator.done(&[&["diff", "--stack", "s3", "--no-drift", "--markdown"], &changed[5..]].concat());
    says(
        &markdown.stdout,
        &["## Plan", "Account `", "### `s3` is changed", "| parameter | before | after |"],
    );
}

#[test]
fn a_pin_keeps_parameter_files_in_their_account() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    emulator.done(&["params", "pin"]);
    let pin = emulator.params_dir().join("pin.json");
    let text = std::fs::read_to_string(&pin).unwrap();
    says(&text, &["\"account\"", "\"region\": \"us-east-1\""]);
    emulator.done(&["deploy", "--stack", "s3", "--yes"]);
    let elsewhere = emulator.failed(&["deploy", "--stack", "s3", "--yes", "--region", "eu-west-1"]);
    says(
        &elsewhere.stderr,
        &["this belongs to account", "in us-east-1, and you are in", "eu-west-1", "pin.json"],
    );
    let elsewhere = emulator.failed(&["terminate", "--stack", "s3", "--yes", "--region", "eu-west-1"]);
    says(&elsewhere.stderr, &["this belongs to account"]);
}

#[test]
fn what_the_account_has_is_seen_before_anything_is_made() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    // The first installation has the names; the second one's namespace is the same.
    emulator.done(&["deploy", "--stack", "iam", "--yes"]);
    let collides =
        emulator.failed(&["deploy", "--stack", "iam", "--stack", "s3", "--yes", "--prefix", "two"]);
    says(
        &collides.stderr,
        &["IAM User \"postgresasapp-admin\" exists already", "hint: Give another IAMNamespace"],
    );
    let names: Vec<_> = emulator.stacks().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["postgresasapp-iam"], "nothing of the second one was made");
    let linted = emulator.failed(&["lint", "--stack", "iam", "--prefix", "two", "--aws"]);
    says(&linted.stdout, &["iam: IAM User \"postgresasapp-admin\" exists already"]);
    emulator.done(&["lint", "--stack", "iam", "--aws"]);
}

#[test]
fn events_hide_what_deploy_hides_and_are_there_after_the_end() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    let secret =
        parameter_file(&emulator, "iam").into_iter().find(|(name, _)| name == "IAMPassword").unwrap().1;
    let reason = format!("Password {secret} does not conform to the account password policy.");
    emulator.break_down("AWS::IAM::User", "create", &reason);
    let failed = emulator.failed(&["deploy", "--stack", "iam", "--yes"]);
    says(&failed.stderr, &["cause: ", "Password **** does not conform"]);
    holds_no_secret(&emulator, &failed);
    for args in [&["events", "--stack", "iam"][..], &["events", "--stack", "iam", "--json"]] {
        let told = emulator.done(args);
        says(&told.stdout, &["Password **** does not conform"]);
        holds_no_secret(&emulator, &told);
    }
    emulator.heal();
    emulator.done(&["terminate", "--stack", "iam", "--yes"]);
    let after = emulator.done(&["events", "--stack", "iam"]);
    says(&after.stdout, &["postgresasapp-iam", "DELETE_COMPLETE"]);
}

#[test]
fn a_protected_stack_stays() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    emulator.done(&["deploy", "--stack", "s3", "--yes", "--termination-protection", "on"]);
    let refused = emulator.failed(&["terminate", "--stack", "s3", "--yes"]);
    says(&refused.stderr, &["postgresasapp-s3 is protected against termination"]);
    emulator.done(&["terminate", "--stack", "s3", "--yes", "--termination-protection", "off"]);
    assert_eq!(emulator.stacks(), []);
}

fn parameter_file(emulator: &Emulator, stack: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(emulator.params_dir().join(format!("{stack}.json"))).unwrap();
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    list.iter().map(|it| (text(it, "ParameterKey"), text(it, "ParameterValue"))).collect()
}

#[test]
fn a_stack_that_exists_gets_no_new_password() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    emulator.done(&["deploy", "--stack", "vpc", "--stack", "persist", "--yes"]);
    let path = emulator.params_dir().join("persist.json");
    std::fs::remove_file(&path).unwrap();
    let made = emulator.done(&["params", "init", "--stack", "persist"]);
    says(&made.stderr, &["is written without DatabasePassword, which postgresasapp-persist has and keeps"]);
    assert!(!parameter_file(&emulator, "persist").iter().any(|(name, _)| name == "DatabasePassword"));
    let again = emulator.done(&["deploy", "--stack", "persist", "--yes"]);
    says(&again.stderr, &["nothing to change"]);

    // A marker that was never replaced is such a password, too; another installation has one of its own.
    std::fs::write(&path, "[{\"ParameterKey\":\"DatabasePassword\",\"ParameterValue\":\"<generated>\"}]")
        .unwrap();
    emulator.done(&["params", "init", "--stack", "persist"]);
    assert!(!parameter_file(&emulator, "persist").iter().any(|(name, _)| name == "DatabasePassword"));
    std::fs::remove_file(&path).unwrap();
    let other = emulator.done(&["params", "init", "--stack", "persist", "--prefix", "other"]);
    says(&other.stderr, &["with a new DatabasePassword"]);
}

#[test]
fn a_volume_is_adopted_and_kept_and_a_snapshot_of_it_is_refused_with_the_way_out() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    emulator.done(&["deploy", "--all", "--yes"]);
    let volume = || {
        let outputs: Value =
            serde_json::from_str(&emulator.done(&["outputs", "--stack", "persist", "--json"]).stdout)
                .unwrap();
        outputs["persist"]["VolumeId"].as_str().unwrap().to_owned()
    };
    let own = volume();
    let snapshot = "SnapshotId=snap-0123456789abcdef0";
    let refused = emulator.failed(&["deploy", "--stack", "persist", "--yes", "--parameter", snapshot]);
    says(
        &refused.stderr,
        &[
            "SnapshotId of Volume (AWS::EC2::Volume) at infra-cfn/templates/persist.yaml:",
            "cannot be changed",
            "hint: ",
            "ExistingVolumeId",
        ],
    );
    assert_eq!(volume(), own);

    let adopted = "ExistingVolumeId=vol-0aaaaaaaaaaaaaaaa";
    let done = emulator.done(&["deploy", "--stack", "persist", "--yes", "--parameter", adopted]);
    says(&done.stderr, &["UPDATE_COMPLETE"]);
    assert_eq!(volume(), "vol-0aaaaaaaaaaaaaaaa");
    let again = emulator.done(&["deploy", "--all", "--yes"]);
    assert_eq!(again.stderr.matches("nothing to change").count(), 6, "{}", again.stderr);
    assert_eq!(volume(), "vol-0aaaaaaaaaaaaaaaa", "the next deployment keeps it");
}

#[test]
fn what_is_imported_cannot_be_changed_and_a_tag_by_flag_stays() {
    let Some(emulator) = Emulator::start(0.0) else { return };
    emulator.done(&["deploy", "--all", "--yes"]);
    let name = "persist.PostgresDBName=another";
    let failed = emulator.failed(&["deploy", "--stack", "persist", "--yes", "--parameter", name]);
    says(
        &failed.stderr,
        &[
            "PostgresDBName is given by a flag",
            "goes back to that",
            "customdb-name",
            "in use by postgresasapp-compute",
        ],
    );

    let tag = "CustomDBImageTag=9.9.9";
    emulator.done(&["deploy", "--stack", "compute", "--yes", "--parameter", tag]);
    let again = emulator.done(&["deploy", "--all", "--yes"]);
    assert_eq!(again.stderr.matches("nothing to change").count(), 6, "{}", again.stderr);
}
