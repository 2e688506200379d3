//! `write_through`: a cache by the row, which a write refreshes instead of dropping.
//!
//! The application that writes a row knows it. An answer is known when the question was asked before, or when a
//! write named all that it compares (columns and values) before. A write that names no row (a bulk UPDATE) drops
//! every answer about its table. A row that `INSERT … RETURNING` made is known from then on, and so is what refers
//! to it (`finding::naming`): nothing did when it was made. Counts are kept for 300 seconds, as caches of counts are,
//! whatever is written.
//!
//! What was written before a question was first asked, and never since, only filled its tables: nobody remembers it.

use std::collections::{BTreeMap, HashMap};

use super::{Inputs, rows};
use crate::finding::{Depends, Fact};
use crate::partial::trace::{Asked, Asking, Moment, Replay, Writes, table_key};
use crate::partial::writes::RowWrite;
use crate::report::{Forecast, Load};
use crate::units::{Micros, scale};

/// Writes of one column and value that are compared with an asking, latest first.
const MOST_LOOKED_AT: usize = 256;

/// The model's answer; `saved` is what such a cache answers, by statement.
#[must_use]
pub fn forecast(inputs: &Inputs<'_>, saved: BTreeMap<u64, Load>) -> Forecast {
    let mut before: BTreeMap<u64, Load> = BTreeMap::new();
    for asked in &inputs.replay.asked {
        let load = before.entry(asked.fingerprint).or_default();
        load.calls += asked.askings.calls;
        load.duration_us += asked.askings.duration;
    }
    let (before, after, statements) =
        rows(saved, |fingerprint| before.get(&fingerprint).copied().unwrap_or_default());
    let numbers = BTreeMap::from([("hits".to_owned(), before.calls - after.calls)]);
    Forecast {
        assumptions: "A read-through cache in which a write by key refreshes its row instead of dropping the table \
                      (write-through). Rows made by INSERT … RETURNING are known, and that nothing referred to them \
                      before; other first readings are not. A write that names no row drops its table; counts are \
                      kept for 300 s."
            .to_owned(),
        before,
        after,
        numbers,
        curves: Vec::new(),
        statements,
    }
}

/// Calls and time that such a cache answers, by statement: never fewer than one that is dropped by the table.
pub(super) fn saved(inputs: &Inputs<'_>) -> BTreeMap<u64, Load> {
    let births = births(inputs);
    let mut saved: BTreeMap<u64, Load> = BTreeMap::new();
    for (asked, replayed) in inputs.replay.asked.iter().zip(&inputs.replays.list) {
        let Some(fact) = inputs.facts.get(asked.fingerprint) else { continue };
        let mut best = replayed.hits();
        if fact.count {
            best = most(best, replayed.aged_300());
        } else if fact.depends == Depends::Tables
            && let Some(written) = Written::of(inputs.replay, fact, asked)
        {
            best = most(best, by_row(fact, asked, &written, &births).0);
        }
        let sample = asked.askings.kept.len() as u64;
        let load = saved.entry(asked.fingerprint).or_default();
        load.calls += scale(best.0, sample, asked.askings.calls);
        load.duration_us += Micros(scale(best.1, replayed.time(), asked.askings.duration.0));
    }
    saved
}

fn most(one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
    if other.0 > one.0 { other } else { one }
}

/// The writes of the tables that a question reads.
struct Written<'r> {
    /// Those that name rows, by column and value.
    named: Vec<(u32, &'r RowWrite)>,
    /// Those that name none.
    bulk: Vec<Moment>,
    /// Rows that were made and told.
    told: Vec<Moment>,
}

impl<'r> Written<'r> {
    /// `None` where the rows are not known, and where a table was only filled before the question was first asked.
    fn of(replay: &'r Replay, fact: &Fact, asked: &Asked) -> Option<Self> {
        let tables: Vec<&Writes> = fact
            .reads
            .iter()
            .filter_map(|table| replay.written.get(&table_key(*table, asked.database)))
            .collect();
        let live = tables.iter().any(|table| table.last > asked.askings.first);
        if replay.tables_capped || !live || !asked.askings.kept.iter().all(|asking| asking.pairs[0] != 0) {
            return None;
        }
        let mut written = Self { named: Vec::new(), bulk: Vec::new(), told: Vec::new() };
        let writes: Vec<&[RowWrite]> = tables.iter().map(|table| table.rows()).collect::<Option<_>>()?;
        for write in writes.into_iter().flatten() {
            let pairs = write.pairs.iter().filter(|pair| **pair != 0);
            written.named.extend(pairs.map(|pair| (*pair, write)));
            if !write.is_named() {
                written.bulk.push(write.moment);
            } else if write.told {
                written.told.push(write.moment);
            }
        }
        written.named.sort_unstable();
        written.bulk.sort_unstable();
        written.told.sort_unstable();
        Some(written)
    }

    /// The last write before an asking that named all that it compares.
    fn naming(&self, keys: &[u32], asking: &Asking) -> Option<Moment> {
        let first = *keys.first()?;
        let next =
            self.named.partition_point(|(pair, write)| (*pair, write.moment) <= (first, asking.moment));
        let same = self.named[..next].iter().rev().take_while(|(pair, _)| *pair == first);
        let all = |write: &RowWrite| keys.iter().all(|key| write.pairs.contains(key));
        same.take(MOST_LOOKED_AT).find(|(_, write)| all(write)).map(|(_, write)| write.moment)
    }

    fn dropped(&self, from: Moment, to: Moment) -> bool {
        self.bulk.partition_point(|moment| *moment <= from)
            < self.bulk.partition_point(|moment| *moment <= to)
    }
}

/// When rows were made that INSERT … RETURNING told, by the names of their table and the hash of their `id`.
type Births = HashMap<(u64, u32), Moment>;

fn births(inputs: &Inputs<'_>) -> Births {
    let mut births = Births::new();
    for asked in &inputs.replay.asked {
        let Some(fact) = inputs.facts.get(asked.fingerprint).filter(|fact| !fact.names.is_empty()) else {
            continue;
        };
        let Some(written) = Written::of(inputs.replay, fact, asked) else { continue };
        let (_, born) = by_row(fact, asked, &written, &births);
        for (asking, moment) in born {
            let id = asking.pairs[usize::from(!fact.parents.is_empty())];
            for name in &fact.names {
                births.entry((table_key(*name, asked.database), id)).or_insert(moment);
            }
        }
    }
    births
}

/// Calls and time that a cache by the row answers, and the first askings for rows that were made a moment before.
fn by_row<'a>(
    fact: &Fact,
    asked: &'a Asked,
    written: &Written<'_>,
    births: &Births,
) -> ((u64, u64), Vec<(&'a Asking, Moment)>) {
    let keys = usize::from(fact.keys).min(asked.askings.kept.first().map_or(0, |asking| asking.pairs.len()));
    let mut sum = (0, 0);
    let mut cold: Vec<&Asking> = Vec::new();
    for key in asked.askings.kept.chunk_by(|a, b| a.key == b.key) {
        for (place, asking) in key.iter().enumerate() {
            let (compared, parents) = asking.pairs.split_at(keys);
            let named = written.naming(compared, asking).filter(|_| keys == usize::from(fact.keys));
            let before = place.checked_sub(1).map(|before| key[before].moment);
            // What belongs to a row that was made in this log was not there before.
            let parent = fact.parents.iter().zip(parents).find_map(|(name, id)| {
                births.get(&(table_key(*name, asked.database), *id)).filter(|born| **born <= asking.moment)
            });
            let Some(known) = named.max(before).max(parent.copied()) else {
                cold.push(asking);
                continue;
            };
            if !written.dropped(known, asking.moment) {
                sum.0 += 1;
                sum.1 += u64::from(asking.duration);
            }
        }
    }
    let mut born = Vec::new();
    if !fact.names.is_empty() {
        // Each row that was made and told is known to whoever asks for it first.
        cold.sort_unstable_by_key(|asking| asking.moment);
        for asking in cold {
            if let Some(moment) = written.told.get(born.len()).filter(|moment| **moment <= asking.moment) {
                sum.0 += 1;
                sum.1 += u64::from(asking.duration);
                born.push((asking, *moment));
            }
        }
    }
    (sum, born)
}
