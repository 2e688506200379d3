//! A digest that remembers: texts that come again and again are compared, not lexed.
//!
//! An extended-protocol call logs its text up to three times, and a prepared statement's text is the same in every
//! call. What such a text yields is fixed but for the values of its `$n`, so a [`Recall`] keeps, for texts seen at
//! least twice in a row in their slot, the digest and where each value comes from. It is an optimisation and nothing
//! else: `Recall::digest` equals [`digest`](super::digest) for every text, and texts with values of their own, which
//! never come again, cost it one comparison of a key.

use super::Digest;
use super::canonical::canonical;
use super::hash::{Chain, ValueHashes};
use super::literal::{Form, param_hash};
use super::params::Params;

/// Slots; a power of two.
const SLOTS: usize = 256;
/// Longer texts are not kept: bytes of all slots together stay below a megabyte.
const LONGEST: usize = 4096;

/// Where a value of the parameter hash comes from.
#[derive(Debug, Clone, Copy)]
enum Origin {
    /// It stands in the text.
    Text(u64),
    /// It is that of `$n`.
    Param(u16),
}

/// A text and what it yields.
#[derive(Debug, Clone)]
struct Known {
    text: Box<[u8]>,
    digest: Digest,
    origins: Box<[Origin]>,
}

#[derive(Debug, Clone, Default)]
struct Slot {
    /// Key of the last text that was not known here.
    candidate: u64,
    known: Option<Known>,
}

/// Texts that come again and again.
#[derive(Debug, Clone)]
pub struct Recall {
    slots: Box<[Slot]>,
}

impl Default for Recall {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); SLOTS].into_boxed_slice() }
    }
}

/// A few samples of a text, mixed; never zero.
fn key(text: &[u8]) -> u64 {
    let sample = |at: usize| {
        let mut word = [0; 8];
        let bytes = &text[at..text.len().min(at + 8)];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    let quarter = text.len() / 4;
    let mut key = text.len() as u64;
    for at in [0, quarter, quarter * 2, quarter * 3, text.len().saturating_sub(8)] {
        key = (key ^ sample(at)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        key ^= key >> 29;
    }
    key | 1
}

impl Recall {
    /// What [`digest`](super::digest) says.
    pub fn digest(&mut self, sql: &[u8], params: Option<&Params<'_>>) -> Digest {
        if sql.len() > LONGEST {
            return super::digest(sql, params);
        }
        let key = key(sql);
        let slot = &mut self.slots[(key >> 32) as usize % SLOTS];
        if let Some(known) = &slot.known
            && *known.text == *sql
        {
            let (params, values) = known.params(params).unzip();
            return Digest { params, values: values.unwrap_or_default(), ..known.digest };
        }
        if slot.candidate == key {
            slot.known = Known::new(sql);
        }
        slot.candidate = key;
        super::digest(sql, params)
    }
}

impl Known {
    /// `None` when a value comes from neither the text nor a numbered parameter.
    fn new(sql: &[u8]) -> Option<Self> {
        let canonical = canonical(sql);
        let origins: Option<Box<[Origin]>> = canonical
            .literals
            .iter()
            .map(|literal| match literal.form {
                Form::Parameter => {
                    let number = std::str::from_utf8(literal.text.get(1..)?).ok()?;
                    number.parse().ok().map(Origin::Param)
                }
                _ => literal.hash(None).map(Origin::Text),
            })
            .collect();
        Some(Self { text: sql.into(), digest: super::digest(sql, None), origins: origins? })
    }

    fn params(&self, params: Option<&Params<'_>>) -> Option<(u64, ValueHashes)> {
        let known = params.filter(|params| params.is_complete());
        let (mut chain, mut values) = (Chain::values(), ValueHashes::default());
        for origin in &self.origins {
            let hash = match origin {
                Origin::Text(hash) => *hash,
                Origin::Param(number) => param_hash(known?.get(usize::from(*number))?),
            };
            chain = chain.link(hash);
            values.push(hash);
        }
        Some((chain.seal(), values))
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
