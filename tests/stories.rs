//! Every fixture under `fixtures/`, in each format it has, against its truth.
//!
//! The truth was counted without pglens (fixtures/README.md). Formats of one story must also agree among
//! themselves on every statement.

#![expect(clippy::unwrap_used, reason = "a test without its files fails")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use stage::truth::{differences, statements_of};

mod run;

#[test]
fn every_fixture_is_read_as_its_truth_says() {
    let mut complaints = Vec::new();
    for directory in stories() {
        let truth = truth_of(&directory);
        for log in logs_of(&directory) {
            let report = run::report(&log);
            for difference in differences(&truth, &report) {
                complaints.push(format!("{}: {difference}", log.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn statements_are_listed_by_the_tag_that_is_asked_for() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let line = |second: u32, tags: &str| {
        format!(
            "2026-11-28 10:00:{second:02}.000 UTC [11] u@d LOG:  duration: 1.000 ms  statement: SELECT a FROM t WHERE b = {second} /*{tags}*/\n"
        )
    };
    let lines =
        ["tenant='acme',route='/x'", "tenant='zeta',route='/x'", "tenant='acme',route='/y'", "route='/x'"];
    let text: String = (0..).zip(lines).map(|(second, tags)| line(second, tags)).collect();
    fs::write(log.path(), text).unwrap();
    let routes = |arguments: &[&str]| -> Vec<(String, u64)> {
        let report = run::report_with(log.path(), arguments);
        let routes = report["statements"][0]["routes"].as_array().unwrap().clone();
        let pair =
            |route: &Value| (route["name"].as_str().unwrap().to_owned(), route["calls"].as_u64().unwrap());
        routes.iter().map(pair).collect()
    };
    let pairs = |list: &[(&str, u64)]| -> Vec<(String, u64)> {
        list.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect()
    };
    assert_eq!(routes(&[]), pairs(&[("/x", 3), ("/y", 1)]));
    assert_eq!(routes(&["--tag", "tenant"]), pairs(&[("acme", 2), ("zeta", 1)]));
    assert_eq!(routes(&["--tag", "tenant", "--tag", "route=/x"]), pairs(&[("acme", 1), ("zeta", 1)]));
}

#[test]
fn all_formats_of_a_story_tell_the_same_statements() {
    for directory in stories() {
        let mut logs = logs_of(&directory).into_iter();
        let Some(first) = logs.next() else { continue };
        let expected = statements_of(&run::report(&first));
        for log in logs {
            assert_eq!(statements_of(&run::report(&log)), expected, "{} {}", first.display(), log.display());
        }
    }
}

#[test]
fn a_detected_prefix_reads_like_a_given_one() {
    let mut detected = 0;
    for log in stories().iter().flat_map(|it| logs_of(it)) {
        let report = run::report(&log);
        if let Some(prefix) = report["input"]["prefix"].as_str() {
            let given = run::report_with(&log, &["--log-line-prefix", prefix]);
            assert_eq!(statements_of(&report), statements_of(&given), "{} {prefix:?}", log.display());
            detected += 1;
        }
    }
    // Each story has a stderr log at least.
    assert!(detected >= stories().len() / 2, "a prefix was found in {detected} logs only");
}

/// The directories with a truth, sorted.
fn stories() -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = subdirectories(&fixtures);
    found.extend(subdirectories(&fixtures.join("handmade")));
    found.retain(|it| it.join("truth.json").exists());
    found.sort();
    assert!(found.len() > 30, "only {found:?}");
    found
}

fn subdirectories(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).filter(|it| it.is_dir()).collect()
}

fn logs_of(directory: &Path) -> Vec<PathBuf> {
    let mut logs: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|it| !it.ends_with("truth.json") && !it.ends_with("README.md"))
        .collect();
    logs.sort();
    logs
}

fn truth_of(directory: &Path) -> Map<String, Value> {
    let truth: Value = serde_json::from_slice(&fs::read(directory.join("truth.json")).unwrap()).unwrap();
    truth["report"].as_object().expect("truth.json has a report").clone()
}
