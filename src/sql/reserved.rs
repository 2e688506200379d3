//! Words that cannot name a table or a column without quotes.
//!
//! PostgreSQL has many more key words, and takes all others for names wherever a name may stand: `transaction`,
//! `comment`, `index`, `view` … (appendix C of its manual).

use super::words::has;

/// The reserved words, and those that can name a function or type and nothing else; sorted.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

/// Key words that PostgreSQL takes for names, but not for an alias right behind a table: a clause begins with them;
/// sorted.
const CLAUSES: &[&str] = &["overriding", "set", "values"];

/// Whether a word, in lower case, is reserved.
pub(super) fn is_reserved(word: &[u8]) -> bool {
    has(RESERVED, word)
}

/// Whether a word, in lower case, begins a clause where an alias could stand.
pub(super) fn begins_clause(word: &[u8]) -> bool {
    has(CLAUSES, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_sorted() {
        for list in [RESERVED, CLAUSES] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn only_some_key_words_are_reserved() {
        for word in ["select", "user", "left", "current_schema", "end"] {
            assert!(is_reserved(word.as_bytes()), "{word}");
        }
        for word in ["transaction", "comment", "view", "index", "row", "schema", "values", "set", "type"] {
            assert!(!is_reserved(word.as_bytes()), "{word}");
        }
    }
}
