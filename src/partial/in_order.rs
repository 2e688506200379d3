//! [`InOrder`]: a list that is kept sorted while its items come nearly in order.
//!
//! Sessions are a few records behind each other; what a chunk leaves open comes after the next chunk, and a neighbour's
//! items after all of one's own. The first are put in their place, the others wait beside the list: sorting them in is
//! one merge, where sorting a list with a thousand of them in it would take ten.

/// How far back an item is put in its place.
const NEAR: usize = 16;

/// A sorted list, and what came late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InOrder<T> {
    /// Sorted.
    list: Vec<T>,
    late: Vec<T>,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self { list: Vec::new(), late: Vec::new() }
    }
}

impl<T: Ord> InOrder<T> {
    /// One more.
    #[inline(always)]
    pub(super) fn push(&mut self, item: T) {
        match self.list.last() {
            Some(last) if *last > item => self.push_late(item),
            _ => self.list.push(item),
        }
    }

    #[inline(never)]
    fn push_late(&mut self, item: T) {
        let after = self.list.iter().rev().take(NEAR).take_while(|other| **other > item).count();
        if after < NEAR {
            self.list.insert(self.list.len() - after, item);
        } else {
            self.late.push(item);
        }
    }

    /// Those of another list: two that are sorted become one in a single merge.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.late.append(&mut other.late);
        self.list.append(&mut other.list);
        self.list.sort();
    }

    /// The greatest of those that did not come late.
    #[inline(always)]
    pub(super) fn last(&self) -> Option<&T> {
        self.list.last()
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.list.len() + self.late.len()
    }

    /// Sorts in what came late: [`InOrder::sorted`] is all of them until the next one comes.
    pub(super) fn settle(&mut self) {
        if !self.late.is_empty() {
            let mut late = std::mem::take(&mut self.late);
            late.sort();
            self.merge(late.into());
        }
    }

    /// Changes items so that they stay in order, and drops those that become like the one before.
    pub(super) fn round(&mut self, change: impl FnMut(&mut T)) {
        self.settle();
        self.list.iter_mut().for_each(change);
        self.list.dedup();
    }

    /// What is in order.
    #[inline]
    pub(super) fn sorted(&self) -> &[T] {
        &self.list
    }

    /// All of them, sorted.
    pub(super) fn into_sorted(mut self) -> Vec<T> {
        self.settle();
        self.list
    }
}

/// Of a sorted list.
impl<T: Ord> From<Vec<T>> for InOrder<T> {
    fn from(list: Vec<T>) -> Self {
        debug_assert!(list.is_sorted(), "only sorted lists become lists in order");
        Self { list, late: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_items_are_sorted(
            items in prop::collection::vec(0_u32..1000, 0..300),
            from in 0_usize..300,
            cut in 0_usize..300,
        ) {
            // The first ones in order, as a log has them; the last ones elsewhere, as another worker has them.
            let mut items = items;
            let from = from.min(items.len());
            items[..from].sort();
            let (mut list, mut other) = (InOrder::default(), InOrder::default());
            let (own, theirs) = items.split_at(cut.min(items.len()));
            own.iter().for_each(|item| list.push(*item));
            theirs.iter().for_each(|item| other.push(*item));
            list.merge(other);
            prop_assert_eq!(list.len(), items.len());
            prop_assert!(list.sorted().is_sorted());
            items.sort();
            prop_assert_eq!(list.into_sorted(), items);
        }
    }
}
