//! Filter options as they are typed → values.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::sql::{Fingerprint, Kind, Tags};
use crate::units::{Micros, Timestamp};

/// An option that says nothing that can be looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A time.
    #[error(
        "{word:?} is no time: write 2026-11-23T14:00:00Z, or 2026-11-23, 2026-11-23 14:00 or 2026-11-23 14:00:05 (UTC)"
    )]
    Instant {
        /// As given.
        word: String,
    },
    /// A length of time.
    #[error("{word:?} is no length of time: write 250us, 100ms, 5s, 30m, 2h or 7d, also together as 1h30m")]
    Span {
        /// As given.
        word: String,
    },
    /// A kind of statement.
    #[error("no kind of statement is called {word:?}: {known} are")]
    Kind {
        /// As given.
        word: String,
        /// Those that exist.
        known: String,
    },
    /// A fingerprint.
    #[error("{word:?} is no fingerprint: these are 16 hexadecimal digits")]
    Fingerprint {
        /// As given.
        word: String,
    },
    /// A tag.
    #[error("{word:?} is no tag: write KEY=VALUE, as route=/orders, or KEY")]
    Tag {
        /// As given.
        word: String,
    },
    /// The key of a tag to group by.
    #[error("nothing is grouped by {word:?}: it is another for each request")]
    Group {
        /// As given.
        word: String,
    },
    /// A regular expression.
    #[error("{word:?} is no regular expression: {error}")]
    Regex {
        /// As given.
        word: String,
        /// What is wrong with it.
        error: String,
    },
}

/// A moment: RFC 3339, or a date with or without a time, in UTC.
///
/// # Errors
/// When it is none of these.
pub fn instant(word: &str) -> Result<Timestamp, FilterError> {
    if let Ok(time) = DateTime::parse_from_rfc3339(word) {
        return Ok(Timestamp(time.timestamp_micros()));
    }
    let text = word.trim().trim_end_matches('Z').trim_end_matches(" UTC").replacen('T', " ", 1);
    let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().and_then(|date| date.and_hms_opt(0, 0, 0));
    let time = date
        .or_else(|| NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M").ok())
        .or_else(|| NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok());
    time.map(|time| Timestamp(time.and_utc().timestamp_micros()))
        .ok_or_else(|| FilterError::Instant { word: word.to_owned() })
}

/// A length of time: a number and a unit, or several of them.
///
/// # Errors
/// When it is none.
pub fn span(word: &str) -> Result<Micros, FilterError> {
    sum(word, None).ok_or_else(|| FilterError::Span { word: word.to_owned() })
}

/// The duration of a statement: like [`span`], and a number alone is milliseconds, as in the server's settings.
///
/// # Errors
/// When it is none.
pub fn duration(word: &str) -> Result<Micros, FilterError> {
    sum(word, Some("ms")).ok_or_else(|| FilterError::Span { word: word.to_owned() })
}

fn sum(word: &str, default: Option<&str>) -> Option<Micros> {
    let mut rest = word.trim();
    let mut total = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit = match (unit, default) {
            ("", Some(default)) if after.is_empty() => default,
            (unit, _) => unit,
        };
        let micros = match unit {
            "us" | "µs" => 1,
            "ms" => 1000,
            "s" | "sec" => 1_000_000,
            "m" | "min" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000_u64,
            _ => return None,
        };
        total = total.checked_add(scaled(number, micros)?)?;
        rest = after.trim_start();
    }
    Some(Micros(total))
}

/// `1.5` of a unit in microseconds, without a detour through binary fractions.
fn scaled(number: &str, micros: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let mut value = whole.parse::<u64>().ok()?.checked_mul(micros)?;
    let mut unit = micros;
    for digit in part.bytes() {
        unit /= 10;
        value = value.checked_add(u64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * unit)?;
    }
    Some(value)
}

/// A kind of statement by its name in the report.
///
/// # Errors
/// When there is no such kind.
pub fn kind(word: &str) -> Result<Kind, FilterError> {
    let lower = word.trim().to_ascii_lowercase();
    Kind::ALL.into_iter().find(|kind| kind.as_str() == lower).ok_or_else(|| FilterError::Kind {
        word: word.to_owned(),
        known: Kind::ALL.map(Kind::as_str).join(", "),
    })
}

/// A fingerprint as the report writes it.
///
/// # Errors
/// When it is none.
pub fn fingerprint(word: &str) -> Result<Fingerprint, FilterError> {
    Fingerprint::parse(word.trim()).ok_or_else(|| FilterError::Fingerprint { word: word.to_owned() })
}

/// `KEY=VALUE`.
///
/// # Errors
/// When there is no `=`, or nothing before it.
pub fn tag(word: &str) -> Result<(String, String), FilterError> {
    match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(FilterError::Tag { word: word.to_owned() }),
    }
}

/// The key of a tag by which statements are grouped.
///
/// # Errors
/// When it is empty, or says for which request a statement was sent: every call would be a group of its own.
pub fn group(word: &str) -> Result<String, FilterError> {
    let key = word.to_ascii_lowercase();
    if key.is_empty() {
        return Err(FilterError::Tag { word: word.to_owned() });
    }
    if Tags::is_unit_key(&key) {
        return Err(FilterError::Group { word: word.to_owned() });
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let check = |word: &str, expected: &str| {
            assert_eq!(instant(word).map(|time| time.to_string()).unwrap_or_default(), expected, "{word}");
        };
        check("2026-11-23T14:00:00Z", "2026-11-23T14:00:00Z");
        check("2026-11-23T14:00:00.5+01:00", "2026-11-23T13:00:00.500Z");
        check("2026-11-23", "2026-11-23T00:00:00Z");
        check("2026-11-23 14:05", "2026-11-23T14:05:00Z");
        check("2026-11-23T14:05", "2026-11-23T14:05:00Z");
        check("2026-11-23 14:05:06", "2026-11-23T14:05:06Z");
        check("2026-11-23 14:05:06.123 UTC", "2026-11-23T14:05:06.123Z");
        for word in ["", "yesterday", "2026-13-01", "2026-11-23 25:00", "23.11.2026"] {
            check(word, "");
        }
    }

    #[test]
    fn lengths_of_time() {
        let check =
            |word: &str, expected: Option<u64>| assert_eq!(span(word).ok(), expected.map(Micros), "{word}");
        check("250us", Some(250));
        check("100ms", Some(100_000));
        check("1.5s", Some(1_500_000));
        check("1h30m", Some(5_400_000_000));
        check("1h 30min", Some(5_400_000_000));
        check("7d", Some(604_800_000_000));
        for word in ["", "100", "h", "1x", "-5s", "1..5s", "99999999999999999999s", "9999999999999999d"] {
            check(word, None);
        }
        assert_eq!(duration("100"), Ok(Micros(100_000)));
        assert_eq!(duration("0.25"), Ok(Micros(250)));
    }

    #[test]
    fn what_cannot_be_looked_for() {
        assert_eq!(kind("SELECT"), Ok(Kind::Select));
        assert!(kind("query").unwrap_err().to_string().contains("select, insert"));
        assert!(fingerprint("00ff00ff00ff00ff").is_ok());
        assert!(fingerprint("ff").is_err());
        assert_eq!(tag("route=/a=b"), Ok(("route".to_owned(), "/a=b".to_owned())));
        assert!(tag("route").is_err());
        assert_eq!(group("Tenant"), Ok("tenant".to_owned()));
        assert!(group("").is_err() && group("traceparent").is_err());
        assert!(
            super::super::Pattern::new("re:(").unwrap_err().to_string().contains("no regular expression")
        );
    }
}
