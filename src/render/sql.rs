//! SQL for eyes: pieces with a token class, one clause a line. A display only: what does not look like SQL comes
//! out as it went in.

/// What a piece of SQL is; the name of its class on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// Names, operators, punctuation.
    Plain,
    /// A reserved word.
    Keyword,
    /// A literal in quotes.
    Text,
    /// A number.
    Number,
    /// A parameter: `?`, `$1`.
    Hole,
    /// A comment.
    Comment,
}

impl Token {
    /// The class on the page; empty for plain text.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Keyword => "k",
            Self::Text => "s",
            Self::Number => "n",
            Self::Hole => "h",
            Self::Comment => "c",
        }
    }
}

/// The text in pieces; joined, they are the text again.
pub(super) fn highlight(sql: &str) -> Vec<(Token, &str)> {
    let mut pieces: Vec<(Token, &str)> = Vec::new();
    let mut plain_from = 0;
    let mut at = 0;
    while at < sql.len() {
        let (token, len) = token_at(&sql[at..], at > 0 && is_word(last_char(&sql[..at])));
        if token != Token::Plain {
            if plain_from < at {
                pieces.push((Token::Plain, &sql[plain_from..at]));
            }
            pieces.push((token, &sql[at..at + len]));
            plain_from = at + len;
        }
        at += len;
    }
    if plain_from < sql.len() {
        pieces.push((Token::Plain, &sql[plain_from..]));
    }
    pieces
}

/// The text in about `limit` characters where its column list is what makes it long: `select … from choices where …`
/// tells statements apart, forty column names do not. Other texts come back as they are, for the caller to cut.
pub(super) fn brief(sql: &str, limit: usize) -> String {
    if sql.chars().count() <= limit {
        return sql.to_owned();
    }
    let mut depth = 0_usize;
    let mut list = None;
    let mut at = 0;
    for (token, text) in highlight(sql) {
        match token {
            Token::Plain => {
                for c in text.chars() {
                    match c {
                        '(' => depth += 1,
                        ')' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                }
            }
            Token::Keyword if depth == 0 && list.is_none() && text.eq_ignore_ascii_case("select") => {
                list = Some(at + text.len());
            }
            Token::Keyword if depth == 0 && text.eq_ignore_ascii_case("from") => {
                return match list {
                    Some(list) if at - list > 30 => format!("{} … {}", &sql[..list], &sql[at..]),
                    _ => sql.to_owned(),
                };
            }
            _ => {}
        }
        at += text.len();
    }
    sql.to_owned()
}

/// The text with a line break before each clause, indented by parenthesis. Text that has its own line breaks keeps
/// them.
pub(super) fn broken(sql: &str) -> String {
    if sql.trim().contains('\n') || sql.len() < 60 {
        return sql.to_owned();
    }
    let mut out = String::with_capacity(sql.len() + 64);
    let mut depth = 0_usize;
    // Whether each open parenthesis holds a query of its own, whose clauses deserve lines.
    let mut queries: Vec<bool> = Vec::new();
    let pieces = highlight(sql);
    for (i, &(token, text)) in pieces.iter().enumerate() {
        match token {
            Token::Keyword => {
                if out.ends_with('(') {
                    if let Some(query) = queries.last_mut() {
                        *query = matches!(text.to_ascii_lowercase().as_str(), "select" | "with");
                    }
                } else if starts_clause(text, &pieces[..i]) && queries.last().copied().unwrap_or(true) {
                    out.truncate(out.trim_end().len());
                    out.push('\n');
                    let deeper = matches!(text.to_ascii_lowercase().as_str(), "and" | "or");
                    out.push_str(&"  ".repeat(depth.min(8) + usize::from(deeper)));
                }
                out.push_str(text);
            }
            Token::Plain => {
                for c in text.chars() {
                    match c {
                        '(' => {
                            depth += 1;
                            queries.push(false);
                        }
                        ')' => {
                            depth = depth.saturating_sub(1);
                            queries.pop();
                        }
                        _ => {}
                    }
                    out.push(c);
                }
            }
            Token::Text | Token::Number | Token::Hole | Token::Comment => out.push_str(text),
        }
    }
    out
}

/// Whether a word begins a line, given what stands before it.
fn starts_clause(word: &str, before: &[(Token, &str)]) -> bool {
    let previous = before.iter().rev().find(|(_, text)| !text.trim().is_empty());
    let Some(previous) = previous else { return false };
    let after = |words: &[&str]| {
        previous.0 == Token::Keyword && words.iter().any(|word| previous.1.eq_ignore_ascii_case(word))
    };
    match word.to_ascii_lowercase().as_str() {
        "from" => !after(&["distinct", "delete"]),
        "where" | "having" | "returning" | "union" | "intersect" | "except" | "window" | "limit"
        | "offset" | "fetch" => true,
        "values" => !after(&["default"]),
        "group" | "order" => !after(&["within"]),
        "select" => after(&["all", "union", "intersect", "except"]) || previous.1.trim_end().ends_with(')'),
        "set" => !after(&["update", "do"]),
        "left" | "right" | "full" | "inner" | "cross" => true,
        "join" => !after(&["left", "right", "full", "inner", "cross", "outer"]),
        "on" => false,
        "for" => true,
        "and" | "or" => !after(&["between"]) && !is_between(before),
        _ => false,
    }
}

/// Whether an AND belongs to a BETWEEN.
fn is_between(before: &[(Token, &str)]) -> bool {
    before
        .iter()
        .rev()
        .filter(|(token, _)| *token == Token::Keyword)
        .map(|(_, text)| *text)
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("between"))
}

fn token_at(rest: &str, in_word: bool) -> (Token, usize) {
    let bytes = rest.as_bytes();
    let first = rest.chars().next().unwrap_or(' ');
    match first {
        '\'' => (Token::Text, quoted(bytes, b'\'')),
        // A quoted name is a name, whatever it holds.
        '"' => (Token::Plain, quoted(bytes, b'"')),
        '-' if bytes.starts_with(b"--") => {
            (Token::Comment, bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len()))
        }
        '/' if bytes.starts_with(b"/*") => {
            (Token::Comment, rest.find("*/").map_or(bytes.len(), |end| end + 2))
        }
        '?' => (Token::Hole, 1),
        '$' if !in_word && bytes.get(1).is_some_and(u8::is_ascii_digit) => {
            (Token::Hole, 1 + run(&bytes[1..], u8::is_ascii_digit))
        }
        '0'..='9' if !in_word => (Token::Number, run(bytes, |b| b.is_ascii_alphanumeric() || *b == b'.')),
        _ if is_word(first) => {
            let len = rest.find(|c| !is_word(c) && c != '$').unwrap_or(rest.len());
            match !in_word && is_keyword(&rest[..len]) {
                true => (Token::Keyword, len),
                false => (Token::Plain, len),
            }
        }
        _ => (Token::Plain, first.len_utf8()),
    }
}

/// Length of a literal or quoted name with its quotes; doubled quotes are inside.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

fn run(bytes: &[u8], is_in: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().position(|b| !is_in(b)).unwrap_or(bytes.len())
}

fn last_char(text: &str) -> char {
    text.chars().next_back().unwrap_or(' ')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Words that carry the structure of a statement; sorted.
const KEYWORDS: &[&str] = &[
    "all",
    "alter",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "begin",
    "between",
    "by",
    "cascade",
    "case",
    "cast",
    "check",
    "close",
    "coalesce",
    "collate",
    "commit",
    "concurrently",
    "conflict",
    "constraint",
    "copy",
    "create",
    "cross",
    "current_timestamp",
    "cursor",
    "database",
    "deallocate",
    "declare",
    "default",
    "delete",
    "desc",
    "distinct",
    "do",
    "drop",
    "else",
    "end",
    "except",
    "execute",
    "exists",
    "explain",
    "false",
    "fetch",
    "filter",
    "first",
    "following",
    "for",
    "foreign",
    "from",
    "full",
    "function",
    "grant",
    "group",
    "having",
    "if",
    "ilike",
    "in",
    "index",
    "inner",
    "insert",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "key",
    "last",
    "lateral",
    "left",
    "like",
    "limit",
    "listen",
    "lock",
    "locked",
    "materialized",
    "merge",
    "natural",
    "not",
    "nothing",
    "null",
    "nulls",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "prepare",
    "primary",
    "references",
    "release",
    "returning",
    "revoke",
    "right",
    "rollback",
    "savepoint",
    "select",
    "set",
    "share",
    "show",
    "skip",
    "table",
    "then",
    "to",
    "truncate",
    "union",
    "unique",
    "update",
    "using",
    "values",
];

/// More of them, apart so that each list stays sorted and short.
const MORE_KEYWORDS: &[&str] = &["vacuum", "view", "when", "where", "window", "with", "within"];

fn is_keyword(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    KEYWORDS.binary_search(&word.as_str()).is_ok() || MORE_KEYWORDS.binary_search(&word.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyword_lists_are_sorted() {
        assert!(KEYWORDS.is_sorted());
        assert!(MORE_KEYWORDS.is_sorted());
    }

    #[test]
    fn pieces_join_to_the_text() {
        for sql in
            ["select 'a''b', $1, 12.5 from t1 -- x\nwhere a = ?", "\"sel ect\" /* é", "'", "日本 ? ü", ""]
        {
            let joined: String = highlight(sql).iter().map(|(_, text)| *text).collect();
            assert_eq!(joined, sql);
        }
    }

    #[test]
    fn tokens_have_classes() {
        let pieces = highlight("select a1 from t where b = ? and c = 'x'");
        let marked: Vec<_> =
            pieces.iter().filter(|(t, _)| *t != Token::Plain).map(|(t, s)| (t.class(), *s)).collect();
        assert_eq!(
            marked,
            [("k", "select"), ("k", "from"), ("k", "where"), ("h", "?"), ("k", "and"), ("s", "'x'")]
        );
    }

    #[test]
    fn a_long_column_list_gives_way_to_what_follows_it() {
        let sql = "select a.one, a.two, (select max(x) from y), a.three, a.four from t a where id = ?";
        assert_eq!(brief(sql, 40), "select … from t a where id = ?");
        assert_eq!(brief(sql, 400), sql);
        assert_eq!(
            brief("select count(*) from a_table_with_a_long_name", 20),
            "select count(*) from a_table_with_a_long_name"
        );
        assert_eq!(brief("insert into t (a, b) values (?, ?)", 5), "insert into t (a, b) values (?, ?)");
    }

    #[test]
    fn clauses_stand_on_their_own_lines() {
        let sql = "select a, count(*) from t left join u on u.id = t.u where a between ? and ? and b in (select x from y where z = ?) group by a order by 2 desc limit ?";
        assert_eq!(
            broken(sql),
            "select a, count(*)\nfrom t\nleft join u on u.id = t.u\nwhere a between ? and ?\n  and b in (select x\n  from y\n  where z = ?)\ngroup by a\norder by 2 desc\nlimit ?"
        );
        assert_eq!(broken("select 1"), "select 1");
    }
}
