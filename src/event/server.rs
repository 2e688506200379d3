//! `ServerEvent`: records that are about the server, not about a statement's text or duration.
//!
//! Only records that are no statement come here, so that the hot path never pays for it; the first byte sorts out
//! most of the rest.

use super::checkpoint::{self, Checkpoint};
use super::connection::{self, Connection};
use super::lock::{self, LockWait};
use super::notice::{self, Kind};
use super::temp_file;
use super::vacuum::{self, Vacuum};
use crate::log::Severity;
use crate::record::Record;

/// What a record tells about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerEvent<'a> {
    /// A lock is waited for, or was.
    Lock(LockWait<'a>),
    /// `deadlock detected`; its DETAIL has the story.
    Deadlock,
    /// A temporary file of this size was removed.
    TempFile(u64),
    /// A checkpoint or restartpoint.
    Checkpoint(Checkpoint<'a>),
    /// An automatic vacuum or analysis.
    Vacuum(Vacuum<'a>),
    /// An automatic vacuum or analysis was cancelled; its table, where CONTEXT has it.
    VacuumCancelled(Option<&'a [u8]>),
    /// A connection or a session.
    Connection(Connection<'a>),
    /// Anything else worth a line.
    Notice(Kind),
}

impl<'a> ServerEvent<'a> {
    /// Understands a record; `None` for what is no event of the server.
    #[must_use]
    pub fn of(record: &Record<'a>) -> Option<Self> {
        let message = record.message;
        if record.severity == Severity::Log
            && let Some(report) = Self::report(message)
        {
            return Some(report);
        }
        match (record.severity, message) {
            (Severity::Error, b"deadlock detected") => Some(Self::Deadlock),
            (Severity::Error, b"canceling autovacuum task") => {
                Some(Self::VacuumCancelled(vacuum::table_of_context(record.context)))
            }
            (severity, message) => notice::kind(severity, message).map(Self::Notice),
        }
    }

    fn report(message: &'a [u8]) -> Option<Self> {
        match message.first()? {
            b'a' => vacuum::of(message).map(Self::Vacuum),
            b'c' => checkpoint::of(message)
                .map(Self::Checkpoint)
                .or_else(|| connection::of(message).map(Self::Connection)),
            b'd' => connection::of(message).map(Self::Connection),
            b'p' => lock::wait(message).map(Self::Lock),
            b'r' => checkpoint::of(message)
                .map(Self::Checkpoint)
                .or_else(|| connection::of(message).map(Self::Connection)),
            b't' => temp_file::size(message).map(Self::TempFile),
            _ => None,
        }
    }

    /// Whether the event belongs to a statement.
    #[must_use]
    pub fn has_cause(&self) -> bool {
        match self {
            Self::Lock(_) | Self::Deadlock | Self::TempFile(_) => true,
            Self::Notice(kind) => {
                matches!(kind, Kind::Cancelled | Kind::Crash | Kind::RecoveryConflict | Kind::Timeout)
            }
            Self::Checkpoint(_) | Self::Vacuum(_) | Self::VacuumCancelled(_) | Self::Connection(_) => false,
        }
    }
}

/// The statement that a record belongs to: what the client sent (STATEMENT), else what a function ran (CONTEXT), else
/// what a process ran when it died (DETAIL of `server process … was terminated`).
#[must_use]
pub fn cause<'a>(record: &Record<'a>) -> Option<&'a [u8]> {
    if !record.statement.is_empty() {
        return Some(record.statement);
    }
    statement_of_context(record.context)
        .or_else(|| record.detail.strip_prefix(b"Failed process was running: "))
        .filter(|statement| !statement.is_empty())
}

/// The innermost `SQL statement "…"` of a CONTEXT (`executor/spi.c`, `_SPI_error_callback`), which quotes nothing.
fn statement_of_context(context: &[u8]) -> Option<&[u8]> {
    const START: &[u8] = b"SQL statement \"";
    let at = memchr::memmem::find_iter(context, START).find(|at| *at == 0 || context[at - 1] == b'\n')?;
    let text = &context[at + START.len()..];
    // The next line of the stack, if there is one, begins with one of these.
    let ends = [&b"\"\nPL/"[..], b"\"\nSQL function ", b"\"\nSQL statement "];
    let end = ends.iter().filter_map(|end| memchr::memmem::find(text, end)).min();
    Some(&text[..end.or_else(|| memchr::memrchr(b'"', text)).unwrap_or(text.len())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Entry, Part, Session, Who};
    use crate::units::{ByteOffset, Micros};

    fn record(severity: Severity, message: &'static str) -> Record<'static> {
        let entry = Entry {
            at: ByteOffset(0),
            len: 0,
            time: None,
            session: Session::default(),
            who: Who::nobody(),
            origin: 0,
            part: Part::Record(severity),
            text: message.as_bytes(),
            fields: None,
        };
        Record::new(&entry, severity)
    }

    #[test]
    fn only_the_server_reports() {
        let temp = "temporary file: path \"a\", size 7";
        assert_eq!(ServerEvent::of(&record(Severity::Log, temp)), Some(ServerEvent::TempFile(7)));
        assert_eq!(ServerEvent::of(&record(Severity::Error, temp)), None);
        assert_eq!(
            ServerEvent::of(&record(Severity::Error, "deadlock detected")),
            Some(ServerEvent::Deadlock)
        );
        assert_eq!(ServerEvent::of(&record(Severity::Log, "deadlock detected")), None);
        let kind =
            ServerEvent::of(&record(Severity::Log, "checkpointer process (PID 5) exited with exit code 1"));
        assert_eq!(kind, Some(ServerEvent::Notice(Kind::Crash)));
        let ended = ServerEvent::of(&record(Severity::Log, "disconnection: session time: 0:00:01.000"));
        let expected = connection::Ended { session: Micros(1_000_000), ..connection::Ended::default() };
        assert_eq!(ended, Some(ServerEvent::Connection(Connection::Ended(expected))));
    }

    #[test]
    fn the_statement_of_an_event() {
        let mut found = record(Severity::Log, "");
        found.context = b"while updating tuple (0,1) in relation \"t\"\nSQL statement \"UPDATE \"t\" SET a = 1\"\nPL/pgSQL function f() line 3 at SQL statement";
        assert_eq!(cause(&found), Some(&b"UPDATE \"t\" SET a = 1"[..]));
        found.context = b"SQL statement \"SELECT 1\"";
        assert_eq!(cause(&found), Some(&b"SELECT 1"[..]));
        found.context = b"COPY t, line 1";
        assert_eq!(cause(&found), None);
        found.detail = b"Failed process was running: SELECT 2";
        assert_eq!(cause(&found), Some(&b"SELECT 2"[..]));
        found.statement = b"SELECT f()";
        assert_eq!(cause(&found), Some(&b"SELECT f()"[..]));
    }
}
