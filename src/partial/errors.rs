//! Errors by normalised message.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Order;
use super::actors::ActorLoads;
use super::statements::Hours;
use crate::bounded::Bounded;
use crate::event::message;
use crate::log::Severity;
use crate::record::{OwnedRecord, Record};
use crate::sql::Fingerprint;
use crate::units::{Micros, Timestamp, widen};

/// Distinct errors kept.
const MOST_ERRORS: usize = 10_000;
/// First occurrences kept of each.
const MOST_EXAMPLES: usize = 3;
/// Fingerprints kept of each.
const MOST_STATEMENTS: usize = 64;
/// Bytes of a normalised message.
const MOST_MESSAGE: usize = 1000;
/// Bytes of each text of an example.
const MOST_TEXT: usize = 4 << 10;

/// One normalised error.
#[derive(Debug, Clone)]
pub struct ErrorTally {
    /// Hash of severity and normalised message.
    pub id: u64,
    /// Severity.
    pub severity: Severity,
    /// The greatest SQLSTATE seen with it; zeros where the log has none.
    pub sqlstate: [u8; 5],
    /// The normalised message.
    pub message: String,
    /// How often.
    pub count: u64,
    /// First and last time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// By hour.
    pub hours: Hours,
    /// Statements that raised it, by fingerprint.
    pub statements: Bounded<(Fingerprint, Order, u64)>,
    /// First occurrences.
    pub examples: Vec<(Order, OwnedRecord)>,
}

impl ErrorTally {
    fn new(id: u64, severity: Severity, message: String) -> Self {
        Self {
            id,
            severity,
            sqlstate: [0; 5],
            message,
            count: 0,
            span: None,
            hours: Hours::default(),
            statements: Bounded::new(MOST_STATEMENTS),
            examples: Vec::new(),
        }
    }

    fn add_statement(&mut self, statement: (Fingerprint, Order, u64)) {
        let (fingerprint, order, count) = statement;
        if self.statements.takes(fingerprint.0) {
            let known = self.statements.entry(fingerprint.0, || (fingerprint, order, 0));
            known.1 = known.1.min(order);
            known.2 += count;
            if self.statements.is_overfull() {
                self.statements.prune(drop);
            }
        }
    }

    fn wants_example(&self, order: Order) -> bool {
        self.examples.len() < MOST_EXAMPLES || self.examples.last().is_some_and(|last| order < last.0)
    }

    fn add_example(&mut self, order: Order, record: OwnedRecord) {
        let place = self.examples.partition_point(|kept| kept.0 < order);
        self.examples.insert(place, (order, record));
        self.examples.truncate(MOST_EXAMPLES);
    }

    fn merge(&mut self, theirs: Self) {
        self.sqlstate = self.sqlstate.max(theirs.sqlstate);
        self.count += theirs.count;
        if let Some(span) = theirs.span {
            widen(&mut self.span, span);
        }
        for (hour, calls, duration) in theirs.hours.iter() {
            self.hours.add(hour, calls, duration);
        }
        self.statements.limit_from(&theirs.statements, drop);
        for (_, statement) in theirs.statements {
            self.add_statement(statement);
        }
        for (order, record) in theirs.examples {
            self.add_example(order, record);
        }
    }
}

/// All errors.
#[derive(Debug, Clone)]
pub struct Errors {
    table: Bounded<ErrorTally>,
    /// Errors beyond the cap.
    pub other: u64,
    /// All of them.
    pub total: u64,
    /// Whose they are.
    pub owners: Owners,
}

impl Default for Errors {
    fn default() -> Self {
        Self { table: Bounded::new(MOST_ERRORS), other: 0, total: 0, owners: Owners::default() }
    }
}

/// Whose errors there are, by hash. Errors have no time.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    /// By user, database, application and host.
    pub actors: ActorLoads,
    /// By route, of those that are tagged.
    pub routes: ActorLoads,
}

impl Owners {
    /// One error of an actor, on a route if it is tagged.
    pub fn add(&mut self, actor: u64, route: Option<u64>) {
        self.actors.add(actor, 1, Micros(0));
        if let Some(route) = route {
            self.routes.add(route, 1, Micros(0));
        }
    }

    /// Adds another part's.
    pub fn merge(&mut self, theirs: Self) {
        self.actors.merge(theirs.actors);
        self.routes.merge(theirs.routes);
    }
}

fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(MOST_TEXT)]
}

impl Errors {
    /// Counts one error. `statement` is the fingerprint of what raised it; whose it is, [`Errors::owners`] are told.
    pub fn add(&mut self, record: &Record<'_>, order: Order, statement: Option<Fingerprint>) {
        self.total += 1;
        let message = message::of(record, MOST_MESSAGE);
        let id = xxh3_64_with_seed(message.as_bytes(), record.severity as u64 + 1);
        if !self.table.takes(id) {
            self.other += 1;
            return;
        }
        let tally = self.table.entry(id, || ErrorTally::new(id, record.severity, message));
        tally.count += 1;
        tally.sqlstate = tally.sqlstate.max(record.sqlstate);
        if let Some(time) = record.time {
            widen(&mut tally.span, (time, time));
            tally.hours.add(time.hour(), 1, Micros(0));
        }
        if let Some(statement) = statement {
            tally.add_statement((statement, order, 1));
        }
        if tally.wants_example(order) {
            let mut example = *record;
            for text in [
                &mut example.message,
                &mut example.detail,
                &mut example.hint,
                &mut example.context,
                &mut example.query,
                &mut example.statement,
            ] {
                *text = cut(text);
            }
            tally.add_example(order, OwnedRecord::from(&example));
        }
        if self.table.is_overfull() {
            self.prune();
        }
    }

    fn prune(&mut self) {
        let other = &mut self.other;
        self.table.prune(|dropped| *other += dropped.count);
    }

    /// Adds another part's errors.
    pub fn merge(&mut self, theirs: Self) {
        self.total += theirs.total;
        self.other += theirs.other;
        self.owners.merge(theirs.owners);
        let other = &mut self.other;
        self.table.limit_from(&theirs.table, |dropped| *other += dropped.count);
        for (id, tally) in theirs.table {
            if !self.table.takes(id) {
                self.other += tally.count;
                continue;
            }
            match self.table.get_mut(id) {
                Some(own) => own.merge(tally),
                None => {
                    self.table.entry(id, || tally);
                }
            }
            if self.table.is_overfull() {
                self.prune();
            }
        }
    }

    /// Everything is merged.
    #[must_use]
    pub fn finish(mut self) -> FinishedErrors {
        self.prune();
        let list = self.table.into_iter().map(|(_, mut tally)| {
            tally.statements.prune(drop);
            tally
        });
        FinishedErrors { list: list.collect(), other: self.other, total: self.total, owners: self.owners }
    }
}

/// The errors when everything is merged.
pub struct FinishedErrors {
    /// In no order.
    pub list: Vec<ErrorTally>,
    /// Errors beyond the cap.
    pub other: u64,
    /// All of them.
    pub total: u64,
    /// Whose they are.
    pub owners: Owners,
}
