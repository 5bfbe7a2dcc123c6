//! Runs a query over a value.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Comparison, Function, JsonPath, Logical, Operand, Segment, Selector, Start, Step};

/// A pattern from a token must not cost more than this to compile.
const PATTERN_SIZE_LIMIT: usize = 1 << 16;

/// All results, in order.
pub(super) fn query<'v>(path: &JsonPath, root: &'v Value, current: &'v Value) -> Vec<&'v Value> {
    let mut nodes = vec![match path.start {
        Start::Root => root,
        Start::Current => current,
    }];
    for segment in &path.segments {
        nodes = nodes.into_iter().flat_map(|it| apply(segment, root, it)).collect();
    }
    nodes
}

fn apply<'v>(segment: &Segment, root: &'v Value, node: &'v Value) -> Vec<&'v Value> {
    if !segment.descendant {
        return step(&segment.step, root, node);
    }
    let mut found = Vec::new();
    let mut pending = vec![node];
    while let Some(node) = pending.pop() {
        found.extend(step(&segment.step, root, node));
        pending.extend(children(node).into_iter().rev());
    }
    found
}

/// Members in the order of their names, items in the order of the array.
fn children(node: &Value) -> Vec<&Value> {
    match node {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            members.into_iter().map(|(_, value)| value).collect()
        }
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    }
}

fn step<'v>(step: &Step, root: &'v Value, node: &'v Value) -> Vec<&'v Value> {
    match step {
        Step::Dotted(name) => node.get(name).into_iter().collect(),
        Step::Wildcard => children(node),
        Step::Bracketed(selectors) => selectors.iter().flat_map(|it| select(it, root, node)).collect(),
    }
}

fn select<'v>(selector: &Selector, root: &'v Value, node: &'v Value) -> Vec<&'v Value> {
    match selector {
        Selector::Name(name) => node.get(name).into_iter().collect(),
        Selector::Wildcard => children(node),
        Selector::Index(index) => item(node, *index).into_iter().collect(),
        Selector::Slice { start, end, step } => slice(node, *start, *end, *step),
        Selector::Filter(logical) => {
            children(node).into_iter().filter(|it| holds(logical, root, it)).collect()
        }
    }
}

fn item(node: &Value, index: i64) -> Option<&Value> {
    let items = node.as_array()?;
    let index = if index < 0 { index.checked_add(i64::try_from(items.len()).ok()?)? } else { index };
    items.get(usize::try_from(index).ok()?)
}

fn slice(node: &Value, start: Option<i64>, end: Option<i64>, step: i64) -> Vec<&Value> {
    let Some(items) = node.as_array() else { return Vec::new() };
    let Ok(length) = i64::try_from(items.len()) else { return Vec::new() };
    if step == 0 {
        return Vec::new();
    }
    let normalise = |it: i64| if it < 0 { it.saturating_add(length) } else { it };
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let bound = |it: Option<i64>, default: i64| it.map_or(default, |it| normalise(it).clamp(lowest, highest));
    let (mut at, end) = if step > 0 {
        (bound(start, 0), bound(end, length))
    } else {
        (bound(start, length - 1), bound(end, -1))
    };
    let mut found = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        found.extend(usize::try_from(at).ok().and_then(|it| items.get(it)));
        at = at.saturating_add(step);
    }
    found
}

fn holds(logical: &Logical, root: &Value, current: &Value) -> bool {
    match logical {
        Logical::Or(operands) => operands.iter().any(|it| holds(it, root, current)),
        Logical::And(operands) => operands.iter().all(|it| holds(it, root, current)),
        Logical::Not(operand) => !holds(operand, root, current),
        Logical::Group(operand) => holds(operand, root, current),
        Logical::Exists(path) => !query(path, root, current).is_empty(),
        Logical::Function(function) => matches(function, root, current),
        Logical::Compare(left, comparison, right) => {
            compare(value(left, root, current), *comparison, value(right, root, current))
        }
    }
}

fn value<'v>(operand: &'v Operand, root: &'v Value, current: &'v Value) -> Option<&'v Value> {
    match operand {
        Operand::Literal(literal) => Some(literal),
        Operand::Query(path) => query(path, root, current).first().copied(),
    }
}

fn compare(left: Option<&Value>, comparison: Comparison, right: Option<&Value>) -> bool {
    let less = |a: Option<&Value>, b: Option<&Value>| match (a, b) {
        (Some(Value::String(a)), Some(Value::String(b))) => a < b,
        (Some(Value::Number(a)), Some(Value::Number(b))) => order(a, b) == Some(Ordering::Less),
        _ => false,
    };
    let equal = |a: Option<&Value>, b: Option<&Value>| match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => order(a, b) == Some(Ordering::Equal),
        _ => a == b,
    };
    match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => !equal(left, right),
        Comparison::Less => less(left, right),
        Comparison::LessOrEqual => less(left, right) || equal(left, right),
        Comparison::Greater => less(right, left),
        Comparison::GreaterOrEqual => less(right, left) || equal(left, right),
    }
}

fn order(a: &serde_json::Number, b: &serde_json::Number) -> Option<Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// A pattern that is not a regular expression matches nothing.
fn matches(function: &Function, root: &Value, current: &Value) -> bool {
    let text = value(&function.text, root, current).and_then(Value::as_str);
    let pattern = value(&function.pattern, root, current).and_then(Value::as_str);
    let (Some(text), Some(pattern)) = (text, pattern) else { return false };
    let pattern = if function.whole { format!("^(?:{pattern})$") } else { pattern.to_owned() };
    regex::RegexBuilder::new(&pattern)
        .size_limit(PATTERN_SIZE_LIMIT)
        .build()
        .is_ok_and(|it| it.is_match(text))
}
