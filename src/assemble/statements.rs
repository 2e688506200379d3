//! Fingerprints → rows, totals, hours, SELECTs that come again and hot INSERTs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::actors::{self, Sums};
use super::{Wishes, example, mean};
use crate::finding::Fact;
use crate::partial::actors::Directory;
use crate::partial::errors::{ErrorTally, Owners};
use crate::partial::slowest::SlowCall as KeptCall;
use crate::partial::statements::{Finished, StatementTally};
use crate::report::*;
use crate::sql::Kind;
use crate::units::{Micros, Timestamp};

/// Sums over all fingerprints and what was beyond their cap.
pub(super) fn totals(finished: &Finished) -> Totals {
    let mut totals = Totals {
        by_kind: Kind::ALL.iter().map(|kind| (kind.as_str().to_owned(), Load::default())).collect(),
        ..Totals::default()
    };
    let mut add = |kind: Kind, calls: u64, timed: u64, duration: Micros| {
        totals.statements += calls;
        totals.timed += timed;
        totals.duration_us += duration;
        if let Some(load) = totals.by_kind.get_mut(kind.as_str()) {
            load.calls += calls;
            load.duration_us += duration;
        }
    };
    for tally in &finished.list {
        add(tally.shape.does(), tally.calls, tally.timed, tally.duration);
    }
    add(Kind::Other, finished.other.calls, finished.other.timed, finished.other.duration);
    totals.parse_us = Micros(finished.list.iter().map(|tally| tally.parse.0).sum());
    totals.bind_us = Micros(finished.list.iter().map(|tally| tally.bind.0).sum());
    totals.fingerprints = finished.list.iter().filter(|tally| tally.calls > 0).count() as u64;
    totals
}

/// The hours of the log.
pub(super) fn hours(list: &[StatementTally], errors: &[ErrorTally]) -> Vec<Hour> {
    let mut hours: BTreeMap<i64, Hour> = BTreeMap::new();
    let new = |hour: i64| Hour {
        hour: Timestamp::from_hour(hour),
        all: Load::default(),
        select: Load::default(),
        insert: Load::default(),
        update: Load::default(),
        delete: Load::default(),
        errors: 0,
    };
    for tally in list {
        for (hour, calls, duration_us) in tally.hours.iter() {
            let row = hours.entry(hour).or_insert_with(|| new(hour));
            let kind = match tally.shape.does() {
                Kind::Select => Some(&mut row.select),
                Kind::Insert => Some(&mut row.insert),
                Kind::Update => Some(&mut row.update),
                Kind::Delete => Some(&mut row.delete),
                _ => None,
            };
            for load in kind.into_iter().chain([&mut row.all]) {
                load.calls += calls;
                load.duration_us += duration_us;
            }
        }
    }
    for error in errors {
        for (hour, count, _) in error.hours.iter() {
            hours.entry(hour).or_insert_with(|| new(hour)).errors += count;
        }
    }
    hours.into_values().collect()
}

/// INSERTs, by calls, each beside what else its table is asked for.
pub(super) fn hot_inserts(list: &[StatementTally]) -> Vec<HotInsert> {
    let (mut reads, mut writes) = (HashMap::new(), HashMap::new());
    for tally in list.iter().filter(|tally| !tally.shape.only_plans()) {
        for (loads, tables) in [(&mut reads, &tally.shape.reads), (&mut writes, &tally.shape.writes)] {
            for table in tables {
                let load: &mut Load = loads.entry(table.as_str()).or_default();
                load.calls += tally.calls;
                load.duration_us += tally.duration;
            }
        }
    }
    let of = |loads: &HashMap<&str, Load>, tally: &StatementTally| {
        tally.shape.writes.first().and_then(|table| loads.get(table.as_str()).copied()).unwrap_or_default()
    };
    let inserts = list.iter().filter(|tally| tally.shape.does() == Kind::Insert && tally.calls > 0);
    let mut rows: Vec<HotInsert> = inserts
        .map(|tally| HotInsert {
            fingerprint: tally.fingerprint.to_string(),
            table: tally.shape.writes.first().cloned(),
            calls: tally.calls,
            rows: tally.shape.values.then_some(tally.rows),
            duration_us: tally.duration,
            peak: tally.minutes.as_ref().and_then(|minutes| minutes.peak()),
            table_reads: of(&reads, tally),
            table_writes: of(&writes, tally),
        })
        .collect();
    rows.sort_by(|a, b| {
        (b.calls, b.duration_us, &a.fingerprint).cmp(&(a.calls, a.duration_us, &b.fingerprint))
    });
    rows
}

/// A single slow call.
pub(super) fn slow_call(call: &KeptCall, wishes: &Wishes) -> SlowCall {
    SlowCall { fingerprint: call.fingerprint.to_string(), call: example(call, wishes) }
}

/// One row a fingerprint, and the SELECTs that came with the same parameters again.
pub(super) fn rows(
    finished: Finished,
    directory: &Directory,
    wishes: &Wishes,
) -> (Vec<Statement>, Vec<RedundantSelect>) {
    let mut redundant = Vec::new();
    let mut rows: Vec<Statement> = finished
        .list
        .into_iter()
        .map(|mut tally| {
            let (row, repeats) = row(&mut tally, finished.keep, directory, wishes);
            redundant.extend(repeats);
            row
        })
        .collect();
    rows.sort_by_cached_key(|row| (Reverse(row.duration_us), Reverse(row.calls), row.fingerprint.clone()));
    redundant.sort_by_cached_key(|row: &RedundantSelect| {
        (Reverse(row.repeats), Reverse(row.repeats_us), row.fingerprint.clone())
    });
    (rows, redundant)
}

fn row(
    tally: &mut StatementTally,
    keep: usize,
    directory: &Directory,
    wishes: &Wishes,
) -> (Statement, Option<RedundantSelect>) {
    let (distinct, repeats_us) = tally.params.finish(keep);
    let known = tally.params.calls();
    let repeats = known.saturating_sub(distinct.count);
    let fingerprint = tally.fingerprint.to_string();
    // Locks, sequences, pings and what ORMs and tools ask by themselves are not asked for the answer.
    let is_asked = || Fact::new(&tally.shape, &tally.sql, 0, &[]).is_judged();
    let redundant =
        (tally.shape.kind == Kind::Select && repeats > 0 && is_asked()).then(|| RedundantSelect {
            fingerprint: fingerprint.clone(),
            calls: known,
            distinct_params: distinct,
            repeats,
            repeats_us,
        });
    let shape = &tally.shape;
    let mut tables: Vec<String> = shape.reads.iter().chain(&shape.writes).cloned().collect();
    tables.sort();
    tables.dedup();
    let timed = tally.timed > 0;
    let mut quantile = |permille| {
        // A bucket's middle may lie outside what was measured; the extremes are known exactly.
        tally.histogram.quantile(permille).map(|value| value.clamp(tally.min, tally.max))
    };
    let Owners { actors: failures, routes: failed_routes } =
        tally.owners.take().map(|owners| *owners).unwrap_or_default();
    let [users, databases, applications, hosts] =
        actors::actors(&Sums::of([tally.actors.clone()], failures), directory);
    let statement = Statement {
        fingerprint,
        sql: tally.sql.clone(),
        kind: shape.kind.as_str().to_owned(),
        explain: shape.explain.map(|explain| explain.as_str().to_owned()),
        locking: shape.locking,
        tables,
        reads: shape.reads.clone(),
        writes: shape.writes.clone(),
        calls: tally.calls,
        timed: tally.timed,
        errors: tally.errors,
        duration_us: tally.duration,
        min_us: timed.then_some(tally.min),
        max_us: timed.then_some(tally.max),
        mean_us: mean(tally.duration, tally.timed),
        p50_us: quantile(500),
        p95_us: quantile(950),
        p99_us: quantile(990),
        parse_us: tally.parse,
        bind_us: tally.bind,
        rows: shape.values.then_some(tally.rows),
        distinct_params: (known > 0).then_some(distinct),
        query_ids: tally.query_ids.clone(),
        truncated: tally.truncated,
        by_hour: tally
            .hours
            .iter()
            .map(|(hour, calls, duration_us)| HourLoad {
                hour: Timestamp::from_hour(hour),
                calls,
                duration_us,
            })
            .collect(),
        users,
        databases,
        applications,
        hosts,
        routes: actors::routes(&Sums::of([tally.routes.clone()], failed_routes), directory),
        examples: tally.slowest.list().iter().map(|call| example(call, wishes)).collect(),
        plan: None,
    };
    (statement, redundant)
}
