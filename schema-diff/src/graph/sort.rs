//! A topological order; where several are possible, one that reads well.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use crate::id::{Id, Kind};
use crate::model::{Body, Object};
use crate::render::Ctx;

use super::{Circle, Half, Step};

/// Place of a step among those that could come next.
type Rank = (u8, Reverse<u8>, u8, i32, Id);

fn kind_rank(object: Option<&Object>, kind: Kind) -> u8 {
    // Views and what they call come after all tables, materialized views, which run at once, after the functions.
    match object.map(|it| &it.body) {
        Some(Body::Relation(it)) if it.kind == 'v' => Kind::Default as u8,
        Some(Body::Relation(it)) if it.kind == 'm' => Kind::Attach as u8,
        _ => kind as u8,
    }
}

fn rank(ctx: &Ctx<'_>, step: &Step) -> Rank {
    let (half, id) = step;
    let catalog = if *half == Half::Drop { ctx.from } else { ctx.to };
    let object = catalog.objects.get(id);
    let position = match object.map(|it| &it.body) {
        Some(Body::Column(it)) => it.position,
        Some(Body::Attach(it)) => it.position,
        _ => 0,
    };
    let kind = kind_rank(object, id.kind);
    match half {
        Half::Drop => (0, Reverse(kind), 0, position, id.clone()),
        Half::Make => (1, Reverse(0), kind, position, id.clone()),
    }
}

/// Sorts steps by what has to come before each.
pub(super) fn sort(
    ctx: &Ctx<'_>,
    before: &HashMap<Step, BTreeSet<Step>>,
    give_up: bool,
) -> Result<Vec<Step>, Circle> {
    let mut waits: HashMap<Step, usize> = before.iter().map(|(step, it)| (step.clone(), it.len())).collect();
    let mut after: HashMap<&Step, Vec<&Step>> = HashMap::new();
    for (step, firsts) in before {
        for first in firsts {
            after.entry(first).or_default().push(step);
        }
    }
    let ranked = |step: &Step| (rank(ctx, step), step.clone());
    let mut ready: BTreeSet<(Rank, Step)> =
        waits.iter().filter(|(_, n)| **n == 0).map(|(it, _)| ranked(it)).collect();
    let mut out = Vec::with_capacity(before.len());
    while out.len() < before.len() {
        let step = match ready.pop_first() {
            Some((_, step)) => step,
            None if give_up => {
                let stuck = waits.iter().filter(|(_, n)| **n > 0).map(|(it, _)| ranked(it)).min();
                let Some((_, step)) = stuck else { break };
                step
            }
            None => return Err(circle(before, &waits)),
        };
        waits.insert(step.clone(), 0);
        for then in after.get(&step).into_iter().flatten() {
            if let Some(n) = waits.get_mut(*then)
                && *n > 0
            {
                *n -= 1;
                if *n == 0 {
                    ready.insert(ranked(then));
                }
            }
        }
        out.push(step);
    }
    Ok(out)
}

/// Follows what waits for what until a step comes again.
fn circle(before: &HashMap<Step, BTreeSet<Step>>, waits: &HashMap<Step, usize>) -> Circle {
    let stuck = |it: &Step| waits.get(it).is_some_and(|n| *n > 0);
    let mut path: Vec<Step> = Vec::new();
    let mut at = before.keys().filter(|it| stuck(it)).min().cloned();
    while let Some(step) = at {
        if let Some(start) = path.iter().position(|it| *it == step) {
            return Circle(path.split_off(start));
        }
        at = before.get(&step).and_then(|it| it.iter().find(|it| stuck(it))).cloned();
        path.push(step);
    }
    Circle(path)
}
