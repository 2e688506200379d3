//! [`Writes`]: when a table was written, and which rows: every write while they are few, then times alone.
//!
//! A cache that is dropped by the table asks when, one that is dropped by the row asks which. Of a table with more
//! writes than its share of the budget only times are kept, each once, on a grid as fine as the budget allows. Which
//! grid that is depends only on all writes, not on the order in which they came: it is the finest one on which they
//! are few enough.

use std::cmp::Ordering;

use super::in_order::InOrder;
use super::trace::Moment;
use crate::finding::{MOST_PAIRS, Step};
use crate::units::Timestamp;

/// The finest grid, as a power of two in microseconds: the log has no finer clock than about a millisecond.
const FINEST: u32 = 10;
/// On the coarsest one there are but two times.
const COARSEST: u32 = 63;

/// One write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowWrite {
    /// When.
    pub moment: Moment,
    /// Columns and values that it named; zeros beyond the last, and nothing but zeros when it named none.
    pub pairs: [u32; MOST_PAIRS],
    /// It made a row, and said which.
    pub told: bool,
}

impl RowWrite {
    /// The write of a call.
    #[must_use]
    pub fn new(moment: Moment, step: &Step, told: bool) -> Self {
        Self { moment, pairs: step.pairs, told }
    }

    /// The write of a call that names none of the rows that it writes.
    #[must_use]
    pub fn bulk(moment: Moment) -> Self {
        Self { moment, pairs: [0; MOST_PAIRS], told: false }
    }

    /// Whether it named the rows that it wrote.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.pairs.iter().any(|pair| *pair != 0)
    }
}

/// Times on a grid, each once.
#[derive(Debug, Clone)]
struct Times {
    list: InOrder<Timestamp>,
    /// They are multiples of two to the power of this, in microseconds.
    grid: u32,
}

impl Times {
    /// Those of writes, on the finest grid.
    fn of(rows: InOrder<RowWrite>) -> Self {
        let list: Vec<Timestamp> = rows.into_sorted().into_iter().map(|row| row.moment.time).collect();
        let mut times = Self { list: list.into(), grid: FINEST };
        times.put_on(FINEST);
        times
    }

    #[inline(always)]
    fn add(&mut self, time: Timestamp, keep: usize) {
        let time = round(time, self.grid);
        // Many have the time of the one before.
        if self.list.last() == Some(&time) {
            return;
        }
        self.list.push(time);
        // Not before they are a quarter too many: that costs a constant a time, and little memory.
        if self.list.len() >= keep + keep / 4 {
            self.limit(keep);
        }
    }

    /// Makes the grid coarser until there are no more than `keep`.
    #[cold]
    #[inline(never)]
    fn limit(&mut self, keep: usize) {
        self.put_on(self.grid);
        while self.list.len() > keep && self.grid < COARSEST {
            self.put_on(self.grid + 1);
        }
    }

    /// Takes over a grid that is no finer.
    fn put_on(&mut self, grid: u32) {
        self.grid = grid;
        self.list.round(|time| *time = round(*time, grid));
    }

    fn merge(&mut self, mut other: Self) {
        let grid = self.grid.max(other.grid);
        self.put_on(grid);
        other.put_on(grid);
        self.list.merge(other.list);
    }
}

#[inline(always)]
fn round(time: Timestamp, grid: u32) -> Timestamp {
    Timestamp(time.0 >> grid << grid)
}

#[derive(Debug, Clone)]
enum Kept {
    Rows(InOrder<RowWrite>),
    Times(Times),
}

/// The writes of one table.
#[derive(Debug, Clone)]
pub struct Writes {
    /// The table.
    pub table: u64,
    /// How many.
    pub count: u64,
    /// The last of them.
    pub last: Option<Moment>,
    kept: Kept,
}

impl Writes {
    /// None yet.
    #[must_use]
    pub fn new(table: u64) -> Self {
        Self { table, count: 0, last: None, kept: Kept::Rows(InOrder::default()) }
    }

    /// Adds a write; of a table that has more than `keep`, nobody makes a row.
    #[inline(always)]
    pub fn add(&mut self, moment: &Moment, row: impl FnOnce() -> RowWrite, keep: usize) {
        self.count += 1;
        if self.last.is_none_or(|last| last < *moment) {
            self.last = Some(*moment);
        }
        match &mut self.kept {
            Kept::Times(times) => times.add(moment.time, keep),
            Kept::Rows(rows) => {
                rows.push(row());
                if rows.len() > keep {
                    self.limit(keep);
                }
            }
        }
    }

    /// Keeps times alone where there are more writes than `keep`, and no more of these.
    #[cold]
    #[inline(never)]
    fn limit(&mut self, keep: usize) {
        if let Kept::Rows(rows) = &mut self.kept
            && rows.len() > keep
        {
            self.kept = Kept::Times(Times::of(std::mem::take(rows)));
        }
        if let Kept::Times(times) = &mut self.kept {
            times.limit(keep);
        }
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self, keep: usize) {
        self.count += other.count;
        self.last = self.last.max(other.last);
        let nothing = Kept::Rows(InOrder::default());
        self.kept = match (std::mem::replace(&mut self.kept, nothing), other.kept) {
            (Kept::Rows(mut own), Kept::Rows(theirs)) => {
                own.merge(theirs);
                Kept::Rows(own)
            }
            (own, theirs) => {
                let times = |kept| match kept {
                    Kept::Rows(rows) => Times::of(rows),
                    Kept::Times(times) => times,
                };
                let mut own = times(own);
                own.merge(times(theirs));
                Kept::Times(own)
            }
        };
        self.limit(keep);
    }

    /// Everything is merged: what is kept is sorted.
    pub fn finish(&mut self, keep: usize) {
        self.limit(keep);
        if let Kept::Rows(rows) = &mut self.kept {
            rows.settle();
        }
    }

    /// Once finished, all writes by time; `None` when they were too many.
    #[must_use]
    pub fn rows(&self) -> Option<&[RowWrite]> {
        match &self.kept {
            Kept::Rows(rows) => Some(rows.sorted()),
            Kept::Times(_) => None,
        }
    }

    /// Once finished, how many of those that are kept came no later than a moment, which is at `time`; `before` of them
    /// surely did.
    #[inline]
    #[must_use]
    pub fn up_to(&self, before: usize, time: Timestamp, moment: impl Fn() -> Moment) -> usize {
        match &self.kept {
            Kept::Rows(rows) => {
                let is_later = |row: &RowWrite| match { row.moment.time }.cmp(&time) {
                    Ordering::Less => false,
                    Ordering::Equal => row.moment > moment(),
                    Ordering::Greater => true,
                };
                skip(rows.sorted(), before, is_later)
            }
            Kept::Times(times) => skip(times.list.sorted(), before, |other| *other > time),
        }
    }
}

/// The place of the first item that is later, from a place on.
fn skip<T>(list: &[T], from: usize, is_later: impl Fn(&T) -> bool) -> usize {
    list[from..].iter().position(is_later).map_or(list.len(), |more| from + more)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(time: i64, at: u64) -> RowWrite {
        let moment = Moment { time: Timestamp(time), stream: 0, at };
        RowWrite::new(moment, &Step::edge(Timestamp(time), at), false)
    }

    /// What is kept, by hand: all writes, or the times of the finest grid that is coarse enough.
    fn expected(times: &[i64], keep: usize) -> Vec<i64> {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let cells = |grid: u32| {
            let mut cells: Vec<i64> = sorted.iter().map(|time| time >> grid << grid).collect();
            cells.dedup();
            cells
        };
        match times.len() {
            few if few <= keep => sorted,
            _ => (FINEST..).map(cells).find(|cells| cells.len() <= keep).unwrap(),
        }
    }

    fn kept(writes: &Writes) -> Vec<i64> {
        match &writes.kept {
            Kept::Rows(rows) => rows.sorted().iter().map(|row| row.moment.time.0).collect(),
            Kept::Times(times) => times.list.sorted().iter().map(|time| time.0).collect(),
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_depends_on_all_writes_alone(
            times in prop::collection::vec(prop_oneof![0..200_000_i64, any::<i64>()], 0..120),
            cut in 0..120_usize,
            keep in 2..50_usize,
            more in 0..20_usize,
            moment in 0..200_000_i64,
        ) {
            let (mut whole, mut left, mut right) = (Writes::new(7), Writes::new(7), Writes::new(7));
            for (at, time) in (0_u64..).zip(&times) {
                let row = row(*time, at);
                whole.add(&row.moment, || row, keep);
                // A part that has seen fewer tables keeps more.
                let part = if (at as usize) < cut { &mut left } else { &mut right };
                part.add(&row.moment, || row, keep + more);
            }
            right.merge(left, keep + more / 2);
            for mut writes in [whole, right] {
                writes.finish(keep);
                prop_assert_eq!(kept(&writes), expected(&times, keep));
                prop_assert_eq!(writes.rows().is_some(), times.len() <= keep);
                let before = kept(&writes).partition_point(|time| *time < moment);
                let at = || Moment { time: Timestamp(moment), stream: 1, at: 0 };
                let all = kept(&writes).partition_point(|time| *time <= moment);
                prop_assert_eq!(writes.up_to(before, Timestamp(moment), at), all);
            }
        }
    }

    #[test]
    fn within_one_instant_the_place_decides() {
        let mut writes = Writes::new(7);
        for at in [10, 20, 30] {
            writes.add(&row(5, at).moment, || row(5, at), 8);
        }
        writes.finish(8);
        for (at, count) in [(9, 0), (10, 1), (29, 2), (31, 3)] {
            let moment = Moment { time: Timestamp(5), stream: 0, at };
            assert_eq!(writes.up_to(0, moment.time, || moment), count);
        }
    }
}
