//! `Entry`: one message as the log wrote it, before anyone asks what it means.
//!
//! Every format ends here, with the same meaning in every field. An entry borrows from its chunk (or from the
//! chunk's arena, where its text had to be unescaped) and is never stored.

use crate::units::{ByteOffset, Timestamp};

/// One message of the log.
///
/// In csvlog and jsonlog a message carries its DETAIL, HINT, CONTEXT and STATEMENT in [`Fields`]; in the line
/// formats (stderr, syslog) each of them is an entry of its own, with a [`Part`] that says so, and belongs to the
/// last record of the same session.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Where its first byte stands in the stream.
    pub at: ByteOffset,
    /// Bytes from `at` to the end of its last line, line end included.
    pub len: u32,
    /// When it was logged, in UTC; `None` where the prefix has no time.
    pub time: Option<Timestamp>,
    /// The backend that wrote it.
    pub session: Session,
    /// Who the backend works for.
    pub who: &'a Who<'a>,
    /// Entries of one chunk with the same origin, other than 0, have the same `session` and `who`.
    pub origin: u32,
    /// What this message is: a record, or a part of the session's last record.
    pub part: Part,
    /// The text after `LOG:  `, unescaped: continuation lines joined by a bare `\n`, without PostgreSQL's tabs.
    pub text: &'a [u8],
    /// What only csvlog, jsonlog and rare prefix escapes know.
    pub fields: Option<&'a Fields<'a>>,
}

/// Which backend wrote an entry.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Session {
    /// Process id (`%p`, csvlog's and jsonlog's pid); 0 where the log does not say.
    pub pid: u32,
    /// The session's start in seconds since the epoch, from `%c` (its first part) or csvlog's session_id;
    /// 0 where the log does not say. Together with `pid` it tells two backends of one pid apart.
    pub start: u32,
}

/// Names as the log has them, undecoded; empty where the log does not say or says `[unknown]`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Who<'a> {
    /// Role name (`%u`).
    pub user: &'a [u8],
    /// Database name (`%d`).
    pub database: &'a [u8],
    /// `application_name` (`%a`).
    pub application: &'a [u8],
    /// Client host without its port (`%h`, `%r`).
    pub host: &'a [u8],
}

impl Who<'_> {
    /// No names.
    #[must_use]
    pub fn nobody() -> &'static Self {
        const { &Who { user: b"", database: b"", application: b"", host: b"" } }
    }
}

/// Severity of a record, as PostgreSQL's elog.c names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// DEBUG, DEBUG1 to DEBUG5.
    Debug,
    /// INFO.
    Info,
    /// NOTICE.
    Notice,
    /// WARNING.
    Warning,
    /// LOG: what the administrator asked for.
    Log,
    /// ERROR: the statement failed.
    Error,
    /// FATAL: the session ended.
    Fatal,
    /// PANIC: the server ended all sessions.
    Panic,
}

impl Severity {
    /// Whether the record counts as an error in `totals.errors`.
    #[must_use]
    pub fn is_error(self) -> bool {
        matches!(self, Self::Error | Self::Fatal | Self::Panic)
    }

    /// PostgreSQL's spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Log => "LOG",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Panic => "PANIC",
        }
    }
}

/// What an entry is to its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// A record of its own.
    Record(Severity),
    /// `DETAIL:` of the session's last record.
    Detail,
    /// `HINT:`.
    Hint,
    /// `QUERY:`, the internal query that a function ran.
    Query,
    /// `CONTEXT:`.
    Context,
    /// `STATEMENT:`, the statement that the client sent.
    Statement,
    /// `LOCATION:` and `BACKTRACE:`, of no use to a report.
    Location,
    /// More text of whatever part came last in this session: syslog cuts long messages into several.
    More,
}

/// What csvlog and jsonlog know beyond every line format, as far as a report needs it; empty slices and zeros where
/// they are silent. Of the line formats, logs with `%Q` or `%e` in their prefix and verbose ones have it.
#[derive(Debug, Default, Clone, Copy)]
pub struct Fields<'a> {
    /// DETAIL.
    pub detail: &'a [u8],
    /// HINT.
    pub hint: &'a [u8],
    /// QUERY (csvlog's internal_query).
    pub query: &'a [u8],
    /// CONTEXT.
    pub context: &'a [u8],
    /// STATEMENT (csvlog's query column).
    pub statement: &'a [u8],
    /// SQLSTATE; zeros when unknown.
    pub sqlstate: [u8; 5],
    /// The server's query id; 0 when unknown.
    pub query_id: i64,
}
