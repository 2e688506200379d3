//! Lines that stand in frames: which those are, and what stands in them.

use bumpalo::Bump;
use indexmap::IndexMap;
use memchr::memmem;

use super::{DetectError, Hints, LINES, Setting, is_json, lines, stderr};
use crate::log::frame::{Frame, Framed, Inner, Outer, Unwrapped};
use crate::log::prefix::{Clocks, Escape, Head, Line, Prefix, REACH};
use crate::log::severity;
use crate::log::syslog::{self, Header, Numbers, Syslog};
use crate::log::time::Clock;
use crate::log::wrap::{self, Envelope, Letter, Wrapper};

/// Lines in frames. `None`: they are in none that is known. An error: the frames are known, what is inside is not.
pub(super) fn framed(sample: &[u8], hints: &Hints) -> Option<Result<Framed, DetectError>> {
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
