//! What AWS's own descriptions say about what the templates use: properties that replace, limits of texts, actions that exist.
//!
//! Taken from what cfn-lint brings, once, by `cargo xtask codegen` (`checks/schemas.py`); `cargo xtask ci` compares.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Stack, Template, extract, resolve::ResolveError, variants::variants};

/// The facts.
#[derive(Debug, Deserialize)]
pub struct Facts {
    types: BTreeMap<String, Described>,
    actions: BTreeSet<String>,
}

/// A resource type.
#[derive(Debug, Default, Deserialize)]
pub struct Described {
    /// Properties whose change replaces the resource.
    pub replaces: BTreeSet<String>,
    /// Limits of texts, by path; `*` is any element of a list.
    pub limits: BTreeMap<String, Limits>,
}

/// What a text has to be.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Fewest characters.
    pub min_length: Option<usize>,
    /// Most characters.
    pub max_length: Option<usize>,
    /// Regular expression that matches somewhere in it.
    pub pattern: Option<String>,
}

/// The facts about the templates of this crate.
pub fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| {
        let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/checks/schemas.json"));
        serde_json::from_str(text).unwrap_or(Facts { types: BTreeMap::new(), actions: BTreeSet::new() })
    })
}

impl Facts {
    /// What is known of a type.
    pub fn of(&self, kind: &str) -> Option<&Described> {
        self.types.get(kind)
    }

    /// Whether an action exists, among those that the templates use.
    pub fn has_action(&self, action: &str) -> bool {
        self.actions.contains(action)
    }
}

/// What facts are needed about: types with the paths of their texts, and actions.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Paths by type.
    pub types: BTreeMap<String, BTreeSet<String>>,
    /// Actions.
    pub actions: BTreeSet<String>,
}

/// What the templates of this crate use.
///
/// # Errors
/// When one of them cannot be evaluated.
pub fn needs() -> Result<Needs, ResolveError> {
    let mut needs = Needs::default();
    for stack in Stack::ALL {
        // A template that cannot be read is a finding of its own.
        let Ok(template) = Template::parse(stack.template_text()) else { continue };
        for variant in variants(&template, stack.name()) {
            for resource in variant.scope.resources()?.values() {
                let paths = needs.types.entry(resource.kind.clone()).or_default();
                for_each_text(&resource.properties, &mut |path, _| {
                    paths.insert(path.to_owned());
                });
            }
            for policy in extract::policies(&variant.scope)? {
                needs.actions.extend(actions(&policy.document));
            }
        }
    }
    Ok(needs)
}

/// The actions that a policy document names, allowed or denied.
pub(crate) fn actions(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for statement in document["Statement"].as_array().into_iter().flatten() {
        for key in ["Action", "NotAction"] {
            match &statement[key] {
                Value::String(action) => found.push(action.clone()),
                Value::Array(all) => found.extend(all.iter().filter_map(Value::as_str).map(str::to_owned)),
                _ => {}
            }
        }
    }
    found.retain(|it| !it.contains('*'));
    found
}

/// Calls `visit` with path and text of every text below a value. Policy documents have a grammar of their own.
pub(crate) fn for_each_text(value: &Value, visit: &mut impl FnMut(&str, &str)) {
    fn walk(path: &str, value: &Value, visit: &mut impl FnMut(&str, &str)) {
        let below = |part: &str| if path.is_empty() { part.to_owned() } else { format!("{path}/{part}") };
        match value {
            Value::Object(map) => {
                map.iter()
                    .filter(|(key, _)| !key.ends_with("PolicyDocument"))
                    .for_each(|(key, it)| walk(&below(key), it, visit));
            }
            Value::Array(elements) => elements.iter().for_each(|it| walk(&below("*"), it, visit)),
            Value::String(text) => visit(path, text),
            _ => {}
        }
    }
    walk("", value, visit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_in_use_is_described() {
        let needs = needs().unwrap();
        for kind in needs.types.keys() {
            assert!(
                facts().of(kind).is_some(),
                "{kind} is not in checks/schemas.json: run `cargo xtask codegen`"
            );
        }
        assert!(facts().of("AWS::RDS::DBInstance").unwrap().replaces.contains("DBName"));
        let vault = &facts().of("AWS::Backup::BackupVault").unwrap().limits["BackupVaultName"];
        assert!(vault.pattern.as_deref().is_some_and(|it| it.contains("50")), "{vault:?}");
    }
}
