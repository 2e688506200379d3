//! The load as a whole: overall numbers, kinds, hours, actors, the slowest calls and the errors. pgFouine's blocks.

use super::super::Style;
use super::super::shown::{one_line, shortened};
use super::super::totals::{all_time, in_the_database, mean, planning};
use super::chart::{self, KINDS};
use super::statements::Shown;
use super::view::{Block, Cell, Fact, Figure, Missing, Section, Table, fact, fact_with};
use crate::report::{Actor, ErrorGroup, Load, Report};
use crate::words::{
    between, count, counted, duration, hour_label, instant, instant_ms, instant_or_dash, percent, permille,
};

/// Points of a chart at most; more would be thinner than a pixel.
const POINTS: usize = 288;

/// Columns of the chart by hour at most: one week.
const COLUMNS: usize = 168;

/// Overall statistics.
pub(super) fn overall(report: &Report) -> Section {
    let totals = &report.totals;
    let mut facts: Vec<Fact> = vec![
        fact("Statements", count(totals.statements)),
        fact_with("with a duration", count(totals.timed), percent(totals.timed, totals.statements)),
        fact("Distinct fingerprints", count(totals.fingerprints)),
        fact_with("Total duration", in_the_database(report), share_of_the_clock(report)),
        fact(
            "Parse and bind beside it",
            format!("{} and {}", duration(totals.parse_us), duration(totals.bind_us)),
        ),
        fact("First statement", instant_or_dash(totals.first)),
        fact("Last statement", instant_or_dash(totals.last)),
        match totals.peak {
            Some(peak) => fact_with(
                "Peak",
                format!("{} a second", count(peak.calls)),
                format!("at {}", instant(peak.at)),
            ),
            None => fact("Peak", "–"),
        },
        fact("Errors", count(totals.errors)),
        fact("Distinct errors", count(totals.distinct_errors)),
    ];
    if totals.unidentified.calls > 0 {
        facts.push(fact_with(
            "Durations without a statement",
            count(totals.unidentified.calls),
            duration(totals.unidentified.duration_us),
        ));
    }
    if totals.from_plans > 0 {
        facts.push(fact("Known only from auto_explain", count(totals.from_plans)));
    }
    Section::new("overall", "Overall statistics").with(Block::Facts(facts))
}

/// How many sessions the time would have kept busy, where that says something.
fn share_of_the_clock(report: &Report) -> String {
    let (Some(first), Some(last)) = (report.totals.first, report.totals.last) else { return String::new() };
    let clock = between(first, last);
    match report.totals.duration_us.0.saturating_mul(10).checked_div(clock.0) {
        Some(tenths) if tenths > 0 => format!("{}.{} sessions busy on average", tenths / 10, tenths % 10),
        _ => String::new(),
    }
}

/// Queries by type.
pub(super) fn kinds(report: &Report) -> Section {
    let totals = &report.totals;
    let order = [
        "select",
        "insert",
        "update",
        "delete",
        "merge",
        "copy",
        "cursor",
        "transaction",
        "utility",
        "ddl",
        "other",
    ];
    let none = Load::default();
    let mut rows: Vec<(&str, &Load)> =
        order.iter().map(|k| (*k, totals.by_kind.get(*k).unwrap_or(&none))).collect();
    // A kind that this version does not know is still in the contract, so it is shown.
    rows.extend(
        totals
            .by_kind
            .iter()
            .filter(|(k, _)| !order.contains(&k.as_str()))
            .map(|(k, load)| (k.as_str(), load)),
    );
    rows.retain(|(kind, load)| load.calls > 0 || KINDS[..4].contains(kind));
    let table = Table::new(
        "Statements by kind",
        &["Type", "#Count", "#Percentage", "#Duration", "#Percentage of time", "#Average"],
    )
    .fill(&rows, 40, |_, (kind, load)| {
        vec![
            Cell::Text(one_line(kind).to_uppercase()),
            Cell::count(load.calls),
            Cell::share(load.calls, totals.statements, kind_class(kind)),
            match totals.timed {
                0 => Cell::unknown(),
                _ => Cell::duration(load.duration_us),
            },
            Cell::share(load.duration_us.0, totals.duration_us.0, kind_class(kind)),
            Cell::average(load.duration_us, if totals.timed > 0 { load.calls } else { 0 }),
        ]
    });
    Section::new("types", "Queries by type").with(Block::Table(table))
}

/// The class that colours a kind; one of ours, whatever the report says.
pub(super) fn kind_class(kind: &str) -> &'static str {
    KINDS.iter().copied().find(|known| *known == kind).unwrap_or("other")
}

/// Hourly statistics, with the charts.
pub(super) fn hours(report: &Report) -> Section {
    let totals = &report.totals;
    let points = chart::traffic_points(&totals.traffic, POINTS);
    let mut section = Section::new("hours", "Hourly statistics");
    if points.len() > 2 {
        let minutes = (points[1].at.0 - points[0].at.0) / 60_000_000;
        let table =
            Table::new("Statements a second", &["Time ↑", "#Average", "#Most", "#Fewest", "#Statements"])
                .fill(&points, POINTS, |_, p| {
                    vec![
                        Cell::instant(Some(p.at)),
                        Cell::Number { value: p.average_tenths(), text: p.average() },
                        Cell::count(p.max),
                        Cell::count(p.min),
                        Cell::count(p.calls),
                    ]
                });
        section = section.with(Block::Figure(Figure {
            caption: format!("Statements a second, over stretches of {minutes} minutes"),
            svg: chart::traffic(&points),
            legend: vec![("line", "average"), ("band", "from the fewest to the most of one second")],
            table: Some(table),
        }));
    }
    let bars = chart::hour_bars(&totals.by_hour, COLUMNS);
    // One column says no more than the row below it.
    if bars.len() > 1 {
        section = section.with(Block::Figure(Figure {
            caption: "Statements by kind, and their average duration".to_owned(),
            svg: chart::hours(&bars),
            legend: vec![
                ("select", "SELECT"),
                ("insert", "INSERT"),
                ("update", "UPDATE"),
                ("delete", "DELETE"),
                ("other", "other"),
                ("average", "average duration (right axis)"),
            ],
            table: None,
        }));
    }
    let write = |h: &crate::report::Hour| Load {
        calls: h.insert.calls.saturating_add(h.update.calls).saturating_add(h.delete.calls),
        duration_us: h.insert.duration_us + h.update.duration_us + h.delete.duration_us,
    };
    let table = Table::new(
        "Hourly statistics",
        &[
            "Hour ↑",
            "#Queries",
            "#Average duration",
            "#SELECT",
            "#Average of SELECT",
            "#INSERT",
            "#UPDATE",
            "#DELETE",
            "#Average of writes",
            "#Errors",
        ],
    )
    .fill(&totals.by_hour, 24 * 31, |_, h| {
        let writes = write(h);
        vec![
            Cell::at(h.hour, hour_label(h.hour)),
            Cell::count(h.all.calls),
            Cell::average(h.all.duration_us, h.all.calls),
            Cell::count(h.select.calls),
            Cell::average(h.select.duration_us, h.select.calls),
            Cell::count(h.insert.calls),
            Cell::count(h.update.calls),
            Cell::count(h.delete.calls),
            Cell::average(writes.duration_us, writes.calls),
            Cell::count(h.errors),
        ]
    });
    match table.rows.is_empty() {
        true => section.with(Block::Missing(Missing {
            what: "This log has no statements with a time.",
            setting: "log_line_prefix = '%m [%p] %q%u@%d/%a '",
        })),
        false => section.with(Block::Table(table)),
    }
}

/// By user, database, application, host and route.
pub(super) fn actors(report: &Report, style: &Style) -> Section {
    let totals = &report.totals;
    let lists = [
        ("By route", "Route", &totals.routes),
        ("By application", "Application", &totals.applications),
        ("By user", "User", &totals.users),
        ("By database", "Database", &totals.databases),
        ("By host", "Host", &totals.hosts),
    ];
    let all = Load { calls: totals.statements, duration_us: totals.duration_us };
    let tables = lists
        .into_iter()
        .filter(|(_, _, list)| !list.is_empty())
        .map(|(title, column, list)| actor_table(title, column, list, &all, style.top))
        .collect();
    let mut section = Section::new("who", "Who sent them").with(Block::Pair(tables));
    if totals.routes.is_empty() {
        section = section.with(Block::Note(
            "No statement carries a route: a query comment such as /* route='GET /cart' */ (sqlcommenter, marginalia) \
             would tell which request sent it."
                .to_owned(),
        ));
    }
    section
}

/// A table of actors; `column` says what they are.
fn actor_table(title: &str, column: &str, list: &[Actor], all: &Load, limit: usize) -> Table {
    Table::new(title, &[column, "#Calls", "#Duration ↓", "#Average", "#Errors"]).fill(
        list,
        limit,
        |_, actor| {
            vec![
                Cell::name(&actor.name),
                Cell::count_share(actor.calls, all.calls, "neutral"),
                Cell::duration_share(actor.duration_us, all.duration_us, "neutral"),
                Cell::average(actor.duration_us, if all.duration_us.0 > 0 { actor.calls } else { 0 }),
                Cell::count(actor.errors),
            ]
        },
    )
}

/// Slowest single calls.
pub(super) fn slowest(report: &Report, style: &Style, shown: &Shown<'_>) -> Section {
    let section = Section::new("slowest", "Slowest queries").intro("Single calls, not fingerprints.");
    if report.slowest.is_empty() {
        return section.with(Block::Missing(Missing {
            what: "This log has no durations.",
            setting: "log_min_duration_statement = 0",
        }));
    }
    let table = Table::new(
        "Slowest single calls",
        &["#Rank", "#Duration ↓", "Time", "User@database", "Query"],
    )
    .fill(&report.slowest, style.top, |rank, slow| {
        let call = &slow.call;
        vec![
            Cell::count(rank as u64),
            Cell::duration_or_dash(call.duration_us),
            match call.time {
                Some(at) => Cell::at(at, instant_ms(at)),
                None => Cell::instant(None),
            },
            Cell::name(&format!("{}@{}", call.user, call.database)),
            match &call.sql {
                Some(sql) => shown.sent(&slow.fingerprint, sql),
                None => shown.sql(&slow.fingerprint),
            },
        ]
    });
    section.with(Block::Table(table))
}

/// Most frequent errors.
pub(super) fn errors(report: &Report, style: &Style, shown: &Shown<'_>) -> Section {
    let section = Section::new("errors", "Most frequent errors (N)").count(report.totals.errors);
    if report.errors.is_empty() {
        return section.with(Block::Missing(Missing { what: "This log has no errors.", setting: "" }));
    }
    let table = Table::new(
        "Errors by normalised message",
        &["#Rank", "#Times ↓", "Class", "Error", "Statement", "Seen"],
    )
    .fill(&report.errors, style.top.max(50), |rank, error| {
        vec![
            Cell::count(rank as u64),
            Cell::count(error.count),
            Cell::Lines {
                head: one_line(&format!("{} {}", error.severity, error.sqlstate.as_deref().unwrap_or(""))),
                lines: error.class.iter().map(|class| ("", one_line(class))).collect(),
            },
            Cell::Lines { head: limited(&error.message, style), lines: error_lines(error, style) },
            match error.statements.first() {
                Some(statement) => shown.sql_as(&statement.fingerprint, &statement.sql),
                None => Cell::Text("–".to_owned()),
            },
            match (error.first, error.last) {
                (Some(first), Some(last)) if first != last => {
                    Cell::Lines { head: instant(first), lines: vec![("to", instant(last))] }
                }
                (first, _) => Cell::instant(first),
            },
        ]
    });
    section.with(Block::Table(table))
}

fn limited(text: &str, style: &Style) -> String {
    shortened(&one_line(text), style.sample_bytes.min(1_000)).into_owned()
}

fn error_lines(error: &ErrorGroup, style: &Style) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(example) = error.examples.first() {
        let parts = [("Detail", &example.detail), ("Hint", &example.hint), ("Context", &example.context)];
        for (name, text) in parts {
            if let Some(text) = text {
                lines.push((name, limited(text, style)));
            }
        }
        let who = format!("{}@{} {} {}", example.user, example.database, example.application, example.host);
        lines.push((
            "Example",
            format!("{} {}", example.time.map_or_else(String::new, instant_ms), limited(&who, style)),
        ));
        if error.statements.is_empty()
            && let Some(statement) = &example.statement
        {
            lines.push(("Statement", limited(statement, style)));
        }
    }
    if error.statements.len() > 1 {
        lines.push(("", counted(error.statements.len() as u64, "statement") + " raise it"));
    }
    lines
}

/// The top of the page: the numbers that say how large this is.
pub(super) fn figures(report: &Report) -> Vec<Fact> {
    let totals = &report.totals;
    let kinds: Vec<String> = ["select", "insert", "update", "delete"]
        .iter()
        .filter_map(|kind| {
            let calls = totals.by_kind.get(*kind)?.calls;
            (permille(calls, totals.statements) > 0)
                .then(|| format!("{} {kind}", percent(calls, totals.statements)))
        })
        .take(2)
        .collect();
    let average = match mean(totals.duration_us, totals.timed) {
        Some(average) => format!("{} on average", duration(average)),
        None => "no durations in the log".to_owned(),
    };
    let noun = |n: u64, one: &'static str, many: &'static str| if n == 1 { one } else { many };
    let mut figures = vec![
        fact_with(
            noun(totals.statements, "statement", "statements"),
            count(totals.statements),
            kinds.join(", "),
        ),
        fact_with("in the database", in_the_database(report), average),
    ];
    if let Some(planning) = planning(report) {
        let share = format!("{} of the time, beside executing", percent(planning.0, all_time(report).0));
        figures.push(fact_with("parse and bind", duration(planning), share));
    }
    figures.push(fact(noun(totals.fingerprints, "fingerprint", "fingerprints"), count(totals.fingerprints)));
    if let Some(peak) = totals.peak {
        figures.push(fact_with("a second at peak", count(peak.calls), format!("at {}", instant(peak.at))));
    }
    figures.push(fact_with(
        if totals.errors == 1 { "error" } else { "errors" },
        count(totals.errors),
        match totals.distinct_errors {
            0 => String::new(),
            n => format!("{} distinct", count(n)),
        },
    ));
    figures
}
