//! The hash behind `fp1`: how canonical tokens and values become 64 bits.
//!
//! It serves the fast digest and the reference alike and knows nothing of SQL. It is written out here, and in
//! docs/fingerprint.md, because fingerprints are stored in baselines: no platform, no seed and no dependency may
//! have a say in them.

use std::fmt;

/// Where the chain of a fingerprint starts; the letters `pglens:1`.
const START: u64 = u64::from_le_bytes(*b"pglens:1");
/// Where the chain of a parameter hash and of each value starts; the letters `values:1`.
const START_VALUES: u64 = u64::from_le_bytes(*b"values:1");
/// The multiplier of every link: an odd number with its bits well spread (the golden ratio's first 64 bits).
const LINK: u64 = 0x9E37_79B9_7F4A_7C15;
/// The multiplier of the last step, so that a chain and its continuation share no structure.
const SEAL: u64 = 0xD6E8_FEB8_6659_FD93;

/// The identity of a statement without its values: 64 bits, shown as 16 hex digits.
///
/// Version `fp1`, defined in docs/fingerprint.md. Equal on every machine and in every release.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Default)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// The version of the definition, stored beside fingerprints wherever they are kept.
    pub const VERSION: &'static str = "fp1";

    /// Reads the 16 hex digits that `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(Fingerprint)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The hashes of a statement's first values, in the order of the parameter hash: what it asked for, value by value.
#[derive(Copy, Clone, Debug, Default)]
pub struct ValueHashes {
    count: u32,
    /// What is beyond the count means nothing.
    first: [u64; Self::MOST],
}

impl PartialEq for ValueHashes {
    fn eq(&self, other: &Self) -> bool {
        let kept = Self::MOST.min(self.count());
        self.count == other.count && self.first[..kept] == other.first[..kept]
    }
}

impl Eq for ValueHashes {}

impl ValueHashes {
    /// Hashes that are kept.
    pub const MOST: usize = 8;

    /// How many values there are, kept or not.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// The hash of a value, counted from 0.
    pub fn get(&self, place: usize) -> Option<u64> {
        (place < self.count()).then(|| self.first.get(place).copied()).flatten()
    }

    /// Forgets them.
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    /// The next value.
    #[inline(always)]
    pub(super) fn push(&mut self, hash: u64) {
        if let Some(slot) = self.first.get_mut(self.count as usize) {
            *slot = hash;
        }
        self.count += 1;
    }
}

/// The two halves of a 128-bit product, folded into one word.
#[inline(always)]
const fn fold(word: u64, multiplier: u64) -> u64 {
    let product = word as u128 * multiplier as u128;
    (product as u64) ^ (product >> 64) as u64
}

/// A chain over 64-bit words. `Copy`, so that a caller may keep a state and come back to it: that is how a list
/// of values becomes one value without a second pass.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) struct Chain(u64);

impl Chain {
    /// The chain of a fingerprint, before its first token.
    pub(super) const fn tokens() -> Self {
        Chain(START)
    }

    /// The chain of a parameter hash, before its first value.
    pub(super) const fn values() -> Self {
        Chain(START_VALUES)
    }

    /// No chain: what fills a place until there is one.
    pub(super) const fn none() -> Self {
        Chain(0)
    }

    /// Adds one word.
    #[inline(always)]
    pub(super) const fn link(self, word: u64) -> Self {
        Chain(fold(self.0 ^ word, LINK))
    }

    /// After the values of a folded list, how many elements it has: two lists side by side keep their border. One
    /// value or row adds nothing; `nested`, whose elements are lists themselves, always adds, or `[[1], [2]]` would
    /// be `[[1, 2]]`.
    #[inline(always)]
    pub(super) const fn list(self, count: u32, nested: bool) -> Self {
        if count > 1 || nested { self.link(count as u64) } else { self }
    }

    /// Adds one token: its bytes, then at least one zero byte, up to a whole number of words. Tokens hold no
    /// zero byte, so the words of a statement read back in one way only.
    pub(super) fn token(mut self, bytes: &[u8]) -> Self {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self = self.link(le_word(chunk));
        }
        self.link(le_word(chunks.remainder()))
    }

    /// The 64 bits, once everything is in.
    #[inline(always)]
    pub(super) const fn seal(self) -> u64 {
        fold(self.0, SEAL)
    }
}

/// Up to eight bytes as one little-endian word, zeros above.
#[inline(always)]
pub(super) fn le_word(bytes: &[u8]) -> u64 {
    let byte = |at: usize| u64::from(bytes[at]) << (8 * at);
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // Two halves, which may overlap.
        (Some(first), Some(last)) => {
            let high = u64::from(u32::from_le_bytes(*last)) << (8 * (bytes.len().min(8) - 4));
            u64::from(u32::from_le_bytes(*first)) | high
        }
        // Three bytes, which may be the same.
        _ if !bytes.is_empty() => byte(0) | byte(bytes.len() / 2) | byte(bytes.len() - 1),
        _ => 0,
    }
}

/// The hash of one value, fed in pieces: `it''s` arrives as `it'` and `s` and hashes like the bound `it's`.
pub(super) struct ValueHasher {
    chain: Chain,
    pending: u64,
    len: u64,
}

impl ValueHasher {
    /// A value of no bytes yet.
    pub(super) const fn new() -> Self {
        ValueHasher { chain: Chain::values(), pending: 0, len: 0 }
    }

    /// Adds bytes of the value.
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        while !self.len.is_multiple_of(8) {
            let Some((first, rest)) = bytes.split_first() else { return };
            self.pending |= u64::from(*first) << (8 * (self.len % 8));
            self.len += 1;
            if self.len.is_multiple_of(8) {
                self.chain = self.chain.link(self.pending);
                self.pending = 0;
            }
            bytes = rest;
        }
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.chain = self.chain.link(le_word(chunk));
        }
        self.pending = le_word(chunks.remainder());
        self.len += bytes.len() as u64;
    }

    /// The word that stands for the value in a parameter hash.
    pub(super) fn finish(self) -> u64 {
        self.chain.link(self.pending).link(self.len).seal()
    }
}

/// The hash of a value whose bytes lie in one piece.
#[inline]
pub(super) fn value_hash(bytes: &[u8]) -> u64 {
    let mut chain = Chain::values();
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        chain = chain.link(le_word(chunk));
    }
    chain.link(le_word(chunks.remainder())).link(bytes.len() as u64).seal()
}

/// The hash of NULL: no string has it, because no string has this length.
pub(super) const NULL_HASH: u64 = Chain::values().link(u64::MAX).link(u64::MAX).seal();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_pieces_hashes_like_the_whole() {
        let value = b"the quick brown fox jumps over the lazy dog";
        for cut in 0..value.len() {
            for second in cut..value.len() {
                let mut pieces = ValueHasher::new();
                pieces.write(&value[..cut]);
                pieces.write(&value[cut..second]);
                pieces.write(&value[second..]);
                assert_eq!(pieces.finish(), value_hash(value));
            }
        }
    }

    #[test]
    fn words_of_any_length() {
        let bytes = b"\xf1\xe2\xd3\xc4\xb5\xa6\x97\x88";
        for len in 0..=8 {
            let expected = bytes[..len].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
            assert_eq!(le_word(&bytes[..len]), expected, "{len}");
        }
    }

    #[test]
    fn token_borders_count() {
        let chain = Chain::tokens();
        assert_ne!(chain.token(b"abcdefgh").token(b"ij"), chain.token(b"abcdefghij"));
        assert_ne!(chain.token(b"a").token(b"b"), chain.token(b"ab"));
    }

    #[test]
    fn null_is_no_string() {
        for text in [&b""[..], b"NULL", b"null", b"\xff\xff\xff\xff\xff\xff\xff\xff"] {
            assert_ne!(value_hash(text), NULL_HASH);
        }
    }

    #[test]
    fn sixteen_digits_both_ways() {
        let fingerprint = Fingerprint(0x00ab);
        assert_eq!(fingerprint.to_string(), "00000000000000ab");
        assert_eq!(Fingerprint::parse("00000000000000ab"), Some(fingerprint));
        assert_eq!(Fingerprint::parse("ab"), None);
        assert_eq!(Fingerprint::parse("+0000000000000ab"), None);
    }
}
