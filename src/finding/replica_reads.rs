//! `replica_reads`: SELECTs that a replica could have served.
//!
//! A question outside a writing transaction, without row locks, writing functions and temporary tables, and not
//! within the pin time after a write of the same actor, who must see what he wrote. The actor is the trace or
//! request where statements say theirs, else the session.
//!
//! A trace or request is judged wherever its calls ran: what it wrote holds its later reads back. Sessions judge the
//! calls that belong to none, and transactions, which only a session shows whole.

use std::collections::HashSet;

use super::Facts;
use crate::units::Micros;

/// Pin times that are tried, in microseconds; the one that is configured comes after them.
pub const PINS: [u64; 5] = [0, 1_000_000, 2_000_000, 5_000_000, 10_000_000];

/// Calls and their time, for each of [`PINS`], then for the configured pin time.
pub type ByPin = [(u64, Micros); PINS.len() + 1];

/// Reads of one statement and route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    /// All questions: calls and time.
    pub asked: (u64, Micros),
    /// Those whose actor had not written before.
    unpinned: ByPin,
    /// Of these, those in a transaction that writes after them.
    held: ByPin,
}

impl Reads {
    /// Those that could leave the primary, by the place of the pin time.
    #[must_use]
    pub fn free(&self, pin: usize) -> (u64, Micros) {
        let ((calls, time), held) = (self.unpinned[pin], self.held[pin]);
        (calls.saturating_sub(held.0), Micros(time.0.saturating_sub(held.1.0)))
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: &Self) {
        self.asked.0 += other.asked.0;
        self.asked.1 += other.asked.1;
        for (own, their) in [(&mut self.unpinned, &other.unpinned), (&mut self.held, &other.held)] {
            for (own, their) in own.iter_mut().zip(their) {
                own.0 += their.0;
                own.1 += their.1;
            }
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

    /// What they are to a replica: questions that are `asked` here rather than in their trace, which only looks for
    /// them; all are held in a transaction that `writes`.
    pub(super) fn reads(&self, asked: bool, writes: bool) -> Reads {
        let mut reads = Reads::default();
        let mut unpinned = ByPin::default();
        for (place, (calls, duration)) in self.by_pin.into_iter().enumerate() {
            if asked {
                reads.asked.0 += calls;
                reads.asked.1 += Micros(duration);
            }
            for free in unpinned.iter_mut().take(place) {
                free.0 += calls;
                free.1 += Micros(duration);
            }
        }
        unpinned[PINS.len()] = (self.pinned.0, Micros(self.pinned.1));
        if asked {
            reads.unpinned = unpinned;
        }
        if writes {
            reads.held = unpinned;
        }
        reads
    }
}

/// The reads of tables that a replica has: those that a statement of the log made as temporary tables are not there.
pub fn of_tables<'f>(
    reads: &'f [(u64, u64, Reads)],
    facts: &'f Facts,
) -> impl Iterator<Item = &'f (u64, u64, Reads)> {
    let temporary: HashSet<u64> = facts
        .iter()
        .filter(|(_, fact)| fact.temporary)
        .flat_map(|(_, fact)| fact.writes.iter().copied())
        .collect();
    reads.iter().filter(move |(fingerprint, ..)| {
        facts.get(*fingerprint).is_none_or(|fact| fact.reads.iter().all(|table| !temporary.contains(table)))
    })
}
