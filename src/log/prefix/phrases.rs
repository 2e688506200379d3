//! Values of several words: what `%b` and `%i` print. A blank of the template ends them, and stands in them too.

use super::Escape;

/// Backend types that PostgreSQL names (miscinit.c, `GetBackendTypeDesc()`).
pub(crate) const BACKENDS: &[&str] = &[
    "client backend",
    "postmaster",
    "not initialized",
    "autovacuum launcher",
    "autovacuum worker",
    "parallel worker",
    "background worker",
    "background writer",
    "checkpointer",
    "walwriter",
    "walsender",
    "walreceiver",
    "startup",
    "archiver",
    "stats collector",
    "logger",
    "logical replication launcher",
    "logical replication worker",
    "logical replication apply worker",
    "standalone backend",
    "slotsync worker",
    "io worker",
    "walsummarizer",
    "dead-end client backend",
];

/// What a process shows in place of a command tag (postgres.c, `set_ps_display()`).
const STATES: &[&str] = &[
    "idle",
    "idle in transaction",
    "idle in transaction (aborted)",
    "authentication",
    "startup",
    "initializing",
    "notify interrupt",
];

/// No phrase is longer.
const LONGEST: usize = 64;

/// Whether a text is all that an escape prints.
fn is_phrase(escape: Escape, text: &[u8]) -> bool {
    let is_one = |list: &[&str], text: &[u8]| list.iter().any(|phrase| phrase.as_bytes() == text);
    match escape {
        Escape::Backend => is_one(BACKENDS, text),
        Escape::Command => {
            let text = text.strip_suffix(b" waiting").unwrap_or(text);
            is_one(STATES, text) || text.split(|&byte| byte == b' ').all(is_capitals)
        }
        _ => false,
    }
}

/// A word of a command tag.
fn is_capitals(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_uppercase)
}

/// Where such a value may end so that `literal` follows (anything, if it is empty): the longest phrase first.
pub(crate) fn phrase_ends<'r>(
    escape: Escape,
    rest: &'r [u8],
    literal: &'r [u8],
) -> impl Iterator<Item = usize> + 'r {
    let reach = if matches!(escape, Escape::Backend | Escape::Command) { rest.len().min(LONGEST) } else { 0 };
    (1..=reach).rev().filter(move |&end| rest[end..].starts_with(literal) && is_phrase(escape, &rest[..end]))
}
