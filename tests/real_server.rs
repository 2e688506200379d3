//! pglens against a PostgreSQL server that runs now: what it reads in the logs is what the server counted.
//!
//! Second sources are `pg_stat_statements` and a plain count of the jsonlog (`stage::truth`). Without a server
//! these tests fail and say so; `./test` installs one.

#![expect(clippy::unwrap_used, reason = "a test without its server fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use stage::truth::{calls_by_query_id, differences, statements_of};
use stage::{STORIES, Server, Truth, story};

mod run;

/// The most usual prefixes: Debian's, pgFouine's, pgBadger's, Amazon's, and those that other readers guess wrongly.
const PREFIXES: [&str; 17] = [
    "%m [%p] %q%u@%d ",
    "%t [%p]: [%l-1] ",
    "%t [%p]: [%l-1] user=%u,db=%d ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%m [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%m [%p] %q[user=%u,db=%d,app=%a] ",
    "%t:%r:%u@%d:[%p]:",
    "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
    "%c %m [%p] ",
    "%m [%p] ",
    "%m [%p:%l] %q%u@%d/%a ",
    "%n [%p]: user=%-10u db=%10d ",
    "%m %u@%d %p %r %a : ",
    "[%m] [%p] [%u@%d] ",
    "%p %m %d ",
    "<%m> %b %p ",
];

/// Prefixes that nobody needs to guess, but that must be read when they are given.
const PREFIXES_TO_GIVE: [&str; 2] = ["%m [%p] %e %Q %i %q%u@%d ", "%b|%v|%x|%s|%n|%P|%l %p %q%a=%r "];

#[test]
fn pgbench_in_three_protocols_agrees_with_pg_stat_statements() {
    // With the query id in the prefix, all formats have it.
    let prefix = "%m [%p] %q%u@%d %Q ";
    let server = Server::start(&[("log_line_prefix", prefix)]).unwrap();
    story::open_bench(&server).unwrap();
    // Empty from here on; the questions themselves are asked quietly and counted after they have been answered.
    let mut quiet = server.connect_quietly("postgres").unwrap();
    quiet.batch_execute("create extension pg_stat_statements").unwrap();
    quiet.batch_execute("select pg_stat_statements_reset()").unwrap();
    for protocol in ["simple", "extended", "prepared"] {
        story::pgbench(&server, protocol, 3, 50).unwrap();
    }
    let mut counted = calls_by_query_id(&mut quiet).unwrap();
    let logs = server.stop().unwrap();
    let truth = Truth::of_jsonlog(&logs.json).unwrap();
    // The reset counts itself.
    counted.retain(|id, _| truth.by_query_id.contains_key(id));
    let logged: BTreeMap<i64, u64> = truth.by_query_id.iter().map(|(id, load)| (*id, load.calls)).collect();
    assert_eq!(counted, logged, "the two second sources agree");

    for log in logs.all() {
        let report = run::report_with(log, &["--log-line-prefix", prefix]);
        let mut seen = BTreeMap::new();
        for statement in report["statements"].as_array().unwrap() {
            let ids: Vec<i64> = serde_json::from_value(statement["query_ids"].clone()).unwrap();
            seen.extend(ids.iter().map(|id| (*id, counted[id])));
            if statement["kind"] == json!("transaction") {
                // PostgreSQL 15 forgets the id of a prepared utility statement after its first execution, so
                // pg_stat_statements counts fewer of pgbench's BEGIN and END than were sent.
                continue;
            }
            let calls: u64 = ids.iter().map(|id| counted[id]).sum();
            let time: u64 = ids.iter().map(|id| truth.by_query_id[id].duration_us).sum();
            assert_eq!(statement["calls"], json!(calls), "{}: {statement}", log.display());
            assert_eq!(statement["duration_us"], json!(time), "{}: {statement}", log.display());
        }
        assert_eq!(seen, counted, "{}", log.display());
    }
}

#[test]
fn a_mixed_workload_agrees_with_its_jsonlog_in_every_format() {
    let logs = story::EVERYTHING.perform().and_then(Server::stop).unwrap();
    let truth = Truth::of_jsonlog(&logs.json).unwrap();
    assert!(truth.statements > 2000 && truth.errors > 40 && truth.deadlocks == 1, "{truth:#?}");
    agree(&truth.as_report(), &logs.all());
}

#[test]
fn every_story_played_anew_agrees_with_its_jsonlog_in_every_format() {
    for story in STORIES {
        let logs = story.perform().and_then(Server::stop).unwrap();
        agree(&Truth::of_jsonlog(&logs.json).unwrap().as_report(), &logs.all());
    }
}

#[test]
fn the_usual_prefixes_are_detected_and_others_can_be_given() {
    let server = story::open_shop(&[("log_connections", "on")]).unwrap();
    for (number, prefix) in PREFIXES.iter().chain(&PREFIXES_TO_GIVE).enumerate() {
        // The messages about a changed prefix may have the old or the new one: they go to a file of their own.
        reload_with(&server, "log_filename", &format!("between{number}"));
        reload_with(&server, "log_line_prefix", prefix);
        reload_with(&server, "log_filename", &format!("prefix{number}"));
        story::chat(&server).unwrap();
    }
    let logs = server.stop().unwrap();
    let mut complaints = Vec::new();
    for (number, prefix) in PREFIXES.iter().chain(&PREFIXES_TO_GIVE).enumerate() {
        let log = logs.json.with_file_name(format!("prefix{number}"));
        let truth = Truth::of_jsonlog(&log.with_extension("json")).unwrap();
        assert!(truth.statements > 10, "{prefix}: {truth:#?}");
        let mut expected = truth.as_report();
        for (escape, pointer) in [("%u", "/totals/users"), ("%d", "/totals/databases")] {
            if !prefix.contains(escape) {
                expected.remove(pointer);
            }
        }
        if number < PREFIXES.len() {
            let report = run::report(&log);
            let read_as = &report["input"]["prefix"];
            for difference in differences(&expected, &report) {
                complaints.push(format!("{prefix:?} read as {read_as}: {difference}"));
            }
        }
        let given = run::report_with(&log, &["--log-line-prefix", prefix]);
        for difference in differences(&expected, &given) {
            complaints.push(format!("{prefix:?} given: {difference}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Sets a parameter of the running server and waits until new sessions have it.
fn reload_with(server: &Server, parameter: &str, value: &str) {
    let mut quiet = server.connect_quietly("postgres").unwrap();
    quiet.batch_execute(&format!("alter system set {parameter} = '{value}'")).unwrap();
    quiet.batch_execute("select pg_reload_conf()").unwrap();
    let begun = Instant::now();
    let shown = || -> String {
        let mut quiet = server.connect_quietly("postgres").unwrap();
        quiet.query_one("select current_setting($1)", &[&parameter]).unwrap().get(0)
    };
    let log = server.directory().join("log").join(value);
    while shown() != value || parameter == "log_filename" && !log.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{parameter} stays {}", shown());
        sleep(Duration::from_millis(20));
    }
}

/// Each log of a run says what is expected, and all tell the same statements.
fn agree(expected: &Map<String, Value>, logs: &[&Path]) {
    let reports: Vec<Value> = logs.iter().map(|log| run::report(log)).collect();
    for (log, report) in logs.iter().zip(&reports) {
        let found = differences(expected, report);
        assert!(found.is_empty(), "{}:\n{}\n{}", log.display(), found.join("\n"), keep(log));
        assert_eq!(statements_of(report), statements_of(&reports[0]), "{}\n{}", log.display(), keep(log));
    }
}

/// Copies the logs of a failed run to where they survive it, and says where.
fn keep(log: &Path) -> String {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("failed");
    fs::create_dir_all(&kept).unwrap();
    for entry in fs::read_dir(log.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, kept.join(path.file_name().unwrap())).unwrap();
    }
    format!("the logs are in {}", kept.display())
}
