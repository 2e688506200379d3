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
mod marks;
mod prefix;
mod severity;
mod time;
mod translated;
mod usual;

#[cfg(test)]
mod testing;

pub use detect::DetectError;
pub use dialect::{Dialect, Format, Hints, Reader};
pub use entry::{Entry, Fields, Part, Session, Severity, Who};
pub use time::zone_taken_as;

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

#[cfg(test)]
mod properties {
    //! What holds for any bytes in any dialect.

    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::testing::{read, same_at_every_cut};
    use super::{Dialect, Hints};

    /// A piece of each format, for shuffling into nonsense.
    const PIECES: &[&str] = &[
        "2026-11-23 14:59:16.162 UTC [77] u@d LOG:  duration: 1 ms",
        "2026-11-23 14:59:16.162 UTC [78] ERROR:  x at character 3",
        "2026-11-23 14:59:16.162 UTC [78] ÓŠIBKA:  x",
        "2026-11-23 14:59:16.162 UTC,\"u\",\"d\",7,\"h:1\",6b032124.598b,5,\"SELECT\",2026-11-22 17:06:44 UTC,3/0,0,LOG,00000,\"a",
        "\"\"b\",,,,,,,,,\"psql\",\"client backend\",,-5",
        "{\"timestamp\":\"2026-11-23 14:59:16.162 UTC\",\"pid\":1,\"error_severity\":\"LOG\",\"message\":\"a\\n\\u00e9",
        "\"}",
        "Nov 23 15:04:26 vm postgres[7]: [5-1] ",
        "Nov 23 15:04:26 vm cron[7]: x",
        "[5-2] #011b",
        "{\"log\":\"",
        "\\n\",\"stream\":\"stderr\"}",
        "2026-11-23T14:59:01.1Z stderr F ",
        "2026-11-23T14:59:01.1Z stderr P ",
        "\n",
        "\n",
        "\r\n",
        "\t",
        " ",
        "\u{FEFF}",
        "\0",
        "é",
        "\"",
        "\\",
    ];

    /// One dialect of each shape.
    static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
        [
            format!("{}\n", PIECES[0]),
            format!("{}{}\n", PIECES[3], PIECES[4]),
            format!("{}{}\n", PIECES[5], PIECES[6]),
            format!("{}{}\n", PIECES[7], PIECES[0]),
            format!("{}{}{}\n", PIECES[10], PIECES[0], PIECES[11]),
            format!("{}{}\n", PIECES[12], PIECES[0]),
        ]
        .iter()
        .map(|sample| Dialect::detect(sample.as_bytes(), &Hints::default()).unwrap())
        .collect()
    });

    #[test]
    fn a_mark_before_the_first_piece_of_a_message_does_not_end_it() {
        for mark in ["\u{FEFF}", "\0\0"] {
            let log = format!("{mark}{}\n{}{}", PIECES[13], PIECES[12], PIECES[0]);
            DIALECTS.iter().for_each(|dialect| same_at_every_cut(dialect, log.as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_and_cuts_do_not_matter(
            pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
        ) {
            let log = pieces.concat();
            for dialect in DIALECTS.iter() {
                same_at_every_cut(dialect, log.as_bytes());
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for dialect in DIALECTS.iter() {
                read(dialect, &bytes);
            }
            let _ = Dialect::detect(&bytes, &Hints::default());
        }
    }
}
