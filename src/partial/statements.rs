//! What is counted about each fingerprint.

use super::Order;
use super::actors::ActorLoads;
use super::distinct::{self, ParamSets};
use super::errors::Owners;
use super::histogram::Histogram;
use super::minutes::Minutes;
use super::slowest::{Calls, Slowest};
use crate::bounded::Bounded;
use crate::event::Text;
use crate::record::Record;
use crate::sql::{self, Digest, Fingerprint, Kind, Shape};
use crate::units::{Micros, Timestamp};

/// Fingerprints kept; what is beyond goes to one visible "other".
pub const MOST_FINGERPRINTS: usize = 65_536;
/// Bytes of normalised SQL kept for one fingerprint.
pub const MOST_SQL: usize = 16 << 10;
/// Slowest calls kept for one fingerprint.
const MOST_EXAMPLES: usize = 3;
/// Hours kept for one fingerprint.
const MOST_HOURS: usize = 24 * 400;
/// Server query ids kept for one fingerprint.
const MOST_QUERY_IDS: usize = 16;
const HOUR_MICROS: i64 = 3_600_000_000;
/// Minutes in which an INSERT's calls a second are kept.
const MOST_INSERT_MINUTES: usize = 10_000;

/// Everything counted about one fingerprint.
#[derive(Debug, Clone)]
pub struct StatementTally {
    /// The fingerprint.
    pub fingerprint: Fingerprint,
    /// Where `sql` was seen: the earliest place wins, so that merging in any order shows the same text.
    pub origin: Order,
    /// Normalised SQL.
    pub sql: String,
    /// Kind, tables and what else the text says.
    pub shape: Shape,
    /// Executions.
    pub calls: u64,
    /// Executions with a duration.
    pub timed: u64,
    /// Executions that failed.
    pub errors: u64,
    /// Whose they were; most statements never fail.
    pub owners: Option<Box<Owners>>,
    /// Sum of durations.
    pub duration: Micros,
    /// Shortest.
    pub min: Micros,
    /// Longest.
    pub max: Micros,
    /// Time of parse messages.
    pub parse: Micros,
    /// Time of bind messages.
    pub bind: Micros,
    /// Rows of VALUES lists.
    pub rows: u64,
    /// Whether a text was cut off.
    pub truncated: bool,
    /// Durations.
    pub histogram: Histogram,
    /// Calls whose hour and callers are not counted yet.
    run: Run,
    /// Calls and time by hour since the epoch, sorted.
    pub hours: Hours,
    /// Who called.
    pub actors: ActorLoads,
    /// Routes of query comments, by hash of their name.
    pub routes: ActorLoads,
    /// Ids the server gave it, sorted, the smallest ones.
    pub query_ids: Vec<i64>,
    /// The slowest calls.
    pub slowest: Slowest,
    /// Parameter sets of calls whose parameters are known.
    pub params: ParamSets,
    /// Calls a second, of INSERTs only.
    pub minutes: Option<Box<Minutes>>,
}

impl StatementTally {
    #[cold]
    #[inline(never)]
    fn new(fingerprint: Fingerprint, origin: Order, text: &[u8]) -> Self {
        let shape = sql::shape(text);
        let minutes = (shape.kind == Kind::Insert).then(|| Box::new(Minutes::new(MOST_INSERT_MINUTES)));
        Self {
            fingerprint,
            origin,
            sql: sql::normalise(text, MOST_SQL),
            shape,
            calls: 0,
            timed: 0,
            errors: 0,
            owners: None,
            duration: Micros(0),
            min: Micros(u64::MAX),
            max: Micros(0),
            parse: Micros(0),
            bind: Micros(0),
            rows: 0,
            truncated: false,
            histogram: Histogram::default(),
            run: Run::default(),
            hours: Hours::default(),
            actors: ActorLoads::default(),
            routes: ActorLoads::default(),
            query_ids: Vec::new(),
            slowest: Slowest::new(MOST_EXAMPLES),
            params: ParamSets::default(),
            minutes,
        }
    }

    /// An execution failed.
    pub fn fail(&mut self, actor: u64, route: Option<u64>) {
        self.errors += 1;
        self.owners.get_or_insert_default().add(actor, route);
    }

    /// What goes over the cut between two chunks is counted after both, so a later text may have been seen first.
    #[cold]
    #[inline(never)]
    fn seen_first(&mut self, order: Order, text: &[u8]) {
        self.origin = order;
        self.sql = sql::normalise(text, MOST_SQL);
    }

    /// Calls took so long; none where one that was counted before took longer.
    #[inline(always)]
    pub(super) fn spend(
        &mut self,
        calls: u64,
        duration: Micros,
        time: Option<Timestamp>,
        actor: u64,
        route: Option<u64>,
    ) {
        self.duration += duration;
        if !self.run.holds(time, actor, route) {
            self.end_run();
            self.run = Run::new(time, actor, route);
        }
        self.run.calls += calls;
        self.run.duration += duration;
    }

    /// Counts the hour and the callers of the calls that wait for it.
    #[inline(never)]
    fn end_run(&mut self) {
        let Run { hour, actor, route, calls, duration } = std::mem::take(&mut self.run);
        if (calls, duration) == Default::default() {
            return;
        }
        if let Some(begin) = hour {
            self.hours.add(begin.hour(), calls, duration);
        }
        self.actors.add(actor, calls, duration);
        if let Some(route) = route {
            self.routes.add(route, calls, duration);
        }
    }

    fn merge(&mut self, mut other: Self, keep: usize) {
        self.end_run();
        other.end_run();
        if other.origin < self.origin {
            self.origin = other.origin;
            self.sql = other.sql;
            self.shape = other.shape;
        }
        self.add_counts(&Counts {
            calls: other.calls,
            timed: other.timed,
            errors: other.errors,
            duration: other.duration,
            parse: other.parse,
            bind: other.bind,
            rows: other.rows,
        });
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.truncated |= other.truncated;
        self.histogram.merge(other.histogram);
        self.hours.merge(&other.hours);
        self.actors.merge(other.actors);
        self.routes.merge(other.routes);
        if let Some(owners) = other.owners {
            self.owners.get_or_insert_default().merge(*owners);
        }
        other.query_ids.into_iter().for_each(|id| self.query_id(id));
        self.slowest.merge(other.slowest);
        self.params.merge(other.params, keep);
        if let (Some(own), Some(their)) = (&mut self.minutes, &other.minutes) {
            own.merge(their);
        }
    }

    fn add_counts(&mut self, counts: &Counts) {
        self.calls += counts.calls;
        self.timed += counts.timed;
        self.errors += counts.errors;
        self.duration += counts.duration;
        self.parse += counts.parse;
        self.bind += counts.bind;
        self.rows += counts.rows;
    }

    fn query_id(&mut self, id: i64) {
        if id != 0
            && let Err(place) = self.query_ids.binary_search(&id)
        {
            self.query_ids.insert(place, id);
            self.query_ids.truncate(MOST_QUERY_IDS);
        }
    }
}

/// Calls one after the other of one hour and of one caller: most are.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    /// When the hour begins; `None` for calls without a time.
    hour: Option<Timestamp>,
    actor: u64,
    route: Option<u64>,
    calls: u64,
    duration: Micros,
}

impl Run {
    #[inline(never)]
    fn new(time: Option<Timestamp>, actor: u64, route: Option<u64>) -> Self {
        let hour = time.map(|time| Timestamp::from_hour(time.hour()));
        Self { hour, actor, route, ..Self::default() }
    }

    #[inline(always)]
    fn holds(&self, time: Option<Timestamp>, actor: u64, route: Option<u64>) -> bool {
        let hour = match (self.hour, time) {
            (Some(begin), Some(time)) => (0..HOUR_MICROS).contains(&time.0.wrapping_sub(begin.0)),
            (begin, time) => begin == time,
        };
        hour && self.actor == actor && self.route == route
    }
}

struct Counts {
    calls: u64,
    timed: u64,
    errors: u64,
    duration: Micros,
    parse: Micros,
    bind: Micros,
    rows: u64,
}

/// Calls and time by hour since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hours {
    /// Sorted by hour; the earliest [`MOST_HOURS`] are kept.
    list: Vec<(i64, u64, Micros)>,
}

impl Hours {
    /// Adds calls to an hour.
    #[inline(always)]
    pub fn add(&mut self, hour: i64, calls: u64, duration: Micros) {
        match self.list.last_mut() {
            Some(last) if last.0 == hour => {
                last.1 += calls;
                last.2 += duration;
            }
            _ => self.add_elsewhere(hour, calls, duration),
        }
    }

    #[inline(never)]
    fn add_elsewhere(&mut self, hour: i64, calls: u64, duration: Micros) {
        match self.list.binary_search_by_key(&hour, |entry| entry.0) {
            Ok(place) => {
                self.list[place].1 += calls;
                self.list[place].2 += duration;
            }
            Err(place) if place < MOST_HOURS => {
                self.list.insert(place, (hour, calls, duration));
                self.list.truncate(MOST_HOURS);
            }
            Err(_) => {}
        }
    }

    fn merge(&mut self, other: &Self) {
        for (hour, calls, duration) in &other.list {
            self.add(*hour, *calls, *duration);
        }
    }

    /// Hour, calls, time.
    pub fn iter(&self) -> impl Iterator<Item = (i64, u64, Micros)> + '_ {
        self.list.iter().copied()
    }
}

/// One call, as the tally of its fingerprint needs it. Handed on as it is: most of it stays in registers.
#[derive(Clone, Copy)]
pub struct Call<'r, 'a> {
    /// The record that gave the duration, or the statement's where there is none.
    pub record: &'r Record<'a>,
    /// Its text as it was sent.
    pub text: &'r Text<'a>,
    /// The statement that the text stands for.
    pub sql: &'r [u8],
    /// Fingerprint, parameter hash and rows.
    pub digest: &'r Digest,
    /// Its duration, where the log has one.
    pub duration: Option<Micros>,
    /// Its place.
    pub order: Order,
    /// Hash of its user, database, application and host.
    pub actor: u64,
    /// Hash of its route, if it is tagged.
    pub route: Option<u64>,
}

/// All fingerprints.
#[derive(Debug, Clone)]
pub struct Statements {
    table: Bounded<StatementTally>,
    /// What did not find a place: calls, time.
    pub other: Calls,
    keep: usize,
}

impl Default for Statements {
    fn default() -> Self {
        Self { table: Bounded::new(MOST_FINGERPRINTS), other: Calls::default(), keep: distinct::MOST_KEPT }
    }
}

impl Statements {
    /// The tally of a fingerprint; `None` when it belongs to "other".
    #[inline(always)]
    pub fn get(&mut self, digest: &Digest, order: Order, text: &[u8]) -> Option<&mut StatementTally> {
        let place = match self.table.place(digest.fingerprint.0) {
            Some(place) => place,
            None => self.add(digest.fingerprint, order, text)?,
        };
        let tally = self.table.at(place);
        if order < tally.origin {
            tally.seen_first(order, text);
        }
        Some(tally)
    }

    /// A place for a new fingerprint.
    #[cold]
    #[inline(never)]
    fn add(&mut self, fingerprint: Fingerprint, order: Order, text: &[u8]) -> Option<usize> {
        let other = &mut self.other;
        let new = || StatementTally::new(fingerprint, order, text);
        let place = self.table.admit(fingerprint.0, new, |dropped| other.absorb(&dropped))?;
        self.keep = distinct::kept_for(self.table.len().min(MOST_FINGERPRINTS));
        Some(place)
    }

    /// Counts one executed statement.
    #[inline(always)]
    pub fn call(&mut self, call: Call<'_, '_>) {
        let keep = self.keep;
        let Some(tally) = self.get(call.digest, call.order, call.sql) else {
            self.other.add(call.duration);
            return;
        };
        tally.calls += 1;
        tally.rows += u64::from(call.digest.rows);
        tally.truncated |= call.digest.truncated;
        let duration = call.duration.unwrap_or_default();
        if let Some(duration) = call.duration {
            tally.timed += 1;
            tally.min = tally.min.min(duration);
            tally.max = tally.max.max(duration);
            tally.histogram.add(duration);
        }
        if let (Some(time), Some(minutes)) = (call.record.time, &mut tally.minutes) {
            minutes.call(time);
        }
        tally.spend(1, duration, call.record.time, call.actor, call.route);
        tally.query_id(call.record.query_id);
        tally.slowest.add(call);
        if let Some(params) = call.digest.params {
            let (stream, at) = call.order;
            let time = call.record.time.unwrap_or(Timestamp(i64::MIN));
            tally.params.add(params, (time, stream, at), duration, keep);
        }
    }

    /// Executions, those beyond the cap included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.other.calls + self.table.iter().map(|(_, tally)| tally.calls).sum::<u64>()
    }

    #[cold]
    #[inline(never)]
    fn prune(&mut self) {
        let other = &mut self.other;
        self.table.prune(|dropped| other.absorb(&dropped));
    }

    /// Adds another part's fingerprints.
    pub fn merge(&mut self, theirs: Self) {
        self.other.merge(&theirs.other);
        let other = &mut self.other;
        self.table.limit_from(&theirs.table, |dropped| other.absorb(&dropped));
        for (hash, tally) in theirs.table {
            if !self.table.takes(hash) {
                self.other.absorb(&tally);
                continue;
            }
            match self.table.get_mut(hash) {
                Some(own) => own.merge(tally, self.keep),
                None => {
                    self.table.entry(hash, || tally);
                    self.keep = distinct::kept_for(self.table.len().min(MOST_FINGERPRINTS));
                }
            }
            if self.table.is_overfull() {
                self.prune();
            }
        }
    }

    /// All fingerprints, in no order, and how many parameter sets each may keep.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        self.prune();
        let capped = self.table.is_capped();
        let keep = distinct::kept_for(self.table.len());
        let complete = |(_, mut tally): (_, StatementTally)| {
            tally.end_run();
            tally
        };
        let list = self.table.into_iter().map(complete).collect();
        Finished { list, other: self.other, capped, keep }
    }
}

/// The fingerprints when everything is merged.
pub struct Finished {
    /// In no order.
    pub list: Vec<StatementTally>,
    /// What was beyond the cap.
    pub other: Calls,
    /// Whether anything was.
    pub capped: bool,
    /// How many parameter sets each fingerprint kept.
    pub keep: usize,
}
