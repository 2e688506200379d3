//! The part of the contract that is about the server rather than about statements.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Actor, HourLoad};
use crate::units::{Micros, Timestamp};

/// Lock waits and deadlocks (`log_lock_waits`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Locks {
    /// "still waiting for" records.
    pub waiting: u64,
    /// "acquired … after" records.
    pub acquired: u64,
    /// Time waited, from the acquired records.
    pub waited_us: Micros,
    /// Deadlocks.
    pub deadlocks: u64,
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
    /// Waits begun.
    pub waiting: u64,
    /// Waits that ended with the lock.
    pub acquired: u64,
    /// Time waited.
    pub waited_us: Micros,
}

/// A statement that waited for locks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LockStatement {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its normalised SQL.
    pub sql: String,
    /// Waits begun.
    pub waiting: u64,
    /// Waits that ended with the lock.
    pub acquired: u64,
    /// Time waited.
    pub waited_us: Micros,
}

/// One deadlock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Deadlock {
    /// When it was found.
    pub time: Option<Timestamp>,
    /// The processes and what each waited for.
    pub waits: Vec<String>,
    /// Normalised SQL of the processes, as far as the log has it.
    pub statements: Vec<String>,
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
    /// By hour: calls are files, durations are zero; bytes beside.
    pub by_hour: Vec<HourBytes>,
}

/// A statement that wrote temporary files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TempFileStatement {
    /// Its fingerprint; empty when the log does not say.
    pub fingerprint: String,
    /// Its normalised SQL.
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
    /// "restartpoint complete" records.
    pub restartpoints: u64,
    /// "checkpoints are occurring too frequently" records.
    pub too_frequent: u64,
    /// By cause (`time`, `wal`, `immediate force wait` …), from the starting records.
    pub causes: BTreeMap<String, u64>,
    /// Buffers written.
    pub buffers: u64,
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
    /// WAL distance in bytes, summed.
    pub distance_bytes: u64,
    /// Largest WAL distance.
    pub max_distance_bytes: u64,
    /// By hour: count is checkpoints, bytes the WAL distance.
    pub by_hour: Vec<HourBytes>,
}

/// Automatic vacuums and analyses (`log_autovacuum_min_duration`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Autovacuum {
    /// Automatic vacuums, aggressive ones included.
    pub vacuums: u64,
    /// Automatic analyses.
    pub analyzes: u64,
    /// Time of both.
    pub duration_us: Micros,
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
    /// Of them aggressive, to prevent wraparound.
    pub aggressive: u64,
    /// Analyses.
    pub analyzes: u64,
    /// Time of both.
    pub duration_us: Micros,
    /// Index scans.
    pub index_scans: u64,
    /// Pages removed.
    pub pages_removed: u64,
    /// Pages that remained at the last vacuum.
    pub pages_remain: u64,
    /// Tuples removed.
    pub tuples_removed: u64,
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
    /// "connection authorized" records.
    pub authorized: u64,
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
    /// By role; calls are connections authorised, durations those of sessions that ended.
    pub users: Vec<Actor>,
    /// By database.
    pub databases: Vec<Actor>,
    /// By `application_name`.
    pub applications: Vec<Actor>,
    /// By client host; calls are connections received.
    pub hosts: Vec<Actor>,
}

/// What else the server had to say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerEvents {
    /// By kind (`crash`, `out_of_memory`, `recovery`, `recovery_conflict`, `replication`, `archiver`, `parameter`,
    /// `cancelled`, `timeout` …), sorted by name.
    pub groups: Vec<ServerEventGroup>,
    /// WARNING records.
    pub warnings: u64,
    /// LOG records that are none of the above.
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
    /// Rows the top node returned, where it was analysed.
    pub rows: Option<u64>,
    /// The node that took most time by itself, where it was analysed.
    pub slowest_node: Option<String>,
}
