//! `read_back`: a row is written, then read again by the same key, in the same unit or within five seconds in the
//! same session. The answer was known, or RETURNING would have told it.
//!
//! A session may serve one trace after the other: what one wrote and the next reads counts too.
//!
//! Only the first reading after the write counts; asking once more is `redundant_select`.

use super::tally::Room;
use super::{Calls, Detect, Findings, Rule, Unit, Verb};
use crate::sql::Kind;

/// How many calls back a write is remembered.
pub const REACH: usize = 32;

/// Judges one unit, with what the session did before it.
pub fn judge(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    let mut found = std::mem::take(&mut out.room.found);
    found.clear();
    for place in unit.back() {
        let fact = unit.fact(place);
        // A count is no row that was written, nor is a sum, a list, or whether there is one.
        let row = !fact.answer.folds && !fact.answer.exists && !fact.lists();
        if !fact.keyed || !row || fact.ignored.is_some() {
            continue;
        }
        if let Some(write) = written(unit, place as usize, detect) {
            found.push((unit.step(place).fingerprint, place, write));
        }
    }
    found.sort_unstable();
    let mut marks = std::mem::take(&mut out.room.marks);
    for same in found.chunk_by(|a, b| a.0 == b.0) {
        marks.clear();
        marks.extend(same.iter().map(|read| read.1));
        let time = marks.iter().map(|mark| unit.step(*mark).duration).sum();
        let write = unit.back_from(same[0].1 as usize).nth(same[0].2 as usize).map(|(write, _)| write);
        let calls = Calls {
            marks: &marks,
            saved: (marks.len() as u64, time),
            related: [write.map_or(0, |write| write.fingerprint), 0],
            beside: write,
            numbers: &[],
        };
        out.add(Rule::ReadBack, unit, &calls);
    }
    out.room = Room { found, marks };
}

/// How many calls before the one at `place` the write of its row stands; 0 for the one right before.
fn written(unit: &Unit<'_>, place: usize, detect: &Detect) -> Option<u32> {
    let step = &unit.steps[place];
    let fact = unit.fact(place as u32);
    for (back, (earlier, known)) in (0..).zip(unit.back_from(place).take(REACH)) {
        let recent = earlier.wait_before(step) <= detect.pin;
        let inside = !unit.others && unit.is_inside(earlier);
        if earlier.is_edge() || !(recent || inside) {
            return None;
        }
        if earlier.fingerprint == step.fingerprint && earlier.params == step.params {
            return None;
        }
        // What was written before may be undone: ROLLBACK, ROLLBACK TO, an error.
        if known.barrier || known.verb == Verb::Failed {
            return None;
        }
        let writes_row = matches!(known.kind, Kind::Insert | Kind::Update) && !known.columns.is_empty();
        // What another trace wrote must be all that is asked for; what the unit itself wrote may be a part of it.
        let whole = inside || fact.keys == fact.own_keys;
        if !fact.asks_about(known) {
            continue;
        }
        // Where there was a conflict, nobody told what the row is.
        if writes_row && whole && !known.skips && step.asks_for(earlier) {
            // A trace that wrote the row itself is judged as a whole.
            let own = unit.others && (earlier.tag == step.tag || step.tag == 0);
            return (!own).then_some(back);
        }
        // What was written before may be gone, or another.
        if known.unsettles() {
            return None;
        }
    }
    None
}
