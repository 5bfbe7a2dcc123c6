//! JSONPath (RFC 9535), as far as finding a role in claims needs it: all segments and selectors,
//! filters with comparisons, and the functions `search` and `match`.

mod evaluate;
mod parse;

use std::fmt::{self, Display, Formatter, Write as _};

use serde_json::{Map, Value};

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JsonPath {
    start: Start,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Root,
    Current,
}

#[derive(Debug, Clone, PartialEq)]
struct Segment {
    descendant: bool,
    step: Step,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// `.name`
    Dotted(String),
    /// `.*`
    Wildcard,
    /// `[…]`
    Bracketed(Vec<Selector>),
}

#[derive(Debug, Clone, PartialEq)]
enum Selector {
    Name(String),
    Wildcard,
    Index(i64),
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    Filter(Logical),
}

#[derive(Debug, Clone, PartialEq)]
enum Logical {
    Or(Vec<Logical>),
    And(Vec<Logical>),
    Not(Box<Logical>),
    Group(Box<Logical>),
    Exists(JsonPath),
    Function(Function),
    Compare(Operand, Comparison, Operand),
}

/// `search` finds a pattern anywhere in a text, `match` wants all of it.
#[derive(Debug, Clone, PartialEq)]
struct Function {
    whole: bool,
    text: Operand,
    pattern: Operand,
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Literal(Value),
    /// A query with at most one result.
    Query(JsonPath),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
}

/// Longer operators first: `<=` starts like `<`.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    ("<", Comparison::Less),
    (">=", Comparison::GreaterOrEqual),
    (">", Comparison::Greater),
];

impl JsonPath {
    /// `$.name`.
    pub(super) fn key(name: &str) -> Self {
        let step = Step::Dotted(name.to_owned());
        Self { start: Start::Root, segments: vec![Segment { descendant: false, step }] }
    }

    /// Reads a query; the error says what was expected where.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        parse::parse(text)
    }

    /// The first result.
    pub(super) fn first(&self, claims: &Map<String, Value>) -> Option<Value> {
        let root = Value::Object(claims.clone());
        evaluate::query(self, &root, &root).first().map(|it| (*it).clone())
    }
}

impl Display for JsonPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char(match self.start {
            Start::Root => '$',
            Start::Current => '@',
        })?;
        self.segments.iter().try_for_each(|it| it.fmt(f))
    }
}

impl Display for Segment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.descendant {
            f.write_str("..")?;
        } else if !matches!(self.step, Step::Bracketed(_)) {
            f.write_char('.')?;
        }
        match &self.step {
            Step::Dotted(name) => f.write_str(name),
            Step::Wildcard => f.write_char('*'),
            Step::Bracketed(selectors) => {
                f.write_char('[')?;
                joined(f, selectors, ",")?;
                f.write_char(']')
            }
        }
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => quoted(f, name),
            Self::Wildcard => f.write_char('*'),
            Self::Index(index) => write!(f, "{index}"),
            Self::Slice { start, end, step } => {
                start.iter().try_for_each(|it| write!(f, "{it}"))?;
                f.write_char(':')?;
                end.iter().try_for_each(|it| write!(f, "{it}"))?;
                write!(f, ":{step}")
            }
            Self::Filter(logical) => write!(f, "?{logical}"),
        }
    }
}

impl Display for Logical {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(operands) => joined(f, operands, " || "),
            Self::And(operands) => joined(f, operands, " && "),
            Self::Not(operand) => write!(f, "!{operand}"),
            Self::Group(operand) => write!(f, "({operand})"),
            Self::Exists(query) => query.fmt(f),
            Self::Function(Function { whole, text, pattern }) => {
                write!(f, "{}({text}, {pattern})", if *whole { "match" } else { "search" })
            }
            Self::Compare(left, comparison, right) => {
                let operator = COMPARISONS.iter().find(|(_, it)| it == comparison).map_or("", |it| it.0);
                write!(f, "{left} {operator} {right}")
            }
        }
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(Value::String(text)) => quoted(f, text),
            // Whole numbers keep a decimal place, as in PostgREST's dump.
            Self::Literal(Value::Number(number)) if number.is_i64() => write!(f, "{number}.0"),
            Self::Literal(other) => other.fmt(f),
            Self::Query(query) => query.fmt(f),
        }
    }
}

fn joined(f: &mut Formatter<'_>, items: &[impl Display], separator: &str) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(separator)?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('\'')?;
    for it in text.chars() {
        match it {
            '\'' | '\\' => write!(f, "\\{it}")?,
            it if it.is_control() => write!(f, "\\u{:04x}", u32::from(it))?,
            it => f.write_char(it)?,
        }
    }
    f.write_char('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dump_is_normalised() {
        for (written, dumped) in [
            ("$", "$"),
            (
                "$.store.books[?search(@.author, 'Diamond|Herman')]",
                "$.store.books[?search(@.author, 'Diamond|Herman')]",
            ),
            ("$.a[?@.not_here]", "$.a[?@.not_here]"),
            ("$.a[?@.price < 20]", "$.a[?@.price < 20.0]"),
            ("$[\"a-b\"]['c']", "$['a-b']['c']"),
            ("$.a[0,2]", "$.a[0,2]"),
            ("$.a[-4]", "$.a[-4]"),
            ("$.a[1:3,0]", "$.a[1:3:1,0]"),
            ("$[5:]", "$[5::1]"),
            ("$[:5]", "$[:5:1]"),
            ("$[5:1:-2]", "$[5:1:-2]"),
            ("$[::-1]", "$[::-1]"),
            ("$.*", "$.*"),
            ("$[*]", "$[*]"),
            ("$..*", "$..*"),
            ("$..[*]", "$..[*]"),
            ("$..a", "$..a"),
            ("$[?(@ == \"x\" && !@.b || $.c)]", "$[?(@ == 'x' && !@.b || $.c)]"),
            ("$['it\\'s']", "$['it\\'s']"),
        ] {
            let path = JsonPath::parse(written).unwrap_or_else(|error| panic!("{written}: {error}"));
            assert_eq!(path.to_string(), dumped);
            assert_eq!(JsonPath::parse(dumped), Ok(path), "the dump of {written} reads as something else");
        }
    }

    #[test]
    fn finds_the_first_result() {
        let claims = serde_json::json!({
            "role": "r",
            "n": 5,
            "roles": ["other", "postgrest_test_author", "z"],
            "realm": {"b": {"role": "deep"}, "a": ["x"]},
            "objects": [{"k": 1, "v": "one"}, {"k": 2, "v": "two"}],
        });
        let Value::Object(claims) = claims else { unreachable!() };
        for (path, expected) in [
            ("$.role", Some("r")),
            ("$.roles[1]", Some("postgrest_test_author")),
            ("$.roles[-1]", Some("z")),
            ("$.roles[3]", None),
            ("$.roles[?@ == 'z']", Some("z")),
            ("$.roles[?(@ != 'other')]", Some("postgrest_test_author")),
            ("$.roles[?search(@, '^postgrest_te')]", Some("postgrest_test_author")),
            ("$.roles[?search(@, 'author$')]", Some("postgrest_test_author")),
            ("$.roles[?match(@, '[a-z]')]", Some("z")),
            ("$.roles[?search(@, '(')]", None),
            ("$.roles[::-1]", Some("z")),
            ("$.roles[1:]", Some("postgrest_test_author")),
            ("$.roles[-1:]", Some("z")),
            ("$.roles[5:]", None),
            ("$..role", Some("r")),
            ("$.realm..role", Some("deep")),
            ("$['realm']['b'].role", Some("deep")),
            ("$.objects[?@.k > 1].v", Some("two")),
            ("$.objects[?@.k >= 1 && @.v < 'p'].v", Some("one")),
            ("$.objects[?@.k == $.n].v", None),
            ("$.objects[?!@.missing].v", Some("one")),
            ("$.objects[?@.missing == $.alsomissing].v", Some("one")),
            ("$.missing", None),
            ("$.role.sub", None),
            ("$.roles[::0]", None),
        ] {
            let found = JsonPath::parse(path).unwrap().first(&claims);
            assert_eq!(found.as_ref().and_then(Value::as_str), expected, "{path}");
        }
    }

    #[test]
    fn refuses_what_is_not_jsonpath() {
        for bad in [
            "",
            "role",
            ".role",
            "$.role##",
            "$.",
            "$.a-b",
            "$[",
            "$[?]",
            "$[?(@ =)]",
            "$['a]",
            "$[1",
            "$ x",
            "$[?search(@)]",
        ] {
            assert!(JsonPath::parse(bad).is_err(), "{bad}");
        }
        assert!(JsonPath::parse(&format!("${}", "[?(".repeat(10_000))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(tail in "[.\\[\\]?@$()'\"a-c0-9:*,!&|=<>\\\\ -]{0,40}") {
            if let Ok(path) = JsonPath::parse(&format!("${tail}")) {
                let _ = path.first(&Map::new());
                proptest::prop_assert_eq!(JsonPath::parse(&path.to_string()), Ok(path));
            }
        }
    }
}
