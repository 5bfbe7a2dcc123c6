//! A bounded memory of tokens whose signature was good.

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

use crate::kept::Kept;

/// Claims of a token.
pub type Claims = Arc<Map<String, Value>>;

/// The cache. A lookup only counts, so readers never wait for each other.
pub struct TokenCache(RwLock<Kept<[u8], Claims>>);

impl TokenCache {
    /// A cache of so many tokens.
    pub fn new(capacity: usize) -> Self {
        Self(RwLock::new(Kept::of_entries(capacity)))
    }

    /// The claims of a token, if it is known.
    pub fn get(&self, token: &[u8]) -> Option<Claims> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(token).map(Arc::clone)
    }

    /// Remembers a token; returns how many had to go for it.
    pub fn insert(&self, token: &[u8], claims: Claims) -> usize {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !kept.takes(1) || kept.contains(token) {
            return 0;
        }
        kept.insert(token.into(), claims, 1).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_use_survives_those_that_came_later() {
        let cache = TokenCache::new(3);
        for token in ["a", "b", "c"] {
            assert_eq!(cache.insert(token.as_bytes(), Claims::default()), 0);
        }
        assert!(cache.get(b"a").is_some());
        assert_eq!(cache.insert(b"a", Claims::default()), 0);
        assert_eq!(cache.insert(b"d", Claims::default()), 1);
        let known = |token: &str| cache.get(token.as_bytes()).is_some();
        assert_eq!(["a", "b", "c", "d"].map(known), [true, false, true, true]);
    }

    #[test]
    fn never_holds_more_than_its_capacity() {
        let cache = TokenCache::new(2);
        for n in 0..100u8 {
            assert_eq!(cache.insert(&[n], Claims::default()), usize::from(n > 1));
        }
        let none = TokenCache::new(0);
        assert_eq!(none.insert(b"x", Claims::default()), 0);
        assert!(none.get(b"x").is_none());
    }
}
