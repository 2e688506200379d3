//! The contract itself: the report as one line of JSON, ended by a newline, so that it streams, hashes and greps
//! well; `jq .` makes it readable.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::shown;
use crate::report::Report;

/// Writes the report, nothing added and nothing left out.
pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    line(report, &mut out)?;
    out.flush()
}

/// Writes a value as one line of JSON. Characters that would move a cursor, hide or reorder other text are escaped, as
/// `\u202e`: it is the same JSON, and harmless to look at.
///
/// # Errors
/// Those of the writer.
pub fn line(value: &impl Serialize, mut out: impl Write) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut out, Visible))?;
    out.write_all(b"\n")
}

struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        let mut from = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| shown::is_hidden(*c)) {
            out.write_all(&text.as_bytes()[from..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            from = at + c.len_utf8();
        }
        out.write_all(&text.as_bytes()[from..])
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn what_is_hidden_is_escaped_and_the_same_json() {
        let text = "a\u{9b}31m\u{7f}\u{202e}b\u{200b}\u{2028}\u{e0001}\"\n\u{1b}ü\u{1f600}";
        let mut out = Vec::new();
        line(&[text], &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(
            out,
            "[\"a\\u009b31m\\u007f\\u202eb\\u200b\\u2028\\udb40\\udc01\\\"\\n\\u001bü\u{1f600}\"]\n"
        );
        assert_eq!(serde_json::from_str::<Vec<String>>(&out).unwrap(), [text]);
    }
}
