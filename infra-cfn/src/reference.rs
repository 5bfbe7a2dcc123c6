//! The page that lists parameters and outputs of the templates, and the test that keeps it in step with them.

use std::fmt::Write;

use crate::{Stack, Template, template::Parameter};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cloudformation-parameters.md");

/// What goes into a cell of a table: one line, without the sign that ends a cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn default(parameter: &Parameter) -> String {
    match parameter.default.as_deref() {
        None => "required".to_owned(),
        Some("") => "empty".to_owned(),
        Some(value) => format!("`{}`", cell(value)),
    }
}

/// The values that a parameter takes, as far as a reader can use the rule.
fn values(parameter: &Parameter) -> String {
    if !parameter.allowed_values.is_empty() {
        return parameter.allowed_values.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    }
    match (parameter.min_value, parameter.max_value, &parameter.constraint_description) {
        (Some(min), Some(max), _) => format!("{min} to {max}"),
        (_, _, Some(words)) => cell(words.trim_end_matches('.')),
        _ => cell(&parameter.kind),
    }
}

fn page() -> String {
    let mut page = String::from(
        "# Parameters and outputs of the CloudFormation stacks\n\n\
         This page is generated from `infra-cfn/templates/*.yaml` by `cargo xtask codegen`; a test fails when it is out of date.\n\
         How values are given is in [the commands](cloudformation.md#parameters).\n\
         Export names start with the name of the stack, such as `postgresasapp-vpc`; no output holds a password.\n",
    );
    for stack in Stack::ALL {
        let template = Template::parse(stack.template_text()).unwrap();
        let described = cell(template.description.as_deref().unwrap_or_default());
        let _ = write!(page, "\n## {stack}\n\n{}.\n", described.trim_end_matches('.'));
        page.push_str("\n| parameter | default | values | what it is |\n|---|---|---|---|\n");
        for (name, it) in &template.parameters {
            let what = cell(it.description.as_deref().unwrap_or_default());
            let hidden = if it.no_echo { " Never shown." } else { "" };
            let _ = writeln!(page, "| `{name}` | {} | {} | {what}{hidden} |", default(it), values(it));
        }
        page.push_str("\n| output | export | what it is |\n|---|---|---|\n");
        for (name, it) in &template.outputs {
            let export = it
                .export
                .as_ref()
                .map(|it| format!("`{}`", it.to_string().replace("${AWS::StackName}", "STACK")));
            let what = cell(it.description.as_deref().unwrap_or_default());
            let _ = writeln!(page, "| `{name}` | {} | {what} |", export.unwrap_or_default());
        }
    }
    page
}

#[test]
fn the_reference_page_is_up_to_date() {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, page()).unwrap();
    }
    let stored = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        stored == page(),
        "docs/cloudformation-parameters.md is out of date: write it anew with `cargo xtask codegen`"
    );
}
