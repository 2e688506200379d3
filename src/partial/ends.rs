//! Open ends: what an interval of a stream cannot finish alone, and how touching intervals finish it.
//!
//! ```text
//!            interval L                     interval R
//!  ┌──────────────────────────────┐┌──────────────────────────────┐
//!   first … calls … waiting,pending  leading,first … waiting,pending      one session
//!                      ╰──── fuse ────╯
//! ```
//!
//! Per session an interval knows six things:
//! - `leading`: parts (DETAIL …) before its first record; they belong to the record that L left pending.
//! - `first`: what its first *pairing* event does to a statement that L left waiting for its duration.
//! - `waiting`: a statement that was logged without its duration (`log_statement`), which may still come.
//! - `pending`: its last record, whose parts may still come.
//! - `ahead`: how long the server worked since the last call, which tells how long the client let wait before the next.
//! - `sheets`: calls that wait to be judged with others (`sheets`).
//!
//! Everything between was finished and tallied at once, so fusing costs time per session, not per entry, and any
//! tree of merges gives the answer of one pass.
//!
//! Windows bound the memory, measured in bytes of the stream ([`Lengths`]) so that they cannot depend on cuts: a part
//! belongs to a record at most [`PART_WINDOW`] before it, a duration to a statement at most [`PAIR_WINDOW`] before;
//! sheets and traces have windows of their own.

use hashbrown::HashMap;

use super::Lengths;
use super::actors;
use super::sheets::{Sheets, Traces};
use super::tally::Tally;
use crate::event::{Event, Text};
use crate::finding::{Class, NO_TIME, Step};
use crate::log::{Entry, Part, Session, Severity, Who};
use crate::record::{OwnedRecord, Record};
use crate::units::{ByteOffset, Micros};

/// How far behind its record a DETAIL or STATEMENT may stand; the server writes them in one piece.
pub const PART_WINDOW: u64 = 1 << 20;
/// How far behind its statement a bare duration may stand.
pub const PAIR_WINDOW: u64 = 256 << 20;

/// How a record is kept while its session goes on: borrowed within a chunk, owned across chunks.
trait Keep<'a>: Sized {
    fn keep(record: &Record<'a>) -> Self;
    fn record(&self) -> Record<'_>;
}

impl<'a> Keep<'a> for Record<'a> {
    fn keep(record: &Record<'a>) -> Self {
        *record
    }

    fn record(&self) -> Record<'_> {
        *self
    }
}

impl<'a> Keep<'a> for OwnedRecord {
    fn keep(record: &Record<'a>) -> Self {
        Self::from(record)
    }

    fn record(&self) -> Record<'_> {
        self.borrow()
    }
}

/// What the first pairing event of an interval does to a statement left waiting before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum First {
    /// There was no pairing event.
    #[default]
    None,
    /// A new statement, an error or the session's edge: the waiting statement gets no duration.
    Flush,
    /// A bare duration: that of the waiting statement, if there is one.
    Duration(Box<OwnedRecord>),
}

/// Pairs statements with durations, record by record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pairing<K> {
    first: First,
    waiting: Option<K>,
    /// Microseconds for which the server worked before the statement that waits, since the call before it.
    waiting_ahead: u64,
    /// Microseconds for which it worked since the last call or statement: parse, bind, fetched rows, and calls that the
    /// rules do not see. They are no waiting for the client.
    ahead: u64,
    /// The calls of the session's first and last minute.
    sheets: Sheets,
}

impl<K> Default for Pairing<K> {
    fn default() -> Self {
        Self { first: First::None, waiting: None, waiting_ahead: 0, ahead: 0, sheets: Sheets::default() }
    }
}

impl<K> Pairing<K> {
    /// Takes one complete record.
    fn settle<'a>(&mut self, record: &Record<'a>, lengths: &Lengths, tally: &mut Tally)
    where
        K: Keep<'a>,
    {
        match Event::read(record) {
            Event::Call(sql, duration) => {
                self.flush(lengths, tally);
                let called = tally.call(record, &Text::of(sql, record.detail), Some(duration));
                let ahead = std::mem::take(&mut self.ahead);
                self.take(called, ahead, lengths, tally);
                if !called {
                    self.work(duration);
                }
            }
            Event::Statement(_) | Event::Fetching(_) => {
                self.flush(lengths, tally);
                self.waiting = Some(K::keep(record));
                self.waiting_ahead = std::mem::take(&mut self.ahead);
            }
            Event::Duration(_) => self.pair(record, lengths, tally),
            Event::Failure => {
                self.flush(lengths, tally);
                self.ahead = 0;
                if !tally.review.detect().off {
                    let at_work = !record.statement.is_empty();
                    let failure = Step::failure(record.time.unwrap_or(NO_TIME), record.at.0, at_work);
                    self.sheets.push(&failure, Class::default(), lengths, &mut tally.review.ready);
                }
                tally.failure(record);
            }
            Event::SessionEdge => {
                self.flush(lengths, tally);
                self.ahead = 0;
                let edge = Step::edge(record.time.unwrap_or(NO_TIME), record.at.0);
                self.sheets.push(&edge, Class::default(), lengths, &mut tally.review.ready);
                tally.other(record);
            }
            Event::Fetch(sql, duration) => {
                self.work(duration);
                tally.fetch(record, sql, duration);
            }
            Event::Parse(sql, duration) => {
                self.work(duration);
                tally.parse(record, sql, duration);
            }
            Event::Bind(sql, duration) => {
                self.work(duration);
                tally.bind(record, sql, duration);
            }
            Event::Plan(plan, duration) => tally.plan(record, plan, duration),
            Event::Other => tally.other(record),
        }
    }

    /// The server worked for the session, at no call that the rules see.
    #[inline(always)]
    fn work(&mut self, duration: Micros) {
        self.ahead = self.ahead.saturating_add(duration.0);
    }

    /// The call that was seen last, if the rules are to see it, in the order of its session; the server worked so long
    /// `ahead` of it.
    #[inline(always)]
    fn take(&mut self, called: bool, ahead: u64, lengths: &Lengths, tally: &mut Tally) {
        if !called {
            self.work(Micros(ahead));
            return;
        }
        let review = &mut tally.review;
        if review.step.tag != 0 {
            // Without what is ahead of it: that an interval may not know.
            review.traces.push(&review.step, &mut review.ready);
        }
        review.step.marks.add_ahead(ahead);
        self.sheets.push(&review.step, review.class(), lengths, &mut review.ready);
    }

    /// The waiting statement gets no duration.
    #[inline(always)]
    fn flush<'a>(&mut self, lengths: &Lengths, tally: &mut Tally)
    where
        K: Keep<'a>,
    {
        if self.waiting.is_some() {
            self.give_up(lengths, tally);
        }
        if self.first == First::None {
            self.first = First::Flush;
        }
    }

    /// The statement that waits counts without a duration.
    #[inline(never)]
    fn give_up<'a>(&mut self, lengths: &Lengths, tally: &mut Tally)
    where
        K: Keep<'a>,
    {
        if let Some(waiting) = self.waiting.take() {
            let called = tally.untimed(&waiting.record());
            self.take(called, self.waiting_ahead, lengths, tally);
        }
    }

    /// A bare duration came.
    fn pair<'a>(&mut self, duration: &Record<'_>, lengths: &Lengths, tally: &mut Tally)
    where
        K: Keep<'a>,
    {
        match self.waiting.take() {
            Some(waiting) if lengths.within(PAIR_WINDOW, waiting.record().at, duration.at) => {
                let called = tally.paired(&waiting.record(), duration);
                self.take(called, self.waiting_ahead, lengths, tally);
                if let (false, Event::Duration(micros)) = (called, Event::of(duration)) {
                    self.work(micros);
                }
            }
            Some(waiting) => {
                let called = tally.untimed(&waiting.record());
                self.take(called, self.waiting_ahead, lengths, tally);
                tally.unidentified(duration);
            }
            None if self.first == First::None => {
                self.first = First::Duration(Box::new(OwnedRecord::from(duration)));
            }
            None => tally.unidentified(duration),
        }
    }
}

/// A part that came before any record of its session in the interval.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leading {
    at: ByteOffset,
    part: Part,
    text: Box<[u8]>,
}

/// One session within the chunk that is being read.
#[derive(Debug, Default)]
struct Live<'a> {
    session: Session,
    begins: ByteOffset,
    leading: Vec<Leading>,
    pairing: Pairing<Record<'a>>,
    /// Its last record, if there was one.
    pending: Record<'a>,
    recorded: bool,
}

/// The sessions of the chunk that is being read.
#[derive(Debug, Default)]
pub struct Sessions<'a> {
    index: HashMap<Session, usize>,
    live: Vec<Live<'a>>,
    latest: Option<(Session, usize)>,
    /// By origin of an entry.
    origins: Vec<Origin>,
    /// None: a chunk lies in one file, and does not hold its end.
    lengths: Lengths,
}

/// What entries of one origin have in common.
#[derive(Debug, Clone, Copy, Default)]
struct Origin {
    /// The place of its session, counted from 1; 0 before its first entry.
    place: usize,
    /// The hash of its names.
    actor: u64,
}

impl<'a> Sessions<'a> {
    fn place(&mut self, session: Session, at: ByteOffset) -> usize {
        match self.latest {
            Some((latest, place)) if latest == session => place,
            _ => {
                let next = self.live.len();
                let place = *self.index.entry(session).or_insert(next);
                if place == next {
                    self.live.push(Live { session, begins: at, ..Live::default() });
                }
                self.latest = Some((session, place));
                place
            }
        }
    }

    /// The session of an origin, and the hash of its names.
    #[inline]
    fn origin(&mut self, origin: u32, who: &Who<'_>, session: Session, at: ByteOffset) -> Origin {
        let index = origin as usize;
        if let Some(known) = self.origins.get(index)
            && known.place > 0
        {
            return *known;
        }
        let new = Origin { place: self.place(session, at) + 1, actor: actors::hash_who(who) };
        if origin != 0 {
            if self.origins.len() <= index {
                self.origins.resize(index + 1, Origin::default());
            }
            self.origins[index] = new;
        }
        new
    }

    /// An entry that begins a record: it finishes the one before it in its session.
    #[inline(always)]
    pub fn record(&mut self, entry: &Entry<'a>, severity: Severity, tally: &mut Tally) {
        let origin = self.origin(entry.origin, entry.who, entry.session, entry.at);
        let live = &mut self.live[origin.place - 1];
        // Settled where it stands, then overwritten: a record is too large to be moved about for nothing.
        if live.recorded {
            live.pairing.settle(&live.pending, &self.lengths, tally);
        }
        live.pending.begin(entry, severity);
        live.pending.actor = origin.actor;
        live.recorded = true;
    }

    /// A part of the session's last record. `join` makes one text of two (syslog cuts long messages).
    #[inline]
    pub fn part(
        &mut self,
        entry: &Entry<'a>,
        join: impl FnOnce(&'a [u8], &'a [u8]) -> &'a [u8],
        tally: &mut Tally,
    ) {
        let Entry { at, part, text, .. } = *entry;
        let place = match self.origins.get(entry.origin as usize) {
            Some(known) if known.place > 0 => known.place - 1,
            _ => self.place(entry.session, at),
        };
        let live = &mut self.live[place];
        let pending = &mut live.pending;
        if !live.recorded {
            live.leading.push(Leading { at, part, text: text.into() });
        } else if self.lengths.within(PART_WINDOW, pending.at, at) {
            let more = part == Part::More;
            let target = if more { pending.last } else { part };
            pending.last = target;
            if let Some(slot) = pending.slot(target) {
                *slot = if more { join(slot, text) } else { text };
            }
        } else {
            tally.orphan();
        }
    }

    /// Ends the chunk: what is open becomes owned.
    #[must_use]
    pub fn close(self) -> Ends {
        let owned = |live: Live<'a>| {
            let Live { session, begins, leading, pairing, .. } = live;
            let waiting = pairing.waiting.as_ref().map(OwnedRecord::from);
            let Pairing { first, waiting_ahead, ahead, sheets, .. } = pairing;
            let pairing = Pairing { first, waiting, waiting_ahead, ahead, sheets };
            let pending = live.recorded.then(|| OwnedRecord::from(&live.pending));
            (session, Box::new(End { begins, leading, pairing, pending, recorded: live.recorded }))
        };
        Ends { sessions: self.live.into_iter().map(owned).collect(), traces: Traces::default() }
    }
}

/// One session at the ends of an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    /// Its first entry in the interval.
    begins: ByteOffset,
    leading: Vec<Leading>,
    pairing: Pairing<OwnedRecord>,
    pending: Option<OwnedRecord>,
    /// Whether the interval has a record of this session; `pending` may have been swept since.
    recorded: bool,
}

/// All sessions at the ends of an interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    /// In boxes: where each request has a connection of its own, there are many, and a table has empty places.
    sessions: HashMap<Session, Box<End>>,
    /// The traces that may go on.
    pub traces: Traces,
}

impl Ends {
    /// Fuses with the interval that begins where this one ends; `alone` if this one has no left neighbour.
    pub fn fuse(&mut self, right: Self, alone: bool, lengths: &Lengths, tally: &mut Tally) {
        self.traces.merge(right.traces, &mut tally.review.ready);
        for (session, theirs) in right.sessions {
            match self.sessions.entry(session) {
                hashbrown::hash_map::Entry::Vacant(vacant) => {
                    vacant.insert(theirs);
                }
                hashbrown::hash_map::Entry::Occupied(mut occupied) => {
                    occupied.get_mut().fuse(*theirs, alone, lengths, tally)
                }
            }
        }
    }

    /// Finishes records whose window has passed, so that sessions which ended silently do not pile up.
    ///
    /// `start` is `None` for an interval at the beginning of its stream. A session that has nothing open can be
    /// forgotten there, because whatever fuses with the interval later meets the same nothing. Elsewhere that holds
    /// for a session that begins so far behind `start` that nothing which is open in the left neighbour can reach it:
    /// what the neighbour has waiting finds its window passed, whether or not it meets the session here.
    pub fn sweep(
        &mut self,
        start: Option<ByteOffset>,
        end: ByteOffset,
        lengths: &Lengths,
        tally: &mut Tally,
    ) {
        // Every call before this is known.
        let mut low = end;
        self.sessions.retain(|_, open| {
            let alone = start.is_none_or(|start| !lengths.within(PAIR_WINDOW, start, open.begins));
            if alone {
                open.settle_first(tally);
            }
            let passed = |window, record: &OwnedRecord| !lengths.within(window, record.borrow().at, end);
            if let Some(pending) = open.pending.take_if(|pending| passed(PART_WINDOW, pending)) {
                open.pairing.settle(&pending.borrow(), lengths, tally);
                if alone {
                    open.settle_first(tally);
                }
            }
            if let Some(waiting) = open.pairing.waiting.take_if(|waiting| passed(PAIR_WINDOW, waiting)) {
                let called = tally.untimed(&waiting.borrow());
                open.pairing.take(called, open.pairing.waiting_ahead, lengths, tally);
            }
            let waits = [open.pending.as_ref(), open.pairing.waiting.as_ref()];
            let first = waits.into_iter().flatten().map(|record| record.borrow().at).min();
            low = low.min(first.unwrap_or(end));
            if start.is_none() && open.pairing.waiting.is_none() {
                open.pairing.sheets.sweep(end, lengths, &mut tally.review.ready);
            }
            !alone || first.is_some() || !open.pairing.sheets.is_empty()
        });
        self.traces.merge(std::mem::take(&mut tally.review.traces), &mut tally.review.ready);
        if start.is_none() {
            self.traces.sweep(low, lengths, &mut tally.review.ready);
        }
    }

    /// The stream is over.
    pub fn finish(mut self, lengths: &Lengths, tally: &mut Tally) {
        // In a fixed order: the tally does not care, but a debugger's reader does.
        let mut sessions: Vec<(Session, Box<End>)> = self.sessions.into_iter().collect();
        sessions.sort_unstable_by_key(|(session, _)| *session);
        for (_, mut end) in sessions {
            end.settle_first(tally);
            if let Some(pending) = end.pending.take() {
                end.pairing.settle(&pending.borrow(), lengths, tally);
                end.settle_first(tally);
            }
            if let Some(waiting) = end.pairing.waiting.take() {
                let called = tally.untimed(&waiting.borrow());
                end.pairing.take(called, end.pairing.waiting_ahead, lengths, tally);
            }
            end.pairing.sheets.finish(lengths, &mut tally.review.ready);
        }
        self.traces.merge(std::mem::take(&mut tally.review.traces), &mut tally.review.ready);
        self.traces.finish(lengths, &mut tally.review.ready);
    }

    /// Sessions with open ends.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether nothing is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

impl End {
    /// There is no left neighbour: a bare duration at the beginning belongs to nothing in this stream.
    fn settle_first(&mut self, tally: &mut Tally) {
        if let First::Duration(duration) = &self.pairing.first {
            tally.unidentified(&duration.borrow());
            self.pairing.first = First::Flush;
        }
        for _ in self.leading.drain(..) {
            tally.orphan();
        }
    }

    fn fuse(&mut self, theirs: Self, alone: bool, lengths: &Lengths, tally: &mut Tally) {
        for leading in theirs.leading {
            match &mut self.pending {
                Some(pending) if lengths.within(PART_WINDOW, pending.borrow().at, leading.at) => {
                    pending.attach(leading.part, &leading.text);
                }
                Some(_) => tally.orphan(),
                None if self.recorded => tally.orphan(),
                None => self.leading.push(leading),
            }
        }
        if !theirs.recorded {
            return;
        }
        if let Some(pending) = self.pending.take() {
            self.pairing.settle(&pending.borrow(), lengths, tally);
        }
        let Pairing { first, waiting, mut waiting_ahead, mut ahead, mut sheets } = theirs.pairing;
        let silent = first == First::None;
        match first {
            First::None => {}
            First::Flush => self.pairing.flush(lengths, tally),
            First::Duration(duration) => self.pairing.pair(&duration.borrow(), lengths, tally),
        }
        // What the server did before the cut is ahead of the first call behind it, or of the statement that waits.
        let before = self.pairing.ahead;
        match () {
            () if !sheets.is_empty() => sheets.add_ahead(before),
            () if waiting.is_some() => waiting_ahead = waiting_ahead.saturating_add(before),
            () => ahead = ahead.saturating_add(before),
        }
        self.pairing.ahead = ahead;
        if !silent {
            (self.pairing.waiting, self.pairing.waiting_ahead) = (waiting, waiting_ahead);
        }
        self.pairing.sheets.fuse(sheets, alone, lengths, &mut tally.review.ready);
        self.pending = theirs.pending;
        self.recorded = true;
    }
}
