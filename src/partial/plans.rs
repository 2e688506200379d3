//! The slowest plan of each fingerprint, as auto_explain logged it.

use super::Order;
use crate::bounded::Bounded;
use crate::sql::Fingerprint;
use crate::units::{Micros, Timestamp};

/// Fingerprints whose plan is kept. Up to twice as many wait for a pruning; with [`MOST_BODY`] that is 128 MiB a worker
/// at most.
const MOST_PLANS: usize = 2048;
/// Bytes of a plan.
const MOST_BODY: usize = 32 << 10;

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPlan {
    /// Duration of the call.
    pub duration: Micros,
    /// Its place.
    pub order: Order,
    /// When it was logged.
    pub time: Option<Timestamp>,
    /// What followed `plan:`, cut to 32 KiB.
    pub body: Box<[u8]>,
    /// Whether it was cut.
    pub truncated: bool,
}

impl KeptPlan {
    fn is_beaten_by(&self, duration: Micros, order: Order) -> bool {
        duration > self.duration || duration == self.duration && order < self.order
    }
}

/// Plans by fingerprint.
#[derive(Debug, Clone)]
pub struct Plans {
    /// Plans seen.
    pub count: u64,
    table: Bounded<KeptPlan>,
}

impl Default for Plans {
    fn default() -> Self {
        Self { count: 0, table: Bounded::new(MOST_PLANS) }
    }
}

impl Plans {
    /// Counts a plan, and keeps it if it is the slowest of its fingerprint.
    pub fn add(
        &mut self,
        fingerprint: Fingerprint,
        duration: Micros,
        order: Order,
        time: Option<Timestamp>,
        body: &[u8],
    ) {
        self.count += 1;
        let hash = fingerprint.0;
        if !self.table.takes(hash)
            || self.table.get(hash).is_some_and(|kept| !kept.is_beaten_by(duration, order))
        {
            return;
        }
        let truncated = body.len() > MOST_BODY;
        let body = body[..body.len().min(MOST_BODY)].into();
        self.keep(hash, KeptPlan { duration, order, time, body, truncated });
    }

    fn keep(&mut self, hash: u64, plan: KeptPlan) {
        let slower = |kept: &mut KeptPlan, new: KeptPlan| {
            if kept.is_beaten_by(new.duration, new.order) {
                *kept = new;
            }
        };
        self.table.absorb(hash, plan, slower, drop);
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.table.limit_from(&other.table, drop);
        for (hash, plan) in other.table {
            self.keep(hash, plan);
        }
    }

    /// Everything is merged.
    pub fn finish(&mut self) {
        self.table.prune(drop);
    }

    /// The plan of a fingerprint.
    #[must_use]
    pub fn get(&self, fingerprint: Fingerprint) -> Option<&KeptPlan> {
        self.table.get(fingerprint.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ByteOffset;

    #[test]
    fn the_slowest_wins_and_the_first_of_equals() {
        let order = |at| (0, ByteOffset(at));
        let (mut left, mut right) = (Plans::default(), Plans::default());
        let one = Fingerprint(7);
        left.add(one, Micros(5), order(3), None, b"later");
        right.add(one, Micros(5), order(1), None, b"first");
        right.add(one, Micros(4), order(0), None, b"faster");
        left.merge(right);
        left.finish();
        assert_eq!(left.count, 3);
        assert_eq!(left.get(one).map(|plan| &*plan.body), Some(&b"first"[..]));
    }
}
