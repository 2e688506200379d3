//! The only code that opens a log for reading (a command reads its `pglens.toml` or its standard input itself).
//!
//! ```text
//!  paths ──plan──▶ streams of sources ──(chunk)──▶ open ─▶ raw bytes ─▶ containers off ─▶ log
//! ```
//!
//! [`plan`] decides before anything is read: which files are meant, which of them are logs, which belong to one
//! server and in which order. It looks at the beginning of each file and at the end of plain ones. What stands in a
//! container is read through where there is no other way: to find the end of the log (`--last`), and the names in a
//! compressed tar.
//!
//! # Streams
//! A stream is one server's log in order. Files are put into one stream when they lie in one directory and their
//! names differ only in what rotation changes (`names::stem`), because sessions go on across a rotation: a DETAIL or
//! a duration may be in the next file. All other files are streams of their own, because two servers use the same
//! process ids, and these must not meet. Where names mislead (`db1.log`, `db2.log`), time decides: rotated files
//! follow each other, so files that overlap in time are different logs.

mod archive;
mod container;
mod found;
mod gzip;
mod look;
mod lz4;
mod metered;
mod names;
mod plan;
mod probe;
mod seek;
mod source;
mod streams;
mod tar;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub use plan::plan;
pub use seek::Window;

use crate::chunk::Source;
use crate::log::Hints;

/// What is known beforehand.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// How the inputs are written, as far as the command line says.
    pub hints: Hints,
    /// The time that the report is about: plain files are not read where they cannot matter.
    pub window: Window,
}

/// What will be read.
pub struct Plan {
    /// By server; each in reading order.
    pub streams: Vec<Vec<Box<dyn Source>>>,
    /// The time that the report is about, with `last` turned into `since`.
    pub window: Window,
    /// What the reader of the report should know about the choice of files.
    pub notes: Vec<PlanNote>,
    /// Bytes on disk of all sources; `None` when that is not known (a pipe).
    pub total: Option<u64>,
    /// Bytes taken from the disk so far: compressed bytes, where a source is compressed.
    pub progress: Arc<AtomicU64>,
}

/// Something to know about the choice of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanNote {
    /// A fixed name, as `read_once`.
    pub code: &'static str,
    /// One sentence.
    pub text: String,
}

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// No path, and standard input is a terminal.
    #[error("no log given: name a file or a directory, or pipe a log in")]
    NothingGiven,
    /// There is no such file.
    #[error("{}: no such file or directory", path.display())]
    Missing {
        /// As given.
        path: PathBuf,
    },
    /// It is there, but cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Unreadable {
        /// As given.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A directory without any log.
    #[error("{}: no PostgreSQL log in this directory (its subdirectories are not searched){}", path.display(), because(skipped))]
    NoLogs {
        /// As given.
        path: PathBuf,
        /// Files that were looked at.
        skipped: Vec<String>,
    },
    /// An archive without any log.
    #[error("{}: no PostgreSQL log in this archive", path.display())]
    NoLogsInArchive {
        /// As given.
        path: PathBuf,
    },
    /// `--last`, and the end of a log that is not known beforehand.
    #[error(
        "{name}: --last counts from the end of the log, which cannot be known before this is read; use --since"
    )]
    NoEnd {
        /// Of the input.
        name: String,
    },
    /// A pattern that fits no file.
    #[error("{pattern}: no file fits this pattern")]
    NoMatch {
        /// As given.
        pattern: String,
    },
    /// A pattern that fits files, none of which is a log.
    #[error("{pattern}: no PostgreSQL log among the files that fit this pattern{}", because(skipped))]
    NoLogsMatch {
        /// As given.
        pattern: String,
        /// Files that were looked at.
        skipped: Vec<String>,
    },
}

/// At most a handful of the files that were no log.
fn because(skipped: &[String]) -> String {
    match skipped {
        [] => String::new(),
        _ => format!("; not a log: {}", listed(skipped)),
    }
}

/// `a, b, c and 4 more`.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
