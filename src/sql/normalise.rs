//! The text of a statement for people: keywords in upper case, names as written, `?` for each value.
//!
//! Built once per distinct fingerprint, from the canonical tokens. It never holds a literal: that is the promise
//! of every output that shows SQL. Normalising it again changes nothing.

use super::canonical::{Canonical, Item, ItemKind};

/// Words that are shown in upper case wherever they are no part of a dotted name. Sorted.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "abort", "add", "all", "alter", "analyze", "and", "any", "array", "as", "asc", "begin", "between", "both",
    "by", "cascade", "case", "cast", "check", "checkpoint", "close", "cluster", "collate", "column",
    "comment", "commit", "concurrently", "conflict", "constraint", "copy", "create", "cross", "current",
    "cursor", "database", "deallocate", "declare", "default", "deferrable", "deferred", "delete", "desc",
    "discard", "distinct", "do", "drop", "else", "end", "escape", "except", "execute", "exists", "explain",
    "extension", "false", "fetch", "for", "foreign", "from", "full", "function", "grant", "group", "having",
    "if", "ilike", "in", "index", "initially", "inner", "insert", "intersect", "into", "is", "isnull", "join",
    "lateral", "leading", "left", "like", "limit", "listen", "lock", "matched", "materialized", "merge",
    "move", "natural", "not", "nothing", "notify", "notnull", "nowait", "null", "nulls", "of", "offset", "on",
    "only", "or", "order", "outer", "over", "partition", "placing", "prepare", "primary", "procedure",
    "recursive", "references", "refresh", "reindex", "release", "reset", "restrict", "returning", "revoke",
    "right", "rollback", "row", "savepoint", "schema", "scroll", "select", "sequence", "set", "show",
    "similar", "some", "symmetric", "table", "tablesample", "temp", "temporary", "then", "to", "trailing",
    "transaction", "trigger", "true", "truncate", "union", "unique", "unlisten", "unlogged", "update",
    "using", "vacuum", "values", "variadic", "view", "when", "where", "window", "with", "within",
];

/// Words shown in upper case only after one of these: `PRIMARY KEY`, but a column `key`.
const PAIRS: &[(&str, &str)] = &[
    ("primary", "key"),
    ("foreign", "key"),
    ("no", "key"),
    ("nulls", "first"),
    ("nulls", "last"),
    ("fetch", "first"),
    ("fetch", "next"),
    ("savepoint", "work"),
    ("for", "no"),
    ("for", "share"),
    ("key", "share"),
    ("isolation", "level"),
    ("transaction", "isolation"),
    ("level", "serializable"),
    ("level", "read"),
    ("level", "repeatable"),
    ("repeatable", "read"),
    ("read", "committed"),
    ("read", "uncommitted"),
    ("read", "only"),
    ("read", "write"),
    ("transaction", "read"),
    ("at", "time"),
    ("with", "time"),
    ("without", "time"),
    ("time", "zone"),
    ("set", "local"),
    ("set", "session"),
    ("set", "time"),
    ("local", "time"),
    ("session", "authorization"),
    ("set", "role"),
    ("create", "role"),
    ("fetch", "backward"),
    ("move", "backward"),
    ("fetch", "prior"),
    ("fetch", "last"),
    ("fetch", "absolute"),
    ("fetch", "relative"),
    ("commit", "prepared"),
    ("rollback", "prepared"),
    ("start", "transaction"),
    ("skip", "locked"),
    ("grouping", "sets"),
    ("unbounded", "preceding"),
    ("unbounded", "following"),
    ("exclude", "ties"),
    ("with", "ties"),
    ("with", "ordinality"),
    ("is", "unknown"),
    ("is", "json"),
    ("overriding", "system"),
    ("overriding", "user"),
    ("system", "value"),
    ("user", "value"),
    ("do", "instead"),
    ("for", "each"),
    ("each", "statement"),
    ("explain", "verbose"),
    ("analyze", "verbose"),
    ("vacuum", "verbose"),
    ("from", "stdin"),
    ("to", "stdout"),
];

/// Is this folded word shown in upper case?
pub(super) fn is_keyword(word: &[u8]) -> bool {
    KEYWORDS.binary_search_by(|probe| probe.as_bytes().cmp(word)).is_ok()
}

/// Writes the canonical tokens as text, cut at `max_len` bytes on a character border.
pub(super) fn text(canonical: &Canonical<'_>, max_len: usize) -> String {
    let mut out = String::new();
    let items = &canonical.items;
    for (index, item) in items.iter().enumerate() {
        if index > 0 && spaced(items, index) {
            out.push(' ');
        }
        match item.kind {
            ItemKind::Value => out.push('?'),
            ItemKind::Word if shown_as_keyword(items, index) => {
                out.extend(item.text.iter().map(|b| char::from(b.to_ascii_uppercase())));
            }
            ItemKind::Word | ItemKind::Quoted | ItemKind::Symbol => push_clean(&mut out, item.text),
        }
        if out.len() > max_len {
            let mut cut = max_len.saturating_sub('…'.len_utf8());
            while !out.is_char_boundary(cut) {
                cut -= 1;
            }
            out.truncate(cut);
            if max_len >= '…'.len_utf8() {
                out.push('…');
            }
            break;
        }
    }
    out
}

/// Bytes of a name or symbol, with what is no text replaced.
fn push_clean(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

fn shown_as_keyword(items: &[Item<'_>], index: usize) -> bool {
    let symbol = |at: usize, text: &[u8]| {
        items.get(at).is_some_and(|item| item.kind == ItemKind::Symbol && item.text == text)
    };
    if index > 0 && symbol(index - 1, b".") || symbol(index + 1, b".") {
        return false;
    }
    let word = items[index].text.to_ascii_lowercase();
    if is_keyword(&word) {
        return true;
    }
    let folded = |at: Option<usize>| match at.and_then(|at| items.get(at)) {
        Some(item) if item.kind == ItemKind::Value => b"?".to_vec(),
        Some(item) => item.text.to_ascii_lowercase(),
        None => Vec::new(),
    };
    let before = folded(index.checked_sub(1));
    let after = [1, 2, 3].map(|ahead| folded(Some(index + ahead)));
    is_keyword_between(&before, &word, [&after[0], &after[1], &after[2]])
}

/// Is this folded word a keyword because of the tokens around it, of which values are `?`? Most of these words are
/// usual names of columns.
pub(super) fn is_keyword_between(before: &[u8], word: &[u8], after: [&[u8]; 3]) -> bool {
    if PAIRS.iter().any(|(first, second)| first.as_bytes() == before && second.as_bytes() == word) {
        return true;
    }
    let bound = |end: &[u8]| matches!(end, b"preceding" | b"following");
    // `UNBOUNDED PRECEDING`, `CURRENT ROW`, `? FOLLOWING`
    let frame = |first: &[u8], second: &[u8]| match first {
        b"unbounded" | b"?" => bound(second),
        b"current" => second == b"row",
        _ => false,
    };
    match word {
        b"rows" | b"range" | b"groups" if after[0] == b"between" => frame(after[1], after[2]),
        b"rows" | b"range" | b"groups" if frame(after[0], after[1]) => true,
        b"rows" => before == b"?" && matches!(after[0], b"only" | b"with" | b"fetch"),
        b"preceding" | b"following" => before == b"?" && matches!(after[0], b"and" | b")" | b"exclude"),
        b"unbounded" => bound(after[0]),
        b"exclude" => matches!(after[..2], [b"current", b"row"] | [b"no", b"others"]) || after[0] == b"ties",
        b"filter" => matches!(after[..2], [b"(", b"where"]),
        b"grouping" => after[0] == b"sets",
        b"overriding" => matches!(after[0], b"system" | b"user") && after[1] == b"value",
        b"skip" => after[0] == b"locked",
        b"at" => matches!(after[..2], [b"time", b"zone"]),
        _ => false,
    }
}

/// Does a space stand before this token?
fn spaced(items: &[Item<'_>], index: usize) -> bool {
    let (before, item) = (&items[index - 1], &items[index]);
    let tight_before: &[&[u8]] = &[b",", b")", b"]", b";", b".", b"::"];
    let tight_after: &[&[u8]] = &[b"(", b"[", b".", b"::"];
    if item.kind == ItemKind::Symbol && tight_before.contains(&item.text) {
        // `. 5` would be a number, and `:: ::` is not `::::`.
        return before.kind == ItemKind::Symbol && matches!(before.text, b":" | b"." | b"::" | b"..");
    }
    if before.kind == ItemKind::Symbol && tight_after.contains(&before.text) {
        return item.kind == ItemKind::Symbol && matches!(item.text, b":" | b":=" | b"..");
    }
    if item.kind != ItemKind::Symbol {
        return true;
    }
    match item.text {
        b"(" => match before.kind {
            ItemKind::Quoted => names_a_target(items, index - 1),
            ItemKind::Word => shown_as_keyword(items, index - 1) || names_a_target(items, index - 1),
            // `?(` would read as a placeholder the first time, as an operator the second.
            ItemKind::Value | ItemKind::Symbol => true,
        },
        b"[" => match before.kind {
            ItemKind::Word => {
                shown_as_keyword(items, index - 1) && !before.text.eq_ignore_ascii_case(b"array")
            }
            ItemKind::Quoted | ItemKind::Value => false,
            ItemKind::Symbol => !matches!(before.text, b")" | b"]"),
        },
        _ => true,
    }
}

/// Does the name that ends at `index` follow INTO, TABLE or ON? Then a column list follows it, no arguments.
fn names_a_target(items: &[Item<'_>], mut index: usize) -> bool {
    while index >= 2 && items[index - 1].text == b"." && items[index - 1].kind == ItemKind::Symbol {
        index -= 2;
    }
    let Some(before) = index.checked_sub(1).map(|at| &items[at]) else { return false };
    before.kind == ItemKind::Word
        && ["into", "table", "on", "as", "exists", "references", "copy", "with", "recursive"]
            .iter()
            .any(|word| before.text.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::normalise;

    fn check(sql: &str, expected: &str) {
        let once = normalise(sql.as_bytes(), usize::MAX);
        assert_eq!(once, expected, "{sql}");
        assert_eq!(normalise(once.as_bytes(), usize::MAX), once, "twice: {sql}");
    }

    #[test]
    fn keywords_are_sorted_for_the_search() {
        assert!(KEYWORDS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn reads_like_sql() {
        check(
            "select a.b, count ( * ) from t1 a where a.id=42 ;",
            "SELECT a.b, count(*) FROM t1 a WHERE a.id = ?",
        );
        check(
            "insert into Users(Name,age) values('x',1),('y',2)",
            "INSERT INTO Users (Name, age) VALUES (?, ?)",
        );
        check(
            "select * from t where a in(1,2) and b[1]=ARRAY[3,4]",
            "SELECT * FROM t WHERE a IN (?) AND b[?] = ARRAY[?]",
        );
        check("select x::text, '1'::int, -y, -1", "SELECT x::text, ?, - y, ?");
        check("select data ? 'k', data ?| array['a']", "SELECT data ? ?, data ?| ARRAY[?]");
        check(
            "create table t (id int primary key, key text)",
            "CREATE TABLE t (id int PRIMARY KEY, key text)",
        );
        check("BEGIN; select 1;;", "BEGIN; SELECT ?");
        check(
            "select sum(a) filter (where b) over (order by c rows between 1 preceding and unbounded following exclude ties)",
            "SELECT sum(a) FILTER (WHERE b) OVER (ORDER BY c ROWS BETWEEN ? PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES)",
        );
        check(
            "select a at time zone 'UTC' from t for update skip locked",
            "SELECT a AT TIME ZONE ? FROM t FOR UPDATE SKIP LOCKED",
        );
        check("select a from t for update of t skip locked", "SELECT a FROM t FOR UPDATE OF t SKIP LOCKED");
        check(
            "select a from t group by grouping sets ((a), ()) offset 1 rows fetch next 2 rows only",
            "SELECT a FROM t GROUP BY GROUPING SETS ((a), ()) OFFSET ? ROWS FETCH NEXT ? ROWS ONLY",
        );
        check("copy t from stdin (format csv)", "COPY t FROM STDIN (format csv)");
    }

    #[test]
    fn the_same_words_are_names() {
        check(
            "select rows, skip, at, filter(a), preceding from following where rows between 1 and 2 and range between a and b",
            "SELECT rows, skip, at, filter(a), preceding FROM following WHERE rows BETWEEN ? AND ? AND range BETWEEN a AND b",
        );
        check(
            "with data as (select 1 rows) select * from data",
            "WITH data AS (SELECT ? rows) SELECT * FROM data",
        );
        check("", "");
    }

    #[test]
    fn no_literal_survives() {
        check("copy t from '/secret' delimiter ',' null ''", "COPY t FROM ? delimiter ? NULL ?");
        check("create role x password 'secret'", "CREATE ROLE x password ?");
        check("do $$ secret $$", "DO ?");
        check("set a to secret", "SET a = ?");
        check("savepoint secret", "SAVEPOINT ?");
        check("fetch 10 in secret", "FETCH ? FROM ?");
        check("fetch next from secret", "FETCH NEXT FROM ?");
        check("declare secret cursor for select 'secret", "DECLARE ? CURSOR FOR SELECT ?");
        check("set local time zone -8", "SET LOCAL TIME ZONE ?");
        check("execute secret(1, 'secret')", "EXECUTE ? (?, ?)");
        check("select 1 /* secret */ -- secret", "SELECT ?");
    }

    #[test]
    fn cut_on_a_character() {
        let sql = "select ééééééééé";
        for len in 0..30 {
            let text = normalise(sql.as_bytes(), len);
            assert!(text.len() <= len, "{text}");
        }
        // Seven bytes, and the three of the ellipsis.
        assert_eq!(normalise(b"select abcdef", 10), "SELECT \u{2026}");
    }
}
