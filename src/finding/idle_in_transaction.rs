//! `idle_in_transaction`: over a second between two statements of one open transaction. The finding names the
//! statement after which the client went away.

use super::{Calls, Detect, Findings, Rule, Unit, UnitKind};

/// Judges one unit.
pub fn judge(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    if unit.kind != UnitKind::Transaction {
        return;
    }
    for place in 1..unit.steps.len() {
        let idle = unit.steps[place - 1].wait_before(&unit.steps[place]);
        if idle > detect.idle {
            let numbers = [("idle_us", idle), ("gaps", 1)];
            let marks = [place as u32 - 1];
            out.add(Rule::IdleInTransaction, unit, &Calls { marks: &marks, numbers: &numbers, ..Calls::default() });
        }
    }
}
