//! One value of a statement: where it stands in the text and what it says once unescaped.
//!
//! Serves the parameter hash and `--show-values`. The same value has the same bytes here whether it was written
//! `'it''s'`, `E'it\'s'` or `$$it's$$`, or came as a bound parameter; that is what makes "the same question"
//! recognisable. It knows nothing of statements.

use std::borrow::Cow;

use super::hash::{NULL_HASH, ValueHasher, value_hash};
use super::lexer::{dollar_string, escape_character, string_goes_on};
use super::params::{Param, Params};
use super::swar::{before_byte, load};

/// How a value is written.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// A number; the flag is its sign.
    Number { negative: bool },
    /// `'…'`, `N'…'`.
    Plain,
    /// `E'…'`.
    Escape,
    /// `U&'…'`.
    Unicode,
    /// `B'…'`, `X'…'`.
    Bits,
    /// `$tag$…$tag$`.
    Dollar,
    /// `$1`.
    Parameter,
    /// NULL.
    Null,
    /// TRUE.
    True,
    /// FALSE.
    False,
    /// A name that stands for a value: a savepoint, a cursor, a setting.
    Name,
    /// `interval '1' day`: a string whose unit stands outside the quotes.
    Interval,
}

/// A value as it stands in a statement.
#[derive(Copy, Clone, Debug)]
pub(super) struct Literal<'a> {
    pub(super) form: Form,
    /// The text of the token, without sign and type.
    pub(super) text: &'a [u8],
}

impl<'a> Literal<'a> {
    /// The value as text, `None` for NULL, or `Err` when it is a parameter that nobody logged.
    pub(super) fn value(&self, params: Option<&Params<'a>>) -> Result<Option<Cow<'a, [u8]>>, Unknown> {
        let mut whole = Vec::new();
        let mut single: Option<&'a [u8]> = None;
        let known = self.pieces(params, |piece| match piece {
            Piece::Borrowed(bytes) if whole.is_empty() && single.is_none() => single = Some(bytes),
            Piece::Borrowed(bytes) => {
                whole.extend_from_slice(single.take().unwrap_or_default());
                whole.extend_from_slice(bytes);
            }
            Piece::Made(bytes) => {
                whole.extend_from_slice(single.take().unwrap_or_default());
                whole.extend_from_slice(bytes);
            }
        })?;
        let value = single.map_or(Cow::Owned(whole), Cow::Borrowed);
        Ok(known.then_some(value))
    }

    /// The value's word in the parameter hash, `None` when it is not known.
    pub(super) fn hash(&self, params: Option<&Params<'_>>) -> Option<u64> {
        let mut hasher = ValueHasher::new();
        let known = self.pieces(params, |piece| match piece {
            Piece::Borrowed(bytes) | Piece::Made(bytes) => hasher.write(bytes),
        });
        match known {
            Ok(true) => Some(hasher.finish()),
            Ok(false) => Some(NULL_HASH),
            Err(Unknown) => None,
        }
    }

    /// Hands over the value's bytes in order; false when it is NULL.
    fn pieces<'p>(
        &self,
        params: Option<&Params<'p>>,
        mut take: impl FnMut(Piece<'p, '_>),
    ) -> Result<bool, Unknown>
    where
        'a: 'p,
    {
        match self.form {
            Form::Number { negative } => {
                if negative {
                    take(Piece::Made(b"-"));
                }
                if is_plain_number(self.text) {
                    take(Piece::Borrowed(self.text));
                } else {
                    take(Piece::Made(&canonical_number(self.text)));
                }
            }
            Form::Plain => quoted_pieces(self.text, |piece| take(Piece::Borrowed(piece))),
            Form::Bits => {
                if self.text[0] | 0x20 == b'x' {
                    take(Piece::Made(b"x"));
                }
                quoted_pieces(self.text, |piece| take(Piece::Borrowed(piece)));
            }
            Form::Escape => escape_pieces(self.text, |piece| take(Piece::Made(piece))),
            Form::Unicode => take(Piece::Made(&unicode_value(self.text))),
            Form::Dollar => {
                let body =
                    dollar_string(self.text, 0).map_or(self.text, |b| &self.text[b.body_start..b.body_end]);
                take(Piece::Borrowed(body));
            }
            Form::Parameter => {
                let number = std::str::from_utf8(&self.text[1..]).ok().and_then(|digits| digits.parse().ok());
                match (params, number) {
                    (Some(params), Some(number)) => match params.get(number) {
                        Some(Param::Null) => return Ok(false),
                        Some(Param::Text(quoted)) => {
                            doubled_pieces(quoted, |piece| take(Piece::Borrowed(piece)))
                        }
                        None => return Err(Unknown),
                    },
                    _ => return Err(Unknown),
                }
            }
            Form::Null => return Ok(false),
            Form::True => take(Piece::Made(b"t")),
            Form::False => take(Piece::Made(b"f")),
            Form::Name => name_pieces(self.text, |piece| take(Piece::Made(piece))),
            Form::Interval => interval_pieces(self.text, |piece| take(Piece::Made(piece))),
        }
        Ok(true)
    }
}

/// A parameter whose value is not in the log.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) struct Unknown;

/// Part of a value: bytes of the text, or bytes that unescaping made.
enum Piece<'a, 'b> {
    Borrowed(&'a [u8]),
    Made(&'b [u8]),
}

/// The hash of a parameter as it was logged.
pub(super) fn param_hash(param: Param<'_>) -> u64 {
    match param {
        Param::Null => NULL_HASH,
        Param::Text(quoted) if is_simple(quoted) => value_hash(quoted),
        Param::Text(quoted) => {
            let mut hasher = ValueHasher::new();
            doubled_pieces(quoted, |piece| hasher.write(piece));
            hasher.finish()
        }
    }
}

/// Is there no quote in it? Most values are shorter than a call of `memchr` is worth.
#[inline]
fn is_simple(quoted: &[u8]) -> bool {
    if quoted.len() <= 8 {
        return before_byte(load(quoted, 0), b'\'') == 8;
    }
    memchr::memchr(b'\'', quoted).is_none()
}

/// A number that already reads as PostgreSQL would print it: digits, at most one point inside, no leading zero.
pub(super) fn is_plain_number(text: &[u8]) -> bool {
    let inside = |at: Option<usize>| at.is_none_or(|at| at > 0 && at + 1 < text.len());
    let zero_first = text.len() > 1 && text[0] == b'0' && text[1] != b'.';
    !zero_first
        && text.iter().all(|b| b.is_ascii_digit() || *b == b'.')
        && inside(text.iter().position(|b| *b == b'.'))
}

/// The canonical text of a number: `1_000` is `1000`, `0x1F` is `31`, `007` is `7`, `.5` is `0.5`, `5.` is `5`,
/// `1E3` is `1e3`. Exponents stay: their value depends on the type that the number is read as.
pub(super) fn canonical_number(text: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = text.iter().filter(|b| **b != b'_').map(u8::to_ascii_lowercase).collect();
    let radix = match digits.get(..2) {
        Some(b"0x") => 16,
        Some(b"0o") => 8,
        Some(b"0b") => 2,
        _ => 10,
    };
    if radix != 10 {
        let value = std::str::from_utf8(&digits[2..]).ok().and_then(|d| u128::from_str_radix(d, radix).ok());
        return value.map_or(digits, |value| value.to_string().into_bytes());
    }
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    let rest = &digits[zeros..];
    let mut canonical = Vec::with_capacity(digits.len() + 1);
    if !rest.first().is_some_and(u8::is_ascii_digit) {
        canonical.push(b'0');
    }
    canonical.extend_from_slice(rest);
    if canonical.last() == Some(&b'.') {
        canonical.pop();
    }
    canonical
}

/// The value of `'…'` with any one-letter prefix: quotes undoubled, continuations joined, an open end allowed.
pub(super) fn quoted_pieces<'a>(text: &'a [u8], mut take: impl FnMut(&'a [u8])) {
    let mut at = memchr::memchr(b'\'', text).map_or(text.len(), |open| open + 1);
    let mut from = at;
    while let Some(quote) = memchr::memchr(b'\'', &text[at..]).map(|found| at + found) {
        if text.get(quote + 1) == Some(&b'\'') {
            take(&text[from..=quote]);
            at = quote + 2;
        } else {
            take(&text[from..quote]);
            match string_goes_on(text, quote + 1) {
                Some(reopened) => at = reopened + 1,
                None => return,
            }
        }
        from = at;
    }
    take(&text[from..]);
}

/// The value of a bound parameter: quotes undoubled.
fn doubled_pieces<'a>(quoted: &'a [u8], mut take: impl FnMut(&'a [u8])) {
    let mut from = 0;
    while let Some(quote) = memchr::memchr(b'\'', &quoted[from..]).map(|found| from + found) {
        take(&quoted[from..=quote]);
        from = (quote + 2).min(quoted.len());
    }
    take(&quoted[from..]);
}

/// The value of `E'…'`.
pub(super) fn escape_pieces(text: &[u8], mut take: impl FnMut(&[u8])) {
    let mut at = memchr::memchr(b'\'', text).map_or(text.len(), |open| open + 1);
    loop {
        let stop = memchr::memchr2(b'\'', b'\\', &text[at..]).map_or(text.len(), |found| at + found);
        take(&text[at..stop]);
        if stop + 1 >= text.len() {
            return;
        }
        let next = text[stop + 1];
        at = stop + 2;
        if text[stop] == b'\'' {
            if next == b'\'' {
                take(b"'");
                continue;
            }
            match string_goes_on(text, stop + 1) {
                Some(reopened) => at = reopened + 1,
                None => return,
            }
            continue;
        }
        match next {
            b'b' => take(b"\x08"),
            b'f' => take(b"\x0c"),
            b'n' => take(b"\n"),
            b'r' => take(b"\r"),
            b't' => take(b"\t"),
            b'v' => take(b"\x0b"),
            b'0'..=b'7' => {
                let (code, digits) = radix_run(&text[stop + 1..], 8, 3);
                take(&[code as u8]);
                at = stop + 1 + digits;
            }
            b'x' if text.get(at).is_some_and(u8::is_ascii_hexdigit) => {
                let (code, digits) = radix_run(&text[at..], 16, 2);
                take(&[code as u8]);
                at += digits;
            }
            b'u' | b'U' => {
                let unit = |at: usize| -> Option<(u32, usize)> {
                    let wanted = match text.get(at..at + 2)? {
                        b"\\u" => 4,
                        b"\\U" => 8,
                        _ => return None,
                    };
                    let (code, digits) = radix_run(&text[at + 2..], 16, wanted);
                    (digits == wanted).then_some((code, at + 2 + wanted))
                };
                if let Some((scalar, end)) = unicode_escape(stop, unit) {
                    let mut utf8 = [0; 4];
                    take(scalar.encode_utf8(&mut utf8).as_bytes());
                    at = end;
                } else {
                    take(&[next]);
                }
            }
            other => take(&[other]),
        }
    }
}

/// Up to `most` digits read in a radix: their number and how many there were.
fn radix_run(text: &[u8], radix: u32, most: usize) -> (u32, usize) {
    let digits = text.iter().take(most).map_while(|b| char::from(*b).to_digit(radix));
    digits.fold((0_u32, 0), |(code, n), digit| (code.wrapping_mul(radix).wrapping_add(digit), n + 1))
}

/// The character of the escape at `at`, and where it ends; two for one outside of the basic plane. `unit` reads one
/// escape.
fn unicode_escape(at: usize, unit: impl Fn(usize) -> Option<(u32, usize)>) -> Option<(char, usize)> {
    let (first, end) = unit(at)?;
    if let (0xD800..=0xDBFF, Some((second @ 0xDC00..=0xDFFF, end))) = (first, unit(end))
        && let Some(scalar) = char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    {
        return Some((scalar, end));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), end))
}

/// The value of `U&'…'`, with the escape character of its UESCAPE clause.
fn unicode_value(text: &[u8]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(text.len());
    quoted_pieces(text, |piece| raw.extend_from_slice(piece));
    unicode_unescaped(&raw, escape_character(text).unwrap_or(b'\\'))
}

/// The text of `U&'…'` or `U&"…"`, without its quotes and with this escape character.
pub(super) fn unicode_unescaped(raw: &[u8], escape: u8) -> Vec<u8> {
    let unit = |at: usize| -> Option<(u32, usize)> {
        if raw.get(at) != Some(&escape) {
            return None;
        }
        let (skip, wanted) = if raw.get(at + 1) == Some(&b'+') { (2, 6) } else { (1, 4) };
        let (code, digits) = radix_run(raw.get(at + skip..)?, 16, wanted);
        (digits == wanted).then_some((code, at + skip + wanted))
    };
    let mut value = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        if raw[at] == escape && raw.get(at + 1) == Some(&escape) {
            value.push(escape);
            at += 2;
        } else if let Some((scalar, end)) = unicode_escape(at, unit) {
            let mut utf8 = [0; 4];
            value.extend_from_slice(scalar.encode_utf8(&mut utf8).as_bytes());
            at = end;
        } else {
            value.push(raw[at]);
            at += 1;
        }
    }
    value
}

/// A name's value: folded when it has no quotes, as it stands when it has.
fn name_pieces(text: &[u8], mut take: impl FnMut(&[u8])) {
    match text.strip_prefix(b"\"") {
        Some(rest) => take(rest.strip_suffix(b"\"").unwrap_or(rest)),
        None => take(&text.to_ascii_lowercase()),
    }
}

/// `'1' day` says the same as `'1 day'`.
fn interval_pieces(text: &[u8], mut take: impl FnMut(&[u8])) {
    quoted_pieces(text, &mut take);
    let close = memchr::memrchr(b'\'', text).map_or(text.len(), |at| at + 1);
    for word in text[close..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        take(b" ");
        take(&word.to_ascii_lowercase());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: Form, text: &str, expected: &str) {
        let literal = Literal { form, text: text.as_bytes() };
        let value = literal.value(None).unwrap().expect("no NULL here");
        assert_eq!(String::from_utf8_lossy(&value), expected, "{text}");
        assert_eq!(literal.hash(None), Some(value_hash(expected.as_bytes())), "{text}");
    }

    #[test]
    fn strings_say_what_they_say() {
        check(Form::Plain, "'it''s'", "it's");
        check(Form::Plain, "''", "");
        check(Form::Plain, "''''", "'");
        check(Form::Plain, r"'C:\'", r"C:\");
        check(Form::Plain, "'cut off", "cut off");
        check(Form::Plain, "N'x'", "x");
        check(Form::Plain, "'a'\n  'b'", "ab");
        check(Form::Escape, r"E'it\'s\n\x41\101\u00e9\\'", "it's\nAA\u{e9}\\");
        check(Form::Escape, r"E'a''b'", "a'b");
        check(Form::Unicode, r"U&'d\0061t\+000061'", "data");
        check(Form::Unicode, "U&'d!0061' UESCAPE '!'", "da");
        check(Form::Unicode, "U&'d!0061' /* 'uescape' */ UESCAPE -- c\n'!'", "da");
        check(Form::Unicode, "U&'uescape!0061'\n'!'", "uescape!0061!");
        for text in [r"E'\uD83D\uDE00'", r"E'\U0000D83D\U0000DE00'", r"E'\U0001F600'"] {
            check(Form::Escape, text, "\u{1F600}");
        }
        check(Form::Escape, r"E'\uD83D\u0041\uDE00'", "\u{FFFD}A\u{FFFD}");
        for text in [r"U&'\D83D\DE00'", r"U&'\D83D\+00DE00'", "U&'!D83D!DE00' UESCAPE '!'"] {
            check(Form::Unicode, text, "\u{1F600}");
        }
        check(Form::Unicode, r"U&'\D83Dx'", "\u{FFFD}x");
        check(Form::Dollar, "$x$it's$x$", "it's");
        check(Form::Dollar, "$x$cut", "cut");
        check(Form::Bits, "B'101'", "101");
        check(Form::Bits, "X'1F'", "x1F");
        check(Form::Interval, "'1' Year to  month", "1 year to month");
    }

    #[test]
    fn numbers_have_one_spelling() {
        for (text, canonical) in [
            ("42", "42"),
            ("0", "0"),
            ("007", "7"),
            ("1_000", "1000"),
            ("0x1F", "31"),
            ("0b1", "1"),
            ("0o17", "15"),
            (".5", "0.5"),
            ("5.", "5"),
            ("0.50", "0.50"),
            ("1E3", "1e3"),
        ] {
            check(Form::Number { negative: false }, text, canonical);
            check(Form::Number { negative: true }, text, &format!("-{canonical}"));
        }
    }

    #[test]
    fn truth_is_as_it_is_bound() {
        check(Form::True, "TRUE", "t");
        check(Form::False, "false", "f");
        let null = Literal { form: Form::Null, text: b"NULL" };
        assert_eq!(null.value(None).unwrap(), None);
        assert_eq!(null.hash(None), Some(NULL_HASH));
    }
}
