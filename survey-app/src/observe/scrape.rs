//! What a web process says of itself at `/metrics`, and sums over several that may come and go.
//!
//! Serves the sampler. Reads the lines of [`crate::metrics::text`]; lines of others are passed over.

use super::recording::ViewTotals;
use crate::app::App;
use crate::metrics::{BUCKETS, Component};
use crate::respondent::Browser;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Longer is too late for a sample a second.
const PATIENCE: Duration = Duration::from_millis(900);

/// One process that is asked.
#[derive(Debug)]
pub enum Source {
    /// By HTTP.
    There(Box<Browser>, SocketAddr),
    /// The application of this very process.
    Here(Arc<App>),
}

impl Source {
    /// The web process at `at`.
    pub fn at(at: SocketAddr) -> Source {
        Source::There(Box::new(Browser::new(at)), at)
    }

    async fn ask(&mut self) -> Result<String> {
        let (browser, at) = match self {
            Source::Here(app) => return Ok(crate::metrics::text::exposition(app)),
            Source::There(browser, at) => (browser, at),
        };
        let asked = tokio::time::timeout(PATIENCE, browser.get(crate::web::METRICS)).await;
        let reply = asked.with_context(|| format!("{at} does not say how it is in {PATIENCE:?}"))??;
        if !reply.status.is_success() {
            bail!("{at}/metrics: {}; is this address in its debug.internal_ips?", reply.status);
        }
        Ok(reply.body)
    }
}

/// What one answer contains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scraped {
    /// By view.
    pub views: BTreeMap<String, ViewTotals>,
    /// Requests that are being served.
    pub in_flight: u64,
}

impl Scraped {
    /// Reads an exposition.
    pub fn read(text: &str) -> Scraped {
        let mut out = Scraped::default();
        let mut below: BTreeMap<String, Vec<(f64, u64)>> = BTreeMap::new();
        for (name, labels, value) in text.lines().filter_map(line) {
            let label = |wanted: &str| labels.iter().find(|l| l.0 == wanted).map(|l| l.1.as_str());
            if name == "survey_requests_in_flight" {
                out.in_flight = value as u64;
            }
            let Some(view) = label("view") else { continue };
            if name == "survey_response_seconds_bucket" {
                let end = label("le").and_then(|e| e.parse().ok()).unwrap_or(f64::INFINITY);
                below.entry(view.to_string()).or_default().push((end, value as u64));
                continue;
            }
            let known =
                ["survey_request_seconds_total", "survey_requests_total", "survey_requests_shed_total"];
            if !known.contains(&name) {
                continue;
            }
            let totals = out.views.entry(view.to_string()).or_default();
            match (name, label("component").and_then(Component::of), label("status")) {
                ("survey_request_seconds_total", Some(component), _) => {
                    totals.seconds[component.index()] = value
                }
                ("survey_requests_total", _, Some(status)) => {
                    totals.statuses.insert(status.to_string(), value as u64);
                }
                ("survey_requests_shed_total", ..) => totals.shed = value as u64,
                _ => {}
            }
        }
        for (view, mut ends) in below {
            ends.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut before = 0;
            let totals = out.views.entry(view).or_default();
            totals.buckets = ends
                .iter()
                .map(|(_, all)| {
                    let own = all.saturating_sub(before);
                    before = *all;
                    own
                })
                .collect();
            totals.buckets.resize(BUCKETS.len() + 1, 0);
        }
        out
    }
}

/// Names of labels and their values.
type Labels = Vec<(String, String)>;

/// Name, labels and value of a line that is neither empty nor a comment.
fn line(text: &str) -> Option<(&str, Labels, f64)> {
    if text.starts_with('#') {
        return None;
    }
    let (front, value) = text.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, rest)) = front.split_once('{') else { return Some((front, Vec::new(), value)) };
    let mut labels = Vec::new();
    let mut rest = rest.strip_suffix('}')?;
    while let Some((key, after)) = rest.split_once("=\"") {
        let mut text = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => text.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, c) => text.push(c),
            }
        };
        labels.push((key.trim_start_matches(',').to_string(), text));
        rest = &after[end + 1..];
    }
    Some((name, labels, value))
}

/// Sums over all sources, that never fall: a process that began anew counts from zero again, one that does
/// not answer keeps what it had.
#[derive(Debug)]
pub struct Sums {
    sources: Vec<(Source, Option<Scraped>)>,
    views: BTreeMap<String, ViewTotals>,
    /// Asked in vain.
    pub failures: u64,
    /// Why, the last time.
    pub trouble: String,
}

impl Sums {
    /// Sums over `sources`; what they counted before their first answer is left out.
    pub fn over(sources: Vec<Source>) -> Sums {
        let sources = sources.into_iter().map(|s| (s, None)).collect();
        Sums { sources, views: BTreeMap::new(), failures: 0, trouble: String::new() }
    }

    /// Asks every source: the sums by view, and the requests in flight.
    pub async fn ask(&mut self) -> (BTreeMap<String, ViewTotals>, u64) {
        let mut in_flight = 0;
        for (source, last) in &mut self.sources {
            let scraped = match source.ask().await {
                Ok(text) => Scraped::read(&text),
                Err(error) => {
                    self.failures += 1;
                    self.trouble = format!("{error:#}");
                    continue;
                }
            };
            in_flight += scraped.in_flight;
            if let Some(last) = last {
                for (view, now) in &scraped.views {
                    let before = last.views.get(view).cloned().unwrap_or_default();
                    self.views.entry(view.clone()).or_default().add(&now.since(&before));
                }
            }
            *last = Some(scraped);
        }
        (self.views.clone(), in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back() {
        let (name, labels, value) = line("a_total{x=\"a\\\"b\\\\c\\nd, =}\",y=\"\"} 1.5").unwrap();
        assert_eq!((name, value), ("a_total", 1.5));
        let pairs: Vec<_> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("x", "a\"b\\c\nd, =}"), ("y", "")]);
        assert!(line("# HELP a b").is_none() && line("").is_none() && line("a{x=\"1\" 2").is_none());
    }

    #[test]
    fn an_answer_becomes_numbers() {
        let text = "survey_requests_in_flight 3\n\
                    survey_requests_total{view=\"v\",status=\"200\"} 5\n\
                    survey_requests_total{view=\"v\",status=\"503\"} 2\n\
                    survey_requests_shed_total{view=\"v\"} 1\n\
                    survey_request_seconds_total{view=\"v\",component=\"redis\"} 0.25\n\
                    survey_response_seconds_bucket{view=\"v\",le=\"0.0005\"} 1\n\
                    survey_response_seconds_bucket{view=\"v\",le=\"0.001\"} 4\n\
                    survey_response_seconds_bucket{view=\"v\",le=\"+Inf\"} 6\n\
                    survey_statements_total{view=\"other\"} 9\n";
        let got = Scraped::read(text);
        assert_eq!((got.in_flight, got.views.len()), (3, 1));
        let v = &got.views["v"];
        assert_eq!((v.statuses["200"], v.shed, v.seconds[Component::Redis.index()]), (5, 1, 0.25));
        assert_eq!(&v.buckets[..4], [1, 3, 2, 0]);
    }
}
