//! From the first bytes of an input to its [`Dialect`].
//!
//! Every guess is tried on the whole sample, and the one that explains the most lines wins; nothing is accepted
//! that leaves more than a few of the lines that look like entries unexplained.

use bumpalo::Bump;
use indexmap::IndexMap;
use memchr::memmem;

use super::csv;
use super::dialect::{Dialect, Format, Hints, Shape};
use super::frame::{Framed, Inner, Outer, Unwrapped};
use super::infer;
use super::json::{Members, Value};
use super::prefix::{Clocks, Escape, Head, Line, Prefix, REACH};
use super::severity;
use super::stderr::{BOM, Stderr, no_text};
use super::syslog::{self, Syslog};
use super::time::Clock;
use super::wrap::{self, Letter, Wrapper};

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
    let sample = &sample[no_text(sample, 0)..];
    let sample = sample.strip_prefix(BOM).unwrap_or(sample);
    if sample.trim_ascii().is_empty() {
        return Err(DetectError::Empty);
    }
    let language = language(sample).map(|(language, _)| language);
    let dialect = |shape| Dialect { shape, zone_minutes: hints.zone_minutes, language };
    let wanted = |format| hints.format.is_none_or(|wanted| wanted == format);
    if wanted(Format::Csv) && is_csv(sample) {
        return Ok(dialect(Shape::Csv));
    }
    if wanted(Format::Json) && is_json(sample) {
        return Ok(dialect(Shape::Json));
    }
    if let Some(framed) = framed(sample, hints) {
        let found = dialect(Shape::Framed(framed?));
        if wanted(found.format()) {
            return Ok(found);
        }
    }
    match hints.format {
        None | Some(Format::Stderr) => stderr(sample, hints).map(|stderr| dialect(Shape::Stderr(stderr))),
        Some(format) => Err(DetectError::WrongFormat { format, first: shown(first_line(sample)) }),
    }
}

/// Lines in frames. `None`: they are in none that is known. An error: the frames are known, what is inside is not.
fn framed(sample: &[u8], hints: &Hints) -> Option<Result<Framed, DetectError>> {
    let outer = outer(sample, hints)?;
    let arena = Bump::new();
    let mut inner = Vec::new();
    for line in lines(sample).filter(|line| !line.trim_ascii().is_empty()).take(LINES * 2) {
        if let Unwrapped::Frame(frame) = outer.unwrap(line.strip_suffix(b"\r").unwrap_or(line), &arena) {
            inner.extend_from_slice(frame.text.strip_suffix(b"\n").unwrap_or(frame.text));
            if !frame.partial {
                inner.push(b'\n');
            }
        }
    }
    if is_json(&inner) {
        return Some(Ok(Framed { outer, inner: Inner::Records }));
    }
    Some(stderr(&inner, hints).map(|stderr| Framed { outer, inner: Inner::Lines(stderr) }))
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
        Wrapper::Envelope
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
    let looks = |text: &[u8]| severity::candidates(text, REACH).next().is_some();
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
    let mut idents: IndexMap<&[u8], usize> = IndexMap::new();
    let mut headers = 0;
    for line in whole {
        let Some(header) = syslog::header(line, year, hints.zone_minutes) else { continue };
        headers += 1;
        let message = &line[header.message..];
        let (piece, text) = syslog::piece(message);
        let says = severity::candidates(text, REACH).next().is_some();
        if !header.ident.is_empty() && says && (piece.is_some() || severity::word_at(header.ident).is_none())
        {
            *idents.entry(header.ident).or_default() += 1;
        }
    }
    idents.retain(|ident, _| severity::severity(ident).is_none());
    // A program that happens to quote one line of PostgreSQL's is not PostgreSQL.
    let most = idents.values().copied().max()?;
    if headers * 2 < whole.len() {
        return None;
    }
    let idents =
        idents.into_iter().filter(|&(_, count)| count * 20 >= most).map(|(ident, _)| ident.into()).collect();
    Some(Syslog { idents, year, zone_minutes: hints.zone_minutes })
}

/// Whether a row of csvlog begins on one of the first lines. A stderr log may quote one, after a tab.
fn is_csv(sample: &[u8]) -> bool {
    lines(sample).take(LINES).any(csv::is_sure_start)
}

/// Whether a line is an object with jsonlog's keys.
fn is_json(sample: &[u8]) -> bool {
    lines(sample).take(LINES).any(|line| {
        let has = |object: &[u8], wanted: &[u8]| Members::of(object).any(|(key, _)| key == wanted);
        let record = |object: &[u8]| has(object, b"error_severity") && has(object, b"message");
        let operators = || {
            Members::of(line).any(|(key, value)| match value {
                Value::Nested(object) => key == b"record" && record(object),
                Value::Text { .. } | Value::Bare(_) => false,
            })
        };
        line.first() == Some(&b'{') && (record(line) || operators())
    })
}

/// The lines of a sample without their line ends.
fn lines(sample: &[u8]) -> impl Iterator<Item = &[u8]> {
    sample.split(|&byte| byte == b'\n')
}

/// Detects the prefix of stderr lines.
pub(crate) fn stderr(sample: &[u8], hints: &Hints) -> Result<Stderr, DetectError> {
    let lines = Lines::of(sample);
    let found = |prefix| {
        let tabs = lines.keep_their_tabs(sample, &prefix);
        Stderr { prefix, crlf: lines.crlf, tabs }
    };
    if let Some(template) = &hints.prefix {
        if let Some(prefix) = given(template, &lines) {
            return Ok(found(prefix));
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
        Some(prefix) => Ok(found(prefix)),
        None => Err(localised(sample)
            .unwrap_or_else(|| DetectError::UnknownPrefix { first: shown(lines.entries[0]) })),
    }
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
            let line = &line[no_text(line, lines)..];
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
                    + usize::from(holds(head.fields.backend, b"0123456789@=[]"))
                    + usize::from(holds(head.fields.command, b"0123456789@=[]"))
                    // Text that begins with a severity word again was cut too early.
                    + usize::from(severity::word_at(&line[text..]).is_some());
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
    /// Points for values that are said, minus points for names that hold what names seldom hold: the sign of a
    /// field that swallowed its neighbour.
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
    "sql_error_code = %e ",
    " sql_error_code = %e ",
    " sql_error_code = %e time_ms = \"%m\" pid=\"%p\" proc_start_time=\"%s\" session_id=\"%c\" vtid=\"%v\" \
     tid=\"%x\" log_line=\"%l\" %qdatabase=\"%d\" connection_source=\"%r\" user=\"%u\" application_name=\"%a\" ",
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
    let inferred = infer::templates(&lines.entries);
    let few = lines.few();
    // Most candidates explain nothing: some lines are enough to see that.
    let mut tried: Vec<(&str, Prefix, usize)> = USUAL
        .iter()
        .copied()
        .chain(inferred.iter().map(String::as_str))
        .map(|template| {
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
            let seen = template.contains("%q") || lines.explained(&Prefix::compile(template)).matched > 0;
            seen.then_some((prefix, explained))
        })
        .collect();
    let most = tried.iter().map(|(_, explained)| explained.matched).max()?;
    // A message may quote a line of a log: some of what looks like an entry is none.
    if most == 0 || most * 100 < lines.entries.len() * 90 {
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
    let (prefix, explained) = best?;
    Some(honest(prefix, lines, explained))
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
    let speaks = |line: &&[u8]| {
        [&b"duration: "[..], b"statement: ", b"connection "]
            .iter()
            .any(|mark| memmem::find(line, mark).is_some())
    };
    if explained.named > 0 || prefix.has(Escape::Command) || !lines.entries.iter().any(speaks) {
        return prefix;
    }
    Prefix::compile(shorter)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testing::{read, render_log, same_at_every_cut};

    fn detected(sample: &str) -> Dialect {
        Dialect::detect(sample.as_bytes(), &Hints::default()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn error(sample: &[u8]) -> String {
        Dialect::detect(sample, &Hints::default())
            .map(|dialect| format!("{dialect:?}"))
            .unwrap_err()
            .to_string()
    }

    /// A log that was written with a prefix reads the same, whether the prefix was given or found.
    #[test]
    fn every_usual_prefix_is_found_from_its_own_log() {
        let mut wrong = Vec::new();
        for template in USUAL {
            let log = render_log(template);
            let given = Hints { prefix: Some((*template).to_owned()), ..Hints::default() };
            let given = read(&Dialect::detect(log.as_bytes(), &given).unwrap(), log.as_bytes());
            let found = detected(&log);
            if read(&found, log.as_bytes()) != given {
                wrong.push((*template, found.prefix().map(str::to_owned)));
            }
            assert_eq!(given.len(), 39, "{template}");
        }
        assert_eq!(wrong, []);
    }

    #[test]
    fn prefixes_in_no_list_are_read_off_the_lines() {
        let mut wrong = Vec::new();
        for template in [
            "%m [%p] %q[user=%u,db=%d,app=%a] ",
            "%m [%p:%l] %q%u@%d/%a %r %i %e %Q ",
            "%n [%p]: user=%-10u db=%10d ",
            "<%m> %b ",
            "%m|%u|%d|%r|%p|",
            "time=%m pid=%p line=%l user=%u db=%d app=%a client=%h ",
            "%m %p %q%u %d ",
            "[%t] [%c] [%p] %quser:%u db:%d ",
            "%t:%h:%u@%d:[%p]:[%l]: ",
            "%m - %p - %u - %d - %h - ",
            "%m [%p] %e %v %x %q%u@%d ",
            "(%u,%d,%p) %m ",
            "db=%d,user=%u,client=%h,pid=%p %t ",
            "%m (%p) %u/%d: ",
            "%c|%m|%u|%d|",
            "pg[%p] %q%u@%d: ",
            "%m [%p] %q%u@%d(%a) ",
            "%m [%p]: [%l-1] %c %q%u@%d ",
            " sql_error_code = %e time_ms = \"%m\" pid=\"%p\" proc_start_time=\"%s\" session_id=\"%c\" vtid=\"%v\" tid=\"%x\" log_line=\"%l\" %qdatabase=\"%d\" connection_source=\"%r\" user=\"%u\" application_name=\"%a\" ",
        ] {
            let log = render_log(template);
            let given = Hints { prefix: Some(template.to_owned()), ..Hints::default() };
            let given = read(&Dialect::detect(log.as_bytes(), &given).unwrap(), log.as_bytes());
            match Dialect::detect(log.as_bytes(), &Hints::default()) {
                Ok(found) if read(&found, log.as_bytes()) == given => {}
                Ok(found) => wrong.push((template, found.prefix().unwrap_or_default().to_owned())),
                Err(error) => wrong.push((template, error.to_string())),
            }
        }
        assert_eq!(wrong, []);
    }

    #[test]
    fn a_prefix_is_shown_as_it_was_written() {
        for template in [
            "%m [%p] %q%u@%d ",
            "%m [%p] ",
            "%t:%r:%u@%d:[%p]:",
            "%c %m [%p] ",
            "%m [%p] %q[user=%u,db=%d,app=%a] ",
        ] {
            assert_eq!(detected(&render_log(template)).prefix(), Some(template));
        }
    }

    #[test]
    fn a_given_prefix_may_have_lost_its_blank_or_kept_its_quotes() {
        let log = render_log("%m [%p] %q%u@%d ");
        for template in ["%m [%p] %q%u@%d ", "%m [%p] %q%u@%d", "'%m [%p] %q%u@%d '", "'%m [%p] %q%u@%d'"] {
            let hints = Hints { prefix: Some(template.into()), ..Hints::default() };
            let dialect = Dialect::detect(log.as_bytes(), &hints).unwrap();
            assert_eq!(dialect.prefix(), Some("%m [%p] %q%u@%d "));
        }
    }

    #[test]
    fn translated_logs_are_entries_and_name_their_language() {
        let stamp = "2026-11-23 14:59:16.162 UTC [7] u@d";
        let log =
            format!("{stamp} LOG:  Dauer: 1 ms\n{stamp} FEHLER:  x bei Zeichen 3\n{stamp} ANWEISUNG:  y\n");
        let dialect = detected(&log);
        assert_eq!(dialect.language(), Some("German"));
        assert_eq!(
            read(&dialect, log.as_bytes()),
            ["LOG u@d \"Dauer: 1 ms\"", "ERROR u@d \"x bei Zeichen 3\"", "Statement u@d \"y\""]
        );
        let log = format!("{stamp} ERREUR:  x\n{stamp} INSTRUCTION :  y\n");
        let dialect = detected(&log);
        assert_eq!(dialect.language(), Some("French"));
        assert_eq!(read(&dialect, log.as_bytes()), ["ERROR u@d \"x\"", "Statement u@d \"y\""]);
        let row = "2026-11-22 17:06:44.419 UTC,,,1,,6b032124.598b,5,,2026-11-22 17:06:44 UTC,,0,FEHLER,00000,\"x\",,,,,,,,,\"\"\n";
        assert_eq!(detected(row).language(), Some("German"));
        assert_eq!(read(&detected(row), row.as_bytes()), ["ERROR @ \"x\" 00000"]);
        assert_eq!(detected(&render_log("%m [%p] ")).language(), None);
    }

    #[test]
    fn errors_say_what_was_seen() {
        assert_eq!(error(b" \n\n"), "the input is empty");
        assert_eq!(
            error(b"\xFF\xFEx\0"),
            "the input is UTF-16 text: convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)"
        );
        assert_eq!(
            error(b"\nhello \x1b[31mworld\n"),
            "no line looks like a PostgreSQL log entry; the first line is: hello \u{FFFD}[31mworld"
        );
        let hints = Hints { prefix: Some("%p ".into()), ..Hints::default() };
        assert_eq!(
            Dialect::detect(render_log("%m [%p] ").as_bytes(), &hints).unwrap_err().to_string(),
            "the prefix that was given (%p ) does not match; the first line is: 2026-11-23 14:59:01.001 UTC [977] LOG:  checkpoint starting: time; %m [%p]  would"
        );
        let hints = Hints { format: Some(Format::Csv), ..Hints::default() };
        assert!(
            Dialect::detect(b"x\n", &hints).unwrap_err().to_string().starts_with("the input is not csvlog")
        );
    }

    /// A log in each frame says what it says bare.
    #[test]
    fn frames_do_not_change_what_is_said() {
        let bare_log = render_log("%m [%p] %q%u@%d ");
        let bare = read(&detected(&bare_log), bare_log.as_bytes());
        let quoted = |line: &str| serde_json::to_string(line).unwrap();
        type Frame<'f> = (&'f str, &'f dyn Fn(usize, &str) -> String);
        let frames: [Frame<'_>; 11] = [
            ("docker", &|_, line| {
                format!(
                    "{{\"log\":{},\"stream\":\"stderr\",\"time\":\"2026-11-23T14:59:01.5Z\"}}\n",
                    quoted(&format!("{line}\n"))
                )
            }),
            ("cri", &|n, line| {
                let (left, right) = line.split_at(if n % 4 == 0 { 20.min(line.len()) } else { 0 });
                let stamp = "2026-11-23T14:59:01.123456789Z stderr";
                if left.is_empty() {
                    format!("{stamp} F {line}\n")
                } else {
                    format!("{stamp} P {left}\n{stamp} F {right}\n")
                }
            }),
            ("compose", &|_, line| format!("postgres-1  | {line}\n")),
            ("pod", &|_, line| format!("[pod/db-0/postgres] {line}\n")),
            ("kubectl -t", &|_, line| format!("2026-11-23T14:59:01.123456789Z {line}\n")),
            ("cloudwatch", &|_, line| {
                if line.starts_with('\t') {
                    format!("{line}\n")
                } else {
                    format!("2026-11-23T14:59:01.000Z {line}\n")
                }
            }),
            ("aws logs tail", &|_, line| format!("2026-11-23T14:59:01.000000+00:00 mydb.0 {line}\n")),
            ("journald", &|_, line| {
                format!(
                    "{{\"__REALTIME_TIMESTAMP\":\"1795446213708000\",\"_PID\":\"1\",\"SYSLOG_IDENTIFIER\":\"postgres\",\"MESSAGE\":{}}}\n",
                    quoted(line)
                )
            }),
            ("cloud sql", &|_, line| {
                format!(
                    "{{\"insertId\":\"x\",\"textPayload\":{},\"resource\":{{\"labels\":{{}}}}}}\n",
                    quoted(line)
                )
            }),
            ("azure", &|_, line| {
                format!(
                    "{{\"time\":\"2026-11-23T14:59:01Z\",\"category\":\"PostgreSQLLogs\",\"properties\":{{\"errorLevel\":\"LOG\",\"processId\":1,\"message\":{}}}}}\n",
                    quoted(line)
                )
            }),
            ("fluent", &|_, line| {
                format!("{{\"@timestamp\":\"2026-11-23T14:59:01Z\",\"message\":{}}}\n", quoted(line))
            }),
        ];
        for (name, frame) in frames {
            let log: String = bare_log.lines().enumerate().map(|(n, line)| frame(n, line)).collect();
            let dialect = detected(&log);
            assert_eq!(dialect.format(), Format::Stderr, "{name}");
            assert_eq!(dialect.prefix(), Some("%m [%p] %q%u@%d "), "{name}");
            let said: Vec<_> = read(&dialect, log.as_bytes())
                .into_iter()
                .filter(|line| !line.starts_with("other_program"))
                .collect();
            assert_eq!(said, bare, "{name}");
            same_at_every_cut(&dialect, log.as_bytes());
        }
    }

    #[test]
    fn an_array_over_many_lines() {
        let text =
            |text: &str| format!("  {{\n    \"insertId\": \"x\",\n    \"textPayload\": \"{text}\",\n  }},\n");
        let stamp = "2026-11-23 14:59:01.001 UTC [7]: [1-1] db=d,user=u";
        let log = format!(
            "[\n{}{}]\n",
            text(&format!("{stamp} LOG:  a\\n\\tb")),
            text(&format!("{stamp} DETAIL:  c"))
        );
        let dialect = detected(&log);
        assert_eq!(dialect.prefix(), Some("%m [%p]: [%l-1] db=%d,user=%u "));
        let said: Vec<_> =
            read(&dialect, log.as_bytes()).into_iter().filter(|line| !line.starts_with("other")).collect();
        assert_eq!(said, ["LOG u@d \"a\\nb\"", "Detail u@d \"c\""]);
    }

    #[test]
    fn a_record_inside_of_a_frame() {
        let record = r#"{"timestamp":"2026-11-22 17:06:44.419 UTC","user":"u","dbname":"d","pid":1,"error_severity":"LOG","message":"x"}"#;
        let log =
            format!("2026-11-23T14:59:01.1Z stdout F {record}\n2026-11-23T14:59:01.1Z stdout F booting\n");
        let dialect = detected(&log);
        assert_eq!(dialect.format(), Format::Json);
        let said = read(&dialect, log.as_bytes());
        assert_eq!(said[0], "LOG u@d \"x\" 00000");
        assert!(said[1].starts_with("bad_json"), "{said:?}");
    }

    /// rsyslog's three templates, with another backend and another program between the pieces.
    #[test]
    fn syslog_pieces_find_their_message() {
        for (head, other) in [
            ("Nov 23 15:04:26 vm postgres[PID]: ", "Nov 23 15:04:26 vm cron[9]: (root) CMD\n"),
            ("2026-11-23T15:04:26.038765+00:00 vm postgres[PID]: ", "2026-11-23T15:04:26Z vm cron[9]: x\n"),
            (
                "<134>1 2026-11-23T15:04:26.038765+00:00 vm postgres PID - -  ",
                "<13>1 2026-11-23T15:04:26Z vm cron 9 - - x\n",
            ),
        ] {
            let line = |pid: &str, text: &str| format!("{}{text}\n", head.replace("PID", pid));
            let log = [
                line("7", "[5-1] [7] u@d LOG:  duration: 1 ms  statement: select"),
                line("7", "[5-2] #011 1, 2"),
                line("8", "[3-1] [8] u@d ERROR:  no"),
                other.to_owned(),
                line("7", "[5-3] , 3"),
                line("8", "[3-2] [8] u@d STATEMENT:  x"),
                line("8", "[4-1] [8] u@d LOG:  a#012#011b#012[8] u@d DETAIL:  c"),
            ]
            .concat();
            let dialect = detected(&log);
            assert_eq!(dialect.format(), Format::Syslog);
            assert_eq!(
                read(&dialect, log.as_bytes()),
                [
                    "LOG u@d \"duration: 1 ms  statement: select\\n 1, 2\"",
                    "ERROR u@d \"no\"",
                    &format!("other_program {}", other.len()),
                    "More @ \", 3\"",
                    "Statement u@d \"x\"",
                    "LOG u@d \"a\\nb\"",
                    "Detail u@d \"c\"",
                ]
            );
            same_at_every_cut(&dialect, log.as_bytes());
        }
    }

    #[test]
    fn herokus_drains() {
        let log = "2017-06-28T15:10:02+00:00 app[postgres.13761]: [DATABASE] [7-1]  sql_error_code = 00000 LOG:  duration: 4822.012 ms  statement: BEGIN;\n\
                   2017-06-28T15:10:02+00:00 app[postgres.13761]: [DATABASE] [7-2]       SELECT 1\n\
                   2017-06-28T15:10:03+00:00 app[web.1]: hello\n";
        let dialect = detected(log);
        assert_eq!(
            read(&dialect, log.as_bytes())[0],
            "LOG @ \"duration: 4822.012 ms  statement: BEGIN;\\n      SELECT 1\" 00000"
        );
    }
}
