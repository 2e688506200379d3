//! Tables of the fast digest, made by the compiler from the facts in words.rs: a class for each byte, an act for
//! each word that is one.

use super::fingerprint::Prev;
use super::words::{LONG_ROLES, NAMING_STATEMENTS, ROLES, Role};

/// What a token may be, by its first byte.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Class {
    Space,
    Letter,
    Digit,
    Quote,
    DoubleQuote,
    Comma,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Dot,
    Operator,
    Colon,
    Semicolon,
    Dollar,
    Stray,
}

static CLASSES: [Class; 256] = classes();

/// The class of a byte.
#[inline(always)]
pub(super) fn class(b: u8) -> Class {
    CLASSES[b as usize]
}

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Stray; 256];
    let mut b = 0;
    while b < 256 {
        classes[b] = match b as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0 => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'\'' => Class::Quote,
            b'"' => Class::DoubleQuote,
            b',' => Class::Comma,
            b'(' => Class::Open,
            b')' => Class::Close,
            b'[' => Class::OpenBracket,
            b']' => Class::CloseBracket,
            b'.' => Class::Dot,
            b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'+' | b'-' | b'*' | b'/'
            | b'%' | b'<' | b'>' | b'=' => Class::Operator,
            b':' => Class::Colon,
            b';' => Class::Semicolon,
            b'$' => Class::Dollar,
            _ => Class::Stray,
        };
        b += 1;
    }
    classes
}

/// What a word does to the digest.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Act {
    /// It is a name, or a keyword like one.
    Name,
    /// It only matters to the next token.
    To(Prev),
    Not,
    Null,
    True,
    False,
    Default,
    Row,
    Array,
    As,
    Naming,
    Of,
    Insert,
    TypeHead,
}

/// The words that matter here beyond their role.
const MORE: &[(&str, Act)] = &[("of", Act::Of), ("current", Act::To(Prev::Current)), ("insert", Act::Insert)];

const fn act_of(role: Role) -> Act {
    match role {
        Role::Operand => Act::Name,
        Role::Prefix => Act::To(Prev::Prefix),
        Role::Is => Act::To(Prev::Is),
        Role::Not => Act::Not,
        Role::Action => Act::To(Prev::Action),
        Role::In => Act::To(Prev::In),
        Role::Values => Act::To(Prev::Values),
        Role::Array => Act::Array,
        Role::Row => Act::Row,
        Role::Cast => Act::To(Prev::Cast),
        Role::As => Act::As,
        Role::Null => Act::Null,
        Role::True => Act::True,
        Role::False => Act::False,
        Role::Default => Act::Default,
        Role::Options => Act::To(Prev::Options),
        Role::TypeHead => Act::TypeHead,
        Role::Naming => Act::Naming,
    }
}

/// Words of up to seven bytes by a hash without collisions. The multiplier was found by trial; the compiler
/// refuses one that makes two words collide.
const MULTIPLIER: u64 = 0x5a5b_2c16_4afc_bac7;
const SLOTS: usize = 256;

struct Acts {
    words: [u64; SLOTS],
    acts: [Act; SLOTS],
}

static ACTS: Acts = acts();

const fn slot(word: u64) -> usize {
    (word.wrapping_mul(MULTIPLIER) >> 56) as usize
}

/// The first eight bytes of a word, zeros after its end.
const fn key(word: &str, from: usize) -> u64 {
    let bytes = word.as_bytes();
    let mut key = 0;
    let mut at = 0;
    while at < 8 && from + at < bytes.len() {
        key |= (bytes[from + at] as u64) << (8 * at);
        at += 1;
    }
    key
}

const fn acts() -> Acts {
    let mut table = Acts { words: [0; SLOTS], acts: [Act::Name; SLOTS] };
    let mut at = 0;
    while at < ROLES.len() + MORE.len() {
        let (word, act) =
            if at < ROLES.len() { (ROLES[at].0, act_of(ROLES[at].1)) } else { MORE[at - ROLES.len()] };
        if word.len() < 8 {
            let slot = slot(key(word, 0));
            assert!(table.words[slot] == 0, "two words in one slot: find another multiplier");
            table.words[slot] = key(word, 0);
            table.acts[slot] = act;
        }
        at += 1;
    }
    table
}

/// What a folded word of up to seven bytes does.
#[inline(always)]
pub(super) fn act(word: u64) -> Act {
    let slot = slot(word);
    if ACTS.words[slot] == word { ACTS.acts[slot] } else { Act::Name }
}

/// The words of eight to fifteen bytes, in two halves.
const LONG_WORDS: usize = 14;

struct LongActs {
    heads: [u64; LONG_WORDS],
    tails: [u64; LONG_WORDS],
    acts: [Act; LONG_WORDS],
}

static LONG_ACTS: LongActs = long_acts();

const fn long_acts() -> LongActs {
    let mut table =
        LongActs { heads: [0; LONG_WORDS], tails: [0; LONG_WORDS], acts: [Act::Name; LONG_WORDS] };
    let (mut at, mut next) = (0, 0);
    while at < ROLES.len() + LONG_ROLES.len() {
        let (word, role) = if at < ROLES.len() { ROLES[at] } else { LONG_ROLES[at - ROLES.len()] };
        if word.len() >= 8 {
            assert!(word.len() < 16, "no word is longer than its two halves");
            table.heads[next] = key(word, 0);
            table.tails[next] = key(word, 8);
            table.acts[next] = act_of(role);
            next += 1;
        }
        at += 1;
    }
    assert!(next == LONG_WORDS, "the count of long words");
    table
}

/// What a folded word of eight to fifteen bytes does.
#[inline(always)]
pub(super) fn long_act(head: u64, tail: u64) -> Act {
    // Without an early exit the compiler compares several at once; nearly every word is none of them.
    let heads = LONG_ACTS.heads.iter().fold(false, |found, known| found | (*known == head));
    if !heads {
        return Act::Name;
    }
    let words = LONG_ACTS.heads.iter().zip(&LONG_ACTS.tails);
    words.zip(&LONG_ACTS.acts).find(|(words, _)| *words == (&head, &tail)).map_or(Act::Name, |(_, act)| *act)
}

static NAMING: [u64; NAMING_STATEMENTS.len()] = naming();

const fn naming() -> [u64; NAMING_STATEMENTS.len()] {
    let mut heads = [0; NAMING_STATEMENTS.len()];
    let mut at = 0;
    while at < heads.len() {
        heads[at] = key(NAMING_STATEMENTS[at], 0);
        at += 1;
    }
    heads
}

/// A bit for each of [`NAMING`]: most other words have none of them.
static NAMING_BITS: u64 = naming_bits();

const fn naming_bits() -> u64 {
    let (mut bits, mut at) = (0, 0);
    while at < NAMING_STATEMENTS.len() {
        bits |= 1 << (slot(key(NAMING_STATEMENTS[at], 0)) % 64);
        at += 1;
    }
    bits
}

/// May this be the first word of a statement whose operands are names? Only its first eight bytes are looked at.
#[inline(always)]
pub(super) fn starts_naming(head: u64) -> bool {
    NAMING_BITS >> (slot(head) % 64) & 1 != 0 && NAMING.contains(&head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::hash::le_word;
    use crate::sql::lexer::{is_name_start, is_operator, is_space};

    #[test]
    fn classes_agree_with_the_lexer() {
        for b in 0..=255 {
            assert_eq!(class(b) == Class::Space, is_space(b), "{b:#x}");
            assert_eq!(class(b) == Class::Letter, is_name_start(b), "{b:#x}");
            assert_eq!(class(b) == Class::Operator, is_operator(b), "{b:#x}");
        }
    }

    #[test]
    fn every_word_with_a_role_is_found() {
        for (word, role) in ROLES.iter().chain(LONG_ROLES) {
            let bytes = word.as_bytes();
            let found = if bytes.len() < 8 {
                act(le_word(bytes))
            } else {
                long_act(le_word(&bytes[..8]), le_word(&bytes[8..]))
            };
            assert_eq!(found, act_of(*role), "{word}");
        }
        assert_eq!(act(le_word(b"selects")), Act::Name);
        assert_eq!(act(0), Act::Name);
        assert_eq!(long_act(le_word(b"returnin"), le_word(b"gs")), Act::Name);
    }
}
