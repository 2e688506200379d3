//! Where bursts end: outside of a transaction a unit of work ends with a pause, and at every full ten seconds.

use super::{NO_TIME, Step};
use crate::units::Timestamp;

/// Microseconds of the clock's ten seconds.
const TEN_SECONDS: i64 = 10_000_000;

/// What ended a unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ending {
    /// The end of a transaction, or the beginning of the sheet.
    #[default]
    Transaction,
    /// The session was silent.
    Silence,
    /// The clock.
    Clock,
}

impl Ending {
    /// What ends a burst between two calls, if anything does: a pause of more than `gap` microseconds, or the clock,
    /// where they do not lie in the `same` ten seconds.
    #[inline(always)]
    #[must_use]
    pub fn of_burst(before: &Step, step: &Step, gap: u64, same: bool) -> Option<Self> {
        match () {
            () if before.time == NO_TIME || before.wait_before(step) > gap => Some(Self::Silence),
            () if !same => Some(Self::Clock),
            () => None,
        }
    }
}

/// The ten seconds of the call before, and their end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    start: i64,
    end: i64,
}

impl Clock {
    /// Whether a time lies in the same ten seconds as the one before.
    #[inline]
    pub fn is_same(&mut self, time: Timestamp) -> bool {
        if (self.start..self.end).contains(&time.0) {
            return true;
        }
        self.start = time.0.saturating_sub(time.0.rem_euclid(TEN_SECONDS));
        self.end = self.start.saturating_add(TEN_SECONDS);
        false
    }
}
