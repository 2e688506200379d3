//! One small story about a server, written by hand in three formats and cut into chunks of any size: every section
//! of the report says what was counted on paper.

use std::io::{self, Cursor};

use pglens::analyze::{self, Settings};
use pglens::assemble::{self, Wishes};
use pglens::chunk::{Opened, Remarks, Source};
use pglens::report::{Actor, Note, Report, ServerEvents};

/// One record of the story; empty where it has no such part.
#[derive(Default, Clone, Copy)]
struct Told {
    /// Milliseconds after noon.
    at: u32,
    pid: u32,
    user: &'static str,
    database: &'static str,
    severity: &'static str,
    message: &'static str,
    detail: &'static str,
    context: &'static str,
    statement: &'static str,
}

fn log(at: u32, pid: u32, message: &'static str) -> Told {
    Told { at, pid, severity: "LOG", message, ..Told::default() }
}

fn app(at: u32, pid: u32, message: &'static str, statement: &'static str) -> Told {
    Told { user: "app", database: "shop", statement, ..log(at, pid, message) }
}

/// The story. Numbers in the tests below are counted here, by hand.
fn story() -> Vec<Told> {
    vec![
        log(0, 1, "starting PostgreSQL 15.1 on x86_64-pc-linux-gnu"),
        log(1, 1, "database system is ready to accept connections"),
        log(1_000, 100, "connection received: host=10.0.0.1 port=5001"),
        app(1_010, 100, "connection authorized: user=app database=shop application_name=web", ""),
        log(1_500, 101, "connection received: host=10.0.0.2 port=5002"),
        app(
            1_510,
            101,
            "connection authorized: user=app database=shop application_name=web SSL enabled (protocol=TLSv1.3, cipher=X, bits=256)",
            "",
        ),
        log(1_600, 102, "connection received: host=10.0.0.2 port=5003"),
        Told {
            user: "nobody",
            database: "shop",
            ..log(1_610, 102, "connection authorized: user=nobody database=shop")
        },
        Told {
            user: "nobody",
            database: "shop",
            severity: "FATAL",
            ..log(1_620, 102, "role \"nobody\" does not exist")
        },
        app(
            2_000,
            100,
            "temporary file: path \"base/pgsql_tmp/pgsql_tmp100.0\", size 1000",
            "SELECT * FROM a ORDER BY 'secret'",
        ),
        app(
            2_100,
            100,
            "temporary file: path \"base/pgsql_tmp/pgsql_tmp100.1\", size 3000",
            "SELECT * FROM a\n ORDER BY 'other'",
        ),
        // No STATEMENT: the CONTEXT of a function has it.
        Told {
            context: "SQL statement \"INSERT INTO b SELECT 'secret'\"\nPL/pgSQL function f() line 3 at SQL statement",
            ..app(2_200, 100, "temporary file: path \"base/pgsql_tmp/pgsql_tmp100.2\", size 500", "")
        },
        app(2_300, 100, "temporary file: path \"base/pgsql_tmp/pgsql_tmp100.3\", size 7", ""),
        Told {
            detail: "Process holding the lock: 100. Wait queue: 101.",
            context: "while updating tuple (0,7) in relation \"hot\"",
            ..app(
                3_000,
                101,
                "process 101 still waiting for ShareLock on transaction 880 after 1000.250 ms",
                "UPDATE hot SET n = 1 WHERE id = 2",
            )
        },
        Told {
            context: "while updating tuple (0,7) in relation \"hot\"",
            ..app(
                4_000,
                101,
                "process 101 acquired ShareLock on transaction 880 after 2000.500 ms",
                "UPDATE hot SET n = 1 WHERE id = 2",
            )
        },
        Told {
            severity: "ERROR",
            detail: "Process 101 waits for ShareLock on transaction 885; blocked by process 100.\n\
                Process 100 waits for ShareLock on transaction 884; blocked by process 101.\n\
                Process 101: UPDATE hot SET n = 'secret'\n WHERE id = 3\n\
                Process 100: DELETE FROM hot WHERE id = 4",
            context: "while updating tuple (0,8) in relation \"hot\"",
            ..app(5_000, 101, "deadlock detected", "UPDATE hot SET n = 'secret'\n WHERE id = 3")
        },
        Told {
            severity: "ERROR",
            ..app(5_500, 101, "canceling statement due to statement timeout", "SELECT pg_sleep(10)")
        },
        Told {
            severity: "ERROR",
            ..app(5_600, 101, "canceling statement due to user request", "SELECT pg_sleep(20)")
        },
        log(6_000, 2, "checkpoint starting: time"),
        log(
            6_900,
            2,
            "checkpoint complete: wrote 10 buffers (0.1%); 1 WAL file(s) added, 2 removed, 3 recycled; write=0.500 s, sync=0.250 s, total=0.900 s; sync files=4, longest=0.200 s, average=0.050 s; distance=16 kB, estimate=20 kB",
        ),
        log(6_950, 2, "checkpoints are occurring too frequently (5 seconds apart)"),
        log(
            7_000,
            3,
            "automatic aggressive vacuum of table \"shop.public.hot\": index scans: 1\npages: 2 removed, 30 remain, 32 scanned (100.00% of total)\ntuples: 400 removed, 500 remain, 6 are dead but not yet removable\nbuffer usage: 70 hits, 8 misses, 9 dirtied\nWAL usage: 10 records, 11 full page images, 1200 bytes\nsystem usage: CPU: user: 0.10 s, system: 0.20 s, elapsed: 1.50 s",
        ),
        log(
            7_100,
            3,
            "automatic analyze of table \"shop.public.hot\"\navg read rate: 0.000 MB/s, avg write rate: 0.000 MB/s\nbuffer usage: 1 hits, 2 misses, 3 dirtied\nsystem usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.50 s",
        ),
        Told {
            severity: "ERROR",
            context: "automatic vacuum of table \"shop.public.hot\"",
            ..log(7_200, 3, "canceling autovacuum task")
        },
        log(7_300, 1, "received SIGHUP, reloading configuration files"),
        log(7_301, 1, "parameter \"log_min_duration_sample\" changed to \"100\""),
        log(7_302, 1, "parameter \"primary_conninfo\" changed to \"host=a password=secret\""),
        app(
            8_000,
            100,
            "disconnection: session time: 0:00:07.000 user=app database=shop host=10.0.0.1 port=5001",
            "",
        ),
        Told {
            detail: "Failed process was running: SELECT crash('secret')",
            ..log(9_000, 1, "server process (PID 101) was terminated by signal 11: Segmentation fault")
        },
        log(9_001, 1, "all server processes terminated; reinitializing"),
        log(9_002, 4, "database system was not properly shut down; automatic recovery in progress"),
        Told { severity: "WARNING", ..app(9_500, 100, "there is no transaction in progress", "COMMIT") },
        log(9_600, 1, "something that nobody knows"),
    ]
}

fn time(at: u32) -> String {
    format!("2026-11-23 12:00:{:02}.{:03} UTC", at / 1000, at % 1000)
}

fn stderr(story: &[Told]) -> String {
    let mut log = String::new();
    for told in story {
        let who = match told.user {
            "" => String::new(),
            user => format!("{user}@{} ", told.database),
        };
        let parts = [
            (told.severity, told.message),
            ("DETAIL", told.detail),
            ("CONTEXT", told.context),
            ("STATEMENT", told.statement),
        ];
        for (name, text) in parts.iter().filter(|(_, text)| !text.is_empty()) {
            let text = text.replace('\n', "\n\t");
            log.push_str(&format!("{} [{}] {who}{name}:  {text}\n", time(told.at), told.pid));
        }
    }
    log
}

/// The 26 columns of release 14.
fn csvlog(story: &[Told]) -> String {
    let quoted = |text: &str| match text {
        "" => String::new(),
        text => format!("\"{}\"", text.replace('"', "\"\"")),
    };
    let row = |told: &Told| {
        let columns = [
            time(told.at),
            quoted(told.user),
            quoted(told.database),
            told.pid.to_string(),
            String::new(),
            format!("65f00000.{:x}", told.pid),
            "1".to_owned(),
            String::new(),
            "2026-11-23 11:00:00 UTC".to_owned(),
            String::new(),
            "0".to_owned(),
            told.severity.to_owned(),
            "00000".to_owned(),
            quoted(told.message),
            quoted(told.detail),
            String::new(),
            String::new(),
            String::new(),
            quoted(told.context),
            quoted(told.statement),
            String::new(),
            String::new(),
            String::new(),
            quoted("client backend"),
            String::new(),
            "0".to_owned(),
        ];
        columns.join(",") + "\n"
    };
    story.iter().map(row).collect()
}

fn jsonlog(story: &[Told]) -> String {
    let row = |told: &Told| {
        let mut object = serde_json::json!({
            "timestamp": time(told.at),
            "pid": told.pid,
            "session_id": format!("65f00000.{:x}", told.pid),
            "line_num": 1,
            "session_start": "2026-11-23 11:00:00 UTC",
            "error_severity": told.severity,
            "message": told.message,
            "backend_type": "client backend",
        });
        let parts = [
            ("user", told.user),
            ("dbname", told.database),
            ("detail", told.detail),
            ("context", told.context),
            ("statement", told.statement),
        ];
        for (name, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
            object[name] = text.into();
        }
        object.to_string() + "\n"
    };
    story.iter().map(row).collect()
}

struct Memory(Vec<u8>);

impl Source for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn open(&mut self) -> io::Result<Opened> {
        Ok(Opened {
            bytes: Box::new(Cursor::new(std::mem::take(&mut self.0))),
            begin: 0,
            dialect: None,
            compression: None,
            ahead: false,
            remarks: Remarks::default(),
        })
    }
}

fn read(log: &str, chunk: usize, show_values: bool) -> Report {
    let settings = Settings { jobs: 1, chunk, ..Settings::default() };
    let source: Box<dyn Source> = Box::new(Memory(log.as_bytes().to_vec()));
    let analysis = analyze::analyze(vec![vec![source]], &settings);
    assemble::report(analysis, &Wishes { show_values, ..Wishes::default() })
}

/// What the story says in every format and however it is cut.
fn each(check: impl Fn(&Report)) {
    let story = story();
    for log in [stderr(&story), csvlog(&story), jsonlog(&story)] {
        for chunk in [1, 64, 1 << 20] {
            check(&read(&log, chunk, false));
        }
    }
}

fn events_of(server: &ServerEvents, kind: &str) -> Vec<(String, u64)> {
    let groups = server.groups.iter().filter(|group| group.kind == kind);
    groups.map(|group| (group.message.clone(), group.count)).collect()
}

#[test]
fn nothing_is_left_over() {
    each(|report| {
        assert_eq!(report.input.entries, 33);
        assert_eq!(report.input.skipped, []);
        assert_eq!(report.totals.statements, 0);
        // One FATAL, four ERRORs.
        assert_eq!(report.totals.errors, 5);
        assert_eq!((report.server.warnings, report.server.other), (1, 1));
        assert!(report.input.sampled);
    });
}

#[test]
fn lock_waits_and_deadlocks() {
    each(|report| {
        let locks = &report.locks;
        assert_eq!((locks.waiting, locks.acquired, locks.deadlocks), (1, 1, 1));
        assert_eq!((locks.waited_us.0, locks.max_us.0), (2_000_500, 2_000_500));
        let [wait] = &locks.waits[..] else { panic!("{:?}", locks.waits) };
        assert_eq!((wait.outcome.as_str(), wait.pid, &wait.blocked_by[..]), ("acquired", 101, &[100][..]));
        assert_eq!((wait.object.as_str(), wait.relation.as_deref()), ("transaction", Some("hot")));
        let [statement] = &locks.statements[..] else { panic!("{:?}", locks.statements) };
        assert_eq!((statement.waiting, statement.acquired), (1, 1));
        assert_eq!(statement.fingerprint, wait.fingerprint);
        let [deadlock] = &locks.deadlock_examples[..] else { panic!() };
        assert_eq!(deadlock.waits.len(), 2);
        assert_eq!(deadlock.statements.len(), 2);
        assert!(deadlock.statements[0].contains("hot") && !deadlock.statements[0].contains("secret"));
    });
}

#[test]
fn temporary_files() {
    each(|report| {
        let files = &report.temp_files;
        assert_eq!((files.count, files.bytes, files.max_bytes), (4, 4507, 3000));
        let counts: Vec<(u64, u64, bool)> =
            files.statements.iter().map(|row| (row.count, row.bytes, row.fingerprint.is_empty())).collect();
        // Two texts of one statement; one known by its CONTEXT; one unknown.
        assert_eq!(counts, [(2, 4000, false), (1, 500, false), (1, 7, true)]);
        assert_eq!(files.statements[2].sql, "(statement not in the log)");
        let sizes: Vec<(u64, u64)> = files.by_size.iter().map(|row| (row.up_to_bytes, row.count)).collect();
        assert_eq!(sizes, [(8, 1), (512, 1), (1024, 1), (4096, 1)]);
    });
}

#[test]
fn checkpoints_and_vacuums() {
    each(|report| {
        let checkpoints = &report.checkpoints;
        assert_eq!((checkpoints.started, checkpoints.completed, checkpoints.too_frequent), (1, 1, 1));
        assert_eq!(checkpoints.causes.keys().map(String::as_str).collect::<Vec<_>>(), ["time"]);
        assert_eq!(
            (checkpoints.buffers, checkpoints.distance_bytes, checkpoints.total_us.0),
            (10, 16_384, 900_000)
        );
        let vacuum = &report.autovacuum;
        assert_eq!((vacuum.vacuums, vacuum.aggressive, vacuum.analyzes, vacuum.cancelled), (1, 1, 1, 1));
        let [table] = &vacuum.tables[..] else { panic!("{:?}", vacuum.tables) };
        assert_eq!(table.table, "shop.public.hot");
        assert_eq!((table.duration_us.0, table.max_us.0, table.cpu_us.0), (2_000_000, 1_500_000, 300_000));
        assert_eq!((table.tuples_removed, table.tuples_remain, table.tuples_dead), (400, 500, 6));
        assert_eq!((table.buffer_hits, table.buffer_misses, table.buffer_dirtied), (71, 10, 12));
        assert_eq!((table.wal_records, table.wal_images, table.wal_bytes), (10, 11, 1200));
    });
}

#[test]
fn connections() {
    each(|report| {
        let connections = &report.connections;
        assert_eq!((connections.received, connections.authorized, connections.disconnections), (3, 3, 1));
        assert_eq!((connections.encrypted, connections.session_us.0), (1, 7_000_000));
        // 100, 101, and for a moment 102, which was refused.
        assert_eq!(connections.concurrent, 3);
        let users: Vec<_> = connections
            .users
            .iter()
            .map(|row| (row.name.as_str(), row.calls, row.ended, row.duration_us.0, row.errors))
            .collect();
        // The deadlock and two cancelled statements; the FATAL. The vacuum's ERROR is nobody's.
        assert_eq!(users, [("app", 2, 1, 7_000_000, Some(3)), ("nobody", 1, 0, 0, Some(1))]);
        let hosts: Vec<(&str, u64)> =
            connections.hosts.iter().map(|row| (row.name.as_str(), row.calls)).collect();
        assert_eq!(hosts, [("10.0.0.1", 1), ("10.0.0.2", 2)]);
        let applications: Vec<(&str, u64)> =
            connections.applications.iter().map(|row| (row.name.as_str(), row.calls)).collect();
        assert_eq!(applications, [("web", 2), ("(none)", 1)]);
        // No record names one but those of connections.
        assert!(connections.applications.iter().all(|row| row.ended == 0 && row.errors.is_none()));
    });
}

/// The log as one piece and in small ones.
fn each_cut(log: &str, check: impl Fn(&Report)) {
    for chunk in [1, 64, 1 << 20] {
        check(&read(log, chunk, false));
    }
}

#[test]
fn session_time_is_that_of_sessions_that_ended() {
    let named = |second: u32, pid: u32, names: &str, text: &str| {
        format!("2026-11-23 12:00:{second:02}.000 UTC [{pid}] {names},client=10.0.0.1 {text}\n")
    };
    let web = "user=u,db=shop,app=web";
    let log = [
        named(
            1,
            7,
            "user=u,db=shop,app=[unknown]",
            "LOG:  connection authorized: user=u database=shop application_name=web",
        ),
        named(
            2,
            8,
            "user=u,db=shop,app=[unknown]",
            "LOG:  connection authorized: user=u database=shop application_name=web",
        ),
        named(3, 8, web, "ERROR:  division by zero"),
        named(3, 8, web, "STATEMENT:  SELECT 1/0"),
        named(
            11,
            7,
            web,
            "LOG:  disconnection: session time: 0:00:10.000 user=u database=shop host=10.0.0.1 port=5",
        ),
    ]
    .concat();
    each_cut(&log, |report| {
        let connections = &report.connections;
        for rows in [&connections.users, &connections.databases, &connections.applications] {
            let [row] = &rows[..] else { panic!("{rows:?}") };
            // Two connections, one of 10 seconds that ended: 10 seconds on average.
            assert_eq!((row.calls, row.ended, row.duration_us.0, row.errors), (2, 1, 10_000_000, Some(1)));
        }
    });
}

#[test]
fn routes_add_up() {
    let line = |second: u32, text: &str| format!("2026-11-23 12:00:{second:02}.000 UTC [7] u@shop {text}\n");
    let insert = "INSERT INTO c (id) VALUES (1) /*route='/customer'*/";
    let log = [
        line(1, "ERROR:  duplicate key value violates unique constraint \"c\""),
        line(1, &format!("STATEMENT:  {insert}")),
        line(2, "ERROR:  duplicate key value violates unique constraint \"c\""),
        line(2, &format!("STATEMENT:  {insert}")),
        line(3, "ERROR:  division by zero"),
        line(3, "STATEMENT:  SELECT 1/0"),
        line(4, &format!("LOG:  duration: 1.000 ms  statement: {insert}")),
        line(5, "LOG:  duration: 3.000 ms  statement: SELECT a FROM t"),
        // More rows of a portal: time, and no call.
        line(6, "LOG:  duration: 2.000 ms  execute fetch from c1: SELECT a FROM t"),
    ]
    .concat();
    each_cut(&log, |report| {
        let rows = |list: &[Actor]| -> Vec<(String, u64, u64, u64)> {
            list.iter().map(|row| (row.name.clone(), row.calls, row.duration_us.0, row.errors)).collect()
        };
        assert_eq!(
            rows(&report.totals.routes),
            [("(none)".to_owned(), 1, 5000, 1), ("/customer".to_owned(), 1, 1000, 2)]
        );
        assert_eq!(rows(&report.totals.users), [("u".to_owned(), 2, 6000, 3)]);
        let by_hour: u64 = report.totals.by_hour.iter().map(|row| row.all.duration_us.0).sum();
        assert_eq!((report.totals.statements, report.totals.duration_us.0, by_hour), (2, 6000, 6000));
        let insert = report.statements.iter().find(|row| row.kind == "insert").unwrap();
        assert_eq!(rows(&insert.routes), [("/customer".to_owned(), 1, 1000, 2)]);
        assert_eq!(rows(&insert.users), [("u".to_owned(), 1, 1000, 2)]);
    });
}

#[test]
fn rows_of_a_select_are_unknown() {
    let line = |sql: &str| {
        format!("2026-11-23 12:00:01.000 UTC [7] u@shop LOG:  duration: 500.000 ms  statement: {sql}\n")
    };
    let log = line("INSERT INTO item SELECT g FROM generate_series(1, 80000) g")
        + &line("INSERT INTO item VALUES (1), (2), (3)");
    each_cut(&log, |report| {
        let mut rows: Vec<_> = report.hot_inserts.iter().map(|row| row.rows).collect();
        rows.sort_unstable();
        assert_eq!(rows, [None, Some(3)]);
        let mut rows: Vec<_> = report.statements.iter().map(|row| row.rows).collect();
        rows.sort_unstable();
        assert_eq!(rows, [None, Some(3)]);
    });
}

#[test]
fn everything_else() {
    each(|report| {
        let server = &report.server;
        let count = |kind| events_of(server, kind).iter().map(|(_, count)| count).sum::<u64>();
        assert_eq!(count("crash"), 2);
        assert_eq!(count("recovery"), 1);
        assert_eq!(count("startup"), 2);
        assert_eq!(count("timeout"), 1);
        assert_eq!(count("cancelled"), 1);
        assert_eq!(count("authentication"), 1);
        assert_eq!(count("autovacuum"), 1);
        assert_eq!(count("parameter"), 3);
        let crash =
            server.groups.iter().find(|group| !group.statements.is_empty() && group.kind == "crash").unwrap();
        assert!(crash.statements[0].sql.contains("crash") && !crash.statements[0].sql.contains("secret"));
        let parameters: Vec<(&str, Option<&str>)> =
            server.parameters.iter().map(|change| (change.name.as_str(), change.value.as_deref())).collect();
        assert_eq!(parameters, [("log_min_duration_sample", Some("100")), ("primary_conninfo", Some("?"))]);
    });
}

#[test]
fn values_are_shown_only_on_request() {
    let story = story();
    for log in [stderr(&story), csvlog(&story), jsonlog(&story)] {
        let masked = serde_json::to_string(&read(&log, 1 << 20, false)).unwrap();
        assert!(!masked.contains("secret"), "{masked}");
        let shown = read(&log, 1 << 20, true);
        assert!(shown.locks.deadlock_examples[0].statements[0].contains("secret"));
        // A password stays where it is, whoever asks.
        assert_eq!(shown.server.parameters[1].value.as_deref(), Some("?"));
    }
}

/// Everything about the server, as JSON; the statements beside it are those of the events.
fn sections(report: &Report) -> serde_json::Value {
    serde_json::json!([
        report.locks,
        report.temp_files,
        report.checkpoints,
        report.autovacuum,
        report.connections,
        report.server
    ])
}

#[test]
fn all_formats_and_cuts_tell_the_same() {
    let story = story();
    let expected = sections(&read(&stderr(&story), 1 << 20, true));
    for log in [stderr(&story), csvlog(&story), jsonlog(&story)] {
        for chunk in [1, 64, 1000, 1 << 20] {
            assert_eq!(sections(&read(&log, chunk, true)), expected);
        }
    }
}

/// What PostgreSQL 15 logged about statements whose values are called HUNTER; each value reaches the log in another
/// way.
const HUNTERS: &str = r#"2026-11-23 14:00:01.000 UTC [1] ERROR:  invalid input syntax for type integer: "my"HUNTER011"
2026-11-23 14:00:01.000 UTC [1] STATEMENT:  select 'my"HUNTER011'::int;
2026-11-23 14:00:02.000 UTC [1] ERROR:  malformed array literal: "{"HUNTER015""
2026-11-23 14:00:02.000 UTC [1] DETAIL:  Unexpected end of input.
2026-11-23 14:00:02.000 UTC [1] STATEMENT:  select '{"HUNTER015"'::int[];
2026-11-23 14:00:03.000 UTC [1] ERROR:  duplicate key value violates unique constraint "acc_email_key"
2026-11-23 14:00:03.000 UTC [1] DETAIL:  Key (email)=(abc)HUNTER008) already exists.
2026-11-23 14:00:03.000 UTC [1] STATEMENT:  insert into acc values (4,'abc)HUNTER008','y',2);
2026-11-23 14:00:04.000 UTC [1] ERROR:  new row for relation "acc" violates check constraint "acc_pw_check"
2026-11-23 14:00:04.000 UTC [1] DETAIL:  Failing row contains (5, q, zz)HUNTER009_________, 2).
2026-11-23 14:00:05.000 UTC [1] ERROR:  missing data for column "m"
2026-11-23 14:00:05.000 UTC [1] CONTEXT:  COPY acc, line 1: "7	a"HUNTER022	x"HUNTER023"
2026-11-23 14:00:05.000 UTC [1] STATEMENT:  copy acc from stdin;
2026-11-23 14:00:06.000 UTC [1] ERROR:  invalid input syntax for type json
2026-11-23 14:00:06.000 UTC [1] DETAIL:  Token "HUNTER013" is invalid.
2026-11-23 14:00:06.000 UTC [1] CONTEXT:  JSON data, line 1: {"a": HUNTER013...
2026-11-23 14:00:07.000 UTC [1] ERROR:  division by zero
2026-11-23 14:00:07.000 UTC [1] CONTEXT:  SQL statement "SELECT 1/0 from acc where pw='he said "HUNTER028" ok'"
	PL/pgSQL function inline_code_block line 1 at PERFORM
2026-11-23 14:00:08.000 UTC [1] ERROR:  invalid XML document
2026-11-23 14:00:08.000 UTC [1] DETAIL:  line 1: Premature end of data in tag HUNTER083 line 1
	<HUNTER083>
	           ^
2026-11-23 14:00:09.000 UTC [1] ERROR:  secret is HUNTER025
2026-11-23 14:00:09.000 UTC [1] DETAIL:  token HUNTER026 rejected
2026-11-23 14:00:09.000 UTC [1] HINT:  use "HUNTER027"
2026-11-23 14:00:09.000 UTC [1] CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE
2026-11-23 14:00:10.000 UTC [1] ERROR:  deadlock detected
2026-11-23 14:00:10.000 UTC [1] DETAIL:  Process 1 waits for ShareLock on transaction 880; blocked by process 2.
	Process 2 waits for ShareLock on transaction 881; blocked by process 1.
	Process 1: update acc set pw=E'HUNTER202' where id=101
	Process 2: update acc set pw=$$HUNTER204$$ where id=100
2026-11-23 14:00:10.000 UTC [1] HINT:  See server log for query details.
2026-11-23 14:00:10.000 UTC [1] CONTEXT:  while updating tuple (0,5) in relation "acc"
2026-11-23 14:00:11.000 UTC [1] FEHLER:  ungültige Eingabesyntax für Typ integer: »HUNTER301«
"#;

#[test]
fn no_value_leaves_the_log() {
    let text = serde_json::to_string(&read(HUNTERS, 1 << 20, false)).unwrap();
    assert!(!text.contains("HUNTER"), "{text}");
    let words =
        ["acc_email_key", "Unexpected end of input.", "inline_code_block line 1 at PERFORM", "secret is ?"];
    for kept in words.into_iter().chain(["Process ?: UPDATE acc SET pw = ? WHERE id = ?"]) {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    let shown = serde_json::to_string(&read(HUNTERS, 1 << 20, true)).unwrap();
    assert!(shown.contains("HUNTER008") && shown.contains("HUNTER204"), "{shown}");
}

#[test]
fn passwords_are_not_shown_to_whoever_asks_for_values() {
    let log = "2026-11-23 14:00:01.000 UTC [1] LOG:  duration: 1.000 ms  statement: alter role r1 password 'HUNTER002'\n\
        2026-11-23 14:00:02.000 UTC [1] LOG:  duration: 1.000 ms  statement: select 'shown'\n\
        2026-11-23 14:00:03.000 UTC [1] ERROR:  could not connect to the publisher: timeout\n\
        2026-11-23 14:00:03.000 UTC [1] STATEMENT:  create subscription s connection 'host=h password=HUNTER057' publication p\n";
    let text = serde_json::to_string(&read(log, 1 << 20, true)).unwrap();
    assert!(text.contains("'shown'") && !text.contains("HUNTER"), "{text}");
}

fn codes(report: &Report) -> Vec<&str> {
    report.input.notes.iter().map(|note| note.code.as_str()).collect()
}

#[test]
fn who_has_no_statements_is_told_why() {
    let log = "2026-11-23 14:00:01.000 UTC [1] LOG:  checkpoint starting: time\n";
    assert_eq!(codes(&read(log, 64, false)), ["no_statements"]);
    let german = "2026-11-23 14:00:01.000 UTC [1] FEHLER:  Relation »x« existiert nicht\n\
        2026-11-23 14:00:01.000 UTC [1] ANWEISUNG:  select * from x\n";
    let report = read(german, 64, false);
    assert_eq!(codes(&report), ["language"]);
    assert!(report.input.notes[0].text.contains("in German"), "{}", report.input.notes[0].text);
    let filtered = Note { code: "filtered".into(), text: "--since 2030-01-01".into() };
    let source: Box<dyn Source> = Box::new(Memory(log.as_bytes().to_vec()));
    let analysis = analyze::analyze(vec![vec![source]], &Settings::default());
    let report = assemble::report(analysis, &Wishes { notes: vec![filtered], ..Wishes::default() });
    assert_eq!(codes(&report), ["filtered", "nothing_left"]);
}
