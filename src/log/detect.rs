//! From the first bytes of an input to its [`Dialect`].
//!
//! Every guess is tried on the whole sample, and the one that explains the most lines wins; nothing is accepted
//! that leaves more than a few of the lines that look like entries unexplained.

use memchr::memmem;

use super::csv;
use super::dialect::{Dialect, Format, Hints, Shape};
use super::json::{Members, Value};
use super::prefix::{Clocks, Head, Line, Prefix, REACH};
use super::severity;
use super::stderr::{BOM, Stderr, no_text};

mod best;
mod frames;
mod further;

use best::{Lines, best_prefix, given};
use frames::framed;

/// How much of a sample is looked at, unless no session has written in it.
const SAMPLE: usize = 256 * 1024;

/// Lines of the sample that a prefix is tried on: enough to meet a background process, a name with a blank.
const LINES: usize = 2000;

/// Why an input was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetectError {
    /// Nothing but blanks.
    #[error("the input is empty")]
    Empty,
    /// UTF-16, as PowerShell's `>` writes it.
    #[error("the input is UTF-16 text: convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)")]
    Utf16,
    /// No line looks like an entry.
    #[error("no line looks like a PostgreSQL log entry; the first line is: {first}")]
    NotALog {
        /// The first line that is not blank, shortened and without values.
        first: String,
    },
    /// Entries are there, their prefix was not recognised.
    #[error(
        "the lines look like PostgreSQL's, but their log_line_prefix was not recognised: give it with \
         --log-line-prefix; the first such line is: {first}"
    )]
    UnknownPrefix {
        /// The first line with a severity word, up to its text.
        first: String,
    },
    /// The prefix that was given explains no line.
    #[error(
        "the prefix that was given ({prefix}) does not match; the first line is: {first}{}",
        hint(detected)
    )]
    WrongPrefix {
        /// The template that was given.
        prefix: String,
        /// The first line that should have matched, up to its text.
        first: String,
        /// The template that would match.
        detected: Option<String>,
    },
    /// Severity words are translated.
    #[error(
        "the messages are not in English (they look {language}): set lc_messages = 'C' in postgresql.conf; \
         the first such line is: {first}"
    )]
    Localised {
        /// English name of the language.
        language: &'static str,
        /// The line that told, shortened and without values.
        first: String,
    },
    /// The format that was given is not the sample's.
    #[error("the input is not {format} as was said; the first line is: {first}")]
    WrongFormat {
        /// The format that was given.
        format: Format,
        /// The first line, shortened and without values.
        first: String,
    },
}

fn hint(detected: &Option<String>) -> String {
    detected.as_ref().map(|prefix| format!("; {prefix} would")).unwrap_or_default()
}

/// See [`Dialect::detect`].
pub(crate) fn detect(sample: &[u8], hints: &Hints) -> Result<Dialect, DetectError> {
    let dialect = detect_within(&sample[..sample.len().min(SAMPLE)], hints)?;
    Ok(further::look(dialect, sample, hints))
}

/// What a sample of at most [`SAMPLE`] bytes says.
fn detect_within(sample: &[u8], hints: &Hints) -> Result<Dialect, DetectError> {
    if sample.starts_with(b"\xFF\xFE") || sample.starts_with(b"\xFE\xFF") {
        return Err(DetectError::Utf16);
    }
    let sample = &sample[no_text(sample, 0)..];
    let sample = sample.strip_prefix(BOM).unwrap_or(sample);
    if sample.trim_ascii().is_empty() {
        return Err(DetectError::Empty);
    }
    let language = language(sample).map(|(language, _)| language);
    let dialect = |shape| Dialect { shape, zone_minutes: hints.zone_minutes, language };
    let wanted = |format| hints.format.is_none_or(|wanted| wanted == format);
    let said = |format| hints.format == Some(format);
    if wanted(Format::Csv) && (is_csv(sample) || said(Format::Csv) && may_be_csv(sample)) {
        return Ok(dialect(Shape::Csv));
    }
    if wanted(Format::Json) && (is_json(sample) || said(Format::Json) && may_be_json(sample)) {
        return Ok(dialect(Shape::Json));
    }
    if let Some(framed) = framed(sample, hints) {
        let found = dialect(Shape::Framed(framed?));
        if wanted(found.format()) {
            return Ok(found);
        }
    }
    match hints.format {
        None | Some(Format::Stderr) => {
            stderr(sample, hints, Setting::Bare).map(|stderr| dialect(Shape::Stderr(stderr)))
        }
        Some(format) => Err(DetectError::WrongFormat { format, first: shown(first_line(sample)) }),
    }
}

/// Whether a row of csvlog begins on one of the first lines. A stderr log may quote one, after a tab.
fn is_csv(sample: &[u8]) -> bool {
    lines(sample).take(LINES).any(csv::is_sure_start)
}

/// Whether what somebody says is csvlog may be: a time before the first comma.
fn may_be_csv(sample: &[u8]) -> bool {
    let line = first_line(sample);
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let time = Clocks::new(0).log.read(line);
    time.is_some_and(|time| matches!(&line[time.len..], [b',', ..] | [b'"', b',', ..]))
}

/// Whether what somebody says is jsonlog may be: an object.
fn may_be_json(sample: &[u8]) -> bool {
    first_line(sample).trim_ascii_start().starts_with(b"{\"")
}

/// Whether a line is an object with jsonlog's keys.
fn is_json(sample: &[u8]) -> bool {
    lines(sample).take(LINES).any(|line| {
        let operators = || {
            Members::of(line).any(|(key, value)| match value {
                Value::Nested(object) => key == b"record" && is_record(object),
                Value::Text { .. } | Value::Bare(_) => false,
            })
        };
        line.first() == Some(&b'{') && (is_record(line) || operators() || is_cut_operators(line))
    })
}

/// Whether an object is a record of jsonlog, or of csvlog in JSON. Its message is the first thing that may be longer
/// than a sample: a record that the sample cuts off there has a time and a severity.
fn is_record(object: &[u8]) -> bool {
    let (mut time, mut severity, mut message) = (false, false, false);
    let mut members = Members::of(object);
    for (key, _) in members.by_ref() {
        time |= matches!(key, b"timestamp" | b"log_time");
        severity |= key == b"error_severity";
        message |= key == b"message";
    }
    severity && (message || time && members.finished().is_none())
}

/// Whether a line holds the record of an operator that the sample cuts off.
fn is_cut_operators(line: &[u8]) -> bool {
    let key = b"\"record\":";
    memmem::find(line, key).is_some_and(|at| is_record(&line[at + key.len()..]))
}

/// The lines of a sample without their line ends.
fn lines(sample: &[u8]) -> impl Iterator<Item = &[u8]> {
    sample.split(|&byte| byte == b'\n')
}

/// Where stderr lines stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    /// In a file of their own: the prefix alone tells an entry.
    Bare,
    /// In frames, which vouch for PostgreSQL.
    Frames,
}

impl Setting {
    /// Percent of what looks like an entry that a prefix must explain. A message may quote a line of a log.
    fn share(self) -> usize {
        match self {
            Self::Bare => 90,
            Self::Frames => 60,
        }
    }
}

/// Detects the prefix of stderr lines.
fn stderr(sample: &[u8], hints: &Hints, setting: Setting) -> Result<Stderr, DetectError> {
    let lines = Lines::of(sample);
    let found = |prefix| {
        let tabs = lines.keep_their_tabs(sample, &prefix);
        let no_session = hints.prefix.is_none() && !lines.hold_a_session(&prefix);
        Stderr { prefix, crlf: lines.crlf, tabs, no_session }
    };
    if let Some(template) = &hints.prefix {
        if let Some(prefix) = given(template, &lines) {
            return Ok(found(prefix));
        }
        let prefix = Prefix::compile(template).squeezed();
        let mut clocks = Clocks::new(0);
        if self::lines(sample)
            .any(|line| prefix.begin(line, &mut Head::default(), &mut clocks) != Line::Continues)
        {
            return Ok(found(prefix));
        }
        if let Some(error) = localised(sample) {
            return Err(error);
        }
        return Err(DetectError::WrongPrefix {
            prefix: template.clone(),
            first: shown(lines.entries.first().copied().unwrap_or_else(|| first_line(sample))),
            detected: best_prefix(&lines, setting).map(|prefix| prefix.text().to_owned()),
        });
    }
    if lines.entries.is_empty() {
        if let Some(stderr) = squeezed(sample, setting) {
            return Ok(stderr);
        }
        return Err(
            localised(sample).unwrap_or_else(|| DetectError::NotALog { first: shown(first_line(sample)) })
        );
    }
    match best_prefix(&lines, setting) {
        Some(prefix) => Ok(found(prefix)),
        None => Err(localised(sample)
            .unwrap_or_else(|| DetectError::UnknownPrefix { first: shown(lines.entries[0]) })),
    }
}

/// A log in which one blank follows the severity words. It is read as if there were two, to find the prefix.
fn squeezed(sample: &[u8], setting: Setting) -> Option<Stderr> {
    let mut widened = Vec::with_capacity(sample.len() + 4096);
    for line in sample.split_inclusive(|&byte| byte == b'\n') {
        match severity::squeezed_candidates(line, REACH).next() {
            Some(found) if line.first() != Some(&b'\t') => {
                widened.extend_from_slice(&line[..found.text]);
                widened.push(b' ');
                widened.extend_from_slice(&line[found.text..]);
            }
            _ => widened.extend_from_slice(line),
        }
    }
    let lines = Lines::of(&widened);
    let prefix = best_prefix(&lines, setting)?;
    // Without a time or a process id in front, "LOG: " is too little to go by.
    (prefix.is_anchored() || setting == Setting::Frames).then(|| {
        let tabs = lines.keep_their_tabs(&widened, &prefix);
        let no_session = !lines.hold_a_session(&prefix);
        Stderr { prefix: prefix.squeezed(), crlf: lines.crlf, tabs, no_session }
    })
}

/// An error that names the language, when a line of the sample has a translated severity word.
fn localised(sample: &[u8]) -> Option<DetectError> {
    let (language, line) = language(sample)?;
    Some(DetectError::Localised { language, first: shown(line) })
}

/// The language of the sample's severity words, if it is not English, and the line that told.
fn language(sample: &[u8]) -> Option<(&'static str, &[u8])> {
    severity::language(lines(sample).take(LINES).filter(|line| line.first() != Some(&b'\t')))
}

fn first_line(sample: &[u8]) -> &[u8] {
    sample.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default()
}

/// A line for an error message: at most 160 characters, nothing that a terminal would obey, and no values. Of an entry
/// that is what stands before its text; of any other line its shape, with letters as `x` and digits as `9`.
fn shown(line: &[u8]) -> String {
    let entry = severity::candidates(line, REACH)
        .next()
        .or_else(|| severity::squeezed_candidates(line, REACH).next());
    // A line in the middle of a statement may look like an entry; then there are quotes before it.
    let head = entry.map(|entry| line[..entry.text.min(line.len())].trim_ascii_end());
    let head = head.filter(|head| head.len() <= 160 && !head.iter().any(|byte| b"'\"$".contains(byte)));
    let text = String::from_utf8_lossy(head.unwrap_or(&line[..line.len().min(640)]));
    let shape = |c: char| match c {
        _ if c.is_control() => '\u{FFFD}',
        _ if head.is_some() => c,
        _ if c.is_numeric() => '9',
        _ if c.is_alphabetic() => 'x',
        _ => c,
    };
    let mut shown: String = text.trim_end().chars().take(160).map(shape).collect();
    if head.is_some() || text.chars().count() > 160 || line.len() > 640 {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod corners;
