//! One line of a syslog file → the piece of PostgreSQL's message in it.
//!
//! ```text
//!  BSD       Nov 23 14:00:01 host postgres[123]: [5-1] text          (also with <134> before, or a year)
//!  ISO       2026-11-23T14:00:01.038765+00:00 host postgres[123]: [5-1] text
//!  RFC 5424  <134>1 2026-11-23T14:00:01.038765+00:00 host postgres 123 - - [5-1] text
//!  Heroku    2026-11-23T14:00:01+00:00 app[postgres.77]: [COLOR] [5-1]  text
//! ```
//!
//! The server splits a message at its line ends and at some 900 bytes (elog.c, `write_syslog()`), and numbers the
//! pieces `[message-piece]`, unless it is told otherwise ([`Numbers`]). A piece that follows a line end begins with the tab of `append_with_tabs()`; one that was
//! split between words begins with what stood there. Daemons write control characters as `#011`, `#012`.

use bumpalo::Bump;
use chrono::NaiveDate;
use memchr::{memchr, memmem};

use super::frame::{Frame, Join, Unwrapped};
use super::prefix::number;
use super::time::{Clock, civil_micros, rfc3339};
use crate::units::Timestamp;

mod numbers;

pub(crate) use numbers::Numbers;

/// The year of a timestamp that has none, when nobody said otherwise: a leap year, so that every date exists.
pub(crate) const YEAR: i32 = 2000;

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// What a syslog file is known for: pinned at detection.
#[derive(Debug, Clone)]
pub(crate) struct Syslog {
    /// Program names that write PostgreSQL's messages (`syslog_ident`); lines of others are skipped.
    pub(crate) idents: Vec<Box<[u8]>>,
    /// What stands before each piece.
    pub(crate) numbers: Numbers,
    /// The year of timestamps without one.
    pub(crate) year: i32,
    /// Minutes east of UTC of timestamps without a zone.
    pub(crate) zone_minutes: i32,
}

/// The header of a syslog line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) time: Option<Timestamp>,
    pub(crate) ident: &'a [u8],
    pub(crate) pid: u32,
    /// Where the message begins in the line.
    pub(crate) message: usize,
    /// Heroku's: the process id is that of a database server, not of a backend, and tabs were lost.
    pub(crate) heroku: bool,
}

impl Syslog {
    /// The piece of a message in a line without its line end.
    pub(crate) fn unwrap<'a>(&self, line: &'a [u8], arena: &'a Bump) -> Unwrapped<'a> {
        let Some(header) = self.header(line) else {
            // journalctl indents the later lines of a message and gives them no header.
            let text = line.trim_ascii_start();
            return Unwrapped::Frame(Frame {
                text,
                offset: line.len() - text.len(),
                pid: 0,
                time: None,
                join: Join::Line,
                partial: false,
                numbered: false,
                first: false,
            });
        };
        if !self.idents.iter().any(|ident| **ident == *header.ident) {
            return Unwrapped::OtherProgram;
        }
        let (piece, text) = self.numbers.strip(&line[header.message..]);
        let offset = line.len() - text.len();
        let text = unescape(text, arena);
        let join = if header.heroku || text.first() == Some(&b'\t') { Join::Line } else { Join::Glue };
        Unwrapped::Frame(Frame {
            text,
            offset,
            pid: header.pid,
            time: header.time,
            join,
            partial: false,
            numbered: piece.is_some(),
            first: piece == Some(1),
        })
    }

    /// Reads the header; `None` when the line has none.
    pub(crate) fn header<'a>(&self, line: &'a [u8]) -> Option<Header<'a>> {
        header(line, self.year, self.zone_minutes)
    }
}

/// See [`Syslog::header`].
pub(crate) fn header(line: &[u8], year: i32, zone_minutes: i32) -> Option<Header<'_>> {
    let mut at = 0;
    // Octet counting of RFC 6587: `290 <134>1 …`.
    if let Some((_, digits)) = number(line)
        && line.get(digits..digits + 2) == Some(b" <")
    {
        at = digits + 1;
    }
    if line.get(at) == Some(&b'<') {
        let (_, digits) = number(&line[at + 1..]).filter(|&(_, digits)| digits <= 3)?;
        if line.get(at + 1 + digits) != Some(&b'>') {
            return None;
        }
        at += digits + 2;
        if let Some(rest) = line[at..].strip_prefix(b"1 ") {
            return rfc5424(rest).map(|header| Header { message: at + 2 + header.message, ..header });
        }
    }
    let (time, len) = time(&line[at..], year, zone_minutes)?;
    at += len;
    tagged(&line[at..], time).map(|header| Header { message: at + header.message, ..header })
}

/// `2026-11-23T14:00:01Z host app procid msgid structured-data message`.
fn rfc5424(rest: &[u8]) -> Option<Header<'_>> {
    let stamp = rfc3339(rest);
    let mut words = rest.splitn(6, |&byte| byte == b' ');
    let _time = words.next()?;
    let host = words.next()?;
    let app = words.next()?;
    let procid = words.next()?;
    let _msgid = words.next()?;
    let after = words.next()?;
    let message = match after.first()? {
        b'-' => after.get(1..)?,
        b'[' => {
            let end = structured_data(after)?;
            &after[end..]
        }
        // Heroku's drains leave structured data out.
        _ => after,
    };
    let message = message.strip_prefix(b" ").unwrap_or(message);
    let heroku = host == b"host" && app == b"app" && procid.starts_with(b"postgres");
    let at = rest.len() - message.len();
    let (ident, pid) = if heroku { (&b"postgres"[..], 0) } else { (app, pid_of(procid)) };
    // `host app postgres.77 - [COLOR] [5-1]`: the colour is read as structured data above.
    Some(Header { time: stamp.map(|stamp| stamp.time), ident, pid, message: at, heroku })
}

/// The end of `[id name="value"][…]`.
fn structured_data(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while text.get(at) == Some(&b'[') {
        let mut quoted = false;
        loop {
            at += 1;
            match text.get(at)? {
                b'\\' if quoted => at += 1,
                b'"' => quoted = !quoted,
                b']' if !quoted => break,
                _ => {}
            }
        }
        at += 1;
    }
    Some(at)
}

/// The timestamp of a line and where what follows it begins.
fn time(line: &[u8], year: i32, zone_minutes: i32) -> Option<(Option<Timestamp>, usize)> {
    if let Some(stamp) = rfc3339(line) {
        return (line.get(stamp.len) == Some(&b' ')).then_some((Some(stamp.time), stamp.len + 1));
    }
    // journalctl -o short-full: `Mon 2026-11-23 14:00:01 UTC host …`.
    if line.get(3) == Some(&b' ')
        && let Some(stamp) = Clock::new(zone_minutes).read(&line[4..])
    {
        return (line.get(4 + stamp.len) == Some(&b' ')).then_some((Some(stamp.time), 5 + stamp.len));
    }
    let mut year = year;
    let mut at = 0;
    let four_digits = |at: usize| number(line.get(at..)?).filter(|&(_, len)| len == 4);
    if let Some((value, _)) = four_digits(0)
        && line.get(4) == Some(&b' ')
    {
        year = value as i32;
        at = 5;
    }
    let name = line.get(at..at + 3)?;
    let month = MONTHS.iter().position(|month| *month == name)? as u32 + 1;
    at += 3;
    at += line[at..].iter().take_while(|&&byte| byte == b' ').count();
    let (day, len) = number(&line[at..]).filter(|&(_, len)| len <= 2)?;
    at += len + 1;
    if let Some((value, _)) = four_digits(at)
        && line.get(at + 4) == Some(&b' ')
    {
        year = value as i32;
        at += 5;
    }
    let clock = line.get(at..at + 8)?;
    let part = |from: usize| {
        number(&clock[from..from + 2]).filter(|&(_, len)| len == 2).map(|(value, _)| value as u32)
    };
    if clock[2] != b':' || clock[5] != b':' {
        return None;
    }
    let time = NaiveDate::from_ymd_opt(year, month, day as u32)
        .and_then(|date| date.and_hms_opt(part(0)?, part(3)?, part(6)?.min(59)))
        .map(|time| Timestamp(civil_micros(time) - i64::from(zone_minutes) * 60_000_000));
    at += 8;
    at += super::time::fraction(line.get(at..)?).1.checked_add(1).filter(|&len| len > 1).unwrap_or(0);
    (line.get(at) == Some(&b' ')).then_some((time, at + 1))
}

/// `host postgres[123]: message`; the host may be missing.
fn tagged(rest: &[u8], time: Option<Timestamp>) -> Option<Header<'_>> {
    let head = &rest[..rest.len().min(300)];
    let end = memchr::memchr_iter(b':', head)
        .find(|&colon| head.get(colon + 1) == Some(&b' '))
        .or_else(|| head.strip_suffix(b":").map(<[u8]>::len))?;
    let mut words = head[..end].split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let first = words.next()?;
    let tag = words.next().unwrap_or(first);
    if words.next().is_some() {
        return None;
    }
    let message = (end + 2).min(rest.len());
    let (ident, pid) = match memchr(b'[', tag) {
        Some(open) if tag.ends_with(b"]") => (&tag[..open], &tag[open + 1..tag.len() - 1]),
        _ => (tag, &b""[..]),
    };
    // Heroku: `app[postgres.77]: [COLOR] [5-1]  text`.
    if ident == b"app" && pid.starts_with(b"postgres") {
        let colour = match rest.get(message) {
            Some(b'[') => memmem::find(&rest[message..], b"] [").map_or(0, |len| len + 2),
            _ => 0,
        };
        return Some(Header { time, ident: b"postgres", pid: 0, message: message + colour, heroku: true });
    }
    Some(Header { time, ident, pid: pid_of(pid), message, heroku: false })
}

/// A process id; syslog-ng and others may put the number last: `postgres/123`, `123-1`.
fn pid_of(text: &[u8]) -> u32 {
    number(text).map_or(0, |(pid, _)| u32::try_from(pid).unwrap_or(0))
}

/// Undoes `#011`, `#012` and `#015`: the control characters that PostgreSQL writes.
pub(crate) fn unescape<'a>(text: &'a [u8], arena: &'a Bump) -> &'a [u8] {
    if memchr(b'#', text).is_none() {
        return text;
    }
    let copy = arena.alloc_slice_copy(text);
    let mut to = 0;
    let mut at = 0;
    while at < text.len() {
        let (byte, len) = match text[at..] {
            [b'#', b'0', b'1', b'1', ..] => (b'\t', 4),
            [b'#', b'0', b'1', b'2', ..] => (b'\n', 4),
            [b'#', b'0', b'1', b'5', ..] => (b'\r', 4),
            [byte, ..] => (byte, 1),
            [] => break,
        };
        copy[to] = byte;
        to += 1;
        at += len;
    }
    &copy[..to]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let shown = header(line.as_bytes(), 2026, 0).map(|header| {
            format!(
                "{} {}[{}] {}",
                header.time.map(|time| time.to_string()).unwrap_or_default(),
                String::from_utf8_lossy(header.ident),
                header.pid,
                &line[header.message..]
            )
        });
        assert_eq!(shown.as_deref().unwrap_or("none"), expected, "{line}");
    }

    #[test]
    fn headers_of_all_daemons() {
        let t = "2026-11-23T14:00:01Z";
        check("Nov 23 14:00:01 host postgres[12]: [5-1] x", &format!("{t} postgres[12] [5-1] x"));
        check("Nov  3 14:00:01 host postgres[12]: x: y", "2026-11-03T14:00:01Z postgres[12] x: y");
        check("<134>Nov 23 14:00:01 host postgres[12]: x", &format!("{t} postgres[12] x"));
        check("2026 Nov 23 14:00:01 host postgres[12]: x", &format!("{t} postgres[12] x"));
        check("Nov 23 2026 14:00:01 host postgres[12]: x", &format!("{t} postgres[12] x"));
        check("Nov 23 14:00:01 postgres[12]: x", &format!("{t} postgres[12] x"));
        check("2026-11-23T14:00:01.5+00:00 vm pg-main[12]: x", "2026-11-23T14:00:01.500Z pg-main[12] x");
        check("2026-11-23T15:00:01+0100 vm postgres[12]: x", &format!("{t} postgres[12] x"));
        check("Mon 2026-11-23 14:00:01 UTC vm postgres[12]: x", &format!("{t} postgres[12] x"));
        check(
            "<134>1 2026-11-23T14:00:01Z vm postgres 12 - -  [5-1] x",
            &format!("{t} postgres[12]  [5-1] x"),
        );
        check(
            "<134>1 2026-11-23T14:00:01Z vm postgres 12 - [a b=\"]\"] [5-1] x",
            &format!("{t} postgres[12] [5-1] x"),
        );
        check(
            "88 <134>1 2026-11-23T14:00:01+00:00 host app postgres.7 - [RED] [5-1]  x",
            &format!("{t} postgres[0] [5-1]  x"),
        );
        check(
            "2026-11-23T14:00:01+00:00 app[postgres.7]: [RED] [5-1]  x",
            &format!("{t} postgres[0] [5-1]  x"),
        );
        check("Nov 23 14:00:01 host kernel: x", &format!("{t} kernel[0] x"));
        for no_header in ["", "Nov 23", "x", "2026-11-23 14:00:01 UTC [12] LOG:  x", "<1>", "\tselect 1"] {
            check(no_header, "none");
        }
    }
}
