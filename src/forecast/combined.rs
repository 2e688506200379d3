//! `combined`: what is left when every change is made at once: what a tuned application would send.
//!
//! A statement that several models cure is cured once, by the best of them. Statements by kind stand in `numbers`.

use std::collections::BTreeMap;

use super::{Inputs, joined, led, rows};
use crate::finding::Rule;
use crate::report::{Forecast, Load};
use crate::sql::Kind;
use crate::units::Micros;

/// The model's answer: all statements of the log. `cached` is what a write-through cache answers.
#[must_use]
pub fn forecast(inputs: &Inputs<'_>, cached: &BTreeMap<u64, Load>) -> Forecast {
    let mut saved: BTreeMap<u64, Load> = BTreeMap::new();
    let mut best = |fingerprint: u64, load: Load| {
        let own = saved.entry(fingerprint).or_default();
        if load.calls > own.calls {
            *own = load;
        }
    };
    cached.iter().for_each(|(fingerprint, load)| best(*fingerprint, *load));
    for joined in [led(inputs), joined(inputs, Rule::RowByRowInsert)] {
        joined.into_iter().for_each(|(fingerprint, load)| best(fingerprint, load));
    }
    for rule in [Rule::CheckThenWrite, Rule::RedundantSelect] {
        let mut spared: BTreeMap<u64, Load> = BTreeMap::new();
        for finding in inputs.found.list.iter().filter(|finding| finding.key.rule == rule) {
            let load = spared.entry(finding.key.fingerprint).or_default();
            load.calls += finding.statements;
            load.duration_us += finding.duration;
        }
        spared.into_iter().for_each(|(fingerprint, load)| best(fingerprint, load));
    }
    let mut kinds: BTreeMap<Kind, (u64, u64)> = BTreeMap::new();
    let (mut before, mut after) = (Load::default(), Load::default());
    for (fingerprint, load) in inputs.loads {
        let kind = inputs.facts.get(*fingerprint).map_or(Kind::Other, |fact| fact.kind);
        let cured = saved.get(fingerprint).copied().unwrap_or_default();
        let count = kinds.entry(kind).or_default();
        count.0 += load.calls;
        count.1 += load.calls.saturating_sub(cured.calls);
        before.calls += load.calls;
        before.duration_us += load.duration_us;
        after.calls += load.calls.saturating_sub(cured.calls);
        after.duration_us += Micros(load.duration_us.0.saturating_sub(cured.duration_us.0));
    }
    // Whoever batches makes each request that writes one transaction. What belongs to none stays as it is.
    if !joined(inputs, Rule::RowByRowInsert).is_empty() && inputs.loose_units > 0 {
        kinds.entry(Kind::Transaction).or_default().1 += 2 * inputs.loose_units;
        after.calls += 2 * inputs.loose_units;
    }
    let mut numbers = BTreeMap::new();
    for (kind, (before, after)) in kinds {
        numbers.insert(format!("{kind}_before"), before);
        numbers.insert(format!("{kind}_after"), after);
    }
    let (_, _, statements) = rows(saved, |fingerprint| inputs.load(fingerprint));
    Forecast {
        assumptions: "All changes at once: write-through cache, upserts, batched INSERTs, prefetch, and where INSERTs \
                      are batched one transaction for each trace or request that writes outside of one; a statement \
                      that several cure is cured by the best of them. Reads that are left may still go to a replica."
            .to_owned(),
        before,
        after,
        numbers,
        curves: Vec::new(),
        statements,
    }
}
