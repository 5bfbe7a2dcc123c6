//! The order of the stacks of a catalog, values that nobody takes, names that nothing has.

use deploy::{
    Spec,
    catalog::{Catalog, Place},
};
use infra_cfn::{
    Template,
    graph::{Graph, GraphError, Values},
    resolve::Scope,
};

use super::UsageError;

/// The order that exports and imports give, and what the file says besides.
///
/// The built-in templates are all that there is: an import without an export is a mistake there. Somebody's own may import
/// from stacks that are elsewhere.
pub(super) fn graph(catalog: &Catalog, specs: &[Spec]) -> Result<Graph, GraphError> {
    let mut graph = if catalog.is_own() {
        let known: Vec<Box<Values<'_>>> = specs.iter().map(|it| values(it, &catalog.place)).collect();
        let templates: Vec<(&str, &Template, &Values<'_>)> = specs
            .iter()
            .zip(&known)
            .map(|(it, values)| (it.name.as_str(), &it.template, &**values))
            .collect();
        Graph::build_open(&templates)?
    } else {
        let templates: Vec<(&str, &Template)> =
            specs.iter().map(|it| (it.name.as_str(), &it.template)).collect();
        Graph::build(&catalog.place.prefix, &templates)?
    };
    for it in &catalog.stacks {
        for need in &it.needs {
            graph = graph.with_wait(&it.name, need)?;
        }
    }
    Ok(graph)
}

/// What is known of the variables in the names of exports and imports before anything is deployed.
fn values<'s>(spec: &'s Spec, place: &'s Place) -> Box<Values<'s>> {
    Box::new(move |name| match name {
        "AWS::StackName" => Some(spec.stack_name.clone()),
        "AWS::Region" => place.region.clone(),
        "AWS::AccountId" => place.account.clone(),
        infra_cfn::params::PREFIX => Some(spec.prefix(&place.prefix).to_owned()),
        name => {
            let parameter = spec.template.parameters.get(name)?;
            spec.given.get(name).or(parameter.default.as_deref()).map(str::to_owned)
        }
    })
}

/// A flag that no wanted stack takes is a mistake, not a wish for nothing.
pub(super) fn refuse_unknown(
    flags: &[(String, String)],
    stacks: &[&str],
    specs: &[Spec],
) -> anyhow::Result<()> {
    let wanted = || specs.iter().filter(|spec| stacks.contains(&spec.name.as_str()));
    for (name, _) in flags {
        let (of, parameter) = match name.split_once('.') {
            Some((of, parameter)) => (Some(of), parameter),
            None => (None, name.as_str()),
        };
        if let Some(of) = of
            && !stacks.contains(&of)
        {
            return Err(UsageError::of(format!(
                "a parameter is given for \"{of}\", which is not among the stacks of this command"
            )));
        }
        let mut takers = wanted().filter(|it| of.is_none_or(|of| it.name == of));
        if !takers.any(|it| it.template.parameters.contains_key(parameter)) {
            let of = of
                .map_or_else(|| format!("no stack of {}", stacks.join(", ")), |of| format!("not even {of}"));
            return Err(UsageError::of(format!("{of} has a parameter \"{parameter}\"")));
        }
    }
    Ok(())
}

/// The same for a value that the file gives to every stack: one of them has to have such a parameter.
pub(super) fn refuse_untaken(catalog: &Catalog, specs: &[Spec]) -> anyhow::Result<()> {
    let takes = |name: &str| specs.iter().any(|it| it.template.parameters.contains_key(name));
    let mut shared = catalog.stacks.iter().flat_map(|it| it.shared.keys());
    match shared.find(|name| !takes(name)) {
        Some(name) => {
            anyhow::bail!("the file gives a value for \"{name}\", and no template has such a parameter")
        }
        None => Ok(()),
    }
}

/// Macros that this program knows what they do.
const KNOWN: &str = "AWS::LanguageExtensions";

/// The first name in a template that is no parameter, resource, mapping or condition. Nothing is said about a template that
/// a macro changes.
pub(super) fn unknown_name(spec: &Spec) -> Option<String> {
    if spec.template.transforms.iter().any(|it| it != KNOWN) {
        return None;
    }
    let mut scope = Scope::new(&spec.template, &spec.stack_name);
    for (name, value) in spec.given.iter() {
        scope = scope.with(name, value);
    }
    let outputs = || spec.template.outputs.values().find_map(|it| scope.value(&it.value).err());
    let err = scope.resources().err().or_else(outputs)?;
    // Other troubles may be functions that this program does not know; those are CloudFormation's to judge.
    let names_nothing = err.reason.starts_with("unknown name") && !err.reason.contains("\"AWS::");
    names_nothing.then(|| format!("{}:{}: {}", spec.template_path, err.place.line, err.reason))
}
