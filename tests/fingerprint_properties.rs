//! What must hold for every statement, and for every sequence of bytes.
//!
//! The fast digest against the reference, on soups of tokens that love to meet; then the promises of
//! docs/fingerprint.md: what never changes a fingerprint, and what the parameter hash covers.

use pglens::sql::{Params, digest, normalise, reference};
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
