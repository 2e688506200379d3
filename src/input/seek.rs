//! `--since` and `--until` in plain files: what cannot matter is not read.
//!
//! Only an optimisation of the filter, whose answer it must not change. Entries are found by binary search on their
//! times, then two margins are added on both sides: [`DISORDER`] for entries that stand out of order (a clock that
//! was set back, the hour that a local time has twice), and the window's reach for entries whose meaning depends on
//! others: a duration may belong to a statement far before it. What is doubtful is read.
//!
//! ```text
//!  0 ───────┬── reach ──┬─ disorder ─┬═══ wanted ═══┬─ disorder ─┬── reach ──┬──── length
//!         begin                    since          until                     end
//! ```

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use bumpalo::Bump;

use crate::log::{Dialect, Entry, Sink, Skip};
use crate::units::{ByteOffset, Micros, Timestamp};

/// Entries stand out of order by less than this.
const DISORDER: i64 = 2 * 3_600_000_000;
/// Bytes in which an entry with a time is looked for.
const LOOK: u64 = 256 << 10;

/// A stretch of time; open where `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// Nothing before it matters.
    pub since: Option<Timestamp>,
    /// Nothing after it matters.
    pub until: Option<Timestamp>,
    /// Only so much before the end of the log, or before `until`. [`super::plan`] turns it into `since`.
    pub last: Option<Micros>,
    /// How many bytes the meaning of an entry reaches.
    pub reach: u64,
}

impl Window {
    /// The latest beginning that both `since` and `last` allow, when the log ends at `end`.
    pub(super) fn since(self, end: Option<Timestamp>) -> Option<Timestamp> {
        let from = |end: Timestamp| {
            let last = i64::try_from(self.last.unwrap_or_default().0).unwrap_or(i64::MAX);
            Timestamp(end.0.saturating_sub(last))
        };
        match (self.last, self.until.or(end)) {
            (Some(_), Some(end)) => Some(self.since.map_or(from(end), |since| since.max(from(end)))),
            _ => self.since,
        }
    }
}

/// The bytes of a plain file that can matter. Both ends are beginnings of entries, or ends of the file.
pub(super) fn stretch(path: &Path, dialect: &Dialect, window: Window) -> io::Result<(u64, u64)> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut search = Search { file: &mut file, dialect, len };
    search.stretch(window)
}

struct Search<'f, F> {
    file: &'f mut F,
    dialect: &'f Dialect,
    len: u64,
}

impl<F: Read + Seek> Search<'_, F> {
    fn stretch(&mut self, window: Window) -> io::Result<(u64, u64)> {
        let begin = match window.since {
            // An entry that matters is followed by none that is earlier than this.
            Some(since) => {
                let (low, _) = self.around(Timestamp(since.0.saturating_sub(DISORDER)))?;
                low.saturating_sub(window.reach)
            }
            None => 0,
        };
        let end = match window.until {
            // An entry that matters comes after none that is later than this.
            Some(until) => {
                let (_, high) = self.around(Timestamp(until.0.saturating_add(DISORDER)))?;
                high.saturating_add(LOOK).saturating_add(window.reach)
            }
            None => self.len,
        };
        let begin = self.entry_at(begin)?.map_or(0, |(at, _)| at);
        let end = if end < self.len { self.entry_at(end)?.map_or(self.len, |(at, _)| at) } else { self.len };
        Ok(if begin < end { (begin, end) } else { (0, self.len) })
    }

    /// Two places: near the first an entry is earlier than `time`, near the second one is not.
    fn around(&mut self, time: Timestamp) -> io::Result<(u64, u64)> {
        let (mut low, mut high) = (0, self.len);
        while high - low > LOOK {
            let middle = low + (high - low) / 2;
            match self.entry_at(middle)? {
                Some((_, found)) if found < time => low = middle,
                Some(_) => high = middle,
                // Without an answer everything is read.
                None => return Ok((0, self.len)),
            }
        }
        Ok((low, high))
    }

    /// The first entry with a time that begins at or behind a place, if there is one near.
    fn entry_at(&mut self, place: u64) -> io::Result<Option<(u64, Timestamp)>> {
        if place == 0 || place >= self.len {
            return Ok(None);
        }
        // From the byte before: an entry may begin right here, and only a line end in front of it shows that.
        self.file.seek(SeekFrom::Start(place - 1))?;
        let mut bytes = Vec::new();
        self.file.by_ref().take(LOOK).read_to_end(&mut bytes)?;
        let Some(line) = memchr::memchr(b'\n', &bytes) else { return Ok(None) };
        let mut first = First(None);
        let from = place + line as u64;
        self.dialect.reader().read(&bytes[line + 1..], ByteOffset::new(0, from), &Bump::new(), &mut first);
        Ok(first.0)
    }
}

/// The first entry with a time.
struct First(Option<(u64, Timestamp)>);

impl<'a> Sink<'a> for First {
    fn entry(&mut self, entry: Entry<'a>) {
        if let Some(time) = entry.time {
            self.0.get_or_insert((entry.at.byte(), time));
        }
    }

    fn skip(&mut self, _: Skip) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Hints;

    /// A log of a day, an entry a second.
    fn log() -> String {
        let line = |second: u32| {
            let (hour, minute) = (second / 3600, second / 60 % 60);
            let pad = "x".repeat(second as usize % 90);
            format!(
                "2026-11-23 {hour:02}:{minute:02}:{:02}.000 UTC [7] LOG:  statement: SELECT\n\t{pad}\n",
                second % 60
            )
        };
        (0..86_400).map(line).collect()
    }

    #[test]
    fn only_what_can_matter_is_read() {
        let log = log();
        let dialect = Dialect::detect(&log.as_bytes()[..100_000], &Hints::default()).unwrap();
        let check = |since: Option<u32>, until: Option<u32>, reach: u64, most: f64| {
            let hour = |hour: u32| Timestamp(1_795_392_000_000_000 + i64::from(hour) * 3_600_000_000);
            let window = Window { since: since.map(hour), until: until.map(hour), last: None, reach };
            let mut file = io::Cursor::new(log.as_bytes());
            let mut search = Search { file: &mut file, dialect: &dialect, len: log.len() as u64 };
            let (begin, end) = search.stretch(window).unwrap();
            let (begin, end) = (begin as usize, end as usize);
            assert!(log[begin..].starts_with("2026-11-23 "));
            assert!(end == log.len() || log[end..].starts_with("2026-11-23 "));
            let at = |hour: u32| log.find(&format!("2026-11-23 {hour:02}:00:00")).unwrap_or(log.len());
            assert!(
                since.is_none_or(|since| begin <= at(since.saturating_sub(2)).saturating_sub(reach as usize))
            );
            assert!(
                until
                    .is_none_or(|until| until > 20 || end >= (at(until + 2) + reach as usize).min(log.len()))
            );
            assert!((end - begin) as f64 <= most * log.len() as f64, "{begin} {end} of {}", log.len());
        };
        check(None, None, 0, 1.0);
        check(Some(20), None, 0, 0.30);
        check(Some(20), None, 1 << 20, 0.45);
        check(None, Some(3), 0, 0.33);
        check(Some(12), Some(13), 0, 0.36);
        check(Some(1), Some(23), 0, 1.0);
        check(Some(99), None, 1 << 20, 0.25);
        check(Some(12), Some(13), 256 << 20, 1.0);
    }
}
