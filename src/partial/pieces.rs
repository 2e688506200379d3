//! [`Pieces`]: calls that follow each other, in rooms that are used again and again.
//!
//! Calls of a burst wait for seconds and are handed on from chunk to chunk. In one list they would be copied whenever they
//! outgrow it, into memory that the system has to give anew for each burst.

use super::spare::{LARGEST, Spare};
use crate::finding::Step;

/// Calls in pieces, none of which is empty.
#[derive(Debug, Clone, Default)]
pub struct Pieces {
    /// All but the last.
    done: Vec<Vec<Step>>,
    /// The last one; empty only where there is no call.
    last: Vec<Step>,
    len: usize,
}

impl Pieces {
    /// How many calls.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The last call.
    #[inline(always)]
    #[must_use]
    pub fn last(&self) -> Option<&Step> {
        self.last.last()
    }

    /// The first call.
    pub fn first_mut(&mut self) -> Option<&mut Step> {
        self.done.first_mut().unwrap_or(&mut self.last).first_mut()
    }

    fn pieces(&self) -> impl Iterator<Item = &Vec<Step>> {
        self.done.iter().chain([&self.last])
    }

    /// All calls, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Step> {
        self.pieces().flatten()
    }

    /// All of them in one piece, which is `room` where there are several.
    #[must_use]
    pub fn in_one<'r>(&'r self, room: &'r mut Vec<Step>) -> &'r [Step] {
        if self.done.is_empty() {
            return &self.last;
        }
        room.clear();
        self.pieces().for_each(|piece| room.extend_from_slice(piece));
        room
    }

    /// One call more.
    #[inline(always)]
    pub fn push(&mut self, step: &Step, spare: &mut Spare) {
        if self.last.len() == self.last.capacity() {
            self.grow(1, spare);
        }
        self.last.push(*step);
        self.len += 1;
    }

    /// Makes room for more: a larger one, or another.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize, spare: &mut Spare) {
        if self.last.len() < LARGEST {
            spare.grow(&mut self.last, more);
        } else {
            let room = spare.room();
            self.done.push(std::mem::replace(&mut self.last, room));
        }
    }

    /// The first `count` of other calls, to be copied.
    pub fn extend(&mut self, other: &Self, count: usize, spare: &mut Spare) {
        let mut left = count;
        for piece in other.pieces() {
            let more = &piece[..left.min(piece.len())];
            if self.last.capacity() - self.last.len() < more.len() {
                self.grow(more.len(), spare);
            }
            self.last.extend_from_slice(more);
            left -= more.len();
        }
        self.len += count;
    }

    /// The calls that follow.
    pub fn append(&mut self, mut other: Self, spare: &mut Spare) {
        if self.is_empty() {
            std::mem::replace(self, other).give_back(spare);
        } else if other.done.is_empty() && other.len <= other.last.capacity() / 2 {
            // A room that is nearly empty is not worth to be kept.
            self.extend(&other, other.len, spare);
            other.give_back(spare);
        } else {
            self.len += other.len;
            self.done.push(std::mem::replace(&mut self.last, other.last));
            self.done.append(&mut other.done);
        }
    }

    /// Takes away those behind a place; they begin with copies of the `lead` calls before it.
    #[must_use]
    pub fn split(&mut self, place: usize, lead: usize) -> Self {
        let mut skipped = place - lead;
        // Nobody knows whether there will be more.
        let mut rest = Vec::with_capacity(self.len - skipped);
        for piece in self.pieces() {
            rest.extend_from_slice(&piece[skipped.min(piece.len())..]);
            skipped -= skipped.min(piece.len());
        }
        self.truncate(place);
        rest.into()
    }

    /// Keeps the first calls.
    fn truncate(&mut self, len: usize) {
        while self.len - self.last.len() >= len
            && let Some(before) = self.done.pop()
        {
            self.len -= self.last.len();
            self.last = before;
        }
        self.last.truncate(len - (self.len - self.last.len()));
        self.len = len;
    }

    /// Nobody needs them any more.
    pub fn give_back(self, spare: &mut Spare) {
        self.done.into_iter().chain([self.last]).for_each(|piece| spare.reuse(piece));
    }
}

impl From<Vec<Step>> for Pieces {
    fn from(steps: Vec<Step>) -> Self {
        Self { done: Vec::new(), len: steps.len(), last: steps }
    }
}

impl From<Pieces> for Vec<Step> {
    fn from(pieces: Pieces) -> Self {
        if pieces.done.is_empty() { pieces.last } else { pieces.iter().copied().collect() }
    }
}

/// Where pieces begin does not matter.
impl PartialEq for Pieces {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for Pieces {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::Timestamp;

    fn steps(from: u64, count: usize) -> impl Iterator<Item = Step> {
        (from..).take(count).map(|at| Step::edge(Timestamp(0), at))
    }

    proptest! {
        #[test]
        fn pieces_are_one_list(
            parts in prop::collection::vec((0_usize..1200, any::<bool>()), 0..8),
            place in any::<prop::sample::Index>(),
            lead in 0_usize..40,
            count in any::<prop::sample::Index>(),
        ) {
            let mut spare = Spare::default();
            let (mut pieces, mut list) = (Pieces::default(), Vec::new());
            for (part, apart) in parts {
                let from = list.len() as u64;
                let mut next = Pieces::default();
                let to = if apart { &mut next } else { &mut pieces };
                steps(from, part).for_each(|step| to.push(&step, &mut spare));
                list.extend(steps(from, part));
                pieces.append(next, &mut spare);
            }
            let mut room = Vec::new();
            prop_assert_eq!(pieces.in_one(&mut room), &*list);
            prop_assert_eq!((pieces.len(), pieces.last()), (list.len(), list.last()));
            prop_assert!(pieces.done.iter().all(|piece| !piece.is_empty()));
            let mut copy = Pieces::default();
            let count = count.index(list.len() + 1);
            copy.extend(&pieces, count, &mut spare);
            prop_assert_eq!(copy, Pieces::from(list[..count].to_vec()));
            if !list.is_empty() {
                let place = 1 + place.index(list.len());
                let lead = lead.min(place);
                prop_assert_eq!(pieces.split(place, lead), Pieces::from(list[place - lead..].to_vec()));
                prop_assert_eq!(pieces.in_one(&mut room), &list[..place]);
                prop_assert_eq!(pieces.last(), Some(&list[place - 1]));
                prop_assert!(pieces.done.iter().all(|piece| !piece.is_empty()));
            }
            pieces.give_back(&mut spare);
        }
    }
}
