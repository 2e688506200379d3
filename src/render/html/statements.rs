//! The statements: which of them are on the page, the sortable table, and what unfolds below each row.

use std::collections::{BTreeSet, HashSet};

use super::super::Style;
use super::super::index::Index;
use super::super::shown::{one_line, shortened};
use super::super::sql::{self, Piece};
use super::super::totals::{all_time, mean_of, planning_of};
use super::chart;
use super::load::kind_class;
use super::view::{Block, Cell, Fact, Section, Table, block_of_text, fact, fact_with};
use crate::report::{Actor, Example, Plan, Statement};
use crate::units::Timestamp;
use crate::words::{count, duration, duration_or_dash, instant_ms, percent, ratio};

/// Characters of a statement on one line.
const LINE: usize = 220;

/// Examples below a statement at most.
const EXAMPLES: usize = 5;

/// The statements that are on the page, and links to them.
pub(super) struct Shown<'a> {
    index: &'a Index<'a>,
    /// Positions in the report, ascending.
    chosen: Vec<usize>,
    anchors: HashSet<&'a str>,
}

impl<'a> Shown<'a> {
    /// Chooses at most `style.statements`: what the other sections speak of, then the first of every order.
    pub(super) fn new(index: &'a Index<'a>, style: &Style) -> Self {
        let chosen = choose(index, style);
        let anchors = chosen.iter().map(|i| index.report.statements[*i].fingerprint.as_str()).collect();
        Self { index, chosen, anchors }
    }

    /// The statements, by total duration.
    pub(super) fn statements(&self) -> impl Iterator<Item = &'a Statement> {
        let statements = &self.index.report.statements;
        self.chosen.iter().map(move |i| &statements[*i])
    }

    /// A cell with the normalised statement.
    pub(super) fn sql(&self, fingerprint: &str) -> Cell {
        match self.index.sql(fingerprint) {
            "" => Cell::code(fingerprint),
            sql => self.sql_as(fingerprint, sql),
        }
    }

    /// The same where there is room for the whole column list.
    pub(super) fn long_sql(&self, fingerprint: &str) -> Cell {
        match (self.sql(fingerprint), self.index.sql(fingerprint)) {
            (Cell::Sql { href, .. }, text) => Cell::Sql { href, pieces: sql::line(text, 150, LINE) },
            (cell, _) => cell,
        }
    }

    /// A cell with this normalised text, linked to the statement.
    pub(super) fn sql_as(&self, fingerprint: &str, normalised: &str) -> Cell {
        // What stands for statements that have no fingerprint is no SQL.
        if fingerprint.is_empty() {
            return self.sent(fingerprint, normalised);
        }
        Cell::Sql { href: self.href(fingerprint), pieces: sql::line(normalised, 80, LINE) }
    }

    /// A cell with a statement as it was sent, linked to the statement of its fingerprint.
    pub(super) fn sent(&self, fingerprint: &str, sql: &str) -> Cell {
        let text = shortened(&one_line(sql), LINE).into_owned();
        Cell::Sql { href: self.href(fingerprint), pieces: vec![Piece { class: "", text }] }
    }

    /// A link to a statement, or nothing where the page does not have it.
    fn href(&self, fingerprint: &str) -> String {
        match self.anchors.contains(fingerprint) {
            true => format!("#{}", anchor(fingerprint)),
            false => String::new(),
        }
    }
}

/// The anchor of a statement. A fingerprint is hexadecimal; anything else in one came from a hostile report.
pub(super) fn anchor(fingerprint: &str) -> String {
    let clean: String =
        fingerprint.chars().take(32).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("f-{clean}")
}

fn choose(index: &Index<'_>, style: &Style) -> Vec<usize> {
    let report = index.report;
    let all = &report.statements;
    if all.len() <= style.statements {
        return (0..all.len()).collect();
    }
    let mentioned: HashSet<&str> = report
        .findings
        .iter()
        .take(100)
        .map(|f| f.fingerprint.as_str())
        .chain(report.redundant_selects.iter().take(50).map(|r| r.fingerprint.as_str()))
        .chain(report.hot_inserts.iter().take(50).map(|h| h.fingerprint.as_str()))
        .chain(report.slowest.iter().take(style.top).map(|s| s.fingerprint.as_str()))
        .collect();
    let mut chosen: BTreeSet<usize> = (0..all.len())
        .filter(|i| mentioned.contains(all[*i].fingerprint.as_str()))
        .take(style.statements)
        .collect();
    let by = |key: &dyn Fn(&Statement) -> u64| {
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_cached_key(|i| std::cmp::Reverse(key(&all[*i])));
        order
    };
    let orders = [
        by(&|s| s.duration_us.0),
        by(&|s| s.calls),
        by(&|s| s.mean_us.map_or(0, |us| us.0)),
        by(&|s| s.max_us.map_or(0, |us| us.0)),
        by(&|s| s.p95_us.map_or(0, |us| us.0)),
    ];
    for rank in 0..all.len() {
        for order in &orders {
            if chosen.len() >= style.statements {
                return chosen.into_iter().collect();
            }
            chosen.insert(order[rank]);
        }
    }
    chosen.into_iter().collect()
}

/// The sortable table.
pub(super) struct Statements {
    /// Rows by total duration.
    pub(super) rows: Vec<Row>,
    /// How many the report has.
    pub(super) all: String,
    /// How many of them are not here; empty for none.
    pub(super) more: String,
    /// How many were parsed or bound and never executed; empty for none.
    pub(super) idle: String,
    /// Whether the log has durations.
    pub(super) timed: bool,
    /// Whether the log is long enough for drawings over its hours.
    pub(super) hours: bool,
}

/// A statement.
pub(super) struct Row {
    /// Its place by total duration, from 1.
    pub(super) rank: usize,
    /// Anchor.
    pub(super) anchor: String,
    /// The statement on one line.
    pub(super) line: Vec<Piece>,
    /// Numbers, as (key, title, cell).
    pub(super) cells: Vec<(&'static str, &'static str, Cell)>,
    /// Words beside the statement: findings, errors.
    pub(super) marks: Vec<String>,
    /// What unfolds.
    pub(super) detail: Detail,
}

/// What unfolds below a statement.
pub(super) struct Detail {
    /// The statement in full.
    pub(super) block: Vec<Piece>,
    /// Names and values.
    pub(super) facts: Vec<Fact>,
    /// Drawing of its percentiles; empty without durations.
    pub(super) percentiles: String,
    /// The same in words.
    pub(super) percentile_facts: Vec<Fact>,
    /// Drawing of its hours; empty without times.
    pub(super) hours: String,
    /// Who sent it: title and names with their share.
    pub(super) who: Vec<(&'static str, Vec<Fact>)>,
    /// Slowest calls.
    pub(super) examples: Vec<ExampleView>,
    /// A plan.
    pub(super) plan: Option<PlanView>,
}

/// A slow call.
pub(super) struct ExampleView {
    /// When.
    pub(super) time: String,
    /// How long.
    pub(super) duration: String,
    /// Who.
    pub(super) who: String,
    /// Statement and parameters, where values were asked for; else empty.
    pub(super) text: String,
}

/// A plan.
pub(super) struct PlanView {
    /// When, how long, how many rows.
    pub(super) title: String,
    /// The plan.
    pub(super) text: String,
}

/// The table of all statements that are shown.
pub(super) fn statements(index: &Index<'_>, style: &Style, shown: &Shown<'_>) -> Statements {
    let report = index.report;
    let first = report.totals.first.or(report.input.first).unwrap_or(Timestamp(0));
    let last = report.totals.last.or(report.input.last).unwrap_or(first);
    let rows: Vec<Row> =
        shown.statements().enumerate().map(|(i, s)| row(index, s, i + 1, (first, last), style)).collect();
    let missing = report.statements.len() - rows.len();
    Statements {
        rows,
        all: count(report.statements.len() as u64),
        more: if missing > 0 { count(missing as u64) } else { String::new() },
        idle: match report.statements.iter().filter(|s| s.calls == 0).count() {
            0 => String::new(),
            n => count(n as u64),
        },
        timed: report.totals.timed > 0,
        hours: report.totals.by_hour.len() > 1,
    }
}

fn row(
    index: &Index<'_>,
    s: &Statement,
    rank: usize,
    (first, last): (Timestamp, Timestamp),
    style: &Style,
) -> Row {
    let totals = &index.report.totals;
    let repeats = index.redundant(&s.fingerprint).map(|r| r.repeats);
    let cells = vec![
        ("calls", "Calls", Cell::count(s.calls)),
        (
            "total",
            "Total",
            match s.timed {
                0 => Cell::unknown(),
                _ => Cell::duration_share(s.duration_us, totals.duration_us, kind_class(&s.kind)),
            },
        ),
        ("mean", "Mean", Cell::duration_or_dash(mean_of(s))),
        ("p95", "p95", Cell::duration_or_dash(s.p95_us)),
        ("max", "Max", Cell::duration_or_dash(s.max_us)),
        ("repeats", "Repeats", Cell::count_or_dash(repeats)),
        (
            "hours",
            "By time",
            Cell::Drawing { value: s.by_hour.len() as u64, svg: chart::spark(&s.by_hour, first, last) },
        ),
    ];
    let mut marks: Vec<String> = index
        .report
        .findings
        .iter()
        .filter(|f| f.fingerprint == s.fingerprint && !f.minor)
        .take(4)
        .map(|f| one_line(&super::super::fix::label(&f.kind)))
        .collect();
    if s.errors > 0 {
        marks.push(crate::words::counted(s.errors, "error"));
    }
    if s.locking {
        marks.push("takes locks".to_owned());
    }
    let planned = planning_of(s);
    if planned > s.duration_us && planned.0.saturating_mul(100) >= all_time(index.report).0 {
        marks.push(format!("parse and bind {}", duration(planned)));
    }
    if s.truncated {
        marks.push("cut off in the log".to_owned());
    }
    Row {
        rank,
        anchor: anchor(&s.fingerprint),
        line: sql::line(&s.sql, 90, LINE),
        cells,
        marks,
        detail: detail(index, s, (first, last), style),
    }
}

fn detail(index: &Index<'_>, s: &Statement, (first, last): (Timestamp, Timestamp), style: &Style) -> Detail {
    let percentiles = [
        ("shortest", s.min_us),
        ("median", s.p50_us),
        ("p95", s.p95_us),
        ("p99", s.p99_us),
        ("longest", s.max_us),
    ];
    Detail {
        block: sql::block(&s.sql, style.sample_bytes),
        facts: facts(index, s),
        percentiles: match percentiles.map(|(name, us)| us.map(|us| (name, us))) {
            [Some(a), Some(b), Some(c), Some(d), Some(e)] if s.timed > 1 => {
                chart::percentiles([a, b, c, d, e])
            }
            _ => String::new(),
        },
        percentile_facts: percentiles
            .into_iter()
            .filter_map(|(name, us)| Some(fact(name, duration(us?))))
            .collect(),
        hours: match s.by_hour.len() {
            0 => String::new(),
            _ => chart::statement_hours(&s.by_hour, first, last),
        },
        who: [
            ("Routes", &s.routes),
            ("Applications", &s.applications),
            ("Users", &s.users),
            ("Databases", &s.databases),
            ("Hosts", &s.hosts),
        ]
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(title, list)| (title, who(list, s)))
        .collect(),
        examples: s.examples.iter().take(EXAMPLES).map(|e| example(e, style)).collect(),
        plan: s.plan.as_ref().map(|p| plan(p, style)),
    }
}

fn facts(index: &Index<'_>, s: &Statement) -> Vec<Fact> {
    let totals = &index.report.totals;
    let names = |list: &[String]| {
        let list: Vec<String> =
            list.iter().take(12).map(|name| shortened(&one_line(name), 80).into_owned()).collect();
        list.join(", ")
    };
    let mut facts = vec![
        fact("Kind", one_line(&s.kind)),
        fact_with("Calls", count(s.calls), percent(s.calls, totals.statements) + " of all"),
    ];
    if s.timed > 0 {
        let share = percent(s.duration_us.0, totals.duration_us.0) + " of all";
        facts.push(fact_with("Total", duration(s.duration_us), share));
    }
    if s.timed < s.calls {
        facts.push(fact("with a duration", count(s.timed)));
    }
    if s.parse_us.0 > 0 || s.bind_us.0 > 0 {
        facts.push(fact("Parse, bind", format!("{}, {}", duration(s.parse_us), duration(s.bind_us))));
    }
    if let Some(rows) = s.rows {
        facts.push(fact_with("Rows in VALUES", count(rows), format!("{} a statement", ratio(rows, s.calls))));
    }
    match s.distinct_params {
        Some(distinct) if distinct.exact => {
            facts.push(fact("Distinct parameter sets", count(distinct.count)))
        }
        Some(distinct) => facts.push(fact_with(
            "Distinct parameter sets",
            format!("≈ {}", count(distinct.count)),
            format!("± {}", percent(u64::from(distinct.error_permille), 1000)),
        )),
        None => {}
    }
    if let Some(r) = index.redundant(&s.fingerprint) {
        facts.push(fact_with("Repeats", count(r.repeats), format!("{} in all", duration(r.repeats_us))));
    }
    if s.errors > 0 {
        facts.push(fact("Failed", count(s.errors)));
    }
    if !s.reads.is_empty() {
        facts.push(fact("Reads", names(&s.reads)));
    }
    if !s.writes.is_empty() {
        facts.push(fact("Writes", names(&s.writes)));
    }
    if s.reads.is_empty() && s.writes.is_empty() && !s.tables.is_empty() {
        facts.push(fact("Tables", names(&s.tables)));
    }
    if !s.query_ids.is_empty() {
        let ids: Vec<String> = s.query_ids.iter().take(4).map(i64::to_string).collect();
        facts.push(fact("Query id", ids.join(", ")));
    }
    facts.push(fact("Fingerprint", one_line(&s.fingerprint)));
    facts
}

fn who(list: &[Actor], s: &Statement) -> Vec<Fact> {
    list.iter()
        .take(5)
        .map(|actor| {
            let share = percent(actor.calls, s.calls);
            let time = if s.timed > 0 { duration(actor.duration_us) } else { String::new() };
            Fact { name: shortened(&one_line(&actor.name), 80).into_owned(), value: share, aside: time }
        })
        .collect()
}

fn example(e: &Example, style: &Style) -> ExampleView {
    let mut who = format!("{}@{}", e.user, e.database);
    for part in [&e.application, &e.host] {
        if !part.is_empty() {
            who.push_str(" · ");
            who.push_str(part);
        }
    }
    if e.pid > 0 {
        who.push_str(&format!(" · pid {}", e.pid));
    }
    let mut text = String::new();
    if let Some(sql) = &e.sql {
        text.push_str(&block_of_text(sql, style.sample_bytes));
    }
    if let Some(params) = &e.params {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&block_of_text(params, style.sample_bytes));
    }
    ExampleView {
        time: e.time.map_or_else(|| "–".to_owned(), instant_ms),
        duration: duration_or_dash(e.duration_us),
        who: shortened(&one_line(&who), 200).into_owned(),
        text,
    }
}

fn plan(p: &Plan, style: &Style) -> PlanView {
    let mut title = format!("Plan of a call of {}", duration(p.duration_us));
    if let Some(rows) = p.rows {
        title.push_str(&format!(", {}", crate::words::counted(rows, "row")));
    }
    if let Some(node) = &p.slowest_node {
        title.push_str(&format!(", most time in {}", shortened(&one_line(node), 120)));
    }
    PlanView { title, text: block_of_text(&p.text, style.sample_bytes) }
}

/// pgFouine's other orders, for a page without scripts and for paper; the sortable table replaces them.
pub(super) fn rankings(index: &Index<'_>, style: &Style, shown: &Shown<'_>) -> Vec<Section> {
    let all = &index.report.statements;
    let timed = all.iter().any(|s| s.timed > 0);
    let time = |s: &Statement| Cell::duration_or_dash((s.timed > 0).then_some(s.duration_us));
    let mut sections = vec![ranking(
        "most-time",
        "Queries that took up the most time (N)",
        all,
        |s| s.duration_us.0,
        ["#Total duration ↓", "#Times executed", "#Average duration"],
        |s| [Cell::duration(s.duration_us), Cell::count(s.calls), Cell::duration_or_dash(mean_of(s))],
        style,
        shown,
    )];
    sections.push(ranking(
        "most-frequent",
        "Most frequent queries (N)",
        all,
        |s| s.calls,
        ["#Times executed ↓", "#Total duration", "#Average duration"],
        |s| [Cell::count(s.calls), time(s), Cell::duration_or_dash(mean_of(s))],
        style,
        shown,
    ));
    if timed {
        sections.push(ranking(
            "slowest-average",
            "Slowest queries (N)",
            all,
            |s| s.mean_us.map_or(0, |us| us.0),
            ["#Average duration ↓", "#Times executed", "#Total duration"],
            |s| [Cell::duration_or_dash(mean_of(s)), Cell::count(s.calls), time(s)],
            style,
            shown,
        ));
    } else {
        sections.remove(0);
    }
    sections
}

#[expect(
    clippy::too_many_arguments,
    reason = "one list in three orders: each argument is a part of its heading"
)]
fn ranking(
    id: &'static str,
    title: &str,
    all: &[Statement],
    key: impl Fn(&Statement) -> u64,
    titles: [&str; 3],
    cells: impl Fn(&Statement) -> [Cell; 3],
    style: &Style,
    shown: &Shown<'_>,
) -> Section {
    let mut order: Vec<&Statement> = all.iter().collect();
    order.sort_by(|a, b| key(b).cmp(&key(a)).then_with(|| a.fingerprint.cmp(&b.fingerprint)));
    order.truncate(style.top);
    let table = Table::new(title, &["#Rank", titles[0], titles[1], titles[2], "Query"]).fill(
        &order,
        style.top,
        |rank, s| {
            let mut row = vec![Cell::count(rank as u64)];
            row.extend(cells(s));
            row.push(shown.sql_as(&s.fingerprint, &s.sql));
            row
        },
    );
    let mut section = Section::new(id, title).with(Block::Table(table));
    section.ranking = true;
    section
}
