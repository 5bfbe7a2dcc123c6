//! What the conditions of a query say of its rows: a condition that is true proves that what it compared is not null.
//!
//! An outer join whose filled side has such a column fills nothing, in the rows that are left.

use std::collections::HashSet;

use super::Prover;
use super::scope::{FilledSide, RangeIndex, Scope, members};
use super::tree::{Node, Value};

/// Columns that are not null, by range table entry and number.
pub(super) type Facts = HashSet<(RangeIndex, i32)>;

/// Kinds of joins, as Postgres numbers them.
const INNER: u8 = 0;
const LEFT: u8 = 1;
const RIGHT: u8 = 3;
/// `IS NOT NULL`.
const IS_NOT_NULL: u8 = 1;
/// `IS TRUE`, `IS FALSE`, `IS NOT UNKNOWN`.
const IS_TRUE: u8 = 0;
const IS_FALSE: u8 = 2;
const IS_NOT_UNKNOWN: u8 = 5;
/// `… IN (SELECT …)` and `… = ANY (SELECT …)`.
const ANY_SUBLINK: u8 = 2;

impl Prover<'_> {
    /// Finds what holds for all rows of the query's join tree, until there is no more to be found.
    pub(super) fn learn(&self, scope: &mut Scope<'_>) {
        let tree = scope.query.get("jointree");
        scope.filled = filled_sides(tree);
        loop {
            let mut facts = Facts::new();
            self.walk(tree, scope, &mut facts);
            let before = (scope.filled.len(), scope.facts.len());
            scope.filled.retain(|side| !facts.iter().any(|(index, _)| side.members.contains(index)));
            scope.facts = facts;
            if (scope.filled.len(), scope.facts.len()) == before {
                return;
            }
        }
    }

    /// Adds what the conditions of this part of the join tree prove, where they hold for all rows.
    fn walk(&self, part: &Value<'_>, scope: &Scope<'_>, facts: &mut Facts) {
        let Some(node) = part.node() else { return };
        match node.tag {
            "FROMEXPR" => {
                self.if_true(node.get("quals"), scope, facts);
                node.list("fromlist").iter().for_each(|it| self.walk(it, scope, facts));
            }
            "JOINEXPR" => {
                let sides = [node.get("larg"), node.get("rarg")];
                let is_whole = |side: &Value<'_>| {
                    let join = node.number("rtindex");
                    let members = members(side);
                    !scope.filled.iter().any(|it| Some(it.join) == join && it.members == members)
                };
                let whole = sides.map(is_whole);
                if whole == [true, true] && node.number("jointype").is_some_and(|it: u8| it <= RIGHT) {
                    self.if_true(node.get("quals"), scope, facts);
                }
                for (side, _) in sides.iter().zip(whole).filter(|(_, whole)| *whole) {
                    self.walk(side, scope, facts);
                }
            }
            _ => {}
        }
    }

    /// Adds what is not null where a condition is true.
    fn if_true(&self, condition: &Value<'_>, scope: &Scope<'_>, facts: &mut Facts) {
        if let Value::List(conditions) = condition {
            return conditions.iter().for_each(|it| self.if_true(it, scope, facts));
        }
        let Some(node) = condition.node() else { return };
        let arguments = node.list("args");
        match node.tag {
            "BOOLEXPR" => match node.get("boolop").word() {
                Some("and") => arguments.iter().for_each(|it| self.if_true(it, scope, facts)),
                Some("or") => {
                    let each = arguments.iter().map(|it| {
                        let mut facts = Facts::new();
                        self.if_true(it, scope, &mut facts);
                        facts
                    });
                    facts.extend(each.reduce(|a, b| &a & &b).unwrap_or_default());
                }
                Some("not") => arguments.iter().for_each(|it| self.if_false(it, scope, facts)),
                _ => {}
            },
            "NULLTEST" if is_number(node, "nulltesttype", IS_NOT_NULL) && node.is_unset("argisrow") => {
                self.if_not_null(node.get("arg"), scope, facts);
            }
            "BOOLEANTEST" if is_number(node, "booltesttype", IS_TRUE) => {
                self.if_true(node.get("arg"), scope, facts);
            }
            "BOOLEANTEST"
                if [IS_FALSE, IS_NOT_UNKNOWN].iter().any(|it| is_number(node, "booltesttype", *it)) =>
            {
                self.if_not_null(node.get("arg"), scope, facts);
            }
            "SUBLINK" if is_number(node, "subLinkType", ANY_SUBLINK) => {
                self.if_true(node.get("testexpr"), scope, facts);
            }
            "SCALARARRAYOPEXPR" if self.is_strict(node) => {
                // `<> ALL` of no elements is true of null too.
                let compares = node.flag("useOr")
                    || arguments
                        .get(1)
                        .and_then(Value::node)
                        .is_some_and(|it| !it.list("elements").is_empty());
                if let (true, Some(left)) = (compares, arguments.first()) {
                    self.if_not_null(left, scope, facts);
                }
            }
            _ => self.if_not_null(condition, scope, facts),
        }
    }

    /// Adds what is not null where a condition is false.
    fn if_false(&self, condition: &Value<'_>, scope: &Scope<'_>, facts: &mut Facts) {
        let Some(node) = condition.node() else { return };
        match node.tag {
            "NULLTEST" if is_number(node, "nulltesttype", 0) && node.is_unset("argisrow") => {
                self.if_not_null(node.get("arg"), scope, facts);
            }
            "OPEXPR" | "FUNCEXPR" | "VAR" => self.if_not_null(condition, scope, facts),
            _ => {}
        }
    }

    /// Adds what is not null where this is not.
    fn if_not_null(&self, value: &Value<'_>, scope: &Scope<'_>, facts: &mut Facts) {
        let Some(node) = value.node() else { return };
        match node.tag {
            "VAR" => {
                let (Some(index), Some(column)) = (node.number("varno"), node.number("varattno")) else {
                    return;
                };
                if node.number("varlevelsup") != Some(0_usize) || column <= 0 {
                    return;
                }
                // A column of a join is one of a relation in it, or merged of two.
                match scope.entry(index).map(|it| it.list("joinaliasvars")) {
                    Some([]) | None => _ = facts.insert((index, column)),
                    Some(aliases) => {
                        let position = usize::try_from(column - 1).ok();
                        if let Some(alias) = position.and_then(|it| aliases.get(it)) {
                            self.if_not_null(alias, scope, facts);
                        }
                    }
                }
            }
            "RELABELTYPE" | "COERCEVIAIO" | "COLLATEEXPR" | "COLLATE" => {
                self.if_not_null(node.get("arg"), scope, facts);
            }
            "OPEXPR" | "FUNCEXPR" if self.is_strict(node) && !returns_set(node) => {
                node.list("args").iter().for_each(|it| self.if_not_null(it, scope, facts));
            }
            _ => {}
        }
    }

    /// The function of a call or an operator gives null for null.
    pub(super) fn is_strict(&self, node: &Node<'_>) -> bool {
        self.function_of(node).is_some_and(|it| it.strict)
    }
}

/// A call gives rows.
pub(super) fn returns_set(node: &Node<'_>) -> bool {
    node.flag("funcretset") || node.flag("opretset")
}

fn is_number(node: &Node<'_>, field: &str, number: u8) -> bool {
    node.number(field) == Some(number)
}

/// The sides of outer joins that nulls may be put for.
fn filled_sides(tree: &Value<'_>) -> Vec<FilledSide> {
    let mut found = Vec::new();
    let mut left = vec![tree];
    while let Some(part) = left.pop() {
        let Some(node) = part.node() else { continue };
        let sides = [node.get("larg"), node.get("rarg")];
        let filled: &[&Value<'_>] = match (node.tag, node.number("jointype")) {
            ("JOINEXPR", Some(INNER)) => &[],
            ("JOINEXPR", Some(LEFT)) => &sides[1..],
            ("JOINEXPR", Some(RIGHT)) => &sides[..1],
            // A full join, or one that no parser makes: nothing is known of it.
            ("JOINEXPR", _) => &sides,
            _ => &[],
        };
        let join = node.number("rtindex").unwrap_or_default();
        found.extend(filled.iter().map(|it| FilledSide { join, members: members(it) }));
        left.extend(sides);
        left.extend(node.list("fromlist"));
    }
    found
}
