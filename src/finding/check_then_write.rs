//! `check_then_write`: a row is looked for by its key, then inserted or updated by the same key in the same unit.
//! `INSERT … ON CONFLICT` does it in one statement, and without the race.
//!
//! Before an INSERT the look may stand anywhere in the unit. Loading a row and updating it later is what every ORM
//! does; so before an UPDATE the look must be the statement right before it, and by something else than the row's
//! `id`: whoever knows that knows that there is a row.
//!
//! A count, a list in some order and their like are no looks: what they tell is not whether there is the row.

use super::{Calls, Detect, Fact, Findings, Rule, Unit, Verb};
use crate::sql::Kind;

/// How many calls before the write the look may stand.
pub const REACH: usize = 32;

/// A call that looks for a row before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Look {
    /// Its statement.
    pub fingerprint: u64,
    /// Its place in the unit.
    pub place: u32,
    /// The place of the write.
    pub write: u32,
}

/// The looks of a unit, by statement and place.
pub(super) fn looks(unit: &Unit<'_>) -> Vec<Look> {
    let mut found: Vec<Look> = Vec::new();
    for place in 1..unit.steps.len() {
        let fact = unit.fact(place as u32);
        if fact.verb != Verb::Write || fact.columns.is_empty() {
            continue;
        }
        let reach = match fact.kind {
            Kind::Insert => REACH,
            Kind::Update => 1,
            _ => continue,
        };
        if let Some(look) = look(unit, place, reach) {
            let fingerprint = unit.step(look).fingerprint;
            found.push(Look { fingerprint, place: look, write: place as u32 });
        }
    }
    found.sort_unstable();
    // A look is one, whatever is written after it.
    found.dedup_by_key(|look| look.place);
    found
}

/// Judges one unit.
pub fn judge(unit: &Unit<'_>, _detect: &Detect, out: &mut Findings) {
    for same in unit.looks.chunk_by(|a, b| a.fingerprint == b.fingerprint) {
        let marks: Vec<u32> = same.iter().map(|look| look.place).collect();
        let time = marks.iter().map(|mark| unit.step(*mark).duration).sum();
        let write = unit.step(same[0].write);
        let calls = Calls {
            marks: &marks,
            saved: (marks.len() as u64, time),
            related: [write.fingerprint, 0],
            beside: Some(write),
            numbers: &[],
        };
        out.add(Rule::CheckThenWrite, unit, &calls);
    }
}

/// The last call before `place` that looked for what it writes.
fn look(unit: &Unit<'_>, place: usize, reach: usize) -> Option<u32> {
    let write = &unit.steps[place];
    let fact = unit.fact(place as u32);
    let telling = |before: &usize| matches!(unit.fact(*before as u32).verb, Verb::Read | Verb::Write);
    for before in (0..place).rev().filter(telling).take(reach) {
        let known = unit.fact(before as u32);
        let earlier = &unit.steps[before];
        let same_row = match fact.kind {
            Kind::Update => !known.by_id && earlier.asks_by(write.keys()),
            _ => earlier.asks_for(write),
        };
        if same_row && is_look(known) && known.asks_about(fact) {
            return Some(before as u32);
        }
        // The same row was written before: whoever looked, looked for that.
        if earlier.fingerprint == write.fingerprint && earlier.pairs == write.pairs {
            return None;
        }
    }
    None
}

/// Whether a statement may look for a row.
fn is_look(fact: &Fact) -> bool {
    fact.keyed && fact.ignored.is_none() && !fact.answer.folds && !fact.answer.ordered
}
