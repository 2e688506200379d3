//! Logs whose lines stand in frames: syslog, containers, clouds. Each line is unwrapped, and what was inside is
//! read as stderr lines or as JSON records.
//!
//! ```text
//!  line ──unwrap──▶ Frame ──(partial ones glued)──▶ inner line ──begins an entry?──▶ Entry
//!                                                        └─continues─▶ the open entry, or Part::More
//! ```
//!
//! Lines of one message mostly touch, and then make one entry. Where other backends' lines come between (syslog),
//! what follows is a `More` of its session.

use bumpalo::Bump;
use memchr::{memchr, memrchr};

use super::entry::{Entry, Part, Session, Who};
use super::json::{Members, Record};
use super::prefix::{Clocks, Head, Line, REACH};
use super::severity;
use super::stderr::{Stderr, foreign_reason, no_text};
use super::syslog::{Numbers, Syslog};
use super::wrap::Wrapper;
use super::{Sink, Skip, SkipReason};
use crate::units::{ByteOffset, Timestamp};

/// What a line was without its frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// The inner text, unescaped. May hold several lines.
    pub(crate) text: &'a [u8],
    /// Where it begins in the line, for positions.
    pub(crate) offset: usize,
    /// The process that wrote it; 0 when the frame does not say.
    pub(crate) pid: u32,
    /// When the frame was written.
    pub(crate) time: Option<Timestamp>,
    /// How it continues what came before, if it does.
    pub(crate) join: Join,
    /// The next frame goes on in the middle of this line.
    pub(crate) partial: bool,
    /// syslog's `[5-1]` stood before it.
    pub(crate) numbered: bool,
    /// It was the first piece of its message, `[5-1]`: an entry begins here, whatever its prefix looks like.
    pub(crate) first: bool,
}

/// How a continuation is appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// As a new line, one leading tab less.
    Line,
    /// As it is: the line was split between words.
    Glue,
}

/// A line without its wrapper.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unwrapped<'a> {
    /// PostgreSQL wrote it.
    Frame(Frame<'a>),
    /// Something else did.
    OtherProgram,
    /// It is no line of this kind.
    Malformed(SkipReason),
}

/// What stands in the frames.
#[derive(Debug, Clone)]
pub(crate) enum Inner {
    /// stderr lines.
    Lines(Stderr),
    /// jsonlog or CloudNativePG records.
    Records,
}

/// Who made the frames.
#[derive(Debug, Clone)]
pub(crate) enum Outer {
    Syslog(Syslog),
    Wrapped(Wrapper),
}

/// A log of framed lines.
#[derive(Debug, Clone)]
pub(crate) struct Framed {
    pub(crate) outer: Outer,
    pub(crate) inner: Inner,
}

/// What is open while the next lines are looked at.
enum Open<'a> {
    Nothing,
    /// An entry, whose prefix is in [`Walk::head`].
    Entry {
        part: Part,
        text: Text<'a>,
        pid: u32,
    },
    /// A process's lines that are no entry.
    Skip {
        reason: SkipReason,
        pid: u32,
    },
    /// One line that is nobody's.
    Line(SkipReason),
}

/// Text of an open entry: borrowed until a second line comes.
enum Text<'a> {
    One(&'a [u8]),
    /// In the reader's buffer.
    Many,
}

impl Outer {
    /// The piece of a message in a line without its line end.
    pub(crate) fn unwrap<'a>(&self, line: &'a [u8], arena: &'a Bump) -> Unwrapped<'a> {
        match self {
            Self::Syslog(syslog) => syslog.unwrap(line, arena),
            Self::Wrapped(wrapper) => wrapper.unwrap(line, arena),
        }
    }

    /// Takes a single number before a text for a part of it; whether it was taken for the server's.
    pub(crate) fn forget_numbers(&mut self) -> bool {
        match self {
            Self::Syslog(syslog) if matches!(syslog.numbers, Numbers::Piece | Numbers::Message) => {
                syslog.numbers = Numbers::Nothing;
                true
            }
            _ => false,
        }
    }
}

impl Framed {
    /// See [`Dialect::last_start`](super::Dialect::last_start).
    pub(crate) fn last_start(&self, buffer: &[u8]) -> Option<usize> {
        let mut arena = Bump::new();
        let mut end = buffer.len();
        while let Some(newline) = memrchr(b'\n', &buffer[..end]) {
            arena.reset();
            let line = line_at(buffer, newline + 1);
            if self.begins(&line[no_text(line, newline + 1)..], &arena) {
                let before = memrchr(b'\n', &buffer[..newline]).map_or(0, |newline| newline + 1);
                let line = line_at(buffer, before);
                let before = self.outer.unwrap(&line[no_text(line, before)..], &arena);
                if !matches!(before, Unwrapped::Frame(Frame { partial: true, .. })) {
                    return Some(newline + 1);
                }
            }
            end = newline;
        }
        None
    }

    /// Whether an entry begins with this line. A frame that was cut (the buffer's last line) may not be readable yet;
    /// then an earlier start is found.
    fn begins<'a>(&self, line: &'a [u8], arena: &'a Bump) -> bool {
        let Unwrapped::Frame(frame) = self.outer.unwrap(line, arena) else { return false };
        match &self.inner {
            Inner::Records => frame.text.first() == Some(&b'{'),
            Inner::Lines(stderr) => {
                let first = &frame.text[..memchr(b'\n', frame.text).unwrap_or(frame.text.len())];
                stderr.prefix.begin(first, &mut Head::default(), &mut Clocks::new(0)) != Line::Continues
                    || frame.first && any_word(first).is_some()
            }
        }
    }

    /// Every entry of a chunk.
    pub(crate) fn read<'a>(
        &self,
        chunk: &'a [u8],
        base: ByteOffset,
        arena: &'a Bump,
        clocks: &mut Clocks,
        sink: &mut impl Sink<'a>,
    ) {
        let mut walk = Walk {
            framed: self,
            base,
            arena,
            clocks,
            sink,
            open: Open::Nothing,
            head: Head::default(),
            spare: Head::default(),
            begin: 0,
            buffer: Vec::new(),
            last: None,
        };
        // A line that comes in several frames: where it begins, and its text so far.
        let mut partial: Option<(usize, Vec<u8>)> = None;
        let mut at = 0;
        while at < chunk.len() {
            let after = memchr(b'\n', &chunk[at..]).map_or(chunk.len(), |len| at + len + 1);
            let line = line_at(chunk, at);
            let line = &line[no_text(line, at)..];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let unwrapped = if line.trim_ascii().is_empty() {
                Unwrapped::Malformed(SkipReason::Blank)
            } else {
                self.outer.unwrap(line, arena)
            };
            match unwrapped {
                Unwrapped::Frame(frame) if frame.partial => {
                    let (_, text) = partial.get_or_insert_with(|| (at, Vec::new()));
                    text.extend_from_slice(frame.text);
                    if after == chunk.len() {
                        let (begin, text) = partial.take().unwrap_or_default();
                        walk.line(Frame { text: arena.alloc_slice_copy(&text), ..frame }, begin);
                    }
                }
                Unwrapped::Frame(frame) => match partial.take() {
                    Some((begin, mut text)) => {
                        text.extend_from_slice(frame.text);
                        walk.line(Frame { text: arena.alloc_slice_copy(&text), offset: 0, ..frame }, begin);
                    }
                    None => walk.line(frame, at),
                },
                Unwrapped::OtherProgram => {
                    walk.lost_partial(partial.take());
                    walk.skip(SkipReason::OtherProgram, at);
                }
                Unwrapped::Malformed(reason) => {
                    walk.lost_partial(partial.take());
                    let cut = matches!(reason, SkipReason::BadJson) && !chunk[at..after].ends_with(b"\n");
                    walk.skip(if cut { SkipReason::CutEnd } else { reason }, at);
                }
            }
            at = after;
        }
        walk.close(chunk.len());
    }
}

/// The first severity word of a line whose prefix is not the detected one: a message that surely begins here is an
/// entry still, of nobody.
#[cold]
fn any_word(line: &[u8]) -> Option<Line> {
    let found = severity::candidates(line, REACH)
        .next()
        .or_else(|| severity::squeezed_candidates(line, REACH).next())?;
    Some(Line::Begins(found.part, found.text))
}

/// The line at `at`, without its line end.
fn line_at(buffer: &[u8], at: usize) -> &[u8] {
    let rest = &buffer[at..];
    &rest[..memchr(b'\n', rest).unwrap_or(rest.len())]
}

/// One walk over a chunk.
struct Walk<'a, 'w, S> {
    framed: &'w Framed,
    base: ByteOffset,
    arena: &'a Bump,
    clocks: &'w mut Clocks,
    sink: &'w mut S,
    open: Open<'a>,
    /// The prefix of the open entry.
    head: Head<'a>,
    /// The prefix that is tried next; the two take turns.
    spare: Head<'a>,
    /// Where the open thing begins; what came before was handed over.
    begin: usize,
    /// Text of the open entry, once it has several lines.
    buffer: Vec<u8>,
    /// The session of the last entry, for continuations whose frames name none.
    last: Option<Session>,
}

impl<'a, S: Sink<'a>> Walk<'a, '_, S> {
    /// A frame that began as a partial line and was not ended before another program's line.
    fn lost_partial(&mut self, partial: Option<(usize, Vec<u8>)>) {
        if let Some((begin, text)) = partial {
            let text = self.arena.alloc_slice_copy(&text);
            self.line(
                Frame {
                    text,
                    offset: 0,
                    pid: 0,
                    time: None,
                    join: Join::Line,
                    partial: false,
                    numbered: false,
                    first: false,
                },
                begin,
            );
        }
    }

    /// One complete line from inside of the frames, which begins at `at` in the chunk.
    fn line(&mut self, frame: Frame<'a>, at: usize) {
        match &self.framed.inner {
            Inner::Records => self.record(frame, at),
            Inner::Lines(stderr) => self.lines(stderr, frame, at),
        }
    }

    fn record(&mut self, frame: Frame<'a>, at: usize) {
        let mut record = Record::default();
        let mut members = Members::of(frame.text);
        record.read(&mut members, self.clocks, self.arena);
        match (members.finished(), record.severity) {
            (Some(_), Some(severity)) => {
                self.close(at);
                record.head.time = record.head.time.or(frame.time);
                self.head = record.head;
                self.open =
                    Open::Entry { part: Part::Record(severity), text: Text::One(record.message), pid: 0 };
            }
            (Some(_), None) if !record.word.is_empty() => self.skip(SkipReason::UnknownSeverity, at),
            (Some(_), None) => self.skip(SkipReason::OtherProgram, at),
            (None, _) => self.skip(SkipReason::BadJson, at),
        }
    }

    fn lines(&mut self, stderr: &Stderr, frame: Frame<'a>, at: usize) {
        let text = frame.text.strip_suffix(b"\n").unwrap_or(frame.text);
        let mut from = 0;
        loop {
            let to = memchr(b'\n', &text[from..]).map_or(text.len(), |len| from + len);
            let line = &text[from..to];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            // Unescaped text is no longer than the line it came from: positions stay in order.
            let place = if from == 0 { at } else { at + frame.offset + from };
            let join = if from == 0 { frame.join } else { Join::Line };
            // What the template does not set must not stay from the entry before last.
            self.spare.time = None;
            self.spare.session = Session::default();
            let mut kind = stderr.prefix.begin(line, &mut self.spare, self.clocks);
            if kind == Line::Continues
                && frame.first
                && from == 0
                && let Some(found) = any_word(line)
            {
                self.spare = Head::default();
                kind = found;
            }
            match kind {
                Line::Begins(part, begin) => {
                    self.close(place);
                    std::mem::swap(&mut self.head, &mut self.spare);
                    let head = &mut self.head;
                    if matches!(self.framed.outer, Outer::Syslog(_)) {
                        // Later pieces know the pid alone: all must name the session alike.
                        head.session.start = 0;
                    }
                    if head.session.pid == 0 {
                        head.session.pid = frame.pid;
                    }
                    head.time = head.time.or(frame.time);
                    self.last = Some(head.session);
                    self.open = Open::Entry { part, text: Text::One(&line[begin..]), pid: frame.pid };
                }
                Line::Foreign => {
                    self.close(place);
                    let reason = foreign_reason(line);
                    self.open = Open::Skip { reason, pid: frame.pid };
                    // A chunk may begin here: what follows must not know the entry before.
                    self.last = None;
                }
                Line::Continues => self.continued(line, join, &frame, place),
            }
            if to == text.len() {
                return;
            }
            from = to + 1;
        }
    }

    /// A line that begins nothing: it goes on with the open entry if that is of its process.
    fn continued(&mut self, line: &'a [u8], join: Join, frame: &Frame<'a>, place: usize) {
        let same = |pid: u32| frame.pid == 0 || frame.pid == pid;
        match &mut self.open {
            Open::Entry { text, pid, .. } if same(*pid) => {
                if let Text::One(first) = text {
                    self.buffer.clear();
                    self.buffer.extend_from_slice(first);
                    *text = Text::Many;
                }
                append(&mut self.buffer, line, join);
            }
            Open::Skip { pid, .. } if same(*pid) => {}
            _ => {
                let session = match frame.pid {
                    0 => self.last,
                    pid => Some(Session { pid, start: 0 }),
                };
                self.close(place);
                match session {
                    Some(session) if frame.pid == 0 || frame.numbered => {
                        self.buffer.clear();
                        append(&mut self.buffer, line, join);
                        let text = self.arena.alloc_slice_copy(&self.buffer);
                        self.head = Head { time: frame.time, session, ..Head::default() };
                        self.open = Open::Entry { part: Part::More, text: Text::One(text), pid: frame.pid };
                    }
                    _ => {
                        let reason = if place == 0 { SkipReason::CutStart } else { SkipReason::NoPrefix };
                        self.open = Open::Skip { reason, pid: frame.pid };
                    }
                }
            }
        }
    }

    /// A line that is skipped as a whole; it ends what is open, and nothing continues it.
    fn skip(&mut self, reason: SkipReason, at: usize) {
        self.close(at);
        self.open = Open::Line(reason);
    }

    /// Hands over what is open; it ends before `end`.
    fn close(&mut self, end: usize) {
        let at = ByteOffset(self.base.0 + self.begin as u64);
        let len = end - self.begin;
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Skip { reason, .. } | Open::Line(reason) => {
                self.sink.skip(Skip { reason, at, len: len as u64 })
            }
            Open::Entry { part, text, .. } => {
                let head = &self.head;
                let mut text = match text {
                    Text::One(text) => text,
                    Text::Many => self.arena.alloc_slice_copy(&self.buffer),
                };
                let fields = match &self.framed.inner {
                    Inner::Lines(stderr) => stderr.fields(head, &mut text, part, self.arena),
                    Inner::Records => Some(&*self.arena.alloc(head.fields)),
                };
                self.sink.entry(Entry {
                    at,
                    len: u32::try_from(len).unwrap_or(u32::MAX),
                    time: head.time,
                    session: head.session,
                    who: if part == Part::More { Who::nobody() } else { head.whom(self.arena) },
                    origin: 0,
                    part,
                    text,
                    fields,
                });
            }
        }
        self.begin = end;
    }
}

/// Appends a continuation to a text.
fn append(buffer: &mut Vec<u8>, line: &[u8], join: Join) {
    match join {
        Join::Glue => buffer.extend_from_slice(line),
        Join::Line => {
            buffer.push(b'\n');
            buffer.extend_from_slice(line.strip_prefix(b"\t").unwrap_or(line));
        }
    }
}
