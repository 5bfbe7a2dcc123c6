//! Which columns of views are never null, proven by Postgres' own parse trees.
//!
//! A proof is sound: what is called never null is, for every row that the view may show. It is not complete; what
//! cannot be proven may be null. Nothing here asks the database.

mod catalog;
mod expression;
mod facts;
mod known;
mod query;
mod scope;
mod tree;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

pub(super) use catalog::{Catalog, ColumnNumber, Function, Oid, Operator, View};
use scope::Columns;
use tree::Value;

use crate::schema_cache::load::node_tree;

/// Column of a view → the table and the column that it shows.
type Origins = HashMap<ColumnNumber, (Oid, ColumnNumber)>;

/// Proves what can be proven of a catalog's views. Keeps what it found.
pub(super) struct Prover<'c> {
    catalog: &'c Catalog,
    /// The highest number of a column known not to be null, by table.
    highest: HashMap<Oid, ColumnNumber>,
    /// By view, and by whether constraints hold for the rows that it reads.
    known: RefCell<HashMap<(Oid, bool), Columns>>,
    /// Views that are being looked at; one that depends on itself ends here.
    open: RefCell<HashSet<Oid>>,
    /// What columns of views show unchanged.
    origins: RefCell<HashMap<Oid, Origins>>,
}

impl<'c> Prover<'c> {
    pub(super) fn new(catalog: &'c Catalog) -> Self {
        let mut highest = HashMap::new();
        for (relation, column) in &catalog.not_null {
            let so_far: &mut ColumnNumber = highest.entry(*relation).or_default();
            *so_far = (*so_far).max(*column);
        }
        Self {
            catalog,
            highest,
            known: RefCell::default(),
            open: RefCell::default(),
            origins: RefCell::default(),
        }
    }

    /// Whether a column of a view or materialized view is never null.
    pub(super) fn is_never_null(&self, view: Oid, column: ColumnNumber) -> bool {
        let position = usize::try_from(column).ok().and_then(|it| it.checked_sub(1));
        position.and_then(|it| self.view(view, true).get(it).copied()).unwrap_or(false)
    }

    /// The column that a column of a view shows unchanged, of the relation that the view names.
    pub(super) fn origin(&self, view: Oid, column: ColumnNumber) -> Option<(Oid, ColumnNumber)> {
        let mut origins = self.origins.borrow_mut();
        let of_view = origins.entry(view).or_insert_with(|| {
            let tree = self.catalog.views.get(&view).map(|it| it.tree.as_str()).unwrap_or_default();
            let found = node_tree::origins(tree).into_iter();
            found.map(|it| (it.column, (it.relation, it.relation_column))).collect()
        });
        of_view.get(&column).copied()
    }

    /// For each column of a view, whether it is never null.
    fn view(&self, oid: Oid, constraints_hold: bool) -> Columns {
        let none = || Rc::from([]);
        let Some(view) = self.catalog.views.get(&oid) else { return none() };
        // A materialized view may have been filled before a constraint was added.
        let constraints_hold = constraints_hold && !view.materialized;
        if let Some(known) = self.known.borrow().get(&(oid, constraints_hold)) {
            return known.clone();
        }
        if !self.open.borrow_mut().insert(oid) {
            return none();
        }
        let tree = Value::read(&view.tree);
        let columns = match tree.as_ref().map(Value::list) {
            Some([Value::Node(query)]) => self.query(query, None, constraints_hold),
            _ => none(),
        };
        self.open.borrow_mut().remove(&oid);
        self.known.borrow_mut().insert((oid, constraints_hold), columns.clone());
        columns
    }
}
