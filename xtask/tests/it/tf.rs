//! `cargo xtask tf …` with the real terraform, from the state bucket to the destruction of an environment.

mod project;

use project::Project;

/// What the lines of a summary say of an action.
fn count(summary: &str, action: &str) -> usize {
    let line = summary.lines().find(|it| it.starts_with(action)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

const LAST_PLAN: &str = "infra-tf/.terraform/dev/plan.tfplan";

#[test]
fn environment_from_its_bucket_to_its_destruction() {
    let Some(project) = Project::new() else { return };
    let run = project.ends(3, &["backend"]);
    assert!(run.stderr.contains("say --yes"), "{}", run.stderr);
    assert!(!project.path("infra-tf/backend.hcl").exists());
    let run = project.ends(1, &["init"]);
    assert!(run.stderr.contains("cargo xtask tf backend"), "{}", run.stderr);

    for command in ["plan", "output", "destroy"] {
        let run = project.ends(1, &[command]);
        assert!(run.stderr.contains("`cargo xtask tf init --env dev`"), "{}", run.stderr);
    }

    let run = project.ends(0, &["backend", "--yes"]);
    assert!(run.stderr.contains("15 added, 0 changed, 0 destroyed"), "{}", run.stderr);
    assert!(!run.stderr.contains('\u{1b}'), "colours in a pipe: {}", run.stderr);
    let backend = std::fs::read_to_string(project.path("infra-tf/backend.hcl")).unwrap();
    assert!(backend.contains("bucket     = \"postgresasapp-tfstate-123456789012-us-east-1\""), "{backend}");

    let init = project.provide_bucket();
    let init: Vec<&str> = std::iter::once("init").chain(init.iter().map(String::as_str)).collect();
    project.ends(0, &init);
    let least = std::fs::read_to_string(project.path("infra-tf/tests/smallest.tfvars")).unwrap();
    project.write("infra-tf/environments/dev.tfvars", &least);

    // Nobody applies what was not planned, and nobody without a yes.
    let run = project.ends(1, &["apply", "--yes"]);
    assert!(run.stderr.contains("there is no plan for dev"), "{}", run.stderr);
    // What the account would refuse half-way is refused before.
    project.account("iam get-role", "An error occurred (NoSuchEntity) when calling the GetRole operation");
    let run = project.ends(1, &["plan"]);
    assert!(run.stderr.contains("in account 123456789012 (us-east-1) as arn:"), "{}", run.stderr);
    assert!(run.stderr.contains("aws iam create-service-linked-role"), "{}", run.stderr);
    assert!(!project.path(LAST_PLAN).exists(), "a refused plan is not kept");
    project.ends(0, &["plan", "--no-preflight"]);
    project.account("", "");

    let report = project.path("plan.md");
    let run = project.ends(0, &["plan", "--report", report.to_str().unwrap()]);
    let n_resources = count(&run.stdout, "create");
    assert!(n_resources >= 60, "{}", run.stdout);
    assert!(run.stdout.contains("\n  module.database.aws_rds_cluster.this\n"), "{}", run.stdout);
    assert!(run.stderr.contains("Apply it with: cargo xtask tf apply --env dev"), "{}", run.stderr);
    let report = std::fs::read_to_string(report).unwrap();
    assert!(report.starts_with("### Plan for dev\n"), "{report}");
    assert!(
        report.contains("# module.database.aws_rds_cluster.this will be created"),
        "the whole plan, too: {report}"
    );
    let run = project.ends(3, &["apply"]);
    assert!(run.stderr.contains("the plan is kept"), "{}", run.stderr);
    let run = project.ends(0, &["apply", "--yes"]);
    let added = format!("Apply complete! Resources: {n_resources} added, 0 changed, 0 destroyed.");
    assert!(run.stderr.contains(&added), "{}", run.stderr);
    assert!(!project.path(LAST_PLAN).exists(), "a plan is applied once");
    if let Some(objects) = project.objects() {
        assert!(objects.contains("<Key>infra-tf/dev/terraform.tfstate</Key>"), "{objects}");
        assert!(!objects.contains(".tflock"), "the lock is given back: {objects}");
    }

    let run = project.ends(0, &["plan"]);
    assert_eq!(run.stdout, "No changes.\n");
    assert!(run.stderr.contains("Nothing to apply."), "{}", run.stderr);

    let run = project.ends(0, &["output", "--json"]);
    let outputs: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let url = outputs["api_gateway_invoke_url"]["value"].as_str().unwrap();
    assert!(url.starts_with("https://") && url.ends_with("/v1"), "{url}");
    assert_eq!(project.ends(0, &["output", "--raw", "api_gateway_invoke_url"]).stdout.trim_end(), url);
    project.ends(1, &["output", "no_such_output"]);

    data_is_not_lost_by_surprise(&project, &least);
    project.write("infra-tf/environments/dev.tfvars", &least);

    // Destruction wants the name; a wrong one is refused before anything is planned.
    let run = project.ends(3, &["destroy", "--confirm", "production"]);
    assert!(run.stderr.contains("the environment is dev"), "{}", run.stderr);
    let run = project.ends(3, &["destroy"]);
    assert!(run.stderr.contains("nothing was destroyed"), "{}", run.stderr);
    assert_eq!(project.ends(0, &["plan"]).stdout, "No changes.\n");
    let run = project.ends(0, &["destroy", "--confirm", "dev"]);
    assert!(run.stderr.contains(&format!("{n_resources} destroyed")), "{}", run.stderr);
    assert_eq!(project.ends(0, &["output", "--json"]).stdout.trim(), "{}");
}

/// A database under another name is another database.
fn data_is_not_lost_by_surprise(project: &Project, least: &str) {
    let changed = format!("{least}\nproject = \"renamed\"\n");
    project.write("infra-tf/environments/dev.tfvars", &changed);
    let run = project.ends(1, &["plan"]);
    assert!(count(&run.stdout, "replace") > 0, "{}", run.stdout);
    let line = run.stdout.lines().find(|it| it.contains("module.database.aws_rds_cluster.this")).unwrap();
    assert!(line.contains("cluster_identifier") && line.ends_with("HOLDS DATA"), "{line}");
    assert!(
        run.stderr.contains("this would destroy what holds data: ")
            && run.stderr.contains("--allow-data-loss"),
        "{}",
        run.stderr
    );
    assert!(!project.path(LAST_PLAN).exists(), "a refused plan is not kept");
    project.ends(1, &["apply", "--yes"]);

    project.ends(0, &["plan", "--allow-data-loss"]);
    let run = project.ends(1, &["apply", "--yes"]);
    assert!(run.stderr.contains("holds data"), "apply looks again: {}", run.stderr);
    let run = project.ends(0, &["output", "--raw", "database_endpoint"]);
    assert!(run.stdout.starts_with("postgresasapp-dev."), "nothing was replaced: {}", run.stdout);
}

#[test]
fn artifact_that_is_missing_or_of_other_sources_stops_the_plan() {
    let Some(project) = Project::new() else { return };
    project.write("infra-tf/local_override.tf", "terraform {\n  backend \"local\" {}\n}\n");
    project.ends(0, &["init", "--", "-backend-config=path=dev.tfstate"]);
    let least = std::fs::read_to_string(project.path("infra-tf/tests/smallest.tfvars")).unwrap();
    let without_path: String = least.lines().skip(1).map(|it| format!("{it}\n")).collect();
    assert!(least.starts_with("lambda_artifact_path") && !without_path.contains("artifact"), "{least}");
    project.write("infra-tf/environments/dev.tfvars", &without_path);

    let command = "cargo xtask lambda build --arch arm64";
    let plan = || project.ends(1, &["plan"]).stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let missing = plan();
    assert!(missing.contains("does not exist") && missing.contains(command), "{missing}");
    let given = project.ends(1, &["plan", "--", "-var=lambda_artifact_path=/nowhere.zip"]).stderr;
    assert!(given.contains("cargo xtask lambda build"), "{given}");

    let zip = "target/lambda/pgapp-lambda-arm64.zip";
    std::fs::create_dir_all(project.path("target/lambda")).unwrap();
    std::fs::copy(project.path("infra-tf/tests/fixtures/artifact.zip"), project.path(zip)).unwrap();
    // The listing that the README tells of, by the program that it names.
    let listing = "find Cargo.lock Cargo.toml api/Cargo.toml api/src pg-wire-client/Cargo.toml pg-wire-client/src infra-tf/*.pem -name '*.html' -o -name '*.rs' \
                   -o -name '*.sql' -o -name 'Cargo.*' -o -name '*.pem' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d' ' -f1";
    let digest = || {
        let output = std::process::Command::new("sh")
            .args(["-c", listing])
            .current_dir(project.path("."))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    project.write(&format!("{zip}.sources"), "0");
    // These variables leave the proxy out, so the functions need RDS's authorities.
    let without = plan();
    assert!(without.contains("lambda build --ca-bundle"), "{without}");
    project.write("infra-tf/rds-ca-bundle.pem", "-----BEGIN CERTIFICATE-----");
    project.write(&format!("{zip}.sources"), &digest());
    project.ends(0, &["plan"]);

    project.write("api/src/schema_cache/sql/routines.sql", "SELECT 1");
    let stale = plan();
    assert!(stale.contains("built from other sources") && stale.contains(command), "{stale}");
    project.write(&format!("{zip}.sources"), &digest());
    project.ends(0, &["plan"]);
}
