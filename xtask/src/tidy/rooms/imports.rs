//! Source files of a crate → arrows between them: every path of the code, resolved to the file that defines
//! what it names.

mod scan;

use std::collections::{BTreeMap, BTreeSet};

use scan::{Scanned, Scope};

/// Texts of a crate's files, by their path in its `src` folder.
pub(super) type Sources<'a> = BTreeMap<String, &'a str>;

/// Code of one file names what another one defines.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    /// The path, as far as it is known: `crate::sql::Statement`.
    pub(super) name: String,
}

/// The imports of a crate.
#[derive(Default)]
pub(super) struct Graph {
    /// One per pair of files, in order.
    pub(super) arrows: Vec<Arrow>,
    /// Findings: files that are not Rust.
    pub(super) unreadable: Vec<String>,
}

/// A path from the crate's root.
type Path = Vec<String>;

/// No chain of re-exports is longer; a longer one is a circle of them.
const MAX_STEPS: usize = 16;

/// Reads all arrows of a crate.
pub(super) fn read(folder: &str, sources: &Sources<'_>) -> Graph {
    let mut graph = Graph::default();
    let mut scanned = Scanned::default();
    for (inner, text) in sources {
        match syn::parse_file(text) {
            Ok(parsed) => scanned.add(inner, module_of(inner), &parsed),
            Err(error) => {
                graph.unreadable.push(format!("{folder}/src/{inner}: cannot be read as Rust: {error}"));
            }
        }
    }
    let mut seen = BTreeSet::new();
    for (module, scope) in &scanned.scopes {
        if scanned.is_of_tests(module) {
            continue;
        }
        for used in &scope.used {
            let Some(target) = scanned.absolute(module, used) else { continue };
            let Some(found) = scanned.defined_in(&target) else { continue };
            if found != scope.file
                && !is_around(&found, &scope.file)
                && seen.insert((scope.file.clone(), found.clone()))
            {
                graph.arrows.push(Arrow {
                    from: format!("{folder}/src/{}", scope.file),
                    to: format!("{folder}/src/{found}"),
                    name: format!("crate::{}", target.join("::")),
                });
            }
        }
    }
    graph.arrows.sort();
    graph
}

/// Whether a file is that of a module around another one's. A part may use what the module around it defines:
/// that is where a room keeps what its parts have in common.
fn is_around(outer: &str, inner: &str) -> bool {
    let outer = module_of(outer);
    !outer.is_empty() && module_of(inner).starts_with(&outer)
}

/// The module that a file is.
fn module_of(inner: &str) -> Path {
    let mut path: Path = inner.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|it| it == "mod") || matches!(inner, "lib.rs" | "main.rs") {
        path.pop();
    }
    path
}

impl Scanned {
    /// A path as written in a module, from the crate's root. `None` for what is outside of the crate, and for
    /// names that are no import.
    fn absolute(&self, module: &[String], written: &[String]) -> Option<Path> {
        let (first, rest) = written.split_first()?;
        let scope = self.scopes.get(module)?;
        let mut path = match first.as_str() {
            "crate" => Path::new(),
            "self" => module.to_vec(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            name => match scope.names.get(name) {
                Some(import) if import.first() != Some(first) => self.absolute(module, import)?,
                _ => {
                    let child = [module, std::slice::from_ref(first)].concat();
                    // A single name is more likely a variable than a module.
                    (!rest.is_empty() && self.scopes.contains_key(&child)).then_some(child)?
                }
            },
        };
        for name in rest {
            match name.as_str() {
                "super" => drop(path.pop()?),
                "self" => {}
                name => path.push(name.to_owned()),
            }
        }
        Some(path)
    }

    /// The file that defines what a path names.
    fn defined_in(&self, path: &[String]) -> Option<String> {
        let mut path = path.to_vec();
        for _ in 0..MAX_STEPS {
            let n_module = (0..=path.len()).rev().find(|n| self.scopes.contains_key(&path[..*n]))?;
            let scope = &self.scopes[&path[..n_module]];
            let Some(name) = path.get(n_module) else { return Some(scope.file.clone()) };
            match self.passed_on(&path[..n_module], scope, name) {
                Some(target) => path = [target, path[n_module + 1..].to_vec()].concat(),
                None => return Some(scope.file.clone()),
            }
        }
        None
    }

    /// Where a name of a module leads that the module does not define itself.
    fn passed_on(&self, module: &[String], scope: &Scope, name: &str) -> Option<Path> {
        if scope.items.contains(name) {
            return None;
        }
        if let Some(import) = scope.names.get(name) {
            return self.absolute(module, import);
        }
        scope.globs.iter().find_map(|glob| {
            let source = self.absolute(module, glob)?;
            let there = self.scopes.get(&source)?;
            let has_it = there.items.contains(name) || there.names.contains_key(name);
            has_it.then(|| [source, vec![name.to_owned()]].concat())
        })
    }
}
