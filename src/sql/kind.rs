//! What kind of statement a text is, by its words alone.
//!
//! Serves the totals by kind and the shape. It looks at first words, past comments, parentheses, EXPLAIN and
//! common table expressions; it parses nothing.

use std::fmt;

use super::lexer::{Lexer, Token, TokenKind};

/// The kinds of the report.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Kind {
    /// SELECT, VALUES, TABLE, and WITH before them.
    Select,
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// MERGE.
    Merge,
    /// COPY.
    Copy,
    /// CREATE, ALTER, DROP, TRUNCATE, GRANT, COMMENT …
    Ddl,
    /// SET, SHOW, VACUUM, LOCK, LISTEN, PREPARE, CALL, DO …
    Utility,
    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT …
    Transaction,
    /// DECLARE, FETCH, MOVE, CLOSE.
    Cursor,
    /// The empty statement, and what no rule knows.
    Other,
}

impl Kind {
    /// Every kind, in the order of the report.
    pub const ALL: [Kind; 11] = [
        Kind::Select,
        Kind::Insert,
        Kind::Update,
        Kind::Delete,
        Kind::Merge,
        Kind::Copy,
        Kind::Ddl,
        Kind::Utility,
        Kind::Transaction,
        Kind::Cursor,
        Kind::Other,
    ];

    /// The kind's name in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Select => "select",
            Kind::Insert => "insert",
            Kind::Update => "update",
            Kind::Delete => "delete",
            Kind::Merge => "merge",
            Kind::Copy => "copy",
            Kind::Ddl => "ddl",
            Kind::Utility => "utility",
            Kind::Transaction => "transaction",
            Kind::Cursor => "cursor",
            Kind::Other => "other",
        }
    }

    /// Does a statement of this kind change rows?
    pub fn writes(self) -> bool {
        matches!(self, Kind::Insert | Kind::Update | Kind::Delete | Kind::Merge)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an EXPLAIN does with its statement.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Explain {
    /// It plans it.
    Plan,
    /// It runs it too.
    Analyze,
}

impl Explain {
    /// Its name in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Explain::Plan => "plan",
            Explain::Analyze => "analyze",
        }
    }
}

/// The kind of a text. Of several statements, the first that is no BEGIN and no SET counts; EXPLAIN counts as
/// what it explains, PREPARE TRANSACTION as a transaction's end.
pub fn kind(sql: &[u8]) -> Kind {
    explained_kind(sql).0
}

/// The kind, and what the statement does if it is an EXPLAIN of that kind.
pub(super) fn explained_kind(sql: &[u8]) -> (Kind, Option<Explain>) {
    let tokens: Vec<Token> = Lexer::new(sql).filter(|token| token.kind != TokenKind::Comment).collect();
    let is_semicolon = |token: &Token| token.text(sql) == b";";
    let mut first = None;
    for statement in tokens.split(is_semicolon).filter(|tokens| !tokens.is_empty()) {
        let words = Words { sql, tokens: statement };
        let kind = words.kind();
        if !words.only_prepares() {
            return kind;
        }
        first.get_or_insert(kind);
    }
    first.unwrap_or((Kind::Other, None))
}

/// The tokens of one statement.
struct Words<'a> {
    sql: &'a [u8],
    tokens: &'a [Token],
}

impl Words<'_> {
    fn lower(&self, at: usize) -> Vec<u8> {
        self.tokens
            .get(at)
            .filter(|token| token.kind == TokenKind::Word)
            .map_or_else(Vec::new, |token| token.text(self.sql).to_ascii_lowercase())
    }

    fn is(&self, at: usize, text: &[u8]) -> bool {
        self.tokens.get(at).is_some_and(|token| token.text(self.sql).eq_ignore_ascii_case(text))
    }

    /// BEGIN and SET say what is to come, not what is done.
    fn only_prepares(&self) -> bool {
        matches!(self.lower(0).as_slice(), b"begin" | b"start" | b"set")
    }

    fn kind(&self) -> (Kind, Option<Explain>) {
        let mut at = 0;
        while self.is(at, b"(") {
            at += 1;
        }
        if !self.is(at, b"explain") {
            return (self.kind_at(at), None);
        }
        let (at, explain) = self.after_explain(at + 1);
        (self.kind_at(at), Some(explain))
    }

    /// Where the statement of an EXPLAIN begins, and whether it is run.
    fn after_explain(&self, mut at: usize) -> (usize, Explain) {
        let mut analyze = false;
        while matches!(self.lower(at).as_slice(), b"analyze" | b"analyse" | b"verbose") {
            analyze |= !self.is(at, b"verbose");
            at += 1;
        }
        let options = self.is(at, b"(")
            && !self.is(at + 1, b"(")
            && !matches!(self.lower(at + 1).as_slice(), b"select" | b"with" | b"values" | b"table");
        if options {
            while at < self.tokens.len() && !self.is(at, b")") {
                if self.is(at, b"(") || self.is(at, b",") {
                    analyze = self.analyze_option(at + 1).unwrap_or(analyze);
                }
                at += 1;
            }
            at += 1;
        }
        while self.is(at, b"(") {
            at += 1;
        }
        (at, if analyze { Explain::Analyze } else { Explain::Plan })
    }

    /// What the option here says of ANALYZE, if it is that one: `ANALYZE`, `analyze off`, `"analyze" 'false'`.
    fn analyze_option(&self, at: usize) -> Option<bool> {
        let plain = |at: usize| {
            let text = self.tokens.get(at).map_or(&b""[..], |token| token.text(self.sql));
            let quote = |text: &[u8]| matches!(text.first(), Some(b'"' | b'\''));
            let plain = if quote(text) { &text[1..text.len().max(2) - 1] } else { text };
            plain.to_ascii_lowercase()
        };
        matches!(plain(at).as_slice(), b"analyze" | b"analyse")
            .then(|| !matches!(plain(at + 1).as_slice(), b"off" | b"false" | b"0"))
    }

    fn kind_at(&self, at: usize) -> Kind {
        match self.lower(at).as_slice() {
            b"select" | b"values" | b"table" => Kind::Select,
            b"with" => self.main_verb(at + 1),
            b"insert" => Kind::Insert,
            b"update" => Kind::Update,
            b"delete" => Kind::Delete,
            b"merge" => Kind::Merge,
            b"copy" => Kind::Copy,
            b"prepare" | b"set" if self.is(at + 1, b"transaction") => Kind::Transaction,
            b"create" | b"alter" | b"drop" | b"truncate" | b"comment" | b"grant" | b"revoke" | b"refresh"
            | b"security" | b"import" | b"reassign" => Kind::Ddl,
            b"set" | b"reset" | b"show" | b"vacuum" | b"analyze" | b"analyse" | b"cluster" | b"reindex"
            | b"checkpoint" | b"discard" | b"load" | b"lock" | b"listen" | b"unlisten" | b"notify"
            | b"do" | b"call" | b"prepare" | b"execute" | b"deallocate" | b"explain" | b"repack"
            | b"wait" => Kind::Utility,
            b"begin" | b"start" | b"commit" | b"end" | b"rollback" | b"abort" | b"savepoint" | b"release" => {
                Kind::Transaction
            }
            b"declare" | b"fetch" | b"move" | b"close" => Kind::Cursor,
            _ => Kind::Other,
        }
    }

    /// Is this the name of a common table expression, which may be any word? It stands after WITH (`from` is the token
    /// behind it), RECURSIVE or a comma.
    fn names_expression(&self, from: usize, at: usize) -> bool {
        at == from || self.is(at - 1, b",") || at == from + 1 && self.is(from, b"recursive")
    }

    /// The verb after the common table expressions: the first one outside parentheses that is not their name.
    fn main_verb(&self, from: usize) -> Kind {
        let mut depth = 0_usize;
        for at in from..self.tokens.len() {
            if self.is(at, b"(") {
                // `WITH x AS (…) (SELECT …)`: only a query stands in parentheses here.
                if depth == 0 && at > from && self.is(at - 1, b")") && self.is(at + 1, b"select") {
                    return Kind::Select;
                }
                depth += 1;
            } else if self.is(at, b")") {
                depth = depth.saturating_sub(1);
            } else if depth == 0 && !self.names_expression(from, at) {
                match self.lower(at).as_slice() {
                    b"select" | b"values" | b"table" => return Kind::Select,
                    b"insert" => return Kind::Insert,
                    b"update" => return Kind::Update,
                    b"delete" => return Kind::Delete,
                    b"merge" => return Kind::Merge,
                    _ => {}
                }
            }
        }
        Kind::Select
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expected: Kind) {
        assert_eq!(kind(sql.as_bytes()), expected, "{sql}");
    }

    #[test]
    fn first_words() {
        check("select 1", Kind::Select);
        check("/* a */ -- b\n ((SELECT 1)) UNION SELECT 2", Kind::Select);
        check("VALUES (1)", Kind::Select);
        check("TABLE t", Kind::Select);
        check("insert into t values (1)", Kind::Insert);
        check("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", Kind::Merge);
        check("COPY t FROM stdin", Kind::Copy);
        check("TRUNCATE t", Kind::Ddl);
        check("VACUUM (ANALYZE) t", Kind::Utility);
        check("ROLLBACK TO SAVEPOINT x", Kind::Transaction);
        check("FETCH 10 FROM c", Kind::Cursor);
        check("PREPARE TRANSACTION 'x'", Kind::Transaction);
        check("PREPARE x AS SELECT 1", Kind::Utility);
        check("frobnicate", Kind::Other);
        check("", Kind::Other);
        check(" ; ", Kind::Other);
    }

    #[test]
    fn with_is_what_follows_it() {
        check("WITH a AS (SELECT 1) SELECT * FROM a", Kind::Select);
        check(
            "WITH RECURSIVE a(n) AS (SELECT 1), b AS (SELECT 2) INSERT INTO t SELECT * FROM a",
            Kind::Insert,
        );
        check("WITH a AS (SELECT 1) (SELECT 2)", Kind::Select);
        check("WITH a AS MATERIALIZED (DELETE FROM t RETURNING *) UPDATE u SET x = 1", Kind::Update);
    }

    #[test]
    fn a_common_table_expression_may_be_called_like_a_verb() {
        check("WITH delete AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM delete", Kind::Insert);
        check("WITH update AS (UPDATE a SET x=1 RETURNING *) SELECT count(*) FROM update", Kind::Select);
        check(
            "WITH x AS (SELECT 1), insert AS (INSERT INTO a VALUES (1) RETURNING id) SELECT * FROM insert",
            Kind::Select,
        );
        check(
            "WITH values (id, x) AS (VALUES (1,2)) UPDATE t SET x = values.x FROM values WHERE t.id = values.id",
            Kind::Update,
        );
        check("WITH RECURSIVE merge AS (SELECT 1) DELETE FROM t", Kind::Delete);
        check("WITH RECURSIVE a AS (SELECT 1) SEARCH DEPTH FIRST BY x SET y DELETE FROM t", Kind::Delete);
        check("WITH RECURSIVE a AS (SELECT 1) CYCLE x SET y USING z UPDATE t SET a = 1", Kind::Update);
    }

    #[test]
    fn explain_says_both() {
        let (plan, analyze) = (Some(Explain::Plan), Some(Explain::Analyze));
        for (sql, expected) in [
            ("EXPLAIN ANALYZE INSERT INTO t VALUES (1)", (Kind::Insert, analyze)),
            ("EXPLAIN VERBOSE INSERT INTO t VALUES (1)", (Kind::Insert, plan)),
            ("EXPLAIN (ANALYZE, BUFFERS off) SELECT 1", (Kind::Select, analyze)),
            ("EXPLAIN (ANALYZE off) DELETE FROM t", (Kind::Delete, plan)),
            ("EXPLAIN (COSTS off, \"analyze\" 'false') DELETE FROM t", (Kind::Delete, plan)),
            ("EXPLAIN (costs, analyze true) DELETE FROM t", (Kind::Delete, analyze)),
            ("EXPLAIN (analyze 0, analyse 1) DELETE FROM t", (Kind::Delete, analyze)),
            ("EXPLAIN (\"costs\" off) SELECT 1", (Kind::Select, plan)),
            ("EXPLAIN (analyze \"", (Kind::Other, analyze)),
            ("EXPLAIN ((SELECT 1))", (Kind::Select, plan)),
            ("EXPLAIN (SELECT 1)", (Kind::Select, plan)),
            ("EXPLAIN (TABLE t)", (Kind::Select, plan)),
            ("SELECT 1", (Kind::Select, None)),
        ] {
            assert_eq!(explained_kind(sql.as_bytes()), expected, "{sql}");
        }
    }

    #[test]
    fn several_statements_are_the_first_that_does_something() {
        check("BEGIN; UPDATE t SET a = 1; COMMIT", Kind::Update);
        check("SET a = 1; BEGIN; SELECT 1", Kind::Select);
        check("BEGIN; COMMIT", Kind::Transaction);
        check("BEGIN", Kind::Transaction);
        check("SET a = 1", Kind::Utility);
    }
}
