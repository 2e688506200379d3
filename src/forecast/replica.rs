//! `replica`: reads leave the primary unless their actor wrote within the pin time.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Inputs, rows};
use crate::finding::replica_reads::{PINS, Reads, of_tables};
use crate::partial::trace::Moment;
use crate::report::{Curve, Forecast, Load};

/// The model's answer: before and after are reads of the primary.
#[must_use]
pub fn forecast(inputs: &Inputs<'_>) -> Forecast {
    let mut by_statement: BTreeMap<u64, Reads> = BTreeMap::new();
    let mut all = Reads::default();
    for (fingerprint, _, reads) in of_tables(&inputs.found.reads, inputs.facts) {
        by_statement.entry(*fingerprint).or_default().merge(reads);
        all.merge(reads);
    }
    // When each table was first asked for. What was written before that only filled it.
    let mut first: HashMap<u64, Moment> = HashMap::new();
    for asked in &inputs.replay.asked {
        let tables = inputs.facts.get(asked.fingerprint).map(|fact| &*fact.reads).unwrap_or_default();
        for (table, moment) in tables.iter().zip(asked.askings.first.into_iter().cycle()) {
            first.entry(*table).and_modify(|first| *first = moment.min(*first)).or_insert(moment);
        }
    }
    let written: HashSet<u64> = inputs
        .replay
        .written
        .values()
        .filter(|writes| writes.last > first.get(&writes.table).copied())
        .map(|writes| writes.table)
        .collect();
    let mut numbers = BTreeMap::new();
    let mut read_only = Load::default();
    let mut saved = BTreeMap::new();
    let mut asked = BTreeMap::new();
    for (fingerprint, reads) in &by_statement {
        let (calls, duration_us) = reads.asked();
        let free = reads.free(PINS.len());
        let never_written = inputs.facts.get(*fingerprint).is_some_and(|fact| {
            !fact.reads.is_empty() && fact.reads.iter().all(|table| !written.contains(table))
        });
        if never_written {
            read_only.calls += calls;
            read_only.duration_us += duration_us;
        }
        asked.insert(*fingerprint, Load { calls, duration_us });
        if free.0 > 0 {
            saved.insert(*fingerprint, Load { calls: free.0, duration_us: free.1 });
        }
    }
    let (_, _, statements) = rows(saved, |fingerprint| asked.get(&fingerprint).copied().unwrap_or_default());
    let (calls, duration_us) = all.asked();
    let before = Load { calls, duration_us };
    let free = all.free(PINS.len());
    let after = Load {
        calls: before.calls - free.0,
        duration_us: crate::units::Micros(before.duration_us.0.saturating_sub(free.1.0)),
    };
    numbers.insert("reads".to_owned(), before.calls);
    numbers.insert("free_reads".to_owned(), free.0);
    numbers.insert("read_only_table_reads".to_owned(), read_only.calls);
    numbers.insert("read_only_table_us".to_owned(), read_only.duration_us.0);
    let points = |value: &dyn Fn(usize) -> u64| {
        PINS.iter().enumerate().map(|(place, pin)| (Some(pin / 1_000_000), value(place))).collect()
    };
    let by_pin = Curve {
        name: "reads left on the primary by pin time".to_owned(),
        x_unit: "seconds".to_owned(),
        y_unit: "calls".to_owned(),
        points: points(&|place| before.calls - all.free(place).0),
    };
    let by_weight = Curve {
        name: "reads left on the primary by the replica's share of free reads".to_owned(),
        x_unit: "percent".to_owned(),
        y_unit: "calls".to_owned(),
        points: [0, 25, 50, 75, 100].map(|share| (Some(share), before.calls - free.0 * share / 100)).to_vec(),
    };
    Forecast {
        assumptions: "SELECTs without row locks, writing functions and temporary tables leave the primary, unless \
                      their transaction writes or their actor (trace, request or session) wrote within the pin time \
                      and the same minute; reads of tables that the log does not write after their first reading could \
                      always leave."
            .to_owned(),
        before,
        after,
        numbers,
        curves: vec![by_pin, by_weight],
        statements,
    }
}
