//! SQL bytes → tokens: the slow, obvious lexer.
//!
//! It follows PostgreSQL's scanner rule by rule, one token at a time, and serves everything that runs once per
//! distinct statement, look-ahead in rare places, and the tests of the fast digest. It knows no grammar. Any
//! bytes are a sequence of tokens: what PostgreSQL would refuse becomes a token of its own.

/// What a token is.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum TokenKind {
    /// An identifier or keyword without quotes.
    Word,
    /// An identifier in double quotes, `U&"…"` too.
    Quoted,
    /// A number, without sign.
    Number,
    /// `'…'` and `N'…'`: the only escape is the doubled quote.
    String,
    /// `E'…'`: backslash escapes.
    EscapeString,
    /// `U&'…'`: Unicode escapes, with its UESCAPE clause if it has one.
    UnicodeString,
    /// `B'…'` and `X'…'`.
    BitString,
    /// `$$…$$` and `$tag$…$tag$`.
    DollarString,
    /// `$1`.
    Parameter,
    /// An operator, cut where PostgreSQL cuts it.
    Operator,
    /// One of `( ) [ ] , ; . :`, or `::`, `:=`, `..`.
    Punctuation,
    /// `-- …` or `/* … */`.
    Comment,
    /// A byte that starts nothing.
    Stray,
}

/// One token and where it stands.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
    /// The text ended inside it.
    pub unterminated: bool,
}

impl Token {
    /// The token's bytes.
    pub fn text<'a>(&self, sql: &'a [u8]) -> &'a [u8] {
        &sql[self.start..self.end]
    }

    /// Is it a literal of any kind, or a parameter?
    pub fn is_value(&self) -> bool {
        matches!(
            self.kind,
            TokenKind::Number
                | TokenKind::String
                | TokenKind::EscapeString
                | TokenKind::UnicodeString
                | TokenKind::BitString
                | TokenKind::DollarString
                | TokenKind::Parameter
        )
    }
}

/// Iterates over the tokens of a text, comments included, white space left out.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    sql: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Starts at the first byte.
    pub fn new(sql: &'a [u8]) -> Self {
        Lexer { sql, at: 0 }
    }

    /// Starts at an offset that is a token border.
    pub(super) fn starting_at(sql: &'a [u8], at: usize) -> Self {
        Lexer { sql, at }
    }

    /// The next token that is no comment.
    pub(super) fn next_code(&mut self) -> Option<Token> {
        self.find(|token| token.kind != TokenKind::Comment)
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.sql.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Moves to the first byte at or after `at` for which `stop` holds.
    fn skip_until(&mut self, mut stop: impl FnMut(u8) -> bool) {
        while self.at < self.sql.len() && !stop(self.sql[self.at]) {
            self.at += 1;
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_until(|b| !is_space(b));
        if self.at >= self.sql.len() {
            return None;
        }
        let start = self.at;
        let (kind, closed) = self.scan();
        Some(Token { kind, start, end: self.at, unterminated: !closed })
    }
}

impl Lexer<'_> {
    /// Scans one token from a byte that is no space; says what it is and whether it was closed.
    fn scan(&mut self) -> (TokenKind, bool) {
        let first = self.peek(0);
        let second = self.peek(1);
        match first {
            b'\'' => (TokenKind::String, self.quoted_string(0)),
            b'e' | b'E' if second == b'\'' => (TokenKind::EscapeString, self.escape_string()),
            b'n' | b'N' if second == b'\'' => (TokenKind::String, self.quoted_string(1)),
            b'b' | b'B' | b'x' | b'X' if second == b'\'' => (TokenKind::BitString, self.quoted_string(1)),
            b'u' | b'U' if second == b'&' && self.peek(2) == b'\'' => self.unicode_string(),
            b'u' | b'U' if second == b'&' && self.peek(2) == b'"' => {
                (TokenKind::Quoted, self.delimited(2, b'"'))
            }
            b'"' => (TokenKind::Quoted, self.delimited(0, b'"')),
            b'$' => self.dollar(),
            b'-' if second == b'-' => {
                let rest = &self.sql[self.at..];
                self.at += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                (TokenKind::Comment, true)
            }
            b'/' if second == b'*' => (TokenKind::Comment, self.block_comment()),
            b'0'..=b'9' => self.number(),
            b'.' if second.is_ascii_digit() => self.number(),
            b'.' if second == b'.' => self.punctuation(2),
            b':' if second == b':' || second == b'=' => self.punctuation(2),
            b'(' | b')' | b'[' | b']' | b',' | b';' | b'.' | b':' => self.punctuation(1),
            _ if is_operator(first) => self.operator(),
            _ if is_name_start(first) => {
                self.skip_until(|b| !is_name(b));
                (TokenKind::Word, true)
            }
            _ => {
                self.at += 1;
                (TokenKind::Stray, true)
            }
        }
    }

    fn punctuation(&mut self, len: usize) -> (TokenKind, bool) {
        self.at += len;
        (TokenKind::Punctuation, true)
    }

    /// From an opening delimiter `prefix` bytes ahead to its closing one; doubled, it stands for itself.
    fn delimited(&mut self, prefix: usize, delimiter: u8) -> bool {
        self.at += prefix + 1;
        loop {
            let Some(found) = memchr::memchr(delimiter, &self.sql[self.at..]) else {
                self.at = self.sql.len();
                return false;
            };
            self.at += found + 1;
            if self.peek(0) != delimiter {
                return true;
            }
            self.at += 1;
        }
    }

    /// A string, and its continuations: white space with a line break, then another quote.
    fn quoted_string(&mut self, prefix: usize) -> bool {
        self.delimited(prefix, b'\'') && self.continued(|lexer| lexer.delimited(0, b'\''))
    }

    fn continued(&mut self, more: impl Fn(&mut Self) -> bool) -> bool {
        while let Some(at) = string_goes_on(self.sql, self.at) {
            self.at = at;
            if !more(self) {
                return false;
            }
        }
        true
    }

    fn escape_string(&mut self) -> bool {
        self.at += 1;
        self.escaped() && self.continued(Self::escaped)
    }

    fn escaped(&mut self) -> bool {
        self.at += 1;
        loop {
            let Some(found) = memchr::memchr2(b'\'', b'\\', &self.sql[self.at..]) else {
                self.at = self.sql.len();
                return false;
            };
            self.at += found;
            if self.peek(0) == b'\\' || self.peek(1) == b'\'' {
                if self.at + 1 >= self.sql.len() {
                    self.at += 1;
                    return false;
                }
                self.at += 2;
                continue;
            }
            self.at += 1;
            return true;
        }
    }

    /// `U&'…'` and the clause that names its escape character, `UESCAPE '!'`.
    fn unicode_string(&mut self) -> (TokenKind, bool) {
        if !self.quoted_string(2) {
            return (TokenKind::UnicodeString, false);
        }
        let Some(quote) = self.escape_clause() else { return (TokenKind::UnicodeString, true) };
        self.at = quote;
        (TokenKind::UnicodeString, self.delimited(0, b'\''))
    }

    /// After a `U&'…'`: where the string of its UESCAPE clause opens, if it has one. Comments may stand around the word.
    fn escape_clause(&self) -> Option<usize> {
        let mut ahead = self.clone();
        let word = ahead.next_code().filter(|token| token.kind == TokenKind::Word)?;
        ahead.skip_blank();
        let clause = word.text(self.sql).eq_ignore_ascii_case(b"uescape") && ahead.peek(0) == b'\'';
        clause.then_some(ahead.at)
    }

    /// Moves past white space and comments.
    fn skip_blank(&mut self) {
        loop {
            self.skip_until(|b| !is_space(b));
            match (self.peek(0), self.peek(1)) {
                (b'-', b'-') | (b'/', b'*') => self.scan(),
                _ => return,
            };
        }
    }

    /// Comments nest.
    fn block_comment(&mut self) -> bool {
        let mut depth = 0_usize;
        while self.at < self.sql.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return true;
                    }
                }
                _ => {
                    let rest = &self.sql[self.at + 1..];
                    self.at += 1 + memchr::memchr2(b'/', b'*', rest).unwrap_or(rest.len());
                }
            }
        }
        false
    }

    /// `$1`, `$$…$$`, `$tag$…$tag$`, or a dollar that starts nothing.
    fn dollar(&mut self) -> (TokenKind, bool) {
        if self.peek(1).is_ascii_digit() {
            self.at += 1;
            self.skip_until(|b| !b.is_ascii_digit());
            return (TokenKind::Parameter, true);
        }
        match dollar_string(self.sql, self.at) {
            Some(body) => {
                self.at = body.end;
                (TokenKind::DollarString, body.closed)
            }
            None => {
                self.at += 1;
                (TokenKind::Stray, true)
            }
        }
    }

    fn number(&mut self) -> (TokenKind, bool) {
        self.at = number_end(self.sql, self.at);
        (TokenKind::Number, true)
    }

    fn operator(&mut self) -> (TokenKind, bool) {
        self.at = operator_end(self.sql, self.at);
        (TokenKind::Operator, true)
    }
}

/// PostgreSQL's white space.
pub(super) fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | 0x0b | 0)
}

/// May a name start with it? Bytes above ASCII may, in any encoding.
pub(super) fn is_name_start(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}

/// May a name go on with it?
pub(super) fn is_name(b: u8) -> bool {
    is_name_start(b) || b.is_ascii_digit() || b == b'$'
}

/// Some bytes of all.
struct Bytes([bool; 256]);

impl Bytes {
    const fn of(some: &[u8]) -> Self {
        let mut all = [false; 256];
        let mut at = 0;
        while at < some.len() {
            all[some[at] as usize] = true;
            at += 1;
        }
        Self(all)
    }

    fn has(&self, b: u8) -> bool {
        self.0[usize::from(b)]
    }
}

/// The characters that operators are made of.
static OPERATOR: Bytes = Bytes::of(b"~!@#^&|`?+-*/%<>=");
/// Those of which a driver may mean its placeholder by a `?` after them.
static BEFORE_PLACEHOLDER: Bytes = Bytes::of(b"<>=!+-*/%|");
/// Those with one of which an operator may end in a sign.
static BEFORE_SIGN: Bytes = Bytes::of(b"~!@#^&|`?%");

/// Is it one of the characters that operators are made of?
pub(super) fn is_operator(b: u8) -> bool {
    OPERATOR.has(b)
}

/// Where the string that ended at `at` goes on: after white space that holds a line break, at another quote. A
/// comment of two dashes is such white space too (`quotecontinue` in PostgreSQL's scan.l), one of `/*` is not.
pub(super) fn string_goes_on(sql: &[u8], mut at: usize) -> Option<usize> {
    let mut breaks = false;
    loop {
        match *sql.get(at)? {
            b'\'' if breaks => return Some(at),
            b'-' if sql.get(at + 1) == Some(&b'-') => at += memchr::memchr2(b'\n', b'\r', &sql[at..])?,
            b if is_space(b) => {
                breaks |= matches!(b, b'\n' | b'\r');
                at += 1;
            }
            _ => return None,
        }
    }
}

/// The escape character that a whole `U&'…'` names in its UESCAPE clause.
pub(super) fn escape_character(text: &[u8]) -> Option<u8> {
    let mut lexer = Lexer::new(text);
    let quote = lexer.quoted_string(2).then(|| lexer.escape_clause()).flatten()?;
    match text[quote..] {
        [b'\'', escape, b'\''] => Some(escape),
        _ => None,
    }
}

/// A dollar-quoted string: where its body and the whole end.
pub(super) struct DollarBody {
    pub(super) body_start: usize,
    pub(super) body_end: usize,
    pub(super) end: usize,
    pub(super) closed: bool,
}

/// The dollar-quoted string that opens at `start`, if one does.
pub(super) fn dollar_string(sql: &[u8], start: usize) -> Option<DollarBody> {
    let mut tag_end = start + 1;
    while sql.get(tag_end).is_some_and(|b| is_name(*b) && *b != b'$') {
        if tag_end == start + 1 && !is_name_start(sql[tag_end]) {
            return None;
        }
        tag_end += 1;
    }
    if sql.get(tag_end) != Some(&b'$') {
        return None;
    }
    let body_start = tag_end + 1;
    let tag = &sql[start..body_start];
    Some(match memchr::memmem::find(&sql[body_start..], tag) {
        Some(at) => DollarBody {
            body_start,
            body_end: body_start + at,
            end: body_start + at + tag.len(),
            closed: true,
        },
        None => DollarBody { body_start, body_end: sql.len(), end: sql.len(), closed: false },
    })
}

/// Where the number that starts at `at` ends.
pub(super) fn number_end(sql: &[u8], mut at: usize) -> usize {
    let byte = |at: usize| sql.get(at).copied().unwrap_or(0);
    let digits = |mut at: usize| {
        while byte(at).is_ascii_digit() || (byte(at) == b'_' && byte(at + 1).is_ascii_digit()) {
            at += 1;
        }
        at
    };
    if byte(at) == b'0' && matches!(byte(at + 1) | 0x20, b'x' | b'o' | b'b') {
        let radix = byte(at + 1) | 0x20;
        let of_radix = |b: u8| match radix {
            b'x' => b.is_ascii_hexdigit(),
            b'o' => (b'0'..=b'7').contains(&b),
            _ => b == b'0' || b == b'1',
        };
        let first = if byte(at + 2) == b'_' { at + 3 } else { at + 2 };
        if of_radix(byte(first)) {
            at = first;
            while of_radix(byte(at)) || (byte(at) == b'_' && of_radix(byte(at + 1))) {
                at += 1;
            }
            return at;
        }
    }
    at = digits(at);
    if byte(at) == b'.' && byte(at + 1) != b'.' {
        at = digits(at + 1);
    }
    if byte(at) | 0x20 == b'e' {
        let sign = usize::from(matches!(byte(at + 1), b'+' | b'-'));
        if byte(at + 1 + sign).is_ascii_digit() {
            at = digits(at + 1 + sign);
        }
    }
    at
}

/// No operator is longer than a name may be; the cap keeps a megabyte of `+` linear.
const LONGEST_OPERATOR: usize = 63;

/// Where the operator that starts at `start` ends: the longest run, cut at a comment, without a trailing sign
/// unless it holds a character that no SQL operator has.
pub(super) fn operator_end(sql: &[u8], start: usize) -> usize {
    let mut end = start;
    let limit = sql.len().min(start + LONGEST_OPERATOR);
    while end < limit && is_operator(sql[end]) {
        let pair = (sql[end], sql.get(end + 1).copied().unwrap_or(0));
        if end > start && (pair == (b'-', b'-') || pair == (b'/', b'*')) {
            break;
        }
        end += 1;
    }
    // No operator ends in `?` after one of these: `a=?` holds a driver's placeholder.
    let driver = end > start + 1 && sql[end - 1] == b'?';
    if driver && sql[start..end - 1].iter().all(|b| BEFORE_PLACEHOLDER.has(*b)) {
        end -= 1;
    }
    let free = sql[start..end].iter().any(|b| BEFORE_SIGN.has(*b));
    while !free && end > start + 1 && matches!(sql[end - 1], b'+' | b'-') {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expected: &[(TokenKind, &str)]) {
        let tokens: Vec<_> = Lexer::new(sql.as_bytes()).collect();
        let found: Vec<_> =
            tokens.iter().map(|t| (t.kind, std::str::from_utf8(t.text(sql.as_bytes())).unwrap())).collect();
        assert_eq!(found, expected, "{sql}");
    }

    #[test]
    fn strings() {
        use TokenKind::*;
        check("'it''s' x", &[(String, "'it''s'"), (Word, "x")]);
        check(r"'C:\' x", &[(String, r"'C:\'"), (Word, "x")]);
        check(r"E'it\'s' x", &[(EscapeString, r"E'it\'s'"), (Word, "x")]);
        check("e'a''b\\\\' x", &[(EscapeString, "e'a''b\\\\'"), (Word, "x")]);
        check("$$it's$$ $a$ $$ $a$", &[(DollarString, "$$it's$$"), (DollarString, "$a$ $$ $a$")]);
        check("b'01' X'1F' n'x'", &[(BitString, "b'01'"), (BitString, "X'1F'"), (String, "n'x'")]);
        check("U&'d!0061' UESCAPE '!' x", &[(UnicodeString, "U&'d!0061' UESCAPE '!'"), (Word, "x")]);
        for sql in [
            "U&'a' /* c */ UESCAPE '!'",
            "U&'a' -- c\nuescape/* /* ' */ */'!'",
            "U&'a'UESCAPE --\n -- '\n'!'",
        ] {
            check(sql, &[(UnicodeString, sql)]);
        }
        check("U&'a' /* c */ x", &[(UnicodeString, "U&'a'"), (Comment, "/* c */"), (Word, "x")]);
        check("U&'a' UESCAPE /*", &[(UnicodeString, "U&'a'"), (Word, "UESCAPE"), (Comment, "/*")]);
        check("'a'\n 'b' 'c'", &[(String, "'a'\n 'b'"), (String, "'c'")]);
        check("'a' -- it's\n --\n 'b'", &[(String, "'a' -- it's\n --\n 'b'")]);
        check("E'a'--\n'\\'' x", &[(EscapeString, "E'a'--\n'\\''"), (Word, "x")]);
        check("'a' --'b'", &[(String, "'a'"), (Comment, "--'b'")]);
        check("'a' /*\n*/ 'b'", &[(String, "'a'"), (Comment, "/*\n*/"), (String, "'b'")]);
        check("t$1x $1", &[(Word, "t$1x"), (Parameter, "$1")]);
        check("\"a\"\"b\" \"c", &[(Quoted, "\"a\"\"b\""), (Quoted, "\"c")]);
    }

    #[test]
    fn numbers() {
        use TokenKind::*;
        check(
            "1_000 0x1F 0b1 .5 5. 1e10 1e x",
            &[
                (Number, "1_000"),
                (Number, "0x1F"),
                (Number, "0b1"),
                (Number, ".5"),
                (Number, "5."),
                (Number, "1e10"),
                (Number, "1"),
                (Word, "e"),
                (Word, "x"),
            ],
        );
        check("1..2", &[(Number, "1"), (Punctuation, ".."), (Number, "2")]);
        check("a.b", &[(Word, "a"), (Punctuation, "."), (Word, "b")]);
    }

    #[test]
    fn operators() {
        use TokenKind::*;
        check("a=-1", &[(Word, "a"), (Operator, "="), (Operator, "-"), (Number, "1")]);
        check("a@-1", &[(Word, "a"), (Operator, "@-"), (Number, "1")]);
        check("a->>'b'", &[(Word, "a"), (Operator, "->>"), (String, "'b'")]);
        check("a*/*c*/b", &[(Word, "a"), (Operator, "*"), (Comment, "/*c*/"), (Word, "b")]);
        check("a<--c\n1", &[(Word, "a"), (Operator, "<"), (Comment, "--c"), (Number, "1")]);
        check("a=?", &[(Word, "a"), (Operator, "="), (Operator, "?")]);
        check("a=-?", &[(Word, "a"), (Operator, "="), (Operator, "-"), (Operator, "?")]);
        check("a @? b ?| c", &[(Word, "a"), (Operator, "@?"), (Word, "b"), (Operator, "?|"), (Word, "c")]);
        check("a::int", &[(Word, "a"), (Punctuation, "::"), (Word, "int")]);
    }

    #[test]
    fn comments() {
        use TokenKind::*;
        check("/* a /* b */ c */ x", &[(Comment, "/* a /* b */ c */"), (Word, "x")]);
        check("x /* a /* b */", &[(Word, "x"), (Comment, "/* a /* b */")]);
        check("-- don't\nx", &[(Comment, "-- don't"), (Word, "x")]);
    }

    #[test]
    fn what_never_ends_is_marked() {
        for sql in ["'a", "E'a\\", "$$a", "$t$a$$", "\"a", "/* a", "U&'a", "'a'\n'b"] {
            let last = Lexer::new(sql.as_bytes()).last().unwrap();
            assert!(last.unterminated, "{sql}");
            assert_eq!(last.end, sql.len());
        }
    }
}
