//! What a run was: the result of every command, as JSON, and the sum of several.
//!
//! Serves `run`, `replay`, `merge` and the page. Times are integer microseconds. Adding reports is commutative
//! and associative, so any number of processes and machines may be merged in any order; a percentile is always
//! computed from the merged histogram. Must not know HTTP, goose or the clock.

use crate::times::Times;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The version of this form.
pub const SCHEMA: &str = "survey-load.report/1";
/// Kinds of failures that are told apart; the rest is counted as one.
const MOST_ERRORS: usize = 50;

/// One run, or several that were merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`SCHEMA`]
    pub schema: String,
    /// What was done: `survey`, or the name of a journey.
    pub scripts: BTreeSet<String>,
    /// Where requests went.
    pub hosts: BTreeSet<String>,
    /// What had been asked for.
    pub asked: Asked,
    /// The first request, in microseconds since 1970.
    pub started_us: u64,
    /// The end of the last answer, in microseconds since 1970.
    pub ended_us: u64,
    /// Who took part.
    pub respondents: Respondents,
    /// Requests that were sent.
    pub requests: u64,
    /// Requests without an answer, or with another one than expected.
    pub failures: u64,
    /// What those who reached their end should have sent: 2P + 4 each for a survey of P pages.
    pub expected_requests: u64,
    /// The same requests as goose counted them: a second opinion.
    pub requests_by_goose: u64,
    /// Whether respondents were left without a login code.
    pub out_of_codes: bool,
    /// Time until the whole answer was there, over all requests.
    pub response_us: Times,
    /// By view and method.
    pub views: Vec<View>,
    /// By second.
    pub seconds: Vec<Second>,
    /// Failures by kind.
    pub errors: Vec<Failure>,
}

/// What had been asked for, summed over processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Load processes.
    pub processes: u64,
    /// Respondents at the same time.
    pub users: u64,
    /// Surveys that were to be taken, no more and no less; absent when time decides.
    pub surveys: Option<u64>,
    /// Requests per second at most; absent when as many as possible.
    pub rate: Option<u64>,
    /// Seconds; absent when the number of surveys decides.
    pub seconds: Option<u64>,
}

/// What became of those who began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respondents {
    /// Reached the end.
    pub finished: u64,
    /// Were on their way when the time was over.
    pub cut: u64,
    /// Met a failure.
    pub gave_up: u64,
}

/// The requests to one view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Its name.
    pub view: String,
    /// The method.
    pub method: String,
    /// Requests.
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
    /// By status; 0 stands for no answer.
    pub statuses: BTreeMap<u16, u64>,
    /// Time until the whole answer was there.
    pub response_us: Times,
}

/// The requests whose answers came in one second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Second {
    /// The second, since 1970.
    pub unix_s: u64,
    /// Requests.
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
    /// Time until the whole answer was there.
    pub response_us: Times,
}

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The view.
    pub view: String,
    /// The method.
    pub method: String,
    /// The status; 0 stands for no answer.
    pub status: u16,
    /// What was said.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// One request that is over.
#[derive(Clone, Debug)]
pub struct Sample<'a> {
    /// The view.
    pub view: &'a str,
    /// The method.
    pub method: &'a str,
    /// The status; 0 stands for no answer.
    pub status: u16,
    /// What was wrong with it, if anything.
    pub failure: Option<&'a str>,
    /// Time until the whole answer was there, in microseconds.
    pub took_us: u64,
    /// When that was, in microseconds since 1970.
    pub ended_us: u64,
}

impl Report {
    /// Nothing has happened yet.
    pub fn new(script: &str, host: &str, asked: Asked) -> Report {
        Report {
            schema: SCHEMA.to_string(),
            scripts: BTreeSet::from([script.to_string()]),
            hosts: BTreeSet::from([host.to_string()]),
            asked,
            started_us: 0,
            ended_us: 0,
            respondents: Respondents::default(),
            requests: 0,
            failures: 0,
            expected_requests: 0,
            requests_by_goose: 0,
            out_of_codes: false,
            response_us: Times::default(),
            views: Vec::new(),
            seconds: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// One request more.
    pub fn count(&mut self, sample: &Sample<'_>) {
        let failed = u64::from(sample.failure.is_some());
        self.stretch(1, sample.ended_us.saturating_sub(sample.took_us), sample.ended_us);
        self.requests += 1;
        self.failures += failed;
        self.response_us.record(sample.took_us);
        let view = self.view(sample.view, sample.method);
        view.requests += 1;
        view.failures += failed;
        *view.statuses.entry(sample.status).or_default() += 1;
        view.response_us.record(sample.took_us);
        let second = self.second(sample.ended_us / 1_000_000);
        second.requests += 1;
        second.failures += failed;
        second.response_us.record(sample.took_us);
        if let Some(message) = sample.failure {
            self.fail(Failure {
                view: sample.view.to_string(),
                method: sample.method.to_string(),
                status: sample.status,
                message: message.to_string(),
                count: 1,
            });
        }
    }

    /// A request that was counted as good turned out not to be.
    pub fn doubt(&mut self, failure: Failure, ended_us: u64) {
        self.failures += 1;
        self.view(&failure.view, &failure.method).failures += 1;
        self.second(ended_us / 1_000_000).failures += 1;
        self.fail(failure);
    }

    /// Adds what another process counted.
    pub fn add(&mut self, other: &Report) {
        self.scripts.extend(other.scripts.iter().cloned());
        self.hosts.extend(other.hosts.iter().cloned());
        self.asked.add(&other.asked);
        self.stretch(other.requests, other.started_us, other.ended_us);
        self.respondents.finished += other.respondents.finished;
        self.respondents.cut += other.respondents.cut;
        self.respondents.gave_up += other.respondents.gave_up;
        self.requests += other.requests;
        self.failures += other.failures;
        self.expected_requests += other.expected_requests;
        self.requests_by_goose += other.requests_by_goose;
        self.out_of_codes |= other.out_of_codes;
        self.response_us.add(&other.response_us);
        for theirs in &other.views {
            let view = self.view(&theirs.view, &theirs.method);
            view.requests += theirs.requests;
            view.failures += theirs.failures;
            for (status, count) in &theirs.statuses {
                *view.statuses.entry(*status).or_default() += count;
            }
            view.response_us.add(&theirs.response_us);
        }
        for theirs in &other.seconds {
            let second = self.second(theirs.unix_s);
            second.requests += theirs.requests;
            second.failures += theirs.failures;
            second.response_us.add(&theirs.response_us);
        }
        for failure in &other.errors {
            self.fail(failure.clone());
        }
    }

    /// What is wrong with this run, in sentences; nothing when all is as it was asked for.
    pub fn complaints(&self) -> Vec<String> {
        let mut out = Vec::new();
        if self.failures > 0 {
            out.push(format!("{} of {} requests failed", self.failures, self.requests));
        }
        if self.requests == 0 {
            out.push("no request was sent".to_string());
        }
        if self.out_of_codes {
            let people = self.respondents.finished + self.respondents.cut + self.respondents.gave_up;
            out.push(format!("the login codes ran out after {people} respondents"));
        }
        if let Some(surveys) = self.asked.surveys {
            if self.respondents.finished != surveys {
                out.push(format!("{} of {surveys} respondents reached the end", self.respondents.finished));
            }
            if self.requests != self.expected_requests {
                out.push(format!("{} requests instead of {}", self.requests, self.expected_requests));
            }
        }
        if self.requests != self.requests_by_goose {
            out.push(format!(
                "{} requests by our count, {} by goose's",
                self.requests, self.requests_by_goose
            ));
        }
        out
    }

    /// From the first request to the last answer, in microseconds.
    pub fn elapsed_us(&self) -> u64 {
        self.ended_us.saturating_sub(self.started_us)
    }

    /// Requests per second over the whole run, in thousandths.
    pub fn rate_milli(&self) -> u64 {
        per_second_milli(self.requests, self.elapsed_us())
    }

    /// Whether a rate was asked for and less than nine tenths of it came about.
    pub fn is_slower(&self) -> bool {
        self.asked.rate.is_some_and(|rate| self.rate_milli() < rate * 900)
    }

    /// Reads a report.
    pub fn read(path: &Path) -> Result<Report> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Report::parse(&text).with_context(|| format!("{} is not a report", path.display()))
    }

    /// A report from its text.
    pub fn parse(text: &str) -> Result<Report> {
        #[derive(Deserialize)]
        struct Versioned {
            schema: String,
        }
        let versioned: Versioned = serde_json::from_str(text)?;
        if versioned.schema != SCHEMA {
            bail!("its schema is `{}`, this program reads `{SCHEMA}`", versioned.schema);
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The text of a report.
    pub fn to_json(&self) -> Result<String> {
        let mut text = serde_json::to_string(self).context("a report is plain values")?;
        text.push('\n');
        Ok(text)
    }

    /// Takes in the time of `requests` more; of none, there is no time.
    fn stretch(&mut self, requests: u64, started_us: u64, ended_us: u64) {
        if requests > 0 {
            self.started_us = if self.requests == 0 { started_us } else { self.started_us.min(started_us) };
            self.ended_us = self.ended_us.max(ended_us);
        }
    }

    fn view(&mut self, view: &str, method: &str) -> &mut View {
        let place =
            self.views.binary_search_by(|v| (v.view.as_str(), v.method.as_str()).cmp(&(view, method)));
        let at = match place {
            Ok(at) => at,
            Err(at) => {
                let new = View {
                    view: view.to_string(),
                    method: method.to_string(),
                    requests: 0,
                    failures: 0,
                    statuses: BTreeMap::new(),
                    response_us: Times::default(),
                };
                self.views.insert(at, new);
                at
            }
        };
        &mut self.views[at]
    }

    fn second(&mut self, unix_s: u64) -> &mut Second {
        let at = match self.seconds.binary_search_by_key(&unix_s, |s| s.unix_s) {
            Ok(at) => at,
            Err(at) => {
                let new = Second { unix_s, requests: 0, failures: 0, response_us: Times::default() };
                self.seconds.insert(at, new);
                at
            }
        };
        &mut self.seconds[at]
    }

    /// Keeps the smallest kinds and counts the others as one: which those are does not depend on the order.
    fn fail(&mut self, failure: Failure) {
        let key = |f: &Failure| {
            (f.message == OTHERS, f.view.clone(), f.method.clone(), f.status, f.message.clone())
        };
        match self.errors.binary_search_by_key(&key(&failure), key) {
            Ok(at) => self.errors[at].count += failure.count,
            Err(at) => self.errors.insert(at, failure),
        }
        let kinds = self.errors.iter().filter(|f| f.message != OTHERS).count();
        if kinds > MOST_ERRORS {
            let last = self.errors.remove(MOST_ERRORS);
            self.fail(Failure {
                view: String::new(),
                method: String::new(),
                status: 0,
                message: OTHERS.to_string(),
                count: last.count,
            });
        }
    }
}

/// What failures beyond the limit are counted under.
const OTHERS: &str = "(other failures)";

impl Asked {
    fn add(&mut self, other: &Asked) {
        self.processes += other.processes;
        self.users += other.users;
        self.surveys = both(self.surveys, other.surveys);
        self.rate = both(self.rate, other.rate);
        self.seconds = self.seconds.max(other.seconds);
    }
}

/// The sum, when both are there.
fn both(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    Some(a? + b?)
}

/// `count` in `us` microseconds as thousandths per second.
pub fn per_second_milli(count: u64, us: u64) -> u64 {
    match us {
        0 => 0,
        _ => u64::try_from(u128::from(count) * 1_000_000_000 / u128::from(us)).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of `n` requests from `seed`, some of which fail in many ways.
    fn run(seed: u64, n: u64) -> Report {
        let asked = Asked { processes: 1, users: 3, surveys: Some(n), rate: Some(5), seconds: Some(seed) };
        let mut report = Report::new("survey", &format!("http://{seed}"), asked);
        for i in 0..n {
            let took_us = (seed * 7919 + i * i * 31) % 90_000 + 1;
            let message = format!("said {}", (seed * 13 + i) % 70);
            report.count(&Sample {
                view: ["survey_content", "survey_login"][(i % 2) as usize],
                method: "GET",
                status: if i % 3 == 0 { 500 } else { 200 },
                failure: (i % 3 == 0).then_some(message.as_str()),
                took_us,
                ended_us: 1_000_000_000 + i * 400_000 + seed,
            });
        }
        report
    }

    fn sum(parts: &[&Report]) -> Report {
        let mut all = parts[0].clone();
        parts[1..].iter().for_each(|part| all.add(part));
        all
    }

    #[test]
    fn merging_is_arithmetic() {
        let (a, b) = (run(1, 100), run(2, 50));
        let both = sum(&[&a, &b]);
        assert_eq!((both.requests, both.failures), (150, 34 + 17));
        assert_eq!((both.asked.processes, both.asked.users), (2, 6));
        assert_eq!((both.asked.surveys, both.asked.rate, both.asked.seconds), (Some(150), Some(10), Some(2)));
        // 100 requests 0.4 s apart fill 40 seconds; the other run's 50 fall into the first 20 of them.
        assert_eq!(both.seconds.len(), 40);
        assert_eq!(both.seconds.iter().map(|s| s.requests).sum::<u64>(), 150);
        let of = |r: &Report, view: &str| r.views.iter().find(|v| v.view == view).unwrap().requests;
        assert_eq!((of(&both, "survey_content"), of(&both, "survey_login")), (75, 75));
        let statuses: u64 = both.views.iter().map(|v| v.statuses[&500]).sum();
        assert_eq!(statuses, both.failures);
        assert_eq!(both.errors.iter().map(|f| f.count).sum::<u64>(), both.failures);
        assert_eq!(both.started_us, a.started_us.min(b.started_us));
        assert_eq!(both.ended_us, 1_000_000_000 + 99 * 400_000 + 1);
    }

    #[test]
    fn merging_takes_any_order() {
        let parts = [run(1, 90), run(2, 211), run(3, 40)];
        let [a, b, c] = [&parts[0], &parts[1], &parts[2]];
        let left = sum(&[&sum(&[a, b]), c]);
        assert_eq!(left, sum(&[a, &sum(&[b, c])]));
        assert_eq!(left, sum(&[c, b, a]));
        // More kinds of failures than are told apart: none is lost.
        assert_eq!(left.errors.len(), MOST_ERRORS + 1);
        assert_eq!(left.errors.iter().map(|f| f.count).sum::<u64>(), left.failures);
    }

    #[test]
    fn percentiles_come_from_the_merged_histogram() {
        // 900 fast requests and 100 slow ones: the mean of two medians would be 5,050 µs.
        let asked = Asked::default();
        let of = |us: u64, n: u64| {
            let mut report = Report::new("survey", "http://a", asked.clone());
            let sample = Sample {
                view: "v",
                method: "GET",
                status: 200,
                failure: None,
                took_us: us,
                ended_us: 5_000_000,
            };
            (0..n).for_each(|_| report.count(&sample));
            report
        };
        let both = sum(&[&of(100, 900), &of(10_000, 100)]);
        assert_eq!(both.response_us.percentile(50), 100);
        assert_eq!(both.response_us.percentile(90), 100);
        assert!((9_900..=10_000).contains(&both.response_us.percentile(91)), "within 1 % of 10,000");
    }

    #[test]
    fn a_report_survives_its_text() {
        let report = sum(&[&run(4, 333), &run(5, 10)]);
        let text = report.to_json().unwrap();
        assert_eq!(Report::parse(&text).unwrap(), report);
        let other = text.replace(SCHEMA, "survey-load.report/9");
        assert!(format!("{:#}", Report::parse(&other).unwrap_err()).contains("report/9"));
        assert!(Report::parse(&text.replace("\"requests\"", "\"request\"")).is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let mut report = Report::new("survey", "http://a", Asked { surveys: Some(2), ..Asked::default() });
        assert!(report.complaints()[0].contains("no request"));
        let sample = Sample { view: "v", method: "GET", status: 200, failure: None, took_us: 1, ended_us: 1 };
        (0..8).for_each(|_| report.count(&sample));
        (report.respondents.finished, report.expected_requests) = (2, 8);
        report.requests_by_goose = 8;
        assert_eq!(report.complaints(), Vec::<String>::new());
        report.count(&sample);
        assert_eq!(report.complaints(), ["9 requests instead of 8", "9 requests by our count, 8 by goose's"]);
    }
}
