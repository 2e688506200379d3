//! `chatty_transaction`: a transaction of at least twenty statements that waited for its client longer than it
//! worked. Its locks and its snapshot lived all that time.

use super::{Calls, Detect, Findings, Rule, Unit, UnitKind, Verb};

/// Judges one unit.
pub fn judge(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    if unit.kind != UnitKind::Transaction || (unit.steps.len() as u64) < detect.chatty {
        return;
    }
    let waits: u64 = unit.steps.windows(2).map(|pair| pair[0].wait_before(&pair[1])).sum();
    let work: u64 = unit.steps.iter().map(|step| step.duration).sum();
    let telling = |mark: &u32| matches!(unit.fact(*mark).verb, Verb::Read | Verb::Write);
    let marks: Vec<u32> = (0..unit.steps.len() as u32).filter(telling).collect();
    if waits < work || waits == 0 || (marks.len() as u64) < detect.chatty {
        return;
    }
    let numbers = [("statements", unit.steps.len() as u64), ("waiting_us", waits), ("working_us", work)];
    out.add(Rule::ChattyTransaction, unit, &Calls { marks: &marks, numbers: &numbers, ..Calls::default() });
}
