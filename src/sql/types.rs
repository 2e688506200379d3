//! Look-ahead over type names: where the type of a cast ends, and whether a type stands before a literal.
//!
//! `'…'::timestamp(3) with time zone[]` is one value, and so is `interval '1' day`. Called in the few places
//! where a type may stand, by the fast digest and the reference alike.

use super::lexer::{Lexer, Token, TokenKind};
use super::words::is_interval_field;

/// Where the type name that starts at `at` ends, modifiers and array bounds included.
pub(super) fn type_end(sql: &[u8], at: usize) -> Option<usize> {
    let mut ahead = Ahead::new(sql, at);
    ahead.word(&["setof"]);
    ahead.type_name()?;
    loop {
        if ahead.word(&["array"]) || ahead.punctuation(b"[") {
            if ahead.after_word && !ahead.punctuation(b"[") {
                continue;
            }
            let bracket = ahead.clone();
            ahead.number();
            if !ahead.punctuation(b"]") {
                return Some(bracket.before_bracket);
            }
            continue;
        }
        return Some(ahead.end);
    }
}

/// For a built-in type of several words or with a modifier, whose first word is `head`: where the string
/// starts whose type it is.
pub(super) fn typed_string(sql: &[u8], head: &Token) -> Option<Token> {
    let mut ahead = Ahead::new(sql, head.start);
    ahead.type_name()?;
    let string = ahead.lexer.next_code()?;
    is_typable(string.kind).then_some(string)
}

/// May a type stand before this kind of literal?
pub(super) fn is_typable(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::String | TokenKind::EscapeString | TokenKind::UnicodeString | TokenKind::DollarString
    )
}

/// Where the fields end that follow `interval '…'`; `None` when none do.
pub(super) fn interval_fields_end(sql: &[u8], at: usize) -> Option<usize> {
    let mut ahead = Ahead::new(sql, at);
    ahead.interval_fields();
    (ahead.end > at).then_some(ahead.end)
}

/// A lexer that takes a token only when it is the one asked for.
#[derive(Clone)]
struct Ahead<'a> {
    sql: &'a [u8],
    lexer: Lexer<'a>,
    /// After the last token taken.
    end: usize,
    /// Before the last opening bracket taken.
    before_bracket: usize,
    /// The last token taken was a word.
    after_word: bool,
}

impl<'a> Ahead<'a> {
    fn new(sql: &'a [u8], at: usize) -> Self {
        Ahead { sql, lexer: Lexer::starting_at(sql, at), end: at, before_bracket: at, after_word: false }
    }

    fn take_if(&mut self, wanted: impl Fn(&Token, &[u8]) -> bool) -> bool {
        let mut lexer = self.lexer.clone();
        match lexer.next_code() {
            Some(token) if wanted(&token, token.text(self.sql)) => {
                if token.text(self.sql) == b"[" {
                    self.before_bracket = self.end;
                }
                self.lexer = lexer;
                self.end = token.end;
                self.after_word = token.kind == TokenKind::Word;
                true
            }
            _ => false,
        }
    }

    fn word(&mut self, words: &[&str]) -> bool {
        self.take_if(|token, text| {
            token.kind == TokenKind::Word
                && words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
        })
    }

    fn punctuation(&mut self, text: &[u8]) -> bool {
        self.take_if(|token, found| token.kind == TokenKind::Punctuation && found == text)
    }

    fn number(&mut self) -> bool {
        self.take_if(|token, _| token.kind == TokenKind::Number)
    }

    fn name(&mut self) -> bool {
        self.take_if(|token, _| matches!(token.kind, TokenKind::Word | TokenKind::Quoted))
    }

    fn interval_field(&mut self) -> bool {
        self.take_if(|token, text| token.kind == TokenKind::Word && is_interval_field(text))
    }

    /// A type without array bounds.
    fn type_name(&mut self) -> Option<()> {
        if self.word(&["double"]) {
            self.word(&["precision"]);
        } else if self.word(&["national"]) {
            self.word(&["character", "char"]);
            self.word(&["varying"]);
        } else if self.word(&["character", "char", "nchar", "bit"]) {
            self.word(&["varying"]);
        } else if self.word(&["timestamp", "time"]) {
            self.modifier();
            self.time_zone();
            return Some(());
        } else if self.word(&["interval"]) {
            self.modifier();
            self.interval_fields();
            return Some(());
        } else {
            if !self.name() {
                return None;
            }
            while self.dotted_name() {}
        }
        self.modifier();
        Some(())
    }

    fn dotted_name(&mut self) -> bool {
        let before = self.clone();
        if self.punctuation(b".") && self.name() {
            return true;
        }
        *self = before;
        false
    }

    /// `(10)`, `(10, 2)`, `(point, 4326)`.
    fn modifier(&mut self) {
        let before = self.clone();
        if !self.punctuation(b"(") {
            return;
        }
        loop {
            self.take_if(|token, text| token.kind == TokenKind::Operator && text == b"-");
            if !(self.number() || self.name()) {
                break;
            }
            if self.punctuation(b")") {
                return;
            }
            if !self.punctuation(b",") {
                break;
            }
        }
        *self = before;
    }

    fn time_zone(&mut self) {
        let before = self.clone();
        if self.word(&["with", "without"]) && self.word(&["time"]) && self.word(&["zone"]) {
            return;
        }
        *self = before;
    }

    fn interval_fields(&mut self) {
        if !self.interval_field() {
            return;
        }
        self.modifier();
        let before = self.clone();
        if self.word(&["to"]) && self.interval_field() {
            self.modifier();
            return;
        }
        *self = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, rest: &str) {
        let end = type_end(text.as_bytes(), 0).expect("a type");
        assert_eq!(&text[end..], rest, "{text}");
    }

    #[test]
    fn types_end_where_the_grammar_ends_them() {
        check("int4 x", " x");
        check("numeric(10, 2)[] x", " x");
        check("timestamp(3) with time zone at time zone 'x'", " at time zone 'x'");
        check("time without time zone", "");
        check("double precision, x", ", x");
        check("character varying(3)[3][]", "");
        check("pg_catalog.\"char\" x", " x");
        check("interval day to second(3) x", " x");
        check("int array[4] x", " x");
        check("int array x", " x");
        check("geometry(point, 4326))", ")");
        check("int[1:2]", "[1:2]");
        check("date AND x", " AND x");
        check("x(y(1))", "(y(1))");
    }

    #[test]
    fn a_type_before_a_literal() {
        for (text, at) in [
            ("timestamp with time zone '2026'", 25),
            ("interval(3) '1 day'", 12),
            ("double precision '1'", 17),
            ("numeric(3,1) E'1'", 13),
        ] {
            let head = Lexer::new(text.as_bytes()).next().unwrap();
            assert_eq!(typed_string(text.as_bytes(), &head).map(|t| t.start), Some(at), "{text}");
        }
        for text in ["time zone 'UTC'", "timestamp, 'x'", "interval x"] {
            let head = Lexer::new(text.as_bytes()).next().unwrap();
            assert!(typed_string(text.as_bytes(), &head).is_none(), "{text}");
        }
    }
}
