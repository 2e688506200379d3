//! [`Outline`]: one pass over a sheet, which tells where its units begin and end, and what each of them has.
//!
//! A rule is asked about a unit only if the unit has what the rule looks for: a statement twice, a question after a
//! write … Most units have nothing of the kind, and cost one look at each call. What is noted may be too much, never
//! too little: the rules themselves decide.

use std::sync::Arc;

use super::known::{self, Class, Known};
use super::replica_reads::{Question, Reads};
use super::{
    Bench, Clock, Ending, Fact, Findings, MINUTE, NO_TIME, Step, UnitCounts, UnitKind, overlap, read_back,
    redundant_select,
};
use crate::units::Timestamp;

/// Slots for the questions asked last; a power of two, and many more than [`redundant_select::NEAR`].
const RECENT: usize = 1 << 10;
/// Places so far apart have nothing to do with each other.
const FAR: u32 = redundant_select::NEAR as u32 + 1;

/// Calls before others that rules want to know of, wherever units begin: as far back as a write is remembered.
pub const LEAD: usize = read_back::REACH;

/// A call that belongs to a trace or request.
pub(super) const TAGGED: u16 = 1;
/// A call that belongs to none.
pub(super) const UNTAGGED: u16 = 1 << 1;
/// A call whose transaction writes.
pub(super) const WROTE: u16 = 1 << 2;
/// A statement twice.
pub(super) const TWICE: u16 = 1 << 3;
/// A question by key, and then an INSERT or UPDATE that names a row, perhaps of the same table.
pub(super) const LOOK: u16 = 1 << 4;
/// A question by key, not long after an INSERT or UPDATE of the session that names a row.
pub(super) const BACK: u16 = 1 << 5;
/// A pause that a transaction must not make.
pub(super) const IDLE: u16 = 1 << 6;
/// A failure in place of a call.
pub(super) const FAILED: u16 = 1 << 7;
/// A call that undoes what was done before.
pub(super) const UNDID: u16 = 1 << 8;
/// A call that holds its transaction on the primary.
const HELD: u16 = 1 << 9;
/// Everything: nobody looked.
pub(super) const ANY: u16 = u16::MAX;

/// Where a unit stands in its sheet, and what it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) kind: UnitKind,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) fresh: bool,
    /// It has failed in the minute before.
    pub(super) failed: bool,
    /// What it has, as bits.
    pub(super) has: u16,
    /// Its first run in [`Outline::runs`], and the one behind its last.
    pub(super) runs: (usize, usize),
    /// Likewise in [`Outline::again`].
    pub(super) again: (usize, usize),
    /// Likewise in [`Outline::back`]; `None` where nobody looked.
    pub(super) back: Option<(usize, usize)>,
}

impl Cut {
    /// A part of a sheet that nobody looked into.
    pub(super) fn unseen(kind: UnitKind, end: usize, fresh: bool) -> Self {
        Self { kind, start: 0, end, fresh, failed: false, has: ANY, runs: (0, 0), again: (0, 0), back: None }
    }
}

/// Calls of one statement in a row: at least two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The place of the first.
    pub(super) start: usize,
    /// How many.
    pub(super) count: usize,
}

/// What one pass over a sheet tells. Its buffers are used again and again.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    /// The units, in order.
    pub(super) cuts: Vec<Cut>,
    /// The number of each call's fact.
    pub(super) facts: Vec<u32>,
    /// By place in the sheet, in order.
    pub(super) runs: Vec<Run>,
    /// Calls of bursts that may ask what one of the last few asked, by place in the sheet.
    pub(super) again: Vec<u32>,
    /// Questions for which units have [`BACK`], by place in the sheet.
    pub(super) back: Vec<u32>,
    /// What the units have between them.
    pub(super) has: u16,
    /// How often BEGIN, one single-row INSERT and COMMIT follow each other.
    pub(super) pairs: usize,
    /// By fact: the last unit that has it, and its place among `reads`.
    seen: Vec<(u32, u32)>,
    unit: u32,
    /// The last place of a question by hash; places of one sheet are counted from `base` on.
    recent: Box<[u32]>,
    base: u32,
    /// What a replica could answer.
    reads: Vec<Questions>,
    /// Questions of the unit.
    asked: Vec<Asked>,
}

/// One question of a unit.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// Its place in [`Outline::reads`].
    place: u32,
    /// Its place in the stream.
    at: u64,
    question: Question,
}

/// Questions of one statement and route.
#[derive(Debug, Clone, Copy)]
struct Questions {
    fingerprint: u64,
    route: u64,
    /// They belong to a trace or request.
    tagged: bool,
    reads: Reads,
}

impl Default for Outline {
    fn default() -> Self {
        Self {
            cuts: Vec::new(),
            facts: Vec::new(),
            runs: Vec::new(),
            again: Vec::new(),
            back: Vec::new(),
            has: 0,
            pairs: 0,
            seen: Vec::new(),
            unit: 0,
            recent: vec![0; RECENT].into_boxed_slice(),
            base: FAR,
            reads: Vec::new(),
            asked: Vec::new(),
        }
    }
}

impl Outline {
    /// Reads the calls of one trace or request: their facts, and what a replica could answer. Tells whether it writes
    /// outside of a transaction.
    pub(super) fn trace(
        &mut self,
        bench: Bench<'_>,
        known: &mut Known,
        find: &Find<'_>,
        out: &mut Findings,
    ) -> bool {
        self.clear(bench.steps.len());
        self.unit += 1;
        let mut wrote: Option<Timestamp> = None;
        let (mut open, mut loose) = (false, false);
        for step in bench.steps {
            let number = known.number(step.fingerprint, find);
            let class = known.class(number).is;
            self.facts.push(number);
            open |= class & known::BEGINS != 0;
            if class & known::JUDGED != 0 {
                self.seen(number);
                let question = Question::new(step.duration, since(step, wrote), bench.detect.pin);
                self.ask(step, number, question, false);
                if question.pins.hold() {
                    let call = overlap::call(bench.stream, step.at);
                    out.overlap.pin(call, step.fingerprint, step.route, question);
                }
            }
            if class & known::PINS != 0 {
                wrote = Some(step.time);
            }
            loose |= class & known::WRITES != 0 && !open;
            open &= class & (known::ENDS | known::CHAINS) != known::ENDS;
        }
        self.asked.clear();
        self.tell(out);
        self.leave(0);
        loose
    }

    /// Reads calls of one session within a minute. What a replica could answer is counted at once.
    pub(super) fn read(
        &mut self,
        bench: Bench<'_>,
        known: &mut Known,
        find: &Find<'_>,
        out: &mut Findings,
        counts: &mut UnitCounts,
    ) {
        self.clear(bench.steps.len());
        let fresh = if bench.lead > 0 { bench.fresh } else { starts_fresh(bench) };
        let mut pass = Pass::new(self, bench, out, counts, fresh);
        let mut steps = bench.steps.iter().enumerate();
        for (place, step) in steps.by_ref().take(bench.lead) {
            let number = known.number(step.fingerprint, find);
            pass.lead(place, number, known.class(number));
        }
        for (place, step) in steps {
            if step.is_edge() {
                pass.edge(place);
                continue;
            }
            let number = known.number(step.fingerprint, find);
            pass.call(place, step, number, known.class(number));
        }
        pass.finish();
    }

    /// Looks for runs in calls of which nothing else is noted; any of them may ask again.
    pub(super) fn look_at(&mut self, steps: &[Step], cut: Cut) -> Cut {
        let (runs, again) = (self.runs.len(), self.again.len());
        let mut start = 0;
        for run in steps.chunk_by(|a, b| a.fingerprint == b.fingerprint) {
            if run.len() > 1 {
                self.runs.push(Run { start, count: run.len() });
            }
            start += run.len();
        }
        self.again.extend(0..steps.len() as u32);
        Cut { runs: (runs, self.runs.len()), again: (again, self.again.len()), ..cut }
    }

    fn clear(&mut self, steps: usize) {
        self.cuts.clear();
        self.facts.clear();
        self.facts.reserve(steps);
        self.runs.clear();
        self.again.clear();
        self.back.clear();
        self.has = 0;
        self.pairs = 0;
    }

    /// Whether the unit has had a fact before; from now on it has.
    #[inline]
    fn seen(&mut self, number: u32) -> bool {
        if self.seen.len() <= number as usize {
            self.seen.resize(number as usize + 1, (0, 0));
        }
        let seen = &mut self.seen[number as usize];
        if seen.0 == self.unit {
            return true;
        }
        seen.0 = self.unit;
        false
    }

    /// A question of a fact that was seen. Questions of a trace are counted there; a session knows of them only what a
    /// transaction holds back.
    #[inline]
    fn ask(&mut self, step: &Step, number: u32, question: Question, tagged: bool) {
        let place = &mut self.seen[number as usize].1;
        let questions = match self.reads.get_mut(*place as usize) {
            Some(questions)
                if questions.fingerprint == step.fingerprint
                    && questions.route == step.route
                    && questions.tagged == tagged =>
            {
                questions
            }
            // Another route than last time, or another sheet: one entry more, all are added up.
            _ => {
                *place = self.reads.len() as u32;
                let (fingerprint, route) = (step.fingerprint, step.route);
                self.reads.push(Questions { fingerprint, route, tagged, reads: Reads::default() });
                &mut self.reads[*place as usize]
            }
        };
        if !tagged {
            questions.reads.ask(question);
        }
        self.asked.push(Asked { place: *place, at: step.at, question });
    }

    /// The unit is over, and stays: its questions are held back.
    fn hold(&mut self, stream: u32, out: &mut Findings) {
        for Asked { place, at, question } in &self.asked {
            let questions = &mut self.reads[*place as usize];
            questions.reads.hold(*question);
            if questions.tagged && question.pins.may_be_free() {
                out.overlap.hold(overlap::call(stream, *at), question.pins);
            }
        }
    }

    /// Tells what a replica could have answered.
    fn tell(&mut self, out: &mut Findings) {
        for questions in self.reads.drain(..).filter(|questions| !questions.reads.is_empty()) {
            if let Some(reads) = out.reads(questions.fingerprint, questions.route) {
                reads.merge(&questions.reads);
            }
        }
    }

    /// The units are read: another sheet's places must not look near.
    fn leave(&mut self, steps: usize) {
        self.base += steps as u32 + FAR;
        if self.base > u32::MAX / 2 || self.unit > u32::MAX / 2 {
            self.recent.fill(0);
            self.base = FAR;
            self.seen.fill((0, 0));
            self.unit = 0;
        }
    }
}

/// Asks elsewhere for a fact.
pub(super) type Find<'f> = dyn Fn(u64) -> Option<Arc<Fact>> + 'f;

/// Microseconds between an actor's last write and a call; without a write more than any pin time.
fn since(step: &Step, wrote: Option<Timestamp>) -> u64 {
    wrote.map_or(u64::MAX, |wrote| u64::try_from(step.start().0.saturating_sub(wrote.0)).unwrap_or(0))
}

/// Whether the session was silent before its first call of the minute: it came over a second into it.
fn starts_fresh(bench: Bench<'_>) -> bool {
    bench.steps.first().is_some_and(|first| {
        first.time != NO_TIME && first.start().0.rem_euclid(MINUTE) as u64 > bench.detect.burst_gap
    })
}

/// The pass itself.
struct Pass<'p> {
    to: &'p mut Outline,
    bench: Bench<'p>,
    out: &'p mut Findings,
    counts: &'p mut UnitCounts,
    /// The unit so far.
    cut: Cut,
    /// Where the run so far begins.
    run: usize,
    /// Tables that the unit has asked by key, as in [`Class::tables`].
    asked: u64,
    clock: Clock,
    /// The place of the session's last INSERT or UPDATE that names a row.
    named: Option<usize>,
    /// When the session wrote without saying for whom.
    wrote: Option<Timestamp>,
    /// For whom the unit wrote last, and when: all that is known here for sure of what a trace wrote, wherever the
    /// session's calls are cut.
    wrote_for: Option<(u64, Timestamp)>,
    /// What the two calls before were.
    before: [u16; 2],
}

impl<'p> Pass<'p> {
    fn new(
        to: &'p mut Outline,
        bench: Bench<'p>,
        out: &'p mut Findings,
        counts: &'p mut UnitCounts,
        fresh: bool,
    ) -> Self {
        let (start, wrote, carried) = (bench.lead, bench.wrote, bench.carried);
        let kind = if carried.inside { UnitKind::Transaction } else { UnitKind::Burst };
        let cut = Cut {
            has: if carried.did.write() { WROTE } else { 0 } | if carried.did.stay() { HELD } else { 0 },
            start,
            failed: carried.failed,
            back: Some((0, 0)),
            ..Cut::unseen(kind, start, fresh)
        };
        to.unit += 1;
        Self {
            to,
            bench,
            out,
            counts,
            cut,
            run: start,
            asked: 0,
            clock: Clock::default(),
            named: None,
            wrote,
            wrote_for: None,
            before: [0; 2],
        }
    }

    /// A call that was judged before.
    fn lead(&mut self, place: usize, number: u32, class: Class) {
        self.to.facts.push(number);
        if class.is & known::NAMES != 0 {
            self.named = Some(place);
        }
    }

    /// The edge of the session.
    fn edge(&mut self, place: usize) {
        self.to.facts.push(0);
        self.close(place, true);
        self.cut.start = place + 1;
        self.run = place + 1;
        self.before = [0; 2];
    }

    fn call(&mut self, place: usize, step: &Step, number: u32, class: Class) {
        self.to.facts.push(number);
        self.end_before(place, step, class.is);
        self.note(place, step, number, class);
        if class.is & known::ENDS != 0 {
            // Without its BEGIN: that stands before the beginning of the log.
            if self.cut.start == 0 && self.cut.kind == UnitKind::Burst {
                self.cut.kind = UnitKind::Transaction;
            }
            self.close(place + 1, false);
            if class.is & known::CHAINS != 0 {
                self.cut.kind = UnitKind::Transaction;
            }
        }
    }

    /// Whether the unit so far ends before a call.
    #[inline]
    fn end_before(&mut self, place: usize, step: &Step, class: u16) {
        let same = self.clock.is_same(step.time);
        if place > self.cut.start {
            let before = &self.bench.steps[place - 1];
            let wait = before.idle_before(step);
            if self.cut.kind == UnitKind::Burst
                && let Some(end) = Ending::of_burst(before, step, self.bench.detect.burst_gap, same)
            {
                self.clock_cuts(end == Ending::Clock);
                self.close(place, end == Ending::Silence);
            }
            if wait > self.bench.detect.idle {
                self.cut.has |= IDLE;
            }
            if before.fingerprint != step.fingerprint {
                self.end_run(place);
            }
        }
        if class & known::BEGINS != 0 {
            self.close(place, false);
            self.cut.kind = UnitKind::Transaction;
        }
    }

    /// What a call is to its unit.
    #[inline]
    fn note(&mut self, place: usize, step: &Step, number: u32, class: Class) {
        let Class { is: class, tables } = class;
        let mut has = match step.tag {
            _ if !step.is_call() => FAILED,
            0 => UNTAGGED,
            _ => TAGGED,
        };
        if self.to.seen(number) {
            has |= TWICE;
        }
        if class & known::KEYED != 0 {
            self.asked |= tables;
            if self.named.is_some_and(|named| place - named <= read_back::REACH) {
                has |= BACK;
                self.to.back.push(place as u32);
            }
        }
        if class & known::JUDGED != 0 {
            self.ask(place, step, number);
        }
        if class & known::NAMES != 0 {
            self.named = Some(place);
            if self.asked & tables != 0 {
                has |= LOOK;
            }
        }
        if class & known::UNDOES != 0 {
            has |= UNDID;
        }
        if class & known::STAYS != 0 {
            has |= HELD;
            if class & known::WRITES != 0 {
                has |= WROTE;
            }
            if class & known::PINS != 0 {
                match step.tag {
                    0 => self.wrote = Some(step.time),
                    tag => self.wrote_for = Some((tag, step.time)),
                }
            }
        }
        let [first, second] = self.before;
        let single = second & known::SINGLE != 0;
        if class & known::COMMITS != 0 && single && first & known::OPENS != 0 {
            self.to.pairs += 1;
        }
        self.before = [second, if step.marks.is_one_row() { class } else { class & !known::SINGLE }];
        self.cut.has |= has;
    }

    /// A question: whether it came lately, and whether a replica could answer it.
    #[inline]
    fn ask(&mut self, place: usize, step: &Step, number: u32) {
        let to = &mut *self.to;
        if step.is_known() {
            let now = to.base + place as u32;
            let last = &mut to.recent[(step.params ^ step.fingerprint) as usize % RECENT];
            if now - std::mem::replace(last, now) < FAR {
                to.again.push(place as u32);
            }
        }
        let last = match step.tag {
            0 => self.wrote,
            tag => self.wrote_for.filter(|wrote| wrote.0 == tag).map(|wrote| wrote.1),
        };
        let question = Question::new(step.duration, since(step, last), self.bench.detect.pin);
        to.ask(step, number, question, step.tag != 0);
    }

    /// Where the clock cuts the unit, that counts if the unit does: it has calls of no trace or request.
    fn clock_cuts(&mut self, cuts: bool) {
        self.counts.cut_by_clock += u64::from(cuts && self.cut.has & UNTAGGED != 0);
    }

    fn end_run(&mut self, place: usize) {
        let count = place - self.run;
        if count > 1 {
            self.to.runs.push(Run { start: self.run, count });
        }
        self.run = place;
    }

    /// The unit ends before `end`; the next one begins there.
    fn close(&mut self, end: usize, fresh: bool) {
        if end > self.cut.start {
            self.end_run(end);
            let stays = self.cut.kind == UnitKind::Transaction && self.cut.has & HELD != 0;
            if stays {
                self.to.hold(self.bench.stream, self.out);
            }
            self.to.asked.clear();
            self.wrote_for = None;
            self.to.has |= self.cut.has;
            self.cut.end = end;
            self.cut.runs.1 = self.to.runs.len();
            self.cut.again.1 = self.to.again.len();
            self.cut.back = self.cut.back.map(|(start, _)| (start, self.to.back.len()));
            self.to.cuts.push(self.cut);
            self.to.unit += 1;
            self.asked = 0;
        }
        let (runs, again, back) = (self.to.runs.len(), self.to.again.len(), self.to.back.len());
        self.cut = Cut {
            kind: UnitKind::Burst,
            start: end,
            end,
            fresh,
            failed: false,
            has: 0,
            runs: (runs, runs),
            again: (again, again),
            back: Some((back, back)),
        };
        self.run = end;
    }

    fn finish(mut self) {
        let end = self.bench.steps.len();
        let open = self.cut.kind == UnitKind::Transaction && self.cut.start < end;
        self.clock_cuts(open || self.bench.end == Ending::Clock);
        if open && self.bench.steps[end - 1].wait_until(self.bench.next) > self.bench.detect.idle {
            self.cut.has |= IDLE;
        }
        self.close(end, false);
        self.to.tell(self.out);
        self.to.leave(end);
    }
}
