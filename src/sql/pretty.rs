//! A normalised statement laid out over lines, in pieces that a page can colour.
//!
//! Serves the report's page; it knows the normalised text only, and puts nothing into it but white space.

use super::lexer::{Lexer, TokenKind};
use super::normalise::is_keyword;

/// What a piece of text is, for highlighting.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Class {
    /// A word of SQL.
    Keyword,
    /// A table, a column, a function, an alias.
    Name,
    /// `?`.
    Placeholder,
    /// `=`, `->>`, `::` …
    Operator,
    /// Commas, dots, brackets.
    Punctuation,
    /// Spaces and line breaks.
    Space,
}

/// A piece of the laid-out text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// What it is.
    pub class: Class,
    /// Its text.
    pub text: String,
}

/// Nesting deeper than this is no longer indented.
const DEEPEST_INDENT: usize = 8;

/// Lays a normalised statement out: a clause a line, subqueries indented.
pub fn pretty(normalised: &str) -> Vec<Piece> {
    let sql = normalised.as_bytes();
    let mut layout = Layout { pieces: Vec::new(), nested: Vec::new() };
    let tokens: Vec<_> = Lexer::new(sql).collect();
    let lower = |index: usize| {
        tokens.get(index).map(|token| token.text(sql).to_ascii_lowercase()).unwrap_or_default()
    };
    for (index, token) in tokens.iter().enumerate() {
        let text = token.text(sql);
        let word = lower(index);
        let query_follows = matches!(
            lower(index + 1).as_slice(),
            b"select" | b"with" | b"values" | b"insert" | b"update" | b"delete"
        );
        let closes_query = text == b")" && layout.nested.last() == Some(&true);
        if closes_query {
            layout.nested.pop();
            layout.line();
        } else if text == b")" {
            layout.nested.pop();
        }
        let before = index.checked_sub(1).map(lower).unwrap_or_default();
        let breaks = token.kind == TokenKind::Word
            && layout.in_query()
            && starts_line(&word, &before, &lower(index + 1));
        if index > 0 && breaks {
            layout.line();
        } else if index > 0 && tokens[index - 1].end < token.start && !closes_query && !layout.at_line_start()
        {
            layout.push(Class::Space, " ");
        }
        let class = match token.kind {
            TokenKind::Word
                if text.iter().any(u8::is_ascii_uppercase) && is_upper(text) && is_known(&word, &before) =>
            {
                Class::Keyword
            }
            TokenKind::Word | TokenKind::Quoted => Class::Name,
            TokenKind::Operator if text == b"?" => Class::Placeholder,
            TokenKind::Operator => Class::Operator,
            TokenKind::Punctuation if matches!(text, b"::" | b":=" | b"=>") => Class::Operator,
            TokenKind::Punctuation => Class::Punctuation,
            _ => Class::Name,
        };
        layout.push(class, &String::from_utf8_lossy(text));
        if text == b"(" {
            layout.nested.push(query_follows);
            if query_follows {
                layout.line();
            }
        }
    }
    layout.pieces
}

fn is_upper(text: &[u8]) -> bool {
    !text.iter().any(u8::is_ascii_lowercase)
}

/// Only what normalising put into upper case is a keyword; `ID` is a name that somebody shouts.
fn is_known(word: &[u8], before: &[u8]) -> bool {
    is_keyword(word) || super::normalise::is_pair(before, word)
}

/// Does a clause begin with this word?
fn starts_line(word: &[u8], before: &[u8], next: &[u8]) -> bool {
    match word {
        b"select" => !matches!(before, b"(" | b"all" | b"explain" | b"analyze"),
        b"from" => !matches!(before, b"distinct" | b"delete"),
        b"where" | b"having" | b"limit" | b"offset" | b"returning" | b"union" | b"intersect" | b"except"
        | b"window" => before != b"for",
        b"group" | b"order" => next == b"by",
        b"values" => !matches!(before, b"(" | b"for"),
        b"set" => before != b"update" && !matches!(before, b"delete" | b"on"),
        b"join" => {
            !matches!(before, b"left" | b"right" | b"full" | b"inner" | b"outer" | b"cross" | b"natural")
        }
        b"left" | b"right" | b"full" | b"inner" | b"cross" | b"natural" => {
            matches!(next, b"join" | b"outer" | b"left" | b"inner") && before != b"natural"
        }
        b"and" | b"or" => true,
        b"on" => next == b"conflict",
        b"for" => matches!(next, b"update" | b"share" | b"no" | b"key"),
        _ => false,
    }
}

struct Layout {
    pieces: Vec<Piece>,
    /// For each open parenthesis: does it hold a query?
    nested: Vec<bool>,
}

impl Layout {
    /// Breaks stand in queries, not among the arguments of a function.
    fn in_query(&self) -> bool {
        self.nested.last().copied().unwrap_or(true)
    }

    fn at_line_start(&self) -> bool {
        self.pieces.last().is_none_or(|piece| piece.class == Class::Space)
    }

    fn line(&mut self) {
        let depth = self.nested.iter().filter(|query| **query).count().min(DEEPEST_INDENT);
        self.push(Class::Space, &format!("\n{}", "  ".repeat(depth)));
    }

    fn push(&mut self, class: Class, text: &str) {
        match self.pieces.last_mut() {
            Some(last) if class == Class::Space && last.class == Class::Space => {
                text.clone_into(&mut last.text)
            }
            _ => self.pieces.push(Piece { class, text: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(normalised: &str, expected: &str) {
        let pieces = pretty(normalised);
        let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(text, expected);
        let code = |text: &str| text.split_whitespace().collect::<Vec<_>>().join("");
        assert_eq!(code(&text), code(normalised), "white space only");
    }

    #[test]
    fn a_clause_a_line() {
        check(
            "SELECT a, b FROM t LEFT JOIN u ON t.id = u.id WHERE a = ? AND b IN (?) ORDER BY a LIMIT ?",
            "SELECT a, b\nFROM t\nLEFT JOIN u ON t.id = u.id\nWHERE a = ?\nAND b IN (?)\nORDER BY a\nLIMIT ?",
        );
    }

    #[test]
    fn subqueries_are_indented() {
        check(
            "SELECT * FROM t WHERE id IN (SELECT id FROM u WHERE f(a, b)) AND x = ?",
            "SELECT *\nFROM t\nWHERE id IN (\n  SELECT id\n  FROM u\n  WHERE f(a, b)\n)\nAND x = ?",
        );
    }

    #[test]
    fn classes() {
        let pieces = pretty("SELECT \"a\" FROM ID WHERE x = ?");
        let found: Vec<_> =
            pieces.iter().filter(|p| p.class != Class::Space).map(|p| (p.class, p.text.as_str())).collect();
        assert_eq!(
            found,
            [
                (Class::Keyword, "SELECT"),
                (Class::Name, "\"a\""),
                (Class::Keyword, "FROM"),
                (Class::Name, "ID"),
                (Class::Keyword, "WHERE"),
                (Class::Name, "x"),
                (Class::Operator, "="),
                (Class::Placeholder, "?"),
            ]
        );
    }
}
