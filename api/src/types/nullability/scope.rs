//! One level of a query: what its variables stand for, and what holds for all of its rows.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::tree::{Node, Value};

/// Number of an entry of the range table, from 1.
pub(super) type RangeIndex = usize;
/// Which columns of a relation are never null, by position.
pub(super) type Columns = Rc<[bool]>;

/// A query, its place among the queries around it, and what was found out about it.
pub(super) struct Scope<'s> {
    pub(super) query: &'s Node<'s>,
    /// The query that this one is a part of.
    pub(super) parent: Option<&'s Scope<'s>>,
    /// Constraints of tables hold for the rows that are read. They may not have when a materialized view was made.
    pub(super) constraints_hold: bool,
    /// Sides of outer joins that are filled with nulls where nothing matches.
    pub(super) filled: Vec<FilledSide>,
    /// Columns that no row of the result of `FROM` and `WHERE` has a null in.
    pub(super) facts: HashSet<(RangeIndex, i32)>,
    /// What is grouped by, where a row may stand for groups of fewer expressions: each may be null then.
    pub(super) sometimes_grouped: Vec<&'s Value<'s>>,
    /// Columns of the entries of the range table that were looked at.
    pub(super) columns: RefCell<HashMap<RangeIndex, Columns>>,
    /// Columns of the queries of `WITH`.
    pub(super) with: RefCell<HashMap<String, Columns>>,
}

/// One side of an outer join.
#[derive(Debug, Clone)]
pub(super) struct FilledSide {
    /// The join's own entry of the range table.
    pub(super) join: RangeIndex,
    /// The entries on the side.
    pub(super) members: HashSet<RangeIndex>,
}

impl<'s> Scope<'s> {
    pub(super) fn new(query: &'s Node<'s>, parent: Option<&'s Scope<'s>>, constraints_hold: bool) -> Self {
        Self {
            query,
            parent,
            constraints_hold,
            filled: Vec::new(),
            facts: HashSet::new(),
            sometimes_grouped: Vec::new(),
            columns: RefCell::default(),
            with: RefCell::default(),
        }
    }

    /// The scope so many levels up.
    pub(super) fn up(&'s self, levels: usize) -> Option<&'s Scope<'s>> {
        (0..levels).try_fold(self, |scope, _| scope.parent)
    }

    /// An entry of the range table.
    pub(super) fn entry(&self, index: RangeIndex) -> Option<&'s Node<'s>> {
        self.query.list("rtable").get(index.checked_sub(1)?)?.node()
    }

    /// Whether rows of the entry may be filled with nulls by an outer join.
    pub(super) fn may_be_filled(&self, index: RangeIndex) -> bool {
        self.filled.iter().any(|it| it.members.contains(&index))
    }

    /// Whether rows may stand for groups of fewer expressions.
    pub(super) fn is_sometimes_grouped(&self) -> bool {
        !self.query.get("groupingSets").is_nothing()
    }

    /// The same, seen by a column that a full join merges: at least one side of the join is there.
    pub(super) fn within_join(&self, join: RangeIndex) -> Self {
        let mut within = Self::new(self.query, self.parent, self.constraints_hold);
        within.filled = self.filled.iter().filter(|it| it.join != join).cloned().collect();
        within.facts = self.facts.clone();
        within.sometimes_grouped.clone_from(&self.sometimes_grouped);
        within
    }
}

/// Range table entries below a part of the join tree, joins included.
pub(super) fn members(part: &Value<'_>) -> HashSet<RangeIndex> {
    let mut found = HashSet::new();
    let mut left = vec![part];
    while let Some(node) = left.pop().map(Value::node) {
        let Some(node) = node else { continue };
        found.extend(node.number::<RangeIndex>("rtindex"));
        left.extend([node.get("larg"), node.get("rarg")]);
        left.extend(node.list("fromlist"));
    }
    found
}
