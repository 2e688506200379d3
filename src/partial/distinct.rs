//! How many different parameter sets a statement was called with, and how much time went into asking again.
//!
//! A bottom-k sample: the `k` smallest parameter hashes are kept, each with the first call that had it. While no
//! more than `k` hashes exist the answer is exact; above, the k-th smallest hash gives an estimate with a relative
//! standard error of `1 / sqrt(k - 2)` (Bar-Yossef et al. 2002; Cohen & Kaplan 2007). What is kept depends only on
//! the whole set of hashes, never on the order in which calls were seen or parts were merged.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::bounded::spread;
use crate::report::Distinct;
use crate::units::{ByteOffset, Micros, Timestamp};

/// Parameter sets kept for one fingerprint at most.
pub const MOST_KEPT: usize = 4096;
/// Fewest kept, however many fingerprints there are.
pub const FEWEST_KEPT: usize = 64;
/// Parameter sets kept for all fingerprints together, as long as that allows [`FEWEST_KEPT`] each.
const BUDGET: usize = 2 << 20;
/// From so many sets on a table is too large for a processor's nearest cache. Tests have small ones.
const LARGE: usize = if cfg!(test) { 16 } else { 512 };
/// Calls that wait at most.
const MOST_LATE: usize = 16;

/// How many parameter sets each of `fingerprints` may keep.
///
/// It only falls as fingerprints are added, so a worker that has seen some of them keeps at least what the merged
/// whole will keep.
#[must_use]
pub fn kept_for(fingerprints: usize) -> usize {
    (BUDGET / fingerprints.max(1)).clamp(FEWEST_KEPT, MOST_KEPT)
}

/// Which of two calls was first: by time, then by place.
type Moment = (Timestamp, u32, ByteOffset);

/// The first call with one set of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct First {
    hash: u64,
    order: Moment,
    duration: Micros,
}

/// What a table finds a hash by: kept ones are small, so that their upper bits say nothing.
fn spot(hash: u64) -> u64 {
    hash.rotate_left(32)
}

/// The distinct parameter sets of one fingerprint.
#[derive(Debug, Clone, Default)]
pub struct ParamSets {
    /// Each set's first call.
    firsts: Vec<First>,
    /// Their places, by hash. The hashes stand here once more: most of those that are looked up are known.
    kept: HashTable<(u64, u32)>,
    /// Calls that wait for the table to be looked into: a processor waits once for the places of many.
    late: Vec<First>,
    /// No call of a set that is kept is later than this one.
    latest: Option<First>,
    /// Hashes above this were dropped; `None` while nothing was.
    limit: Option<u64>,
    /// Calls whose parameters are known, and their duration.
    calls: u64,
    duration: Micros,
}

impl ParamSets {
    /// Counts one call. `keep` is [`kept_for`] of the fingerprints seen so far.
    #[inline(always)]
    pub fn add(&mut self, params: u64, order: Moment, duration: Micros, keep: usize) {
        self.calls += 1;
        self.duration += duration;
        self.keep_first(First { hash: spread(params), order, duration }, keep);
    }

    #[inline(always)]
    fn keep_first(&mut self, first: First, keep: usize) {
        // Statements without values always have the same.
        if let Some(latest) = &mut self.latest
            && latest.hash == first.hash
            && latest.order <= first.order
        {
            latest.order = first.order;
        } else if self.limit.is_none_or(|limit| first.hash <= limit) {
            if self.firsts.len() < LARGE {
                self.insert(first, keep);
            } else {
                self.put_off(first, keep);
            }
        }
    }

    #[inline(never)]
    fn put_off(&mut self, first: First, keep: usize) {
        self.late.push(first);
        if self.late.len() >= MOST_LATE {
            self.settle(keep);
        }
    }

    /// Looks up what waits.
    fn settle(&mut self, keep: usize) {
        let mut late = std::mem::take(&mut self.late);
        for first in late.drain(..) {
            // There may be a lower limit by now.
            if self.limit.is_none_or(|limit| first.hash <= limit) {
                self.insert(first, keep);
            }
        }
        self.late = late;
    }

    #[inline(never)]
    fn insert(&mut self, first: First, keep: usize) {
        let late = self.latest.is_some_and(|latest| first.order < latest.order);
        if !late {
            self.latest = Some(first);
        }
        let firsts = &mut self.firsts;
        match self.kept.entry(spot(first.hash), |known| known.0 == first.hash, |known| spot(known.0)) {
            Entry::Occupied(_) if !late => {}
            Entry::Occupied(place) => {
                let known = &mut firsts[place.get().1 as usize];
                if first.order < known.order {
                    *known = first;
                }
            }
            Entry::Vacant(vacant) => {
                vacant.insert((first.hash, firsts.len() as u32));
                firsts.push(first);
            }
        }
        // Pruning at half more than the size makes the cost of a call constant on average, and keeps the table small.
        if self.firsts.len() >= keep + keep / 2 {
            self.prune(keep);
        }
    }

    /// Drops all but the `keep` smallest hashes.
    fn prune(&mut self, keep: usize) {
        if self.firsts.len() <= keep {
            return;
        }
        let mut hashes: Vec<u64> = self.firsts.iter().map(|first| first.hash).collect();
        let (_, limit, _) = hashes.select_nth_unstable(keep - 1);
        let limit = *limit;
        self.lower(self.limit.map_or(limit, |old| old.min(limit)));
    }

    /// Drops the hashes above a limit.
    fn lower(&mut self, limit: u64) {
        self.limit = Some(limit);
        self.firsts.retain(|first| first.hash <= limit);
        self.kept.clear();
        for (place, first) in (0..).zip(&self.firsts) {
            self.kept.insert_unique(spot(first.hash), (first.hash, place), |known| spot(known.0));
        }
    }

    /// Adds the calls of another part of the log.
    pub fn merge(&mut self, mut other: Self, keep: usize) {
        other.settle(keep);
        self.calls += other.calls;
        self.duration += other.duration;
        if let Some(limit) = other.limit
            && self.limit.is_none_or(|own| limit < own)
        {
            self.lower(limit);
        }
        other.firsts.into_iter().for_each(|first| self.keep_first(first, keep));
    }

    /// Calls whose parameters are known.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The answer, once everything is merged: distinct sets, and the time of all calls but the first of each set.
    #[must_use]
    pub fn finish(&mut self, keep: usize) -> (Distinct, Micros) {
        self.settle(keep);
        self.prune(keep);
        let firsts: u64 = self.firsts.iter().map(|first| first.duration.0).sum();
        let Some(limit) = self.limit else {
            let distinct = Distinct { count: self.firsts.len() as u64, exact: true, error_permille: 0 };
            return (distinct, Micros(self.duration.0.saturating_sub(firsts)));
        };
        let kept = self.firsts.len().max(1) as u128;
        // (k - 1) / U(k) where U is the k-th smallest hash as a share of all possible hashes.
        let count = (((kept - 1) << 64) / (u128::from(limit) + 1)).min(u128::from(self.calls)) as u64;
        let mean_first = u128::from(firsts) / kept;
        let first_time = (mean_first * u128::from(count)).min(u128::from(self.duration.0)) as u64;
        let error_permille = (1000.0 / ((kept as f64) - 2.0).max(1.0).sqrt()).ceil() as u32;
        (Distinct { count, exact: false, error_permille }, Micros(self.duration.0 - first_time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(place: u64) -> Moment {
        (Timestamp(place as i64), 0, ByteOffset(place))
    }

    #[test]
    fn repeats_cost_what_came_after_the_first() {
        let mut sets = ParamSets::default();
        // Two questions: 7 asked three times (10, 20, 30 µs), 8 once. The order of arrival is not that of time.
        sets.add(7, order(2), Micros(20), 64);
        sets.add(7, order(1), Micros(10), 64);
        sets.add(8, order(4), Micros(99), 64);
        sets.add(7, order(3), Micros(30), 64);
        let (distinct, repeats) = sets.finish(64);
        assert_eq!((distinct.count, distinct.exact), (2, true));
        assert_eq!(repeats, Micros(20 + 30));
    }

    #[test]
    fn above_the_cap_the_estimate_is_close() {
        let mut sets = ParamSets::default();
        for value in 0..50_000_u64 {
            sets.add(value.wrapping_mul(0x2545_F491_4F6C_DD1D), order(value), Micros(10), 1024);
            sets.add(value.wrapping_mul(0x2545_F491_4F6C_DD1D), order(value + 1_000_000), Micros(10), 1024);
        }
        let (distinct, repeats) = sets.finish(1024);
        assert!(!distinct.exact);
        assert_eq!(distinct.error_permille, 32);
        // Three standard errors.
        assert!((45_300..=54_700).contains(&distinct.count), "{distinct:?}");
        assert!((450_000..=550_000).contains(&repeats.0), "{repeats:?}");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_answer(
            calls in prop::collection::vec((0_u64..400, 0_u64..1000), 0..600),
            cut in 0_usize..600,
        ) {
            let mut whole = ParamSets::default();
            let (mut left, mut right) = (ParamSets::default(), ParamSets::default());
            for (place, (params, duration)) in calls.iter().enumerate() {
                let part = if place < cut { &mut left } else { &mut right };
                // Parts may keep more than the whole: they have seen fewer fingerprints.
                part.add(*params, order(place as u64), Micros(*duration), 100);
                whole.add(*params, order(place as u64), Micros(*duration), 64);
            }
            right.merge(left, 80);
            prop_assert_eq!(right.finish(64), whole.finish(64));
        }
    }
}
