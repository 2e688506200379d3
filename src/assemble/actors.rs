//! Hashes of users, databases, applications, hosts and routes → named rows.

use std::collections::BTreeMap;

use super::{NONE, OTHER, lossy};
use crate::partial::actors::{ActorLoads, Directory};
use crate::report::{Actor, Load};
use crate::units::Micros;

/// Load and errors by the hash of an actor or route, and beyond the caps.
#[derive(Default)]
pub(super) struct Sums {
    by_hash: BTreeMap<u64, (Load, u64)>,
    other: (Load, u64),
}

impl Sums {
    /// The sums of statements; `failures` are the loads of errors, which have no time. Naming is dear: all of one hash
    /// are summed before.
    pub(super) fn of(loads: impl IntoIterator<Item = ActorLoads>, failures: ActorLoads) -> Self {
        let mut sums = Self::default();
        loads.into_iter().for_each(|load| sums.calls(load));
        sums.errors(failures);
        sums
    }

    /// Adds statements that nobody knows the actors of.
    pub(super) fn beyond(mut self, load: Load) -> Self {
        self.other.0.calls += load.calls;
        self.other.0.duration_us += load.duration_us;
        self
    }

    fn calls(&mut self, loads: ActorLoads) {
        let (list, (calls, duration)) = loads.finish();
        for (hash, calls, duration) in list {
            let sum = &mut self.by_hash.entry(hash).or_default().0;
            sum.calls += calls;
            sum.duration_us += duration;
        }
        self.other.0.calls += calls;
        self.other.0.duration_us += duration;
    }

    fn errors(&mut self, loads: ActorLoads) {
        let (list, (errors, _)) = loads.finish();
        for (hash, errors, _) in list {
            self.by_hash.entry(hash).or_default().1 += errors;
        }
        self.other.1 += errors;
    }
}

/// Load and errors by name.
#[derive(Default)]
struct Rows(BTreeMap<String, (Load, u64)>);

impl Rows {
    /// Nothing makes no row.
    fn add(&mut self, name: &str, load: Load, errors: u64) {
        if (load, errors) == Default::default() {
            return;
        }
        // No look-up by owned key unless the name is new: reports have tens of thousands of rows to name.
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), Default::default());
        }
        if let Some(row) = self.0.get_mut(name) {
            row.0.calls += load.calls;
            row.0.duration_us += load.duration_us;
            row.1 += errors;
        }
    }

    /// Most time first, then calls, then errors, then name. A log that never says who has no rows.
    fn finish(self) -> Vec<Actor> {
        let named = self.0.keys().any(|name| name != NONE && name != OTHER);
        let mut rows: Vec<Actor> = self
            .0
            .into_iter()
            .filter(|_| named)
            .map(|(name, (load, errors))| Actor {
                name,
                calls: load.calls,
                duration_us: load.duration_us,
                errors,
            })
            .collect();
        rows.sort_by(|a, b| {
            (b.duration_us, b.calls, b.errors, &a.name).cmp(&(a.duration_us, a.calls, a.errors, &b.name))
        });
        rows
    }
}

/// Users, databases, applications and hosts.
pub(super) fn actors(sums: &Sums, directory: &Directory) -> [Vec<Actor>; 4] {
    let mut rows: [Rows; 4] = Default::default();
    for (hash, (load, errors)) in &sums.by_hash {
        for (rows, name) in rows.iter_mut().zip(names(directory, *hash)) {
            rows.add(&name, *load, *errors);
        }
    }
    rows.iter_mut().for_each(|rows| rows.add(OTHER, sums.other.0, sums.other.1));
    rows.map(Rows::finish)
}

fn names(directory: &Directory, hash: u64) -> [String; 4] {
    match directory.who(hash) {
        Some(known) => known.names.each_ref().map(|name| match name.is_empty() {
            true => NONE.to_owned(),
            false => lossy(name),
        }),
        None => [OTHER; 4].map(str::to_owned),
    }
}

/// Routes.
pub(super) fn routes(sums: &Sums, directory: &Directory) -> Vec<Actor> {
    route_rows(sums, directory).finish()
}

/// Routes of the whole log: what has none is `(none)`, so that they add up to `all` calls and their errors.
pub(super) fn all_routes(sums: &Sums, directory: &Directory, all: (Load, u64)) -> Vec<Actor> {
    let mut rows = route_rows(sums, directory);
    let (mut load, mut errors) = all;
    for (tagged, failed) in rows.0.values() {
        load.calls = load.calls.saturating_sub(tagged.calls);
        load.duration_us = Micros(load.duration_us.0.saturating_sub(tagged.duration_us.0));
        errors = errors.saturating_sub(*failed);
    }
    rows.add(NONE, load, errors);
    rows.finish()
}

fn route_rows(sums: &Sums, directory: &Directory) -> Rows {
    let mut rows = Rows::default();
    for (hash, (load, errors)) in &sums.by_hash {
        rows.add(directory.route(*hash).unwrap_or(OTHER), *load, *errors);
    }
    rows.add(OTHER, sums.other.0, sums.other.1);
    rows
}
