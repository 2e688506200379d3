//! `/metrics`: what it says is what was counted elsewhere, and it is what Prometheus reads.

use super::common::{Case, shared};
use std::collections::{BTreeMap, BTreeSet};
use survey_app::config::Profile;
use survey_app::metrics::Component;
use survey_app::observe::scrape::Scraped;
use survey_app::respondent::Browser;

type Labels = BTreeMap<String, String>;

/// A reader of the exposition format, version 0.0.4, written from its specification and nothing else.
fn read(text: &str) -> Vec<(String, Labels, f64)> {
    let (mut kinds, mut helped) = (BTreeMap::new(), BTreeSet::new());
    let mut out: Vec<(String, Labels, f64)> = Vec::new();
    let mut seen: BTreeSet<(String, Labels)> = BTreeSet::new();
    let mut groups: Vec<String> = Vec::new();
    assert!(text.ends_with('\n'), "the last line ends");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(helped.insert(name.to_string()) && !help.is_empty(), "one HELP: {line}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(kinds.insert(name.to_string(), kind.to_string()).is_none(), "one TYPE: {line}");
            continue;
        }
        assert!(!line.starts_with('#') && !line.is_empty(), "{line}");
        let bytes = line.as_bytes();
        let end = line.find(['{', ' ']).unwrap();
        let name = &line[..end];
        let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
        assert!(name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit()), "{line}");
        let (mut at, mut labels) = (end, Labels::new());
        if bytes[at] == b'{' {
            at += 1;
            while bytes[at] != b'}' {
                let equals = at + line[at..].find("=\"").unwrap();
                let key = &line[at..equals];
                assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
                at = equals + 2;
                let mut value = Vec::new();
                while bytes[at] != b'"' {
                    if bytes[at] == b'\\' {
                        at += 1;
                        assert!(b"\\\"n".contains(&bytes[at]), "only these are escaped: {line}");
                        value.push(if bytes[at] == b'n' { b'\n' } else { bytes[at] });
                    } else {
                        value.push(bytes[at]);
                    }
                    at += 1;
                }
                at += 1;
                assert!(labels.insert(key.to_string(), String::from_utf8(value).unwrap()).is_none());
                if bytes[at] == b',' {
                    at += 1;
                }
            }
            at += 1;
        }
        let value: f64 = line[at..].strip_prefix(' ').unwrap().parse().unwrap();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|s| name.strip_suffix(s));
        let base = base.filter(|b| kinds.get(*b).is_some_and(|k| k == "histogram")).unwrap_or(name);
        assert!(kinds.contains_key(base) && helped.contains(base), "TYPE and HELP come before: {line}");
        if kinds[base] == "counter" {
            assert!(name.ends_with("_total") && value >= 0.0, "{line}");
        }
        if groups.last().is_none_or(|g| g != base) {
            assert!(!groups.iter().any(|g| g == base), "lines of one name stand together: {line}");
            groups.push(base.to_string());
        }
        assert!(seen.insert((name.to_string(), labels.clone())), "twice: {line}");
        out.push((name.to_string(), labels, value));
    }
    out
}

fn sum(lines: &[(String, Labels, f64)], name: &str, wanted: &[(&str, &str)]) -> f64 {
    let fits = |labels: &Labels| wanted.iter().all(|(k, v)| labels.get(*k).is_some_and(|l| l == v));
    lines.iter().filter(|l| l.0 == name && fits(&l.1)).map(|l| l.2).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_what_was_counted() {
    for profile in [Profile::Naive, Profile::Tuned] {
        let case = Case::new(shared(), profile, &[], 2, 2).await;
        for person in 0..2 {
            case.respondent(person).take(&case.code(person)).await.unwrap();
        }
        let reply = Browser::new(case.at()).get("/metrics").await.unwrap();
        assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let lines = read(&reply.body);
        let requests = case.app.counters.requests();
        assert_eq!(requests.values().sum::<u64>(), 2 * (2 * 2 + 4));
        let panel = case.app.panel.last();
        assert_eq!(panel.len(), 16, "all of them are in the panel");
        for (view, count) in &requests {
            let of = |name: &str, more: &[(&str, &str)]| {
                let labels: Vec<_> =
                    [("view", view.as_str())].into_iter().chain(more.iter().copied()).collect();
                sum(&lines, name, &labels)
            };
            assert_eq!(of("survey_requests_total", &[]), *count as f64, "{view}");
            assert_eq!(of("survey_response_seconds_count", &[]), *count as f64, "{view}");
            // Buckets rise, and the last is the count.
            let buckets: Vec<(f64, f64)> = lines
                .iter()
                .filter(|l| l.0 == "survey_response_seconds_bucket" && l.1["view"] == *view)
                .map(|l| (l.1["le"].parse().unwrap(), l.2))
                .collect();
            assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{buckets:?}");
            assert_eq!(*buckets.last().unwrap(), (f64::INFINITY, *count as f64));
            // Components are the whole response time, each a part of it.
            let whole = of("survey_response_seconds_sum", &[]);
            let parts = of("survey_request_seconds_total", &[]);
            assert!((whole - parts).abs() < 1e-6, "{view}: {whole} against {parts}");
            // The debug panel measured the same statements with a clock of its own, inside of ours.
            let seen: Vec<_> = panel.iter().filter(|s| s.view == view).collect();
            let micros: u64 = seen.iter().map(|s| s.micros()).sum();
            let servers = ["primary", "replica"]
                .map(|c| of("survey_request_seconds_total", &[("component", c)]))
                .iter()
                .sum::<f64>();
            assert!(
                micros as f64 / 1e6 <= servers && servers <= whole,
                "{view}: {micros} µs, {servers} s, {whole} s"
            );
            let statements: usize = seen.iter().map(|s| s.sent.len()).sum();
            assert_eq!(of("survey_statements_total", &[]), statements as f64, "{view}");
            assert_eq!(servers > 0.0, statements > 0, "{view}: time at a server exactly when it was asked");
            let cached = of("survey_request_seconds_total", &[("component", "memcached")]);
            assert_eq!(cached > 0.0, profile == Profile::Tuned, "{view}");
        }
        // Sessions are in Redis: every view but the form that asks for a code needs it.
        assert!(sum(&lines, "survey_request_seconds_total", &[("component", "redis")]) > 0.0);
        assert_eq!(sum(&lines, "survey_requests_in_flight", &[]), 0.0, "whoever looks is not counted");
        assert!(!case.app.counters.requests().keys().any(|view| view.contains("metrics")));
        // What we read ourselves is what the independent reader read.
        let ours = Scraped::read(&reply.body);
        for (view, totals) in &ours.views {
            assert_eq!(totals.requests(), requests[view]);
            for c in Component::ALL {
                let labels = [("view", view.as_str()), ("component", c.name())];
                assert_eq!(totals.seconds[c.index()], sum(&lines, "survey_request_seconds_total", &labels));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_internal_addresses_only() {
    let case = Case::new(shared(), Profile::Tuned, &["debug.internal_ips=[]"], 1, 1).await;
    assert_eq!(Browser::new(case.at()).get("/metrics").await.unwrap().status, 404);
    let case = Case::new(shared(), Profile::Tuned, &[], 1, 1).await;
    assert_eq!(Browser::new(case.at()).get("/metrics").await.unwrap().status, 200);
    // A proxy on this machine passes on what comes from elsewhere.
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        for path in ["/metrics", "/debug/"] {
            let sent = Browser::new(case.at())
                .send(axum::http::Method::GET, path, "", String::new(), &[(header, "192.0.2.7")])
                .await;
            assert_eq!(sent.unwrap().status, 404, "{header} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_turned_away_before_it_costs_anything() {
    let case = Case::new(shared(), Profile::Naive, &["web.max_in_flight=2"], 1, 1).await;
    let mut respondent = case.respondent(0);
    respondent.log_in(&case.code(0)).await.unwrap();
    respondent.display().await.unwrap();
    let before = case.app.counters.lines();
    let held = [case.app.metrics.begin("held", 0).unwrap(), case.app.metrics.begin("held", 0).unwrap()];
    let path = format!("/survey/{}/content/1", case.slug);
    let script = respondent.browser.get(&path).await.unwrap();
    assert_eq!((script.status.as_u16(), script.header("retry-after")), (503, "1"));
    assert!(serde_json::from_str::<serde_json::Value>(&script.body).unwrap()["error"].is_string());
    let page = respondent.browser.get(&format!("/survey/{}/take", case.slug)).await.unwrap();
    assert_eq!((page.status.as_u16(), page.header("content-type")), (503, "text/plain; charset=utf-8"));
    assert_eq!(case.app.counters.lines(), before, "no statement was sent");
    // Whoever wants to know why may look.
    let text = respondent.browser.get("/metrics").await.unwrap().body;
    let lines = read(&text);
    assert_eq!(sum(&lines, "survey_requests_shed_total", &[]), 2.0);
    assert_eq!(sum(&lines, "survey_requests_in_flight", &[]), 2.0);
    let content = [("view", "survey_content")];
    assert_eq!(sum(&lines, "survey_requests_total", &[content[0], ("status", "503")]), 1.0);
    assert_eq!(sum(&lines, "survey_response_seconds_count", &content), 0.0, "it has no response time");
    drop(held);
    assert_eq!(respondent.content(1).await.unwrap().1.status, 200);
}
