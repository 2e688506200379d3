//! `group_commit`: commits that wait a little share one flush of the write-ahead log.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::Inputs;
use crate::partial::trace::Commit;
use crate::report::{Curve, Forecast, Load};
use crate::units::{Micros, scale};

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
    let mut starts: Vec<Start> = commits.kept.iter().map(begin).collect();
    starts.sort_unstable();
    let kept = starts.len() as u64;
    let whole = |part: u64| scale(part, kept, commits.count);
    let busy = have_siblings(&starts);
    let runs = DELAYS.map(|delay| flushes(&starts, &busy, delay as i64));
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
        assumptions:
            "Each writing transaction flushes once. With commit_delay, the first of a group waits when at \
                      least commit_siblings other sessions commit within 50 ms, and all sessions that come \
                      meanwhile share its flush."
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

/// When a commit began, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    stream: u32,
    time: i64,
    session: u32,
}

fn begin(commit: &Commit) -> Start {
    let time = commit.moment.time.0.saturating_sub(i64::from(commit.duration));
    Start { stream: commit.moment.stream, time, session: commit.session }
}

/// Flushes, and the waiting added, with a delay. `starts` is sorted, `busy` says which of them have siblings.
fn flushes(starts: &[Start], busy: &[bool], delay: i64) -> (u64, u64) {
    let (mut count, mut waited) = (0, 0);
    let mut flushed = vec![false; starts.len()];
    let mut group: Vec<u32> = Vec::new();
    for (place, leader) in starts.iter().enumerate() {
        if flushed[place] {
            continue;
        }
        count += 1;
        if delay == 0 || !busy[place] {
            continue;
        }
        let end = leader.time.saturating_add(delay);
        group.clear();
        for (later, start) in starts.iter().enumerate().skip(place) {
            if (start.stream, start.time) > (leader.stream, end) {
                break;
            }
            // A session that waits commits nothing else meanwhile.
            if !flushed[later] && !group.contains(&start.session) {
                flushed[later] = true;
                group.push(start.session);
                waited += u64::try_from(end.saturating_sub(start.time)).unwrap_or(0);
            }
        }
    }
    (count, waited)
}

/// For each commit, whether enough other sessions commit at about the same time. `starts` is sorted.
fn have_siblings(starts: &[Start]) -> Vec<bool> {
    // The sessions at work, and how many commits of each.
    let mut at_work: HashMap<u32, usize> = HashMap::new();
    let mut next = starts.iter().peekable();
    let mut gone = starts.iter().peekable();
    let mut busy = |start: &Start| {
        let to = (start.stream, start.time.saturating_add(AT_WORK));
        while let Some(comes) = next.next_if(|next| (next.stream, next.time) <= to) {
            *at_work.entry(comes.session).or_default() += 1;
        }
        let from = (start.stream, start.time.saturating_sub(AT_WORK));
        while let Some(goes) = gone.next_if(|gone| (gone.stream, gone.time) < from) {
            if let Entry::Occupied(mut commits) = at_work.entry(goes.session) {
                *commits.get_mut() -= 1;
                if *commits.get() == 0 {
                    commits.remove();
                }
            }
        }
        // One of them is its own.
        at_work.len() > SIBLINGS
    };
    starts.iter().map(&mut busy).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn starts(count: u32, gap: i64, session: impl Fn(u32) -> u32) -> Vec<Start> {
        (0..count)
            .map(|place| Start { stream: 0, time: i64::from(place) * gap, session: session(place) })
            .collect()
    }

    fn flushes(starts: &[Start], delay: i64) -> (u64, u64) {
        super::flushes(starts, &have_siblings(starts), delay)
    }

    #[test]
    fn a_busy_moment_shares_its_flush() {
        let busy = starts(10, 100, |place| place);
        assert_eq!(flushes(&busy, 0), (10, 0));
        assert_eq!(flushes(&busy, 500), (2, 500 + 400 + 300 + 200 + 100 + 500 + 400 + 300 + 200));
        let quiet = starts(10, 100_000, |place| place);
        assert_eq!(flushes(&quiet, 4000), (10, 0));
    }

    #[test]
    fn one_session_commits_one_after_the_other() {
        assert_eq!(flushes(&starts(10, 100, |_| 7), 4000), (10, 0));
        // Six sessions share two flushes, not one: each of them commits twice.
        assert_eq!(flushes(&starts(12, 100, |place| place % 6), 4000).0, 2);
    }

    proptest! {
        #[test]
        fn siblings_are_other_sessions_at_work(commits in prop::collection::vec((0_u32..2, 0_i64..400_000, 0_u32..9), 0..80)) {
            let mut starts: Vec<Start> =
                commits.iter().map(|&(stream, time, session)| Start { stream, time, session }).collect();
            starts.sort_unstable();
            let siblings = |own: &Start| {
                let near = |other: &&Start| other.stream == own.stream && (other.time - own.time).abs() <= AT_WORK;
                let others = starts.iter().filter(near).map(|other| other.session);
                others.filter(|session| *session != own.session).collect::<HashSet<_>>().len()
            };
            let expected: Vec<bool> = starts.iter().map(|own| siblings(own) >= SIBLINGS).collect();
            prop_assert_eq!(have_siblings(&starts), expected);
        }
    }
}
