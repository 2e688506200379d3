//! Places of one or two bytes in a text where they stand close together: quotes and backslashes in generated SQL.
//!
//! `memchr` is the fastest way over long stretches without a hit, and pays for each hit; here 64 bytes become one
//! word of bits, and a hit costs a few instructions. Written with plain arithmetic on words of eight bytes.

/// Every byte of the word the same.
const fn splat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The high bit of each byte of `word` that is zero. Exact: no carry crosses a byte.
const fn zero_bytes(word: u64) -> u64 {
    const LOW: u64 = splat(0x7F);
    !(((word & LOW) + LOW) | word | LOW)
}

/// Iterates over the positions of two needles (the same one twice for a single needle), in order.
#[derive(Debug, Clone)]
pub(crate) struct Marks<'t> {
    text: &'t [u8],
    /// Where the next block begins.
    next: usize,
    /// Hits in the block before `next` that were not handed out.
    hits: u64,
    a: u64,
    b: u64,
}

impl<'t> Marks<'t> {
    /// Hits from `from` on.
    pub(crate) fn new(text: &'t [u8], from: usize, a: u8, b: u8) -> Self {
        Self { text, next: from, hits: 0, a: splat(a), b: splat(b) }
    }

    /// One bit a byte of the block, the first byte lowest.
    #[inline]
    fn block(&self, block: &[u8; 64]) -> u64 {
        // Each byte is 0 or 1; the product moves byte i to bit 56 + i.
        const GATHER: u64 = 0x0102_0408_1020_4080;
        let mut hits = 0;
        for (index, bytes) in block.as_chunks::<8>().0.iter().enumerate() {
            let word = u64::from_le_bytes(*bytes);
            let found = (zero_bytes(word ^ self.a) | zero_bytes(word ^ self.b)) >> 7;
            hits |= (found.wrapping_mul(GATHER) >> 56) << (index * 8);
        }
        hits
    }
}

impl Iterator for Marks<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.hits == 0 {
            let rest = self.text.get(self.next..)?;
            if rest.is_empty() {
                return None;
            }
            self.hits = match rest.first_chunk::<64>() {
                Some(block) => self.block(block),
                None => {
                    // Zeros after the end: no needle is zero.
                    let mut block = [0; 64];
                    block[..rest.len()].copy_from_slice(rest);
                    self.block(&block)
                }
            };
            self.next += 64;
        }
        let at = self.next - 64 + self.hits.trailing_zeros() as usize;
        self.hits &= self.hits - 1;
        Some(at)
    }
}

/// The first of two needles from `from` on. Most texts of a log's frame are shorter than a call of `memchr` is worth.
#[inline]
pub(crate) fn find2(text: &[u8], from: usize, a: u8, b: u8) -> Option<usize> {
    let rest = text.get(from..)?;
    let mut at = 0;
    for bytes in rest.as_chunks::<8>().0.iter().take(4) {
        let word = u64::from_le_bytes(*bytes);
        let found = zero_bytes(word ^ splat(a)) | zero_bytes(word ^ splat(b));
        if found != 0 {
            return Some(from + at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr::memchr2(a, b, &rest[at..]).map(|len| from + at + len)
}

/// Room behind a text that [`copy`] may write into.
pub(crate) const SLACK: usize = 32;

/// Copies `from[at..at + len]` to `to[place..]`; short pieces as one block, whatever follows them is overwritten
/// later. `to` has [`SLACK`] bytes more than it needs.
#[inline]
pub(crate) fn copy(from: &[u8], at: usize, len: usize, to: &mut [u8], place: usize) {
    if len <= SLACK
        && let Some(block) = from.get(at..).and_then(<[u8]>::first_chunk::<SLACK>)
        && let Some(room) = to.get_mut(place..).and_then(<[u8]>::first_chunk_mut::<SLACK>)
    {
        *room = *block;
    } else {
        to[place..place + len].copy_from_slice(&from[at..at + len]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn marks_are_where_the_needles_are(
            text in proptest::collection::vec(proptest::sample::select(&b"ab\"\n\x00\x80\xA2\x23"[..]), 0..300),
            from in 0usize..300,
        ) {
            let from = from.min(text.len());
            let expected: Vec<usize> =
                (from..text.len()).filter(|&at| matches!(text[at], b'"' | b'\n')).collect();
            prop_assert_eq!(find2(&text, from, b'"', b'\n'), expected.first().copied());
            prop_assert_eq!(Marks::new(&text, from, b'"', b'\n').collect::<Vec<_>>(), expected);
        }
    }
}
