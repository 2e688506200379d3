//! Which rows were written when: what a cache knows that is dropped by the row instead of by the table.
//!
//! All writes of a table are kept, or none: a table with more than its share of the budget has no rows here.

use super::in_order::InOrder;
use super::trace::Moment;
use crate::finding::{MOST_PAIRS, Step};

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

    /// Whether it named the rows that it wrote.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.pairs.iter().any(|pair| *pair != 0)
    }

    /// Whether it named one of these.
    #[must_use]
    pub fn names(&self, pairs: &[u32]) -> bool {
        pairs.iter().any(|pair| *pair != 0 && self.pairs.contains(pair))
    }
}

/// The writes of one table.
#[derive(Debug, Clone, Default)]
pub struct RowWrites {
    list: InOrder<RowWrite>,
    over: bool,
}

impl RowWrites {
    /// Adds a write; at most `keep` are kept, and of a long log none: then nobody makes one.
    #[inline]
    pub fn add(&mut self, write: impl FnOnce() -> RowWrite, keep: usize) {
        if !self.over {
            self.list.push(write());
            self.limit(keep);
        }
    }

    fn limit(&mut self, keep: usize) {
        if self.list.len() > keep {
            self.over = true;
            self.list = InOrder::default();
        }
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self, keep: usize) {
        self.over |= other.over;
        if self.over {
            self.list = InOrder::default();
        } else {
            self.list.merge(other.list);
            self.limit(keep);
        }
    }

    /// Everything is merged: sorted by time.
    pub fn finish(&mut self, keep: usize) {
        self.limit(keep);
        self.list.settle();
    }

    /// All writes by time; `None` when they were too many.
    #[must_use]
    pub fn list(&self) -> Option<&[RowWrite]> {
        (!self.over).then_some(self.list.sorted())
    }
}
