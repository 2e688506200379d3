//! The general prefix matcher: what it says *is* the meaning of a template.
//!
//! The severity word comes first: of all places in the line where one stands, the earliest whose left side the
//! template explains completely. Names may hold anything, so the explanation is searched: free text as short as
//! possible, except that `%u@%d` takes the last `@` it can (`svc@corp@shop` is the user `svc@corp`).

use std::net::IpAddr;

use memchr::memmem;

use super::entry::Part;
use super::prefix::{Clocks, Escape, Head, Piece, REACH, assign, forget, phrase_ends, rigid_len};
use super::severity::{self, Candidate};
use super::time;

/// Steps of the search for one line; beyond it the line is not explained. Real prefixes need a few dozen, and the
/// bound keeps a hostile line from costing more than some microseconds.
const STEPS: u32 = 20_000;

/// Fields of a template that are remembered during the search; no template of sane length has more.
const SPANS: usize = 40;

/// Rejects most continuation lines by the literal at the start of the template or by the first digit of a number.
pub(crate) fn may_begin(pieces: &[Piece], line: &[u8]) -> bool {
    match pieces.first() {
        Some(Piece::Literal(literal)) => line.starts_with(literal),
        Some(Piece::Field { escape, width: 0 }) if !escape.is_free() => shape_len(*escape, line).is_some(),
        Some(Piece::Field { .. } | Piece::SessionOnly) | None => true,
    }
}

/// Whether the rigid pieces stand at the start of the line.
pub(crate) fn matches_head(pieces: &[Piece], line: &[u8]) -> bool {
    let mut at = 0;
    pieces.iter().all(|piece| match piece {
        Piece::Literal(literal) => {
            let found = line[at..].starts_with(literal);
            at += if found { literal.len() } else { 0 };
            found
        }
        Piece::Field { escape, .. } => shape_len(*escape, &line[at..]).map(|len| at += len).is_some(),
        Piece::SessionOnly => true,
    })
}

/// Length of a rigid value, or of a time that does not exist: damage, and still the begin of an entry.
fn shape_len(escape: Escape, rest: &[u8]) -> Option<usize> {
    rigid_len(escape, rest).or_else(|| match escape {
        Escape::Time | Escape::TimeMillis | Escape::SessionStart => time::impossible_len(rest),
        _ => None,
    })
}

/// The part and the begin of the text when `line` begins an entry; `head` then holds the prefix's values. `squeezed`:
/// one blank after the severity word is enough.
pub(crate) fn begin<'a>(
    pieces: &[Piece],
    squeezed: bool,
    line: &'a [u8],
    head: &mut Head<'a>,
    clocks: &mut Clocks,
) -> Option<(Part, usize)> {
    let mut search = Search { spans: [(0, 0); SPANS], steps: STEPS };
    let found = severity::candidates(line, REACH)
        .find_map(|candidate| search.begin(pieces, candidate, line, head, clocks));
    if found.is_some() || !squeezed {
        return found;
    }
    severity::squeezed_candidates(line, REACH)
        .find_map(|candidate| search.begin(pieces, candidate, line, head, clocks))
}

struct Search {
    /// Begin and end of the value of each piece.
    spans: [(u16, u16); SPANS],
    steps: u32,
}

impl Search {
    /// Tries one severity word: the whole template before it, or what stands before `%q`.
    fn begin<'a>(
        &mut self,
        pieces: &[Piece],
        candidate: Candidate,
        line: &'a [u8],
        head: &mut Head<'a>,
        clocks: &mut Clocks,
    ) -> Option<(Part, usize)> {
        let slice = &line[..candidate.word];
        if self.explain(pieces, 0, slice, 0) {
            self.assign(pieces, slice, head, clocks)?;
            return Some((candidate.part, candidate.text));
        }
        let mark = pieces.iter().position(|piece| *piece == Piece::SessionOnly)?;
        if self.explain(&pieces[..mark], 0, slice, 0) {
            self.assign(&pieces[..mark], slice, head, clocks)?;
            forget(pieces, mark, head);
            return Some((candidate.part, candidate.text));
        }
        None
    }

    /// Whether `pieces[index..]` explains `slice[at..]` to its end.
    fn explain(&mut self, pieces: &[Piece], index: usize, slice: &[u8], at: usize) -> bool {
        if self.steps == 0 || index >= SPANS {
            self.steps = 0;
            return false;
        }
        self.steps -= 1;
        let Some(piece) = pieces.get(index) else { return at == slice.len() };
        let rest = &slice[at..];
        match piece {
            Piece::SessionOnly => self.explain(pieces, index + 1, slice, at),
            Piece::Literal(literal) => {
                rest.starts_with(literal) && self.explain(pieces, index + 1, slice, at + literal.len())
            }
            Piece::Field { escape, width } if escape.is_free() => {
                self.explain_free(pieces, index, *escape, *width, slice, at)
            }
            Piece::Field { escape, width } => {
                let width_bytes = width.unsigned_abs() as usize;
                let blanks =
                    if *width > 0 { rest.iter().take_while(|&&byte| byte == b' ').count() } else { 0 };
                if let Some(len) = rigid_len(*escape, &rest[blanks..]) {
                    let end = match *width {
                        1.. if blanks == 0 || blanks + len == width_bytes => Some(blanks + len),
                        0 => Some(len),
                        ..0 if len >= width_bytes => Some(len),
                        ..0 if blank(rest, len, width_bytes) => Some(width_bytes),
                        _ => None,
                    };
                    if let Some(end) = end {
                        self.spans[index] = ((at + blanks) as u16, (at + blanks + len) as u16);
                        if self.explain(pieces, index + 1, slice, at + end) {
                            return true;
                        }
                    }
                }
                // A value that the process does not have is printed as blanks, all of them.
                if *width != 0 && blank(rest, 0, width_bytes) {
                    self.spans[index] = (at as u16, at as u16);
                    return self.explain(pieces, index + 1, slice, at + width_bytes);
                }
                false
            }
        }
    }

    /// Free text: tries ends in the order of preference.
    fn explain_free(
        &mut self,
        pieces: &[Piece],
        index: usize,
        escape: Escape,
        width: i32,
        slice: &[u8],
        at: usize,
    ) -> bool {
        let rest = &slice[at..];
        let least = width.unsigned_abs() as usize;
        // Addresses hold no blanks, except those of their padding.
        let most = if escape.is_address() && width == 0 {
            memchr::memchr(b' ', rest).unwrap_or(rest.len())
        } else {
            rest.len()
        };
        if least > most {
            return false;
        }
        let next = pieces.get(index + 1);
        // The blanks of a backend type or a command tag are no ends.
        let follows: Option<&[u8]> = next.map(|next| match next {
            Piece::Literal(literal) => &**literal,
            Piece::Field { .. } | Piece::SessionOnly => b"",
        });
        if width == 0
            && let Some(follows) = follows
            && phrase_ends(escape, rest, follows)
                .any(|end| self.try_end(pieces, index, width, slice, at, end))
        {
            return true;
        }
        match next {
            None => self.try_end(pieces, index, width, slice, at, rest.len()),
            Some(Piece::Literal(literal)) if escape == Escape::User && literal.first() == Some(&b'@') => {
                self.explain_user(pieces, index, width, slice, at, literal)
            }
            Some(Piece::Literal(literal)) if escape.is_address() && width == 0 => {
                self.explain_address(pieces, index, escape, slice, at, &rest[..most], literal)
            }
            Some(Piece::Literal(literal)) => {
                memmem::find_iter(rest, &**literal)
                    .take_while(|&end| end <= most)
                    .filter(|&end| end >= least)
                    .any(|end| self.try_end(pieces, index, width, slice, at, end))
                    || overlapping(rest, literal)
                        .filter(|end| (least..=most).contains(end))
                        .any(|end| self.try_end(pieces, index, width, slice, at, end))
            }
            Some(Piece::Field { .. } | Piece::SessionOnly) => {
                (least..=most).any(|end| self.try_end(pieces, index, width, slice, at, end))
            }
        }
    }

    /// An address before a literal: `2001:db8::7` may hold what follows it in the template. One that is complete as an
    /// address wins over one that is only shorter.
    #[expect(clippy::too_many_arguments, reason = "the search's state, as everywhere in this file")]
    fn explain_address(
        &mut self,
        pieces: &[Piece],
        index: usize,
        escape: Escape,
        slice: &[u8],
        at: usize,
        rest: &[u8],
        literal: &[u8],
    ) -> bool {
        // The literal itself may begin with the blank that ends an address.
        let ends = |whole: bool| {
            let tail = &slice[at..];
            (0..=rest.len()).filter(move |&end| {
                tail[end..].starts_with(literal) && is_complete_address(escape, &tail[..end]) == whole
            })
        };
        // A port ends an address once and for all; without one, `::1` is also the beginning of `::1:2`.
        let complete = if escape == Escape::Remote {
            ends(true).any(|end| self.try_end(pieces, index, 0, slice, at, end))
        } else {
            ends(true).rev().any(|end| self.try_end(pieces, index, 0, slice, at, end))
        };
        complete || ends(false).any(|end| self.try_end(pieces, index, 0, slice, at, end))
    }

    /// `%u@`: the last `@` before the literal that ends `%d`, then earlier ones, then later ones.
    fn explain_user(
        &mut self,
        pieces: &[Piece],
        index: usize,
        width: i32,
        slice: &[u8],
        at: usize,
        literal: &[u8],
    ) -> bool {
        let rest = &slice[at..];
        let least = width.unsigned_abs() as usize;
        let Some(first) = memmem::find(rest, literal) else { return false };
        let after_database = match pieces.get(index + 3) {
            Some(Piece::Literal(end)) if index + 4 < pieces.len() => {
                memmem::find(&rest[first + literal.len()..], end).map(|end| first + literal.len() + end)
            }
            _ => None,
        };
        let near = after_database.unwrap_or(rest.len());
        memmem::rfind_iter(&rest[..near], literal)
            .filter(|&end| end >= least)
            .any(|end| self.try_end(pieces, index, width, slice, at, end))
            || memmem::find_iter(rest, literal)
                .filter(|&end| end >= least && end + literal.len() > near)
                .any(|end| self.try_end(pieces, index, width, slice, at, end))
    }

    fn try_end(
        &mut self,
        pieces: &[Piece],
        index: usize,
        width: i32,
        slice: &[u8],
        at: usize,
        len: usize,
    ) -> bool {
        let value = &slice[at..at + len];
        let least = width.unsigned_abs() as usize;
        let (begin, end) = if len == least && width > 0 {
            (at + value.iter().take_while(|&&byte| byte == b' ').count(), at + len)
        } else if len == least && width < 0 {
            (at, at + value.trim_ascii_end().len())
        } else {
            (at, at + len)
        };
        self.spans[index] = (begin as u16, end as u16);
        self.explain(pieces, index + 1, slice, at + len)
    }

    fn assign<'a>(
        &self,
        pieces: &[Piece],
        slice: &'a [u8],
        head: &mut Head<'a>,
        clocks: &mut Clocks,
    ) -> Option<()> {
        for (index, (piece, &(begin, end))) in pieces.iter().zip(&self.spans).enumerate() {
            if let Piece::Field { escape, width } = piece {
                let value = &slice[usize::from(begin)..usize::from(end)];
                if value.is_empty() && *width != 0 {
                    forget(&pieces[..=index], index, head);
                } else {
                    assign(*escape, value, head, clocks)?;
                }
            }
        }
        Some(())
    }
}

/// Whether a value is all that its escape prints: `[local]`, `host(port)` for `%r`, an address for `%h`.
pub(crate) fn is_complete_address(escape: Escape, value: &[u8]) -> bool {
    if value == b"[local]" {
        return true;
    }
    match escape {
        Escape::Remote => super::prefix::host_of_remote(value).len() < value.len(),
        _ => std::str::from_utf8(value).is_ok_and(|text| text.parse::<IpAddr>().is_ok()),
    }
}

/// Whether `rest[from..to]` exists and is all blanks.
fn blank(rest: &[u8], from: usize, to: usize) -> bool {
    rest.get(from..to).is_some_and(|padding| padding.iter().all(|&byte| byte == b' '))
}

/// Ends that `memmem::find_iter` leaves out because occurrences overlap: only for literals such as `::`.
fn overlapping<'s>(rest: &'s [u8], literal: &'s [u8]) -> impl Iterator<Item = usize> + 's {
    let repeats = literal.len() > 1 && literal.iter().all(|&byte| byte == literal[0]);
    let limit = if repeats { rest.len() } else { 0 };
    (0..limit).filter(move |&at| rest[at..].starts_with(literal))
}
