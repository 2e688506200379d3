//! [`Steps`]: calls in order, in blocks that are handed on and not copied once they are large.
//!
//! A busy session has thousands of calls in a minute, and those of all sessions are more than a processor's cache
//! holds: each time that they are copied costs more than everything else that is done with them.

use crate::finding::Step;

/// Calls of a full block: more than most sheets have, which then stand in one piece.
const BLOCK: usize = 1 << 12;
/// Calls of a session that is likely to fill a block.
const BUSY: usize = 1 << 8;
/// Calls that the blocks which are kept for the next ones have room for: they must not weigh more than what is open.
const MOST_SPARE: usize = 1 << 16;

/// Calls in order.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    full: Vec<Vec<Step>>,
    /// The block that grows.
    last: Vec<Step>,
    len: usize,
}

/// Blocks of calls that were judged.
#[derive(Debug, Clone, Default)]
pub struct Spare {
    blocks: Vec<Vec<Step>>,
    /// Calls that they have room for.
    room: usize,
}

impl Spare {
    fn block(&mut self) -> Vec<Step> {
        let block = self.blocks.pop().unwrap_or_default();
        self.room -= block.capacity();
        block
    }

    fn take_back(&mut self, mut block: Vec<Step>) {
        let room = block.capacity();
        if room > 0 && self.room + room <= MOST_SPARE {
            block.clear();
            self.blocks.push(block);
            self.room += room;
        }
    }

    /// Takes back the blocks of calls that nobody needs any more.
    pub fn reuse(&mut self, steps: Steps) {
        self.take_back(steps.last);
        steps.full.into_iter().for_each(|block| self.take_back(block));
    }
}

impl Steps {
    /// One call more.
    #[inline(always)]
    pub fn push(&mut self, step: &Step, spare: &mut Spare) {
        if self.last.len() == self.last.capacity() || self.last.len() == BLOCK {
            self.make_room(spare);
        }
        self.last.push(*step);
        self.len += 1;
    }

    /// Room for one call more.
    #[inline(never)]
    fn make_room(&mut self, spare: &mut Spare) {
        if self.last.len() == BLOCK {
            // Another full one is likely to follow.
            let mut next = spare.block();
            next.reserve(BLOCK);
            self.full.push(std::mem::replace(&mut self.last, next));
        } else if self.last.capacity() == 0 {
            self.last = spare.block();
        } else {
            self.expect_more();
        }
    }

    /// Gives the block of a busy session all its room at once: growing by doubling would copy everything once more.
    fn expect_more(&mut self) {
        if self.last.len() >= BUSY {
            self.last.reserve_exact(BLOCK - self.last.len());
        }
    }

    /// The calls that follow.
    pub fn append(&mut self, other: Self, spare: &mut Spare) {
        self.len += other.len;
        for block in other.full.into_iter().chain([other.last]) {
            if self.last.len() + block.len() <= BLOCK {
                self.expect_more();
                self.last.extend_from_slice(&block);
                spare.take_back(block);
            } else {
                self.full.push(std::mem::replace(&mut self.last, block));
            }
        }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn blocks(&self) -> impl Iterator<Item = &Vec<Step>> {
        self.full.iter().chain([&self.last])
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Step> {
        self.blocks().flatten()
    }

    /// All in one piece, if need be in `room`.
    #[must_use]
    pub fn whole<'s>(&'s self, room: &'s mut Vec<Step>) -> &'s [Step] {
        if self.full.is_empty() {
            return &self.last;
        }
        room.clear();
        room.reserve(self.len);
        self.blocks().for_each(|block| room.extend_from_slice(block));
        room
    }
}

/// Whatever blocks they stand in.
impl PartialEq for Steps {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for Steps {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::Timestamp;

    proptest! {
        #[test]
        fn cuts_do_not_matter(parts in proptest::collection::vec(0_usize..1500, 0..8)) {
            let mut spare = Spare::default();
            let (mut one, mut other) = (Steps::default(), Steps::default());
            let mut at = 0;
            for part in &parts {
                let mut next = Steps::default();
                for _ in 0..*part {
                    let step = Step::edge(Timestamp(0), at);
                    at += 1;
                    next.push(&step, &mut spare);
                    one.push(&step, &mut spare);
                }
                other.append(next, &mut spare);
            }
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(other.len(), at as usize);
            let mut room = Vec::new();
            let places: Vec<u64> = other.whole(&mut room).iter().map(|step| step.at).collect();
            prop_assert_eq!(places, (0..at).collect::<Vec<_>>());
            spare.reuse(one);
            prop_assert!(spare.blocks.iter().all(Vec::is_empty));
            prop_assert_eq!(spare.room, spare.blocks.iter().map(Vec::capacity).sum::<usize>());
        }
    }
}
