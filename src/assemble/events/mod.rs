//! What was counted about the server → its sections of the report, sorted with every tie broken.

mod locks;
mod server;

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{NONE, OTHER, UNKNOWN, lossy};
use crate::partial::events::{Checkpoints as CheckpointTally, Connections as ConnectionTally};
use crate::partial::events::{
    HourSums, NamedLoads, SessionLoad, TableVacuums, TempFiles as TempFileTally, Vacuums,
};
use crate::partial::statements::StatementTally;
use crate::report::*;
use crate::sql::Fingerprint;
use crate::units::{Micros, Timestamp};

pub(super) use locks::locks;
pub(super) use server::{Others, server};

/// Statements by fingerprint: whose text an event shows.
pub(super) type Texts<'t> = HashMap<u64, &'t StatementTally>;

/// [`named`] for a list of statements, which has one row for what the log does not say.
fn row_named(statement: Option<Fingerprint>, texts: &Texts<'_>) -> (String, String) {
    match statement {
        None => (String::new(), UNKNOWN.to_owned()),
        known => named(known, texts),
    }
}

/// Fingerprint and normalised SQL; both empty where the log does not say.
fn named(statement: Option<Fingerprint>, texts: &Texts<'_>) -> (String, String) {
    let Some(fingerprint) = statement else { return Default::default() };
    let sql = texts.get(&fingerprint.0).map(|tally| tally.sql.clone()).unwrap_or_default();
    (fingerprint.to_string(), sql)
}

fn hour_bytes(hours: &HourSums) -> Vec<HourBytes> {
    hours
        .iter()
        .map(|(hour, count, bytes)| HourBytes { hour: Timestamp::from_hour(hour), count, bytes })
        .collect()
}

fn hour_loads(hours: &HourSums) -> Vec<HourLoad> {
    let row = |(hour, calls, micros)| HourLoad {
        hour: Timestamp::from_hour(hour),
        calls,
        duration_us: Micros(micros),
    };
    hours.iter().map(row).collect()
}

/// Temporary files.
pub(super) fn temp_files(mut tally: TempFileTally, texts: &Texts<'_>) -> TempFiles {
    tally.finish();
    let mut statements: Vec<TempFileStatement> = tally
        .statements
        .into_iter()
        .map(|(_, (statement, sizes))| {
            // A portal's files are removed when it is closed, after its execution: then the log names no statement. It
            // may be that of the execution before, or one that was too quick to be logged: nobody knows.
            let (fingerprint, sql) = row_named(statement, texts);
            TempFileStatement {
                fingerprint,
                sql,
                count: sizes.count,
                bytes: sizes.bytes,
                max_bytes: sizes.max,
            }
        })
        .collect();
    statements.sort_by_cached_key(|row| (Reverse(row.bytes), Reverse(row.count), row.fingerprint.clone()));
    if tally.other.count > 0 {
        statements.push(TempFileStatement {
            sql: OTHER.to_owned(),
            count: tally.other.count,
            bytes: tally.other.bytes,
            max_bytes: tally.other.max,
            ..TempFileStatement::default()
        });
    }
    let by_size = tally.powers.iter().enumerate().filter(|(_, sizes)| sizes.count > 0);
    let largest = tally.largest.iter().map(|file| TempFile {
        time: file.time,
        pid: file.pid,
        bytes: file.bytes,
        fingerprint: named(file.statement, texts).0,
    });
    TempFiles {
        count: tally.total.count,
        bytes: tally.total.bytes,
        max_bytes: tally.total.max,
        statements,
        by_hour: hour_bytes(&tally.hours),
        by_size: by_size
            .map(|(power, sizes)| TempFileSize {
                up_to_bytes: 1_u64.checked_shl(power as u32).unwrap_or(u64::MAX),
                count: sizes.count,
                bytes: sizes.bytes,
            })
            .collect(),
        largest: largest.collect(),
    }
}

/// Checkpoints and restartpoints.
pub(super) fn checkpoints(tally: CheckpointTally) -> Checkpoints {
    let sum = tally.sum;
    let [wal_added, wal_removed, wal_recycled] = sum.wal;
    Checkpoints {
        started: tally.started,
        completed: tally.completed,
        restartpoints_started: tally.restartpoints_started,
        restartpoints: tally.restartpoints,
        too_frequent: tally.too_frequent,
        causes: tally.causes,
        buffers: sum.buffers,
        slru_buffers: sum.slru_buffers,
        wal_added,
        wal_removed,
        wal_recycled,
        write_us: sum.write,
        sync_us: sum.sync,
        total_us: sum.total,
        max_us: tally.max,
        sync_files: sum.sync_files,
        longest_sync_us: tally.longest_sync,
        distance_bytes: sum.distance,
        max_distance_bytes: tally.max_distance,
        by_hour: hour_bytes(&tally.hours),
    }
}

/// Automatic vacuums and analyses.
pub(super) fn autovacuum(mut tally: Vacuums) -> Autovacuum {
    tally.finish();
    let mut tables: Vec<VacuumTable> =
        tally.tables.into_iter().map(|(_, table)| vacuum_table(&table)).collect();
    tables.sort_by_cached_key(|row| {
        let runs = row.vacuums + row.analyzes;
        (Reverse(row.duration_us), Reverse(runs), row.table.clone())
    });
    if tally.other != TableVacuums::default() {
        tables.push(VacuumTable { table: OTHER.to_owned(), ..vacuum_table(&tally.other) });
    }
    Autovacuum {
        vacuums: tables.iter().map(|row| row.vacuums).sum(),
        aggressive: tables.iter().map(|row| row.aggressive).sum(),
        analyzes: tables.iter().map(|row| row.analyzes).sum(),
        cancelled: tables.iter().map(|row| row.cancelled).sum(),
        duration_us: tables.iter().fold(Micros(0), |sum, row| sum + row.duration_us),
        by_hour: hour_loads(&tally.hours),
        tables,
    }
}

fn vacuum_table(table: &TableVacuums) -> VacuumTable {
    let sum = table.sum;
    let [pages_remain, tuples_remain, tuples_dead] = table.last.map(|(_, left)| left).unwrap_or_default();
    VacuumTable {
        table: lossy(&table.table),
        vacuums: table.vacuums,
        aggressive: table.aggressive,
        wraparound: table.wraparound,
        analyzes: table.analyzes,
        cancelled: table.cancelled,
        duration_us: sum.elapsed,
        max_us: table.max,
        cpu_us: sum.cpu,
        delay_us: sum.delay,
        read_us: sum.read,
        write_us: sum.write,
        index_scans: sum.index_scans,
        pages_removed: sum.pages_removed,
        pages_scanned: sum.pages_scanned,
        pages_remain,
        tuples_removed: sum.tuples_removed,
        tuples_frozen: sum.tuples_frozen,
        tuples_remain,
        tuples_dead,
        buffer_hits: sum.buffer_hits,
        buffer_misses: sum.buffer_misses,
        buffer_dirtied: sum.buffer_dirtied,
        wal_records: sum.wal_records,
        wal_images: sum.wal_images,
        wal_bytes: sum.wal_bytes,
    }
}

/// Connections and sessions; `first` is the time of the log's first entry, `totals` know whose the errors are.
pub(super) fn connections(
    mut tally: ConnectionTally,
    first: Option<Timestamp>,
    totals: &Totals,
) -> Connections {
    tally.finish();
    let most = tally.timeline.peak(first);
    let ended = tally.ended > 0;
    let mut quantile = |permille| {
        // A bucket's middle may lie beyond what was measured.
        tally.histogram.quantile(permille).map(|value| value.min(tally.max))
    };
    Connections {
        received: tally.received,
        authenticated: tally.authenticated,
        authorized: tally.authorized,
        encrypted: tally.encrypted,
        replication: tally.replication,
        ready: tally.ready,
        setup_us: tally.setup,
        disconnections: tally.ended,
        session_us: tally.session,
        session_p50_us: quantile(500),
        session_p99_us: quantile(990),
        session_max_us: ended.then_some(tally.max),
        concurrent: most.map_or(0, |(most, _)| most),
        concurrent_at: most.map(|(_, at)| at),
        peak: tally.seconds.peak(),
        by_hour: hour_loads(&tally.hours),
        users: sessions(tally.users, &totals.users, totals.errors),
        databases: sessions(tally.databases, &totals.databases, totals.errors),
        applications: sessions(tally.applications, &totals.applications, totals.errors),
        hosts: sessions(tally.hosts, &totals.hosts, totals.errors),
    }
}

/// Most time first, then connections, then name; a log that never names any has none. `actors` are those of the
/// statements and of all `errors`.
fn sessions(loads: NamedLoads, actors: &[Actor], errors: u64) -> Vec<Sessions> {
    // Where no prefix names anybody, nobody knows whose the errors are.
    let known = !actors.is_empty() || errors == 0;
    let errors: HashMap<&str, u64> = actors.iter().map(|actor| (actor.name.as_str(), actor.errors)).collect();
    let row = |name: String, load: SessionLoad| Sessions {
        errors: known.then(|| errors.get(name.as_str()).copied().unwrap_or(0)),
        name,
        calls: load.connections,
        ended: load.ended,
        duration_us: load.time,
    };
    let mut rows: Vec<Sessions> = loads
        .names
        .into_iter()
        .map(|(_, (name, load))| row(if name.is_empty() { NONE.to_owned() } else { lossy(&name) }, load))
        .collect();
    if rows.iter().all(|row| row.name == NONE) {
        rows.clear();
    }
    if loads.other != SessionLoad::default() {
        rows.push(row(OTHER.to_owned(), loads.other));
    }
    rows.sort_by(|a, b| (b.duration_us, b.calls, &a.name).cmp(&(a.duration_us, a.calls, &b.name)));
    rows
}
