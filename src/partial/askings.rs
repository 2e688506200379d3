//! [`Askings`]: when one question was asked, with which parameters; of long logs a sample of the parameters.
//!
//! A sample keeps all askings of a parameter set or none: those of the smallest hashes, as many as there is room for.
//! Which ones these are depends only on all askings, not on the order in which they came.

use super::trace::Moment;
use crate::units::{Micros, Timestamp};

/// Askings kept of one statement at least.
pub(super) const FEWEST_ASKINGS: usize = 1 << 10;
/// Bins of the histogram that a limit is read off; a power of two.
const BINS: usize = 1 << 12;

/// One asking of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asking {
    /// Hash of the parameters.
    pub key: u64,
    /// When.
    pub moment: Moment,
    /// Hash of the trace, or of the session where there is none.
    pub who: u32,
    /// Microseconds, at most 71 minutes.
    pub duration: u32,
    /// The first of [`Step::pairs`](crate::finding::Step::pairs).
    pub pairs: [u32; 3],
}

impl Asking {
    /// After every other.
    const LAST: Self = Self {
        key: u64::MAX,
        moment: Moment { time: Timestamp(i64::MAX), stream: u32::MAX, at: u64::MAX },
        who: u32::MAX,
        duration: u32::MAX,
        pairs: [u32::MAX; 3],
    };
}

/// The askings of one statement.
#[derive(Debug, Clone, Default)]
pub struct Askings {
    /// All of them: calls and time.
    pub calls: u64,
    /// Their time.
    pub duration: Micros,
    /// The first of them.
    pub first: Option<Moment>,
    /// Those that were kept.
    pub kept: Vec<Asking>,
    limit: Option<Asking>,
    /// Once finished: the keys below this were kept; of a sample of several.
    bound: Option<u64>,
}

impl Askings {
    /// Whether an asking with this key has no place any more.
    #[inline]
    pub(super) fn is_beyond(&self, key: u64) -> bool {
        self.limit.is_some_and(|limit| key > limit.key)
    }

    /// Adds an asking; `keep` is only asked when there are many.
    pub(super) fn add(&mut self, asking: Asking, keep: impl FnOnce() -> usize) {
        if self.limit.is_some_and(|limit| asking > limit) {
            return;
        }
        self.kept.push(asking);
        if self.kept.len() > FEWEST_ASKINGS {
            let keep = keep();
            if self.kept.len() >= keep + keep / 2 {
                self.thin(keep);
            }
        }
    }

    /// Drops most of what is more than `keep`, in the order in which they came: a limit is read off a histogram of
    /// the keys, which are hashes. Where many have one key, that one is cut in time.
    fn thin(&mut self, keep: usize) {
        let highest = self.limit.map_or(u64::MAX, |limit| limit.key);
        let shift = (64 - highest.leading_zeros()).saturating_sub(BINS.trailing_zeros());
        let mut bins = [0_u32; BINS];
        for asking in &self.kept {
            bins[(asking.key >> shift) as usize] += 1;
        }
        let mut below = 0;
        let bin = bins.iter().position(|count| {
            below += *count as usize;
            below >= keep
        });
        let Some(bin) = bin.filter(|_| below <= keep + keep / 8) else { return self.prune(keep) };
        let key = ((bin as u64) << shift) | ((1_u64 << shift) - 1);
        self.lower(Asking { key, ..Asking::LAST });
    }

    fn prune(&mut self, keep: usize) {
        if self.kept.len() > keep {
            let (_, limit, _) = self.kept.select_nth_unstable(keep - 1);
            self.limit = Some(*limit);
            self.kept.truncate(keep);
        }
    }

    fn lower(&mut self, limit: Asking) {
        if self.limit.is_none_or(|own| limit < own) {
            self.limit = Some(limit);
            self.kept.retain(|asking| *asking <= limit);
        }
    }

    pub(super) fn merge(&mut self, other: Self, keep: usize) {
        self.calls += other.calls;
        self.duration += other.duration;
        self.first = self.first.into_iter().chain(other.first).min();
        if let Some(limit) = other.limit {
            self.lower(limit);
        }
        if self.kept.is_empty() {
            let limit = self.limit;
            self.kept = other.kept;
            self.kept.retain(|asking| limit.is_none_or(|limit| *asking <= limit));
            return;
        }
        for asking in other.kept {
            self.add(asking, || keep);
        }
    }

    /// Sorted by key and time; what was cut short is dropped.
    pub(super) fn finish(&mut self, keep: usize) {
        if self.kept.len() > keep {
            self.thin(keep);
        }
        self.sort();
        if self.kept.len() > keep {
            self.kept.truncate(keep);
            self.limit = self.kept.last().copied();
        }
        if self.limit.is_some()
            && let (Some(first), Some(last)) = (self.kept.first(), self.kept.last())
            && first.key != last.key
        {
            let key = last.key;
            self.kept.truncate(self.kept.partition_point(|asking| asking.key < key));
            self.bound = Some(key);
        }
    }

    /// Sorts by key and time. Keys are hashes: their upper bits and a place make one word, and words are sorted many
    /// times faster than askings.
    fn sort(&mut self) {
        let places = self.kept.len().next_power_of_two() as u64 - 1;
        let names = self.kept.iter().zip(0..).map(|(asking, place)| asking.key & !places | place);
        let mut order: Vec<u64> = names.collect();
        order.sort_unstable();
        // Each to its place, within the list: one circle of those that take each other's place after the other.
        for start in 0..order.len() {
            let mut to = start;
            loop {
                let from = (std::mem::replace(&mut order[to], to as u64) & places) as usize;
                if from == start {
                    break;
                }
                self.kept.swap(to, from);
                to = from;
            }
        }
        // Those of one key mostly came in order.
        let alike = |a: &Asking, b: &Asking| (a.key ^ b.key) & !places == 0;
        for same in self.kept.chunk_by_mut(alike).filter(|same| !same.is_sorted()) {
            same.sort_unstable();
        }
    }

    /// How many parameter sets there are for so many that were kept. Keys are hashes: the share of them that lies below
    /// a bound is the share of the sets, however often each of them was asked for.
    #[must_use]
    pub fn sets(&self, kept: u64) -> u64 {
        let (kept, calls) = (u128::from(kept), u128::from(self.calls));
        let sets = match self.bound {
            // No set stands for more of them than there are calls.
            Some(bound) => ((kept << 64) / u128::from(bound.max(1))).min(kept * calls),
            None => (kept * calls).checked_div(self.kept.len() as u128).unwrap_or(0),
        };
        u64::try_from(sets).unwrap_or(u64::MAX)
    }

    /// Whether all askings were kept.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.limit.is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By hand: the smallest, but for the key that may have been cut short.
    fn expected(mut all: Vec<Asking>, keep: usize) -> Vec<Asking> {
        all.sort();
        if all.len() > keep {
            all.truncate(keep);
            let (first, last) = (all[0].key, all[keep - 1].key);
            all.retain(|asking| first == last || asking.key < last);
        }
        all
    }

    proptest! {
        #[test]
        fn the_smallest_keys_are_kept_in_order(
            // Some alike, some alike in their upper bits, some in an order that turns everything around.
            keys in prop::collection::vec(
                (prop_oneof![0..6_u64, (0..40_u64).prop_map(|key| key << 58 | 3), any::<u64>()], 0..9_i64),
                0..300,
            ),
            turn in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
            keep in 1..400_usize,
        ) {
            let asking = |((key, time), at): ((u64, i64), u64)| Asking {
                key,
                moment: Moment { time: Timestamp(time), stream: 0, at },
                who: 0,
                duration: 0,
                pairs: [0; 3],
            };
            let mut all: Vec<Asking> = keys.into_iter().zip(0..).map(asking).collect();
            if turn.index(2) == 0 && !all.is_empty() {
                all.sort();
                let middle = turn.index(all.len());
                all.rotate_left(middle);
            }
            let cut = cut.index(all.len() + 1);
            let (mut whole, mut left, mut right) = (Askings::default(), Askings::default(), Askings::default());
            for (place, asking) in all.iter().enumerate() {
                whole.add(*asking, || keep);
                if place < cut { &mut left } else { &mut right }.add(*asking, || keep);
            }
            right.merge(left, keep);
            for mut askings in [whole, right] {
                askings.finish(keep);
                prop_assert_eq!(&askings.kept, &expected(all.clone(), keep));
                prop_assert_eq!(askings.is_exact(), all.len() <= keep);
            }
        }
    }
}
