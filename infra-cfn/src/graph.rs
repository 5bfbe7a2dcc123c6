//! Which stack needs which, read from `Export` and `Fn::ImportValue` and from nothing else.
//!
//! Invariant: a [`Graph`] has no cycle and every import in it has an export, so planning cannot fail afterwards.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Template, template::ExportName};

/// Stacks and what each of them imports from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// In the order given, which is the order inside a wave.
    stacks: Vec<String>,
    needs: BTreeMap<String, BTreeSet<String>>,
}

/// What is known of the variables in the names of a template's exports and imports.
pub type Values<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Why templates do not form a graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A name holds a variable other than the stack name and the prefix.
    #[error(
        "{stack}.yaml line {line}: the export name \"{name}\" holds \"${{{variable}}}\", which is not known before deployment"
    )]
    ResolveName {
        /// Stack with the name.
        stack: String,
        /// Where.
        line: usize,
        /// The name as written.
        name: String,
        /// The unknown variable.
        variable: String,
    },
    /// Two outputs have one name.
    #[error("the export \"{name}\" is made by {first} and by {second}")]
    DuplicateExport {
        /// The name.
        name: String,
        /// Stack that has it first.
        first: String,
        /// The other one.
        second: String,
    },
    /// Nothing exports what a stack imports.
    #[error("{stack}.yaml line {line}: imports \"{name}\", which no template exports")]
    MissingExport {
        /// Stack with the import.
        stack: String,
        /// Where.
        line: usize,
        /// The name that is missing.
        name: String,
    },
    /// Stacks that wait for each other.
    #[error("stacks import from each other in a circle: {}", .0.join(" -> "))]
    Cycle(
        /// The stacks, the first one again at the end.
        Vec<String>,
    ),
}

impl Graph {
    /// Builds the graph of named templates under a prefix.
    ///
    /// # Errors
    /// See [`GraphError`].
    pub fn build(prefix: &str, templates: &[(&str, &Template)]) -> Result<Self, GraphError> {
        let mut exporters: BTreeMap<String, &str> = BTreeMap::new();
        for (stack, template) in templates {
            for output in template.outputs.values() {
                let Some(export) = &output.export else { continue };
                let name = resolve(export, prefix, stack, output.place.line)?;
                if let Some(first) = exporters.insert(name.clone(), stack) {
                    return Err(GraphError::DuplicateExport {
                        name,
                        first: first.to_owned(),
                        second: (*stack).to_owned(),
                    });
                }
            }
        }
        let mut needs = BTreeMap::new();
        for (stack, template) in templates {
            let mut found = BTreeSet::new();
            for import in &template.imports {
                let line = import.place.line;
                let name = resolve(&import.name, prefix, stack, line)?;
                let Some(exporter) = exporters.get(&name) else {
                    return Err(GraphError::MissingExport { stack: (*stack).to_owned(), line, name });
                };
                found.insert((*exporter).to_owned());
            }
            needs.insert((*stack).to_owned(), found);
        }
        let graph = Self { stacks: templates.iter().map(|(stack, _)| (*stack).to_owned()).collect(), needs };
        graph.refuse_cycle()?;
        Ok(graph)
    }

    /// Builds the graph of templates that need not be all there are: an import without an export among them, or with a name
    /// that only CloudFormation knows, orders nothing. Each template comes with what is known of its variables.
    ///
    /// # Errors
    /// [`GraphError::DuplicateExport`] and [`GraphError::Cycle`].
    pub fn build_open(templates: &[(&str, &Template, &Values<'_>)]) -> Result<Self, GraphError> {
        let mut exporters: BTreeMap<String, &str> = BTreeMap::new();
        for (stack, template, values) in templates {
            let names = template.outputs.values().filter_map(|it| it.export.as_ref()?.resolve(values).ok());
            for name in names {
                if let Some(first) = exporters.insert(name.clone(), stack) {
                    let (first, second) = (first.to_owned(), (*stack).to_owned());
                    return Err(GraphError::DuplicateExport { name, first, second });
                }
            }
        }
        let needs_of = |template: &Template, values: &Values<'_>| -> BTreeSet<String> {
            let names = template.imports.iter().filter_map(|it| it.name.resolve(values).ok());
            names.filter_map(|it| exporters.get(&it).map(ToString::to_string)).collect()
        };
        let needs = templates.iter().map(|(stack, it, values)| ((*stack).to_owned(), needs_of(it, values)));
        let stacks = templates.iter().map(|(stack, ..)| (*stack).to_owned()).collect();
        let graph = Self { stacks, needs: needs.collect() };
        graph.refuse_cycle()?;
        Ok(graph)
    }

    /// The stacks that a stack imports from.
    pub fn needs(&self, stack: &str) -> impl Iterator<Item = &str> {
        self.needs.get(stack).into_iter().flatten().map(String::as_str)
    }

    /// The stacks that import from a stack.
    pub fn needed_by(&self, stack: &str) -> impl Iterator<Item = &str> {
        self.stacks.iter().map(String::as_str).filter(move |it| self.needs(it).any(|need| need == stack))
    }

    /// Stacks that can be deployed at the same time, wave after wave.
    pub fn waves(&self) -> Vec<Vec<&str>> {
        let mut done = BTreeSet::new();
        let mut waves = Vec::new();
        while done.len() < self.stacks.len() {
            let ready = |it: &&str| !done.contains(it) && self.needs(it).all(|need| done.contains(need));
            let wave: Vec<&str> = self.stacks.iter().map(String::as_str).filter(ready).collect();
            assert!(!wave.is_empty(), "a graph without cycle always has a stack that waits for nothing");
            done.extend(wave.iter().copied());
            waves.push(wave);
        }
        waves
    }

    /// The same graph where a stack waits for another one, too, without importing from it.
    ///
    /// # Errors
    /// [`GraphError::Cycle`] when that one waits for it.
    pub fn with_wait(mut self, stack: &str, waits_for: &str) -> Result<Self, GraphError> {
        if let Some(needs) = self.needs.get_mut(stack) {
            needs.insert(waits_for.to_owned());
        }
        self.refuse_cycle()?;
        Ok(self)
    }

    /// The same graph with some stacks only; a stack that waited for a removed one waits for what that one waited for.
    pub fn restrict(&self, keep: &[&str]) -> Self {
        let needs = keep.iter().map(|stack| ((*stack).to_owned(), self.reach(stack, keep))).collect();
        let stacks = self.stacks.iter().filter(|it| keep.contains(&it.as_str())).cloned().collect();
        Self { stacks, needs }
    }

    fn reach(&self, stack: &str, keep: &[&str]) -> BTreeSet<String> {
        self.needs(stack)
            .flat_map(|need| {
                if keep.contains(&need) { BTreeSet::from([need.to_owned()]) } else { self.reach(need, keep) }
            })
            .collect()
    }

    fn refuse_cycle(&self) -> Result<(), GraphError> {
        let mut safe = BTreeSet::new();
        self.stacks.iter().try_for_each(|stack| self.follow(stack, &mut Vec::new(), &mut safe))
    }

    fn follow<'a>(
        &'a self,
        stack: &'a str,
        path: &mut Vec<&'a str>,
        safe: &mut BTreeSet<&'a str>,
    ) -> Result<(), GraphError> {
        if let Some(start) = path.iter().position(|it| *it == stack) {
            return Err(GraphError::Cycle(
                path[start..].iter().chain([&stack]).map(ToString::to_string).collect(),
            ));
        }
        if safe.contains(stack) {
            return Ok(());
        }
        path.push(stack);
        self.needs(stack).try_for_each(|need| self.follow(need, path, safe))?;
        path.pop();
        safe.insert(stack);
        Ok(())
    }
}

fn resolve(name: &ExportName, prefix: &str, stack: &str, line: usize) -> Result<String, GraphError> {
    let value_of = |variable: &str| match variable {
        "Prefix" => Some(prefix.to_owned()),
        "AWS::StackName" => Some(format!("{prefix}-{stack}")),
        _ => None,
    };
    name.resolve(value_of).map_err(|variable| GraphError::ResolveName {
        stack: stack.to_owned(),
        line,
        name: name.to_string(),
        variable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stack;

    /// A template that exports `${AWS::StackName}-x` and imports from the stacks named.
    fn importing(from: &[&str]) -> Template {
        let imports: String =
            from.iter().map(|it| format!("      - Fn::ImportValue: !Sub ${{Prefix}}-{it}-x\n")).collect();
        let text = format!(
            "Resources:\n  A:\n    Type: T\n    Properties:\n      X:\n      - 1\n{imports}Outputs:\n  O: {{ Value: 1, Export: {{ Name: !Sub '${{AWS::StackName}}-x' }} }}\n"
        );
        Template::parse(&text).unwrap()
    }

    fn build(stacks: &[(&str, &[&str])]) -> Result<Graph, GraphError> {
        let templates: Vec<_> = stacks.iter().map(|(name, from)| (*name, importing(from))).collect();
        let templates: Vec<_> = templates.iter().map(|(name, template)| (*name, template)).collect();
        Graph::build("app", &templates)
    }

    #[test]
    fn the_stacks_of_this_crate_deploy_in_three_waves() {
        let templates: Vec<_> =
            Stack::ALL.iter().map(|it| (it.name(), Template::parse(it.template_text()).unwrap())).collect();
        let templates: Vec<_> = templates.iter().map(|(name, template)| (*name, template)).collect();
        let graph = Graph::build("postgresasapp", &templates).unwrap();
        assert_eq!(graph.waves(), [vec!["s3", "iam", "vpc"], vec!["rds", "persist"], vec!["compute"]]);
        assert_eq!(graph.needs("compute").collect::<Vec<_>>(), ["persist", "rds", "vpc"]);
        assert_eq!(graph.needed_by("vpc").collect::<Vec<_>>(), ["rds", "persist", "compute"]);
    }

    #[test]
    fn a_part_keeps_the_order_through_what_was_left_out() {
        let graph = build(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]).unwrap();
        assert_eq!(graph.restrict(&["c", "a"]).waves(), [vec!["a"], vec!["c"]]);
        assert_eq!(graph.restrict(&["c"]).waves(), [vec!["c"]]);
    }

    #[test]
    fn a_stack_can_wait_for_one_it_does_not_import_from() {
        let graph = || build(&[("a", &[]), ("b", &["a"]), ("c", &[])]).unwrap();
        assert_eq!(graph().with_wait("b", "c").unwrap().waves(), [vec!["a", "c"], vec!["b"]]);
        assert!(matches!(graph().with_wait("a", "b"), Err(GraphError::Cycle(_))));
    }

    #[test]
    fn a_missing_export_is_named_with_its_line() {
        let err = build(&[("a", &["gone"])]).unwrap_err();
        assert_eq!(err, GraphError::MissingExport { stack: "a".into(), line: 7, name: "app-gone-x".into() });
        assert_eq!(err.to_string(), "a.yaml line 7: imports \"app-gone-x\", which no template exports");
    }

    #[test]
    fn a_circle_is_named_in_order() {
        let err = build(&[("a", &[]), ("b", &["a", "d"]), ("c", &["b"]), ("d", &["c"])]).unwrap_err();
        assert_eq!(err.to_string(), "stacks import from each other in a circle: b -> d -> c -> b");
        assert_eq!(build(&[("a", &["a"])]).unwrap_err(), GraphError::Cycle(vec!["a".into(), "a".into()]));
    }

    #[test]
    fn an_open_graph_orders_by_what_it_knows() {
        let (network, shop) = (importing(&[]), importing(&["network", "elsewhere"]));
        let named = |name: &'static str| {
            move |variable: &str| match variable {
                "AWS::StackName" => Some(format!("app-{name}")),
                "Prefix" => Some("app".to_owned()),
                _ => None,
            }
        };
        let (of_shop, of_network) = (named("shop"), named("network"));
        let graph =
            Graph::build_open(&[("shop", &shop, &of_shop), ("network", &network, &of_network)]).unwrap();
        assert_eq!(graph.waves(), [["network"], ["shop"]]);
        let nothing = |_: &str| None;
        let graph = Graph::build_open(&[("shop", &shop, &nothing), ("network", &network, &nothing)]).unwrap();
        assert_eq!(graph.waves(), [["shop", "network"]]);
    }

    #[test]
    fn names_must_be_unique_and_known_beforehand() {
        let one = |name: &str| {
            Template::parse(&format!("Resources: {{ A: {{ Type: T }} }}\nOutputs: {{ O: {{ Value: 1, Export: {{ Name: {name} }} }} }}")).unwrap()
        };
        let (first, second) = (one("same"), one("same"));
        assert_eq!(
            Graph::build("app", &[("a", &first), ("b", &second)]).unwrap_err().to_string(),
            "the export \"same\" is made by a and by b"
        );
        assert_eq!(
            Graph::build("app", &[("a", &one("!Sub '${AWS::Region}-x'"))]).unwrap_err().to_string(),
            "a.yaml line 2: the export name \"${AWS::Region}-x\" holds \"${AWS::Region}\", which is not known before deployment"
        );
    }
}
