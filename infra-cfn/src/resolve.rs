//! Fills parameter values into a template and evaluates its functions, as far as that can be done without AWS.
//!
//! What only a deployment knows — physical ids, attributes, imports of other stacks — becomes a plausible stand-in, so that
//! checks can look at a policy, a port or a script as it will be. `Fn::Base64` is left out: its text is what readers want.

use std::{cell::RefCell, collections::BTreeMap};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::{
    Template,
    intrinsic::{Function, Segment, segments},
    yaml::{Data, Node, Place},
};

/// Region of the stand-ins.
pub const REGION: &str = "us-east-1";
/// Tells a stand-in from what a template says itself.
pub const MARK: char = '\u{fffc}';
/// Account of the stand-ins.
pub const ACCOUNT: &str = "123456789012";

/// Values for one evaluation of a template.
#[derive(Debug)]
pub struct Scope<'a> {
    template: &'a Template,
    stack_name: String,
    /// Region and account, when they are known.
    home: Option<(String, String)>,
    parameters: BTreeMap<String, String>,
    /// Whether what only a deployment knows ends with [`MARK`].
    marks: bool,
    /// Conditions under evaluation, to notice one that asks for itself.
    asking: RefCell<Vec<String>>,
}

/// Why a template cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {}: {reason}", place.line)]
pub struct ResolveError {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub reason: String,
}

/// A resource with its values filled in.
#[derive(Debug, Clone)]
pub struct ResolvedResource {
    /// Where it stands.
    pub place: Place,
    /// Type.
    pub kind: String,
    /// Properties, without those that are `AWS::NoValue`.
    pub properties: Value,
}

impl<'a> Scope<'a> {
    /// A scope with the defaults of the parameters.
    pub fn new(template: &'a Template, stack_name: impl Into<String>) -> Self {
        let parameters = template
            .parameters
            .iter()
            .map(|(name, it)| {
                let stand_in = it.default.clone().unwrap_or_else(|| name.clone());
                // The default of such a parameter is the name of a value, not the value.
                (
                    name.clone(),
                    if it.kind.contains("AWS::EC2::Image::Id") {
                        "ami-0123456789abcdef0".into()
                    } else {
                        stand_in
                    },
                )
            })
            .collect();
        Self {
            template,
            stack_name: stack_name.into(),
            home: None,
            parameters,
            marks: false,
            asking: RefCell::default(),
        }
    }

    /// The same in a region of an account, whose zones are then not guessed.
    #[must_use]
    pub fn at(mut self, region: impl Into<String>, account: impl Into<String>) -> Self {
        self.home = Some((region.into(), account.into()));
        self
    }

    fn region(&self) -> &str {
        self.home.as_ref().map_or(REGION, |(region, _)| region)
    }

    fn account(&self) -> &str {
        self.home.as_ref().map_or(ACCOUNT, |(_, account)| account)
    }

    /// The same, where every text made of something that only a deployment knows holds a [`MARK`].
    #[must_use]
    pub fn marking(mut self) -> Self {
        self.marks = true;
        self
    }

    fn stand_in(&self, mut text: String) -> String {
        if self.marks {
            text.push(MARK);
        }
        text
    }

    /// The same with another value for a parameter.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// The resources whose condition holds.
    ///
    /// # Errors
    /// Unknown names, wrong arguments, conditions that ask for themselves.
    pub fn resources(&self) -> Result<IndexMap<String, ResolvedResource>, ResolveError> {
        let mut resolved = IndexMap::new();
        for (name, resource) in &self.template.resources {
            let exists =
                resource.condition.as_ref().map_or(Ok(true), |it| self.condition(it, resource.place))?;
            if exists {
                let properties = self.value(&resource.properties)?.unwrap_or(Value::Null);
                let resolved_resource =
                    ResolvedResource { place: resource.place, kind: resource.kind.clone(), properties };
                resolved.insert(name.clone(), resolved_resource);
            }
        }
        Ok(resolved)
    }

    /// The value of a node; nothing for `AWS::NoValue`.
    ///
    /// # Errors
    /// See [`Scope::resources`].
    pub fn value(&self, node: &Node) -> Result<Option<Value>, ResolveError> {
        Ok(match &node.data {
            Data::Scalar(value) => Some(value.clone()),
            Data::List(elements) => Some(Value::Array(self.values(elements)?)),
            Data::Map(entries) => {
                let mut map = Map::new();
                for (key, entry) in entries {
                    if let Some(value) = self.value(&entry.node)? {
                        map.insert(key.clone(), value);
                    }
                }
                Some(Value::Object(map))
            }
            Data::Call(function, argument) => self.call(*function, argument)?,
        })
    }

    fn values(&self, nodes: &[Node]) -> Result<Vec<Value>, ResolveError> {
        nodes.iter().filter_map(|it| self.value(it).transpose()).collect()
    }

    fn call(&self, function: Function, argument: &Node) -> Result<Option<Value>, ResolveError> {
        let value = match function {
            Function::Ref => return self.reference(&self.text(argument)?, argument.place),
            Function::GetAtt => self.attribute_of(argument)?,
            Function::Sub => self.substitute(argument)?,
            Function::ImportValue => Value::String(self.stand_in(import_stand_in(&self.text(argument)?))),
            Function::Base64 => return self.value(argument),
            Function::If => {
                let [condition, yes, no] = self.arguments(argument)?;
                let holds = self.condition(&self.text(condition)?, condition.place)?;
                return self.value(if holds { yes } else { no });
            }
            Function::Equals | Function::And | Function::Or | Function::Not | Function::Condition => {
                Value::Bool(self.test(function, argument)?)
            }
            Function::FindInMap => self.find_in_map(argument)?,
            Function::Join => {
                let [separator, parts] = self.arguments(argument)?;
                let parts = self.list(parts)?.iter().map(text_of).collect::<Vec<_>>();
                Value::String(parts.join(&self.text(separator)?))
            }
            Function::Split => {
                let [separator, text] = self.arguments(argument)?;
                let (separator, text) = (self.text(separator)?, self.text(text)?);
                text.split(&separator).map(Value::from).collect()
            }
            Function::Select => {
                let [index, list] = self.arguments(argument)?;
                let position = self
                    .text(index)?
                    .parse::<usize>()
                    .map_err(|_| error(index.place, "an index must be a number"))?;
                let list = self.list(list)?;
                list.get(position)
                    .cloned()
                    .ok_or_else(|| error(index.place, format!("the list has no element {position}")))?
            }
            Function::GetAzs => {
                let name = |zone: &&str| format!("{}{zone}", self.region());
                let known = |it: String| if self.home.is_some() { self.stand_in(it) } else { it };
                ["a", "b", "c"].iter().map(|zone| Value::from(known(name(zone)))).collect()
            }
            Function::Cidr => self.cidr(argument)?,
            Function::Length => Value::from(self.list(argument)?.len()),
            Function::ToJsonString => Value::String(self.value(argument)?.unwrap_or(Value::Null).to_string()),
            other => {
                return Err(error(argument.place, format!("{} is not supported here", other.long_name())));
            }
        };
        Ok(Some(value))
    }

    fn condition(&self, name: &str, place: Place) -> Result<bool, ResolveError> {
        let node = self
            .template
            .conditions
            .get(name)
            .ok_or_else(|| error(place, format!("unknown condition \"{name}\"")))?;
        if self.asking.borrow().iter().any(|it| it == name) {
            return Err(error(place, format!("condition \"{name}\" asks for itself")));
        }
        self.asking.borrow_mut().push(name.to_owned());
        let holds = self.truth(node);
        self.asking.borrow_mut().pop();
        holds
    }

    fn truth(&self, node: &Node) -> Result<bool, ResolveError> {
        match &node.data {
            Data::Call(function, argument) => self.test(*function, argument),
            _ => Err(error(node.place, "a condition must be a function")),
        }
    }

    fn test(&self, function: Function, argument: &Node) -> Result<bool, ResolveError> {
        let all = || argument.as_list().ok_or_else(|| error(argument.place, "expects a list of conditions"));
        match function {
            Function::Condition => self.condition(&self.text(argument)?, argument.place),
            Function::Equals => {
                let [left, right] = self.arguments(argument)?;
                Ok(self.text(left)? == self.text(right)?)
            }
            Function::And => all()?.iter().try_fold(true, |so_far, it| Ok(so_far & self.truth(it)?)),
            Function::Or => all()?.iter().try_fold(false, |so_far, it| Ok(so_far | self.truth(it)?)),
            Function::Not => {
                let [it] = self.arguments(argument)?;
                Ok(!self.truth(it)?)
            }
            other => Err(error(argument.place, format!("{} is no condition", other.long_name()))),
        }
    }

    fn arguments<'n, const N: usize>(&self, node: &'n Node) -> Result<&'n [Node; N], ResolveError> {
        let elements = node.as_list().and_then(|it| it.try_into().ok());
        elements.ok_or_else(|| error(node.place, format!("expects {N} arguments")))
    }

    /// The value as text, which it has to have.
    fn text(&self, node: &Node) -> Result<String, ResolveError> {
        match self.value(node)? {
            Some(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) => Ok(text_of(&value)),
            _ => Err(error(node.place, "expects text")),
        }
    }

    fn list(&self, node: &Node) -> Result<Vec<Value>, ResolveError> {
        match self.value(node)? {
            Some(Value::Array(elements)) => Ok(elements),
            Some(Value::String(text)) => Ok(text.split(',').map(Value::from).collect()),
            _ => Err(error(node.place, "expects a list")),
        }
    }

    fn reference(&self, name: &str, place: Place) -> Result<Option<Value>, ResolveError> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.pseudo(name).or_else(|| self.parameters.get(name).cloned()) {
            return Ok(Some(Value::String(value)));
        }
        let resource = self
            .template
            .resources
            .get(name)
            .ok_or_else(|| error(place, format!("unknown name \"{name}\"")))?;
        Ok(Some(Value::String(self.stand_in(reference_stand_in(name, &resource.kind)))))
    }

    fn pseudo(&self, name: &str) -> Option<String> {
        let stack = &self.stack_name;
        Some(match name {
            "AWS::StackName" => stack.clone(),
            "AWS::StackId" => {
                format!(
                    "arn:aws:cloudformation:{}:{}:stack/{stack}/0a1b2c3d-0000-4000-8000-0a1b2c3d4e5f",
                    self.region(),
                    self.account()
                )
            }
            "AWS::Region" => self.region().to_owned(),
            "AWS::AccountId" => self.account().to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            _ => return None,
        })
    }

    fn attribute_of(&self, argument: &Node) -> Result<Value, ResolveError> {
        let path = match argument.as_list() {
            Some(parts) => parts.iter().map(|it| self.text(it)).collect::<Result<Vec<_>, _>>()?.join("."),
            None => self.text(argument)?,
        };
        self.attribute(&path, argument.place)
    }

    fn attribute(&self, path: &str, place: Place) -> Result<Value, ResolveError> {
        let (name, attribute) = path.split_once('.').unwrap_or((path, ""));
        let resource = self
            .template
            .resources
            .get(name)
            .ok_or_else(|| error(place, format!("unknown name \"{name}\"")))?;
        Ok(Value::String(self.stand_in(match attribute {
            "Arn" => arn_stand_in(name, &resource.kind),
            other => format!("{name}.{other}"),
        })))
    }

    fn substitute(&self, argument: &Node) -> Result<Value, ResolveError> {
        let mut own = BTreeMap::new();
        let text = match argument.as_list() {
            None => self.text(argument)?,
            Some([text, variables]) => {
                for (name, entry) in variables.as_map().into_iter().flatten() {
                    own.insert(name.clone(), self.text(&entry.node)?);
                }
                self.text(text)?
            }
            Some(_) => return Err(error(argument.place, "Fn::Sub expects a text and a mapping")),
        };
        let mut result = String::new();
        for segment in segments(&text) {
            match segment {
                Segment::Literal(text) => result.push_str(&text),
                Segment::Variable(name) => match own.get(&name) {
                    Some(value) => result.push_str(value),
                    None if name.contains('.') => {
                        result.push_str(&text_of(&self.attribute(&name, argument.place)?));
                    }
                    None => {
                        let value = self.reference(&name, argument.place)?;
                        result.push_str(&value.as_ref().map(text_of).unwrap_or_default());
                    }
                },
            }
        }
        Ok(Value::String(result))
    }

    fn find_in_map(&self, argument: &Node) -> Result<Value, ResolveError> {
        let [map, top, second] = self.arguments(argument)?;
        let path = [self.text(map)?, self.text(top)?, self.text(second)?];
        let node = self.template.mappings.get(&path[0]).and_then(|it| it.at(&[&path[1], &path[2]]));
        let node = node.ok_or_else(|| {
            error(argument.place, format!("mapping \"{}\" has no \"{}\"", path[0], path[1]))
        })?;
        Ok(self.value(node)?.unwrap_or(Value::Null))
    }

    fn cidr(&self, argument: &Node) -> Result<Value, ResolveError> {
        let [block, count, bits] = self.arguments(argument)?;
        let (text, count, bits) = (self.text(block)?, self.text(count)?, self.text(bits)?);
        let parse = || {
            let (address, _) = text.split_once('/')?;
            let start = u32::from(address.parse::<std::net::Ipv4Addr>().ok()?);
            let (count, bits) = (count.parse::<u32>().ok()?, bits.parse::<u32>().ok().filter(|it| *it < 32)?);
            (0..count)
                .map(|i| {
                    let address = start.checked_add(i.checked_shl(bits)?)?;
                    Some(Value::from(format!("{}/{}", std::net::Ipv4Addr::from(address), 32 - bits)))
                })
                .collect::<Option<Value>>()
        };
        parse().ok_or_else(|| error(argument.place, "expects a block, a count and a number of bits"))
    }
}

fn error(place: Place, reason: impl Into<String>) -> ResolveError {
    ResolveError { place, reason: reason.into() }
}

/// A value as CloudFormation puts it into text.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Exports are told apart by their names here; only their form matters to a check.
fn import_stand_in(name: &str) -> String {
    if name.ends_with("-secret") {
        format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf")
    } else if name.ends_with("-volume-parameter") {
        "/postgres-as-app/volume".to_owned()
    } else {
        name.to_owned()
    }
}

fn reference_stand_in(name: &str, kind: &str) -> String {
    match kind {
        "AWS::SecretsManager::Secret" | "AWS::SNS::Topic" | "AWS::ECS::TaskDefinition" => {
            arn_stand_in(name, kind)
        }
        "AWS::EC2::Volume" => "vol-0123456789abcdef0".to_owned(),
        _ => name.to_owned(),
    }
}

fn arn_stand_in(name: &str, kind: &str) -> String {
    let (service, region, rest) = match kind {
        "AWS::S3::Bucket" => return format!("arn:aws:s3:::{}", name.to_lowercase()),
        "AWS::IAM::User" => ("iam", "", format!("user/{name}")),
        "AWS::IAM::Role" => ("iam", "", format!("role/{name}")),
        "AWS::IAM::InstanceProfile" => ("iam", "", format!("instance-profile/{name}")),
        "AWS::Logs::LogGroup" => ("logs", REGION, format!("log-group:{name}:*")),
        "AWS::ECS::Cluster" => ("ecs", REGION, format!("cluster/{name}")),
        "AWS::SecretsManager::Secret" => ("secretsmanager", REGION, format!("secret:{name}-AbCdEf")),
        "AWS::ServiceDiscovery::Service" => ("servicediscovery", REGION, format!("service/{name}")),
        other => {
            let service = other.split("::").nth(1).unwrap_or("unknown").to_lowercase();
            return format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{name}");
        }
    };
    format!("arn:aws:{service}:{region}:{ACCOUNT}:{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: &str = "\
Parameters:
  Size: { Type: Number, Default: 20 }
  Zone: { Type: String, Default: '' }
Mappings:
  Types: { small: { Arch: arm64 } }
Conditions:
  HasZone: !Not [!Equals [!Ref Zone, '']]
  Both: !And [!Condition HasZone, !Equals [!FindInMap [Types, small, Arch], arm64]]
  Loop: !Not [!Condition Loop]
Resources:
  Bucket: { Type: AWS::S3::Bucket }
  Only: { Type: T, Condition: HasZone }
";

    #[track_caller]
    fn check(scope: impl FnOnce(Scope<'_>) -> Scope<'_>, yaml: &str, expected: Result<&str, &str>) {
        let template = Template::parse(SOME).unwrap();
        let scope = scope(Scope::new(&template, "app-x"));
        let node = crate::yaml::parse(yaml).unwrap();
        let value = scope.value(&node).map(|it| it.map_or("nothing".to_owned(), |it| it.to_string()));
        assert_eq!(
            value.map_err(|it| it.reason),
            expected.map(str::to_owned).map_err(str::to_owned),
            "{yaml}"
        );
    }

    #[track_caller]
    fn gives(yaml: &str, expected: &str) {
        check(|it| it, yaml, Ok(expected));
    }

    #[test]
    fn functions_evaluate() {
        gives("!Ref Size", r#""20""#);
        gives("!Ref AWS::NoValue", "nothing");
        gives("[1, !Ref AWS::NoValue, { a: !Ref AWS::NoValue }]", "[1,{}]");
        gives("!Sub '${AWS::StackName}/${Bucket.Arn}/${!kept}'", r#""app-x/arn:aws:s3:::bucket/${kept}""#);
        gives("!Sub ['${A}-${Size}', { A: !Ref AWS::Region }]", r#""us-east-1-20""#);
        gives("!If [HasZone, a, b]", r#""b""#);
        gives("!Join ['-', [a, !Select [1, !Split ['/', 'b/c']]]]", r#""a-c""#);
        gives("!Select [1, !GetAZs '']", r#""us-east-1b""#);
        gives("!Cidr [10.0.0.0/16, 2, 8]", r#"["10.0.0.0/24","10.0.1.0/24"]"#);
        gives("Fn::Base64: !Join ['', [a, b]]", r#""ab""#);
        gives("!FindInMap [Types, small, Arch]", r#""arm64""#);
        gives("!ImportValue app-persist-volume-parameter", r#""/postgres-as-app/volume""#);
    }

    #[test]
    fn other_values_change_the_outcome() {
        check(|it| it.with("Zone", "us-east-1c"), "!If [Both, a, b]", Ok(r#""a""#));
        let template = Template::parse(SOME).unwrap();
        let names = |scope: Scope<'_>| scope.resources().unwrap().into_keys().collect::<Vec<_>>();
        assert_eq!(names(Scope::new(&template, "x")), ["Bucket"]);
        assert_eq!(names(Scope::new(&template, "x").with("Zone", "z")), ["Bucket", "Only"]);
    }

    #[test]
    fn mistakes_are_errors() {
        let fails = |yaml: &str, reason: &str| check(|it| it, yaml, Err(reason));
        fails("!Ref Nowhere", "unknown name \"Nowhere\"");
        fails("!GetAtt Nowhere.Arn", "unknown name \"Nowhere\"");
        fails("!If [Nowhere, a, b]", "unknown condition \"Nowhere\"");
        fails("!If [Loop, a, b]", "condition \"Loop\" asks for itself");
        fails("!If [HasZone, a]", "expects 3 arguments");
        fails("!Select [3, [a]]", "the list has no element 3");
        fails("!FindInMap [Types, large, Arch]", "mapping \"Types\" has no \"large\"");
        fails("!Cidr [nonsense, 2, 8]", "expects a block, a count and a number of bits");
        fails("!Transform x", "Fn::Transform is not supported here");
    }
}
