//! What single words mean to the lexers: which are keywords, and what may follow them.
//!
//! A table of facts about PostgreSQL's grammar, shared by the fast digest and the reference. It knows no text
//! and no statement: it only answers about one folded word at a time.

/// What a word does to the token after it.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// A name, or a keyword that ends an operand: a `-` after it subtracts.
    Operand,
    /// A keyword that an operand follows: a `-` after it is a sign, a NULL after it is a value.
    Prefix,
    /// IS: truth values after it belong to the test.
    Is,
    /// NOT: `NOT NULL` is a constraint, `NOT TRUE` holds a value.
    Not,
    /// ON and SET: operands follow, but `ON NULL INPUT` and `SET NULL` are no values.
    Action,
    /// IN: a list may follow.
    In,
    /// VALUES: rows may follow.
    Values,
    /// ARRAY: an element list may follow in brackets.
    Array,
    /// ROW: a row may follow.
    Row,
    /// CAST: a cast may follow in parentheses.
    Cast,
    /// AS: in a cast, the type follows.
    As,
    /// NULL.
    Null,
    /// TRUE.
    True,
    /// FALSE.
    False,
    /// DEFAULT: an operand follows, and in a row it stands for one.
    Default,
    /// OPTIONS: `(name 'value')` follows, which is no typed literal.
    Options,
    /// The first word of a built-in type that may have several words or a modifier before its literal.
    TypeHead,
    /// A word that starts a statement whose operands are names, or that names a prepared statement or cursor.
    Naming,
}

/// The words with a role other than `Operand`, in lower case. None is longer than eight bytes except where
/// `LONG_ROLES` has it, so that one machine word holds each.
pub(super) const ROLES: &[(&str, Role)] = &[
    ("select", Role::Prefix),
    ("distinct", Role::Prefix),
    ("all", Role::Prefix),
    ("any", Role::Prefix),
    ("some", Role::Prefix),
    ("where", Role::Prefix),
    ("and", Role::Prefix),
    ("or", Role::Prefix),
    ("using", Role::Prefix),
    ("having", Role::Prefix),
    ("by", Role::Prefix),
    ("when", Role::Prefix),
    ("then", Role::Prefix),
    ("else", Role::Prefix),
    ("case", Role::Prefix),
    ("like", Role::Prefix),
    ("ilike", Role::Prefix),
    ("to", Role::Prefix),
    ("between", Role::Prefix),
    ("limit", Role::Prefix),
    ("offset", Role::Prefix),
    ("from", Role::Prefix),
    ("for", Role::Prefix),
    ("check", Role::Prefix),
    ("with", Role::Prefix),
    ("union", Role::Prefix),
    ("except", Role::Prefix),
    ("escape", Role::Prefix),
    ("return", Role::Prefix),
    ("call", Role::Prefix),
    ("do", Role::Prefix),
    ("into", Role::Prefix),
    ("variadic", Role::Prefix),
    ("both", Role::Prefix),
    ("leading", Role::Prefix),
    ("trailing", Role::Prefix),
    ("minvalue", Role::Prefix),
    ("maxvalue", Role::Prefix),
    ("restart", Role::Prefix),
    ("is", Role::Is),
    ("not", Role::Not),
    ("on", Role::Action),
    ("set", Role::Action),
    ("in", Role::In),
    ("values", Role::Values),
    ("array", Role::Array),
    ("row", Role::Row),
    ("cast", Role::Cast),
    ("as", Role::As),
    ("null", Role::Null),
    ("true", Role::True),
    ("false", Role::False),
    ("default", Role::Default),
    ("options", Role::Options),
    ("time", Role::TypeHead),
    ("interval", Role::TypeHead),
    ("double", Role::TypeHead),
    ("national", Role::TypeHead),
    ("char", Role::TypeHead),
    ("nchar", Role::TypeHead),
    ("varchar", Role::TypeHead),
    ("bit", Role::TypeHead),
    ("numeric", Role::TypeHead),
    ("decimal", Role::TypeHead),
    ("dec", Role::TypeHead),
    ("float", Role::TypeHead),
    ("execute", Role::Naming),
    ("declare", Role::Naming),
    ("prepare", Role::Naming),
];

/// The longer words with a role, up to sixteen bytes.
pub(super) const LONG_ROLES: &[(&str, Role)] = &[
    ("returning", Role::Prefix),
    ("intersect", Role::Prefix),
    ("symmetric", Role::Prefix),
    ("asymmetric", Role::Prefix),
    ("increment", Role::Prefix),
    ("timestamp", Role::TypeHead),
    ("character", Role::TypeHead),
];

/// The role of a word that is already in lower case.
pub(super) fn role(word: &[u8]) -> Role {
    let list = if word.len() <= 8 { ROLES } else { LONG_ROLES };
    list.iter().find(|(name, _)| name.as_bytes() == word).map_or(Role::Operand, |(_, role)| *role)
}

/// First words of statements whose operands are names that vary like values (savepoints, cursors, channels,
/// prepared statements), and of SET.
pub(super) const NAMING_STATEMENTS: &[&str] = &[
    "savepoint",
    "release",
    "rollback",
    "fetch",
    "move",
    "close",
    "declare",
    "prepare",
    "execute",
    "deallocate",
    "listen",
    "unlisten",
    "notify",
    "set",
    "explain",
];

/// Keywords that are no type: a string after one of them is a plain value and the keyword stays.
/// Sorted, for the binary search in [`names_a_type`].
#[rustfmt::skip]
const NO_TYPES: &[&str] = &[
    "abort", "absent", "absolute", "access", "action", "add", "admin", "after", "aggregate", "all", "also",
    "alter", "always", "analyse", "analyze", "and", "any", "array", "as", "asc", "asensitive", "assertion",
    "assignment", "asymmetric", "at", "atomic", "attach", "attribute", "authorization", "backward", "before",
    "begin", "between", "binary", "both", "breadth", "by", "cache", "call", "called", "cascade", "cascaded",
    "case", "cast", "catalog", "chain", "characteristics", "check", "checkpoint", "class", "close", "cluster",
    "coalesce", "collate", "collation", "column", "columns", "comment", "comments", "commit", "committed",
    "compression", "concurrently", "conditional", "configuration", "conflict", "connection", "constraint",
    "constraints", "content", "continue", "conversion", "copy", "cost", "create", "cross", "csv", "cube",
    "current", "current_catalog", "current_date", "current_role", "current_schema", "current_time",
    "current_timestamp", "current_user", "cursor", "cycle", "data", "database", "day", "deallocate",
    "declare", "default", "defaults", "deferrable", "deferred", "definer", "delete", "delimiter",
    "delimiters", "depends", "depth", "desc", "detach", "dictionary", "disable", "discard", "distinct", "do",
    "document", "domain", "drop", "each", "else", "empty", "enable", "encoding", "encrypted", "end", "error",
    "escape", "event", "except", "exclude", "excluding", "exclusive", "execute", "exists", "explain",
    "expression", "extension", "external", "extract", "false", "family", "fetch", "filter", "finalize",
    "first", "following", "for", "force", "foreign", "format", "forward", "freeze", "from", "full",
    "function", "functions", "generated", "global", "grant", "granted", "greatest", "group", "grouping",
    "groups", "handler", "having", "header", "hold", "hour", "identity", "if", "ilike", "immediate",
    "immutable", "implicit", "import", "in", "include", "including", "increment", "indent", "index",
    "indexes", "inherit", "inherits", "initially", "inline", "inner", "inout", "input", "insensitive",
    "insert", "instead", "intersect", "into", "invoker", "is", "isnull", "isolation", "join", "keep", "key",
    "keys", "label", "language", "large", "last", "lateral", "leading", "leakproof", "least", "left", "level",
    "like", "limit", "listen", "load", "local", "localtime", "localtimestamp", "location", "lock", "locked",
    "logged", "mapping", "match", "matched", "materialized", "maxvalue", "merge", "method", "minute",
    "minvalue", "mode", "month", "move", "names", "natural", "nested", "new", "next", "nfc", "nfd", "nfkc",
    "nfkd", "no", "none", "normalize", "normalized", "not", "nothing", "notify", "notnull", "nowait", "null",
    "nullif", "nulls", "object", "of", "off", "offset", "oids", "old", "omit", "on", "only", "operator",
    "option", "options", "or", "order", "ordinality", "others", "out", "outer", "over", "overlaps", "overlay",
    "overriding", "owned", "owner", "parallel", "parameter", "parser", "partial", "partition", "passing",
    "password", "placing", "plan", "plans", "policy", "position", "preceding", "prepare", "prepared",
    "preserve", "primary", "prior", "privileges", "procedural", "procedure", "procedures", "program",
    "publication", "quote", "quotes", "range", "read", "reassign", "recheck", "recursive", "ref",
    "references", "referencing", "refresh", "reindex", "relative", "release", "rename", "repeatable",
    "replace", "replica", "reset", "restart", "restrict", "return", "returning", "returns", "revoke", "right",
    "role", "rollback", "rollup", "routine", "routines", "row", "rows", "rule", "savepoint", "scalar",
    "schema", "schemas", "scroll", "search", "second", "security", "select", "sequence", "sequences",
    "serializable", "server", "session", "session_user", "set", "setof", "sets", "share", "show", "similar",
    "simple", "skip", "snapshot", "some", "source", "sql", "stable", "standalone", "start", "statement",
    "statistics", "stdin", "stdout", "storage", "stored", "strict", "string", "strip", "subscription",
    "substring", "support", "symmetric", "sysid", "system", "system_user", "table", "tables", "tablesample",
    "tablespace", "target", "temp", "template", "temporary", "then", "ties", "to", "trailing", "transaction",
    "transform", "treat", "trigger", "trim", "true", "truncate", "trusted", "type", "types", "uescape",
    "unbounded", "uncommitted", "unconditional", "unencrypted", "union", "unique", "unknown", "unlisten",
    "unlogged", "until", "update", "user", "using", "vacuum", "valid", "validate", "validator", "value",
    "values", "variadic", "verbose", "version", "view", "views", "volatile", "when", "where", "whitespace",
    "window", "with", "within", "without", "work", "wrapper", "write", "year", "yes", "zone",
];

/// Could this folded, unquoted word stand before a string as its type, as in `date '2026-11-23'`?
pub(super) fn names_a_type(word: &[u8]) -> bool {
    !has(NO_TYPES, word)
}

/// Is this folded, unquoted word the type of the string after it? `operand` says whether an operand is expected where
/// the word stands: `path '…'` is a type there, and PATH a keyword behind the type of a column, as JSON_TABLE and
/// XMLTABLE have it.
pub(super) fn is_type(word: &[u8], operand: impl FnOnce() -> bool) -> bool {
    names_a_type(word) && (word != b"path" || operand())
}

/// Is a folded word in a sorted list?
pub(super) fn has(list: &[&str], word: &[u8]) -> bool {
    list.binary_search_by(|probe| probe.as_bytes().cmp(word)).is_ok()
}

/// Words with which no operand begins: they go on after one, or begin the next clause. Sorted.
#[rustfmt::skip]
const NO_OPERANDS: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "as", "asc", "asymmetric", "at", "authorization", "between",
    "binary", "both", "check", "collate", "collation", "column", "concurrently", "constraint", "create", "cross",
    "default", "deferrable", "desc", "distinct", "do", "else", "end", "escape", "except", "fetch", "following",
    "for", "foreign", "freeze", "from", "full", "grant", "group", "having", "ilike", "in", "initially", "inner",
    "intersect", "into", "is", "isnull", "join", "lateral", "leading", "left", "like", "limit", "natural",
    "notnull", "nulls", "offset", "on", "only", "operator", "or", "order", "outer", "overlaps", "placing",
    "preceding", "primary", "references", "returning", "right", "row", "rows", "select", "set", "similar", "some",
    "symmetric", "table", "tablesample", "then", "to", "trailing", "union", "unique", "using", "values",
    "variadic", "verbose", "when", "where", "window", "with",
];

/// May an operand begin with this folded, unquoted word? `called` says that a parenthesis follows it: `left(…)` and
/// `any (…)` do, LEFT JOIN does not.
pub(super) fn begins_operand(word: &[u8], called: bool) -> bool {
    !has(NO_OPERANDS, word)
        || called && matches!(word, b"all" | b"any" | b"left" | b"right" | b"row" | b"some")
}

/// May an operator of these bytes stand before its only operand? All but those of arithmetic and comparison.
pub(super) fn may_be_prefix(operator: &[u8]) -> bool {
    !matches!(
        operator,
        b"*" | b"/" | b"%" | b"^" | b"<" | b">" | b"=" | b"<=" | b">=" | b"<>" | b"!=" | b"=>"
    )
}

/// The fields that may follow an interval, as in `interval '1' year to month`.
pub(super) fn is_interval_field(word: &[u8]) -> bool {
    ["year", "month", "day", "hour", "minute", "second"]
        .iter()
        .any(|field| word.eq_ignore_ascii_case(field.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_for_the_search() {
        assert!(NO_TYPES.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(NO_OPERANDS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn roles_fit_their_tables() {
        assert!(ROLES.iter().all(|(word, _)| word.len() <= 8));
        assert!(LONG_ROLES.iter().all(|(word, _)| (9..=16).contains(&word.len())));
    }

    #[test]
    fn types_are_told_from_keywords() {
        for word in ["date", "int4", "text", "name", "json", "timestamp", "my_enum"] {
            assert!(names_a_type(word.as_bytes()), "{word}");
        }
        for word in ["zone", "like", "password", "escape", "select"] {
            assert!(!names_a_type(word.as_bytes()), "{word}");
        }
    }
}
