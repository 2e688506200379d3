//! The proof on the reference application: what pglens finds in the log of its naive profile is what is planted
//! there, what it forecasts from that log alone is what the tuned profile then sends.
//!
//! Both programs are run as a user would. Expected numbers are arithmetic over respondents, pages and questions, and
//! the application's own `counters.json`. Without the servers that survey-app needs these tests fail and say so.

#![expect(clippy::unwrap_used, reason = "a test without its servers fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

mod run;

/// Respondents.
const S: u64 = 10;
/// Pages.
const P: u64 = 5;
/// Questions of each page.
const QUESTIONS: [u64; P as usize] = [5, 4, 6, 5, 4];

/// Questions of all pages.
fn q() -> u64 {
    QUESTIONS.iter().sum()
}

/// Statements that an N+1 or a batch of at least five saves on all pages.
fn beyond_the_first() -> u64 {
    QUESTIONS.iter().filter(|questions| **questions >= 5).map(|questions| questions - 1).sum()
}

/// The newest file below a directory.
fn newest(dir: &Path) -> SystemTime {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let times = entries.map(|path| match path.is_dir() {
        true => newest(&path),
        false => path.metadata().unwrap().modified().unwrap(),
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The reference application: beside the binary under test, built when it is not there or old. `cargo test
/// --workspace` has built it already.
fn survey_app() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_pglens")).with_file_name("survey-app");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("survey-app/src");
    let built = path.metadata().and_then(|file| file.modified()).ok();
    if built.is_none_or(|built| built < newest(&source)) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "survey-app"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success());
    }
    path
}

/// One run of the application.
struct Run {
    dir: tempfile::TempDir,
    counters: Value,
    /// Of the primary alone.
    primary: Value,
    /// Of both servers together.
    both: Value,
}

impl Run {
    fn of(profile: &str) -> Self {
        let app = survey_app();
        // A unit of work ends at a full minute; a run of some seconds that no minute cuts has the exact numbers.
        for _ in 0..3 {
            let dir = tempfile::tempdir().unwrap();
            let (users, pages) = (S.to_string(), P.to_string());
            let output = Command::new(&app)
                .args(["run", "--profile", profile, "--users", &users, "--pages", &pages, "--logs"])
                .arg(dir.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let counters = std::fs::read(dir.path().join("counters.json")).unwrap();
            let (primary, replica) = (dir.path().join("primary.log"), dir.path().join("replica.log"));
            let run = Self {
                counters: serde_json::from_slice(&counters).unwrap(),
                both: run::report_with(&primary, &[&replica]),
                primary: run::report(&primary),
                dir,
            };
            let minute = |name: &str| run.primary["totals"][name].as_str().unwrap()[..16].to_owned();
            if minute("first") == minute("last") {
                return run;
            }
        }
        panic!("three runs of some seconds were all cut by a full minute");
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

fn rows(report: &Value) -> &Vec<Value> {
    report["statements"].as_array().unwrap()
}

fn sql<'r>(report: &'r Value, fingerprint: &Value) -> &'r str {
    rows(report)
        .iter()
        .find(|row| row["fingerprint"] == *fingerprint)
        .map_or("", |row| row["sql"].as_str().unwrap())
}

/// Statements saved by the findings of a rule, those folded away included, by statement.
fn saved<'r>(report: &'r Value, rule: &str) -> BTreeMap<&'r str, u64> {
    let mut saved = BTreeMap::new();
    for finding in report["findings"].as_array().unwrap().iter().filter(|finding| finding["kind"] == rule) {
        *saved.entry(sql(report, &finding["fingerprint"])).or_default() +=
            number(&finding["cost"]["statements"]);
    }
    saved
}

/// The findings that are shown, by rule; what prepares the run is the same in every profile, and left out.
fn shown(report: &Value) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut shown: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for finding in report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["minor"] == false && finding["route"] != "seed")
    {
        shown
            .entry(finding["kind"].as_str().unwrap())
            .or_default()
            .insert(sql(report, &finding["fingerprint"]));
    }
    shown
}

/// The statement that holds all of these words.
fn with<'m, V>(map: &'m BTreeMap<&str, V>, words: &[&str]) -> &'m V {
    let found: Vec<(&&str, &V)> =
        map.iter().filter(|(sql, _)| words.iter().all(|word| sql.contains(word))).collect();
    let keys: Vec<_> = map.keys().collect();
    assert_eq!(found.len(), 1, "{words:?} in {keys:#?}");
    found[0].1
}

/// Reports and the application's own counters agree, kind by kind and server by server.
fn agrees(run: &Run) {
    let replica = run.dir.path().join("replica.log");
    for (server, report) in [("primary", run.primary.clone()), ("replica", run::report(&replica))] {
        let own = run.counters["totals"][server].as_object().unwrap();
        for (kind, load) in report["totals"]["by_kind"].as_object().unwrap() {
            assert_eq!(number(&load["calls"]), own.get(kind).map_or(0, number), "{server} {kind}");
        }
    }
}

#[test]
fn the_naive_log_shows_what_is_planted_and_forecasts_what_the_tuned_one_shows() {
    let (naive, tuned) = (Run::of("naive"), Run::of("tuned"));
    agrees(&naive);
    agrees(&tuned);
    planted(&naive.primary);
    cured(&tuned.primary);
    cured(&tuned.both);
    forecast(&naive.primary, &tuned.both);
}

/// What survey-app plants, by rule and statement, each as often as arithmetic says.
fn planted(report: &Value) {
    let one = |rule: &str, words: &[&str]| *with(&saved(report, rule), words);
    // Two views ask for the choices of each question.
    assert_eq!(one("n_plus_one", &["FROM answer_choice"]), 2 * S * beyond_the_first());
    // The frame reads its session and its respondent twice.
    assert_eq!(one("redundant_select", &["FROM response_session WHERE id"]), S);
    assert_eq!(one("redundant_select", &["FROM respondent WHERE id"]), S);
    // Each save reads its answers and its session back.
    assert_eq!(one("read_back", &["FROM response_item WHERE session_id", "page_id"]), S * P);
    // Where the pool hands the next request the same backend, that one reads back too.
    assert!(one("read_back", &["FROM response_session WHERE id"]) >= S * P);
    assert_eq!(one("row_by_row_insert", &["INTO response_item"]), S * beyond_the_first());
    // Each old answer and each old session is looked for before it is written.
    assert_eq!(
        one("check_then_write", &["FROM response_item WHERE session_id", "AND question_id = ?"]),
        S * q()
    );
    assert_eq!(one("check_then_write", &["FROM response_session WHERE respondent_id"]), S);
    // Everything but what a save asks after its first INSERT: login 3 + 5, frame 12, end 6; on each page nine and the
    // choices, and in the save before it six and the choices. The run's own roster is looked up once.
    assert_eq!(saved(report, "replica_reads").values().sum::<u64>(), S * (26 + 15 * P + 2 * q()) + 1);
    // A shared cache answers all but the first asking of what describes the survey.
    let cacheable = saved(report, "cacheable_select");
    for (words, keys) in [
        (["FROM skip_rule", "page_id"], P),
        (["count(*)", "FROM survey_page WHERE"], 1),
        (["count(*)", "FROM question JOIN"], 1),
        (["FROM app_setting", "name"], 1),
        (["FROM question WHERE", "page_id"], P),
        (["FROM answer_choice", "question.id ="], q()),
    ] {
        let hits = *with(&cacheable, &words);
        let row = rows(report)
            .iter()
            .find(|row| words.iter().all(|word| row["sql"].as_str().unwrap().contains(word)));
        assert_eq!(hits, number(&row.unwrap()["calls"]) - keys, "{words:?}");
    }
    // Nothing else is shown.
    let shown = shown(report);
    let rules: Vec<&str> = shown.keys().copied().collect();
    let expected = [
        "cacheable_select",
        "check_then_write",
        "n_plus_one",
        "read_back",
        "redundant_select",
        "replica_reads",
        "row_by_row_insert",
    ];
    assert_eq!(rules, expected, "{shown:#?}");
    for (rule, statements) in
        [("n_plus_one", 1), ("redundant_select", 2), ("row_by_row_insert", 1), ("check_then_write", 2)]
    {
        assert_eq!(shown[rule].len(), statements, "{rule}: {:#?}", shown[rule]);
    }
}

/// The tuned log has nothing left to show, but for two reads on the primary: the count of somebody's own answers, which
/// the router pins to it for some seconds after a save of the same person (the log does not say whose requests are
/// whose), and the look for a login code, which is asked again there when the replica has not heard of it yet.
fn cured(report: &Value) {
    let mut shown = shown(report);
    let kept = [
        "SELECT count(*) AS n FROM response_item WHERE session_id = ?",
        "SELECT id, school_id FROM respondent WHERE code_hmac = ? AND survey_id = ?",
    ];
    if shown.get("replica_reads").is_some_and(|statements| statements.iter().all(|sql| kept.contains(sql))) {
        shown.remove("replica_reads");
    }
    assert_eq!(shown, BTreeMap::new());
}

/// What the models say of a statement, and what was sent.
#[derive(Debug, Default)]
struct Outcome {
    before: u64,
    forecast: u64,
    tuned: u64,
}

impl Outcome {
    fn is_good(&self) -> bool {
        self.forecast.abs_diff(self.tuned) * 20 <= self.tuned
    }
}

fn forecast(naive: &Value, tuned: &Value) {
    let combined = &naive["forecasts"]["combined"];
    for (kind, load) in tuned["totals"]["by_kind"].as_object().unwrap() {
        let part = |when: &str| combined["numbers"].get(format!("{kind}_{when}")).map_or(0, number);
        let outcome =
            Outcome { before: part("before"), forecast: part("after"), tuned: number(&load["calls"]) };
        assert!(outcome.is_good(), "{kind}: {outcome:?}");
    }
    let mut work: BTreeMap<String, Outcome> = BTreeMap::new();
    let prints = |report: &Value| -> BTreeSet<String> {
        rows(report).iter().map(|row| row["fingerprint"].as_str().unwrap().to_owned()).collect()
    };
    let (before, after) = (prints(naive), prints(tuned));
    // A statement that both runs send is compared with itself. Where the tuned application sends another text (a
    // join, RETURNING, unnest) it is compared by what it does to which table.
    let name = |row: &Value| {
        let print = row["fingerprint"].as_str().unwrap();
        if before.contains(print) && after.contains(print) {
            return row["sql"].as_str().unwrap().to_owned();
        }
        let tables: Vec<&str> =
            row["tables"].as_array().unwrap().iter().map(|table| table.as_str().unwrap()).collect();
        let joined = |name: &str| tables.contains(&name);
        let table = if joined("answer_choice") || joined("question") && !joined("response_item") {
            "question"
        } else if joined("organization") {
            "survey"
        } else {
            tables.first().copied().unwrap_or("none")
        };
        format!("{} {table}", row["kind"].as_str().unwrap())
    };
    let changed: BTreeMap<&str, u64> = combined["statements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["fingerprint"].as_str().unwrap(), number(&row["after"]["calls"])))
        .collect();
    for row in rows(naive).iter().filter(|row| row["kind"] != "transaction") {
        let outcome = work.entry(name(row)).or_default();
        let calls = number(&row["calls"]);
        outcome.before += calls;
        outcome.forecast += changed.get(row["fingerprint"].as_str().unwrap()).copied().unwrap_or(calls);
    }
    for row in rows(tuned).iter().filter(|row| row["kind"] != "transaction") {
        work.entry(name(row)).or_default().tuned += number(&row["calls"]);
    }
    // Hot is what is sent for each respondent; the roster of the run is made once, by both profiles alike.
    let hot = work.iter().filter(|(_, outcome)| outcome.before.max(outcome.tuned) >= S);
    let wrong: BTreeMap<&String, &Outcome> = hot.filter(|(_, outcome)| !outcome.is_good()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
