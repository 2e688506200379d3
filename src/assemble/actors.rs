//! Hashes of users, databases, applications, hosts and routes → named rows.

use std::collections::BTreeMap;

use super::{NONE, OTHER, lossy};
use crate::partial::actors::{ActorLoads, Directory};
use crate::report::{Actor, Load};
use crate::units::Micros;

#[derive(Default)]
struct Rows(BTreeMap<String, (Load, u64)>);

impl Rows {
    fn add(&mut self, name: &str, calls: u64, duration: Micros) {
        // No look-up by owned key unless the name is new: reports have tens of thousands of rows to name.
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), Default::default());
        }
        if let Some(row) = self.0.get_mut(name) {
            row.0.calls += calls;
            row.0.duration_us += duration;
        }
    }

    fn errors(&mut self, name: &str, errors: u64) {
        self.0.entry(name.to_owned()).or_default().1 += errors;
    }

    /// Most time first, then calls, then errors, then name. A log that never says who has no rows.
    fn finish(self) -> Vec<Actor> {
        let named = self.0.keys().any(|name| name != NONE);
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
pub(super) fn actors(
    loads: impl IntoIterator<Item = ActorLoads>,
    errors: Option<ActorLoads>,
    directory: &Directory,
) -> [Vec<Actor>; 4] {
    let mut rows: [Rows; 4] = Default::default();
    // All users of one hash are summed first: naming is dear.
    let mut sums: BTreeMap<u64, (u64, Micros)> = BTreeMap::new();
    for load in loads {
        let (list, other) = load.finish();
        for (hash, calls, duration) in list {
            let sum = sums.entry(hash).or_default();
            sum.0 += calls;
            sum.1 += duration;
        }
        if other.0 > 0 {
            rows.iter_mut().for_each(|rows| rows.add(OTHER, other.0, other.1));
        }
    }
    for (hash, (calls, duration)) in sums {
        for (rows, name) in rows.iter_mut().zip(names(directory, hash)) {
            rows.add(&name, calls, duration);
        }
    }
    if let Some(errors) = errors {
        let (list, other) = errors.finish();
        for (hash, count, _) in list {
            for (rows, name) in rows.iter_mut().zip(names(directory, hash)) {
                rows.errors(&name, count);
            }
        }
        if other.0 > 0 {
            rows.iter_mut().for_each(|rows| rows.errors(OTHER, other.0));
        }
    }
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
pub(super) fn routes(loads: impl IntoIterator<Item = ActorLoads>, directory: &Directory) -> Vec<Actor> {
    let mut rows = Rows::default();
    for load in loads {
        let (list, other) = load.finish();
        for (hash, calls, duration) in list {
            rows.add(directory.route(hash).unwrap_or(OTHER), calls, duration);
        }
        if other.0 > 0 {
            rows.add(OTHER, other.0, other.1);
        }
    }
    rows.finish()
}
