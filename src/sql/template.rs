//! [`Template`]: a statement as constant text with values in it, so that the next one like it is compared, not lexed.
//!
//! ```text
//!  UPDATE t SET a = a + -12 WHERE id IN (3, 4)      learned from one text
//!  ╰───── same ─────╯ ±number ╰─ same ─╯ list ╰ same
//! ```
//!
//! What makes it safe: after a plain literal (plain.rs) both lexers are in the same state whatever its digits or
//! letters are, because they look at the kind of a token and never into it. So a text with the same bytes between
//! literals of the same kinds has the same canonical tokens. Everything that is not that plain stays constant text
//! with a constant value (`1e5`, `'it''s'`, `NULL`), and three things are tried out by the lexer when a template is
//! learned: whether a minus may come and go before a number, whether a list may be shorter, and whether it may be
//! longer.
//!
//! If you change what a literal is, the property tests of recall.rs and the fuzz target `recall` will tell.

use super::Digest;
use super::canonical::{Canonical, List, canonical};
use super::hash::{Chain, Fingerprint};
use super::literal::{Form, Literal, param_hash};
use super::params::Params;
use super::plain;
use super::swar::{keep, load};
use super::table::{Class, class};

/// Steps of one template; a statement with more is left to the lexer.
const MOST_STEPS: usize = 192;

/// Whether a minus belongs to a number.
#[derive(Debug, Clone, Copy, Eq, PartialEq)]
enum Sign {
    /// None does; one before it is an operator.
    None,
    /// One does, and stands in the text before it.
    Minus,
    /// One may stand directly before it.
    Optional,
}

/// A literal that is plain.
#[derive(Debug, Clone, Copy, Eq, PartialEq)]
enum Plain {
    Number(Sign),
    String,
}

impl Plain {
    /// Its hash and where it ends, if such a literal stands at `at`.
    #[inline(always)]
    fn read(self, sql: &[u8], at: usize) -> Option<(u64, usize)> {
        match self {
            Self::Number(sign) => {
                let minus = sign == Sign::Optional && sql.get(at) == Some(&b'-');
                plain::number(sql, at + usize::from(minus), minus || sign == Sign::Minus)
            }
            Self::String => {
                if sql.get(at) != Some(&b'\'') {
                    return None;
                }
                plain::string(sql, at).filter(|(_, end)| sql.get(*end) != Some(&b'\''))
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Up to eight bytes.
    Short { word: u64, len: u8 },
    /// Bytes of the learned text.
    Same { from: u32, to: u32 },
    /// A value of the text.
    Plain(Plain),
    /// A whole list: one or more values with a comma between them, which count as one placeholder.
    List { each: Plain, comma: u64, len: u8 },
    /// A value that stands in the constant text.
    Constant(u64),
    /// How many elements the list has that ends here, where the text says it.
    Length { count: u32, nested: bool },
    /// The value of `$n`; 0 for a parameter that has no number.
    Param(u32),
}

/// A statement that was seen, with its values taken out.
#[derive(Debug, Clone)]
pub(super) struct Template {
    text: Box<[u8]>,
    steps: Box<[Step]>,
    /// Those of the learned text.
    frame: Frame,
}

/// The parts of a digest in which the values of a statement have no say.
#[derive(Debug, Clone, Copy, Eq, PartialEq)]
struct Frame {
    fingerprint: Fingerprint,
    rows: u32,
    has_values: bool,
    truncated: bool,
    comments: bool,
}

impl Frame {
    fn of(digest: &Digest) -> Self {
        let Digest { fingerprint, rows, has_values, truncated, comments, .. } = *digest;
        Self { fingerprint, rows, has_values, truncated, comments }
    }
}

impl Template {
    /// What `sql` teaches; `None` when it is nothing that pays.
    pub(super) fn learn(sql: &[u8]) -> Option<Self> {
        let digest = super::digest(sql, None);
        let canonical = canonical(sql);
        let frame = Frame::of(&digest);
        let mut learner = Learner { sql, frame, steps: Vec::new(), at: 0, value_before: false };
        learner.values(&canonical)?;
        learner.same(sql.len());
        learner.compare_first();
        (learner.steps.len() <= MOST_STEPS).then(|| Self {
            text: sql.into(),
            steps: learner.steps.into(),
            frame,
        })
    }

    /// Whose template it is.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.frame.fingerprint
    }

    /// Memory that it takes.
    pub(super) fn size(&self) -> usize {
        self.text.len() + size_of_val(&*self.steps) + size_of::<Self>()
    }

    /// Makes `digest` that of a text that is like the learned one; `None` when it is not, or not surely: what
    /// `digest` says then means nothing. `params` are complete.
    #[inline(always)]
    pub(super) fn read(&self, sql: &[u8], params: Option<&Params<'_>>, digest: &mut Digest) -> Option<()> {
        digest.values.clear();
        let mut at = 0;
        let mut chain = Chain::values();
        let mut known = true;
        for step in &self.steps {
            let hash = match *step {
                Step::Short { word, len } => {
                    at = short(sql, at, word, len)?;
                    continue;
                }
                Step::Same { from, to } => {
                    let same = &self.text[from as usize..to as usize];
                    if sql.get(at..at + same.len())? != same {
                        return None;
                    }
                    at += same.len();
                    continue;
                }
                Step::Plain(plain) => {
                    let (hash, end) = plain.read(sql, at)?;
                    at = end;
                    hash
                }
                Step::List { each, comma, len } => {
                    let (mut hash, mut end) = each.read(sql, at)?;
                    let mut count = 1;
                    while let Some(next) = short(sql, end, comma, len) {
                        chain = chain.link(hash);
                        digest.values.push(hash);
                        (hash, end) = each.read(sql, next)?;
                        count += 1;
                    }
                    at = end;
                    digest.values.push(hash);
                    chain = chain.link(hash).list(count, false);
                    continue;
                }
                Step::Length { count, nested } => {
                    chain = chain.list(count, nested);
                    continue;
                }
                Step::Constant(hash) => hash,
                Step::Param(number) => match params.and_then(|params| params.get(number as usize)) {
                    Some(param) => param_hash(param),
                    None => {
                        known = false;
                        continue;
                    }
                },
            };
            chain = chain.link(hash);
            digest.values.push(hash);
        }
        if at != sql.len() {
            return None;
        }
        digest.params = known.then(|| chain.seal());
        if !known {
            digest.values.clear();
        }
        let Frame { fingerprint, rows, has_values, truncated, comments } = self.frame;
        digest.fingerprint = fingerprint;
        digest.rows = rows;
        digest.has_values = has_values;
        digest.truncated = truncated;
        digest.comments = comments;
        Some(())
    }
}

/// Where a short constant of one to eight bytes ends that begins at `at`.
#[inline(always)]
fn short(sql: &[u8], at: usize, word: u64, len: u8) -> Option<usize> {
    let end = at + usize::from(len);
    let found = match sql.get(..end)?.last_chunk::<8>() {
        // Up to its end, so that nothing behind it is needed.
        Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * u32::from(len)),
        None => load(sql, at) & keep(usize::from(len)),
    };
    (found == word).then_some(end)
}

/// Takes a text apart.
struct Learner<'s> {
    sql: &'s [u8],
    frame: Frame,
    steps: Vec<Step>,
    /// What stands before is in the steps.
    at: usize,
    /// The last step that stands for text is a value.
    value_before: bool,
}

/// A plain literal in its place.
#[derive(Clone, Copy)]
struct Found {
    plain: Plain,
    start: usize,
    end: usize,
}

impl<'s> Learner<'s> {
    /// The steps up to the last value. `None`: values that no template holds apart.
    fn values(&mut self, canonical: &Canonical<'_>) -> Option<()> {
        let mut next = 0;
        // A list without values: `VALUES (DEFAULT), (DEFAULT)`.
        self.lengths(canonical, 0, None);
        while let Some(literal) = canonical.literals.get(next) {
            let Some(first) = self.find(literal, None) else {
                self.steps.push(match literal.form {
                    Form::Parameter => Step::Param(parameter(literal.text)),
                    _ => Step::Constant(literal.hash(None)?),
                });
                next += 1;
                self.lengths(canonical, next, None);
                continue;
            };
            // Two values without anything between them could share their bytes in another way.
            if first.start < self.at || first.start == self.at && self.value_before {
                return None;
            }
            self.same(first.start);
            let (last, list) = self.run(canonical, next, first);
            self.at = last.end;
            self.value_before = true;
            next += list.map_or(1, |list| list.count as usize);
            self.lengths(canonical, next, list);
        }
        Some(())
    }

    /// The lengths of the lists that end after so many literals, but for one that counts itself.
    fn lengths(&mut self, canonical: &Canonical<'_>, literals: usize, counted: Option<List>) {
        for list in canonical.lists.iter().filter(|list| list.literals == literals) {
            // One value or row adds nothing to the hash.
            if Some(*list) != counted && (list.count > 1 || list.nested) {
                self.steps.push(Step::Length { count: list.count, nested: list.nested });
            }
        }
    }

    /// Without values in the text, all of it is one piece, and is compared before parameters are hashed.
    fn compare_first(&mut self) {
        let outside = |step: &Step| matches!(step, Step::Param(_) | Step::Constant(_) | Step::Length { .. });
        if let [values @ .., Step::Short { .. } | Step::Same { .. }] = &*self.steps
            && values.iter().all(outside)
        {
            self.steps.rotate_right(1);
        }
    }

    /// The constant text up to `to`.
    fn same(&mut self, to: usize) {
        let text = &self.sql[self.at..to];
        match text.len() {
            0 => return,
            len @ 1..=8 => self.steps.push(Step::Short { word: load(text, 0), len: len as u8 }),
            _ => self.steps.push(Step::Same { from: self.at as u32, to: to as u32 }),
        }
        self.at = to;
        self.value_before = false;
    }

    /// A value that stands for itself, or all those of a list that is one placeholder: the last of them, and the list.
    fn run(&mut self, canonical: &Canonical<'_>, from: usize, first: Found) -> (Found, Option<List>) {
        let Some((last, comma, list)) = self.list(canonical, from, first) else {
            self.steps.push(Step::Plain(first.plain));
            return (first, None);
        };
        self.steps.push(Step::List { each: first.plain, comma: load(comma, 0), len: comma.len() as u8 });
        (last, Some(list))
    }

    /// A list of plain values that may be shorter and longer: its last value, its comma, and the list. A part of a
    /// list will not do, because its length counts.
    fn list(&self, canonical: &Canonical<'_>, from: usize, first: Found) -> Option<(Found, &'s [u8], List)> {
        let sql = self.sql;
        let slot = *canonical.slots.get(from)?;
        let (mut last, mut count) = (first, 1);
        let mut comma: Option<&'s [u8]> = None;
        while let (Some(literal), Some(next)) =
            (canonical.literals.get(from + count), canonical.slots.get(from + count))
            && *next == slot
            && let Some(found) = self.find(literal, Some(first.plain))
            && let Some(between) = sql.get(last.end..found.start)
            && is_comma(between)
            && comma.is_none_or(|comma| comma == between)
        {
            comma = Some(between);
            last = found;
            count += 1;
        }
        let comma = comma?;
        let whole =
            |list: &&List| list.literals == from + count && list.count as usize == count && !list.nested;
        let list = *canonical.lists.iter().find(whole)?;
        let shorter = [&sql[..first.end], &sql[last.end..]].concat();
        let longer = [&sql[..last.end], comma, &sql[first.start..first.end], &sql[last.end..]].concat();
        (self.is_like(&shorter) && self.is_like(&longer)).then_some((last, comma, list))
    }

    /// Where a literal stands, if it is plain, and, in a list, of the kind of `like`.
    fn find(&self, literal: &Literal<'_>, like: Option<Plain>) -> Option<Found> {
        let sql = self.sql;
        let start = literal.text.as_ptr().addr().checked_sub(sql.as_ptr().addr())?;
        let end = start + literal.text.len();
        if sql.get(start..end)? != literal.text {
            return None;
        }
        let found = match (literal.form, like) {
            (Form::Number { negative }, None) => self.number(start, end, negative)?,
            // The minus of the first one, which stands apart from it, is not that of the others.
            (Form::Number { negative }, Some(plain @ Plain::Number(sign))) if sign != Sign::Minus => {
                let minus = negative && sign == Sign::Optional && start > 0 && sql[start - 1] == b'-';
                Found { plain, start: start - usize::from(minus), end }
            }
            (Form::Plain, None | Some(Plain::String)) => Found { plain: Plain::String, start, end },
            _ => return None,
        };
        // Reading it must lead to its end: what is not plain, or is followed by what could go on with it, does not.
        (found.plain.read(sql, found.start)?.1 == end).then_some(found)
    }

    /// A number, and whether it may have a minus.
    fn number(&self, start: usize, end: usize, negative: bool) -> Option<Found> {
        let sql = self.sql;
        plain::number(sql, start, negative).filter(|(_, found)| *found == end)?;
        // Other digits could become part of what stands before: `0b1` and `2` are two numbers, `0b10` is one.
        let stands_free = |at: usize| {
            let before = at.checked_sub(1).map(|before| class(sql[before]));
            !matches!(before, Some(Class::Letter | Class::Digit | Class::Dot | Class::Dollar))
        };
        if !stands_free(start) {
            return None;
        }
        let fixed =
            Found { plain: Plain::Number(if negative { Sign::Minus } else { Sign::None }), start, end };
        let optional = Plain::Number(Sign::Optional);
        if !negative {
            let signed = [&sql[..start], b"-", &sql[start..]].concat();
            return Some(if self.is_like(&signed) { Found { plain: optional, ..fixed } } else { fixed });
        }
        let minus = start.checked_sub(1).filter(|minus| sql[*minus] == b'-' && stands_free(*minus));
        let Some(minus) = minus else { return Some(fixed) };
        let unsigned = [&sql[..minus], &sql[start..]].concat();
        Some(if self.is_like(&unsigned) { Found { plain: optional, start: minus, end } } else { fixed })
    }

    /// Is it the same statement?
    fn is_like(&self, variant: &[u8]) -> bool {
        Frame::of(&super::digest(variant, None)) == self.frame
    }
}

/// The number of `$n`; 0, which no list of parameters has, when there is none.
fn parameter(text: &[u8]) -> u32 {
    let digits = text.get(1..).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// A comma with blanks after it, at most eight bytes.
fn is_comma(text: &[u8]) -> bool {
    text.len() <= 8
        && text.split_first().is_some_and(|(comma, rest)| *comma == b',' && rest.iter().all(|b| *b == b' '))
}

#[cfg(test)]
mod tests;
