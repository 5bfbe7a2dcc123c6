//! Circles in a graph of files.

use std::collections::{BTreeMap, VecDeque};

use super::imports::Arrow;

/// Circles, each a shortest one through its first arrow, until every file that stands in a circle is named.
pub(super) fn circles(arrows: &[Arrow]) -> Vec<Vec<&Arrow>> {
    let next = by_start(arrows);
    let mut circles: Vec<Vec<&Arrow>> = Vec::new();
    for arrow in arrows {
        if circles.iter().flatten().any(|it| it.from == arrow.from) {
            continue;
        }
        if let Some(back) = path(&next, &arrow.to, &arrow.from) {
            circles.push(std::iter::once(arrow).chain(back).collect());
        }
    }
    circles
}

/// Whether arrows lead from one file to another.
pub(super) fn leads_to(arrows: &[Arrow], from: &str, to: &str) -> bool {
    path(&by_start(arrows), from, to).is_some()
}

type Next<'a> = BTreeMap<&'a str, Vec<&'a Arrow>>;

fn by_start(arrows: &[Arrow]) -> Next<'_> {
    let mut next: Next<'_> = BTreeMap::new();
    for arrow in arrows {
        next.entry(&arrow.from).or_default().push(arrow);
    }
    next
}

/// A shortest way.
fn path<'a>(next: &Next<'a>, from: &'a str, to: &str) -> Option<Vec<&'a Arrow>> {
    let mut came_by: BTreeMap<&str, &'a Arrow> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(file) = queue.pop_front() {
        if file == to {
            let mut way = Vec::new();
            let mut at = file;
            while at != from {
                let arrow = came_by.get(at)?;
                way.push(*arrow);
                at = &arrow.from;
            }
            way.reverse();
            return Some(way);
        }
        for arrow in next.get(file).into_iter().flatten() {
            if arrow.to != from && !came_by.contains_key(arrow.to.as_str()) {
                came_by.insert(&arrow.to, arrow);
                queue.push_back(&arrow.to);
            }
        }
    }
    None
}
