//! The examples of docs/findings.md are the tests of the rules.

#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

mod common;

use common::{PREFIX, analyse_with};
use pglens::config::Config;

/// The fenced blocks of a page whose info string begins with a word: the rest of that line, and the text.
fn blocks<'p>(page: &'p str, word: &str) -> Vec<(&'p str, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text: String =
            lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        if let Some(rest) = info.strip_prefix(word) {
            blocks.push((rest.trim(), text));
        }
    }
    blocks
}

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/findings.md")).unwrap()
}

#[test]
fn each_example_finds_what_it_says() {
    let page = page();
    let examples = blocks(&page, "log");
    assert!(examples.len() >= 20, "{}", examples.len());
    for (says, log) in examples {
        // Whole, and cut after every line or so.
        for chunk in [1 << 20, 1] {
            let report = analyse_with(&log, PREFIX, Config::default(), chunk);
            let found: Vec<(&str, u64)> =
                report.findings.iter().map(|found| (found.kind.as_str(), found.cost.statements)).collect();
            if let Some(expected) = says.strip_prefix("finds=") {
                let (rule, saved) = expected.split_once(':').unwrap();
                let saved: u64 = saved.parse().unwrap();
                let own: Vec<u64> =
                    found.iter().filter(|found| found.0 == rule).map(|found| found.1).collect();
                assert_eq!(own.iter().sum::<u64>(), saved, "{says}\n{log}\n{found:?}");
                assert!(!own.is_empty(), "{says}\n{log}\n{found:?}");
            } else {
                let rule = says.strip_prefix("not=").unwrap();
                assert!(found.iter().all(|found| found.0 != rule), "{says}\n{log}\n{found:?}");
            }
        }
    }
}

#[test]
fn the_configuration_shown_is_the_default() {
    let page = page();
    let (_, text) = blocks(&page, "toml").pop().unwrap();
    let config = Config::parse(&text).unwrap();
    let mut default = Config::default().detect;
    default.writing_functions = config.detect.writing_functions.clone();
    assert_eq!(config.detect, default);
    assert_eq!(config.ignores.len(), 1);
}

#[test]
fn what_is_left_out_is_listed() {
    let page = page();
    let (_, log) = blocks(&page, "log not=redundant_select").pop().unwrap();
    let report = analyse_with(&log, PREFIX, Config::default(), 1 << 20);
    let left_out: Vec<(&str, &str)> =
        report.judged.suppressed.iter().map(|out| (out.kind.as_str(), out.by.as_str())).collect();
    assert_eq!(left_out, [("redundant_select", "query comment")]);

    // Rules about the whole log: one comment speaks for its statement.
    let (_, log) = blocks(&page, "log finds=cacheable_select").pop().unwrap();
    let log = log.replacen("'theme'", "'theme' /* pglens_ignore='cacheable_select' */", 1);
    let report = analyse_with(&log, PREFIX, Config::default(), 1);
    assert!(report.findings.iter().all(|finding| finding.kind != "cacheable_select"));
    let left_out: Vec<(&str, u64)> =
        report.judged.suppressed.iter().map(|out| (out.kind.as_str(), out.calls)).collect();
    assert_eq!(left_out, [("cacheable_select", 4)]);

    let (_, log) = blocks(&page, "log finds=replica_reads").pop().unwrap();
    let log = log.replace("id = 1", "id = 1 /* pglens_ignore='replica_reads' */");
    let report = analyse_with(&log, PREFIX, Config::default(), 1);
    assert!(report.findings.iter().all(|finding| finding.kind != "replica_reads"));
    assert_eq!(report.judged.suppressed.iter().map(|out| out.calls).collect::<Vec<_>>(), [1]);

    let (_, log) = blocks(&page, "log finds=read_back").pop().unwrap();
    let text = "schema = 1\n[[ignore]]\nkind = \"read-back\"\ntable = \"account\"\nreason = \"ledger\"\n";
    let report = analyse_with(&log, PREFIX, Config::parse(text).unwrap(), 1 << 20);
    assert!(report.findings.iter().all(|finding| finding.kind != "read_back"));
    assert_eq!(report.judged.suppressed[0].reason, "ledger");
}

#[test]
fn the_page_about_json_has_the_names_of_all_numbers() {
    let names = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md")).unwrap();
    let page = page();
    for (says, log) in blocks(&page, "log") {
        let report = analyse_with(&log, PREFIX, Config::default(), 1 << 20);
        let forecasts = report.forecasts.unwrap();
        // Numbers of `combined` are named after kinds of statements.
        let models = [
            &forecasts.cache,
            &forecasts.write_through,
            &forecasts.request_cache,
            &forecasts.replica,
            &forecasts.batching,
            &forecasts.prefetch,
            &forecasts.group_commit,
        ];
        let found = report.findings.iter().map(|finding| &finding.evidence.numbers);
        for name in found.chain(models.map(|model| &model.numbers)).flat_map(|numbers| numbers.keys()) {
            assert!(names.contains(&format!("`{name}`")), "{name} ({says})");
        }
    }
}
