//! Stacks with those that are nested in them, as a tree.

use std::collections::BTreeMap;

use deploy::cloud::StackInfo;

/// A stack and how deep it is nested.
pub(super) struct Leaf<'s> {
    pub(super) stack: &'s StackInfo,
    pub(super) depth: usize,
}

/// The stacks of some names, each followed by those nested in it, by name.
pub(super) fn tree<'s>(all: &'s [StackInfo], names: &[&str]) -> Vec<Leaf<'s>> {
    let mut children: BTreeMap<&str, Vec<&StackInfo>> = BTreeMap::new();
    for it in all {
        if let Some(parent) = &it.parent_id {
            children.entry(parent).or_default().push(it);
        }
    }
    let mut roots: Vec<&StackInfo> =
        all.iter().filter(|it| it.parent_id.is_none() && names.contains(&it.name.as_str())).collect();
    roots.sort_by(|a, b| a.name.cmp(&b.name));
    let mut waiting: Vec<Leaf<'_>> = roots.into_iter().rev().map(|stack| Leaf { stack, depth: 0 }).collect();
    let mut found = Vec::new();
    while let Some(leaf) = waiting.pop() {
        let mut below = children.remove(leaf.stack.id.as_str()).unwrap_or_default();
        below.sort_by(|a, b| b.name.cmp(&a.name));
        waiting.extend(below.into_iter().map(|stack| Leaf { stack, depth: leaf.depth + 1 }));
        found.push(leaf);
    }
    found
}

#[cfg(test)]
mod tests {
    use deploy::status::StackStatus;

    use super::*;

    fn stack(name: &str, parent: Option<&str>) -> StackInfo {
        StackInfo {
            name: name.to_owned(),
            id: format!("arn:{name}"),
            status: StackStatus::CreateComplete,
            status_reason: None,
            parameters: BTreeMap::new(),
            outputs: Vec::new(),
            tags: BTreeMap::new(),
            termination_protection: false,
            created: None,
            updated: None,
            parent_id: parent.map(|it| format!("arn:{it}")),
        }
    }

    #[test]
    fn nested_stacks_stand_below_theirs() {
        let all = [
            stack("app-web-Inner-2", Some("app-web-Inner")),
            stack("app-web", None),
            stack("app-web-Inner", Some("app-web")),
            stack("app-data", None),
            stack("app-web-Another", Some("app-web")),
            stack("app-other-env", None),
        ];
        let shown: Vec<(usize, &str)> = tree(&all, &["app-data", "app-web"])
            .iter()
            .map(|it| (it.depth, it.stack.name.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                (0, "app-data"),
                (0, "app-web"),
                (1, "app-web-Another"),
                (1, "app-web-Inner"),
                (2, "app-web-Inner-2"),
            ]
        );
    }
}
