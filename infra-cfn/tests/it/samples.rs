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
fn every_sample_becomes_a_file_without_problems() {
    for stack in Stack::ALL {
        let template = template(stack);
        let sample = ParameterFile::parse(stack.sample_text()).unwrap();
        // Several seeds: a password that fits its pattern by luck would show up here.
        for seed in 0..20 {
            let made = params::init(&template, &sample, None, &mut StdRng::seed_from_u64(seed)).unwrap();
            assert_eq!(made.file.problems(&template), [], "{stack}");
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
