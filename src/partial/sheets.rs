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
//! A sheet of more than [`MOST_SHEET`] calls is judged second by second instead, and a second of more than that is
//! counted and dropped: which of the three happens depends only on how many calls there are.
//!
//! A trace may run through several sessions at once. Its calls are collected by trace and minute, whatever their
//! order, and are complete once the interval has gone on for [`TAG_WINDOW`] bytes without one.

use hashbrown::HashMap;

use super::Lengths;
use super::steps::{Spare, Steps};
use crate::finding::{MINUTE, NO_TIME, Step};
use crate::units::{ByteOffset, Timestamp};

/// Bytes of the stream without a call of a session, after which its sheet ends.
pub const SHEET_WINDOW: u64 = 64 << 20;
/// Bytes of the stream without a call of a trace, after which it ends.
pub const TAG_WINDOW: u64 = 16 << 20;
/// Calls that are judged together at most.
pub const MOST_SHEET: usize = 1 << 15;

/// Complete calls, ready to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// In the order of their session; of a trace, in the order of the stream.
    pub steps: Steps,
    /// Whether they are those of a trace or request.
    pub tagged: bool,
    /// They are one second of a minute too full to be judged as one.
    pub by_second: bool,
    /// They are such a second, but not the first of its minute.
    pub continued: bool,
    /// Calls that were dropped, because not even the second was judged.
    pub dropped: u64,
    /// The stream.
    pub stream: u32,
    /// When the session's next call began; [`NO_TIME`] where there is none.
    pub next: Timestamp,
}

/// The calls of one second, or of all of a sheet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Part {
    steps: Steps,
    /// Calls, also those that were dropped.
    count: u64,
    /// When the second of its first call began.
    second: i64,
}

impl Part {
    #[inline(never)]
    fn new(step: &Step, spare: &mut Spare) -> Self {
        let mut part = Self { second: beginning(step.time.0, SECOND), ..Self::default() };
        part.push(step, spare);
        part
    }

    #[inline]
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
        spare.reuse(std::mem::take(&mut self.steps));
    }

    /// Takes over the calls of the same time that follow.
    fn append(&mut self, other: Self, spare: &mut Spare) {
        self.count += other.count;
        if self.count as usize <= MOST_SHEET {
            self.steps.append(other.steps, spare);
        } else {
            self.give_up(spare);
            spare.reuse(other.steps);
        }
    }
}

/// A sheet that may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Open {
    /// When its minute began.
    minute: i64,
    /// The place of its first and last call.
    first: u64,
    last: u64,
    /// All calls; when there are too many, those of the last second.
    part: Part,
    /// When there are too many, those of the first second; the ones between are done.
    first_second: Option<Part>,
    by_second: bool,
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
    fn new(step: &Step, out: &mut Ready) -> Self {
        Self {
            minute: beginning(step.time.0, MINUTE),
            first: step.at,
            last: step.at,
            part: Part::new(step, &mut out.spare),
            first_second: None,
            by_second: false,
            // Nobody waits for what comes behind the edge of a session.
            start: if step.is_edge() { NO_TIME } else { step.start() },
            next: NO_TIME,
        }
    }

    /// Whether a call at this time and place is on it too.
    #[inline(always)]
    fn goes_on(&self, time: i64, at: u64, lengths: &Lengths) -> bool {
        is_in(time, self.minute, MINUTE)
            && lengths.within(SHEET_WINDOW, ByteOffset(self.last), ByteOffset(at))
    }

    /// The session's next call began at `start` and is not on this sheet.
    fn ends_before(&mut self, start: Timestamp, at: u64, lengths: &Lengths) {
        if lengths.within(SHEET_WINDOW, ByteOffset(self.last), ByteOffset(at)) {
            self.next = start;
        }
    }

    #[inline(always)]
    fn push(&mut self, step: &Step, out: &mut Ready) {
        self.last = step.at;
        if !self.by_second && self.part.steps.len() == MOST_SHEET {
            self.split(out);
        }
        if self.by_second {
            self.push_second(step, out);
        } else {
            self.part.push(step, &mut out.spare);
        }
    }

    #[inline(always)]
    fn push_second(&mut self, step: &Step, out: &mut Ready) {
        if is_in(step.time.0, self.part.second, SECOND) {
            self.part.push(step, &mut out.spare);
        } else {
            let next = Part::new(step, &mut out.spare);
            self.go_on(next, out);
        }
    }

    /// The next second begins.
    fn go_on(&mut self, next: Part, out: &mut Ready) {
        let done = std::mem::replace(&mut self.part, next);
        if self.first_second.is_none() {
            self.first_second = Some(done);
        } else {
            out.part(done, true, true, NO_TIME);
        }
    }

    /// Too many calls for one sheet: from now on, a part a second.
    #[cold]
    #[inline(never)]
    fn split(&mut self, out: &mut Ready) {
        self.by_second = true;
        let whole = std::mem::take(&mut self.part);
        let mut steps = whole.steps.iter();
        if let Some(first) = steps.next() {
            self.part = Part::new(&first, &mut out.spare);
        }
        steps.for_each(|step| self.push_second(&step, out));
        out.spare.reuse(whole.steps);
    }

    fn add_part(&mut self, part: Part, out: &mut Ready) {
        if self.part.second == part.second {
            self.part.append(part, &mut out.spare);
        } else {
            self.go_on(part, out);
        }
    }

    /// Takes over the sheet that goes on where this one was cut.
    fn join(&mut self, mut other: Self, out: &mut Ready) {
        self.last = other.last;
        self.next = other.next;
        let fit = self.part.steps.len() + other.part.steps.len() <= MOST_SHEET;
        if !self.by_second && !other.by_second && fit {
            self.part.append(other.part, &mut out.spare);
            return;
        }
        if !self.by_second {
            self.split(out);
        }
        if !other.by_second {
            other.split(out);
        }
        for part in other.first_second.into_iter().chain([other.part]) {
            self.add_part(part, out);
        }
    }

    /// Nothing more comes.
    fn finish(self, out: &mut Ready) {
        let continued = self.first_second.is_some();
        if let Some(first) = self.first_second {
            out.part(first, self.by_second, false, NO_TIME);
        }
        out.part(self.part, self.by_second, continued, self.next);
    }
}

/// The sheets of one session at the ends of an interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheets {
    head: Option<Open>,
    tail: Option<Open>,
}

impl Sheets {
    /// The session's next call.
    #[inline]
    pub fn push(&mut self, step: &Step, lengths: &Lengths, out: &mut Ready) {
        let Some(current) = self.tail.as_mut().or(self.head.as_mut()) else {
            self.head = Some(Open::new(step, out));
            return;
        };
        if current.goes_on(step.time.0, step.at, lengths) {
            current.push(step, out);
            return;
        }
        let next = Open::new(step, out);
        current.ends_before(next.start, step.at, lengths);
        if let Some(done) = self.tail.replace(next) {
            done.finish(out);
        }
    }

    /// The same session in the interval that follows.
    pub fn fuse(&mut self, right: Self, lengths: &Lengths, out: &mut Ready) {
        let Some(theirs) = right.head else { return };
        let Some(current) = self.tail.as_mut().or(self.head.as_mut()) else {
            *self = Self { head: Some(theirs), tail: right.tail };
            return;
        };
        let next = if current.goes_on(theirs.minute, theirs.first, lengths) {
            current.join(theirs, out);
            right.tail
        } else {
            current.ends_before(theirs.start, theirs.first, lengths);
            match right.tail {
                Some(tail) => {
                    theirs.finish(out);
                    Some(tail)
                }
                None => Some(theirs),
            }
        };
        if let Some(next) = next
            && let Some(done) = self.tail.replace(next)
        {
            done.finish(out);
        }
    }

    /// There is no left neighbour: sheets that have been silent for long are done.
    pub fn sweep(&mut self, end: ByteOffset, lengths: &Lengths, out: &mut Ready) {
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
    pub fn finish(self, out: &mut Ready) {
        for open in [self.head, self.tail].into_iter().flatten() {
            open.finish(out);
        }
    }

    /// Whether nothing is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.is_none() && self.tail.is_none()
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
}

impl Ready {
    fn part(&mut self, part: Part, by_second: bool, continued: bool, next: Timestamp) {
        let dropped = if part.count as usize > MOST_SHEET { part.count } else { 0 };
        self.list.push(Sheet {
            steps: part.steps,
            tagged: false,
            by_second,
            continued,
            dropped,
            stream: self.stream,
            next,
        });
    }

    fn trace(&mut self, part: Part, lengths: &Lengths) {
        let stream = self.stream;
        let sheet = |steps: Steps, dropped: u64| Sheet {
            steps,
            tagged: true,
            by_second: false,
            continued: false,
            dropped,
            stream,
            next: NO_TIME,
        };
        if part.count as usize > MOST_SHEET {
            self.list.push(sheet(part.steps, part.count));
            return;
        }
        let mut steps: Vec<Step> = part.steps.iter().collect();
        self.spare.reuse(part.steps);
        steps.sort_unstable_by_key(|step| (step.at, step.fingerprint));
        // Two traces of one id may be far apart.
        let near = |a: &Step, b: &Step| lengths.within(TAG_WINDOW, ByteOffset(a.at), ByteOffset(b.at));
        for one in steps.chunk_by(near) {
            let mut own = Steps::default();
            one.iter().for_each(|step| own.push(step, &mut self.spare));
            self.list.push(sheet(own, 0));
        }
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
