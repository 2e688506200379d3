//! The common table expressions of a statement, and where their names are known.
//!
//! Serves the scan of tables, which must not take them for tables; and `WITH t AS (SELECT * FROM t)` reads a table.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::name_text;
use crate::sql::canonical::{Item, ItemKind};

/// `name AS (` and `name (…) AS (`, after WITH or a comma. Each name with the items between which it is known: from the
/// end of its own query, or the start of the statement around it when it is recursive, to the end of that statement.
pub(super) fn find(items: &[Item<'_>]) -> HashMap<String, Vec<Range<usize>>> {
    let word = |at: usize, text: &str| {
        items.get(at).is_some_and(|item| {
            item.kind == ItemKind::Word && item.text.eq_ignore_ascii_case(text.as_bytes())
        })
    };
    let symbol = |at: usize, text: &[u8]| is_symbol(items, at, text);
    let partners = partners(items);
    let scopes = scopes(items, &partners);
    let mut found: HashMap<String, Vec<Range<usize>>> = HashMap::new();
    // Where a recursive list may go on with a comma.
    let mut recursive_ends = HashSet::new();
    for at in 1..items.len() {
        if !word(at, "as") {
            continue;
        }
        let mut body = at + 1;
        while word(body, "not") || word(body, "materialized") {
            body += 1;
        }
        if !symbol(body, b"(") {
            continue;
        }
        let last = if symbol(at - 1, b")") { partners[at - 1].checked_sub(1) } else { Some(at - 1) };
        let Some(name) = last.filter(|name| *name > 0) else { continue };
        let recursive =
            word(name - 1, "recursive") || symbol(name - 1, b",") && recursive_ends.contains(&(name - 1));
        let introduced = recursive || word(name - 1, "with") || symbol(name - 1, b",");
        if introduced && matches!(items[name].kind, ItemKind::Word | ItemKind::Quoted) {
            let scope = &scopes[name];
            let known_from = if recursive { scope.start } else { partners[body] };
            found.entry(name_text(&items[name])).or_default().push(known_from..scope.end);
            if recursive {
                recursive_ends.insert(partners[body] + 1);
            }
        }
    }
    found
}

fn is_symbol(items: &[Item<'_>], at: usize, text: &[u8]) -> bool {
    items.get(at).is_some_and(|item| item.kind == ItemKind::Symbol && item.text == text)
}

/// For each item the parentheses around it, or else the semicolons.
fn scopes(items: &[Item<'_>], partners: &[usize]) -> Vec<Range<usize>> {
    let semicolon = |at: &usize| is_symbol(items, *at, b";");
    let end = |from: usize| (from..items.len()).find(semicolon).unwrap_or(items.len());
    let mut statement = 0..end(0);
    let mut open: Vec<usize> = Vec::new();
    let mut scopes = Vec::with_capacity(items.len());
    for at in 0..items.len() {
        if is_symbol(items, at, b")") {
            open.pop();
        }
        scopes.push(open.last().map_or(statement.clone(), |open| *open..partners[*open]));
        if is_symbol(items, at, b"(") {
            open.push(at);
        } else if semicolon(&at) {
            open.clear();
            statement = at..end(at + 1);
        }
    }
    scopes
}

/// For each parenthesis the other of its pair; one that is never closed ends with the text, one that was never opened
/// begins with it.
fn partners(items: &[Item<'_>]) -> Vec<usize> {
    let mut partners = vec![0; items.len()];
    let mut open = Vec::new();
    for at in 0..items.len() {
        if is_symbol(items, at, b"(") {
            partners[at] = items.len();
            open.push(at);
        } else if is_symbol(items, at, b")")
            && let Some(other) = open.pop()
        {
            partners[at] = other;
            partners[other] = at;
        }
    }
    partners
}
