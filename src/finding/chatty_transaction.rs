//! `chatty_transaction`: a transaction of at least twenty statements that waited for its client longer than it
//! worked, and for at least a tenth of a second. Its locks and its snapshot lived all that time. Catalogue look-ups and
//! their like do not count, nor does DDL: a tool that looks around and a migration have no other way.

use super::{Calls, Detect, Findings, Rule, Unit, UnitKind, Verb};
use crate::sql::Kind;

/// Microseconds of waiting that nobody minds.
const MOST_PATIENCE: u64 = 100_000;

/// Judges one unit.
pub fn judge(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    if unit.kind != UnitKind::Transaction || (unit.steps.len() as u64) < detect.chatty {
        return;
    }
    // What was undone was a test or an attempt that failed: the transaction that is worth a change commits.
    let places = 0..unit.steps.len() as u32;
    let first = places.rev().find(|mark| unit.fact(*mark).undoes()).map_or(0, |mark| mark + 1);
    let steps = &unit.steps[first as usize..];
    let waits: u64 = steps.windows(2).map(|pair| pair[0].idle_before(&pair[1])).sum();
    let work: u64 = steps.iter().map(|step| step.duration + step.marks.ahead()).sum();
    let telling = |mark: &u32| {
        let fact = unit.fact(*mark);
        matches!(fact.verb, Verb::Read | Verb::Write) && fact.kind != Kind::Ddl && fact.ignored.is_none()
    };
    let marks: Vec<u32> = (first..unit.steps.len() as u32).filter(telling).collect();
    if waits < work.max(MOST_PATIENCE) || (marks.len() as u64) < detect.chatty {
        return;
    }
    let numbers = [("statements", steps.len() as u64), ("waiting_us", waits), ("working_us", work)];
    out.add(Rule::ChattyTransaction, unit, &Calls { marks: &marks, numbers: &numbers, ..Calls::default() });
}
