//! Server events that are counted by kind and message only, and changes of settings.

use super::{cut, hash, keep_first};
use crate::bounded::Bounded;
use crate::event::message;
use crate::event::notice::{Change, Kind};
use crate::partial::Order;
use crate::record::Record;
use crate::sql::Fingerprint;
use crate::units::Timestamp;

/// Messages kept.
const MOST_NOTICES: usize = 4096;
/// Bytes of a message.
const MOST_MESSAGE: usize = 1000;
/// Statements kept of each.
const MOST_STATEMENTS: usize = 64;
/// First changes of settings kept.
const MOST_CHANGES: usize = 200;

/// Events of one kind and message.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Its kind.
    pub kind: Kind,
    /// The normalised message.
    pub message: String,
    /// How often.
    pub count: u64,
    /// First and last time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The first one as it was logged.
    pub example: (Order, Box<[u8]>),
    /// Statements that it happened to.
    pub statements: Bounded<(Fingerprint, u64)>,
}

impl Notice {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        if let Some((first, last)) = other.span {
            self.span = Some(self.span.map_or((first, last), |span| (span.0.min(first), span.1.max(last))));
        }
        if other.example.0 < self.example.0 {
            self.example = other.example;
        }
        self.statements.merge(other.statements, |known, new| known.1 += new.1, drop);
    }
}

/// A setting that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterChange {
    /// When it was logged.
    pub time: Option<Timestamp>,
    /// The parameter.
    pub name: Box<[u8]>,
    /// Its new value; `None` for the default.
    pub value: Option<Box<[u8]>>,
    /// Whether the value may be shown.
    pub plain: bool,
}

/// Server events.
#[derive(Debug, Clone)]
pub struct Notices {
    /// By kind and message.
    pub groups: Bounded<Notice>,
    /// Beyond the cap.
    pub other: u64,
    /// First changes of settings.
    pub changes: Vec<(Order, ParameterChange)>,
    /// Whether a change made the log a sample; see [`Change::samples`].
    pub sampled: bool,
}

impl Default for Notices {
    fn default() -> Self {
        Self { groups: Bounded::new(MOST_NOTICES), other: 0, changes: Vec::new(), sampled: false }
    }
}

impl Notices {
    /// Counts one event.
    pub fn add(&mut self, record: &Record<'_>, kind: Kind, order: Order, statement: Option<Fingerprint>) {
        let message = message::of(record, MOST_MESSAGE);
        let key = hash(&[kind.as_str().as_bytes(), message.as_bytes()]);
        let mut statements = Bounded::new(MOST_STATEMENTS);
        if let Some(statement) = statement {
            statements.entry(statement.0, || (statement, 1));
        }
        let notice = Notice {
            kind,
            message,
            count: 1,
            span: record.time.map(|time| (time, time)),
            example: (order, cut(record.message, MOST_MESSAGE)),
            statements,
        };
        let other = &mut self.other;
        self.groups.absorb(key, notice, Notice::add, |dropped| *other += dropped.count);
    }

    /// Remembers a change of a setting.
    pub fn change(&mut self, time: Option<Timestamp>, change: Change<'_>, order: Order) {
        self.sampled |= change.samples();
        let kept = ParameterChange {
            time,
            name: cut(change.name, MOST_MESSAGE),
            value: change.value.map(|value| cut(value, MOST_MESSAGE)),
            plain: change.is_plain(),
        };
        keep_first(&mut self.changes, MOST_CHANGES, order, kept);
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self) {
        self.other += other.other;
        self.sampled |= other.sampled;
        let beyond = &mut self.other;
        self.groups.merge(other.groups, Notice::add, |dropped| *beyond += dropped.count);
        for (order, change) in other.changes {
            keep_first(&mut self.changes, MOST_CHANGES, order, change);
        }
    }

    /// Everything is merged: what is beyond the cap goes to the others.
    pub fn finish(&mut self) {
        let beyond = &mut self.other;
        self.groups.prune(|dropped| *beyond += dropped.count);
    }
}
