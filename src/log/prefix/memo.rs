//! Prefixes that were seen before: compared, not parsed.
//!
//! Lines of one backend begin alike but for their time and number:
//!
//! ```text
//!  %m [%p]: [%l-1] user=%u,db=%d     2026-11-23 14:59:16.162 UTC [77]: [5-1] user=app,db=shop
//!                                    ╰───────── read ──────────╯╰─same──╯╰╯╰──────same──────╯
//! ```
//!
//! A [`Memo`] lives as long as a chunk. It is an optimisation and nothing else: the straight-line matcher looks at no
//! byte behind a stretch to decide what the stretch says (`Plan::of` and `Memo::learn` refuse where it might), so the
//! same bytes say the same again.

use bumpalo::Bump;

use super::{Clocks, Escape, Head, Piece, Prefix, assign, number, rigid_len};
use crate::log::entry::{Part, Session, Who};
use crate::log::severity::{ends_in_word, word_at};

/// Stretches of a template that stay the same from line to line.
const MOST_STRETCHES: usize = 3;
/// Prefixes that are remembered; a power of two.
const SLOTS: usize = 128;

/// A template as stretches that stay the same and values that change with each line.
#[derive(Debug, Clone)]
pub(super) struct Plan(Box<[Step]>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Pieces that say the same in every line of a backend.
    Same,
    /// A value of this line.
    Changing(Escape),
}

/// Whether a value changes from line to line, and its shape says where it ends.
pub(super) fn changes(piece: &Piece) -> Option<Escape> {
    match piece {
        Piece::Field {
            escape:
                escape @ (Escape::Time
                | Escape::TimeMillis
                | Escape::Epoch
                | Escape::Line
                | Escape::Xid
                | Escape::VirtualXid
                | Escape::QueryId
                | Escape::SqlState),
            width: 0,
        } => Some(*escape),
        _ => None,
    }
}

impl Plan {
    /// The plan of a template; `None` where a stretch would not end by itself, and for rare values.
    pub(super) fn of(pieces: &[Piece]) -> Option<Self> {
        let mut steps: Vec<Step> = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            if let Some(escape) = changes(piece) {
                steps.push(Step::Changing(escape));
                continue;
            }
            match piece {
                Piece::Field { escape: Escape::Backend | Escape::Command | Escape::Leader, .. } => {
                    return None;
                }
                // Digits and names end where a literal begins.
                Piece::Field { .. } if !matches!(pieces.get(index + 1), Some(Piece::Literal(_))) => {
                    return None;
                }
                _ => {}
            }
            if steps.last() != Some(&Step::Same) {
                steps.push(Step::Same);
            }
        }
        // Values of the session that `%q` hides must not stand after a value that changes.
        let mark = pieces.iter().position(|piece| *piece == Piece::SessionOnly);
        let hidden = mark.is_some_and(|mark| pieces[mark..].iter().any(|piece| changes(piece).is_some()));
        let same = steps.iter().filter(|step| **step == Step::Same).count();
        (!hidden && (1..=MOST_STRETCHES).contains(&same)).then(|| Self(steps.into()))
    }
}

/// What lines of one backend have in common.
#[derive(Debug, Clone, Copy)]
struct Seen<'a> {
    stretches: [&'a [u8]; MOST_STRETCHES],
    session: Session,
    who: &'a Who<'a>,
    origin: u32,
}

/// Prefixes of a chunk.
#[derive(Debug)]
pub(crate) struct Memo<'a> {
    slots: Box<[Option<Seen<'a>>]>,
    origins: u32,
}

impl Default for Memo<'_> {
    fn default() -> Self {
        Self { slots: vec![None; SLOTS].into(), origins: 0 }
    }
}

/// Where the straight-line matcher met values that change: begin and end, in order.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Gaps {
    list: [(usize, usize); 8],
    count: usize,
}

impl Gaps {
    #[inline]
    pub(super) fn push(&mut self, begin: usize, end: usize) {
        if let Some(gap) = self.list.get_mut(self.count) {
            *gap = (begin, end);
        }
        self.count += 1;
    }
}

/// By the first bytes of the first stretch, which mostly hold the process id.
#[inline]
fn slot(rest: &[u8]) -> usize {
    let word = |at: usize| rest[at..].first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let key = if rest.len() < 9 { 0 } else { word(0) ^ word(1).rotate_left(17) };
    // Only the upper bits of a product depend on all bytes.
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize % SLOTS
}

/// The length of a time at the start of `rest`, which goes into `head`.
#[inline(always)]
fn time(escape: Escape, rest: &[u8], head: &mut Head<'_>, clocks: &mut Clocks) -> Option<usize> {
    let stamp = clocks.log.read(rest)?;
    if (stamp.decimals == 0) != (escape == Escape::Time) {
        return None;
    }
    head.time = Some(stamp.time);
    Some(stamp.len)
}

/// The length of a stretch at the start of `rest`.
#[inline(always)]
fn same(seen: &Seen<'_>, stretch: usize, rest: &[u8]) -> Option<usize> {
    let same = seen.stretches[stretch];
    (rest.get(..same.len())? == same).then_some(same.len())
}

impl<'a> Memo<'a> {
    /// The part and the begin of the text of a line whose prefix was seen before.
    #[inline(always)]
    pub(super) fn recall(
        &self,
        plan: &Plan,
        line: &'a [u8],
        head: &mut Head<'a>,
        clocks: &mut Clocks,
    ) -> Option<(Part, usize)> {
        let (at, seen) = match &*plan.0 {
            // Most templates begin with the time, and change no more.
            [Step::Changing(escape @ (Escape::Time | Escape::TimeMillis)), Step::Same] => {
                let len = time(*escape, line, head, clocks)?;
                let rest = &line[len..];
                let seen = self.slots[slot(rest)].as_ref()?;
                (len + same(seen, 0, rest)?, seen)
            }
            steps => self.walk(steps, line, head, clocks)?,
        };
        let (part, len) = word_at(&line[at..])?;
        head.session = seen.session;
        head.known = Some(seen.who);
        head.origin = seen.origin;
        Some((part, at + len))
    }

    /// Where the prefix ends, and what lines like it have in common.
    #[inline(never)]
    fn walk(
        &self,
        steps: &[Step],
        line: &'a [u8],
        head: &mut Head<'a>,
        clocks: &mut Clocks,
    ) -> Option<(usize, &Seen<'a>)> {
        let mut at = 0;
        let mut seen: Option<&Seen<'a>> = None;
        let mut stretch = 0;
        for step in steps {
            let rest = &line[at..];
            at += match step {
                Step::Same => {
                    let known = match seen {
                        Some(seen) => seen,
                        None => self.slots[slot(rest)].as_ref()?,
                    };
                    let len = same(known, stretch, rest)?;
                    seen = Some(known);
                    stretch += 1;
                    len
                }
                Step::Changing(escape @ (Escape::Time | Escape::TimeMillis)) => {
                    time(*escape, rest, head, clocks)?
                }
                Step::Changing(Escape::Line) => {
                    let (_, len) = number(rest)?;
                    len
                }
                Step::Changing(escape) => {
                    let len = rigid_len(*escape, rest)?;
                    assign(*escape, &rest[..len], head, clocks)?;
                    len
                }
            };
        }
        Some((at, seen?))
    }

    /// Remembers a line that the straight-line matcher has read whole: its prefix ends at `end`.
    #[inline(never)]
    pub(super) fn learn(
        &mut self,
        plan: &Plan,
        line: &'a [u8],
        end: usize,
        gaps: &Gaps,
        head: &mut Head<'a>,
        arena: &'a Bump,
    ) {
        let mut stretches: [&[u8]; MOST_STRETCHES] = [b""; MOST_STRETCHES];
        let mut gaps = gaps.list.iter().take(gaps.count);
        let (mut at, mut stretch, mut first) = (0, 0, 0);
        for (index, step) in plan.0.iter().enumerate() {
            match step {
                Step::Same => {
                    let next = if plan.0[index + 1..].is_empty() {
                        end
                    } else {
                        gaps.clone().next().map_or(end, |gap| gap.0)
                    };
                    let Some(same) = line.get(at..next) else { return };
                    // At `%q`, a severity word that goes on behind the stretch would hide the values of the session.
                    if ends_in_word(same) {
                        return;
                    }
                    first = if stretch == 0 { at } else { first };
                    stretches[stretch] = same;
                    stretch += 1;
                    at = next;
                }
                Step::Changing(_) => match gaps.next() {
                    Some(gap) => at = gap.1,
                    None => return,
                },
            }
        }
        self.origins += 1;
        head.origin = self.origins;
        let who = &*arena.alloc(head.who);
        head.known = Some(who);
        self.slots[slot(&line[first..])] =
            Some(Seen { stretches, session: head.session, who, origin: self.origins });
    }
}

impl Prefix {
    /// The part and the begin of the text of an entry whose prefix was seen before, if `rest` begins with one.
    #[inline(always)]
    pub(crate) fn again<'a>(
        &self,
        rest: &'a [u8],
        head: &mut Head<'a>,
        clocks: &mut Clocks,
        memo: &Memo<'a>,
    ) -> Option<(Part, usize)> {
        // A tab goes on with the entry before, whatever follows.
        let plan = self.plan.as_ref().filter(|_| rest.first() != Some(&b'\t'))?;
        memo.recall(plan, rest, head, clocks)
    }

    /// [`Prefix::begin`] of a line that [`Prefix::again`] did not know; it is remembered.
    pub(crate) fn begin_anew<'a>(
        &self,
        line: &'a [u8],
        head: &mut Head<'a>,
        clocks: &mut Clocks,
        memo: &mut Memo<'a>,
        arena: &'a Bump,
    ) -> super::Line {
        head.known = None;
        let Some(plan) = &self.plan else { return self.begin(line, head, clocks) };
        head.origin = 0;
        let mut gaps = Gaps::default();
        if let Some(found) = self.straight(line, head, clocks, &mut gaps) {
            if let Some(end) = found.whole {
                memo.learn(plan, line, end, &gaps, head, arena);
            }
            return super::Line::Begins(found.part, found.text);
        }
        self.begin_slow(line, head, clocks)
    }
}
