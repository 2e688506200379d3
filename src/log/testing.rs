//! What the tests of all formats share: entries as lines of text, and the promises that hold for any bytes.

use bumpalo::Bump;

use super::{Dialect, Entry, Part, Sink, Skip};
use crate::units::ByteOffset;

/// Collects entries and skips as text.
#[derive(Default)]
struct Shown {
    lines: Vec<String>,
    end: u64,
}

impl<'a> Sink<'a> for Shown {
    fn entry(&mut self, entry: Entry<'a>) {
        assert_eq!(entry.at.0, self.end, "entries and skips touch");
        self.end += u64::from(entry.len);
        self.lines.push(show(&entry));
    }

    fn skip(&mut self, skip: Skip) {
        assert_eq!(skip.at.0, self.end, "entries and skips touch");
        assert!(skip.len > 0, "an empty skip is none");
        self.end += skip.len;
        self.lines.push(format!("{} {}", skip.reason.as_str(), skip.len));
    }
}

/// `LOG user@database "text" SQLSTATE` and whatever else is set.
pub(crate) fn show(entry: &Entry<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let part = match entry.part {
        Part::Record(severity) => severity.as_str().to_owned(),
        other => format!("{other:?}"),
    };
    let who = entry.who;
    let mut shown = format!("{part} {}@{} {:?}", text(who.user), text(who.database), text(entry.text));
    if let Some(fields) = entry.fields {
        if fields.sqlstate != [0; 5] {
            shown += &format!(" {}", text(&fields.sqlstate));
        }
        for (name, value) in [
            ("detail", fields.detail),
            ("hint", fields.hint),
            ("query", fields.query),
            ("context", fields.context),
            ("statement", fields.statement),
        ] {
            if !value.is_empty() {
                shown += &format!(" {name}={:?}", text(value));
            }
        }
    }
    shown
}

/// Everything of one chunk, as text. Checks that no byte is lost.
pub(crate) fn read(dialect: &Dialect, log: &[u8]) -> Vec<String> {
    let arena = Bump::new();
    let mut shown = Shown::default();
    dialect.reader().read(log, ByteOffset(0), &arena, &mut shown);
    assert_eq!(shown.end, log.len() as u64, "every byte is in an entry or a skip");
    shown.lines
}

/// Table row: a log and what it says.
#[track_caller]
pub(crate) fn check(dialect: &Dialect, log: &str, expected: &[&str]) {
    assert_eq!(read(dialect, log.as_bytes()), expected, "{log}");
    same_at_every_cut(dialect, log.as_bytes());
}

/// Invariant 2: for each place where a block could have ended, cutting at `last_start` of the block changes nothing.
#[track_caller]
pub(crate) fn same_at_every_cut(dialect: &Dialect, log: &[u8]) {
    let whole = read(dialect, log);
    for end in 0..=log.len() {
        let Some(cut) = dialect.last_start(&log[..end]) else { continue };
        assert!(cut > 0 && cut < end, "a cut lies inside the buffer");
        let arena = Bump::new();
        let mut shown = Shown::default();
        let mut reader = dialect.reader();
        reader.read(&log[..cut], ByteOffset(0), &arena, &mut shown);
        assert_eq!(shown.end, cut as u64);
        reader.read(&log[cut..], ByteOffset(cut as u64), &arena, &mut shown);
        assert_eq!(shown.lines, whole, "cut at {cut}, found in the first {end} bytes");
    }
}
