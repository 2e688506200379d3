//! Which words of a statement are keywords, and which are names that look like one.
//!
//! Serves what shows SQL to people: the normalised text and its layout. PostgreSQL reserves few words, so a column
//! may be called `comment` and a table `transaction`; only what stands around such a word tells. It knows tokens
//! and no text, and it never fails: what it cannot tell is a name in a query and a keyword elsewhere.

use super::reserved::is_reserved;
use super::words::has;

/// Reserved words that stand for a value, or name something where they are allowed: they keep their spelling. Sorted.
#[rustfmt::skip]
const AS_WRITTEN: &[&str] = &[
    "authorization", "binary", "collation", "current_catalog", "current_date", "current_role", "current_schema",
    "current_time", "current_timestamp", "current_user", "freeze", "localtime", "localtimestamp", "overlaps",
    "session_user", "system_user", "user", "verbose",
];

/// Words that are keywords too, unless they stand where a name does. Sorted.
#[rustfmt::skip]
const UNRESERVED: &[&str] = &[
    "abort", "add", "alter", "begin", "between", "by", "cascade", "checkpoint", "close", "cluster", "comment",
    "commit", "conflict", "copy", "current", "cursor", "database", "deallocate", "declare", "deferred", "delete",
    "discard", "drop", "escape", "execute", "exists", "explain", "extension", "function", "if", "index", "insert",
    "listen", "lock", "matched", "materialized", "merge", "move", "nothing", "notify", "nowait", "nulls", "of",
    "over", "partition", "prepare", "procedure", "recursive", "refresh", "reindex", "release", "reset", "restrict",
    "revoke", "rollback", "row", "savepoint", "schema", "scroll", "sequence", "set", "show", "temp", "temporary",
    "transaction", "trigger", "truncate", "unlisten", "unlogged", "update", "vacuum", "values", "view", "within",
];

/// First words of statements. Sorted.
#[rustfmt::skip]
const VERBS: &[&str] = &[
    "abort", "alter", "begin", "call", "checkpoint", "close", "cluster", "comment", "commit", "copy", "deallocate",
    "declare", "delete", "discard", "drop", "execute", "explain", "import", "insert", "listen", "load", "lock",
    "merge", "move", "notify", "prepare", "reassign", "refresh", "reindex", "release", "reset", "revoke",
    "rollback", "savepoint", "security", "set", "show", "start", "truncate", "unlisten", "update", "vacuum",
    "values",
];

/// Keywords that a name or an operand follows: an unreserved word after one of them is that. Sorted.
#[rustfmt::skip]
const BEFORE_NAMES: &[&str] = &[
    "add", "alter", "analyze", "and", "as", "between", "by", "case", "cluster", "column", "concurrently",
    "constraint", "copy", "database", "distinct", "drop", "else", "escape", "exists", "extension", "from",
    "function", "having", "ilike", "index", "into", "join", "lateral", "like", "limit", "lock", "not", "offset",
    "on", "only", "or", "procedure", "recursive", "reset", "returning", "schema", "select", "sequence", "set",
    "show", "similar", "table", "then", "to", "trigger", "truncate", "update", "using", "vacuum", "view",
    "when", "where", "with",
];

/// Unreserved words that go on after an operand of a query; any other one is an alias there. Sorted.
const IN_QUERIES: &[&str] =
    &["between", "by", "escape", "nothing", "nowait", "nulls", "of", "over", "set", "values", "within"];

/// Words that are keywords after one of these: `PRIMARY KEY`, but a column `key`.
#[rustfmt::skip]
const PAIRS: &[(&str, &str)] = &[
    ("primary", "key"), ("foreign", "key"), ("no", "key"), ("nulls", "first"), ("nulls", "last"),
    ("fetch", "first"), ("fetch", "next"), ("savepoint", "work"), ("for", "no"), ("for", "share"),
    ("for", "update"), ("key", "update"), ("isolation", "level"), ("transaction", "isolation"),
    ("begin", "isolation"), ("work", "isolation"), ("begin", "work"), ("commit", "work"), ("rollback", "work"),
    ("level", "serializable"), ("level", "read"), ("level", "repeatable"), ("repeatable", "read"),
    ("serializable", "read"), ("committed", "read"), ("begin", "read"), ("read", "committed"),
    ("read", "uncommitted"), ("read", "only"), ("read", "write"), ("transaction", "read"), ("at", "time"),
    ("with", "time"), ("without", "time"), ("time", "zone"), ("set", "local"), ("set", "session"),
    ("set", "time"), ("set", "transaction"), ("set", "schema"), ("set", "constraints"), ("set", "unlogged"),
    ("local", "transaction"),
    ("local", "time"), ("session", "authorization"), ("set", "role"), ("fetch", "backward"),
    ("move", "backward"), ("fetch", "prior"), ("fetch", "last"), ("fetch", "absolute"), ("fetch", "relative"),
    ("commit", "prepared"), ("rollback", "prepared"), ("start", "transaction"), ("to", "savepoint"),
    ("skip", "locked"), ("grouping", "sets"), ("unbounded", "preceding"), ("unbounded", "following"),
    ("exclude", "ties"), ("with", "ties"), ("with", "ordinality"), ("with", "recursive"), ("is", "unknown"),
    ("is", "json"), ("not", "valid"), ("not", "matched"), ("not", "between"), ("show", "transaction"),
    ("when", "matched"), ("not", "materialized"),
    ("as", "materialized"), ("on", "conflict"), ("do", "nothing"), ("do", "update"), ("then", "update"),
    ("then", "insert"), ("then", "delete"), ("for", "values"), ("default", "values"), ("overriding", "system"),
    ("overriding", "user"), ("system", "value"), ("user", "value"), ("do", "instead"), ("do", "also"),
    ("for", "each"), ("each", "row"), ("each", "statement"), ("explain", "verbose"), ("analyze", "verbose"),
    ("vacuum", "verbose"), ("from", "stdin"), ("to", "stdout"), ("in", "schema"), ("reassign", "owned"),
    ("restart", "identity"), ("continue", "identity"),
];

/// Is this folded word a keyword wherever it has no dot beside it?
fn is_fixed(word: &[u8]) -> bool {
    is_reserved(word) && !has(AS_WRITTEN, word)
}

/// Is this folded word a keyword in most places?
pub(super) fn is_keyword(word: &[u8]) -> bool {
    is_fixed(word) || has(UNRESERVED, word)
}

/// What a token is, as far as keywords go.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Sort {
    /// A word without quotes.
    Word,
    /// A quoted name or a value.
    Operand,
    /// Everything else.
    Symbol,
}

/// A token of a normalised statement: words folded, values `?`.
#[derive(Clone, Debug)]
pub(super) struct Spelled {
    pub(super) sort: Sort,
    pub(super) text: Vec<u8>,
}

/// For each token, whether it is a keyword.
pub(super) fn keywords(tokens: &[Spelled]) -> Vec<bool> {
    let mut walk =
        Walk { tokens, keywords: Vec::with_capacity(tokens.len()), first: 0, depth: 0, query: false };
    for at in 0..tokens.len() {
        let keyword = walk.is_keyword(at);
        walk.keywords.push(keyword);
        walk.go_on(at);
    }
    walk.keywords
}

struct Walk<'t> {
    tokens: &'t [Spelled],
    /// The answers for the tokens so far.
    keywords: Vec<bool>,
    /// The first word of the statement.
    first: usize,
    /// Open parentheses.
    depth: usize,
    /// A SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES began: what is unknown now is a name.
    query: bool,
}

impl Walk<'_> {
    fn text(&self, at: usize) -> &[u8] {
        self.tokens.get(at).map_or(b"", |token| &token.text)
    }

    /// The token so many before `at`.
    fn before(&self, at: usize, back: usize) -> &[u8] {
        at.checked_sub(back).map_or(b"", |at| self.text(at))
    }

    fn sort(&self, at: usize) -> Option<Sort> {
        self.tokens.get(at).map(|token| token.sort)
    }

    fn is_first_word(&self, words: &[&[u8]]) -> bool {
        words.contains(&self.text(self.first))
    }

    /// Keeps what the next tokens need of this one.
    fn go_on(&mut self, at: usize) {
        match self.text(at) {
            b"(" if self.sort(at) == Some(Sort::Symbol) => {
                self.depth += 1;
                if at == self.first {
                    self.first += 1;
                }
            }
            b")" => self.depth = self.depth.saturating_sub(1),
            b";" => (self.first, self.depth, self.query) = (at + 1, 0, false),
            b"select" | b"values" => {
                self.query |= self.keywords[at] && !self.is_first_word(&[b"grant", b"revoke"])
            }
            b"insert" | b"update" | b"delete" | b"merge" => {
                self.query |= self.keywords[at] && (at == self.first || self.opens_query(at));
            }
            b"with" => self.query |= at == self.first,
            _ => {}
        }
    }

    fn is_keyword(&self, at: usize) -> bool {
        if self.sort(at) != Some(Sort::Word) || self.before(at, 1) == b"." || self.text(at + 1) == b"." {
            return false;
        }
        let word = self.text(at);
        if is_fixed(word) {
            return !self.names_function(at) && !self.names_column(at);
        }
        if has(VERBS, word) && self.begins_statement(at) || self.opens_query(at) {
            return true;
        }
        if self.is_object(at) || self.is_pair(at) || self.goes_with_neighbours(at) {
            return true;
        }
        has(UNRESERVED, word) && !self.is_name(at) && (!self.query || has(IN_QUERIES, word))
    }

    /// `left(…)` and `right(…)` are functions.
    fn names_function(&self, at: usize) -> bool {
        matches!(self.text(at), b"left" | b"right") && self.text(at + 1) == b"("
    }

    /// After the AS of a query any word is the name of a column, but `AS SELECT` is none.
    fn names_column(&self, at: usize) -> bool {
        self.query
            && self.before(at, 1) == b"as"
            && !matches!(self.text(at), b"select" | b"with" | b"table" | b"not")
    }

    /// At the start of the text, after a semicolon, an EXPLAIN with its options, or `PREPARE ? AS`?
    fn begins_statement(&self, at: usize) -> bool {
        if at == self.first {
            return true;
        }
        let explained =
            matches!(self.before(at, 1), b"explain" | b"analyze" | b"analyse" | b"verbose" | b")");
        !self.query
            && self.depth == 0
            && (explained && self.is_first_word(&[b"explain"])
                || self.before(at, 1) == b"as" && self.is_first_word(&[b"prepare"]))
    }

    /// Does a statement that reads or writes rows begin here, inside of another one?
    fn opens_query(&self, at: usize) -> bool {
        match self.text(at) {
            b"insert" | b"merge" => self.text(at + 1) == b"into",
            b"delete" => self.text(at + 1) == b"from" && self.before(at, 1) != b",",
            b"values" => self.text(at + 1) == b"(",
            b"update" => match self.before(at, 1) {
                b"(" => matches!(self.before(at, 2), b"as" | b"materialized"),
                b")" => self.depth == 0 && self.is_first_word(&[b"with"]),
                b"do" | b"then" | b"instead" | b"also" => true,
                _ => false,
            },
            _ => false,
        }
    }

    /// What CREATE, ALTER, DROP or COMMENT ON is about: `CREATE RULE`, `ON SCHEMA s`.
    fn is_object(&self, at: usize) -> bool {
        let named = matches!(self.sort(at + 1), Some(Sort::Word | Sort::Operand))
            && !matches!(self.text(at + 1), b"to" | b"from" | b"for" | b"using" | b"is" | b"where");
        match self.before(at, 1) {
            b"create" | b"alter" | b"drop" => at == self.first + 1,
            b"replace" => self.before(at, 3) == b"create",
            b"on" if self.query => false,
            b"on" if self.is_first_word(&[b"grant", b"revoke", b"comment", b"security"]) => named,
            b"on" => matches!(self.text(at), b"commit" | b"delete" | b"insert" | b"update"),
            b"or" | b"before" | b"after" if self.is_first_word(&[b"create"]) && !self.query => {
                matches!(self.text(at), b"delete" | b"insert" | b"truncate" | b"update" | b"replace")
            }
            _ => false,
        }
    }

    fn is_pair(&self, at: usize) -> bool {
        let (before, word) = (self.before(at, 1), self.text(at));
        // `SET role = ?` writes to a column.
        let column = before == b"set" && self.text(at + 1) == b"=";
        !column && PAIRS.iter().any(|(first, second)| first.as_bytes() == before && second.as_bytes() == word)
    }

    /// Is it a keyword because of the tokens around it? Most of these words are usual names of columns.
    fn goes_with_neighbours(&self, at: usize) -> bool {
        let before = self.before(at, 1);
        let after = [1, 2, 3].map(|ahead| self.text(at + ahead));
        let bound = |end: &[u8]| matches!(end, b"preceding" | b"following");
        // `UNBOUNDED PRECEDING`, `CURRENT ROW`, `? FOLLOWING`
        let frame = |first: &[u8], second: &[u8]| match first {
            b"unbounded" | b"?" => bound(second),
            b"current" => second == b"row",
            _ => false,
        };
        match self.text(at) {
            b"rows" | b"range" | b"groups" if after[0] == b"between" => frame(after[1], after[2]),
            b"rows" | b"range" | b"groups" if frame(after[0], after[1]) => true,
            b"rows" => before == b"?" && matches!(after[0], b"only" | b"with" | b"fetch"),
            b"row" => after[0] == b"(" || before == b"current",
            b"current" => matches!(after[0], b"row" | b"of"),
            b"preceding" | b"following" => before == b"?" && matches!(after[0], b"and" | b")" | b"exclude"),
            b"unbounded" => bound(after[0]),
            b"exclude" => {
                matches!(after[..2], [b"current", b"row"] | [b"no", b"others"]) || after[0] == b"ties"
            }
            b"filter" => matches!(after[..2], [b"(", b"where"]),
            b"partition" => after[0] == b"by",
            b"exists" => {
                after[0] == b"(" || before == b"if" || before == b"not" && self.before(at, 2) == b"if"
            }
            b"if" => matches!(after[0], b"exists" | b"not"),
            b"grouping" => after[0] == b"sets",
            b"overriding" => matches!(after[0], b"system" | b"user") && after[1] == b"value",
            b"skip" => after[0] == b"locked",
            b"at" => matches!(after[..2], [b"time", b"zone"]),
            b"key" => before == b"for" && after[0] == b"share",
            b"share" => before == b"key" && self.before(at, 2) == b"for",
            b"unknown" => before == b"not" && self.before(at, 2) == b"is",
            b"restart" | b"continue" => after[0] == b"identity",
            _ => false,
        }
    }

    /// Does a name stand here, or an operand?
    fn is_name(&self, at: usize) -> bool {
        let before = self.before(at, 1);
        match at.checked_sub(1).and_then(|before| self.sort(before)) {
            None | Some(Sort::Operand) => false,
            Some(Sort::Symbol) => match before {
                b")" | b"]" | b";" => false,
                b"," => self.depth > 0 || self.query || !self.is_first_word(&[b"alter", b"grant", b"revoke"]),
                _ => true,
            },
            Some(Sort::Word) if before == b"rename" => true,
            // `FOR UPDATE NOWAIT`, `ON UPDATE CASCADE`, `DO UPDATE SET`
            Some(Sort::Word) if before == b"update" => at == self.first + 1 || self.text(at + 1) == b"set",
            Some(Sort::Word) => self.keywords[at - 1] && has(BEFORE_NAMES, before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::normalise::tests::check;

    #[test]
    fn lists_are_sorted_for_the_search() {
        for list in [AS_WRITTEN, UNRESERVED, VERBS, BEFORE_NAMES, IN_QUERIES] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]), "{list:?}");
        }
    }

    #[test]
    fn columns() {
        for (sql, expected) in [
            (
                "select comment, temp, index, view, sequence, schema from t",
                "SELECT comment, temp, index, view, sequence, schema FROM t",
            ),
            (
                "update posts set comment = 'x' where sequence = 2",
                "UPDATE posts SET comment = ? WHERE sequence = ?",
            ),
            (
                "update u set role = 'x', time = 1, row = row + 1, set = 2 where not show and lock or view",
                "UPDATE u SET role = ?, time = ?, row = row + ?, set = ? WHERE NOT show AND lock OR view",
            ),
            (
                "insert into t (comment, values, update) values (1, 2, 3) returning comment, show",
                "INSERT INTO t (comment, values, update) VALUES (?, ?, ?) RETURNING comment, show",
            ),
            (
                "insert into t (a) values (1) on conflict (index) do update set view = excluded.view",
                "INSERT INTO t (a) VALUES (?) ON CONFLICT (index) DO UPDATE SET view = excluded.view",
            ),
            (
                "select distinct temp from t group by view, index order by sequence nulls last",
                "SELECT DISTINCT temp FROM t GROUP BY view, index ORDER BY sequence NULLS LAST",
            ),
            (
                "select case when temp then view else index end, COMMENT, a between view and temp",
                "SELECT CASE WHEN temp THEN view ELSE index END, COMMENT, a BETWEEN view AND temp",
            ),
        ] {
            check(sql, expected);
        }
    }

    #[test]
    fn tables_functions_and_aliases() {
        for (sql, expected) in [
            ("select a from transaction", "SELECT a FROM transaction"),
            (
                "select a from comment c join view v using (id)",
                "SELECT a FROM comment c JOIN view v USING (id)",
            ),
            ("delete from temp where a", "DELETE FROM temp WHERE a"),
            ("insert into comment values (1)", "INSERT INTO comment VALUES (?)"),
            ("update index set a = 1", "UPDATE index SET a = ?"),
            (
                "select left(b, 1), right(b, 2) from t left join u on a",
                "SELECT left(b, ?), right(b, ?) FROM t LEFT JOIN u ON a",
            ),
            (
                "select a as comment, b as true, c view, d AS end from t",
                "SELECT a AS comment, b AS true, c view, d AS end FROM t",
            ),
            ("select a from t sequence where sequence.b", "SELECT a FROM t sequence WHERE sequence.b"),
            (
                "with temp as (update t set a = 1 returning *), delete as (delete from u) select * from temp",
                "WITH temp AS (UPDATE t SET a = ? RETURNING *), delete AS (DELETE FROM u) SELECT * FROM temp",
            ),
            (
                "with x as materialized (insert into t values (1)) update t set a = 1",
                "WITH x AS MATERIALIZED (INSERT INTO t VALUES (?)) UPDATE t SET a = ?",
            ),
            ("truncate temp, view cascade", "TRUNCATE temp, view CASCADE"),
            ("explain analyze update index set a = 1", "EXPLAIN ANALYZE UPDATE index SET a = ?"),
            ("explain (costs off) delete from t", "EXPLAIN (costs off) DELETE FROM t"),
        ] {
            check(sql, expected);
        }
    }

    #[test]
    fn names_in_definitions() {
        for (sql, expected) in [
            (
                "create table view (comment text, index int not null, primary key (comment, index))",
                "CREATE TABLE view (comment text, index int NOT NULL, PRIMARY KEY (comment, index))",
            ),
            (
                "create index concurrently if not exists index on comment (temp)",
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS index ON comment (temp)",
            ),
            (
                "alter table t add comment text, drop column index, alter view set default 1",
                "ALTER TABLE t ADD comment text, DROP COLUMN index, ALTER view SET DEFAULT ?",
            ),
            ("drop table if exists temp cascade", "DROP TABLE IF EXISTS temp CASCADE"),
            ("comment on schema temp is 'x'", "COMMENT ON SCHEMA temp IS ?"),
            ("grant select, insert, update on view to temp", "GRANT SELECT, INSERT, UPDATE ON view TO temp"),
            ("create view view as select view from view", "CREATE VIEW view AS SELECT view FROM view"),
        ] {
            check(sql, expected);
        }
    }

    #[test]
    fn keywords_that_are_no_names() {
        for (sql, expected) in [
            ("call p(1)", "CALL p(?)"),
            ("load 'x'", "LOAD ?"),
            ("start transaction", "START TRANSACTION"),
            ("begin isolation level serializable read only", "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"),
            (
                "set transaction isolation level repeatable read",
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            ),
            ("truncate t restart identity", "TRUNCATE t RESTART IDENTITY"),
            ("select a from t for key share", "SELECT a FROM t FOR KEY SHARE"),
            (
                "select a from t for no key update of t nowait",
                "SELECT a FROM t FOR NO KEY UPDATE OF t NOWAIT",
            ),
            (
                "create rule r as on insert to t do instead nothing",
                "CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING",
            ),
            ("set constraints all deferred", "SET CONSTRAINTS ALL DEFERRED"),
            ("reassign owned by a to b", "REASSIGN OWNED BY a TO b"),
            ("import foreign schema s from server x into y", "IMPORT FOREIGN SCHEMA s FROM server x INTO y"),
            ("select a is not unknown", "SELECT a IS NOT UNKNOWN"),
            (
                "alter table t add constraint c check (a) not valid",
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a) NOT VALID",
            ),
            (
                "merge into t using u on a when matched then update set b = 1 when not matched then insert values (1)",
                "MERGE INTO t USING u ON a WHEN MATCHED THEN UPDATE SET b = ? WHEN NOT MATCHED THEN INSERT VALUES (?)",
            ),
            (
                "select exists (select 1), not exists (values (1)), row(1, a), sum(b) over (partition by c)",
                "SELECT EXISTS (SELECT ?), NOT EXISTS (VALUES (?)), ROW (?, a), sum(b) OVER (PARTITION BY c)",
            ),
            (
                "create trigger g after insert or update on t for each row execute function f()",
                "CREATE TRIGGER g after INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
            ),
            (
                "create table t (a int references u on update cascade on delete set null) partition by list (a)",
                "CREATE TABLE t (a int REFERENCES u ON UPDATE CASCADE ON DELETE SET NULL) PARTITION BY list(a)",
            ),
            (
                "rollback to savepoint a; show temp; lock table t",
                "ROLLBACK TO SAVEPOINT ?; SHOW temp; LOCK TABLE t",
            ),
            ("prepare p (int) as update t set a = $1", "PREPARE ? (int) AS UPDATE t SET a = ?"),
        ] {
            check(sql, expected);
        }
    }
}
