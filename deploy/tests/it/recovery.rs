//! What `docs/operations.md` says of the hybrid deployment's recovery, as typed, where AWS's refusals are known: the strict rules
//! beside the project. Without them the emulator would say yes to what AWS does not.

use aws_fakes::{Emulator, Run};
use serde_json::Value;

use crate::end_to_end::{says, set_parameter};

fn strict() -> Option<Emulator> {
    let Some(path) = Emulator::strict() else {
        eprintln!("skipped: no strict rules beside the project");
        return None;
    };
    Emulator::start_with(0.0, &[("EMULATOR_STRICT", path.to_str().unwrap())])
}

fn deploy(emulator: &Emulator, stack: &str, parameters: &[&str]) -> Run {
    let mut args = vec!["deploy", "--stack", stack, "--yes"];
    parameters.iter().for_each(|it| args.extend(["--parameter", it]));
    emulator.run(&args)
}

#[track_caller]
fn deployed(emulator: &Emulator, stack: &str, parameters: &[&str]) -> Run {
    let run = deploy(emulator, stack, parameters);
    assert_eq!(run.code, Some(0), "{stack} {parameters:?}\n{}", run.stderr);
    run
}

fn output(emulator: &Emulator, stack: &str, name: &str) -> String {
    let text = emulator.done(&["outputs", "--stack", stack, "--json"]).stdout;
    let outputs: Value = serde_json::from_str(&text).unwrap();
    outputs[stack][name].as_str().unwrap_or_else(|| panic!("{stack} has no {name}: {outputs}")).to_owned()
}

#[test]
fn a_volume_kept_after_the_end_is_adopted_by_the_next_installation_and_grows() {
    let Some(emulator) = strict() else { return };
    deployed(&emulator, "vpc", &[]);
    deployed(&emulator, "persist", &[]);
    deployed(&emulator, "persist", &["VolumeSize=40"]);
    let refused = deploy(&emulator, "persist", &["VolumeSize=30"]);
    says(&refused.stderr, &["size"]);
    let volume = output(&emulator, "persist", "VolumeId");
    emulator.done(&["terminate", "--stack", "persist", "--yes"]);

    deployed(&emulator, "persist", &[&format!("ExistingVolumeId={volume}")]);
    assert_eq!(output(&emulator, "persist", "VolumeId"), volume);
    // An empty one for a major upgrade, and back to the old one.
    let made = deployed(&emulator, "persist", &["ExistingVolumeId="]);
    says(&made.stderr, &["Volume (AWS::EC2::Volume) ✓ CREATE_COMPLETE"]);
    assert_ne!(output(&emulator, "persist", "VolumeId"), volume);
    deployed(&emulator, "persist", &[&format!("ExistingVolumeId={volume}")]);
    assert_eq!(output(&emulator, "persist", "VolumeId"), volume);
}

#[test]
fn passwords_change_with_the_parameter_file_and_nobody_reads_them() {
    let Some(emulator) = strict() else { return };
    deployed(&emulator, "vpc", &[]);
    for stack in ["rds", "persist"] {
        deployed(&emulator, stack, &[]);
        let new = "Rotated-0123456789-abcdef";
        set_parameter(&emulator, stack, "DatabasePassword", new);
        let run = deployed(&emulator, stack, &[]);
        let secret = if stack == "rds" { "MasterSecret" } else { "CustomDBSecret" };
        says(&run.stderr, &[secret, "UPDATE_COMPLETE"]);
        assert_eq!(
            run.stderr.contains("~ Database (AWS::RDS::DBInstance)"),
            stack == "rds",
            "{}",
            run.stderr
        );
        assert!(!run.stderr.contains(new) && !run.stdout.contains(new), "{}", run.stderr);
    }
    // Let RDS make one, and take one's own again.
    deployed(&emulator, "rds", &["DatabasePassword="]);
    deployed(&emulator, "rds", &["DatabasePassword=Another-0123456789"]);
}

#[test]
fn a_major_upgrade_needs_leave_and_goes_one_way() {
    let Some(emulator) = strict() else { return };
    deployed(&emulator, "vpc", &[]);
    for major in ["16", "17", "18"] {
        let wish = format!("PostgresMajorVersion={major}");
        if major != "16" {
            let refused = deploy(&emulator, "rds", &[&wish]);
            assert_eq!(refused.code, Some(1), "{}", refused.stderr);
            says(
                &refused.stderr,
                &["AllowMajorVersionUpgrade", "hint: Take a snapshot", "AllowMajorVersionUpgrade=true"],
            );
        }
        let leave = if major == "16" { "false" } else { "true" };
        deployed(&emulator, "rds", &[&wish, &format!("AllowMajorVersionUpgrade={leave}")]);
        deployed(&emulator, "rds", &["AllowMajorVersionUpgrade=false"]);
    }
}

#[test]
fn a_replica_of_a_managed_password_is_refused_before_anything_is_made() {
    let Some(emulator) = strict() else { return };
    deployed(&emulator, "vpc", &[]);
    let refused = deploy(&emulator, "rds", &["ReadReplica=true", "DatabasePassword="]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    says(&refused.stderr, &["ReadReplica needs DatabasePassword"]);
    assert!(!emulator.stacks().iter().any(|(name, _)| name.ends_with("-rds")), "{:?}", emulator.stacks());
    deployed(&emulator, "rds", &["ReadReplica=true"]);
}
