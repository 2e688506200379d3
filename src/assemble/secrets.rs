//! Passwords: never shown, not even with `--show-values`.
//!
//! A password may stand anywhere: `ALTER ROLE … PASSWORD '…'`, a connection string, the values of an INSERT. So it is not
//! looked for; a text that speaks of one is shown without any of its values.

/// Words that a password stands near, in lower case. What follows must not go on with the word: `password_resets` is
/// a table.
const WORDS: &[&[u8]] = &[b"password", b"passwd", b"passphrase"];

/// Functions that take a key or a password, in lower case.
const FUNCTIONS: &[&[u8]] = &[b"pgp_sym_", b"pgp_pub_decrypt", b"crypt(", b"hmac("];

/// Whether one of the texts speaks of a password, so that none of them may be shown with its values.
pub(super) fn any(texts: &[&[u8]]) -> bool {
    texts.iter().any(|text| speaks_of_password(text))
}

fn speaks_of_password(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    let word = |word: &&[u8]| {
        memchr::memmem::find_iter(&text, word).any(|at| {
            let next = text.get(at + word.len());
            !next.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80)
        })
    };
    let function = |name: &&[u8]| memchr::memmem::find(&text, name).is_some();
    WORDS.iter().any(word) || FUNCTIONS.iter().any(function) || has_login(&text)
}

/// Whether there is a `scheme://user:password@host`.
fn has_login(text: &[u8]) -> bool {
    memchr::memmem::find_iter(text, b"://").any(|at| {
        let rest = text.get(at + 3..).unwrap_or_default();
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'\'' | b'"');
        let login = rest.split(ends).next().unwrap_or_default();
        memchr::memchr(b'@', login).is_some_and(|end| login[..end].contains(&b':'))
    })
}

#[cfg(test)]
mod tests {
    use super::any;

    #[test]
    fn what_speaks_of_a_password() {
        for text in [
            "ALTER ROLE r1 PASSWORD 'HUNTER'",
            "create user mapping for u server s options (user 'u', \"password\" 'HUNTER')",
            "create subscription s connection 'host=h password=HUNTER' publication p",
            "select * from dblink('postgres://u:HUNTER@h/d', 'select 1') as t(a int)",
            "INSERT INTO users (email, password) VALUES ($1, $2)",
            "select pgp_sym_decrypt(x, 'HUNTER') from t",
            "parameter \"primary_conninfo\" changed to \"host=h sslpassword=HUNTER\"",
        ] {
            assert!(any(&[b"", text.as_bytes()]), "{text}");
        }
        for text in [
            "SELECT * FROM password_resets WHERE user_id = 7",
            "select 'http://host:80/a@b', 1",
            "select a from t where encrypted = 'x'",
        ] {
            assert!(!any(&[text.as_bytes()]), "{text}");
        }
    }
}
