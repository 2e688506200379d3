//! Normalised messages: what two errors share when only their values differ.
//!
//! A message may hold values (`invalid input syntax for type integer: "4711"`) and names (`relation "users" does not
//! exist`). Names tell what is broken and stay; everything else in quotes, and every number, becomes `?`, so that
//! no literal of a statement leaves the log through a message.

/// Words before a quoted part that make it a name of the schema.
const NAMED: &[&[u8]] = &[
    b"aggregate",
    b"cast",
    b"collation",
    b"column",
    b"constraint",
    b"conversion",
    b"cursor",
    b"database",
    b"domain",
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
    b"rule",
    b"schema",
    b"sequence",
    b"server",
    b"slot",
    b"subscription",
    b"table",
    b"tablespace",
    b"trigger",
    b"type",
    b"user",
    b"view",
];

/// The message with its values as `?`; lossy UTF-8, at most `most` bytes.
#[must_use]
pub fn normalise(message: &[u8], most: usize) -> String {
    let mut out = Vec::with_capacity(message.len().min(most));
    let mut place = 0;
    while place < message.len() && out.len() < most {
        let byte = message[place];
        match byte {
            b'"' | b'\'' | b'`' => {
                let opens = place == 0 || !message[place - 1].is_ascii_alphanumeric();
                let end = memchr::memchr(byte, &message[place + 1..]).map(|at| place + 1 + at);
                match end {
                    // An apostrophe inside a word is none.
                    _ if !opens => {
                        out.push(byte);
                        place += 1;
                    }
                    Some(end) if byte == b'"' && is_named(&message[..place]) => {
                        out.extend_from_slice(&message[place..=end]);
                        place = end + 1;
                    }
                    Some(end) => {
                        out.push(b'?');
                        place = end + 1;
                    }
                    None => {
                        out.push(b'?');
                        place = message.len();
                    }
                }
            }
            b'(' if message[place..].starts_with(b"(") && is_key(&message[..place]) => {
                // `Key (email)=(john@example.com) already exists`: the second group holds values.
                out.extend_from_slice(b"(?)");
                place = closing(message, place) + 1;
            }
            b'0'..=b'9' => {
                let word =
                    place > 0 && (message[place - 1].is_ascii_alphanumeric() || message[place - 1] == b'_');
                let end = place
                    + message[place..]
                        .iter()
                        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'.')
                        .count();
                if word {
                    out.extend_from_slice(&message[place..end]);
                } else {
                    out.push(b'?');
                    // `1.` at the end of a sentence keeps its full stop.
                    if message[end - 1] == b'.' {
                        out.push(b'.');
                    }
                }
                place = end;
            }
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

fn is_named(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let start = before.iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    let word = &before[start..];
    // `invalid value for parameter "x": "y"` has the value after a colon, which is no word.
    NAMED.iter().any(|name| word.eq_ignore_ascii_case(name))
}

fn is_key(before: &[u8]) -> bool {
    before.ends_with(b")=") || before.ends_with(b"row contains ")
}

/// The parenthesis that closes the one at `open`, or the last byte.
fn closing(message: &[u8], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in message.iter().enumerate().skip(open) {
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    message.len() - 1
}

#[cfg(test)]
mod tests {
    use super::normalise;
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

    proptest! {
        #[test]
        fn no_bytes_can_hurt(message in prop::collection::vec(any::<u8>(), 0..200), most in 0_usize..100) {
            let _ = normalise(&message, most);
        }
    }
}
