//! Somebody's own templates by a `stacks.toml`: the built program against an AWS, outside of the project.

use std::{fs, path::Path};

use aws_fakes::{Emulator, Run};
use serde_json::Value;

use crate::end_to_end::says;

const STACKS: &str = r#"
prefix = "shop"

[all]
parameters = { Stage = "{environment}" }
tags = { stage = "{environment}" }

[[stack]]
name = "web"
template = "templates/web.yaml"
termination-protection = true
stack-policy = "policy.json"

[[stack]]
name = "queue"
template = "templates/queue.yaml"
parameters = { Seconds = 30 }

[environment.dev]
account = "123456789012"

[environment.production]
account = "123456789012"
region = "us-east-1"

[environment.production.stack.queue]
parameters = { Seconds = 90 }

[environment.elsewhere]
account = "999999999999"
"#;

const QUEUE: &str = "\
Parameters:
  Stage: { Type: String }
  Seconds: { Type: Number }
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Sub '${Stage}-orders', VisibilityTimeout: !Ref Seconds }
Outputs:
  QueueUrl: { Value: !Ref Queue, Export: { Name: !Sub '${Stage}-queue-url' } }
";

const WEB: &str = "\
Parameters:
  Stage: { Type: String }
  Password: { Type: String, NoEcho: true, MinLength: 16 }
Resources:
  Url:
    Type: AWS::SSM::Parameter
    Properties:
      Name: !Sub '/shop/${Stage}/queue'
      Type: String
      Value: !ImportValue { 'Fn::Sub': '${Stage}-queue-url' }
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: { Name: !Sub 'shop-${Stage}', SecretString: !Ref Password }
Outputs:
  Parameter: { Value: !Ref Url }
";

const POLICY: &str =
    r#"{ "Statement": [{ "Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*" }] }"#;

/// A folder of somebody who has never seen this project.
struct Shop {
    emulator: Emulator,
    dir: tempfile::TempDir,
}

impl Shop {
    fn start() -> Option<Self> {
        let emulator = Emulator::start(0.0)?;
        let dir = tempfile::tempdir().unwrap();
        let shop = Self { emulator, dir };
        fs::create_dir(shop.path("templates")).unwrap();
        shop.write("stacks.toml", STACKS);
        shop.write("policy.json", POLICY);
        shop.write("templates/queue.yaml", QUEUE);
        shop.write("templates/web.yaml", WEB);
        Some(shop)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs a command with the shop's folder as the current one, which has a stacks.toml.
    fn run(&self, args: &[&str]) -> Run {
        let mut command = self.emulator.program(Path::new(env!("CARGO_BIN_EXE_deploy")));
        command.args(args).current_dir(self.dir.path());
        if ["deploy", "import", "terminate", "diff"].contains(&args[0]) {
            command.args(["--poll", "0.1"]);
        }
        Run::of(&command.output().unwrap())
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, Some(0), "{args:?}\n{}\n{}", run.stdout, run.stderr);
        run
    }

    fn names(&self, environment: &str) -> Vec<String> {
        let listed = self.done(&["stacks", "--json", "--environment", environment]);
        let list: Value = serde_json::from_str(&listed.stdout).unwrap();
        list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn two_environments_of_own_templates_are_made_changed_and_gone() {
    let Some(shop) = Shop::start() else { return };
    let of = |environment| ["--environment", environment];
    let all =
        |command: &'static str, environment| [&[command, "--all", "--yes"][..], &of(environment)].concat();

    // What is wrong is said before AWS hears of it.
    let unsaid = shop.run(&["deploy", "--all", "--yes"]);
    assert_eq!(unsaid.code, Some(2), "{}", unsaid.stderr);
    says(&unsaid.stderr, &["stacks.toml", "name one of dev, elsewhere, production with --environment"]);
    let elsewhere = shop.run(&all("deploy", "elsewhere"));
    assert_eq!(elsewhere.code, Some(1), "{}", elsewhere.stderr);
    says(&elsewhere.stderr, &["account 999999999999", "you are in account 123456789012", "stacks.toml"]);
    let needy = shop.run(&all("deploy", "dev"));
    assert_eq!(needy.code, Some(1), "{}", needy.stderr);
    says(&needy.stderr, &["web needs values for Password", "deploy params init --stack web"]);

    let built_in = shop.done(&["template", "--built-in", "--stack", "vpc"]);
    assert_eq!(built_in.stdout.trim_end(), infra_cfn::Stack::Vpc.template_text().trim_end());

    for environment in ["dev", "production"] {
        shop.done(&[&["params", "init", "--all"][..], &of(environment)].concat());
        shop.done(&[&["lint"][..], &of(environment)].concat());
        let made = shop.done(&all("deploy", environment));
        // The queue exports what the web imports, although the file names the web first.
        let queue =
            if environment == "dev" { "queue ✓ nothing to change" } else { "queue ✓ CREATE_COMPLETE" };
        says(&made.stderr, &[queue, "web ✓ CREATE_COMPLETE"]);
        says(&made.stderr, &["Setting the stack policy.", "Turning termination protection on."]);
    }
    assert_eq!(shop.names("dev"), ["shop-dev-queue", "shop-dev-web"]);
    assert_eq!(shop.names("production"), ["shop-production-queue", "shop-production-web"]);
    let secret = |environment: &str| {
        let text = fs::read_to_string(shop.path(&format!("params/{environment}/web.json"))).unwrap();
        let values: Value = serde_json::from_str(&text).unwrap();
        values[0]["ParameterValue"].as_str().unwrap().to_owned()
    };
    assert_ne!(secret("dev"), secret("production"), "environments share no password");

    // Again: nothing to do, the policy included.
    let again = shop.done(&all("deploy", "dev"));
    assert_eq!(again.stderr.matches("nothing to change").count(), 2, "{}", again.stderr);
    assert!(!again.stderr.contains("Setting"), "{}", again.stderr);

    // A change of one environment is none of the other.
    shop.write("stacks.toml", &STACKS.replace("Seconds = 90", "Seconds = 120"));
    let changed = shop.done(&all("deploy", "production"));
    says(&changed.stderr, &["Seconds: 90 → 120", "queue ✓ UPDATE_COMPLETE"]);
    let same = shop.done(&[&["diff", "--all", "--exit-code", "--no-drift"][..], &of("dev")].concat());
    assert_eq!(same.stdout.matches("nothing to change").count(), 2, "{}", same.stdout);

    let env = shop.done(&[&["outputs", "--env"][..], &of("production")].concat());
    says(
        &env.stdout,
        &["WEB_PARAMETER='/shop/production/queue'", "QUEUE_QUEUE_URL='http", "production-orders'"],
    );

    let kept = shop.run(&all("terminate", "dev"));
    says(&kept.stderr, &["shop-dev-web is protected", "--termination-protection off"]);
    for environment in ["dev", "production"] {
        let off = ["--termination-protection", "off"];
        shop.done(&[&all("terminate", environment)[..], &off].concat());
        assert_eq!(shop.names(environment), Vec::<String>::new());
    }
}

#[test]
fn an_own_template_that_fails_says_where_and_is_continued() {
    let Some(shop) = Shop::start() else { return };
    shop.done(&["params", "init", "--all", "--environment", "dev"]);
    let deploy = ["deploy", "--all", "--yes", "--environment", "dev"];
    shop.emulator.break_down("AWS::SSM::Parameter", "create", "The parameter already exists.");
    let failed = shop.run(&deploy);
    assert_eq!(failed.code, Some(1));
    says(
        &failed.stderr,
        &["cause: Url (AWS::SSM::Parameter) at templates/web.yaml:", "The parameter already exists."],
    );
    shop.emulator.heal();
    says(&shop.done(&deploy).stderr, &["It is deleted and made anew.", "2 done"]);

    shop.write("templates/web.yaml", &WEB.replace("!Ref Url", "!Ref Ulr"));
    let dangling = shop.run(&deploy);
    assert_eq!(dangling.code, Some(1));
    says(&dangling.stderr, &["templates/web.yaml:", "unknown name \"Ulr\""]);
    let linted = shop.run(&["lint", "--environment", "dev"]);
    assert_eq!(linted.code, Some(1));
    says(&linted.stdout, &["templates/web.yaml:", "unknown name \"Ulr\""]);
}

#[test]
fn an_existing_resource_is_taken_over() {
    let Some(shop) = Shop::start() else { return };
    let stacks = "[[stack]]\nname = \"data\"\ntemplate = \"data.yaml\"\n";
    let resource = "\
Resources:
  Orders:
    Type: AWS::SSM::Parameter
    DeletionPolicy: Retain
    Properties: { Name: /shop/orders, Type: String, Value: kept }
";
    shop.write("stacks.toml", &format!("prefix = \"one\"\n{stacks}"));
    shop.write("data.yaml", resource);
    shop.done(&["deploy", "--all", "--yes"]);
    // Retained: it is there without a stack.
    shop.done(&["terminate", "--all", "--yes"]);

    shop.write("stacks.toml", &format!("prefix = \"two\"\n{stacks}"));
    let import = ["import", "--stack", "data", "--yes", "--resource", "Orders.Name=/shop/orders"];
    shop.write("data.yaml", &resource.replace("    DeletionPolicy: Retain\n", ""));
    says(
        &shop.run(&import).stderr,
        &["Orders at data.yaml:2 has no DeletionPolicy", "DeletionPolicy: Retain"],
    );
    shop.write("data.yaml", resource);
    let taken = shop.done(&import);
    says(&taken.stderr, &["Orders (AWS::SSM::Parameter)", "data ✓ IMPORT_COMPLETE"]);
    let again = shop.done(&["deploy", "--all", "--yes"]);
    says(&again.stderr, &["nothing to change"]);
}
