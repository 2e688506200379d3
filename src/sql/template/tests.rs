//! Templates against the lexer: what they read, what they leave alone, and that they are right.

use proptest::prelude::*;

use super::*;

/// Whether a template that `learned` taught reads `text`.
fn reads(learned: &str, text: &str) -> bool {
    Template::learn(learned.as_bytes()).is_some_and(|template| is_right(&template, text))
}

/// Whether it reads a text; if so, it must say what the lexer says.
fn is_right(template: &Template, text: &str) -> bool {
    let params = Params::parse(b"parameters: $1 = 'o''ne', $2 = NULL");
    for params in [None, params.as_ref()] {
        let mut found = Digest::default();
        if template.read(text.as_bytes(), params, &mut found).is_none() {
            return false;
        }
        let expected = crate::sql::digest(text.as_bytes(), params);
        assert_eq!(found, expected, "{text:?} by {:?}", String::from_utf8_lossy(&template.text));
    }
    true
}

#[test]
fn other_values_fit() {
    for (learned, text) in [
        ("SELECT a FROM t WHERE id = 17;", "SELECT a FROM t WHERE id = 123456789;"),
        ("SELECT a FROM t WHERE id = 17", "SELECT a FROM t WHERE id = -4.25"),
        ("SELECT a FROM t WHERE id = -17", "SELECT a FROM t WHERE id = 4"),
        ("SELECT a FROM t WHERE id =17", "SELECT a FROM t WHERE id =-17"),
        ("SELECT a - 1, a -1", "SELECT a - 2, a -34"),
        ("SELECT a - -1", "SELECT a - 12"),
        ("UPDATE t SET a = 'x' WHERE b = ''", "UPDATE t SET a = 'C:\\' WHERE b = 'a longer text'"),
        ("SELECT 'it''s', 1", "SELECT 'it''s', 2"),
        ("SELECT 1e5, 0x1F, 007, 1", "SELECT 1e5, 0x1F, 007, 2"),
        ("SELECT date '2026-01-01' + 1", "SELECT date '2026-01-02' + 3"),
        ("SELECT '1'::numeric(10, 2), 3", "SELECT '12'::numeric(10, 2), 4"),
        ("SELECT $1, 1, $2, $3", "SELECT $1, 2, $2, $3"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (3, 'c'), (-4, 'd')"),
        ("SELECT a IN (1, 2)", "SELECT a IN (3)"),
        ("SELECT a IN (- 1, 2)", "SELECT a IN (- 3, 4)"),
        ("SELECT a IN (1, 2) AND b = 5", "SELECT a IN (3, -4, 5.5, 6) AND b = 7"),
        ("SELECT a = ANY (ARRAY['a','b'])", "SELECT a = ANY (ARRAY['c','d','e'])"),
        ("SELECT a IN (1, 2) OR b IN (3, 4)", "SELECT a IN (1) OR b IN (2, 3, 4)"),
        ("SELECT a IN ((1, 2), (3, 4)) OR b IN ($1, $2)", "SELECT a IN ((5, 6), (7, 8)) OR b IN ($1, $2)"),
        ("SELECT ARRAY[[1, 2], [3, 4]]", "SELECT ARRAY[[1, 2, 3], [4]]"),
        ("SELECT ARRAY[[1], [2]]", "SELECT ARRAY[[3], [4]]"),
        ("SELECT a IN (1, NULL, 2)", "SELECT a IN (3, NULL, 4)"),
        ("INSERT INTO t VALUES (DEFAULT), (DEFAULT)", "INSERT INTO t VALUES (DEFAULT), (DEFAULT)"),
        ("SET a = 1", "SET a = -2"),
        ("FETCH 10 FROM c", "FETCH 20 FROM c"),
        ("BEGIN", "BEGIN"),
        ("", ""),
    ] {
        assert!(reads(learned, text), "{text:?} by {learned:?}");
        assert!(reads(learned, learned), "{learned:?}");
    }
}

#[test]
fn what_is_not_surely_the_same_does_not() {
    for (learned, text) in [
        ("SELECT 1", "SELECT 1e5"),
        ("SELECT 1", "SELECT 5abc"),
        ("SELECT 1", "SELECT 0x1F"),
        ("SELECT 1", "SELECT 007"),
        ("SELECT 1", "SELECT 5."),
        ("SELECT 1", "SELECT 1 "),
        ("SELECT 1", "SELECT - 1"),
        ("SELECT 1", "SELECT --1"),
        ("SELECT 1", "SELECT NULL"),
        ("SELECT 1", "SELECT '1'"),
        ("SELECT 1", "SELECT "),
        ("SELECT 1 ", "SELECT 1"),
        ("SELECT a -1", "SELECT a --1"),
        ("SELECT 'a'", "SELECT 'it''s'"),
        ("SELECT 'a'", "SELECT 'a"),
        ("SELECT 'a'", "SELECT E'a'"),
        ("SELECT 'a'", "SELECT 'a' 'b'"),
        ("SELECT 'a'", "SELECT 'a'\n'b'"),
        ("SELECT 'a'", "select 'a'"),
        ("SELECT a IN (1, 2)", "SELECT a IN (1,2)"),
        ("SELECT a IN (1, 2)", "SELECT a IN ()"),
        ("SELECT a IN (1, 2)", "SELECT a IN (1, b)"),
        ("SELECT a IN (1, 2)", "SELECT a IN (1, 'b')"),
        ("SELECT f(1, 2)", "SELECT f(1, 2, 3)"),
        ("VALUES (1), (2)", "VALUES (1), (2), (3)"),
        // Part of a list: how long it is would not be known.
        ("SELECT a IN (1, NULL, 2)", "SELECT a IN (3, 4, NULL, 5)"),
        // Two numbers, and one.
        ("SELECT 0b12", "SELECT 0b10"),
        ("SELECT 0o18", "SELECT 0o17"),
    ] {
        assert!(!reads(learned, text), "{text:?} by {learned:?}");
    }
}

/// What statements are made of.
const PARTS: &[&str] = &[
    "select ",
    "SELECT",
    " from t",
    " where a = ",
    " = ",
    "=",
    " in (",
    "(",
    ")",
    ", ",
    ",",
    " and b = ",
    "[",
    "]",
    "ARRAY[",
    "values (",
    "insert into t ",
    "), (",
    "::int",
    "::text",
    "::numeric(3,1)",
    "date ",
    "interval ",
    " day",
    "cast(",
    " as int)",
    "x",
    "x.",
    "\"q\"",
    ".",
    " -",
    "-",
    "- ",
    "+ ",
    "@",
    "/",
    "/*",
    "*/",
    "--",
    "\n",
    " ",
    ";",
    "E",
    "0b1",
    "0x",
    "1e",
    "$",
    "$1",
    "$2",
    "null",
    "true",
    "is ",
    "not ",
    "row(",
    "default",
    "limit ",
    "set a = ",
    "fetch ",
    " from c",
    "savepoint ",
    "explain ",
    "options (a ",
    "timestamp(",
    ") ",
    "float(",
    "/* c */",
    "?",
    "'",
];
/// Values, and what only looks like one.
const VALUES: &[&str] = &[
    "1",
    "2",
    "34",
    "0",
    "-1",
    "-56",
    "1.5",
    "-0.5",
    "1234567",
    "12345678",
    "-1234567",
    "123456789012345678901",
    "007",
    "1e5",
    "-1e5",
    "0x1F",
    "1_000",
    ".5",
    "5.",
    "5abc",
    "- 1",
    "--1",
    "'a'",
    "''",
    "'b c'",
    "'1'",
    "'longer than eight'",
    "'it''s'",
    "'C:\\'",
    "E'a\\'b'",
    "'a'\n'b'",
    "'a' ",
    "'open",
    "$1",
    "$$x$$",
    "null",
    "'x'::text",
    "1, 2",
    "1, 2, 3",
    "'a', 'b'",
    "-1, 2",
    "+1",
    "1-1",
    "b'1'",
];

/// Texts that differ in their values, more or less.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let part = prop_oneof![prop::sample::select(PARTS).prop_map(Some), Just(None)];
    let skeleton = prop::collection::vec(part, 1..14);
    let fills = prop::collection::vec(prop::collection::vec(prop::sample::select(VALUES), 14), 2..6);
    (skeleton, fills).prop_map(|(skeleton, fills)| {
        let fill = |values: Vec<&'static str>| -> String {
            let mut values = values.into_iter();
            skeleton.iter().map(|part| part.or_else(|| values.next()).unwrap_or_default()).collect()
        };
        fills.into_iter().map(fill).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn a_template_is_right_about_every_text_that_it_reads(texts in texts()) {
        for template in texts.iter().filter_map(|text| Template::learn(text.as_bytes())) {
            for text in &texts {
                is_right(&template, text);
            }
        }
    }
}
