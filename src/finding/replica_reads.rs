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

/// Reads of one statement and route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    /// All questions.
    asked: Free,
    /// Those in a transaction that writes.
    held: Free,
}

impl Reads {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All questions: calls and time.
    #[must_use]
    pub fn asked(&self) -> (u64, Micros) {
        self.asked.by_pin.iter().fold((0, Micros(0)), add)
    }

    /// Those that could leave the primary, by the place of the pin time: their actor had not written before, and they
    /// are not held.
    #[must_use]
    pub fn free(&self, pin: usize) -> (u64, Micros) {
        let ((calls, time), held) = (self.asked.beyond(pin), self.held.beyond(pin));
        (calls.saturating_sub(held.0), Micros(time.0.saturating_sub(held.1.0)))
    }

    /// A question.
    #[inline]
    pub(super) fn ask(&mut self, question: Question) {
        self.asked.add(question);
    }

    /// A question that a transaction holds back, because it writes.
    #[inline]
    pub(super) fn hold(&mut self, question: Question) {
        self.held.add(question);
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: &Self) {
        self.asked.merge(&other.asked);
        self.held.merge(&other.held);
    }
}

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    duration: Micros,
    /// How many of [`PINS`] its actor wrote before it.
    pins: u8,
    /// It came later than the configured pin time.
    pinned: bool,
}

impl Question {
    /// `since` microseconds after the last write.
    #[inline]
    pub(super) fn new(duration: u64, since: u64, pin: u64) -> Self {
        let pins = PINS.iter().filter(|pin| since > **pin).count() as u8;
        Self { duration: Micros(duration), pins, pinned: since > pin }
    }
}

/// Questions by how long before them their actor wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Free {
    /// Longer than so many of [`PINS`]: calls and time.
    by_pin: [(u64, Micros); PINS.len() + 1],
    /// Longer than the configured pin time.
    pinned: (u64, Micros),
}

fn add(sum: (u64, Micros), more: &(u64, Micros)) -> (u64, Micros) {
    (sum.0 + more.0, sum.1 + more.1)
}

impl Free {
    #[inline]
    fn add(&mut self, question: Question) {
        let one = (1, question.duration);
        let sum = &mut self.by_pin[usize::from(question.pins)];
        *sum = add(*sum, &one);
        if question.pinned {
            self.pinned = add(self.pinned, &one);
        }
    }

    fn merge(&mut self, other: &Self) {
        for (own, their) in self.by_pin.iter_mut().zip(&other.by_pin) {
            *own = add(*own, their);
        }
        self.pinned = add(self.pinned, &other.pinned);
    }

    /// Those longer after the write than a pin time, by its place.
    fn beyond(&self, pin: usize) -> (u64, Micros) {
        match pin {
            configured if configured == PINS.len() => self.pinned,
            _ => self.by_pin[pin + 1..].iter().fold((0, Micros(0)), add),
        }
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
