//! [`Unit`]: the calls of one piece of work, and [`Judge`], which cuts a sheet into units and asks every rule.
//!
//! ```text
//!  session:  a b BEGIN c d COMMIT e f ··1 s·· g        a sheet: one minute of a session
//!            └┬┘└───────┬───────┘ └┬┘         │
//!           burst  transaction   burst      burst
//! ```
//!
//! Calls that say which trace or request they belong to are judged there, wherever they ran; their session's sheet
//! still tells transactions, and what a replica could serve.

use std::sync::Arc;

use super::check_then_write::Look;
use super::outline::{self, Cut, Find, Outline, Run};
use super::{
    Deeds, Detect, Enclosed, Ending, Fact, Findings, Known, NO_TIME, Step, Verb, chatty_transaction,
    check_then_write, idle_in_transaction, known, n_plus_one, read_back, redundant_select, row_by_row_insert,
};
use crate::units::Timestamp;

/// A sheet ends at every full minute.
pub const MINUTE: i64 = 60_000_000;
/// Writes between two calls that are looked at one by one; more count as a write to everything.
const MOST_BETWEEN: usize = 4096;

/// What holds the calls of a unit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnitKind {
    /// `traceparent`.
    Trace,
    /// `request_id`, `correlation_id`, `jid`, `job_id`.
    Request,
    /// BEGIN to COMMIT or ROLLBACK.
    Transaction,
    /// A session without a pause of a second.
    Burst,
}

impl UnitKind {
    /// How many there are.
    pub const COUNT: usize = 4;
    /// All of them, in the order of preference.
    pub const ALL: [Self; Self::COUNT] = [Self::Trace, Self::Request, Self::Transaction, Self::Burst];

    /// Its name in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Request => "request",
            Self::Transaction => "transaction",
            Self::Burst => "burst",
        }
    }
}

/// Units and calls by kind, and how many units the clock cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnitCounts {
    /// Units and calls.
    pub by_kind: [(u64, u64); UnitKind::COUNT],
    /// Units that ended because a full minute or ten seconds of the clock did.
    pub cut_by_clock: u64,
    /// Calls beyond what is judged of a minute as one: judged second by second.
    pub by_second: u64,
    /// Calls in seconds too full to be judged at all.
    pub unjudged: u64,
    /// Traces and requests that write and say nothing of a transaction around it.
    pub loose: u64,
    /// Writes of traces and requests.
    pub tagged_writes: Enclosed,
}

impl UnitCounts {
    /// Adds another part's.
    pub fn merge(&mut self, other: &Self) {
        for (own, their) in self.by_kind.iter_mut().zip(other.by_kind) {
            own.0 += their.0;
            own.1 += their.1;
        }
        self.cut_by_clock += other.cut_by_clock;
        self.by_second += other.by_second;
        self.unjudged += other.unjudged;
        self.loose += other.loose;
        self.tagged_writes.add(other.tagged_writes);
    }

    /// Traces and requests that write outside of a transaction, as far as their sessions tell.
    #[must_use]
    pub fn loose_units(&self) -> u64 {
        self.tagged_writes.outside(self.loose)
    }
}

/// The calls of one unit, and of what the session did before it in the same minute.
pub struct Unit<'a> {
    /// What holds it together.
    pub kind: UnitKind,
    /// Its stream.
    pub stream: u32,
    /// It is not the first part of its unit, which was too long to be judged as one.
    pub continued: bool,
    /// The session was silent before it, or new.
    pub fresh: bool,
    /// Only what other traces did counts as done before.
    pub others: bool,
    /// When the session's call after it began; [`NO_TIME`] where there is none, or it is on the same sheet.
    pub next: Timestamp,
    /// Its calls in order.
    pub steps: &'a [Step],
    /// What precedes `steps` in the same session and minute.
    before: &'a [Step],
    /// The arena's places of the facts of `before` and `steps`.
    facts: &'a [u32],
    arena: &'a [Arc<Fact>],
    /// Runs of at least two, by place in the session's minute.
    runs: &'a [Run],
    /// Calls that may ask what one of the last few asked, by place in the session's minute.
    again: &'a [u32],
    /// Questions not long after a write, by place in the session's minute; `None` for all of the unit's calls.
    back: Option<&'a [u32]>,
    /// Places sorted by statement, parameters and place; empty for bursts.
    groups: &'a [u32],
    /// Places of whatever makes earlier answers stale.
    stale: &'a [u32],
    /// Calls that look for a row before it is written.
    pub(super) looks: &'a [Look],
}

impl<'a> Unit<'a> {
    /// A call.
    #[must_use]
    pub fn step(&self, place: u32) -> &'a Step {
        &self.steps[place as usize]
    }

    /// What is known about a call's statement.
    #[must_use]
    pub fn fact(&self, place: u32) -> &'a Fact {
        &self.arena[self.facts[self.before.len() + place as usize] as usize]
    }

    /// The calls of each statement, sorted by parameters, then place. Only for units that are no bursts.
    pub fn groups(&self) -> impl Iterator<Item = &'a [u32]> {
        let steps = self.steps;
        self.groups.chunk_by(move |a, b| steps[*a as usize].fingerprint == steps[*b as usize].fingerprint)
    }

    /// The calls of one statement.
    #[must_use]
    pub fn group_of(&self, fingerprint: u64) -> &'a [u32] {
        let before = self.groups.partition_point(|place| self.step(*place).fingerprint < fingerprint);
        let behind = self.groups.partition_point(|place| self.step(*place).fingerprint <= fingerprint);
        &self.groups[before..behind]
    }

    /// Whether a call looks for a row before it is written.
    #[must_use]
    pub fn is_look(&self, place: u32) -> bool {
        let name = (self.step(place).fingerprint, place);
        self.looks.binary_search_by_key(&name, |look| (look.fingerprint, look.place)).is_ok()
    }

    /// Calls of one statement in a row, at least two: the place of the first, and all of them.
    pub fn runs(&self) -> impl Iterator<Item = (u32, &'a [Step])> {
        let (steps, skipped) = (self.steps, self.before.len());
        self.runs.iter().map(move |run| {
            let start = run.start - skipped;
            (start as u32, &steps[start..start + run.count])
        })
    }

    /// Calls of a burst that may ask what one of the last few asked: all that do, and some that do not.
    pub fn again(&self) -> impl Iterator<Item = u32> {
        let skipped = self.before.len() as u32;
        self.again.iter().map(move |place| *place - skipped)
    }

    /// Calls that may read back what was written: all that do, and some that do not.
    pub fn back(&self) -> impl Iterator<Item = u32> {
        let (skipped, len) = (self.before.len() as u32, self.steps.len() as u32);
        let (some, all) = match self.back {
            Some(places) => (places, 0..0),
            None => (&[][..], 0..len),
        };
        some.iter()
            .filter_map(move |place| place.checked_sub(skipped).filter(|place| *place < len))
            .chain(all)
    }

    /// Whether something between two calls of one statement may have changed its answer.
    #[must_use]
    pub fn written_between(&self, earlier: u32, later: u32) -> bool {
        let from = self.stale.partition_point(|place| *place <= earlier);
        let to = self.stale.partition_point(|place| *place < later);
        let between = self.stale.get(from..to).unwrap_or(&[]);
        let question = self.fact(later);
        between.len() > MOST_BETWEEN
            || between.iter().any(|place| self.fact(*place).barrier || self.fact(*place).touches(question))
    }

    /// Whether the unit says itself where its transactions begin.
    #[must_use]
    pub fn has_transactions(&self) -> bool {
        (0..self.steps.len() as u32).any(|place| matches!(self.fact(place).verb, Verb::Begin | Verb::Whole))
    }

    /// Whether its last call ends a transaction.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let last = self.steps.len().checked_sub(1).map(|last| self.fact(last as u32).verb);
        last.is_some_and(|verb| matches!(verb, Verb::Commit | Verb::Rollback | Verb::Whole))
    }

    /// Whether a call is one of the unit's own.
    #[must_use]
    pub fn is_inside(&self, step: &Step) -> bool {
        self.steps.first().is_some_and(|first| step.at >= first.at)
    }

    /// What came before a call, latest first: the unit's own calls, then the session's.
    pub fn back_from(&self, place: usize) -> impl Iterator<Item = (&'a Step, &'a Fact)> {
        let skipped = self.before.len();
        let (steps, before, facts, arena) = (self.steps, self.before, self.facts, self.arena);
        (0..skipped + place).rev().map(move |place| {
            let step = if place >= skipped { &steps[place - skipped] } else { &before[place] };
            (step, &*arena[facts[place] as usize])
        })
    }
}

/// Cuts sheets into units and asks the rules. Its buffers are used again and again.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    outline: Outline,
    groups: Vec<u32>,
    stale: Vec<u32>,
    plain: Vec<Step>,
    plain_facts: Vec<u32>,
}

/// What goes on from one minute of a session to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// Whether a transaction is open; where none is, nothing goes on.
    pub inside: bool,
    /// What its calls did.
    pub did: Deeds,
    /// Whether it has failed: its COMMIT is a ROLLBACK.
    pub failed: bool,
}

/// What is judged: calls of one session within a minute, or those of a trace.
#[derive(Debug, Clone, Copy)]
pub struct Bench<'a> {
    /// The calls, in order.
    pub steps: &'a [Step],
    /// How many of them were judged before: they only tell what came before the others.
    pub lead: usize,
    /// When the session wrote last before the others, if it did within its minute.
    pub wrote: Option<Timestamp>,
    /// Whether the session was silent before the others.
    pub fresh: bool,
    /// What was open before the others.
    pub carried: Carried,
    /// Their stream.
    pub stream: u32,
    /// They are a part of a minute too full to be judged as one, but not its first.
    pub continued: bool,
    /// When the session's next call began; [`NO_TIME`] where there is none.
    pub next: Timestamp,
    /// What ended the last unit, if another one follows in the same minute.
    pub end: Ending,
    /// The thresholds.
    pub detect: &'a Detect,
}

impl Judge {
    /// Judges the calls of one trace or request; `find` asks elsewhere for facts that are not known.
    pub fn tagged(
        &mut self,
        bench: Bench<'_>,
        known: &mut Known,
        find: &Find<'_>,
        out: &mut Findings,
        counts: &mut UnitCounts,
    ) {
        let Some(first) = bench.steps.first() else { return };
        let kind = if first.marks.is_trace() { UnitKind::Trace } else { UnitKind::Request };
        counts.by_kind[kind as usize].0 += 1;
        counts.by_kind[kind as usize].1 += bench.steps.len() as u64;
        counts.loose += u64::from(self.outline.trace(bench, known, find, out));
        self.requests(bench, Cut::unseen(kind, bench.steps.len(), true), known, out);
    }

    /// Judges calls of one session within a minute. `commit` hears of every transaction that wrote.
    pub fn session(
        &mut self,
        bench: Bench<'_>,
        known: &mut Known,
        find: &Find<'_>,
        out: &mut Findings,
        counts: &mut UnitCounts,
        commit: &mut dyn FnMut(&Step),
    ) {
        self.outline.read(bench, known, find, out, counts);
        for place in 0..self.outline.cuts.len() {
            let cut = self.outline.cuts[place];
            let mut calls = cut.end - cut.start;
            if cut.has & (outline::FAILED | outline::TAGGED) != 0 {
                // Calls of a trace or request are counted there.
                let own = |step: &&Step| step.is_call() && step.tag == 0;
                calls = bench.steps[cut.start..cut.end].iter().filter(own).count();
                if calls == 0 && cut.has & outline::TAGGED == 0 {
                    continue;
                }
            }
            if calls > 0 {
                counts.by_kind[cut.kind as usize].0 += 1;
                counts.by_kind[cut.kind as usize].1 += calls as u64;
            }
            if cut.has & outline::WROTE != 0 {
                self.commits(bench, cut, known, commit);
            }
            // Most transactions are short, and not idle: nothing is asked about them.
            let long = (cut.end - cut.start) as u64 >= bench.detect.chatty;
            if cut.kind == UnitKind::Transaction && (long || cut.has & outline::IDLE != 0) {
                let unit = self.unit(bench, cut, known);
                chatty_transaction::judge(&unit, bench.detect, out);
                if cut.has & outline::IDLE != 0 {
                    idle_in_transaction::judge(&unit, bench.detect, out);
                }
            }
            if cut.has & outline::TAGGED == 0 {
                self.attempts(bench, cut, known, out);
                continue;
            }
            self.enclose(bench, cut, known, out, counts);
            if cut.has & outline::UNTAGGED != 0 {
                self.untagged(bench, cut, known, out);
            }
        }
        let back = Some((0, self.outline.back.len()));
        let whole = Cut { back, ..Cut::unseen(UnitKind::Burst, bench.steps.len(), false) };
        if self.outline.pairs > 1 {
            row_by_row_insert::pairs(&self.unit(bench, whole, known), bench.lead, bench.detect, out);
        }
        if self.outline.has & outline::TAGGED != 0 {
            read_back::judge(&Unit { others: true, ..self.unit(bench, whole, known) }, bench.detect, out);
        }
    }

    /// Tells which writes of traces and requests are in a transaction that these do not know of.
    fn enclose(
        &self,
        bench: Bench<'_>,
        cut: Cut,
        known: &Known,
        out: &mut Findings,
        counts: &mut UnitCounts,
    ) {
        let class = |place: usize| known.class(self.outline.facts[place]);
        let one = Enclosed { calls: 1, enclosed: u64::from(cut.kind == UnitKind::Transaction) };
        let edges = [cut.start, cut.end - 1];
        let turns = |place: usize| bench.steps[place].tag != 0 && class(place).turns();
        if one.enclosed > 0 && edges.into_iter().any(turns) {
            return;
        }
        for place in cut.start..cut.end {
            let (step, class) = (&bench.steps[place], class(place));
            if step.tag == 0 || !class.writes() {
                continue;
            }
            counts.tagged_writes.add(one);
            if class.is & known::SINGLE != 0 && step.marks.is_one_row() {
                out.enclose(step.fingerprint, one);
            }
        }
    }

    /// The calls of a unit that belong to no trace: those of a mixed session are judged by themselves.
    fn untagged(&mut self, bench: Bench<'_>, cut: Cut, known: &Known, out: &mut Findings) {
        let mut plain = std::mem::take(&mut self.plain);
        let mut facts = std::mem::take(&mut self.plain_facts);
        plain.clear();
        facts.clear();
        for place in (cut.start..cut.end).filter(|place| bench.steps[*place].tag == 0) {
            plain.push(bench.steps[place]);
            facts.push(self.outline.facts[place]);
        }
        std::mem::swap(&mut self.outline.facts, &mut facts);
        let kept = (self.outline.runs.len(), self.outline.again.len());
        let own = self.outline.look_at(&plain, Cut::unseen(cut.kind, plain.len(), false));
        self.requests(Bench { steps: &plain, ..bench }, own, known, out);
        self.outline.runs.truncate(kept.0);
        self.outline.again.truncate(kept.1);
        std::mem::swap(&mut self.outline.facts, &mut facts);
        self.plain = plain;
        self.plain_facts = facts;
    }

    /// A transaction is judged in pieces, each ending with a ROLLBACK TO SAVEPOINT: what was undone is an attempt of
    /// its own, or a test of a suite that keeps its tests apart that way, and what comes next is another.
    fn attempts(&mut self, bench: Bench<'_>, cut: Cut, known: &Known, out: &mut Findings) {
        let mut start = cut.start;
        if cut.kind == UnitKind::Transaction && cut.has & outline::UNDID != 0 {
            for place in cut.start..cut.end - 1 {
                if known.class(self.outline.facts[place]).is & known::UNDOES != 0 {
                    self.requests(bench, Cut { start, end: place + 1, ..cut }, known, out);
                    start = place + 1;
                }
            }
        }
        self.requests(bench, Cut { start, ..cut }, known, out);
    }

    fn requests(&mut self, bench: Bench<'_>, cut: Cut, known: &Known, out: &mut Findings) {
        let has = |bit: u16| cut.has & bit != 0;
        let same = match cut.kind {
            UnitKind::Burst => cut.runs.0 < cut.runs.1 || cut.again.0 < cut.again.1,
            _ => has(outline::TWICE),
        };
        if same {
            self.prepare(bench, cut, known);
        }
        let mut unit = self.unit(bench, cut, known);
        let looks = if has(outline::LOOK) { check_then_write::looks(&unit) } else { Vec::new() };
        unit.looks = &looks;
        if same {
            redundant_select::judge(&unit, bench.detect, out);
            n_plus_one::judge(&unit, bench.detect, out);
            row_by_row_insert::judge(&unit, bench.detect, out);
        }
        check_then_write::judge(&unit, bench.detect, out);
        if has(outline::BACK) {
            read_back::judge(&unit, bench.detect, out);
        }
    }

    /// What rules about the same statement need.
    fn prepare(&mut self, bench: Bench<'_>, cut: Cut, known: &Known) {
        let steps = &bench.steps[cut.start..cut.end];
        let facts = &self.outline.facts[cut.start..cut.end];
        self.stale.clear();
        self.groups.clear();
        let stale = |fact: &Fact| fact.barrier || !fact.writes.is_empty();
        let places = 0..steps.len() as u32;
        self.stale.extend(places.clone().filter(|place| stale(known.fact(facts[*place as usize]))));
        if cut.kind != UnitKind::Burst {
            self.groups.extend(places);
            self.groups.sort_unstable_by_key(|place| {
                let step = &steps[*place as usize];
                (step.fingerprint, step.params, *place)
            });
        }
    }

    fn unit<'u>(&'u self, bench: Bench<'u>, cut: Cut, known: &'u Known) -> Unit<'u> {
        Unit {
            kind: cut.kind,
            stream: bench.stream,
            continued: bench.continued && cut.start == 0,
            fresh: cut.fresh,
            others: false,
            next: if cut.end == bench.steps.len() { bench.next } else { NO_TIME },
            steps: &bench.steps[cut.start..cut.end],
            before: &bench.steps[..cut.start],
            facts: &self.outline.facts[..cut.end],
            arena: known.list(),
            runs: &self.outline.runs[cut.runs.0..cut.runs.1],
            again: &self.outline.again[cut.again.0..cut.again.1],
            back: cut.back.map(|(start, end)| &self.outline.back[start..end]),
            groups: &self.groups,
            stale: &self.stale,
            looks: &[],
        }
    }

    /// Transactions that wrote, of a unit that did: each autocommitted write, and a COMMIT.
    fn commits(&self, bench: Bench<'_>, cut: Cut, known: &Known, commit: &mut dyn FnMut(&Step)) {
        let steps = &bench.steps[cut.start..cut.end];
        let facts = &self.outline.facts[cut.start..cut.end];
        let fact = |place: usize| known.fact(facts[place]);
        match cut.kind {
            UnitKind::Burst => {
                let writes = (0..steps.len()).filter(|place| fact(*place).is_write());
                writes.for_each(|place| commit(&steps[place]));
            }
            UnitKind::Transaction => {
                let Some(last) = steps.len().checked_sub(1) else { return };
                // An error loses everything, unless the transaction goes back to a savepoint after it.
                let tells = |place: &usize| fact(*place).verb == Verb::Failed || fact(*place).barrier;
                let failed = cut.failed || cut.has & outline::FAILED != 0;
                let last_told = failed.then(|| (0..steps.len()).rev().find(tells)).flatten();
                if last_told.map_or(cut.failed, |place| fact(place).verb == Verb::Failed) {
                    return;
                }
                if matches!(fact(last).verb, Verb::Commit | Verb::Whole) {
                    commit(&steps[last]);
                }
            }
            UnitKind::Trace | UnitKind::Request => {}
        }
    }
}
