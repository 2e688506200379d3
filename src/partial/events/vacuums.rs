//! Automatic vacuums and analyses by table and by hour.

use super::{HourSums, cut, hash};
use crate::bounded::Bounded;
use crate::event::vacuum::{Numbers, Vacuum};
use crate::partial::Order;
use crate::units::{Micros, Timestamp};

/// Tables kept.
const MOST_TABLES: usize = 16_384;
/// Bytes of a name: three names of 63 bytes and what is between.
const MOST_NAME: usize = 256;

/// The place of a vacuum in time and log, and what it left: pages, tuples, tuples dead but needed.
pub(crate) type LastVacuum = ((Option<Timestamp>, Order), [u64; 3]);

/// What autovacuum did to a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableVacuums {
    /// `database.schema.table`.
    pub table: Box<[u8]>,
    /// Vacuums.
    pub vacuums: u64,
    /// Of them aggressive.
    pub aggressive: u64,
    /// Of them to prevent wraparound.
    pub wraparound: u64,
    /// Analyses.
    pub analyzes: u64,
    /// Tasks that were cancelled.
    pub cancelled: u64,
    /// Sums over both.
    pub sum: Numbers,
    /// Longest of either.
    pub max: Micros,
    /// The last vacuum.
    pub last: Option<LastVacuum>,
}

impl TableVacuums {
    fn add(&mut self, other: Self) {
        self.vacuums += other.vacuums;
        self.aggressive += other.aggressive;
        self.wraparound += other.wraparound;
        self.analyzes += other.analyzes;
        self.cancelled += other.cancelled;
        add(&mut self.sum, &other.sum);
        self.max = self.max.max(other.max);
        self.last = self.last.max(other.last);
    }
}

/// Automatic vacuums and analyses.
#[derive(Debug, Clone)]
pub struct Vacuums {
    /// By table.
    pub tables: Bounded<TableVacuums>,
    /// Beyond the cap; its name is empty.
    pub other: TableVacuums,
    /// Number and time of both, by hour.
    pub hours: HourSums,
}

impl Default for Vacuums {
    fn default() -> Self {
        Self { tables: Bounded::new(MOST_TABLES), other: TableVacuums::default(), hours: HourSums::default() }
    }
}

impl Vacuums {
    /// Counts one report.
    pub fn add(&mut self, time: Option<Timestamp>, vacuum: &Vacuum<'_>, order: Order) {
        let numbers = vacuum.numbers;
        let left = [numbers.pages_remain, numbers.tuples_remain, numbers.tuples_dead];
        self.absorb(TableVacuums {
            table: cut(vacuum.table, MOST_NAME),
            vacuums: u64::from(!vacuum.analyze),
            aggressive: u64::from(vacuum.aggressive),
            wraparound: u64::from(vacuum.wraparound),
            analyzes: u64::from(vacuum.analyze),
            cancelled: 0,
            sum: Numbers { pages_remain: 0, tuples_remain: 0, tuples_dead: 0, ..numbers },
            max: numbers.elapsed,
            last: (!vacuum.analyze).then_some(((time, order), left)),
        });
        if let Some(time) = time {
            self.hours.add(time.hour(), 1, numbers.elapsed.0);
        }
    }

    /// Counts a task that was cancelled.
    pub fn cancelled(&mut self, table: Option<&[u8]>) {
        let cancelled = TableVacuums { cancelled: 1, ..TableVacuums::default() };
        match table {
            Some(table) => self.absorb(TableVacuums { table: cut(table, MOST_NAME), ..cancelled }),
            None => self.other.add(cancelled),
        }
    }

    fn absorb(&mut self, table: TableVacuums) {
        let other = &mut self.other;
        self.tables.absorb(hash(&[&table.table]), table, TableVacuums::add, |dropped| other.add(dropped));
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self) {
        self.other.add(other.other);
        let beyond = &mut self.other;
        self.tables.merge(other.tables, TableVacuums::add, |dropped| beyond.add(dropped));
        self.hours.merge(&other.hours);
    }

    /// Everything is merged: what is beyond the cap goes to the others.
    pub fn finish(&mut self) {
        let beyond = &mut self.other;
        self.tables.prune(|dropped| beyond.add(dropped));
    }
}

/// Sums everything; what remains is no sum, [`TableVacuums::last`] has it.
fn add(sum: &mut Numbers, other: &Numbers) {
    for (own, their) in [
        (&mut sum.elapsed, other.elapsed),
        (&mut sum.cpu, other.cpu),
        (&mut sum.delay, other.delay),
        (&mut sum.read, other.read),
        (&mut sum.write, other.write),
    ] {
        *own += their;
    }
    for (own, their) in [
        (&mut sum.index_scans, other.index_scans),
        (&mut sum.pages_removed, other.pages_removed),
        (&mut sum.pages_scanned, other.pages_scanned),
        (&mut sum.tuples_removed, other.tuples_removed),
        (&mut sum.tuples_frozen, other.tuples_frozen),
        (&mut sum.buffer_hits, other.buffer_hits),
        (&mut sum.buffer_misses, other.buffer_misses),
        (&mut sum.buffer_dirtied, other.buffer_dirtied),
        (&mut sum.wal_records, other.wal_records),
        (&mut sum.wal_images, other.wal_images),
        (&mut sum.wal_bytes, other.wal_bytes),
    ] {
        *own = own.saturating_add(their);
    }
}
