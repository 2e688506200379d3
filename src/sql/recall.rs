//! A digest that remembers: statements that come again and again are compared, not lexed.
//!
//! A [`Recall`] keeps templates (template.rs) of the statements that it meets often. It is an optimisation and nothing
//! else: `Recall::digest` equals [`digest`](super::digest) for every text, whatever came before it. What it costs where
//! it is of no use is bounded: a few comparisons for a text that no template fits, and learning ever more rarely for a
//! statement of which nothing is learned.

use super::Digest;
use super::hash::Fingerprint;
use super::params::Params;
use super::swar::{before_value, load};
use super::template::Template;

/// Buckets of templates, by the beginning of their texts; a power of two.
const BUCKETS: usize = 256;
/// Templates of one bucket.
const MOST_ALIKE: usize = 8;
/// Statements whose full readings are counted.
const COUNTED: usize = 512;
/// Longer texts are not learned: the lexer reads a gigabyte of them a second.
const LONGEST: usize = 4096;
/// Memory of all templates; beyond it they are all forgotten.
const MOST_BYTES: usize = 2 << 20;

/// A template and how useful it was.
#[derive(Debug, Clone)]
struct Known {
    template: Template,
    used: bool,
}

/// A statement that had to be read in full.
#[derive(Debug, Clone, Copy, Default)]
struct Unknown {
    fingerprint: Fingerprint,
    /// How often.
    times: u32,
    /// When the next text of it is learned.
    learn_at: u32,
    /// How often one was.
    learned: u32,
}

/// Statements that come again and again.
#[derive(Debug, Clone)]
pub struct Recall {
    /// By [`bucket`]; those used lately in front.
    known: Box<[Vec<Known>]>,
    unknown: Box<[Unknown]>,
    bytes: usize,
}

impl Default for Recall {
    fn default() -> Self {
        Self {
            known: vec![Vec::new(); BUCKETS].into_boxed_slice(),
            unknown: vec![Unknown::default(); COUNTED].into_boxed_slice(),
            bytes: 0,
        }
    }
}

/// Where the template of a text is: by its first sixteen bytes, up to where a value may begin.
#[inline(always)]
fn bucket(sql: &[u8]) -> usize {
    let first = before_value(load(sql, 0));
    let second = if first.len == 8 { before_value(load(sql, 8)).word } else { 0 };
    let mixed = (first.word ^ second.rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 56) as usize % BUCKETS
}

impl Recall {
    /// What [`digest`](super::digest) says.
    pub fn digest(&mut self, sql: &[u8], params: Option<&Params<'_>>) -> Digest {
        let mut digest = Digest::default();
        self.read(sql, params, &mut digest);
        digest
    }

    /// [`Recall::digest`] where it is to stand: the hot path has no time to move it.
    #[inline(always)]
    pub fn read(&mut self, sql: &[u8], params: Option<&Params<'_>>, digest: &mut Digest) {
        if sql.len() > LONGEST {
            *digest = super::digest(sql, params);
            return;
        }
        let complete = params.filter(|params| params.is_complete());
        let bucket = bucket(sql);
        let known = &mut self.known[bucket];
        for place in 0..known.len() {
            if known[place].template.read(sql, complete, digest).is_some() {
                known[place].used = true;
                if place > 0 {
                    // One step ahead: a statement that came once does not push back those that come always.
                    known.swap(place, place - 1);
                }
                return;
            }
        }
        self.miss(sql, params, bucket, digest);
    }

    /// Reads a text in full. Is it time to learn it?
    #[cold]
    #[inline(never)]
    fn miss(&mut self, sql: &[u8], params: Option<&Params<'_>>, bucket: usize, digest: &mut Digest) {
        *digest = super::digest(sql, params);
        self.count(sql, bucket, digest.fingerprint);
    }

    fn count(&mut self, sql: &[u8], bucket: usize, fingerprint: Fingerprint) {
        let unknown = &mut self.unknown[fingerprint.0 as usize % COUNTED];
        if unknown.fingerprint != fingerprint {
            *unknown = Unknown { fingerprint, times: 0, learn_at: 2, learned: 0 };
        }
        unknown.times = unknown.times.saturating_add(1);
        if unknown.times < unknown.learn_at {
            return;
        }
        unknown.learned += 1;
        unknown.learn_at = unknown.times.saturating_add(unknown.learned.saturating_mul(8));
        let Some(template) = Template::learn(sql) else { return };
        if self.bytes + template.size() > MOST_BYTES {
            self.known.iter_mut().for_each(Vec::clear);
            self.bytes = 0;
        }
        self.bytes += template.size();
        let known = &mut self.known[bucket];
        // Of one statement there is one template at most that was of no use so far.
        let useless = known.iter().position(|old| !old.used && old.template.fingerprint() == fingerprint);
        let last = known.len().checked_sub(1).filter(|_| known.len() >= MOST_ALIKE);
        let place = useless.or(last);
        let template = Known { template, used: false };
        match place {
            Some(place) => {
                self.bytes -= known[place].template.size();
                known[place] = template;
            }
            None => known.push(template),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(sql: &str, detail: &str) {
        let mut recall = Recall::default();
        let params = Params::parse(detail.as_bytes());
        for _ in 0..4 {
            let expected = super::super::digest(sql.as_bytes(), params.as_ref());
            assert_eq!(recall.digest(sql.as_bytes(), params.as_ref()), expected, "{sql}");
            // The same text without its values, as a parse message has it.
            let bare = super::super::digest(sql.as_bytes(), None);
            assert_eq!(recall.digest(sql.as_bytes(), None), bare, "{sql}");
        }
    }

    #[test]
    fn a_known_text_yields_what_a_new_one_does() {
        check("", "");
        check("BEGIN", "");
        check("SELECT 1", "");
        check("SELECT $1", "parameters: $1 = 'it''s'");
        check("SELECT a FROM t WHERE b = $2 AND c = $1 AND d = $2", "parameters: $1 = '1', $2 = NULL");
        check("SELECT a FROM t WHERE b = 7 AND c = $1", "Parameters: $1 = 'x'");
        check("SELECT a FROM t WHERE b = $3", "parameters: $1 = '1'");
        check("SELECT a FROM t WHERE b = $1", "parameters: $1 = 'cut...'");
        check(
            "INSERT INTO t VALUES ($1, $2), ($3, $4) /* route='/x' */",
            "parameters: $1 = '1', $2 = '2', $3 = '3', $4 = '4'",
        );
    }

    proptest! {
        #[test]
        fn any_texts_in_any_order(
            texts in prop::collection::vec("(SELECT|INSERT|UPDATE|[a-c$'(),0-3 =]){0,12}", 1..5),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let mut recall = Recall::default();
            let params = Params::parse(b"parameters: $1 = 'a', $2 = NULL");
            for index in order {
                let text = texts[index.index(texts.len())].as_bytes();
                let expected = super::super::digest(text, params.as_ref());
                prop_assert_eq!(recall.digest(text, params.as_ref()), expected);
            }
        }
    }
}
