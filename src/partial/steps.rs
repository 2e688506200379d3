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
const BLOCK: usize = 1 << 10;
/// Words by which a block grows at least; more than [`MOST_WORDS`].
const FEWEST: usize = 1 << 4;
/// Words of a session that is likely to fill a block.
const BUSY: usize = 1 << 8;
/// Words of a call's pairs.
const PAIR_WORDS: usize = MOST_PAIRS / 2;
/// Words of one call at most.
const MOST_WORDS: usize = 9 + PAIR_WORDS;
/// Words that the blocks which are kept for the next ones have room for: they must not weigh more than what is open.
const MOST_SPARE: usize = 1 << 19;

/// Bits of the first word, behind keys, rows and flags of a byte each: words of pairs, and what else there is.
const PAIRS: u32 = 24;
const PARAMS: u32 = 27;
const LABELS: u32 = 28;
/// The duration does not fit into the upper half.
const LONG: u32 = 29;
const DURATION: u32 = 32;

/// Calls in order.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    full: Vec<Block>,
    /// The block that grows.
    last: Block,
    len: usize,
}

/// A part of the calls.
#[derive(Debug, Clone, Default)]
struct Block {
    /// What is not used means nothing: it is what other calls left there.
    words: Vec<u64>,
    used: usize,
}

impl Block {
    /// The words of its calls.
    fn calls(&self) -> &[u64] {
        &self.words[..self.used]
    }

    /// Room for one call.
    #[inline(always)]
    fn room(&mut self) -> Option<&mut [u64; MOST_WORDS]> {
        self.words.get_mut(self.used..)?.first_chunk_mut()
    }

    /// Makes room for so many words. A busy session gets that of a full block at once: growing by doubling would copy
    /// everything once more.
    fn grow(&mut self, more: usize) {
        let room = if self.used >= BUSY { BLOCK } else { self.used + more.max(self.used) };
        if room > self.words.len() {
            self.words.resize(room.min(BLOCK), 0);
        }
    }
}

/// Blocks of calls that were judged.
#[derive(Debug, Clone, Default)]
pub struct Spare {
    blocks: Vec<Vec<u64>>,
    /// Their words.
    room: usize,
}

impl Spare {
    fn block(&mut self) -> Block {
        let words = self.blocks.pop().unwrap_or_default();
        self.room -= words.len();
        Block { words, used: 0 }
    }

    fn take_back(&mut self, Block { words, .. }: Block) {
        if !words.is_empty() && self.room + words.len() <= MOST_SPARE {
            self.room += words.len();
            self.blocks.push(words);
        }
    }

    /// Takes back the blocks of calls that nobody needs any more.
    pub fn reuse(&mut self, steps: Steps) {
        self.take_back(steps.last);
        steps.full.into_iter().for_each(|block| self.take_back(block));
    }
}

/// Writes a call; tells how many words it takes.
///
/// Whatever a word would be is written, and stepped over only if it is needed: that costs less than to ask.
#[inline(always)]
fn pack(step: &Step, words: &mut [u64; MOST_WORDS]) -> usize {
    let pairs: [u64; PAIR_WORDS] = std::array::from_fn(|place| {
        u64::from(step.pairs[2 * place]) | u64::from(step.pairs[2 * place + 1]) << 32
    });
    let pair_words = pairs.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
    let has_params = step.params != 0;
    let mut head = u64::from(step.keys) | u64::from(step.rows) << 8 | u64::from(step.flags) << 16;
    head |= (pair_words as u64) << PAIRS | u64::from(has_params) << PARAMS | step.duration << DURATION;
    words[1..5].copy_from_slice(&[step.time.0 as u64, step.at, step.fingerprint, step.params]);
    let mut used = 4 + usize::from(has_params);
    words[used..used + PAIR_WORDS].copy_from_slice(&pairs);
    used += pair_words;
    if step.route | step.tag | u64::from(step.ignore) | step.duration >> DURATION != 0 {
        used = pack_rare(step, words, used, &mut head);
    }
    words[0] = head;
    used
}

/// Writes what most calls do not have.
#[cold]
#[inline(never)]
fn pack_rare(step: &Step, words: &mut [u64; MOST_WORDS], mut used: usize, head: &mut u64) -> usize {
    if step.route | step.tag | u64::from(step.ignore) != 0 {
        *head |= 1 << LABELS;
        words[used..used + 3].copy_from_slice(&[step.route, step.tag, u64::from(step.ignore)]);
        used += 3;
    }
    if step.duration >> DURATION != 0 {
        *head |= 1 << LONG;
        words[used] = step.duration;
        used += 1;
    }
    used
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
    let has = |bit: u32| head >> bit & 1 != 0;
    let [keys, rows, flags, ..] = head.to_le_bytes();
    let params = if has(PARAMS) { next()? } else { 0 };
    let mut pairs = [0; MOST_PAIRS];
    for two in pairs.chunks_mut(2).take((head >> PAIRS & 7) as usize) {
        let word = next()?;
        two[0] = word as u32;
        two[1] = (word >> 32) as u32;
    }
    let [route, tag, ignore] = if has(LABELS) { [next()?, next()?, next()?] } else { [0; 3] };
    let duration = if has(LONG) { next()? } else { head >> DURATION };
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
        if self.last.room().is_none() {
            self.make_room(spare);
        }
        if let Some(room) = self.last.room() {
            self.last.used += pack(step, room);
            self.len += 1;
        }
    }

    /// Room for one call.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, spare: &mut Spare) {
        let full = self.last.used + MOST_WORDS > BLOCK;
        if full || self.last.used == 0 {
            let block = std::mem::replace(&mut self.last, spare.block());
            if full {
                self.full.push(block);
            }
        }
        // Another full block is likely to follow.
        self.last.grow(if full { BLOCK } else { FEWEST });
    }

    /// The calls that follow.
    pub fn append(&mut self, other: Self, spare: &mut Spare) {
        self.len += other.len;
        for block in other.full.into_iter().chain([other.last]) {
            if self.last.used + block.used > BLOCK {
                self.full.push(std::mem::replace(&mut self.last, block));
                continue;
            }
            self.last.grow(block.used);
            let end = self.last.used + block.used;
            self.last.words[self.last.used..end].copy_from_slice(block.calls());
            self.last.used = end;
            spare.take_back(block);
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

    /// The words of each block.
    fn blocks(&self) -> impl Iterator<Item = &[u64]> {
        self.full.iter().chain([&self.last]).map(Block::calls)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Step> {
        self.blocks().flat_map(|mut rest| {
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
        for mut rest in self.blocks() {
            while let Some((step, behind)) = unpack(rest) {
                room.push(step);
                rest = behind;
            }
        }
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
            prop_assert_eq!(spare.room, spare.blocks.iter().map(Vec::len).sum::<usize>());
        }
    }
}
