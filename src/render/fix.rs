//! What to fix first: the few statements whose cure brings most, each with what it is, why it is here, what it
//! costs and what fixing it brings. Shared by the page, the terminal and the pull request.
//!
//! Findings and what the numbers themselves say (where the time goes, one-row INSERTs, time of parse and bind) stand in
//! one order, by the part of the load that could go. What a replica could take comes after them: it changes the servers
//! around the statements, not the statements. A log in which no rule could look for findings is asked for its repeated
//! SELECTs too.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::index::Index;
use super::totals::{all_time, mean_of, planning_of};
use crate::report::{Cost, Finding, HotInsert, RedundantSelect, Report, Statement};
use crate::units::{Micros, scale};
use crate::words::{between, count, counted, duration, percent, ratio};

/// Rows that one statement should carry at least where rows come in numbers; what a batch is assumed to hold.
const BATCH: u64 = 100;

/// The mean of a statement that is worth a look at its plan; below it, its number is what costs. PgHero's.
const SLOW_US: u64 = 20_000;

/// The mean below which a call is cheap, whatever its plan.
const CHEAP_US: u64 = 1_000;

/// Fewer calls than this are no habit.
const FEW: u64 = 10;

/// Statements that are looked at for their numbers alone: each of the others has less than a twentieth of the load.
const HEAVIEST: usize = 20;

/// The finding that is about the whole log.
const REPLICA_READS: &str = "replica_reads";
/// The finding whose statements are needed, one after the other.
const HOT_ROW: &str = "hot_row";

/// Millionths of the load below which a statement is left alone.
const WORTH_A_LOOK: u64 = 10_000;

/// One thing to fix. Texts may hold names from the log: escape them like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fix {
    /// What kind of thing it is, as people say it: `N+1`, `Redundant SELECT`.
    pub(super) label: String,
    /// Further kinds of the same statement.
    pub(super) also: Vec<String>,
    /// The route that sends it; empty where statements are not tagged.
    pub(super) route: String,
    /// One line about this one.
    pub(super) title: String,
    /// The statement; the first of them where it is about several.
    pub(super) fingerprint: String,
    /// The other statements of what is about several, most calls first.
    pub(super) others: Vec<String>,
    /// The finding that says so; none where the numbers do.
    pub(super) finding: Option<String>,
    /// What the log shows, in a sentence.
    pub(super) why: String,
    /// What it costs.
    pub(super) cost: Cost,
    /// What that is the cost of.
    pub(super) cost_of: CostOf,
    /// What to do, in a sentence.
    pub(super) advice: String,
    /// What doing it brings: the cost, taken from what there is.
    pub(super) gain: String,
}

/// What a cost is the cost of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CostOf {
    /// Of what need not have been sent.
    Needless,
    /// Of what could be sent together.
    Joinable,
    /// Of reads that another server could take.
    Leaving,
    /// Of calls that queue, by what the quickest of them take.
    Queueing,
    /// Of a client that does something else for so long, while its transaction is open.
    Waiting(Micros),
    /// Of parse and bind, before a statement is executed.
    Planning,
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

    /// The time that a cost in time is a share of: everywhere that of executing, which is what the tables have too.
    pub(super) fn whole(self, report: &Report) -> Micros {
        match self {
            Self::Planning => all_time(report),
            _ => report.totals.duration_us,
        }
    }

    /// In a few words, below the numbers.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Needless => "need not have been sent",
            Self::Joinable => "could be sent together",
            Self::Leaving => "could leave the primary",
            Self::Queueing => "more than at the pace of the quickest tenth",
            Self::Waiting(_) => "locks held, nothing done",
            Self::Planning => "parse and bind, before it is executed",
            Self::AllCalls => "all its calls",
        }
    }
}

/// At most `limit` things, the one that brings most first.
pub(super) fn fixes(index: &Index<'_>, limit: usize) -> Vec<Fix> {
    let report = index.report;
    let mut all: Vec<Fix> = report.findings.iter().filter(|f| !f.minor).map(|f| of(index, f)).collect();
    // What was left out on purpose does not come back by its numbers, unless it is slow besides.
    let left_out: HashSet<&str> = report.judged.suppressed.iter().map(|s| s.fingerprint.as_str()).collect();
    let numbers = from_numbers(index).into_iter();
    all.extend(
        numbers.filter(|fix| !left_out.contains(fix.fingerprint.as_str()) || fix.label == label("slow")),
    );
    all.sort_by_cached_key(|fix| {
        let around = fix.cost_of == CostOf::Leaving;
        (around, Reverse(weight(report, fix)), fix.fingerprint.clone(), fix.label.clone())
    });
    let mut kept: Vec<Fix> = Vec::new();
    for fix in all {
        match kept.iter_mut().find(|kept| is_the_same(kept, &fix)) {
            Some(kept) => also(kept, fix.label),
            None => kept.push(fix),
        }
    }
    // It is the last, and has its place: it may be most of the load.
    let leaving = kept.pop_if(|fix| fix.cost_of == CostOf::Leaving);
    kept.truncate(limit.saturating_sub(usize::from(leaving.is_some())));
    kept.extend(leaving);
    kept
}

/// One statement, one place: an N+1 is often redundant and cacheable as well. Two routes that send it are two places
/// in the code. What a replica could take is about all statements, whichever it is named after.
fn is_the_same(a: &Fix, b: &Fix) -> bool {
    let around = |fix: &Fix| fix.cost_of == CostOf::Leaving;
    let one_route = a.route == b.route || a.route.is_empty() || b.route.is_empty();
    a.fingerprint == b.fingerprint && one_route && around(a) == around(b)
}

/// A further kind of the same statement. That it takes much time is said by its cost.
fn also(fix: &mut Fix, label: String) {
    if label != fix.label && label != self::label("time_consuming") && !fix.also.contains(&label) {
        fix.also.push(label);
    }
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
        "repeated_select" => "Repeated SELECT",
        "slow" => "Slow",
        "planning" => "Planning",
        "frequent" => "Frequent",
        "time_consuming" => "Most time",
        _ => return kind.replace('_', " "),
    };
    label.to_owned()
}

/// A finding as something to fix.
pub(super) fn of(index: &Index<'_>, finding: &Finding) -> Fix {
    let cost_of = CostOf::finding(finding);
    let mut statements = vec![finding.fingerprint.clone()];
    if cost_of == CostOf::Leaving {
        statements.extend(finding.evidence.related.iter().cloned());
    }
    Fix {
        label: label(&finding.kind),
        also: Vec::new(),
        route: finding.route.clone().unwrap_or_default(),
        title: finding.title.clone(),
        fingerprint: finding.fingerprint.clone(),
        others: statements.split_off(1),
        finding: Some(finding.id.clone()),
        why: why(finding),
        cost: finding.cost,
        cost_of,
        advice: finding.advice.clone(),
        gain: match cost_of {
            CostOf::Waiting(waited) => {
                format!("Locks and a connection free {} earlier in all.", duration(waited))
            }
            CostOf::Leaving => leaving(index.report, finding),
            _ => from_to(index, &finding.fingerprint, finding.cost),
        },
    }
}

/// The calls of a statement, and what is left of them without what they cost. The forecasts know better what a change
/// brings altogether; here stands what this finding alone is about, so that a card has one number.
fn from_to(index: &Index<'_>, fingerprint: &str, cost: Cost) -> String {
    let statement = index.statement(fingerprint);
    let left = statement.and_then(|s| {
        let calls = s.calls.checked_sub(cost.statements)?;
        Some((s, calls, s.duration_us.0.checked_sub(cost.duration_us.0)?))
    });
    match left {
        Some((s, calls, us)) if cost.statements > 0 => {
            let calls = format!("{} → {} of its calls", count(s.calls), count(calls));
            match s.timed {
                0 => calls,
                _ => format!("{calls}, {} → {}", duration(s.duration_us), duration(Micros(us))),
            }
        }
        _ => saving(index.report, cost),
    }
}

/// The reads that stay on the primary, of all reads.
fn leaving(report: &Report, finding: &Finding) -> String {
    let (reads, cost) = (number(finding, "reads"), finding.cost);
    let Some(left) = reads.checked_sub(cost.statements) else { return saving(report, cost) };
    let calls = format!("{} → {} reads on the primary", count(reads), count(left));
    let before =
        report.forecasts.as_ref().map_or(Micros(0), |forecasts| forecasts.replica.before.duration_us);
    match before.0.checked_sub(cost.duration_us.0) {
        Some(us) if before.0 > 0 => format!("{calls}, {} → {}", duration(before), duration(Micros(us))),
        _ => calls,
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
    let told = evidence.numbers.iter().filter_map(|(name, value)| in_words(finding, name, *value));
    parts.extend(told.take(4));
    parts.join(" · ")
}

/// A number of a finding's evidence as people say it; nothing for those that its title or cost say.
fn in_words(finding: &Finding, name: &str, value: u64) -> Option<String> {
    let time = || duration(Micros(value));
    Some(match name {
        "hits" | "free_reads" | "gaps" => return None,
        "sampled" | "commits_saved" if value == 0 => return None,
        "sequence_length" if value < 2 => return None,
        "sequences" if number(finding, "sequence_length") < 2 => return None,
        "hit_permille" => format!("{} answered before", percent(value, 1_000)),
        "sampled" => "estimated from a sample".to_owned(),
        "commits_saved" => format!("{} saved too", counted(value, "commit")),
        // The lengths of all of them are added up.
        "sequence_length" => {
            let length = value / number(finding, "sequences").max(1);
            format!("{} in turn", counted(length, "statement"))
        }
        "sequences" => format!("{} of them", counted(value, "sequence")),
        "reads" => format!("{} in all", counted(value, "read")),
        "statements" => counted(value, "statement"),
        "waiting_us" => format!("waited {} for the client", time()),
        "working_us" => format!("worked {}", time()),
        "idle_us" => format!("idle {}", time()),
        _ if name.ends_with("_us") => {
            format!("{} {}", name.trim_end_matches("_us").replace('_', " "), time())
        }
        _ => counted_by_name(name, value),
    })
}

/// `rows` and 12 as `12 rows`: a name that this version does not know is most likely a plural.
fn counted_by_name(name: &str, value: u64) -> String {
    let name = name.replace('_', " ");
    match (value, name.strip_suffix('s')) {
        (1, Some(one)) => format!("1 {one}"),
        _ => format!("{} {name}", count(value)),
    }
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

/// What the numbers say, whether or not rules could look for findings.
fn from_numbers(index: &Index<'_>) -> Vec<Fix> {
    let report = index.report;
    let mut found: Vec<Fix> = Vec::new();
    if !were_sought(report) {
        found.extend(questions_again(index));
    }
    // Where a unit inserts row by row, that is the matter.
    let in_units = report.findings.iter().filter(|f| f.kind == "row_by_row_insert" && !f.minor);
    let joined: HashSet<&str> = in_units.map(|finding| finding.fingerprint.as_str()).collect();
    // Two rows or more a statement is someone who batches already; of a SELECT nobody knows the rows.
    let one_by_one = |insert: &HotInsert| {
        let rows = insert.rows.filter(|rows| *rows < insert.calls.saturating_mul(2))?;
        let is_new = insert.calls >= FEW && !joined.contains(insert.fingerprint.as_str());
        is_new.then(|| row_by_row(index, insert, rows))
    };
    found.extend(report.hot_inserts.iter().filter_map(one_by_one).take(HEAVIEST));
    found.extend(heaviest(report).into_iter().map(|statement| most_time(report, statement)));
    found.retain(|fix| weight(report, fix) >= WORTH_A_LOOK);
    found
}

/// Whether rules could look for findings: then they know which repeats could have been spared, and which could not
/// because the table was written meanwhile.
fn were_sought(report: &Report) -> bool {
    !report.findings.is_empty() || report.judged.units.iter().any(|load| load.units > 0)
}

/// SELECTs whose very question comes again.
fn questions_again(index: &Index<'_>) -> Vec<Fix> {
    // A SELECT that takes row locks is asked for the locks, not for the answer.
    let locks = |fingerprint: &str| index.statement(fingerprint).is_some_and(|s| s.locking);
    let again = index.report.redundant_selects.iter().filter(|r| r.repeats >= FEW && !locks(&r.fingerprint));
    again.take(HEAVIEST).map(|redundant| repeated(index, redundant)).collect()
}

/// The statements with most time that can be helped.
fn heaviest(report: &Report) -> Vec<&Statement> {
    let can_be_helped = |s: &&Statement| match s.kind.as_str() {
        // Schema changes and settings happen once; nothing is to be gained there.
        "ddl" | "utility" => false,
        // BEGIN and END are what transactions are made of. A slow one waits for something.
        "transaction" => is_slow(s),
        _ => s.timed >= FEW || is_slow(s),
    };
    let time = |s: &Statement| s.duration_us + planning_of(s);
    let mut heaviest: Vec<&Statement> = report.statements.iter().filter(can_be_helped).collect();
    heaviest.sort_by_key(|s| Reverse(time(s)));
    heaviest.truncate(HEAVIEST);
    heaviest
}

/// Whether a call takes long enough to ask why.
fn is_slow(statement: &Statement) -> bool {
    let time = Micros(statement.duration_us.0.max(planning_of(statement).0));
    super::totals::mean(time, statement.timed).is_some_and(|mean| mean.0 >= SLOW_US)
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
        others: Vec::new(),
        finding: None,
        why: format!(
            "{} with only {about}{}: {about}{} were repeats.",
            counted(r.calls, "call"),
            counted(r.distinct_params.count, "distinct parameter set"),
            count(r.repeats)
        ),
        cost,
        cost_of: CostOf::Needless,
        advice: "Keep the answer while the request runs, or share it between requests in a cache.".to_owned(),
        gain: from_to(index, &r.fingerprint, cost),
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
        others: Vec::new(),
        finding: None,
        why: format!(
            "{} with {} a statement{peak}.",
            counted(insert.calls, "INSERT"),
            match ratio(rows, insert.calls).as_str() {
                "1.0" => "1 row".to_owned(),
                rows => format!("{rows} rows"),
            }
        ),
        cost: Cost {
            statements: saved,
            duration_us: Micros(scale(saved, insert.calls, insert.duration_us.0)),
        },
        cost_of: CostOf::Joinable,
        advice: "Send many rows a statement: one INSERT with many VALUES, unnest() of arrays, or COPY."
            .to_owned(),
        gain: format!(
            "In batches of {BATCH}: {} → {} statements, {} of all fewer.",
            count(insert.calls),
            count(batches),
            percent(saved, index.report.totals.statements)
        ),
    }
}

/// A statement that takes much of the time, by what to do about it.
fn most_time(report: &Report, s: &Statement) -> Fix {
    let planning = planning_of(s);
    // Parse and bind beside a longer execution are a part of it; where they are longer, they are the matter.
    let (label, cost_of, us) = match planning > s.duration_us {
        true => ("planning", CostOf::Planning, planning),
        false if is_slow(s) => ("slow", CostOf::AllCalls, s.duration_us),
        false => ("time_consuming", CostOf::AllCalls, s.duration_us),
    };
    let half = Micros(us.0 / 2);
    let what = match s.tables.first() {
        Some(table) => format!("{} on {table}", s.kind.to_uppercase()),
        None if s.kind == "transaction" => {
            s.sql.split_whitespace().next().unwrap_or("transaction").to_uppercase()
        }
        None => s.kind.to_uppercase(),
    };
    Fix {
        label: self::label(label),
        also: Vec::new(),
        route: busiest_route(Some(s)),
        title: match cost_of {
            CostOf::Planning => format!("{what}: parse and bind take longer than executing it"),
            _ if label == "slow" => {
                format!("{what} takes {} on average", duration(mean_of(s).unwrap_or_default()))
            }
            _ => format!("{what}, {} times", count(s.calls)),
        },
        fingerprint: s.fingerprint.clone(),
        others: Vec::new(),
        finding: None,
        why: format!("{} of the time: {}", percent(us.0, cost_of.whole(report).0), times(s)),
        cost: Cost { statements: s.calls, duration_us: us },
        cost_of,
        advice: match cost_of {
            CostOf::Planning => {
                "Keep it prepared for as long as the session lasts; then see plan_cache_mode, partitions and joins."
            }
            _ => advice(s),
        }
        .to_owned(),
        gain: format!(
            "Halving it saves {}, {} of the time.",
            duration(half),
            percent(half.0, cost_of.whole(report).0)
        ),
    }
}

/// How long the calls of a statement take.
fn times(s: &Statement) -> String {
    let or_unknown = |us: Option<Micros>| us.map_or_else(|| "unknown".to_owned(), duration);
    let planning = planning_of(s);
    let beside = match planning.0 {
        0 => String::new(),
        _ => format!(", parse and bind {} in all", duration(planning)),
    };
    format!(
        "{} at {} on average (p95 {}, longest {}){beside}.",
        counted(s.calls, "call"),
        or_unknown(mean_of(s)),
        or_unknown(s.p95_us),
        or_unknown(s.max_us),
    )
}

/// What to do about a statement that takes much of the time.
fn advice(s: &Statement) -> &'static str {
    let mean = mean_of(s).unwrap_or_default();
    // Where the mean is far above what nearly all calls take, the rest waited for something.
    let outliers = s.p95_us.is_some_and(|p95| mean.0 > p95.0.saturating_mul(3));
    match s.kind.as_str() {
        _ if outliers => {
            "A few calls take most of its time: see what they waited for (log_lock_waits = on names locks)."
        }
        "transaction" => {
            "Ending a transaction waits for the disk: see its latency, and deferred constraints."
        }
        "copy" => "Copy fewer rows or columns, or at a quieter hour.",
        _ if mean.0 >= SLOW_US => {
            "Look at its plan with EXPLAIN (ANALYZE, BUFFERS): an index, fewer rows or fewer columns."
        }
        _ if mean.0 >= CHEAP_US => {
            "See whether its plan can be shorter (EXPLAIN (ANALYZE, BUFFERS)), and send it less often."
        }
        "select" => "Each call is cheap, so send it less often: cache it, or join it into another.",
        _ => {
            "Each call is cheap, so send it less often: several rows a statement, several statements a transaction."
        }
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
        "{} fewer statements ({} of all)",
        count(cost.statements),
        percent(cost.statements, report.totals.statements)
    );
    let time = format!(
        "{} less ({} of the time)",
        duration(cost.duration_us),
        percent(cost.duration_us.0, report.totals.duration_us.0)
    );
    match (cost.statements, cost.duration_us.0) {
        (0, 0) => String::new(),
        (_, 0) => format!("Up to {statements}."),
        (0, _) => format!("Up to {time}."),
        _ => format!("Up to {statements} and {time}."),
    }
}

/// What everything is ordered by: millionths of the statements plus millionths of the time that could go.
///
/// Half counts of what goes only in part or at a price: a slow statement stays, and rows of many sessions have to wait
/// for each other to be sent together. Nobody works while a client holds its transaction open, and others may or may
/// not wait for it: that is a tenth of its part of the clock.
fn weight(report: &Report, fix: &Fix) -> u64 {
    let time = millionths(fix.cost.duration_us.0, all_time(report).0);
    let statements = millionths(fix.cost.statements, report.totals.statements);
    match fix.cost_of {
        CostOf::AllCalls | CostOf::Planning => time / 2,
        CostOf::Joinable => time.saturating_add(statements) / 2,
        CostOf::Waiting(waited) => {
            let clock = report.input.first.zip(report.input.last).map_or(0, |(a, b)| between(a, b).0);
            time.saturating_add(statements).saturating_add(millionths(waited.0, clock).min(1_000_000) / 10)
        }
        CostOf::Needless | CostOf::Leaving | CostOf::Queueing => time.saturating_add(statements),
    }
}

/// `part` of `whole` in millionths; 0 of 0 is 0.
fn millionths(part: u64, whole: u64) -> u64 {
    scale(part, whole, 1_000_000)
}
