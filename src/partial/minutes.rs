//! The clock of a log: per minute the first and last entry, per second the statements.
//!
//! Peaks, traffic and gaps are read off this one table. A minute takes about 260 bytes, and up to twice
//! [`MOST_MINUTES`] (69 days) wait for a pruning, which bounds it at 52 MB a worker; beyond the cap the earliest
//! minutes are kept, whatever the order in which parts were merged, and the report says so.

use std::collections::BTreeMap;

use crate::report::{Gap, Peak, Traffic};
use crate::units::Timestamp;

/// Minutes kept.
pub const MOST_MINUTES: usize = 100_000;
const MINUTE_MICROS: i64 = 60_000_000;
const GAP_MICROS: i64 = 600_000_000;
const MOST_GAPS: usize = 20;

/// One minute of the log.
#[derive(Debug, Clone)]
struct Minute {
    first: Timestamp,
    last: Timestamp,
    /// Statements by second.
    calls: [u32; 60],
}

/// All minutes with entries.
#[derive(Debug, Clone)]
pub struct Minutes {
    /// Minutes kept.
    cap: usize,
    /// Index into `minutes`, by minute since the epoch.
    index: BTreeMap<i64, usize>,
    minutes: Vec<Minute>,
    /// The minute of the last look-up, as the instant at which it begins: entries come nearly in order.
    latest: Option<(i64, usize)>,
    /// Minutes from here on were dropped.
    limit: Option<i64>,
}

impl Minutes {
    /// An empty clock that keeps `cap` minutes.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { cap, index: BTreeMap::new(), minutes: Vec::new(), latest: None, limit: None }
    }

    /// The minute of an instant, and the microseconds since it began.
    #[inline]
    fn minute(&mut self, time: Timestamp) -> Option<(&mut Minute, u64)> {
        if let Some((begins, place)) = self.latest
            && let Ok(into) = u64::try_from(time.0.wrapping_sub(begins))
            && into < MINUTE_MICROS as u64
        {
            return Some((&mut self.minutes[place], into));
        }
        self.other_minute(time)
    }

    #[inline(never)]
    fn other_minute(&mut self, time: Timestamp) -> Option<(&mut Minute, u64)> {
        let minute = time.0.div_euclid(MINUTE_MICROS);
        if self.limit.is_some_and(|limit| minute >= limit) {
            return None;
        }
        let next = self.minutes.len();
        let place = *self.index.entry(minute).or_insert(next);
        if place == next {
            self.minutes.push(Minute { first: time, last: time, calls: [0; 60] });
            if next >= self.cap * 2 {
                self.prune();
                return self.other_minute(time);
            }
        }
        let into = time.0.rem_euclid(MINUTE_MICROS);
        self.latest = Some((time.0.wrapping_sub(into), place));
        Some((&mut self.minutes[place], into as u64))
    }

    /// Keeps the earliest minutes.
    fn prune(&mut self) {
        if self.index.len() <= self.cap {
            return;
        }
        self.limit = self.index.keys().nth(self.cap).copied();
        let old = std::mem::take(&mut self.minutes);
        let kept = std::mem::take(&mut self.index);
        for (minute, place) in kept.into_iter().take(self.cap) {
            self.index.insert(minute, self.minutes.len());
            self.minutes.push(old[place].clone());
        }
        self.latest = None;
    }

    /// An entry was logged.
    pub fn entry(&mut self, time: Timestamp) {
        if let Some((minute, _)) = self.minute(time) {
            minute.first = minute.first.min(time);
            minute.last = minute.last.max(time);
        }
    }

    /// Entries were logged from the first of two instants to the last; false where they lie in several minutes.
    pub fn span(&mut self, (first, last): (Timestamp, Timestamp)) -> bool {
        let Some((minute, into)) = self.minute(first) else { return false };
        let within = last.0.abs_diff(first.0) < MINUTE_MICROS as u64 - into;
        if within {
            minute.first = minute.first.min(first);
            minute.last = minute.last.max(last);
        }
        within
    }

    /// A statement was logged.
    #[inline]
    pub fn call(&mut self, time: Timestamp) {
        if let Some((minute, into)) = self.minute(time) {
            let second = (into / 1_000_000) as usize;
            minute.calls[second] = minute.calls[second].saturating_add(1);
        }
    }

    /// Adds another part's minutes.
    pub fn merge(&mut self, other: &Self) {
        if let Some(limit) = other.limit {
            self.limit = Some(self.limit.map_or(limit, |own| own.min(limit)));
            self.latest = None;
        }
        for place in other.index.values() {
            let theirs = &other.minutes[*place];
            let Some((ours, _)) = self.minute(theirs.first) else { continue };
            ours.first = ours.first.min(theirs.first);
            ours.last = ours.last.max(theirs.last);
            for (own, their) in ours.calls.iter_mut().zip(theirs.calls) {
                *own = own.saturating_add(their);
            }
        }
    }

    fn sorted(&self) -> impl Iterator<Item = (i64, &Minute)> {
        let limit = self.limit.unwrap_or(i64::MAX);
        self.index
            .iter()
            .take(self.cap)
            .filter(move |(minute, _)| **minute < limit)
            .map(|(minute, place)| (*minute, &self.minutes[*place]))
    }

    /// Whether minutes were dropped.
    #[must_use]
    pub fn capped(&self) -> bool {
        self.limit.is_some() || self.index.len() > self.cap
    }

    /// The second with most statements; the first of several equals.
    #[must_use]
    pub fn peak(&self) -> Option<Peak> {
        let mut best: Option<Peak> = None;
        for (minute, page) in self.sorted() {
            for (second, calls) in page.calls.iter().enumerate() {
                let calls = u64::from(*calls);
                if calls > best.map_or(0, |peak| peak.calls) {
                    best = Some(Peak { calls, at: Timestamp::from_second(minute * 60 + second as i64) });
                }
            }
        }
        best
    }

    /// Statements by stretches of five minutes; stretches without a statement are left out.
    #[must_use]
    pub fn traffic(&self) -> Vec<Traffic> {
        let mut stretches: Vec<Traffic> = Vec::new();
        let mut minutes = 0;
        for (minute, page) in self.sorted() {
            let calls = page.calls.iter().map(|calls| u64::from(*calls)).sum::<u64>();
            if calls == 0 {
                continue;
            }
            let max = u64::from(page.calls.iter().copied().max().unwrap_or(0));
            let min = u64::from(page.calls.iter().copied().min().unwrap_or(0));
            let at = Timestamp::from_second(minute.div_euclid(5) * 300);
            match stretches.last_mut() {
                Some(last) if last.at == at => {
                    last.calls += calls;
                    last.max = last.max.max(max);
                    last.min = last.min.min(min);
                    minutes += 1;
                }
                _ => {
                    // A minute without a statement has seconds without one.
                    if let Some(last) = stretches.last_mut()
                        && minutes < 5
                    {
                        last.min = 0;
                    }
                    stretches.push(Traffic { at, calls, max, min });
                    minutes = 1;
                }
            }
        }
        if let Some(last) = stretches.last_mut()
            && minutes < 5
        {
            last.min = 0;
        }
        stretches
    }

    /// Stretches of over ten minutes without any entry, longest first.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut last: Option<Timestamp> = None;
        for (_, page) in self.sorted() {
            if let Some(from) = last
                && page.first.0 - from.0 > GAP_MICROS
            {
                gaps.push(Gap { from, to: page.first });
            }
            last = Some(page.last);
        }
        gaps.sort_by_key(|gap| (gap.from.0 - gap.to.0, gap.from));
        gaps.truncate(MOST_GAPS);
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second)
    }

    #[test]
    fn the_first_of_equal_peaks_wins() {
        let mut minutes = Minutes::new(MOST_MINUTES);
        for second in [100, 30, 100, 30, 7] {
            minutes.call(at(second));
        }
        assert_eq!(minutes.peak(), Some(Peak { calls: 2, at: at(30) }));
    }

    #[test]
    fn a_silence_of_eleven_minutes_is_a_gap() {
        let mut minutes = Minutes::new(MOST_MINUTES);
        for second in [0, 5, 5 + 660, 5 + 660 + 599] {
            minutes.entry(at(second));
        }
        assert_eq!(minutes.gaps(), [Gap { from: at(5), to: at(665) }]);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_clock(
            calls in prop::collection::vec((0_i64..20_000, any::<bool>()), 0..300),
            cut in 0_usize..300,
        ) {
            let (mut whole, mut left, mut right) = (Minutes::new(MOST_MINUTES), Minutes::new(MOST_MINUTES), Minutes::new(MOST_MINUTES));
            for (place, (second, call)) in calls.iter().enumerate() {
                for part in [&mut whole, if place < cut { &mut left } else { &mut right }] {
                    part.entry(at(*second));
                    if *call { part.call(at(*second)) }
                }
            }
            right.merge(&left);
            prop_assert_eq!(right.peak(), whole.peak());
            prop_assert_eq!(right.traffic(), whole.traffic());
            prop_assert_eq!(right.gaps(), whole.gaps());
        }
    }
}
