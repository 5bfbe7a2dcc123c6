//! A bounded memory of tokens whose signature was good.
//!
//! Eviction is SIEVE: entries keep the order they came in, a hand moves from the oldest to the
//! newest, spares entries used since it last passed and evicts the first that was not. A lookup only
//! sets a flag, so readers never wait for each other.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

/// Claims of a token.
pub type Claims = Arc<Map<String, Value>>;

/// The cache.
pub struct TokenCache(RwLock<Sieve>);

#[derive(Default)]
struct Sieve {
    capacity: usize,
    /// Next entry's number; entries are ordered by it.
    next: u64,
    /// Entry the hand points at, by number.
    hand: u64,
    by_token: HashMap<Box<[u8]>, Entry>,
    by_number: std::collections::BTreeMap<u64, Box<[u8]>>,
}

struct Entry {
    claims: Claims,
    visited: AtomicBool,
}

impl TokenCache {
    /// A cache of so many tokens.
    pub fn new(capacity: usize) -> Self {
        Self(RwLock::new(Sieve { capacity, ..Sieve::default() }))
    }

    /// The claims of a token, if it is known.
    pub fn get(&self, token: &[u8]) -> Option<Claims> {
        let sieve = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let entry = sieve.by_token.get(token)?;
        entry.visited.store(true, Relaxed);
        Some(Arc::clone(&entry.claims))
    }

    /// Remembers a token; returns how many had to go for it.
    pub fn insert(&self, token: &[u8], claims: Claims) -> usize {
        let mut sieve = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if sieve.capacity == 0 || sieve.by_token.contains_key(token) {
            return 0;
        }
        let room = sieve.capacity - 1;
        let evicted = sieve.shrink_to(room);
        let number = sieve.next;
        sieve.next += 1;
        sieve.by_number.insert(number, token.into());
        sieve.by_token.insert(token.into(), Entry { claims, visited: AtomicBool::new(false) });
        evicted
    }
}

impl Sieve {
    fn shrink_to(&mut self, size: usize) -> usize {
        let mut evicted = 0;
        while self.by_token.len() > size {
            self.evict();
            evicted += 1;
        }
        evicted
    }

    /// Moves the hand to the first entry not used since it last passed, and drops it. Ends after two
    /// rounds at most, since passing an entry clears its flag.
    fn evict(&mut self) {
        loop {
            let at = self.by_number.range(self.hand..).next().or_else(|| self.by_number.iter().next());
            let Some((&number, token)) = at else { return };
            self.hand = number + 1;
            let used = self.by_token.get(token).is_some_and(|it| it.visited.swap(false, Relaxed));
            if !used {
                if let Some(token) = self.by_number.remove(&number) {
                    self.by_token.remove(&token);
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(cache: &TokenCache) -> Vec<String> {
        let sieve = cache.0.read().unwrap();
        assert!(sieve.by_number.values().all(|it| sieve.by_token.contains_key(it)));
        assert_eq!(sieve.by_number.len(), sieve.by_token.len());
        sieve.by_number.values().map(|it| String::from_utf8_lossy(it).into_owned()).collect()
    }

    #[test]
    fn used_entries_survive_eviction() {
        let cache = TokenCache::new(3);
        for token in ["a", "b", "c"] {
            assert_eq!(cache.insert(token.as_bytes(), Claims::default()), 0);
        }
        assert!(cache.get(b"a").is_some());
        assert_eq!(cache.insert(b"d", Claims::default()), 1);
        assert_eq!(known(&cache), ["a", "c", "d"]);
        // The hand goes on where it stopped: `a` is not looked at again before `c` and `d`.
        assert_eq!(cache.insert(b"e", Claims::default()), 1);
        assert_eq!(known(&cache), ["a", "d", "e"]);
    }

    #[test]
    fn never_holds_more_than_its_capacity() {
        let cache = TokenCache::new(2);
        for n in 0..100u8 {
            cache.insert(&[n], Claims::default());
            cache.get(&[n]);
            assert!(known(&cache).len() <= 2);
        }
        let none = TokenCache::new(0);
        assert_eq!(none.insert(b"x", Claims::default()), 0);
        assert!(none.get(b"x").is_none());
    }
}
