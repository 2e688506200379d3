//! A map with a cap that does not depend on the order of merging.
//!
//! Keys are stable 64-bit hashes. When more than the cap come, the smallest hashes are kept: which ones those are
//! depends only on the whole set of keys. What falls out is handed to the caller, who adds it to a visible "other".

use hashbrown::HashMap;

/// Values by hash, at most `cap` of them once [`Bounded::prune`] has run.
#[derive(Debug, Clone)]
pub struct Bounded<V> {
    map: HashMap<u64, V>,
    cap: usize,
    /// Hashes above this are no longer taken.
    limit: Option<u64>,
}

impl<V> Bounded<V> {
    /// An empty map that keeps `cap` values.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { map: HashMap::new(), cap, limit: None }
    }

    /// Whether this hash is one that may be kept.
    #[must_use]
    pub fn takes(&self, hash: u64) -> bool {
        self.limit.is_none_or(|limit| hash <= limit)
    }

    /// The value of a hash that [`Bounded::takes`], made if it is new.
    pub fn entry(&mut self, hash: u64, new: impl FnOnce() -> V) -> &mut V {
        self.map.entry(hash).or_insert_with(new)
    }

    /// The value of a hash.
    #[must_use]
    pub fn get(&self, hash: u64) -> Option<&V> {
        self.map.get(&hash)
    }

    /// The value of a hash.
    pub fn get_mut(&mut self, hash: u64) -> Option<&mut V> {
        self.map.get_mut(&hash)
    }

    /// Whether it is time to prune: twice the cap, so that pruning costs a constant a value.
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        self.map.len() >= self.cap * 2
    }

    /// Keeps the smallest hashes and gives each of the others to `drop`.
    pub fn prune(&mut self, drop: impl FnMut(V)) {
        if self.map.len() > self.cap {
            let mut hashes: Vec<u64> = self.map.keys().copied().collect();
            let (_, limit, _) = hashes.select_nth_unstable(self.cap - 1);
            self.lower(*limit, drop);
        }
    }

    /// Takes over another map's limit.
    pub fn limit_from(&mut self, other: &Self, drop: impl FnMut(V)) {
        if let Some(limit) = other.limit
            && self.takes(limit)
        {
            self.lower(limit, drop);
        }
    }

    fn lower(&mut self, limit: u64, drop: impl FnMut(V)) {
        self.limit = Some(limit);
        self.map.extract_if(|hash, _| *hash > limit).map(|(_, value)| value).for_each(drop);
    }

    /// Adds a value: to that of the same hash by `add`, or to what is beyond the cap by `drop`.
    pub fn absorb(&mut self, hash: u64, value: V, add: impl FnOnce(&mut V, V), mut drop: impl FnMut(V)) {
        if !self.takes(hash) {
            drop(value);
            return;
        }
        match self.map.entry(hash) {
            hashbrown::hash_map::Entry::Occupied(mut known) => add(known.get_mut(), value),
            hashbrown::hash_map::Entry::Vacant(new) => {
                new.insert(value);
                if self.is_overfull() {
                    self.prune(drop);
                }
            }
        }
    }

    /// Adds another part's values, as [`Bounded::absorb`] does.
    pub fn merge(&mut self, other: Self, mut add: impl FnMut(&mut V, V), mut drop: impl FnMut(V)) {
        self.limit_from(&other, &mut drop);
        for (hash, value) in other {
            self.absorb(hash, value, &mut add, &mut drop);
        }
    }

    /// Whether something was dropped.
    #[must_use]
    pub fn is_capped(&self) -> bool {
        self.limit.is_some()
    }

    /// Values kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// All values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        self.map.iter().map(|(hash, value)| (*hash, value))
    }
}

impl<V> IntoIterator for Bounded<V> {
    type Item = (u64, V);
    type IntoIter = hashbrown::hash_map::IntoIter<u64, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.map.into_iter()
    }
}
