//! Lists of values: one element stands for all.
//!
//! `IN (…)`, `ARRAY[…]` and the rows of VALUES, folded when every element is a value, or a row of as many
//! values. From the last item to the first, so that an inner list is done before the outer one looks at it.

use super::{Item, ItemKind, role_at};
use crate::sql::words::Role;

/// PostgreSQL has arrays of at most six dimensions.
const DEEPEST_ARRAY: usize = 8;

/// What an element is made of; those of one list must be alike.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Element {
    Value,
    /// Cells, which of them are DEFAULT (folded into one number), and whether ROW is spelled out.
    Row {
        cells: u32,
        defaults: u64,
        keyword: bool,
    },
    /// A list of values in so many brackets, already folded itself; for each of them a bit, whether ARRAY is spelled
    /// out.
    Brackets {
        depth: usize,
        keywords: u32,
    },
}

/// What folding leaves.
pub(super) struct Folded<'a> {
    /// The items that remain.
    pub(super) items: Vec<Item<'a>>,
    /// For each item, which remaining item now stands for it.
    pub(super) moved: Vec<usize>,
    /// In the order of their ends.
    pub(super) lists: Vec<EndedList>,
}

/// A list that was folded.
pub(super) struct EndedList {
    /// The last item of its elements, before folding.
    pub(super) last: usize,
    /// Whole elements.
    pub(super) count: u32,
    /// The elements are lists themselves.
    pub(super) nested: bool,
}

/// Folds all lists.
pub(super) fn fold_lists<'a>(items: &[Item<'a>]) -> Folded<'a> {
    let mut fold = Fold {
        items,
        rest: Vec::with_capacity(items.len()),
        stands_for: (0..items.len()).collect(),
        lists: Vec::new(),
    };
    for index in (0..items.len()).rev() {
        match role_at(items, index) {
            Role::In if fold.peek(0, b"(") => fold.list(1, Some(b")"), false),
            Role::Values if fold.peek(0, b"(") => fold.list(0, None, true),
            _ if items[index].is_symbol(b"[") && opens_list(items, index) => fold.list(0, Some(b"]"), false),
            _ => {}
        }
        fold.rest.push(index);
    }
    fold.rest.reverse();
    let folded = fold.rest.iter().map(|index| items[*index]).collect();
    let mut place = vec![0; items.len()];
    for (new, old) in fold.rest.iter().enumerate() {
        place[*old] = new;
    }
    // A representative stands before what it represents, so its own place is final by then.
    for old in 0..items.len() {
        if fold.stands_for[old] != old {
            place[old] = place[fold.stands_for[old]];
        }
    }
    fold.lists.sort_by_key(|list| list.last);
    Folded { items: folded, moved: place, lists: fold.lists }
}

/// A bracket after ARRAY, or where an operand is expected; after an operand it is a subscript.
fn opens_list(items: &[Item<'_>], index: usize) -> bool {
    index > 0 && matches!(role_at(items, index - 1), Role::Array | Role::Prefix)
}

struct Fold<'i, 'a> {
    items: &'i [Item<'a>],
    /// What remains to the right, the next item last.
    rest: Vec<usize>,
    stands_for: Vec<usize>,
    lists: Vec<EndedList>,
}

impl Fold<'_, '_> {
    fn item(&self, ahead: usize) -> Option<usize> {
        self.rest.len().checked_sub(ahead + 1).map(|at| self.rest[at])
    }

    fn peek(&self, ahead: usize, symbol: &[u8]) -> bool {
        self.item(ahead).is_some_and(|index| self.items[index].is_symbol(symbol))
    }

    /// Folds the list whose first element stands `from` ahead. It ends at `close`, or, when there is none, at
    /// whatever is no comma. The end of the text ends it too: a statement cut off in its list folds what is
    /// whole.
    fn list(&mut self, from: usize, close: Option<&[u8]>, rows: bool) {
        let Some((first_end, first)) = self.element(from, rows) else { return };
        if rows && !matches!(first, Element::Row { .. }) {
            return;
        }
        let (mut end, mut count) = (first_end, 1);
        loop {
            if self.item(end).is_none()
                || close.is_none_or(|close| self.peek(end, close)) && !self.peek(end, b",")
            {
                break;
            }
            if !self.peek(end, b",") {
                return;
            }
            match self.element(end + 1, rows) {
                Some((next, element)) if element == first => (end, count) = (next, count + 1),
                Some(_) => return,
                None if self.cut_off(end + 1, rows) => {
                    end = self.rest.len();
                    break;
                }
                None => return,
            }
        }
        if let Some(last) = end.checked_sub(1).and_then(|last| self.item(last)) {
            let nested = matches!(first, Element::Brackets { .. });
            self.lists.push(EndedList { last, count, nested });
        }
        // Elements are alike and a comma stands before each but the first, so places repeat.
        let period = first_end - from + 1;
        for ahead in first_end..end {
            let twin =
                ((ahead - first_end) % period).checked_sub(1).and_then(|place| self.item(from + place));
            if let (Some(one), Some(twin)) = (self.item(ahead), twin) {
                self.stands_for[one] = twin;
            }
        }
        let len = self.rest.len();
        self.rest.drain(len - end..len - first_end);
    }

    /// The element that stands `from` ahead: where it ends and what it is.
    fn element(&self, from: usize, rows: bool) -> Option<(usize, Element)> {
        let index = self.item(from)?;
        if self.items[index].kind == ItemKind::Value {
            return Some((from + 1, Element::Value));
        }
        if self.peek(from, b"(") {
            return self.row(from + 1, rows, false);
        }
        if role_at(self.items, index) == Role::Row && self.peek(from + 1, b"(") {
            return self.row(from + 2, rows, true);
        }
        self.brackets(from)
    }

    /// `[?]`, `[[?]]`, `ARRAY[?]`.
    fn brackets(&self, from: usize) -> Option<(usize, Element)> {
        let (mut at, mut depth, mut keywords) = (from, 0, 0);
        loop {
            let keyword = role_at(self.items, self.item(at)?) == Role::Array;
            if !self.peek(at + usize::from(keyword), b"[") {
                break;
            }
            at += 1 + usize::from(keyword);
            depth += 1;
            keywords = keywords << 1 | u32::from(keyword);
            if depth > DEEPEST_ARRAY {
                return None;
            }
        }
        if depth == 0 || self.items[self.item(at)?].kind != ItemKind::Value {
            return None;
        }
        let closed = (1..=depth).all(|ahead| self.peek(at + ahead, b"]"));
        closed.then_some((at + depth + 1, Element::Brackets { depth, keywords }))
    }

    fn row(&self, mut at: usize, defaults_allowed: bool, keyword: bool) -> Option<(usize, Element)> {
        let (mut cells, mut defaults) = (0, 0_u64);
        loop {
            let cell = self.cell(at, defaults_allowed)?;
            cells += 1;
            defaults = defaults.wrapping_mul(3).wrapping_add(1 + u64::from(cell));
            at += 2;
            if self.peek(at - 1, b")") {
                return Some((at, Element::Row { cells, defaults, keyword }));
            }
            if !self.peek(at - 1, b",") {
                return None;
            }
        }
    }

    /// Is the item so far ahead a cell, and is it DEFAULT?
    fn cell(&self, at: usize, defaults_allowed: bool) -> Option<bool> {
        let index = self.item(at)?;
        if self.items[index].kind == ItemKind::Value {
            return Some(false);
        }
        (defaults_allowed && role_at(self.items, index) == Role::Default).then_some(true)
    }

    /// Is what remains the beginning of a row, or nothing?
    fn cut_off(&self, from: usize, defaults_allowed: bool) -> bool {
        if self.item(from).is_none() {
            return true;
        }
        if !self.peek(from, b"(") {
            return false;
        }
        let mut at = from + 1;
        while self.item(at).is_some() {
            let value = (at - from) % 2 == 1;
            let fits = if value { self.cell(at, defaults_allowed).is_some() } else { self.peek(at, b",") };
            if !fits {
                return false;
            }
            at += 1;
        }
        true
    }
}

/// Rows of the first VALUES of an INSERT outside parentheses; 1 when it has none, 0 when this is no INSERT.
pub(super) fn insert_rows(items: &[Item<'_>]) -> u32 {
    let (mut depth, mut insert) = (0_usize, false);
    for (index, item) in items.iter().enumerate() {
        if item.is_symbol(b"(") {
            if depth == 0 && insert && index > 0 && role_at(items, index - 1) == Role::Values {
                return rows_from(&items[index..]);
            }
            depth += 1;
        } else if item.is_symbol(b")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && item.is_word("insert") && !(index > 0 && items[index - 1].is_symbol(b".")) {
            insert = true;
        }
    }
    u32::from(insert)
}

/// How many parenthesised rows stand here, with commas between them.
fn rows_from(items: &[Item<'_>]) -> u32 {
    let (mut depth, mut rows) = (0_usize, 0);
    for (index, item) in items.iter().enumerate() {
        if item.is_symbol(b"(") {
            if depth == 0 {
                if rows > 0 && !items[index - 1].is_symbol(b",") {
                    break;
                }
                rows += 1;
            }
            depth += 1;
        } else if item.is_symbol(b")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && !(item.is_symbol(b",") && items[index - 1].is_symbol(b")")) {
            break;
        }
    }
    rows
}
