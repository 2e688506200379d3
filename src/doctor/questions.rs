//! The questions that one asks a log, each a function of the report.

use super::settings::*;
use super::{Answer, Verdict, looks_translated};
use crate::report::{Actor, InputFile, Report};
use crate::units::Micros;
use crate::words::{count, counted, duration};

/// Below this a statement is fast: who logs such ones has no threshold that matters.
const FAST: Micros = Micros(1_000);
/// With fewer statements than this, that none is fast says nothing.
const ENOUGH: u64 = 20;

/// What one question came to, before it has its name.
type Found = (Verdict, String, &'static [Setting]);

/// All questions, in the order in which they are shown.
pub(super) fn ask(report: &Report) -> Vec<Answer> {
    let totals = &report.totals;
    let answers = [
        ("statements", statements(report)),
        ("all statements", all_statements(report)),
        ("durations", durations(report)),
        ("parameters", parameters(report)),
        ("users", who(report, "u", &totals.users)),
        ("databases", who(report, "d", &totals.databases)),
        ("applications", who(report, "a", &totals.applications)),
        ("hosts", who(report, "hr", &totals.hosts)),
        ("milliseconds", milliseconds(report)),
        ("sessions", field(report, "pc", "process or session ids")),
        ("transactions", transactions(report)),
        ("SQLSTATE", field(report, "e", "SQLSTATE of each record")),
        ("query ids", query_ids(report)),
        ("connections", connections(report)),
        ("lock waits", seen(report.locks.waiting + report.locks.acquired, "record", &[LOCK_WAITS])),
        ("temporary files", seen(report.temp_files.count, "file", &[TEMP_FILES])),
        ("checkpoints", checkpoints(report)),
        ("autovacuum", seen(report.autovacuum.vacuums + report.autovacuum.analyzes, "run", &[AUTOVACUUM])),
        ("plans", plans(report)),
        ("English", english(report)),
    ];
    let answer = |(question, (verdict, evidence, settings))| Answer { question, verdict, evidence, settings };
    answers.into_iter().map(answer).collect()
}

fn statements(report: &Report) -> Found {
    let totals = &report.totals;
    if totals.statements == 0 {
        return (Verdict::No, "no statement in the log".into(), &[MIN_DURATION]);
    }
    if totals.from_plans == totals.statements {
        return (Verdict::Partly, "only those whose plan was logged".into(), &[MIN_DURATION]);
    }
    let distinct = counted(totals.fingerprints, "fingerprint");
    (Verdict::Yes, format!("{}, {distinct}", counted(totals.statements, "statement")), &[])
}

/// A sample and a threshold both leave statements out; only the sample is announced in the log.
fn all_statements(report: &Report) -> Found {
    let totals = &report.totals;
    if totals.statements == 0 {
        return (Verdict::No, "no statement in the log".into(), &[MIN_DURATION]);
    }
    if report.input.sampled {
        return (Verdict::Partly, "a sample".into(), &[MIN_DURATION]);
    }
    if totals.from_plans > 0 {
        return (Verdict::Partly, "only those whose plan was logged".into(), &[MIN_DURATION]);
    }
    let calls = |kind| totals.by_kind.get(kind).map_or(0, |load| load.calls);
    let fastest = report.statements.iter().filter_map(|row| row.min_us).min();
    if totals.timed < totals.statements && calls("select") == 0 {
        return (Verdict::Partly, "no SELECT: log_statement may be 'mod' or 'ddl'".into(), &[MIN_DURATION]);
    }
    match fastest {
        _ if totals.timed < totals.statements => (Verdict::Yes, "also without durations".into(), &[]),
        Some(fastest) if fastest < FAST => {
            (Verdict::Yes, format!("the fastest took {}", duration(fastest)), &[])
        }
        _ if calls("transaction") > 0 => (Verdict::Yes, "BEGIN and COMMIT are there too".into(), &[]),
        Some(fastest) if totals.timed >= ENOUGH => {
            let evidence =
                format!("none took less than {}: there seems to be a threshold", duration(fastest));
            (Verdict::Partly, evidence, &[MIN_DURATION])
        }
        _ => (Verdict::Unseen, "too few statements to tell".into(), &[MIN_DURATION]),
    }
}

fn durations(report: &Report) -> Found {
    let totals = &report.totals;
    let alone = totals.unidentified.calls;
    match (totals.timed, totals.statements) {
        (0, 0) if alone > 0 => {
            let evidence = format!("{}, none with its statement", counted(alone, "duration"));
            (Verdict::No, evidence, &[MIN_DURATION, NO_LOG_DURATION])
        }
        (0, 0) => (Verdict::No, "no statement in the log".into(), &[MIN_DURATION]),
        (0, _) => (Verdict::No, "no statement has one".into(), &[MIN_DURATION, NO_LOG_STATEMENT]),
        (timed, all) if timed < all => {
            let evidence = format!("{} of {} have one", count(timed), counted(all, "statement"));
            (Verdict::Partly, evidence, &[MIN_DURATION, NO_LOG_STATEMENT])
        }
        _ => (Verdict::Yes, "every statement has one".into(), &[]),
    }
}

/// Literals in the text are parameters too; what can be missing is the DETAIL of a prepared statement.
fn parameters(report: &Report) -> Found {
    let calls = |known: bool| -> u64 {
        let rows = report.statements.iter().filter(|row| row.sql.contains('?'));
        rows.filter(|row| row.distinct_params.is_some() == known).map(|row| row.calls).sum()
    };
    match (calls(true), calls(false)) {
        (0, 0) => (Verdict::Unseen, "no statement has any".into(), &[]),
        (known, 0) => (Verdict::Yes, format!("of {}", counted(known, "call")), &[]),
        (known, unknown) => {
            let evidence = format!("missing for {} of {}", count(unknown), counted(known + unknown, "call"));
            let verdict = if known == 0 { Verdict::No } else { Verdict::Partly };
            (verdict, evidence, &[PARAMETERS, VERBOSITY])
        }
    }
}

/// Names: the prefix must have a place for them, and clients must fill it.
fn who(report: &Report, escapes: &str, actors: &[Actor]) -> Found {
    let names = actors.iter().filter(|it| !it.name.starts_with('(')).count() as u64;
    match field(report, escapes, "") {
        (Verdict::Yes, ..) if names == 0 => (Verdict::Unseen, "no statement has one".into(), &[]),
        (Verdict::Yes, ..) => (Verdict::Yes, counted(names, "name"), &[]),
        missing => missing,
    }
}

/// Something that each line says of itself.
fn field(report: &Report, escapes: &str, what: &str) -> Found {
    each_input(report, what, |file| gives(file, escapes))
}

fn milliseconds(report: &Report) -> Found {
    let parts = |file: &InputFile| [file.first, file.last].iter().flatten().any(|at| at.0 % 1_000_000 != 0);
    match each_input(report, "times to the millisecond", |file| gives(file, "mn") || parts(file)) {
        (Verdict::No, ..) => (Verdict::No, "times are whole seconds".into(), &[PREFIX]),
        found => found,
    }
}

fn each_input(report: &Report, what: &str, test: impl Fn(&InputFile) -> bool) -> Found {
    let inputs = || report.input.files.iter().filter(|file| file.entries > 0);
    match (inputs().filter(|file| test(file)).count(), inputs().count()) {
        (0, _) => (Verdict::No, "not in the prefix".into(), &[PREFIX]),
        (some, all) if some < all => (Verdict::Partly, format!("in {some} of {all} inputs"), &[PREFIX]),
        _ => (Verdict::Yes, what.to_owned(), &[]),
    }
}

/// Whether an input's lines carry one of these escapes of log_line_prefix.
fn gives(file: &InputFile, escapes: &str) -> bool {
    match file.format.as_str() {
        "csvlog" | "jsonlog" => true,
        // The daemon writes the process id.
        "syslog" if escapes.contains('p') => true,
        _ => file.prefix.as_deref().is_some_and(|prefix| escapes_of(prefix).any(|it| escapes.contains(it))),
    }
}

/// The letters after `%`, padding (`%-5p`) left out.
fn escapes_of(prefix: &str) -> impl Iterator<Item = char> + '_ {
    let mut rest = prefix.chars();
    std::iter::from_fn(move || {
        rest.by_ref().find(|&c| c == '%')?;
        rest.by_ref().find(|c| *c != '-' && !c.is_ascii_digit())
    })
}

fn transactions(report: &Report) -> Found {
    let marks = report.totals.by_kind.get("transaction").map_or(0, |load| load.calls);
    match field(report, "vx", "ids on every record") {
        _ if marks > 0 => {
            (Verdict::Yes, format!("{} of the kind of BEGIN and COMMIT", counted(marks, "statement")), &[])
        }
        (Verdict::No, ..) => (Verdict::No, "no BEGIN or COMMIT, no ids in the prefix".into(), &[PREFIX]),
        found => found,
    }
}

fn query_ids(report: &Report) -> Found {
    let named = report.statements.iter().filter(|row| !row.query_ids.is_empty()).count() as u64;
    match field(report, "Q", "") {
        _ if named > 0 => (Verdict::Yes, format!("of {}", counted(named, "fingerprint")), &[]),
        (Verdict::Yes, ..) => (Verdict::No, "all are 0".into(), &[QUERY_ID]),
        (verdict, evidence, _) => (verdict, evidence, &[PREFIX, QUERY_ID]),
    }
}

fn connections(report: &Report) -> Found {
    let connections = &report.connections;
    let begun = connections.received.max(connections.authorized);
    match (begun, connections.disconnections) {
        (0, 0) => (Verdict::Unseen, "none seen".into(), &[CONNECTIONS, DISCONNECTIONS]),
        (begun, 0) => {
            (Verdict::Partly, format!("{}, no end of any", counted(begun, "connection")), &[DISCONNECTIONS])
        }
        (0, ended) => (Verdict::Partly, format!("{}, no beginning", counted(ended, "end")), &[CONNECTIONS]),
        (begun, ended) => {
            (Verdict::Yes, format!("{}, {} ended", counted(begun, "connection"), count(ended)), &[])
        }
    }
}

fn checkpoints(report: &Report) -> Found {
    seen(report.checkpoints.started.max(report.checkpoints.completed), "checkpoint", &[CHECKPOINTS])
}

fn plans(report: &Report) -> Found {
    let plans = report.statements.iter().filter(|row| row.plan.is_some()).count() as u64;
    seen(plans, "statement", &[PRELOAD, PLANS])
}

/// Something that a setting logs when it happens.
fn seen(times: u64, noun: &str, settings: &'static [Setting]) -> Found {
    match times {
        0 => (Verdict::Unseen, "none seen".into(), settings),
        _ => (Verdict::Yes, counted(times, noun), &[]),
    }
}

/// Entries are found by their severity; what a message means is found by its English words.
fn english(report: &Report) -> Found {
    let totals = &report.totals;
    let known = totals.statements
        + totals.unidentified.calls
        + report.checkpoints.started
        + report.checkpoints.completed
        + report.connections.received
        + report.connections.disconnections;
    if looks_translated(report) {
        (Verdict::Partly, "there are messages in another language".into(), &[ENGLISH])
    } else if known > 0 {
        (Verdict::Yes, "messages are understood".into(), &[])
    } else {
        (Verdict::Unseen, "no message that pglens knows: they may be in another language".into(), &[ENGLISH])
    }
}
