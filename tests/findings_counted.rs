//! Logs that were counted by hand: every finding that a developer is shown, with its units and its cost, and nothing
//! else. Each log is read as stderr, csvlog and jsonlog, whole, in small pieces, and as two files of a rotation.
//!
//! `findings_counted.txt` has the logs and, after `=`, the findings: rule, units, statements and milliseconds saved,
//! the statement. See its head for how a line of a log is written there.

#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

mod common;

use common::{PREFIX, analyse_files};
use pglens::config::Config;
use pglens::report::Report;

/// What a line of a story says.
#[derive(Debug)]
struct Line<'s> {
    /// `14:MM:SS.mmm`
    time: String,
    pid: &'s str,
    severity: &'static str,
    message: String,
    detail: String,
    statement: &'s str,
}

impl<'s> Line<'s> {
    fn of(text: &'s str) -> Self {
        let mut words = text.splitn(4, ' ');
        let (time, pid, what) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let rest = words.next().unwrap_or_default();
        let time = if time.contains(':') { format!("14:{time}") } else { format!("14:00:{time}") };
        let log =
            |message| Self { time, pid, severity: "LOG", message, detail: String::new(), statement: "" };
        match what {
            "ERROR" | "LOG" => {
                let (message, statement) = rest.split_once(" @ ").unwrap();
                let severity = if what == "LOG" { "LOG" } else { "ERROR" };
                Self { severity, statement, ..log(message.to_owned()) }
            }
            "END" => {
                log("disconnection: session time: 0:00:01.000 user=app database=shop host=[local]".to_owned())
            }
            duration => match rest.split_once(" ##").map(|(sql, values)| (sql, values.trim())) {
                None => log(format!("duration: {duration} ms  statement: {rest}")),
                Some((sql, prepare)) if prepare.starts_with("prepare: ") => {
                    let detail = prepare.to_owned();
                    Self { detail, ..log(format!("duration: {duration} ms  statement: {sql}")) }
                }
                Some((sql, "")) => log(format!("duration: {duration} ms  execute <unnamed>: {sql}")),
                Some((sql, values)) => {
                    let values: Vec<String> = values
                        .split(", ")
                        .enumerate()
                        .map(|(number, value)| format!("${} = '{value}'", number + 1))
                        .collect();
                    let detail = format!("parameters: {}", values.join(", "));
                    Self { detail, ..log(format!("duration: {duration} ms  execute <unnamed>: {sql}")) }
                }
            },
        }
    }

    fn stderr(&self) -> String {
        let Self { time, pid, severity, message, detail, statement } = self;
        let head = format!("2026-11-23 {time} UTC [{pid}] app@shop ");
        let part = |name: &str, text: &str| match text {
            "" => String::new(),
            text => format!("{head}{name}:  {text}\n"),
        };
        [part(severity, message), part("DETAIL", detail), part("STATEMENT", statement)].concat()
    }

    fn csv(&self) -> String {
        let Self { time, pid, severity, message, detail, statement } = self;
        let quoted = |text: &str| match text {
            "" => String::new(),
            text => format!("\"{}\"", text.replace('"', "\"\"")),
        };
        format!(
            "2026-11-23 {time} UTC,\"app\",\"shop\",{pid},\"[local]\",6565.{pid},1,\"\",2026-11-23 13:00:00 UTC,1/1,0,\
             {severity},00000,{},{},,,,,{},,,\"web\",\"client backend\",,0\n",
            quoted(message),
            quoted(detail),
            quoted(statement)
        )
    }

    fn json(&self) -> String {
        let Self { time, pid, severity, message, detail, statement } = self;
        let mut entry = serde_json::json!({
            "timestamp": format!("2026-11-23 {time} UTC"), "user": "app", "dbname": "shop",
            "pid": pid.parse::<u32>().unwrap(), "session_id": format!("6565.{pid}"), "line_num": 1,
            "error_severity": severity, "message": message, "backend_type": "client backend",
        });
        for (name, text) in [("detail", &**detail), ("statement", *statement)] {
            if !text.is_empty() {
                entry[name] = text.into();
            }
        }
        format!("{entry}\n")
    }
}

/// What a report shows, as the stories write it.
fn shown(report: &Report) -> Vec<String> {
    let text = |fingerprint: &str| {
        let row = report.statements.iter().find(|row| row.fingerprint == fingerprint);
        row.map_or("", |row| row.sql.as_str())
    };
    let mut lines: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| !finding.minor)
        .map(|finding| {
            let micros = finding.cost.duration_us.0;
            format!(
                "{} {} {} {}.{:03} | {}",
                finding.kind,
                finding.evidence.units,
                finding.cost.statements,
                micros / 1000,
                micros % 1000,
                text(&finding.fingerprint)
            )
        })
        .collect();
    lines.sort();
    lines
}

struct Story<'s> {
    name: &'s str,
    log: Vec<Line<'s>>,
    expected: Vec<String>,
}

fn stories(text: &str) -> Vec<Story<'_>> {
    text.split("\n## ")
        .skip(1)
        .map(|story| {
            let (name, rest) = story.split_once('\n').unwrap();
            let (log, expected) = rest.split_once("\n=").unwrap();
            let mut expected: Vec<String> =
                expected.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
            expected.sort();
            let log = log.lines().map(str::trim).filter(|line| !line.is_empty()).map(Line::of).collect();
            Story { name, log, expected }
        })
        .collect()
}

#[test]
fn every_story_has_the_findings_that_were_counted_by_hand() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/findings_counted.txt")).unwrap();
    let stories = stories(&text);
    let mut wrong = String::new();
    for story in &stories {
        type Written = fn(&Line<'_>) -> String;
        let formats: [(&str, Option<&str>, Written); 3] = [
            ("stderr", Some(PREFIX), |line| line.stderr()),
            ("csvlog", None, |line| line.csv()),
            ("jsonlog", None, |line| line.json()),
        ];
        for (format, prefix, render) in formats {
            let entries: Vec<String> = story.log.iter().map(render).collect();
            let (whole, half) = (entries.concat(), entries.len() / 2);
            let (first, second) = (entries[..half].concat(), entries[half..].concat());
            let rotated = [&*first, &*second];
            for (how, files, chunk) in [
                ("whole", &[&*whole][..], 1 << 20),
                ("in pieces", &[&*whole][..], 64),
                ("in two files", &rotated[..], 1 << 20),
            ] {
                let found = shown(&analyse_files(files, prefix, Config::default(), chunk));
                if found != story.expected && !wrong.contains(story.name) {
                    wrong += &format!("## {} ({format}, {how})\n{}\n\n", story.name, found.join("\n"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "found in fact:\n{wrong}");
}

#[test]
fn the_lock_waits_of_a_hot_row_stand_beside_it() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/findings_counted.txt")).unwrap();
    let stories = stories(&text);
    let story = stories.iter().find(|story| story.name.starts_with("what the updates of a hot row")).unwrap();
    let log: String = story.log.iter().map(Line::stderr).collect();
    let report = common::analyse(&log, PREFIX);
    let numbers: Vec<(&str, u64)> =
        report.findings[0].evidence.numbers.iter().map(|(name, number)| (name.as_str(), *number)).collect();
    // 10 updates of 0.1 ms and 40 of 1.1 ms; one of them waited for two seconds, and the log has both its lines.
    assert_eq!(
        numbers,
        [
            ("hottest_updates", 50),
            ("lock_waited_us", 2_000_500),
            ("lock_waits", 1),
            ("rows", 1),
            ("updates_us", 45_000)
        ]
    );
}

#[test]
fn an_insert_stands_beside_what_else_its_table_is_asked_for() {
    let line = |ms: &str, sql: &str| {
        format!("2026-11-23 14:00:01.000 UTC [7] app@shop LOG:  duration: {ms} ms  statement: {sql}\n")
    };
    let log = [
        line("1.000", "INSERT INTO visit (page) VALUES (1)"),
        line("1.000", "INSERT INTO visit (page) VALUES (2)"),
        line("0.300", "SELECT * FROM visit WHERE page = 2"),
        line("0.400", "SELECT * FROM page JOIN visit USING (page)"),
        line("0.700", "DELETE FROM visit WHERE page = 3"),
        line("0.900", "SELECT * FROM page"),
    ];
    let report = common::analyse(&log.concat(), PREFIX);
    let insert = &report.hot_inserts[0];
    assert_eq!((insert.table_reads.calls, insert.table_reads.duration_us.0), (2, 700));
    assert_eq!((insert.table_writes.calls, insert.table_writes.duration_us.0), (3, 2_700));
}
