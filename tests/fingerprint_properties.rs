//! What must hold for every statement, and for every sequence of bytes.
//!
//! The fast digest against the reference, on soups of tokens that love to meet; then the promises of
//! docs/fingerprint.md: what never changes a fingerprint, and what the parameter hash covers.

use pglens::sql::{Params, digest, digest_execute, normalise, pretty, reference, shape, tags, values};
use proptest::prelude::*;

/// Tokens that the rules are about, whole and broken.
const TOKENS: &[&str] = &[
    "select",
    "SELECT",
    "from",
    "where",
    "in",
    "IN",
    "(",
    ")",
    "(",
    ")",
    ",",
    ",",
    "[",
    "]",
    "ARRAY",
    "array[",
    "values",
    "VALUES (",
    "insert into t",
    "row",
    "ROW(",
    "cast",
    "cast(",
    "as",
    "AS",
    "null",
    "NULL",
    "true",
    "FALSE",
    "is",
    "not",
    "default",
    "DEFAULT",
    "set",
    "on",
    "1",
    "2",
    "-1",
    "- 1",
    "-",
    "+",
    "*",
    "=",
    "<>",
    "!=",
    "::",
    "::int",
    "::text",
    "::varchar(3)",
    "::int[]",
    "::timestamp with time zone",
    "'a'",
    "'it''s'",
    "''",
    "E'x\\'y'",
    "e'a'",
    "N'x'",
    "B'01'",
    "X'1F'",
    "U&'d\\0061'",
    "uescape",
    "operator",
    "OPERATOR(s.=)",
    "UESCAPE '!'",
    "U&\"x\"",
    "$$x$$",
    "$t$ ' $t$",
    "$1",
    "$2",
    "$",
    "?",
    "t",
    "T",
    "\"t\"",
    "\"T\"",
    "\"a b\"",
    "\"a\"\"b\"",
    "\"pg_temp_3\"",
    "pg_temp_3",
    "pg_toast_temp_4",
    ".",
    "..",
    ".5",
    "5.",
    "1e5",
    "0x1F",
    "1_000",
    "007",
    "date",
    "date '2026-01-01'",
    "timestamp",
    "timestamp(3) with time zone '2026'",
    "interval '1' day",
    "interval '1 day'",
    "double precision '1'",
    "numeric(3,1) '1'",
    "char",
    "s.date '1'",
    "at time zone 'UTC'",
    "like 'x'",
    ";",
    ";",
    "/* c */",
    "-- c\n",
    "/*",
    "--",
    "'",
    "\"",
    "$$",
    "\n",
    "\t",
    "execute p(1)",
    "savepoint a",
    "current of c",
    "options (a 'x')",
    "of",
    "current",
    "limit 1",
    "offset",
    "returning",
    "distinct",
    "returnings",
    "timestamps",
    "a_long_identifier_of_many_letters",
    "exactly8",
    "sixteen_letters_",
    "\u{e9}t\u{e9}",
    "\u{0}",
    "\\",
    "{",
    "=?",
    ">= ?",
    "@?",
    "-?",
    "release savepoint a",
    "rollback to b",
    "rollback",
    "->>",
    "@>",
    "?|",
    "*.",
    ":=",
    ":",
    "=>",
    "~~*",
    "<-1",
    "|| 'x'",
    "between 1 and 2",
    "explain",
    "begin",
    "fetch 1 in c",
    "set a = 1",
    "cast(1 as int)",
    "cast('x' as numeric(1, 2))",
    "('x')::text",
    "(1)",
    "((1))",
    "(1, 2)",
    "((1, 2), (3, 4))",
    "[1, 2]",
    "[[1], [2]]",
    "(default, 1)",
];

fn soup() -> impl Strategy<Value = String> {
    let token = prop::sample::select(TOKENS);
    let gap = prop::sample::select(&["", " ", " ", " ", "\n"][..]);
    prop::collection::vec((token, gap), 0..24)
        .prop_map(|parts| parts.into_iter().flat_map(|(token, gap)| [token, gap]).collect())
}

fn agree(sql: &[u8]) {
    let params = Params::parse(b"parameters: $1 = 'o''ne', $2 = NULL").expect("a list of parameters");
    assert_eq!(digest(sql, None), reference(sql, None), "{}", String::from_utf8_lossy(sql));
    assert_eq!(digest(sql, Some(&params)), reference(sql, Some(&params)), "{}", String::from_utf8_lossy(sql));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_digest_says_what_the_reference_says(sql in soup(), cut in any::<prop::sample::Index>()) {
        agree(sql.as_bytes());
        agree(&sql.as_bytes()[..cut.index(sql.len() + 1)]);
    }

    #[test]
    fn any_bytes_are_a_statement(sql in prop::collection::vec(any::<u8>(), 0..200)) {
        agree(&sql);
        normalise(&sql, 100);
    }

    #[test]
    fn any_ascii_is_a_statement(sql in "[ -~\n]{0,80}") {
        agree(sql.as_bytes());
    }
}

/// A statement of ordinary shape: its tokens, `\u{1}` where a value stands.
fn statement() -> impl Strategy<Value = String> {
    prop::sample::select(
        &[
            "SELECT a , \"b\" . \"C\" FROM t AS x WHERE x . a = \u{1} AND b LIKE \u{1} ORDER BY c LIMIT \u{1}",
            "INSERT INTO t ( a , b ) VALUES ( \u{1} , \u{1} ) RETURNING id",
            "UPDATE t SET a = \u{1} , b = b - \u{1} WHERE id IN ( \u{1} )",
            "DELETE FROM s . t WHERE a IN ( \u{1} , \u{1} ) AND b IS NOT NULL",
            "SELECT f ( \u{1} , x ) , CASE WHEN a > \u{1} THEN \u{1} ELSE b END FROM t",
            "WITH x AS ( SELECT \u{1} AS n ) SELECT * FROM x , LATERAL ( SELECT y FROM u WHERE z = \u{1} ) q",
            "SELECT ARRAY [ \u{1} , \u{1} ] || c , d :: text FROM t WHERE e <> \u{1}",
        ][..],
    )
    .prop_map(str::to_owned)
}

/// A value: as text, and written out in SQL.
fn value() -> impl Strategy<Value = (Option<String>, String)> {
    prop_oneof![
        any::<i32>().prop_map(|n| (Some(n.to_string()), n.to_string())),
        "[ -~é\n]{0,12}".prop_map(|text| (Some(text.clone()), format!("'{}'", text.replace('\'', "''")))),
        "[a-z \"']{0,12}".prop_map(|text| (Some(text.clone()), format!("$q${text}$q$"))),
        Just((None, "NULL".to_owned())),
        Just((Some("t".to_owned()), "TRUE".to_owned())),
        "[a-z]{1,5}".prop_map(|text| (Some(text.clone()), format!("'{text}'::text"))),
    ]
}

fn written(statement: &str, mut values: impl FnMut(usize) -> String) -> String {
    let mut count = 0;
    statement
        .split(' ')
        .map(|token| {
            if token != "\u{1}" {
                return token.to_owned();
            }
            count += 1;
            values(count - 1)
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Texts of one statement and of the same values, with their borders in other places.
const BORDERS: &[&[&str]] = &[
    &[
        "SELECT * FROM o WHERE a IN (1) AND b IN (2, 3, 4)",
        "SELECT * FROM o WHERE a IN (1, 2) AND b IN (3, 4)",
        "SELECT * FROM o WHERE a IN (1, 2, 3) AND b IN (4)",
    ],
    &[
        "SELECT * FROM o WHERE a IN (1) AND b NOT IN (2, 3)",
        "SELECT * FROM o WHERE a IN (1, 2) AND b NOT IN (3)",
    ],
    &[
        "SELECT ARRAY[[1, 2], [3, 4]]",
        "SELECT ARRAY[[1, 2, 3, 4]]",
        "SELECT ARRAY[[1], [2], [3], [4]]",
        "SELECT ARRAY[[1], [2, 3, 4]]",
    ],
    &[
        "SELECT a IN (ARRAY[1, 2], ARRAY[3])",
        "SELECT a IN (ARRAY[1], ARRAY[2, 3])",
        "SELECT a IN (ARRAY[1, 2, 3])",
    ],
    &["SELECT * FROM (VALUES (1), (2)) x WHERE a IN (3)", "SELECT * FROM (VALUES (1)) x WHERE a IN (2, 3)"],
    &["SELECT a IN ((1, 2), (3, 4)) OR b IN (5)", "SELECT a IN ((1, 2)) OR b IN (3, 4, 5)"],
];

/// The same with `$1`, `$2`, … for the numbers.
fn bound(sql: &str) -> String {
    sql.chars().flat_map(|c| c.is_ascii_digit().then_some('$').into_iter().chain([c])).collect()
}

#[test]
fn two_lists_keep_their_border_inline_and_bound() {
    let params = Params::parse(b"parameters: $1 = '1', $2 = '2', $3 = '3', $4 = '4', $5 = '5'");
    for texts in BORDERS {
        let mut seen = Vec::new();
        for text in *texts {
            let inline = digest(text.as_bytes(), None);
            let hash = inline.params.expect("all values are known");
            assert_eq!(digest(bound(text).as_bytes(), params.as_ref()).params, Some(hash), "{text}");
            let prepare = format!("prepare: PREPARE p AS {}", bound(text));
            let executed = digest_execute(b"EXECUTE p(1, 2, 3, 4, 5)", prepare.as_bytes());
            assert_eq!(executed.and_then(|digest| digest.params), Some(hash), "{text}");
            agree(text.as_bytes());
            agree(bound(text).as_bytes());
            assert_eq!(inline.fingerprint, digest(texts[0].as_bytes(), None).fingerprint, "{text}");
            assert!(!seen.contains(&hash), "{text}");
            seen.push(hash);
        }
    }
}

#[test]
fn a_list_of_one_is_its_value() {
    let hash = |sql: &str| digest(sql.as_bytes(), None).params;
    assert_eq!(hash("SELECT a IN (1)"), hash("SELECT a = 1"));
    assert_eq!(hash("INSERT INTO t VALUES (1, 2)"), hash("SELECT 1, 2"));
    let array = Params::parse(b"parameters: $1 = '{1,2}'");
    assert_eq!(digest(b"SELECT a = ANY ($1)", array.as_ref()).params, hash("SELECT a = ANY ('{1,2}')"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn spelling_and_values_never_change_a_fingerprint(
        statement in statement(),
        one in prop::collection::vec(value(), 6),
        two in prop::collection::vec(value(), 6),
        gap in prop::sample::select(&[" ", "\n", "\t  ", " /* c ' */ ", " -- it's\n", "/**/ "][..]),
        case in any::<u32>(),
    ) {
        let plain = written(&statement, |n| one[n].1.clone());
        let mut shift = 0;
        let other: Vec<String> = statement.split(' ').map(|token| {
            shift += 1;
            if token.contains('"') || case.rotate_left(shift) & 1 == 0 { token.to_owned() } else { token.to_lowercase() }
        }).collect();
        let other = written(&other.join(" "), |n| two[n].1.clone()).split(' ').collect::<Vec<_>>().join(" ");
        let spaced = written(&statement, |_| "\u{1}".to_owned()).split(' ').collect::<Vec<_>>().join(gap);
        let spaced = {
            let mut parts = spaced.split('\u{1}');
            let mut text = parts.next().unwrap_or_default().to_owned();
            for (n, part) in parts.enumerate() {
                text.push_str(&two[n].1);
                text.push_str(part);
            }
            text
        };
        let expected = digest(plain.as_bytes(), None).fingerprint;
        prop_assert_eq!(digest(other.as_bytes(), None).fingerprint, expected, "{} / {}", plain, other);
        prop_assert_eq!(digest(spaced.as_bytes(), None).fingerprint, expected, "{} / {}", plain, spaced);
    }

    #[test]
    fn the_same_question_inline_bound_and_executed_is_one_pair(
        statement in statement(),
        given in prop::collection::vec(value(), 6),
    ) {
        let inline = written(&statement, |n| given[n].1.clone());
        let bound = written(&statement, |n| format!("${}", n + 1));
        let count = bound.matches('$').count();
        let list: Vec<String> = given[..count].iter().enumerate().map(|(n, (text, _))| match text {
            Some(text) => format!("${} = '{}'", n + 1, text.replace('\'', "''")),
            None => format!("${} = NULL", n + 1),
        }).collect();
        let detail = format!("parameters: {}", list.join(", "));
        let params = Params::parse(detail.as_bytes()).expect("a list of parameters");
        let one = digest(inline.as_bytes(), None);
        // A value that ends like one that the server cut short is not trusted.
        if params.is_complete() {
            let two = digest(bound.as_bytes(), Some(&params));
            prop_assert_eq!((one.fingerprint, one.params), (two.fingerprint, two.params), "{} / {}", inline, detail);
            prop_assert_eq!(
                values(inline.as_bytes(), None),
                values(bound.as_bytes(), Some(&params)),
                "{}", inline
            );
        }
        let arguments: Vec<&str> = given[..count].iter().map(|(_, written)| written.as_str()).collect();
        let execute = format!("EXECUTE p({})", arguments.join(", "));
        let prepare = format!("prepare: PREPARE p AS {bound}");
        let three = digest_execute(execute.as_bytes(), prepare.as_bytes()).expect("a prepared statement");
        prop_assert_eq!((one.fingerprint, one.params), (three.fingerprint, three.params), "{}", execute);
    }

    #[test]
    fn the_length_of_a_list_never_counts(
        first in prop::collection::vec(value(), 1..9),
        second in prop::collection::vec(value(), 1..9),
    ) {
        for (open, close) in [
            ("SELECT * FROM t WHERE a IN (", ")"),
            ("SELECT ARRAY[", "]"),
            ("INSERT INTO t VALUES (1, ", "), ('x', NULL)"),
        ] {
            let separator = if open.starts_with("INSERT") { "), (2, " } else { ", " };
            let list = |values: &[(Option<String>, String)]| {
                let written: Vec<_> = values.iter().map(|(_, written)| written.as_str()).collect();
                format!("{open}{}{close}", written.join(separator))
            };
            let (one, two) = (list(&first), list(&second));
            prop_assert_eq!(
                digest(one.as_bytes(), None).fingerprint,
                digest(two.as_bytes(), None).fingerprint,
                "{} / {}", one, two
            );
        }
    }

    #[test]
    fn normalising_twice_changes_nothing(statement in statement(), given in prop::collection::vec(value(), 6)) {
        let sql = written(&statement, |n| given[n].1.clone());
        let once = normalise(sql.as_bytes(), usize::MAX);
        prop_assert_eq!(normalise(once.as_bytes(), usize::MAX), once.clone());
        prop_assert_eq!(digest(once.as_bytes(), None).fingerprint, digest(sql.as_bytes(), None).fingerprint);
    }

    #[test]
    fn cut_anywhere_nothing_panics(sql in soup()) {
        for cut in 0..=sql.len() {
            let sql = &sql.as_bytes()[..cut];
            let text = normalise(sql, 60);
            prop_assert!(text.len() <= 60);
            pretty(&text);
            shape(sql);
            tags(sql);
            values(sql, None);
        }
    }
}
