//! What this process measured of its requests: how many, how they ended, how long they took, on what.
//!
//! Serves `/metrics` ([`text`]) and the runs. [`clock`] measures one request, this adds up all of them.
//! Statements are counted elsewhere ([`crate::db::counters`]).

pub mod clock;
pub mod text;

pub use clock::{Component, Spent, Watch, wait};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Upper ends of the response times' buckets in microseconds; beyond the last there is one more.
pub const BUCKETS: [u64; 22] = [
    500, 1_000, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 20_000, 30_000, 50_000, 75_000, 100_000, 150_000,
    200_000, 300_000, 500_000, 750_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000,
];

/// Everything about one view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests by status; those that were shed are among the 503.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that were turned away before they began.
    pub shed: u64,
    /// Time of the requests that were not shed, by component.
    pub spent: Spent,
    /// The same requests by response time: not cumulative, one more than [`BUCKETS`].
    pub buckets: [u64; BUCKETS.len() + 1],
}

impl Tally {
    /// Requests that were not shed.
    pub fn answered(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Their time, all components together.
    pub fn time(&self) -> Duration {
        self.spent.iter().sum()
    }
}

/// The sums of one process.
#[derive(Debug, Default)]
pub struct Metrics {
    views: Mutex<BTreeMap<&'static str, Tally>>,
    in_flight: AtomicU64,
}

impl Metrics {
    /// A request to `view` begins; `None` when `most` (0: no limit) are in flight already, and then it is shed.
    pub fn begin(self: &Arc<Metrics>, view: &'static str, most: usize) -> Option<Request> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        if most > 0 && before >= most as u64 {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.tally(view, |t| {
                t.shed += 1;
                *t.statuses.entry(503).or_default() += 1;
            });
            return None;
        }
        // 500 is what a view that panics is answered with.
        Some(Request { metrics: Arc::clone(self), view, watch: Watch::start(), status: 500 })
    }

    /// Requests that are being served.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// What was measured, by view.
    pub fn views(&self) -> BTreeMap<&'static str, Tally> {
        self.views.lock().expect("no panic holds this lock").clone()
    }

    fn tally(&self, view: &'static str, change: impl FnOnce(&mut Tally)) {
        change(self.views.lock().expect("no panic holds this lock").entry(view).or_default());
    }
}

/// A request that is being served; it is counted when this is dropped.
#[derive(Debug)]
pub struct Request {
    metrics: Arc<Metrics>,
    view: &'static str,
    watch: Arc<Watch>,
    status: u16,
}

impl Request {
    /// Its clock.
    pub fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// It is over.
    pub fn end(mut self, status: u16) {
        self.status = status;
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
        let spent = self.watch.spent();
        let micros = spent.iter().sum::<Duration>().as_micros() as u64;
        self.metrics.tally(self.view, |t| {
            *t.statuses.entry(self.status).or_default() += 1;
            t.buckets[BUCKETS.partition_point(|end| *end < micros)] += 1;
            t.spent.iter_mut().zip(spent).for_each(|(sum, part)| *sum += part);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_limit_is_shed_and_counted_apart() {
        let metrics = Arc::new(Metrics::default());
        let (one, two) = (metrics.begin("v", 2).unwrap(), metrics.begin("v", 2).unwrap());
        assert!(metrics.begin("v", 2).is_none());
        assert_eq!(metrics.in_flight(), 2);
        one.end(200);
        drop(two);
        let tally = &metrics.views()["v"];
        assert_eq!(tally.statuses, BTreeMap::from([(200, 1), (500, 1), (503, 1)]));
        assert_eq!((tally.shed, tally.answered(), metrics.in_flight()), (1, 2, 0));
        assert!(metrics.begin("v", 0).is_some(), "0 is no limit");
    }

    #[test]
    fn a_bucket_holds_its_upper_end() {
        assert!(BUCKETS.is_sorted());
        let of = |micros: u64| BUCKETS.partition_point(|end| *end < micros);
        assert_eq!([of(0), of(500), of(501), of(10_000_000), of(10_000_001)], [0, 0, 1, 21, 22]);
    }
}
