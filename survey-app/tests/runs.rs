//! Whole runs: golden statement counts per view, equal to PostgreSQL's logs, and the talk's headline.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::log;
use std::collections::BTreeMap;
use std::path::Path;
use survey_app::config::Profile;
use survey_app::plan::questions_of_page;
use survey_app::run::{Order, Report, SCHOOLS, run};

const S: u64 = 79;
const P: u64 = 10;

async fn counted(profile: Profile, sets: &[&str], users: u64, pages: u64) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let order = Order {
        switches: common::switches(profile, sets),
        users: users as usize,
        pages: pages as usize,
        seed: 1,
        at_once: 4,
        settings: Vec::new(),
    };
    let report = run(&order, &common::exe(), dir.path()).await.unwrap_or_else(|e| panic!("{e:#}"));
    agrees(&report, dir.path());
    report
}

/// The report that was returned, the file that was left and both servers' logs say the same, exactly.
fn agrees(report: &Report, dir: &Path) {
    let file: Report =
        serde_json::from_str(&std::fs::read_to_string(dir.join("counters.json")).unwrap()).unwrap();
    assert_eq!(log::of_report(&file), log::of_report(report));
    let (own, logged) = (log::of_report(report), log::of_logs(dir));
    for key in own.keys().chain(logged.keys()) {
        assert_eq!(own.get(key), logged.get(key), "{key:?}: own count against the log");
    }
    assert!(report.statements.iter().all(|line| line.failed == 0));
}

/// Statements by view for one kind, without those that prepare the run.
fn by_view(report: &Report, kind: &str) -> BTreeMap<String, u64> {
    let mut out = BTreeMap::new();
    for line in
        report.statements.iter().filter(|l| l.key.kind.name() == kind && l.key.view.starts_with("survey_"))
    {
        *out.entry(line.key.view.clone()).or_default() += line.calls;
    }
    out
}

fn selects(report: &Report) -> u64 {
    by_view(report, "select").values().sum()
}

fn expect(report: &Report, kind: &str, golden: &[(&str, u64)]) {
    let golden: BTreeMap<String, u64> =
        golden.iter().filter(|g| g.1 > 0).map(|(v, n)| (v.to_string(), *n)).collect();
    assert_eq!(by_view(report, kind), golden, "{kind} by view");
}

/// Questions of all pages: 5, 4, 6, 5, 4, 6, 5, 4, 6, 5.
fn questions(pages: u64) -> u64 {
    (0..pages as usize).map(questions_of_page).sum::<usize>() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn naive_counts_are_golden() {
    let report = counted(Profile::Naive, &[], S, P).await;
    let q = questions(P);
    assert_eq!(q, 50);
    expect(
        &report,
        "select",
        &[
            // GET: survey, organization, setting. POST: survey, organization, respondent, school, old session.
            ("survey_login", S * (3 + 5)),
            // session, respondent, survey, organization; respondent again, school; setting, texts, pages, 2 counts;
            // session again.
            ("survey_display", S * (4 + 2 + 5 + 1)),
            // session, respondent, survey, page, questions; the choices of each question; answers, rules, 2 counts.
            ("survey_content", S * (P * 5 + q + P * 4)),
            // The same five; choices and old answer of each question; rules, the page read back, session again.
            ("survey_change_page", S * (P * 5 + 2 * q + P * 3)),
            // session, respondent, survey, organization, school, count.
            ("survey_complete", S * 6),
        ],
    );
    // Together S·(26 + 17P + 3Q) = 79·(26 + 170 + 150).
    assert_eq!(selects(&report), 27_334);
    expect(&report, "insert", &[("survey_login", S), ("survey_change_page", S * (q + P))]);
    expect(&report, "update", &[("survey_login", S), ("survey_change_page", S * P), ("survey_complete", S)]);
    expect(&report, "transaction", &[]);
    assert!(report.totals["replica"].is_empty(), "the naive profile has no router");
    let requests: BTreeMap<String, u64> = [
        ("survey_login", 2 * S),
        ("survey_display", S),
        ("survey_content", S * P),
        ("survey_change_page", S * P),
        ("survey_complete", S),
    ]
    .map(|(v, n)| (v.to_string(), n))
    .into();
    assert_eq!(report.requests, requests, "2P + 4 requests for everybody");
    assert_eq!(report.answers as u64, S * q);
}

#[tokio::test(flavor = "multi_thread")]
async fn tuned_counts_are_golden_and_the_headline_holds() {
    let report = counted(Profile::Tuned, &[], S, P).await;
    let schools = SCHOOLS as u64;
    expect(
        &report,
        "select",
        &[
            // Everybody's code; once: survey with organization, setting, each school.
            ("survey_login", S + 1 + 1 + schools),
            // Once: texts, pages, count of questions; once a school: who has completed.
            ("survey_display", 3 + schools),
            // Once: survey, count of pages; once a page: page, questions with choices, rules.
            ("survey_content", 2 + 3 * P),
            // Everything that the save needs was there for the page it belongs to.
            ("survey_change_page", 0),
            // Everybody's number of answers.
            ("survey_complete", S),
        ],
    );
    let after = selects(&report);
    assert_eq!(after, 2 * S + 6 + 3 + 4 + 2 + 30);
    expect(&report, "insert", &[("survey_login", S), ("survey_change_page", 2 * S * P)]);
    expect(&report, "update", &[("survey_login", S), ("survey_change_page", S * P), ("survey_complete", S)]);
    // BEGIN and COMMIT around every request that writes.
    expect(
        &report,
        "transaction",
        &[("survey_login", 2 * S), ("survey_change_page", 2 * S * P), ("survey_complete", 2 * S)],
    );
    // The replica gets SELECTs and nothing else; describing models never reach the primary in a hot view.
    assert_eq!(report.totals["replica"].keys().collect::<Vec<_>>(), ["select"]);
    let describing = |table: &str| survey_app::models::DESCRIBING.iter().any(|m| m.table() == table);
    for line in
        report.statements.iter().filter(|l| l.key.view.starts_with("survey_") && describing(&l.key.table))
    {
        assert_eq!(line.key.server.name(), "replica", "{line:?}");
    }
    // "cut the SELECT statements by 25,000, to less than 10% of its former value"
    let before = 27_334;
    assert!(before - after > 25_000 && after * 10 < before, "{before} → {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cache_setting_matters() {
    let schools = SCHOOLS as u64;
    let tuned = |s: u64| 2 * s + 11 + schools + 3 * P;
    // An empty result is asked for by two views of every page: 2SP times, of which P were paid for already.
    let without_empty = |s: u64| 2 * s * P - P;
    // Two counts with every page, two with the frame; six of them were paid for already.
    let without_counts = |s: u64| 2 * s * P + 2 * s - (2 + schools);
    let stack = common::stack().await;
    // The setting and the schools are those of every survey on this stack: the first one pays for them.
    let shared = 1 + schools;
    let few = 12;
    assert_eq!(taken(&stack, &["cache.empty_querysets=off"], few).await, tuned(few) + without_empty(few));
    assert_eq!(
        taken(&stack, &["cache.count_timeout=off"], few).await,
        tuned(few) - shared + without_counts(few)
    );
    // Without both settings the talk's headline does not hold.
    let neither = taken(&stack, &["cache.empty_querysets=off", "cache.count_timeout=off"], S).await;
    assert_eq!(neither, tuned(S) - shared + without_empty(S) + without_counts(S));
    assert!(neither * 10 > 27_334);
}

/// The SELECTs of a tuned survey that `people` take on a stack, equal to its logs.
async fn taken(stack: &survey_app::stack::Stack, sets: &[&str], people: u64) -> u64 {
    let case = common::Case::new(stack, Profile::Tuned, sets, P as usize, people as usize).await;
    let marks = log::marks(stack);
    let walk = |first: usize| {
        let some: Vec<_> = (first..case.people)
            .step_by(4)
            .map(|person| (case.respondent(person), case.code(person)))
            .collect();
        tokio::spawn(async move {
            for (mut respondent, code) in some {
                respondent.take(&code).await.unwrap_or_else(|e| panic!("{e:#}"));
            }
        })
    };
    for walking in (0..4).map(walk).collect::<Vec<_>>() {
        walking.await.unwrap();
    }
    let own = log::of_app(&case.app);
    assert_eq!(own, log::since(stack, &marks), "{sets:?}: own count against the log");
    own.iter().filter(|c| c.0.2 == "select").map(|c| c.1).sum()
}

/// One respondent, two pages (5 + 4 questions): what each step changes, seen alone, on one stack.
#[tokio::test(flavor = "multi_thread")]
async fn every_switch_keeps_its_counts() {
    let stack = common::stack().await;
    let q = questions(2);
    let base = 26 + 17 * 2 + 3 * q;
    // Each old answer and each old session is looked for before it is written, unless a set is written at once.
    let no_look = q + 1;
    for (sets, selects, writes) in [
        (&[][..], base, q + 7),
        // Survey and organization in one: login twice, display, complete; choices come with their questions.
        (&["sql.select_related=on"][..], base - 4 - 2 * q, q + 7),
        // The frame asks for its session and its respondent twice; what a save reads again, it wrote in between.
        (&["sql.request_local=on"][..], base - 2, q + 7),
        // Login 3 + 3, frame: texts, pages, 2 counts; pages: page, questions, rules, 2 counts and the choices
        // of each question; saves: old answers and rules; the number of answers. Rows that were written are
        // at hand.
        (&["cache.backend=locmem", "cache.write_through=on"][..], 6 + 4 + (2 * 5 + q) + (q + 2) + 1, q + 7),
        (&["db.batching=values"][..], base - no_look, 9),
        (&["db.batching=unnest"][..], base - no_look, 9),
        (&["db.batching=unnest", "db.tx=request"][..], base - no_look, 9 + 2 * 4),
        // A DELETE and a COPY, in a transaction whatever db.tx says.
        (&["db.batching=copy"][..], base - no_look, 9 + 2 + 2 * 2),
        (&["db.batching=copy", "db.tx=request", "db.protocol=typed"][..], base - no_look, 9 + 2 + 2 * 4),
        (&["db.protocol=typed"][..], base, q + 7),
        (&["db.tx=request"][..], base, q + 7 + 2 * 4),
        (&["db.via=pgbouncer", "db.protocol=typed"][..], base, q + 7),
        (&["comments=static"][..], base, q + 7),
    ] {
        let case = common::Case::new(&stack, Profile::Naive, sets, 2, 1).await;
        let marks = log::marks(&stack);
        case.respondent(0).take(&case.code(0)).await.unwrap_or_else(|e| panic!("{sets:?}: {e:#}"));
        let own = log::of_app(&case.app);
        assert_eq!(own, log::since(&stack, &marks), "{sets:?}: own count against the log");
        let sum =
            |select: bool| own.iter().filter(|c| (c.0.2 == "select") == select).map(|c| c.1).sum::<u64>();
        assert_eq!((sum(true), sum(false)), (selects, writes), "{sets:?}");
    }
}
