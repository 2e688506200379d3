//! A normalised statement laid out over lines, in pieces that a page can colour.
//!
//! Serves the report's page; it knows the normalised text only, and puts nothing into it but white space.

use super::keywords::{Sort, Spelled, keywords};
use super::lexer::{Lexer, Token, TokenKind};

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
    let mut layout = Layout { pieces: Vec::new(), nested: Vec::new(), outer: Nest::query(true) };
    let tokens: Vec<_> = Lexer::new(sql).collect();
    let lower = |index: usize| {
        tokens.get(index).map(|token| token.text(sql).to_ascii_lowercase()).unwrap_or_default()
    };
    let spelled = tokens
        .iter()
        .map(|token| Spelled { sort: sort(token, sql), text: token.text(sql).to_ascii_lowercase() });
    let keywords = keywords(&spelled.collect::<Vec<_>>());
    for (index, token) in tokens.iter().enumerate() {
        let text = token.text(sql);
        let word = lower(index);
        let query_follows = matches!(
            lower(index + 1).as_slice(),
            b"select" | b"with" | b"values" | b"insert" | b"update" | b"delete"
        );
        let closes_query = text == b")" && layout.nested.last().is_some_and(|nest| nest.query);
        if closes_query {
            layout.nested.pop();
            layout.line();
        } else if text == b")" {
            layout.nested.pop();
        }
        let before = index.checked_sub(1).map(lower).unwrap_or_default();
        let breaks = keywords[index]
            && layout.nest().may_break(&word)
            && starts_line(&word, &before, &lower(index + 1));
        if index > 0 && breaks {
            layout.line();
        } else if index > 0 && tokens[index - 1].end < token.start && !closes_query && !layout.at_line_start()
        {
            layout.push(Class::Space, " ");
        }
        let class = match token.kind {
            // Only what normalising put into upper case is a keyword.
            TokenKind::Word if keywords[index] && is_upper(text) => Class::Keyword,
            TokenKind::Word | TokenKind::Quoted => Class::Name,
            TokenKind::Operator if text == b"?" => Class::Placeholder,
            TokenKind::Operator => Class::Operator,
            TokenKind::Punctuation if matches!(text, b"::" | b":=" | b"=>") => Class::Operator,
            TokenKind::Punctuation => Class::Punctuation,
            _ => Class::Name,
        };
        layout.push(class, &String::from_utf8_lossy(text));
        if text == b"(" {
            layout.nested.push(Nest::query(query_follows));
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

fn sort(token: &Token, sql: &[u8]) -> Sort {
    match token.kind {
        TokenKind::Word => Sort::Word,
        TokenKind::Punctuation | TokenKind::Stray | TokenKind::Comment => Sort::Symbol,
        // Of a normalised text nearly every `?` is a value.
        TokenKind::Operator if token.text(sql) != b"?" => Sort::Symbol,
        _ => Sort::Operand,
    }
}

/// Does a clause begin with this word? An AND that belongs to BETWEEN or stands in a CASE is none of them.
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
        b"when" => matches!(next, b"matched" | b"not"),
        b"on" => next == b"conflict",
        b"for" => matches!(next, b"update" | b"share" | b"no" | b"key"),
        _ => false,
    }
}

/// What an open parenthesis holds.
struct Nest {
    /// Breaks stand in queries, not among the arguments of a function.
    query: bool,
    /// BETWEENs whose AND is to come.
    betweens: usize,
    /// CASEs whose END is to come.
    cases: usize,
}

impl Nest {
    fn query(query: bool) -> Self {
        Nest { query, betweens: 0, cases: 0 }
    }

    /// Goes on to a word; says whether a line may begin with it.
    fn may_break(&mut self, word: &[u8]) -> bool {
        match word {
            b"between" => self.betweens += 1,
            b"case" => self.cases += 1,
            b"end" => self.cases = self.cases.saturating_sub(1),
            b"and" if self.betweens > 0 => {
                self.betweens -= 1;
                return false;
            }
            _ => {}
        }
        self.query && self.cases == 0
    }
}

struct Layout {
    pieces: Vec<Piece>,
    /// The open parentheses.
    nested: Vec<Nest>,
    /// What stands outside of all.
    outer: Nest,
}

impl Layout {
    fn nest(&mut self) -> &mut Nest {
        self.nested.last_mut().unwrap_or(&mut self.outer)
    }

    fn at_line_start(&self) -> bool {
        self.pieces.last().is_none_or(|piece| piece.class == Class::Space)
    }

    fn line(&mut self) {
        let depth = self.nested.iter().filter(|nest| nest.query).count().min(DEEPEST_INDENT);
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
    fn conditions_of_between_and_case_stay_together() {
        check(
            "SELECT a FROM t WHERE a BETWEEN ? AND ? AND b NOT BETWEEN c + ? AND d AND e",
            "SELECT a\nFROM t\nWHERE a BETWEEN ? AND ?\nAND b NOT BETWEEN c + ? AND d\nAND e",
        );
        check(
            "SELECT CASE WHEN a AND b THEN ? ELSE ? END FROM t WHERE CASE WHEN a OR b THEN c END AND d",
            "SELECT CASE WHEN a AND b THEN ? ELSE ? END\nFROM t\nWHERE CASE WHEN a OR b THEN c END\nAND d",
        );
        check(
            "SELECT a FROM t WHERE b BETWEEN (SELECT c FROM u WHERE d AND e) AND ? AND t.and",
            "SELECT a\nFROM t\nWHERE b BETWEEN (\n  SELECT c\n  FROM u\n  WHERE d\n  AND e\n) AND ?\nAND t.and",
        );
    }

    #[test]
    fn a_merge_has_a_line_for_each_case() {
        check(
            "MERGE INTO t USING u ON a WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND b THEN DO NOTHING",
            "MERGE INTO t USING u ON a\nWHEN MATCHED THEN DELETE\nWHEN NOT MATCHED\nAND b THEN DO NOTHING",
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
        let pieces = pretty("SELECT \"a\", COMMENT, left(b) FROM ID WHERE x = ?");
        let found: Vec<_> =
            pieces.iter().filter(|p| p.class != Class::Space).map(|p| (p.class, p.text.as_str())).collect();
        assert_eq!(
            found,
            [
                (Class::Keyword, "SELECT"),
                (Class::Name, "\"a\""),
                (Class::Punctuation, ","),
                (Class::Name, "COMMENT"),
                (Class::Punctuation, ","),
                (Class::Name, "left"),
                (Class::Punctuation, "("),
                (Class::Name, "b"),
                (Class::Punctuation, ")"),
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
