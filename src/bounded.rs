//! A map with a cap that does not depend on the order of merging.
//!
//! Keys are stable 64-bit hashes. When more than the cap come, the smallest hashes are kept: which ones those are
//! depends only on the whole set of keys. What falls out is handed to the caller, who adds it to a visible "other".

use hashbrown::HashMap;

/// Places that are remembered; a power of two.
const LATELY: usize = 128;

/// Hashes are compared by size, so they must be uniform even where what they are made of is not.
#[must_use]
pub fn spread(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ (mixed >> 32)
}

/// Values by hash, at most `cap` of them once [`Bounded::prune`] has run.
#[derive(Debug, Clone)]
pub struct Bounded<V> {
    /// Places in `list`, by hash.
    index: HashMap<u64, u32>,
    /// In no order.
    list: Vec<(u64, V)>,
    /// Places where the hashes asked for last were, by their low bits: the few statements of which most of a log
    /// consists are found without the index.
    lately: [u32; LATELY],
    cap: usize,
    /// Hashes above this are no longer taken.
    limit: Option<u64>,
}

impl<V> Bounded<V> {
    /// An empty map that keeps `cap` values.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { index: HashMap::new(), list: Vec::new(), lately: [0; LATELY], cap, limit: None }
    }

    /// Whether this hash is one that may be kept.
    #[must_use]
    pub fn takes(&self, hash: u64) -> bool {
        self.limit.is_none_or(|limit| hash <= limit)
    }

    /// The place of a hash, for [`Bounded::at`], until something is added or dropped.
    #[inline(always)]
    pub fn place(&mut self, hash: u64) -> Option<usize> {
        let lately = self.lately[hash as usize % LATELY] as usize;
        match self.list.get(lately) {
            Some((known, _)) if *known == hash => Some(lately),
            _ => self.other_place(hash),
        }
    }

    #[inline(never)]
    fn other_place(&mut self, hash: u64) -> Option<usize> {
        let place = *self.index.get(&hash)?;
        self.lately[hash as usize % LATELY] = place;
        Some(place as usize)
    }

    /// The place of a hash, made if it is new; `None` beyond the cap. Making room gives values to `drop`.
    #[inline(always)]
    pub fn admit(&mut self, hash: u64, new: impl FnOnce() -> V, drop: impl FnMut(V)) -> Option<usize> {
        match self.place(hash) {
            Some(place) => Some(place),
            None => self.admit_new(hash, new, drop),
        }
    }

    #[cold]
    #[inline(never)]
    fn admit_new(&mut self, hash: u64, new: impl FnOnce() -> V, drop: impl FnMut(V)) -> Option<usize> {
        if self.is_overfull() {
            self.prune(drop);
        }
        if !self.takes(hash) {
            return None;
        }
        self.entry(hash, new);
        self.place(hash)
    }

    /// The value in a place.
    ///
    /// # Panics
    /// When there is none.
    #[inline(always)]
    pub fn at(&mut self, place: usize) -> &mut V {
        &mut self.list[place].1
    }

    /// The value of a hash that [`Bounded::takes`], made if it is new.
    pub fn entry(&mut self, hash: u64, new: impl FnOnce() -> V) -> &mut V {
        let place = self.place(hash).unwrap_or_else(|| {
            self.index.insert(hash, self.list.len() as u32);
            self.list.push((hash, new()));
            self.list.len() - 1
        });
        &mut self.list[place].1
    }

    /// The value of a hash.
    #[must_use]
    pub fn get(&self, hash: u64) -> Option<&V> {
        let place = *self.index.get(&hash)?;
        self.list.get(place as usize).map(|(_, value)| value)
    }

    /// The value of a hash.
    #[inline]
    pub fn get_mut(&mut self, hash: u64) -> Option<&mut V> {
        let place = self.place(hash)?;
        Some(&mut self.list[place].1)
    }

    /// Whether it is time to prune: twice the cap, so that pruning costs a constant a value.
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        self.list.len() >= self.cap * 2
    }

    /// Keeps the smallest hashes and gives each of the others to `drop`.
    pub fn prune(&mut self, drop: impl FnMut(V)) {
        if self.list.len() > self.cap {
            let mut hashes: Vec<u64> = self.list.iter().map(|(hash, _)| *hash).collect();
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
        self.list.extract_if(.., |(hash, _)| *hash > limit).map(|(_, value)| value).for_each(drop);
        let places = self.list.iter().enumerate();
        self.index = places.map(|(place, (hash, _))| (*hash, place as u32)).collect();
    }

    /// Adds a value: to that of the same hash by `add`, or to what is beyond the cap by `drop`.
    pub fn absorb(&mut self, hash: u64, value: V, add: impl FnOnce(&mut V, V), mut drop: impl FnMut(V)) {
        if !self.takes(hash) {
            drop(value);
            return;
        }
        match self.place(hash) {
            Some(place) => add(&mut self.list[place].1, value),
            None => {
                self.entry(hash, || value);
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
        self.list.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        self.list.iter().map(|(hash, value)| (*hash, value))
    }
}

impl<V> IntoIterator for Bounded<V> {
    type Item = (u64, V);
    type IntoIter = std::vec::IntoIter<(u64, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_smallest_hashes_stay(hashes in proptest::collection::vec(0_u64..200, 0..300), cap in 1_usize..40) {
            let mut map = Bounded::new(cap);
            let mut dropped = 0;
            for hash in &hashes {
                map.absorb(*hash, 1_u64, |sum, one| *sum += one, |lost| dropped += lost);
                if map.takes(*hash) {
                    prop_assert!(map.get_mut(*hash).is_some());
                }
            }
            map.prune(|lost| dropped += lost);
            let mut expected: Vec<u64> = hashes.clone();
            expected.sort_unstable();
            expected.dedup();
            expected.truncate(cap);
            let mut kept: Vec<u64> = map.iter().map(|(hash, _)| hash).collect();
            kept.sort_unstable();
            prop_assert_eq!(&kept, &expected);
            for hash in expected {
                let times = hashes.iter().filter(|other| **other == hash).count() as u64;
                prop_assert_eq!(map.get(hash), Some(&times));
            }
            prop_assert_eq!(map.iter().map(|(_, count)| count).sum::<u64>() + dropped, hashes.len() as u64);
        }
    }
}
