//! A tree of nodes to YAML again: what is sent to CloudFormation, in little space, without comments and without what only
//! checkers read.
//!
//! Reading it gives the same tree: values, their types and the order of keys stay. It stays readable, too, since the console
//! shows what was sent. Whatever a parser of YAML 1.1 may take for something else is quoted.

use std::{fmt::Write, iter::repeat_n};

use indexmap::IndexMap;
use serde_json::Value;

use crate::{
    intrinsic::Function,
    yaml::{self, Data, Entry, Node, YamlError},
};

/// Collections that fit into a line of this many characters are written in one.
const WIDTH: usize = 300;

/// Keys of `Metadata` that are comments for checkers.
const CHECKERS: [&str; 2] = ["cfn-lint", "checkov"];

/// A template as it is sent.
///
/// # Errors
/// When the text is not YAML as CloudFormation takes it.
pub fn compact(text: &str) -> Result<String, YamlError> {
    yaml::parse(text).map(|root| sent(&root))
}

/// The same of a tree.
pub fn sent(root: &Node) -> String {
    to_yaml(&without_checkers(root))
}

/// The tree without metadata that no part of CloudFormation reads, of the template and of each resource.
fn without_checkers(root: &Node) -> Node {
    let mut root = root.clone();
    strip(&mut root);
    if let Data::Map(sections) = &mut root.data
        && let Some(Entry { node: Node { data: Data::Map(resources), .. }, .. }) =
            sections.get_mut("Resources")
    {
        resources.values_mut().for_each(|it| strip(&mut it.node));
    }
    root
}

fn strip(node: &mut Node) {
    let Data::Map(entries) = &mut node.data else { return };
    let Some(Entry { node: Node { data: Data::Map(metadata), .. }, .. }) = entries.get_mut("Metadata") else {
        return;
    };
    metadata.retain(|key, _| !CHECKERS.contains(&key.as_str()));
    if metadata.is_empty() {
        entries.shift_remove("Metadata");
    }
}

/// The tree as a document.
pub fn to_yaml(root: &Node) -> String {
    let mut out = String::new();
    match &root.data {
        Data::Map(entries) if !entries.is_empty() => write_entries(&mut out, entries, 0, false),
        Data::List(elements) if !elements.is_empty() => write_elements(&mut out, elements, 0),
        _ => write_value(&mut out, root, 0, false),
    }
    let mut text = out.trim_start_matches(['\n', ' ']).to_owned();
    text.push('\n');
    text
}

fn new_line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(repeat_n(' ', indent));
}

/// Writes every entry on a line of its own; the first one on the line that is open, after a dash.
fn write_entries(out: &mut String, entries: &IndexMap<String, Entry>, indent: usize, is_open: bool) {
    for (position, (key, entry)) in entries.iter().enumerate() {
        write_entry(out, key, &entry.node, indent, is_open && position == 0);
    }
}

fn write_entry(out: &mut String, key: &str, node: &Node, indent: usize, is_open: bool) {
    if is_open {
        out.push(' ');
    } else {
        new_line(out, indent);
    }
    out.push_str(&line_scalar(key));
    out.push(':');
    write_value(out, node, indent, false);
}

fn write_elements(out: &mut String, elements: &[Node], indent: usize) {
    for element in elements {
        new_line(out, indent);
        out.push('-');
        write_value(out, element, indent, true);
    }
}

/// Writes a value after the key or the dash that stands at `indent`.
fn write_value(out: &mut String, node: &Node, indent: usize, after_dash: bool) {
    if let Some(text) = on_the_line(node) {
        out.push(' ');
        out.push_str(&text);
        return;
    }
    let inner = indent + if after_dash { 2 } else { 1 };
    match &node.data {
        Data::Scalar(Value::String(text)) => write_literal(out, text, indent),
        Data::Scalar(other) => {
            let _ = write!(out, " {other}");
        }
        // A list may stand right below its key, and not below a dash.
        Data::List(elements) => write_elements(out, elements, if after_dash { indent + 1 } else { indent }),
        Data::Map(entries) => write_entries(out, entries, inner, after_dash),
        Data::Call(function, argument) if takes_tag(*function, argument) => {
            let _ = write!(out, " !{}", function.short_name());
            match &argument.data {
                Data::List(elements) => write_elements(out, elements, indent + 1),
                Data::Map(entries) => write_entries(out, entries, indent + 1, false),
                _ => write_value(out, argument, indent, false),
            }
        }
        Data::Call(function, argument) => {
            write_entry(out, function.long_name(), argument, inner, after_dash);
        }
    }
}

/// Lines of text as they are, where the text allows it.
fn write_literal(out: &mut String, text: &str, indent: usize) {
    let (body, mark) = match text.strip_suffix('\n') {
        Some(body) => (body, "|"),
        None => (text, "|-"),
    };
    let is_plain = |line: &str| line.is_empty() || !line.trim().is_empty();
    let fits = !body.is_empty()
        && !body.starts_with(['\n', ' ', '\t'])
        && !body.ends_with('\n')
        && body.lines().all(is_plain)
        && body.chars().all(|it| it == '\n' || it == '\t' || is_printable(it));
    if !fits {
        let _ = write!(out, " {}", quoted(text));
        return;
    }
    let _ = write!(out, " {mark}");
    for line in body.split('\n') {
        match line {
            "" => out.push('\n'),
            line => {
                new_line(out, indent + 1);
                out.push_str(line);
            }
        }
    }
}

/// A function's short form is a tag, and a node has one tag at most. The functions of rules are documented by long name only.
fn takes_tag(function: Function, argument: &Node) -> bool {
    let by_name_only = matches!(
        function,
        Function::Contains
            | Function::EachMemberEquals
            | Function::EachMemberIn
            | Function::RefAll
            | Function::ValueOf
            | Function::ValueOfAll
            | Function::Transform
    );
    let is_text = !matches!(&argument.data, Data::Scalar(it) if !it.is_string());
    !by_name_only && is_text && !matches!(argument.data, Data::Call(..))
}

/// The value as the rest of a line, when it is short enough for one.
fn on_the_line(node: &Node) -> Option<String> {
    match &node.data {
        Data::Scalar(Value::String(text)) => (!text.contains('\n')).then(|| line_scalar(text)),
        Data::Call(function, argument) if takes_tag(*function, argument) && argument.as_str().is_some() => {
            Some(format!("!{} {}", function.short_name(), on_the_line(argument)?))
        }
        _ => flow(node).filter(|it| it.len() <= WIDTH),
    }
}

/// The value in one line, with brackets; nothing when a text in it has lines.
fn flow(node: &Node) -> Option<String> {
    let list = |elements: &[Node]| {
        let elements: Option<Vec<String>> = elements.iter().map(flow).collect();
        Some(format!("[{}]", elements?.join(",")))
    };
    let entry = |key: &str, node: &Node| Some(format!("{}: {}", flow_scalar(key), flow(node)?));
    match &node.data {
        Data::Scalar(Value::String(text)) => (!text.contains('\n')).then(|| flow_scalar(text)),
        Data::Scalar(other) => Some(other.to_string()),
        Data::List(elements) => list(elements),
        Data::Map(entries) => {
            let entries: Option<Vec<String>> = entries.iter().map(|(key, it)| entry(key, &it.node)).collect();
            Some(format!("{{{}}}", entries?.join(",")))
        }
        Data::Call(function, argument) if takes_tag(*function, argument) => {
            Some(format!("!{} {}", function.short_name(), flow(argument)?))
        }
        Data::Call(function, argument) => Some(format!("{{{}}}", entry(function.long_name(), argument)?)),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn is_printable(it: char) -> bool {
    matches!(it, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && !matches!(it, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Words that some version of YAML takes for a value of another type.
const RESERVED: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "none"];

fn is_word(text: &str) -> bool {
    !RESERVED.contains(&text.to_ascii_lowercase().as_str()) && !text.ends_with(' ')
}

/// Text inside of brackets.
fn flow_scalar(text: &str) -> String {
    let is_plain = text.starts_with(|it: char| it.is_ascii_alphabetic())
        && text.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '.' | '/' | '-' | ' '))
        && is_word(text);
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// Text up to the end of a line.
fn line_scalar(text: &str) -> String {
    let is_plain = text.starts_with(|it: char| it.is_ascii_alphabetic() || matches!(it, '$' | '^' | '/'))
        && text.chars().all(is_printable)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && is_word(text);
    if is_plain { text.to_owned() } else { quoted(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Stack, yaml::Place};

    #[track_caller]
    fn survives(root: &Node) {
        let text = to_yaml(root);
        let again = yaml::parse(&text).unwrap_or_else(|err| panic!("{err}\n{text}"));
        assert_eq!(again.to_json(), root.to_json(), "{text}");
    }

    #[test]
    fn what_is_sent_says_what_the_templates_say() {
        for stack in Stack::ALL {
            let root = yaml::parse(stack.template_text()).unwrap();
            survives(&root);
            // What is left out is of no consequence: everything that this crate knows of a template is the same.
            let (before, after) = (&root.to_json(), yaml::parse(&sent(&root)).unwrap().to_json());
            for section in
                before.as_object().unwrap().keys().filter(|it| *it != "Metadata" && *it != "Resources")
            {
                assert_eq!(before[section], after[section], "{stack} {section}");
            }
            let shown = "AWS::CloudFormation::Interface";
            assert_eq!(before["Metadata"][shown], after["Metadata"][shown]);
            for (name, resource) in before["Resources"].as_object().unwrap() {
                let mut resource = resource.clone();
                if let Some(it) = resource.as_object_mut() {
                    it.remove("Metadata");
                }
                assert_eq!(after["Resources"][name], resource, "{stack} {name}");
            }
            let (n_before, n_after) = (stack.template_text().len(), sent(&root).len());
            assert!(n_after * 10 < n_before * 9, "{stack} goes from {n_before} to {n_after} bytes only");
        }
    }

    #[test]
    fn it_stays_readable() {
        let text = "\
# A comment.
Resources:
    A:
        Type: AWS::EC2::LaunchTemplate
        Properties:   # another
            UserData:
                Fn::Base64: !Sub |
                    #!/bin/bash
                    # stays

                    echo ${AWS::Region}
            Tags: [{ Key: Name, Value: !Sub '${AWS::StackName}-a' }, { Key: 'on', Value: '1' }]
            Vpc: { 'Fn::ImportValue': !Sub '${Prefix}-vpc' }
";
        let expected = "\
Resources:
 A:
  Type: AWS::EC2::LaunchTemplate
  Properties:
   UserData:
    Fn::Base64: !Sub |
     #!/bin/bash
     # stays

     echo ${AWS::Region}
   Tags: [{Key: Name,Value: !Sub \"${AWS::StackName}-a\"},{Key: \"on\",Value: \"1\"}]
   Vpc: {\"Fn::ImportValue\": !Sub \"${Prefix}-vpc\"}
";
        assert_eq!(compact(text).unwrap(), expected);
    }

    fn node(data: Data) -> Node {
        Node { place: Place { line: 1, column: 1 }, data }
    }

    /// Texts that YAML gives a meaning, among ordinary ones.
    fn text() -> impl Strategy<Value = String> {
        let odd = prop::sample::select(vec![
            "",
            " ",
            "yes",
            "No",
            "null",
            "~",
            "1",
            "0x1f",
            "1e3",
            "2012-10-17",
            "12:30",
            "- a",
            "# no",
            "a # b",
            "a: b",
            "a:",
            ": a",
            "!Ref A",
            "&a",
            "*a",
            "{a}",
            "[a]",
            "a, b",
            "'a'",
            "\"a\"",
            "a\nb",
            "a\nb\n",
            "\na",
            " a\nb",
            "a\n\n",
            "a\n  b\n\nc",
            "a\n \nb",
            "a\tb",
            "\u{1}",
            "é ü",
            "%a",
            "@a",
            "`a",
            "| a",
            "> a",
            "?",
            "? a",
            "a ",
            "AWS::NoValue",
            "${A}:${B}",
            "---",
            "...",
            "=",
            "<<",
            ".inf",
            "a\r\nb",
            "\u{85}",
            "\u{2028}",
        ])
        .prop_map(str::to_owned);
        prop_oneof![odd, "[ -~]{0,12}", "[a-z \n#:-]{0,20}", any::<String>()]
    }

    fn tree() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            text().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            Just(Value::Null),
        ]
        .prop_map(|it| node(Data::Scalar(it)));
        let functions = prop::sample::select(vec![
            Function::Ref,
            Function::Sub,
            Function::If,
            Function::ImportValue,
            Function::Contains,
            Function::Condition,
            Function::Base64,
        ]);
        leaf.prop_recursive(5, 60, 5, move |inner| {
            let entry = |it: Node| Entry { place: it.place, node: it };
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(|it| node(Data::List(it))),
                prop::collection::vec((text(), inner.clone()), 0..5)
                    .prop_map(move |it| it.into_iter().map(|(key, it)| (key, entry(it))).collect())
                    .prop_map(|it: IndexMap<String, Entry>| node(Data::Map(it))),
                (functions.clone(), inner).prop_map(|(function, argument)| {
                    // An argument that is no collection is text, however it is written.
                    let argument = match argument.data {
                        Data::Scalar(it) if !it.is_string() => node(Data::Scalar(Value::from("x"))),
                        _ => argument,
                    };
                    node(Data::Call(function, Box::new(argument)))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_tree_survives(root in tree()) {
            survives(&root);
        }
    }
}
