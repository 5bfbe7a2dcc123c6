//! Checks of somebody's own templates: that they can be read, that every name in them exists, that they can be ordered.
//! What the properties of a resource have to be is cfn-lint's business.

use infra_cfn::{Template, params::ParameterFile};

use super::{order, select::House};

/// What is wrong with the templates of a catalog, as sentences with their places.
pub(super) fn own(house: &House<'_>) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut specs = Vec::new();
    for it in &house.catalog.stacks {
        if let Err(err) = Template::parse(&it.text) {
            let source = std::error::Error::source(&err).map(|it| format!(": {it}")).unwrap_or_default();
            problems.push(format!("{}:{}: {err}{source}", it.template_path, err.place().line));
            continue;
        }
        let path = house.params_path(it, &house.params_dir()?);
        // What the values are is looked at later, one stack after the other.
        let values = super::select::read_values(&path).unwrap_or_default();
        match house.spec(it, &path, values, &[]) {
            Ok(spec) => specs.push(spec),
            Err(_) => specs.push(house.spec(it, &path, ParameterFile::default(), &[])?),
        }
    }
    problems.extend(specs.iter().filter_map(order::unknown_name));
    if problems.is_empty() {
        problems.extend(order::graph(&house.catalog, &specs).err().map(|it| it.to_string()));
        problems.extend(order::refuse_untaken(&house.catalog, &specs).err().map(|it| it.to_string()));
    }
    Ok(problems)
}
