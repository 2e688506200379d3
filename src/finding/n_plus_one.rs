//! `n_plus_one`: one statement sent for each row of another.
//!
//! In a trace, a request or a transaction: at least five calls of one question with five different parameters, or a
//! *sequence* of up to eight statements that repeats three times. In a burst nothing says where a request ends, so
//! only calls in a row count there, close together, and after a question of another kind (or after a silence), and
//! sequences are not judged: a pool that serves the same request again and again looks just like one.
//!
//! A call that looks for a row before it is written is left to `check_then_write`: one problem, one finding. A call
//! that names several rows at once is a prefetch already, and calls that differ in nothing but their page or range are
//! one answer in pieces.

use std::ops::Range;

use super::{Calls, Detect, Findings, Join, Rule, Unit, UnitKind, Verb};
use crate::sql::With;
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
        let mut marks: Vec<u32> = group.iter().copied().filter(|mark| asks_for_one(unit, *mark)).collect();
        if marks.len() < 2 {
            continue;
        }
        marks.sort_unstable();
        join(unit, &marks, out);
        if is_n_plus_one(unit, &marks, detect) {
            marks.retain(|mark| !unit.is_look(*mark));
            report(unit, &marks, out);
        }
    }
}

/// Whether a call asks for what belongs to one row: a list asks for several rows at once, and a page or a range
/// without a key is a piece of one answer.
fn asks_for_one(unit: &Unit<'_>, mark: u32) -> bool {
    let fact = unit.fact(mark);
    let several = match fact.with {
        With::Value => false,
        // The values of a list that was folded have no places of their own.
        With::List => unit.step(mark).pairs[0] == 0,
        With::Array => true,
    };
    !several && (fact.keyed || !(fact.page || fact.answer.ranged))
}

/// Whether the calls of one statement are one.
fn is_n_plus_one(unit: &Unit<'_>, group: &[u32], detect: &Detect) -> bool {
    let own = group.iter().copied().filter(|mark| !unit.is_look(*mark));
    (group.len() as u64) >= detect.n_plus_one
        && unit.fact(group[0]).is_judged()
        && ask_different(unit, own, detect.n_plus_one)
}

/// Whether calls of one statement ask for so many different rows, as far as their parameters are known.
fn ask_different(unit: &Unit<'_>, marks: impl Iterator<Item = u32>, enough: u64) -> bool {
    let mut rows: Vec<u64> = Vec::new();
    for mark in marks.filter(|mark| unit.step(*mark).is_known() && asks_for_one(unit, *mark)) {
        let step = unit.step(mark);
        let fact = unit.fact(mark);
        // The same rows on another page, or in another range, are none of their own.
        let row = match fact.page || fact.answer.ranged && step.pairs[0] != 0 {
            true => step.row(),
            false => step.params,
        };
        if !rows.contains(&row) {
            rows.push(row);
        }
        if rows.len() as u64 >= enough {
            return true;
        }
    }
    false
}

/// For the forecast: the calls of one unit that one statement could do.
fn join(unit: &Unit<'_>, marks: &[u32], out: &mut Findings) {
    let time = marks.iter().skip(1).map(|mark| unit.step(*mark).duration).sum();
    let saved = marks.len() as u64 - 1;
    let first = unit.step(marks[0]);
    let led = source(unit, marks).is_some_and(|before| unit.fact(before).question);
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
    out.add(
        Rule::NPlusOne,
        unit,
        &Calls {
            marks,
            saved: (marks.len() as u64 - 1, time),
            related: [source(unit, marks).map_or(0, |before| unit.step(before).fingerprint), 0],
            ..Calls::default()
        },
    );
}

/// The place of the call that led to these: the one before them that asks or writes something else, and does not come
/// with each of them anew.
fn source(unit: &Unit<'_>, marks: &[u32]) -> Option<u32> {
    let first = *marks.first()?;
    let again = marks.get(1).map_or(0..0, |second| first + 1..*second).take(LONGEST);
    let in_turn = |before: u32| again.clone().any(|place| is_same(unit, place, before));
    (0..first).rev().take(LEAD).find(|before| {
        matches!(unit.fact(*before).verb, Verb::Read | Verb::Write)
            && !is_same(unit, *before, first)
            && !in_turn(*before)
    })
}

/// Whether two calls are of one statement.
fn is_same(unit: &Unit<'_>, one: u32, other: u32) -> bool {
    unit.step(one).fingerprint == unit.step(other).fingerprint
}

fn bursts(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
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
        let mut marks: Vec<u32> =
            (first..).take(run.len()).filter(|mark| asks_for_one(unit, *mark)).collect();
        let own = |mark: &u32| !unit.is_look(*mark);
        if ask_different(unit, marks.iter().copied().filter(own), detect.n_plus_one) {
            join(unit, &marks, out);
            marks.retain(own);
            report(unit, &marks, out);
        }
    }
}

/// Sequences of two to eight statements, repeated. A statement that is an N+1 by itself is left to that.
fn sequences(unit: &Unit<'_>, detect: &Detect, out: &mut Findings) {
    let mut stretches = [Stretch::default(); LONGEST + 1];
    let mut start = 0;
    while start + 2 * detect.sequence as usize <= unit.steps.len() {
        let found = (2..=LONGEST).find_map(|length| {
            let stretch = &mut stretches[length];
            stretch.reach(unit, start, length);
            let times = (stretch.end - start) / length;
            if (times as u64) < detect.sequence || start < stretch.hopeless {
                return None;
            }
            if sequence(unit, start, length, times, detect, out) {
                return Some(length * times);
            }
            stretch.hopeless = hopeless(unit, start..stretch.end, length, detect);
            None
        });
        start += found.unwrap_or(1);
    }
}

/// Calls of which each is of the same statement as the one `length` before it. A long unit would take hours if every
/// call of a stretch looked through all of it again.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    /// The place behind its last call.
    end: usize,
    /// No sequence from a place before this one is worth telling.
    hopeless: usize,
}

impl Stretch {
    /// Makes it that of the calls from `start` on.
    fn reach(&mut self, unit: &Unit<'_>, start: usize, length: usize) {
        if start + length < self.end {
            return;
        }
        let steps = unit.steps;
        let same = |place: &usize| steps[*place].fingerprint == steps[*place - length].fingerprint;
        let repeats = (start + length..steps.len()).take_while(same).count();
        *self = Self { end: start + length + repeats, hopeless: 0 };
    }
}

/// Up to which start no sequence within `places` is worth telling, if the one from the first place is not. Later ones
/// have fewer calls of each statement: too few parameters stay too few, and a look counts as long as it is among them.
fn hopeless(unit: &Unit<'_>, places: Range<usize>, length: usize, detect: &Detect) -> usize {
    if is_one_statement(unit, places.start, length) {
        return places.end;
    }
    let bound = |offset: usize| {
        let mut marks = (places.start + offset..places.end).step_by(length).map(|place| place as u32);
        let group = unit.group_of(unit.steps[places.start + offset].fingerprint);
        let may_count = unit.fact((places.start + offset) as u32).is_judged()
            && !is_n_plus_one(unit, group, detect)
            && ask_different(unit, marks.clone(), detect.sequence);
        match may_count {
            true => marks.rfind(|mark| unit.is_look(*mark)).map_or(places.start, |mark| mark as usize) + 1,
            false => places.end,
        }
    };
    (0..length).map(bound).min().unwrap_or(places.end)
}

fn is_one_statement(unit: &Unit<'_>, start: usize, length: usize) -> bool {
    let first = unit.steps[start].fingerprint;
    unit.steps[start..start + length].iter().all(|step| step.fingerprint == first)
}

/// A sequence of `length` statements from `start`, `times` in a row; whether it is worth telling. Each of its statements
/// that could be one is a finding of its own, as where it comes often enough without the others.
fn sequence(
    unit: &Unit<'_>,
    start: usize,
    length: usize,
    times: usize,
    detect: &Detect,
    out: &mut Findings,
) -> bool {
    let marks_of = |offset: usize| (0..times).map(move |time| (start + offset + time * length) as u32);
    if is_one_statement(unit, start, length) {
        return false;
    }
    let (start_of_next, offsets) = ((start + length) as u32, start as u32..(start + length) as u32);
    let mut found: Vec<Vec<u32>> = Vec::new();
    for (offset, place) in offsets.clone().enumerate() {
        let group = unit.group_of(unit.step(place).fingerprint);
        let varies = ask_different(unit, marks_of(offset), detect.sequence);
        let looks = marks_of(offset).any(|mark| unit.is_look(mark));
        if unit.fact(place).is_judged() && varies && !looks && !is_n_plus_one(unit, group, detect) {
            match found.iter_mut().find(|marks| is_same(unit, marks[0], place)) {
                Some(marks) => marks.extend(marks_of(offset)),
                None => found.push(marks_of(offset).collect()),
            }
        }
    }
    let numbers = [("sequence_length", length as u64), ("sequences", 1)];
    for marks in &mut found {
        marks.sort_unstable();
        // The first time through is what one statement would still cost.
        let rest = &marks[marks.partition_point(|mark| *mark < start_of_next)..];
        let time = rest.iter().map(|mark| unit.step(*mark).duration).sum();
        let saved = (rest.len() as u64, time);
        let told = |place: u32| !matches!(unit.fact(place).verb, Verb::Other | Verb::Failed);
        let beside = offsets.clone().find(|place| told(*place) && !is_same(unit, *place, marks[0]));
        let related =
            [source(unit, marks), beside].map(|place| place.map_or(0, |place| unit.step(place).fingerprint));
        out.add(
            Rule::NPlusOne,
            unit,
            &Calls { marks, saved, related, numbers: &numbers, ..Calls::default() },
        );
    }
    !found.is_empty()
}
