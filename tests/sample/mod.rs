//! A report made by hand: one day of a survey application, with every part of the contract filled. The same on
//! every run.

#![allow(dead_code, reason = "each test crate uses its own part of the sample")]
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may end where a value is missing, and is no crate of its own"
)]

mod judged;
mod server;

use std::collections::BTreeMap;

use pglens::report::*;
use pglens::sql::normalise;
use pglens::units::{Micros, Timestamp};

/// Midnight of the day that the sample shows.
pub const MIDNIGHT: i64 = 1_790_035_200;

/// Hours of the sample.
const HOURS: u64 = 24;

/// How busy each hour is, in thousandths of the day.
const SHAPE: [u64; 24] =
    [8, 6, 5, 4, 5, 9, 18, 34, 58, 72, 78, 74, 62, 70, 76, 74, 66, 58, 52, 48, 42, 36, 28, 17];

fn at(second: u64) -> Timestamp {
    Timestamp::from_second(MIDNIGHT + i64::try_from(second).unwrap())
}

fn at_us(second: u64, us: u64) -> Timestamp {
    Timestamp(at(second).0 + i64::try_from(us).unwrap())
}

/// A statement of the sample, by what matters about it.
struct Row {
    sql: &'static str,
    kind: &'static str,
    table: &'static str,
    calls: u64,
    mean_us: u64,
    distinct: Option<u64>,
    rows: Option<u64>,
}

const fn row(
    sql: &'static str,
    kind: &'static str,
    table: &'static str,
    calls: u64,
    mean_us: u64,
    distinct: Option<u64>,
    rows: Option<u64>,
) -> Row {
    Row { sql, kind, table, calls, mean_us, distinct, rows }
}

const ROWS: [Row; 22] = [
    row(
        "select c.id, c.question_id, c.position, c.label, c.value from choices c where c.question_id = ? order by c.position",
        "select",
        "choices",
        312_480,
        2_140,
        Some(1_920),
        None,
    ),
    row(
        "insert into answers (respondent_id, question_id, choice_id, text, answered_at) values (?, ?, ?, ?, now()) returning id",
        "insert",
        "answers",
        148_210,
        1_320,
        Some(148_002),
        Some(148_210),
    ),
    row(
        "select s.id, s.title, s.locale, s.opens_at, s.closes_at, s.settings from surveys s where s.id = ?",
        "select",
        "surveys",
        131_904,
        940,
        Some(48),
        None,
    ),
    row(
        "select r.id, r.survey_id, r.token, r.state, r.started_at, r.finished_at from respondents r where r.token = ?",
        "select",
        "respondents",
        98_417,
        780,
        Some(18_204),
        None,
    ),
    row(
        "select q.id, q.kind, q.title, q.required, q.position from questions q where q.page_id = ? order by q.position",
        "select",
        "questions",
        71_042,
        1_460,
        Some(312),
        None,
    ),
    row(
        "update respondents set state = ?, last_page_id = ?, last_seen_at = now() where id = ?",
        "update",
        "respondents",
        42_806,
        2_460,
        Some(42_790),
        None,
    ),
    row(
        "select count(*) from answers a join questions q on q.id = a.question_id where q.survey_id = ? and a.answered_at >= ?",
        "select",
        "answers",
        1_284,
        412_000,
        Some(61),
        None,
    ),
    row(
        "insert into events (respondent_id, name, payload, created_at) values (?, ?, ?, now())",
        "insert",
        "events",
        88_940,
        610,
        Some(88_940),
        Some(88_940),
    ),
    row(
        "select r.* from skip_rules r where r.question_id = ?",
        "select",
        "skip_rules",
        61_220,
        320,
        Some(1_920),
        None,
    ),
    row(
        "insert into page_views (respondent_id, page_id, user_agent, viewed_at) values (?, ?, ?, now())",
        "insert",
        "page_views",
        52_110,
        540,
        Some(52_110),
        Some(52_110),
    ),
    row(
        "select a.id, a.text, a.choice_id, q.title, r.token from answers a join questions q on q.id = a.question_id left join respondents r on r.id = a.respondent_id where q.survey_id = ? and (a.text ilike ? or r.token = ?) and a.answered_at between ? and ? order by a.answered_at desc limit ? offset ?",
        "select",
        "answers",
        412,
        1_840_000,
        Some(398),
        None,
    ),
    row(
        "select p.id, p.title, p.position from pages p where p.survey_id = ? order by p.position",
        "select",
        "pages",
        24_006,
        610,
        Some(48),
        None,
    ),
    row(
        "select t.key, t.text from translations t where t.locale = ? and t.survey_id = ?",
        "select",
        "translations",
        23_118,
        1_220,
        Some(96),
        None,
    ),
    row("begin", "transaction", "", 48_102, 30, None, None),
    row("commit", "transaction", "", 47_988, 1_910, None, None),
    row(
        "update quotas set filled = filled + ? where survey_id = ? and name = ?",
        "update",
        "quotas",
        8_204,
        8_420,
        Some(112),
        None,
    ),
    row("delete from sessions where expires_at < now()", "delete", "sessions", 1_440, 14_200, Some(1), None),
    row(
        "with recent as (select respondent_id, max(answered_at) as at from answers where answered_at > ? group by respondent_id) select s.id, count(*) from recent join respondents r on r.id = recent.respondent_id join surveys s on s.id = r.survey_id group by s.id order by 2 desc limit ?",
        "select",
        "answers",
        96,
        2_940_000,
        Some(4),
        None,
    ),
    row(
        "copy exports_answers to stdout with (format csv, header)",
        "copy",
        "exports_answers",
        14,
        8_240_000,
        None,
        None,
    ),
    row("select pg_advisory_xact_lock(?)", "select", "", 8_204, 410, Some(112), None),
    row("set application_name to ?", "utility", "", 2_204, 40, None, None),
    row(
        "create index concurrently if not exists answers_answered_at_idx on answers (answered_at)",
        "ddl",
        "answers",
        1,
        48_200_000,
        None,
        None,
    ),
];

fn normalised(sql: &str) -> String {
    normalise(sql.as_bytes(), 1 << 20)
}

fn fingerprint(i: usize) -> String {
    let n = u64::try_from(i).unwrap() + 1;
    format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995_1234_5678)
}

fn actors(names: &[(&str, u64)], calls: u64, us: u64) -> Vec<Actor> {
    names
        .iter()
        .map(|(name, permille)| Actor {
            name: (*name).to_owned(),
            calls: calls * permille / 1000,
            duration_us: Micros(us * permille / 1000),
            errors: if calls > 100_000 { permille / 60 } else { 0 },
        })
        .filter(|actor| actor.calls > 0)
        .collect()
}

const USERS: [(&str, u64); 3] = [("survey_app", 931), ("survey_worker", 58), ("report_reader", 11)];
const DATABASES: [(&str, u64); 2] = [("survey", 984), ("survey_archive", 16)];
const APPLICATIONS: [(&str, u64); 4] =
    [("survey-app: web", 884), ("survey-app: worker", 92), ("metabase", 18), ("psql", 6)];
const HOSTS: [(&str, u64); 4] =
    [("10.20.1.14", 352), ("10.20.1.15", 341), ("10.20.1.16", 249), ("10.20.7.2", 58)];
const ROUTES: [(&str, u64); 5] = [
    ("GET /s/:token/:page", 542),
    ("POST /s/:token/answers", 318),
    ("GET /s/:token", 84),
    ("GET /admin/surveys/:id", 38),
    ("job: close_surveys", 18),
];

fn statement(i: usize, row: &Row) -> Statement {
    let total = row.calls * row.mean_us;
    let timed = row.calls > 0;
    let by_hour: Vec<HourLoad> = (0..HOURS)
        .map(|h| {
            let wobble = 900 + (h * 37 + i as u64 * 101) % 220;
            let calls = row.calls * SHAPE[h as usize] * wobble / 1_000_000;
            HourLoad { hour: at(h * 3600), calls, duration_us: Micros(calls * row.mean_us) }
        })
        .filter(|h| h.calls > 0)
        .collect();
    let times = [26, 11, 7];
    Statement {
        fingerprint: fingerprint(i),
        sql: normalised(row.sql),
        kind: row.kind.to_owned(),
        explain: None,
        locking: false,
        tables: if row.table.is_empty() { vec![] } else { vec![row.table.to_owned()] },
        reads: if row.kind == "select" && !row.table.is_empty() { vec![row.table.to_owned()] } else { vec![] },
        writes: match row.kind {
            "insert" | "update" | "delete" => vec![row.table.to_owned()],
            _ => vec![],
        },
        calls: row.calls,
        timed: row.calls,
        errors: if row.kind == "insert" { row.calls / 9_000 } else { 0 },
        duration_us: Micros(total),
        min_us: timed.then_some(Micros(if row.calls == 1 { row.mean_us } else { row.mean_us / 7 })),
        max_us: timed.then_some(Micros(row.mean_us * if row.calls == 1 { 1 } else { 26 })),
        mean_us: timed.then_some(Micros(row.mean_us)),
        p50_us: timed.then_some(Micros(if row.calls == 1 { row.mean_us } else { row.mean_us * 8 / 10 })),
        p95_us: timed.then_some(Micros(if row.calls == 1 { row.mean_us } else { row.mean_us * 26 / 10 })),
        p99_us: timed.then_some(Micros(if row.calls == 1 { row.mean_us } else { row.mean_us * 61 / 10 })),
        parse_us: Micros(total / 90),
        bind_us: Micros(total / 40),
        rows: row.rows,
        distinct_params: row.distinct.map(|count| Distinct {
            count,
            exact: count < 100_000,
            error_permille: if count < 100_000 { 0 } else { 8 },
        }),
        query_ids: vec![-4_203_947_123_987_112 + i64::try_from(i).unwrap() * 7_919],
        truncated: false,
        by_hour,
        users: actors(&USERS[..2], row.calls, total),
        databases: actors(&DATABASES[..1], row.calls, total),
        applications: actors(&APPLICATIONS[..2], row.calls, total),
        hosts: actors(&HOSTS, row.calls, total),
        routes: if row.table.is_empty() { vec![] } else { actors(&ROUTES[..3], row.calls, total) },
        examples: times
            .iter()
            .enumerate()
            .take(usize::try_from(row.calls.min(3)).unwrap())
            .map(|(n, factor)| example(i, n, row.mean_us * if row.calls == 1 { 1 } else { *factor }))
            .collect(),
        plan: (i == 10).then(|| Plan {
            format: "text".to_owned(),
            time: Some(at(40_217)),
            duration_us: Micros(row.mean_us * 26),
            text: "Limit  (cost=18412.07..18412.20 rows=50 width=96) (actual time=47832.1..47832.2 rows=50 loops=1)\n  ->  Sort  (cost=18412.07..18419.31 rows=2896 width=96) (actual time=47832.1..47832.1 rows=50 loops=1)\n        Sort Key: a.answered_at DESC\n        ->  Hash Join  (cost=812.40..18315.87 rows=2896 width=96) (actual time=21.7..47801.9 rows=8812 loops=1)\n              ->  Seq Scan on answers a  (cost=0.00..16802.10 rows=148210 width=80) (actual time=0.1..47640.8 rows=148210 loops=1)\n                    Filter: ((text ~~* ?) AND (answered_at >= ?))".to_owned(),
            rows: Some(50),
            slowest_node: Some("Seq Scan on answers a".to_owned()), ..Default::default() }),
    }
}

fn example(i: usize, n: usize, us: u64) -> Example {
    let second = 36_000 + (i as u64 * 811 + n as u64 * 2_917) % 21_600;
    Example {
        time: Some(at_us(second, 123_000 + i as u64 * 7_000)),
        duration_us: Some(Micros(us)),
        user: "survey_app".to_owned(),
        database: "survey".to_owned(),
        application: "survey-app: web".to_owned(),
        host: HOSTS[(i + n) % 3].0.to_owned(),
        pid: 21_400 + u32::try_from(i * 3 + n).unwrap(),
        sql: None,
        params: None,
    }
}

/// The whole report.
pub fn report() -> Report {
    let mut statements: Vec<Statement> = ROWS.iter().enumerate().map(|(i, row)| statement(i, row)).collect();
    let total: u64 = statements.iter().map(|s| s.duration_us.0).sum();
    let calls: u64 = statements.iter().map(|s| s.calls).sum();
    let mut by_kind: BTreeMap<String, Load> = [
        "select",
        "insert",
        "update",
        "delete",
        "merge",
        "copy",
        "ddl",
        "utility",
        "transaction",
        "cursor",
        "other",
    ]
    .map(|kind| (kind.to_owned(), Load::default()))
    .into();
    for s in &statements {
        let load = by_kind.get_mut(&s.kind).unwrap();
        load.calls += s.calls;
        load.duration_us += s.duration_us;
    }
    let by_hour = hours(&statements);
    let mut redundant: Vec<RedundantSelect> = statements
        .iter()
        .filter(|s| s.kind == "select")
        .filter_map(|s| {
            let distinct = s.distinct_params?;
            let repeats = s.calls - distinct.count;
            Some(RedundantSelect {
                fingerprint: s.fingerprint.clone(),
                calls: s.calls,
                distinct_params: distinct,
                repeats,
                repeats_us: Micros(s.duration_us.0 / s.calls * repeats),
            })
        })
        .collect();
    redundant.sort_by(|a, b| b.repeats.cmp(&a.repeats).then_with(|| a.fingerprint.cmp(&b.fingerprint)));
    let load = |all: &[Statement], tables: fn(&Statement) -> &Vec<String>, insert: &Statement| {
        let table = &insert.writes[0];
        let mut load = Load::default();
        for other in all.iter().filter(|other| tables(other).contains(table)) {
            load.calls += other.calls;
            load.duration_us += other.duration_us;
        }
        load
    };
    let hot_inserts = statements
        .iter()
        .filter(|s| s.kind == "insert")
        .map(|s| HotInsert {
            fingerprint: s.fingerprint.clone(),
            table: s.writes.first().cloned(),
            calls: s.calls,
            rows: s.rows,
            duration_us: s.duration_us,
            peak: Some(Peak { calls: 12 + s.calls / 2_400, at: at(37_842) }),
            table_reads: load(&statements, |other| &other.reads, s),
            table_writes: load(&statements, |other| &other.writes, s),
        })
        .collect();
    let mut slowest: Vec<SlowCall> = statements
        .iter()
        .flat_map(|s| {
            s.examples.iter().map(|call| SlowCall { fingerprint: s.fingerprint.clone(), call: call.clone() })
        })
        .collect();
    slowest.sort_by(|a, b| {
        b.call.duration_us.cmp(&a.call.duration_us).then_with(|| a.fingerprint.cmp(&b.fingerprint))
    });
    slowest.truncate(30);
    let errors = errors();
    let findings = judged::findings(&statements);
    let forecasts = Some(judged::forecasts(&statements, calls, total));
    statements
        .sort_by(|a, b| b.duration_us.cmp(&a.duration_us).then_with(|| a.fingerprint.cmp(&b.fingerprint)));
    Report {
        schema: SCHEMA.to_owned(),
        input: input(),
        totals: Totals {
            statements: calls,
            timed: calls,
            duration_us: Micros(total),
            parse_us: Micros(total / 90),
            bind_us: Micros(total / 40),
            fingerprints: statements.len() as u64,
            errors: errors.iter().map(|e| e.count).sum(),
            distinct_errors: errors.len() as u64,
            unidentified: Load::default(),
            from_plans: 0,
            peak: Some(Peak { calls: 184, at: at(37_842) }),
            first: Some(at_us(2, 113_000)),
            last: Some(at_us(86_398, 872_000)),
            by_kind,
            by_hour,
            traffic: traffic(calls),
            users: actors(&USERS, calls, total),
            databases: actors(&DATABASES, calls, total),
            applications: actors(&APPLICATIONS, calls, total),
            hosts: actors(&HOSTS, calls, total),
            routes: actors(&ROUTES, calls, total),
        },
        redundant_selects: redundant,
        hot_inserts,
        slowest,
        errors,
        locks: server::locks(&statements),
        temp_files: server::temp_files(&statements),
        checkpoints: server::checkpoints(),
        autovacuum: server::autovacuum(),
        connections: server::connections(),
        server: server::events(),
        judged: Judged::default(),
        findings,
        forecasts,
        statements,
    }
}

/// The same log without what findings and server sections need: a bare `log_min_duration_statement = 0`.
pub fn bare() -> Report {
    Report {
        findings: vec![],
        forecasts: None,
        locks: Locks::default(),
        temp_files: TempFiles::default(),
        checkpoints: Checkpoints::default(),
        autovacuum: Autovacuum::default(),
        connections: Connections::default(),
        server: ServerEvents::default(),
        errors: vec![],
        ..report()
    }
}

/// A report of `n` statements, for what size does to an output.
pub fn large(n: u64) -> Report {
    let mut report = report();
    let model = report.statements[10].clone();
    for i in 0..n {
        let mut s = model.clone();
        s.fingerprint = format!("{:016x}", (i + 1).wrapping_mul(0xd6e8_feb8_6659_fd93));
        s.sql = format!("SELECT col_{i}, {} FROM table_{} WHERE id = ?", "abcdefgh, ".repeat(40), i % 211);
        s.calls = 1 + i % 977;
        s.duration_us = Micros(s.calls * (100 + i * 13 % 90_000));
        report.statements.push(s);
    }
    report
        .statements
        .sort_by(|a, b| b.duration_us.cmp(&a.duration_us).then_with(|| a.fingerprint.cmp(&b.fingerprint)));
    report.totals.fingerprints = report.statements.len() as u64;
    report
}

/// What a hostile log puts into every name and text.
pub const HOSTILE: &str = "</script><!--<script>alert(1)</script><img src=x onerror=alert(2)>\"' onmouseover='alert(3)' x=\"`|@everyone #1 =1+1 {{7*7}} \u{1b}[31m\u{1b}]0;t\u{7}\u{9b}2J\u{7f}\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}\r\n::error file=x::pwned\n##[error]pwned\n=cmd|' /C calc'!A0\t";

/// The sample with [`HOSTILE`] in every text that a log could have put there.
pub fn hostile() -> Report {
    let mut json = serde_json::to_value(report()).unwrap();
    poison(&mut json);
    serde_json::from_value(json).unwrap()
}

fn poison(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::String(text) => {
            // Instants must stay instants, or the report would not be one.
            if serde_json::from_value::<Timestamp>(Value::String(text.clone())).is_err() {
                *text = format!("{HOSTILE}{text}{HOSTILE}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(poison),
        Value::Object(fields) => fields.values_mut().for_each(poison),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn input() -> Input {
    Input {
        bytes: 512_318_422,
        entries: 2_431_006,
        files: vec![
            InputFile {
                name: "postgresql-2026-09-22_a.log.gz".to_owned(),
                bytes: 300_112_004,
                entries: 1_420_882,
                format: "stderr".to_owned(),
                prefix: Some("%m [%p] %q%u@%d ".to_owned()),
                compression: Some("gzip".to_owned()),
                first: Some(at(2)),
                last: Some(at(50_400)),
                error: None,
            },
            InputFile {
                name: "postgresql-2026-09-22_b.log".to_owned(),
                bytes: 212_206_418,
                entries: 1_010_124,
                format: "stderr".to_owned(),
                prefix: Some("%m [%p] %q%u@%d ".to_owned()),
                compression: None,
                first: Some(at(50_400)),
                last: Some(at(86_399)),
                error: None,
            },
        ],
        format: "stderr".to_owned(),
        prefix: Some("%m [%p] %q%u@%d ".to_owned()),
        prefix_given: false,
        first: Some(at(2)),
        last: Some(at(86_399)),
        skipped: vec![Skipped {
            reason: "cut_start".to_owned(),
            count: 1,
            bytes: 214,
            first: Position { file: "postgresql-2026-09-22_a.log.gz".to_owned(), line: Some(1), byte: 0 },
        }],
        sampled: false,
        unknown_zones: vec![],
        gaps: vec![Gap { from: at(11_212), to: at(12_004) }],
        notes: vec![Note {
            code: "no_query_id".to_owned(),
            text: "The prefix has no %Q, so statements cannot be joined with pg_stat_statements.".to_owned(),
        }],
    }
}

fn hours(statements: &[Statement]) -> Vec<Hour> {
    (0..HOURS)
        .map(|h| {
            let hour = at(h * 3600);
            let sum = |kind: &str| {
                let mut load = Load::default();
                for s in statements.iter().filter(|s| kind.is_empty() || s.kind == kind) {
                    for b in s.by_hour.iter().filter(|b| b.hour == hour) {
                        load.calls += b.calls;
                        load.duration_us += b.duration_us;
                    }
                }
                load
            };
            Hour {
                hour,
                all: sum(""),
                select: sum("select"),
                insert: sum("insert"),
                update: sum("update"),
                delete: sum("delete"),
                errors: SHAPE[h as usize] / 20,
            }
        })
        .collect()
}

fn traffic(calls: u64) -> Vec<Traffic> {
    (0..HOURS * 12)
        .map(|i| {
            let (this, next) = (SHAPE[(i / 12) as usize], SHAPE[((i / 12 + 1) % 24) as usize]);
            let shape = (this * (12 - i % 12) + next * (i % 12)) * 1000 / 12;
            let calls = calls * shape / 12_000_000 * (880 + i * 7919 % 240) / 1000;
            Traffic { at: at(i * 300), calls, max: calls / 300 * 2 + 4 + i * 31 % 23, min: calls / 900 }
        })
        .collect()
}

fn errors() -> Vec<ErrorGroup> {
    let group = |n: u64,
                 severity: &str,
                 state: &str,
                 class: &str,
                 message: &str,
                 count: u64,
                 detail: Option<&str>,
                 statement: usize| {
        ErrorGroup {
            id: format!("{:016x}", n * 0x1234_5678_9abc),
            severity: severity.to_owned(),
            sqlstate: Some(state.to_owned()),
            class: Some(class.to_owned()),
            message: message.to_owned(),
            count,
            first: Some(at(20_000 + n * 311)),
            last: Some(at(70_000 + n * 977)),
            statements: vec![ErrorStatement {
                fingerprint: fingerprint(statement),
                sql: normalised(ROWS[statement].sql),
                count,
            }],
            examples: vec![ErrorExample {
                time: Some(at_us(20_000 + n * 311, 512_000)),
                user: "survey_app".to_owned(),
                database: "survey".to_owned(),
                application: "survey-app: web".to_owned(),
                host: "10.20.1.14".to_owned(),
                pid: 21_433,
                message: message.to_owned(),
                detail: detail.map(str::to_owned),
                hint: None,
                context: None,
                statement: Some(normalised(ROWS[statement].sql)),
            }],
        }
    };
    vec![
        group(
            1,
            "ERROR",
            "23505",
            "Integrity Constraint Violation",
            "duplicate key value violates unique constraint \"answers_respondent_id_question_id_key\"",
            38,
            Some("Key (respondent_id, question_id)=(?, ?) already exists."),
            1,
        ),
        group(
            2,
            "ERROR",
            "40P01",
            "Transaction Rollback",
            "deadlock detected",
            4,
            Some("Process ? waits for ShareLock on transaction ?; blocked by process ?."),
            15,
        ),
        group(
            3,
            "ERROR",
            "57014",
            "Operator Intervention",
            "canceling statement due to statement timeout",
            3,
            None,
            10,
        ),
        group(4, "FATAL", "53300", "Insufficient Resources", "sorry, too many clients already", 2, None, 0),
    ]
}
