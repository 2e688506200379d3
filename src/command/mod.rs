//! One file a command: what was decided → the library → an exit code.

pub(crate) mod filters;
pub(crate) mod fingerprint;
pub(crate) mod report;

use std::io::Write as _;
use std::process::ExitCode;

use pglens::output::OutputError;

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
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Failure {
    /// 2 for usage, 3 for input, 1 for the rest of the world.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Input(_) => ExitCode::from(3),
            Self::Output(_) => ExitCode::FAILURE,
        }
    }
}

/// One line on standard error, which nobody may be reading. Names of files are data: control characters are made
/// visible.
pub(crate) fn remark(text: &str) {
    let visible: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    let _ = writeln!(anstream::stderr(), "pglens: {visible}");
}
