//! `row_by_row_insert`: at least five INSERTs of one row each, which one statement could do.
//!
//! In a trace, a request or a transaction they may stand anywhere; in a burst in a row. `BEGIN; INSERT; COMMIT`
//! five times in a row counts as well: [`pairs`] looks at a session's transactions beside each other. Commits that
//! would be saved are counted where each INSERT is its own transaction; for those of a trace or request that says
//! nothing of transactions, their session tells ([`Enclosed`](super::Enclosed)).

use super::tally::{COMMITS_SAVED, LOOSE};
use super::{Calls, Detect, Findings, Join, Rule, Unit, UnitKind, Verb};
use crate::units::Micros;

/// Rows of one statement at most, as the forecast tries them.
pub const SIZES: [u64; 6] = [1, 2, 5, 10, 100, 1000];

/// Judges one unit.
pub fn judge(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    match unit.kind {
        UnitKind::Burst => {
            for (first, run) in unit.runs() {
                if run.len() >= 2 && is_single(unit, first) {
                    let marks: Vec<u32> =
                        (first..).take(run.len()).filter(|mark| is_single(unit, *mark)).collect();
                    report(unit, &marks, marks.len(), detect, out);
                }
            }
        }
        UnitKind::Trace | UnitKind::Request | UnitKind::Transaction => {
            for group in unit.groups() {
                if group.len() >= 2 && unit.fact(group[0]).values {
                    let mut marks: Vec<u32> =
                        group.iter().copied().filter(|mark| is_single(unit, *mark)).collect();
                    marks.sort_unstable();
                    let alone = |mark: &&u32| **mark > 0 && is_pair(unit, **mark as usize - 1);
                    let commits = match unit.kind != UnitKind::Transaction && !unit.has_transactions() {
                        true => marks.len(),
                        false => marks.iter().filter(alone).count(),
                    };
                    report(unit, &marks, commits, detect, out);
                }
            }
        }
    }
}

fn is_single(unit: &Unit<'_>, mark: u32) -> bool {
    unit.fact(mark).values && unit.step(mark).marks.is_one_row()
}

/// INSERTs of one statement, `commits` of them with a transaction of their own.
fn report(unit: &Unit<'_>, marks: &[u32], commits: usize, detect: &Detect, out: &mut Findings) {
    let [first, others @ ..] = marks else { return };
    if others.is_empty() {
        return;
    }
    let saved = others.len() as u64;
    let time = others.iter().map(|mark| unit.step(*mark).duration).sum();
    let commits = (commits as u64).saturating_sub(1);
    let tagged = matches!(unit.kind, UnitKind::Trace | UnitKind::Request);
    let loose = if tagged && !unit.has_transactions() { commits } else { 0 };
    let left = SIZES.map(|size| (marks.len() as u64).div_ceil(size));
    let join = Join { units: 1, saved, duration: Micros(time), commits, loose, left, ..Join::default() };
    out.join(Rule::RowByRowInsert, unit.step(*first).fingerprint, join);
    if (marks.len() as u64) < detect.row_by_row {
        return;
    }
    let numbers = [("rows", marks.len() as u64), (COMMITS_SAVED, commits), (LOOSE, loose)];
    out.add(
        Rule::RowByRowInsert,
        unit,
        &Calls { marks, saved: (saved, time), numbers: &numbers, ..Calls::default() },
    );
}

/// `BEGIN; INSERT; COMMIT` in a row, over all of a session from `place` on; those of a trace are judged there.
pub fn pairs(unit: &Unit<'_>, place: usize, detect: &Detect, out: &mut Findings) {
    let mut marks: Vec<u32> = Vec::new();
    let mut place = place;
    while place < unit.steps.len() {
        let insert = place as u32 + 1;
        let next = is_plain_pair(unit, place)
            && marks.last().is_none_or(|last| {
                unit.step(*last).fingerprint == unit.step(insert).fingerprint
                    && unit.step(*last + 1).wait_before(&unit.steps[place]) <= detect.burst_gap
            });
        if next {
            marks.push(insert);
            place += 3;
            continue;
        }
        // A pair that does not go on begins the next run itself.
        let again = !marks.is_empty() && is_plain_pair(unit, place);
        report(unit, &marks, marks.len(), detect, out);
        marks.clear();
        place += usize::from(!again);
    }
    report(unit, &marks, marks.len(), detect, out);
}

fn is_plain_pair(unit: &Unit<'_>, place: usize) -> bool {
    is_pair(unit, place) && unit.steps[place + 1].tag == 0
}

fn is_pair(unit: &Unit<'_>, place: usize) -> bool {
    place + 2 < unit.steps.len()
        && unit.fact(place as u32).verb == Verb::Begin
        && is_single(unit, place as u32 + 1)
        && unit.fact(place as u32 + 2).verb == Verb::Commit
}
