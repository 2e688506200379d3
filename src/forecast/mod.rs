//! Forecasts: what a change would bring, computed from the log alone by replaying it against a model.
//!
//! One model a file. Each answers with a [`Forecast`]: what it assumes in one line, calls and time before and after,
//! curves over its parameters where it has some, and the statements that change most where it is about statements.

pub mod batching;
pub mod cache;
pub mod combined;
pub mod group_commit;
pub mod prefetch;
pub mod replica;
pub mod request_cache;
pub mod write_through;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::finding::{Facts, Found, Join, Rule};
use crate::partial::trace::Replay;
use crate::report::{Forecast, ForecastRow, Forecasts, Load};
use crate::units::{Micros, scale};

/// Statements listed by one forecast.
const MOST_ROWS: usize = 200;

/// What the models look at.
pub struct Inputs<'a> {
    /// The trace.
    pub replay: &'a Replay,
    /// Its statements, replayed.
    pub replays: &'a cache::Replays,
    /// What is known about statements.
    pub facts: &'a Facts,
    /// What the rules found.
    pub found: &'a Found,
    /// Calls and time of each statement.
    pub loads: &'a HashMap<u64, Load>,
    /// Traces and requests that write outside of a transaction.
    pub loose_units: u64,
}

impl Inputs<'_> {
    fn load(&self, fingerprint: u64) -> Load {
        self.loads.get(&fingerprint).copied().unwrap_or_default()
    }
}

/// Every model's answer.
#[must_use]
pub fn all(inputs: &Inputs<'_>) -> Forecasts {
    let written_through = write_through::saved(inputs);
    Forecasts {
        combined: combined::forecast(inputs, &written_through),
        cache: cache::forecast(inputs),
        write_through: write_through::forecast(inputs, written_through),
        request_cache: request_cache::forecast(inputs),
        replica: replica::forecast(inputs),
        batching: batching::forecast(inputs),
        prefetch: prefetch::forecast(inputs),
        group_commit: group_commit::forecast(inputs),
    }
}

/// Rows by statement, most calls saved first; and their sums.
fn rows(saved: BTreeMap<u64, Load>, before: impl Fn(u64) -> Load) -> (Load, Load, Vec<ForecastRow>) {
    let mut sums = (Load::default(), Load::default());
    let mut rows: Vec<ForecastRow> = Vec::new();
    for (fingerprint, saved) in saved {
        let before = before(fingerprint);
        let after = Load {
            calls: before.calls.saturating_sub(saved.calls),
            duration_us: Micros(before.duration_us.0.saturating_sub(saved.duration_us.0)),
        };
        for (sum, load) in [(&mut sums.0, before), (&mut sums.1, after)] {
            sum.calls += load.calls;
            sum.duration_us += load.duration_us;
        }
        rows.push(ForecastRow { fingerprint: format!("{fingerprint:016x}"), before, after });
    }
    rows.sort_by_cached_key(|row| {
        (Reverse(row.before.calls - row.after.calls), Reverse(row.before.calls), row.fingerprint.clone())
    });
    rows.truncate(MOST_ROWS);
    (sums.0, sums.1, rows)
}

/// What joining the calls of each unit saves, by statement: of those that have a finding of this rule, and then in
/// every unit, also where there were too few of them for a finding.
fn joined(inputs: &Inputs<'_>, rule: Rule) -> BTreeMap<u64, Load> {
    let named = named(inputs, rule);
    let joins = inputs.found.joins.iter().filter(|join| join.0 == rule && named.contains(&join.1));
    joins.map(|join| (join.1, Load { calls: join.2.saved, duration_us: join.2.duration })).collect()
}

/// The same, as it was counted.
fn joins(inputs: &Inputs<'_>, rule: Rule) -> Vec<Join> {
    let named = named(inputs, rule);
    let joins = inputs.found.joins.iter().filter(|join| join.0 == rule && named.contains(&join.1));
    joins.map(|join| join.2).collect()
}

/// The statements that findings of a rule name.
fn named(inputs: &Inputs<'_>, rule: Rule) -> BTreeSet<u64> {
    let findings = inputs.found.list.iter().filter(|found| found.key.rule == rule);
    findings.map(|found| found.key.fingerprint).collect()
}

/// What joining the calls of each N+1 with the question that leads to them saves besides, by statement.
fn led(inputs: &Inputs<'_>) -> BTreeMap<u64, Load> {
    let runs = joined(inputs, Rule::NPlusOne);
    let found = inputs.found.joins.iter().filter(|join| join.0 == Rule::NPlusOne);
    found
        .filter_map(|(_, fingerprint, join)| {
            let run = runs.get(fingerprint)?;
            // A statement that comes alone as well is not always there to be joined with.
            let always = join.led * 10 >= join.units * 9;
            let (calls, time) = if always { (join.led, join.led_duration) } else { (0, Micros(0)) };
            let load = Load { calls: run.calls + calls, duration_us: Micros(run.duration_us.0 + time.0) };
            Some((*fingerprint, load))
        })
        .collect()
}

/// A forecast that joins what findings of one rule name.
fn joining(inputs: &Inputs<'_>, rule: Rule, assumptions: &str) -> Forecast {
    let saved = joined(inputs, rule);
    let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
    for join in inputs.found.joins.iter().filter(|join| join.0 == rule && saved.contains_key(&join.1)) {
        *numbers.entry("units".to_owned()).or_default() += join.2.units;
        *numbers.entry("commits_saved".to_owned()).or_default() += join.2.commits;
    }
    let (before, after, statements) = rows(saved, |fingerprint| inputs.load(fingerprint));
    Forecast { assumptions: assumptions.to_owned(), before, after, numbers, curves: Vec::new(), statements }
}

/// A forecast that takes away what findings of one rule say need not be sent.
fn without(inputs: &Inputs<'_>, rule: Rule, assumptions: &str) -> Forecast {
    let mut saved: BTreeMap<u64, Load> = BTreeMap::new();
    let mut units = 0;
    for finding in inputs.found.list.iter().filter(|finding| finding.key.rule == rule) {
        let load = saved.entry(finding.key.fingerprint).or_default();
        load.calls += finding.statements;
        load.duration_us += finding.duration;
        units += finding.units.iter().sum::<u64>();
    }
    let (before, after, statements) = rows(saved, |fingerprint| inputs.load(fingerprint));
    let numbers = BTreeMap::from([("units".to_owned(), units)]);
    Forecast { assumptions: assumptions.to_owned(), before, after, numbers, curves: Vec::new(), statements }
}

/// `part` of `whole` in thousandths.
fn permille(part: u64, whole: u64) -> u64 {
    scale(part, whole, 1000)
}
