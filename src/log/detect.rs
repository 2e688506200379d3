//! From the first bytes of an input to its [`Dialect`].
//!
//! Every guess is tried on the whole sample, and the one that explains the most lines wins; nothing is accepted
//! that leaves more than a few of the lines that look like entries unexplained.

use bumpalo::Bump;
use indexmap::IndexMap;
use memchr::memmem;

use super::csv;
use super::dialect::{Dialect, Format, Hints, Shape};
use super::frame::{Frame, Framed, Inner, Outer, Unwrapped};
use super::infer;
use super::json::{Members, Value};
use super::prefix::{Clocks, Escape, Head, Line, Prefix, REACH};
use super::severity;
use super::stderr::{BOM, Stderr, no_text};
use super::syslog::{self, Header, Numbers, Syslog};
use super::time::{self, Clock};
use super::usual::USUAL;
use super::wrap::{self, Envelope, Letter, Wrapper};

mod further;

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

/// Lines in frames. `None`: they are in none that is known. An error: the frames are known, what is inside is not.
fn framed(sample: &[u8], hints: &Hints) -> Option<Result<Framed, DetectError>> {
    let mut outer = outer(sample, hints)?;
    let found = inside(sample, &outer, hints);
    // What was taken for the server's number may be the beginning of the prefix that was given.
    if found.is_err() && hints.prefix.is_some() && outer.forget_numbers() {
        let again = inside(sample, &outer, hints);
        if let Ok(inner) = again {
            return Some(Ok(Framed { outer, inner }));
        }
    }
    Some(found.map(|inner| Framed { outer, inner }))
}

/// What stands in the frames.
fn inside(sample: &[u8], outer: &Outer, hints: &Hints) -> Result<Inner, DetectError> {
    let arena = Bump::new();
    let mut inner = Vec::new();
    for frame in frames(sample, outer, &arena) {
        inner.extend_from_slice(frame.text.strip_suffix(b"\n").unwrap_or(frame.text));
        if !frame.partial {
            inner.push(b'\n');
        }
    }
    if is_json(&inner) {
        return Ok(Inner::Records);
    }
    let mut stderr = stderr(&inner, hints, Setting::Frames)?;
    if hints.prefix.is_none() && counts(&stderr.prefix, frames(sample, outer, &arena)) {
        stderr.prefix = stderr.prefix.counting();
    }
    Ok(Inner::Lines(stderr))
}

/// The frames of a sample's first lines.
fn frames<'a>(sample: &'a [u8], outer: &'a Outer, arena: &'a Bump) -> impl Iterator<Item = Frame<'a>> {
    lines(sample).filter(|line| !line.trim_ascii().is_empty()).take(LINES * 2).filter_map(move |line| {
        match outer.unwrap(line.strip_suffix(b"\r").unwrap_or(line), arena) {
            Unwrapped::Frame(frame) => Some(frame),
            Unwrapped::OtherProgram | Unwrapped::Malformed(_) => None,
        }
    })
}

/// Whether what the prefix takes for a process id only grows where the frames name one process: it counts lines.
fn counts<'a>(prefix: &Prefix, frames: impl Iterator<Item = Frame<'a>>) -> bool {
    if !prefix.has(Escape::Pid) {
        return false;
    }
    let mut clocks = Clocks::new(0);
    let mut last: IndexMap<u32, u32> = IndexMap::new();
    let (mut grows, mut others) = (0usize, 0usize);
    for frame in frames.filter(|frame| frame.pid != 0) {
        let line = frame.text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let mut head = Head::default();
        if let Line::Begins(..) = prefix.begin(line, &mut head, &mut clocks)
            && let Some(before) = last.insert(frame.pid, head.session.pid)
        {
            let counter = if before < head.session.pid { &mut grows } else { &mut others };
            *counter += 1;
        }
    }
    // The frames of a container name one process for all backends, whose numbers come again.
    grows >= 3 && others * 20 <= grows
}

/// Recognises the frames: nearly every line that is no continuation must have one.
fn outer(sample: &[u8], hints: &Hints) -> Option<Outer> {
    let whole: Vec<&[u8]> = lines(sample)
        .filter(|line| !line.trim_ascii().is_empty() && !matches!(line[0], b'\t' | b' '))
        .take(LINES)
        .collect();
    let most = |test: &dyn Fn(&[u8]) -> bool| {
        let matching = whole.iter().filter(|line| test(line)).count();
        // The last line of a sample may be cut.
        matching > 0 && (matching + 1) * 10 >= whole.len() * 9
    };
    if let Some(syslog) = syslog(&whole, hints) {
        return Some(Outer::Syslog(syslog));
    }
    let opens_letter =
        |line: &[u8]| line.first() == Some(&b'{') && Letter::open(line).is_some_and(|l| l.text.is_some());
    let pretty = |line: &&[u8]| line.trim_ascii().starts_with(b"\"textPayload\": \"");
    let wrapper = if most(&|line| wrap::cri(line).is_some()) {
        Wrapper::Cri
    } else if most(&|line| wrap::compose_offset(line).is_some()) {
        Wrapper::Compose
    } else if most(&|line| wrap::pod_offset(line).is_some()) {
        Wrapper::Pod
    } else if whole.iter().any(|line| opens_letter(line)) && most(&|line| line.starts_with(b"{"))
        || whole.first().is_some_and(|line| line[0] == b'[')
            && lines(sample).any(|line| pretty(&line) || Letter::open(line).is_some())
    {
        Wrapper::Envelope(Envelope::of(&whole))
    } else {
        stamped(&whole)?
    };
    Some(Outer::Wrapped(wrapper))
}

/// Lines that begin with an RFC 3339 time. Some of an event's lines may have none, and tabs may be lost.
fn stamped(whole: &[&[u8]]) -> Option<Wrapper> {
    let inner = |stream| {
        whole.iter().filter_map(move |line| {
            let frame = wrap::stamped(line, stream);
            frame.time.map(|_| frame.text)
        })
    };
    let is_record =
        |text: &[u8]| text.starts_with(b"{") && memmem::find(text, b"\"error_severity\"").is_some();
    let looks = |text: &[u8]| severity::candidates(text, REACH).next().is_some() || is_record(text);
    if inner(false).filter(|text| looks(text)).count() == 0 {
        return None;
    }
    // Every entry has the time in front, or it is one that stands in the prefix.
    let bare = whole.iter().filter(|line| looks(line) && wrap::stamped(line, false).time.is_none()).count();
    if bare * 20 > whole.len() {
        return None;
    }
    let mut clock = Clock::new(0);
    let stream = inner(false).all(|text| clock.read(text).is_none())
        && inner(true).filter(|text| clock.read(text).is_some()).count() * 2
            > inner(true).filter(|t| looks(t)).count();
    Some(Wrapper::Stamped { stream })
}

/// The programs whose lines are PostgreSQL's.
fn syslog(whole: &[&[u8]], hints: &Hints) -> Option<Syslog> {
    let year = hints.year.unwrap_or(syslog::YEAR);
    let headers: Vec<(Header<'_>, &[u8])> = whole
        .iter()
        .filter_map(|line| {
            let header = syslog::header(line, year, hints.zone_minutes)?;
            Some((header, &line[header.message..]))
        })
        .collect();
    let mut idents: IndexMap<&[u8], usize> = IndexMap::new();
    for &(header, message) in &headers {
        let (piece, text) = Numbers::Both.strip(message);
        let says = severity::candidates(text, REACH).next().is_some()
            || piece.is_some() && severity::squeezed_candidates(text, REACH).next().is_some();
        if !header.ident.is_empty() && says && (piece.is_some() || severity::word_at(header.ident).is_none())
        {
            *idents.entry(header.ident).or_default() += 1;
        }
    }
    idents.retain(|ident, _| severity::severity(ident).is_none());
    // A program that happens to quote one line of PostgreSQL's is not PostgreSQL.
    let most = idents.values().copied().max()?;
    if headers.len() * 2 < whole.len() {
        return None;
    }
    idents.retain(|_, count| *count * 20 >= most);
    let ours = headers.iter().filter(|(header, _)| idents.contains_key(header.ident));
    let numbers = Numbers::of(ours.map(|&(header, message)| (header.pid, message)));
    let idents = idents.into_keys().map(Into::into).collect();
    Some(Syslog { idents, numbers, year, zone_minutes: hints.zone_minutes })
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

/// The prefix as it was given; without the quotes of postgresql.conf, and with the blank at its end that shells and
/// eyes lose, where only that matches.
fn given(template: &str, lines: &Lines<'_>) -> Option<Prefix> {
    let bare = template.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(template);
    let mut best: Option<(Prefix, Explained)> = None;
    for template in [template.to_owned(), bare.to_owned(), format!("{bare} ")] {
        let prefix = Prefix::compile(&template);
        let explained = lines.explained(&prefix);
        if explained.matched > 0
            && best.as_ref().is_none_or(|(_, leader)| {
                (explained.matched, explained.score) > (leader.matched, leader.score)
            })
        {
            best = Some((prefix, explained));
        }
    }
    best.map(|(prefix, _)| prefix)
}

/// The lines of a sample that look like entries, without their line ends.
pub(crate) struct Lines<'s> {
    pub(crate) entries: Vec<&'s [u8]>,
    pub(crate) crlf: bool,
}

impl<'s> Lines<'s> {
    pub(crate) fn of(sample: &'s [u8]) -> Self {
        let (mut entries, mut damaged) = (Vec::new(), Vec::new());
        let (mut lines, mut carriage_returns) = (0usize, 0usize);
        for line in sample.split_inclusive(|&byte| byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else {
                // The last line of the sample may be cut; it counts when it is the only one.
                if lines == 0 && severity::candidates(line, REACH).next().is_some() {
                    entries.push(line);
                }
                break;
            };
            let line = &line[no_text(line, lines)..];
            lines += 1;
            carriage_returns += usize::from(line.ends_with(b"\r"));
            if line.first() != Some(&b'\t')
                && entries.len() < LINES
                && let Some(found) = severity::candidates(line, REACH).next()
            {
                entries.push(line);
                damaged.push(time::is_impossible(&line[..found.word]));
            }
        }
        // What was damaged says nothing about the prefix, unless everything was.
        if damaged.contains(&false) {
            let mut damaged = damaged.iter();
            entries.retain(|_| damaged.next() == Some(&false));
        }
        Self { entries, crlf: lines > 0 && carriage_returns * 2 > lines }
    }

    /// Whether continuation lines begin with tabs, nearly all of them.
    fn keep_their_tabs(&self, sample: &[u8], prefix: &Prefix) -> bool {
        let (mut tabs, mut bare) = (0usize, 0usize);
        let mut clocks = Clocks::new(0);
        let mut begun = false;
        for line in lines(sample).take(LINES * 4) {
            if line.first() == Some(&b'\t') {
                tabs += 1;
            } else if prefix.begin(line, &mut Head::default(), &mut clocks) != Line::Continues {
                begun = true;
            } else if begun && !line.trim_ascii().is_empty() {
                bare += 1;
            }
        }
        tabs > 0 && bare * 10 <= tabs
    }

    /// Whether a line among these was written for a client, as far as `prefix` explains them.
    fn hold_a_session(&self, prefix: &Prefix) -> bool {
        self.entries.iter().any(|line| is_of_session(prefix, line))
    }

    /// Some of these lines, from all over the sample.
    fn few(&self) -> Self {
        let step = self.entries.len().div_ceil(100).max(1);
        Self { entries: self.entries.iter().copied().step_by(step).collect(), crlf: self.crlf }
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
                let said = names.iter().filter(|name| !name.is_empty()).count();
                let odd = usize::from(holds(who.user, b"=,[]():/ \"'"))
                    + usize::from(holds(who.database, b"=,[]()@:/ \"'"))
                    + usize::from(holds(who.application, b"=[]@|"))
                    + usize::from(who.host != b"[local]" && holds(who.host, b"=,@/[]()<> "))
                    // A query id, most likely: no host and hardly a program is called a number.
                    + usize::from(is_number(who.host) || is_number(who.application))
                    + usize::from(holds(head.backend, b"0123456789@=[]"))
                    + usize::from(holds(head.command, b"0123456789@=[]"))
                    // Text that begins with a severity word again was cut too early.
                    + usize::from(severity::word_at(&line[text..]).is_some());
                explained.odd += odd;
                explained.score += 2 * said as i64 - 5 * odd as i64;
                // A session that introduces itself tells which name is which.
                if let Some((user, database)) = introduced(&line[text..])
                    && said > 0
                {
                    let right = |name: &[u8], value: &[u8]| match name {
                        b"" => 0,
                        name if name == value => 20,
                        _ => -20,
                    };
                    explained.score += right(who.user, user) + right(who.database, database);
                }
            }
        }
        explained.score += (explained.matched * prefix.own_values()) as i64;
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
    /// Points for values that are said, minus points for odd names.
    pub(crate) score: i64,
}

/// `connection authorized: user=alice database=shop …` → the two names.
fn introduced(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let names = text.strip_prefix(b"connection authorized: user=")?;
    let user = memmem::find(names, b" database=")?;
    let database = &names[user + b" database=".len()..];
    Some((&names[..user], &database[..memchr::memchr(b' ', database).unwrap_or(database.len())]))
}

/// Whether a name holds one of these bytes.
fn holds(name: &[u8], odd: &[u8]) -> bool {
    name != b"[local]" && name.iter().any(|byte| odd.contains(byte))
}

/// Whether a name is a whole number, as query ids are.
fn is_number(name: &[u8]) -> bool {
    let digits = name.strip_prefix(b"-").unwrap_or(name);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// The template that explains the sample best, if one explains nearly all of it.
fn best_prefix(lines: &Lines<'_>, setting: Setting) -> Option<Prefix> {
    let inferred = infer::templates(&lines.entries);
    let usual: Vec<&str> = USUAL.iter().copied().chain(inferred.iter().map(String::as_str)).collect();
    let best = best_of(&usual, lines, setting);
    let clean = |explained: &Explained| explained.matched == lines.entries.len() && explained.odd == 0;
    let (prefix, explained) = match best {
        Some(best) if clean(&best.1) => best,
        // Background processes may end the prefix elsewhere than before the first name.
        best => {
            let marked: Vec<String> =
                inferred.iter().take(8).flat_map(|template| infer::marked(template)).collect();
            let marked: Vec<&str> = marked.iter().map(String::as_str).collect();
            match (best, best_of(&marked, lines, setting)) {
                (Some(best), Some(other)) if other.1.score <= best.1.score => best,
                (best, other) => other.or(best)?,
            }
        }
    };
    Some(honest(prefix, lines, explained))
}

/// Of some templates, the one that explains the sample best.
fn best_of(templates: &[&str], lines: &Lines<'_>, setting: Setting) -> Option<(Prefix, Explained)> {
    let few = lines.few();
    // Most candidates explain nothing: some lines are enough to see that.
    let mut tried: Vec<(&str, Prefix, usize)> = templates
        .iter()
        .map(|&template| {
            let prefix = Prefix::compile_guess(template);
            let matched = few.explained(&prefix).matched;
            (template, prefix, matched)
        })
        .collect();
    let most = tried.iter().map(|&(_, _, matched)| matched).max()?;
    tried.retain(|&(_, _, matched)| matched * 10 >= most * 9);
    let tried: Vec<(Prefix, Explained)> = tried
        .into_iter()
        .filter_map(|(template, prefix, _)| {
            let explained = lines.explained(&prefix);
            // What a guess adds must be seen somewhere: not all lines may end it at the `%q` that was put in.
            let seen = || {
                let plain = Prefix::compile(template);
                [&few, lines].into_iter().any(|lines| lines.explained(&plain).matched > 0)
            };
            (template.contains("%q") || seen()).then_some((prefix, explained))
        })
        .collect();
    let most = tried.iter().map(|(_, explained)| explained.matched).max()?;
    if most == 0 || most * 100 < lines.entries.len() * setting.share() {
        return None;
    }
    // Of those that explain nearly as much as the best, the one that says most wins; the list's order breaks ties.
    let mut best: Option<(Prefix, Explained)> = None;
    for (prefix, explained) in tried {
        if explained.matched * 200 >= most * 199
            && best.as_ref().is_none_or(|(_, leader)| explained.score > leader.score)
        {
            best = Some((prefix, explained));
        }
    }
    best
}

/// The template with the `%q` that the lines show, or without the one that they do not show.
fn honest(prefix: Prefix, lines: &Lines<'_>, explained: Explained) -> Prefix {
    let prefix = without_empty_tail(prefix, lines, explained);
    let template = prefix.template();
    if template == prefix.text()
        || lines.explained(&Prefix::compile(prefix.text())).matched == explained.matched
    {
        return prefix;
    }
    Prefix::compile(&template)
}

/// `%m [%p] %q%u@%d ` also explains a log that was written with `%m [%p] `. When sessions speak and none has a name,
/// the shorter template is the honest one.
fn without_empty_tail(prefix: Prefix, lines: &Lines<'_>, explained: Explained) -> Prefix {
    let text = prefix.text();
    let Some((shorter, _)) = text.split_once("%q") else { return prefix };
    if explained.named > 0
        || prefix.has(Escape::Command)
        || !lines.entries.iter().any(|line| is_of_session(&prefix, line))
    {
        return prefix;
    }
    let shorter = Prefix::compile(shorter);
    // `[unknown]@[unknown]` names nobody, and stands there all the same.
    if lines.explained(&shorter).matched < explained.matched { prefix } else { shorter }
}

/// Whether a line with a severity word was written for a client, as far as `prefix` explains it: it has names, or
/// says what only sessions say.
fn is_of_session(prefix: &Prefix, line: &[u8]) -> bool {
    let mut head = Head::default();
    match prefix.begin(line, &mut head, &mut Clocks::new(0)) {
        Line::Begins(_, text) => {
            let who = head.who;
            [who.user, who.database, who.application, who.host].iter().any(|name| !name.is_empty())
                || [&b"duration: "[..], b"statement: ", b"connection "]
                    .iter()
                    .any(|mark| memmem::find(&line[text..], mark).is_some())
        }
        Line::Foreign | Line::Continues => false,
    }
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
