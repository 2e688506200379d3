//! A mergeable histogram of durations: whole counts in log-linear buckets.
//!
//! Durations below 128 µs have a bucket each; above, every power of two is cut into 64 buckets of equal width, so
//! that a bucket's middle is at most 1/128 (0.78 %) of a value away from any value in it. Counts are integers: merging is
//! addition, and the order of merging cannot matter. (The idea is HdrHistogram's; the layout is our own.)

use arrayvec::ArrayVec;

use crate::units::Micros;

const SUB_BITS: u32 = 6;
const LINEAR: u64 = 1 << (SUB_BITS + 1);
/// Sparse pairs up to this many buckets, a dense array above: most fingerprints are called a few times only.
const SPARSE_LIMIT: usize = 48;
/// Durations that are counted at once in a dense array.
const LATE: usize = 32;

/// Counts by bucket.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// Sorted by bucket; empty once `dense` is in use.
    sparse: Vec<(u16, u64)>,
    /// Index is the bucket.
    dense: Vec<u64>,
    /// Buckets of durations that wait to be counted in `dense`: a processor waits once for the counts of many.
    late: ArrayVec<u16, LATE>,
    total: u64,
}

/// The bucket of a duration.
#[inline(always)]
fn bucket(value: u64) -> u16 {
    if value < LINEAR {
        return value as u16;
    }
    let exponent = value.ilog2();
    let shift = exponent - SUB_BITS;
    let sub = (value >> shift) as u32 & ((1 << SUB_BITS) - 1);
    (((exponent - SUB_BITS) << SUB_BITS) + (1 << SUB_BITS) + sub) as u16
}

/// The middle of a bucket.
fn middle(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < LINEAR {
        return bucket;
    }
    let shift = (bucket >> SUB_BITS) - 1;
    let sub = bucket & ((1 << SUB_BITS) - 1);
    let low = ((1 << SUB_BITS) + sub) << shift;
    low + ((1 << shift) >> 1)
}

impl Histogram {
    /// Counts one duration.
    #[inline(always)]
    pub fn add(&mut self, duration: Micros) {
        self.total += 1;
        self.late.push(bucket(duration.0));
        if self.late.is_full() || self.dense.is_empty() {
            self.settle();
        }
    }

    /// Counts what waits.
    #[inline(never)]
    fn settle(&mut self) {
        for bucket in std::mem::take(&mut self.late) {
            self.count(bucket, 1);
        }
    }

    #[inline(always)]
    fn count(&mut self, bucket: u16, count: u64) {
        match self.dense.get_mut(usize::from(bucket)) {
            Some(counted) => *counted += count,
            None => self.add_elsewhere(bucket, count),
        }
    }

    /// To a bucket that `dense` does not have yet.
    #[inline(never)]
    fn add_elsewhere(&mut self, bucket: u16, count: u64) {
        let index = usize::from(bucket);
        if self.dense.is_empty() {
            match self.sparse.binary_search_by_key(&bucket, |entry| entry.0) {
                Ok(found) => {
                    self.sparse[found].1 += count;
                    return;
                }
                Err(place) if self.sparse.len() < SPARSE_LIMIT => {
                    self.sparse.insert(place, (bucket, count));
                    return;
                }
                Err(_) => {
                    for (bucket, count) in std::mem::take(&mut self.sparse) {
                        let index = usize::from(bucket);
                        if self.dense.len() <= index {
                            self.dense.resize(index + 1, 0);
                        }
                        self.dense[index] = count;
                    }
                }
            }
        }
        if self.dense.len() <= index {
            self.dense.resize(index + 1, 0);
        }
        self.dense[index] += count;
    }

    /// Adds another histogram's counts.
    pub fn merge(&mut self, mut other: Self) {
        other.settle();
        self.total += other.total;
        for (bucket, count) in other.counts() {
            self.count(bucket, count);
        }
    }

    /// By bucket, in order, once nothing waits.
    fn counts(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        let dense = self.dense.iter().enumerate().filter(|(_, count)| **count > 0);
        self.sparse.iter().copied().chain(dense.map(|(bucket, count)| (bucket as u16, *count)))
    }

    /// The smallest duration that at least `permille` of all durations do not exceed, within 0.78 %.
    ///
    /// The rank is `ceil(permille / 1000 × total)`, at least 1 (the nearest-rank definition). `None` when empty.
    #[must_use]
    pub fn quantile(&mut self, permille: u64) -> Option<Micros> {
        self.settle();
        let rank = (u128::from(self.total) * u128::from(permille)).div_ceil(1000).max(1);
        let mut seen = 0_u128;
        for (bucket, count) in self.counts() {
            seen += u128::from(count);
            if seen >= rank {
                return Some(Micros(middle(bucket)));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_durations_are_exact() {
        for value in 0..LINEAR {
            assert_eq!(middle(bucket(value)), value);
        }
    }

    #[test]
    fn the_rank_is_the_nearest_one() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|value| histogram.add(Micros(value)));
        assert_eq!(histogram.quantile(500), Some(Micros(50)));
        assert_eq!(histogram.quantile(990), Some(Micros(99)));
        assert_eq!(histogram.quantile(0), Some(Micros(1)));
        assert_eq!(Histogram::default().quantile(500), None);
    }

    proptest! {
        #[test]
        fn the_error_is_below_one_percent(value in 0_u64..=u64::MAX) {
            let found = middle(bucket(value)) as f64;
            prop_assert!((found - value as f64).abs() <= value as f64 * 0.0079 , "{value} → {found}");
        }

        #[test]
        fn buckets_grow_with_values(a in any::<u64>(), b in any::<u64>()) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(bucket(low) <= bucket(high));
        }

        #[test]
        fn merging_equals_adding(values in prop::collection::vec(0_u64..100_000_000, 0..200), cut in 0_usize..200) {
            let mut whole = Histogram::default();
            let (mut left, mut right) = (Histogram::default(), Histogram::default());
            for (index, value) in values.iter().enumerate() {
                whole.add(Micros(*value));
                if index < cut { left.add(Micros(*value)) } else { right.add(Micros(*value)) }
            }
            left.merge(right);
            for permille in [0, 10, 500, 950, 990, 1000] {
                prop_assert_eq!(left.quantile(permille), whole.quantile(permille));
            }
        }
    }
}
