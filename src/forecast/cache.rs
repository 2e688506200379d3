//! `cache`: a shared read-through cache before the database.
//!
//! Its key is statement and parameters. Two ways to drop an entry are replayed, alone and together: a write to any
//! table that the statement reads, and age. The curve over the cache's size uses reuse distances (Mattson et al.
//! 1970): an LRU cache of n entries answers exactly the askings with fewer than n other keys since the last one.
//!
//! An answer that depends on the time as well may be kept for some time, and no longer; one that depends on who asks
//! is nobody else's, and not kept.

use std::collections::{BTreeMap, HashMap};

use super::{Inputs, permille, rows};
use crate::finding::{Depends, Facts};
use crate::partial::trace::{Asked, Asking, Replay, Writes, table_key};
use crate::report::{Curve, Forecast, Load};
use crate::units::{Micros, Timestamp, scale};

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

/// Sums over the parameter sets of a statement: what is needed to say how far a sample of them may be off.
#[derive(Debug, Clone, Copy, Default)]
struct Scatter {
    hits_squared: u128,
    hits_by_calls: u128,
    calls_squared: u128,
}

impl Scatter {
    fn add(&mut self, hits: u64, calls: u64) {
        let (hits, calls) = (u128::from(hits), u128::from(calls));
        self.hits_squared += hits * hits;
        self.hits_by_calls += hits * calls;
        self.calls_squared += calls * calls;
    }

    /// The standard error, in millionths, of the ratio of `hits` to `calls`, which are sums over the same sets
    /// (a ratio estimator of a sample of clusters: Cochran 1977, 6.3).
    fn error(&self, hits: u64, calls: u64) -> u128 {
        let (hits, calls) = (u128::from(hits), u128::from(calls).max(1));
        let squares = calls * calls * self.hits_squared + hits * hits * self.calls_squared;
        let residue = squares.saturating_sub(2 * hits * calls * self.hits_by_calls);
        residue.saturating_mul(1_000_000_000_000).isqrt() / (calls * calls)
    }
}

/// One statement, replayed.
#[derive(Debug, Clone, Default)]
pub struct Replayed {
    keys: u64,
    scatter: Scatter,
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

/// Every statement of the trace, replayed.
#[derive(Debug, Clone, Default)]
pub struct Replays {
    /// One for each of [`Replay::asked`].
    pub list: Vec<Replayed>,
    /// Hits by size.
    sizes: Sizes,
}

impl Replays {
    /// Replays the trace.
    #[must_use]
    pub fn new(trace: &Replay, facts: &Facts) -> Self {
        let order = by_time(trace);
        let versions = versions(trace, facts, &order);
        let mut replays = Self::default();
        let mut seen = Seen::default();
        for (asked, versions) in trace.asked.iter().zip(&versions) {
            let depends = facts.get(asked.fingerprint).map(|fact| fact.depends);
            seen.starts.push((depends == Some(Depends::Tables)).then_some(seen.keys.len()));
            replays.list.push(match depends {
                Some(Depends::Tables) => replay(asked, versions, &mut seen),
                Some(Depends::Time) => replay(asked, versions, &mut Seen::default()).for_some_time(),
                Some(Depends::Asker) | None => Replayed::default(),
            });
        }
        replays.sizes = Sizes::new(trace, &order, &seen);
        replays
    }
}

/// An asking: its time, its statement's place in the trace, its place in the statement.
type Place = (i64, u32, u32);

/// All askings by moment.
fn by_time(trace: &Replay) -> Vec<Place> {
    let count = trace.asked.iter().map(|asked| asked.askings.kept.len()).sum();
    let mut order: Vec<Place> = Vec::with_capacity(count);
    for (statement, asked) in (0..).zip(&trace.asked) {
        let kept = asked.askings.kept.iter().zip(0..);
        order.extend(kept.map(|(asking, place)| (asking.moment.time.0, statement, place)));
    }
    order.sort_unstable_by_key(|place| place.0);
    let asking = |place: &Place| &trace.asked[place.1 as usize].askings.kept[place.2 as usize];
    for same in order.chunk_by_mut(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
        same.sort_unstable_by_key(|place| (asking(place).moment, *place));
    }
    order
}

/// For each asking of each statement how often its tables had been written before: two askings of one question with
/// the same count had the same answer.
fn versions(trace: &Replay, facts: &Facts, order: &[Place]) -> Vec<Vec<u32>> {
    // The tables, each with how many of its writes lie before the moment that was reached.
    let mut tables: Vec<(&Writes, usize)> = Vec::new();
    let mut places: HashMap<u64, usize> = HashMap::new();
    // Of each statement its tables; `None` where one of them is always written.
    let mut read: Vec<Option<Vec<usize>>> = Vec::new();
    for asked in &trace.asked {
        let reads = facts.get(asked.fingerprint).map(|fact| &*fact.reads).unwrap_or_default();
        let mut own = Vec::new();
        let mut always = false;
        for key in reads.iter().map(|table| table_key(*table, asked.database)) {
            match trace.written.get(&key) {
                Some(writes) => own.push(*places.entry(key).or_insert_with(|| {
                    tables.push((writes, 0));
                    tables.len() - 1
                })),
                None => always |= trace.tables_capped,
            }
        }
        read.push((!always).then_some(own));
    }
    let mut versions: Vec<Vec<u32>> =
        trace.asked.iter().map(|asked| vec![0; asked.askings.kept.len()]).collect();
    for (number, (time, statement, place)) in (0_u32..).zip(order) {
        let (statement, place) = (*statement as usize, *place as usize);
        let moment = || trace.asked[statement].askings.kept[place].moment;
        versions[statement][place] = match &read[statement] {
            // Another one each time.
            None => number,
            Some(own) => own.iter().fold(0, |sum, table| {
                let (writes, before) = &mut tables[*table];
                *before = writes.up_to(*before, Timestamp(*time), moment);
                sum.wrapping_add(*before as u32)
            }),
        };
    }
    versions
}

impl Replayed {
    /// What is left where an answer ages although nothing is written: caches that drop it by age.
    fn for_some_time(self) -> Self {
        let mut aged = self.aged;
        aged[TTLS.len()] = Hits::default();
        Self { keys: self.keys, time: self.time, both: self.both, aged, ..Self::default() }
    }

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

/// What the curve over the size knows of each asking, in the order of the trace.
#[derive(Debug, Default)]
struct Seen {
    /// Where each statement's askings begin; `None` for one that no write drops.
    starts: Vec<Option<usize>>,
    /// A number for each key, and whether the answer to the asking before it still held.
    keys: Vec<(u32, bool)>,
    /// Numbers that were given.
    count: u32,
}

/// Replays one statement.
fn replay(asked: &Asked, versions: &[u32], seen: &mut Seen) -> Replayed {
    let mut result = Replayed::default();
    let mut versions = versions;
    for key in asked.askings.kept.chunk_by(|a, b| a.key == b.key) {
        let (own, rest) = versions.split_at(key.len());
        versions = rest;
        result.keys += 1;
        let hits = result.invalidated.calls;
        result.time += key.iter().map(|asking| u64::from(asking.duration)).sum::<u64>();
        let mut filled = [key[0].moment.time.0; TTLS.len()];
        let mut filled_both = filled;
        let number = seen.count;
        seen.count += 1;
        seen.keys.push((number, false));
        for (pair, versions) in key.windows(2).zip(own.windows(2)) {
            let (last, now) = (&pair[0], &pair[1]);
            let time = now.moment.time.0;
            let stale = versions[0] != versions[1];
            seen.keys.push((number, !stale));
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
        result.scatter.add(result.invalidated.calls - hits, key.len() as u64);
    }
    result
}

/// The model's answer.
#[must_use]
pub fn forecast(inputs: &Inputs<'_>) -> Forecast {
    let mut saved: BTreeMap<u64, Load> = BTreeMap::new();
    let mut before: BTreeMap<u64, Load> = BTreeMap::new();
    let mut curves = [[0_u64; TTLS.len() + 1]; 2];
    let (mut keys, mut counts, mut exact, mut doubt) = (0, 0, true, 0_u128);
    let mut total = 0;
    for (asked, replayed) in inputs.replay.asked.iter().zip(&inputs.replays.list) {
        let Some(fact) = inputs.facts.get(asked.fingerprint) else { continue };
        let sample = asked.askings.kept.len() as u64;
        let whole = asked.askings.calls;
        let all = |part: u64| scale(part, sample, whole);
        if !asked.askings.is_exact() {
            exact = false;
            let error = replayed.scatter.error(replayed.invalidated.calls, sample) * u128::from(whole);
            doubt = doubt.saturating_add(error.saturating_mul(error));
        }
        total += whole;
        keys += asked.askings.sets(replayed.keys).min(whole);
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
        // Two standard errors; millionths of calls before.
        ("error_permille".to_owned(), (doubt.isqrt() / 500 / u128::from(total.max(1))) as u64),
    ]);
    Forecast {
        assumptions:
            "A read-through cache of any size holds the answer to each question (statement and parameters) \
                      until a table that it reads is written; empty answers and counts are kept too. What depends on \
                      the time (now()) is kept by age alone, what depends on who asks (current_user, \
                      current_setting()) is not kept."
                .to_owned(),
        before,
        after,
        numbers,
        curves: vec![
            by_ttl("hit ratio by TTL, dropped by age alone", &curves[0]),
            by_ttl("hit ratio by TTL, dropped by age or write", &curves[1]),
            inputs.replays.sizes.curve(keys),
        ],
        statements,
    }
}

/// Hits of an LRU cache whose entries are dropped by writes, by reuse distance.
#[derive(Debug, Clone)]
struct Sizes {
    /// By the distance's power of two.
    hits: [u64; 65],
    /// All askings.
    total: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { hits: [0; 65], total: 0 }
    }
}

impl Sizes {
    fn new(trace: &Replay, order: &[Place], seen: &Seen) -> Self {
        // What an asking that was kept stands for, and a key.
        let weights: Vec<(u64, u64)> = trace
            .asked
            .iter()
            .map(|Asked { askings, .. }| {
                (scale(WEIGHT, askings.kept.len() as u64, askings.calls), askings.sets(WEIGHT))
            })
            .collect();
        let mut sizes = Self::default();
        let mut last: Vec<u32> = vec![u32::MAX; seen.count as usize];
        // The last asking of each key counts, at its place in the order.
        let mut latest = Sums::new(order.len());
        let mut span_of_latest = 0_u64;
        for (place, (_, statement, asking)) in order.iter().enumerate() {
            let statement = *statement as usize;
            let (weight, span) = weights[statement];
            sizes.total += weight;
            let Some(start) = seen.starts[statement] else { continue };
            let (key, holds) = seen.keys[start + *asking as usize];
            let before = std::mem::replace(&mut last[key as usize], place as u32);
            if before != u32::MAX {
                if holds {
                    let distance = (span_of_latest - latest.up_to(before as usize + 1)) / WEIGHT;
                    sizes.hits[(64 - distance.leading_zeros()) as usize] += weight;
                }
                latest.set(before as usize, 0);
                span_of_latest -= span;
            }
            latest.set(place, span);
            span_of_latest += span;
        }
        sizes
    }

    /// Hit ratio by size.
    fn curve(&self, keys: u64) -> Curve {
        let mut points = Vec::new();
        let mut hits = 0;
        for (power, count) in self.hits.iter().enumerate().take(40) {
            hits += count;
            let size = 1_u64 << power;
            if power % 2 == 0 && power >= 4 {
                points.push((Some(size), permille(hits, self.total)));
            }
            if size > keys.max(16) {
                break;
            }
        }
        points.push((None, permille(self.hits.iter().sum(), self.total)));
        Curve {
            name: "hit ratio by cache size, dropped by write".to_owned(),
            x_unit: "keys".to_owned(),
            y_unit: "permille".to_owned(),
            points,
        }
    }
}

/// Sums of beginnings under changes of single values: of the values, of blocks of them, and of blocks of blocks.
struct Sums([Vec<u64>; 3]);

impl Sums {
    /// A power of two.
    const BLOCK: usize = 64;

    fn new(len: usize) -> Self {
        let blocks = len / Self::BLOCK + 1;
        Self([vec![0; len], vec![0; blocks], vec![0; blocks / Self::BLOCK + 1]])
    }

    fn set(&mut self, place: usize, value: u64) {
        let before = std::mem::replace(&mut self.0[0][place], value);
        for (level, block) in [(1, place / Self::BLOCK), (2, place / Self::BLOCK / Self::BLOCK)] {
            let sum = &mut self.0[level][block];
            *sum = *sum - before + value;
        }
    }

    /// The sum of the first `end` values.
    fn up_to(&self, end: usize) -> u64 {
        let (block, top) = (end / Self::BLOCK, end / Self::BLOCK / Self::BLOCK);
        let sum = |level: usize, from: usize, to: usize| self.0[level][from..to].iter().sum::<u64>();
        sum(2, 0, top) + sum(1, top * Self::BLOCK, block) + sum(0, block * Self::BLOCK, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_that_are_alike_leave_no_doubt() {
        let error = |sets: &[(u64, u64)]| {
            let mut scatter = Scatter::default();
            sets.iter().for_each(|(hits, calls)| scatter.add(*hits, *calls));
            scatter.error(sets.iter().map(|set| set.0).sum(), sets.iter().map(|set| set.1).sum())
        };
        assert_eq!(error(&[(1, 2), (2, 4), (5, 10)]), 0);
        // Half of all, each a half away from it: √(¼ + ¼) ÷ 2.
        assert_eq!(error(&[(0, 1), (1, 1)]), 353_553);
        assert_eq!(error(&[]), 0);
    }
}
