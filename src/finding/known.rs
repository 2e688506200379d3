//! [`Known`]: the facts that one worker has met, each with a number and a class.
//!
//! Whoever goes through millions of steps asks for each step's fact: a small table before the map answers most of it
//! with one comparison, and a class answers what is asked about every step. Numbers are the worker's own and never
//! leave it.

use std::sync::Arc;

use hashbrown::HashMap;

use super::outline::Find;
use super::{FAILURE, Fact, MOST_FACTS, Verb};
use crate::sql::Kind;

/// Statements that are found without the map; a power of two.
const RECENT: usize = 1 << 9;

/// A question that rules about reading again look at.
pub(super) const JUDGED: u16 = 1;
/// A question by key.
pub(super) const KEYED: u16 = 1 << 1;
/// Its transaction writes.
pub(super) const WRITES: u16 = 1 << 2;
/// An INSERT or UPDATE that names a row.
pub(super) const NAMES: u16 = 1 << 3;
/// An INSERT whose rows stand in a VALUES list.
pub(super) const SINGLE: u16 = 1 << 4;
/// BEGIN.
pub(super) const OPENS: u16 = 1 << 5;
/// COMMIT.
pub(super) const COMMITS: u16 = 1 << 6;
/// A unit begins with it.
pub(super) const BEGINS: u16 = 1 << 7;
/// A unit ends with it.
pub(super) const ENDS: u16 = 1 << 8;
/// It undoes what was done before.
pub(super) const UNDOES: u16 = 1 << 9;
/// A unit begins behind it.
pub(super) const CHAINS: u16 = 1 << 10;
/// Its transaction stays with the primary; whatever writes or pins does.
pub(super) const STAYS: u16 = 1 << 11;
/// Reads that come soon after it stay too.
pub(super) const PINS: u16 = 1 << 12;

/// What is asked about every step.
#[derive(Debug, Clone, Copy, Default)]
pub struct Class {
    /// Bits.
    pub(super) is: u16,
    /// Of a question by key the tables whose rows it names, of an INSERT or UPDATE that names a row those that it
    /// writes: one of 64 bits each, so that two without a common bit have no common table.
    pub(super) tables: u64,
}

impl Class {
    /// Whether a transaction begins with it.
    #[must_use]
    pub fn begins(self) -> bool {
        self.is & BEGINS != 0
    }

    /// Whether a unit of work ends with it, and the next one does not begin at once.
    #[must_use]
    pub fn ends(self) -> bool {
        self.is & (ENDS | CHAINS) == ENDS
    }

    /// Whether a transaction ends with it, and the next one begins at once.
    #[must_use]
    pub fn chains(self) -> bool {
        self.is & CHAINS != 0
    }

    /// Whether it undoes what was done before.
    #[must_use]
    pub fn undoes(self) -> bool {
        self.is & UNDOES != 0
    }

    /// Whether it changes what is open: a transaction, or a part of one.
    #[must_use]
    pub fn turns(self) -> bool {
        self.is & (BEGINS | ENDS | CHAINS | UNDOES) != 0
    }

    /// Whether its transaction writes.
    #[must_use]
    pub fn writes(self) -> bool {
        self.is & WRITES != 0
    }

    /// Whether it writes or may do so: reads that come soon after it stay with the primary.
    #[must_use]
    pub fn pins(self) -> bool {
        self.is & PINS != 0
    }
}

/// What calls did to their transaction, one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deeds(u16);

impl Deeds {
    /// One call more.
    #[inline(always)]
    pub fn add(&mut self, class: Class) {
        self.0 |= class.is;
    }

    /// What other calls did besides.
    pub fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether one of them writes.
    #[must_use]
    pub fn write(self) -> bool {
        self.0 & WRITES != 0
    }

    /// Whether one of them keeps the transaction on the primary.
    #[must_use]
    pub fn stay(self) -> bool {
        self.0 & STAYS != 0
    }
}

/// Facts by number. The first is that of a statement about which nothing is known, the second that of a failure.
#[derive(Debug, Clone)]
pub struct Known {
    list: Vec<Arc<Fact>>,
    classes: Vec<Class>,
    index: HashMap<u64, u32>,
    /// The last fingerprint of each slot, and its number. Fingerprint 0 is the edge of a session, which has no fact.
    recent: Box<[(u64, u32); RECENT]>,
}

impl Default for Known {
    fn default() -> Self {
        let mut known = Self {
            list: Vec::new(),
            classes: Vec::new(),
            index: HashMap::new(),
            recent: Box::new([(0, 0); RECENT]),
        };
        known.add(Arc::new(Fact::unknown()));
        let failed = known.add(Arc::new(Fact::failed()));
        known.index.insert(FAILURE, failed);
        known
    }
}

impl Known {
    /// The number of a fingerprint's fact, if it was met before.
    #[inline(always)]
    pub fn get(&mut self, fingerprint: u64) -> Option<u32> {
        let (known, number) = self.recent[fingerprint as usize % RECENT];
        if known == fingerprint { Some(number) } else { self.look_up(fingerprint) }
    }

    #[inline(never)]
    fn look_up(&mut self, fingerprint: u64) -> Option<u32> {
        let number = *self.index.get(&fingerprint)?;
        self.recent[fingerprint as usize % RECENT] = (fingerprint, number);
        Some(number)
    }

    /// The number of a fingerprint's fact; that of the unknown one when `find` does not know it either.
    #[inline(always)]
    pub(super) fn number(&mut self, fingerprint: u64, find: &Find<'_>) -> u32 {
        match self.get(fingerprint) {
            Some(number) => number,
            None => find(fingerprint).and_then(|fact| self.insert(fingerprint, fact)).unwrap_or(0),
        }
    }

    /// Remembers a fact; `None` beyond [`MOST_FACTS`].
    pub fn insert(&mut self, fingerprint: u64, fact: Arc<Fact>) -> Option<u32> {
        // Two are no statement's.
        if self.list.len() >= MOST_FACTS + 2 {
            return None;
        }
        let number = self.add(fact);
        self.index.insert(fingerprint, number);
        Some(number)
    }

    fn add(&mut self, fact: Arc<Fact>) -> u32 {
        let number = self.list.len() as u32;
        self.classes.push(class(&fact));
        self.list.push(fact);
        number
    }

    /// A fact.
    #[inline]
    #[must_use]
    pub fn fact(&self, number: u32) -> &Fact {
        &self.list[number as usize]
    }

    /// What a fact is, as bits.
    #[inline]
    #[must_use]
    pub fn class(&self, number: u32) -> Class {
        self.classes[number as usize]
    }

    /// All of them, by number.
    pub(super) fn list(&self) -> &[Arc<Fact>] {
        &self.list
    }
}

fn class(fact: &Fact) -> Class {
    let row = matches!(fact.kind, Kind::Insert | Kind::Update) && !fact.columns.is_empty();
    let whole = fact.verb == Verb::Whole;
    let is = [
        (JUDGED, fact.is_judged()),
        (KEYED, fact.keyed && fact.ignored.is_none()),
        (WRITES, fact.is_write()),
        (NAMES, row),
        (SINGLE, fact.values),
        (OPENS, fact.verb == Verb::Begin),
        (COMMITS, fact.verb == Verb::Commit),
        (BEGINS, whole || fact.verb == Verb::Begin),
        (ENDS, whole || matches!(fact.verb, Verb::Commit | Verb::Rollback)),
        (UNDOES, fact.undoes()),
        (CHAINS, fact.chains),
        (STAYS, fact.stays || fact.pins || fact.is_write()),
        (PINS, fact.pins || fact.is_write()),
    ]
    .into_iter()
    .filter(|(_, is)| *is)
    .fold(0, |class, (bit, _)| class | bit);
    let tables = if row { &fact.writes } else { &fact.asked };
    Class { is, tables: tables.iter().fold(0, |tables, id| tables | 1 << (id % 64)) }
}
