//! Finding the embed that a filter, order or limit addresses (`embed.column=…`).

use crate::config::AppConfig;
use crate::error::{ApiRequestError, Error};

use super::types::{ReadPlan, ReadPlanTree};

/// Which names address an embed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetNames {
    /// Its alias, or its relation when it has none.
    Alias,
    /// Its alias or its relation (`url-use-legacy-target-names`).
    AliasOrRelation,
}

impl TargetNames {
    pub(super) fn from_config(conf: &AppConfig) -> Self {
        if conf.url_use_legacy_target_names { Self::AliasOrRelation } else { Self::Alias }
    }

    fn matches(self, node: &ReadPlan, name: &str) -> bool {
        match self {
            Self::Alias => node.output_name() == name,
            Self::AliasOrRelation => node.rel_name == name || node.rel_alias.as_deref() == Some(name),
        }
    }
}

/// Changes the level that `path` addresses.
///
/// A level that was addressed moves before its siblings: joins come in that order. [`settle`] moves them, all
/// at once.
pub(super) fn update(
    tree: &mut ReadPlanTree,
    path: &[String],
    names: TargetNames,
    change: impl FnOnce(&mut ReadPlan),
) -> Result<(), Error> {
    let mut level = tree;
    for name in path {
        let Some(index) = first_match(level, name, names) else {
            return Err(not_embedded(level, name, names).into());
        };
        level.node.n_addressed += 1;
        let turn = level.node.n_addressed;
        level = &mut level.children[index];
        level.node.addressed = turn;
        if is_legacy_match(&level.node, name) {
            level.node.legacy_target_match = true;
        }
    }
    change(&mut level.node);
    Ok(())
}

/// Index of the embed that a name means: the last one addressed among those it fits, else the first.
fn first_match(level: &ReadPlanTree, name: &str, names: TargetNames) -> Option<usize> {
    let fitting = level.children.iter().enumerate().filter(|(_, child)| names.matches(&child.node, name));
    fitting
        .min_by_key(|(index, child)| (std::cmp::Reverse(child.node.addressed), *index))
        .map(|(index, _)| index)
}

/// Puts levels and conditions in the order in which they are written down.
pub(super) fn settle(tree: &mut ReadPlanTree) {
    // They were taken from last to first.
    tree.node.conditions.reverse();
    tree.children.sort_by_key(|child| std::cmp::Reverse(child.node.addressed));
    tree.children.iter_mut().for_each(settle);
}

/// The embed has an alias, but was addressed by its relation's name.
fn is_legacy_match(node: &ReadPlan, name: &str) -> bool {
    node.rel_name == name && node.rel_alias.as_deref().is_some_and(|alias| alias != name)
}

fn not_embedded(level: &ReadPlanTree, name: &str, names: TargetNames) -> ApiRequestError {
    let legacy = match names {
        TargetNames::AliasOrRelation => None,
        TargetNames::Alias => first_match(level, name, TargetNames::AliasOrRelation)
            .map(|index| &level.children[index])
            .map(|child| (child.node.rel_name.clone(), child.node.rel_alias.clone().unwrap_or_default())),
    };
    ApiRequestError::NotEmbedded(name.to_owned(), legacy)
}
