//! The quantities everything is measured in: durations, instants and byte positions, each its own type.
//!
//! Whole numbers only: sums of integers do not depend on the order in which partial results are merged.

use std::fmt;
use std::ops::{Add, AddAssign};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration in whole microseconds; PostgreSQL logs milliseconds with three decimals, so nothing is lost.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl Add for Micros {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Micros {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// An instant: microseconds since 1970-01-01 00:00:00 UTC.
///
/// Shown and serialised as RFC 3339 in UTC, with as many decimals as the instant has (none, three or six).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Makes a time span hold another one.
#[inline(always)]
pub fn widen(span: &mut Option<(Timestamp, Timestamp)>, (first, last): (Timestamp, Timestamp)) {
    match span {
        Some(span) => {
            if first < span.0 {
                span.0 = first;
            }
            if last > span.1 {
                span.1 = last;
            }
        }
        None => *span = Some((first, last)),
    }
}

impl Timestamp {
    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub fn second(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole hours since the epoch, rounded down.
    #[must_use]
    pub fn hour(self) -> i64 {
        self.0.div_euclid(3_600_000_000)
    }

    /// The instant at which a second since the epoch begins.
    #[must_use]
    pub fn from_second(second: i64) -> Self {
        Self(second.saturating_mul(1_000_000))
    }

    /// The instant at which an hour since the epoch begins.
    #[must_use]
    pub fn from_hour(hour: i64) -> Self {
        Self(hour.saturating_mul(3_600_000_000))
    }

    /// The calendar form; instants outside chrono's range (a hostile log) become the epoch.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text)
            .map(|time| Self(time.timestamp_micros()))
            .map_err(de::Error::custom)
    }
}

/// A position in a stream: which of its files, and the byte in that file.
///
/// The file is in the upper bits, so positions compare in reading order, and those of a file are known before the
/// files before it are read: that is what lets workers read several compressed files of one log at once. Positions
/// of one file are as far apart as their numbers; across files, only who knows the lengths of the files can tell.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteOffset(pub u64);

impl ByteOffset {
    /// A file of a stream is shorter than 2 to this power: 16 TiB.
    const FILE_BITS: u32 = 44;
    /// Bytes of a file that have a position.
    pub const MOST_BYTES: u64 = (1 << Self::FILE_BITS) - 1;
    /// Files that one stream may have.
    pub const MOST_FILES: usize = 1 << (64 - Self::FILE_BITS);

    /// A byte of a file.
    #[must_use]
    pub fn new(file: u32, byte: u64) -> Self {
        Self(u64::from(file) << Self::FILE_BITS | byte.min(Self::MOST_BYTES))
    }

    /// The number of the file within its stream.
    #[must_use]
    pub fn file(self) -> u32 {
        (self.0 >> Self::FILE_BITS) as u32
    }

    /// The byte within the file.
    #[must_use]
    pub fn byte(self) -> u64 {
        self.0 & Self::MOST_BYTES
    }
}

/// `part` of `of`, as a part of `whole` in the same proportion, rounded down; 0 of 0 is 0.
#[must_use]
pub fn scale(part: u64, of: u64, whole: u64) -> u64 {
    let scaled = (u128::from(part) * u128::from(whole)).checked_div(u128::from(of)).unwrap_or(0);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_as_rfc_3339_in_utc() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(1_700_000_000_123_000).to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(Timestamp(-1).second(), -1);
    }

    #[test]
    fn instants_survive_json() {
        let json = serde_json::to_string(&Timestamp(1_700_000_000_123_456)).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), Timestamp(1_700_000_000_123_456));
    }

    #[test]
    fn positions_compare_in_reading_order() {
        let at = ByteOffset::new(3, 7);
        assert_eq!((at.file(), at.byte()), (3, 7));
        assert!(ByteOffset::new(2, ByteOffset::MOST_BYTES) < at);
        assert_eq!(ByteOffset::new(0, 0), ByteOffset(0));
        assert_eq!(ByteOffset::new(1, u64::MAX).file(), 1);
    }

    #[test]
    fn a_hostile_sum_does_not_wrap() {
        assert_eq!(Micros(u64::MAX) + Micros(1), Micros(u64::MAX));
    }
}
