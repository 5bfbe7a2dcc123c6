//! `Fn::ForEach` over a literal list, as `AWS::LanguageExtensions` expands it.
//!
//! Expansion happens on the tree, so that everything later sees ordinary resources. A made resource keeps the place of the
//! body it came from.

use indexmap::IndexMap;
use serde_json::Value;

use super::TemplateError;
use crate::{
    intrinsic::Function,
    yaml::{Data, Entry, Node, Place},
};

const PREFIX: &str = "Fn::ForEach::";

/// The entries with every loop replaced by what it makes.
pub(super) fn expand(entries: &IndexMap<String, Entry>) -> Result<IndexMap<String, Entry>, TemplateError> {
    let mut expanded = IndexMap::new();
    for (key, entry) in entries {
        let made = match key.strip_prefix(PREFIX) {
            None => vec![(key.clone(), entry.clone())],
            Some(name) => run(name, entry)?,
        };
        for (key, entry) in made {
            let place = entry.place;
            if expanded.insert(key.clone(), entry).is_some() {
                return Err(TemplateError::at(place, format!("resource \"{key}\""), "is made twice"));
            }
        }
    }
    Ok(expanded)
}

fn run(name: &str, entry: &Entry) -> Result<Vec<(String, Entry)>, TemplateError> {
    let fail = |place: Place, reason: &str| TemplateError::at(place, format!("loop \"{name}\""), reason);
    let Some([identifier, collection, body]) = entry.node.as_list() else {
        return Err(fail(entry.place, "must have an identifier, a collection and a body"));
    };
    let identifier =
        identifier.as_str().ok_or_else(|| fail(identifier.place, "must have a name as identifier"))?;
    let values = collection
        .as_list()
        .and_then(|it| it.iter().map(Node::as_str).collect::<Option<Vec<_>>>())
        .ok_or_else(|| fail(collection.place, "must run over a list of strings that is written out"))?;
    let body = body.as_map().ok_or_else(|| fail(body.place, "must have a mapping as body"))?;
    let loop_ = Loop { identifier };
    Ok(values
        .iter()
        .flat_map(|value| {
            body.iter().map(|(key, entry)| (loop_.fill_text(key, value), loop_.fill_entry(entry, value)))
        })
        .collect())
}

struct Loop<'a> {
    identifier: &'a str,
}

impl Loop<'_> {
    /// `${X}` is the value, `&{X}` the value without anything but letters and digits.
    fn fill_text(&self, text: &str, value: &str) -> String {
        let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
        text.replace(&format!("${{{}}}", self.identifier), value)
            .replace(&format!("&{{{}}}", self.identifier), &plain)
    }

    fn fill_entry(&self, entry: &Entry, value: &str) -> Entry {
        Entry { place: entry.place, node: self.fill(&entry.node, value) }
    }

    fn fill(&self, node: &Node, value: &str) -> Node {
        let data = match &node.data {
            Data::Scalar(Value::String(text)) => Data::Scalar(Value::String(self.fill_text(text, value))),
            Data::Scalar(other) => Data::Scalar(other.clone()),
            Data::List(elements) => Data::List(elements.iter().map(|it| self.fill(it, value)).collect()),
            Data::Map(entries) => Data::Map(
                entries
                    .iter()
                    .map(|(key, entry)| (self.fill_text(key, value), self.fill_entry(entry, value)))
                    .collect(),
            ),
            Data::Call(Function::Ref, argument) if argument.as_str() == Some(self.identifier) => {
                Data::Scalar(Value::String(value.to_owned()))
            }
            Data::Call(function, argument) => Data::Call(*function, Box::new(self.fill(argument, value))),
        };
        Node { place: node.place, data }
    }
}

#[cfg(test)]
mod tests {
    use crate::Template;

    #[track_caller]
    fn check_refused(loop_: &str, expected: &str) {
        let text = format!("Resources:\n  Fn::ForEach::L: {loop_}\n");
        assert_eq!(Template::parse(&text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn malformed_loops_are_refused() {
        check_refused("[X, [a]]", "line 2: loop \"L\" must have an identifier, a collection and a body");
        check_refused("[[X], [a], {}]", "line 2: loop \"L\" must have a name as identifier");
        check_refused(
            "[X, !Ref P, {}]",
            "line 2: loop \"L\" must run over a list of strings that is written out",
        );
        check_refused("[X, [a], 1]", "line 2: loop \"L\" must have a mapping as body");
        check_refused("[X, [a, b], { Same: { Type: T } }]", "line 2: resource \"Same\" is made twice");
    }
}
