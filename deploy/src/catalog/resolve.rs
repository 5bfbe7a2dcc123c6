//! From the layers of a file to one list of stacks: pure, and the same for every environment.
//!
//! Layers, each over those before it: `[all]`, `[[stack]]`, `[environment.NAME]`, `[environment.NAME.stack.STACK]`. Tables
//! are merged key by key, everything else is replaced.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CatalogError, Place,
    file::{Common, Environment, File, Overlay, StackLayer},
};

/// A stack with every layer put together; nothing is read from a disk yet.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Resolved {
    pub(super) name: String,
    pub(super) stack_name: String,
    pub(super) template: String,
    pub(super) parameters_file: Option<String>,
    /// Values that the stack has to take.
    pub(super) parameters: BTreeMap<String, String>,
    /// Values for every stack that has such a parameter.
    pub(super) shared: BTreeMap<String, String>,
    /// Tags; nothing when no layer speaks of tags.
    pub(super) tags: Option<BTreeMap<String, String>>,
    pub(super) role: Option<String>,
    pub(super) notifications: Option<Vec<String>>,
    pub(super) protect: Option<bool>,
    pub(super) stack_policy: Option<String>,
    pub(super) needs: Vec<String>,
    pub(super) stays: Option<String>,
    pub(super) bucket_output: Option<String>,
}

/// The environment that is meant, by name.
pub(super) fn environment<'f>(
    file: &'f File,
    asked: Option<&str>,
) -> Result<Option<(String, &'f Environment)>, CatalogError> {
    let known = || file.environment.keys().cloned().collect::<Vec<_>>().join(", ");
    let Some(name) = asked.or(file.default_environment.as_deref()) else {
        return match file.environment.is_empty() {
            true => Ok(None),
            false => Err(CatalogError::Usage(format!(
                "the file has environments: name one of {} with --environment",
                known()
            ))),
        };
    };
    match file.environment.get_key_value(name) {
        Some((name, it)) => Ok(Some((name.clone(), it))),
        None if file.environment.is_empty() => {
            Err(CatalogError::Usage(format!("there is no environment \"{name}\": the file has none")))
        }
        None => Err(CatalogError::Usage(format!("there is no environment \"{name}\", only {}", known()))),
    }
}

/// Where the stacks belong and what they are called.
pub(super) fn place(file: &File, environment: Option<(&str, &Environment)>, prefix: Option<&str>) -> Place {
    let base = file.prefix.clone().unwrap_or_else(|| "app".to_owned());
    let of = |pick: fn(&Environment) -> &Option<String>, whole: &Option<String>| {
        environment.and_then(|(_, it)| pick(it).clone()).or_else(|| whole.clone())
    };
    let usual = match environment {
        Some((name, it)) => it.prefix.clone().unwrap_or_else(|| format!("{base}-{name}")),
        None => base,
    };
    Place {
        environment: environment.map(|(name, _)| name.to_owned()),
        is_usual_prefix: prefix.is_none_or(|it| it == usual),
        prefix: prefix.map_or(usual, str::to_owned),
        account: of(|it| &it.account, &file.account),
        region: of(|it| &it.region, &file.region),
        profile: of(|it| &it.profile, &file.profile),
        bucket: of(|it| &it.template_bucket, &file.template_bucket),
    }
}

/// The stacks of an environment, in the order of the file.
pub(super) fn stacks(
    file: &File,
    environment: Option<&Environment>,
    place: &Place,
) -> Result<Vec<Resolved>, CatalogError> {
    let refuse = |text: String| Err(CatalogError::Invalid(text));
    let mut names = BTreeSet::new();
    for it in &file.stack {
        if it.name.is_empty() || it.template.is_empty() {
            return refuse(format!("a [[stack]] needs a name and a template; \"{}\" lacks one", it.name));
        }
        if !names.insert(it.name.as_str()) {
            return refuse(format!("the stack \"{}\" is there twice", it.name));
        }
    }
    for (of, it) in &file.environment {
        if let Some(unknown) = it.stack.keys().find(|it| !names.contains(it.as_str())) {
            return refuse(format!("[environment.{of}.stack.{unknown}] is about no stack of the file"));
        }
    }
    let nothing = Overlay::default();
    let mut stacks = Vec::new();
    for layer in &file.stack {
        let overlay = environment.and_then(|it| it.stack.get(&layer.name)).unwrap_or(&nothing);
        if !overlay.absent {
            stacks.push(one(file, layer, environment, overlay, place)?);
        }
    }
    let present: BTreeSet<&str> = stacks.iter().map(|it| it.name.as_str()).collect();
    for it in &stacks {
        if let Some(unknown) = it.needs.iter().find(|need| !present.contains(need.as_str())) {
            return refuse(format!("{} needs \"{unknown}\", which is no stack here", it.name));
        }
    }
    let mut taken = BTreeSet::new();
    match stacks.iter().find(|it| !taken.insert(it.stack_name.clone())) {
        Some(it) => refuse(format!("two stacks have the name {} in CloudFormation", it.stack_name)),
        None => Ok(stacks),
    }
}

fn one(
    file: &File,
    layer: &StackLayer,
    environment: Option<&Environment>,
    overlay: &Overlay,
    place: &Place,
) -> Result<Resolved, CatalogError> {
    let fill = |text: &str| place.fill(text, &layer.name);
    let (all, own, over) = (file.all.common(), layer.common(), overlay.common());
    let around = environment.map(Environment::common);
    let layers: Vec<Common<'_>> = [Some(all), Some(own), around, Some(over)].into_iter().flatten().collect();
    let merged = |layers: &[Common<'_>]| -> BTreeMap<String, String> {
        let values = layers.iter().flat_map(|it| it.parameters);
        values.map(|(name, value)| (name.clone(), fill(&value.to_string()))).collect()
    };
    let mut shared = merged(&[Some(all), around].into_iter().flatten().collect::<Vec<_>>());
    let parameters = merged(&[own, over]);
    // A layer of the environment is over the stack's own.
    let by_environment = |name: &String| {
        around.is_some_and(|it| it.parameters.contains_key(name)) && !over.parameters.contains_key(name)
    };
    let parameters: BTreeMap<String, String> =
        parameters.into_iter().filter(|(name, _)| !by_environment(name)).collect();
    shared.retain(|name, _| !parameters.contains_key(name));
    let stack_name = overlay.stack_name.as_ref().or(layer.stack_name.as_ref());
    let stack_name = stack_name.map_or_else(|| format!("{}-{}", place.prefix, layer.name), |it| fill(it));
    if !is_stack_name(&stack_name) {
        return Err(CatalogError::Invalid(format!(
            "\"{stack_name}\" is no name for a stack: letters, digits and hyphens, a letter first, at most 128"
        )));
    }
    let last = |pick: fn(&Common<'_>) -> Option<String>| layers.iter().rev().find_map(pick);
    let tags: BTreeMap<String, String> =
        layers.iter().flat_map(|it| it.tags).map(|(key, value)| (key.clone(), fill(value))).collect();
    let parameters_file = overlay.parameters_file.as_ref().or(layer.parameters_file.as_ref());
    Ok(Resolved {
        name: layer.name.clone(),
        stack_name,
        template: fill(&layer.template),
        parameters_file: parameters_file.map(|it| fill(it)),
        parameters,
        shared,
        tags: (!tags.is_empty()).then_some(tags),
        role: last(|it| it.role.map(str::to_owned)),
        notifications: layers.iter().rev().find_map(|it| it.notifications.map(<[String]>::to_vec)),
        protect: layers.iter().rev().find_map(|it| it.termination_protection),
        stack_policy: last(|it| it.stack_policy.map(str::to_owned)).map(|it| fill(&it)),
        needs: layer.needs.clone(),
        stays: layer.stays.clone(),
        bucket_output: layer.bucket_output.clone(),
    })
}

fn is_stack_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|it: char| it.is_ascii_alphabetic())
        && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '-')
}
