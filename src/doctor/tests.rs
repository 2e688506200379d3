//! Reports made by hand, and what is to be said about them.

use super::*;
use crate::report::*;
use crate::units::{Micros, Timestamp};

/// A log of one statement a second with everything in its prefix; each case takes something away.
fn complete() -> Report {
    let file = InputFile {
        name: "pg.log".into(),
        bytes: 4_000,
        entries: 40,
        format: "stderr".into(),
        prefix: Some("%m [%p] %e %v %Q %u@%d %a %h ".into()),
        first: Some(Timestamp(1_000)),
        last: Some(Timestamp(20_001_000)),
        ..InputFile::default()
    };
    let load = Load { calls: 40, duration_us: Micros(4_000) };
    let actor =
        |name: &str| vec![Actor { name: name.into(), calls: 40, duration_us: Micros(4_000), errors: 0 }];
    let statement = Statement {
        fingerprint: "0123456789abcdef".into(),
        sql: "SELECT ?".into(),
        calls: 40,
        timed: 40,
        min_us: Some(Micros(100)),
        distinct_params: Some(Distinct::default()),
        query_ids: vec![7],
        plan: Some(Plan::default()),
        ..Statement::default()
    };
    Report {
        judged: Default::default(),
        schema: crate::report::SCHEMA.into(),
        input: Input { bytes: 4_000, entries: 40, files: vec![file], ..Input::default() },
        totals: Totals {
            statements: 40,
            timed: 40,
            fingerprints: 1,
            by_kind: [("select".to_owned(), load)].into(),
            users: actor("app"),
            databases: actor("shop"),
            applications: actor("web"),
            hosts: actor("10.0.0.7"),
            ..Totals::default()
        },
        statements: vec![statement],
        redundant_selects: Vec::new(),
        hot_inserts: Vec::new(),
        slowest: Vec::new(),
        errors: Vec::new(),
        locks: Locks { waiting: 1, ..Locks::default() },
        temp_files: TempFiles { count: 1, ..TempFiles::default() },
        checkpoints: Checkpoints { started: 1, ..Checkpoints::default() },
        autovacuum: Autovacuum { vacuums: 1, ..Autovacuum::default() },
        connections: Connections { received: 2, disconnections: 1, ..Connections::default() },
        server: ServerEvents::default(),
        findings: Vec::new(),
        forecasts: None,
    }
}

fn shown(report: &Report, form: Form) -> String {
    let mut out = Vec::new();
    render(&diagnose(report), form, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_log_that_has_everything_lacks_nothing() {
    let diagnosis = diagnose(&complete());
    for answer in &diagnosis.answers {
        assert_eq!(answer.verdict, Verdict::Yes, "{answer:?}");
    }
    assert_eq!((diagnosis.missing, diagnosis.unseen), (vec![], vec![]));
    assert!(!shown(&complete(), Form::Conf).contains(" = "));
}

#[test]
fn what_is_taken_away_is_missed() {
    use Verdict::{No, Partly, Unseen, Yes};
    type Case = (&'static str, fn(&mut Report), &'static str, Verdict, &'static [&'static str]);
    fn prefix(report: &mut Report, prefix: &str) {
        report.input.files[0].prefix = Some(prefix.into());
    }
    let cases: &[Case] = &[
        (
            "log_statement",
            |it| it.totals.timed = 0,
            "durations",
            No,
            &["log_min_duration_statement", "log_statement"],
        ),
        (
            "some timed",
            |it| it.totals.timed = 7,
            "durations",
            Partly,
            &["log_min_duration_statement", "log_statement"],
        ),
        ("log_statement has all", |it| it.totals.timed = 0, "all statements", Yes, &[]),
        (
            "log_statement = mod",
            |it| {
                it.totals.timed = 0;
                it.totals.by_kind.clear();
            },
            "all statements",
            Partly,
            &["log_min_duration_statement"],
        ),
        (
            "log_duration alone",
            |it| {
                it.totals.statements = 0;
                it.totals.timed = 0;
                it.totals.unidentified.calls = 9;
            },
            "durations",
            No,
            &["log_min_duration_statement", "log_duration"],
        ),
        (
            "a threshold",
            |it| it.statements[0].min_us = Some(Micros(250_000)),
            "all statements",
            Partly,
            &["log_min_duration_statement"],
        ),
        (
            "slow, but transactions begin and end",
            |it| {
                it.statements[0].min_us = Some(Micros(250_000));
                it.totals.by_kind.insert("transaction".into(), Load { calls: 2, ..Load::default() });
            },
            "all statements",
            Yes,
            &[],
        ),
        ("a sample", |it| it.input.sampled = true, "all statements", Partly, &["log_min_duration_statement"]),
        (
            "no DETAIL",
            |it| it.statements[0].distinct_params = None,
            "parameters",
            No,
            &["log_parameter_max_length", "log_error_verbosity"],
        ),
        ("nothing to ask", |it| it.statements[0].sql = "BEGIN".into(), "parameters", Unseen, &[]),
        ("no user", |it| prefix(it, "%m [%p] "), "users", No, &["log_line_prefix"]),
        ("a padded user", |it| prefix(it, "%m %-8u "), "users", Yes, &[]),
        ("a per cent sign before u", |it| prefix(it, "%m %%u "), "users", No, &["log_line_prefix"]),
        ("%r has the host", |it| prefix(it, "%m %r "), "hosts", Yes, &[]),
        ("clients without a name", |it| it.totals.applications.clear(), "applications", Unseen, &[]),
        (
            "whole seconds",
            |it| {
                prefix(it, "%t [%p] ");
                (it.input.files[0].first, it.input.files[0].last) =
                    (Some(Timestamp(0)), Some(Timestamp(1_000_000)));
            },
            "milliseconds",
            No,
            &["log_line_prefix"],
        ),
        ("%c is a session", |it| prefix(it, "%m %c "), "sessions", Yes, &[]),
        (
            "one of two inputs",
            |it| {
                let mut other = it.input.files[0].clone();
                other.prefix = Some("%m ".into());
                it.input.files.push(other);
            },
            "SQLSTATE",
            Partly,
            &["log_line_prefix"],
        ),
        ("ids are 0", |it| it.statements[0].query_ids.clear(), "query ids", No, &["compute_query_id"]),
        (
            "no ends of sessions",
            |it| it.connections.disconnections = 0,
            "connections",
            Partly,
            &["log_disconnections"],
        ),
        ("no wait", |it| it.locks.waiting = 0, "lock waits", Unseen, &["log_lock_waits"]),
        (
            "no plan",
            |it| it.statements[0].plan = None,
            "plans",
            Unseen,
            &["shared_preload_libraries", "auto_explain.log_min_duration"],
        ),
    ];
    for (name, take_away, question, verdict, settings) in cases {
        let mut report = complete();
        take_away(&mut report);
        let diagnosis = diagnose(&report);
        let answer = diagnosis.answers.iter().find(|it| it.question == *question).unwrap();
        assert_eq!(answer.verdict, *verdict, "{name}: {answer:?}");
        let names: Vec<_> = answer.settings.iter().map(|it| it.name).collect();
        assert_eq!(names, *settings, "{name}");
        let advised =
            |it: &&&str| diagnosis.missing.iter().chain(&diagnosis.unseen).any(|to| to.name == **it);
        assert_eq!(settings.iter().filter(advised).count(), settings.len(), "{name}");
    }
}

#[test]
fn csvlog_needs_no_prefix() {
    let mut report = complete();
    report.input.files[0].format = "csvlog".into();
    report.input.files[0].prefix = None;
    assert_eq!(diagnose(&report).missing, vec![]);
}

#[test]
fn a_setting_is_advised_once_and_in_one_list() {
    let mut report = complete();
    report.input.files[0].prefix = Some("%t ".into());
    let diagnosis = diagnose(&report);
    let names: Vec<_> = diagnosis.missing.iter().map(|it| it.name).collect();
    assert_eq!(names.iter().filter(|name| **name == "log_line_prefix").count(), 1);
    assert!(diagnosis.unseen.iter().all(|it| !names.contains(&it.name)));
}

#[test]
fn both_forms_can_be_pasted() {
    let mut report = complete();
    (report.totals.timed, report.connections.disconnections) = (0, 0);
    let conf = shown(&report, Form::Conf);
    assert!(conf.contains("\nlog_min_duration_statement = 0\n"), "{conf}");
    assert!(conf.contains("\nlog_disconnections = on\n"), "{conf}");
    let rds = shown(&report, Form::Rds);
    assert!(
        rds.contains("\n'ParameterName=log_disconnections,ParameterValue=1,ApplyMethod=immediate'\n"),
        "{rds}"
    );
}

#[test]
fn nothing_understood_asks_for_no_questions() {
    let mut report = complete();
    report.input.entries = 0;
    report.input.files[0].error = Some("no line looks like an entry; the first line is: \u{1b}[2Jx".into());
    let text = shown(&report, Form::Conf);
    assert!(!text.contains("What this log tells"), "{text}");
    assert!(text.contains("⟨U+001B⟩[2Jx") && text.contains("SHOW log_line_prefix"), "{text}");
}

#[test]
fn names_and_prefixes_are_hostile() {
    let mut report = complete();
    report.input.files[0].name = "a\u{1b}]0;x\u{7}\u{202e}.log".into();
    report.input.files[0].prefix = Some("%m\u{1b}[31m ".into());
    let text = shown(&report, Form::Conf);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n') && !text.contains('\u{202e}'), "{text:?}");
}
