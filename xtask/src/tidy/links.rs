//! Links between the project's documents lead somewhere.

use super::SourceFile;

pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let Some(text) = &file.text else { continue };
        for (index, line) in text.lines().enumerate() {
            for target in targets(line) {
                let Some(path) = resolve(&file.path, target) else { continue };
                let is_there =
                    files.iter().any(|it| it.path == path || it.path.starts_with(&format!("{path}/")));
                if !is_there {
                    findings.push(format!(
                        "{}:{}: the link to `{target}` leads nowhere",
                        file.path,
                        index + 1
                    ));
                }
            }
        }
    }
    findings
}

/// The targets of `[text](target)` in a line.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// Path from the root of a relative link; `None` for anchors and addresses.
fn resolve(from: &str, target: &str) -> Option<String> {
    let target = target.split('#').next().unwrap_or_default();
    if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn dead_link_is_found_and_live_ones_are_not() {
        let files = [
            file("docs/a.md", "[b](b.md#part) [up](../README.md) [web](https://example.org) [dead](c.md)\n"),
            file("docs/b.md", "x\n"),
            file("README.md", "[docs](docs/)\n"),
        ];
        let found = check(&files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("`c.md`"));
    }
}
