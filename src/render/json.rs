//! The contract itself: the report as one line of JSON, ended by a newline, so that it streams, hashes and greps
//! well; `jq .` makes it readable.

use std::io::{self, Write as _};

use crate::report::Report;

/// Writes the report, nothing added and nothing left out.
pub(super) fn render(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    serde_json::to_writer(&mut out, report).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    out.flush()
}
