//! Which tables a statement reads and writes, and what it calls, by its tokens alone.
//!
//! The fallback of the parser for what it refuses, and the whole answer for truncated statements. It follows
//! clauses, not expressions: a table stands after FROM, JOIN, INTO, UPDATE and their kin, and nowhere else.

mod ctes;

use std::collections::HashMap;
use std::ops::Range;

use super::canonical::{Item, ItemKind, quoted_canonical};
use super::literal::unicode_unescaped;
use super::parsed::{Names, is_value_function};

/// What the tokens of a statement say about its surroundings.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Scan {
    pub(super) reads: Vec<String>,
    pub(super) writes: Vec<String>,
    pub(super) functions: Vec<String>,
    pub(super) locking: bool,
    pub(super) has_from: bool,
    pub(super) returning: bool,
    pub(super) temp: bool,
}

/// Reads the canonical tokens from left to right.
pub(super) fn scan(items: &[Item<'_>]) -> Scan {
    let mut walk = Walk {
        items,
        at: 0,
        frames: vec![Frame::default()],
        ctes: ctes::find(items),
        reads: Names::default(),
        writes: Names::default(),
        functions: Names::default(),
        scan: Scan::default(),
    };
    while walk.at < items.len() {
        walk.step();
    }
    let Walk { reads, writes, functions, scan, .. } = walk;
    Scan { reads: reads.list(), writes: writes.list(), functions: functions.list(), ..scan }
}

/// The text of a name for people and for comparison: folded when it has no quotes.
pub(super) fn name_text(item: &Item<'_>) -> String {
    let bytes = match item.kind {
        ItemKind::Quoted => {
            let name = quoted_canonical(item.text);
            let name = name.strip_prefix(b"\"").map_or_else(|| name.clone(), undoubled);
            if item.text.starts_with(b"\"") { name } else { unicode_unescaped(&name, b'\\') }
        }
        ItemKind::Word | ItemKind::Value | ItemKind::Symbol => item.text.to_ascii_lowercase(),
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A quoted name with `""` for each `"` in it, as it is.
fn undoubled(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name.iter().peekable();
    while let Some(byte) = bytes.next() {
        plain.push(*byte);
        if *byte == b'"' {
            bytes.next_if_eq(&&b'"');
        }
    }
    plain
}

/// What an open parenthesis holds.
#[derive(Copy, Clone, Debug, Default)]
struct Frame {
    /// A query began in it: FROM in it names tables, not the argument of `extract(day FROM x)`.
    query: bool,
    /// A list of tables goes on after a comma.
    tables: bool,
    /// That list is written to.
    written: bool,
}

struct Walk<'i, 'a> {
    items: &'i [Item<'a>],
    at: usize,
    frames: Vec<Frame>,
    /// Between which items the name of a common table expression is known.
    ctes: HashMap<String, Vec<Range<usize>>>,
    reads: Names,
    writes: Names,
    functions: Names,
    scan: Scan,
}

impl Walk<'_, '_> {
    fn word(&self, at: usize, word: &str) -> bool {
        self.items.get(at).is_some_and(|item| item.is_word(word))
    }

    fn any(&self, at: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.word(at, word))
    }

    fn symbol(&self, at: usize, text: &[u8]) -> bool {
        self.items.get(at).is_some_and(|item| item.kind == ItemKind::Symbol && item.text == text)
    }

    fn before(&self, words: &[&str]) -> bool {
        self.at > 0 && self.any(self.at - 1, words)
    }

    fn frame(&mut self) -> &mut Frame {
        // The outermost frame is never popped.
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// At the start of a statement: of the text, after a semicolon, `AS (` or an EXPLAIN.
    fn at_start(&self) -> bool {
        self.at == 0
            || self.symbol(self.at - 1, b";")
            || self.symbol(self.at - 1, b"(")
            || self.symbol(self.at - 1, b")")
            || self.before(&[
                "explain", "analyze", "analyse", "verbose", "as", "then", "do", "also", "instead", "for",
            ])
    }

    /// The first item of a statement.
    fn is_first(&self) -> bool {
        self.at == 0 || self.symbol(self.at - 1, b";")
    }

    fn step(&mut self) {
        let item = self.items[self.at];
        match item.kind {
            ItemKind::Value => self.at += 1,
            ItemKind::Quoted => self.name(),
            ItemKind::Symbol => self.symbols(item.text),
            ItemKind::Word if self.at > 0 && self.symbol(self.at - 1, b".") => self.at += 1,
            ItemKind::Word => {
                let word = item.text.to_ascii_lowercase();
                self.words(&word);
            }
        }
    }

    fn symbols(&mut self, text: &[u8]) {
        match text {
            b"(" => self.frames.push(Frame::default()),
            b")" if self.frames.len() > 1 => {
                self.frames.pop();
            }
            b";" => self.frames = vec![Frame::default()],
            b"," if self.frame().tables => {
                self.at += 1;
                let written = self.frame().written;
                return self.table(written);
            }
            _ => {}
        }
        self.at += 1;
    }

    fn words(&mut self, word: &[u8]) {
        match word {
            b"values" if self.before(&["for"]) => self.at += 1,
            b"select" | b"values" => {
                *self.frame() = Frame { query: true, ..Frame::default() };
                self.at += 1;
            }
            b"from" => self.from(),
            // `AS join` names a column.
            b"join" if !self.before(&["as"]) => {
                self.at += 1;
                self.table(false);
            }
            b"using" => {
                self.at += 1;
                if self.dotted_name().is_some() && self.frame().query {
                    self.frame().tables = true;
                    self.table(false);
                }
            }
            b"into" => {
                self.at += 1;
                while self.any(self.at, &["temp", "temporary", "unlogged", "table"]) {
                    self.scan.temp |= self.any(self.at, &["temp", "temporary"]);
                    self.at += 1;
                }
                self.table(true);
            }
            b"update"
                if self.at_start()
                    && self.is_name(self.at + 1)
                    && !self.any(self.at + 1, &["set", "from"])
                    && !self.before(&["for"]) =>
            {
                self.at += 1;
                self.frame().query = true;
                self.table(true);
            }
            b"delete" | b"merge" | b"insert" if self.at_start() => {
                self.frame().query = true;
                self.frame().written = word == b"delete";
                self.at += 1;
            }
            b"for" => {
                self.scan.locking |= self.any(self.at + 1, &["update", "share"])
                    || self.word(self.at + 1, "no") && self.word(self.at + 2, "key")
                    || self.word(self.at + 1, "key") && self.word(self.at + 2, "share");
                self.frame().tables = false;
                self.at += 1;
            }
            b"returning" => {
                self.scan.returning = true;
                self.frame().tables = false;
                self.at += 1;
            }
            b"where" | b"group" | b"having" | b"order" | b"limit" | b"offset" | b"union" | b"intersect"
            | b"except" | b"set" | b"on" | b"window" => {
                if word != b"on" {
                    self.frame().tables = false;
                }
                self.at += 1;
            }
            b"copy" if self.is_first() => self.copy(),
            b"comment" if self.is_first() => self.comment(),
            b"grant" | b"revoke" if self.is_first() => self.privileges(),
            b"truncate" if self.at_start() => {
                self.at += 1;
                if self.word(self.at, "table") {
                    self.at += 1;
                }
                *self.frame() = Frame { query: true, tables: true, written: true };
                self.table(true);
            }
            b"table"
                if self.at_start()
                    || self.before(&["union", "intersect", "except", "all"])
                    // `INSERT INTO t TABLE u`; the word is no name, but GRANT and REVOKE have it after ON.
                    || self.frame().query && !self.before(&["on"]) =>
            {
                self.at += 1;
                self.scan.has_from = true;
                self.table(false);
            }
            b"create" | b"alter" | b"drop" if self.at_start() => self.definition(),
            b"vacuum" | b"analyze" | b"analyse" | b"cluster" | b"reindex" if self.is_first() => {
                self.maintenance()
            }
            b"lock" if self.is_first() => {
                self.at += 1;
                self.frame().tables = true;
                self.table(false);
            }
            // Its INTO names a schema.
            b"import" if self.is_first() => self.at = self.items.len(),
            b"refresh" if self.at == 0 => {
                self.at += 3;
                if self.word(self.at, "concurrently") {
                    self.at += 1;
                }
                self.table(true);
            }
            _ => self.name(),
        }
    }

    fn from(&mut self) {
        let comparison = self.before(&["distinct"]) && self.at > 1 && self.any(self.at - 2, &["is", "not"]);
        let query = self.frame().query;
        self.at += 1;
        if comparison || !query {
            return;
        }
        let written = std::mem::replace(&mut self.frame().written, false);
        self.frame().tables = true;
        self.scan.has_from |= !written;
        self.table(written);
    }

    fn copy(&mut self) {
        self.at += 1;
        if self.symbol(self.at, b"(") {
            return;
        }
        // `COPY BINARY t`, the older way.
        if self.word(self.at, "binary")
            && self.is_name(self.at + 1)
            && !self.any(self.at + 1, &["from", "to"])
        {
            self.at += 1;
        }
        let mut ahead = self.at;
        while ahead < self.items.len() && !self.any(ahead, &["from", "to"]) && !self.symbol(ahead, b";") {
            ahead += 1;
        }
        let written = !self.word(ahead, "to");
        if let Some((name, end)) = self.dotted_name() {
            self.at = end;
            self.found(name, written);
        }
    }

    /// Moves to one of these words, or to the end of the statement.
    fn skip_to(&mut self, words: &[&str]) {
        while self.at < self.items.len() && !self.any(self.at, words) && !self.symbol(self.at, b";") {
            self.at += 1;
        }
    }

    /// What `TRIGGER g … ON t` and `POLICY p ON t` belong to: the table counts as written.
    fn owner(&mut self) {
        self.skip_to(&["on"]);
        self.at += 1;
        *self.frame() = Frame { written: true, ..Frame::default() };
        self.table(true);
    }

    /// COMMENT ON a table, view or column, or on what belongs to a table.
    fn comment(&mut self) {
        self.at += 2;
        while self.any(self.at, &["materialized", "foreign"]) {
            self.at += 1;
        }
        if self.any(self.at, &["table", "view"]) {
            self.at += 1;
            self.table(true);
        } else if self.any(self.at, &["trigger", "policy", "rule"]) {
            self.at += 1;
            self.owner();
        } else if self.word(self.at, "column") {
            self.at += 1;
            if let Some((table, end)) = self.dotted_name_before_last() {
                self.at = end;
                self.found(table, true);
            }
        }
        self.skip_to(&[]);
    }

    /// GRANT and REVOKE: tables stand after ON, unless that is followed by what else they are about.
    fn privileges(&mut self) {
        self.skip_to(&["on", "to", "from"]);
        if self.word(self.at, "on") {
            self.at += 1;
            let other = self.is_name(self.at) && self.is_name(self.at + 1);
            if self.word(self.at, "table") || !other || self.any(self.at + 1, &["to", "from"]) {
                *self.frame() = Frame { tables: true, written: true, ..Frame::default() };
                self.table(true);
                while self.symbol(self.at, b",") {
                    self.at += 1;
                    self.table(true);
                }
                self.frame().tables = false;
            }
        }
        self.skip_to(&[]);
    }

    /// VACUUM, ANALYZE, CLUSTER and REINDEX, past their options: the tables count as written.
    fn maintenance(&mut self) {
        let reindex = self.word(self.at, "reindex");
        self.at += 1;
        if self.symbol(self.at, b"(") {
            while self.at < self.items.len() && !self.symbol(self.at, b")") {
                self.at += 1;
            }
            self.at += 1;
        }
        if reindex && !self.word(self.at, "table") {
            return;
        }
        while self.any(self.at, &["full", "freeze", "verbose", "analyze", "table", "concurrently"]) {
            self.at += 1;
        }
        // `CLUSTER index ON table`, the older way.
        if let Some((_, end)) = self.dotted_name().filter(|(_, end)| self.word(*end, "on")) {
            self.at = end + 1;
        }
        *self.frame() = Frame { tables: true, written: true, ..Frame::default() };
        self.table(true);
    }

    /// CREATE, ALTER and DROP of a table, view or index: the table counts as written.
    fn definition(&mut self) {
        let drop = self.word(self.at, "drop");
        self.at += 1;
        let noise = [
            "or",
            "replace",
            "global",
            "local",
            "temp",
            "temporary",
            "unlogged",
            "recursive",
            "materialized",
            "foreign",
            "unique",
            "constraint",
        ];
        while self.any(self.at, &noise) {
            self.scan.temp |= self.any(self.at, &["temp", "temporary"]);
            self.at += 1;
        }
        if self.word(self.at, "index") && !drop {
            self.skip_to(&["on"]);
        } else if self.any(self.at, &["trigger", "policy"]) {
            self.at += 1;
            return self.owner();
        } else if !self.any(self.at, &["table", "view"]) {
            return;
        }
        self.at += 1;
        while self.any(self.at, &["if", "not", "exists", "concurrently"]) {
            self.at += 1;
        }
        *self.frame() = Frame { tables: drop, written: true, ..Frame::default() };
        self.table(true);
        // `CREATE TABLE t (a varchar(10))` calls nothing: names before parentheses are types there.
        if self.symbol(self.at, b"(") && !drop {
            let mut depth = 0_usize;
            while self.at < self.items.len() {
                depth += usize::from(self.symbol(self.at, b"("));
                depth = depth.saturating_sub(usize::from(self.symbol(self.at, b")")));
                self.at += 1;
                if depth == 0 {
                    break;
                }
            }
        }
    }

    /// The table whose name starts here, if one does.
    fn table(&mut self, written: bool) {
        while self.any(self.at, &["only", "lateral", "table"]) {
            self.at += 1;
        }
        if self.word(self.at, "rows") && self.word(self.at + 1, "from") || self.word(self.at, "select") {
            return;
        }
        // `FROM (a JOIN b …)`: tables in parentheses, not a query.
        while self.symbol(self.at, b"(") && !self.any(self.at + 1, &["select", "with", "values", "table"]) {
            self.frames.push(Frame { query: true, tables: true, written });
            self.at += 1;
        }
        let Some((name, end)) = self.dotted_name() else { return };
        if self.symbol(end, b"(") && !written {
            return self.name();
        }
        let value =
            end == self.at + 1 && self.items[self.at].kind == ItemKind::Word && is_value_function(&name);
        self.at = end;
        if !value {
            self.found(name, written);
        }
    }

    /// Notes a table; a common table expression is none, and can only be read.
    fn found(&mut self, name: String, written: bool) {
        if name.starts_with("pg_temp.") {
            self.scan.temp = true;
        }
        if !written && self.is_cte(&name) {
            return;
        }
        let names = if written { &mut self.writes } else { &mut self.reads };
        names.add(name);
    }

    /// Is the name, which ends before this item, one of a common table expression here?
    fn is_cte(&self, name: &str) -> bool {
        let here = |known: &Range<usize>| known.start < self.at && self.at <= known.end;
        self.ctes.get(name).is_some_and(|known| known.iter().rev().any(here))
    }

    /// A name that is no table: a function if an argument list follows.
    fn name(&mut self) {
        let Some((name, end)) = self.dotted_name() else {
            self.at += 1;
            return;
        };
        let cast = self.at > 0 && self.symbol(self.at - 1, b"::");
        let keyword = end == self.at + 1
            && self.items[self.at].kind == ItemKind::Word
            && super::keywords::is_keyword(name.as_bytes())
            && !matches!(name.as_str(), "left" | "right" | "any");
        let alias = self.before(&["as"]) || self.ctes.contains_key(&name);
        if self.symbol(end, b"(")
            && !cast
            && !keyword
            && !alias
            && !matches!(
                name.as_str(),
                "any" | "exists" | "coalesce" | "values" | "rows" | "key" | "filter" | "options" | "sets"
            )
        {
            self.functions.add(name);
        }
        self.at = end;
    }

    fn is_name(&self, at: usize) -> bool {
        self.items.get(at).is_some_and(|item| matches!(item.kind, ItemKind::Word | ItemKind::Quoted))
    }

    /// The table of `table.column` from here, and where the column ends.
    fn dotted_name_before_last(&self) -> Option<(String, usize)> {
        let (_, end) = self.dotted_name()?;
        let names = self.items.get(self.at..end.checked_sub(2)?)?;
        let table: Vec<String> = names.iter().step_by(2).map(name_text).collect();
        (!table.is_empty()).then(|| (table.join("."), end))
    }

    /// `a`, `a.b`, `a.b.c` from here, and where it ends.
    fn dotted_name(&self) -> Option<(String, usize)> {
        if !self.is_name(self.at) {
            return None;
        }
        let mut name = name_text(&self.items[self.at]);
        let mut end = self.at + 1;
        while self.symbol(end, b".") && self.is_name(end + 1) {
            name.push('.');
            name.push_str(&name_text(&self.items[end + 1]));
            end += 2;
        }
        Some((name, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::canonical::canonical;

    fn check(sql: &str, reads: &[&str], writes: &[&str]) {
        let found = scan(&canonical(sql.as_bytes()).items);
        assert_eq!((found.reads, found.writes), (strings(reads), strings(writes)), "{sql}");
    }

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn reads() {
        check("SELECT * FROM a, b x, ONLY c WHERE d IN (SELECT 1 FROM e)", &["a", "b", "c", "e"], &[]);
        check(
            "SELECT * FROM a LEFT JOIN s.b USING (id) JOIN \"C\" ON a.x = \"C\".x",
            &["a", "s.b", "C"],
            &[],
        );
        check("SELECT extract(day FROM x), trim(both 'a' from y) FROM t", &["t"], &[]);
        check("SELECT a IS DISTINCT FROM b FROM t, generate_series(1, 2) g", &["t"], &[]);
        check("SELECT * FROM (SELECT * FROM a) x, LATERAL (SELECT * FROM b) y, c", &["a", "b", "c"], &[]);
        check(
            "SELECT * FROM ((a JOIN b USING (x)) JOIN c ON true), (SELECT 1 FROM d) e",
            &["a", "b", "c", "d"],
            &[],
        );
        check("SELECT * FROM t ORDER BY a USING >, b", &["t"], &[]);
        check("TABLE t", &["t"], &[]);
        check("SELECT a FROM t UNION ALL TABLE u EXCEPT TABLE v", &["t", "u", "v"], &[]);
        check("COPY t (a, b) TO stdout", &["t"], &[]);
    }

    #[test]
    fn writes() {
        check("INSERT INTO s.t (a) SELECT b FROM u", &["u"], &["s.t"]);
        check("UPDATE ONLY t SET a = u.b FROM u WHERE u.id = t.id", &["u"], &["t"]);
        check("DELETE FROM t USING u, v WHERE true", &["u", "v"], &["t"]);
        check("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 1", &["s"], &["t"]);
        check("TRUNCATE TABLE a, b", &[], &["a", "b"]);
        check("COPY t (a, b) FROM stdin", &[], &["t"]);
        check("SELECT * INTO TEMP n FROM t", &["t"], &["n"]);
        check("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 2", &[], &["t"]);
        check("CREATE TABLE p PARTITION OF t FOR VALUES FROM (MINVALUE) TO (1)", &[], &["p"]);
        check("CREATE INDEX i ON t (lower(a))", &[], &["t"]);
        check("DROP TABLE IF EXISTS a, b", &[], &["a", "b"]);
        check("CLUSTER i ON t", &[], &["t"]);
        check("CLUSTER t USING i", &[], &["t"]);
        check("CREATE TABLE n AS SELECT * FROM t", &["t"], &["n"]);
        check("INSERT INTO t TABLE u", &["u"], &["t"]);
        check("INSERT INTO t AS x OVERRIDING USER VALUE TABLE u", &["u"], &["t"]);
    }

    #[test]
    fn maintenance_and_locks() {
        check("VACUUM (ANALYZE, PARALLEL 2) s.t (a, b), u", &[], &["s.t", "u"]);
        check("VACUUM FULL VERBOSE t", &[], &["t"]);
        check("ANALYZE t (a)", &[], &["t"]);
        check("VACUUM", &[], &[]);
        check("REINDEX (VERBOSE) TABLE CONCURRENTLY t", &[], &["t"]);
        check("REINDEX INDEX CONCURRENTLY i", &[], &[]);
        check("REFRESH MATERIALIZED VIEW CONCURRENTLY v WITH DATA", &[], &["v"]);
        check("LOCK TABLE ONLY a, s.b * IN SHARE ROW EXCLUSIVE MODE", &["a", "s.b"], &[]);
        check("BEGIN; LOCK a NOWAIT; SELECT 1 FROM b", &["a", "b"], &[]);
        check("SELECT a AS lock, b FROM t", &["t"], &[]);
        check("GRANT SELECT ON TABLE t TO u", &[], &["t"]);
        check("IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b", &[], &[]);
    }

    #[test]
    fn common_table_expressions_are_no_tables() {
        check(
            "WITH x AS (SELECT * FROM t), y (a) AS (SELECT * FROM x) SELECT * FROM y JOIN u ON true",
            &["t", "u"],
            &[],
        );
        check(
            "WITH gone AS (DELETE FROM t RETURNING *) INSERT INTO log SELECT * FROM gone",
            &[],
            &["t", "log"],
        );
        check("WITH RECURSIVE r AS MATERIALIZED (SELECT 1 UNION SELECT * FROM r) SELECT * FROM r", &[], &[]);
        check("WITH t AS (SELECT * FROM t WHERE a) SELECT * FROM t", &["t"], &[]);
        check("WITH a AS (SELECT 1 FROM b), b AS (SELECT 1 FROM a) SELECT * FROM a, b", &["b"], &[]);
        check("WITH RECURSIVE a AS (SELECT 1 FROM b), b AS (SELECT 1 FROM a) SELECT * FROM a, b", &[], &[]);
        check("WITH t AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM t", &[], &["t"]);
    }

    #[test]
    fn a_common_table_expression_is_known_in_its_own_statement_alone() {
        check("DECLARE c CURSOR FOR WITH a AS (SELECT * FROM a) SELECT * FROM a", &["a"], &[]);
        check(
            "DECLARE c CURSOR FOR (WITH x AS (SELECT 1) SELECT * FROM x) UNION (SELECT * FROM x)",
            &["x"],
            &[],
        );
        check("WITH x AS (SELECT 1) SELECT * FROM x; SELECT * FROM x", &["x"], &[]);
        check("(WITH RECURSIVE x AS (SELECT * FROM x) SELECT * FROM x) UNION (SELECT * FROM x)", &["x"], &[]);
        check(
            "SELECT (WITH x AS (SELECT 1) SELECT a FROM x), (WITH x AS (SELECT 2) SELECT a FROM x)",
            &[],
            &[],
        );
    }

    #[test]
    fn names_that_only_look_like_clauses() {
        check("SELECT * FROM current_date, LOCALTIME, user, t", &["t"], &[]);
        check("SELECT * FROM \"user\", s.user", &["user", "s.user"], &[]);
        check("SELECT * FROM U&\"d\\0061t\\+000061\" JOIN \"a\"\"b\" ON true", &["data", "a\"b"], &[]);
        check("COPY BINARY t FROM STDIN", &[], &["t"]);
        check("COPY binary FROM STDIN", &[], &["binary"]);
        check("PREPARE p AS SELECT a AS update FROM t", &["t"], &[]);
        check("PREPARE p AS SELECT a AS update, c AS join FROM t", &["t"], &[]);
        check("PREPARE p AS UPDATE t SET a = 1", &[], &["t"]);
        check("EXPLAIN (TABLE t)", &["t"], &[]);
    }

    #[test]
    fn tens_of_thousands_of_names_take_no_time() {
        let names: Vec<String> = (0..40_000).map(|n| format!("t{n}")).collect();
        let found = scan(&canonical(format!("SELECT * FROM {}", names.join(",")).as_bytes()).items);
        assert_eq!(found.reads, names);
        let calls =
            format!("SELECT {}", names.iter().map(|name| format!("{name}(1)")).collect::<Vec<_>>().join(","));
        assert_eq!(scan(&canonical(calls.as_bytes()).items).functions, names);
    }

    #[test]
    fn definitions_that_belong_to_a_table() {
        for (sql, writes) in [
            ("CREATE TRIGGER g AFTER UPDATE OF a ON s.t FOR EACH ROW EXECUTE FUNCTION f()", vec!["s.t"]),
            ("CREATE OR REPLACE CONSTRAINT TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()", vec!["t"]),
            ("DROP TRIGGER IF EXISTS g ON t", vec!["t"]),
            ("ALTER TRIGGER g ON t RENAME TO h", vec!["t"]),
            ("CREATE EVENT TRIGGER g ON ddl_command_start EXECUTE FUNCTION f()", vec![]),
            ("CREATE POLICY p ON t FOR SELECT TO r USING (a IN (1))", vec!["t"]),
            ("DROP POLICY p ON \"T\"", vec!["T"]),
            ("COMMENT ON TABLE t IS 'x'", vec!["t"]),
            ("COMMENT ON MATERIALIZED VIEW s.v IS NULL", vec!["s.v"]),
            ("COMMENT ON COLUMN s.t.a IS 'x'", vec!["s.t"]),
            ("COMMENT ON COLUMN a IS 'x'", vec![]),
            ("COMMENT ON TRIGGER g ON t IS 'x'", vec!["t"]),
            ("COMMENT ON FUNCTION f(int) IS 'x'; DELETE FROM u", vec!["u"]),
            ("GRANT SELECT (a, b), UPDATE ON t, s.u TO r, q", vec!["t", "s.u"]),
            ("REVOKE ALL ON TABLE t FROM r", vec!["t"]),
            ("GRANT SELECT ON schema TO r", vec!["schema"]),
            ("GRANT USAGE ON SCHEMA s TO r", vec![]),
            ("GRANT SELECT ON ALL TABLES IN SCHEMA s TO r", vec![]),
            ("GRANT EXECUTE ON FUNCTION f(int) TO r", vec![]),
            ("GRANT r TO q", vec![]),
        ] {
            check(sql, &[], &writes);
        }
    }

    #[test]
    fn locking_functions_and_the_rest() {
        let scan = |sql: &str| scan(&canonical(sql.as_bytes()).items);
        assert!(scan("SELECT * FROM t FOR UPDATE").locking);
        assert!(scan("SELECT * FROM t FOR NO KEY UPDATE SKIP LOCKED").locking);
        assert!(!scan("UPDATE t SET a = 1").locking);
        assert!(scan("INSERT INTO t VALUES (1) RETURNING id").returning);
        assert!(scan("CREATE TEMP TABLE t (a int)").temp);
        assert!(scan("SELECT * FROM pg_temp_3.t").temp);
        assert!(!scan("SELECT nextval('s')").has_from);
        let called = scan(
            "SELECT nextval('s'), PG_Advisory_Lock(1), count(*) FROM t WHERE a IN (1) AND b = any(x::varchar(3)[])",
        );
        assert_eq!(called.functions, ["nextval", "pg_advisory_lock", "count"]);
    }
}
