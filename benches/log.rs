//! How fast a log becomes entries, and entries become counts, on one core: bytes of the log per second.
//!
//! The same session in each format, made here: point reads by the simple protocol, and writes by the extended one with
//! their parameters. Every run asserts how many entries and calls there are, so that a fast wrong answer is no answer.

use std::hint::black_box;

use bumpalo::Bump;
use divan::Bencher;
use divan::counter::BytesCount;
use pglens::log::{Dialect, Entry, Hints, Sink, Skip, SkipReason};
use pglens::partial::{Scan, Tally};
use pglens::units::ByteOffset;

/// Rounds of a log; each is one call by the simple protocol and one by the extended one.
const ROUNDS: usize = 2000;

const FORMATS: [&str; 4] = ["stderr", "numbered", "csv", "json"];

fn main() {
    divan::main();
}

/// Bytes → entries.
#[divan::bench(args = FORMATS)]
fn entries(bencher: Bencher<'_, '_>, format: &str) {
    let log = log(format);
    let dialect = Dialect::detect(&log, &Hints::default()).expect("a log");
    // The line formats write DETAIL on a line of its own.
    let lines = if matches!(format, "csv" | "json") { 4 } else { 6 };
    bencher.counter(BytesCount::new(log.len())).bench(|| {
        let mut count = Count::default();
        dialect.reader().read(black_box(&log), ByteOffset(0), &Bump::new(), &mut count);
        assert_eq!((count.entries, count.bytes), (ROUNDS * lines, log.len()));
    });
}

/// Bytes → counts, without findings.
#[divan::bench(args = FORMATS)]
fn counts(bencher: Bencher<'_, '_>, format: &str) {
    let log = log(format);
    let dialect = Dialect::detect(&log, &Hints::default()).expect("a log");
    bencher.counter(BytesCount::new(log.len())).with_inputs(tally).bench_values(|mut tally| {
        let arena = Bump::new();
        let mut scan = Scan::new(black_box(&log), ByteOffset(0), &arena, SkipReason::CutStart, &mut tally);
        let lines = dialect.reader().read(&log, ByteOffset(0), &arena, &mut scan);
        let fragment = scan.close(lines);
        // The last record of a session is complete only when its next one comes.
        assert_eq!(tally.statements.calls(), 2 * ROUNDS as u64 - 2);
        assert_eq!(fragment.files[&0].entries, 4 * ROUNDS as u64);
        tally
    });
}

fn tally() -> Tally {
    let detect = pglens::finding::Detect { off: true, ..pglens::finding::Detect::default() };
    Tally::new(pglens::partial::review::Review::new(std::sync::Arc::new(detect)))
}

#[derive(Default)]
struct Count {
    entries: usize,
    bytes: usize,
}

impl<'a> Sink<'a> for Count {
    fn entry(&mut self, entry: Entry<'a>) {
        self.entries += 1;
        self.bytes += entry.len as usize;
    }

    fn skip(&mut self, skip: Skip) {
        self.bytes += skip.len as usize;
    }
}

fn log(format: &str) -> Vec<u8> {
    let mut log = String::new();
    for round in 0..ROUNDS {
        let select = format!("SELECT abalance FROM pgbench_accounts WHERE aid = {};", round * 37);
        let update = "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;";
        let params = format!("parameters: $1 = '{}', $2 = '{}'", round * 7, round * 37);
        let mut write = |session: usize, message: String, detail: &str| {
            log.push_str(&entry(format, round, session, &message, detail));
        };
        write(0, format!("duration: 0.{:03} ms  statement: {select}", round % 1000), "");
        write(1, format!("duration: 0.012 ms  parse <unnamed>: {update}"), "");
        write(1, format!("duration: 0.023 ms  bind <unnamed>: {update}"), &params);
        write(1, format!("duration: 0.1{:02} ms  execute <unnamed>: {update}", round % 100), &params);
    }
    log.into_bytes()
}

fn entry(format: &str, round: usize, session: usize, message: &str, detail: &str) -> String {
    let pid = 4700 + session;
    let time =
        format!("2026-11-23 14:{:02}:{:02}.{:03} UTC", round / 60_000 % 60, round / 1000 % 60, round % 1000);
    let prefix = match format {
        "stderr" => format!("{time} [{pid}] app@shop "),
        _ => format!("{time} [{pid}]: [{}-1] user=app,db=shop,app=web,client=10.0.0.7 ", round + 1),
    };
    match format {
        "csv" => format!(
            "{time},\"app\",\"shop\",{pid},\"10.0.0.7:5123{session}\",6b0455ba.{pid:x},{},\"SELECT\",\
             2026-11-23 14:00:00 UTC,3/{round},0,LOG,00000,\"{message}\",{},,,,,,,,\"web\",\"client backend\",,0\n",
            round + 1,
            if detail.is_empty() { String::new() } else { format!("\"{detail}\"") },
        ),
        "json" => format!(
            "{{\"timestamp\":\"{time}\",\"user\":\"app\",\"dbname\":\"shop\",\"pid\":{pid},\
             \"remote_host\":\"10.0.0.7\",\"remote_port\":5123{session},\"session_id\":\"6b0455ba.{pid:x}\",\
             \"line_num\":{},\"ps\":\"SELECT\",\"session_start\":\"2026-11-23 14:00:00 UTC\",\"vxid\":\"3/{round}\",\
             \"txid\":0,\"error_severity\":\"LOG\",\"message\":\"{message}\"{},\"application_name\":\"web\",\
             \"backend_type\":\"client backend\",\"query_id\":0}}\n",
            round + 1,
            if detail.is_empty() { String::new() } else { format!(",\"detail\":\"{detail}\"") },
        ),
        _ if detail.is_empty() => format!("{prefix}LOG:  {message}\n"),
        _ => format!("{prefix}LOG:  {message}\n{prefix}DETAIL:  {detail}\n"),
    }
}
