//! `Dialect`: how one input writes its log, pinned before the first entry is read; and `Reader`, one worker's
//! way through its chunks.

use std::fmt;

use bumpalo::Bump;

use super::Sink;
use super::detect::{self, DetectError};
use super::frame::{Framed, Inner, Outer};
use super::prefix::Clocks;
use super::stderr::Stderr;
use super::{csv, json};
use crate::units::ByteOffset;

/// The formats that PostgreSQL and its hosts write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// `log_destination = stderr`: `log_line_prefix`, severity, text.
    Stderr,
    /// `log_destination = csvlog`.
    Csv,
    /// `log_destination = jsonlog` (PostgreSQL 15 and later).
    Json,
    /// `log_destination = syslog`, as a syslog daemon wrote it.
    Syslog,
}

impl Format {
    /// The name used in the report (`input.format`) and by `--log-format`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stderr => "stderr",
            Self::Csv => "csvlog",
            Self::Json => "jsonlog",
            Self::Syslog => "syslog",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the user knows about an input and said.
#[derive(Debug, Default, Clone)]
pub struct Hints {
    /// `--log-format`: no other format is tried.
    pub format: Option<Format>,
    /// `--log-line-prefix`: the server's setting, quotes removed.
    pub prefix: Option<String>,
    /// Minutes east of UTC for time zone abbreviations that are not known; UTC when 0.
    pub zone_minutes: i32,
    /// The year of syslog timestamps without one (`Nov 23 14:00:01`), where the prefix has no time either.
    /// Never the clock's: the same bytes must give the same report. 2000 when not given.
    pub year: Option<i32>,
}

/// How an input writes its log. Cheap to share: readers borrow it.
#[derive(Debug, Clone)]
pub struct Dialect {
    pub(crate) shape: Shape,
    pub(crate) zone_minutes: i32,
    pub(crate) language: Option<&'static str>,
}

/// One variant a format.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Stderr(Stderr),
    Csv,
    Json,
    Framed(Framed),
}

impl Dialect {
    /// Finds out how an input is written from its first bytes (some 256 KiB; may end anywhere). More of them are worth
    /// reading where [`Self::knows_no_session`].
    ///
    /// # Errors
    ///
    /// When nothing in the sample looks like a PostgreSQL log, or not like what the hints say; the error says what
    /// was seen instead.
    pub fn detect(sample: &[u8], hints: &Hints) -> Result<Self, DetectError> {
        detect::detect(sample, hints)
    }

    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        match &self.shape {
            Shape::Stderr(_) => Format::Stderr,
            Shape::Csv => Format::Csv,
            Shape::Json => Format::Json,
            Shape::Framed(Framed { outer: Outer::Syslog(_), .. }) => Format::Syslog,
            Shape::Framed(Framed { inner: Inner::Records, .. }) => Format::Json,
            Shape::Framed(Framed { inner: Inner::Lines(_), .. }) => Format::Stderr,
        }
    }

    /// The language of the server's messages where it is not English (`lc_messages`), judged by the severity words of
    /// the sample. Entries are read then, what their texts say is not.
    #[must_use]
    pub fn language(&self) -> Option<&'static str> {
        self.language
    }

    /// The `log_line_prefix`, given or detected; `None` for formats without one.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        match &self.shape {
            Shape::Stderr(stderr) | Shape::Framed(Framed { inner: Inner::Lines(stderr), .. }) => {
                Some(stderr.prefix.text())
            }
            Shape::Framed(Framed { inner: Inner::Records, .. }) | Shape::Csv | Shape::Json => None,
        }
    }

    /// Whether only background processes have written in the sample, so that what sessions write behind a `%q` was
    /// guessed: a longer sample may show it. Never with a prefix that was given.
    #[must_use]
    pub fn knows_no_session(&self) -> bool {
        match &self.shape {
            Shape::Stderr(stderr) | Shape::Framed(Framed { inner: Inner::Lines(stderr), .. }) => {
                stderr.no_session
            }
            Shape::Framed(Framed { inner: Inner::Records, .. }) | Shape::Csv | Shape::Json => false,
        }
    }

    /// Where the last entry that begins after byte 0 begins: everything before it is whole entries. `None` when no
    /// entry begins there.
    #[must_use]
    pub fn last_start(&self, buffer: &[u8]) -> Option<usize> {
        match &self.shape {
            Shape::Stderr(stderr) => stderr.last_start(buffer),
            Shape::Csv => csv::last_start(buffer),
            Shape::Json => json::last_start(buffer),
            Shape::Framed(framed) => framed.last_start(buffer),
        }
    }

    /// A reader for one worker; it keeps what neighbouring entries share (the second of a timestamp).
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        Reader { dialect: self, clocks: Clocks::new(self.zone_minutes) }
    }
}

/// One worker's way through its chunks.
#[derive(Debug)]
pub struct Reader<'d> {
    dialect: &'d Dialect,
    clocks: Clocks,
}

impl Reader<'_> {
    /// Hands every entry and every skip of a chunk to `sink`, in the order of the bytes; their lengths add up to
    /// that of the chunk. `base` is the place of the chunk in its stream, `arena` holds texts that had to be
    /// unescaped. Returns how many line ends the chunk has.
    pub fn read<'a>(
        &mut self,
        chunk: &'a [u8],
        base: ByteOffset,
        arena: &'a Bump,
        sink: &mut impl Sink<'a>,
    ) -> u64 {
        match &self.dialect.shape {
            // It looks at each of them anyway.
            Shape::Stderr(stderr) => return stderr.read(chunk, base, arena, &mut self.clocks, sink),
            Shape::Csv => csv::read(chunk, base, arena, &mut self.clocks, sink),
            Shape::Json => json::read(chunk, base, arena, &mut self.clocks, sink),
            Shape::Framed(framed) => framed.read(chunk, base, arena, &mut self.clocks, sink),
        }
        memchr::memchr_iter(b'\n', chunk).count() as u64
    }

    /// Time zone abbreviations that are not known: their times were taken as UTC (or as [`Hints::zone_minutes`]); and
    /// those with several meanings, of which one was taken ([`zone_taken_as`](super::zone_taken_as)).
    pub fn assumed_zones(&self) -> impl Iterator<Item = &[u8]> {
        self.clocks.log.assumed().iter().chain(self.clocks.session.assumed()).map(|zone| &**zone)
    }
}
