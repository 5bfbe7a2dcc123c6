//! YAML text to a tree of [`Node`]s that keeps places and CloudFormation's short tags.
//!
//! Owns the syntax only: a tag becomes a [`Function`] here, but whether its argument makes sense is not decided here.
//! What CloudFormation refuses — aliases, duplicate keys, several documents — is refused with the line.

use indexmap::IndexMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Number, Value};

use crate::intrinsic::Function;

/// Nesting that no sensible template reaches; deeper input is refused before it can exhaust the stack of a walk.
const MAX_DEPTH: usize = 100;

/// A place in a template, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value starts.
    pub place: Place,
    /// The value.
    pub data: Data,
}

/// The value of a [`Node`].
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Null, boolean, number or string; never a JSON array or object.
    Scalar(Value),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the text.
    Map(IndexMap<String, Entry>),
    /// An intrinsic function and its argument, from `!Ref x` as well as from `{ Ref: x }`.
    Call(Function, Box<Node>),
}

/// A key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub node: Node,
}

/// Why a text is not a tree of nodes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {reason}", place.line, place.column)]
pub struct YamlError {
    /// Where it was noticed.
    pub place: Place,
    /// What is wrong, with the way out where it is not obvious.
    pub reason: String,
}

impl Node {
    /// The text of a string scalar.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn as_map(&self) -> Option<&IndexMap<String, Entry>> {
        match &self.data {
            Data::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The elements of a sequence.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.data {
            Data::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key).map(|it| &it.node)
    }

    /// The value behind a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Calls `visit` for this node and everything below it, outside first.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        match &self.data {
            Data::Scalar(_) => {}
            Data::List(elements) => elements.iter().for_each(|it| it.walk(visit)),
            Data::Map(entries) => entries.values().for_each(|it| it.node.walk(visit)),
            Data::Call(_, argument) => argument.walk(visit),
        }
    }

    /// The same value as JSON, with intrinsic functions in their long form.
    pub fn to_json(&self) -> Value {
        match &self.data {
            Data::Scalar(value) => value.clone(),
            Data::List(elements) => elements.iter().map(Node::to_json).collect(),
            Data::Map(entries) => entries.iter().map(|(key, it)| (key.clone(), it.node.to_json())).collect(),
            Data::Call(function, argument) => [(function.long_name().to_owned(), argument.to_json())]
                .into_iter()
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// Parses one YAML document.
///
/// # Errors
/// Syntax errors, aliases and anchors, duplicate or non-scalar keys, unknown tags, more or less than one document.
pub fn parse(text: &str) -> Result<Node, YamlError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|err| YamlError {
            place: Place { line: err.marker().line(), column: err.marker().col() + 1 },
            reason: err.info().to_owned(),
        })?;
        builder.take(event, Place { line: span.start.line(), column: span.start.col() + 1 })?;
    }
    builder.finish()
}

/// A collection that is still open.
enum Open {
    List {
        place: Place,
        function: Option<Function>,
        elements: Vec<Node>,
    },
    Map {
        place: Place,
        function: Option<Function>,
        entries: IndexMap<String, Entry>,
        key: Option<(String, Place)>,
    },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), YamlError> {
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Alias(_) => {
                refuse(place, "CloudFormation does not support YAML aliases; repeat the value")
            }
            Event::Scalar(text, style, anchor, tag) => {
                no_anchor(anchor, place)?;
                let function = function_of(tag.as_deref(), place)?;
                let value = match (style, &function) {
                    // `!Ref 1` names something called "1", so the argument of a function is text.
                    (ScalarStyle::Plain, None) => plain_scalar(&text),
                    _ => Value::String(text.into_owned()),
                };
                self.add(call(function, Node { place, data: Data::Scalar(value) }))
            }
            Event::SequenceStart(anchor, tag) => {
                no_anchor(anchor, place)?;
                let function = function_of(tag.as_deref(), place)?;
                self.enter(Open::List { place, function, elements: Vec::new() }, place)
            }
            Event::MappingStart(anchor, tag) => {
                no_anchor(anchor, place)?;
                let function = function_of(tag.as_deref(), place)?;
                self.enter(Open::Map { place, function, entries: IndexMap::new(), key: None }, place)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.open.pop() {
                    Some(Open::List { place, function, elements }) => {
                        call(function, Node { place, data: Data::List(elements) })
                    }
                    Some(Open::Map { place, function, entries, .. }) => {
                        call(function, long_form(place, entries))
                    }
                    None => return refuse(place, "a collection ends that was never opened"),
                };
                self.add(node)
            }
        }
    }

    fn enter(&mut self, open: Open, place: Place) -> Result<(), YamlError> {
        if self.open.len() == MAX_DEPTH {
            return refuse(place, "nested too deeply");
        }
        self.open.push(open);
        Ok(())
    }

    fn add(&mut self, node: Node) -> Result<(), YamlError> {
        let place = node.place;
        match self.open.last_mut() {
            None if self.root.is_some() => refuse(place, "a template is one YAML document, this is a second"),
            None => {
                self.root = Some(node);
                Ok(())
            }
            Some(Open::List { elements, .. }) => {
                elements.push(node);
                Ok(())
            }
            Some(Open::Map { entries, key, .. }) => match key.take() {
                None => {
                    let Data::Scalar(value) = node.data else {
                        return refuse(place, "a key must be a string");
                    };
                    let name = match value {
                        Value::String(text) => text,
                        other => other.to_string(),
                    };
                    if entries.contains_key(&name) {
                        return refuse(place, format!("duplicate key \"{name}\""));
                    }
                    *key = Some((name, place));
                    Ok(())
                }
                Some((name, place)) => {
                    entries.insert(name, Entry { place, node });
                    Ok(())
                }
            },
        }
    }

    fn finish(self) -> Result<Node, YamlError> {
        self.root.ok_or_else(|| YamlError {
            place: Place { line: 1, column: 1 },
            reason: "the file is empty".into(),
        })
    }
}

fn refuse<T>(place: Place, reason: impl Into<String>) -> Result<T, YamlError> {
    Err(YamlError { place, reason: reason.into() })
}

fn no_anchor(anchor: usize, place: Place) -> Result<(), YamlError> {
    if anchor == 0 {
        Ok(())
    } else {
        refuse(place, "CloudFormation does not support YAML anchors; repeat the value")
    }
}

fn function_of(tag: Option<&Tag>, place: Place) -> Result<Option<Function>, YamlError> {
    let Some(tag) = tag else { return Ok(None) };
    if tag.handle == "!"
        && let Some(function) = Function::from_short_name(&tag.suffix)
    {
        return Ok(Some(function));
    }
    refuse(place, format!("unknown tag \"{}{}\"", tag.handle, tag.suffix))
}

fn call(function: Option<Function>, node: Node) -> Node {
    match function {
        None => node,
        Some(function) => Node { place: node.place, data: Data::Call(function, Box::new(node)) },
    }
}

/// A mapping, or the call that a mapping with a single key such as `Fn::Sub` stands for.
fn long_form(place: Place, mut entries: IndexMap<String, Entry>) -> Node {
    if entries.len() == 1
        && let Some(function) = entries.keys().next().and_then(|it| Function::from_long_name(it))
        && let Some((_, entry)) = entries.shift_remove_index(0)
    {
        return Node { place, data: Data::Call(function, Box::new(entry.node)) };
    }
    Node { place, data: Data::Map(entries) }
}

/// The types that CloudFormation gives an unquoted scalar.
fn plain_scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|it: char| it.is_ascii_digit() || it == '-') {
        return None;
    }
    text.parse::<i64>().map(Number::from).ok().or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_json(text: &str, expected: &str) {
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(parse(text).unwrap().to_json(), expected, "{text}");
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn short_and_long_form_are_the_same_call() {
        check_json("!Ref Vpc", r#"{"Ref":"Vpc"}"#);
        check_json("Ref: Vpc", r#"{"Ref":"Vpc"}"#);
        check_json("!GetAtt Vpc.CidrBlock", r#"{"Fn::GetAtt":"Vpc.CidrBlock"}"#);
        check_json(
            "!If [Public, a, !Ref 'AWS::NoValue']",
            r#"{"Fn::If":["Public","a",{"Ref":"AWS::NoValue"}]}"#,
        );
        check_json(
            "Fn::ImportValue: !Sub ${Prefix}-vpc",
            r#"{"Fn::ImportValue":{"Fn::Sub":"${Prefix}-vpc"}}"#,
        );
        assert_eq!(parse("!Ref Vpc").unwrap().data, parse("{ Ref: Vpc }").unwrap().data.clone_call_at(1, 1));
    }

    impl Data {
        /// The argument's place differs between the forms; the test compares everything else.
        fn clone_call_at(&self, line: usize, column: usize) -> Data {
            let Data::Call(function, argument) = self else { panic!("not a call: {self:?}") };
            Data::Call(*function, Box::new(Node { place: Place { line, column }, ..(**argument).clone() }))
        }
    }

    #[test]
    fn scalars_get_the_types_of_json() {
        check_json(
            r#"[1, -2, 1.5, true, ~, "1", 'true', 0.1.0, 02:00-03:00, 2010-09-09, yes]"#,
            r#"[1,-2,1.5,true,null,"1","true","0.1.0","02:00-03:00","2010-09-09","yes"]"#,
        );
        check_json("!Ref 1", r#"{"Ref":"1"}"#);
    }

    #[test]
    fn nodes_know_their_place() {
        let root = parse("Resources:\n  Vpc:\n    Type: AWS::EC2::VPC\n").unwrap();
        let entry = &root.get("Resources").unwrap().as_map().unwrap()["Vpc"];
        assert_eq!(entry.place, Place { line: 2, column: 3 });
        assert_eq!(root.at(&["Resources", "Vpc", "Type"]).unwrap().place, Place { line: 3, column: 11 });
    }

    #[test]
    fn what_cloudformation_refuses_is_refused_with_its_place() {
        check_refused(
            "a: &x 1\nb: *x",
            "line 1, column 4: CloudFormation does not support YAML anchors; repeat the value",
        );
        check_refused("a: 1\na: 2", "line 2, column 1: duplicate key \"a\"");
        check_refused("a: !Nope 1", "line 1, column 4: unknown tag \"!Nope\"");
        check_refused(
            "a: 1\n---\nb: 1",
            "line 3, column 1: a template is one YAML document, this is a second",
        );
        check_refused("", "line 1, column 1: the file is empty");
        check_refused("[a]: 1", "line 1, column 1: a key must be a string");
        assert!(parse("a: [1").unwrap_err().to_string().starts_with("line "));
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        assert_eq!(parse(&"[".repeat(MAX_DEPTH + 1)).unwrap_err().reason, "nested too deeply");
        assert!(parse(&"- ".repeat(50_000)).is_err());
    }
}
