//! A `log_line_prefix` as a grammar: the template is compiled once, then run against the start of every line.
//!
//! ```text
//!  "%m [%p] %q%u@%d "  ──nom──▶  Time ␣[ Pid ]␣ ‖ User @ Database ␣      (‖: background processes end here)
//! ```
//!
//! Two matchers share one table of tests. [`Prefix::begin`] runs a straight line through the template; where a
//! name holds something odd it steps aside for [`slow`](super::backtrack), which defines what a match is.
//! If you change one, the property test `fast_and_slow_agree` will tell about the other.

use std::fmt;

use bumpalo::Bump;

mod memo;
mod phrases;
mod template;

use super::backtrack;
use super::entry::{Fields, Part, Session, Who};
use super::severity::word_at;
use super::time::Clock;
use super::translated::UNKNOWN_NAMES;
use crate::units::Timestamp;
use memo::{Gaps, Plan, changes};

pub(crate) use memo::Memo;
pub(crate) use phrases::{BACKENDS, phrase_ends};
pub(crate) use template::{Escape, Piece};

/// How far into a line the prefix and its severity word may reach: names are at most 63 bytes, hosts 255.
pub(crate) const REACH: usize = 2048;

/// A compiled `log_line_prefix`.
#[derive(Debug, Clone)]
pub(crate) struct Prefix {
    text: Box<str>,
    pieces: Box<[Piece]>,
    /// Whether the straight-line matcher may be tried.
    straight: bool,
    /// How to compare a line with one that the straight-line matcher has read.
    plan: Option<Plan>,
    /// Whether one blank after the severity word is enough: no server writes that, some shippers do.
    squeezed: bool,
    /// Whether the template has a value that is handed over in [`Fields`].
    pub(crate) has_fields: bool,
    /// How many pieces at the start are rigid, and whether they hold a time: a line that matches them was begun by
    /// PostgreSQL whatever follows.
    head: Option<usize>,
}

/// What the prefix of one line said. Reused from line to line: a match overwrites what its template has.
#[derive(Debug, Default, Clone)]
pub(crate) struct Head<'a> {
    pub(crate) time: Option<Timestamp>,
    pub(crate) session: Session,
    pub(crate) who: Who<'a>,
    /// Those of a prefix that was seen before, in place of `who`.
    pub(crate) known: Option<&'a Who<'a>>,
    pub(crate) fields: Fields<'a>,
    /// Backend type (`%b`) and command tag (`%i`): how likely they are tells one template from another.
    pub(crate) backend: &'a [u8],
    pub(crate) command: &'a [u8],
    /// See [`Entry::origin`](super::entry::Entry::origin).
    pub(crate) origin: u32,
}

impl<'a> Head<'a> {
    /// The names, for an entry.
    #[inline(always)]
    pub(crate) fn whom(&self, arena: &'a Bump) -> &'a Who<'a> {
        self.known.unwrap_or_else(|| arena.alloc(self.who))
    }
}

/// What the straight-line matcher found.
struct Straight {
    part: Part,
    /// Where the text begins.
    text: usize,
    /// Where the prefix ends, if the line has all of the template.
    whole: Option<usize>,
}

/// The clocks of one reader: log time and session start repeat independently.
#[derive(Debug, Clone)]
pub(crate) struct Clocks {
    pub(crate) log: Clock,
    pub(crate) session: Clock,
}

impl Clocks {
    pub(crate) fn new(fallback_minutes: i32) -> Self {
        Self { log: Clock::new(fallback_minutes), session: Clock::new(fallback_minutes) }
    }
}

/// What a line is to the entries around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// It begins an entry: which part, and where its text begins.
    Begins(Part, usize),
    /// It begins with the rigid head of the template, yet not with an entry: another program, another language.
    Foreign,
    /// It goes on with what came before.
    Continues,
}

impl Prefix {
    /// Compiles a template. Never fails: like the server, it drops escapes that do not exist.
    pub(crate) fn compile(template: &str) -> Self {
        Self::from_pieces(template, template::pieces(template))
    }

    /// Like [`Self::compile`], for templates that were guessed: background processes may end the prefix where the
    /// values of the session begin, as if `%q` stood there, because a sample need not hold one.
    pub(crate) fn compile_guess(template: &str) -> Self {
        let mut prefix = Self::compile(template);
        if prefix.pieces.contains(&Piece::SessionOnly) {
            return prefix;
        }
        let mut pieces = prefix.pieces.to_vec();
        let Some(first) = pieces
            .iter()
            .position(|piece| matches!(piece, Piece::Field { escape, .. } if escape.is_of_session()))
        else {
            return prefix;
        };
        let rigid_before = pieces[..first].iter().any(|piece| matches!(piece, Piece::Field { .. }));
        if !rigid_before {
            return prefix;
        }
        // `] user=` belongs to the session from `user=` on.
        match first.checked_sub(1).map(|at| (at, pieces[at].clone())) {
            Some((at, Piece::Literal(text))) => {
                let cut = text.iter().rposition(|&byte| byte == b' ').map_or(0, |blank| blank + 1);
                let (kept, session) = text.split_at(cut);
                let mut split = vec![];
                if !kept.is_empty() {
                    split.push(Piece::Literal(kept.into()));
                }
                split.push(Piece::SessionOnly);
                if !session.is_empty() {
                    split.push(Piece::Literal(session.into()));
                }
                pieces.splice(at..=at, split);
            }
            _ => pieces.insert(first, Piece::SessionOnly),
        }
        prefix = Self::from_pieces(template, pieces);
        prefix
    }

    /// The template as its pieces say it: with the `%q` that [`Self::compile_guess`] put in.
    pub(crate) fn template(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => {
                    text.push_str(&String::from_utf8_lossy(literal).replace('%', "%%"))
                }
                Piece::SessionOnly => text.push_str("%q"),
                Piece::Field { escape, width: 0 } => text.extend(['%', escape.letter()]),
                Piece::Field { escape, width } => text.push_str(&format!("%{width}{}", escape.letter())),
            }
        }
        text
    }

    fn from_pieces(template: &str, pieces: Vec<Piece>) -> Self {
        let fields = || {
            pieces.iter().filter_map(|piece| match piece {
                Piece::Field { escape, width } => Some((*escape, *width)),
                Piece::Literal(_) | Piece::SessionOnly => None,
            })
        };
        let straight = fields().all(|(_, width)| width == 0);
        let has_fields = fields().any(|(escape, _)| escape.is_rare());
        let rigid = pieces
            .iter()
            .position(|piece| match piece {
                Piece::Literal(_) => false,
                Piece::Field { escape, width } => escape.is_free() || *width != 0,
                Piece::SessionOnly => true,
            })
            .unwrap_or(pieces.len());
        let has_time = pieces[..rigid].iter().any(|piece| {
            matches!(
                piece,
                Piece::Field {
                    escape: Escape::Time | Escape::TimeMillis | Escape::Epoch | Escape::SessionId,
                    ..
                }
            )
        });
        Self {
            text: template.into(),
            straight,
            plan: Plan::of(&pieces).filter(|_| straight),
            squeezed: false,
            has_fields,
            head: has_time.then_some(rigid),
            pieces: pieces.into(),
        }
    }

    /// The same template for a log whose blanks were squeezed: `LOG: ` in place of `LOG:  `.
    pub(crate) fn squeezed(self) -> Self {
        Self { squeezed: true, ..self }
    }

    /// The same template, guessed anew with a line number where a process id was supposed, if it has none yet.
    pub(crate) fn counting(self) -> Self {
        if self.has(Escape::Line) {
            return self;
        }
        let prefix = Self::compile_guess(&self.text.replacen("%p", "%l", 1));
        Self { squeezed: self.squeezed, ..prefix }
    }

    /// The template as it was given.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the template begins with a time: a line that matches is no accident.
    pub(crate) fn is_anchored(&self) -> bool {
        self.head.is_some()
    }

    /// How many values the template has that every process prints.
    pub(crate) fn own_values(&self) -> usize {
        let own = |piece: &&Piece| matches!(piece, Piece::Field { escape, .. } if !escape.is_of_session());
        self.pieces.iter().filter(own).count()
    }

    /// Whether the template holds an escape.
    pub(crate) fn has(&self, wanted: Escape) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Field { escape, .. } if *escape == wanted))
    }

    /// What `line` (without its line end) is. `head` is overwritten when it begins an entry, and may be partly
    /// overwritten when it does not.
    #[inline]
    pub(crate) fn begin<'a>(&self, line: &'a [u8], head: &mut Head<'a>, clocks: &mut Clocks) -> Line {
        if self.straight
            && let Some(found) = self.straight(line, head, clocks, &mut Gaps::default())
        {
            return Line::Begins(found.part, found.text);
        }
        self.begin_slow(line, head, clocks)
    }

    /// The same answer without the straight-line matcher.
    #[cold]
    #[inline(never)]
    pub(crate) fn begin_slow<'a>(&self, line: &'a [u8], head: &mut Head<'a>, clocks: &mut Clocks) -> Line {
        if !backtrack::may_begin(&self.pieces, line) {
            return Line::Continues;
        }
        if let Some((part, text)) = backtrack::begin(&self.pieces, self.squeezed, line, head, clocks) {
            return Line::Begins(part, text);
        }
        match self.head {
            Some(rigid) if backtrack::matches_head(&self.pieces[..rigid], line) => Line::Foreign,
            _ => Line::Continues,
        }
    }

    /// One straight run through the template. `None`: not decided here.
    ///
    /// Free text ends at the first place where the next literal stands, which is the first choice of the
    /// backtracking matcher too. Bytes that could make another choice better (`@`, `:` before blanks) step aside.
    #[inline(never)]
    fn straight<'a>(
        &self,
        line: &'a [u8],
        head: &mut Head<'a>,
        clocks: &mut Clocks,
        gaps: &mut Gaps,
    ) -> Option<Straight> {
        let mut at = 0;
        for (index, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Literal(literal) => {
                    if !starts_with(&line[at..], literal) {
                        return None;
                    }
                    at += literal.len();
                }
                Piece::SessionOnly => {
                    if let Some((part, len)) = word_at(&line[at..]) {
                        forget(&self.pieces, index, head);
                        return Some(Straight { part, text: at + len, whole: None });
                    }
                }
                Piece::Field { escape, .. } => {
                    let rest = &line[at..];
                    let len = match escape {
                        Escape::Time | Escape::TimeMillis => {
                            let stamp = clocks.log.read(rest)?;
                            if (stamp.decimals == 0) != (*escape == Escape::Time) {
                                return None;
                            }
                            head.time = Some(stamp.time);
                            stamp.len
                        }
                        Escape::Pid => {
                            let (pid, len) = number(rest)?;
                            head.session.pid = pid as u32;
                            len
                        }
                        Escape::SessionStart => {
                            let stamp = clocks.session.read(rest)?;
                            if stamp.decimals != 0 {
                                return None;
                            }
                            head.session.start = stamp.time.second() as u32;
                            stamp.len
                        }
                        _ if escape.is_free() => {
                            let Some(Piece::Literal(literal)) = self.pieces.get(index + 1) else {
                                return None;
                            };
                            let phrase = phrase_ends(*escape, rest, literal).next();
                            let len = phrase.or_else(|| free_len(rest, literal))?;
                            if escape.is_address() && !is_plain_address(*escape, &rest[..len], literal) {
                                return None;
                            }
                            assign(*escape, &rest[..len], head, clocks)?;
                            len
                        }
                        _ => {
                            let len = rigid_len(*escape, rest)?;
                            assign(*escape, &rest[..len], head, clocks)?;
                            len
                        }
                    };
                    if changes(piece).is_some() {
                        gaps.push(at, at + len);
                    }
                    at += len;
                }
            }
        }
        let (part, len) = word_at(&line[at..])?;
        Some(Straight { part, text: at + len, whole: Some(at) })
    }
}

/// `slice::starts_with` that does not call `memcmp` for the one to three bytes that literals have.
#[inline]
fn starts_with(text: &[u8], literal: &[u8]) -> bool {
    text.len() >= literal.len() && text.iter().zip(literal).all(|(a, b)| a == b)
}

/// Whether an address is surely the one that the search would choose: complete, with no longer one possible.
///
/// Colons make the difference: a template that goes on with one leaves IPv6 to the search.
#[inline]
fn is_plain_address(escape: Escape, value: &[u8], literal: &[u8]) -> bool {
    match (escape, value) {
        (_, b"[local]") => true,
        (Escape::Remote, _) => {
            literal.first() != Some(&b'(')
                && !value.contains(&b' ')
                && host_of_remote(value).len() < value.len()
        }
        _ => literal == b" " && !value.contains(&b' '),
    }
}

/// Length of plain free text before `literal`; `None` where the straight line must step aside.
#[inline]
fn free_len(rest: &[u8], literal: &[u8]) -> Option<usize> {
    let first = literal[0];
    let reach = &rest[..rest.len().min(REACH)];
    for (at, &byte) in reach.iter().enumerate() {
        if byte == first {
            if starts_with(&reach[at..], literal) {
                return Some(at);
            }
            if byte == b'@' {
                return None;
            }
        } else if byte == b'@' || byte == b':' && reach.get(at + 1) == Some(&b' ') {
            return None;
        }
    }
    None
}

/// A run of decimal digits as a number (saturating at 19 digits) and its length.
#[inline]
pub(crate) fn number(text: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    let mut len = 0;
    while let Some(byte) = text.get(len)
        && byte.is_ascii_digit()
    {
        if len == 19 {
            return None;
        }
        value = value * 10 + u64::from(byte - b'0');
        len += 1;
    }
    (len > 0).then_some((value, len))
}

/// Length of a value whose shape is its own: digits, times, ids. `None` when it is not there; 0 where background
/// processes print nothing.
pub(crate) fn rigid_len(escape: Escape, rest: &[u8]) -> Option<usize> {
    let digits = |from: usize| rest[from.min(rest.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    let some = |len: usize| (len > 0 && len < 20).then_some(len);
    match escape {
        Escape::Pid | Escape::Line | Escape::Xid => some(digits(0)),
        Escape::Leader => Some(digits(0)).filter(|&len| len < 20),
        Escape::QueryId => {
            let sign = usize::from(rest.first() == Some(&b'-'));
            some(digits(sign)).map(|len| sign + len)
        }
        Escape::Epoch => {
            let seconds = some(digits(0))?;
            (rest.get(seconds) == Some(&b'.') && digits(seconds + 1) == 3).then_some(seconds + 4)
        }
        Escape::Time | Escape::TimeMillis => {
            let stamp = Clock::new(0).read(rest)?;
            ((stamp.decimals == 0) == (escape == Escape::Time)).then_some(stamp.len)
        }
        Escape::SessionStart => {
            let stamp = Clock::new(0).read(rest)?;
            (stamp.decimals == 0).then_some(stamp.len)
        }
        Escape::SqlState => {
            let state = rest.get(..5)?;
            state.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()).then_some(5)
        }
        Escape::SessionId => {
            let hex = |from: usize| rest[from..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
            let start = hex(0);
            if start == 0 || start > 16 || rest.get(start) != Some(&b'.') {
                return None;
            }
            let pid = hex(start + 1);
            (pid > 0 && pid <= 8).then_some(start + 1 + pid)
        }
        Escape::VirtualXid => {
            let proc = digits(0);
            if proc == 0 {
                return Some(0);
            }
            if rest.get(proc) != Some(&b'/') {
                return None;
            }
            let local = digits(proc + 1);
            (local > 0).then_some(proc + 1 + local)
        }
        Escape::Application
        | Escape::User
        | Escape::Database
        | Escape::Remote
        | Escape::Host
        | Escape::LocalAddress
        | Escape::Backend
        | Escape::Command => None,
    }
}

/// `[unknown]` is how elog.c prints an empty name.
#[inline]
pub(crate) fn name(value: &[u8]) -> &[u8] {
    match value {
        [b'[', .., b']'] if UNKNOWN_NAMES.iter().any(|name| name.as_bytes() == value) => b"",
        _ => value,
    }
}

/// `10.0.0.1(54321)` → `10.0.0.1`; `[local]` stays.
pub(crate) fn host_of_remote(value: &[u8]) -> &[u8] {
    if let Some(inner) = value.strip_suffix(b")")
        && let Some(open) = memchr::memrchr(b'(', inner)
        && inner[open + 1..].iter().all(u8::is_ascii_digit)
    {
        return &value[..open];
    }
    value
}

/// `6b0455ba.36f4` → (start in seconds since the epoch, pid).
pub(crate) fn session_id(value: &[u8]) -> Option<(u64, u32)> {
    let dot = memchr::memchr(b'.', value)?;
    let hex = |digits: &[u8]| {
        digits.iter().try_fold(0u64, |sum, &digit| {
            let digit = char::from(digit).to_digit(16)?;
            sum.checked_mul(16)?.checked_add(u64::from(digit))
        })
    };
    if dot == 0 || dot + 1 == value.len() {
        return None;
    }
    Some((hex(&value[..dot])?, u32::try_from(hex(&value[dot + 1..])?).ok()?))
}

/// Puts a value where it belongs. `None` when it is not what its escape prints.
pub(crate) fn assign<'a>(
    escape: Escape,
    value: &'a [u8],
    head: &mut Head<'a>,
    clocks: &mut Clocks,
) -> Option<()> {
    let digits =
        |value: &[u8]| if value.is_empty() { Some(0) } else { number(value).map(|(value, _)| value) };
    match escape {
        Escape::Application => head.who.application = name(value),
        Escape::User => head.who.user = name(value),
        Escape::Database => head.who.database = name(value),
        Escape::Remote => head.who.host = name(host_of_remote(value)),
        // A template with both has the port in `%r`; the host is the same.
        Escape::Host => head.who.host = name(value),
        Escape::LocalAddress | Escape::VirtualXid => {}
        Escape::Backend => head.backend = value,
        Escape::Command => head.command = value,
        Escape::Pid => head.session.pid = digits(value)? as u32,
        // Nobody asks for them, but they must be numbers.
        Escape::Leader | Escape::Line | Escape::Xid => {
            digits(value)?;
        }
        Escape::QueryId => {
            head.fields.query_id = match value {
                [b'-', magnitude @ ..] => 0i64.wrapping_sub_unsigned(digits(magnitude)?),
                magnitude => digits(magnitude)? as i64,
            };
        }
        Escape::SqlState => head.fields.sqlstate = *value.first_chunk()?,
        Escape::Time | Escape::TimeMillis => head.time = Some(clocks.log.read(value)?.time),
        Escape::Epoch => {
            let (seconds, len) = number(value)?;
            let (millis, _) = number(&value[len + 1..])?;
            let seconds = i64::try_from(seconds).ok()?;
            head.time = Some(Timestamp(seconds.checked_mul(1_000_000)?.checked_add(millis as i64 * 1000)?));
        }
        Escape::SessionId => {
            let (start, pid) = session_id(value)?;
            head.session.start = start as u32;
            // Where the template has no `%p`, the id says the same; where it has, both agree.
            head.session.pid = pid;
        }
        Escape::SessionStart => {
            head.session.start = clocks.session.read(value)?.time.second() as u32;
        }
    }
    Some(())
}

/// Clears what the pieces from `mark` on would have set.
pub(crate) fn forget(pieces: &[Piece], mark: usize, head: &mut Head<'_>) {
    let says_pid =
        |piece: &Piece| matches!(piece, Piece::Field { escape: Escape::Pid | Escape::SessionId, .. });
    let pid_known = pieces[..mark].iter().any(says_pid);
    for piece in &pieces[mark..] {
        let Piece::Field { escape, .. } = piece else { continue };
        match escape {
            Escape::Application => head.who.application = b"",
            Escape::User => head.who.user = b"",
            Escape::Database => head.who.database = b"",
            Escape::Remote | Escape::Host => head.who.host = b"",
            Escape::LocalAddress | Escape::Leader | Escape::Line | Escape::Xid | Escape::VirtualXid => {}
            Escape::Backend => head.backend = b"",
            Escape::Command => head.command = b"",
            Escape::Pid => head.session.pid = if pid_known { head.session.pid } else { 0 },
            Escape::QueryId => head.fields.query_id = 0,
            Escape::SqlState => head.fields.sqlstate = [0; 5],
            Escape::Time | Escape::TimeMillis | Escape::Epoch => head.time = None,
            Escape::SessionId | Escape::SessionStart => {
                head.session.pid = if pid_known { head.session.pid } else { 0 };
                head.session.start = 0;
            }
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
