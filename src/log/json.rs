//! JSON logs: PostgreSQL's jsonlog and the records that operators and clouds wrap it in. One line, one object.
//!
//! The scanner knows the keys that matter and walks over the rest; texts without escapes are borrowed.

use bumpalo::Bump;
use memchr::{memchr, memrchr};

use super::csv::{host_of, integer, signed};
use super::entry::{Entry, Part, Severity};
use super::marks::{Marks, SLACK, copy, find2};
use super::prefix::{Clocks, Head, name, session_id};
use super::severity::severity;
use super::stderr::no_text;
use super::{Sink, Skip, SkipReason};
use crate::units::ByteOffset;

/// A JSON value as it stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// The bytes between the quotes, and whether they hold a backslash.
    Text { raw: &'a [u8], escaped: bool },
    /// A number, `true`, `false` or `null`, as written.
    Bare(&'a [u8]),
    /// An object or array with its brackets.
    Nested(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The text, or the digits, without escapes; empty for `null` and what is nested.
    #[inline]
    pub(crate) fn text(self, arena: &'a Bump) -> &'a [u8] {
        match self {
            Self::Text { raw, escaped: false } => raw,
            Self::Text { raw, escaped: true } => unescape(raw, arena),
            Self::Bare(b"null") | Self::Nested(_) => b"",
            Self::Bare(raw) => raw,
        }
    }

    /// The bytes as written, for values that hold no escapes.
    #[inline]
    fn raw(self) -> &'a [u8] {
        match self {
            Self::Text { raw, .. } | Self::Bare(raw) => raw,
            Self::Nested(_) => b"",
        }
    }
}

/// The members of one object, in order. Ends early at the first byte that is no JSON; [`Self::finished`] tells.
#[derive(Debug, Clone)]
pub(crate) struct Members<'a> {
    text: &'a [u8],
    at: usize,
    finished: bool,
}

impl<'a> Members<'a> {
    /// `text` begins with `{`, blanks before it aside.
    pub(crate) fn of(text: &'a [u8]) -> Self {
        let mut members = Self { text, at: 0, finished: false };
        members.blanks();
        if members.peek() == Some(b'{') {
            members.at += 1;
        } else {
            members.at = text.len();
        }
        members
    }

    /// Whether the object was closed, and where: bytes read up to and with `}`.
    pub(crate) fn finished(&self) -> Option<usize> {
        self.finished.then_some(self.at)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn blanks(&mut self) {
        // The server writes none.
        if self.peek() > Some(b' ') {
            return;
        }
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    #[inline]
    fn string(&mut self) -> Option<(&'a [u8], bool)> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let begin = self.at + 1;
        let first = find2(self.text, begin, b'"', b'\\')?;
        if self.text[first] == b'"' {
            self.at = first + 1;
            return Some((&self.text[begin..first], false));
        }
        // Where there is one escape, there are many.
        let mut from = first + 2;
        for at in Marks::new(self.text, first + 1, b'"', b'\\') {
            if at < from {
                continue;
            }
            if self.text[at] == b'"' {
                self.at = at + 1;
                return Some((&self.text[begin..at], true));
            }
            from = at + 2;
        }
        None
    }

    #[inline]
    fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => self.string().map(|(raw, escaped)| Value::Text { raw, escaped }),
            b'{' | b'[' => self.nested(),
            _ => {
                let begin = self.at;
                while !matches!(self.peek()?, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n') {
                    self.at += 1;
                }
                (self.at > begin).then(|| Value::Bare(&self.text[begin..self.at]))
            }
        }
    }

    /// An object or array, with what is in it.
    fn nested(&mut self) -> Option<Value<'a>> {
        let begin = self.at;
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(Value::Nested(&self.text[begin..self.at]));
            }
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        self.blanks();
        match self.peek()? {
            b'}' => {
                self.at += 1;
                self.finished = true;
                return None;
            }
            b',' => {
                self.at += 1;
                self.blanks();
            }
            _ => {}
        }
        let (key, _) = self.string()?;
        self.blanks();
        if self.peek() != Some(b':') {
            return None;
        }
        self.at += 1;
        self.blanks();
        Some((key, self.value()?))
    }
}

/// Undoes JSON's escapes; what is no escape stays as it is.
pub(crate) fn unescape<'a>(raw: &[u8], arena: &'a Bump) -> &'a [u8] {
    // Six bytes of `\u00e9` become at most three: the text never grows.
    let text = arena.alloc_slice_fill_copy(raw.len() + SLACK, 0);
    let (mut from, mut to) = (0, 0);
    for at in Marks::new(raw, 0, b'\\', b'\\') {
        // A backslash that an escape before it has used up.
        if at < from {
            continue;
        }
        copy(raw, from, at - from, text, to);
        to += at - from;
        from = at + 2;
        text[to] = match raw.get(at + 1) {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'u') => {
                let (c, len) = code_point(&raw[at..]);
                let mut utf8 = [0; 4];
                let encoded = c.encode_utf8(&mut utf8).as_bytes();
                text[to..to + encoded.len()].copy_from_slice(encoded);
                to += encoded.len();
                from = at + len;
                continue;
            }
            Some(&other) => other,
            None => b'\\',
        };
        to += 1;
    }
    let rest = raw.len().saturating_sub(from);
    copy(raw, raw.len() - rest, rest, text, to);
    &text[..to + rest]
}

/// `\u00e9`, `\ud83d\ude00` → the character and the bytes read. Lone surrogates become U+FFFD.
fn code_point(text: &[u8]) -> (char, usize) {
    let unit = |at: usize| -> Option<u32> {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |sum, &digit| Some(sum * 16 + char::from(digit).to_digit(16)?))
    };
    let Some(first) = unit(0) else { return ('\u{FFFD}', 2) };
    if let Some(c) = char::from_u32(first) {
        return (c, 6);
    }
    if let (0xD800..=0xDBFF, Some(second @ 0xDC00..=0xDFFF)) = (first, unit(6))
        && let Some(c) = char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    {
        return (c, 12);
    }
    ('\u{FFFD}', 6)
}

/// What a JSON record said.
#[derive(Debug, Default)]
pub(crate) struct Record<'a> {
    pub(crate) head: Head<'a>,
    pub(crate) severity: Option<Severity>,
    /// The severity word, also when it is none of PostgreSQL's.
    pub(crate) word: &'a [u8],
    pub(crate) message: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads a record with PostgreSQL's own keys (jsonlog.c) or CloudNativePG's (csvlog's column names).
    pub(crate) fn read(&mut self, members: &mut Members<'a>, clocks: &mut Clocks, arena: &'a Bump) {
        *self = Self::default();
        // jsonlog leaves the code of success out.
        self.head.fields.sqlstate = *b"00000";
        self.members(members, clocks, arena);
    }

    fn members(&mut self, members: &mut Members<'a>, clocks: &mut Clocks, arena: &'a Bump) {
        let fields = &mut self.head.fields;
        let mut nested = None;
        for (key, value) in members {
            match key {
                b"timestamp" | b"log_time" => {
                    self.head.time = clocks.log.read(value.raw()).map(|stamp| stamp.time);
                }
                b"user" | b"user_name" => self.head.who.user = name(value.text(arena)),
                b"dbname" | b"database_name" => self.head.who.database = name(value.text(arena)),
                b"pid" | b"process_id" => self.head.session.pid = integer(value.raw()) as u32,
                b"remote_host" => self.head.who.host = name(value.text(arena)),
                b"connection_from" => self.head.who.host = host_of(value.text(arena)),
                b"session_id" => {
                    let (start, _) = session_id(value.raw()).unwrap_or_default();
                    self.head.session.start = start as u32;
                }
                b"error_severity" => {
                    self.word = value.raw();
                    self.severity = severity(self.word);
                }
                b"state_code" | b"sql_state_code" => {
                    fields.sqlstate = value.raw().first_chunk().copied().unwrap_or_default();
                }
                b"message" => self.message = value.text(arena),
                b"detail" => fields.detail = value.text(arena),
                b"hint" => fields.hint = value.text(arena),
                b"internal_query" => fields.query = value.text(arena),
                b"context" => fields.context = value.text(arena),
                b"statement" | b"query" => fields.statement = value.text(arena),
                b"application_name" => self.head.who.application = name(value.text(arena)),
                b"query_id" => fields.query_id = signed(value.raw()),
                b"record" => nested = Some(value),
                _ => {}
            }
        }
        // CloudNativePG: `{"level":"info","logger":"postgres","msg":"record","record":{…}}`.
        if let Some(Value::Nested(record)) = nested
            && self.word.is_empty()
        {
            self.members(&mut Members::of(record), clocks, arena);
        }
    }

    /// The entry of a record at `at`, `len` bytes long.
    #[inline]
    pub(crate) fn entry(&self, at: ByteOffset, len: usize, severity: Severity, arena: &'a Bump) -> Entry<'a> {
        Entry {
            at,
            len: u32::try_from(len).unwrap_or(u32::MAX),
            time: self.head.time,
            session: self.head.session,
            who: self.head.whom(arena),
            origin: 0,
            part: Part::Record(severity),
            text: self.message,
            fields: Some(arena.alloc(self.head.fields)),
        }
    }
}

/// See [`Dialect::last_start`](super::Dialect::last_start). A line end inside of a text is escaped, so every line
/// that opens an object begins an entry.
pub(crate) fn last_start(buffer: &[u8]) -> Option<usize> {
    let mut end = buffer.len();
    while let Some(newline) = memrchr(b'\n', &buffer[..end]) {
        let line = &buffer[newline + 1..];
        if line.get(no_text(line, newline + 1)) == Some(&b'{') {
            return Some(newline + 1);
        }
        end = newline;
    }
    None
}

/// Every line of a chunk.
pub(crate) fn read<'a>(
    chunk: &'a [u8],
    base: ByteOffset,
    arena: &'a Bump,
    clocks: &mut Clocks,
    sink: &mut impl Sink<'a>,
) {
    let mut record = Record::default();
    let mut at = 0;
    while at < chunk.len() {
        let end = memchr(b'\n', &chunk[at..]).map_or(chunk.len(), |len| at + len + 1);
        let offset = ByteOffset(base.0 + at as u64);
        let line = &chunk[at..end];
        let line = &line[no_text(line, at)..];
        let mut skip = |reason| sink.skip(Skip { reason, at: offset, len: (end - at) as u64 });
        if line.trim_ascii().is_empty() {
            skip(SkipReason::Blank);
        } else if at == 0 && line[0] != b'{' {
            skip(SkipReason::CutStart);
        } else {
            let mut members = Members::of(line);
            record.read(&mut members, clocks, arena);
            match (members.finished(), record.severity) {
                (Some(_), Some(severity)) => sink.entry(record.entry(offset, end - at, severity, arena)),
                (Some(_), None) if !record.word.is_empty() => skip(SkipReason::UnknownSeverity),
                (Some(_), None) => skip(SkipReason::OtherProgram),
                (None, _) if !line.ends_with(b"\n") => skip(SkipReason::CutEnd),
                _ => skip(SkipReason::BadJson),
            }
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testing::check;
    use crate::log::{Dialect, Format, Hints};

    const LINE: &str = r#"{"timestamp":"2026-11-22 17:06:44.419 UTC","user":"u","dbname":"d","pid":1,"session_id":"6b032124.598b","error_severity":"LOG","message":"x"}"#;

    fn json() -> Dialect {
        Dialect::detect(LINE.as_bytes(), &Hints { format: Some(Format::Json), ..Hints::default() }).unwrap()
    }

    #[test]
    fn escapes_are_undone() {
        let check = |raw: &str, expected: &str| {
            let arena = Bump::new();
            assert_eq!(String::from_utf8_lossy(unescape(raw.as_bytes(), &arena)), expected, "{raw}");
        };
        check(r#"a\"b\\c\/d"#, "a\"b\\c/d");
        check(r"a\nb\tc\rd\be\ff", "a\nb\tc\rd\u{8}e\u{c}f");
        check(r"\u00e9\ud83d\ude00\ud83d!", "é😀\u{FFFD}!");
        check(r"\u00", "\u{FFFD}00");
        check("\\", "\\");
    }

    #[test]
    fn members_of_an_object() {
        let members = |text: &'static str| {
            let mut members = Members::of(text.as_bytes());
            let keys: Vec<_> =
                members.by_ref().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect();
            (keys.join(" "), members.finished())
        };
        assert_eq!(members(r#" { "a" : 1, "b":{"x":["}",{}]}, "c":null } rest"#), ("a b c".into(), Some(42)));
        assert_eq!(members(r#"{}"#), (String::new(), Some(2)));
        assert_eq!(members(r#"{"a":1"#), (String::new(), None));
        assert_eq!(members(r#"{"a":"1\"#), (String::new(), None));
        assert_eq!(members(r#"["a"]"#), (String::new(), None));
    }

    #[test]
    fn every_key_lands_where_it_belongs() {
        let line = LINE.replace(
            r#""message":"x""#,
            r#""state_code":"42P01","message":"no \"t\"","detail":"det","hint":"hin","internal_query":"int","context":"ctx","statement":"sel\nect","func_name":"f","query_id":-12"#,
        );
        check(
            &json(),
            &(line + "\n"),
            &[
                "LOG u@d \"no \\\"t\\\"\" 42P01 detail=\"det\" hint=\"hin\" query=\"int\" context=\"ctx\" statement=\"sel\\nect\"",
            ],
        );
    }

    #[test]
    fn an_operator_puts_the_record_in_an_object() {
        let record = r#"{"level":"info","ts":"2024","logger":"postgres","msg":"record","record":{"log_time":"2026-11-22 17:06:44.419 UTC","user_name":"u","database_name":"d","process_id":"212","connection_from":"[local]","session_id":"6176e980.d4","session_line_num":"5","error_severity":"ERROR","sql_state_code":"42P01","message":"m {\"a\":1}","query":"sel"}}"#;
        let other = r#"{"level":"info","logger":"instance-manager","msg":"ok"}"#;
        check(
            &json(),
            &format!("{record}\n{other}\n"),
            &[
                "ERROR u@d \"m {\\\"a\\\":1}\" 42P01 statement=\"sel\"",
                &format!("other_program {}", other.len() + 1),
            ],
        );
    }

    #[test]
    fn what_is_no_record_is_counted() {
        let foreign = LINE.replace("LOG", "OCHIBKA");
        check(
            &json(),
            &format!("age\":\"x\"}}\n{LINE}\n\n{foreign}\n{{\"a\":1}}\nnot json\n{LINE}\n{{\"timest"),
            &[
                "cut_start 10",
                "LOG u@d \"x\" 00000",
                "blank 1",
                &format!("unknown_severity {}", LINE.len() + "OCHI\n".len()),
                "other_program 8",
                "bad_json 9",
                "LOG u@d \"x\" 00000",
                "cut_end 8",
            ],
        );
    }
}
