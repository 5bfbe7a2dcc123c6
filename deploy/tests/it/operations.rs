//! The hybrid deployment's recovery, typed from `docs/operations.md` block by block into a shell, with the AWS command line, against
//! the emulator with the strict rules beside the project.
//!
//! `cargo xtask` is the built program; what needs a database (`bootstrap`, `verify`, `publish`) is noted here and tried by the
//! stories of `e2e`. What a page leaves open, such as the identifier of a snapshot, is filled in with what its own commands print.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    emulator::{Emulator, Run},
    end_to_end::{says, set_parameter},
};

/// Part of a page: from a heading to the next one that is not below it.
fn section(page: &str, heading: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page)).unwrap();
    let level = |it: &str| it.starts_with('#').then(|| it.bytes().take_while(|it| *it == b'#').count());
    let mut is_fenced = false;
    let mut found = String::new();
    for line in text.lines() {
        is_fenced ^= line.trim_start().starts_with("```");
        if !found.is_empty() && !is_fenced && level(line).is_some_and(|it| Some(it) <= level(heading)) {
            break;
        }
        if !found.is_empty() || line == heading {
            writeln!(found, "{line}").unwrap();
        }
    }
    assert!(!found.is_empty(), "{page} has no {heading}");
    found
}

/// The block of a section that holds a word.
fn block(section: &str, word: &str) -> String {
    let blocks = section.split("```sh\n").skip(1).filter_map(|it| it.split("```").next());
    let mut found = blocks.filter(|it| it.contains(word));
    found.next().unwrap_or_else(|| panic!("no block has {word}:\n{section}")).to_owned()
}

/// The commands within the line of a section that begins so.
fn inline(section: &str, line: &str) -> Vec<String> {
    let line = section.lines().find(|it| it.contains(line)).unwrap_or_else(|| panic!("no line has {line}"));
    let spans = line.split('`').skip(1).step_by(2);
    spans.filter(|it| it.starts_with("cargo xtask ") || it.starts_with("aws ")).map(str::to_owned).collect()
}

/// A shell that remembers what was set in it, as a person's does.
struct Shell {
    emulator: Emulator,
    dir: tempfile::TempDir,
}

impl Shell {
    fn open() -> Option<Self> {
        let Some(rules) = Emulator::strict() else {
            eprintln!("skipped: no strict rules beside the project");
            return None;
        };
        let emulator = Emulator::start_with(0.0, &[("EMULATOR_STRICT", rules.to_str().unwrap())])?;
        let dir = tempfile::tempdir().unwrap();
        let params = emulator.params_dir();
        let cargo = format!(
            r#"#!/bin/bash
[ "$1" = xtask ] || exit 64
shift
params='{params}'
case " $* " in *" --prefix staging "*) params=$params/staging ;; esac
case $1 in
  deploy | terminate) exec '{deploy}' "$@" --yes --poll 0.1 --params-dir "$params" ;;
  params | outputs | diff | stacks) exec '{deploy}' "$@" --params-dir "$params" ;;
  *) echo "$@" >> '{asked}' ;;
esac
"#,
            params = params.display(),
            deploy = env!("CARGO_BIN_EXE_deploy"),
            asked = dir.path().join("asked").display(),
        );
        let program = dir.path().join("bin/cargo");
        fs::create_dir(dir.path().join("bin")).unwrap();
        fs::write(&program, cargo).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self { emulator, dir })
    }

    fn run(&self, script: &str) -> Run {
        let python = PathBuf::from(std::env::var_os("PGAPP_PYTHON").unwrap());
        let path = std::env::var_os("PATH").unwrap();
        let folders = [self.dir.path().join("bin"), python.parent().unwrap().to_owned()];
        let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path))).unwrap();
        let memory = self.dir.path().join("memory");
        let memory = memory.display();
        let script =
            format!("[ ! -e {memory} ] || . {memory}\nset -ea\n{script}\nset +a\nexport -p > {memory}");
        let mut command = self.emulator.program("bash");
        // The command line calls the region by its older name.
        command.env("AWS_DEFAULT_REGION", "us-east-1").env("PATH", path).env("AWS_PAGER", "");
        let output = command.args(["-c", &script]).current_dir(self.dir.path()).output().unwrap();
        Run::of(&output)
    }

    /// Types what has to work, and returns what it prints.
    #[track_caller]
    fn types(&self, script: &str) -> Run {
        let run = self.run(script);
        assert_eq!(run.code, Some(0), "{script}\n{}\n{}", run.stdout, run.stderr);
        run
    }

    /// What the account says now.
    #[track_caller]
    fn aws(&self, question: &str) -> Value {
        serde_json::from_str(&self.types(&format!("aws {question} --output json")).stdout).unwrap()
    }

    #[track_caller]
    fn output(&self, stack: &str, name: &str) -> String {
        let question = format!("cargo xtask outputs --stack {stack} --json | jq -er .{stack}.{name}");
        self.types(&question).stdout.trim().to_owned()
    }

    #[track_caller]
    fn secret(&self, id: &str) -> Value {
        let value =
            self.aws(&format!("secretsmanager get-secret-value --secret-id {id} --query SecretString"));
        serde_json::from_str(value.as_str().unwrap()).unwrap()
    }

    /// The volume that the next host attaches.
    #[track_caller]
    fn published(&self) -> String {
        let name = self.output("persist", "VolumeParameter");
        let value = self.aws(&format!("ssm get-parameter --name {name} --query Parameter.Value"));
        value.as_str().unwrap().to_owned()
    }

    /// The deployments that services run: a restart makes new ones.
    #[track_caller]
    fn running(&self) -> Vec<Value> {
        let question = "for name in CustomDBService ApiService; do
              service=$(aws ecs list-services --cluster $cluster --query \"serviceArns[?contains(@, '$name')]\" --output text)
              aws ecs describe-services --cluster $cluster --services $service --output json \
                --query 'services[0].{id: deployments[0].id, desired: desiredCount}' | jq -c .
            done";
        let cluster = self.output("compute", "Cluster");
        let text = self.types(&format!("cluster={cluster}\n{question}")).stdout;
        text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
    }

    /// Commands that were asked for and are tried elsewhere.
    fn asked(&self) -> String {
        fs::read_to_string(self.dir.path().join("asked")).unwrap_or_default()
    }
}

#[test]
fn each_secret_gets_another_value_and_a_new_image_stays() {
    let Some(shell) = Shell::open() else { return };
    shell.types("cargo xtask deploy --all");
    let page = section("operations.md", "## Rotate a secret");
    let (change, restart) = (block(&page, "put-secret-value"), block(&page, "--force-new-deployment"));
    let (line, rest) = change.split_once('\n').unwrap();
    let rows = [
        ("persist", "JwtSecret", "secret"),
        ("persist", "AuthenticatorSecret", "password"),
        ("persist", "CustomDBSecret", "password"),
        ("rds", "FdwSecret", "password"),
    ];
    assert_eq!(line, format!("stack={} output={} field={}", rows[0].0, rows[0].1, rows[0].2));
    for (stack, output, field) in rows {
        let row = page.lines().find(|it| it.contains(&format!("`{output}` of `{stack}`")));
        assert!(row.is_some_and(|it| it.contains(&format!("a new `{field}`"))), "{output}: {row:?}");
        let id = shell.output(stack, output);
        let before = shell.secret(&id);
        let run = shell.types(&format!("stack={stack} output={output} field={field}\n{rest}"));
        let mut after = shell.secret(&id);
        let new = after[field].as_str().unwrap().to_owned();
        assert_eq!(new.len(), 64);
        assert!(!run.stdout.contains(&new) && !run.stderr.contains(&new), "{output} was shown");
        assert_ne!(after, before);
        after[field] = before[field].clone();
        assert_eq!(after, before, "nothing else of {output} changed");
    }
    assert!(fs::read_dir(shell.dir.path()).unwrap().all(|it| it.unwrap().path().extension().is_none()));
    let before = shell.running();
    shell.types(&restart);
    let after = shell.running();
    assert!(before.iter().zip(&after).all(|(before, after)| before["id"] != after["id"]), "{after:?}");
    says(&shell.asked(), &["verify --target hybrid"]);

    // Passwords that stand in parameter files.
    for (stack, row) in
        [("persist", "superuser of the custom database"), ("rds", "RDS master user, password from")]
    {
        let new = "Rotated-0123456789-abcdef";
        set_parameter(&shell.emulator, stack, "DatabasePassword", new);
        inline(&page, row).iter().for_each(|it| drop(shell.types(it)));
        let output = if stack == "rds" { "DatabaseSecret" } else { "CustomDBSecret" };
        let secret = shell.secret(&shell.output(stack, output));
        assert_eq!(secret["password"], new, "{stack}");
    }
    inline(&page, "`FdwSecret` of `rds`").iter().for_each(|it| drop(shell.types(it)));
    says(&shell.asked(), &["bootstrap --target rds", "bootstrap --target compute"]);

    let image = inline(&section("operations.md", "## Upgrade Postgres"), "**Custom database.** Minor");
    image.iter().for_each(|it| drop(shell.types(it)));
    says(&shell.asked(), &["publish customdb --tag NEW"]);
    let images = "aws ecs describe-task-definition --task-definition postgresasapp-compute-customdb \
                  --query 'taskDefinition.containerDefinitions[].image' --output text";
    says(&shell.types(images).stdout, &["customdb:NEW"]);
    shell.types("cargo xtask deploy --all");
    says(&shell.types(images).stdout, &["customdb:NEW"]);
}

#[test]
fn a_volume_comes_back_from_a_snapshot_is_left_for_an_upgrade_and_outlives_the_end() {
    let Some(shell) = Shell::open() else { return };
    shell.types("cargo xtask deploy --all");
    let volumes = section("operations.md", "#### Give the custom database another volume");
    let host = block(&section("operations.md", "## Replace the host"), "start-instance-refresh");
    let (own, adopt) = (shell.published(), block(&volumes, "ExistingVolumeId=$volume"));
    // As AWS Backup does: the snapshot has the tags of its volume.
    shell.types(&format!(
        "aws ec2 create-snapshot --volume-id {own} --tag-specifications 'ResourceType=snapshot,Tags=[{{Key=Application,Value=postgres-as-app}}]'"
    ));

    shell.types(&block(&volumes, "zone="));
    let listed = shell.types(&inline(&volumes, "**Back to a snapshot.**")[0]).stdout;
    let snapshot = listed.split_whitespace().next().expect("a snapshot is listed");
    shell.types(&block(&volumes, "snap-…").replace("snap-…", snapshot));
    shell.types(&adopt);
    let restored = shell.published();
    assert_eq!(restored, shell.types("echo $volume").stdout.trim());
    says(&shell.types(&host).stdout, &["InstanceRefreshId"]);
    shell.types("cargo xtask deploy --all");
    assert_eq!(shell.published(), restored, "later deployments keep it");

    // It grows as the page says of an adopted one, and by the parameter where the stack made it.
    let grow = section("operations.md", "## Grow the volume");
    let by_hand = inline(&grow, "A volume that was adopted")[0].replace('…', &restored);
    shell.types(&by_hand);
    let size = |volume: &str| {
        shell.aws(&format!("ec2 describe-volumes --volume-ids {volume} --query 'Volumes[0].Size'"))
    };
    assert_eq!(size(&restored), 40);

    // Another major version, on an empty volume.
    let upgrade = section("operations.md", "## Upgrade Postgres");
    shell.types(&inline(&upgrade, "2. `cargo xtask publish customdb")[0]);
    shell.types(&block(&upgrade, "--desired-count 0"));
    assert_eq!(shell.running()[0]["desired"], 0, "the old server stopped");
    shell.types(&block(&volumes, "--size 20"));
    shell.types(&adopt);
    assert_ne!(shell.published(), restored);
    shell.types(&host);
    shell.types(&block(&upgrade, "--desired-count 1"));
    assert_eq!(shell.running()[0]["desired"], 1);
    inline(&upgrade, "6. `cargo xtask bootstrap").iter().for_each(|it| drop(shell.types(it)));
    says(
        &shell.asked(),
        &["publish customdb --tag NEW --base", "bootstrap --target compute", "verify --target hybrid"],
    );
    shell.types(&block(&section("operations.md", "## Replace the host"), "--new-host-image"));

    // All of it goes, and comes back with its data; an own volume grows by its parameter.
    let guide = section("deploy-hybrid.md", "## Remove everything");
    shell.types(&inline(&guide, "RDS is protected by default")[0]);
    shell.types(&block(&guide, "terminate --all"));
    assert_eq!(size(&own), 20, "the first volume is still there");
    let kept = inline(&volumes, "**A volume kept from an earlier installation.**");
    says(&shell.types(&kept[0]).stdout, &[&own]);
    shell.types(&kept[1].replace("vol-…", &own));
    let whole = adopt.replace("--stack persist", "--all");
    shell.types(&format!("volume={own}\n{whole}"));
    assert_eq!(shell.published(), own);
}

#[test]
fn rds_takes_a_major_version_and_a_second_installation_leaves_the_first_alone() {
    let Some(shell) = Shell::open() else { return };
    shell.types("cargo xtask deploy --all --parameter rds.PostgresMajorVersion=17");
    let upgrade = section("operations.md", "## Upgrade Postgres");
    let before = shell.run("cargo xtask deploy --stack rds --parameter PostgresMajorVersion=18");
    assert_eq!(before.code, Some(1), "{}", before.stderr);
    let run = shell.types(&block(&upgrade, "AllowMajorVersionUpgrade=true"));
    says(&run.stderr, &["~ Database (AWS::RDS::DBInstance)", "rds ✓ UPDATE_COMPLETE"]);
    shell.types(&block(&section("operations.md", "## Grow the volume"), "VolumeSize=40"));

    let second = section("deploy-hybrid.md", "## A second installation");
    let params = shell.emulator.params_dir();
    fs::create_dir_all(params.join("staging")).unwrap();
    let typed =
        block(&second, "params init --prefix staging").replace("infra-cfn/params", params.to_str().unwrap());
    shell.types(&format!("registry=registry.example.com\n{typed}"));
    let stacks = |prefix: &str| {
        let all = shell.types(&format!("cargo xtask stacks --json --prefix {prefix}")).stdout;
        let all: Value = serde_json::from_str(&all).unwrap();
        let some = all.as_array().unwrap().iter();
        some.filter(|it| it["status"].as_str().unwrap().ends_with("E_COMPLETE")).count()
    };
    assert_eq!((stacks("postgresasapp"), stacks("staging")), (6, 4));
    let same = shell.types("cargo xtask deploy --all");
    assert_eq!(same.stderr.matches("nothing to change").count(), 6, "{}", same.stderr);
    shell.types("cargo xtask deploy --prefix staging --stack rds --parameter DeletionProtection=false");
    shell.types("cargo xtask terminate --prefix staging --all");
    let same = shell.types("cargo xtask deploy --all");
    assert_eq!(same.stderr.matches("nothing to change").count(), 6, "{}", same.stderr);
}

#[test]
fn pages_are_cut_at_their_headings() {
    let host = section("operations.md", "## Replace the host");
    assert!(!host.contains("## Grow the volume") && host.contains("--new-host-image"));
    let rotate = section("operations.md", "## Rotate a secret");
    assert!(rotate.contains("### A new value in a secret") && !rotate.contains("## Upgrade"));
    assert_eq!(inline("a `cargo xtask x` and `y`, `aws z`\n", "and"), ["cargo xtask x", "aws z"]);
}
