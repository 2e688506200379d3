//! Sheets: the calls of one session, or of one trace, within one minute, put together across cuts.
//!
//! ```text
//!    interval L                      interval R
//!   head │ (judged) … │ tail     head │ (judged) … │ tail        one session
//!                        ╰─ fuse ─╯
//! ```
//!
//! Whether two neighbouring calls of a session share a sheet depends on these two alone (same minute, not more than
//! [`SHEET_WINDOW`] bytes apart), so any cut gives the same sheets. An interval keeps the first and the last one of
//! each session; those between are complete and were handed out to be judged.
//!
//! A sheet whose beginning is known need not wait for its end: what stands before a *seam* is handed out as soon as it
//! is long enough, while it is still in a processor's cache, and what stands behind is judged later with the few calls
//! before it that it must know of ([`Sheet::from`]).
//!
//! ```text
//!   BEGIN a b COMMIT │ BEGIN c d COMMIT │ e BEGIN f …
//!                                       ╰ seam: the end of a transaction, or of a burst (`seams`)
//!   ╰───── one to be judged ──────────╯
//!               ╰────── lead ──────────╯╰── next ──
//! ```
//!
//! Findings do not depend on where seams are used, because no unit of work goes on across one; so they may be used
//! where it is convenient.
//!
//! The calls of a sheet after its first [`MOST_SHEET`] are judged second by second, and a second of more than that is
//! counted and dropped: which of the three happens depends only on how many calls there are.
//!
//! A trace may run through several sessions at once. Its calls are collected by trace and minute, whatever their
//! order, and are complete once the interval has gone on for [`TAG_WINDOW`] bytes without one.

use hashbrown::HashMap;

use super::Lengths;
use super::pieces::Pieces;
use super::seams::{Seam, Seams};
use super::spare::Spare;
use crate::finding::{Carried, Class, Ending, LEAD, MINUTE, NO_TIME, Step};
use crate::units::{ByteOffset, Timestamp};

/// Bytes of the stream without a call of a session, after which its sheet ends.
pub const SHEET_WINDOW: u64 = 64 << 20;
/// Bytes of the stream without a call of a trace, after which it ends.
pub const TAG_WINDOW: u64 = 16 << 20;
/// Calls that are judged together at most.
pub const MOST_SHEET: usize = 1 << 15;
/// Calls before a seam that are worth to be handed out. Tests hand out whatever they can.
const WORTH: usize = if cfg!(debug_assertions) { 1 } else { 4 * LEAD };

/// Calls ready to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// In the order of their session; of a trace, in the order of the stream.
    pub steps: Pieces,
    /// What is before it was judged before.
    pub from: Seam,
    /// What ended the last unit, if another one follows in the same minute.
    pub end: Ending,
    /// The place of the first call of the session's minute, or of a second that is judged by itself.
    pub first: u64,
    /// Whether they are those of a trace or request.
    pub tagged: bool,
    /// They are one second of a minute too full to be judged as one.
    pub by_second: bool,
    /// Calls that were dropped, because not even the second was judged.
    pub dropped: u64,
    /// The stream.
    pub stream: u32,
    /// When the session's next call began; [`NO_TIME`] where there is none.
    pub next: Timestamp,
}

/// The calls of one second, or of a trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Part {
    steps: Pieces,
    /// Calls, also those that were dropped.
    count: u64,
    /// When the second of its first call began.
    second: i64,
}

impl Part {
    fn new(step: &Step, spare: &mut Spare) -> Self {
        let mut part = Self { second: beginning(step.time.0, SECOND), ..Self::default() };
        part.push(step, spare);
        part
    }

    fn push(&mut self, step: &Step, spare: &mut Spare) {
        self.count += 1;
        if self.count as usize <= MOST_SHEET {
            self.steps.push(step, spare);
        } else {
            self.give_up(spare);
        }
    }

    /// Too many calls even for a second.
    #[cold]
    #[inline(never)]
    fn give_up(&mut self, spare: &mut Spare) {
        std::mem::take(&mut self.steps).give_back(spare);
    }

    /// Takes over the calls of the same time that follow.
    fn append(&mut self, other: Self, spare: &mut Spare) {
        self.count += other.count;
        if self.count as usize <= MOST_SHEET {
            self.steps.append(other.steps, spare);
        } else {
            self.give_up(spare);
            other.steps.give_back(spare);
        }
    }
}

/// Calls that are judged second by second.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seconds {
    /// The first second, once there is another: what comes before may belong to it. The ones between are done.
    first: Option<Part>,
    last: Part,
}

/// A sheet that may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Open {
    /// When its minute began.
    minute: i64,
    /// The place of its first and last call.
    first: u64,
    last: u64,
    /// The first [`MOST_SHEET`] calls, but for those that were handed out.
    steps: Pieces,
    /// What is before it in `steps` was handed out nevertheless: it is kept for those behind.
    from: Seam,
    seams: Seams,
    /// Calls that are, or were, in `steps`.
    count: usize,
    /// The others; in a box, because few sessions have any.
    seconds: Option<Box<Seconds>>,
    /// When its first call began.
    start: Timestamp,
    /// When the session's next call began; [`NO_TIME`] as long as nobody knows.
    next: Timestamp,
}

const SECOND: i64 = 1_000_000;

/// When the minute or second of a time began. That of [`NO_TIME`](crate::finding::NO_TIME) wraps around, as [`is_in`]
/// does.
fn beginning(time: i64, span: i64) -> i64 {
    time.wrapping_sub(time.rem_euclid(span))
}

/// Whether a time lies in the minute or second that began at `beginning`.
#[inline]
fn is_in(time: i64, beginning: i64, span: i64) -> bool {
    (time.wrapping_sub(beginning) as u64) < span as u64
}

impl Open {
    #[inline(never)]
    fn new(step: &Step, class: Class, out: &mut Ready) -> Self {
        let mut open = Self {
            minute: beginning(step.time.0, MINUTE),
            first: step.at,
            last: step.at,
            steps: Pieces::default(),
            from: Seam::default(),
            seams: Seams::default(),
            count: 0,
            seconds: None,
            start: Self::start_of(step),
            next: NO_TIME,
        };
        open.push_whole(step, class, out);
        open
    }

    /// When the server began with its first call. Nobody waits for what comes behind the edge of a session, nor for
    /// what the server is at work on.
    fn start_of(step: &Step) -> Timestamp {
        if step.is_edge() || step.marks.is_at_work() { NO_TIME } else { step.start() }
    }

    /// The server worked so long for the session before the first call.
    fn add_ahead(&mut self, micros: u64) {
        if let Some(first) = self.steps.first_mut().filter(|first| first.is_call()) {
            first.marks.add_ahead(micros);
            self.start = Self::start_of(first);
        }
    }

    /// Whether a call at this time and place is on it too.
    #[inline(always)]
    fn goes_on(&self, time: i64, at: u64, lengths: &Lengths) -> bool {
        is_in(time, self.minute, MINUTE)
            && lengths.within(SHEET_WINDOW, ByteOffset(self.last), ByteOffset(at))
    }

    /// It begins with its first call, and this is open there.
    fn begin(&mut self, carried: Carried) {
        self.seams.begin(carried);
        self.from.carried = carried;
    }

    /// What is open where the session's next call is, which is not on this sheet; `None` as long as nobody knows.
    fn carried_to(&self, at: u64, lengths: &Lengths) -> Option<Carried> {
        match lengths.within(SHEET_WINDOW, ByteOffset(self.last), ByteOffset(at)) {
            true => self.seams.end(),
            false => Some(Carried::default()),
        }
    }

    /// Tells the next sheet what is open where it begins, if it does not know and somebody does.
    fn tell(&self, next: &mut Self, lengths: &Lengths) {
        if !next.seams.is_known()
            && let Some(carried) = self.carried_to(next.first, lengths)
        {
            next.begin(carried);
        }
    }

    /// The session's next call began at `start` and is not on this sheet.
    fn ends_before(&mut self, start: Timestamp, at: u64, lengths: &Lengths) {
        if lengths.within(SHEET_WINDOW, ByteOffset(self.last), ByteOffset(at)) {
            self.next = start;
        }
    }

    #[inline(always)]
    fn push(&mut self, step: &Step, class: Class, out: &mut Ready) {
        self.last = step.at;
        if self.count < MOST_SHEET {
            self.push_whole(step, class, out);
        } else {
            self.seams.follow(step, class);
            self.push_second(step, out);
        }
    }

    /// A call that is not judged by its second.
    #[inline(always)]
    fn push_whole(&mut self, step: &Step, class: Class, out: &mut Ready) {
        self.seams.pass(self.steps.len(), self.steps.last(), step, class, out.burst_gap);
        self.steps.push(step, &mut out.spare);
        self.count += 1;
    }

    #[cold]
    #[inline(never)]
    fn push_second(&mut self, step: &Step, out: &mut Ready) {
        match &mut self.seconds {
            Some(seconds) if is_in(step.time.0, seconds.last.second, SECOND) => {
                seconds.last.push(step, &mut out.spare);
            }
            _ => {
                let next = Part::new(step, &mut out.spare);
                self.go_on(next, out);
            }
        }
    }

    /// The next second begins.
    fn go_on(&mut self, next: Part, out: &mut Ready) {
        let Some(seconds) = &mut self.seconds else {
            self.seconds = Some(Box::new(Seconds { first: None, last: next }));
            return;
        };
        let done = std::mem::replace(&mut seconds.last, next);
        if seconds.first.is_none() {
            seconds.first = Some(done);
        } else {
            out.second(done, NO_TIME);
        }
    }

    fn add_part(&mut self, part: Part, out: &mut Ready) {
        match &mut self.seconds {
            Some(seconds) if seconds.last.second == part.second => {
                seconds.last.append(part, &mut out.spare);
            }
            _ => self.go_on(part, out),
        }
    }

    /// Takes over the sheet that goes on where this one was cut.
    fn join(&mut self, other: Self, out: &mut Ready) {
        if self.count + other.count > MOST_SHEET {
            self.join_full(&other.steps, &other.seams, out);
            other.steps.give_back(&mut out.spare);
        } else {
            self.count += other.count;
            if let Some(seam) = self.seams.first_of(&other.seams) {
                self.go_over(seam, other.steps, other.seams, out);
            } else {
                self.seams.append(self.steps.len(), other.seams);
                self.steps.append(other.steps, &mut out.spare);
            }
        }
        self.last = other.last;
        self.next = other.next;
        if let Some(seconds) = other.seconds {
            seconds.first.into_iter().chain([seconds.last]).for_each(|part| self.add_part(part, out));
        }
    }

    /// Takes over calls that are too many.
    #[cold]
    #[inline(never)]
    fn join_full(&mut self, steps: &Pieces, ends: &Seams, out: &mut Ready) {
        // What each does to transactions is not known here: what is found to be a seam may be none.
        let seams = self.seams;
        steps.iter().for_each(|step| self.push(step, Class::default(), out));
        self.seams = seams;
        self.seams.follow_all(ends);
    }

    /// Hands out what stands before a seam in the calls that follow, and goes on with these: they need not be moved.
    fn go_over(&mut self, seam: Seam, steps: Pieces, seams: Seams, out: &mut Ready) {
        self.steps.extend(&steps, seam.place, &mut out.spare);
        self.seams.append(0, seams);
        self.cut(seam, steps, seam.place, out);
    }

    /// Hands out what stands before the last seam, if that is worth it.
    fn hand_out(&mut self, out: &mut Ready) {
        let Some(seam) = self.seams.take_last(self.from.place + WORTH) else { return };
        let lead = seam.place.min(LEAD);
        let rest = self.steps.split(seam.place, lead);
        self.cut(seam, rest, lead, out);
    }

    /// Hands out all calls, which end at a seam, and goes on with others, of which the first `lead` were handed out.
    fn cut(&mut self, seam: Seam, steps: Pieces, lead: usize, out: &mut Ready) {
        let steps = std::mem::replace(&mut self.steps, steps);
        let done = Sheet { end: seam.end, ..self.sheet(steps, out) };
        out.list.push(done);
        self.from = Seam { place: lead, ..seam };
    }

    fn sheet(&self, steps: Pieces, out: &Ready) -> Sheet {
        Sheet { steps, from: self.from, ..out.sheet(self.first) }
    }

    /// Nothing more comes.
    fn finish(mut self, out: &mut Ready) {
        let steps = std::mem::take(&mut self.steps);
        let whole = self.sheet(steps, out);
        match self.seconds {
            None => out.list.push(Sheet { next: self.next, ..whole }),
            Some(seconds) => {
                out.list.push(whole);
                if let Some(first) = seconds.first {
                    out.second(first, NO_TIME);
                }
                out.second(seconds.last, self.next);
            }
        }
    }
}

/// The sheets of one session at the ends of an interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheets {
    head: Option<Open>,
    /// Whole sheets behind the head, in order: only a left neighbour can tell whether a transaction goes on there.
    waiting: Vec<Open>,
    tail: Option<Open>,
}

impl Sheets {
    /// The session's next call.
    #[inline(always)]
    pub fn push(&mut self, step: &Step, class: Class, lengths: &Lengths, out: &mut Ready) {
        match self.last() {
            Some(current) if current.goes_on(step.time.0, step.at, lengths) => current.push(step, class, out),
            _ => self.push_next(step, class, lengths, out),
        }
    }

    /// A call that begins a sheet.
    #[inline(never)]
    fn push_next(&mut self, step: &Step, class: Class, lengths: &Lengths, out: &mut Ready) {
        let next = Open::new(step, class, out);
        self.end_before(&next, lengths);
        self.follow(next, lengths, out);
    }

    /// The last sheet.
    #[inline(always)]
    fn last(&mut self) -> Option<&mut Open> {
        self.tail.as_mut().or(self.head.as_mut())
    }

    /// The last sheet is whole, and this one is the next.
    fn end_before(&mut self, next: &Open, lengths: &Lengths) {
        if let Some(current) = self.last() {
            current.ends_before(next.start, next.first, lengths);
        }
    }

    /// A sheet behind the last one.
    fn follow(&mut self, mut next: Open, lengths: &Lengths, out: &mut Ready) {
        let Some(current) = self.last() else {
            self.head = Some(next);
            return;
        };
        current.tell(&mut next, lengths);
        match self.tail.replace(next) {
            Some(whole) if whole.seams.is_known() => whole.finish(out),
            Some(whole) => self.waiting.push(whole),
            None => {}
        }
    }

    /// There is no left neighbour: nothing is open where the session begins.
    fn begin(&mut self, lengths: &Lengths, out: &mut Ready) {
        let Some(head) = self.head.as_mut().filter(|head| !head.seams.is_known()) else { return };
        head.begin(Carried::default());
        let mut before = None;
        for mut next in std::mem::take(&mut self.waiting) {
            before.as_ref().unwrap_or(head).tell(&mut next, lengths);
            if let Some(whole) = before.replace(next) {
                whole.finish(out);
            }
        }
        if let Some(tail) = &mut self.tail {
            before.as_ref().unwrap_or(head).tell(tail, lengths);
        }
        if let Some(whole) = before {
            whole.finish(out);
        }
    }

    /// The same session in the interval that follows. `alone` if there is no left neighbour.
    pub fn fuse(&mut self, right: Self, alone: bool, lengths: &Lengths, out: &mut Ready) {
        if alone {
            self.begin(lengths, out);
        }
        let mut theirs = right.head;
        if let Some(current) = self.last()
            && let Some(same) = theirs.take_if(|head| current.goes_on(head.minute, head.first, lengths))
        {
            current.join(same, out);
            current.hand_out(out);
        }
        if let Some(next) = theirs {
            self.end_before(&next, lengths);
            self.follow(next, lengths, out);
        }
        right.waiting.into_iter().chain(right.tail).for_each(|next| self.follow(next, lengths, out));
    }

    /// There is no left neighbour: sheets that have been silent for long are done.
    pub fn sweep(&mut self, end: ByteOffset, lengths: &Lengths, out: &mut Ready) {
        self.begin(lengths, out);
        if self.tail.is_some()
            && let Some(head) = self.head.take()
        {
            head.finish(out);
            self.head = self.tail.take();
        }
        if let Some(done) =
            self.head.take_if(|head| !lengths.within(SHEET_WINDOW, ByteOffset(head.last), end))
        {
            done.finish(out);
        }
    }

    /// The stream is over.
    pub fn finish(mut self, lengths: &Lengths, out: &mut Ready) {
        self.begin(lengths, out);
        for open in [self.head, self.tail].into_iter().flatten() {
            open.finish(out);
        }
    }

    /// Whether nothing is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// The server worked so long for the session before its first call, as the left neighbour tells.
    pub fn add_ahead(&mut self, micros: u64) {
        if let Some(head) = &mut self.head {
            head.add_ahead(micros);
        }
    }
}

/// The calls of one trace within a minute, in no order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Trace {
    part: Part,
    last: u64,
}

/// The traces that are open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    open: HashMap<(u64, i64), Trace>,
}

impl Traces {
    /// A call that says which trace it belongs to.
    pub fn push(&mut self, step: &Step, out: &mut Ready) {
        let trace = self.open.entry((step.tag, beginning(step.time.0, MINUTE))).or_default();
        trace.last = trace.last.max(step.at);
        trace.part.push(step, &mut out.spare);
    }

    /// Adds those of another interval of the same stream.
    pub fn merge(&mut self, other: Self, out: &mut Ready) {
        if self.open.is_empty() {
            self.open = other.open;
            return;
        }
        for (key, theirs) in other.open {
            let own = self.open.entry(key).or_default();
            own.last = own.last.max(theirs.last);
            own.part.append(theirs.part, &mut out.spare);
        }
    }

    /// There is no left neighbour, and every call before `low` is here: traces that ended well before are done.
    pub fn sweep(&mut self, low: ByteOffset, lengths: &Lengths, out: &mut Ready) {
        let done = |trace: &Trace| !lengths.within(TAG_WINDOW, ByteOffset(trace.last), low);
        for (_, trace) in self.open.extract_if(|_, trace| done(trace)) {
            out.trace(trace.part, lengths);
        }
    }

    /// The stream is over.
    pub fn finish(self, lengths: &Lengths, out: &mut Ready) {
        self.open.into_values().for_each(|trace| out.trace(trace.part, lengths));
    }

    /// Whether nothing is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// Sheets that wait to be judged; judging them takes no order.
#[derive(Debug, Clone, Default)]
pub struct Ready {
    /// The stream that is being read.
    pub stream: u32,
    list: Vec<Sheet>,
    /// Room of sheets that were judged.
    pub spare: Spare,
    /// Microseconds of the longest pause within a burst.
    burst_gap: u64,
}

impl Ready {
    /// Nothing yet; a burst goes on over pauses of so many microseconds.
    #[must_use]
    pub fn new(burst_gap: u64) -> Self {
        Self { burst_gap, ..Self::default() }
    }

    /// One without calls.
    fn sheet(&self, first: u64) -> Sheet {
        Sheet {
            steps: Pieces::default(),
            from: Seam::default(),
            end: Ending::default(),
            first,
            tagged: false,
            by_second: false,
            dropped: 0,
            stream: self.stream,
            next: NO_TIME,
        }
    }

    /// The calls of a second of a minute that is too full.
    fn second(&mut self, part: Part, next: Timestamp) {
        let first = part.steps.iter().next().map_or(0, |step| step.at);
        let dropped = if part.count as usize > MOST_SHEET { part.count } else { 0 };
        self.list.push(Sheet { steps: part.steps, by_second: true, dropped, next, ..self.sheet(first) });
    }

    fn trace(&mut self, part: Part, lengths: &Lengths) {
        let sheet = Sheet { tagged: true, ..self.sheet(0) };
        if part.count as usize > MOST_SHEET {
            self.list.push(Sheet { dropped: part.count, ..sheet });
            return;
        }
        let mut steps: Vec<Step> = part.steps.into();
        steps.sort_unstable_by_key(|step| (step.at, step.fingerprint));
        // Two traces of one id may be far apart.
        let near = |a: &Step, b: &Step| lengths.within(TAG_WINDOW, ByteOffset(a.at), ByteOffset(b.at));
        if steps.is_sorted_by(near) {
            self.list.push(Sheet { steps: steps.into(), ..sheet });
            return;
        }
        for one in steps.chunk_by(near) {
            self.list.push(Sheet { steps: one.to_vec().into(), ..sheet.clone() });
        }
        self.spare.reuse(steps);
    }

    /// What waits.
    pub fn take(&mut self) -> Vec<Sheet> {
        std::mem::take(&mut self.list)
    }

    /// Takes over what waits elsewhere.
    pub fn merge(&mut self, mut other: Self) {
        self.list.append(&mut other.list);
    }

    /// How many calls wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
