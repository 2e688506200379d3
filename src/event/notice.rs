//! What else a server says about itself: crashes, recovery, replication, cancelled statements, settings …
//!
//! One table of beginnings and one of words anywhere in a message, from PostgreSQL's sources (named beside the
//! rows). Only the message decides, never the SQLSTATE: stderr and syslog do not have one, and every format must
//! give the same answer. Messages in other languages than English (`lc_messages`) are not understood.

use super::cursor::Cursor;
use crate::log::Severity;

/// A kind of server event. The name is part of the JSON contract (`server.groups[].kind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// WAL could not be archived.
    Archiver,
    /// A client could not prove who it is, or may not come in.
    Authentication,
    /// Autovacuum beyond its reports: tasks cancelled, misconfiguration.
    Autovacuum,
    /// The client ended a statement.
    Cancelled,
    /// No slot was free.
    ConnectionLimit,
    /// Pages or files that cannot be right.
    Corruption,
    /// A process died, and what follows from it.
    Crash,
    /// A FATAL record that is none of the other kinds.
    Fatal,
    /// The connection to a client broke.
    Network,
    /// The disk is full.
    OutOfDisk,
    /// Memory is exhausted.
    OutOfMemory,
    /// A PANIC record.
    Panic,
    /// A setting changed, or could not.
    Parameter,
    /// The server replays WAL.
    Recovery,
    /// A standby's query stood in the way of replay.
    RecoveryConflict,
    /// Streaming, slots, logical workers.
    Replication,
    /// The server stops.
    Shutdown,
    /// The server starts.
    Startup,
    /// `temp_file_limit`.
    TempFileLimit,
    /// An administrator ended a session.
    Terminated,
    /// `statement_timeout` and its kin.
    Timeout,
    /// A client came while the server starts, stops or recovers.
    Unavailable,
    /// A background worker ended.
    Worker,
    /// Transaction ids run out.
    Wraparound,
}

impl Kind {
    /// The name used in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Archiver => "archiver",
            Self::Authentication => "authentication",
            Self::Autovacuum => "autovacuum",
            Self::Cancelled => "cancelled",
            Self::ConnectionLimit => "connection_limit",
            Self::Corruption => "corruption",
            Self::Crash => "crash",
            Self::Fatal => "fatal",
            Self::Network => "network",
            Self::OutOfDisk => "out_of_disk",
            Self::OutOfMemory => "out_of_memory",
            Self::Panic => "panic",
            Self::Parameter => "parameter",
            Self::Recovery => "recovery",
            Self::RecoveryConflict => "recovery_conflict",
            Self::Replication => "replication",
            Self::Shutdown => "shutdown",
            Self::Startup => "startup",
            Self::TempFileLimit => "temp_file_limit",
            Self::Terminated => "terminated",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Worker => "worker",
            Self::Wraparound => "wraparound",
        }
    }
}

/// Beginnings of messages, sorted so that a message is looked up by its first byte.
const BEGINNINGS: &[(&str, Kind)] = &[
    // postmaster.c: a standby says "read-only" between.
    ("aborting any active transactions", Kind::Shutdown),
    ("all server processes terminated; reinitializing", Kind::Crash),
    ("archive command failed", Kind::Archiver),
    ("archive command was terminated", Kind::Archiver),
    ("archive recovery complete", Kind::Recovery),
    ("archiver process (PID ", Kind::Crash),
    ("archiving transaction log file ", Kind::Archiver),
    ("archiving write-ahead log file ", Kind::Archiver),
    ("autovacuum launcher process (PID ", Kind::Crash),
    ("autovacuum launcher started", Kind::Startup),
    ("autovacuum launcher shutting down", Kind::Shutdown),
    ("autovacuum not started because of misconfiguration", Kind::Autovacuum),
    ("autovacuum: ", Kind::Autovacuum),
    ("background writer process (PID ", Kind::Crash),
    ("canceling authentication due to timeout", Kind::Timeout),
    ("canceling autovacuum task", Kind::Autovacuum),
    ("canceling statement due to conflict with recovery", Kind::RecoveryConflict),
    ("canceling statement due to lock timeout", Kind::Timeout),
    ("canceling statement due to statement timeout", Kind::Timeout),
    ("canceling statement due to user request", Kind::Cancelled),
    ("canceling wait for synchronous replication", Kind::Replication),
    ("checkpointer process (PID ", Kind::Crash),
    ("completed backup recovery ", Kind::Recovery),
    ("configuration file ", Kind::Parameter),
    ("connection to client lost", Kind::Network),
    ("consistent recovery state reached", Kind::Recovery),
    ("could not accept SSL connection", Kind::Network),
    ("could not connect to the primary server", Kind::Replication),
    ("could not fork ", Kind::OutOfMemory),
    ("could not receive data from WAL stream", Kind::Replication),
    ("could not receive data from client", Kind::Network),
    ("could not send data to client", Kind::Network),
    ("could not start WAL streaming", Kind::Replication),
    ("database is not accepting commands", Kind::Wraparound),
    ("database system is ready to accept", Kind::Startup),
    ("database system is shut down", Kind::Shutdown),
    ("database system shutdown was interrupted", Kind::Recovery),
    ("database system was interrupted", Kind::Recovery),
    ("database system was not properly shut down", Kind::Recovery),
    ("database system was shut down", Kind::Startup),
    ("ending log output to stderr", Kind::Startup),
    ("entering standby mode", Kind::Recovery),
    ("fetching timeline history file", Kind::Replication),
    ("incomplete startup packet", Kind::Network),
    ("invalid length of startup packet", Kind::Network),
    ("invalid magic number ", Kind::Recovery),
    ("invalid page in block ", Kind::Corruption),
    ("invalid record length at ", Kind::Recovery),
    ("invalid resource manager ID ", Kind::Recovery),
    ("invalidating obsolete replication slot", Kind::Replication),
    ("invalidating slot ", Kind::Replication),
    ("last completed transaction was at log time", Kind::Recovery),
    ("listening on ", Kind::Startup),
    ("logger shutting down", Kind::Shutdown),
    ("logical decoding found ", Kind::Replication),
    ("logical replication ", Kind::Replication),
    ("missing chunk number ", Kind::Corruption),
    ("missing contrecord at ", Kind::Recovery),
    ("multixact \"members\" limit exceeded", Kind::Wraparound),
    ("no pg_hba.conf entry for ", Kind::Authentication),
    ("oldest multixact is far in the past", Kind::Wraparound),
    ("oldest xmin is far in the past", Kind::Wraparound),
    ("out of background worker slots", Kind::ConnectionLimit),
    ("out of memory", Kind::OutOfMemory),
    ("out of shared memory", Kind::OutOfMemory),
    ("page verification failed", Kind::Corruption),
    ("parameter \"", Kind::Parameter),
    ("password authentication failed ", Kind::Authentication),
    ("pausing at the end of recovery", Kind::Recovery),
    ("pg_hba.conf rejects ", Kind::Authentication),
    ("primary server contains no more WAL", Kind::Replication),
    ("promote trigger file found", Kind::Recovery),
    ("received SIGHUP, reloading configuration files", Kind::Parameter),
    ("received fast shutdown request", Kind::Shutdown),
    ("received immediate shutdown request", Kind::Shutdown),
    ("received promote request", Kind::Recovery),
    ("received replication command", Kind::Replication),
    ("received smart shutdown request", Kind::Shutdown),
    ("record with incorrect prev-link", Kind::Recovery),
    ("recovery finished waiting ", Kind::RecoveryConflict),
    ("recovery has paused", Kind::Recovery),
    ("recovery restart point at ", Kind::Recovery),
    ("recovery still waiting ", Kind::RecoveryConflict),
    ("recovery stopping ", Kind::Recovery),
    ("redirecting log output to logging collector process", Kind::Startup),
    ("redo done at ", Kind::Recovery),
    ("redo in progress, elapsed time", Kind::Recovery),
    ("redo is not required", Kind::Recovery),
    ("redo starts at ", Kind::Recovery),
    ("remaining connection slots are reserved", Kind::ConnectionLimit),
    ("replication terminated by primary server", Kind::Replication),
    ("requested WAL segment ", Kind::Replication),
    ("restored log file ", Kind::Recovery),
    ("selected new timeline ID", Kind::Recovery),
    ("server process (PID ", Kind::Crash),
    ("shutting down", Kind::Shutdown),
    ("sorry, too many clients already", Kind::ConnectionLimit),
    ("standby \"", Kind::Replication),
    ("started streaming WAL from primary", Kind::Replication),
    ("starting PostgreSQL ", Kind::Startup),
    ("starting archive recovery", Kind::Recovery),
    ("starting backup recovery", Kind::Recovery),
    ("starting logical decoding for slot", Kind::Replication),
    ("starting point-in-time recovery", Kind::Recovery),
    ("startup process (PID ", Kind::Crash),
    ("streaming replication successfully connected to primary", Kind::Replication),
    ("temporary file size exceeds ", Kind::TempFileLimit),
    ("terminating any other active server processes", Kind::Crash),
    ("terminating autovacuum process due to administrator command", Kind::Terminated),
    ("terminating background worker ", Kind::Terminated),
    ("terminating connection because of crash of another server process", Kind::Crash),
    ("terminating connection due to administrator command", Kind::Terminated),
    ("terminating connection due to conflict with recovery", Kind::RecoveryConflict),
    ("terminating connection due to idle-in-transaction timeout", Kind::Timeout),
    ("terminating connection due to idle-session timeout", Kind::Timeout),
    ("terminating connection due to transaction timeout", Kind::Timeout),
    ("terminating connection due to unexpected postmaster exit", Kind::Crash),
    ("terminating logical replication worker", Kind::Replication),
    ("terminating process ", Kind::Replication),
    ("terminating walreceiver ", Kind::Replication),
    ("terminating walsender process", Kind::Replication),
    ("the database system is ", Kind::Unavailable),
    ("too many connections for ", Kind::ConnectionLimit),
    ("unexpected EOF on client connection", Kind::Network),
    ("unexpected EOF on standby connection", Kind::Replication),
    ("unexpected data beyond EOF in block ", Kind::Corruption),
    ("unexpected pageaddr ", Kind::Recovery),
    ("wal receiver process (PID ", Kind::Crash),
    ("wal writer process (PID ", Kind::Crash),
    ("waiting for WAL to become available", Kind::Replication),
];

/// Words that decide wherever they stand; looked for only in records that are not LOG.
const ANYWHERE: &[(&str, Kind)] = &[
    (": No space left on device", Kind::OutOfDisk),
    ("Disk quota exceeded", Kind::OutOfDisk),
    ("Cannot allocate memory", Kind::OutOfMemory),
    (" must be vacuumed within ", Kind::Wraparound),
    ("is not accepting commands ", Kind::Wraparound),
    (" authentication failed for user ", Kind::Authentication),
    ("could not read block ", Kind::Corruption),
];

/// What a record that is neither a statement nor one of the reports is about.
#[must_use]
pub fn kind(severity: Severity, message: &[u8]) -> Option<Kind> {
    let beginning = || {
        let first = *message.first()?;
        let from = BEGINNINGS.partition_point(|(word, _)| word.as_bytes()[0] < first);
        let same = BEGINNINGS[from..].iter().take_while(|(word, _)| word.as_bytes()[0] == first);
        let mut same = same.filter(|(word, _)| message.starts_with(word.as_bytes()));
        same.next().map(|(_, kind)| *kind).or_else(|| worker(message))
    };
    let anywhere = || {
        let found = |word: &str| memchr::memmem::find(message, word.as_bytes()).is_some();
        ANYWHERE.iter().find(|(word, _)| found(word)).map(|(_, kind)| *kind)
    };
    let kind = match severity {
        Severity::Panic => return Some(Kind::Panic),
        Severity::Log => beginning().or_else(|| out_of_disk(message)),
        Severity::Debug | Severity::Info | Severity::Notice => None,
        Severity::Warning | Severity::Error | Severity::Fatal => beginning().or_else(anywhere),
    };
    kind.or_else(|| (severity == Severity::Fatal).then(|| fatal(message)))
}

/// The server's own processes report a full disk as LOG too.
fn out_of_disk(message: &[u8]) -> Option<Kind> {
    message.ends_with(b": No space left on device").then_some(Kind::OutOfDisk)
}

/// `background worker "x" (PID 1) exited with exit code 1` is how it goes at every shutdown, and when a parallel worker
/// fails; a signal is a crash.
fn worker(message: &[u8]) -> Option<Kind> {
    let name = message.strip_prefix(b"background worker \"")?;
    let killed = memchr::memmem::find(name, b" was terminated by signal ").is_some();
    Some(if killed { Kind::Crash } else { Kind::Worker })
}

/// Whether a FATAL ends a session that was authorised, but has no `disconnection` yet (`utils/init/postinit.c`,
/// `utils/init/miscinit.c`): the checks between the two records.
#[must_use]
pub fn refuses_authorized(message: &[u8]) -> bool {
    let beginnings = [
        &b"permission denied for database "[..],
        b"too many connections for ",
        b"remaining connection slots are reserved",
        b"must be superuser to connect ",
        b"number of requested standby connections exceeds",
    ];
    let missing = message.starts_with(b"role \"") || message.starts_with(b"database \"");
    missing && !message.ends_with(b"\" has disappeared")
        || beginnings.iter().any(|word| message.starts_with(word))
}

/// A session that could not begin has its own words (`utils/init/postinit.c`, `libpq/auth.c`).
fn fatal(message: &[u8]) -> Kind {
    let beyond = |start: &[u8], end: &[u8]| message.starts_with(start) && message.ends_with(end);
    let refused = beyond(b"role \"", b"\" does not exist")
        || beyond(b"role \"", b"\" is not permitted to log in")
        || beyond(b"database \"", b"\" does not exist")
        || beyond(b"database \"", b"\" is not currently accepting connections")
        || message.starts_with(b"permission denied for database ")
        || memchr::memmem::find(message, b" authentication failed for ").is_some();
    if refused { Kind::Authentication } else { Kind::Fatal }
}

/// A changed setting (`utils/misc/guc.c`, `guc-file.l`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The parameter.
    pub name: &'a [u8],
    /// Its new value; `None` where it was removed from the file and has its default again.
    pub value: Option<&'a [u8]>,
}

/// Understands `parameter "x" changed to "y"` and `parameter "x" removed from configuration file, reset to default`.
#[must_use]
pub fn change(message: &[u8]) -> Option<Change<'_>> {
    let mut cursor = Cursor::new(message);
    cursor.word("parameter \"")?;
    let name = cursor.until("\" ")?;
    if cursor.word("removed from configuration file, reset to default").is_some() {
        return Some(Change { name, value: None });
    }
    cursor.word("changed to \"")?;
    let value = cursor.until_last("\"")?;
    Some(Change { name, value: Some(value) })
}

impl Change<'_> {
    /// Whether the log is a sample from here on: `log_min_duration_sample`, `log_statement_sample_rate` or
    /// `log_transaction_sample_rate` was set so that statements are left out by chance.
    ///
    /// Nothing else in a log proves it. Settings that were there when the server started are not logged, a line that
    /// sampling left out leaves no trace, and one that it let through looks like any other.
    #[must_use]
    pub fn samples(&self) -> bool {
        let Some(value) = self.value else { return false };
        let minus = value.starts_with(b"-");
        // Only whether it is nothing, all or something between matters.
        let millionths = Cursor::new(value).decimal(6);
        match self.name {
            b"log_min_duration_sample" => !minus,
            b"log_statement_sample_rate" => millionths.is_some_and(|rate| rate < 1_000_000),
            b"log_transaction_sample_rate" => millionths.is_some_and(|rate| rate > 0),
            _ => false,
        }
    }

    /// Whether the value may be shown: a number, with a unit perhaps, or a switch. Anything else may be a path, a
    /// command or a connection string with a password in it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Some(value) = self.value else { return true };
        let word = matches!(value, b"on" | b"off" | b"true" | b"false" | b"all" | b"none" | b"ddl" | b"mod");
        let digits = value.strip_prefix(b"-").unwrap_or(value);
        let number = digits.first().is_some_and(u8::is_ascii_digit)
            && digits.len() <= 24
            && digits
                .iter()
                .all(|byte| byte.is_ascii_digit() || *byte == b'.' || b"kMGTBmsuinhd ".contains(byte));
        word || number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_by_first_byte() {
        assert!(BEGINNINGS.is_sorted_by_key(|(word, _)| word.as_bytes()[0]));
    }

    #[test]
    fn kinds() {
        use Severity::{Error, Fatal, Log, Notice, Panic, Warning};
        for (severity, message, expected) in [
            (Log, "server process (PID 77) was terminated by signal 9: Killed", Some(Kind::Crash)),
            (Log, "all server processes terminated; reinitializing", Some(Kind::Crash)),
            (Warning, "terminating connection because of crash of another server process", Some(Kind::Crash)),
            (
                Log,
                "background worker \"x\" (PID 5) was terminated by signal 11: Segmentation fault",
                Some(Kind::Crash),
            ),
            (
                Log,
                "background worker \"logical replication launcher\" (PID 5) exited with exit code 1",
                Some(Kind::Worker),
            ),
            (
                Log,
                "database system was not properly shut down; automatic recovery in progress",
                Some(Kind::Recovery),
            ),
            (Log, "redo done at 0/1 system usage: CPU: user: 0.00 s", Some(Kind::Recovery)),
            (
                Log,
                "recovery still waiting after 1000.1 ms: recovery conflict on lock",
                Some(Kind::RecoveryConflict),
            ),
            (Error, "canceling statement due to conflict with recovery", Some(Kind::RecoveryConflict)),
            (Error, "canceling statement due to user request", Some(Kind::Cancelled)),
            (Error, "canceling statement due to statement timeout", Some(Kind::Timeout)),
            (Error, "canceling statement due to lock timeout", Some(Kind::Timeout)),
            (Fatal, "terminating connection due to idle-in-transaction timeout", Some(Kind::Timeout)),
            (Fatal, "terminating connection due to administrator command", Some(Kind::Terminated)),
            (Error, "canceling autovacuum task", Some(Kind::Autovacuum)),
            (Log, "started streaming WAL from primary at 0/3000000 on timeline 1", Some(Kind::Replication)),
            (
                Fatal,
                "could not receive data from WAL stream: server closed the connection",
                Some(Kind::Replication),
            ),
            (Log, "archive command failed with exit code 1", Some(Kind::Archiver)),
            (Error, "could not extend file \"base/1/2\": No space left on device", Some(Kind::OutOfDisk)),
            (
                Log,
                "could not write temporary statistics file \"x\": No space left on device",
                Some(Kind::OutOfDisk),
            ),
            (Error, "out of memory", Some(Kind::OutOfMemory)),
            (Error, "out of shared memory", Some(Kind::OutOfMemory)),
            (
                Log,
                "could not fork new process for connection: Cannot allocate memory",
                Some(Kind::OutOfMemory),
            ),
            (Panic, "could not locate a valid checkpoint record", Some(Kind::Panic)),
            (Fatal, "sorry, too many clients already", Some(Kind::ConnectionLimit)),
            (Fatal, "password authentication failed for user \"app\"", Some(Kind::Authentication)),
            (Fatal, "Peer authentication failed for user \"app\"", Some(Kind::Authentication)),
            (Fatal, "role \"nobody\" does not exist", Some(Kind::Authentication)),
            (Error, "role \"nobody\" does not exist", None),
            (Fatal, "the database system is starting up", Some(Kind::Unavailable)),
            (Warning, "database \"x\" must be vacuumed within 11000000 transactions", Some(Kind::Wraparound)),
            (Error, "temporary file size exceeds \"temp_file_limit\" (10kB)", Some(Kind::TempFileLimit)),
            (Error, "invalid page in block 7 of relation base/5/16384", Some(Kind::Corruption)),
            (Log, "could not receive data from client: Connection reset by peer", Some(Kind::Network)),
            (Log, "received SIGHUP, reloading configuration files", Some(Kind::Parameter)),
            (Log, "parameter \"work_mem\" changed to \"8MB\"", Some(Kind::Parameter)),
            (Log, "database system is ready to accept read-only connections", Some(Kind::Startup)),
            (Log, "received fast shutdown request", Some(Kind::Shutdown)),
            (Notice, "out of memory", None),
            (Log, "to the log", None),
            (Error, "relation \"a\" does not exist", None),
            (Warning, "there is no transaction in progress", None),
            (Log, "", None),
        ] {
            assert_eq!(kind(severity, message.as_bytes()), expected, "{message}");
        }
    }

    #[test]
    fn what_makes_a_log_a_sample() {
        for (message, samples) in [
            ("parameter \"log_min_duration_sample\" changed to \"100\"", true),
            ("parameter \"log_min_duration_sample\" changed to \"0\"", true),
            ("parameter \"log_min_duration_sample\" changed to \"-1\"", false),
            ("parameter \"log_statement_sample_rate\" changed to \"0.3\"", true),
            ("parameter \"log_statement_sample_rate\" changed to \"1\"", false),
            ("parameter \"log_transaction_sample_rate\" changed to \"0.01\"", true),
            ("parameter \"log_transaction_sample_rate\" changed to \"0\"", false),
            (
                "parameter \"log_transaction_sample_rate\" removed from configuration file, reset to default",
                false,
            ),
            ("parameter \"log_min_duration_statement\" changed to \"100\"", false),
        ] {
            assert_eq!(change(message.as_bytes()).map(|change| change.samples()), Some(samples), "{message}");
        }
        assert_eq!(change(b"parameter \"port\" cannot be changed without restarting the server"), None);
    }

    #[test]
    fn values_that_may_be_shown() {
        for (value, plain) in [
            ("8MB", true),
            ("-1", true),
            ("0.3", true),
            ("on", true),
            ("1 min", true),
            ("host=a password=b", false),
            ("/usr/bin/cp %p", false),
            ("", false),
        ] {
            assert_eq!(Change { name: b"x", value: Some(value.as_bytes()) }.is_plain(), plain, "{value}");
        }
    }
}
