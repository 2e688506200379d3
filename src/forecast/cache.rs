//! `cache`: a shared read-through cache before the database.
//!
//! Its key is statement and parameters. Two ways to drop an entry are replayed, alone and together: a write to any
//! table that the statement reads, and age. The curve over the cache's size uses reuse distances (Mattson et al.
//! 1970): an LRU cache of n entries answers exactly the askings with fewer than n other keys since the last one.

use std::collections::BTreeMap;

use super::{Inputs, permille, rows, scale};
use crate::finding::{Fact, Facts};
use crate::partial::trace::{Asked, Asking, Moment, Replay, table_key};
use crate::report::{Curve, Forecast, Load};
use crate::units::Micros;

/// Ages in seconds that are tried.
const TTLS: [i64; 4] = [1, 10, 60, 300];
/// Weights of sampled askings are whole sixteenths.
const WEIGHT: u64 = 16;

/// Askings that a cache answers, and their time.
#[derive(Debug, Clone, Copy, Default)]
struct Hits {
    calls: u64,
    time: u64,
}

impl Hits {
    fn add(&mut self, asking: &Asking) {
        self.calls += 1;
        self.time += u64::from(asking.duration);
    }
}

/// One statement, replayed.
#[derive(Debug, Clone, Default)]
pub struct Replayed {
    keys: u64,
    /// Time of all askings that were kept.
    time: u64,
    /// Entries dropped by writes alone.
    invalidated: Hits,
    /// Of these, askings by another unit than the last one's.
    pub across: (u64, u64),
    /// By age alone; the last is without limit.
    aged: [Hits; TTLS.len() + 1],
    /// By both.
    both: [Hits; TTLS.len()],
    /// The last two askings of one key in different units.
    pub example: Option<(Asking, Asking)>,
}

/// Whether any table of the statement was written after one moment and not after another.
fn written(replay: &Replay, fact: &Fact, database: u64, from: &Moment, to: &Moment) -> bool {
    fact.reads.iter().any(|table| match replay.written.get(&table_key(*table, database)) {
        Some(writes) => writes.between(from, to),
        None => replay.tables_capped,
    })
}

/// An asking for the curve over the size: when, which key, its weight, and whether the answer before it still held.
type Sized = (Moment, u32, u64, bool);

/// Every statement of the trace, replayed.
#[derive(Debug, Clone, Default)]
pub struct Replays {
    /// One for each of [`Replay::asked`].
    pub list: Vec<Replayed>,
    /// All askings by time.
    askings: Vec<Sized>,
}

impl Replays {
    /// Replays the trace.
    #[must_use]
    pub fn new(trace: &Replay, facts: &Facts) -> Self {
        let mut replays = Self::default();
        for asked in &trace.asked {
            let Some(fact) = facts.get(asked.fingerprint) else {
                replays.list.push(Replayed::default());
                continue;
            };
            let weight = scale(WEIGHT, asked.askings.kept.len() as u64, asked.askings.calls);
            let askings = &mut replays.askings;
            let mut next = askings.last().map_or(0, |last| last.1 + 1);
            let replayed = replay(trace, fact, asked, &mut |asking, first, holds| {
                next += u32::from(first);
                askings.push((asking.moment, next, weight, holds));
            });
            replays.list.push(replayed);
        }
        replays.askings.sort_unstable();
        replays
    }
}

impl Replayed {
    /// Askings answered by a cache that is dropped by the table, and their time.
    pub(super) fn hits(&self) -> (u64, u64) {
        (self.invalidated.calls, self.invalidated.time)
    }

    /// Askings answered by a cache that is dropped after 300 seconds.
    pub(super) fn aged_300(&self) -> (u64, u64) {
        let aged = self.aged[TTLS.len() - 1];
        (aged.calls, aged.time)
    }

    /// Time of all askings that were kept.
    pub(super) fn time(&self) -> u64 {
        self.time
    }
}

/// Replays one statement; `seen` hears of each asking whether it is the first of its key and whether the answer
/// before it still held.
fn replay(
    replay: &Replay,
    fact: &Fact,
    asked: &Asked,
    seen: &mut dyn FnMut(&Asking, bool, bool),
) -> Replayed {
    let mut result = Replayed::default();
    for key in asked.askings.kept.chunk_by(|a, b| a.key == b.key) {
        result.keys += 1;
        result.time += key.iter().map(|asking| u64::from(asking.duration)).sum::<u64>();
        let mut filled = [key[0].moment.time.0; TTLS.len()];
        let mut filled_both = filled;
        seen(&key[0], true, false);
        for pair in key.windows(2) {
            let (last, now) = (&pair[0], &pair[1]);
            let time = now.moment.time.0;
            let stale = written(replay, fact, asked.database, &last.moment, &now.moment);
            seen(now, false, !stale);
            if !stale {
                result.invalidated.add(now);
                if last.who != now.who || time.saturating_sub(last.moment.time.0) > 1_000_000 {
                    result.across.0 += 1;
                    result.across.1 += u64::from(now.duration);
                    result.example.get_or_insert((*last, *now));
                }
            }
            result.aged[TTLS.len()].add(now);
            for (place, ttl) in TTLS.iter().enumerate() {
                if time.saturating_sub(filled[place]) <= ttl * 1_000_000 {
                    result.aged[place].add(now);
                } else {
                    filled[place] = time;
                }
                if !stale && time.saturating_sub(filled_both[place]) <= ttl * 1_000_000 {
                    result.both[place].add(now);
                } else {
                    filled_both[place] = time;
                }
            }
        }
    }
    result
}

/// The model's answer.
#[must_use]
pub fn forecast(inputs: &Inputs<'_>) -> Forecast {
    let mut saved: BTreeMap<u64, Load> = BTreeMap::new();
    let mut before: BTreeMap<u64, Load> = BTreeMap::new();
    let mut curves = [[0_u64; TTLS.len() + 1]; 2];
    let (mut keys, mut counts, mut exact) = (0, 0, true);
    let mut total = 0;
    for (asked, replayed) in inputs.replay.asked.iter().zip(&inputs.replays.list) {
        let Some(fact) = inputs.facts.get(asked.fingerprint) else { continue };
        let sample = asked.askings.kept.len() as u64;
        let whole = asked.askings.calls;
        let all = |part: u64| scale(part, sample, whole);
        exact &= asked.askings.is_exact();
        total += whole;
        keys += all(replayed.keys);
        let load = before.entry(asked.fingerprint).or_default();
        load.calls += whole;
        load.duration_us += asked.askings.duration;
        let hits = Load {
            calls: all(replayed.invalidated.calls),
            duration_us: Micros(scale(replayed.invalidated.time, replayed.time, asked.askings.duration.0)),
        };
        if fact.count {
            counts += hits.calls;
        }
        let load = saved.entry(asked.fingerprint).or_default();
        load.calls += hits.calls;
        load.duration_us += hits.duration_us;
        for (sum, hits) in curves[0].iter_mut().zip(&replayed.aged) {
            *sum += all(hits.calls);
        }
        let both = replayed.both.iter().chain([&replayed.invalidated]);
        for (sum, hits) in curves[1].iter_mut().zip(both) {
            *sum += all(hits.calls);
        }
    }
    let (before, after, statements) =
        rows(saved, |fingerprint| before.get(&fingerprint).copied().unwrap_or_default());
    let hits = before.calls - after.calls;
    let by_ttl = |name: &str, hits: &[u64; TTLS.len() + 1]| Curve {
        name: name.to_owned(),
        x_unit: "seconds".to_owned(),
        y_unit: "permille".to_owned(),
        points: TTLS
            .iter()
            .map(|ttl| Some(ttl.unsigned_abs()))
            .chain([None])
            .zip(hits.iter().map(|hits| permille(*hits, total)))
            .collect(),
    };
    let numbers = BTreeMap::from([
        ("keys".to_owned(), keys),
        ("hits".to_owned(), hits),
        ("hit_permille".to_owned(), permille(hits, before.calls)),
        ("hits_of_counts".to_owned(), counts),
        ("sampled".to_owned(), u64::from(!exact)),
    ]);
    Forecast {
        assumptions:
            "A read-through cache of any size holds the answer to each question (statement and parameters) \
                      until a table that it reads is written; empty answers and counts are kept too."
                .to_owned(),
        before,
        after,
        numbers,
        curves: vec![
            by_ttl("hit ratio by TTL, dropped by age alone", &curves[0]),
            by_ttl("hit ratio by TTL, dropped by age or write", &curves[1]),
            by_size(&inputs.replays.askings, keys),
        ],
        statements,
    }
}

/// Hit ratio by size of an LRU cache whose entries are dropped by writes.
fn by_size(askings: &[Sized], keys: u64) -> Curve {
    let count = askings.iter().map(|asking| asking.1 as usize + 1).max().unwrap_or(0);
    let mut last: Vec<u32> = vec![u32::MAX; count];
    let mut tree = Fenwick::new(askings.len());
    // Hits by the distance's power of two.
    let mut histogram = [0_u64; 65];
    let mut total = 0;
    for (place, (_, key, weight, holds)) in askings.iter().enumerate() {
        total += weight;
        let before = std::mem::replace(&mut last[*key as usize], place as u32);
        if before != u32::MAX {
            let distance = tree.sum(before as usize + 1, place) / WEIGHT;
            tree.add(before as usize, weight.wrapping_neg());
            if *holds {
                histogram[(64 - distance.leading_zeros()) as usize] += weight;
            }
        }
        tree.add(place, *weight);
    }
    let mut points = Vec::new();
    let mut hits = 0;
    for (power, count) in histogram.iter().enumerate().take(40) {
        hits += count;
        let size = 1_u64 << power;
        if power % 2 == 0 && power >= 4 {
            points.push((Some(size), permille(hits, total)));
        }
        if size > keys.max(16) {
            break;
        }
    }
    points.push((None, permille(histogram.iter().sum(), total)));
    Curve {
        name: "hit ratio by cache size, dropped by write".to_owned(),
        x_unit: "keys".to_owned(),
        y_unit: "permille".to_owned(),
        points,
    }
}

/// Sums of ranges under changes of single values.
struct Fenwick(Vec<u64>);

impl Fenwick {
    fn new(len: usize) -> Self {
        Self(vec![0; len + 1])
    }

    fn add(&mut self, place: usize, value: u64) {
        let mut place = place + 1;
        while place < self.0.len() {
            self.0[place] = self.0[place].wrapping_add(value);
            place += place & place.wrapping_neg();
        }
    }

    fn up_to(&self, mut place: usize) -> u64 {
        let mut sum = 0_u64;
        while place > 0 {
            sum = sum.wrapping_add(self.0[place]);
            place -= place & place.wrapping_neg();
        }
        sum
    }

    /// The sum of `from..to`.
    fn sum(&self, from: usize, to: usize) -> u64 {
        self.up_to(to).wrapping_sub(self.up_to(from))
    }
}
