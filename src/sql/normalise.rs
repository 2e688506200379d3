//! The text of a statement for people: keywords in upper case, names as written, `?` for each value.
//!
//! Built once per distinct fingerprint, from the canonical tokens. It never holds a literal: that is the promise
//! of every output that shows SQL. Normalising it again changes nothing.

use super::canonical::{Canonical, Item, ItemKind};
use super::keywords::{Sort, Spelled, keywords};

/// Writes the canonical tokens as text, cut at `max_len` bytes on a character border.
pub(super) fn text(canonical: &Canonical<'_>, max_len: usize) -> String {
    let mut out = String::new();
    let items = &canonical.items;
    let keywords = keywords(&items.iter().map(spelled).collect::<Vec<_>>());
    for (index, item) in items.iter().enumerate() {
        if index > 0 && spaced(items, &keywords, index) {
            out.push(' ');
        }
        match item.kind {
            ItemKind::Value => out.push('?'),
            ItemKind::Word if keywords[index] => {
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

/// The token as the search for keywords wants it.
fn spelled(item: &Item<'_>) -> Spelled {
    let (sort, text) = match item.kind {
        ItemKind::Word => (Sort::Word, item.text.to_ascii_lowercase()),
        ItemKind::Quoted => (Sort::Operand, item.text.to_vec()),
        ItemKind::Value => (Sort::Operand, b"?".to_vec()),
        ItemKind::Symbol => (Sort::Symbol, item.text.to_vec()),
    };
    Spelled { sort, text }
}

/// Does a space stand before this token?
fn spaced(items: &[Item<'_>], keywords: &[bool], index: usize) -> bool {
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
            ItemKind::Word => keywords[index - 1] || names_a_target(items, index - 1),
            // `?(` would read as a placeholder the first time, as an operator the second.
            ItemKind::Value | ItemKind::Symbol => true,
        },
        b"[" => match before.kind {
            ItemKind::Word => keywords[index - 1] && !before.text.eq_ignore_ascii_case(b"array"),
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
pub(super) mod tests {
    use crate::sql::normalise;

    /// A statement's normalised text, which is its own.
    pub(in crate::sql) fn check(sql: &str, expected: &str) {
        let once = normalise(sql.as_bytes(), usize::MAX);
        assert_eq!(once, expected, "{sql}");
        assert_eq!(normalise(once.as_bytes(), usize::MAX), once, "twice: {sql}");
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
