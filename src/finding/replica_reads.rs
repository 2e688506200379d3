//! `replica_reads`: SELECTs that a replica could have served.
//!
//! A question outside a writing transaction, without row locks, writing functions and temporary tables, and not
//! within the pin time after a write of the same actor, who must see what he wrote. The actor is the trace or
//! request where statements say theirs, else the session.
//!
//! A trace or request is judged wherever its calls ran: what it wrote holds its later reads back. Sessions judge the
//! calls that belong to none, and transactions, which only a session shows whole. What both hold back is counted once:
//! see `overlap`.

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
        self.asked.without(&self.held).beyond(pin)
    }

    /// A question.
    #[inline]
    pub(super) fn ask(&mut self, question: Question) {
        self.asked.add(question.pins, question.one());
    }

    /// A question that a transaction holds back, because it writes.
    #[inline]
    pub(super) fn hold(&mut self, question: Question) {
        self.held.add(question.pins, question.one());
    }

    /// Counts some that are held differently.
    pub(super) fn recount(&mut self, Recount { from, to, some }: Recount) {
        let held = self.held.by_pin[usize::from(from.passed)];
        let some = (some.0.min(held.0), some.1.min(held.1));
        self.held.take(from, some);
        self.held.add(to, some);
    }

    /// Lets no more be held than was asked, as it may seem where only some calls spoke for all: else what one statement
    /// lacks would be taken from another's when both are added up.
    pub(super) fn bound(&mut self) {
        self.held = self.asked.without(&self.asked.without(&self.held));
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: &Self) {
        self.asked.merge(&other.asked);
        self.held.merge(&other.held);
    }
}

/// How long after its actor's last write a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pins {
    /// Longer than so many of [`PINS`].
    passed: u8,
    /// Longer than the configured pin time.
    free: bool,
}

impl Pins {
    /// Whether a pin time holds it back.
    #[inline]
    pub(super) fn hold(self) -> bool {
        usize::from(self.passed) < PINS.len() || !self.free
    }

    /// Whether it is free with some pin time.
    #[inline]
    pub(super) fn may_be_free(self) -> bool {
        self.passed > 0 || self.free
    }
}

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) duration: Micros,
    pub(super) pins: Pins,
}

impl Question {
    /// `since` microseconds after the last write.
    #[inline]
    pub(super) fn new(duration: u64, since: u64, pin: u64) -> Self {
        let passed = PINS.iter().filter(|pin| since > **pin).count() as u8;
        Self { duration: Micros(duration), pins: Pins { passed, free: since > pin } }
    }

    /// One call and its time.
    fn one(self) -> (u64, Micros) {
        (1, self.duration)
    }
}

/// Questions that were counted as if they came at another time after their actor's last write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recount {
    pub(super) from: Pins,
    pub(super) to: Pins,
    /// How many, and their time.
    pub(super) some: (u64, Micros),
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

fn less(sum: (u64, Micros), less: (u64, Micros)) -> (u64, Micros) {
    (sum.0.saturating_sub(less.0), Micros(sum.1.0.saturating_sub(less.1.0)))
}

impl Free {
    #[inline]
    fn add(&mut self, pins: Pins, some: (u64, Micros)) {
        let sum = &mut self.by_pin[usize::from(pins.passed)];
        *sum = add(*sum, &some);
        if pins.free {
            self.pinned = add(self.pinned, &some);
        }
    }

    fn take(&mut self, pins: Pins, some: (u64, Micros)) {
        let sum = &mut self.by_pin[usize::from(pins.passed)];
        *sum = less(*sum, some);
        if pins.free {
            self.pinned = less(self.pinned, some);
        }
    }

    /// What is left without some of them. No pin time leaves more than a shorter one.
    fn without(&self, some: &Self) -> Self {
        let mut left = *self;
        left.by_pin.iter_mut().zip(some.by_pin).for_each(|(own, some)| *own = less(*own, some));
        left.pinned = less(left.pinned, some.pinned);
        left
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
