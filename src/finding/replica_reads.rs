//! `replica_reads`: SELECTs that a replica could have served.
//!
//! A question outside a writing transaction, without row locks, writing functions and temporary tables, and not
//! within the pin time after a write of the same actor, who must see what he wrote. The actor is the trace or
//! request where statements say theirs, else the session.

use crate::units::Micros;

/// Pin times that are tried, in microseconds; the one that is configured comes after them.
pub const PINS: [u64; 5] = [0, 1_000_000, 2_000_000, 5_000_000, 10_000_000];

/// Reads of one statement and route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    /// All questions: calls and time.
    pub asked: (u64, Micros),
    /// Those that could leave the primary, for each of [`PINS`], then for the configured pin time.
    pub free: [(u64, Micros); PINS.len() + 1],
}

impl Reads {
    /// Adds another part's.
    pub fn merge(&mut self, other: &Self) {
        self.asked.0 += other.asked.0;
        self.asked.1 += other.asked.1;
        for (own, their) in self.free.iter_mut().zip(other.free) {
            own.0 += their.0;
            own.1 += their.1;
        }
    }
}

/// Questions of one unit by how long before them their actor wrote.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Free {
    /// Longer than so many of [`PINS`]: calls and time.
    by_pin: [(u64, u64); PINS.len() + 1],
    /// Longer than the configured pin time.
    pinned: (u64, u64),
}

impl Free {
    /// One question, `since` microseconds after the last write.
    #[inline]
    pub(super) fn add(&mut self, duration: u64, since: u64, pin: u64) {
        let place = PINS.iter().filter(|pin| since > **pin).count();
        self.by_pin[place].0 += 1;
        self.by_pin[place].1 += duration;
        if since > pin {
            self.pinned.0 += 1;
            self.pinned.1 += duration;
        }
    }

    /// All of them; none is free in a transaction that `writes`.
    pub(super) fn reads(&self, writes: bool) -> Reads {
        let mut reads = Reads::default();
        for (place, (calls, duration)) in self.by_pin.into_iter().enumerate() {
            reads.asked.0 += calls;
            reads.asked.1 += Micros(duration);
            for free in reads.free.iter_mut().take(if writes { 0 } else { place }) {
                free.0 += calls;
                free.1 += Micros(duration);
            }
        }
        if !writes {
            reads.free[PINS.len()] = (self.pinned.0, Micros(self.pinned.1));
        }
        reads
    }
}
