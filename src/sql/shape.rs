//! What a statement is about: its kind, the tables it reads and writes, what it compares and calls.
//!
//! Asked once per distinct fingerprint. Findings and forecasts live on it; it knows neither them nor values.

use super::canonical::{Item, canonical};
use super::kind::{Explain, Kind, explained_kind};
use super::tables::scan;
use super::{keys, parsed};

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
    /// The tables that the column may belong to, folded, schemas kept: one if the name before it says which, else
    /// those of its FROM. Empty for what is written.
    pub tables: Vec<String>,
    /// The row has this value, before the statement and after it: the comparison is no alternative (OR), not negated,
    /// no argument of a function, and UPDATE does not give the column another value.
    pub sure: bool,
}

impl Key {
    /// A column that is written.
    pub(super) fn written(column: String, placeholder: usize) -> Self {
        Self { column, placeholder, nested: false, with: With::Value, tables: Vec::new(), sure: true }
    }
}

/// What kind of answer a SELECT gives, leaving aside what its subqueries do.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// Its rows are no rows of a table: an aggregate, DISTINCT, GROUP BY, UNION and their kin.
    pub folds: bool,
    /// It says whether there is a row: `SELECT EXISTS (…)`.
    pub exists: bool,
    /// It has an ORDER BY.
    pub ordered: bool,
    /// It compares other than by equality, and no value behind its FROM is anything but a key, a bound of such a
    /// comparison, LIMIT or OFFSET.
    pub ranged: bool,
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
    /// What an EXPLAIN of that kind does; `None` for anything else.
    pub explain: Option<Explain>,
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
    /// What kind of answer it gives.
    pub answer: Answer,
    /// It may write nothing: `ON CONFLICT DO NOTHING`.
    pub skips: bool,
    /// Who found the tables.
    pub parsed_by: Parser,
}

impl Shape {
    /// Whether it is an EXPLAIN that does not run its statement.
    pub fn only_plans(&self) -> bool {
        self.explain == Some(Explain::Plan)
    }

    /// The kind of what it does: an EXPLAIN that only plans touches no rows.
    pub fn does(&self) -> Kind {
        if self.only_plans() { Kind::Utility } else { self.kind }
    }

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
    let keys = keys::find(&canonical);
    let several = || found.functions.iter().any(|name| yields_rows(name));
    let values = kind == Kind::Insert && explain.is_none() && inserts_values(&canonical.items) && !several();
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
        answer: keys.answer,
        skips: keys.skips,
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
    fn what_is_compared_belongs_to_a_table() {
        let tables = |sql: &str| -> Vec<Vec<String>> {
            shape(sql.as_bytes()).keys.into_iter().map(|key| key.tables).collect()
        };
        for (sql, expected) in [
            ("SELECT 1 FROM t WHERE a = 1", vec!["t"]),
            ("SELECT 1 FROM t x, LATERAL (SELECT 1 FROM z) y, s.u AS v WHERE v.a = 1", vec!["s.u"]),
            ("SELECT 1 FROM t x JOIN u ON x.b = u.b AND u.c = 2 WHERE a = 1", vec!["t", "u"]),
            (
                "SELECT 1 FROM (t JOIN \"U\" USING (b)) LEFT JOIN f(1, x) g ON true WHERE 1 = \"U\".a",
                vec!["U"],
            ),
            ("SELECT 1 FROM public.t WHERE public.t.a = 1", vec!["public.t"]),
            ("SELECT 1 FROM (SELECT * FROM t) x WHERE x.a = 1", vec![]),
            ("SELECT extract(day FROM d) FROM t WHERE x.a = 1", vec![]),
            ("UPDATE ONLY t AS x SET b = y.b FROM u y WHERE y.a = 1", vec!["u"]),
            ("UPDATE t SET b = 2 WHERE t.a = 1", vec!["t"]),
            ("DELETE FROM t x USING u WHERE x.a = 1", vec!["t"]),
            ("INSERT INTO t (b) SELECT b FROM u WHERE a = 1", vec!["u"]),
        ] {
            assert_eq!(tables(sql), [expected], "{sql}");
        }
    }

    #[test]
    fn key_words_that_are_not_reserved_are_names() {
        let keys = |sql: &str| -> Vec<(String, Vec<String>, bool)> {
            shape(sql.as_bytes()).keys.into_iter().map(|key| (key.column, key.tables, key.sure)).collect()
        };
        let names = "transaction comment index view row schema function trigger partition sequence cursor type values";
        for name in names.split(' ') {
            let expected = [(name.to_owned(), vec![name.to_owned()], true)];
            for sql in [
                format!("SELECT v FROM {name} WHERE {name} = 6"),
                format!("SELECT v FROM {name} AS t WHERE t.{name} = 6 ORDER BY v"),
                format!("UPDATE {name} SET v = 1 WHERE {name}.{name} = 6"),
                format!("DELETE FROM {name} WHERE {name} = 6 RETURNING v"),
            ] {
                assert_eq!(keys(&sql), expected, "{sql}");
            }
            check(&format!("INSERT INTO {name} ({name}) VALUES (6)"), &[], &[(name, 0)]);
            check(&format!("UPDATE t SET {name} = 6"), &[], &[(name, 0)]);
        }
        // What cannot be a name is a function or a value.
        assert_eq!(keys("SELECT v FROM t WHERE user = 6 AND true = 6"), []);
    }

    #[test]
    fn what_holds_for_the_row_and_what_may_not() {
        let sure = |sql: &str| -> Vec<bool> {
            shape(format!("SELECT 1 FROM t WHERE {sql}").as_bytes()).keys.iter().map(|key| key.sure).collect()
        };
        for sql in [
            "a = 1",
            "(a = 1)",
            "((t.a = $1::int) AND b > 2) LIMIT 3",
            "a IN (1, 2) ORDER BY b",
            "a = ANY ($1) FOR UPDATE",
            "1 = a AND (b IS NULL OR c > 2)",
            "b BETWEEN 1 AND 2 AND a = (3) GROUP BY c",
        ] {
            assert_eq!(sure(sql), [true], "{sql}");
        }
        for sql in [
            "NOT a = 1",
            "NOT (a = 1)",
            "(a = 1) = false",
            "(a = 1) IS NOT TRUE",
            "a = 1 OR b",
            "b OR a = 1",
            "b OR (a = 1 AND c)",
            "(a = 1 AND c) OR b",
            "(c AND (a = 1 OR b))",
            "coalesce(a = 1, false)",
            "f(a = 1)",
            "CASE WHEN a = 1 THEN b END",
            "a = 1 + b",
            "b + a = 1",
            "a::text = 'x'",
        ] {
            assert_eq!(sure(sql), [false], "{sql}");
        }
        assert_eq!(sure("a = 1 AND (b = 2 OR c = 3) AND d = 4"), [true, false, false, true]);
        let update = shape(b"UPDATE t SET a = 2, c = c + 1 WHERE a = 1 AND b = 3 AND c = 4");
        assert_eq!(update.keys.iter().map(|key| key.sure).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn what_kind_of_answer_it_is() {
        let answer = |sql: &str| {
            let Answer { folds, exists, ordered, .. } = shape(sql.as_bytes()).answer;
            (folds, exists, ordered)
        };
        for (sql, expected) in [
            ("SELECT a, (SELECT count(*) FROM u GROUP BY b ORDER BY 1) FROM t", (false, false, false)),
            ("SELECT a FROM t WHERE b IN (SELECT DISTINCT b FROM u)", (false, false, false)),
            ("SELECT a FROM t ORDER BY a", (false, false, true)),
            ("SELECT coalesce(MAX(a), 0) FROM t", (true, false, false)),
            ("SELECT json_agg(a ORDER BY b) FROM t", (true, false, false)),
            ("SELECT DISTINCT ON (a) b FROM t", (true, false, false)),
            ("SELECT a FROM t UNION ALL SELECT a FROM u", (true, false, false)),
            ("SELECT a FROM t GROUP BY a", (true, false, false)),
            ("SELECT EXISTS (SELECT 1 FROM t)", (false, true, false)),
            ("SELECT a IS DISTINCT FROM b, t.order FROM t", (false, false, false)),
        ] {
            assert_eq!(answer(sql), expected, "{sql}");
        }
        let skips = |sql: &str| shape(sql.as_bytes()).skips;
        assert!(skips("INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO NOTHING"));
        assert!(!skips("INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 2"));
    }

    #[test]
    fn ranges_and_nothing_else() {
        let ranged = |sql: &str| shape(format!("SELECT 1 FROM t {sql}").as_bytes()).answer.ranged;
        for sql in [
            "WHERE a > 1",
            "WHERE a BETWEEN 1 AND 2 AND c = 3",
            "WHERE 1 < a AND b NOT LIKE 'x' OFFSET 4",
            "WHERE (f(a) >= (1)) LIMIT 5 OFFSET 6",
            "WHERE a <> 1 FETCH FIRST 5 ROWS ONLY",
        ] {
            assert!(ranged(sql), "{sql}");
        }
        for sql in [
            "WHERE a = 1",
            "WHERE lower(a) = 'x' AND b > 1",
            "JOIN u ON u.a = 1 WHERE b > 1",
            "WHERE b > 1 AND a IN (SELECT a FROM u WHERE c = 1)",
            "WHERE a + 2 > 1",
        ] {
            assert!(!ranged(sql), "{sql}");
        }
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
        assert_eq!(
            (found.kind, found.does(), found.explain),
            (Kind::Insert, Kind::Insert, Some(Explain::Analyze))
        );
        assert_eq!(found.writes, ["t"]);
        let planned = shape(b"EXPLAIN INSERT INTO t VALUES (1)");
        assert_eq!(
            (planned.kind, planned.does(), planned.explain),
            (Kind::Insert, Kind::Utility, Some(Explain::Plan))
        );
    }
}
