//! `group_commit`: commits that wait a little share one flush of the write-ahead log.

use std::collections::BTreeMap;

use super::{Inputs, scale};
use crate::partial::trace::Commit;
use crate::report::{Curve, Forecast, Load};
use crate::units::Micros;

/// Values of `commit_delay` that are tried, in microseconds. The first is PostgreSQL's default.
const DELAYS: [u64; 6] = [0, 500, 1000, 2000, 4000, 10_000];
/// The delay of the headline.
const HEADLINE: usize = 4;
/// `commit_siblings`: so many other transactions must be at work for a commit to wait.
const SIBLINGS: usize = 5;
/// Commits that begin within so many microseconds of each other are at work at the same time.
const AT_WORK: i64 = 50_000;

/// The model's answer: calls are flushes.
#[must_use]
pub fn forecast(inputs: &Inputs<'_>) -> Forecast {
    let commits = &inputs.replay.commits;
    let mut starts: Vec<(u32, i64)> = commits.kept.iter().map(begin).collect();
    starts.sort_unstable();
    let kept = starts.len() as u64;
    let whole = |part: u64| scale(part, kept, commits.count);
    let runs = DELAYS.map(|delay| flushes(&starts, delay as i64));
    let duration = commits.kept.iter().map(|commit| u64::from(commit.duration)).sum();
    let curve = |name: &str, unit: &str, value: &dyn Fn(&(u64, u64)) -> u64| Curve {
        name: name.to_owned(),
        x_unit: "microseconds".to_owned(),
        y_unit: unit.to_owned(),
        points: DELAYS.iter().zip(&runs).map(|(delay, run)| (Some(*delay), whole(value(run)))).collect(),
    };
    let (flushed, added) = runs[HEADLINE];
    let numbers = BTreeMap::from([
        ("commits".to_owned(), commits.count),
        ("flushes_saved".to_owned(), commits.count - whole(flushed)),
        ("latency_added_us".to_owned(), whole(added)),
        ("commit_delay_us".to_owned(), DELAYS[HEADLINE]),
        ("commit_siblings".to_owned(), SIBLINGS as u64),
    ]);
    Forecast {
        assumptions: "Each writing transaction flushes once. With commit_delay, the first of a group waits when at \
                      least commit_siblings others commit within 50 ms, and all that come meanwhile share its flush."
            .to_owned(),
        before: Load { calls: commits.count, duration_us: Micros(whole(duration)) },
        after: Load { calls: whole(flushed), duration_us: Micros(whole(duration + added)) },
        numbers,
        curves: vec![
            curve("flushes by commit_delay", "flushes", &|run| run.0),
            curve("latency added by commit_delay", "microseconds", &|run| run.1),
        ],
        statements: Vec::new(),
    }
}

fn begin(commit: &Commit) -> (u32, i64) {
    (commit.moment.stream, commit.moment.time.0.saturating_sub(i64::from(commit.duration)))
}

/// Flushes, and the waiting added, with a delay. `starts` is sorted by stream and time.
fn flushes(starts: &[(u32, i64)], delay: i64) -> (u64, u64) {
    let (mut count, mut waited) = (0, 0);
    let mut place = 0;
    let mut oldest = 0;
    while place < starts.len() {
        let (stream, leader) = starts[place];
        count += 1;
        while starts[oldest] < (stream, leader.saturating_sub(AT_WORK)) {
            oldest += 1;
        }
        let siblings = starts[oldest..]
            .iter()
            .take_while(|start| **start <= (stream, leader.saturating_add(AT_WORK)))
            .take(SIBLINGS + 1)
            .count();
        let end = if delay > 0 && siblings > SIBLINGS { leader.saturating_add(delay) } else { leader };
        let mut group = 0;
        for start in starts[place..].iter().take_while(|start| start.0 == stream && start.1 <= end) {
            waited += u64::try_from(end.saturating_sub(start.1)).unwrap_or(0);
            group += 1;
            if delay == 0 {
                break;
            }
        }
        place += group.max(1);
    }
    (count, waited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_moment_shares_its_flush() {
        let busy: Vec<(u32, i64)> = (0..10).map(|place| (0, place * 100)).collect();
        assert_eq!(flushes(&busy, 0), (10, 0));
        assert_eq!(flushes(&busy, 500), (2, 500 + 400 + 300 + 200 + 100 + 500 + 400 + 300 + 200));
        let quiet: Vec<(u32, i64)> = (0..10).map(|place| (0, place * 100_000)).collect();
        assert_eq!(flushes(&quiet, 4000), (10, 0));
    }
}
