//! This project's own promises about its templates, as rules with stable codes.
//!
//! cfn-lint knows CloudFormation and checkov knows good practice; these rules know what *this* project promises: names that
//! stay, imports that have exports, nothing public by default, no secret outside Secrets Manager, no data lost by accident.
//! Rules look at a template with its defaults filled in, so "by default" means what the words say.

mod changes;
mod exposure;
mod iam;
mod limits;
mod names;
mod secrets;
mod shape;
mod stateful;

use std::fmt;

use indexmap::IndexMap;

use crate::{
    Stack, Template,
    catalog::DEFAULT_PREFIX,
    extract::{self, Policy, Script},
    graph::{Graph, GraphError},
    resolve::{ResolveError, ResolvedResource, Scope},
    variants::variants,
};

/// Something that breaks a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code of the rule.
    pub code: &'static str,
    /// Stack with the finding.
    pub stack: String,
    /// Line in its template.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "infra-cfn/templates/{}.yaml:{}: {} {}", self.stack, self.line, self.code, self.message)
    }
}

/// A promise.
pub struct Rule {
    /// Stable code.
    pub code: &'static str,
    /// The promise, in a sentence.
    pub title: &'static str,
    check: fn(&Subject<'_>, &mut Report<'_>),
}

/// Every rule about a single template, by code.
pub const RULES: &[Rule] = &[
    shape::PARAMETERS_DOCUMENTED,
    shape::PARAMETERS_GROUPED,
    shape::OUTPUTS_DOCUMENTED,
    shape::FITS_INLINE,
    shape::TAGGED,
    names::PARAMETERS_KEPT,
    names::EXPORTS_KEPT,
    names::EXPORTS_PREFIXED,
    secrets::NO_SECRET_DEFAULT,
    secrets::SECRETS_ONLY_IN_SECRETS_MANAGER,
    secrets::PASSWORD_FOLLOWS,
    secrets::NO_SECRET_OUTPUT,
    secrets::NO_SECRET_IN_ENVIRONMENT,
    stateful::POLICIES_STATED,
    stateful::DATA_KEPT,
    stateful::ENCRYPTED,
    changes::REPLACEMENT_SAID,
    exposure::NO_OPEN_PORT,
    exposure::NOTHING_PUBLIC,
    exposure::METADATA_SERVICE_V2,
    exposure::HOST_BESIDE_VOLUME,
    iam::NO_WILDCARD_ACTION,
    iam::NO_WILDCARD_RESOURCE,
    iam::MFA_FOR_ADMINISTRATOR,
    iam::NOTHING_WITHOUT_MFA,
    limits::NAMES_FIT,
    limits::POLICIES_FIT,
    limits::ACTIONS_EXIST,
    limits::USER_DATA_FITS,
    limits::SETTINGS_KNOWN,
];

/// Code of a template that cannot be read or evaluated at all.
pub const UNREADABLE: &str = "CFN001";
/// Code of imports and exports that do not fit together.
pub const GRAPH: &str = "CFN002";
/// Code of an import whose export would change.
pub const GRAPH_CHANGE: &str = "CFN003";
/// Codes that belong to no single template's rule.
pub const OF_ALL: [(&str, &str); 3] = [
    (UNREADABLE, "a template can be read and evaluated"),
    (GRAPH, "every import has one export, without a circle"),
    (GRAPH_CHANGE, "no parameter silently changes what another stack imports"),
];

/// A template as the rules see it.
struct Subject<'a> {
    stack: &'a str,
    template: &'a Template,
    /// Resources that exist when every parameter has its default.
    resources: IndexMap<String, ResolvedResource>,
    scope: Scope<'a>,
    /// The template in every way that it may be used.
    uses: Vec<Use>,
}

/// A template in one of the ways that it may be used.
struct Use {
    resources: IndexMap<String, ResolvedResource>,
    policies: Vec<Policy>,
    scripts: Vec<Script>,
}

impl Use {
    fn of(scope: &Scope<'_>) -> Result<Self, ResolveError> {
        let resources = scope.resources()?;
        let (policies, scripts) = (extract::policies_of(&resources), extract::scripts_of(&resources));
        Ok(Self { resources, policies, scripts })
    }
}

/// Where a rule puts what it finds.
struct Report<'a> {
    code: &'static str,
    stack: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Report<'_> {
    fn add(&mut self, line: usize, message: impl Into<String>) {
        let (code, stack, message) = (self.code, self.stack.to_owned(), message.into());
        self.findings.push(Finding { code, stack, line, message });
    }
}

/// Checks the templates of this crate.
pub fn check_all() -> Vec<Finding> {
    let texts: Vec<_> = Stack::ALL.iter().map(|it| (it.name(), it.template_text())).collect();
    check(&texts)
}

/// Checks templates given as name and text, alone and together.
pub fn check(texts: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut templates = Vec::new();
    for (stack, text) in texts {
        match Template::parse(text) {
            Ok(template) => templates.push((*stack, template)),
            Err(err) => {
                let source = std::error::Error::source(&err).map(|it| format!(": {it}")).unwrap_or_default();
                findings.push(unreadable(stack, err.place().line, format!("{err}{source}")));
            }
        }
    }
    for (stack, template) in &templates {
        check_one(stack, template, &mut findings);
    }
    let templates: Vec<_> = templates.iter().map(|(stack, template)| (*stack, template)).collect();
    if let Err(err) = Graph::build(DEFAULT_PREFIX, &templates) {
        findings.push(of_graph(&err));
    }
    findings.extend(changes::changing_imports(&templates));
    findings
}

fn check_one(stack: &str, template: &Template, findings: &mut Vec<Finding>) {
    let scope = Scope::new(template, format!("{DEFAULT_PREFIX}-{stack}"));
    let resources = match scope.resources() {
        Ok(resources) => resources,
        Err(err) => return findings.push(unreadable(stack, err.place.line, err.reason)),
    };
    let uses = variants(template, stack).iter().map(|it| Use::of(&it.scope)).collect::<Result<_, _>>();
    let uses = match uses {
        Ok(uses) => uses,
        Err(err) => return findings.push(unreadable(stack, err.place.line, err.reason)),
    };
    let subject = Subject { stack, template, resources, scope, uses };
    for rule in RULES {
        (rule.check)(&subject, &mut Report { code: rule.code, stack, findings });
    }
}

fn unreadable(stack: &str, line: usize, message: String) -> Finding {
    Finding { code: UNREADABLE, stack: stack.to_owned(), line, message }
}

fn of_graph(err: &GraphError) -> Finding {
    let (stack, line) = match err {
        GraphError::ResolveName { stack, line, .. } | GraphError::MissingExport { stack, line, .. } => {
            (stack.clone(), *line)
        }
        GraphError::DuplicateExport { second, .. } => (second.clone(), 1),
        GraphError::Cycle(stacks) => (stacks.first().cloned().unwrap_or_default(), 1),
    };
    Finding { code: GRAPH, stack, line, message: err.to_string() }
}
