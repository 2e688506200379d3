//! Plain literals, read and hashed in one go: `42`, `4.2`, `'…'` with nothing to unescape.
//!
//! Serves the fast digest and the templates of recall.rs, which must hash a literal alike. Whatever is not plain is
//! `None` here: the caller knows a longer way.

use super::hash::{Chain, ValueHasher, value_hash};
use super::swar::{Lanes, before_byte, digits, keep, load};
use super::table::{Class, class};

/// Of a number of one to seven digits at `at`: its hash and where it ends. Whether a minus belongs to it, the caller
/// knows.
#[inline(always)]
pub(super) fn short_number(sql: &[u8], at: usize, negative: bool) -> Option<(u64, usize)> {
    let word = load(sql, at);
    let Lanes { len, word: digits } = digits(word);
    if len == 0 || len > 7 {
        return None;
    }
    let after = (word >> (8 * len)) as u8;
    if (word as u8 == b'0' && len > 1) || matches!(class(after), Class::Letter | Class::Dot) {
        return None;
    }
    let (text, bytes) = if negative { ((digits << 8) | u64::from(b'-'), len + 1) } else { (digits, len) };
    let chain = Chain::values().link(text);
    let chain = if bytes == 8 { chain.link(0) } else { chain };
    Some((chain.link(bytes as u64).seal(), at + len))
}

/// Of a number that reads as PostgreSQL would print it, of any length: its hash and where it ends.
#[inline]
pub(super) fn number(sql: &[u8], at: usize, negative: bool) -> Option<(u64, usize)> {
    short_number(sql, at, negative).or_else(|| long_number(sql, at, negative))
}

#[inline(never)]
fn long_number(sql: &[u8], at: usize, negative: bool) -> Option<(u64, usize)> {
    let run = |from: usize| {
        sql.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count())
    };
    let whole = run(at);
    if whole == 0 || (whole > 1 && sql[at] == b'0') {
        return None;
    }
    let mut end = at + whole;
    if sql.get(end) == Some(&b'.') {
        let decimals = run(end + 1);
        if decimals == 0 {
            return None;
        }
        end += 1 + decimals;
    }
    if sql.get(end).is_some_and(|after| matches!(class(*after), Class::Letter | Class::Dot)) {
        return None;
    }
    let text = &sql[at..end];
    if !negative {
        return Some((value_hash(text), end));
    }
    let mut hasher = ValueHasher::new();
    hasher.write(b"-");
    hasher.write(text);
    Some((hasher.finish(), end))
}

/// Of the string whose quote opens at `at`: its hash and where it ends. A doubled quote ends it too: whether the
/// string goes on there, or in another line, the caller looks.
#[inline(always)]
pub(super) fn string(sql: &[u8], at: usize) -> Option<(u64, usize)> {
    let start = at + 1;
    let mut at = start;
    let mut chain = Chain::values();
    loop {
        let word = load(sql, at);
        let before = before_byte(word, b'\'');
        if before < 8 {
            let len = (at + before - start) as u64;
            return Some((chain.link(word & keep(before)).link(len).seal(), at + before + 1));
        }
        if at + 8 > sql.len() {
            return None;
        }
        chain = chain.link(word);
        at += 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_end_where_the_lexer_ends_them() {
        for (text, end) in [
            ("1", Some(1)),
            ("0;", Some(1)),
            ("1234567,", Some(7)),
            ("12345678,", Some(8)),
            ("123456789012345678901234567890", Some(30)),
            ("4.25)", Some(4)),
            ("0.5", Some(3)),
            ("12345678.5 ", Some(10)),
            ("", None),
            ("x", None),
            (".5", None),
            ("5.", None),
            ("5..6", None),
            ("1.2.3", None),
            ("007", None),
            ("0x1F", None),
            ("1e5", None),
            ("1.5e5", None),
            ("1_000", None),
            ("12345678_9", None),
            ("5abc", None),
            ("5\u{e9}", None),
            ("5$1", Some(1)),
        ] {
            for negative in [false, true] {
                let found = number(text.as_bytes(), 0, negative);
                assert_eq!(found.map(|found| found.1), end, "{text}");
                if let Some((hash, end)) = found {
                    let sign = if negative { "-" } else { "" };
                    assert_eq!(hash, value_hash(format!("{sign}{}", &text[..end]).as_bytes()), "{text}");
                }
            }
        }
    }

    #[test]
    fn strings_end_at_their_quote() {
        for (text, value) in [
            ("''", Some("")),
            ("'a' x", Some("a")),
            ("'it''s'", Some("it")),
            (r"'C:\'", Some(r"C:\")),
            ("'exactly8'", Some("exactly8")),
            ("'seven__'", Some("seven__")),
            ("'a long string of some words', 'another'", Some("a long string of some words")),
            ("'", None),
            ("'open", None),
            ("'open and long", None),
        ] {
            let found = string(text.as_bytes(), 0);
            let expected = value.map(|value| (value_hash(value.as_bytes()), value.len() + 2));
            assert_eq!(found, expected, "{text}");
        }
    }
}
