//! The formulas: [`Sheet`] → [`Plan`].

use super::render::number as n;
use super::{Compared, Figure, Plan, Row, Section, Sheet, requests_per_taker, warnings};

/// Share of a web host's cores that may be busy: the middle of the talk's 50 to 60 %.
pub(super) const GOOD_UTILISATION: f64 = 0.55;
/// `superuser_reserved_connections`, PostgreSQL's default.
const RESERVED: f64 = 3.0;

/// Everything that follows from a sheet.
pub fn plan(sheet: &Sheet) -> Plan {
    let basis = Basis::of(sheet);
    let mut plan = Plan {
        title: sheet.title.clone(),
        sections: vec![
            Section { title: "Load", rows: load(sheet, &basis) },
            Section { title: "Web hosts", rows: web(sheet, &basis) },
            Section { title: "Connections", rows: connections(sheet, &basis) },
            Section { title: "pgbouncer on each web host", rows: pgbouncer(sheet, &basis) },
            Section { title: "Database", rows: database(sheet, &basis) },
        ],
        warnings: Vec::new(),
        compared: compared(sheet, &basis),
    };
    if sheet.load.is_some() {
        plan.sections.push(Section { title: "Load test", rows: test(sheet, &basis) });
    }
    plan.sections.retain(|s| !s.rows.is_empty());
    plan.warnings = warnings::of(sheet, &basis, &plan.compared);
    plan
}

/// What most formulas begin with.
pub(super) struct Basis {
    pub(super) per_taker: f64,
    pub(super) requests: f64,
    pub(super) takers_at_once: f64,
    pub(super) workers: f64,
    /// The pool of one host, at least and at most.
    pub(super) pool: (f64, f64),
    /// All pools together.
    pub(super) pooled: (f64, f64),
    /// What the database's cores and disks suggest.
    pub(super) active: f64,
}

impl Basis {
    fn of(sheet: &Sheet) -> Basis {
        let (survey, web, db) = (&sheet.survey, &sheet.web, &sheet.db);
        let hosts = f64::from(web.hosts);
        let per_taker = requests_per_taker(survey.pages);
        let active = 2.0 * f64::from(db.cores) + f64::from(db.spindles);
        let suggested = (active / hosts).floor().max(1.0);
        let pool = web.pool_per_host.map_or((suggested, suggested), |p| {
            let (from, to) = p.ends();
            (f64::from(from), f64::from(to))
        });
        Basis {
            per_taker,
            requests: f64::from(survey.takers_per_hour) * per_taker / 3600.0,
            takers_at_once: f64::from(survey.takers_per_hour) * survey.minutes / 60.0,
            workers: hosts * f64::from(web.workers_per_host),
            pool,
            pooled: (hosts * pool.0, hosts * pool.1),
            active,
        }
    }
}

fn row(
    key: &'static str,
    name: &'static str,
    value: f64,
    unit: &'static str,
    formula: String,
    note: &'static str,
) -> Row {
    Row { key, name, value: Figure::Number(value), unit, formula, note }
}

fn range(
    key: &'static str,
    name: &'static str,
    value: (f64, f64),
    unit: &'static str,
    formula: String,
    note: &'static str,
) -> Row {
    let value = if value.0 == value.1 { Figure::Number(value.0) } else { Figure::Range(value.0, value.1) };
    Row { key, name, value, unit, formula, note }
}

fn span(ends: (f64, f64)) -> String {
    if ends.0 == ends.1 { n(ends.0) } else { format!("{}–{}", n(ends.0), n(ends.1)) }
}

fn load(sheet: &Sheet, b: &Basis) -> Vec<Row> {
    let survey = &sheet.survey;
    let (takers, pages) = (f64::from(survey.takers_per_hour), f64::from(survey.pages));
    vec![
        row(
            "requests_per_taker",
            "Requests of a survey taker",
            b.per_taker,
            "requests",
            format!("2 × {} pages + 4", n(pages)),
            "Each page is fetched and saved; login form, login, frame and end come on top.",
        ),
        row(
            "requests_per_second",
            "Requests a second",
            b.requests,
            "requests/s",
            format!("{} takers/h × {} ÷ 3,600 s", n(takers), n(b.per_taker)),
            "The target. Everything below hangs on it.",
        ),
        row(
            "requests_per_minute",
            "Requests a minute",
            b.requests * 60.0,
            "requests/min",
            format!("{} × 60", n(b.requests)),
            "As monitoring services count.",
        ),
        row(
            "writes_per_second",
            "Requests that write",
            b.requests * (pages + 2.0) / b.per_taker,
            "requests/s",
            format!("{} × ({} saves + login + end) ÷ {}", n(b.requests), n(pages), n(b.per_taker)),
            "Half of all: no cache can answer these.",
        ),
        row(
            "answers_per_second",
            "Answers stored",
            takers * pages * survey.questions_per_page / 3600.0,
            "rows/s",
            format!(
                "{} × {} pages × {} questions ÷ 3,600 s",
                n(takers),
                n(pages),
                n(survey.questions_per_page)
            ),
            "One INSERT each, or one a page when they are grouped.",
        ),
        row(
            "takers_at_once",
            "Survey takers at the same time",
            b.takers_at_once,
            "people",
            format!("{} takers/h × {} min ÷ 60", n(takers), n(survey.minutes)),
            "Sessions that are alive; what a load test has to play.",
        ),
    ]
}

fn web(sheet: &Sheet, b: &Basis) -> Vec<Row> {
    let web = &sheet.web;
    let hosts = f64::from(web.hosts);
    let mut rows = vec![
        row(
            "workers",
            "Workers",
            b.workers,
            "workers",
            format!("{} hosts × {} workers", web.hosts, web.workers_per_host),
            "Each serves one request at a time.",
        ),
        row(
            "requests_per_host",
            "Requests a second and host",
            b.requests / hosts,
            "requests/s",
            format!("{} ÷ {} hosts", n(b.requests), web.hosts),
            "What one host has to hold.",
        ),
        row(
            "longest_response_ms",
            "Longest mean response time",
            b.workers / b.requests * 1000.0,
            "ms",
            format!("{} workers ÷ {} requests/s", n(b.workers), n(b.requests)),
            "When answers take longer than this on average, every worker is busy and requests queue.",
        ),
    ];
    if let Some(ms) = web.response_ms {
        rows.push(row(
            "busy_workers",
            "Workers that are busy",
            b.requests * ms / 1000.0,
            "workers",
            format!("{} requests/s × {} ms", n(b.requests), n(ms)),
            "Should be well below the number of workers.",
        ));
    }
    if let (Some(ms), Some(cores)) = (web.cpu_ms_per_request, web.cores_per_host) {
        let busy = b.requests * ms / 1000.0;
        rows.push(row(
            "web_utilisation",
            "Share of the web hosts' cores that is busy",
            busy / (hosts * f64::from(cores)) * 100.0,
            "%",
            format!("{} requests/s × {} ms ÷ ({} hosts × {cores} cores)", n(b.requests), n(ms), web.hosts),
            "The talk: 50 to 60 % is good, above it everything slows down.",
        ));
        rows.push(row(
            "hosts_needed",
            "Web hosts at 55 %",
            (busy / GOOD_UTILISATION / f64::from(cores)).ceil(),
            "hosts",
            format!("{} busy cores ÷ 0.55 ÷ {cores} cores, rounded up", n(busy)),
            "",
        ));
    }
    rows
}

fn connections(sheet: &Sheet, b: &Basis) -> Vec<Row> {
    let (web, db) = (&sheet.web, &sheet.db);
    let other = f64::from(db.other_connections);
    let most = (b.pooled.0 + other + RESERVED, b.pooled.1 + other + RESERVED);
    let mut rows = vec![
        row(
            "connections_without_pooling",
            "Connections without a pooler",
            b.workers,
            "connections",
            format!("{} hosts × {} workers, one each", web.hosts, web.workers_per_host),
            "After a point, the more a database does at once, the longer everything takes.",
        ),
        range(
            "connections_with_pooling",
            "Connections with pgbouncer",
            b.pooled,
            "connections",
            format!("{} hosts × {} pooled", web.hosts, span(b.pool)),
            "In transaction mode a connection is held for a transaction, not for a request.",
        ),
        range(
            "workers_per_connection",
            "Workers that share a connection",
            (b.workers / b.pooled.1, b.workers / b.pooled.0),
            "workers",
            format!("{} workers ÷ {} connections", n(b.workers), span(b.pooled)),
            "",
        ),
        row(
            "best_active_connections",
            "Connections that the database can keep busy",
            b.active,
            "connections",
            format!("2 × {} cores + {} disk(s)", db.cores, db.spindles),
            "The PostgreSQL wiki's rule of thumb: resources of the server, not number of clients.",
        ),
        range(
            "max_connections",
            "max_connections",
            most,
            "connections",
            format!(
                "{} pooled + {} others + {} reserved for superusers",
                span(b.pooled),
                n(other),
                n(RESERVED)
            ),
            "No more than what may connect; replicas have max_wal_senders of their own.",
        ),
    ];
    if let Some(memory) = db.memory.as_deref().and_then(|m| crate::tune::memory(m).ok()) {
        let left = memory as f64 * 0.75 / f64::from(1 << 20);
        rows.push(range(
            "memory_per_connection",
            "Memory for each connection",
            (left / most.1, left / most.0),
            "MB",
            format!("¾ of {} MB ÷ {} connections", n(memory as f64 / f64::from(1 << 20)), span(most)),
            "What shared_buffers leave; a query may use work_mem several times. See survey-app tune.",
        ));
    }
    rows
}

fn pgbouncer(sheet: &Sheet, b: &Basis) -> Vec<Row> {
    let workers = f64::from(sheet.web.workers_per_host);
    vec![
        range(
            "pgbouncer.default_pool_size",
            "default_pool_size",
            b.pool,
            "connections",
            match sheet.web.pool_per_host {
                Some(_) => "as decided".to_string(),
                None => format!("{} busy connections ÷ {} hosts, rounded down", n(b.active), sheet.web.hosts),
            },
            "With pool_mode = transaction.",
        ),
        range(
            "pgbouncer.max_db_connections",
            "max_db_connections",
            b.pool,
            "connections",
            "the same".to_string(),
            "A limit over all users of a database, so that a second user does not double it.",
        ),
        row(
            "pgbouncer.max_client_conn",
            "max_client_conn",
            workers + (workers / 10.0).ceil(),
            "connections",
            format!("{} workers + a tenth", n(workers)),
            "Whoever comes beyond it is refused instead of queued.",
        ),
    ]
}

fn database(sheet: &Sheet, b: &Basis) -> Vec<Row> {
    let Some(per_request) = sheet.db.transactions_per_request else { return Vec::new() };
    let transactions = b.requests * per_request;
    vec![
        row(
            "transactions_per_second",
            "Transactions a second",
            transactions,
            "tx/s",
            format!("{} requests/s × {} tx", n(b.requests), n(per_request)),
            "One a statement with autocommit, at most one a request otherwise.",
        ),
        row(
            "transactions_per_request",
            "Transactions of a request",
            per_request,
            "tx",
            format!("{} tx/s ÷ {} requests/s", n(transactions), n(b.requests)),
            "Seen the other way round: what a measured rate says about the application.",
        ),
        range(
            "longest_transaction_ms",
            "Longest mean transaction",
            (b.pooled.0 / transactions * 1000.0, b.pooled.1 / transactions * 1000.0),
            "ms",
            format!("{} connections ÷ {} tx/s", span(b.pooled), n(transactions)),
            "When transactions take longer than this on average, the pools are the limit: clients queue there.",
        ),
    ]
}

fn test(sheet: &Sheet, b: &Basis) -> Vec<Row> {
    let (Some(load), Some(planned)) = (&sheet.load, sheet.planned_load()) else { return Vec::new() };
    let users = b.takers_at_once * planned / b.requests;
    vec![
        row(
            "load_requests_per_second",
            "Load that is planned",
            planned,
            "requests/s",
            match (load.requests_per_second, load.takers_per_hour) {
                (None, Some(takers)) => format!("{} takers/h × {} ÷ 3,600 s", n(takers), n(b.per_taker)),
                _ => "as decided".to_string(),
            },
            "",
        ),
        row(
            "load_ratio",
            "Load ÷ target",
            planned / b.requests,
            "×",
            format!("{} ÷ {}", n(planned), n(b.requests)),
            "1 is right; 3 was the talk's mistake.",
        ),
        row(
            "load_users",
            "Users to play",
            users.ceil(),
            "users",
            format!("{} takers at once × {}", n(b.takers_at_once), n(planned / b.requests)),
            "With the respondents' own pace.",
        ),
        row(
            "load_processes",
            "Load processes",
            (users / f64::from(load.users_per_process)).ceil(),
            "processes",
            format!("{} users ÷ {} a process, rounded up", n(users.ceil()), load.users_per_process),
            "The talk: one JMeter is of no use above 400 to 600 threads.",
        ),
    ]
}

fn compared(sheet: &Sheet, b: &Basis) -> Vec<Compared> {
    let Some(measured) = &sheet.measured else { return Vec::new() };
    let transactions = sheet.db.transactions_per_request.map(|t| t * b.requests);
    let per_request = match (measured.transactions_per_second, measured.requests_per_second) {
        (Some(transactions), Some(requests)) if requests > 0.0 => Some(transactions / requests),
        _ => None,
    };
    let cores = sheet.web.cores_per_host.map(|c| f64::from(c) * f64::from(sheet.web.hosts));
    let busy = sheet.web.cpu_ms_per_request.zip(cores).map(|(ms, cores)| b.requests * ms / 1000.0 / cores);
    [
        ("Requests a second", Some(b.requests), measured.requests_per_second),
        ("Transactions a second", transactions, measured.transactions_per_second),
        ("Transactions of a request", sheet.db.transactions_per_request, per_request),
        ("Connections to the primary", Some(b.pooled.1), measured.connections),
        ("Response time, ms", sheet.web.response_ms, measured.response_ms),
        ("Share of the web hosts' cores that is busy", busy, measured.web_utilisation),
    ]
    .into_iter()
    .filter_map(|(name, planned, measured)| Some(Compared { name, planned: planned?, measured: measured? }))
    .collect()
}
