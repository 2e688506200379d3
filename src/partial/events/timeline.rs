//! How many sessions were open at once: begins and ends on a line of time that merges.
//!
//! Each instant has counts, so adding two lines is adding counts, and the peak is read off when everything is there.
//! While there are few instants they are exact; beyond a cap the line becomes coarser (seconds, minutes, hours). How
//! coarse depends only on how many instants there are in all, never on the order of merging.

use hashbrown::HashMap;

use crate::units::Timestamp;

/// Instants kept.
const MOST_INSTANTS: usize = 200_000;
/// Microseconds of an instant, from fine to coarse.
const STEPS: [i64; 4] = [1, 1_000_000, 60_000_000, 3_600_000_000];

/// What happened at an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Instant {
    /// Sessions authorised.
    authorized: u64,
    /// Sessions that ended.
    ended: u64,
    /// Sessions whose end told that they began here.
    began: u64,
    /// Whether no session can have been open.
    reset: bool,
}

/// Begins and ends of sessions.
#[derive(Debug, Clone)]
pub struct Timeline {
    cap: usize,
    /// Index into [`STEPS`].
    step: usize,
    instants: HashMap<i64, Instant>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new(MOST_INSTANTS)
    }
}

impl Timeline {
    fn new(cap: usize) -> Self {
        Self { cap, step: 0, instants: HashMap::new() }
    }

    fn at(&mut self, time: Timestamp) -> &mut Instant {
        if self.instants.len() >= self.cap * 2 {
            self.limit();
        }
        self.instants.entry(time.0.div_euclid(STEPS[self.step])).or_default()
    }

    /// A session may work from here.
    pub fn authorized(&mut self, time: Timestamp) {
        self.at(time).authorized += 1;
    }

    /// A session that began at `begin` ended at `end`.
    pub fn ended(&mut self, begin: Timestamp, end: Timestamp) {
        self.at(begin).began += 1;
        self.at(end).ended += 1;
    }

    /// No session can be open here.
    pub fn reset(&mut self, time: Timestamp) {
        self.at(time).reset = true;
    }

    /// Makes the line as coarse as the cap needs.
    fn limit(&mut self) {
        while self.instants.len() > self.cap && self.step + 1 < STEPS.len() {
            self.coarsen(self.step + 1);
        }
    }

    fn coarsen(&mut self, step: usize) {
        let ratio = STEPS[step] / STEPS[self.step];
        self.step = step;
        for (place, instant) in std::mem::take(&mut self.instants) {
            self.add(place.div_euclid(ratio), instant);
        }
    }

    fn add(&mut self, place: i64, instant: Instant) {
        let known = self.instants.entry(place).or_default();
        known.authorized += instant.authorized;
        known.ended += instant.ended;
        known.began += instant.began;
        known.reset |= instant.reset;
    }

    /// Adds another part's.
    pub fn merge(&mut self, mut other: Self) {
        let step = self.step.max(other.step);
        for line in [&mut *self, &mut other] {
            if line.step < step {
                line.coarsen(step);
            }
        }
        other.instants.into_iter().for_each(|(place, instant)| self.add(place, instant));
        if self.instants.len() >= self.cap * 2 {
            self.limit();
        }
    }

    /// Most sessions at once, and when first; `None` where the log does not have the ends of any session.
    ///
    /// A session begins when it is authorised. Where the log has no such records, or begins after the session
    /// (`first` is its first entry), the begin is that which the disconnection's session time tells. A session that
    /// ends when another begins makes room for it.
    #[must_use]
    pub fn peak(&mut self, first: Option<Timestamp>) -> Option<(u64, Timestamp)> {
        self.limit();
        let step = STEPS[self.step];
        let mut instants: Vec<(i64, Instant)> = std::mem::take(&mut self.instants).into_iter().collect();
        instants.sort_unstable_by_key(|(place, _)| *place);
        if instants.iter().all(|(_, instant)| instant.ended == 0) {
            return None;
        }
        let told = instants.iter().all(|(_, instant)| instant.authorized == 0);
        // A session's clock starts some milliseconds before its first record, so a session that the log has from
        // its beginning may seem to begin before the log does.
        let before = first.map_or(i64::MIN, |first| first.0.saturating_sub(1_000_000).div_euclid(step));
        let (mut open, mut peak): (u64, Option<(u64, Timestamp)>) = (0, None);
        for (place, instant) in instants {
            let told = told || place < before;
            let begun = instant.authorized + if told { instant.began } else { 0 };
            // Within a coarse instant a session may begin and end.
            open = match instant.reset {
                true => begun.saturating_sub(instant.ended),
                false => (open + begun).saturating_sub(instant.ended),
            };
            if peak.is_none_or(|(most, _)| open > most) {
                peak = Some((open, Timestamp(place.saturating_mul(step))));
            }
        }
        peak
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
    fn authorised_sessions_count_from_then_on() {
        let mut line = Timeline::default();
        line.authorized(at(10));
        line.authorized(at(20));
        line.ended(at(9), at(20));
        line.authorized(at(25));
        line.ended(at(19), at(30));
        assert_eq!(line.peak(Some(at(9))), Some((2, at(25))));
    }

    #[test]
    fn sessions_older_than_the_log_are_told_by_their_end() {
        let mut line = Timeline::default();
        line.ended(at(-100), at(50));
        line.ended(at(-90), at(60));
        line.authorized(at(40));
        line.ended(at(39), at(45));
        assert_eq!(line.peak(Some(at(0))), Some((3, at(40))));
    }

    #[test]
    fn disconnections_alone_are_enough() {
        let mut line = Timeline::default();
        line.ended(at(0), at(50));
        line.ended(at(10), at(20));
        line.ended(at(15), at(18));
        assert_eq!(line.peak(Some(at(18))), Some((3, at(15))));
    }

    #[test]
    fn connections_without_ends_say_nothing() {
        let mut line = Timeline::default();
        line.authorized(at(1));
        assert_eq!(line.peak(None), None);
    }

    #[test]
    fn no_session_survives_a_crash() {
        let mut line = Timeline::default();
        for second in 0..5 {
            line.authorized(at(second));
        }
        line.reset(at(10));
        line.authorized(at(11));
        line.ended(at(11), at(12));
        assert_eq!(line.peak(Some(at(0))), Some((5, at(4))));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_peak(
            sessions in prop::collection::vec((0_i64..100_000_000, 0_i64..90_000_000), 1..60),
            cut in 0_usize..60,
            cap in 3_usize..80,
        ) {
            let (mut whole, mut left, mut right) = (Timeline::new(cap), Timeline::new(cap), Timeline::new(cap));
            for (number, (begin, length)) in sessions.iter().enumerate() {
                for line in [&mut whole, if number < cut { &mut left } else { &mut right }] {
                    line.authorized(Timestamp(*begin));
                    line.ended(Timestamp(*begin - 5), Timestamp(*begin + *length));
                }
            }
            right.merge(left);
            let found = right.peak(Some(at(0)));
            prop_assert_eq!(found, whole.peak(Some(at(0))));
        }
    }
}
