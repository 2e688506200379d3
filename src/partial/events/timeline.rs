//! How many sessions were open at once: begins and ends on a line of time that merges.
//!
//! Each instant has counts, so adding two lines is adding counts, and the peak is read off when everything is there.
//! An instant is a second and the place of the record within the log, so that a log without milliseconds (`%t`,
//! syslog) gives the answer of the same log with them. Beyond a cap the line becomes coarser (seconds, minutes,
//! hours). How coarse depends only on how many instants there are in all, never on the order of merging.

use hashbrown::HashMap;

use crate::partial::Order;
use crate::units::{ByteOffset, Timestamp};

/// Instants kept.
const MOST_INSTANTS: usize = 200_000;
/// Seconds of an instant, from fine to coarse; 0 is a single record.
const STEPS: [i64; 4] = [0, 1, 60, 3600];

/// A second since the epoch, and the place of the record.
type Place = (i64, Order);

/// Before all records of its second.
const FIRST: Order = (0, ByteOffset(0));

/// What happened at an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Instant {
    /// Sessions authorised.
    authorized: u64,
    /// Sessions that ended.
    ended: u64,
    /// Sessions authorised before that the server then refused: they have no other end.
    refused: u64,
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
    instants: HashMap<Place, Instant>,
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

    fn at(&mut self, time: Timestamp, order: Order) -> &mut Instant {
        if self.instants.len() >= self.cap * 2 {
            self.limit();
        }
        self.instants.entry(coarse((time.second(), order), STEPS[self.step])).or_default()
    }

    /// A session may work from here.
    pub fn authorized(&mut self, time: Timestamp, order: Order) {
        self.at(time, order).authorized += 1;
    }

    /// A session that began at `begin` ended at `end`.
    pub fn ended(&mut self, begin: Timestamp, end: Timestamp, order: Order) {
        self.at(begin, FIRST).began += 1;
        self.at(end, order).ended += 1;
    }

    /// An authorised session was refused here.
    pub fn refused(&mut self, time: Timestamp, order: Order) {
        self.at(time, order).refused += 1;
    }

    /// No session can be open here.
    pub fn reset(&mut self, time: Timestamp, order: Order) {
        self.at(time, order).reset = true;
    }

    /// Makes the line as coarse as the cap needs.
    fn limit(&mut self) {
        while self.instants.len() > self.cap && self.step + 1 < STEPS.len() {
            self.coarsen(self.step + 1);
        }
    }

    fn coarsen(&mut self, step: usize) {
        self.step = step;
        for (place, instant) in std::mem::take(&mut self.instants) {
            self.add(coarse(place, STEPS[step]), instant);
        }
    }

    fn add(&mut self, place: Place, instant: Instant) {
        let known = self.instants.entry(place).or_default();
        known.authorized += instant.authorized;
        known.ended += instant.ended;
        known.refused += instant.refused;
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
    /// ends before another begins makes room for it.
    #[must_use]
    pub fn peak(&mut self, first: Option<Timestamp>) -> Option<(u64, Timestamp)> {
        self.limit();
        let mut instants: Vec<(Place, Instant)> = std::mem::take(&mut self.instants).into_iter().collect();
        instants.sort_unstable_by_key(|(place, _)| *place);
        if instants.iter().all(|(_, instant)| instant.ended == 0) {
            return None;
        }
        let told = instants.iter().all(|(_, instant)| instant.authorized == 0);
        // A session's clock starts some milliseconds before its first record, so a session that the log has from
        // its beginning may seem to begin before the log does.
        let before = first.map_or(i64::MIN, |first| first.second().saturating_sub(1));
        let (mut open, mut peak): (u64, Option<(u64, Timestamp)>) = (0, None);
        for (place, instant) in instants {
            let begun = instant.authorized + if told || place.0 < before { instant.began } else { 0 };
            let gone = instant.ended + if told { 0 } else { instant.refused };
            let stayed = if instant.reset { 0 } else { open };
            // Within a coarse instant a session may begin and end.
            open = (stayed + begun).saturating_sub(gone);
            if peak.is_none_or(|(most, _)| open > most) {
                peak = Some((open, Timestamp::from_second(place.0)));
            }
        }
        peak
    }
}

/// The instant of `step` seconds in which a place lies.
fn coarse(place: Place, step: i64) -> Place {
    if step == 0 { place } else { (place.0.div_euclid(step) * step, FIRST) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second)
    }

    /// A line whose records stand in the order of the calls.
    #[derive(Default)]
    struct Log {
        line: Timeline,
        place: u64,
    }

    impl Log {
        fn next(&mut self) -> Order {
            self.place += 1;
            (0, ByteOffset(self.place))
        }

        fn authorized(&mut self, second: i64) {
            let order = self.next();
            self.line.authorized(at(second), order);
        }

        fn ended(&mut self, begin: i64, end: i64) {
            let order = self.next();
            self.line.ended(at(begin), at(end), order);
        }
    }

    #[test]
    fn authorised_sessions_count_from_then_on() {
        let mut log = Log::default();
        log.authorized(10);
        log.authorized(20);
        log.ended(9, 20);
        log.authorized(25);
        log.ended(19, 30);
        assert_eq!(log.line.peak(Some(at(9))), Some((2, at(20))));
    }

    #[test]
    fn within_a_second_the_order_of_the_log_decides() {
        let mut log = Log::default();
        for _ in 0..5 {
            log.authorized(10);
            log.ended(10, 10);
        }
        assert_eq!(log.line.peak(Some(at(10))), Some((1, at(10))));
    }

    #[test]
    fn sessions_older_than_the_log_are_told_by_their_end() {
        let mut log = Log::default();
        log.authorized(40);
        log.ended(39, 45);
        log.ended(-100, 50);
        log.ended(-90, 60);
        assert_eq!(log.line.peak(Some(at(0))), Some((3, at(40))));
    }

    #[test]
    fn disconnections_alone_are_enough() {
        let mut log = Log::default();
        log.ended(15, 18);
        log.ended(10, 20);
        log.ended(0, 50);
        assert_eq!(log.line.peak(Some(at(18))), Some((3, at(15))));
    }

    #[test]
    fn connections_without_ends_say_nothing() {
        let mut log = Log::default();
        log.authorized(1);
        assert_eq!(log.line.peak(None), None);
    }

    #[test]
    fn a_refused_session_is_gone() {
        let mut log = Log::default();
        log.authorized(1);
        let order = log.next();
        log.line.refused(at(1), order);
        log.authorized(3);
        log.ended(3, 4);
        assert_eq!(log.line.peak(Some(at(0))), Some((1, at(1))));
    }

    #[test]
    fn no_session_survives_a_crash() {
        let mut log = Log::default();
        (0..5).for_each(|second| log.authorized(second));
        let order = log.next();
        log.line.reset(at(10), order);
        log.authorized(11);
        log.ended(11, 12);
        assert_eq!(log.line.peak(Some(at(0))), Some((5, at(4))));
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
                let order = |record| (0, ByteOffset(number as u64 * 2 + record));
                for line in [&mut whole, if number < cut { &mut left } else { &mut right }] {
                    line.authorized(Timestamp(*begin), order(0));
                    line.ended(Timestamp(*begin - 5), Timestamp(*begin + *length), order(1));
                }
            }
            right.merge(left);
            let found = right.peak(Some(at(0)));
            prop_assert_eq!(found, whole.peak(Some(at(0))));
        }
    }
}
