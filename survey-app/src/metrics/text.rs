//! The measurements as text: Prometheus' exposition format, version 0.0.4.
//!
//! Serves `/metrics`. Everything is a sum since the process began; rates are the reader's business.

use super::{BUCKETS, Component, Tally};
use crate::app::App;
use std::fmt::Write;
use std::time::Duration;

/// What the answer says that it is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that `app` measured and counted.
pub fn exposition(app: &App) -> String {
    let views = app.metrics.views();
    let mut out = String::new();
    head(&mut out, "survey_info", "gauge", "The active switches, in application_name.");
    let (name, profile) = (app.switches.application_name(), app.switches.profile.name());
    line(&mut out, "survey_info", &[("application_name", &name), ("profile", profile)], "1");

    let help = "Time of requests by view and by what they waited for; the components of a view add up to its response time.";
    head(&mut out, "survey_request_seconds_total", "counter", help);
    for (view, tally) in &views {
        for component in Component::ALL {
            let labels = [("view", *view), ("component", component.name())];
            let value = seconds(tally.spent[component.index()]);
            line(&mut out, "survey_request_seconds_total", &labels, &value);
        }
    }
    head(
        &mut out,
        "survey_requests_total",
        "counter",
        "Requests by view and status, shed ones among the 503.",
    );
    for (view, tally) in &views {
        for (status, count) in &tally.statuses {
            let status = status.to_string();
            let labels = [("view", *view), ("status", status.as_str())];
            line(&mut out, "survey_requests_total", &labels, &count.to_string());
        }
    }
    head(
        &mut out,
        "survey_requests_shed_total",
        "counter",
        "Requests that were turned away by web.max_in_flight.",
    );
    for (view, tally) in &views {
        line(&mut out, "survey_requests_shed_total", &[("view", *view)], &tally.shed.to_string());
    }
    head(
        &mut out,
        "survey_response_seconds",
        "histogram",
        "Response times by view, of requests that were not shed.",
    );
    for (view, tally) in &views {
        histogram(&mut out, view, tally);
    }
    head(&mut out, "survey_requests_in_flight", "gauge", "Requests that are being served.");
    line(&mut out, "survey_requests_in_flight", &[], &app.metrics.in_flight().to_string());
    pools(&mut out, app);
    statements(&mut out, app);
    out
}

fn histogram(out: &mut String, view: &str, tally: &Tally) {
    let name = "survey_response_seconds";
    let mut below = 0;
    for (end, count) in BUCKETS.iter().zip(tally.buckets) {
        below += count;
        let end = (*end as f64 / 1e6).to_string();
        line(out, &format!("{name}_bucket"), &[("view", view), ("le", &end)], &below.to_string());
    }
    let all = tally.answered().to_string();
    line(out, &format!("{name}_bucket"), &[("view", view), ("le", "+Inf")], &all);
    line(out, &format!("{name}_sum"), &[("view", view)], &seconds(tally.time()));
    line(out, &format!("{name}_count"), &[("view", view)], &all);
}

fn pools(out: &mut String, app: &App) {
    let name = "survey_pool_connections";
    head(
        out,
        name,
        "gauge",
        "Connections of this process to PostgreSQL by server, and requests that wait for one.",
    );
    for (server, pool) in app.pools.state() {
        let states = [("open", pool.open), ("free", pool.free), ("wanted", pool.wanted)];
        for (state, count) in states {
            let labels = [("server", server.name()), ("state", state)];
            line(out, name, &labels, &count.to_string());
        }
    }
}

fn statements(out: &mut String, app: &App) {
    let lines = app.counters.lines();
    let all = [
        ("survey_statements_total", "Statements sent, by view, server, kind and table."),
        ("survey_statements_failed_total", "Those of them that came back as an error."),
    ];
    for (name, help) in all {
        head(out, name, "counter", help);
        for l in &lines {
            let labels = [
                ("view", l.key.view.as_str()),
                ("server", l.key.server.name()),
                ("kind", l.key.kind.name()),
                ("table", l.key.table.as_str()),
            ];
            let value = if name.contains("failed") { l.failed } else { l.calls };
            line(out, name, &labels, &value.to_string());
        }
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        out,
        "# HELP {name} {}\n# TYPE {name} {kind}",
        help.replace('\\', "\\\\").replace('\n', "\\n")
    );
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: &str) {
    out.push_str(name);
    if !labels.is_empty() {
        let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escape(v))).collect();
        let _ = write!(out, "{{{}}}", pairs.join(","));
    }
    let _ = writeln!(out, " {value}");
}

/// A label's value: backslash, quote and line feed are what the format asks for.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Nanoseconds are what was measured: nothing is lost in print.
fn seconds(time: Duration) -> String {
    format!("{:.9}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut out = String::new();
        line(&mut out, "a_total", &[("x", "a\"b\\c\nd"), ("y", "")], "1");
        assert_eq!(out, "a_total{x=\"a\\\"b\\\\c\\nd\",y=\"\"} 1\n");
        let mut out = String::new();
        line(&mut out, "a", &[], "1");
        assert_eq!(out, "a 1\n");
    }
}
