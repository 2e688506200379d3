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
    assert!(stories.len() >= 50, "only {} stories", stories.len());
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
fn what_is_ignored_counts_again_once_the_log_is_past_its_day() {
    let insert = |value: u32| {
        format!(
            "2026-11-23 14:00:01.00{value} UTC [7] app@shop LOG:  duration: 0.400 ms  statement: INSERT INTO answer (value) VALUES ({value})\n"
        )
    };
    let inserts: String = (0..5).map(insert).collect();
    // The last statement is of the 23rd, the last entry of the 25th.
    let log = inserts + "2026-11-25 09:00:00.000 UTC [5] LOG:  checkpoint starting: time\n";
    for (expires, left_out) in [("2026-11-25", 1), ("2026-11-24", 0), ("2026-11-23", 0)] {
        let config = Config::parse(&format!(
            "schema = 1\n[[ignore]]\nkind = \"row_by_row_insert\"\nreason = \"seed\"\nexpires = {expires}\n"
        ));
        let report = common::analyse_with(&log, PREFIX, config.unwrap(), 1 << 20);
        assert_eq!(
            (report.judged.suppressed.len(), report.findings.len()),
            (left_out, 1 - left_out),
            "{expires}"
        );
    }
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

/// A log: each statement took 0.2 ms and came 2 ms after the one before.
fn log_of<'s>(calls: impl IntoIterator<Item = (u32, &'s str)>) -> String {
    let line = |(place, (pid, sql)): (usize, (u32, &str))| {
        let (second, milli) = (place * 2 / 1000, place * 2 % 1000);
        format!(
            "2026-11-23 14:00:{:02}.{milli:03} UTC [{pid}] app@shop LOG:  duration: 0.200 ms  statement: {sql}\n",
            second + 1
        )
    };
    calls.into_iter().enumerate().map(line).collect()
}

/// Statements before and after every change, and BEGIN and COMMIT among them.
fn combined(log: &str) -> [u64; 4] {
    let combined = common::analyse(log, PREFIX).forecasts.unwrap().combined;
    let number = |name: &str| combined.numbers.get(name).copied().unwrap_or(0);
    let transactions = [number("transaction_before"), number("transaction_after")];
    [combined.before.calls, combined.after.calls, transactions[0], transactions[1]]
}

#[test]
fn what_is_autocommitted_outside_of_requests_stays_so() {
    let updates: Vec<String> =
        (0..100).map(|n| format!("UPDATE counter SET n = {n} WHERE id = {n}")).collect();
    let inserts: Vec<String> = (0..6).map(|n| format!("INSERT INTO visit (page) VALUES ({n})")).collect();
    let updates = |some: std::ops::Range<usize>, pid: u32| {
        updates[some].iter().map(move |sql| (pid + (sql.len() % 5) as u32, &**sql)).collect::<Vec<_>>()
    };
    let inserts =
        |count: usize, pid: u32| inserts[..count].iter().map(move |sql| (pid, &**sql)).collect::<Vec<_>>();
    // Five INSERTs become one.
    assert_eq!(combined(&log_of([updates(0..100, 20), inserts(5, 7)].concat())), [105, 101, 0, 0]);
    // Ten times BEGIN, one INSERT instead of six, COMMIT, and three UPDATEs.
    let unit = |pid: u32| {
        let whole = [vec![(pid, "BEGIN")], inserts(6, pid), vec![(pid, "COMMIT")]].concat();
        [whole, updates(0..3, pid * 10)].concat()
    };
    assert_eq!(combined(&log_of((1..=10).flat_map(unit))), [110, 60, 20, 20]);
}

#[test]
fn a_request_that_batches_writes_in_one_transaction() {
    let tagged = |sql: &str, request: u32| format!("{sql} /*request_id='{request}'*/");
    let inserts = |request: u32| {
        (0..5).map(move |n| tagged(&format!("INSERT INTO visit (page) VALUES ({n})"), request))
    };
    let update = |request: u32| tagged("UPDATE counter SET n = 2 WHERE id = 1", request);
    // One batches and counts, one counts, one does so in a transaction already, one only reads.
    let mut calls: Vec<(u32, String)> = inserts(1).map(|sql| (7, sql)).collect();
    calls.extend([(7, update(1)), (8, update(2))]);
    calls.extend(["BEGIN", "UPDATE counter SET n = 2 WHERE id = 1", "COMMIT"].map(|sql| (9, tagged(sql, 3))));
    calls.push((10, tagged("SELECT n FROM counter WHERE id = 1", 4)));
    let log = log_of(calls.iter().map(|(pid, sql)| (*pid, &**sql)));
    // Four INSERTs fewer, two transactions more.
    assert_eq!(combined(&log), [11, 11, 2, 6]);
}

#[test]
fn caches_keep_what_depends_on_the_time_by_age_alone_and_nothing_that_depends_on_who_asks() {
    let curves = |sql: &str| {
        // Eight askings, each three seconds after the one before.
        let line = |n: u32| {
            let time = format!("14:00:{:02}.000", n * 3);
            format!(
                "2026-11-23 {time} UTC [{}] app@shop LOG:  duration: 0.200 ms  statement: {sql}\n",
                7 + n % 2
            )
        };
        let forecasts = common::analyse(&(0..8).map(line).collect::<String>(), PREFIX).forecasts.unwrap();
        let permille = |curve: usize| {
            forecasts.cache.curves[curve].points.iter().map(|point| point.1).collect::<Vec<_>>()
        };
        (forecasts.cache.after.calls, forecasts.write_through.after.calls, permille(0), permille(1))
    };
    // Kept for ten seconds, an answer serves three more askings: of eight, six are answered.
    let (aged, kept) = (vec![0, 750, 875, 875], vec![875]);
    let whole = [aged.clone(), kept].concat();
    assert_eq!(curves("SELECT a FROM t WHERE id = 1"), (1, 1, whole.clone(), whole));
    let aged = [aged, vec![0]].concat();
    assert_eq!(curves("SELECT a FROM t WHERE day = CURRENT_DATE AND id = 1"), (8, 8, aged.clone(), aged));
    let none = vec![0; 5];
    assert_eq!(curves("SELECT a FROM t WHERE owner = current_user AND id = 1"), (8, 8, none.clone(), none));
}

#[test]
fn a_write_that_names_no_row_drops_its_table_from_a_cache_by_the_row() {
    let left = |write: fn(u32) -> String| {
        let calls = (0..6).flat_map(|n| [write(n), "SELECT amount FROM price WHERE id = 4".to_owned()]);
        let calls: Vec<(u32, String)> = calls.map(|sql| (7, sql)).collect();
        let log = log_of(calls.iter().map(|(pid, sql)| (*pid, &**sql)));
        common::analyse(&log, PREFIX).forecasts.unwrap().write_through.after.calls
    };
    // The first asking finds nothing; the others an answer that the write left alone or brought up to date.
    assert_eq!(left(|n| format!("UPDATE price SET amount = {n} WHERE id = 9")), 1);
    assert_eq!(left(|n| format!("UPDATE price SET amount = {n} WHERE id = 4")), 0);
    // Which rows these wrote nobody knows.
    assert_eq!(left(|n| format!("UPDATE price SET amount = {n}")), 6);
    assert_eq!(left(|n| format!("UPDATE price SET amount = {n} WHERE id > 3")), 6);
}

#[test]
fn what_writes_nothing_is_no_commit() {
    let commits = |calls: &[&str]| {
        let log = log_of(calls.iter().map(|sql| (7, *sql)));
        common::analyse(&log, PREFIX).forecasts.unwrap().group_commit.before.calls
    };
    // Checked on PostgreSQL 15: none of these has flushed its commit when it returns.
    for sql in [
        "SELECT set_config('app.tenant', '5', true)",
        "SELECT pg_advisory_xact_lock(1)",
        "COPY page TO STDOUT",
        "SELECT pg_notify('a', 'b')",
        "SELECT pg_sleep(1)",
        "SELECT txid_current()",
        "EXPLAIN UPDATE page SET title = 'x'",
    ] {
        assert_eq!(commits(&[sql]), 0, "{sql}");
        assert_eq!(commits(&["BEGIN", sql, "COMMIT"]), 0, "{sql}");
    }
    for sql in [
        "SELECT setval('page_id_seq', 5)",
        "COPY page FROM STDIN",
        "EXPLAIN ANALYZE UPDATE page SET title = 'x'",
        "CREATE TEMPORARY TABLE basket (sku text)",
    ] {
        assert_eq!(commits(&[sql]), 1, "{sql}");
        assert_eq!(commits(&["BEGIN", sql, sql, "COMMIT"]), 1, "{sql}");
    }
}

#[test]
fn what_a_writing_function_of_the_configuration_changes_nobody_knows() {
    let question = "SELECT name FROM customer WHERE id = 7";
    let log = log_of(["BEGIN", question, "SELECT audit_log('x')", question, "COMMIT"].map(|sql| (7, sql)));
    let redundant = |toml: &str| {
        let report = common::analyse_with(&log, PREFIX, Config::parse(toml).unwrap(), 4096);
        report.findings.iter().filter(|finding| finding.kind == "redundant_select").count()
    };
    assert_eq!(redundant("schema = 1"), 1);
    assert_eq!(redundant("schema = 1\n[detect]\nwriting_functions = [\"audit_log\"]"), 0);
}

#[test]
fn repeats_over_the_whole_log_leave_out_what_is_not_asked_for_its_answer() {
    let calls = [
        "SELECT 1",
        "SELECT name FROM customer WHERE id = 7",
        "UPDATE customer SET name = 'x' WHERE id = 7",
        "SELECT nextval('s') FROM customer",
        "SELECT name FROM customer WHERE id = 7 FOR UPDATE",
        "SELECT relname FROM pg_catalog.pg_class WHERE oid = 3",
        "SELECT pg_advisory_lock(1)",
    ];
    let report = common::analyse(&log_of(calls.repeat(3).into_iter().map(|sql| (7, sql))), PREFIX);
    let rows: Vec<(u64, u64)> = report.redundant_selects.iter().map(|row| (row.calls, row.repeats)).collect();
    assert_eq!(rows, [(3, 2)]);
}

#[test]
fn a_read_that_its_request_and_its_transaction_hold_back_is_held_back_once() {
    let calls = [
        // Behind a transaction pooler: request `a` writes on one backend, then reads on another.
        (9, "INSERT INTO visit (page) VALUES (1) /*request_id='a'*/"),
        (7, "BEGIN"),
        (7, "SELECT title FROM page ORDER BY title /*request_id='a'*/"),
        (7, "INSERT INTO visit (page) VALUES (2) /*request_id='a'*/"),
        (7, "COMMIT"),
        (8, "SELECT title FROM page ORDER BY title /*request_id='b'*/"),
    ];
    let replica = common::analyse(&log_of(calls), PREFIX).forecasts.unwrap().replica;
    // The read of `b` may leave, of 0.2 ms, whatever the pin time; that of `a` stays.
    assert_eq!(replica.numbers["free_reads"], 1);
    assert_eq!((replica.before.calls, replica.before.duration_us.0), (2, 400));
    assert_eq!((replica.after.calls, replica.after.duration_us.0), (1, 200));
    assert!(replica.curves[0].points.iter().all(|point| point.1 == 1), "{:?}", replica.curves[0].points);
}

/// The example of the one finding of a rule: its statements, `*` before what is marked.
fn example(log: &str, rule: &str) -> Vec<String> {
    let report = common::analyse(log, PREFIX);
    let finding = report.findings.iter().find(|finding| finding.kind == rule).unwrap();
    let sql = |fingerprint: &str| {
        let row = report.statements.iter().find(|row| row.fingerprint == fingerprint).unwrap();
        row.sql.split(' ').next().unwrap().to_owned()
    };
    let line = |row: &pglens::report::TimelineRow| {
        format!("{}{}", if row.marked { "*" } else { "" }, sql(&row.fingerprint))
    };
    finding.evidence.example.iter().map(line).collect()
}

#[test]
fn the_example_of_a_look_or_a_reading_back_holds_the_write() {
    // Django's get_or_create.
    let look = log_of([
        (7, "BEGIN"),
        (7, "SELECT id FROM tag WHERE word = 'a'"),
        (7, "SAVEPOINT s1"),
        (7, "INSERT INTO tag (word) VALUES ('a')"),
        (7, "RELEASE SAVEPOINT s1"),
        (7, "COMMIT"),
    ]);
    assert_eq!(example(&look, "check_then_write"), ["BEGIN", "*SELECT", "SAVEPOINT", "INSERT"]);
    // The transaction before wrote what this one reads: what is between is left out.
    let back = log_of([
        (7, "BEGIN"),
        (7, "INSERT INTO tag (word) VALUES ('a')"),
        (7, "COMMIT"),
        (7, "BEGIN"),
        (7, "SAVEPOINT a"),
        (7, "SELECT id FROM tag WHERE word = 'a'"),
        (7, "COMMIT"),
    ]);
    assert_eq!(example(&back, "read_back"), ["INSERT", "BEGIN", "SAVEPOINT", "*SELECT", "COMMIT"]);
}

#[test]
fn each_statement_of_a_sequence_becomes_one() {
    let questions: Vec<String> = (1..=3)
        .flat_map(|n| {
            [
                format!("SELECT label FROM choice WHERE question_id = {n}"),
                format!("SELECT text FROM hint WHERE question_id = {n}"),
            ]
        })
        .collect();
    let sequence = questions.iter().map(|sql| (7, &**sql));
    let calls: Vec<(u32, &str)> =
        std::iter::once((7, "BEGIN")).chain(sequence).chain([(7, "COMMIT")]).collect();
    let report = common::analyse(&log_of(calls.iter().copied()), PREFIX);
    let found: Vec<&pglens::report::Finding> =
        report.findings.iter().filter(|finding| finding.kind == "n_plus_one").collect();
    let titles: Vec<&str> = found.iter().map(|finding| finding.title.as_str()).collect();
    for table in ["choice", "hint"] {
        let title = format!("{table}: one statement a row, 3 times in 1 transaction");
        assert!(titles.contains(&&*title), "{titles:?}");
    }
    // Of six questions two are left, and each finding names the other's statement.
    assert_eq!(found.iter().map(|finding| finding.cost.statements).sum::<u64>(), 4);
    assert_eq!(found[0].evidence.related, [found[1].fingerprint.clone()]);
    assert_eq!(found[1].evidence.related, [found[0].fingerprint.clone()]);
    // Nothing is before them that they could be joined to.
    assert!(found.iter().all(|finding| !finding.advice.contains("before")), "{}", found[0].advice);
    let forecasts = report.forecasts.as_ref().unwrap();
    assert_eq!((forecasts.prefetch.before.calls, forecasts.prefetch.after.calls), (6, 2));
    assert_eq!(forecasts.combined.numbers["select_after"], 2);

    // With a question that leads to them all, nothing is left of them.
    let led = [(7, "BEGIN"), (7, "SELECT id FROM question WHERE page_id = 3")].into_iter();
    let calls = led.chain(calls[1..].iter().copied());
    let report = common::analyse(&log_of(calls), PREFIX);
    let lead = report.statements.iter().find(|row| row.sql.contains("page_id")).unwrap();
    let named = |finding: &&pglens::report::Finding| finding.evidence.related.contains(&lead.fingerprint);
    assert_eq!(report.findings.iter().filter(named).count(), 2);
    assert_eq!(report.forecasts.unwrap().combined.numbers["select_after"], 1);
}
