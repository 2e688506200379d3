//! What pglens is for: findings, repeated questions, hot INSERTs, and what a change would bring.

use std::collections::{BTreeMap, HashSet};

use super::super::Style;
use super::super::fix::{self, CostOf, fixes};
use super::super::index::Index;
use super::super::judged;
use super::super::shown::{one_line, shortened};
use super::chart;
use super::statements::Shown;
use super::view::{
    BeforeAfter, Block, Cell, Fact, Figure, FoldedFinding, ForecastView, Missing, Moment, Section, Table,
    fact,
};
use crate::report::{Curve, Finding, Forecast, Judged, Load, Report, TimelineRow};
use crate::units::{Micros, Timestamp};
use crate::words::{
    between, bytes, count, counted, duration, duration_or_dash, instant, percent, permille, ratio_or_dash,
};

/// Findings on the page; each carries a time line.
const FINDINGS: usize = 100;

/// One thing to fix, at the top of the page.
pub(super) struct FixCard {
    /// From 1.
    pub(super) rank: usize,
    /// What kind of thing.
    pub(super) label: String,
    /// Further kinds; may be empty.
    pub(super) also: String,
    /// Its route; may be empty.
    pub(super) route: String,
    /// One line.
    pub(super) title: String,
    /// The statements, most often one.
    pub(super) sql: Vec<Cell>,
    /// What the log shows.
    pub(super) why: String,
    /// What to do.
    pub(super) advice: String,
    /// What doing it brings.
    pub(super) gain: String,
    /// Link to its finding with the evidence; empty without one on the page.
    pub(super) evidence: String,
    /// What it costs, in statements; empty for none.
    pub(super) statements: String,
    /// As a share of all.
    pub(super) statement_share: String,
    /// As a bar.
    pub(super) statement_bar: String,
    /// What it costs in time; empty for none.
    pub(super) time: String,
    /// As a share of all.
    pub(super) time_share: String,
    /// As a bar.
    pub(super) time_bar: String,
    /// How long its client did something else; empty for not at all.
    pub(super) held: String,
    /// What the numbers are; empty without any.
    pub(super) cost_of: &'static str,
}

/// What to fix first.
pub(super) fn cards(index: &Index<'_>, shown: &Shown<'_>) -> Vec<FixCard> {
    let totals = &index.report.totals;
    let here: HashSet<&str> = listed(index.report).map(|finding| finding.id.as_str()).collect();
    fixes(index, 5)
        .into_iter()
        .enumerate()
        .map(|(i, fix)| {
            let (n, us) = (fix.cost.statements, fix.cost.duration_us.0);
            let whole = fix.cost_of.whole(index.report).0;
            FixCard {
                rank: i + 1,
                label: shortened(&one_line(&fix.label), 60).into_owned(),
                also: shortened(&one_line(&fix.also.join(", ")), 200).into_owned(),
                route: shortened(&one_line(&fix.route), 120).into_owned(),
                title: shortened(&one_line(&fix.title), 200).into_owned(),
                sql: std::iter::once(&fix.fingerprint)
                    .chain(fix.others.iter().take(4))
                    .map(|fingerprint| shown.long_sql(fingerprint))
                    .collect(),
                why: shortened(&one_line(&fix.why), 500).into_owned(),
                advice: shortened(&one_line(&fix.advice), 500).into_owned(),
                gain: shortened(&one_line(&fix.gain), 500).into_owned(),
                evidence: match &fix.finding {
                    Some(id) if here.contains(id.as_str()) => format!("#{}", anchor(id)),
                    _ => String::new(),
                },
                statements: if n > 0 { count(n) } else { String::new() },
                statement_share: percent(n, totals.statements),
                statement_bar: chart::bar(permille(n, totals.statements), "loss"),
                time: if us > 0 { duration(fix.cost.duration_us) } else { String::new() },
                time_share: percent(us, whole),
                time_bar: chart::bar(permille(us, whole), "loss"),
                held: match fix.cost_of {
                    CostOf::Waiting(waited) => duration(waited),
                    _ => String::new(),
                },
                cost_of: if n > 0 || us > 0 || matches!(fix.cost_of, CostOf::Waiting(_)) {
                    fix.cost_of.words()
                } else {
                    ""
                },
            }
        })
        .collect()
}

/// SELECTs that come again.
pub(super) fn redundant(report: &Report, style: &Style, shown: &Shown<'_>) -> Section {
    let section = Section::new("redundant", "Repeats over the whole log").intro(
        "The same SELECT with the same parameters, by whomever and whatever was written in between. Repeats are calls \
         less distinct parameter sets: what a cache could answer at most. The findings say which of them come in one \
         request or transaction, and which are unchanged.",
    );
    let known = report.statements.iter().any(|s| s.distinct_params.is_some());
    if report.redundant_selects.is_empty() {
        return section.with(match known {
            true => Block::Note("No SELECT asked the same question twice.".to_owned()),
            false => Block::Missing(Missing {
                what: "This log does not have the parameters of its statements.",
                setting: "log_min_duration_statement = 0, log_parameter_max_length = -1",
            }),
        });
    }
    let totals = &report.totals;
    let table = Table::new(
        "Repeats over the whole log",
        &["Statement", "#Calls", "#Distinct parameter sets", "#Repeats ↓", "#Time on repeats"],
    )
    .fill(&report.redundant_selects, style.top.max(50), |_, r| {
        let distinct = r.distinct_params;
        let about = if distinct.exact { "" } else { "≈ " };
        vec![
            shown.sql(&r.fingerprint),
            Cell::count(r.calls),
            Cell::Number { value: distinct.count, text: format!("{about}{}", count(distinct.count)) },
            Cell::Share {
                value: r.repeats,
                text: format!("{about}{}", count(r.repeats)),
                aside: format!("{} of its calls", percent(r.repeats, r.calls)),
                svg: chart::bar(permille(r.repeats, r.calls), "loss"),
            },
            Cell::duration_share(r.repeats_us, totals.duration_us, "loss"),
        ]
    });
    section.count(report.redundant_selects.len() as u64).with(Block::Table(table))
}

/// Hot INSERTs.
pub(super) fn inserts(report: &Report, style: &Style, shown: &Shown<'_>) -> Section {
    let section = Section::new("inserts", "Hot INSERTs").intro(
        "Where rows go in, and how many a statement carries. One row a statement is a round trip a row.",
    );
    if report.hot_inserts.is_empty() {
        return section.with(Block::Note("This log has no INSERTs.".to_owned()));
    }
    let totals = &report.totals;
    let table = Table::new(
        "Hot INSERTs",
        &[
            "Table",
            "Statement",
            "#Calls ↓",
            "#Rows",
            "#Rows a statement",
            "#Peak calls a second",
            "#Time",
            "#Table’s reads",
            "#Table’s writes",
        ],
    )
    .fill(&report.hot_inserts, style.top.max(50), |_, h| {
        vec![
            Cell::code(h.table.as_deref().unwrap_or("–")),
            shown.sql(&h.fingerprint),
            Cell::count(h.calls),
            Cell::count_or_dash(h.rows),
            Cell::Number {
                value: h.rows.map_or(0, |rows| permille(rows, h.calls)),
                text: ratio_or_dash(h.rows, h.calls),
            },
            match h.peak {
                Some(peak) => Cell::Share {
                    value: peak.calls,
                    text: count(peak.calls),
                    aside: format!("at {}", instant(peak.at)),
                    svg: String::new(),
                },
                None => Cell::count_or_dash(None),
            },
            Cell::duration_share(h.duration_us, totals.duration_us, "insert"),
            load(h.table_reads),
            load(h.table_writes),
        ]
    });
    section.count(report.hot_inserts.len() as u64).with(Block::Table(table))
}

/// Calls, and the time they take.
fn load(load: Load) -> Cell {
    Cell::Share {
        value: load.calls,
        text: count(load.calls),
        aside: if load.calls > 0 { duration(load.duration_us) } else { String::new() },
        svg: String::new(),
    }
}

/// Every finding, folded; those below the threshold apart.
pub(super) fn findings(index: &Index<'_>, shown: &Shown<'_>) -> Option<Section> {
    let all = &index.report.findings;
    let judged = &index.report.judged;
    if all.is_empty() && judged.suppressed.is_empty() {
        return None;
    }
    let (minor, major): (Vec<&Finding>, Vec<&Finding>) = all.iter().partition(|finding| finding.minor);
    let mut section = Section::new("findings", "Findings")
        .count(major.len() as u64)
        .intro("Statements that should not have been sent, by what they cost. Each opens to its evidence.");
    let folded =
        |list: &[&Finding]| list.iter().take(FINDINGS).map(|f| fold(index, f, shown)).collect::<Vec<_>>();
    section = match major.is_empty() {
        true => section.with(Block::Note("None above a thousandth of everything.".to_owned())),
        false => section.with(Block::Findings(folded(&major))),
    };
    if major.len() > FINDINGS {
        section = section.with(Block::Note(format!(
            "{} more in the JSON report.",
            count((major.len() - FINDINGS) as u64)
        )));
    }
    if !minor.is_empty() {
        section = section
            .with(Block::Heading(format!(
                "{} below a thousandth of everything",
                counted(minor.len() as u64, "finding")
            )))
            .with(Block::Findings(folded(&minor)));
    }
    section = section.with_rows(left_out(judged, shown));
    Some(match beside(judged) {
        facts if facts.is_empty() => section,
        facts => section.with(Block::Facts(facts)),
    })
}

/// The findings that the section shows.
fn listed(report: &Report) -> impl Iterator<Item = &Finding> {
    let of = |minor: bool| report.findings.iter().filter(move |f| f.minor == minor).take(FINDINGS);
    of(false).chain(of(true))
}

/// What pglens.toml and query comments left out.
fn left_out(judged: &Judged, shown: &Shown<'_>) -> Table {
    let columns = ["Left out", "Statement", "#Calls", "By", "Reason"];
    Table::new("Left out on purpose", &columns).fill(&judged.suppressed, FINDINGS, |_, suppressed| {
        vec![
            Cell::name(&fix::label(&suppressed.kind)),
            shown.sql(&suppressed.fingerprint),
            Cell::count(suppressed.calls),
            Cell::name(&suppressed.by),
            Cell::name(&suppressed.reason),
        ]
    })
}

/// What the findings were looked for in, and what nobody looked at.
fn beside(judged: &Judged) -> Vec<Fact> {
    let ignored =
        judged.ignored.iter().map(|load| format!("{} ({})", load.reason, counted(load.calls, "call")));
    let lines =
        [("Looked for in", judged::units(judged)), ("Left alone", ignored.collect::<Vec<_>>().join(" · "))];
    lines.into_iter().filter(|line| !line.1.is_empty()).map(|(name, text)| fact(name, text)).collect()
}

fn fold(index: &Index<'_>, finding: &Finding, shown: &Shown<'_>) -> FoldedFinding {
    let fix = fix::of(index, finding);
    let evidence = &finding.evidence;
    let start = evidence.example.first().and_then(|row| row.time);
    FoldedFinding {
        id: anchor(&finding.id),
        label: shortened(&one_line(&fix.label), 60).into_owned(),
        title: shortened(&one_line(&finding.title), 200).into_owned(),
        route: shortened(&one_line(finding.route.as_deref().unwrap_or("")), 120).into_owned(),
        statements: match finding.cost.statements {
            0 => String::new(),
            n => counted(n, "statement"),
        },
        time: match (finding.cost.duration_us, fix.cost_of) {
            (Micros(0), CostOf::Waiting(waited)) => format!("{} waiting", duration(waited)),
            (Micros(0), _) => "–".to_owned(),
            (us, _) => duration(us),
        },
        advice: shortened(&one_line(&finding.advice), 500).into_owned(),
        gain: shortened(&one_line(&fix.gain), 500).into_owned(),
        why: shortened(&one_line(&fix.why), 500).into_owned(),
        sql: shown.long_sql(&finding.fingerprint),
        about_several: !fix.others.is_empty(),
        related: evidence.related.iter().take(10).map(|fingerprint| shown.sql(fingerprint)).collect(),
        timeline: evidence.example.iter().take(60).map(|row| moment(row, start, shown)).collect(),
        unit: match evidence.unit_kind.as_str() {
            // The whole log is no unit of work.
            "log" => "An example".to_owned(),
            "" => "One unit as it happened".to_owned(),
            unit => format!("One {} as it happened", one_line(unit)),
        },
    }
}

/// The anchor of a finding: its id with everything but letters and digits as dashes.
fn anchor(id: &str) -> String {
    let clean: String =
        id.chars().take(120).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("finding-{clean}")
}

fn moment(row: &TimelineRow, start: Option<Timestamp>, shown: &Shown<'_>) -> Moment {
    Moment {
        offset: match (start, row.time) {
            (Some(start), Some(time)) => format!("+{}", duration(between(start, time))),
            _ => String::new(),
        },
        duration: duration_or_dash(row.duration_us),
        times: if row.times > 1 { format!("× {}", count(row.times)) } else { String::new() },
        marked: row.marked,
        sql: shown.sql(&row.fingerprint),
    }
}

/// What a change would bring.
pub(super) fn forecasts(report: &Report, style: &Style, shown: &Shown<'_>) -> Option<Section> {
    let all = report.forecasts.as_ref()?;
    let no_calls = |forecast: &Forecast| forecast.before.calls == 0 && forecast.after.calls == 0;
    let models = [
        ("Everything at once", &all.combined),
        ("Cache", &all.cache),
        ("Write-through cache", &all.write_through),
        ("Cache within a request", &all.request_cache),
        ("Prefetch instead of N+1", &all.prefetch),
        ("Batched INSERTs", &all.batching),
        ("Reads to a replica", &all.replica),
        ("Group commit", &all.group_commit),
    ];
    let mut section = Section::new("forecasts", "What a change would bring")
        .intro("Each forecast replays this log against a model; its assumptions stand with it.");
    for (title, forecast) in models {
        if !forecast.assumptions.is_empty() && !no_calls(forecast) {
            section = section.with(Block::Forecast(Box::new(view(title, forecast, style, shown))));
        }
    }
    (!section.blocks.is_empty()).then_some(section)
}

fn view(title: &'static str, forecast: &Forecast, style: &Style, shown: &Shown<'_>) -> ForecastView {
    let (before, after) = (forecast.before, forecast.after);
    let table = Table::new(
        format!("{title}: statements"),
        &["Statement", "#Calls before", "#Calls after", "#Calls saved ↓", "#Time before", "#Time after"],
    )
    .fill(&forecast.statements, style.top, |_, row| {
        vec![
            shown.sql(&row.fingerprint),
            Cell::count(row.before.calls),
            Cell::count(row.after.calls),
            Cell::count(row.before.calls.saturating_sub(row.after.calls)),
            time(row.before, row.before.duration_us),
            time(row.before, row.after.duration_us),
        ]
    });
    // Commits that share a flush stay as many as they are: what becomes fewer is flushes.
    let names = match title {
        "Group commit" => ["Flushes, one a commit before", "Time of these commits"],
        "Reads to a replica" => ["Reads on the primary", "Time of reads on the primary"],
        "Batched INSERTs" => ["INSERTs", "Time of these INSERTs"],
        _ => ["Statements", "Time in the database"],
    };
    let mut changes = vec![before_after(names[0], before.calls, after.calls, count)];
    // Nothing is known of the time where no call has a duration.
    if before.duration_us.0 > 0 {
        let text = |us| duration(Micros(us));
        changes.push(before_after(names[1], before.duration_us.0, after.duration_us.0, text));
    }
    let (numbers, kinds) = numbers(&forecast.numbers);
    ForecastView {
        title,
        assumptions: shortened(&one_line(&forecast.assumptions), 500).into_owned(),
        changes,
        numbers,
        kinds: (!kinds.rows.is_empty()).then_some(kinds),
        curves: forecast.curves.iter().take(8).filter_map(curve).collect(),
        table: (!table.rows.is_empty()).then_some(table),
    }
}

/// A part of the time of calls; a dash where they have none.
fn time(before: Load, us: Micros) -> Cell {
    Cell::duration_or_dash((before.duration_us.0 > 0).then_some(us))
}

fn before_after(name: &'static str, before: u64, after: u64, text: impl Fn(u64) -> String) -> BeforeAfter {
    let (change, class) = match before.checked_sub(after) {
        Some(0) => ("unchanged".to_owned(), "same"),
        Some(saved) => (format!("{} less", percent(saved, before)), "gain"),
        None => (format!("{} more", percent(after - before, before)), "loss"),
    };
    BeforeAfter {
        name,
        before: text(before),
        after: text(after),
        change,
        class,
        svg: chart::bar(permille(after, before), if class == "loss" { "loss" } else { "gain" }),
    }
}

/// Numbers in words, and those that stand as `…_before` and `…_after` as a table.
fn numbers(numbers: &BTreeMap<String, u64>) -> (Vec<Fact>, Table) {
    let pair =
        |name: &str| Some((numbers.get(&format!("{name}_before"))?, numbers.get(&format!("{name}_after"))?));
    let kinds: Vec<(String, u64, u64)> = numbers
        .keys()
        .filter_map(|name| {
            let kind = name.strip_suffix("_before")?;
            let (before, after) = pair(kind)?;
            (*before > 0 || *after > 0).then(|| (kind.replace('_', " "), *before, *after))
        })
        .collect();
    let table = Table::new("By kind", &["Kind", "#Before", "#After", "#Fewer"]).fill(
        &kinds,
        30,
        |_, (kind, before, after)| {
            vec![
                Cell::name(kind),
                Cell::count(*before),
                Cell::count(*after),
                match before.checked_sub(*after) {
                    Some(fewer) => Cell::count(fewer),
                    None => Cell::Number { value: 0, text: format!("{} more", count(after - before)) },
                },
            ]
        },
    );
    let paired = |name: &str| {
        let kind = name.strip_suffix("_before").or_else(|| name.strip_suffix("_after"));
        kind.is_some_and(|kind| pair(kind).is_some())
    };
    let alone = numbers.iter().filter(|(name, _)| !paired(name));
    (alone.take(30).filter_map(|(name, value)| in_words(name, *value)).collect(), table)
}

/// A number of a forecast as people say it; the unit of a name that this version does not know is read off its end.
fn in_words(name: &str, value: u64) -> Option<Fact> {
    let known = match name {
        // Said by what stands above.
        "hits" | "reads" | "free_reads" => return None,
        "sampled" | "error_permille" | "hits_of_counts" | "commits_saved" if value == 0 => return None,
        "sampled" => return Some(fact("Basis", "a sample of the askings")),
        "error_permille" => return Some(fact("Off by at most", percent(value, 1_000))),
        "hit_permille" => "Answered by the cache",
        "hits_of_counts" => "of them counts",
        "keys" => "Distinct questions",
        "units" => "Units of work",
        "read_only_table_reads" => "Reads of tables never written",
        "read_only_table_us" => "Their time",
        "latency_added_us" => "Waiting added",
        "commit_siblings" | "commit_delay_us" => "",
        _ => "",
    };
    let (bare, value) = match name.rsplit_once('_') {
        Some((bare, "us")) => (bare, duration(Micros(value))),
        Some((bare, "bytes")) => (bare, bytes(value)),
        Some((bare, "permille")) => (bare, percent(value, 1_000)),
        _ => (name, count(value)),
    };
    Some(match (known, name) {
        // Settings keep their names.
        ("", "commit_siblings" | "commit_delay_us") => fact(bare, value),
        ("", _) => fact(&sentence(bare), value),
        (known, _) => fact(known, value),
    })
}

/// A name as words: the first letter large, spaces for underscores, at most 80 characters.
fn sentence(name: &str) -> String {
    let name = shortened(&one_line(&name.replace('_', " ")), 80).into_owned();
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn curve(curve: &Curve) -> Option<Figure> {
    let x_text = |x: Option<u64>| match (x, curve.x_unit.as_str()) {
        (None, _) => "∞".to_owned(),
        (Some(x), "seconds" | "s") => duration(Micros(x.saturating_mul(1_000_000))),
        (Some(x), "us" | "microseconds") => duration(Micros(x)),
        (Some(x), "bytes") => bytes(x),
        (Some(x), "percent") => percent(x, 100),
        (Some(x), _) => count(x),
    };
    let y_text = |y: u64| match curve.y_unit.as_str() {
        // The axis has round per cents only.
        "permille" if y.is_multiple_of(250) => format!("{} %", y / 10),
        "permille" => percent(y, 1000),
        "us" | "microseconds" => duration(Micros(y)),
        "bytes" => bytes(y),
        _ => count(y),
    };
    let (x_axis, y_axis) = axes(curve);
    let svg = chart::curve(curve, &x_axis, x_text, y_text);
    if svg.is_empty() {
        return None;
    }
    let name = sentence(&curve.name);
    let table = Table::new(name.clone(), &[&format!("#{x_axis}"), &format!("#{y_axis}")]).fill(
        &curve.points,
        60,
        |_, (x, y)| {
            vec![
                Cell::Number { value: x.unwrap_or(u64::MAX), text: x_text(*x) },
                Cell::Number { value: *y, text: y_text(*y) },
            ]
        },
    );
    Some(Figure { caption: name, svg, legend: Vec::new(), table: Some(table) })
}

/// What the two axes of a curve are: the name says it, as `hit ratio by TTL`; else the units do.
fn axes(curve: &Curve) -> (String, String) {
    let (y, x) = match curve.name.split_once(" by ") {
        Some((y, x)) => (y, x.split(',').next().unwrap_or(x)),
        None => (curve.y_unit.as_str(), curve.x_unit.as_str()),
    };
    (sentence(x), sentence(y))
}
