//! `read_back`: a row is written, then read again by the same key, in the same unit or within five seconds in the
//! same session. The answer was known, or RETURNING would have told it.
//!
//! Only the first reading after the write counts; asking once more is `redundant_select`.

use super::{Calls, Detect, Findings, Rule, Unit, Verb};

/// How many calls back a write is remembered.
pub const REACH: usize = 64;

/// Judges one unit, with what the session did before it.
pub fn judge(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    let mut found: Vec<(u64, u32, u64)> = Vec::new();
    for place in 0..unit.steps.len() {
        let fact = unit.fact(place as u32);
        if !fact.keyed || fact.ignored.is_some() {
            continue;
        }
        if let Some(write) = written(unit, place, detect) {
            found.push((unit.steps[place].fingerprint, place as u32, write));
        }
    }
    found.sort_unstable();
    for same in found.chunk_by(|a, b| a.0 == b.0) {
        let marks: Vec<u32> = same.iter().map(|read| read.1).collect();
        let time = marks.iter().map(|mark| unit.step(*mark).duration).sum();
        let related = [same[0].2, 0];
        out.add(
            Rule::ReadBack,
            unit,
            &Calls { marks: &marks, saved: (marks.len() as u64, time), related, numbers: &[] },
        );
    }
}

/// The write whose row the call at `place` reads: its fingerprint.
fn written(unit: &Unit<'_>, place: usize, detect: &Detect) -> Option<u64> {
    let step = &unit.steps[place];
    let fact = unit.fact(place as u32);
    for (earlier, known) in unit.back_from(place).take(REACH) {
        let recent = earlier.wait_before(step) <= detect.pin;
        if earlier.is_edge() || !(recent || unit.is_inside(earlier)) {
            return None;
        }
        if earlier.fingerprint == step.fingerprint && earlier.params == step.params {
            return None;
        }
        if known.verb == Verb::Rollback {
            return None;
        }
        let insert_or_update = known.verb == Verb::Write && !known.columns.is_empty();
        if insert_or_update && known.touches(fact) && step.asks_for(earlier) {
            return Some(earlier.fingerprint);
        }
    }
    None
}
