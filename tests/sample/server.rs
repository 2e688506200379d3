//! What the sample's server said of itself.

use std::collections::BTreeMap;

use pglens::report::*;
use pglens::units::Micros;

use super::{APPLICATIONS, DATABASES, HOSTS, HOURS, SHAPE, USERS, actors, at};

pub fn locks(s: &[Statement]) -> Locks {
    Locks {
        waiting: 231,
        acquired: 224,
        waited_us: Micros(412_800_000),
        deadlocks: 4,
        by_object: vec![
            LockGroup {
                mode: "ShareLock".to_owned(),
                object: "transaction".to_owned(),
                waiting: 214,
                acquired: 207,
                waited_us: Micros(381_200_000),
                ..Default::default()
            },
            LockGroup {
                mode: "AccessExclusiveLock".to_owned(),
                object: "relation 16421 of database 16384".to_owned(),
                waiting: 17,
                acquired: 17,
                waited_us: Micros(31_600_000),
                ..Default::default()
            },
        ],
        statements: vec![LockStatement {
            fingerprint: s[15].fingerprint.clone(),
            sql: s[15].sql.clone(),
            waiting: 214,
            acquired: 207,
            waited_us: Micros(381_200_000),
            ..Default::default()
        }],
        deadlock_examples: vec![Deadlock {
            time: Some(at(41_204)),
            waits: vec![
                "Process 21410 waits for ShareLock on transaction 88124; blocked by process 21433."
                    .to_owned(),
                "Process 21433 waits for ShareLock on transaction 88122; blocked by process 21410."
                    .to_owned(),
            ],
            statements: vec![s[15].sql.clone(), s[5].sql.clone()],
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub fn temp_files(s: &[Statement]) -> TempFiles {
    TempFiles {
        count: 96,
        bytes: 8_412_004_352,
        max_bytes: 142_606_336,
        statements: vec![TempFileStatement {
            fingerprint: s[17].fingerprint.clone(),
            sql: s[17].sql.clone(),
            count: 96,
            bytes: 8_412_004_352,
            max_bytes: 142_606_336,
        }],
        by_hour: (0..HOURS)
            .map(|h| HourBytes { hour: at(h * 3600), count: 4, bytes: SHAPE[h as usize] * 8_412_004 })
            .collect(),
        ..Default::default()
    }
}

pub fn checkpoints() -> Checkpoints {
    Checkpoints {
        started: 291,
        completed: 291,
        restartpoints: 0,
        too_frequent: 2,
        causes: BTreeMap::from([("time".to_owned(), 284), ("wal".to_owned(), 7)]),
        buffers: 1_284_112,
        wal_added: 12,
        wal_removed: 40,
        wal_recycled: 612,
        write_us: Micros(38_204_000_000),
        sync_us: Micros(91_000_000),
        total_us: Micros(38_400_000_000),
        max_us: Micros(270_100_000),
        sync_files: 4_210,
        distance_bytes: 41_204_000_000,
        max_distance_bytes: 612_000_000,
        by_hour: (0..HOURS)
            .map(|h| HourBytes { hour: at(h * 3600), count: 12, bytes: SHAPE[h as usize] * 41_204_000 })
            .collect(),
        ..Default::default()
    }
}

pub fn autovacuum() -> Autovacuum {
    let table = |name: &str, vacuums: u64, analyzes: u64, seconds: u64| VacuumTable {
        table: format!("survey.public.{name}"),
        vacuums,
        aggressive: vacuums / 20,
        analyzes,
        duration_us: Micros(seconds * 1_000_000),
        index_scans: vacuums,
        pages_removed: 0,
        pages_remain: seconds * 400,
        tuples_removed: vacuums * 11_204,
        tuples_remain: seconds * 31_000,
        tuples_dead: vacuums * 12,
        buffer_hits: seconds * 4_000,
        buffer_misses: seconds * 120,
        buffer_dirtied: seconds * 60,
        wal_records: seconds * 900,
        wal_images: seconds * 8,
        wal_bytes: seconds * 102_400,
        ..Default::default()
    };
    Autovacuum {
        vacuums: 64,
        analyzes: 71,
        duration_us: Micros(342_000_000),
        tables: vec![
            table("respondents", 41, 44, 214),
            table("answers", 14, 18, 102),
            table("sessions", 9, 9, 26),
        ],
        ..Default::default()
    }
}

/// All sessions that ended, by name.
fn sessions(names: &[(&str, u64)], connections: u64) -> Vec<Sessions> {
    let ended = actors(names, 4_190, 1_204_000_000_000);
    let begun = actors(names, connections, 0);
    ended
        .into_iter()
        .zip(begun)
        .map(|(ended, begun)| Sessions {
            name: ended.name,
            calls: begun.calls,
            ended: ended.calls,
            duration_us: ended.duration_us,
            errors: Some(ended.errors),
        })
        .collect()
}

pub fn connections() -> Connections {
    Connections {
        received: 4_218,
        authorized: 4_216,
        disconnections: 4_190,
        session_us: Micros(1_204_000_000_000),
        session_p50_us: Some(Micros(184_000_000)),
        session_p99_us: Some(Micros(3_590_000_000)),
        session_max_us: Some(Micros(14_204_000_000)),
        concurrent: 61,
        concurrent_at: Some(at(37_842)),
        peak: Some(Peak { calls: 24, at: at(28_801) }),
        by_hour: (0..HOURS)
            .map(|h| HourLoad {
                hour: at(h * 3600),
                calls: SHAPE[h as usize] * 4,
                duration_us: Micros(SHAPE[h as usize] * 1_204_000_000),
            })
            .collect(),
        users: sessions(&USERS, 4_216),
        databases: sessions(&DATABASES, 4_216),
        applications: sessions(&APPLICATIONS, 4_216),
        hosts: sessions(&HOSTS, 4_218),
        ..Default::default()
    }
}

pub fn events() -> ServerEvents {
    let group = |kind: &str, message: &str, count: u64| ServerEventGroup {
        kind: kind.to_owned(),
        message: message.to_owned(),
        count,
        first: Some(at(11_000)),
        last: Some(at(72_000)),
        ..Default::default()
    };
    ServerEvents {
        groups: vec![
            group("parameter", "parameter \"work_mem\" changed to \"?\"", 1),
            group("replication", "terminating walsender process due to replication timeout", 2),
            group("timeout", "canceling statement due to statement timeout", 3),
        ],
        warnings: 12,
        other: 48,
        ..Default::default()
    }
}
