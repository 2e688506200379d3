//! Response times as a histogram that adds up, with the exact smallest, largest and sum.
//!
//! Serves [`crate::report`]. Two significant digits: a percentile is at most 1 % above the true value, and a
//! histogram of a minute fits on a page of JSON.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

const DIGITS: u8 = 2;
/// A histogram of times beyond an hour would be a histogram of something else.
const LONGEST_US: u64 = 3_600_000_000;

/// Times in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Times {
    histogram: Histogram<u64>,
    min: u64,
    max: u64,
    sum: u64,
}

impl Default for Times {
    fn default() -> Times {
        let histogram = Histogram::new(DIGITS).expect("two digits are allowed");
        Times { histogram, min: u64::MAX, max: 0, sum: 0 }
    }
}

/// The form in JSON: percentiles for readers, pairs of time and count for merging.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    count: u64,
    min: u64,
    max: u64,
    sum: u64,
    p50: u64,
    p90: u64,
    p95: u64,
    p99: u64,
    histogram: Vec<(u64, u64)>,
}

impl Times {
    /// One time more.
    pub fn record(&mut self, us: u64) {
        self.put(us, 1);
        self.min = self.min.min(us);
        self.max = self.max.max(us);
        self.sum = self.sum.saturating_add(us);
    }

    /// Adds other times.
    pub fn add(&mut self, other: &Times) {
        self.histogram.add(&other.histogram).expect("both grow as needed");
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The shortest; 0 when there is none.
    pub fn min(&self) -> u64 {
        self.min.min(self.max)
    }

    /// The longest; 0 when there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The mean, rounded down; 0 when there is none.
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.count()).unwrap_or(0)
    }

    /// The time that `percent` of all did not exceed; 0 when there is none.
    pub fn percentile(&self, percent: u8) -> u64 {
        match self.count() {
            0 => 0,
            _ => self.histogram.value_at_percentile(f64::from(percent)).clamp(self.min(), self.max),
        }
    }

    fn put(&mut self, us: u64, count: u64) {
        self.histogram.record_n(us.min(LONGEST_US), count).expect("it grows as needed");
    }
}

impl From<Times> for Written {
    fn from(times: Times) -> Written {
        let pairs = times.histogram.iter_recorded();
        Written {
            count: times.count(),
            min: times.min(),
            max: times.max,
            sum: times.sum,
            p50: times.percentile(50),
            p90: times.percentile(90),
            p95: times.percentile(95),
            p99: times.percentile(99),
            histogram: pairs.map(|v| (v.value_iterated_to(), v.count_since_last_iteration())).collect(),
        }
    }
}

impl From<Written> for Times {
    /// What can be computed from the pairs is.
    fn from(written: Written) -> Times {
        let mut times = Times::default();
        for (us, count) in written.histogram {
            times.put(us, count);
        }
        if times.count() > 0 {
            (times.min, times.max, times.sum) = (written.min, written.max, written.sum);
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition: the smallest recorded time with at least that share at or below it.
    #[test]
    fn percentiles_are_within_a_percent_of_the_sorted_list() {
        let mut all: Vec<u64> = (0..5_000u64).map(|i| (i * i * 37) % 700_001 + 1).collect();
        let mut times = Times::default();
        all.iter().for_each(|us| times.record(*us));
        all.sort_unstable();
        for percent in [1u8, 50, 90, 95, 99, 100] {
            let rank = (all.len() * usize::from(percent)).div_ceil(100);
            let exact = all[rank - 1];
            let got = times.percentile(percent);
            assert!(got >= exact && got * 100 <= exact * 101, "p{percent}: {got}, exactly {exact}");
        }
        assert_eq!((times.min(), times.max()), (all[0], all[all.len() - 1]));
        assert_eq!(times.mean(), all.iter().sum::<u64>() / 5_000);
    }

    #[test]
    fn nothing_is_zero() {
        let times = Times::default();
        assert_eq!(
            (times.count(), times.min(), times.max(), times.mean(), times.percentile(99)),
            (0, 0, 0, 0, 0)
        );
        let text = serde_json::to_string(&times).unwrap();
        assert_eq!(serde_json::from_str::<Times>(&text).unwrap(), times);
    }
}
