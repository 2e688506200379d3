//! [`Seams`]: where the calls of a session may be cut so that no unit of work is.
//!
//! Behind the end of a transaction, and between two bursts: outside of a transaction a unit ends with a pause, and at
//! every full ten seconds of the clock. What must be known to go on behind a seam is little ([`Seam`]).
//!
//! An interval does not know whether a transaction is open where it begins. What would be a seam if none were is kept
//! until the left neighbour tells. A transaction goes on over the end of a minute: what is open there is [`Carried`] to
//! the next.

use crate::finding::{Carried, Class, Clock, Deeds, Ending, LEAD, Step};
use crate::units::Timestamp;

/// A place where no unit goes on; without calls before it, the beginning of a sheet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seam {
    /// Calls before it.
    pub place: usize,
    /// When the session wrote last before it.
    pub wrote: Option<Timestamp>,
    /// What ended the unit before it.
    pub end: Ending,
    /// What is open at the beginning of a sheet; nothing is elsewhere.
    pub carried: Carried,
}

/// Whether a transaction is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// As it was where the calls begin.
    Unknown,
    Outside,
    Inside,
}

/// The seams of calls that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seams {
    /// Whether the sheet begins with the first of the calls, and it is known what is open there.
    known: bool,
    /// The first one with a whole lead before it.
    first: Option<Seam>,
    /// The last one.
    last: Option<Seam>,
    /// The last place that is one if no transaction was open at the beginning.
    perhaps: Option<Seam>,
    /// When the session wrote last.
    wrote: Option<Timestamp>,
    turn: Turn,
    /// What these calls did to the transaction that is open at the end, if one is.
    did: Deeds,
    /// Whether it has failed, or came back from a failure; `None` for neither.
    failed: Option<bool>,
    /// Whether each of the last two calls begins a transaction, or may, because it is not here.
    begin: [bool; 2],
    /// Whether a unit ends with the last call: what comes next does not end it once more.
    ended: bool,
    clock: Clock,
    /// Whether there is a call that belongs to a trace or request: then what was written is another question for each.
    tagged: bool,
}

/// Those of no call: where they begin nobody knows.
impl Default for Seams {
    fn default() -> Self {
        Self {
            known: false,
            first: None,
            last: None,
            perhaps: None,
            wrote: None,
            turn: Turn::Unknown,
            did: Deeds::default(),
            failed: None,
            begin: [true; 2],
            ended: false,
            clock: Clock::default(),
            tagged: false,
        }
    }
}

impl Seams {
    /// The sheet begins with the first of the calls, and this is open there.
    pub fn begin(&mut self, carried: Carried) {
        self.known = true;
        if self.turn == Turn::Unknown && carried.inside {
            self.did.join(carried.did);
            self.failed = self.failed.or(Some(carried.failed));
        }
        self.know(carried.inside);
    }

    /// Whether it is known what is open at the beginning of the sheet.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// What is open behind the calls; `None` where only the left neighbour can tell.
    #[must_use]
    pub fn end(&self) -> Option<Carried> {
        let failed = self.failed == Some(true);
        match self.turn {
            Turn::Unknown => None,
            Turn::Outside => Some(Carried::default()),
            Turn::Inside => Some(Carried { inside: true, did: self.did, failed }),
        }
    }

    /// Whether seams may be used: it must be known what was written before them.
    fn are_useful(&self) -> bool {
        self.known && !self.tagged
    }

    /// The last one, if it may be used and there are so many calls before it; from now on there is none.
    #[must_use]
    pub fn take_last(&mut self, calls: usize) -> Option<Seam> {
        let useful = self.are_useful();
        self.last.take_if(|seam| useful && seam.place >= calls)
    }

    /// The first one in calls that follow, if it may be used.
    #[must_use]
    pub fn first_of(&self, next: &Self) -> Option<Seam> {
        let useful = self.are_useful() && !next.tagged;
        next.first.filter(|_| useful).map(|seam| self.moved(0, seam))
    }

    /// Whether a transaction was open where the calls begin.
    fn know(&mut self, inside: bool) {
        let perhaps = self.perhaps.take();
        if !inside {
            self.last = self.last.or(perhaps);
        }
        if self.turn == Turn::Unknown {
            self.turn = if inside { Turn::Inside } else { Turn::Outside };
        }
    }

    /// A call, behind so many `before` it, of which one is the last; `gap` is the longest pause within a burst.
    #[inline(always)]
    pub fn pass(&mut self, before: usize, last: Option<&Step>, step: &Step, class: Class, gap: u64) {
        if self.turn != Turn::Inside {
            self.pass_outside(before, last, step, gap);
        }
        self.tagged |= step.tag != 0;
        if class.pins() {
            self.wrote = Some(step.time);
        }
        self.ended = class.ends() || step.is_edge();
        self.follow(step, class);
        // `BEGIN; INSERT; COMMIT` in a row are looked at together: no seam behind such three.
        if class.ends() && !self.begin[0] {
            self.add(self.seam(before + 1, Ending::Transaction));
        }
        self.begin = [self.begin[1], class.begins()];
    }

    /// What a call does to the transaction that is open.
    #[inline(always)]
    pub fn follow(&mut self, step: &Step, class: Class) {
        if class.turns() || !step.is_call() {
            self.turn(step, class);
        }
        self.did.add(class);
    }

    /// A call that begins or ends a transaction or undoes a part of it, a failure, or the edge of the session.
    fn turn(&mut self, step: &Step, class: Class) {
        if class.ends() || step.is_edge() {
            self.turn = Turn::Outside;
        } else if class.begins() || class.chains() {
            self.turn = Turn::Inside;
        } else {
            self.failed = Some(!class.undoes());
            return;
        }
        self.did = Deeds::default();
        self.failed = None;
    }

    /// What calls that follow do to the transaction that is open, and no more.
    pub fn follow_all(&mut self, next: &Self) {
        if next.turn == Turn::Unknown {
            self.did.join(next.did);
            self.failed = next.failed.or(self.failed);
        } else {
            (self.turn, self.did, self.failed) = (next.turn, next.did, next.failed);
        }
    }

    fn seam(&self, place: usize, end: Ending) -> Seam {
        Seam { place, wrote: self.wrote, end, carried: Carried::default() }
    }

    /// A call outside of a transaction, as far as is known.
    #[inline(always)]
    fn pass_outside(&mut self, before: usize, last: Option<&Step>, step: &Step, gap: u64) {
        let same = self.clock.is_same(step.time);
        if let Some(last) = last.filter(|_| !self.ended && !step.is_edge())
            && let Some(end) = Ending::of_burst(last, step, gap, same)
        {
            let seam = self.seam(before, end);
            match self.turn {
                Turn::Unknown => self.perhaps = Some(seam),
                _ => self.add(seam),
            }
        }
    }

    #[inline(always)]
    fn add(&mut self, seam: Seam) {
        self.last = Some(seam);
        if self.first.is_none() && seam.place > LEAD {
            self.first = self.last;
        }
    }

    /// A seam of calls that follow from `place` on.
    fn moved(&self, place: usize, seam: Seam) -> Seam {
        Seam { place: place + seam.place, wrote: seam.wrote.or(self.wrote), ..seam }
    }

    /// Those of calls that follow from `place` on.
    pub fn append(&mut self, place: usize, other: Self) {
        let own = *self;
        let moved = |seam: Seam| own.moved(place, seam);
        let mut ends = own;
        ends.follow_all(&other);
        let mut other = Self { first: other.first.map(moved), last: other.last.map(moved), ..other };
        other.perhaps = other.perhaps.map(moved);
        (other.did, other.failed) = (ends.did, ends.failed);
        match own.turn {
            Turn::Unknown => other.perhaps = other.perhaps.or(own.perhaps),
            turn => other.know(turn == Turn::Inside),
        }
        other.known = own.known;
        other.first = own.first.or(other.first);
        other.last = other.last.or(own.last);
        other.wrote = other.wrote.or(own.wrote);
        other.tagged |= own.tagged;
        *self = other;
    }
}
