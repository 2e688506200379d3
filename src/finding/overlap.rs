//! [`Overlap`]: reads that two things hold back on the primary, what their trace wrote before them and what their
//! transaction writes.
//!
//! Only the trace or request knows the first, because it may run through several sessions, as it does behind a
//! transaction pooler. Only the session knows the second, because a trace does not know its transactions. Each is judged
//! where it is known, and neither sees the other; so each names the calls that it holds back, and once all parts are
//! merged, what both named is held back once.
//!
//! Up to [`MOST`] calls of either are named; of more, those whose places have the smallest hashes speak for the others.
//! Which ones those are depends on the whole log alone, not on how it was cut.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::replica_reads::{Pins, Question, Recount};
use crate::bounded::spread;
use crate::units::{Micros, scale};

/// Calls of one kind that are kept.
const MOST: usize = 1 << 16;

/// A hash of a call's place, the same wherever the call is judged.
pub(super) fn call(stream: u32, at: u64) -> u64 {
    spread(at ^ u64::from(stream).rotate_left(40))
}

/// Reads of traces and requests that are held back, by [`call`].
#[derive(Debug, Clone, Default)]
pub(super) struct Overlap {
    /// By a transaction that writes; with what its session knows of the trace's writes.
    held: Sample<Pins>,
    /// By what their trace wrote: statement, route and the question.
    pinned: Sample<(u64, u64, Question)>,
}

impl Overlap {
    /// A question that a transaction holds back, and how it was counted there.
    pub(super) fn hold(&mut self, call: u64, pins: Pins) {
        self.held.push(call, pins);
    }

    /// A question of a statement and route that its trace's writes hold back.
    pub(super) fn pin(&mut self, call: u64, fingerprint: u64, route: u64, question: Question) {
        self.pinned.push(call, (fingerprint, route, question));
    }

    /// Adds another part's.
    pub(super) fn merge(&mut self, other: Self) {
        self.held.merge(other.held);
        self.pinned.merge(other.pinned);
    }

    /// What both hold back, by statement and route: how their sessions counted it, and how their traces do.
    pub(super) fn settle(mut self) -> impl Iterator<Item = (u64, u64, Recount)> {
        self.held.prune();
        self.pinned.prune();
        let limit = self.held.limit.min(self.pinned.limit);
        let held: HashMap<u64, Pins> = self.held.list.into_iter().collect();
        let mut sums: BTreeMap<(u64, u64, Pins, Pins), (u64, u64)> = BTreeMap::new();
        for (call, (fingerprint, route, question)) in self.pinned.list {
            if call < limit
                && let Some(from) = held.get(&call)
            {
                let sum = sums.entry((fingerprint, route, *from, question.pins)).or_default();
                sum.0 += 1;
                sum.1 += question.duration.0;
            }
        }
        sums.into_iter().map(move |((fingerprint, route, from, to), (calls, time))| {
            let all = |part: u64| scale(part, limit, u64::MAX);
            (fingerprint, route, Recount { from, to, some: (all(calls), Micros(all(time))) })
        })
    }
}

/// Calls by hash: the smallest ones, at most [`MOST`] of them once it is pruned.
#[derive(Debug, Clone)]
struct Sample<T> {
    list: Vec<(u64, T)>,
    /// Only hashes below it are kept.
    limit: u64,
}

impl<T> Default for Sample<T> {
    fn default() -> Self {
        Self { list: Vec::new(), limit: u64::MAX }
    }
}

impl<T> Sample<T> {
    fn push(&mut self, call: u64, value: T) {
        if call < self.limit {
            self.list.push((call, value));
            if self.list.len() >= 2 * MOST {
                self.prune();
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn prune(&mut self) {
        if self.list.len() > MOST {
            let (_, first_beyond, _) = self.list.select_nth_unstable_by_key(MOST, |kept| kept.0);
            self.limit = first_beyond.0;
            self.list.truncate(MOST);
        }
    }

    /// Adds another part's.
    fn merge(&mut self, other: Self) {
        self.limit = self.limit.min(other.limit);
        self.list.extend(other.list);
        let limit = self.limit;
        self.list.retain(|kept| kept.0 < limit);
        self.prune();
    }
}

#[cfg(test)]
mod tests {
    use super::super::replica_reads::{PINS, Reads};
    use super::*;

    /// Reads of one statement that a trace wrote a microsecond before, and nobody else.
    fn pinned() -> Question {
        Question::new(10, 1, 5_000_000)
    }

    #[test]
    fn a_sample_of_parts_is_that_of_the_whole() {
        let calls = 3 * MOST as u64 + 100;
        let mut whole = Sample::default();
        let mut parts: Vec<Sample<()>> = vec![Sample::default(); 3];
        for at in 0..calls {
            whole.push(call(0, at), ());
            // One part is far larger than the others.
            parts[if at % 9 < 7 { 0 } else { (at % 9 - 6) as usize }].push(call(0, at), ());
        }
        let mut merged = Sample::default();
        parts.into_iter().rev().for_each(|part| merged.merge(part));
        for sample in [&mut whole, &mut merged] {
            sample.prune();
            sample.list.sort_unstable();
        }
        assert_eq!(whole.list.len(), MOST);
        assert_eq!((&whole.list, whole.limit), (&merged.list, merged.limit));
    }

    #[test]
    fn what_both_hold_back_is_held_once_and_of_many_nearly_so() {
        for (calls, off) in [(1000_u64, 0), (6 * MOST as u64, 50)] {
            let (mut reads, mut overlap) = (Reads::default(), Overlap::default());
            // A third in a transaction that writes, half after a write of the trace; a sixth is both.
            for at in 0..calls {
                let (held, late) = (at % 3 == 0, at % 2 == 0);
                let question = if late { pinned() } else { Question::new(10, u64::MAX, 5_000_000) };
                reads.ask(question);
                if late {
                    overlap.pin(call(1, at), 7, 8, question);
                }
                if held {
                    let unknown = Question::new(10, u64::MAX, 5_000_000);
                    reads.hold(unknown);
                    overlap.hold(call(1, at), unknown.pins);
                }
            }
            for (fingerprint, route, recount) in overlap.settle() {
                assert_eq!((fingerprint, route), (7, 8));
                reads.recount(recount);
            }
            // Neither late nor held are places 1 and 5 of six.
            let free = reads.free(PINS.len()).0;
            let right = (0..calls).filter(|at| matches!(at % 6, 1 | 5)).count() as u64;
            assert!(free.abs_diff(right) <= right * off / 1000, "{free} of {right}");
            // Without a pin time only those that are held stay.
            let held = (0..calls).filter(|at| at % 3 == 0).count() as u64;
            assert_eq!(reads.free(0).0, calls - held);
        }
    }

    #[test]
    fn what_is_held_of_one_statement_is_not_taken_from_another() {
        let free = Question::new(10, u64::MAX, 5_000_000);
        let (mut one, mut other) = (Reads::default(), Reads::default());
        // Asked right after a write, and held as if nobody had told.
        one.ask(pinned());
        one.hold(free);
        other.ask(free);
        one.bound();
        other.merge(&one);
        assert_eq!(other.free(PINS.len()), (1, Micros(10)));
    }
}
