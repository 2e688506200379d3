//! `Tally`: everything that is counted, from whole records, in any order.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Order;
use super::actors::{self, Directory};
use super::errors::Errors;
use super::events::Events;
use super::minutes::{MOST_MINUTES, Minutes};
use super::plans::Plans;
use super::review::{Labels, Review};
use super::slowest::{Calls, Slowest};
use super::statements::{Call, StatementTally, Statements};
use crate::event::server::{self, ServerEvent};
use crate::event::{Event, Plan, Text, explain};
use crate::filter::{Filter, Gate, Statement};
use crate::log::Severity;
use crate::record::Record;
use crate::sql::{self, Digest, Recall};
use crate::units::{ByteOffset, Micros, Timestamp, widen};

/// Slowest single calls kept for the whole log.
const MOST_SLOWEST: usize = 100;

/// Unknown time zones kept.
const MOST_ZONES: usize = 16;

/// Everything counted. Two tallies add up to that of both logs, in any order.
#[derive(Debug, Clone)]
pub struct Tally {
    /// The stream that is being read; part of every [`Order`].
    stream: u32,
    /// Texts that come again and again; speed only, never counted or merged.
    recall: Recall,
    /// What the report is about; `None` for everything. Asked here, where calls are complete, and nowhere earlier.
    gate: Option<Box<Gate>>,
    /// What the rules know and found.
    pub review: Review,
    /// By fingerprint.
    pub statements: Statements,
    /// By normalised message.
    pub errors: Errors,
    /// Whom the hashes stand for.
    pub directory: Directory,
    /// The clock.
    pub minutes: Minutes,
    /// The slowest single calls.
    pub slowest: Slowest,
    /// Durations that belong to no statement.
    pub unidentified: Calls,
    /// Parts (DETAIL …) that belong to no record.
    pub orphans: u64,
    /// What the server told about itself.
    pub events: Events,
    /// Plans of auto_explain.
    pub plans: Plans,
    /// Whether the log has statements or durations; if so, plans are no calls.
    has_calls: bool,
    /// The plans as calls, for a log that has nothing else; dropped as soon as there is anything else.
    planned: Option<Box<Tally>>,
    /// WARNING records.
    pub warnings: u64,
    /// Records that are none of the above.
    pub others: u64,
    /// First and last statement.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Time-zone abbreviations that were taken as UTC, or as one of several zones; the first few of the alphabet.
    pub zones: BTreeSet<Box<[u8]>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self::new(Review::default())
    }
}

impl Tally {
    /// Nothing counted yet; `review` has the thresholds of the rules.
    #[must_use]
    pub fn new(review: Review) -> Self {
        Self {
            stream: 0,
            recall: Recall::default(),
            gate: None,
            review,
            statements: Statements::default(),
            errors: Errors::default(),
            directory: Directory::default(),
            minutes: Minutes::new(MOST_MINUTES),
            slowest: Slowest::new(MOST_SLOWEST),
            unidentified: Calls::default(),
            orphans: 0,
            events: Events::default(),
            plans: Plans::default(),
            has_calls: false,
            planned: None,
            warnings: 0,
            others: 0,
            span: None,
            zones: BTreeSet::new(),
        }
    }
}

/// Fingerprint and values of a text into `digest`; the statement that it stands for: an EXECUTE stands for what it
/// runs.
#[inline(always)]
fn read<'a>(recall: &mut Recall, text: &Text<'a>, digest: &mut Digest) -> &'a [u8] {
    if let Some(prepare) = text.prepare
        && let Some(executed) = read_execute(text.sql, prepare, digest)
    {
        return executed;
    }
    let params = text.params.and_then(sql::Params::parse);
    recall.read(text.sql, params.as_ref(), digest);
    text.sql
}

#[cold]
fn read_execute<'a>(sql: &'a [u8], prepare: &'a [u8], digest: &mut Digest) -> Option<&'a [u8]> {
    *digest = sql::digest_execute(sql, prepare)?;
    Some(sql::prepared_statement(prepare).unwrap_or(sql))
}

impl Tally {
    /// A tally of what a filter lets through.
    #[must_use]
    pub fn filtered(filter: &Arc<Filter>, review: Review) -> Self {
        Self { gate: Gate::new(filter).map(Box::new), ..Self::new(review) }
    }

    /// Says which stream the next records come from.
    pub fn enter(&mut self, stream: u32) {
        self.stream = stream;
        self.review.ready.stream = stream;
    }

    fn order(&self, at: ByteOffset) -> Order {
        (self.stream, at)
    }

    fn actor(&mut self, record: &Record<'_>) -> u64 {
        let hash = if record.actor == 0 { actors::hash_who(&record.who) } else { record.actor };
        self.directory.learn_who(hash, &record.who);
        hash
    }

    /// A statement was executed. Whether the rules have a step to see, [`Review::step`].
    ///
    /// What is handed on here is handed on by reference, and what is made is made where it is to stand: to move what
    /// has just been written waits until it has reached the cache.
    #[inline(always)]
    pub fn call(&mut self, record: &Record<'_>, text: &Text<'_>, duration: Option<Micros>) -> bool {
        self.speak();
        let mut digest = Digest::default();
        let sql = match &self.gate {
            // Filters are rare: what they need stands elsewhere.
            None => read(&mut self.recall, text, &mut digest),
            Some(_) => match self.read_kept(record, text, duration, &mut digest) {
                Some(executed) => executed,
                None => return false,
            },
        };
        let rules = !self.review.detect().off;
        let order = self.order(record.at);
        let actor = self.actor(record);
        let labels = self.labels(&digest, text.sql);
        if rules {
            self.review.see(record, sql, &digest, duration, &labels);
        }
        let route = labels.route();
        if let Some(time) = record.time {
            self.minutes.call(time);
            widen(&mut self.span, (time, time));
        }
        let call = Call { record, text, sql, digest: &digest, duration, order, actor, route };
        self.slowest.add(call);
        self.statements.call(call);
        if rules {
            self.review.remember(record);
        }
        rules
    }

    /// [`Tally::call`] of what is not logged in one record.
    #[inline(never)]
    fn call_late(&mut self, record: &Record<'_>, text: &Text<'_>, duration: Option<Micros>) -> bool {
        self.call(record, text, duration)
    }

    /// The digest of a statement that the report is about, and what it executes.
    #[inline(never)]
    fn read_kept<'a>(
        &mut self,
        record: &Record<'_>,
        text: &Text<'a>,
        duration: Option<Micros>,
        digest: &mut Digest,
    ) -> Option<&'a [u8]> {
        let Some(gate) = &mut self.gate else { return Some(read(&mut self.recall, text, digest)) };
        // Time and names first: they cost nothing.
        if !gate.keeps_record(record) {
            return None;
        }
        let executed = read(&mut self.recall, text, digest);
        let statement = Statement { sql: text.sql, executed, digest };
        gate.keeps_call(record, statement, duration).then_some(executed)
    }

    /// Whether the report is about a record that is no call.
    fn keeps_event(&mut self, record: &Record<'_>, statement: Option<(&[u8], &Digest)>) -> bool {
        let statement = statement.map(|(sql, digest)| Statement { sql, executed: sql, digest });
        self.gate.as_mut().is_none_or(|gate| gate.keeps_event(record, statement))
    }

    /// What the comments of a text say, if it has any.
    #[inline(always)]
    fn labels(&mut self, digest: &Digest, text: &[u8]) -> Labels {
        if digest.comments { self.read_labels(text) } else { Labels::default() }
    }

    #[inline(never)]
    fn read_labels(&mut self, text: &[u8]) -> Labels {
        let tags = sql::tags(text);
        let detect = self.review.detect();
        let route = tags.label(detect.group_tag.as_deref()).map(|label| {
            let hash = actors::hash_route(&label);
            self.directory.learn_route(hash, &label);
            hash
        });
        Labels::new(&tags, route, detect.unit_tag.as_deref())
    }

    /// A statement that was logged without a duration got none.
    #[inline(never)]
    pub fn untimed(&mut self, statement: &Record<'_>) -> bool {
        match Event::of(statement) {
            Event::Statement(sql) => self.call_late(statement, &Text::of(sql, statement.detail), None),
            // Rows that nobody says anything of are no call.
            _ => {
                self.other(statement);
                false
            }
        }
    }

    /// A statement and, later in its session, its duration. The call counts at the time of the duration.
    #[inline(never)]
    pub fn paired(&mut self, statement: &Record<'_>, duration: &Record<'_>) -> bool {
        let Event::Duration(micros) = Event::of(duration) else { return false };
        let query_id = if statement.query_id == 0 { duration.query_id } else { statement.query_id };
        let record = Record { at: duration.at, time: duration.time, query_id, ..*statement };
        match Event::of(statement) {
            Event::Statement(sql) => self.call_late(&record, &Text::of(sql, record.detail), Some(micros)),
            Event::Fetching(sql) => {
                self.fetch(&record, sql, micros);
                false
            }
            _ => false,
        }
    }

    /// A duration that belongs to no statement.
    #[inline(never)]
    pub fn unidentified(&mut self, duration: &Record<'_>) {
        if let Event::Duration(micros) = Event::of(duration) {
            self.speak();
            if self.gate.as_ref().is_none_or(|gate| gate.keeps_unidentified(duration, micros)) {
                self.unidentified.add(Some(micros));
            }
        }
    }

    /// More rows of an execution that was counted before.
    #[inline(never)]
    pub fn fetch(&mut self, record: &Record<'_>, sql: &[u8], duration: Micros) {
        self.speak();
        let mut digest = Digest::default();
        let text = Text::of(sql, record.detail);
        let Some(sql) = self.read_kept(record, &text, Some(duration), &mut digest) else { return };
        let order = self.order(record.at);
        let actor = self.actor(record);
        let labels = self.labels(&digest, text.sql);
        match self.statements.get(&digest, order, sql) {
            Some(tally) => tally.spend(0, duration, record.time, actor, labels.route()),
            None => self.statements.other.duration += duration,
        }
    }

    /// A parse message.
    #[inline(never)]
    pub fn parse(&mut self, record: &Record<'_>, sql: &[u8], duration: Micros) {
        if let Some(tally) = self.prepared(record, sql, duration) {
            tally.parse += duration;
        }
    }

    /// A bind message.
    #[inline(never)]
    pub fn bind(&mut self, record: &Record<'_>, sql: &[u8], duration: Micros) {
        if let Some(tally) = self.prepared(record, sql, duration) {
            tally.bind += duration;
        }
    }

    /// The tally of a statement that is about to be executed.
    fn prepared(&mut self, record: &Record<'_>, sql: &[u8], duration: Micros) -> Option<&mut StatementTally> {
        let mut digest = Digest::default();
        // Nobody counts the values of parse and bind messages.
        let text = Text { params: None, ..Text::of(sql, record.detail) };
        let sql = self.read_kept(record, &text, Some(duration), &mut digest)?;
        let order = self.order(record.at);
        self.statements.get(&digest, order, sql)
    }

    /// A plan of auto_explain: no call, unless the log has nothing else.
    #[inline(never)]
    pub fn plan(&mut self, record: &Record<'_>, plan: Plan<'_>, duration: Micros) {
        let Some(query) = explain::query(plan.body) else {
            self.others += 1;
            return;
        };
        // The text of an EXECUTE's plan is that of its PREPARE.
        let sql = sql::prepared_statement(&query.sql).unwrap_or(&query.sql);
        let text = Text { sql, params: query.params.as_deref(), prepare: None };
        let mut digest = Digest::default();
        if self.read_kept(record, &text, Some(duration), &mut digest).is_none() {
            return;
        }
        self.plans.add(digest.fingerprint, duration, self.order(record.at), record.time, plan.body);
        if !self.has_calls && !explain::is_nested(record.context) {
            let planned = self.planned.get_or_insert_default();
            planned.enter(self.stream);
            planned.call_late(record, &text, Some(duration));
        }
    }

    /// The log has statements or durations: its plans are no calls.
    #[inline]
    fn speak(&mut self) {
        self.has_calls = true;
        self.planned = None;
    }

    /// Everything is merged: plans become calls where the log has nothing else. Returns how many.
    pub fn settle_plans(&mut self) -> u64 {
        match self.planned.take() {
            Some(planned) if !self.has_calls => {
                let calls = planned.statements.calls();
                self.merge(*planned);
                calls
            }
            _ => 0,
        }
    }

    /// ERROR, FATAL or PANIC.
    #[inline(never)]
    pub fn failure(&mut self, record: &Record<'_>) {
        let digest = (!record.statement.is_empty()).then(|| sql::digest(record.statement, None));
        if !self.keeps_event(record, digest.as_ref().map(|digest| (record.statement, digest))) {
            return;
        }
        let order = self.order(record.at);
        let actor = self.actor(record);
        let route = digest.as_ref().and_then(|digest| self.labels(digest, record.statement).route());
        let statement = digest.map(|digest| {
            if let Some(tally) = self.statements.get(&digest, order, record.statement) {
                tally.fail(actor, route);
            }
            digest.fingerprint
        });
        self.errors.owners.add(actor, route);
        self.errors.add(record, order, statement);
        if let Some(event) = ServerEvent::of(record) {
            self.events.add(record, event, order, statement);
        }
    }

    /// Anything else: an event of the server, or a record that nobody asks about.
    #[inline(never)]
    pub fn other(&mut self, record: &Record<'_>) {
        let event = ServerEvent::of(record);
        // The statement that an event belongs to.
        let cause = match &event {
            Some(event) if event.has_cause() => server::cause(record),
            _ => None,
        };
        let cause = cause.map(|text| (text, sql::digest(text, None)));
        if !self.keeps_event(record, cause.as_ref().map(|(text, digest)| (*text, digest))) {
            return;
        }
        let warning = record.severity == Severity::Warning;
        self.warnings += u64::from(warning);
        match event {
            Some(event) => {
                let order = self.order(record.at);
                let cause = cause.map(|(text, digest)| {
                    // Its text is remembered.
                    self.statements.get(&digest, order, text);
                    digest.fingerprint
                });
                self.events.add(record, event, order, cause);
            }
            None => self.others += u64::from(!warning),
        }
    }

    /// A time zone was not known and taken as UTC, or as one of several.
    pub fn zone(&mut self, name: &[u8]) {
        self.zones.insert(name.into());
        while self.zones.len() > MOST_ZONES {
            self.zones.pop_last();
        }
    }

    /// A DETAIL or the like that belongs to no record.
    pub fn orphan(&mut self) {
        self.orphans += 1;
    }

    /// Adds another part's counts.
    pub fn merge(&mut self, other: Self) {
        self.review.merge(other.review);
        self.statements.merge(other.statements);
        self.errors.merge(other.errors);
        self.directory.merge(other.directory);
        self.minutes.merge(&other.minutes);
        self.slowest.merge(other.slowest);
        self.unidentified.merge(&other.unidentified);
        self.orphans += other.orphans;
        self.events.merge(other.events);
        self.plans.merge(other.plans);
        self.has_calls |= other.has_calls;
        match (self.has_calls, &mut self.planned, other.planned) {
            (true, planned, _) => *planned = None,
            (false, Some(own), Some(their)) => own.merge(*their),
            (false, own @ None, their) => *own = their,
            (false, Some(_), None) => {}
        }
        self.warnings += other.warnings;
        self.others += other.others;
        other.zones.iter().for_each(|zone| self.zone(zone));
        if let Some(span) = other.span {
            widen(&mut self.span, span);
        }
    }
}
