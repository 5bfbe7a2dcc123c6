//! The six templates as this crate sees them: one snapshot each of everything that a user or another stack depends on.

use std::fmt::Write;

use infra_cfn::{Stack, Template, capabilities, contract};

#[test]
fn the_templates_keep_every_promise() {
    let findings: Vec<String> = contract::check_all().iter().map(ToString::to_string).collect();
    assert_eq!(findings, Vec::<String>::new());
}

/// Parameters, exports, imports, resources and capabilities: a change here is a change that users notice.
fn interface(template: &Template) -> String {
    let mut text = String::new();
    let capabilities: Vec<_> =
        capabilities::needed(template).into_iter().map(capabilities::Capability::as_str).collect();
    writeln!(text, "capabilities: {}", capabilities.join(" ")).unwrap();
    for (name, it) in &template.parameters {
        let default = match (&it.default, it.no_echo) {
            (None, _) => "required".to_owned(),
            (Some(value), _) => format!("default {value:?}"),
        };
        writeln!(text, "parameter {name}: {} {default}{}", it.kind, if it.no_echo { " hidden" } else { "" })
            .unwrap();
    }
    let mut imports: Vec<_> = template.imports.iter().map(|it| it.name.to_string()).collect();
    imports.sort();
    imports.dedup();
    imports.iter().for_each(|it| writeln!(text, "import {it}").unwrap());
    for (name, it) in &template.outputs {
        let export = it.export.as_ref().map(|it| format!(" export {it}")).unwrap_or_default();
        writeln!(text, "output {name}{export}").unwrap();
    }
    for (name, it) in &template.resources {
        let policies = [&it.deletion_policy, &it.update_replace_policy];
        let policies: String =
            policies.iter().filter_map(|it| it.as_ref()).map(|it| format!(" {it}")).collect();
        let condition = it.condition.as_ref().map(|it| format!(" if {it}")).unwrap_or_default();
        writeln!(text, "resource {name}: {}{condition}{policies}", it.kind).unwrap();
    }
    text
}

#[test]
fn the_interface_of_every_template_is_as_reviewed() {
    for stack in Stack::ALL {
        let template = Template::parse(stack.template_text()).unwrap();
        insta::assert_snapshot!(stack.name(), interface(&template));
    }
}

#[test]
fn every_resource_knows_the_line_it_stands_in() {
    for stack in Stack::ALL {
        let lines: Vec<&str> = stack.template_text().lines().collect();
        let template = Template::parse(stack.template_text()).unwrap();
        for (name, resource) in &template.resources {
            let line = lines[resource.place.line - 1].trim_start();
            // A resource that a loop makes stands where the loop's body stands.
            assert!(
                line.starts_with(&format!("{name}:")) || line.contains("&{Service}:"),
                "{stack} {name}: {line}"
            );
        }
    }
}
