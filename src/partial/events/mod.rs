//! What is counted about the server: one tally a section of the report, each with the merge of all others.
//!
//! Everything here is integers and bounded tables; nothing knows in which order records came, but for lists of the
//! first or largest ones, which break every tie by [`Order`].

mod checkpoints;
mod connections;
mod locks;
mod notices;
mod temp_files;
mod timeline;
mod vacuums;

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

pub use checkpoints::Checkpoints;
pub use connections::{Connections, NamedLoads, SessionLoad};
pub use locks::{Locks, Sighting, Waits};
pub use notices::{Notice, Notices, ParameterChange};
pub use temp_files::{LargeFile, Sizes, TempFiles};
pub use timeline::Timeline;
pub use vacuums::{TableVacuums, Vacuums};

use super::Order;
use crate::event::notice::{self, Kind};
use crate::event::server::ServerEvent;
use crate::log::Severity;
use crate::record::Record;
use crate::sql::Fingerprint;

/// Hours kept of anything.
const MOST_HOURS: usize = 24 * 400;

/// Everything counted about the server.
#[derive(Debug, Clone, Default)]
pub struct Events {
    /// Lock waits and deadlocks.
    pub locks: Locks,
    /// Temporary files.
    pub temp_files: TempFiles,
    /// Checkpoints.
    pub checkpoints: Checkpoints,
    /// Automatic vacuums and analyses.
    pub vacuums: Vacuums,
    /// Connections and sessions.
    pub connections: Connections,
    /// Everything else.
    pub notices: Notices,
}

impl Events {
    /// Counts one event. `cause` is the fingerprint of the statement that it belongs to.
    pub fn add(
        &mut self,
        record: &Record<'_>,
        event: ServerEvent<'_>,
        order: Order,
        cause: Option<Fingerprint>,
    ) {
        match event {
            ServerEvent::Lock(wait) => self.locks.wait(record, &wait, order, cause),
            ServerEvent::Deadlock => self.locks.deadlock(record, order),
            ServerEvent::TempFile(bytes) => self.temp_files.add(record, bytes, order, cause),
            ServerEvent::Checkpoint(checkpoint) => self.checkpoints.add(record.time, checkpoint),
            ServerEvent::Vacuum(vacuum) => self.vacuums.add(record.time, &vacuum, order),
            ServerEvent::VacuumCancelled(table) => {
                self.vacuums.cancelled(table);
                self.notices.add(record, Kind::Autovacuum, order, cause);
            }
            ServerEvent::Connection(connection) => self.connections.add(record, connection, order),
            ServerEvent::Notice(kind) => {
                if let Some(change) = notice::change(record.message) {
                    self.notices.change(record.time, change, order);
                }
                if let Some(time) = record.time {
                    if starts_empty(record.message) {
                        self.connections.timeline.reset(time, order);
                    } else if record.severity == Severity::Fatal && notice::refuses_authorized(record.message)
                    {
                        self.connections.timeline.refused(time, order);
                    }
                }
                self.notices.add(record, kind, order, cause);
            }
        }
    }

    /// Adds another part's counts.
    pub fn merge(&mut self, other: Self) {
        self.locks.merge(other.locks);
        self.temp_files.merge(other.temp_files);
        self.checkpoints.merge(other.checkpoints);
        self.vacuums.merge(other.vacuums);
        self.connections.merge(other.connections);
        self.notices.merge(other.notices);
    }
}

/// Whether no session can be open at this record: none survives a crash, and a server starts without any.
fn starts_empty(message: &[u8]) -> bool {
    message.starts_with(b"all server processes terminated") || message.starts_with(b"starting PostgreSQL ")
}

/// A stable hash of several names.
fn hash(parts: &[&[u8]]) -> u64 {
    parts.iter().fold(0, |seed, part| xxh3_64_with_seed(part, seed + 1))
}

/// At most `most` bytes of a name or text.
fn cut(text: &[u8], most: usize) -> Box<[u8]> {
    text[..text.len().min(most)].into()
}

/// Keeps the `most` first of what sorts by an [`Order`].
fn keep_first<T>(list: &mut Vec<(Order, T)>, most: usize, order: Order, value: T) {
    let place = list.partition_point(|kept| kept.0 < order);
    if place < most {
        list.insert(place, (order, value));
        list.truncate(most);
    }
}

/// A count and a sum by hour since the epoch; the earliest 400 days of hours are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HourSums {
    hours: BTreeMap<i64, (u64, u64)>,
}

impl HourSums {
    /// Adds to an hour.
    pub fn add(&mut self, hour: i64, count: u64, sum: u64) {
        let known = self.hours.entry(hour).or_default();
        known.0 += count;
        known.1 = known.1.saturating_add(sum);
        if self.hours.len() > MOST_HOURS {
            self.hours.pop_last();
        }
    }

    /// Adds another part's hours.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(hour, count, sum)| self.add(hour, count, sum));
    }

    /// Hour, count, sum.
    pub fn iter(&self) -> impl Iterator<Item = (i64, u64, u64)> + '_ {
        self.hours.iter().map(|(hour, (count, sum))| (*hour, *count, *sum))
    }
}

#[cfg(test)]
mod tests;
