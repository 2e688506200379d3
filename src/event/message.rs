//! Normalised messages: what two errors share when only their values differ.
//!
//! A message may hold values (`invalid input syntax for type integer: "4711"`) and names (`relation "users" does not
//! exist`). Names tell what is broken and stay; everything else in quotes, and every number, becomes `?`, so that
//! no literal of a statement leaves the log through a message.
//!
//! The server writes quotes around a value and changes nothing in it: a value may hold quotes, parentheses and lines
//! of its own. So a value goes on to the last quote that could end it, not to the next one.

use crate::record::Record;

/// Words before a quoted part that make it a name of the schema; also some of other languages (`lc_messages`).
const NAMED: &[&[u8]] = &[
    b"aggregate",
    b"cast",
    b"collation",
    b"colonne",
    b"column",
    b"constraint",
    b"conversion",
    b"cursor",
    b"database",
    b"datenbank",
    b"domain",
    b"encoding",
    b"extension",
    b"function",
    b"group",
    b"index",
    b"language",
    b"matview",
    b"parameter",
    b"policy",
    b"portal",
    b"procedure",
    b"publication",
    b"range",
    b"relation",
    b"role",
    b"rolle",
    b"rule",
    b"schema",
    b"sequence",
    b"server",
    b"slot",
    b"spalte",
    b"subscription",
    b"tabelle",
    b"table",
    b"tablespace",
    b"trigger",
    b"type",
    b"user",
    b"view",
];

/// Beginnings of messages that have several quoted parts and no values of statements: each ends at its next quote.
const PLAIN: &[&[u8]] = &[
    b"no pg_hba.conf entry for ",
    b"pg_hba.conf rejects ",
    b"could not connect to ",
    b"connection to server ",
];

/// Signs that begin a quoted part, and those that may end it, in English and in the languages of `lc_messages`.
const QUOTES: &[(&str, &[&str])] = &[
    ("\"", &["\""]),
    ("'", &["'"]),
    ("`", &["`", "'"]),
    ("«", &["»"]),
    ("»", &["«"]),
    ("‹", &["›"]),
    ("›", &["‹"]),
    ("„", &["“", "”"]),
    ("“", &["”", "“"]),
    ("‚", &["‘", "’"]),
    ("‘", &["’"]),
    ("「", &["」"]),
    ("『", &["』"]),
];

/// What may follow the values of a key.
const AFTER_KEY: &[&[u8]] = &[
    b") already exists",
    b") conflicts with existing key (",
    b") conflicts with key (",
    b") is duplicated",
    b") is not present in table \"",
    b") is still referenced from table \"",
];

/// The message of a record with its values as `?`; lossy UTF-8, at most `most` bytes.
#[must_use]
pub fn of(record: &Record<'_>, most: usize) -> String {
    if is_raised(record) { raised(record.message, most) } else { normalise(record.message, most) }
}

/// Whether the message is a function's own (`RAISE`), not the server's.
#[must_use]
pub fn is_raised(record: &Record<'_>) -> bool {
    let line = record.context.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let own = if line.starts_with(b"PL/pgSQL ") {
        line.ends_with(b" at RAISE") || line.ends_with(b" at ASSERT")
    } else {
        // The exceptions of other languages say what they like.
        line.starts_with(b"PL/") || line.starts_with(b"Traceback ")
    };
    own || record.sqlstate == *b"P0001"
}

/// A message in an application's own words: nothing says which of them are values. Words of letters stay, so that one
/// message can be told from another; what has digits or signs in it goes, and so does all that is quoted.
fn raised(message: &[u8], most: usize) -> String {
    let masked = mask(message, most, &|_| false);
    let is_word = |c: char| c.is_alphabetic() || ".,:;!?-_()'\u{2019}".contains(c);
    let words = masked.split_whitespace().map(|word| if word.chars().all(is_word) { word } else { "?" });
    words.collect::<Vec<_>>().join(" ")
}

/// A text of the server with its values as `?`; lossy UTF-8, at most `most` bytes.
#[must_use]
pub fn normalise(message: &[u8], most: usize) -> String {
    mask(message, most, &is_named)
}

fn mask(message: &[u8], most: usize, named: &impl Fn(&[u8]) -> bool) -> String {
    let plain = PLAIN.iter().any(|start| message.starts_with(start));
    let mut out = Vec::with_capacity(message.len().min(most));
    let mut place = 0;
    while let Some(byte) = message.get(place).copied().filter(|_| out.len() < most) {
        let (before, rest) = message.split_at(place);
        if let Some((open, closers)) = quote(before, rest) {
            let inside = &rest[open..];
            let name = named(before);
            let end = if name || plain { next(inside, closers) } else { last(inside, closers) };
            let end = place + open + end.unwrap_or(inside.len());
            if name {
                out.extend_from_slice(&message[place..end])
            } else {
                out.push(b'?')
            }
            place = end;
            continue;
        }
        match byte {
            b'(' if is_key(before) => {
                // `Key (email)=(john@example.com) already exists`: the second group holds values.
                out.extend_from_slice(b"(?)");
                place += values(rest);
            }
            b'$' => {
                let length = dollar_quoted(before, rest);
                out.push(if length.is_some() { b'?' } else { byte });
                place += length.unwrap_or(1);
            }
            b'0'..=b'9' => place += number(before, rest, &mut out),
            b'\n' | b'\t' | b'\r' => {
                out.push(b' ');
                place += 1;
            }
            _ => {
                out.push(byte);
                place += 1;
            }
        }
    }
    out.truncate(most);
    String::from_utf8_lossy(&out).into_owned()
}

/// The quote at the beginning of `rest`, if there is one: its length, and what may end what it begins.
fn quote(before: &[u8], rest: &[u8]) -> Option<(usize, &'static [&'static str])> {
    let byte = *rest.first()?;
    if byte == b'\'' && before.last().is_some_and(u8::is_ascii_alphanumeric) {
        // An apostrophe inside a word is none; `E'…'` is no word.
        let prefix = match before {
            [rest @ .., b'E' | b'N' | b'B' | b'X'] => rest,
            _ => return None,
        };
        let alone = !prefix.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        return (alone && rest[1..].contains(&b'\'')).then_some((1, &["'"]));
    }
    match byte {
        b'"' | b'\'' | b'`' | 0xC2 | 0xE2 | 0xE3 => QUOTES
            .iter()
            .find(|(open, _)| rest.starts_with(open.as_bytes()))
            // A typographic apostrophe looks like a quote's end, never like its beginning.
            .map(|(open, closers)| (open.len(), *closers)),
        // « and » of Latin-1: after a letter of ASCII, no byte of UTF-8 begins like this.
        0xAB | 0xBB if before.last().is_none_or(u8::is_ascii) => Some((1, &[])),
        _ => None,
    }
}

/// Where the first of these signs ends. None of them: the quotes of Latin-1.
fn next(text: &[u8], closers: &[&str]) -> Option<usize> {
    if closers.is_empty() {
        return memchr::memchr2(0xAB, 0xBB, text).map(|at| at + 1);
    }
    let ends = closers
        .iter()
        .filter_map(|sign| memchr::memmem::find(text, sign.as_bytes()).map(|at| at + sign.len()));
    ends.min()
}

/// Where the last of these signs ends.
fn last(text: &[u8], closers: &[&str]) -> Option<usize> {
    if closers.is_empty() {
        return memchr::memrchr2(0xAB, 0xBB, text).map(|at| at + 1);
    }
    let ends = closers
        .iter()
        .filter_map(|sign| memchr::memmem::rfind(text, sign.as_bytes()).map(|at| at + sign.len()));
    ends.max()
}

fn is_named(before: &[u8]) -> bool {
    // French sets a blank between the quotes and what is in them, and before them, as everybody does.
    let before = before.trim_ascii_end();
    let start = before.iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    let word = &before[start..];
    // `invalid value for parameter "x": "y"` has the value after a colon, which is no word.
    NAMED.iter().any(|name| word.eq_ignore_ascii_case(name))
}

fn is_key(before: &[u8]) -> bool {
    before.ends_with(b")=") || before.ends_with(b") = ") || before.ends_with(b"Failing row contains ")
}

/// Bytes of the group of values that `text` begins with. They are not escaped: the group ends before the last words
/// that may follow it, else at the last parenthesis.
fn values(text: &[u8]) -> usize {
    let tail = AFTER_KEY.iter().filter_map(|tail| memchr::memmem::rfind(text, tail)).max();
    tail.or_else(|| memchr::memrchr(b')', text)).map_or(text.len(), |at| at + 1)
}

/// Bytes of `$$…$$` or `$tag$…$tag$`, if `rest` begins with such a string; the last tag ends it.
fn dollar_quoted(before: &[u8], rest: &[u8]) -> Option<usize> {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    if before.last().is_some_and(in_name) || rest.get(1).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let tag = rest[1..].iter().take_while(|byte| in_name(byte)).count() + 2;
    let tag = rest.get(..tag).filter(|tag| tag.ends_with(b"$"))?;
    let inside = &rest[tag.len()..];
    Some(tag.len() + memchr::memmem::rfind(inside, tag).map_or(inside.len(), |at| at + tag.len()))
}

/// Writes the number that `rest` begins with, as `?` unless it belongs to a word; returns its bytes.
fn number(before: &[u8], rest: &[u8], out: &mut Vec<u8>) -> usize {
    let word = before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let end = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.').count();
    if word {
        out.extend_from_slice(&rest[..end]);
    } else {
        out.push(b'?');
        // `1.` at the end of a sentence keeps its full stop.
        if rest[..end].ends_with(b".") {
            out.push(b'.');
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::{is_raised, normalise, of};
    use crate::record::Record;
    use proptest::prelude::*;

    #[test]
    fn names_stay_values_go() {
        let cases = [
            (r#"relation "users" does not exist"#, r#"relation "users" does not exist"#),
            (
                r#"invalid input syntax for type integer: "47a""#,
                r#"invalid input syntax for type integer: ?"#,
            ),
            (
                r#"duplicate key value violates unique constraint "users_pkey""#,
                r#"duplicate key value violates unique constraint "users_pkey""#,
            ),
            (r#"syntax error at or near "secret""#, "syntax error at or near ?"),
            (r#"syntax error at or near "FROM" at character 17"#, "syntax error at or near ? at character ?"),
            ("Key (email)=(john@example.com) already exists.", "Key (email)=(?) already exists."),
            (
                "Key (a, b)=(1, (2)) is not present in table \"t1\".",
                "Key (a, b)=(?) is not present in table \"t1\".",
            ),
            ("Failing row contains (1, secret, null).", "Failing row contains (?)."),
            ("value too long for type character varying(10)", "value too long for type character varying(?)"),
            ("could not open file 'base/5/16384'", "could not open file ?"),
            ("can't do that 12 times", "can't do that ? times"),
            ("integer out of range: 12.", "integer out of range: ?."),
        ];
        for (message, expected) in cases {
            assert_eq!(normalise(message.as_bytes(), 1000), expected);
        }
    }

    /// Values that hold quotes, as PostgreSQL 15 wrote them: it escapes nothing.
    #[test]
    fn a_value_ends_at_the_last_quote() {
        let cases = [
            (
                r#"invalid input syntax for type integer: "my"HUNTER""#,
                "invalid input syntax for type integer: ?",
            ),
            (r#"malformed array literal: "{"HUNTER"""#, "malformed array literal: ?"),
            (
                r#"invalid value for parameter "statement_timeout": "HUNTER"z""#,
                r#"invalid value for parameter "statement_timeout": ?"#,
            ),
            (
                "invalid input syntax for type integer: \"of two\nlines \"HUNTER\" \"",
                "invalid input syntax for type integer: ?",
            ),
            ("unterminated quoted string at or near \"'HUNTER\"", "unterminated quoted string at or near ?"),
            (r#"relation "hunter"q" does not exist"#, r#"relation "hunter"q?"#),
            ("syntax error near E'HUNTER', N'HUNTER' or U&'HUNTER'", "syntax error near E?"),
            ("could not run $x$it's HUNTER$x$ of $1", "could not run ? of $?"),
            (
                r#"null value in column "pw" of relation "acc" violates not-null constraint"#,
                r#"null value in column "pw" of relation "acc" violates not-null constraint"#,
            ),
            (
                r#"no pg_hba.conf entry for host "10.0.0.7", user "u", database "d", no encryption"#,
                r#"no pg_hba.conf entry for host ?, user "u", database "d", no encryption"#,
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(normalise(message.as_bytes(), 1000), expected);
        }
    }

    /// As the catalogues of PostgreSQL 15 translate `invalid input syntax for type %s: "%s"` and others.
    #[test]
    fn values_in_the_quotes_of_other_languages() {
        let cases = [
            (
                "ungültige Eingabesyntax für Typ integer: »a«HUNTER«",
                "ungültige Eingabesyntax für Typ integer: ?",
            ),
            ("Relation »users« existiert nicht", "Relation »users« existiert nicht"),
            ("ungültiger Wert für Typ x: „HUNTER“", "ungültiger Wert für Typ x: ?"),
            (
                "syntaxe en entrée invalide pour le type integer : « HUNTER »",
                "syntaxe en entrée invalide pour le type integer : ?",
            ),
            ("la relation « users » n'existe pas", "la relation « users » n'existe pas"),
            (
                "la sintaxis de entrada no es válida para tipo integer: «HUNTER»",
                "la sintaxis de entrada no es válida para tipo integer: ?",
            ),
            ("неверный синтаксис для типа integer: \"HUNTER\"", "неверный синтаксис для типа integer: ?"),
            ("型の入力構文: 「HUNTER」", "型の入力構文: ?"),
        ];
        for (message, expected) in cases {
            assert_eq!(normalise(message.as_bytes(), 1000), expected);
        }
        assert_eq!(normalise(b"integer : \xab HUNTER \xbb", 1000), "integer : ?");
    }

    #[test]
    fn what_a_function_raised_keeps_its_words() {
        let context: &[u8] = b"PL/pgSQL function pay(integer) line 3 at RAISE\nSQL statement \"select 1\"";
        let raise =
            |message: &'static str| Record { message: message.as_bytes(), context, ..Record::default() };
        let cases = [
            ("secret is HUNTER025", "secret is ?"),
            ("user \"HUNTER\" is no friend of table \"HUNTER\"", "user ?"),
            ("order 4711 of a@b.example can't be paid: NO_MONEY", "order ? of ? can't be paid: NO_MONEY"),
        ];
        for (message, expected) in cases {
            assert!(is_raised(&raise(message)));
            assert_eq!(of(&raise(message), 1000), expected);
        }
        let error =
            Record { context: b"PL/pgSQL function f() line 1 at PERFORM", ..raise("division by zero") };
        assert!(!is_raised(&error));
        assert!(is_raised(&Record { context: b"PL/Python function \"f\"", ..error }));
        assert!(is_raised(&Record { context: b"", sqlstate: *b"P0001", ..error }));
    }

    proptest! {
        #[test]
        fn no_bytes_can_hurt(message in prop::collection::vec(any::<u8>(), 0..200), most in 0_usize..100) {
            let _ = normalise(&message, most);
        }
    }
}
