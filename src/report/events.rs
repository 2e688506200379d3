//! The part of the contract that is about the server rather than about statements.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ErrorStatement, HourLoad};
use crate::units::{Micros, Timestamp};

/// Lock waits and deadlocks (`log_lock_waits`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Locks {
    /// "still waiting for" records.
    pub waiting: u64,
    /// "acquired … after" records.
    pub acquired: u64,
    /// "avoided deadlock" records: the queue was rearranged, nothing failed.
    pub avoided: u64,
    /// "failed to acquire" records, and "could not obtain" ones (`log_lock_failures`).
    pub failed: u64,
    /// Time waited, from the acquired records.
    pub waited_us: Micros,
    /// Longest wait that ended with the lock.
    pub max_us: Micros,
    /// Deadlocks.
    pub deadlocks: u64,
    /// Single waits and who blocked them, longest first, at most 20.
    pub waits: Vec<LockWait>,
    /// By lock mode and relation or kind of object, most time first.
    pub by_object: Vec<LockGroup>,
    /// Statements that waited, most time first.
    pub statements: Vec<LockStatement>,
    /// Deadlocks with their statements, first ones.
    pub deadlock_examples: Vec<Deadlock>,
}

/// Waits for one kind of lock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LockGroup {
    /// As `ShareLock`.
    pub mode: String,
    /// As `transaction` or `relation 16384 of database 5`, numbers of transactions left out.
    pub object: String,
    /// Name of the relation whose row is waited for, where CONTEXT tells.
    pub relation: Option<String>,
    /// Waits begun.
    pub waiting: u64,
    /// Waits that ended with the lock.
    pub acquired: u64,
    /// Time waited.
    pub waited_us: Micros,
    /// Longest wait that ended with the lock.
    pub max_us: Micros,
}

/// One process that waited for one lock: its "still waiting" and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LockWait {
    /// When the wait was logged first.
    pub time: Option<Timestamp>,
    /// Who waited.
    pub pid: u32,
    /// `acquired`, `deadlock`, `failed`, or `waiting` where the log does not tell the end.
    pub outcome: String,
    /// As `ShareLock`.
    pub mode: String,
    /// As in [`LockGroup::object`].
    pub object: String,
    /// As in [`LockGroup::relation`].
    pub relation: Option<String>,
    /// How long it waited, as far as the log tells.
    pub waited_us: Micros,
    /// Processes that held the lock.
    pub blocked_by: Vec<u32>,
    /// Processes in the queue for it.
    pub queue: Vec<u32>,
    /// Fingerprint of the statement that waited; empty when the log does not say.
    pub fingerprint: String,
    /// Its normalised SQL.
    pub sql: String,
}

/// A statement that waited for locks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LockStatement {
    /// Its fingerprint; empty when the log does not say.
    pub fingerprint: String,
    /// Its normalised SQL; `(statement not in the log)` when the log does not say, `(other)` beyond the cap.
    pub sql: String,
    /// Waits begun.
    pub waiting: u64,
    /// Waits that ended with the lock.
    pub acquired: u64,
    /// Time waited.
    pub waited_us: Micros,
    /// Longest wait that ended with the lock.
    pub max_us: Micros,
}

/// One deadlock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Deadlock {
    /// When it was found.
    pub time: Option<Timestamp>,
    /// The processes and what each waited for.
    pub waits: Vec<String>,
    /// SQL of the processes, as far as the log has it; normalised unless values were asked for.
    pub statements: Vec<String>,
    /// Name of the relation whose row was waited for last, where CONTEXT tells.
    pub relation: Option<String>,
}

/// Temporary files (`log_temp_files`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TempFiles {
    /// Files.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The largest.
    pub max_bytes: u64,
    /// Statements that wrote them, most bytes first.
    pub statements: Vec<TempFileStatement>,
    /// By hour.
    pub by_hour: Vec<HourBytes>,
    /// By size, smallest first; sizes that no file had are left out.
    pub by_size: Vec<TempFileSize>,
    /// The largest files, at most 20.
    pub largest: Vec<TempFile>,
}

/// Temporary files of about one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TempFileSize {
    /// They are no larger than this, and larger than half of it.
    pub up_to_bytes: u64,
    /// Files.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One temporary file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TempFile {
    /// When it was removed, which is when it is logged.
    pub time: Option<Timestamp>,
    /// Who wrote it.
    pub pid: u32,
    /// Its bytes.
    pub bytes: u64,
    /// Fingerprint of the statement that wrote it; empty when the log does not say.
    pub fingerprint: String,
}

/// A statement that wrote temporary files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TempFileStatement {
    /// Its fingerprint; empty when the log does not say.
    pub fingerprint: String,
    /// Its normalised SQL; `(statement not in the log)` when the log does not say, `(other)` beyond the cap.
    pub sql: String,
    /// Files.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The largest.
    pub max_bytes: u64,
}

/// A number of bytes within one hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HourBytes {
    /// When it begins.
    pub hour: Timestamp,
    /// Things counted.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Checkpoints and restartpoints (`log_checkpoints`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoints {
    /// "checkpoint starting" records.
    pub started: u64,
    /// "checkpoint complete" records.
    pub completed: u64,
    /// "restartpoint starting" records.
    pub restartpoints_started: u64,
    /// "restartpoint complete" records. The sums below are of both.
    pub restartpoints: u64,
    /// "checkpoints are occurring too frequently" records.
    pub too_frequent: u64,
    /// By cause (`time`, `wal`, `immediate force wait` …), from the starting records.
    pub causes: BTreeMap<String, u64>,
    /// Buffers written.
    pub buffers: u64,
    /// SLRU buffers written (release 18).
    pub slru_buffers: u64,
    /// WAL files added.
    pub wal_added: u64,
    /// WAL files removed.
    pub wal_removed: u64,
    /// WAL files recycled.
    pub wal_recycled: u64,
    /// Time spent writing.
    pub write_us: Micros,
    /// Time spent syncing.
    pub sync_us: Micros,
    /// Time in all.
    pub total_us: Micros,
    /// Longest checkpoint.
    pub max_us: Micros,
    /// Files synced.
    pub sync_files: u64,
    /// Longest sync of one file.
    pub longest_sync_us: Micros,
    /// WAL distance in bytes, summed.
    pub distance_bytes: u64,
    /// Largest WAL distance.
    pub max_distance_bytes: u64,
    /// By hour: count is complete checkpoints and restartpoints, bytes the WAL distance.
    pub by_hour: Vec<HourBytes>,
}

/// Automatic vacuums and analyses (`log_autovacuum_min_duration`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Autovacuum {
    /// Automatic vacuums, aggressive ones included.
    pub vacuums: u64,
    /// Of them aggressive.
    pub aggressive: u64,
    /// Automatic analyses.
    pub analyzes: u64,
    /// Vacuums and analyses that were cancelled.
    pub cancelled: u64,
    /// Time of both.
    pub duration_us: Micros,
    /// By hour: calls are vacuums and analyses.
    pub by_hour: Vec<HourLoad>,
    /// Per table, most time first.
    pub tables: Vec<VacuumTable>,
}

/// What autovacuum did to one table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VacuumTable {
    /// `database.schema.table`.
    pub table: String,
    /// Vacuums.
    pub vacuums: u64,
    /// Of them aggressive: every page that may need freezing is read.
    pub aggressive: u64,
    /// Of them to prevent wraparound.
    pub wraparound: u64,
    /// Analyses.
    pub analyzes: u64,
    /// Vacuums and analyses that were cancelled.
    pub cancelled: u64,
    /// Time of both.
    pub duration_us: Micros,
    /// Longest of either.
    pub max_us: Micros,
    /// Processor time.
    pub cpu_us: Micros,
    /// Time slept for the cost limit (release 18, `track_cost_delay_timing`).
    pub delay_us: Micros,
    /// Time of reading (`track_io_timing`).
    pub read_us: Micros,
    /// Time of writing (`track_io_timing`).
    pub write_us: Micros,
    /// Index scans.
    pub index_scans: u64,
    /// Pages removed.
    pub pages_removed: u64,
    /// Pages looked at (release 15).
    pub pages_scanned: u64,
    /// Pages that remained at the last vacuum.
    pub pages_remain: u64,
    /// Tuples removed.
    pub tuples_removed: u64,
    /// Tuples frozen (release 16).
    pub tuples_frozen: u64,
    /// Tuples that remained at the last vacuum.
    pub tuples_remain: u64,
    /// Tuples dead but not yet removable, at the last vacuum.
    pub tuples_dead: u64,
    /// Buffer hits.
    pub buffer_hits: u64,
    /// Buffer misses.
    pub buffer_misses: u64,
    /// Buffers dirtied.
    pub buffer_dirtied: u64,
    /// WAL records.
    pub wal_records: u64,
    /// WAL full page images.
    pub wal_images: u64,
    /// WAL bytes.
    pub wal_bytes: u64,
}

/// Connections and sessions (`log_connections`, `log_disconnections`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Connections {
    /// "connection received" records.
    pub received: u64,
    /// "connection authenticated" records (release 14).
    pub authenticated: u64,
    /// "connection authorized" records.
    pub authorized: u64,
    /// Of them encrypted, by SSL or GSSAPI.
    pub encrypted: u64,
    /// Of them for replication.
    pub replication: u64,
    /// "connection ready" records (release 18).
    pub ready: u64,
    /// Their time from the connection to its first statement.
    pub setup_us: Micros,
    /// "disconnection" records.
    pub disconnections: u64,
    /// Time of the sessions that ended.
    pub session_us: Micros,
    /// Median session, within 1 %.
    pub session_p50_us: Option<Micros>,
    /// 99th percentile, within 1 %.
    pub session_p99_us: Option<Micros>,
    /// Longest.
    pub session_max_us: Option<Micros>,
    /// Most sessions at once, as far as the log has both ends.
    pub concurrent: u64,
    /// When.
    pub concurrent_at: Option<Timestamp>,
    /// Most connections received in one second.
    pub peak: Option<super::Peak>,
    /// By hour: calls are connections received, durations those of sessions that ended.
    pub by_hour: Vec<HourLoad>,
    /// By role; calls are connections authorised.
    pub users: Vec<Sessions>,
    /// By database.
    pub databases: Vec<Sessions>,
    /// By `application_name`. Only records that name it say under which name a session ended (`%a` in the prefix,
    /// csvlog, jsonlog).
    pub applications: Vec<Sessions>,
    /// By client host; calls are connections received.
    pub hosts: Vec<Sessions>,
}

/// Connections and sessions of one user, database, application or host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Its name; `(none)` where the log says nothing, `(other)` for what was beyond the cap.
    pub name: String,
    /// Connections.
    pub calls: u64,
    /// Sessions that ended.
    #[serde(default)]
    pub ended: u64,
    /// Their time.
    pub duration_us: Micros,
    /// Its ERROR, FATAL and PANIC records; `null` where records of errors do not name it.
    pub errors: Option<u64>,
}

/// What else the server had to say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerEvents {
    /// By kind (`crash`, `out_of_memory`, `recovery`, `recovery_conflict`, `replication`, `archiver`, `parameter`,
    /// `cancelled`, `timeout` …), sorted by name; within a kind the most frequent first.
    pub groups: Vec<ServerEventGroup>,
    /// Events beyond the cap on distinct messages.
    pub beyond: u64,
    /// Settings that changed, in the order of the log, at most 200.
    pub parameters: Vec<ParameterChange>,
    /// WARNING records, those in `groups` included.
    pub warnings: u64,
    /// Records below ERROR that are in no section of the report, but for the warnings.
    pub other: u64,
}

/// Records of one kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerEventGroup {
    /// A fixed name.
    pub kind: String,
    /// The normalised message.
    pub message: String,
    /// How often.
    pub count: u64,
    /// First time.
    pub first: Option<Timestamp>,
    /// Last time.
    pub last: Option<Timestamp>,
    /// The first one as it was logged; `null` unless values were asked for.
    pub example: Option<String>,
    /// Statements that it happened to, most frequent first, at most five.
    pub statements: Vec<ErrorStatement>,
}

/// A setting that changed when the configuration was read again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ParameterChange {
    /// When.
    pub time: Option<Timestamp>,
    /// The parameter.
    pub name: String,
    /// Its new value: `null` for the default, `?` for what may hold a secret (anything but numbers and switches)
    /// unless values were asked for.
    pub value: Option<String>,
}

/// A plan that auto_explain logged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// text, json, yaml or xml.
    pub format: String,
    /// When it was logged.
    pub time: Option<Timestamp>,
    /// Duration of the call.
    pub duration_us: Micros,
    /// The plan; literals in its conditions are masked unless values were asked for.
    pub text: String,
    /// Whether the text was cut off at 32 KiB.
    pub truncated: bool,
    /// Rows the top node returned, where it was analysed.
    pub rows: Option<u64>,
    /// Buffers of the whole plan, where they were logged.
    pub buffers: Option<PlanBuffers>,
    /// The node that took most time by itself, where it was analysed.
    pub slowest_node: Option<String>,
    /// That time.
    pub slowest_node_us: Option<Micros>,
}

/// Blocks that a plan touched (`auto_explain.log_buffers`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanBuffers {
    /// Found in shared buffers.
    pub shared_hit: u64,
    /// Read into shared buffers.
    pub shared_read: u64,
    /// Dirtied.
    pub shared_dirtied: u64,
    /// Written.
    pub shared_written: u64,
    /// Temporary blocks read.
    pub temp_read: u64,
    /// Temporary blocks written.
    pub temp_written: u64,
}
