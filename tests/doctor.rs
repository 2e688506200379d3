//! `pglens doctor` as a user runs it, on the fixtures.

#![expect(clippy::unwrap_used, reason = "a test without its files fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pglens::log::{Dialect, Hints};
use serde_json::Value;

#[test]
fn each_fixture_is_diagnosed_as_what_it_is() {
    // Log, question, verdict: out of each story's settings and README.
    let cases = [
        ("log_statement_only/log.stderr.log", "statements", "yes"),
        ("log_statement_only/log.stderr.log", "durations", "no"),
        ("log_duration_only/log.stderr.log", "statements", "no"),
        ("log_statement_and_min_duration/log.stderr.log", "statements", "yes"),
        ("sampled_transactions/log.stderr.log", "statements", "yes"),
        ("extended_parameters/log.stderr.log", "parameters", "yes"),
        ("connections/log.stderr.log", "connections", "yes"),
        ("lock_waits_and_deadlock/log.stderr.log", "lock waits", "yes"),
        ("log_statement_only/log.stderr.log", "lock waits", "unseen"),
        ("temp_files/log.stderr.log", "temporary files", "yes"),
        ("checkpoints_and_autovacuum/log.stderr.log", "autovacuum", "yes"),
        ("auto_explain_text/log.stderr.log", "plans", "yes"),
        ("handmade/amazon_rds/log.stderr.log", "milliseconds", "no"),
        ("handmade/amazon_rds/log.stderr.log", "applications", "no"),
        ("handmade/amazon_rds/log.stderr.log", "hosts", "yes"),
        ("demo/web_shop.log.gz", "users", "yes"),
        ("demo/web_shop.log.gz", "durations", "yes"),
        ("demo/web_shop.log.gz", "all statements", "yes"),
        ("demo/web_shop.log.gz", "SQLSTATE", "no"),
    ];
    let mut wrong = Vec::new();
    for (log, question, verdict) in cases {
        let output = doctor(&["-f", "json"], &fixture(log));
        let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
        let answers = diagnosis["answers"].as_array().unwrap();
        let answer = answers.iter().find(|it| it["question"] == question).unwrap();
        if answer["verdict"] != verdict || output.status.code() != Some(0) {
            wrong.push(format!("{log}: {answer}, {}", output.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_log_without_durations_gets_the_lines_that_bring_them() {
    let log = fixture("log_statement_only/log.stderr.log");
    let conf = text(&doctor(&[], &log));
    assert!(conf.contains("\nlog_min_duration_statement = 0\n"), "{conf}");
    let rds = text(&doctor(&["--rds"], &log));
    let line = "'ParameterName=log_min_duration_statement,ParameterValue=0,ApplyMethod=immediate'";
    assert!(rds.contains(line), "{rds}");
}

#[test]
fn a_file_that_is_no_log_is_told_what_was_seen() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shopping.txt");
    std::fs::write(&file, "bread\u{1b}[2J\nbutter\n").unwrap();
    let output = doctor(&[], &file);
    assert_eq!(output.status.code(), Some(3));
    let text = text(&output);
    assert!(text.contains("first line is: xxxxx") && text.contains("SHOW log_line_prefix"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains("bread"), "{text:?}");
}

#[test]
fn messages_in_german_are_told_to_become_english() {
    let text = text(&doctor(&[], &fixture("handmade/german/log.stderr.log")));
    assert!(text.contains("\nlc_messages = 'C'\n"), "{text}");
    // What else is missing shows when messages are understood.
    assert_eq!(text.matches(" = ").count(), 1, "{text}");
}

/// Whoever follows the advice need not say so.
#[test]
fn the_prefixes_that_are_advised_are_detected() {
    let log = fixture("log_duration_only/log.stderr.log");
    let diagnosis: Value = serde_json::from_slice(&doctor(&["-f", "json"], &log).stdout).unwrap();
    let settings = diagnosis["missing"].as_array().unwrap();
    let setting = settings.iter().find(|it| it["name"] == "log_line_prefix").unwrap();
    for prefix in [setting["value"].as_str().unwrap().trim_matches('\''), setting["rds"].as_str().unwrap()] {
        let line = |session: bool, text: &str| {
            let after_q = |name| if session { name } else { "" };
            let own = prefix.split_once("%q").filter(|_| !session).map_or(prefix, |(before, _)| before);
            let start =
                own.replace("%q", "").replace("%m", "2026-11-23 14:59:16.162 UTC").replace("%p", "360");
            let start =
                start.replace("%c", "6b045aed.168").replace("%v", after_q("3/42")).replace("%e", "00000");
            let start = start.replace("%Q", "0").replace("%u", after_q("app")).replace("%d", after_q("shop"));
            let start = start.replace("%a", after_q("web shop")).replace("%h", after_q("10.0.0.7"));
            let start = start.replace("%r", after_q("10.0.0.7(5100)")).replace("%x", "0").replace("%l", "3");
            format!("{}LOG:  {text}\n", start.replace("%s", "2026-11-23 14:59:00 UTC"))
        };
        let sample = [
            line(false, "database system is ready to accept connections"),
            line(true, "duration: 0.120 ms  statement: SELECT 1"),
            line(true, "duration: 0.130 ms  statement: SELECT 2"),
        ];
        let dialect = Dialect::detect(sample.concat().as_bytes(), &Hints::default()).unwrap();
        assert_eq!(dialect.prefix(), Some(prefix), "{}", sample.concat());
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn doctor(arguments: &[&str], log: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pglens")).arg("doctor").args(arguments).arg(log).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}
