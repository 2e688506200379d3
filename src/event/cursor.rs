//! A cursor over a message: each step takes what it expects from the front, or answers `None` and stays usable.
//!
//! For the parsers of this folder only. It knows numbers and fixed words, nothing of what they mean.

use crate::units::Micros;

/// What is left of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// What is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Steps over `word`, which must come next.
    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(word.as_bytes())?;
        Some(())
    }

    /// What comes before the first `word`; steps over both.
    pub(super) fn until(&mut self, word: &str) -> Option<&'a [u8]> {
        let at = memchr::memmem::find(self.rest, word.as_bytes())?;
        let (before, after) = (&self.rest[..at], &self.rest[at + word.len()..]);
        self.rest = after;
        Some(before)
    }

    /// What comes before the last `word`; steps over both.
    pub(super) fn until_last(&mut self, word: &str) -> Option<&'a [u8]> {
        let at = memchr::memmem::rfind(self.rest, word.as_bytes())?;
        let (before, after) = (&self.rest[..at], &self.rest[at + word.len()..]);
        self.rest = after;
        Some(before)
    }

    /// A whole number.
    pub(super) fn number(&mut self) -> Option<u64> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at(digits);
        let number = whole(number)?;
        self.rest = rest;
        Some(number)
    }

    /// A whole number that fits a process id.
    pub(super) fn pid(&mut self) -> Option<u32> {
        self.number().and_then(|number| number.try_into().ok())
    }

    /// A decimal number times 10^`places`; further decimals are dropped.
    pub(super) fn decimal(&mut self, places: u32) -> Option<u64> {
        let mut value = self.number()?;
        let mut left = places;
        if let Some(fraction) = self.rest.strip_prefix(b".") {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            for digit in &fraction[..digits] {
                if left > 0 {
                    value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
                    left -= 1;
                }
            }
            self.rest = &fraction[digits..];
        }
        value.checked_mul(10_u64.checked_pow(left)?)
    }

    /// `12.345 ms`.
    pub(super) fn millis(&mut self) -> Option<Micros> {
        let micros = self.decimal(3)?;
        self.word(" ms")?;
        Some(Micros(micros))
    }

    /// `12.345 s`; releases before 10 wrote `sec` in places.
    pub(super) fn seconds(&mut self) -> Option<Micros> {
        let micros = self.decimal(6)?;
        self.word(" s")?;
        Some(Micros(micros))
    }
}

/// A number that is nothing but digits.
fn whole(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

/// `12 removed, 3 remain`: each number with the words up to the next comma or semicolon.
pub(super) fn counts(text: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    text.split(|byte| matches!(byte, b',' | b';')).filter_map(|piece| {
        let mut cursor = Cursor::new(piece.trim_ascii());
        let number = cursor.number()?;
        cursor.word(" ")?;
        Some((number, cursor.rest()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_scale_to_whole_numbers() {
        for (text, places, expected) in [
            ("12.345", 3, Some(12_345)),
            ("12.3", 3, Some(12_300)),
            ("12", 3, Some(12_000)),
            ("0.1234567", 6, Some(123_456)),
            (".5", 3, None),
            ("99999999999999999999", 0, None),
            ("9999999999999999999", 6, None),
        ] {
            assert_eq!(Cursor::new(text.as_bytes()).decimal(places), expected, "{text}");
        }
    }

    #[test]
    fn pieces_are_numbers_with_words() {
        let pieces: Vec<(u64, &[u8])> =
            counts(b"0 removed, 561 remain, 1 scanned (0.18% of total); what, 7").collect();
        assert_eq!(pieces, [(0, &b"removed"[..]), (561, b"remain"), (1, b"scanned (0.18% of total)")]);
    }
}
