//! SQL text: what counts as the same statement, what it is, and what it says about itself.
//!
//! A pure leaf: bytes in, values out. It knows no log, no file and no report, and it cannot fail: every byte
//! string is a statement, if a strange one.

mod canonical;
mod execute;
mod fingerprint;
mod hash;
mod keys;
mod keywords;
mod kind;
mod lexer;
mod literal;
mod normalise;
mod params;
mod parsed;
mod plain;
mod pretty;
mod recall;
mod reserved;
#[cfg(test)]
mod rules;
mod shape;
mod swar;
mod table;
mod tables;
mod tags;
mod template;
mod types;
mod words;

use std::borrow::Cow;

use canonical::canonical;
use literal::Literal;

pub use execute::{digest_execute, prepared_statement};
pub use hash::{Fingerprint, ValueHashes};
pub use kind::{Explain, Kind, kind};
pub use lexer::{Lexer, Token, TokenKind};
pub use params::{Param, Params};
pub use pretty::{Class, Piece, pretty};
pub use recall::Recall;
pub use shape::{Answer, Key, Parser, Shape, With, shape};
pub use tags::{Tags, tags};

/// What one pass over a statement yields.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Digest {
    /// The statement without its values.
    pub fingerprint: Fingerprint,
    /// The values alone; `None` when a `$n` is not known, or its value was cut short in the log. With equal
    /// fingerprints, equal hashes mean that the same question was asked.
    pub params: Option<u64>,
    /// The values one by one; none when `params` is `None`.
    pub values: ValueHashes,
    /// Rows of an INSERT's VALUES, 1 for an INSERT of another form, 0 for everything else.
    pub rows: u32,
    /// There is at least one value.
    pub has_values: bool,
    /// The text ends inside a literal, a quoted name or a comment.
    pub truncated: bool,
    /// There is a comment: tags are worth looking for.
    pub comments: bool,
}

/// Fingerprint and parameter hash of a statement; `params` are the values of its `$1`, `$2`, … if logged.
pub fn digest(sql: &[u8], params: Option<&Params<'_>>) -> Digest {
    let mut digest = Digest::default();
    if fingerprint::digest(sql, params, &mut digest).is_none() {
        digest = reference(sql, params);
    }
    digest
}

/// What [`digest`] must say, found the slow and obvious way. For tests and fuzzing.
pub fn reference(sql: &[u8], params: Option<&Params<'_>>) -> Digest {
    let canonical = canonical(sql);
    let known = params.filter(|params| params.is_complete());
    Digest {
        fingerprint: canonical.fingerprint(),
        params: canonical.params(known).map(|params| params.0),
        values: canonical.params(known).map(|params| params.1).unwrap_or_default(),
        rows: canonical.rows,
        has_values: !canonical.literals.is_empty(),
        truncated: canonical.truncated,
        comments: canonical.comments,
    }
}

/// The statement for people, at most `max_len` bytes: keywords in upper case, names as written, `?` for each
/// value, no comments. It never holds a literal.
pub fn normalise(sql: &[u8], max_len: usize) -> String {
    normalise::text(&canonical(sql), max_len)
}

/// One value that a placeholder replaced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Value<'a> {
    /// Which placeholder of the normalised text, counted from 0. A folded list has many values in one.
    pub placeholder: usize,
    /// What was asked.
    pub content: Content<'a>,
}

/// A value's content.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content<'a> {
    /// Its text, unescaped.
    Text(Cow<'a, [u8]>),
    /// NULL.
    Null,
    /// A parameter that was not logged.
    Unknown,
}

/// The values of a statement in the order of the parameter hash.
pub fn values<'a>(sql: &'a [u8], params: Option<&Params<'a>>) -> Vec<Value<'a>> {
    let canonical = canonical(sql);
    let placeholders = canonical.placeholders();
    let value = |(slot, literal): (&usize, &Literal<'a>)| Value {
        placeholder: placeholders[*slot],
        content: content(literal, params),
    };
    canonical.slots.iter().zip(&canonical.literals).map(value).collect()
}

fn content<'a>(literal: &Literal<'a>, params: Option<&Params<'a>>) -> Content<'a> {
    match literal.value(params) {
        Ok(Some(text)) => Content::Text(text),
        Ok(None) => Content::Null,
        Err(_) => Content::Unknown,
    }
}
