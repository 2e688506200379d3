//! SAVEPOINT, RELEASE and ROLLBACK TO: names that are values, but sent too often to wait for the reference.
//!
//! Frameworks wrap every nested transaction in them. Only their plain forms are read here.

use super::super::hash::ValueHashes;
use super::super::lexer::{Lexer, TokenKind};
use super::super::literal::{Form, Literal};
use super::{Chain, Digest, Fingerprint, PLACEHOLDER};

/// The digest of a statement of one of these forms and nothing else.
#[inline(always)]
pub(super) fn digest(sql: &[u8]) -> Option<Digest> {
    match sql.first_chunk::<2>()? {
        [b's' | b'S', b'a' | b'A'] | [b'r' | b'R', b'e' | b'E' | b'o' | b'O'] => named(sql),
        _ => None,
    }
}

#[inline(never)]
fn named(sql: &[u8]) -> Option<Digest> {
    let mut lexer = Lexer::new(sql);
    let mut chain = Chain::tokens();
    let mut keyword = |lexer: &mut Lexer<'_>, word: &[u8]| {
        let mut ahead = lexer.clone();
        let token = ahead.next().filter(|token| token.text(sql).eq_ignore_ascii_case(word))?;
        *lexer = ahead;
        chain = chain.token(word);
        Some(token)
    };
    if keyword(&mut lexer, b"savepoint").is_none() {
        if keyword(&mut lexer, b"release").is_none() {
            keyword(&mut lexer, b"rollback")?;
            keyword(&mut lexer, b"to")?;
        }
        // `RELEASE savepoint` names a savepoint of that name; the reference knows.
        keyword(&mut lexer, b"savepoint");
    }
    let name = lexer.next().filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Quoted))?;
    let more = lexer.find(|token| token.text(sql) != b";");
    if more.is_some() || name.unterminated {
        return None;
    }
    let value = Literal { form: Form::Name, text: name.text(sql) }.hash(None)?;
    let mut values = ValueHashes::default();
    values.push(value);
    Some(Digest {
        fingerprint: Fingerprint(chain.link(PLACEHOLDER).seal()),
        params: Some(Chain::values().link(value).seal()),
        values,
        rows: 0,
        has_values: true,
        truncated: false,
        comments: false,
    })
}
