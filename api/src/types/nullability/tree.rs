//! A `pg_node_tree` as a tree.
//!
//! The text is Postgres' own: `{TAG :field value …}` is a node, `(…)` a list, `<>` nothing. A value may be of several
//! words (`4 [ 1 0 0 0 ]`); it is a list then.

use crate::schema_cache::load::node_tree::{Bracket, Token, Tokens};

/// Deeper trees are not read, so that reading them takes a bounded part of the stack. Postgres itself stops not much
/// further.
const MAX_DEPTH: usize = 1500;

/// A value of the tree.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    Nothing,
    Word(&'a str),
    List(Vec<Value<'a>>),
    Node(Node<'a>),
}

/// A node: its tag, and its fields in order.
#[derive(Debug, PartialEq)]
pub(super) struct Node<'a> {
    pub(super) tag: &'a str,
    fields: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Value<'a> {
    /// Reads a tree; `None` where the text is no whole tree, or too deep.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut open: Vec<Partial<'a>> = Vec::new();
        for token in Tokens::of(text) {
            let value = match token {
                Token::Open(_) if open.len() == MAX_DEPTH => return None,
                Token::Open(Bracket::List) => {
                    open.push(Partial::List(Vec::new()));
                    continue;
                }
                Token::Open(Bracket::Node) => {
                    open.push(Partial::Node { tag: None, fields: Vec::new() });
                    continue;
                }
                Token::Close(_) => open.pop()?.whole()?,
                Token::Word("<>", _) => Value::Nothing,
                Token::Word(word, _) => Value::Word(word),
            };
            match open.last_mut() {
                Some(partial) => partial.add(value)?,
                None => return Some(value),
            }
        }
        None
    }

    /// The elements of a list; of nothing, none.
    pub(super) fn list(&self) -> &[Value<'a>] {
        match self {
            Self::List(it) => it,
            _ => &[],
        }
    }

    pub(super) fn node(&self) -> Option<&Node<'a>> {
        match self {
            Self::Node(it) => Some(it),
            _ => None,
        }
    }

    pub(super) fn word(&self) -> Option<&'a str> {
        match self {
            Self::Word(it) => Some(it),
            _ => None,
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }

    /// Equal but for the places in the text of the query.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Self::Node(a), Self::Node(b)) => {
                a.tag == b.tag
                    && a.fields.len() == b.fields.len()
                    && (a.fields.iter().zip(&b.fields))
                        .all(|(a, b)| a.0 == b.0 && (a.0 == "location" || a.1.same(&b.1)))
            }
            (a, b) => a == b,
        }
    }
}

impl<'a> Node<'a> {
    /// The value of a field; nothing where the node does not have it.
    pub(super) fn get(&self, field: &str) -> &Value<'a> {
        self.fields.iter().find(|(name, _)| *name == field).map_or(&Value::Nothing, |(_, value)| value)
    }

    /// The values of all fields.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value<'a>> {
        self.fields.iter().map(|(_, value)| value)
    }

    /// The elements of a field that is a list.
    pub(super) fn list(&self, field: &str) -> &[Value<'a>] {
        self.get(field).list()
    }

    /// A number or object id.
    pub(super) fn number<N: std::str::FromStr>(&self, field: &str) -> Option<N> {
        self.get(field).word()?.parse().ok()
    }

    /// A flag; unset where the node does not have it.
    pub(super) fn flag(&self, field: &str) -> bool {
        self.get(field).word() == Some("true")
    }

    /// A flag that is there and unset.
    pub(super) fn is_unset(&self, field: &str) -> bool {
        self.get(field).word() == Some("false")
    }
}

/// What is being read.
enum Partial<'a> {
    List(Vec<Value<'a>>),
    Node { tag: Option<&'a str>, fields: Vec<(&'a str, Vec<Value<'a>>)> },
}

impl<'a> Partial<'a> {
    fn add(&mut self, value: Value<'a>) -> Option<()> {
        match self {
            Self::List(elements) => elements.push(value),
            Self::Node { tag: tag @ None, .. } => *tag = Some(value.word()?),
            Self::Node { fields, .. } => match (value, fields.last_mut()) {
                // What follows a field's name is its value, even where it looks like a name.
                (value, Some((_, values))) if values.is_empty() => values.push(value),
                (Value::Word(word), _) if word.starts_with(':') => fields.push((&word[1..], Vec::new())),
                (value, Some((_, values))) => values.push(value),
                (_, None) => return None,
            },
        }
        Some(())
    }

    fn whole(self) -> Option<Value<'a>> {
        match self {
            Self::List(elements) => Some(Value::List(elements)),
            Self::Node { tag, fields } => {
                let fields = fields.into_iter().map(|(name, mut values)| {
                    let value = match values.len() {
                        1 => values.pop().unwrap_or(Value::Nothing),
                        _ => Value::List(values),
                    };
                    (name, value)
                });
                Some(Value::Node(Node { tag: tag?, fields: fields.collect() }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_fields_of_words_lists_and_nodes() {
        let text =
            "({VAR :varno 3 :name :varno :list (i 1 2) :const 4 [ 1 0 ] :no <> :inner {CONST :x true}})";
        let tree = Value::read(text).unwrap();
        let node = tree.list()[0].node().unwrap();
        assert_eq!(node.tag, "VAR");
        assert_eq!(node.number::<u32>("varno"), Some(3));
        assert_eq!(node.get("name").word(), Some(":varno"));
        assert_eq!(node.list("list").len(), 3);
        assert_eq!(node.list("const").len(), 5);
        assert!(node.get("no").is_nothing() && node.get("missing").is_nothing());
        assert!(node.get("inner").node().unwrap().flag("x"));
    }

    #[test]
    fn unreadable_text_is_no_tree() {
        for text in
            ["", "(", ")", "({", "{}", "{A b}", "({A :b (})", &"(".repeat(100_000), &"{A :b ".repeat(9_999)]
        {
            assert!(Value::read(text).is_none(), "{text:.40}");
        }
    }

    #[test]
    fn places_in_the_text_do_not_count() {
        let read = |text| Value::read(text).unwrap();
        assert!(read("{A :b 1 :location 2}").same(&read("{A :b 1 :location 9}")));
        assert!(!read("{A :b 1 :location 2}").same(&read("{A :b 2 :location 2}")));
    }
}
