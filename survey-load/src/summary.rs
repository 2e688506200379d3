//! A run in a few lines, for a terminal.
//!
//! Serves `run`, `replay` and `merge`.

use crate::report::{Asked, Report};
use crate::words::{count, milli, time};

/// The summary.
pub fn text(report: &Report) -> String {
    let mut out = format!("{}\n{}\n\n", headline(report), asked(&report.asked));
    let head = ["view", "method", "requests", "failed", "p50", "p90", "p99", "max"].map(str::to_string);
    let row = |v: &crate::report::View| {
        let times = [50, 90, 99].map(|p| time(v.response_us.percentile(p)));
        let [p50, p90, p99] = times;
        let max = time(v.response_us.max());
        [v.view.clone(), v.method.clone(), count(v.requests), count(v.failures), p50, p90, p99, max]
    };
    let rows: Vec<[String; 8]> = std::iter::once(head).chain(report.views.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    for row in &rows {
        let cell = |(at, text): (usize, &String)| match at {
            0 | 1 => format!("{text:<width$}", width = widths[at]),
            _ => format!("{text:>width$}", width = widths[at]),
        };
        let line: Vec<String> = row.iter().enumerate().map(cell).collect();
        out.push_str(line.join("  ").trim_end());
        out.push('\n');
    }
    if !report.errors.is_empty() {
        out.push('\n');
    }
    for error in &report.errors {
        let status = if error.status == 0 { "no answer".to_string() } else { error.status.to_string() };
        out.push_str(&format!(
            "{:>6} × {} {}: {status}: {}\n",
            count(error.count),
            error.method,
            error.view,
            error.message
        ));
    }
    out
}

/// What came of it, in a line.
pub(crate) fn headline(report: &Report) -> String {
    let respondents = &report.respondents;
    let mut out = format!(
        "{} requests in {}: {} requests/s, {} failed; {} respondents reached the end",
        count(report.requests),
        time(report.elapsed_us()),
        milli(report.rate_milli()),
        count(report.failures),
        count(respondents.finished),
    );
    for (number, what) in [(respondents.gave_up, "gave up"), (respondents.cut, "were cut off by the clock")] {
        if number > 0 {
            out.push_str(&format!(", {} {what}", count(number)));
        }
    }
    out
}

/// What had been asked for, in a line.
pub(crate) fn asked(asked: &Asked) -> String {
    let much = match (asked.surveys, asked.seconds) {
        (Some(surveys), _) => format!("{} times the script", count(surveys)),
        (None, Some(seconds)) => format!("{} s", count(seconds)),
        (None, None) => "several runs".to_string(),
    };
    let rate = match asked.rate {
        Some(rate) => format!("at most {} requests/s", count(rate)),
        None => "as many requests as possible".to_string(),
    };
    let processes = if asked.processes == 1 { "process" } else { "processes" };
    format!(
        "asked: {much}, {rate}, {} users at the same time in {} {processes}",
        count(asked.users),
        asked.processes
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Sample;

    #[test]
    fn a_run_in_a_few_lines() {
        let asked = Asked { processes: 2, users: 10, surveys: None, rate: Some(275), seconds: Some(60) };
        let mut report = Report::new("survey", "http://a", asked);
        for (view, took_us, failure) in [("b_view", 1_500, None), ("a", 250, Some("instead of 200: Sorry"))] {
            report.count(&Sample { view, method: "GET", status: 500, failure, took_us, ended_us: 2_000_000 });
        }
        report.respondents.gave_up = 1;
        let expected = "2 requests in 1.5 ms: 1,333.3 requests/s, 1 failed; 0 respondents reached the end, 1 gave up\n\
                        asked: 60 s, at most 275 requests/s, 10 users at the same time in 2 processes\n\n\
                        view    method  requests  failed     p50     p90     p99     max\n\
                        a       GET            1       1  250 µs  250 µs  250 µs  250 µs\n\
                        b_view  GET            1       0  1.5 ms  1.5 ms  1.5 ms  1.5 ms\n\n     \
                        1 × GET a: 500: instead of 200: Sorry\n";
        assert_eq!(text(&report), expected);
    }
}
