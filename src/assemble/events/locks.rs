//! Lock waits and deadlocks → rows.

use std::cmp::Reverse;

use super::{OTHER, Texts, lossy, named, row_named};
use crate::assemble::Wishes;
use crate::event::lock::{self, Outcome};
use crate::partial::Order;
use crate::partial::events::{Locks as LockTally, Sighting, Waits};
use crate::record::Record;
use crate::report::{Deadlock, LockGroup, LockStatement, LockWait, Locks};
use crate::sql;
use crate::units::Micros;

/// Single waits shown.
const MOST_WAITS: usize = 20;
/// Bytes of a statement of a deadlock.
const MOST_TEXT: usize = 4 << 10;

/// Lock waits and deadlocks.
pub(in crate::assemble) fn locks(mut tally: LockTally, texts: &Texts<'_>, wishes: &Wishes) -> Locks {
    tally.finish();
    let deadlock_examples =
        tally.deadlock_examples.iter().map(|(_, record)| deadlock(&record.borrow(), wishes)).collect();
    let sightings: Vec<Vec<(Order, Sighting)>> = tally.sightings.into_iter().map(|(_, list)| list).collect();
    let mut objects: Vec<LockGroup> = tally
        .objects
        .into_iter()
        .map(|(_, (target, waits))| LockGroup {
            mode: lossy(&target.mode),
            object: target.object,
            relation: relation(&target.relation),
            ..group(waits)
        })
        .collect();
    objects.sort_by_cached_key(|row| {
        let name = (row.mode.clone(), row.object.clone(), row.relation.clone());
        (Reverse(row.waited_us), Reverse(row.waiting), name)
    });
    if tally.other_objects != Waits::default() {
        objects.push(LockGroup { object: OTHER.to_owned(), ..group(tally.other_objects) });
    }
    let statement = |(fingerprint, sql), waits: Waits| LockStatement {
        fingerprint,
        sql,
        waiting: waits.waiting,
        acquired: waits.acquired,
        waited_us: waits.waited,
        max_us: waits.max,
    };
    let rows = tally.statements.into_iter();
    let mut statements: Vec<LockStatement> =
        rows.map(|(_, (fingerprint, waits))| statement(row_named(fingerprint, texts), waits)).collect();
    statements
        .sort_by_cached_key(|row| (Reverse(row.waited_us), Reverse(row.waiting), row.fingerprint.clone()));
    if tally.other_statements != Waits::default() {
        statements.push(statement((String::new(), OTHER.to_owned()), tally.other_statements));
    }
    Locks {
        waiting: tally.total.waiting,
        acquired: tally.total.acquired,
        avoided: tally.total.avoided,
        failed: tally.total.failed,
        waited_us: tally.total.waited,
        max_us: tally.total.max,
        deadlocks: tally.deadlocks,
        waits: longest(&sightings, texts),
        by_object: objects,
        statements,
        deadlock_examples,
    }
}

fn relation(name: &[u8]) -> Option<String> {
    (!name.is_empty()).then(|| lossy(name))
}

fn group(waits: Waits) -> LockGroup {
    LockGroup {
        waiting: waits.waiting,
        acquired: waits.acquired,
        waited_us: waits.waited,
        max_us: waits.max,
        ..LockGroup::default()
    }
}

/// The records of each wait put together, longest wait first.
fn longest(sightings: &[Vec<(Order, Sighting)>], texts: &Texts<'_>) -> Vec<LockWait> {
    let mut waits: Vec<(Order, LockWait)> = sightings.iter().flat_map(|list| episodes(list, texts)).collect();
    waits.sort_by_key(|(order, wait)| (Reverse(wait.waited_us), *order));
    waits.truncate(MOST_WAITS);
    waits.into_iter().map(|(_, wait)| wait).collect()
}

/// One process and one object, in the order of the log: a wait goes on until the lock is there or never will be.
fn episodes(list: &[(Order, Sighting)], texts: &Texts<'_>) -> Vec<(Order, LockWait)> {
    let mut found: Vec<(Order, LockWait)> = Vec::new();
    let mut open = false;
    for (order, sighting) in list {
        // A wait that is shorter than it was is another one: the first was cancelled.
        let same = open && found.last().is_some_and(|(_, wait)| wait.waited_us <= sighting.waited);
        if !same {
            found.push((*order, begin(sighting, texts)));
        }
        if let Some((_, wait)) = found.last_mut() {
            go_on(wait, sighting);
        }
        open = matches!(sighting.outcome, Outcome::Waiting | Outcome::Avoided);
    }
    found
}

fn begin(sighting: &Sighting, texts: &Texts<'_>) -> LockWait {
    let (fingerprint, sql) = named(sighting.statement, texts);
    LockWait {
        time: sighting.time,
        pid: sighting.pid,
        outcome: String::new(),
        mode: lossy(&sighting.target.mode),
        object: sighting.target.object.clone(),
        relation: relation(&sighting.target.relation),
        waited_us: Micros(0),
        blocked_by: Vec::new(),
        queue: Vec::new(),
        fingerprint,
        sql,
    }
}

fn go_on(wait: &mut LockWait, sighting: &Sighting) {
    let outcome = match sighting.outcome {
        Outcome::Waiting | Outcome::Avoided => "waiting",
        Outcome::Acquired => "acquired",
        Outcome::Deadlock => "deadlock",
        Outcome::Failed => "failed",
    };
    wait.outcome = outcome.to_owned();
    wait.waited_us = sighting.waited;
    if !sighting.holders.is_empty() {
        wait.blocked_by.clone_from(&sighting.holders);
        wait.queue.clone_from(&sighting.queue);
    }
}

fn deadlock(record: &Record<'_>, wishes: &Wishes) -> Deadlock {
    let found = lock::deadlock(record.detail);
    let waits = found.waits.iter().map(|wait| {
        let (mode, object) = (lossy(wait.mode), lossy(wait.object));
        format!("Process {} waits for {mode} on {object}; blocked by process {}", wait.pid, wait.blocked_by)
    });
    let statements = found.statements.iter().map(|(_, text)| match wishes.show(&[text]) {
        true => lossy(text),
        false => sql::normalise(text, MOST_TEXT),
    });
    Deadlock {
        time: record.time,
        waits: waits.collect(),
        statements: statements.collect(),
        relation: lock::relation(record.context).and_then(relation),
    }
}
