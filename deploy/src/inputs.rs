//! What goes into a change set: the values of the parameters, from file and flags, from the stack as it is, from prompts.
//!
//! Pure but for the prompts, which are the caller's. Order of precedence: flag, file, value the stack has, template default.

use std::collections::BTreeMap;

use infra_cfn::{
    Template,
    params::{PREFIX, ParameterFile, ParamsProblem},
};

use crate::cloud::{ParameterValue, StackInfo};

/// A stack to work on.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Short name, such as `vpc`.
    pub name: String,
    /// Name in CloudFormation.
    pub stack_name: String,
    /// The template as it is sent.
    pub text: String,
    /// The template.
    pub template: Template,
    /// Path of the template, for messages.
    pub template_path: String,
    /// Path of the parameter file, for messages.
    pub params_path: String,
    /// Values from file and flags.
    pub given: ParameterFile,
    /// Parameters for which the file has another value than the flag that counts now.
    pub overridden: Vec<String>,
    /// What is asked of CloudFormation beside template and values.
    pub options: Options,
}

/// What a stack is deployed with, beside template and values. A flag is over it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Role that CloudFormation acts with.
    pub role_arn: Option<String>,
    /// All the tags that the stack has; nothing leaves those that it has.
    pub tags: Option<BTreeMap<String, String>>,
    /// Topics that hear of every event of the stack; nothing leaves those that it has.
    pub notifications: Option<Vec<String>>,
    /// Termination protection; nothing leaves it as it is.
    pub protect: Option<bool>,
    /// Stack policy, as JSON; nothing leaves the one that it has.
    pub policy: Option<String>,
    /// Whether a value for the parameter of the prefix may be given.
    pub sets_prefix: bool,
}

impl Spec {
    /// The prefix as the template gets it.
    pub fn prefix<'s>(&'s self, usual: &'s str) -> &'s str {
        self.given.get(PREFIX).filter(|_| self.options.sets_prefix).unwrap_or(usual)
    }
}

/// Values for a stack, and what is still missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// Values to send; a parameter that is not here gets the template's default.
    pub values: BTreeMap<String, ParameterValue>,
    /// Parameters that need a value and have none, in the template's order.
    pub missing: Vec<String>,
    /// Values that the template does not take.
    pub problems: Vec<ParamsProblem>,
}

/// Brings together what is given, what the stack has and what the template says.
pub fn resolve(
    template: &Template,
    given: &ParameterFile,
    stack: Option<&StackInfo>,
    prefix: &str,
) -> Inputs {
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, parameter) in &template.parameters {
        let has = stack.is_some_and(|it| it.parameters.contains_key(name));
        if name == PREFIX {
            values.insert(name.clone(), ParameterValue::Given(prefix.to_owned()));
        } else if let Some(value) = given.get(name) {
            values.insert(name.clone(), ParameterValue::Given(value.to_owned()));
        } else if has {
            values.insert(name.clone(), ParameterValue::Previous);
        } else if parameter.is_required() {
            missing.push(name.clone());
        }
    }
    let problems = given
        .problems(template)
        .into_iter()
        .filter(|it| !matches!(it, ParamsProblem::Missing(_)))
        .chain(given.get(PREFIX).filter(|it| *it != prefix).map(|_| ParamsProblem::Unknown {
            name: format!("{PREFIX} (set it with --prefix)"),
            similar: None,
        }))
        .collect();
    Inputs { values, missing, problems }
}

/// What a default begins with that EC2 would resolve at each start of a host; the rest is the name of a public parameter.
const RESOLVED_LATER: &str = "resolve:ssm:";

/// Parameters whose value is to be looked up and written down, with the public parameter that has it: when a stack is made,
/// so that no later change of something else brings another image of a host along, and on request.
pub fn pinned(
    template: &Template,
    given: &ParameterFile,
    stack: Option<&StackInfo>,
    anew: bool,
) -> Vec<(String, String)> {
    let is_due = |name: &str| {
        let has = stack.is_some_and(|it| it.parameters.contains_key(name));
        given.get(name).is_none() && (anew || !has)
    };
    let public = template.parameters.iter().filter_map(|(name, it)| {
        Some((name.clone(), it.default.as_deref()?.strip_prefix(RESOLVED_LATER)?.to_owned()))
    });
    public.filter(|(name, _)| is_due(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::StackStatus;

    fn template() -> Template {
        Template::parse(
            "Parameters:
  Prefix: { Type: String, Default: app }
  Size: { Type: Number, Default: 20, MinValue: 20 }
  Password: { Type: String, NoEcho: true }
  Name: { Type: String }
Resources: { A: { Type: T } }",
        )
        .unwrap()
    }

    fn stack(parameters: &[&str]) -> StackInfo {
        StackInfo {
            name: "app-x".into(),
            id: "arn".into(),
            status: StackStatus::CreateComplete,
            status_reason: None,
            parameters: parameters.iter().map(|it| ((*it).to_owned(), "****".to_owned())).collect(),
            outputs: Vec::new(),
            tags: BTreeMap::new(),
            termination_protection: false,
            created: None,
            updated: None,
            parent_id: None,
        }
    }

    fn file(values: &[(&str, &str)]) -> ParameterFile {
        let mut file = ParameterFile::default();
        values.iter().for_each(|(name, value)| file.set(*name, *value));
        file
    }

    #[test]
    fn a_new_stack_needs_what_has_no_default() {
        let inputs = resolve(&template(), &file(&[("Name", "n")]), None, "app");
        assert_eq!(inputs.missing, ["Password"]);
        assert_eq!(inputs.problems, []);
        assert_eq!(inputs.values.keys().collect::<Vec<_>>(), ["Name", "Prefix"]);
        assert_eq!(inputs.values["Prefix"], ParameterValue::Given("app".into()));
    }

    #[test]
    fn an_existing_stack_keeps_what_is_not_given() {
        let inputs = resolve(
            &template(),
            &file(&[("Size", "30")]),
            Some(&stack(&["Password", "Name", "Size"])),
            "app",
        );
        assert_eq!(inputs.missing, Vec::<String>::new());
        assert_eq!(inputs.values["Password"], ParameterValue::Previous);
        assert_eq!(inputs.values["Size"], ParameterValue::Given("30".into()));
    }

    #[test]
    fn wrong_values_are_problems() {
        let inputs =
            resolve(&template(), &file(&[("Size", "1"), ("Prefix", "other"), ("Nmae", "x")]), None, "app");
        let problems: Vec<_> = inputs.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "parameter \"Size\" must be at least 20",
                "parameter \"Nmae\" does not exist; did you mean \"Name\"?",
                "parameter \"Prefix (set it with --prefix)\" does not exist",
            ]
        );
    }

    #[test]
    fn an_image_is_written_down_once_and_on_request() {
        let template = Template::parse(
            "Parameters: { Image: { Type: String, Default: 'resolve:ssm:/aws/image' } }\nResources: { A: { Type: T } }",
        )
        .unwrap();
        let nothing = ParameterFile::default();
        let due = [("Image".to_owned(), "/aws/image".to_owned())];
        let has = stack(&["Image"]);
        assert_eq!(pinned(&template, &nothing, None, false), due);
        assert_eq!(pinned(&template, &nothing, Some(&stack(&[])), false), due, "the stack is older");
        assert_eq!(pinned(&template, &nothing, Some(&has), false), []);
        assert_eq!(pinned(&template, &nothing, Some(&has), true), due);
        assert_eq!(pinned(&template, &file(&[("Image", "ami-1")]), Some(&has), true), []);
    }

    #[test]
    fn a_given_value_never_shows() {
        let inputs = resolve(&template(), &file(&[("Password", "hunter2")]), None, "app");
        assert!(!format!("{inputs:?}").contains("hunter2"));
    }
}
