//! The values of `$1`, `$2`, … that the server logged in a DETAIL line.
//!
//! `parameters: $1 = '42', $2 = NULL` up to PostgreSQL 15, `Parameters: …` since. Serves the parameter hash; it
//! knows the list's own quoting and nothing of the statement that the values belong to.

use super::swar::{before_byte, load};

/// How many values fit without an allocation.
const INLINE: usize = 8;

/// One bound value.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Param<'a> {
    /// NULL.
    Null,
    /// The text between the quotes, its own quotes still doubled.
    Text(&'a [u8]),
}

/// The bound values of one execution, borrowed from the DETAIL text.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    inline: [Param<'a>; INLINE],
    more: Vec<Param<'a>>,
    len: usize,
    complete: bool,
}

impl<'a> Params<'a> {
    /// Reads the text of a DETAIL field. `None` when it is no list of parameters.
    ///
    /// A list that is cut off keeps the values before the cut; so does one in which the server cut a value short
    /// (`log_parameter_max_length`), which it shows as `...` before the closing quote. Both are not
    /// [complete](Self::is_complete): what was bound is not known.
    pub fn parse(detail: &'a [u8]) -> Option<Self> {
        let mut rest = list(detail)?;
        let mut params = Params { inline: [Param::Null; INLINE], more: Vec::new(), len: 0, complete: true };
        while !rest.trim_ascii().is_empty() {
            let Some((param, after)) = one(rest, params.len + 1) else {
                params.complete = false;
                break;
            };
            if let Param::Text(text) = param
                && text.ends_with(b"...")
            {
                params.complete = false;
            }
            params.push(param);
            rest = after;
        }
        Some(params)
    }

    /// The value of `$number`, counted from 1.
    pub fn get(&self, number: usize) -> Option<Param<'a>> {
        let index = number.checked_sub(1).filter(|index| *index < self.len)?;
        Some(if index < INLINE { self.inline[index] } else { self.more[index - INLINE] })
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Is the list empty?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Is every value there, and whole?
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    fn push(&mut self, param: Param<'a>) {
        if self.len < INLINE {
            self.inline[self.len] = param;
        } else {
            self.more.push(param);
        }
        self.len += 1;
    }
}

/// What comes after `parameters:`.
fn list(detail: &[u8]) -> Option<&[u8]> {
    // As the server writes it.
    if let Some(list) = detail.strip_prefix(b"parameters: ").or_else(|| detail.strip_prefix(b"Parameters: "))
    {
        return Some(list.trim_ascii_start());
    }
    let mut rest = detail.trim_ascii_start();
    if rest.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"DETAIL:")) {
        rest = rest[7..].trim_ascii_start();
    }
    let (word, list) = rest.split_at_checked(11)?;
    word.eq_ignore_ascii_case(b"parameters:").then(|| list.trim_ascii_start())
}

/// Reads `$number = value` and the comma after it.
#[inline]
fn one(list: &[u8], number: usize) -> Option<(Param<'_>, &[u8])> {
    let mut rest = list.trim_ascii_start().strip_prefix(b"$")?;
    let mut written = 0_usize;
    while let Some((digit, after)) = rest.split_first().filter(|(digit, _)| digit.is_ascii_digit()) {
        written = written.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
        rest = after;
    }
    if written != number {
        return None;
    }
    let rest = rest.strip_prefix(b" = ")?;
    let (param, rest) = match rest.strip_prefix(b"NULL") {
        Some(rest) => (Param::Null, rest),
        None => {
            let body = rest.strip_prefix(b"'")?;
            let end = closing_quote(body)?;
            (Param::Text(&body[..end]), &body[end + 1..])
        }
    };
    match rest.strip_prefix(b",") {
        Some(rest) => Some((param, rest)),
        None => rest.trim_ascii().is_empty().then_some((param, &[][..])),
    }
}

/// Where the quote stands that is not doubled.
#[inline]
fn closing_quote(body: &[u8]) -> Option<usize> {
    // Most values are shorter than a call of `memchr` is worth.
    let before = before_byte(load(body, 0), b'\'');
    if before < 8 && body.get(before + 1) != Some(&b'\'') {
        return Some(before);
    }
    let mut at = 0;
    loop {
        let quote = at + memchr::memchr(b'\'', &body[at..])?;
        if body.get(quote + 1) != Some(&b'\'') {
            return Some(quote);
        }
        at = quote + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(detail: &str, expected: &[Option<&str>], complete: bool) {
        let params = Params::parse(detail.as_bytes()).expect("a list of parameters");
        let found: Vec<_> = (1..=params.len())
            .map(|n| match params.get(n).unwrap() {
                Param::Null => None,
                Param::Text(text) => Some(std::str::from_utf8(text).unwrap()),
            })
            .collect();
        assert_eq!(found, expected, "{detail}");
        assert_eq!(params.is_complete(), complete, "{detail}");
    }

    #[test]
    fn both_spellings() {
        check("parameters: $1 = '42', $2 = NULL", &[Some("42"), None], true);
        check("Parameters: $1 = '42', $2 = NULL", &[Some("42"), None], true);
        check("DETAIL:  parameters: $1 = '42'", &[Some("42")], true);
    }

    #[test]
    fn values_hold_anything() {
        check(
            "parameters: $1 = 'a, $2 = ''b''', $2 = 'line\nline'",
            &[Some("a, $2 = ''b''"), Some("line\nline")],
            true,
        );
        check("parameters: $1 = '', $2 = ''''", &[Some(""), Some("''")], true);
        check(r"parameters: $1 = 'C:\', $2 = '/* x */'", &[Some(r"C:\"), Some("/* x */")], true);
        check("parameters: $1 = 'NULL', $2 = NULL", &[Some("NULL"), None], true);
    }

    #[test]
    fn what_is_cut_is_not_complete() {
        check("parameters: $1 = '42', $2 = 'abc", &[Some("42")], false);
        check("parameters: $1 = '42', $2", &[Some("42")], false);
        check("parameters: $1 = 'abc...', $2 = '2'", &[Some("abc..."), Some("2")], false);
    }

    #[test]
    fn more_than_fit_inline() {
        let list: Vec<_> = (1..=40).map(|n| format!("${n} = '{n}'")).collect();
        let detail = format!("Parameters: {}", list.join(", "));
        let params = Params::parse(detail.as_bytes()).unwrap();
        assert_eq!(params.get(40), Some(Param::Text(b"40")));
        assert_eq!(params.get(16), Some(Param::Text(b"16")));
        assert_eq!(params.get(17), Some(Param::Text(b"17")));
        assert_eq!((params.get(0), params.get(41)), (None, None));
    }

    #[test]
    fn other_details_are_none() {
        for detail in ["", "prepare: PREPARE a AS SELECT 1", "Process 12 waits", "parameters"] {
            assert!(Params::parse(detail.as_bytes()).is_none(), "{detail}");
        }
    }
}
