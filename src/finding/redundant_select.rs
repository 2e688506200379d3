//! `redundant_select`: the same question asked again in one unit, with no write in between to a table it reads.
//!
//! In a trace, a request or a transaction any repeat counts. A burst is only a stretch of a session's time, in which
//! a pool may serve one request after the other: there a repeat counts within [`NEAR`] calls of the one before.
//!
//! Where the parameters are not in the log, `repeated_select` says how often the statement came, and saves nothing.

use super::{Calls, Detect, Findings, Rule, Unit, UnitKind};

/// How many calls back a burst remembers what it asked.
pub const NEAR: usize = 32;

/// Judges one unit.
pub fn judge(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    match unit.kind {
        UnitKind::Burst => burst(unit, detect, out),
        UnitKind::Trace | UnitKind::Request | UnitKind::Transaction => whole(unit, detect, out),
    }
}

/// Every group of calls of one statement, sorted by parameters: repeats stand side by side.
fn whole(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    let mut marks = Vec::new();
    for group in unit.groups() {
        if group.len() < 2 || !unit.fact(group[0]).is_judged() {
            continue;
        }
        marks.clear();
        let mut unknown = 0;
        let mut saved = (0, 0);
        let mut asked: Vec<u32> = Vec::new();
        for (place, mark) in group.iter().copied().enumerate() {
            let step = unit.step(mark);
            if !step.is_known() {
                unknown += 1;
                continue;
            }
            let before = place.checked_sub(1).map(|before| group[before]);
            let repeats = before.is_some_and(|before| {
                let earlier = unit.step(before);
                earlier.is_known() && earlier.params == step.params && !unit.written_between(before, mark)
            });
            if repeats {
                if asked.is_empty() {
                    asked.extend(before);
                }
                asked.push(mark);
                saved.0 += 1;
                saved.1 += step.duration;
            } else {
                close(&mut asked, &mut marks, &mut saved, unit, detect);
            }
        }
        close(&mut asked, &mut marks, &mut saved, unit, detect);
        if !marks.is_empty() {
            marks.sort_unstable();
            out.add(Rule::RedundantSelect, unit, &Calls { marks: &marks, saved, ..Calls::default() });
        }
        if unknown >= detect.n_plus_one {
            let mut marks: Vec<u32> =
                group.iter().copied().filter(|mark| !unit.step(*mark).is_known()).collect();
            marks.sort_unstable();
            out.add(Rule::RepeatedSelect, unit, &Calls { marks: &marks, ..Calls::default() });
        }
    }
}

/// A chain of askings ends: it counts when it is long enough.
fn close(
    asked: &mut Vec<u32>,
    marks: &mut Vec<u32>,
    saved: &mut (u64, u64),
    unit: &Unit<'_>,
    detect: &Detect,
) {
    if (asked.len() as u64) < detect.redundant {
        for mark in asked.iter().skip(1) {
            saved.0 -= 1;
            saved.1 -= unit.step(*mark).duration;
        }
    } else {
        marks.extend(asked.iter());
    }
    asked.clear();
}

fn burst(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    // More askings than two need a count of each chain; two is the default and the common case.
    let mut chains: Vec<(u32, u64, Vec<u32>)> = Vec::new();
    // The chains that ended with one of the last few calls.
    let mut ended = [(usize::MAX, 0); 2 * NEAR];
    for mark in unit.again().map(|mark| mark as usize) {
        let step = &unit.steps[mark];
        if !step.is_known() || !unit.fact(mark as u32).is_judged() {
            continue;
        }
        let near = mark.saturating_sub(NEAR);
        let same = |before: &usize| {
            let earlier = &unit.steps[*before];
            earlier.params == step.params && earlier.fingerprint == step.fingerprint && earlier.is_known()
        };
        let Some(before) = (near..mark).rev().find(same) else { continue };
        if unit.written_between(before as u32, mark as u32) {
            continue;
        }
        let chain = &mut ended[before % ended.len()];
        if chain.0 != before {
            *chain = (before, chains.len());
            chains.push((before as u32, 0, vec![before as u32]));
        }
        let number = chain.1;
        chains[number].1 += step.duration;
        chains[number].2.push(mark as u32);
        ended[mark % ended.len()] = (mark, number);
    }
    chains.retain(|chain| chain.2.len() as u64 >= detect.redundant);
    // One entry a statement and unit, so that units are counted once.
    chains.sort_by_key(|chain| (unit.step(chain.0).fingerprint, chain.0));
    for same in chains.chunk_by(|a, b| unit.step(a.0).fingerprint == unit.step(b.0).fingerprint) {
        let mut marks: Vec<u32> = same.iter().flat_map(|chain| chain.2.iter().copied()).collect();
        marks.sort_unstable();
        let saved = (marks.len() as u64 - same.len() as u64, same.iter().map(|chain| chain.1).sum());
        out.add(Rule::RedundantSelect, unit, &Calls { marks: &marks, saved, ..Calls::default() });
    }
    unknown_runs(unit, detect, out);
}

/// Calls of one statement in a row, whose parameters nobody knows.
fn unknown_runs(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    for (first, run) in unit.runs() {
        let judged = (run.len() as u64) >= detect.n_plus_one && unit.fact(first).is_judged();
        if judged && run.iter().all(|step| !step.is_known()) {
            let marks: Vec<u32> = (first..).take(run.len()).collect();
            out.add(Rule::RepeatedSelect, unit, &Calls { marks: &marks, ..Calls::default() });
        }
    }
}
