//! What to fix first: the few statements whose cure brings most, each with what it is, why it is here, what it
//! costs and what fixing it brings. Shared by the page, the terminal and the pull request.
//!
//! Where the report has findings, they are the answer. Where it has none (a log without what findings need), the
//! numbers themselves speak: repeated SELECTs, one-row INSERTs, and where the time goes.

use super::index::Index;
use crate::report::{Cost, Finding, HotInsert, RedundantSelect, Report, Statement};
use crate::units::Micros;
use crate::words::{count, counted, duration, percent, permille, ratio};

/// Rows that one statement should carry at least where rows come in numbers; what a batch is assumed to hold.
const BATCH: u64 = 100;

/// The mean of a statement that is worth a look at its plan; below it, its number is what costs.
const SLOW_US: u64 = 50_000;

/// Fewer calls than this are no habit.
const FEW: u64 = 10;

/// The finding that is about the whole log.
const REPLICA_READS: &str = "replica_reads";
/// The finding whose statements are needed, one after the other.
const HOT_ROW: &str = "hot_row";

/// Thousandths of the load below which a statement is left alone.
const WORTH_A_LOOK: u64 = 10;

/// One thing to fix. Texts may hold names from the log: escape them like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fix {
    /// What kind of thing it is, as people say it: `N+1`, `Redundant SELECT`.
    pub(super) label: String,
    /// Further kinds of the same statement's findings.
    pub(super) also: Vec<String>,
    /// The route that sends it; empty where statements are not tagged.
    pub(super) route: String,
    /// One line about this one.
    pub(super) title: String,
    /// The statement.
    pub(super) fingerprint: String,
    /// What the log shows, in a sentence.
    pub(super) why: String,
    /// What it costs.
    pub(super) cost: Cost,
    /// What that is the cost of.
    pub(super) cost_of: CostOf,
    /// What to do, in a sentence.
    pub(super) advice: String,
    /// What doing it brings.
    pub(super) gain: String,
    /// The model of the forecast that says so; without one it is plain arithmetic.
    pub(super) model: Option<&'static str>,
}

/// What a cost is the cost of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CostOf {
    /// Of what need not have been sent.
    Needless,
    /// Of reads that another server could take.
    Leaving,
    /// Of calls that queue, by what the quickest of them take.
    Queueing,
    /// Of a client that does something else for so long, while its transaction is open.
    Waiting(Micros),
    /// Of all calls: a slow statement, which never goes away.
    AllCalls,
}

impl CostOf {
    fn finding(finding: &Finding) -> Self {
        match finding.kind.as_str() {
            REPLICA_READS => Self::Leaving,
            HOT_ROW => Self::Queueing,
            "chatty_transaction" => Self::Waiting(Micros(number(finding, "waiting_us"))),
            "idle_in_transaction" => Self::Waiting(Micros(number(finding, "idle_us"))),
            _ => Self::Needless,
        }
    }

    /// In a few words, below the numbers.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Needless => "need not have been sent",
            Self::Leaving => "could leave the primary",
            Self::Queueing => "more than at the pace of the quickest tenth",
            Self::Waiting(_) => "locks held, nothing done",
            Self::AllCalls => "all its calls",
        }
    }
}

/// At most `limit` things, the one that brings most first.
pub(super) fn fixes(index: &Index<'_>, limit: usize) -> Vec<Fix> {
    let report = index.report;
    let mut found: Vec<Fix> = Vec::new();
    for finding in report.findings.iter().filter(|f| !f.minor) {
        // One statement, one place: an N+1 is often redundant and cacheable as well. What a replica could take is
        // about all statements, whichever it is named after.
        let same = |fix: &Fix| {
            fix.fingerprint == finding.fingerprint
                && (fix.label == label(REPLICA_READS)) == (finding.kind == REPLICA_READS)
        };
        match found.iter().position(same) {
            Some(at) => {
                let fix = &mut found[at];
                let also = label(&finding.kind);
                if also != fix.label && !fix.also.contains(&also) {
                    fix.also.push(also);
                }
            }
            None if found.len() < limit => found.push(of(index, finding)),
            None => {}
        }
    }
    if found.is_empty() {
        found = from_numbers(index);
        // What was left out on purpose does not come back by its numbers.
        let left_out = |fix: &Fix| report.judged.suppressed.iter().any(|s| s.fingerprint == fix.fingerprint);
        found.retain(|fix| !left_out(fix));
        found.sort_by_cached_key(|fix| (std::cmp::Reverse(weight(report, fix)), fix.fingerprint.clone()));
    }
    found.truncate(limit);
    found
}

/// A finding's kind as people say it.
pub(in crate::render) fn label(kind: &str) -> String {
    let label = match kind {
        "redundant_select" => "Redundant SELECT",
        "cacheable_select" => "Cacheable SELECT",
        "empty_select" => "Empty SELECT",
        "n_plus_one" => "N+1",
        "read_back" => "Read back",
        "check_then_write" => "Check, then write",
        "row_by_row_insert" => "Row-by-row INSERT",
        "hot_insert" => "Hot INSERT",
        "hot_row" => "Hot row",
        "replica_reads" => "Replica reads",
        "chatty_transaction" => "Chatty transaction",
        "idle_in_transaction" => "Idle in transaction",
        "slow" => "Slow",
        "frequent" => "Frequent",
        "time_consuming" => "Most time",
        _ => return kind.replace('_', " "),
    };
    label.to_owned()
}

/// A finding as something to fix.
pub(super) fn of(index: &Index<'_>, finding: &Finding) -> Fix {
    let cost_of = CostOf::finding(finding);
    let (model, gain) = match (index.forecast(&finding.kind, &finding.fingerprint), cost_of) {
        (Some((model, row)), _) => (
            Some(model),
            format!(
                "{} → {} statements, {} → {}",
                count(row.before.calls),
                count(row.after.calls),
                duration(row.before.duration_us),
                duration(row.after.duration_us)
            ),
        ),
        (None, CostOf::Waiting(waited)) => {
            (None, format!("Locks and a connection free {} earlier in all.", duration(waited)))
        }
        (None, _) => (None, saving(index.report, finding.cost)),
    };
    Fix {
        label: label(&finding.kind),
        also: Vec::new(),
        route: finding.route.clone().unwrap_or_default(),
        title: finding.title.clone(),
        fingerprint: finding.fingerprint.clone(),
        why: why(finding),
        cost: finding.cost,
        cost_of,
        advice: finding.advice.clone(),
        gain,
        model,
    }
}

/// A number of a finding's evidence; 0 where it has none.
fn number(finding: &Finding, name: &str) -> u64 {
    finding.evidence.numbers.get(name).copied().unwrap_or(0)
}

/// What the log shows, in a sentence.
fn why(finding: &Finding) -> String {
    let evidence = &finding.evidence;
    if finding.kind == HOT_ROW {
        return why_hot(finding);
    }
    let mut parts = Vec::new();
    if evidence.units > 0 {
        let calls = counted(evidence.calls, "call");
        parts.push(match evidence.unit_kind.as_str() {
            // The whole log is no unit of work.
            "log" => calls,
            unit => {
                let unit = if unit.is_empty() { "unit" } else { unit };
                let each = match evidence.units > 1 && evidence.calls > evidence.units {
                    true => format!(", {} each", ratio(evidence.calls, evidence.units)),
                    false => String::new(),
                };
                format!("{calls} in {}{each}", counted(evidence.units, unit))
            }
        });
    }
    parts.extend(evidence.numbers.iter().take(4).map(|(name, value)| {
        let value = match name.ends_with("_us") {
            true => duration(Micros(*value)),
            false => count(*value),
        };
        format!("{} {value}", name.trim_end_matches("_us").replace('_', " "))
    }));
    parts.join(" · ")
}

/// Updates of few rows by many sessions.
fn why_hot(finding: &Finding) -> String {
    let number = |name| number(finding, name);
    let mut why = format!(
        "{} of {} took {}, {} of them of one row",
        counted(finding.evidence.calls, "update"),
        counted(number("rows"), "row"),
        duration(Micros(number("updates_us"))),
        count(number("hottest_updates")),
    );
    if number("lock_waits") > 0 {
        let waits = counted(number("lock_waits"), "wait");
        why.push_str(&format!(
            " · {waits} for a lock logged, {}",
            duration(Micros(number("lock_waited_us")))
        ));
    }
    why
}

fn from_numbers(index: &Index<'_>) -> Vec<Fix> {
    let report = index.report;
    let mut found: Vec<Fix> = Vec::new();
    // A SELECT that takes row locks is asked for the locks, not for the answer.
    let locks = |fingerprint: &str| index.statement(fingerprint).is_some_and(|s| s.locking);
    for redundant in
        report.redundant_selects.iter().filter(|r| r.repeats >= FEW && !locks(&r.fingerprint)).take(20)
    {
        found.push(repeated(index, redundant));
    }
    for insert in report.hot_inserts.iter().take(20) {
        // Two rows or more a statement is someone who batches already; of a SELECT nobody knows the rows.
        if let Some(rows) = insert.rows
            && insert.calls >= FEW
            && rows < insert.calls.saturating_mul(2)
        {
            found.push(row_by_row(index, insert, rows));
        }
    }
    // Schema changes and settings happen once; nothing is to be gained there.
    let recurring = |s: &&Statement| {
        let slow = s.mean_us.is_some_and(|mean| mean.0 >= SLOW_US);
        (s.timed >= FEW || slow) && !matches!(s.kind.as_str(), "ddl" | "utility")
    };
    for statement in report.statements.iter().filter(recurring).take(20) {
        if found.iter().all(|fix| fix.fingerprint != statement.fingerprint) {
            found.push(most_time(report, statement));
        }
    }
    found.retain(|fix| weight(report, fix) >= WORTH_A_LOOK);
    found
}

fn repeated(index: &Index<'_>, redundant: &RedundantSelect) -> Fix {
    let r = redundant;
    let about = if r.distinct_params.exact { "" } else { "about " };
    let cost = Cost { statements: r.repeats, duration_us: r.repeats_us };
    let tables = index.statement(&r.fingerprint).map_or("", |s| s.tables.first().map_or("", String::as_str));
    let of = if tables.is_empty() { String::new() } else { format!(" to {tables}") };
    Fix {
        label: label("redundant_select"),
        also: Vec::new(),
        route: busiest_route(index.statement(&r.fingerprint)),
        title: match r.calls / r.distinct_params.count.max(1) {
            0 | 1 => format!("Questions{of} are asked again"),
            times => format!("Each question{of} is asked {} times over", count(times)),
        },
        fingerprint: r.fingerprint.clone(),
        why: format!(
            "{} with only {about}{}: {about}{} were repeats.",
            counted(r.calls, "call"),
            counted(r.distinct_params.count, "distinct parameter set"),
            count(r.repeats)
        ),
        cost,
        cost_of: CostOf::Needless,
        advice: "Keep the answer while the request runs, or share it between requests in a cache.".to_owned(),
        gain: saving(index.report, cost),
        model: None,
    }
}

fn row_by_row(index: &Index<'_>, insert: &HotInsert, rows: u64) -> Fix {
    let batches = rows.max(insert.calls).div_ceil(BATCH);
    let saved = insert.calls.saturating_sub(batches);
    let table = insert.table.as_deref().unwrap_or("its table");
    let peak = match insert.peak {
        Some(peak) if peak.calls > 1 => format!(", up to {} a second", count(peak.calls)),
        _ => String::new(),
    };
    Fix {
        label: label("hot_insert"),
        also: Vec::new(),
        route: busiest_route(index.statement(&insert.fingerprint)),
        title: format!("Rows go into {table} one statement at a time"),
        fingerprint: insert.fingerprint.clone(),
        why: format!(
            "{} with {} a statement{peak}.",
            counted(insert.calls, "INSERT"),
            match ratio(rows, insert.calls).as_str() {
                "1.0" => "1 row".to_owned(),
                rows => format!("{rows} rows"),
            }
        ),
        cost: Cost { statements: saved, duration_us: share(insert.duration_us, saved, insert.calls) },
        cost_of: CostOf::Needless,
        advice: "Send many rows a statement: one INSERT with many VALUES, unnest() of arrays, or COPY."
            .to_owned(),
        gain: format!(
            "In batches of {BATCH}: {} → {} statements, {} of all.",
            count(insert.calls),
            count(batches),
            minus_percent(saved, index.report.totals.statements)
        ),
        model: None,
    }
}

fn most_time(report: &Report, s: &Statement) -> Fix {
    let mean = s.mean_us.unwrap_or_default();
    let slow = mean.0 >= SLOW_US;
    // Where the mean is far above what nearly all calls take, the rest waited for something.
    let outliers = s.p95_us.is_some_and(|p95| mean.0 > p95.0.saturating_mul(3));
    let half = Micros(s.duration_us.0 / 2);
    let what = match s.tables.first() {
        Some(table) => format!("{} on {table}", s.kind.to_uppercase()),
        None if s.kind == "transaction" => {
            s.sql.split_whitespace().next().unwrap_or("transaction").to_uppercase()
        }
        None => s.kind.to_uppercase(),
    };
    Fix {
        label: label(if slow { "slow" } else { "time_consuming" }),
        also: Vec::new(),
        route: busiest_route(Some(s)),
        title: match slow {
            true => format!("A slow {what}"),
            false => format!("{what}, {} times", count(s.calls)),
        },
        fingerprint: s.fingerprint.clone(),
        why: format!(
            "{} of the time: {} at {} on average (p95 {}, longest {}).",
            percent(s.duration_us.0, report.totals.duration_us.0),
            counted(s.calls, "call"),
            duration(mean),
            s.p95_us.map_or_else(|| "unknown".to_owned(), duration),
            s.max_us.map_or_else(|| "unknown".to_owned(), duration),
        ),
        cost: Cost { statements: s.calls, duration_us: s.duration_us },
        cost_of: CostOf::AllCalls,
        advice: match (s.kind.as_str(), slow) {
            _ if outliers => {
                "A few calls take most of its time: see what they waited for (log_lock_waits = on names locks)."
            }
            ("transaction", _) => {
                "Do more in each transaction: every COMMIT waits for the disk. Where that cannot be, see commit_delay."
            }
            (_, true) => "Look at its plan with EXPLAIN (ANALYZE, BUFFERS): an index, fewer rows or fewer columns.",
            ("select", false) => "Each call is cheap, so send it less often: cache it, or join it into another.",
            (_, false) => "Each call is cheap, so send it less often: several rows a statement, several statements a transaction.",
        }
        .to_owned(),
        gain: format!(
            "Halving it saves {}, {} of the time.",
            duration(half),
            minus_percent(half.0, report.totals.duration_us.0)
        ),
        model: None,
    }
}

/// The route that spends most time on a statement.
fn busiest_route(statement: Option<&Statement>) -> String {
    let route = statement.and_then(|s| s.routes.first());
    route.filter(|route| !route.name.starts_with('(')).map_or_else(String::new, |route| route.name.clone())
}

/// What goes away with the cost; nothing where nothing does.
fn saving(report: &Report, cost: Cost) -> String {
    let statements = format!(
        "{} fewer statements ({})",
        count(cost.statements),
        minus_percent(cost.statements, report.totals.statements)
    );
    let time = format!(
        "{} less ({})",
        duration(cost.duration_us),
        minus_percent(cost.duration_us.0, report.totals.duration_us.0)
    );
    match (cost.statements, cost.duration_us.0) {
        (0, 0) => String::new(),
        (_, 0) => format!("Up to {statements}."),
        (0, _) => format!("Up to {time}."),
        _ => format!("Up to {statements} and {time}."),
    }
}

fn minus_percent(part: u64, whole: u64) -> String {
    format!("−{}", percent(part, whole))
}

/// `part / whole` of a duration.
fn share(us: Micros, part: u64, whole: u64) -> Micros {
    let scaled = u128::from(us.0) * u128::from(part) / u128::from(whole.max(1));
    Micros(u64::try_from(scaled).unwrap_or(u64::MAX))
}

/// Thousandths of the statements plus thousandths of the time that a fix takes away; a slow statement never goes
/// away, so half of it counts.
fn weight(report: &Report, fix: &Fix) -> u64 {
    let time = permille(fix.cost.duration_us.0, report.totals.duration_us.0);
    match fix.cost_of {
        CostOf::AllCalls => time / 2,
        _ => time.saturating_add(permille(fix.cost.statements, report.totals.statements)),
    }
}
