//! `replica_reads`: SELECTs that a replica could have served.
//!
//! A question outside a writing transaction, without row locks, writing functions and temporary tables, and not
//! within the pin time after a write of the same actor, who must see what he wrote. The actor is the trace or
//! request where statements say theirs, else the session.

use std::collections::HashSet;

use super::{Detect, Facts, Findings, Step, Unit, UnitKind};
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

fn add(reads: &mut ByPin, since: u64, duration: Micros, detect: &Detect) {
    for (own, pin) in reads.iter_mut().zip(PINS.into_iter().chain([detect.pin])) {
        if since > pin {
            own.0 += 1;
            own.1 += duration;
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

/// Judges a trace or request, wherever its calls ran: what it wrote holds its later reads back.
pub fn trace(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    for (place, step) in unit.steps.iter().enumerate() {
        if unit.fact(place as u32).is_judged() {
            ask(unit, place as u32, step, detect, out);
        }
    }
}

fn ask(unit: &Unit<'_>, place: u32, step: &Step, detect: &Detect, out: &mut Findings) {
    let Some(reads) = out.reads(step.fingerprint, step.route) else { return };
    let duration = Micros(step.duration);
    reads.asked.0 += 1;
    reads.asked.1 += duration;
    add(&mut reads.unpinned, unit.since_write(place), duration, detect);
}

/// Judges one unit of a session: calls that belong to no trace, and transactions, which only a session shows whole.
pub fn judge(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    let writing = unit.kind == UnitKind::Transaction
        && (0..unit.steps.len() as u32).any(|place| unit.fact(place).is_write());
    for (place, step) in unit.steps.iter().enumerate() {
        let place = place as u32;
        if !unit.fact(place).is_judged() {
            continue;
        }
        if step.tag == 0 {
            ask(unit, place, step, detect, out);
        }
        if writing && let Some(reads) = out.reads(step.fingerprint, step.route) {
            add(&mut reads.held, unit.since_write(place), Micros(step.duration), detect);
        }
    }
}
