//! [`Steps`]: calls in order, packed, in blocks that are handed on and not copied once they are large.
//!
//! A busy session has thousands of calls in a minute, and those of all sessions are more than a processor's cache
//! holds: what they cost is the memory that they take, from the system and through the caches. Most of a [`Step`] is
//! mostly zeros, so that packed it takes little more than half:
//!
//! ```text
//!  duration, counts and flags │ time │ place │ fingerprint │ parameters? │ pairs, two a word │ route, tag, ignore?
//! ```

use crate::finding::{MOST_PAIRS, Step};
use crate::units::Timestamp;

/// Words of a full block.
const BLOCK: usize = 1 << 12;
/// Words of a session that is likely to fill a block.
const BUSY: usize = 1 << 10;
/// Words of one call at most.
const MOST_WORDS: usize = 9 + MOST_PAIRS / 2;
/// Words that the blocks which are kept for the next ones have room for: they must not weigh more than what is open.
const MOST_SPARE: usize = 1 << 19;

/// Bits of the first word, behind keys, rows and flags of a byte each.
const PAIRS: u32 = 24;
const HAS_PARAMS: u64 = 1 << 27;
const HAS_LABELS: u64 = 1 << 28;
/// The duration does not fit into the upper half.
const IS_LONG: u64 = 1 << 29;
const DURATION: u32 = 32;

/// Calls in order.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    full: Vec<Vec<u64>>,
    /// The block that grows.
    last: Vec<u64>,
    len: usize,
}

/// Blocks of calls that were judged.
#[derive(Debug, Clone, Default)]
pub struct Spare {
    blocks: Vec<Vec<u64>>,
    /// Words that they have room for.
    room: usize,
}

impl Spare {
    fn block(&mut self) -> Vec<u64> {
        let block = self.blocks.pop().unwrap_or_default();
        self.room -= block.capacity();
        block
    }

    fn take_back(&mut self, mut block: Vec<u64>) {
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

/// Adds a call to a block.
#[inline(always)]
fn pack(step: &Step, block: &mut Vec<u64>) {
    let pairs = step.pairs.iter().rposition(|pair| *pair != 0).map_or(0, |last| last + 1);
    let labels = step.route | step.tag | u64::from(step.ignore) != 0;
    let long = step.duration >> DURATION != 0;
    let mut head =
        u64::from_le_bytes([step.keys, step.rows, step.flags, 0, 0, 0, 0, 0]) | (pairs as u64) << PAIRS;
    head |= if step.params != 0 { HAS_PARAMS } else { 0 };
    head |= if labels { HAS_LABELS } else { 0 };
    head |= if long { IS_LONG } else { step.duration << DURATION };
    block.extend([head, step.time.0 as u64, step.at, step.fingerprint]);
    if step.params != 0 {
        block.push(step.params);
    }
    for two in step.pairs[..pairs].chunks(2) {
        block.push(u64::from(two[0]) | u64::from(two.get(1).copied().unwrap_or(0)) << 32);
    }
    if labels {
        block.extend([step.route, step.tag, u64::from(step.ignore)]);
    }
    if long {
        block.push(step.duration);
    }
}

/// The first call of a block, and the words behind it.
#[inline(always)]
fn unpack(words: &[u64]) -> Option<(Step, &[u64])> {
    let ([head, time, at, fingerprint], mut rest) = words.split_first_chunk()?;
    let mut next = || {
        let (word, behind) = rest.split_first()?;
        rest = behind;
        Some(*word)
    };
    let [keys, rows, flags, ..] = head.to_le_bytes();
    let params = if head & HAS_PARAMS != 0 { next()? } else { 0 };
    let mut pairs = [0; MOST_PAIRS];
    for two in pairs.chunks_mut(2).take((head >> PAIRS & 7).div_ceil(2) as usize) {
        let word = next()?;
        two[0] = word as u32;
        two[1] = (word >> 32) as u32;
    }
    let [route, tag, ignore] = if head & HAS_LABELS != 0 { [next()?, next()?, next()?] } else { [0; 3] };
    let duration = if head & IS_LONG != 0 { next()? } else { head >> DURATION };
    let step = Step {
        time: Timestamp(*time as i64),
        duration,
        at: *at,
        fingerprint: *fingerprint,
        params,
        route,
        tag,
        pairs,
        keys,
        rows,
        ignore: ignore as u16,
        flags,
    };
    Some((step, rest))
}

impl Steps {
    /// One call more.
    #[inline(always)]
    pub fn push(&mut self, step: &Step, spare: &mut Spare) {
        if self.last.len() + MOST_WORDS > self.last.capacity() {
            self.make_room(spare);
        }
        pack(step, &mut self.last);
        self.len += 1;
    }

    /// Room for one call more.
    #[inline(never)]
    fn make_room(&mut self, spare: &mut Spare) {
        if self.last.len() + MOST_WORDS > BLOCK {
            // Another full one is likely to follow.
            let mut next = spare.block();
            next.reserve(BLOCK);
            self.full.push(std::mem::replace(&mut self.last, next));
            return;
        }
        if self.last.capacity() == 0 {
            self.last = spare.block();
        }
        self.expect_more();
        self.last.reserve(MOST_WORDS);
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

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Step> {
        self.full.iter().chain([&self.last]).flat_map(|block| {
            let mut rest = &block[..];
            std::iter::from_fn(move || {
                let (step, behind) = unpack(rest)?;
                rest = behind;
                Some(step)
            })
        })
    }

    /// All of them, in `room`.
    #[must_use]
    pub fn whole<'s>(&self, room: &'s mut Vec<Step>) -> &'s [Step] {
        room.clear();
        room.reserve(self.len);
        self.iter().for_each(|step| room.push(step));
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

    prop_compose! {
        fn step()(
            time in any::<i64>(),
            duration in prop_oneof![0_u64..1_000_000, any::<u64>()],
            words in any::<[u64; 2]>(),
            params in prop_oneof![Just(0), any::<u64>()],
            labels in prop_oneof![Just((0, 0, 0)), any::<(u64, u64, u16)>(), any::<u16>().prop_map(|bits| (0, 0, bits))],
            pairs in prop::collection::vec(prop_oneof![Just(0), any::<u32>()], MOST_PAIRS),
            bytes in any::<[u8; 3]>(),
        ) -> Step {
            Step {
                time: Timestamp(time),
                duration,
                at: words[0],
                fingerprint: words[1],
                params,
                route: labels.0,
                tag: labels.1,
                pairs: std::array::from_fn(|place| pairs[place]),
                keys: bytes[0],
                rows: bytes[1],
                ignore: labels.2,
                flags: bytes[2],
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(steps in prop::collection::vec(step(), 0..40)) {
            let (mut spare, mut packed, mut room) = (Spare::default(), Steps::default(), Vec::new());
            steps.iter().for_each(|step| packed.push(step, &mut spare));
            prop_assert_eq!(packed.whole(&mut room), &*steps);
            prop_assert!(packed.iter().eq(steps.iter().copied()));
        }

        #[test]
        fn cuts_do_not_matter(parts in prop::collection::vec(0_usize..1500, 0..8)) {
            let mut spare = Spare::default();
            let (mut one, mut other) = (Steps::default(), Steps::default());
            let mut at = 0;
            for part in &parts {
                let mut next = Steps::default();
                for _ in 0..*part {
                    let step = Step { params: at % 3, ..Step::edge(Timestamp(0), at) };
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
