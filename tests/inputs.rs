//! How a log is stored does not matter: plain or compressed, whole or rotated, by one worker or by several, read
//! whole or only where `--since` and `--until` can matter.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use pglens::analyze::{self, Settings};
use pglens::assemble::{self, Wishes};
use pglens::filter::Filter;
use pglens::input::{self, PlanOptions, Window};
use pglens::log::Hints;
use pglens::report::Report;
use pglens::units::{Micros, Timestamp};

/// 2026-11-23 00:00 UTC.
const MIDNIGHT: i64 = 1_795_392_000_000_000;
const HOUR: i64 = 3_600_000_000;

/// A day of four backends, whose statements and durations stand apart.
fn log() -> String {
    let mut log = String::new();
    for number in 0..40_000_u32 {
        let second = number * 2;
        let (pid, turn) = (number % 4, number / 4 % 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(log, "2026-11-23 {hour:02}:{minute:02}:{second:02}.000 UTC [{}] u{pid}@db ", 100 + pid)
            .unwrap();
        match (turn, number % 97) {
            (_, 0) => log.push_str("ERROR:  relation \"x\" does not exist\n"),
            (0, _) => writeln!(log, "LOG:  statement: SELECT a\n\tFROM t{} WHERE id = {number}", number % 7)
                .unwrap(),
            _ => writeln!(log, "LOG:  duration: {}.250 ms", number % 50).unwrap(),
        }
    }
    log
}

struct Case {
    jobs: usize,
    chunk: usize,
    window: Window,
    filter: Filter,
}

impl Default for Case {
    fn default() -> Self {
        Self { jobs: 1, chunk: 1 << 20, window: Window::default(), filter: Filter::default() }
    }
}

fn report(paths: &[&Path], case: Case) -> Report {
    let hints = Hints { prefix: Some("%m [%p] %q%u@%d ".to_owned()), ..Hints::default() };
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let plan = input::plan(&paths, &PlanOptions { hints: hints.clone(), window: case.window }).unwrap();
    let settings = Settings {
        jobs: case.jobs,
        chunk: case.chunk,
        hints,
        filter: Arc::new(case.filter),
        ..Settings::default()
    };
    assemble::report(analyze::analyze(plan.streams, &settings), &Wishes::default())
}

/// Everything but where it came from.
fn told(report: &Report) -> String {
    let mut report = report.clone();
    report.input.files.clear();
    report.input.notes.clear();
    report.input.skipped.clear();
    serde_json::to_string_pretty(&report).unwrap()
}

fn gzip(path: &Path, text: &str) {
    let mut encoder =
        flate2::write::GzEncoder::new(fs::File::create(path).unwrap(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap();
}

#[test]
fn rotated_compressed_and_read_by_several_workers() {
    let log = log();
    let directory = tempfile::tempdir().unwrap();
    let whole = directory.path().join("whole.log");
    fs::write(&whole, &log).unwrap();
    let expected = told(&report(&[&whole], Case::default()));
    let (plain, packed) = (directory.path().join("plain"), directory.path().join("packed"));
    fs::create_dir(&plain).unwrap();
    fs::create_dir(&packed).unwrap();
    let mut rest = &*log;
    for number in (0..8).rev() {
        let about = rest.len() / (number + 1);
        let cut = rest[about.min(rest.len())..].find("\n2026").map_or(rest.len(), |line| about + line + 1);
        let (piece, more) = if number == 0 { (rest, "") } else { rest.split_at(cut) };
        let name = if number == 0 { "pg.log".to_owned() } else { format!("pg.log.{number}") };
        fs::write(plain.join(&name), piece).unwrap();
        gzip(&packed.join(format!("{name}.gz")), piece);
        rest = more;
    }
    for directory in [&plain, &packed] {
        let one = report(&[directory], Case::default());
        assert_eq!(one.input.files.len(), 8);
        assert_eq!(told(&one), expected);
        for (jobs, chunk) in [(4, 1 << 20), (3, 64), (2, 5000)] {
            let other = report(&[directory], Case { jobs, chunk, ..Case::default() });
            assert_eq!(serde_json::to_string(&other).unwrap(), serde_json::to_string(&one).unwrap());
        }
    }
}

#[test]
fn the_last_hours_count_from_the_end_of_the_log() {
    let log = log();
    let directory = tempfile::tempdir().unwrap();
    let (plain, packed) = (directory.path().join("a.log"), directory.path().join("b.log.gz"));
    fs::write(&plain, &log).unwrap();
    gzip(&packed, &log);
    for path in [&plain, &packed] {
        let window = Window { last: Some(Micros(7_200_000_000)), ..Window::default() };
        let options = PlanOptions { window, ..PlanOptions::default() };
        let plan = input::plan(&[path.display().to_string()], &options).unwrap();
        assert_eq!(plan.window.since.unwrap().to_string(), "2026-11-23T20:13:18Z");
        assert_eq!(plan.window.last, None);
    }
    let options = PlanOptions {
        window: Window { last: Some(Micros(1)), ..Window::default() },
        ..PlanOptions::default()
    };
    let error = input::plan(&["-".to_owned()], &options).map(drop).unwrap_err().to_string();
    assert!(error.starts_with("-: --last counts from the end of the log"), "{error}");
}

#[test]
fn what_lies_outside_the_window_need_not_be_read() {
    let log = log();
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("pg.log.1"), directory.path().join("pg.log"));
    let cut = log.len() / 2 + log[log.len() / 2..].find("\n2026").unwrap() + 1;
    fs::write(&old, &log[..cut]).unwrap();
    fs::write(&new, &log[cut..]).unwrap();
    for (from, to) in [(3, 4), (11, 13), (0, 1), (15, 23), (7, 7)] {
        let (since, until) = (Some(Timestamp(MIDNIGHT + from * HOUR)), Some(Timestamp(MIDNIGHT + to * HOUR)));
        let filter = || Filter { since, until, ..Filter::default() };
        let all = report(&[&old, &new], Case { filter: filter(), ..Case::default() });
        // Statements and durations are a few hundred bytes apart here.
        let window = Window { since, until, last: None, reach: 4096 };
        let some = report(&[&old, &new], Case { filter: filter(), window, jobs: 2, ..Case::default() });
        assert!(
            some.input.bytes < all.input.bytes,
            "{from} to {to}: all {} bytes were read",
            all.input.bytes
        );
        assert!(from == to || some.totals.statements > 0);
        let (mut some, mut all) = (some, all);
        some.input = all.input.clone();
        all.input.files.clear();
        assert_eq!(told(&some), told(&all), "{from} to {to}");
    }
}
