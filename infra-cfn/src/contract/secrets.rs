//! The promise that a secret is in Secrets Manager and nowhere else.

use serde_json::Value;

use super::{Report, Rule, Subject};
use crate::{
    extract,
    intrinsic::{Function, Segment, segments},
    yaml::{Data, Node},
};

/// Parts of names that mean a secret.
const SECRET_WORDS: [&str; 4] = ["password", "secret", "token", "privatekey"];

fn sounds_secret(name: &str) -> bool {
    let name = name.to_lowercase().replace(['_', '-'], "");
    SECRET_WORDS.iter().any(|it| name.contains(it))
}

pub(super) const NO_SECRET_DEFAULT: Rule = Rule {
    code: "CFN301",
    title: "a secret parameter is hidden and has no default but nothing",
    check: no_secret_default,
};

fn no_secret_default(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, parameter) in &subject.template.parameters {
        let line = parameter.place.map_or(1, |it| it.line);
        if sounds_secret(name) && !parameter.no_echo {
            report.add(line, format!("parameter \"{name}\" sounds like a secret and is not NoEcho"));
        }
        if parameter.no_echo && parameter.default.as_deref().is_some_and(|it| !it.is_empty()) {
            report.add(line, format!("the secret parameter \"{name}\" has a default that everyone can read"));
        }
    }
}

pub(super) const SECRETS_ONLY_IN_SECRETS_MANAGER: Rule = Rule {
    code: "CFN302",
    title: "a secret parameter goes into a secret of Secrets Manager and into nothing that can be read",
    check: secrets_only_in_secrets_manager,
};

/// Properties that nobody can read back. A dynamic reference is no better there, and reads the same after the secret has
/// changed, so that the resource would keep what it had.
const HIDDEN: [(&str, &str); 2] =
    [("AWS::RDS::DBInstance", "MasterUserPassword"), ("AWS::RDS::DBCluster", "MasterUserPassword")];

fn secrets_only_in_secrets_manager(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, resource) in &subject.template.resources {
        if resource.kind == "AWS::SecretsManager::Secret" {
            continue;
        }
        let hidden = |property: &str| HIDDEN.contains(&(resource.kind.as_str(), property));
        let shown = resource.properties.as_map().into_iter().flatten().filter(|(it, _)| !hidden(it));
        for (parameter, line) in shown.flat_map(|(_, it)| secret_uses(subject, &it.node)) {
            report.add(line, format!("resource \"{name}\" uses the secret parameter \"{parameter}\"; put it into a secret and resolve that"));
        }
    }
}

pub(super) const PASSWORD_FOLLOWS: Rule = Rule {
    code: "CFN305",
    title: "a database's password follows the parameter when that changes",
    check: password_follows,
};

fn password_follows(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, resource) in &subject.template.resources {
        for (kind, property) in HIDDEN.iter().filter(|(kind, _)| *kind == resource.kind) {
            let mut resolves = false;
            let node = resource.properties.get(property);
            node.into_iter().for_each(|it| {
                it.walk(&mut |it| resolves |= it.as_str().is_some_and(|it| it.contains("{{resolve:")));
            });
            if resolves {
                report.add(
                    resource.place.line,
                    format!("{property} of resource \"{name}\" ({kind}) is a reference that reads the same after the secret has changed, so the password would stay; take the parameter"),
                );
            }
        }
    }
}

pub(super) const NO_SECRET_OUTPUT: Rule =
    Rule { code: "CFN303", title: "no output shows a secret", check: no_secret_output };

fn no_secret_output(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, output) in &subject.template.outputs {
        for (parameter, line) in secret_uses(subject, &output.value) {
            report.add(line, format!("output \"{name}\" shows the secret parameter \"{parameter}\""));
        }
        let mut resolves = false;
        output.value.walk(&mut |node| resolves |= node.as_str().is_some_and(|it| it.contains("{{resolve:")));
        if resolves {
            report.add(output.place.line, format!("output \"{name}\" resolves a secret"));
        }
    }
}

/// Secret parameters that a node refers to, with the line.
fn secret_uses(subject: &Subject<'_>, node: &Node) -> Vec<(String, usize)> {
    let secret: Vec<&str> = subject.template.secret_parameters().collect();
    let mut found = Vec::new();
    node.walk(&mut |node| {
        let Data::Call(function @ (Function::Ref | Function::Sub), argument) = &node.data else { return };
        let text =
            argument.as_list().and_then(<[Node]>::first).unwrap_or(argument).as_str().unwrap_or_default();
        let names = match function {
            Function::Ref => vec![text.to_owned()],
            _ => segments(text)
                .into_iter()
                .filter_map(|it| match it {
                    Segment::Variable(name) => Some(name),
                    Segment::Literal(_) => None,
                })
                .collect(),
        };
        found.extend(
            names.into_iter().filter(|it| secret.contains(&it.as_str())).map(|it| (it, node.place.line)),
        );
    });
    found
}

pub(super) const NO_SECRET_IN_ENVIRONMENT: Rule = Rule {
    code: "CFN304",
    title: "containers get secrets injected, not written into their definition",
    check: no_secret_in_environment,
};

fn no_secret_in_environment(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, resource) in &subject.resources {
        extract::collect(&resource.properties, &mut |key, value| {
            if key != "Environment" {
                return;
            }
            for variable in value.as_array().into_iter().flatten() {
                let variable_name = variable["Name"].as_str().unwrap_or_default();
                if sounds_secret(variable_name) || has_password(&variable["Value"]) {
                    report.add(resource.place.line, format!("resource \"{name}\" has the secret \"{variable_name}\" in plain text; use Secrets"));
                }
            }
        });
    }
}

/// A URL with a password in it, or a dynamic reference that would be written out.
fn has_password(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let authority = text.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    let user = authority.and_then(|it| it.rsplit_once('@')).map(|(user, _)| user);
    user.is_some_and(|it| it.contains(':')) || text.contains("{{resolve:secretsmanager")
}
