//! `Record` → [`Event`]: what a message means.
//!
//! Only frames are taken apart here (`duration: 0.123 ms  execute P1: …`); SQL text stays text. The shapes are those
//! of PostgreSQL's `tcop/postgres.c` (`check_log_duration`, `exec_*_message`, `errdetail_*`), which has not changed
//! them since 8.4, but for the capital letters of DETAIL in release 16.

pub mod checkpoint;
pub mod connection;
mod cursor;
pub mod explain;
pub mod lock;
pub mod message;
pub mod notice;
pub mod parts;
pub mod server;
pub mod sqlstate;
pub mod temp_file;
pub mod vacuum;

use crate::record::Record;
use crate::units::Micros;

/// What a record means. Statements are the SQL of its message; [`Text::of`] knows their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A statement was executed; its text and its duration came together.
    Call(&'a [u8], Micros),
    /// A statement is about to be executed (`log_statement`); a bare duration may follow.
    Statement(&'a [u8]),
    /// More rows are about to be fetched from a portal; a bare duration may follow.
    Fetching(&'a [u8]),
    /// A bare duration (`log_duration`, or the statement was logged before).
    Duration(Micros),
    /// More rows were fetched from a portal whose execution was logged before: time, but no new call.
    Fetch(&'a [u8], Micros),
    /// A parse message: time beside the call.
    Parse(&'a [u8], Micros),
    /// A bind message.
    Bind(&'a [u8], Micros),
    /// auto_explain's plan of a statement.
    Plan(Plan<'a>, Micros),
    /// ERROR, FATAL or PANIC.
    Failure,
    /// A session begins or ends here: nothing that waits in its backend goes on.
    SessionEdge,
    /// Anything else.
    Other,
}

/// SQL as the log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    /// The statement.
    pub sql: &'a [u8],
    /// The DETAIL, if it is `parameters: $1 = …`.
    pub params: Option<&'a [u8]>,
    /// The DETAIL, if it is `prepare: PREPARE …`: the statement that an EXECUTE runs.
    pub prepare: Option<&'a [u8]>,
}

impl<'a> Text<'a> {
    /// SQL with what the record's DETAIL says about it.
    #[inline(always)]
    #[must_use]
    pub fn of(sql: &'a [u8], detail: &'a [u8]) -> Self {
        if detail.is_empty() {
            Self { sql, params: None, prepare: None }
        } else {
            Self::detailed(sql, detail)
        }
    }

    #[inline(never)]
    fn detailed(sql: &'a [u8], detail: &'a [u8]) -> Self {
        let starts =
            |word: &[u8]| detail.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        // "Parameters" with a capital letter since release 16; before it, a constant is compared in words.
        let params = detail.starts_with(b"parameters: ") || starts(b"parameters: ");
        let prepare = !params && starts(b"prepare: ");
        Self { sql, params: params.then_some(detail), prepare: prepare.then_some(detail) }
    }
}

/// A plan as auto_explain wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan<'a> {
    /// Everything after `plan:`.
    pub body: &'a [u8],
}

impl<'a> Event<'a> {
    /// Understands a record.
    #[must_use]
    pub fn of(record: &Record<'a>) -> Self {
        Self::read(record)
    }

    /// [`Event::of`] for the one place that every record goes through: what it says is taken apart at once, and need
    /// not be put together before.
    #[inline(always)]
    pub(crate) fn read(record: &Record<'a>) -> Self {
        if record.severity.is_error() {
            return Self::Failure;
        }
        let message = record.message;
        if let Some(rest) = message.strip_prefix(b"duration: ") {
            return Self::of_duration(rest).unwrap_or(Self::Other);
        }
        if let Some(sql) = message.strip_prefix(b"statement: ") {
            return Self::Statement(sql);
        }
        if let Some(rest) = message.strip_prefix(b"execute ") {
            // The name may be anything; the server writes `execute NAME: SQL` or `execute fetch from NAME: SQL`.
            return match after_name(rest) {
                Some(sql) if rest.starts_with(b"fetch from ") => Self::Fetching(sql),
                Some(sql) => Self::Statement(sql),
                None => Self::Other,
            };
        }
        if message.starts_with(b"disconnection: ") || message.starts_with(b"connection received: ") {
            return Self::SessionEdge;
        }
        Self::Other
    }

    #[inline(always)]
    fn of_duration(rest: &'a [u8]) -> Option<Self> {
        let (duration, rest) = millis(rest)?;
        // The server writes two.
        let rest = match rest {
            [b' ', b' ', rest @ ..] if rest.first() != Some(&b' ') => rest,
            rest => trim_blanks(rest),
        };
        Some(match rest.first() {
            None => Self::Duration(duration),
            Some(b's') => {
                let sql = rest.strip_prefix(b"statement: ").or_else(|| bare(rest, b"statement:"))?;
                Self::Call(sql, duration)
            }
            Some(b'e') => {
                let named = rest.strip_prefix(b"execute ")?;
                let sql = after_name(named)?;
                let fetch = named.starts_with(b"fetch from ");
                if fetch { Self::Fetch(sql, duration) } else { Self::Call(sql, duration) }
            }
            Some(b'b') => {
                let named = rest.strip_prefix(b"bind ")?;
                Self::Bind(after_name(named)?, duration)
            }
            _ => match rest.strip_prefix(b"parse ") {
                Some(named) => Self::Parse(after_name(named)?, duration),
                None => Self::Plan(Plan { body: rest.strip_prefix(b"plan:")? }, duration),
            },
        })
    }
}

/// `statement:` at the end of its line: the SQL begins on the next one, or is empty.
#[cold]
fn bare<'a>(rest: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let after = rest.strip_prefix(word)?;
    (after.is_empty() || after.starts_with(b"\n")).then_some(after)
}

/// The SQL after `NAME: `; names hold blanks and colons, but the server quotes none, so the first `: ` decides.
fn after_name(rest: &[u8]) -> Option<&[u8]> {
    // Names are short, mostly shorter than a call of `memchr` is worth.
    let mut colons = (0..rest.len()).filter(|at| rest[*at] == b':');
    colons.find_map(|colon| {
        let after = &rest[colon + 1..];
        after.strip_prefix(b" ").or_else(|| (after.is_empty() || after.starts_with(b"\n")).then_some(after))
    })
}

fn trim_blanks(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b" ") {
        bytes = rest;
    }
    bytes
}

/// Digits of a duration's whole milliseconds.
const MOST_DIGITS: usize = 15;

/// `12.345 ms`, with exactly the decimals that the log has (three since 8.0); the rest follows.
#[inline(always)]
fn millis(bytes: &[u8]) -> Option<(Micros, &[u8])> {
    let mut whole = 0_u64;
    let mut place = 0;
    while let Some(digit) = bytes.get(place).copied().filter(u8::is_ascii_digit) {
        // 31 years have twelve digits.
        if place == MOST_DIGITS {
            return None;
        }
        whole = whole * 10 + u64::from(digit - b'0');
        place += 1;
    }
    if place == 0 {
        return None;
    }
    let mut micros = whole * 1000;
    // As the server writes it before a statement.
    if let Some(word) = bytes[place..].first_chunk()
        && let Some(decimals) = three_decimals(u64::from_le_bytes(*word))
    {
        return Some((Micros(micros + decimals), &bytes[place + 7..]));
    }
    if bytes.get(place) == Some(&b'.') {
        place += 1;
        let mut unit = 100;
        while let Some(digit) = bytes.get(place).copied().filter(u8::is_ascii_digit) {
            micros += u64::from(digit - b'0') * unit;
            unit /= 10;
            place += 1;
        }
    }
    let rest = bytes.get(place..)?.strip_prefix(b" ms")?;
    Some((Micros(micros), rest))
}

/// `123` of eight bytes like `.123 ms  `.
#[inline(always)]
fn three_decimals(word: u64) -> Option<u64> {
    let digits = (word >> 8 ^ 0x30_3030) & 0xFF_FFFF;
    // Nine and 0x76 is the most that leaves the high bit of a byte clear.
    let others = (digits | (digits + 0x76_7676)) & 0x80_8080;
    let frame = word & 0x00FF_FFFF_0000_00FF == u64::from_le_bytes(*b".\0\0\0 ms\0");
    (frame && others == 0).then(|| (digits & 0xFF) * 100 + (digits >> 8 & 0xFF) * 10 + (digits >> 16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Entry, Part, Session, Severity, Who};
    use crate::units::ByteOffset;

    fn check(message: &str, detail: &str, expected: Event<'_>) {
        let entry = Entry {
            at: ByteOffset(0),
            len: 0,
            time: None,
            session: Session::default(),
            who: Who::nobody(),
            origin: 0,
            part: Part::Record(Severity::Log),
            text: message.as_bytes(),
            fields: None,
        };
        let mut record = Record::new(&entry, Severity::Log);
        record.detail = detail.as_bytes();
        assert_eq!(Event::of(&record), expected, "{message}");
    }

    fn sql(sql: &str) -> &[u8] {
        sql.as_bytes()
    }

    #[test]
    fn every_shape_of_a_duration() {
        check("duration: 0.123 ms", "", Event::Duration(Micros(123)));
        check("duration: 0.5 ms  statement: SELECT 1", "", Event::Call(sql("SELECT 1"), Micros(500)));
        check("duration: 12 ms  statement: SELECT 1", "", Event::Call(sql("SELECT 1"), Micros(12_000)));
        check(
            "duration: 1.001 ms  parse <unnamed>: SELECT 1",
            "",
            Event::Parse(sql("SELECT 1"), Micros(1001)),
        );
        check("duration: 1.001 ms  bind s1/p1: SELECT 1", "", Event::Bind(sql("SELECT 1"), Micros(1001)));
        check("duration: 1.001 ms  execute s1: SELECT 1", "", Event::Call(sql("SELECT 1"), Micros(1001)));
        check(
            "duration: 1.001 ms  execute fetch from <unnamed>/C_1: SELECT 1",
            "",
            Event::Fetch(sql("SELECT 1"), Micros(1001)),
        );
        check(
            "duration: 1 ms  plan:\nQuery Text: x",
            "",
            Event::Plan(Plan { body: b"\nQuery Text: x" }, Micros(1000)),
        );
    }

    #[test]
    fn the_text_may_begin_on_the_next_line() {
        check("duration: 0.5 ms  statement:\nSELECT 1", "", Event::Call(sql("\nSELECT 1"), Micros(500)));
        check("duration: 0.5 ms  statement: \nSELECT 1", "", Event::Call(sql("\nSELECT 1"), Micros(500)));
        check(
            "duration: 0.5 ms  execute <unnamed>: \nSELECT 1",
            "",
            Event::Call(sql("\nSELECT 1"), Micros(500)),
        );
    }

    #[test]
    fn words_inside_the_sql_do_not_count() {
        check(
            "duration: 0.5 ms  bind S_1: SELECT 'execute x: y' FROM statement_log",
            "",
            Event::Bind(sql("SELECT 'execute x: y' FROM statement_log"), Micros(500)),
        );
    }

    #[test]
    fn parameters_in_both_spellings() {
        for detail in ["parameters: $1 = '1'", "Parameters: $1 = '1'"] {
            check("execute <unnamed>: SELECT $1", detail, Event::Statement(b"SELECT $1"));
            let with = Text { sql: b"SELECT $1", params: Some(detail.as_bytes()), prepare: None };
            assert_eq!(Text::of(b"SELECT $1", detail.as_bytes()), with);
        }
        let prepare: &[u8] = b"prepare: PREPARE a AS SELECT $1";
        let prepared = Text { sql: b"EXECUTE a(1)", params: None, prepare: Some(prepare) };
        assert_eq!(Text::of(b"EXECUTE a(1)", prepare), prepared);
        let other = Text { sql: b"SELECT 1", params: None, prepare: None };
        assert_eq!(Text::of(b"SELECT 1", b"parameter: $1"), other);
    }

    #[test]
    fn three_decimals_are_three_digits() {
        for b in 0..=255_u8 {
            for lane in 0..8 {
                let mut bytes = *b".407 ms ";
                bytes[lane] = b;
                let digits = bytes[1..4].iter().all(u8::is_ascii_digit);
                let frame = bytes[0] == b'.' && &bytes[4..7] == b" ms";
                let value =
                    bytes[1..4].iter().fold(0, |sum, digit| sum * 10 + u64::from(digit.wrapping_sub(b'0')));
                let expected = (digits && frame).then_some(value);
                assert_eq!(three_decimals(u64::from_le_bytes(bytes)), expected, "{b:#x} in lane {lane}");
            }
        }
    }

    #[test]
    fn numbers_that_no_server_writes() {
        check("duration: ms", "", Event::Other);
        check("duration: 99999999999999999999 ms", "", Event::Other);
        check("duration: 1.5", "", Event::Other);
    }
}
