//! Checkpoints and restartpoints: sums, maxima and hours.

use std::collections::BTreeMap;

use super::HourSums;
use crate::event::checkpoint::{self, Checkpoint, Complete};
use crate::units::{Micros, Timestamp};

/// Combinations of causes kept; a server has a dozen.
const MOST_CAUSES: usize = 64;

/// Checkpoints and restartpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoints {
    /// `checkpoint starting`.
    pub started: u64,
    /// `restartpoint starting`.
    pub restartpoints_started: u64,
    /// `checkpoint complete`.
    pub completed: u64,
    /// `restartpoint complete`.
    pub restartpoints: u64,
    /// `checkpoints are occurring too frequently`.
    pub too_frequent: u64,
    /// By causes, of both.
    pub causes: BTreeMap<String, u64>,
    /// Sums of the complete ones.
    pub sum: Complete,
    /// Longest, from begin to end.
    pub max: Micros,
    /// Longest sync of one file.
    pub longest_sync: Micros,
    /// Largest distance.
    pub max_distance: u64,
    /// Complete ones and the distance, by hour.
    pub hours: HourSums,
}

impl Checkpoints {
    /// Counts one record.
    pub fn add(&mut self, time: Option<Timestamp>, checkpoint: Checkpoint<'_>) {
        match checkpoint {
            Checkpoint::Starting { restart, causes } => {
                let count = if restart { &mut self.restartpoints_started } else { &mut self.started };
                *count += 1;
                self.cause(checkpoint::causes(causes), 1);
            }
            Checkpoint::Complete(complete) => {
                let count = if complete.restart { &mut self.restartpoints } else { &mut self.completed };
                *count += 1;
                self.max = self.max.max(complete.total);
                self.longest_sync = self.longest_sync.max(complete.longest_sync);
                self.max_distance = self.max_distance.max(complete.distance);
                add(&mut self.sum, &complete);
                if let Some(time) = time {
                    self.hours.add(time.hour(), 1, complete.distance);
                }
            }
            Checkpoint::TooFrequent => self.too_frequent += 1,
        }
    }

    fn cause(&mut self, causes: String, count: u64) {
        *self.causes.entry(causes).or_default() += count;
        if self.causes.len() > MOST_CAUSES {
            self.causes.pop_last();
        }
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: Self) {
        self.started += other.started;
        self.restartpoints_started += other.restartpoints_started;
        self.completed += other.completed;
        self.restartpoints += other.restartpoints;
        self.too_frequent += other.too_frequent;
        other.causes.into_iter().for_each(|(causes, count)| self.cause(causes, count));
        add(&mut self.sum, &other.sum);
        self.max = self.max.max(other.max);
        self.longest_sync = self.longest_sync.max(other.longest_sync);
        self.max_distance = self.max_distance.max(other.max_distance);
        self.hours.merge(&other.hours);
    }
}

/// Sums what can be summed; the estimate cannot.
fn add(sum: &mut Complete, other: &Complete) {
    for (own, their) in [
        (&mut sum.buffers, other.buffers),
        (&mut sum.slru_buffers, other.slru_buffers),
        (&mut sum.sync_files, other.sync_files),
        (&mut sum.distance, other.distance),
    ] {
        *own = own.saturating_add(their);
    }
    for (own, their) in sum.wal.iter_mut().zip(other.wal) {
        *own = own.saturating_add(their);
    }
    sum.write += other.write;
    sum.sync += other.sync;
    sum.total += other.total;
}
