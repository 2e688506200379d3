//! `write_through`: a cache by the row, which a write refreshes instead of dropping.
//!
//! The application that writes a row knows it. An answer is known when the question was asked before, or when a
//! write named the row (a column and a value that the question compares too) before. A write that names no row (a
//! bulk UPDATE) drops every answer about its table. A row that `INSERT … RETURNING` made is known from then on.
//! Counts are kept for 300 seconds, as caches of counts are, whatever is written.

use std::collections::BTreeMap;

use super::{Inputs, rows, scale};
use crate::finding::Fact;
use crate::partial::row_writes::RowWrite;
use crate::partial::trace::{Asked, Asking, Replay, table_key};
use crate::report::{Forecast, Load};
use crate::units::Micros;

/// The model's answer; `saved` is what the function `saved` says.
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
        assumptions: "A read-through cache that a write by key refreshes instead of dropping (write-through), rows \
                      made by INSERT … RETURNING included; a write that names no row drops its table; counts are \
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
    let mut saved: BTreeMap<u64, Load> = BTreeMap::new();
    for (asked, replayed) in inputs.replay.asked.iter().zip(&inputs.replays.list) {
        let Some(fact) = inputs.facts.get(asked.fingerprint) else { continue };
        let mut best = replayed.hits();
        if fact.count {
            best = most(best, replayed.aged_300());
        } else if let Some(by_row) = by_row(inputs.replay, fact, asked) {
            best = most(best, by_row);
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

/// Calls and time that a cache by the row answers; `None` where the rows are not known.
fn by_row(replay: &Replay, fact: &Fact, asked: &Asked) -> Option<(u64, u64)> {
    let tables: Vec<&[RowWrite]> = fact
        .reads
        .iter()
        .filter_map(|table| replay.written.get(&table_key(*table, asked.database)))
        .map(|writes| writes.rows.list())
        .collect::<Option<_>>()?;
    if replay.tables_capped || !asked.askings.kept.iter().all(|asking| asking.pairs[0] != 0) {
        return None;
    }
    let mut named: Vec<(u32, &RowWrite)> = Vec::new();
    let mut bulk = Vec::new();
    let mut told = Vec::new();
    for write in tables.iter().flat_map(|table| table.iter()) {
        named.extend(write.pairs.iter().filter(|pair| **pair != 0).map(|pair| (*pair, write)));
        if !write.is_named() {
            bulk.push(write.moment);
        } else if write.told {
            told.push(write.moment);
        }
    }
    named.sort_unstable();
    bulk.sort_unstable();
    told.sort_unstable();
    // The last write before an asking that named its row.
    let refreshed = |asking: &Asking| {
        let pairs = asking.pairs.iter().filter(|pair| **pair != 0);
        pairs
            .filter_map(|pair| {
                let next =
                    named.partition_point(|(other, write)| (*other, write.moment) <= (*pair, asking.moment));
                let (found, write) = next.checked_sub(1).map(|last| named[last])?;
                (found == *pair).then_some(write.moment)
            })
            .max()
    };
    let mut sum = (0, 0);
    let mut cold: Vec<&Asking> = Vec::new();
    for key in asked.askings.kept.chunk_by(|a, b| a.key == b.key) {
        for (place, asking) in key.iter().enumerate() {
            let asked_before = place.checked_sub(1).map(|before| key[before].moment);
            let Some(known) = refreshed(asking).max(asked_before) else {
                cold.push(asking);
                continue;
            };
            let dropped = bulk.partition_point(|moment| *moment <= known)
                < bulk.partition_point(|moment| *moment <= asking.moment);
            if !dropped {
                sum.0 += 1;
                sum.1 += u64::from(asking.duration);
            }
        }
    }
    // Each row that was made and told is known to whoever asks for it first.
    cold.sort_unstable_by_key(|asking| asking.moment);
    let mut used = 0;
    for asking in cold {
        if told.get(used).is_some_and(|moment| *moment <= asking.moment) {
            used += 1;
            sum.0 += 1;
            sum.1 += u64::from(asking.duration);
        }
    }
    Some(sum)
}
