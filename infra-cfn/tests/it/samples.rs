//! The committed samples become parameter files that the templates take.

use infra_cfn::{
    Stack, Template,
    params::{self, GENERATED, PREFIX, ParameterFile},
};
use rand::{SeedableRng, rngs::StdRng};

fn template(stack: Stack) -> Template {
    Template::parse(stack.template_text()).unwrap()
}

#[test]
fn every_sample_becomes_a_file_that_lacks_only_what_nobody_else_can_know() {
    for stack in Stack::ALL {
        let template = template(stack);
        let sample = ParameterFile::parse(stack.sample_text()).unwrap();
        // Several seeds: a password that fits its pattern by luck would show up here.
        for seed in 0..20 {
            let mut made = params::init(&template, &sample, None, &mut StdRng::seed_from_u64(seed)).unwrap();
            if stack == Stack::Compute {
                let problems: Vec<String> =
                    made.file.problems(&template).iter().map(ToString::to_string).collect();
                assert_eq!(problems.len(), 2, "{problems:?}");
                let is_clear =
                    |it: &String| it.contains("must be the name of an image in a registry of yours");
                assert!(problems.iter().all(is_clear), "{problems:?}");
                made.file.set("CustomDBImageName", "registry.example.com/customdb");
                made.file.set("APIImageName", "registry.example.com/api");
            }
            assert_eq!(made.file.problems(&template), [], "{stack}");
        }
    }
}

#[test]
fn a_sample_holds_only_what_is_decided_once() {
    // A value in the file counts more than the one that the stack has, so a flag would be undone by the next deployment.
    const ONCE: [&str; 4] = ["VpcCidr", "IAMNamespace", "PostgresDBName", "DatabaseUsername"];
    for stack in Stack::ALL {
        let template = template(stack);
        for (name, _) in ParameterFile::parse(stack.sample_text()).unwrap().iter() {
            let parameter = &template.parameters[name];
            let is_once = ONCE.contains(&name) || parameter.no_echo || parameter.is_required();
            assert!(is_once, "{stack} {name} is changed by flags");
        }
    }
}

#[test]
fn the_images_of_earlier_samples_are_refused() {
    let template = template(Stack::Compute);
    for (name, image) in [("CustomDBImageName", "customdb"), ("APIImageName", "api")] {
        let parameter = &template.parameters[name];
        assert_eq!(parameter.default, None);
        for refused in
            [format!("ghcr.io/postgres-as-app/{image}"), format!("REGISTRY/{image}"), image.to_owned()]
        {
            assert!(parameter.check(&refused).is_err(), "{refused}");
        }
        for taken in ["ghcr.io/somebody", "123456789012.dkr.ecr.us-east-1.amazonaws.com", "localhost:5000"] {
            assert_eq!(parameter.check(&format!("{taken}/{image}")), Ok(()), "{taken}");
        }
    }
}

#[test]
fn samples_hold_no_secret_and_leave_the_prefix_to_the_flag() {
    for stack in Stack::ALL {
        let template = template(stack);
        let sample = ParameterFile::parse(stack.sample_text()).unwrap();
        for name in template.secret_parameters() {
            assert_eq!(sample.get(name), Some(GENERATED), "{stack} {name}");
        }
        assert_eq!(sample.get(PREFIX), None, "{stack}");
    }
}

#[test]
fn the_marker_of_a_sample_is_no_value() {
    for stack in Stack::ALL {
        let template = template(stack);
        for name in template.secret_parameters() {
            assert!(
                template.parameters[name].check(GENERATED).is_err(),
                "{stack} {name} would take the marker as a password"
            );
        }
    }
}
