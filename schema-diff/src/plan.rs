//! From two catalogs to statements in an order that runs. Pure.

use std::collections::BTreeSet;

use crate::acl;
use crate::change::{Change, changes};
use crate::graph::{self, Circle, Half, Order};
use crate::id::{Id, Kind};
use crate::model::Catalog;
use crate::render::{self, Ctx};
use crate::statement::Statement;

/// What leads from one database to another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// In the order in which they run.
    pub statements: Vec<Statement>,
    /// What the databases have that is not compared.
    pub not_compared: Vec<String>,
}

impl Difference {
    /// Whether the databases are equal.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

/// How often a circle is resolved; each time one object more is made anew.
const MAX_CIRCLES: usize = 64;

/// The statements that turn `from` into `to`. Roles are the server's and have to exist.
pub fn difference(from: &Catalog, to: &Catalog) -> Difference {
    let mut forced = BTreeSet::new();
    let mut apart = BTreeSet::new();
    for attempt in 0..=MAX_CIRCLES {
        let changes = changes(from, to, &forced);
        let written_apart = apart.clone();
        let ctx = Ctx { from, to, changes: &changes, apart: &written_apart };
        match graph::order(&ctx, attempt == MAX_CIRCLES) {
            Ok(order) => return write(&ctx, &order),
            Err(circle) => {
                if !resolve(&ctx, &circle, &mut forced, &mut apart) {
                    let Ok(order) = graph::order(&ctx, true) else { break };
                    return write(&ctx, &order);
                }
            }
        }
    }
    Difference::default()
}

/// Finds something on a circle that can be done in two steps instead of one; `false` if there is nothing.
fn resolve(ctx: &Ctx<'_>, circle: &Circle, forced: &mut BTreeSet<Id>, apart: &mut BTreeSet<Id>) -> bool {
    for (half, id) in &circle.0 {
        let may = matches!(
            id.kind,
            Kind::Routine
                | Kind::Policy
                | Kind::Trigger
                | Kind::Rule
                | Kind::Default
                | Kind::Constraint
                | Kind::Index
        ) || ctx.to.relation(id).is_some_and(|it| matches!(it.kind, 'v' | 'm'));
        if *half == Half::Make
            && may
            && ctx.changes.get(id) == Some(Change::Alter)
            && forced.insert(id.clone())
        {
            return true;
        }
    }
    // A default that calls a function of its own table.
    let before = apart.len();
    for (half, id) in &circle.0 {
        if *half == Half::Make && id.kind == Kind::Relation {
            apart.extend(ctx.to.on(Kind::Default, id).map(|it| it.id.clone()));
        }
        if *half == Half::Make && id.kind == Kind::Column {
            let default = Id { kind: Kind::Default, ..id.clone() };
            if ctx.to.objects.contains_key(&default) {
                apart.insert(default);
            }
        }
    }
    apart.len() > before
}

fn write(ctx: &Ctx<'_>, order: &Order) -> Difference {
    let mut statements = Vec::new();
    for (half, id) in &order.steps {
        let (a, b) = (ctx.from.objects.get(id), ctx.to.objects.get(id));
        match (half, ctx.changes.get(id), a, b) {
            (Half::Drop, _, Some(a), _) if !order.implied.contains(id) => {
                statements.extend(render::drop(ctx, a));
            }
            (Half::Make, Some(Change::Alter), Some(a), Some(b)) => {
                statements.extend(render::alter(ctx, a, b));
            }
            (Half::Make, _, _, Some(b)) => statements.extend(render::create(ctx, b)),
            _ => {}
        }
    }
    let rights = acl::default_changes(&ctx.from.default_acls, &ctx.to.default_acls, &ctx.to.user);
    statements.extend(rights.into_iter().map(Statement::new));
    let mut not_compared: Vec<String> =
        ctx.from.unsupported.iter().chain(&ctx.to.unsupported).cloned().collect();
    not_compared.sort();
    not_compared.dedup();
    Difference { statements, not_compared }
}
