//! `replica_reads`: SELECTs that a replica could have served.
//!
//! A question outside a writing transaction, without row locks, writing functions and temporary tables, and not
//! within the pin time after a write of the same actor, who must see what he wrote. The actor is the trace or
//! request where statements say theirs, else the session.

use super::{Detect, Findings, Unit, UnitKind, Verb};
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

/// Judges one unit of a session.
pub fn judge(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    let writing = unit.kind == UnitKind::Transaction
        && (0..unit.steps.len() as u32).any(|place| unit.fact(place).verb == Verb::Write);
    for (place, step) in unit.steps.iter().enumerate() {
        if !unit.fact(place as u32).is_judged() {
            continue;
        }
        let Some(reads) = out.reads(step.fingerprint, step.route) else { continue };
        let duration = Micros(step.duration);
        reads.asked.0 += 1;
        reads.asked.1 += duration;
        if writing {
            continue;
        }
        let since = unit.since_write(place as u32);
        for (free, pin) in reads.free.iter_mut().zip(PINS.into_iter().chain([detect.pin])) {
            if since > pin {
                free.0 += 1;
                free.1 += duration;
            }
        }
    }
}
