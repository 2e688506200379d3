//! What only a session knows. Its calls are judged minute by minute; a transaction goes on over the end of one, and
//! what is open there is known in the next, however the log is cut. And it knows of transactions that no trace names.

#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

mod common;

use common::{PREFIX, analyse_with};
use pglens::config::Config;
use pglens::report::Report;

/// `MM:SS STATEMENT`, each 0.2 ms, of one session; `ERROR` stands for a failure.
fn log(lines: &str) -> String {
    let line = |line: &str| {
        let (time, sql) = line.split_once(' ').unwrap();
        let head = format!("2026-11-23 14:{time}.000 UTC [7] app@shop ");
        match sql {
            "ERROR" => format!("{head}ERROR:  division by zero\n{head}STATEMENT:  SELECT 1/0\n"),
            _ => format!("{head}LOG:  duration: 0.200 ms  statement: {sql}\n"),
        }
    };
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(line).collect()
}

/// The report of a log, which is the same for every cut.
fn report(lines: &str) -> Report {
    let log = log(lines);
    let whole = analyse_with(&log, PREFIX, Config::default(), 1 << 20);
    for chunk in [1, 64, 150, 400, 1000] {
        let pieces = analyse_with(&log, PREFIX, Config::default(), chunk);
        assert!(pieces == whole, "chunks of {chunk}: {:?} {:?}", pieces.findings, whole.findings);
    }
    whole
}

fn commits(report: &Report) -> u64 {
    report.forecasts.as_ref().unwrap().group_commit.numbers["commits"]
}

/// Units by kind: name, units, calls.
fn units(report: &Report) -> Vec<(&str, u64, u64)> {
    let loads = report.judged.units.iter().map(|load| (load.kind.as_str(), load.units, load.calls));
    loads.filter(|load| load.1 > 0).collect()
}

#[test]
fn what_a_transaction_writes_in_one_minute_is_committed_in_another() {
    let report = report(
        "00:58 BEGIN
         00:59 INSERT INTO a (x, y) VALUES (0, 1)
         01:02 INSERT INTO a (x, y) VALUES (0, 2)
         01:05 INSERT INTO a (x, y) VALUES (0, 3)
         02:08 SELECT v FROM b WHERE id = 3
         02:11 COMMIT",
    );
    assert_eq!(commits(&report), 1);
    assert_eq!(units(&report), [("transaction", 3, 6)]);
    // 00:58–00:59 is a second, no more than is allowed; the last one is that before COMMIT.
    let idle = report.findings.iter().filter(|finding| finding.kind == "idle_in_transaction");
    let gaps: u64 = idle.map(|finding| finding.evidence.numbers["gaps"]).sum();
    assert_eq!(gaps, 4);
    // The question belongs to a transaction that has written.
    assert!(report.findings.iter().all(|finding| finding.kind != "replica_reads"));
}

#[test]
fn a_transaction_without_writes_in_its_last_minute_commits_what_it_wrote() {
    let report = report(
        "00:58 BEGIN
         00:59 INSERT INTO a (x) VALUES (1)
         01:30 COMMIT
         01:31 INSERT INTO a (x) VALUES (2)",
    );
    assert_eq!(commits(&report), 2);
    assert_eq!(units(&report), [("transaction", 2, 3), ("burst", 1, 1)]);
}

#[test]
fn a_failure_in_one_minute_undoes_the_commit_of_another() {
    let failed = report(
        "00:57 BEGIN
         00:58 INSERT INTO a (x) VALUES (1)
         00:59 ERROR
         01:01 COMMIT",
    );
    assert_eq!(commits(&failed), 0);
    let saved = report(
        "00:56 BEGIN
         00:57 INSERT INTO a (x) VALUES (1)
         00:58 SAVEPOINT s
         00:59 ERROR
         01:01 ROLLBACK TO SAVEPOINT s
         02:01 COMMIT",
    );
    assert_eq!(commits(&saved), 1);
}

#[test]
fn what_comes_after_the_commit_is_no_transaction() {
    let report = report(
        "00:58 BEGIN
         00:59 UPDATE a SET x = 1 WHERE id = 1
         01:01 COMMIT
         02:01 UPDATE a SET x = 1 WHERE id = 2
         03:01 UPDATE a SET x = 1 WHERE id = 3",
    );
    assert_eq!(commits(&report), 3);
    assert_eq!(units(&report), [("transaction", 2, 3), ("burst", 2, 2)]);
}

#[test]
fn autocommitted_calls_over_many_minutes_wait_for_what_was_before() {
    let calls: String =
        (0..30).map(|minute| format!("{minute:02}:01 UPDATE a SET x = 1 WHERE id = 1\n")).collect();
    let report = report(&calls);
    assert_eq!(commits(&report), 30);
    assert_eq!(units(&report), [("burst", 30, 30)]);
}

#[test]
fn a_batch_job_of_some_minutes_is_one_transaction() {
    let inserts: String = (0..100)
        .map(|row| format!("{:02}:{:02} INSERT INTO a (x) VALUES ({row})\n", row * 2 / 60, row * 2 % 60))
        .collect();
    let report = report(&format!("00:00 BEGIN\n{inserts}03:20 COMMIT\n"));
    assert_eq!(commits(&report), 1);
    // 30, 30, 30 and 10 rows: four pieces of one transaction, in which nothing else would be committed.
    let rows = report.findings.iter().find(|finding| finding.kind == "row_by_row_insert").unwrap();
    assert_eq!((rows.evidence.numbers["rows"], rows.evidence.numbers["commits_saved"]), (100, 0));
    let combined = &report.forecasts.as_ref().unwrap().combined.numbers;
    assert_eq!((combined["transaction_before"], combined["transaction_after"]), (2, 2));
}

/// INSERTs of one request, as drivers send them that tag statements but no BEGIN and COMMIT.
fn tagged(rows: std::ops::Range<u32>) -> String {
    rows.map(|row| format!("00:01 INSERT INTO a (x) VALUES ({row}) /*request_id='r1'*/\n")).collect()
}

#[test]
fn a_request_in_a_transaction_without_tags_is_committed_once() {
    let report = report(&format!("00:01 BEGIN\n{}00:01 COMMIT", tagged(0..10)));
    let rows = report.findings.iter().find(|finding| finding.kind == "row_by_row_insert").unwrap();
    assert_eq!((rows.evidence.numbers["rows"], rows.evidence.numbers["commits_saved"]), (10, 0));
    let forecasts = report.forecasts.as_ref().unwrap();
    let batching = &forecasts.batching.numbers;
    assert_eq!((batching["commits_before"], batching["commits_after"]), (1, 1));
    let combined = &forecasts.combined.numbers;
    assert_eq!((combined["transaction_before"], combined["transaction_after"]), (2, 2));
}

#[test]
fn a_request_without_a_transaction_commits_each_row() {
    let report = report(&tagged(0..10));
    let rows = report.findings.iter().find(|finding| finding.kind == "row_by_row_insert").unwrap();
    assert_eq!(rows.evidence.numbers["commits_saved"], 9);
    let batching = &report.forecasts.as_ref().unwrap().batching.numbers;
    assert_eq!((batching["commits_before"], batching["commits_after"]), (10, 1));
}

#[test]
fn rows_that_are_fetched_later_are_time_of_their_statement_in_either_form() {
    let head = |second: u32| format!("2026-11-23 14:00:0{second}.000 UTC [7] app@shop LOG:  ");
    let apart = [
        format!("{}execute S_1/C_1: SELECT * FROM big\n{}duration: 1.000 ms\n", head(1), head(2)),
        format!(
            "{}execute fetch from S_1/C_1: SELECT * FROM big\n{}duration: 5000.000 ms\n",
            head(3),
            head(8)
        ),
    ];
    let together = [
        format!("{}duration: 1.000 ms  execute S_1/C_1: SELECT * FROM big\n", head(2)),
        format!("{}duration: 5000.000 ms  execute fetch from S_1/C_1: SELECT * FROM big\n", head(8)),
    ];
    for log in [apart.concat(), together.concat()] {
        for chunk in [1, 100, 1 << 20] {
            let report = analyse_with(&log, PREFIX, Config::default(), chunk);
            let totals = &report.totals;
            assert_eq!((totals.statements, totals.duration_us.0), (1, 5_001_000), "{log}");
            assert_eq!((totals.unidentified.calls, report.server.other), (0, 0), "{log}");
            assert_eq!((totals.by_hour[0].all.calls, totals.by_hour[0].all.duration_us.0), (1, 5_001_000));
            assert_eq!((totals.users[0].calls, totals.users[0].duration_us.0), (1, 5_001_000));
            assert_eq!(report.statements[0].duration_us.0, 5_001_000);
        }
    }
}

#[test]
fn a_call_is_counted_in_one_unit() {
    let tagged = report(
        "00:01 SELECT v FROM a WHERE id = 1 /*request_id='a'*/
         00:02 SELECT v FROM a WHERE id = 2 /*request_id='a'*/
         00:11 SELECT v FROM a WHERE id = 3 /*request_id='b'*/
         00:12 SELECT v FROM a WHERE id = 4 /*request_id='b'*/",
    );
    assert_eq!(units(&tagged), [("request", 2, 4)]);
    assert_eq!(tagged.judged.cut_by_clock, 0);
    // Of what is half tagged the session has the rest: BEGIN and COMMIT, and a burst of one call, which ends at 00:10.
    let mixed = report(
        "00:01 BEGIN
         00:02 SELECT v FROM a WHERE id = 1 /*request_id='a'*/
         00:03 COMMIT
         00:08 SELECT v FROM a WHERE id = 2 /*request_id='a'*/
         00:09 SELECT v FROM a WHERE id = 3
         00:10 SELECT v FROM a WHERE id = 4 /*request_id='b'*/
         00:11 SELECT v FROM a WHERE id = 5 /*request_id='b'*/",
    );
    assert_eq!(units(&mixed), [("request", 2, 4), ("transaction", 1, 2), ("burst", 1, 1)]);
    assert_eq!(mixed.judged.cut_by_clock, 1);
}
