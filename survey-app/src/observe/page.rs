//! The page of a run: first what each view waits for, in words and as a bar; then the same over time, with
//! requests, errors, response times, transactions and load beside it.
//!
//! Serves `observe`, `run` and the lessons (several recordings on one page). One file without scripts that asks
//! the network for nothing. Decides no number: [`super::recording`] does.

pub use super::chart::number;
use super::chart::{Chart, Series, bar};
use super::recording::{Recording, Span, ViewTotals};
use crate::metrics::Component;
use anyhow::{Context, Result};
use askama::Template;
use base64::Engine;
use sha2::{Digest, Sha256};

const CSS: &str = include_str!("../../templates/observe/page.css");
/// As many points as a chart can show.
const POINTS: usize = 160;
/// Views that get a sentence and a chart.
const MOST_VIEWS: usize = 6;

/// A table of text.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Heads of the columns.
    pub head: Vec<String>,
    /// Rows; the first cell is the row's head.
    pub rows: Vec<Vec<String>>,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "observe/page.html")]
struct Page {
    title: String,
    lead: Vec<String>,
    table: Table,
    legend: Vec<(&'static str, &'static str, &'static str)>,
    parts: Vec<Part>,
    css: &'static str,
    css_hash: String,
}

/// One recording on the page.
#[derive(Debug)]
struct Part {
    heading: String,
    when: String,
    figures: Vec<(String, String)>,
    views: Vec<ViewPart>,
    over_time: Vec<Figure>,
    by_view: Vec<Figure>,
    numbers: Table,
    notes: Vec<String>,
}

/// What one view waits for.
#[derive(Debug)]
struct ViewPart {
    name: String,
    class: &'static str,
    says: String,
    waits_for: &'static str,
    amount: String,
    then: Vec<(&'static str, String)>,
    rest: String,
    bar: String,
}

/// A chart with its words.
#[derive(Debug)]
struct Figure {
    title: String,
    unit: &'static str,
    keys: Vec<(&'static str, String)>,
    svg: String,
}

/// What a component is called, and the class of its colour.
fn called(component: Component) -> (&'static str, &'static str) {
    match component {
        Component::App => ("application", "c-app"),
        Component::Queue => ("turn on a thread", "c-queue"),
        Component::Lock => ("another request", "c-lock"),
        Component::Pool => ("database connection", "c-pool"),
        Component::Primary => ("PostgreSQL primary", "c-primary"),
        Component::Replica => ("PostgreSQL replica", "c-replica"),
        Component::Memcached => ("memcached", "c-memcached"),
        Component::Redis => ("Redis", "c-redis"),
    }
}

/// What stands in the legend.
fn explained(component: Component) -> &'static str {
    match component {
        Component::App => "the application runs: templates, JSON, hashing",
        Component::Queue => "ready to run, but no thread is free; or the request is still arriving",
        Component::Lock => "the same respondent's other request, or one that fills the cache",
        Component::Pool => "a free connection of the pool, or a new one",
        Component::Primary => "writes, commits, and reads of what was just written",
        Component::Replica => "reads",
        Component::Memcached => "the cache",
        Component::Redis => "sessions, and the cache when it lives there",
    }
}

/// The page of one run.
pub fn of(recording: &Recording) -> Result<String> {
    of_several(&recording.title, &[], Table::default(), &[("", recording)])
}

/// The page of several runs, with sentences and a table before them; each has its heading.
pub fn of_several(
    title: &str,
    lead: &[String],
    table: Table,
    recordings: &[(&str, &Recording)],
) -> Result<String> {
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(CSS));
    let page = Page {
        title: title.to_string(),
        lead: lead.to_vec(),
        table,
        legend: Component::ALL.map(|c| (called(c).1, called(c).0, explained(c))).to_vec(),
        parts: recordings.iter().map(|(heading, recording)| part(heading, recording)).collect(),
        css: CSS,
        css_hash: format!("sha256-{hash}"),
    };
    page.render().context("the page")
}

fn part(heading: &str, recording: &Recording) -> Part {
    let (whole, spans) = (recording.whole(), recording.spans(POINTS));
    let views = shown(&whole);
    let longest = views.iter().map(|v| v.1.mean_ms()).fold(0.0, f64::max);
    Part {
        heading: heading.to_string(),
        when: format!("{}, {:.0} s, {} cores", utc(recording.began), whole.seconds(), recording.cores),
        figures: figures(&whole),
        views: views.iter().map(|(name, totals)| view(name, totals, longest)).collect(),
        over_time: over_time(&whole, &spans),
        by_view: views.iter().map(|(name, _)| by_component(name, &spans)).collect(),
        numbers: numbers(&whole),
        notes: recording.notes.clone(),
    }
}

/// The hot views that were asked for, or whatever was, the one with the most time first.
fn shown(whole: &Span) -> Vec<(&str, &ViewTotals)> {
    let mut all: Vec<(&str, &ViewTotals)> =
        whole.views.iter().map(|(n, t)| (n.as_str(), t)).filter(|v| v.1.served() > 0).collect();
    if all.iter().any(|v| crate::survey::HOT.contains(&v.0)) {
        all.retain(|v| crate::survey::HOT.contains(&v.0));
    }
    all.sort_by(|a, b| b.1.time().total_cmp(&a.1.time()).then(a.0.cmp(b.0)));
    all.truncate(MOST_VIEWS);
    all
}

fn view(name: &str, totals: &ViewTotals, longest: f64) -> ViewPart {
    let shares = totals.shares();
    let mean = totals.mean_ms();
    let (top, share) = shares.first().copied().unwrap_or((Component::App, 0.0));
    let says = match top {
        Component::App => "is busy in the",
        Component::Queue => "waits for a",
        Component::Lock => "waits for",
        Component::Pool => "waits for a",
        Component::Memcached | Component::Redis => "waits for",
        Component::Primary | Component::Replica => "waits for the",
    };
    let then: Vec<(&'static str, String)> = shares
        .iter()
        .skip(1)
        .filter(|(_, share)| *share >= 0.01)
        .map(|(c, share)| (called(*c).1, format!("{} {}", called(*c).0, percent(*share))))
        .collect();
    let mut in_order = shares.clone();
    in_order.sort_by_key(|s| s.0);
    let parts: Vec<_> =
        in_order.iter().map(|(c, share)| (called(*c).1, called(*c).0, share * mean)).collect();
    let amount = format!("{} of {}", percent(share), millis(mean));
    let words: Vec<&str> = then.iter().map(|t| t.1.as_str()).collect();
    let label = format!("{name} {says} {}: {amount}; {}", called(top).0, words.join(", "));
    let times = [(0.5, "half"), (0.95, "95 %"), (0.99, "99 %")]
        .map(|(q, word)| format!("{word} within {}", totals.quantile_ms(q).map_or("–".to_string(), millis)));
    ViewPart {
        name: name.to_string(),
        class: called(top).1,
        says: says.to_string(),
        waits_for: called(top).0,
        amount,
        then,
        rest: format!("{} requests, {}", thousands(totals.served()), times.join(", ")),
        bar: bar(&parts, longest, &label),
    }
}

fn figures(whole: &Span) -> Vec<(String, String)> {
    let all = &whole.all;
    let quantile = |q: f64| all.quantile_ms(q).map_or("–".to_string(), millis);
    let mut out = vec![
        (number(whole.rate(all.requests())), "requests a second".to_string()),
        (thousands(all.failed()), "failed".to_string()),
    ];
    if all.shed > 0 {
        out.push((thousands(all.shed), "turned away (503)".to_string()));
    }
    out.push((
        format!("{} / {} / {}", quantile(0.5), quantile(0.95), quantile(0.99)),
        "p50 / p95 / p99".to_string(),
    ));
    for (server, totals) in &whole.postgres {
        out.push((number(whole.rate(totals.commits)), format!("transactions a second, {server}")));
    }
    out
}

fn over_time(whole: &Span, spans: &[Span]) -> Vec<Figure> {
    let line = |name: &str, class, of: &dyn Fn(&Span) -> Option<f64>| Series {
        name: name.to_string(),
        class,
        values: spans.iter().map(of).collect(),
    };
    let rate = |count: fn(&ViewTotals) -> u64| move |s: &Span| Some(s.rate(count(&s.all)));
    let mut requests = vec![
        line("answered", "s-good", &rate(|t| t.served() - t.failed())),
        line("failed", "s-bad", &rate(ViewTotals::failed)),
    ];
    if whole.all.shed > 0 {
        requests.push(line("turned away", "s-soft", &rate(|t| t.shed)));
    }
    let quantile = |q: f64| move |s: &Span| s.all.quantile_ms(q);
    let times = vec![
        line("p50", "s-0", &quantile(0.5)),
        line("p95", "s-1", &quantile(0.95)),
        line("p99", "s-2", &quantile(0.99)),
    ];
    let mut out = vec![
        figure("Requests", "a second", true, spans, requests),
        figure("Response times", "ms", false, spans, times),
    ];
    let servers = [("primary", "c-primary"), ("replica", "c-replica")];
    let known = servers.iter().filter(|(server, _)| whole.postgres.contains_key(*server));
    let commits: Vec<Series> = known
        .clone()
        .map(|(server, class): &(&str, &'static str)| {
            line(server, *class, &|s: &Span| Some(s.rate(s.postgres.get(*server)?.commits)))
        })
        .collect();
    let backends: Vec<Series> = known
        .map(|(server, class): &(&str, &'static str)| {
            line(server, *class, &|s: &Span| Some(s.postgres.get(*server)?.backends as f64))
        })
        .collect();
    if !commits.is_empty() {
        out.push(figure("Database transactions", "a second", false, spans, commits));
    }
    if !whole.roles.is_empty() {
        let by_role = |of: fn(&super::recording::RoleTotals) -> f64| -> Vec<Series> {
            let names = whole.roles.keys();
            names.map(|n| line(n, role_class(n), &|s: &Span| s.roles.get(n).map(of))).collect()
        };
        out.push(figure("Processor by role", "% of a core", false, spans, by_role(|r| r.cpu)));
        let mut load = by_role(|r| r.load);
        load.push(line("machine, 1 min", "s-soft", &|s: &Span| Some(s.load_average)));
        out.push(figure("Load by role", "threads that want a core", false, spans, load));
    }
    let mut held = vec![line("requests being served", "s-0", &|s: &Span| Some(s.in_flight as f64))];
    held.extend(backends.into_iter().map(|s| Series { name: format!("backends, {}", s.name), ..s }));
    out.push(figure("In flight", "", false, spans, held));
    out
}

/// The time of one view's requests, layer by layer.
fn by_component(name: &str, spans: &[Span]) -> Figure {
    let series: Vec<Series> = Component::ALL
        .into_iter()
        .map(|c| Series {
            name: called(c).0.to_string(),
            class: called(c).1,
            values: spans
                .iter()
                .map(|s| {
                    let view = s.views.get(name).filter(|v| v.served() > 0)?;
                    Some(view.seconds[c.index()] * 1000.0 / view.served() as f64)
                })
                .collect(),
        })
        .filter(|s| s.values.iter().flatten().any(|v| *v > 0.0))
        .collect();
    figure(name, "ms a request", true, spans, series)
}

fn figure(title: &str, unit: &'static str, stacked: bool, spans: &[Span], series: Vec<Series>) -> Figure {
    let at: Vec<(f64, f64)> = spans.iter().map(|s| (s.from, s.to)).collect();
    let chart = Chart {
        label: &format!("{title}, {unit}, over the run"),
        unit,
        stacked,
        spans: &at,
        series: &series,
    };
    let svg = chart.svg();
    Figure {
        title: title.to_string(),
        unit,
        keys: series.iter().map(|s| (s.class, s.name.clone())).collect(),
        svg,
    }
}

fn role_class(role: &str) -> &'static str {
    match role {
        "db" => "c-primary",
        "replica" => "c-replica",
        "memcached" => "c-memcached",
        "redis" => "c-redis",
        "pgbouncer" => "c-pool",
        "load" => "c-queue",
        role if role.starts_with("web") => "c-app",
        _ => "c-lock",
    }
}

/// Every view with every number.
fn numbers(whole: &Span) -> Table {
    let mut head: Vec<String> = ["view", "requests", "failed", "turned away", "mean", "p50", "p95", "p99"]
        .map(str::to_string)
        .to_vec();
    head.extend(Component::ALL.map(|c| called(c).0.to_string()));
    let mut views: Vec<_> = whole.views.iter().filter(|(_, t)| t.requests() > 0).collect();
    views.sort_by(|a, b| b.1.time().total_cmp(&a.1.time()));
    let rows = views
        .into_iter()
        .map(|(name, t)| {
            let quantile = |q: f64| t.quantile_ms(q).map_or("–".to_string(), millis);
            let mut row = vec![
                name.clone(),
                thousands(t.requests()),
                thousands(t.failed()),
                thousands(t.shed),
                millis(t.mean_ms()),
                quantile(0.5),
                quantile(0.95),
                quantile(0.99),
            ];
            row.extend(t.seconds.iter().map(|s| match t.served() {
                0 => "–".to_string(),
                n => millis(s * 1000.0 / n as f64),
            }));
            row
        })
        .collect();
    Table { head, rows }
}

/// Milliseconds, or seconds when they are many.
pub fn millis(ms: f64) -> String {
    if ms >= 10_000.0 { format!("{} s", number(ms / 1000.0)) } else { format!("{} ms", number(ms)) }
}

/// A share of 0 to 1.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 0.0 && p < 1.0 => "<1 %".to_string(),
        p => format!("{p:.0} %"),
    }
}

/// Digits in groups of three.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A moment in words: the civil calendar from days since 1970 (Howard Hinnant's algorithm).
fn utc(seconds: u64) -> String {
    let (days, rest) = ((seconds / 86_400) as i64 + 719_468, seconds % 86_400);
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) =
        (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_numbers() {
        assert_eq!([percent(0.714), percent(0.004), percent(0.0)], ["71 %", "<1 %", "0 %"]);
        assert_eq!([millis(12.34), millis(0.5), millis(12_340.0)], ["12.3 ms", "0.50 ms", "12.3 s"]);
        assert_eq!([thousands(7), thousands(1234), thousands(1_234_567)], ["7", "1,234", "1,234,567"]);
        // `date -u -d @1767225599` and the day after February 2024's last.
        assert_eq!(utc(1_767_225_599), "2025-12-31 23:59 UTC");
        assert_eq!(utc(1_709_164_800), "2024-02-29 00:00 UTC");
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
    }
}
