//! A map that is bounded by bytes and forgets what is not used.
//!
//! Everything that the server remembers between requests and that a client can make grow is kept in one
//! of these. What an entry weighs is the caller's to say.
//!
//! Eviction gives chances: entries are looked at in the order in which they came; one that was used goes to the
//! end of the queue and has one use less to its credit, the first that has none left is forgotten. So a client
//! that sends ever new requests, each a few times, pushes out its own and not those that others use all the
//! time. A lookup only counts, and what is looked at for eviction was paid for by a lookup.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// No entry may take more than this part of the budget, so that none pushes out many.
const LARGEST_PART: usize = 16;

/// Uses that count at most.
const MOST_USES: u8 = 7;

/// What an entry costs besides what it holds, in bytes: places in the map and in the queue, the key's header.
const OVERHEAD: usize = 160;

/// How often a cache was of use, over all maps that it consisted of: one after another, or one per session.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
    weight: AtomicUsize,
}

/// The figures of a cache at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheFigures {
    /// What it is called, in metrics and in `docs/caches.md`.
    pub name: &'static str,
    /// Lookups that found something, since the start.
    pub hits: u64,
    /// Lookups that found nothing, since the start.
    pub misses: u64,
    /// Entries that went to make room for others, since the start.
    pub evictions: u64,
    /// What it takes now, in bytes, by estimate.
    pub bytes: usize,
}

impl Usage {
    /// The figures, under the cache's name.
    pub(crate) fn figures(&self, name: &'static str) -> CacheFigures {
        CacheFigures {
            name,
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
            evictions: self.evictions.load(Relaxed),
            bytes: self.weight.load(Relaxed),
        }
    }
}

/// The map.
pub(crate) struct Kept<K: ?Sized, V> {
    entries: HashMap<Arc<K>, Entry<V>>,
    /// Keys in the order in which they are looked at.
    queue: VecDeque<Arc<K>>,
    bound: Bound,
    weight: usize,
    usage: Arc<Usage>,
}

/// What a map may take.
#[derive(Debug, Clone, Copy)]
struct Bound {
    budget: usize,
    /// Added to the weight of each entry.
    overhead: usize,
    /// The heaviest entry, with its overhead.
    largest: usize,
}

struct Entry<V> {
    value: V,
    weight: usize,
    /// Uses to its credit. Racing lookups may lose one another, which does no harm.
    uses: AtomicU8,
}

impl<K: ?Sized + Hash + Eq, V> Kept<K, V> {
    /// A map of at most so many bytes.
    pub(crate) fn of_bytes(budget: usize, usage: Arc<Usage>) -> Self {
        Self::bounded(Bound { budget, overhead: OVERHEAD, largest: budget / LARGEST_PART }, usage)
    }

    /// A map of at most so many entries, each of which weighs one.
    pub(crate) fn of_entries(n: usize) -> Self {
        Self::bounded(Bound { budget: n, overhead: 0, largest: n }, Arc::default())
    }

    fn bounded(bound: Bound, usage: Arc<Usage>) -> Self {
        Self { entries: HashMap::new(), queue: VecDeque::new(), bound, weight: 0, usage }
    }

    /// How often it was of use.
    pub(crate) fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }

    /// Whether something of this weight is kept at all.
    pub(crate) fn takes(&self, weight: usize) -> bool {
        weight.saturating_add(self.bound.overhead) <= self.bound.largest
    }

    /// Whether a key has a value. It does not count as a use.
    pub(crate) fn contains(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// The value of a key, marked as used.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        Arc<K>: Borrow<Q>,
        Q: ?Sized + Hash + Eq,
    {
        let Some(entry) = self.entries.get(key) else {
            self.usage.misses.fetch_add(1, Relaxed);
            return None;
        };
        self.usage.hits.fetch_add(1, Relaxed);
        let uses = entry.uses.load(Relaxed);
        if uses < MOST_USES {
            entry.uses.store(uses + 1, Relaxed);
        }
        Some(&entry.value)
    }

    /// Keeps a value; returns those that had to go for it, which may be itself.
    pub(crate) fn insert(&mut self, key: Arc<K>, value: V, weight: usize) -> Vec<V> {
        let mut gone: Vec<V> = self.remove(&*key).into_iter().collect();
        if !self.takes(weight) {
            gone.push(value);
            return gone;
        }
        let weight = weight + self.bound.overhead;
        while self.weight + weight > self.bound.budget {
            match self.evict() {
                Some(value) => gone.push(value),
                None => break,
            }
        }
        self.weight += weight;
        self.usage.weight.fetch_add(weight, Relaxed);
        self.queue.push_back(Arc::clone(&key));
        self.entries.insert(key, Entry { value, weight, uses: AtomicU8::new(0) });
        gone
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.lighten(entry.weight);
        // Rare enough for a look at all of them: only what was found to be out of date is removed.
        self.queue.retain(|it| **it != *key);
        Some(entry.value)
    }

    /// Forgets everything.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = V> + '_ {
        self.queue.clear();
        self.lighten(self.weight);
        self.entries.drain().map(|(_, entry)| entry.value)
    }

    /// Ends, since passing an entry costs it a use.
    fn evict(&mut self) -> Option<V> {
        loop {
            let key = self.queue.pop_front()?;
            let Some(entry) = self.entries.get(&*key) else { continue };
            if let Some(left) = entry.uses.load(Relaxed).checked_sub(1) {
                entry.uses.store(left, Relaxed);
                self.queue.push_back(key);
                continue;
            }
            let entry = self.entries.remove(&*key)?;
            self.lighten(entry.weight);
            self.usage.evictions.fetch_add(1, Relaxed);
            return Some(entry.value);
        }
    }
}

impl<K: ?Sized, V> Kept<K, V> {
    fn lighten(&mut self, weight: usize) {
        self.weight -= weight;
        self.usage.weight.fetch_sub(weight, Relaxed);
    }
}

impl<K: ?Sized, V> Drop for Kept<K, V> {
    fn drop(&mut self) {
        self.lighten(self.weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(kept: &Kept<str, u32>) -> Vec<&str> {
        assert_eq!(kept.queue.len(), kept.entries.len());
        assert_eq!(kept.weight, kept.entries.values().map(|it| it.weight).sum::<usize>());
        assert!(kept.weight <= kept.bound.budget);
        assert_eq!(kept.usage.weight.load(Relaxed), kept.weight);
        kept.queue.iter().map(|it| &**it).collect()
    }

    fn insert(kept: &mut Kept<str, u32>, key: &str, value: u32) -> Vec<u32> {
        kept.insert(key.into(), value, 1000 - OVERHEAD)
    }

    #[test]
    fn what_was_not_used_goes_first() {
        let mut kept = Kept::of_bytes(16_000, Arc::default());
        for (at, key) in ('a'..='p').enumerate() {
            assert!(insert(&mut kept, &key.to_string(), u32::try_from(at).unwrap()).is_empty());
        }
        assert_eq!(kept.get("a"), Some(&0));
        assert_eq!(insert(&mut kept, "q", 16), [1]);
        assert_eq!((kept.get("a"), kept.get("b")), (Some(&0), None));
        assert_eq!(keys(&kept).len(), 16);
    }

    #[test]
    fn what_is_not_used_any_more_goes_in_the_end() {
        let mut kept = Kept::of_bytes(16_000, Arc::default());
        insert(&mut kept, "once dear", 7);
        (0..100).for_each(|_| assert!(kept.get("once dear").is_some()));
        for n in 0..1000 {
            insert(&mut kept, &n.to_string(), n);
        }
        assert_eq!(kept.get("once dear"), None);
    }

    #[test]
    fn what_others_use_survives_a_flood() {
        let mut kept = Kept::of_bytes(16_000, Arc::default());
        insert(&mut kept, "victim", 7);
        for n in 0..10_000 {
            let flood = n.to_string();
            insert(&mut kept, &flood, n);
            for _ in 0..2 {
                assert_eq!(kept.get(&*flood), Some(&n));
            }
            if n % 4 == 0 {
                assert_eq!(kept.get("victim"), Some(&7), "after {n}");
            }
        }
    }

    #[test]
    fn what_it_was_good_for_is_counted_over_all_maps() {
        let usage = Arc::new(Usage::default());
        let mut kept = Kept::of_bytes(16_000, Arc::clone(&usage));
        for n in 0..17 {
            insert(&mut kept, &n.to_string(), n);
        }
        let counted = [kept.get("16").is_some(), kept.get("0").is_some(), kept.contains("1")];
        assert_eq!(counted, [true, false, true]);
        let figures = CacheFigures { name: "it", hits: 1, misses: 1, evictions: 1, bytes: 16_000 };
        assert_eq!(usage.figures("it"), figures);
        let mut beside = Kept::of_bytes(16_000, Arc::clone(&usage));
        insert(&mut beside, "a", 0);
        assert_eq!(usage.figures("it").bytes, 17_000);
        drop(kept);
        assert_eq!(usage.figures("it").bytes, 1000);
        beside.drain().for_each(drop);
        assert_eq!(usage.figures("it").bytes, 0);
    }

    #[test]
    fn entries_may_be_what_is_bounded() {
        let mut kept = Kept::<str, u32>::of_entries(2);
        for n in 0..10 {
            assert_eq!(kept.insert(n.to_string().into(), n, 1).len(), usize::from(n > 1));
        }
        assert_eq!(keys(&kept), ["8", "9"]);
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let mut kept = Kept::<str, u32>::of_bytes(16_000, Arc::default());
        assert_eq!(kept.insert("a".into(), 1, 1001 - OVERHEAD), [1]);
        assert_eq!(kept.insert("a".into(), 2, 1000 - OVERHEAD), [0; 0]);
        assert_eq!(kept.insert("a".into(), 3, 1001 - OVERHEAD), [2, 3]);
        assert_eq!(kept.get("a"), None);
        assert!(!Kept::<str, u32>::of_bytes(0, Arc::default()).takes(0));
    }

    proptest! {
        #[test]
        fn never_more_than_the_budget(
            budget in 0usize..100_000,
            steps in prop::collection::vec((0u32..60, 0usize..2000, 0u8..4), 0..400),
        ) {
            let mut kept = Kept::of_bytes(budget, Arc::default());
            let mut n_alive = 0;
            for (key, weight, what) in steps {
                let name = key.to_string();
                match what {
                    0 => { kept.get(&*name); }
                    1 => n_alive -= usize::from(kept.remove(&name).is_some()),
                    _ => n_alive = n_alive + 1 - kept.insert(name.as_str().into(), key, weight).len(),
                }
                prop_assert_eq!(keys(&kept).len(), n_alive);
            }
            prop_assert_eq!(kept.drain().count(), n_alive);
            prop_assert!(keys(&kept).is_empty());
        }
    }
}
