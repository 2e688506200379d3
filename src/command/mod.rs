//! One file a command: what was decided → the library → an exit code.

pub(crate) mod doctor;
mod filters;
pub(crate) mod fingerprint;
mod reading;
pub(crate) mod report;

use std::io::Write as _;
use std::process::ExitCode;

use pglens::output::OutputError;
use pglens::render::shown::visible;

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

/// Lines on standard error, which nobody may be reading.
pub(crate) fn remark(text: &str) {
    let _ = write!(anstream::stderr(), "{}", lines(text));
}

/// Names of files are data: what a terminal obeys is made visible. So is what a CI runner obeys, which takes its commands
/// from what a step prints: `::error …` at the beginning of a line, `##[error]` anywhere.
fn lines(text: &str) -> String {
    text.lines().map(|line| format!("pglens: {}\n", visible(line).replace("##", "# #"))).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn nothing_obeys_a_remark() {
        assert_eq!(
            lines("a\n::error file=app.js::x\n##[error]z\u{1b}[2J\u{202e}.log"),
            "pglens: a\npglens: ::error file=app.js::x\npglens: # #[error]z⟨U+001B⟩[2J⟨U+202E⟩.log\n"
        );
    }
}
