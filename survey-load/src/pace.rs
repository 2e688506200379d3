//! A pace: so many requests a second, evenly, for all respondents of a process together.
//!
//! goose has a throttle too, but it sleeps a whole number of milliseconds between two requests: of 275 requests a
//! second it lets 239 through.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How far a run may fall behind and still catch up: what a server that stood still for longer has missed stays
/// missed, or everything would come at once.
const SLACK: Duration = Duration::from_millis(100);

/// Hands out turns.
#[derive(Debug)]
pub(crate) struct Pace {
    every: Duration,
    /// When the next turn is.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// `rate` turns a second; `None` for a rate of nothing.
    pub(crate) fn new(rate: u64) -> Option<Self> {
        let every = Duration::from_nanos(1_000_000_000_u64.checked_div(rate)?);
        Some(Self { every, next: Mutex::new(None) })
    }

    /// When the turn is of somebody who asks `now`.
    pub(crate) fn turn(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now.checked_sub(SLACK).unwrap_or(now)));
        *next = Some(turn + self.every);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_even_and_what_was_missed_is_made_up_for() {
        let pace = Pace::new(100).unwrap();
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        // Three at once: each has a turn of its own.
        assert_eq!([0, 0, 0].map(|ms| pace.turn(after(ms))), [0, 10, 20].map(after));
        // 50 ms late: at once, and the next ones as well until the pace is kept again.
        assert_eq!([80, 80, 80, 80].map(|ms| pace.turn(after(ms))), [30, 40, 50, 60].map(after));
        // A server that stood still for a second has missed most of it.
        assert_eq!(pace.turn(after(1_000)), after(900));
        assert!(Pace::new(0).is_none());
    }
}
