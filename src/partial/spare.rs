//! [`Spare`]: rooms for calls, used again and again.
//!
//! A busy session's calls are handed on to be judged every few hundred, and the room that they stood in is still in a
//! processor's cache: it is what the next ones are written to.

use crate::finding::Step;

/// Calls of a session that is likely to have many.
const BUSY: usize = 16;
/// Room that such a session gets at least.
const ROOM: usize = 128;
/// Rooms that are larger are given back to the system: somebody may hold one for a few calls only.
pub(super) const LARGEST: usize = 16 * ROOM;
/// Calls that all rooms have place for: they must not weigh more than what is open.
const MOST: usize = 1 << 14;

/// Rooms of calls that were judged.
#[derive(Debug, Clone, Default)]
pub struct Spare {
    rooms: Vec<Vec<Step>>,
    /// The calls that they have place for.
    places: usize,
}

impl Spare {
    /// An empty room.
    pub(super) fn room(&mut self) -> Vec<Step> {
        match self.rooms.pop() {
            Some(room) => {
                self.places -= room.capacity();
                room
            }
            None => Vec::with_capacity(ROOM),
        }
    }

    /// Takes back the room of calls that nobody needs any more.
    pub fn reuse(&mut self, mut steps: Vec<Step>) {
        let places = steps.capacity();
        if (ROOM..=LARGEST).contains(&places) && self.places + places <= MOST {
            steps.clear();
            self.places += places;
            self.rooms.push(steps);
        }
    }

    /// Makes room for more calls. A session that has few gets no more than they need, one that has many gets a large
    /// room at once.
    #[cold]
    #[inline(never)]
    pub(super) fn grow(&mut self, steps: &mut Vec<Step>, more: usize) {
        if steps.capacity() < ROOM && steps.len() + more > BUSY {
            let mut room = self.room();
            room.reserve(steps.len() + more);
            room.extend_from_slice(steps);
            *steps = room;
        } else {
            // A connection of one call is not rare.
            match steps.capacity() {
                0 => steps.reserve_exact(more),
                _ => steps.reserve(more),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::pieces::Pieces;
    use super::*;
    use crate::units::Timestamp;

    proptest! {
        #[test]
        fn cuts_do_not_matter(parts in prop::collection::vec(0_usize..700, 0..8)) {
            let mut spare = Spare::default();
            let (mut one, mut other) = (Pieces::default(), Pieces::default());
            let mut at = 0;
            for part in &parts {
                let mut next = Pieces::default();
                for _ in 0..*part {
                    let step = Step { params: at % 3, ..Step::edge(Timestamp(0), at) };
                    at += 1;
                    next.push(&step, &mut spare);
                    one.push(&step, &mut spare);
                }
                other.append(next, &mut spare);
            }
            prop_assert_eq!(&one, &other);
            let places: Vec<u64> = one.iter().map(|step| step.at).collect();
            prop_assert_eq!(places, (0..at).collect::<Vec<_>>());
            one.give_back(&mut spare);
            prop_assert!(spare.rooms.iter().all(|room| room.is_empty() && room.capacity() >= ROOM));
            prop_assert_eq!(spare.places, spare.rooms.iter().map(Vec::capacity).sum::<usize>());
        }
    }
}
