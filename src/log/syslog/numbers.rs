//! The numbers that the server puts before each piece of a message (elog.c, `write_syslog()`).
//!
//! ```text
//!  syslog_sequence_numbers  syslog_split_messages
//!  on                       on                     [5-2] text    message and piece
//!  off                      on                     [2] text      piece
//!  on                       off                    [5] text      message; its lines stand in one
//!  off                      off                    text
//! ```
//!
//! A prefix may begin with a bracket too (`[%p] `, `[%l-1] `), so what it is must be found out from many lines.

use std::collections::HashMap;

use memchr::memmem;

use crate::log::entry::Part;
use crate::log::prefix::{REACH, number};
use crate::log::severity;

/// Which numbers stand before a text: pinned at detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// `[5-2]`, where it is there.
    Both,
    /// `[2]`: the piece.
    Piece,
    /// `[5]`: the message.
    Message,
    /// None; a bracket is the prefix's.
    Nothing,
}

/// What may be such numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Both { piece: u64 },
    One(u64),
}

impl Numbers {
    /// `[5-2] text` → (2, text): the number of the piece, if there is one, and what stands behind it. A message
    /// that was not split is its own first piece.
    pub(crate) fn strip(self, message: &[u8]) -> (Option<u64>, &[u8]) {
        match (self, bracket(message)) {
            (Self::Both, Some((Bracket::Both { piece }, text))) => (Some(piece), text),
            (Self::Piece, Some((Bracket::One(piece), text))) => (Some(piece), text),
            (Self::Message, Some((Bracket::One(_), text))) => (Some(1), text),
            _ => (None, message),
        }
    }

    /// What the brackets of these messages are; each comes with its process id, or 0.
    pub(crate) fn of<'m>(messages: impl Iterator<Item = (u32, &'m [u8])>) -> Self {
        let mut seen = Seen::default();
        for (pid, message) in messages {
            seen.message(pid, message);
        }
        seen.numbers()
    }
}

/// `[5-2] text` or `[5] text`, and the text.
fn bracket(message: &[u8]) -> Option<(Bracket, &[u8])> {
    let trimmed = message.strip_prefix(b" ").unwrap_or(message);
    let rest = trimmed.strip_prefix(b"[")?;
    let (one, len) = number(rest)?;
    let rest = &rest[len..];
    let (bracket, rest) = match rest.strip_prefix(b"-") {
        Some(rest) => {
            let (piece, len) = number(rest)?;
            (Bracket::Both { piece }, &rest[len..])
        }
        None => (Bracket::One(one), rest),
    };
    let rest = rest.strip_prefix(b"]")?;
    let text = rest.strip_prefix(b" ");
    // `[5]:` is a prefix's.
    if text.is_none() && !rest.is_empty() && matches!(bracket, Bracket::One(_)) {
        return None;
    }
    Some((bracket, text.unwrap_or(rest)))
}

/// The first severity or part word of a line that the server did not indent.
fn word(text: &[u8]) -> Option<Part> {
    if text.starts_with(b"\t") || text.starts_with(b"#011") {
        return None;
    }
    severity::candidates(text, REACH)
        .next()
        .or_else(|| severity::squeezed_candidates(text, REACH).next())
        .map(|found| found.part)
}

/// What the messages of a sample showed, in numbers of messages.
#[derive(Debug, Default)]
struct Seen {
    all: usize,
    /// With one number.
    ones: usize,
    /// Its number is the process id.
    pids: usize,
    /// Its number is that of the same process's message before.
    repeats: usize,
    /// Its number is one, and a record begins.
    records: usize,
    /// Likewise, and the number is 1.
    first_records: usize,
    /// Lines inside of messages that begin a DETAIL, a STATEMENT …
    inner: usize,
    /// Those with the bracket of the message. The server writes its numbers once, and the prefix before each line.
    inner_brackets: usize,
    last: HashMap<u32, u64>,
}

impl Seen {
    fn message(&mut self, pid: u32, message: &[u8]) {
        self.all += 1;
        let outer = bracket(message);
        self.inner_lines(message, outer);
        let Some((Bracket::One(number), text)) = outer else { return };
        self.ones += 1;
        self.pids += usize::from(pid != 0 && number == u64::from(pid));
        self.repeats += usize::from(self.last.insert(pid, number) == Some(number));
        if matches!(word(text), Some(Part::Record(_))) {
            self.records += 1;
            self.first_records += usize::from(number == 1);
        }
    }

    /// The lines of a message that stand in one with it.
    fn inner_lines(&mut self, message: &[u8], outer: Option<(Bracket, &[u8])>) {
        let kind =
            |found: Option<(Bracket, &[u8])>| found.map(|(bracket, _)| std::mem::discriminant(&bracket));
        // `[5] [77] user LOG:  …`: the second bracket is the prefix's.
        let second = outer.and_then(|(_, text)| bracket(text));
        let mut rest = message;
        while let Some((at, len)) = line_end(rest) {
            rest = &rest[at + len..];
            let line = &rest[..line_end(rest).map_or(rest.len(), |(at, _)| at)];
            if word(line).is_some() {
                let inner = kind(bracket(line));
                self.inner += 1;
                self.inner_brackets +=
                    usize::from(inner.is_some() && inner == kind(outer) && inner != kind(second));
            }
        }
    }

    fn numbers(&self) -> Numbers {
        if self.inner_brackets * 2 > self.inner {
            return Numbers::Nothing;
        }
        if self.ones == 0 || self.ones * 10 < self.all * 9 {
            return Numbers::Both;
        }
        if self.pids * 2 > self.ones {
            Numbers::Nothing
        } else if self.records > 0 && self.first_records * 20 >= self.records * 19 {
            Numbers::Piece
        } else if self.repeats * 20 > self.ones {
            Numbers::Nothing
        } else {
            Numbers::Message
        }
    }
}

/// Where the first line end is, and how many bytes it has: as it is, or as daemons write it.
fn line_end(text: &[u8]) -> Option<(usize, usize)> {
    let raw = memchr::memchr(b'\n', text).map(|at| (at, 1));
    let escaped = memmem::find(text, b"#012").map(|at| (at, 4));
    match (raw, escaped) {
        (Some(raw), Some(escaped)) => Some(raw.min(escaped)),
        (raw, escaped) => raw.or(escaped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(messages: &[(u32, &str)], expected: Numbers) {
        let numbers = Numbers::of(messages.iter().map(|&(pid, message)| (pid, message.as_bytes())));
        assert_eq!(numbers, expected, "{messages:?}");
    }

    #[test]
    fn numbers_are_stripped() {
        let strip = |numbers: Numbers, text: &'static str| {
            let (piece, text) = numbers.strip(text.as_bytes());
            (piece, String::from_utf8_lossy(text).into_owned())
        };
        for (numbers, message, piece, text) in [
            (Numbers::Both, "[5-2] x", Some(2), "x"),
            (Numbers::Both, " [5-2]  x", Some(2), " x"),
            (Numbers::Both, "[5] x", None, "[5] x"),
            (Numbers::Piece, "[2] #011x", Some(2), "#011x"),
            (Numbers::Piece, "[5-2] x", None, "[5-2] x"),
            (Numbers::Piece, "[2]: x", None, "[2]: x"),
            (Numbers::Message, "[5] x", Some(1), "x"),
            (Numbers::Nothing, "[5-1] x", None, "[5-1] x"),
            (Numbers::Nothing, "[", None, "["),
        ] {
            assert_eq!(strip(numbers, message), (piece, text.to_owned()), "{message}");
        }
    }

    #[test]
    fn what_a_bracket_is() {
        // Both settings on, and a message without numbers.
        check(&[(7, "[5-1] u@d LOG:  a"), (7, "[5-2] #011b"), (8, "u@d LOG:  a")], Numbers::Both);
        // Both off, with prefixes that begin with a bracket.
        check(&[(7, "[7] u@d LOG:  a"), (8, "[8] u@d LOG:  a"), (7, "[7] u@d LOG:  b")], Numbers::Nothing);
        check(&[(7, "[3] u@d LOG:  a#012[4] u@d DETAIL:  b"), (7, "[5] u@d LOG:  a")], Numbers::Nothing);
        check(&[(7, "[3-1] u@d LOG:  a#012[4-1] u@d DETAIL:  b")], Numbers::Nothing);
        check(&[(7, "[3-1] [7] u@d LOG:  a#012[7] u@d DETAIL:  b")], Numbers::Both);
        check(&[(0, "[7] LOG:  a"), (0, "[7] LOG:  b"), (0, "[7] LOG:  c")], Numbers::Nothing);
        check(&[(7, "u@d LOG:  a")], Numbers::Both);
        check(&[], Numbers::Both);
        // Only pieces are numbered.
        check(&[(7, "[1] u@d LOG:  a"), (7, "[2] #011b"), (7, "[3] u@d DETAIL:  c")], Numbers::Piece);
        check(&[(7, "[1] [7] u@d LOG:  a"), (8, "[1] [8] u@d LOG:  a")], Numbers::Piece);
        // Only messages are.
        check(&[(7, "[3] u@d LOG:  a#012u@d DETAIL:  b"), (7, "[4] u@d LOG:  a")], Numbers::Message);
        check(&[(7, "[3] [7] u@d LOG:  a#012[7] u@d DETAIL:  b")], Numbers::Message);
        check(
            &[(7, "[3] LOG:  a"), (8, "[1] LOG:  a"), (7, "[4] LOG:  a#012#011[1] LOG:  b")],
            Numbers::Message,
        );
    }
}
