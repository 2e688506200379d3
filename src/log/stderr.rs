//! The stderr format: a prefix, a severity word, text, and continuation lines that begin with a tab.
//!
//! A message of several lines is written with a tab after each line end (elog.c, `append_with_tabs()`); what is
//! undone here. Whether a line begins an entry is told by that line alone, so a log may be cut before any of them.

use std::ops::Range;

use bumpalo::Bump;
use memchr::{memchr, memrchr};

use super::entry::{Entry, Fields, Part, Severity};
use super::prefix::{Clocks, Head, Line, Memo, Prefix};
use super::severity::verbose_sqlstate;
use super::{Sink, Skip, SkipReason};
use crate::units::ByteOffset;

/// How the lines of a stderr log look.
#[derive(Debug, Clone)]
pub(crate) struct Stderr {
    pub(crate) prefix: Prefix,
    /// Lines end with `\r\n`: written on Windows, or copied through it.
    pub(crate) crlf: bool,
    /// Continuation lines have the server's tab, so a line with neither prefix nor tab was written by something
    /// else (an archive command, a library). Where tabs were lost, such a line continues the entry before.
    pub(crate) tabs: bool,
    /// No session has written in the sample: how its prefix goes on behind a `%q` is a guess.
    pub(crate) no_session: bool,
}

/// Three bytes that some editors put before UTF-8.
pub(crate) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Bytes at the start of a line that are no text: a hole of zeros, which logrotate's `copytruncate` leaves in a log
/// that is being written to, and a byte order mark at the start of a chunk.
#[inline]
pub(crate) fn no_text(line: &[u8], at: usize) -> usize {
    match line.first() {
        Some(0) => line.iter().position(|&byte| byte != 0).unwrap_or(line.len()),
        Some(0xEF) if at == 0 && line.starts_with(BOM) => BOM.len(),
        _ => 0,
    }
}

/// What has begun and not yet ended.
enum Open {
    /// Nothing yet: bytes belong to an entry that began before the chunk.
    Before,
    /// An entry, with the place where its text begins.
    Entry { part: Part, text: usize },
    /// Lines that are no entry.
    Foreign(SkipReason),
}

impl Stderr {
    /// See [`Dialect::last_start`](super::Dialect::last_start).
    pub(crate) fn last_start(&self, buffer: &[u8]) -> Option<usize> {
        let mut clocks = Clocks::new(0);
        let mut head = Head::default();
        let mut end = buffer.len();
        while let Some(newline) = memrchr(b'\n', &buffer[..end]) {
            let line = &buffer[newline + 1..];
            let line = &line[..memchr(b'\n', line).unwrap_or(line.len())];
            let line = &line[no_text(line, newline + 1)..];
            if line.first().is_some_and(|&byte| byte != b'\t')
                && self.prefix.begin(line, &mut head, &mut clocks) != Line::Continues
            {
                return Some(newline + 1);
            }
            end = newline;
        }
        None
    }

    /// Every entry of a chunk; how many line ends it has.
    pub(crate) fn read<'a>(
        &self,
        chunk: &'a [u8],
        base: ByteOffset,
        arena: &'a Bump,
        clocks: &mut Clocks,
        sink: &mut impl Sink<'a>,
    ) -> u64 {
        // Two heads take turns: that of the open entry is still needed while the next line is tried.
        let mut heads = [Head::default(), Head::default()];
        let mut memo = Memo::default();
        let mut now = 0;
        let mut open = Open::Before;
        // Where the open thing begins, and where the last line with something on it ended.
        let mut begin = 0;
        let mut filled = 0;
        let mut many = false;
        let mut lines = 0;
        let mut at = 0;
        loop {
            // No prefix holds a line end, so that it need only be looked for behind one that is known.
            let known = self.prefix.again(&chunk[at..], &mut heads[now ^ 1], clocks, &memo);
            let from = at + known.map_or(0, |(_, text)| text);
            let line_end = memchr(b'\n', &chunk[from..]).map_or(chunk.len(), |len| from + len);
            let after = (line_end + 1).min(chunk.len());
            lines += (after - line_end) as u64;
            let line_at = if known.is_some() { at } else { at + no_text(&chunk[at..line_end], at) };
            let line = &chunk[line_at..line_end];
            let begun = match (known, line.first()) {
                (Some((part, text)), _) => Some(Open::Entry { part, text: at + text }),
                // The end of the chunk, which closes the last entry.
                (None, None) if at == chunk.len() => Some(Open::Before),
                (None, Some(b'\t')) if line_at == at => None,
                _ => match self.prefix.begin_anew(line, &mut heads[now ^ 1], clocks, &mut memo, arena) {
                    Line::Begins(part, text) => Some(Open::Entry { part, text: line_at + text }),
                    Line::Foreign => Some(Open::Foreign(foreign_reason(line))),
                    Line::Continues
                        if self.tabs
                            && !matches!(line, b"" | b"\r")
                            && matches!(open, Open::Entry { .. }) =>
                    {
                        Some(Open::Foreign(SkipReason::NoPrefix))
                    }
                    Line::Continues => None,
                },
            };
            match begun {
                Some(begun) => {
                    self.close(chunk, base, arena, &open, &heads[now], begin..filled, many, at, sink);
                    if at == chunk.len() {
                        return lines;
                    }
                    now ^= 1;
                    open = begun;
                    many = false;
                    begin = at;
                    filled = after;
                }
                // Blank lines count once something follows them.
                None if line.is_empty() || line == b"\r" => {}
                None => {
                    many = true;
                    filled = after;
                }
            }
            at = after;
        }
    }

    /// Hands over what stands in `place`, on one line or on `many`; the blank lines between its end and `end` belong
    /// to nobody.
    #[inline(always)]
    #[expect(
        clippy::too_many_arguments,
        reason = "the loop's state, taken apart so that it stays in registers"
    )]
    fn close<'a>(
        &self,
        chunk: &'a [u8],
        base: ByteOffset,
        arena: &'a Bump,
        open: &Open,
        head: &Head<'a>,
        place: Range<usize>,
        many: bool,
        end: usize,
        sink: &mut impl Sink<'a>,
    ) {
        let Range { start: begin, end: filled } = place;
        let offset = |at: usize| ByteOffset(base.0 + at as u64);
        match open {
            Open::Before if filled > begin => {
                sink.skip(Skip {
                    reason: SkipReason::CutStart,
                    at: offset(begin),
                    len: (filled - begin) as u64,
                });
            }
            Open::Before => {}
            Open::Foreign(reason) => {
                sink.skip(Skip { reason: *reason, at: offset(begin), len: (filled - begin) as u64 });
            }
            Open::Entry { part, text } => {
                let mut text = self.text(&chunk[*text..filled], many, arena);
                let fields = self.fields(head, &mut text, *part, arena);
                sink.entry(Entry {
                    at: offset(begin),
                    len: u32::try_from(filled - begin).unwrap_or(u32::MAX),
                    time: head.time,
                    session: head.session,
                    who: head.whom(arena),
                    origin: head.origin,
                    part: *part,
                    text,
                    fields,
                });
            }
        }
        if end > filled {
            sink.skip(Skip { reason: SkipReason::Blank, at: offset(filled), len: (end - filled) as u64 });
        }
    }

    /// The text of an entry without line end; several lines joined without their tabs.
    #[inline]
    fn text<'a>(&self, raw: &'a [u8], many: bool, arena: &'a Bump) -> &'a [u8] {
        let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
        let raw = if self.crlf { raw.strip_suffix(b"\r").unwrap_or(raw) } else { raw };
        if many { join_lines(raw, self.crlf, arena) } else { raw }
    }

    /// Values that go beyond the frame: those of rare escapes, and the SQLSTATE of a verbose log.
    #[inline]
    pub(crate) fn fields<'a>(
        &self,
        head: &Head<'a>,
        text: &mut &'a [u8],
        part: Part,
        arena: &'a Bump,
    ) -> Option<&'a Fields<'a>> {
        let state = match part {
            Part::Record(severity) => {
                if severity != Severity::Log {
                    *text = without_position(text);
                }
                verbose_sqlstate(text)
            }
            _ => None,
        };
        if state.is_none() && !self.prefix.has_fields {
            return None;
        }
        let mut fields = head.fields;
        if let Some(state) = state {
            fields.sqlstate = state;
            *text = &text[7..];
        }
        Some(arena.alloc(fields))
    }
}

/// `relation "t" does not exist at character 15` → without the position, which csvlog and jsonlog keep in a field of
/// their own (elog.c, `send_message_to_server_log()`).
#[cold]
fn without_position(text: &[u8]) -> &[u8] {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    match text[..text.len() - digits].strip_suffix(b" at character ") {
        Some(message) if digits > 0 => message,
        _ => text,
    }
}

/// Undoes `append_with_tabs()`: one tab less after each line end.
pub(crate) fn join_lines<'a>(raw: &[u8], crlf: bool, arena: &'a Bump) -> &'a [u8] {
    let text = arena.alloc_slice_copy(raw);
    let mut from = 0;
    let mut to = 0;
    while let Some(len) = memchr(b'\n', &text[from..]) {
        let line_end = from + len;
        let kept = if crlf && len > 0 && text[line_end - 1] == b'\r' { len - 1 } else { len };
        text.copy_within(from..from + kept, to);
        to += kept;
        text[to] = b'\n';
        to += 1;
        from = line_end + 1;
        if text.get(from) == Some(&b'\t') {
            from += 1;
        }
    }
    let rest = text.len() - from;
    text.copy_within(from.., to);
    &text[..to + rest]
}

/// Why a line with the prefix's head is no entry: a word in capitals where the severity stands is one that we do not
/// know, anything else is another program's or has another prefix.
#[cold]
pub(crate) fn foreign_reason(line: &[u8]) -> SkipReason {
    let head = &line[..line.len().min(super::prefix::REACH)];
    let unknown = memchr::memmem::find_iter(head, b":  ").next().is_some_and(|colon| {
        let word = head[..colon].trim_ascii_end().rsplit(|&byte| byte == b' ').next().unwrap_or_default();
        word.len() > 1
            && !word.iter().any(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && super::severity::candidates(&head[..colon + 3], head.len()).next().is_none()
    });
    if unknown { SkipReason::UnknownSeverity } else { SkipReason::NoPrefix }
}

#[cfg(test)]
mod tests {
    use crate::log::testing::{check, read, same_at_every_cut};
    use crate::log::{Dialect, Hints};

    fn dialect(prefix: &str) -> Dialect {
        let line = b"2026-11-23 14:59:16.162 UTC [77] LOG:  x\n";
        Dialect::detect(line, &Hints { prefix: Some(prefix.into()), ..Hints::default() }).unwrap()
    }

    const A: &str = "2026-11-23 14:59:16.162 UTC [77] ";

    #[test]
    fn continuation_lines_lose_one_tab() {
        check(
            &dialect("%m [%p] %q%u@%d "),
            &format!("{A}u@d LOG:  select\n\t1,\n\t\t2\n\t\nlost tab\n{A}u@d LOG:  b\n"),
            &["LOG u@d \"select\\n1,\\n\\t2\\n\\nlost tab\"", "LOG u@d \"b\""],
        );
    }

    #[test]
    fn where_tabs_are_kept_other_programs_lines_are_seen() {
        let log =
            format!("{A}u@d LOG:  a\n\tb\ncp: no space\nleft\n\n{A}u@d LOG:  c\ncp: x\n{A}u@d LOG:  d\n");
        let sample = format!("{A}LOG:  {}\n{log}", "x\n\ty\n".repeat(40));
        let dialect = Dialect::detect(sample.replace("\nx", "\n\tx").as_bytes(), &Hints::default()).unwrap();
        check(
            &dialect,
            &log,
            &[
                "LOG u@d \"a\\nb\"",
                "no_prefix 18",
                "blank 1",
                "LOG u@d \"c\"",
                "no_prefix 6",
                "LOG u@d \"d\"",
            ],
        );
    }

    #[test]
    fn what_looks_like_an_entry_after_a_tab_is_text() {
        check(
            &dialect("%m [%p] %q%u@%d "),
            &format!("{A}u@d LOG:  a\n\t{A}u@d ERROR:  forged\n"),
            &[&format!("LOG u@d \"a\\n{A}u@d ERROR:  forged\"")],
        );
    }

    #[test]
    fn skipped_bytes_say_why() {
        check(
            &dialect("%m [%p] %q%u@%d "),
            &format!(
                "\n rest of a statement\n{A}u@d LOG:  a\n\n\n{A}u@d ÓŠIBKA:  x\n\ty\n{A}pgbouncer\n{A}LOG:  b"
            ),
            &[
                "cut_start 22",
                "LOG u@d \"a\"",
                "blank 2",
                "unknown_severity 53",
                "no_prefix 43",
                "LOG @ \"b\"",
            ],
        );
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark() {
        let mut dialect = dialect("%m [%p] ");
        if let crate::log::dialect::Shape::Stderr(stderr) = &mut dialect.shape {
            stderr.crlf = true;
        }
        check(
            &dialect,
            &format!("\u{FEFF}{A}LOG:  a\r\n\tb\r\n{A}LOG:  c\r\n"),
            &["LOG @ \"a\\nb\"", "LOG @ \"c\""],
        );
    }

    #[test]
    fn a_hole_of_zeros_before_a_line() {
        let dialect = dialect("%m [%p] ");
        let log = format!("\0\0\0{A}LOG:  a\n\0\0{A}LOG:  b\n\tc\n");
        check(&dialect, &log, &["LOG @ \"a\"", "LOG @ \"b\\nc\""]);
        assert_eq!(
            Dialect::detect(log.as_bytes(), &Hints::default()).unwrap().prefix(),
            Some("%m [%p] %q%u@%d ")
        );
    }

    #[test]
    fn a_verbose_log_shows_its_sqlstate() {
        check(
            &dialect("%m [%p] "),
            &format!(
                "{A}ERROR:  42703: no column\n{A}LOCATION:  errorMissingColumn, parse_relation.c:3722\n"
            ),
            &["ERROR @ \"no column\" 42703", "Location @ \"errorMissingColumn, parse_relation.c:3722\""],
        );
    }

    #[test]
    fn cutting_does_not_matter() {
        let log = format!(
            "tail\n{A}u@d LOG:  a\n\tb\n\n{A}u@d ÓŠIBKA:  x\n\ty\n{A}u@d ERROR:  é\n{A}x\n{A}u@d STATEMENT:  1\n2\n"
        );
        same_at_every_cut(&dialect("%m [%p] %q%u@%d "), log.as_bytes());
    }

    #[test]
    fn invalid_bytes_are_data() {
        let log = [A.as_bytes(), b"\xFF@d LOG:  \xC3\n\t\0\n"].concat();
        assert_eq!(read(&dialect("%m [%p] %q%u@%d "), &log), ["LOG \u{FFFD}@d \"\u{FFFD}\\n\\0\""]);
    }
}
