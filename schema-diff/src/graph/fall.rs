//! Drops that need no statement: what goes together with something else.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{Id, Kind};
use crate::model::{Body, Object};
use crate::read::index_ids;
use crate::render::Ctx;

use super::{Half, Step};

/// Dropped objects, and the step that takes them along.
pub(super) fn implied(ctx: &Ctx<'_>) -> BTreeMap<Id, Step> {
    let mut finder = Finder { ctx, known: BTreeMap::new() };
    let dropped: Vec<&Id> = ctx.changes.of.iter().filter(|(_, it)| it.drops()).map(|(id, _)| id).collect();
    let mut out = BTreeMap::new();
    for id in dropped {
        let root = finder.root(id, 0);
        if root != (Half::Drop, id.clone()) {
            out.insert(id.clone(), root);
        }
    }
    out
}

struct Finder<'a> {
    ctx: &'a Ctx<'a>,
    known: BTreeMap<Id, Step>,
}

impl Finder<'_> {
    /// The step at which a dropped object is gone.
    fn root(&mut self, id: &Id, depth: usize) -> Step {
        if let Some(step) = self.known.get(id) {
            return step.clone();
        }
        let own = (Half::Drop, id.clone());
        // Deeper than any chain of parts: a circle in the catalog.
        if depth > 12 {
            return own;
        }
        let step = match self.ctx.from.objects.get(id) {
            Some(object) => self.find(object, depth).unwrap_or(own),
            None => own,
        };
        self.known.insert(id.clone(), step.clone());
        step
    }

    fn dropped(&self, id: &Id) -> bool {
        self.ctx.changes.drops(id)
    }

    fn find(&mut self, a: &Object, depth: usize) -> Option<Step> {
        match &a.body {
            Body::Sequence(it) => self.sequence(a, it.identity, depth),
            Body::SequenceOwner(_) => {
                let sequence = Id { kind: Kind::Sequence, ..a.id.clone() };
                if self.dropped(&sequence) { Some(self.root(&sequence, depth + 1)) } else { None }
            }
            Body::Attach(_) => {
                let child = a.id.relation();
                self.dropped(&child).then_some((Half::Drop, child))
            }
            Body::IndexAttach(it) => {
                let parent = index_ids(self.ctx.from, &it.parent_schema, &it.parent);
                let child = index_ids(self.ctx.from, &a.id.schema, &a.id.name);
                let gone = child.iter().chain(&parent).find(|it| self.dropped(it))?.clone();
                Some(self.root(&gone, depth + 1))
            }
            _ => match self.whole_index(a) {
                Some((whole, true)) => self.part(a, Some(&whole), depth),
                Some((whole, false)) if self.dropped(&whole) => Some(self.root(&whole, depth + 1)),
                _ => self.inherited(a, depth).or_else(|| self.part(a, None, depth)),
            },
        }
    }

    /// It goes with its column or the column's table.
    fn sequence(&mut self, a: &Object, identity: bool, depth: usize) -> Option<Step> {
        if identity {
            let column = a.falls_with.iter().find(|it| it.kind == Kind::Column)?.clone();
            return Some(match self.dropped(&column) {
                true => self.root(&column, depth + 1),
                false => (Half::Make, column),
            });
        }
        let owner = self.ctx.from.objects.get(&Id { kind: Kind::SequenceOwner, ..a.id.clone() })?;
        let Body::SequenceOwner(it) = &owner.body else { return None };
        let column = Id::new(Kind::Column, &it.schema, &it.table, &it.column);
        self.dropped(&column).then(|| self.root(&column, depth + 1))
    }

    /// The whole table's index that a partition's index is a part of, and whether the partition leaves or goes first.
    fn whole_index(&self, a: &Object) -> Option<(Id, bool)> {
        let name = match &a.body {
            Body::Index(_) => &a.id.name,
            Body::Constraint(it) if it.index.is_some() => &a.id.sub,
            _ => return None,
        };
        let attach = self.ctx.from.objects.get(&Id::new(Kind::IndexAttach, &a.id.schema, name, ""))?;
        let Body::IndexAttach(it) = &attach.body else { return None };
        let table = Id::new(Kind::Relation, &a.id.schema, &it.table, "");
        let leaves = self.dropped(&table)
            || self.ctx.from.on(Kind::Attach, &table).any(|it| self.ctx.changes.drops(&it.id));
        let whole = index_ids(self.ctx.from, &it.parent_schema, &it.parent).into_iter().next()?;
        Some((whole, leaves))
    }

    /// What a table has from its parent goes with what the parent has.
    fn inherited(&mut self, a: &Object, depth: usize) -> Option<Step> {
        let is_inherited = match &a.body {
            Body::Column(it) => it.inherited,
            Body::Constraint(it) => it.inherited && it.kind == 'c',
            _ => false,
        };
        if !is_inherited || self.dropped(&a.id.relation()) {
            return None;
        }
        let parents = self.ctx.parents(&a.id.relation());
        let theirs = parents.iter().map(|it| Id::new(a.id.kind, &it.schema, &it.name, &a.id.sub));
        let theirs = theirs.into_iter().find(|it| self.dropped(it))?;
        Some(self.root(&theirs, depth + 1))
    }

    /// A part goes with the one thing that takes it along, unless it holds on to something else that goes.
    fn part(&mut self, a: &Object, but: Option<&Id>, depth: usize) -> Option<Step> {
        if !a.falls_with.iter().any(|it| Some(it) != but && self.dropped(it)) {
            return None;
        }
        let needs: Vec<Id> =
            a.needs.iter().filter(|it| Some(*it) != but && self.dropped(it)).cloned().collect();
        let roots: BTreeSet<Step> = needs.iter().map(|it| self.root(it, depth + 1)).collect();
        let mut roots = roots.into_iter();
        match (roots.next(), roots.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }
}
