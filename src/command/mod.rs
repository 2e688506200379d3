//! One file a command: what was decided → the library → an exit code.

pub(crate) mod fingerprint;
pub(crate) mod report;

use std::io::{self, Write as _};
use std::process::ExitCode;

/// Why a command ended without doing what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It was asked for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// An input could not be read, or nothing in it was understood.
    #[error("{0}")]
    Input(String),
    /// Writing failed.
    #[error("{0}")]
    Output(String),
    /// Whoever read the output has seen enough: a success.
    #[error("the reader of the output went away")]
    BrokenPipe,
}

impl Failure {
    /// 0 for a broken pipe, 2 for usage, 3 for input, 1 for the rest of the world.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::BrokenPipe => ExitCode::SUCCESS,
            Self::Usage(_) => ExitCode::from(2),
            Self::Input(_) => ExitCode::from(3),
            Self::Output(_) => ExitCode::FAILURE,
        }
    }

    /// A failure to write to `what`.
    pub(crate) fn writing(what: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Output(format!("{what} cannot be written: {error}")),
        }
    }
}

/// Says on standard error what went wrong. Names of files are data: control characters are made visible.
pub(crate) fn complain(failure: &Failure) {
    if !matches!(failure, Failure::BrokenPipe) {
        remark(&failure.to_string());
    }
}

/// One line on standard error, which nobody may be reading.
pub(crate) fn remark(text: &str) {
    let visible: String =
        text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect();
    let _ = writeln!(anstream::stderr(), "pglens: {visible}");
}
