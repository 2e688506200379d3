//! What containers and clouds put around each line: one variant a wrapper.

use bumpalo::Bump;
use memchr::memchr;

use super::SkipReason;
use super::frame::{Frame, Join, Unwrapped};
use super::json::{Members, Value};
use super::prefix::number;
use super::syslog::Numbers;
use super::time::rfc3339;
use crate::units::Timestamp;

/// The frames of containers and clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapper {
    /// `2024-01-01T00:00:00.0Z stdout F text`: kubelet's files (CRI). `P` says that the line goes on.
    Cri,
    /// `2024-01-01T00:00:00.000Z text`: CloudWatch exports, `kubectl logs --timestamps`, `docker logs -t`; with
    /// `aws logs tail` the name of the stream comes between.
    Stamped { stream: bool },
    /// `postgres-1  | text`: docker compose.
    Compose,
    /// `[pod/db-0/postgres] text`: `kubectl logs --prefix`.
    Pod,
    /// One JSON object a line with the text in it: docker's json-file (`log`), journald (`MESSAGE`), Cloud SQL
    /// (`textPayload`, `jsonPayload.message`), Azure (`properties.message`), log shippers (`message`).
    Envelope(Envelope),
}

/// What the objects of a file have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// Texts under `log` keep their line ends, as docker writes them; other shippers take them off.
    line_ends: bool,
    /// What stands before journald's messages.
    numbers: Numbers,
}

impl Envelope {
    /// From the lines of a sample.
    pub(crate) fn of(lines: &[&[u8]]) -> Self {
        let arena = Bump::new();
        let letters: Vec<(Letter<'_>, &[u8])> = lines
            .iter()
            .filter_map(|line| {
                let letter = Letter::open(line)?;
                Some((letter, letter.said(&arena)?))
            })
            .collect();
        let of_key = |key: &'static [u8]| letters.iter().filter(move |(letter, _)| letter.key == key);
        Self {
            line_ends: of_key(b"log").any(|(_, text)| text.ends_with(b"\n")),
            numbers: Numbers::of(
                of_key(b"MESSAGE")
                    .filter(|(letter, _)| letter.is_ours())
                    .map(|(letter, text)| (letter.pid, *text)),
            ),
        }
    }
}

impl Wrapper {
    /// The piece of a message in a line without its line end.
    pub(crate) fn unwrap<'a>(self, line: &'a [u8], arena: &'a Bump) -> Unwrapped<'a> {
        match self {
            Self::Cri => cri(line).map_or(Unwrapped::Malformed(SkipReason::NoPrefix), Unwrapped::Frame),
            Self::Stamped { stream } => Unwrapped::Frame(stamped(line, stream)),
            Self::Compose => compose(line),
            Self::Pod => pod(line),
            Self::Envelope(shape) => envelope(line, shape, arena),
        }
    }
}

fn frame(line: &[u8], offset: usize, time: Option<Timestamp>) -> Frame<'_> {
    Frame {
        text: &line[offset..],
        offset,
        pid: 0,
        time,
        join: Join::Line,
        partial: false,
        numbered: false,
        first: false,
    }
}

/// `time stdout|stderr F|P text`.
pub(crate) fn cri(line: &[u8]) -> Option<Frame<'_>> {
    let stamp = rfc3339(line)?;
    let rest = &line[stamp.len..];
    let stream = [&b" stdout "[..], b" stderr "].into_iter().find(|stream| rest.starts_with(stream))?;
    let flags = &rest[stream.len()..];
    let flag = &flags[..memchr(b' ', flags).unwrap_or(flags.len())];
    let partial = match flag.first()? {
        b'P' => true,
        b'F' => false,
        _ => return None,
    };
    let offset = (stamp.len + stream.len() + flag.len() + 1).min(line.len());
    Some(Frame { partial, ..frame(line, offset, Some(stamp.time)) })
}

/// `time text`. A line without a time continues the one before: an event of several lines.
pub(crate) fn stamped(line: &[u8], stream: bool) -> Frame<'_> {
    let Some(stamp) = rfc3339(line) else { return frame(line, 0, None) };
    let blank = |at: usize| matches!(line.get(at), Some(b' ' | b'\t'));
    let mut offset = stamp.len;
    if !blank(offset) {
        return frame(line, 0, None);
    }
    offset += 1;
    if stream {
        offset +=
            line[offset..].iter().position(|byte| matches!(byte, b' ' | b'\t')).map_or(0, |len| len + 1);
    }
    frame(line, offset.min(line.len()), Some(stamp.time))
}

/// `service-1  | text`.
fn compose(line: &[u8]) -> Unwrapped<'_> {
    match compose_offset(line) {
        Some(offset) => Unwrapped::Frame(frame(line, offset, None)),
        None => Unwrapped::Malformed(SkipReason::NoPrefix),
    }
}

/// Where the text of a docker compose line begins.
pub(crate) fn compose_offset(line: &[u8]) -> Option<usize> {
    let name = line.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte)).count();
    let blanks = line[name..].iter().take_while(|&&byte| byte == b' ').count();
    let bar = name + blanks;
    if name == 0 || blanks == 0 || line.get(bar) != Some(&b'|') {
        return None;
    }
    Some(bar + 1 + usize::from(line.get(bar + 1) == Some(&b' ')))
}

fn pod(line: &[u8]) -> Unwrapped<'_> {
    match pod_offset(line) {
        Some(offset) => Unwrapped::Frame(frame(line, offset, None)),
        None => Unwrapped::Malformed(SkipReason::NoPrefix),
    }
}

/// Where the text of a `kubectl logs --prefix` line begins.
pub(crate) fn pod_offset(line: &[u8]) -> Option<usize> {
    let rest = line.strip_prefix(b"[pod/")?;
    let close = memchr(b']', rest)?;
    (rest.get(close + 1) == Some(&b' ')).then_some(5 + close + 2)
}

/// What an envelope said.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Letter<'a> {
    pub(crate) text: Option<Value<'a>>,
    /// journald's text where it is no valid UTF-8, or has control characters: `[76,79,71]`.
    bytes: Option<&'a [u8]>,
    /// The key that the text stood under.
    pub(crate) key: &'a [u8],
    pub(crate) pid: u32,
    pub(crate) ident: &'a [u8],
    pub(crate) time: Option<Timestamp>,
}

impl<'a> Letter<'a> {
    /// Reads an envelope; `None` when the line is no complete object.
    pub(crate) fn open(line: &'a [u8]) -> Option<Self> {
        let mut letter = Self::default();
        letter.members(object(line)?)?;
        Some(letter)
    }

    /// The text, unescaped.
    fn said(&self, arena: &'a Bump) -> Option<&'a [u8]> {
        match (self.text, self.bytes) {
            (Some(text), _) => Some(text.text(arena)),
            (None, Some(list)) => Some(arena.alloc_slice_copy(&numbers_of(list))),
            (None, None) => None,
        }
    }

    /// Whether PostgreSQL wrote it, as far as the envelope says.
    fn is_ours(&self) -> bool {
        self.ident.is_empty() || self.ident.starts_with(b"postgres")
    }

    fn members(&mut self, text: &'a [u8]) -> Option<()> {
        let mut members = Members::of(text);
        for (key, value) in members.by_ref() {
            match (key, value) {
                (
                    b"log" | b"MESSAGE" | b"textPayload" | b"message" | b"Message" | b"msg" | b"line",
                    Value::Text { .. },
                ) => {
                    self.text = Some(value);
                    self.key = key;
                }
                (b"MESSAGE", Value::Nested(list)) if list.starts_with(b"[") => {
                    self.bytes = Some(list);
                    self.key = key;
                }
                (b"jsonPayload" | b"properties" | b"fields" | b"_source", Value::Nested(nested)) => {
                    self.members(nested);
                }
                (b"_PID" | b"SYSLOG_PID" | b"processId", Value::Text { raw, .. } | Value::Bare(raw)) => {
                    self.pid = number(raw).map_or(0, |(pid, _)| pid as u32);
                }
                (b"SYSLOG_IDENTIFIER", Value::Text { raw, .. }) => self.ident = raw,
                (b"_COMM", Value::Text { raw, .. }) if self.ident.is_empty() => self.ident = raw,
                (b"__REALTIME_TIMESTAMP" | b"_SOURCE_REALTIME_TIMESTAMP", Value::Text { raw, .. }) => {
                    self.time = number(raw).and_then(|(micros, _)| i64::try_from(micros).ok()).map(Timestamp);
                }
                (b"time" | b"timestamp" | b"@timestamp" | b"ts", Value::Text { raw, .. }) => {
                    self.time = rfc3339(raw).map(|stamp| stamp.time).or(self.time);
                }
                _ => {}
            }
        }
        members.finished().map(|_| ())
    }
}

/// `[76, 79, 71]` → `LOG`; what is no byte is left out.
fn numbers_of(list: &[u8]) -> Vec<u8> {
    list.split(|byte| !byte.is_ascii_digit())
        .filter_map(|digits| u8::try_from(number(digits)?.0).ok())
        .collect()
}

/// The object of a line: `{…}`, also as an element of an array that is written over many lines.
fn object(line: &[u8]) -> Option<&[u8]> {
    let at = line.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'[' | b','))?;
    (line[at] == b'{').then_some(&line[at..])
}

fn envelope<'a>(line: &'a [u8], shape: Envelope, arena: &'a Bump) -> Unwrapped<'a> {
    let Some(letter) = Letter::open(line) else { return pretty(line, arena) };
    let Some(text) = letter.said(arena) else { return Unwrapped::OtherProgram };
    if !letter.is_ours() {
        return Unwrapped::OtherProgram;
    }
    // docker cuts at 16 KiB; the line end comes with the last piece.
    let partial =
        shape.line_ends && letter.key == b"log" && !text.ends_with(b"\n") && text.len() >= 16 * 1024;
    let (piece, text) = match letter.key {
        b"MESSAGE" => shape.numbers.strip(text),
        _ => (None, text),
    };
    let join = if letter.key != b"MESSAGE" || text.first() == Some(&b'\t') || piece.is_none() {
        Join::Line
    } else {
        Join::Glue
    };
    Unwrapped::Frame(Frame {
        text,
        offset: 0,
        pid: letter.pid,
        time: letter.time,
        join,
        partial,
        numbered: piece.is_some(),
        first: piece == Some(1),
    })
}

/// `"textPayload": "…",` on a line of its own: what `gcloud logging read --format=json` prints.
fn pretty<'a>(line: &'a [u8], arena: &'a Bump) -> Unwrapped<'a> {
    let trimmed = line.trim_ascii();
    let whole = trimmed.starts_with(b"{") && !trimmed.ends_with(b"{");
    let Some(value) = trimmed.strip_prefix(b"\"textPayload\": \"") else {
        return if whole { Unwrapped::Malformed(SkipReason::BadJson) } else { Unwrapped::OtherProgram };
    };
    let value = value.strip_suffix(b",").unwrap_or(value);
    let Some(raw) = value.strip_suffix(b"\"") else { return Unwrapped::Malformed(SkipReason::BadJson) };
    let text = Value::Text { raw, escaped: memchr(b'\\', raw).is_some() }.text(arena);
    Unwrapped::Frame(Frame { text, offset: 0, ..frame(b"", 0, None) })
}
