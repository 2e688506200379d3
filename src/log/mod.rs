//! Bytes of a log → [`Entry`]: formats, prefixes, detection. A pure leaf: no files, no SQL, no meaning.
//!
//! ```text
//!  sample ──detect──▶ Dialect ──cut──▶ where a chunk may end
//!                        └────read──▶ Entry, Entry, Skip, Entry …   (into a Sink)
//! ```
//!
//! Reading never fails and never panics, whatever the bytes: every byte of a chunk lands in exactly one entry or
//! one skip.

mod csv;
mod detect;
mod dialect;
mod entry;
mod frame;
mod infer;
mod json;
mod stderr;
mod syslog;
mod wrap;

mod backtrack;
mod prefix;
mod severity;
mod time;

#[cfg(test)]
mod testing;

pub use detect::DetectError;
pub use dialect::{Dialect, Format, Hints, Reader};
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
