//! What a statement is about: its kind, the tables it reads and writes, what it compares and calls.
//!
//! Asked once per distinct fingerprint. Findings and forecasts live on it; it knows neither them nor values.

use super::canonical::{Canonical, Item, ItemKind, canonical};
use super::kind::{Kind, explained_kind};
use super::parsed;
use super::tables::{name_text, scan};

/// Who found the tables.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Parser {
    /// The sqlparser crate understood the statement.
    Sqlparser,
    /// Our own tokens, because it did not.
    Lexer,
}

/// A column and the placeholder that it is compared with, or that is written to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Key {
    /// The column, without the table or alias before it, folded.
    pub column: String,
    /// The number of the placeholder in the normalised text, counted from 0: a [`Value`](super::Value) with this
    /// number is what was asked for.
    pub placeholder: usize,
    /// It stands in a subquery: it is no key of the statement's own rows.
    pub nested: bool,
    /// What it is compared with.
    pub with: With,
}

/// What a column is compared with.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum With {
    /// One value.
    Value,
    /// `IN (…)`, of one value or more.
    List,
    /// `= ANY (…)`: nobody knows how many values the array has.
    Array,
}

/// The shape of a statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shape {
    /// Its kind; that of the inner statement for an EXPLAIN.
    pub kind: Kind,
    /// It is an EXPLAIN of that kind.
    pub explain: bool,
    /// Tables read, folded, schemas kept, in order of appearance.
    pub reads: Vec<String>,
    /// Tables written or changed.
    pub writes: Vec<String>,
    /// `SELECT … FOR UPDATE`, `FOR SHARE` and their kin.
    pub locking: bool,
    /// Functions called, folded.
    pub functions: Vec<String>,
    /// There is a FROM clause.
    pub has_from: bool,
    /// There is a RETURNING clause.
    pub returning: bool,
    /// A temporary table is made or named as one.
    pub temp: bool,
    /// It inserts the rows of a VALUES list and no others: how many is known from its text.
    pub values: bool,
    /// Columns that WHERE compares with a placeholder by `=`, `IN` or `= ANY`.
    pub keys: Vec<Key>,
    /// Columns that INSERT or UPDATE write a placeholder to.
    pub written: Vec<Key>,
    /// Who found the tables.
    pub parsed_by: Parser,
}

impl Shape {
    /// All tables, written ones first, each once.
    pub fn tables(&self) -> Vec<&str> {
        let mut tables: Vec<&str> = self.writes.iter().map(String::as_str).collect();
        tables.extend(
            self.reads.iter().map(String::as_str).filter(|read| !self.writes.iter().any(|w| w == read)),
        );
        tables
    }
}

/// The shape of a statement.
pub fn shape(sql: &[u8]) -> Shape {
    let canonical = canonical(sql);
    let (kind, explain) = explained_kind(sql);
    let mut found = scan(&canonical.items);
    let parsed = parsed::tables(&canonical.items);
    let parsed_by = if parsed.is_some() { Parser::Sqlparser } else { Parser::Lexer };
    if let Some(tables) = parsed {
        found.reads = tables.reads;
        found.writes = tables.writes;
    }
    let keys = Keys::find(&canonical);
    let several = || found.functions.iter().any(|name| yields_rows(name));
    let values = kind == Kind::Insert && !explain && inserts_values(&canonical.items) && !several();
    Shape {
        kind,
        explain,
        reads: found.reads,
        writes: found.writes,
        locking: found.locking,
        functions: found.functions,
        has_from: found.has_from,
        returning: found.returning,
        temp: found.temp,
        values,
        keys: keys.compared,
        written: keys.written,
        parsed_by,
    }
}

/// Whether an INSERT writes the rows of its VALUES, or DEFAULT VALUES: no SELECT, no TABLE, no second statement.
fn inserts_values(items: &[Item<'_>]) -> bool {
    let (mut depth, mut insert, mut values) = (0_usize, false, false);
    for (index, item) in items.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| items.get(before));
        if item.is_symbol(b"(") {
            depth += 1;
        } else if item.is_symbol(b")") {
            depth = depth.saturating_sub(1);
        } else if item.is_symbol(b";") {
            return false;
        } else if depth > 0 || before.is_some_and(|before| before.is_symbol(b".")) {
            // A column, or the name of a table.
        } else if !insert {
            insert = item.is_word("insert");
        } else if item.is_word("select") || item.is_word("table") {
            return false;
        } else {
            values |= item.is_word("values");
        }
    }
    values
}

/// Whether a function of VALUES makes many rows of one.
fn yields_rows(function: &str) -> bool {
    let name = function.rsplit('.').next().unwrap_or(function);
    let json = name.strip_prefix("jsonb_").or_else(|| name.strip_prefix("json_"));
    matches!(name, "generate_series" | "generate_subscripts" | "unnest" | "string_to_table")
        || matches!(name, "regexp_split_to_table" | "regexp_matches")
        || json.is_some_and(|name| {
            matches!(name, "array_elements" | "array_elements_text" | "each" | "each_text" | "object_keys")
        })
}

/// Finds the columns that placeholders belong to.
struct Keys<'c, 'a> {
    items: &'c [Item<'a>],
    placeholders: Vec<usize>,
    compared: Vec<Key>,
    written: Vec<Key>,
}

/// The clause that an item stands in, as far as keys care.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Clause {
    Where,
    Set,
    Other,
}

impl<'c, 'a> Keys<'c, 'a> {
    fn find(canonical: &'c Canonical<'a>) -> Self {
        let mut keys = Keys {
            items: &canonical.items,
            placeholders: canonical.placeholders(),
            compared: Vec::new(),
            written: Vec::new(),
        };
        keys.comparisons();
        keys.insert();
        keys
    }

    fn word(&self, at: usize, word: &str) -> bool {
        self.items.get(at).is_some_and(|item| {
            item.kind == ItemKind::Word && item.text.eq_ignore_ascii_case(word.as_bytes())
        })
    }

    fn symbol(&self, at: usize, text: &[u8]) -> bool {
        self.items.get(at).is_some_and(|item| item.kind == ItemKind::Symbol && item.text == text)
    }

    fn is_value(&self, at: usize) -> bool {
        self.items.get(at).is_some_and(|item| item.kind == ItemKind::Value)
    }

    fn column(&self, at: usize) -> Option<String> {
        let item = self.items.get(at)?;
        let name = match item.kind {
            ItemKind::Quoted => true,
            ItemKind::Word => !super::normalise::is_keyword(&item.text.to_ascii_lowercase()),
            ItemKind::Value | ItemKind::Symbol => false,
        };
        name.then(|| name_text(item))
    }

    /// `column = ?`, `? = column`, `column IN (?)`, `column = ANY (?)` in WHERE; `column = ?` in SET.
    fn comparisons(&mut self) {
        // The clause that each open parenthesis stands in, and whether it is or stands in a subquery.
        let mut clauses = vec![Clause::Other];
        let mut queries = vec![false];
        for at in 0..self.items.len() {
            let depth = clauses.len() - 1;
            if self.symbol(at, b"(") {
                clauses.push(clauses[depth]);
                let query = self.word(at + 1, "select") || self.word(at + 1, "with");
                queries.push(queries[depth] || query && !self.is_whole_question(at));
            } else if self.symbol(at, b")") && depth > 0 {
                clauses.pop();
                queries.pop();
            } else if self.word(at, "where") {
                clauses[depth] = Clause::Where;
            } else if self.word(at, "set") {
                clauses[depth] = Clause::Set;
            } else if ["select", "group", "order", "returning", "having", "limit", "from", "union", "on"]
                .iter()
                .any(|word| self.word(at, word))
                && !(at > 0 && self.word(at - 1, "distinct"))
            {
                clauses[depth] = Clause::Other;
            }
            let clause = clauses[clauses.len() - 1];
            if clause == Clause::Other || !(self.symbol(at, b"=") || self.word(at, "in")) || at == 0 {
                continue;
            }
            let value = (at + 1..at + 4).find(|value| {
                self.is_value(*value)
                    && (at + 1..*value).all(|between| self.symbol(between, b"(") || self.word(between, "any"))
            });
            let negated = self.word(at - 1, "not");
            let (column, value) = match value {
                Some(value) if !negated => (self.column(at - 1), value),
                _ if self.is_value(at - 1) && self.symbol(at, b"=") => {
                    let mut name = at + 1;
                    while self.symbol(name + 1, b".") {
                        name += 2;
                    }
                    (self.column(name), at - 1)
                }
                _ => continue,
            };
            let Some(column) = column else { continue };
            let nested = queries.last().copied().unwrap_or(false);
            let with = match () {
                () if self.word(at, "in") => With::List,
                () if self.word(at + 1, "any") => With::Array,
                () => With::Value,
            };
            let key = Key { column, placeholder: self.placeholders[value], nested, with };
            match clause {
                Clause::Where => self.compared.push(key),
                Clause::Set => self.written.push(key),
                Clause::Other => {}
            }
        }
    }

    /// Whether the parenthesis holds all that is asked: `SELECT EXISTS (SELECT …)`.
    fn is_whole_question(&self, at: usize) -> bool {
        at == 2 && self.word(0, "select") && self.word(1, "exists")
    }

    /// `INSERT INTO t (a, b) VALUES (?, now())`: the columns whose cell is a placeholder.
    fn insert(&mut self) {
        let Some(into) = (0..self.items.len()).find(|at| self.word(*at, "into")) else { return };
        if into == 0 || !self.word(into - 1, "insert") {
            return;
        }
        let mut at = into + 2;
        while self.symbol(at, b".") {
            at += 2;
        }
        if self.word(at, "as") {
            at += 2;
        }
        if !self.symbol(at, b"(") {
            return;
        }
        let mut columns = Vec::new();
        while let Some(column) = self.items.get(at + 1).filter(|item| item.kind != ItemKind::Symbol) {
            columns.push(name_text(column));
            at += 2;
            if !self.symbol(at, b",") {
                break;
            }
        }
        while at < self.items.len() && !self.word(at, "values") {
            if self.word(at, "select") {
                return;
            }
            at += 1;
        }
        let (mut depth, mut cell, mut from) = (0_usize, 0, at + 2);
        for end in at + 1..self.items.len() {
            let (open, close) = (self.symbol(end, b"("), self.symbol(end, b")"));
            depth = if open { depth + 1 } else { depth.saturating_sub(usize::from(close)) };
            let last = close && depth == 0;
            if last || (depth == 1 && self.symbol(end, b",")) {
                if end == from + 1
                    && self.is_value(from)
                    && let Some(column) = columns.get(cell)
                {
                    let (column, placeholder) = (column.clone(), self.placeholders[from]);
                    self.written.push(Key { column, placeholder, nested: false, with: With::Value });
                }
                cell += 1;
                from = end + 1;
            }
            if last {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(found: &[Key]) -> Vec<(&str, usize)> {
        found.iter().map(|key| (key.column.as_str(), key.placeholder)).collect()
    }

    fn check(sql: &str, compared: &[(&str, usize)], written: &[(&str, usize)]) {
        let shape = shape(sql.as_bytes());
        assert_eq!((keys(&shape.keys), keys(&shape.written)), (compared.to_vec(), written.to_vec()), "{sql}");
    }

    #[test]
    fn compared_columns() {
        check("SELECT 1 FROM t WHERE a = $1 AND t.b = 'x' AND c > 3", &[("a", 1), ("b", 2)], &[]);
        check("SELECT * FROM t x WHERE x.\"Id\" IN (1, 2, 3) AND 5 = x.n", &[("Id", 0), ("n", 1)], &[]);
        check("SELECT * FROM t WHERE a = ANY ($1) AND b NOT IN (1)", &[("a", 0)], &[]);
        check("SELECT * FROM t WHERE (a = 1 OR (b = 2)) ORDER BY c = 3 LIMIT 4", &[("a", 0), ("b", 1)], &[]);
        check("DELETE FROM t WHERE id = 1", &[("id", 0)], &[]);
    }

    #[test]
    fn columns_of_subqueries_are_nested() {
        let nested = |sql: &str| -> Vec<(String, bool)> {
            shape(sql.as_bytes()).keys.into_iter().map(|key| (key.column, key.nested)).collect()
        };
        let both = [("a".to_owned(), false), ("b".to_owned(), true)];
        assert_eq!(nested("SELECT 1 FROM t WHERE (a = 1) AND c IN (SELECT c FROM u WHERE (b = 2))"), both);
        assert_eq!(nested("UPDATE t SET x = 1 WHERE id = (SELECT id FROM t WHERE b = 2 LIMIT 1)"), both[1..]);
        assert_eq!(
            nested("SELECT EXISTS (SELECT 1 FROM t WHERE a = 1 AND c IN (SELECT c FROM u WHERE b = 2))"),
            both
        );
        assert_eq!(nested("WITH u AS (SELECT * FROM t WHERE b = 2) SELECT * FROM u"), both[1..]);
    }

    #[test]
    fn what_columns_are_compared_with() {
        let with =
            |sql: &str| -> Vec<With> { shape(sql.as_bytes()).keys.into_iter().map(|key| key.with).collect() };
        let sql = "SELECT 1 FROM t WHERE a = 1 AND b IN (2) AND c = ANY ('{3}') AND 4 = d";
        assert_eq!(with(sql), [With::Value, With::List, With::Array, With::Value]);
    }

    #[test]
    fn written_columns() {
        check(
            "INSERT INTO s.t (a, \"B\", c, d) VALUES (1, 'x', now(), $1), (2, 'y', now(), $2)",
            &[],
            &[("a", 0), ("B", 1), ("d", 2)],
        );
        check(
            "INSERT INTO t (a, b) VALUES (1, 2), (3, 4) ON CONFLICT DO NOTHING",
            &[],
            &[("a", 0), ("b", 1)],
        );
        check("UPDATE t SET a = 1, b = b + 1 WHERE id = 2", &[("id", 2)], &[("a", 0)]);
        check("INSERT INTO t VALUES (1)", &[], &[]);
    }

    #[test]
    fn rows_are_known_of_values_alone() {
        for sql in [
            "INSERT INTO t VALUES (1)",
            "insert into public.table (a) values (1), (2) on conflict (a) do update set b = (select 1)",
            "INSERT INTO t DEFAULT VALUES",
            "INSERT INTO t (\"select\") VALUES ((SELECT max(a) FROM t)) RETURNING a;",
            "WITH u AS (SELECT 1) INSERT INTO t VALUES (2)",
        ] {
            assert!(shape(sql.as_bytes()).values, "{sql}");
        }
        for sql in [
            "INSERT INTO t SELECT g FROM generate_series(1, 80000) g",
            "INSERT INTO t SELECT unnest($1::int[])",
            "INSERT INTO t VALUES (pg_catalog.unnest($1), 2)",
            "INSERT INTO t VALUES (jsonb_array_elements($1))",
            "INSERT INTO t SELECT * FROM (VALUES (1), (2)) v",
            "INSERT INTO t (VALUES (1), (2))",
            "INSERT INTO t SELECT 1 UNION ALL VALUES (2)",
            "INSERT INTO t TABLE u",
            "INSERT INTO t VALUES (1); INSERT INTO u SELECT 1",
            "WITH u AS (INSERT INTO t VALUES (1) RETURNING id) INSERT INTO v SELECT id FROM u",
            "EXPLAIN INSERT INTO t VALUES (1)",
            "SELECT insert, values FROM t",
        ] {
            assert!(!shape(sql.as_bytes()).values, "{sql}");
        }
    }

    #[test]
    fn written_tables_come_first() {
        let found = shape(b"INSERT INTO t SELECT * FROM u JOIN t ON true");
        assert_eq!(found.tables(), ["t", "u"]);
        assert_eq!(found.kind, Kind::Insert);
    }

    #[test]
    fn the_parser_answers_and_the_tokens_when_it_cannot() {
        let by = |sql: &str| (shape(sql.as_bytes()).parsed_by, shape(sql.as_bytes()).reads);
        let both = ["a", "b"].map(str::to_owned).to_vec();
        assert_eq!(by("SELECT * FROM a WHERE x IN (SELECT y FROM b)"), (Parser::Sqlparser, both.clone()));
        assert_eq!(by("SELECT * FROM a WHERE x IN (SELECT y FROM b) AND z = (1 +"), (Parser::Lexer, both));
        assert_eq!(by("VACUUM (ANALYZE) t").0, Parser::Lexer);
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        for sql in ["(".repeat(100_000), format!("SELECT {}", "f(".repeat(50_000))] {
            assert_eq!(shape(sql.as_bytes()).parsed_by, Parser::Lexer);
        }
        let long = format!("SELECT {} FROM t", vec!["a + 1"; 50_000].join(", "));
        assert_eq!(shape(long.as_bytes()).reads, ["t"]);
    }

    #[test]
    fn explain_analyze_insert_says_both() {
        let found = shape(b"EXPLAIN (ANALYZE) INSERT INTO t VALUES (1)");
        assert_eq!((found.kind, found.explain, found.writes), (Kind::Insert, true, vec!["t".to_owned()]));
    }
}
