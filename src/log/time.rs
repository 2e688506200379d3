//! The log's clocks: `2026-11-23 14:59:16.162 UTC` → [`Timestamp`], fast when neighbours share their second.
//!
//! PostgreSQL prints local time with the abbreviation of `log_timezone` (elog.c, `get_formatted_log_time()`), so
//! the offset must come from a table. Abbreviations that are not in it are taken as UTC and remembered.

use chrono::{NaiveDate, NaiveDateTime};

use crate::units::Timestamp;

/// Offsets in minutes east of UTC of the abbreviations that the time zone database prints.
///
/// Where one abbreviation has several meanings the commonest server location wins (IST: India, CST: Chicago,
/// BST: London). Sorted by name.
const ZONES: &[(&[u8], i32)] = &[
    (b"ACDT", 630),
    (b"ACST", 570),
    (b"ADT", -180),
    (b"AEDT", 660),
    (b"AEST", 600),
    (b"AKDT", -480),
    (b"AKST", -540),
    (b"AST", -240),
    (b"AWST", 480),
    (b"BRST", -120),
    (b"BRT", -180),
    (b"BST", 60),
    (b"CAT", 120),
    (b"CDT", -300),
    (b"CEST", 120),
    (b"CET", 60),
    (b"CST", -360),
    (b"EAT", 180),
    (b"EDT", -240),
    (b"EEST", 180),
    (b"EET", 120),
    (b"EST", -300),
    (b"GMT", 0),
    (b"HDT", -540),
    (b"HKT", 480),
    (b"HST", -600),
    (b"IDT", 180),
    (b"IST", 330),
    (b"JST", 540),
    (b"KST", 540),
    (b"MDT", -360),
    (b"MEST", 120),
    (b"MESZ", 120),
    (b"MET", 60),
    (b"MEZ", 60),
    (b"MSD", 240),
    (b"MSK", 180),
    (b"MST", -420),
    (b"NDT", -150),
    (b"NST", -210),
    (b"NZDT", 780),
    (b"NZST", 720),
    (b"PDT", -420),
    (b"PHT", 480),
    (b"PKT", 300),
    (b"PST", -480),
    (b"SAST", 120),
    (b"SGT", 480),
    (b"SST", -660),
    (b"UCT", 0),
    (b"UTC", 0),
    (b"WAT", 60),
    (b"WEST", 60),
    (b"WET", 0),
    (b"WIB", 420),
    (b"WIT", 540),
    (b"WITA", 480),
    (b"Z", 0),
];

/// Abbreviations that the time zone database prints for several offsets (CST is China too, and Cuba), and whose offset
/// is in the table.
const SEVERAL: &[(&[u8], &str)] = &[
    (b"CDT", "Chicago (UTC-05:00)"),
    (b"CST", "Chicago (UTC-06:00)"),
    (b"IST", "India (UTC+05:30)"),
    (b"PST", "Los Angeles (UTC-08:00)"),
];

/// What an abbreviation with several meanings is taken for: a place and its offset. `None` for all others.
#[must_use]
pub fn zone_taken_as(zone: &[u8]) -> Option<&'static str> {
    SEVERAL.iter().find(|(name, _)| *name == zone).map(|(_, place)| *place)
}

/// Longest zone token that is understood; the database's own are at most six letters.
const ZONE_MAX: usize = 8;

/// How many unknown abbreviations are remembered: a hostile log must not grow memory.
const ASSUMED_MAX: usize = 16;

/// Minutes east of UTC for `CET`, `+03`, `-0330`, `+05:30`; `None` for an abbreviation that is not in the table.
#[must_use]
pub(crate) fn zone_minutes(zone: &[u8]) -> Option<i32> {
    if let [sign @ (b'+' | b'-'), digits @ ..] = zone {
        let digit = |at: usize| digits.get(at).map_or(0, |digit| i32::from(digit - b'0'));
        let (hours, minutes) = match digits.len() {
            1 => (digit(0), 0),
            2 => (digit(0) * 10 + digit(1), 0),
            // `hhmm`, and `hhmmss` of local mean times, whose seconds are dropped.
            4 | 6 => (digit(0) * 10 + digit(1), digit(2) * 10 + digit(3)),
            _ => return None,
        };
        let total = hours * 60 + minutes;
        return Some(if *sign == b'-' { -total } else { total });
    }
    let at = ZONES.binary_search_by(|(name, _)| (*name).cmp(zone)).ok()?;
    Some(ZONES[at].1)
}

/// Length of the zone token at the start of `text`: letters, or a sign and digits. 0 when there is none.
pub(crate) fn zone_len(text: &[u8]) -> usize {
    let limit = text.len().min(ZONE_MAX + 1);
    let len = match text.first() {
        Some(b'+' | b'-') => 1 + text[1..limit].iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => text[..limit].iter().take_while(|byte| byte.is_ascii_alphabetic()).count(),
    };
    if len > ZONE_MAX || (len == 1 && !text[0].is_ascii_alphabetic()) { 0 } else { len }
}

/// A timestamp that was read, and what it looked like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) time: Timestamp,
    /// Bytes read, zone included.
    pub(crate) len: usize,
    /// Decimals of the second; 0 for `%t`, 3 for `%m`.
    pub(crate) decimals: usize,
}

/// Reads timestamps; remembers the last second and zone, which the next line mostly repeats.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    /// The last `YYYY-MM-DD hh:mm:ss`; zeros before the first.
    second: [u8; 19],
    /// That second in microseconds since the epoch, read as UTC.
    local: i64,
    zone: [u8; ZONE_MAX],
    zone_len: usize,
    /// Microseconds to subtract from local time.
    offset: i64,
    /// The last stamp with three decimals: neighbours mostly share its second.
    last: Option<Last>,
    /// Offset for zones that are not in the table.
    fallback_minutes: i32,
    /// Abbreviations that were taken as `fallback_minutes`, or that have several meanings.
    assumed: Vec<Box<[u8]>>,
}

/// A stamp as `YYYY-MM-DD hh:mm:ss.ddd ZONE`, to be compared with the next but for its milliseconds.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// Up to the point.
    second: [u8; 20],
    /// The zone, as the lowest bits of a word, and how many these are.
    zone: (u64, usize),
    /// The stamp at the beginning of the second.
    stamp: Stamp,
}

impl Last {
    /// A stamp that was read from `text`; others than the usual ones are not remembered.
    fn of(text: &[u8], stamp: Stamp) -> Option<Self> {
        let (head, rest) = text.split_first_chunk::<24>()?;
        // At least one byte of the word lies behind the zone.
        let len = stamp.len.checked_sub(24).filter(|len| (1..8).contains(len) && stamp.decimals == 3)?;
        let zone = u64::from_le_bytes(*rest.first_chunk()?) & ((1 << (8 * len)) - 1);
        let time = Timestamp(stamp.time.0 - fraction(&head[19..]).0);
        Some(Self { second: *head.first_chunk()?, zone: (zone, 8 * len), stamp: Stamp { time, ..stamp } })
    }

    /// The stamp of the same second, if that comes again.
    #[inline(always)]
    fn again(&self, text: &[u8]) -> Option<Stamp> {
        let (second, rest) = text.split_first_chunk::<20>()?;
        let ([a, b, c, blank], rest) = rest.split_first_chunk::<4>()?;
        let word = u64::from_le_bytes(*rest.first_chunk()?);
        let (zone, bits) = self.zone;
        let after = (word >> bits) as u8;
        let same_zone = word & ((1 << bits) - 1) == zone;
        if *second != self.second || !same_zone || *blank != b' ' || after.is_ascii_alphanumeric() {
            return None;
        }
        let digit = |byte: &u8| Some(i64::from(byte.wrapping_sub(b'0'))).filter(|digit| *digit < 10);
        let millis = digit(a)? * 100 + digit(b)? * 10 + digit(c)?;
        Some(Stamp { time: Timestamp(self.stamp.time.0 + millis * 1000), ..self.stamp })
    }
}

impl Clock {
    pub(crate) fn new(fallback_minutes: i32) -> Self {
        Self {
            second: [0; 19],
            local: 0,
            zone: [0; ZONE_MAX],
            zone_len: 0,
            offset: 0,
            last: None,
            fallback_minutes,
            assumed: Vec::new(),
        }
    }

    /// Zone abbreviations that were not known and taken as UTC (or as what the hints said), or as one of several zones
    /// ([`zone_taken_as`]).
    pub(crate) fn assumed(&self) -> &[Box<[u8]>] {
        &self.assumed
    }

    /// Reads `YYYY-MM-DD hh:mm:ss[.d{1,6}] ZONE` at the start of `text`.
    #[inline(always)]
    pub(crate) fn read(&mut self, text: &[u8]) -> Option<Stamp> {
        if let Some(stamp) = self.last.as_ref().and_then(|last| last.again(text)) {
            return Some(stamp);
        }
        let stamp = self.read_anew(text)?;
        self.last = Last::of(text, stamp).or(self.last);
        Some(stamp)
    }

    #[inline(never)]
    fn read_anew(&mut self, text: &[u8]) -> Option<Stamp> {
        let second: &[u8; 19] = text.first_chunk()?;
        if *second != self.second {
            self.local = local_micros(second, b' ')?;
            self.second = *second;
        }
        let (fraction, decimals) = fraction(&text[19..]);
        let mut at = 19 + if decimals == 0 { 0 } else { 1 + decimals };
        if text.get(at) != Some(&b' ') {
            return None;
        }
        at += 1;
        let rest = &text[at..];
        let known = self.zone_len != 0
            && rest.starts_with(&self.zone[..self.zone_len])
            && !rest.get(self.zone_len).is_some_and(u8::is_ascii_alphanumeric);
        if !known {
            self.learn_zone(rest)?;
        }
        let time = Timestamp(self.local + fraction - self.offset);
        Some(Stamp { time, len: at + self.zone_len, decimals })
    }

    #[cold]
    fn learn_zone(&mut self, text: &[u8]) -> Option<()> {
        let len = zone_len(text);
        if len == 0 {
            return None;
        }
        let zone = &text[..len];
        let minutes = zone_minutes(zone);
        if (minutes.is_none() || zone_taken_as(zone).is_some())
            && self.assumed.len() < ASSUMED_MAX
            && !self.assumed.iter().any(|seen| **seen == *zone)
        {
            self.assumed.push(zone.into());
        }
        let minutes = minutes.unwrap_or(self.fallback_minutes);
        self.offset = i64::from(minutes) * 60_000_000;
        self.zone[..len].copy_from_slice(zone);
        self.zone_len = len;
        Some(())
    }
}

/// Length of what is written like a time at the start of `text`, whether such a date exists or not.
fn shape_len(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| text.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let year = digits(0);
    if !(4..=9).contains(&year) {
        return None;
    }
    let mut at = year;
    for mark in *b"-- ::" {
        if text.get(at) != Some(&mark) || digits(at + 1) != 2 {
            return None;
        }
        at += 3;
    }
    let decimals = fraction(&text[at..]).1;
    at += if decimals == 0 { 0 } else { 1 + decimals };
    let zone = zone_len(text.get(at..)?.strip_prefix(b" ")?);
    (zone > 0).then_some(at + 1 + zone)
}

/// The same for a time that does not exist alone: the 30th of February, the year 10000.
pub(crate) fn impossible_len(text: &[u8]) -> Option<usize> {
    shape_len(text).filter(|_| Clock::new(0).read(text).is_none())
}

/// Whether a time stands in `text` that does not exist.
pub(crate) fn is_impossible(text: &[u8]) -> bool {
    let begins = |&at: &usize| at == 0 || !text[at - 1].is_ascii_digit();
    (0..text.len()).filter(begins).any(|at| impossible_len(&text[at..]).is_some())
}

/// `.162` → (162 000, 3): microseconds and decimals. (0, 0) when there is no fraction of one to six digits.
#[inline]
pub(crate) fn fraction(text: &[u8]) -> (i64, usize) {
    if let [b'.', a, b, c, next, ..] = text
        && a.is_ascii_digit()
        && b.is_ascii_digit()
        && c.is_ascii_digit()
        && !next.is_ascii_digit()
    {
        let millis = u32::from(a - b'0') * 100 + u32::from(b - b'0') * 10 + u32::from(c - b'0');
        return (i64::from(millis) * 1000, 3);
    }
    if text.first() != Some(&b'.') {
        return (0, 0);
    }
    let digits = text[1..].iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 9 {
        return (0, 0);
    }
    // Docker and journald write up to nine decimals: what is below a microsecond is cut off.
    let micros =
        (0..6).fold(0, |sum, at| sum * 10 + if at < digits { i64::from(text[1 + at] - b'0') } else { 0 });
    (micros, digits)
}

/// `YYYY-MM-DD hh:mm:ss` read as UTC; `None` when a digit is missing or the date does not exist.
pub(crate) fn local_micros(second: &[u8; 19], between: u8) -> Option<i64> {
    let digits = |from: usize, to: usize| -> Option<u32> {
        second[from..to]
            .iter()
            .try_fold(0u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    let marks = [second[4], second[7], second[10], second[13], second[16]];
    if marks != [b'-', b'-', between, b':', b':'] {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(digits(0, 4)? as i32, digits(5, 7)?, digits(8, 10)?)?;
    // A leap second is written as :60; it is the last instant of its minute here.
    let time = date.and_hms_opt(digits(11, 13)?, digits(14, 16)?, digits(17, 19)?.min(59))?;
    Some(time.and_utc().timestamp_micros())
}

/// Microseconds since the epoch of a calendar time read as UTC.
pub(crate) fn civil_micros(time: NaiveDateTime) -> i64 {
    time.and_utc().timestamp_micros()
}

/// RFC 3339: `2024-01-01T00:00:00.123456789Z`, `…+02:00`; a blank in place of the `T` is allowed.
pub(crate) fn rfc3339(text: &[u8]) -> Option<Stamp> {
    let second: &[u8; 19] = text.first_chunk()?;
    if !matches!(second[10], b'T' | b't' | b' ') {
        return None;
    }
    let local = local_micros(second, second[10])?;
    let (micros, decimals) = fraction(&text[19..]);
    let at = 19 + if decimals == 0 { 0 } else { 1 + decimals };
    match &text[at..] {
        [b'Z' | b'z', ..] => Some(Stamp { time: Timestamp(local + micros), len: at + 1, decimals }),
        [sign @ (b'+' | b'-'), h1, h2, rest @ ..] if h1.is_ascii_digit() && h2.is_ascii_digit() => {
            let (colon, rest) = match rest {
                [b':', rest @ ..] => (1, rest),
                _ => (0, rest),
            };
            let (minutes, len) = match rest {
                [m1, m2, ..] if m1.is_ascii_digit() && m2.is_ascii_digit() => {
                    (i64::from(m1 - b'0') * 10 + i64::from(m2 - b'0'), 5 + colon)
                }
                _ if colon == 0 => (0, 3),
                _ => return None,
            };
            let total = (i64::from(h1 - b'0') * 10 + i64::from(h2 - b'0')) * 60 + minutes;
            let offset = if *sign == b'-' { -total } else { total } * 60_000_000;
            Some(Stamp { time: Timestamp(local + micros - offset), len: at + len, decimals })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str, len: usize) {
        let stamp = Clock::new(0).read(text.as_bytes()).expect(text);
        assert_eq!((stamp.time.to_string().as_str(), stamp.len), (expected, len), "{text}");
    }

    #[test]
    fn zones_are_sorted_for_the_binary_search() {
        assert!(ZONES.is_sorted());
    }

    #[test]
    fn local_time_becomes_utc() {
        check("2026-11-23 14:59:16 UTC [1]", "2026-11-23T14:59:16Z", 23);
        check("2026-11-23 14:59:16.162 UTC:x", "2026-11-23T14:59:16.162Z", 27);
        check("2026-07-01 00:30:00.001 CEST ", "2026-06-30T22:30:00.001Z", 28);
        check("2026-11-23 14:59:16 +0530 ", "2026-11-23T09:29:16Z", 25);
        check("2026-11-23 14:59:16 -0330 ", "2026-11-23T18:29:16Z", 25);
        check("2026-11-23 14:59:16 +03 ", "2026-11-23T11:59:16Z", 23);
        check("2026-11-23 14:59:16 PST", "2026-11-23T22:59:16Z", 23);
        check("2024-02-29 23:59:60 GMT", "2024-02-29T23:59:59Z", 23);
    }

    #[test]
    fn a_stamp_that_comes_again_is_read_as_the_first_time() {
        let zeros = "\0".repeat(40);
        let texts = [
            &zeros,
            "2026-11-23 14:59:16.162 UTC [1] LOG",
            "2026-11-23 14:59:16.162 UTC",
            "2026-11-23 14:59:16.162 UTC\n2026-11-23",
            "2026-11-23 14:59:16.162 UTCX [1] LOG",
            "2026-11-23 14:59:16.162 CEST [1] LOG",
            "2026-11-23 14:59:16.162 +05 [1] LOG",
            "2026-11-23 14:59:16.162 +0530 [1] LOG",
            "2026-11-23 14:59:16.162 [1] LOG:  x",
            "2026-11-23 14:59:16.163 UTC [1] LOG",
            "2026-11-23 14:59:16 UTC [1] LOG:  xy",
        ];
        let mut clock = Clock::new(0);
        for first in texts {
            for second in texts {
                for text in [first, second] {
                    assert_eq!(clock.read(text.as_bytes()), Clock::new(0).read(text.as_bytes()), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-11-23 14:59:16",
            "2026-11-23 14:59:16 ",
            "2026-11-23 14:59:16.162",
            "2026-13-23 14:59:16 UTC",
            "2026-02-30 14:59:16 UTC",
            "2026-11-23T14:59:16 UTC",
            "2026-11-23 24:59:16 UTC",
            "2o26-11-23 14:59:16 UTC",
            "2026-11-23 14:59:16 ABCDEFGHIJ",
        ] {
            assert_eq!(Clock::new(0).read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn zones_that_were_assumed_are_remembered() {
        let mut clock = Clock::new(0);
        for zone in ["CST", "UTC", "XYZ", "CST", "GMT", "IST"] {
            assert!(clock.read(format!("2026-11-23 14:59:16.162 {zone} ").as_bytes()).is_some());
        }
        let assumed: Vec<&[u8]> = clock.assumed().iter().map(|zone| &**zone).collect();
        assert_eq!(assumed, [&b"CST"[..], b"XYZ", b"IST"]);
        for (zone, place) in SEVERAL {
            let minutes = zone_minutes(zone).unwrap();
            let sign = if minutes < 0 { '-' } else { '+' };
            let offset = format!("(UTC{sign}{:02}:{:02})", minutes.abs() / 60, minutes.abs() % 60);
            assert!(place.ends_with(&offset), "{place}");
        }
        assert_eq!(zone_taken_as(b"UTC"), None);
    }

    #[test]
    fn times_that_do_not_exist_are_told_from_what_is_none() {
        for (text, impossible) in [
            ("2026-02-30 25:61:61.000 UTC [1] ", true),
            ("[1] 0000-00-00 00:00:00 UTC ", true),
            ("<10000-01-01 00:00:00.001 +03> ", true),
            ("2026-11-23 14:59:16.162 UTC [1] ", false),
            ("[1] 2024-02-29 23:59:60 GMT ", false),
            ("2026-02-30 25:61:61", false),
            ("2026-02-30", false),
            ("u@d ", false),
        ] {
            assert_eq!(is_impossible(text.as_bytes()), impossible, "{text}");
        }
        assert_eq!(impossible_len(b"2026-02-30 25:61:61.000 UTC [1]"), Some(27));
    }

    #[test]
    fn a_clock_that_remembers_says_the_same_as_a_new_one() {
        let mut clock = Clock::new(0);
        for text in [
            "2026-11-23 14:59:16.162 UTC [1]",
            "2026-11-23 14:59:16.999 UTC [1]",
            "2026-11-23 14:59:16.999 UTCX [1]",
            "2026-11-23 14:59:17 CET [1]",
            "2026-13-23 14:59:17 CET [1]",
            "2026-11-23 14:59:17 CEST [1]",
            "2026-11-23 14:59:17 CET [1]",
        ] {
            assert_eq!(clock.read(text.as_bytes()), Clock::new(0).read(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn an_unknown_abbreviation_is_utc_and_is_remembered() {
        let mut clock = Clock::new(0);
        let stamp = clock.read(b"2026-11-23 14:59:16 XYZT [1]").unwrap();
        assert_eq!(stamp.time.to_string(), "2026-11-23T14:59:16Z");
        assert_eq!(clock.assumed(), [Box::from(*b"XYZT")]);
    }

    #[test]
    fn rfc_3339_with_and_without_an_offset() {
        let check = |text: &str, expected: &str, len| {
            let stamp = rfc3339(text.as_bytes()).expect(text);
            assert_eq!((stamp.time.to_string().as_str(), stamp.len), (expected, len), "{text}");
        };
        check("2024-01-01T00:00:00Z x", "2024-01-01T00:00:00Z", 20);
        check("2024-01-01T00:00:00.123456789Z x", "2024-01-01T00:00:00.123456Z", 30);
        check("2024-01-01T00:00:00+02:00 x", "2023-12-31T22:00:00Z", 25);
        check("2024-01-01T00:00:00.5-0330", "2024-01-01T03:30:00.500Z", 26);
        assert_eq!(rfc3339(b"2024-01-01T00:00:00"), None);
    }
}
