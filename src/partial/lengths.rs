//! How far apart two positions of a stream are, across files.

use std::collections::BTreeMap;

use crate::units::ByteOffset;

/// The lengths of the files whose end lies in an interval.
///
/// Enough for all distances within the interval: between two of its positions lie only ends that lie in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lengths(BTreeMap<u32, u64>);

impl Lengths {
    /// A file ends.
    pub fn insert(&mut self, file: u32, bytes: u64) {
        self.0.insert(file, bytes);
    }

    /// Adds the files of a neighbour.
    pub fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether `to` is at most `window` bytes behind `from`.
    #[inline(always)]
    #[must_use]
    pub fn within(&self, window: u64, from: ByteOffset, to: ByteOffset) -> bool {
        // What is not behind at all is within.
        if from.file() >= to.file() {
            return to.0.saturating_sub(from.0) <= window;
        }
        self.within_files(window, from, to)
    }

    #[inline(never)]
    fn within_files(&self, window: u64, from: ByteOffset, to: ByteOffset) -> bool {
        let ended: u64 = self.0.range(from.file()..to.file()).map(|(_, bytes)| bytes).sum();
        ended.saturating_add(to.byte()).saturating_sub(from.byte()) <= window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_go_through_files() {
        let mut lengths = Lengths::default();
        (0..3).for_each(|file| lengths.insert(file, 100));
        let check = |from: (u32, u64), to: (u32, u64), distance: u64| {
            let (from, to) = (ByteOffset::new(from.0, from.1), ByteOffset::new(to.0, to.1));
            assert!(lengths.within(distance, from, to));
            assert!(distance == 0 || !lengths.within(distance - 1, from, to));
        };
        check((0, 10), (0, 10), 0);
        check((0, 10), (0, 30), 20);
        check((0, 10), (1, 0), 90);
        check((0, 10), (1, 30), 120);
        check((0, 10), (3, 30), 320);
        check((1, 100), (2, 0), 0);
    }
}
