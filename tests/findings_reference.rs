//! The rules against a reference that is quadratic and obvious, on random histories of sessions, transactions, reads
//! and writes. The reference never sees a log: it judges the history; pglens reads the log that the history writes.

#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

mod common;

use std::collections::BTreeMap;

use common::{PREFIX, analyse, analyse_with, saved};
use pglens::config::Config;
use pglens::report::Report;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Begin,
    Commit,
    Rollback,
    /// ROLLBACK TO SAVEPOINT. That there is none does not matter to a log.
    Undo,
    /// SELECT … WHERE code = key: who updates by an `id` looks for nothing.
    Find(u8, u8),
    /// SELECT … of the whole table.
    List(u8),
    Insert(u8, u8),
    Update(u8, u8),
}

use Op::*;

impl Op {
    fn sql(self) -> String {
        match self {
            Begin => "BEGIN".to_owned(),
            Commit => "COMMIT".to_owned(),
            Rollback => "ROLLBACK".to_owned(),
            Undo => "ROLLBACK TO SAVEPOINT s".to_owned(),
            Find(table, key) => format!("SELECT v FROM t{table} WHERE code = {key}"),
            List(table) => format!("SELECT id FROM t{table} ORDER BY id"),
            Insert(table, key) => format!("INSERT INTO t{table} (code, v) VALUES ({key}, 0)"),
            Update(table, key) => format!("UPDATE t{table} SET v = 0 WHERE code = {key}"),
        }
    }

    /// What the statement is without its values.
    fn shape(self) -> String {
        match self {
            Find(table, _) => format!("find{table}"),
            List(table) => format!("list{table}"),
            Insert(table, _) => format!("insert{table}"),
            Update(table, _) => format!("update{table}"),
            Begin | Commit | Rollback | Undo => format!("{self:?}"),
        }
    }

    fn is_question(self) -> bool {
        matches!(self, Find(..) | List(_))
    }

    fn is_write(self) -> bool {
        matches!(self, Insert(..) | Update(..))
    }

    fn table(self) -> Option<u8> {
        match self {
            Find(table, _) | List(table) | Insert(table, _) | Update(table, _) => Some(table),
            Begin | Commit | Rollback | Undo => None,
        }
    }

    /// The row that it writes or looks for.
    fn row(self) -> Option<(u8, u8)> {
        match self {
            Find(table, key) | Insert(table, key) | Update(table, key) => Some((table, key)),
            _ => None,
        }
    }
}

/// A call: its session, when it began and ended in microseconds.
#[derive(Debug, Clone, Copy)]
struct Call {
    session: usize,
    begin: i64,
    end: i64,
    op: Op,
}

fn op() -> impl Strategy<Value = Op> {
    let table = || 0_u8..2;
    let key = || 0_u8..7;
    prop_oneof![
        2 => Just(Begin),
        2 => Just(Commit),
        1 => Just(Rollback),
        1 => Just(Undo),
        8 => (table(), key()).prop_map(|(table, key)| Find(table, key)),
        2 => table().prop_map(List),
        3 => (table(), key()).prop_map(|(table, key)| Insert(table, key)),
        2 => (table(), key()).prop_map(|(table, key)| Update(table, key)),
    ]
}

/// Runs of the same kind of call are what rules look for, so they are made on purpose.
fn piece() -> impl Strategy<Value = Vec<Op>> {
    prop_oneof![
        6 => op().prop_map(|op| vec![op]),
        1 => (0_u8..2, prop::collection::vec(0_u8..7, 4..9))
            .prop_map(|(table, keys)| keys.into_iter().map(|key| Find(table, key)).collect()),
        1 => (0_u8..2, 3_usize..8).prop_map(|(table, count)| vec![Insert(table, 1); count]),
        1 => (0_u8..2, 3_usize..8).prop_map(|(table, count)| vec![[Begin, Insert(table, 2), Commit]; count].concat()),
        1 => (0_u8..2, 0_u8..7, 2_u8..6).prop_map(|(table, key, count)| {
            (0..count).flat_map(|step| [Find(table, (key + step) % 7), List(1 - table)]).collect()
        }),
    ]
}

fn history() -> impl Strategy<Value = Vec<Call>> {
    let gap = prop_oneof![
        16 => 1_i64..20,
        4 => 200_i64..900,
        2 => 1100_i64..1300,
        2 => 2000_i64..9000,
        1 => 20_000_i64..150_000,
    ];
    prop::collection::vec((0_usize..3, piece(), gap), 1..40).prop_map(|pieces| {
        let mut calls = Vec::new();
        let mut busy = [0_i64; 3];
        // Half a minute in, so that histories cross full minutes.
        let mut clock = 1_795_442_430_000_000_i64;
        for (session, ops, gap) in pieces {
            clock += gap * 1000;
            for op in ops {
                let begin = clock.max(busy[session] + 1000);
                let end = begin + 1000;
                busy[session] = end;
                clock = clock.max(end);
                calls.push(Call { session, begin, end, op });
            }
        }
        calls.sort_by_key(|call| (call.end, call.session));
        calls
    })
}

/// Whole milliseconds, as the log has them.
fn log(calls: &[Call]) -> String {
    let line = |call: &Call| {
        let time = chrono::DateTime::from_timestamp_micros(call.end).unwrap();
        let pid = 100 + call.session;
        format!(
            "{} UTC [{pid}] u@db LOG:  duration: 1.000 ms  statement: {}\n",
            time.format("%Y-%m-%d %H:%M:%S%.3f"),
            call.op.sql()
        )
    };
    calls.iter().map(line).collect()
}

/// What one rule saves on one statement.
type Saved = BTreeMap<(&'static str, String), u64>;

struct Work {
    /// A transaction, or a burst.
    transaction: bool,
    fresh: bool,
    calls: Vec<usize>,
}

/// The units of one session's minute, and whether a transaction is open behind it. One may be `open` before it.
fn units(calls: &[Call], mut open: bool) -> (Vec<Work>, bool) {
    let mut units: Vec<Work> = Vec::new();
    for (place, call) in calls.iter().enumerate() {
        let silent = place > 0 && call.begin - calls[place - 1].end > 1_000_000;
        let clock = place > 0 && call.end / 10_000_000 != calls[place - 1].end / 10_000_000;
        let first = place == 0 && call.begin % 60_000_000 > 1_000_000;
        let closed = units.last().is_none_or(|unit| {
            let last = unit.calls.last().map(|last| calls[*last].op);
            matches!(last, Some(Commit | Rollback))
        });
        let in_transaction = open && !closed;
        if closed || call.op == Begin || (!in_transaction && (silent || clock)) {
            let after_call = closed || call.op == Begin;
            let fresh = first || (silent && !after_call);
            open = call.op == Begin || place == 0 && open;
            units.push(Work { transaction: open, fresh, calls: Vec::new() });
        }
        let unit = units.last_mut().unwrap();
        unit.calls.push(place);
        if matches!(call.op, Commit | Rollback) {
            // The rest of a transaction that began before the log.
            if units.len() == 1 {
                units[0].transaction = true;
            }
            open = false;
        }
    }
    (units, open)
}

/// Transactions in pieces, each ending with what undid it.
fn attempts(units: Vec<Work>, calls: &[Call]) -> Vec<Work> {
    let pieces = |unit: Work| {
        if !unit.transaction {
            return vec![unit];
        }
        let split = unit.calls.split_inclusive(|place| calls[*place].op == Undo);
        split.map(|piece| Work { calls: piece.to_vec(), ..unit }).collect()
    };
    units.into_iter().flat_map(pieces).collect()
}

fn reference(calls: &[Call]) -> Saved {
    let mut saved = Saved::new();
    for session in 0..3 {
        let own: Vec<Call> = calls.iter().copied().filter(|call| call.session == session).collect();
        let mut open = false;
        for minute in own.chunk_by(|a, b| a.end / 60_000_000 == b.end / 60_000_000) {
            open = judge(minute, open, &mut saved);
        }
    }
    saved.retain(|_, saved| *saved > 0);
    saved
}

/// Judges one minute of a session; whether a transaction is open behind it.
fn judge(calls: &[Call], open: bool, saved: &mut Saved) -> bool {
    let mut add = |rule, op: Op, count: u64| *saved.entry((rule, op.shape())).or_default() += count;
    let op = |place: usize| calls[place].op;
    let (units, open) = units(calls, open);
    for unit in attempts(units, calls) {
        let places = &unit.calls;
        for (index, &place) in places.iter().enumerate() {
            if !op(place).is_question() {
                continue;
            }
            // The last asking of the same, and nothing written to its table since.
            let near = if unit.transaction { 0 } else { index.saturating_sub(32) };
            let before = (near..index).rev().find(|before| op(places[*before]) == op(place));
            if let Some(before) = before {
                let written = places[before..index]
                    .iter()
                    .any(|p| op(*p) == Undo || op(*p).is_write() && op(*p).table() == op(place).table());
                add("redundant_select", op(place), u64::from(!written));
            }
        }
        let mut looked: Vec<usize> = Vec::new();
        for (index, &place) in places.iter().enumerate() {
            if !op(place).is_write() {
                continue;
            }
            let telling: Vec<usize> =
                places[..index].iter().copied().rev().filter(|p| op(*p).table().is_some()).collect();
            let reach = if matches!(op(place), Insert(..)) { 32 } else { 1 };
            for before in telling.into_iter().take(reach) {
                if matches!(op(before), Find(..)) && op(before).row() == op(place).row() {
                    looked.push(before);
                    break;
                }
                if op(before) == op(place) {
                    break;
                }
            }
        }
        looked.sort_unstable();
        looked.dedup();
        looked.iter().for_each(|place| add("check_then_write", op(*place), 1));
        let look = |place: usize| looked.contains(&place);
        if unit.transaction {
            for table in 0..2 {
                let finds: Vec<Op> = places
                    .iter()
                    .filter(|p| !look(**p))
                    .map(|p| op(*p))
                    .filter(|op| matches!(op, Find(t, _) if *t == table))
                    .collect();
                let inserts =
                    places.iter().filter(|p| matches!(op(**p), Insert(t, _) if t == table)).count() as u64;
                if finds.len() >= 5 && distinct(&finds) >= 5 {
                    add("n_plus_one", finds[0], finds.len() as u64 - 1);
                }
                if inserts >= 5 {
                    add("row_by_row_insert", Insert(table, 0), inserts - 1);
                }
            }
            let shapes: Vec<String> = places.iter().map(|p| op(*p).shape()).collect();
            let mut start = 0;
            while start < places.len() {
                start += sequence(places, &shapes, start, &op, &look, &mut add).unwrap_or(1);
            }
        } else {
            for run in runs(places, &op) {
                let ops: Vec<Op> = run.iter().map(|p| op(*p)).collect();
                let own: Vec<Op> = run.iter().filter(|p| !look(**p)).map(|p| op(*p)).collect();
                let first = places.iter().position(|p| *p == run[0]).unwrap();
                let led = first > 0 && op(places[first - 1]).is_question();
                let alone = first == 0 && unit.fresh && run.len() <= 25;
                let took = calls[*run.last().unwrap()].end - calls[run[0]].end;
                let close = took <= 250_000 * run.len() as i64;
                if matches!(ops[0], Find(..))
                    && ops.len() >= 5
                    && distinct(&own) >= 5
                    && (led || alone)
                    && close
                {
                    add("n_plus_one", ops[0], own.len() as u64 - 1);
                }
                if matches!(ops[0], Insert(..)) && ops.len() >= 5 {
                    add("row_by_row_insert", ops[0], ops.len() as u64 - 1);
                }
            }
        }
        for &place in places {
            if !matches!(op(place), Find(..)) {
                continue;
            }
            for before in (0..place).rev().take(32) {
                let recent = calls[place].begin - calls[before].end <= 5_000_000;
                let inside = before >= places[0];
                if !(recent || inside) || op(before) == op(place) || matches!(op(before), Rollback | Undo) {
                    break;
                }
                if op(before).is_write() && op(before).row() == op(place).row() {
                    add("read_back", op(place), 1);
                    break;
                }
            }
        }
    }
    pairs(calls, &mut add);
    open
}

fn distinct(ops: &[Op]) -> usize {
    (0..ops.len()).filter(|place| !ops[..*place].contains(&ops[*place])).count()
}

fn runs<'p>(places: &'p [usize], op: &impl Fn(usize) -> Op) -> Vec<&'p [usize]> {
    places.chunk_by(|a, b| op(*a).shape() == op(*b).shape()).collect()
}

/// A sequence of two to eight statements, three times in a row or more, from `start`: its length.
fn sequence(
    places: &[usize],
    shapes: &[String],
    start: usize,
    op: &impl Fn(usize) -> Op,
    look: &impl Fn(usize) -> bool,
    add: &mut impl FnMut(&'static str, Op, u64),
) -> Option<usize> {
    for length in 2..=8 {
        let mut times = 1;
        while start + (times + 1) * length <= shapes.len()
            && shapes[start..start + length] == shapes[start + times * length..start + (times + 1) * length]
        {
            times += 1;
        }
        if times < 3 || shapes[start..start + length].iter().all(|shape| *shape == shapes[start]) {
            continue;
        }
        let mut marked: Vec<Op> = Vec::new();
        for offset in 0..length {
            let ops: Vec<Op> = (0..times).map(|time| op(places[start + offset + time * length])).collect();
            let looks = (0..times).any(|time| look(places[start + offset + time * length]));
            let own = places.iter().filter(|p| !look(**p)).map(|p| op(*p));
            let all: Vec<Op> = own.filter(|other| other.shape() == ops[0].shape()).collect();
            let by_itself = all.len() >= 5 && distinct(&all) >= 5;
            if ops[0].is_question() && distinct(&ops) >= 3 && !looks && !by_itself {
                marked.push(ops[0]);
            }
        }
        if !marked.is_empty() {
            marked.into_iter().for_each(|op| add("n_plus_one", op, times as u64 - 1));
            return Some(length * times);
        }
    }
    None
}

/// BEGIN, INSERT, COMMIT, five times in a row or more.
fn pairs(calls: &[Call], add: &mut impl FnMut(&'static str, Op, u64)) {
    let pair = |place: usize| match calls
        .get(place..place + 3)?
        .iter()
        .map(|call| call.op)
        .collect::<Vec<_>>()[..]
    {
        [Begin, insert @ Insert(..), Commit] => Some(insert.shape()),
        _ => None,
    };
    let mut place = 0;
    while place < calls.len() {
        let Some(shape) = pair(place) else {
            place += 1;
            continue;
        };
        let mut count = 1;
        while pair(place + 3 * count).as_deref() == Some(&*shape)
            && calls[place + 3 * count].begin - calls[place + 3 * count - 1].end <= 1_000_000
        {
            count += 1;
        }
        if count >= 5 {
            add("row_by_row_insert", calls[place + 1].op, count as u64 - 1);
        }
        place += 3 * count;
    }
}

/// Transactions that wrote and were committed.
fn committed(calls: &[Call]) -> u64 {
    let mut commits = 0;
    for session in 0..3 {
        let own: Vec<Call> = calls.iter().copied().filter(|call| call.session == session).collect();
        let (mut open, mut wrote) = (false, false);
        for minute in own.chunk_by(|a, b| a.end / 60_000_000 == b.end / 60_000_000) {
            let (units, still_open) = units(minute, open);
            for unit in units {
                let ops: Vec<Op> = unit.calls.iter().map(|place| minute[*place].op).collect();
                let writes = ops.iter().filter(|op| op.is_write()).count() as u64;
                if !unit.transaction {
                    commits += writes;
                    continue;
                }
                wrote = writes > 0 || wrote && ops[0] != Begin;
                commits += u64::from(wrote && ops.last() == Some(&Commit));
                wrote &= !matches!(ops.last(), Some(Commit | Rollback));
            }
            open = still_open;
        }
    }
    commits
}

/// What pglens saves, under the reference's names.
fn found(log: &str) -> Saved {
    let rules = ["redundant_select", "n_plus_one", "row_by_row_insert", "check_then_write", "read_back"];
    let report = analyse(log, PREFIX);
    let mut found = Saved::new();
    for ((kind, sql), saved) in saved(&report) {
        let Some(rule) = rules.into_iter().find(|rule| *rule == kind) else { continue };
        let words: Vec<&str> = sql.split(' ').collect();
        let table = words.iter().find_map(|word| word.strip_prefix('t')?.parse::<u8>().ok()).unwrap();
        let name = match words[0] {
            "INSERT" => "insert",
            "UPDATE" => "update",
            _ if sql.contains("WHERE") => "find",
            _ => "list",
        };
        *found.entry((rule, format!("{name}{table}"))).or_default() += saved;
    }
    found.retain(|_, saved| *saved > 0);
    found
}

/// Requests of a history: of every call the one that it says it belongs to, if it says so. BEGIN and COMMIT say none.
fn requests() -> impl Strategy<Value = (Vec<Call>, Vec<Option<u8>>)> {
    // Requests go on for a few calls, on whichever sessions.
    let request = (prop::option::weighted(0.7, 0_u8..3), 1_usize..6);
    (history(), prop::collection::vec(request, 1..20)).prop_map(|(calls, requests)| {
        let mut turns =
            requests.iter().flat_map(|(request, count)| std::iter::repeat_n(*request, *count)).cycle();
        let tell = |call: &Call| turns.next().flatten().filter(|_| call.op.table().is_some());
        let told = calls.iter().map(tell).collect();
        (calls, told)
    })
}

/// The reads that may leave the primary, by pin time: outside of a transaction that writes, and later than that after
/// the last write of the same request, or else of what the session wrote for none, in the same minute.
fn free_reads(calls: &[Call], told: &[Option<u8>], pins: &[i64]) -> Vec<u64> {
    let mut held = vec![false; calls.len()];
    for session in 0..3 {
        let places: Vec<usize> = (0..calls.len()).filter(|place| calls[*place].session == session).collect();
        let (mut open, mut wrote) = (false, false);
        for minute in places.chunk_by(|a, b| calls[*a].end / 60_000_000 == calls[*b].end / 60_000_000) {
            let own: Vec<Call> = minute.iter().map(|place| calls[*place]).collect();
            let (units, still_open) = units(&own, open);
            for unit in units {
                let ops: Vec<Op> = unit.calls.iter().map(|place| own[*place].op).collect();
                wrote = ops.iter().any(|op| op.is_write()) || wrote && ops[0] != Begin;
                unit.calls.iter().for_each(|place| held[minute[*place]] = unit.transaction && wrote);
                wrote &= unit.transaction && !matches!(ops.last(), Some(Commit | Rollback));
            }
            open = still_open;
        }
    }
    let since = |place: usize| {
        let call = calls[place];
        let same = |earlier: &usize| {
            calls[*earlier].op.is_write()
                && calls[*earlier].end / 60_000_000 == call.end / 60_000_000
                && told[*earlier] == told[place]
                && (told[place].is_some() || calls[*earlier].session == call.session)
        };
        let wrote = (0..place).rev().find(same);
        wrote.map_or(i64::MAX, |wrote| (call.begin - calls[wrote].end).max(0))
    };
    let reads: Vec<usize> =
        (0..calls.len()).filter(|place| calls[*place].op.is_question() && !held[*place]).collect();
    pins.iter().map(|pin| reads.iter().filter(|place| since(**place) > *pin).count() as u64).collect()
}

fn log_of_requests(calls: &[Call], told: &[Option<u8>]) -> String {
    let plain = log(calls);
    let line = |(line, told): (&str, &Option<u8>)| match told {
        Some(request) => format!("{line} /*request_id='{request}'*/\n"),
        None => format!("{line}\n"),
    };
    plain.lines().zip(told).map(line).collect()
}

/// The reads that stay on the primary, by pin time from the curve, and with the configured one.
fn reads_left(log: &str, chunk: usize) -> (u64, Vec<u64>, u64) {
    let forecast = analyse_with(log, PREFIX, Config::default(), chunk).forecasts.unwrap().replica;
    let left = forecast.curves[0].points.iter().map(|point| point.1).collect();
    (forecast.before.calls, left, forecast.after.calls)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Requests that run through several sessions are held back by what they wrote anywhere.
    #[test]
    fn replica_reads_agree_with_the_reference((calls, told) in requests(), chunk in 200_usize..3000) {
        let log = log_of_requests(&calls, &told);
        let free = free_reads(&calls, &told, &[0, 1_000_000, 2_000_000, 5_000_000, 10_000_000]);
        let reads = calls.iter().filter(|call| call.op.is_question()).count() as u64;
        let left: Vec<u64> = free.iter().map(|free| reads - free).collect();
        for chunk in [chunk, 1 << 20] {
            let (all, found, configured) = reads_left(&log, chunk);
            prop_assert_eq!((all, &found, configured), (reads, &left, left[3]), "{}", log);
        }
    }

    #[test]
    fn rules_agree_with_the_reference(calls in history()) {
        prop_assert_eq!(found(&log(&calls)), reference(&calls), "{}", log(&calls));
    }

    /// Also of transactions that began minutes before.
    #[test]
    fn commits_agree_with_the_reference(calls in history()) {
        let report = analyse(&log(&calls), PREFIX);
        let commits = report.forecasts.unwrap().group_commit.numbers["commits"];
        prop_assert_eq!(commits, committed(&calls), "{}", log(&calls));
    }

    /// Calls are handed out to be judged where chunks end; in one piece, all at once.
    #[test]
    fn chunks_do_not_matter(calls in history(), chunk in 200_usize..3000) {
        let log = log(&calls);
        prop_assert_eq!(json(&log, chunk), json(&log, 1 << 20), "{}", log);
    }
}

fn json(log: &str, chunk: usize) -> String {
    serde_json::to_string(&analyse_with(log, PREFIX, Config::default(), chunk)).unwrap()
}

/// What goes beyond 32,768 calls of a session in one minute is judged second by second, wherever the log is cut.
#[test]
fn a_full_minute_is_judged_by_seconds_in_any_chunks() {
    let piece = |place: i64| match place % 40 {
        0 => Begin,
        35 => Commit,
        _ if place % 9 == 0 => Update(0, (place % 7) as u8),
        _ => Find((place % 2) as u8, (place / 3 % 7) as u8),
    };
    let call = |place: i64| {
        let begin = 1_795_442_400_000_000 + place * 1500;
        Call { session: 0, begin, end: begin + 1000, op: piece(place) }
    };
    let calls: Vec<Call> = (0..39_000).map(call).collect();
    let log = log(&calls);
    let report: Report = analyse_with(&log, PREFIX, Config::default(), 1 << 24);
    assert_eq!(report.judged.by_second, 39_000 - 32_768);
    assert_eq!(report.judged.unjudged, 0);
    let whole = serde_json::to_string(&report).unwrap();
    // The last ones end at any place of a transaction, and the calls that are too many begin in the middle of a chunk
    // and of ten seconds.
    for chunk in [1 << 14, 3_000_000].into_iter().chain((0..10).map(|more| 1_250_000 + more * 430)) {
        assert_eq!(json(&log, chunk), whole, "chunks of {chunk} bytes");
    }
}

/// Histories in which nothing is found would prove nothing.
#[test]
fn the_histories_have_something_of_each_rule() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeMap::new();
    for _ in 0..200 {
        let calls = history().new_tree(&mut runner).unwrap().current();
        for ((rule, _), _) in reference(&calls) {
            *seen.entry(rule).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(seen.values().all(|count| *count >= 10), "{seen:?}");
}
