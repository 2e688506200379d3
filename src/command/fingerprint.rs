//! `pglens fingerprint`: SQL in, fingerprints out, line by line.

use std::io::{self, BufReader, BufWriter};
use std::path::PathBuf;

use pglens::fingerprint_command::{self, Mode};
use pglens::output::OutputError;

use super::Failure;
use crate::cli;

pub(crate) fn run(arguments: &cli::Fingerprint) -> Result<(), Failure> {
    let input = BufReader::with_capacity(1 << 20, io::stdin().lock());
    let output = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let mode = if arguments.text { Mode::Text } else { Mode::JsonLines };
    match fingerprint_command::run(input, output, mode) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(OutputError::Write { path: PathBuf::from("-"), error }.into()),
        Ok(()) => Ok(()),
    }
}
