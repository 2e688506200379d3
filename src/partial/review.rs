//! [`Review`]: what the rules need while a log is read, and what they found so far.
//!
//! Calls become steps here, steps wait on sheets (`sheets`) until a seam (`seams`), the end of a transaction or of a
//! burst, or that of their minute, and what stands before one is judged. Judging takes no order, so a worker judges
//! what it has in hand when it holds no lock.

use std::sync::{Arc, Mutex, PoisonError};

use super::seams::Seam;
use super::sheets::{Ready, Sheet, Traces};
use super::trace::{Caller, Trace};
use crate::bounded::spread;
use crate::finding::{
    Bench, Class, Detect, Ending, FAILURE, Fact, Facts, Findings, Judge, Known, MOST_PAIRS, Marks, NO_TIME,
    Rule, Step, UnitCounts, pair,
};
use crate::log::Session;
use crate::record::Record;
use crate::sql::{self, Digest, Tags, ValueHashes};
use crate::units::Micros;

/// Bytes of normalised text that are looked at for what a statement does.
const MOST_NORMALISED: usize = 4 << 10;

/// What a query comment says, as far as the rules care.
#[derive(Debug, Clone, Copy, Default)]
pub struct Labels {
    /// Hash of the route; 0 without one.
    pub route: u64,
    /// Hash of the trace or request; 0 without one.
    pub tag: u64,
    /// Whether the tag is a trace id.
    pub trace: bool,
    /// Rules to be left out of, as bits.
    pub ignore: u16,
}

impl Labels {
    /// What tags say; `route` is the hash of their label, `own` a further tag that names a request.
    #[must_use]
    pub fn new(tags: &Tags, route: Option<u64>, own: Option<&str>) -> Self {
        let unit = tags.unit(own);
        let hash = |(key, value): (&str, &str)| {
            xxhash_rust::xxh3::xxh3_64_with_seed(value.as_bytes(), key.len() as u64).max(1)
        };
        Self {
            route: route.unwrap_or(0),
            tag: unit.map_or(0, hash),
            trace: unit.is_some_and(|(key, _)| key == "trace_id"),
            ignore: Rule::bits(tags.ignored()),
        }
    }

    /// The hash of the route, if there is one.
    #[must_use]
    pub fn route(&self) -> Option<u64> {
        (self.route != 0).then_some(self.route)
    }
}

/// What the rules know and found.
#[derive(Debug, Clone)]
pub struct Review {
    detect: Arc<Detect>,
    known: Known,
    shared: Arc<Mutex<Facts>>,
    judge: Judge,
    database: Database,
    /// The call that was seen last.
    pub step: Step,
    /// The number of its fact.
    fact: Option<u32>,
    /// Its fact, if it has no number: there are too many.
    beyond: Arc<Fact>,
    /// Calls that may be judged: what stood before a seam.
    pub ready: Ready,
    /// Room for calls in several pieces; at most [`super::sheets::MOST_SHEET`].
    room: Vec<Step>,
    /// Calls of traces, until the interval takes them over.
    pub traces: Traces,
    /// What was found.
    pub findings: Findings,
    /// Units judged.
    pub counts: UnitCounts,
    /// What is replayed by the forecasts.
    pub trace: Trace,
}

impl Default for Review {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Review {
    /// Nothing read yet.
    #[must_use]
    pub fn new(detect: Arc<Detect>) -> Self {
        let ready = Ready::new(detect.burst_gap);
        Self {
            detect,
            known: Known::default(),
            shared: Arc::default(),
            judge: Judge::default(),
            database: Database::default(),
            step: Step::edge(NO_TIME, 0),
            fact: None,
            beyond: Arc::new(Fact::unknown()),
            ready,
            room: Vec::new(),
            traces: Traces::default(),
            findings: Findings::default(),
            counts: UnitCounts::default(),
            trace: Trace::default(),
        }
    }

    /// Nothing read yet, for another worker on the same log: both know what either learns.
    #[must_use]
    pub fn sibling(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), ..Self::new(Arc::clone(&self.detect)) }
    }

    /// The thresholds.
    #[must_use]
    pub fn detect(&self) -> &Detect {
        &self.detect
    }

    /// Makes the last statement's fact one that this worker has not met before.
    #[cold]
    #[inline(never)]
    fn learn(&mut self, fingerprint: u64, sql: &[u8]) {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner).get(fingerprint).cloned();
        let fact = shared.unwrap_or_else(|| {
            let normalised = sql::normalise(sql, MOST_NORMALISED);
            let placeholders = sql::values(sql, None).last().map_or(0, |value| value.placeholder + 1);
            Arc::new(Fact::new(&sql::shape(sql), &normalised, placeholders, &self.detect.writing_functions))
        });
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).insert(fingerprint, Arc::clone(&fact));
        self.fact = self.known.insert(fingerprint, Arc::clone(&fact));
        self.beyond = fact;
    }

    /// The fact of the last statement.
    #[inline(always)]
    fn fact<'f>(known: &'f Known, fact: Option<u32>, beyond: &'f Fact) -> &'f Fact {
        fact.map_or(beyond, |number| known.fact(number))
    }

    /// What the call that was seen last is to its session.
    #[inline(always)]
    #[must_use]
    pub fn class(&self) -> Class {
        self.fact.map_or_else(Class::default, |number| self.known.class(number))
    }

    /// Makes [`Review::step`] one executed call; `sql` is the statement that its fingerprint is of.
    #[inline(always)]
    pub fn see(
        &mut self,
        record: &Record<'_>,
        sql: &[u8],
        digest: &Digest,
        duration: Option<Micros>,
        labels: &Labels,
    ) {
        // What is smaller is no statement.
        let fingerprint = digest.fingerprint.0.max(FAILURE + 1);
        self.fact = self.known.get(fingerprint);
        if self.fact.is_none() {
            self.learn(fingerprint, sql);
        }
        let fact = Self::fact(&self.known, self.fact, &self.beyond);
        let known = digest.params.is_some() || !digest.has_values;
        let step = &mut self.step;
        step.time = record.time.unwrap_or(NO_TIME);
        step.duration = duration.unwrap_or_default().0;
        step.at = record.at.0;
        step.fingerprint = fingerprint;
        step.params = digest.params.unwrap_or(0);
        step.route = labels.route;
        step.tag = labels.tag;
        step.pairs = [0; MOST_PAIRS];
        if labels.ignore & Rule::OF_THE_LOG != 0 {
            self.findings.excuse(fingerprint, labels.ignore);
        }
        step.marks = Marks::new(fact.own_keys, digest.rows, labels.ignore, known, labels.trace);
        if !fact.columns.is_empty() {
            pairs_of(fact, &digest.values, &mut step.pairs);
        }
    }

    /// Puts the call that was seen last, which is that of `record`, into the trace.
    #[inline(always)]
    pub fn remember(&mut self, record: &Record<'_>) {
        let fact = Self::fact(&self.known, self.fact, &self.beyond);
        if !Trace::keeps(fact) {
            return;
        }
        let database = self.database.hash(record);
        let caller = Caller { stream: self.ready.stream, database, session: session_id(record.session) };
        self.trace.call(caller, &self.step, fact);
    }

    /// Judges what is complete.
    pub fn settle(&mut self) {
        for sheet in self.ready.take() {
            self.judge_sheet(&sheet);
            sheet.steps.give_back(&mut self.ready.spare);
        }
    }

    fn judge_sheet(&mut self, sheet: &Sheet) {
        self.counts.unjudged += sheet.dropped;
        if sheet.by_second {
            self.counts.by_second += sheet.steps.len() as u64;
        }
        let detect = Arc::clone(&self.detect);
        let mut room = std::mem::take(&mut self.room);
        let steps = sheet.steps.in_one(&mut room);
        let Sheet { from, stream, first, by_second, next, .. } = *sheet;
        let Seam { place: lead, wrote, end: before, carried } = from;
        let (fresh, continued, end) = (before == Ending::Silence, by_second, sheet.end);
        let bench =
            Bench { steps, lead, wrote, fresh, carried, stream, continued, next, end, detect: &detect };
        let shared = &self.shared;
        let find = &|fingerprint: u64| {
            shared.lock().unwrap_or_else(PoisonError::into_inner).get(fingerprint).cloned()
        };
        if sheet.tagged {
            self.judge.tagged(bench, &mut self.known, find, &mut self.findings, &mut self.counts);
        } else {
            let trace = &mut self.trace;
            // Its first call names the session: two minutes have no call in common.
            let session = spread(first) as u32;
            let mut commit = |step: &Step| trace.commit(stream, session, step);
            let known = &mut self.known;
            self.judge.session(bench, known, find, &mut self.findings, &mut self.counts, &mut commit);
        }
        self.room = room;
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self) {
        if !Arc::ptr_eq(&self.shared, &other.shared) {
            let theirs = other.shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.shared.lock().unwrap_or_else(PoisonError::into_inner).merge(theirs);
        }
        self.ready.merge(other.ready);
        self.traces.merge(other.traces, &mut self.ready);
        self.findings.merge(other.findings);
        self.counts.merge(&other.counts);
        self.trace.merge(other.trace);
    }

    /// Everything known about statements, when all parts are merged.
    #[must_use]
    pub fn all_facts(&self) -> Facts {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The last database's hash: a log's neighbours mostly have the same.
#[derive(Debug, Clone, Copy, Default)]
struct Database {
    /// The hash of user, database, application and host; 0 before the first.
    actor: u64,
    hash: u64,
}

impl Database {
    /// The hash of a database's name; 0 without one.
    #[inline(always)]
    fn hash(&mut self, record: &Record<'_>) -> u64 {
        if record.actor == 0 || record.actor != self.actor {
            let name = record.who.database;
            self.actor = record.actor;
            self.hash = if name.is_empty() { 0 } else { xxhash_rust::xxh3::xxh3_64(name) };
        }
        self.hash
    }
}

fn session_id(session: Session) -> u64 {
    (u64::from(session.start) << 32 | u64::from(session.pid)).wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1)
}

/// The columns that the call compares and writes, each with its value.
#[inline(always)]
fn pairs_of(fact: &Fact, values: &ValueHashes, pairs: &mut [u32; MOST_PAIRS]) {
    // A list that was folded has many values in one placeholder: then no placeholder has a place of its own.
    if values.count() != fact.placeholders {
        return;
    }
    for (slot, (placeholder, column)) in pairs.iter_mut().zip(&fact.columns) {
        if let Some(value) = values.get(*placeholder as usize) {
            *slot = pair(*column, value);
        }
    }
}
