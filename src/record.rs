//! `Record`: one message with the DETAIL, HINT, CONTEXT, QUERY and STATEMENT that belong to it.
//!
//! csvlog and jsonlog write a record at once; the line formats write its parts as entries of their own, which
//! `partial::ends` puts together by session. A record borrows while its chunk is alive; what must outlive the chunk
//! becomes an [`OwnedRecord`].

use crate::log::{Entry, Fields, Part, Session, Severity, Who};
use crate::units::{ByteOffset, Timestamp};

/// A message and its parts; empty slices where the log has none.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Where it begins in its stream.
    pub at: ByteOffset,
    /// When it was logged.
    pub time: Option<Timestamp>,
    /// The backend.
    pub session: Session,
    /// Whom the backend works for.
    pub who: Who<'a>,
    /// The hash of `who`, once somebody has asked for it; else 0.
    pub actor: u64,
    /// Severity.
    pub severity: Severity,
    /// The text after `LOG:  `.
    pub message: &'a [u8],
    /// DETAIL.
    pub detail: &'a [u8],
    /// HINT.
    pub hint: &'a [u8],
    /// QUERY.
    pub query: &'a [u8],
    /// CONTEXT.
    pub context: &'a [u8],
    /// STATEMENT.
    pub statement: &'a [u8],
    /// SQLSTATE; zeros when unknown.
    pub sqlstate: [u8; 5],
    /// The server's query id; 0 when unknown.
    pub query_id: i64,
    /// The part that was written last: syslog's next piece belongs to it.
    pub last: Part,
    /// Whether there may be more than the message: DETAIL to STATEMENT, SQLSTATE, query id.
    pub(crate) more: bool,
}

impl<'a> Record<'a> {
    /// A record as its first entry gives it.
    #[must_use]
    pub fn new(entry: &Entry<'a>, severity: Severity) -> Self {
        let mut record = Self::default();
        record.begin(entry, severity);
        record
    }

    /// [`Record::new`] where it is to stand: the hot path has no time to move it.
    #[inline(always)]
    pub fn begin(&mut self, entry: &Entry<'a>, severity: Severity) {
        self.at = entry.at;
        self.time = entry.time;
        self.session = entry.session;
        self.who = *entry.who;
        self.actor = 0;
        self.severity = severity;
        self.message = entry.text;
        self.last = entry.part;
        if entry.fields.is_some() || self.more {
            let none = Fields::default();
            let fields = entry.fields.unwrap_or(&none);
            self.detail = fields.detail;
            self.hint = fields.hint;
            self.query = fields.query;
            self.context = fields.context;
            self.statement = fields.statement;
            self.sqlstate = fields.sqlstate;
            self.query_id = fields.query_id;
            self.more = entry.fields.is_some();
        }
    }

    /// The slot that a part of this kind fills; `None` for parts that no report needs.
    pub(crate) fn slot(&mut self, part: Part) -> Option<&mut &'a [u8]> {
        self.more = true;
        match part {
            Part::Record(_) => Some(&mut self.message),
            Part::Detail => Some(&mut self.detail),
            Part::Hint => Some(&mut self.hint),
            Part::Query => Some(&mut self.query),
            Part::Context => Some(&mut self.context),
            Part::Statement => Some(&mut self.statement),
            Part::Location | Part::More => None,
        }
    }
}

/// No record.
impl Default for Record<'_> {
    fn default() -> Self {
        Self {
            at: ByteOffset(0),
            time: None,
            session: Session::default(),
            who: Who::default(),
            actor: 0,
            severity: Severity::Log,
            message: &[],
            detail: &[],
            hint: &[],
            query: &[],
            context: &[],
            statement: &[],
            sqlstate: [0; 5],
            query_id: 0,
            last: Part::Record(Severity::Log),
            more: false,
        }
    }
}

/// A record that outlives its chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRecord {
    at: ByteOffset,
    time: Option<Timestamp>,
    session: Session,
    severity: Severity,
    sqlstate: [u8; 5],
    query_id: i64,
    last: Part,
    /// user, database, application, host, message, detail, hint, query, context, statement.
    texts: [Box<[u8]>; 10],
}

impl OwnedRecord {
    /// The record as everyone else sees it.
    #[must_use]
    pub fn borrow(&self) -> Record<'_> {
        let [user, database, application, host, message, detail, hint, query, context, statement] =
            &self.texts;
        Record {
            at: self.at,
            time: self.time,
            session: self.session,
            who: Who { user, database, application, host },
            actor: 0,
            severity: self.severity,
            message,
            detail,
            hint,
            query,
            context,
            statement,
            sqlstate: self.sqlstate,
            query_id: self.query_id,
            last: self.last,
            more: true,
        }
    }

    /// Adds a part that was written after the chunk in which the record began.
    pub fn attach(&mut self, part: Part, text: &[u8]) {
        let more = part == Part::More;
        let target = if more { self.last } else { part };
        let index = match target {
            Part::Record(_) => 4,
            Part::Detail => 5,
            Part::Hint => 6,
            Part::Query => 7,
            Part::Context => 8,
            Part::Statement => 9,
            Part::Location | Part::More => return,
        };
        self.last = target;
        if let Some(slot) = self.texts.get_mut(index) {
            if more {
                *slot = [&**slot, text].concat().into();
            } else {
                *slot = text.into();
            }
        }
    }
}

impl From<&Record<'_>> for OwnedRecord {
    fn from(record: &Record<'_>) -> Self {
        let who = record.who;
        Self {
            at: record.at,
            time: record.time,
            session: record.session,
            severity: record.severity,
            sqlstate: record.sqlstate,
            query_id: record.query_id,
            last: record.last,
            texts: [
                who.user,
                who.database,
                who.application,
                who.host,
                record.message,
                record.detail,
                record.hint,
                record.query,
                record.context,
                record.statement,
            ]
            .map(Box::from),
        }
    }
}
