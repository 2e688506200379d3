//! What merges: one [`Partial`] for any set of intervals, and `⊕` that works in any order and any tree.
//!
//! ```text
//!  chunk ─▶ Scan ─▶ Fragment (ends, skips, bytes)   ⊕ touching fragments fuse
//!             └───▶ Tally    (counts)               ⊕ addition
//! ```
//!
//! Counts need no order. What an interval cannot finish alone stays in its [`Fragment`] until the neighbour comes.

pub mod actors;
pub mod askings;
pub mod distinct;
pub mod ends;
pub mod errors;
pub mod events;
pub mod histogram;
mod in_order;
mod lengths;
pub mod minutes;
pub mod pieces;
pub mod plans;
pub mod review;
mod scan;
pub mod seams;
pub mod sheets;
pub mod slowest;
mod spare;
pub mod statements;
pub mod tally;
pub mod trace;
pub mod writes;

use std::collections::BTreeMap;

pub use ends::Ends;
pub use lengths::Lengths;
pub use scan::Scan;
pub use tally::Tally;

use crate::log::{Skip, SkipReason};
use crate::units::{ByteOffset, Timestamp, widen};

/// The place of something in the whole input: stream, then byte. Ties are broken by it.
pub type Order = (u32, ByteOffset);

/// How far a fragment grows before records whose window has passed are finished.
const SWEEP_EVERY: u64 = 16 << 20;

/// What is known about an interval of a stream besides the counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// First byte.
    pub start: ByteOffset,
    /// The byte after the last.
    pub end: ByteOffset,
    /// Line ends in that part of it which lies in the file of its end.
    pub lines: u64,
    /// How long the files are whose end lies in it.
    pub lengths: Lengths,
    /// Open ends.
    pub ends: Ends,
    /// What was skipped, by reason.
    pub skips: BTreeMap<SkipReason, Skips>,
    /// Per file of the stream: records, bytes, first and last time.
    pub files: BTreeMap<u32, FileTally>,
    swept: ByteOffset,
}

/// What was read of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileTally {
    /// Records.
    pub entries: u64,
    /// Bytes in entries.
    pub entry_bytes: u64,
    /// Earliest and latest time.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl FileTally {
    fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.entry_bytes += other.entry_bytes;
        if let Some(span) = other.span {
            widen(&mut self.span, span);
        }
    }
}

/// Bytes skipped for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skips {
    /// How often.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Where first.
    pub first: ByteOffset,
    /// Line ends before `first` in its file; in the file of the fragment's start, only those within the fragment.
    pub line: u64,
}

impl Fragment {
    /// An empty fragment.
    #[must_use]
    pub fn new(start: ByteOffset) -> Self {
        Self {
            start,
            end: start,
            lines: 0,
            lengths: Lengths::default(),
            ends: Ends::default(),
            skips: BTreeMap::new(),
            files: BTreeMap::new(),
            swept: start,
        }
    }

    fn skip(&mut self, skip: Skip, line: u64) {
        let new = Skips { count: 0, bytes: 0, first: skip.at, line };
        let skips = self.skips.entry(skip.reason).or_insert(new);
        skips.count += 1;
        skips.bytes += skip.len;
    }

    /// Bytes that are not read.
    #[must_use]
    pub fn gap(start: ByteOffset, bytes: u64) -> Self {
        Self { end: ByteOffset::new(start.file(), start.byte() + bytes), ..Self::new(start) }
    }

    /// The end of a file of `bytes` bytes: nothing, from its last byte to the first of the next one. It makes the
    /// fragments of two files touch.
    #[must_use]
    pub fn end_of_file(file: u32, bytes: u64) -> Self {
        let mut end = Self::new(ByteOffset::new(file, bytes));
        end.end = ByteOffset::new(file.saturating_add(1), 0);
        end.lengths.insert(file, bytes);
        end
    }

    /// Fuses with the fragment that begins where this one ends.
    fn fuse(&mut self, right: Self, tally: &mut Tally) {
        let start = (self.start != ByteOffset(0)).then_some(self.start);
        self.lengths.merge(right.lengths);
        self.ends.fuse(right.ends, start.is_none(), &self.lengths, tally);
        self.ends.traces.merge(std::mem::take(&mut tally.review.traces), &mut tally.review.ready);
        for (reason, theirs) in right.skips {
            let same_file = theirs.first.file() == right.start.file();
            let theirs = Skips { line: theirs.line + if same_file { self.lines } else { 0 }, ..theirs };
            self.skips
                .entry(reason)
                .and_modify(|ours| {
                    ours.count += theirs.count;
                    ours.bytes += theirs.bytes;
                })
                .or_insert(theirs);
        }
        for (file, theirs) in right.files {
            self.files.entry(file).or_default().add(theirs);
        }
        let same_file = right.end.file() == right.start.file();
        self.lines = right.lines + if same_file { self.lines } else { 0 };
        self.end = right.end;
        if self.end.0 - self.swept.0 > SWEEP_EVERY {
            self.ends.sweep(start, self.end, &self.lengths, tally);
            self.swept = self.end;
        }
    }
}

/// The fragments of one stream: disjoint, sorted, touching ones fused.
#[derive(Debug, Clone, Default)]
pub struct Seams {
    fragments: BTreeMap<ByteOffset, Fragment>,
}

impl Seams {
    /// Adds an interval and fuses it with its neighbours. What that finishes goes to `tally`.
    pub fn insert(&mut self, fragment: Fragment, tally: &mut Tally) {
        let mut fragment = fragment;
        if let Some((_, left)) = self.fragments.range_mut(..=fragment.start).next_back()
            && left.end == fragment.start
        {
            left.fuse(fragment, tally);
            let (start, end) = (left.start, left.end);
            if let Some(right) = self.fragments.remove(&end)
                && let Some(left) = self.fragments.get_mut(&start)
            {
                left.fuse(right, tally);
            }
            return;
        }
        if let Some(right) = self.fragments.remove(&fragment.end) {
            fragment.fuse(right, tally);
        }
        self.fragments.insert(fragment.start, fragment);
    }

    /// The stream's fragments in order; one, when nothing is missing.
    pub fn into_fragments(self) -> impl Iterator<Item = Fragment> {
        self.fragments.into_values()
    }
}

/// The answer for any set of intervals of any streams.
#[derive(Debug, Clone, Default)]
pub struct Partial {
    /// Everything counted.
    pub tally: Tally,
    /// What is open, by stream.
    pub streams: BTreeMap<u32, Seams>,
}

impl Partial {
    /// Adds one interval of a stream.
    pub fn insert(&mut self, stream: u32, fragment: Fragment) {
        self.tally.enter(stream);
        self.streams.entry(stream).or_default().insert(fragment, &mut self.tally);
        self.tally.review.settle();
    }

    /// `⊕`: associative and commutative, as far as [`Partial::finish`] can see.
    pub fn merge(&mut self, other: Self) {
        self.tally.merge(other.tally);
        for (stream, seams) in other.streams {
            for fragment in seams.into_fragments() {
                self.insert(stream, fragment);
            }
        }
    }

    /// All intervals are here: finishes what is open at the ends of the streams.
    #[must_use]
    pub fn finish(self) -> (Tally, BTreeMap<u32, Vec<Fragment>>) {
        let Self { mut tally, streams } = self;
        let mut read = BTreeMap::new();
        for (stream, seams) in streams {
            tally.enter(stream);
            let fragments: &mut Vec<Fragment> = read.entry(stream).or_default();
            for mut fragment in seams.into_fragments() {
                std::mem::take(&mut fragment.ends).finish(&fragment.lengths, &mut tally);
                fragments.push(fragment);
            }
        }
        tally.review.settle();
        (tally, read)
    }
}
