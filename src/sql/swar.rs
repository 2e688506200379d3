//! Eight bytes at a time: where a name ends, and its letters folded, without looking at bytes one by one.
//!
//! Arithmetic inside one machine word, for the fast digest. Each byte of a word is a lane; tests answer in the
//! lane's high bit. Additions never carry into the next lane, because the high bits are cleared first.

use super::hash::le_word;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The same byte in each lane.
const fn each(b: u8) -> u64 {
    ONES * b as u64
}

/// High bits of the lanes of `word` (high bits clear) that are at least `b`.
#[inline(always)]
const fn at_least(word: u64, b: u8) -> u64 {
    word + each(0x80 - b)
}

/// High bits of the lanes of `word` (high bits clear) that equal `b`; other bits are noise.
#[inline(always)]
const fn equal(word: u64, b: u8) -> u64 {
    HIGH - (word ^ each(b))
}

/// Eight bytes of a name, or of what follows it.
#[derive(Copy, Clone)]
pub(super) struct NameWord {
    /// How many bytes from the first on belong to a name: letters, digits, `_`, `$`, bytes above ASCII.
    pub(super) len: usize,
    /// Those bytes with ASCII letters in lower case, zeros above.
    pub(super) folded: u64,
    /// Were there letters in upper case among them?
    pub(super) upper: bool,
}

/// The lanes before the first one whose high bit is set, in a word of high bits: ones in each of them.
#[inline(always)]
const fn before_first(high: u64) -> u64 {
    // The lowest bit alone, moved to the lowest bit of its lane, less one; without any, all ones.
    ((high & high.wrapping_neg()) >> 7).wrapping_sub(1)
}

/// Lanes from the first on.
#[derive(Copy, Clone)]
pub(super) struct Lanes {
    /// How many.
    pub(super) len: usize,
    /// What they hold, zeros above.
    pub(super) word: u64,
}

impl Lanes {
    /// Those before the first one whose bit in `high` is set.
    #[inline(always)]
    fn before(high: u64, word: u64) -> Self {
        Self { len: (high.trailing_zeros() / 8) as usize, word: word & before_first(high) }
    }
}

/// Reads eight bytes as part of a name.
#[inline(always)]
pub(super) fn name_word(word: u64) -> NameWord {
    let low = word & !HIGH;
    let letters = low | each(0x20);
    let letter = at_least(letters, b'a') & !at_least(letters, b'z' + 1) & !word & HIGH;
    let digit = at_least(low, b'0') & !at_least(low, b'9' + 1);
    let name = letter | digit | equal(low, b'_') | equal(low, b'$') | word;
    // The bit that tells a small letter from a capital, in each letter.
    let small = letter >> 2;
    let Lanes { len, word: folded } = Lanes::before(!name & HIGH, word | small);
    let upper = folded & small & !word != 0;
    NameWord { len, folded, upper }
}

/// The lanes from the first on that are digits.
#[inline(always)]
pub(super) fn digits(word: u64) -> Lanes {
    let low = word & !HIGH;
    let digit = at_least(low, b'0') & !at_least(low, b'9' + 1) & !word;
    Lanes::before(!digit & HIGH, word)
}

/// The lanes from the first on that surely hold no value: no digit, quote or minus stands there.
#[inline(always)]
pub(super) fn before_value(word: u64) -> Lanes {
    let low = word & !HIGH;
    let digit = at_least(low, b'0') & !at_least(low, b'9' + 1);
    let value = (digit | equal(low, b'\'') | equal(low, b'-')) & !word & HIGH;
    Lanes::before(value, word)
}

/// Ones in the lowest `len` lanes.
#[inline(always)]
pub(super) const fn keep(len: usize) -> u64 {
    if len >= 8 { u64::MAX } else { (1 << (8 * len)) - 1 }
}

/// How many lanes stand before the first that equals `b`; eight when none does.
#[inline(always)]
pub(super) fn before_byte(word: u64, b: u8) -> usize {
    let differs = word ^ each(b);
    // The lowest lane found is exact; a borrow can only disturb lanes above it.
    let found = differs.wrapping_sub(ONES) & !differs & HIGH;
    (found.trailing_zeros() / 8) as usize
}

/// Eight bytes from `at`, zeros after the end.
#[inline(always)]
pub(super) fn load(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => load_end(bytes, at),
    }
}

/// Near the end: the last eight bytes, with those before `at` shifted out.
#[inline(never)]
fn load_end(bytes: &[u8], at: usize) -> u64 {
    let left = bytes.len().saturating_sub(at);
    match bytes.last_chunk::<8>() {
        Some(_) if left == 0 => 0,
        Some(last) => u64::from_le_bytes(*last) >> (8 * (8 - left)),
        None => le_word(bytes.get(at..).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lexer::is_name;

    #[test]
    fn every_byte_in_every_lane() {
        for b in 0..=255_u8 {
            for lane in 0..8 {
                let mut bytes = *b"aB3_$\xc3Zz";
                bytes[lane] = b;
                let word = name_word(u64::from_le_bytes(bytes));
                let len = bytes.iter().take_while(|b| is_name(**b)).count();
                let mut folded = [0; 8];
                folded[..len].copy_from_slice(&bytes[..len].to_ascii_lowercase());
                assert_eq!(word.len, len, "{b:#x} in lane {lane}");
                assert_eq!(word.folded, u64::from_le_bytes(folded), "{b:#x} in lane {lane}");
                let count = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
                assert_eq!(digits(u64::from_le_bytes(bytes)).len, count);
                assert_eq!(digits(u64::from_le_bytes(bytes)).word, load(&bytes[..count], 0));
                assert_eq!(word.upper, bytes[..len].iter().any(u8::is_ascii_uppercase));
                let value = |b: &u8| b.is_ascii_digit() || matches!(b, b'\'' | b'-');
                let count = bytes.iter().position(value).unwrap_or(8);
                assert_eq!(before_value(u64::from_le_bytes(bytes)).len, count);
                assert_eq!(before_value(u64::from_le_bytes(bytes)).word, load(&bytes[..count], 0));
            }
        }
    }

    #[test]
    fn the_first_of_a_byte() {
        for b in 0..=255_u8 {
            for lane in 0..8 {
                let mut bytes = *b"\x26\x28\x00\x27\xa7\xff\x01\x20";
                bytes[lane] = b;
                let expected = bytes.iter().position(|found| *found == b'\'').unwrap_or(8);
                assert_eq!(before_byte(u64::from_le_bytes(bytes), b'\''), expected);
            }
        }
    }

    #[test]
    fn zeros_after_the_end() {
        assert_eq!(load(b"abc", 0), u64::from_le_bytes(*b"abc\0\0\0\0\0"));
        assert_eq!(load(b"abcdefgh", 1), u64::from_le_bytes(*b"bcdefgh\0"));
        assert_eq!(load(b"abc", 3), 0);
        assert_eq!(load(b"abc", 9), 0);
        assert_eq!(load(b"abcdefgh", 7), u64::from(b'h'));
        assert_eq!(load(b"abcdefgh", 8), 0);
        assert_eq!(load(b"abcdefgh", 20), 0);
    }
}
