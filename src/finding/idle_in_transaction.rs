//! `idle_in_transaction`: over a second between two statements of one open transaction. The finding names the
//! statement after which the client went away.
//!
//! A transaction is judged minute by minute; what a client does between two minutes counts in the first.

use super::{Calls, Detect, Findings, Rule, Unit, UnitKind};

/// Judges one unit.
pub fn judge(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    if unit.kind != UnitKind::Transaction {
        return;
    }
    let mut gaps: Vec<(u64, u32, u64)> = Vec::new();
    // The last call: a gap after an error is one after the call before it.
    let mut last = 0;
    for place in 1..unit.steps.len() {
        let idle = unit.steps[place - 1].idle_before(&unit.steps[place]);
        if idle > detect.idle {
            gaps.push((unit.steps[last].fingerprint, last as u32, idle));
        }
        if unit.steps[place].is_call() {
            last = place;
        }
    }
    let open = unit.steps.last().filter(|_| !unit.is_closed());
    let idle = open.map_or(0, |step| step.wait_until(unit.next));
    if idle > detect.idle {
        gaps.push((unit.steps[last].fingerprint, last as u32, idle));
    }
    gaps.sort_unstable();
    for same in gaps.chunk_by(|a, b| a.0 == b.0) {
        let marks: Vec<u32> = same.iter().map(|gap| gap.1).collect();
        let numbers = [("idle_us", same.iter().map(|gap| gap.2).sum()), ("gaps", same.len() as u64)];
        out.add(
            Rule::IdleInTransaction,
            unit,
            &Calls { marks: &marks, numbers: &numbers, ..Calls::default() },
        );
    }
}
