//! What was seen of a run: a sample a second of sums, and the differences between them.
//!
//! Serves the page and whoever reads the JSON. Pure: no clock, no server.

use crate::metrics::{BUCKETS, Component};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A run as it was seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Recording {
    /// `survey-app.recording/1`
    pub schema: String,
    /// What was run.
    pub title: String,
    /// When it began, in seconds since 1970.
    pub began: u64,
    /// Cores of the machine.
    pub cores: usize,
    /// Labels of [`ViewTotals::seconds`].
    pub components: Vec<String>,
    /// Upper ends of [`ViewTotals::buckets`] in seconds; one more bucket is beyond them.
    pub bucket_ends: Vec<f64>,
    /// In the order of time; at least the first and the last.
    pub samples: Vec<Sample>,
    /// What could not be seen, in sentences.
    pub notes: Vec<String>,
}

/// Everything at one moment. Sums are since the first sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the first sample.
    pub at: f64,
    /// By view.
    pub views: BTreeMap<String, ViewTotals>,
    /// Requests that are being served.
    pub in_flight: u64,
    /// `primary` and `replica`, as they count themselves.
    pub postgres: BTreeMap<String, PostgresTotals>,
    /// Processes by role.
    pub roles: BTreeMap<String, RoleTotals>,
    /// The machine's load average over a minute.
    pub load_average: f64,
}

/// One view's sums.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ViewTotals {
    /// Requests by status.
    pub statuses: BTreeMap<String, u64>,
    /// Requests that were turned away.
    pub shed: u64,
    /// Seconds by component.
    pub seconds: [f64; Component::ALL.len()],
    /// Requests by response time.
    pub buckets: Vec<u64>,
}

/// One PostgreSQL server's sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PostgresTotals {
    /// `pg_stat_database.xact_commit` of the application's database.
    pub commits: u64,
    /// Clients connected now.
    pub backends: u64,
    /// `pg_stat_wal.wal_sync`, from PostgreSQL 14 on; of the primary.
    pub wal_syncs: Option<u64>,
}

/// One role's processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoleTotals {
    /// Seconds of a core used.
    pub cpu: f64,
    /// Threads that ran or wanted to run, or waited for a disk, on average since the sample before: what a
    /// load average is the smoothed form of.
    pub load: f64,
}

impl ViewTotals {
    /// Adds another's sums.
    pub fn add(&mut self, other: &ViewTotals) {
        for (status, count) in &other.statuses {
            *self.statuses.entry(status.clone()).or_default() += count;
        }
        self.shed += other.shed;
        self.seconds.iter_mut().zip(other.seconds).for_each(|(sum, part)| *sum += part);
        self.buckets.resize(BUCKETS.len() + 1, 0);
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(sum, part)| *sum += part);
    }

    /// What came since `before`; everything, when the process began anew in between.
    pub fn since(&self, before: &ViewTotals) -> ViewTotals {
        if self.requests() < before.requests() {
            return self.clone();
        }
        let mut out = self.clone();
        for (status, count) in &mut out.statuses {
            *count = count.saturating_sub(before.statuses.get(status).copied().unwrap_or_default());
        }
        out.shed = out.shed.saturating_sub(before.shed);
        out.seconds.iter_mut().zip(before.seconds).for_each(|(sum, part)| *sum = (*sum - part).max(0.0));
        out.buckets.iter_mut().zip(&before.buckets).for_each(|(sum, part)| *sum = sum.saturating_sub(*part));
        out
    }

    /// All requests.
    pub fn requests(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Requests that were not turned away.
    pub fn served(&self) -> u64 {
        self.requests().saturating_sub(self.shed)
    }

    /// Requests that were served and failed on our side.
    pub fn failed(&self) -> u64 {
        let fives = self.statuses.iter().filter(|(status, _)| status.starts_with('5'));
        fives.map(|(_, n)| n).sum::<u64>().saturating_sub(self.shed)
    }

    /// Seconds of all components.
    pub fn time(&self) -> f64 {
        self.seconds.iter().sum()
    }

    /// Milliseconds that a request took on average; 0 without requests.
    pub fn mean_ms(&self) -> f64 {
        match self.served() {
            0 => 0.0,
            n => self.time() * 1000.0 / n as f64,
        }
    }

    /// The components that took time, most first, with their share of all time (0 to 1).
    pub fn shares(&self) -> Vec<(Component, f64)> {
        let time = self.time();
        let mut all: Vec<(Component, f64)> = Component::ALL
            .into_iter()
            .map(|c| (c, self.seconds[c.index()] / if time > 0.0 { time } else { 1.0 }))
            .filter(|(_, share)| *share > 0.0)
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all
    }

    /// The response time in milliseconds that a share `q` of the requests stayed within, between the ends of
    /// its bucket; `None` without requests.
    pub fn quantile_ms(&self, q: f64) -> Option<f64> {
        let all: u64 = self.buckets.iter().sum();
        if all == 0 {
            return None;
        }
        let rank = q * all as f64;
        let (mut below, mut from) = (0.0, 0.0);
        for (at, count) in self.buckets.iter().enumerate() {
            // Beyond the last end nothing is known but that it is more.
            let Some(to) = BUCKETS.get(at).map(|us| *us as f64 / 1000.0) else { break };
            let here = *count as f64;
            if here > 0.0 && below + here >= rank {
                return Some(from + (to - from) * ((rank - below) / here).clamp(0.0, 1.0));
            }
            below += here;
            from = to;
        }
        Some(from)
    }
}

/// What happened between two samples.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// Seconds since the first sample.
    pub from: f64,
    /// Seconds since the first sample.
    pub to: f64,
    /// By view.
    pub views: BTreeMap<String, ViewTotals>,
    /// All views together.
    pub all: ViewTotals,
    /// Requests that were being served at its end.
    pub in_flight: u64,
    /// Commits by server, and at the end backends.
    pub postgres: BTreeMap<String, PostgresTotals>,
    /// Per cent of one core by role, and threads that wanted one.
    pub roles: BTreeMap<String, RoleTotals>,
    /// The machine's load average at its end.
    pub load_average: f64,
}

impl Span {
    /// Its seconds.
    pub fn seconds(&self) -> f64 {
        self.to - self.from
    }

    /// `count` a second.
    pub fn rate(&self, count: u64) -> f64 {
        if self.seconds() > 0.0 { count as f64 / self.seconds() } else { 0.0 }
    }

    fn between(a: &Sample, b: &Sample, load: impl Fn(&str) -> f64) -> Span {
        let mut span = Span { from: a.at, to: b.at, ..Span::default() };
        for (view, now) in &b.views {
            let part = now.since(a.views.get(view).unwrap_or(&ViewTotals::default()));
            span.all.add(&part);
            span.views.insert(view.clone(), part);
        }
        for (server, now) in &b.postgres {
            let before = a.postgres.get(server).copied().unwrap_or(*now);
            let part = PostgresTotals {
                commits: now.commits.saturating_sub(before.commits),
                backends: now.backends,
                wal_syncs: now.wal_syncs.zip(before.wal_syncs).map(|(n, b)| n.saturating_sub(b)),
            };
            span.postgres.insert(server.clone(), part);
        }
        for (role, now) in &b.roles {
            let before = a.roles.get(role).copied().unwrap_or(*now);
            let seconds = span.seconds().max(1e-9);
            let cpu = (now.cpu - before.cpu).max(0.0) / seconds * 100.0;
            span.roles.insert(role.clone(), RoleTotals { cpu, load: load(role) });
        }
        (span.in_flight, span.load_average) = (b.in_flight, b.load_average);
        span
    }
}

impl Recording {
    /// An empty one.
    pub fn new(title: &str, began: u64, cores: usize) -> Recording {
        Recording {
            schema: "survey-app.recording/1".to_string(),
            title: title.to_string(),
            began,
            cores,
            components: Component::ALL.map(|c| c.name().to_string()).to_vec(),
            bucket_ends: BUCKETS.iter().map(|us| *us as f64 / 1e6).collect(),
            ..Recording::default()
        }
    }

    /// The whole of it.
    pub fn whole(&self) -> Span {
        match (self.samples.first(), self.samples.last()) {
            (Some(a), Some(b)) => Span::between(a, b, |role| mean_load(&self.samples[1..], role)),
            _ => Span::default(),
        }
    }

    /// Its parts in order: one a sample, or of several samples each when there are more than `most`.
    pub fn spans(&self, most: usize) -> Vec<Span> {
        let steps = self.samples.len().saturating_sub(1);
        let each = steps.div_ceil(most.max(1)).max(1);
        let mut ends: Vec<usize> = (0..=steps).step_by(each).collect();
        if ends.last() != Some(&steps) {
            ends.push(steps);
        }
        ends.windows(2)
            .map(|w| {
                let part = &self.samples[w[0] + 1..=w[1]];
                Span::between(&self.samples[w[0]], &self.samples[w[1]], |role| mean_load(part, role))
            })
            .collect()
    }

    /// Most backends of a server that any sample saw.
    pub fn peak_backends(&self, server: &str) -> u64 {
        self.samples.iter().filter_map(|s| s.postgres.get(server)).map(|p| p.backends).max().unwrap_or(0)
    }
}

fn mean_load(samples: &[Sample], role: &str) -> f64 {
    let seen: Vec<f64> = samples.iter().filter_map(|s| s.roles.get(role)).map(|r| r.load).collect();
    if seen.is_empty() { 0.0 } else { seen.iter().sum::<f64>() / seen.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(ok: u64, bucket: usize) -> ViewTotals {
        let mut buckets = vec![0; BUCKETS.len() + 1];
        buckets[bucket] = ok;
        let mut seconds = [0.0; Component::ALL.len()];
        seconds[Component::Primary.index()] = ok as f64 * 0.003;
        seconds[Component::App.index()] = ok as f64 * 0.001;
        ViewTotals { statuses: BTreeMap::from([("200".to_string(), ok)]), shed: 0, seconds, buckets }
    }

    #[test]
    fn quantiles_lie_in_their_bucket() {
        // Ten requests in 2 to 3 ms, ten in 5 to 7.5 ms.
        let mut both = totals(10, 3);
        both.add(&totals(10, 5));
        assert_eq!(both.quantile_ms(0.25), Some(2.5));
        assert_eq!(both.quantile_ms(0.5), Some(3.0));
        assert_eq!(both.quantile_ms(0.75), Some(6.25));
        assert_eq!(both.quantile_ms(1.0), Some(7.5));
        assert_eq!(totals(1, BUCKETS.len()).quantile_ms(0.5), Some(10_000.0), "at least");
        assert_eq!(ViewTotals::default().quantile_ms(0.5), None);
    }

    #[test]
    fn shares_and_means() {
        let some = totals(4, 4);
        let shares: Vec<_> = some.shares().iter().map(|(c, s)| (*c, (s * 100.0).round() as u32)).collect();
        assert_eq!(shares, [(Component::Primary, 75), (Component::App, 25)]);
        assert!((some.mean_ms() - 4.0).abs() < 1e-9);
        assert_eq!((ViewTotals::default().mean_ms(), ViewTotals::default().shares().len()), (0.0, 0));
    }

    #[test]
    fn a_restart_counts_from_zero() {
        assert_eq!(totals(7, 1).since(&totals(5, 1)).requests(), 2);
        assert_eq!(totals(3, 1).since(&totals(5, 1)).requests(), 3);
    }

    #[test]
    fn spans_add_up_to_the_whole() {
        let sample = |at: u32| Sample {
            at: f64::from(at),
            views: BTreeMap::from([("v".to_string(), totals(u64::from(at) * 10, 2))]),
            roles: BTreeMap::from([(
                "db".to_string(),
                RoleTotals { cpu: f64::from(at) * 0.5, load: f64::from(at) },
            )]),
            ..Sample::default()
        };
        let mut recording = Recording::new("t", 0, 2);
        recording.samples = (0..=7).map(sample).collect();
        for most in [1, 2, 3, 7, 100] {
            let spans = recording.spans(most);
            assert!(spans.len() <= most);
            assert_eq!(spans.iter().map(|s| s.all.requests()).sum::<u64>(), 70);
            assert_eq!((spans[0].from, spans.last().unwrap().to), (0.0, 7.0));
        }
        let whole = recording.whole();
        assert_eq!((whole.rate(whole.all.requests()), whole.roles["db"].cpu), (10.0, 50.0));
        assert_eq!(whole.roles["db"].load, 4.0);
        assert!(Recording::default().spans(5).is_empty());
    }
}
