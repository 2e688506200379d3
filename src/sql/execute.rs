//! `EXECUTE name(args)` with `DETAIL: prepare: PREPARE name AS …`: the prepared statement itself, its arguments
//! the values of `$1`, `$2`, ….
//!
//! So that a statement is the same whether it was executed by name, by the extended protocol or as plain text.

use super::Digest;
use super::canonical::{Canonical, ItemKind, canonical};
use super::literal::{Form, Literal};

/// The statement inside the text of a `prepare:` DETAIL: what follows AS.
pub fn prepared_statement(detail: &[u8]) -> Option<&[u8]> {
    let mut text = detail.trim_ascii_start();
    for label in ["DETAIL:", "prepare:"] {
        if text.get(..label.len()).is_some_and(|start| start.eq_ignore_ascii_case(label.as_bytes())) {
            text = text[label.len()..].trim_ascii_start();
        }
    }
    let mut tokens = super::Lexer::new(text).filter(|token| token.kind != super::TokenKind::Comment);
    let is = |token: super::Token, word: &str| token.text(text).eq_ignore_ascii_case(word.as_bytes());
    if !is(tokens.next()?, "prepare") {
        return None;
    }
    tokens.next()?;
    let mut depth = 0_usize;
    for token in tokens {
        match token.text(text) {
            b"(" => depth += 1,
            b")" => depth = depth.saturating_sub(1),
            _ if depth == 0 && is(token, "as") => return Some(text[token.end..].trim_ascii()),
            _ => {}
        }
    }
    None
}

/// The digest of the prepared statement that an EXECUTE runs. `None` when this is no plain EXECUTE (EXPLAIN
/// EXECUTE and CREATE TABLE AS EXECUTE do something else with it) or the DETAIL holds no PREPARE.
pub fn digest_execute(execute: &[u8], prepare_detail: &[u8]) -> Option<Digest> {
    let inner = prepared_statement(prepare_detail)?;
    let call = canonical(execute);
    call.items.first().filter(|item| item.text.eq_ignore_ascii_case(b"execute"))?;
    let arguments = arguments(&call);
    let mut digest = super::digest(inner, None);
    digest.comments |= call.comments;
    digest.truncated |= call.truncated;
    let prepared = canonical(inner);
    let (params, values) = prepared.params_by(|literal| resolved(literal, &arguments)?.hash(None)).unzip();
    digest.params = params;
    digest.values = values.unwrap_or_default();
    Some(digest)
}

/// The literal itself, or the argument that stands for it.
fn resolved<'a>(literal: &Literal<'a>, arguments: &[Option<Literal<'a>>]) -> Option<Literal<'a>> {
    if literal.form != Form::Parameter {
        return Some(*literal);
    }
    let number: usize = std::str::from_utf8(literal.text.get(1..)?).ok()?.parse().ok()?;
    *arguments.get(number.checked_sub(1)?)?
}

/// The arguments of an EXECUTE; those that are more than a value are not known.
fn arguments<'a>(call: &Canonical<'a>) -> Vec<Option<Literal<'a>>> {
    let open = 2;
    if call.items.get(open).is_none_or(|item| item.text != b"(") {
        return Vec::new();
    }
    let mut found = Vec::new();
    let (mut depth, mut from) = (0_usize, open + 1);
    for (at, item) in call.items.iter().enumerate().skip(open) {
        if item.kind != ItemKind::Symbol {
            continue;
        }
        match item.text {
            b"(" | b"[" => depth += 1,
            b")" | b"]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let last = depth == 0;
        if last || (depth == 1 && item.text == b",") {
            let single = at == from + 1 && call.items[from].kind == ItemKind::Value;
            let mut literals = call.slots.iter().enumerate().filter(|(_, slot)| **slot == from);
            let literal = literals.next().map(|(index, _)| call.literals[index]);
            found.push(literal.filter(|_| single && literals.next().is_none()));
            from = at + 1;
        }
        if last {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Params, digest};

    fn check(execute: &str, detail: &str, plain: &str) {
        let found = digest_execute(execute.as_bytes(), detail.as_bytes()).expect("a prepared statement");
        let expected = digest(plain.as_bytes(), None);
        assert_eq!((found.fingerprint, found.params), (expected.fingerprint, expected.params), "{execute}");
    }

    #[test]
    fn execute_is_the_statement_itself() {
        let detail = "prepare: PREPARE foo (int, text) AS SELECT * FROM t WHERE a = $1 AND b = $2;";
        check("EXECUTE foo(1, 'a')", detail, "SELECT * FROM t WHERE a = 1 AND b = 'a'");
        check("execute foo ( -1 , 'it''s' );", detail, "SELECT * FROM t WHERE a = -1 AND b = 'it''s'");
        check("EXECUTE foo(1, NULL)", detail, "SELECT * FROM t WHERE a = 1 AND b = NULL");
        for other in ["EXPLAIN EXECUTE foo(1, NULL)", "CREATE TABLE x AS EXECUTE foo(1, NULL)"] {
            assert!(digest_execute(other.as_bytes(), detail.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn the_same_as_bound() {
        let params = Params::parse(b"parameters: $1 = '7'").unwrap();
        let bound = digest(b"SELECT * FROM t WHERE a = $1", Some(&params));
        let executed =
            digest_execute(b"EXECUTE x(7)", b"prepare: PREPARE x AS SELECT * FROM t WHERE a = $1").unwrap();
        assert_eq!((bound.fingerprint, bound.params), (executed.fingerprint, executed.params));
        assert!(bound.params.is_some());
    }

    #[test]
    fn expressions_are_not_known() {
        let detail = b"prepare: PREPARE x AS SELECT $1";
        assert_eq!(digest_execute(b"EXECUTE x(1 + 1)", detail).unwrap().params, None);
        assert_eq!(digest_execute(b"EXECUTE x", detail).unwrap().params, None);
        assert!(digest_execute(b"EXECUTE x", b"parameters: $1 = '1'").is_none());
    }

    #[test]
    fn what_stands_after_as() {
        assert_eq!(
            prepared_statement(b"prepare: PREPARE \"a as\" AS  SELECT 1 AS x;"),
            Some(&b"SELECT 1 AS x;"[..])
        );
        assert_eq!(prepared_statement(b"PREPARE a(as_type) AS SELECT 1"), Some(&b"SELECT 1"[..]));
        assert_eq!(prepared_statement(b"PREPARE a"), None);
    }
}
