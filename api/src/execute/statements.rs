//! A bounded map from SQL text to what a connection knows of the prepared statement.

use std::collections::HashMap;

/// Least-recently-used cache of prepared statements of one connection.
///
/// Lookups are by the text itself: its shape never depends on a request's values.
pub(super) struct StatementCache<V> {
    entries: HashMap<Box<str>, Entry<V>>,
    capacity: usize,
    clock: u64,
}

struct Entry<V> {
    value: V,
    used: u64,
}

impl<V> StatementCache<V> {
    /// A cache of at most `capacity` statements.
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), capacity: capacity.max(1), clock: 0 }
    }

    /// The statement prepared for this text, marked as used.
    pub(super) fn get(&mut self, text: &str) -> Option<&V> {
        self.clock += 1;
        let entry = self.entries.get_mut(text)?;
        entry.used = self.clock;
        Some(&entry.value)
    }

    /// Remembers a statement; returns the one that had to go, which the caller closes.
    pub(super) fn insert(&mut self, text: &str, value: V) -> Option<V> {
        self.clock += 1;
        let evicted = if self.entries.len() >= self.capacity && !self.entries.contains_key(text) {
            self.evict_oldest()
        } else {
            None
        };
        let replaced = self.entries.insert(text.into(), Entry { value, used: self.clock });
        evicted.or(replaced.map(|it| it.value))
    }

    /// Forgets everything.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = V> + '_ {
        self.entries.drain().map(|(_, entry)| entry.value)
    }

    // A scan of a few hundred integers, paid only when a new statement is prepared, which costs the
    // server a thousand times as much.
    fn evict_oldest(&mut self) -> Option<V> {
        let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used)?.0.clone();
        self.entries.remove(&oldest).map(|it| it.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insert_beyond_capacity_evicts_least_recently_used() {
        let mut cache = StatementCache::new(2);
        assert_eq!(cache.insert("a", 1), None);
        assert_eq!(cache.insert("b", 2), None);
        assert_eq!(cache.get("a"), Some(&1));
        assert_eq!(cache.insert("c", 3), Some(2));
        assert_eq!(cache.get("b"), None);
        assert_eq!(cache.get("a"), Some(&1));
        assert_eq!(cache.get("c"), Some(&3));
    }

    #[test]
    fn insert_of_known_text_returns_replaced_value() {
        let mut cache = StatementCache::new(1);
        assert_eq!(cache.insert("a", 1), None);
        assert_eq!(cache.insert("a", 2), Some(1));
        assert_eq!(cache.get("a"), Some(&2));
        assert_eq!(cache.drain().collect::<Vec<_>>(), [2]);
        assert_eq!(cache.get("a"), None);
    }
}
