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
/// A level that was addressed moves before its siblings: joins come in that order.
pub(super) fn update(
    tree: &mut ReadPlanTree,
    path: &[String],
    names: TargetNames,
    change: impl FnOnce(&mut ReadPlan),
) -> Result<(), Error> {
    let mut level = tree;
    for name in path {
        let Some(index) = level.children.iter().position(|child| names.matches(&child.node, name)) else {
            return Err(not_embedded(level, name, names).into());
        };
        level.children[..=index].rotate_right(1);
        level = &mut level.children[0];
        if is_legacy_match(&level.node, name) {
            level.node.legacy_target_match = true;
        }
    }
    change(&mut level.node);
    Ok(())
}

/// The embed has an alias, but was addressed by its relation's name.
fn is_legacy_match(node: &ReadPlan, name: &str) -> bool {
    node.rel_name == name && node.rel_alias.as_deref().is_some_and(|alias| alias != name)
}

fn not_embedded(level: &ReadPlanTree, name: &str, names: TargetNames) -> ApiRequestError {
    let legacy = match names {
        TargetNames::AliasOrRelation => None,
        TargetNames::Alias => level
            .children
            .iter()
            .find(|child| TargetNames::AliasOrRelation.matches(&child.node, name))
            .map(|child| (child.node.rel_name.clone(), child.node.rel_alias.clone().unwrap_or_default())),
    };
    ApiRequestError::NotEmbedded(name.to_owned(), legacy)
}
