//! `Scan`: the entries of one chunk → a tally and a fragment. The hot path.

use bumpalo::Bump;

use super::ends::Sessions;
use super::{FileTally, Fragment, Tally};
use crate::log::{Entry, Part, Sink, Skip, SkipReason};
use crate::units::{ByteOffset, widen};

/// Reads one chunk.
pub struct Scan<'a, 't> {
    tally: &'t mut Tally,
    sessions: Sessions<'a>,
    fragment: Fragment,
    file: FileTally,
    chunk: &'a [u8],
    arena: &'a Bump,
    /// Why bytes before the first entry are skipped: the stream may begin in the middle of an entry, or an entry
    /// was longer than the limit.
    leading: SkipReason,
    /// Entries that wait for their turn.
    batch: Vec<Entry<'a>>,
}

/// Entries that are read before they are counted. Reading and counting are both long: taking turns after each entry,
/// they push each other's instructions out of the processor's cache.
const BATCH: usize = 32;

impl<'a, 't> Scan<'a, 't> {
    /// Begins with a chunk that starts at `start`.
    pub fn new(
        chunk: &'a [u8],
        start: ByteOffset,
        arena: &'a Bump,
        leading: SkipReason,
        tally: &'t mut Tally,
    ) -> Self {
        Self {
            tally,
            sessions: Sessions::default(),
            fragment: Fragment::new(start),
            file: FileTally::default(),
            chunk,
            arena,
            leading,
            batch: Vec::with_capacity(BATCH),
        }
    }

    /// The chunk is read; it has so many line ends.
    #[must_use]
    pub fn close(mut self, lines: u64) -> Fragment {
        self.count();
        let mut fragment = self.fragment;
        fragment.end = ByteOffset(fragment.start.0 + self.chunk.len() as u64);
        fragment.lines = lines;
        fragment.ends = self.sessions.close();
        fragment.ends.traces = std::mem::take(&mut self.tally.review.traces);
        fragment.files.insert(fragment.start.file(), self.file);
        fragment
    }

    /// Counts what waits.
    #[inline(never)]
    fn count(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.clock(&batch);
        batch.iter().for_each(|entry| self.count_one(entry));
        self.batch = batch;
        self.batch.clear();
    }

    #[inline(always)]
    fn count_one(&mut self, entry: &Entry<'a>) {
        self.file.entry_bytes += u64::from(entry.len);
        match entry.part {
            Part::Record(severity) => {
                self.file.entries += 1;
                self.sessions.record(entry, severity, self.tally);
            }
            _ => {
                let arena = self.arena;
                let join = |before: &'a [u8], more: &'a [u8]| -> &'a [u8] {
                    let joined = arena.alloc_slice_fill_copy(before.len() + more.len(), 0_u8);
                    joined[..before.len()].copy_from_slice(before);
                    joined[before.len()..].copy_from_slice(more);
                    joined
                };
                self.sessions.part(entry, join, self.tally);
            }
        }
    }

    /// When records were logged. A batch is mostly of one minute, of which the first and the last tell.
    fn clock(&mut self, batch: &[Entry<'a>]) {
        let times = || {
            let records = batch.iter().filter(|entry| matches!(entry.part, Part::Record(_)));
            records.filter_map(|entry| entry.time)
        };
        let mut span = None;
        times().for_each(|time| widen(&mut span, (time, time)));
        let Some(span) = span else { return };
        widen(&mut self.file.span, span);
        if !self.tally.minutes.span(span) {
            times().for_each(|time| self.tally.minutes.entry(time));
        }
    }
}

impl<'a> Sink<'a> for Scan<'a, '_> {
    #[inline(always)]
    fn entry(&mut self, entry: Entry<'a>) {
        self.batch.push(entry);
        if self.batch.len() == BATCH {
            self.count();
        }
    }

    fn skip(&mut self, skip: Skip) {
        let skip = match skip.reason {
            SkipReason::CutStart if skip.at == self.fragment.start => Skip { reason: self.leading, ..skip },
            _ => skip,
        };
        let before = (skip.at.0 - self.fragment.start.0) as usize;
        let line = match self.fragment.skips.contains_key(&skip.reason) {
            true => 0,
            false => memchr::memchr_iter(b'\n', &self.chunk[..before.min(self.chunk.len())]).count() as u64,
        };
        self.fragment.skip(skip, line);
    }
}
