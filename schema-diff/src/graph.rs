//! The order of the statements: what has to come before what. Pure.

mod fall;
mod sort;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::change::Change;
use crate::id::{Id, Kind};
use crate::model::{Body, Catalog, Object};
use crate::read::index_ids;
use crate::render::{Ctx, index_name, is_inherited_create};

/// Half of a change: the old object goes, or the new one comes (or is altered).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Half {
    Drop,
    Make,
}

/// What is put in order.
pub(crate) type Step = (Half, Id);

/// The steps in their order, and those that need no statement since another one does it.
pub(crate) struct Order {
    pub(crate) steps: Vec<Step>,
    pub(crate) implied: BTreeSet<Id>,
}

/// Steps that wait for each other.
pub(crate) struct Circle(pub(crate) Vec<Step>);

struct Graph<'a> {
    ctx: &'a Ctx<'a>,
    /// Dropped objects, and the one whose drop takes them along.
    falls: BTreeMap<Id, Step>,
    before: HashMap<Step, BTreeSet<Step>>,
}

/// Puts the changes in an order that runs. `give_up`: a circle is broken anywhere instead of being told.
pub(crate) fn order(ctx: &Ctx<'_>, give_up: bool) -> Result<Order, Circle> {
    let falls = fall::implied(ctx);
    let mut graph = Graph { ctx, falls, before: HashMap::new() };
    graph.add_steps();
    for (id, change) in &ctx.changes.of {
        if change.drops() {
            graph.edges_of_drop(id);
        }
        if *change != Change::Drop {
            graph.edges_of_make(id, *change);
        }
        graph.edges_between_halves(id, *change);
    }
    graph.edges_of_trees();
    graph.edges_of_whole_indexes();
    graph.edges_of_names();
    let implied = graph.falls.keys().cloned().collect();
    let steps = sort::sort(ctx, &graph.before, give_up)?;
    Ok(Order { steps, implied })
}

impl Graph<'_> {
    fn add_steps(&mut self) {
        for (id, change) in &self.ctx.changes.of {
            if change.drops() {
                let step = self.drop_step(id);
                self.before.entry(step).or_default();
            }
            if *change != Change::Drop {
                self.before.entry((Half::Make, id.clone())).or_default();
            }
        }
    }

    /// The step at which an object is gone.
    fn drop_step(&self, id: &Id) -> Step {
        self.falls.get(id).cloned().unwrap_or((Half::Drop, id.clone()))
    }

    /// The step at which an object is as it will be, if it changes.
    fn make_step(&self, id: &Id) -> Option<Step> {
        let change = self.ctx.changes.get(id)?;
        (change != Change::Drop).then(|| (Half::Make, id.clone()))
    }

    fn edge(&mut self, first: Step, then: Step) {
        if first != then {
            self.before.entry(first.clone()).or_default();
            self.before.entry(then).or_default().insert(first);
        }
    }

    /// An object goes before what it needs goes or is altered.
    fn edges_of_drop(&mut self, id: &Id) {
        let Some(a) = self.ctx.from.objects.get(id) else { return };
        let step = self.drop_step(id);
        let is_last = self.ctx.changes.get(id) == Some(Change::Replace);
        for needed in &a.needs {
            match self.ctx.changes.get(needed) {
                // What holds others is altered whatever is in it; a replaced type goes at the end.
                Some(Change::Alter) if is_last || is_container(needed.kind) => {}
                Some(change) if change.drops() => self.edge(step.clone(), self.drop_step(needed)),
                Some(Change::Alter) if self.falls.get(id) != Some(&(Half::Make, needed.clone())) => {
                    self.edge(step.clone(), (Half::Make, needed.clone()));
                }
                _ => {}
            }
        }
    }

    /// An object comes after what it needs has come, and is altered before what it needed goes.
    fn edges_of_make(&mut self, id: &Id, change: Change) {
        let step = (Half::Make, id.clone());
        if let Some(b) = self.ctx.to.objects.get(id) {
            let needs: Vec<Id> = self.needs_to_be_made(b, change);
            for needed in needs {
                if let Some(made) = self.make_step(&needed) {
                    self.edge(made, step.clone());
                }
            }
        }
        if change == Change::Alter
            && let Some(a) = self.ctx.from.objects.get(id)
        {
            for needed in a.needs.iter().filter(|it| self.ctx.changes.drops(it)) {
                let gone = self.drop_step(needed);
                self.edge(step.clone(), gone);
            }
        }
    }

    /// What an object needs, with what its parts need that are written in the same statement.
    fn needs_to_be_made(&self, b: &Object, change: Change) -> Vec<Id> {
        let mut needs: Vec<Id> = b.needs.iter().cloned().collect();
        let own = |it: &Id| *it == b.id || (it.kind == Kind::Column && it.relation() == b.id);
        match &b.body {
            Body::Relation(it) if change.creates() && it.is_table() => {
                for column in self.ctx.to.on(Kind::Column, &b.id) {
                    needs.extend(column.needs.iter().cloned());
                    needs.extend(self.default_needs(&column.id));
                }
            }
            Body::Column(_) if change.creates() => needs.extend(self.default_needs(&b.id)),
            _ => {}
        }
        // A parent's first: what happens to it happens to its children.
        if b.id.kind == Kind::Column || b.id.kind == Kind::Constraint {
            for parent in self.ctx.parents(&b.id.relation()) {
                needs.push(Id::new(b.id.kind, &parent.schema, &parent.name, &b.id.sub));
            }
        }
        needs.retain(|it| !own(it));
        needs
    }

    fn default_needs(&self, column: &Id) -> Vec<Id> {
        let default = Id { kind: Kind::Default, ..column.clone() };
        if !self.ctx.is_inline(&default) || is_inherited_create(self.ctx, column) {
            return Vec::new();
        }
        let Some(object) = self.ctx.to.objects.get(&default) else { return Vec::new() };
        object.needs.iter().filter(|it| **it != *column && **it != column.relation()).cloned().collect()
    }

    fn edges_between_halves(&mut self, id: &Id, change: Change) {
        let made = (Half::Make, id.clone());
        match change {
            Change::Anew => self.edge(self.drop_step(id), made),
            // The old one goes last, under a passing name.
            Change::Replace => self.edge(made, self.drop_step(id)),
            _ => {}
        }
    }

    /// A table becomes a part of another one when it has what that one asks for, and has left it before it loses that.
    fn edges_of_trees(&mut self) {
        let ids: Vec<Id> = self.ctx.changes.of.keys().filter(|it| it.kind == Kind::Attach).cloned().collect();
        for id in ids {
            let change = self.ctx.changes.get(&id);
            let parts = |catalog: &Catalog| -> Vec<Id> { parts(catalog, &id) };
            if change.is_some_and(Change::creates) {
                for part in parts(self.ctx.to) {
                    let waits = part.kind == Kind::IndexAttach;
                    match (self.make_step(&part), waits) {
                        (Some(made), false) => self.edge(made, (Half::Make, id.clone())),
                        (Some(made), true) => self.edge((Half::Make, id.clone()), made),
                        _ => {}
                    }
                    if self.ctx.changes.drops(&part) && !self.ctx.changes.drops(&id) {
                        let gone = self.drop_step(&part);
                        self.edge(gone, (Half::Make, id.clone()));
                    }
                }
                self.parent_columns_first(&id);
            }
            if change.is_some_and(Change::drops) {
                let left = self.drop_step(&id);
                for part in parts(self.ctx.from) {
                    if self.ctx.changes.drops(&part) {
                        let gone = self.drop_step(&part);
                        self.edge(left.clone(), gone);
                    }
                    if self.ctx.changes.get(&part) == Some(Change::Alter) {
                        self.edge(left.clone(), (Half::Make, part));
                    }
                }
            }
        }
    }

    /// The parent has lost and got its columns and checks when a child joins.
    fn parent_columns_first(&mut self, id: &Id) {
        let Some(Body::Attach(it)) = self.ctx.to.objects.get(id).map(|it| &it.body) else { return };
        let parent = Id::new(Kind::Relation, &it.parent_schema, &it.parent, "");
        let mut first = Vec::new();
        for kind in [Kind::Column, Kind::Constraint] {
            for catalog in [self.ctx.from, self.ctx.to] {
                for object in catalog.on(kind, &parent) {
                    if matches!(&object.body, Body::Constraint(it) if it.kind != 'c') {
                        continue;
                    }
                    first.extend(self.make_step(&object.id));
                    if self.ctx.changes.drops(&object.id) {
                        first.push(self.drop_step(&object.id));
                    }
                }
            }
        }
        for step in first {
            self.edge(step, (Half::Make, id.clone()));
        }
    }

    /// An index of a partitioned table can be referenced once all partitions have joined it.
    fn edges_of_whole_indexes(&mut self) {
        let mut parts: BTreeMap<Id, Vec<(Id, Id)>> = BTreeMap::new();
        for (id, object) in &self.ctx.to.objects {
            let Body::IndexAttach(it) = &object.body else { continue };
            let child = index_ids(self.ctx.to, &id.schema, &id.name).into_iter().next();
            let whole = index_ids(self.ctx.to, &it.parent_schema, &it.parent).into_iter().next();
            if let (Some(child), Some(whole)) = (child, whole) {
                parts.entry(whole).or_default().push((id.clone(), child));
            }
        }
        if parts.is_empty() {
            return;
        }
        let users: Vec<(Id, Id)> = self
            .ctx
            .to
            .objects
            .values()
            .filter(|it| matches!(&it.body, Body::Constraint(it) if it.kind == 'f'))
            .flat_map(|it| it.needs.iter().map(|needed| (it.id.clone(), needed.clone())))
            .filter(|(_, needed)| parts.contains_key(needed))
            .collect();
        for (user, whole) in users {
            let Some(step) = self.make_step(&user) else { continue };
            let mut queue = vec![whole];
            while let Some(whole) = queue.pop() {
                for (attach, child) in parts.get(&whole).into_iter().flatten() {
                    if let Some(made) = self.make_step(attach) {
                        self.edge(made, step.clone());
                    }
                    queue.push(child.clone());
                }
            }
        }
    }

    /// A name is free before another object takes it.
    fn edges_of_names(&mut self) {
        let mut freed: BTreeMap<(&str, String, String), Vec<Id>> = BTreeMap::new();
        for (id, change) in &self.ctx.changes.of {
            if matches!(change, Change::Drop | Change::Anew)
                && let Some(a) = self.ctx.from.objects.get(id)
            {
                for name in names(a) {
                    freed.entry(name).or_default().push(id.clone());
                }
            }
        }
        let taken: Vec<(Id, Vec<Id>)> = self
            .ctx
            .changes
            .of
            .iter()
            .filter(|(_, change)| **change != Change::Drop)
            .filter_map(|(id, _)| self.ctx.to.objects.get(id))
            .map(|b| {
                (b.id.clone(), names(b).iter().filter_map(|it| freed.get(it)).flatten().cloned().collect())
            })
            .collect();
        for (id, others) in taken {
            for other in others.into_iter().filter(|it| *it != id) {
                let gone = self.drop_step(&other);
                self.edge(gone, (Half::Make, id.clone()));
            }
        }
    }
}

fn is_container(kind: Kind) -> bool {
    matches!(kind, Kind::Schema | Kind::Extension | Kind::Wrapper | Kind::Server | Kind::Publication)
}

/// What a table consists of that a parent looks at.
fn parts(catalog: &Catalog, id: &Id) -> Vec<Id> {
    let relation = id.relation();
    let mut out = Vec::new();
    for kind in [Kind::Column, Kind::Constraint] {
        let on = catalog.on(kind, &relation);
        out.extend(
            on.filter(|it| !matches!(&it.body, Body::Constraint(it) if it.kind == 'f'))
                .map(|it| it.id.clone()),
        );
    }
    let of_table = |it: &&Object| match &it.body {
        Body::Index(index) => it.id.schema == relation.schema && index.table == relation.name,
        Body::IndexAttach(index) => it.id.schema == relation.schema && index.table == relation.name,
        _ => false,
    };
    out.extend(catalog.objects.values().filter(of_table).map(|it| it.id.clone()));
    out
}

/// The names that an object takes, with what they are names of.
fn names(object: &Object) -> Vec<(&'static str, String, String)> {
    let id = &object.id;
    let own = |what| (what, id.schema.clone(), id.name.clone());
    match &object.body {
        Body::Relation(_) => vec![own("relation"), own("type")],
        Body::Sequence(it) if it.identity => Vec::new(),
        Body::Sequence(_) => vec![own("relation")],
        Body::Type(it) if it.kind == 'c' => vec![own("relation"), own("type")],
        Body::Type(_) => vec![own("type")],
        Body::Column(it) => {
            it.identity.iter().map(|it| ("relation", it.schema.clone(), it.name.clone())).collect()
        }
        _ => index_name(object).map(|(schema, name)| ("relation", schema, name)).into_iter().collect(),
    }
}
