//! What a file says, environment by environment, and what it may not say.

use std::{collections::BTreeMap, io, path::Path};

use super::*;

const SHOP: &str = r#"
prefix = "shop"
region = "eu-central-1"

[all]
tags = { team = "shop" }
parameters = { Environment = "{environment}", Size = 1 }
termination-protection = false

[[stack]]
name = "network"
template = "network.yaml"

[[stack]]
name = "data"
template = "data.yaml"
parameters = { Size = 20, Zones = ["a", "b"], MultiAz = false }
tags = { data = "yes" }
stack-policy = "keep.json"
needs = ["network"]

[environment.dev]

[environment.production]
prefix = "shop"
account = "111122223333"
notifications = ["arn:aws:sns:eu-central-1:111122223333:ops"]
termination-protection = true
tags = { team = "operations" }

[environment.production.stack.data]
stack-name = "the-{stack}-of-{environment}"
parameters = { Size = 100 }
role = "arn:aws:iam::111122223333:role/deployer"
"#;

fn read(name: &str) -> io::Result<String> {
    Ok(format!("text of {name}"))
}

fn catalog(text: &str, environment: Option<&str>) -> Result<Catalog, CatalogError> {
    Catalog::parse(text, environment, None, Path::new("shop"), &read)
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[track_caller]
fn refused(text: &str, environment: Option<&str>) -> String {
    catalog(text, environment).unwrap_err().to_string()
}

#[test]
fn layers_come_over_each_other() {
    let production = catalog(SHOP, Some("production")).unwrap();
    let [network, data] = &production.stacks[..] else { panic!("two stacks") };
    assert_eq!(
        (network.stack_name.as_str(), data.stack_name.as_str()),
        ("shop-network", "the-data-of-production")
    );
    assert_eq!(data.parameters, map(&[("Size", "100"), ("Zones", "a,b"), ("MultiAz", "false")]));
    assert_eq!(data.shared, map(&[("Environment", "production")]), "its own size is over that of all");
    assert_eq!(network.shared, map(&[("Environment", "production"), ("Size", "1")]));
    assert_eq!(data.options.tags, Some(map(&[("team", "operations"), ("data", "yes")])));
    assert_eq!(data.options.role_arn.as_deref(), Some("arn:aws:iam::111122223333:role/deployer"));
    assert_eq!(network.options.role_arn, None);
    assert_eq!(
        (network.options.protect, network.options.notifications.as_ref().map(Vec::len)),
        (Some(true), Some(1))
    );
    assert_eq!(data.options.policy.as_deref(), Some("text of keep.json"));
    assert_eq!((data.text.as_str(), data.template_path.as_str()), ("text of data.yaml", "shop/data.yaml"));
    let place = &production.place;
    assert_eq!(
        (place.account.as_deref(), place.region.as_deref()),
        (Some("111122223333"), Some("eu-central-1"))
    );
}

#[test]
fn environments_share_no_name_and_no_folder() {
    let (dev, production) = (catalog(SHOP, Some("dev")).unwrap(), catalog(SHOP, Some("production")).unwrap());
    let names = |it: &Catalog| it.stacks.iter().map(|it| it.stack_name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&dev), ["shop-dev-network", "shop-dev-data"]);
    assert!(names(&production).iter().all(|it| !names(&dev).contains(it)));
    assert_eq!((dev.place.folder(), production.place.folder()), (Some("dev"), Some("production")));
    assert_eq!(dev.place.account, None, "the account of production is not that of dev");
}

#[test]
fn an_environment_has_to_be_named_and_to_be_there() {
    assert_eq!(
        refused(SHOP, None),
        "the file has environments: name one of dev, production with --environment"
    );
    assert_eq!(refused(SHOP, Some("prod")), "there is no environment \"prod\", only dev, production");
    let usual = format!("default-environment = \"dev\"\n{SHOP}");
    assert_eq!(catalog(&usual, None).unwrap().place.environment.as_deref(), Some("dev"));
    let plain = "[[stack]]\nname = \"a\"\ntemplate = \"a.yaml\"\n";
    assert_eq!(catalog(plain, None).unwrap().stacks[0].stack_name, "app-a");
    assert_eq!(refused(plain, Some("dev")), "there is no environment \"dev\": the file has none");
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let text = refused("[[stack]]\nname = \"a\"\ntemplates = \"a.yaml\"\n", None);
    assert!(text.contains("line 3") && text.contains("`templates`") && text.contains("`template`"), "{text}");
    let text = refused("[all]\nparameters = { When = 2026-01-01 }\n", None);
    assert!(text.contains("line 2"), "{text}");
    let stack = |more: &str| format!("[[stack]]\nname = \"a\"\ntemplate = \"a.yaml\"\n{more}");
    assert_eq!(refused(&stack("needs = [\"b\"]"), None), "a needs \"b\", which is no stack here");
    assert_eq!(refused(&[stack(""), stack("")].concat(), None), "the stack \"a\" is there twice");
    assert!(
        refused(&stack("stack-name = \"{stack}_x\""), None).starts_with("\"a_x\" is no name for a stack")
    );
    assert_eq!(
        refused("[[stack]]\nname = \"a\"\n", None),
        "a [[stack]] needs a name and a template; \"a\" lacks one"
    );
    assert_eq!(
        refused(&stack("[environment.x.stack.c]"), Some("x")),
        "[environment.x.stack.c] is about no stack of the file"
    );
}

#[test]
fn a_stack_may_be_absent_from_an_environment() {
    let text = format!("{SHOP}\n[environment.dev.stack.data]\nabsent = true\n");
    assert_eq!(catalog(&text, Some("dev")).unwrap().stacks.len(), 1);
    assert_eq!(catalog(&text, Some("production")).unwrap().stacks.len(), 2);
}

#[test]
fn the_built_in_stacks_are_such_a_file() {
    let catalog = Catalog::built_in(None, None).unwrap();
    assert!(!catalog.is_own() && catalog.place.folder().is_none());
    for (it, stack) in catalog.stacks.iter().zip(Stack::ALL) {
        assert_eq!((it.name.as_str(), it.text.as_str()), (stack.name(), stack.template_text()));
        assert_eq!(it.stack_name, stack.stack_name(infra_cfn::catalog::DEFAULT_PREFIX));
        assert_eq!((it.template_path.clone(), it.sample), (stack.template_path(), Some(stack.sample_text())));
    }
    let second = Catalog::built_in(None, Some("second")).unwrap();
    assert_eq!((second.place.folder(), second.stacks[2].stack_name.as_str()), (Some("second"), "second-vpc"));
    assert!(Catalog::built_in(Some("dev"), None).is_err());
}
