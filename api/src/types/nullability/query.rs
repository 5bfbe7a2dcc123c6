//! Columns of queries that are never null.

use std::rc::Rc;

use super::Prover;
use super::catalog::{ColumnNumber, Oid};
use super::expression::converts_safely;
use super::facts::returns_set;
use super::known;
use super::scope::{Columns, RangeIndex, Scope};
use super::tree::{Node, Value};

/// Kinds of range table entries, as Postgres numbers them.
const RELATION: u8 = 0;
const SUBQUERY: u8 = 1;
const JOIN: u8 = 2;
const FUNCTION: u8 = 3;
const VALUES: u8 = 5;
const WITH: u8 = 6;
const GROUP: u8 = 9;
/// `FULL JOIN`.
const FULL: u8 = 2;
/// `SELECT`.
const SELECT: u8 = 1;
/// Set operations.
const UNION: u8 = 1;
const INTERSECT: u8 = 2;
const EXCEPT: u8 = 3;

impl Prover<'_> {
    /// For each column of a query's result, whether it is never null.
    pub(super) fn query(
        &self,
        query: &Node<'_>,
        parent: Option<&Scope<'_>>,
        constraints_hold: bool,
    ) -> Columns {
        if query.tag != "QUERY" || query.number("commandType") != Some(SELECT) {
            return Rc::from([]);
        }
        let mut scope = Scope::new(query, parent, constraints_hold);
        let operations = query.get("setOperations");
        if !operations.is_nothing() {
            return self.set_operation(operations, &scope);
        }
        self.learn(&mut scope);
        if scope.is_sometimes_grouped() {
            scope.sometimes_grouped = grouped(query);
        }
        shown(query).map(|it| !holds_set(it) && self.never_null(it, &scope)).collect()
    }

    fn set_operation(&self, part: &Value<'_>, scope: &Scope<'_>) -> Columns {
        let Some(node) = part.node() else { return Rc::from([]) };
        if let Some(index) = node.number::<RangeIndex>("rtindex") {
            return self.columns(scope, index);
        }
        let types: Vec<Option<Oid>> =
            node.list("colTypes").iter().skip(1).map(|it| it.word().and_then(|it| it.parse().ok())).collect();
        let side = |field| {
            let side = node.get(field);
            let columns = self.set_operation(side, scope);
            let query = side.node().and_then(|it| it.number("rtindex")).and_then(|it| scope.entry(it));
            let Some(query) = query.and_then(|it| it.get("subquery").node()) else {
                // Another set operation, whose result has other types.
                let inner: Vec<_> =
                    side.node().map(|it| it.list("colTypes")).unwrap_or_default().iter().skip(1).collect();
                let same = types
                    .iter()
                    .zip(inner)
                    .map(|(to, from)| to.is_some() && from.word().and_then(|it| it.parse().ok()) == *to);
                return columns.iter().zip(same).map(|(a, b)| *a && b).collect::<Vec<_>>();
            };
            let safe = shown(query).zip(&types).map(|(it, to)| converts_safely(it, *to));
            columns.iter().zip(safe).map(|(a, b)| *a && b).collect::<Vec<_>>()
        };
        let (left, right) = (side("larg"), side("rarg"));
        let both = left.iter().zip(&right);
        match node.number("op") {
            Some(UNION) => both.map(|(a, b)| *a && *b).collect(),
            Some(INTERSECT) => both.map(|(a, b)| *a || *b).collect(),
            Some(EXCEPT) => left.into(),
            _ => Rc::from([]),
        }
    }

    /// Whether a column (from 0) of a range table entry is never null in the rows of the query.
    pub(super) fn column(&self, scope: &Scope<'_>, index: RangeIndex, position: usize) -> bool {
        let Some(entry) = scope.entry(index) else { return false };
        match entry.number("rtekind") {
            // What a join shows are columns of what it joins, which know by themselves whether they are filled.
            Some(JOIN) => {
                let Some(alias) = entry.list("joinaliasvars").get(position) else { return false };
                if self.never_null(alias, scope) {
                    return true;
                }
                let merged = alias.node().filter(|it| it.tag == "COALESCEEXPR" || it.tag == "COALESCE");
                merged.filter(|_| entry.number("jointype") == Some(FULL)).is_some_and(|it| {
                    let within = scope.within_join(index);
                    it.list("args").iter().all(|it| self.never_null(it, &within))
                })
            }
            Some(GROUP) => {
                entry.list("groupexprs").get(position).is_some_and(|it| self.never_null(it, scope))
            }
            _ if scope.may_be_filled(index) => false,
            _ => self.columns(scope, index).get(position).copied().unwrap_or(false),
        }
    }

    /// For each column of a range table entry that rows come from, whether it is never null there.
    fn columns(&self, scope: &Scope<'_>, index: RangeIndex) -> Columns {
        if let Some(known) = scope.columns.borrow().get(&index) {
            return known.clone();
        }
        let columns = match scope.entry(index) {
            Some(entry) => match entry.number("rtekind") {
                Some(WITH) => return self.with_query(entry, scope),
                Some(RELATION) => {
                    self.relation(entry.number("relid").unwrap_or_default(), scope.constraints_hold)
                }
                Some(SUBQUERY) => match entry.get("subquery").node() {
                    Some(query) => self.query(query, Some(scope), scope.constraints_hold),
                    None => Rc::from([]),
                },
                Some(VALUES) => self.values(entry, scope),
                Some(FUNCTION) => self.rows_of_functions(entry),
                _ => Rc::from([]),
            },
            None => Rc::from([]),
        };
        scope.columns.borrow_mut().insert(index, columns.clone());
        columns
    }

    /// Columns of a table or view.
    pub(super) fn relation(&self, relation: Oid, constraints_hold: bool) -> Columns {
        if self.catalog.views.contains_key(&relation) {
            return self.view(relation, constraints_hold);
        }
        if !constraints_hold {
            return Rc::from([]);
        }
        let highest = self.highest.get(&relation).copied().unwrap_or_default();
        (1..=highest)
            .map(|column: ColumnNumber| self.catalog.not_null.contains(&(relation, column)))
            .collect()
    }

    fn values(&self, entry: &Node<'_>, scope: &Scope<'_>) -> Columns {
        let rows = entry.list("values_lists").iter();
        let rows = rows.map(|row| row.list().iter().map(|it| self.never_null(it, scope)).collect::<Vec<_>>());
        rows.reduce(|a, b| a.iter().zip(&b).map(|(a, b)| *a && *b).collect()).unwrap_or_default().into()
    }

    /// Columns of functions in FROM: known for some, and for the number of the row.
    fn rows_of_functions(&self, entry: &Node<'_>) -> Columns {
        let functions: Vec<&Node<'_>> = entry.list("functions").iter().filter_map(Value::node).collect();
        let counts = functions.iter().map(|it| it.number::<usize>("funccolcount").unwrap_or_default());
        let mut columns = vec![false; counts.sum()];
        if let ([function], Some(first)) = (functions.as_slice(), columns.first_mut()) {
            let call = function.get("funcexpr").node().filter(|it| returns_set(it));
            *first = call.and_then(|it| self.function_of(it)).is_some_and(known::gives_rows);
        }
        columns.extend(entry.flag("funcordinality").then_some(true));
        columns.into()
    }

    fn with_query(&self, entry: &Node<'_>, scope: &Scope<'_>) -> Columns {
        let found = entry.number("ctelevelsup").and_then(|it| scope.up(it)).zip(entry.get("ctename").word());
        let Some((owner, name)) = found else { return Rc::from([]) };
        if let Some(known) = owner.with.borrow().get(name) {
            return known.clone();
        }
        let mut with = owner.query.list("cteList").iter().filter_map(Value::node);
        let Some(with) = with.find(|it| it.get("ctename").word() == Some(name)) else { return Rc::from([]) };
        let Some(query) = with.get("ctequery").node() else { return Rc::from([]) };
        let find = || self.query(query, Some(owner), owner.constraints_hold);
        if !with.flag("cterecursive") {
            let columns = find();
            owner.with.borrow_mut().insert(name.to_owned(), columns.clone());
            return columns;
        }
        // What a recursion adds is made of rows that it had before. So all columns are taken for never null until
        // some turn out not to be, which may bring down others.
        let mut assumed: Columns = shown(query).map(|_| true).collect();
        loop {
            owner.with.borrow_mut().insert(name.to_owned(), assumed.clone());
            let columns = find();
            let both: Columns = (0..assumed.len())
                .map(|it| assumed[it] && columns.get(it).copied().unwrap_or(false))
                .collect();
            if both == assumed {
                return assumed;
            }
            assumed = both;
        }
    }
}

/// The expressions of a query's columns, those that only serve to sort left out.
fn shown<'q>(query: &'q Node<'q>) -> impl Iterator<Item = &'q Value<'q>> {
    let entries = query.list("targetList").iter().filter_map(Value::node);
    entries.filter(|it| it.is_unset("resjunk")).map(|it| it.get("expr"))
}

/// What a query groups by.
fn grouped<'q>(query: &'q Node<'q>) -> Vec<&'q Value<'q>> {
    let clauses = query.list("groupClause").iter().filter_map(Value::node);
    let references: Vec<&str> = clauses.filter_map(|it| it.get("tleSortGroupRef").word()).collect();
    let entries = query.list("targetList").iter().filter_map(Value::node);
    entries
        .filter(|it| it.get("ressortgroupref").word().is_some_and(|it| references.contains(&it)))
        .map(|it| it.get("expr"))
        .collect()
}

/// Whether an expression has a part that gives rows: what it is made of may end before others do.
fn holds_set(value: &Value<'_>) -> bool {
    match value {
        // The rows of a sub-select are its own matter.
        Value::Node(node) if node.tag == "SUBLINK" => holds_set(node.get("testexpr")),
        Value::Node(node) => returns_set(node) || node.values().any(holds_set),
        Value::List(values) => values.iter().any(holds_set),
        Value::Nothing | Value::Word(_) => false,
    }
}
