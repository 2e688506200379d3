//! Bytes of a log → [`Entry`]: formats, prefixes, detection. A pure leaf: no files, no SQL, no meaning.
//!
//! ```text
//!  sample ──detect──▶ Dialect ──cut──▶ where a chunk may end
//!                        └────read──▶ Entry, Entry, Skip, Entry …   (into a Sink)
//! ```
//!
//! Reading never fails and never panics, whatever the bytes: every byte of a chunk lands in exactly one entry or
//! one skip.

mod entry;

pub use entry::{Entry, Fields, Part, Session, Severity, Who};

use crate::units::ByteOffset;

/// Receives what a chunk holds, in the order of its bytes.
pub trait Sink<'a> {
    /// An entry was understood as far as its frame goes.
    fn entry(&mut self, entry: Entry<'a>);
    /// Bytes that belong to no entry.
    fn skip(&mut self, skip: Skip);
}

/// Bytes that were not understood: counted, never lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip {
    /// Why.
    pub reason: SkipReason,
    /// Where they begin in the stream.
    pub at: ByteOffset,
    /// How many they are.
    pub len: u64,
}

/// Why bytes were skipped. The text form is part of the JSON contract (`input.skipped[].reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SkipReason {
    /// The stream begins in the middle of an entry.
    CutStart,
    /// The stream ends in the middle of an entry that cannot be read without its end.
    CutEnd,
    /// A line that does not begin with the prefix and follows no entry.
    NoPrefix,
    /// The prefix matched, the severity word is none of PostgreSQL's English ones (`lc_messages`).
    UnknownSeverity,
    /// A csvlog row with a number of columns that no release writes.
    BadColumns,
    /// A line that should be a JSON object and is none, or is none of PostgreSQL's.
    BadJson,
    /// A line of another program (syslog, container and cloud logs).
    OtherProgram,
    /// Longer than the limit of one entry; its beginning was read.
    TooLong,
    /// A blank line between entries.
    Blank,
}

impl SkipReason {
    /// The name used in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CutStart => "cut_start",
            Self::CutEnd => "cut_end",
            Self::NoPrefix => "no_prefix",
            Self::UnknownSeverity => "unknown_severity",
            Self::BadColumns => "bad_columns",
            Self::BadJson => "bad_json",
            Self::OtherProgram => "other_program",
            Self::TooLong => "too_long",
            Self::Blank => "blank",
        }
    }
}
// STUB below
#[derive(Debug, Clone, Default)]
pub struct Hints {
    pub format: Option<Format>,
    pub prefix: Option<String>,
}
#[derive(Debug, Clone, Copy)]
pub enum Format {
    Stderr,
}
impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stderr")
    }
}
#[derive(Debug, Clone, thiserror::Error)]
#[error("unknown")]
pub struct DetectError;
#[derive(Debug, Clone)]
pub struct Dialect;
pub struct Reader;
impl Dialect {
    pub fn detect(_: &[u8], _: &Hints) -> Result<Self, DetectError> {
        Ok(Self)
    }
    pub fn format(&self) -> Format {
        Format::Stderr
    }
    pub fn prefix(&self) -> Option<&str> {
        None
    }
    pub fn last_start(&self, b: &[u8]) -> Option<usize> {
        memchr::memrchr(b'\n', b.get(..b.len().checked_sub(1)?)?).map(|n| n + 1)
    }
    pub fn unknown_zones(&self) -> Vec<String> {
        vec![]
    }
    pub fn reader(&self) -> Reader {
        Reader
    }
}
impl Reader {
    pub fn read<'a>(
        &mut self,
        chunk: &'a [u8],
        base: ByteOffset,
        _: &'a bumpalo::Bump,
        sink: &mut impl Sink<'a>,
    ) {
        let mut at = 0;
        for line in chunk.split_inclusive(|b| *b == b'\n') {
            let text = memchr::memmem::find(line, b"LOG:  ").map(|p| &line[p + 6..]).unwrap_or(line);
            sink.entry(Entry {
                at: ByteOffset(base.0 + at),
                len: line.len() as u32,
                time: None,
                session: Session::default(),
                who: Who::default(),
                part: Part::Record(Severity::Log),
                text: text.trim_ascii_end(),
                fields: None,
            });
            at += line.len() as u64;
        }
    }
}
