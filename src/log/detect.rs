//! From the first bytes of an input to its [`Dialect`].
//!
//! Every guess is tried on the whole sample, and the one that explains the most lines wins; nothing is accepted
//! that leaves more than a few of the lines that look like entries unexplained.

use super::dialect::{Dialect, Format, Hints, Shape};
use super::infer;
use super::prefix::{Clocks, Escape, Head, Line, Prefix, REACH};
use super::severity;
use super::stderr::{BOM, Stderr};

/// How much of a sample is looked at.
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
        /// The first line that is not blank, shortened.
        first: String,
    },
    /// Entries are there, their prefix was not recognised.
    #[error(
        "the lines look like PostgreSQL's, but their log_line_prefix was not recognised: give it with \
         --log-line-prefix; the first such line is: {first}"
    )]
    UnknownPrefix {
        /// The first line with a severity word, shortened.
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
        /// The first line that should have matched, shortened.
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
        /// The line that told.
        first: String,
    },
    /// The format that was given is not the sample's.
    #[error("the input is not {format} as was said; the first line is: {first}")]
    WrongFormat {
        /// The format that was given.
        format: Format,
        /// The first line, shortened.
        first: String,
    },
}

fn hint(detected: &Option<String>) -> String {
    detected.as_ref().map(|prefix| format!("; {prefix} would")).unwrap_or_default()
}

/// See [`Dialect::detect`].
pub(crate) fn detect(sample: &[u8], hints: &Hints) -> Result<Dialect, DetectError> {
    let sample = &sample[..sample.len().min(SAMPLE)];
    if sample.starts_with(b"\xFF\xFE") || sample.starts_with(b"\xFE\xFF") {
        return Err(DetectError::Utf16);
    }
    let sample = sample.strip_prefix(BOM).unwrap_or(sample);
    if sample.trim_ascii().is_empty() {
        return Err(DetectError::Empty);
    }
    let dialect = |shape| Dialect { shape, zone_minutes: hints.zone_minutes };
    stderr(sample, hints).map(|stderr| dialect(Shape::Stderr(stderr)))
}

/// Detects the prefix of stderr lines.
pub(crate) fn stderr(sample: &[u8], hints: &Hints) -> Result<Stderr, DetectError> {
    let lines = Lines::of(sample);
    let crlf = lines.crlf;
    if let Some(template) = &hints.prefix {
        let prefix = Prefix::compile(template);
        if lines.explained(&prefix).matched > 0 {
            return Ok(Stderr { prefix, crlf });
        }
        if let Some(error) = localised(sample) {
            return Err(error);
        }
        return Err(DetectError::WrongPrefix {
            prefix: template.clone(),
            first: shown(lines.entries.first().copied().unwrap_or_else(|| first_line(sample))),
            detected: best_prefix(&lines).map(|prefix| prefix.text().to_owned()),
        });
    }
    if lines.entries.is_empty() {
        return Err(
            localised(sample).unwrap_or_else(|| DetectError::NotALog { first: shown(first_line(sample)) })
        );
    }
    match best_prefix(&lines) {
        Some(prefix) => Ok(Stderr { prefix, crlf }),
        None => Err(DetectError::UnknownPrefix { first: shown(lines.entries[0]) }),
    }
}

/// The lines of a sample that look like entries, without their line ends.
pub(crate) struct Lines<'s> {
    pub(crate) entries: Vec<&'s [u8]>,
    pub(crate) crlf: bool,
}

impl<'s> Lines<'s> {
    pub(crate) fn of(sample: &'s [u8]) -> Self {
        let mut entries = Vec::new();
        let (mut lines, mut carriage_returns) = (0usize, 0usize);
        for line in sample.split_inclusive(|&byte| byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else {
                // The last line of the sample may be cut; it counts when it is the only one.
                if lines == 0 && severity::candidates(line, REACH).next().is_some() {
                    entries.push(line);
                }
                break;
            };
            lines += 1;
            carriage_returns += usize::from(line.ends_with(b"\r"));
            if line.first() != Some(&b'\t')
                && entries.len() < LINES
                && severity::candidates(line, REACH).next().is_some()
            {
                entries.push(line);
            }
        }
        Self { entries, crlf: lines > 0 && carriage_returns * 2 > lines }
    }

    /// How well a prefix explains these lines.
    pub(crate) fn explained(&self, prefix: &Prefix) -> Explained {
        let mut clocks = Clocks::new(0);
        let mut explained = Explained::default();
        for line in &self.entries {
            let mut head = Head::default();
            if let Line::Begins(_, text) = prefix.begin(line, &mut head, &mut clocks) {
                explained.matched += 1;
                let who = head.who;
                let names = [who.user, who.database, who.application, who.host];
                explained.named += usize::from(names.iter().any(|name| !name.is_empty()));
                let odd = |name: &[u8]| name.iter().any(|byte| b"=,[]()@:/ ".contains(byte));
                explained.odd += usize::from(odd(who.user)) + usize::from(odd(who.database));
                explained.odd += usize::from(who.host.iter().any(|byte| b"=,@/".contains(byte)));
                // Text that begins with a severity word again was cut too early.
                explained.odd += usize::from(severity::word_at(&line[text..]).is_some());
            }
        }
        explained
    }
}

/// What a prefix made of a sample.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Explained {
    /// Lines that it explains.
    pub(crate) matched: usize,
    /// Lines among them with a user, database, application or host.
    pub(crate) named: usize,
    /// Names that hold what names seldom hold: the sign of a field that swallowed its neighbour.
    pub(crate) odd: usize,
}

/// Templates that are met most, in the order in which they win when they explain equally much.
const USUAL: &[&str] = &[
    "%m [%p] %q%u@%d ",
    "%m [%p] ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d,remote=%r ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a ",
    "%t [%p]: [%l-1] user=%u,db=%d ",
    "%t [%p]: [%l-1] db=%d,user=%u,app=%a,client=%h ",
    "%t [%p]: [%l-1] db=%d,user=%u ",
    "%t [%p]: [%l-1] %u@%d ",
    "%t [%p]: [%l-1] ",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: user=%u,db=%d ",
    "%t [%p]: ",
    "%t [%p] %q%u@%d ",
    "%t [%p] ",
    "%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%m [%p]: [%l-1] user=%u,db=%d,client=%h ",
    "%m [%p]: [%l-1] user=%u,db=%d ",
    "%m [%p]: [%l-1] db=%d,user=%u,app=%a,client=%h ",
    "%m [%p]: [%l-1] ",
    "%m [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%m [%p]: ",
    "%m [%p] user=%u,db=%d,app=%a,client=%h ",
    "%m [%p] user=%u,db=%d ",
    "%m [%p] %u@%d/%a ",
    "%m [%p] %u@%d/%a [%Q] ",
    "%m [%p] %u@%d %r ",
    "%m [%p] %u@%d %h ",
    "%m [%p] %u@%d %a ",
    "%m [%p] [%u@%d] ",
    "%m [%p:%l] %u@%d ",
    "%m [%p:%l] ",
    "%m [%p] [%c] %u@%d ",
    "%m [%r] [%p] %u@%d ",
    "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
    "%m:%r:%u@%d:[%p]:",
    "%t:%r:%u@%d:[%p]:",
    "%t:%h:%u@%d:[%p]:",
    "%t-%c-",
    "%t-%c-user=%u,db=%d,app=%a,client=%h ",
    "%m-%c-",
    "%c %m [%p] %q%u@%d ",
    "%c %m [%p] ",
    "%c %t [%p] ",
    "%n [%p] %q%u@%d ",
    "%n [%p]: ",
    "%n [%p] ",
    "< %m >",
    "< %m > ",
    "< %t > ",
    "< %m %u@%d > ",
    "<%m> ",
    "<%t> ",
    "<%m %u %d> ",
    "%m %u@%d %p %r %a : ",
    "[%m] [%p] [%u@%d] ",
    "[%m] [%p] ",
    "[%t] [%p] ",
    "%p %m %d ",
    "%m %p %u@%d ",
    "%m %p ",
    "%t %p ",
    "%m %d %u [%p] ",
    "%m %u %d [%p] ",
    "%t %u@%d [%p] ",
    "%m %u@%d ",
    "%t %u %r %d [%p]: [%l-1] ",
    "%m ",
    "%t ",
    "user=%u,db=%d,app=%a,client=%h ",
    "user=%u,db=%d,client=%h ",
    "user=%u,db=%d ",
    "db=%d,user=%u ",
    "user=%u,database=%d,host=%r ",
    "pid=%p user=%u db=%d client=%r ",
    "[%p] ",
    "[%p]: [%l-1] ",
    "[%l-1] ",
    "%q%u@%d ",
    "%u@%d ",
    "",
];

/// The template that explains the sample best, if one explains nearly all of it.
fn best_prefix(lines: &Lines<'_>) -> Option<Prefix> {
    let mut best: Option<(Prefix, Explained)> = None;
    let mut consider = |template: &str| {
        let prefix = Prefix::compile_guess(template);
        let explained = lines.explained(&prefix);
        let better = best.as_ref().is_none_or(|(_, leader)| {
            (explained.matched, explained.named, leader.odd) > (leader.matched, leader.named, explained.odd)
        });
        if better && explained.matched > 0 {
            best = Some((prefix, explained));
        }
    };
    let inferred = infer::templates(&lines.entries);
    for template in USUAL {
        consider(template);
    }
    for template in &inferred {
        consider(template);
    }
    let (prefix, explained) = best?;
    // A message may quote a line of a log: some of what looks like an entry is none.
    (explained.matched * 100 >= lines.entries.len() * 90)
        .then(|| without_empty_tail(prefix, lines, explained))
}

/// `%m [%p] %q%u@%d ` also explains a log that was written with `%m [%p] `. When sessions speak and none has a name,
/// the shorter template is the honest one.
fn without_empty_tail(prefix: Prefix, lines: &Lines<'_>, explained: Explained) -> Prefix {
    let text = prefix.text();
    let Some((shorter, _)) = text.split_once("%q") else { return prefix };
    let speaks = |line: &&[u8]| {
        [&b"duration: "[..], b"statement: ", b"connection "]
            .iter()
            .any(|mark| memchr::memmem::find(line, mark).is_some())
    };
    if explained.named > 0 || prefix.has(Escape::Command) || !lines.entries.iter().any(speaks) {
        return prefix;
    }
    Prefix::compile(shorter)
}

/// An error that names the language, when a line of the sample has a translated severity word.
fn localised(sample: &[u8]) -> Option<DetectError> {
    sample.split(|&byte| byte == b'\n').take(LINES).filter(|line| line.first() != Some(&b'\t')).find_map(
        |line| {
            let (_, language) = severity::translated(line, REACH)?;
            Some(DetectError::Localised { language, first: shown(line) })
        },
    )
}

fn first_line(sample: &[u8]) -> &[u8] {
    sample.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default()
}

/// A line for an error message: at most 160 characters, nothing that a terminal would obey.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(640)]);
    let mut shown: String =
        text.trim_end().chars().take(160).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    if text.chars().count() > 160 || line.len() > 640 {
        shown.push('…');
    }
    shown
}
