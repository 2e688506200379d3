//! The page of a run: one file that needs no network and has no script.
//!
//! ```text
//!   Report ──► Page (plain values, drawings in SVG) ──askama──► text, every value escaped
//! ```
//!
//! Serves `--html`. What a server said is text on it and nothing else: the policy in its head allows neither
//! scripts nor anything to be loaded.

use crate::chart::{Chart, Line, Spread};
use crate::report::{Report, per_second_milli};
use crate::summary;
use crate::times::Times;
use crate::words::{count, milli, share, time};
use anyhow::{Context, Result};
use askama::Template;
use chrono::DateTime;

#[derive(Template)]
#[template(path = "run.html")]
struct Page<'a> {
    title: String,
    headline: String,
    asked: String,
    began: String,
    hosts: String,
    complaints: Vec<String>,
    slower: bool,
    facts: Vec<(&'static str, String, String)>,
    rate: String,
    times: String,
    views: Vec<Row<'a>>,
    errors: Vec<ErrorRow<'a>>,
    scale: String,
}

struct Row<'a> {
    view: &'a str,
    method: &'a str,
    requests: String,
    share: String,
    failures: String,
    failed: bool,
    statuses: String,
    times: [String; 4],
    spread: String,
}

struct ErrorRow<'a> {
    count: String,
    view: &'a str,
    method: &'a str,
    status: String,
    message: &'a str,
}

/// The page as text.
pub fn render(report: &Report) -> Result<String> {
    let scripts: Vec<&str> = report.scripts.iter().map(String::as_str).collect();
    let spread = Spread::of(report.views.iter().map(|v| &v.response_us));
    let views = report.views.iter().map(|v| Row {
        view: &v.view,
        method: &v.method,
        requests: count(v.requests),
        share: share(v.requests, report.requests),
        failures: count(v.failures),
        failed: v.failures > 0,
        statuses: v
            .statuses
            .iter()
            .map(|(s, n)| format!("{} × {n}", status(*s)))
            .collect::<Vec<_>>()
            .join(", "),
        times: times_of(&v.response_us),
        spread: spread.draw(&v.response_us),
    });
    let errors = report.errors.iter().map(|e| ErrorRow {
        count: count(e.count),
        view: &e.view,
        method: &e.method,
        status: status(e.status),
        message: &e.message,
    });
    let page = Page {
        title: scripts.join(", "),
        headline: summary::headline(report),
        asked: summary::asked(&report.asked),
        began: clock(report.started_us),
        hosts: report.hosts.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        complaints: report.complaints(),
        slower: report.is_slower(),
        facts: facts(report),
        rate: rate_chart(report),
        times: times_chart(report),
        views: views.collect(),
        errors: errors.collect(),
        scale: spread.words(),
    };
    page.render().context("the page")
}

fn times_of(times: &Times) -> [String; 4] {
    let [p50, p90, p99] = [50, 90, 99].map(|p| time(times.percentile(p)));
    [p50, p90, p99, time(times.max())]
}

fn facts(report: &Report) -> Vec<(&'static str, String, String)> {
    let all = &report.response_us;
    let rate_aside = match report.asked.rate {
        Some(rate) => format!("of {} asked for", count(rate)),
        None => "as many as possible".to_string(),
    };
    vec![
        ("Requests/s", milli(report.rate_milli()), rate_aside),
        ("Requests", count(report.requests), format!("in {}", time(report.elapsed_us()))),
        ("Failed", count(report.failures), share(report.failures, report.requests)),
        ("Respondents", count(report.respondents.finished), "reached the end".to_string()),
        ("Median", time(all.percentile(50)), format!("mean {}", time(all.mean()))),
        ("99 %", time(all.percentile(99)), format!("slowest {}", time(all.max()))),
    ]
}

/// Every second of the run, also those in which nothing came.
fn each_second<'a>(report: &'a Report) -> Vec<Option<&'a crate::report::Second>> {
    let (Some(first), Some(last)) = (report.seconds.first(), report.seconds.last()) else {
        return Vec::new();
    };
    // A clock that jumped must not fill the memory with empty seconds.
    let length = (last.unix_s - first.unix_s).min(100_000) as usize + 1;
    let mut out: Vec<Option<&'a crate::report::Second>> = vec![None; length];
    for second in &report.seconds {
        if let Some(place) = out.get_mut((second.unix_s - first.unix_s) as usize) {
            *place = Some(second);
        }
    }
    out
}

/// The share of the run in each of its seconds: the first and the last are not whole.
fn widths_us(report: &Report, seconds: usize) -> Vec<u64> {
    let first = report.seconds.first().map_or(0, |s| s.unix_s * 1_000_000);
    let width = |at: usize| {
        let (from, to) = (first + at as u64 * 1_000_000, first + (at as u64 + 1) * 1_000_000);
        to.min(report.ended_us).saturating_sub(from.max(report.started_us)).max(1)
    };
    (0..seconds).map(width).collect()
}

fn rate_chart(report: &Report) -> String {
    let seconds = each_second(report);
    let widths = widths_us(report, seconds.len());
    let per_second = |number: fn(&crate::report::Second) -> u64| -> Vec<u64> {
        let value = |(s, us): (&Option<&crate::report::Second>, &u64)| {
            // A moment at the edge says nothing about a second.
            let us = if *us < 200_000 { 1_000_000 } else { *us };
            s.map_or(0, |s| per_second_milli(number(s), us))
        };
        seconds.iter().zip(&widths).map(value).collect()
    };
    let mut lines = vec![Line { class: "requests", values: per_second(|s| s.requests), filled: true }];
    if report.failures > 0 {
        lines.push(Line { class: "failures", values: per_second(|s| s.failures), filled: true });
    }
    let asked = report.asked.rate.map(|rate| rate * 1000);
    Chart { lines, mark: asked, label: |v| count(v / 1000), name: "Requests per second" }.draw()
}

fn times_chart(report: &Report) -> String {
    let seconds = each_second(report);
    let percentile = |percent: u8| -> Vec<u64> {
        seconds.iter().map(|s| s.map_or(0, |s| s.response_us.percentile(percent))).collect()
    };
    let lines = vec![
        Line { class: "p99", values: percentile(99), filled: false },
        Line { class: "p90", values: percentile(90), filled: false },
        Line { class: "p50", values: percentile(50), filled: false },
    ];
    Chart { lines, mark: None, label: time, name: "Response times" }.draw()
}

fn status(status: u16) -> String {
    if status == 0 { "no answer".to_string() } else { status.to_string() }
}

fn clock(us: u64) -> String {
    let at = i64::try_from(us).ok().and_then(DateTime::from_timestamp_micros);
    at.map_or(String::new(), |t| t.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Asked, Sample};

    fn run(message: &str, seconds: u64) -> Report {
        let asked = Asked { processes: 1, users: 1, surveys: None, rate: Some(2), seconds: Some(seconds) };
        let mut report = Report::new("<b>j</b>.toml", "http://a", asked);
        for i in 0..seconds * 2 {
            report.count(&Sample {
                view: "</td><script>alert(1)</script>",
                method: "GET",
                status: 500,
                failure: (i == 3).then_some(message),
                took_us: 900 + i,
                ended_us: 1_700_000_000_000_000 + i * 500_000,
            });
        }
        report
    }

    #[test]
    fn what_a_server_says_is_text() {
        let page = render(&run("<img src=x onerror=alert(1)> \"quoted\"", 4)).unwrap();
        for bad in [
            "<script",
            "<img",
            "<b>j",
            "onerror=alert(1)>",
            "http-equiv=\"refresh",
            "src=\"",
            "@import",
            "url(",
        ] {
            assert!(!page.contains(bad), "{bad}");
        }
        assert!(page.contains("Content-Security-Policy") && page.contains("default-src 'none'"));
        assert!(page.contains("&#60;img src=x onerror=alert(1)&#62;"));
        assert!(page.contains("2023-11-14 22:13:19 UTC"), "1,700,000,000 is 22:13:20, and it took 900 µs");
    }

    #[test]
    fn a_page_of_nothing_and_of_one_request() {
        assert!(
            render(&Report::new("survey", "http://a", Asked::default()))
                .unwrap()
                .contains("no request was sent")
        );
        let mut one = run("x", 1);
        one.seconds.truncate(1);
        assert!(render(&one).is_ok());
        // Two machines whose clocks are a year apart.
        let mut far = run("x", 2);
        far.seconds.last_mut().unwrap().unix_s += 365 * 86_400;
        assert!(render(&far).is_ok());
    }
}
