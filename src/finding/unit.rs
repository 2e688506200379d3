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

use hashbrown::HashMap;

use super::check_then_write::Look;
use super::{
    Detect, FAILURE, Fact, Findings, NO_TIME, Step, TRACE, Verb, chatty_transaction, check_then_write,
    idle_in_transaction, n_plus_one, read_back, redundant_select, replica_reads, row_by_row_insert,
};
use crate::sql::Kind;
use crate::units::Timestamp;

/// A burst ends at every full ten seconds of the clock.
const BURST_CLOCK: i64 = 10_000_000;
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
    /// Calls in minutes too full to be judged as one: judged second by second.
    pub by_second: u64,
    /// Calls in seconds too full to be judged at all.
    pub unjudged: u64,
    /// Traces, requests, transactions that write; each write of its own where there is none of them.
    pub writing: u64,
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
        self.writing += other.writing;
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
    /// Its calls in order.
    pub steps: &'a [Step],
    /// What precedes `steps` in the same session and minute.
    before: &'a [Step],
    /// The arena's places of the facts of `before` and `steps`.
    facts: &'a [u32],
    arena: &'a [Arc<Fact>],
    /// Microseconds since the last write of the same actor, for each step; `u64::MAX` for none.
    since: &'a [u64],
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

    /// Microseconds since the last write of the same actor.
    #[must_use]
    pub fn since_write(&self, place: u32) -> u64 {
        self.since.get(place as usize).copied().unwrap_or(u64::MAX)
    }

    /// The calls of each statement, sorted by parameters, then place. Only for units that are no bursts.
    pub fn groups(&self) -> impl Iterator<Item = &'a [u32]> {
        let steps = self.steps;
        self.groups.chunk_by(move |a, b| steps[*a as usize].fingerprint == steps[*b as usize].fingerprint)
    }

    /// The calls of one statement.
    #[must_use]
    pub fn group_of(&self, fingerprint: u64) -> &'a [u32] {
        self.groups().find(|group| self.step(group[0]).fingerprint == fingerprint).unwrap_or(&[])
    }

    /// Whether a call looks for a row before it is written.
    #[must_use]
    pub fn is_look(&self, place: u32) -> bool {
        let name = (self.step(place).fingerprint, place);
        self.looks.binary_search_by_key(&name, |look| (look.fingerprint, look.place)).is_ok()
    }

    /// Calls of one statement in a row: the place of the first, and all of them.
    pub fn runs(&self) -> impl Iterator<Item = (u32, &'a [Step])> {
        let mut first = 0;
        self.steps.chunk_by(|a, b| a.fingerprint == b.fingerprint).map(move |run| {
            let start = first;
            first += run.len() as u32;
            (start, run)
        })
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
    known: HashMap<u64, u32>,
    arena: Vec<Arc<Fact>>,
    facts: Vec<u32>,
    since: Vec<u64>,
    groups: Vec<u32>,
    stale: Vec<u32>,
    plain: Vec<Step>,
    plain_facts: Vec<u32>,
    writers: HashMap<u64, Timestamp>,
    cuts: Vec<Cut>,
}

/// Facts kept in the judge's own arena before it starts again.
const MOST_KNOWN: usize = 1 << 16;

/// What is judged: the calls of one session within a minute, or those of a trace.
#[derive(Debug, Clone, Copy)]
pub struct Bench<'a> {
    /// The calls, in order.
    pub steps: &'a [Step],
    /// Their stream.
    pub stream: u32,
    /// They are a part of a minute too full to be judged as one, but not its first.
    pub continued: bool,
    /// The thresholds.
    pub detect: &'a Detect,
}

/// The shape of one unit within a sheet.
#[derive(Debug, Clone, Copy)]
struct Cut {
    kind: UnitKind,
    start: usize,
    end: usize,
    fresh: bool,
}

impl Judge {
    fn learn(&mut self, steps: &[Step], find: &mut dyn FnMut(u64) -> Option<Arc<Fact>>) {
        if self.arena.len() >= MOST_KNOWN {
            self.arena.clear();
            self.known.clear();
        }
        if self.arena.is_empty() {
            self.arena.push(Arc::new(Fact::unknown()));
            self.known.insert(FAILURE, self.arena.len() as u32);
            self.arena.push(Arc::new(Fact::failed()));
        }
        self.facts.clear();
        for step in steps {
            let place = match self.known.get(&step.fingerprint) {
                Some(place) => *place,
                None => match (!step.is_edge()).then(|| find(step.fingerprint)).flatten() {
                    Some(fact) => {
                        let place = self.arena.len() as u32;
                        self.arena.push(fact);
                        self.known.insert(step.fingerprint, place);
                        place
                    }
                    // The first is the unknown one.
                    None => 0,
                },
            };
            self.facts.push(place);
        }
    }

    /// Judges the calls of one trace or request.
    pub fn tagged(
        &mut self,
        bench: Bench<'_>,
        find: &mut dyn FnMut(u64) -> Option<Arc<Fact>>,
        out: &mut Findings,
        counts: &mut UnitCounts,
    ) {
        let Some(first) = bench.steps.first() else { return };
        let kind = if first.flags & TRACE != 0 { UnitKind::Trace } else { UnitKind::Request };
        self.learn(bench.steps, find);
        counts.by_kind[kind as usize].0 += 1;
        counts.by_kind[kind as usize].1 += bench.steps.len() as u64;
        let cut = Cut { kind, start: 0, end: bench.steps.len(), fresh: true };
        counts.writing += u64::from(self.facts.iter().any(|fact| self.arena[*fact as usize].is_write()));
        self.writes(bench);
        replica_reads::trace(&self.unit(bench, cut), bench.detect, out);
        self.requests(bench, cut, out);
    }

    /// Judges the calls of one session within a minute. `commit` hears of every transaction that wrote.
    pub fn session(
        &mut self,
        bench: Bench<'_>,
        find: &mut dyn FnMut(u64) -> Option<Arc<Fact>>,
        out: &mut Findings,
        counts: &mut UnitCounts,
        commit: &mut dyn FnMut(&Step, u64),
    ) {
        self.learn(bench.steps, find);
        self.writes(bench);
        let mut cuts = std::mem::take(&mut self.cuts);
        cuts.clear();
        self.cut(bench, counts, &mut cuts);
        for cut in &cuts {
            let steps = &bench.steps[cut.start..cut.end];
            if !steps.iter().any(Step::is_call) {
                continue;
            }
            counts.by_kind[cut.kind as usize].0 += 1;
            counts.by_kind[cut.kind as usize].1 += steps.iter().filter(|step| step.is_call()).count() as u64;
            self.commits(bench, *cut, &mut |step, statements| {
                counts.writing += u64::from(step.tag == 0);
                commit(step, statements);
            });
            let unit = self.unit(bench, *cut);
            replica_reads::judge(&unit, bench.detect, out);
            chatty_transaction::judge(&unit, bench.detect, out);
            idle_in_transaction::judge(&unit, bench.detect, out);
            if steps.iter().all(|step| step.tag == 0) {
                self.attempts(bench, *cut, out);
            } else if steps.iter().any(|step| step.tag == 0) {
                self.untagged(bench, *cut, out);
            }
        }
        if bench.steps.len() >= 3 * bench.detect.row_by_row as usize {
            let whole = Cut { kind: UnitKind::Burst, start: 0, end: bench.steps.len(), fresh: false };
            row_by_row_insert::pairs(&self.unit(bench, whole), bench.detect, out);
        }
        if bench.steps.iter().any(|step| step.tag != 0) {
            let whole = Cut { kind: UnitKind::Burst, start: 0, end: bench.steps.len(), fresh: false };
            read_back::judge(&Unit { others: true, ..self.unit(bench, whole) }, bench.detect, out);
        }
        self.cuts = cuts;
    }

    /// The calls of a unit that belong to no trace: those of a mixed session are judged by themselves.
    fn untagged(&mut self, bench: Bench<'_>, cut: Cut, out: &mut Findings) {
        let mut plain = std::mem::take(&mut self.plain);
        let mut facts = std::mem::take(&mut self.plain_facts);
        plain.clear();
        facts.clear();
        for place in (cut.start..cut.end).filter(|place| bench.steps[*place].tag == 0) {
            plain.push(bench.steps[place]);
            facts.push(self.facts[place]);
        }
        std::mem::swap(&mut self.facts, &mut facts);
        let own = Cut { start: 0, end: plain.len(), fresh: false, ..cut };
        self.requests(Bench { steps: &plain, ..bench }, own, out);
        std::mem::swap(&mut self.facts, &mut facts);
        self.plain = plain;
        self.plain_facts = facts;
    }

    /// A transaction is judged in pieces, each ending with a ROLLBACK TO SAVEPOINT: what was undone is an attempt of
    /// its own, or a test of a suite that keeps its tests apart that way, and what comes next is another.
    fn attempts(&mut self, bench: Bench<'_>, cut: Cut, out: &mut Findings) {
        let mut start = cut.start;
        if cut.kind == UnitKind::Transaction {
            for place in cut.start..cut.end - 1 {
                if self.arena[self.facts[place] as usize].undoes() {
                    self.requests(bench, Cut { start, end: place + 1, ..cut }, out);
                    start = place + 1;
                }
            }
        }
        self.requests(bench, Cut { start, ..cut }, out);
    }

    fn requests(&mut self, bench: Bench<'_>, cut: Cut, out: &mut Findings) {
        let steps = &bench.steps[cut.start..cut.end];
        let facts = &self.facts[cut.start..cut.end];
        self.stale.clear();
        self.groups.clear();
        let stale = |fact: &Fact| fact.barrier || !fact.writes.is_empty();
        let places = 0..steps.len() as u32;
        self.stale.extend(places.clone().filter(|place| stale(&self.arena[facts[*place as usize] as usize])));
        if cut.kind != UnitKind::Burst && steps.len() > 1 {
            self.groups.extend(places);
            self.groups.sort_unstable_by_key(|place| {
                let step = &steps[*place as usize];
                (step.fingerprint, step.params, *place)
            });
        }
        let unit = self.unit(bench, cut);
        if steps.len() > 1 {
            let looks = check_then_write::looks(&unit);
            let unit = Unit { looks: &looks, ..self.unit(bench, cut) };
            redundant_select::judge(&unit, bench.detect, out);
            n_plus_one::judge(&unit, bench.detect, out);
            check_then_write::judge(&unit, bench.detect, out);
            row_by_row_insert::judge(&unit, bench.detect, out);
        }
        read_back::judge(&unit, bench.detect, out);
    }

    fn unit<'u>(&'u self, bench: Bench<'u>, cut: Cut) -> Unit<'u> {
        Unit {
            kind: cut.kind,
            stream: bench.stream,
            continued: bench.continued && cut.start == 0,
            fresh: cut.fresh,
            others: false,
            steps: &bench.steps[cut.start..cut.end],
            before: &bench.steps[..cut.start],
            facts: &self.facts[..cut.end],
            arena: &self.arena,
            since: self.since.get(cut.start..cut.end).unwrap_or(&[]),
            groups: &self.groups,
            stale: &self.stale,
            looks: &[],
        }
    }

    /// How long ago each call's actor wrote.
    fn writes(&mut self, bench: Bench<'_>) {
        self.since.clear();
        self.writers.clear();
        let mut own: Option<Timestamp> = None;
        for (step, fact) in bench.steps.iter().zip(&self.facts) {
            let last = match step.tag {
                0 => own,
                tag => self.writers.get(&tag).copied(),
            };
            let since = last
                .map_or(u64::MAX, |last| u64::try_from(step.start().0.saturating_sub(last.0)).unwrap_or(0));
            self.since.push(since);
            if self.arena[*fact as usize].is_write() {
                match step.tag {
                    0 => own = Some(step.time),
                    tag => {
                        self.writers.insert(tag, step.time);
                    }
                }
            }
        }
    }

    /// Where the units of a session's minute begin and end.
    fn cut(&self, bench: Bench<'_>, counts: &mut UnitCounts, cuts: &mut Vec<Cut>) {
        let steps = bench.steps;
        let mut cut =
            Cut { kind: UnitKind::Burst, start: 0, end: 0, fresh: starts_fresh(steps, bench.detect) };
        let mut close = |cut: &mut Cut, end: usize, fresh: bool| {
            if end > cut.start {
                cuts.push(Cut { end, ..*cut });
            }
            *cut = Cut { kind: UnitKind::Burst, start: end, end, fresh };
        };
        for (place, step) in steps.iter().enumerate() {
            if step.is_edge() {
                close(&mut cut, place, true);
                cut.start = place + 1;
                continue;
            }
            if cut.kind == UnitKind::Burst
                && let Some(before) =
                    place.checked_sub(1).filter(|before| *before >= cut.start).map(|before| &steps[before])
            {
                let silent = before.time == NO_TIME || before.wait_before(step) > bench.detect.burst_gap;
                let clock = before.time.0.div_euclid(BURST_CLOCK) != step.time.0.div_euclid(BURST_CLOCK);
                if silent || clock {
                    counts.cut_by_clock += u64::from(!silent);
                    close(&mut cut, place, silent);
                }
            }
            match self.arena[self.facts[place] as usize].verb {
                Verb::Begin => {
                    close(&mut cut, place, false);
                    cut.kind = UnitKind::Transaction;
                }
                Verb::Commit | Verb::Rollback => {
                    // Without its BEGIN: the clock cut the transaction at the beginning of the minute.
                    if cut.start == 0 && cut.kind == UnitKind::Burst {
                        cut.kind = UnitKind::Transaction;
                    }
                    close(&mut cut, place + 1, false);
                }
                Verb::Whole => {
                    close(&mut cut, place, false);
                    cut.kind = UnitKind::Transaction;
                    close(&mut cut, place + 1, false);
                }
                Verb::Read | Verb::Write | Verb::Other | Verb::Failed => {}
            }
        }
        counts.cut_by_clock += u64::from(cut.kind == UnitKind::Transaction && cut.start < steps.len());
        close(&mut cut, steps.len(), false);
    }

    /// Transactions that wrote: each autocommitted write, and each COMMIT after one.
    fn commits(&self, bench: Bench<'_>, cut: Cut, commit: &mut dyn FnMut(&Step, u64)) {
        let steps = &bench.steps[cut.start..cut.end];
        let facts = &self.facts[cut.start..cut.end];
        let fact = |place: usize| &self.arena[facts[place] as usize];
        let writes = |place: usize| fact(place).is_write();
        match cut.kind {
            UnitKind::Burst => {
                (0..steps.len()).filter(|place| writes(*place)).for_each(|place| commit(&steps[place], 1))
            }
            UnitKind::Transaction => {
                let Some(last) = steps.len().checked_sub(1) else { return };
                let wrote = (0..steps.len()).any(writes);
                // An error loses everything, unless the transaction goes back to a savepoint after it.
                let lost = (0..steps.len())
                    .rev()
                    .find(|place| fact(*place).verb == Verb::Failed || fact(*place).barrier);
                if lost.is_some_and(|place| fact(place).verb == Verb::Failed) {
                    return;
                }
                if wrote && matches!(fact(last).verb, Verb::Commit | Verb::Whole) {
                    commit(&steps[last], steps.len() as u64);
                }
            }
            UnitKind::Trace | UnitKind::Request => {}
        }
    }
}

/// Whether the session was silent before its first call of the minute: it came over a second into it.
fn starts_fresh(steps: &[Step], detect: &Detect) -> bool {
    steps.first().is_some_and(|first| {
        first.time != NO_TIME && first.start().0.rem_euclid(MINUTE) as u64 > detect.burst_gap
    })
}

impl Fact {
    /// An error in place of a statement.
    #[must_use]
    pub fn failed() -> Self {
        Self { verb: Verb::Failed, barrier: false, ..Self::unknown() }
    }

    /// A statement that nothing is known about: it may do anything.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            kind: Kind::Other,
            verb: Verb::Other,
            reads: Box::default(),
            writes: Box::default(),
            question: false,
            keyed: false,
            locking: false,
            values: false,
            returning: false,
            barrier: true,
            count: false,
            ignored: None,
            columns: Box::default(),
            keys: 0,
            own_keys: 0,
            parents: Box::default(),
            names: Box::default(),
            temporary: false,
            placeholders: 0,
        }
    }
}
