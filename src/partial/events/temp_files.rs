//! Temporary files by statement, by hour and by size.

use super::HourSums;
use crate::bounded::Bounded;
use crate::partial::Order;
use crate::record::Record;
use crate::sql::Fingerprint;
use crate::units::Timestamp;

/// Statements kept.
const MOST_STATEMENTS: usize = 16_384;
/// Largest files kept.
const MOST_LARGEST: usize = 20;
/// Powers of two that a size can have.
const POWERS: usize = 65;

/// Files and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Files.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The largest.
    pub max: u64,
}

impl Sizes {
    fn one(bytes: u64) -> Self {
        Self { count: 1, bytes, max: bytes }
    }

    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.max = self.max.max(other.max);
    }
}

/// One of the largest files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargeFile {
    /// Its bytes.
    pub bytes: u64,
    /// Its place; among equals the first comes first.
    pub order: Order,
    /// When it was logged, which is when it was removed.
    pub time: Option<Timestamp>,
    /// Who wrote it.
    pub pid: u32,
    /// The statement that wrote it.
    pub statement: Option<Fingerprint>,
}

/// Temporary files.
#[derive(Debug, Clone)]
pub struct TempFiles {
    /// All of them.
    pub total: Sizes,
    /// By statement.
    pub statements: Bounded<(Option<Fingerprint>, Sizes)>,
    /// Beyond the cap.
    pub other: Sizes,
    /// By hour.
    pub hours: HourSums,
    /// By the power of two that is not less than the size.
    pub powers: [Sizes; POWERS],
    /// Largest first.
    pub largest: Vec<LargeFile>,
}

impl Default for TempFiles {
    fn default() -> Self {
        Self {
            total: Sizes::default(),
            statements: Bounded::new(MOST_STATEMENTS),
            other: Sizes::default(),
            hours: HourSums::default(),
            powers: [Sizes::default(); POWERS],
            largest: Vec::new(),
        }
    }
}

fn add_sizes<T>(known: &mut (T, Sizes), new: (T, Sizes)) {
    known.1.add(new.1);
}

impl TempFiles {
    /// Counts one file.
    pub fn add(&mut self, record: &Record<'_>, bytes: u64, order: Order, statement: Option<Fingerprint>) {
        let sizes = Sizes::one(bytes);
        self.total.add(sizes);
        let other = &mut self.other;
        let key = statement.map_or(0, |statement| statement.0);
        self.statements.absorb(key, (statement, sizes), add_sizes, |dropped| other.add(dropped.1));
        if let Some(time) = record.time {
            self.hours.add(time.hour(), 1, bytes);
        }
        let power = bytes.checked_next_power_of_two().map_or(POWERS - 1, |power| power.ilog2() as usize);
        self.powers[power].add(sizes);
        self.keep_large(LargeFile { bytes, order, time: record.time, pid: record.session.pid, statement });
    }

    fn keep_large(&mut self, file: LargeFile) {
        let rank = |file: &LargeFile| (std::cmp::Reverse(file.bytes), file.order);
        let place = self.largest.partition_point(|kept| rank(kept) < rank(&file));
        if place < MOST_LARGEST {
            self.largest.insert(place, file);
            self.largest.truncate(MOST_LARGEST);
        }
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self) {
        self.total.add(other.total);
        self.other.add(other.other);
        let beyond = &mut self.other;
        self.statements.merge(other.statements, add_sizes, |dropped| beyond.add(dropped.1));
        self.hours.merge(&other.hours);
        for (own, their) in self.powers.iter_mut().zip(other.powers) {
            own.add(their);
        }
        other.largest.into_iter().for_each(|file| self.keep_large(file));
    }

    /// Everything is merged: what is beyond the cap goes to the others.
    pub fn finish(&mut self) {
        let beyond = &mut self.other;
        self.statements.prune(|dropped| beyond.add(dropped.1));
    }
}
