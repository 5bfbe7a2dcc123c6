//! A template as typed data: parameters, conditions, resources, outputs, what it exports and what it imports.
//!
//! Reads structure only. Whether a resource has the properties it needs is cfn-lint's business, whether the template keeps
//! this project's promises is [`crate::contract`]'s.

mod for_each;
mod parameter;

use indexmap::IndexMap;
use serde_json::Value;

pub use parameter::{Parameter, ParameterViolation};

use crate::{
    intrinsic::{Function, Segment, segments},
    write,
    yaml::{self, Data, Entry, Node, Place, YamlError},
};

/// A parsed template.
#[derive(Debug, Clone)]
pub struct Template {
    /// What the stack is for.
    pub description: Option<String>,
    /// Macros that CloudFormation runs over the template, such as `AWS::LanguageExtensions`.
    pub transforms: Vec<String>,
    /// Parameters by name.
    pub parameters: IndexMap<String, Parameter>,
    /// Groups in which the console shows the parameters: label and names.
    pub parameter_groups: Vec<(String, Vec<String>)>,
    /// Mappings by name, as written.
    pub mappings: IndexMap<String, Node>,
    /// Conditions by name, as written.
    pub conditions: IndexMap<String, Node>,
    /// Resources by logical id, loops expanded.
    pub resources: IndexMap<String, Resource>,
    /// Outputs by logical id.
    pub outputs: IndexMap<String, Output>,
    /// Every `Fn::ImportValue`, in the order of the text.
    pub imports: Vec<Import>,
    /// Length in bytes of what is sent ([`crate::write`]); above [`INLINE_LIMIT`] CloudFormation takes it only from S3.
    pub n_bytes: usize,
}

/// Longest template that fits into a request to CloudFormation, in bytes
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
pub const INLINE_LIMIT: usize = 51_200;

/// What a template of this project may take of it: whoever changes one needs room.
pub const INLINE_AIM: usize = INLINE_LIMIT / 10 * 9;

/// A resource.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Where the logical id stands, or the body of the loop that makes it.
    pub place: Place,
    /// Type, such as `AWS::EC2::Volume`.
    pub kind: String,
    /// Condition under which it exists.
    pub condition: Option<String>,
    /// Logical ids it waits for by `DependsOn`.
    pub depends_on: Vec<String>,
    /// What happens to it when the stack is deleted.
    pub deletion_policy: Option<String>,
    /// What happens to the old one when it is replaced.
    pub update_replace_policy: Option<String>,
    /// Properties, as written; an empty mapping when there are none.
    pub properties: Node,
}

/// An output.
#[derive(Debug, Clone)]
pub struct Output {
    /// Where the logical id stands.
    pub place: Place,
    /// What the value is.
    pub description: Option<String>,
    /// The value, as written.
    pub value: Node,
    /// Name under which other stacks import it.
    pub export: Option<ExportName>,
    /// Condition under which it exists.
    pub condition: Option<String>,
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Where it stands.
    pub place: Place,
    /// Name of the export.
    pub name: ExportName,
}

/// The name of an export, which may hold variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportName(Vec<Segment>);

impl ExportName {
    /// The name with its variables filled in; the first unknown variable otherwise.
    ///
    /// # Errors
    /// The name of a variable for which `value_of` has nothing.
    pub fn resolve(&self, value_of: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        self.0
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => Ok(text.clone()),
                Segment::Variable(name) => value_of(name).ok_or_else(|| name.clone()),
            })
            .collect()
    }
}

impl std::fmt::Display for ExportName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|segment| match segment {
            Segment::Literal(text) => f.write_str(text),
            Segment::Variable(name) => write!(f, "${{{name}}}"),
        })
    }
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text is not YAML as CloudFormation takes it.
    #[error("not a YAML template")]
    ParseYaml(#[source] YamlError),
    /// The YAML does not have the structure of a template.
    #[error("line {}: {what} {reason}", place.line)]
    ReadSection {
        /// Where.
        place: Place,
        /// Which part, such as `resource "Vpc"`.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl TemplateError {
    pub(crate) fn at(place: Place, what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::ReadSection { place, what: what.into(), reason: reason.into() }
    }

    /// Where in the text the error is.
    pub fn place(&self) -> Place {
        match self {
            Self::ParseYaml(err) => err.place,
            Self::ReadSection { place, .. } => *place,
        }
    }
}

impl Template {
    /// Parses a template in YAML or JSON.
    ///
    /// # Errors
    /// The first thing that keeps the text from being a template, with its line.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let root = yaml::parse(text).map_err(TemplateError::ParseYaml)?;
        if root.as_map().is_none() {
            return Err(TemplateError::at(root.place, "the template", "must be a mapping"));
        }
        let resources = section(&root, "Resources")?;
        if resources.is_empty() {
            return Err(TemplateError::at(root.place, "the template", "has no resources"));
        }
        Ok(Self {
            description: text_of(&root, "Description"),
            transforms: names(root.get("Transform")),
            parameters: map_section(&root, "Parameters", parameter::read)?,
            parameter_groups: parameter_groups(&root),
            mappings: map_section(&root, "Mappings", |_, entry| Ok(entry.node.clone()))?,
            conditions: map_section(&root, "Conditions", |_, entry| Ok(entry.node.clone()))?,
            resources: for_each::expand(&resources)?
                .iter()
                .map(|(name, entry)| Ok((name.clone(), resource(name, entry)?)))
                .collect::<Result<_, TemplateError>>()?,
            outputs: map_section(&root, "Outputs", output)?,
            imports: imports(&root)?,
            n_bytes: write::sent(&root).len(),
        })
    }

    /// Line of a resource, for messages about it.
    pub fn line_of(&self, logical_id: &str) -> Option<usize> {
        self.resources.get(logical_id).map(|it| it.place.line)
    }

    /// Line of what a path leads to, such as `/Resources/Bucket/Properties/BucketName`; of the nearest thing around it
    /// that has one.
    pub fn line_at(&self, path: &str) -> Option<usize> {
        let mut parts = path.trim_start_matches('/').split('/').skip_while(|it| *it == "Resources");
        let resource = self.resources.get(parts.next()?)?;
        let mut line = resource.place.line;
        let mut node = &resource.properties;
        for part in parts.skip_while(|it| *it == "Properties") {
            let entry = node.as_map().and_then(|it| it.get(part));
            let Some(entry) = entry else { break };
            node = &entry.node;
            line = entry.place.line;
        }
        Some(line)
    }

    /// Names of the parameters whose values CloudFormation hides.
    pub fn secret_parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(|(_, it)| it.no_echo).map(|(name, _)| name.as_str())
    }
}

fn section(root: &Node, name: &str) -> Result<IndexMap<String, Entry>, TemplateError> {
    match root.get(name).map(|it| (it, &it.data)) {
        None => Ok(IndexMap::new()),
        Some((_, Data::Map(entries))) => Ok(entries.clone()),
        Some((node, _)) => {
            Err(TemplateError::at(node.place, format!("section \"{name}\""), "must be a mapping"))
        }
    }
}

fn map_section<T>(
    root: &Node,
    name: &str,
    read: impl Fn(&str, &Entry) -> Result<T, TemplateError>,
) -> Result<IndexMap<String, T>, TemplateError> {
    section(root, name)?.iter().map(|(key, entry)| Ok((key.clone(), read(key, entry)?))).collect()
}

fn text_of(node: &Node, key: &str) -> Option<String> {
    node.get(key)?.as_str().map(str::to_owned)
}

/// A string, or a sequence of strings.
fn names(node: Option<&Node>) -> Vec<String> {
    match node.map(|it| &it.data) {
        Some(Data::Scalar(Value::String(name))) => vec![name.clone()],
        Some(Data::List(elements)) => {
            elements.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

fn parameter_groups(root: &Node) -> Vec<(String, Vec<String>)> {
    let groups =
        root.at(&["Metadata", "AWS::CloudFormation::Interface", "ParameterGroups"]).and_then(Node::as_list);
    groups
        .unwrap_or_default()
        .iter()
        .map(|group| {
            let label = group.at(&["Label", "default"]).and_then(Node::as_str).unwrap_or_default();
            (label.to_owned(), names(group.get("Parameters")))
        })
        .collect()
}

fn resource(name: &str, entry: &Entry) -> Result<Resource, TemplateError> {
    let what = || format!("resource \"{name}\"");
    let node = &entry.node;
    if node.as_map().is_none() {
        return Err(TemplateError::at(entry.place, what(), "must be a mapping"));
    }
    let kind = text_of(node, "Type").ok_or_else(|| TemplateError::at(entry.place, what(), "has no type"))?;
    let empty = || Node { place: entry.place, data: Data::Map(IndexMap::new()) };
    Ok(Resource {
        place: entry.place,
        kind,
        condition: text_of(node, "Condition"),
        depends_on: names(node.get("DependsOn")),
        deletion_policy: text_of(node, "DeletionPolicy"),
        update_replace_policy: text_of(node, "UpdateReplacePolicy"),
        properties: node.get("Properties").cloned().unwrap_or_else(empty),
    })
}

fn output(name: &str, entry: &Entry) -> Result<Output, TemplateError> {
    let what = || format!("output \"{name}\"");
    let value = entry
        .node
        .get("Value")
        .cloned()
        .ok_or_else(|| TemplateError::at(entry.place, what(), "has no value"))?;
    let export = entry
        .node
        .at(&["Export", "Name"])
        .map(|node| export_name(node).ok_or_else(|| TemplateError::at(node.place, what(), UNREADABLE_NAME)))
        .transpose()?;
    Ok(Output {
        place: entry.place,
        description: text_of(&entry.node, "Description"),
        value,
        export,
        condition: text_of(&entry.node, "Condition"),
    })
}

const UNREADABLE_NAME: &str = "has an export name that is neither text, !Ref nor a plain !Sub; the order of stacks follows from these names";

fn export_name(node: &Node) -> Option<ExportName> {
    match &node.data {
        Data::Scalar(Value::String(text)) => Some(ExportName(vec![Segment::Literal(text.clone())])),
        Data::Call(Function::Sub, argument) => Some(ExportName(segments(argument.as_str()?))),
        Data::Call(Function::Ref, argument) => {
            Some(ExportName(vec![Segment::Variable(argument.as_str()?.to_owned())]))
        }
        _ => None,
    }
}

fn imports(root: &Node) -> Result<Vec<Import>, TemplateError> {
    let mut found = Vec::new();
    root.walk(&mut |node| {
        if let Data::Call(Function::ImportValue, argument) = &node.data {
            found.push((node.place, export_name(argument)));
        }
    });
    found
        .into_iter()
        .map(|(place, name)| match name {
            Some(name) => Ok(Import { place, name }),
            None => Err(TemplateError::at(place, "the import", UNREADABLE_NAME)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "\
Description: small
Transform: AWS::LanguageExtensions
Metadata:
  AWS::CloudFormation::Interface:
    ParameterGroups:
      - Label: { default: All }
        Parameters: [Prefix]
Parameters:
  Prefix: { Type: String, Default: app, Description: prefix }
Conditions:
  Never: !Equals [a, b]
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Condition: Never
    DependsOn: Other
    Properties:
      VpcId:
        Fn::ImportValue: !Sub ${Prefix}-vpc-vpc
  Other:
    Type: AWS::SNS::Topic
    DeletionPolicy: Retain
  Fn::ForEach::Endpoints:
    - Service
    - [ssm, ecr.api]
    - Endpoint&{Service}:
        Type: AWS::EC2::VPCEndpoint
        Properties: { ServiceName: !Sub 'com.${AWS::Region}.${Service}', Service: !Ref Service }
Outputs:
  Id:
    Description: id
    Value: !Ref Group
    Export: { Name: !Sub '${AWS::StackName}-id' }
";

    #[test]
    fn a_template_becomes_typed_data() {
        let template = Template::parse(SMALL).unwrap();
        assert_eq!(template.description.as_deref(), Some("small"));
        assert_eq!(template.transforms, ["AWS::LanguageExtensions"]);
        assert_eq!(template.parameter_groups, [("All".to_owned(), vec!["Prefix".to_owned()])]);
        assert_eq!(template.conditions.keys().collect::<Vec<_>>(), ["Never"]);
        let group = &template.resources["Group"];
        assert_eq!(
            (group.kind.as_str(), group.condition.as_deref()),
            ("AWS::EC2::SecurityGroup", Some("Never"))
        );
        assert_eq!(group.depends_on, ["Other"]);
        assert_eq!(template.line_of("Group"), Some(13));
        assert_eq!(template.resources["Other"].deletion_policy.as_deref(), Some("Retain"));
        assert_eq!(template.imports.len(), 1);
        assert_eq!(template.imports[0].name.to_string(), "${Prefix}-vpc-vpc");
        assert_eq!(template.imports[0].place.line, 19);
        assert_eq!(template.outputs["Id"].export.as_ref().unwrap().to_string(), "${AWS::StackName}-id");
        assert_eq!(template.n_bytes, write::compact(SMALL).unwrap().len());
    }

    #[test]
    fn a_loop_makes_resources_that_know_the_line_of_its_body() {
        let template = Template::parse(SMALL).unwrap();
        let endpoint = &template.resources["Endpointecrapi"];
        assert_eq!(
            template.resources.keys().collect::<Vec<_>>(),
            ["Group", "Other", "Endpointssm", "Endpointecrapi"]
        );
        assert_eq!(endpoint.place.line, 26);
        let json = endpoint.properties.to_json();
        assert_eq!(json["ServiceName"]["Fn::Sub"], "com.${AWS::Region}.ecr.api");
        assert_eq!(json["Service"], "ecr.api");
    }

    #[test]
    fn export_names_resolve_or_name_the_unknown_variable() {
        let template = Template::parse(SMALL).unwrap();
        let name = &template.imports[0].name;
        assert_eq!(
            name.resolve(|it| (it == "Prefix").then(|| "app".to_owned())),
            Ok("app-vpc-vpc".to_owned())
        );
        assert_eq!(name.resolve(|_| None), Err("Prefix".to_owned()));
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        assert_eq!(Template::parse(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_is_not_a_template_is_refused() {
        check_refused("- 1", "line 1: the template must be a mapping");
        check_refused("Description: x", "line 1: the template has no resources");
        check_refused("Resources: 1", "line 1: section \"Resources\" must be a mapping");
        check_refused("Resources:\n  A: {}", "line 2: resource \"A\" has no type");
        check_refused(
            "Resources: { A: { Type: T } }\nOutputs:\n  O: {}",
            "line 3: output \"O\" has no value",
        );
        check_refused(
            "Resources: { A: { Type: T, Properties: { X: !ImportValue { 'Fn::Join': ['', [a]] } } } }",
            &format!("line 1: the import {UNREADABLE_NAME}"),
        );
        assert_eq!(Template::parse("a: [").unwrap_err().to_string(), "not a YAML template");
    }
}
