//! The slowest calls, with a full tie-break so that merging in any order keeps the same ones.

use super::Order;
use super::statements::Call;
use crate::sql::Fingerprint;
use crate::units::{Micros, Timestamp};

/// Bytes of a statement or of its parameters kept with an example.
const MOST_TEXT: usize = 8 << 10;

/// A number of calls and their time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls.
    pub calls: u64,
    /// Calls that have a duration.
    pub timed: u64,
    /// Their duration.
    pub duration: Micros,
}

impl Calls {
    /// Counts one call.
    pub fn add(&mut self, duration: Option<Micros>) {
        self.calls += 1;
        self.timed += u64::from(duration.is_some());
        self.duration += duration.unwrap_or_default();
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.timed += other.timed;
        self.duration += other.duration;
    }

    /// Takes in a fingerprint that found no place.
    pub(crate) fn absorb(&mut self, tally: &super::statements::StatementTally) {
        self.calls += tally.calls;
        self.timed += tally.timed;
        self.duration += tally.duration;
    }
}

/// One call as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowCall {
    /// What it executed: of the whole text, and of what an EXECUTE runs.
    pub fingerprint: Fingerprint,
    /// Its duration; `None` sorts as the shortest.
    pub duration: Option<Micros>,
    /// Its place.
    pub order: Order,
    /// When it was logged.
    pub time: Option<Timestamp>,
    /// Backend.
    pub pid: u32,
    /// user, database, application, host.
    pub who: [Box<[u8]>; 4],
    /// The statement, cut to 8 KiB.
    pub sql: Box<[u8]>,
    /// Parameters as logged, cut to 8 KiB.
    pub params: Box<[u8]>,
}

fn cut(text: &[u8]) -> Box<[u8]> {
    text[..text.len().min(MOST_TEXT)].into()
}

impl SlowCall {
    fn rank(&self) -> (std::cmp::Reverse<Option<Micros>>, Order) {
        (std::cmp::Reverse(self.duration), self.order)
    }
}

/// At most `most` calls, slowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slowest {
    most: usize,
    list: Vec<SlowCall>,
    /// What is shorter finds no place.
    least: Micros,
}

impl Slowest {
    /// An empty list.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, list: Vec::new(), least: Micros(0) }
    }

    /// Keeps a call if it is one of the slowest.
    #[inline(always)]
    pub fn add(&mut self, call: Call<'_, '_>) {
        if call.duration.unwrap_or_default() >= self.least {
            self.compare(call);
        }
    }

    /// Nothing is copied of a call that finds no place. By value: a reference to it would keep all of it in memory.
    #[cold]
    #[inline(never)]
    fn compare(&mut self, call: Call<'_, '_>) {
        let wanted = match self.list.last() {
            Some(last) if self.list.len() >= self.most => {
                (std::cmp::Reverse(call.duration), call.order) < last.rank()
            }
            _ => true,
        };
        if !wanted {
            return;
        }
        let Call { record, text, .. } = call;
        let who = record.who;
        self.insert(SlowCall {
            fingerprint: call.digest.fingerprint,
            duration: call.duration,
            order: call.order,
            time: record.time,
            pid: record.session.pid,
            who: [who.user, who.database, who.application, who.host].map(Box::from),
            sql: cut(text.sql),
            params: cut(text.params.unwrap_or_default()),
        });
    }

    fn insert(&mut self, call: SlowCall) {
        let place = self.list.partition_point(|kept| kept.rank() < call.rank());
        if place < self.most {
            self.list.insert(place, call);
            self.list.truncate(self.most);
        }
        if let Some(last) = self.list.get(self.most - 1) {
            self.least = last.duration.unwrap_or_default();
        }
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self) {
        for call in other.list {
            self.insert(call);
        }
    }

    /// Slowest first.
    #[must_use]
    pub fn list(&self) -> &[SlowCall] {
        &self.list
    }
}
