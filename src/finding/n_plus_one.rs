//! `n_plus_one`: one statement sent for each row of another.
//!
//! In a trace, a request or a transaction: at least five calls of one question with five different parameters, or a
//! *sequence* of up to eight statements that repeats three times. In a burst nothing says where a request ends, so
//! only calls in a row count there, close together, and after a question of another kind (or after a silence), and
//! sequences are not judged: a pool that serves the same request again and again looks just like one.
//!
//! A call that looks for a row before it is written is left to `check_then_write`: one problem, one finding.

use super::{Calls, Detect, Findings, Join, Rule, Unit, UnitKind, Verb};
use crate::units::Micros;

/// Statements of a repeating sequence at most.
pub const LONGEST: usize = 8;
/// Calls in a row that a burst without a question before them may have: beyond, it is a job's or a benchmark's loop.
const MOST_ALONE: usize = 25;
/// Microseconds from call to call, on average, within which a loop is one.
const LOOP_GAP: u64 = 250_000;
/// How far before the run the statement that led to it is looked for.
const LEAD: usize = 8;

/// Judges one unit.
pub fn judge(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    match unit.kind {
        UnitKind::Burst => bursts(unit, detect, out),
        UnitKind::Trace | UnitKind::Request | UnitKind::Transaction => {
            whole(unit, detect, out);
            sequences(unit, detect, out);
        }
    }
}

fn whole(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    for group in unit.groups() {
        if group.len() < 2 || !unit.fact(group[0]).is_judged() {
            continue;
        }
        let mut marks = group.to_vec();
        marks.sort_unstable();
        join(unit, &marks, out);
        if is_n_plus_one(unit, group, detect) {
            marks.retain(|mark| !unit.is_look(*mark));
            report(unit, &marks, out);
        }
    }
}

/// Whether a group, sorted by parameters, is one.
fn is_n_plus_one(unit: &Unit<'_>, group: &[u32], detect: &Detect) -> bool {
    let own = || group.iter().filter(|mark| !unit.is_look(**mark)).map(|mark| unit.step(*mark));
    (group.len() as u64) >= detect.n_plus_one
        && unit.fact(group[0]).is_judged()
        && distinct(own().filter(|step| step.is_known()).map(|step| step.params)) >= detect.n_plus_one
}

/// Different values of a sorted list.
fn distinct(sorted: impl Iterator<Item = u64>) -> u64 {
    let mut last = None;
    sorted.filter(|value| last.replace(*value) != Some(*value)).count() as u64
}

/// For the forecast: the calls of one unit that one statement could do.
fn join(unit: &Unit<'_>, marks: &[u32], out: &mut Findings) {
    let time = marks.iter().skip(1).map(|mark| unit.step(*mark).duration).sum();
    let saved = marks.len() as u64 - 1;
    let first = unit.step(marks[0]);
    let led = source(unit, marks[0]).is_some_and(|before| unit.fact(before).question);
    let join = Join {
        units: 1,
        saved,
        duration: Micros(time),
        led: u64::from(led),
        led_duration: Micros(if led { first.duration } else { 0 }),
        ..Join::default()
    };
    out.join(Rule::NPlusOne, first.fingerprint, join);
}

fn report(unit: &Unit<'_>, marks: &[u32], out: &mut Findings) {
    let time: u64 = marks.iter().skip(1).map(|mark| unit.step(*mark).duration).sum();
    let first = marks.first().copied().unwrap_or(0);
    out.add(
        Rule::NPlusOne,
        unit,
        &Calls {
            marks,
            saved: (marks.len() as u64 - 1, time),
            related: [source(unit, first).map_or(0, |before| unit.step(before).fingerprint), 0],
            numbers: &[],
        },
    );
}

/// The place of the call that led to the one at `first`: the one before it that asks or writes something else.
fn source(unit: &Unit<'_>, first: u32) -> Option<u32> {
    let own = unit.step(first).fingerprint;
    (0..first).rev().take(LEAD).find(|before| {
        matches!(unit.fact(*before).verb, Verb::Read | Verb::Write) && unit.step(*before).fingerprint != own
    })
}

fn bursts(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    let mut params = Vec::new();
    for (first, run) in unit.runs() {
        let fact = unit.fact(first);
        if (run.len() as u64) < detect.n_plus_one || !fact.is_judged() {
            continue;
        }
        let led = first.checked_sub(1).is_some_and(|before| unit.fact(before).question);
        let alone = first == 0 && unit.fresh && run.len() <= MOST_ALONE;
        let (Some(start), Some(end)) = (run.first(), run.last()) else { continue };
        let took = u64::try_from(end.time.0.saturating_sub(start.time.0)).unwrap_or(u64::MAX);
        if !(led || alone) || !fact.keyed || took > LOOP_GAP * run.len() as u64 {
            continue;
        }
        let own: Vec<u32> = (first..).take(run.len()).filter(|mark| !unit.is_look(*mark)).collect();
        params.clear();
        params.extend(
            own.iter().map(|mark| unit.step(*mark)).filter(|step| step.is_known()).map(|step| step.params),
        );
        params.sort_unstable();
        if distinct(params.iter().copied()) >= detect.n_plus_one {
            let marks: Vec<u32> = (first..).take(run.len()).collect();
            join(unit, &marks, out);
            report(unit, &own, out);
        }
    }
}

/// Sequences of two to eight statements, repeated. A statement that is an N+1 by itself is left to that.
fn sequences(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    let print = |place: usize| unit.steps[place].fingerprint;
    let count = unit.steps.len();
    let mut start = 0;
    while start + 2 * detect.sequence as usize <= count {
        let found = (2..=LONGEST).find_map(|length| {
            let repeats =
                (start + length..count).take_while(|place| print(*place) == print(place - length)).count();
            let times = repeats / length + 1;
            (times as u64 >= detect.sequence && sequence(unit, start, length, times, detect, out))
                .then_some(length * times)
        });
        start += found.unwrap_or(1);
    }
}

/// A sequence of `length` statements from `start`, `times` in a row; whether it is worth telling.
fn sequence(
    unit: &Unit<'_>,
    start: usize,
    length: usize,
    times: usize,
    detect: &Detect,
    out: &mut Findings,
) -> bool {
    let marks_of = |offset: usize| (0..times).map(move |time| (start + offset + time * length) as u32);
    let first = unit.steps[start].fingerprint;
    if unit.steps[start..start + length].iter().all(|step| step.fingerprint == first) {
        return false;
    }
    let mut related = [0; 2];
    let mut marks: Vec<u32> = Vec::new();
    for offset in 0..length {
        let fact = unit.fact((start + offset) as u32);
        let step = &unit.steps[start + offset];
        let group = unit.group_of(step.fingerprint);
        let mut params: Vec<u64> = marks_of(offset)
            .map(|mark| unit.step(mark))
            .filter(|step| step.is_known())
            .map(|step| step.params)
            .collect();
        params.sort_unstable();
        let varies = distinct(params.into_iter()) >= detect.sequence;
        let looks = marks_of(offset).any(|mark| unit.is_look(mark));
        if fact.is_judged() && varies && !looks && !is_n_plus_one(unit, group, detect) {
            marks.extend(marks_of(offset));
        } else if related[1] == 0 && !matches!(fact.verb, Verb::Other | Verb::Failed) {
            let place = usize::from(related[0] != 0);
            related[place] = step.fingerprint;
        }
    }
    if marks.is_empty() {
        return false;
    }
    let questions = (marks.len() / times) as u64;
    // The first mark names the finding; the first time through is what one statement would still cost.
    let time = marks
        .iter()
        .filter(|mark| **mark as usize >= start + length)
        .map(|mark| unit.step(*mark).duration)
        .sum();
    let saved = (marks.len() as u64 - questions, time);
    let numbers = [("sequence_length", length as u64), ("sequences", 1)];
    out.add(Rule::NPlusOne, unit, &Calls { marks: &marks, saved, related, numbers: &numbers });
    true
}
