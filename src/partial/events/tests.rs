//! Any split and any order of merging give the counts of one pass.

use proptest::prelude::*;

use super::*;
use crate::log::{Entry, Part, Session, Severity, Who};
use crate::units::{ByteOffset, Timestamp};

/// Messages of every section, each with the severity it comes with.
const MESSAGES: &[(Severity, &str, &str, &str)] = &[
    (
        Severity::Log,
        "process 1 still waiting for ShareLock on transaction 8 after 100.5 ms",
        "Process holding the lock: 2. Wait queue: 1.",
        "while updating tuple (0,1) in relation \"t\"",
    ),
    (
        Severity::Log,
        "process 1 acquired ShareLock on transaction 8 after 200.5 ms",
        "",
        "while updating tuple (0,1) in relation \"t\"",
    ),
    (Severity::Log, "process 3 acquired ExclusiveLock on relation 5 of database 6 after 7 ms", "", ""),
    (
        Severity::Error,
        "deadlock detected",
        "Process 1 waits for ShareLock on transaction 8; blocked by process 2.",
        "",
    ),
    (Severity::Log, "temporary file: path \"a\", size 100", "", ""),
    (Severity::Log, "temporary file: path \"a\", size 5000", "", ""),
    (Severity::Log, "checkpoint starting: time", "", ""),
    (
        Severity::Log,
        "checkpoint complete: wrote 5 buffers (0.1%); 1 WAL file(s) added, 2 removed, 3 recycled; write=1.0 s, sync=0.5 s, total=2.0 s; sync files=4, longest=0.1 s, average=0.1 s; distance=7 kB, estimate=8 kB",
        "",
        "",
    ),
    (
        Severity::Log,
        "restartpoint complete: wrote 9 buffers (0.1%); 0 WAL file(s) added, 0 removed, 0 recycled; write=9.0 s, sync=0.5 s, total=9.5 s",
        "",
        "",
    ),
    (
        Severity::Log,
        "automatic vacuum of table \"d.s.t\": index scans: 1\npages: 1 removed, 2 remain\ntuples: 3 removed, 4 remain\nsystem usage: CPU 0.00s/0.01u sec elapsed 0.02 sec",
        "",
        "",
    ),
    (
        Severity::Log,
        "automatic aggressive vacuum of table \"d.s.u\": index scans: 0\npages: 0 removed, 9 remain",
        "",
        "",
    ),
    (
        Severity::Log,
        "automatic analyze of table \"d.s.t\" system usage: CPU 0.00s/0.01u sec elapsed 0.05 sec",
        "",
        "",
    ),
    (Severity::Error, "canceling autovacuum task", "", "automatic vacuum of table \"d.s.t\""),
    (Severity::Log, "connection received: host=10.0.0.1 port=5", "", ""),
    (Severity::Log, "connection authorized: user=u database=d application_name=a", "", ""),
    (
        Severity::Log,
        "disconnection: session time: 0:00:02.500 user=u database=d host=10.0.0.1 port=5",
        "",
        "",
    ),
    (Severity::Log, "parameter \"work_mem\" changed to \"8MB\"", "", ""),
    (Severity::Log, "parameter \"log_min_duration_sample\" changed to \"10\"", "", ""),
    (Severity::Error, "canceling statement due to statement timeout", "", ""),
    (Severity::Log, "all server processes terminated; reinitializing", "", ""),
];

fn add(events: &mut Events, which: usize, at: u64, statement: u64) {
    let (severity, message, detail, context) = MESSAGES[which];
    let entry = Entry {
        at: ByteOffset(at),
        len: 0,
        time: Some(Timestamp((at as i64 % 97) * 700_000_000)),
        session: Session::default(),
        who: Who::nobody(),
        origin: 0,
        part: Part::Record(severity),
        text: message.as_bytes(),
        fields: None,
    };
    let mut record = Record::new(&entry, severity);
    record.detail = detail.as_bytes();
    record.context = context.as_bytes();
    let event = ServerEvent::of(&record).expect("every message of the table is an event");
    let cause = (statement > 0).then_some(Fingerprint(statement));
    events.add(&record, event, (0, ByteOffset(at)), cause);
}

/// Everything that a report could show, in an order of its own.
fn shown(mut events: Events) -> String {
    events.locks.finish();
    events.temp_files.finish();
    events.vacuums.finish();
    events.connections.finish();
    events.notices.finish();
    fn sorted<V: std::fmt::Debug>(table: &Bounded<V>) -> Vec<(u64, String)> {
        let mut rows: Vec<_> = table.iter().map(|(hash, value)| (hash, format!("{value:?}"))).collect();
        rows.sort();
        rows
    }
    let Events { locks, temp_files, checkpoints, vacuums, mut connections, notices } = events;
    let notices_shown: Vec<String> = {
        let rows = notices.groups.iter().map(|(_, notice)| {
            let statements = sorted(&notice.statements);
            format!(
                "{:?} {} {} {:?} {:?} {statements:?}",
                notice.kind, notice.message, notice.count, notice.span, notice.example
            )
        });
        let mut rows: Vec<String> = rows.collect();
        rows.sort();
        rows
    };
    format!(
        "{:?} {} {:?} {:?} {:?} {:?}\n{:?} {:?} {:?} {:?} {:?}\n{checkpoints:?}\n{:?} {:?} {:?}\n{} {} {} {:?} {:?} {:?} {:?} {:?} {:?}\n{notices_shown:?} {:?} {}",
        locks.total,
        locks.deadlocks,
        sorted(&locks.objects),
        sorted(&locks.statements),
        sorted(&locks.sightings),
        locks.deadlock_examples,
        temp_files.total,
        sorted(&temp_files.statements),
        temp_files.hours,
        temp_files.powers,
        temp_files.largest,
        sorted(&vacuums.tables),
        vacuums.other,
        vacuums.hours,
        connections.received,
        connections.authorized,
        connections.ended,
        connections.session,
        connections.histogram.quantile(500),
        connections.hours,
        connections.seconds.peak(),
        sorted(&connections.hosts.names),
        connections.timeline.peak(None),
        notices.changes,
        notices.sampled,
    )
}

use crate::bounded::Bounded;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn merging_in_any_order_equals_one_pass(
        records in prop::collection::vec((0_usize..MESSAGES.len(), 0_u64..4, 0_usize..4), 0..120),
        order in Just([0_usize, 1, 2, 3]).prop_shuffle(),
    ) {
        let mut whole = Events::default();
        let mut parts: [Events; 4] = Default::default();
        for (at, (which, statement, part)) in records.iter().enumerate() {
            add(&mut whole, *which, at as u64, *statement);
            add(&mut parts[*part], *which, at as u64, *statement);
        }
        let mut merged = Events::default();
        for part in order {
            merged.merge(std::mem::take(&mut parts[part]));
        }
        prop_assert_eq!(shown(merged), shown(whole));
    }
}

#[test]
fn hand_counted() {
    let mut events = Events::default();
    for which in 0..MESSAGES.len() {
        add(&mut events, which, which as u64, 7);
    }
    assert_eq!(events.locks.total.waiting, 1);
    assert_eq!(events.locks.total.acquired, 2);
    assert_eq!(events.locks.total.waited.0, 207_500);
    assert_eq!(events.locks.deadlocks, 1);
    assert_eq!(events.temp_files.total, Sizes { count: 2, bytes: 5100, max: 5000 });
    // 100 is below 2^7, 5000 below 2^13.
    assert_eq!((events.temp_files.powers[7].count, events.temp_files.powers[13].count), (1, 1));
    assert_eq!(events.checkpoints.sum.buffers, 14);
    assert_eq!((events.checkpoints.completed, events.checkpoints.restartpoints), (1, 1));
    assert_eq!(events.checkpoints.max.0, 9_500_000);
    let table =
        events.vacuums.tables.iter().map(|(_, table)| table).find(|table| &*table.table == b"d.s.t").unwrap();
    assert_eq!((table.vacuums, table.analyzes, table.cancelled, table.sum.elapsed.0), (1, 1, 1, 70_000));
    assert_eq!(table.last.unwrap().1, [2, 4, 0]);
    assert_eq!(
        (events.connections.received, events.connections.authorized, events.connections.ended),
        (1, 1, 1)
    );
    assert_eq!(events.notices.changes.len(), 2);
    assert!(events.notices.sampled);
    // Two settings, a timeout, a crash, a cancelled autovacuum; the settings differ in name.
    assert_eq!(events.notices.groups.len(), 5);
}
