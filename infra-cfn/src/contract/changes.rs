//! The promise that a parameter says what its change does, where that is more than a change: AWS replaces the resource, or
//! refuses, because the property is fixed or because another stack imports what would be another one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, GRAPH_CHANGE, Report, Rule, Subject};
use crate::{
    Template,
    catalog::DEFAULT_PREFIX,
    facts::facts,
    intrinsic::{Function, Segment, segments},
    params::PREFIX,
    update,
    yaml::{Data, Node},
};

/// Words of a description that say so.
const REPLACES: [&str; 2] = ["replaces", "cannot be changed"];
const REFUSED: [&str; 1] = ["cannot be changed"];

pub(super) const REPLACEMENT_SAID: Rule = Rule {
    code: "CFN404",
    title: "a parameter that replaces data, or cannot be changed, says so",
    check: replacement_said,
};

/// Types that hold data which a replacement would leave behind.
const DATA_TYPES: &[&str] = &[
    "AWS::EC2::Volume",
    "AWS::EFS::FileSystem",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
];

fn replacement_said(subject: &Subject<'_>, report: &mut Report<'_>) {
    let template = subject.template;
    for (name, resource) in template.resources.iter().filter(|(_, it)| DATA_TYPES.contains(&it.kind.as_str()))
    {
        for (property, entry) in resource.properties.as_map().into_iter().flatten() {
            let is_fixed = update::not_updatable(&resource.kind).contains(&property.as_str());
            let replaces = facts().of(&resource.kind).is_some_and(|it| it.replaces.contains(property));
            if !is_fixed && !replaces {
                continue;
            }
            let words: &[&str] = if is_fixed { &REFUSED } else { &REPLACES };
            for parameter in silent(template, &parameters(template, &entry.node), words) {
                let what = if is_fixed { "which AWS refuses to change" } else { "whose change replaces it" };
                report.add(
                    resource.place.line,
                    format!(
                        "parameter \"{parameter}\" sets {property} of resource \"{name}\", {what}; its Description must say \"{}\"",
                        words[0]
                    ),
                );
            }
        }
    }
}

/// Imports whose export a parameter would change: CloudFormation refuses that, and so whatever needs it.
pub(super) fn changing_imports(templates: &[(&str, &Template)]) -> Vec<Finding> {
    let mut exports: BTreeMap<String, (&str, &Template, &str)> = BTreeMap::new();
    for (stack, template) in templates {
        for (output, it) in &template.outputs {
            let value_of = |name: &str| match name {
                "AWS::StackName" => Some(format!("{DEFAULT_PREFIX}-{stack}")),
                PREFIX => Some(DEFAULT_PREFIX.to_owned()),
                _ => None,
            };
            if let Some(name) = it.export.as_ref().and_then(|it| it.resolve(value_of).ok()) {
                exports.insert(name, (stack, template, output));
            }
        }
    }
    let mut found = BTreeMap::new();
    for (importer, template) in templates {
        for import in &template.imports {
            let value_of = |name: &str| (name == PREFIX).then(|| DEFAULT_PREFIX.to_owned());
            let Ok(name) = import.name.resolve(value_of) else { continue };
            let Some((stack, exporting, output)) = exports.get(&name) else { continue };
            let changed_by = changed_by(exporting, &exporting.outputs[*output].value);
            for parameter in silent(exporting, &changed_by, &REFUSED) {
                let message = format!(
                    "parameter \"{parameter}\" changes the output \"{output}\", which {importer} imports, so AWS refuses the change; say \"{}\" in its Description, or do not export it",
                    REFUSED[0]
                );
                let line = exporting.outputs[*output].place.line;
                found.entry(((*stack).to_owned(), line, parameter)).or_insert(message);
            }
        }
    }
    found
        .into_iter()
        .map(|((stack, line, _), message)| Finding { code: GRAPH_CHANGE, stack, line, message })
        .collect()
}

/// The parameters among some whose description has none of the words.
fn silent(template: &Template, names: &BTreeSet<String>, words: &[&str]) -> Vec<String> {
    let is_silent = |name: &&String| {
        let description = template.parameters.get(*name).and_then(|it| it.description.as_deref());
        let description = description.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        // The prefix is another installation, not a change of this one.
        *name != PREFIX && !words.iter().any(|it| description.contains(it))
    };
    names.iter().filter(is_silent).cloned().collect()
}

/// Parameters that make a value another one: by its text, or by replacing a resource that it names.
fn changed_by(template: &Template, value: &Node) -> BTreeSet<String> {
    let mut found = parameters(template, value);
    let mut seen = BTreeSet::new();
    let mut open = resources(template, value);
    while let Some(name) = open.pop() {
        let Some(resource) = template.resources.get(&name).filter(|_| seen.insert(name)) else { continue };
        if let Some(condition) = &resource.condition {
            found.extend(of_condition(template, condition, &mut BTreeSet::new()));
        }
        let fixed = update::not_updatable(&resource.kind);
        let replaces = facts().of(&resource.kind);
        for (property, entry) in resource.properties.as_map().into_iter().flatten() {
            if fixed.contains(&property.as_str()) || replaces.is_some_and(|it| it.replaces.contains(property))
            {
                found.extend(parameters(template, &entry.node));
                open.extend(resources(template, &entry.node));
            }
        }
    }
    found
}

/// Names that a node refers to, conditions among them.
fn names(node: &Node, visit: &mut impl FnMut(Function, &str)) {
    node.walk(&mut |node| {
        let Data::Call(function, argument) = &node.data else { return };
        let first = argument.as_list().and_then(<[Node]>::first).unwrap_or(argument);
        let Some(text) = first.as_str() else { return };
        match function {
            Function::Sub => {
                for segment in segments(text) {
                    if let Segment::Variable(name) = segment {
                        visit(*function, name.split('.').next().unwrap_or_default());
                    }
                }
            }
            Function::GetAtt => visit(*function, text.split('.').next().unwrap_or_default()),
            Function::Ref | Function::If | Function::Condition => visit(*function, text),
            _ => {}
        }
    });
}

/// The parameters that a node depends on, through conditions as well.
fn parameters(template: &Template, node: &Node) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(template, node, &mut found, &mut BTreeSet::new());
    found
}

fn collect(template: &Template, node: &Node, found: &mut BTreeSet<String>, seen: &mut BTreeSet<String>) {
    let mut conditions = Vec::new();
    names(node, &mut |function, name| match function {
        Function::If | Function::Condition => conditions.push(name.to_owned()),
        _ if template.parameters.contains_key(name) => {
            found.insert(name.to_owned());
        }
        _ => {}
    });
    for condition in conditions {
        found.extend(of_condition(template, &condition, seen));
    }
}

fn of_condition(template: &Template, name: &str, seen: &mut BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Some(node) = template.conditions.get(name).filter(|_| seen.insert(name.to_owned())) {
        collect(template, node, &mut found, seen);
    }
    found
}

fn resources(template: &Template, node: &Node) -> Vec<String> {
    let mut found = Vec::new();
    names(node, &mut |function, name| {
        let is_reference = matches!(function, Function::Ref | Function::Sub | Function::GetAtt);
        if is_reference && template.resources.contains_key(name) {
            found.push(name.to_owned());
        }
    });
    found
}
